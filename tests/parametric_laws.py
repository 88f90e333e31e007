"""Laws with named constants, made from SymPy's expressions."""

import sympy

from sklearn_eql.parametric.law import ParametricLaw
from sklearn_eql.symbolic.reading import from_sympy


def law_of(expr: sympy.Expr, features: list[str], constants: list[str]) -> ParametricLaw:
    """A law whose constants are the symbols of these names, shared by all groups."""
    return ParametricLaw(from_sympy(expr, [*features, *constants]), tuple(constants), (False,) * len(constants))
