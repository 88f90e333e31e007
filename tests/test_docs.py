"""The documentation cannot drift: its Python blocks run, and what they print is what is shown below them."""

import contextlib
import io
import re
import shlex
from dataclasses import dataclass
from pathlib import Path
from tokenize import TokenError

import numpy as np
import pytest
import sympy
from sympy.parsing.sympy_parser import parse_expr

from sklearn_eql.__main__ import main

ROOT = Path(__file__).parents[1]
_WRITTEN = [path for path in sorted((ROOT / "docs").rglob("*.md")) if "_build" not in path.parts]
PAGES = [path for path in (ROOT / "README.md", *_WRITTEN) if path.exists()]
if not PAGES:
    pytest.skip("the documentation is not part of this copy", allow_module_level=True)
ALL_PAGES = [*PAGES, *(path for path in (ROOT / "CHANGELOG.md", *ROOT.glob("benchmarks/**/*.md")) if path.exists())]

_BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_NUMBER = re.compile(r"(?<![\w.])\d+\.\d+(?:e[+-]?\d+)?")
_DIGITS = 1e-5  # relative, to which numbers are compared
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


def same_output(got: str, shown: str) -> bool:
    """Line by line the same text, or the same law however it is written."""
    got_lines, shown_lines = (text.strip().splitlines() for text in (got, shown))
    return len(got_lines) == len(shown_lines) and all(map(_same_line, got_lines, shown_lines))


def _same_line(got: str, shown: str) -> bool:
    return _same_text(got, shown) or _same_laws(_laws(got), _laws(shown))


def _same_text(got: str, shown: str) -> bool:
    """Equal up to the last digits of decimals, which differ between machines, and the width of columns."""
    if _NUMBER.sub("#", " ".join(got.split())) != _NUMBER.sub("#", " ".join(shown.split())):
        return False
    pairs = zip(_NUMBER.findall(got), _NUMBER.findall(shown), strict=True)
    return all(float(a) == pytest.approx(float(b), rel=_DIGITS) for a, b in pairs)


def _laws(line: str) -> list[sympy.Expr] | None:
    """The laws of a line, behind the name of the first if it has one; None if there is anything else in it."""
    name, _, text = line.rpartition(" = ")
    if name and not name.strip().isidentifier():
        return None
    names = {word: sympy.Symbol(word) for word in re.findall(r"[^\W\d]\w*", text) if not hasattr(sympy, word)}
    try:
        parsed = parse_expr(text.strip(), names)
    except (SyntaxError, TokenError, TypeError, ValueError):  # of the parser: no law
        return None
    laws = parsed if isinstance(parsed, list) else [parsed]
    is_law = all(isinstance(law, sympy.Expr) for law in laws) and any(law.free_symbols for law in laws)
    return [*map(sympy.Symbol, [name.strip()] * bool(name)), *laws] if is_law else None


def _same_laws(got: list[sympy.Expr] | None, shown: list[sympy.Expr] | None) -> bool:
    """Equal values at points between 1 and 2, with as many digits as decimals are compared to."""
    if got is None or shown is None or len(got) != len(shown):
        return False
    points = np.random.default_rng(0).uniform(1, 2, (20, 12)).round(3)
    return all(_same_values(a, b, points) for a, b in zip(got, shown, strict=True))


def _same_values(got: sympy.Expr, shown: sympy.Expr, points: np.ndarray) -> bool:
    symbols = sorted(shown.free_symbols, key=str)
    if got.free_symbols != shown.free_symbols:
        return False
    for point in points:
        where = dict(zip(symbols, map(sympy.Float, point), strict=False))
        values = [complex(law.evalf(20, subs=where)) for law in (got, shown)]
        if values[0] != pytest.approx(values[1], rel=_DIGITS):
            return False
    return True


@pytest.mark.parametrize(
    ("got", "shown", "same"),
    [
        ("[x**2/2 + x]", "[x*(x + 2)/2]", True),
        ("year = 365.0321*sqrt(a**3)", "year = 365.0322*a**(3/2)", True),
        ("364.7 + 1458.8*1/(n**2 - 4.0)", "(364.7*n**2 + 0.0)/(n**2 - 4.0)", True),
        ("2.001*x", "2.0*x", False),
        ("x + y", "x", False),
        ("y = x", "z = x", False),
        ("lambda*x", "x*lambda", False),  # names that Python has a use for are compared as text
        ("largest error: 6.3e-04", "largest error: 7.1e-04", False),
        ("exact", "noise", False),
        ("x\nexact", "x", False),
    ],
)
def test_outputs_are_the_same_if_their_laws_are(got, shown, same):
    assert same_output(got, shown) is same


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
            assert same_output(got, block.output), f"{page.name}, line {block.line}, prints:\n{got}"


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
    assert any(_same_line(line, law) for line in capsys.readouterr().out.splitlines())


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
