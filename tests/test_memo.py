"""The memo: contract, both languages, hostile text, missing data, the folder, the same bytes."""

from __future__ import annotations

import dataclasses
import hashlib
import html
import json
import os
import re
import signal
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from debtwatch.errors import ModelProblem
from debtwatch.language import language
from debtwatch.panel.problem import Problem
from debtwatch.reporting import render
from debtwatch.reporting.charts import breach_chart, impact_chart
from debtwatch.reporting.context import PathPoint, SegmentLine, documented_keys
from debtwatch.reporting.figures import Figures
from debtwatch.reporting.memo import build_memo
from debtwatch.reporting.memo_context import CheckRow, MemoContext, Said
from debtwatch.reporting.memo_words import CHECK_NAMES, attribution, room_sentence, terms_of
from debtwatch.reporting.render import (
    build_memo_manifest,
    page_name,
    refuse_foreign_memo,
    render_memo_index,
    render_project,
    write_memo,
)
from debtwatch.rules.rulebook import Bilingual
from debtwatch.screening.case import Room
from debtwatch.screening.checks import run_checks
from debtwatch.screening.portfolio import Portfolio
from debtwatch.screening.project import Tranche
from tests.memo_cases import (
    about,
    c7,
    c7_impact,
    healthy,
    overridden,
    portfolio,
    refused,
    screened,
    unknown,
)
from tests.proposal_cases import ACCOUNTS, ORANGE, WAN, case, healthy_project, tier_change

FAULT = Problem(
    "project-invalid", "pipeline.xlsx", "项目", "C7",
    details={"code": "X-1", "text": "The end year lies before the start."},
)  # fmt: skip
EVIL = "<script>alert(1)</script>=cmd|' /C calc'!A0\u202egpj.exe" + "长" * 300


def memo(*ones, lang="en", **changes):
    return build_memo(ones or all_cases(), language(lang), about(**changes))


def all_cases():
    return [healthy(), c7(), overridden(), refused(), unknown()]


def page_of(context, code):
    return next(p for p in context.pages if p.code == code)


def text_of(page):
    body = re.sub(r"<(svg|style|script).*?</\1>", " ", page, flags=re.DOTALL)
    return re.sub(r"\s+", " ", html.unescape(re.sub(r"<[^>]+>", " ", body)))


def hashes(folder):
    return {
        str(p.relative_to(folder)): hashlib.sha256(p.read_bytes()).hexdigest()
        for p in sorted(folder.rglob("*"))
        if p.is_file()
    }


def write(context, out):
    return write_memo(context, build_memo_manifest(context, {}), out)


@pytest.fixture(scope="module")
def context():
    parts = {"330100": portfolio()}
    return {lang: memo(lang=lang, portfolios=parts, problems=[FAULT]) for lang in ("zh", "en")}


# -- the contract ----------------------------------------------------------------------------------


def test_proposals_are_ranked_from_rejected_to_passed(context):
    rows = context["en"].rows
    assert [r.decision.id for r in rows] == ["reject", "defer", "defer", "pass", "pass"]
    assert [r.code for r in rows] == ["C7", "H3", "U1", "H1", "H2"]
    assert [p.code for p in context["en"].pages] == [r.code for r in rows]
    counts = {c.decision.id: c.count for c in context["en"].counts}
    assert counts == {"reject": 1, "defer": 2, "conditional": 0, "pass": 2}
    assert [c.decision.severity for c in context["en"].counts] == [3, 2, 1, 0]


def test_the_worked_project(context):
    row = context["en"].rows[0]
    assert (row.investment, row.debt) == (120_000 * WAN, 84_000 * WAN)
    assert (row.without, row.with_project, row.breach) == (0.017, 0.676, "2028Q3")
    assert row.ratio_worst == pytest.approx(2.0346, abs=5e-5)
    assert row.reason_id == "B1"
    page = page_of(context["en"], "C7")
    calibre = page.consequence.calibres[0]
    assert (calibre.now.id, calibre.with_project.id, calibre.effect) == (
        "yellow", "orange", "caused",
    )  # fmt: skip
    assert "causes the breach" in calibre.sentence.en
    assert round(page.finance.bond_coverage, 3) == 1.023
    assert round(page.finance.minimum_dscr, 3) == 0.916
    assert (page.finance.top_up_years, round(page.finance.top_ups / WAN)) == (8, 8788)
    text = text_of(render_project(page, context["en"].meta))
    for figure in ("67.6%", "1.7%", "203.5%", "180.0%", "Reject", "2028Q3", "+65.9"):
        assert figure in text, figure


