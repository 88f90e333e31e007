"""EQLEncoderRegressor: arithmetic on digits, scikit-learn's checks, pickles, checkpoints."""

import copy
import pickle
import signal

import numpy as np
import pytest
import sympy
import torch
from sklearn.base import clone
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import parametrize_with_checks
from torch import nn
from torch.utils.data import Dataset

from sklearn_eql import EQLEncoderRegressor, Phase
from sklearn_eql.datasets import load_digits_arithmetic
from sklearn_eql.encoder import search
from sklearn_eql.exceptions import SearchInterruptedWarning
from sklearn_eql.training import minibatch

Z0, Z1 = sympy.symbols("z0 z1")
PLAIN = {"functions": {"const": 1, "id": 2, "mul": 1}, "n_hidden_layers": 1}
QUICK = {
    **PLAIN,
    "linear_steps": 40,
    "schedule": [Phase(40, 3e-3, threshold=0.01)],
    "max_iter": 40,
    "n_generations": 1,
    "batch_size": 64,
    "random_state": 0,
}
pytestmark = pytest.mark.usefixtures("one_thread")

DIGITS = load_digits_arithmetic(n_samples=3000)


@pytest.fixture(scope="module")
def adder():
    """A model of the sum of two 8x8 digits."""
    return EQLEncoderRegressor(encoder="mlp", max_iter=700, random_state=0).fit(DIGITS.X, DIGITS.y)


@parametrize_with_checks(
    [
        EQLEncoderRegressor(
            encoder="mlp",
            functions={"const": 1, "id": 1},
            n_hidden_layers=1,
            linear_steps=60,
            learning_rate=2e-2,
            schedule=[Phase(20, 2e-2)],
            max_iter=60,
            n_generations=0,
            validation_fraction=0.0,
        )
    ]
)
def test_scikit_learns_own_checks_pass(estimator, check):
    check(estimator)


def test_the_sum_of_two_digits_is_found_from_the_sums_alone(adder):
    coefficients = adder.sympy_expr_.as_coefficients_dict()
    assert set(coefficients) == {sympy.S.One, Z0, Z1}
    assert coefficients[Z0] == coefficients[Z1]
    assert float(coefficients[sympy.S.One]) == pytest.approx(9, abs=0.1)
    assert np.mean(adder.predict(DIGITS.X).round() == DIGITS.y) > 0.9


def test_latents_are_a_linear_map_of_the_digit_nobody_told(adder):
    latents = adder.transform(DIGITS.X)
    assert latents.shape == (3000, 2)
    assert abs(np.corrcoef(latents[:, 1], DIGITS.digits[:, 1])[0, 1]) > 0.98
    np.testing.assert_allclose(latents.mean(), 0, atol=0.05)
    np.testing.assert_allclose(latents.std(), 0.5, atol=0.05)


def test_a_product_is_found_behind_latents_of_a_linear_form():
    data = load_digits_arithmetic(operation="multiply", n_samples=4000)
    settings = {"schedule": [Phase(100, 1e-3, threshold=0.01)], "max_iter": 300, "functions": {"id": 1, "mul": 1}}
    model = EQLEncoderRegressor(encoder="mlp", n_hidden_layers=1, random_state=0, **settings).fit(data.X, data.y)
    law = sympy.Poly(model.sympy_expr_, Z0, Z1)
    assert law.monoms() == [(1, 1), (1, 0), (0, 1), (0, 0)]
    scale, slope = float(law.coeff_monomial(Z0 * Z1)), float(law.coeff_monomial(Z0))
    assert slope == float(law.coeff_monomial(Z1))
    assert slope**2 / scale == pytest.approx(float(law.coeff_monomial(1)), rel=1e-3)  # k * (z0 + c) * (z1 + c)


def test_what_is_printed_is_what_predicts(adder):
    latents = adder.transform(DIGITS.X)
    printed = sympy.lambdify([Z0, Z1], adder.sympy_expr_)(*latents.T)
    np.testing.assert_allclose(adder.predict(DIGITS.X), printed, rtol=1e-9)


