"""The law in another language is the law: every text is run, and compared with what the equation gives."""

import math

import numpy as np
import pytest
import sympy
from code_runners import RUNNERS
from symbolic_laws import assert_same_values, random_equation, sample

from sklearn_eql.primitives import PRIMITIVES
from sklearn_eql.symbolic import Equation, Frame, Unit, canonicalize, to_code, to_function, to_sympy

NAMES = ["lambda", "l (m)"]
x, z = map(sympy.Symbol, NAMES)


def _of_one_unit(name):
    """``2.5*f(a*x + b, ...) + 1/3``."""
    args = tuple(((1 + i, 0.7), (0, 0.1)) for i in range(PRIMITIVES[name].arity))
    return Equation(2, (Unit(name, tuple(tuple(sorted(a)) for a in args)),), ((0, 1 / 3), (3, 2.5)))


def _laws():
    framed = Equation(
        2,
        (Unit("exp", (((0, 40.5), (1, -0.2)),)), Unit("mul", (((2, 1.0),), ((3, 1.0),)))),
        ((3, 1e-15), (4, 1 / 3)),
        Frame((0.7, 0.1), (1.0, 1e-3), 1e3 / 3),
    )
    random = [canonicalize(random_equation(seed, max_units=4)) for seed in range(40)]
    return [framed, *map(_of_one_unit, PRIMITIVES), *random]


@pytest.fixture(scope="module")
def laws():
    """Pairs of a law and its expression, real ones."""
    pairs = [(law, to_sympy(law, NAMES)) for law in _laws()]
    return [(law, e) for law, e in pairs if not e.has(sympy.I, sympy.nan, sympy.zoo) and e.free_symbols]


@pytest.mark.parametrize("language", RUNNERS)
def test_a_law_in_another_language_gives_what_the_equation_does(language, laws, tmp_path):
    X = sample(0)
    written = []
    for i, (_, expr) in enumerate(laws):
        read = [column for column, name in enumerate(NAMES) if sympy.Symbol(name) in expr.free_symbols]
        text = to_code(expr, NAMES, language, f"law{i}")
        called = [f"{'AB'[column]}2" for column in read] if language == "excel" else f"law{i}"
        written.append((text, called, [X[:, column] for column in read]))
    rtol = 1e-9 if language != "excel" else 1e-7  # constants of 15 digits
    with np.errstate(all="ignore"):
        values = RUNNERS[language](written, tmp_path)
    for (law, _), got in zip(laws, values, strict=True):
        assert_same_values(law, law.evaluate(X), np.array(got, dtype=float), X, rtol=rtol)


@pytest.mark.parametrize("language", ["c", "fortran", "javascript", "julia", "numpy", "python"])
def test_numbers_keep_every_digit(language, tmp_path):
    numbers = [0.1, 1 / 3, math.nextafter(1.0, 2.0), 6.02214076e23, 1.6e-19, 123456789012345678.0, 2.0**53, 1e-300]
    assert "0.5" in to_code(sympy.Float(0.5), NAMES, language)  # laws that read nothing are functions, too
    laws = [
        (to_code(sympy.Mul(sympy.Float(n), x), NAMES, language, f"law{i}"), f"law{i}", [[1.0]])
        for i, n in enumerate(numbers)
    ]
    assert [values[0] for values in RUNNERS[language](laws, tmp_path)] == numbers


def test_names_that_are_no_identifiers_are_replaced_and_told():
    text = to_code(x * z + sympy.Symbol("x"), [*NAMES, "x"], "c")
    assert "double law(double lambda_, double l_m, double x)" in text
    assert '* lambda_ is "lambda"' in text
    assert '* l_m is "l (m)"' in text
    assert '"x"' not in text


def test_names_that_a_language_takes_itself_or_cannot_tell_apart_are_replaced():
    names = ["double", "A", "a", "end", "law", "λ", "_1"]
    expr = sum(map(sympy.Symbol, names))
    assert "double double_2, double A, double a, double end, double law_2, double lamda, double x_1)" in to_code(
        expr, names, "c"
    )
    assert "function law(double_2, A, a_2, end_2, law_2, lamda, x_1)" in to_code(expr, names, "fortran")
    assert "function law(double, A, a, end_2, law_2, lamda, x_1)" in to_code(expr, names, "julia")