def test_reasons_stand_from_gravest_to_lightest_and_data_last(context):
    for page in context["en"].pages:
        rows = {r.id: r for r in page.checks}
        weights = [
            (rows[i].status == "na", "HDCI".index(rows[i].severity)) for i in page.reasons
        ]  # fmt: skip
        assert weights == sorted(weights)
        assert set(page.reasons) == {
            r.id for r in page.checks if r.status in {"failed", "na"} and r.severity != "I"
        }


def test_every_check_has_a_name():
    assert {c.id for c in run_checks(case())} <= set(CHECK_NAMES)


def test_json_is_the_context(context, tmp_path):
    out = tmp_path / "m"
    assert write(context["zh"], out) == 5
    assert {p.name for p in out.iterdir()} == {
        "index.html", "projects", "screening.json", "manifest.json",
    }  # fmt: skip
    text = (out / "screening.json").read_text("utf-8")
    assert not re.search(r"\b(NaN|Infinity)\b", text)
    assert json.loads(text) == json.loads(json.dumps(dataclasses.asdict(context["zh"])))
    manifest = json.loads((out / "manifest.json").read_text("utf-8"))
    assert (manifest["tool"], manifest["kind"], manifest["seed"]) == ("debtwatch", "screening", 7)
    assert "memo.html" in manifest["templates"]


def test_an_empty_memo_is_written(tmp_path):
    nothing = build_memo([], language("zh"), about())
    assert write(nothing, tmp_path / "m") == 0
    assert json.loads((tmp_path / "m" / "screening.json").read_text("utf-8"))["pages"] == []


def test_every_field_is_documented():
    keys = documented_keys(MemoContext)
    assert len(keys) > 150
    assert all(meaning for _, _, _, meaning in keys)


def test_both_languages_hold_the_same(context):
    zh, en = (dataclasses.asdict(context[lang]) for lang in ("zh", "en"))
    for one in (zh, en):
        one["meta"].pop("language")
        one["meta"].pop("money_unit")
    assert zh == en


def test_every_figure_printed_stands_in_the_json(context):
    figures = Figures("zh", "small")

    def forms(value):
        return {
            figures.percent(value), figures.percent(value, 2), figures.percent(value, 0),
            figures.money(value), figures.headroom(value), figures.times(value),
            figures.points(value).lstrip("+−±"), f"{100 * value:.2f}", f"{value:.3f}",
            f"{value:,.1f}", f"{value / WAN:,.1f}", figures.decimal(value, 0),
                render._scale(value),
        }  # fmt: skip

    def collect(node, known):
        if isinstance(node, dict):
            for value in node.values():
                collect(value, known)
        elif isinstance(node, list):
            for value in node:
                collect(value, known)
        elif isinstance(node, int | float) and not isinstance(node, bool):
            known.update(forms(float(node)))
        elif isinstance(node, str):
            known.update(re.findall(r"[\d,]+\.?\d*%?", node))

    for page in context["zh"].pages:
        known = set()
        collect(dataclasses.asdict(page), known)
        collect(dataclasses.asdict(context["zh"].meta), known)
        plain = {x.lstrip("+−") for x in known}
        for figure in re.findall(
            r"[\d,]+\.\d+%?|\d+%", text_of(render_project(page, context["zh"].meta))
        ):
            assert figure in plain, (page.code, figure)


# -- words -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("lang", ["zh", "en"])
def test_no_page_says_nan_none_or_inf(context, lang):
    one = context[lang]
    pages = [render_memo_index(one), *(render_project(p, one.meta) for p in one.pages)]
    for page in pages:
        assert not re.search(r"\b(nan|NaN|None|inf|Infinity|Undefined)\b", text_of(page))
        assert not re.search(r'"(nan|inf|NaN)"|\bNaN\b', page)
        assert page.count("<h1") == 1


