"""Rows where a column is zero, left out of a climb, and laws that were found without them.

A column that begins at zero, as times and counts do, has no logarithm there, and so no powers, inverses and places in
the scans of products. Where such rows are few the ladder climbs without them, with all of these; its laws are then
written such that they have a value at zero, ``t**1.5`` and not ``exp(1.5*log(t))``, and fitted to all rows.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
import torch

from sklearn_eql.ladder.term_generator import Terms
from sklearn_eql.primitives import PRIMITIVES, Primitive
from sklearn_eql.sparse.editing import EditableStructure, Node
from sklearn_eql.sparse.problem import Problem
from sklearn_eql.sparse.round_exponents import with_round_exponents_fixed
from sklearn_eql.sparse.rows import common_signs
from sklearn_eql.sparse.structure import Structure

_MAX_COLUMNS = 8  # the most important ones
_SHARE, _MIN_ROWS = 2 / 3, 8  # of the rows that must be left
_MIN_VALUES = 4  # of a column other than zero: fewer do not tell its functions apart
_ROUNDING = 1e-9  # of an exponent that a fit has left
_NAMED = {1.0: (), 2.0: ("square",), 3.0: ("cube",), 0.5: ("sqrt",)}  # functions that a power is written with
_NEEDED = ("mul", "pow", "inv", "square", "cube", "sqrt", "exp", "log")


@dataclass(frozen=True)
class WithoutZeros:
    """A problem without the rows where a column is zero.

    Parameters
    ----------
    problem, judge : Problem
        As :func:`sklearn_eql.ladder.climb.climb` takes them.
    features : frozenset of int
        Columns that have one sign on these rows only, numbered from 1.
    """

    problem: Problem
    judge: Problem
    features: frozenset[int]


def without_zeros(problem: Problem, judge: Problem) -> WithoutZeros | None:
    """Both problems without rows where one of the likely columns is zero.

    None where there are none, or so many that too few rows would be left, or nothing has powers. Columns with the
    fewest zeros come first; those for which rows would not suffice keep theirs. Functions with jumps, which are asked
    for where columns hold whole numbers, are seen at zero as anywhere.
    """
    if any(problem.primitives[name].has_jumps for name in problem.copies):
        return None
    if "pow" not in problem.copies or any(problem.primitives.get(name) is not PRIMITIVES[name] for name in _NEEDED):
        return None
    mixed = [f for f in problem.likely if not problem.signs[f]]
    mixed = sorted(mixed, key=lambda f: -problem.importances[f])[:_MAX_COLUMNS]
    rows = [judge.X.numpy(), problem.X.numpy()]
    keep = [np.ones(len(X), dtype=bool) for X in rows]
    usable = []
    for f in sorted(mixed, key=lambda f: np.count_nonzero(rows[0][:, f] == 0)):
        left = [kept & (X[:, f] != 0) for X, kept in zip(rows, keep, strict=True)]
        is_enough = all(part.sum() >= max(_MIN_ROWS, _SHARE * len(part)) for part in left)
        if is_enough and len(np.unique(rows[0][left[0], f])) >= _MIN_VALUES:
            keep = left
            usable.append(f)
    values = [np.concatenate([X[kept, f] for X, kept in zip(rows, keep, strict=True)]) for f in usable]
    signs = {f: int(common_signs(x.min(), x.max())) for f, x in zip(usable, values, strict=True)}
    features = frozenset(1 + f for f, sign in signs.items() if sign)
    if not features and all(kept.all() for kept in keep):
        return None
    all_signs = tuple(signs.get(f) or sign for f, sign in enumerate(problem.signs))
    return WithoutZeros(_part(problem, keep[1], all_signs), _part(judge, keep[0], all_signs), features)


def has_one_sign(problem: Problem, judge: Problem) -> bool:
    """Whether any likely column has one sign, but for rows where it is zero."""
    if any(problem.signs[f] for f in problem.likely):
        return True
    inner = without_zeros(problem, judge)
    return inner is not None and bool(inner.features)


def _part(problem: Problem, keep: np.ndarray, signs: tuple[int, ...]) -> Problem:
    where = torch.as_tensor(keep)
    weight = None if problem.sample_weight is None else problem.sample_weight[where]
    return replace(problem, X=problem.X[where], y=problem.y[where], sample_weight=weight, signs=signs)


def defined_at_zero(
    structure: Structure, features: frozenset[int], primitives: Mapping[str, Primitive]
) -> Structure | None:
    """The same law with powers of some features as factors of their own; None where it is no network any more.

    A power of logarithms, ``exp(a*log(t) + b*log(x))``, has no value where `t` is zero; ``t**a * x**b`` has.
    """
    editable = EditableStructure(structure)
    instead: dict[int, Terms] = {}

    def replaced(form: Terms) -> Terms:
        return [
            [source, c * k]
            for node, c in form
            for source, k in (instead.get(id(node), [[node, 1.0]]) if isinstance(node, Node) else [[node, 1.0]])
        ]

    nodes = editable.nodes()  # each after those it reads
    for node in nodes:
        node.args = [replaced(form) for form in node.args]
        if node.primitive == "exp":
            powers = [term for term in node.args[0] if _is_logarithm(term[0], features)]
            if powers:
                rest = [term for term in node.args[0] if not _is_logarithm(term[0], features)]
                factors = [_power(log.args[0], float(a)) for log, a in powers]
                factors += [[[Node("exp", [rest]), 1.0]]] if rest else []
                instead[id(node)] = _product(factors)
    editable.output = replaced(editable.output)
    found = editable.finish(primitives)
    return None if found is None else with_round_exponents_fixed(found)


def _is_logarithm(source: Node | int, features: frozenset[int]) -> bool:
    """Whether a source is the logarithm of one of the features."""
    return isinstance(source, Node) and source.primitive == "log" and _feature_of(source) in features


def _feature_of(log: Node) -> Node | int | None:
    return log.args[0][0][0] if len(log.args[0]) == 1 else None


def _power(base: Terms, exponent: float) -> Terms:
    near = round(2 * exponent) / 2
    exponent = near if near and abs(exponent - near) < _ROUNDING else exponent
    size = abs(exponent)
    if size not in _NAMED:
        return [[Node("pow", [base, [[0, exponent]]]), 1.0]]
    terms = [list(term) for term in base]
    for name in (*_NAMED[size], *(("inv",) if exponent < 0 else ())):
        terms = [[Node(name, [terms]), 1.0]]
    return terms


def _product(factors: list[Terms]) -> Terms:
    terms = factors[0]
    for factor in factors[1:]:
        terms = [[Node("mul", [terms, factor]), 1.0]]
    return terms
