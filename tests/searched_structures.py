"""Structures as a search proposes them, and rows to evaluate them on."""

from random import Random

import numpy as np

from sklearn_eql.primitives import PRESETS, PRIMITIVES
from sklearn_eql.search.mutations import Proposer
from sklearn_eql.sparse.problem import Scaling, make_problem

X = np.random.default_rng(0).uniform(0.5, 2, (30, 3))


def structures_of_a_search(seed, preset="default", count=60):
    """Random structures and edits of them, those that are finite on all rows."""
    target = X[:, 0] * X[:, 1] + X[:, 2]
    problem = make_problem(X, target, None, Scaling.of(X, target, False), PRIMITIVES, dict(PRESETS[preset]), 3, 256, 0)
    proposer = Proposer(problem, Random(seed))
    found = [proposer.linear()]
    while len(found) < count:
        i, j = proposer.rng.choices(range(len(found)), k=2)
        new = proposer.random(1 + len(found) % 3) if len(found) < count // 2 else proposer.mutate(found[i], found[j])
        if new is not None:
            found.append(new)
    with np.errstate(all="ignore"):
        values = [structure.to_equation().evaluate(X) for structure in found]
    return [s for s, v in zip(found, values, strict=True) if np.isfinite(v).all() and np.abs(v).max() < 1e6]
