"""What the web pages of the documentation are made by; the pages themselves are built by ``make docs``."""

import re
from importlib import import_module
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from pkgutil import iter_modules

import pytest

import sklearn_eql.symbolic

DOCS = Path(__file__).parents[1] / "docs"
if not DOCS.exists():
    pytest.skip("the documentation is not part of this copy", allow_module_level=True)
PAGES = sorted((DOCS / "reference").glob("*.md"))
GROUPED = re.compile(r"^\.\. parameter-groups:: (\S+)\n(.*?)\n\.\. ", re.MULTILINE | re.DOTALL)


def extension(name):
    spec = spec_from_file_location(name, DOCS / "_ext" / f"{name}.py")
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


grouping = extension("grouping")


@pytest.mark.parametrize("name", [name for name in sklearn_eql.__all__ if name.endswith("Regressor")])
def test_the_reference_of_an_estimator_groups_all_of_its_parameters(name):
    grouped = dict(match for page in PAGES for match in GROUPED.findall(page.read_text(encoding="utf-8")))
    groups = grouping.read(grouped[f"sklearn_eql.{name}"].splitlines())
    assert grouping.faults(groups, getattr(sklearn_eql, name)) == []


def test_a_grouping_that_does_not_fit_a_signature_is_told():
    class Model:
        def __init__(self, *, depth=1, width=2, **more):
            pass

    groups = grouping.read(["Size: depth,", "   depth, height", "Else: seed"])
    assert groups == {"Size": ["depth", "depth", "height"], "Else": ["seed"]}
    told = grouping.faults(groups, Model)
    assert told == ["width is in no group", "height is no parameter", "seed is no parameter", "depth is in 2 groups"]


def test_the_reference_has_all_public_names():
    text = "\n".join(page.read_text(encoding="utf-8") for page in PAGES)
    assert all(f":: sklearn_eql.{name}" in text for name in sklearn_eql.__all__)
    whole = re.findall(r"automodule:: sklearn_eql\.(\w+)\n   :members:\n", text)
    assert set(whole) == {"callbacks", "constraints", "datasets", "exceptions", "language", "plotting"}
    packages = {found.name for found in iter_modules(sklearn_eql.__path__) if found.ispkg}
    exporting = {name for name in packages if hasattr(import_module(f"sklearn_eql.{name}"), "__all__")}
    assert exporting - set(whole) == {"symbolic"}
    listed = re.findall(r":: sklearn_eql\.symbolic\.(\w+)\n", text)
    assert set(listed) == set(sklearn_eql.symbolic.__all__)


def test_links_of_a_page_from_elsewhere_lead_to_the_site(tmp_path):
    turned = extension("adopted_pages").turned
    pages = {tmp_path / "CHANGELOG.md": tmp_path / "docs" / "changelog.md"}
    text = "[a](docs/guide.md#units) [b](CHANGELOG.md) [c](https://example.org/x) [d](#limits) [e](setup.cfg)"
    shown = "[a](guide.md#units) [b](changelog.md) [c](https://example.org/x) [d](#limits) [e](../setup.cfg)"
    assert turned(text, tmp_path, pages, tmp_path / "docs") == shown
