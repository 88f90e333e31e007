"""Bad input to EQLEncoderRegressor: the type of exception, and a message that says what to do."""

import numpy as np
import pytest
import torch
from torch import nn
from torch.utils.data import Dataset, IterableDataset

from sklearn_eql import EQLEncoderRegressor, Phase
from sklearn_eql.exceptions import AllTrialsFailedError, InvalidFunctionsError

X = np.random.default_rng(0).random((40, 2, 8, 8))
Y = X.mean(axis=(1, 2, 3))
QUICK = {
    "encoder": "mlp",
    "functions": {"id": 1, "mul": 1},
    "n_hidden_layers": 1,
    "linear_steps": 5,
    "schedule": [Phase(5, 1e-3)],
    "max_iter": 5,
    "n_generations": 0,
    "random_state": 0,
}


def estimator(**changes):
    return EQLEncoderRegressor(**{**QUICK, **changes})


@pytest.fixture(scope="module")
def fitted():
    return estimator().fit(X, Y)


RAGGED = [[np.zeros((8, 8)), np.zeros((8, 8))], [np.zeros((8, 8)), np.zeros((7, 8))], [np.zeros((8, 8))] * 2]
WITH_NAN = X.copy()
WITH_NAN[3, 1, 0, 0] = np.nan

BAD_DATA = {
    "ragged items": (RAGGED, Y[:3], r"X\[1\] has items of different shapes.*Crop, pad or resize"),
    "missing values": (WITH_NAN, Y, "Input X contains NaN"),
    "one sample": (X[:1], Y[:1], "minimum of 2 is required"),
    "constant targets": (X, np.ones(40), "y is constant.*DummyRegressor"),
    "other length": (X, Y[:-1], "inconsistent numbers of samples"),
    "constant items": (np.ones_like(X), Y, "X: all 40 samples are the same, expected some that differ"),
    "a number as targets": (X, 3.0, r"y: got the single value '3.0'.*expected shape \(n_samples,\)"),
    "dates as targets": (X, np.arange("2024-05-01", "2024-06-10", dtype="M8[D]"), r"y\[0\]: got dates"),
    "integers beyond float64": (X, [10**400] * 40, r"y\[0\]: got an integer of 401 digits"),
    "no targets": (X, None, "requires y to be passed.*Give one number per sample"),
    "infinite targets": (X, np.where(np.arange(40) == 3, np.inf, Y), "Input y contains infinity"),
}


@pytest.mark.parametrize("case", BAD_DATA.values(), ids=BAD_DATA)
def test_data_that_cannot_be_fitted_are_refused(case):
    bad_X, bad_y, message = case
    with pytest.raises(ValueError, match=f"(?s){message}"):
        estimator().fit(bad_X, bad_y)


def wrong_width():
    return nn.Sequential(nn.Flatten(), nn.Linear(64, 3))


def not_finite():
    module = nn.Sequential(nn.Flatten(), nn.Linear(64, 1))
    nn.init.constant_(module[1].bias, float("nan"))
    return module


BAD_PARAMETERS = {
    "an encoder of another width": ({"encoder": wrong_width}, ValueError, r"returned \(2, 3\), expected \(2, 1\)"),
    "an encoder that returns NaN": ({"encoder": not_finite}, ValueError, "returned NaN or infinity"),
    "an instance of an encoder": ({"encoder": nn.Linear(64, 1)}, TypeError, "got an instance of Linear.*lambda"),
    "an unknown encoder": ({"encoder": "resnet"}, ValueError, "expected one of"),
    "latents beyond the samples": (
        {"n_latents": 10**6},
        ValueError,
        "n_latents=1000000 for 40 samples, expected fewer",
    ),
    "an unknown head": ({"head": "mlp"}, ValueError, "The 'head' parameter"),
    "an unknown function": ({"functions": ["sine"]}, InvalidFunctionsError, "'sine' is not a known function"),
    "constants only": ({"functions": ["const"]}, ValueError, "holds constants only"),
    "an unknown schedule": (
        {"schedule": "slow"},
        ValueError,
        "schedule must be one of .'fast', 'paper'. or a sequence of Phase",
    ),
    "other items": ({"n_items": 3}, ValueError, "has 2 items of shape.*n_items=3.*Leave the two out"),
    "no time": ({"max_time": 0}, ValueError, "The 'max_time' parameter"),
    "a device that is not there": ({"device": "cuda:99"}, ValueError, "is not there.*device='cpu'"),
    "a transform of another shape": ({"transforms": lambda image: image[:, 1:]}, ValueError, "expected the same shape"),
    "a folder that is not there": ({"checkpoint": "nowhere/fit.pt"}, ValueError, "there is no folder 'nowhere'"),
    "nothing to stop by": (
        {"early_stopping": True, "validation_fraction": 0.0},
        ValueError,
        "needs held-out samples.*larger fraction",
    ),
}


