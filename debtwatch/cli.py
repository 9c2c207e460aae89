"""The command line: parse, call one function, print. No figure is computed here."""

from __future__ import annotations

import datetime as dt
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from debtwatch.errors import DataProblem, DebtwatchError
from debtwatch.language import N_, language, preferred_code

if TYPE_CHECKING:
    from debtwatch.panel.problem import Problem
    from debtwatch.reporting.quarterly import Report

_ = language(preferred_code()).text
app = typer.Typer(no_args_is_help=True, add_completion=True, pretty_exceptions_enable=False,
                  help=_("A debt-risk desk for local governments."))  # fmt: skip
rulebooks_app = typer.Typer(no_args_is_help=True, help=_("Warning systems: list, show, test."))
app.add_typer(rulebooks_app, name="rulebooks")
register_app = typer.Typer(no_args_is_help=True, help=_("Decisions on proposals and conditions."))
app.add_typer(register_app, name="register")
backtest_app = typer.Typer(no_args_is_help=True, help=_("Judge past forecasts."))
app.add_typer(backtest_app, name="backtest")

Files = Annotated[list[Path], typer.Argument(help=_("Workbooks, csv or parquet files."))]
StorePath = Annotated[Path, typer.Option("--store", help=_("Store of vintages, one file."))]
Out = Annotated[Path, typer.Option("--out", help=_("Folder to write."))]
Seed = Annotated[int, typer.Option(min=0, max=2**63 - 1, help=_("Seed of the random draws."))]
Lang = Annotated[str, typer.Option("--lang", help=_("Language: zh or en."))]
AsOf = Annotated[
    str | None, typer.Option(help=_("Use nothing published after this day; today by default."))
]
MoreRulebooks = Annotated[
    list[str] | None, typer.Option(help=_("A further rulebook, or FAMILY@VERSION to pin one."))
]
Census = Annotated[
    Path | None, typer.Option(help=_("Census file, where the accounts tell no population."))
]
Facts = Annotated[
    Path | None,
    typer.Option(help=_("File of county types, restructuring plans and partnership shares.")),
]
AccountsQuarter = Annotated[
    str | None, typer.Option(help=_("Quarter of the accounts; the latest by default."))
]
AsJson = Annotated[bool, typer.Option("--json", help=_("Print JSON."))]
Capacity = Annotated[
    str | None,
    typer.Option(
        help=_("Definition of capacity: mof_gross, ex_special_transfer, net_land, with_soe.")
    ),
]
Method = Annotated[str, typer.Option(help=_("Shocks: auto, bootstrap, normal or student."))]
SpecFile = Annotated[Path, typer.Argument(help=_("Specification of the classifier, TOML."))]
Tables = Annotated[
    list[Path] | None,
    typer.Option(help=_("Table: csv, xlsx or parquet; several are joined.")),
]
OptionalStore = Annotated[
    Path | None, typer.Option(help=_("Store of vintages, instead of tables."))
]
References = Annotated[
    bool, typer.Option("--references", help=_("Fit a forest and large trees too; slow."))
]
ClusterDraws = Annotated[
    int, typer.Option(min=50, max=10_000, help=_("Draws of provinces for the intervals."))
]
MappingFile = Annotated[
    Path | None, typer.Option("--mapping", help=_("TOML file for headings that are not known."))
]


@app.command(help=_("Write the report on the shipped real data."))
def demo(out: Out, lang: Lang = "zh") -> None:
    """Run the main job on the shipped data."""
    from debtwatch.demo import run_demo  # noqa: PLC0415 - heavy modules load when they are needed

    _check_language(lang)
    done = run_demo(out, lang=lang)
    _announce(done.report)
    _print_problems(done.screening.problems)
    typer.echo(_("Open {path}").format(path=(done.memo / "index.html").resolve()))
    _leave(done.screening.problems)


@app.command(
    name="demo-process", help=_("Write a simulated county panel whose true risk is known.")
)
def demo_process(
    out: Out,
    *,
    counties: Annotated[
        int, typer.Option(min=30, max=29_970, help=_("Number of counties."))
    ] = 1000,
    quarters: Annotated[int, typer.Option(min=24, max=200, help=_("Number of quarters."))] = 48,
    seed: Seed = 7,
) -> None:
    """Write the simulated panel and its oracle."""
    from debtwatch.synthetic import write_process  # noqa: PLC0415

    files = write_process(out, counties=counties, quarters=quarters, seed=seed)
    typer.echo(_("Open {path}").format(path=files.readme.resolve()))


