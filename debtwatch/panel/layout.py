"""Find the table in a grid: heading rows, what each column is, what stands above them.

Three layouts are met in practice. ``wide``: a row for each government and period, a column for
each field. ``long``: a column of items and one of amounts. ``across``: a row for each item, a
column for each period.
"""

from __future__ import annotations

import datetime as dt
import difflib
import re
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

from debtwatch.panel.fields import (
    Heading,
    field_named,
    is_field,
    known_headings,
    money_scale,
    normalise,
    read_heading,
)
from debtwatch.panel.mapping import Mapping
from debtwatch.panel.period import Period, parse_day, parse_period
from debtwatch.panel.sheets import Sheet

MAX_HEADING_ROW = 40
MAX_HEADING_DEPTH = 3
_PREAMBLE = re.compile(r"^([^::]{1,12})[::](.+)$", re.DOTALL)
_SYNTHETIC = ("合成数据", "synthetic data", "合成（虚构）", "合成(虚构)")
_SYNTHETIC_VALUES = {"合成", "合成数据", "synthetic", "虚构", "fictional"}


@dataclass(frozen=True)
class Column:
    """One column of the table: its position, heading text and meaning."""

    position: int
    text: str
    heading: Heading
    period: Period | None = None


@dataclass(frozen=True)
class Preamble:
    """What the cells outside the table say about all of it."""

    scale: float | None = None
    to_date: bool | None = None
    unit: str = ""
    name: str = ""
    level: str = ""
    known_from: dt.date | None = None
    status: str = ""
    synthetic: bool = False


@dataclass(frozen=True)
class Table:
    """A table found in a sheet.

    Attributes
    ----------
    layout : str
        ``wide``, ``long`` or ``across``.
    first_row : int
        First row below the headings.
    columns : tuple of Column
        Columns with a meaning.
    unknown : tuple of Column
        Columns with a heading that is not known.
    preamble : Preamble
    """

    layout: str
    first_row: int
    columns: tuple[Column, ...]
    unknown: tuple[Column, ...] = ()
    preamble: Preamble = field(default_factory=Preamble)

    def key(self, name: str) -> int | None:
        """Position of a key column."""
        for column in self.columns:
            if column.heading.key == name:
                return column.position
        return None


def find_table(sheet: Sheet, mapping: Mapping) -> Table | None:
    """Find the table of a sheet; None when no row of known headings is there."""
    read = _reader(mapping)
    filled = _fill_merged(sheet)
    best: tuple[int, int, int] | None = None  # score, -depth, -first row
    for top in range(min(len(filled), MAX_HEADING_ROW)):
        for depth in range(1, MAX_HEADING_DEPTH + 1):
            columns = _columns(filled, top, depth, read)
            score = sum(_known(column) for column in columns)
            if score >= 2 and (best is None or (score, -depth, -top) > best):
                best = (score, -depth, -top)
    if best is None:
        return None
    depth, top = -best[1], -best[2]
    columns = _columns(filled, top, depth, read)
    known = tuple(column for column in columns if _known(column))
    ignored = set(mapping.ignore)
    unknown = tuple(c for c in columns if not _known(c) and normalise(c.text) not in ignored)
    table = Table(_layout(known), top + depth, known, unknown)
    return replace(table, preamble=_preamble(sheet, top, table, mapping))


def suggestion(heading: str) -> str:
    """Nearest known heading, empty when none is near."""
    near = difflib.get_close_matches(normalise(heading), known_headings(), n=1, cutoff=0.6)
    return near[0] if near else ""


def _known(column: Column) -> bool:
    return bool(column.heading.field or column.heading.key or column.period)


def _reader(mapping: Mapping) -> Callable[[str], Heading]:
    def read(text: str) -> Heading:
        target = mapping.headings.get(normalise(text))
        heading = read_heading(text)
        if target is None:
            return heading
        if is_field(target):
            return replace(heading, field=field_named(target), key=None)
        return replace(heading, field=None, key=target)

    return read


def _fill_merged(sheet: Sheet) -> list[list[Any]]:
    """Rows near the top, with the text of a merged range in each of its cells."""
    rows = [list(row) for row in sheet.rows[: MAX_HEADING_ROW + MAX_HEADING_DEPTH]]
    for (top, left), (bottom, right) in sheet.merged:
        if top >= len(rows) or left >= len(rows[top]):
            continue
        # A title merged over the whole width is no heading of any column.
        if right - left + 1 >= max(len(row) for row in rows) > 2:
            continue
        for r in range(top, min(bottom, len(rows) - 1) + 1):
            for c in range(left, min(right, len(rows[r]) - 1) + 1):
                rows[r][c] = rows[top][left]
    return rows


