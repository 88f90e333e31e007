"""Shapes of laws that the ladder tries before the general search, simplest first.

Each rung draws start values for one family of sparse EQL networks. All of them are built of learned monomials
``prod x_i**a_i`` (units in log-magnitude space), functions of them, and sums that the fit solves linearly.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import combinations, combinations_with_replacement

import numpy as np

from sklearn_eql.dictionary import best_subsets, library
from sklearn_eql.draft import Draft, Node
from sklearn_eql.primitives import PRIMITIVES
from sklearn_eql.problem import Problem
from sklearn_eql.snapping import with_round_exponents_fixed
from sklearn_eql.sketch import Monomials, Wave, screen_waves
from sklearn_eql.structure import Structure

_EXPONENTS = (-2.0, -1.0, -1.0, -0.5, 0.5, 1.0, 1.0, 2.0)
_POWERS = (-2.0, -1.0, -0.5, 0.5, 1.0, 2.0)  # of sums
_FREQUENCIES = (0.4, 16.0)  # start values of sine and cosine arguments, root mean square
_RATES = (0.1, 4.0)  # of exponential and tanh arguments
_LONGEST = 20  # terms of the numerator of a rational form
_MOST_PAIRS = 120  # denominators tried
_MOST_WAVES = 6
_MOST_FEATURES = 5  # for a dictionary of functions

Terms = list[list]


class Palette:
    """Draws pieces of laws over the vocabulary and the features of one problem."""

    def __init__(self, problem: Problem, rng: np.random.Generator, hints: Monomials, degree: float | None) -> None:
        self.rng = rng
        self.hints = hints
        self.degree = degree  # of the target in y: exponents of factors of y times this are those of the target
        self._waves: list[Wave] | None = None
        self.problem = problem
        self.rows = problem.X.numpy()
        self.signs = problem.signs
        self.features = [int(f) + 1 for f in np.flatnonzero(problem.importances)]
        self.signed = [f for f in self.features if self.signs[f - 1]]
        self.copies = problem.copies
        ours = all(problem.primitives[n] is PRIMITIVES[n] for n in ("exp", "log"))
        self.has_powers = "pow" in self.copies and ours and bool(self.signed)
        self._logs = np.log(np.abs(np.where(self.rows == 0, 1.0, self.rows)))

    @property
    def has_inverse(self) -> bool:
        return any(name in self.copies for name in ("inv", "div", "pow"))

    def has(self, *names: str) -> bool:
        return all(name in self.copies for name in names)

    @property
    def waves(self) -> list[Wave]:
        """Likely arguments of sines and cosines, best first."""
        if self._waves is None:
            signed = [f - 1 for f in self.signed] if self.has_powers else []
            self._waves = screen_waves(self.rows, self.problem.y.numpy(), signed, self.problem.x_units)
        return self._waves

    @property
    def oscillates(self) -> bool:
        """Whether a wave explains most of what a quadratic form leaves over."""
        return bool(self.waves) and self.waves[0].loss < 0.1

    # Pieces ----------------------------------------------------------------------------------------------------

    def log(self, feature: int) -> Node:
        return Node("log", [[[feature, float(self.signs[feature - 1])]]])

    def power(self, exponents: dict[int, float]) -> Node:
        """``exp(sum a_i log x_i)``."""
        return Node("exp", [[[self.log(f), a] for f, a in sorted(exponents.items())]])

    def exponents(self, share: float = 0.6, spread: float = 0.1) -> dict[int, float]:
        """Start values: each feature with probability `share`, near small integers."""
        rng = self.rng
        if self.degree is not None and self.hints.inner and rng.random() < 0.4:
            outer = self._pick(self.hints.outer) if self.hints.outer else self.hints.separable
            exact = self.degree * outer + rng.integers(-1, 3) * self._pick(self.hints.inner)
            found = {f: float(exact[f - 1]) for f in self.signed if exact[f - 1]}
            if found:
                return found
        chosen = [f for f in self.signed if rng.random() < share] or [self.signed[rng.integers(len(self.signed))]]
        return {f: _EXPONENTS[rng.integers(len(_EXPONENTS))] + spread * rng.normal() for f in chosen}

    def everywhere(self, spread: float = 0.1) -> dict[int, float]:
        """Start values for a factor that may take any feature out of a sum."""
        rng = self.rng
        draw = rng.random()
        if self.degree is not None and draw < 0.8:
            if self.hints.outer and draw < 0.5:
                exact = self._pick(self.hints.outer)
            else:
                exact = np.where(
                    self.hints.separable != 0, self.hints.separable, np.round(self.hints.slopes) * (rng.random() < 0.5)
                )
            return {f: self.degree * float(exact[f - 1]) + 0.02 * rng.normal() for f in self.signed}
        return {
            f: (0.0 if rng.random() < 0.5 else _EXPONENTS[rng.integers(len(_EXPONENTS))]) + spread * rng.normal()
            for f in self.signed
        }

    def factors(self) -> dict[int, float]:
        """Exponents of the features that seem to be factors of the target, zero for the others."""
        return {f: (self.degree or 0.0) * float(self.hints.separable[f - 1]) for f in self.signed}

    def _pick(self, options):
        return options[min(int(self.rng.exponential(1.0)), len(options) - 1)]

    def inner_exponents(self) -> dict[int, float] | None:
        """Of the monomial that the law seems to depend on, if there is one."""
        if not self.hints.inner or self.rng.random() < 0.3:
            return None
        exact = self._pick(self.hints.inner) * (1.0 if self.rng.random() < 0.5 else -1.0)
        if self.rng.random() < 0.2:
            exact = 2 * exact
        return {f: float(exact[f - 1]) for f in self.signed if exact[f - 1]} or None

    def size(self, exponents: dict[int, float]) -> np.ndarray:
        """Values of a monomial on the rows."""
        return np.exp(sum(a * self._logs[:, f - 1] for f, a in exponents.items()))

    def log_uniform(self, low: float, high: float) -> float:
        return math.exp(self.rng.uniform(math.log(low), math.log(high)))

    def sign(self) -> float:
        return 1.0 if self.rng.random() < 0.5 else -1.0

    def ratio(self) -> dict[int, float]:
        """Exponents of a quotient of two features, or of its square."""
        a, b = self.rng.choice(self.signed, 2, replace=False).tolist()
        power = 1.0 + float(self.rng.random() < 0.5)
        return {a: power, b: -power}

    def wave(self) -> Terms:
        """Argument of a sine or cosine."""
        if self.rng.random() < 0.3 or not self.waves:
            return self.argument(*_FREQUENCIES)
        wave = self.waves[min(int(self.rng.exponential(6.0)), len(self.waves) - 1)]
        return self.argument_of(wave, 0.5 if self.rng.random() < 0.3 else 1.0)

    def argument_of(self, wave: Wave, factor: float = 1.0) -> Terms:
        frequency = factor * wave.frequency
        if wave.weights:
            return [[f, frequency * c] for f, c in wave.weights]
        if len(wave.exponents) == 1:
            return [[wave.exponents[0][0], frequency]]
        return [[self.power(dict(wave.exponents)), frequency]]

    def angle_function(self) -> Node:
        """Sine or cosine of a feature, or of a sum or difference of two, in the user's units; or its inverse."""
        rng = self.rng
        chosen = rng.choice(self.features, min(1 + int(rng.random() < 0.3), len(self.features)), replace=False).tolist()
        frequency = (1.0, 1.0, 2.0, 0.5)[rng.integers(4)]
        signs = (1.0, self.sign())
        form = [
            [f, sign * frequency * float(self.problem.x_units[f - 1])] for f, sign in zip(chosen, signs, strict=False)
        ]
        node = Node("sin" if rng.random() < 0.5 else "cos", [form])
        draw = rng.random()
        if draw < 0.2 and self.has_inverse:
            return Node("inv", [[[node, 1.0]]])
        return Node("square", [[[node, 1.0]]]) if draw < 0.3 and self.has("square") else node

    def argument(self, low: float, high: float) -> Terms:
        """What a function is applied to: a learned monomial, or a sum of one to three features, scaled."""
        rng = self.rng
        target = self.log_uniform(low, high)
        inner = self.inner_exponents() if self.has_powers else None
        if inner is not None:
            return [[self.power(inner), target / float(np.sqrt(np.mean(self.size(inner) ** 2)))]]
        if self.has_powers and rng.random() < 0.7:
            exact = rng.random() < 0.7
            chosen = [f for f in self.signed if rng.random() < 0.6] or [self.signed[rng.integers(len(self.signed))]]
            exponents = {
                f: (1.0 if rng.random() < 0.6 else -1.0) if exact else _EXPONENTS[rng.integers(8)] for f in chosen
            }
            if len(exponents) == 1 and next(iter(exponents.values())) == 1.0:
                f = next(iter(exponents))
                return [[f, target]]
            values = self.size(exponents)
            return [[self.power(exponents), target / float(np.sqrt(np.mean(values**2)))]]
        count = min(1 + int(rng.random() < 0.4) + int(rng.random() < 0.1), len(self.features))
        chosen = rng.choice(self.features, count, replace=False).tolist()
        same = rng.random() < 0.7
        form = [[f, self.sign() * (target if same else self.log_uniform(low, high))] for f in chosen]
        return form

    def factor(self) -> Node | Terms:
        """Something that multiplies a monomial: a function of a monomial or of a sum, or a short sum itself."""
        rng = self.rng
        kinds: list[Callable[[], Node | Terms]] = []
        for name in ("sin", "cos"):
            if self.has(name):
                kinds += (4 if self.oscillates else 1) * [lambda name=name: Node(name, [self.wave()])]
        if self.has("exp"):
            kinds.append(lambda: Node("exp", [self._signed(self.argument(*_RATES))]))
        if self.has("tanh"):
            kinds.append(lambda: Node("tanh", [self.argument(*_RATES)]))
        if self.has_powers:
            kinds.append(self.sum_power)
            kinds.append(self.sum_power)
            if self.has("log"):
                kinds.append(lambda: [[self.log(f), self.sign()] for f in self._few()] + [[0, 0.1 * rng.normal()]])
        if len(self.features) > 1:
            kinds.append(self._difference)
        if not kinds:
            return [[self.features[rng.integers(len(self.features))], 1.0]]
        node = kinds[rng.integers(len(kinds))]()
        if (
            isinstance(node, Node)
            and node.primitive in ("sin", "cos", "tanh")
            and self.has("square")
            and rng.random() < 0.2
        ):
            node = Node("square", [[[node, 1.0]]])
            if self.has_inverse and rng.random() < 0.3:
                node = Node("inv", [[[node, 1.0]]])
        return node

    def _few(self) -> list[int]:
        count = min(1 + int(self.rng.random() < 0.7), len(self.signed))
        return self.rng.choice(self.signed, count, replace=False).tolist()

    def _signed(self, form: Terms) -> Terms:
        sign = self.sign()
        return [[s, sign * c] for s, c in form]

    def sum_power(self) -> Node:
        """``(c +- monomial)**p``, positive on the rows."""
        exponents = self.inner_exponents()
        if exponents is None:
            is_ratio = len(self.signed) > 1 and self.rng.random() < 0.5
            exponents = self.ratio() if is_ratio else self.exponents(0.5, 0.02)
        values = self.size(exponents)
        if self.rng.random() < 0.5:
            constant, sign = float(self.log_uniform(0.2, 5) * values.mean()), 1.0
        else:
            constant, sign = float(values.max() * (1 + self.log_uniform(0.05, 3))), -1.0
        power = _POWERS[self.rng.integers(len(_POWERS))]
        return Node("pow", [[[0, constant], [self.power(exponents), sign]], [[0, power]]])

    def _difference(self) -> Node | Terms:
        """``x - z``, its square, or the inverse of that."""
        form = self.difference(*self.rng.choice(self.features, 2, replace=False).tolist())
        draw = self.rng.random()
        if draw < 0.4 or not self.has("square"):
            return form
        node = Node("square", [form])
        if draw < 0.7 and self.has_inverse:
            node = Node("inv", [[[node, 1.0]]])
        return node

    def paired(self) -> list[int]:
        """All features, those first whose differences seem to matter, pair by pair; or in any order."""
        order = self.rng.permutation(self.features).tolist()
        if not self.hints.pairs or self.rng.random() < 0.3:
            return order
        first: list[int] = []
        for a, b in self.hints.pairs:
            if a + 1 not in first and b + 1 not in first:
                first += [a + 1, b + 1]
        return first + [f for f in order if f not in first]

    def difference(self, a: int, b: int) -> Terms:
        """Of two features in the user's units, or near it."""
        x_units = self.problem.x_units if self.rng.random() < 0.7 else np.ones(len(self.signs))
        return [[a, float(x_units[a - 1])], [b, -float(x_units[b - 1])]]

    def product(self, *factors: Node | Terms | None) -> Terms:
        """Terms that stand for the product."""
        forms = [f if isinstance(f, list) else [[f, 1.0]] for f in factors if f is not None]
        result = forms[0]
        for form in forms[1:]:
            result = [[Node("mul", [[list(t) for t in result], [list(t) for t in form]]), 1.0]]
        return result


