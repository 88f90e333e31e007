"""Several outputs: each has its equation and its share of the time, however they are spread over jobs."""

import time
from dataclasses import dataclass, field

import joblib
import numpy as np
import pytest

from sklearn_eql import EQLRegressor
from sklearn_eql.estimators._kept_laws import Outcome
from sklearn_eql.estimators._outputs import fit_outputs
from sklearn_eql.progress import Watched
from sklearn_eql.search.settings import SearchResult
from sklearn_eql.stopping import StopReason


def table(noise=0.0):
    rng = np.random.default_rng(0)
    X = rng.uniform(1, 3, (80, 2))
    Y = np.c_[X[:, 0] * X[:, 1], X[:, 0] / X[:, 1], X[:, 0] + 2 * X[:, 1] ** 2]
    return X, Y + noise * rng.standard_normal(Y.shape)


def small(**settings):
    return EQLRegressor(n_families=2, n_generations=1, random_state=0, **settings)


@pytest.mark.parametrize("backend", ["loky", "threading"])
def test_laws_do_not_depend_on_jobs(backend):
    X, Y = table(0.05)
    in_turn = small().fit(X, Y)
    with joblib.parallel_config(backend):
        spread = small(n_jobs=2).fit(X, Y)
    assert spread.sympy_expr_ == in_turn.sympy_expr_
    assert spread.stop_reason_ == in_turn.stop_reason_


def test_watchers_hear_of_all_outputs_in_other_processes():
    seen = []
    small(n_jobs=2, callbacks=[seen.append]).fit(*table())
    assert {progress.output for progress in seen} == {0, 1, 2}
    assert all(progress.law for progress in seen)


def test_a_watcher_ends_the_fit_of_all_outputs_in_other_processes():
    model = EQLRegressor(n_generations=10**6, patience=10**6, n_families=0, n_jobs=2, random_state=0)
    model.set_params(callbacks=[lambda progress: progress.output == 1 and progress.step > 2])
    model.fit(*table(0.3))
    assert model.stop_reason_ == ["callback"] * 3
    assert not model.interrupted_


def test_what_a_watcher_raises_elsewhere_is_raised_here():
    def broken(progress):
        raise OSError("the disk is full")

    with pytest.raises(OSError, match="the disk is full"):
        small(n_jobs=2, callbacks=[broken]).fit(*table())


@dataclass(frozen=True)
class Settings:
    watched: Watched | None = None
    n_jobs: int | None = None


@dataclass(frozen=True)
class Fit:
    """Stands for the fit of an output: it notes how much time it has."""

    number: int
    seconds: list
    settings: Settings = field(default_factory=Settings)

    def __call__(self, deadline):
        self.seconds.append(deadline - time.time())
        return Outcome(SearchResult([], StopReason.EXACT, 1, [], 10, False), 0, [], [])


def test_each_has_its_share_of_what_the_others_left():
    seconds = []
    fit_outputs([Fit(k, seconds) for k in range(4)], None, 1, Watched([]), time.time() + 1200)
    assert seconds == pytest.approx([300, 400, 600, 1200], abs=60)
