"""Fits on a device: values, derivatives and results are those of the CPU, and the host hardly waits."""

import pickle
import time
from collections import Counter

import numpy as np
import pytest
import torch
from disguised_device import NAME, DisguisedDevice
from searched_structures import X, structures_of_a_search

from sklearn_eql.primitives import PRIMITIVES, Primitive
from sklearn_eql.sparse import device_lockstep
from sklearn_eql.sparse.device_batch import DeviceBatch
from sklearn_eql.sparse.levenberg_marquardt import levenberg_marquardt
from sklearn_eql.sparse.packing import Packing
from sklearn_eql.sparse.program import Program, SourceRows
from sklearn_eql.sparse.steps import without_undefined
from sklearn_eql.sparse.structure import SparseUnit, Structure

ROWS = torch.from_numpy(X)
N_ROWS = len(X)
TARGET = torch.from_numpy(np.sin(2 * X[:, 0]) + X[:, 1] * X[:, 2])
FIXED = [  # terms of the output that are not fitted: of a feature, and of a unit that moves
    Structure(3, (SparseUnit("sin", (((1, 2.0, True),),)),), ((0, 1.0, True), term))
    for term in ((1, 0.5, False), (4, 0.5, False))
]
LINEAR = Structure(3, (), ((0, 1.0, True), (2, 1.0, True)))
SINE = Structure(3, (SparseUnit("sin", (((1, 1.9, True),),)),), ((4, 1.0, True),))


@pytest.fixture
def device():
    with DisguisedDevice() as device:
        yield device


@pytest.fixture(autouse=True)
def any_work_is_enough(monkeypatch):
    monkeypatch.setattr(device_lockstep, "_LEAST_VALUES", 0)


def losses(structures, target=TARGET, weight=None, device="cpu", **rules):
    found = levenberg_marquardt(structures, PRIMITIVES, ROWS, target, weight, device=device, **rules)
    assert [r.structure.key for r in found] == [s.key for s in structures]
    return np.array([r.loss for r in found])


@pytest.mark.parametrize("weights", ["none", "one for all", "one each"])
@pytest.mark.parametrize("preset", ["default", "piecewise"])
def test_a_batch_computes_what_its_programs_compute(device, preset, weights, rng):
    structures = [*structures_of_a_search(0, preset), *FIXED, LINEAR]
    programs = [Program(structure, PRIMITIVES) for structure in structures]
    rows = SourceRows(ROWS, PRIMITIVES)
    shape = {"none": None, "one for all": (N_ROWS,), "one each": (len(structures), N_ROWS)}[weights]
    root = None if shape is None else rng.uniform(0.5, 1.5, shape)
    packing = Packing([p.layout for p in programs], weights == "one each")
    given = rows.on(NAME, packing.columns, packing.logarithms)
    there = None if root is None else torch.from_numpy(root).to(NAME)
    batch = DeviceBatch(packing, PRIMITIVES, given, there, torch.from_numpy(packing.constants).to(NAME))
    theta, output = np.zeros((len(programs), packing.n_inner)), np.zeros((len(programs), packing.n_terms))
    for t, program in enumerate(programs):
        theta[t, : len(program.theta)] = program.theta
        output[t, : program.n_terms] = rng.normal(size=program.n_terms)
    fixed = batch.evaluate(torch.from_numpy(theta).to(NAME)).cpu().numpy()
    jacobian = batch.differentiate(torch.from_numpy(output).to(NAME)).cpu().numpy()
    phi = batch.phi.cpu().numpy()
    with np.errstate(all="ignore"):
        for t, program in enumerate(programs):
            program.bind(rows, np.zeros(N_ROWS), root if root is None or root.ndim == 1 else root[t])
            # One of them is a sine of the cube of an inverse: a last bit comes out a million times as large.
            np.testing.assert_allclose(-fixed[t], program.evaluate(program.theta), rtol=1e-9, atol=1e-12)
            np.testing.assert_allclose(phi[t, : program.n_terms], program.phi, rtol=1e-9, atol=1e-12)
            assert (phi[t, program.n_terms :] == 0).all()
            program.differentiate(output[t, : program.n_terms])
            found = jacobian[t, : len(program.theta)]
            without_undefined(program.jacobian)
            size = np.abs(program.jacobian).max(initial=1.0)
            np.testing.assert_allclose(found, program.jacobian, rtol=1e-9, atol=1e-12 * size)
            assert (jacobian[t, len(program.theta) :] == 0).all()


