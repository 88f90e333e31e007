"""Sums grown term by term."""

import time

import numpy as np
import pytest
import torch

from sklearn_eql.scan.sums import grow


@pytest.fixture
def values():
    return torch.from_numpy(np.random.default_rng(5).normal(size=(200, 50)))


def test_a_sum_of_five_is_found_exactly(values):
    chosen = (3, 20, 77, 120, 199)
    target = 2 + sum((k + 1) * values[c] for k, c in enumerate(chosen))
    best = min(grow(values, target, max_terms=6, beam=8), key=lambda total: total.left)
    assert set(chosen) <= set(best.columns)
    assert best.left < 1e-20


def test_seeds_are_terms_that_are_no_members(values):
    seeds = torch.stack([values[0] * values[1], values[2] * values[3]])
    found = grow(values, 3 * seeds[1] - values[9] + 1, seeds=seeds, starts=[(0, ()), (1, ())], max_terms=2, beam=4)
    best = min(found, key=lambda total: total.left)
    assert (best.seed, best.columns) == (1, (9,))
    assert best.left < 1e-20


def test_weights_decide_which_rows_matter(values):
    weight = torch.ones(50, dtype=torch.float64)
    weight[:10] = 0
    target = values[4] + 2 * values[8]
    target[:10] += 100
    best = min(grow(values, target, weight, max_terms=2, beam=4), key=lambda total: total.left)
    assert set(best.columns) == {4, 8}
    assert best.left < 1e-20


def test_after_the_deadline_nothing_grows(values):
    assert grow(values, values[0] + values[1], max_terms=3, beam=4, deadline=time.time() - 1) == []


def test_copies_of_a_column_are_no_terms_beside_it(values):
    doubled = torch.cat([values[:5], 2 * values[:5]])
    found = grow(doubled, torch.from_numpy(np.random.default_rng(6).normal(size=50)), max_terms=9, beam=4)
    assert max(len(total.columns) for total in found) == 5
