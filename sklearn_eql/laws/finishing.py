"""From what a search found to laws in the user's units: rescale, refine on all rows, recognise constants, rank."""

from __future__ import annotations

import math
import time
from collections.abc import Iterable, Mapping
from dataclasses import replace

import numpy as np
import torch

from sklearn_eql.laws.common_factors import factored
from sklearn_eql.laws.completed_squares import with_completed_squares
from sklearn_eql.laws.idle_terms import without_idle_terms
from sklearn_eql.laws.judging import SAMPLE_ROWS, TIDY_STEPS, Table
from sklearn_eql.laws.law import SAME_LOSS, Law, shortlist
from sklearn_eql.laws.repeated_constants import with_repeated_constants
from sklearn_eql.laws.scales import with_scales_moved
from sklearn_eql.primitives import Primitive
from sklearn_eql.sparse.admission import Admission, n_symbols
from sklearn_eql.sparse.archive import Archive
from sklearn_eql.sparse.bending import bent
from sklearn_eql.sparse.description_length import description_length
from sklearn_eql.sparse.levenberg_marquardt import FitResult
from sklearn_eql.sparse.structure import Structure
from sklearn_eql.symbolic.canonical import canonicalize, free_mask, rescale, structure_key
from sklearn_eql.symbolic.complexity import equation_complexity
from sklearn_eql.symbolic.constants import recognise
from sklearn_eql.symbolic.equation import Equation
from sklearn_eql.symbolic.spelling import spellings
from sklearn_eql.symbolic.tidy import n_recognisable, tidy
from sklearn_eql.symbolic.written import constant_bits, price

_REFINE_STEPS = 40  # of Levenberg-Marquardt, at most; not tuned
_WITHIN_REACH = 6  # coefficients' worth of description from which constants that repeat are looked for
_DUST = 1e-13  # relative size of a term that is rounding
_RERANKED_AT_ONCE = 16  # structures
_POLISH_STEPS = 4  # on all rows, from the optimum on a sample


def rerank(archive: Archive, table: Table, count: int, deadline: float = math.inf) -> Archive:
    """The best `count` members and the front, refitted on more rows than the search saw, where there are more.

    In order of their scores; after `deadline` (``time.time()``) the rest is left out.
    """
    judge = table.few or table
    renewed = replace(archive, n_rows=len(judge.y), members={}, n_trials=0)
    members = list({r.structure.key: r for r in [*archive.ranked()[:count], *archive.front()]}.values())
    for i in range(0, len(members), _RERANKED_AT_ONCE):
        batch = members[i : i + _RERANKED_AT_ONCE]
        fitted = judge.fit([member.structure for member in batch], TIDY_STEPS)
        for old, new in zip(batch, fitted, strict=True):
            renewed.keep(replace(new, trial=old.trial))
            if archive.behaviour is not None and archive.behaves(old):  # as it may not any more
                found = bent(old.structure, archive.behaviour, table.primitives, judge.X, judge.y, judge.weight)
                if found is not None:
                    renewed.keep(replace(found, trial=old.trial))
        if time.time() > deadline:
            break
    return renewed


def by_promise(archive: Archive, table: Table, deadline: float = math.inf) -> list[FitResult]:
    """Members in order of the description that they would have with constants in place of all coefficients near one.

    A law of nature has more coefficients than it has unknown numbers: ``1 - v**2/c**2`` has none. After `deadline` the
    others follow in order of their scores.
    """
    judge = table.few or table
    ranked = archive.ranked()
    lengths = []
    with np.errstate(over="ignore", under="ignore", invalid="ignore", divide="ignore"):
        for member in ranked:
            if time.time() > deadline:
                break
            equation = rescale(member.structure.to_equation(), table.scaling.x, table.scaling.y, table.primitives)
            n_free = member.structure.n_free
            if np.isfinite(equation.coefficients()).all():
                equation = canonicalize(equation, table.primitives)
                free = free_mask(equation, table.primitives)
                n_free = int(free.sum()) - n_recognisable(equation, judge.errors(equation, free), table.primitives)
            symbols = n_symbols(member.structure, archive.admission)
            length = description_length(archive.level(member), archive.n_rows, n_free, symbols)
            lengths.append(length if archive.behaves(member) else math.inf)
    order = np.argsort(lengths, kind="stable").tolist()
    return [*(ranked[i] for i in order), *ranked[len(order) :]]


