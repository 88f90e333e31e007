"""What a network is shown of a table."""

import numpy as np
import pytest

from sklearn_eql.language.reading_rows import Reading, renamed
from sklearn_eql.language.tokens import Vocabulary


@pytest.fixture
def X(rng):
    return rng.uniform(-2, 2, (300, 2))


def test_columns_and_target_are_shown_in_units_of_their_own(X):
    shown = Reading(3).shown(1e3 * X, -1e200 * X[:, 0])
    assert shown.X.shape == (256, 3)
    np.testing.assert_allclose(np.sqrt(np.mean(shown.X**2, axis=0)), [1, 1, 0])
    np.testing.assert_allclose(np.sqrt(np.mean(shown.y**2)), 1)
    np.testing.assert_allclose(shown.X[:, 0] * shown.x_units[0] * -1e197, shown.y * shown.y_unit)


def test_rows_are_shown_as_they_are_to_a_network_that_writes_whole_numbers(X):
    reading = Reading.of(Vocabulary(2), 2, {})
    assert not reading.scaled
    assert Reading.of(Vocabulary(2, 0, (0.5, 1.0)), 2, {}).scaled
    shown = reading.shown(2 * X, X[:, 1])  # of the rows a few are beyond 3
    assert len(shown.y) == 64
    assert np.abs(shown.X).max() <= 3
    assert set(shown.X[:, 0]) <= set(2 * X[:, 0])


def test_a_sample_depends_on_the_seed_alone(X):
    first, again, other = (Reading(2).shown(X, X[:, 0], seed) for seed in (0, 0, 1))
    np.testing.assert_array_equal(first.X, again.X)
    assert not np.array_equal(first.X, other.X)


def test_rows_without_a_target_and_columns_of_zeros_do_no_harm(X):
    y = X[:, 0].copy()
    y[10:] = np.nan
    shown = Reading(2).shown(np.column_stack([X[:, 0], np.zeros(300)]), y)
    assert len(shown.y) == 10
    assert not shown.X[:, 1].any()


def test_what_cannot_be_read_is_refused(X):
    with pytest.raises(ValueError, match=r"2 columns to read, expected 1 to 1.*most important"):
        Reading(1).shown(X, X[:, 0])
    with pytest.raises(ValueError, match="5 of 5 rows can be read, expected at least 8 that are finite"):
        Reading(2).shown(X[:5], X[:5, 0])
    far = Reading(2, scaled=False, low=-3, high=3)
    with pytest.raises(ValueError, match=r"0 of 300 rows can be read.*within \[-3, 3\].*units of their own"):
        far.shown(X + 100, X[:, 0])
    with pytest.raises(ValueError, match="expected"):
        Reading(2).shown(X, X)


def test_what_it_reads_comes_with_the_weights():
    reading = Reading(4, True, -1.0, 5.0, 20, 30)
    assert Reading.of(Vocabulary(4), 4, reading.as_note()) == reading
    assert Reading.of(Vocabulary(4), 4, {"reading": {"min_rows": 9, "of a later version": 1}}).min_rows == 9


def test_variables_become_columns():
    assert renamed(("add", "x1", "exp", "x0"), [5, 2]) == ("add", "x2", "exp", "x5")
    assert renamed(("add", "x1", "exp", "x0"), [5]) is None