@app.command(name="demo-counties", help=_("Write a synthetic county set, labelled so."))
def demo_counties(
    out: Out,
    counties: Annotated[int, typer.Option(help=_("Number of counties."))] = 30,
    seed: Annotated[int, typer.Option(help=_("Seed of the random draws."))] = 1,
) -> None:
    """Write synthetic counties."""
    from debtwatch.synthetic import write_counties  # noqa: PLC0415

    files = write_counties(out, counties=counties, seed=seed)
    tables = files.tables[0] if len(files.tables) == 1 else files.tables[0].parent
    typer.echo(_("Synthetic counties: {path}").format(path=tables))
    typer.echo(_("Synthetic projects: {path}").format(path=files.pipeline))


@app.command(help=_("Read files and check them; nothing is stored."))
def check(
    files: Annotated[list[Path] | None, typer.Argument(help=_("Files to check."))] = None,
    mapping: MappingFile = None,
    as_json: AsJson = False,
    template: Annotated[
        Path | None, typer.Option(help=_("Write an empty form for fiscal data."))
    ] = None,
) -> None:
    """Check files without storing them."""
    from debtwatch.panel.importing import check_files  # noqa: PLC0415

    if template is not None:
        from debtwatch.panel.form import write_form  # noqa: PLC0415

        write_form(template)
        typer.echo(_("Empty form: {path}").format(path=template))
        if not files:
            return
    if not files:
        raise DataProblem(N_("Name at least one file to check, or give --template."))
    checked = check_files(files, _mapping(mapping), as_of=_today())
    problems = list(checked.problems)
    if as_json:
        typer.echo(json.dumps([_plain(p) for p in problems], ensure_ascii=False, indent=1))
    else:
        _print_problems(problems)
        typer.echo(
            _("{figures} figures of {units} governments read; {problems} problems.").format(
                figures=checked.figures, units=checked.units, problems=len(problems)
            )
        )
    _leave(problems)


@app.command(name="import", help=_("Add files to a store as a vintage."))
def import_(
    files: Files,
    store: StorePath,
    *,
    known_from: Annotated[
        str | None, typer.Option(help=_("Day of publication; today when the file names none."))
    ] = None,
    status: Annotated[
        str, typer.Option(help=_("Status: budget, preliminary, final, audited."))
    ] = "",
    mapping: MappingFile = None,
    confirm: Annotated[
        list[str] | None,
        typer.Option(help=_("Confirm a doubtful figure: UNIT/FIELD/QUARTER.")),
    ] = None,
) -> None:
    """Import files."""
    from debtwatch.panel.importing import import_files  # noqa: PLC0415

    result = import_files(
        files,
        store,
        known_from=_day(known_from),
        status=status,
        mapping=_mapping(mapping),
        confirm=confirm or [],
        today=_today(),
        progress=_progress(_("Importing")),
    )
    _print_problems(result.problems)
    for one in result.imported:
        if one.known_already:
            text = _("{file}: imported before, nothing added.").format(file=one.file)
        else:
            text = _("{file}: {figures} figures read, {added} added.").format(
                file=one.file, figures=one.figures, added=one.added
            )
        typer.echo(text)
    _leave(result.problems)


@app.command(help=_("Write the quarterly risk report."))
def report(
    store: StorePath,
    quarter: Annotated[str, typer.Option(help=_("Quarter, such as 2025Q4."))],
    out: Out,
    *,
    projects: Annotated[
        list[Path] | None, typer.Option(help=_("Files of planned projects."))
    ] = None,
    as_of: AsOf = None,
    rulebook: MoreRulebooks = None,
    unit: Annotated[
        list[str] | None, typer.Option(help=_("Code of a government that gets a page."))
    ] = None,
    all_units: Annotated[
        bool, typer.Option("--all-units", help=_("A page for every government."))
    ] = False,
    lang: Lang = "zh",
    capacity: Capacity = None,
    model: Annotated[
        list[Path] | None, typer.Option(help=_("Folder of a trained classifier."))
    ] = None,
    seed: Seed = 20260930,
) -> None:
    """Write a quarterly report."""
    from debtwatch.reporting.quarterly import quarterly_report  # noqa: PLC0415

    _check_language(lang)
    _announce(
        quarterly_report(
            store,
            _quarter(quarter),
            as_of=_day(as_of) or _today(),
            out=out,
            projects=projects or [],
            models=model or [],
            rulebooks=rulebook or [],
            units=unit or [],
            all_units=all_units,
            lang=lang,
            capacity=capacity,
            seed=seed,
            progress=_progress(_("Pages")),
            simulating=_progress(_("Simulating")),
        )
    )


