"""What pages are put together from: pictures with captions, and lists of names and values."""

from __future__ import annotations

import base64
import html
import io
from collections.abc import Callable, Mapping
from typing import Any

_WIDE = 7.5  # inches


def figure(caption: str, draw: Callable[[], Any]) -> str:
    """A picture with its caption; on a narrow screen one that is wide scrolls, others shrink.

    Parameters
    ----------
    caption : str
    draw : callable
        Returns something with a ``figure_``, which is closed.
    """
    import matplotlib.pyplot as plt

    drawn = draw().figure_
    kind = ' class="wide"' if drawn.get_figwidth() > _WIDE else ""
    picture = io.BytesIO()
    drawn.savefig(picture, format="svg", metadata={"Date": None})
    plt.close(drawn)
    data = base64.b64encode(picture.getvalue()).decode("ascii")
    caption = html.escape(caption)
    image = f'<img alt="{caption}" src="data:image/svg+xml;base64,{data}">'
    return f"<figure{kind}>{image}<figcaption>{caption}</figcaption></figure>"


def definitions(values: Mapping[str, Any]) -> str:
    """Names with their values; those that are None are left out."""
    rows = [
        f"<dt>{html.escape(name)}</dt><dd>{html.escape(str(value))}</dd>"
        for name, value in values.items()
        if value is not None
    ]
    return f"<dl>{''.join(rows)}</dl>"
