"""From structures to laws in the user's units: constants where they are recognised, one print for one law."""

import numpy as np
import pytest
import sympy
from symbolic_laws import equation_of

from sklearn_eql.laws.finishing import finish
from sklearn_eql.laws.judging import Table
from sklearn_eql.laws.scales import moved_inside
from sklearn_eql.primitives import PRIMITIVES
from sklearn_eql.sparse.levenberg_marquardt import FitResult
from sklearn_eql.sparse.problem import Scaling
from sklearn_eql.sparse.structure import Structure
from sklearn_eql.symbolic import canonicalize, free_mask, rescale, to_sympy

NAMES = list("abcde")


def rows(n=60):
    return np.random.default_rng(0).uniform(1, 3, (n, 5))


def values(law, X):
    return equation_of(law, NAMES).evaluate(X)


def finished(forms, X, y):
    """The front from structures of these forms, all their coefficients free."""
    scaling = Scaling.of(X, y)
    table = Table(X, y, None, scaling, PRIMITIVES, 0)
    found = []
    for form in forms:
        equation = rescale(equation_of(form, NAMES), 1 / scaling.x, 1 / scaling.y, PRIMITIVES)
        structure = Structure.from_equation(equation, free_mask(equation, PRIMITIVES))
        found.append(FitResult(structure, 0.0, 0))
    return finish(found, table)[0]


def printed(law):
    return str(to_sympy(law.equation, NAMES))


@pytest.mark.parametrize(
    ("law", "forms"),
    [
        ("a**2/2 + a", ["a*(0.6*a + 0.9)", "0.6*a**2 + 0.9*a", "0.4*(a + 1.1)**2 - 0.4"]),
        ("a*(b**2/2 + 9.81*c)", ["8*a*(0.06*b**2 + c)", "0.6*a*b**2 + 9*a*c"]),
        ("sqrt(2*a + 1)", ["1.3*sqrt(a + 0.6)", "sqrt(1.9*a + 1.1)"]),
        ("a*b/(a + b)", ["1/(0.9/a + 1.1/b)", "0.9*a*b/(a + 1.1*b)"]),
    ],
)
def test_a_law_is_printed_alike_from_all_forms_it_was_found_in(law, forms):
    X = rows()
    rng = np.random.default_rng(1)
    for noise in (0.0, 1e-15, 1e-15):  # the last bits of another processor
        y = values(law, X) * (1 + noise * rng.normal(size=len(X)))
        for form in forms:
            assert [printed(found) for found in finished([form], X, y)] == [law]
        assert [printed(found) for found in finished(forms, X, y)] == [law]


@pytest.mark.parametrize(
    ("law", "form", "noise"),
    [
        ("sqrt(8*pi*a*b/3 - c*d**2/e**2)", "2.9*sqrt(a*b - 0.12*c*d**2/e**2)", 1e-3),
        ("a*(b**2/2 + 3*c)", "0.5*a*(b**2 + 6*c)", 1e-2),
        ("1/(2*a + 3*b)**2", "0.25/(a + 1.5*b)**2", 1e-6),
    ],
)
def test_constants_are_recognised_inside_of_roots_and_products_with_noise(law, form, noise):
    X = rows(300)
    y = values(law, X) + noise * np.random.default_rng(1).normal(size=len(X))
    found = to_sympy(finished([form], X, y)[-1].equation, NAMES)
    assert found.equals(sympy.sympify(law, {name: sympy.Symbol(name) for name in NAMES}))


def test_scales_are_moved_without_a_change_of_the_law():
    X = rows()
    law = canonicalize(equation_of("3*a*sqrt(b + 2*c)*sin(a + 1) + 5/(a + 0.3*b)**2", NAMES))
    moved = list(moved_inside(law, PRIMITIVES))
    assert len(moved) == 2
    for other, changed, scale in moved:
        np.testing.assert_allclose(other.evaluate(X), law.evaluate(X), rtol=1e-12)
        assert abs(other.coefficients()[scale]) == 1
        same = [i for i in range(len(law.coefficients())) if i not in changed and i != scale]
        np.testing.assert_array_equal(other.coefficients()[same], law.coefficients()[same])


def test_a_scale_that_no_number_can_take_in_is_not_moved():
    law = equation_of("3*(a + 0.3*b)**(1/1000)", NAMES)
    assert list(moved_inside(law, PRIMITIVES)) == []


def test_the_loss_of_a_law_is_its_own_and_not_that_of_a_looser_one():
    X = rows(80)
    y = values("a**2 + b", X) + 0.1 * np.random.default_rng(1).normal(size=len(X))
    for law in finished(["exp(2*log(a)) + b", "a**2.02 + b"], X, y):
        residual = law.equation.evaluate(X) - y
        assert law.loss == pytest.approx(np.mean(residual**2), rel=1e-9)


@pytest.mark.parametrize("form", ["1.9*sqrt(25.3 - a**2)", "9.4*a*sqrt(1/a**2 - 0.039)"])
def test_a_law_that_ends_at_a_row_is_printed_by_its_constants(form):
    X = rows()
    X[:, 0] = np.linspace(1, 5, len(X))
    assert [printed(found) for found in finished([form], X, 2 * np.sqrt(25 - X[:, 0] ** 2))] == ["2*sqrt(25 - a**2)"]


def test_of_one_structure_the_law_with_constants_is_kept_under_noise():
    """One form is read off with its constants, the other is a little more accurate without."""
    X = rows(300)
    rng = np.random.default_rng(2)
    y = values("exp(-a**2/2)/b", X) * (1 + 0.01 * rng.normal(size=len(X)))
    laws = finished(["exp(-0.49*a**2)/b", "1/(b*(1.3*exp(0.5*a**2) - 0.31))", "1.01*exp(-0.51*a**2)/b"], X, y)
    assert "exp(-a**2/2)/b" in [printed(law) for law in laws]