@app.command(help=_("Explain one government's findings: the whole computation."))
def explain(
    unit: Annotated[str, typer.Argument(help=_("Code of the government."))],
    store: StorePath,
    quarter: Annotated[str, typer.Option(help=_("Quarter, such as 2025Q4."))],
    *,
    as_of: AsOf = None,
    rulebook: MoreRulebooks = None,
    lang: Lang = "zh",
) -> None:
    """Explain the findings of a government."""
    from debtwatch.reporting.explain import explain_unit  # noqa: PLC0415

    _check_language(lang)
    typer.echo(
        explain_unit(
            store,
            unit,
            _quarter(quarter),
            as_of=_day(as_of) or _today(),
            rulebooks=rulebook or [],
            lang=lang,
        )
    )


@app.command(help=_("One government's debt outlook: fan, probabilities, stress."))
def outlook(
    unit: Annotated[str, typer.Argument(help=_("Code of the government."))],
    store: StorePath,
    *,
    quarter: Annotated[
        str | None, typer.Option(help=_("Origin, such as 2025Q4; its latest quarter by default."))
    ] = None,
    quarters: Annotated[int | None, typer.Option(min=1, max=80, help=_("Quarters ahead."))] = None,
    paths: Annotated[
        int | None, typer.Option(min=100, max=1_000_000, help=_("Simulated paths."))
    ] = None,
    scenario: Annotated[
        list[str] | None, typer.Option(help=_("Stress scenario by id, or all."))
    ] = None,
    scenario_file: Annotated[
        list[Path] | None, typer.Option(help=_("TOML file with scenarios of your own."))
    ] = None,
    rulebook: MoreRulebooks = None,
    method: Method = "auto",
    as_of: AsOf = None,
    seed: Annotated[
        int, typer.Option(min=0, max=2**63 - 1, help=_("Seed of the random draws."))
    ] = 20260930,
    lang: Lang = "zh",
    as_json: AsJson = False,
) -> None:
    """Simulate one government."""
    from debtwatch.reporting.outlook_answer import outlook_answer, outlook_text  # noqa: PLC0415

    _check_language(lang)
    answer = outlook_answer(
        store, unit, as_of=_day(as_of) or _today(), quarter=_quarter(quarter) if quarter else None,
        quarters=quarters, paths=paths, scenarios=scenario or [],
        scenario_files=scenario_file or [], rulebooks=rulebook or [], method=method, seed=seed,
        lang=lang,
    )  # fmt: skip
    if as_json:
        typer.echo(json.dumps(answer, ensure_ascii=False, indent=1, allow_nan=False))
    else:
        typer.echo(outlook_text(answer, lang))


