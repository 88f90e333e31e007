"""Outer functions: the law of a transformed target, put under the function, is a law of the target."""

import numpy as np
import pandas as pd
import pytest
import sympy
import torch
from equal_laws import same_law

from sklearn_eql import EQLRegressor
from sklearn_eql.ladder.outer_functions import OUTER_FUNCTIONS, inner_problem
from sklearn_eql.primitives import PRESETS, PRIMITIVES
from sklearn_eql.sparse.levenberg_marquardt import levenberg_marquardt
from sklearn_eql.sparse.problem import Scaling, make_problem
from sklearn_eql.sparse.structure import SparseUnit, Structure

X = np.random.default_rng(0).uniform(0.5, 2, (80, 2))
U = 0.3 + 0.2 * X[:, 0] + 0.1 * X[:, 1]  # between 0 and 1: every outer function is defined
BY_NAME = {outer.name: outer for outer in OUTER_FUNCTIONS if outer.level is None}
BOUNDED = [outer for outer in OUTER_FUNCTIONS if outer.level is not None]
OUTER = {
    "identity": lambda u: u,
    "inv": lambda u: 1 / u,
    "sqrt": np.sqrt,
    "inv sqrt": lambda u: u**-0.5,
    "inv square": lambda u: u**-2.0,
    "exp": np.exp,
    "square": np.square,
    "cube": lambda u: u**3,
    "log": np.log,
    "arcsin": np.arcsin,
}
LINEAR = Structure(2, (), ((0, 1.0, True), (1, 1.0, True), (2, 1.0, True)))


def problem(y, functions=None, weight=None, x=X):
    copies = PRESETS["default"] if functions is None else dict.fromkeys(functions, 1)
    return make_problem(x, y, weight, Scaling.of(x, y, sample_weight=weight), PRIMITIVES, copies, 2, 200, 0)


def lifted(y, name, **options):
    """The linear law of the transformed target, under its outer function, only the linear output fitted."""
    target = problem(y, **options)
    place = inner_problem(target, BY_NAME[name])
    inner = place.inner.fit([LINEAR], 10)[0]
    assert inner.loss < 1e-20 * float(place.inner.y.var())
    return target, target.fit([place.wrap(inner.structure)], 0)[0]


def test_every_link_has_an_outer_function_here():
    assert OUTER.keys() == BY_NAME.keys()


@pytest.mark.parametrize("scale", [1.0, 37.0, 1e-6])
@pytest.mark.parametrize("name", [name for name, outer in BY_NAME.items() if not outer.natural])
def test_a_law_of_the_transformed_target_becomes_one_of_the_target_in_any_unit(name, scale):
    target, law = lifted(scale * OUTER[name](U), name)
    assert law.loss < target.exact


@pytest.mark.parametrize("name", ["log", "arcsin"])
def test_outers_that_know_no_scale_take_the_target_in_the_users_units(name):
    y = OUTER[name](U)
    target, law = lifted(y, name)
    assert target.y_unit != pytest.approx(1.0, rel=0.2)
    assert law.loss < target.exact


def test_a_logarithm_is_found_with_any_factor_in_its_argument():
    target, law = lifted(np.log(50 * U), "log")
    assert law.loss < target.exact


@pytest.mark.parametrize("name", [name for name, outer in BY_NAME.items() if outer.one_sign])
def test_a_negative_target_is_the_negative_of_a_law(name):
    target, law = lifted(-5 * OUTER[name](U), name)
    assert law.loss < target.exact
    np.testing.assert_allclose(law.structure.to_equation().evaluate(target.X.numpy()), target.y.numpy(), rtol=1e-9)


@pytest.mark.parametrize("name", BY_NAME)
def test_the_inverse_and_its_slope_agree_with_the_outer_function(name):
    outer = BY_NAME[name]
    y = torch.from_numpy(OUTER[name](U)).requires_grad_()
    u = outer.inverse(y)
    np.testing.assert_allclose(u.detach(), U, rtol=1e-12)
    slope = torch.autograd.grad(u.sum(), y)[0]
    torch.testing.assert_close(outer.slope(y.detach()), slope)


