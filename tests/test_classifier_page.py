"""Page, metrics and model card of a classifier: figures, words, files."""

from __future__ import annotations

import csv
import dataclasses
import io
import json
import re
import tomllib
from dataclasses import replace
from functools import cache
from html.parser import HTMLParser

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from debtwatch.early_warning.metrics import Difference, MeanInterval
from debtwatch.early_warning.model_file import load_model
from debtwatch.early_warning.sample import Note
from debtwatch.errors import ModelProblem
from debtwatch.language import language
from debtwatch.reporting import classifier_card, render
from debtwatch.reporting.classifier_card import write_model_folder
from debtwatch.reporting.classifier_charts import CHARTS, classifier_charts
from debtwatch.reporting.classifier_context import classifier_keys
from debtwatch.reporting.classifier_files import predictions_csv, toml_text
from debtwatch.reporting.classifier_names import (
    measure_text,
    model_label,
    part_label,
    partition_label,
    target_text,
    unreported_text,
)
from debtwatch.reporting.classifier_numbers import verdict
from debtwatch.reporting.classifier_page import classifier_context
from debtwatch.reporting.classifier_words import classifier_text
from debtwatch.reporting.render import (
    in_markdown,
    refuse_foreign_classifier,
    render_card_markdown,
    render_classifier,
    write_classifier_backtest,
)
from tests.experiment_case import ORIGINS, ROWS, do_not_trust, experiment
from tests.trained_case import spec, trained

EN, ZH = language("en"), language("zh")
HOSTILE = "<script>alert(1)</script>|*x*"


def context_of(found, words=EN, *, with_model=True):
    return classifier_context(
        found, words=words, sources={"a.csv": "f" * 64}, versions={"numpy": "2.4.6"},
        trained=trained() if with_model else None,
    )  # fmt: skip


@cache
def useful():
    return experiment()


@cache
def useless():
    return experiment(useful=0.0)


@cache
def usual(code="en"):
    return context_of(useful(), language(code))


@pytest.fixture
def no_charts(monkeypatch):
    """Charts are slow: where they are not looked at, an empty one stands in."""
    monkeypatch.setattr(
        render, "classifier_charts", lambda *_: dict.fromkeys(CHARTS, "<svg></svg>")
    )


def gap(against, metric, value, low, high):
    return Difference("average", against, metric, value, low, high, 0.5)


# -- values ----------------------------------------------------------------------------------------


def keys_of(value, prefix=""):
    if isinstance(value, dict):
        for name, part in value.items():
            yield f"{prefix}{name}"
            yield from keys_of(part, f"{prefix}{name}.")
    elif isinstance(value, list):
        for part in value:
            yield from keys_of(part, f"{prefix.removesuffix('.')}[].")


def test_metrics_hold_the_documented_keys_and_plain_values_only():
    context = usual()
    assert json.loads(json.dumps(context, allow_nan=False)) == context
    free = ("sources.", "versions.", "findings.", "training.calibration.")
    found = {key for key in keys_of(context) if not key.startswith(free)}
    assert found == {row[0] for row in classifier_keys()}
    assert all(meaning for *_, meaning in classifier_keys())


def test_figures_are_those_of_the_back_test():
    context, found = usual(), useful()
    score = found.score_of("average")
    used = next(m for m in context["models"] if m["used"])
    assert (used["id"], used["auc"]["mean"]) == ("average", score.auc.mean)
    assert used["brier"] == dataclasses.asdict(score.brier)
    assert used["mean_p"] == pytest.approx(found.predictions["average"].mean())
    assert used["watch"]["hits"] == score.watch.hits
    assert [m["kind"] for m in context["models"]] == ["rule"] * 2 + ["learned"] * 3
    assert context["test"]["governments"] == ROWS
    assert (context["test"]["first"], context["test"]["last"]) == ("2019", "2021")
    assert context["counts"]["censored_share"] == pytest.approx(40 / 760)
    assert [v["total"] for v in context["drift"]["vintages"]] == list(found.cusum.total)
    assert context["drift"]["shifts"][0]["label"] == "Debt ratio"
    assert any("Debt ratio 0.31" in reason for reason in context["drift"]["reasons"])


