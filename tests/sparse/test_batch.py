"""Batches of programs: values and derivatives are those of each program alone, and so is where a fit ends."""

import numpy as np
import pytest
import torch
from searched_structures import X, structures_of_a_search

from sklearn_eql.primitives import PRIMITIVES, Primitive
from sklearn_eql.sparse import lockstep, normal_equations
from sklearn_eql.sparse.batch import Batch
from sklearn_eql.sparse.levenberg_marquardt import levenberg_marquardt
from sklearn_eql.sparse.program import Program, SourceRows
from sklearn_eql.sparse.structure import SparseUnit, Structure

ROWS = torch.from_numpy(X)
N_ROWS = len(X)
TARGET = torch.from_numpy(np.sin(2 * X[:, 0]) + X[:, 1] * X[:, 2])
FIXED = [  # terms of the output that are not fitted: of a feature, and of a unit that moves
    Structure(3, (SparseUnit("sin", (((1, 2.0, True),),)),), ((0, 1.0, True), term))
    for term in ((1, 0.5, False), (4, 0.5, False))
]
LINEAR = Structure(3, (), ((0, 1.0, True), (2, 1.0, True)))


@pytest.fixture
def few_are_enough(monkeypatch):
    """Batches of any size."""
    monkeypatch.setattr(lockstep, "_FEWEST", 2)


def batch_of(structures, rows, primitives=PRIMITIVES):
    programs = [Program(structure, primitives) for structure in structures]
    return programs, Batch(programs, [program.still_values(rows) for program in programs], len(rows))


def terms_and_jacobian(batch, numbers=None):
    """Of some structures, all by default; `batch` was evaluated and differentiated."""
    numbers = np.arange(batch.n_trials) if numbers is None else numbers
    terms = batch.terms(numbers, np.full((len(numbers), batch.n_terms, batch.n_rows), np.nan))
    out, factors = np.full((2, len(numbers), batch.n_inner, batch.n_rows), np.nan)
    return terms, batch.jacobian(numbers, out, factors)


def outputs(programs, n_terms, rng):
    found = np.zeros((len(programs), n_terms))
    for mine, program in zip(found, programs, strict=True):
        mine[: program.n_terms] = rng.normal(size=program.n_terms)
    return found


@pytest.mark.parametrize("weights", ["none", "one for all", "one each"])
@pytest.mark.parametrize("preset", ["default", "piecewise"])
def test_a_batch_computes_what_its_programs_compute(preset, weights, rng):
    structures = [*structures_of_a_search(0, preset), *FIXED, LINEAR]
    rows = SourceRows(ROWS, PRIMITIVES)
    shape = {"none": None, "one for all": (N_ROWS,), "one each": (len(structures), N_ROWS)}[weights]
    root = None if shape is None else rng.uniform(0.5, 1.5, shape)
    with np.errstate(all="ignore"):
        programs, batch = batch_of(structures, rows)
        given = batch.evaluate(batch.theta)
        output = outputs(programs, batch.n_terms, rng)
        batch.differentiate(output, root)
        phi, jacobian = terms_and_jacobian(batch)
        for t, program in enumerate(programs):
            mine = root if root is None or root.ndim == 1 else root[t]
            program.bind(rows, np.zeros(N_ROWS), mine)
            factor = 1.0 if mine is None else mine
            np.testing.assert_allclose(-factor * given[t], program.evaluate(program.theta), rtol=1e-12, atol=1e-12)
            np.testing.assert_allclose(factor * phi[t, : program.n_terms], program.phi, rtol=1e-12, atol=1e-12)
            assert (phi[t, program.n_terms :] == 0).all()
            program.differentiate(output[t, : program.n_terms])
            found = jacobian[t, : len(program.theta)]
            size = np.abs(program.jacobian[np.isfinite(program.jacobian)]).max(initial=1.0)
            np.testing.assert_allclose(found, program.jacobian, rtol=1e-9, atol=1e-12 * size)
            assert (jacobian[t, len(program.theta) :] == 0).all()


def test_a_batch_holds_functions_of_the_users_own():
    bell = Primitive("exp", 1, lambda g: 1 / (1 + g * g), lambda g: 1 / (1 + g**2))
    structures = [Structure(3, (SparseUnit("exp", (((k, 0.5, True),),)),), ((4, 2.0, True),)) for k in (1, 2)]
    _, batch = batch_of(structures, SourceRows(ROWS, PRIMITIVES), {**PRIMITIVES, "exp": bell})
    batch.evaluate(batch.theta)
    g = 0.5 * X[:, :2].T
    batch.differentiate(np.full((2, 1), 2.0), None)
    phi, jacobian = terms_and_jacobian(batch)
    np.testing.assert_allclose(phi[:, 0], 1 / (1 + g**2), rtol=1e-14)
    np.testing.assert_allclose(jacobian[:, 0], -4 * g / (1 + g**2) ** 2 * X[:, :2].T, rtol=1e-12)


