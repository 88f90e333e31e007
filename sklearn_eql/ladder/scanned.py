"""Starts from exhaustive search: pairs of a library, sums grown from them, and polynomials that are solved whole.

Their constants are those of the law wherever these are in the library; the fit moves those that are only near.
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterator

import numpy as np
import torch

from sklearn_eql.ladder.monomials import Monomial, monomials_of, sum_of, values_of
from sklearn_eql.ladder.term_generator import TermGenerator, Terms
from sklearn_eql.scan.library import Library, build
from sklearn_eql.scan.pairs import FORMS, Pair, PairScan
from sklearn_eql.scan.sums import Sum, grow
from sklearn_eql.sparse.description_length import NATS_PER_SYMBOL
from sklearn_eql.sparse.editing import Node
from sklearn_eql.sparse.problem import SPARE_ROWS, Problem

_MAX_FEATURES = 8  # that a library is made of, the most important ones
_N_STARTS = 40  # pairs by description length, and as many by what they leave, that are fitted
_N_GROWN, _MAX_SUM, _BEAM = 12, 6, 16  # pairs that sums grow from, terms, sums kept of each size
_N_THIRD, _N_BESIDE = 80, 4  # entries beside which all pairs are judged, and pairs kept of each
_FLOOR = 1e-14  # share of the variance below which pairs are equally good until they are fitted

_MAX_DEGREE, _MAX_MONOMIALS, _MAX_POLYNOMIAL_FEATURES = 9, 400, 10
_MAX_TERMS, _N_POLYNOMIALS = 8, 24  # of sparse polynomials
_WORK, _BEAMS = 4e7, (16, 96)  # multiplications per size of a sparse polynomial, which says how many are grown
_EXACT_POLYNOMIAL = 1e-18  # share of the variance: what least squares on many powers of one feature leaves of zero
_NEGLIGIBLE = 1e-9  # of the largest term: a monomial of an exact polynomial that is rounding
_MAX_BESIDE = 50  # monomials beside a pair: the second degree of eight features


def polynomial_or_pair(generator: TermGenerator, limit: int) -> Iterator[Terms]:
    """Both, so that a polynomial which follows a short function to rounding has that function as a rival."""
    if generator.has("mul"):
        yield from polynomials(generator)
    yield from pairs(generator, limit)


def pairs(generator: TermGenerator, limit: int) -> Iterator[Terms]:
    """The best products, sums and quotients of two entries of a library."""
    entries = library(generator, limit)
    found, is_exact = _scan(generator, entries)
    n_rows = len(generator.problem.y)
    chosen = sorted(found, key=lambda pair: _length(n_rows, pair.left, pair.symbols))[:_N_STARTS]
    if not is_exact:
        chosen += sorted(found, key=lambda pair: pair.left)[:_N_STARTS]
    for pair in dict.fromkeys(chosen):
        yield _terms(entries, pair, generator.problem)


def triples(generator: TermGenerator, limit: int) -> Iterator[Terms]:
    """A pair beside a third entry, a short one, and longer sums that are grown from the best of these."""
    problem = generator.problem
    entries = library(generator, limit)
    if len(entries) < 2:
        return
    data = (torch.as_tensor(entries.values), problem.y, problem.sample_weight)
    there = data[0].to(problem.device)
    symbols, n_rows = entries.symbols.tolist(), len(problem.y)
    forms = ("sum", "product") if generator.has("mul") else ("sum",)
    found: list[tuple[Pair, int]] = []
    for third in range(min(_N_THIRD, len(entries))):
        if time.time() > problem.deadline:
            break
        scan = PairScan(data[0], symbols, *data[1:], data[0][third : third + 1], there)
        new = [pair for form in forms for pair in scan.best(form, problem.deadline)]
        new = sorted(new, key=lambda pair: _length(n_rows, pair.left, pair.symbols))[:_N_BESIDE]
        found += [(pair, third) for pair in new]
        if any(scan.is_exact(pair) for pair in new):
            break
    found.sort(key=lambda it: _length(n_rows, it[0].left, it[0].symbols + symbols[it[1]]))
    for pair, third in found[:_N_STARTS]:
        yield [*_terms(entries, pair, problem), *entries.terms(third)]

    best = sorted(found, key=lambda it: it[0].left)[:_N_GROWN]
    products = [pair for pair, _ in best if pair.form == "product"]
    starts = [
        (products.index(pair), (third,)) if pair.form == "product" else (None, (pair.first, pair.second, third))
        for pair, third in best
    ]
    seeds = torch.stack([data[0][p.first] * data[0][p.second] for p in products]) if products else None
    size = {"max_terms": _MAX_SUM, "beam": _BEAM, "deadline": problem.deadline}
    grown = grow(*data, seeds=seeds, starts=starts, **size)

    def length(total: Sum) -> float:
        product = 0 if total.seed is None else products[total.seed].symbols
        return _length(n_rows, total.left, product + sum(symbols[k] for k in total.columns))

    longer = [total for total in grown if len(total.columns) + (total.seed is not None) > 2]
    for total in sorted(longer, key=length)[:_N_STARTS]:
        first = _product(entries, products[total.seed]) if total.seed is not None else []
        yield [[0, 1.0], *first, *(term for k in total.columns for term in entries.terms(k))]


def beside_polynomial(generator: TermGenerator, limit: int) -> Iterator[Terms]:
    """A polynomial and a pair: a sum or product of two entries is judged by what it has that no polynomial has."""
    problem = generator.problem
    entries = library(generator, limit)
    values, symbols, n_rows = torch.as_tensor(entries.values), entries.symbols.tolist(), len(problem.y)
    there = values.to(problem.device)
    for degree in (1, 2, 3):
        monomials = monomials_of(generator.features[:_MAX_FEATURES], degree, _MAX_MONOMIALS)[1:]
        if len(monomials) > min(n_rows // 2, _MAX_BESIDE) or len(entries) < 2:
            return
        beside = torch.as_tensor(values_of(generator.rows, monomials))
        scan = PairScan(values, symbols, problem.y, problem.sample_weight, beside, there)
        found = [pair for form in ("sum", "product") for pair in scan.best(form, problem.deadline)]
        found = sorted(found, key=lambda pair: _length(n_rows, pair.left, pair.symbols))[:_N_STARTS]
        for pair in found:
            yield [*sum_of(generator, monomials), *_terms(entries, pair, problem)]
        if any(scan.is_exact(pair) for pair in found):
            return


def polynomials(generator: TermGenerator) -> Iterator[Terms]:
    """The polynomial of lowest degree that is exact, found by least squares; else sparse ones that leave little."""
    problem = generator.problem
    monomials = monomials_of(generator.features[:_MAX_POLYNOMIAL_FEATURES], _MAX_DEGREE, _MAX_MONOMIALS)
    values = torch.as_tensor(values_of(generator.rows, monomials))
    exact = _exact_polynomial(problem, monomials, values)
    if exact:
        yield sum_of(generator, exact)
        return
    n_rows, varying = len(problem.y), values[1:]
    beam = int(np.clip(_WORK / max(varying.numel(), 1), *_BEAMS))
    size = {"max_terms": _MAX_TERMS, "beam": beam, "deadline": problem.deadline}
    grown = grow(varying, problem.y, problem.sample_weight, **size)
    price = 3  # symbols of a monomial: a term, and a unit with its argument
    for total in sorted(grown, key=lambda s: _length(n_rows, s.left, price * len(s.columns)))[:_N_POLYNOMIALS]:
        yield sum_of(generator, [(), *(monomials[1 + k] for k in total.columns)])


def library(generator: TermGenerator, limit: int) -> Library:
    """The library over the most important features of a problem, of what laws may be made of."""
    problem = generator.problem
    features = sorted(generator.features, key=lambda f: -problem.importances[f - 1])[:_MAX_FEATURES]
    functions = {name: problem.primitives[name] for name in generator.copies}
    return build(generator.rows, problem.x_units, generator.signs, [f - 1 for f in features], functions, limit)


def _scan(generator: TermGenerator, entries: Library) -> tuple[list[Pair], bool]:
    """The best pairs of every form, and whether one of them is exact."""
    problem = generator.problem
    if len(entries) < 2:
        return [], False
    values = torch.as_tensor(entries.values)
    data = (values, entries.symbols.tolist(), problem.y, problem.sample_weight)
    scan = PairScan(*data, there=values.to(problem.device))
    forms = [form for form in FORMS if form == "sum" or generator.has("mul")]
    forms = [form for form in forms if form != "quotient" or generator.has_inverse]
    found = [pair for form in forms for pair in scan.best(form, problem.deadline)]
    return found, any(scan.is_exact(pair) for pair in sorted(found, key=lambda pair: pair.left)[:_N_STARTS])


def _length(n_rows: int, left: float, symbols: int) -> float:
    return n_rows * math.log(max(left, _FLOOR)) + NATS_PER_SYMBOL * symbols


def _product(entries: Library, pair: Pair) -> Terms:
    return [[Node("mul", [entries.terms(pair.first), entries.terms(pair.second)]), 1.0]]


def _terms(entries: Library, pair: Pair, problem: Problem) -> Terms:
    """The output terms of a pair. Coefficients of the output are solved for; the one inside a quotient starts here."""
    if pair.form == "product":
        return [[0, 1.0], *_product(entries, pair)]
    if pair.form == "sum":
        return [[0, 1.0], *entries.terms(pair.first), *entries.terms(pair.second)]
    f, g = entries.values[pair.first], entries.values[pair.second]
    target, root = problem.y.numpy(), problem.root.numpy()
    columns = np.column_stack([np.ones(len(target)), f, -target * g]) * root[:, None]
    (_, _, slope), *_ = np.linalg.lstsq(columns, target * root, rcond=None)
    slope /= entries.scales[pair.second]
    inverse = Node("inv", [[[0, 1.0], *([s, slope * c] for s, c in entries.terms(pair.second))]])
    return [[inverse, 1.0], [Node("mul", [entries.terms(pair.first), [[inverse, 1.0]]]), 1.0]]


# Polynomials --------------------------------------------------------------------------------------------------------


def _exact_polynomial(problem: Problem, monomials: list[Monomial], values: torch.Tensor) -> list:
    root = problem.root.numpy()
    target = problem.y.numpy() * root
    columns = values.numpy().T * root[:, None]
    columns = columns / np.maximum(np.linalg.norm(columns, axis=0), np.finfo(float).tiny)
    constant = root / np.linalg.norm(root)
    total = float(target @ target - (constant @ target) ** 2)
    for degree in range(2, _MAX_DEGREE + 1):
        count = sum(len(m) <= degree for m in monomials)
        if count > len(target) - SPARE_ROWS or len(monomials[-1]) < degree:
            break
        coefficients, *_ = np.linalg.lstsq(columns[:, :count], target, rcond=np.finfo(float).eps)
        left = target - columns[:, :count] @ coefficients
        if left @ left < _EXACT_POLYNOMIAL * total:
            size = np.abs(coefficients)
            return [monomials[k] for k in np.flatnonzero(size > _NEGLIGIBLE * size.max())]
    return []