@pytest.mark.usefixtures("no_charts")
def test_what_is_not_known_is_none():
    nan = float("nan")
    found = useful()
    vintage = replace(found.vintages[0], intercept=nan, se=nan, z=nan)
    score = replace(found.scores[0], auc=MeanInterval(nan, nan, nan), skill_test=float("-inf"))
    context = context_of(replace(
        found, vintages=(vintage, *found.vintages[1:]), scores=(score, *found.scores[1:]),
        coverage=None,
    ))  # fmt: skip
    json.dumps(context, allow_nan=False)
    assert context["drift"]["vintages"][0]["intercept"] is None
    assert context["models"][0]["skill_test"] is None
    assert "—" in render_classifier(context, "en")


def test_flags_and_counts_of_numpy_become_plain():
    found = useful()
    cusum = replace(found.cusum, alarm=np.bool_(True), first_alarm=np.int64(2020))
    counts = replace(found.counts, rows=np.int64(7))
    context = context_of(replace(found, cusum=cusum, counts=counts))
    assert json.loads(json.dumps(context)) == context
    assert context["drift"]["first_alarm"] == "2020"


def test_effects_of_the_champion_follow_their_signs():
    effects = {e["id"]: e for e in usual()["training"]["effects"]}
    assert effects["debt"]["effect"] > 0 > effects["gap"]["effect"]
    # Moving the distance from its first decile to its last moves the log-odds by their difference.
    logit, model = trained().logit, trained()
    rows = pd.concat([model.medians.loc[[""]]] * 2, ignore_index=True)[list(model.spec.names)]
    rows["debt"] = [effects["debt"]["low"], effects["debt"]["high"]]
    low, high = logit.log_odds(rows)
    assert effects["debt"]["effect"] == pytest.approx(high - low)


@pytest.mark.parametrize(
    ("metric", "low", "high", "expected"),
    [("auc", 0.01, 0.02, "better"), ("auc", -0.01, 0.02, "unclear"), ("auc", -2, -1, "worse"),
     ("brier", 0.01, 0.02, "worse"), ("brier", -0.02, -0.01, "better"),
     ("pr_auc", 0.0, 0.02, "unclear"), ("auc", np.nan, np.nan, "unknown")],
)  # fmt: skip
def test_a_difference_counts_only_when_its_interval_does_not_hold_zero(metric, low, high, expected):
    assert verdict(gap("distance", metric, 0.0, low, high)) == expected


# -- words -----------------------------------------------------------------------------------------


def test_the_summary_says_what_an_official_needs():
    context = usual()
    text = " ".join(context["findings"]["summary"])
    found = useful()
    y, p = found.predictions["y"], found.predictions["average"]
    top = pd.concat([p[found.predictions["period"] == t].nlargest(24) for t in ORIGINS]).index
    assert f"in {int(y.sum())} of them" in text
    assert f"held {100 * y[top].sum() / y.sum():.0f}% of the events" in text
    assert f"on a list {100 * y[top].mean():.1f}% had one" in text
    assert "beats the rule “Distance to the line” by AUC, PR-AUC, Brier score" in text
    gain = next(d for d in found.differences if (d.against, d.metric) == ("distance", "auc"))
    assert f"+{100 * gain.value:.1f} points" in text
    assert "lower than that of giving everyone" in text


def test_it_says_so_when_the_classifier_does_not_beat_the_distance():
    context = context_of(useless())
    text = " ".join(context["findings"]["summary"])
    assert "beats the rule “Distance to the line”" not in text
    assert "does not" in text or "worse by" in text
    assert "HIGHER than that of giving everyone" in text


