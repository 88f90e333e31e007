"""The sparse network that a law is, drawn as Fig. 1 of the paper draws an EQL network."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from sklearn.utils.validation import check_is_fitted

from sklearn_eql.plotting._axes import BLUE, INK, MUTED, ORANGE, new_axes
from sklearn_eql.plotting._labels import plain

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_LAYER = 2.5  # widths: from layer to layer
_BEFORE = 0.85  # linear forms stand this far before their function
_LETTER = 0.105  # width of a letter of a label
_SYMBOLS: Mapping[str, str] = {
    "id": "id", "square": r"$(\cdot)^2$", "cube": r"$(\cdot)^3$", "mul": r"$\times$", "div": r"$\div$",
    "inv": r"$1/(\cdot)$", "sqrt": r"$\sqrt{\,\cdot\,}$", "pow": r"$a^{\,b}$", "sin2pi": r"$\sin 2\pi$",
    "sigmoid": r"$\sigma$", "sigmoid20": r"$\sigma_{20}$", "mul10": r"$10\times$", "abs": r"$|\cdot|$",
    "floor": r"$\lfloor\cdot\rfloor$",
}  # fmt: skip


@dataclass
class _Node:
    """A place in the picture: an input, a linear form with its bias, a function, or the output."""

    layer: int
    label: str
    reads: list[tuple[int, float]] = field(default_factory=list)  # nodes and coefficients
    bias: float = 0.0
    forms: list[int] = field(default_factory=list)  # of a function: its arguments, from the top
    y: float = 0.0


class NetworkDisplay:
    """Inputs, linear forms, functions and output of a law, with all coefficients that are not 1.

    A value that a later layer reads goes there through units ``id``, as in the networks that are trained. Make it by
    `from_estimator`.

    Parameters
    ----------
    equation : Equation
    names : sequence of str, length n_features
    target : str

    Attributes
    ----------
    ax_ : matplotlib Axes
    figure_ : matplotlib Figure
    """

    def __init__(self, equation: Any, names: Sequence[str], target: str = "y", precision: int = 3) -> None:
        self.equation, self.names, self.target, self.precision = equation, list(names), target, precision

    @classmethod
    def from_estimator(
        cls,
        estimator: Any,
        *,
        index: int | None = None,
        output: int = 0,
        target: str = "y",
        precision: int = 3,
        ax: Axes | None = None,
    ) -> NetworkDisplay:
        """Draw the network of a law of a fitted estimator.

        Parameters
        ----------
        estimator : fitted estimator
            Anything with ``network(index=None)`` and ``variables_``, such as :class:`~sklearn_eql.EQLRegressor`.
        index : int, optional
            Row of ``equations_``; the selected equation by default.
        output : int, default=0
            Which output, where there are several.
        target : str, default="y"
            Name of what is predicted.
        precision : int, default=3
            Significant digits of coefficients.
        ax : matplotlib Axes, optional
            Where to draw; a new figure by default, as large as the network needs.
        """
        check_is_fitted(estimator)
        equation = estimator.network(index)
        equation = equation[output] if isinstance(equation, list) else equation
        return cls(equation, estimator.variables_, target, precision).plot(ax=ax)

    def plot(self, ax: Axes | None = None) -> NetworkDisplay:
        """Draw into the axes, or into a new figure."""
        nodes = self._nodes()
        layers = _in_layers(nodes)
        rows = max(sum(max(len(nodes[i].forms), 1) for i in layer) for layer in layers)
        left = 0.2 - _LETTER * max((len(nodes[i].label) for i in layers[0]), default=0)
        right = _LAYER * (len(layers) - 1) + 0.4 + 0.5 * _LETTER * len(nodes[-1].label)
        height = 1.15 * rows + 0.5
        if ax is None:
            ax = new_axes((max(1.05 * (right - left), 4.0), max(0.85 * height, 1.8)))[0]
        _place(nodes, layers, rows)
        ax.set_xlim(left, right)
        ax.set_ylim(-0.5 * 1.15 * rows - 0.35, 0.5 * 1.15 * rows + 0.25)
        ax.set_axis_off()
        for node in nodes:
            self._draw(ax, nodes, node, is_last=node is nodes[-1])
        self.ax_, self.figure_ = ax, ax.figure
        return self

    def _input(self, feature: int) -> str:
        frame = self.equation.frame
        text = self.names[feature]
        if frame is not None and frame.is_moved(feature):
            origin, unit = frame.origins[feature], frame.units[feature]
            text = f"{text} - {origin:.12g}" if origin else text
            text = f"({text})/{unit:g}" if unit != 1 else text
        return text

    def _nodes(self) -> list[_Node]:
        """Inputs that are read, functions, and units ``id`` where a value skips layers; the output last."""
        equation = self.equation
        read = {source for form in equation.forms() for source, _ in form}
        nodes: list[_Node] = []
        place: dict[int, int] = {}  # of sources
        for feature in range(equation.n_features):
            if 1 + feature in read:
                place[1 + feature] = len(nodes)
                nodes.append(_Node(0, plain(self._input(feature))))
        passed: dict[tuple[int, int], int] = {}  # (node, layer) -> the unit id that brings it there

        def at(node: int, layer: int) -> int:
            """The node that has the value of another in the layer before this one."""
            if nodes[node].layer >= layer - 1:
                return node
            before = at(node, layer - 1)
            if (node, layer - 1) not in passed:
                nodes.append(_Node(layer - 1, _SYMBOLS["id"]))
                unit = len(nodes) - 1
                nodes.append(_Node(layer - 1, "", [(before, 1.0)]))
                nodes[unit].forms = [len(nodes) - 1]
                passed[node, layer - 1] = unit
            return passed[node, layer - 1]

        def linear(form: Any, layer: int) -> _Node:
            reads = [(at(place[source], layer), c) for source, c in form if source]
            return _Node(layer, "", reads, dict(form).get(0, 0.0))

        for number, unit in enumerate(equation.units):
            sources = [place[source] for arg in unit.args for source, _ in arg if source]
            layer = 1 + max((nodes[source].layer for source in sources), default=0)
            forms = []
            for arg in unit.args:
                node = linear(arg, layer)
                nodes.append(node)
                forms.append(len(nodes) - 1)
            place[1 + equation.n_features + number] = len(nodes)
            nodes.append(_Node(layer, _SYMBOLS.get(unit.primitive, unit.primitive), forms=forms))
        last = 1 + max((nodes[place[source]].layer for source, _ in equation.output if source), default=0)
        nodes.append(linear(equation.output, last))
        unit = 1.0 if equation.frame is None else equation.frame.y_unit
        nodes[-1].label = plain(self.target if unit == 1 else f"{self.target}/{unit:g}")
        return nodes

    def _draw(self, ax: Axes, nodes: list[_Node], node: _Node, is_last: bool) -> None:
        x = _LAYER * node.layer
        is_form = not node.label or is_last
        if is_form:
            here = (x - _BEFORE, node.y)
            for source, c in node.reads:
                self._draw_edge(
                    ax,
                    (_LAYER * nodes[source].layer + (0.34 if nodes[source].layer == 0 else 0), nodes[source].y),
                    here,
                    c,
                )
            ax.plot(*here, "o", markersize=9, markerfacecolor="white", markeredgecolor=BLUE, zorder=4)
            if node.bias:
                ax.annotate(
                    f"{node.bias:+.{self.precision}g}", here, (3, -6), textcoords="offset points", fontsize=8,
                    color=BLUE, ha="left", va="top", zorder=5,  # edges come from the left
                    bbox={"facecolor": "white", "edgecolor": "none", "pad": 0.5},
                )  # fmt: skip
        if is_last:
            ax.plot([x - _BEFORE + 0.1, x], [node.y, node.y], color=MUTED, linewidth=1, zorder=1)
            _draw_label(ax, (x, node.y), node.label, ORANGE, "round4")
        elif node.forms:
            for form in node.forms:
                ax.plot([x - _BEFORE + 0.1, x], [nodes[form].y, node.y], color=MUTED, linewidth=1, zorder=1)
            _draw_label(ax, (x, node.y), node.label, INK, "square")
        elif node.label:
            ax.text(x + 0.3, node.y, node.label, ha="right", va="center", fontsize=11, color=INK, zorder=5)

    def _draw_edge(self, ax: Axes, start: tuple[float, float], end: tuple[float, float], c: float) -> None:
        ax.plot([start[0], end[0]], [start[1], end[1]], color=MUTED, linewidth=1, zorder=1)
        if c == 1:
            return
        share = 0.45
        where = [a + share * (b - a) for a, b in zip(start, end, strict=True)]
        ax.text(
            *where, f"{c:.{self.precision}g}", fontsize=8, color=BLUE, ha="center", va="center", zorder=3,
            bbox={"facecolor": "white", "edgecolor": "none", "pad": 0.8},
        )  # fmt: skip


def _draw_label(ax: Axes, where: tuple[float, float], label: str, color: str, shape: str) -> None:
    box = {"boxstyle": f"{shape},pad=0.35", "facecolor": "white", "edgecolor": color, "linewidth": 1.2}
    ax.text(*where, label, ha="center", va="center", fontsize=11, color=INK, bbox=box, zorder=5)


def _in_layers(nodes: list[_Node]) -> list[list[int]]:
    """Inputs, functions and the output by layer; linear forms go with their functions."""
    layers: list[list[int]] = [[] for _ in range(nodes[-1].layer + 1)]
    for i, node in enumerate(nodes):
        if node.label:
            layers[node.layer].append(i)
    return layers


def _place(nodes: list[_Node], layers: list[list[int]], rows: int) -> None:
    """Heights: each layer in the order of the middles of what its nodes read, which keeps crossings few."""

    def middle(i: int) -> float:
        read = [s for form in nodes[i].forms or [i] for s, _ in nodes[form].reads]
        return sum(nodes[source].y for source in read) / len(read) if read else 0.0

    for depth, layer in enumerate(layers):
        ordered = sorted(layer, key=lambda i: -middle(i)) if depth else layer
        sizes = [max(len(nodes[i].forms), 1) for i in ordered]
        step = rows / max(sum(sizes), 1)
        top = 0.5 * 1.15 * rows
        for i, size in zip(ordered, sizes, strict=True):
            nodes[i].y = top - 0.5 * 1.15 * step * size
            for k, form in enumerate(nodes[i].forms):
                gap = 1.15 * min(step, 1.3)
                nodes[form].y = nodes[i].y + gap * ((len(nodes[i].forms) - 1) / 2 - k)
            top -= 1.15 * step * size