@pytest.mark.parametrize("name", BY_NAME)
def test_losses_under_all_outers_are_in_units_of_the_target(name, rng):
    clean = OUTER[name](U)
    target = problem(clean + 1e-4 * np.std(clean) * rng.normal(size=80))
    place = inner_problem(target, BY_NAME[name])
    inner = place.inner.fit([LINEAR], 10)[0]
    law = target.fit([place.wrap(inner.structure)], 0)[0]  # a step would move the exponent of a power, too
    assert inner.loss * place.factor == pytest.approx(law.loss, rel=0.02)


def test_the_weights_of_the_user_hold_under_a_link(rng):
    weight = np.repeat([0.0, 1.0, 3.0], [20, 30, 30])
    y = np.exp(U) + 0.01 * rng.normal(size=80)
    y[:20] = 100.0  # of no weight
    once = problem(y, weight=weight)
    repeated = np.repeat(np.arange(80), weight.astype(int))
    scaling = Scaling.of(X[repeated], y[repeated])
    often = make_problem(X[repeated], y[repeated], None, scaling, PRIMITIVES, PRESETS["default"], 2, 200, 0)
    losses = [
        place.inner.fit([LINEAR], 10)[0].loss * place.factor
        for place in (inner_problem(target, BY_NAME["exp"]) for target in (once, often))
    ]
    assert losses[0] * once.y_unit**2 == pytest.approx(losses[1] * often.y_unit**2, rel=1e-6)


@pytest.mark.parametrize(
    ("name", "y"),
    [
        *((name, U - 0.6) for name, outer in BY_NAME.items() if outer.one_sign),
        ("inv", np.where(np.arange(80) == 7, 0.0, U)),
        ("arcsin", 4 * U),
        ("log", 100 * U),
        ("exp", np.full(80, 2.0)),
    ],
)
def test_an_outer_function_that_is_undefined_for_the_target_is_left_out(name, y):
    assert inner_problem(problem(y), BY_NAME[name]) is None


@pytest.mark.parametrize("name", [name for name, outer in BY_NAME.items() if outer.functions])
def test_an_outer_function_needs_one_of_its_functions(name):
    outer, y = BY_NAME[name], OUTER[name](U)
    assert inner_problem(problem(y, functions=["sigmoid"]), outer) is None
    assert all(inner_problem(problem(y, functions=[function]), outer) is not None for function in outer.functions)


def test_the_identity_is_always_there():
    target = problem(U - 0.6, functions=["sin"])
    assert inner_problem(target, BY_NAME["identity"]).inner is target


def test_a_constant_under_an_exponential_is_no_law():
    place = inner_problem(problem(np.exp(U)), BY_NAME["exp"])
    assert place.wrap(Structure(2, (), ((0, 1.0, True),))) is None


# Batches over outers --------------------------------------------------------------------------------------------

SINE = Structure(2, (SparseUnit("sin", (((1, 1.2, True),),)),), ((0, 1.0, True), (3, 1.0, True)))


@pytest.fixture(scope="module")
def places():
    target = problem(np.exp(np.sin(1.5 * X[:, 0])) + 0.01 * np.random.default_rng(2).normal(size=80))
    return [inner_problem(target, BY_NAME[name]).inner for name in ("identity", "exp", "inv", "sqrt")]