def test_the_table_holds_the_selected_law_and_others(adder):
    table = adder.equations_
    assert table["sympy_expr"][adder.best_index_] == adder.sympy_expr_
    assert table["complexity"].is_monotonic_increasing
    assert len(table) > 1
    residual = adder.predict(DIGITS.X) - DIGITS.y
    assert table["loss"][adder.best_index_] == pytest.approx(np.mean(residual**2), rel=1e-6)
    with np.errstate(over="ignore"):  # in exp(-x) of a steep sigmoid
        last = sympy.lambdify([Z0, Z1], table["sympy_expr"].iloc[-1])(*adder.transform(DIGITS.X).T)
    np.testing.assert_allclose(adder.predict(DIGITS.X, index=len(table) - 1), last, rtol=1e-6)
    assert "z_{0}" in adder.latex()


def test_flattened_items_are_the_same_items(adder):
    flat = DIGITS.X[:100].reshape(100, -1)
    np.testing.assert_array_equal(adder.predict(flat), adder.predict(DIGITS.X[:100]))


def test_a_sample_is_predicted_alone_as_among_others(adder):
    among, alone = adder.predict(DIGITS.X[:40]), [adder.predict(DIGITS.X[i : i + 1])[0] for i in range(40)]
    np.testing.assert_allclose(alone, among, rtol=1e-12)


COPIES = {"pickle": lambda model: pickle.loads(pickle.dumps(model)), "deepcopy": copy.deepcopy}


@pytest.mark.parametrize("duplicate", COPIES.values(), ids=COPIES)
def test_copies_predict_the_same(adder, duplicate):
    copied = duplicate(adder)
    np.testing.assert_array_equal(copied.predict(DIGITS.X[:50]), adder.predict(DIGITS.X[:50]))
    assert copied.sympy_expr_ == adder.sympy_expr_


def test_the_state_of_a_fitted_model_is_arrays_and_plain_values(adder):
    adder.predict(DIGITS.X[:2])  # builds the network, which must not be in the pickle
    assert b"torch" not in pickle.dumps(adder)


def test_parameters_changed_after_fit_do_not_change_predictions(adder):
    model = copy.deepcopy(adder)
    before = model.predict(DIGITS.X[:20])
    model.set_params(encoder="conv2d", n_latents=3, head="relu")
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(model)).predict(DIGITS.X[:20]), before)


def test_the_same_seed_gives_the_same_model():
    first, second = (EQLEncoderRegressor(encoder="mlp", **QUICK).fit(DIGITS.X, DIGITS.y) for _ in range(2))
    np.testing.assert_array_equal(first.predict(DIGITS.X), second.predict(DIGITS.X))


@pytest.mark.parametrize("head", ["eql", "relu"])
def test_training_leaves_the_users_random_numbers_alone(head):
    torch.manual_seed(3)
    expected = torch.rand(1)
    torch.manual_seed(3)
    EQLEncoderRegressor(encoder="mlp", head=head, transforms="affine", **QUICK).fit(DIGITS.X, DIGITS.y)
    assert torch.rand(1) == expected


def test_convolutions_and_distortions_train():
    settings = {**QUICK, "linear_steps": 120, "max_iter": 80}
    model = EQLEncoderRegressor(transforms="affine", **settings).fit(DIGITS.X, DIGITS.y)
    assert model.score(DIGITS.X, DIGITS.y) > 0.5


def test_a_relu_head_predicts_and_has_no_equation():
    model = EQLEncoderRegressor(encoder="mlp", head="relu", **{**QUICK, "max_iter": 300}).fit(DIGITS.X, DIGITS.y)
    assert model.score(DIGITS.X, DIGITS.y) > 0.5
    assert model.transform(DIGITS.X[:5]).shape == (5, 2)
    copied = pickle.loads(pickle.dumps(model))
    np.testing.assert_array_equal(copied.predict(DIGITS.X[:9]), model.predict(DIGITS.X[:9]))
    with pytest.raises(AttributeError, match=r"head='relu', which is no equation\. Use head='eql'"):
        model.sympy_expr_  # noqa: B018
    with pytest.raises(AttributeError, match="Use head='eql'"):
        model.latex()