def finish(found: Iterable[FitResult], table: Table, deadline: float = math.inf) -> tuple[list[Law], bool]:
    """Laws in user units on the accuracy/complexity front, constants recognised, refined on all rows.

    Laws that are not admitted as they would be printed are left out, as are other spellings of those that are.
    Where there are very many rows, everything is done on a sample of them, and the laws that reach the front are then
    refitted on all. Structures that are undefined on some row are left out. After `deadline` (``time.time()``), or
    Ctrl-C, what is finished by then is returned, once there is something.

    Returns
    -------
    laws : list of Law, by complexity
    interrupted : bool
    """
    judge = table.few or table
    n_rows = len(judge.y)
    laws: dict[tuple, Law] = {}
    front: list[Law] = []
    interrupted = False
    # An exponential growth over 1e30-scaled data may overflow while scales are moved; such a law is no candidate.
    with np.errstate(over="ignore", under="ignore", invalid="ignore", divide="ignore"):
        try:
            for result in found:
                if laws and time.time() > deadline:
                    break
                law = _finish_one(result, judge)
                key = None if law is None else structure_key(law.equation, table.primitives)
                if law is None or key is None:
                    continue
                # The lower loss of one structure is that without constants, or with one that is fitted again.
                if key not in laws or law.description_length(n_rows) < laws[key].description_length(n_rows):
                    laws[key] = law
        except KeyboardInterrupt:
            if not laws:
                raise
            interrupted = True
        front = _fronts(laws.values(), table.most, n_rows)
        front = [law if time.time() > deadline else _with_scales_moved(law, judge) for law in front]
        front = _fronts(front, table.most, n_rows)
        if judge is table:  # on more rows all constants are refitted once more
            front = [_with_repeated_constants(law, front, table) for law in front]
        else:
            front = _all_on_all_rows(front, table, deadline)
    return shortlist(_short(front, table.most), len(table.y)), interrupted


def _short(laws: Iterable[Law], most: int | None) -> list[Law]:
    return [law for law in laws if most is None or law.complexity <= most]


def _fronts(laws: Iterable[Law], most: int | None, n_rows: int) -> list[Law]:
    """The front of those that are short enough, and that of the others, which may become shorter."""
    laws = list(laws)
    longer = [] if most is None else [law for law in laws if law.complexity > most]
    return [*shortlist(_short(laws, most), n_rows), *shortlist(longer, n_rows)]


def _with_scales_moved(law: Law, table: Table) -> Law:
    """The law, or itself with a scale where more of its numbers are constants."""
    canonical = canonicalize(law.equation, table.primitives)
    found = [readable(*moved, table) for moved in with_scales_moved(canonical, law.relative_loss, table)]
    best = min(found, key=lambda moved: price(moved[0], table.primitives), default=(law.equation, 0.0))
    if price(best[0], table.primitives)[0] < price(law.equation, table.primitives)[0]:
        return _admitted(as_law(*best, law.trial, table), table) or law
    return law


def _with_repeated_constants(law: Law, front: list[Law], table: Table) -> Law:
    """The law, or with one constant where it has two that are equal; those far from the shortest stay as they are."""
    n_rows = len(table.y)
    lowest = min(other.description_length(n_rows) for other in front)
    if law.description_length(n_rows) > lowest + _WITHIN_REACH * math.log(n_rows):
        return law
    canonical = canonicalize(law.equation, table.primitives)
    tied, loss = with_repeated_constants(canonical, law.relative_loss, table)
    if tied == canonical:
        return law
    return _admitted(as_law(*readable(tied, loss, table), law.trial, table), table) or law


