"""Programs of sparse networks: values and derivatives are those of their equations."""

import numpy as np
import pytest
import torch
from searched_structures import X, structures_of_a_search

from sklearn_eql.primitives import PRIMITIVES, Primitive
from sklearn_eql.sparse.levenberg_marquardt import levenberg_marquardt
from sklearn_eql.sparse.program import Program, SourceRows
from sklearn_eql.sparse.structure import SparseUnit, Structure

ROWS = torch.from_numpy(X)
NOTHING = np.zeros(len(X))
WEIGHT = np.random.default_rng(1).uniform(0.5, 1.5, len(X))


def bound(structure, root=None, primitives=PRIMITIVES, rows=ROWS):
    program = Program(structure, primitives)
    assert program.bind(SourceRows(rows, primitives), np.zeros(len(rows)), root)
    return program


def free_output(structure):
    return np.array([c for _, c, is_free in structure.output if is_free])


def values_of(program, structure, theta):
    """Of the law, with the target zero: what the free terms give, less what is left for them."""
    with np.errstate(all="ignore"):
        aim = program.evaluate(theta)
        return free_output(structure) @ program.phi - aim


@pytest.mark.parametrize("root", [None, np.sqrt(WEIGHT)])
@pytest.mark.parametrize("preset", ["default", "piecewise"])
def test_a_program_evaluates_a_structure_as_its_equation(preset, root):
    structures = structures_of_a_search(0, preset)
    assert len(structures) > 20
    for structure in structures:
        program = bound(structure, root)
        expected = structure.to_equation().evaluate(X) * (1 if root is None else root)
        np.testing.assert_allclose(values_of(program, structure, program.theta), expected, rtol=1e-10, atol=1e-10)


def test_fixed_terms_of_the_output_are_left_out_of_what_is_fitted():
    sine = SparseUnit("sin", (((1, 2.0, True),),))
    for fixed in ((1, 0.5, False), (4, 0.5, False)):
        structure = Structure(3, (sine,), ((0, 1.0, True), fixed))
        program = bound(structure)
        expected = structure.to_equation().evaluate(X)
        np.testing.assert_allclose(values_of(program, structure, program.theta), expected, rtol=1e-12)
        assert program.phi.shape == (1, len(X))


@pytest.mark.parametrize("root", [None, np.sqrt(WEIGHT)])
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_derivatives_agree_with_finite_differences(seed, root):
    compared = 0
    for structure in structures_of_a_search(seed):
        program = bound(structure, root)
        theta = program.theta
        size = np.abs(values_of(program, structure, theta)).max()
        with np.errstate(all="ignore"):
            program.differentiate(free_output(structure))
        jacobian = program.jacobian.copy()
        for k in range(len(theta)):
            step = np.zeros_like(theta)
            step[k] = 1e-6 * max(abs(theta[k]), 1e-3)
            above, below = (values_of(program, structure, theta + s * step) for s in (1, -1))
            slope = (above - below) / (2 * step[k])
            if np.isfinite(slope).all() and np.isfinite(jacobian).all():
                noise = 1e-9 * size / step[k]
                np.testing.assert_allclose(jacobian[k], slope, rtol=1e-4, atol=1e-5 * np.abs(jacobian).max() + noise)
                compared += 1
    assert compared > 50


def test_coefficients_return_to_the_places_that_they_came_from():
    for structure in structures_of_a_search(4):
        program = Program(structure, PRIMITIVES)
        inner = program.layout.in_order(program.theta)
        assert structure.with_coefficients(inner, free_output(structure).tolist()) == structure


def test_a_logarithm_of_a_feature_is_undefined_for_a_structure_where_one_row_is():
    rows = ROWS - 1.2
    log = Structure(3, (SparseUnit("log", (((1, 1.0, False),),)),), ((4, 2.0, True),))
    square = Structure(3, (SparseUnit("square", (((1, 1.0, False),),)),), ((4, 2.0, True),))
    shared = SourceRows(rows, PRIMITIVES)
    with np.errstate(all="ignore"):
        assert not Program(log, PRIMITIVES).bind(shared, NOTHING, None)
    assert Program(square, PRIMITIVES).bind(shared, NOTHING, None)


def test_a_zero_to_a_power_is_undefined_like_its_logarithm():
    rows = ROWS.clone()
    rows[3, 0] = 0.0
    power = Structure(
        3, (SparseUnit("log", (((1, 1.0, False),),)), SparseUnit("exp", (((4, 2.0, True),),))), ((5, 1.0, True),)
    )
    [found] = levenberg_marquardt([power], PRIMITIVES, rows, rows[:, 0] ** 2)
    assert found.loss == np.inf


def test_a_unit_without_arguments_is_a_constant():
    structure = Structure(3, (SparseUnit("const", ()),), ((4, 2.5, True),))
    np.testing.assert_array_equal(values_of(bound(structure), structure, np.zeros(0)), 2.5)


def test_a_function_of_the_users_own_is_evaluated_by_torch():
    bell = Primitive("exp", 1, lambda g: 1 / (1 + g * g), lambda g: 1 / (1 + g**2))
    structure = Structure(3, (SparseUnit("exp", (((1, 0.5, True),),)),), ((4, 2.0, True),))
    program = bound(structure, primitives={**PRIMITIVES, "exp": bell})
    g = 0.5 * X[:, 0]
    np.testing.assert_allclose(values_of(program, structure, program.theta), 2 / (1 + g**2), rtol=1e-14)
    program.differentiate(np.array([2.0]))
    np.testing.assert_allclose(program.jacobian[0], -4 * g / (1 + g**2) ** 2 * X[:, 0], rtol=1e-12)
