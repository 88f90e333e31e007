"""Pictures of fitted models: equations found, how well one fits, motions, items. Needs the ``plot`` extra."""

from sklearn_eql.plotting.equations import plot_equations, plot_fit
from sklearn_eql.plotting.fit import FitDisplay
from sklearn_eql.plotting.front import FrontDisplay
from sklearn_eql.plotting.images import plot_digits
from sklearn_eql.plotting.latents import LatentDisplay
from sklearn_eql.plotting.motion import plot_latent, plot_rollouts
from sklearn_eql.plotting.network import NetworkDisplay
from sklearn_eql.plotting.residuals import ResidualsDisplay
from sklearn_eql.plotting.rollouts import RolloutDisplay, RolloutErrorDisplay
from sklearn_eql.plotting.training import LossCurveDisplay

__all__ = [
    "FitDisplay",
    "FrontDisplay",
    "LatentDisplay",
    "LossCurveDisplay",
    "NetworkDisplay",
    "ResidualsDisplay",
    "RolloutDisplay",
    "RolloutErrorDisplay",
    "plot_digits",
    "plot_equations",
    "plot_fit",
    "plot_latent",
    "plot_rollouts",
]
