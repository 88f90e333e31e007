"""From mean rates of change to the derivative: laws for what an integrator adds up, corrected until they stay."""

from __future__ import annotations

import time
from dataclasses import replace

import numpy as np

from sklearn_eql.dynamics.joint import JointFit, fit, solve_latents
from sklearn_eql.dynamics.latent_coordinates import carried
from sklearn_eql.dynamics.motion import Motion, MotionSettings, problem_of, rounding_floor, velocity_of
from sklearn_eql.dynamics.runge_kutta import N_ROUGH, mean_velocity
from sklearn_eql.dynamics.stepwise import discover

_FINAL_LOSS = 1e-28  # to which the final fit goes on
_CORRECTIONS = 12  # of the derivative, for form="ode"
_CONTRACTION = 0.1  # share of what a correction moved that is expected to move next
_SETTLED = 1e-11  # relative change of coefficients


def corrected(motion: Motion, states, degrees, settings: MotionSettings, deadline: float) -> Motion:
    """A law for the derivative, from one for the mean rate of change over a step.

    The difference between the two is that of the law itself, integrated over the step; it is taken off the target, and
    the law fitted again, until it stays. What the difference moved in a round is what is not known yet: terms below
    that are not asked for.
    """
    rate = motion.problem.target * motion.unit
    here = states[:, :-1]
    previous = np.zeros_like(rate)
    base = rounding_floor(states, motion.unit, settings)
    with np.errstate(all="ignore"):
        for _ in range(_CORRECTIONS):
            velocity = velocity_of(motion, settings.primitives)
            finer = mean_velocity(velocity, here, settings.dt, N_ROUGH)
            correction = finer - velocity(here)
            if not np.isfinite(correction).all():
                return motion
            integration = (finer - mean_velocity(velocity, here, settings.dt, N_ROUGH // 2)) / motion.unit
            unsettled = (correction - previous) / motion.unit
            floor = np.maximum(base, np.mean(integration**2 + (_CONTRACTION * unsettled) ** 2, axis=(0, 1)))
            problem = replace(motion.problem, target=(rate - correction) / motion.unit, floor=floor)
            before, previous = motion.law, correction
            law = discover(problem, before.latents, degrees, settings.total_degree, deadline, first=before)
            motion = replace(motion, problem=problem, law=law)
            if _same(law, before) or time.time() > deadline:
                break
    return motion


def _same(law: JointFit, other: JointFit) -> bool:
    if not (law.active == other.active).all():
        return False
    size = np.abs(law.coefficients).max()
    return np.abs(law.coefficients - other.coefficients).max() < _SETTLED * size


def on_all_series(motion: Motion, states, rough, rows, settings: MotionSettings) -> Motion:
    """The law refitted to all series and steps, as exactly as numbers allow.

    The latents of series that it was not found on start from `rough` ones (N, any number).
    """
    whole = problem_of(states, motion.terms, motion.scale, motion.law.latents.shape[1], settings, motion.unit)
    floor = np.minimum(whole.problem.floor, motion.problem.floor)
    kept = {"powers": motion.problem.powers, "free_latents": motion.problem.free_latents}
    sharp = replace(whole.problem, **kept, floor=np.full_like(floor, _FINAL_LOSS))
    started = carried(rough, motion.law.latents, rows)
    started[rows] = motion.law.latents
    law = replace(motion.law, latents=started)
    motion = replace(whole, problem=sharp, law=law)
    rate, here = sharp.target * motion.unit, states[:, :-1]
    for _ in range(_CORRECTIONS if settings.form == "ode" else 1):
        problem = sharp
        if settings.form == "ode":
            velocity = velocity_of(motion, settings.primitives)
            correction = mean_velocity(velocity, here, settings.dt) - velocity(here)
            problem = replace(sharp, target=(rate - correction) / motion.unit)
        law = fit(problem, solve_latents(problem, motion.law))
        settled = _same(law, motion.law)
        motion = replace(motion, problem=problem, law=law)
        if settled:
            break
    return replace(motion, problem=replace(motion.problem, floor=floor))
