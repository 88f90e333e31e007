"""How the error of many networks depends on their weights, without autograd: slopes in closed form, arrays used again.

A step on twenty networks and a few hundred rows is some hundred operations of a few microseconds each, and autograd
takes as long for each of them once more. So back-propagation is written out. With ``g = W' h`` the arguments of a
layer, ``h = f(g)`` its units, and ``d`` for derivatives of the error::

    dW = h dg',   dh = W dg,   dg = f'(g) dh

Values go into the units and slopes into the place of the arguments; dh and dg then take the place of both. So a layer
needs two arrays, and what a step works on stays in the caches of a core.

Shapes: `T` trials, `F` features, `N` rows, `U` units and `A` arguments per hidden layer, `O` outputs, `P` weights.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence

import torch

from sklearn_eql.networks.batched_eql import BatchedEQL
from sklearn_eql.primitives import EVERYWHERE, PRIMITIVES, Interval, Primitive
from sklearn_eql.sparse.kernels import tensor_kernel_of

Evaluation = Callable[..., None]
"""``evaluation(units, *arguments)`` puts values into the units, and slopes in the place of the arguments."""


class ErrorGradient:
    """Gradient of mean squared error and domain violation by the weights of all trials.

    Parameters
    ----------
    network : BatchedEQL
        Whose units and layers they are; its weights and the number of its trials may change.
    domain_weight : float
        Weight of the domain violation.
    """

    def __init__(self, network: BatchedEQL, domain_weight: float) -> None:
        self._network, self._domain_weight = network, domain_weight
        self._spaces: dict[tuple[int, int], _Space] = {}  # of whole chunks of trials, and of the last one

    @torch.no_grad()
    def __call__(
        self, flat: torch.Tensor, x: torch.Tensor, y: torch.Tensor, weight: torch.Tensor | None = None
    ) -> torch.Tensor:
        """The gradient ``(T, P)`` of the sum over trials; the next call writes over it.

        Parameters
        ----------
        flat : Tensor of shape (T, P)
            Weights to use, mask and gates applied.
        x : Tensor of shape (F, N);  y : Tensor of shape (O, N)
        weight : Tensor of shape (N,), optional
            Of the rows, of mean 1.
        """
        if len(flat) == 1:  # as `BatchedEQL.propagate` has it: BLAS rounds a single product differently
            return self(flat.repeat(2, 1), x, y, weight)[:1]
        space = self._space(flat, x.shape[1])
        torch.mul(flat, space.scale, out=space.weights)
        h = [x.expand(len(flat), -1, -1), *(layer.units for layer in space.layers)]  # what each layer of weights reads
        for layer, weights, read in zip(space.layers, space.forward, h, strict=False):
            torch.bmm(weights, read, out=layer.arguments)
            layer.evaluate()
        by = torch.bmm(space.forward[-1], h[-1], out=space.outputs).sub_(y)  # (T, O, N), the residuals so far
        if weight is not None:
            by.mul_(weight)
        by.mul_(2 / y.numel())
        for level in range(len(h) - 1, -1, -1):
            _product(h[level], by, out=space.gradients[level])
            if level:
                torch.bmm(space.backward[level], by, out=h[level])
                by = space.layers[level - 1].differentiate(self._domain_weight)
        return space.gradient.mul_(space.scale)

    def _space(self, flat: torch.Tensor, n_rows: int) -> _Space:
        key = len(flat), n_rows
        if key not in self._spaces:
            if len(self._spaces) > 1:
                self._spaces.clear()
            self._spaces[key] = _Space(self._network, flat, n_rows)
        return self._spaces[key]


class _Space:
    """The arrays that a step on T trials and N rows is computed in.

    A function of a multiple of its argument is that function of a larger argument: multiples are in `scale`, which
    multiplies weights before the step, and their derivatives after it.
    """

    def __init__(self, network: BatchedEQL, flat: torch.Tensor, n_rows: int) -> None:
        self.layers = [_Layer(network, flat, n_rows) for _ in range(network.n_hidden_layers)]
        self.outputs = flat.new_empty((len(flat), network.n_outputs, n_rows))
        self.scale = torch.ones_like(flat[:1])  # (1, P)
        for part in network.split(self.scale)[:-1]:
            for group in network.groups:
                for position, factor in enumerate(_multiples(group.primitive)):
                    part[:, :, group.arg(0, position) :][:, :, : group.n_copies] = factor
        self.weights, self.gradient = torch.empty_like(flat), torch.empty_like(flat)
        self.backward, self.gradients = network.split(self.weights), network.split(self.gradient)  # (T, in, out) each
        self.forward = [part.mT for part in self.backward]


class _Layer:
    """Units and arguments of a hidden layer, as arrays and as views of its functions."""

    def __init__(self, network: BatchedEQL, flat: torch.Tensor, n_rows: int) -> None:
        n_args = sum(primitive.arity for primitive in network.units)
        self.arguments = flat.new_empty((len(flat), n_args, n_rows))  # (T, A, N)
        self.units = flat.new_empty((len(flat), len(network.units), n_rows))  # (T, U, N)
        self._n_rows = n_rows
        self._functions: list[tuple[Evaluation, list[torch.Tensor]]] = []
        self._outside: list[tuple[torch.Tensor, torch.Tensor]] = []  # of arguments with a domain, see `_within`
        runs: list[list[int]] = []  # first unit, first argument, number: arguments that stand in the order of units
        for group in network.groups:
            n, primitive = group.n_copies, group.primitive
            places = [group.arg(0, position) for position in range(primitive.arity)]
            for place in places:
                if runs and (runs[-1][0] + runs[-1][2], runs[-1][1] + runs[-1][2]) == (group.first_unit, place):
                    runs[-1][2] += n
                else:
                    runs.append([group.first_unit, place, n])
            units, evaluation = self.units.narrow(1, group.first_unit, n), _evaluation(primitive)
            arguments = [self.arguments.narrow(1, place, n) for place in places]
            limited = {i: torch.empty_like(arguments[i]) for i, j in enumerate(primitive.domain) if j != EVERYWHERE}
            if limited:
                evaluation = _within(evaluation, primitive.domain, limited)
                self._outside += [(arguments[i], outside) for i, outside in limited.items()]
            self._functions.append((evaluation, [units, *arguments]))
        self._runs = [(self.units.narrow(1, u, n), self.arguments.narrow(1, a, n)) for u, a, n in runs]

    def evaluate(self) -> None:
        """Values into the units, slopes into the place of the arguments."""
        for evaluation, views in self._functions:
            evaluation(*views)

    def differentiate(self, domain_weight: float) -> torch.Tensor:
        """Derivatives by the arguments, in their place, from those by the units, in theirs."""
        for by_units, slopes in self._runs:
            slopes.mul_(by_units)
        if domain_weight:
            for by, outside in self._outside:
                by.add_(outside, alpha=domain_weight / self._n_rows)
        return self.arguments


def _product(h: torch.Tensor, by: torch.Tensor, out: torch.Tensor) -> None:
    """``h by'``, (T, in, out); with the narrower array first, as BLAS is faster so."""
    if by.shape[1] < h.shape[1]:
        out.copy_(torch.bmm(by, h.mT).mT)
    else:
        out.copy_(torch.bmm(h, by.mT))


