"""This package beside other regressors, on the same rows, with the same time: see `__main__.py`."""
