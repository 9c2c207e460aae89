"""The quarterly report from store to folder: one function behind every door."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import debtwatch
from debtwatch.early_warning.applied import apply_model
from debtwatch.early_warning.model_file import MODEL, load_model
from debtwatch.errors import DataProblem
from debtwatch.language import N_, language
from debtwatch.panel.panel import build_panel
from debtwatch.panel.problem import Problem
from debtwatch.panel.register import read_from
from debtwatch.panel.store import open_store
from debtwatch.provenance import sha256_of_file
from debtwatch.reporting.assemble import Options, build_context
from debtwatch.reporting.context import ReportContext
from debtwatch.reporting.render import build_manifest, write_report
from debtwatch.reporting.study import run_study
from debtwatch.rules.rulebook import load_rulebooks
from debtwatch.screening.pipeline import read_pipeline


@dataclass(frozen=True)
class Report:
    """A written report.

    Attributes
    ----------
    out : Path
    context : ReportContext
    pages : int
        Unit pages written.
    problems : tuple of Problem
        Of the projects given; those of the accounts are in the context.
    """

    out: Path
    context: ReportContext
    pages: int
    problems: tuple[Problem, ...]


def quarterly_report(
    store: Path,
    quarter: int,
    *,
    as_of: dt.date,
    out: Path,
    projects: Sequence[Path] = (),
    models: Sequence[Path] = (),
    rulebooks: Sequence[str] = (),
    units: Sequence[str] = (),
    all_units: bool = False,
    lang: str = "zh",
    capacity: str | None = None,
    seed: int = 20260930,
    progress: Callable[[int, int], None] | None = None,
    simulating: Callable[[int, int], None] | None = None,
) -> Report:
    """Write the risk report of a quarter.

    Parameters
    ----------
    store : Path
    quarter : int
        Ordinal of the quarter; see :func:`debtwatch.panel.period.quarter`.
    as_of : date
        Nothing published after this day is used.
    out : Path
        Folder to write.
    projects : sequence of Path
        Files of planned projects.
    models : sequence of Path
        Folders of trained classifiers. One that must not be applied is named with the reason.
    rulebooks : sequence of str
        Rulebooks beyond the default ones, or versions to pin (``family@version``).
    units : sequence of str
        Governments that get a page in any case.
    all_units : bool
        A page for every government.
    lang : {"zh", "en"}
    capacity : str, optional
        Definition of fiscal capacity for governments that report their transfers.
    seed : int
        Of the simulated outlook; the central path draws none.
    progress, simulating : callable, optional
        Told pages, and governments simulated, that are done and in all.

    Raises
    ------
    DataProblem
        When the store or a project file cannot be used, or the quarter lies outside the data.
    ModelProblem
        When a model folder cannot be used.
    """
    classifiers = [(load_model(f), sha256_of_file(f / MODEL)) for f in models]
    pipelines = tuple(read_pipeline(path, last_quarter=quarter) for path in projects)
    books = load_rulebooks()
    with open_store(store) as opened:
        known = opened.known_on(as_of)
        register = read_from(opened, as_of=as_of)
    study = run_study(
        build_panel(known),
        quarter,
        rulebooks=books,
        asked=rulebooks,
        capacity=capacity,
        seed=seed,
        progress=simulating,
        projects=[p for pipeline in pipelines for p in pipeline.projects],
    )
    nobody = sorted(set(units) - {str(code) for code in study.panel.units.index})
    if nobody:
        raise DataProblem(
            N_("The store knows no government “{unit}” on {as_of}."),
            unit=", ".join(nobody),
            as_of=as_of.isoformat(),
        )
    with open_store(store) as opened:
        applied = tuple(
            apply_model(trained, opened, study.panel, quarter=quarter, books=books, sha256=digest,
                        seed=seed)
            for trained, digest in classifiers
        )  # fmt: skip
    options = Options(seed, tuple(units), all_units, pipelines, register, applied)
    context = build_context(study, language(lang), options, debtwatch.__version__)
    used = {c.rulebook.reference: c.rulebook.sha256 for c in study.rulebooks}
    pages = write_report(context, build_manifest(context, used), out, progress=progress)
    problems = [p for pipeline in pipelines for p in pipeline.problems] + list(study.problems)
    return Report(out, context, pages, tuple(problems))
