"""How many threads torch uses while a fit runs."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch


@contextmanager
def single_threaded() -> Iterator[None]:
    """One torch thread inside.

    The batches are too small to share out: a second thread gains a third when it has a core to itself and costs a
    factor of twenty when it has not. Cores are used by ``n_jobs``.
    """
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)
