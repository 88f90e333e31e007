"""Best subsets of a dictionary of fixed functions, found by a beam search of orthogonal least squares.

What sparse regression over a library does (SINDy), with subsets built term by term, many kept at every size. Only a
start: the constants inside the functions are fitted afterwards.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import combinations

import numpy as np

from sklearn_eql.sparse.editing import EditableStructure, Node
from sklearn_eql.sparse.structure import Structure

_MOST_ENTRIES = 900
_BEAM_WIDTH = 24  # subsets kept at every size
_N_TRIED = 6  # of them, tried
_MAX_TERMS = 4  # terms
_CONSTANT = 1e-9  # relative spread of a column that is no more than a constant
_DEPENDENT = 1e-5  # share of a column that is new, below which rounding decides what it explains
_MAX_RANGE = 1e4  # largest value of a column, relative to its median size

Form = list[list]


def best_subsets(columns: np.ndarray, y: np.ndarray, root: np.ndarray | None = None) -> Iterator[tuple[int, ...]]:
    """Subsets of columns that leave least of `y` beside a constant: the best of every size, smaller ones first.

    Parameters
    ----------
    columns : ndarray (n_samples, n_columns)
    y : ndarray (n_samples,)
    root : ndarray (n_samples,), optional
        Square roots of the weights.
    """
    constant = np.ones(len(y)) if root is None else root
    columns, y = columns * constant[:, None], y * constant
    constant = constant / np.linalg.norm(constant)
    Z = columns - np.outer(constant, constant @ columns)
    norms = np.linalg.norm(Z, axis=0)
    Z = Z / np.where(norms > _CONSTANT * np.abs(columns).max(axis=0), norms, np.inf)
    rest = y - constant * (constant @ y)
    beam: list[tuple[tuple[int, ...], np.ndarray, np.ndarray]] = [((), np.zeros((len(y), 0)), rest)]
    for _ in range(min(_MAX_TERMS, Z.shape[1])):
        grown: dict[tuple[int, ...], tuple[float, np.ndarray, np.ndarray]] = {}
        for chosen, basis, left in beam:
            free = Z - basis @ (basis.T @ Z)  # (N, M)
            size = np.linalg.norm(free, axis=0)
            usable = size > _DEPENDENT
            gain = np.where(usable, (free.T @ left) ** 2 / np.where(usable, size, 1.0) ** 2, 0.0)
            for k in np.argsort(-gain)[:_BEAM_WIDTH]:
                key = tuple(sorted((*chosen, int(k))))
                if usable[k] and key not in grown:
                    direction = free[:, k] / size[k]
                    after = left - direction * (direction @ left)
                    grown[key] = (float(after @ after), np.column_stack([basis, direction]), after)
        ranked = sorted(grown.items(), key=lambda item: item[1][0])[:_BEAM_WIDTH]
        beam = [(key, basis, left) for key, (_, basis, left) in ranked]
        yield from (key for key, _ in ranked[:_N_TRIED])


def library(generator) -> tuple[list[Form], np.ndarray]:
    """Entries as terms of a sum, and their values, (n_samples, n_entries).

    Powers, sines and cosines of features, of sums and differences of two, their inverses, and products of two of these;
    angles are in radians, in the user's units.
    """
    singles = list(_singles(generator))
    entries = [[[node, 1.0]] for node in singles]
    for a, b in combinations(range(len(singles)), 2):
        if len(entries) == _MOST_ENTRIES:
            break
        entries.append([[Node("mul", [[[singles[a], 1.0]], [[singles[b], 1.0]]]), 1.0]])
    editable = EditableStructure(Structure(len(generator.signs), (), ()))
    editable.output = [list(form[0]) for form in entries]
    equation = editable.equation()
    values = np.stack(equation.sources(generator.problem.X, generator.problem.primitives), axis=1)
    nodes = {id(node): 1 + equation.n_features + i for i, node in enumerate(editable.nodes())}
    position = [nodes[id(s)] if isinstance(s, Node) else s for ((s, _),) in entries]
    values = values[:, position]
    with np.errstate(invalid="ignore"):
        tame = np.isfinite(values).all(axis=0) & (
            np.abs(values).max(axis=0) < _MAX_RANGE * np.median(np.abs(values), axis=0)
        )
    return [form for form, keep in zip(entries, tame, strict=True) if keep], values[:, tame]


def _singles(generator) -> Iterator[Node | int]:
    units = generator.problem.x_units
    angles: list[Form] = [[[f, float(units[f - 1])]] for f in generator.features]
    for a, b in combinations(generator.features, 2):
        angles += [[[a, float(units[a - 1])], [b, sign * float(units[b - 1])]] for sign in (1.0, -1.0)]
    for f in generator.features:
        yield f
        if generator.has("square"):
            yield Node("square", [[[f, 1.0]]])
        if generator.has("cube"):
            yield Node("cube", [[[f, 1.0]]])
        if generator.has_inverse and generator.signs[f - 1]:
            yield Node("inv", [[[f, 1.0]]])
    for name in ("sin", "cos"):
        for angle in angles if generator.has(name) else ():
            wave = Node(name, [[list(t) for t in angle]])
            yield wave
            if generator.has_inverse and len(angle) == 1:
                yield Node("inv", [[[wave, 1.0]]])
    for name in ("exp", "log", "sqrt"):
        for f in generator.features if generator.has(name) else ():
            if name == "exp" or generator.signs[f - 1] > 0:
                yield Node(name, [[[f, 1.0]]])
