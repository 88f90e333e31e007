"""Runs laws written in other languages; each function takes texts, arguments by name, and gives values, one row a law.

What needs a compiler or an interpreter that is missing skips the test.
"""

import ctypes
import json
import math
import re
import shutil
import subprocess

import numpy as np
import pytest


def _tool(*names):
    found = next(filter(None, map(shutil.which, names)), None)
    return found or pytest.skip(f"none of {', '.join(names)} is here")


def _compiled(command, source, tmp_path):
    library = tmp_path / "laws.so"
    subprocess.run([*command, "-shared", "-fPIC", "-o", library, source], check=True, capture_output=True, text=True)
    return ctypes.CDLL(str(library))


def run_c(laws, tmp_path):
    """Compiled as strict C99, every warning an error."""
    command = [_tool("cc", "gcc", "clang"), "-std=c99", "-pedantic", "-Wall", "-Werror", "-O0"]
    source = tmp_path / "laws.c"
    source.write_text("\n".join(text for text, _, _ in laws), encoding="utf-8")
    library = _compiled([*command, "-lm"], source, tmp_path)
    return [_by_value(library[name], columns) for _, name, columns in laws]


def _by_value(function, columns):
    function.restype, function.argtypes = ctypes.c_double, [ctypes.c_double] * len(columns)
    return [function(*row) for row in zip(*columns, strict=True)]


def run_fortran(laws, tmp_path):
    """Compiled as standard Fortran 2008, every warning an error; arguments are passed by reference."""
    command = [_tool("gfortran"), "-std=f2008", "-Wall", "-Werror", "-Wno-function-elimination", "-O0"]
    source = tmp_path / "laws.f90"
    source.write_text("\n".join(text for text, _, _ in laws), encoding="utf-8")
    library = _compiled(command, source, tmp_path)
    return [_by_reference(library[f"{name}_"], columns) for _, name, columns in laws]


def _by_reference(function, columns):
    function.restype = ctypes.c_double
    rows = zip(*columns, strict=True)
    return [function(*(ctypes.byref(ctypes.c_double(value)) for value in row)) for row in rows]


def run_javascript(laws, tmp_path):
    source = tmp_path / "laws.js"
    rows = [[list(row) for row in zip(*columns, strict=True)] for _, _, columns in laws]
    calls = [f"rows[{i}].map((r) => String({name}(...r)))" for i, (_, name, _) in enumerate(laws)]
    text = "\n".join(text for text, _, _ in laws)
    source.write_text(f"{text}\nconst rows = {json.dumps(rows)};\nconsole.log(JSON.stringify([{','.join(calls)}]));")
    done = subprocess.run([_tool("node"), source], check=True, capture_output=True, text=True)
    return [[float(value.replace("Infinity", "inf")) for value in values] for values in json.loads(done.stdout)]


def _guarded(function):
    """Of one row: what Python refuses to compute is NaN."""

    def value(*row):
        try:
            return function(*row)
        except (ValueError, ZeroDivisionError, OverflowError):
            return math.nan

    return value


def run_python(laws, tmp_path):
    return [
        [_guarded(_defined(text)[name])(*map(float, row)) for row in zip(*columns, strict=True)]
        for text, name, columns in laws
    ]


def _defined(text, **space):
    exec(compile(text, "law", "exec"), space)
    return space


def run_numpy(laws, tmp_path):
    with np.errstate(all="ignore"):
        return [
            np.broadcast_to(_defined(text)[name](*map(np.asarray, columns)), len(columns[0]))
            for text, name, columns in laws
        ]


_JULIA = {
    name: getattr(math, name) for name in ("sin", "cos", "tan", "asin", "acos", "atan", "tanh", "exp", "log", "sqrt")
}
_JULIA |= {"abs": abs, "floor": math.floor, "min": min, "max": max, "mod": lambda a, b: a % b, "pi": math.pi}


def run_julia(laws, tmp_path):
    """By Julia; without it the same text by Python, whose operators differ in the sign of powers only."""
    julia = shutil.which("julia")
    if julia is None:
        texts = [re.sub(r"function (.*)\n(.*)\nend", r"def \1:\n\2", text).replace("^", "**") for text, _, _ in laws]
        return [
            [_guarded(_defined(text, **_JULIA)[name])(*map(float, row)) for row in zip(*columns, strict=True)]
            for text, (_, name, columns) in zip(texts, laws, strict=True)
        ]
    source = tmp_path / "laws.jl"
    lines = [text for text, _, _ in laws]
    for _, name, columns in laws:
        rows = ", ".join(f"({', '.join(map(repr, map(float, row)))},)" for row in zip(*columns, strict=True))
        lines.append(f"println(join([try {name}(r...) catch; NaN end for r in [{rows}]], ' '))")
    source.write_text("\n".join(lines), encoding="utf-8")
    done = subprocess.run([julia, source], check=True, capture_output=True, text=True)
    return [[float(value) for value in line.split()] for line in done.stdout.splitlines()]


_EXCEL = {
    name.upper(): getattr(math, name) for name in ("sin", "cos", "tan", "asin", "acos", "atan", "tanh", "exp", "sqrt")
}
_EXCEL |= {"LN": math.log, "ABS": abs, "INT": math.floor, "MIN": min, "MAX": max, "POWER": math.pow}
_EXCEL |= {"PI": lambda: math.pi, "MOD": lambda a, b: a % b}


def run_excel(laws, tmp_path):
    """By Python: the formulas have no operators but those of arithmetic, which mean the same there."""

    def formula(text, cells):
        code = compile(text.removeprefix("=").replace("$", ""), "formula", "eval")
        return _guarded(lambda *row: eval(code, _EXCEL | dict(zip(cells, row, strict=True))))

    return [[formula(text, cells)(*row) for row in zip(*columns, strict=True)] for text, cells, columns in laws]


RUNNERS = {
    "c": run_c,
    "fortran": run_fortran,
    "javascript": run_javascript,
    "julia": run_julia,
    "numpy": run_numpy,
    "python": run_python,
    "excel": run_excel,
}
