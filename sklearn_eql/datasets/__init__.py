"""Data to try the estimators on: classic measurements, functions and motions of known law, images of digits.

Needs neither torch nor network, except for MNIST.
"""

from sklearn_eql.datasets._arithmetic import load_digits_arithmetic, load_mnist_arithmetic
from sklearn_eql.datasets._classics import load_balmer, load_boyle, load_hubble
from sklearn_eql.datasets._kepler import load_kepler
from sklearn_eql.datasets._laws import TABLE_V, make_table_v
from sklearn_eql.datasets._motion import (
    make_damped_oscillator,
    make_kinematics,
    make_lotka_volterra,
    make_oscillator,
    make_pendulum,
    make_projectile,
)

__all__ = [
    "TABLE_V",
    "load_balmer",
    "load_boyle",
    "load_digits_arithmetic",
    "load_hubble",
    "load_kepler",
    "load_mnist_arithmetic",
    "make_damped_oscillator",
    "make_kinematics",
    "make_lotka_volterra",
    "make_oscillator",
    "make_pendulum",
    "make_projectile",
    "make_table_v",
]
