"""Pages of fitted estimators: whole, self-contained, and safe with any names of columns."""

import base64
import re
from html.parser import HTMLParser
from xml.etree import ElementTree

import numpy as np
import pandas as pd
import pytest
import sympy
from sklearn import config_context
from sklearn.exceptions import NotFittedError

from sklearn_eql import EQLRegressor
from sklearn_eql.pages.markup import law_markup

EVIL = '<script>alert(1)</script> & "it\'s"'
VOID = {"meta", "img", "br", "link", "input", "circle", "path", "rect"}


class Page(HTMLParser):
    """Tags with their attributes, and text; tags that do not match raise."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.text, self._open = [], "", []
        self.feed(text)
        assert self._open == []

    def handle_starttag(self, tag, attributes):
        self.tags.append((tag, dict(attributes)))
        if tag not in VOID:
            self._open.append(tag)

    def handle_endtag(self, tag):
        if tag not in VOID:
            assert self._open.pop() == tag

    def handle_data(self, data):
        self.text += data

    def all(self, tag):
        return [attributes for name, attributes in self.tags if name == tag]


@pytest.fixture(scope="module")
def rows():
    X = pd.DataFrame(np.random.default_rng(0).uniform(1, 2, (40, 2)), columns=[EVIL, "alpha_1"])
    return X, 1.2345 * X[EVIL] * X["alpha_1"] - 0.5


@pytest.fixture(scope="module")
def model(rows):
    return EQLRegressor(functions=["mul"], n_hidden_layers=1, random_state=0).fit(*rows)


@pytest.fixture(scope="module")
def page(model, rows, tmp_path_factory):
    path = tmp_path_factory.mktemp("pages") / "report.html"
    model.report(path, *rows, title=f"Of {EVIL}")
    return path.read_text(encoding="utf-8")


def test_a_report_has_every_law_picture_and_constant(model, page):
    parsed = Page(page)
    captions = [image["alt"] for image in parsed.all("img")]
    assert captions[0] == "Accuracy against complexity"
    assert captions[2:4] == ["Rows and law", "What the law leaves over"]
    assert len(re.findall("<tr[ >]", page)) >= 1 + len(model.equations_)
    assert page.count('<tr class="selected">') == 1
    for text in ("Laws", "Fit", "Settings", "1.23", "def law", "double law", "mul"):
        assert text in parsed.text


def test_a_report_needs_nothing_from_elsewhere(page):
    parsed = Page(page)
    assert not parsed.all("script")
    assert not parsed.all("link")
    assert all(image["src"].startswith("data:image/svg+xml;base64,") for image in parsed.all("img"))
    assert not re.findall(r"url\(|@import|href=", page)


def test_pictures_of_a_report_are_whole(page):
    for image in Page(page).all("img"):
        picture = ElementTree.fromstring(base64.b64decode(image["src"].partition(",")[2]))
        assert picture.tag.endswith("svg")


def test_names_of_columns_are_no_markup(page, model):
    for text in (page, model._repr_html_()):
        assert "<script>alert" not in text
    assert EVIL in Page(page).text


def test_the_same_fit_gives_the_same_report(model, rows, tmp_path):
    for name in ("a", "b"):
        model.report(tmp_path / name)
    strip = re.compile(rb"base64,[^\"]*")  # identifiers inside of pictures are random
    first, second = ((tmp_path / name).read_bytes() for name in ("a", "b"))
    assert strip.sub(b"", first) == strip.sub(b"", second)


def test_a_notebook_shows_diagram_law_table_and_constants(model):
    shown = model._repr_mimebundle_()
    assert shown["text/plain"] == repr(model)
    parsed = Page(shown["text/html"])
    assert "EQLRegressor" in parsed.text
    assert {"sklearn-eql", "main-law"} <= {a.get("class") for a in parsed.all("div")}
    assert len(parsed.all("math")) > len(model.equations_)
    assert model._repr_html_() == shown["text/html"] or "sklearn-eql" in model._repr_html_()
    with config_context(display="text"):
        assert list(model._repr_mimebundle_()) == ["text/plain"]


def test_before_fit_there_is_a_diagram_and_no_report(tmp_path):
    assert "sklearn-eql" not in EQLRegressor()._repr_html_()
    with pytest.raises(NotFittedError):
        EQLRegressor().report(tmp_path / "report.html")


def test_several_outputs_are_on_one_page(tmp_path):
    X = np.random.default_rng(0).uniform(1, 2, (40, 2))
    Y = np.stack([X[:, 0] * X[:, 1], 2 * X[:, 0]], axis=1)
    model = EQLRegressor(functions=["mul"], n_hidden_layers=1, random_state=0).fit(X, Y)
    model.report(tmp_path / "report.html", X, Y)
    parsed = Page((tmp_path / "report.html").read_text(encoding="utf-8"))
    assert "Laws of y0" in parsed.text
    assert "Fit of y1" in parsed.text
    captions = [image["alt"].partition(":")[0] for image in parsed.all("img")]
    for caption in ("The law as a sparse network", "Rows and law", "What the law leaves over"):
        assert captions.count(caption) == 2


@pytest.mark.parametrize(
    ("law", "expected"),
    [
        ("a - b/2", [r"<mi>a</mi>", "<mfrac>"]),
        ("sqrt(a)*alpha_1", ["<msqrt>", r"<msub><mi>(&#945;|\u03b1)</mi>"]),
        ("exp(-1234.5678*a)", ["<msup>", "1230|1.23"]),
        ("Max(0, a) + floor(a) + Mod(a, b) + Abs(a)", ["max", "floor|lfloor|⌊|&#8970;", "mod"]),
    ],
)
def test_laws_are_mathml(law, expected):
    text = law_markup(sympy.sympify(law), "y")
    for part in re.findall("<math.*?</math>", text):
        assert ElementTree.fromstring(part).tag == "{http://www.w3.org/1998/Math/MathML}math"
    assert all(re.search(pattern, text) for pattern in expected), text


def test_terms_of_a_sum_are_elements_between_which_lines_break():
    a, b = sympy.symbols("a b")
    assert law_markup(a - 2 * b + 3).count("<math") == 3
    assert "\u2212" in law_markup(a - 2 * b)


def test_a_report_of_groups_has_their_constants(tmp_path):
    X = np.tile(np.linspace(0, 2, 12), 2)[:, None]
    groups = np.repeat(["cup", "mug"], 12)
    y = np.where(groups == "cup", 50.0, 70.0) - 10 * X[:, 0]
    model = EQLRegressor(functions=["mul"], n_hidden_layers=1, random_state=0).fit(X, y, groups=groups)
    model.report(tmp_path / "report.html", X, y, groups=groups)
    text = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert "<h2>Constants of groups</h2>" in text
    assert "<th>mug</th><td>70</td>" in text
    assert "<dd>x0</dd>" in text  # constants of groups are no variables
    assert "constants of groups" in model._repr_html_()


def test_factors_are_told_apart_where_names_are_words():
    assert "&#xB7;" in law_markup(sympy.Symbol("flow rate") * sympy.Symbol("z"))
    assert "&#xB7;" not in law_markup(sympy.sympify("alpha_1*z*x0"))


def test_exponentials_keep_their_sign():
    decay = law_markup(sympy.sympify("a*exp(-b*x)"))
    assert "<mfrac>" not in decay
    assert re.search("<msup><mi>e</mi><mrow>.*\u2212", decay)