def test_functions_of_the_users_own_are_fitted_there(device):
    bell = Primitive("bell", 1, lambda g: 1 / (1 + g * g), lambda g: 1 / (1 + g**2))
    start = Structure(3, (SparseUnit("bell", (((1, 0.5, True),),)),), ((4, 2.0, True),))
    target = 3 / (1 + (0.8 * ROWS[:, 0]) ** 2)
    [found] = levenberg_marquardt([start], {**PRIMITIVES, "bell": bell}, ROWS, target, device=NAME)
    assert found.loss < 1e-24
    assert found.structure.units[0].args[0][0][1] == pytest.approx(0.8)


@pytest.mark.parametrize("weighted", [False, True])
def test_a_fit_ends_where_it_ends_on_the_cpu(device, weighted, rng):
    structures = [*structures_of_a_search(5), *FIXED, LINEAR]
    weight = torch.from_numpy(rng.uniform(0.5, 1.5, (len(structures), N_ROWS))) if weighted else None
    here = losses(structures, weight=weight, max_iter=4)
    there = losses(structures, weight=weight, max_iter=4, device=NAME)
    assert np.isclose(here, there, rtol=1e-6, atol=1e-20).mean() > 0.95  # rounding decides on some steps
    assert device.launches


@pytest.mark.parametrize("values", [5 * N_ROWS, 20 * N_ROWS])
def test_batches_of_any_size_end_alike(device, values, monkeypatch):
    structures = structures_of_a_search(5)
    together = losses(structures, max_iter=4, device=NAME)
    monkeypatch.setattr(device_lockstep, "_MOST_VALUES", values)
    apart = losses(structures, max_iter=4, device=NAME)
    assert np.isclose(together, apart, rtol=1e-6, atol=1e-20).mean() > 0.95


def test_memory_bounds_a_batch(device, monkeypatch):
    monkeypatch.setattr(device_lockstep, "bytes_at_once", lambda device: 8 * 40 * N_ROWS)
    sizes, run = [], device_lockstep._run

    def counted(programs, *rest):
        sizes.append(len(programs))
        return run(programs, *rest)

    monkeypatch.setattr(device_lockstep, "_run", counted)
    assert np.isfinite(losses([SINE] * 10, max_iter=2, device=NAME)).all()
    assert set(sizes) == {2}  # of 17 rows each: two fit into 40
    monkeypatch.setattr(device_lockstep, "bytes_at_once", lambda device: 8 * N_ROWS)
    assert np.isfinite(losses([SINE], max_iter=2, device=NAME)).all()
    assert len(sizes) == 5  # on the CPU


def test_the_host_reads_one_number_every_few_steps_and_the_result(device):
    structures = structures_of_a_search(5)
    losses(structures, max_iter=12, tol=0.0, device=NAME)
    assert sum(device.reads.values()) <= 12 / 4 + 1
    assert sum(device.uploads.values()) == 3  # places, numbers, rows


def test_launches_do_not_grow_with_the_number_of_structures(device):
    structures = structures_of_a_search(5)
    counts = Counter()
    for copies in (1, 4):
        for steps in (2, 4):
            before = device.launches
            losses(structures * copies, max_iter=steps, tol=0.0, device=NAME)
            counts[copies, steps] = device.launches - before
    assert counts[1, 4] == counts[4, 4]
    assert (counts[1, 4] - counts[1, 2]) / 2 < 300  # of some forty kinds of units, in three levels


