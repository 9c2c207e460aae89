"""Reasons of a classifier in an official's units, and drift with names instead of ids."""

from __future__ import annotations

import math

import pytest

from debtwatch.early_warning.explain import Reason
from debtwatch.early_warning.sample import Note
from debtwatch.early_warning.spec import Spec
from debtwatch.language import language
from debtwatch.reporting.attention_words import BRIEF, COUNTED, SILENCES, ReasonWords, labelled


def spec_of(**feature):
    return Spec.model_validate({
        "id": "x", "title": {"zh": "例", "en": "x"}, "country": "CN",
        "columns": {"share": "land_revenue / gpb_revenue"},
        "target": {"kind": "entry", "horizon": 4, "rulebook": "cn-debt-tiers", "worse": ["red"]},
        "feature": [{"id": "f", "label": {"zh": "某数", "en": "Figure"}, **feature}],
    })  # fmt: skip


@pytest.mark.parametrize(
    ("feature", "value", "shown"),
    [
        ({"of": "debt_ratio", "log": True}, math.log(1.97), "197.0%"),
        ({"of": "share"}, 0.0576, "5.8%"),
        ({"measure": "projection"}, math.log(0.52 / 0.48), "52%"),
        ({"of": "gpb_revenue", "measure": "change", "periods": 4, "log": True},
         math.log(0.85), "−15.0%"),
        ({"of": "gpb_revenue", "measure": "change", "periods": 4, "log": True},
         math.log(1.2), "+20.0%"),
        ({"of": "debt_ratio", "measure": "change", "periods": 4}, 0.123, "+12.3 points"),
        ({"of": "share", "measure": "gap"}, -0.031, "−3.1 points"),
        ({"of": "share", "measure": "volatility", "periods": 8}, 0.031, "3.1 points"),
        ({"of": "gpb_revenue", "measure": "volatility", "periods": 8, "log": True}, 0.2, "20.0%"),
        ({"of": "debt_ratio", "measure": "peers"}, 1.5, "150.0%"),
        ({"of": "debt_ratio", "measure": "delay"}, 61.0, "61 days"),
        ({"of": "debt_balance", "measure": "revision"}, 0.05, "5.0%"),
        ({"of": "gpb_revenue"}, 1234567.0, "1,234,567"),
        ({"of": "gpb_revenue", "log": True}, math.log(1234567.0), "1,234,567"),
    ],
)  # fmt: skip
def test_figures_are_written_as_in_the_rest_of_the_report(feature, value, shown):
    words = ReasonWords(spec_of(**feature), language("en"))
    reason = Reason("f", value, 0.5, "raises", "highest tenth")
    assert words.brief(reason) == f"Figure {shown} (highest tenth)"
    assert words.full(reason) == f"Figure {shown}, among the highest tenth of governments"


def test_what_is_not_known_or_has_no_size_is_said_so():
    words = ReasonWords(spec_of(of="debt_ratio"), language("en"))
    assert words.brief(Reason("f", math.nan, 0.5, "raises", "missing")) == "Figure: not known"
    missing = ReasonWords(spec_of(of="debt_ratio", measure="missing"), language("en"))
    assert missing.full(Reason("f", 1.0, 0.5, "raises", "highest tenth")) == "Figure: yes"


def test_drift_names_figures_not_ids():
    note = Note("Moved: {names}.", {"names": "f 1.02, unknown 0.45"})
    found = labelled(note, spec_of(of="debt_ratio"), language("zh"))
    assert found.values["names"] == "某数 1.02、unknown 0.45"
    plain = Note("Moved.", {})
    assert labelled(plain, spec_of(of="debt_ratio"), language("zh")) is plain


def test_every_silence_can_be_counted():
    assert set(COUNTED) == set(SILENCES)
    assert "missing" not in BRIEF
