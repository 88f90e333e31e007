"""Rewriting rules: what one unit becomes in canonical form, as a linear form of simpler units.

`Rules.build` takes a unit whose arguments are canonical already and applies identities until none fits. Each identity
removes a parameter that others express as well, or picks one of several spellings of the same function. An identity
that would leave the range of float64 is not applied.
"""

from __future__ import annotations

import math
import sys

import torch

from sklearn_eql.primitives import POWERS
from sklearn_eql.symbolic.graph import Form, Graph, OutOfRangeError, added, is_builtin, is_constant, scaled

_EPS = 4 * sys.float_info.epsilon  # a few roundings
_BY_EXPONENT = {exponent: name for name, exponent in POWERS.items()}
_NOT_NEGATIVE = ("exp", "square", "sqrt", "sigmoid", "sigmoid20", "abs")
_HALF_PERIODS = {"sin": math.pi, "cos": math.pi, "sin2pi": 0.5}


class Rules:
    """The identities, applied to units of a `Graph`.

    Parameters
    ----------
    graph : Graph
        Where units are created.
    limit : float
        Factors outside ``[1/limit, limit]`` stay inside their unit, so that products of factors do not overflow.
    """

    def __init__(self, graph: Graph, limit: float) -> None:
        self._graph = graph
        self._limit = limit
        self._builtin = {name for name in graph.primitives if is_builtin(name, graph.primitives)}
        self._identities = {
            "id": lambda name, args: args[0],
            **dict.fromkeys(POWERS, self._power),
            "pow": self._pow,
            "mul": self._product,
            "div": self._product,
            "mul10": self._mul10,
            "exp": self._exp,
            "log": self._log,
            **dict.fromkeys(_HALF_PERIODS, self._wave),
            "abs": self._abs,
            "min": self._extreme,
            "max": self._extreme,
            "floor": self._floor,
        }

    def build(self, name: str, args: list[Form]) -> Form:
        """``name(*args)`` as a linear form; `args` are forms of canonical sources."""
        if all(map(is_constant, args)):
            value = self._value(name, [form.get(0, 0.0) for form in args])
            if math.isfinite(value):
                return {0: value} if value != 0 else {}
            return self._unit(name, args)
        identity = self._identities.get(name) if name in self._builtin else None
        rewritten = identity(name, args) if identity else None
        return self._rescaled(name, args) if rewritten is None else rewritten

    def _value(self, name: str, args: list[float]) -> float:
        tensors = [torch.tensor(a, dtype=torch.float64) for a in args] or [torch.ones((), dtype=torch.float64)]
        return float(self._graph.primitives[name].torch_fn(*tensors))

    def _unit(self, name: str, args: list[Form], factor: float = 1.0) -> Form:
        return {self._graph.add(name, args): factor}

    def _single(self, form: Form) -> tuple[str, list[Form]]:
        """Name and arguments of the unit that `form` is, or ``("", [])``."""
        source, coefficient = next(iter(form.items()), (0, 0.0))
        unit = self._graph.unit(source)
        if len(form) != 1 or coefficient != 1 or unit is None or unit.primitive not in self._builtin:
            return "", []
        return unit.primitive, [dict(arg) for arg in unit.args]

    # -- scales and signs ---------------------------------------------------------------------------------------

    def _rescaled(self, name: str, args: list[Form]) -> Form:
        """The unit with the scale of homogeneous arguments, and the sign of odd and even ones, moved outside."""
        primitive, factor, args = self._graph.primitives[name], 1.0, list(args)
        if primitive.joint_degree is not None:
            args, factor = self._pull_joint_scale(args, primitive.joint_degree)
        for slot, degree in enumerate(primitive.degree):
            if degree is not None:
                args[slot], pulled = self._pull_scale(args[slot], degree)
                factor *= pulled
            # `degree` speaks of positive factors only; `parity` tells what becomes of a sign, and so do products.
            product = name in ("mul", "div") and name in self._builtin
            if (product or primitive.parity) and args[slot].get(self._graph.leading(args[slot]), 0.0) < 0:
                args[slot] = scaled(args[slot], -1.0)
                factor *= 1.0 if primitive.parity == "even" else -1.0
        if name == "mul" and name in self._builtin:
            args.sort(key=lambda form: sorted((self._graph.order(s), c) for s, c in form.items()))
        return self._unit(name, args, factor)

    def _pull_scale(self, form: Form, degree: float) -> tuple[Form, float]:
        """`form` with a leading coefficient of magnitude one, and what that multiplies a function of `degree` by."""
        lead = self._graph.leading(form)
        scale = abs(form.get(lead, 1.0))
        if scale == 1 or not math.isfinite(scale) or abs(math.log(scale) * degree) > math.log(self._limit):
            return form, 1.0
        try:
            # Division, not a product with 1/scale: rounds once, and 1/scale of a denormal overflows.
            divided = {s: c / scale for s, c in form.items() if s != lead}
            divided = scaled(divided, 1.0)
        except OutOfRangeError:
            return form, 1.0
        return divided | {lead: math.copysign(1.0, form[lead])}, scale**degree

    def _pull_joint_scale(self, args: list[Form], degree: float) -> tuple[list[Form], float]:
        """As `_pull_scale`, for a function that is homogeneous in all arguments together."""
        form = next(form for form in args if not is_constant(form))
        lead = self._graph.leading(form)
        scale = abs(form[lead])
        if scale == 1 or not math.isfinite(scale) or abs(math.log(scale) * degree) > math.log(self._limit):
            return args, 1.0
        try:
            divided = [scaled({s: c / scale for s, c in form.items()}, 1.0) for form in args]
        except OutOfRangeError:
            return args, 1.0
        return divided, scale**degree

    # -- powers and products ------------------------------------------------------------------------------------

    def _as_power(self, form: Form) -> tuple[Form, float]:
        """``(base, exponent)`` of a form that is a power, ``(form, 1)`` of any other."""
        name, args = self._single(form)
        if name in POWERS:
            return args[0], POWERS[name]
        if name == "pow" and is_constant(args[1]):
            return args[0], args[1].get(0, 0.0)
        return form, 1.0

    def _from_power(self, base: Form, exponent: float, *parts: float) -> Form | None:
        """``base**exponent``, which merges powers with exponents `parts`; None where nothing is gained.

        A free exponent is made only of a free exponent: ``(1/x)**2`` gains no parameter.
        """
        if exponent in _BY_EXPONENT and _BY_EXPONENT[exponent] in self._builtin:
            return self._power(_BY_EXPONENT[exponent], [base]) or self._rescaled(_BY_EXPONENT[exponent], [base])
        if exponent in (0.0, 1.0):
            return base if exponent == 1 else {0: 1.0}
        if "pow" in self._builtin and any(not part.is_integer() and part != 0.5 for part in parts):
            base, factor = self._pull_scale(base, exponent)
            return self._unit("pow", [base, {0: exponent}], factor)
        return None

    def _power(self, name: str, args: list[Form]) -> Form | None:
        outer = POWERS[name]
        form, factor = self._pull_scale(args[0], outer)
        if outer.is_integer() and form[self._graph.leading(form)] < 0:
            form, factor = scaled(form, -1.0), factor * (-1.0) ** outer
        inner_name, inner_args = self._single(form)
        base, inner = self._as_power(form)
        if inner_name == "exp":
            return scaled(self.build("exp", [scaled(inner_args[0], outer)]), factor)
        if inner_name == "abs" and outer % 2 == 0:
            return scaled(self.build(name, inner_args), factor)
        # (b**c)**d is b**(c*d), unless c is even or odd and d a root: sqrt(x**2) is abs(x).
        if inner != 1 and (not inner.is_integer() or outer.is_integer()):
            merged = self._from_power(base, inner * outer, inner, outer)
            return None if merged is None else scaled(merged, factor)
        return None

    def _pow(self, name: str, args: list[Form]) -> Form | None:
        base, exponent = args
        if is_constant(exponent):
            outer = exponent.get(0, 0.0)
            if outer in (0.0, 1.0) or (outer in _BY_EXPONENT and _BY_EXPONENT[outer] in self._builtin):
                return {0: 1.0} if outer == 0 else base if outer == 1 else self.build(_BY_EXPONENT[outer], [base])
            base, factor = self._pull_scale(base, outer)
            inner_name, inner_args = self._single(base)
            if inner_name == "exp":
                return scaled(self.build("exp", [scaled(inner_args[0], outer)]), factor)
            inner_base, inner = self._as_power(base)
            if inner != 1 and (not inner.is_integer() or outer.is_integer()):
                merged = self._from_power(inner_base, inner * outer, inner, outer)
                if merged is not None:
                    return scaled(merged, factor)
            return self._unit(name, [base, exponent], factor)
        if is_constant(base) and base.get(0, 0.0) > 0 and "exp" in self._builtin:
            return self.build("exp", [scaled(exponent, math.log(base[0]))])
        return None

    def _product(self, name: str, args: list[Form]) -> Form | None:
        a, b = args
        sign = 1.0 if name == "mul" else -1.0
        if not a or (not b and name == "mul"):
            return {}
        if is_constant(b) and b:
            return scaled(a, b[0] if name == "mul" else 1 / b[0])
        if is_constant(a) and name == "mul":
            return scaled(b, a[0])
        if not b:
            return None  # a division by zero stays one
        if is_constant(a):
            return scaled(self.build("inv", [b]), a[0]) if "inv" in self._builtin else None
        (a, factor_a), (b, factor_b) = self._normalised(a), self._normalised(b)
        (base_a, power_a), (base_b, power_b) = self._as_power(a), self._as_power(b)
        (name_a, args_a), (name_b, args_b) = self._single(a), self._single(b)
        factor = factor_a * (factor_b if name == "mul" else 1 / factor_b)
        merged = None
        if name_a == name_b == "exp":
            merged = self.build("exp", [added(args_a[0], scaled(args_b[0], sign))])
        elif base_a == base_b:
            merged = self._from_power(base_a, power_a + sign * power_b, power_a, power_b)
        elif power_b == -1.0 and "div" in self._builtin:  # a * (1/b) and a / (1/b)
            merged = self.build("div" if name == "mul" else "mul", [a, base_b])
        elif power_a == -1.0 and name == "mul" and "div" in self._builtin:
            merged = self.build("div", [b, base_a])
        return None if merged is None else scaled(merged, factor)

    def _normalised(self, form: Form) -> tuple[Form, float]:
        """`form` with a leading coefficient of one, and the signed factor taken out."""
        form, factor = self._pull_scale(form, 1.0)
        if form[self._graph.leading(form)] < 0:
            return scaled(form, -1.0), -factor
        return form, factor

    def _mul10(self, name: str, args: list[Form]) -> Form | None:
        return scaled(self.build("mul", args), 10.0) if "mul" in self._builtin else None

    # -- exponentials, logarithms, waves -----------------------------------------------------------------------

    def _exp(self, name: str, args: list[Form]) -> Form | None:
        form = dict(args[0])
        shift = form.get(0, 0.0)
        factor = 1.0
        if abs(shift) <= math.log(self._limit):
            factor = math.exp(form.pop(0, 0.0))
        if len(form) == 1 and "pow" in self._builtin:
            [(source, exponent)] = form.items()
            inner_name, inner_args = self._single({source: 1.0})
            if inner_name == "log":  # exp(c*log(g)) is g**c
                return scaled(self.build("pow", [inner_args[0], {0: exponent}]), factor)
        return self._unit(name, [form], factor)

    def _log(self, name: str, args: list[Form]) -> Form | None:
        lead = self._graph.leading(args[0])
        form, scale = self._pull_scale(args[0], 1.0)
        if is_constant(form) or lead == 0:
            return None
        inner_name, inner_args = self._single(form)
        base, exponent = self._as_power(form)
        if inner_name == "exp":
            term = inner_args[0]
        elif exponent != 1 and (not exponent.is_integer() or exponent % 2):  # log(x**2) also takes negative x
            term = scaled(self.build("log", [base]), exponent)
        else:
            term = self._unit(name, [form])
        return added(term, {0: math.log(scale)}) if scale != 1 else term

    def _wave(self, name: str, args: list[Form]) -> Form | None:
        """Positive leading coefficient, phase within a quarter period of zero; shifted cosines become sines."""
        form, sign, half = dict(args[0]), 1.0, _HALF_PERIODS[name]
        if name == "cos" and form.get(0) and "sin" in self._builtin:
            return self._wave("sin", [added(form, {0: half / 2})])
        if form[self._graph.leading(form)] < 0:
            form, sign = scaled(form, -1.0), 1.0 if name == "cos" else -1.0
        phase = form.pop(0, 0.0)
        rounding = _EPS * max(half, abs(phase))
        phase = math.remainder(phase, 2 * half)
        if abs(phase) > half / 2 + rounding:
            phase, sign = phase - math.copysign(half, phase), -sign
        if abs(abs(phase) - half / 2) <= rounding and name == "sin" and "cos" in self._builtin:
            return self._unit("cos", [form], math.copysign(sign, sign * phase))
        if abs(phase) > rounding:
            form[0] = phase
        return self._unit(name, [form], sign)

    # -- kinks and jumps ----------------------------------------------------------------------------------------

    def _abs(self, name: str, args: list[Form]) -> Form | None:
        form, scale = self._normalised(args[0])
        inner_name, _ = self._single(form)
        return scaled(form, abs(scale)) if inner_name in _NOT_NEGATIVE else None

    def _extreme(self, name: str, args: list[Form]) -> Form | None:
        """What both arguments have in common goes out; ``-max(-a, -b)`` is ``min(a, b)``."""
        a, b = sorted(args, key=lambda form: sorted((self._graph.order(s), c) for s, c in form.items()))
        if a == b:
            return a
        vary = not is_constant(a) and not is_constant(b)
        common = {s: c for s, c in a.items() if b.get(s) == c or (vary and s == 0 and s in b)}
        if common:
            less = [added(form, scaled(common, -1.0)) for form in (a, b)]
            return added(common, self.build(name, less))
        variable = [form for form in (a, b) if not is_constant(form)]
        if all(form[self._graph.leading(form)] < 0 for form in variable):
            other = "min" if name == "max" else "max"
            if other in self._builtin:
                return scaled(self.build(other, [scaled(a, -1.0), scaled(b, -1.0)]), -1.0)
        return self._rescaled(name, [a, b])

    def _floor(self, name: str, args: list[Form]) -> Form | None:
        """Whole numbers go out."""
        whole = math.floor(args[0].get(0, 0.0))
        if not whole:
            return None
        return added({0: float(whole)}, self.build(name, [added(args[0], {0: -float(whole)})]))
