"""The search where features were measured with errors."""

import time
from dataclasses import make_dataclass

import numpy as np
from equal_laws import same_law

from sklearn_eql import EQLRegressor
from sklearn_eql.primitives import PRIMITIVES
from sklearn_eql.search.errors_in_variables import Measured, SearchedLaws, search_measured
from sklearn_eql.search.evolution import EvolutionSettings
from sklearn_eql.search.settings import SearchResult
from sklearn_eql.stopping import StopReason
from sklearn_eql.symbolic.export import to_sympy


def test_where_time_is_over_the_shortest_law_is_the_one_that_gets_rows_of_its_own(rng):
    X = rng.uniform(1, 4, (60, 2))
    y = X[:, 0] * X[:, 1] ** 2 / 2 * (1 + 0.02 * rng.normal(size=60))
    model = EQLRegressor(n_families=4, n_generations=2, random_state=0).fit(X, y)
    front = model._laws[0]
    assert len(front) > 2

    def found(rows, until):
        return SearchResult(front, StopReason.MAX_TIME, 1, [1.0], len(y), False)

    rows = Measured(X, y, np.ones(60), np.full((60, 2), 0.01), 0.02 * y)
    given = {"primitives": PRIMITIVES, "evolution": EvolutionSettings(), "method": "evolution", "n_islands": 1}
    given |= {"n_families": None, "proposals": None, "demands": None}
    settings = make_dataclass("Settings", given)(**given)
    result, _ = search_measured(found, rows, settings, SearchedLaws(settings, 0), time.time() - 1)
    assert len(result.front) == 1
    assert same_law(to_sympy(result.front[0].equation, ["x0", "x1"]), model.sympy_expr_)
