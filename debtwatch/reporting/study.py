"""All figures of one report, computed once: the values that pages are cut from.

``Panel -> rule inputs -> levels now and before -> central outlook -> planned construction``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from debtwatch.errors import DataProblem
from debtwatch.language import N_
from debtwatch.panel.panel import Panel
from debtwatch.panel.period import quarter_text
from debtwatch.panel.problem import Problem
from debtwatch.rules.assess import Assessment, assess, lines_of
from debtwatch.rules.capacity import Basis, choose_basis, history_inputs
from debtwatch.rules.expression import Array
from debtwatch.rules.rulebook import UNKNOWN, Indicator, Rulebook, choose
from debtwatch.screening.debt_service import project_flows
from debtwatch.screening.impact import (
    ImpactStudy,
    LineEffect,
    UnitImpact,
    balances_at,
    money_of,
    sum_flows,
    worst_effect,
)
from debtwatch.screening.project import Project
from debtwatch.sustainability.accounts import Outlook, central_outlook
from debtwatch.sustainability.outlook import Fan, simulate_outlook
from debtwatch.sustainability.settings import outlook_settings

#: Quarters ahead (0 the first) for which probabilities are printed.
CHECKPOINTS = (3, 7, 11)
WIDE_RULEBOOK = "cn-debt-tiers-wide"
DEFAULT_RULEBOOKS = ("cn-debt-tiers", "cn-debt-quota", "cn-fiscal-restructuring")


@dataclass(frozen=True)
class ChosenRulebook:
    """A rulebook and whether its version was asked for by name."""

    rulebook: Rulebook
    pinned: bool
    in_force: bool


@dataclass(frozen=True)
class Study:
    """Figures of one report.

    Attributes
    ----------
    panel : Panel
    basis : Basis
    quarter, compare : int
        Ordinals of the quarter of the report and of the one compared with.
    column, before : int
        Their columns in the panel's arrays.
    annual_source : bool
        Whether balances come once a year.
    rulebooks : tuple of ChosenRulebook
        The first gives the levels.
    versions : tuple of Rulebook
        Versions of the first one's family, oldest first; the period decides which applies. Only
        the one asked for when a version was pinned.
    known_rulebooks : tuple of Rulebook
        All that were loaded.
    inputs : mapping from field to ndarray, shape (units, quarters)
        Rule inputs of the whole history.
    history : mapping from rulebook id to Assessment
    ahead : mapping from rulebook id to Assessment
        Central outlook without projects.
    outlook : Outlook
    fan : Fan
        Simulated outlook, without and with planned construction.
    impacts : list of UnitImpact
        In order of the units.
    projects : mapping from unit to projects
    problems : tuple of Problem
        Of projects and ladders; those of figures are the panel's.
    """

    panel: Panel
    basis: Basis
    quarter: int
    compare: int
    column: int
    before: int
    annual_source: bool
    rulebooks: tuple[ChosenRulebook, ...]
    versions: tuple[Rulebook, ...]
    known_rulebooks: tuple[Rulebook, ...]
    inputs: Mapping[str, Array]
    history: Mapping[str, Assessment]
    ahead: Mapping[str, Assessment]
    outlook: Outlook
    fan: Fan
    study: ImpactStudy
    impacts: list[UnitImpact]
    projects: Mapping[str, Sequence[Project]]
    problems: tuple[Problem, ...]

    @property
    def headline(self) -> Indicator:
        """Indicator whose bands are the levels."""
        book = self.rulebooks[0].rulebook
        return book.indicator_named(book.headline or book.indicator[0].id)

    @property
    def headline_book(self) -> Rulebook:
        """Rulebook that gives the levels."""
        return self.rulebooks[0].rulebook

    def levels(self, column: int) -> list[str]:
        """Level of every unit at a column; unknown where it cannot be told or no rule applies."""
        book = self.version_at(self.panel.first_quarter + column)
        if book is None:
            return [UNKNOWN] * len(self.panel.units)
        if book.id == self.headline_book.id:
            return [str(o) for o in self.history[book.id].outcome_ids()[:, column]]
        figures = {name: values[:, column] for name, values in self.inputs.items()}
        return [str(o) for o in assess(book, figures).outcome_ids()]

    def version_at(self, quarter: int) -> Rulebook | None:
        """Version of the headline rulebook that applies to a quarter's accounts."""
        if self.rulebooks[0].pinned:
            return self.headline_book
        in_force = [book for book in self.versions if book.covers(quarter)]
        return in_force[-1] if in_force else None

    def segments(self, first: int, last: int) -> list[tuple[Rulebook, int, int]]:
        """Find the runs of quarters to which one version applies, between two quarters."""
        runs: list[tuple[Rulebook, int, int]] = []
        for quarter in range(first, last + 1):
            book = self.version_at(quarter)
            if book is None:
                continue
            if runs and runs[-1][0].id == book.id and runs[-1][2] == quarter - 1:
                runs[-1] = (book, runs[-1][1], quarter)
            else:
                runs.append((book, quarter, quarter))
        return runs

    def worst_levels(self, values: Mapping[int, Array] | None = None) -> list[str]:
        """Worst level over the quarters ahead; ``values`` replaces the outlook of some units."""
        book, headline = self.headline_book, self.headline
        paths = self.ahead[book.id].values[headline.id].copy()
        for row, path in (values or {}).items():
            paths[row] = path
        # Levels follow the headline indicator alone, so a path of it is enough.
        outcome = assess(book, {headline.id: paths})
        severity = np.where(np.isnan(paths), -1, outcome.severity())
        worst = severity.argmax(axis=1)
        names = outcome.outcome_ids()
        return [
            UNKNOWN if severity[row].max() < 0 else str(names[row, worst[row]])
            for row in range(len(paths))
        ]

    def value(self, indicator: str, column: int) -> Array:
        """Values of an indicator of any rulebook at a column."""
        for assessment in self.history.values():
            if indicator in assessment.values:
                return np.asarray(assessment.values[indicator][:, column])
        raise KeyError(indicator)

    def flagging(self, row: int) -> list[LineEffect]:
        """Effects on the thresholds that flag a unit."""
        return [
            e for e in self.impacts[row].lines if self.study.flags(e.line) and self.study.counts(e)
        ]

    def limits(self, row: int) -> list[LineEffect]:
        """Effects on legal limits of the balance."""
        return [e for e in self.impacts[row].lines if self.study.is_limit(e.line)]

    def main_effect(self, row: int) -> LineEffect | None:
        """Pick the effect to report first for a unit."""
        return worst_effect(self.flagging(row))


