"""Names of columns as identifiers of programming languages."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable

from sklearn_eql._display import pasteable_names


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


# Words that a language keeps for itself, and functions of its mathematical library, beyond those that Python and SymPy
# give a meaning.
C_WORDS = _words(
    "auto bool case char const default do double enum extern float goto inline int long main register restrict short "
    "signed sizeof static struct switch typedef union unsigned void volatile acosf cbrt copysign erf erfc expm1 fabs "
    "fdim fma fmax fmin fmod frexp hypot ilogb j0 j1 jn ldexp lgamma log10 log1p log2 logb lrint lround modf nan "
    "nearbyint nextafter remainder remquo rint round scalbn signgam tgamma trunc y0 y1 yn I NAN INFINITY "
    "asinh acosh atanh alignas alignof atomic_bool constexpr nullptr typeof"
)
FORTRAN_WORDS = _words(
    "abs acos aint asin atan cos cosh dble exp floor kind log max min mod modulo real sin sinh "
    "sqrt tan tanh function end result double precision intent in value implicit none integer "
    "selected_int_kind"
)
JULIA_WORDS = _words(
    "baremodule begin const do else elseif end export false function global if in isa let local macro module "
    "mutable quote struct true where while abstract primitive type using mod min max abs floor ceil pi im"
)
PYTHON_WORDS = frozenset({"math", "numpy", "jax"})
JAVASCRIPT_WORDS = _words(
    "arguments async await case catch const debugger default delete do double enum eval export extends "
    "false final finally function implements instanceof interface let new null package private protected public "
    "static super switch this throw true typeof undefined var void while yield Math NaN Infinity"
)


def identifiers(
    names: Iterable[str], taken: Iterable[str] = (), ignore_case: bool = False, ascii_only: bool = True
) -> dict[str, str]:
    """Identifiers for column names, distinct, none of them in `taken` or a name of Python or SymPy.

    Parameters
    ----------
    names : iterable of str
    taken : iterable of str
        Identifiers that mean something else.
    ignore_case : bool
        Whether ``a`` and ``A`` are one.
    ascii_only : bool
        Whether letters outside of ASCII are spelled out or become underscores.
    """
    fold = str.casefold if ignore_case else str
    used = {fold(word) for word in taken}
    found = {}
    for name, stem in pasteable_names(names).items():
        stem = _plain(stem) if ascii_only else stem
        identifier, copy = stem, 1
        while fold(identifier) in used:
            copy += 1
            identifier = f"{stem.rstrip('_')}_{copy}"
        used.add(fold(identifier))
        found[name] = identifier
    return found


def _plain(name: str) -> str:
    """Letters and digits of ASCII and underscores, a letter first."""
    letters = "".join(
        c if c.isascii() else unicodedata.name(c, "x").rpartition(" LETTER ")[2].rpartition(" ")[2].lower()
        for c in name
    )
    plain = re.sub(r"\W+", "_", unicodedata.normalize("NFKD", letters), flags=re.ASCII)
    return plain if plain[0].isalpha() else f"x{plain}"
