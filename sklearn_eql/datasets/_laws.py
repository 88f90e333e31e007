"""The functions of the paper's Table V, as tables of numbers with the law behind them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from sklearn.utils import Bunch, check_random_state

if TYPE_CHECKING:
    import sympy


@dataclass(frozen=True)
class _Law:
    """A law written once: ``formula(m, *variables)``, with ``sin``, ``exp`` and ``pi`` from `m`: numpy or sympy."""

    name: str
    variables: tuple[str, ...]
    formula: Callable[..., Any]
    n_hidden_layers: int = 2

    def __call__(self, X: np.ndarray) -> np.ndarray:
        """Values without noise, shape ``(n_samples,)``, for `X` of shape ``(n_samples, n_features)``."""
        return self.formula(np, *np.asarray(X, dtype=np.float64).T)

    def expression(self) -> sympy.Expr:
        """The law over symbols named like the features."""
        import sympy

        return sympy.sympify(self.formula(sympy, *map(sympy.Symbol, self.variables)))


_LAWS = {
    law.name: law
    for law in (
        _Law("x", ("x",), lambda m, x: x),
        _Law("x^2", ("x",), lambda m, x: x**2),
        _Law("x^3", ("x",), lambda m, x: x**3),
        _Law("sin(2 pi x)", ("x",), lambda m, x: m.sin(2 * m.pi * x)),
        _Law("x y", ("x", "y"), lambda m, x, y: x * y),
        _Law("sigmoid(10 x)", ("x",), lambda m, x: 1 / (1 + m.exp(-10 * x))),
        _Law("x y/2 + z/2", ("x", "y", "z"), lambda m, x, y, z: x * y / 2 + z / 2),
        _Law("exp(-x^2)", ("x",), lambda m, x: m.exp(-(x**2))),
        _Law("x^2 + sin(2 pi y)", ("x", "y"), lambda m, x, y: x**2 + m.sin(2 * m.pi * y)),
        _Law("x^2 + y - 2 z", ("x", "y", "z"), lambda m, x, y, z: x**2 + y - 2 * z),
        # From the text of section III-A, where it stands for what a third hidden layer is good for.
        _Law("(x1 + x2 x3)^3", ("x1", "x2", "x3"), lambda m, x1, x2, x3: (x1 + x2 * x3) ** 3, n_hidden_layers=3),
    )
}

TABLE_V: tuple[str, ...] = tuple(_LAWS)
"""Names that :func:`make_table_v` knows: the paper's ten functions in its order, then ``(x1 + x2 x3)^3``."""


def make_table_v(
    name: str,
    n_samples: int = 256,
    *,
    noise: float = 0.0,
    domain: tuple[float, float] = (-1.0, 1.0),
    random_state: Any = None,
) -> Bunch:
    """Sample a function of the paper's Table V.

    Parameters
    ----------
    name : str
        One of :data:`TABLE_V`.
    n_samples : int, default=256
        Number of rows.
    noise : float, default=0.0
        Standard deviation of the Gaussian noise added to `y`, as a fraction of the root mean square of `y`.
    domain : tuple of two floats, default=(-1, 1)
        Range of each feature, sampled uniformly; the paper trains on (-1, 1) and judges on (-2, 2).
    random_state : int, RandomState instance or None, default=None
        Seed of features and noise.

    Returns
    -------
    table : :class:`~sklearn.utils.Bunch`
        ``X`` of shape ``(n_samples, n_features)``, ``y`` of shape ``(n_samples,)``, ``feature_names``, ``name``,
        ``expression`` (the true law, a ``sympy.Expr`` over the feature names), ``function`` (the true law without
        noise, from ``(n_samples, n_features)`` to ``(n_samples,)``) and ``n_hidden_layers`` (as in the paper).

    Examples
    --------
    >>> from sklearn_eql.datasets import make_table_v
    >>> table = make_table_v("x^2 + y - 2 z", random_state=0)
    >>> table.X.shape, table.expression
    ((256, 3), x**2 + y - 2*z)
    """
    if name not in _LAWS:
        raise ValueError(f"make_table_v: name={name!r} is not in the table. Known names: {list(TABLE_V)}.")
    if n_samples < 1:
        raise ValueError(f"make_table_v: n_samples must be at least 1, got {n_samples!r}.")
    if not 0 <= noise < np.inf:
        raise ValueError(f"make_table_v: noise must be a finite number of at least 0, got {noise!r}.")
    lower, upper = domain
    if not lower < upper:
        raise ValueError(f"make_table_v: domain must be (lower, upper) with lower < upper, got {domain!r}.")

    law = _LAWS[name]
    rng = check_random_state(random_state)
    X = rng.uniform(lower, upper, size=(n_samples, len(law.variables)))
    y = law(X)
    if noise > 0:
        y = y + rng.normal(scale=noise * np.sqrt(np.mean(y**2)), size=n_samples)
    return Bunch(
        X=X,
        y=y,
        feature_names=list(law.variables),
        name=name,
        expression=law.expression(),
        function=law,
        n_hidden_layers=law.n_hidden_layers,
    )
