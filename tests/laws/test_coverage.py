"""Where laws are defined, beyond the rows that they were found on."""

import numpy as np
import pytest

from sklearn_eql.laws.coverage import coverage
from sklearn_eql.symbolic import Equation, Unit

LOG = Equation(1, (Unit("log", (((1, 1.0),),)),), ((2, 1.0),))  # log(x0)


def ranges(low, high):
    return np.array([[low], [high]], dtype=float)


@pytest.mark.parametrize(
    ("low", "high", "share"),
    [
        (1, 2, 1),
        (0.001, 2, 1),  # a feature of one sign keeps it
        (-1, 1, 1.2 / 2.4),
        (-1, 3, 3.4 / 4.8),
        (-2, -1, 0),
        (1e-310, 1e308, 1),
        (5, 5, 1),
    ],
)
def test_coverage_is_the_share_of_a_wider_range(low, high, share):
    assert coverage(LOG, ranges(low, high)) == pytest.approx(share, abs=2e-3)


def test_ranges_near_the_ends_of_float64_do_not_overflow():
    assert coverage(Equation(1, (), ((1, 0.5),)), ranges(-1.7e308, 1.7e308)) == 1


def test_only_features_that_the_law_reads_matter():
    law = Equation(1000, LOG.units, ((1001, 1.0),))
    assert coverage(law, np.array([[1.0] + [-1.0] * 999, [2.0] + [1.0] * 999])) == 1


def test_overflow_is_no_domain():
    law = Equation(1, (Unit("exp", (((1, 1.0),),)),), ((2, 1.0),))
    assert coverage(law, ranges(0, 700)) == pytest.approx(709.8 / 770, abs=2e-3)
