"""Screening from a store to a folder of memos: what is written, refused, repeated, and counted."""

from __future__ import annotations

import datetime as dt
import hashlib
import json
import shutil
from collections import Counter
from dataclasses import replace

import pytest
import xlsxwriter
from typer.testing import CliRunner

from debtwatch.cli import app
from debtwatch.errors import DataProblem, ModelProblem
from debtwatch.panel.panel import build_panel
from debtwatch.panel.period import quarter
from debtwatch.panel.read import read_file
from debtwatch.panel.register import read_register
from debtwatch.panel.store import open_store
from debtwatch.reporting.screening import FAMILIES, Request, screen_files, screen_store, unit_costs
from debtwatch.rules.capacity import choose_basis
from debtwatch.rules.rulebook import load_rulebooks
from debtwatch.screening.case import Government
from debtwatch.screening.checks import run_checks
from debtwatch.screening.debt_service import project_flows
from debtwatch.screening.desk import Desk
from debtwatch.screening.impact import money_of
from debtwatch.screening.pipeline import read_pipeline
from debtwatch.screening.position import TIERS, rulebooks_at
from debtwatch.screening.positions import Ground, positions_of
from debtwatch.screening.settings import screening_settings
from debtwatch.sustainability.accounts import central_outlook
from debtwatch.sustainability.outlook import simulate_outlook
from debtwatch.sustainability.settings import outlook_settings
from debtwatch.synthetic import write_counties
from tests.conftest import AS_OF, EXAMPLE, county_rows, run

ACCOUNTS = quarter(2024, 4)
PIPELINE, PROPOSAL = EXAMPLE / "pipeline.xlsx", EXAMPLE / "proposal.toml"
FEW = 200  # paths where probabilities are not the point


@pytest.fixture(scope="module")
def issuers_store(tmp_path_factory):
    path = tmp_path_factory.mktemp("store") / "issuers.duckdb"
    with open_store(path, create=True) as store:
        store.add(read_file(EXAMPLE / "issuers.xlsx"), known_from=AS_OF)
    return path


@pytest.fixture(scope="module")
def asked(issuers_store):
    """A request on the issuers; a test changes what it is about."""
    return Request(
        store=issuers_store, files=[PIPELINE, PROPOSAL], as_of=AS_OF, today=AS_OF,
        quarter=ACCOUNTS, paths=FEW, record=False,
    )  # fmt: skip


@pytest.fixture(scope="module")
def shipped(asked):
    """The shipped proposals as the demo screens them."""
    return screen_store(replace(asked, paths=None))


@pytest.fixture(scope="module")
def few(tmp_path_factory):
    """Twelve synthetic counties in a store, and their pipeline."""
    folder = tmp_path_factory.mktemp("few")
    files = write_counties(folder / "set", counties=12, seed=3, workbooks=False)
    path = folder / "few.duckdb"
    with open_store(path, create=True) as store:
        store.add(read_file(files.tables[0]), known_from=AS_OF)
    return path, files


def contents(folder):
    return {
        str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()
    }  # fmt: skip


def by_code(result):
    return {one.case.project.code: one for one in result.screened}


def found(screened, check):
    return next(c for c in screened.checks if c.id == check)


def said(screened):
    """What is decided about a proposal, without how it is said."""
    return (
        screened.decision,
        [(c.id, c.status, c.severity, c.value) for c in screened.checks],
        [(c.key, c.sentence) for c in screened.conditions],
        [(c.key, c.outcome, c.cost) for c in screened.changes],
    )


HEADINGS = ["项目代码", "项目名称", "地区编码", "开工季度", "建设期（季度）", "总投资", "财政资金",
            "专项债券", "期限（年）", "年利率（%）", "批准日期"]  # fmt: skip


def good_row(code, unit="15", *, special=60, approved=""):
    return [code, code, unit, "2026Q1", 4, 100, 100 - special, special, 10, 2.0, approved]