# Shapes --------------------------------------------------------------------------------------------------------


def power_sum(palette: Palette, n_terms: int) -> Terms:
    """``c0 + sum_k c_k prod_i x_i**a_ki``."""
    return [[0, 1.0]] + [[palette.power(palette.exponents()), 1.0] for _ in range(n_terms)]


def factored_sum(palette: Palette) -> Terms:
    """``c0 + sum_k c_k monomial_k * factors_k``; some factors are shared by all terms."""
    rng = palette.rng
    n_terms = int(rng.integers(1, 4))
    shared = palette.factor() if n_terms > 1 and rng.random() < 0.4 else None
    terms: Terms = [[0, 1.0]]
    for k in range(n_terms):
        base = palette.power(palette.exponents()) if palette.has_powers and rng.random() < 0.85 else None
        own = palette.factor() if rng.random() < (0.8 if k == 0 and shared is None else 0.3) else None
        second = palette.factor() if own is not None and rng.random() < 0.25 else None
        parts = [p for p in (base, shared, own, second) if p is not None]
        if parts:
            terms += palette.product(*parts)
    return terms


def quotient(palette: Palette) -> Terms:
    """``(sum of monomials) * (c +- monomial)**p``."""
    shared = palette.sum_power()
    n_terms = 2 + int(palette.rng.random() < 0.3)
    terms: Terms = []
    for _ in range(n_terms):
        terms += palette.product(palette.power(palette.exponents()), shared)
    return terms


