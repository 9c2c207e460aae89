"""Promotion of the challenger: each condition alone can stop it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from debtwatch.early_warning.metrics import Difference, SubgroupScore, score_models
from debtwatch.early_warning.promotion import promote
from debtwatch.early_warning.spec import Signals

Y = np.tile([1.0, 0.0, 0.0, 1.0, 0.0], 20)
LOGIT, TREES = score_models(
    {"logit": np.full(100, 0.4), "trees": np.where(Y == 1, 0.55, 0.3)},
    Y,
    climatology=np.full(100, 0.4),
    group=np.array([f"P{k % 16}" for k in range(100)], object),
    period=np.repeat([1, 2, 3, 4], 25),
    signals=Signals(),
    draws=20,
    seed=0,
)
CALIBRATED = replace(TREES, calibration=replace(TREES.calibration, slope=1.0))
AUC = Difference("trees", "logit", "auc", 0.02, 0.01, 0.03, 0.95)
BRIER = Difference("trees", "logit", "brier", -0.01, -0.02, -0.001, 0.95)


def part(label, auc):
    return SubgroupScore("province", label, 0, 100, 30, 0.3, 0.3, auc, 0.5, 0.2, 0.0)


def decide(**change):
    given = {
        "challenger": CALIBRATED,
        "champion": LOGIT,
        "differences": [AUC, BRIER],
        "origins": 3,
        "challenger_subgroups": [part("A", 0.80), part("B", 0.75), part("C", np.nan)],
        "champion_subgroups": [part("A", 0.70), part("B", 0.77), part("D", 0.99)],
    }
    return promote(**(given | change))


def test_promoted_when_every_condition_is_met():
    found = decide()
    assert found.promoted
    assert (found.challenger, found.champion) == ("trees", "logit")
    assert [one.name for one in found.reasons] == ["origins", "auc", "brier", "subgroups", "slope"]
    texts = [one.template.format(**one.values) for one in found.reasons]
    assert "+0.0200" in texts[1]
    assert "B" in texts[3]
    assert "-0.020" in texts[3]


def sloped(value):
    return replace(TREES, calibration=replace(TREES.calibration, slope=value))


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("origins", {"origins": 2}),
        ("auc", {"differences": [replace(AUC, value=0.0099), BRIER]}),
        ("auc", {"differences": [replace(AUC, share_better=0.89), BRIER]}),
        ("auc", {"differences": [replace(AUC, share_better=np.nan), BRIER]}),
        ("brier", {"differences": [AUC, replace(BRIER, value=0.0)]}),
        ("brier", {"differences": [AUC, replace(BRIER, share_better=0.89)]}),
        ("subgroups", {"challenger_subgroups": [part("A", 0.8), part("B", 0.73)]}),
        ("slope", {"challenger": sloped(0.79)}),
        ("slope", {"challenger": sloped(1.26)}),
        ("slope", {"challenger": sloped(np.nan)}),
    ],
)
def test_each_condition_alone_stops_it(name, change):
    found = decide(**change)
    assert not found.promoted
    assert [one.name for one in found.reasons if not one.met] == [name]
    assert all(one.template.format(**one.values) for one in found.reasons)


@pytest.mark.parametrize(
    "change",
    [
        {
            "differences": [
                replace(AUC, value=0.57 - 0.56),
                replace(BRIER, share_better=0.9),
            ]
        },
        {"challenger": sloped(0.8)},
        {"challenger": sloped(1.25)},
        {"challenger_subgroups": [part("B", 0.74)]},
        {"challenger_subgroups": []},
        {"champion_subgroups": [part("A", np.nan)]},
    ],
)
def test_edges_are_met(change):
    assert decide(**change).promoted


def test_differences_of_other_models_do_not_count():
    with pytest.raises(ValueError, match="no difference of trees against logit in auc"):
        decide(differences=[replace(AUC, against="signal"), BRIER])
