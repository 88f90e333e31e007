"""Levenberg-Marquardt on batches: exact constants, trials that do not see each other, weights, standard errors."""

import numpy as np
import pytest
import torch

from sklearn_eql.primitives import PRIMITIVES
from sklearn_eql.sparse.levenberg_marquardt import (
    joint_curvature,
    levenberg_marquardt,
    residual_jacobian,
    standard_errors,
)
from sklearn_eql.sparse.program import Program
from sklearn_eql.sparse.steps import without_undefined
from sklearn_eql.sparse.structure import SparseUnit, Structure

X = np.random.default_rng(0).uniform(0.5, 2, (40, 2))
ROWS = torch.from_numpy(X)


def unit(name, *args):
    return SparseUnit(name, tuple(tuple(arg) for arg in args))


def free(*terms):
    return [(source, float(c), True) for source, c in terms]


def fixed(source):
    return (source, 1.0, False)


# Name -> structure with start values, true inner coefficients, true output coefficients.
LAWS = {
    "linear": (Structure(2, (), tuple(free((0, 0), (1, 0), (2, 0)))), [], [1.25, -3.5, 0.75]),
    "sine": (Structure(2, (unit("sin", free((0, 0), (1, 2.5))),), tuple(free((2, 0), (3, 1)))), [0.7, 2.2], [0.5, 3.3]),
    "power law": (
        Structure(
            2,
            (unit("log", [fixed(1)]), unit("log", [fixed(2)]), unit("exp", free((3, 1), (4, 1)))),
            tuple(free((5, 1))),
        ),
        [1.7, -0.6],
        [2.4],
    ),
    "quotient": (
        Structure(2, (unit("div", [fixed(1)], [*free((0, 0.5)), fixed(2)]),), tuple(free((3, 1)))),
        [1.3],
        [4.2],
    ),
    "nested": (
        Structure(2, (unit("square", [fixed(1), *free((2, 0.5))]), unit("exp", free((3, -0.1)))), tuple(free((4, 1)))),
        [0.8, -0.3],
        [1.9],
    ),
    "sigmoid": (Structure(2, (unit("sigmoid", free((0, 0), (1, 2))),), tuple(free((3, 1)))), [-2.1, 3.1], [1.6]),
    "power": (Structure(2, (unit("pow", [fixed(1)], free((0, 1))),), tuple(free((0, 0), (3, 1)))), [2.3], [-0.4, 1.1]),
}


def truth(name):
    structure, inner, output = LAWS[name]
    exact = structure.with_coefficients(inner, output)
    return exact, torch.from_numpy(exact.to_equation().evaluate(X))


def coefficients(structure):
    return np.array([c for form in structure.forms() for _, c, is_free in form if is_free])


@pytest.mark.parametrize("name", LAWS)
def test_constants_of_a_law_without_noise_are_recovered_to_ten_digits(name):
    exact, target = truth(name)
    found = levenberg_marquardt([LAWS[name][0]], PRIMITIVES, ROWS, target, max_iter=60)[0]
    assert found.loss < 1e-24 * float(target.var())
    np.testing.assert_allclose(coefficients(found.structure), coefficients(exact), rtol=1e-10)


def test_fixed_coefficients_keep_their_values():
    structure = Structure(2, (unit("sin", [(1, 2.0, False)]),), ((0, 0.5, False), (3, 1.0, True)))
    target = 0.5 + 3 * torch.sin(2 * ROWS[:, 0])
    found = levenberg_marquardt([structure], PRIMITIVES, ROWS, target)[0]
    assert found.structure.units == structure.units
    assert found.structure.output[0] == (0, 0.5, False)
    assert found.structure.output[1][1] == pytest.approx(3, rel=1e-12)


def test_a_batch_gives_each_structure_the_result_of_its_solo_fit(rng):
    target = truth("nested")[1] + 0.1 * torch.from_numpy(rng.normal(size=40))
    structures = [structure for structure, _, _ in LAWS.values()]
    together = levenberg_marquardt(structures, PRIMITIVES, ROWS, target, max_iter=20)
    for structure, result in zip(structures, together, strict=True):
        alone = levenberg_marquardt([structure], PRIMITIVES, ROWS, target, max_iter=20)[0]
        assert result.structure.key == structure.key
        assert result.loss == pytest.approx(alone.loss, rel=1e-7)


