"""Panels and specifications for the tests of features, and their definitions read slowly."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import numpy as np
import pandas as pd

from debtwatch.early_warning.period_names import period_end
from debtwatch.early_warning.sample import Frequency, Observations
from debtwatch.early_warning.spec import Feature, Spec

WORDS = {"zh": "债务", "en": "Debt"}
NAN = math.nan


def measure(kind: str, of: str | None = "debt", **more: Any) -> dict[str, Any]:
    return {"id": "f", "of": of, "measure": kind, "label": WORDS, **more}


def specify(*features: dict[str, Any], data: dict[str, Any] | None = None, **target: Any) -> Spec:
    named = [{**f, "id": f"f{i}" if f["id"] == "f" else f["id"]} for i, f in enumerate(features)]
    return Spec.model_validate(
        {
            "id": "x",
            "title": WORDS,
            "country": "BR",
            "data": data or {"lag_days": 120},
            "target": {"kind": "entry", "horizon": 1, "ratio": "debt", "line": 2.0, **target},
            "feature": named,
        }
    )


def observe(
    rows: Sequence[tuple[Any, ...]],
    columns: Sequence[str] = ("debt",),
    frequency: Frequency = "year",
) -> Observations:
    """Observations of rows (unit, group, period, day, figures...); a day may be days of delay."""
    frame = pd.DataFrame(rows, columns=["unit", "group", "period", "known_from", *columns])
    frame["known_from"] = pd.to_datetime(
        [
            pd.Timestamp(period_end(int(p), frequency)) + pd.Timedelta(days=d)
            if isinstance(d, int)
            else pd.Timestamp(d)
            for p, d in zip(frame["period"], frame["known_from"], strict=True)
        ]
    )
    frame = frame.sort_values(["unit", "period", "known_from"], ignore_index=True)
    return Observations(frame, frequency, (), {})


def series(values: Sequence[Any], *, first: int = 2010, unit: str = "a") -> list[tuple[Any, ...]]:
    return [(unit, "p", first + i, 90, v) for i, v in enumerate(values)]


EVERY_MEASURE_OF_FIGURES = [
    measure("level"),
    measure("level", lag=2),
    measure("distance"),
    measure("change", periods=1),
    measure("change", periods=3, lag=1),
    measure("volatility", periods=3),
    measure("volatility", periods=6),
    measure("highest", periods=3),
    measure("peers"),
    measure("peers", lag=1),
    measure("gap"),
    measure("national"),
]
EVERY_MEASURE = [
    *EVERY_MEASURE_OF_FIGURES,
    measure("missing"),
    measure("missing", lag=1),
    measure("delay"),
    measure("delay", lag=1),
    measure("revision"),
    measure("is", "class", value="B"),
    measure("is", "class", value="A", lag=2),
    measure("projection", "chance"),
]


def draw(seed: int, *, frequency: Frequency, units: int = 9, periods: int = 12) -> Observations:
    """A panel with gaps, late reports, revisions and missing figures."""
    rng = np.random.default_rng(seed)
    first = 2005 if frequency == "year" else 4 * 2015
    rows: list[tuple[Any, ...]] = []
    for unit in range(units):
        for period in range(first, first + periods):
            if rng.random() < 0.15:
                continue
            days = np.cumsum(rng.integers(1, 250, rng.integers(1, 4)))
            rows += [
                (
                    f"{unit:02d}",
                    f"g{unit % 2}",
                    period,
                    int(day),
                    NAN if rng.random() < 0.1 else float(rng.normal(1.5, 0.5)),
                    None if rng.random() < 0.1 else str(rng.choice(["A", "B"])),
                    float(rng.random()),
                )
                for day in days
            ]
    return observe(rows, ("debt", "class", "chance"), frequency)


class Slow:
    """The definitions read row by row, with no array in sight."""

    def __init__(self, observations: Observations, origin: int, days: int) -> None:
        self.frequency = observations.frequency
        self.origin = origin
        day = pd.Timestamp(period_end(origin, self.frequency)) + pd.Timedelta(days=days)
        self.vintages: dict[tuple[str, int], list[dict[str, Any]]] = {}
        for row in observations.frame.to_dict("records"):
            if row["known_from"] <= day and row["period"] <= origin:
                self.vintages.setdefault((row["unit"], row["period"]), []).append(row)
        self.units = sorted({u for u, _ in self.vintages})

    def latest(self, unit: str) -> int | None:
        recent = range(self.origin, self.origin - (2 if self.frequency == "year" else 5), -1)
        return next((p for p in recent if (unit, p) in self.vintages), None)

    def get(self, unit: str, period: int, column: str = "debt") -> Any:
        rows = self.vintages.get((unit, period))
        return rows[-1][column] if rows else NAN

    def peers(self, unit: str, period: int) -> float:
        group = self.vintages[unit, int(self.latest(unit) or 0)][-1]["group"]
        others = [
            self.get(u, period)
            for u in self.units
            if u != unit and (u, period) in self.vintages
            and self.vintages[u, period][-1]["group"] == group
        ]  # fmt: skip
        others = [o for o in others if not math.isnan(o)]
        return float(np.mean(others)) if len(others) >= 2 else NAN

    def value(self, f: Feature, unit: str) -> float:
        known = self.latest(unit)
        assert known is not None
        t, n, get = known - f.lag, f.periods or 0, self.get
        own, figures = get(unit, t), [get(unit, t - k) for k in range(n + 1)]
        national = [v for v in (get(u, t) for u in self.units) if not math.isnan(v)]
        readings = {
            "level": lambda: own,
            "distance": lambda: 2.0 - own,
            "change": lambda: own - figures[-1],
            "volatility": lambda: self.volatility(figures),
            "highest": lambda: max((v for v in figures[:-1] if not math.isnan(v)), default=NAN),
            "peers": lambda: self.peers(unit, t),
            "gap": lambda: own - self.peers(unit, t),
            "national": lambda: float(np.median(national)) if national else NAN,
            "missing": lambda: self.missing(f, unit, t),
        }
        if f.measure in readings:
            return float(readings[f.measure]())
        rows = self.vintages.get((unit, t))
        return self.reporting(f, t, rows) if rows else NAN

    def missing(self, f: Feature, unit: str, t: int) -> float:
        if t < min(p for _, p in self.vintages):
            return NAN
        rows = self.vintages.get((unit, t))
        return float(rows is None or pd.isna(rows[-1][str(f.of)]))

    @staticmethod
    def volatility(figures: list[float]) -> float:
        changes = [a - b for a, b in pairwise(figures) if not math.isnan(a - b)]
        return float(np.std(changes, ddof=1)) if len(changes) >= 3 else NAN

    def reporting(self, f: Feature, t: int, rows: list[dict[str, Any]]) -> float:
        if f.measure == "is":
            word = rows[-1]["class"]
            return NAN if pd.isna(word) else float(word == f.value)
        if f.measure == "projection":
            p = min(max(rows[-1]["chance"], 0.001), 0.999)
            return math.log(p / (1 - p))
        if f.measure == "revision":
            return float(abs(rows[-1]["debt"] - rows[0]["debt"]) / abs(rows[0]["debt"]))
        end = [pd.Timestamp(period_end(p, self.frequency)) for p in (t, t + f.lag, self.origin)]
        return float((rows[0]["known_from"] - end[0]).days + (end[2] - end[1]).days)
