"""The report: contract, tracing, reproduction, size, offline, both languages, as known on a day."""

from __future__ import annotations

import dataclasses
import datetime as dt
import hashlib
import html
import json
import re
from html.parser import HTMLParser

import pytest

from debtwatch.language import language
from debtwatch.panel.panel import build_panel
from debtwatch.panel.period import quarter
from debtwatch.panel.read import read_file
from debtwatch.panel.store import open_store
from debtwatch.reporting.assemble import Options, build_context
from debtwatch.reporting.context import ReportContext, documented_keys
from debtwatch.reporting.figures import Figures
from debtwatch.reporting.quarterly import quarterly_report
from debtwatch.reporting.render import page_name, render_unit
from debtwatch.reporting.study import run_study
from debtwatch.rules.rulebook import load_rulebooks
from debtwatch.screening.pipeline import read_pipeline
from tests.conftest import AS_OF, EXAMPLE, ROOT, county_rows, run


def report(folder):
    return json.loads((folder / "report.json").read_text("utf-8"))


def hashes(folder):
    return {
        str(p.relative_to(folder)): hashlib.sha256(p.read_bytes()).hexdigest()
        for p in sorted(folder.rglob("*"))
        if p.is_file()
    }


@pytest.fixture(scope="module")
def issuers_store(tmp_path_factory):
    path = tmp_path_factory.mktemp("store") / "s.duckdb"
    with open_store(path, create=True) as store:
        store.add(read_file(EXAMPLE / "issuers.xlsx"), known_from=AS_OF)
    return path


def test_counts_of_the_demo(demo):
    data = report(demo["zh"])
    counts = {c["level"]: (c["now"], c["before"]) for c in data["counts"]}
    assert counts == {
        "green": (2, 9),
        "yellow": (25, 22),
        "orange": (8, 5),
        "red": (0, 0),
        "unknown": (2, 1),
    }
    assert data["meta"]["quarter"] == "2024Q4"
    assert data["meta"]["compare_quarter"] == "2023Q4"
    assert data["meta"]["as_of"] == "2026-09-30"
    assert data["meta"]["illustrative"]
    assert not data["meta"]["synthetic"]


def test_every_outcome_occurs_in_the_demo(demo):
    data = report(demo["zh"])
    assert set(data["pipeline_counts"]) == {
        "no_effect",
        "brought_forward",
        "caused",
        "anyway",
        "no_data",
    }
    assert {f["effect"] for f in data["flagged"]} == {"caused", "brought_forward"}
    assert len(data["quota"]) == 1
    assert {m["unit"] for m in data["missing"]} == {"54", "66"}


def test_the_sum_of_two_projects_that_fit_alone_is_flagged(demo):
    data = report(demo["zh"])
    page = next(p for p in data["pages"] if p["unit"] == "63")
    assert [p["effect"] for p in page["projects"]] == ["no_effect", "no_effect"]
    flag = next(f for f in data["flagged"] if f["unit"] == "63")
    assert flag["tipped_by"] == page["projects"][1]["code"] == "SL-2026-03"
    assert page["projects"][0]["approved"]


def test_both_languages_hold_the_same_figures(demo):
    def numbers(node):
        if isinstance(node, dict):
            return {k: numbers(v) for k, v in node.items()}
        if isinstance(node, list):
            return [numbers(v) for v in node]
        return node if isinstance(node, int | float | None) else None

    assert numbers(report(demo["zh"])) == numbers(report(demo["en"]))


def test_the_same_command_gives_the_same_bytes(demo, tmp_path):
    from debtwatch.demo import run_demo

    run_demo(tmp_path / "again", lang="zh")
    assert hashes(tmp_path / "again") == hashes(demo["zh"])


