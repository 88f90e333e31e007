"""Laws as labels of pictures: whole, on as many lines as they need."""

from __future__ import annotations

import re

import numpy as np

_PIECES = re.compile(r" ?[+-] |\*\*|[*/,]|[^\s*/,+-]+|[+-]|\s+")


def plain(text: str) -> str:
    """Text that matplotlib writes as it is: a dollar sign would start a formula."""
    return text.replace("$", r"\$")


def broken(text: str, width: int) -> str:
    """A law on lines of at most `width` characters, where its operators allow: before a sign, or behind ``*``, ``/``.

    Inside parentheses only where these do not fit into a line. Nothing is left out: where no operator comes for too
    long, a line is longer.
    """
    lines = [""]
    for piece in _pieces(text, width, 0):
        if lines[-1].strip() and len(lines[-1]) + len(piece.rstrip()) > width:
            lines.append("  " + piece.lstrip())
        else:
            lines[-1] += piece
    return "\n".join(line.rstrip() for line in lines)


def _pieces(text: str, width: int, stage: int) -> list[str]:
    """Parts between which a line may end: signs begin one; where it is long, other operators end one; then deeper."""
    depth, at_signs = stage // 2, stage % 2 == 0
    found, level, deepest = [""], 0, 0
    for token in _PIECES.findall(text):
        level += token.count("(") - token.count(")")
        deepest = max(deepest, level)
        is_sign = token.strip() in ("+", "-") and token.endswith(" ")
        if level <= depth and at_signs and is_sign:
            found.append(token)
        else:
            found[-1] += token
            if level <= depth and not at_signs and token in ("*", "/", ","):
                found.append("")
    found = [piece for piece in found if piece]
    if depth > deepest:
        return found
    return [part for piece in found for part in (_pieces(piece, width, stage + 1) if len(piece) > width else [piece])]


def spread(heights: np.ndarray, sizes: np.ndarray) -> np.ndarray:
    """Middles of labels, moved as little as keeps them apart and between 0 and 1.

    Parameters
    ----------
    heights : ndarray (n_labels,)
        Where they would be, falling; fractions of the axes.
    sizes : ndarray (n_labels,)
        How high they are; together at most 1.
    """
    placed = heights.astype(float)
    gaps = (sizes[:-1] + sizes[1:]) / 2
    placed[0] = min(placed[0], 1 - sizes[0] / 2)
    for i, gap in enumerate(gaps):
        placed[i + 1] = min(placed[i + 1], placed[i] - gap)
    # Labels pushed below the axes take the whole stack up again, from the bottom.
    placed[-1] = max(placed[-1], sizes[-1] / 2)
    for i in range(len(placed) - 2, -1, -1):
        placed[i] = max(placed[i], placed[i + 1] + gaps[i])
    return placed