@app.command(help=_("Screen proposed projects: may they be built, and under which conditions."))
def screen(
    files: Annotated[
        list[Path] | None, typer.Argument(help=_("Proposals: TOML, or pipelines (xlsx, csv)."))
    ] = None,
    store: Annotated[
        Path | None, typer.Option("--store", help=_("Store of vintages, one file."))
    ] = None,
    out: Annotated[Path | None, typer.Option("--out", help=_("Folder to write."))] = None,
    *,
    template: Annotated[
        Path | None, typer.Option(help=_("Write an empty form for a pipeline of projects."))
    ] = None,
    quarter: AccountsQuarter = None,
    as_of: AsOf = None,
    population: Census = None,
    governments: Facts = None,
    portfolio: Annotated[
        bool,
        typer.Option("--portfolio/--no-portfolio", help=_("Choose the set of projects that fits.")),
    ] = True,
    record: Annotated[
        bool,
        typer.Option("--record/--no-record", help=_("Keep the decisions in the store's register.")),
    ] = True,
    paths: Annotated[
        int | None, typer.Option(min=100, max=1_000_000, help=_("Simulated paths."))
    ] = None,
    capacity: Capacity = None,
    seed: Annotated[
        int, typer.Option(min=0, max=2**63 - 1, help=_("Seed of the random draws."))
    ] = 20260930,
    lang: Lang = "zh",
) -> None:
    """Screen proposals."""
    from debtwatch.reporting.screening import Request, screen_files  # noqa: PLC0415

    _check_language(lang)
    if template is not None:
        from debtwatch.screening.form import write_form  # noqa: PLC0415

        write_form(template)
        typer.echo(_("Empty form: {path}").format(path=template))
        if not files:
            return
    if not files or store is None or out is None:
        raise DataProblem(N_("Name at least one file of proposals, --store and --out; or give "
                             "--template for an empty form."))  # fmt: skip
    today = _today()
    request = Request(
        store=store, files=files, as_of=_day(as_of) or today, today=today,
        quarter=_quarter(quarter) if quarter else None, lang=lang, seed=seed, paths=paths,
        capacity=capacity, population=population, governments=governments, portfolio=portfolio,
        record=record,
    )  # fmt: skip
    result = screen_files(
        request, out, simulating=_progress(_("Simulating")), screening=_progress(_("Screening")),
        pages=_progress(_("Pages")),
    )  # fmt: skip
    _print_problems(result.problems)
    counts = {name: 0 for name in ("reject", "defer", "conditional", "pass")}
    for one in result.screened:
        counts[one.decision.outcome] += 1
    text = _(
        "{n} proposals screened on the accounts of {quarter}: {reject} rejected, {defer} deferred, "
        "{conditional} with conditions, {passed} passed; {problems} cannot be screened."
    )
    typer.echo(
        text.format(
            n=len(result.screened), quarter=result.memo.meta.quarter, passed=counts.pop("pass"),
            problems=len({(p.file, p.details.get("code")) for p in result.problems}), **counts,
        )
    )  # fmt: skip
    typer.echo(_("Open {path}").format(path=(out / "index.html").resolve()))
    _leave(result.problems)


@app.command(help=_("Rank county towns by their fitness to be built up first."))
def rank(
    store: StorePath,
    *,
    quarter: AccountsQuarter = None,
    level: Annotated[
        str, typer.Option(help=_("Level of government: county, city, province."))
    ] = "county",
    weights: Annotated[
        Path | None, typer.Option(help=_("TOML file with criteria and weights of your own."))
    ] = None,
    population: Census = None,
    governments: Facts = None,
    as_of: AsOf = None,
    lang: Lang = "zh",
    as_json: AsJson = False,
) -> None:
    """Rank governments."""
    from debtwatch.reporting.rank_answer import rank_store, rank_text  # noqa: PLC0415

    _check_language(lang)
    answer = rank_store(
        store, as_of=_day(as_of) or _today(), quarter=_quarter(quarter) if quarter else None,
        level=level, weights=weights, population=population, governments=governments, lang=lang,
    )  # fmt: skip
    if as_json:
        typer.echo(json.dumps(answer, ensure_ascii=False, indent=1, allow_nan=False))
    else:
        typer.echo(rank_text(answer, lang))


@register_app.command(name="list", help=_("List decisions, conditions and overrides."))
def register_list(
    store: StorePath,
    *,
    quarter: AccountsQuarter = None,
    as_of: AsOf = None,
    lang: Lang = "zh",
    as_json: AsJson = False,
) -> None:
    """List the register."""
    from debtwatch.reporting.register_answer import (  # noqa: PLC0415
        register_answer,
        register_text,
    )

    _check_language(lang)
    day = _day(as_of) or _today()
    at = _quarter(quarter) if quarter else None
    if as_json:
        answer = register_answer(store, as_of=day, lang=lang, quarter=at)
        typer.echo(json.dumps(answer, ensure_ascii=False, indent=1, allow_nan=False))
    else:
        typer.echo(register_text(store, as_of=day, lang=lang, quarter=at))


