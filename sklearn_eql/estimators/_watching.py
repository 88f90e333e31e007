"""Who watches a fit: callbacks of the user, the display of ``verbose``, and scikit-learn's own callbacks."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from functools import wraps
from typing import Any

from sklearn_eql.callbacks import ProgressDisplay
from sklearn_eql.estimators._run_directory import RunDirectory
from sklearn_eql.progress import Progress, Watched, Watcher

CALLBACKS = [Sequence, None]
"""What may be passed as `callbacks`."""


def watched_fit(fit: Callable) -> Callable:
    """Decorator of `fit`: those who watch are told when it begins and when it is over.

    While it runs, ``self._watched`` tells them how it goes.
    """

    @wraps(fit)
    def told(self: Any, *args: Any, **kwargs: Any) -> Any:
        deadline = math.inf if self.max_time is None else time.time() + self.max_time
        run = [] if self.run_dir is None else [RunDirectory(self.run_dir)]
        self._watched = watched = Watched([*watchers_of(self), *run], deadline, *run)
        begun: list[Watcher] = []
        fitted = None
        try:
            for watcher in watched.watchers:
                begun.append(watcher)
                getattr(watcher, "begin", _nothing)(self)
            fitted = fit(self, *args, **kwargs)
            return fitted
        finally:
            vars(self).pop("_watched", None)
            for watcher in begun:
                getattr(watcher, "end", _nothing)(fitted)

    return told


def watchers_of(estimator: Any) -> list[Watcher]:
    """Everyone who watches a fit of an estimator.

    Raises
    ------
    TypeError
        A callback that cannot be called, or a class in place of an instance.
    """
    found: list[Watcher] = []
    for position, callback in enumerate(estimator.callbacks or ()):
        if not callable(callback) or isinstance(callback, type):
            raise TypeError(
                f"callbacks[{position}]={callback!r}: expected a callable on the progress of the fit, or an instance "
                "of a class in sklearn_eql.callbacks, for instance StopWhen(loss=1e-3)."
            )
        found.append(callback)
    if estimator.verbose and not any(isinstance(watcher, ProgressDisplay) for watcher in found):
        found.append(ProgressDisplay())
    if getattr(estimator, "_skl_callbacks", None):
        found.append(_Tasks(estimator))
    return found


def _nothing(_: Any) -> None:
    """What callbacks without a method for it do at the beginning and the end of a fit."""


class _Tasks:
    """Scikit-learn's callbacks (its version 1.9): the fit is a task, and every report a task in it that is over."""

    def __init__(self, estimator: Any) -> None:
        self.estimator = estimator
        self.context = estimator._init_callback_context(max_subtasks=None)

    def begin(self, estimator: Any) -> None:
        """The task of the whole fit begins."""
        self.context.call_on_fit_task_begin(estimator=self.estimator)

    def __call__(self, progress: Progress) -> bool:
        task = self.context.subcontext(task_name=progress.where)
        task.call_on_fit_task_begin(estimator=self.estimator)
        return bool(task.call_on_fit_task_end(estimator=self.estimator))

    def end(self, estimator: Any) -> None:
        """The task of the whole fit is over."""
        self.context.call_on_fit_task_end(estimator=self.estimator)
