"""Complexity of a law: how many things one reads in its printed form.

Counted are variables, constants, operators and functions, one each, with these allowances:

========================  =====================================================================================
``x``                     1
a number                  1, whatever it looks like: ``2``, ``0.417``, ``2*pi/3``; its sign is free
``a + b + c``             the terms, and 1 per sign between them; the same for products and quotients
``x**2``, ``1/x``         1 for the power, no more for an exponent that is an integer, or a half (``sqrt``)
``x**1.7``, ``x**y``      1 for the power, and the exponent
``sin(g)``, ``exp(g)``    1 and the argument
========================  =====================================================================================

So ``x**2`` is 2, ``a*x`` is 3, ``sin(2*pi*x)`` is 4, ``1/(1 + exp(-x))`` is 5.
"""

from __future__ import annotations

from collections.abc import Mapping

import sympy

from sklearn_eql.primitives import PRIMITIVES, Primitive
from sklearn_eql.symbolic.equation import Affine, Equation, Unit
from sklearn_eql.symbolic.graph import is_builtin, is_constant

# What the printed form of a function adds to its argument; everything else adds one per function.
_WRITTEN_OUT = {"id": 0, "sigmoid": 4, "sigmoid20": 4}
_INNER_FACTOR = ("sin2pi", "sigmoid20")  # their printed argument always carries a number


def function_cost(name: str) -> int:
    """What the printed form of a function of one or two arguments adds to them."""
    return _WRITTEN_OUT.get(name, 1)


def complexity(law: sympy.Expr | Equation) -> int:
    """How many things one reads in a law, as counted above.

    Parameters
    ----------
    law : sympy.Expr or Equation
        An equation is over built-in functions; see `equation_complexity` for others.

    Returns
    -------
    int
        At least 1.
    """
    return equation_complexity(law) if isinstance(law, Equation) else _of_expression(law)


def _of_expression(expr: sympy.Expr) -> int:
    if expr.is_Symbol or not expr.free_symbols:
        return 1
    if expr.is_Add:
        return len(expr.args) - 1 + sum(map(_of_expression, expr.args))
    if expr.is_Mul:
        number = sympy.Mul(*(arg for arg in expr.args if not arg.free_symbols))
        factors = [arg for arg in expr.args if arg.free_symbols]
        # A number and its sign of multiplication; without one, 1/(x*y) is the power of a product.
        extra = 2 if abs(number) != 1 else int(all(map(_is_inverse, factors)))
        return len(factors) - 1 + extra + sum(map(_of_factor, factors))
    if expr.is_Pow and not isinstance(expr, sympy.exp):
        return _of_power(expr.base, expr.exp)
    return 1 + sum(map(_of_expression, expr.args))


def _is_inverse(factor: sympy.Expr) -> bool:
    return factor.is_Pow and factor.exp.is_number and bool(factor.exp.is_negative)


def _of_factor(factor: sympy.Expr) -> int:
    """As part of a product, where a negative power is a division and its sign costs no more than a product's."""
    return _of_expression(1 / factor if _is_inverse(factor) else factor)


def _of_power(base: sympy.Expr, exponent: sympy.Expr) -> int:
    cost = 1 + (1 if not base.free_symbols else _of_expression(base))
    if exponent.is_number and (2 * exponent).is_integer:
        return cost
    return cost + (1 if not exponent.free_symbols else _of_expression(exponent))


def equation_complexity(equation: Equation, primitives: Mapping[str, Primitive] = PRIMITIVES) -> int:
    """`complexity` without making an expression, in time linear in the size of the equation.

    For canonical equations it is within a few counts of the printed form; the difference is what SymPy merges, such
    as ``x*x**1.7``.

    Parameters
    ----------
    equation : Equation
        Canonical.
    primitives : mapping of str to Primitive
        Functions by name.

    Returns
    -------
    int
        At least 1.
    """
    counted = _Counted(equation, primitives)
    for unit in equation.units:
        counted.add(unit)
    return counted.linear(equation.output)


class _Counted:
    """Costs of the sources of an equation, one unit after another."""

    def __init__(self, equation: Equation, primitives: Mapping[str, Primitive]) -> None:
        self.primitives = primitives
        self.names = [""] * (equation.n_features + 1)
        self.powers: dict[int, int] = {}  # costs of what is printed as a power inside an exponential
        self.costs = [1, *(_of_feature(equation, f) for f in range(equation.n_features))]

    def add(self, unit: Unit) -> None:
        source = len(self.costs)
        if unit.primitive == "log" and is_builtin("log", self.primitives):
            self.powers[source] = self.linear(unit.args[0]) + 1
        elif unit.primitive == "mul" and is_builtin("mul", self.primitives):
            for form, other in (unit.args, unit.args[::-1]):
                if len(form) == 1 and self.names[form[0][0]] == "log" and form[0][0] in self.powers:
                    self.powers[source] = self.powers[form[0][0]] + self.linear(other)
                    break
        self.costs.append(self._of(unit))
        self.names.append(unit.primitive)

    def linear(self, form: Affine, factor: bool = False) -> int:
        """Cost of a linear form; `factor` if a number multiplies it inside its function."""
        if not form:
            return 1
        total = len(form) - 1
        for source, c in form:
            scaled = source != 0 and (factor or abs(c) != 1)
            # k/g spares the power of 1/g
            total += self.costs[source] + (1 if scaled and self.names[source] == "inv" else 2 if scaled else 0)
        return total

    def _of(self, unit: Unit) -> int:
        name, args = unit.primitive, unit.args
        if not is_builtin(name, self.primitives):
            return 1 + sum(map(self.linear, args)) + max(0, len(args) - 1)
        if name == "exp":
            return self._exponential(args[0])
        if name == "pow" and is_constant(args[1]):
            exponent = sum(c for _, c in args[1])
            return self.linear(args[0]) + (1 if (2 * exponent).is_integer() else 2)
        if len(args) == 2:
            return self.linear(args[0]) + (3 if name == "mul10" else 1) + self.linear(args[1])
        if not args:
            return 1
        return function_cost(name) + self.linear(args[0], factor=name in _INNER_FACTOR)

    def _exponential(self, form: Affine) -> int:
        """``exp``, which prints logarithms in its argument as powers."""
        powers = [(s, c) for s, c in form if s in self.powers]
        rest = tuple(term for term in form if term not in powers)
        bases = sum(self.powers[s] + self._factor_of_exponent(s, c) for s, c in powers)
        return bases + max(0, len(powers) - 1) + ((1 + self.linear(rest) + bool(powers)) if rest else 0)

    def _factor_of_exponent(self, source: int, factor: float) -> int:
        if self.names[source] == "log":
            return 0 if (2 * factor).is_integer() else 1
        return 0 if abs(factor) == 1 else 2


def _of_feature(equation: Equation, feature: int) -> int:
    """A feature, an origin that is subtracted and a unit that it is divided by."""
    frame = equation.frame
    return 1 if frame is None else 1 + 2 * (frame.origins[feature] != 0) + 2 * (frame.units[feature] != 1)
