"""The price of a law, and the tests of constants and terms that stand on it."""

import math

import numpy as np
import pytest

from sklearn_eql.sparse.description_length import (
    NATS_PER_SYMBOL,
    description_length,
    is_shorter,
    is_unsurprising,
)

EXACT = 1e-20


def test_a_shorter_description_is_simpler_or_more_accurate():
    base = description_length(0.1, 60, 3, 8)
    assert description_length(0.05, 60, 3, 8) < base
    assert description_length(0.1, 60, 2, 8) < base
    assert description_length(0.1, 60, 3, 7) < base


def test_a_coefficient_costs_the_information_criterion_and_the_digits_that_the_rows_tell():
    def cost(loss):
        return description_length(loss, 10**6, 3, 8) - description_length(loss, 10**6, 2, 8)

    assert cost(1.0) == pytest.approx(math.log(10**6))
    assert cost(1e-4) == pytest.approx(math.log(10**6) + math.log(10**4))
    assert cost(1e-12) == pytest.approx(cost(1e-18))  # nobody reads more


@pytest.mark.parametrize(("n_free", "n_symbols"), [(1, 0), (2, 0), (1, 1), (3, 5)])
def test_a_law_is_shorter_without_terms_where_its_description_length_falls(n_free, n_symbols):
    n_rows, old = 60, 0.1
    for new in (0.1, 0.105, 0.11, 0.12, 0.15, 0.3):
        before = description_length(old, n_rows, 3, 8)
        after = description_length(new, n_rows, 3 - n_free, 8 - n_symbols)
        assert is_shorter(old, new, n_rows, EXACT, (3, 3 - n_free), n_symbols) == (after < before)


def test_the_most_that_a_term_may_bring_in_vain_is_its_price():
    limit = 0.1 * math.exp((math.log(60) + math.log(10) + NATS_PER_SYMBOL) / 60)
    assert is_shorter(0.1, limit * (1 - 1e-9), 60, EXACT, (1, 0), 1)
    assert not is_shorter(0.1, limit * (1 + 1e-9), 60, EXACT, (1, 0), 1)


def test_all_exact_laws_fit_equally_well():
    assert is_shorter(0.0, EXACT, 10**6, EXACT, (1, 0))
    assert not is_shorter(0.0, 1.1 * EXACT, 10**6, EXACT, (1, 0))


@pytest.mark.parametrize("bad", [math.inf, math.nan])
def test_a_law_that_is_undefined_is_not_shorter(bad):
    assert not is_shorter(0.1, bad, 60, EXACT, (5, 0), 5)
    assert not is_unsurprising(0.1, bad, 60, 5)


def test_losses_of_any_size_are_compared():
    assert is_shorter(1e305, 0.0, 60, EXACT, (1, 0))
    assert is_unsurprising(1e305, 0.0, 60, 1)
    assert not is_unsurprising(0.0, 1e305, 60, 1)


def test_chance_moves_a_true_constant_beyond_the_test_in_one_of_two_hundred(rng):
    """Of few rows with noise, with the mean fixed at its true value; the price of ``log(20)`` alone refuses 8%."""
    n_rows, n_draws = 20, 20_000
    noise = rng.normal(size=(n_draws, n_rows))
    fixed, fitted = np.mean(noise**2, axis=1), np.var(noise, axis=1)
    refused = np.mean([not is_unsurprising(old, new, n_rows, 1) for old, new in zip(fitted, fixed, strict=True)])
    assert 0.002 < refused < 0.02


def test_a_constant_may_cost_a_small_part_of_the_loss_of_an_exact_law():
    assert is_unsurprising(1e-30, 0.001 * EXACT, 1000, 1, EXACT)
    assert not is_unsurprising(1e-30, EXACT, 1000, 1, EXACT)
