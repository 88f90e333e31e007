"""Three tables that made history: Boyle's air (1662), Hubble's nebulae (1929), the Balmer lines of hydrogen."""

from __future__ import annotations

from importlib import resources
from typing import TYPE_CHECKING, Any

from sklearn.utils import Bunch

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd

_BOYLE = """\
The spring of the air, 1662
---------------------------

25 rows: air shut into the short leg of a bent glass tube and compressed by mercury poured into the long one.

    volume    space left to the air: marks on the short leg, a quarter of an inch each
    mercury   height of the mercury in the long leg above that in the short one, in inches
    pressure  pressure on the air, in inches of mercury: that height and the 29 2/16 inches of the atmosphere

Boyle's law reads ``pressure = k / volume``. The constant depends on how much air was shut in and has no accepted
value; Boyle's own is that of his first row, 48 * 29 2/16 = 1398.

Source: R. Boyle, A Defence of the Doctrine Touching the Spring and Weight of the Air (London 1662), part II, chapter V,
"A Table of the Condensation of the Air", columns A, B and D; reproduced by J. B. West, J. Appl. Physiol. 87 (1999)
1543. He read sixteenths of an inch. Pressures are those printed: in 22 rows they are the sum of mercury and 29 2/16
to the last sixteenth, at the volumes 36, 17 and 16 they differ from it by 1/16, 1/16 and 10/16.
"""

_HUBBLE = """\
Distance and velocity of nebulae, 1929
--------------------------------------

24 nebulae, which are galaxies outside our own.

    name                the two Magellanic Clouds, then numbers of the New General Catalogue
    distance            in millions of parsecs (Mpc), from stars in the nebula or the mean luminosity of its cluster
    velocity            away from us, in km/s; not corrected for the motion of the Sun
    apparent_magnitude  total visual magnitude
    absolute_magnitude  total visual absolute magnitude, which Hubble computed from magnitude and distance

Hubble's law reads ``velocity = H0 * distance``. From these rows, with the motion of the Sun fitted along, Hubble found
465 +- 50 km/s per Mpc, and 513 +- 60 with the nebulae in nine groups. Today's value is near 70 (67.4 +- 0.5: Planck
Collaboration 2020; 73.0 +- 1.0: Riess et al. 2022): velocities were right, distances several times too short. Nebulae
also move for reasons of their own, by hundreds of km/s; five of these come nearer.

Source: E. Hubble, A relation between distance and radial velocity among extra-galactic nebulae, Proc. Natl. Acad. Sci.
15 (1929) 168, doi:10.1073/pnas.15.3.168, table 1.
"""

_BALMER = """\
The Balmer lines of hydrogen
----------------------------

12 lines of the hydrogen spectrum, light that atoms give off when they fall from level n to level 2.

    name               H alpha is the red line
    n                  upper level, 3 to 14
    air_wavelength     measured, in nm, in air
    vacuum_wavelength  air_wavelength times the refractive index of air, in nm
    wavenumber         1e7 / vacuum_wavelength, in 1/cm

Balmer's formula (1885) reads ``wavelength = B * n**2 / (n**2 - 4)`` with B = 364.56 nm in air; Rydberg's form of it is
``wavenumber = R * (1/4 - 1/n**2)``. The Rydberg constant of hydrogen is R = 109677.583 1/cm (CODATA 2018: 10973731.568
1/m for an infinitely heavy nucleus, divided by 1 + 1/1836.153). At eight digits the formula is no longer all: spin and
relativity lower the states of level 2 by 0.1 to 0.5 1/cm, and the higher levels by less (fine structure).

Source: NIST Atomic Spectra Database, observed lines of H I (A. E. Kramida, At. Data Nucl. Data Tables 96 (2010) 586);
each is the centre of fine structure that was not resolved. Published to 0.001 nm (n = 3 and 4) and 0.0001 nm; the last
digits scatter. Refractive index: D. C. Morton, Astrophys. J. Suppl. 130 (2000) 403, eq. 8, for dry air at 15 C.
"""

_BALMER_TARGETS = ("air_wavelength", "vacuum_wavelength", "wavenumber")


def load_boyle(*, as_frame: bool = True, return_X_y: bool = False) -> Any:
    """Load volumes and pressures of air as Boyle measured them in 1662.

    Parameters
    ----------
    as_frame : bool, default=True
        Return pandas objects, whose column names appear in fitted laws, instead of arrays.
    return_X_y : bool, default=False
        Return ``(data, target)`` instead of a Bunch.

    Returns
    -------
    boyle : :class:`~sklearn.utils.Bunch`
        ``data`` (volume) of shape ``(25, 1)``, ``target`` (pressure, inches of mercury) of shape ``(25,)``, ``frame``
        (all columns, ``None`` where ``as_frame=False``), ``feature_names``, ``target_names``, ``filename`` (the CSV)
        and ``DESCR`` (units, source, precision).

    Examples
    --------
    >>> from sklearn_eql.datasets import load_boyle
    >>> boyle = load_boyle()
    >>> boyle.frame.iloc[[0, -1]].to_numpy().tolist()
    [[48.0, 0.0, 29.125], [12.0, 88.4375, 117.5625]]
    """
    return _bunch("boyle.csv", _read("boyle.csv"), "volume", "pressure", _BOYLE, as_frame, return_X_y)


