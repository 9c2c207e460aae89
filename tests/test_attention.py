"""Attention in the report: counts, refusals, probabilities, and levels that stay as they are."""

from __future__ import annotations

import dataclasses
import datetime as dt
import itertools
import json
import math
import re
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from debtwatch.early_warning.applied import (
    Applied,
    Said,
    _drift,
    _unjudged,
    apply_model,
    refusal,
)
from debtwatch.early_warning.drift import Drift
from debtwatch.early_warning.features import build_sample
from debtwatch.early_warning.model_file import save_model
from debtwatch.early_warning.sample import Note
from debtwatch.early_warning.score import score
from debtwatch.early_warning.store_rows import observations_of_store
from debtwatch.errors import ModelProblem
from debtwatch.language import language
from debtwatch.panel.panel import build_panel
from debtwatch.panel.period import quarter
from debtwatch.panel.read import read_file
from debtwatch.panel.store import open_store
from debtwatch.reporting.assemble import Options, build_context
from debtwatch.reporting.attention import AttentionParts, count_entries, count_of
from debtwatch.reporting.quarterly import quarterly_report
from debtwatch.reporting.render import render_index
from debtwatch.reporting.study import run_study
from debtwatch.rules.rulebook import Bilingual, load_rulebooks
from tests.attention_cases import AS_OF as COUNTY_DAY
from tests.attention_cases import (
    REPORT_QUARTER,
    counties,
    county_model,
    county_spec,
    of_country,
)
from tests.conftest import AS_OF, EXAMPLE
from tests.trained_case import sample, trained

BOOKS = load_rulebooks()


# -- counts without a model ------------------------------------------------------------------------


@settings(max_examples=60)
@given(
    state=arrays.arrays(
        float, st.tuples(st.integers(1, 4), st.integers(1, 7)),
        elements=st.sampled_from([0.0, 1.0, float("nan")]),
    ),
    horizon=st.integers(1, 4),
)  # fmt: skip
def test_entries_are_counted_as_one_would_by_hand(state, horizon):
    followed = events = entries = 0
    for row in state.tolist():
        for t, now in enumerate(row[: max(len(row) - horizon, 0)]):
            window = row[t + 1 : t + 1 + horizon]
            if now == 0 and (1 in window or all(x == 0 for x in window)):
                followed += 1
                events += 1 in window
        known = [x for x in row if not math.isnan(x)]
        entries += sum(a == 0 and b == 1 for a, b in itertools.pairwise(known))
    assert count_entries(state, horizon) == (followed, events, entries)


def test_the_issuers_are_too_few_for_a_learned_model(demo):
    """Counted again from the levels printed on the unit pages."""
    data = json.loads((demo["en"] / "report.json").read_text("utf-8"))
    section = data["attention"]
    assert section["models"] == []
    assert section["governments"] == len(data["units"]) == 37
    histories = [[p["value"] for p in page["path"] if p["kind"] == "history"
                  and p["quarter"].endswith("Q4")] for page in data["pages"]]  # fmt: skip
    entries = sum(a < 2 <= b for h in histories for a, b in itertools.pairwise(h))
    assert section["entries"] == section["events"] == entries > 0
    said = " ".join(section["needs"])
    assert "37 governments instead of 100" in said
    assert f"{entries} entries instead of 50" in said
    page = (demo["en"] / "index.html").read_text("utf-8")
    for text in section["needs"]:
        assert text.split(":")[0] in page
    assert "it never lowers a level" in page
    chinese = json.loads((demo["zh"] / "report.json").read_text("utf-8"))["attention"]
    assert chinese["entries"] == entries
    assert len(chinese["needs"]) == len(section["needs"])


def test_a_store_with_enough_is_told_what_to_do(county_study):
    study, _ = county_study
    count = count_of(study)
    assert count.frequency == "quarter"
    assert count.periods == 32  # from 2018Q1, the first quarter of the rulebook, to 2025Q4
    assert count.worse.id == "orange"
    assert count.provinces == len(set(study.panel.units["parent"])) < 5
    enough = replace(count, governments=2850, provinces=40, entries=300)
    parts = AttentionParts([], study, language("en"), {}, levels={})
    said = " ".join(parts._needs(enough))
    assert "debtwatch train" in said
    assert "cn-counties-entry.toml" in said
    assert "Too few" not in said
    lacking = " ".join(parts._needs(count))
    assert "60 governments instead of 100" in lacking
    assert "provinces instead of 5" in lacking


