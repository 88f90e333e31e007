"""Starts that are a power law times powers of functions of monomials, from the scans of all of them."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from itertools import combinations

import numpy as np

from sklearn_eql.ladder.factors import Column, argument_of, power_of, scaled, sums_of_products, table_of
from sklearn_eql.ladder.inner_functions import inner_functions
from sklearn_eql.ladder.term_generator import TermGenerator, Terms
from sklearn_eql.scan.function_products import scan_products
from sklearn_eql.scan.judging import judged
from sklearn_eql.scan.magnitudes import Magnitudes, odd_exponents
from sklearn_eql.scan.power_functions import scan
from sklearn_eql.scan.products import Factor, PowerFunction, at_best_scales
from sklearn_eql.scan.shapes import SHAPES, SIGNED, monomials_of
from sklearn_eql.scan.working_logarithm import working_logarithm
from sklearn_eql.sparse.editing import Node
from sklearn_eql.sparse.problem import Problem

_MAX_FEATURES = 8  # of a power law, the most important ones
_ONE_SIGN = 0.9  # share of the weight of rows that have the sign of the law: noise may turn those near zero
_MAX_ANGLES = 250  # sums of products that waves have
_LEAST = 1e-150  # of the largest target: rows below have no weight
_GROWING = {"exp - 1": (-1.0, 1.0), "exp + 1": (1.0, 1.0), "sinh": (-1.0, 2.0), "cosh": (1.0, 2.0)}
_MAX_POWER = 4.0  # of a function
_MAX_ORDER = 3  # of monomials with a difference
_MAX_DIFFERENCES, _PER_DIFFERENCE, _N_STARTS = 24, 120, 40  # pairs of features, laws of each, and of all of them


def factor_and_function(generator: TermGenerator) -> Iterator[Terms]:
    """``c x^p f(s x^m)^q``, judged by the logarithm of the target, and that logarithm as a law of its own."""
    columns, problem = _columns(generator), generator.many
    if len(problem.y) < 2 * len(columns) + 4:
        return
    y, weight = problem.y.numpy(), problem.root.numpy() ** 2
    search = partial(scan, allowed=generator.has, deadline=problem.deadline)
    table, targets = _logarithms(problem, columns, has_waves=False)
    signed = [column for column in columns if column.sign] if generator.has("log") else []
    magnitudes = table_of(signed, problem) if signed else None
    in_units = (y * problem.y_unit, weight)  # in which powers of a logarithm are what they are
    of_logarithms: list[PowerFunction] = []
    if table is not None:
        together = [in_units] if len(signed) == len(columns) else []
        found = search(table, [*targets, *together])
        of_logarithms = [law for laws in found[len(targets) :] for law in laws]
        for law in _judged(found[: len(targets)], problem, table):
            yield _product(generator, columns, law)
    if magnitudes is not None and (table is None or len(signed) < len(columns)):
        [of_logarithms] = search(magnitudes, [in_units])
    if of_logarithms:
        for law in filter(_is_likely, judged(of_logarithms, magnitudes, *in_units, is_logarithm=True)):
            yield _sum_of_logarithms(generator, signed, law)


def function_of_difference(generator: TermGenerator) -> Iterator[Terms]:
    """The same with the difference, or the sum, of two features as one of the columns, which functions have."""
    problem = generator.many
    columns = _columns(generator)
    if len(columns) < 2 or len(problem.y) < 2 * len(columns) + 4:
        return
    pairs = [(a, b, sign) for sign in (-1.0, 1.0) for a, b in combinations(columns, 2)]
    found: list[tuple[PowerFunction, list[Column]]] = []
    for a, b, sign in pairs[:_MAX_DIFFERENCES]:
        if time.time() > problem.deadline:
            break
        others = [column for column in columns if column is not a and column is not b]
        mine = [Column.of_sum(problem, (a.feature,), (b.feature,), sign), *others]
        monomials = [m for m in monomials_of(len(mine), max_order=_MAX_ORDER) if m[0]]
        table, targets = _logarithms(problem, mine, has_waves=True)
        if table is not None:
            some = {"shapes": SHAPES | SIGNED, "monomials": monomials}
            laws = scan(table, targets, generator.has, problem.deadline, **some)
            laws = [laws[:_PER_DIFFERENCE] for laws in laws]
            found += [(law, mine) for law in _judged(laws, problem, table, _PER_DIFFERENCE // 4)]
    found.sort(key=lambda it: it[0].length(len(problem.y)))
    for law, mine in found[:_N_STARTS]:
        yield _product(generator, mine, law)


def some_functions(generator: TermGenerator) -> Iterator[Terms]:
    """``c x^p f(s x^m)^q g(t x^n)^r ...``, judged by the logarithm of the target; a column may be a wave inside `f`."""
    columns, problem = _columns(generator), generator.many
    table, targets = _logarithms(problem, columns, has_waves=True)
    if table is None or len(problem.y) < 2 * len(columns) + 8:
        return
    inner = inner_functions(problem, columns, generator.has)
    angles = sums_of_products(problem, columns, _MAX_ANGLES)
    whole = [*columns, *inner.columns, *angles]
    if len(whole) > len(columns):
        table = table.beside(table_of(whole[len(columns) :], problem))
    found = scan_products(
        table,
        targets,
        generator.has,
        problem.deadline,
        n_powers=len(columns),
        n_angles=len(angles),
        further={name: [(*m, *(0.0,) * len(angles)) for m in of] for name, of in inner.monomials.items()},
    )
    for law in _judged(found, problem, table):
        yield _product(generator, whole, law)


def _columns(generator: TermGenerator) -> list[Column]:
    problem = generator.many
    features = sorted(generator.features, key=lambda f: -problem.importances[f - 1])[:_MAX_FEATURES]
    columns = [Column.of_feature(problem, f) for f in features]
    return [column for column in columns if column.values(problem).all()]  # none is zero anywhere


def _logarithms(
    problem: Problem, columns: list[Column], has_waves: bool
) -> tuple[Magnitudes | None, list[tuple[np.ndarray, np.ndarray]]]:
    """The magnitudes of the columns, and logarithms of the target with weights: its own, and the working one.

    None where the signs of the target are not those of a product, unless a wave may have them.
    """
    y, weight = problem.y.numpy(), problem.root.numpy() ** 2
    table = table_of(columns, problem) if columns else None
    if table is None:
        return None, []
    odd = odd_exponents(y, weight, table.negative, _ONE_SIGN)
    if odd is None and not has_waves:
        return None, []
    # The smooth fit of the working logarithm follows no wave, and none where the logarithm of a column is not smooth.
    own = [(np.log(np.maximum(np.abs(y), _LEAST * np.abs(y).max())), weight * y**2)]
    if odd is None:
        return table, own
    table = replace(table, odd=odd)
    if table.is_mixed.any():
        return table, own
    size = y * np.sign(weight @ y)
    working = working_logarithm(table.logs, size, weight)
    targets = own if has_waves or size.min() >= 0 else []
    return table, [*targets, working] if working is not None else targets


def _judged(
    found: list[list[PowerFunction]], problem: Problem, table: Magnitudes, n_refined: int = 1000
) -> Iterator[PowerFunction]:
    """Those of shortest description on the judging rows."""
    y, weight = problem.y.numpy(), problem.root.numpy() ** 2
    laws = at_best_scales([law for laws in found for law in laws], len(y))
    return filter(_is_likely, judged(laws, table, y, weight, False, n_refined))


def _is_likely(law: PowerFunction) -> bool:
    return all(factor.shape == "exp" or 0.25 <= abs(factor.power) <= _MAX_POWER for factor in law.factors)


def _product(generator: TermGenerator, columns: list[Column], law: PowerFunction) -> Terms:
    parts = [power_of(generator, columns, law.powers)]
    for factor in law.factors:
        parts += _function(argument_of(generator, columns, factor), factor)
    return generator.product(*parts)


def _function(argument: Terms, factor: Factor) -> list[Node | Terms]:
    """Factors of the law that one function is."""
    if factor.shape == "exp":
        return [Node("exp", [scaled(argument, factor.power)])]
    if factor.shape == "ratio":
        return [Node("pow", [[[0, 1.0], *scaled(argument, sign)], [[0, sign * factor.power]]]) for sign in (1.0, -1.0)]
    inside = _inside(factor.shape, argument)
    if factor.power == 1:
        return [inside]
    if factor.power == 2:
        return [Node("square", [inside])]
    if factor.power == -1:
        return [Node("inv", [inside])]
    if factor.power == -2:
        return [Node("inv", [[[Node("square", [inside]), 1.0]]])]
    return [Node("pow", [inside, [[0, factor.power]]])]


def _sum_of_logarithms(generator: TermGenerator, columns: list[Column], law: PowerFunction) -> Terms:
    terms: Terms = [[0, 1.0]]
    terms += [[generator.log(column.feature), p] for column, p in zip(columns, law.powers, strict=True)]
    for factor in law.factors:
        terms += _logarithm(argument_of(generator, columns, factor), factor)
    return terms


def _logarithm(argument: Terms, factor: Factor) -> Terms:
    """Terms that the logarithm of one function is."""
    if factor.shape == "exp":
        return scaled(argument, factor.power)
    if factor.shape == "ratio":
        parts = [Node("log", [[[0, 1.0], *scaled(argument, sign)]]) for sign in (1.0, -1.0)]
        return [[parts[0], factor.power], [parts[1], -factor.power]]
    if factor.shape not in _GROWING:
        return [[Node("log", [_inside(factor.shape, argument)]), factor.power]]
    # log(exp(u) - 1) = u + log(1 - exp(-u)), which does not overflow where the logarithm spans many decades.
    sign, rate = _GROWING[factor.shape]
    falls = Node("exp", [scaled(argument, -rate)])
    return [*scaled(argument, factor.power), [Node("log", [[[0, 1.0], [falls, sign]]]), factor.power]]


def _inside(shape: str, argument: Terms) -> Terms:
    """The sum, or unit, whose power is taken."""
    if shape == "1 + u":
        return [[0, 1.0], *argument]
    if shape == "1 - u":
        return [[0, 1.0], *scaled(argument, -1.0)]
    if shape == "u - 1":
        return [*argument, [0, -1.0]]
    grows, falls = Node("exp", [argument]), Node("exp", [scaled(argument, -1.0)])
    match shape:
        case "exp - 1":
            return [[grows, 1.0], [0, -1.0]]
        case "exp + 1":
            return [[grows, 1.0], [0, 1.0]]
        case "1 - exp":
            return [[0, 1.0], [falls, -1.0]]
        case "sinh":
            return [[grows, 1.0], [falls, -1.0]]
        case "cosh":
            return [[grows, 1.0], [falls, 1.0]]
        case "log":
            return [[Node("log", [[[0, 1.0], *argument]]), 1.0]]
    return [[Node("log" if shape == "ln" else shape, [argument]), 1.0]]