def load_hubble(*, as_frame: bool = True, return_X_y: bool = False) -> Any:
    """Load distances and velocities of 24 nebulae as Hubble published them in 1929.

    Parameters
    ----------
    as_frame : bool, default=True
        Return pandas objects, whose column names appear in fitted laws, instead of arrays.
    return_X_y : bool, default=False
        Return ``(data, target)`` instead of a Bunch.

    Returns
    -------
    hubble : :class:`~sklearn.utils.Bunch`
        ``data`` (distance, Mpc) of shape ``(24, 1)``, ``target`` (velocity, km/s) of shape ``(24,)``, ``frame`` (all
        columns, ``None`` where ``as_frame=False``), ``names`` of shape ``(24,)``, ``feature_names``,
        ``target_names``, ``filename`` (the CSV) and ``DESCR`` (units, source, precision).

    Examples
    --------
    >>> from sklearn_eql.datasets import load_hubble
    >>> hubble = load_hubble()
    >>> hubble.names[5], hubble.data["distance"][5].item(), hubble.target[5].item()
    ('N.G.C. 224', 0.275, -220)
    """
    return _bunch("hubble.csv", _read("hubble.csv"), "distance", "velocity", _HUBBLE, as_frame, return_X_y)


def load_balmer(*, target: str = "air_wavelength", as_frame: bool = True, return_X_y: bool = False) -> Any:
    """Load the first twelve Balmer lines of hydrogen.

    Parameters
    ----------
    target : {"air_wavelength", "vacuum_wavelength", "wavenumber"}, default="air_wavelength"
        What was measured (nm, in air), or what follows from it: the wavelength in vacuum (nm), the wave number (1/cm).
    as_frame : bool, default=True
        Return pandas objects, whose column names appear in fitted laws, instead of arrays.
    return_X_y : bool, default=False
        Return ``(data, target)`` instead of a Bunch.

    Returns
    -------
    balmer : :class:`~sklearn.utils.Bunch`
        ``data`` (upper level `n`) of shape ``(12, 1)``, ``target`` of shape ``(12,)``, ``frame`` (all columns, ``None``
        where ``as_frame=False``), ``names`` of shape ``(12,)``, ``feature_names``, ``target_names``, ``filename``
        (the CSV) and ``DESCR`` (units, source, precision).

    Examples
    --------
    >>> from sklearn_eql.datasets import load_balmer
    >>> n, wavelength = load_balmer(return_X_y=True)
    >>> n["n"][0].item(), wavelength[0].item()
    (3, 656.279)
    """
    if target not in _BALMER_TARGETS:
        raise ValueError(f"load_balmer: target must be one of {list(_BALMER_TARGETS)}, got {target!r}.")
    frame = _read("balmer.csv")
    frame["vacuum_wavelength"] = _in_vacuum(frame["air_wavelength"].to_numpy())
    frame["wavenumber"] = 1e7 / frame["vacuum_wavelength"]
    return _bunch("balmer.csv", frame, "n", target, _BALMER, as_frame, return_X_y)


def _in_vacuum(air_wavelength: np.ndarray) -> np.ndarray:
    """Wavelengths in vacuum (nm); the index depends on them, so three rounds, each of which gains four digits."""
    vacuum = air_wavelength
    for _ in range(3):
        s2 = (1e3 / vacuum) ** 2  # square of the wave number, 1/um^2
        vacuum = air_wavelength * (1 + 8.34254e-5 + 2.406147e-2 / (130 - s2) + 1.5998e-4 / (38.9 - s2))
    return vacuum


def _file(name: str) -> Any:
    return resources.files("sklearn_eql.datasets") / "data" / name


def _read(name: str) -> pd.DataFrame:
    import pandas as pd

    with _file(name).open(encoding="utf-8") as stream:
        return pd.read_csv(stream)


def _bunch(
    file: str, frame: pd.DataFrame, feature: str, target_name: str, descr: str, as_frame: bool, return_X_y: bool
) -> Any:
    """One feature and one target of `frame`, in the form in which scikit-learn's loaders return them."""
    found: tuple[Any, ...] = frame[[feature]], frame[target_name], frame
    names: dict[str, Any] = {"names": frame["name"]} if "name" in frame else {}
    if not as_frame:
        found = (*(part.to_numpy() for part in found[:2]), None)
        names = {key: value.to_numpy(dtype=object) for key, value in names.items()}
    data, target, table = found
    if return_X_y:
        return data, target
    return Bunch(
        data=data,
        target=target,
        frame=table,
        **names,
        feature_names=[feature],
        target_names=[target_name],
        filename=str(_file(file)),
        DESCR=descr,
    )
