"""The MNIST benchmark: what is measured, and the tables."""

from importlib import import_module

import numpy as np
import pytest
from sklearn.isotonic import IsotonicRegression
from sklearn.utils import Bunch


@pytest.fixture(scope="module")
def report():
    return import_module("_mnist_report").report


class Reader:
    """A model that reads digits without mistakes, except for nines, which it takes for eights."""

    def __init__(self, digits):
        self.seen = np.where(digits == 9, 8, digits)

    def transform(self, X):
        return -(self.seen - 4.5) / 5.7

    def predict(self, X):
        return self.seen.sum(axis=1) + 0.25


DIGITS = np.array([[a, b] for a in range(10) for b in range(10)])
DATA = Bunch(X=np.zeros((100, 2, 28, 28)), y=DIGITS.sum(axis=1), digits=DIGITS)


def test_figures_are_split_at_the_limit_of_table_two():
    to_digit = IsotonicRegression(increasing="auto").fit(Reader(DIGITS).transform(None)[:, 0], DIGITS[:, 0])
    figures = import_module("mnist").measure(Reader(DIGITS), DATA, to_digit)
    low = DIGITS.sum(axis=1) < 15
    right = (DIGITS != 9).all(axis=1)
    assert figures["accuracy"] == pytest.approx(0.81)
    assert figures["below"] == pytest.approx(right[low].mean())
    assert figures["from"] == pytest.approx(right[~low].mean())
    assert -1 < figures["correlation"] < -0.99
    assert abs(figures["correlation"]) < figures["correlation_mapped"] < 1
    assert not figures["monotone"]  # eights and nines have the same latent


def record(name, seed, accuracy, **more):
    figures = {"accuracy": accuracy, "below": accuracy, "from": accuracy - 0.1, "mae": 0.05, "correlation": -0.996}
    figures |= {"slope": -5.7, "monotone": True}
    return {
        "name": name,
        "seed": seed,
        "task": "sum of two digits",
        "equation": "9.0 - 5.7*z0 - 5.7*z1",
        "wall": 300.0,
        "cpu": 550.0,
        "train": figures,
        "test": figures,
        **more,
    }


def test_tables_show_the_papers_rows_beside_ours(report):
    records = [record("all", 0, 0.98), record("all", 1, 0.97), record("under15", 0, 0.96)]
    records.append(record("under15-relu", 0, 0.95, equation=None))
    text = report(records)
    assert "| all | sum of two digits | 2 | 97.5 / 97.5 | 97.0 | 0.9960 / 0.9960 | 0.050 | 300 (550) |" in text
    assert "| test images | EQL | paper | 91 | 83 |" in text
    assert "| test images | EQL | here, mean of 1 | 96.0 | 86.0 |" in text
    assert "| test images | ReLU | paper | 92 | 0.6 |" in text
    assert "| under15-relu | 0 | none (ReLU head) | -5.700 | monotone |" in text


def test_no_records_no_tables(report):
    assert "No records yet" in report([])
