"""Where new structures come from: random small networks, and edits of ones that already fit well."""

from __future__ import annotations

import math
from bisect import bisect, bisect_left
from collections.abc import Iterator, Sequence
from random import Random

import numpy as np

from sklearn_eql.sparse.editing import EditableStructure, Node
from sklearn_eql.sparse.problem import Problem
from sklearn_eql.sparse.structure import Structure

_EXPONENTS = (-3.0, -2.0, -1.0, -0.5, 0.5, 1.0, 1.5, 2.0, 3.0)
_FREQUENCIES = (0.3, 12.0)  # range of start values inside periodic units, per root mean square of the argument
_GAINS = (0.3, 8.0)  # of sigmoid and tanh
_SCALES = (0.3, 3.0)  # of everything else
_STEPS = (1.0, 1.0, 2.0, 0.5, 3.0, 10.0)  # inside functions that jump, in the user's units: no slope leads to others
_MAX_TERMS = 6  # of one linear form; longer ones do not read as a law
_OPENING_FEATURES = 6  # the most important ones are tried systematically
_OPENING_SIZE = 384  # structures in one batch of the opening, at most
# How often an argument gets a constant term: needed where f(x + c) is common in laws.
_OFFSET_ODDS = {"sin": 0.3, "cos": 0.1, "log": 0.5, "sqrt": 0.5, "div": 0.3, "inv": 0.7, "pow": 0.4}


