"""SymbolicTransformerRegressor: laws that a trained network writes."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from numbers import Integral, Real
from os import PathLike
from typing import Any, ClassVar

import numpy as np
from sklearn.base import BaseEstimator, RegressorMixin
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted

from sklearn_eql.estimators._check_parameters import check_sizes
from sklearn_eql.estimators._check_table import (
    GivenRows,
    check_varies,
    merge_duplicates,
    n_given,
    read_rows,
    read_table,
    read_weight,
    resolution_of,
)
from sklearn_eql.estimators._compat import CallbackSupportMixin, HasMethods, Interval, StrOptions, fit_context
from sklearn_eql.estimators._device import resolve_device
from sklearn_eql.estimators._equation_reader import Selection, unchanged_on_failure
from sklearn_eql.estimators._kept_laws import Outcome, interrupted, keep_laws, laws_before, with_curvatures, with_rivals
from sklearn_eql.estimators._laws_of_run import TableOfFit
from sklearn_eql.estimators._profile import ProfileReader
from sklearn_eql.estimators._stability import StabilityReader
from sklearn_eql.estimators._watching import CALLBACKS, watched_fit
from sklearn_eql.estimators._written_laws import AUTO, check_readable, proposals_of
from sklearn_eql.language.proposals import Proposals
from sklearn_eql.language.writer import Writer
from sklearn_eql.laws.law import Law
from sklearn_eql.laws.selection import select
from sklearn_eql.laws.standing import standings
from sklearn_eql.primitives import PRESETS, PRIMITIVES
from sklearn_eql.progress import Watcher
from sklearn_eql.reading.arrays import plain
from sklearn_eql.search.evolution import EvolutionSettings
from sklearn_eql.search.settings import SearchSettings
from sklearn_eql.search.written_laws import fitted_laws, laws_as_written

_RULES = ("best", "accurate", "simple")
_MAX_ROWS = 256  # on which laws are fitted first: as many as a network is shown
_VOCABULARY: Mapping[str, int] = PRESETS["default"]  # what networks write is among these


class SymbolicTransformerRegressor(ProfileReader, StabilityReader, RegressorMixin, CallbackSupportMixin, BaseEstimator):
    """Have a network that was trained on random laws look at a table and write the law behind it.

    The network writes many laws in the time of a few fits, the most probable first (`sklearn_eql.language`). Their
    constants are then fitted by Levenberg-Marquardt, all laws together, and the best are finished as those of
    :class:`~sklearn_eql.EQLRegressor`, which searches longer and knows more forms.

    Parameters
    ----------
    weights : str, path-like or writer, default="auto"
        The network: "auto" for all that come with the package and can read the table, the name of a preset whose
        weights come with it ("laws" or "integers-1d"), a file that ``python -m sklearn_eql.pretrain`` has written, or a
        :class:`~sklearn_eql.language.LawWriter`.
    n_beams : int, default=32
        Laws that a network writes at a time. If none of them is the law, what is inside an outer function is written,
        and then four times as many.
    refine : bool, default=True
        Whether constants are fitted and recognised, superfluous terms go, and laws are written again for what the best
        one leaves over. If not, laws are as the network writes them, with rough constants.
    selection : {"best", "accurate", "simple"} or callable, default="best"
        How one equation is picked from `equations_`, as in :class:`~sklearn_eql.EQLRegressor`.
    max_time : float or None, default=None
        Seconds for `fit`; when they are over, the best equation so far is kept.
    device : str, default="auto"
        Where laws are fitted: "auto" (a GPU if there is one), "cpu", "cuda", "cuda:1". The network stays on the CPU.
    random_state : int, RandomState or None, default=None
        Of the rows that the network is shown, where there are many.
    verbose : int, default=0
        Progress on stderr if not 0.
    callbacks : sequence of callable, or None, default=None
        Called with a :class:`~sklearn_eql.callbacks.Progress` while the fit runs; a true answer ends it. See
        :mod:`sklearn_eql.callbacks`.
    warm_start : bool, default=False
        Judge the equations of the previous fit as well, and go on from these.
    run_dir : str, path-like or None, default=None
        Directory in which the fit keeps its laws while it searches, once a second at most, and from which `from_run`
        opens it again. Made if it is not there. One fit at a time: that of a killed fit is refused to another one.
    on_undefined : {"raise", "nan", "clip"}, default="raise"
        What `predict` does with rows on which the law is undefined, as in :class:`~sklearn_eql.EQLRegressor`.

    Attributes
    ----------
    sympy_expr_ : sympy.Expr, or list of them for several outputs
    constants_ : DataFrame, or list of them
        The numbers of the selected law with standard errors and intervals; see `constants`.
    equations_ : DataFrame, or list of them
        Accuracy and complexity of every law. With ``refine=False``, `trial` is its place in the beam, from 0.
    best_index_ : int, or list of int
    n_features_in_, n_outputs_ : int
    feature_names_in_ : ndarray of str, if X had column names
    n_iter_ : int
    loss_curve_ : list of float
        Best mean squared error, relative to the variance of y, after each step.
    stop_reason_ : str
        "exact" (every row with weight is met, to rounding), "sample" (every row that was fitted first is, but not all),
        "noise" (what the law leaves over is noise), "written" (all laws of the beam are tried), "max_time" or
        "interrupted".
    interrupted_ : bool

    References
    ----------
    P.-A. Kamienny et al., "End-to-end symbolic regression with transformers", NeurIPS 2022.
    """

    _parameter_constraints: ClassVar[dict] = {
        "weights": [str, PathLike, HasMethods(["write"])],
        "n_beams": [Interval(Integral, 1, None, closed="left")],
        "refine": ["boolean"],
        "selection": [StrOptions(set(_RULES)), callable],
        "max_time": [Interval(Real, 0, None, closed="neither"), None],
        "device": [str],
        "random_state": ["random_state"],
        "verbose": ["verbose"],
        "callbacks": CALLBACKS,
        "warm_start": ["boolean"],
        "run_dir": [str, PathLike, None],
        "on_undefined": [StrOptions({"raise", "nan", "clip"})],
    }

    def __init__(
        self,
        *,
        weights: str | PathLike | Writer = AUTO,
        n_beams: int = 32,
        refine: bool = True,
        selection: Selection = "best",
        max_time: float | None = None,
        device: str = "auto",
        random_state: int | np.random.RandomState | None = None,
        verbose: int = 0,
        callbacks: Sequence[Watcher] | None = None,
        warm_start: bool = False,
        run_dir: str | PathLike | None = None,
        on_undefined: str = "raise",
    ) -> None:
        self.weights = weights
        self.n_beams = n_beams
        self.refine = refine
        self.selection = selection
        self.max_time = max_time
        self.device = device
        self.random_state = random_state
        self.verbose = verbose
        self.callbacks = callbacks
        self.warm_start = warm_start
        self.run_dir = run_dir
        self.on_undefined = on_undefined

    @fit_context(prefer_skip_nested_validation=True)
    @unchanged_on_failure
    @watched_fit
    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> SymbolicTransformerRegressor:
        """Have laws written, and fit them.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Of more features than the network has variables, it is shown the most important ones.
        y : array-like of shape (n_samples,) or (n_samples, n_outputs)
            Each output gets its own equation.
        sample_weight : array-like of shape (n_samples,), optional
            Non-negative; a row of weight 2 counts as two rows. The network does not see it, the fits do.

        Returns
        -------
        self

        Raises
        ------
        ValueError
            Wrong shapes, NaN or infinity, constant data, fewer rows than the network reads, damaged weights.
        FileNotFoundError
            No such weights.
        AllTrialsFailedError
            No law stayed finite on all rows.
        """
        check_sizes(self)
        deadline = math.inf if self.max_time is None else time.time() + self.max_time
        X, y = plain("X", X), plain("y", y)
        proposals = proposals_of("weights", self.weights, self.n_beams)
        settings = self._settings(max(resolution_of(X), resolution_of(y)), proposals)
        X, y = read_table(self, X, y)
        weight = read_weight(sample_weight, X)
        targets = y[:, None] if y.ndim == 1 else y
        kept = slice(None) if weight is None or (weight > 0).all() else weight > 0
        names = ["y"] if y.ndim == 1 else [f"y[:, {k}]" for k in range(y.shape[1])]
        check_varies(X[kept], targets[kept], names)
        check_readable(proposals, X[kept], targets[kept, 0])
        seeds = check_random_state(self.random_state).randint(np.iinfo(np.int32).max, size=targets.shape[1])
        variables = list(getattr(self, "feature_names_in_", [f"x{i}" for i in range(X.shape[1])]))
        self._own = {}
        self._ranges = np.stack([X[kept].min(axis=0), X[kept].max(axis=0)])
        self._watched.names = tuple(variables)
        self._watched.hand("checked", self, TableOfFit.of(variables, y))
        outcomes: list[Outcome] = []
        before = laws_before(self, settings, X.shape[1], targets.shape[1])
        for k, (column, seed) in enumerate(zip(targets.T, seeds.tolist(), strict=True)):
            self._watched.output = k
            outcome = self._fit_output((X, column, weight), settings, before[k], seed, deadline, variables)
            if any(earlier.result.interrupted for earlier in outcomes):
                outcome = replace(outcome, result=interrupted(outcome.result))
            if outcome.result.interrupted:
                deadline = time.time()
            outcomes.append(outcome)
            self._watched.hand("found", k, outcome.result.front)
        keep_laws(self, outcomes, variables, y.ndim == 1)
        return self

    def predict(self, X: Any, index: int | list[int] | None = None, *, return_std: bool | str = False) -> Any:
        """Values of the equation.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
        index : int or list of int, optional
            Row of `equations_`; the selected one by default.
        return_std : bool or "mean", default=False
            Whether the standard deviation of an observation (True) or of the law ("mean") is returned as well, as in
            :class:`~sklearn_eql.EQLRegressor`.

        Returns
        -------
        y : ndarray of shape (n_samples,) or (n_samples, n_outputs)
        std : ndarray of the same shape, if asked for

        Raises
        ------
        ValueError
            Rows on which the equation is undefined or overflows, as `on_undefined` has it.
        """
        check_is_fitted(self)
        return self._with_std(read_rows(self, X), index, return_std)

    def _fit_output(
        self,
        given: GivenRows,
        settings: SearchSettings,
        initial: Sequence[Law],
        seed: int,
        deadline: float,
        variables: list[str],
    ) -> Outcome:
        X, y, weight = merge_duplicates(*given)
        weight = None if weight is None else weight / weight.max()
        find = fitted_laws if self.refine else laws_as_written
        result = find(X, y, weight, settings, initial, seed, deadline)
        table = None
        if callable(self.selection):
            stands = standings(result.front, result.n_rows, None)
            table = self._table(result.front, variables, stands)
        best = select(self.selection, result.front, result.n_rows, table)
        result, marks = with_rivals(result, best, (X, y, weight), settings.primitives, deadline)
        result, sure = with_curvatures(
            result, best, (X, y, weight), settings.primitives,
            n_rows=n_given(given), resolution=settings.resolution, deadline=deadline,
        )  # fmt: skip
        return Outcome(result, best, standings(result.front, result.n_rows, marks), sure)

    def _settings(self, resolution: float, proposals: Proposals) -> SearchSettings:
        return SearchSettings(
            primitives=PRIMITIVES,
            copies=_VOCABULARY,
            n_hidden_layers=2,
            method="evolution",
            evolution=EvolutionSettings(n_generations=0),
            gradient=None,
            n_families=0,
            n_islands=1,
            max_rows=_MAX_ROWS,
            scale=True,
            resolution=resolution,
            device=resolve_device(self.device),
            n_jobs=None,
            watched=self._watched if self._watched.watchers else None,
            proposals=proposals,
        )

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = True
        tags.non_deterministic = self.max_time is not None
        return tags