def _constant(units: torch.Tensor) -> None:
    units.fill_(1)


def _identity(units: torch.Tensor, g: torch.Tensor) -> None:
    units.copy_(g)
    g.fill_(1)


def _square(units: torch.Tensor, g: torch.Tensor) -> None:
    torch.mul(g, g, out=units)
    g.mul_(2)


def _product_of_two(units: torch.Tensor, a: torch.Tensor, b: torch.Tensor) -> None:
    torch.mul(a, b, out=units)
    by_b = a.clone()
    a.copy_(b)
    b.copy_(by_b)


def _sine(units: torch.Tensor, g: torch.Tensor) -> None:
    torch.sin(g, out=units)
    g.cos_()


def _exponential(units: torch.Tensor, g: torch.Tensor) -> None:
    torch.exp(g, out=units)
    g.copy_(units)


def _logistic(units: torch.Tensor, g: torch.Tensor) -> None:
    torch.sigmoid(g, out=units)
    torch.addcmul(units, units, units, value=-1, out=g)


_IN_PLACE: Mapping[str, Evaluation] = {
    "const": _constant,
    "id": _identity,
    "square": _square,
    "mul": _product_of_two,
    "sin": _sine,
    "exp": _exponential,
    "sigmoid": _logistic,
}
"""Functions whose slopes take fewer operations in place."""

_MULTIPLES: Mapping[str, tuple[str, tuple[float, ...]]] = {
    "sin2pi": ("sin", (2 * math.pi,)),
    "sigmoid20": ("sigmoid", (20.0,)),
    "mul10": ("mul", (10.0, 1.0)),
}
"""Functions that are another one of multiples of the arguments."""


def _is_built_in(primitive: Primitive) -> bool:
    return PRIMITIVES.get(primitive.name) is primitive


def _multiples(primitive: Primitive) -> tuple[float, ...]:
    """What the arguments of a function are multiplied by first."""
    if _is_built_in(primitive) and primitive.name in _MULTIPLES:
        return _MULTIPLES[primitive.name][1]
    return (1.0,) * primitive.arity


def _evaluation(primitive: Primitive) -> Evaluation:
    """How a function is evaluated on the multiples of its arguments."""
    if _is_built_in(primitive):
        name, _ = _MULTIPLES.get(primitive.name, (primitive.name, ()))
        if name in _IN_PLACE:
            return _IN_PLACE[name]
    kernel = tensor_kernel_of(primitive)

    def evaluation(units: torch.Tensor, *arguments: torch.Tensor) -> None:
        kernel.value(*(arguments or (units,)), out=units)
        slopes = [slope(units, *arguments) for slope in kernel.slopes]
        for place, slope in zip(arguments, slopes, strict=True):
            place.copy_(slope) if isinstance(slope, torch.Tensor) else place.fill_(slope)

    return evaluation


def _within(evaluation: Evaluation, domain: Sequence[Interval], outside: Mapping[int, torch.Tensor]) -> Evaluation:
    """The same on arguments that are moved into their domains.

    On which side of its domain an argument is, -1 or 1, or 0 within, which is the slope of the violation, is put into
    the tensor that `outside` has for its position.
    """

    def moved(units: torch.Tensor, *arguments: torch.Tensor) -> None:
        for position, side in outside.items():
            inside = domain[position].clamp(arguments[position])
            torch.sub(arguments[position], inside, out=side).sign_()
            arguments[position].copy_(inside)
        evaluation(units, *arguments)
        for position, side in outside.items():
            arguments[position].masked_fill_(side != 0, 0.0)  # the value does not depend on what was moved

    return moved
