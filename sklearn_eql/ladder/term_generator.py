"""Pieces of laws: monomials, arguments and factors with start values, drawn over the features of one problem."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from sklearn_eql.ladder.screening import Monomials, Wave, screen_waves
from sklearn_eql.sparse.editing import Node
from sklearn_eql.sparse.problem import Problem

EXPONENTS = (-2.0, -1.0, -1.0, -0.5, 0.5, 1.0, 1.0, 2.0)
_POWERS = (-2.0, -1.0, -0.5, 0.5, 1.0, 2.0)  # of sums
_FREQUENCIES = (0.4, 16.0)  # start values of sine and cosine arguments, root mean square
_CLEAR_WAVE = 0.1  # loss, relative to that of a quadratic form
_RATES = (0.1, 4.0)  # of exponential and tanh arguments

Terms = list[list]
"""Terms of a sum, ``[source, coefficient]`` each; sources are features (from 1), 0 for the constant, or nodes."""


class TermGenerator:
    """Draws pieces of laws over the vocabulary and the features of one problem."""

    def __init__(
        self,
        problem: Problem,
        rng: np.random.Generator,
        hints: Monomials,
        degree: float | None,
        many: Problem | None = None,
    ) -> None:
        self.rng = rng
        self.hints = hints
        self.degree = degree  # of the target in y: exponents of factors of y times this are those of the target
        self._waves: list[Wave] | None = None
        self.problem = problem
        self.many = problem if many is None else many  # the same with more rows, for what costs little for each
        self.rows = problem.X.numpy()
        self.signs = problem.signs
        self.features, self.signed, self.has_powers = problem.features, problem.signed, problem.has_powers
        self.copies = problem.copies
        self._logs = {f: np.log(np.abs(self.rows[:, f - 1])) for f in self.signed}

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
            self._waves = screen_waves(
                self.rows,
                self.problem.y.numpy(),
                signed,
                self.problem.x_units,
                root=self.problem.root.numpy(),
                columns=[f - 1 for f in self.features],
                deadline=self.problem.deadline,
            )
        return self._waves

    @property
    def oscillates(self) -> bool:
        """Whether a wave explains most of what a quadratic form leaves over."""
        return bool(self.waves) and self.waves[0].loss < _CLEAR_WAVE

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
        return {f: EXPONENTS[rng.integers(len(EXPONENTS))] + spread * rng.normal() for f in chosen}

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
            f: (0.0 if rng.random() < 0.5 else EXPONENTS[rng.integers(len(EXPONENTS))]) + spread * rng.normal()
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
        return np.exp(sum(a * self._logs[f] for f, a in exponents.items()))

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
                f: (1.0 if rng.random() < 0.6 else -1.0) if exact else EXPONENTS[rng.integers(8)] for f in chosen
            }
            if len(exponents) == 1 and next(iter(exponents.values())) == 1.0:
                f = next(iter(exponents))
                return [[f, target]]
            values = self.size(exponents)
            return [[self.power(exponents), target / float(np.sqrt(np.mean(values**2)))]]
        count = min(1 + int(rng.random() < 0.4) + int(rng.random() < 0.1), len(self.features))
        chosen = rng.choice(self.features, count, replace=False).tolist()
        same = rng.random() < 0.7
        return [[f, self.sign() * (target if same else self.log_uniform(low, high))] for f in chosen]

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
