"""The main job on the shipped real data: 37 Chinese issuers, as known on 2026-09-30."""

from __future__ import annotations

import datetime as dt
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path

from debtwatch import resources
from debtwatch.panel.period import quarter
from debtwatch.panel.read import read_file
from debtwatch.panel.store import open_store
from debtwatch.reporting.quarterly import Report, quarterly_report
from debtwatch.reporting.screening import Request, Screening, screen_files

DEMO_QUARTER = quarter(2024, 4)
DEMO_AS_OF = dt.date(2026, 9, 30)


@dataclass(frozen=True)
class Demo:
    """What the main job wrote.

    Attributes
    ----------
    report : Report
        Of 2024Q4, with the invented pipeline.
    memo : Path
        Folder of the screening memo, inside that of the report.
    screening : Screening
        Of the invented pipeline and the invented proposal of its own file.
    """

    report: Report
    memo: Path
    screening: Screening


def run_demo(out: Path, *, lang: str = "zh") -> Demo:
    """Import the shipped figures, write the report of 2024Q4 and screen the invented projects.

    Nothing is recorded: the store goes when the pages are written.

    Parameters
    ----------
    out : Path
        Folder to write; the memo goes into its folder ``screening``.
    lang : {"zh", "en"}
    """
    example = resources.examples() / "china-issuers"
    pipeline, memo = example / "pipeline.xlsx", out / "screening"
    work = Path(tempfile.mkdtemp(prefix="debtwatch-"))
    store_path = work / "demo.duckdb"
    try:
        with open_store(store_path, create=True) as store:
            store.add(read_file(example / "issuers.xlsx"), known_from=DEMO_AS_OF)
        written = quarterly_report(
            store_path, DEMO_QUARTER, as_of=DEMO_AS_OF, out=out, projects=[pipeline], lang=lang
        )
        request = Request(
            store=store_path, files=[pipeline, example / "proposal.toml"], as_of=DEMO_AS_OF,
            today=DEMO_AS_OF, quarter=DEMO_QUARTER, lang=lang, record=False,
        )  # fmt: skip
        return Demo(written, memo, screen_files(request, memo))
    finally:
        shutil.rmtree(work, ignore_errors=True)
