"""Turn a report's context into a folder of pages. The only user of Jinja."""

from __future__ import annotations

import dataclasses
import json
import re
import shutil
import tempfile
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import cache
from multiprocessing import get_context
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from debtwatch import provenance, resources
from debtwatch.errors import ModelProblem
from debtwatch.language import N_, language
from debtwatch.reporting.charts import coverage_chart, crps_chart, pit_chart, ratio_chart
from debtwatch.reporting.context import LevelCount, Meta, ReportContext, UnitPage
from debtwatch.reporting.figures import Figures

_OWN = {"index.html", "units", "report.json", "manifest.json"}
_OWN_BACKTEST = {"index.html", "metrics.json", "manifest.json"}
_RESERVED = {"con", "prn", "aux", "nul", *(f"{p}{k}" for p in ("com", "lpt") for k in range(10))}
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
    total = len(context.pages)
    chunks = [context.pages[k : k + 20] for k in range(0, total, 20)]
    jobs = [(chunk, context.meta, context.counts, folder) for chunk in chunks]
    done = 0
    if total < PARALLEL_FROM:
        for job in jobs:
            done += _write_chunk(job)
            _tell(progress, done, total)
        return done
    with ProcessPoolExecutor(max_workers=2, mp_context=get_context("spawn")) as pool:
        for written in pool.map(_write_chunk, jobs):
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


def _write_json(path: Path, content: dict[str, Any]) -> None:
    text = json.dumps(content, ensure_ascii=False, indent=1, allow_nan=False)
    path.write_text(text + "\n", encoding="utf-8", newline="\n")


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
