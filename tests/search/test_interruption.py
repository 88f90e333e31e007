"""Ctrl-C while islands are searched: what every one of them has found is kept, however the work is shared out."""

import json
import os
import re
import signal
import subprocess
import sys
from concurrent.futures import BrokenExecutor

import joblib
import numpy as np
import pytest
import sympy

from sklearn_eql import EQLRegressor
from sklearn_eql.exceptions import SearchInterruptedWarning
from sklearn_eql.search import evolution, island, jobs

X = np.random.default_rng(0).uniform(1, 3, (60, 2))
Y = np.sin(3 * X[:, 0]) * X[:, 1] + 0.3 * np.random.default_rng(1).normal(size=60)
FOREVER = 10**6  # generations
ENDLESS = {
    "n_generations": FOREVER,
    "patience": FOREVER,
    "n_islands": 2,
    "n_families": 0,
    "population_size": 32,
    "random_state": 0,
}


def before_generation(monkeypatch, n, event):
    """Let something happen before the n-th generation of all islands together."""
    calls = []

    def proposing(*args, unharmed=evolution._propose):
        calls.append(None)
        if len(calls) == n:
            event()
        return unharmed(*args)

    monkeypatch.setattr(evolution, "_propose", proposing)


def loss_of_the_linear_form(X, y):
    columns = np.c_[X, np.ones(len(X))]
    return np.mean((columns @ np.linalg.lstsq(columns, y)[0] - y) ** 2)


# The script of a user. The pool is an old one of hers, whose processes hear Ctrl-C as any other.
SCRIPT = f"""
import json, warnings
import joblib
import numpy as np
from sklearn_eql import EQLRegressor
from sklearn_eql.exceptions import SearchInterruptedWarning

joblib.Parallel(n_jobs=2)(joblib.delayed(abs)(i) for i in range(2))
X = np.random.default_rng(0).uniform(1, 3, (60, 2))
y = np.sin(3 * X[:, 0]) * X[:, 1] + 0.3 * np.random.default_rng(1).normal(size=60)
with warnings.catch_warnings(record=True) as caught:
    warnings.simplefilter("always")
    model = EQLRegressor(**{ENDLESS}, n_jobs=2, verbose=1).fit(X, y)
warned = sum(issubclass(w.category, SearchInterruptedWarning) for w in caught)
loss = model.equations_["loss"].min()
print(json.dumps([model.interrupted_, model.stop_reason_, warned, model.n_iter_, loss]))
"""


@pytest.mark.skipif(not hasattr(os, "killpg"), reason="process groups are those of POSIX")
def test_ctrl_c_in_a_terminal_keeps_the_best_of_all_processes():
    script = subprocess.Popen(
        [sys.executable, "-c", SCRIPT],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,  # so that it leads a group, as a command in a terminal does
    )
    try:
        reached = {}
        for line in script.stderr:  # both islands have told of a generation
            if told := re.search(r"island (\d), generation (\d+):", line):
                reached[told[1]] = int(told[2])
            if len(reached) == 2 and min(reached.values()) >= 1:
                break
        os.killpg(script.pid, signal.SIGINT)
        out, err = script.communicate(timeout=300)
    finally:
        script.kill()
    assert script.returncode == 0, err
    interrupted, reason, n_warnings, n_iter, loss = json.loads(out)
    assert (interrupted, reason, n_warnings) == (True, "interrupted", 1)
    assert n_iter >= sum(reached.values())
    assert loss < loss_of_the_linear_form(X, Y)


def test_ctrl_c_keeps_the_best_of_all_threads(monkeypatch):
    before_generation(monkeypatch, 8, lambda: signal.raise_signal(signal.SIGINT))
    model = EQLRegressor(**ENDLESS, n_jobs=2)
    with joblib.parallel_config("threading"), pytest.warns(SearchInterruptedWarning, match="was interrupted") as caught:
        model.fit(X, Y)
    assert len(caught) == 1
    assert model.interrupted_ is True
    assert model.stop_reason_ == "interrupted"
    assert model.n_iter_ >= 8  # of both, and more than the opening of one
    assert model.equations_["loss"].min() < loss_of_the_linear_form(X, Y)


def test_ctrl_c_in_the_first_of_two_islands_in_turn_ends_the_search(monkeypatch):
    before_generation(monkeypatch, 3, lambda: signal.raise_signal(signal.SIGINT))
    with pytest.warns(SearchInterruptedWarning):
        model = EQLRegressor(**ENDLESS, n_jobs=1).fit(X, Y)
    assert model.stop_reason_ == "interrupted"
    assert 2 <= model.n_iter_ < FOREVER


def test_ctrl_c_while_an_exact_law_is_shortened_keeps_the_law(monkeypatch):
    def interrupted(*args):
        raise KeyboardInterrupt

    monkeypatch.setattr(island, "simplify", interrupted)
    with pytest.warns(SearchInterruptedWarning):
        model = EQLRegressor(random_state=0).fit(X, X[:, 0] ** 2 / X[:, 1])
    assert sympy.simplify(model.sympy_expr_ - sympy.sympify("x0**2/x1")) == 0


@pytest.mark.parametrize("pressed", [True, False], ids=["after Ctrl-C", "by itself"])
def test_a_pool_that_breaks_is_an_interruption_only_if_there_was_one(monkeypatch, pressed):
    class Broken:
        def __init__(self, **options):
            pass

        def __call__(self, jobs):
            if pressed:
                signal.raise_signal(signal.SIGINT)
            raise BrokenExecutor("a worker is gone")
            yield

    monkeypatch.setattr(jobs, "Parallel", Broken)
    with pytest.raises(KeyboardInterrupt if pressed else BrokenExecutor):
        EQLRegressor(**ENDLESS, n_jobs=2).fit(X, Y)
