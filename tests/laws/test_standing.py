"""Which laws of a table the rows can tell from the selected one, and by how much their descriptions differ."""

import math

import numpy as np
import pytest

from sklearn_eql.laws.law import Law
from sklearn_eql.laws.standing import Standing, delta_description_lengths, rivals, standing_from_record, standings
from sklearn_eql.primitives import PRIMITIVES
from sklearn_eql.sparse.problem import EXACT
from sklearn_eql.sparse.rows import BLOCK, RowView
from sklearn_eql.symbolic.equation import Equation, Unit

SQUARE = Equation(1, (Unit("square", (((1, 1.0),),)),), ((2, 1.0),))
LINE = Equation(1, (), ((0, 0.0), (1, 1.0)))


def law(equation, X, y, weight=None, n_free=1):
    error = np.average((equation.evaluate(X, PRIMITIVES) - y) ** 2, weights=weight)
    variance = np.average((y - np.average(y, weights=weight)) ** 2, weights=weight)
    return Law(equation, error, error / variance if variance else error, EXACT, 3, n_free, 2, 0)


def square_and_line(X, y, weight=None):
    """``a*x**2``, which is true, and ``a + b*x``, fitted to the rows."""
    root = np.sqrt(np.ones(len(y)) if weight is None else weight)
    basis = [X**2, np.c_[np.ones(len(y)), X]]
    fitted = [np.linalg.lstsq(root[:, None] * b, root * y)[0] for b in basis]
    equations = [
        form.with_coefficients([*fixed, *c]) for form, fixed, c in zip((SQUARE, LINE), ([1.0], []), fitted, strict=True)
    ]
    return [law(e, X, y, weight, n) for e, n in zip(equations, (1, 2), strict=True)]


def noisy_square(n, scale=0.3, seed=0):
    rng = np.random.default_rng(seed)
    X = np.sort(rng.uniform(1, 2, (n, 1)), axis=0)
    return X, X[:, 0] ** 2 + scale * rng.normal(size=n)


def marks(front, X, y, weight=None, best=0, **options):
    return rivals(front, best, X, y, weight, PRIMITIVES, **options)


def share_of_rivals(n, weight=None):
    """Of tables in which a parabola is selected, those where the line is its rival."""
    tables = [noisy_square(n, seed=seed) for seed in range(20)]
    return np.mean([marks(square_and_line(*table, weight), *table, weight)[1] for table in tables])


def test_few_noisy_rows_do_not_tell_a_parabola_from_a_line_and_many_do():
    assert share_of_rivals(12) > 0.5
    assert share_of_rivals(500) < 0.2


def test_a_weight_says_how_much_a_row_tells():
    weight = np.where(np.arange(500) % 50 == 0, 1.0, 1e-9)  # ten rows that count
    assert share_of_rivals(500, weight) == share_of_rivals(500, 1000 * weight) > 0.3


def test_a_coefficient_that_follows_the_noise_is_no_evidence():
    n_alike = 0
    for seed in range(40):
        X, y = noisy_square(40, seed=seed)
        basis = np.c_[X**2, np.ones(40)]
        a, b = np.linalg.lstsq(basis, y)[0]
        shifted = Equation(1, SQUARE.units, ((0, b), (2, a)))
        n_alike += marks([square_and_line(X, y)[0], law(shifted, X, y, n_free=2)], X, y)[1]
    assert n_alike >= 36  # the likelihood ratio of a superfluous coefficient is above 6 in two of a hundred


def test_exact_laws_have_exact_rivals_only():
    X = np.linspace(1, 2, 20)[:, None]
    y = X[:, 0] ** 2
    exact, same = law(SQUARE, X, y), law(Equation(1, SQUARE.units, ((2, 1 + 1e-15),)), X, y, n_free=0)
    wrong = law(LINE, X, y)
    assert marks([exact, same, wrong], X, y) == [False, True, False]
    assert marks([exact, same, wrong], X, y, best=2) == [False, False, False]


def test_nothing_left_over_and_a_target_without_variance_give_no_nan():
    X = np.ones((6, 1))
    with np.errstate(all="raise"):
        assert marks([law(SQUARE, X, np.ones(6)), law(LINE, X, np.ones(6))], X, np.ones(6)) == [False, True]
        assert marks([law(LINE, X, np.zeros(6))], X, np.zeros(6)) == [False]


def test_laws_that_predict_the_same_are_rivals():
    X, y = noisy_square(30)
    front = [law(SQUARE, X, y), law(Equation(1, (Unit("mul", (((1, 1.0),), ((1, 1.0),))),), ((2, 1.0),)), X, y)]
    assert marks(front, X, y) == [False, True]


@pytest.mark.parametrize("unit", [1e-150, 1e150])
def test_units_do_not_matter(unit):
    X, y = noisy_square(12, seed=1)
    front = square_and_line(X, y)
    assert marks(front, X, y) == [False, True]
    scales = ([1.0, unit], [unit, unit])  # the argument of the square has a coefficient, too
    in_units = [f.equation.with_coefficients(f.equation.coefficients() * s) for f, s in zip(front, scales, strict=True)]
    scaled = [law(equation, X, unit * y, n_free=n) for equation, n in zip(in_units, (1, 2), strict=True)]
    assert marks(scaled, X, unit * y) == [False, True]


def test_a_long_table_is_read_in_blocks_until_the_deadline():
    X, y = noisy_square(3 * BLOCK + 5)
    order = np.random.default_rng(1).permutation(len(y))
    front = square_and_line(X, y)
    view = RowView(X[np.argsort(order)], order)  # the same rows
    assert marks(front, view, y) == marks(front, X, y) == [False, False]
    assert marks(front, view, y, deadline=0.0) == [False, False]  # a block is enough


def test_the_difference_of_descriptions_is_zero_for_the_shortest():
    X, y = noisy_square(100)
    front = square_and_line(X, y)
    lengths = [f.description_length(100) for f in front]
    assert delta_description_lengths(front, 100) == pytest.approx([0.0, (lengths[1] - lengths[0]) / 2])


def test_a_standing_is_read_from_plain_values():
    X, y = noisy_square(20)
    plain = standings(square_and_line(X, y), 20, None)
    assert [s.rival for s in plain] == [None, None]
    known = standings(square_and_line(X, y), 20, [False, True], np.array([0.1, math.inf]), np.array([0.01, math.nan]))
    assert (known[0].cv_loss, known[1].cv_loss) == (0.1, math.inf)
    record = {"delta_dl": 1.5, "rival": True, "of_a_newer_version": 3}
    assert standing_from_record(record) == Standing(1.5, True)
