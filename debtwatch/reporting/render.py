"""Turn a report's context into a folder of pages. The only user of Jinja."""

from __future__ import annotations

import dataclasses
import functools
import json
import math
import re
import shutil
import tempfile
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from decimal import Decimal
from functools import cache
from multiprocessing import get_context
from pathlib import Path
from typing import Any, TypeVar

import pandas as pd
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup, escape

from debtwatch import provenance, resources
from debtwatch.errors import ModelProblem
from debtwatch.language import N_, language
from debtwatch.reporting.charts import (
    breach_chart,
    coverage_chart,
    crps_chart,
    impact_chart,
    pit_chart,
    ratio_chart,
)
from debtwatch.reporting.classifier_charts import classifier_charts
from debtwatch.reporting.classifier_files import predictions_csv
from debtwatch.reporting.classifier_words import number
from debtwatch.reporting.context import LevelCount, Meta, ReportContext, SegmentLine, UnitPage
from debtwatch.reporting.figures import MISSING, Figures
from debtwatch.reporting.memo_context import CheckRow, MemoContext, MemoMeta, MemoPage, Said

#: A memo of proposals may stand in the folder of a report.
_OWN = {"index.html", "units", "screening", "report.json", "manifest.json"}
_OWN_BACKTEST = {"index.html", "metrics.json", "manifest.json"}
_OWN_CLASSIFIER = _OWN_BACKTEST | {"predictions.csv"}
_OWN_MEMO = {"index.html", "projects", "screening.json", "manifest.json"}
_RESERVED = {"con", "prn", "aux", "nul", *(f"{p}{k}" for p in ("com", "lpt") for k in range(10))}
_Job = TypeVar("_Job")
#: Below this many pages a second process costs more than it saves.
PARALLEL_FROM = 80


def page_name(code: str) -> str:
    """File name of a government's page: its code, made safe for any file system.

    Examples
    --------
    >>> page_name("530001"), page_name("../x")
    ('530001.html', '___x-d6b96a97.html')
    """
    safe = re.sub(r"[^A-Za-z0-9_-]", "_", code)[:60]
    # Some systems do not tell capitals apart and keep names such as CON for themselves.
    if safe != code or not safe or code != code.lower() or code in _RESERVED:
        safe = f"{safe}-{provenance.sha256_of_bytes(code.encode())[:8]}"
    return f"{safe}.html"


def render_index(context: ReportContext) -> str:
    """Index page of a report, as HTML."""
    fields = {f.name: getattr(context, f.name) for f in dataclasses.fields(context)}
    environment = _environment_of(context.meta)
    return environment.get_template("index.html").render(
        **fields, labels=_labels(context.counts), script=_asset("table.js")
    )


def render_unit(page: UnitPage, meta: Meta, counts: Sequence[LevelCount]) -> str:
    """Page of one government, as HTML."""
    chart = ratio_chart(page.path, page.segments, meta.language, page.fan)
    environment = _environment_of(meta)
    return environment.get_template("unit.html").render(
        # The chart is made by our own code from escaped data: it is markup, not text.
        page=page,
        meta=meta,
        labels=_labels(counts),
        chart=Markup(chart),  # noqa: S704
    )


def write_report(
    context: ReportContext,
    manifest: dict[str, Any],
    out: Path,
    *,
    progress: Callable[[int, int], None] | None = None,
) -> int:
    """Write a report folder, all or nothing.

    Parameters
    ----------
    context : ReportContext
    manifest : dict
        Content of ``manifest.json``.
    out : Path
        New folder, or one that holds an earlier report.
    progress : callable, optional
        Told pages written and pages to write.

    Returns
    -------
    int
        Number of unit pages.

    Raises
    ------
    ModelProblem
        When the folder holds something that is not a report, or cannot be written.
    """

    def fill(folder: Path) -> int:
        (folder / "units").mkdir()
        done = _write_pages(context, folder / "units", progress)
        _write_text(folder / "index.html", render_index(context))
        _write_json(folder / "report.json", dataclasses.asdict(context))
        _write_json(folder / "manifest.json", manifest)
        return done

    return _all_or_nothing(out, _OWN, fill)


