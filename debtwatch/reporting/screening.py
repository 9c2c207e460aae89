"""Screening from store and proposals to a memo folder: one function behind every door."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from dataclasses import dataclass, field, replace
from multiprocessing import get_context
from pathlib import Path

import numpy as np

import debtwatch
from debtwatch.errors import DataProblem
from debtwatch.language import N_, language
from debtwatch.panel.panel import Panel, build_panel
from debtwatch.panel.period import quarter_of, quarter_text
from debtwatch.panel.problem import Problem
from debtwatch.panel.register import record_decisions
from debtwatch.panel.store import open_store, refuse_unwritable
from debtwatch.reporting.context import Source
from debtwatch.reporting.memo import About, build_memo, page_of
from debtwatch.reporting.memo_context import MemoContext, MemoPage
from debtwatch.reporting.register_part import Accounts, records_of
from debtwatch.reporting.render import build_memo_manifest, refuse_foreign_memo, write_memo
from debtwatch.rules.capacity import CAPACITY, Basis, choose_basis, history_inputs
from debtwatch.rules.rulebook import Rulebook, load_rulebooks
from debtwatch.screening.case import Government
from debtwatch.screening.decision import Screened
from debtwatch.screening.desk import Desk
from debtwatch.screening.governments import GovernmentFacts, read_governments
from debtwatch.screening.pipeline import Pipeline, apart, read_pipeline
from debtwatch.screening.population import Population, census_populations, population_of
from debtwatch.screening.portfolio import Portfolio
from debtwatch.screening.position import rulebooks_at
from debtwatch.screening.positions import Ground, positions_of, province_name
from debtwatch.screening.project import Project
from debtwatch.screening.screen import screen_project
from debtwatch.screening.sectors import sector_named
from debtwatch.screening.selection import portfolio_of
from debtwatch.screening.settings import ScreeningSettings, screening_settings
from debtwatch.sustainability.accounts import central_outlook
from debtwatch.sustainability.settings import outlook_settings

Progress = Callable[[int, int], None]
#: Delays are judged on as many quarters beyond the horizon as the outlook has beyond it.
OUTLOOK_QUARTERS = 20
#: Below this many proposals a second process costs more than it saves.
PARALLEL_FROM = 60
WORKERS = 2
#: Families of rulebooks that checks name; the others are not needed.
FAMILIES = (
    "cn-debt-tiers", "cn-debt-tiers-wide", "cn-debt-quota", "cn-fiscal-restructuring",
    "cn-ppp-cap", "cn-special-bond-project", "cn-project-capital", "cn-key-provinces",
    "cn-county-2022-guardrails", "dw-project-decision",
)  # fmt: skip


@dataclass(frozen=True)
class Request:
    """What is asked of a screening.

    Attributes
    ----------
    store : Path
    files : sequence of Path
        Proposals: TOML, or pipelines in a workbook.
    as_of : date
        Nothing published after this day is used.
    today : date
        Day of the decision, for the register.
    quarter : int or None
        Ordinal of the quarter of the accounts; the latest with a debt ratio by default.
    lang : {"zh", "en"}
    seed : int
    paths : int or None
    capacity : str or None
        Definition of capacity for governments that report their transfers.
    population : Path or None
        Census file.
    governments : Path or None
        File of facts about governments that no account shows.
    portfolio : bool
        Whether to choose the set of projects that fits, for every government with several.
    record : bool
        Whether to keep the decisions in the store's register.
    """

    store: Path
    files: Sequence[Path]
    as_of: dt.date
    today: dt.date
    quarter: int | None = None
    lang: str = "zh"
    seed: int = 20260930
    paths: int | None = None
    capacity: str | None = None
    population: Path | None = None
    governments: Path | None = None
    portfolio: bool = True
    record: bool = True


@dataclass(frozen=True)
class Screening:
    """Result of a screening.

    Attributes
    ----------
    screened : tuple of Screened
    portfolios : dict from unit to Portfolio
    problems : tuple of Problem
        Proposals that cannot be screened.
    quarter : int
    memo : MemoContext
    manifest : dict
    recorded : int
        Decisions added to the register.
    """

    screened: tuple[Screened, ...]
    portfolios: dict[str, Portfolio]
    problems: tuple[Problem, ...]
    quarter: int
    memo: MemoContext
    manifest: dict[str, object] = field(default_factory=dict)
    recorded: int = 0


def screen_files(
    request: Request, out: Path, *, simulating: Progress | None = None,
    screening: Progress | None = None, pages: Progress | None = None,
) -> Screening:  # fmt: skip
    """Screen proposals and write the memo folder.

    Parameters
    ----------
    request : Request
    out : Path
        Folder to write.
    simulating, screening, pages : callable, optional
        Told what is done and what there is in all.

    Raises
    ------
    DataProblem
        When the store or a file cannot be used as a whole.
    """
    refuse_foreign_memo(out)
    if request.record:
        refuse_unwritable(request.store)
    result = screen_store(request, simulating=simulating, screening=screening)
    write_memo(result.memo, result.manifest, out, progress=pages)
    if not request.record:
        return result
    records = records_of(
        result.screened, screened_on=request.today, as_of=request.as_of,
        version=debtwatch.__version__, seed=request.seed, accounts=_accounts(result.screened),
        synthetic=result.memo.meta.synthetic,
    )  # fmt: skip
    try:
        return replace(result, recorded=record_decisions(request.store, records))
    except DataProblem as error:
        raise DataProblem(
            N_("The memos are in {out}, but nothing is recorded in the store. {reason} Then run "
               "the same command again."),
            out=out, reason=error.text(language(request.lang).text),
        ) from error  # fmt: skip


def screen_store(
    request: Request, *, simulating: Progress | None = None, screening: Progress | None = None
) -> Screening:
    """Screen proposals against a store; nothing is written.

    Parameters
    ----------
    request : Request
    simulating, screening : callable, optional
        Told what is done and what there is in all.
    """
    done, about = _worked_out(request, simulating=simulating, screening=screening)
    # The accounts and the outlook of all governments are let go before the pages are put together.
    memo = build_memo(done.screened, language(request.lang), about, pages=done.pages)
    used = {book.reference: book.sha256 for book in about.rulebooks}
    return Screening(
        tuple(done.screened), done.portfolios, tuple(about.problems), about.quarter, memo,
        build_memo_manifest(memo, used),
    )  # fmt: skip


def _worked_out(
    request: Request, *, simulating: Progress | None, screening: Progress | None
) -> tuple[_All, About]:
    """Screen every proposal, and say what the memo rests on."""
    facts = read_governments(request.governments) if request.governments else {}
    census = census_populations(request.population) if request.population else None
    with open_store(request.store) as opened:
        known = opened.known_on(request.as_of)
    panel = build_panel(known)
    basis = choose_basis(panel, request.capacity)
    quarter = request.quarter if request.quarter is not None else _latest(panel, basis)
    _check_quarter(panel, quarter)
    usable, unreadable = _usable(request.files, quarter)
    pipelines = apart(usable)
    by_row, problems = _by_row(panel, pipelines)
    problems = [*unreadable, *problems]
    ground = _ground(request, panel, basis, quarter)
    governments = {
        row: _government(panel, row, quarter, facts=facts, census=census, settings=ground.settings)
        for row in by_row
    }
    done = _screen_all(
        ground, governments, by_row, simulating=simulating, screening=screening,
        portfolio=request.portfolio, decided=max(quarter, quarter_of(request.as_of)),
    )  # fmt: skip
    return done, About(
        quarter=quarter, as_of=request.as_of, version=debtwatch.__version__, seed=request.seed,
        settings=ground.settings, synthetic=bool(known.imports["synthetic"].any()),
        sources=[Source(str(i.file), str(i.sha256), bool(i.synthetic))
                 for i in known.imports.itertuples()],
        pipelines=[_source(p) for p in pipelines], problems=problems,
        portfolios=done.portfolios, rulebooks=list(ground.rulebooks.values()),
        projects=[p for own in by_row.values() for p in own],
    )  # fmt: skip


def _source(pipeline: Pipeline) -> Source:
    synthetic = any(p.illustrative == "synthetic" for p in pipeline.projects)
    return Source(pipeline.path.name, pipeline.sha256, synthetic)


def _ground(request: Request, panel: Panel, basis: Basis, quarter: int) -> Ground:
    settings = screening_settings()
    if request.paths is not None:
        impact = settings.impact.model_copy(update={"paths": request.paths})
        settings = settings.model_copy(update={"impact": impact})
    inflation = outlook_settings().calibration.inflation
    outlook = central_outlook(panel, basis, quarter, quarters=OUTLOOK_QUARTERS, inflation=inflation)
    books = rulebooks_at(load_rulebooks(), max(quarter, quarter_of(request.as_of)))
    chosen = {family: books[family] for family in FAMILIES}
    return Ground(panel, outlook, basis, chosen, settings, request.seed, quarter)


def _latest(panel: Panel, basis: Basis) -> int:
    """Latest quarter in which most of the governments ever known have a debt ratio."""
    inputs = history_inputs(panel, basis)
    shape = (len(panel.units), panel.quarters)
    known = np.ones(shape, dtype=bool)
    for name in ("debt_balance", CAPACITY):
        known &= np.isfinite(np.broadcast_to(inputs[name], shape))
    counts = known.sum(axis=0)
    if not counts.any():
        raise DataProblem(N_("No government in the store has both debt and fiscal capacity."))
    enough = np.flatnonzero(counts >= 0.5 * counts.max())
    return panel.first_quarter + int(enough[-1])


def _check_quarter(panel: Panel, quarter: int) -> None:
    column = panel.column(quarter)
    if column is None or all(np.isnan(v[:, column]).all() for v in panel.values.values()):
        raise DataProblem(
            N_("There are no figures for {quarter}. As known on {as_of}, the store covers {first} "
               "to {last}."),
            quarter=quarter_text(quarter),
            as_of=panel.as_of.isoformat(),
            first=quarter_text(panel.first_quarter),
            last=quarter_text(panel.first_quarter + panel.quarters - 1),
        )  # fmt: skip


def _usable(files: Sequence[Path], quarter: int) -> tuple[list[Pipeline], list[Problem]]:
    """Read the files of proposals that can be read, and say what is wrong with the others.

    Raises
    ------
    DataProblem
        When no file can be read: that of the first.
    """
    usable: list[Pipeline] = []
    problems: list[Problem] = []
    first: DataProblem | None = None
    for path in files:
        try:
            usable.append(read_pipeline(path, last_quarter=quarter))
        except DataProblem as error:
            first = first or error
            values = {k: v(str) if callable(v) else v for k, v in error.values.items()}
            details = {"text": error.template, "values": values, "code": path.name}
            problems.append(Problem("proposals-unreadable", path.name, details=details))
    if first is not None and not usable:
        raise first
    return usable, problems


def _by_row(
    panel: Panel, pipelines: Sequence[Pipeline]
) -> tuple[dict[int, list[Project]], list[Problem]]:
    """Projects of each government of the panel; those of unknown governments are problems."""
    rows = {str(unit): row for row, unit in enumerate(panel.units.index)}
    found: dict[int, list[Project]] = {}
    problems = [p for pipeline in pipelines for p in pipeline.problems]
    for pipeline in pipelines:
        for project in pipeline.projects:
            if project.unit in rows:
                found.setdefault(rows[project.unit], []).append(project)
                continue
            details = {"code": project.code, "unit": project.unit}
            sheet, cell = pipeline.cells.get(project.code, ("", project.place))
            problems.append(
                Problem("project-unit-unknown", pipeline.path.name, sheet, cell, project.unit,
                        details=details)
            )  # fmt: skip
    return dict(sorted(found.items())), problems


def _government(
    panel: Panel, row: int, quarter: int, *, facts: Mapping[str, GovernmentFacts],
    census: Mapping[str, Population] | None, settings: ScreeningSettings,
) -> Government:  # fmt: skip
    code = str(panel.units.index[row])
    own = facts.get(code, GovernmentFacts())
    return Government(
        unit=code,
        name=str(panel.units["name"].iloc[row]) or code,
        level=str(panel.units["level"].iloc[row]),
        quarter=quarter,
        province=province_name(code),
        county_type=own.county_type,
        in_restructuring=own.in_restructuring,
        ppp_share=own.ppp_share,
        population=population_of(panel, row, quarter, census=census, lines=settings.population),
    )


def unit_costs(projects: Sequence[Project]) -> dict[str, list[tuple[str, float]]]:
    """List the cost per unit of the projects of each sector, with their codes."""
    costs: dict[str, list[tuple[str, float]]] = {}
    for project in projects:
        if project.unit_cost_base:
            sector = sector_named(project.sector)
            key = sector.id if sector is not None else project.sector
            cost = project.total_investment / project.unit_cost_base
            costs.setdefault(key, []).append((project.code, cost))
    return costs


# -- the work --------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Task:
    desk: Desk
    projects: tuple[Project, ...]
    portfolio: bool


@dataclass(frozen=True)
class _Done:
    """Results of one government."""

    screened: tuple[Screened, ...]
    pages: tuple[MemoPage, ...]
    portfolio: Portfolio | None


@dataclass
class _All:
    """Results of all governments, in order."""

    screened: list[Screened] = field(default_factory=list)
    pages: dict[str, MemoPage] = field(default_factory=dict)
    portfolios: dict[str, Portfolio] = field(default_factory=dict)


def _screen_all(
    ground: Ground, governments: Mapping[int, Government],
    by_row: Mapping[int, Sequence[Project]], *, simulating: Progress | None,
    screening: Progress | None, portfolio: bool, decided: int,
) -> _All:  # fmt: skip
    costs = unit_costs([p for own in by_row.values() for p in own])
    drawn = {row: _approved(own) for row, own in by_row.items()}
    total = sum(len(own) for own in by_row.values())
    result = _All()

    def keep(row: int, done: _Done) -> None:
        result.screened.extend(done.screened)
        result.pages |= {page.code: page for page in done.pages}
        if done.portfolio is not None:
            result.portfolios[governments[row].unit] = done.portfolio
        if screening is not None:
            screening(len(result.screened), total)

    tasks = (
        (row, _Task(Desk(position, position.rulebooks, ground.settings, costs, decided),
                    tuple(sorted(by_row[row], key=Project.order)), portfolio))
        for row, position in positions_of(
            ground, governments, pipelines=drawn, progress=simulating
        )
    )  # fmt: skip
    if total < PARALLEL_FROM:
        for row, task in tasks:
            keep(row, _screen_task(task))
        return result
    # Forking a process that has run compiled threads is not safe.
    with ProcessPoolExecutor(WORKERS, mp_context=get_context("spawn")) as pool:
        waiting: list[tuple[int, Mapping[str, Rulebook], Future[_Done]]] = []

        def collect() -> None:
            row, books, done = waiting.pop(0)
            keep(row, _with_rulebooks(done.result(), books))

        for row, task in tasks:
            waiting.append((row, task.desk.rulebooks, pool.submit(_screen_apart, task)))
            while len(waiting) > 8 * WORKERS:  # positions hold whole paths
                collect()
        while waiting:
            collect()
    return result


def _screen_apart(task: _Task) -> _Done:
    """Screen in another process; the rulebooks stay there, they are many times the result."""
    return _with_rulebooks(_screen_task(task), {})


def _with_rulebooks(done: _Done, books: Mapping[str, Rulebook]) -> _Done:
    screened = tuple(replace(s, case=replace(s.case, rulebooks=books)) for s in done.screened)
    return replace(done, screened=screened)


def _approved(projects: Sequence[Project]) -> dict[str, float]:
    """Draws of approved projects by ledger, which use the limit before any proposal does."""
    approved = [p for p in projects if p.approved_on is not None]
    return {
        "general": sum(p.amount_of("general_bond") for p in approved),
        "special": sum(p.amount_of("special_bond") for p in approved),
    }


def _screen_task(task: _Task) -> _Done:
    """Screen the proposals of one government."""
    results = tuple(screen_project(_without_own(task.desk, p), p) for p in task.projects)
    chosen = None
    if task.portfolio and len(task.projects) > 1:
        chosen = portfolio_of(task.desk, results)
    return _Done(results, tuple(page_of(one) for one in results), chosen)


def _without_own(desk: Desk, project: Project) -> Desk:
    """Count the draws of the other approved projects only."""
    if project.approved_on is None:
        return desk
    own = {
        "general": project.amount_of("general_bond"),
        "special": project.amount_of("special_bond"),
    }
    left = {k: v - own.get(k, 0.0) for k, v in desk.position.pipeline.items()}
    return replace(desk, position=replace(desk.position, pipeline=left))


def _accounts(screened: Sequence[Screened]) -> dict[str, Accounts]:
    """Debt and capacity of each government at the decision."""
    found = {}
    for one in screened:
        change, impact = one.case.impact.tier, one.case.impact
        balances = [q.balance for q in impact.quotas]
        debt = float(np.sum(balances)) if np.isfinite(balances).all() else None
        capacity = debt / change.value_now if debt and change.value_now > 0 else None
        found[one.case.government.unit] = Accounts(debt, capacity)
    return found
