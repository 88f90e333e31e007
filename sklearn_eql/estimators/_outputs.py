"""The fits of several outputs: in turn, or spread over jobs."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from contextlib import closing
from dataclasses import replace
from functools import partial

from joblib import effective_n_jobs

from sklearn_eql.estimators._kept_laws import Outcome, interrupted
from sklearn_eql.estimators._output_fit import OutputFit
from sklearn_eql.forms.search import described
from sklearn_eql.progress import Watched
from sklearn_eql.search.jobs import jobs_for
from sklearn_eql.stopping import Deadline


def fit_outputs(
    fits: Sequence[OutputFit], n_jobs: int | None, n_islands: int, watched: Watched, deadline: float
) -> list[Outcome]:
    """All outputs: each has its share of the time, and what it leaves the others have.

    They are spread over jobs, unless each has more islands to spread. After Ctrl-C the others get no search, but an
    equation all the same.
    """
    spread = n_jobs if len(fits) >= n_islands else 1
    outcomes: list[Outcome] = []
    with jobs_for(len(fits), spread, watched) as jobs:
        n_at_once = effective_n_jobs(spread) if jobs.spread else 1
        inner = 1 if jobs.spread else n_jobs
        tasks = [
            partial(_fit_output, _unwatched(fit), jobs.watched, inner, math.ceil((len(fits) - k) / n_at_once))
            for k, fit in enumerate(fits)
        ]
        with closing(jobs.results(tasks, deadline, _was_interrupted)) as results:
            for outcome in results:
                if any(_was_interrupted(earlier) for earlier in outcomes):
                    outcome = replace(outcome, result=interrupted(outcome.result))
                outcomes.append(outcome)
                watched.hand("found", fits[len(outcomes) - 1].number, described(outcome.result))
    return outcomes


def _unwatched(fit: OutputFit) -> OutputFit:
    """As it goes to other processes: watchers stay in this one."""
    return replace(fit, settings=replace(fit.settings, watched=None))


def _fit_output(fit: OutputFit, watched: Watched | None, n_jobs: int | None, turns: int, deadline: Deadline) -> Outcome:
    """One output, in its share of the time where so many turns are to come."""
    now = time.time()
    until = now if deadline.passed else now + (deadline.at - now) / turns
    told = watched.of_output(fit.number) if watched is not None and watched.watchers else None
    return replace(fit, settings=replace(fit.settings, watched=told, n_jobs=n_jobs))(until)


def _was_interrupted(outcome: Outcome) -> bool:
    return outcome.result.interrupted
