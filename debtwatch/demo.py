"""The main job on the shipped real data: 37 Chinese issuers, as known on 2026-09-30."""

from __future__ import annotations

import datetime as dt
import shutil
import tempfile
from pathlib import Path

from debtwatch import resources
from debtwatch.panel.period import quarter
from debtwatch.panel.read import read_file
from debtwatch.panel.store import open_store
from debtwatch.reporting.quarterly import Report, quarterly_report

DEMO_QUARTER = quarter(2024, 4)
DEMO_AS_OF = dt.date(2026, 9, 30)


def run_demo(out: Path, *, lang: str = "zh") -> Report:
    """Import the shipped figures and write the report of 2024Q4.

    Parameters
    ----------
    out : Path
        Folder to write.
    lang : {"zh", "en"}
    """
    example = resources.examples() / "china-issuers"
    work = Path(tempfile.mkdtemp(prefix="debtwatch-"))
    try:
        with open_store(work / "demo.duckdb", create=True) as store:
            store.add(read_file(example / "issuers.xlsx"), known_from=DEMO_AS_OF)
        return quarterly_report(
            work / "demo.duckdb",
            DEMO_QUARTER,
            as_of=DEMO_AS_OF,
            out=out,
            projects=[example / "pipeline.xlsx"],
            lang=lang,
        )
    finally:
        shutil.rmtree(work, ignore_errors=True)
