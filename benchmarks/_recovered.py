"""Has a fit recovered a physical law? The rule of `physics.py`, after SRBench, decided in bounded time.

A law is recovered if both parts hold:

symbolic
    After its constants are rounded to three decimals, its difference from the truth, or its quotient by the truth, is
    a constant (and the quotient not 0).
error
    Its root mean square error on 1,000 fresh rows over the root mean square of the truth there is below 1e-6 for data
    without noise, below five times the noise level else. Each range is 1.5 times as wide as that of the training rows.
    A law that is not finite and real on one of these rows fails.

Which constants a law has depends on how it is written: 0.0796*q/r is q/(4*pi*r), but 4 and pi are not 0.0796. So both
laws are put into four *writings*: as it stands; normalised, which takes the largest coefficient out of every sum;
with products and powers of sums expanded; and both. If the truth has a number L > 1 in a sum, normalised writings are
rounded in steps of 0.001/L, not 0.001. In all writings adjacent numbers are one number first (``1/(4*pi)`` is 0.0796,
exact fractions are numbers too), ``a**f(x)`` is ``exp(log(a)*f(x))``, and symbols are positive where their training
range is, so that ``Abs(x)`` is ``x``. Exponents: fractions stay, other numbers become the fraction with a denominator
up to 6 that is within 0.0005, else are rounded. Three routes lead to "symbolic", one is enough:

1. Both laws rounded, in any pair of writings.
2. The found law against the unrounded truth, with every constant of the found law that is within half a step of a
   constant of the truth replaced by that one, all others rounded. Two constants on the two sides of a boundary of
   rounding are not told apart this way.
3. `_forms.same_law`, which knows the theorems of sines and exponentials, with a tolerance of 0.0005 (0.0005/L): on both
   laws as they stand and on each writing rounded, after scaling the found law. Only for laws whose values are already
   within a tenth of the truth, because it is slow.

Routes 1 and 2 decide "is a constant" from values at 30 random points in the training ranges: a spread below 1e-9.
SymPy's `simplify` decides nothing. What this means:

- Equal laws written in ways that no route sees through (say, nested logarithms) count as missed, and so do laws of more
  than 400 nodes.
- As with SRBench, constants below 0.0005 vanish: 4e-4*x + y counts as y. Without noise the error says no to that; with
  noise it need not.
- As with SRBench, rounding is absolute: cos(2.0006*x) is not cos(2*x), and 0.0796 is 0.0804.
- One writing is enough: 2.0006*x + y is 2*x + y, because x + 0.49985*y is x + 0.5*y.
- The widened ranges of some problems come near a pole of the truth. There a few rows make nearly all of the error.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
import sympy
from _forms import same_law
from _physics import Problem, compiled, evaluate, rms

STEP = 1e-3  # three decimals
EXACT = 1e-6
NOISE_LEVELS = 5.0
CONSTANT = 1e-9  # spread of values that are all the same
N_POINTS = 30
POINTS_SEED = 2**31 - 2
_MIN_POINTS = 20  # of the points, a law must be real at this many
_MAX_NODES = 400
_MAX_EXPANDED = 200
_NEAR = 0.1
_MAX_DENOMINATOR = 6
_NOT_REAL = (sympy.nan, sympy.zoo, sympy.oo, -sympy.oo, sympy.I)

Rounding = Callable[[float], sympy.Expr]


@dataclass(frozen=True)
class Verdict:
    symbolic: bool
    error: float  # relative, inf where the law is not finite
    recovered: bool


def recovered(found: sympy.Expr, problem: Problem, noise: float, seed: int) -> Verdict:
    """Judge a law in the problem's variables, fitted to data with this noise level and seed."""
    found = sympy.sympify(found)
    error = relative_error(found, problem, seed)
    symbolic = same_up_to_rounding(found, problem)
    is_near = error < error_limit(noise)
    if problem.by_error:
        return Verdict(symbolic, error, is_near or bool(noise and symbolic))
    return Verdict(symbolic, error, symbolic and is_near)


def error_limit(noise: float) -> float:
    return NOISE_LEVELS * noise if noise else EXACT


def relative_error(found: sympy.Expr, problem: Problem, seed: int) -> float:
    """Root mean square error over the root mean square of the truth, on fresh rows."""
    X, y = problem.fresh(seed)
    values = _values(found, problem.variables, X)
    if not np.all(np.isfinite(values)):
        return math.inf
    with np.errstate(over="ignore"):
        return rms(values - y) / rms(y)


