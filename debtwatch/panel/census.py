"""Read population counts that do not come with the accounts: census tables, or any table by year.

Three forms are read. A table with two years side by side (``popu_2010``, ``popu_2020``). A file for
each census year, told apart by the year in its name (``county_2010.csv.gz`` beside
``county_2020.csv.gz``); its county rows are those whose six-digit code does not end in 00. A table
with a row for each code and year. Anything else is refused with a reason.
"""

from __future__ import annotations

import csv
import gzip
import io
import math
import re
import zlib
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from debtwatch.errors import DataProblem
from debtwatch.language import N_
from debtwatch.panel.fields import normalise, read_heading
from debtwatch.panel.numbers import read_number
from debtwatch.panel.problem import cell_name
from debtwatch.panel.sheets import open_sheets
from debtwatch.provenance import sha256_of_bytes

MAX_BYTES = 256 * 2**20
MAX_ROWS = 500_000
_YEAR = re.compile(r"(?<!\d)((?:19|20)\d\d)(?!\d)")
_ONE_YEAR = re.compile(r"((?:19|20)\d\d)(?:\.0)?年?")
_COUNTY = re.compile(r"\d{4}(?!00)\d\d")
_SUFFIXES = (".csv.gz", ".csv", ".xlsx", ".xlsm", ".xls", ".parquet")
_ADJUSTED = re.compile(r"bound\w*[_ -]?adjusted|边界调整|可比口径", re.IGNORECASE)
_CODES = {"code", "citycode", "countycode", "admincode", "adcode"}
_RESIDENT = {"popu", "pop", "poptotal", "population", "resident", "residents", "residentpopulation",
             "常住人口", "年末常住人口", "普查人口", "总人口"}  # fmt: skip
_REGISTERED = {"pophukou", "hukou", "registered", "registeredpopulation", "户籍人口",
               "年末户籍人口"}  # fmt: skip


@dataclass(frozen=True)
class Count:
    """People counted in a place in one year.

    Attributes
    ----------
    year : int
    resident : float
    registered : float or None
    """

    year: int
    resident: float
    registered: float | None = None


@dataclass(frozen=True)
class Census:
    """Counts of a file or a set of files.

    Attributes
    ----------
    source : str
        Names of the files.
    sha256 : tuple of str
        Hash of each file's content.
    counts : mapping from code to tuple of Count
        Oldest first.
    boundaries_adjusted : bool
        Whether the counts of all years are of the same area, which only the file's name tells.
    """

    source: str
    sha256: tuple[str, ...]
    counts: dict[str, tuple[Count, ...]]
    boundaries_adjusted: bool


@dataclass(frozen=True)
class _Form:
    """Where a table holds what: row of its headings, columns, scales to people."""

    top: int
    code: int
    year: int | None
    resident: dict[int | None, tuple[int, float]]
    registered: dict[int | None, tuple[int, float]]


@dataclass(frozen=True)
class _Table:
    path: Path
    sha256: str
    rows: list[list[Any]]
    form: _Form


def read_census(path: Path) -> Census:
    """Read population counts from a file, or from a folder with a file for each census year.

    Parameters
    ----------
    path : Path
        A csv, csv.gz, xlsx or parquet file, or a folder.

    Raises
    ------
    DataProblem
        When the file cannot be read or is none of the three forms, when only one census year is
        there, or when a code comes twice for one year.
    """
    if path.is_dir():
        return _by_year(_dated_files(path.iterdir(), path), path)
    table = _table(path)
    if len(table.form.resident) > 1 or table.form.year is not None:
        return _census([table], [_entries(table)])
    stem, year = _dated(path.name)
    if year is None or None not in table.form.resident:
        raise _one_year(path)
    beside = (p for p in path.parent.iterdir() if _dated(p.name)[0] == stem)
    return _by_year(_dated_files(beside, path), path)


