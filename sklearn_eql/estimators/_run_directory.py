"""A directory in which a fit keeps its laws while it searches, and from which an estimator is opened again.

It holds plain values only (:mod:`sklearn_eql.plain_files`). ``run.json`` has the estimator: parameters when a fit
begins, and what it was fitted to when that is over. In between each part of a search writes the laws it has to a file
of its own, ``laws-0-1.json`` for the first output and the second island, from whichever process it is in.
"""

from __future__ import annotations

import secrets
import time
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, fields
from functools import partial
from os import PathLike
from pathlib import Path
from typing import Any, Self

from sklearn_eql import constraints
from sklearn_eql.estimators._laws_of_run import CURE, LAWS, LAWS_KIND, TableOfFit, take_laws
from sklearn_eql.laws.law import Law
from sklearn_eql.networks.penalties import L1, HardConcreteL0, SmoothedL05
from sklearn_eql.plain_files import NotPlainError, from_plain, read, to_plain, write
from sklearn_eql.primitives import PRIMITIVES, resolve_functions
from sklearn_eql.progress import Progress
from sklearn_eql.training.schedule import Phase, RolloutPhase
from sklearn_eql.units.dimensions import TableUnits

_RUN, _RUN_KIND = "run.json", "run of a fit"
_SECONDS, _SHARE = 1.0, 0.05  # between two writes at least, and of the time at most
_OF_LAWS = ("_laws", "_best", "_standings", "_curvatures", "_grouped", "_parametric")  # what a fit sets in the end
_DERIVED = ("_watched", "_own", "_run_id")  # what is no part of a run, or beside it
_PLAIN_OBJECTS = {  # dataclasses of plain values, which parameters and fitted attributes are made of
    kind.__name__: kind
    for kind in (
        *(getattr(constraints, name) for name in constraints.__all__),
        *(Phase, RolloutPhase, SmoothedL05, L1, HardConcreteL0, TableUnits),
    )
}


class RunDirectory:
    """A watcher that keeps a fit in a directory.

    Parameters
    ----------
    path : str or path-like
        Made if it is not there, but not the folder that it is in.
    """

    def __init__(self, path: str | PathLike) -> None:
        self.path = Path(path)
        self._next: dict[str, float] = {}  # time of the next write, by file

    def begin(self, estimator: Any) -> None:
        """A fit begins.

        Raises
        ------
        ValueError
            There is no folder to make the directory in, or it has the fit of another estimator.
        """
        if not self.path.is_dir() and not self.path.parent.is_dir():
            raise ValueError(
                f"run_dir={str(self.path)!r}: there is no folder {str(self.path.parent)!r}. Make it, or name a "
                "directory in one that exists."
            )
        self.path.mkdir(exist_ok=True)
        if not (self.path / _RUN).exists():
            return
        run = read(self.path / _RUN, _RUN_KIND, CURE)
        is_own = getattr(estimator, "_run_id", None) == run["id"]
        if (run["has_laws"] or self._files()) and not (is_own and (run["complete"] or _goes_on(estimator))):
            raise ValueError(
                f"run_dir={str(self.path)!r} has a fit already, which would be lost. Go on with {run['estimator']}."
                f"from_run({str(self.path)!r}).set_params(warm_start=True), name another directory, or delete this one."
            )

    def checked(self, estimator: Any, table: TableOfFit | None = None) -> None:
        """The data of a fit are read and found good."""
        if not _goes_on(estimator):
            for file in self._files():
                file.unlink()
        estimator._run_id = secrets.token_hex(8)
        self._write_run(estimator, table, () if _goes_on(estimator) else _OF_LAWS)

    def keep(self, estimator: Any) -> None:
        """An estimator as it would be if the fit ended here."""
        self._go_on_without(self._write_run, estimator)

    def found(self, output: int, laws: Sequence[Law]) -> None:
        """The search for an output is over."""
        self._go_on_without(self._write_laws, str(output), laws)

    def __call__(self, progress: Progress) -> None:
        name = f"{progress.output}-{progress.island or 0}"
        now = time.monotonic()
        if progress.front is None or now < self._next.get(name, 0.0) or not self.path.is_dir():
            return  # no directory: a worker on a machine that does not share it
        self._go_on_without(self._write_laws, name, progress.front())
        end = time.monotonic()
        self._next[name] = end + max(_SECONDS, (end - now) / _SHARE)

    def elsewhere(self) -> RunDirectory:
        """For another process."""
        return RunDirectory(self.path)

    def end(self, estimator: Any) -> None:
        """A fit is over; what it found, or None if it failed."""
        if estimator is not None:
            self._go_on_without(self._write_run, estimator, complete=True)
            for file in self._files():
                file.unlink()

    def _go_on_without(self, work: Callable[..., None], *given: Any, **options: Any) -> None:
        """Write what a search has found; that a disk is full is no reason to lose it."""
        try:
            work(*given, **options)
        except OSError as error:
            warnings.warn(
                f"run_dir={str(self.path)!r} cannot be written to ({error}). The fit goes on, and is not kept there.",
                UserWarning,
                stacklevel=2,
            )

    def _files(self) -> list[Path]:
        return sorted(self.path.glob(LAWS.format("*")))

    def _write_laws(self, name: str, laws: Sequence[Law]) -> None:
        write(self.path / LAWS.format(name), LAWS_KIND, [to_plain(asdict(law)) for law in laws])

    def _write_run(
        self, estimator: Any, table: TableOfFit | None = None, without: Sequence[str] = (), complete: bool = False
    ) -> None:
        parameters = estimator.get_params(deep=False)
        given = [name for name, value in parameters.items() if not _is_plain(value)]
        state, lost = {}, []
        for name, value in estimator.__getstate__().items():
            if name in _DERIVED or name in without:
                continue
            try:
                state[name] = to_plain(value, lambda part: _special(part, given, parameters))
            except NotPlainError:
                lost.append(name)
        run = {
            "estimator": type(estimator).__name__,
            "id": estimator._run_id,
            "complete": complete,
            "has_laws": "_laws" in state,
            "table": None if table is None else to_plain(asdict(table)),
            "given": given,
            "lost": lost,
            "state": state,
        }
        write(self.path / _RUN, _RUN_KIND, run)


