"""Whatever is passed: a fit ends with finite predictions, or with an error that names what is wrong.

A seeded generator draws small fits with odd data and parameters; see `odd_inputs.py`. With
``SKLEARN_EQL_ODD_INPUTS=20`` in the environment, 20 times as many are drawn.
"""

import os
import re
import warnings

import numpy as np
import pytest
from odd_inputs import KINDS, odd_fit
from sklearn.exceptions import DataConversionWarning

from sklearn_eql import SymbolicTransformerRegressor
from sklearn_eql.exceptions import AllTrialsFailedError, UnusedLatentWarning

N_BATCHES = 20
N_SEEDS = 33 * int(
    os.environ.get("SKLEARN_EQL_ODD_INPUTS", "1")
)  # of a batch; three estimators each: 1,980 fits, and 33 of the fourth


def complaint(case):
    """What is wrong with how a fit ended, or None."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warnings.simplefilter("ignore", DataConversionWarning)  # scikit-learn's own, for a column in place of a row
        warnings.simplefilter("ignore", UnusedLatentWarning)  # what such series ask for
        try:
            predicted = case.run()
        except (ValueError, TypeError, FileNotFoundError, AllTrialsFailedError) as error:
            named = any(re.search(rf"(?<!\w){re.escape(name)}(?!\w)", str(error)) for name in case.blamed)
            return None if named else f"the error names none of {sorted(case.blamed)}: {type(error).__name__}: {error}"
        except (ArithmeticError, AttributeError, LookupError, MemoryError, RuntimeError, Warning) as error:
            return f"{type(error).__name__}: {error}"
    return None if np.isfinite(predicted).all() else "predictions are not finite"


@pytest.mark.parametrize(
    ("kind", "batch"),
    [(kind, b) for kind in KINDS for b in range(1 if kind is SymbolicTransformerRegressor else N_BATCHES)],
)
def test_odd_input_is_fitted_or_refused_by_name(kind, batch, one_thread):
    found = []
    for seed in range(batch * N_SEEDS, (batch + 1) * N_SEEDS):
        case = odd_fit(kind, seed)
        trouble = complaint(case)
        if trouble is not None:
            found.append(f"seed {seed} ({'; '.join(case.changes)}): {trouble}")
    assert not found, "\n".join(found)


def test_the_generator_makes_fits_that_end_both_ways():
    ended = {kind: set() for kind in KINDS}
    for kind in KINDS:
        for seed in range(25):
            try:
                odd_fit(kind, seed).run()
                ended[kind].add("fitted")
            except (ValueError, TypeError, AllTrialsFailedError):
                ended[kind].add("refused")
    assert all(ways == {"fitted", "refused"} for ways in ended.values())