def _dated(name: str) -> tuple[str, int | None]:
    """Name of a file without its year and ending, and the year."""
    ending = next((s for s in _SUFFIXES if name.lower().endswith(s)), None)
    years = _YEAR.findall(name.replace("_", " "))
    if ending is None or len(years) != 1:
        return name, None
    return name[: -len(ending)].replace(years[0], ""), int(years[0])


def _dated_files(paths: Iterable[Path], asked: Path) -> list[tuple[int, Path]]:
    """Files of one census table, oldest first; the same year twice, or two tables, is a fault."""
    found = sorted((year, p) for p in paths if (year := _dated(p.name)[1]) is not None)
    if len({year for year, _ in found}) < 2:
        raise _one_year(asked)
    if len({_dated(p.name)[0] for _, p in found}) > 1 or len({y for y, _ in found}) < len(found):
        raise DataProblem(
            N_("{path} holds several population tables ({files}); name one of the files."),
            path=asked, files=", ".join(p.name for _, p in found[:6]),
        )  # fmt: skip
    return found


def _one_year(path: Path) -> DataProblem:
    return DataProblem(
        N_(
            "{path} gives the population of one year only; growth needs a second year: a column "
            "for each year, a row for each year, or a file of the same name with another year "
            "beside it."
        ),
        path=path,
    )


def _by_year(files: Sequence[tuple[int, Path]], asked: Path) -> Census:
    tables, entries = [], []
    for year, path in files:
        table = _table(path)
        if None not in table.form.resident or table.form.year is not None:
            raise _unknown_form(asked)
        tables.append(table)
        entries.append([(code, year, *counted) for code, _, *counted in _entries(table)
                        if _COUNTY.fullmatch(code)])  # fmt: skip
    return _census(tables, entries)


def _census(tables: Sequence[_Table], entries: Sequence[list[tuple[Any, ...]]]) -> Census:
    counts: dict[str, list[Count]] = {}
    for table, own in zip(tables, entries, strict=True):
        repeated = [key for key, n in Counter((code, year) for code, year, *_ in own).items()
                    if n > 1]  # fmt: skip
        if repeated:
            raise DataProblem(
                N_("{path} gives codes twice for one year: {codes}. Keep one row of each."),
                path=table.path,
                codes=", ".join(f"{code} ({year})" for code, year in repeated[:6]),
            )
        for code, year, resident, registered in own:
            counts.setdefault(code, []).append(Count(year, resident, registered))
    if not counts:
        raise _unknown_form(tables[0].path)
    return Census(
        source=", ".join(table.path.name for table in tables),
        sha256=tuple(table.sha256 for table in tables),
        counts={c: tuple(sorted(own, key=lambda k: k.year)) for c, own in sorted(counts.items())},
        boundaries_adjusted=all(_ADJUSTED.search(table.path.name) for table in tables),
    )


# -- one table -----------------------------------------------------------------------------------


def _table(path: Path) -> _Table:
    for content, rows in _grids(path):
        if len(rows) > MAX_ROWS:
            raise _too_large(path)
        for top, row in enumerate(rows[:20]):
            form = _form(top, row)
            if form is not None:
                return _Table(path, sha256_of_bytes(content), rows, form)
    raise _unknown_form(path)


def _unknown_form(path: Path) -> DataProblem:
    return DataProblem(
        N_(
            "{path} holds no population table: it needs a column of codes and the resident "
            "population, with the year in a column, in the headings or in the file's name."
        ),
        path=path,
    )


def _too_large(path: Path) -> DataProblem:
    return DataProblem(N_("{path} is too large for a population table."), path=path)


def _grids(path: Path) -> list[tuple[bytes, list[list[Any]]]]:
    try:
        if path.stat().st_size > MAX_BYTES:
            raise _too_large(path)
        if path.name.lower().endswith(".gz"):
            return [_unpacked(path)]
    except (OSError, EOFError, zlib.error, UnicodeDecodeError, csv.Error) as error:
        raise DataProblem(
            N_("The population file {path} cannot be read: {reason}"), path=path, reason=error
        ) from error
    opened = open_sheets(path)
    if opened.problem is not None:
        raise DataProblem(
            N_("The population file {path} cannot be read: {reason}"),
            path=path, reason=opened.problem.what,
        )  # fmt: skip
    return [(opened.content, sheet.rows) for sheet in opened.sheets]