def _columns(
    rows: list[list[Any]], top: int, depth: int, read: Callable[[str], Heading]
) -> list[Column]:
    block = rows[top : top + depth]
    if len(block) < depth:
        return []
    columns = []
    for position in range(max((len(row) for row in block), default=0)):
        cells = [row[position] if position < len(row) else None for row in block]
        column = _column(position, cells, read)
        if column is not None:
            columns.append(column)
    return columns


def _column(position: int, cells: list[Any], read: Callable[[str], Heading]) -> Column | None:
    # The last row of a heading block must be headings too, not the first figures.
    if isinstance(cells[-1], float | int) and len(cells) > 1 and parse_period(cells[-1]) is None:
        return None
    texts: list[str] = []
    for cell in cells:
        text = "" if cell is None else _cell_text(cell)
        if text and (not texts or texts[-1] != text):
            texts.append(text)
    if not texts:
        return None
    for candidate in ("".join(texts), texts[-1], texts[0]):
        heading = read(candidate)
        if heading.field or heading.key:
            outer = read("".join(texts))  # a unit may stand in another row of the block
            scale = heading.scale or outer.scale
            to_date = heading.to_date if heading.to_date is not None else outer.to_date
            return Column(position, candidate, replace(heading, scale=scale, to_date=to_date))
    period = parse_period(cells[-1]) if cells[-1] is not None else None
    if period is None and isinstance(cells[-1], float | int | dt.date):
        return None
    return Column(position, texts[-1], read("".join(texts)), period)


def _cell_text(cell: Any) -> str:
    if isinstance(cell, float) and cell.is_integer():
        return str(int(cell))
    return str(cell).strip()


def _layout(columns: tuple[Column, ...]) -> str:
    keys = {column.heading.key for column in columns}
    if sum(column.period is not None for column in columns) >= 1 and "item" in keys:
        return "across"
    if {"item", "value"} <= keys:
        return "long"
    return "wide"


def _preamble(sheet: Sheet, top: int, table: Table, mapping: Mapping) -> Preamble:
    """Read 单位：万元, 编制单位, 数据性质 and the like from the cells outside the table."""
    found: dict[str, Any] = {}
    width = max((len(row) for row in sheet.rows[: top + 1]), default=0)
    for row in [*sheet.rows[:top], *sheet.rows[max(table.first_row, len(sheet.rows) - 5) :]]:
        for position in range(min(len(row), width)):
            if isinstance(row[position], str):
                after = row[position + 1] if position + 1 < len(row) else None
                _read_remark(row[position], after, found)
    if mapping.money_unit and "scale" not in found:
        found["scale"] = money_scale(mapping.money_unit)
    if mapping.flows:
        found["to_date"] = mapping.flows == "to_date"
    return Preamble(**found)


def _read_remark(cell: str, after: Any, found: dict[str, Any]) -> None:
    plain = unicodedata.normalize("NFKC", cell).strip()
    if any(mark in plain.lower() for mark in _SYNTHETIC):
        found["synthetic"] = True
    if "累计" in plain and "to_date" not in found:
        found["to_date"] = True
    match = _PREAMBLE.match(plain)
    label, value = (match[1], match[2].strip()) if match else (plain, _plain_value(after))
    if not value or len(label) > 12:
        return
    key = read_heading(label).key
    if key in {"unit_of_measure", "name"} and (scale := money_scale(re.split("[(（]", value)[0])):
        found.setdefault("scale", scale)
    elif key in {"unit", "name", "level", "status"}:
        found.setdefault(key, value)
    elif key == "known_from" and (day := parse_day(value)):
        found.setdefault("known_from", day)
    elif key == "nature" and value.lower() in _SYNTHETIC_VALUES:
        found["synthetic"] = True


def _plain_value(cell: Any) -> str:
    return "" if cell is None else _cell_text(cell)


def says_synthetic(value: Any) -> bool:
    """Whether a cell of a 数据性质 column declares the data synthetic."""
    return isinstance(value, str) and normalise(value) in _SYNTHETIC_VALUES