Code = Annotated[str, typer.Argument(help=_("Code of the proposal."))]
Number = Annotated[int, typer.Argument(help=_("Number of the condition."))]
By = Annotated[str, typer.Option(help=_("Who found or decided it."))]
On = Annotated[str | None, typer.Option(help=_("Day; today by default."))]
Remark = Annotated[str, typer.Option(help=_("Remark."))]


@register_app.command(help=_("Record that a condition is met."))
def met(
    code: Code, number: Number, store: StorePath, *, by: By, on: On = None, note: Remark = ""
) -> None:
    """Record a condition as met."""
    _record_event(store, code, number, "met", by=by, on=on, note=note)


@register_app.command(help=_("Record that a condition is broken."))
def broken(
    code: Code, number: Number, store: StorePath, *, by: By, on: On = None, note: Remark = ""
) -> None:
    """Record a condition as broken."""
    _record_event(store, code, number, "broken", by=by, on=on, note=note)


@register_app.command(help=_("Record that a condition is waived."))
def waived(
    code: Code, number: Number, store: StorePath, *, by: By, on: On = None, note: Remark = ""
) -> None:
    """Record a condition as waived."""
    _record_event(store, code, number, "waived", by=by, on=on, note=note)


def _record_event(
    store: Path, code: str, number: int, status: str, *, by: str, on: str | None, note: str
) -> None:
    from debtwatch.panel.register import record_event  # noqa: PLC0415

    day = _day(on) or _today()
    if day > _today():
        raise DataProblem(N_("{day} lies in the future; nothing can be recorded for it."), day=day)
    added = record_event(
        store, code, number, status, on=day, by=_printable(by), note=_printable(note)
    )
    typer.echo(_("Recorded.") if added else _("The register says so already."))


@backtest_app.command(name="outlook", help=_("Were the fan charts right? Rolling origins."))
def backtest_outlook(
    store: StorePath,
    origins: Annotated[
        list[str],
        typer.Option(help=_("Origins: 2020Q4, a list 2020Q4,2021Q4 or a span 2018Q4..2023Q4.")),
    ],
    *,
    out: Annotated[
        Path | None, typer.Option(help=_("Folder for the page and metrics.json."))
    ] = None,
    horizons: Annotated[str, typer.Option(help=_("Quarters ahead, such as 4,8,12."))] = "4,8,12",
    paths: Annotated[int, typer.Option(min=100, max=100_000, help=_("Simulated paths."))] = 2000,
    rulebook: Annotated[
        str, typer.Option(help=_("Rulebook whose headline indicator is judged."))
    ] = "cn-debt-tiers",
    method: Method = "auto",
    as_of: AsOf = None,
    seed: Annotated[
        int, typer.Option(min=0, max=2**63 - 1, help=_("Seed of the random draws."))
    ] = 20260930,
    lang: Lang = "zh",
    as_json: AsJson = False,
) -> None:
    """Judge the outlook on the past."""
    from debtwatch.reporting.backtest_page import backtest_store, backtest_text  # noqa: PLC0415
    from debtwatch.sustainability.draws import method_named  # noqa: PLC0415

    _check_language(lang)
    result = backtest_store(
        store, origins, horizons=horizons, paths=paths, rulebook=rulebook,
        method=method_named(method), as_of=_day(as_of) or _today(), seed=seed, out=out, lang=lang,
        progress=_progress(_("Origins")),
    )  # fmt: skip
    if as_json:
        typer.echo(json.dumps(result, ensure_ascii=False, indent=1, allow_nan=False))
    else:
        typer.echo(backtest_text(result, lang))
    if out is not None:
        typer.echo(_("Open {path}").format(path=(out / "index.html").resolve()), err=as_json)


