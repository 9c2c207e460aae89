"""Read proposed projects: a workbook or csv of many, one row each, or a file of one proposal.

A project with faults is left out and reported, all its faults at once; the others are screened.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from debtwatch.errors import DataProblem
from debtwatch.language import N_
from debtwatch.panel.fields import money_scale, normalise
from debtwatch.panel.problem import Problem, cell_name
from debtwatch.panel.sheets import MERGED, Opened, Sheet, marks_of, open_sheets
from debtwatch.provenance import sha256_of_bytes
from debtwatch.screening.columns import COLUMNS, IGNORED, YEARLY, Column, columns_by_heading
from debtwatch.screening.pipeline_row import CellFault, Form, Row, YearlyFigures
from debtwatch.screening.project import Project
from debtwatch.screening.proposal_checks import Fault, problem_of

REQUIRED = tuple(column.key for column in COLUMNS if column.required)
_YEARLY_KEYS = ("code", "year")
_TOTALS = frozenset({"合计", "总计", "小计", "total"})
_HEADINGS_WITHIN = 20
#: Units of measure in the headings of areas and of people, to hectares and persons.
_AREAS = {"公顷": 1.0, "ha": 1.0, "亩": 1 / 15, "平方米": 1e-4, "m2": 1e-4, "㎡": 1e-4,
          "平方公里": 100.0, "km2": 100.0}  # fmt: skip
_PEOPLE = {"人": 1.0, "万人": 1e4, "people": 1.0, "persons": 1.0}


@dataclass(frozen=True)
class Pipeline:
    """Projects of a file and what is wrong with the others.

    Attributes
    ----------
    path : Path
    sha256 : str
    projects : tuple of Project
    problems : tuple of Problem
    cells : mapping from project code to (sheet, cell)
        Where each code stands.
    """

    path: Path
    sha256: str
    projects: tuple[Project, ...]
    problems: tuple[Problem, ...]
    cells: Mapping[str, tuple[str, str]] = field(default_factory=dict)


def read_pipelines(paths: Sequence[Path], *, last_quarter: int) -> tuple[Pipeline, ...]:
    """Read several files of projects, see :func:`apart`.

    Parameters
    ----------
    paths : sequence of Path
    last_quarter : int
        Ordinal of the last quarter with accounts.

    Raises
    ------
    DataProblem
        When a file cannot be read.
    """
    return apart([read_pipeline(path, last_quarter=last_quarter) for path in paths])


def apart(pipelines: Sequence[Pipeline]) -> tuple[Pipeline, ...]:
    """Keep a code for the first file that uses it; in a later file it is a fault.

    Parameters
    ----------
    pipelines : sequence of Pipeline
    """
    owner: dict[str, str] = {}
    result: list[Pipeline] = []
    for one in pipelines:
        twice = [p for p in one.projects if p.code in owner]
        problems = [_used_in(owner[p.code], p, one) for p in twice]
        owner |= {p.code: one.path.name for p in one.projects if p.code not in owner}
        kept = tuple(p for p in one.projects if p not in twice)
        result.append(replace(one, projects=kept, problems=(*one.problems, *problems)))
    return tuple(result)


def _used_in(other: str, project: Project, pipeline: Pipeline) -> Problem:
    fault = Fault("code", N_("the code is used by another project in {file}"), {"file": other})
    sheet, cell = pipeline.cells.get(project.code, ("", ""))
    return problem_of(
        fault,
        file=pipeline.path.name,
        sheet=sheet,
        cell=cell,
        code=project.code,
        unit=project.unit,
    )


def read_pipeline(path: Path, *, last_quarter: int) -> Pipeline:
    """Read a file of projects: a table of many, or a proposal ending in ``.toml``.

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
    if path.suffix.lower() == ".toml":
        # It holds one project, which this module knows nothing of but its result.
        from debtwatch.screening.proposal_file import read_proposal  # noqa: PLC0415

        return read_proposal(path, last_quarter=last_quarter)
    opened = open_sheets(path)
    if opened.problem is not None:
        raise _unusable(path, opened.problem)
    marks = _marks(path, opened)
    form = next((f for s in opened.sheets if (f := _find_form(s, COLUMNS, REQUIRED))), None)
    if form is None:
        headings = "、".join(column.zh for column in COLUMNS if column.required)
        raise DataProblem(
            N_(
                "The pipeline {path} holds no table of projects; these headings are needed: "
                "{headings}."
            ),
            path=path,
            headings=headings,
        )
    others = [s for s in opened.sheets if s is not form.sheet]
    yearly = next((f for s in others if (f := _find_yearly(s))), None)
    for one in (form, yearly):
        if one is not None and one.clash is not None:
            raise _unusable(path, one.clash)
    reading = _Reading(path.name, form, yearly, marks, last_quarter)
    reading.run()
    return Pipeline(
        path,
        sha256_of_bytes(opened.content),
        tuple(reading.projects.values()),
        tuple(reading.problems),
        reading.cells,
    )


