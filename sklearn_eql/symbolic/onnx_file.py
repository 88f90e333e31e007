"""Laws as ONNX files, through torch's exporter. Needs the ``onnx`` extra."""

from __future__ import annotations

import json
import warnings
from collections.abc import Sequence
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch.overrides import TorchFunctionMode

from sklearn_eql.symbolic.export import EquationModule

_ARITHMETIC = {
    *("add", "sub", "mul", "div", "true_divide", "pow", "remainder", "minimum", "maximum"),
    *(f"__{side}{name}__" for side in ("", "r") for name in ("add", "sub", "mul", "truediv", "pow", "mod")),
    "rsub",
}


class _ScalarsInFull(TorchFunctionMode):
    """Numbers in arithmetic become tensors of float64: the exporter writes plain ones with the digits of float32."""

    def __torch_function__(self, func: Any, types: Any, args: tuple = (), kwargs: dict | None = None) -> Any:
        if getattr(func, "__name__", "") in _ARITHMETIC:
            args = tuple(torch.tensor(a, dtype=torch.float64) if _needs_digits(a) else a for a in args)
        return func(*args, **(kwargs or {}))


def _needs_digits(value: Any) -> bool:
    return isinstance(value, float) and float(np.float32(value)) != value


class _InFull(torch.nn.Module):
    def __init__(self, law: EquationModule) -> None:
        super().__init__()
        self.law = law

    def forward(self, X: torch.Tensor) -> torch.Tensor:
        with _ScalarsInFull():
            return self.law(X)


def save_onnx(law: EquationModule, names: Sequence[str], path: str | PathLike) -> None:
    """Write a law as an ONNX file: input ``X`` (rows, n_features), output ``y`` (rows,) or (rows, n_outputs), float64.

    Names of the columns are kept in the file's metadata, ``features``, as a JSON list.

    Raises
    ------
    ImportError
        onnx or onnxscript is missing.
    """
    try:
        import onnxscript  # noqa: F401 - torch's exporter needs it
    except ImportError as error:
        raise ImportError(
            "to_onnx needs onnx and onnxscript, which are not installed. Install them together with the package: "
            "pip install 'sklearn-eql[onnx]'."
        ) from error
    rows = torch.ones((3, len(names)), dtype=torch.float64)
    with warnings.catch_warnings():
        # What the exporter says about its own use of torch.
        warnings.simplefilter("ignore", (DeprecationWarning, FutureWarning))
        program = torch.onnx.export(
            _InFull(law).eval(),
            (rows,),
            input_names=["X"],
            output_names=["y"],
            dynamic_shapes=({0: torch.export.Dim("rows")},),
            dynamo=True,
            verbose=False,
        )
    model = program.model_proto
    model.metadata_props.add(key="features", value=json.dumps(list(names)))
    Path(path).write_bytes(model.SerializeToString())