@backtest_app.command(
    name="classifier", help=_("Does a classifier know more than rules of thumb? Rolling origins.")
)
def backtest_classifier_command(
    spec: SpecFile,
    *,
    table: Tables = None,
    store: OptionalStore = None,
    out: Annotated[
        Path | None, typer.Option(help=_("Folder for the page and metrics.json."))
    ] = None,
    references: References = False,
    draws: ClusterDraws = 300,
    as_of: AsOf = None,
    seed: Seed = 20260930,
    lang: Lang = "zh",
    as_json: AsJson = False,
) -> None:
    """Judge a classifier on the past."""
    from debtwatch.reporting.classifier import Request, backtest_classifier  # noqa: PLC0415
    from debtwatch.reporting.classifier_words import classifier_text  # noqa: PLC0415

    _check_language(lang)
    request = Request(
        spec, tuple(table or ()), store, _day(as_of) or _today(), seed=seed, draws=draws,
        references=references, lang=lang,
    )  # fmt: skip
    page = backtest_classifier(
        request, out, reading=_progress(_("Reading")), progress=_progress(_("Origins"))
    )
    if as_json:
        typer.echo(json.dumps(page, ensure_ascii=False, indent=1, allow_nan=False))
    else:
        _echo_lines(classifier_text(page, language(lang)))
    if out is not None:
        typer.echo(_("Open {path}").format(path=(out / "index.html").resolve()), err=as_json)


@app.command(name="train", help=_("Judge and fit a classifier, and write it with its card."))
def train_command(
    spec: SpecFile,
    *,
    table: Tables = None,
    store: OptionalStore = None,
    out: Out,
    references: References = False,
    draws: ClusterDraws = 300,
    as_of: AsOf = None,
    seed: Seed = 20260930,
    lang: Lang = "zh",
) -> None:
    """Train a classifier."""
    from debtwatch.reporting.classifier import Request, train_classifier  # noqa: PLC0415
    from debtwatch.reporting.classifier_words import classifier_text  # noqa: PLC0415

    _check_language(lang)
    request = Request(
        spec, tuple(table or ()), store, _day(as_of) or _today(), seed=seed, draws=draws,
        references=references, lang=lang,
    )  # fmt: skip
    _trained, page = train_classifier(
        request, out, reading=_progress(_("Reading")), progress=_progress(_("Origins"))
    )
    _echo_lines(classifier_text(page, language(lang)))
    typer.echo(_("Open {path}").format(path=(out / "card.html").resolve()))


@app.command(name="score", help=_("Score the governments of a table by a trained classifier."))
def score_command(
    model: Annotated[Path, typer.Argument(help=_("Folder of a trained classifier."))],
    table: Annotated[
        list[Path], typer.Option(help=_("Table: csv, xlsx or parquet; several are joined."))
    ],
    out: Annotated[Path, typer.Option("--out", help=_("File to write: csv."))],
    *,
    period: Annotated[
        str | None, typer.Option(help=_("Period of the scores; the latest by default."))
    ] = None,
    lang: Lang = "zh",
) -> None:
    """Score a table."""
    from debtwatch.reporting.score_table import score_table  # noqa: PLC0415

    _check_language(lang)
    typer.echo(score_table(model, table, out, period=period, lang=lang))
    typer.echo(_("Open {path}").format(path=out.resolve()))


@app.command(help=_("Apply one rulebook to a plain table of its fields."))
def assess(
    rulebook: Annotated[str, typer.Argument(help=_("Id, family or FAMILY@VERSION."))],
    table: Annotated[Path, typer.Argument(help=_("Table: csv, xlsx or parquet."))],
    out: Annotated[Path, typer.Option("--out", help=_("File to write: csv, xlsx or parquet."))],
    period: Annotated[
        str | None, typer.Option(help=_("Column of periods, which choose the version."))
    ] = None,
) -> None:
    """Assess a table."""
    from debtwatch.rules.rulebook import load_rulebooks  # noqa: PLC0415
    from debtwatch.rules.table_file import assess_file  # noqa: PLC0415

    words = language(preferred_code())
    result = assess_file(table, out, load_rulebooks(), rulebook, period=period, as_of=_today())
    for note in result.notes:
        typer.echo(_printable(note.text(words)), err=True)
    typer.echo(_("{rows} rows: {outcomes}").format(
        rows=len(result.added),
        outcomes=", ".join(f"{name} {count}" for name, count in result.outcomes()),
    ))  # fmt: skip
    typer.echo(_("Open {path}").format(path=out.resolve()))


@rulebooks_app.command(name="list", help=_("List the rulebooks."))
def rulebooks_list() -> None:
    """List rulebooks."""
    from debtwatch.rules.rulebook import load_rulebooks  # noqa: PLC0415

    pick = language(preferred_code()).pick
    for book in load_rulebooks():
        typer.echo(f"{book.reference:<34} {book.status:<16} {pick(book.title.zh, book.title.en)}")


