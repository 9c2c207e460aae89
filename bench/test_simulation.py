"""Speed of the simulation: two ledgers, 10,000 paths, 40 quarters, quantiles and thresholds.

Run with ``make bench``. What is compared is CPU time: a path-quarter of the full model against
three independent normals (SFC64) drawn in the same run, best of several. The yardstick is what a
simulation with normals of its own for three drivers could not do without. Both are repeated, turn
by turn; so the ratio hardly depends on the machine or on what else runs on it.
"""

from __future__ import annotations

import datetime as dt
import json
import os
import resource
import subprocess
import sys
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from debtwatch.panel.panel import build_panel
from debtwatch.panel.read import read_file
from debtwatch.panel.store import open_store
from debtwatch.resources import examples
from debtwatch.rules.capacity import choose_basis
from debtwatch.rules.rulebook import load_rulebooks
from debtwatch.sustainability.accounts import central_outlook
from debtwatch.sustainability.draws import Draws, independent_pool
from debtwatch.sustainability.outlook import draw_for, follow, simulate_outlook, watch_of
from debtwatch.sustainability.simulate import Books, Watch, simulate
from debtwatch.synthetic import write_counties

#: Governments of the national job.
COUNTIES = int(os.environ.get("BENCH_COUNTIES", "2850"))
#: Governments of a province.
UNITS = int(os.environ.get("BENCH_UNITS", "92"))
PATHS, QUARTERS = 10_000, 40
ROUNDS = 7
#: The issue's limit of CPU time: path-quarter of the full model over three normals.
LIMIT = 1.0
NATION_SECONDS, NATION_BYTES, UNIT_SECONDS = 60.0, 2 * 2**30, 0.3
AS_OF = dt.date(2026, 11, 1)
ORIGIN = 4 * 2025 + 3
BOOKS = [b for b in load_rulebooks() if b.id in {"cn-debt-tiers", "cn-fiscal-restructuring"}]


@dataclass(frozen=True)
class Job:
    """One province to simulate."""

    books: Books
    watch: Watch
    draws: Draws

    @property
    def path_quarters(self) -> int:
        return len(self.books.keys) * PATHS * QUARTERS

    def run(self, **options: Any) -> Any:
        return simulate(self.books, self.draws, self.watch, workers=1, **options)


def store_of(folder: Path, tables: list[Path]) -> Path:
    path = folder / "store.duckdb"
    with open_store(path, create=True) as store:
        for table in tables:
            store.add(read_file(table), known_from=AS_OF)
    return path


def counties(folder: Path, count: int) -> Path:
    return store_of(folder, list(write_counties(folder / "tables", counties=count, seed=1).tables))


@pytest.fixture(scope="module")
def job(tmp_path_factory):
    path = counties(tmp_path_factory.mktemp("province"), UNITS)
    with open_store(path) as store:
        panel = build_panel(store.known_on(AS_OF))
    basis = choose_basis(panel)
    outlook = central_outlook(panel, basis, ORIGIN, quarters=QUARTERS)
    followed = follow(outlook, basis, [i for book in BOOKS for i in book.indicator])
    # One province, as large as one in a nation of 2,850 counties.
    books = replace(followed.books, province=followed.books.province * 0)
    watch = watch_of(followed, BOOKS, checkpoints=(3, 19, QUARTERS - 1),
                     summed=("debt_balance", "comprehensive_fiscal_capacity"))  # fmt: skip
    assert outlook.drivers.step == "quarter"  # a shock in every quarter
    ready = Job(books, watch, draw_for(outlook, seed=1, paths=PATHS))
    ready.run()  # compiled, or read from the cache
    return ready


def normals() -> float:
    """Nanoseconds of CPU time for three normals, best of three."""
    rng = np.random.Generator(np.random.SFC64(1))
    room = np.empty(3_000_000)
    taken = []
    for _ in range(3):
        start = time.process_time()
        rng.standard_normal(out=room)
        taken.append(time.process_time() - start)
    return min(taken) / 1e6 * 1e9