def make_encoder():
    """A user's own network, which must be a plain function to pickle."""
    return nn.Sequential(nn.Flatten(), nn.Linear(64, 16), nn.BatchNorm1d(16), nn.ReLU(), nn.Linear(16, 2))


def test_an_encoder_of_the_user_with_two_latents_per_item():
    model = EQLEncoderRegressor(encoder=make_encoder, n_latents=2, **QUICK).fit(DIGITS.X, DIGITS.y)
    assert list(model.get_feature_names_out()) == ["z0", "z1", "z2", "z3"]
    copied = pickle.loads(pickle.dumps(model))
    np.testing.assert_array_equal(copied.transform(DIGITS.X[:9]), model.transform(DIGITS.X[:9]))


def make_compiled_encoder():
    module = make_encoder()
    module.compile(backend="eager")  # the default backend takes longer to start than the fit
    return module


def test_a_compiled_encoder_trains_and_is_pickled():
    model = EQLEncoderRegressor(encoder=make_compiled_encoder, n_latents=2, **QUICK).fit(DIGITS.X, DIGITS.y)
    copied = pickle.loads(pickle.dumps(model))
    np.testing.assert_array_equal(copied.transform(DIGITS.X[:9]), model.transform(DIGITS.X[:9]))


def test_columns_of_a_pipeline_are_items():
    X = np.random.default_rng(0).uniform(-3, 3, (400, 2))
    y = X[:, 0] ** 3 - X[:, 1] ** 3
    settings = {**QUICK, "functions": ["id"], "linear_steps": 400, "max_iter": 500}
    pipeline = make_pipeline(StandardScaler(), EQLEncoderRegressor(encoder="mlp", **settings)).fit(X, y)
    assert pipeline.score(X, y) > 0.98
    slopes = pipeline[-1].sympy_expr_.as_coefficients_dict()
    assert set(slopes) - {1} == {Z0, Z1}
    assert float(slopes[Z0] / slopes[Z1]) == pytest.approx(-1, abs=0.15)


def test_amplitudes_of_series_are_found_by_one_dimensional_convolutions():
    rng = np.random.default_rng(0)
    amplitudes, phases = rng.uniform(1, 3, (800, 2)), rng.uniform(0, 6, (800, 2))
    X = amplitudes[..., None] * np.sin(0.7 * np.arange(30) + phases[..., None])
    y = amplitudes @ [1.0, 2.0]
    settings = {**QUICK, "functions": ["id"], "linear_steps": 350, "max_iter": 250}
    model = EQLEncoderRegressor(encoder="conv1d", **settings).fit(X, y)
    assert model.score(X, y) > 0.95
    assert abs(np.corrcoef(model.transform(X)[:, 1], amplitudes[:, 1])[0, 1]) > 0.95
    slopes = model.sympy_expr_.as_coefficients_dict()
    assert float(slopes[Z1] / slopes[Z0]) == pytest.approx(2, abs=0.1)


def test_bytes_are_scaled_once():
    X = (DIGITS.X * 255).astype(np.uint8)
    model = EQLEncoderRegressor(encoder="mlp", **QUICK).fit(X, DIGITS.y)
    assert model.item_scale_ == 255
    as_floats = clone(model).fit(X.astype(np.float64), DIGITS.y)
    np.testing.assert_allclose(as_floats.predict(X), model.predict(X), rtol=1e-6)


class Pairs(Dataset):
    """Samples that are made when they are asked for."""

    def __len__(self):
        return len(DIGITS.y)

    def __getitem__(self, index):
        return torch.from_numpy(DIGITS.X[index]), float(DIGITS.y[index])


def test_datasets_and_memory_maps_give_what_arrays_give(tmp_path):
    model = EQLEncoderRegressor(encoder="mlp", **QUICK).fit(DIGITS.X, DIGITS.y)
    expected = model.predict(DIGITS.X)
    mapped = np.lib.format.open_memmap(tmp_path / "x.npy", "w+", np.float32, DIGITS.X.shape)
    mapped[:] = DIGITS.X
    np.testing.assert_array_equal(clone(model).fit(mapped, DIGITS.y).predict(mapped), expected)
    np.testing.assert_array_equal(clone(model).fit(Pairs()).predict(Pairs()), expected)