@rulebooks_app.command(name="show", help=_("Print a rulebook as an official would read it."))
def rulebooks_show(
    rulebook: Annotated[str, typer.Argument(help=_("Id, family or FAMILY@VERSION."))],
    lang: Lang = "zh",
) -> None:
    """Show one rulebook."""
    from debtwatch.rules.describe import describe, find  # noqa: PLC0415
    from debtwatch.rules.rulebook import load_rulebooks  # noqa: PLC0415

    _check_language(lang)
    for book in find(load_rulebooks(), rulebook):
        typer.echo(describe(book, language(lang)))


@rulebooks_app.command(name="test", help=_("Run the worked examples of rulebooks."))
def rulebooks_test(
    ids: Annotated[list[str] | None, typer.Argument(help=_("Rulebooks; all by default."))] = None,
) -> None:
    """Run worked examples."""
    from debtwatch.rules.assess import run_case  # noqa: PLC0415
    from debtwatch.rules.rulebook import load_rulebooks  # noqa: PLC0415

    books = load_rulebooks()
    unknown = set(ids or []) - {b.id for b in books}
    if unknown:
        raise DataProblem(
            N_("There is no rulebook {ids}; see `debtwatch rulebooks list`."),
            ids=", ".join(sorted(unknown)),
        )
    results = [(b, run_case(b, c)) for b in books if not ids or b.id in ids for c in b.case]
    failed = [(b, r) for b, r in results if r.faults]
    for book, result in failed:
        typer.echo(f"{book.id} / {result.case.id}: {'; '.join(result.faults)}")
        for line in result.tree:
            typer.echo(f"    {line}")
    typer.echo(
        _("{passed} worked examples pass, {failed} fail.").format(
            passed=len(results) - len(failed), failed=len(failed)
        )
    )
    if failed:
        raise typer.Exit(1)


@app.command(help=_("Say what is installed and what works."))
def doctor() -> None:
    """Report versions and optional parts."""
    import shutil  # noqa: PLC0415

    from debtwatch.provenance import package_versions  # noqa: PLC0415

    typer.echo(f"Python {sys.version.split()[0]}")
    for name, version in package_versions().items():
        typer.echo(f"{name} {version}")
    fonts = shutil.which("fc-list")
    typer.echo(
        _("Fonts for Chinese can be listed with `fc-list :lang=zh`.")
        if fonts
        else _(
            "The pages use the fonts of the reader's system; any system with Chinese text has them."
        )
    )


# -- shared by the commands -----------------------------------------------------------------------


def _today() -> dt.date:
    import os  # noqa: PLC0415

    epoch = os.environ.get("SOURCE_DATE_EPOCH")
    if epoch:
        try:
            return dt.datetime.fromtimestamp(int(epoch), tz=dt.UTC).date()
        except (ValueError, OverflowError, OSError) as error:
            raise DataProblem(
                N_("SOURCE_DATE_EPOCH is “{text}”; it must be seconds since 1970."), text=epoch
            ) from error
    return dt.datetime.now(tz=dt.UTC).astimezone().date()


def _quarter(text: str) -> int:
    from debtwatch.panel.period import parse_quarter  # noqa: PLC0415

    ordinal = parse_quarter(text)
    if ordinal is None:
        raise DataProblem(N_("“{text}” is not a quarter; write 2025Q4."), text=text)
    return ordinal


def _day(text: str | None) -> dt.date | None:
    from debtwatch.panel.period import parse_day  # noqa: PLC0415

    if text is None:
        return None
    day = parse_day(text)
    if day is None:
        raise DataProblem(N_("“{text}” is not a day; write 2026-09-30."), text=text)
    return day


def _mapping(path: Path | None) -> Any:
    from debtwatch.panel.mapping import load_mapping  # noqa: PLC0415

    return None if path is None else load_mapping(path)


def _check_language(lang: str) -> None:
    if lang not in {"zh", "en"}:
        raise DataProblem(N_("The language is zh or en, not “{lang}”."), lang=lang)


