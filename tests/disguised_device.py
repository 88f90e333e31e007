"""A device in disguise: tensors that say they are elsewhere and compute on the CPU, to test code for GPUs without one.

Within ``with DisguisedDevice() as device:`` whatever is made on or moved to the device called `NAME` is such a tensor.
As on a GPU, an operation on tensors of the device and of the CPU raises, and so does ``numpy()``; only single numbers,
and indices in square brackets, may come from the CPU. Random numbers are drawn as on the CPU, so results compare.
Counted are launches, and by the line of the package that asks for them, reads and uploads.
"""

from __future__ import annotations

import re
import sys
from collections import Counter
from pathlib import Path

import torch
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves, tree_map_only

import sklearn_eql

NAME = "meta"
"""What the device is called: a name that torch knows everywhere, and that has no other use here."""

_PACKAGE = str(Path(sklearn_eql.__file__).parent)
_FREE = re.compile(
    "_reshape_alias|_unsafe_view|alias|as_strided|detach|diagonal|expand|lift_fresh|permute|select|slice|split"
    "|split_with_sizes|squeeze|t|transpose|unbind|unfold|unsqueeze|view|empty|empty_like|empty_strided|new_empty"
)  # no launch: views, and memory that nothing is written to
_INDEXING = re.compile("index|index_put_?|_index_put_impl_|_unsafe_index")
_READING = re.compile(
    "_linalg_check_errors|_local_scalar_dense|_unique2|bincount|equal|is_nonzero|masked_select|nonzero"
    "|unique_consecutive|unique_dim"
)  # the host asks for a number, or for the size of the result


class MixedDevicesError(RuntimeError):
    """An operation on tensors of the device and of the CPU."""


class DisguisedTensor(torch.Tensor):
    """A tensor of a device; `inner`, on the CPU, holds its numbers."""

    inner: torch.Tensor
    owner: DisguisedDevice
    is_meta = False  # meta tensors have no numbers, and torch spares itself the work on them

    @staticmethod
    def __new__(cls, inner: torch.Tensor, owner: DisguisedDevice) -> DisguisedTensor:
        options = {"dtype": inner.dtype, "device": NAME}
        if inner.layout == torch.strided:  # a sparse tensor shows its shape and type only
            options |= {"strides": inner.stride(), "storage_offset": inner.storage_offset()}
        made = torch.Tensor._make_wrapper_subclass(cls, inner.size(), **options)
        made.inner, made.owner = inner, owner
        return made

    def __repr__(self, **_) -> str:
        return f"DisguisedTensor({self.inner!r})"

    def __reduce_ex__(self, protocol):
        return self.inner.__reduce_ex__(protocol)  # what is saved is loaded to the CPU

    @classmethod
    def __torch_dispatch__(cls, func, types, args=(), kwargs=None):
        first = next(leaf for leaf in tree_leaves((args, kwargs)) if isinstance(leaf, cls))
        return first.owner.compute(func, args, kwargs or {})