def scaled_function(palette: Palette) -> Terms:
    """``monomial * (c0 + c1 f(...) + c2 g(...))``: a function of a monomial or sum, times a monomial."""
    rng = palette.rng
    base = palette.power(palette.everywhere())
    first = palette.factor()
    terms: Terms = palette.product(base, first)
    if rng.random() < 0.7:
        terms.append([base, 1.0])
    if rng.random() < 0.4:
        second: Node | Terms | None = None
        if isinstance(first, Node) and first.primitive == "exp" and rng.random() < 0.7:
            second = Node("exp", [[[s, -c] for s, c in first.args[0]]])
        elif isinstance(first, Node) and first.primitive in ("sin", "cos") and rng.random() < 0.7:
            other = "cos" if first.primitive == "sin" else "sin"
            if palette.has("square") and rng.random() < 0.5:
                second = Node("square", [[[first, 1.0]]])
            elif palette.has(other):
                second = Node(other, [[list(t) for t in first.args[0]]])
        if second is None:
            second = palette.factor()
        own = palette.power(palette.everywhere()) if rng.random() < 0.5 else base
        terms += palette.product(own, second)
    return terms


def products(palette: Palette, degree: int) -> dict[tuple[int, ...], Node | int]:
    """All products of up to `degree` features; the empty one is the constant."""
    found: dict[tuple[int, ...], Node | int] = {(): 0}
    for d in range(1, degree + 1):
        for chosen in combinations_with_replacement(palette.features, d):
            if d == 1:
                found[chosen] = chosen[0]
            elif chosen == (chosen[0],) * 2 and palette.has("square"):
                found[chosen] = Node("square", [[[chosen[0], 1.0]]])
            else:
                found[chosen] = Node("mul", [[[found[chosen[:-1]], 1.0]], [[chosen[-1], 1.0]]])
    return found


