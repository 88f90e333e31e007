"""Ends of a fit that a user defines."""

from __future__ import annotations

from collections.abc import Callable

from sklearn_eql.progress import Progress


class StopWhen:
    """End a fit as soon as a condition holds; it keeps the best law so far, and `stop_reason_` is ``"callback"``.

    Parameters
    ----------
    condition : callable, optional
        ``condition(progress) -> bool``.
    loss : float, optional
        Relative loss that is good enough.
    min_seconds : float, default=0
        Before which nothing ends.

    Examples
    --------
    >>> from sklearn_eql.callbacks import Progress, StopWhen
    >>> StopWhen(loss=1e-3)(Progress("generation", loss=2e-4, step=7))
    True
    """

    def __init__(
        self,
        condition: Callable[[Progress], bool] | None = None,
        *,
        loss: float | None = None,
        min_seconds: float = 0.0,
    ) -> None:
        if condition is None and loss is None:
            raise ValueError("StopWhen needs a condition, a loss, or both; got neither.")
        self.condition, self.loss, self.min_seconds = condition, loss, min_seconds

    def __call__(self, progress: Progress) -> bool:
        if progress.seconds < self.min_seconds:
            return False
        if self.loss is not None and progress.loss <= self.loss:
            return True
        return self.condition is not None and bool(self.condition(progress))
