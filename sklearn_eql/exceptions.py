"""Exceptions and warnings of the package; all derive from what scikit-learn users already catch."""


class InvalidFunctionsError(ValueError):
    """``functions`` names something unknown, or a primitive is ill-formed."""


class AllTrialsFailedError(RuntimeError):
    """No trial of the search ended with a finite law."""


class SearchInterruptedWarning(UserWarning):
    """``fit`` was interrupted (Ctrl-C); the best equation found until then was kept."""


class OutlierWarning(UserWarning):
    """A few rows lie far from a law that fits the others; squared errors let them decide."""


class UnusedLatentWarning(UserWarning):
    """A law does not depend on a hidden parameter that it was offered."""


class NoLawWarning(UserWarning):
    """What was found does not describe the data: its errors are larger than noise would make them."""


class RolloutWarning(RuntimeWarning):
    """A roll-out left the numbers a computer can hold; it was stopped and what was finite returned."""


class UnreadableTableError(ValueError):
    """A file holds no table, or one that may be read in two ways."""