@pytest.mark.parametrize("lang", ["zh", "en"])
def test_every_sentence_renders_in_both_languages(context, lang):
    def walk(node):
        if isinstance(node, dict) and set(node) == {"zh", "en"}:
            assert node["zh"], node
            assert node["en"], node
            assert "{" not in node["zh"] + node["en"]
        elif isinstance(node, dict):
            for value in node.values():
                walk(value)
        elif isinstance(node, list):
            for value in node:
                walk(value)

    walk(dataclasses.asdict(context[lang]))


def test_chinese_pages_speak_chinese(context):
    text = text_of(render_project(page_of(context["zh"], "C7"), context["zh"].meta))
    for word in ("建议", "不予通过", "越线概率", "举债空间", "资金筹措", "编制", "复核", "审批"):
        assert word in text, word


def test_the_decision_is_told_by_word_and_shape_not_by_colour_alone(context):
    shapes = set()
    for page in context["en"].pages:
        text = render_project(page, context["en"].meta)
        label = re.search(r'<span class="decision d-(\w+) large">(<svg.*?</svg>)(.*?)</span>', text)
        assert label[1] == page.verdict.decision.id
        assert label[3].strip() == page.verdict.decision.label.en
        shapes.add((label[1], label[2]))
        assert "neither an approval nor a rating" in text_of(text)
    assert len(shapes) == len({s for _, s in shapes}) == 3


def test_pages_of_invented_projects_and_accounts_say_so(context):
    banner = 'class="banner illustrative"'
    worked, passed = page_of(context["en"], "C7"), page_of(context["en"], "H1")
    assert context["en"].meta.illustrative
    assert banner in render_project(worked, context["en"].meta)
    assert banner not in render_project(passed, context["en"].meta)
    synthetic = memo(healthy(), synthetic=True)
    assert 'class="banner synthetic"' in render_project(synthetic.pages[0], synthetic.meta)
    assert 'class="banner synthetic"' in render_memo_index(synthetic)


@pytest.mark.parametrize(
    ("effect", "without", "with_", "words"),
    [
        ("caused", None, ACCOUNTS + 9, "The project causes the breach."),
        ("brought_forward", ACCOUNTS + 12, ACCOUNTS + 9, "forward by 3 quarter(s), to 2028Q3"),
        ("anyway", ACCOUNTS + 9, ACCOUNTS + 9, "the breach is not the project's"),
        ("no_effect", None, None, "stays clear of 200%"),
        ("no_data", None, None, "Not judged"),
    ],
)
def test_attribution(effect, without, with_, words):
    change = tier_change(line=ORANGE, breach_without=without, breach_with=with_, effect=effect)
    assert words in attribution(change, "C", ACCOUNTS + 20).en


def test_attribution_in_the_worst_level():
    change = tier_change(line=None, effect="already")
    assert "worst level already" in attribution(change, "C", ACCOUNTS + 20).en


@pytest.mark.parametrize(
    ("supremum", "printed", "words"),
    [
        (2.0 * WAN, WAN, None),
        (0.5 * WAN, 0.0, "no headroom is left"),
        (0.0, -WAN, "no headroom is left"),
        (-WAN, -WAN, "no headroom; crossed in 2026Q4 without the project"),
        (float("nan"), None, "not known: figures are missing"),
    ],
)
def test_headroom_in_words(supremum, printed, words):
    change = tier_change(line=ORANGE, breach_without=ACCOUNTS + 2, effect="anyway")
    label = Bilingual(zh="线", en="line")
    said = room_sentence(Room("tier", label, 2.0, supremum, printed, 0.1, None), change)
    assert (said.en if said else None) == words


def test_two_marks_of_the_headroom_table(context):
    """Least room of all, and the line that this project meets first: not always the same."""
    rooms = {r.key: r for r in page_of(context["en"], "C7").consequence.rooms}
    assert [k for k, r in rooms.items() if r.binding] == ["tier"]
    assert rooms["general_quota"].unlimited
    assert [k for k, r in rooms.items() if r.limits_project] == ["tier"]


def test_headroom_of_another_limit_does_not_name_the_breach_of_the_ratio():
    change = tier_change(line=ORANGE, breach_without=ACCOUNTS + 2, effect="anyway")
    label = Bilingual(zh="限额", en="limit")
    said = room_sentence(Room("special_quota", label, 1e9, -WAN, None, 0.0, None), change)
    assert said.en == "no headroom; exceeded without the project"


