"""The only place that imports torchvision, which is optional and has to match the installed torch."""

from __future__ import annotations

from types import ModuleType

import torch

# Operators that torchvision registers Python kernels for when it is imported. Their schemas come from its compiled
# library, which is missing when a wheel for CUDA is installed beside torch for the CPU; the import then fails with
# "operator torchvision::nms does not exist". Data sets, transforms and models need none of them, so that declaring the
# schemas is enough. Where the library loads, it declares them itself and this must not.
_SCHEMAS = {
    "nms": "nms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
    "qnms": "qnms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
}

_declared: torch.library.Library | None = None  # must live as long as its schemas are needed


def import_torchvision() -> ModuleType:
    """torchvision, with `datasets`, `transforms` and `models` usable beside any build of torch.

    Raises
    ------
    ImportError
        torchvision is not installed, or does not fit the installed torch in another way.
    """
    try:
        import torchvision
    except ModuleNotFoundError as error:
        raise ImportError(
            "torchvision is not installed, and is needed for its data sets and transforms. Install it together with "
            "the package: pip install 'sklearn-eql[vision]'."
        ) from error
    except RuntimeError as error:
        if "torchvision::" not in str(error):
            raise
        torchvision = _import_without_operators(error)
    return torchvision


def _import_without_operators(first_error: RuntimeError) -> ModuleType:
    global _declared
    _declared = torch.library.Library("torchvision", "FRAGMENT")
    for name, schema in _SCHEMAS.items():
        if not hasattr(torch.ops.torchvision, name):
            _declared.define(schema)
    try:
        import torchvision
    except RuntimeError as error:
        raise ImportError(
            f"torchvision does not fit the installed torch {torch.__version__}: {first_error}. Install both from the "
            "same source, for instance pip install --force-reinstall torch torchvision."
        ) from error
    return torchvision
