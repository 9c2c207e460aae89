"""Facts about governments that no account holds: their type, a restructuring plan, partnerships.

They come in an optional file, a table or TOML; what the file does not state stays unknown.
"""

from __future__ import annotations

import math
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

from debtwatch.errors import DataProblem
from debtwatch.language import N_
from debtwatch.panel.fields import normalise
from debtwatch.panel.numbers import BLANKS, read_number
from debtwatch.panel.problem import cell_name
from debtwatch.panel.sheets import Sheet, marks_of, open_sheets
from debtwatch.screening.columns import choices_text, word_of
from debtwatch.screening.proposal_checks import printable

_HEADINGS = {
    "county": ("地区编码", "行政区划代码", "区划代码", "地区代码", "unit", "code"),
    "county_type": ("县城类型", "county type"),
    "in_restructuring": ("是否财政重整", "财政重整", "in restructuring"),
    "ppp_share": ("PPP支出占比", "PPP财政支出占比", "PPP支出责任占比", "ppp share"),
}
_IGNORED = {"地区", "地区名称", "name", "备注", "note", "序号"}
_BY_HEADING = {normalise(h): key for key, hs in _HEADINGS.items() for h in (key, *hs)}


@dataclass(frozen=True)
class GovernmentFacts:
    """What the file says about one government; None or empty where it says nothing.

    Attributes
    ----------
    county_type : str
        One of :data:`debtwatch.screening.project.COUNTY_TYPES`, empty when not stated.
    in_restructuring : bool or None
        Whether a restructuring plan has been started.
    ppp_share : float or None
        Largest yearly commitment of all partnerships over general budget expenditure, decimal.
    """

    county_type: str = ""
    in_restructuring: bool | None = None
    ppp_share: float | None = None


def read_governments(path: Path) -> Mapping[str, GovernmentFacts]:
    """Read a file of facts about governments.

    Parameters
    ----------
    path : Path
        TOML with a ``[[government]]`` table each, or a workbook or csv with a row each. Shares
        are in percent; a number below 0.2 is a percent cell's decimal, as with rates.

    Returns
    -------
    mapping from government code to GovernmentFacts

    Raises
    ------
    DataProblem
        When the file cannot be read, or with all its faults at once.
    """
    entries = _from_toml(path) if path.suffix.lower() == ".toml" else _from_table(path)
    facts: dict[str, GovernmentFacts] = {}
    faults: list[_Fault] = []
    for entry in entries:
        reader = _Reader(entry)
        one = reader.facts()
        if reader.code in facts:
            reader.fault("county", N_("the government is listed twice"))
        faults += reader.faults
        if reader.code:
            facts[reader.code] = one
    if faults:
        raise DataProblem(
            N_("The governments in {path} cannot be used: {faults}"),
            path=path,
            faults=_Said(faults),
        )
    return MappingProxyType(facts)


@dataclass(frozen=True)
class _Fault:
    """A fault at its place, said in any language."""

    place: str
    message: str
    values: Mapping[str, str]


class _Said:
    """All faults as one text in the reader's language."""

    def __init__(self, faults: list[_Fault]) -> None:
        self.faults = faults

    def __call__(self, translate: Any) -> str:
        return "; ".join(
            f"{f.place}: {translate(f.message).format(**f.values)}" for f in self.faults
        )


@dataclass(frozen=True)
class _Entry:
    """One government as written: values and places by key."""

    values: Mapping[str, Any]
    places: Mapping[str, str]
    unknown: tuple[str, ...] = ()
    marked: tuple[str, ...] = ()


class _Reader:
    """Reads one entry; collects its faults."""

    def __init__(self, entry: _Entry) -> None:
        self.entry = entry
        self.faults: list[_Fault] = []
        self.code = self.label()

    def fault(self, key: str, message: str, **values: str) -> None:
        self.faults.append(_Fault(self.entry.places.get(key, key), message, values))

    def label(self) -> str:
        value = self.entry.values.get("county")
        if isinstance(value, float) and value.is_integer():
            value = int(value)
        code = "" if value is None else str(value).strip()
        if not code and "county" not in self.entry.marked:
            self.fault("county", N_("the code of the government is missing"))
        elif not code.isprintable():
            self.fault("county", N_("a code cannot hold control characters"))
        return code

    def facts(self) -> GovernmentFacts:
        """Read what is stated."""
        known = ", ".join(_HEADINGS)
        for key in self.entry.unknown:
            self.fault(key, N_("this key is not known; possible here: {words}"), words=known)
        for key in self.entry.marked:
            self.fault(key, N_("this cell is merged, or holds a formula or an error"))
        flag = self.word("in_restructuring", "flag")
        return GovernmentFacts(
            county_type=self.word("county_type", "county_type"),
            in_restructuring={"true": True, "false": False}.get(flag),
            ppp_share=self.share(),
        )

    def word(self, key: str, table: str) -> str:
        value = self.entry.values.get(key)
        if isinstance(value, bool) and table == "flag":
            return "true" if value else "false"
        if isinstance(value, float) and value.is_integer():
            value = int(value)
        text = "" if value is None else normalise(str(value))
        held = word_of(table, text) if text else ""
        if held is None and text in BLANKS:
            return ""
        if held is None:
            self.fault(
                key,
                N_("“{word}” is not one of the choices: {words}"),
                word=printable(str(value)),
                words=choices_text(table),
            )
        return held or ""

    def share(self) -> float | None:
        share = read_number(self.entry.values.get("ppp_share"))
        if share is None:
            self.fault("ppp_share", N_("this cell is not a number"))
            return None
        if math.isnan(share):
            return None
        if share < 0:
            self.fault("ppp_share", N_("a negative amount is not possible here"))
        elif share > 100:
            self.fault("ppp_share", N_("a share cannot exceed the whole"))
        percent = str(self.entry.values.get("ppp_share")).strip().endswith(("%", "％"))
        return round(share if share < 0.2 or percent else share / 100, 15)


