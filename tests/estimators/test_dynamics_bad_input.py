"""Every bad input to EQLDynamicsRegressor names the parameter, what was received, what is expected and the cure."""

import numpy as np
import pytest
import scipy.sparse
import torch
from sklearn.exceptions import NotFittedError

from sklearn_eql import EQLDynamicsRegressor
from sklearn_eql.datasets import make_kinematics
from sklearn_eql.exceptions import InvalidFunctionsError, RolloutWarning
from sklearn_eql.training.schedule import RolloutPhase

DATA = make_kinematics(20, 12, 4, random_state=0)
X, Y = DATA.X, DATA.Y  # (20, 13, 2), (20, 4, 2)
SHORT = (RolloutPhase(20, n_rollout=1),)


def quick(**parameters):
    return EQLDynamicsRegressor(**{"encoder": "mlp", "n_trials": 1, "schedule": SHORT, "random_state": 0, **parameters})


def with_value(array, value, place):
    changed = array.copy()
    changed[place] = value
    return changed


def ragged(array, as_type):
    series = [as_type(one) for one in array]
    series[3] = as_type(array[3][:-2])
    return series


def objects(array):
    column = np.empty(len(array), dtype=object)
    for i, one in enumerate(array):
        column[i] = one[: 3 + i % 2]
    return column


SHAPE_X = r"expected shape \(n_series, n_observed \+ 1, n_states\): the observed window, and in the last row the start"
SHAPE_Y = r"expected shape \(n_series, n_steps, n_states\): the states that follow the last row of X"
CUT = "Cut all series to the shortest, or cut long ones"
AXES = r"One series is X\[None\]; one state is X\[:, :, None\]"

SERIES = {
    "a gap in X": (
        with_value(X, np.nan, (3, 5, 1)),
        Y,
        ValueError,
        r"X: got NaN or infinity in 1 of 20 series \(first: X\[3, 5, 1\]\), expected finite values. Leave those.*fill",
    ),
    "gaps in two series": (
        with_value(X, np.nan, (slice(4, 6), 0, 0)),
        Y,
        ValueError,
        r"X: got NaN or infinity in 2 of 20 series \(first: X\[4, 0, 0\]\)",
    ),
    "missing objects": (
        with_value(X.astype(object), None, (3, 5, 1)),
        Y,
        ValueError,
        r"X: got NaN or infinity in 1 of 20 series \(first: X\[3, 5, 1\]\)",
    ),
    "infinite Y": (
        X,
        with_value(Y, -np.inf, (7, 0, 0)),
        ValueError,
        r"Y: got NaN or infinity in 1 of 20 series \(first: Y\[7, 0, 0\]\), expected finite values. Leave those",
    ),
    "ragged arrays": (ragged(X, np.array), Y, ValueError, rf"X: got series of different lengths \(11, 13\).*{CUT}"),
    "ragged lists": (ragged(X, list), Y, ValueError, rf"X: got series of different lengths \(11, 13\), {SHAPE_X}"),
    "ragged objects": (objects(X), Y, ValueError, rf"X: got series of different lengths \(3, 4\), {SHAPE_X}.*{CUT}"),
    "ragged Y": (X, ragged(Y, np.array), ValueError, rf"Y: got series of different lengths \(2, 4\), {SHAPE_Y}.*{CUT}"),
    "series of different states": (
        [one[:, : 1 + i % 2] for i, one in enumerate(X)],
        Y,
        ValueError,
        rf"X: got series of different shapes \(\(13, 1\), \(13, 2\)\), {SHAPE_X}.*Give every series the same states",
    ),
    "2-D X": (X[:, :, 0], Y, ValueError, rf"X: got an array of shape \(20, 13\), {SHAPE_X}.*{AXES}"),
    "2-D Y": (X, Y[:, :, 0], ValueError, rf"Y: got an array of shape \(20, 4\), {SHAPE_Y}.*{AXES.replace('X', 'Y')}"),
    "4-D X": (X[None], Y, ValueError, rf"X: got an array of shape \(1, 20, 13, 2\), {SHAPE_X}"),
    "no Y": (X, None, ValueError, rf"Y: got an array of shape \(\), {SHAPE_Y}"),
    "another number of states": (
        X,
        Y[:, :, :1],
        ValueError,
        r"Y: got 1 states \(shape \(20, 4, 1\)\), expected 2. Give",
    ),
    "another number of series": (X, Y[:-1], ValueError, "X and Y: got 20 and 19 series, expected the same number"),
    "no series": (X[:0], Y[:0], ValueError, rf"X: got an empty array of shape \(0, 13, 2\), {SHAPE_X}"),
    "no steps": (X, Y[:, :0], ValueError, rf"Y: got an empty array of shape \(20, 0, 2\), {SHAPE_Y}"),
    "no states": (X[:, :, :0], Y[:, :, :0], ValueError, r"X: got an empty array of shape \(20, 13, 0\)"),
    "one series": (
        X[:1],
        Y[:1],
        ValueError,
        "X: got 1 series, expected several that differ in the hidden parameter. Use n_latents=0",
    ),
    "nothing moves": (
        np.ones_like(X),
        np.ones_like(Y),
        ValueError,
        "Y is constant: none of the states x0, x1 moves in any series, expected series that change.*order of the axes",
    ),
    "complex": (X + 1j, Y, ValueError, rf"X: got complex data, {SHAPE_X}.*Give real and imaginary parts as states"),
    "complex Y": (X, Y + 1j, ValueError, rf"Y: got complex data, {SHAPE_Y}.*Give real and imaginary parts as states"),
    "text": (
        np.full(X.shape, "red"),
        Y,
        ValueError,
        r"X\[0, 0, 0\]: got text \(first: 'red', dtype <U3\), expected numbers. Turn the text in X into numbers",
    ),
    "series of extreme size": (
        X * 1e300,
        Y,
        ValueError,
        r"X and Y: the largest value of state x0 is .*e\+30., expected 1e-50 to 1e\+50.*other units",
    ),
    "series of next to nothing": (X * 1e-300, Y * 1e-300, ValueError, "state x0 is .*e-299, expected 1e-50 to"),
    "integers beyond float64": (
        (X * 10).astype(int).astype(object) + 10**400,
        Y,
        ValueError,
        "an integer of 401 digits",
    ),
    "sparse": (
        scipy.sparse.csr_array(X[:, :, 0]),
        Y,
        TypeError,
        rf"X: got a sparse matrix, {SHAPE_X}.*Use .toarray\(\) and reshape",
    ),
    "no window": (X[:, -1:], Y, ValueError, r"X: got 1 row.*expected.*window"),
}