def _print_problems(problems: Sequence[Problem], limit: int = 200) -> None:
    """Problems as a table on standard error; the first ones when there are many."""
    if not problems:
        return
    from rich.console import Console  # noqa: PLC0415
    from rich.table import Table  # noqa: PLC0415
    from rich.text import Text  # noqa: PLC0415

    words = {"refuse": _("Refused"), "flag": _("Doubtful"), "note": _("Note")}
    table = Table(show_lines=False, box=None, pad_edge=False)
    for heading in (
        _("Severity"),
        _("Place"),
        _("Figure"),
        _("What was found"),
        _("How to mend it"),
    ):
        table.add_column(heading, overflow="fold")
    for p in problems[:limit]:
        place = " ".join(x for x in (p.file, p.sheet, p.cell) if x)
        figure = " ".join(x for x in (p.unit, p.period, p.field) if x)
        # Text, not markup: a cell of the file must not style the terminal.
        row = (words[p.severity], place, figure, p.what(_), p.mend(_))
        table.add_row(*(Text(_printable(x)) for x in row))
    console = Console(stderr=True, width=None if sys.stderr.isatty() else 200)
    console.print(table)
    if len(problems) > limit:
        more = _("{n} more problems; --json of `debtwatch check` lists them all.")
        console.print(more.format(n=len(problems) - limit))


def _echo_lines(text: str) -> None:
    """Print a text of several lines, each without control characters."""
    for line in text.splitlines():
        typer.echo(_printable(line))


def _printable(text: str) -> str:
    return "".join(c for c in text if c.isprintable())


def _plain(problem: Problem) -> dict[str, Any]:
    return {
        "severity": problem.severity,
        "rule": problem.rule,
        "file": problem.file,
        "sheet": problem.sheet,
        "cell": problem.cell,
        "unit": problem.unit,
        "period": problem.period,
        "field": problem.field,
        "value": problem.value,
        "what": problem.what(_),
        "mend": problem.mend(_),
        "left_out": problem.excludes,
    }


def _leave(problems: Sequence[Problem]) -> None:
    from debtwatch.panel.problem import exit_code  # noqa: PLC0415

    if code := exit_code(problems):
        raise typer.Exit(code)


def _announce(written: Report) -> None:
    _print_problems(written.problems)
    meta = written.context.meta
    typer.echo(
        _(
            "Report of {quarter}: {flagged} thresholds crossed because of projects, "
            "{missing} governments without data, {pages} unit pages."
        ).format(
            quarter=meta.quarter,
            flagged=len(written.context.flagged),
            missing=len(written.context.missing),
            pages=written.pages,
        )
    )
    for one in written.context.attention.models:
        if one.refused:
            text = _("The model {name} was not applied: {reason}")
            typer.echo(_printable(text.format(name=one.id, reason=one.refused)), err=True)
    typer.echo(_("Open {path}").format(path=(written.out / "index.html").resolve()))
    _leave(written.problems)


def _progress(label: str) -> Any:
    """Show a progress bar on a terminal, nothing in a pipe."""
    if not sys.stderr.isatty():
        return None
    from rich.progress import Progress  # noqa: PLC0415

    bar = Progress(transient=True)
    task: list[Any] = []

    def told(done: int, total: int) -> None:
        if not task:
            bar.start()
            task.append(bar.add_task(label, total=total))
        bar.update(task[0], completed=done, total=total)
        if done >= total:
            bar.stop()

    return told


def main() -> None:
    """Run the command line; errors are one paragraph on standard error, exit code 2."""
    arguments = sys.argv[1:]
    debug = "--debug" in arguments
    arguments = [a for a in arguments if a != "--debug"]
    try:
        app(args=arguments)
    except DebtwatchError as error:
        if debug:
            raise
        typer.echo(_printable(error.text(_)), err=True)
        sys.exit(2)
    except KeyboardInterrupt:
        typer.echo(_("Stopped."), err=True)
        sys.exit(130)
    except OSError as error:
        if debug:
            raise
        typer.echo(
            _("{path}: {reason}").format(path=error.filename or "", reason=error.strerror or error),
            err=True,
        )
        sys.exit(2)
    except Exception as error:
        if debug:
            raise
        text = _(
            "debtwatch failed: {reason}. This is a fault of the program; run the command again "
            "with --debug and report what it shows."
        )
        reason = _printable(f"{type(error).__name__}: {error}")
        typer.echo(text.format(reason=reason), err=True)
        sys.exit(1)


if __name__ == "__main__":
    main()
