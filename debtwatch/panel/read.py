"""Read fiscal tables: files in, observations and problems out.

:func:`read_file` never raises for what a file holds: everything wrong in it comes back as
:class:`~debtwatch.panel.problem.Problem`, all at once. Observations are as reported (a cumulative
figure stays cumulative); :mod:`debtwatch.panel.quarterly` turns them into quarters.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from pandas.api.typing import NaTType

from debtwatch.panel.bonds import read_bonds
from debtwatch.panel.fields import (
    LEVELS,
    STATUSES,
    Field,
    Heading,
    field_named,
    is_field,
    normalise,
    read_code,
    read_heading,
    scale_of,
)
from debtwatch.panel.layout import (
    Column,
    Table,
    find_table,
    says_synthetic,
    suggestion,
)
from debtwatch.panel.mapping import Mapping
from debtwatch.panel.numbers import read_number, read_numbers
from debtwatch.panel.period import Period, parse_day, parse_period, quarter_end
from debtwatch.panel.problem import Problem, cell_name
from debtwatch.panel.sheets import Sheet, open_sheets
from debtwatch.provenance import sha256_of_bytes

#: Bases on which a value stands: at a date, over a year, over a quarter, from January to date.
BASES = ("stock", "year", "quarter", "to_date")
OBSERVATION_COLUMNS = (
    "unit", "field", "quarter", "basis", "value", "status", "known_from", "known_from_estimated",
    "sheet", "row", "column",
)  # fmt: skip
UNIT_COLUMNS = ("unit", "name", "level", "parent", "scope")
_DEFAULT_SCALES = {"money": 1e4, "people": 1.0, "rate": 0.01, "years": 1.0}


@dataclass(frozen=True)
class ReadResult:
    """What a file holds.

    Attributes
    ----------
    path : Path
    sha256 : str
        Hash of the file's content.
    observations : DataFrame
        One row per reported value; columns :data:`OBSERVATION_COLUMNS`. ``value`` is in yuan,
        people, a decimal rate or years; ``row`` and ``column`` count from 0.
    units : DataFrame
        One row per government; columns :data:`UNIT_COLUMNS`.
    bonds : DataFrame
        One row per bond of a bond list, empty when there is none.
    problems : tuple of Problem
    synthetic : bool
        Whether the file declares its data synthetic.
    """

    path: Path
    sha256: str
    observations: pd.DataFrame
    units: pd.DataFrame
    bonds: pd.DataFrame
    problems: tuple[Problem, ...]
    synthetic: bool = False

    @property
    def refused(self) -> bool:
        """Whether the file cannot be imported."""
        return any(problem.severity == "refuse" for problem in self.problems)


def read_file(path: Path, mapping: Mapping | None = None) -> ReadResult:
    """Read one workbook, csv or parquet file of fiscal figures.

    Parameters
    ----------
    path : Path
    mapping : Mapping, optional
        How to read headings that debtwatch does not know.

    Returns
    -------
    ReadResult
        With ``refused`` true when the file cannot be used at all.
    """
    mapping = mapping or Mapping()
    opened = open_sheets(path)
    digest = sha256_of_bytes(opened.content)
    if opened.problem is not None:
        return _refused(path, digest, [opened.problem])
    sheets, missing = _chosen(opened.sheets, mapping, path.name)
    if missing:
        return _refused(path, digest, missing)
    return _read_sheets(path, digest, sheets, mapping)


def _refused(path: Path, digest: str, problems: list[Problem]) -> ReadResult:
    empty = pd.DataFrame(columns=list(OBSERVATION_COLUMNS))
    units = pd.DataFrame(columns=list(UNIT_COLUMNS))
    return ReadResult(
        path=path,
        sha256=digest,
        observations=empty,
        units=units,
        bonds=pd.DataFrame(),
        problems=tuple(problems),
    )


def _chosen(
    sheets: Sequence[Sheet], mapping: Mapping, file: str
) -> tuple[list[Sheet], list[Problem]]:
    if not mapping.sheets:
        return list(sheets), []
    names = {sheet.name for sheet in sheets}
    missing = [
        Problem("sheet-missing", file=file, details={"sheet": s, "sheets": ", ".join(names)})
        for s in mapping.sheets
        if s not in names
    ]
    return [sheet for sheet in sheets if sheet.name in mapping.sheets], missing


def _read_sheets(path: Path, digest: str, sheets: list[Sheet], mapping: Mapping) -> ReadResult:
    problems: list[Problem] = []
    observations: list[pd.DataFrame] = []
    units: list[pd.DataFrame] = []
    bonds: list[pd.DataFrame] = []
    tables = 0
    synthetic = False
    for sheet in sheets:
        listed, bond_problems = read_bonds(sheet, path.name)
        if listed is not None:
            bonds.append(listed)
            problems += bond_problems
            tables += 1
            continue
        table = find_table(sheet, mapping)
        if table is None:
            continue
        tables += 1
        reader = _SheetReader(path.name, sheet, table, mapping)
        observations.append(reader.observations())
        units.append(reader.units())
        problems += reader.problems
        synthetic = synthetic or reader.synthetic
    frame = _concatenate(observations, OBSERVATION_COLUMNS)
    if not tables:
        problems.append(Problem("no-table", file=path.name))
    elif frame.empty and not bonds:
        problems.append(Problem("no-values", file=path.name))
    frame, duplicates = _without_duplicates(frame, path.name)
    return ReadResult(
        path=path,
        sha256=digest,
        observations=frame,
        units=_concatenate(units, UNIT_COLUMNS).drop_duplicates("unit", keep="last"),
        bonds=pd.concat(bonds, ignore_index=True) if bonds else pd.DataFrame(),
        problems=tuple(problems + duplicates),
        synthetic=synthetic,
    )


def _concatenate(frames: list[pd.DataFrame], columns: tuple[str, ...]) -> pd.DataFrame:
    filled = [frame for frame in frames if not frame.empty]
    if not filled:
        return pd.DataFrame(columns=list(columns))
    return pd.concat(filled, ignore_index=True)[list(columns)]


def _without_duplicates(frame: pd.DataFrame, file: str) -> tuple[pd.DataFrame, list[Problem]]:
    """Drop repeated figures; two different figures for one key refuse the file."""
    if frame.empty:
        return frame, []
    key = ["unit", "field", "quarter", "basis"]
    repeated = frame.duplicated(key, keep=False)
    if not repeated.any():
        return frame, []
    problems: list[Problem] = []
    doubles = frame[repeated]
    for _, group in doubles.groupby(key, sort=True):
        problems += _clashes(group, file)
    if not problems:
        rows = doubles[doubles.duplicated(key)].drop_duplicates(["sheet", "row"])
        problems = [_at(row, "row-duplicated", file) for row in rows.itertuples(index=False)]
    return frame.drop_duplicates(key), problems


def _clashes(group: pd.DataFrame, file: str) -> list[Problem]:
    """Figures of one key that differ from its first."""
    rows: Iterable[Any] = group.itertuples(index=False)
    first, *others = rows
    place = cell_name(first.row, first.column)
    return [
        _at(other, "key-clash", file, first=first.value, second=other.value, other=place)
        for other in others
        if not np.isclose(other.value, first.value, rtol=1e-12, atol=0.0)
    ]


def _at(row: Any, rule: str, file: str, **details: object) -> Problem:
    return Problem(
        rule=rule,
        file=file,
        sheet=row.sheet,
        cell=cell_name(row.row, row.column),
        unit=row.unit,
        field=row.field if rule == "key-clash" else "",
        quarter=row.quarter,
        value=row.value,
        details=details,
    )


class _SheetReader:
    """Read one table; collects its problems as it goes."""

    def __init__(self, file: str, sheet: Sheet, table: Table, mapping: Mapping) -> None:
        self.file, self.sheet, self.table, self.mapping = file, sheet, table, mapping
        self.problems: list[Problem] = []
        self.body = sheet.rows[table.first_row :]
        self.synthetic = table.preamble.synthetic or self._says_synthetic()
        self._unknown_headings()
        self.unit_cells = self._unit_codes()
        self.known_from = self._days()
        self.statuses = self._codes("status", STATUSES, table.preamble.status)

    # -- observations ----------------------------------------------------------------------

    def observations(self) -> pd.DataFrame:
        """Observations of the table, in the columns of :data:`OBSERVATION_COLUMNS`."""
        parts = {"wide": self._wide, "long": self._long, "across": self._across}
        frames = [frame for frame in parts[self.table.layout]() if len(frame)]
        if not frames:
            return pd.DataFrame(columns=list(OBSERVATION_COLUMNS))
        frame = pd.concat(frames, ignore_index=True)
        return self._checked_days(frame)

    def _wide(self) -> list[pd.DataFrame]:
        dated = self._dated_rows()
        rows, periods = list(dated), list(dated.values())
        frames = []
        seen: dict[str, Column] = {}
        for column in self.table.columns:
            field = column.heading.field
            if field is None:
                continue
            if field.name in seen:
                self._heading_clash(field, seen[field.name], column)
                continue
            seen[field.name] = column
            values = self._numbers(rows, column.position)
            values = self._scaled(values, field, column.heading.scale)
            frames.append(
                self._frame(
                    field,
                    rows,
                    periods,
                    values,
                    positions=[column.position] * len(rows),
                    to_date=column.heading.to_date,
                )
            )
        return frames

    def _long(self) -> list[pd.DataFrame]:
        item, value = self.table.key("item"), self.table.key("value")
        measure = self.table.key("unit_of_measure")
        dated = self._dated_rows()
        groups: dict[tuple[str, str], list[int]] = {}
        for r, row in enumerate(self.body):
            text = _text(_cell(row, item))
            if text and r in dated:
                groups.setdefault((text, _text(_cell(row, measure))), []).append(r)
        frames = []
        for (text, unit_text), rows in groups.items():
            heading = self._item(text, rows[0], item)
            if heading is None or heading.heading.field is None or value is None:
                continue
            field = heading.heading.field
            values = self._numbers(rows, value)
            values = self._scaled(values, field, scale_of(unit_text) or heading.heading.scale)
            frames.append(
                self._frame(
                    field,
                    rows,
                    [dated[r] for r in rows],
                    values,
                    positions=[value] * len(rows),
                    to_date=heading.heading.to_date,
                )
            )
        return frames

    def _across(self) -> list[pd.DataFrame]:
        item = self.table.key("item")
        measure = self.table.key("unit_of_measure")
        dated = [(c.position, c.period) for c in self.table.columns if c.period is not None]
        positions, periods = [p for p, _ in dated], [period for _, period in dated]
        frames = []
        for r, row in enumerate(self.body):
            text = _text(_cell(row, item))
            if not text or not self.unit_cells[r]:
                continue
            cells = [_cell(row, p) for p in positions]
            if all(cell is None for cell in cells):
                continue
            heading = self._item(text, r, item)
            if heading is None or heading.heading.field is None:
                continue
            field = heading.heading.field
            numbered = zip(positions, cells, strict=True)
            values = np.array([self._number(r, p, cell) for p, cell in numbered])
            scale = scale_of(_text(_cell(row, measure))) or heading.heading.scale
            values = self._scaled(values, field, scale)
            frames.append(
                self._frame(
                    field,
                    [r] * len(dated),
                    periods,
                    values,
                    positions=positions,
                    to_date=heading.heading.to_date,
                )
            )
        return frames

    def _frame(
        self,
        field: Field,
        rows: Sequence[int],
        periods: Sequence[Period],
        values: np.ndarray,
        *,
        positions: Sequence[int],
        to_date: bool | None,
    ) -> pd.DataFrame:
        """Observations of one field; blanks are left out: missing is missing."""
        keep: list[int] = np.flatnonzero(~np.isnan(values)).tolist()
        chosen = [rows[i] for i in keep]
        kinds = [periods[i].kind for i in keep]
        return pd.DataFrame(
            {
                "unit": [self.unit_cells[r] for r in chosen],
                "field": field.name,
                "quarter": np.array([periods[i].quarter for i in keep], dtype=np.int32),
                "basis": self._bases(field, kinds, to_date),
                "value": values[keep],
                "status": [self.statuses[r] for r in chosen],
                "known_from": [self.known_from[r][0] for r in chosen],
                "known_from_estimated": [self.known_from[r][1] for r in chosen],
                "sheet": self.sheet.name,
                "row": np.array(chosen, dtype=np.int32) + self.table.first_row,
                "column": np.array([positions[i] for i in keep], dtype=np.int32),
            }
        )

    def _bases(self, field: Field, kinds: list[str], to_date: bool | None) -> list[str]:
        if field.kind == "stock":
            return ["stock"] * len(kinds)
        said = to_date if to_date is not None else self.table.preamble.to_date
        if said is None and "quarter" in kinds:
            self._once(Problem("to-date-assumed", self.file, self.sheet.name))
        discrete = "quarter" if said is False else "to_date"
        by_kind = {"year": "year", "to_date": "to_date", "quarter": discrete}
        return [by_kind[kind] for kind in kinds]

    # -- columns of keys ----------------------------------------------------------------------

    def _unit_codes(self) -> list[str]:
        # Full-width digits name the same government as plain ones.
        return [unicodedata.normalize("NFKC", code) for code in self._raw_unit_codes()]

    def _raw_unit_codes(self) -> list[str]:
        unit, name = self.table.key("unit"), self.table.key("name")
        preamble = self.table.preamble
        fixed = preamble.unit or self.mapping.codes.get(preamble.name, preamble.name)
        if unit is None and name is not None:
            if not self.mapping.codes:
                self._once(Problem("unit-by-name", self.file, self.sheet.name))
            codes = [_text(_cell(row, name)) for row in self.body]
            codes = [self.mapping.codes.get(code, code) for code in codes]
        elif unit is not None:
            codes = [_text(_cell(row, unit)) for row in self.body]
        else:
            codes = [fixed if any(c is not None for c in row) else "" for row in self.body]
        self._rows_without_unit(codes)
        return codes

    def _rows_without_unit(self, codes: list[str]) -> None:
        positions = [c.position for c in self.table.columns if c.heading.field or c.period]
        if self.table.layout == "long":
            positions = [p for p in [self.table.key("value")] if p is not None]
        for r, row in enumerate(self.body):
            if codes[r] or not positions:
                continue
            cells = (_cell(row, p) for p in positions)
            if any(isinstance(cell, int | float) or _is_figure(cell) for cell in cells):
                where = cell_name(self.table.first_row + r, self.table.key("unit") or 0)
                self.problems.append(Problem("unit-missing", self.file, self.sheet.name, where))

    def _periods(self) -> list[Period | None]:
        position = self.table.key("period")
        if position is None:
            return [None] * len(self.body)
        periods: list[Period | None] = []
        for r, row in enumerate(self.body):
            cell = _cell(row, position)
            period = parse_period(cell)
            if period is None and self.unit_cells[r]:
                self._cell_problem("period-unreadable", r, position, text=_shown(cell))
            periods.append(period)
        return periods

    def _dated_rows(self) -> dict[int, Period]:
        """Period of each row that names a government and a period."""
        periods = self._periods()
        return {r: p for r, p in enumerate(periods) if p is not None and self.unit_cells[r]}

    def _days(self) -> list[tuple[pd.Timestamp | NaTType, bool]]:
        position, basis = self.table.key("known_from"), self.table.key("known_from_basis")
        preamble = self.table.preamble.known_from
        fixed = (pd.Timestamp(preamble) if preamble else pd.NaT, False)
        if position is None:
            return [fixed] * len(self.body)
        days = []
        for row in self.body:
            day = parse_day(_cell(row, position))
            estimated = "估" in (text := _text(_cell(row, basis))) or "estimat" in text.lower()
            days.append((pd.Timestamp(day), estimated) if day else fixed)
        return days

    def _codes(self, key: str, table: dict[str, tuple[str, ...]], fixed: str) -> list[str]:
        position = self.table.key(key)
        default = read_code(fixed, table) or ""
        if position is None:
            return [default] * len(self.body)
        codes = []
        for row in self.body:
            text = _text(_cell(row, position))
            code = read_code(text, table) if text else default
            if code is None:
                known = ", ".join(names[0] for names in table.values())
                details = {"text": text, "kind": key, "known": known}
                self._once(Problem("code-unknown", self.file, self.sheet.name, details=details))
            codes.append(code or "")
        return codes

    def units(self) -> pd.DataFrame:
        """Names and levels of the governments in the table."""
        preamble = self.table.preamble
        name, parent = self.table.key("name"), self.table.key("parent")
        levels = self._codes("level", LEVELS, preamble.level)
        scope = self.table.key("basis")
        units: dict[str, dict[str, str]] = {}
        for r, row in enumerate(self.body):
            if code := self.unit_cells[r]:
                units[code] = {
                    "unit": code,
                    "name": _text(_cell(row, name)) or preamble.name or code,
                    "level": levels[r],
                    "parent": _text(_cell(row, parent)),
                    "scope": _text(_cell(row, scope)),
                }
        return pd.DataFrame(list(units.values()), columns=list(UNIT_COLUMNS))

    # -- cells --------------------------------------------------------------------------------

    def _numbers(self, rows: list[int], position: int) -> np.ndarray:
        values, bad = read_numbers([_cell(self.body[r], position) for r in rows])
        for i in bad:
            cell = _cell(self.body[rows[i]], position)
            self._cell_problem("number-unreadable", rows[i], position, text=_shown(cell))
        return values

    def _number(self, row: int, position: int, cell: Any) -> float:
        number = read_number(cell)
        if number is None:
            self._cell_problem("number-unreadable", row, position, text=_shown(cell))
            return float("nan")
        return number

    def _scaled(
        self, values: NDArray[np.float64], field: Field, scale: float | None
    ) -> NDArray[np.float64]:
        """Values in the held unit; a percent cell holds 0.03 for 3 % and is left as it is."""
        scaled = values * self._scale(field, scale)
        if field.quantity == "rate":
            return np.where(np.abs(values) < 0.2, values, scaled)
        return scaled

    def _scale(self, field: Field, scale: float | None) -> float:
        if scale is not None:
            return scale
        if field.quantity == "money":
            if self.table.preamble.scale is not None:
                return self.table.preamble.scale
            self._once(Problem("scale-assumed", self.file, self.sheet.name))
        return _DEFAULT_SCALES[field.quantity]

    def _item(self, text: str, row: int, position: int | None) -> Column | None:
        """Meaning of an item in a long or across table."""
        target = self.mapping.headings.get(normalise(text))
        column = Column(position or 0, text, _item_heading(text, target))
        if column.heading.field is None:
            self._unknown_heading(text, self.table.first_row + row, position or 0)
            return None
        return column

    # -- problems -----------------------------------------------------------------------------

    def _says_synthetic(self) -> bool:
        nature = self.table.key("nature")
        return nature is not None and any(says_synthetic(_cell(r, nature)) for r in self.body)

    def _unknown_headings(self) -> None:
        if self.table.layout == "across":
            return
        for column in self.table.unknown:
            filled = any(_cell(row, column.position) is not None for row in self.body)
            if filled:
                self._unknown_heading(column.text, self.table.first_row - 1, column.position)

    def _unknown_heading(self, text: str, row: int, position: int) -> None:
        near = suggestion(text)
        self._once(
            Problem(
                "heading-unknown",
                self.file,
                self.sheet.name,
                cell_name(row, position),
                details={"heading": text[:60], "suggestion": f" ({near}?)" if near else ""},
            )
        )

    def _heading_clash(self, field: Field, first: Column, second: Column) -> None:
        where = cell_name(self.table.first_row - 1, second.position)
        details = {"field": field.zh, "first": first.text, "second": second.text}
        self.problems.append(
            Problem("heading-clash", self.file, self.sheet.name, where, details=details)
        )

    def _cell_problem(self, rule: str, row: int, position: int, **details: object) -> None:
        where = cell_name(self.table.first_row + row, position)
        unit = self.unit_cells[row]
        self.problems.append(
            Problem(rule, self.file, self.sheet.name, where, unit, details=details)
        )

    def _once(self, problem: Problem) -> None:
        if problem not in self.problems:
            self.problems.append(problem)

    def _checked_days(self, frame: pd.DataFrame) -> pd.DataFrame:
        """Report figures known before their period ended, and date them to its end."""
        quarters = frame["quarter"].unique()
        ends = {q: pd.Timestamp(quarter_end(int(q))) for q in quarters}
        end = frame["quarter"].map(ends)
        early = frame["known_from"].notna() & (frame["known_from"] < end)
        rows: Iterable[Any] = frame[early].drop_duplicates(["row"]).itertuples(index=False)
        for row in rows:
            self.problems.append(
                Problem(
                    rule="published-early",
                    file=self.file,
                    sheet=row.sheet,
                    cell=cell_name(row.row, row.column),
                    unit=row.unit,
                    field="",
                    quarter=row.quarter,
                    details={"known_from": f"{row.known_from:%Y-%m-%d}"},
                )
            )
        frame["known_from"] = frame["known_from"].where(~early, end)
        return frame


def _item_heading(text: str, target: str | None) -> Heading:
    heading = read_heading(text)
    if target is not None and is_field(target):
        return replace(heading, field=field_named(target), key=None)
    return heading


def _cell(row: Sequence[Any], position: int | None) -> Any:
    return row[position] if position is not None and position < len(row) else None


def _text(cell: Any) -> str:
    """Text of a cell, control characters removed; 110000.0 becomes 110000."""
    if cell is None:
        return ""
    if isinstance(cell, float) and cell.is_integer():
        return str(int(cell))
    return "".join(c for c in str(cell).strip() if c.isprintable())


def _is_figure(cell: Any) -> bool:
    number = read_number(cell)
    return number is not None and not np.isnan(number)


def _shown(cell: Any) -> str:
    return _text(cell)[:60]
