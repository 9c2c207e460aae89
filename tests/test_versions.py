"""Versions of a rule, definitions of capacity, other systems' readings, explanations."""

from __future__ import annotations

import datetime as dt
import json

import numpy as np
import pytest

from debtwatch.errors import RulebookProblem
from debtwatch.language import language
from debtwatch.panel.period import quarter
from debtwatch.reporting.assemble import Options, build_context
from debtwatch.reporting.charts import ratio_chart
from debtwatch.reporting.context import PathPoint, RuleSegment, SegmentLine
from debtwatch.reporting.explain import explain_unit
from debtwatch.reporting.quarterly import quarterly_report
from debtwatch.reporting.study import run_study
from debtwatch.rules.analogue import analogue_book, read_by_others
from debtwatch.rules.capacity import capacity_book
from debtwatch.rules.describe import describe, find
from debtwatch.rules.expression import evaluate
from debtwatch.rules.rulebook import load_rulebooks
from tests.conftest import AS_OF, run

BOOKS = load_rulebooks()
TIERS = next(b for b in BOOKS if b.id == "cn-debt-tiers")
Q = quarter(2024, 4)


def stricter(edge=1.0, first="2024Q1"):
    """A second version of the tiers that begins yellow at another line."""
    bands = list(TIERS.indicator[0].bands)
    bands[0] = bands[0].model_copy(update={"lt": edge})
    bands[1] = bands[1].model_copy(update={"ge": edge})
    indicator = TIERS.indicator[0].model_copy(update={"bands": tuple(bands)})
    old = TIERS.model_copy(update={"applies_to": "2023Q4"})
    new = TIERS.model_copy(
        update={
            "id": "cn-debt-tiers-next",
            "version": "2024",
            "applies_from": first,
            "effective_from": dt.date(2024, 1, 1),
            "indicator": (indicator,),
        }
    )
    rest = tuple(b for b in BOOKS if b.id != TIERS.id)
    return (old, new, *rest)


def test_the_period_decides_which_version_reads_it(issuers):
    study = run_study(issuers, Q, rulebooks=stricter())
    assert study.headline_book.version == "2024"
    now, before = study.levels(study.column), study.levels(study.before)
    plain = run_study(issuers, Q, rulebooks=BOOKS)
    assert before == plain.levels(plain.before)  # 2023 is read by the older version
    codes = list(issuers.units.index)
    moved = {
        codes[r]
        for r, (a, b) in enumerate(zip(now, plain.levels(plain.column), strict=True))
        if a != b
    }
    ratio = study.value("debt_ratio", study.column)
    assert moved == {c for c, v in zip(codes, ratio, strict=True) if 1.0 <= v < 1.2}


def test_a_pinned_version_reads_every_period_and_is_named(issuers):
    study = run_study(issuers, Q, rulebooks=stricter(), asked=["cn-debt-tiers@2018"])
    assert study.headline_book.id == "cn-debt-tiers"
    assert study.rulebooks[0].pinned
    assert not study.rulebooks[0].in_force
    context = build_context(study, language("en"), Options(), "test")
    assert context.meta.rulebooks[0].pinned
    assert not context.meta.rulebooks[0].in_force


def test_before_the_first_version_nothing_is_judged(issuers):
    study = run_study(issuers, quarter(2017, 4), rulebooks=BOOKS)
    assert set(study.levels(study.column)) == {"unknown"}
    pinned = run_study(issuers, quarter(2017, 4), rulebooks=BOOKS, asked=["cn-debt-tiers@2018"])
    assert set(pinned.levels(pinned.column)) > {"unknown"}


def test_a_change_of_rule_is_seen_on_the_page(issuers):
    study = run_study(issuers, Q, rulebooks=stricter())
    context = build_context(study, language("en"), Options(), "test")
    page = next(p for p in context.pages if p.unit == "11")
    assert [(s.reference, s.first, s.last) for s in page.segments] == [
        ("cn-debt-tiers@2018", "2018Q1", "2023Q4"),
        ("cn-debt-tiers@2024", "2024Q1", "2027Q4"),
    ]
    assert page.segments[0].lines[0].value == 1.2
    assert page.segments[1].lines[0].value == 1.0


