"""Shared inputs of the tests: small workbooks, the shipped example, a store made of it."""

from __future__ import annotations

import datetime as dt
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
import xlsxwriter
from hypothesis import settings

from debtwatch.panel.panel import Panel, build_panel
from debtwatch.panel.read import read_file
from debtwatch.panel.store import Known, open_store

# The same examples on every machine; `make fuzz` draws new ones.
settings.register_profile("repeatable", derandomize=True, deadline=None)
settings.load_profile("repeatable")

ROOT = Path(__file__).resolve().parents[1]
EXAMPLE = ROOT / "examples" / "china-issuers"
SHARED = ROOT.parent / "shared"
AS_OF = dt.date(2026, 9, 30)

needs_shared = pytest.mark.skipif(
    not SHARED.is_dir(), reason="the folder of reference data is not on this machine"
)


def run(*arguments: str | Path, **options: Any) -> subprocess.CompletedProcess[str]:
    """Run the command line as a user does."""
    command = [sys.executable, "-m", "debtwatch.cli", *map(str, arguments)]
    environment = {"DEBTWATCH_LANG": "en", "PATH": "/usr/bin:/bin", "COLUMNS": "200",
                   **options.pop("env", {})}  # fmt: skip
    return subprocess.run(
        command, capture_output=True, text=True, check=False, env=environment, timeout=300,
        **options,
    )  # fmt: skip


Grid = Sequence[Sequence[Any]]


@pytest.fixture
def workbook(tmp_path: Path) -> Callable[..., Path]:
    """Write a workbook from rows: ``workbook(rows, name=..., merged=[(r0, c0, r1, c1)])``."""

    def write(rows: Grid, name: str = "county.xlsx", merged: Sequence[Any] = ()) -> Path:
        path = tmp_path / name
        with xlsxwriter.Workbook(str(path), {"strings_to_formulas": False}) as book:
            sheet = book.add_worksheet("表1")
            for area in merged:
                sheet.merge_range(*area, "")
            for r, row in enumerate(rows):
                for c, cell in enumerate(row):
                    if isinstance(cell, str):
                        sheet.write_string(r, c, cell)
                    elif cell is not None:
                        sheet.write(r, c, cell)
        return path

    return write


COUNTY_HEADINGS = [
    "地区编码", "地区", "级次", "期间", "一般公共预算收入", "上级补助收入", "上解上级支出",
    "一般公共预算支出", "政府性基金预算收入", "政府性基金预算支出", "地方政府一般债务付息支出",
    "地方政府专项债务付息支出", "一般债务限额", "专项债务限额", "一般债务余额", "专项债务余额",
]  # fmt: skip


def county_rows(
    years: Sequence[int] = (2022, 2023, 2024, 2025), unit: str = "900001", name: str = "甲县"
) -> list[list[Any]]:
    """A plain county in 万元: year-to-date quarters, growing 2 % a year."""
    rows: list[list[Any]] = [["单位：万元（累计）"], COUNTY_HEADINGS]
    for year in years:
        g = 1.02 ** (year - 2022)
        for quarter, share in enumerate((0.25, 0.5, 0.75, 1.0), start=1):
            flow = [round(x * g * share, 2) for x in (100_000, 160_000, 4_000, 300_000, 60_000,
                                                      90_000, 6_000, 7_000)]  # fmt: skip
            k = (year - 2022) * 4 + quarter
            rows.append([unit, name, "县级", f"{year}Q{quarter}", *flow, 200_000, 320_000,
                         150_000 + 900 * k, 200_000 + 1_500 * k])  # fmt: skip
    return rows


@pytest.fixture
def county_store(workbook: Callable[..., Path], tmp_path: Path) -> Path:
    """A store with one county, known from 2026-01-20."""
    path = tmp_path / "county.duckdb"
    with open_store(path, create=True) as store:
        store.add(read_file(workbook(county_rows())), known_from=dt.date(2026, 1, 20))
    return path


@pytest.fixture(scope="session")
def issuers_known(tmp_path_factory: pytest.TempPathFactory) -> Known:
    """What the shipped example knew on 2026-09-30."""
    path = tmp_path_factory.mktemp("issuers") / "issuers.duckdb"
    with open_store(path, create=True) as store:
        store.add(read_file(EXAMPLE / "issuers.xlsx"), known_from=AS_OF)
        return store.known_on(AS_OF)


@pytest.fixture(scope="session")
def issuers(issuers_known: Known) -> Panel:
    """Panel of the shipped example."""
    return build_panel(issuers_known)


@pytest.fixture(scope="session")
def demo(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The demo report in both languages."""
    from debtwatch.demo import run_demo

    folder = tmp_path_factory.mktemp("demo")
    for lang in ("zh", "en"):
        run_demo(folder / lang, lang=lang)
    return {lang: folder / lang for lang in ("zh", "en")}
