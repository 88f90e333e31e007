"""The documentation cannot drift: its Python blocks run, and what they print is what is shown below them."""

import contextlib
import io
import re
import shlex
from dataclasses import dataclass
from pathlib import Path

import pytest

from sklearn_eql.__main__ import main

ROOT = Path(__file__).parents[1]
PAGES = [path for path in (ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))) if path.exists()]
if not PAGES:
    pytest.skip("the documentation is not part of this copy", allow_module_level=True)
ALL_PAGES = [*PAGES, *(path for path in (ROOT / "CHANGELOG.md", *ROOT.glob("benchmarks/**/*.md")) if path.exists())]

_BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_NUMBER = re.compile(r"(?<![\w.])\d+\.\d+(?:e[+-]?\d+)?")
_COMMAND = "python -m sklearn_eql "


def _name(page: Path) -> str:
    return page.relative_to(ROOT).as_posix()


@dataclass(frozen=True)
class Block:
    """Code, and the ``text`` block that follows it with nothing but blank lines between."""

    language: str
    code: str
    line: int
    output: str | None


def read_blocks(page: Path) -> list[Block]:
    text = page.read_text(encoding="utf-8")
    found = list(_BLOCK.finditer(text))
    blocks = []
    for match, after in zip(found, [*found, None][1:], strict=True):
        shown = after is not None and after[1] == "text" and not text[match.end() : after.start()].strip()
        line = text.count("\n", 0, match.start(2)) + 1
        blocks.append(Block(match[1], match[2], line, after[2] if shown else None))
    return blocks


def same_text(got: str, shown: str) -> bool:
    """Equal up to the last digits of decimals, which differ between machines, and the width of columns."""
    if _NUMBER.sub("#", _lines(got)) != _NUMBER.sub("#", _lines(shown)):
        return False
    pairs = zip(_NUMBER.findall(got), _NUMBER.findall(shown), strict=True)
    return all(float(a) == pytest.approx(float(b), rel=1e-5) for a, b in pairs)


def _lines(text: str) -> str:
    return "\n".join(" ".join(line.split()) for line in text.strip().splitlines())


@pytest.mark.parametrize("page", PAGES, ids=_name)
def test_python_blocks_run_in_order_and_print_what_is_shown(page, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    names = {"__name__": "__docs__"}
    for block in read_blocks(page):
        if block.language != "python":
            continue
        printed = io.StringIO()
        # Blank lines in front, so that a traceback names the line of the page.
        code = compile("\n" * (block.line - 1) + block.code, str(page), "exec")
        with contextlib.redirect_stdout(printed):
            exec(code, names)
        if block.output is not None:
            got = printed.getvalue()
            assert same_text(got, block.output), f"{page.name}, line {block.line}, prints:\n{got}"


def _commands() -> list:
    blocks = [(page, block) for page in PAGES for block in read_blocks(page)]
    return [
        pytest.param(block, id=f"{page.name}:{block.line}")
        for page, block in blocks
        if block.language == "sh" and block.output is not None and block.code.startswith(_COMMAND)
    ]


@pytest.mark.parametrize("block", _commands())
def test_a_command_ends_with_the_law_that_is_shown(block, monkeypatch, capsys):
    monkeypatch.chdir(ROOT)
    assert main(shlex.split(block.code.removeprefix(_COMMAND))) == 0
    law = next(line for line in block.output.splitlines() if " = " in line)
    assert law in capsys.readouterr().out.splitlines()


def _anchors(page: Path) -> set[str]:
    """What the headings of a page are linked by."""
    text = re.sub(r"^```.*?^```$", "", page.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)
    titles = re.findall(r"^#+ (.*)$", text, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


@pytest.mark.parametrize("page", ALL_PAGES, ids=_name)
def test_links_within_the_repository_lead_somewhere(page):
    for target, anchor in re.findall(r"\]\(([^)#:]*)(?:#([^)]*))?\)", page.read_text(encoding="utf-8")):
        linked = page.parent / target if target else page
        assert linked.exists(), f"{page.name} links to {target}"
        assert not anchor or anchor in _anchors(linked), f"{page.name} links to {target}#{anchor}"


@pytest.mark.parametrize("page", ALL_PAGES, ids=_name)
def test_files_of_python_that_are_named_exist(page):
    text = _BLOCK.sub("", page.read_text(encoding="utf-8"))
    files = {path.relative_to(ROOT).as_posix() for path in ROOT.glob("*/**/*.py")}
    for named in re.findall(r"`([\w/]+\.py)`", text):
        assert any(f"/{file}".endswith(f"/{named}") for file in files), f"{page.name} names {named}"
