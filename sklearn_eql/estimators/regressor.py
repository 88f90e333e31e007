"""EQLRegressor: one equation from a table."""

from __future__ import annotations

import math
import time
import warnings
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from numbers import Integral, Real
from os import PathLike
from typing import Any, ClassVar

import numpy as np
import sympy
from sklearn.base import BaseEstimator, RegressorMixin
from sklearn.model_selection import BaseCrossValidator
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted

from sklearn_eql._devices import generation_size
from sklearn_eql.constraints.reading import Constraints
from sklearn_eql.estimators._check_parameters import check_sizes
from sklearn_eql.estimators._check_table import (
    check_varies,
    read_rows,
    read_table,
    read_weight,
    resolution_of,
)
from sklearn_eql.estimators._compat import CallbackSupportMixin, HasMethods, Interval, StrOptions, fit_context
from sklearn_eql.estimators._constraints import constrained, read_constraints, searched_columns
from sklearn_eql.estimators._device import resolve_device
from sklearn_eql.estimators._equation_reader import Selection, unchanged_on_failure
from sklearn_eql.estimators._folds import Folds
from sklearn_eql.estimators._form import FormReader, check_alone, check_form_units, form_of, guesses_of, keep_forms
from sklearn_eql.estimators._group_fit import fit_groups, read_groups
from sklearn_eql.estimators._grouping import read_features
from sklearn_eql.estimators._groups import GroupReader
from sklearn_eql.estimators._kept_laws import keep_laws, laws_before
from sklearn_eql.estimators._laws_of_run import TableOfFit
from sklearn_eql.estimators._measurement_errors import check_compatible, read_errors
from sklearn_eql.estimators._outlier_check import n_outliers, outlier_message
from sklearn_eql.estimators._output_fit import FitTask, OutputFit
from sklearn_eql.estimators._outputs import fit_outputs
from sklearn_eql.estimators._profile import ProfileReader
from sklearn_eql.estimators._stability import StabilityReader
from sklearn_eql.estimators._watching import CALLBACKS, watched_fit
from sklearn_eql.estimators._written_laws import proposals_of
from sklearn_eql.exceptions import OutlierWarning
from sklearn_eql.language.proposals import Proposals
from sklearn_eql.language.writer import Writer
from sklearn_eql.laws.losses import LOSSES, check_targets
from sklearn_eql.laws.selection import RULES
from sklearn_eql.networks.penalties import Penalty
from sklearn_eql.primitives import PRIMITIVES, Primitive, check_primitive, resolve_functions
from sklearn_eql.progress import Watcher
from sklearn_eql.reading.arrays import plain
from sklearn_eql.search.dense_trials import GradientSettings
from sklearn_eql.search.evolution import EvolutionSettings
from sklearn_eql.search.settings import SearchSettings
from sklearn_eql.training.optimizers import OPTIMIZERS
from sklearn_eql.training.schedule import SCHEDULES, Phase
from sklearn_eql.units.dimensions import TableUnits
from sklearn_eql.units.reading import Unit, check_reachable, read_units


