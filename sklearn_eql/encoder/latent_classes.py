"""Items of a few kinds: training by the likelihood of the target, summed over what the items may be.

A network that hesitates between 4 and 9 says 6.5 when it has to say one number, and a law of 6.5 is wrong for certain.
Here it says how likely each kind is, the law is evaluated for every combination of kinds, and a combination that gives
the target is what the network learns from.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable

import numpy as np
import torch
from sklearn.cluster import KMeans
from sklearn.exceptions import ConvergenceWarning
from torch.nn.functional import cross_entropy

from sklearn_eql.encoder.heads import Composite
from sklearn_eql.networks.encoders import Kinds, LatentNorm

MOST_COMBINATIONS = 100_000
"""Of kinds of all items of a sample."""


def by_kinds(model: Composite) -> bool:
    """Whether the encoder decides for one of a few kinds."""
    return isinstance(model.encoder, Kinds) and bool(model.encoder.decided)


def decide(model: Composite, decided: bool) -> Composite:
    """Let the encoder, if it knows kinds, decide for one from now on, or not."""
    if isinstance(model.encoder, Kinds):
        model.encoder.decided.fill_(decided)
    return model


@torch.no_grad()
def latent_kinds(model: Composite) -> np.ndarray:
    """Latents of every kind, float64 (n_kinds, n_latents), by the running statistics."""
    return model.norm.eval()(model.encoder.places).cpu().double().numpy()


def clusters(latents: np.ndarray, n_kinds: int, seed: int) -> np.ndarray:
    """Places for kinds to start from, (n_kinds, n_latents): where the latents of items (n, n_latents) crowd."""
    with warnings.catch_warnings():
        # Fewer different items than kinds: some start at the same place, and are not needed.
        warnings.simplefilter("ignore", ConvergenceWarning)
        return KMeans(n_kinds, n_init=3, random_state=seed).fit(latents).cluster_centers_


def disagreement(student: Composite, teacher: Composite, samples: torch.Tensor) -> torch.Tensor:
    """Cross-entropy of the kinds that the student tells, with those whose places are next to the teacher's latents."""
    with torch.no_grad():
        latents = teacher.norm(teacher.raw_latents(samples))
        places = teacher.norm(student.encoder.places)
        kinds = torch.cdist(latents, places).argmin(dim=1)
    return cross_entropy(student.encoder.network(student.items(samples)).float(), kinds)


def soft_minimum(
    model: Composite,
    samples: torch.Tensor,
    targets: torch.Tensor,
    loss: Callable[[torch.Tensor], torch.Tensor],
    temperature: float,
) -> torch.Tensor:
    """Mean over samples of ``-T log sum_k p_k exp(-loss(f(z_k) - y) / T)``, where k runs over combinations of kinds.

    That is T times the negative logarithm of the likelihood of the target, up to a constant, for an error of density
    ``exp(-loss / T)``. The law f is evaluated once per combination, not once per sample.

    Parameters
    ----------
    model : Composite
        With an encoder that decides for kinds.
    samples : Tensor (n, n_items, *item_shape);  targets : Tensor (n,)
    loss : callable
        Of residuals, elementwise.
    temperature : float
        Loss of a residual that is still taken for noise.

    Combinations on which the law is undefined are left out.
    """
    n, n_items = samples.shape[:2]
    logarithms = model.encoder.network(model.items(samples)).float().log_softmax(dim=-1)
    with torch.autocast(samples.device.type, enabled=False):
        places = normalised_places(model.norm, model.encoder.places, logarithms)
        kinds = torch.cartesian_prod(*[torch.arange(len(places), device=places.device)] * n_items).reshape(-1, n_items)
        with torch.no_grad():  # combinations on which the law is undefined would spoil all gradients
            kinds = kinds[torch.isfinite(model.head(places[kinds].flatten(1)))]
        values = model.head(places[kinds].flatten(1))
        logarithms = logarithms.reshape(n, n_items, -1)
        joint = sum(logarithms[:, item, kinds[:, item]] for item in range(n_items))
        losses = loss(values - targets[:, None])
        return -temperature * (joint - losses / temperature).logsumexp(dim=-1).mean()


def normalised_places(norm: LatentNorm, places: torch.Tensor, logarithms: torch.Tensor) -> torch.Tensor:
    """Places of the kinds, normalised by mean and variance of a latent that is drawn by its probabilities."""
    shares = logarithms.exp().mean(dim=0)[:, None]
    mean = (shares * places).sum(dim=0, keepdim=True)
    var = (shares * (places - mean).square()).sum(dim=0, keepdim=True)
    norm.follow(mean, var)
    return norm.normalised(places, mean, var)