@pytest.mark.parametrize("case", SERIES)
def test_bad_series_are_named_and_their_cure_told(case):
    given, target, kind, message = SERIES[case]
    with pytest.raises(kind, match=f"(?s){message}"):
        quick().fit(given, target)


def test_a_window_shorter_than_the_convolutions_is_refused():
    with pytest.raises(ValueError, match=r"encoder='conv1d'.*of length 9 at least.*\(2, 8\). Give longer.*'mlp'"):
        quick(encoder="conv1d").fit(X[:, -9:], Y)


def test_the_shortest_window_of_the_convolutions_is_fitted():
    model = quick(encoder="conv1d", refine=False).fit(X[:, -10:], Y)
    assert model.transform(X[:, -10:]).shape == (20, 1)


def wide_encoder():
    return torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(24, 3))


def narrow_encoder():
    return torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(7, 1))


def infinite_encoder():
    module = torch.nn.Linear(24, 1)
    torch.nn.init.constant_(module.weight, np.inf)
    return torch.nn.Sequential(torch.nn.Flatten(), module)


NAMES = "expected 2 distinct names, one per state .last axis of X., other than z"
PARAMETERS = {
    "too few names": ({"state_names": ["u"]}, ValueError, rf"state_names=\('u',\): {NAMES}"),
    "too many names": ({"state_names": ["u", "v", "w"]}, ValueError, rf"state_names=\('u', 'v', 'w'\): {NAMES}"),
    "a name twice": ({"state_names": ["u", "u"]}, ValueError, rf"state_names=\('u', 'u'\): {NAMES}"),
    "an empty name": ({"state_names": ["u", ""]}, ValueError, rf"state_names=\('u', ''\): {NAMES}"),
    "the name of the latent": ({"state_names": ["u", "z"]}, ValueError, rf"state_names=\('u', 'z'\): {NAMES}"),
    "the name of a latent": (
        {"state_names": ["u", "z1"], "n_latents": 2},
        ValueError,
        r"state_names=\('u', 'z1'\): expected 2 distinct names.*other than z0, z1",
    ),
    "latents beyond the series": ({"n_latents": 10**6}, ValueError, "n_latents=1000000 for 20 series, expected fewer"),
    "a number as names": ({"state_names": 2}, ValueError, "'state_names' parameter.*Sequence.*Got 2"),
    "a module as encoder": (
        {"encoder": torch.nn.Linear(2, 2)},
        TypeError,
        "encoder: got an instance of Linear, expected a function that makes one.*fresh weights. Pass encoder=lambda",
    ),
    "an encoder of another width": (
        {"encoder": wide_encoder},
        ValueError,
        r"encoder: for a batch of shape \(2, 2, 12\).*\(2, 3\), expected \(2, 1\). Let its last layer have n_latents=1",
    ),
    "an encoder of another input": (
        {"encoder": narrow_encoder},
        ValueError,
        r"encoder: the module failed on a batch of shape \(2, 2, 12\).*Expected a module that maps \(n, 2, 12\)",
    ),
    "an infinite encoder": ({"encoder": infinite_encoder}, ValueError, "encoder: the module returned NaN or infinity"),
    "an encoder without module": (
        {"encoder": list},
        TypeError,
        "encoder: the function returned list, expected a torch",
    ),
    "an unknown encoder": ({"encoder": "lstm"}, ValueError, "encoder='lstm': expected one of .*'conv1d'.*'mlp'"),
    "an encoder of images": ({"encoder": "conv2d"}, ValueError, "encoder='conv2d' reads images.*'conv1d' for series"),
    "an unknown preset": (
        {"functions": "sine"},
        InvalidFunctionsError,
        "functions='sine' is not a preset.*pass a list",
    ),
    "an unknown function": (
        {"functions": ["sine"]},
        InvalidFunctionsError,
        "functions: 'sine' is not a known function",
    ),
    "no functions": ({"functions": {}}, InvalidFunctionsError, "functions is empty. Name at least one"),
    "no time step": ({"dt": 0}, ValueError, r"'dt' parameter.*range \(0.0, inf\) or None. Got 0"),
    "a negative time step": ({"dt": -0.1}, ValueError, r"'dt' parameter.*range \(0.0, inf\) or None. Got -0.1"),
    "an undefined time step": ({"dt": np.nan}, ValueError, r"'dt' parameter.*Got nan"),
    "an unrefined derivative": (
        {"form": "ode", "refine": False},
        ValueError,
        "form='ode' with head='eql', refine=False: networks are trained to make steps.*Use form='update'",
    ),
    "a plain derivative": (
        {"form": "ode", "head": "relu"},
        ValueError,
        "form='ode' with head='relu', refine=True: .*Use form='update' or 'increment'",
    ),
    "an unknown form": ({"form": "delta"}, ValueError, "'form' parameter.*'increment'.*Got 'delta'"),
    "an unknown head": ({"head": "gru"}, ValueError, "'head' parameter.*'relu'.*Got 'gru'"),
    "an unknown scale of latents": (
        {"latent_scale": "one"},
        ValueError,
        "'latent_scale' parameter.*'simple'.*Got 'one'",
    ),
    "a negative number of latents": ({"n_latents": -1}, ValueError, r"'n_latents' parameter.*\[0, inf\). Got -1"),
    "no trials": ({"n_trials": 0}, ValueError, r"'n_trials' parameter.*\[1, inf\). Got 0"),
    "no degree": ({"max_degree": 0}, ValueError, r"'max_degree' parameter.*\[1, inf\). Got 0"),
    "no time": ({"max_time": 0}, ValueError, r"'max_time' parameter.*\(0.0, inf\) or None. Got 0"),
    "no batch": ({"batch_size": 0}, ValueError, r"'batch_size' parameter.*\[1, inf\) or None. Got 0"),
    "a GPU that is not there": ({"device": "cuda:7"}, ValueError, "device='cuda:7' is not there.*Use device='cpu'"),
    "an unknown device": ({"device": "tpu"}, ValueError, "device='tpu' is unknown.*Use 'auto'"),
    "an unknown schedule": ({"schedule": "slow"}, ValueError, "schedule must be one of .*'paper-sho'.*got 'slow'"),
    "an empty schedule": ({"schedule": []}, ValueError, "schedule must be a non-empty sequence of Phase, got"),
    "a schedule of numbers": (
        {"schedule": [3]},
        ValueError,
        r"schedule must be a non-empty sequence of Phase, got \[3\]",
    ),
    "a roll-out of no step": (
        {"schedule": [RolloutPhase(5, n_rollout=0)]},
        ValueError,
        r"n_rollout=0\).*n_rollout",
    ),
    "a hidden layer of no unit": (
        {"head": "relu", "relu_layers": (0,)},
        ValueError,
        r"relu_layers=\(0,\).*positive int",
    ),
    "hidden layers of text": ({"head": "relu", "relu_layers": "ab"}, ValueError, "relu_layers='ab'.*positive int"),
    "a bad random state": ({"random_state": "a"}, ValueError, "'random_state' parameter.*Got 'a'"),
}