def test_manifest_holds_the_hashes_of_what_was_used(demo):
    manifest = json.loads((demo["zh"] / "manifest.json").read_text("utf-8"))
    for entry, name in (
        (manifest["inputs"][0], "issuers.xlsx"),
        (manifest["projects"][0], "pipeline.xlsx"),
    ):
        assert entry["file"] == name
        assert entry["sha256"] == hashlib.sha256((EXAMPLE / name).read_bytes()).hexdigest()
    book = ROOT / "models" / "rulebooks" / "cn-debt-tiers.toml"
    assert (
        manifest["rulebooks"]["cn-debt-tiers@2018"] == hashlib.sha256(book.read_bytes()).hexdigest()
    )
    assert "index.html" in manifest["templates"]


class Links(HTMLParser):
    """References of a page and whether its structure is sound."""

    def __init__(self):
        super().__init__()
        self.references, self.scripts, self.language = [], 0, ""
        self.headings, self.tables_without_heads, self._table_heads = [], 0, []

    def handle_starttag(self, tag, attributes):
        values = dict(attributes)
        for name in ("src", "href", "xlink:href", "action", "poster", "srcset", "data"):
            if values.get(name):
                self.references.append(values[name])
        self.scripts += tag == "script"
        if tag == "html":
            self.language = values.get("lang", "")
        if re.fullmatch(r"h[1-6]", tag):
            self.headings.append(int(tag[1]))


def pages_of(folder):
    return [folder / "index.html", *sorted((folder / "units").glob("*.html"))]


@pytest.mark.parametrize("lang", ["zh", "en"])
def test_pages_refer_to_nothing_outside_the_folder(demo, lang):
    for path in pages_of(demo[lang]):
        text = path.read_text("utf-8")
        links = Links()
        links.feed(text)
        for reference in links.references:
            if reference.startswith("#"):
                continue
            assert not re.match(r"[a-z]+:|//", reference), reference
            assert (path.parent / reference).resolve().is_file(), reference
        outside = {u for u in re.findall(r"https?://[^\"'\s<)]+", text)}
        assert all(u.startswith("http://www.w3.org/") for u in outside), outside
        assert "@import" not in text
        assert "url(" not in text
        assert links.language == ("zh-Hans" if lang == "zh" else "en")
        assert links.headings[0] == 1
        assert links.headings.count(1) == 1


def test_pages_keep_their_size(demo):
    assert (demo["zh"] / "index.html").stat().st_size < 3_000_000
    assert max(p.stat().st_size for p in pages_of(demo["zh"])[1:]) < 400_000


def test_every_percentage_and_amount_on_a_page_stands_in_the_json(demo):
    """Trace: each figure printed on a unit page is one of the report's figures, formatted."""
    data = report(demo["zh"])
    figures = Figures("zh", "large")
    for unit in ("15", "61", "2102"):
        page = next(p for p in data["pages"] if p["unit"] == unit)
        known = set()

        def collect(node, known=known):
            if isinstance(node, dict):
                for value in node.values():
                    collect(value)
            elif isinstance(node, list):
                for value in node:
                    collect(value)
            elif isinstance(node, float):
                known.update(
                    {
                        figures.percent(node),
                        figures.percent(node, 2),
                        figures.percent(node, 0),
                        figures.money(node),
                        figures.headroom(node),
                        figures.points(node),
                        figures.points(node, 2),
                        figures.times(node),
                        f"{node:.1f}",
                    }
                )
            elif isinstance(node, str):
                known.update(re.findall(r"−?[\d,]+\.\d+%?|−?\d+%", node))

        collect(page)
        collect({k: v for k, v in data["meta"].items()})
        text = (demo["zh"] / "units" / f"{unit}.html").read_text("utf-8")
        body = re.sub(r"<(svg|style|script).*?</\1>", " ", text, flags=re.DOTALL)
        shown = html.unescape(re.sub(r"<[^>]+>", " ", body))
        plain = {x.lstrip("+−") for x in known}
        for figure in re.findall(r"[\d,]+\.\d+%?|\d+%", shown):
            assert figure in plain or figure in known, (unit, figure)


def test_a_ratio_is_its_formula_with_its_inputs(demo):
    for page in report(demo["zh"])["pages"]:
        for card in page["indicators"]:
            values = {i["field"]: i["value"] for i in card["inputs"]}
            top, bottom = card["formula"].split(" / ")
            if card["value"] is not None:
                assert card["value"] == pytest.approx(values[top] / values[bottom], rel=1e-12)


