"""Linear forms whose coefficients vary: what is left agrees with least squares, superfluous terms go."""

import numpy as np
import pytest
import torch

from sklearn_eql.primitives import PRESETS
from sklearn_eql.scan.factors import arguments, factors_of
from sklearn_eql.scan.varying_coefficients import varying_forms

N = 120
X = np.random.default_rng(0).uniform(0.3, 3, (N, 3))
WEIGHT = np.random.default_rng(1).uniform(0.2, 2, N)


@pytest.fixture(scope="module")
def factors():
    return [factors_of(a, PRESETS["default"].__contains__) for a in arguments(X, np.ones(3), [1] * 3, [0, 1, 2])[:3]]


def forms(factors, y, weight=None, **options):
    columns = torch.from_numpy(X.T.copy())
    return varying_forms(
        columns, factors, torch.from_numpy(y), None if weight is None else torch.from_numpy(weight), **options
    )


def values_of(form, factors):
    x = factors[form.factor].argument.values
    f = np.cos(form.frequency * x - form.phase) if form.entry is None else factors[form.factor].values[form.entry]
    columns = np.column_stack([np.ones(N), X])
    plain, varying = (sum(c * columns[:, j] for j, c in part.items()) for part in (form.plain, form.varying))
    return plain + np.asarray(f) * varying


@pytest.mark.parametrize("weighted", [False, True])
def test_what_a_form_leaves_is_that_of_its_values(factors, weighted):
    weight = WEIGHT if weighted else np.ones(N)
    y = X[:, 0] + (X[:, 1] - X[:, 0]) * np.exp(-0.8 * X[:, 2]) + 0.05 * np.random.default_rng(2).normal(size=N)
    found = forms(factors, y, weight if weighted else None)
    total = np.sum(weight * (y - np.average(y, weights=weight)) ** 2)
    for form in found:
        left = np.sum(weight * (y - values_of(form, factors)) ** 2)
        assert form.left == pytest.approx(left / total, rel=1e-6)
    assert len({(form.factor, form.entry) for form in found}) == len(found)


def test_terms_that_are_not_in_the_law_go(factors):
    y = X[:, 0] + (X[:, 1] - X[:, 0]) * np.exp(-1.2 * X[:, 2] / X[:, 2].std())
    best = forms(factors, y)[0]
    assert (best.factor, set(best.plain), set(best.varying)) == (2, {1}, {1, 2})
    assert best.left < 1e-14


def test_a_wave_has_the_phase_of_its_coefficients(factors):
    rate = 1.5 / X[:, 2].std()
    best = forms(factors, 2 + (3 + X[:, 0]) * np.cos(rate * X[:, 2] - 0.8))[0]
    assert (best.factor, best.entry, set(best.varying)) == (2, None, {0, 1})
    assert best.left < 1e-14
    assert np.tan(best.phase) == pytest.approx(np.tan(0.8))


def test_after_the_deadline_there_are_none(factors):
    assert forms(factors, X[:, 0].copy(), deadline=0.0) == []