def test_terms_of_money():
    loan = Tranche("special_bond", 100 * WAN, 15, 5, 0.026, "annuity", as_capital=20 * WAN)
    assert terms_of(loan).en == (
        "15 years at 2.60%, level payments; first 5 years without principal; drawn once a year of "
        "construction; of it CNY 0.20 million as project capital"
    )
    assert terms_of(Tranche("fiscal_general", WAN)) is None
    open_ = terms_of(Tranche("provincial_grant", WAN)).en
    assert open_ == "not stated whether it is committed"
    assert terms_of(Tranche("provincial_grant", WAN, committed=False)).en == "not committed"


# -- figures beside their lines --------------------------------------------------------------------


def row(value, threshold, unit, operator="<"):
    text = Said("", "")
    return CheckRow("X", text, "failed", "D", text, value, threshold, operator, unit, None, text,
                    "", False, [], False, False)  # fmt: skip


@pytest.mark.parametrize(
    ("value", "line", "unit", "shown"),
    [
        (1.0999, 1.1, "times", ("1.0999", "1.1000")),
        (1.1, 1.1, "times", ("1.10", "1.10")),
        (1.02, 1.1, "times", ("1.02", "1.10")),
        (0.09996, 0.1, "ratio", ("9.996%", "10.0%")),
        (3.0, 0.0, "number", ("3", "0")),
        (5.5, 6.0, "number", ("5.50", "6.00")),
        (40_004.0 * WAN + 2_000, 40_004.0 * WAN, "money", ("40,004.2", "40,004.0")),
        (1.0, 1.0, "flag", ("yes", "yes")),
        (None, 1.1, "times", ("—", "1.10")),
    ],
)
def test_rounding_never_moves_a_value_onto_its_line(value, line, unit, shown):
    one = row(value, line, unit)
    code = "zh" if unit == "money" else "en"
    got = tuple(render._check_figure(code, name, one) for name in ("value", "threshold"))
    assert got == shown


@given(st.floats(0, 3), st.floats(0, 3))
def test_printed_values_keep_their_side(value, line):
    one = row(value, line, "times")
    shown, edge = (
        float(render._check_figure("en", name, one)) for name in ("value", "threshold")
    )  # fmt: skip
    if abs(value - line) > 1e-5:
        assert (shown < edge) == (value < line)


@pytest.mark.parametrize(
    ("share", "shown"),
    [(0.676, "67.6%"), (0.0, "0.0%"), (0.0001, "<0.1%"), (0.9999, ">99.9%"), (1.0, "100.0%"),
     (None, "—")],
)  # fmt: skip
def test_probability_of_the_uncertain_is_not_certain(share, shown):
    assert render._probability("en", share) == shown


def test_scales_are_rounded_down():
    assert render._scale(0.77999) == "77.9%"
    assert render._scale(1.0) == "100.0%"


# -- missing data ----------------------------------------------------------------------------------


def test_a_proposal_without_data_has_a_page_and_no_invented_figure(context):
    page = page_of(context["en"], "U1")
    assert not page.finance.income_known
    assert page.finance.bond_coverage is None
    assert page.finance.stresses == []
    assert {y.net for y in page.finance.years} == {None}
    assert page.consequence.path == []
    assert page.consequence.chance is None
    assert page.gaps
    assert {"L1", "T1", "F5"} <= set(page.reasons)
    text = render_project(page, context["en"].meta)
    assert "<figure" not in text
    assert "Income or running cost is not stated" in text
    assert "passed" not in {r.status for r in page.checks if r.missing}


def test_a_project_that_states_no_income_because_it_has_none_is_not_unknown():
    from debtwatch.screening.project import Operation

    one = healthy(operation=Operation(), nature="public", purpose="maintenance")
    page = memo(one).pages[0]
    assert page.finance.income_known == (not any(g.name.en == "income" for g in page.gaps))


# -- overrides, portfolios, rows that cannot be screened -------------------------------------------


def test_an_override_is_shown_with_name_date_reason_and_what_it_lifted(context):
    page = page_of(context["en"], "H2")
    box = page.verdict.override
    assert (box.name, box.date, box.lifted, box.before.id) == (
        "张三",
        "2026-09-01",
        ["T1"],
        "defer",
    )
    assert next(r for r in page.checks if r.id == "T1").lifted
    text = text_of(render_project(page, context["en"].meta))
    for word in ("张三", "2026-09-01", "堤防险情", "lifted by the override", "By the checks alone"):
        assert word in text
    index = context["en"].rows[-1]
    assert (index.code, index.overridden, index.reason_lifted) == ("H2", True, True)


