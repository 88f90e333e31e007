"""The only place that touches private or experimental scikit-learn API."""

from sklearn.base import _fit_context as fit_context
from sklearn.utils._param_validation import HasMethods, Interval, StrOptions
from sklearn.utils.validation import _check_sample_weight as check_sample_weight

try:
    from sklearn.callback import CallbackSupportMixin  # experimental, from version 1.9 on
except ImportError:

    class CallbackSupportMixin:  # type: ignore[no-redef]
        """Nothing: there are no callbacks of scikit-learn before its version 1.9."""


__all__ = ["CallbackSupportMixin", "HasMethods", "Interval", "StrOptions", "check_sample_weight", "fit_context"]
