"""The order of layers: a module imports from its own folder and the floors below it, never up or in a circle."""

import ast
import re
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

import sklearn_eql

PACKAGE = Path(sklearn_eql.__file__).parent
FLOORS = [  # from the ground up; what stands on one floor does not know of each other
    {"exceptions", "stopping", "progress", "plain_files", "vision", "_threads", "_garbage", "_devices", "_display"},
    {"primitives", "datasets", "plotting", "reading", "callbacks"},
    {"symbolic", "pages"},
    {"networks", "sparse", "parametric"},
    {"laws", "scan", "training", "uncertainty", "constraints", "units"},
    {"language"},
    {"ladder"},
    {"search"},
    {"dynamics", "encoder", "forms", "groups"},
    {"estimators"},
    {"__init__"},
    {"folder"},
    {"__main__", "pretrain"},
]
HEIGHT = {room: floor for floor, rooms in enumerate(FLOORS) for room in rooms}
MODULES = {
    ".".join(path.relative_to(PACKAGE).with_suffix("").parts).removesuffix(".__init__"): path
    for path in PACKAGE.rglob("*.py")
}


def room_of(module: str) -> str:
    """The folder of a module, or the module itself where it lies at the top."""
    return module.split(".")[0]


def imports_of(module: str) -> set[str]:
    """Modules of the package that a module imports, anywhere in its code, as names below the package."""
    found = set()
    for node in ast.walk(ast.parse(MODULES[module].read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "sklearn_eql":
            parent = node.module.removeprefix("sklearn_eql").removeprefix(".")
            for name in node.names:
                inner = f"{parent}.{name.name}".removeprefix(".")
                found.add(inner if inner in MODULES else parent or "__init__")
        elif isinstance(node, ast.Import):
            assert not any(name.name.split(".")[0] == "sklearn_eql" for name in node.names), "import names, not modules"
    return found


def test_every_module_stands_on_a_floor():
    assert {room_of(module) for module in MODULES} == set(HEIGHT)


@pytest.mark.parametrize("module", sorted(MODULES))
def test_a_module_imports_nothing_from_above_or_beside(module):
    here = room_of(module)
    for imported in imports_of(module):
        there = room_of(imported)
        assert here == there or HEIGHT[there] < HEIGHT[here], f"{module} imports {imported}"


def test_no_module_is_imported_in_a_circle():
    # Not __init__, which names where its members live for type checkers only.
    graph = {module: imports_of(module) - {module} for module in MODULES if module != "__init__"}
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        pytest.fail(f"circle: {' -> '.join(reversed(error.args[1]))}")


def test_the_document_of_the_design_shows_the_same_floors():
    page = Path(__file__).parents[1] / "docs" / "design.md"
    if not page.exists():
        pytest.skip("the documentation is not part of this copy")
    table = page.read_text(encoding="utf-8").split("| floor |")[1].split("\n\n")[0]
    shown = [set(re.findall(r"`(\w+)`", row.split("|")[1])) for row in table.splitlines()[2:]]
    assert shown == FLOORS[::-1]