def _unusable(path: Path, problem: Problem) -> DataProblem:
    return DataProblem(
        N_("The pipeline {path} cannot be used: {what}"), path=path, what=problem.what
    )


def _marks(path: Path, opened: Opened) -> Mapping[str, Mapping[tuple[int, int], str]]:
    """Cells that are no plain values, by sheet."""
    try:
        return marks_of(opened.content)
    except (ValueError, KeyError, RecursionError) as error:
        details = {"reason": " ".join(str(error).split())[:200]}
        raise _unusable(path, Problem("file-unreadable", path.name, details=details)) from error


def _find_yearly(sheet: Sheet) -> Form | None:
    form = _find_form(sheet, YEARLY, _YEARLY_KEYS)
    return form if form is not None and len(form.columns) > len(_YEARLY_KEYS) else None


def _find_form(sheet: Sheet, columns: tuple[Column, ...], required: Sequence[str]) -> Form | None:
    """Find the row of headings of a table; None when the sheet holds no such table."""
    known = columns_by_heading(columns)
    for top, row in enumerate(sheet.rows[:_HEADINGS_WITHIN]):
        found: dict[str, int] = {}
        scales: dict[str, float] = {}
        unknown: list[tuple[int, str]] = []
        clash: Problem | None = None
        default = _preamble_scale(sheet.rows[:top])
        for position, cell in enumerate(row):
            if not isinstance(cell, str) or not (plain := normalise(cell)):
                continue
            bare, _, bracket = plain.partition("(")
            column = known.get(plain) or known.get(bare.strip())
            if column is None:
                if bare.strip() not in IGNORED:
                    unknown.append((position, cell))
            elif column.key in found:
                first = str(row[found[column.key]])
                clash = clash or _clash(sheet, column, first, cell, cell_name(top, position))
            else:
                found[column.key] = position
                scales[column.key] = _scale(column.kind, bracket.rstrip(") "), default)
        if all(key in found for key in required):
            return Form(sheet, top, found, scales, tuple(unknown), clash)
    return None


def _clash(sheet: Sheet, column: Column, first: str, second: str, cell: str) -> Problem:
    details = {"field": column.zh, "first": first, "second": second}
    return Problem("heading-clash", sheet=sheet.name, cell=cell, details=details)


def _scale(kind: str, unit: str, default: float) -> float:
    """Factor from the unit in a heading to the held unit."""
    if kind == "money":
        return money_scale(unit) or default
    return {"area": _AREAS, "people": _PEOPLE}.get(kind, {}).get(unit, 1.0)


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


