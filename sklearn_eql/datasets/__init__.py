"""Data to try the estimators on: measured orbits, and functions whose law is known. Needs neither torch nor network."""

from sklearn_eql.datasets._kepler import load_kepler
from sklearn_eql.datasets._laws import TABLE_V, make_table_v

__all__ = ["TABLE_V", "load_kepler", "make_table_v"]
