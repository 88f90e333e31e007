"""What simple linear fits tell about a law before its form is known: where to start the search.

Nothing here decides anything: a wrong hint costs a few starts.
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import combinations, combinations_with_replacement, islice, product

import numpy as np

_MAX_ARGUMENTS = 250  # of waves, sums and short products first
_RIDGE = 1e-9  # relative to the diagonal of the normal equations
_DEGREES = (1, 2, 3, 4)  # of polynomials in the logarithms, by the number of rows and their error on left-out ones
_VANISHED = 1e-8  # of the largest target: the logarithm of less is that of noise or rounding
_RANK = 1e-10  # of the largest pivot: below, the rows do not tell the terms of the polynomial apart
_MAX_SLOPE_VARIATION = 0.05  # largest variation of the logarithmic slope of a factor
_MAX_OPPOSITION = 0.3  # how far the derivatives by two features may be from opposite, relative
_EXPONENT_TOLERANCE = 0.12  # how far an exponent may be from the half-integer it is taken for


@dataclass(frozen=True)
class Monomials:
    """Exponents read off the logarithmic slopes of a smooth fit.

    A law ``p(x) * f(m(x))`` of monomials `p` and `m` has logarithmic slopes on a straight line: the exponents of `p`
    plus a multiple of the exponents of `m`.
    """

    slopes: np.ndarray  # (n_features,) mean of d log|y| / d log|x_i|, 0 for features without logarithm
    separable: np.ndarray  # (n_features,) exponents of features that seem to be factors of the law, 0 for the others
    outer: tuple[np.ndarray, ...]  # candidates for the exponents of p
    inner: tuple[np.ndarray, ...]  # candidates for the exponents of m
    on_a_line: bool  # whether the slopes vary in one direction only
    pairs: tuple[tuple[int, int], ...]  # columns whose difference the law seems to depend on, likeliest first

    def spread(self, columns: Sequence[int], n_features: int) -> Monomials:
        """The same of a table of `n_features` columns, in which these stand at `columns`."""

        def wide(exponents: np.ndarray) -> np.ndarray:
            found = np.zeros(n_features)
            found[list(columns)] = exponents
            return found

        return Monomials(
            wide(self.slopes),
            wide(self.separable),
            tuple(map(wide, self.outer)),
            tuple(map(wide, self.inner)),
            self.on_a_line,
            tuple((columns[a], columns[b]) for a, b in self.pairs),
        )


def log_monomials(
    X: np.ndarray, y: np.ndarray, signed: list[int], x_units: np.ndarray, root: np.ndarray | float = 1.0
) -> Monomials:
    """Fit ``log|y|`` by a polynomial in the ``log|x|`` of the `signed` columns and a few of the others.

    Parameters
    ----------
    X : ndarray (n_samples, n_features);  y : ndarray (n_samples,)
    signed : list of int
        Columns without change of sign.
    x_units : ndarray (n_features,)
        Units of the columns: differences are of ``X * x_units``.
    root : ndarray (n_samples,) or 1
        Square roots of the weights: rows count of which the target, times this, is more than rounding.
    """
    n_features = X.shape[1]
    nothing = Monomials(np.zeros(n_features), np.zeros(n_features), (), (), False, ())
    keep = np.abs(y * root) > _VANISHED * np.abs(y * root).max()
    if not signed or keep.sum() < 10:
        return nothing
    coordinates = X[keep].copy()
    coordinates[:, signed] = np.log(np.abs(coordinates[:, signed]))
    centre, spread = coordinates.mean(axis=0), coordinates.std(axis=0)
    varies = np.ptp(coordinates, axis=0) > 0
    spread = np.where(varies, spread, 1.0)
    Z = (coordinates - centre) / spread
    found = _polynomial_gradients(Z[:, varies], np.log(np.abs(y[keep])))
    if found is None:
        return nothing
    gradients = np.zeros_like(Z)
    gradients[:, varies] = found / spread[varies]
    mean = gradients.mean(axis=0)
    slopes = np.zeros(n_features)
    slopes[signed] = mean[signed]
    halves = np.round(2 * slopes) / 2
    steady = (gradients.std(axis=0) < _MAX_SLOPE_VARIATION) & (np.abs(slopes - halves) < _MAX_SLOPE_VARIATION)
    separable = np.where(steady, halves, 0.0)
    deviations = (gradients - mean)[:, signed]
    outer, inner = [], []
    _, strength, directions = np.linalg.svd(deviations / np.sqrt(len(deviations)), full_matrices=False)
    if len(strength) and strength[0] > 0.02:
        for direction in directions[: 1 + int(len(strength) > 1 and strength[1] > 0.3 * strength[0])]:
            m = _nearest_exponents(direction)
            if m is not None:
                full = np.zeros(n_features)
                full[signed] = m
                inner.append(full)
                outer += _offsets(slopes, full)
    on_a_line = bool(inner) and (len(strength) == 1 or strength[1] < 0.2 * strength[0])
    by_feature = gradients / x_units
    by_feature[:, signed] /= X[keep][:, signed]
    return Monomials(
        slopes,
        separable,
        tuple(outer),
        tuple(inner),
        on_a_line,
        _differences(by_feature, np.flatnonzero(separable == 0)),
    )


def _polynomial_gradients(Z: np.ndarray, target: np.ndarray) -> np.ndarray | None:
    """Gradients (n_rows, n) of the polynomial of least cross-validated error."""
    n_rows, n = Z.shape
    best, chosen = np.inf, None
    for degree in _DEGREES:
        if math.comb(n + degree, degree) > n_rows // 3:
            break
        terms = [t for d in range(degree + 1) for t in combinations_with_replacement(range(n), d)]
        powers = np.array([np.bincount(t, minlength=n) if t else np.zeros(n, int) for t in terms])  # (M, n)
        phi = np.stack([np.prod(Z[:, list(t)], axis=1) for t in terms], axis=1)
        q, r = np.linalg.qr(phi)
        if np.abs(np.diag(r)).min() < _RANK * np.abs(np.diag(r)).max():
            break
        coefficients = np.linalg.solve(r, q.T @ target)
        residual = target - phi @ coefficients
        press = float(np.mean((residual / (1 - np.minimum((q**2).sum(axis=1), 0.999))) ** 2))
        if press < best:
            best, chosen = press, (powers, coefficients)
    if chosen is None:
        return None
    powers, coefficients = chosen
    gradients = np.zeros_like(Z)
    for i in range(n):
        lowered = powers.copy()
        lowered[:, i] -= 1
        used = powers[:, i] > 0
        for row, c, k in zip(lowered[used], coefficients[used], powers[used, i], strict=True):
            gradients[:, i] += c * k * np.prod(Z**row, axis=1)
    return gradients


def _nearest_exponents(direction: np.ndarray) -> np.ndarray | None:
    """Small half-integers in proportion to `direction`, if there are any close to it; the largest one positive."""
    direction = np.where(np.abs(direction) < 0.08 * np.abs(direction).max(), 0.0, direction)
    for unit in (1.0, 2.0, 0.5, 3.0):
        largest = np.argmax(np.abs(direction))
        scaled = direction * unit / direction[largest]
        rounded = np.round(scaled)
        if np.abs(scaled - rounded).max() < _EXPONENT_TOLERANCE * unit and np.any(rounded):
            return rounded
    return None


def _differences(gradients: np.ndarray, columns: np.ndarray) -> tuple[tuple[int, int], ...]:
    """Pairs of columns in which the gradient is opposite: the law changes with their difference only."""
    found = []
    for a, b in combinations(columns.tolist(), 2):
        sum_, difference = gradients[:, a] + gradients[:, b], gradients[:, a] - gradients[:, b]
        mismatch = np.linalg.norm(sum_) / max(np.linalg.norm(difference), 1e-300)
        if mismatch < _MAX_OPPOSITION:
            found.append((mismatch, (a, b)))
    return tuple(pair for _, pair in sorted(found))


def _offsets(slopes: np.ndarray, m: np.ndarray) -> list[np.ndarray]:
    """Exponents on the line of slopes through half-integers."""
    found: list[np.ndarray] = []
    for i in np.flatnonzero(m):
        for target in (0.0, 1.0, -1.0, 2.0, -2.0):
            candidate = slopes - (slopes[i] - target) / m[i] * m
            rounded = np.round(2 * candidate) / 2
            fits = np.abs(candidate - rounded).max() < _EXPONENT_TOLERANCE and np.abs(rounded).max() <= 6
            if fits and not any(np.array_equal(rounded, other) for other in found):
                found.append(rounded)
    return sorted(found, key=lambda p: np.abs(p).sum())[:6]


@dataclass(frozen=True)
class Wave:
    """Argument of a sine or cosine: a monomial or a sum of features times a frequency."""

    exponents: tuple[tuple[int, float], ...]  # (feature, exponent) of a monomial, or
    weights: tuple[tuple[int, float], ...]  # (feature, coefficient) of a sum
    frequency: float
    loss: float  # sum of squared residuals relative to that without waves


def screen_waves(
    X: np.ndarray,
    y: np.ndarray,
    signed: list[int],
    x_units: np.ndarray,
    n_kept: int = 24,
    root: np.ndarray | None = None,
    *,
    columns: Sequence[int] | None = None,
    deadline: float = math.inf,
) -> list[Wave]:
    """Arguments for which ``a(x) + b(x) cos(w m) + c(x) sin(w m)`` with quadratic `a`, `b`, `c` fits best.

    The first `_MAX_ARGUMENTS` of: sums and differences of two features, products and quotients of up to four, squares,
    and a feature times roots of up to two others; and 40 frequencies each, by batched linear least squares, of rows
    weighed by the squares of `root`, (n_samples,), if it is given. Of the given `columns` only (all by default); after
    `deadline` (``time.time()``) with those tried by then.
    """
    columns = list(range(X.shape[1]) if columns is None else columns)
    if root is not None:
        y = y * root
    basis = _smooth_basis(X[:, columns], root)
    arguments = list(islice(_arguments(X, columns, set(signed), x_units), _MAX_ARGUMENTS))
    waves: list[Wave] = []
    for exponents, weights, values in arguments:
        if time.time() > deadline:
            break
        spread = float(np.ptp(values))
        if spread > 0 and np.isfinite(spread):
            frequencies = np.arange(1, 41) / spread
            losses = _losses(basis, y, np.outer(frequencies, values))
            waves += [
                Wave(exponents, weights, *pair) for pair in zip(frequencies.tolist(), losses.tolist(), strict=True)
            ]
    waves = sorted(waves, key=lambda wave: wave.loss)[:n_kept]
    sharpened = []
    for wave in waves[: n_kept // 3]:
        values = next(v for e, w, v in arguments if (e, w) == (wave.exponents, wave.weights))
        frequencies = wave.frequency + np.linspace(-0.6, 0.6, 13) / float(np.ptp(values))
        losses = _losses(basis, y, np.outer(frequencies, values))
        best = int(np.argmin(losses))
        sharpened.append(replace(wave, frequency=float(frequencies[best]), loss=float(losses[best])))
    distinct = {(w.exponents, w.weights, round(w.frequency, 6)): w for w in sharpened}
    return sorted([*distinct.values(), *waves[n_kept // 3 :]], key=lambda wave: wave.loss)


def _arguments(
    X: np.ndarray, columns: list[int], signed: set[int], x_units: np.ndarray
) -> Iterator[tuple[tuple, tuple, np.ndarray]]:
    """Exponents or weights of one argument after another, by source number, and its values: built when asked for."""
    for a, b in combinations(columns, 2):
        for sign in (1.0, -1.0):
            weights = ((a + 1, float(x_units[a])), (b + 1, sign * float(x_units[b])))
            yield (), weights, weights[0][1] * X[:, a] + weights[1][1] * X[:, b]
    for count in (1, 2, 3, 4):
        for chosen in combinations(columns, count):
            if count > 1 and not signed.issuperset(chosen):
                continue
            for signs in range(2 ** (count - 1)):
                exponents = (1.0, *(1.0 if signs >> b & 1 else -1.0 for b in range(count - 1)))
                yield _product(X, chosen, exponents)
    positive = [f for f in columns if f in signed and X[:, f].min() > 0]
    for f in positive:
        yield _product(X, (f,), (2.0,))
    for count in (1, 2):  # sqrt(k)*t and sqrt(k/m)*t, as oscillators have them
        for a in sorted(signed.intersection(columns)):
            for chosen in combinations([f for f in positive if f != a], count):
                for halves in product((0.5, -0.5), repeat=count):
                    yield _product(X, (a, *chosen), (1.0, *halves))


def _product(
    X: np.ndarray, features: Sequence[int], exponents: Sequence[float]
) -> tuple[tuple[tuple[int, float], ...], tuple, np.ndarray]:
    """A product of powers as an argument: exponents by source number, no weights, values."""
    values = np.prod([X[:, f] ** e for f, e in zip(features, exponents, strict=True)], axis=0)
    return tuple((f + 1, e) for f, e in zip(features, exponents, strict=True)), (), values


def _smooth_basis(X: np.ndarray, root: np.ndarray | None) -> np.ndarray:
    n_rows, n = X.shape
    terms = [np.ones(n_rows), *X.T]
    if 3 * (1 + n + n * (n + 1) // 2) <= min(n_rows // 2, 50):
        terms += [X[:, i] * X[:, j] for i, j in combinations_with_replacement(range(n), 2)]
    basis = np.stack(terms, axis=1)
    q, _ = np.linalg.qr(basis if root is None else basis * root[:, None])
    return q


def _losses(basis: np.ndarray, y: np.ndarray, phases: np.ndarray) -> np.ndarray:
    """Residual sums of squares (n_phases,) of y on the basis and its products with cosine and sine of each phase."""
    rest = y - basis @ (basis.T @ y)
    cos, sin = np.cos(phases), np.sin(phases)  # (F, N)
    columns = np.concatenate([cos[:, :, None] * basis, sin[:, :, None] * basis], axis=2)  # (F, N, 2B)
    columns -= basis @ (basis.T @ columns)
    gram = columns.transpose(0, 2, 1) @ columns
    size = gram.shape[1]
    gram[:, range(size), range(size)] += _RIDGE * np.trace(gram, axis1=1, axis2=2)[:, None] + 1e-300
    right = columns.transpose(0, 2, 1) @ rest
    solution = np.linalg.solve(gram, right[:, :, None])[:, :, 0]
    return 1 - np.einsum("fb,fb->f", right, solution) / max(float(rest @ rest), 1e-300)