def n_products(palette: Palette, degree: int) -> int:
    return math.comb(len(palette.features) + degree, degree)


def polynomial(palette: Palette, degree: int, with_base: bool) -> Terms:
    """A full polynomial, times a monomial if `with_base`."""
    base = palette.power(palette.factors()) if with_base and palette.has_powers else None
    return _times(base, products(palette, degree).values())


def _times(factor: Node | None, sources: Iterable[Node | int]) -> Terms:
    """A sum of sources, each with its own coefficient, times a factor."""
    if factor is None:
        return [[source, 1.0] for source in sources]
    return [[factor if source == 0 else Node("mul", [[[factor, 1.0]], [[source, 1.0]]]), 1.0] for source in sources]


def rational_forms(palette: Palette) -> Iterator[Terms]:
    """``(full polynomial) * (c +- p(x) + d q(x))**a`` for all products `p`, `q` of up to two features."""
    degree = next((d for d in (3, 2) if n_products(palette, d) <= _LONGEST), 1)
    if n_products(palette, degree) > _LONGEST:
        return
    numerator = list(products(palette, degree).values())
    values = {key: _product_values(palette, key) for key in products(palette, 2) if key}
    pairs = [(key, None) for key in values] + list(combinations(values, 2))
    for first, second in pairs[:_MOST_PAIRS]:
        for power in (-1.0, -0.5):
            for sign in (1.0, -1.0):
                nodes = products(palette, 2)
                rest = sign * values[first] + (0.3 * values[second] if second else 0.0)
                constant = max(1.0, 0.2 - float(rest.min())) if sign > 0 else 0.2 - float(rest.min())
                form: Terms = [[0, constant], [nodes[first], sign]]
                if second:
                    form.append([nodes[second], 0.3])
                yield _times(Node("pow", [form, [[0, power]]]), numerator)