class Killed(Exception):
    """Stands for the end of the process."""


@pytest.mark.parametrize(("at_step", "penalty"), [(30, "l0"), (70, "l05"), (95, "l0")])
def test_a_killed_fit_goes_on_from_its_checkpoint_as_if_nothing_had_happened(tmp_path, monkeypatch, at_step, penalty):
    settings = {**QUICK, "penalty": penalty, "transforms": "affine"}
    settings["linear_steps"] = 0
    settings["schedule"] = [Phase(50, 3e-3), Phase(30, 3e-3, threshold=0.01)]
    X, y = DIGITS.X[:400], DIGITS.y[:400]
    whole = EQLEncoderRegressor(encoder="mlp", **settings).fit(X, y)
    monkeypatch.setattr("sklearn_eql.training.checkpoint.SAVE_EVERY", 0.0)
    monkeypatch.setattr("sklearn_eql.training.minibatch._CHECK_EVERY", 7)
    done = []

    def advance(run, *args, unharmed=minibatch._Run.advance):
        done.append(1)
        if len(done) == at_step:
            raise Killed
        unharmed(run, *args)

    path = tmp_path / "fit.pt"
    model = EQLEncoderRegressor(encoder="mlp", checkpoint=path, **settings)
    with monkeypatch.context() as patch:
        patch.setattr("sklearn_eql.training.minibatch._Run.advance", advance)
        with pytest.raises(Killed):
            model.fit(X, y)
    assert path.exists()
    n_before = len(done)
    with monkeypatch.context() as patch:
        patch.setattr("sklearn_eql.training.minibatch._Run.advance", advance)
        done.extend([1] * at_step)  # never again
        model.fit(X, y)
    n_after = len(done) - n_before - at_step
    assert n_after < whole.n_iter_ - n_before + 14  # at most what was done since the last save is done again
    np.testing.assert_array_equal(model.predict(X), whole.predict(X))
    assert model.sympy_expr_ == whole.sympy_expr_
    assert not path.exists()


def test_a_checkpoint_of_another_fit_is_refused(tmp_path, monkeypatch):
    def killed(run):
        raise Killed

    path = tmp_path / "fit.pt"
    model = EQLEncoderRegressor(encoder="mlp", checkpoint=path, **QUICK)
    with monkeypatch.context() as patch:
        patch.setattr("sklearn_eql.training.checkpoint.SAVE_EVERY", 0.0)
        patch.setattr("sklearn_eql.training.minibatch._CHECK_EVERY", 5)
        patch.setattr("sklearn_eql.training.minibatch._Run.finish", killed)
        with pytest.raises(Killed):
            model.fit(DIGITS.X, DIGITS.y)
    with pytest.raises(ValueError, match=r"belongs to another fit: it differs in alpha .* Delete the file"):
        model.set_params(alpha=0.5).fit(DIGITS.X, DIGITS.y)
    with pytest.raises(ValueError, match="differs in data"):
        model.set_params(alpha=1e-3).fit(DIGITS.X, DIGITS.y + 1)
    path.write_bytes(b"no checkpoint")
    with pytest.raises(ValueError, match=r"is no checkpoint of a fit.*Delete the file"):
        model.fit(DIGITS.X, DIGITS.y)


ENDLESS = {**QUICK, "max_iter": 100_000}
N_SCHEDULED = 80  # steps of the linear form and of the schedule, before those of the law


def before_step(monkeypatch, n, event):
    """Let something happen before the n-th step of training."""
    done = []

    def advance(run, *args, unharmed=minibatch._Run.advance):
        done.append(1)
        if len(done) == n:
            event()
        unharmed(run, *args)

    monkeypatch.setattr("sklearn_eql.training.minibatch._Run.advance", advance)