def test_a_refused_override_says_why(context):
    page = page_of(context["en"], "H3")
    assert page.verdict.override.refused.en == "Less than 70% has been spent."
    text = text_of(render_project(page, context["en"].meta))
    assert "not accepted" in text
    assert "earliest start that respects every line" in page.verdict.validity.en


def test_portfolio_on_the_index(context):
    text = text_of(render_memo_index(context["en"]))
    for word in ("Dual of the linear relaxation", "0.00002", "1.61", "scale 75%", "Proven",
                 "cash 2027", "(2 quarters later)"):  # fmt: skip
        assert word in text, word
    part = context["en"].portfolios[0]
    assert [c.start for c in part.chosen] == ["2027Q1", "2027Q3"]


def test_a_portfolio_of_unknown_projects_is_shown():
    bare = Portfolio("440100", (), ("Z",), 0.0, 0.0, 0.0, proven=True, infeasible=("headroom",))
    one = memo(healthy(), portfolios={"440100": bare}, names={"440100": "甲县"})
    assert one.portfolios[0].government == "甲县"
    assert one.portfolios[0].left_out[0].start is None
    assert "甲县" in render_memo_index(one)


def test_rows_that_cannot_be_screened_stand_with_their_cell(context):
    text = text_of(render_memo_index(context["en"]))
    assert "pipeline.xlsx · 项目 · C7" in text
    assert "The end year lies before the start." in text


# -- hostile text ----------------------------------------------------------------------------------


@pytest.mark.parametrize("lang", ["zh", "en"])
def test_hostile_names_are_shown_and_do_nothing(lang, tmp_path):
    project = healthy_project(code="../../<b>", name=EVIL, place=EVIL, illustrative="illustrative")
    one = screened(case(project), "pass")
    rotten = replace(FAULT, details={"code": EVIL, "text": EVIL.replace("{", "")}, file=EVIL)
    context = memo(one, lang=lang, problems=[rotten])
    write(context, tmp_path / "m")
    inside = [p.name for p in (tmp_path / "m" / "projects").iterdir()]
    assert inside == [page_name("../../<b>")]
    for path in (tmp_path / "m").rglob("*.html"):
        text = path.read_text("utf-8")
        assert "<script" not in text
        assert "&lt;script&gt;alert(1)" in text
        assert "<bdi>&lt;script" in text  # its direction marks end with it
    index = (tmp_path / "m" / "index.html").read_text("utf-8")
    assert f'href="projects/{page_name("../../<b>")}"' in index


# -- the folder ------------------------------------------------------------------------------------


def test_the_same_memo_gives_the_same_bytes(context, tmp_path):
    write(context["zh"], tmp_path / "a")
    write(memo(lang="zh", portfolios={"330100": portfolio()}, problems=[FAULT]), tmp_path / "b")
    assert hashes(tmp_path / "a") == hashes(tmp_path / "b")


def test_order_of_the_proposals_given_does_not_matter(context):
    turned = memo(*reversed(all_cases()), portfolios={"330100": portfolio()}, problems=[FAULT])
    assert turned == context["en"]


def test_many_pages_are_written_by_two_processes_as_by_one(tmp_path, monkeypatch):
    project = healthy_project()
    ones = [screened(case(replace(project, code=f"p{k:02d}")), "pass") for k in range(25)]
    context = memo(*ones)
    write(context, tmp_path / "one")
    monkeypatch.setattr(render, "PARALLEL_FROM", 2)
    assert write(context, tmp_path / "two") == 25
    assert hashes(tmp_path / "one") == hashes(tmp_path / "two")


@pytest.mark.parametrize("name", ["thesis.docx", "units", "report.json"])
def test_a_folder_of_other_files_is_left_alone(context, tmp_path, name):
    out = tmp_path / "mine"
    out.mkdir()
    (out / name).write_text("years of work")
    for attempt in (lambda: write(context["en"], out), lambda: refuse_foreign_memo(out)):
        with pytest.raises(ModelProblem, match="other files"):
            attempt()
    assert (out / name).read_text() == "years of work"