def _finish_one(result: FitResult, table: Table) -> Law | None:
    primitives, scaling = table.primitives, table.scaling
    equation = rescale(result.structure.to_equation(), scaling.x, scaling.y, primitives)
    if not np.isfinite(equation.coefficients()).all():
        return None
    free = free_mask(equation, primitives)
    loose, loss = table.refit(equation, free, _REFINE_STEPS)
    if not math.isfinite(loss):
        return None
    fewer, lost = without_idle_terms(canonicalize(loose, primitives), loss, table)
    if lost != loss:
        equation, loose, loss = fewer, fewer, lost
        free = free_mask(equation, primitives)
    # Exponents that the search has put to round values stay there, if the data agree.
    known = free & np.array([recognise(value) is not None for value in equation.coefficients()], dtype=bool)
    given: dict[int, float] = {}
    if known.any():
        held, held_loss = table.refit(equation, free & ~known, _REFINE_STEPS)
        if table.accepts(loss, held_loss, int(known.sum())):
            loose, given = held, {i: equation.coefficients()[i] for i in np.flatnonzero(known).tolist()}
    equation, tidied = _tidied(loose, loss, given, table)
    completed = with_completed_squares(loose, primitives)
    if completed != loose:
        _, same = table.refit(completed, np.zeros(len(completed.coefficients()), dtype=bool))
        if same <= max(loss * (1 + SAME_LOSS), scaling.exact):
            other = _tidied(completed, loss, {}, table)
            equation, tidied = min((equation, tidied), other, key=lambda law: price(law[0], primitives))
    law = as_law(equation, tidied, result.trial, table)
    if law is None or table.admits(law.equation, final=False):
        return law
    if (law := _admitted(as_law(*readable(loose, loss, table), result.trial, table), table)) is not None:
        return law
    return _bent(equation, result.trial, table) or _bent(loose, result.trial, table)


def _bent(equation: Equation, trial: int, table: Table) -> Law | None:
    """The law with constants under which it may be printed, those that are recognised staying; None without any."""
    free = free_mask(equation, table.primitives)
    free &= np.array([constant_bits(abs(value)) is None for value in equation.coefficients()], dtype=bool)
    found = table.bent(equation, free)
    return None if found is None else _admitted(as_law(*readable(*found, table), trial, table), table)


def _admitted(law: Law | None, table: Table) -> Law | None:
    """The law, if it may be printed."""
    return law if law is not None and table.admits(law.equation, final=False) else None


def _tidied(loose: Equation, loss: float, given: Mapping[int, float], table: Table) -> tuple[Equation, float]:
    """A refined law with constants recognised, as it is printed, and its relative loss."""
    primitives = table.primitives
    errors = table.errors(loose)
    equation, _ = tidy(loose, loss, table.refit, table.accepts, primitives, errors, table.errors, given)
    equation = canonicalize(equation, primitives)
    tidied = _loss(equation, table)  # with what is fixed, where `loss` is that of all free
    return readable(equation, tidied, table)


def _loss(equation: Equation, table: Table) -> float:
    """Relative loss of a law as it is."""
    return table.refit(equation, np.zeros(len(equation.coefficients()), dtype=bool))[1]


def readable(equation: Equation, loss: float, table: Table) -> tuple[Equation, float]:
    """The spelling of a law that is printed, and its relative loss: see :mod:`sklearn_eql.symbolic.spelling`.

    The first of its spellings that has the same values on the rows, to rounding, so the choice is not by loss.
    """
    rows = table.X * torch.as_tensor(table.scaling.x)
    highest = max(loss * (1 + SAME_LOSS), table.scaling.exact)
    forms = spellings(equation, table.primitives, rows)
    forms += spellings(_without_dust(factored(equation, table.primitives, rows), table), table.primitives, rows)
    for form in sorted(dict.fromkeys(forms), key=lambda e: price(e, table.primitives)):
        if not table.admits(form, final=False):
            continue
        if (again := _loss(form, table)) > highest:
            again = table.loss_as_printed(form)
        if again <= highest:
            return form, again
    return equation, loss


