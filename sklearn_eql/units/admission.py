"""The units of a table as an admission: which structures may be laws at all."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

from sklearn_eql.primitives import Primitive
from sklearn_eql.sparse.structure import Structure
from sklearn_eql.units.dimensions import TableUnits
from sklearn_eql.units.inference import Inference


@dataclass(frozen=True)
class UnitsAdmission:
    """Laws that fit the units; see :class:`sklearn_eql.units.inference.Inference`."""

    units: TableUnits
    primitives: Mapping[str, Primitive]

    @cached_property
    def _inference(self) -> Inference:
        return Inference(self.units, self.primitives)

    def admits(self, structure: Structure) -> bool:
        """Whether a structure can be measured in the unit of the target."""
        return self._inference.fits(structure)

    def price(self, structure: Structure) -> float:
        """Nothing: what breaks the units is not admitted, and the rest is as dear as it was."""
        return 0.0