class DisguisedDevice(TorchDispatchMode):
    """The device, while it is entered.

    Attributes
    ----------
    launches : int
        Operations on the device; views are none.
    reads : Counter of str
        How often the host waited for numbers of the device, by line and operation: ``"training/x.py:12 nonzero"``.
    uploads : Counter of str
        How often the device got arrays of the CPU, likewise; indices are among them.
    """

    def __init__(self) -> None:
        super().__init__()
        self.launches, self.reads, self.uploads = 0, Counter(), Counter()
        self._functions = _Functions()

    def __enter__(self) -> DisguisedDevice:
        # A module that moves swaps its parameters with those of another class, so that optimisers go on to know them.
        self._swapping = torch.__future__.get_swap_module_params_on_conversion()
        torch.__future__.set_swap_module_params_on_conversion(True)
        self._functions.__enter__()
        return super().__enter__()

    def __exit__(self, *error) -> None:
        super().__exit__(*error)
        self._functions.__exit__(*error)
        torch.__future__.set_swap_module_params_on_conversion(self._swapping)

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        return self.compute(func, args, kwargs or {})

    def compute(self, func, args: tuple, kwargs: dict):
        """The result of an operator, on the device if an argument is there, or if it is asked for there."""
        name = func._schema.name.removeprefix("aten::")
        tensors = [leaf for leaf in tree_leaves((args, kwargs)) if isinstance(leaf, torch.Tensor)]
        ours = {id(tensor.inner): tensor for tensor in tensors if isinstance(tensor, DisguisedTensor)}
        target = kwargs.get("device")
        asked = target is not None and torch.device(target).type == NAME
        if not ours and not asked:
            return func(*args, **kwargs)
        inner_args, inner_kwargs = tree_map_only(DisguisedTensor, lambda tensor: tensor.inner, (args, kwargs))
        if target is not None:
            inner_kwargs["device"] = "cpu"
        to_cpu = not asked if target is not None else name == "copy_" and not isinstance(args[0], DisguisedTensor)
        self._count(name, kwargs, tensors, to_cpu)
        result = func(*inner_args, **inner_kwargs)
        if to_cpu:
            return args[0] if name == "copy_" else result
        # What is changed in place stays the same object.
        return tree_map_only(torch.Tensor, lambda t: ours[id(t)] if id(t) in ours else DisguisedTensor(t, self), result)

    def _count(self, name: str, kwargs: dict, tensors: list[torch.Tensor], to_cpu: bool) -> None:
        if to_cpu:
            self.reads[f"{_line()} {name}"] += 1
            return
        self.launches += not _FREE.fullmatch(name)
        indexing = bool(_INDEXING.fullmatch(name))
        others = [tensor for tensor in tensors if not isinstance(tensor, DisguisedTensor) and tensor.dim()]
        if others and not (
            name in ("_to_copy", "copy_") or (indexing and not any(tensor.is_floating_point() for tensor in others))
        ):
            shapes = ", ".join(str(tuple(tensor.shape)) for tensor in others)
            raise MixedDevicesError(
                f"{_line()} {name}: tensors of the CPU, of shape {shapes}, among those of the device."
            )
        if others:
            self.uploads[f"{_line()} {name}"] += 1
        by_mask = indexing and any(tensor.dtype == torch.bool for tensor in tensors[1:])
        of_any_length = name == "repeat_interleave" and kwargs.get("output_size") is None
        if _READING.fullmatch(name) or by_mask or of_any_length:
            self.reads[f"{_line()} {name}"] += 1


class _Functions(TorchFunctionMode):
    """What torch does above its operators."""

    def __torch_function__(self, func, types, args=(), kwargs=None):
        kwargs = dict(kwargs or {})
        first = args[0] if args else None
        if func in (torch.tensor, torch.as_tensor) and torch.device(kwargs.get("device") or "cpu").type == NAME:
            del kwargs["device"]  # of this name, torch would make one without numbers
            return func(*args, **kwargs).to(NAME)
        if isinstance(first, DisguisedTensor):
            if func in (torch.Tensor.numpy, torch.Tensor.__array__):
                raise TypeError(f"{_line()} numpy: can't convert a tensor of the device. Use Tensor.cpu() first.")
            if func is torch.Tensor.tolist:
                return first.cpu().tolist()
            if func is torch.Tensor.new_tensor:
                return first.inner.new_tensor(*args[1:], **kwargs).to(NAME)
            if func == torch.Tensor.data.__set__:
                first.inner = args[1].inner
        return func(*args, **kwargs)


def _line() -> str:
    """The innermost line of the package that is being executed."""
    frame = sys._getframe(1)
    while frame is not None:
        path = frame.f_code.co_filename
        if path.startswith(_PACKAGE) and not path.endswith("_devices.py"):  # who moved it is asked, not how
            return f"{Path(path).relative_to(_PACKAGE).as_posix()}:{frame.f_lineno}"
        frame = frame.f_back
    return "outside the package:"
