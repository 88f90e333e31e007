"""Constants are named only where a float is one, and put in place of fitted ones only where the error confirms it."""

import math

import numpy as np
import pytest
import sympy

from sklearn_eql.symbolic import Equation, Unit, candidates, recognise, tidy

EXACT = [
    sympy.Integer(1),
    sympy.Integer(-37),
    sympy.Integer(123456),
    sympy.Rational(1, 3),
    sympy.Rational(-5, 12),
    sympy.Rational(3, 7),
    sympy.pi,
    -sympy.pi / 2,
    2 * sympy.pi,
    7 * sympy.pi / 12,
    1 / sympy.pi,
    sympy.pi**2,
    sympy.E,
    1 / sympy.sqrt(2 * sympy.pi),
    sympy.sqrt(2) / 2,
    3 * sympy.sqrt(5),
    sympy.log(2),
]


@pytest.mark.parametrize("exact", EXACT, ids=str)
def test_constants_are_recognised_to_the_last_bit_only(exact):
    value = float(exact.evalf(25))
    assert recognise(value) == exact
    assert recognise(math.nextafter(value, 2 * value)) in (exact, None)
    assert recognise(value * (1 + 1e-14)) is None


@pytest.mark.parametrize("value", [9.81, 0.123, 1e7, 6.674e-11, -1.2345])
def test_measured_numbers_are_not_given_names(value):
    assert recognise(value) is None


@pytest.mark.parametrize("value", [0.1, 3.7, -0.6])
def test_tenths_and_fifths_stay_decimals(value):
    assert recognise(value) is None
    assert candidates(value, 1e-9 * abs(value))[0].exact == sympy.Float(value)


def test_random_floats_are_never_recognised():
    values = np.random.default_rng(0).lognormal(size=20_000)
    assert all(recognise(float(v)) is None for v in values)


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_what_is_not_finite_has_no_name(value):
    assert recognise(value) is None
    assert candidates(value, 1.0) == []


@pytest.mark.parametrize(
    ("value", "tolerance", "first"),
    [
        (3.1416, 1e-4, sympy.pi),
        (-0.4999, 1e-3, sympy.Rational(-1, 2)),
        (9.99, 0.02, sympy.Integer(10)),
        (6.2832, 1e-4, 2 * sympy.pi),
        (1234.0001, 1e-3, sympy.Integer(1234)),
        (9.8101, 1e-3, sympy.Float(9.81)),
    ],
)
def test_the_simplest_candidate_comes_first(value, tolerance, first):
    found = candidates(value, tolerance)
    assert found[0].exact == first
    assert all(abs(c.value - value) <= tolerance for c in found)
    assert [c.cost for c in found] == sorted(c.cost for c in found)


def test_zero_is_no_candidate():
    assert all(c.value != 0 for c in candidates(1e-3, 0.1))


class _LeastSquares:
    """A refit for ``a + b*x + c*sin(x)``, linear in its coefficients after the fixed frequency; counts its calls."""

    def __init__(self, y, noise=0.0):
        rng = np.random.default_rng(0)
        self.X = np.linspace(0.1, 3.0, 60)[:, None]
        self.basis = np.column_stack([np.ones(60), self.X[:, 0], np.sin(self.X[:, 0])])
        self.y = self.basis @ y + noise * rng.normal(size=60)
        self.calls = 0

    def law(self, coefficients):
        frequency, *linear = coefficients
        return Equation(1, (Unit("sin", (((1, frequency),),)),), tuple(zip((0, 1, 2), linear, strict=True)))

    def __call__(self, equation, free):
        self.calls += 1
        theta = equation.coefficients()
        linear = free[1:]
        rest = self.y - self.basis[:, ~linear] @ theta[1:][~linear]
        if linear.any():
            theta[1:][linear] = np.linalg.lstsq(self.basis[:, linear], rest, rcond=None)[0]
        fitted = equation.with_coefficients(theta)
        return fitted, float(np.mean((fitted.evaluate(self.X) - self.y) ** 2))

    def solve(self):
        law, loss = self(self.law([1.0, 0.0, 0.0, 0.0]), np.array([False, True, True, True]))
        self.calls = 0
        return law, loss

    def errors(self, loss):
        covariance = loss * np.linalg.inv(self.basis.T @ self.basis)
        return np.concatenate([[1e-12], np.sqrt(np.diag(covariance))])