def test_few_that_go_on_leave_the_batch(device):
    target = torch.from_numpy(np.sin(2 * X[:, 0]))
    found = losses([LINEAR] * 20 + [SINE], target, max_iter=30, device=NAME)
    assert found[-1] < 1e-24


def test_floors_end_the_fits_of_a_batch_one_by_one(device):
    target = torch.from_numpy(np.sin(2 * X[:, 0]))
    floors = torch.tensor([np.inf] * 4 + [0.0] * 4, dtype=torch.float64)
    found = losses([SINE] * 8, target, max_iter=20, floor=floors, device=NAME)
    assert found[4:].max() < 1e-24 < found[:4].min()


def test_an_undefined_structure_leaves_the_others_as_they_are(device):
    rows = ROWS.clone()
    rows[3, 0] = -1.0
    log = Structure(3, (SparseUnit("log", (((1, 1.0, False),),)),), ((4, 2.0, True),))
    root = Structure(3, (SparseUnit("sqrt", (((1, 1.0, False), (2, 0.1, True)),)),), ((4, 2.0, True),))
    structures = [log, SINE, root, LINEAR]
    found = [r.loss for r in levenberg_marquardt(structures, PRIMITIVES, rows, TARGET, max_iter=10, device=NAME)]
    alone = [r.loss for r in levenberg_marquardt(structures, PRIMITIVES, rows, TARGET, max_iter=10)]
    assert found[0] == found[2] == np.inf
    assert found[1::2] == pytest.approx(alone[1::2], rel=1e-6)


def test_steps_to_large_exponents_are_not_taken(device):
    power = (SparseUnit("log", (((1, 1.0, False),),)), SparseUnit("exp", (((4, 14.9, True),),)))
    start = Structure(3, power, ((5, 1.0, True),))
    found = levenberg_marquardt([start], PRIMITIVES, ROWS, ROWS[:, 0] ** 30, max_iter=20, device=NAME)
    assert found[0].structure.largest_exponent <= 15


def test_after_the_deadline_the_first_batch_only_is_begun(device, monkeypatch):
    monkeypatch.setattr(device_lockstep, "_MOST_VALUES", 1)
    found = levenberg_marquardt([SINE] * 3000, PRIMITIVES, ROWS, TARGET, deadline=time.time() - 1, device=NAME)
    begun = [r.loss < np.inf for r in found]
    assert begun[0]
    assert not begun[-1]


def test_many_rows_are_one_block_there(device):
    rows = torch.linspace(0.5, 2.0, 9000, dtype=torch.float64)[:, None].expand(-1, 3).contiguous()
    target = (2 * rows[:, 0]).sin()
    [found] = levenberg_marquardt([SINE], PRIMITIVES, rows, target, device=NAME)
    assert device.launches
    assert found.loss < 1e-24


def test_little_work_stays_on_the_cpu(device, monkeypatch):
    monkeypatch.setattr(device_lockstep, "_LEAST_VALUES", 10 * N_ROWS)
    losses([SINE] * 9, device=NAME)
    assert not device.launches
    losses([SINE] * 10, device=NAME)
    assert device.launches


def test_rows_are_transferred_once(device):
    rows = SourceRows(ROWS, PRIMITIVES)
    first = rows.on(NAME, [0, 1], [(2, 1.0)])
    assert sum(device.uploads.values()) == 1
    again = rows.on(NAME, [1], [(2, 1.0)])
    assert sum(device.uploads.values()) == 1
    np.testing.assert_array_equal(first.cpu()[[0, 2, 3]], again.cpu())
    np.testing.assert_allclose(again.cpu()[2], np.log(X[:, 1]))


def test_workers_get_rows_without_what_is_on_a_device(device):
    rows = SourceRows(ROWS, PRIMITIVES)
    rows.on(NAME, [0, 1], [])
    before = device.launches
    again = pickle.loads(pickle.dumps(rows))
    assert device.launches == before
    np.testing.assert_array_equal(again.column(1), rows.column(1))