def test_the_chart_draws_each_version_where_it_applies():
    path = [PathPoint(f"{y}Q4", "history", 0.9 + 0.1 * (y - 2018)) for y in range(2018, 2026)]
    one = RuleSegment("a@1", "2018Q4", "2021Q4", [SegmentLine(1.2, "Yellow 120%", 1)])
    two = RuleSegment("a@2", "2022Q1", "2025Q4", [SegmentLine(1.0, "Yellow 100%", 1)])
    svg = ratio_chart(path, [one, two], "en")
    assert "Yellow 120%" in svg
    assert "Yellow 100%" in svg
    assert ratio_chart(path, [one], "en") != svg
    assert ratio_chart([], [one], "en") == ""


# -- capacity --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("variant", "case"),
    [(v, c) for v in capacity_book().variant for c in v.case],
    ids=lambda x: getattr(x, "id", ""),
)
def test_worked_capacity(variant, case):
    general, fund = variant.formulas()
    assert float(evaluate(general, case.inputs)) == pytest.approx(case.general)
    assert float(evaluate(fund, case.inputs)) == pytest.approx(case.fund)


def test_the_worked_county_is_yellow_gross_and_worse_net_of_land():
    by_id = {v.id: v.case[0] for v in capacity_book().variant}
    gross, net = by_id["mof_gross"], by_id["net_land"]
    assert 600_000 / (gross.general + gross.fund) == 1.2
    assert round(600_000 / (net.general + net.fund), 3) == 1.437


def test_a_report_on_another_definition_says_so(county_store, tmp_path):
    day = dt.date(2026, 2, 1)
    with pytest.raises(RulebookProblem, match="mof_gross"):
        quarterly_report(
            county_store, quarter(2025, 4), as_of=day, out=tmp_path / "x", capacity="gross"
        )
    written = quarterly_report(
        county_store, quarter(2025, 4), as_of=day, out=tmp_path / "r", capacity="net_land"
    )
    page = written.context.pages[0]
    assert page.level == "unknown"  # land revenue is not in these accounts
    used = [row for row in page.capacities if row.used]
    assert len(used) == 1
    assert used[0].ratio is None
    gross = next(row for row in page.capacities if not row.used)
    assert gross.ratio is not None


# -- other systems ---------------------------------------------------------------------------------


def test_every_analogue_names_a_rulebook_and_its_fields():
    names = {b.family for b in BOOKS} | {b.id for b in BOOKS}
    for analogue in analogue_book().analogue:
        assert analogue.rulebook in names
        book = max(
            (b for b in BOOKS if analogue.rulebook in {b.id, b.family} and b.enabled),
            key=lambda b: b.effective_from,
        )
        declared = {f.name for f in book.field}
        assert set(analogue.fields) | set(analogue.words) <= declared


def test_readings_of_others_stay_out_of_the_levels(issuers, demo):
    study = run_study(issuers, Q, rulebooks=BOOKS)
    now = {n: v[:, study.column] for n, v in study.inputs.items()}
    read = read_by_others(now, BOOKS)
    assert len(read.readings) >= 8
    brazil = next(r for r in read.readings if r.rulebook.id == "br-lrf-limits-municipality")
    row = list(issuers.units.index).index("15")
    expected = now["debt_balance"][row] / now["general_capacity"][row]
    assert brazil.assessment.values["dcl"][row] == pytest.approx(expected)
    data = json.loads((demo["zh"] / "report.json").read_text("utf-8"))
    index = (demo["zh"] / "index.html").read_text("utf-8")
    assert "巴西" not in index
    page = next(p for p in data["pages"] if p["unit"] == "15")
    assert any("br-lrf" in a["reference"] for a in page["analogues"])
    assert page["analogue_notes"]


