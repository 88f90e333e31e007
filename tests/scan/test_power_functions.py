"""Power laws times functions of monomials, in logarithms: the right one comes first, with and without noise."""

import time

import numpy as np
import pytest

from sklearn_eql.scan.power_functions import SHAPES, judged, monomials_of, scan
from sklearn_eql.scan.working_logarithm import working_logarithm

N = 400


def everything(name):
    return True


def rows(rng, n_features=3):
    return np.log(rng.uniform(1, 4, (N, n_features)))


LAWS = {
    "1 - u": (lambda x: x[0] / np.sqrt(1 - (x[1] / (5 * x[2])) ** 2), (0, 2, -2), -0.5, (1, 0, 0)),
    "u - 1": (lambda x: x[1] * x[2] / (2 * x[0] - 1), (1, 0, 0), -1, (0, 1, 1)),
    "1 + u": (lambda x: x[0] ** 2 / (1 + x[1] / x[2]), (0, 1, -1), -1, (2, 0, 0)),
    "ratio": (lambda x: x[0] * np.sqrt((5 * x[2] + x[1]) / (5 * x[2] - x[1])), (0, 1, -1), 0.5, (1, 0, 0)),
    "exp - 1": (lambda x: x[0] ** 3 / (np.exp(x[0] / x[1]) - 1), (1, -1, 0), -1, (3, 0, 0)),
    "exp + 1": (lambda x: x[2] / (np.exp(x[0] * x[1]) + 1), (1, 1, 0), -1, (0, 0, 1)),
    "cosh": (lambda x: x[2] / np.cosh(x[0] / x[1]), (1, -1, 0), -1, (0, 0, 1)),
    "tanh": (lambda x: x[2] * np.tanh(x[0] / x[1]), (1, -1, 0), 1, (0, 0, 1)),
    "arcsin": (lambda x: np.arcsin(x[0] / (6 * x[1] * x[2])), (1, -1, -1), 1, (0, 0, 0)),
}


@pytest.mark.parametrize("shape", LAWS)
def test_a_law_without_noise_leaves_little(shape, rng):
    function, monomial, power, powers = LAWS[shape]
    logs = rows(rng)
    y = function(np.exp(logs).T)
    scale = {"arcsin": 1 / 6, "1 - u": 1 / 25, "ratio": 1 / 5, "u - 1": 2.0}.get(shape, 1.0)  # one in some unit
    units = np.array([scale ** (1 / monomial[0]), 1, 1] if monomial[0] else [1, scale ** (1 / monomial[1]), 1])
    found = judged(scan(logs, np.log(y), y**2, units, everything), logs, y, np.ones(N), is_logarithm=False)
    best = min(found, key=lambda law: (law.left > 1e-15, law.symbols))  # of several spellings the shortest
    assert best.left < 1e-15
    assert (best.shape, best.monomial, best.power, best.powers) == (shape, monomial, power, powers)


def test_a_law_with_noise_comes_first(rng):
    logs = np.log(rng.uniform([1, 1, 3], [5, 2, 10], (1000, 3)))
    m, v, c = np.exp(logs).T
    y = m * v / np.sqrt(1 - v**2 / c**2)
    y = y + 0.05 * np.sqrt(np.mean(y**2)) * rng.normal(size=len(y))
    weight = np.ones(len(y))
    found = scan(logs, *working_logarithm(logs, y, weight), np.ones(3), everything)
    best = judged(found, logs, y, weight, is_logarithm=False)[:8]
    assert any((law.shape, law.monomial, law.power) == ("1 - u", (0.0, 2.0, -2.0), -0.5) for law in best)


def test_the_logarithm_is_a_law_of_its_own(rng):
    """Rydberg's formula, as a logarithm."""
    n, m = rng.integers(1, 5, 50), rng.integers(1, 9, 50)
    logs = np.log(np.stack([n, n + m], axis=1).astype(float))
    y = -np.log(1e7 * (1 / n**2 - 1 / (n + m) ** 2))
    found = judged(scan(logs, y, np.ones(50), np.ones(2), everything), logs, y, np.ones(50), is_logarithm=True)
    assert found[0].left < 1e-15
    assert (found[0].shape, found[0].monomial, found[0].powers) == ("1 - u", (2.0, -2.0), (2.0, 0.0))


def test_functions_that_are_not_allowed_are_left_out(rng):
    logs = rows(rng)
    found = scan(logs, np.tanh(logs[:, 0]) + 3, np.ones(N), np.ones(3), lambda name: name == "log")
    assert {law.shape for law in found} <= {name for name, s in SHAPES.items() if s.needs in ((), ("log",))}


@pytest.mark.parametrize("n_features", [1, 2, 5, 8, 40])
def test_the_number_of_monomials_is_bounded_and_none_comes_twice(n_features):
    monomials = monomials_of(n_features)
    assert 2 * n_features <= len(monomials) <= 1500
    assert len(set(monomials)) == len(monomials)


def test_noise_does_not_bend_the_working_logarithm(rng):
    """The logarithm of the target itself is lower, on average, where noise is as large as the target."""
    logs = rows(rng, 2)
    truth = np.exp(logs @ [1.5, -1.0])
    y = truth + 0.3 * truth.mean() * rng.normal(size=N)
    response, weight = working_logarithm(logs, y, np.ones(N))
    A = np.column_stack([np.ones(N), logs]) * np.sqrt(weight)[:, None]
    slopes = np.linalg.lstsq(A, response * np.sqrt(weight), rcond=None)[0][1:]
    assert slopes == pytest.approx([1.5, -1.0], abs=0.15)
    assert (y < 0).any()


def test_rows_that_tell_nothing_are_no_error(rng):
    """A column that is one on all rows of a sample, and a target beyond the squares of float64."""
    logs = rows(rng, 2) * [1, 0]
    response, weight = working_logarithm(logs, np.exp(logs[:, 0]), np.ones(N))
    assert np.isfinite(response).all()
    assert scan(logs, response, weight, np.ones(2), everything) == []
    assert working_logarithm(200 * logs, np.exp(200 * logs[:, 0]) * 1e100, np.ones(N)) is None


def test_nothing_is_found_where_there_is_nothing_to_find(rng):
    logs = rows(rng)
    assert scan(logs, logs @ [1.0, 2.0, 0.0], np.ones(N), np.ones(3), everything, deadline=time.time()) == []
    assert scan(np.repeat(logs[:, :1], 2, axis=1), logs[:, 0] ** 2, np.ones(N), np.ones(2), everything) == []
    assert working_logarithm(logs[:8], np.ones(8), np.ones(8)) is None


def test_a_short_range_is_no_reason_for_high_powers(rng):
    """Arrhenius' law: from 280 to 360 kelvins any power of the temperature would do, too, with another rate."""
    logs = np.log(np.linspace(280, 360, 80))[:, None]
    y = 1.3e11 * np.exp(-7200 / np.exp(logs[:, 0])) * (1 + 0.03 * rng.normal(size=80))
    weight = np.ones(80)
    [best, *_] = judged(scan(logs, *working_logarithm(logs, y, weight), np.ones(1), everything), logs, y, weight, False)
    assert (best.shape, best.monomial, best.powers) == ("exp", (-1.0,), (0.0,))
