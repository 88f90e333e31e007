"""Starts that are a wave of any phase times an envelope, as damped oscillations are, beside a constant."""

from __future__ import annotations

import math
from collections.abc import Iterator
from functools import partial

import numpy as np

from sklearn_eql.ladder.factors import scaled
from sklearn_eql.ladder.term_generator import TermGenerator, Terms
from sklearn_eql.scan.factors import Argument, arguments, factors_of
from sklearn_eql.scan.modulated_waves import scan_waves
from sklearn_eql.sparse.editing import Node

_MAX_FEATURES, _MAX_ARGUMENTS = 4, 12  # the most important ones
_MAX_LIKELY = 8  # products of powers that waves without an envelope have
_N_STARTS = 24


def modulated_waves(generator: TermGenerator) -> Iterator[Terms]:
    """``a h(x) cos(w u + p) + c`` of features `u`, their products and quotients."""
    problem = generator.problem
    wave = next((name for name in ("cos", "sin") if generator.has(name)), None)
    if wave is None:
        return
    features = sorted(generator.features, key=lambda f: -problem.importances[f - 1])[:_MAX_FEATURES]
    columns = [f - 1 for f in features]
    quotients_of = generator.signs if generator.has_inverse else (0,) * len(generator.signs)
    found = arguments(generator.rows, problem.x_units, quotients_of, columns)
    found = sorted(found, key=lambda argument: argument.symbols)[:_MAX_ARGUMENTS]
    angles = [argument for argument in found if argument.is_feature or generator.has("mul")]
    angles += _with_powers(generator, {angle.features for angle in angles})
    own = arguments(generator.rows, problem.x_units, generator.signs, columns)[: len(columns)]
    factors = [part for part in (factors_of(a, generator.has) for a in own) if part is not None]
    waves = scan_waves(
        factors if generator.has("mul") else [], angles, problem.y, problem.sample_weight, problem.deadline
    )
    n_rows = len(problem.y)
    for chosen in sorted(waves, key=lambda w: w.length(n_rows))[:_N_STARTS]:
        phase = -chosen.phase + (0.0 if wave == "cos" else math.pi / 2)
        angle = [*scaled(angles[chosen.argument].terms(), chosen.frequency), [0, phase]]
        terms: Terms = [[Node(wave, [angle]), 1.0]]
        for f, entry in chosen.envelope:
            terms = [[Node("mul", [factors[f].makers[entry](), terms]), 1.0]]
        yield [[0, 1.0], *terms]


def _with_powers(generator: TermGenerator, known: set[tuple[int, ...]]) -> list[Argument]:
    """Of the likeliest waves, those whose arguments are other products of powers."""
    likely = dict.fromkeys(wave.exponents for wave in generator.waves if wave.exponents)
    found = []
    for exponents in likely:
        features = tuple(f - 1 for f, _ in exponents)
        is_known = all(abs(e) == 1 for _, e in exponents) and (features in known or features[::-1] in known)
        if is_known or len(found) == _MAX_LIKELY:
            continue
        values = np.prod([generator.rows[:, f - 1] ** e for f, e in exponents], axis=0)
        sign = int(np.sign(values[0])) if (np.sign(values) == np.sign(values[0])).all() else 0
        found.append(
            Argument(
                features, values, 1.0, sign, partial(_power_of, generator, dict(exponents)), 2 + 2 * len(exponents)
            )
        )
    return found


def _power_of(generator: TermGenerator, exponents: dict[int, float]) -> Terms:
    return [[generator.power(exponents), 1.0]]