def write_rows(path, rows):
    with xlsxwriter.Workbook(str(path)) as book:
        sheet = book.add_worksheet("项目")
        for r, row in enumerate([["单位：亿元"], HEADINGS, *rows]):
            sheet.write_row(r, 0, row)
    return path


# -- the shipped proposals -----------------------------------------------------------------------

OUTCOMES = {
    "SL-2026-01": "defer", "SL-2026-02": "reject", "SL-2026-03": "reject", "SL-2026-04": "defer",
    "SL-2026-05": "defer", "SL-2026-06": "conditional", "SL-2026-07": "reject",
    "SL-2026-08": "defer", "SL-2026-09": "defer", "SL-2026-10": "reject", "SL-2026-11": "reject",
    "SL-2026-12": "conditional", "SL-2026-13": "pass", "SL-2026-14": "defer",
    "SL-2026-TOML-01": "defer",
}  # fmt: skip


def test_shipped_proposals_meet_every_outcome(shipped):
    assert shipped.problems == ()
    got = {code: one.decision.outcome for code, one in by_code(shipped).items()}
    assert got == OUTCOMES


@pytest.mark.parametrize(
    ("code", "check", "severity"),
    [
        ("SL-2026-01", "T1", "D"),  # debt
        ("SL-2026-02", "Q1", "H"),  # the legal limit
        ("SL-2026-05", "P2", "C"),  # more than residents need
        ("SL-2026-07", "F4", "H"),  # a special bond without income
        ("SL-2026-08", "Q1", "D"),  # no accounts
        ("SL-2026-09", "F11", "C"),  # a grant that is not committed
        ("SL-2026-10", "L1", "H"),  # land
        ("SL-2026-11", "F1", "H"),  # hidden debt
        ("SL-2026-14", "F8", "D"),  # documents
        ("SL-2026-TOML-01", "B1", "D"),  # probability of breach
    ],
)
def test_shipped_proposals_show_what_they_are_for(shipped, code, check, severity):
    one = found(by_code(shipped)[code], check)
    assert one.counts
    assert one.severity == severity


def test_one_shipped_override_holds_and_one_does_not(shipped):
    held, refused = (by_code(shipped)[c].decision for c in ("SL-2026-13", "SL-2026-05"))
    assert (held.before_override, held.outcome) == ("defer", "pass")
    assert held.override is not None
    assert "B1" in held.lifted
    assert refused.override is None
    assert refused.refused_override is not None


def test_a_shipped_deferral_is_not_cured_by_waiting(shipped):
    """Judged on as many more quarters as the delay, no later start respects every line."""
    one = by_code(shipped)["SL-2026-TOML-01"]
    assert one.decision.earliest is None
    assert any("delay alone" in s.message for s in one.remarks)


def test_the_demo_screens_into_the_folder_of_its_report(monkeypatch, tmp_path):
    """The report itself has tests of its own; here only the memo beside it is made."""
    from debtwatch import demo

    asked_for, stores = {}, []

    def report(store, *_, out, **options):
        stores.append(store)
        out.mkdir()
        asked_for.update(options)

    monkeypatch.setattr(demo, "quarterly_report", report)
    monkeypatch.setattr(demo, "Request", lambda **more: Request(**more, paths=FEW))
    done = demo.run_demo(tmp_path / "out", lang="zh")
    assert asked_for["projects"] == [PIPELINE]
    assert done.memo == tmp_path / "out" / "screening"
    assert done.screening.recorded == 0
    assert set(by_code(done.screening)) == set(OUTCOMES)
    pages = [done.memo / "index.html", *(done.memo / "projects").glob("*.html")]
    assert len(pages) == 1 + len(OUTCOMES)
    assert all("拟建项目仅为示意" in p.read_text("utf-8") for p in pages)
    assert not stores[0].exists()


# -- the folder ----------------------------------------------------------------------------------


