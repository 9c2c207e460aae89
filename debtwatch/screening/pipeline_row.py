"""One row of the form of proposed projects: its cells as values, its faults at their cells."""

from __future__ import annotations

import datetime as dt
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from debtwatch.language import N_
from debtwatch.panel.fields import normalise
from debtwatch.panel.numbers import BLANKS, LARGEST, read_number
from debtwatch.panel.period import parse_day, parse_period, quarter_of
from debtwatch.panel.problem import Problem, cell_name
from debtwatch.panel.sheets import ERROR, FORMULA, MERGED, Sheet
from debtwatch.screening.columns import (
    COLUMNS,
    SOURCE_COLUMNS,
    Column,
    choices_text,
    word_of,
)
from debtwatch.screening.project import (
    DEBT,
    GRANTS,
    Flags,
    Land,
    Need,
    Operation,
    Override,
    Priority,
    Project,
    Tranche,
    steady_operation,
)
from debtwatch.screening.proposal_checks import (
    faults_of,
    nearest_path,
    override_of,
    printable,
    spread_years,
)
from debtwatch.screening.sectors import sector_named

#: Life of a project whose row does not state it; the form says so.
USUAL_LIFE = 20.0
_BY_KEY = {column.key: column for column in COLUMNS}
_PARTS = {
    part: tuple(c for c in COLUMNS if c.path.startswith(f"{part}."))
    for part in ("land", "documents", "need", "flags", "priority")
}
_SHARED = {"tenor_years": "tenor", "rate": "rate", "grace_years": "grace", "repayment": "repayment"}
_OWN_TERMS = {"general_bond": "general_", "policy_loan": "loan_", "loan": "loan_"}
_YEARLY_PATHS = {
    "user_fees": "income.{year}.user_fees", "fund_income": "income.{year}.fund_income",
    "opex": "opex.{year}", "taxes": "taxes.{year}", "ppp_commitment": "ppp_commitments.{year}",
    "investment": "cost.schedule.{year}",
}  # fmt: skip
_MARKS = {
    FORMULA: N_("this cell holds a formula; put its value there instead"),
    ERROR: N_("this cell holds an error of the spreadsheet"),
    MERGED: N_("cells of the table are merged here; unmerge them and fill in each"),
}
_SEPARATORS = re.compile(r"[、,;，；\s]+")


@dataclass(frozen=True)
class Form:
    """Where a sheet holds a table: its headings, and the scale of each column.

    Attributes
    ----------
    sheet : Sheet
    top : int
        Row of the headings, from 0.
    columns : mapping from column key to position
    scales : mapping from column key to factor to the held unit
    unknown : tuple of (int, str)
        Headings that name no column.
    clash : Problem or None
        Two headings that name the same column.
    """

    sheet: Sheet
    top: int
    columns: Mapping[str, int]
    scales: Mapping[str, float]
    unknown: tuple[tuple[int, str], ...] = ()
    clash: Problem | None = None


@dataclass(frozen=True)
class CellFault:
    """A fault at its cell."""

    sheet: str
    cell: str
    message: str
    values: Mapping[str, str] = field(default_factory=dict)