def run_study(
    panel: Panel,
    quarter: int,
    *,
    rulebooks: tuple[Rulebook, ...],
    asked: Sequence[str] = (),
    projects: Sequence[Project] = (),
    capacity: str | None = None,
    seed: int = 20260930,
    paths: int | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Study:
    """Compute everything a report says.

    Parameters
    ----------
    panel : Panel
    quarter : int
        Ordinal of the quarter of the report.
    rulebooks : tuple of Rulebook
        All that are known.
    asked : sequence of str
        Rulebooks beyond the default ones, or versions to pin.
    projects : sequence of Project
        Planned construction; those of unknown governments are left out and reported.
    capacity : str, optional
        Definition of fiscal capacity for governments that report their transfers.
    seed : int
        Of the simulated outlook.
    paths : int, optional
        Simulated paths; those of ``models/outlook.toml`` by default.
    progress : callable, optional
        Told governments simulated and governments in all.

    Raises
    ------
    DataProblem
        When the quarter lies outside the data.
    """
    column = _column_with_figures(panel, quarter)
    annual_source = _is_annual(panel, column)
    compare = quarter - (4 if annual_source else 1)
    chosen = choose_rulebooks(rulebooks, [*_wide(panel, rulebooks), *asked], quarter)
    basis = choose_basis(panel, capacity)
    inputs = history_inputs(panel, basis)
    settings = outlook_settings()
    outlook = central_outlook(panel, basis, quarter, inflation=settings.calibration.inflation)
    books = [c.rulebook for c in chosen]
    history = {book.id: assess(book, inputs) for book in books}
    balances_now = balances_at(panel.yearly, column, outlook.quarters)
    now = {
        (book, name): values[:, column]
        for book, assessed in history.items()
        for name, values in assessed.values.items()
    }
    levels = [str(level) for level in panel.units["level"]]
    study = ImpactStudy(outlook, basis, books, balances_now=balances_now, now=now, levels=levels)
    by_unit, problems = _by_unit(panel, projects)
    before = panel.column(compare)
    by_row = _by_row(panel, by_unit)
    fan = simulate_outlook(
        outlook, basis, [book for book in books if book.kind != "limit"], seed=seed, paths=paths,
        checkpoints=CHECKPOINTS, projects=_project_money(by_row, outlook), progress=progress,
    )  # fmt: skip
    return Study(
        panel=panel,
        basis=basis,
        quarter=quarter,
        compare=compare,
        column=column,
        before=column if before is None else before,
        annual_source=annual_source,
        rulebooks=chosen,
        versions=_versions(rulebooks, chosen[0]),
        known_rulebooks=rulebooks,
        inputs=inputs,
        history=history,
        ahead=_ahead(books, outlook, balances_now),
        outlook=outlook,
        fan=fan,
        study=study,
        impacts=study.run(by_row, len(panel.units)),
        projects=by_unit,
        problems=(*problems, *outlook.problems),
    )


def _project_money(
    by_row: Mapping[int, Sequence[Project]], outlook: Outlook
) -> dict[int, dict[str, Array]] | None:
    """Money of each government's projects together; None without any."""
    money = {}
    for row, projects in by_row.items():
        flows = [project_flows(p, outlook.first_quarter, outlook.quarters) for p in projects]
        total = sum_flows(flows)
        if total is not None:
            money[row] = money_of(total)
    return money or None


def _wide(panel: Panel, rulebooks: Sequence[Rulebook]) -> list[str]:
    """Name the wide-calibre rulebook, only where a user supplied hidden or LGFV debt."""
    supplied = {"hidden_debt_balance", "lgfv_interest_bearing_debt"} & set(panel.values)
    known = any(book.id == WIDE_RULEBOOK for book in rulebooks)
    return [WIDE_RULEBOOK] if supplied and known else []


def _versions(rulebooks: Sequence[Rulebook], chosen: ChosenRulebook) -> tuple[Rulebook, ...]:
    """Versions of a family in order of their dates; one when it was pinned."""
    if chosen.pinned:
        return (chosen.rulebook,)
    same = [r for r in rulebooks if r.family == chosen.rulebook.family and r.enabled]
    return tuple(sorted(same, key=lambda r: r.effective_from))


def _ahead(
    books: Sequence[Rulebook], outlook: Outlook, balances_now: Mapping[str, Array]
) -> dict[str, Assessment]:
    """Assess the outlook; limits are judged on the balances of the report's quarter."""
    frozen = {**outlook.inputs, **balances_now}
    return {b.id: assess(b, frozen if b.kind == "limit" else outlook.inputs) for b in books}


def choose_rulebooks(
    rulebooks: tuple[Rulebook, ...], asked: Sequence[str], quarter: int
) -> tuple[ChosenRulebook, ...]:
    """Choose the default rulebooks, with versions pinned and others added as asked."""
    wanted = {name: name for name in DEFAULT_RULEBOOKS}
    for name in asked:
        wanted[name.partition("@")[0]] = name
    chosen = []
    for name in wanted.values():
        book, pinned = choose(rulebooks, name, quarter)
        if book is None:  # no version applies: the earliest is shown, marked not in force
            family = [r for r in rulebooks if name in {r.family, r.id}]
            book = min(family, key=lambda r: r.effective_from)
            chosen.append(ChosenRulebook(book, pinned=False, in_force=False))
        else:
            chosen.append(ChosenRulebook(book, pinned, in_force=book.covers(quarter)))
    return tuple(chosen)


def _column_with_figures(panel: Panel, quarter: int) -> int:
    column = panel.column(quarter)
    if column is None or not _any_figure(panel, column):
        raise _outside(panel, quarter)
    return column


def _any_figure(panel: Panel, column: int) -> bool:
    return any(not np.isnan(values[:, column]).all() for values in panel.values.values())


def _outside(panel: Panel, quarter: int) -> DataProblem:
    columns = [c for c in range(panel.quarters) if _any_figure(panel, c)]
    if not columns:
        return DataProblem(
            N_("Nothing in the store was known on {as_of}. Give a later day with --as-of."),
            as_of=panel.as_of.isoformat(),
        )
    return DataProblem(
        N_(
            "There are no figures for {quarter}. As known on {as_of}, the store covers {first} to "
            "{last}."
        ),
        quarter=quarter_text(quarter),
        as_of=panel.as_of.isoformat(),
        first=quarter_text(panel.first_quarter + columns[0]),
        last=quarter_text(panel.first_quarter + columns[-1]),
    )


def _is_annual(panel: Panel, column: int) -> bool:
    """Whether nobody reports a balance in the quarter before."""
    balances = ("debt_balance", "general_debt_balance", "special_debt_balance")
    return column < 1 or all(np.isnan(panel.value(b)[:, column - 1]).all() for b in balances)


def _by_unit(
    panel: Panel, projects: Sequence[Project]
) -> tuple[dict[str, list[Project]], list[Problem]]:
    by_unit: dict[str, list[Project]] = {}
    problems: list[Problem] = []
    known = set(panel.units.index)
    seen: set[str] = set()
    for project in projects:
        if project.code in seen:
            text = N_("the code is used by another project")
            details = {"code": project.code, "text": text}
            problems.append(
                Problem("project-invalid", cell=project.place, unit=project.unit, details=details)
            )
            continue
        seen.add(project.code)
        if project.unit in known:
            by_unit.setdefault(project.unit, []).append(project)
        else:
            details = {"code": project.code, "unit": project.unit}
            problems.append(
                Problem(
                    "project-unit-unknown", cell=project.place, unit=project.unit, details=details
                )
            )
    return by_unit, problems


def _by_row(panel: Panel, by_unit: Mapping[str, Sequence[Project]]) -> dict[int, Sequence[Project]]:
    rows = {unit: row for row, unit in enumerate(panel.units.index)}
    return {rows[unit]: own for unit, own in by_unit.items()}


def severity_of(book: Rulebook, outcome: str) -> int:
    """Severity of a level; 9 for unknown."""
    return next((o.severity for o in book.outcome if o.id == outcome), 9)


def rows_to_print(
    study: Study, asked: Sequence[str], *, all_units: bool, small_set: int = 500
) -> NDArray[np.bool_]:
    """Which units get a page: all of a small set; else flagged, near a line, moved or asked for."""
    units = study.panel.units.index
    if all_units or len(units) <= small_set:
        return np.ones(len(units), dtype=bool)
    now, before = study.levels(study.column), study.levels(study.before)
    value = study.value(study.headline.id, study.column)
    lines = [e.line.value for e in study.impacts[0].lines if e.line.indicator == study.headline.id]
    near = np.zeros(len(units), dtype=bool)
    for line in lines:
        near |= np.abs(value - line) <= 0.05
    flagged = np.array(
        [
            (e := study.main_effect(r)) is not None and e.effect in {"caused", "brought_forward"}
            for r in range(len(units))
        ]
    )
    moved = np.array([a != b for a, b in zip(now, before, strict=True)])
    return np.asarray(near | flagged | moved | units.isin(list(asked)))


def binding_limit(study: Study, row: int) -> tuple[LineEffect | None, float | None]:
    """Find the threshold, not crossed yet, that leaves least debt to borrow after projects.

    Counts the next line of the headline indicator, the legal limits and, where the rule addresses
    the unit's level, the interest lines. A line the central outlook crosses leaves less than
    nothing.
    """
    open_ = [
        e
        for e in [*study.flagging(row), *study.limits(row)]
        if e.effect not in {"already", "no_data"} and e.headroom_after is not None
    ]
    headline = [e for e in open_ if e.line.indicator == study.headline.id]
    others = [e for e in open_ if e.line.indicator != study.headline.id]
    candidates = [*headline[:1], *others]
    if not candidates:
        return None, None
    least = min(candidates, key=lambda e: e.headroom_after or 0.0)
    return least, least.headroom_after


def thresholds(study: Study) -> tuple[float, ...]:
    """Every threshold of the rulebooks used, once, smallest first."""
    lines = [
        line.value
        for chosen in study.rulebooks
        for indicator in chosen.rulebook.indicator
        for line in lines_of(chosen.rulebook, indicator)
    ]
    return tuple(sorted(set(lines)))