def test_the_folder_holds_pages_figures_and_hashes(asked, tmp_path):
    table, told = write_rows(tmp_path / "p.xlsx", [good_row("A"), good_row("B", "63")]), []
    request = replace(asked, files=[table, PROPOSAL], lang="en")
    result = screen_files(request, tmp_path / "memo", pages=lambda *n: told.append(n))
    files = contents(tmp_path / "memo")
    pages = [name for name in files if name.startswith("projects/")]
    assert set(files) - set(pages) == {"index.html", "screening.json", "manifest.json"}
    assert len(pages) == len(result.screened) == 3
    assert told[-1] == (3, 3)
    manifest = json.loads(files["manifest.json"])
    hashed = {p["file"]: p["sha256"] for p in manifest["projects"]}
    assert hashed == {
        path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in (table, PROPOSAL)
    }
    assert {name.partition("@")[0] for name in manifest["rulebooks"]} == set(FAMILIES)
    assert manifest["paths"] == FEW
    invented = [name for name in pages if "TOML" in name]
    for name in ("index.html", *invented):
        assert "The planned projects are illustrative" in files[name].decode("utf-8")
    data = json.loads(files["screening.json"])
    assert {row["code"]: row["decision"]["id"] for row in data["rows"]} == {
        code: one.decision.outcome for code, one in by_code(result).items()
    }


def test_the_same_seed_gives_the_same_bytes_and_another_one_other_paths(asked, tmp_path):
    rows = [good_row("A", "63", approved="2025-11-20"), good_row("B", "63"), good_row("C")]
    files = [PROPOSAL, write_rows(tmp_path / "p.xlsx", rows)]
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        screen_files(replace(asked, files=files, seed=seed), tmp_path / name)
    first, second, other = (contents(tmp_path / name) for name in "abc")
    assert first == second
    assert first["screening.json"] != other["screening.json"]


def test_a_folder_with_something_else_is_refused_before_any_work(asked, tmp_path):
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(ModelProblem):
        screen_files(replace(asked, store=tmp_path / "none.duckdb"), tmp_path)
    assert contents(tmp_path) == {"notes.txt": b"mine"}


def test_a_report_may_hold_a_memo_but_nothing_else(tmp_path):
    from debtwatch.reporting.render import _OWN, _refuse_foreign

    out, memo = tmp_path / "report", tmp_path / "report" / "screening"
    memo.mkdir(parents=True)
    for folder in (out, memo):
        (folder / "manifest.json").write_text('{"tool": "debtwatch"}')
    (memo / "index.html").write_text("")
    _refuse_foreign(out, _OWN)
    (memo / "notes.txt").write_text("mine")
    with pytest.raises(ModelProblem, match="other files"):
        _refuse_foreign(out, _OWN)


# -- what can be screened ------------------------------------------------------------------------


@pytest.fixture
def mixed(tmp_path):
    """A good row, one that does not add up, one of an unknown government, one good again."""
    wrong = good_row("BAD")
    wrong[6] = 10
    rows = [good_row("GOOD-1"), wrong, good_row("LOST", "999999"), good_row("GOOD-2", "63")]
    return write_rows(tmp_path / "mixed.xlsx", rows)


def test_a_bad_row_and_an_unknown_unit_leave_the_others(asked, mixed):
    result = screen_store(replace(asked, files=[mixed]))
    assert set(by_code(result)) == {"GOOD-1", "GOOD-2"}
    rules = {p.rule: p.details["code"] for p in result.problems}
    assert rules == {"project-invalid": "BAD", "project-unit-unknown": "LOST"}
    clean = write_rows(
        mixed.with_name("clean.xlsx"), [good_row("GOOD-1"), good_row("GOOD-2", "63")]
    )
    alone = by_code(screen_store(replace(asked, files=[clean])))
    assert {c: said(s) for c, s in by_code(result).items()} == {
        c: said(s) for c, s in alone.items()
    }


