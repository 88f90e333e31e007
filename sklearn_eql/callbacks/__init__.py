"""Watch a fit, keep a record of it, and end it by a condition of one's own.

Each is given as ``callbacks=[...]`` of an estimator: a callable on :class:`~sklearn_eql.progress.Progress` that answers
whether the fit is to end. Any function will do. Those that have methods ``begin(estimator)`` and ``end(estimator)`` are
also told when a fit begins, and when it is over: then `estimator` is the fitted one, or None if the fit failed. Where a
search is spread over processes of this machine, they are told of all of it, from a thread.
"""

from sklearn_eql.callbacks.conditions import StopWhen
from sklearn_eql.callbacks.display import ProgressDisplay
from sklearn_eql.callbacks.records import CSVRecord, TensorBoardRecord
from sklearn_eql.progress import Progress

__all__ = ["CSVRecord", "Progress", "ProgressDisplay", "StopWhen", "TensorBoardRecord"]