@pytest.mark.parametrize(
    ("gaps", "sentence", "warned"),
    [
        ([("auc", 0.1, 0.05, 0.2), ("brier", 0.0, -0.1, 0.1)],
         "beats the rule “Distance to the line” by AUC.", False),
        ([("auc", 0.1, -0.05, 0.2), ("brier", 0.0, -0.1, 0.1)], "does not clearly beat", False),
        ([("auc", -0.1, -0.2, -0.05), ("brier", 0.0, -0.1, 0.1)], "is worse by AUC", True),
        ([("auc", 0.0, -0.1, 0.1), ("brier", 0.1, 0.05, 0.2)], "is worse by Brier score", False),
        ([("auc", 0.1, 0.05, 0.2), ("brier", 0.1, 0.05, 0.2)],
         "is better by AUC and worse by Brier score", False),
        ([("auc", 0.1, np.nan, np.nan)], "cannot be said", False),
    ],
)  # fmt: skip
def test_each_standing_has_its_sentence(gaps, sentence, warned):
    found = replace(useful(), differences=tuple(gap("distance", *g) for g in gaps))
    said = context_of(found)["findings"]
    assert sentence in " ".join(said["summary"])
    assert any("Use that instead" in w for w in said["warnings"]) == warned


@pytest.mark.usefixtures("no_charts")
def test_leaks_and_drift_are_warned_of_first():
    found = replace(useful(), leaked=("debt",), drift=do_not_trust())
    context = context_of(found)
    warnings = context["findings"]["warnings"]
    assert "knew the future" in warnings[0]
    assert "debt" in warnings[0]
    assert "not to be trusted" in warnings[1]
    assert context["findings"]["drift"][1] == "At 2021 it was out."
    for page in (render_classifier(context, "en"), render_card_markdown(context, "en", {})):
        assert page.index("knew the future") < page.index("Predicted:")
    assert classifier_text(context, EN).index("knew the future") < 200
    stable = replace(found.drift, level="stable", reasons=())
    assert context_of(replace(useful(), drift=stable))["findings"]["warnings"] == []


def test_few_events_origins_and_versions_are_said():
    two = replace(useful(), rules=("a@1", "a@2"))
    limits = " ".join(context_of(two)["findings"]["limits"])
    assert "2 versions of the rule (a@1, a@2)" in limits
    assert "Origins judged: 3" in limits
    assert "Only" not in limits
    few = tuple(replace(s, events=30) for s in useful().scores)
    limits = " ".join(context_of(replace(useful(), scores=few))["findings"]["limits"])
    assert "Only 30 events" in limits


def test_a_back_test_whose_score_is_the_distance_is_not_compared_with_itself():
    rest = [d for d in useless().differences if d.against != "distance"]
    found = replace(useless(), production="distance", differences=tuple(rest))
    summary = " ".join(context_of(found)["findings"]["summary"])
    assert "is the distance to the line itself" in summary
    assert "simple rules by PR-AUC was “Event rate so far”" in summary


TARGETS = {
    "entry": ({"kind": "entry", "horizon": 2, "ratio": "debt", "line": 0.8, "operator": ">"},
              "a government that does not meet “Debt ratio > 0.8” now meets it within 2 years"),
    "status": ({"kind": "status", "horizon": 1, "class": "grade", "worse": ["C", "D"]},
               "a government meets “class C/D” one year from now"),
    "event": ({"kind": "event", "horizon": 3, "event": "default"},
              "an event of the list “default” happens within 3 years"),
}  # fmt: skip


@pytest.mark.parametrize("kind", TARGETS)
def test_the_target_in_words(kind):
    table, text = TARGETS[kind]
    features = [f for f in spec().model_dump(by_alias=True)["feature"] if f["measure"] == "level"]
    given_spec = spec(target=table, feature=features)
    assert target_text(given_spec, "year", EN) == text
    assert unreported_text(given_spec.target, EN)


def test_names_of_features_models_and_parts():
    by_id = {f.id: f for f in spec().feature}
    assert measure_text(by_id["trend"], "quarter", EN) == "change over one quarter"
    lagged = by_id["size"].model_copy(update={"lag": 2})
    assert measure_text(lagged, "year", EN) == "the figure itself, logarithm, 2 years earlier"
    assert model_label("distance", spec(), EN) == "Distance to the line"
    other = spec(distance="size")
    assert model_label("distance", other, EN) == "One figure alone: Population"
    assert model_label("unheard", spec(), EN) == "unheard"
    assert partition_label("size", spec(), EN).startswith("Population, quarters")
    assert part_label("size", "4", 0, EN) == "highest quarter"
    assert part_label("group", "4", 0, EN) == "4"  # a province may be called 4
    assert part_label("group", "other", 7, EN) == "others, 7 parts together"


