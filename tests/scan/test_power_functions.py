"""Power laws times functions of monomials, in logarithms: the right one comes first, with and without noise."""

import time
from functools import partial

import numpy as np
import pytest

from sklearn_eql.scan.function_products import scan_products
from sklearn_eql.scan.judging import judged
from sklearn_eql.scan.magnitudes import Magnitudes, odd_exponents
from sklearn_eql.scan.power_functions import scan
from sklearn_eql.scan.shapes import SHAPES, SIGNED, monomials_of
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
    table = Magnitudes.positive(logs, units)
    found = judged(scan(table, [(np.log(y), y**2)], everything)[0], table, y, np.ones(N), is_logarithm=False)
    best = min(found, key=lambda law: (law.left > 1e-15, law.symbols))  # of several spellings the shortest
    assert best.left < 1e-15
    [factor] = best.factors
    assert (factor.shape, factor.monomial, factor.power, best.powers) == (shape, monomial, power, powers)


def test_a_law_with_noise_comes_first(rng):
    logs = np.log(rng.uniform([1, 1, 3], [5, 2, 10], (1000, 3)))
    m, v, c = np.exp(logs).T
    y = m * v / np.sqrt(1 - v**2 / c**2)
    y = y + 0.05 * np.sqrt(np.mean(y**2)) * rng.normal(size=len(y))
    weight = np.ones(len(y))
    table = Magnitudes.positive(logs, np.ones(3))
    best = judged(
        scan(table, [working_logarithm(logs, y, weight)], everything)[0], table, y, weight, is_logarithm=False
    )
    factors = [law.factors[0] for law in best[:8]]
    assert any((f.shape, f.monomial, f.power) == ("1 - u", (0.0, 2.0, -2.0), -0.5) for f in factors)


def test_the_logarithm_is_a_law_of_its_own(rng):
    """Rydberg's formula, as a logarithm."""
    n, m = rng.integers(1, 5, 50), rng.integers(1, 9, 50)
    logs = np.log(np.stack([n, n + m], axis=1).astype(float))
    y = -np.log(1e7 * (1 / n**2 - 1 / (n + m) ** 2))
    table = Magnitudes.positive(logs, np.ones(2))
    [best, *_] = judged(scan(table, [(y, np.ones(50))], everything)[0], table, y, np.ones(50), is_logarithm=True)
    assert best.left < 1e-15
    assert (best.factors[0].shape, best.factors[0].monomial, best.powers) == ("1 - u", (2.0, -2.0), (2.0, 0.0))


def test_functions_that_are_not_allowed_are_left_out(rng):
    table = Magnitudes.positive(rows(rng), np.ones(3))
    target = np.tanh(table.logs[:, 0]) + 3
    for search in (scan, partial(scan_products, n_powers=3)):
        found = search(table, [(target, np.ones(N))], lambda name: name == "log")[0]
        assert {factor.shape for law in found for factor in law.factors} <= {
            name for name, s in (SHAPES | SIGNED).items() if s.needs in ((), ("log",))
        }


@pytest.mark.parametrize("n_features", [1, 2, 5, 8, 40])
def test_the_number_of_monomials_is_bounded_and_none_comes_twice(n_features):
    monomials = monomials_of(n_features)
    assert 2 * n_features <= len(monomials) <= 1800
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
    assert scan(Magnitudes.positive(logs, np.ones(2)), [(response, weight)], everything) == [[]]
    assert working_logarithm(200 * logs, np.exp(200 * logs[:, 0]) * 1e100, np.ones(N)) is None


def test_nothing_is_found_where_there_is_nothing_to_find(rng):
    logs = rows(rng)
    table = Magnitudes.positive(logs, np.ones(3))
    equal = Magnitudes.positive(np.repeat(logs[:, :1], 2, axis=1), np.ones(2))
    for search, both in ((scan, scan), (partial(scan_products, n_powers=3), partial(scan_products, n_powers=2))):
        assert search(table, [(logs[:, 0] ** 2, np.ones(N))], everything, deadline=time.time()) == [[]]
        assert both(equal, [(logs[:, 0] ** 2, np.ones(N))], everything) == [[]]
        assert search(table, [(logs @ [1.0, 2.0, 0.0], np.ones(N))], everything) == [[]]
    assert working_logarithm(logs[:8], np.ones(8), np.ones(8)) is None


def test_a_short_range_is_no_reason_for_high_powers(rng):
    """Arrhenius' law: from 280 to 360 kelvins any power of the temperature would do, too, with another rate."""
    logs = np.log(np.linspace(280, 360, 80))[:, None]
    y = 1.3e11 * np.exp(-7200 / np.exp(logs[:, 0])) * (1 + 0.03 * rng.normal(size=80))
    weight = np.ones(80)
    table = Magnitudes.positive(logs, np.ones(1))
    [best, *_] = judged(scan(table, [working_logarithm(logs, y, weight)], everything)[0], table, y, weight, False)
    assert (best.factors[0].shape, best.factors[0].monomial, best.powers) == ("exp", (-1.0,), (0.0,))


