"""On a GPU: numbers and laws are those of the CPU. Left out where torch sees none."""

import pickle

import numpy as np
import pytest
import sympy
import torch
from equal_laws import same_law
from searched_structures import X, structures_of_a_search

from sklearn_eql import EQLDynamicsRegressor, EQLEncoderRegressor, EQLRegressor, Phase
from sklearn_eql._devices import bytes_at_once, moved, random_numbers_of
from sklearn_eql.datasets import load_digits_arithmetic, make_kinematics
from sklearn_eql.language import ExpressionStream, Grammar, NetworkConfig, Schedule, pretrain
from sklearn_eql.primitives import PRIMITIVES, Primitive
from sklearn_eql.scan.pairs import FORMS, PairScan
from sklearn_eql.sparse import device_lockstep
from sklearn_eql.sparse.levenberg_marquardt import levenberg_marquardt
from sklearn_eql.sparse.structure import SparseUnit, Structure
from sklearn_eql.training.schedule import RolloutPhase

pytestmark = [
    pytest.mark.skipif(not torch.cuda.is_available(), reason="torch sees no GPU"),
    pytest.mark.usefixtures("one_thread"),
    # Of torch, at the first product of matrices in the thread of a backward pass. It makes what it misses and goes on.
    pytest.mark.filterwarnings("ignore:Attempting to run cuBLAS, but there was no current CUDA context"),
]

GPU = "cuda"
TABLE = np.random.default_rng(0).uniform(0.5, 2, (200, 3))
X0, X1, X2 = sympy.symbols("x0:3")


@pytest.fixture
def batches(monkeypatch):
    """Sizes of the batches of structures that were fitted on a device."""
    sizes, run = [], device_lockstep._run

    def counted(programs, *rest):
        sizes.append(len(programs))
        return run(programs, *rest)

    monkeypatch.setattr(device_lockstep, "_run", counted)
    return sizes


@pytest.fixture
def any_work_is_enough(monkeypatch):
    monkeypatch.setattr(device_lockstep, "_LEAST_VALUES", 0)


def _losses(structures, device, weight=None, target=None, rows=X, **rules):
    if target is None:
        target = torch.from_numpy(np.sin(2 * X[:, 0]) + X[:, 1] * X[:, 2])
    found = levenberg_marquardt(structures, PRIMITIVES, torch.from_numpy(rows), target, weight, device=device, **rules)
    return np.array([r.loss for r in found])


def _share_that_differs(losses, others):
    return 1 - np.isclose(losses, others, rtol=1e-6, atol=1e-20).mean()


# Structures and pairs -------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("any_work_is_enough")
@pytest.mark.parametrize("weights", ["none", "one for all", "one each"])
@pytest.mark.parametrize("preset", ["default", "piecewise"])
def test_fits_end_where_they_end_on_the_cpu(preset, weights, batches, rng):
    structures = structures_of_a_search(5, preset, count=400)
    shape = {"none": None, "one for all": (len(X),), "one each": (len(structures), len(X))}[weights]
    weight = None if shape is None else torch.from_numpy(rng.uniform(0.5, 1.5, shape))
    here, there = (_losses(structures, device, weight, max_iter=4) for device in ("cpu", GPU))
    assert batches
    # Rounding decides on some steps, most of all beside kinks: it does on the CPU too.
    last_bits = 1 + np.finfo(float).eps * rng.choice([-1, 1], X.shape)
    beside = _losses(structures, "cpu", weight, rows=X * last_bits, max_iter=4)
    assert _share_that_differs(here, there) < 0.02 + 3 * _share_that_differs(here, beside)


def test_more_structures_than_a_batch_holds_are_fitted(batches):
    start = Structure(3, (SparseUnit("sin", (((1, 1.9, True),),)),), ((4, 1.0, True),))
    found = _losses([start] * 40_000, GPU, target=torch.from_numpy(np.sin(2 * X[:, 0])), max_iter=8)
    assert len(batches) > 1
    assert found.max() < 1e-20


@pytest.mark.usefixtures("any_work_is_enough")
def test_functions_of_the_users_own_are_fitted_there():
    bell = Primitive("bell", 1, lambda g: 1 / (1 + g * g), lambda g: 1 / (1 + g**2))
    start = Structure(3, (SparseUnit("bell", (((1, 0.5, True),),)),), ((4, 2.0, True),))
    rows = torch.from_numpy(X)
    target = 3 / (1 + (0.8 * rows[:, 0]) ** 2)
    [found] = levenberg_marquardt([start], {**PRIMITIVES, "bell": bell}, rows, target, device=GPU)
    assert found.loss < 1e-24