def _all_or_nothing(out: Path, own: set[str], fill: Callable[[Path], int]) -> int:
    """Fill a new folder beside the place of an earlier one, then put it there."""
    out = out.resolve()  # a link stands for the folder it leads to
    _refuse_foreign(out, own)
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        partial = Path(tempfile.mkdtemp(prefix=f".{out.name}-", dir=out.parent))
    except OSError as error:
        raise _unwritable(out, error) from error
    try:
        done = fill(partial)
        partial.chmod(0o755)
        _replace(partial, out)
    except OSError as error:
        raise _unwritable(out, error) from error
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    return done


def _unwritable(out: Path, error: OSError) -> ModelProblem:
    return ModelProblem(
        N_("The report cannot be written to {out}: {reason}."), out=out, reason=error.strerror
    )


def build_manifest(context: ReportContext, rulebooks: dict[str, str]) -> dict[str, Any]:
    """Hashes, versions and settings that reproduce a report.

    Parameters
    ----------
    context : ReportContext
    rulebooks : dict from family@version to sha256
    """
    meta = context.meta
    return {
        "tool": "debtwatch",
        "version": meta.version,
        "quarter": meta.quarter,
        "compare_quarter": meta.compare_quarter,
        "as_of": meta.as_of,
        "language": meta.language,
        "seed": meta.seed,
        "synthetic": meta.synthetic,
        "inputs": [{"file": s.file, "sha256": s.sha256} for s in meta.sources],
        "projects": [{"file": s.file, "sha256": s.sha256} for s in meta.pipelines],
        "classifiers": [{"id": m.id, "sha256": m.sha256} for m in context.attention.models],
        **_hashes(rulebooks),
    }


def _hashes(rulebooks: dict[str, str]) -> dict[str, Any]:
    """Hashes of rulebooks, models and templates, and versions of packages."""
    return {
        "rulebooks": rulebooks,
        "models": {
            name: digest
            for name, digest in provenance.sha256_of_folder(resources.models()).items()
            if not name.startswith("rulebooks/")
        },
        "templates": provenance.sha256_of_folder(resources.templates()),
        "packages": provenance.package_versions(),
    }


def refuse_foreign_backtest(out: Path) -> None:
    """Refuse a folder that holds anything but an earlier back-test, before work is done for it.

    Raises
    ------
    ModelProblem
    """
    _refuse_foreign(out.resolve(), _OWN_BACKTEST)


def render_backtest(page: dict[str, Any], lang: str) -> str:
    """Page of a back-test, as HTML.

    Parameters
    ----------
    page : dict
        Result of :func:`debtwatch.reporting.backtest_page.backtest_store` with ``words``, its
        findings in words, and ``version``.
    lang : {"zh", "en"}
    """
    meta = {
        "language": lang,
        "version": page["version"],
        "as_of": page["as_of"],
        "synthetic": page["synthetic"],
        "illustrative": False,
    }
    charts = {
        name: Markup(chart(page["scores"], lang))  # noqa: S704 - our own code from escaped data
        for name, chart in (("coverage", coverage_chart), ("pit", pit_chart), ("crps", crps_chart))
    }
    environment = _environment(lang, "", ())
    environment.filters.update(score=_score, p_value=_p_value)
    template = environment.get_template("backtest.html")
    return template.render(page=page, meta=meta, charts=charts)


def write_backtest(
    page: dict[str, Any],
    metrics: dict[str, Any],
    rulebooks: dict[str, str],
    out: Path,
    *,
    lang: str,
) -> None:
    """Write the folder of a back-test, all or nothing.

    Parameters
    ----------
    page : dict
        As for :func:`render_backtest`.
    metrics : dict
        Content of ``metrics.json``.
    rulebooks : dict from family@version to sha256
    out : Path
        New folder, or one that holds an earlier back-test.
    lang : {"zh", "en"}

    Raises
    ------
    ModelProblem
        When the folder holds something else, or cannot be written.
    """
    settings = ("as_of", "horizons", "paths", "seed", "method", "synthetic")
    manifest = {
        "tool": "debtwatch",
        "kind": "backtest",
        "version": page["version"],
        "language": lang,
        **{name: metrics[name] for name in settings},
        "origins": [origin["quarter"] for origin in metrics["origins"]],
        "inputs": [{"file": s["file"], "sha256": s["sha256"]} for s in metrics["sources"]],
        **_hashes(rulebooks),
    }

    def fill(folder: Path) -> int:
        _write_text(folder / "index.html", render_backtest(page, lang))
        _write_json(folder / "metrics.json", metrics)
        _write_json(folder / "manifest.json", manifest)
        return 1

    _all_or_nothing(out, _OWN_BACKTEST, fill)