def test_some_structures_are_computed_without_the_others(rng):
    programs, batch = batch_of(structures_of_a_search(3), SourceRows(ROWS, PRIMITIVES))
    with np.errstate(all="ignore"):
        batch.evaluate(batch.theta)
        batch.differentiate(outputs(programs, batch.n_terms, rng), None)
        numbers = np.array([1, 4, 5])
        for some, every in zip(terms_and_jacobian(batch, numbers), terms_and_jacobian(batch), strict=True):
            np.testing.assert_array_equal(some, every[numbers])


@pytest.mark.parametrize("weighted", [False, True])
def test_a_fit_ends_in_step_where_it_ends_alone(weighted, few_are_enough, monkeypatch, rng):
    structures = [*structures_of_a_search(5), *FIXED, LINEAR]
    weight = torch.from_numpy(rng.uniform(0.5, 1.5, (len(structures), N_ROWS))) if weighted else None
    together = levenberg_marquardt(structures, PRIMITIVES, ROWS, TARGET, weight, max_iter=4)
    monkeypatch.setattr(lockstep, "_FEWEST", len(structures) + 1)
    alone = levenberg_marquardt(structures, PRIMITIVES, ROWS, TARGET, weight, max_iter=4)
    losses = np.array([[one.loss, other.loss] for one, other in zip(together, alone, strict=True)])
    same = np.isclose(losses[:, 0], losses[:, 1], rtol=1e-6, atol=1e-20)
    assert same.mean() > 0.95  # where derivatives nearly depend on each other, rounding decides on a step
    assert [r.structure.key for r in together] == [s.key for s in structures]


def test_an_undefined_structure_leaves_the_others_as_they_are(few_are_enough):
    rows = ROWS.clone()
    rows[3, 0] = -1.0
    log = Structure(3, (SparseUnit("log", (((1, 1.0, False),),)),), ((4, 2.0, True),))
    root = Structure(3, (SparseUnit("sqrt", (((1, 1.0, False), (2, 0.1, True)),)),), ((4, 2.0, True),))
    good = [Structure(3, (SparseUnit("sin", (((2, c, True),),)),), ((4, 1.0, True),)) for c in (1.0, 1.2, 1.4, 2.2)]
    found = levenberg_marquardt([log, *good, root, LINEAR], PRIMITIVES, rows, TARGET, max_iter=10)
    alone = [levenberg_marquardt([s], PRIMITIVES, rows, TARGET, max_iter=10)[0] for s in good]
    assert found[0].loss == found[5].loss == np.inf
    assert [r.loss for r in found[1:5]] == pytest.approx([r.loss for r in alone], rel=1e-6)
    assert np.isfinite(found[6].loss)


def test_a_few_that_go_on_leave_the_batch(few_are_enough):
    start = Structure(3, (SparseUnit("sin", (((1, 1.9, True),),)),), ((4, 1.0, True),))
    target = torch.from_numpy(np.sin(2 * X[:, 0]))
    found = levenberg_marquardt([LINEAR] * 20 + [start], PRIMITIVES, ROWS, target, max_iter=30)
    assert found[-1].loss < 1e-24
    assert found[-1].structure.units[0].args[0][0][1] == pytest.approx(2.0, rel=1e-10)


def test_floors_end_the_fits_of_a_batch_one_by_one(few_are_enough):
    starts = [Structure(3, (SparseUnit("sin", (((1, 1.9, True),),)),), ((4, 1.0, True),))] * 8
    target = torch.from_numpy(np.sin(2 * X[:, 0]))
    floors = torch.tensor([np.inf] * 4 + [0.0] * 4, dtype=torch.float64)
    losses = [r.loss for r in levenberg_marquardt(starts, PRIMITIVES, ROWS, target, max_iter=20, floor=floors)]
    assert max(losses[4:]) < 1e-24 < min(losses[:4])


@pytest.mark.parametrize("at_once", [1, 7, 1000])
def test_how_many_are_solved_at_once_decides_nothing_but_rounding(at_once, few_are_enough, monkeypatch):
    structures = [*structures_of_a_search(5), *FIXED, LINEAR]
    usual = [r.loss for r in levenberg_marquardt(structures, PRIMITIVES, ROWS, TARGET, max_iter=4)]
    monkeypatch.setattr(normal_equations, "_AT_ONCE", at_once)
    losses = [r.loss for r in levenberg_marquardt(structures, PRIMITIVES, ROWS, TARGET, max_iter=4)]
    assert np.isclose(usual, losses, rtol=1e-6, atol=1e-20).mean() > 0.95
