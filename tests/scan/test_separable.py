"""Products of functions of one argument each: what is left agrees with least squares, and the law comes first."""

import numpy as np
import pytest
import torch

from sklearn_eql.primitives import PRESETS
from sklearn_eql.scan.factors import arguments, factors_of
from sklearn_eql.scan.separable import SeparableScan

X = np.random.default_rng(0).normal(size=(60, 3))
HAS = PRESETS["default"].__contains__


@pytest.fixture(scope="module")
def factors():
    return [factors_of(a, HAS) for a in arguments(X, np.ones(3), [0, 0, 0], [0, 1, 2])]


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("beside", [None, X.T])
def test_what_a_product_leaves_is_that_of_least_squares(factors, weighted, beside):
    rng = np.random.default_rng(1)
    y, weight = rng.normal(size=60), rng.uniform(0.2, 2, 60) if weighted else np.ones(60)
    scan = SeparableScan(
        factors,
        torch.from_numpy(y),
        torch.from_numpy(weight) if weighted else None,
        None if beside is None else torch.from_numpy(beside.copy()),
    )
    found = scan.best(2)
    root = np.sqrt(weight)
    rest = root * (y - np.average(y, weights=weight))
    for product in found[:5] + found[-5:]:
        column = np.ones(60)
        for k, entry in zip(product.factors, product.entries, strict=True):
            column = column * factors[k].values[entry].numpy()
        A = np.column_stack([np.ones(60), column, *([] if beside is None else beside)]) * root[:, None]
        solution, *_ = np.linalg.lstsq(A, root * y, rcond=None)
        left = root * y - A @ solution
        assert product.left == pytest.approx(left @ left / (rest @ rest), rel=1e-6)


def test_the_law_leaves_least_and_its_kinds_are_told(factors):
    y = torch.from_numpy(5 + X[:, 0] * np.exp(-0.45 * X[:, 1]) * np.sin(1.1 * X[:, 2]))
    best = min(SeparableScan(factors, y).best(3), key=lambda product: product.left)
    kinds = [factors[k].kinds[e] for k, e in zip(best.factors, best.entries, strict=True)]
    assert best.factors == (0, 1, 2)
    assert kinds == ["power 1", "exp-1", "sin"]


def test_no_feature_stands_in_two_factors(factors):
    y = torch.from_numpy(np.random.default_rng(1).normal(size=60))
    for product in SeparableScan(factors, y).best(3):
        features = [f for k in product.factors for f in factors[k].argument.features]
        assert len(set(features)) == len(features)


def test_after_the_deadline_there_are_none(factors):
    assert SeparableScan(factors, torch.from_numpy(X[:, 0].copy())).best(3, deadline=0.0) == []


@pytest.mark.parametrize(
    ("rise", "kind"),
    [
        (lambda x: x / (1.3 + x), "saturation"),
        (lambda x: x**2 / (1.3 + x**2), "saturation of a square"),
        (lambda x: 1 - np.exp(-x), "charging"),
    ],
)
def test_what_rises_to_a_level_is_a_factor_beside_an_optimum(rise, kind):
    rng = np.random.default_rng(2)
    positive = rng.uniform(0.1, 6, (100, 2))
    factors = [factors_of(a, HAS, True) for a in arguments(positive, np.ones(2), [1, 1], [0, 1])]
    y = rise(positive[:, 0]) * np.exp(-0.5 * (positive[:, 1] - 3) ** 2)
    found = SeparableScan(factors, torch.from_numpy(y + 0.01 * rng.normal(size=100))).best(2)
    kinds = [tuple(factors[k].kinds[e] for k, e in zip(p.factors, p.entries, strict=True)) for p in found]
    best = sorted(range(len(found)), key=lambda k: found[k].left)[:5]
    assert (kind, "bell at") in [kinds[k] for k in best]
