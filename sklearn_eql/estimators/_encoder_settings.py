"""From the parameters of EQLEncoderRegressor to the settings of a training."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sklearn_eql.encoder.items import Items
from sklearn_eql.encoder.latent_classes import MOST_COMBINATIONS
from sklearn_eql.encoder.latent_laws import LatentSearch
from sklearn_eql.encoder.stages import TrainingSettings
from sklearn_eql.estimators._device import resolve_device
from sklearn_eql.networks.penalties import resolve_penalty
from sklearn_eql.primitives import PRIMITIVES, Primitive, check_primitive, resolve_functions
from sklearn_eql.training.bfloat16 import multiplies_bfloat16
from sklearn_eql.training.schedule import IMAGE_SCHEDULES, resolve_phases

TOLERANCES: Mapping[str, float] = {"best": 1.25, "simple": 2.0, "accurate": 1.0}
"""Factors of the validation loss by which a simpler law may be worse, by the name that ``selection=`` takes."""

_MOST_HELD_OUT = 2_000  # samples; more do not make the choice of a law more certain


def training_settings(estimator: Any, items: Items) -> TrainingSettings:
    """Settings for a fit of an :class:`~sklearn_eql.EQLEncoderRegressor` to these items.

    Raises
    ------
    ValueError
        Parameters that do not fit each other, or not the number of items.
    """
    p = estimator
    units = _functions(p)
    # Without functions of an argument there is one structure, the linear form: nothing to search for.
    n_generations = p.n_generations if any(unit.arity and unit.name != "id" for unit in units) else 0
    n_validation = min(_MOST_HELD_OUT, int(p.validation_fraction * len(items)))
    if p.early_stopping and n_validation < 1:
        raise ValueError(
            f"early_stopping=True needs held-out samples, and validation_fraction={p.validation_fraction} of "
            f"{len(items)} samples is none. Give more samples or a larger fraction."
        )
    _check_classes(p.n_classes, items.n_items, (len(items) - n_validation) * items.n_items)
    device = resolve_device(p.device)
    mixed = multiplies_bfloat16(device) if p.mixed_precision == "auto" else p.mixed_precision
    return TrainingSettings(
        n_latents=p.n_latents,
        head=p.head,
        linear_steps=p.linear_steps,
        schedule=resolve_phases(p.schedule, IMAGE_SCHEDULES, honoured=()),
        penalty=resolve_penalty(p.penalty),
        alpha=float(p.alpha),
        search=LatentSearch(units, p.n_hidden_layers, n_generations),
        tolerance=TOLERANCES.get(p.selection, 1.0) if isinstance(p.selection, str) else 1.0,
        loss=p.loss,
        max_iter=p.max_iter,
        learning_rate=float(p.learning_rate),
        optimizer=p.optimizer,
        batch_size=p.batch_size,
        transforms=p.transforms,
        n_validation=n_validation,
        patience=p.n_iter_no_change if p.early_stopping else None,
        device=device,
        mixed=bool(mixed),
    )


def _functions(estimator: Any) -> tuple[Primitive, ...]:
    units = resolve_functions(estimator.functions)
    for primitive in {p.name: p for p in units if PRIMITIVES.get(p.name) != p}.values():
        check_primitive(primitive)
    if not any(p.arity for p in units):
        raise ValueError(
            f"functions={estimator.functions!r} holds constants only. Name at least one function of an argument."
        )
    return units


def _check_classes(n_classes: int | None, n_items: int, n_seen: int) -> None:
    if n_classes is None:
        return
    if n_classes**n_items > MOST_COMBINATIONS:
        raise ValueError(
            f"n_classes={n_classes} of {n_items} items have {n_classes**n_items} combinations, and at most "
            f"{MOST_COMBINATIONS} can be summed over. Lower n_classes, or leave n_classes=None."
        )
    if n_seen < n_classes:
        raise ValueError(
            f"n_classes={n_classes}, and {n_seen} items to train on. Lower n_classes, or give more samples."
        )