class Row:
    """One row of a table; collects its faults.

    Parameters
    ----------
    form : Form
    number : int
        Row of the sheet, from 0.
    cells : list
    marked : mapping from position to mark
        Cells that are merged or hold no plain value.
    """

    def __init__(
        self, form: Form, number: int, cells: list[Any], marked: Mapping[int, str]
    ) -> None:
        self.form, self.number_of_row, self.cells = form, number, cells
        self.faults: list[CellFault] = []
        self.broken: set[str] = set()
        self.marked = marked
        marks = {k: marked[p] for k, p in form.columns.items() if p in marked} if marked else {}
        self.merged = MERGED in marks.values()
        for key, mark in marks.items():
            if mark == MERGED or not self.merged:
                self.fault(key, _MARKS[mark])
        if self.merged:  # the rest of the row cannot be told
            self.faults = self.faults[:1]
        self.code, self.unit = self.label("code"), self.label("unit")

    # -- cells ---------------------------------------------------------------------------------

    def fault(self, key: str, message: str, values: Mapping[str, str] | None = None) -> None:
        """Note a fault at the cell of a column."""
        one = CellFault(self.form.sheet.name, self.cell_of(key), message, values or {})
        if one not in self.faults:
            self.faults.append(one)
        if (column := _BY_KEY.get(key)) and column.path:
            self.broken.add(column.path)

    def cell_of(self, key: str) -> str:
        """Name of the cell of a column."""
        return cell_name(self.number_of_row, self.form.columns.get(key, 0))

    def cell(self, key: str) -> Any:
        """Cell of a column; None when it is empty, absent or no plain value."""
        position = self.form.columns.get(key)
        if position is None or position >= len(self.cells) or position in self.marked:
            return None
        return self.cells[position]

    def stated(self, key: str) -> bool:
        """Whether a cell says something."""
        cell = self.cell(key)
        return cell is not None and str(cell).strip().lower() not in BLANKS

    def label(self, key: str) -> str:
        """Read a code as it stands: a whole number loses its decimals."""
        cell = self.cell(key)
        if isinstance(cell, float) and cell.is_integer():
            return str(int(cell))
        return "" if cell is None else str(cell).strip()

    def text(self, key: str) -> str:
        """Read a text without line breaks and other unprintable characters."""
        label = self.label(key)
        if label.isprintable():
            return label
        return "".join(c if c.isprintable() else " " for c in label).strip()

    def number(self, key: str) -> float:
        """Read an amount in the held unit; NaN when there is none or it has a fault."""
        cell = self.cell(key)
        if cell is None:
            return math.nan
        number = read_number(cell)
        scale = self.form.scales.get(key, 1.0)
        if number is None or abs(number) * scale >= LARGEST:
            self.fault(key, N_("this cell is not a number"))
            return math.nan
        if number < 0:
            self.fault(key, N_("a negative amount is not possible here"))
            return math.nan
        return number * scale

    def rate(self, key: str) -> float:
        """Read a rate in percent; a percent cell holds 0.03 for 3 %."""
        rate = self.number(key)
        return _decimal(rate, 0 < rate < 0.2 or self.is_percent(key))

    def share(self, key: str) -> float | None:
        """Read a share in percent; a percent cell holds 0.3 for 30 %."""
        share = self.number(key)
        if math.isnan(share):
            return None
        return _decimal(share, share <= 1 or self.is_percent(key))

    def is_percent(self, key: str) -> bool:
        """Whether a cell is a text with a percent sign, which is read as its decimal."""
        cell = self.cell(key)
        return isinstance(cell, str) and cell.rstrip().endswith(("%", "％"))

    def optional(self, key: str) -> float | None:
        """Read an amount; None when there is none."""
        number = self.number(key)
        return None if math.isnan(number) else number

    def word(self, key: str, table: str) -> str:
        """Read a word of a choice; empty when there is none or it is not one of them."""
        text = self.text(key)
        if not text:
            return ""
        held = word_of(table, text)
        if held is None:
            if normalise(text) in BLANKS:
                return ""
            self.unknown_word(key, text, table)
        return held or ""

    def unknown_word(self, key: str, text: str, table: str) -> None:
        """Say which words are possible."""
        self.fault(
            key,
            N_("“{word}” is not one of the choices: {words}"),
            {"word": printable(text), "words": choices_text(table)},
        )

    def flag(self, key: str) -> bool | None:
        """Read a yes or a no; None when the cell says neither."""
        cell = self.cell(key)
        if cell is None or isinstance(cell, bool):
            return cell
        return {"true": True, "false": False}.get(self.word(key, "flag"))

    def document(self, key: str) -> str:
        """Read whether a document exists: ``true``, ``false``, ``n/a`` or empty."""
        cell = self.cell(key)
        if isinstance(cell, bool):
            return "true" if cell else "false"
        return "" if cell is None else self.word(key, "document")

    def sector(self) -> str:
        """Read the sector: its id, empty when there is none."""
        text = self.text("sector")
        if not text or normalise(text) in BLANKS:
            return ""
        found = sector_named(text)
        if found is None:
            self.unknown_word("sector", text, "sector")
        return found.id if found else ""

    def year(self, key: str) -> int | None:
        """Read a calendar year; None when there is none."""
        cell = self.cell(key)
        if cell is None or not self.stated(key):
            return None
        period = parse_period(cell)
        if period is None or period.kind != "year":
            self.fault(key, N_("this cell is not a year"))
            return None
        return period.quarter // 4

    def day(self, key: str) -> dt.date | None:
        """Read a date; None when there is none."""
        cell = self.cell(key)
        if cell is None or not self.stated(key):
            return None
        if isinstance(cell, float) and cell.is_integer():
            cell = str(int(cell))
        day = parse_day(cell)
        if day is None:
            self.fault(key, N_("this cell is not a date"))
        return day

    def start(self) -> int | None:
        """Read the quarter of the start: a quarter, or a day in it."""
        cell = self.cell("start")
        if isinstance(cell, dt.date):
            return quarter_of(cell)
        period = parse_period(cell)
        if period is None or period.kind != "quarter":
            self.fault("start", N_("the start is not a quarter such as 2026Q3"))
            return None
        return period.quarter

    def build(self) -> int:
        """Read the construction time; 1 when it has a fault."""
        build = self.number("build")
        if not 1 <= build <= 60 or build != int(build):
            self.fault("build", N_("the construction time must be 1 to 60 whole quarters"))
            return 1
        return int(build)

    def codes(self, key: str) -> tuple[str, ...]:
        """Read several codes in one cell."""
        return tuple(dict.fromkeys(c for c in _SEPARATORS.split(self.text(key)) if c))

    # -- the project ---------------------------------------------------------------------------

    def read(self, yearly: YearlyFigures | None, last_quarter: int) -> Project | None:
        """Read the project of the row, with its yearly money from the other sheet.

        Returns
        -------
        Project or None
            None, or a project not to be used, when :attr:`faults` holds something.
        """
        if self.merged:
            return None
        start = self.start()
        build = self.build()
        project = self.project(last_quarter + 1 if start is None else start, build, yearly)
        unstated = set() if self.stated("sunk") else {"priority.sunk"}
        if yearly is not None and yearly.faults:
            self.faults += yearly.faults
            self.broken |= {"income", "opex", "cost.schedule"}
        found = faults_of(project, last_quarter=last_quarter, broken=self.broken, unstated=unstated)
        where = self.where(project, yearly) if found else {}
        for fault in found:
            sheet, cell = where[nearest_path(fault.path, where.keys()) or "code"]
            one = CellFault(sheet, cell, fault.message, fault.values)
            if one not in self.faults:
                self.faults.append(one)
        return project

    def project(self, start: int, build: int, yearly: YearlyFigures | None) -> Project:
        """Put the values together; what has a fault is missing in them."""
        life = self.number("life")
        life = USUAL_LIFE if math.isnan(life) else life
        own: Mapping[str, Mapping[int, float]] = {} if yearly is None else yearly.by_year
        profile: Any = self.word("profile", "profile") or "uniform"
        documents = {c.key: self.document(c.key) for c in _PARTS["documents"]}
        return Project(
            code=self.code,
            name=self.text("name") or self.code,
            unit=self.unit,
            start_quarter=start,
            build_quarters=build,
            life_years=life,
            total_investment=self.number("total"),
            financing=self.financing(),
            county_type=self.word("county_type", "county_type"),
            sector=self.sector(),
            purpose=self.word("purpose", "purpose"),
            nature=self.word("nature", "nature"),
            feasibility_estimate=self.optional("feasibility"),
            budget_estimate=self.optional("budget"),
            schedule=spread_years(
                own.get("investment", {}), start=start, build=build, profile=profile
            ),
            profile=profile,
            operation=self.operation(start + build, min(life, 100.0), own),
            land=Land(**self.part("land")),
            need=Need(**self.part("need")),
            flags=Flags(**self.part("flags")),
            priority=Priority(**self.part("priority")),
            documents={
                k: {"true": True, "false": False}.get(word) for k, word in documents.items() if word
            },
            ppp_commitments=self.commitments(start + build, min(life, 100.0), own),
            unit_cost_base=self.optional("unit_cost_base"),
            override=self.override(),
            approved_on=self.day("approved"),
            illustrative=self.word("marking", "marking"),
            place=f"{self.form.sheet.name}!{self.number_of_row + 1}".removeprefix("!"),
        )

    def part(self, name: str) -> dict[str, Any]:
        """Read the columns of one part of a proposal: what they state, by its name there."""
        found: dict[str, Any] = {}
        for column in _PARTS[name]:
            if self.cell(column.key) is not None:
                value = self.value(column)
                if value is not None:
                    found[column.path.partition(".")[2]] = value
        return found

    def value(self, column: Column) -> Any:
        """Read a cell by the kind of its column."""
        if column.kind == "flag":
            return self.flag(column.key)
        if column.kind == "codes":
            return self.codes(column.key)
        if column.kind == "text":
            return self.text(column.key)
        if column.kind == "year":
            return self.year(column.key)
        return self.optional(column.key)

    def financing(self) -> tuple[Tranche, ...]:
        """Read the sources of money that the row states."""
        draw: Any = self.word("draw", "draw") or "yearly"
        tranches = []
        for key, source in SOURCE_COLUMNS.items():
            amount = self.number(key)
            if not amount > 0:
                continue
            options: dict[str, Any] = {}
            if source in DEBT:
                terms = self.terms(key)
                options = {
                    "tenor_years": self.number(terms["tenor_years"]),
                    "rate": self.rate(terms["rate"]),
                    "grace_years": self.optional(terms["grace_years"]) or 0.0,
                    "repayment": self.word(terms["repayment"], "repayment") or "bullet",
                    "capitalised": self.flag("capitalised") or False,
                    "draw": draw,
                }
            tranches.append(Tranche(source, amount, **options, **self.extras(key)))
        return tuple(tranches)

    def terms(self, key: str) -> dict[str, str]:
        """Columns that hold the terms of a debt: its own where they are filled in."""
        prefix = _OWN_TERMS.get(key, "")
        return {
            term: prefix + shared if prefix and self.stated(prefix + shared) else shared
            for term, shared in _SHARED.items()
        }

    def extras(self, key: str) -> dict[str, Any]:
        """Read what only some sources have."""
        if key == "special_bond":
            return {"as_capital": self.optional("as_capital") or 0.0}
        if key == "equity":
            return {"equity_like": self.optional("equity_like") or 0.0}
        if SOURCE_COLUMNS[key] in GRANTS:
            return {"committed": self.flag(f"{key.removesuffix('_grant')}_committed")}
        if key in {"policy_loan", "loan"}:
            return {
                "borrower": self.word("borrower", "borrower"),
                "guarantee": self.word("guarantee", "guarantee"),
            }
        return {"payment": self.word("payment", "payment")} if key == "ppp" else {}

    def operation(
        self, completion: int, life: float, own: Mapping[str, Mapping[int, float]]
    ) -> Operation:
        """Read yearly money: the same every year, or as the other sheet has it."""
        flat = {
            name: self.optional(key) or 0.0
            for name, key in (
                ("user_fees", "income"),
                ("fund_income", "fund_income"),
                ("opex", "opex"),
                ("taxes", "taxes"),
            )
        }
        steady = steady_operation(completion=completion, life_years=life, **flat)
        return Operation(
            user_fees=own.get("user_fees", steady.user_fees),
            fund_income=own.get("fund_income", steady.fund_income),
            opex=own.get("opex", steady.opex),
            taxes=own.get("taxes", steady.taxes),
            land_linked_share=self.share("land_linked") or 0.0,
            is_net=self.flag("is_net") or False,
            basis=self.text("basis"),
        )

    def commitments(
        self, completion: int, life: float, own: Mapping[str, Mapping[int, float]]
    ) -> Mapping[int, float]:
        """Read the yearly commitments of a partnership; a flat one is whole in every year."""
        flat = self.optional("ppp_commitment") or 0.0
        if "ppp_commitment" in own or not flat:
            return own.get("ppp_commitment", {})
        last = (completion + round(4 * life) - 1) // 4
        return dict.fromkeys(range(completion // 4, last + 1), flat)

    def override(self) -> Override | None:
        """Read the decision of a person; its missing parts are faults."""
        before = len(self.faults)
        override, faults = override_of(
            self.word("ground", "ground"),
            self.text("override_name"),
            self.day("override_date"),
            self.text("override_reason"),
        )
        if len(self.faults) == before:  # an unreadable part is not a missing one as well
            for fault in faults:
                key = fault.path.partition(".")[2]
                self.fault("ground" if key == "ground" else f"override_{key}", fault.message)
        return override

    def where(self, project: Project, yearly: YearlyFigures | None) -> dict[str, tuple[str, str]]:
        """Cells by the key path of what they hold."""
        sheet = self.form.sheet.name
        found = {c.path: (sheet, self.cell_of(c.key)) for c in reversed(COLUMNS) if c.path}
        found["financing"] = (sheet, self.cell_of("total"))
        found["income"] = (sheet, self.cell_of("income"))
        found["cost.schedule"] = (sheet, self.cell_of("total"))
        source_key = {source: key for key, source in SOURCE_COLUMNS.items()}
        for position, tranche in enumerate(project.financing):
            key, path = source_key[tranche.source], f"financing[{position}]"
            found[path] = (sheet, self.cell_of(key))
            for term, column in self.terms(key).items():
                found[f"{path}.{term}"] = (sheet, self.cell_of(column))
            for name in ("as_capital", "equity_like"):
                found[f"{path}.{name}"] = (sheet, self.cell_of(name))
        return found | ({} if yearly is None else yearly.places)


class YearlyFigures:
    """Yearly money of one project from its own sheet.

    Parameters
    ----------
    sheet : str
    first : str
        Cell of its first row.
    """

    def __init__(self, sheet: str, first: str) -> None:
        self.sheet, self.first = sheet, first
        self.by_year: dict[str, dict[int, float]] = {}
        self.places: dict[str, tuple[str, str]] = {}
        self.faults: list[CellFault] = []
        self.years: set[int] = set()

    def add(self, row: Row) -> None:
        """Add a row of the sheet."""
        year = None if row.merged else row.year("year")
        if year is None:
            if not row.faults:
                row.fault("year", N_("this cell is not a year"))
        elif year in self.years:
            row.fault("year", N_("this year is given twice"))
        else:
            self.years.add(year)
            self._add_year(row, year)
        self.faults += row.faults

    def _add_year(self, row: Row, year: int) -> None:
        for key, path in _YEARLY_PATHS.items():
            amount = row.number(key)
            if not math.isnan(amount):
                self.by_year.setdefault(key, {})[year] = amount
                path_of_year = path.format(year=year)
                self.places[path_of_year] = (self.sheet, row.cell_of(key))
                self.places.setdefault(
                    path_of_year.partition(f".{year}")[0], (self.sheet, row.cell_of(key))
                )


def _decimal(number: float, is_decimal: bool) -> float:
    """Turn per cent into a decimal, without the dust of the division."""
    return round(number if is_decimal else number / 100, 15)