def refuse_foreign_classifier(out: Path) -> None:
    """Refuse a folder that holds anything but an earlier back-test of a classifier.

    Raises
    ------
    ModelProblem
    """
    _refuse_foreign(out.resolve(), _OWN_CLASSIFIER)


def render_classifier(page: dict[str, Any], lang: str) -> str:
    """Page of the back-test of a classifier, as HTML.

    Parameters
    ----------
    page : dict
        Of :func:`debtwatch.reporting.classifier_page.classifier_context`.
    lang : {"zh", "en"}
    """
    return _classifier_page("classifier.html", page, lang, files={})


def render_card(page: dict[str, Any], lang: str, files: Mapping[str, str]) -> str:
    """Model card, as a page that needs no other file.

    Parameters
    ----------
    page : dict
        As for :func:`render_classifier`, with the trained model.
    lang : {"zh", "en"}
    files : mapping of str to str
        SHA-256 of each model file by its name.
    """
    return _classifier_page("model_card.html", page, lang, files=files)


def _classifier_page(name: str, page: dict[str, Any], lang: str, files: Mapping[str, str]) -> str:
    meta = {
        "language": lang,
        "version": page["version"],
        "synthetic": page["synthetic"],
        "illustrative": False,
    }
    # Charts are made by our own code from escaped data: they are markup, not text.
    charts = {
        key: Markup(svg)  # noqa: S704
        for key, svg in classifier_charts(page, lang).items()
    }
    environment = _environment(lang, "", ())
    environment.filters["figure"] = number
    template = environment.get_template(name)
    return template.render(page=page, meta=meta, charts=charts, files=files)


def render_card_markdown(page: dict[str, Any], lang: str, files: Mapping[str, str]) -> str:
    """Model card, as Markdown.

    Parameters
    ----------
    page, lang, files
        As for :func:`render_card`.
    """
    environment = _environment(lang, "", ())
    environment.filters.update(figure=number, md=in_markdown)
    text = environment.get_template("card.md.jinja").render(page=page, files=files)
    return re.sub(r"\n{3,}", "\n\n", text) + "\n"


def in_markdown(text: object) -> Markup:
    r"""Text that Markdown takes as it is: no mark-up, no table cells, no lines of its own.

    Examples
    --------
    >>> print(in_markdown("a|b <b> *x*"))
    a\|b &lt;b&gt; \*x\*
    """
    plain = re.sub(r"([\\`*_\[\]|#~!])", r"\\\1", " ".join(str(text).split()))
    plain = re.sub(r"^([-+=]|\d+(?=[.)]))", _start_escaped, plain)  # no list, no heading
    return escape(plain)


def _start_escaped(found: re.Match[str]) -> str:
    start = found[0]
    return f"{start}\\" if start.isdigit() else f"\\{start}"


def write_classifier_backtest(
    page: dict[str, Any],
    predictions: pd.DataFrame,
    out: Path,
    *,
    lang: str,
    rulebooks: Mapping[str, str] | None = None,
) -> None:
    """Write the folder of a classifier's back-test, all or nothing.

    Parameters
    ----------
    page : dict
        Of :func:`debtwatch.reporting.classifier_page.classifier_context`; it becomes
        ``metrics.json``.
    predictions : DataFrame
        Of the experiment: a row for each test row, with a probability for each model.
    out : Path
        New folder, or one that holds an earlier back-test of a classifier.
    lang : {"zh", "en"}
    rulebooks : mapping of str to str, optional
        SHA-256 of each rulebook that judged outcomes.

    Raises
    ------
    ModelProblem
        When the folder holds something else, or cannot be written.
    """
    settings = ("version", "seed", "draws", "synthetic", "frequency", "production")
    hashes = _hashes(dict(rulebooks or {}))
    manifest = {
        "tool": "debtwatch",
        "kind": "classifier",
        "language": lang,
        **{name: page[name] for name in settings},
        "specification": {"id": page["id"], "sha256": page["spec_sha256"]},
        "origins": [origin["period"] for origin in page["origins"]],
        "inputs": [{"file": name, "sha256": sha} for name, sha in page["sources"].items()],
        **hashes,
        "packages": {**hashes["packages"], **page["versions"]},
    }

    def fill(folder: Path) -> int:
        _write_text(folder / "index.html", render_classifier(page, lang))
        _write_json(folder / "metrics.json", page)
        _write_text(folder / "predictions.csv", predictions_csv(predictions, page["frequency"]))
        _write_json(folder / "manifest.json", manifest)
        return 1

    _all_or_nothing(out, _OWN_CLASSIFIER, fill)