def _unpacked(path: Path) -> tuple[bytes, list[list[Any]]]:
    with gzip.open(path) as stream:
        content = stream.read(MAX_BYTES + 1)
    if len(content) > MAX_BYTES:
        raise _too_large(path)
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = content.decode("gb18030")
    rows: list[list[Any]] = [
        [cell.strip() or None for cell in row] for row in csv.reader(io.StringIO(text))
    ]
    return path.read_bytes(), rows


def _form(top: int, row: Sequence[Any]) -> _Form | None:
    code = year = None
    resident: dict[int | None, tuple[int, float]] = {}
    registered: dict[int | None, tuple[int, float]] = {}
    for position, cell in enumerate(row):
        if not isinstance(cell, str):
            continue
        heading = read_heading(cell)
        bare, of_year = _bare(cell)
        if bare in _CODES or heading.key == "unit":
            code = position if code is None else code
        elif heading.key == "period":
            year = position if year is None else year
        elif bare in _RESIDENT:
            resident.setdefault(of_year, (position, heading.scale or 1.0))
        elif bare in _REGISTERED:
            registered.setdefault(of_year, (position, heading.scale or 1.0))
    if code is None or not resident:
        return None
    return _Form(top, code, year, resident, registered)


def _bare(cell: str) -> tuple[str, int | None]:
    """Heading without its year, brackets and marks, and the year."""
    plain = normalise(cell).replace("_", " ")
    years = _YEAR.findall(plain)
    plain = _YEAR.sub("", plain) if len(years) == 1 else plain
    plain = re.sub(r"\(年?(?:万?人|people|persons)?\)", "", plain)
    bare = re.sub(r"[\W_]|年(?!末)", "", plain)
    return bare, int(years[0]) if len(years) == 1 else None


def _entries(table: _Table) -> list[tuple[str, int | None, float, float | None]]:
    """Code, year, residents and registered population of each count."""
    form, found = table.form, []
    for number, row in enumerate(table.rows[form.top + 1 :], start=form.top + 1):
        code = _code(_at(row, form.code))
        if not code:
            continue
        year = None if form.year is None else _year(table, number, row)
        for of_year in form.resident:
            resident = _people(table, number, form.resident[of_year])
            if resident is None:
                continue
            where = form.registered.get(of_year)
            registered = None if where is None else _people(table, number, where)
            found.append((code, year or of_year, resident, registered))
    return found


def _year(table: _Table, number: int, row: Sequence[Any]) -> int:
    position = table.form.year or 0
    cell = _at(row, position)
    match = _ONE_YEAR.fullmatch(normalise(str(cell)))
    if match is None:
        raise _bad_cell(table, number, position, cell)
    return int(match.group(1))


def _people(table: _Table, number: int, where: tuple[int, float]) -> float | None:
    """Count of a cell in people; None for a blank."""
    position, scale = where
    cell = _at(table.rows[number], position)
    value = read_number(cell)
    if value is not None and math.isnan(value):
        return None
    if value is None or not 0 < value * scale < 2e9:
        raise _bad_cell(table, number, position, cell)
    return value * scale


def _bad_cell(table: _Table, number: int, position: int, cell: Any) -> DataProblem:
    return DataProblem(
        N_("{path}, cell {cell}: “{value}” is neither a number of people nor a year."),
        path=table.path, cell=cell_name(number, position), value=str(cell)[:40],
    )  # fmt: skip


def _at(row: Sequence[Any], position: int) -> Any:
    return row[position] if position < len(row) else None


def _code(cell: Any) -> str:
    """Code as text; workbooks hold codes as numbers."""
    if cell is None or isinstance(cell, bool):
        return ""
    if isinstance(cell, float) and cell.is_integer():
        return str(int(cell))
    return re.sub(r"\.0$", "", str(cell).strip())