@pytest.mark.usefixtures("any_work_is_enough")
def test_undefined_structures_and_large_exponents_are_no_laws_there():
    rows = torch.from_numpy(X).clone()
    rows[3, 0] = -1.0
    root = Structure(3, (SparseUnit("sqrt", (((1, 1.0, False), (2, 0.1, True)),)),), ((4, 2.0, True),))
    power = (SparseUnit("log", (((2, 1.0, False),),)), SparseUnit("exp", (((4, 14.9, True),),)))
    steep = Structure(3, power, ((5, 1.0, True),))
    found = levenberg_marquardt([root, steep], PRIMITIVES, rows, rows[:, 1] ** 30, max_iter=20, device=GPU)
    assert found[0].loss == np.inf
    assert found[1].structure.largest_exponent <= 15


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("beside", [False, True])
def test_pairs_are_those_of_the_cpu(form, beside, rng):
    values = torch.from_numpy(rng.standard_normal((300, 60)))
    values /= values.square().mean(dim=1, keepdim=True).sqrt()
    symbols = sorted(rng.integers(1, 5, 300).tolist())
    target, weight = torch.from_numpy(rng.standard_normal(60)), torch.from_numpy(rng.uniform(0.1, 2, 60))
    others = values[:2] if beside and form != "quotient" else None
    here, there = (
        PairScan(values, symbols, target, weight, others, values.to(device)).best(form) for device in ("cpu", GPU)
    )
    assert len(here) == len(there)
    np.testing.assert_allclose(sorted(p.left for p in there), sorted(p.left for p in here), rtol=1e-6)


def test_an_exact_pair_is_found_there(rng):
    values = torch.from_numpy(rng.standard_normal((60, 40)))
    scan = PairScan(values, [1] * 60, (1 + 2 * values[7]) / (1 + 0.2 * values[41].abs()), there=values.to(GPU))
    best = min(scan.best("product"), key=lambda pair: pair.left)
    assert not scan.is_exact(best)
    scan = PairScan(values, [1] * 60, 2 * values[7] * values[41] - 1, there=values.to(GPU))
    best = min(scan.best("product"), key=lambda pair: pair.left)
    assert {best.first, best.second} == {7, 41}
    assert scan.is_exact(best)


# Devices --------------------------------------------------------------------------------------------------------


def test_memory_for_a_batch_is_a_part_of_what_is_free():
    free, _ = torch.cuda.mem_get_info(GPU)
    assert 0 < bytes_at_once(GPU) <= free
    assert bytes_at_once(torch.device(GPU)) > 0


@pytest.mark.parametrize("shape", [(3, 4), (0,)])
def test_arrays_get_there_unchanged(shape):
    rows = torch.arange(float(np.prod(shape))).reshape(shape)
    there = moved(rows, GPU)
    assert there.device.type == "cuda"
    assert torch.equal(there.cpu(), rows)


def test_the_users_random_numbers_go_on():
    device = torch.device(GPU, torch.cuda.current_device())
    streams = torch.cuda.get_rng_state(device), torch.get_rng_state()
    drawn = []
    for _ in range(2):
        with random_numbers_of(7, device):
            drawn.append((torch.rand(3), torch.rand(3, device=device).cpu()))
    assert torch.equal(drawn[0][0], drawn[1][0])
    assert torch.equal(drawn[0][1], drawn[1][1])
    assert torch.equal(torch.cuda.get_rng_state(device), streams[0])
    assert torch.equal(torch.get_rng_state(), streams[1])


# Whole fits -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("device", [GPU, "auto"])
def test_a_law_of_the_ladder_is_found(device, batches):
    y = TABLE[:, 0] * TABLE[:, 1] / (1 + TABLE[:, 2] ** 2)
    model = EQLRegressor(device=device, random_state=0).fit(TABLE, y)
    assert batches
    assert same_law(model.sympy_expr_, X0 * X1 / (1 + X2**2))
    again = pickle.loads(pickle.dumps(model))
    np.testing.assert_allclose(again.predict(TABLE), y, rtol=1e-9)


def test_a_law_with_noise_is_found(batches, rng):
    y = 2 * TABLE[:, 0] * TABLE[:, 1] + TABLE[:, 2]
    noisy = y + 0.01 * y.std() * rng.standard_normal(len(y))
    model = EQLRegressor(device=GPU, random_state=0, n_generations=4, functions="polynomial").fit(TABLE, noisy)
    assert batches
    assert {str(s) for s in model.sympy_expr_.free_symbols} == {"x0", "x1", "x2"}
    assert np.std(model.predict(TABLE) - y) < 0.005 * y.std()