def write_memo(
    memo: MemoContext,
    manifest: dict[str, Any],
    out: Path,
    *,
    progress: Callable[[int, int], None] | None = None,
) -> int:
    """Write the folder of a memo, all or nothing.

    Parameters
    ----------
    memo : MemoContext
    manifest : dict
        Content of ``manifest.json``.
    out : Path
        New folder, or one that holds an earlier memo.
    progress : callable, optional
        Told pages written and pages to write.

    Returns
    -------
    int
        Number of project pages.

    Raises
    ------
    ModelProblem
        When the folder holds something that is not a memo, or cannot be written.
    """

    def fill(folder: Path) -> int:
        (folder / "projects").mkdir()
        chunks = [memo.pages[k : k + 20] for k in range(0, len(memo.pages), 20)]
        jobs = [(chunk, memo.meta, folder / "projects") for chunk in chunks]
        done = _in_chunks(_write_projects, jobs, len(memo.pages), progress)
        _write_text(folder / "index.html", render_memo_index(memo))
        _write_memo_json(folder / "screening.json", memo)
        _write_json(folder / "manifest.json", manifest)
        return done

    return _all_or_nothing(out, _OWN_MEMO, fill)


def refuse_foreign_memo(out: Path) -> None:
    """Refuse a folder that holds anything but an earlier memo, before work is done for it.

    Raises
    ------
    ModelProblem
    """
    _refuse_foreign(out.resolve(), _OWN_MEMO)


def build_memo_manifest(memo: MemoContext, rulebooks: dict[str, str]) -> dict[str, Any]:
    """Hashes, versions and settings that reproduce a memo.

    Parameters
    ----------
    memo : MemoContext
    rulebooks : dict from family@version to sha256
    """
    meta = memo.meta
    names = ("version", "quarter", "as_of", "language", "seed", "paths", "horizon", "consecutive",
             "tolerance", "synthetic", "illustrative")  # fmt: skip
    return {
        "tool": "debtwatch",
        "kind": "screening",
        **{name: getattr(meta, name) for name in names},
        "inputs": [{"file": s.file, "sha256": s.sha256} for s in meta.sources],
        "projects": [{"file": s.file, "sha256": s.sha256} for s in meta.pipelines],
        **_hashes(rulebooks),
    }


def render_memo_index(memo: MemoContext) -> str:
    """Index page of a memo, as HTML."""
    fields = {f.name: getattr(memo, f.name) for f in dataclasses.fields(memo)}
    return _memo_environment(memo.meta).get_template("memo_index.html").render(**fields)


def render_project(page: MemoPage, meta: MemoMeta) -> str:
    """Page of one proposal, as HTML."""
    found, code = page.consequence, meta.language
    figures = Figures(code, "small")
    lines = [
        SegmentLine(
            x.value, f"{_say(code, x.label)} {figures.percent(x.value, 0)}", x.severity
        )
        for x in found.lines
    ]  # fmt: skip
    chart = impact_chart(
        found.path, lines, code,
        breach_with=found.breach_with, breach_without=found.breach_without,
    )  # fmt: skip
    by_quarter = found.chance.by_quarter if found.chance else []
    chances = breach_chart([(p.quarter, p.without, p.with_project) for p in by_quarter])
    checks = {row.id: row for row in page.checks}
    return (
        _memo_environment(meta)
        .get_template("memo.html")
        .render(
            page=page,
            meta=dataclasses.replace(meta, illustrative=bool(page.marking)),
            reasons=[checks[name] for name in page.reasons],
            # The charts are made by our own code from escaped data: they are markup, not text.
            chart=Markup(chart),  # noqa: S704
            chances=Markup(chances),  # noqa: S704
            style=_asset("style.css") + Markup(_PORTRAIT),  # noqa: S704 - a constant of ours
        )
    )


#: A project page is a document of its own; the wide pages are printed across.
_PORTRAIT = "@page{size:A4 portrait;margin:13mm 12mm}"


