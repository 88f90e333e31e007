"""From the rows of a table to laws that a trained network writes, as equations and as structures to be fitted."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import lru_cache
from importlib import resources
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch

from sklearn_eql.language.conversion import to_equation
from sklearn_eql.language.decoding import Written, beam_search
from sklearn_eql.language.grammar import Expression
from sklearn_eql.language.network import LawTransformer, NetworkConfig
from sklearn_eql.language.open_form import form_of
from sklearn_eql.language.presets import PRESETS
from sklearn_eql.language.reading_rows import Reading, Shown, renamed
from sklearn_eql.language.tokens import Vocabulary
from sklearn_eql.language.weights import read_weights
from sklearn_eql.primitives import PRIMITIVES, Primitive
from sklearn_eql.sparse.round_exponents import with_round_exponents_fixed
from sklearn_eql.sparse.structure import Structure
from sklearn_eql.symbolic.canonical import canonicalize, free_mask, rescale
from sklearn_eql.symbolic.equation import Equation

_FOLDER = "pretrained"  # of weights that come with the package
_MOST_NETWORKS = 4  # that are kept for the next table
_VARIES = 1e-9  # of the largest value: less is a constant


@dataclass(frozen=True)
class WrittenLaw:
    """A law that a network has written for a table.

    Attributes
    ----------
    expression : tuple of str
        As it was written: variable ``x0`` is the first of the columns that were shown.
    log_probability : float
        That the network gives it.
    equation : Equation
        The law over all columns of the table, in their units. Where the network leaves them open, factor and offset are
        those of least squares; constants inside are as rough as they were written.
    """

    expression: Expression
    log_probability: float
    equation: Equation

    def structure(
        self,
        x_units: np.ndarray | float = 1.0,
        y_unit: float = 1.0,
        primitives: Mapping[str, Primitive] = PRIMITIVES,
    ) -> Structure:
        """The law with an offset, all numbers but whole and half exponents to be fitted, from what was written.

        Parameters
        ----------
        x_units : ndarray, shape (n_features,), or float
        y_unit : float
            The structure is one of ``X / x_units`` and ``y / y_unit``.
        primitives : mapping of str to Primitive
            Functions by name.
        """
        output = dict(self.equation.output)
        output.setdefault(0, 1.0)  # the output is linear: its coefficients are solved for
        scaled = rescale(
            replace(self.equation, output=tuple(sorted(output.items()))), 1 / x_units, 1 / y_unit, primitives
        )
        return with_round_exponents_fixed(Structure.from_equation(scaled, free_mask(scaled, primitives)))


class Writer(Protocol):
    """What writes laws for a table: a `LawWriter`, or anything else with these."""

    reading: Reading

    def write(
        self,
        X: np.ndarray,
        y: np.ndarray,
        n_beams: int = 32,
        *,
        columns: Sequence[int] | None = None,
        seed: int = 0,
        n_views: int = 1,
    ) -> list[WrittenLaw]:
        """See `LawWriter.write`."""


class LawWriter:
    """A trained network with all that is needed to have it write laws.

    Parameters
    ----------
    network : LawTransformer
        In evaluation mode.
    vocabulary : Vocabulary
        Its tokens.
    notes : mapping of str to plain values, optional
        On its training; what it reads follows from them, see `Reading.of`.

    Attributes
    ----------
    reading : Reading
        What tables it reads.
    """

    def __init__(self, network: LawTransformer, vocabulary: Vocabulary, notes: Mapping[str, Any] | None = None) -> None:
        self.network, self.vocabulary, self.notes = network, vocabulary, dict(notes or {})
        self.reading = Reading.of(vocabulary, network.config.n_variables, self.notes)

    def __repr__(self) -> str:
        n_parameters = sum(parameter.numel() for parameter in self.network.parameters())
        return f"<LawWriter of {self.reading.n_variables} variables, {n_parameters:,} parameters>"

    def __getstate__(self) -> dict[str, Any]:
        """Arrays and plain values: the same network gives the same bytes."""
        return {
            "config": asdict(self.network.config),
            "vocabulary": asdict(self.vocabulary),
            "notes": self.notes,
            "arrays": {name: value.cpu().numpy() for name, value in self.network.state_dict().items()},
        }

    def __setstate__(self, state: dict[str, Any]) -> None:
        network = LawTransformer(NetworkConfig(**state["config"]))
        network.load_state_dict({name: torch.from_numpy(value.copy()) for name, value in state["arrays"].items()})
        LawWriter.__init__(self, network.eval(), Vocabulary(**state["vocabulary"]), state["notes"])

    @classmethod
    def load(cls, weights: str | os.PathLike) -> LawWriter:
        """Weights by the name of a preset, of those that come with the package, or from a file.

        They are read once: the same file gives the same writer, unless it has changed.

        Raises
        ------
        ValueError
            No such preset, or a file that is damaged or of another version.
        FileNotFoundError
            No such file, or a preset whose weights do not come with this copy of the package.
        """
        path = path_of(weights)
        return _loaded(str(path), path.stat().st_mtime_ns)

    def write(
        self,
        X: np.ndarray,
        y: np.ndarray,
        n_beams: int = 32,
        *,
        columns: Sequence[int] | None = None,
        seed: int = 0,
        n_views: int = 1,
    ) -> list[WrittenLaw]:
        """Laws for a table, the most probable first: those that are defined, and vary, on the rows that were shown.

        Parameters
        ----------
        X : ndarray, shape (n_rows, n_features)
        y : ndarray, shape (n_rows,)
            Rows with NaN are left out, and those out of the range of what the network reads.
        n_beams : int
            Laws at most, of each view.
        columns : sequence of int, optional
            The columns to show, at most as many as the network has variables; all by default.
        seed : int
            Of the sample that is shown of many rows, and of the views.
        n_views : int
            How often the network is asked: with all rows that are shown, then with halves, quarters and quarters of
            them. What it misses in one it often sees in another.

        Raises
        ------
        ValueError
            Too many columns, or too few rows that can be read.
        """
        X, y = np.asarray(X, dtype=np.float64), np.asarray(y, dtype=np.float64)
        columns = list(range(X.shape[1])) if columns is None else list(columns)
        shown = self.reading.shown(X[:, columns], y, seed)
        views = _views(len(shown.y), n_views, self.reading.min_rows, seed)
        tables = np.repeat(shown.X[None], len(views), axis=0)
        values = np.where(views, shown.y, np.nan)
        forms: dict[Expression, Written] = {}
        for beam in beam_search(self.network, self.vocabulary, tables, values, n_beams):
            for written in beam:
                known = forms.setdefault(form_of(written.expression), written)
                if written.log_probability > known.log_probability:
                    forms[form_of(written.expression)] = written
        likeliest = sorted(forms.values(), key=lambda written: -written.log_probability)
        laws = [self._law(written, shown, columns, X.shape[1]) for written in likeliest]
        return [law for law in laws if law is not None]

    def _law(self, written: Written, shown: Shown, columns: Sequence[int], n_features: int) -> WrittenLaw | None:
        expression = renamed(written.expression, columns)
        if expression is None:
            return None
        table = np.zeros((len(shown.y), n_features))
        table[:, columns] = shown.X[:, : len(columns)]
        x_units = np.ones(n_features)
        x_units[columns] = shown.x_units
        with np.errstate(all="ignore"):
            equation = to_equation(expression, n_features)
            values = equation.evaluate(table)
            size = float(np.abs(values).max())
            if not np.isfinite(size) or np.ptp(values) <= _VARIES * size:
                return None
            if self.reading.scaled:
                equation = _fitted(equation, values, shown.y)
            equation = rescale(equation, x_units, shown.y_unit)
        if not np.isfinite(equation.coefficients()).all():
            return None
        return WrittenLaw(written.expression, written.log_probability, equation)


def _views(n_rows: int, n_views: int, min_rows: int, seed: int) -> np.ndarray:
    """Which rows each view has, bool of shape ``(n_views, n_rows)``: all, half, and a quarter of them in all others."""
    rng = np.random.default_rng(seed)
    views = np.ones((n_views, n_rows), dtype=bool)
    for i in range(1, n_views):
        size = max(n_rows // (2 if i == 1 else 4), min(min_rows, n_rows))
        views[i, rng.permutation(n_rows)[size:]] = False
    return np.unique(views, axis=0)[::-1]


def _fitted(equation: Equation, values: np.ndarray, y: np.ndarray) -> Equation:
    """``a*g + b`` by least squares, for `g` with these values."""
    centred = values - values.mean()
    slope = float(centred @ y / (centred @ centred))
    output = {source: slope * c for source, c in equation.output}
    output[0] = output.get(0, 0.0) + float(y.mean() - slope * values.mean())
    return canonicalize(replace(equation, output=tuple(sorted(output.items()))))


def path_of(weights: str | os.PathLike) -> Path:
    """The file of the weights that a preset or a path names.

    Raises
    ------
    FileNotFoundError
        There is none.
    """
    if isinstance(weights, str) and weights in PRESETS:
        path = Path(str(resources.files("sklearn_eql.language").joinpath(_FOLDER, f"{weights}.npz")))
        if not path.is_file():
            raise FileNotFoundError(
                f"weights={weights!r}: this copy of the package comes without them. Train them with python -m "
                f"sklearn_eql.pretrain --preset {weights} --output {weights}.npz, and give the path of that file."
            )
        return path
    path = Path(weights)
    if not path.is_file():
        raise FileNotFoundError(
            f"weights={str(weights)!r} is no file, and none of the presets {', '.join(sorted(PRESETS))}. Name a file "
            "that python -m sklearn_eql.pretrain has written, or a preset."
        )
    return path


@lru_cache(maxsize=_MOST_NETWORKS)
def _loaded(path: str, changed: int) -> LawWriter:
    """The writer of a file; `changed`, its time of modification, tells a new file of the same name apart."""
    return LawWriter(*read_weights(path))
