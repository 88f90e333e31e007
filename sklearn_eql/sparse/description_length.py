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

import numpy as np

NATS_PER_SYMBOL = 4.0
"""Twice the choice of a function (log 13) or of a source (log 4), on average."""

_SURPRISE = 6.6  # chi-squared with one degree of freedom, 99th percentile
_TINY = float(np.finfo(float).tiny)  # a rise from a loss of zero is finite


def price(n_rows: int, n_free: int, n_symbols: float = 0) -> float:
    """What coefficients and symbols cost: ``n_free log(N) + 4 n_symbols``."""
    return n_free * math.log(n_rows) + NATS_PER_SYMBOL * n_symbols


def description_length(loss: float, n_rows: int, n_free: int, n_symbols: float) -> float:
    """Twice the length, in nats, of the residuals, the coefficients and the symbols of a law; lower is better.

    ``N log(loss) + n_free log(N) + 4 n_symbols``: the Bayesian information criterion, extended by a price for the
    choice among the many structures that were tried (as in the extended BIC of Chen and Chen, 2008). `loss` is
    relative to the variance of the target, and floored at the level of an exact law, so that among exact laws
    the shortest wins. Where rows are few for the coefficients these cost ``N / (N - n_free - 2)`` times as much (the
    corrected criterion of McQuarrie, 1999): the fewer rows are left, the better chance fits them.
    """
    few = n_rows / max(n_rows - n_free - 2, 1)
    return n_rows * math.log(max(loss, 1e-300)) + few * price(n_rows, n_free) + price(n_rows, 0, n_symbols)


def is_shorter(old: float, new: float, n_rows: int, exact: float, n_free: int, n_symbols: float = 0) -> bool:
    """Whether a law is described more shortly without `n_free` coefficients and `n_symbols` symbols.

    Its loss was `old` with them and is `new` without; all losses below that of an `exact` law are equal.
    """
    return _rise(max(old, exact), max(new, exact), n_rows) < price(n_rows, n_free, n_symbols)


def is_unsurprising(old: float, new: float, n_rows: int, n_fixed: int, exact: float = _TINY) -> bool:
    """Whether fixing `n_fixed` coefficients is worth the rise of the loss, or the rise may be chance.

    Each saves ``log(N)`` of the description; where there are few rows, a deviation that occurs by chance in one of a
    hundred is no evidence against the fixed value either (several at once may rise by as many times that, a little more
    than their joint percentile). The loss of an `exact` law is added to both losses, not their floor: among exact laws,
    too, a fixed value must not raise the loss by more than a small part of that.
    """
    return _rise(old + exact, new + exact, n_rows) < n_fixed * max(price(n_rows, 1), _SURPRISE)


def _rise(old: float, new: float, n_rows: int) -> float:
    return n_rows * (math.log(new) - math.log(old))  # no ratio, which over- and underflows