@pytest.mark.parametrize("case", PARAMETERS)
def test_a_bad_parameter_is_named_with_what_is_expected(case):
    parameters, kind, message = PARAMETERS[case]
    with pytest.raises(kind, match=f"(?s){message}"):
        quick(**parameters).fit(X, Y)


@pytest.fixture(scope="module")
def fitted():
    return quick(refine=False).fit(X, Y)


@pytest.mark.parametrize("method", ["predict", "transform", "rollout"])
def test_other_rows_than_in_fit_are_refused(fitted, method):
    extra = (3,) if method == "rollout" else ()
    with pytest.raises(ValueError, match=r"X: got 12 rows per series \(shape \(20, 12, 2\)\), expected 13. Give"):
        getattr(fitted, method)(X[:, 1:], *extra)
    with pytest.raises(ValueError, match=r"X: got 1 states \(shape \(20, 13, 1\)\), expected 2. Give"):
        getattr(fitted, method)(X[:, :, :1], *extra)
    with pytest.raises(ValueError, match=r"X: got NaN or infinity in 1 of 20 series \(first: X\[3, 5, 1\]\)"):
        getattr(fitted, method)(with_value(X, np.nan, (3, 5, 1)), *extra)


def test_other_steps_than_in_fit_are_not_scored(fitted):
    with pytest.raises(ValueError, match=r"Y: got 3 rows per series \(shape \(20, 3, 2\)\), expected 4. Give"):
        fitted.score(X, Y[:, :3])


