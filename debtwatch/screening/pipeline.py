"""Read a pipeline of projects from a workbook or csv: one row a project, all faults at once.

A project with faults is left out and reported; the others are screened.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from debtwatch.errors import DataProblem
from debtwatch.language import N_
from debtwatch.panel.fields import money_scale, normalise, scale_of
from debtwatch.panel.numbers import read_number
from debtwatch.panel.period import parse_day, parse_quarter
from debtwatch.panel.problem import Problem, cell_name
from debtwatch.panel.sheets import Sheet, open_sheets
from debtwatch.provenance import sha256_of_bytes
from debtwatch.screening.project import LONGEST_TENOR, SOURCES, SUM_TOLERANCE, Project, Tranche

#: Columns of the form, with their Chinese headings and other names.
COLUMNS: dict[str, tuple[str, ...]] = {
    "code": ("项目代码", "项目编码", "project code", "project"),
    "name": ("项目名称", "project name"),
    "unit": ("地区编码", "行政区划代码", "区划代码", "地区代码"),
    "sector": ("行业", "所属行业"),
    "purpose": ("建设性质",),
    "nature": ("公益属性",),
    "start": ("开工季度", "计划开工季度", "start quarter"),
    "build": ("建设期", "建设期(季度)", "build quarters"),
    "life": ("使用年限", "使用年限(年)", "life years"),
    "total": ("总投资", "total investment"),
    "fiscal": ("财政资金", "本级财政资金", "fiscal funds"),
    "grant": ("上级补助", "上级补助资金", "grants"),
    "general_bond": ("一般债券", "general bonds"),
    "special_bond": ("专项债券", "special bonds"),
    "loan": ("银行贷款", "市场化融资", "bank loans"),
    "tenor": ("期限", "期限(年)", "债券期限", "tenor"),
    "rate": ("年利率", "年利率(%)", "利率", "rate"),
    "grace": ("宽限期", "宽限期(年)", "grace"),
    "repayment": ("还本方式", "偿还方式", "repayment"),
    "draw": ("提款方式", "draw"),
    "approved": ("批准日期", "approved on", "approved"),
    "income": ("年经营收入", "income"),
    "fund_income": ("年基金收入", "fund income"),
    "opex": ("年运营成本", "opex"),
    "marking": ("数据性质", "性质说明", "marking"),
    "note": ("备注", "note"),
}
REQUIRED = ("code", "unit", "start", "build", "total")
_MONEY = ("total", *SOURCES, "income", "fund_income", "opex")
_REPAYMENTS = {
    "": "bullet", "到期一次还本": "bullet", "bullet": "bullet",
    "等额本金": "equal_principal", "equal principal": "equal_principal",
    "equal_principal": "equal_principal", "等额本息": "annuity", "annuity": "annuity",
}  # fmt: skip
_DRAWS = {"": "yearly", "按年": "yearly", "yearly": "yearly", "按季": "quarterly",
          "quarterly": "quarterly"}  # fmt: skip
_MARKINGS = {"合成": "synthetic", "synthetic": "synthetic", "合成数据": "synthetic",
             "示例": "illustrative", "示例(虚构)": "illustrative", "虚构示例": "illustrative",
             "illustrative": "illustrative"}  # fmt: skip


@dataclass(frozen=True)
class Pipeline:
    """Projects of a file and what is wrong with the others.

    Attributes
    ----------
    path : Path
    sha256 : str
    projects : tuple of Project
    problems : tuple of Problem
    """

    path: Path
    sha256: str
    projects: tuple[Project, ...]
    problems: tuple[Problem, ...]


def read_pipeline(path: Path, *, last_quarter: int) -> Pipeline:
    """Read a pipeline file.

    Parameters
    ----------
    path : Path
    last_quarter : int
        Last quarter with accounts: a project cannot start before its end.

    Raises
    ------
    DataProblem
        When the file cannot be read or holds no table of projects.
    """
    opened = open_sheets(path)
    if opened.problem is not None:
        problem = opened.problem
        raise DataProblem(
            N_("The pipeline {path} cannot be used: {what}"), path=path, what=problem.what
        )
    for sheet in opened.sheets:
        found = _heading_row(sheet)
        if found is not None:
            projects, problems = _read_rows(sheet, found, path.name, last_quarter)
            return Pipeline(path, sha256_of_bytes(opened.content), projects, problems)
    headings = "、".join(COLUMNS[name][0] for name in REQUIRED)
    raise DataProblem(
        N_(
            "The pipeline {path} holds no table of projects; these headings are needed: {headings}."
        ),
        path=path,
        headings=headings,
    )


@dataclass(frozen=True)
class _Form:
    """Where a sheet holds the form: row of its headings, column and scale of each entry."""

    top: int
    columns: dict[str, int]
    scales: dict[str, float]


def _heading_row(sheet: Sheet) -> _Form | None:
    names = {normalise(h): key for key, hs in COLUMNS.items() for h in (key, *hs)}
    for top, row in enumerate(sheet.rows[:20]):
        columns: dict[str, int] = {}
        scales: dict[str, float] = {}
        for position, cell in enumerate(row):
            if not isinstance(cell, str):
                continue
            plain = normalise(cell)
            bare, _, bracket = plain.partition("(")
            key = names.get(plain) or names.get(bare.strip())
            if key and key not in columns:
                columns[key] = position
                if (scale := scale_of(bracket.strip(") "))) is not None and key in _MONEY:
                    scales[key] = scale
        if all(name in columns for name in REQUIRED):
            default = _preamble_scale(sheet.rows[:top])
            return _Form(top, columns, {name: scales.get(name, default) for name in _MONEY})
    return None


def _preamble_scale(rows: list[list[Any]]) -> float:
    """Find the unit of money above the table, 万元 when none is named."""
    for row in rows:
        for cell in row:
            if isinstance(cell, str):
                plain = normalise(cell)
                scale = money_scale(plain.partition(":")[2] or plain)
                if scale is not None:
                    return scale
    return 1e4


def _read_rows(
    sheet: Sheet, form: _Form, file: str, last_quarter: int
) -> tuple[tuple[Project, ...], tuple[Problem, ...]]:
    projects: dict[str, Project] = {}
    problems: list[Problem] = []
    for r, row in enumerate(sheet.rows[form.top + 1 :], start=form.top + 1):
        if all(cell is None for cell in row):
            continue
        reader = _Row(row, form, last_quarter)
        project = reader.project(f"{sheet.name}!{r + 1}" if sheet.name else str(r + 1))
        if project is not None and project.code in projects:
            reader.fault("code", N_("the code is used by another project"))
        for name, text in reader.faults:
            where = cell_name(r, form.columns.get(name, 0))
            details = {"code": reader.code or f"({r + 1})", "text": text}
            problems.append(
                Problem("project-invalid", file, sheet.name, where, reader.unit, details=details)
            )
        if project is not None and not reader.faults:
            projects[project.code] = project
    return tuple(projects.values()), tuple(problems)


class _Row:
    """One row of the form; collects its faults."""

    def __init__(self, row: list[Any], form: _Form, last_quarter: int) -> None:
        self.row, self.form, self.last_quarter = row, form, last_quarter
        self.faults: list[tuple[str, str]] = []
        self.code, self.unit = self.text("code"), self.text("unit")

    def fault(self, name: str, text: str) -> None:
        self.faults.append((name, text))

    def cell(self, name: str) -> Any:
        position = self.form.columns.get(name)
        return None if position is None or position >= len(self.row) else self.row[position]

    def text(self, name: str) -> str:
        cell = self.cell(name)
        if isinstance(cell, float) and cell.is_integer():
            return str(int(cell))
        return "" if cell is None else "".join(c for c in str(cell).strip() if c.isprintable())

    def number(self, name: str, *, default: float = 0.0) -> float:
        number = read_number(self.cell(name))
        if number is None:
            self.fault(name, N_("this cell is not a number"))
            return default
        if np.isnan(number):
            return default
        if number < 0:
            self.fault(name, N_("a negative amount is not possible here"))
            return default
        return number * self.form.scales.get(name, 1.0)

    def choice(self, name: str, table: dict[str, str]) -> str:
        value = table.get(normalise(self.text(name)))
        if value is None:
            self.fault(name, N_("this word is not one of the choices of the form"))
        return value or ""

    def project(self, place: str) -> Project | None:
        if not self.code:
            self.fault("code", N_("the project has no code"))
        if not self.unit:
            self.fault("unit", N_("the code of the government is missing"))
        start = parse_quarter(self.text("start"))
        if start is None:
            self.fault("start", N_("the start is not a quarter such as 2026Q3"))
        elif start <= self.last_quarter:
            self.fault("start", N_("the start lies before the end of the accounts"))
        build = self.number("build")
        if not 1 <= build <= 60 or build != int(build):
            self.fault("build", N_("the construction time must be 1 to 60 whole quarters"))
        financing = self.financing()
        total = self.number("total")
        if not total > 0:
            self.fault("total", N_("the total investment is missing"))
        elif abs(sum(t.amount for t in financing) - total) > SUM_TOLERANCE * total:
            self.fault("total", N_("the financing does not sum to the total investment"))
        life = self.number("life", default=20.0)
        if not 0 < life <= 100:
            self.fault("life", N_("the life must be between 1 and 100 years"))
        approved = self.day("approved")
        marking = _MARKINGS.get(normalise(self.text("marking")), "")
        if start is None or self.faults:
            return None
        return Project(
            code=self.code,
            name=self.text("name") or self.code,
            unit=self.unit,
            start_quarter=start,
            build_quarters=int(build),
            life_years=life,
            total_investment=total,
            financing=tuple(financing),
            sector=self.text("sector"),
            purpose=self.text("purpose"),
            nature=self.text("nature"),
            income=self.number("income"),
            fund_income=self.number("fund_income"),
            opex=self.number("opex"),
            approved_on=approved,
            illustrative=marking,
            place=place,
        )

    def day(self, name: str) -> dt.date | None:
        cell = self.cell(name)
        day = parse_day(cell)
        if cell is not None and day is None:
            self.fault(name, N_("this cell is not a date"))
        return day

    def financing(self) -> list[Tranche]:
        amounts = {source: self.number(source) for source in SOURCES}
        owes = any(amounts[s] > 0 for s in ("general_bond", "special_bond", "loan"))
        tenor, grace = self.number("tenor"), self.number("grace")
        rate = self.number("rate")
        rate = rate * 100 if 0 < rate < 0.2 else rate  # a percent cell holds 0.03 for 3 %
        if owes and not (1 <= tenor <= LONGEST_TENOR and tenor == int(tenor)):
            self.fault("tenor", N_("debt needs a tenor of 1 to 30 whole years"))
            tenor = 1.0
        if owes and not 0 <= rate <= 15:
            self.fault("rate", N_("the rate must be between 0 and 15 (% a year)"))
        if owes and self.cell("rate") is None:
            self.fault("rate", N_("debt needs a rate"))
        if owes and grace != int(grace):
            self.fault("grace", N_("the grace period must be whole years"))
        if owes and not grace < tenor:
            self.fault("grace", N_("the grace period must be shorter than the tenor"))
        repayment: Any = self.choice("repayment", _REPAYMENTS)
        draw: Any = self.choice("draw", _DRAWS)
        return [
            Tranche(
                source=source,
                amount=amounts[source],
                tenor_years=tenor,
                grace_years=grace,
                rate=rate / 100,
                repayment=repayment,
                draw=draw,
            )
            for source in SOURCES
            if amounts[source] > 0
        ]