def _without_dust(equation: Equation, table: Table) -> Equation:
    """The equation without what is nothing but rounding.

    Coefficients that are a constant but for a few roundings are put to it; terms that contribute less than rounding
    to their sum go.
    """
    sources = equation.sources(table.X * torch.as_tensor(table.scaling.x), table.primitives)
    values = []
    for form in [arg for unit in equation.units for arg in unit.args] + [equation.output]:
        sizes = [abs(c) * float(np.abs(sources[s]).max()) for s, c in form]
        for (_, c), size in zip(form, sizes, strict=True):
            near = float(f"{c:.13g}")
            values.append(0.0 if size < _DUST * max(sizes) else near if recognise(near) is not None else c)
    return canonicalize(equation.with_coefficients(np.array(values)), table.primitives)


def _all_on_all_rows(front: list[Law], table: Table, deadline: float) -> list[Law]:
    """The laws refitted on all rows, those of short description first, as far as time allows.

    The others keep their coefficients; those for which there is no time to learn their loss are left out, but not all.
    """
    kept: list[Law] = []
    order = sorted(front, key=lambda law: law.description_length(SAMPLE_ROWS))
    for law in order:
        if kept and time.time() > deadline:
            break
        loss = table.loss(law.equation)
        if math.isfinite(loss) and (found := as_law(law.equation, loss, law.trial, table)) is not None:
            kept.append(found)
    for i, law in enumerate(kept):
        if time.time() > deadline:
            break
        refitted = _on_all_rows(law, table)
        if refitted is not None and refitted.level <= law.level:
            kept[i] = refitted
    return kept


def _on_all_rows(law: Law, table: Table) -> Law | None:
    """The law refitted on all rows; recognised constants stay if all rows confirm them."""
    free = free_mask(law.equation, table.primitives)
    constant = np.array([constant_bits(abs(value)) is not None for value in law.equation.coefficients()])
    tidied, loss = table.refit(law.equation, free & ~constant, _POLISH_STEPS)
    if (free & constant).any():
        equation = canonicalize(law.equation, table.primitives)  # where no coefficient repeats what others say
        loose, lowest = table.refit(equation, free_mask(equation, table.primitives), _POLISH_STEPS)
        if not table.accepts(lowest, loss, int(np.sum(free & constant))):
            tidied, loss = loose, lowest
    if not math.isfinite(loss):
        return None
    return _admitted(as_law(*readable(canonicalize(tidied, table.primitives), loss, table), law.trial, table), table)


def as_law(equation: Equation, loss: float, trial: int, table: Table) -> Law | None:
    unit = table.variance * table.scaling.y * table.scaling.y
    return law_of(equation, loss, trial, unit, table.scaling.exact, table.primitives, table.admission)


def law_of(
    equation: Equation,
    loss: float,
    trial: int,
    unit: float,
    exact: float,
    primitives: Mapping[str, Primitive],
    admission: Admission | None,
) -> Law | None:
    """An equation in the user's units as a law, of a relative loss; None where it is not finite.

    Parameters
    ----------
    unit : float
        Of the loss: the variance of y.
    exact : float
        Relative loss below which a law is exact.
    """
    values = equation.coefficients()
    if not (np.isfinite(values).all() and math.isfinite(loss)):
        return None
    free = free_mask(equation, primitives)
    canonical = canonicalize(equation, primitives)
    bits = [constant_bits(abs(value)) or 0.0 for value in values if recognise(value) is not None]
    return Law(
        equation,
        loss * unit,  # infinite, not an error, for y of 1e200
        loss,
        exact,
        equation_complexity(equation, primitives),
        len({abs(value) for value in values[free].tolist() if recognise(value) is None}),  # some may stand there twice
        n_symbols(Structure.from_equation(canonical, free_mask(canonical, primitives)), admission),
        trial,
        sum(bits),
    )
