"""Heads: what turns the latents of an encoder into the target.

Latents are ``(n, n_features)``, values ``(n,)`` in units in which the targets lie in [-1, 1] (Appendix C-A).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import nn

from sklearn_eql._devices import mixed_precision
from sklearn_eql.encoder.tied_coefficients import Ties
from sklearn_eql.networks.batched_eql import BatchedEQL
from sklearn_eql.networks.encoders import LatentNorm
from sklearn_eql.networks.freezing import freeze
from sklearn_eql.networks.penalties import DOMAIN_WEIGHT, Penalty, initial_scales
from sklearn_eql.primitives import Primitive
from sklearn_eql.symbolic.equation import Equation
from sklearn_eql.symbolic.export import to_torch_module

_RELU_UNITS = 50  # Appendix C-A: two hidden layers of so many


class Composite(nn.Module):
    """One encoder for all items, its normalisation, and a head: samples ``(n, n_items, *item_shape)`` to ``(n,)``."""

    def __init__(self, encoder: nn.Module, norm: LatentNorm, head: nn.Module) -> None:
        super().__init__()
        if all(parameter.dim() < 5 for parameter in encoder.parameters()):
            # Convolutions of images take a third of the time so, on CPUs and tensor cores; others are not affected.
            encoder = encoder.to(memory_format=torch.channels_last)
        self.encoder, self.norm, self.head = encoder, norm, head

    def latents(self, samples: torch.Tensor) -> torch.Tensor:
        """Latents of all items of a sample side by side, float32, ``(n, n_items * n_latents)``."""
        return self.norm(self.raw_latents(samples)).reshape(len(samples), -1)

    def raw_latents(self, samples: torch.Tensor) -> torch.Tensor:
        """What the encoder returns, ``(n * n_items, n_latents)``."""
        return self.encoder(self.items(samples)).float()

    def items(self, samples: torch.Tensor) -> torch.Tensor:
        """Items of all samples, ``(n * n_items, *item_shape)``, in the layout that encoders read fastest."""
        items = samples.flatten(0, 1)
        return items.contiguous(memory_format=torch.channels_last) if items.dim() == 4 else items

    def forward(self, samples: torch.Tensor) -> torch.Tensor:
        latents = self.latents(samples)
        with mixed_precision(samples.device, False):  # the law is evaluated in full precision
            return self.head(latents)


class DenseHead(nn.Module):
    """An EQL network while it is trained under a sparsity penalty (section II of the paper)."""

    def __init__(
        self,
        n_features: int,
        units: Sequence[Primitive],
        n_hidden_layers: int,
        penalty: Penalty,
        seed: int,
        domain_weight: float = DOMAIN_WEIGHT,
        device: str = "cpu",
    ) -> None:
        super().__init__()
        scales = initial_scales(penalty)
        self.network = BatchedEQL(n_features, 1, units, n_hidden_layers, [seed], init_scales=scales, device=device)
        self.penalty: Penalty | None = penalty
        self.domain_weight = domain_weight if self.network.has_domain else 0.0
        self.gates = penalty.gates(self.network.flat.detach(), [seed], self.network.n_output_weights)
        # A module's own parameter: it is then moved, saved and trained with the rest.
        self.log_alpha = self.gates.log_alpha if self.gates else None

    def forward(self, latents: torch.Tensor) -> torch.Tensor:
        values, self.violation = self.network.propagate(latents.T, self.weights())
        return values[0, 0]

    def weights(self) -> torch.Tensor:
        """Weights in use, ``(1, P)``: masked, and gated where the penalty has gates (at random while training)."""
        flat = self.network.masked()
        if not self.gates:
            return flat
        if not self.training:
            return self.gates.expected(flat)
        self.gates.draw(int(torch.randint(2**31, ())))
        return self.gates.sample(flat)

    def cost(self) -> torch.Tensor | float:
        """The penalty; nothing once its gates are closed."""
        if self.penalty is None:
            return 0.0
        return self.penalty.value(self.network.masked(), self.gates)[0]

    def freeze(self, threshold: float) -> None:
        """Close gates for good, then set small weights to zero and keep them there (Appendix A)."""
        freeze(self.network, threshold, self.gates)
        self.drop_gates()

    def drop_gates(self) -> None:
        """Go on without gates, if there are any, and without the penalty that acts on them."""
        if self.gates:
            self.gates = self.log_alpha = self.penalty = None

    def equation(self) -> Equation:
        """The law that the network computes."""
        return self.network.to_equations(self.eval().weights().detach())[0][0]


class LawHead(nn.Module):
    """A law whose coefficients are trained together with the encoder; tied ones stay tied.

    Every parameter is a factor near 1, so that one learning rate suits coefficients of any size. The law is in the
    user's units, `center` and `half` are those of the targets.
    """

    def __init__(
        self, equation: Equation, ties: Ties, primitives: Mapping[str, Primitive], center: float, half: float
    ) -> None:
        super().__init__()
        self.start, self.ties, self.center, self.half = equation, ties, center, half
        module = to_torch_module(equation, primitives)
        for parameter in module.parameters():
            parameter.requires_grad_(False)
        self.__dict__["_law"] = module  # not a submodule: its coefficients are given in every call
        self.factors = nn.Parameter(torch.ones(ties.n_parameters))
        self.register_buffer("spread", torch.as_tensor(ties.spread(equation.coefficients()), dtype=torch.float32))
        self.register_buffer("fixed", torch.as_tensor(ties.fixed(equation.coefficients()), dtype=torch.float32))

    def forward(self, latents: torch.Tensor) -> torch.Tensor:
        coefficients = self.spread @ self.factors + self.fixed
        values = torch.func.functional_call(self._law, {"coefficients.0": coefficients}, (latents,))
        return (values - self.center) / self.half

    def equation(self) -> Equation:
        """The law with the coefficients of now."""
        factors = self.factors.detach().cpu().double().numpy()
        values = self.start.coefficients()
        return self.start.with_coefficients(self.ties.spread(values) @ factors + self.ties.fixed(values))


def relu_head(n_features: int) -> nn.Module:
    """Two hidden layers of 50 units, which the paper compares with (Appendix C-A)."""
    return nn.Sequential(
        nn.Linear(n_features, _RELU_UNITS),
        nn.ReLU(),
        nn.Linear(_RELU_UNITS, _RELU_UNITS),
        nn.ReLU(),
        nn.Linear(_RELU_UNITS, 1),
        nn.Flatten(0),
    )