def compare(benchmark, job: Job, call: Any, *, variants: int = 1, rounds: int = ROUNDS) -> float:
    """Nanoseconds a path-quarter over the yardstick, both measured turn by turn; keep and print."""
    yardsticks: list[float] = []
    benchmark.pedantic(call, setup=lambda: yardsticks.append(normals()), rounds=rounds)
    unit = min(yardsticks)
    each = benchmark.stats.stats.min / job.path_quarters * 1e9
    ratio = each / unit
    benchmark.extra_info |= {
        "ns_three_normals": unit, "ns_path_quarter": each, "ratio": ratio,
        "load": os.getloadavg()[0], "governments": len(job.books.keys),
        "thresholds": len(job.watch.lines), "variants": variants,
    }  # fmt: skip
    print(f"\n{benchmark.name}: {each:.2f} ns a path-quarter / {unit:.2f} ns for three normals "
          f"= {ratio:.3f}", end="")  # fmt: skip
    return ratio


by_cpu = pytest.mark.benchmark(timer=time.process_time)


@by_cpu
def test_full_model_against_three_normals(benchmark, job):
    ratio = compare(benchmark, job, job.run)
    benchmark.extra_info["limit"] = LIMIT
    print(f", limit {LIMIT}; load {os.getloadavg()[0]:.1f}")
    # A ratio of CPU times of one run: the only time that is asserted, and only here.
    assert ratio <= LIMIT


@by_cpu
def test_independent_normals_for_every_government(benchmark, job):
    """Without limit: what windows of one pool save."""
    few = replace(job, books=job.books.take(np.arange(min(12, UNITS))))
    compare(benchmark, few, lambda: few.run(independent=True), rounds=3)
    once = min(_cpu(lambda: independent_pool(job.draws, 1)) for _ in range(3))
    each = once / PATHS / QUARTERS * 1e9
    benchmark.extra_info["ns_independent_pool"] = each
    print(f"; of it drawing {each:.1f} ns; no limit")


@by_cpu
def test_double_precision(benchmark, job):
    compare(benchmark, job, lambda: job.run(precision="double"))


@by_cpu
def test_with_projects(benchmark, job):
    """A project in every government: two variants, so twice the rules, counts and quantiles."""
    units = len(job.books.keys)
    extra = np.zeros((units, len(job.books.fields), QUARTERS))
    extra[:, :2] = job.books.once[:, 2:4, None] * 0.02
    compare(benchmark, job, lambda: job.run(extra=extra, has_extra=np.arange(units)), variants=2)


def peak() -> int:
    """Most memory this program has held, bytes.

    ``ru_maxrss`` of a process begins at what the process that started it had held.
    """
    status = Path("/proc/self/status")
    if status.is_file():
        line = next(x for x in status.read_text().splitlines() if x.startswith("VmHWM"))
        return int(line.split()[1]) * 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def _cpu(call: Any) -> float:
    start = time.process_time()
    call()
    return time.process_time() - start


NATION = """
import json, sys, time
from pathlib import Path
if __name__ == "__main__":
    from debtwatch.panel.panel import build_panel
    from debtwatch.panel.store import open_store
    from debtwatch.rules.capacity import choose_basis
    from debtwatch.sustainability.accounts import central_outlook
    from debtwatch.sustainability.outlook import simulate_outlook
    from bench.test_simulation import AS_OF, BOOKS, ORIGIN, PATHS, QUARTERS, peak
    with open_store(Path(sys.argv[1])) as store:
        panel = build_panel(store.known_on(AS_OF))
    basis = choose_basis(panel)
    rows = len(panel.units)
    before, start, cpu = peak(), time.perf_counter(), time.process_time()
    outlook = central_outlook(panel, basis, ORIGIN, quarters=QUARTERS)
    estimated = time.perf_counter() - start
    fan = simulate_outlook(outlook, basis, BOOKS, seed=1, paths=PATHS, workers=2,
                           checkpoints=(3, 19, QUARTERS - 1))
    print(json.dumps({
        "governments": rows, "seconds": time.perf_counter() - start, "estimation": estimated,
        "cpu": time.process_time() - cpu, "peak": peak(), "peak_before": before,
        "thresholds": len(fan.watch.lines), "quantiles": fan.simulation.quantiles.shape[-1],
    }))
"""