def _from_toml(path: Path) -> Iterator[_Entry]:
    try:
        data = tomllib.loads(path.read_bytes().decode("utf-8-sig"))
    except OSError as error:
        raise _unreadable(path, error.strerror or str(error)) from error
    except RecursionError as error:
        raise _unreadable(path, "it nests too deeply") from error
    except ValueError as error:  # not TOML, or not UTF-8
        raise _unreadable(path, printable(str(error), 200)) from error
    tables = data.get("government")
    others = [printable(key) for key in data if key != "government"]
    if not isinstance(tables, list) or not all(isinstance(t, dict) for t in tables) or others:
        raise DataProblem(
            N_("The governments in {path} must stand in [[government]] tables, and nothing else."),
            path=path,
        )
    for position, table in enumerate(tables):
        places = {str(key): f"government[{position}].{printable(str(key))}" for key in table}
        places.setdefault("county", f"government[{position}]")
        unknown = tuple(key for key in table if key not in _HEADINGS)
        yield _Entry(table, places, unknown)


def _from_table(path: Path) -> Iterator[_Entry]:
    opened = open_sheets(path)
    if opened.problem is not None:
        raise _unreadable(path, opened.problem.what)
    try:
        marks = marks_of(opened.content)
    except (ValueError, KeyError) as error:
        raise _unreadable(path, printable(str(error), 200)) from error
    for sheet in opened.sheets:
        found = _heading_row(sheet)
        if found is not None:
            top, columns, unknown = found
            merged = _merged_cells(sheet)
            yield from _rows(
                sheet, top, columns, (unknown, merged | set(marks.get(sheet.name, {})))
            )
            return
    raise DataProblem(
        N_("{path} holds no table of governments; the heading 地区编码 and one of these are "
           "needed: {headings}."),
        path=path, headings="、".join(hs[0] for key, hs in _HEADINGS.items() if key != "county"),
    )  # fmt: skip


def _merged_cells(sheet: Sheet) -> set[tuple[int, int]]:
    height, width = len(sheet.rows), max((len(row) for row in sheet.rows), default=0)
    return {
        (r, c)
        for (top, left), (bottom, right) in sheet.merged
        for r in range(top, min(bottom, height - 1) + 1)
        for c in range(left, min(right, width - 1) + 1)
    }


def _heading_row(sheet: Sheet) -> tuple[int, dict[str, int], dict[int, str]] | None:
    for top, row in enumerate(sheet.rows[:20]):
        columns: dict[str, int] = {}
        unknown: dict[int, str] = {}
        for position, cell in enumerate(row):
            plain = normalise(cell).partition("(")[0].strip() if isinstance(cell, str) else ""
            key = _BY_HEADING.get(plain)
            if key is not None and key not in columns:
                columns[key] = position
            elif plain and plain not in _IGNORED:
                unknown[position] = str(cell)
        if "county" in columns and len(columns) > 1:
            return top, columns, unknown
    return None


def _rows(
    sheet: Sheet,
    top: int,
    columns: Mapping[str, int],
    rest: tuple[Mapping[int, str], set[tuple[int, int]]],
) -> Iterator[_Entry]:
    unknown, marked = rest
    for r, row in enumerate(sheet.rows[top + 1 :], start=top + 1):
        if all(cell is None or cell == "" for cell in row):
            continue
        prefix = f"{sheet.name}!" if sheet.name else ""
        places = {key: f"{prefix}{cell_name(r, c)}" for key, c in columns.items()}
        places |= {text: f"{prefix}{cell_name(r, c)}" for c, text in unknown.items()}
        bad = tuple(key for key, c in columns.items() if (r, c) in marked)
        values = {
            key: row[c] for key, c in columns.items() if c < len(row) and (r, c) not in marked
        }
        odd = tuple(t for c, t in unknown.items() if c < len(row) and row[c] is not None)
        yield _Entry(values, places, odd, bad)


def _unreadable(path: Path, reason: Any) -> DataProblem:
    return DataProblem(
        N_("The governments in {path} cannot be read: {reason}"), path=path, reason=reason
    )
