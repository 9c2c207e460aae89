"""Check and import files: each file all or nothing, every problem at once."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from debtwatch.errors import DataProblem
from debtwatch.language import N_
from debtwatch.panel.check import check
from debtwatch.panel.fields import STATUSES, is_field
from debtwatch.panel.mapping import Mapping
from debtwatch.panel.period import parse_quarter
from debtwatch.panel.problem import Problem, sort_key
from debtwatch.panel.read import ReadResult, read_file
from debtwatch.panel.reported import as_arrays
from debtwatch.panel.store import Imported, Known, Store, open_store, superseded_problem


@dataclass(frozen=True)
class CheckedFiles:
    """What files hold, without storing them."""

    figures: int
    units: int
    problems: tuple[Problem, ...]


@dataclass(frozen=True)
class ImportedFiles:
    """What was imported and what is doubtful in it."""

    imported: tuple[Imported, ...]
    problems: tuple[Problem, ...]


def check_files(
    files: Sequence[Path], mapping: Mapping | None = None, *, as_of: dt.date
) -> CheckedFiles:
    """Read files and check their figures together.

    Parameters
    ----------
    files : sequence of Path
    mapping : Mapping, optional
    as_of : date
        Publication day of figures whose row does not say.
    """
    results = [read_file(path, mapping) for path in files]
    problems = [p for r in results for p in r.problems]
    usable = [r for r in results if not r.refused]
    if usable:
        known = _as_known(usable, as_of)
        problems += check(known, as_arrays(known)).problems
    return CheckedFiles(
        sum(len(r.observations) for r in usable),
        len({u for r in usable for u in r.units.get("unit", ())}),
        tuple(sorted(problems, key=sort_key)),
    )


def _as_known(results: Sequence[ReadResult], as_of: dt.date) -> Known:
    """Arrange what a store would know if it held these files alone."""
    frames = []
    for number, result in enumerate(results, start=1):
        frame = result.observations.copy()
        frame["import_id"] = number
        frames.append(frame)
    observations = pd.concat(frames, ignore_index=True)
    observations["known_from"] = pd.to_datetime(observations["known_from"]).fillna(
        pd.Timestamp(as_of)
    )
    observations = observations.sort_values("known_from", kind="stable").drop_duplicates(
        ["unit", "field", "basis", "quarter"], keep="last"
    )
    units = pd.concat([r.units for r in results]).drop_duplicates("unit", keep="last")
    imports = pd.DataFrame(
        [(k, r.sha256, r.path.name, r.synthetic) for k, r in enumerate(results, start=1)],
        columns=["import_id", "sha256", "file", "synthetic"],
    ).set_index("import_id")
    return Known(as_of, observations, units.set_index("unit"), pd.DataFrame(), imports)


def import_files(
    files: Sequence[Path],
    store: Path,
    *,
    known_from: dt.date | None,
    today: dt.date,
    status: str = "",
    mapping: Mapping | None = None,
    confirm: Sequence[str] = (),
    progress: Callable[[int, int], None] | None = None,
) -> ImportedFiles:
    """Add files to a store, each all or nothing; then check what the store now knows of them.

    Parameters
    ----------
    files : sequence of Path
    store : Path
        Made when it does not exist and at least one file can be read.
    known_from : date or None
        Publication day of figures whose row does not say; also the day from which corrected
        figures are known, so that a correction never rewrites what was known before.
    today : date
        Publication day of figures for which nothing else says.
    status : str
        Status of figures whose row does not say.
    mapping : Mapping, optional
    confirm : sequence of str
        Doubtful figures to confirm, as UNIT/FIELD/QUARTER.
    progress : callable, optional
    """
    if status and status not in STATUSES:
        raise DataProblem(
            N_("The status is one of {known}, not “{status}”."),
            known=", ".join(STATUSES),
            status=status,
        )
    confirmed = [_confirmation(text) for text in confirm]
    problems: list[Problem] = []
    imported: list[Imported] = []
    units: set[str] = set()
    names: set[str] = set()
    for number, path in enumerate(files, start=1):
        result = read_file(path, mapping)
        problems += result.problems
        if not result.refused:
            with open_store(store, create=True) as opened:
                one = opened.add(
                    result, known_from=known_from or today, status=status, corrected_on=known_from
                )
            imported.append(one)
            problems += [p for p in [superseded_problem(one)] if p is not None]
            units |= set(result.units["unit"])
            names.add(path.name)
        if progress is not None:
            progress(number, len(files))
    if imported or confirmed:
        with open_store(store, create=True) as opened:
            _confirm(opened, confirmed, known_from or today)
            problems += _doubts(opened.known_on(dt.date.max), units, names)
    return ImportedFiles(tuple(imported), tuple(sorted(problems, key=sort_key)))


def _confirmation(text: str) -> tuple[str, str, int]:
    parts = text.rsplit("/", 2)
    quarter = parse_quarter(parts[2]) if len(parts) == 3 else None
    if quarter is None or not is_field(parts[1]):
        raise DataProblem(
            N_(
                "“{text}” does not name a figure; write UNIT/FIELD/QUARTER, such as "
                "530001/gpb_revenue/2025Q4."
            ),
            text=text,
        )
    return parts[0], parts[1], quarter


def _confirm(store: Store, confirmed: list[tuple[str, str, int]], day: dt.date) -> None:
    for unit, field, quarter in confirmed:
        if not store.confirm(unit, field, quarter, known_from=day):
            raise DataProblem(
                N_("The store holds no {field} of {unit} to confirm in that quarter."),
                field=field,
                unit=unit,
            )


def _doubts(known: Known, units: set[str], files: set[str]) -> list[Problem]:
    """Problems of the figures that stand in the imported files."""
    mine = known.observations[known.observations["unit"].isin(units)]
    if mine.empty:
        return []
    own = Known(
        as_of=known.as_of,
        observations=mine,
        units=known.units[known.units.index.isin(units)],
        bonds=known.bonds,
        imports=known.imports,
        confirmed=known.confirmed,
    )
    return [p for p in check(own, as_arrays(own)).problems if not p.file or p.file in files]
