"""The vocabulary of units: one :class:`Primitive` per function, and named presets of them.

A primitive is the only place where a function is defined: networks evaluate ``torch_fn``, printed laws use
``sympy_fn``, and a test holds the two against each other for every entry of :data:`PRIMITIVES`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, SupportsIndex

import sympy
import torch

from sklearn_eql.exceptions import InvalidFunctionsError

_MARGIN = 0.1  # distance from the border of a domain that ``Interval.clamp`` keeps


@dataclass(frozen=True)
class Interval:
    """Arguments for which a primitive is defined: real numbers in ``(lower, upper)``."""

    lower: float = -math.inf
    upper: float = math.inf

    def clamp(self, g: torch.Tensor) -> torch.Tensor:
        """Nearest value at least a small margin inside the interval; same shape as `g`."""
        if math.isinf(self.lower) and math.isinf(self.upper):
            return g
        return g.clamp(self.lower + _MARGIN, self.upper - _MARGIN)

    def violation(self, g: torch.Tensor) -> torch.Tensor:
        """How far each element of `g` lies outside the interval (0 inside); same shape as `g`."""
        return (g - self.clamp(g)).abs()


EVERYWHERE = Interval()
POSITIVE = Interval(lower=0.0)


@dataclass(frozen=True)
class Primitive:
    """A function that a unit of an EQL network may compute.

    Parameters
    ----------
    name : str
        Name by which ``functions=`` refers to it.
    arity : int
        Number of arguments, 0 (a constant), 1 or 2.
    torch_fn : callable
        ``torch_fn(*args) -> Tensor``, elementwise, differentiable. For arity 0 it receives one tensor, whose shape
        and dtype its result takes.
    sympy_fn : callable
        ``sympy_fn(*args) -> sympy.Expr``, the same function on expressions (no argument for arity 0).
    domain : Interval, sequence of Interval (one per argument) or None
        Where the function is defined; ``None`` means everywhere. Gradient training clamps arguments into it and
        penalises violations; fitted laws are evaluated without clamping.
    degree : tuple of (float or None), optional
        Degree of homogeneity in each argument (``f(k*g) = k**degree * f(g)`` for ``k > 0``), ``None`` where the
        function is not homogeneous, as by default in all. Used to remove redundant scales: ``0.25*(2*x)**2`` is
        ``x**2``.
    joint_degree : float or None, optional
        Degree of homogeneity in all arguments together (``f(k*a, k*b) = k**joint_degree * f(a, b)`` for ``k > 0``), for
        functions that are homogeneous in none of them alone, such as ``max``. One of their arguments may be a constant.
    parity : {"even", "odd", None}, optional
        ``f(-g) = f(g)`` or ``-f(g)``, for functions of one argument. Used to write ``-sin(-x)`` as ``sin(x)``.
    identity : {"exponential", "logarithm", "power", None}, optional
        What else can be taken out of an argument: the constant of an exponential, ``exp(b + g) = exp(b) * exp(g)``; the
        scale of a logarithm, ``log(k*g) = log(k) + log(g)``; that of the base of a power with a constant exponent,
        ``(k*a)**b = k**b * a**b``.
    has_jumps : bool, optional
        Whether the function jumps, so that no slope tells where: the search starts at round numbers in the user's
        units, and scales columns by powers of two, which rounds no value across a jump.
    """

    name: str
    arity: int
    torch_fn: Callable[..., torch.Tensor]
    sympy_fn: Callable[..., sympy.Expr]
    domain: Interval | Sequence[Interval] | None = None
    degree: tuple[float | None, ...] = ()
    parity: str | None = None
    identity: str | None = None
    joint_degree: float | None = None
    has_jumps: bool = False

    def __post_init__(self) -> None:
        if self.arity not in (0, 1, 2):
            raise InvalidFunctionsError(
                f"Primitive {self.name!r}: arity must be 0, 1 or 2, got {self.arity!r}. "
                "Compose functions of more arguments from products, or nest primitives."
            )
        domain = self.domain
        if domain is None:
            domain = (EVERYWHERE,) * self.arity
        elif isinstance(domain, Interval):
            domain = (domain,) * self.arity
        if len(domain) != self.arity:
            raise InvalidFunctionsError(
                f"Primitive {self.name!r}: domain has {len(domain)} intervals for {self.arity} arguments. "
                "Give one Interval per argument."
            )
        object.__setattr__(self, "domain", tuple(domain))
        object.__setattr__(self, "degree", tuple(self.degree or (None,) * self.arity))

    @property
    def domains(self) -> tuple[Interval, ...]:
        """`domain` as it is kept: one interval per argument."""
        assert isinstance(self.domain, tuple)
        return self.domain

    def frees_constant(self) -> bool:
        """Whether the constant of its argument is redundant: what reads the unit can carry it as a factor."""
        return self.identity == "exponential"

    def frees_scale(self, argument: int, others_constant: bool = True) -> bool:
        """Whether the scale of an argument is redundant: what reads the unit can carry it instead.

        `others_constant` tells whether the other arguments, if any, are constants.
        """
        if self.degree[argument] is not None or self.identity == "logarithm":
            return True
        return self.identity == "power" and argument == 0 and others_constant

    def clamped(self, *args: torch.Tensor) -> torch.Tensor:
        """``torch_fn`` of the arguments moved into the domain: finite gradients while a network trains."""
        if self.arity == 0:
            return self.torch_fn(*args)
        return self.torch_fn(*(interval.clamp(g) for interval, g in zip(self.domains, args, strict=True)))

    def __reduce_ex__(self, protocol: SupportsIndex) -> Any:
        # Built-in ones travel by name: their lambdas do not pickle, and in another process they are the same objects.
        return (_lookup, (self.name,)) if PRIMITIVES.get(self.name) is self else super().__reduce_ex__(protocol)


def _sympy_abs(g: sympy.Expr) -> sympy.Expr:
    """Of real numbers: of complex ones, ``Abs(exp(x))`` would be ``exp(re(x))``."""
    real = {symbol: sympy.Dummy(symbol.name, real=True) for symbol in g.free_symbols}
    return sympy.Abs(g.xreplace(real)).xreplace({dummy: symbol for symbol, dummy in real.items()})


def _sympy_sigmoid(gain: int) -> Callable[[sympy.Expr], sympy.Expr]:
    return lambda g: 1 / (1 + sympy.exp(-gain * g))


# Appendix A of the paper puts multipliers inside sin and sigmoid, and Appendix C a factor 10 before the product, so
# that the functions show their shape on [-1, 1].
_ENTRIES = (
    Primitive("const", 0, torch.ones_like, lambda: sympy.Integer(1)),
    Primitive("id", 1, lambda g: g, lambda g: g, degree=(1,), parity="odd"),
    Primitive("square", 1, torch.square, lambda g: g**2, degree=(2,), parity="even"),
    Primitive("cube", 1, lambda g: g * g * g, lambda g: g**3, degree=(3,), parity="odd"),
    Primitive("mul", 2, torch.mul, lambda a, b: a * b, degree=(1, 1)),
    Primitive("div", 2, torch.div, lambda a, b: a / b, domain=(EVERYWHERE, POSITIVE), degree=(1, -1)),
    Primitive("inv", 1, torch.reciprocal, lambda g: 1 / g, domain=POSITIVE, degree=(-1,), parity="odd"),
    Primitive("sin", 1, torch.sin, sympy.sin, parity="odd"),
    Primitive("cos", 1, torch.cos, sympy.cos, parity="even"),
    Primitive("exp", 1, torch.exp, sympy.exp, identity="exponential"),
    Primitive("sigmoid", 1, torch.sigmoid, _sympy_sigmoid(1)),
    Primitive("tanh", 1, torch.tanh, sympy.tanh, parity="odd"),
    Primitive("sqrt", 1, torch.sqrt, sympy.sqrt, domain=POSITIVE, degree=(0.5,)),
    Primitive("log", 1, torch.log, sympy.log, domain=POSITIVE, identity="logarithm"),
    Primitive("arcsin", 1, torch.arcsin, sympy.asin, domain=Interval(-1.0, 1.0), parity="odd"),
    Primitive("arctan", 1, torch.arctan, sympy.atan, parity="odd"),
    Primitive("pow", 2, torch.pow, lambda a, b: a**b, domain=(POSITIVE, EVERYWHERE), identity="power"),
    Primitive("sin2pi", 1, lambda g: torch.sin(2 * math.pi * g), lambda g: sympy.sin(2 * sympy.pi * g), parity="odd"),
    Primitive("sigmoid20", 1, lambda g: torch.sigmoid(20 * g), _sympy_sigmoid(20)),
    Primitive("mul10", 2, lambda a, b: 10 * a * b, lambda a, b: 10 * a * b, degree=(1, 1)),
    # Functions with kinks and jumps.
    Primitive("abs", 1, torch.abs, _sympy_abs, degree=(1,), parity="even"),
    Primitive("min", 2, torch.minimum, sympy.Min, joint_degree=1),
    Primitive("max", 2, torch.maximum, sympy.Max, joint_degree=1),
    Primitive("floor", 1, torch.floor, sympy.floor, has_jumps=True),
    Primitive(
        "mod", 2, torch.remainder, sympy.Mod, domain=(EVERYWHERE, POSITIVE), joint_degree=1, has_jumps=True
    ),  # of the sign of the divisor
)

PRIMITIVES: Mapping[str, Primitive] = {p.name: p for p in _ENTRIES}
"""Every built-in primitive by name."""

EXPONENTS: Mapping[str, float] = {
    p.name: p.degree[0] for p in _ENTRIES if p.arity == 1 and p.degree[0] is not None and p.name != "abs"
}
"""Exponents of the built-in powers of one argument; a homogeneous function but ``abs`` is the power of its degree."""

POWERS: Mapping[str, float] = {name: float(exponent) for name, exponent in EXPONENTS.items() if exponent != 1}
"""Those that are written as powers: all but ``id``."""

ALGEBRAIC = frozenset(
    p.name for p in _ENTRIES if None not in p.degree or p.identity == "power" or p.joint_degree is not None
)
"""Built-in functions that consist of products, quotients, powers and roots, or of pieces of linear functions."""

_DEFAULT: Mapping[str, int] = {
    "const": 1,
    "id": 4,
    "square": 2,
    "cube": 1,
    "mul": 3,
    "div": 1,
    "sin": 2,
    "cos": 1,
    "exp": 2,
    "sigmoid": 1,
    "tanh": 1,
    "sqrt": 1,
    "log": 1,
    "pow": 1,
    "arcsin": 1,
}

PRESETS: Mapping[str, Mapping[str, int]] = {
    "default": _DEFAULT,
    # With kinks and jumps, which are in no other: they imitate much that has neither.
    "piecewise": {**_DEFAULT, "abs": 1, "min": 1, "max": 1, "floor": 1, "mod": 1},
    # Appendix A.
    "paper": {"const": 2, "id": 4, "square": 4, "sin2pi": 2, "exp": 2, "sigmoid20": 2, "mul": 2},
    # Appendix C-C.
    "paper-sho": {"const": 2, "id": 2, "square": 1, "sin2pi": 1, "exp": 1, "mul10": 2},
    # For laws of motion: what right-hand sides of differential equations are made of.
    "motion": {"const": 2, "id": 2, "square": 2, "mul": 2, "sin": 1, "cos": 1, "exp": 1},
    "polynomial": {"const": 1, "id": 4, "square": 2, "cube": 1, "mul": 4},
    "rational": {"const": 1, "id": 4, "square": 2, "mul": 3, "div": 2},
}
"""Named sets of units: primitive name to number of copies in each hidden layer."""


def resolve_functions(functions: Any) -> tuple[Primitive, ...]:
    """Turn what a user passes as ``functions`` into one primitive per unit of a layer.

    Parameters
    ----------
    functions : str, mapping of str or Primitive to int, or sequence of str and Primitive
        A preset name, names with their number of copies, or a plain sequence (repetition makes copies).

    Returns
    -------
    units : tuple of Primitive
        Ordered so that equal primitives are neighbours.

    Raises
    ------
    InvalidFunctionsError
        Unknown names (the message lists the known ones), empty sets, counts below one.
    """
    if isinstance(functions, str):
        if functions not in PRESETS:
            raise InvalidFunctionsError(
                f"functions={functions!r} is not a preset. Presets: {sorted(PRESETS)}. For a single function pass a "
                f"list, for instance functions=['sin']; known functions: {sorted(PRIMITIVES)}."
            )
        items: Iterable[tuple[Any, int]] = PRESETS[functions].items()
    elif isinstance(functions, Mapping):
        items = functions.items()
    elif isinstance(functions, Sequence):
        items = [(f, 1) for f in functions]
    else:
        raise InvalidFunctionsError(
            f"functions must be a preset name, a mapping of names to copies, or a sequence of names and Primitive "
            f"objects, got {type(functions).__name__}."
        )
    counts: dict[str, int] = {}
    chosen: dict[str, Primitive] = {}
    for entry, copies in items:
        primitive = entry if isinstance(entry, Primitive) else _lookup(entry)
        if isinstance(copies, bool) or not isinstance(copies, int) or copies < 1:
            raise InvalidFunctionsError(
                f"functions: the number of copies of {primitive.name!r} must be a positive integer, got {copies!r}."
            )
        known = chosen.setdefault(primitive.name, primitive)
        if known is not primitive and known != primitive:
            raise InvalidFunctionsError(
                f"functions: two different primitives are named {primitive.name!r}. Give each its own name."
            )
        counts[primitive.name] = counts.get(primitive.name, 0) + copies
    if not counts:
        raise InvalidFunctionsError("functions is empty. Name at least one function, or use functions='default'.")
    return tuple(chosen[name] for name, copies in counts.items() for _ in range(copies))


def _lookup(name: Any) -> Primitive:
    if isinstance(name, str) and name in PRIMITIVES:
        return PRIMITIVES[name]
    raise InvalidFunctionsError(
        f"functions: {name!r} is not a known function. Known functions: {sorted(PRIMITIVES)}. "
        "Pass a sklearn_eql.Primitive to add one of your own."
    )


def check_primitive(primitive: Primitive) -> None:
    """Raise InvalidFunctionsError where a user's function cannot be evaluated, differentiated or printed.

    Both definitions are evaluated at a few points of the domain and held against each other.
    """
    name, arity = primitive.name, primitive.arity
    points = [_inside(interval) for interval in primitive.domains] or [torch.ones(3, dtype=torch.float64)]
    args = [g.clone().requires_grad_(arity > 0) for g in points]
    asked = f"Expected an elementwise, differentiable function of {max(arity, 1)} float tensors, as in torch.sin."
    try:
        value = primitive.torch_fn(*args)
    except Exception as error:
        raise InvalidFunctionsError(
            f"Primitive {name!r}: torch_fn failed with {len(args)} tensors of shape (3,): {type(error).__name__}: "
            f"{error}. {asked} Check that arity={arity} fits."
        ) from error
    if not isinstance(value, torch.Tensor) or value.shape != points[0].shape or value.dtype != points[0].dtype:
        got = f"shape {tuple(value.shape)}, {value.dtype}" if isinstance(value, torch.Tensor) else type(value).__name__
        raise InvalidFunctionsError(
            f"Primitive {name!r}: torch_fn returned {got} for tensors of shape (3,), {points[0].dtype}; expected a "
            f"tensor of the same shape and dtype. {asked}"
        )
    if arity and not value.requires_grad:
        raise InvalidFunctionsError(
            f"Primitive {name!r}: the result of torch_fn has no gradient. {asked} Leave out detach, numpy and item."
        )
    symbols = sympy.symbols(f"g:{arity}", real=True)
    try:
        expression = sympy.sympify(primitive.sympy_fn(*symbols), strict=True)
    except Exception as error:
        raise InvalidFunctionsError(
            f"Primitive {name!r}: sympy_fn failed with {arity} symbols: {type(error).__name__}: {error}. Expected "
            "the same function as torch_fn on SymPy expressions, as sympy.sin is for torch.sin."
        ) from error
    for i, computed in enumerate(value.tolist()):
        printed = expression.subs({s: float(g[i]) for s, g in zip(symbols, points, strict=False)}).evalf()
        if printed.is_real and math.isfinite(computed) and not math.isclose(printed, computed, rel_tol=1e-6):
            at = [float(g[i]) for g in points[:arity]]
            raise InvalidFunctionsError(
                f"Primitive {name!r}: at {at} torch_fn gives {computed:.8g} and sympy_fn {float(printed):.8g}. "
                "Expected two definitions of the same function: laws are fitted with one and printed with the other."
            )


def _inside(interval: Interval) -> torch.Tensor:
    """Three points of an interval, float64."""
    low, high = interval.lower, interval.upper
    if math.isinf(low) and math.isinf(high):
        low, high = -1.0, 2.0
    elif math.isinf(high):
        high = low + 2.0
    elif math.isinf(low):
        low = high - 2.0
    return low + (high - low) * torch.tensor([0.15, 0.45, 0.9], dtype=torch.float64)
