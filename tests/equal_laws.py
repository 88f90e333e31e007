"""When a found law is the expected one: by algebra, not by how it is written."""

import sympy


def same_law(found, expected, positive: bool = False) -> bool:
    """Whether the difference of two laws is nothing; of each pair, if there are as many in two lists.

    With `positive` only for positive values: ``x/sqrt(x**2)`` is 1 then.
    """
    if isinstance(expected, list):
        return len(found) == len(expected) and all(
            same_law(*pair, positive) for pair in zip(found, expected, strict=True)
        )
    difference = found - expected
    if positive:
        difference = difference.xreplace({s: sympy.Dummy(s.name, positive=True) for s in difference.free_symbols})
    return sympy.simplify(difference) == 0
