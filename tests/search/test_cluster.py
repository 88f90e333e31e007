"""Tasks on a cluster of dask: the laws of one process, also where a worker is killed on the way."""

import os
import signal

import joblib
import numpy as np
import pytest

from sklearn_eql import EQLRegressor

distributed = pytest.importorskip("distributed", reason="distributed (dask) is not installed")


@pytest.fixture(scope="module")
def client():
    with (
        distributed.LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None, silence_logs=50) as cluster,
        distributed.Client(cluster) as client,
    ):
        yield client


def test_laws_are_those_of_one_process_though_a_worker_is_killed(client):
    rng = np.random.default_rng(0)
    X = rng.uniform(1, 3, (80, 2))
    Y = np.c_[X[:, 0] * X[:, 1], X[:, 0] / X[:, 1], X[:, 0] + 2 * X[:, 1] ** 2] + 0.05 * rng.standard_normal((80, 3))
    model = EQLRegressor(n_families=2, n_generations=2, random_state=0)
    expected = model.fit(X, Y).sympy_expr_
    told = []

    def kill(progress):
        told.append(progress)
        if len(told) == 2:
            os.kill(next(iter(client.run(os.getpid).values())), signal.SIGKILL)

    with joblib.parallel_config("dask"):
        model.set_params(n_jobs=2, callbacks=[kill]).fit(X, Y)
    assert len(told) > 2
    assert model.sympy_expr_ == expected
