"""Fixtures that every test may use."""

import os
import signal
import time
from pathlib import Path

import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest
import sympy
import torch
from disguised_device import NAME, DisguisedDevice
from sklearn.base import BaseEstimator, RegressorMixin

from sklearn_eql.estimators import _device

mpl.use("Agg")


def pytest_addoption(parser):
    parser.addoption(
        "--data-dir",
        default=os.environ.get("SKLEARN_EQL_DATA"),
        help="folder of the shared data sets (default: the environment variable SKLEARN_EQL_DATA)",
    )


@pytest.fixture(scope="session")
def data_dir(request):
    """Folder of the shared data sets; tests that need it are skipped where it is missing."""
    given = request.config.getoption("--data-dir")
    if not given:
        pytest.skip("shared data sets: name their folder with --data-dir or SKLEARN_EQL_DATA")
    if not Path(given).is_dir():
        pytest.skip(f"shared data sets: there is no folder {given}")
    return Path(given)


@pytest.fixture(scope="session", autouse=True)
def ctrl_c_is_heard():
    """As in a terminal: a shell has its jobs in the background ignore Ctrl-C, and all that these start."""
    before = signal.getsignal(signal.SIGINT)
    if before is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


def pytest_collection_modifyitems(items):
    """No test module may keep a random generator: what a test draws would depend on the tests that ran before it."""
    for module in {item.module for item in items if isinstance(item, pytest.Function)}:
        held = [name for name, value in vars(module).items() if isinstance(value, np.random.Generator)]
        if held:
            raise pytest.UsageError(f"{module.__name__} keeps {held}: use the fixture rng, or a seed in place.")


@pytest.fixture
def rng():
    """Random numbers of this test alone, of another seed than the data of the modules."""
    return np.random.default_rng(100)


class Clock:
    """The wall clock, which a test can put forward: what ends by time then ends there, however fast the machine is."""

    def __init__(self):
        self._ahead, self._real = 0.0, time.time

    def time(self):
        return self._real() + self._ahead

    def advance(self, seconds):
        self._ahead += seconds


@pytest.fixture
def clock(monkeypatch):
    """Stands in for ``time.time``; see :class:`Clock`."""
    clock = Clock()
    monkeypatch.setattr(time, "time", clock.time)
    return clock


@pytest.fixture
def disguised_device(monkeypatch):
    """A device beside the CPU on every machine, which estimators take by ``device=NAME``; see `disguised_device.py`."""
    monkeypatch.setattr(_device, "DEVICE_TYPES", (*_device.DEVICE_TYPES, NAME))
    with DisguisedDevice() as device:
        yield device


@pytest.fixture(scope="module")
def one_thread():
    """One torch thread: on small networks more of them only wait for each other."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


class KnownLaw(BaseEstimator, RegressorMixin):
    """The face of a fitted EQLRegressor without the search: it always 'finds' y = 2.00012*x0**1.5 of the first feature.

    For code that only reads results, so that its tests take no time and do not depend on what a search finds.
    """

    def __init__(self, functions="default", form=None, selection="best", max_time=None, random_state=None, verbose=0):
        self.functions = functions
        self.form = form
        self.selection = selection
        self.max_time = max_time
        self.random_state = random_state
        self.verbose = verbose

    def fit(self, X, y):
        if self.verbose:
            print("searching")
        names = getattr(X, "columns", ["x0"])
        self.symbol_ = sympy.Symbol(names[0])
        laws = [sympy.Float(7.5), 3.25 * self.symbol_, 2.00012 * self.symbol_ ** sympy.Rational(3, 2)]
        self.equations_ = pd.DataFrame(
            {
                "complexity": [1, 3, 5],
                "loss": [10.0, 0.5, 0.0],
                "score": [0.0, 1.5, 9.0],
                "equation": [str(law) for law in laws],
                "sympy_expr": laws,
                "trial": [0, 4, 2],
            }
        )
        self.best_index_ = 2
        self.sympy_expr_ = laws[2]
        self.stop_reason_ = "exact"
        return self

    def sympy(self, index=None):
        return self.equations_["sympy_expr"][self.best_index_ if index is None else index]

    def latex(self, index=None, precision=3):
        return sympy.latex(self.sympy(index).n(precision))

    def predict(self, X, index=None):
        law = sympy.lambdify(self.symbol_, self.sympy(index))
        return np.broadcast_to(law(np.asarray(X, dtype=float)[:, 0]), len(X)).astype(float)


@pytest.fixture
def known_law():
    """The class :class:`KnownLaw`."""
    return KnownLaw
