"""Expressions from text: arithmetic, names and calls, read by a grammar of their own; nothing of it is evaluated.

``f(x)*exp(-k*t) + `flow rate`**2`` is text of this kind: functions that are not known are undefined ones, names that
are no identifiers stand in backquotes, and derivatives are ``diff(f(x), x)`` or ``f(x).diff(x, 2)``.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Callable
from typing import Any

import sympy

FUNCTIONS: dict[str, Callable[..., sympy.Expr]] = {
    "sin": sympy.sin,
    "cos": sympy.cos,
    "tan": sympy.tan,
    "sinh": sympy.sinh,
    "cosh": sympy.cosh,
    "tanh": sympy.tanh,
    "arcsin": sympy.asin,
    "asin": sympy.asin,
    "arccos": sympy.acos,
    "acos": sympy.acos,
    "arctan": sympy.atan,
    "atan": sympy.atan,
    "exp": sympy.exp,
    "log": sympy.log,
    "ln": sympy.log,
    "sqrt": sympy.sqrt,
    "abs": sympy.Abs,
    "floor": sympy.floor,
}
"""Known functions of one argument, by the names that text may have for them."""

_OF_TWO = {"min": sympy.Min, "max": sympy.Max}
_NUMBERS = {"pi": sympy.pi}
_LONGEST = 2000  # characters
_LARGEST_EXPONENT = 100
_LARGEST_ORDER = 9  # of a derivative
_QUOTED = re.compile(r"`([^`]*)`")
_EXPECTED = "expected numbers, names, + - * / **, parentheses, calls such as exp(x) or f(x), and diff"


def expression_of(text: str) -> sympy.Expr:
    """The expression that a text says.

    Parameters
    ----------
    text : str
        As in Python, of numbers, names and functions; ``pi`` is the number.

    Raises
    ------
    ValueError
        With the place: a character that is none of the grammar, a power that no one can compute, a call that is wrong.
    """
    if len(text) > _LONGEST:
        raise ValueError(f"the text has {len(text)} characters, expected at most {_LONGEST}.")
    names: dict[str, str] = {}
    plain = text.strip()
    for match in _QUOTED.finditer(plain):
        stand_in = f"_{len(names)}".ljust(len(match[0]), "_")  # as long, so that places stay what they are
        if not match[1]:
            raise ValueError(f"{_place(plain, match.start())}: an empty name.")
        names[stand_in] = match[1]
    code = _QUOTED.sub(
        lambda match: next(k for k, v in names.items() if v == match[1] and len(k) == len(match[0])), plain
    )
    try:
        tree = ast.parse(code, mode="eval")
        return _Reader(plain, names).read(tree.body)
    except SyntaxError as error:
        raise ValueError(f"{_place(plain, (error.offset or 1) - 1)}: {_EXPECTED}.") from error
    except (RecursionError, MemoryError) as error:
        raise ValueError("the text is nested too deeply.") from error


def _place(text: str, column: int) -> str:
    shown = text[max(column, 0) : column + 12] or "the end"
    return f"at character {column + 1} ({shown})"


class _Reader:
    def __init__(self, text: str, names: dict[str, str]) -> None:
        self.text, self.names = text, names

    def error(self, node: ast.expr, message: str) -> ValueError:
        column = len(self.text.encode()[: node.col_offset].decode(errors="ignore"))
        return ValueError(f"{_place(self.text, column)}: {message}.")

    def read(self, node: ast.AST) -> sympy.Expr:
        if isinstance(node, ast.Constant) and type(node.value) in (int, float):
            return self._number(node)
        if isinstance(node, ast.Name):
            return self._name(node)
        if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.UAdd | ast.USub):
            operand = self.read(node.operand)
            return -operand if isinstance(node.op, ast.USub) else operand
        if isinstance(node, ast.BinOp):
            return self._binary(node)
        if isinstance(node, ast.Call) and not node.keywords:
            return self._call(node)
        raise self.error(node, _EXPECTED)

    def _number(self, node: ast.Constant) -> sympy.Expr:
        if isinstance(node.value, int) and node.value < 10**15:
            return sympy.Integer(node.value)
        value: Any = node.value  # int or float
        number = sympy.Float(float(min(value, 10**400)) if value < 1e308 else "inf")
        if not number.is_finite:
            raise self.error(node, "a number too large for double precision")
        return number

    def _name(self, node: ast.Name) -> sympy.Expr:
        name = self.names.get(node.id, node.id)
        if name in _NUMBERS and node.id not in self.names:
            return _NUMBERS[name]
        if name in FUNCTIONS or name in _OF_TWO or name == "diff":
            raise self.error(node, f"{name} is a function, expected an argument in parentheses")
        return sympy.Symbol(name)

    def _binary(self, node: ast.BinOp) -> sympy.Expr:
        if isinstance(node.op, ast.BitXor):
            raise self.error(node, "powers are written with **, not ^")
        if not isinstance(node.op, ast.Add | ast.Sub | ast.Mult | ast.Div | ast.Pow):
            raise self.error(node, _EXPECTED)
        left, right = self.read(node.left), self.read(node.right)
        if isinstance(node.op, ast.Pow):
            if right.is_number and not abs(right) <= _LARGEST_EXPONENT:
                raise self.error(node.right, f"an exponent above {_LARGEST_EXPONENT}")
            return left**right
        if isinstance(node.op, ast.Div) and right.is_zero:
            raise self.error(node.right, "a division by zero")
        return {ast.Add: left.__add__, ast.Sub: left.__sub__, ast.Mult: left.__mul__, ast.Div: left.__truediv__}[
            type(node.op)
        ](right)

    def _call(self, node: ast.Call) -> sympy.Expr:
        if isinstance(node.func, ast.Attribute) and node.func.attr == "diff":
            return self._derivative(node, [node.func.value, *node.args])
        if not isinstance(node.func, ast.Name):
            raise self.error(node, _EXPECTED)
        name = self.names.get(node.func.id, node.func.id)
        if name == "diff":
            return self._derivative(node, node.args)
        args = [self.read(arg) for arg in node.args]
        if name in FUNCTIONS:
            if len(args) != 1:
                raise self.error(node, f"{name} has one argument, got {len(args)}")
            return FUNCTIONS[name](*args)
        if name in _OF_TWO:
            if len(args) < 2:
                raise self.error(node, f"{name} has two arguments, got {len(args)}")
            return _OF_TWO[name](*args)
        if not args:
            raise self.error(node, f"{name} has no argument, expected those that it depends on")
        return sympy.Function(name)(*args)

    def _derivative(self, node: ast.Call, parts: list[ast.expr]) -> sympy.Expr:
        expr, *by = map(self.read, parts)
        if not by or not by[0].is_Symbol:
            raise self.error(node, "expected diff(f(x), x) or diff(f(x), x, 2)")
        counts: list[tuple[sympy.Symbol, int]] = []
        for part, each in zip(parts[1:], by, strict=True):
            if each.is_Symbol:
                counts.append((each, 1))
            elif each.is_Integer and 1 <= each <= _LARGEST_ORDER and counts:
                counts[-1] = (counts[-1][0], int(each))
            else:
                raise self.error(part, f"expected a name, or an order from 1 to {_LARGEST_ORDER} behind it")
        return expr.diff(*counts)
