"""Laws from SymPy: any expression of the functions that there are, as an equation over named columns."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from functools import reduce

import sympy
from sympy.core.function import AppliedUndef

from sklearn_eql.primitives import PRIMITIVES, Primitive
from sklearn_eql.symbolic.equation import Equation
from sklearn_eql.symbolic.graph import Form, Graph, added, scaled

_MAX_PRODUCT = 9  # integer exponents that are written as products; larger ones as powers
_IN_TERMS_OF = {
    sympy.tan: sympy.cos,
    sympy.cot: sympy.cos,
    sympy.sec: sympy.cos,
    sympy.csc: sympy.sin,
    sympy.sinh: sympy.exp,
    sympy.cosh: sympy.exp,
    sympy.coth: sympy.exp,
    sympy.acos: sympy.asin,
    sympy.asinh: sympy.log,
    sympy.acosh: sympy.log,
    sympy.atanh: sympy.log,
}
_OF_TWO = {sympy.Max: "max", sympy.Min: "min"}


def from_sympy(expr: sympy.Expr, names: Sequence[str], primitives: Mapping[str, Primitive] = PRIMITIVES) -> Equation:
    """The equation of an expression, with its numbers as coefficients; not canonical.

    Parameters
    ----------
    expr : Expr
        Real; of sums, products, powers, the functions of `primitives`, and such as ``tan`` and ``cosh`` that SymPy
        writes in terms of these.
    names : sequence of str, length n_features
        Of the columns, as its symbols are called.
    primitives : mapping of str to Primitive

    Raises
    ------
    ValueError
        A symbol that is no column, a function that is not there, a number that is not real and finite.
    """
    reader = _Reader(names, primitives)
    return reader.graph.equation(reader.form(sympy.sympify(expr)))


class _Reader:
    def __init__(self, names: Sequence[str], primitives: Mapping[str, Primitive]) -> None:
        self.names = {name: source for source, name in enumerate(names, start=1)}
        self.primitives = primitives
        self.graph = Graph(len(names), primitives)

    def form(self, expr: sympy.Expr) -> Form:
        """A sum of sources; the units that it needs are added to the graph."""
        if not expr.free_symbols and not expr.has(AppliedUndef):
            return {0: value} if (value := _number(expr)) else {}
        if isinstance(expr, sympy.Symbol):
            if expr.name not in self.names:
                raise ValueError(
                    f"{expr.name} is no column: expected {', '.join(self.names) or 'none'}, numbers and functions."
                )
            return {self.names[expr.name]: 1.0}
        if isinstance(expr, sympy.Add):
            return reduce(added, map(self.form, expr.args))
        if isinstance(expr, sympy.Mul):
            number, factors = expr.as_coeff_mul()
            return scaled(reduce(self._product, map(self.form, factors)), _number(number))
        if isinstance(expr, sympy.Pow):
            return self._power(*expr.as_base_exp())
        return self._function(expr)

    def _unit(self, name: str, *args: Form) -> Form:
        return {self.graph.add(name, list(args)): 1.0}

    def _product(self, a: Form, b: Form) -> Form:
        for one, other in ((a, b), (b, a)):
            if set(one) <= {0}:
                return scaled(other, one.get(0, 0.0))
        return self._unit("mul", a, b)

    def _power(self, base: sympy.Expr, exponent: sympy.Expr) -> Form:
        if base == sympy.E:
            return self._unit("exp", self.form(exponent))
        argument = self.form(base)
        if exponent.is_Rational:
            if exponent < 0:
                return self._unit("inv", self._positive(argument, -exponent))
            return self._positive(argument, exponent)
        return self._unit("pow", argument, self.form(exponent))

    def _positive(self, argument: Form, exponent: sympy.Rational) -> Form:
        if exponent.q == 2:
            argument = self._unit("sqrt", argument)
        if exponent.q > 2 or exponent.p > _MAX_PRODUCT:
            return self._unit("pow", argument, {0: float(exponent)})
        if exponent.p in (2, 3):
            return self._unit("square" if exponent.p == 2 else "cube", argument)
        return reduce(self._product, [argument] * exponent.p)

    def _function(self, expr: sympy.Expr) -> Form:
        if not all(isinstance(arg, sympy.Expr) for arg in expr.args):
            raise ValueError(f"{expr}: expected sums, products, powers and {', '.join(self.primitives)}.")
        for name, primitive in self.primitives.items():
            if primitive.arity == len(expr.args) and _is_function(primitive, expr):
                return self._unit(name, *map(self.form, expr.args))
        if type(expr) in _OF_TWO:
            name = _OF_TWO[type(expr)]
            return reduce(lambda a, b: self._unit(name, a, b), map(self.form, expr.args))
        rewritten = expr.rewrite(_IN_TERMS_OF[expr.func]) if expr.func in _IN_TERMS_OF else expr
        if rewritten == expr:
            raise ValueError(
                f"{expr.func} in {expr}: expected sums, products, powers and {', '.join(self.primitives)}."
            )
        return self.form(rewritten)


def _is_function(primitive: Primitive, expr: sympy.Expr) -> bool:
    """Whether the expression is this primitive of its arguments, written as it is or as SymPy would write it."""
    dummies = tuple(sympy.Dummy() for _ in expr.args)
    value = primitive.sympy_fn(*dummies)
    return (value.func is expr.func and value.args == dummies) or primitive.sympy_fn(*expr.args) == expr


def _number(expr: sympy.Expr) -> float:
    value = expr.evalf(25)
    if not (value.is_real and value.is_finite) or not math.isfinite(float(value)):
        raise ValueError(f"{expr}: expected real and finite numbers.")
    return float(value)
