"""Shapes of laws, as the output terms of sparse EQL networks: drawn at random, or enumerated.

All are built of learned monomials ``prod x_i**a_i`` (units in log-magnitude space), functions of them, and sums whose
coefficients the fit solves linearly.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator
from itertools import combinations, combinations_with_replacement, permutations
from typing import Any

import numpy as np

from sklearn_eql.ladder.dictionary import best_subsets, library
from sklearn_eql.ladder.term_generator import EXPONENTS, TermGenerator, Terms
from sklearn_eql.sparse.editing import Node

_MAX_NUMERATOR_TERMS = 20  # terms of the numerator of a rational form
_MAX_DENOMINATORS = 120  # denominators tried
_MAX_WAVES = 6  # arguments, likeliest first, that interference is tried with; not tuned
_PEAK = 0.95  # quantile of the distances from the median above which rows are near the top of a bell
_MAX_DICTIONARY_FEATURES = 5  # for a dictionary of functions


def power_sum(generator: TermGenerator, n_terms: int) -> Terms:
    """``c0 + sum_k c_k prod_i x_i**a_ki``."""
    return [[0, 1.0]] + [[generator.power(generator.exponents()), 1.0] for _ in range(n_terms)]


def factored_sum(generator: TermGenerator) -> Terms:
    """``c0 + sum_k c_k monomial_k * factors_k``; some factors are shared by all terms."""
    rng = generator.rng
    n_terms = int(rng.integers(1, 4))
    shared = generator.factor() if n_terms > 1 and rng.random() < 0.4 else None
    terms: Terms = [[0, 1.0]]
    for k in range(n_terms):
        base = generator.power(generator.exponents()) if generator.has_powers and rng.random() < 0.85 else None
        own = generator.factor() if rng.random() < (0.8 if k == 0 and shared is None else 0.3) else None
        second = generator.factor() if own is not None and rng.random() < 0.25 else None
        parts = [p for p in (base, shared, own, second) if p is not None]
        if parts:
            terms += generator.product(*parts)
    return terms


def quotient(generator: TermGenerator) -> Terms:
    """``(sum of monomials) * (c +- monomial)**p``."""
    shared = generator.sum_power()
    n_terms = 2 + int(generator.rng.random() < 0.3)
    terms: Terms = []
    for _ in range(n_terms):
        terms += generator.product(generator.power(generator.exponents()), shared)
    return terms


def scaled_function(generator: TermGenerator) -> Terms:
    """``monomial * (c0 + c1 f(...) + c2 g(...))``: a function of a monomial or sum, times a monomial."""
    rng = generator.rng
    base = generator.power(generator.everywhere())
    first = generator.factor()
    terms: Terms = generator.product(base, first)
    if rng.random() < 0.7:
        terms.append([base, 1.0])
    if rng.random() < 0.4:
        second: Node | Terms | None = None
        if isinstance(first, Node) and first.primitive == "exp" and rng.random() < 0.7:
            second = Node("exp", [[[s, -c] for s, c in first.args[0]]])
        elif isinstance(first, Node) and first.primitive in ("sin", "cos") and rng.random() < 0.7:
            other = "cos" if first.primitive == "sin" else "sin"
            if generator.has("square") and rng.random() < 0.5:
                second = Node("square", [[[first, 1.0]]])
            elif generator.has(other):
                second = Node(other, [[list(t) for t in first.args[0]]])
        if second is None:
            second = generator.factor()
        own = generator.power(generator.everywhere()) if rng.random() < 0.5 else base
        terms += generator.product(own, second)
    return terms


def products(generator: TermGenerator, degree: int) -> dict[tuple[int, ...], Node | int]:
    """All products of up to `degree` features; the empty one is the constant."""
    found: dict[tuple[int, ...], Node | int] = {(): 0}
    for d in range(1, degree + 1):
        for chosen in combinations_with_replacement(generator.features, d):
            if d == 1:
                found[chosen] = chosen[0]
            elif chosen == (chosen[0],) * 2 and generator.has("square"):
                found[chosen] = Node("square", [[[chosen[0], 1.0]]])
            else:
                found[chosen] = Node("mul", [[[found[chosen[:-1]], 1.0]], [[chosen[-1], 1.0]]])
    return found


def n_products(generator: TermGenerator, degree: int) -> int:
    return math.comb(len(generator.features) + degree, degree)


def polynomial(generator: TermGenerator, degree: int, with_base: bool) -> Terms:
    """A full polynomial, times a monomial if `with_base`."""
    base = generator.power(generator.factors()) if with_base and generator.has_powers else None
    return _times(base, products(generator, degree).values())


def _times(factor: Node | None, sources: Iterable[Node | int]) -> Terms:
    """A sum of sources, each with its own coefficient, times a factor."""
    if factor is None:
        return [[source, 1.0] for source in sources]
    return [[factor if source == 0 else Node("mul", [[[factor, 1.0]], [[source, 1.0]]]), 1.0] for source in sources]


def rational_forms(generator: TermGenerator) -> Iterator[Terms]:
    """``(full polynomial) * (c +- p(x) + d q(x))**a``.

    For all products `p`, `q` of up to two features; and for `p` a quotient of two features or its square, without `q`.
    """
    degree = next((d for d in (3, 2) if n_products(generator, d) <= _MAX_NUMERATOR_TERMS), 1)
    if n_products(generator, degree) > _MAX_NUMERATOR_TERMS:
        return
    numerator = list(products(generator, degree).values())
    for form in (*_denominators(generator), *_ratio_denominators(generator)):
        for power in (-1.0, -0.5):
            yield _times(Node("pow", [[list(t) for t in form], [[0, power]]]), numerator)


def _denominators(generator: TermGenerator) -> Iterator[Terms]:
    values = {key: _product_values(generator, key) for key in products(generator, 2) if key}
    pairs = [(key, None) for key in values] + list(combinations(values, 2))
    for first, second in pairs[:_MAX_DENOMINATORS]:
        for sign in (1.0, -1.0):
            nodes = products(generator, 2)
            rest = sign * values[first] + (0.3 * values[second] if second else 0.0)
            constant = max(1.0, 0.2 - float(rest.min())) if sign > 0 else 0.2 - float(rest.min())
            terms: list[list[Any]] = [[0, constant], [nodes[first], sign]]
            yield terms + ([[nodes[second], 0.3]] if second else [])


def _ratio_denominators(generator: TermGenerator) -> Iterator[Terms]:
    for a, b in permutations(generator.signed, 2):
        for power in (1.0, 2.0):
            ratio = {a: power, b: -power}
            values = generator.size(ratio)
            for constant, sign in ((float(values.mean()), 1.0), (1.3 * float(values.max()), -1.0)):
                yield [[0, constant], [generator.power(ratio), sign]]


def _product_values(generator: TermGenerator, features: tuple[int, ...]) -> np.ndarray:
    return np.prod([generator.rows[:, f - 1] for f in features], axis=0)


def wave_form(generator: TermGenerator) -> Terms:
    """``a(x) + b(x) cos(w m) + c(x) sin(w m)`` with polynomials of at most second degree: what the screening fitted."""
    degree = 2 if 3 * math.comb(len(generator.features) + 2, 2) <= generator.problem.max_free - 4 else 1
    plain = polynomial(generator, degree, with_base=False)
    argument = generator.wave()
    terms = plain
    for name in ("cos", "sin"):
        wave = Node(name, [[list(t) for t in argument]])
        terms = terms + [[wave if p == 0 else Node("mul", [[[p, 1.0]], [[wave, 1.0]]]), 1.0] for p, _ in plain]
    return terms


def distances(generator: TermGenerator) -> Terms:
    """Monomials times squares of differences of two features."""
    rng = generator.rng
    order = generator.paired()
    if len(order) < 2:
        return [[0, 1.0]]
    most = min(4, len(order) // 2)
    n_terms = int(rng.integers(1, 1 + most))
    common = generator.has_powers and rng.random() < 0.6  # one monomial for all, of what seems to be a factor
    base = generator.power(generator.factors()) if common else None
    terms: Terms = [[0, 1.0]]
    for k in range(n_terms):
        if generator.has_powers and not common:
            base = generator.power(generator.everywhere())
        terms += generator.product(base, Node("square", [generator.difference(*order[2 * k : 2 * k + 2])]))
    return terms


def form_and_term(generator: TermGenerator) -> Terms:
    """A full quadratic (or linear) form and one term of a kind that it does not hold."""
    degree = 2 if math.comb(len(generator.features) + 2, 2) <= generator.problem.max_free - 8 else 1
    base = (
        generator.power(generator.exponents(0.5, 0.02))
        if generator.has_powers and generator.rng.random() < 0.7
        else None
    )
    return polynomial(generator, degree, with_base=False) + generator.product(base, generator.factor())


def angular_sum(generator: TermGenerator) -> Terms:
    """One to three products of features and sines, cosines of features or of their sums, as angles in radians."""
    rng = generator.rng
    terms: Terms = [[0, 1.0]]
    for _ in range(int(rng.integers(1, 4))):
        factors: list[Node | Terms] = [generator.angle_function()]
        while len(factors) < 4 and rng.random() < 0.5:
            f = int(rng.choice(generator.features))
            factors.append([[f, 1.0]] if rng.random() < 0.3 else generator.angle_function())
        if generator.has_powers and rng.random() < 0.3:
            factors.append(generator.power(generator.exponents(0.5, 0.02)))
        terms += generator.product(*factors)
    return terms


def interference(generator: TermGenerator) -> Terms:
    """One or two monomials, and one times a sine or cosine of a likely argument: of features not in it, mostly."""
    rng = generator.rng
    argument = generator.wave()
    used = {s for s, _ in argument if not isinstance(s, Node)}
    used |= {log.args[0][0][0] for s, _ in argument if isinstance(s, Node) for log, _ in s.args[0]}
    free = [f for f in generator.signed if f not in used] if rng.random() < 0.8 else generator.signed
    if not free:
        return [[0, 1.0], [Node("cos", [argument]), 1.0]]

    def monomial() -> Node:
        chosen = [f for f in free if rng.random() < 0.7] or [free[rng.integers(len(free))]]
        return generator.power({f: EXPONENTS[rng.integers(len(EXPONENTS))] for f in chosen})

    terms: Terms = [[0, 1.0]] + [[monomial(), 1.0] for _ in range(1 + int(rng.random() < 0.7))]
    wave = Node("sin" if rng.random() < 0.5 else "cos", [argument])
    return terms + generator.product(monomial(), wave)


def growth(generator: TermGenerator) -> Iterator[Terms]:
    """All features and their logarithms: under an exponential a power law times an exponential.

    The features, and the logarithms, by themselves where the rows do not support so many coefficients; the most
    important ones where they do not support even those.
    """
    most = generator.problem.max_free - 1
    order = sorted(generator.features, key=lambda f: -generator.problem.importances[f - 1])
    signed = set(generator.signed if generator.has("log") or generator.has_powers else [])
    plain: Terms = [[f, 0.1] for f in sorted(order[:most])]
    logs: Terms = [[generator.log(f), 1.0] for f in sorted([f for f in order if f in signed][:most])]
    for terms in [plain + logs] if len(order) + len(signed) <= most else [plain, logs] if logs else [plain]:
        yield [[0, 1.0], *terms]


def bells(generator: TermGenerator) -> Iterator[Terms]:
    """``c0 + c1*exp(-(x - m)**2/(2*s**2))`` of one feature, around its extreme and around its middle.

    A target of both signs, noise in the tails included, has no logarithm that would be a quadratic form.
    """
    y = generator.problem.y.numpy()
    peaks = np.abs(y - np.median(y))
    for f in _few_features(generator):
        x = generator.rows[:, f - 1]
        spread = float(np.std(x))
        for centre in (float(np.mean(x[peaks >= np.quantile(peaks, _PEAK)])), float(np.median(x))):
            for width in (0.1 * spread, 0.3 * spread, spread):
                distance = Node("square", [[[f, 1.0], [0, -centre]]])
                yield from _with_and_without_constant(Node("exp", [[[distance, -0.5 / width**2]]]))


def steps(generator: TermGenerator) -> Iterator[Terms]:
    """``c0 + c1*sigmoid(k*(x - m))`` of one feature, around its quantiles."""
    for f in _few_features(generator):
        x = generator.rows[:, f - 1]
        for centre in np.quantile(x, (0.1, 0.3, 0.5, 0.7, 0.9)).tolist():
            for slope in (3.0 / float(np.std(x)), 30.0 / float(np.std(x))):
                yield from _with_and_without_constant(Node("sigmoid", [[[f, slope], [0, -slope * centre]]]))


def _with_and_without_constant(node: Node) -> Iterator[Terms]:
    """Few rows may support three coefficients, but not four."""
    yield [[node, 1.0]]
    yield [[0, 1.0], [node, 1.0]]


def _few_features(generator: TermGenerator) -> list[int]:
    """Those that the target depends on most."""
    importances = generator.problem.importances
    return sorted(generator.features, key=lambda f: -importances[f - 1])[:_MAX_DICTIONARY_FEATURES]


def hinted_functions(generator: TermGenerator) -> Iterator[Terms]:
    """``p(x) * (c0 + c1 f(m(x)) + ...)`` for the monomials `p` and `m` that the logarithmic slopes suggest."""
    if generator.degree is None or not generator.hints.on_a_line:
        return
    for outer in generator.hints.outer[:3]:
        base = {f: generator.degree * float(outer[f - 1]) for f in generator.signed}
        for inner in generator.hints.inner[:2]:
            up = {f: float(inner[f - 1]) for f in generator.signed if inner[f - 1]}
            for exponents in (up, {f: -a for f, a in up.items()}):
                yield from _transcendental(generator, base, exponents)
                yield from _algebraic(generator, base, exponents, True)
                yield from _algebraic(generator, base, {f: 2 * a for f, a in exponents.items()}, False)


def _transcendental(generator: TermGenerator, base: dict[int, float], exponents: dict[int, float]) -> Iterator[Terms]:
    """A monomial times exponentials, or a hyperbolic tangent, of another."""
    size = float(np.sqrt(np.mean(generator.size(exponents) ** 2)))
    for rate in (0.15, 0.6, 2.0):
        factor, m = generator.power(base), generator.power(exponents)
        if generator.has("exp"):
            grows, falls = Node("exp", [[[m, rate / size]]]), Node("exp", [[[m, -rate / size]]])
            yield [[factor, 1.0], *generator.product(factor, grows), *generator.product(factor, falls)]
            yield [[factor, 1.0], *generator.product(factor, grows)]
        if generator.has("tanh"):
            yield generator.product(factor, Node("tanh", [[[m, rate / size]]]))


def _algebraic(
    generator: TermGenerator, base: dict[int, float], exponents: dict[int, float], with_plain: bool
) -> Iterator[Terms]:
    """A monomial times a power of a constant plus another monomial; with the first added if `with_plain`."""
    values = generator.size(exponents)
    for constant, sign in ((float(values.mean()), 1.0), (1.3 * float(values.max()), -1.0)):
        for power in (-2.0, -1.0, -0.5, 0.5, 2.0):
            factor, m = generator.power(base), generator.power(exponents)
            short = Node("pow", [[[0, constant], [m, sign]], [[0, power]]])
            yield generator.product(factor, short)
            if with_plain:
                yield [[factor, 1.0], *generator.product(factor, short)]


def scaled_waves(generator: TermGenerator) -> Iterator[Terms]:
    """``p(x) * (c0 + c1 cos(w m) + c2 sin(w m))``, or with the square of the cosine times another monomial.

    For the likeliest waves; `p` from the logarithmic slopes, or a product of features that are not in the argument.
    """
    degree = generator.degree or 1.0
    for wave in generator.waves[:_MAX_WAVES]:
        used = {f for f, _ in (*wave.exponents, *wave.weights)}
        rest = [f for f in generator.signed if f not in used][:3] if generator.has_powers else []
        subsets = [c for count in range(len(rest) + 1) for c in combinations(rest, count)]
        starts = [{f: float(f in c) for f in generator.signed} for c in subsets]
        for slopes in (generator.hints.separable, np.round(generator.hints.slopes)):
            starts.append({f: float(slopes[f - 1]) for f in generator.signed})
        for start in starts if generator.has_powers else [{}]:
            cos, sin = (Node(name, [generator.argument_of(wave)]) for name in ("cos", "sin"))
            base = generator.power({f: degree * a for f, a in start.items()}) if start else None
            yield _times(base, [0, cos, sin])
            own = generator.power({f: degree * float(f in rest) for f in generator.signed}) if start else None
            for factor in (1.0, 0.5):  # the square of a cosine oscillates twice as fast
                cos = Node("cos", [generator.argument_of(wave, factor)])
                yield _times(base, [0, cos]) + _times(own, [Node("square", [[[cos, 1.0]]])])


def dictionary_subsets(generator: TermGenerator) -> Iterator[Terms]:
    """A constant and up to four entries of a dictionary."""
    if len(generator.features) > _MAX_DICTIONARY_FEATURES:
        return
    entries, values = library(generator)
    for chosen in best_subsets(values, generator.problem.y.numpy(), generator.problem.root.numpy()):
        yield [[0, 1.0]] + [list(term) for k in chosen for term in entries[k]]


def repeated(shape: Callable[[TermGenerator], Terms], n_starts: int) -> Callable[[TermGenerator], Iterator[Terms]]:
    """`n_starts` random draws of a shape."""

    def draws(generator: TermGenerator) -> Iterator[Terms]:
        for _ in range(n_starts):
            yield shape(generator)

    return draws
