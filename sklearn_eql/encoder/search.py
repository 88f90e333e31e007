"""The search for the law behind an encoder: a linear form of the latents, a dense head where that is not enough."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import torch

from sklearn_eql.encoder.adaptation import Candidate, LawChoice
from sklearn_eql.encoder.heads import Composite
from sklearn_eql.encoder.latent_laws import front_with, polished, symmetric
from sklearn_eql.encoder.stages import LATENT_ROWS, Training
from sklearn_eql.encoder.tied_coefficients import Ties
from sklearn_eql.exceptions import AllTrialsFailedError
from sklearn_eql.laws.law import Law
from sklearn_eql.symbolic.equation import Equation

State = Mapping[str, torch.Tensor]


@dataclass(frozen=True)
class FoundLaw:
    """A network with a law as head, and the laws beside it; without any where the head is no law."""

    model: Composite
    front: list[Law] = field(default_factory=list)
    best: int = 0  # row of the front
    ranges: np.ndarray | None = None  # (2, n_features) lowest and highest latents


def find_law(
    training: Training,
    earlier: State | None,
    with_linear_form: bool,
    select: Callable[[list[Law]], int] | None,
    keep: Callable[[FoundLaw], None] | None = None,
) -> FoundLaw:
    """Train encoder and head, choose a law, and train the encoder on with it.

    Parameters
    ----------
    training : Training
    earlier : mapping of str to Tensor or None
        State of an encoder to start from.
    with_linear_form : bool
        Whether a linear form of the latents is tried before a dense head.
    select : callable or None
        The user's choice, from laws to a row; else laws are compared with the encoder adapted to each.
    keep : callable, optional
        Gets what there is before the last and longest training.
    """
    candidate = _candidate(training, earlier, with_linear_form, select)
    law, state = candidate.law, candidate.state
    ties = LawChoice(training).ties(law, state)
    law = ties.applied(law.equation)
    if keep is not None:
        keep(_judged(training, training.law_model(law, ties, state), ties, candidate.others))
    return _judged(training, training.train_with_law(law, ties, state), ties, candidate.others)


def _judged(training: Training, model: Composite, ties: Ties, others: Sequence[Law]) -> FoundLaw:
    """The law of a model on the latents of its encoder, constants recognised, beside other laws of these."""
    primitives = training.settings.search.primitives
    rows = training.some(np.arange(len(training.y)), LATENT_ROWS)
    latents, y = training.latents(model, rows), training.y[rows]
    found = model.head.equation()
    ties = symmetric(found, latents, y, primitives, ties, training.delta)  # now symmetries show more clearly
    chosen = polished(found, ties, latents, y, primitives, training.delta)
    front, best = front_with(chosen, others, latents, y, primitives)
    return FoundLaw(model, front, best, np.stack([latents.min(axis=0), latents.max(axis=0)]))


def _candidate(
    training: Training, earlier: State | None, with_linear_form: bool, select: Callable[[list[Law]], int] | None
) -> Candidate:
    """The law to train with, from a linear form if that is enough, else from a dense EQL head."""
    candidate = None
    if with_linear_form:
        candidate = _choose(training, "law of the linear form", select, *training.train_linearly(earlier))
        if not candidate.law.equation.units or select is not None or LawChoice(training).out_of_time():
            return candidate
    dense = _choose(training, "law of the head", select, *training.train_jointly(earlier))
    return dense if candidate is None else LawChoice(training).simpler(candidate, dense)


def _choose(
    training: Training, source: str, select: Callable[[list[Law]], int] | None, state: State, head: Equation
) -> Candidate:
    choice = LawChoice(training)
    laws = choice.laws(source, head, state)
    if not laws:
        raise AllTrialsFailedError(
            "No law of the latents is finite on every sample. Allow more functions, or raise n_generations or the "
            "steps of the schedule."
        )
    state = training.settle_classes(state, source)
    if select is None:
        return choice.choose(source, laws, state)
    return Candidate(laws[select(laws)], state, source, others=tuple(laws))
