"""Items of a few classes: training by the likelihood of the target, summed over what the items may be.

A network that hesitates between 4 and 9 says 6.5 when it has to say one number, and a law of 6.5 is wrong for certain.
Here it says how likely each class is, the law is evaluated for every combination of classes, and a combination that
gives the target is what the network learns from.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable

import numpy as np
import torch
from sklearn.cluster import KMeans
from sklearn.exceptions import ConvergenceWarning
from torch.nn.functional import cross_entropy

from sklearn_eql._devices import mixed_precision
from sklearn_eql.encoder.heads import Composite
from sklearn_eql.networks.encoders import LatentClasses, LatentNorm

MOST_COMBINATIONS = 100_000
"""Of classes of all items of a sample."""


def by_classes(model: Composite) -> bool:
    """Whether the encoder decides for one of a few classes."""
    return isinstance(model.encoder, LatentClasses) and bool(model.encoder.decided)


def decide(model: Composite, decided: bool) -> Composite:
    """Let the encoder, if it knows classes, decide for one from now on, or not."""
    if isinstance(model.encoder, LatentClasses):
        model.encoder.decided.fill_(decided)
    return model


@torch.no_grad()
def latent_prototypes(model: Composite) -> np.ndarray:
    """Latents of every class, float64 (n_classes, n_latents), by the running statistics."""
    return model.norm.eval()(model.encoder.prototypes).cpu().double().numpy()


def clusters(latents: np.ndarray, n_classes: int, seed: int) -> np.ndarray:
    """Prototypes for classes to start from, (n_classes, n_latents): where the latents of items (n, n_latents) crowd."""
    with warnings.catch_warnings():
        # Fewer different items than classes: some start at the same place, and are not needed.
        warnings.simplefilter("ignore", ConvergenceWarning)
        return KMeans(n_classes, n_init=3, random_state=seed).fit(latents).cluster_centers_


def disagreement(student: Composite, teacher: Composite, samples: torch.Tensor) -> torch.Tensor:
    """Cross-entropy of the student's classes with those whose prototypes are next to the teacher's latents."""
    with torch.no_grad():
        latents = teacher.norm(teacher.raw_latents(samples))
        prototypes = teacher.norm(student.encoder.prototypes)
        classes = torch.cdist(latents, prototypes).argmin(dim=1)
    return cross_entropy(student.encoder.network(student.items(samples)).float(), classes)


def soft_minimum(
    model: Composite,
    samples: torch.Tensor,
    targets: torch.Tensor,
    loss: Callable[[torch.Tensor], torch.Tensor],
    temperature: float,
) -> torch.Tensor:
    """Mean over samples of ``-T log sum_k p_k exp(-loss(f(z_k) - y) / T)``, where k runs over combinations of classes.

    That is T times the negative logarithm of the likelihood of the target, up to a constant, for an error of density
    ``exp(-loss / T)``. The law f is evaluated once per combination, not once per sample.

    Parameters
    ----------
    model : Composite
        With an encoder that decides for classes.
    samples : Tensor (n, n_items, *item_shape);  targets : Tensor (n,)
    loss : callable
        Of residuals, elementwise.
    temperature : float
        Loss of a residual that is still taken for noise.

    Combinations on which the law is undefined are left out.
    """
    n, n_items = samples.shape[:2]
    logarithms = model.encoder.network(model.items(samples)).float().log_softmax(dim=-1)
    with mixed_precision(samples.device, False):
        prototypes = normalised_prototypes(model.norm, model.encoder.prototypes, logarithms)
        classes = torch.cartesian_prod(*[torch.arange(len(prototypes), device=prototypes.device)] * n_items).reshape(
            -1, n_items
        )
        with torch.no_grad():
            defined = torch.isfinite(model.head(prototypes[classes].flatten(1)))
            # Undefined values would spoil all gradients. Another combination stands in, and counts for nothing: to
            # leave rows out is to wait for the device at every step, which has to say how many there are.
            stand_in = classes.index_select(0, defined.int().argmax().view(1))
            classes = torch.where(defined[:, None], classes, stand_in)
        values = model.head(prototypes[classes].flatten(1))
        logarithms = logarithms.reshape(n, n_items, -1)
        joint = sum(logarithms[:, item, classes[:, item]] for item in range(n_items)).masked_fill(~defined, -torch.inf)
        losses = loss(values - targets[:, None])
        return -temperature * (joint - losses / temperature).logsumexp(dim=-1).mean()


def normalised_prototypes(norm: LatentNorm, prototypes: torch.Tensor, logarithms: torch.Tensor) -> torch.Tensor:
    """Prototypes of the classes, normalised by mean and variance of a latent that is drawn by its probabilities."""
    shares = logarithms.exp().mean(dim=0)[:, None]
    mean = (shares * prototypes).sum(dim=0, keepdim=True)
    var = (shares * (prototypes - mean).square()).sum(dim=0, keepdim=True)
    norm.follow(mean, var)
    return norm.normalised(prototypes, mean, var)