class Proposer:
    """Draws structures over the vocabulary of a problem, features by their importances."""

    def __init__(self, problem: Problem, rng: Random) -> None:
        copies = dict(problem.copies)
        self.allowed = copies | {"exp": copies.get("exp", 0) + copies.get("pow", 0)}  # units per layer
        self.primitives = problem.primitives
        self.signs = problem.signs
        self.x_units = problem.x_units
        self.n_features = len(problem.signs)
        self.max_depth = problem.max_depth
        self.rng = rng
        self.features, self.signed = problem.features, problem.signed
        self.cumulative = np.cumsum(problem.importances[problem.importances > 0]).tolist()
        self.by_importance = [int(f) + 1 for f in np.argsort(-problem.importances, kind="stable")]
        self.max_free = problem.max_free
        self.max_linear = min(problem.max_free - 1, 30)
        self.names = [n for n in copies if self.primitives[n].arity > 0 and n != "id"]
        if problem.has_powers:
            self.names += ["power law", "power law"]  # one macro for all exponents, so drawn as often as two functions

    def random(self, n_units: int) -> Structure | None:
        """A network of at most `n_units` new units, added to the output or stacked."""
        editable = EditableStructure(Structure(self.n_features, (), ((0, 0.0, True),)))
        for _ in range(n_units):
            self._add_unit(editable)
        return self._finish(editable)

    def linear(self) -> Structure:
        """The constant and all features, as far as the rows support so many coefficients."""
        chosen = [f for f in self.by_importance if f in self.features][: self.max_linear]
        terms = [(0, 0.0, True)] + [(f, 1.0, True) for f in sorted(chosen)]
        return Structure(self.n_features, (), tuple(terms))

    def opening(self) -> Iterator[list[Structure]]:
        """The smallest networks, systematically: single units beside linear terms, three starts each, then units inside
        units, with nothing beside them.
        """
        plain = [n for n in self.names if n in self.primitives]
        singles = [[f] for f in self.by_importance[:_OPENING_FEATURES] if f in self.features]
        pairs = [[a[0], b[0]] for a in singles for b in singles]
        inner = [(n, combination) for n in plain for combination in (singles, pairs)[self.primitives[n].arity - 1]]
        yield self._single_outputs([self._over(*i, sign) for i in inner for sign in (1, -1, 1)], True)
        if self.max_depth > 1:
            outer = [n for n in plain if self.primitives[n].arity == 1]
            nested = [(f, i, sign) for f in outer for i in inner for sign in (1, -1)]
            chosen = self.rng.sample(nested, min(len(nested), _OPENING_SIZE))
            yield self._single_outputs(
                [Node(f, [[[self._over(*i, 1), sign * abs(self._value(f, 0, None))]]]) for f, i, sign in chosen], False
            )

    def _over(self, name: str, features: Sequence[int], sign: int) -> Node:
        """A unit over single features, its first coefficient of the given sign: fits seldom cross zero.

        Of a function that jumps it is positive: between its jumps ``floor(-x)`` is ``-floor(x) - 1``.
        """
        args = [[[f, self._value(name, a, f)]] for a, f in enumerate(features)]
        args[0][0][1] = abs(args[0][0][1]) * (1 if self.primitives[name].has_jumps else sign)
        if name in ("pow", "mod"):
            args[1] = self._argument(name, 1, ())
        return Node(name, args)

    def _single_outputs(self, units: list[Node], with_linear: bool) -> list[Structure]:
        found = []
        for unit in units[:_OPENING_SIZE]:
            editable = EditableStructure(self.linear() if with_linear else Structure(self.n_features, (), ()))
            editable.output.append([unit, 1.0])
            structure = self._finish(editable)
            if structure is not None:
                found.append(structure)
        return found

    def mutate(self, parent: Structure, mate: Structure) -> Structure | None:
        """An edited copy of `parent`; `mate` lends terms. ``None`` where the edit leads nowhere."""
        editable = EditableStructure(parent)
        if self.rng.random() < 0.15:
            self._cross(editable, mate)
        else:
            for _ in range(1 + (self.rng.random() < 0.3)):
                _EDITS[bisect(_EDIT_ODDS, self.rng.random())](self, editable)
        return self._finish(editable)

    def _finish(self, editable: EditableStructure) -> Structure | None:
        structure = editable.finish(self.primitives, _MAX_TERMS)
        if structure is None:
            return None
        used: dict[tuple[str, int], int] = {}
        for unit, depth in zip(structure.units, structure.depths, strict=True):
            if depth:
                key = unit.primitive, depth
                used[key] = count = used.get(key, 0) + 1
                if depth > self.max_depth or count > self.allowed.get(unit.primitive, 0):
                    return None
        return structure

    # Values ----------------------------------------------------------------------------------------------------

    def _log_uniform(self, low: float, high: float) -> float:
        value = math.exp(self.rng.uniform(math.log(low), math.log(high)))
        return value if self.rng.random() < 0.5 else -value

    def _value(self, name: str, argument: int, source) -> float:
        """Start value of a coefficient."""
        if name == "pow" and argument == 1:
            return self.rng.choice(_EXPONENTS)
        if name in ("sin", "cos"):
            return self.rng.uniform(-math.pi, math.pi) if source == 0 else self._log_uniform(*_FREQUENCIES)
        if name in ("sigmoid", "tanh"):
            return self._log_uniform(*_GAINS)
        if self.primitives[name].has_jumps:
            is_feature = isinstance(source, int) and source > 0
            return self.rng.choice(_STEPS) * (self.x_units[source - 1] if is_feature else 1.0)
        if self.primitives[name].frees_scale(argument) and self.rng.random() < 0.5:
            return 1.0 if self.rng.random() < 0.5 else -1.0
        return self._log_uniform(*_SCALES)

    # Pieces ----------------------------------------------------------------------------------------------------

    def _feature(self) -> int:
        position = bisect_left(self.cumulative, self.rng.random() * self.cumulative[-1])
        return self.features[min(position, len(self.features) - 1)]

    def _source(self, nodes: Sequence[Node], depth: int = 1):
        if nodes and self.rng.random() < 0.3:
            return self.rng.choice(nodes)
        if depth < self.max_depth and self.rng.random() < 0.2:
            return self._unit((), depth + 1)
        return self._feature()

    def _argument(self, name: str, argument: int, nodes: Sequence[Node], depth: int = 1) -> list[list]:
        if name == "pow" and argument == 1:
            return [[0, self._value(name, argument, 0)]]
        if name == "mod" and argument == 1 and (not nodes or self.rng.random() < 0.8):
            return [[0, self._value(name, argument, 0)]]
        if (
            name in ("min", "max") and argument == 1 and self.rng.random() < 0.5
        ):  # of a variable and a constant, or zero
            return [[0, self._value(name, argument, 0)]] if self.rng.random() < 0.5 else []
        n_terms = 1 + int(self.rng.random() < 0.3) + int(self.rng.random() < 0.1)
        sources = [self._source(nodes, depth) for _ in range(n_terms)]
        form = [[s, self._value(name, argument, s)] for s in sources]
        if self.rng.random() < _OFFSET_ODDS.get(name, 0.2):
            form.append([0, self._value(name, argument, 0)])
        return form

    def _unit(self, nodes: Sequence[Node], depth: int = 1) -> Node:
        """A unit over features, the given units, and now and then new ones, down to `depth` layers below the output."""
        name = self.rng.choice(self.names)
        if name == "power law":
            return self._power_law()
        arity = self.primitives[name].arity
        return Node(name, [self._argument(name, a, nodes, depth) for a in range(arity)])

    def _power_law(self) -> Node:
        """``exp(sum a_i log x_i)``, sometimes times an exponential of a feature."""
        n = min(1 + int(self.rng.random() < 0.6) + int(self.rng.random() < 0.3), len(self.signed))
        chosen = {self._feature() for _ in range(3 * n)} & set(self.signed)
        chosen = sorted(chosen)[:n] or [self.rng.choice(self.signed)]
        form = [[Node("log", [[[f, float(self.signs[f - 1])]]]), self.rng.choice(_EXPONENTS)] for f in chosen]
        if self.rng.random() < 0.1:
            form.append([self._feature(), self._log_uniform(*_SCALES)])
        return Node("exp", [form])

    # Edits -----------------------------------------------------------------------------------------------------

    def _add_unit(self, editable: EditableStructure) -> None:
        editable.output.append([self._unit(editable.nodes()), 1.0])

    def _pick_form(self, editable: EditableStructure) -> tuple[Node | None, int, list[list]]:
        forms = [f for f in editable.forms() if f[0] is None or not _is_input_log(f[0])]
        return self.rng.choice(forms)

    def _extend(self, editable: EditableStructure) -> None:
        """One more term somewhere: a feature, a constant or a unit that exists already."""
        node, a, form = self._pick_form(editable)
        name = node.primitive if node else "id"
        if name == "exp" and "power law" in self.names and self.rng.random() < 0.5:
            f = self.rng.choice(self.signed)
            form.append([Node("log", [[[f, float(self.signs[f - 1])]]]), self._value("pow", 1, 0)])
            return
        below = [] if node is None else _below(node)
        source = 0 if self.rng.random() < 0.25 else self._source(editable.nodes() if node is None else below)
        form.append([source, self._value(name, a, source)])

    def _swap(self, editable: EditableStructure) -> None:
        """Another function over the same arguments."""
        nodes = [n for n in editable.nodes() if not _is_input_log(n)]
        if not nodes:
            return
        node = self.rng.choice(nodes)
        same = [n for n in self.names if n in self.primitives and self.primitives[n].arity == len(node.args)]
        if same:
            node.primitive = self.rng.choice(same)
            if node.primitive in ("pow", "mod"):
                node.args[1] = self._argument(node.primitive, 1, ())
            if self.rng.random() < 0.5:
                self._redraw(node)

    def _wrap(self, editable: EditableStructure) -> None:
        """Put a new unit around the source of one term."""
        _, _, form = self._pick_form(editable)
        if not form:
            return
        term = self.rng.choice(form)
        if term[0] == 0:
            return
        unit = self._unit(())
        if _is_power(unit):
            return
        unit.args[0] = [[term[0], self._value(unit.primitive, 0, term[0])]] + [t for t in unit.args[0] if t[0] == 0]
        term[0] = unit

    def _wrap_output(self, editable: EditableStructure) -> None:
        """``f(output)`` as the new output: an outer function."""
        unit = self._unit(())
        if _is_power(unit):
            return
        unit.args[0] = [list(t) for t in editable.output]
        editable.output = [[unit, 1.0]]

    def _deepen(self, editable: EditableStructure) -> None:
        """Replace a feature in the argument of a unit by a new unit."""
        forms = [f for n, _, f in editable.forms() if n is None or not _is_input_log(n)]
        terms = [t for form in forms for t in form if not isinstance(t[0], Node) and t[0] != 0]
        if terms:
            self.rng.choice(terms)[0] = self._unit(())

    def _redirect(self, editable: EditableStructure) -> None:
        """Let one term read another feature."""
        terms = [t for _, _, form in editable.forms() for t in form if not isinstance(t[0], Node) and t[0] != 0]
        if not terms:
            return
        term = self.rng.choice(terms)
        new = self._feature()
        if (self.signs[new - 1] != 0) or not any(
            _is_input_log(n) and any(t is term for t in n.args[0]) for n in editable.nodes()
        ):
            term[0] = new

    def _drop(self, editable: EditableStructure) -> None:
        """Remove one term."""
        _, _, form = self._pick_form(editable)
        if len(form) > 1:
            form.pop(self.rng.randrange(len(form)))

    def _restart(self, editable: EditableStructure) -> None:
        """New start values inside one unit."""
        nodes = [n for n in editable.nodes() if not _is_input_log(n)]
        if nodes:
            self._redraw(self.rng.choice(nodes))

    def _redraw(self, node: Node) -> None:
        for a, arg in enumerate(node.args):
            for term in arg:
                is_log = isinstance(term[0], Node) and _is_input_log(term[0])
                term[1] = self._value("pow", 1, 0) if is_log else self._value(node.primitive, a, term[0])

    def _cross(self, editable: EditableStructure, mate: Structure) -> None:
        """Take over some terms of the output of another structure."""
        other = EditableStructure(mate).output
        if not other:  # a law that is zero
            return
        editable.output += self.rng.sample(other, self.rng.randint(1, len(other)))


_EDITS, _ODDS = zip(
    (Proposer._add_unit, 4),
    (Proposer._extend, 4),
    (Proposer._swap, 2),
    (Proposer._wrap, 2),
    (Proposer._wrap_output, 1),
    (Proposer._deepen, 3),
    (Proposer._redirect, 2),
    (Proposer._drop, 2),
    (Proposer._restart, 1),
    strict=True,
)
_EDIT_ODDS = (np.cumsum(_ODDS) / sum(_ODDS)).tolist()


def _is_input_log(node: Node) -> bool:
    return node.primitive == "log" and len(node.args[0]) == 1 and not isinstance(node.args[0][0][0], Node)


def _is_power(node: Node) -> bool:
    return node.primitive == "exp" and any(isinstance(s, Node) and _is_input_log(s) for s, _ in node.args[0])


def _below(node: Node) -> list[Node]:
    """Units that a unit reads already: reading them again cannot close a loop."""
    found: list[Node] = []
    _add_below(node, found)
    return [n for n in found if not _is_input_log(n)]


def _add_below(node: Node, found: list[Node]) -> None:
    for arg in node.args:
        for source, _ in arg:
            if isinstance(source, Node) and source not in found:
                found.append(source)
                _add_below(source, found)
