"""The store: vintages, as-of reading, all or nothing even when killed."""

from __future__ import annotations

import datetime as dt
import os
import signal
import subprocess
import sys
import time

import pytest

from debtwatch.errors import DataProblem
from debtwatch.panel.importing import import_files
from debtwatch.panel.read import read_file
from debtwatch.panel.store import open_store
from tests.conftest import EXAMPLE, county_rows, run

DAY, LATER = dt.date(2026, 1, 20), dt.date(2026, 6, 1)


def add(store, path, day, **options):
    with open_store(store, create=True) as opened:
        return opened.add(read_file(path), known_from=day, **options)


def observations(store, day):
    with open_store(store) as opened:
        return opened.known_on(day).observations


def test_the_same_file_twice_changes_nothing(workbook, tmp_path):
    store, path = tmp_path / "s.duckdb", workbook(county_rows())
    first = add(store, path, DAY)
    before = observations(store, LATER)
    again = add(store, path, DAY)
    assert first.added == first.figures > 0
    assert again.known_already
    assert observations(store, LATER).equals(before)


def test_a_correction_adds_a_vintage_and_leaves_the_past(workbook, tmp_path):
    store = tmp_path / "s.duckdb"
    add(store, workbook(county_rows()), DAY)
    past = observations(store, DAY)
    rows = county_rows()
    rows[-1][4] = rows[-1][4] + 1000
    done = add(store, workbook(rows, name="fixed.xlsx"), LATER)
    assert done.added == 1
    assert observations(store, DAY).equals(past)
    now = observations(store, LATER)
    assert (now["value"] != past["value"]).sum() == 1


def test_nothing_published_later_is_seen(workbook, tmp_path):
    store = tmp_path / "s.duckdb"
    add(store, workbook(county_rows()), DAY)
    assert observations(store, DAY - dt.timedelta(days=1)).empty
    assert len(observations(store, DAY)) > 0


def test_a_correction_with_the_old_day_in_its_rows_keeps_the_past(workbook, tmp_path):
    headings = ["地区编码", "年度", "公布日期", "税收收入"]
    first = workbook([["单位：万元"], headings, ["900001", 2024, "2025-06-30", 5]])
    fixed = workbook([["单位：万元"], headings, ["900001", 2024, "2025-06-30", 6]], name="b.xlsx")
    store = tmp_path / "s.duckdb"
    import_files([first], store, known_from=None, today=DAY)
    import_files([fixed], store, known_from=LATER, today=LATER)
    assert observations(store, dt.date(2025, 7, 1))["value"].tolist() == [5e4]
    assert observations(store, LATER)["value"].tolist() == [6e4]


def test_replacing_a_figure_of_the_same_day_is_said(workbook, tmp_path):
    headings = ["地区编码", "年度", "公布日期", "税收收入"]
    first = workbook([["单位：万元"], headings, ["900001", 2024, "2025-06-30", 5]])
    fixed = workbook([["单位：万元"], headings, ["900001", 2024, "2025-06-30", 6]], name="b.xlsx")
    store = tmp_path / "s.duckdb"
    import_files([first], store, known_from=None, today=DAY)
    done = import_files([fixed], store, known_from=None, today=DAY)
    assert [p.rule for p in done.problems] == ["superseded"]


def test_a_refused_file_leaves_no_store_and_others_are_imported(workbook, tmp_path):
    good = workbook(county_rows())
    bad = tmp_path / "bad.xlsx"
    bad.write_bytes(b"PK\x03\x04 not really")
    store = tmp_path / "s.duckdb"
    import_files([bad], store, known_from=DAY, today=DAY)
    assert not store.exists()
    done = import_files([bad, good], store, known_from=DAY, today=DAY)
    assert [i.file for i in done.imported] == [good.name]


def test_confirming_a_doubtful_figure_brings_it_back(workbook, tmp_path):
    rows = county_rows()
    rows[-1][4] = rows[-1][4] * 10_000
    store = tmp_path / "s.duckdb"
    done = import_files([workbook(rows)], store, known_from=DAY, today=DAY)
    doubted = [p for p in done.problems if p.rule == "magnitude"]
    assert [(p.unit, p.field, p.period, p.cell) for p in doubted] == [
        ("900001", "gpb_revenue", "2025Q4", "E18")
    ]
    done = import_files([], store, known_from=LATER, today=LATER,
                        confirm=["900001/gpb_revenue/2025Q4"])  # fmt: skip
    with open_store(store) as opened:
        assert not opened.known_on(DAY).confirmed
        assert opened.known_on(LATER).confirmed == {("900001", "gpb_revenue", 4 * 2025 + 3)}


@pytest.mark.parametrize("content", [b"", b"not a database", b"\0" * 5000])
def test_what_is_not_a_store(tmp_path, content):
    path = tmp_path / "odd.duckdb"
    path.write_bytes(content)
    with pytest.raises(DataProblem), open_store(path):
        pass
    assert path.read_bytes() == content


def test_no_store_and_no_folder(tmp_path):
    with pytest.raises(DataProblem, match="no store"), open_store(tmp_path / "none.duckdb"):
        pass
    with (
        pytest.raises(DataProblem, match="folder"),
        open_store(tmp_path / "no" / "s.duckdb", create=True),
    ):
        pass


def test_another_process_holds_the_store(county_store):
    code = (
        "import sys,time\nfrom pathlib import Path\nfrom debtwatch.panel.store import open_store\n"
        "with open_store(Path(sys.argv[1]), create=True):\n print('open', flush=True)\n"
        " time.sleep(20)"
    )
    holder = subprocess.Popen(
        [sys.executable, "-c", code, str(county_store)], stdout=subprocess.PIPE, text=True
    )
    try:
        assert holder.stdout.readline().strip() == "open"
        done = run("import", EXAMPLE / "issuers.xlsx", "--store", county_store)
    finally:
        holder.kill()
        holder.wait()
        holder.stdout.close()
    assert done.returncode == 2
    assert "another process" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("delay", [0.4, 0.7, 0.9, 1.0, 1.1, 1.2, 1.4, 1.8])
def test_a_killed_import_leaves_all_or_nothing(tmp_path, delay):
    store = tmp_path / "s.duckdb"
    job = subprocess.Popen(
        [sys.executable, "-m", "debtwatch.cli", "import", str(EXAMPLE / "issuers.xlsx"), "--store",
         str(store)],
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env={**os.environ},
    )  # fmt: skip
    time.sleep(delay)
    job.send_signal(signal.SIGKILL)
    job.wait()
    done = run("import", EXAMPLE / "issuers.xlsx", "--store", store)
    assert done.returncode == 3, done.stderr
    expected = len(read_file(EXAMPLE / "issuers.xlsx").observations)
    assert len(observations(store, dt.date.max)) == expected
    with open_store(store) as opened:
        assert len(opened.known_on(dt.date.max).imports) == 1
