"""Random laws over all primitives, and how far rounding alone moves their values."""

import numpy as np

from sklearn_eql.primitives import PRIMITIVES
from sklearn_eql.symbolic import Equation, Unit

_SPECIAL = (1.0, -1.0, 2.0, 0.5, 3.0, np.pi / 2, -np.pi, 0.0)


def random_equation(seed, max_units=7, n_features=2):
    """A law of 1 to `max_units` units; a third of its coefficients are special numbers."""
    rng = np.random.default_rng(seed)

    def coefficient():
        return float(rng.choice(_SPECIAL) if rng.random() < 0.35 else 1.2 * rng.normal())

    def form(n_sources, size):
        chosen = rng.choice(n_sources, size=min(n_sources, rng.integers(1, size + 1)), replace=False)
        return tuple((s, coefficient()) for s in sorted(chosen.tolist()))

    units, names = [], list(PRIMITIVES)
    for i in range(rng.integers(1, max_units + 1)):
        primitive = PRIMITIVES[names[rng.integers(len(names))]]
        units.append(Unit(primitive.name, tuple(form(1 + n_features + i, 3) for _ in range(primitive.arity))))
    return Equation(n_features, tuple(units), form(1 + n_features + len(units), 4))


def assert_same_values(law, expected, actual, X, rtol=1e-9):
    """`actual` equals `expected`, both (n,), up to what perturbing the coefficients of `law` by 1e-13 does to it."""
    rng = np.random.default_rng(0)
    coefficients = law.coefficients()
    moved = law.with_coefficients(coefficients * (1 + 1e-13 * rng.normal(size=len(coefficients)))).evaluate(X)
    checked = np.isfinite(expected) & np.isfinite(moved) & (np.abs(expected) < 1e6)
    expected, actual, moved = expected[checked], actual[checked], moved[checked]
    assert np.all(np.abs(actual - expected) <= rtol * np.abs(expected) + 1e3 * np.abs(moved - expected) + 1e-12)


def sample(seed, n=20, n_features=2):
    """Positive rows, shape (n, n_features), where most functions are defined."""
    return np.random.default_rng(seed).uniform(0.2, 2.0, size=(n, n_features))