# -- pages -----------------------------------------------------------------------------------------


class Pairs(HTMLParser):
    """Whether every element that was opened is closed, in order."""

    void = frozenset({"meta", "br", "link", "img", "hr", "input", "path", "rect", "line"})

    def __init__(self):
        super().__init__()
        self.open, self.faults, self.rows = [], [], []

    def handle_starttag(self, tag, attributes):
        if tag not in self.void:
            self.open.append(tag)

    def handle_endtag(self, tag):
        if tag in self.void:
            return
        if not self.open or self.open.pop() != tag:
            self.faults.append(tag)


@pytest.mark.parametrize("code", ["en", "zh"])
@pytest.mark.parametrize("card", [False, True])
def test_pages_are_well_formed_and_need_nothing_else(code, card):
    context = usual(code)
    files = {"model.json": "a" * 64}
    page = render.render_card(context, code, files) if card else render_classifier(context, code)
    parser = Pairs()
    parser.feed(page)
    assert (parser.faults, parser.open) == ([], [])
    assert page.count("<svg") == len(CHARTS)
    addresses = set(re.findall(r"https?://[^\s\"'<]+", page))
    assert addresses <= {"http://www.w3.org/2000/svg", "http://www.w3.org/1999/xlink"}
    assert "<script" not in page
    assert 'class="banner synthetic"' in page
    used = next(m for m in context["models"] if m["used"])
    assert f"{used['auc']['mean']:.3f}" in page
    assert "None" not in re.sub(r"<svg.*?</svg>", "", page, flags=re.DOTALL)
    assert ("model.json" in page) == card


@pytest.mark.usefixtures("no_charts")
def test_real_data_carry_no_banner_of_synthetic_ones():
    found = replace(useful(), spec=spec(synthetic=False))
    context = context_of(found)
    assert 'class="banner synthetic"' not in render_classifier(context, "en")
    assert "invented. They" not in render_card_markdown(context, "en", {})
    assert "invented. They" in render_card_markdown(usual(), "en", {})


def test_names_from_outside_cannot_write_the_page():
    label = {"zh": HOSTILE, "en": HOSTILE}
    features = [{**f, "label": label} for f in spec().model_dump(by_alias=True)["feature"]]
    hostile = spec(title=label, owner=HOSTILE, note=label, feature=features)
    groups = tuple(replace(s, label=HOSTILE, pooled=0) for s in useful().subgroups)
    origins = tuple(replace(o, notes=(HOSTILE,)) for o in useful().origins)
    found = replace(
        useful(), spec=hostile, subgroups=groups, origins=origins, rules=(HOSTILE,),
        drift=replace(do_not_trust(), reasons=(Note("{x}", {"x": HOSTILE}),)),
    )  # fmt: skip
    context = classifier_context(
        found, words=EN, sources={HOSTILE: "f" * 64}, versions={"numpy": "2"}, trained=trained()
    )
    for page in (render_classifier(context, "en"), render.render_card(context, "en", {})):
        assert "<script" not in page
        assert "&lt;script&gt;" in page
    text = render_card_markdown(context, "en", {HOSTILE: "a" * 64})
    assert "<script" not in text
    assert r"\|\*x\*" in text
    tables_agree(text)


def tables_agree(text):
    """Every row of a Markdown table has as many cells as its heading."""
    cells = 0
    for line in text.splitlines():
        count = len(re.findall(r"(?<!\\)\|", line)) if line.startswith("|") else 0
        assert not (count and cells) or count == cells, line
        cells = count


@pytest.mark.parametrize("code", ["en", "zh"])
def test_the_card_in_markdown(code):
    text = render_card_markdown(usual(code), code, {"model.json": "a" * 64})
    read = MarkdownIt("commonmark").enable("table").parse(text)
    assert sum(t.type == "table_open" for t in read) == 7
    assert not [t for t in read if t.type == "html_block"]
    tables_agree(text)
    assert text.startswith("# ")
    assert text.endswith("\n")
    assert "\n\n\n" not in text
    assert text.count("\n## ") == 15
    assert {"calibration.svg", "lead_time.svg"} == set(re.findall(r"\]\((.*?)\)", text))
    assert "a" * 64 in text
    assert "None" not in text


