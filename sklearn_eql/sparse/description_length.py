"""The price of a law: residuals, coefficients and symbols in one number, and what may be fixed or left out for it.

All tests stand on one quantity. The likelihood of a least-squares law with normal errors, at its best noise variance,
is ``-N/2 log(loss)`` but for a constant; ``N log(loss_after / loss_before)`` is therefore

- twice the nats by which residuals take more to describe, to be held against what the coefficients and symbols that
  went had cost (`is_shorter`);
- the likelihood ratio statistic, by Wilks' theorem chi-squared with one degree of freedom for each coefficient that was
  fixed, if the values it was fixed to are the true ones (`is_unsurprising`).
"""

from __future__ import annotations

import math
from functools import cache

import numpy as np
from scipy.stats import f as f_distribution

NATS_PER_SYMBOL = 4.0
"""Twice the choice of a function (log 13) or of a source (log 4), on average."""

_UNSURPRISING = 0.005  # chance of a larger deviation
_MOST_DIGITS = 16.0  # twice the nats of a relative error of 3e-4, see `digits`
_TINY = float(np.finfo(float).tiny)  # a rise from a loss of zero is finite


def price(n_rows: int, n_free: int, n_symbols: float = 0, loss: float = 1.0) -> float:
    """What coefficients and symbols cost: ``n_free (log(N) + digits) + 4 n_symbols``."""
    return n_free * (math.log(n_rows) + digits(loss)) + NATS_PER_SYMBOL * n_symbols


def digits(loss: float) -> float:
    """Twice the nats, beside ``log(N) / 2`` each, to state a coefficient as well as rows of this relative loss know it.

    A coefficient of order one is known to about ``sqrt(loss / N)``. The Bayesian criterion has the logarithm of the
    rows only: its prior, worth one row, narrows with the noise. The price ends where constants have as many digits as
    anyone reads.
    """
    return min(max(-math.log(max(loss, _TINY)), 0.0), _MOST_DIGITS)


def description_length(loss: float, n_rows: int, n_free: int, n_symbols: float) -> float:
    """Twice the length, in nats, of the residuals, the coefficients and the symbols of a law; lower is better.

    ``N log(loss) + n_free (log(N) + digits(loss)) + 4 n_symbols``: the Bayesian information criterion, extended by a
    price for the choice among the many structures that were tried (as in the extended BIC of Chen and Chen, 2008), and
    by the digits of the coefficients. Until these are at their most that is ``(N - n_free) log(loss)``, the likelihood
    of residuals of unknown variance with the coefficients integrated out. `loss` is relative to the variance of the
    target, and floored at the level of an exact law, so that among exact laws the shortest wins.
    """
    return n_rows * math.log(max(loss, 1e-300)) + price(n_rows, n_free, n_symbols, loss)


def is_shorter(
    old: float, new: float, n_rows: int, exact: float, n_free: tuple[int, int], n_symbols: float = 0
) -> bool:
    """Whether a law is described more shortly with fewer coefficients and `n_symbols` symbols less.

    Its loss was `old`, with ``n_free[0]`` coefficients, and is `new` with ``n_free[1]``; all losses below that of an
    `exact` law are equal.
    """
    if not new < math.inf:
        return False
    before = description_length(max(old, exact), n_rows, n_free[0], n_symbols)
    return description_length(max(new, exact), n_rows, n_free[1], 0) < before


def is_unsurprising(old: float, new: float, n_rows: int, n_fixed: int, exact: float = _TINY) -> bool:
    """Whether fixing `n_fixed` coefficients is worth the rise of the loss, or the rise may be chance.

    Each saves ``log(N)`` of the description; where there are few rows, a deviation that occurs by chance in one of two
    hundred is no evidence against the fixed value either (several at once may rise by as many times that, a little more
    than their joint percentile; with few rows to spare that is Fisher's distribution and not chi-squared). The loss of
    an `exact` law is added to both losses, not their floor: among exact laws, too, a fixed value must not raise the
    loss by more than a small part of that.
    """
    return _rise(old + exact, new + exact, n_rows) < n_fixed * max(price(n_rows, 1), _surprise(n_rows, n_fixed))


@cache
def _surprise(n_rows: int, n_fixed: int) -> float:
    """Rise of ``N log(loss)`` that is exceeded by chance in `_UNSURPRISING` of cases, for one fixed coefficient.

    With one more that is not fixed; as good as any number where it matters little.
    """
    left = max(n_rows - n_fixed - 1, 1)
    return n_rows * math.log1p(float(f_distribution.isf(_UNSURPRISING, 1, left)) / left)


def _rise(old: float, new: float, n_rows: int) -> float:
    return n_rows * (math.log(new) - math.log(old))  # no ratio, which over- and underflows
