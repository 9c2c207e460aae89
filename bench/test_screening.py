"""Speed of screening: one proposal with 10,000 paths, and a national pipeline.

Run with ``make bench``. What is asserted is a ratio: a proposal with all its checks, conditions and
changes against the simulation of its government on the same paths in the same run. Seconds and
memory are reported beside it.
"""

from __future__ import annotations

import datetime as dt
import json
import os
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from debtwatch.panel.panel import build_panel
from debtwatch.panel.read import read_file
from debtwatch.panel.store import open_store
from debtwatch.reporting import screening
from debtwatch.reporting.screening import Request
from debtwatch.resources import examples
from debtwatch.rules.capacity import choose_basis
from debtwatch.screening.desk import Desk
from debtwatch.screening.pipeline import read_pipelines
from debtwatch.screening.position import TIERS, headline_of
from debtwatch.screening.positions import positions_of
from debtwatch.screening.screen import screen_project
from debtwatch.sustainability.outlook import simulate_paths
from debtwatch.synthetic import write_counties

#: Counties and so many proposals of the national job; the issue asks for 2,850 and 2,000.
COUNTIES = int(os.environ.get("BENCH_COUNTIES", "285"))
AS_OF = dt.date(2026, 11, 1)
#: A proposal may cost so many simulations of its government.
LIMIT = 12.0


def best(job, rounds=5) -> float:
    taken = []
    for _ in range(rounds):
        start = time.process_time()
        job()
        taken.append(time.process_time() - start)
    return min(taken)


@pytest.fixture(scope="module")
def issuers(tmp_path_factory):
    store = tmp_path_factory.mktemp("issuers") / "store.duckdb"
    with open_store(store, create=True) as opened:
        opened.add(read_file(examples() / "china-issuers" / "issuers.xlsx"), known_from=AS_OF)
    return store


def test_one_proposal(benchmark, issuers):
    pipeline = examples() / "china-issuers" / "pipeline.xlsx"
    request = Request(store=issuers, files=[pipeline], as_of=AS_OF, today=AS_OF)
    with open_store(issuers) as opened:
        panel = build_panel(opened.known_on(AS_OF))
    basis = choose_basis(panel)
    quarter = screening._latest(panel, basis)
    pipelines = read_pipelines([pipeline], last_quarter=quarter)
    by_row, _ = screening._by_row(panel, pipelines)
    ground = screening._ground(request, panel, basis, quarter)
    row, projects = next(iter(by_row.items()))
    government = screening._government(
        panel, row, quarter, facts={}, census=None, settings=ground.settings
    )

    def simulated():
        simulate_paths(
            ground.outlook, basis, headline_of(ground.rulebooks[TIERS]), seed=1,
            paths=ground.settings.impact.paths, rows=np.array([row], dtype=np.intp), workers=1,
        )  # fmt: skip

    def screened():
        ((_, position),) = positions_of(ground, {row: government})
        return screen_project(Desk(position, position.rulebooks, ground.settings), projects[0])

    simulated()
    screened()
    unit, whole = best(simulated), best(screened)
    benchmark.pedantic(screened, rounds=3, iterations=1)
    benchmark.extra_info |= {"simulation": unit, "times simulation": whole / unit}
    print(f"\none proposal, position and all: {whole:.3f} s = {whole / unit:.1f} x the simulation "
          f"of its government ({unit * 1e3:.0f} ms)")  # fmt: skip
    assert whole / unit < LIMIT


def test_a_national_pipeline(benchmark, tmp_path):
    files = write_counties(tmp_path / "set", counties=COUNTIES, seed=1)
    store = tmp_path / "store.duckdb"
    with open_store(store, create=True) as opened:
        for table in files.tables:
            opened.add(read_file(table), known_from=AS_OF)
    code = (
        "import json, resource, sys, time\n"
        "from debtwatch.cli import app\n"
        "start = time.perf_counter()\n"
        "try:\n    app(args=sys.argv[1:])\n"
        "except SystemExit:\n    pass\n"
        "own = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss\n"
        "print(json.dumps([time.perf_counter() - start, own * 1024]))\n"
    )
    asked = ["screen", str(files.pipeline), "--store", str(store), "--out",
             str(tmp_path / "memo"), "--no-record", "--as-of", "2027-06-30"]  # fmt: skip

    def run():
        done = subprocess.run(
            [sys.executable, "-c", code, *asked], capture_output=True, text=True, check=True
        )
        return json.loads(done.stdout.strip().splitlines()[-1])

    seconds, own = benchmark.pedantic(run, rounds=1, iterations=1)
    pages = len(list(Path(tmp_path / "memo" / "projects").iterdir()))
    benchmark.extra_info |= {"seconds": seconds, "bytes": own}
    # Each of the two workers holds about 0.26 GiB more; the system counts them from the fork on.
    print(f"\n{pages} proposals, {COUNTIES} counties: {seconds:.1f} s, {own / 2**30:.2f} GiB")
    assert own < 2 * 2**30