def test_a_code_of_an_earlier_file_is_a_fault_of_the_later_one(asked, tmp_path):
    twin = write_rows(tmp_path / "twin.xlsx", [good_row("SL-2026-TOML-01"), good_row("NEW")])
    for files, owner in (([PROPOSAL, twin], "52"), ([twin, PROPOSAL], "15")):
        result = screen_store(replace(asked, files=files))
        assert [p.rule for p in result.problems] == ["project-invalid"]
        assert result.problems[0].file == files[1].name
        assert set(by_code(result)) == {"SL-2026-TOML-01", "NEW"}
        assert by_code(result)["SL-2026-TOML-01"].case.government.unit == owner


def test_a_quarter_without_accounts_is_refused(asked):
    with pytest.raises(DataProblem, match="no figures for 2031Q1"):
        screen_store(replace(asked, quarter=quarter(2031, 1)))


# -- independence --------------------------------------------------------------------------------


def test_a_result_does_not_depend_on_what_else_is_screened(asked, shipped):
    together = by_code(shipped)
    alone = by_code(screen_store(replace(asked, files=[PROPOSAL], paths=None, portfolio=False)))
    assert set(alone) == {"SL-2026-TOML-01"}
    for code, one in alone.items():
        assert said(one) == said(together[code])
        assert one.case.impact.probability.with_ == together[code].case.impact.probability.with_


def test_draws_of_approved_projects_use_the_limit_before_the_others(asked, tmp_path):
    """The own draws of an approved project are not counted twice, those of the others once."""
    rows = [
        good_row("A", special=60, approved="2025-11-20"),
        good_row("B", special=50, approved="2025-11-21"),
        good_row("C", special=40),
    ]
    got = {}
    for name, order in (("one", [0, 1, 2]), ("two", [2, 1, 0])):
        file = write_rows(tmp_path / f"{name}.xlsx", [rows[k] for k in order])
        screened = by_code(screen_store(replace(asked, files=[file], portfolio=False)))
        got[name] = {
            code: next(q.pipeline for q in s.case.impact.quotas if q.ledger == "special") / 1e8
            for code, s in screened.items()
        }
    assert got["one"] == got["two"] == {"A": 50.0, "B": 60.0, "C": 110.0}


def test_the_probability_is_that_of_the_outlook_with_the_project(asked, shipped):
    """Counted on whole paths by the desk, and while they are simulated by the outlook."""
    with open_store(asked.store) as store:
        panel = build_panel(store.known_on(AS_OF))
    basis = choose_basis(panel, None)
    outlook = central_outlook(
        panel, basis, ACCOUNTS, quarters=20, inflation=outlook_settings().calibration.inflation
    )
    book = rulebooks_at(load_rulebooks(), quarter(2026, 3))[TIERS]
    rows = {unit: row for row, unit in enumerate(panel.units.index)}
    chosen = {}
    for one in shipped.screened:
        if one.case.impact.probability is not None:
            chosen.setdefault(rows[one.case.government.unit], one)
    projects = {
        row: money_of(project_flows(one.case.project, outlook.first_quarter, outlook.quarters))
        for row, one in chosen.items()
    }
    settings = screening_settings().impact
    fan = simulate_outlook(
        outlook, basis, [book], seed=asked.seed, paths=settings.paths, projects=projects,
        consecutive=settings.consecutive,
    )  # fmt: skip
    assert len(chosen) >= 10
    moved = 0
    for row, one in chosen.items():
        share = one.case.impact.probability
        last = share.horizon - 1
        without, with_ = (fan.ever(share.line, variant)[row, last] for variant in (0, 1))
        assert share.without == pytest.approx(without, abs=1e-12), one.case.project.code
        assert share.with_ == pytest.approx(with_, abs=1 / share.paths + 1e-12)
        moved += with_ > without
    assert moved >= 8