@given(st.text(alphabet=st.sampled_from("ab1.) -+=>#*_`~![]()<&|\\\n\t:/"), max_size=14))
@settings(max_examples=300)
def test_markdown_text_stays_text(text):
    reader = MarkdownIt("commonmark").enable(["table", "strikethrough"])
    safe = str(in_markdown(text))
    for line in (safe, f"word {safe}"):
        tokens = reader.parse(line)
        assert {t.type for t in tokens} <= {"paragraph_open", "inline", "paragraph_close"}
        inner = [c for t in tokens for c in t.children or []]
        assert {c.type for c in inner} <= {"text"}
        shown = "".join(c.content for c in inner)
        assert shown.split() == (line.removesuffix(safe) + text).split()


# -- charts ----------------------------------------------------------------------------------------


def test_charts_show_what_there_is():
    charts = classifier_charts(usual(), "en")
    assert set(charts) == set(CHARTS)
    assert "Distance to the line" in charts["reliability"]
    assert "better to the left" in charts["differences"]
    assert all(str(events) in charts["lead"] for _, events in usual()["lead"]["counts"])
    assert all(period in charts["intercept"] for period in ("2019", "2020", "2021"))
    nothing = {
        **usual(), "models": [], "differences": [], "lead": {"counts": []},
        "drift": {"vintages": []},
    }  # fmt: skip
    assert set(classifier_charts(nothing, "en").values()) == {""}


def test_charts_bear_what_is_not_known():
    differences = [{**d, "lower": None, "upper": None, "verdict": "unknown"}
                   for d in usual()["differences"]]  # fmt: skip
    context = {**usual(), "differences": differences}
    assert CHARTS["differences"](context, "en").startswith("<svg")


# -- files -----------------------------------------------------------------------------------------


def test_a_back_test_is_written_whole_and_repeats_byte_for_byte(tmp_path):
    out = tmp_path / "back-test"
    write_classifier_backtest(usual(), useful().predictions, out, lang="en")
    content = {p.name: p.read_bytes() for p in out.iterdir()}
    assert set(content) == {"index.html", "metrics.json", "predictions.csv", "manifest.json"}
    write_classifier_backtest(usual(), useful().predictions, out, lang="en")
    assert {p.name: p.read_bytes() for p in out.iterdir()} == content
    assert json.loads(content["metrics.json"]) == usual()
    manifest = json.loads(content["manifest.json"])
    assert manifest["kind"] == "classifier"
    assert manifest["origins"] == ["2019", "2020", "2021"]
    assert manifest["packages"]["numpy"] == "2.4.6"
    assert manifest["inputs"] == [{"file": "a.csv", "sha256": "f" * 64}]
    assert {"classifier.html", "card.md.jinja"} <= set(manifest["templates"])


@pytest.mark.usefixtures("no_charts")
def test_a_foreign_folder_is_left_alone(tmp_path):
    (tmp_path / "mine.txt").write_text("x", "utf-8")
    with pytest.raises(ModelProblem, match="holds other files"):
        refuse_foreign_classifier(tmp_path)
    with pytest.raises(ModelProblem, match="holds other files"):
        write_classifier_backtest(usual(), useful().predictions, tmp_path, lang="en")
    with pytest.raises(ModelProblem, match="holds no model"):
        write_model_folder(usual(), trained(), tmp_path, lang="en")
    assert [p.name for p in tmp_path.iterdir()] == ["mine.txt"]


@pytest.mark.usefixtures("no_charts")
def test_a_write_that_fails_leaves_the_earlier_folder(tmp_path, monkeypatch):
    out = tmp_path / "out"
    write_classifier_backtest(usual(), useful().predictions, out, lang="en")
    before = {p.name: p.read_bytes() for p in out.iterdir()}

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(render, "predictions_csv", full)
    with pytest.raises(ModelProblem, match="No space left"):
        write_classifier_backtest(usual("zh"), useful().predictions, out, lang="zh")
    assert {p.name: p.read_bytes() for p in out.iterdir()} == before
    assert [p.name for p in tmp_path.iterdir()] == ["out"]


