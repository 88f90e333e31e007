"""Parts of a page that laws of motion have: what they are of, roll-outs, hidden parameters."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from sklearn_eql.pages.markup import frame_table
from sklearn_eql.pages.pieces import figure
from sklearn_eql.plotting import LatentDisplay, RolloutDisplay, RolloutErrorDisplay
from sklearn_eql.plotting.rolled_out import RolledOut

LOSS = "Loss of the networks that are trained before the law is looked for: of roll-outs, over that of standing still"
_DIGITS = 4
_FORMS = {
    "update": "from each row to the next",
    "increment": "a rate of change, followed in steps of one row",
    "ode": "a differential equation",
}


def is_of_motion(estimator: Any) -> bool:
    """Whether the laws of an estimator say what follows from what."""
    return hasattr(estimator, "rollout")


def summary(estimator: Any) -> dict[str, Any]:
    """What a law of motion is of, by name."""
    hidden = list(estimator.get_feature_names_out())
    used = [name for name, is_used in zip(hidden, estimator.latents_used_, strict=True) if is_used]
    unused = [name for name in hidden if name not in used]
    said = [", ".join(used) or "none"] + ([f"no law depends on {', '.join(unused)}"] if unused else [])
    return {
        "The law is": _FORMS[estimator.form_],
        "States": ", ".join(estimator.state_names_),
        "Hidden parameters": "; ".join(said) if hidden else "none",
        "Time from row to row": "1, as none was given" if estimator.dt is None else f"{estimator.dt:g}",
        "Fitted to": f"{len(estimator.latents_)} series of {estimator.n_steps_} steps",
    }


def rollout_parts(estimator: Any, X: Any, Y: Any) -> list[str]:
    """Roll-outs from the starts of series beside these."""
    rolled = RolledOut.of(estimator, X, Y)
    n, n_exploded = len(rolled.series), int(rolled.exploded.sum())
    told = f"The law goes on from the last row of X, for {rolled.truth.shape[1]} steps"
    told += f"; the fit saw {rolled.n_trained}." if rolled.trained_until is not None else "."
    if n < len(X):
        told += f" {n} of {len(X)} series, evenly chosen, were rolled out."
    if n_exploded:
        told += f" {n_exploded} explode, and count until they do."
    caption = "Three series: those that the law follows best, in the middle, and worst" if n > 2 else "Data and law"
    errors = RolloutErrorDisplay(rolled=rolled)
    return [
        f"<h2>Roll-outs</h2><p>{told}</p>",
        figure(caption, RolloutDisplay.of(rolled).plot),
        figure("Root mean square errors, in units of the spread of each state", errors.plot),
        frame_table(_errors(rolled, errors), _DIGITS),
    ]


def _errors(rolled: RolledOut, errors: RolloutErrorDisplay) -> pd.DataFrame:
    """Root mean square errors in the units of the states, after steps that matter."""
    n_steps = rolled.truth.shape[1]
    steps = sorted({1, min(rolled.n_trained, n_steps), n_steps})
    absolute = errors.errors_ * rolled.spread()
    columns = {f"error after {k} step{'s' if k > 1 else ''}": absolute[k - 1] for k in steps}
    return pd.DataFrame({"spread": rolled.truth.std(axis=(0, 1)), **columns}, index=list(rolled.names))


def latent_parts(estimator: Any, X: Any = None) -> list[str]:
    """Hidden parameters of the training series, and of others; nothing where no law depends on any."""
    used = np.asarray(estimator.latents_used_, dtype=bool)
    if not used.any():
        return []
    names = np.asarray(estimator.get_feature_names_out())[used]
    z = np.asarray(estimator.latents_)[:, used]
    others = None if X is None else estimator.transform(X)[:, used]
    display = LatentDisplay(z=z, names=list(names), others=others)
    frame = pd.DataFrame({"mean": z.mean(0), "standard deviation": z.std(0), "low": z.min(0), "high": z.max(0)}, names)
    return [
        "<h2>Hidden parameters</h2><p>One value for each series, constant along it.</p>",
        figure("Of the training series" + ("" if X is None else ", and as orange marks of those above"), display.plot),
        frame_table(frame, _DIGITS),
    ]
