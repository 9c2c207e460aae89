"""Speed at the scale of a country: 2,850 counties, 48 quarters, 2,000 projects.

Run with ``make bench``. Times are machine-bound; the ratio beside them compares with hashing the
store file in the same run.
"""

from __future__ import annotations

import datetime as dt
import os
import resource
import subprocess
import sys
import time

import pytest

from debtwatch.panel.period import quarter
from debtwatch.panel.read import read_file
from debtwatch.panel.store import open_store
from debtwatch.provenance import sha256_of_file
from debtwatch.synthetic import write_counties

COUNTIES = int(os.environ.get("BENCH_COUNTIES", "2850"))
AS_OF = dt.date(2026, 11, 1)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    out = tmp_path_factory.mktemp("scale") / "counties"
    files = write_counties(out, counties=COUNTIES, seed=1)
    return out.parent, files


def yardstick(path):
    start = time.perf_counter()
    for _ in range(10):
        sha256_of_file(path)
    return (time.perf_counter() - start) / 10


def run(code, *arguments):
    """Run in a process of its own, so that its peak memory can be told."""
    start = time.perf_counter()
    subprocess.run([sys.executable, "-c", code, *map(str, arguments)], check=True)
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 2**20
    return time.perf_counter() - start, peak


IMPORT = """
import sys, datetime as dt
from pathlib import Path
from debtwatch.panel.importing import import_files
import_files([Path(p) for p in sys.argv[2:]], Path(sys.argv[1]), known_from=None,
             today=dt.date(2026, 11, 1))
"""
REPORT = """
import sys, datetime as dt
from pathlib import Path
from debtwatch.reporting.quarterly import quarterly_report
if __name__ == '__main__':
    r = quarterly_report(Path(sys.argv[1]), 4 * 2025 + 3, as_of=dt.date(2026, 11, 1),
                         out=Path(sys.argv[3]), projects=[Path(sys.argv[2])])
    print(r.pages, 'unit pages')
"""


def test_import_and_report(benchmark, folder):
    work, files = folder
    store = work / "s.duckdb"
    imported, peak = run(IMPORT, store, *files.tables)
    unit = yardstick(store)
    print(f"\nimport: {imported:.1f} s, peak {peak:.2f} GiB, {imported / unit:.0f} x its hash")
    script = work / "report.py"
    script.write_text(REPORT)

    def report():
        subprocess.run([sys.executable, str(script), str(store), str(files.pipeline),
                        str(work / "report")], check=True)  # fmt: skip

    benchmark.pedantic(report, rounds=1, iterations=1)
    took = benchmark.stats.stats.mean
    index = (work / "report" / "index.html").stat().st_size / 1e6
    largest = max(p.stat().st_size for p in (work / "report" / "units").iterdir()) / 1e3
    pages = len(list((work / "report" / "units").iterdir()))
    print(f"report: {took:.1f} s, {took / unit:.0f} x hashing the store, {pages} unit pages, "
          f"index {index:.2f} MB, largest page {largest:.0f} KB")  # fmt: skip


def test_as_known_on_a_day(benchmark, folder):
    work, files = folder
    store = work / "known.duckdb"
    with open_store(store, create=True) as opened:
        for table in files.tables:
            opened.add(read_file(table), known_from=AS_OF)
    with open_store(store) as opened:
        known = benchmark.pedantic(lambda: opened.known_on(AS_OF), rounds=3)
    assert known.observations["quarter"].max() == quarter(2025, 4)