def test_an_earlier_memo_is_replaced(context, tmp_path):
    out = tmp_path / "m"
    write(context["en"], out)
    refuse_foreign_memo(out)
    write(memo(healthy()), out)
    assert len(list((out / "projects").iterdir())) == 1


@pytest.mark.parametrize("part", ["render_memo_index", "render_project", "_write_memo_json"])
@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), KeyboardInterrupt()])
def test_a_failure_on_the_way_leaves_the_earlier_memo(context, tmp_path, monkeypatch, part, error):
    out = tmp_path / "m"
    write(context["en"], out)
    before = hashes(out)

    def broken(*_):
        raise error

    monkeypatch.setattr(render, part, broken)
    with pytest.raises((ModelProblem, KeyboardInterrupt)):
        write(context["zh"], out)
    assert hashes(out) == before
    assert [p.name for p in tmp_path.iterdir()] == ["m"]


def test_a_process_killed_on_the_way_leaves_the_earlier_memo(context, tmp_path):
    out = tmp_path / "m"
    write(context["en"], out)
    before = hashes(out)
    child = os.fork()
    if child == 0:  # the killed process: nothing of it returns
        render.render_project = lambda *_: os.kill(os.getpid(), signal.SIGKILL)
        try:
            write(context["zh"], out)
        finally:
            os._exit(0)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == -signal.SIGKILL
    assert hashes(out) == before
    write(context["zh"], out)
    assert hashes(out) != before


def test_pages_refer_to_nothing_outside_the_folder(context, tmp_path):
    out = tmp_path / "m"
    write(context["zh"], out)
    for path in out.rglob("*.html"):
        text = path.read_text("utf-8")
        for reference in re.findall(r'(?:src|href)="([^"]*)"', text):
            assert reference.startswith("#") or (path.parent / reference).resolve().is_file()
        outside = set(re.findall(r"https?://[^\"'\s<)]+", text))
        assert all(u.startswith("http://www.w3.org/") for u in outside)
        assert "url(" not in text


# -- charts ----------------------------------------------------------------------------------------


def test_chart_marks_the_breach_and_only_lines_in_reach():
    path = [
        PathPoint(q, kind, v)
        for kind, values in (("without", (1.8, 1.82, 1.84)), ("with", (1.8, 1.95, 2.05)))
        for q, v in zip(("2026Q2", "2026Q3", "2026Q4"), values, strict=True)
    ]
    lines = [SegmentLine(1.2, "L120", 1), SegmentLine(2.0, "L200", 2), SegmentLine(3.0, "L300", 3)]
    svg = impact_chart(path, lines, "en", breach_with="2026Q4")
    assert "2026Q4: crossed with the project" in svg
    assert ">L200<" in svg
    assert ">L120<" not in svg
    assert ">L300<" not in svg
    both = impact_chart(path, lines, "en", breach_with="2026Q4", breach_without="2026Q4")
    assert "crossed with and without" in both
    assert "NaN" not in svg + both
    assert impact_chart([], lines, "en") == ""


def test_charts_without_lines_or_shares():
    path = [PathPoint("2026Q2", "without", 0.0), PathPoint("2026Q3", "without", 0.0)]
    assert "<svg" in impact_chart(path, [], "zh", breach_with="2030Q1")
    assert breach_chart([("2026Q2", None, None)]) == ""
    assert "<svg" in breach_chart([("2026Q2", 0.0, 1.0)])


# -- parts as they were ----------------------------------------------------------------------------


@pytest.mark.parametrize("lang", ["zh", "en"])
def test_parts_of_a_page_as_they_were(context, lang, snapshot):
    one = context[lang]
    text = render_project(page_of(one, "C7"), one.meta)
    verdict = re.search(r'<section class="verdict.*?</section>', text, re.DOTALL)[0]
    rooms = re.search(r'<table class="compact rooms">.*?</table>', text, re.DOTALL)[0]
    override = re.search(
        r'<section class="override">.*?</section>',
        render_project(page_of(one, "H2"), one.meta), re.DOTALL,
    )[0]  # fmt: skip
    for part in (verdict, rooms, override):
        assert re.sub(r"\s+", " ", part) == snapshot
    assert dataclasses.asdict(page_of(one, "C7").verdict) == snapshot


def test_memo_of_the_impact_is_not_touched():
    before = c7_impact()
    memo(c7())
    assert (before.tier.path_with == c7_impact().tier.path_with).all()