def test_a_trial_that_is_not_finite_does_not_touch_the_others():
    target = truth("sine")[1]
    rows = ROWS - 1
    overflow = Structure(2, (unit("exp", free((1, 1e4))),), tuple(free((3, 1))))
    broken = [
        Structure(2, (unit("log", [fixed(1)]),), tuple(free((3, 1)))),
        Structure(2, (unit("sqrt", [fixed(1), *free((0, -9))]),), tuple(free((3, 1)))),
        Structure(2, (unit("div", [fixed(1)], [(1, 0.0, False)]),), tuple(free((3, 1)))),
        overflow,
    ]
    good = LAWS["sine"][0]
    alone = levenberg_marquardt([good], PRIMITIVES, rows, target)[0]
    among = levenberg_marquardt([broken[0], broken[1], good, broken[2], broken[3]], PRIMITIVES, rows, target)
    assert [np.isfinite(result.loss) for result in among] == [False, False, True, False, False]
    assert among[2].loss == pytest.approx(alone.loss, rel=1e-9)
    np.testing.assert_allclose(coefficients(among[2].structure), coefficients(alone.structure), rtol=1e-6)


def test_integer_weights_count_rows(rng):
    target = truth("sine")[1] + 0.1 * torch.from_numpy(rng.normal(size=40))
    weight = rng.integers(1, 4, 40)
    structure = LAWS["sine"][0]
    scaled = torch.from_numpy(weight / weight.mean())
    weighted = levenberg_marquardt([structure], PRIMITIVES, ROWS, target, scaled)[0]
    rows = torch.from_numpy(np.repeat(np.arange(40), weight))
    repeated = levenberg_marquardt([structure], PRIMITIVES, ROWS[rows], target[rows])[0]
    assert weighted.loss == pytest.approx(repeated.loss, rel=1e-9)
    np.testing.assert_allclose(coefficients(weighted.structure), coefficients(repeated.structure), rtol=1e-6)


def test_output_coefficients_are_those_of_least_squares(rng):
    target = torch.from_numpy(rng.normal(size=40))
    found = levenberg_marquardt([LAWS["linear"][0]], PRIMITIVES, ROWS, target)[0]
    expected = np.linalg.lstsq(np.c_[np.ones(40), X], target.numpy(), rcond=None)[0]
    np.testing.assert_allclose(coefficients(found.structure), expected, rtol=1e-10)


def test_columns_that_depend_on_each_other_are_fitted_all_the_same():
    rows = torch.cat([ROWS, ROWS[:, :1]], dim=1)
    structure = Structure(3, (), tuple(free((0, 0), (1, 0), (3, 0))))
    target = 2 * ROWS[:, 0] + 1
    found = levenberg_marquardt([structure], PRIMITIVES, rows, target)[0]
    assert found.loss < 1e-18
    np.testing.assert_allclose(found.structure.to_equation().evaluate(rows.numpy()), target, rtol=1e-9)


def test_no_steps_evaluate_the_start():
    structure = Structure(2, (unit("sin", [(1, 2.0, False)]),), ((3, 3.0, False),))
    found = levenberg_marquardt([structure], PRIMITIVES, ROWS, torch.zeros(40, dtype=torch.float64), max_iter=0)[0]
    assert found.structure == structure
    assert found.loss == pytest.approx(np.mean((3 * np.sin(2 * X[:, 0])) ** 2), rel=1e-12)


def test_no_structures_give_no_results():
    assert levenberg_marquardt([], PRIMITIVES, ROWS, ROWS[:, 0]) == []


def test_a_fit_never_ends_worse_than_it_started(rng):
    target = torch.from_numpy(rng.normal(size=40))
    structures = [structure for structure, _, _ in LAWS.values()]
    start = levenberg_marquardt(structures, PRIMITIVES, ROWS, target, max_iter=0)
    end = levenberg_marquardt(structures, PRIMITIVES, ROWS, target, max_iter=30)
    assert all(after.loss <= before.loss for before, after in zip(start, end, strict=True))