def test_the_parts_of_a_change_sum_to_it(demo):
    pages = [p for p in report(demo["zh"])["pages"] if p["parts"]]
    assert len(pages) >= 34
    for page in pages:
        assert sum(p["value"] for p in page["parts"]) == pytest.approx(
            page["parts_total"], abs=2e-5
        )


def test_every_figure_of_the_context_is_documented():
    keys = documented_keys(ReportContext)
    assert len(keys) > 150
    assert all(meaning for _, _, _, meaning in keys)
    written = (ROOT / "docs" / "report-json.md").read_text("utf-8")
    for key, _, unit, _ in keys:
        assert f"`{key}`" in written, key
        assert unit in written


def test_2025_is_reported_with_two_in_three_missing(issuers_store, tmp_path):
    written = quarterly_report(issuers_store, quarter(2025, 4), as_of=AS_OF, out=tmp_path / "r")
    counts = {c.level: c.now for c in written.context.counts}
    assert counts["unknown"] == len(written.context.missing) == 25
    assert sum(counts.values()) == 37
    assert all(m.fields or m.doubtful for m in written.context.missing)
    for page in written.context.pages:
        if page.level == "unknown":
            assert page.indicators[0].value is None
            assert page.indicators[0].why_missing


def test_nothing_known_later_changes_an_earlier_report(issuers_store, tmp_path):
    """On 2025-05-01 the accounts of 2024 are not out: 2023 is the newest quarter."""
    from debtwatch.errors import DataProblem

    day = dt.date(2025, 5, 1)
    with pytest.raises(DataProblem, match=r"covers .* to 20"):
        quarterly_report(issuers_store, quarter(2025, 4), as_of=day, out=tmp_path / "r")
    written = quarterly_report(issuers_store, quarter(2023, 4), as_of=day, out=tmp_path / "r")
    assert written.context.meta.new_bond_rate == pytest.approx(0.0232)


def test_an_earlier_report_is_reproduced_after_a_correction(workbook, tmp_path):
    store = tmp_path / "s.duckdb"
    day, later = dt.date(2026, 1, 20), dt.date(2026, 6, 1)
    with open_store(store, create=True) as opened:
        opened.add(read_file(workbook(county_rows())), known_from=day)
    options = {"as_of": day, "lang": "en"}
    quarterly_report(store, quarter(2025, 4), out=tmp_path / "a", **options)
    rows = county_rows(name="更名县")
    rows[-1][15] = 300_000
    with open_store(store, create=True) as opened:
        opened.add(read_file(workbook(rows, name="fixed.xlsx")), known_from=later)
    quarterly_report(store, quarter(2025, 4), out=tmp_path / "b", **options)
    assert hashes(tmp_path / "a") == hashes(tmp_path / "b")
    now = quarterly_report(store, quarter(2025, 4), out=tmp_path / "c", as_of=later)
    assert now.context.units[0].name == "更名县"


def test_quarterly_sources_compare_with_the_quarter_before(county_store, tmp_path):
    written = quarterly_report(
        county_store, quarter(2025, 3), as_of=dt.date(2026, 2, 1), out=tmp_path / "r"
    )
    meta = written.context.meta
    assert (meta.compare_quarter, meta.annual_source) == ("2025Q2", False)
    card = written.context.pages[0].indicators[0]
    revenue = next(i for i in card.inputs if i.field == "gpb_revenue")
    assert revenue.basis == "four_quarters"
    assert len(revenue.places) == 3  # to date, the year before, last year to the same quarter
    expected = (100_000 * 1.02**3 * 0.75 + 100_000 * 1.02**2 * 0.25) * 1e4
    assert revenue.value == pytest.approx(expected, rel=1e-9)
    assert [i.absent for i in card.inputs if i.field.startswith("gfb_transfer")] == [True, True]


