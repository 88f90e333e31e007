"""Searches of tables with units: what comes of the time, and of laws between products without units."""

import numpy as np
import pytest

from sklearn_eql import EQLRegressor

UNITS = {"x0": {"m": 1}, "x1": {"m": 1}, "x2": {}}


@pytest.fixture
def rows():
    return np.random.default_rng(0).uniform(1, 5, (120, 3))


@pytest.mark.parametrize("n_families", [0, 3])
def test_little_time_still_gives_a_law(rows, n_families):
    y = rows[:, 0] * np.sin(rows[:, 2]) + 0.3 * rows[:, 1] + 0.05 * np.random.default_rng(1).standard_normal(120)
    model = EQLRegressor(
        units=list(UNITS.values()),
        y_unit={"m": 1},
        dimensionless_constants=True,
        n_families=n_families,
        n_generations=1,
        max_time=0.5,
        random_state=0,
    )
    model.fit(rows, y)
    assert len(model.equations_)


def test_huber_loss_knows_the_units_too(rows):
    y = 2.5 * rows[:, 0] ** 2 / rows[:, 1]
    y[3] = 1e3
    model = EQLRegressor(
        loss="huber",
        units=list(UNITS.values()),
        y_unit={"m": 1},
        dimensionless_constants=True,
        random_state=0,
        max_time=10,
    )
    np.testing.assert_allclose(np.delete(model.fit(rows, y).predict(rows), 3), np.delete(y, 3), rtol=1e-6)
