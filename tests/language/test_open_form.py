"""Forms with open constants: one for a law and all its numbers, and it can be filled to give the law."""

import numpy as np
import pytest
import sympy

from sklearn_eql.language import Grammar, from_sympy, random_trees
from sklearn_eql.language.evaluation import evaluate
from sklearn_eql.language.grammar import PLACES
from sklearn_eql.language.normal_form import NoCanonicalFormError
from sklearn_eql.language.open_form import form_of, open_form

x0, x1 = sympy.symbols("x0 x1")


@pytest.mark.parametrize(
    ("law", "form"),
    [
        (3 * x0 + 2, "x0"),
        (2 * x0 * x1, "mul x0 x1"),
        (3 * x0 + 5 * x1 + 1, "add x0 mul C x1"),
        (sympy.sin(2 * x0), "sin mul P x0"),
        (sympy.cos(2 * x0 + 1), "sin add mul P x0 C"),
        (sympy.exp(3 - x0), "exp mul C x0"),
        (sympy.log(2 * x0), "log x0"),
        (x1 * sympy.log(2 * x0), "mul x1 log mul P x0"),
        (sympy.sqrt(1 - x0**2), "sqrt add mul S square x0 C"),
        (1 / (2 + 3 * x0), "inv add x0 C"),
    ],
)
def test_form(law, form):
    variables = (x0, x1)
    assert " ".join(open_form(from_sympy(law, variables))) == form


def test_a_factor_below_a_root_is_one_in_front():
    assert open_form(("sqrt", "mul", "2", "x0")) == ("sqrt", "x0")


def test_numbers_do_not_matter():
    laws = [a * x0 * sympy.sin(b * x1 + c) + d * x1**2 + e for a, b, c, d, e in [(1, 1, 1, 1, 1), (2, 3, 4, -5, 6)]]
    assert len({open_form(from_sympy(law, (x0, x1))) for law in laws}) == 1


def test_forms_are_filled_to_give_the_law():
    X = np.random.default_rng(0).uniform(0.5, 2, (30, 2))
    form = open_form(from_sympy(x0 * sympy.sin(2 * x1 + 1) + 5 * x1**2, (x0, x1)))
    places = sum(token in PLACES for token in form)
    assert " ".join(form) == "add square x1 mul C mul x0 sin add mul P x1 C"
    values = evaluate([form], X, np.array([[0.2, 2.0, 1.0]]))[0]
    assert places == 3
    np.testing.assert_allclose(5 * values, X[:, 0] * np.sin(2 * X[:, 1] + 1) + 5 * X[:, 1] ** 2, rtol=1e-12)


def test_constants_have_no_form():
    with pytest.raises(NoCanonicalFormError):
        open_form(("add", "2", "3"))


def test_every_form_evaluates():
    forms = []
    for tree in random_trees(Grammar(3, min_binary=2), 300, np.random.default_rng(1)):
        try:
            forms.append(open_form(tree))
        except NoCanonicalFormError:
            continue
    constants = np.ones((len(forms), max(sum(t in PLACES for t in form) for form in forms)))
    values = evaluate(forms, np.random.default_rng(0).uniform(0.5, 2, (10, 3)), constants)
    assert len(forms) > 150
    assert np.isfinite(values).any(axis=1).mean() > 0.8


def test_form_of_constants():
    assert form_of(("mul", "c-0.32", "cos", "x0")) == ("mul", "C", "cos", "x0")
