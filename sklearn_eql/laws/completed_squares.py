"""Bells: ``exp(a*x**2 + b*x)`` written as ``c*exp(a*(x - m)**2)``.

Far from zero the first form is a small difference of large exponents, and its factor is next to nothing: a Gaussian of
mean 500 and width 50 comes with a factor of 1e-22.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from sklearn_eql.primitives import Primitive
from sklearn_eql.sparse.editing import EditableStructure, Node
from sklearn_eql.sparse.structure import Structure
from sklearn_eql.symbolic.canonical import canonicalize
from sklearn_eql.symbolic.equation import Equation
from sklearn_eql.symbolic.graph import is_builtin


def with_completed_squares(equation: Equation, primitives: Mapping[str, Primitive]) -> Equation:
    """The same law, canonical, with the squares inside its exponentials completed; the law itself if there are none.

    Only there, where the constant that is left over becomes a factor.
    """
    if not all(is_builtin(name, primitives) for name in ("exp", "square")):
        return equation
    editable = EditableStructure(Structure.from_equation(equation, np.ones(len(equation.coefficients()), dtype=bool)))
    arguments = [node.args[0] for node in editable.nodes() if node.primitive == "exp"]
    if not sum(_complete(argument) for argument in arguments):
        return equation
    return canonicalize(editable.equation(), primitives)


def _complete(form: list[list]) -> bool:
    """Complete the squares of one linear form, in place, its constant included: ``a*(x + b/(2*a))**2 - b**2/(4*a)``."""
    found = False
    for term in list(form):
        node, a = term
        if not isinstance(node, Node) or node.primitive != "square" or len(node.args[0]) != 1:
            continue
        base, scale = node.args[0][0]
        linear = next((other for other in form if other[0] is base or other[0] == base), None)
        if linear is None or base == 0 or a == 0 or scale == 0:
            continue
        a, b = a * scale * scale, linear[1]
        form[:] = [other for other in form if other is not linear and other is not term]
        form += [[Node("square", [[[base, 1.0], [0, b / (2 * a)]]]), a], [0, -b * b / (4 * a)]]
        found = True
    return found
