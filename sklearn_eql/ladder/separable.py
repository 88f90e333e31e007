"""Starts that are a product of functions of one argument each, beside a constant, or features and their squares."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch

from sklearn_eql.ladder.term_generator import TermGenerator, Terms
from sklearn_eql.scan.factors import Factors, arguments, factors_of
from sklearn_eql.scan.separable import Product, SeparableScan
from sklearn_eql.sparse.editing import Node

_MAX_FEATURES = 6  # the most important ones
_MAX_FEATURES_WITH_PEAKS = 3  # among more, these would be most of all entries
_N_STARTS = 32  # products by description length, and as many by what they leave, that are fitted
_FACTORS, _BESIDE = 3, 2  # of a product, at most, beside a constant and beside other terms
_SPARE = 3  # rows for each coefficient


def products(generator: TermGenerator) -> Iterator[Terms]:
    """``a f(x) g(y) h(z) + c``, and ``a f(x) g(y)`` or ``a f(x*y)`` beside all features and their squares."""
    problem = generator.problem
    features = sorted(generator.features, key=lambda f: -problem.importances[f - 1])[:_MAX_FEATURES]
    where = [f - 1 for f in features]
    has_peaks = len(features) <= _MAX_FEATURES_WITH_PEAKS
    found = [
        factors_of(a, generator.has, has_peaks)
        for a in arguments(generator.rows, problem.x_units, generator.signs, where)
    ]
    factors = [f for f in found if f is not None]
    n_rows = len(problem.y)
    plain = SeparableScan(factors, problem.y, problem.sample_weight)
    most = _FACTORS if generator.has("mul") else 1
    for product in _chosen(plain.best(most, problem.deadline), n_rows):
        yield [[0, 1.0], *_terms(factors, product)]
    for powers in (2, 1):
        beside = _powers(generator, features, powers)
        if n_rows >= _SPARE * (len(beside) + 3):
            break
    else:
        return
    values = torch.as_tensor(np.array([generator.rows[:, f - 1] ** p for f, p in beside]))
    form = SeparableScan(factors, problem.y, problem.sample_weight, values)
    for product in _chosen(form.best(min(most, _BESIDE), problem.deadline), n_rows):
        yield [[0, 1.0], *([_power(f, p), 1.0] for f, p in beside), *_terms(factors, product)]


def _powers(generator: TermGenerator, features: list[int], most: int) -> list[tuple[int, int]]:
    """The features, and their squares if `most` is two and laws may have them."""
    return [(f, p) for p in (1, 2)[: most if generator.has("square") else 1] for f in features]


def _power(feature: int, exponent: int) -> Node | int:
    return feature if exponent == 1 else Node("square", [[[feature, 1.0]]])


def _chosen(found: list[Product], n_rows: int) -> list[Product]:
    shortest = sorted(found, key=lambda product: product.length(n_rows))[:_N_STARTS]
    return list(dict.fromkeys([*shortest, *sorted(found, key=lambda product: product.left)[:_N_STARTS]]))


def _terms(factors: list[Factors], product: Product) -> Terms:
    """The product as nested multiplications, the constants of its factors as they are."""
    terms: Terms = []
    for k, entry in zip(product.factors, product.entries, strict=True):
        factor = factors[k].makers[entry]()
        terms = [[Node("mul", [terms, factor]), 1.0]] if terms else factor
    return terms
