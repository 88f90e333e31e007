"""EQLDynamicsRegressor: a law of motion with a hidden parameter, from trajectories."""

from __future__ import annotations

import copy
import time
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from numbers import Integral, Real
from os import PathLike
from typing import Any, ClassVar

import numpy as np
from sklearn.base import BaseEstimator, RegressorMixin, TransformerMixin
from sklearn.metrics import r2_score
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted

from sklearn_eql._threads import single_threaded
from sklearn_eql.dynamics.earlier_laws import EarlierLaws
from sklearn_eql.dynamics.fitted_encoder import FittedEncoder
from sklearn_eql.dynamics.fitted_relu import FittedReLU
from sklearn_eql.dynamics.latent_inference import identify
from sklearn_eql.dynamics.law_cell import LawCell
from sklearn_eql.dynamics.laws import vocabulary
from sklearn_eql.dynamics.series import check_moves, check_range, read_series
from sklearn_eql.dynamics.stages import FitSettings, stage_deadlines
from sklearn_eql.estimators._check_parameters import check_latents, check_sizes
from sklearn_eql.estimators._compat import CallbackSupportMixin, HasMethods, Interval, StrOptions, fit_context
from sklearn_eql.estimators._equation_reader import EquationReader, Selection
from sklearn_eql.estimators._motion_fit import EarlierMotion, FoundMotion, MotionTask
from sklearn_eql.estimators._motion_settings import motion_settings
from sklearn_eql.estimators._watching import CALLBACKS, watched_fit
from sklearn_eql.exceptions import RolloutWarning, SearchInterruptedWarning
from sklearn_eql.networks.encoders import Encoder
from sklearn_eql.networks.penalties import Penalty
from sklearn_eql.primitives import PRIMITIVES, Primitive
from sklearn_eql.progress import Watcher
from sklearn_eql.stopping import StopReason
from sklearn_eql.symbolic.equation import Equation
from sklearn_eql.training.optimizers import OPTIMIZERS
from sklearn_eql.training.rollouts import CHECK_EVERY
from sklearn_eql.training.schedule import Phase

_PARTS = {"_encoder": FittedEncoder, "_relu": FittedReLU}  # kept as plain values in a pickle
_EXPLODED_FACTOR = 1e12  # times the largest state of the training series