class EQLRegressor(
    GroupReader,
    FormReader,
    ProfileReader,
    StabilityReader,
    RegressorMixin,
    CallbackSupportMixin,
    BaseEstimator,
):
    """Find the equation behind a table of numbers with Equation Learner (EQL) networks.

    By default, sparse EQL networks are searched for: generations of small networks, all of a generation fitted
    together by Levenberg-Marquardt, the best of every size kept and pruned. With ``search="gradient"`` dense networks
    are trained by gradient descent under a sparsity penalty, as in the paper, and then pruned and refined.

    Parameters
    ----------
    functions : str, mapping or sequence, default="default"
        Functions that units may compute: a preset name (`sklearn_eql.primitives.PRESETS`), names with the number of
        copies per layer (``{"id": 4, "sin": 2}``), or a sequence of names and :class:`~sklearn_eql.Primitive`.
        Identity and constants are always there, as terms of linear forms.
    loss : {"squared_error", "huber", "absolute_error", "relative_error", "poisson", "log_error"} or callable, \
            default="squared_error"
        What a residual counts. "huber": as in :class:`~sklearn.linear_model.HuberRegressor`, its square up to `epsilon`
        robust standard deviations, and linearly beyond; rows beyond six are left out of the search. For tables in which
        a few rows are wrong. "absolute_error": its size. "relative_error": ``(prediction / y - 1)**2``. "poisson": the
        deviance of counts. "log_error": ``log(prediction / y)**2``. A callable gets float64 tensors ``(prediction, y,
        weight)`` of shape (n_samples,) and returns a scalar tensor, least for a perfect prediction.
    epsilon : float, default=1.35
        Of ``loss="huber"``, at least 1.
    constraints : list or None, default=None
        What is known of the law: objects of :mod:`sklearn_eql.constraints`, on its form (``MaxComplexity(12)``,
        ``Uses("x0")``) and on its behaviour (``Monotone("x0")``, ``Bounded(low=0)``). All laws in `equations_` obey
        them. Of several outputs each does.
    n_hidden_layers : int, default=2
        `L` in the paper: how deep functions may be nested.
    selection : {"best", "accurate", "simple", "extrapolation", "validation"} or callable, default="best"
        How one equation is picked from `equations_`. "best": the shortest description of data and law together (an
        extended Bayesian information criterion). "accurate": lowest loss. "simple": fewest nodes within twice the
        lowest loss. "extrapolation": the simplest law within a standard error of the lowest error on the outer fifth
        of the rows, which are held out of the search (section III-A). "validation": a fifth of the distinct rows,
        drawn at random, is held out of the search, and the simplest law is taken that does no worse on them than the
        best, to a standard error; then all constants are fitted to all rows. With `cv` it goes by `cv_loss` instead,
        and no rows are held out of the search. A callable gets the table, without `rival`, and returns a row label.
    cv : int, cross-validation splitter, iterable of (training, held out) rows, or None, default=None
        Folds for the error of every law in `equations_` on rows held out: `cv_loss` and its standard error
        `cv_loss_se`. In each fold the constants are fitted to the other rows; forms and recognised constants stay as
        all rows gave them. A number divides the distinct rows at random; a splitter of scikit-learn divides them as
        they are passed. None: no such columns. Of `max_time` a fifth, at most 10 seconds, is kept for it; where that is
        not enough, or after Ctrl-C, the columns are NaN.
    search : {"evolution", "gradient", "auto"}, default="evolution"
        "auto" adds gradient-trained networks where evolution found no exact law.
    population_size : int or "auto", default="auto"
        Sparse networks fitted together in one generation; "auto": 256 on the CPU, 1024 on a GPU, which fits these in
        hardly more time.
    n_families : int or None, default=None
        Families of laws that the ladder tries before the evolution; all by default, 0 for none.
    proposals : {"transformer"}, str, path-like, writer or None, default=None
        A network that reads the rows and writes laws, which are then fitted among the first families of the ladder,
        and beside the best law that it ends with. "transformer": the weights ``"laws"``; else as `weights` of
        :class:`~sklearn_eql.SymbolicTransformerRegressor`. Not with ``search="gradient"``.
    form : sympy.Expr or None, default=None
        What is known of the law: an expression of features, constants to be fitted (symbols that are no feature) and
        functions to be found (undefined functions of SymPy, and derivatives of these). Without functions it is a fit of
        the constants, from no starting values. See docs/forms.md.
    units : mapping, sequence or None, default=None
        Physical units: of features by name, or of all in the order of columns. Each is text that pint reads
        (``"km/h"``; the extra ``units``), exponents of base units (``{"m": 1, "s": -1}``), or None for a number without
        unit, as are features that a mapping leaves out. Laws that add metres to seconds, or take the sine of a mass,
        are not proposed. Numbers stay as they are: kilometres need not be made metres.
    y_unit : str, mapping, sequence of these for several outputs, or None, default=None
        Unit of the target; None where it is not known. Not without `units`.
    dimensionless_constants : bool, default=False
        Whether constants have no units, because all that have some are among the features: laws are then sought
        between products of the features without units, which are fewer. Else every constant that is fitted may have any
        unit, but exponents, and ones that are not written, have none.
    guesses : list of sympy.Expr or None, default=None
        Laws that the search starts from, their constants fitted: numbers of an expression, and symbols that are no
        feature, which may be anything. Not with `form`.
    n_generations : int, default=60
        Generations at most.
    patience : int, default=12
        Generations without progress after which the search ends.
    n_islands : int, default=1
        Independent searches, spread over `n_jobs`; further ones are skipped once one ends with an exact law.
    max_rows : int, default=200
        Rows used in the search, drawn at random; all rows are used for refinement and selection.
    scale : bool, default=True
        Search on columns of unit scale. Equations are always in the user's units.
    n_trials : int, default=32
        Gradient search: networks with independent random starts, trained together in one batch.
    penalty : {"l05", "l0", "l1"} or Penalty, default="l05"
        Gradient search: smoothed L0.5 (eq. 3), relaxed L0 with hard-concrete gates (Appendix B), or L1.
    alpha : float or "auto", default="auto"
        Gradient search: penalty weight (lambda in the paper); "auto" gives every trial its own, from 2e-4 to 1e-2.
    schedule : {"fast", "paper", "paper-l0", "paper-code", "paper-code-l0"} or sequence of Phase, default="fast"
        Gradient search: phases with their learning rates, lengths and thresholds; "paper" is Appendix A.
    optimizer : {"rmsprop", "adam"}, default="rmsprop"
    batch_size : int or None, default=None
        Gradient search: rows per step; all by default.
    max_time : float or None, default=None
        Seconds for `fit`; when they are over, the best equation so far is kept. Of several outputs each has its share.
    device : str, default="auto"
        "auto" (a GPU if there is one), "cpu", "cuda", "cuda:1". There the ladder, the evolution, judging and
        refinement fit structures together, all pairs of functions are judged, and networks are trained. Proposals,
        single laws on few rows and everything symbolic stay on the CPU, where they take less time. With a seed, the
        law is the same every time on one device, and may be another one on another.
    n_jobs : int or None, default=None
        Processes for several outputs, else for islands, through joblib. Results do not depend on it, unless `max_time`
        is over before a search has ended.
    random_state : int, RandomState or None, default=None
    verbose : int, default=0
        Progress on stderr if not 0: see :class:`~sklearn_eql.callbacks.ProgressDisplay`.
    callbacks : sequence of callable, or None, default=None
        Each is called with a :class:`~sklearn_eql.callbacks.Progress` while the fit runs, and ends it with a true
        answer; the best law so far is kept. See :mod:`sklearn_eql.callbacks`.
    warm_start : bool, default=False
        Start the search from the equations of the previous fit. Laws with constants of groups start it with those of
        some groups.
    run_dir : str, path-like or None, default=None
        Directory in which the fit keeps its laws while it searches, once a second at most, and from which `from_run`
        opens it again. Made if it is not there. One fit at a time: that of a killed fit is refused to another one.
    group_laws : bool or "auto", default="auto"
        Whether constants of groups may be laws of the group's number (`group_laws_`). "auto": where `groups` are
        floats, at least 8 different ones, or `group_features` are passed.
    on_undefined : {"raise", "nan", "clip"}, default="raise"
        What `predict` does with rows on which the law is undefined or overflows. "raise": a ValueError that names the
        first. "nan": NaN for these rows. "clip": features of such rows are moved into the range that `fit` saw,
        one by one; where the law is undefined even there, the error is raised.

    Attributes
    ----------
    sympy_expr_ : sympy.Expr, or list of them for several outputs
    constants_ : DataFrame, or list of them
        The numbers of the selected law with standard errors and intervals; see `constants`.
    equations_ : DataFrame, or list of them
        Accuracy and complexity of every law, and how it stands beside the selected one.
    best_index_ : int, or list of int
    n_features_in_, n_outputs_ : int
    feature_names_in_ : ndarray of str, if X had column names
    form_functions_ : dict of str to sympy.Lambda, if `form` was given
        What was found for its functions.
    n_iter_ : int
        Generations (and optimiser steps).
    loss_curve_ : list of float
        Best mean squared error, relative to the variance of y, after each generation.
    stop_reason_ : str
        "exact" (every row with weight is met, to rounding), "sample" (every row that the search saw is, but not all),
        "noise" (what the law leaves over is noise), "patience", "generations", "max_time", "callback", "interrupted",
        "starts" (of the constants of a form) or "schedule".
    interrupted_ : bool

    Notes
    -----
    The recipe of the paper (Appendix A) is ``EQLRegressor(search="gradient", functions="paper", schedule="paper",
    alpha=5e-3, n_trials=20, scale=False)``.

    References
    ----------
    S. Kim et al., "Integration of Neural Network-Based Symbolic Regression in Deep Learning for Scientific
    Discovery", IEEE TNNLS 2020.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_eql import EQLRegressor
    >>> X = np.random.default_rng(0).uniform(1, 5, (100, 2))
    >>> EQLRegressor(random_state=0).fit(X, X[:, 0] ** 2 / X[:, 1]).sympy_expr_
    x0**2/x1
    """

    _parameter_constraints: ClassVar[dict] = {
        "functions": [str, Mapping, Sequence],
        "loss": [StrOptions({"squared_error", "huber", *LOSSES}), callable],
        "epsilon": [Interval(Real, 1, None, closed="left")],
        "constraints": [Iterable, None],
        "n_hidden_layers": [Interval(Integral, 1, None, closed="left")],
        "selection": [StrOptions(set(RULES)), callable],
        "cv": ["cv_object"],
        "search": [StrOptions({"evolution", "gradient", "auto"})],
        "population_size": [Interval(Integral, 1, None, closed="left"), StrOptions({"auto"})],
        "n_families": [Interval(Integral, 0, None, closed="left"), None],
        "proposals": [str, PathLike, HasMethods(["write"]), None],
        "form": [object],
        "units": [Mapping, Sequence, None],
        "y_unit": [str, Mapping, Sequence, None],
        "dimensionless_constants": ["boolean"],
        "guesses": [list, tuple, None],
        "n_generations": [Interval(Integral, 0, None, closed="left")],
        "patience": [Interval(Integral, 1, None, closed="left")],
        "n_islands": [Interval(Integral, 1, None, closed="left")],
        "max_rows": [Interval(Integral, 2, None, closed="left")],
        "scale": ["boolean"],
        "n_trials": [Interval(Integral, 1, None, closed="left")],
        "penalty": [StrOptions({"l05", "l0", "l1"}), HasMethods(["gates", "value"])],
        "alpha": [Interval(Real, 0, None, closed="left"), StrOptions({"auto"})],
        "schedule": [StrOptions(set(SCHEDULES)), Sequence],
        "optimizer": [StrOptions(set(OPTIMIZERS))],
        "batch_size": [Interval(Integral, 1, None, closed="left"), None],
        "max_time": [Interval(Real, 0, None, closed="neither"), None],
        "device": [str],
        "n_jobs": [Interval(Integral, 1, None, closed="left"), Interval(Integral, None, -1, closed="right"), None],
        "random_state": ["random_state"],
        "verbose": ["verbose"],
        "callbacks": CALLBACKS,
        "warm_start": ["boolean"],
        "run_dir": [str, PathLike, None],
        "group_laws": ["boolean", StrOptions({"auto"})],
        "on_undefined": [StrOptions({"raise", "nan", "clip"})],
    }

    def __init__(
        self,
        *,
        functions: str | Mapping[str, int] | Sequence[str | Primitive] = "default",
        loss: str | Callable = "squared_error",
        epsilon: float = 1.35,
        constraints: Iterable | None = None,
        n_hidden_layers: int = 2,
        selection: Selection = "best",
        cv: int | BaseCrossValidator | Iterable | None = None,
        search: str = "evolution",
        population_size: int | str = "auto",
        n_families: int | None = None,
        proposals: str | PathLike | Writer | None = None,
        form: sympy.Expr | None = None,
        units: Mapping[str, Unit] | Sequence[Unit] | None = None,
        y_unit: Unit | Sequence[Unit] = None,
        dimensionless_constants: bool = False,
        guesses: Sequence[sympy.Expr] | None = None,
        n_generations: int = 60,
        patience: int = 12,
        n_islands: int = 1,
        max_rows: int = 200,
        scale: bool = True,
        n_trials: int = 32,
        penalty: str | Penalty = "l05",
        alpha: float | str = "auto",
        schedule: str | Sequence[Phase] = "fast",
        optimizer: str = "rmsprop",
        batch_size: int | None = None,
        max_time: float | None = None,
        device: str = "auto",
        n_jobs: int | None = None,
        random_state: int | np.random.RandomState | None = None,
        verbose: int = 0,
        callbacks: Sequence[Watcher] | None = None,
        warm_start: bool = False,
        run_dir: str | PathLike | None = None,
        group_laws: bool | str = "auto",
        on_undefined: str = "raise",
    ) -> None:
        self.functions = functions
        self.loss = loss
        self.epsilon = epsilon
        self.constraints = constraints
        self.n_hidden_layers = n_hidden_layers
        self.selection = selection
        self.cv = cv
        self.search = search
        self.population_size = population_size
        self.n_families = n_families
        self.proposals = proposals
        self.form = form
        self.units = units
        self.y_unit = y_unit
        self.dimensionless_constants = dimensionless_constants
        self.guesses = guesses
        self.n_generations = n_generations
        self.patience = patience
        self.n_islands = n_islands
        self.max_rows = max_rows
        self.scale = scale
        self.n_trials = n_trials
        self.penalty = penalty
        self.alpha = alpha
        self.schedule = schedule
        self.optimizer = optimizer
        self.batch_size = batch_size
        self.max_time = max_time
        self.device = device
        self.n_jobs = n_jobs
        self.random_state = random_state
        self.verbose = verbose
        self.callbacks = callbacks
        self.warm_start = warm_start
        self.run_dir = run_dir
        self.group_laws = group_laws
        self.on_undefined = on_undefined

    @fit_context(prefer_skip_nested_validation=True)
    @unchanged_on_failure
    @watched_fit
    def fit(
        self,
        X: Any,
        y: Any,
        sample_weight: Any = None,
        *,
        groups: Any = None,
        group_features: Any = None,
        x_error: Any = None,
        y_error: Any = None,
    ) -> EQLRegressor:
        """Search for the equation.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
        y : array-like of shape (n_samples,) or (n_samples, n_outputs)
            Each output gets its own equation.
        sample_weight : array-like of shape (n_samples,), optional
            Non-negative; a row of weight 2 counts as two rows.
        groups : array-like of shape (n_samples,), optional
            Labels of experiments: one law for all, of which some constants are shared, and others belong to each group
            for itself (`group_constants_`); which ones is told by the fit.
        group_features : DataFrame or Series, optional
            What is known of each group, such as its mass and temperature: a row of numbers for every label, which is
            the index. Own constants are then laws of these where that is shorter (`group_laws_`), as they are of the
            number of the group where `groups` are numbers. At least 8 groups.
        x_error : float, array-like or mapping, optional
            Standard deviations of the features, in their units: one number, one for each column, a mapping from names
            of columns (others are exact), or an array of the shape of `X`. Rows are then moved onto each law as far as
            their errors allow (orthogonal distance regression), and laws are compared by their likelihood; a least
            squares fit would find slopes too small. `loss` in `equations_` is the mean squared error that would be as
            likely without such errors.
        y_error : float or array-like of the shape of `y`, optional
            Standard deviations of the target. Rows are weighed by their inverse squares, errors of constants follow
            from these and not from the residuals, and `reduced_chi2` in `equations_` says whether a law is enough:
            about 1 where it leaves over nothing but these errors.

        Returns
        -------
        self

        Raises
        ------
        ValueError
            Wrong shapes, NaN or infinity, constant data, unknown functions, a device that is not there,
            constraints that contradict each other, units that do not parse or that no law can have.
        AllTrialsFailedError
            No network stayed finite on all rows, or no law obeys the constraints.
        """
        check_sizes(self)
        deadline = math.inf if self.max_time is None else time.time() + self.max_time
        X, y = plain("X", X), plain("y", y)
        resolution = max(resolution_of(X), resolution_of(y))
        X, y = read_table(self, X, y)
        weight = read_weight(sample_weight, X)
        targets = y[:, None] if y.ndim == 1 else y
        kept = slice(None) if weight is None or (weight > 0).all() else weight > 0
        names = ["y"] if y.ndim == 1 else [f"y[:, {k}]" for k in range(y.shape[1])]
        check_varies(X[kept], targets[kept], names)
        check_targets(self.loss, targets[kept].T, names)
        settings = self._settings(resolution)
        variables = list(getattr(self, "feature_names_in_", [f"x{i}" for i in range(X.shape[1])]))
        measured = read_errors(x_error, y_error, X.shape, y.shape, variables)
        check_compatible(measured, groups)
        folds = None if self.cv is None else Folds.of(self.cv, X, y, weight)
        seeds = check_random_state(self.random_state).randint(np.iinfo(np.int32).max, size=targets.shape[1])
        self._units = self._known_units(variables, names)
        check_alone(self)
        self._guesses = guesses_of(self.guesses, variables, settings.primitives)
        self._form = form_of(self.form, variables, len(X[kept]), settings.primitives)
        check_form_units(self._form, self._units, settings.primitives)
        grouping = read_groups(groups, len(X), weight, self._form)
        features = read_features(group_features)
        if features is not None and grouping is None:
            raise ValueError("group_features: there are no groups. Pass groups with a label for each row of X.")
        known = read_constraints(self.constraints, variables, settings, self._form)
        searched = searched_columns(X, known)

        before = laws_before(self, settings, X.shape[1], targets.shape[1])
        self._own = {name: p for name, p in settings.primitives.items() if PRIMITIVES.get(name) != p}
        self._ranges = np.stack([X[kept].min(axis=0), X[kept].max(axis=0)])
        self._watched.names = tuple(variables)
        labels = None if grouping is None else grouping.labels
        about = None if features is None else features.columns.tolist()
        self._watched.hand("checked", self, TableOfFit.of(variables, y, labels, about))
        self._grouped = None
        if grouping is not None:
            given = [measured.weighed(k, (searched, column, weight)) for k, column in enumerate(targets.T)]
            limits = [self._limited(settings, known, k, column[kept]) for k, column in enumerate(targets.T)]
            options = (seeds.tolist(), deadline, variables, y.ndim == 1, measured.y is not None, before, features)
            fit_groups(self, given, grouping, limits, folds, *options)
            return self
        task = FitTask(
            self.loss, self.epsilon, self.selection, variables, self._ranges, measured, folds, self._form, self._guesses
        )
        fits = []
        for k, (column, seed, initial) in enumerate(zip(targets.T, seeds.tolist(), before, strict=True)):
            limited = self._limited(settings, known, k, column[kept])
            fits.append(OutputFit(task, k, (searched, column, weight), limited, initial, seed))
        outcomes = fit_outputs(fits, self.n_jobs, self.n_islands, self._watched, deadline)
        keep_laws(self, outcomes, variables, y.ndim == 1)
        keep_forms(self, [outcome.result for outcome in outcomes])
        if self.loss == "squared_error" and measured.x is None:
            chosen = [outcome.result.front[outcome.best] for outcome in outcomes]
            outliers = [
                n_outliers(law, *measured.weighed(k, (X, column, weight)), settings.primitives)
                for k, (law, column) in enumerate(zip(chosen, targets.T, strict=True))
            ]
            if any(outliers):
                warnings.warn(outlier_message(outliers, len(X), names), OutlierWarning, stacklevel=2)
        return self

    def predict(
        self,
        X: Any,
        index: int | list[int] | None = None,
        *,
        groups: Any = None,
        group_features: Any = None,
        return_std: bool | str = False,
    ) -> Any:
        """Values of the equation.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
        index : int or list of int, optional
            Row of `equations_`; the selected one by default.
        groups : array-like of shape (n_samples,), optional
            Labels as `fit` saw them, where the law has constants of groups.
        group_features : DataFrame or Series, optional
            As `fit` had them, of groups that it has not seen.
        return_std : bool or "mean", default=False
            True: also the standard deviation of an observation (of average weight), as other regressors of scikit-learn
            have it: what the constants leave open and the noise of the training rows together. "mean": that of the
            value of the law, from the errors of its constants alone (`constants_`, `group_constants_`). Infinite for a
            group whose rows do not determine its constants.

        Returns
        -------
        y : ndarray of shape (n_samples,) or (n_samples, n_outputs)
        std : ndarray of the same shape, if asked for

        Raises
        ------
        ValueError
            A group that `fit` did not see. Rows on which the equation is undefined (a logarithm of a negative number)
            or overflows, as `on_undefined` has it.
        """
        check_is_fitted(self)
        rows = read_rows(self, X)
        known = self._row_groups(groups, group_features, len(rows))
        return self._with_std(self._with_constants(rows, known, index), index, return_std, known)

    def _settings(self, resolution: float) -> SearchSettings:
        units = resolve_functions(self.functions)
        copies = Counter(p.name for p in units)
        for primitive in {p.name: p for p in units if PRIMITIVES.get(p.name) != p}.values():
            check_primitive(primitive)
        if not any(p.arity for p in units):
            raise ValueError(
                f"functions={self.functions!r} holds constants only. Name at least one function of an argument."
            )
        device = resolve_device(self.device)
        automatic = isinstance(self.population_size, str)
        population_size = generation_size(device) if automatic else int(self.population_size)
        # Without functions of an argument there is one structure, the linear form: nothing to evolve.
        n_generations = self.n_generations if any(p.arity and p.name != "id" for p in units) else 0
        return SearchSettings(
            primitives={**PRIMITIVES, **{p.name: p for p in units}},
            copies=dict(copies),
            n_hidden_layers=self.n_hidden_layers,
            method=self.search,
            evolution=EvolutionSettings(population_size, n_generations, self.patience),
            gradient=GradientSettings(
                units=units,
                n_trials=self.n_trials,
                penalty=self.penalty,
                alpha=self.alpha,
                schedule=self.schedule,
                optimizer=self.optimizer,
                batch_size=self.batch_size,
                device=device,
            ),
            n_families=self.n_families if self.n_hidden_layers > 1 else 0,
            n_islands=self.n_islands,
            max_rows=self.max_rows,
            scale=self.scale,
            resolution=resolution,
            device=device,
            n_jobs=self.n_jobs,
            watched=self._watched if self._watched.watchers else None,
            proposals=self._proposals(),
        )

    def _limited(self, settings: SearchSettings, known: Constraints | None, k: int, y: np.ndarray) -> SearchSettings:
        """The settings with what is known of output `k`."""
        assert self._ranges is not None
        limited = constrained(settings, known, self._ranges, y)
        return limited if self._units is None else replace(limited, units=self._units[k])

    def _known_units(self, variables: list[str], outputs: list[str]) -> list[TableUnits] | None:
        """What is measured in what, for each output; None where nothing is known of it."""
        known = read_units(self.units, self.y_unit, variables, len(outputs), self.dimensionless_constants)
        for units, output in zip(known or (), outputs, strict=False):
            check_reachable(units, output)
        return known

    def _proposals(self) -> Proposals | None:
        if self.proposals is None:
            return None
        named = isinstance(self.proposals, str) and self.proposals == "transformer"
        return proposals_of("proposals", "laws" if named else self.proposals)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = True
        tags.non_deterministic = self.max_time is not None
        return tags