def in_a_process(code: str, *arguments: Any, **environment: str) -> Any:
    """JSON that a process of its own prints last."""
    root = str(Path(__file__).parents[1])
    path = os.pathsep.join(filter(None, [root, os.environ.get("PYTHONPATH")]))
    done = subprocess.run(
        [sys.executable, "-c", code, *map(str, arguments)], check=True, capture_output=True,
        text=True, env={**os.environ, "PYTHONPATH": path, **environment},
    )  # fmt: skip
    return json.loads(done.stdout.splitlines()[-1])


def test_a_nation(benchmark, tmp_path):
    """Central outlook and simulation of every county, on two workers."""
    store = counties(tmp_path, COUNTIES)
    runs = []
    benchmark.pedantic(lambda: runs.append(in_a_process(NATION, store)), rounds=2)
    best = min(runs, key=lambda run: run["seconds"])
    benchmark.extra_info |= best | {"load": os.getloadavg()[0]}
    each = best["cpu"] / best["governments"] / PATHS / QUARTERS * 1e9
    print(f"\nnation: {best['governments']:,} governments x {PATHS:,} paths x {QUARTERS} "
          f"quarters, {best['quantiles']} quantiles, {best['thresholds']} thresholds: "
          f"{best['seconds']:.1f} s (estimation {best['estimation']:.1f} s) on two workers, "
          f"limit {NATION_SECONDS:.0f} s; CPU {best['cpu']:.1f} s, {each:.1f} ns a path-quarter; "
          f"peak {best['peak'] / 2**30:.2f} GiB ({best['peak_before'] / 2**30:.2f} when loaded), "
          f"limit {NATION_BYTES / 2**30:.0f} GiB; load {os.getloadavg()[0]:.1f}")  # fmt: skip


def test_one_government(benchmark, tmp_path):
    """One shipped issuer with 10,000 paths, once everything is loaded."""
    store_path = store_of(tmp_path, [examples() / "china-issuers" / "issuers.xlsx"])
    with open_store(store_path) as store:
        panel = build_panel(store.known_on(AS_OF))
    basis = choose_basis(panel)
    outlook = central_outlook(panel, basis, 4 * 2024 + 3)
    row = np.array([5])

    def one() -> Any:
        return simulate_outlook(outlook, basis, BOOKS, seed=1, paths=PATHS, rows=row)

    benchmark.pedantic(one, rounds=10, warmup_rounds=1)
    best, median = benchmark.stats.stats.min, benchmark.stats.stats.median
    benchmark.extra_info |= {"seconds": best, "limit": UNIT_SECONDS, "load": os.getloadavg()[0]}
    print(f"\none government, {PATHS:,} paths, {outlook.quarters} quarters: {best:.3f} s "
          f"(median {median:.3f} s), limit {UNIT_SECONDS} s")  # fmt: skip


FIRST = """
import json, time
start = time.perf_counter()
from tests.test_simulate import draws_of, random_books, watch_of
books = random_books(1, units=1, quarters=4)
draws, watch = draws_of(books, paths=256), watch_of(books)
from debtwatch.sustainability.simulate import simulate
loaded = time.perf_counter()
simulate(books, draws, watch, workers=1)
print(json.dumps({"loading": loaded - start, "first": time.perf_counter() - loaded}))
"""


def test_first_call(benchmark, tmp_path):
    """Compiled in a fresh cache, then read from it by a second process."""
    cold = in_a_process(FIRST, NUMBA_CACHE_DIR=str(tmp_path))
    warm: list[Any] = []
    benchmark.pedantic(
        lambda: warm.append(in_a_process(FIRST, NUMBA_CACHE_DIR=str(tmp_path))), rounds=3
    )
    best = min(run["first"] for run in warm)
    benchmark.extra_info |= {"compiled": cold["first"], "cached": best, "load": os.getloadavg()[0]}
    print(
        f"\nfirst call: {cold['first']:.1f} s compiled, {best:.2f} s from the cache "
        f"({cold['first'] / best:.0f} x); loading {min(r['loading'] for r in warm):.1f} s"
    )
