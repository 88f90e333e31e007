"""A structure that can be edited: units as linked nodes, turned back into a :class:`Structure` when done."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from functools import cache

from sklearn_eql.primitives import PRIMITIVES, Primitive
from sklearn_eql.sparse.structure import SparseUnit, Structure
from sklearn_eql.symbolic.equation import Equation, Unit

_LOG = PRIMITIVES["log"]


class Node:
    """A unit: its primitive and one linear form (list of ``[source, coefficient]``) per argument."""

    __slots__ = ("args", "primitive")

    def __init__(self, primitive: str, args: list[list[list]]) -> None:
        self.primitive = primitive
        self.args = args


def _collect(node: Node, found: dict[Node, None]) -> None:
    """Add a node, after those it reads."""
    for form in node.args:
        for source, _ in form:
            if source.__class__ is Node and source not in found:
                _collect(source, found)
    found[node] = None


class EditableStructure:
    """Mutable copy of a structure.

    Sources in terms are integers (0 the constant 1, then the features) or :class:`Node` objects. Which coefficients
    are free is not stored: it follows from the primitives when it is finished.
    """

    def __init__(self, structure: Structure) -> None:
        first = 1 + structure.n_features
        nodes: list[Node] = []

        def link(form) -> list[list]:
            return [[s if s < first else nodes[s - first], c] for s, c, _ in form]

        for unit in structure.units:
            nodes.append(Node(unit.primitive, [link(arg) for arg in unit.args]))
        self.n_features = structure.n_features
        self.output = link(structure.output)
        self._nodes = nodes

    def all_forms(self) -> list[list[list]]:
        """Every linear form, as in ``structure.forms()``; of a copy that was not edited yet."""
        return [arg for node in self._nodes for arg in node.args] + [self.output]

    def nodes(self) -> list[Node]:
        """Units in use, each after those it reads."""
        found: dict[Node, None] = {}  # in order
        for source, _ in self.output:
            if source.__class__ is Node and source not in found:
                _collect(source, found)
        return list(found)

    def forms(self) -> Iterator[tuple[Node | None, int, list[list]]]:
        """Every linear form with the unit and argument it belongs to (``None`` for the output)."""
        yield None, 0, self.output
        for node in self.nodes():
            for a, arg in enumerate(node.args):
                yield node, a, arg

    def finish(self, primitives: Mapping[str, Primitive], max_terms: float = math.inf) -> Structure | None:
        """The structure in its gauge, or ``None`` if it is no network: an empty form, or one of over `max_terms`.

        What the gauge takes out of a unit its consumers take over, so the function stays the same (up to a constant
        in the output). The output may be twice as long.
        """
        index: dict[Node, int] = {}  # of units
        taken: dict[int, tuple[float, float]] = {}  # per unit: what it was is this times what it is now, plus that

        def collect(form, with_offsets: bool = True) -> dict[int, float]:
            terms: dict[int, float] = {}
            for source, c in form:
                if source.__class__ is Node:
                    source = index[source]
                    if source in taken:
                        factor, offset = taken[source]
                        if offset and with_offsets:
                            terms[0] = terms.get(0, 0.0) + c * offset
                        c = c * factor
                terms[source] = terms[source] + c if source in terms else c
            return terms

        units = []
        for number, node in enumerate(self.nodes(), start=1 + self.n_features):
            index[node] = number
            primitive = primitives[node.primitive]
            if primitive is _LOG and (feature := _input_of(node)):  # which are many, and in their gauge already
                units.append(_logarithm_of(*feature))
                continue
            forms = [collect(arg) for arg in node.args]
            if primitive.degree == (None,) and primitive.identity is None and primitive.joint_degree is None:
                args, change = _as_it_is(forms[0]), None
            else:
                before = [terms.copy() for terms in forms]
                args = _gauged(primitive, forms)
                change = None if args is None else _taken(primitive, before, args)
            if args is None or len(max(args, key=len)) > max_terms:
                return None
            if change is not None and change != (1.0, 0.0):
                taken[number] = change
            units.append(SparseUnit(node.primitive, tuple(args)))
        output = collect(self.output, with_offsets=False)
        if not output or len(output) > 2 * max_terms:
            return None
        return Structure(self.n_features, tuple(units), tuple((s, c, True) for s, c in sorted(output.items())))

    def equation(self) -> Equation:
        """The law as it stands, coefficients and all; `finish` is for structures that are fitted again."""
        nodes = self.nodes()
        index = {id(node): 1 + self.n_features + i for i, node in enumerate(nodes)}

        def collect(form) -> tuple[tuple[int, float], ...]:
            terms: dict[int, float] = {}
            for source, c in form:
                key = index[id(source)] if isinstance(source, Node) else source
                terms[key] = terms.get(key, 0.0) + c
            return tuple(sorted(terms.items()))

        units = tuple(Unit(node.primitive, tuple(collect(arg) for arg in node.args)) for node in nodes)
        return Equation(self.n_features, units, collect(self.output))

    def remove(self, victims: list[list]) -> None:
        """Remove terms (by identity); units that no longer depend on a variable are folded away."""
        gone = {id(term) for term in victims}
        forms = [form for _, _, form in self.forms()]
        for form in forms:
            form[:] = [term for term in form if id(term) not in gone]
        while True:
            folded = {node: rest for node in self.nodes() if (rest := _folded(node)) is not None}
            if not folded:
                return
            for form in forms:
                form[:] = [
                    new
                    for source, c in form
                    for new in ([[s, c * k] for s, k in folded[source]] if source in folded else [[source, c]])
                ]


def _input_of(node: Node) -> tuple[int, float] | None:
    """Feature and sign of the logarithm of a feature; None for other units."""
    if node.primitive != "log" or len(node.args[0]) != 1:
        return None
    source, c = node.args[0][0]
    return (source, c) if source.__class__ is int and source > 0 and c in (1.0, -1.0) else None


@cache
def _logarithm_of(feature: int, sign: float) -> SparseUnit:
    return SparseUnit("log", (((feature, sign, False),),))


def _folded(node: Node) -> list[list] | None:
    """Terms that stand for a unit with an argument without variables; ``None`` if it does without one.

    A product with a constant is the other factor, and the larger of a variable and a constant stays. Any other such
    unit is a constant, whose value the fit will find.
    """
    constant = [all(source == 0 for source, _ in arg) for arg in node.args]
    if True not in constant:
        return None
    if node.primitive == "pow":
        constant = constant[:1]
    if not any(constant) or (node.primitive in ("min", "max") and not all(constant)):
        return None
    if node.primitive == "mod" and not constant[0]:
        return None
    if node.primitive in ("mul", "div") and not constant[0]:
        return node.args[0]
    if node.primitive == "mul" and not constant[1]:
        return node.args[1]
    return [[0, 1.0]]


def smaller(structure: Structure, primitives: Mapping[str, Primitive]) -> list[Structure]:
    """Every structure that is left when one term is removed, with units that nothing reads removed too."""
    n_terms = [len(form) for form in structure.forms()]
    places = [(f, i) for f, count in enumerate(n_terms) for i in range(count)]
    found = (without_terms(structure, [place], primitives) for place in places)
    return [child for child in found if child is not None]


def without_terms(
    structure: Structure, places: list[tuple[int, int]], primitives: Mapping[str, Primitive]
) -> Structure | None:
    """The structure without some terms, each given by form and position in ``structure.forms()``; ``None`` if empty."""
    editable = EditableStructure(structure)
    forms = editable.all_forms()
    editable.remove([forms[f][position] for f, position in places])
    return editable.finish(primitives)


def _as_it_is(terms: dict[int, float]) -> list[tuple[tuple[int, float, bool], ...]] | None:
    """The argument of a function of which nothing can be taken out; None where no variable is in it."""
    in_order = sorted(terms)
    return [tuple([(s, terms[s], True) for s in in_order])] if in_order and in_order[-1] else None


def _gauged(primitive: Primitive, forms: list[dict[int, float]]) -> list[tuple[tuple[int, float, bool], ...]] | None:
    """Terms of all arguments in the gauge; None where one of them is no argument."""
    if primitive.joint_degree is not None:
        return _jointly_gauged(forms)
    args = []
    for a, terms in enumerate(forms):
        others_constant = len(forms) == 1 or not any(any(form) for form in forms if form is not terms)
        gauged = _gauge(primitive, a, terms, others_constant)
        if gauged is None:
            return None
        args.append(gauged)
    return args


def _jointly_gauged(forms: list[dict[int, float]]) -> list[tuple[tuple[int, float, bool], ...]] | None:
    """The first coefficient of a variable is put to its sign, for all arguments; others may be constant, or zero."""
    first = next((a for a, terms in enumerate(forms) if any(terms.keys() - {0})), None)
    if first is None:
        return None
    leading = min(s for s in forms[first] if s > 0)
    scale = abs(forms[first][leading])
    if not (scale > 0 and math.isfinite(scale)):
        forms[first][leading] = scale = 1.0
    sign = math.copysign(1.0, forms[first][leading])
    return [
        tuple(
            (s, sign, False) if (a, s) == (first, leading) else (s, c / scale, True) for s, c in sorted(terms.items())
        )
        for a, terms in enumerate(forms)
    ]


def _gauge(
    primitive: Primitive, argument: int, terms: dict[int, float], others_constant: bool
) -> tuple[tuple[int, float, bool], ...] | None:
    """Terms of one argument, without the coefficients that consumers of the unit can express."""
    if primitive.frees_constant():
        terms.pop(0, None)
    if not terms:
        return None
    in_order = sorted(terms)
    leading = in_order[0] or in_order[min(1, len(in_order) - 1)]  # the constant where there is nothing else
    if leading == 0:  # an argument without variables: only an exponent may be a constant
        return ((0, terms[0], True),) if primitive.identity == "power" and argument == 1 else None
    if not primitive.frees_scale(argument, others_constant):
        return tuple([(s, terms[s], True) for s in in_order])
    scale = terms[leading]
    # Of a reciprocal the sign can be taken out as well; its domain is for training, which stays away from the pole.
    keeps_sign = primitive.domain[argument].lower == 0.0 and primitive.degree[argument] not in (-1, -2)
    divisor = abs(scale) if keeps_sign else scale
    if divisor == 0 or not math.isfinite(divisor):
        divisor = 1.0
        terms[leading] = 1.0
    # Whatever is left of the leading coefficient is its sign.
    fixed = math.copysign(1.0, terms[leading]) if keeps_sign else 1.0
    return tuple([(s, terms[s] / divisor, True) if s != leading else (s, fixed, False) for s in in_order])


def _taken(
    primitive: Primitive, before: list[dict[int, float]], after: list[tuple[tuple[int, float, bool], ...]]
) -> tuple[float, float]:
    """Factor and offset that give the unit as it was from the unit in its gauge; 1 and 0 where that is out of range."""
    factor, offset = 1.0, 0.0
    try:
        for a, (terms, gauged) in enumerate(zip(before, after, strict=True)):
            if primitive.frees_constant() and 0 in terms:
                factor *= math.exp(float(terms[0]))
            for source, fixed, free in gauged:
                if free:
                    continue
                scale = float(terms[source]) / fixed  # a float of NumPy would warn of what is caught below
                if primitive.joint_degree is not None:
                    factor *= scale**primitive.joint_degree
                elif primitive.degree[a] is not None:
                    factor *= scale ** primitive.degree[a]
                elif primitive.identity == "logarithm":
                    offset = math.log(scale) if scale > 0 else 0.0
                elif primitive.identity == "power" and scale > 0:
                    factor *= scale ** after[1][0][1]
    except (OverflowError, ZeroDivisionError):
        return 1.0, 0.0
    is_sound = isinstance(factor, float) and math.isfinite(factor) and factor != 0
    return (factor, offset) if is_sound else (1.0, offset)