def test_the_shipped_specification_has_the_figures_that_are_named():
    from debtwatch.reporting import attention

    assert len(county_spec().feature) == attention.SHIPPED_FEATURES


# -- with a model ----------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def county_study():
    with open_store(counties()) as store:
        panel = build_panel(store.known_on(COUNTY_DAY))
        applied = apply_model(county_model(), store, panel, quarter=REPORT_QUARTER, books=BOOKS)
    return run_study(panel, REPORT_QUARTER, rulebooks=BOOKS, paths=200), applied


def section_of(study, applied, lang="en"):
    codes = [str(u) for u in study.panel.units.index]
    levels = dict(zip(codes, study.levels(study.column), strict=True))
    pages = dict.fromkeys(codes, True)
    return AttentionParts([applied], study, language(lang), pages, levels=levels)


def test_probabilities_are_those_of_the_model(county_study):
    study, applied = county_study
    model = section_of(study, applied).section().models[0]
    assert model.refused == ""
    assert model.synthetic
    assert model.known_on == "2026-03-16"
    assert len(model.rows) == len(study.panel.units)
    with open_store(counties()) as store:
        observations, projection = observations_of_store(
            store, county_spec(), as_of=COUNTY_DAY, books=BOOKS,
            origins=range(REPORT_QUARTER - 5, REPORT_QUARTER + 1), projected=[REPORT_QUARTER],
        )  # fmt: skip
    sample = build_sample(observations, county_spec(), books=BOOKS, origins=[REPORT_QUARTER],
                          projection=projection)  # fmt: skip
    scores = score(county_model(), sample)
    expected = dict(zip(scores.unit, scores.probability, strict=True))
    spoken = [row for row in model.rows if row.signal != "silent"]
    assert len(spoken) > 40
    for row in spoken:
        assert row.probability == pytest.approx(expected[row.unit], rel=1e-12)
        assert row.low <= row.probability <= row.high
        assert row.silent == ""
    shown = [row.probability for row in spoken]
    assert shown == sorted(shown, reverse=True)
    assert next(row.rank for row in spoken) == 1
    assert sum(row.listed for row in spoken) == math.ceil(0.1 * len(spoken))


def test_a_government_in_the_class_gets_no_probability(county_study):
    study, applied = county_study
    model = section_of(study, applied).section().models[0]
    inside = [row for row in model.rows if row.level in {"orange", "red"}]
    assert inside
    for row in inside:
        assert row.probability is None
        assert row.reasons == []
        assert "the level counts" in row.silent
    assert model.alerts + model.watches + model.quiet + model.silences == len(model.rows)


def test_silence_is_never_the_absence_of_a_signal(county_study):
    study, applied = county_study
    unit = str(study.panel.units.index[0])
    for why in ("no row", "missing", "stale", "outside"):
        said = {} if why == "no row" else {unit: Said(why, 0.9, 0.9, 0.9, "alert", listed=True)}
        model = section_of(study, replace(applied, said=said)).section().models[0]
        row = next(r for r in model.rows if r.unit == unit)
        assert (row.probability, row.signal, row.listed) == (None, "silent", False)
        assert row.silent


def test_reasons_are_words_in_both_languages(county_study):
    study, applied = county_study
    for lang, tenth in (("en", "among the highest"), ("zh", "债务")):
        rows = section_of(study, applied, lang).section().models[0].rows
        first = next(r for r in rows if r.signal in {"alert", "watch"})
        assert 1 <= len(first.reasons) <= 3
        assert any(tenth in text for text in first.reasons)


def test_a_model_not_to_be_trusted_says_so_first(county_study):
    study, applied = county_study
    reason = Note("Probabilities have moved (PSI {psi}).", {"psi": "0.40"})
    drifted = replace(applied, drift=Drift("do not trust", (reason,)))
    parts = section_of(study, drifted)
    model = parts.section().models[0]
    assert model.untrusted
    assert model.warnings[0].startswith("Do not trust this model now: Probabilities have moved")
    assert all(row.caution == model.warnings[0] for row in model.rows)
    stable = section_of(study, replace(applied, drift=Drift("stable", ()))).section().models[0]
    assert not stable.untrusted
    assert all(row.caution == "" for row in stable.rows)
    assert "invented data" in stable.warnings[0]