def test_standard_errors_are_those_of_linear_regression(rng):
    noise = torch.from_numpy(0.1 * rng.normal(size=40))
    target = 1 + 2 * ROWS[:, 0] - 3 * ROWS[:, 1] + noise
    found = levenberg_marquardt([LAWS["linear"][0]], PRIMITIVES, ROWS, target)[0]
    design = np.c_[np.ones(40), X]
    residual = target.numpy() - found.structure.to_equation().evaluate(X)
    expected = np.sqrt(residual @ residual / 37 * np.diag(np.linalg.inv(design.T @ design)))
    np.testing.assert_allclose(standard_errors(found.structure, PRIMITIVES, ROWS, target), expected, rtol=1e-9)


def test_standard_errors_cover_the_true_constants():
    exact, target = truth("sine")
    scores = []
    for seed in range(40):
        noisy = target + 0.1 * torch.from_numpy(np.random.default_rng(seed).normal(size=40))
        found = levenberg_marquardt([exact], PRIMITIVES, ROWS, noisy)[0].structure
        errors = standard_errors(found, PRIMITIVES, ROWS, noisy)
        scores.append((coefficients(found) - coefficients(exact)) / errors)
    assert 0.7 < np.sqrt(np.mean(np.square(scores))) < 1.4


def test_what_the_rows_do_not_determine_has_an_infinite_error(rng):
    rows = torch.cat([ROWS, ROWS[:, :1]], dim=1)
    structure = Structure(3, (), tuple(free((0, 1), (1, 1), (2, 1), (3, 1))))
    target = ROWS[:, 0] + torch.from_numpy(0.1 * rng.normal(size=40))
    found = levenberg_marquardt([structure], PRIMITIVES, rows, target)[0].structure
    errors = standard_errors(found, PRIMITIVES, rows, target)
    assert np.isinf(errors[[1, 3]]).all()
    assert np.isfinite(errors[[0, 2]]).all()


def test_the_joint_curvature_is_that_of_finite_differences(rng):
    exact, target = truth("nested")
    noisy = target + 0.1
    weight = torch.from_numpy(rng.uniform(0.5, 1.5, 40))
    values, matrix, loss = joint_curvature([exact], PRIMITIVES, ROWS, noisy, weight)[0]
    np.testing.assert_array_equal(values, coefficients(exact))
    assert loss == pytest.approx(float((weight * 0.01).mean()), rel=1e-9)
    mask = np.array([is_free for form in exact.forms() for _, _, is_free in form])
    equation = exact.to_equation()
    columns = []
    for i in np.flatnonzero(mask):
        step = np.zeros(len(mask))
        step[i] = 1e-6
        above, below = (equation.with_coefficients(equation.coefficients() + s * step).evaluate(X) for s in (1, -1))
        columns.append((above - below) / 2e-6)
    jacobian = np.array(columns) * np.sqrt(weight.numpy())
    np.testing.assert_allclose(matrix, jacobian @ jacobian.T, rtol=1e-6)


@pytest.mark.parametrize("name", LAWS)
def test_the_jacobian_of_a_law_is_that_of_finite_differences(name, rng):
    exact, target = truth(name)
    weight = torch.from_numpy(rng.uniform(0.5, 1.5, 40))
    values, jacobian, residual = residual_jacobian(exact, PRIMITIVES, ROWS, target + 0.1, weight)
    np.testing.assert_array_equal(values, coefficients(exact))
    np.testing.assert_allclose(residual, 0.1 * weight.sqrt(), rtol=1e-9)
    equation, mask = exact.to_equation(), [is_free for form in exact.forms() for _, _, is_free in form]
    for column, i in zip(jacobian, np.flatnonzero(mask), strict=True):
        step = 1e-6 * (np.arange(len(mask)) == i)
        above, below = (equation.with_coefficients(equation.coefficients() + s * step).evaluate(X) for s in (1, -1))
        np.testing.assert_allclose(column, (above - below) / 2e-6 * weight.sqrt().numpy(), rtol=1e-5, atol=1e-7)


def test_the_law_zero_has_no_coefficients_and_no_errors():
    zero = Structure(2, (), ())
    values, matrix, loss = joint_curvature([zero], PRIMITIVES, ROWS, ROWS[:, 0], None)[0]
    assert values.shape == (0,)
    assert matrix.shape == (0, 0)
    assert loss == pytest.approx(np.mean(X[:, 0] ** 2))
    assert standard_errors(zero, PRIMITIVES, ROWS, ROWS[:, 0]).shape == (0,)