def test_ctrl_c_keeps_the_model_trained_so_far(monkeypatch):
    before_step(monkeypatch, N_SCHEDULED + 300, lambda: signal.raise_signal(signal.SIGINT))
    with pytest.warns(SearchInterruptedWarning, match="kept"):
        model = EQLEncoderRegressor(encoder="mlp", **ENDLESS).fit(DIGITS.X, DIGITS.y)
    assert model.interrupted_
    assert model.stop_reason_ == "interrupted"
    assert model.n_iter_ == N_SCHEDULED + 300  # a step that has begun is done
    assert model.score(DIGITS.X, DIGITS.y) > 0.5


def test_ctrl_c_in_the_search_for_laws_ends_the_fit_with_the_law_of_the_head(monkeypatch):
    def interrupted(*args, **kwargs):
        raise KeyboardInterrupt

    monkeypatch.setattr("sklearn_eql.encoder.latent_laws.eliminate_networks", interrupted)
    with pytest.warns(SearchInterruptedWarning, match="kept"):
        model = EQLEncoderRegressor(encoder="mlp", **QUICK).fit(DIGITS.X, DIGITS.y)
    assert model.n_iter_ in (40, 80, 120)  # rounds of the linear form, and no step more
    assert model.sympy_expr_.free_symbols == {Z0, Z1}


def test_ctrl_c_between_two_stages_keeps_the_law(monkeypatch):
    def pressed(*args, unharmed=search.symmetric, **options):
        signal.raise_signal(signal.SIGINT)
        return unharmed(*args, **options)

    monkeypatch.setattr(search, "symmetric", pressed)
    with pytest.warns(SearchInterruptedWarning, match="kept"):
        model = EQLEncoderRegressor(encoder="mlp", **QUICK).fit(DIGITS.X[:300], DIGITS.y[:300])
    assert (model.interrupted_, model.stop_reason_) == (True, "interrupted")
    assert model.predict(DIGITS.X[:2]).shape == (2,)


def test_max_time_ends_training_with_a_model(monkeypatch, clock):
    before_step(monkeypatch, N_SCHEDULED + 300, lambda: clock.advance(20_000))
    model = EQLEncoderRegressor(encoder="mlp", max_time=10_000.0, **ENDLESS)
    model.fit(DIGITS.X, DIGITS.y)
    assert model.stop_reason_ == "max_time"
    assert model.n_iter_ == N_SCHEDULED + 300
    assert model.score(DIGITS.X, DIGITS.y) > 0.5


def test_early_stopping_keeps_the_best_weights():
    settings = {**QUICK, "max_iter": 20_000, "early_stopping": True, "n_iter_no_change": 2, "learning_rate": 0.05}
    model = EQLEncoderRegressor(encoder="mlp", **settings).fit(DIGITS.X[:300], DIGITS.y[:300])
    assert model.stop_reason_ == "early_stopping"
    assert model.n_iter_ < 20_000


def test_warm_start_goes_on_from_the_encoder():
    model = EQLEncoderRegressor(encoder="mlp", **{**QUICK, "max_iter": 300}).fit(DIGITS.X, DIGITS.y)
    model.set_params(warm_start=True, max_iter=1).fit(DIGITS.X, DIGITS.y)
    warm = model.score(DIGITS.X, DIGITS.y)
    cold = clone(model).set_params(warm_start=False).fit(DIGITS.X, DIGITS.y).score(DIGITS.X, DIGITS.y)
    assert warm > cold


def test_a_callable_selects_the_law():
    seen = []

    def simplest(table):
        seen.extend(table.columns)
        return int(table["complexity"].idxmin())

    model = EQLEncoderRegressor(encoder="mlp", selection=simplest, **QUICK).fit(DIGITS.X, DIGITS.y)
    assert "loss" in seen
    assert len(model.sympy_expr_.free_symbols) < 2


def test_verbose_reports_every_stage(capsys):
    EQLEncoderRegressor(encoder="mlp", verbose=1, **{**QUICK, "linear_steps": 0}).fit(DIGITS.X, DIGITS.y)
    lines = capsys.readouterr().err
    assert "phase 1, step 40 of 40: loss" in lines
    assert "law, step 40 of 40: loss" in lines
