"""Pairs by matrix products: what is left agrees with least squares, and the cheapest exact pair is found."""

import time

import numpy as np
import pytest
import torch
from disguised_device import NAME, DisguisedDevice

from sklearn_eql._devices import bytes_at_once
from sklearn_eql.scan import pairs
from sklearn_eql.scan.pairs import FORMS, PairScan

N, M = 40, 60


@pytest.fixture
def values():
    rows = np.random.default_rng(1).normal(size=(M, N))
    return torch.from_numpy(rows / np.sqrt(np.mean(rows**2, axis=1, keepdims=True)))


@pytest.fixture
def symbols():
    return sorted(np.random.default_rng(2).integers(1, 5, M).tolist())


def left_of(columns, target, weight):
    """Share of the weighted variance that least squares leaves."""
    root = np.sqrt(weight)
    A = np.column_stack([np.ones(N), *columns]) * root[:, None]
    solution, *_ = np.linalg.lstsq(A, target * root, rcond=None)
    rest = target * root - A @ solution
    mean = np.average(target, weights=weight)
    return rest @ rest / (weight @ (target - mean) ** 2)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("weighted", [False, True])
def test_what_a_pair_leaves_is_that_of_least_squares(form, weighted, values, symbols):
    rng = np.random.default_rng(3)
    target = rng.normal(size=N) + 3
    weight = rng.uniform(0.1, 2, N) if weighted else np.ones(N)
    scan = PairScan(values, symbols, torch.from_numpy(target), torch.from_numpy(weight) if weighted else None)
    found = scan.best(form)
    assert len(found) > 10
    for pair in found[:30]:
        f, g = values[pair.first].numpy(), values[pair.second].numpy()
        columns = {"product": [f * g], "sum": [f, g], "quotient": [f, target * g]}[form]
        wanted = left_of(columns, target, weight)
        if form == "quotient":  # relative to what the second column alone leaves
            wanted /= left_of([target * g], target, weight)
        assert pair.left == pytest.approx(wanted, rel=1e-6)


@pytest.mark.parametrize("form", FORMS)
def test_the_best_of_all_pairs_is_found(form, values, symbols):
    f, g = values[7], values[41]
    target = {"product": 2 * f * g - 1, "sum": 2 * f - 0.5 * g + 3, "quotient": (1 + 2 * f) / (1 + 0.2 * g)}[form]
    scan = PairScan(values, symbols, target)
    best = min(scan.best(form), key=lambda pair: pair.left)
    assert {best.first, best.second} == {7, 41}
    assert scan.is_exact(best)
    assert not scan.is_exact(max(scan.best(form), key=lambda pair: pair.left))


def test_of_two_exact_pairs_the_cheaper_one_ends_the_search(values):
    values = torch.cat([values, values[:2]])  # the first two once more, as dear entries
    scan = PairScan(values, [1] * M + [9] * 2, values[0] + values[1])
    assert {pair.symbols for pair in scan.best("sum")} == {2}


def test_functions_beside_a_pair_are_part_of_every_sum(values, symbols):
    x = torch.linspace(-1, 1, N, dtype=torch.float64)
    beside = torch.stack([x, x**2])
    scan = PairScan(values, symbols, 5 * x**2 - x + 0.1 * values[3] - 0.2 * values[50], beside=beside)
    best = min(scan.best("sum"), key=lambda pair: pair.left)
    assert {best.first, best.second} == {3, 50}
    assert scan.is_exact(best)


def test_a_product_beside_functions_is_judged_by_what_it_has_in_common_with_neither(values, symbols):
    x = torch.linspace(-1, 1, N, dtype=torch.float64)
    weight = torch.linspace(0.5, 1.5, N, dtype=torch.float64)
    scan = PairScan(values, symbols, 5 * x**2 - x + 0.1 * values[3] * values[50], weight, torch.stack([x, x**2]))
    best = min(scan.best("product"), key=lambda pair: pair.left)
    assert {best.first, best.second} == {3, 50}
    assert scan.is_exact(best)


def test_an_equation_that_holds_for_every_target_is_no_quotient():
    rng = np.random.default_rng(4)
    nearly_constant = 1 + 1e-5 * rng.normal(size=(3, N))
    values = torch.from_numpy(np.concatenate([nearly_constant, rng.normal(size=(3, N))]))
    scan = PairScan(values, [1] * 6, torch.from_numpy(rng.normal(size=N)))
    assert min(pair.left for pair in scan.best("quotient")) > 0.1


def test_after_the_deadline_no_group_is_looked_at(values, symbols):
    assert PairScan(values, symbols, values[0] * values[1]).best("product", time.time() - 1) == []


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("block", [1, 64])
def test_pairs_judged_on_a_device_are_those_of_the_cpu(form, block, values, symbols, monkeypatch):
    rng = np.random.default_rng(3)
    target, weight = (torch.from_numpy(rng.uniform(0.5, 2, N)) for _ in range(2))
    beside = values[:2] if form != "quotient" else None
    here = PairScan(values, symbols, target, weight, beside).best(form)
    with DisguisedDevice() as device:
        monkeypatch.setattr(pairs, "pairs_at_once", lambda device: block)
        there = PairScan(values, symbols, target, weight, beside, values.to(NAME)).best(form)
    assert {(p.first, p.second) for p in here} == {(p.first, p.second) for p in there}
    assert [p.left for p in there] == pytest.approx([p.left for p in here], rel=1e-6)
    assert sum(device.reads.values()) == len({p.symbols for p in here})  # once for each cost


def test_an_exact_pair_ends_the_scan_on_a_device(values, symbols):
    target = 2 * values[3] * values[4] - 1
    with DisguisedDevice():
        scan = PairScan(values, symbols, target, there=values.to(NAME))
        best = min(scan.best("product"), key=lambda pair: pair.left)
    assert {best.first, best.second} == {3, 4}
    assert scan.is_exact(best)


def test_memory_bounds_the_pairs_that_a_device_judges_at_once():
    assert pairs.pairs_at_once(torch.device("cpu")) * 8 < 1 << 21
    assert 8 * pairs.pairs_at_once(torch.device(NAME)) < bytes_at_once(NAME)