def _confirmed(old, new, n_fixed):
    assert n_fixed >= 1
    return new <= 1.1 * old + 1e-20


def _always(old, new, n_fixed):
    return True


def _never(old, new, n_fixed):
    return False


def test_a_law_without_noise_gets_all_its_constants_with_one_refit():
    refit = _LeastSquares(np.array([0.5, math.pi, -2.0]))
    law, loss = refit.solve()
    tidied, new_loss = tidy(law, loss, refit, _confirmed, standard_errors=refit.errors(loss))
    assert tidied.coefficients().tolist() == [1.0, 0.5, math.pi, -2.0]
    assert new_loss < 1e-20
    assert refit.calls == 1


def test_constants_hidden_in_noise_are_found_from_the_standard_errors():
    refit = _LeastSquares(np.array([1.0, 2.0, 10.0]), noise=0.01)
    law, loss = refit.solve()
    tidied, _ = tidy(law, loss, refit, _confirmed, standard_errors=refit.errors(loss))
    assert tidied.coefficients().tolist() == [1.0, 1.0, 2.0, 10.0]


def test_one_wrong_constant_does_not_cost_the_others():
    refit = _LeastSquares(np.array([0.50003, math.pi, -2.0]))
    law, loss = refit.solve()
    tidied, _ = tidy(law, loss, refit, _confirmed)
    assert tidied.coefficients()[2:].tolist() == [math.pi, -2.0]
    assert tidied.coefficients()[1] == pytest.approx(0.50003, abs=1e-9)
    assert refit.calls <= 1 + 3 * 4


def test_constants_the_error_contradicts_are_not_taken():
    refit = _LeastSquares(np.array([0.50003, 3.14165, -2.0002]))
    law, loss = refit.solve()
    tidied, new_loss = tidy(law, loss, refit, _never)
    assert (tidied, new_loss) == (law, loss)


def test_constants_outside_the_standard_errors_are_not_tried():
    refit = _LeastSquares(np.array([0.5003, 3.1423, -2.0007]))
    law, loss = refit.solve()
    tidied, _ = tidy(law, loss, refit, _always, standard_errors=np.full(4, 1e-7))
    assert 0.5 not in tidied.coefficients()
    assert math.pi not in tidied.coefficients()


def test_the_error_is_asked_about_as_many_coefficients_as_are_fixed():
    refit = _LeastSquares(np.array([0.50003, math.pi, -2.0]))
    law, loss = refit.solve()
    asked = []

    def accept(old, new, n_fixed):
        asked.append(n_fixed)
        return _confirmed(old, new, n_fixed)

    tidied, _ = tidy(law, loss, refit, accept)
    assert asked[0] == 4, "all at once first: one, a half, pi and minus two"
    assert sum(recognise(value) is not None for value in tidied.coefficients()) == 3
    assert max(asked[1:]) <= 3 + 1


def test_coefficients_known_too_badly_are_left_alone():
    refit = _LeastSquares(np.array([0.49, 3.3, -2.1]))
    law, loss = refit.solve()
    for errors in (np.full(4, np.inf), np.full(4, np.nan), np.full(4, 0.5)):
        assert tidy(law, loss, refit, _always, standard_errors=errors) == (law, loss)
    assert refit.calls == 0


