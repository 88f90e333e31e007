"""Latents fitted series by series: each as alone, and none held back by another."""

import numpy as np
import pytest
from scipy.optimize import least_squares

from sklearn_eql.dynamics.series_by_series import fit_each

T = np.linspace(0, 2, 12)


def decays(targets):
    """``a * exp(b*t)`` for the targets of each series, (N, R), as `fit_each` takes it; latents are a and b."""

    def evaluate(z):
        wave = np.exp(z[:, 1:] * T)
        slopes = np.stack([wave, z[:, :1] * T * wave], axis=2)
        return targets - z[:, :1] * wave, slopes

    return evaluate


def test_every_series_gets_its_least_squares_fit(rng):
    true = np.column_stack([rng.uniform(1, 3, 5), rng.uniform(-2, 1, 5)])
    targets = true[:, :1] * np.exp(true[:, 1:] * T) + 0.1 * rng.normal(size=(5, 12))
    found = fit_each(decays(targets), np.ones((5, 2)), 100, 1e-14)
    for z, target in zip(found, targets, strict=True):
        alone = least_squares(lambda p, y=target: p[0] * np.exp(p[1] * T) - y, [1.0, 1.0], xtol=1e-12, ftol=1e-14)
        np.testing.assert_allclose(z, alone.x, rtol=1e-5)


@pytest.mark.parametrize("bad", [np.nan, np.inf, 1e200])
def test_a_series_without_a_finite_error_keeps_its_latent_and_holds_no_other_back(bad):
    targets = np.stack([2 * np.exp(-T), np.full(12, bad)])
    found = fit_each(decays(targets), np.ones((2, 2)), 100, 1e-14)
    np.testing.assert_allclose(found[0], [2, -1], rtol=1e-9)
    np.testing.assert_array_equal(found[1], [1, 1])


def test_latents_that_do_the_same_share_what_is_to_be_explained():
    """Their normal equations are singular, however small the damping has become."""
    targets = np.array([[6.0], [-2.0]])
    found = fit_each(lambda z: (targets - z.sum(axis=1, keepdims=True), np.ones((2, 1, 2))), np.zeros((2, 2)), 60, 0.0)
    np.testing.assert_allclose(found, [[3, 3], [-1, -1]], rtol=1e-9)