@pytest.mark.parametrize("case", BAD_PARAMETERS.values(), ids=BAD_PARAMETERS)
def test_parameters_that_do_not_fit_are_refused(case):
    changes, kind, message = case
    with pytest.raises(kind, match=f"(?s){message}"):
        estimator(**changes).fit(X, Y)


def test_convolutions_of_columns_name_the_cure():
    with pytest.raises(ValueError, match=r"got items of shape.*Use encoder='conv1d' for series, 'mlp' for rows"):
        estimator(encoder="conv2d").fit(X[:, 0, 0], Y)


def test_a_shape_that_does_not_divide_the_features_is_refused():
    with pytest.raises(ValueError, match=r"X has 128 features, which are not n_items=3 items of shape \(42,\)"):
        estimator(n_items=3).fit(X.reshape(40, -1), Y)


def test_transforms_of_rows_are_refused():
    with pytest.raises(ValueError, match=r"items have shape \(1,\), expected images.*Leave transforms=None"):
        estimator(transforms="affine").fit(X[:, 0, 0], Y)


def test_items_of_another_shape_are_refused_at_predict(fitted):
    with pytest.raises(ValueError, match=r"samples of shape \(2, 9, 8\), expected \(2, 8, 8\).*Crop, resize"):
        fitted.predict(np.zeros((3, 2, 9, 8)))
    with pytest.raises(ValueError, match=r"samples of shape \(3, 8, 8\), expected \(2, 8, 8\)"):
        fitted.transform(X[:, :1].repeat(3, axis=1))
    with pytest.raises(ValueError, match="X has 127 features, but EQLEncoderRegressor is expecting 128 features"):
        fitted.predict(X.reshape(40, -1)[:, 1:])


def test_items_whose_axes_are_swapped_are_not_taken_for_others(fitted):
    with pytest.raises(ValueError, match=r"samples of shape \(8, 8, 2\), expected \(2, 8, 8\).*transpose"):
        fitted.predict(np.moveaxis(X, 1, -1))


def test_training_that_diverges_is_told_with_the_cure():
    with pytest.raises(AllTrialsFailedError, match=r"Training diverged in linear form.*Lower learning_rate"):
        estimator(linear_steps=60, learning_rate=1e30, loss="squared_error").fit(X, Y)


def test_a_row_that_is_not_in_the_table_is_refused(fitted):
    with pytest.raises(IndexError, match="index=99 is no row of equations_"):
        fitted.predict(X, index=99)


@pytest.mark.parametrize("y", [Y.astype(np.float32), -Y, (10 * Y).round().astype(int)], ids=["f4", "negative", "int"])
def test_targets_may_be_any_real_numbers(y):
    assert np.isfinite(estimator().fit(X, y + np.arange(40)).predict(X)).all()


class Uneven(Dataset):
    def __len__(self):
        return 6

    def __getitem__(self, index):
        return torch.zeros(2, 8, 8 if index < 5 else 9), float(index)


class Endless(IterableDataset):
    def __iter__(self):
        return iter([])


class Few(Uneven):
    def __len__(self):
        return 1


class Holes(Uneven):
    def __getitem__(self, index):
        return torch.full((2, 8, 8), float("nan") if index == 2 else 1.0), float(index)


class NoTargets(Uneven):
    def __getitem__(self, index):
        return torch.zeros(2, 8, 8)


DATASETS = {
    "items of different shapes": (Uneven, ValueError, r"X\[5\] has shape \(2, 8, 9\), expected \(2, 8, 8\)"),
    "no length": (Endless, TypeError, "iterable dataset.*map-style"),
    "one sample": (Few, ValueError, "a minimum of 2 is required"),
    "missing values": (Holes, ValueError, r"X\[2\] holds NaN or infinity"),
    "no targets": (NoTargets, ValueError, "y is None and .* is no pair"),
}


@pytest.mark.parametrize("case", DATASETS.values(), ids=DATASETS)
def test_datasets_that_cannot_be_read_are_refused(case):
    dataset, kind, message = case
    with pytest.raises(kind, match=f"(?s){message}"):
        estimator().fit(dataset())


@pytest.mark.parametrize("scale", [1e307, 1e-310])
def test_items_of_any_scale_are_read_alike(fitted, scale):
    found = estimator().fit(X * scale, Y)
    np.testing.assert_allclose(found.predict(X * scale), fitted.predict(X), rtol=1e-3)


def test_one_pixel_beyond_float32_gives_finite_predictions():
    spoiled = X.copy()
    spoiled[3, 0, 2, 2] = 1e150
    assert np.isfinite(estimator(head="relu").fit(spoiled, Y).predict(spoiled)).all()


def test_signed_bytes_are_scaled_by_their_largest_size():
    items = (X * 255 - 128).astype(np.int8)
    items[0, 0, 0, 0] = -128  # whose negative is no signed byte
    assert estimator().fit(items, Y).item_scale_ == 128


def test_tensors_with_a_graph_are_read():
    found = estimator().fit(torch.tensor(X, requires_grad=True), torch.tensor(Y, requires_grad=True))
    assert np.isfinite(found.predict(torch.tensor(X, requires_grad=True))).all()