def _memo_environment(meta: MemoMeta) -> Environment:
    environment = _environment(meta.language, meta.money_unit, tuple(meta.thresholds))
    environment.filters.update(
        say=functools.partial(_say, meta.language),
        check_value=functools.partial(_check_figure, meta.language, "value"),
        check_line=functools.partial(_check_figure, meta.language, "threshold"),
        operator=lambda sign: {">=": "≥", "<=": "≤", "==": "=", "!=": "≠"}.get(sign, sign),
        probability=functools.partial(_probability, meta.language),
        spread=lambda error: MISSING if error is None else f"{100 * error:.2f}",
        coverage=_coverage,
        scale=_scale,
        dual=lambda dual: MISSING if dual is None else f"{Decimal(f'{dual:.3g}'):f}",
    )
    return environment


def _say(code: str, text: Said | None) -> str:
    return "" if text is None else text.zh if code == "zh" else text.en


def _check_figure(code: str, name: str, row: CheckRow) -> str:
    """Write value or threshold of a check so that rounding does not move one onto the other."""
    value = row.value if name == "value" else row.threshold
    if value is None:
        return MISSING
    if row.unit == "flag":
        return language(code).text(N_("yes") if value else N_("no"))
    figures = Figures(code, "small", () if row.threshold is None else (row.threshold,))
    if row.unit == "ratio":
        return figures.percent(value)
    scale, digits = 1.0, 2
    if row.unit == "money":
        scale, digits = (1e4, 0) if code == "zh" else (1e6, 2)
    elif row.unit == "number" and all(
        v is None or float(v).is_integer() for v in (row.value, row.threshold)
    ):
        digits = 0
    if row.value is not None and row.threshold is not None:
        while digits < 6 and _looks_equal(row.value / scale, row.threshold / scale, digits):
            digits += 1
    return figures.decimal(value / scale, digits)


def _looks_equal(value: float, line: float, digits: int) -> bool:
    """Whether two figures that differ would be printed alike."""
    differ = abs(value - line) > 1e-9 * max(1.0, abs(line))
    return differ and round(value, digits) == round(line, digits)


def _coverage(value: float | None) -> str:
    """Write a coverage; three digits where two would hide which side of 1 it is on."""
    if value is None:
        return MISSING
    digits = 2
    while digits < 5 and round(value, digits) == 1 and abs(value - 1) > 1e-9:
        digits += 1
    return f"{value:,.{digits}f}".replace("-", "−")


def _scale(share: float) -> str:
    """Write a scale in percent, rounded down: what is printed must fit."""
    return f"{math.floor(share * 1e3 + 1e-9) / 10:,.1f}%".replace("-", "−")


def _probability(code: str, share: float | None) -> str:
    """Write a probability with one decimal; what is not certain is not shown as 0 or 100 %."""
    if share is not None and 0 < share < 0.0005:
        return "<0.1%"
    if share is not None and 0.9995 <= share < 1:
        return ">99.9%"
    return Figures(code, "small").percent(share)


def _score(value: float | None) -> str:
    return "—" if value is None else f"{value:.4f}"


def _p_value(value: float | None) -> str:
    return "—" if value is None else "<0.001" if value < 0.001 else f"{value:.3f}"


# -- parts ---------------------------------------------------------------------------------------


def _environment_of(meta: Meta) -> Environment:
    return _environment(meta.language, meta.money_unit, tuple(meta.thresholds))


@cache
def _environment(code: str, money_unit: str, thresholds: tuple[float, ...]) -> Environment:
    environment = Environment(
        loader=FileSystemLoader(resources.templates()),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        extensions=["jinja2.ext.i18n"],
    )
    environment.install_gettext_translations(  # type: ignore[attr-defined]
        language(code).translations, newstyle=True
    )
    size = "large" if money_unit in {"亿元", "CNY bn"} else "small"
    figures = Figures(code, size, thresholds)
    environment.filters.update(
        percent=figures.percent,
        points=figures.points,
        chance=figures.chance,
        money=figures.money,
        room=figures.headroom,
        times=figures.times,
        in_unit=figures.in_unit,
        signed=lambda n: f"{n:+d}".replace("-", "−"),
        page_name=page_name,
    )
    environment.globals["style"] = _asset("style.css")
    return environment