def same_up_to_rounding(found: sympy.Expr, problem: Problem) -> bool:
    """The symbolic part: whether difference or quotient is a constant once constants are rounded."""
    if node_count(found) > _MAX_NODES or found.has(*_NOT_REAL):
        return False
    symbols = {sympy.Symbol(v): _assumed(v, low) for v, (low, _) in problem.ranges.items()}
    if not found.free_symbols <= symbols.keys():
        return False
    law, truth = found.xreplace(symbols), problem.formula.xreplace(symbols)
    X, y = problem.sample(N_POINTS, np.random.default_rng([POINTS_SEED, problem.position]))
    back = {with_assumption: plain for plain, with_assumption in symbols.items()}

    def at_points(expr: sympy.Expr) -> np.ndarray:
        return _values(expr.xreplace(back), problem.variables, X)

    laws, truths = list(_writings(law)), list(_writings(truth))
    scale = max(1.0, *(_largest_in_sums(writing) for writing in truths))
    steps = [STEP / scale if normalised else STEP for normalised in (False, True, False, True)]
    constants = sorted({value for writing in truths for value in _constants(writing)})
    rounded_laws = [_rounded(f, _rounding(step)) for f, step in zip(laws, steps, strict=True)]
    rounded_truths = [_rounded(t, _rounding(step)) for t, step in zip(truths, steps, strict=True)]

    values_of_truths = [at_points(t) for t in rounded_truths]
    if any(_constant_apart(at_points(f), t) for f in rounded_laws for t in values_of_truths):
        return True
    snapped = (_rounded(f, _rounding(step, constants)) for f, step in zip(laws, steps, strict=True))
    if any(_constant_apart(at_points(f), y) for f in snapped):
        return True
    pairs = [(law, truth), *zip(rounded_laws, rounded_truths, strict=True)]
    return any(_same_scaled(f, t, at_points(f), at_points(t), 0.5 * STEP / scale) for f, t in pairs)


def node_count(expr: sympy.Expr) -> int:
    return sum(1 for _ in sympy.preorder_traversal(expr))


def _assumed(name: str, low: float) -> sympy.Symbol:
    return sympy.Symbol(name, positive=True) if low >= 0 else sympy.Symbol(name, real=True)


def _values(expr: sympy.Expr, variables: list[str], X: np.ndarray) -> np.ndarray:
    if expr.has(*_NOT_REAL):
        return np.full(len(X), np.nan)
    try:
        return evaluate(compiled(expr, variables), X)
    except (ArithmeticError, TypeError, NameError):  # say, a function that NumPy does not have
        return np.full(len(X), np.nan)


# --- Decisions from values


def _constant_apart(found: np.ndarray, truth: np.ndarray) -> bool:
    """Whether difference or quotient of two laws is a constant, from their values at the points (N,)."""
    usable = np.isfinite(found) & np.isfinite(truth)
    if usable.sum() < _MIN_POINTS:
        return False
    found, truth = found[usable], truth[usable]
    with np.errstate(all="ignore"):
        if np.ptp(found - truth) <= CONSTANT * np.median(np.abs(truth)):
            return True
        quotient = found[truth != 0] / truth[truth != 0]
    if len(quotient) < _MIN_POINTS or not np.all(np.isfinite(quotient)):
        return False
    return bool(quotient[0] != 0 and np.ptp(quotient) <= CONSTANT * np.abs(quotient[0]))


def _same_scaled(found: sympy.Expr, truth: sympy.Expr, f: np.ndarray, t: np.ndarray, tolerance: float) -> bool:
    """Route 3, for laws that are near each other; `f` and `t` are their values at the points (N,)."""
    usable = np.isfinite(f) & np.isfinite(t) & (f != 0) & (t != 0)
    if usable.sum() < _MIN_POINTS:
        return False
    with np.errstate(all="ignore"):
        factor = float(np.median(t[usable] / f[usable]))
        if not rms(factor * f[usable] - t[usable]) < _NEAR * rms(t[usable]):
            return False
    return same_law(sympy.Float(factor) * found, truth, tolerance)


# --- Rounding


def _rounding(step: float, constants: Sequence[float] = ()) -> Rounding:
    """To multiples of `step`, or to one of the constants that is within half a step."""

    def rounding(value: float) -> sympy.Expr:
        nearest = min(constants, key=lambda c: abs(c - value), default=math.inf)
        if abs(nearest - value) > 0.5 * step:
            nearest = round(value / step) * step
        return sympy.Integer(nearest) if nearest == round(nearest) else sympy.Float(nearest)

    return rounding


def _rounded(expr: sympy.Expr, rounding: Rounding) -> sympy.Expr:
    """The law with every number but exponents rounded, adjacent numbers as one."""
    if expr.is_number:
        return rounding(float(expr)) if _finite_real(expr) else expr
    if not expr.args:
        return expr
    if expr.is_Add or expr.is_Mul:
        numbers = [arg for arg in expr.args if arg.is_number]
        others = [_rounded(arg, rounding) for arg in expr.args if not arg.is_number]
        return expr.func(_rounded(expr.func(*numbers), rounding), *others) if numbers else expr.func(*others)
    if expr.is_Pow and expr.exp.is_number:
        return _rounded(expr.base, rounding) ** _exponent(expr.exp)
    return expr.func(*(_rounded(arg, rounding) for arg in expr.args))