def test_rows_that_the_model_learned_from_are_no_test_of_it():
    model, past = trained(), sample(seed=9)
    wrong = replace(past, y=np.ones(len(past)), period=np.full(len(past), 2021, np.int64))
    wrong.y[::5] = 0.0
    scores = score(model, past)
    assert _drift(model, past, scores, wrong).level == "do not trust"
    learned = replace(wrong, period=np.full(len(past), 2020, np.int64))
    assert _drift(model, past, scores, learned).level == "stable"
    assert [note.template[:20] for note in _unjudged(model, 2020)] == ["No outcome is known "]
    assert _unjudged(model, 2021) == []


# -- refusals --------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def issuers_panel(tmp_path_factory):
    path = tmp_path_factory.mktemp("issuers") / "s.duckdb"
    with open_store(path, create=True) as store:
        store.add(read_file(EXAMPLE / "issuers.xlsx"), known_from=AS_OF)
        return build_panel(store.known_on(AS_OF))


def real(model):
    return replace(model, spec=model.spec.model_copy(update={"synthetic": False}))


def test_a_model_of_another_country_is_never_applied(county_study):
    study, _ = county_study
    found = refusal(of_country("BR"), study.panel)
    assert "another country" in found.template
    assert found.values == {"country": "BR"}


def test_a_model_of_invented_data_is_never_applied_to_real_accounts(issuers_panel):
    assert "invented data" in refusal(county_model(), issuers_panel).template


def test_a_model_of_quarters_is_not_applied_to_years(issuers_panel):
    assert "quarterly accounts" in refusal(real(county_model()), issuers_panel).template


def test_a_model_of_other_governments_is_not_applied(issuers_panel, county_study):
    counties_by_year = replace(real(county_model()), frequency="year")
    found = refusal(counties_by_year, issuers_panel)
    assert "other governments" in found.template
    assert found.values["provinces"] == 37
    study, _ = county_study
    assert refusal(county_model(), study.panel) is None
    yearly = replace(county_model(), frequency="year")
    assert "yearly accounts" in refusal(yearly, study.panel).template


def test_a_model_that_asks_for_other_columns_is_refused_with_the_reason(county_study):
    study, _ = county_study
    feature = county_spec().feature[0].model_copy(update={"of": "population_density"})
    strange = replace(county_model(), spec=county_spec(feature=(feature,)))
    with open_store(counties()) as store:
        applied = apply_model(strange, store, study.panel, quarter=REPORT_QUARTER, books=BOOKS)
    model = section_of(study, applied).section().models[0]
    assert "population_density" in model.refused
    assert model.rows == []
    assert section_of(study, applied).section().needs  # and what one would need


def test_governments_of_other_provinces_are_counted(county_study):
    study, _ = county_study
    own = study.panel.units["parent"].iloc[-1]
    known = county_model().medians.drop(index=own)
    with open_store(counties()) as store:
        applied = apply_model(replace(county_model(), medians=known), store, study.panel,
                              quarter=REPORT_QUARTER, books=BOOKS)  # fmt: skip
    parents = study.panel.units["parent"].astype(str)
    assert applied.refused is None
    assert [n.values for n in applied.notes] == [{"count": int((parents == own).sum())}]


# -- the report ------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def reports(tmp_path_factory):
    """Reports of the invented counties without and with the model."""
    work = tmp_path_factory.mktemp("reports")
    title = Bilingual(zh="<b>进入</b>橙色", en="Entry <script>alert(1)</script>")
    model = replace(county_model(), spec=county_spec(title=title))
    save_model(model, work / "model")
    quarterly_report(
        counties(), REPORT_QUARTER, out=work / "with", models=[work / "model"], as_of=COUNTY_DAY,
        lang="en",
    )  # fmt: skip
    return work


@pytest.fixture(scope="module")
def contexts(county_study):
    """Report without and with the classifier, as values."""
    study, applied = county_study
    return {
        name: build_context(study, language("en"), Options(classifiers=given), "test")
        for name, given in (("without", ()), ("with", (applied,)))
    }


