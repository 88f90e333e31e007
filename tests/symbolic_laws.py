"""Random laws over all primitives, and how far rounding alone moves their values."""

import numpy as np
import sympy

from sklearn_eql.primitives import PRIMITIVES
from sklearn_eql.symbolic import Equation, Unit

_SPECIAL = (1.0, -1.0, 2.0, 0.5, 3.0, np.pi / 2, -np.pi, 0.0)


def random_equation(seed, max_units=7, n_features=2):
    """A law of 1 to `max_units` units; a third of its coefficients are special numbers."""
    rng = np.random.default_rng(seed)

    def coefficient():
        return float(rng.choice(_SPECIAL) if rng.random() < 0.35 else 1.2 * rng.normal())

    def form(n_sources, size):
        chosen = rng.choice(n_sources, size=min(n_sources, rng.integers(1, size + 1)), replace=False)
        return tuple((s, coefficient()) for s in sorted(chosen.tolist()))

    units, names = [], list(PRIMITIVES)
    for i in range(rng.integers(1, max_units + 1)):
        primitive = PRIMITIVES[names[rng.integers(len(names))]]
        units.append(Unit(primitive.name, tuple(form(1 + n_features + i, 3) for _ in range(primitive.arity))))
    return Equation(n_features, tuple(units), form(1 + n_features + len(units), 4))


def assert_same_values(law, expected, actual, X, rtol=1e-9):
    """`actual` equals `expected`, both (n,), up to what perturbing the coefficients of `law` by 1e-13 does to it."""
    rng = np.random.default_rng(0)
    coefficients = law.coefficients()
    moved = law.with_coefficients(coefficients * (1 + 1e-13 * rng.normal(size=len(coefficients)))).evaluate(X)
    checked = np.isfinite(expected) & np.isfinite(moved) & (np.abs(expected) < 1e6)
    expected, actual, moved = expected[checked], actual[checked], moved[checked]
    assert np.all(np.abs(actual - expected) <= rtol * np.abs(expected) + 1e3 * np.abs(moved - expected) + 1e-12)


def sample(seed, n=20, n_features=2):
    """Positive rows, shape (n, n_features), where most functions are defined."""
    return np.random.default_rng(seed).uniform(0.2, 2.0, size=(n, n_features))


_POWERS = {2.0: "square", 3.0: "cube", -1.0: "inv", 0.5: "sqrt"}


def equation_of(text, names):
    """The law that a SymPy expression says, unit by unit as it is written."""
    units, n_features = [], len(names)

    def unit(name, *args):
        units.append(Unit(name, tuple(tuple(sorted(arg.items())) for arg in args)))
        return {n_features + len(units): 1.0}

    def form(expr):
        if expr.is_Symbol:
            return {1 + names.index(expr.name): 1.0}
        if expr.is_number:
            return {0: float(expr)}
        args = [form(arg) for arg in expr.args]
        if expr.is_Add:
            sources = dict.fromkeys(source for arg in args for source in arg)
            return {source: sum(arg.get(source, 0.0) for arg in args) for source in sources}
        if expr.is_Mul:
            product = args[0]
            for arg in args[1:]:
                product = unit("mul", product, arg)
            return product
        if isinstance(expr, sympy.exp):
            return unit("exp", *args)
        if expr.is_Pow:
            name = _POWERS.get(float(expr.exp)) if expr.exp.is_number else None
            return unit(name, args[0]) if name else unit("pow", *args)
        return unit(expr.func.__name__, *args)

    output = form(sympy.sympify(text, dict(zip(names, sympy.symbols(names), strict=True)), evaluate=False))
    return Equation(n_features, tuple(units), tuple(sorted(output.items())))