def test_hostile_names_are_shown_and_do_nothing(workbook, tmp_path):
    evil = "<script>alert(1)</script>=cmd|' /C calc'!A0"
    store = tmp_path / "s.duckdb"
    with open_store(store, create=True) as opened:
        opened.add(
            read_file(workbook(county_rows(unit="../../x", name=evil))),
            known_from=dt.date(2026, 1, 20),
        )
    written = quarterly_report(
        store, quarter(2025, 4), as_of=dt.date(2026, 2, 1), out=tmp_path / "r"
    )
    assert written.pages == 1
    text = (tmp_path / "r" / "index.html").read_text("utf-8")
    assert "<script>alert" not in text
    assert "&lt;script&gt;alert(1)" in text
    inside = sorted(p.name for p in (tmp_path / "r" / "units").iterdir())
    assert inside == [page_name("../../x")]
    assert sorted(p.name for p in tmp_path.iterdir() if p.is_dir()) == ["r"]


def test_a_folder_of_other_files_is_left_alone(county_store, tmp_path):
    out = tmp_path / "mine"
    out.mkdir()
    (out / "thesis.docx").write_text("years of work")
    done = run("report", "--store", county_store, "--quarter", "2025Q4", "--out", out)
    assert done.returncode == 2
    assert "other files" in done.stderr
    assert (out / "thesis.docx").read_text() == "years of work"
    assert [p.name for p in out.iterdir()] == ["thesis.docx"]


def test_a_failed_report_leaves_the_earlier_one(county_store, tmp_path, monkeypatch):
    out = tmp_path / "r"
    options = {"as_of": dt.date(2026, 2, 1), "out": out}
    quarterly_report(county_store, quarter(2025, 4), **options)
    before = hashes(out)
    from debtwatch.reporting import render

    def broken(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(render, "render_index", broken)
    from debtwatch.errors import ModelProblem

    with pytest.raises(ModelProblem, match="No space"):
        quarterly_report(county_store, quarter(2025, 3), **options)
    assert hashes(out) == before
    assert [p.name for p in tmp_path.iterdir() if p.is_dir()] == ["r"]


def test_pinned_rulebook_is_named(issuers_store, tmp_path):
    written = quarterly_report(
        issuers_store,
        quarter(2024, 4),
        as_of=AS_OF,
        out=tmp_path / "r",
        rulebooks=["cn-debt-tiers@2018"],
    )
    first = written.context.meta.rulebooks[0]
    assert (first.reference, first.pinned, first.in_force) == ("cn-debt-tiers@2018", True, True)


@pytest.fixture(scope="module")
def context(issuers_known):
    pipeline = read_pipeline(EXAMPLE / "pipeline.xlsx", last_quarter=quarter(2024, 4))
    study = run_study(
        build_panel(issuers_known),
        quarter(2024, 4),
        rulebooks=load_rulebooks(),
        projects=pipeline.projects,
    )
    return {
        lang: build_context(study, language(lang), Options(pipelines=(pipeline,)), "test")
        for lang in ("zh", "en")
    }


@pytest.mark.parametrize("lang", ["zh", "en"])
def test_parts_of_a_page_as_they_were(context, lang, snapshot):
    """The parts that change most rarely, so that a change in one is seen."""
    one = context[lang]
    page = next(p for p in one.pages if p.unit == "15")
    text = render_unit(page, one.meta, one.counts)
    summary = re.search(r'<section class="summary">.*?</section>', text, re.DOTALL)[0]
    article = re.search(r'<article class="indicator">.*?</article>', text, re.DOTALL)[0]
    assert re.sub(r"\s+", " ", summary) == snapshot
    assert re.sub(r"\s+", " ", article) == snapshot
    assert dataclasses.asdict(one.flagged[0]) == snapshot


def test_contrast_of_level_colours_and_words_beside_them(demo):
    css = (ROOT / "reports" / "templates" / "style.css").read_text("utf-8")
    for level in ("s0", "s1", "s2", "s3", "s9"):
        assert f".level.{level}" in css
    text = (demo["zh"] / "index.html").read_text("utf-8")
    for tile in re.findall(r'class="tile s\d"[^>]*>(.*?)</(?:a|span)>', text):
        assert "<small>" in tile  # a letter beside the colour
