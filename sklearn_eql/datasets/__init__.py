"""Data to try the estimators on: classic measurements, functions of known law, arithmetic on images of digits.

Needs neither torch nor network, except for MNIST.
"""

from sklearn_eql.datasets._arithmetic import load_digits_arithmetic, load_mnist_arithmetic
from sklearn_eql.datasets._classics import load_balmer, load_boyle, load_hubble
from sklearn_eql.datasets._kepler import load_kepler
from sklearn_eql.datasets._laws import TABLE_V, make_table_v

__all__ = [
    "TABLE_V",
    "load_balmer",
    "load_boyle",
    "load_digits_arithmetic",
    "load_hubble",
    "load_kepler",
    "load_mnist_arithmetic",
    "make_table_v",
]
