"""From series to laws of motion: networks where they are needed, the law, and the encoder that is taught it."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from sklearn_eql.dynamics import stages
from sklearn_eql.dynamics.diagnosis import notes
from sklearn_eql.dynamics.earlier_laws import EarlierLaws
from sklearn_eql.dynamics.fitted_encoder import FittedEncoder
from sklearn_eql.dynamics.fitted_relu import FittedReLU
from sklearn_eql.dynamics.law_cell import LawCell
from sklearn_eql.dynamics.laws import fronts, vocabulary
from sklearn_eql.estimators._equation_reader import Selection, laws_table
from sklearn_eql.exceptions import AllTrialsFailedError
from sklearn_eql.laws.law import Law
from sklearn_eql.laws.selection import select
from sklearn_eql.stopping import StopReason

_SECONDS_AFTER_CTRL_C = 10.0  # for the law, where the training of networks was cut short


@dataclass
class FoundMotion:
    """What a fit leaves behind, until the estimator takes it over."""

    latents: np.ndarray | None = None
    used: np.ndarray | None = None
    n_iter: int = 0
    loss_curve: list[float] = field(default_factory=list)
    stop_reason: StopReason = StopReason.SCHEDULE
    interrupted: bool = False
    laws: list[list[Law]] = field(default_factory=list)
    best: list[int] = field(default_factory=list)
    encoder: FittedEncoder | None = None
    relu: FittedReLU | None = None
    horizon: int = 0
    notes: list[tuple[str, type[Warning]]] = field(default_factory=list)


@dataclass(frozen=True)
class EarlierMotion:
    """What a fit starts from."""

    encoder: FittedEncoder | None = None
    laws: EarlierLaws | None = None


@dataclass(frozen=True)
class MotionTask:
    """One fit.

    Parameters
    ----------
    windows : ndarray (N, W, S)
        What encoders read.
    states : ndarray (N, K + 1, S)
        Starts, and the steps that follow.
    step_scale : ndarray (S,)
        Root mean square of what a state moves in a step.
    names : list of str
        Of the states, then of the latents.
    settings : FitSettings
    refine : bool
        Whether the law behind the networks is looked for.
    refine_latents : bool or "auto"
    selection : str or callable
    seed : int
    deadlines : sequence of float
        Of the networks, the law and the encoder.
    before : EarlierMotion
    keep : callable, optional
        Gets what there is after each stage.
    """

    windows: np.ndarray
    states: np.ndarray
    step_scale: np.ndarray
    names: list[str]
    settings: stages.FitSettings
    refine: bool
    refine_latents: bool | str
    selection: Selection
    seed: int
    deadlines: Sequence[float]
    before: EarlierMotion
    keep: Callable[[FoundMotion], None] | None = None

    def find(self) -> FoundMotion:
        """Train networks where they are needed, and find the law."""
        settings, windows = self.settings, self.windows
        only_networks = settings.head == "relu" or not self.refine
        trained, encoders, found, deadlines = None, {}, FoundMotion(), self.deadlines
        if settings.n_latents or only_networks:
            trained = stages.train_networks(
                windows, self.states, settings, self.seed, deadlines[0], self.before.encoder
            )
            found.n_iter, found.loss_curve = trained.result.n_steps, trained.result.loss_curve
            found.stop_reason = trained.result.stopped
            found.interrupted = trained.result.stopped == StopReason.INTERRUPTED
            if not trained.order and only_networks:
                raise self._diverged()
            found.used = np.ones(settings.n_latents, dtype=bool)
            encoders = {t: stages.trained_encoder(trained, t, windows, settings) for t in trained.order}
            if only_networks:
                return self._as_trained(found, trained, encoders)
        if found.interrupted:  # the law is looked for all the same
            deadlines = [min(deadline, time.time() + _SECONDS_AFTER_CTRL_C) for deadline in deadlines]
        elif trained is not None and encoders and settings.form != "ode" and self.keep is not None:
            self.keep(self._as_trained(replace(found), trained, encoders))
        try:
            self._refine(found, encoders, deadlines)
        except KeyboardInterrupt:
            if not found.laws:
                if trained is None or not encoders or settings.form == "ode":
                    raise
                self._as_trained(found, trained, encoders)
            found.interrupted, found.stop_reason = True, StopReason.INTERRUPTED
            if found.used is not None and found.latents is not None and found.used.any() and found.encoder is None:
                started = encoders[next(iter(encoders))]
                found.encoder = started.taught(windows, found.latents, 0, len(windows), self.seed, deadlines[2])
        return found

    def _as_trained(
        self, found: FoundMotion, trained: stages.Trained, encoders: dict[int, FittedEncoder]
    ) -> FoundMotion:
        """With what the best of the networks has become: a law, or a plain network."""
        best = trained.order[0]
        found.encoder, found.latents = encoders[best], encoders[best](self.windows)
        if self.settings.head == "relu":
            increments = self.settings.recurrent.increments
            found.relu = FittedReLU.of(trained.network.cell, best, trained.series, increments)
        else:
            self._choose(found, stages.trained_laws(trained, best, self.states, found.latents, self.settings))
        return found

    def _refine(self, found: FoundMotion, encoders: dict[int, FittedEncoder], deadlines: Sequence[float]) -> None:
        settings, windows, states, seed = self.settings, self.windows, self.states, self.seed
        # Without an encoder that reads latents, series may still obey one law.
        candidates = [encoders[t](windows) for t in encoders] or [np.zeros((len(states), settings.n_latents))]
        motion = stages.best_motion(states, candidates, settings, seed, deadlines[1], self.before.laws)
        if motion.interrupted:
            found.interrupted, found.stop_reason = True, StopReason.INTERRUPTED
            deadlines = [time.time()] * 3
        found.latents, found.used = motion.law.latents, motion.law.used_latents(motion.problem)
        if found.used.any() and not encoders:
            raise self._diverged()
        known = (motion, states, vocabulary(settings.primitives), seed)
        try:
            laws, interrupted = fronts(*known, deadlines[1])
        except KeyboardInterrupt:
            laws, interrupted = fronts(*known, 0.0)[0], True
        cell = self._choose(found, laws)
        if interrupted:
            found.interrupted, found.stop_reason = True, StopReason.INTERRUPTED
        elif not found.interrupted and time.time() > deadlines[1]:
            found.stop_reason = StopReason.MAX_TIME
        # What the search found is judged, whichever shorter law a user selects.
        if found.stop_reason == StopReason.SCHEDULE:  # not cut short
            best = [min(front, key=lambda law: law.loss).equation for front in laws]
            accurate = LawCell(best, vocabulary(settings.primitives), settings.form, settings.dt)
            found.notes = notes(accurate, states, found.latents, found.used, self.names[states.shape[2] :], seed)
        if found.used is not None and found.latents is not None and found.used.any():
            self._teach(found, encoders[next(iter(encoders))], cell, deadlines[2])

    def _teach(self, found: FoundMotion, started: FittedEncoder, cell: LawCell, deadline: float) -> None:
        """Teach an encoder the latents of the law, and see whether the law sharpens them."""
        assert found.latents is not None
        settings, windows, states = self.settings, self.windows, self.states
        size = settings.recurrent.batch_size or len(windows)
        found.encoder = started.taught(windows, found.latents, 0, len(windows), self.seed, deadline)
        if self.keep is not None:
            self.keep(found)
        found.encoder = stages.taught_encoder(
            started, cell, windows, states, found.latents, self.step_scale, size, self.seed, deadline, settings.device
        )
        found.horizon = int(self.refine_latents is True)
        if self.refine_latents == "auto":
            found.horizon = stages.best_horizon(cell, windows, states, found.encoder(windows), self.step_scale)

    def _choose(self, found: FoundMotion, laws: list[list[Law]]) -> LawCell:
        """Select a law per state; they at work."""
        n_rows, primitives = len(self.states) * (self.states.shape[1] - 1), vocabulary(self.settings.primitives)
        tables = [laws_table(front, self.names, primitives) if callable(self.selection) else None for front in laws]
        best = [select(self.selection, front, n_rows, table) for front, table in zip(laws, tables, strict=True)]
        found.laws, found.best = laws, best
        chosen = [front[row].equation for front, row in zip(laws, best, strict=True)]
        return LawCell(chosen, primitives, self.settings.form, self.settings.dt)

    def _diverged(self) -> AllTrialsFailedError:
        return AllTrialsFailedError(
            f"All {self.settings.n_trials} trials diverged. Use scale=True, a lower learning rate or shorter roll-outs "
            "(schedule), or more trials."
        )