class EQLDynamicsRegressor(EquationReader, TransformerMixin, RegressorMixin, CallbackSupportMixin, BaseEstimator):
    """Find the law of motion behind a set of series, and the hidden parameter in which they differ.

    An encoder reads a window of each series and gives its latent ``z``; a recurrent Equation Learner cell, one network
    per state, takes a state and ``z`` to the next state (Fig. 4 of the paper). Both are trained end to end. Then the
    law itself is looked for: terms are added and dropped with the latents of all series solved for along with the
    coefficients, constants are recognised, and the encoder is taught the latents of the law.

    Parameters
    ----------
    encoder : {"conv1d", "mlp"} or callable, default="conv1d"
        Network that reads windows, `(n, n_states, n_observed)`: "conv1d" is that of Appendix C. A callable without
        arguments returns a `torch.nn.Module` with `n_latents` outputs.
    n_latents : int, default=1
        Hidden parameters; 0 if all series obey one law.
    head : {"eql", "relu"}, default="eql"
        Equations, or a plain network for comparison.
    form : {"update", "increment", "ode"}, default="update"
        What `sympy_expr_` says, one expression per state: the next state; ``f`` of ``state + dt * f(state, z)``; or
        ``f`` of ``d state / dt = f(state, z)``, integrated by a Runge-Kutta method.
    dt : float or None, default=None
        Time between two rows; 1 if not known.
    state_names : sequence of str, optional
        ``x0``, ``x1``, ... by default.
    functions : str, mapping or sequence, default="motion"
        As in :class:`EQLRegressor`. Products and powers are always there when a law is refined; by default, or with
        ``"inv"`` or ``"div"``, so are quotients by states that keep their sign.
    max_degree : int, default=3
        Of products of states, in refined laws; a latent may stand before those of the highest degree, too. Latents
        enter to the second power at most.
    refine : bool, default=True
        Look for the law behind the trained networks. If not, what is left of the best network is the law, as in the
        paper.
    latent_scale : {"unit", "simple"}, default="unit"
        Any linear function of a latent would do. "unit": mean 0 and standard deviation 0.5 over the training series
        (Appendix C). "simple": so that terms vanish and coefficients are 1 where possible, ``u*z`` rather than
        ``0.13*u*z + 0.55*u``.
    refine_latents : bool or "auto", default="auto"
        Let the law sharpen the encoder's latents: the ones under which it explains the window best, step by step if
        True. "auto" does so, over 1, 5 or 25 steps, if that makes better roll-outs on the training series.
    n_hidden_layers : int, default=2
        `L` in the paper, of the networks that are trained.
    relu_layers : sequence of int, default=(50, 50)
        Hidden layers for ``head="relu"`` (section IV-B).
    n_trials : int, default=2
        Independent random starts.
    penalty : {"l05", "l0", "l1"} or Penalty, default="l05"
    alpha : float, default=1e-3
        Penalty weight (lambda in the paper).
    schedule : {"fast", "long", "paper-kinematics", "paper-sho"} or sequence of RolloutPhase, default="fast"
        Phases of training with the number of steps that are rolled out in each: the curriculum.
    optimizer : {"adam", "rmsprop"}, default="adam"
    batch_size : int or None, default=100
        Series per training step; all if None.
    scale : bool, default=True
        Train on states of unit scale, and let cells return increments. False for the paper's recipe.
    selection : {"best", "accurate", "simple"} or callable, default="best"
        How one equation per state is picked from `equations_`, as in :class:`EQLRegressor`.
    max_time : float or None, default=None
        Seconds for `fit`.
    device : str, default="auto"
        Where networks are trained: "auto", "cpu", "cuda", "cuda:1".
    random_state : int, RandomState or None, default=None
    verbose : int, default=0
        Progress on stderr if not 0.
    callbacks : sequence of callable, or None, default=None
        Called with a :class:`~sklearn_eql.callbacks.Progress` while the fit runs; a true answer ends it. See
        :mod:`sklearn_eql.callbacks`.
    warm_start : bool, default=False
        Start from the encoder and the laws of the previous fit.
    run_dir : str or path-like, default=None
        Directory in which the fit is kept after each of its stages, and from which `from_run` opens it again. Made if
        it is not there.

    Attributes
    ----------
    sympy_expr_ : list of sympy.Expr
        One per state, over `state_names` and ``z`` (``z0``, ``z1``, ... if there are several).
    equations_ : list of DataFrame
    best_index_ : list of int
    latents_ : ndarray of shape (n_series, n_latents)
        Of the training series: under a refined law, those found with it, and 0 where it does not depend on them.
    latents_used_ : ndarray of bool, shape (n_latents,)
        Which latents the law depends on. Series may differ in nothing.
    n_states_, n_steps_, n_features_in_ : int
        Number of states, of steps that `predict` returns, and of states again.
    n_iter_ : int
        Training steps.
    state_names_ : list of str
    form_ : {"update", "increment", "ode"}
    loss_curve_ : list of float
        Of the best trial, relative to the error of standing still.
    loss_steps_ : list of int
        Training steps after which these losses are.
    stop_reason_ : {"schedule", "max_time", "callback", "interrupted"}
    interrupted_ : bool

    Notes
    -----
    The recipes of the paper (Appendix C) are ``EQLDynamicsRegressor(functions="paper", schedule="paper-kinematics",
    optimizer="rmsprop", batch_size=None, scale=False, refine=False)``, and with ``functions="paper-sho",
    schedule="paper-sho", alpha=4e-5`` for the oscillator.

    References
    ----------
    S. Kim et al., "Integration of Neural Network-Based Symbolic Regression in Deep Learning for Scientific
    Discovery", IEEE TNNLS 2020, sections III-C, IV-B and IV-C.

    Examples
    --------
    >>> from sklearn_eql import EQLDynamicsRegressor
    >>> from sklearn_eql.datasets import make_kinematics
    >>> data = make_kinematics(n_series=40, random_state=0)
    >>> model = EQLDynamicsRegressor(state_names=("u", "v"), latent_scale="simple", n_trials=1, random_state=0)
    >>> model.fit(data.X, data.Y).sympy_expr_
    [u + v + z/2, v + z]
    """

    _parameter_constraints: ClassVar[dict] = {
        "encoder": [str, callable],
        "n_latents": [Interval(Integral, 0, None, closed="left")],
        "head": [StrOptions({"eql", "relu"})],
        "form": [StrOptions({"update", "increment", "ode"})],
        "dt": [Interval(Real, 0, None, closed="neither"), None],
        "state_names": [Sequence, np.ndarray, None],
        "functions": [str, Mapping, Sequence],
        "max_degree": [Interval(Integral, 1, None, closed="left")],
        "refine": ["boolean"],
        "latent_scale": [StrOptions({"unit", "simple"})],
        "refine_latents": ["boolean", StrOptions({"auto"})],
        "n_hidden_layers": [Interval(Integral, 1, None, closed="left")],
        "relu_layers": [Sequence],
        "n_trials": [Interval(Integral, 1, None, closed="left")],
        "penalty": [StrOptions({"l05", "l0", "l1"}), HasMethods(["gates", "value"])],
        "alpha": [Interval(Real, 0, None, closed="left")],
        "schedule": [str, Sequence],
        "optimizer": [StrOptions(set(OPTIMIZERS))],
        "batch_size": [Interval(Integral, 1, None, closed="left"), None],
        "scale": ["boolean"],
        "selection": [StrOptions({"best", "accurate", "simple"}), callable],
        "max_time": [Interval(Real, 0, None, closed="neither"), None],
        "device": [str],
        "random_state": ["random_state"],
        "verbose": ["verbose"],
        "callbacks": CALLBACKS,
        "warm_start": ["boolean"],
        "run_dir": [str, PathLike, None],
    }

    def __init__(
        self,
        *,
        encoder: Encoder = "conv1d",
        n_latents: int = 1,
        head: str = "eql",
        form: str = "update",
        dt: float | None = None,
        state_names: Sequence[str] | None = None,
        functions: str | Mapping[str, int] | Sequence[str | Primitive] = "motion",
        max_degree: int = 3,
        refine: bool = True,
        latent_scale: str = "unit",
        refine_latents: bool | str = "auto",
        n_hidden_layers: int = 2,
        relu_layers: Sequence[int] = (50, 50),
        n_trials: int = 2,
        penalty: str | Penalty = "l05",
        alpha: float = 1e-3,
        schedule: str | Sequence[Phase] = "fast",
        optimizer: str = "adam",
        batch_size: int | None = 100,
        scale: bool = True,
        selection: Selection = "best",
        max_time: float | None = None,
        device: str = "auto",
        random_state: int | np.random.RandomState | None = None,
        verbose: int = 0,
        callbacks: Sequence[Watcher] | None = None,
        warm_start: bool = False,
        run_dir: str | PathLike | None = None,
    ) -> None:
        self.encoder = encoder
        self.n_latents = n_latents
        self.head = head
        self.form = form
        self.dt = dt
        self.state_names = state_names
        self.functions = functions
        self.max_degree = max_degree
        self.refine = refine
        self.latent_scale = latent_scale
        self.refine_latents = refine_latents
        self.n_hidden_layers = n_hidden_layers
        self.relu_layers = relu_layers
        self.n_trials = n_trials
        self.penalty = penalty
        self.alpha = alpha
        self.schedule = schedule
        self.optimizer = optimizer
        self.batch_size = batch_size
        self.scale = scale
        self.selection = selection
        self.max_time = max_time
        self.device = device
        self.random_state = random_state
        self.verbose = verbose
        self.callbacks = callbacks
        self.warm_start = warm_start
        self.run_dir = run_dir

    @fit_context(prefer_skip_nested_validation=True)
    @watched_fit
    def fit(self, X: Any, Y: Any) -> EQLDynamicsRegressor:
        """Find the law of motion.

        Parameters
        ----------
        X : array-like of shape (n_series, n_observed + 1, n_states)
            An observed window of each series, and in the last row the state its roll-out starts from.
        Y : array-like of shape (n_series, n_steps, n_states)
            The states that follow.

        Returns
        -------
        self

        Raises
        ------
        ValueError
            Wrong shapes, series of different lengths, NaN or infinity, windows too short for the encoder, nothing
            that moves, unknown functions, a device that is not there.
        AllTrialsFailedError
            No network stayed finite. As after every error, the estimator is what it was before the call.

        Warns
        -----
        UnusedLatentWarning
            The law does not depend on a hidden parameter.
        NoLawWarning
            What was found does not describe the series, beyond their noise.
        """
        check_sizes(self)
        X = read_series("X", X)
        Y = read_series("Y", Y, n_states=X.shape[2])
        if len(X) != len(Y):
            raise ValueError(f"X and Y: got {len(X)} and {len(Y)} series, expected the same number, in the same order.")
        names = self._state_names(X.shape[2])
        windows, states = X[:, :-1], np.concatenate([X[:, -1:], Y], axis=1)
        check_range(windows, states, names)
        check_moves(X[:, -1], Y, names)
        if self.n_latents and len(X) < 2:
            raise ValueError(
                "X: got 1 series, expected several that differ in the hidden parameter. Use n_latents=0 for a law "
                "without one."
            )
        check_latents(self.n_latents, len(X), "series")
        if self.n_latents and windows.shape[1] < 1:
            raise ValueError(
                "X: got 1 row per series, expected 2 or more: an observed window, which the latent is read from, and "
                "the start of the roll-out. Give longer series, or use n_latents=0."
            )
        settings = motion_settings(self, self._watched)
        seed = int(check_random_state(self.random_state).randint(np.iinfo(np.int32).max))
        deadlines = stage_deadlines(time.time(), self.max_time)

        step_scale = np.sqrt(np.mean(np.diff(states, axis=1) ** 2, axis=(0, 1)))
        step_scale[step_scale == 0] = 1.0
        all_names = [*names, *self._latent_names()]
        self._watched.hand("checked", self)
        take_over = partial(
            _take_over, settings=settings, names=all_names, states=states, n_rows=X.shape[1], step_scale=step_scale
        )

        def keep(found: FoundMotion) -> None:
            now = replace(found, stop_reason=StopReason.INTERRUPTED, interrupted=True)
            self._watched.hand("keep", take_over(copy.copy(self), now))

        with single_threaded():
            found = MotionTask(
                windows, states, step_scale, all_names, settings,
                refine=self.refine, refine_latents=self.refine_latents, selection=self.selection, seed=seed,
                deadlines=deadlines, before=self._before(X), keep=None if self._watched.run is None else keep,
            ).find()  # fmt: skip

        # Everything that a fit leaves behind is set from here on: one that fails leaves the estimator as it was.
        take_over(self, found)
        if found.interrupted and self._watched.stopped:
            self.stop_reason_, self.interrupted_ = str(StopReason.CALLBACK), False
        if self.interrupted_:
            warnings.warn(
                "fit was interrupted; the best law found until then was kept (interrupted_ is True). Set max_time "
                "for a limit, or warm_start=True to go on from here.",
                SearchInterruptedWarning,
                stacklevel=2,
            )
        for message, kind in found.notes:
            warnings.warn(message, kind, stacklevel=2)
        return self

    def predict(self, X: Any) -> np.ndarray:
        """The states that follow, as many as `fit` saw.

        Parameters
        ----------
        X : array-like of shape (n_series, n_observed + 1, n_states)

        Returns
        -------
        Y : ndarray of shape ``(n_series, n_steps_, n_states)``

        Raises
        ------
        ValueError
            Series that explode on the way.
        """
        rolled = self._rollout(X, self.n_steps_ if hasattr(self, "n_steps_") else 1)
        finite = self._finite(rolled)
        if not finite.all():
            series = int(np.argmin(finite.all(axis=1)))
            raise ValueError(
                f"X: the law explodes in {int((~finite.all(axis=1)).sum())} of {len(rolled)} series (first: series "
                f"{series}, after {int(np.argmin(finite[series]))} steps). rollout(X, n_steps) returns the finite part."
            )
        return rolled

    def rollout(self, X: Any, n_steps: int) -> np.ndarray:
        """The states that follow, any number of them.

        Returns
        -------
        Y : ndarray of shape (n_series, n_steps, n_states)
            Fewer steps, with a `RolloutWarning`, if a series explodes: those for which all are finite.
        """
        if isinstance(n_steps, bool) or not isinstance(n_steps, Integral) or n_steps < 1:
            raise ValueError(f"n_steps={n_steps!r}: expected a positive integer, the number of steps to go.")
        rolled = self._rollout(X, int(n_steps))
        finite = self._finite(rolled)
        if finite.all():
            return rolled
        n_kept = int(finite.all(axis=0).argmin())
        warnings.warn(
            f"{int((~finite.all(axis=1)).sum())} of {len(rolled)} series explode; the roll-out was stopped after "
            f"{n_kept} of {n_steps} steps. Roll the others out without them (first: series "
            f"{int(np.argmin(finite.all(axis=1)))}).",
            RolloutWarning,
            stacklevel=2,
        )
        return rolled[:, :n_kept]

    def transform(self, X: Any) -> np.ndarray:
        """Hidden parameter of each series.

        Parameters
        ----------
        X : array-like of shape (n_series, n_observed + 1, n_states)

        Returns
        -------
        z : ndarray of shape (n_series, n_latents)
        """
        check_is_fitted(self)
        return self._latents(self._read(X))

    def score(self, X: Any, Y: Any, sample_weight: Any = None) -> float:
        """Coefficient of determination of the predicted states, averaged over the states.

        Parameters
        ----------
        X : array-like of shape (n_series, n_observed + 1, n_states)
        Y : array-like of shape ``(n_series, n_steps_, n_states)``
        sample_weight : array-like of shape (n_series,), optional
        """
        check_is_fitted(self)
        Y = read_series("Y", Y, n_states=self.n_states_, n_rows=self.n_steps_)
        predicted = self.predict(X)
        weight = None if sample_weight is None else np.repeat(np.asarray(sample_weight, dtype=float), self.n_steps_)
        return float(
            r2_score(Y.reshape(-1, self.n_states_), predicted.reshape(-1, self.n_states_), sample_weight=weight)
        )

    def get_feature_names_out(self, input_features: Any = None) -> np.ndarray:
        """Names of what `transform` returns."""
        check_is_fitted(self)
        return np.array(self._names[self.n_states_ :], dtype=object)

    @property
    def state_names_(self) -> list[str]:
        """Names of the states."""
        check_is_fitted(self)
        return list(self._names[: self.n_states_])

    @property
    def form_(self) -> str:
        """What the laws give: the next state, what is added to it, or its derivative."""
        check_is_fitted(self)
        return self._form

    @property
    def loss_steps_(self) -> list[int]:
        """Training steps after which the losses of `loss_curve_` are."""
        check_is_fitted(self)
        return [min(CHECK_EVERY * (1 + i), self.n_iter_) for i in range(len(self.loss_curve_))]

    def _before(self, X: np.ndarray) -> EarlierMotion:
        """What `warm_start` starts from: of a fit to series of the same shape, and of the same kind of law."""
        if not (self.warm_start and hasattr(self, "_laws")) or self._relu is not None or not self._laws:
            return EarlierMotion()
        n_latents = len(self._names) - self.n_states_
        if (self.n_states_, self._n_rows, n_latents) != (*X.shape[:0:-1], self.n_latents):
            return EarlierMotion()
        encoder = self._encoder if self._encoder is not None and self._encoder.encoder == self.encoder else None
        if (self._form, self._dt) != (self.form, float(self.dt or 1.0)):
            return EarlierMotion(encoder)
        with np.errstate(all="ignore"):
            latents = self._latents(X)
        return EarlierMotion(encoder, EarlierLaws(self._chosen(None), latents, self.latents_used_))

    def _latents(self, X: np.ndarray) -> np.ndarray:
        if self._encoder is None:  # no law reads a latent
            return np.zeros((len(X), len(self._names) - self.n_states_))
        z = self._encoder(X[:, :-1])
        if not self._horizon:
            return z
        return identify(self._law_cell(), X[:, :-1], z, self._step_scale, self._horizon)

    def _rollout(self, X: Any, n_steps: int) -> np.ndarray:
        check_is_fitted(self)
        X = self._read(X)
        cell = self._relu if self._relu is not None else self._law_cell()
        with np.errstate(all="ignore"):
            return cell.rollout(X[:, -1], self._latents(X), n_steps)

    def _law_cell(self) -> LawCell:
        primitives = vocabulary(self._own)
        return LawCell(self._chosen(None), primitives, self._form, self._dt)

    def _finite(self, rolled: np.ndarray) -> np.ndarray:
        """Steps until which each series is within bounds, bool ``(n_series, n_steps)``."""
        with np.errstate(invalid="ignore"):
            sound = (np.abs(rolled) < _EXPLODED_FACTOR * self._largest).all(axis=2)
        return np.logical_and.accumulate(sound, axis=1)

    def _read(self, X: Any) -> np.ndarray:
        return read_series("X", X, n_states=self.n_states_, n_rows=self._n_rows)

    def _state_names(self, n_states: int) -> tuple[str, ...]:
        if self.state_names is None:
            return tuple(f"x{i}" for i in range(n_states))
        names = tuple(str(name) for name in self.state_names)
        taken = set(names) & set(self._latent_names())
        if len(names) != n_states or len(set(names)) != n_states or not all(names) or taken:
            raise ValueError(
                f"state_names={names!r}: expected {n_states} distinct names, one per state (last axis of X), other "
                f"than {', '.join(self._latent_names()) or 'each other'}."
            )
        return names

    def _latent_names(self) -> list[str]:
        return ["z"] if self.n_latents == 1 else [f"z{i}" for i in range(self.n_latents)]

    def _chosen(self, index: int | list[int] | None) -> list[Equation]:
        if self._relu is not None:
            raise AttributeError("head='relu' is a plain network without equations; use head='eql'.")
        return super()._chosen(index)

    def _check_fitted(self, attribute: str) -> None:
        super()._check_fitted(attribute)
        if self._relu is not None:
            raise AttributeError(f"{attribute}: head='relu' is a plain network without equations; use head='eql'.")

    def __getstate__(self) -> dict:
        state = super().__getstate__()
        plain = {name: vars(state[name]) for name in _PARTS if state.get(name) is not None}
        return state | plain

    def __setstate__(self, state: dict) -> None:
        parts = {name: kind(**state[name]) for name, kind in _PARTS.items() if state.get(name) is not None}
        super().__setstate__(state | parts)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.two_d_array = False
        tags.input_tags.three_d_array = True
        tags.target_tags.multi_output = True
        tags.non_deterministic = self.max_time is not None
        return tags


def _take_over(
    estimator: EQLDynamicsRegressor,
    found: FoundMotion,
    *,
    settings: FitSettings,
    names: list[str],
    states: np.ndarray,
    n_rows: int,
    step_scale: np.ndarray,
) -> EQLDynamicsRegressor:
    """Set the attributes that a fit leaves behind."""
    estimator._laws, estimator._best = found.laws, found.best
    estimator._encoder, estimator._relu, estimator._horizon = found.encoder, found.relu, found.horizon
    estimator.latents_, estimator.latents_used_ = found.latents, found.used
    estimator.n_iter_, estimator.loss_curve_ = found.n_iter, found.loss_curve
    estimator.stop_reason_, estimator.interrupted_ = str(found.stop_reason), found.interrupted
    estimator._own = {name: p for name, p in settings.primitives.items() if PRIMITIVES.get(name) != p}
    estimator._form, estimator._dt = estimator.form, float(estimator.dt or 1.0)
    estimator._names, estimator._single = names, False
    estimator.n_states_ = estimator.n_features_in_ = states.shape[2]
    estimator.n_steps_, estimator._n_rows = states.shape[1] - 1, n_rows
    estimator._step_scale = step_scale
    estimator._largest = float(np.abs(states).max())
    return estimator