class RunReader:
    """Mixin: an estimator from the directory of a fit."""

    @classmethod
    def from_run(cls, path: str | PathLike, **parameters: Any) -> Self:
        """The estimator of a fit with ``run_dir=path``, in whatever process that was, and whatever ended it.

        A fit that came to its end is there as it was. One that was killed is there with its parameters and the laws
        that it had found last, before their constants were polished; ``set_params(warm_start=True).fit(X, y)`` goes on
        from these. The files hold numbers and text, and no code is run to read them.

        Parameters
        ----------
        path : str or path-like
        **parameters
            Of the estimator, in place of those of the run. Functions, callables and modules that the fit had
            (a :class:`~sklearn_eql.Primitive` of your own, a callable `selection` or `encoder`) are in no file, and
            have to be passed; `callbacks` may be.

        Returns
        -------
        estimator
            Fitted. Not fitted where an estimator that trains networks was killed before it had a law.

        Raises
        ------
        ValueError
            There is no run, one of another estimator or version, files that are damaged, parameters that have to be
            passed.
        """
        run = read(Path(path) / _RUN, _RUN_KIND, CURE)
        if run["estimator"] != cls.__name__:
            raise ValueError(
                f"{str(path)!r} has a run of {run['estimator']}, expected one of {cls.__name__}. Use "
                f"{run['estimator']}.from_run."
            )
        missing = [name for name in run["given"] if name not in {*parameters, "callbacks"}]
        if missing:
            raise ValueError(
                f"{str(path)!r}: the fit had {', '.join(missing)} that a file of plain values does not hold. Pass the "
                f"same: {cls.__name__}.from_run({str(path)!r}, {', '.join(f'{name}=...' for name in missing)})."
            )
        estimator: Any = cls()
        estimator.set_params(**parameters)
        passed = {"callbacks": None, **parameters}
        stored = {name: from_plain(value, partial(_object, passed)) for name, value in run["state"].items()}
        estimator.__setstate__({**vars(estimator), **stored, "run_dir": path, **parameters})
        functions = getattr(estimator, "functions", None)
        used = [] if functions is None else resolve_functions(functions)
        estimator._run_id = run["id"]
        estimator._own = {p.name: p for p in used if PRIMITIVES.get(p.name) != p}
        if run["table"] is not None:
            take_laws(estimator, Path(path), TableOfFit(**from_plain(run["table"])))
        elif any(name in run["lost"] for name in _OF_LAWS):
            raise ValueError(f"{str(path)!r}: the run has labels of groups that a file of plain values does not hold.")
        return estimator


def _goes_on(estimator: Any) -> bool:
    return estimator.warm_start and estimator.__sklearn_is_fitted__()


def _is_plain(value: Any) -> bool:
    try:
        to_plain(value, lambda part: _special(part, (), {}))
    except NotPlainError:
        return False
    return True


def _special(value: Any, given: Sequence[str], parameters: Mapping[str, Any]) -> dict | None:
    """What stands for parameters that are not plain, and for objects of the package that are."""
    for name in given:
        if value is parameters[name]:
            return {"parameter": name}
    kind = type(value)
    if _PLAIN_OBJECTS.get(kind.__name__) is not kind:
        return None
    parts = {field.name: to_plain(getattr(value, field.name)) for field in fields(value)}
    return {"object": [kind.__name__, parts]}


def _object(passed: Mapping[str, Any], name: str, content: Any) -> Any:
    """The reverse of `_special`."""
    if name == "parameter":
        return passed[content]
    kind, parts = content
    found = object.__new__(_PLAIN_OBJECTS[kind])
    for part, value in parts.items():
        object.__setattr__(found, part, from_plain(value))
    return found