@pytest.mark.parametrize("n_jobs", [1, 2])
def test_islands_evolve_there(n_jobs):
    y = np.sin(3 * TABLE[:, 0]) + TABLE[:, 1] * TABLE[:, 2]
    small = {"n_families": 0, "functions": ["id", "mul", "sin"], "n_hidden_layers": 1, "n_generations": 8}
    model = EQLRegressor(device=GPU, n_islands=2, n_jobs=n_jobs, random_state=0, **small).fit(TABLE, y)
    assert same_law(model.sympy_expr_, sympy.sin(3 * X0) + X1 * X2)


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"penalty": "l0", "batch_size": 50, "functions": ["id", "mul", "sqrt"]},
        {"penalty": "l1", "optimizer": "adam"},
    ],
    ids=["plain", "gates and batches", "adam"],
)
def test_gradient_search_finds_a_law(changes):
    phases = [Phase(150, 1e-2, keep=0.5), Phase(150, 3e-3, threshold=0.01)]
    options = {"functions": ["id", "mul"], "n_hidden_layers": 1, "n_trials": 4, "schedule": phases, **changes}
    model = EQLRegressor(search="gradient", random_state=0, device=GPU, **options)
    model.fit(TABLE, TABLE[:, 0] * TABLE[:, 1], sample_weight=1.0 + (TABLE[:, 0] > 1))
    assert same_law(model.sympy_expr_, X0 * X1)


def test_a_hundred_networks_train_there_as_on_the_cpu():
    options = {"functions": "paper", "n_hidden_layers": 2, "n_trials": 100, "schedule": [Phase(40, 1e-3)]}
    y = TABLE[:, 0] ** 2 + TABLE[:, 1]
    curves = [
        EQLRegressor(search="gradient", random_state=0, device=device, max_time=30, **options).fit(TABLE, y).loss_curve_
        for device in ("cpu", GPU)
    ]
    np.testing.assert_allclose(curves[1], curves[0], rtol=0.05)


@pytest.mark.parametrize(
    "changes",
    [
        {"encoder": "conv2d", "transforms": "affine", "penalty": "l0"},
        {"encoder": "mlp", "n_classes": 10, "early_stopping": True},
        {"encoder": "mlp", "head": "relu"},
    ],
    ids=["distorted images and gates", "classes", "relu"],
)
@pytest.mark.parametrize("mixed", [False, True])
def test_an_encoder_learns_there(changes, mixed):
    digits = load_digits_arithmetic(n_samples=300)
    small = {"functions": {"const": 1, "id": 2, "mul": 1}, "n_hidden_layers": 1, "n_generations": 1, "batch_size": 32}
    short = {"linear_steps": 20, "schedule": [Phase(20, 3e-3, threshold=0.01)], "max_iter": 20}
    before = torch.cuda.get_rng_state(GPU)
    here, there = (
        EQLEncoderRegressor(random_state=0, device=device, mixed_precision=mixed, **{**small, **short, **changes}).fit(
            digits.X, digits.y
        )
        for device in ("cpu", GPU)
    )
    assert torch.equal(torch.cuda.get_rng_state(GPU), before)
    np.testing.assert_allclose(there.loss_curve_[:1], here.loss_curve_[:1], rtol=0.2 if mixed else 0.05)
    assert np.isfinite(there.predict(digits.X)).all()
    again = pickle.loads(pickle.dumps(there))
    np.testing.assert_array_equal(again.transform(digits.X[:5]), there.transform(digits.X[:5]))


@pytest.mark.parametrize("changes", [{}, {"head": "relu", "refine": False}], ids=["law", "relu"])
def test_a_law_of_motion_is_learned_there(changes):
    fall = make_kinematics(30, 12, 4, random_state=0)
    short = (RolloutPhase(40, n_rollout=1), RolloutPhase(40, learning_rate=5e-3, n_rollout=3, threshold=0.01))
    options = {"encoder": "mlp", "n_trials": 1, "schedule": short, **changes}
    here, there = (
        EQLDynamicsRegressor(random_state=0, device=device, **options).fit(fall.X, fall.Y) for device in ("cpu", GPU)
    )
    np.testing.assert_allclose(there.loss_curve_[:1], here.loss_curve_[:1], rtol=0.05)
    difference = np.abs(there.predict(fall.X) - here.predict(fall.X)).max()
    assert difference < 0.05 * np.abs(fall.Y).max()


def test_steps_of_a_network_that_writes_laws_are_recorded():
    """Replayed steps learn what steps launched kernel by kernel learn."""
    losses = {}
    for is_recorded in (False, True):
        stream = ExpressionStream(Grammar(max_binary=1, max_unary=1), batch_size=64, n_rows=16)
        config = NetworkConfig(len(stream.vocabulary), max_tokens=20, width=32)
        schedule = Schedule(n_steps=30, n_warmup=5, log_every=10)
        found = pretrain(stream, stream.vocabulary, config, schedule, device="cuda", is_recorded=is_recorded)
        losses[is_recorded] = [entry["loss"] for entry in found.curves]
    assert losses[True] == pytest.approx(losses[False], rel=0.02)
    assert losses[True][-1] < losses[True][0]