# Blocks and deadlines ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("weights", ["none", "one for all", "one each"])
def test_blocks_of_rows_give_what_all_rows_at_once_give(weights, rng):
    structures = [LAWS[name][0] for name in LAWS] + [Structure(2, (), ((0, 0.5, False), (1, 1.0, True)))]
    y = torch.from_numpy(np.sin(2.2 * X[:, 1]) + X[:, 0] + 0.1 * rng.normal(size=40))
    targets = torch.stack([y * (1 + k) for k in range(len(structures))]) if weights == "one each" else y
    weight = {
        "none": None,
        "one for all": torch.from_numpy(rng.uniform(0.5, 1.5, 40)),
        "one each": torch.from_numpy(rng.uniform(0.5, 1.5, (len(structures), 40))),
    }[weights]
    whole = levenberg_marquardt(structures, PRIMITIVES, ROWS, targets, weight, max_iter=6)
    blocks = levenberg_marquardt(structures, PRIMITIVES, ROWS, targets, weight, max_iter=6, block=16)
    assert [r.loss for r in blocks] == pytest.approx([r.loss for r in whole], rel=1e-7)


def test_an_exact_law_is_exact_in_blocks_too():
    exact, target = truth("sine")
    [found] = levenberg_marquardt([LAWS["sine"][0]], PRIMITIVES, ROWS, target, max_iter=30, block=7)
    assert found.loss < 1e-24
    np.testing.assert_allclose(
        found.structure.to_equation().coefficients(), exact.to_equation().coefficients(), rtol=1e-10
    )


def test_a_law_that_is_undefined_in_one_block_has_no_loss():
    rows = ROWS.clone()
    rows[33, 0] = -1.0
    losses = [
        r.loss
        for r in levenberg_marquardt(
            [LAWS["power law"][0], LAWS["linear"][0]], PRIMITIVES, rows, rows[:, 1], block=8, max_iter=3
        )
    ]
    assert losses[0] == np.inf
    assert losses[1] < 1e-20


def test_rows_are_bound_one_block_at_a_time(monkeypatch):
    sizes = set()
    bind = Program.bind
    monkeypatch.setattr(Program, "bind", lambda self, rows, *given: sizes.add(len(rows)) or bind(self, rows, *given))
    levenberg_marquardt([LAWS["sine"][0]], PRIMITIVES, ROWS, ROWS[:, 1], max_iter=2, block=16)
    assert sizes == {16, 8}


def test_after_the_deadline_no_step_and_no_further_batch_begins(monkeypatch):
    monkeypatch.setattr("sklearn_eql.sparse.levenberg_marquardt._ROWS_AT_ONCE", 2 * len(ROWS))
    _, target = truth("sine")
    start = LAWS["sine"][0]
    found = levenberg_marquardt([start] * 5, PRIMITIVES, ROWS, target, max_iter=30, deadline=0.0)
    assert np.isfinite([r.loss for r in found]).tolist() == [True, True, False, False, False]
    assert [r.structure.units for r in found] == [start.units] * 5


@pytest.mark.parametrize("n_structures", [1, 40])
@pytest.mark.parametrize("block", [7, 1000])
def test_a_row_at_the_end_of_the_domain_has_no_say_in_the_step(n_structures, block):
    """``sqrt(x - 1)`` has an infinite slope where x is 1."""
    rows = torch.linspace(1, 3, 30, dtype=torch.float64)[:, None]
    y = 2 * (rows[:, 0] - 1).sqrt()
    start = Structure(1, (unit("sqrt", [fixed(1), *free((0, -0.9))]),), tuple(free((2, 1))))
    at_end = Structure(1, (unit("sqrt", [fixed(1), *free((0, -1.0))]),), tuple(free((2, 1))))
    for structure, most in ((start, 1e-8), (at_end, 1e-25)):
        fitted = levenberg_marquardt([structure] * n_structures, PRIMITIVES, rows, y, max_iter=60, block=block)
        assert max(result.loss for result in fitted) < most


def test_slopes_beyond_all_numbers_are_put_to_zero():
    slopes = np.array([[1.0, np.inf, -np.inf], [np.nan, 1e200, -2.0]])
    without_undefined(slopes)
    assert slopes.tolist() == [[1.0, 0.0, 0.0], [0.0, 0.0, -2.0]]
