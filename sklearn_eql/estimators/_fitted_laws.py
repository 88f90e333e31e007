"""What parts of an estimator read of a fit: names and types only, set and defined by the estimator."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd

    from sklearn_eql.laws.law import Law
    from sklearn_eql.laws.standing import Standing
    from sklearn_eql.primitives import Primitive
    from sklearn_eql.progress import Watched
    from sklearn_eql.symbolic.equation import Equation
    from sklearn_eql.units.dimensions import TableUnits


class FittedLaws:
    """Declarations for :class:`EquationReader` and its parts; it holds no code."""

    _laws: list[list[Law]]
    _names: list[str]
    _best: list[int]
    _single: bool
    _own: dict[str, Primitive]
    _ranges: np.ndarray | None = None  # (2, n_variables)
    _standings: list[list[Standing]] | None = None
    _units: list[TableUnits] | None  # for each output
    _watched: Watched  # while a fit runs
    on_undefined: str
    n_features_in_: int
    n_outputs_: int
    n_iter_: int
    loss_curve_: list[float] | list[list[float]]
    stop_reason_: str | list[str]
    interrupted_: bool

    if TYPE_CHECKING:

        @property
        def equations_(self) -> pd.DataFrame | list[pd.DataFrame]: ...

        def sympy(self, index: int | list[int] | None = None) -> Any: ...

        def torch_module(self, index: int | list[int] | None = None) -> Any: ...

        def _check_fitted(self, attribute: str) -> None: ...

        def _chosen(self, index: int | list[int] | None) -> list[Equation]: ...

        def _picks(self, index: int | list[int] | None) -> list[int]: ...

        def _primitives(self) -> dict[str, Primitive]: ...

        def _unlist(self, values: list[Any]) -> Any: ...

        # of scikit-learn's BaseEstimator
        def __getstate__(self) -> dict[str, Any]: ...

        def __setstate__(self, state: dict[str, Any]) -> None: ...