@pytest.mark.parametrize("n_steps", [0, -1, 1.5, 3.0, True, "3", None])
def test_a_number_of_steps_that_is_none_is_refused(fitted, n_steps):
    with pytest.raises(
        ValueError, match=f"n_steps={n_steps!r}: expected a positive integer, the number of steps to go"
    ):
        fitted.rollout(X, n_steps)


def test_a_number_of_steps_of_numpy_is_taken(fitted):
    assert fitted.rollout(X, np.int64(3)).shape == (20, 3, 2)


CALLS = {"predict": (X,), "transform": (X,), "rollout": (X, 3), "score": (X, Y), "sympy": (), "latex": ()}


@pytest.mark.parametrize("method", [*CALLS, "torch_module", "get_feature_names_out"])
def test_methods_of_an_unfitted_estimator_ask_for_fit(method):
    with pytest.raises(NotFittedError, match=r"EQLDynamicsRegressor instance is not fitted yet. Call 'fit'"):
        getattr(EQLDynamicsRegressor(), method)(*CALLS.get(method, ()))


@pytest.mark.parametrize("attribute", ["sympy_expr_", "equations_", "best_index_"])
def test_fitted_attributes_do_not_exist_before_fit(attribute):
    with pytest.raises(AttributeError, match=f"EQLDynamicsRegressor has no attribute '{attribute}' before fit"):
        getattr(EQLDynamicsRegressor(), attribute)


@pytest.mark.parametrize("index", [99, -1])
def test_an_index_that_is_no_row_is_refused(fitted, index):
    with pytest.raises(IndexError, match=f"index={index} is no row of equations_; expected 0 to"):
        fitted.sympy(index=index)


def test_one_index_per_state_is_expected(fitted):
    with pytest.raises(ValueError, match="index: got 1 rows for 2 outputs; give one row per output"):
        fitted.sympy(index=[0])


@pytest.fixture(scope="module")
def explosive():
    """The law x' = x + x**2/10, fitted where it is harmless."""
    states = [np.random.default_rng(0).uniform(0.5, 2, (20, 1))]
    for _ in range(4):
        states.append(states[-1] + 0.1 * states[-1] ** 2)
    return EQLDynamicsRegressor(n_latents=0).fit(states[0][:, None], np.stack(states[1:], axis=1))


def starts(*values):
    return np.array(values, dtype=float)[:, None, None]


def test_an_exploding_rollout_is_stopped_and_its_finite_part_returned(explosive):
    with pytest.warns(RolloutWarning, match=r"1 of 2 series explode.*stopped after 4 of 20 steps.*\(first: series 1\)"):
        rolled = explosive.rollout(starts(0.01, 30.0), 20)
    assert rolled.shape == (2, 4, 1)
    expected = 30.0
    for step in rolled[1, :, 0]:
        expected += 0.1 * expected**2
        assert step == pytest.approx(expected, rel=1e-9)


def test_a_rollout_that_explodes_at_once_is_empty(explosive):
    with pytest.warns(RolloutWarning, match=r"1 of 1 series explode.*stopped after 0 of 3 steps"):
        assert explosive.rollout(starts(1e100), 3).shape == (1, 0, 1)


def test_a_rollout_that_ends_before_it_explodes_is_returned_whole(explosive):
    assert explosive.rollout(starts(0.01, 30.0), 4).shape == (2, 4, 1)


@pytest.mark.parametrize("method", ["predict", "score"])
def test_a_prediction_that_explodes_is_refused(explosive, method):
    arguments = (starts(0.01, 1e4), np.ones((2, 4, 1)))[: 1 + (method == "score")]
    message = r"X: the law explodes in 1 of 2 series \(first: series 1, after 1 steps\). rollout\(X, n_steps\) returns"
    with pytest.raises(ValueError, match=message):
        getattr(explosive, method)(*arguments)