def _marked_rows(
    form: Form, marks: Mapping[str, Mapping[tuple[int, int], str]]
) -> dict[int, dict[int, str]]:
    """Cells below the headings that are merged or hold no plain value, by row."""
    rows: dict[int, dict[int, str]] = {}
    for (r, c), mark in marks.get(form.sheet.name, {}).items():
        rows.setdefault(r, {})[c] = mark
    width, last_row = 1 + max(form.columns.values()), len(form.sheet.rows) - 1
    for (top, left), (bottom, right) in form.sheet.merged:
        for r in range(max(top, form.top + 1), min(bottom, last_row) + 1):
            cells = rows.setdefault(r, {})
            cells |= dict.fromkeys(range(left, min(right, width) + 1), MERGED)
    return rows


class _Reading:
    """One pass over a workbook; collects projects and problems."""

    def __init__(
        self,
        file: str,
        form: Form,
        yearly: Form | None,
        marks: Mapping[str, Mapping[tuple[int, int], str]],
        last_quarter: int,
    ) -> None:
        self.file, self.form, self.yearly = file, form, yearly
        self.marks, self.last_quarter = marks, last_quarter
        self.projects: dict[str, Project] = {}
        self.problems: list[Problem] = []
        self.codes: set[str] = set()
        self.cells: dict[str, tuple[str, str]] = {}

    def run(self) -> None:
        """Read every row."""
        self.unknown_headings(self.form)
        marked = _marked_rows(self.form, self.marks)
        figures = self.yearly_figures() if self.yearly else {}
        for r, cells in self.rows(self.form):
            row = Row(self.form, r, cells, marked.get(r, {}))
            project = row.read(figures.get(row.code), self.last_quarter)
            if row.code and row.code in self.codes:
                row.fault("code", N_("the code is used by another project"))
            self.codes.add(row.code)
            for fault in row.faults:
                self.report(fault, row.code or f"({r + 1})", row.unit)
            if project is not None and not row.faults:
                self.projects[project.code] = project
                self.cells[project.code] = (self.form.sheet.name, row.cell_of("code"))
        for code, own in figures.items():
            if code not in self.codes:
                text = N_("no project of the file has this code")
                text = text if code else N_("the project has no code")
                self.report(CellFault(own.sheet, own.first, text), code or f"({own.first})", "")

    def yearly_figures(self) -> dict[str, YearlyFigures]:
        """Yearly money by code of its project."""
        form, by_code = self.yearly, dict[str, YearlyFigures]()
        if form is None:
            return by_code
        self.unknown_headings(form)
        marked = _marked_rows(form, self.marks)
        for r, cells in self.rows(form):
            row = Row(form, r, cells, marked.get(r, {}))
            own = by_code.setdefault(row.code, YearlyFigures(form.sheet.name, row.cell_of("code")))
            own.add(row)
        return by_code

    def rows(self, form: Form) -> list[tuple[int, list[Any]]]:
        """Rows below the headings that are neither empty, nor a total, nor a footnote."""
        found = []
        for r, cells in enumerate(form.sheet.rows[form.top + 1 :], start=form.top + 1):
            filled = [c for c in cells if c is not None and c != ""]
            if not filled or normalise(str(filled[0])) in _TOTALS:
                continue
            if len(filled) == 1 and str(filled[0]).lstrip().startswith(("注", "说明", "备注")):
                continue
            found.append((r, cells))
        return found

    def unknown_headings(self, form: Form) -> None:
        """Report headings that name no column, when there is something below them."""
        below = form.sheet.rows[form.top + 1 :]
        for position, text in form.unknown:
            if any(position < len(row) and row[position] is not None for row in below):
                details = {"heading": text.strip()[:60], "suggestion": ""}
                where = cell_name(form.top, position)
                self.problems.append(
                    Problem("heading-unknown", self.file, form.sheet.name, where, details=details)
                )

    def report(self, fault: CellFault, code: str, unit: str) -> None:
        one = Fault("", fault.message, fault.values)
        self.problems.append(
            problem_of(
                one, file=self.file, sheet=fault.sheet, cell=fault.cell, code=code, unit=unit
            )
        )