def _product_values(palette: Palette, features: tuple[int, ...]) -> np.ndarray:
    return np.prod([palette.rows[:, f - 1] for f in features], axis=0)


def wave_form(palette: Palette) -> Terms:
    """``a(x) + b(x) cos(w m) + c(x) sin(w m)`` with polynomials of at most second degree: what the screening fitted."""
    degree = 2 if 3 * math.comb(len(palette.features) + 2, 2) <= palette.problem.max_free - 4 else 1
    plain = polynomial(palette, degree, with_base=False)
    argument = palette.wave()
    terms = plain
    for name in ("cos", "sin"):
        wave = Node(name, [[list(t) for t in argument]])
        terms = terms + [[wave if p == 0 else Node("mul", [[[p, 1.0]], [[wave, 1.0]]]), 1.0] for p, _ in plain]
    return terms


def distances(palette: Palette) -> Terms:
    """Monomials times squares of differences of two features."""
    rng = palette.rng
    order = palette.paired()
    if len(order) < 2:
        return [[0, 1.0]]
    most = min(4, len(order) // 2)
    n_terms = int(rng.integers(1, 1 + most))
    common = palette.has_powers and rng.random() < 0.6  # one monomial for all, of what seems to be a factor
    base = palette.power(palette.factors()) if common else None
    terms: Terms = [[0, 1.0]]
    for k in range(n_terms):
        if palette.has_powers and not common:
            base = palette.power(palette.everywhere())
        terms += palette.product(base, Node("square", [palette.difference(*order[2 * k : 2 * k + 2])]))
    return terms


def form_and_term(palette: Palette) -> Terms:
    """A full quadratic (or linear) form and one term of a kind that it does not hold."""
    degree = 2 if math.comb(len(palette.features) + 2, 2) <= palette.problem.max_free - 8 else 1
    base = palette.power(palette.exponents(0.5, 0.02)) if palette.has_powers and palette.rng.random() < 0.7 else None
    return polynomial(palette, degree, with_base=False) + palette.product(base, palette.factor())


def angular_sum(palette: Palette) -> Terms:
    """One to three products of features and sines, cosines of features or of their sums, as angles in radians."""
    rng = palette.rng
    terms: Terms = [[0, 1.0]]
    for _ in range(int(rng.integers(1, 4))):
        factors: list[Node | Terms] = [palette.angle_function()]
        while len(factors) < 4 and rng.random() < 0.5:
            f = int(rng.choice(palette.features))
            factors.append([[f, 1.0]] if rng.random() < 0.3 else palette.angle_function())
        if palette.has_powers and rng.random() < 0.3:
            factors.append(palette.power(palette.exponents(0.5, 0.02)))
        terms += palette.product(*factors)
    return terms


def interference(palette: Palette) -> Terms:
    """One or two monomials, and one times a sine or cosine of a likely argument: of features not in it, mostly."""
    rng = palette.rng
    argument = palette.wave()
    used = {s for s, _ in argument if not isinstance(s, Node)}
    used |= {log.args[0][0][0] for s, _ in argument if isinstance(s, Node) for log, _ in s.args[0]}
    free = [f for f in palette.signed if f not in used] if rng.random() < 0.8 else palette.signed
    if not free:
        return [[0, 1.0], [Node("cos", [argument]), 1.0]]

    def monomial() -> Node:
        chosen = [f for f in free if rng.random() < 0.7] or [free[rng.integers(len(free))]]
        return palette.power({f: _EXPONENTS[rng.integers(len(_EXPONENTS))] for f in chosen})

    terms: Terms = [[0, 1.0]] + [[monomial(), 1.0] for _ in range(1 + int(rng.random() < 0.7))]
    wave = Node("sin" if rng.random() < 0.5 else "cos", [argument])
    return terms + palette.product(monomial(), wave)


def growth(palette: Palette) -> Terms:
    """All features and their logarithms: under an exponential link a power law times an exponential."""
    logs = palette.signed if palette.has("log") or palette.has_powers else []
    return [[0, 1.0]] + [[f, 0.1] for f in palette.features] + [[palette.log(f), 1.0] for f in logs]


def hinted_functions(palette: Palette) -> Iterator[Terms]:
    """``p(x) * (c0 + c1 f(m(x)) + ...)`` for the monomials `p` and `m` that the logarithmic slopes suggest."""
    if palette.degree is None or not palette.hints.on_a_line:
        return
    for outer in palette.hints.outer[:3]:
        base = {f: palette.degree * float(outer[f - 1]) for f in palette.signed}
        for inner in palette.hints.inner[:2]:
            up = {f: float(inner[f - 1]) for f in palette.signed if inner[f - 1]}
            for exponents in (up, {f: -a for f, a in up.items()}):
                yield from _transcendental(palette, base, exponents)
                yield from _algebraic(palette, base, exponents, True)
                yield from _algebraic(palette, base, {f: 2 * a for f, a in exponents.items()}, False)


def _transcendental(palette: Palette, base: dict[int, float], exponents: dict[int, float]) -> Iterator[Terms]:
    """A monomial times exponentials, or a hyperbolic tangent, of another."""
    size = float(np.sqrt(np.mean(palette.size(exponents) ** 2)))
    for rate in (0.15, 0.6, 2.0):
        factor, m = palette.power(base), palette.power(exponents)
        if palette.has("exp"):
            grows, falls = Node("exp", [[[m, rate / size]]]), Node("exp", [[[m, -rate / size]]])
            yield [[factor, 1.0], *palette.product(factor, grows), *palette.product(factor, falls)]
            yield [[factor, 1.0], *palette.product(factor, grows)]
        if palette.has("tanh"):
            yield palette.product(factor, Node("tanh", [[[m, rate / size]]]))


def _algebraic(
    palette: Palette, base: dict[int, float], exponents: dict[int, float], with_plain: bool
) -> Iterator[Terms]:
    """A monomial times a power of a constant plus another monomial; with the first added if `with_plain`."""
    values = palette.size(exponents)
    for constant, sign in ((float(values.mean()), 1.0), (1.3 * float(values.max()), -1.0)):
        for power in (-2.0, -1.0, -0.5, 0.5, 2.0):
            factor, m = palette.power(base), palette.power(exponents)
            short = Node("pow", [[[0, constant], [m, sign]], [[0, power]]])
            yield palette.product(factor, short)
            if with_plain:
                yield [[factor, 1.0], *palette.product(factor, short)]


def scaled_waves(palette: Palette) -> Iterator[Terms]:
    """``p(x) * (c0 + c1 cos(w m) + c2 sin(w m))``, or with the square of the cosine times another monomial.

    For the likeliest waves; `p` from the logarithmic slopes, or a product of features that are not in the argument.
    """
    degree = palette.degree or 1.0
    for wave in palette.waves[:_MOST_WAVES]:
        used = {f for f, _ in (*wave.exponents, *wave.weights)}
        rest = [f for f in palette.signed if f not in used][:3] if palette.has_powers else []
        subsets = [c for count in range(len(rest) + 1) for c in combinations(rest, count)]
        starts = [{f: float(f in c) for f in palette.signed} for c in subsets]
        for slopes in (palette.hints.separable, np.round(palette.hints.slopes)):
            starts.append({f: float(slopes[f - 1]) for f in palette.signed})
        for start in starts if palette.has_powers else [{}]:
            cos, sin = (Node(name, [palette.argument_of(wave)]) for name in ("cos", "sin"))
            base = palette.power({f: degree * a for f, a in start.items()}) if start else None
            yield _times(base, [0, cos, sin])
            own = palette.power({f: degree * float(f in rest) for f in palette.signed}) if start else None
            for factor in (1.0, 0.5):  # the square of a cosine oscillates twice as fast
                cos = Node("cos", [palette.argument_of(wave, factor)])
                yield _times(base, [0, cos]) + _times(own, [Node("square", [[[cos, 1.0]]])])


def dictionary_subsets(palette: Palette) -> Iterator[Terms]:
    """A constant and up to four entries of a dictionary."""
    if len(palette.features) > _MOST_FEATURES:
        return
    entries, values = library(palette)
    for chosen in best_subsets(values, palette.problem.y.numpy()):
        yield [[0, 1.0]] + [list(term) for k in chosen for term in entries[k]]


def repeated(shape: Callable[[Palette], Terms], n_starts: int) -> Callable[[Palette], Iterator[Terms]]:
    """`n_starts` random draws of a shape."""

    def draws(palette: Palette) -> Iterator[Terms]:
        for _ in range(n_starts):
            yield shape(palette)

    return draws


@dataclass(frozen=True)
class Rung:
    """A family of shapes.

    Parameters
    ----------
    name : str
    starts : callable
        ``starts(palette)`` yields the output terms of one structure after another.
    links : tuple of str
        Under which links the family is tried.
    functions : tuple of str
        Functions that the user must have allowed.
    round_exponents : bool
        Whether exponents stay at their start values if those are integers or halves.
    min_rows : int
        Rows below which the family is left out: few rows cannot tell thousands of shapes apart.
    """

    name: str
    starts: Callable[[Palette], Iterator[Terms]]
    links: tuple[str, ...]
    functions: tuple[str, ...] = ("pow",)
    round_exponents: bool = False
    min_rows: int = 0

    def structures(self, palette: Palette, primitives, max_free: int, with_logs: bool) -> list[Structure]:
        """Structures for one link, none with more than `max_free` coefficients.

        With `with_logs` each has the logarithms of all features too: factors of a law whose logarithm is the target.
        """
        if not palette.has(*self.functions) or ("pow" in self.functions and not palette.has_powers):
            return []
        found: list[Structure] = []
        for terms in self.starts(palette):
            draft = Draft(Structure(len(palette.signs), (), ()))
            logs = palette.signed if with_logs and palette.has_powers else []
            draft.output = terms + [[palette.log(f), 1.0] for f in logs]
            structure = draft.finish(primitives)
            if structure is not None and self.round_exponents:
                structure = with_round_exponents_fixed(structure)
            if structure is not None and structure.n_free <= max_free:
                found.append(structure)
        return found