def _constants(expr: sympy.Expr) -> list[float]:
    """The numbers that `_rounded` would round."""
    seen: list[float] = []

    def note(value: float) -> sympy.Expr:
        seen.append(value)
        return sympy.Float(value)

    _rounded(expr, note)
    return seen


def _largest_in_sums(expr: sympy.Expr) -> float:
    """The largest number in the sums of a law."""
    terms = (term for part in sympy.preorder_traversal(expr) if part.is_Add for term in part.args)
    numbers = (term if term.is_number else term.as_coeff_Mul()[0] for term in terms)
    return max((abs(float(n)) for n in numbers if _finite_real(n)), default=0.0)


def _exponent(power: sympy.Expr) -> sympy.Expr:
    if power.is_Rational or not _finite_real(power):
        return power
    near = Fraction(float(power)).limit_denominator(_MAX_DENOMINATOR)
    if abs(near - float(power)) <= 0.5 * STEP:
        return sympy.Rational(near.numerator, near.denominator)
    return sympy.Rational(round(float(power) / STEP), round(1 / STEP))


def _finite_real(number: sympy.Expr) -> bool:
    value = complex(number)
    return math.isfinite(value.real) and value.imag == 0


# --- Writings


def _writings(expr: sympy.Expr) -> Iterator[sympy.Expr]:
    """The same law, its constants in different places."""
    plain = _with_plain_powers(expr)
    yield plain
    yield _normalised(plain)[1]
    expanded = sympy.expand(plain, power_exp=False, log=False) if _n_terms(plain) <= _MAX_EXPANDED else plain
    yield expanded
    yield _normalised(expanded)[1]


def _with_plain_powers(expr: sympy.Expr) -> sympy.Expr:
    """Exponents as the rule has them, so that expanding works, and exponentials with the base e only."""
    if not expr.args:
        return expr
    args = [_with_plain_powers(arg) for arg in expr.args]
    if expr.is_Pow and args[1].is_number:
        return args[0] ** _exponent(args[1])
    if expr.is_Pow and args[0].is_positive and args[0].is_number:
        return sympy.exp(sympy.log(args[0]).evalf() * args[1])
    return expr.func(*args)


def _n_terms(expr: sympy.Expr) -> int:
    """How many terms the law has when expanded, at most."""
    if not expr.args:
        return 1
    if expr.is_Pow and expr.exp.is_Integer:
        n, power = _n_terms(expr.base), abs(int(expr.exp))
        return math.comb(n + power - 1, power) if power <= _MAX_EXPANDED else n**power
    counts = [_n_terms(arg) for arg in expr.args]
    if expr.is_Mul:
        return math.prod(counts)
    return sum(counts) if expr.is_Add else max(counts)


def _normalised(expr: sympy.Expr) -> tuple[float, sympy.Expr]:
    """``(c, e)`` with ``expr = c*e``, c positive, and in e every sum with a largest coefficient of 1 or -1."""
    if expr.is_number:
        value = float(expr) if _finite_real(expr) else 0.0
        return (abs(value), sympy.Integer(1 if value > 0 else -1)) if value else (1.0, expr)
    if not expr.args:
        return 1.0, expr
    if expr.is_Mul:
        factors = [_normalised(arg) for arg in expr.args]
        return _checked(math.prod(c for c, _ in factors), sympy.Mul(*(e for _, e in factors)), expr)
    if expr.is_Add:
        terms = [_normalised(arg) for arg in expr.args]
        largest = max(c for c, _ in terms)
        return _checked(largest, sympy.Add(*(_times(c / largest, e) for c, e in terms)), expr)
    if expr.is_Pow and expr.exp.is_number and _finite_real(expr.exp):
        c, e = _normalised(expr.base)
        return _checked(_exp(float(expr.exp) * math.log(c)), e**expr.exp, expr)
    args = [_times(*_normalised(arg)) for arg in expr.args]
    if expr.func is sympy.exp and args[0].is_Add:
        offset = sympy.Add(*(arg for arg in args[0].args if arg.is_number))
        if offset and _finite_real(offset):
            return _checked(_exp(float(offset)), sympy.exp(args[0] - offset), expr)
    if expr.func is sympy.log:
        c, e = _normalised(expr.args[0])
        return 1.0, sympy.log(e) if c == 1 else sympy.log(e) + sympy.Float(math.log(c))
    return 1.0, expr.func(*args)


def _exp(value: float) -> float:
    return math.exp(value) if value < 700 else math.inf


def _times(c: float, e: sympy.Expr) -> sympy.Expr:
    return e if c == 1 else sympy.Float(c) * e


def _checked(c: float, e: sympy.Expr, expr: sympy.Expr) -> tuple[float, sympy.Expr]:
    """Coefficients out of the range of floats stay where they are."""
    return (c, e) if 0 < c < math.inf else (1.0, expr)
