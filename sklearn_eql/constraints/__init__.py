"""What is known of a law before it is found: ``EQLRegressor(constraints=[...])``."""

from sklearn_eql.constraints.behaviour import Bounded, Concave, Convex, Even, Limit, Monotone, Odd, Passes
from sklearn_eql.constraints.form import MaxComplexity, NotNested, Price, Uses, Without

__all__ = [
    "Bounded",
    "Concave",
    "Convex",
    "Even",
    "Limit",
    "MaxComplexity",
    "Monotone",
    "NotNested",
    "Odd",
    "Passes",
    "Price",
    "Uses",
    "Without",
]
