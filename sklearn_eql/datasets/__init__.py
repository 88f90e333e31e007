"""Data to try the estimators on: classic measurements, functions of known law. Needs neither torch nor network."""

from sklearn_eql.datasets._classics import load_balmer, load_boyle, load_hubble
from sklearn_eql.datasets._kepler import load_kepler
from sklearn_eql.datasets._laws import TABLE_V, make_table_v

__all__ = ["TABLE_V", "load_balmer", "load_boyle", "load_hubble", "load_kepler", "make_table_v"]
