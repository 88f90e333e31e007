"""One spelling per function, as far as cheap algebra goes, and the function stays what it was."""

import numpy as np
import pytest

from sklearn_eql.language.canonical import canonical, skeleton
from sklearn_eql.language.evaluation import evaluate
from sklearn_eql.language.grammar import Grammar, random_trees
from sklearn_eql.language.normal_form import NoCanonicalFormError


def spelled(text, max_integer=9):
    return " ".join(canonical(tuple(text.split()), max_integer))


@pytest.mark.parametrize(
    "texts",
    [
        ("add x0 1", "add 1 x0", "sub x0 sub 2 3", "div sub square x0 mul x0 neg 1 x0"),
        ("mul 2 x0", "add x0 x0", "div x0 div 1 2", "mul x0 2"),
        ("sub sin x0 x0", "neg sub x0 sin x0", "sub neg x0 sin neg x0"),
        ("square x0", "mul x0 x0", "exp mul 2 log neg x0", "div cube x0 x0"),
        ("add x0 square x0", "mul x0 add x0 1", "mul add 1 x0 x0"),
        ("exp mul 2 x0", "square exp x0", "mul exp x0 exp x0", "inv exp mul x0 neg 2"),
        ("mul x0 sqrt x0", "sqrt cube x0", "div square x0 sqrt x0"),
        ("add x0 inv x0", "div add 1 square x0 x0"),
        ("cos sub x0 1", "cos sub 1 x0"),
        ("log x0", "neg log inv x0", "sub log exp log x0 0", "div log cube x0 3"),
        ("sqrt div x0 2", "div sqrt mul 2 x0 2"),
        ("x0", "log exp x0", "exp log x0", "square sqrt x0", "inv inv x0"),
        ("sqrt square x0", "sqrt mul x0 x0"),
    ],
)
def test_spellings_of_one_function_become_one(texts):
    assert len({spelled(text) for text in texts}) == 1


def test_the_root_of_a_square_is_no_variable():
    assert spelled("sqrt square x0") == "sqrt square x0"


def test_the_shorter_of_factored_and_multiplied_out_is_written():
    assert spelled("add x0 sqrt x0") == "add x0 sqrt x0"
    assert spelled("add sin x0 mul x0 sin x0") == "mul sin x0 add x0 1"
    assert spelled("div add x0 2 3") == "div add x0 2 3"


def test_random_trees_keep_their_function_and_have_one_form():
    X = np.linspace(-3, 3, 41)[:, None] + 0.01
    trees, forms = [], []
    for tree in random_trees(Grammar(), 400, np.random.default_rng(3)):
        try:
            form = canonical(tree)
        except NoCanonicalFormError:
            continue
        assert canonical(form) == form
        trees.append(tree)
        forms.append(form)
    assert len(forms) > 200
    for tree, before, after in zip(trees, evaluate(trees, X), evaluate(forms, X), strict=True):
        both = np.isfinite(before) & np.isfinite(after) & (np.abs(before) < 1e6)
        np.testing.assert_allclose(after[both], before[both], rtol=1e-6, atol=1e-6, err_msg=" ".join(tree))
        # A canonical form is defined wherever the tree was.
        assert np.isnan(after[np.isfinite(before)]).mean() <= 0.05 if np.isfinite(before).any() else True


@pytest.mark.parametrize(
    "text",
    [
        "3",
        "sub x0 x0",
        "sin 2",
        "add x0 exp 1",
        "sqrt 2",
        "div x0 0",
        "log neg 0",
        "add x0 mul 4 3",
        "cube square square x0",
    ],
)
def test_what_has_no_form_with_small_integers_is_refused(text):
    with pytest.raises(NoCanonicalFormError):
        spelled(text)


def test_integers_go_as_far_as_asked():
    assert spelled("mul 4 mul 3 x0", max_integer=12) == "mul 12 x0"


def test_a_skeleton_has_no_numbers():
    assert skeleton(("add", "mul", "3", "x0", "1")) == ("add", "mul", "C", "x0", "C")
