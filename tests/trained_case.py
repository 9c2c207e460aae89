"""A small trained classifier for tests: 600 made-up governments in ten groups, with gaps."""

from __future__ import annotations

from functools import cache
from importlib import metadata

import numpy as np
import pandas as pd

from debtwatch.early_warning.abstention import fit_conformal, fit_envelope
from debtwatch.early_warning.drift import reference_bins
from debtwatch.early_warning.ladder import fit_models
from debtwatch.early_warning.pooled_projection import fit_pooled_projection
from debtwatch.early_warning.sample import Sample
from debtwatch.early_warning.spec import Spec
from debtwatch.early_warning.trained import Trained, group_medians

FEATURES = [
    {"id": "debt", "of": "debt", "sign": "+", "label": {"zh": "债务率", "en": "Debt ratio"}},
    {"id": "gap", "of": "debt", "measure": "distance", "sign": "-",
     "label": {"zh": "距警戒线", "en": "Distance to the line"}},
    {"id": "trend", "of": "debt", "measure": "change", "periods": 1, "sign": "+",
     "label": {"zh": "债务率一年变动", "en": "Change of the debt ratio"}},
    {"id": "size", "of": "population", "log": True, "sign": "0",
     "label": {"zh": "人口", "en": "Population"}},
    {"id": "silent", "of": "debt", "measure": "missing", "sign": "+",
     "label": {"zh": "未报债务率", "en": "Debt ratio not reported"}},
]  # fmt: skip
ROWS = 600


def spec(**changes: object) -> Spec:
    """Specification of the made-up governments."""
    return Spec.model_validate({
        "id": "made-up", "title": {"zh": "虚构", "en": "Made up"}, "country": "BR",
        "synthetic": True, "columns": {"ratio": "debt / 1"},
        "target": {"kind": "entry", "horizon": 1, "ratio": "debt", "line": 0.8},
        "trees": {"rounds": 60, "leaves": [3]}, "feature": FEATURES, "sha256": "0" * 64, **changes,
    })  # fmt: skip


def sample(seed: int = 1, rows: int = ROWS) -> Sample:
    """Rows in which risk rises with the debt ratio and its change."""
    rng = np.random.default_rng(seed)
    debt, trend = rng.uniform(0, 0.8, rows), rng.normal(0, 0.2, rows)
    later = debt + trend + rng.normal(0, 0.03, rows)
    y = (later >= 0.8).astype(float)
    x = pd.DataFrame({"debt": debt, "gap": 0.8 - debt, "trend": trend,
                      "size": rng.normal(11, 1, rows), "silent": 0.0})  # fmt: skip
    gone = rng.random(rows) < 0.1
    x.loc[gone, ["debt", "gap", "trend"]] = np.nan
    x["silent"] = gone.astype(float)
    names = np.array([f"{i:04d}" for i in range(rows)], dtype=object)
    return Sample(
        unit=names, group=np.array([f"G{i % 10}" for i in range(rows)], dtype=object),
        period=np.full(rows, 2020, np.int64), x=x, y=y, at_risk=np.ones(rows, bool),
        event_period=np.where(y == 1, 2021.0, np.nan), rule=np.full(rows, "debt >= 0.8", object),
        projection=None, frequency="year", now=np.where(gone, np.nan, debt), extreme=later,
    )  # fmt: skip


@cache
def trained() -> Trained:
    """Classifier of logit, trees, pooled projection and distance."""
    given, rows = spec(), sample()
    models = fit_models(rows, given, seed=3)
    projection = fit_pooled_projection(rows.x.to_numpy(), rows.now, rows.extreme, line=0.8)
    return Trained(
        spec=given, frequency="year", logit=models["logit"].estimator,
        trees=models["trees"].estimator, projection=projection,
        distance=models["distance"].estimator,
        calibration={name: models[name].calibration for name in ("logit", "trees", "average")},
        production="average", members=("logit", "trees"), base_rate=float(rows.y.mean()),
        bins={name: reference_bins(rows.x[name].to_numpy()) for name in rows.x},
        score_bins=reference_bins(models["average"].probability(rows)),
        envelope=fit_envelope(rows.x),
        conformal=fit_conformal(models["average"].probability(rows), rows.y),
        medians=group_medians(rows), train_first=2019, train_last=2020, rows=len(rows),
        events=int(rows.y.sum()), groups=10, rules=("debt >= 0.8",), sources={"a.csv": "f" * 64},
        versions={"scikit-learn": metadata.version("scikit-learn")}, seed=3,
    )  # fmt: skip


@cache
def fitted_probability() -> np.ndarray:
    """What the average of the ladder says of its own training rows."""
    rows = sample()
    return fit_models(rows, spec(), seed=3)["average"].probability(rows)
