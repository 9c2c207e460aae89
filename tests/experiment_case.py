"""A small back-test made by hand: three origins, five models, outcomes drawn from known risks."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
from scipy.special import expit

from debtwatch.early_warning.drift import (
    Drift,
    Shift,
    cusum,
    drift_status,
    intercept_by_vintage,
    intercept_update,
)
from debtwatch.early_warning.experiment import Counts, Coverage, Experiment, OriginSummary
from debtwatch.early_warning.metrics import differences, lead_times, score_models, subgroups
from debtwatch.early_warning.promotion import promote
from debtwatch.early_warning.sample import Note
from tests.trained_case import spec

ORIGINS = (2019, 2020, 2021)
ROWS = 240


def experiment(*, useful: float = 1.0, seed: int = 5, **changes: Any) -> Experiment:
    """Back-test in which the learned models see ``useful`` times the hidden part of the risk.

    With 0 they see noise instead; with 1 they are better than the distance.
    """
    rng = np.random.default_rng(seed)
    given = spec()
    rows = ROWS * len(ORIGINS)
    period = np.repeat(np.array(ORIGINS, np.int64), ROWS)
    unit = np.array([f"{k % ROWS:04d}" for k in range(rows)], object)
    group = np.array([f"G{k % 16:02d}" for k in range(rows)], object)
    near, hidden, noise = rng.normal(size=(3, rows))
    y = (rng.random(rows) < expit(-1.6 + near + 1.5 * hidden)).astype(float)
    learned = -1.6 + near + 1.5 * (useful * hidden + (1 - useful) * noise)
    event_period = np.where(y == 1, period + 1.0, np.nan)
    p = {
        "climatology": np.full(rows, 0.25),
        "distance": expit(-1.3 + 0.8 * near),
        "logit": expit(learned - 0.2 * noise),
        "trees": expit(learned + 0.2 * noise),
        "average": expit(learned),
    }
    keys = {"origin": period, "period": period, "unit": unit, "group": group, "y": y,
            "event_period": event_period, "climatology_rate": p["climatology"]}  # fmt: skip
    place = {"group": group, "period": period}
    scores = score_models(
        p, y, climatology=p["climatology"], signals=given.signals, draws=60, seed=1, **place
    )
    gaps = differences(
        p, y, best="average", against=[m for m in p if m != "average"], draws=60, seed=1, **place
    )
    vintages = intercept_by_vintage(p["average"], y, period, group)
    errors = cusum(p["average"], y, period, group)
    moved = (Shift("debt", 0.31, 0.02, "moved"), Shift("trend", 0.01, 0.02, "stable"))
    of = {s.model: s for s in scores}
    made = Experiment(
        spec=given, frequency="year", production="average", models=tuple(p),
        origins=tuple(
            OriginSummary(t, 2016, t - 1, 500, 100, ROWS, int(y[period == t].sum()), 3, ())
            for t in ORIGINS
        ),
        counts=Counts(rows + 100, rows + 40, 40, int(y.sum()), ROWS, 16, 6),
        predictions=pd.DataFrame({**keys, **p}), scores=scores, differences=gaps,
        promotion=promote(challenger=of["average"], champion=of["logit"], differences=gaps,
                          origins=len(ORIGINS)),
        lead=lead_times(unit, period, p["average"], y=y, event_period=event_period, threshold=0.2),
        subgroups=subgroups(p["average"], y, labels={"group": group}, least_events=15),
        vintages=tuple(vintages), cusum=errors,
        intercept=intercept_update(vintages, train_rate=0.25),
        coverage=Coverage(0.1, 0.88, 0.91, 0.4, 480), shifts=moved,
        drift=drift_status(features=moved, vintages=vintages, errors=errors),
        rules=("debt >= 0.8",), leaked=(), seed=5, draws=60,
    )  # fmt: skip
    return replace(made, **changes)


def do_not_trust() -> Drift:
    """Drift that forbids use."""
    return Drift("do not trust", (Note("At {period} it was out.", {"period": "2021"}),))