def test_a_comment_cannot_be_left_by_the_name_of_a_column(tmp_path):
    names = ["a */ int x; /*", "b\n#error", "c\\"]
    expr = sum(map(sympy.Symbol, names))
    for language in ("c", "fortran", "javascript", "python"):
        (tmp_path / language).mkdir()
        text = to_code(expr, names, language)
        assert RUNNERS[language]([(text, "law", [[1.0], [2.0], [4.0]])], tmp_path / language)[0][0] == 7.0


def test_variables_name_parameters_and_cells():
    assert "def law(length, l_m):" in to_code(x * z, NAMES, "python", variables={"lambda": "length"})
    assert to_code(x * z, NAMES, "excel", variables={"l (m)": "$D$1"}) == "=$D$1*A2"
    many = [f"c{i}" for i in range(800)]
    assert to_code(sympy.Symbol("c26") - sympy.Symbol("c799"), many, "excel") == "=AA2-ADT2"


def test_a_power_of_a_negative_number_is_no_trap_in_excel():
    assert to_code(-(x**2), NAMES, "excel") == "=-POWER(A2,2)"


def test_long_statements_in_fortran_go_on_in_the_next_line(tmp_path):
    expr = sum(sympy.Float(k / 7) * x**k for k in range(1, 60))
    text = to_code(expr, NAMES, "fortran")
    assert max(map(len, text.splitlines())) <= 132
    value = RUNNERS["fortran"]([(text, "law", [[0.9]])], tmp_path)[0][0]
    assert value == pytest.approx(sum(k / 7 * 0.9**k for k in range(1, 60)), rel=1e-13)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        ({"language": "cobol"}, "language='cobol' is not known. Expected one of 'c', "),
        ({"language": "c", "name": "my law"}, "'my law' cannot be a name in c"),
        ({"language": "c", "name": "double"}, "'double' cannot be a name in c"),
        ({"language": "c", "variables": {"q": "x"}}, "variables: 'q' is no column"),
        ({"language": "c", "variables": {"lambda": "x y"}}, "'x y' cannot be a name"),
    ],
)
def test_mistakes_are_told(call, message):
    with pytest.raises(ValueError, match=message):
        to_code(x * z, NAMES, **call)


@pytest.mark.parametrize("language", RUNNERS)
def test_a_function_that_a_language_has_not_is_told(language):
    with pytest.raises(ValueError, match=r"The law has zeta, which cannot be written in .* use torch_module"):
        to_code(sympy.zeta(x), NAMES, language)


def test_a_formula_that_is_too_long_for_excel_is_told():
    with pytest.raises(ValueError, match="characters, and Excel takes 8192"):
        to_code(sum(sympy.Float(k / 7) * x**k for k in range(1, 400)), NAMES, "excel")


def test_functions_of_arrays_take_rows_of_any_shape(laws):
    X = sample(1, n=12)
    chosen = [(law, e) for law, e in laws if np.isfinite(law.evaluate(X)).all()]
    expected = np.stack([law.evaluate(X) for law, _ in chosen], axis=1)
    function = to_function([e for _, e in chosen], NAMES, np, squeeze=False)
    for i, (law, _) in enumerate(chosen):
        assert_same_values(law, expected[:, i], function(X)[:, i], X)
    np.testing.assert_array_equal(function(X.reshape(3, 4, 2)), function(X).reshape(3, 4, -1))
    assert function(X.astype(np.float32)).dtype == np.float32
    assert to_function([sympy.Float(2.5)], NAMES, np, squeeze=True)([[1, 2], [3, 4]]).tolist() == [2.5, 2.5]
    with pytest.raises(ValueError, match=r"X has shape \(3,\); expected \(..., 2\)"):
        function([1, 2, 3])


def test_functions_of_jax_are_compiled_and_differentiated(laws):
    jax = pytest.importorskip("jax")
    X = sample(1, n=12)
    chosen = [(law, e) for law, e in laws if np.isfinite(law.evaluate(X)).all()]
    function = jax.jit(to_function([e for _, e in chosen], NAMES, jax.numpy, squeeze=False))
    values = np.asarray(function(X))  # in float32
    for i, (law, _) in enumerate(chosen):
        if not any(unit.primitive in ("floor", "mod") for unit in law.units):
            np.testing.assert_allclose(values[:, i], law.evaluate(X), rtol=2e-3, atol=1e-4)
    slope = jax.grad(to_function([x**2 * z], NAMES, jax.numpy, squeeze=True))(jax.numpy.array([3.0, 2.0]))
    np.testing.assert_allclose(slope, [12.0, 9.0], rtol=1e-6)
