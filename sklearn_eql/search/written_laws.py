"""The laws that a network writes, as they are written or fitted, without a search."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from sklearn_eql._threads import single_threaded
from sklearn_eql.exceptions import AllTrialsFailedError
from sklearn_eql.laws.finishing import as_law
from sklearn_eql.laws.judging import SAMPLE_ROWS, Table
from sklearn_eql.laws.law import Law, shortlist
from sklearn_eql.search.islands import search
from sklearn_eql.search.settings import SearchResult, SearchSettings
from sklearn_eql.sparse.columns import Columns
from sklearn_eql.sparse.problem import Scaling
from sklearn_eql.sparse.rows import RowView
from sklearn_eql.stopping import StopReason

_ENDED_BY_ITSELF = (StopReason.GENERATIONS, StopReason.PATIENCE, StopReason.FAMILIES)


def fitted_laws(
    X: np.ndarray | RowView,
    y: np.ndarray,
    sample_weight: np.ndarray | None,
    settings: SearchSettings,
    initial: Sequence[Law],
    seed: int,
    deadline: float,
) -> SearchResult:
    """As :func:`~sklearn_eql.search.islands.search`, with `initial` laws and those of ``settings.proposals``.

    Once more laws are written for what the best of them leaves over.
    """
    no_generations = replace(settings.evolution, n_generations=0)
    alone = replace(settings, method="evolution", n_families=0, evolution=no_generations, n_islands=1)
    result = search(X, y, sample_weight, alone, initial, seed, deadline)
    if result.stop_reason in _ENDED_BY_ITSELF:
        return replace(result, stop_reason=StopReason.MAX_TIME if time.time() > deadline else StopReason.WRITTEN)
    return result


def laws_as_written(
    X: np.ndarray | RowView,
    y: np.ndarray,
    sample_weight: np.ndarray | None,
    settings: SearchSettings,
    initial: Sequence[Law],
    seed: int,
    deadline: float = math.inf,
) -> SearchResult:
    """The laws of ``settings.proposals`` as the network writes them; `trial` is the place of each.

    They and the `initial` ones are judged on all rows as they are.

    Raises
    ------
    AllTrialsFailedError
        None of them is defined on all rows, or there are too few that the network can read.
    """
    scaling = Scaling.of(X, y, settings.scale, settings.resolution, sample_weight)
    importances = Columns.of(X, y, seed, deadline, sample_weight).importances
    likeliest = [c for c in np.argsort(-importances, kind="stable").tolist() if importances[c] > 0]
    rows = np.sort(np.random.default_rng(seed).permutation(len(y))[:SAMPLE_ROWS])
    table = Table(X, y, sample_weight, scaling, settings.primitives, seed, deadline, settings.device)
    with single_threaded(), np.errstate(all="ignore"):
        written = settings.proposals.laws(X[rows], y[rows], likeliest)
        given = [(law.equation, place) for place, law in enumerate(written)]
        given += [(law.equation, law.trial) for law in initial]
        judged = [(equation, table.loss(equation), place) for equation, place in given]
        laws = [as_law(*entry, table) for entry in judged if math.isfinite(entry[1])]
    front = shortlist([law for law in laws if law is not None], len(y))
    if not front:
        raise AllTrialsFailedError(
            f"Of {len(written)} laws that the network wrote none is defined on all rows. Use refine=True, which fits "
            "their constants and has a linear law besides, raise n_beams, or use EQLRegressor."
        )
    is_exact = any(table.is_met(law.equation) for law in front)
    losses = [law.relative_loss for law in front]
    return SearchResult(front, StopReason.EXACT if is_exact else StopReason.WRITTEN, 0, losses[-1:], len(y), False)
