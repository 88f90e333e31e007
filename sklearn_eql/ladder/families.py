"""Families of the ladder: shapes of laws and the outer functions they are tried under, simplest first."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial

from sklearn_eql.ladder import forms as shapes
from sklearn_eql.ladder import (
    grown_sums,
    joint_quotients,
    modulated_waves,
    power_functions,
    quotients,
    scanned,
    separable,
    varying_coefficients,
)
from sklearn_eql.ladder.forms import repeated
from sklearn_eql.ladder.outer_functions import OUTER_FUNCTIONS
from sklearn_eql.ladder.term_generator import TermGenerator, Terms
from sklearn_eql.sparse.editing import EditableStructure, Node
from sklearn_eql.sparse.round_exponents import with_round_exponents_fixed
from sklearn_eql.sparse.structure import Structure


@dataclass(frozen=True)
class Family:
    """A family of shapes.

    Parameters
    ----------
    name : str
    starts : callable
        ``starts(generator)`` yields the output terms of one structure after another.
    outers : tuple of str
        Under which outer functions the family is tried.
    functions : tuple of str
        Functions that the user must have allowed.
    round_exponents : bool
        Whether exponents stay at their start values if those are integers or halves.
    min_rows : int
        Rows below which the family is left out: few rows cannot tell thousands of shapes apart.
    solved_starts : bool
        Whether starts already have the constants of a law, so that many need no step of a fit.
    own_logs : bool
        Whether logarithms of features are among the terms where they matter.
    many_rows : bool
        Whether starts were judged on more rows than the others, and are fitted on these.
    extra_layers : int
        Layers that products and an outer function may add to those of the general search.
    """

    name: str
    starts: Callable[[TermGenerator], Iterator[Terms]]
    outers: tuple[str, ...]
    functions: tuple[str, ...] = ("pow",)
    round_exponents: bool = False
    min_rows: int = 0
    solved_starts: bool = False
    own_logs: bool = False
    many_rows: bool = False
    extra_layers: int = 2

    def structures(self, generator: TermGenerator, primitives, max_free: int, with_logs: bool) -> Iterator[Structure]:
        """Structures for one outer function, none with more than `max_free` coefficients, drawn when asked for.

        With `with_logs` each has the logarithms of all features too: factors of a law whose logarithm is the target.
        """
        if not generator.has(*self.functions) or ("pow" in self.functions and not generator.has_powers):
            return
        for terms in self.starts(generator):
            editable = EditableStructure(Structure(len(generator.signs), (), ()))
            with_logs = with_logs and not self.own_logs
            editable.output = terms + _missing_logarithms(terms, generator) if with_logs else terms
            structure = editable.finish(primitives)
            if structure is not None and self.round_exponents:
                structure = with_round_exponents_fixed(structure)
            if structure is not None and structure.n_free <= max_free:
                yield structure


def _missing_logarithms(terms: Terms, generator: TermGenerator) -> Terms:
    there = {s.args[0][0][0] for s, _ in terms if isinstance(s, Node) and s.primitive == "log"}
    return [[generator.log(f), 1.0] for f in generator.signed if generator.has_powers and f not in there]


def _quotients(generator: TermGenerator) -> Iterator[Terms]:
    yield from quotients.of_one_variable(generator)
    yield from joint_quotients.of_several_variables(generator)


_ALL = tuple(outer.name for outer in OUTER_FUNCTIONS)
MANY_ROWS = 100
"""Rows below which no test of noise is sharp enough."""

_wide = partial(Family, min_rows=MANY_ROWS)
_scanned = partial(Family, functions=(), solved_starts=True, own_logs=True)
_factored = partial(_scanned, outers=("identity",), functions=("pow", "mul"), round_exponents=True, many_rows=True)
_SCANNED = ("identity", "exp", "inv", "sqrt", "log", "square", "arcsin")
_MAIN = ("identity", "inv", "sqrt", "inv sqrt", "inv square", "exp")
_BOUNDED = (*_MAIN, *(outer.name for outer in OUTER_FUNCTIONS if outer.level is not None))

GROWTH = Family("growth", shapes.growth, ("identity", "exp"), ("exp",))
"""The one family whose laws may have any number of columns: it is linear in them and in their logarithms."""

LADDER: tuple[Family, ...] = (
    Family("power law", repeated(partial(shapes.power_sum, n_terms=1), 4), _ALL),
    GROWTH,
    Family("quadratic form", repeated(partial(shapes.polynomial, degree=2, with_base=False), 1), _ALL, ("mul",)),
    Family("cubic form", repeated(partial(shapes.polynomial, degree=3, with_base=False), 1), ("identity",), ("mul",)),
    _factored("factor and function", power_functions.factor_and_function, extra_layers=4),
    _scanned("polynomial or pair", partial(scanned.polynomial_or_pair, limit=600), ("identity",)),
    Family("scaled quadratic form", repeated(partial(shapes.polynomial, degree=2, with_base=True), 1), _BOUNDED),
    Family("two powers", repeated(partial(shapes.power_sum, n_terms=2), 24), _ALL),
    Family("distances", repeated(shapes.distances, 48), ("identity", "inv", "sqrt", "exp"), ("square",)),
    Family("function of one monomial", shapes.hinted_functions, _MAIN, round_exponents=True),
    Family("bell", shapes.bells, ("identity",), ("exp", "square")),
    Family("step", shapes.steps, ("identity",), ("sigmoid",)),
    _factored("some functions", power_functions.some_functions, extra_layers=6),
    Family("scaled wave", shapes.scaled_waves, ("identity", "sqrt"), ("sin", "cos", "square")),
    _scanned("pair under a function", partial(scanned.pairs, limit=600), _SCANNED[1:]),
    _scanned(
        "pair beside a polynomial", partial(scanned.beside_polynomial, limit=1500), ("identity",), functions=("mul",)
    ),
    _scanned("separable", separable.products, ("identity",)),
    _scanned("modulated wave", modulated_waves.modulated_waves, ("identity",)),
    _scanned("varying coefficients", varying_coefficients.varying_coefficients, ("identity", "exp", "inv")),
    _scanned("quotient of polynomials", _quotients, ("identity",)),
    _scanned("sum of functions", grown_sums.sums, ("identity",)),
    _scanned("three and more", partial(scanned.triples, limit=600), ("identity",)),
    Family("dictionary", shapes.dictionary_subsets, ("identity", "inv", "sqrt"), ("mul",)),
    Family("three powers", repeated(partial(shapes.power_sum, n_terms=3), 32), _MAIN),
    Family("quotient", repeated(shapes.quotient, 64), _MAIN),
    Family("rational form", shapes.rational_forms, ("identity",), ("pow", "mul")),
    Family("wave form", repeated(shapes.wave_form, 8), ("identity", "sqrt", "inv"), ("sin", "cos", "mul")),
    Family("interference", repeated(shapes.interference, 96), ("identity", "sqrt"), ("sin", "cos", "mul")),
    _factored("function of a difference", power_functions.function_of_difference, extra_layers=4),
    _scanned("pairs, wide", partial(scanned.pairs, limit=4000), _SCANNED),
    Family("form and term", repeated(shapes.form_and_term, 96), ("identity",), ("mul",)),
    Family("angular sum", repeated(shapes.angular_sum, 192), ("identity",), ("sin", "cos", "mul")),
    Family("scaled function", repeated(shapes.scaled_function, 96), _MAIN),
    Family("factored sum", repeated(shapes.factored_sum, 96), _MAIN, ("mul",)),
    _wide("quotient, wide", repeated(shapes.quotient, 256), ("identity", "inv", "sqrt")),
    _wide("form and term, wide", repeated(shapes.form_and_term, 512), ("identity",), ("mul",)),
    _wide("angular sum, wide", repeated(shapes.angular_sum, 768), ("identity",), ("sin", "cos", "mul")),
    _wide("scaled function, wide", repeated(shapes.scaled_function, 384), ("identity", "inv", "exp")),
    _wide("factored sum, wide", repeated(shapes.factored_sum, 384), ("identity", "sqrt", "inv"), ("mul",)),
    _wide("scaled function, wider", repeated(shapes.scaled_function, 1024), ("identity", "inv")),
    _wide("factored sum, wider", repeated(shapes.factored_sum, 1024), ("identity",), ("mul",)),
)
