"""What a search is told, and what it answers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from sklearn_eql.ladder.climb import LADDER
from sklearn_eql.ladder.families import Family
from sklearn_eql.ladder.written import written_families
from sklearn_eql.language.proposals import Proposals
from sklearn_eql.laws.law import Law
from sklearn_eql.primitives import Primitive
from sklearn_eql.progress import Watched
from sklearn_eql.search.dense_trials import GradientSettings
from sklearn_eql.search.evolution import EvolutionSettings
from sklearn_eql.sparse.admission import Admission
from sklearn_eql.sparse.behaviour import Demands
from sklearn_eql.stopping import StopReason
from sklearn_eql.units.dimensions import TableUnits

_CHEAP_FAMILIES = 4  # up to the cubic form


@dataclass(frozen=True)
class SearchSettings:
    """Everything a search needs beside data and seed."""

    primitives: Mapping[str, Primitive]
    copies: Mapping[str, int]
    n_hidden_layers: int
    method: str  # "evolution", "gradient", or "auto": evolution, then gradient if no exact law was found
    evolution: EvolutionSettings
    gradient: GradientSettings | None  # None where the method is evolution
    n_families: int | None  # of the ladder; None for all
    n_islands: int
    max_rows: int
    scale: bool
    resolution: float  # relative rounding error of the data
    device: str  # where structures are fitted, pairs judged and networks trained
    n_jobs: int | None
    watched: Watched | None = None  # those who are told how the search goes
    proposals: Proposals | None = None  # laws that a network writes, among the first families of the ladder
    admission: Admission | None = None  # which structures may be laws; all by default
    printable: Admission | None = None  # which laws may be printed, whatever led to them; all by default
    demands: Demands | None = None  # how laws must behave; anyhow by default
    units: TableUnits | None = None  # of columns and target, where they are known

    @property
    def families(self) -> tuple[Family, ...]:
        """Of the ladder; laws that are written for the target come after those that cost least, others at the end."""
        chosen = LADDER[: self.n_families]
        if self.proposals is None:
            return chosen
        first, *others = written_families(self.proposals)
        return (*chosen[:_CHEAP_FAMILIES], first, *chosen[_CHEAP_FAMILIES:], *others)


@dataclass(frozen=True)
class SearchResult:
    """Laws found for one target."""

    front: list[Law]  # by complexity
    stop_reason: StopReason
    n_iter: int  # generations, or optimiser steps
    loss_curve: list[float]  # best relative loss after each
    n_rows: int
    interrupted: bool