@pytest.mark.parametrize(
    ("exponent", "error", "expected"),
    [
        (1.13, 0.25, 1.0),
        (-1.8, 0.2, -2.0),
        (1.46, 0.03, 1.5),
        (1.46, 0.001, 1.46),
        (0.3, 0.2, 0.3),
        (1.1, 0.5, 1.1),
        (2.65, 0.16, 2.65),
    ],
)
def test_an_exponent_is_a_round_number_where_its_errors_do_not_say_otherwise(exponent, error, expected):
    """Of a logarithm's factor, and of a power; a coefficient that carries a unit is left alone."""
    log = Unit("log", (((1, 1.0),),))
    replay = lambda equation, free: (equation, 1.0)  # noqa: E731
    law = Equation(1, (log,), ((0, 7.7), (2, exponent)))
    assert tidy(law, 1.0, replay, _always, standard_errors=np.array([1.0, 1e-9, error]))[0].output[1][1] == expected
    law = Equation(1, (log, Unit("exp", (((2, exponent),),))), ((3, 7.7),))
    tidied, _ = tidy(law, 1.0, replay, _always, standard_errors=np.array([1.0, error, 1e-9]))
    named = {"square": 2.0} if tidied.units else {"": 1.0}
    assert expected in [*tidied.coefficients().tolist(), *named.values()]
    law = Equation(1, (), ((1, exponent),))
    if error > 0.1:
        assert tidy(law, 1.0, replay, _always, standard_errors=np.array([error]))[0] == law


def test_a_tidied_phase_of_a_quarter_turn_makes_a_cosine():
    law = Equation(1, (Unit("sin", (((0, math.pi / 2 - 1e-10), (1, 1.7)),)),), ((2, 1.0),))
    tidied, _ = tidy(law, 0.0, lambda equation, free: (equation, 0.0), _always)
    assert tidied.units[0].primitive == "cos"


class _Replay:
    """A refit that moves nothing; knows how far off the coefficients are."""

    def __init__(self, *coefficients):
        self.law = Equation(1, (Unit("sin", (((1, coefficients[0]),),)),), tuple(enumerate(coefficients[1:], 1)))

    def __call__(self, equation, free):
        return equation, 0.0


def test_what_is_left_is_tried_again_with_the_errors_it_then_has():
    replay, asked = _Replay(2.0, 0.5, 3.01), []

    def renew(equation, free):
        asked.append(free.tolist())
        return np.where(free, 0.01, np.inf)

    errors = np.array([1e-6, 1e-6, 1.0])  # of which the last is known only once the others are fixed
    without, _ = tidy(replay.law, 0.0, replay, _always, standard_errors=errors)
    assert without.coefficients().tolist() == [2.0, 0.5, 3.01]
    tidied, _ = tidy(replay.law, 0.0, replay, _always, standard_errors=errors, renew=renew)
    assert tidied.coefficients().tolist() == [2.0, 0.5, 3.0]
    assert asked == [[False, False, True]]


def test_errors_are_not_asked_for_where_nothing_was_fixed_or_nothing_is_left():
    def renew(equation, free):
        raise AssertionError("nothing to ask")

    everything, nothing = _Replay(2.0, 0.5, 3.0), _Replay(2.1234, 0.5678, 3.4321)
    tidied, _ = tidy(everything.law, 0.0, everything, _always, renew=renew)
    assert tidied == everything.law
    assert tidy(nothing.law, 0.0, nothing, _never, renew=renew) == (nothing.law, 0.0)


def test_rounds_end_where_nothing_more_is_replaced():
    replay, calls = _Replay(2.0, 0.5678, 3.4321), []

    def renew(equation, free):
        calls.append(None)
        return np.full(3, 1e-9)

    tidied, _ = tidy(replay.law, 0.0, replay, _always, standard_errors=np.full(3, 1e-9), renew=renew)
    assert tidied == replay.law
    assert len(calls) == 1


def test_coefficients_given_are_held_while_others_are_replaced():
    replay, held = _Replay(2.1234, 0.5, 3.01), []

    def refit(equation, free):
        held.append((equation.coefficients()[0], bool(free[0])))
        return equation, 0.0

    tidied, _ = tidy(replay.law, 0.0, refit, _always, standard_errors=np.full(3, 0.01), given={0: 2.25})
    assert tidied.coefficients().tolist() == [2.25, 0.5, 3.0]
    assert held
    assert all(place == (2.25, False) for place in held)


def test_coefficients_given_stay_where_nothing_else_is_replaced():
    replay = _Replay(2.0, 0.5678, 3.4321)
    errors = np.array([np.inf, 1e-9, 1e-9])
    tidied, loss = tidy(replay.law, 0.125, replay, _never, standard_errors=errors, given={0: 2.0})
    assert (tidied, loss) == (replay.law, 0.125)