@pytest.mark.parametrize("structure", [LINEAR, SINE], ids=["linear", "sine"])
def test_a_batch_with_a_target_for_each_structure_equals_separate_fits(places, structure):
    rows = places[0].X
    ones = torch.ones(len(rows), dtype=torch.float64)
    weights = torch.stack([ones if place.sample_weight is None else place.sample_weight for place in places])
    together = levenberg_marquardt(
        [structure] * len(places), PRIMITIVES, rows, torch.stack([p.y for p in places]), weights, max_iter=15
    )
    for place, result in zip(places, together, strict=True):
        alone = levenberg_marquardt([structure], PRIMITIVES, rows, place.y, place.sample_weight, max_iter=15)[0]
        assert result.loss == pytest.approx(alone.loss, rel=1e-8)
        grid = rows.numpy()
        np.testing.assert_allclose(
            result.structure.to_equation().evaluate(grid), alone.structure.to_equation().evaluate(grid), rtol=1e-5
        )


def test_a_batch_cut_in_parts_keeps_targets_weights_and_floors_together(places, monkeypatch):
    rows, targets = places[0].X, torch.stack([p.y for p in places])
    weights = (
        torch.rand((len(places), len(rows)), dtype=torch.float64, generator=torch.Generator().manual_seed(0)) + 0.5
    )
    floors = torch.tensor([0.0, 1e3, 0.0, 1e3], dtype=torch.float64)
    options = {"max_iter": 8, "floor": floors}
    whole = levenberg_marquardt([SINE] * 4, PRIMITIVES, rows, targets, weights, **options)
    monkeypatch.setattr("sklearn_eql.sparse.levenberg_marquardt._ROWS_AT_ONCE", 2 * len(rows))
    parts = levenberg_marquardt([SINE] * 4, PRIMITIVES, rows, targets, weights, **options)
    assert [r.loss for r in parts] == pytest.approx([r.loss for r in whole], rel=1e-8)


def test_a_trial_below_its_own_floor_rests_where_it_started(places):
    rows, targets = places[0].X, torch.stack([p.y for p in places])
    floors = torch.tensor([0.0, 1e3, 0.0, 1e3], dtype=torch.float64)
    found = levenberg_marquardt([SINE] * 4, PRIMITIVES, rows, targets, max_iter=8, floor=floors)
    moved = [result.structure.units[0].args[0][0][1] != 1.2 for result in found]
    assert moved == [True, False, True, False]


@pytest.mark.parametrize("name", [name for name, outer in BY_NAME.items() if outer.one_sign])
def test_rows_that_noise_carries_across_zero_are_left_out(name):
    y = OUTER[name](U)
    y[:6] = np.linspace(-0.03, 0.02, 6) * y.max()  # of rows next to nothing
    place = inner_problem(problem(y), BY_NAME[name])
    assert (place.inner.sample_weight[:6] == 0).all()
    assert place.inner.fit([LINEAR], 10)[0].loss < 1e-12


def test_a_target_that_crosses_zero_by_itself_has_no_logarithm():
    assert inner_problem(problem(np.where(np.arange(80) < 3, -0.5, 1.0) * U), BY_NAME["exp"]) is None


@pytest.mark.parametrize("sign", [1, -1])
@pytest.mark.parametrize("outer", BOUNDED, ids=lambda outer: outer.name)
def test_a_saturation_is_linear_below_a_level_that_the_fit_then_corrects(outer, sign):
    y = sign * 4 / (1 + np.exp(3 - 2 * X[:, 0] - X[:, 1]))
    target = problem(y)
    place = inner_problem(target, outer)
    law = place.wrap(place.inner.fit([LINEAR], 10)[0].structure)
    assert target.fit([law], 40)[0].loss < 1e-20


def test_saturations_under_noise_keep_their_variables():
    rng = np.random.default_rng(5)
    energy, kt = rng.uniform([0, 0.2], [4, 1], (150, 2)).T
    rows = pd.DataFrame({"E": energy, "T": kt})
    occupied = 1 / (1 + np.exp((energy - 2) / kt)) + 0.01 * rng.standard_normal(150)
    model = EQLRegressor(n_families=11, n_generations=1, random_state=0).fit(rows, occupied)
    E, T = sympy.symbols("E T")
    assert same_law(model.sympy_expr_, 1 / (1 + sympy.exp((E - 2) / T)))
