"""Equations from data: scikit-learn estimators that train Equation Learner (EQL) networks."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sklearn_eql.estimators.dynamics_regressor import EQLDynamicsRegressor
    from sklearn_eql.estimators.encoder_regressor import EQLEncoderRegressor
    from sklearn_eql.estimators.regressor import EQLRegressor
    from sklearn_eql.estimators.transformer_regressor import SymbolicTransformerRegressor
    from sklearn_eql.primitives import Interval, Primitive
    from sklearn_eql.training.schedule import Phase, RolloutPhase

__version__ = "0.1.0"
__all__ = [
    "EQLDynamicsRegressor",
    "EQLEncoderRegressor",
    "EQLRegressor",
    "Interval",
    "Phase",
    "Primitive",
    "RolloutPhase",
    "SymbolicTransformerRegressor",
]

# Loaded when first used: data sets and the command line's own messages then need no torch.
_HOMES = {
    "EQLDynamicsRegressor": "sklearn_eql.estimators.dynamics_regressor",
    "EQLEncoderRegressor": "sklearn_eql.estimators.encoder_regressor",
    "EQLRegressor": "sklearn_eql.estimators.regressor",
    "Interval": "sklearn_eql.primitives",
    "Phase": "sklearn_eql.training.schedule",
    "Primitive": "sklearn_eql.primitives",
    "RolloutPhase": "sklearn_eql.training.schedule",
    "SymbolicTransformerRegressor": "sklearn_eql.estimators.transformer_regressor",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *_HOMES])
