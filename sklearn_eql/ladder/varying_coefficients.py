"""Starts that are a linear form whose coefficients vary with one feature: ``a + b x + (c + d x) f(z)``."""

from __future__ import annotations

import math
from collections.abc import Iterator

import torch

from sklearn_eql.ladder.factors import scaled
from sklearn_eql.ladder.term_generator import TermGenerator, Terms
from sklearn_eql.scan.factors import arguments, factors_of
from sklearn_eql.scan.varying_coefficients import VaryingForm, varying_forms
from sklearn_eql.sparse.editing import Node

_MAX_FEATURES, _MAX_FEATURES_WITH_PEAKS = 6, 3  # the most important ones
_SPARE = 2  # rows for each coefficient


def varying_coefficients(generator: TermGenerator) -> Iterator[Terms]:
    """``sum_j (a_j + b_j f(z)) x_j``, with a function of each feature, or a wave of any phase."""
    problem = generator.problem
    features = sorted(generator.features, key=lambda f: -problem.importances[f - 1])[:_MAX_FEATURES]
    if not generator.has("mul") or len(problem.y) < _SPARE * 2 * (len(features) + 1):
        return
    where = [f - 1 for f in features]
    own = arguments(generator.rows, problem.x_units, generator.signs, where)[: len(features)]
    has_peaks = len(features) <= _MAX_FEATURES_WITH_PEAKS
    factors = [part for part in (factors_of(a, generator.has, has_peaks) for a in own) if part is not None]
    columns = torch.as_tensor(generator.rows[:, where].T.copy())
    for form in varying_forms(columns, factors, problem.y, problem.sample_weight, problem.deadline):
        sources = [0, *features]
        terms: Terms = [[sources[j], c] for j, c in form.plain.items()]
        function = _wave(generator, form, factors) if form.entry is None else factors[form.factor].makers[form.entry]()
        varying = [[sources[j], c] for j, c in form.varying.items()]
        if list(form.varying) == [0]:
            terms += function
        else:
            terms.append([Node("mul", [varying, function]), 1.0])
        yield terms


def _wave(generator: TermGenerator, form: VaryingForm, factors: list) -> Terms:
    name = "cos" if generator.has("cos") else "sin"
    phase = -form.phase + (0.0 if name == "cos" else math.pi / 2)
    angle = scaled(factors[form.factor].argument.terms(), form.frequency)
    return [[Node(name, [[*angle, [0, phase]]]), 1.0]]
