"""The vocabulary: tokens as numbers, batches padded to their longest expression."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from sklearn_eql.language.grammar import ARITY, Expression

PAD, START = 0, 1
_SPECIAL = ("<pad>", "<start>")


@dataclass(frozen=True)
class Vocabulary:
    """Tokens of expressions, numbered: padding, start, operators, variables, integers, constants.

    There is no token for the end: in prefix order an expression is complete as soon as no argument is missing.

    Parameters
    ----------
    n_variables, max_integer : int
        Leaves ``x0 .. x{n_variables - 1}`` and ``1 .. max_integer``; no integers for 0.
    constants : tuple of float
        Positive real constants, ascending; each has a token for either sign.
    """

    n_variables: int = 1
    max_integer: int = 9
    constants: tuple[float, ...] = ()

    def __post_init__(self) -> None:
        object.__setattr__(self, "constants", tuple(self.constants))  # a list, where it was read from a file

    @cached_property
    def tokens(self) -> tuple[str, ...]:
        """Every token, in the order of their numbers."""
        variables = [f"x{i}" for i in range(self.n_variables)]
        integers = (str(i) for i in range(1, self.max_integer + 1))
        return (*_SPECIAL, *ARITY, *variables, *integers, *(f"c{c:g}" for c in self.signed_constants))

    @cached_property
    def signed_constants(self) -> tuple[float, ...]:
        """The numbers of the last tokens."""
        return (*self.constants, *(-c for c in self.constants))

    def nearest(self, numbers: np.ndarray) -> list[str]:
        """The tokens of the constants with the sign of some numbers that are nearest to them in their logarithms."""
        known = np.log(self.constants)
        borders = (known[1:] + known[:-1]) / 2
        with np.errstate(divide="ignore"):
            places = np.searchsorted(borders, np.log(np.abs(numbers))) + np.where(
                np.asarray(numbers) < 0, len(known), 0
            )
        return [self.tokens[len(self) - 2 * len(known) + place] for place in places.tolist()]

    @cached_property
    def arity(self) -> np.ndarray:
        """Arguments of every token, shape ``(n_tokens,)``."""
        return np.array([ARITY.get(token, 0) for token in self.tokens])

    @cached_property
    def _numbers(self) -> dict[str, int]:
        return {token: i for i, token in enumerate(self.tokens)}

    def __len__(self) -> int:
        return len(self.tokens)

    def encode(self, expressions: Sequence[Expression]) -> np.ndarray:
        """Token numbers, shape ``(n_expressions, longest)``, padded at the end.

        Raises
        ------
        ValueError
            A token that the vocabulary lacks.
        """
        codes = np.full((len(expressions), max(map(len, expressions), default=0)), PAD, dtype=np.int64)
        try:
            for row, expression in zip(codes, expressions, strict=True):
                row[: len(expression)] = [self._numbers[token] for token in expression]
        except KeyError as error:
            raise ValueError(f"{error.args[0]!r} is no token. Known tokens: {', '.join(self.tokens[2:])}.") from None
        return codes

    def decode(self, codes: np.ndarray) -> list[Expression]:
        """Expressions of token numbers ``(n_expressions, longest)``; padding is left out."""
        return [tuple(self.tokens[code] for code in row if code != PAD) for row in codes.tolist()]
