"""The functions of Table V with the success rates that the paper reports for them."""

from __future__ import annotations

from sklearn_eql.datasets import TABLE_V, make_table_v

TRAIN_DOMAIN = (-1.0, 1.0)
TEST_DOMAIN = (-2.0, 2.0)
N_TRAIN = 256
N_TEST = 1000

_RATES = (  # (L0.5, L0), in the order of TABLE_V; section III-A gives no rate for the last
    (1.0, 1.0),
    (0.6, 0.75),
    (0.3, 0.05),
    (0.45, 0.85),
    (0.8, 1.0),
    (0.3, 0.55),
    (0.05, 0.95),
    (0.05, 0.15),
    (0.2, 0.8),
    (0.6, 0.9),
    (None, None),
)

PAPER_RATES: dict[str, dict[str, float | None]] = {
    name: {"l05": l05, "l0": l0} for name, (l05, l0) in zip(TABLE_V, _RATES, strict=True)
}
"""Fraction of 20 trials in which the paper finds each function, by penalty."""


def load(name: str, seed: int = 0):
    """Training table (256 rows on [-1, 1]) and test table (1000 rows on [-2, 2]) of one function."""
    train = make_table_v(name, N_TRAIN, domain=TRAIN_DOMAIN, random_state=seed)
    test = make_table_v(name, N_TEST, domain=TEST_DOMAIN, random_state=seed + 1)
    return train, test