@cache
def _asset(name: str) -> Markup:
    """Read a style sheet or script of ours, put into the page as it is."""
    return Markup((resources.templates() / name).read_text(encoding="utf-8"))  # noqa: S704


def _labels(counts: Sequence[LevelCount]) -> dict[str, LevelCount]:
    return {count.level: count for count in counts}


def _write_pages(
    context: ReportContext, folder: Path, progress: Callable[[int, int], None] | None
) -> int:
    chunks = [context.pages[k : k + 20] for k in range(0, len(context.pages), 20)]
    jobs = [(chunk, context.meta, context.counts, folder) for chunk in chunks]
    return _in_chunks(_write_chunk, jobs, len(context.pages), progress)


def _in_chunks(
    write: Callable[[_Job], int],
    jobs: Sequence[_Job],
    total: int,
    progress: Callable[[int, int], None] | None,
) -> int:
    """Write pages chunk by chunk, in two processes where there are many."""
    done = 0
    if total < PARALLEL_FROM:
        for job in jobs:
            done += write(job)
            _tell(progress, done, total)
        return done
    with ProcessPoolExecutor(max_workers=2, mp_context=get_context("spawn")) as pool:
        for written in pool.map(write, jobs):
            done += written
            _tell(progress, done, total)
    return done


def _tell(progress: Callable[[int, int], None] | None, done: int, total: int) -> None:
    if progress is not None:
        progress(done, total)


def _write_chunk(job: tuple[list[UnitPage], Meta, list[LevelCount], Path]) -> int:
    pages, meta, counts, folder = job
    for page in pages:
        html = render_unit(page, meta, counts)
        (folder / page_name(page.unit)).write_text(html, encoding="utf-8", newline="\n")
    return len(pages)


def _write_projects(job: tuple[list[MemoPage], MemoMeta, Path]) -> int:
    pages, meta, folder = job
    for page in pages:
        _write_text(folder / page_name(page.code), render_project(page, meta))
    return len(pages)


def _write_json(path: Path, content: dict[str, Any]) -> None:
    text = json.dumps(content, ensure_ascii=False, indent=1, allow_nan=False)
    path.write_text(text + "\n", encoding="utf-8", newline="\n")


def _write_memo_json(path: Path, memo: MemoContext) -> None:
    """Write the memo as one JSON object, a page a line: thousands of pages are never held twice."""
    rest = dataclasses.asdict(dataclasses.replace(memo, pages=[]))
    del rest["pages"]
    head = json.dumps(rest, ensure_ascii=False, indent=1, allow_nan=False).removesuffix("\n}")
    with path.open("w", encoding="utf-8", newline="\n") as stream:
        stream.write(f'{head},\n "pages": [')
        for k, page in enumerate(memo.pages):
            text = json.dumps(dataclasses.asdict(page), ensure_ascii=False, allow_nan=False)
            stream.write(f"{',' if k else ''}\n{text}")
        stream.write("]\n}\n")


def _write_text(path: Path, text: str) -> None:
    path.write_text(text, encoding="utf-8", newline="\n")


def _refuse_foreign(out: Path, own: set[str]) -> None:
    """Refuse to replace anything that is not a folder of ours, of the same kind."""
    if not out.exists():
        return
    if not out.is_dir():
        raise ModelProblem(N_("{out} is a file; give the path of a folder."), out=out)
    names = {path.name for path in out.iterdir()}
    if names and not (names <= own and _is_report(out / "manifest.json")):
        raise ModelProblem(
            N_(
                "The folder {out} holds other files. Give a new folder, or one with an earlier "
                "report."
            ),
            out=out,
        )
    if "screening" in names:
        _refuse_foreign(out / "screening", _OWN_MEMO)


def _is_report(manifest: Path) -> bool:
    """Whether a manifest is one of ours."""
    try:
        content = json.loads(manifest.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    return isinstance(content, dict) and content.get("tool") == "debtwatch"


def _replace(partial: Path, out: Path) -> None:
    """Put the finished folder in place; the earlier report goes only once it is there."""
    if not out.exists():
        partial.rename(out)
        return
    old = out.with_name(f".{out.name}-old")
    shutil.rmtree(old, ignore_errors=True)
    out.rename(old)
    try:
        partial.rename(out)
    except OSError:
        old.rename(out)
        raise
    shutil.rmtree(old, ignore_errors=True)