PRODUCTS = {
    "waves": (lambda a, b, c: a * np.sin(b * c) ** 2 / np.sin(b / 2) ** 2, {("sin", 2.0), ("sin", -2.0)}, (1, 0, 0)),
    "damped": (lambda a, b, c: np.exp(-b / 3) * np.sin(2 * c) * a**2, {("exp", None), ("sin", 1.0)}, (2, 0, 0)),
    "sums": (lambda a, b, c: c / (1 + a / b) / np.sqrt(1 + b * b), {("1 + u", -1.0), ("1 + u", -0.5)}, (0, 0, 1)),
    "three": (
        lambda a, b, c: (a - 1) * np.sin(b) / (1 + c) ** 2,
        {("1 - u", 1.0), ("sin", 1.0), ("1 + u", -2.0)},
        (0,) * 3,
    ),
}


@pytest.mark.parametrize("law", PRODUCTS)
def test_all_functions_of_a_product_are_found(law, rng):
    function, factors, powers = PRODUCTS[law]
    logs = rows(rng)
    y = function(*np.exp(logs).T)
    table = Magnitudes.positive(logs, np.ones(3))
    found = judged(
        scan_products(table, [(np.log(np.abs(y)), y**2)], everything, n_powers=3)[0],
        table,
        y,
        np.ones(N),
        is_logarithm=False,
    )
    best = min(found, key=lambda law: (law.left > 1e-15, law.symbols))
    assert best.left < 1e-15
    assert {(f.shape, None if f.shape == "exp" else f.power) for f in best.factors} == factors
    assert best.powers == powers


def test_columns_of_both_signs_have_powers_whose_signs_are_right(rng):
    x = rng.uniform([-1, -1, 2], [1, 1, 4], (N, 3))
    y = x[:, 0] * x[:, 1] ** 2 / (x[:, 0] - 4) / x[:, 2] ** 1.5
    negative = x < 0
    odd = odd_exponents(y, np.ones(N), negative, 0.9)
    assert odd.tolist() == [True, False, False]
    table = Magnitudes(np.log(np.abs(x)), negative, np.array([0.25, 1, 1]), odd)
    found = judged(scan(table, [(np.log(np.abs(y)), y**2)], everything)[0], table, y, np.ones(N), is_logarithm=False)
    best = min(found, key=lambda law: (law.left > 1e-15, law.symbols))
    assert best.left < 1e-15
    assert best.powers == (1, 2, -1.5)
    assert (best.factors[0].shape, best.factors[0].monomial) == ("1 - u", (1, 0, 0))


def test_signs_that_no_power_law_has_are_told(rng):
    x = rng.normal(size=(N, 2))
    assert odd_exponents(x[:, 0] + x[:, 1], np.ones(N), x < 0, 0.95) is None
    assert odd_exponents(np.sin(9 * x[:, 0]), np.ones(N), x < 0, 0.9) is None
    some = rng.normal(size=(N, 9))
    assert odd_exponents(some.prod(axis=1), np.ones(N), some < 0, 0.9) is None, "too many patterns"


def test_a_wave_of_a_difference_is_found_over_several_periods(rng):
    x = rng.uniform(1, 3, (N, 3))
    d = x[:, 0] - x[:, 1]
    y = x[:, 2] * np.sin(1.3 * d * x[:, 2]) ** 2 / d**2
    columns = np.stack([d, x[:, 2]], axis=1)
    table = Magnitudes(np.log(np.abs(columns)), columns < 0, np.ones(2), np.zeros(2, dtype=bool))
    found = judged(
        scan(table, [(np.log(y), y**2)], everything, shapes=SIGNED)[0], table, y, np.ones(N), is_logarithm=False
    )
    near = [law for law in found[:20] if law.factors[0].monomial == (1, 1) and law.powers == (-2, 1)]
    assert any(abs(law.factors[0].scale - 1.3) < 0.1 for law in near), "near enough for a fit"


def test_waves_of_sums_of_products_are_functions_of_a_product(rng):
    """The sums are columns after those of which there are powers."""
    x = rng.uniform(1, 3, (N, 4))
    sums = np.stack([x[:, 1] * x[:, 2] - x[:, 3], x[:, 1] + x[:, 3]], axis=1)
    y = x[:, 0] * np.exp(-x[:, 1] / 2) * np.cos(sums[:, 0])
    table = Magnitudes.positive(np.log(x), np.ones(4))
    whole = table.beside(Magnitudes(np.log(np.abs(sums)), sums < 0, np.ones(2)))
    [found] = scan_products(whole, [(np.log(np.abs(y)), y**2)], everything, n_powers=4, n_angles=2)
    best = min(judged(found, whole, y, np.ones(N), False), key=lambda law: (law.left > 1e-15, law.symbols))
    assert best.left < 1e-15
    assert {(f.shape, f.monomial) for f in best.factors} == {("exp", (0, 1, 0, 0, 0, 0)), ("cos", (0, 0, 0, 0, 1, 0))}
    assert best.powers == (1, 0, 0, 0, 0, 0)
