"""Starts that are a power law times a power of a function of a monomial, from the scan of all of them."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

import numpy as np

from sklearn_eql.ladder.term_generator import TermGenerator, Terms
from sklearn_eql.scan.power_functions import PowerFunction, judged, scan
from sklearn_eql.scan.working_logarithm import working_logarithm
from sklearn_eql.sparse.editing import Node

_MAX_FEATURES = 8  # of a power law, the most important ones
_ONE_SIGN = 0.9  # share of the weight of rows that have the sign of the law: noise may turn those near zero
_GROWING = {"exp - 1": (-1.0, 1.0), "exp + 1": (1.0, 1.0), "sinh": (-1.0, 2.0), "cosh": (1.0, 2.0)}
_MAX_POWER = 4.0  # of the function


def factor_and_function(generator: TermGenerator) -> Iterator[Terms]:
    """``c x^p f(s x^m)^q``, judged by the logarithm of the target, and that logarithm as a law of its own."""
    problem = generator.many
    features = sorted(generator.signed, key=lambda f: -problem.importances[f - 1])[:_MAX_FEATURES]
    y = problem.y.numpy()
    weight = problem.root.numpy() ** 2
    if len(y) < 2 * len(features) + 4:
        return
    logs = np.log(np.abs(problem.X.numpy()[:, [f - 1 for f in features]]))
    units = problem.x_units[[f - 1 for f in features]]
    search = partial(scan, units=units, allowed=generator.has, deadline=problem.deadline)
    sign = 1.0 if weight @ y > 0 else -1.0
    size = sign * y
    if weight @ np.maximum(size, 0) >= _ONE_SIGN * (weight @ np.abs(y)):
        found = search(logs, np.log(size), weight * size**2) if size.min() > 0 else []
        working = working_logarithm(logs, size, weight)
        found += search(logs, *working) if working is not None else []
        for law in judged(dict.fromkeys(found), logs, size, weight, is_logarithm=False):
            if law.shape == "exp" or 0.25 <= abs(law.power) <= _MAX_POWER:
                yield _product(generator, features, law)
    if generator.has("log"):
        y = y * problem.y_unit  # in which powers of a logarithm are what they are
        for law in judged(search(logs, y, weight), logs, y, weight, is_logarithm=True):
            if law.shape == "exp" or 0.25 <= abs(law.power) <= _MAX_POWER:
                yield _sum_of_logarithms(generator, features, law)


def _product(generator: TermGenerator, features: list[int], law: PowerFunction) -> Terms:
    exponents = {f: p for f, p in zip(features, law.powers, strict=True) if p}
    base = generator.power(exponents) if exponents else None
    argument = _argument(generator, features, law)
    if law.shape == "exp":
        rate = law.power * argument[0][1]
        return generator.product(base, Node("exp", [[[argument[0][0], rate]]]))
    if law.shape == "ratio":
        [[source, scale]] = argument
        below = Node("pow", [[[0, 1.0], [source, -scale]], [[0, -law.power]]])
        return generator.product(base, Node("pow", [[[0, 1.0], [source, scale]], [[0, law.power]]]), below)
    inside = _inside(law, argument)
    if law.power == 1:
        return generator.product(base, inside)
    return generator.product(base, Node("pow", [inside, [[0, law.power]]]))


def _sum_of_logarithms(generator: TermGenerator, features: list[int], law: PowerFunction) -> Terms:
    terms: Terms = [[0, 1.0], *([generator.log(f), p] for f, p in zip(features, law.powers, strict=True))]
    argument = _argument(generator, features, law)
    [[source, scale]] = argument
    if law.shape == "exp":
        return [*terms, [source, law.power * scale]]
    if law.shape == "ratio":
        parts = [Node("log", [[[0, 1.0], [source, sign * scale]]]) for sign in (1.0, -1.0)]
        return [*terms, [parts[0], law.power], [parts[1], -law.power]]
    if law.shape not in _GROWING:
        return [*terms, [Node("log", [_inside(law, argument)]), law.power]]
    # log(exp(u) - 1) = u + log(1 - exp(-u)), which does not overflow where the logarithm spans many decades.
    sign, rate = _GROWING[law.shape]
    falls = Node("exp", [[[source, -rate * scale]]])
    return [*terms, [source, law.power * scale], [Node("log", [[[0, 1.0], [falls, sign]]]), law.power]]


def _argument(generator: TermGenerator, features: list[int], law: PowerFunction) -> Terms:
    exponents = {f: e for f, e in zip(features, law.monomial, strict=True) if e}
    if list(exponents.values()) == [1.0]:
        [feature] = exponents
        return [[feature, law.scale * generator.signs[feature - 1]]]
    return [[generator.power(exponents), law.scale]]


def _inside(law: PowerFunction, argument: Terms) -> Terms:
    """The sum, or unit, whose power is taken; positive on the rows."""
    [[source, scale]] = argument
    if law.shape == "1 + u":
        return [[0, 1.0], [source, scale]]
    if law.shape == "1 - u":
        return [[0, 1.0], [source, -scale]]
    if law.shape == "u - 1":
        return [[source, scale], [0, -1.0]]
    grows, falls = Node("exp", [[[source, scale]]]), Node("exp", [[[source, -scale]]])
    match law.shape:
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
            return [[Node("log", [[[0, 1.0], [source, scale]]]), 1.0]]
    return [[Node(law.shape, [argument]), 1.0]]