def test_nothing_published_after_the_day_is_used(workbook, tmp_path):
    rows = [good_row("P", "900001")]
    for row in rows:
        row[3] = "2026Q3"
    file = write_rows(tmp_path / "p.xlsx", rows)
    stores = [tmp_path / f"{name}.duckdb" for name in ("early", "both")]
    later = [
        [*row[:-1], row[-1] * 3] if row[0] == "900001" else row for row in county_rows()
    ]  # fmt: skip
    for path in stores:
        with open_store(path, create=True) as store:
            store.add(read_file(workbook(county_rows())), known_from=dt.date(2026, 1, 20))
    with open_store(stores[1], create=True) as store:
        store.add(read_file(workbook(later, name="later.xlsx")), known_from=dt.date(2026, 6, 1))

    def answer(path, day):
        request = Request(path, [file], day, day, paths=FEW, record=False)
        return said(screen_store(request).screened[0])

    before, after = dt.date(2026, 3, 1), dt.date(2026, 7, 1)
    assert answer(stores[0], before) == answer(stores[1], before)
    assert answer(stores[0], after) != answer(stores[1], after)


def test_a_day_before_all_publications_has_nothing_to_screen_on(asked):
    with pytest.raises(DataProblem):
        screen_store(replace(asked, as_of=dt.date(2010, 1, 1), quarter=None))


# -- the register --------------------------------------------------------------------------------


def test_decisions_are_kept_when_asked_for_and_only_then(asked, tmp_path):
    store = tmp_path / "s.duckdb"
    shutil.copy(asked.store, store)
    request = replace(asked, store=store, files=[PROPOSAL])
    assert screen_files(request, tmp_path / "a").recorded == 0
    assert not read_register(store, as_of=AS_OF).decisions
    assert screen_files(replace(request, record=True), tmp_path / "b").recorded == 1
    decisions = read_register(store, as_of=AS_OF).decisions
    assert [d.code for d in decisions] == ["SL-2026-TOML-01"]
    first, second = (contents(tmp_path / name) for name in "ab")
    assert first["screening.json"] == second["screening.json"]


# -- synthetic counties --------------------------------------------------------------------------


def test_synthetic_counties_are_marked_on_every_page(few, tmp_path):
    store, files = few
    request = Request(store, [files.pipeline], AS_OF, AS_OF, paths=FEW, record=False)
    result = screen_files(request, tmp_path / "memo")
    assert result.problems == ()
    assert result.quarter == quarter(2025, 4)
    pages = list((tmp_path / "memo").rglob("*.html"))
    assert len(pages) == 1 + len(result.screened)
    assert all("合成" in page.read_text("utf-8") for page in pages)


#: Checks that need what the synthetic accounts do not have: a real province, hidden debt.
NEVER_JUDGED = {"K1", "T3"}


