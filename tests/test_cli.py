"""The command line: exit codes, one paragraph on standard error, nothing half-written."""

from __future__ import annotations

import json

import pytest

from tests.conftest import county_rows, run


def only_words(done):
    assert "Traceback" not in done.stderr
    assert "Traceback" not in done.stdout


def test_check_exit_codes(workbook, tmp_path):
    clean = run("check", workbook(county_rows()))
    assert clean.returncode == 0, clean.stderr
    rows = county_rows()
    rows[-1][14] = -1
    doubtful = run("check", workbook(rows, name="b.xlsx"), "--json")
    assert doubtful.returncode == 3
    problem = json.loads(doubtful.stdout)[0]
    assert problem["rule"] == "negative-value"
    assert problem["cell"] == "O18"
    assert problem["left_out"]
    (tmp_path / "zero.xlsx").write_bytes(b"")
    refused = run("check", tmp_path / "zero.xlsx")
    assert refused.returncode == 2
    for done in (clean, doubtful, refused):
        only_words(done)


def test_import_check_report_in_order(workbook, tmp_path):
    path, store = workbook(county_rows()), tmp_path / "p.duckdb"
    assert run("import", path, "--store", store, "--known-from", "2026-01-20").returncode == 0
    again = run("import", path, "--store", store, "--known-from", "2026-01-20")
    assert "imported before" in again.stdout
    done = run(
        "report",
        "--store",
        store,
        "--quarter",
        "2025Q4",
        "--as-of",
        "2026-02-01",
        "--lang",
        "en",
        "--out",
        tmp_path / "r",
    )
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "r" / "index.html").is_file()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (
            ["report", "--store", "{store}", "--quarter", "2025X4", "--out", "{out}"],
            "not a quarter",
        ),
        (["report", "--store", "{store}", "--quarter", "2009Q4", "--out", "{out}"], "no figures"),
        (
            [
                "report",
                "--store",
                "{store}",
                "--quarter",
                "2025Q4",
                "--as-of",
                "soon",
                "--out",
                "{out}",
            ],
            "not a day",
        ),
        (
            [
                "report",
                "--store",
                "{store}",
                "--quarter",
                "2025Q4",
                "--as-of",
                "2001-01-01",
                "--out",
                "{out}",
            ],
            "Nothing in the store",
        ),
        (["report", "--store", "none.duckdb", "--quarter", "2025Q4", "--out", "{out}"], "no store"),
        (
            [
                "report",
                "--store",
                "{store}",
                "--quarter",
                "2025Q4",
                "--lang",
                "fr",
                "--out",
                "{out}",
            ],
            "zh or en",
        ),
        (
            [
                "report",
                "--store",
                "{store}",
                "--quarter",
                "2025Q4",
                "--rulebook",
                "xx",
                "--out",
                "{out}",
            ],
            "no rulebook",
        ),
        (
            [
                "report",
                "--store",
                "{store}",
                "--quarter",
                "2025Q4",
                "--projects",
                "none.xlsx",
                "--out",
                "{out}",
            ],
            "pipeline",
        ),
        (["import", "x.xlsx", "--store", "{store}", "--status", "maybe"], "status"),
        (["import", "x.xlsx", "--store", "{store}", "--confirm", "nonsense"], "name a figure"),
        (["check", "x.xlsx", "--mapping", "none.toml"], "mapping"),
        (["check"], "at least one file"),
        (["rulebooks", "test", "nope"], "no rulebook"),
    ],
)
def test_mistakes_are_told_in_one_paragraph(county_store, tmp_path, arguments, words):
    filled = [a.format(store=county_store, out=tmp_path / "out") for a in arguments]
    done = run(*filled, cwd=tmp_path)
    assert done.returncode == 2, done.stderr
    assert words in done.stderr.replace("\n", " ")
    only_words(done)
    assert not (tmp_path / "out").exists()


def test_bad_projects_are_reported_and_the_report_is_written(county_store, workbook, tmp_path):
    headings = ["项目代码", "地区编码", "开工季度", "建设期（季度）", "总投资", "财政资金"]
    rows = [
        ["单位：万元"],
        headings,
        ["P1", "900001", "2026Q3", 4, 100, 90],
        ["P2", "123456", "2026Q3", 4, 100, 100],
        ["P3", "900001", "2026Q3", 4, 100, 100],
    ]
    done = run(
        "report",
        "--store",
        county_store,
        "--quarter",
        "2025Q4",
        "--as-of",
        "2026-02-01",
        "--projects",
        workbook(rows, name="p.xlsx"),
        "--out",
        tmp_path / "r",
    )
    assert done.returncode == 3
    assert "does not sum" in done.stderr
    assert "123456" in done.stderr
    data = json.loads((tmp_path / "r" / "report.json").read_text("utf-8"))
    assert [p["code"] for p in data["pages"][0]["projects"]] == ["P3"]


def test_the_form_can_be_checked_once_filled(tmp_path):
    form = tmp_path / "form.xlsx"
    assert run("check", "--template", form).returncode == 0
    done = run("check", form)
    assert done.returncode == 2  # headings are known, figures are not there yet
    assert "no figure" in done.stderr


def test_rulebooks_test_passes():
    done = run("rulebooks", "test")
    assert done.returncode == 0
    assert " 0 fail" in done.stdout


def test_debug_shows_the_traceback(tmp_path):
    done = run("check", tmp_path / "x.xlsx", "--mapping", tmp_path / "none.toml", "--debug")
    assert "Traceback" in done.stderr


def test_words_follow_the_language():
    assert "Traceback" not in run("--help", env={"DEBTWATCH_LANG": "zh"}).stdout
    assert "地方" in run("--help", env={"DEBTWATCH_LANG": "zh"}).stdout


def test_synthetic_counties_end_to_end(tmp_path):
    out = tmp_path / "counties"
    assert run("demo-counties", "--counties", "12", "--seed", "3", "--out", out).returncode == 0
    store = tmp_path / "s.duckdb"
    books = sorted((out / "counties").glob("*.xlsx"))
    assert len(books) == 12
    imported = run("import", *books, "--store", store)
    assert imported.returncode in {0, 3}, imported.stderr
    done = run(
        "report",
        "--store",
        store,
        "--quarter",
        "2025Q4",
        "--projects",
        out / "pipeline.xlsx",
        "--out",
        tmp_path / "r",
        "--as-of",
        "2026-11-01",
    )
    assert done.returncode == 0, done.stderr
    pages = [tmp_path / "r" / "index.html", *(tmp_path / "r" / "units").glob("*.html")]
    assert len(pages) == 13
    assert all("合成数据" in p.read_text("utf-8") for p in pages)
