"""Speed of `debtwatch assess`: 1,000,000 rows of csv under a rulebook of three ratios.

Run with ``make bench``. Times are machine-bound; the ratio beside them compares with the plain
numpy computation of the same three ratios in the same run.
"""

from __future__ import annotations

import datetime as dt
import os
import time

import numpy as np
import pandas as pd
import pytest

from debtwatch.rules.rulebook import load_rulebooks
from debtwatch.rules.table import assess_rows, fields_of
from debtwatch.rules.table_file import assess_file, load_table, write_table

ROWS = int(os.environ.get("BENCH_ROWS", "1000000"))
ASKED = "br-capag@2023"
AS_OF = dt.date(2026, 11, 1)
BOOKS = load_rulebooks()
KINDS = fields_of([book for book in BOOKS if book.reference == ASKED])


@pytest.fixture(scope="module")
def table(tmp_path_factory):
    """Seven columns; one cell in a hundred of cash is empty, one in a thousand is a word."""
    draws = np.random.default_rng(1)
    cash = draws.lognormal(9, 2, ROWS).round(2).astype(str).astype(object)
    cash[::100], cash[7::1000] = "", "n.d."
    frame = pd.DataFrame(
        {
            "code": [f"{k:07d}" for k in range(ROWS)],
            "gross_consolidated_debt": draws.lognormal(10, 2, ROWS).round(2),
            "net_current_revenue": draws.lognormal(11, 2, ROWS).round(2),
            "pc_weighted": draws.uniform(0.7, 1.1, ROWS).round(5),
            "gross_cash": cash,
            "financial_obligations": draws.lognormal(9, 2, ROWS).round(2),
            "icf_quality_A": draws.integers(0, 2, ROWS),
        }
    )
    path = tmp_path_factory.mktemp("assess") / "table.csv"
    frame.to_csv(path, index=False)
    return path


def timed(function, *arguments, **options):
    start = time.perf_counter()
    result = function(*arguments, **options)
    return time.perf_counter() - start, result


def plain(frame):
    """Three ratios, nothing else: the yardstick."""
    debt, revenue, savings, cash, due = (
        pd.to_numeric(frame[name], errors="coerce").to_numpy() for name in (
            "gross_consolidated_debt", "net_current_revenue", "pc_weighted", "gross_cash",
            "financial_obligations")
    )  # fmt: skip
    start = time.perf_counter()
    ratios = debt / revenue, savings * 1.0, (cash - due) / revenue
    return time.perf_counter() - start, ratios


def test_a_million_rows(benchmark, table):
    out = table.with_name("assessed.csv")
    benchmark.pedantic(assess_file, (table, out, BOOKS, ASKED), {"as_of": AS_OF}, rounds=3)
    took = benchmark.stats.stats.mean
    reading, loaded = timed(load_table, table, KINDS)
    evaluating, result = timed(assess_rows, loaded.frame, BOOKS, ASKED, as_of=AS_OF)
    writing, _ = timed(write_table, loaded, result.added, out)
    yardstick, ratios = plain(loaded.frame)
    benchmark.extra_info |= {
        "reading": reading, "evaluating": evaluating, "writing": writing, "plain": yardstick,
        "times plain": evaluating / yardstick,
    }  # fmt: skip
    print(f"\nassess {ROWS} rows: {took:.2f} s (reading {reading:.2f}, evaluating "
          f"{evaluating:.2f}, writing {writing:.2f}); evaluating is {evaluating / yardstick:.0f} x "
          f"the plain numpy of the three ratios ({yardstick * 1e3:.1f} ms)")  # fmt: skip
    for name, ratio in zip(("dc", "pc", "lr"), ratios, strict=True):
        np.testing.assert_array_equal(result.added[name].to_numpy(), ratio)
