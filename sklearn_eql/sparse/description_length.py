"""The price of a law: residuals, coefficients and symbols in one number."""

from __future__ import annotations

import math

NATS_PER_SYMBOL = 4.0  # twice the choice of a function (log 13) or of a source (log 4), on average


def description_length(loss: float, n_rows: int, n_free: int, n_symbols: int) -> float:
    """Twice the length, in nats, of the residuals, the coefficients and the symbols of a law; lower is better.

    ``N log(loss) + n_free log(N) + 4 n_symbols``: the Bayesian information criterion, extended by a price for the
    choice among the many structures that were tried (as in the extended BIC of Chen and Chen, 2008). `loss` is
    relative to the variance of the target, and floored at the level of an exact law, so that among exact laws
    the shortest wins.
    """
    return n_rows * math.log(max(loss, 1e-300)) + n_free * math.log(n_rows) + NATS_PER_SYMBOL * n_symbols
