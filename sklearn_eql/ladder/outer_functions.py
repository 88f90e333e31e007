"""Outer functions: laws ``y = g(sum of terms)`` become sums of terms for the target ``u = g**-1(y)``.

The coefficients of a sum are solved linearly, so a law under an outer function is found as fast as a bare sum once the
target is transformed. As in a generalised linear model (whose link is the inverse of `g`), rows are weighted by
``(dy/du)**2``: to first order the weighted error in `u` is the error in `y`, and losses under different outer functions
compare.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace

import torch

from sklearn_eql.primitives import PRIMITIVES, Primitive
from sklearn_eql.sparse.editing import EditableStructure, Node
from sklearn_eql.sparse.problem import Problem
from sklearn_eql.sparse.structure import Structure

_LARGEST_WEIGHT = 1e3  # relative to the median row
_LEVELS = (1.01, 1.3)  # of saturation, over the largest value: reached by the rows, or not
_CROSSING_SHARE, _CROSSING_SIZE = 0.3, 0.1  # of rows that noise carries across zero: how many, and how far


@dataclass(frozen=True)
class OuterFunction:
    """One outer function.

    Parameters
    ----------
    name : str
        Of the function `g` that is left in the law: ``y = g(u)``.
    functions : tuple of str
        Functions of which the user must have allowed one, if there are any.
    inverse, slope : callable
        ``u(y)`` and ``du/dy``, elementwise.
    wrap : callable
        ``wrap(terms) -> Node``, the unit that computes `g` of a sum of terms.
    one_sign : bool
        Whether `g` yields one sign only; a negative target is then ``-g(u)``.
    degree : float or None
        `k` where ``u = y**k``.
    natural : bool
        Whether `y` is taken in the user's units, because `g` knows no scale.
    limit : float
        The outer function is not tried where ``abs(y)`` reaches it.
    level : float or None
        `g` ends at one, and the target is taken relative to that many times its largest size.
    """

    name: str
    functions: tuple[str, ...]
    inverse: Callable[[torch.Tensor], torch.Tensor]
    slope: Callable[[torch.Tensor], torch.Tensor]
    wrap: Callable[[list], Node] | None
    degree: float | None = None
    one_sign: bool = True
    natural: bool = False
    limit: float = math.inf
    level: float | None = None

    @property
    def primitive(self) -> Primitive | None:
        """The primitive that `g` is, None for the others."""
        return PRIMITIVES.get(self.name.partition(" up to ")[0])

    @property
    def makes_products(self) -> bool:
        """Whether terms of the argument are factors of the law."""
        return self.primitive is not None and self.primitive.frees_constant()

    @property
    def adds_logarithms(self) -> bool:
        """Whether logarithms of features in the argument are powers of them in the law."""
        return self.makes_products or self.level is not None

    @property
    def absorbs_scale(self) -> bool:
        """Whether a factor of the argument is a constant of the law."""
        return self.primitive is not None and self.primitive.identity == "logarithm"


OUTER_FUNCTIONS: tuple[OuterFunction, ...] = (
    OuterFunction("identity", (), lambda y: y, torch.ones_like, None, 1.0, one_sign=False),
    OuterFunction(
        "inv", ("inv", "div", "pow"), lambda y: 1 / y, lambda y: -1 / y**2, lambda terms: Node("inv", [terms]), -1.0
    ),
    OuterFunction("sqrt", ("sqrt", "pow"), torch.square, lambda y: 2 * y, lambda terms: Node("sqrt", [terms]), 2.0),
    OuterFunction(
        "inv sqrt",
        ("pow",),
        lambda y: y**-2,
        lambda y: -2 * y**-3,
        lambda terms: Node("pow", [terms, [[0, -0.5]]]),
        -2.0,
    ),
    OuterFunction(
        "inv square",
        ("pow",),
        lambda y: y**-0.5,
        lambda y: -0.5 * y**-1.5,
        lambda terms: Node("pow", [terms, [[0, -2.0]]]),
        -0.5,
    ),
    OuterFunction("exp", ("exp",), torch.log, lambda y: 1 / y, lambda terms: Node("exp", [terms])),
    OuterFunction(
        "square",
        ("square", "mul", "pow"),
        torch.sqrt,
        lambda y: 0.5 / y.sqrt(),
        lambda terms: Node("square", [terms]),
        0.5,
    ),
    OuterFunction(
        "cube",
        ("cube", "pow"),
        lambda y: y.sign() * y.abs() ** (1 / 3),
        lambda y: y.abs() ** (-2 / 3) / 3,
        lambda terms: Node("cube", [terms]),
        1 / 3,
        one_sign=False,
    ),
    OuterFunction(
        "log",
        ("log",),
        torch.exp,
        torch.exp,
        lambda terms: Node("log", [terms]),
        one_sign=False,
        natural=True,
        limit=30.0,  # weights are exp(-2*y): beyond, they span more decades than the error in u can tell that in y
    ),
    OuterFunction(
        "arcsin",
        ("arcsin",),
        torch.sin,
        torch.cos,
        lambda terms: Node("arcsin", [terms]),
        one_sign=False,
        natural=True,
        limit=math.pi / 2,  # of the values that it has
    ),
    *(
        OuterFunction(
            f"sigmoid up to {level:g}",
            ("sigmoid",),
            torch.logit,
            lambda y: 1 / (y * (1 - y)),
            lambda terms: Node("sigmoid", [terms]),
            level=level,
        )
        for level in _LEVELS
    ),
)


class InnerProblem:
    """A problem with its target moved through the inverse of an outer function."""

    def __init__(self, problem: Problem, outer: OuterFunction, inner: Problem, sign: float, factor: float) -> None:
        self.outer = outer
        self.problem = problem
        self.inner = inner
        self._sign = sign
        self.factor = factor  # loss of `inner` times this is, to first order, the loss in y

    def wrap(self, structure: Structure) -> Structure | None:
        """The law for `y` whose argument is a law for `u`."""
        if self.outer.wrap is None:
            return structure
        editable = EditableStructure(structure)
        terms = editable.output
        scale = self._sign
        if self.outer.makes_products:  # exp(b + terms) = exp(b) * exp(terms)
            constant = sum(c for s, c in terms if s == 0)
            terms = [t for t in terms if t[0] != 0]
            scale *= float(torch.tensor(constant).exp())
            if not terms:
                return None
        if self.outer.natural:
            scale /= self.problem.y_unit
        editable.output = [[self.outer.wrap([list(t) for t in terms]), scale]]
        if self.outer.absorbs_scale:  # log(k * terms) = log(k) + log(terms), and the gauge drops k
            editable.output.append([0, 1.0])
        return editable.finish(self.problem.primitives)


def inner_problem(problem: Problem, outer: OuterFunction) -> InnerProblem | None:
    """The problem for the argument of an outer function; ``None`` where that is undefined, or not in the vocabulary."""
    if outer.functions and not any(name in problem.copies for name in outer.functions):
        return None
    if any(problem.primitives[name] is not PRIMITIVES[name] for name in outer.functions):  # a user's, of that name
        return None
    if outer.wrap is None:
        return InnerProblem(problem, outer, problem.of_parts, 1.0, 1.0)
    y, sign, known = problem.y, 1.0, None
    if outer.one_sign:
        sign = -1.0 if float(y.sum()) < 0 else 1.0
        y = sign * y
        if not bool((y > 0).all()):
            if (known := _clear_of_zero(y)) is None:
                return None
            y = torch.where(known, y, y[known].min())
    if outer.natural:
        y = y * problem.y_unit
    if outer.level is not None:
        amplitude = outer.level * float(y.max())
        y, sign = y / amplitude, sign * amplitude
    if bool((y.abs() >= outer.limit).any()):
        return None
    u, slope = outer.inverse(y), outer.slope(y)
    importance = slope.square().reciprocal()
    if problem.sample_weight is not None:  # before the bound: weights 1 / y**2 make up for large slopes
        importance = importance * problem.sample_weight
    importance = importance.clamp(max=_LARGEST_WEIGHT * float(importance.median()))
    if known is not None:
        importance = importance * known
    mean = float(importance.mean())
    spread = float(u.std())
    if not (spread > 0 and torch.isfinite(u).all() and torch.isfinite(importance).all() and mean > 0):
        return None
    weight = importance / mean
    unit = problem.y_unit if outer.natural else 1.0 if outer.level is None else 1 / amplitude
    factor = mean / unit**2
    inner = replace(problem.of_parts, y=u, sample_weight=weight, exact=problem.exact / factor)
    return InnerProblem(problem, outer, inner, sign, factor)


def _clear_of_zero(y: torch.Tensor) -> torch.Tensor | None:
    """Which rows noise can not have carried across zero, where those that it has are few and small; else None.

    A decay or a saturation is measured as slightly negative where it is next to nothing.
    """
    reach = -float(y.min())
    clear = y > reach
    is_noise = 0 < reach <= _CROSSING_SIZE * float(y.max()) and float(clear.double().mean()) >= 1 - _CROSSING_SHARE
    return clear if is_noise else None