def test_two_hundred_synthetic_projects_meet_every_outcome_and_every_check(tmp_path):
    files = write_counties(tmp_path / "set", counties=60, seed=1, projects=200, workbooks=False)
    with open_store(tmp_path / "s.duckdb", create=True) as store:
        store.add(read_file(files.tables[0]), known_from=AS_OF)
        panel = build_panel(store.known_on(AS_OF))
    at, basis = quarter(2025, 4), choose_basis(panel, None)
    settings = screening_settings()
    settings = settings.model_copy(update={"impact": settings.impact.model_copy(
        update={"paths": 100})})  # fmt: skip
    outlook = central_outlook(
        panel, basis, at, quarters=20, inflation=outlook_settings().calibration.inflation
    )
    books = rulebooks_at(load_rulebooks(), quarter(2026, 3))
    books = {family: books[family] for family in FAMILIES}
    ground = Ground(panel, outlook, basis, books, settings, 1, at)
    proposed = read_pipeline(files.pipeline, last_quarter=at).projects
    rows = {str(unit): row for row, unit in enumerate(panel.units.index)}
    own = {}
    for project in proposed:
        own.setdefault(rows[project.unit], []).append(project)
    governments = {
        row: Government(
            unit=str(panel.units.index[row]), name="", level="county", quarter=at,
            in_restructuring=row % 10 == 0, ppp_share=0.02 + 0.01 * (row % 8),
        )
        for row in own
    }  # fmt: skip
    outcomes, statuses = Counter(), {}
    for row, position in positions_of(ground, governments):
        desk = Desk(
            position, position.rulebooks, settings, unit_costs(proposed), decided=quarter(2026, 4)
        )  # fmt: skip
        for project in own[row]:
            checks = run_checks(desk.case(project, full=False))
            outcomes[desk.decide(checks, project).outcome] += 1
            for check in checks:
                statuses.setdefault(check.id, set()).add(check.status)
    assert set(outcomes) == {"pass", "conditional", "defer", "reject"}
    judged = {name for name, seen in statuses.items() if seen & {"passed", "failed"}}
    assert set(statuses) - judged == NEVER_JUDGED
    grave = {"L1", "L2", "L3", "L4", "L5", "G1", "P2", "P3", "F1", "F2", "F4", "F5", "F6", "F7",
             "F8", "F9", "F11", "Q1", "R1", "R2", "T1", "T2", "B1", "S2"}  # fmt: skip
    assert {name for name in grave if "failed" not in statuses[name]} == set()
    assert sum(outcomes.values()) == 200


# -- the command ---------------------------------------------------------------------------------


def command(store, out, *files):
    return ["screen", *map(str, files), "--store", str(store), "--out", str(out), "--quarter",
            "2024Q4", "--as-of", "2026-09-30", "--paths", "100", "--no-record"]  # fmt: skip


@pytest.mark.parametrize(("code", "pages"), [(0, 1), (3, 2)])
def test_exit_code_is_0_when_all_and_3_when_some_can_be_screened(
    issuers_store, mixed, tmp_path, code, pages
):
    file = mixed if code else PROPOSAL
    done = CliRunner().invoke(app, command(issuers_store, tmp_path / "memo", file))
    assert done.exit_code == code, done.output
    assert len(list((tmp_path / "memo" / "projects").iterdir())) == pages
    assert str(tmp_path / "memo" / "index.html") in done.output.replace("\n", "")
    assert ("BAD" in done.output) == (code == 3)


def test_exit_code_is_2_without_a_store(tmp_path):
    done = run(*command(tmp_path / "none.duckdb", tmp_path / "memo", PROPOSAL))
    assert done.returncode == 2
    assert "no store" in done.stderr
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "memo").exists()


def test_the_shipped_proposal_says_how_to_screen_it_and_that_it_is_invented():
    head = PROPOSAL.read_text("utf-8")
    assert "debtwatch screen proposal.toml --store issuers.duckdb --quarter 2024Q4" in head
    assert "虚构" in head
    assert "is invented" in head


def test_a_broken_file_does_not_take_the_others_with_it(issuers_store, tmp_path):
    broken, empty = tmp_path / "broken.toml", tmp_path / "empty.xlsx"
    broken.write_text("[project\n", encoding="utf-8")
    empty.write_bytes(b"")
    files = [broken, EXAMPLE / "proposal.toml", empty]
    result = screen_store(
        Request(
            store=issuers_store, files=files, as_of=AS_OF, today=AS_OF,
            quarter=quarter(2024, 4), paths=200,
        )
    )  # fmt: skip
    assert [s.case.project.code for s in result.screened] == ["SL-2026-TOML-01"]
    assert [p.file for p in result.problems] == ["broken.toml", "empty.xlsx"]
    assert all(p.what() for p in result.problems)
    with pytest.raises(DataProblem):
        screen_store(Request(store=issuers_store, files=[broken], as_of=AS_OF, today=AS_OF))