def test_levels_are_the_same_with_and_without_a_model(contexts):
    data = {name: dataclasses.asdict(context) for name, context in contexts.items()}
    assert any(unit["attention"] for unit in data["with"]["units"])
    for whole in data.values():
        for unit in whole["units"]:
            unit.pop("attention"), unit.pop("attention_signal")
        for page in whole["pages"]:
            page.pop("attention")
    assert data["with"].pop("attention")["needs"] == []
    assert data["without"].pop("attention")["models"] == []
    assert data["with"] == data["without"]


def test_the_column_is_there_only_with_a_model(contexts):
    for name, there in (("without", False), ("with", True)):
        index = render_index(contexts[name])
        table = re.search(r'<table id="units".*?</thead>', index, re.DOTALL)[0]
        assert ("Attention" in table) is there
        body = index.split('<table id="units"')[1]
        assert bool(re.findall(r'class="a-(?:watch|alert)"', body)) is there


def test_column_section_and_page_show_what_the_json_holds(reports):
    data = json.loads((reports / "with" / "report.json").read_text("utf-8"))
    model = data["attention"]["models"][0]
    by_unit = {row["unit"]: row for row in model["rows"]}
    for unit in data["units"]:
        assert unit["attention"] == by_unit[unit["unit"]]["probability"]
        assert unit["attention_signal"] == by_unit[unit["unit"]]["signal"]
    index = (reports / "with" / "index.html").read_text("utf-8")
    table = re.search(r'<table id="units".*?</table>', index, re.DOTALL)[0]
    heads = re.findall(r"<th[^>]*>([^<]*)</th>", table.split("</thead>")[0])
    assert heads[-2:] == ["Attention", "Projects"]
    section = re.search(r'<section class="attention">.*?</section>', index, re.DOTALL)[0]
    assert section.index("it never lowers a level") < section.index("<table")
    signalled = [row for row in model["rows"] if row["signal"] in {"alert", "watch"}]
    assert signalled
    for row in signalled:
        assert row["name"] in section
    page = (reports / "with" / "units" / f"{signalled[0]['unit']}.html").read_text("utf-8")
    own = re.search(r'<section class="attention">.*?</section>', page, re.DOTALL)[0]
    assert "it never lowers a level" in own
    for text in signalled[0]["reasons"]:
        assert text in own
    assert "<script>alert" not in index + page


def test_the_manifest_names_the_model(reports):
    from debtwatch.provenance import sha256_of_file

    manifest = json.loads((reports / "with" / "manifest.json").read_text("utf-8"))
    digest = sha256_of_file(reports / "model" / "model.json")
    assert manifest["classifiers"] == [{"id": "cn-counties-entry", "sha256": digest}]


def test_a_tampered_model_stops_the_report_before_anything_is_written(reports, tmp_path):
    import shutil

    shutil.copytree(reports / "model", tmp_path / "model")
    path = tmp_path / "model" / "model.json"
    path.write_bytes(path.read_bytes().replace(b"0.1", b"0.2", 1))
    with pytest.raises(ModelProblem, match="changed or damaged"):
        quarterly_report(counties(), REPORT_QUARTER, as_of=COUNTY_DAY, out=tmp_path / "r",
                         models=[tmp_path / "model"])  # fmt: skip
    assert not (tmp_path / "r").exists()


def test_a_foreign_model_is_named_and_not_applied(tmp_path):
    """Brazil's model on Chinese accounts: the report is written and says no."""
    save_model(of_country("BR"), tmp_path / "model")
    with open_store(tmp_path / "s.duckdb", create=True) as store:
        store.add(read_file(EXAMPLE / "issuers.xlsx"), known_from=AS_OF)
    written = quarterly_report(
        tmp_path / "s.duckdb", quarter(2024, 4), as_of=AS_OF, out=tmp_path / "r", lang="en",
        models=[tmp_path / "model"],
    )  # fmt: skip
    model = written.context.attention.models[0]
    assert "another country (BR)" in model.refused
    assert model.rows == []
    assert all(unit.attention is None for unit in written.context.units)
    assert all(page.attention == [] for page in written.context.pages)
    assert written.context.attention.needs
    assert "another country (BR)" in (tmp_path / "r" / "index.html").read_text("utf-8")


def test_applied_values_are_frozen():
    with pytest.raises(dataclasses.FrozenInstanceError):
        Applied(county_model(), "").day = dt.date(2026, 1, 1)  # type: ignore[misc]
    assert np.isnan(Said.silence("stale").probability)