# -- explanations ----------------------------------------------------------------------------------


def test_explain_shows_formula_inputs_vintage_edge_and_clause(county_store):
    text = explain_unit(
        county_store, "900001", quarter(2025, 4), as_of=dt.date(2026, 2, 1), lang="en"
    )
    first = text.split("\n\n")[1]
    assert "debt_balance / comprehensive_fiscal_capacity =" in first
    assert "x < 120%" in first
    assert "2026-01-20" in first
    assert "county.xlsx · 表1 · O18" in first
    assert "Budget Law art. 35" in first


def test_explain_on_the_command_line(county_store):
    done = run("explain", "900001", "--store", county_store, "--quarter", "2025Q4", "--lang", "en")
    assert done.returncode == 0, done.stderr
    assert "cn-debt-tiers@2018" in done.stdout
    unknown = run("explain", "1", "--store", county_store, "--quarter", "2025Q4")
    assert unknown.returncode == 2
    assert "no government" in unknown.stderr


@pytest.mark.parametrize("book", BOOKS, ids=lambda b: b.id)
@pytest.mark.parametrize("code", ["zh", "en"])
def test_every_rulebook_can_be_read(book, code):
    text = describe(book, language(code))
    assert book.reference in text
    for indicator in book.indicator:
        assert indicator.formula in text
    assert language(code).pick(book.outcome[0].label.zh, book.outcome[0].label.en) in text


def test_find_by_id_family_and_version():
    assert [b.id for b in find(BOOKS, "br-capag")] == [
        "br-capag-2017",
        "br-capag-2022",
        "br-capag-2023",
    ]
    assert [b.version for b in find(BOOKS, "br-capag@2022")] == ["2022"]
    with pytest.raises(RulebookProblem):
        find(BOOKS, "nothing")


def test_capag_is_read_by_the_method_of_its_base_year():
    from debtwatch.rules.rulebook import choose

    chosen = {y: choose(BOOKS, "br-capag", quarter(y, 4))[0].version for y in range(2018, 2026)}
    assert chosen == {
        2018: "2017",
        2019: "2017",
        2020: "2017",
        2021: "2022",
        2022: "2022",
        2023: "2023",
        2024: "2023",
        2025: "2023",
    }


def test_all_rulebooks_are_there():
    assert len(BOOKS) == 44
    off = {b.id for b in BOOKS if not b.enabled}
    assert off >= {
        "us-ny-fsms-points-draft",
        "co-ley358-2021",
        "ref-ec-dsm",
        "cn-legacy-indicators",
    }
    assert all(b.disabled_because for b in BOOKS if not b.enabled)
    assert np.unique([b.reference for b in BOOKS]).size == 44
    assert AS_OF


# -- wide calibre ----------------------------------------------------------------------------------


def test_wide_calibre_debt_is_shown_only_where_it_is_supplied(workbook, tmp_path):
    from debtwatch.panel.read import read_file
    from debtwatch.panel.store import open_store
    from tests.conftest import county_rows

    rows = county_rows() + county_rows(unit="900002", name="乙县")[2:]
    rows[1] = [*rows[1], "融资平台有息债务"]
    for row in rows[2:18]:
        row.append(250_000)
    with open_store(tmp_path / "s.duckdb", create=True) as store:
        store.add(read_file(workbook(rows)), known_from=dt.date(2026, 1, 20))
    written = quarterly_report(
        tmp_path / "s.duckdb",
        quarter(2025, 4),
        lang="en",
        as_of=dt.date(2026, 2, 1),
        out=tmp_path / "r",
    )
    cards = {p.unit: [c.id for c in p.indicators] for p in written.context.pages}
    assert "lgfv_debt_ratio" in cards["900001"]
    assert "lgfv_debt_ratio" not in cards["900002"]
    assert {u.effect for u in written.context.units} == {""}
    levels = {u.unit: (u.level, u.level_with) for u in written.context.units}
    assert levels["900001"] == levels["900002"]