def test_predictions_keep_their_digits_and_are_no_formulas():
    found = useful().predictions
    table = found.assign(unit=["=HYPERLINK()", *found["unit"][1:]])
    rows = list(csv.DictReader(io.StringIO(predictions_csv(table, "year"))))
    assert len(rows) == len(found)
    assert rows[0]["unit"] == "'=HYPERLINK()"
    assert rows[1]["unit"] == "0001"
    assert [float(r["average"]) for r in rows] == found["average"].tolist()
    assert {r["y"] for r in rows} == {"0", "1"}
    assert {r["event_period"] for r in rows} == {"", "2020", "2021", "2022"}
    quarters = predictions_csv(found.assign(period=4 * 2021 + 2), "quarter")
    assert "2021Q3" in quarters


def test_an_earlier_model_is_replaced(tmp_path, monkeypatch):
    monkeypatch.setattr(classifier_card, "render_card", lambda *_: "first")
    write_model_folder(usual(), trained(), tmp_path / "m", lang="en")
    monkeypatch.setattr(classifier_card, "render_card", lambda *_: "second")
    write_model_folder(usual(), trained(), tmp_path / "m", lang="en")
    assert (tmp_path / "m" / "card.html").read_text("utf-8") == "second"
    assert [p.name for p in tmp_path.iterdir()] == ["m"]


@pytest.mark.parametrize("code", ["en", "zh"])
def test_a_model_folder_opens_again_and_its_card_tells_the_same(tmp_path, code):
    out = tmp_path / "model"
    sums = write_model_folder(usual(code), trained(), out, lang=code)
    assert {p.name for p in out.iterdir()} == {
        "model.json", "trees.skops", "card.toml", "card.md", "card.html", "calibration.svg",
        "lead_time.svg",
    }  # fmt: skip
    card = tomllib.loads((out / "card.toml").read_text("utf-8"))
    assert card["files"] == sums
    assert load_model(out).spec == trained().spec
    assert card["synthetic"] is True
    assert card["drift"]["level"] == usual()["drift"]["level"]
    models = {m["id"]: m for m in card["model"]}
    assert models["average"]["auc"] == useful().score_of("average").auc.mean
    assert "calibration_slope" not in models["climatology"]  # one probability has no slope
    assert len(card["difference"]) == 12
    for name in ("calibration.svg", "lead_time.svg"):
        assert (out / name).read_text("utf-8").startswith("<svg")
    assert sums["trees.skops"] in (out / "card.md").read_text("utf-8")


VALUES = st.one_of(
    st.booleans(), st.integers(-(2**62), 2**62), st.floats(allow_nan=False), st.text(max_size=12)
)
LEAVES = st.one_of(VALUES, st.lists(st.text(max_size=5), max_size=3))
TABLES = st.dictionaries(
    st.text(max_size=8),
    st.one_of(
        LEAVES,
        st.dictionaries(st.text(max_size=5), LEAVES, max_size=3),
        st.lists(st.dictionaries(st.text(max_size=5), LEAVES, max_size=3), min_size=1, max_size=2),
    ),
    max_size=5,
)


@given(TABLES)
@settings(max_examples=150)
def test_toml_reads_as_it_was_written(table):
    assert tomllib.loads(toml_text(table)) == table


def test_toml_has_no_room_for_anything_else():
    assert toml_text({"a": None, "b": 1}) == "b = 1\n"
    with pytest.raises(TypeError, match="no place"):
        toml_text({"a": object()})


def test_the_terminal_gets_sentences_and_a_table():
    text = classifier_text(usual(), EN)
    assert text.startswith("Made up\nSynthetic data")
    table = text.split("\n\n")[-1].splitlines()
    assert len(table) == 6
    assert table[-1].endswith("Average: logit, small trees *")
    assert f"{useful().score_of('average').auc.mean:.3f}" in table[-1]
