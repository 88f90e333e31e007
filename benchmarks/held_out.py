"""Forms of the benchmark suites, for training to leave out: ``python benchmarks/held_out.py integers-1d > FILE``.

One expression in prefix tokens per line, with integers (or, for `laws`, ``C``) in place of all numbers. Left out are
laws that the vocabulary cannot write (``tanh``, a power with a free exponent), those with more variables than the
network reads, and those of up to five tokens.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator

import sympy
from _physics import SUITES, data_folder

from sklearn_eql.language import PRESETS, NoCanonicalFormError, from_sympy
from sklearn_eql.language.canonical import canonical
from sklearn_eql.language.open_form import form_of, open_form

TRIVIAL = 5  # tokens: forms as short are parts of nearly every law


def main() -> None:
    preset = PRESETS[sys.argv[1]]
    n_variables = preset.config.n_variables
    found = set()
    for law in laws():
        try:
            expression = from_sympy(law)
            if len(law.free_symbols) > n_variables:
                continue
            form = open_form(expression) if sys.argv[1] == "laws" else canonical(expression)
            if len(form) > TRIVIAL:
                found.add(form_of(form))
        except (ValueError, NoCanonicalFormError):
            continue
    print("\n".join(sorted(map(" ".join, found), key=lambda line: (len(line), line))))


def laws() -> Iterator[sympy.Expr]:
    """Laws of all suites, with integers for their numbers."""
    folder = data_folder()
    for problems in SUITES.values():
        for problem in problems(folder):
            yield with_integers(problem.formula)


def with_integers(law: sympy.Expr) -> sympy.Expr:
    """Small integers in place of the numbers that no vocabulary has; exponents stay."""
    law = law.replace(lambda part: part.is_NumberSymbol, lambda part: sympy.Integer(3))
    return law.replace(
        lambda part: part.is_Float or (part.is_Rational and abs(part.p) > 9),
        lambda part: (
            sympy.nsimplify(part, rational=True)
            if 2 * part == int(2 * part) and abs(part) <= 9
            else sympy.sign(part) * sympy.Integer(2)
        ),
    )


if __name__ == "__main__":
    main()
