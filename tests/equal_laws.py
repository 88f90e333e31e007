"""When a found law is the expected one: by algebra, not by how it is written."""

import sympy


def same_law(found, expected) -> bool:
    """Whether the difference of two laws is nothing; of each pair, if there are as many in two lists."""
    if isinstance(expected, list):
        return len(found) == len(expected) and all(map(same_law, found, expected))
    return sympy.simplify(found - expected) == 0
