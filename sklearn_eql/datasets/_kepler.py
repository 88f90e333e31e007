"""Published orbits of the planets, dwarf planets and asteroids: the data of Kepler's third law."""

from __future__ import annotations

from importlib import resources
from typing import Any

from sklearn.utils import Bunch

_GROUPS = ("planets", "small_bodies", "all")

_DESCR = """\
Orbits around the Sun
---------------------

One row per body: 8 planets, and 21 dwarf planets and asteroids from 0.92 to 544 au.

    name             body, with its number where it has one
    group            "planets" or "small_bodies"
    semi_major_axis  half of the long axis of the orbit, in astronomical units (au)
    period           time of one revolution, in days
    source           table the row was copied from

With these units Kepler's third law reads ``period = c * semi_major_axis**(3/2)``, and the constant is a number with
a meaning: the period of a body at 1 au, which is the length of our year (365.256 days for Earth; 365.2569 days for a
body without mass, the Gaussian year).

Planets and Pluto: NASA NSSDC planetary fact sheets, mean semi-major axis at J2000 and sidereal orbit period. The two
columns were determined separately and obey the law to 8e-4: the planets pull on each other, and the giants, with up
to a thousandth of the Sun's mass, go round a little faster than a light body would.

Asteroids and the other dwarf planets: JPL Small-Body Database, orbits fitted to observations, at the epoch given
in `source`; copied with 8 decimals (au) and 2 decimals (days). JPL derives these periods from the fitted orbits, so
this group tests a law at distances that it has not seen, not with a second measurement of time.
"""


def load_kepler(*, group: str = "all", as_frame: bool = True, return_X_y: bool = False) -> Any:
    """Load semi-major axes (au) and periods (days) of bodies that orbit the Sun.

    Parameters
    ----------
    group : {"all", "planets", "small_bodies"}, default="all"
        The 8 planets, the 21 dwarf planets and asteroids, or both.
    as_frame : bool, default=True
        Return pandas objects, whose column names appear in fitted laws, instead of arrays.
    return_X_y : bool, default=False
        Return ``(data, target)`` instead of a Bunch.

    Returns
    -------
    kepler : :class:`~sklearn.utils.Bunch`
        ``data`` of shape ``(n_bodies, 1)``, ``target`` of shape ``(n_bodies,)``, ``frame`` (all columns, ``None``
        where ``as_frame=False``), ``names`` of shape ``(n_bodies,)``, ``feature_names``, ``target_names``,
        ``filename`` (the CSV) and ``DESCR`` (units, sources, precision).

    Examples
    --------
    >>> from sklearn_eql.datasets import load_kepler
    >>> X, y = load_kepler(group="planets", return_X_y=True)
    >>> X.shape, X.columns.tolist()
    ((8, 1), ['semi_major_axis'])
    """
    import pandas as pd

    if group not in _GROUPS:
        raise ValueError(f"load_kepler: group must be one of {list(_GROUPS)}, got {group!r}.")
    filename = resources.files("sklearn_eql.datasets") / "data" / "kepler.csv"
    with filename.open(encoding="utf-8") as stream:
        frame = pd.read_csv(stream)
    if group != "all":
        frame = frame[frame["group"] == group].reset_index(drop=True)

    features, target_name = ["semi_major_axis"], "period"
    found: tuple[Any, ...] = frame[features], frame[target_name], frame["name"], frame
    if not as_frame:
        found = (*(part.to_numpy() for part in found[:2]), found[2].to_numpy(dtype=object), None)
    data, target, names, frame = found
    if return_X_y:
        return data, target
    return Bunch(
        data=data,
        target=target,
        frame=frame,
        names=names,
        feature_names=features,
        target_names=[target_name],
        filename=str(filename),
        DESCR=_DESCR,
    )
