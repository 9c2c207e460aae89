"""Numbers of a back-test as plain values: finite or None, nothing of numpy."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

import numpy as np

from debtwatch.early_warning.metrics import Difference
from debtwatch.early_warning.reliability import Calibration
from debtwatch.early_warning.signals import Signal
from debtwatch.reporting.classifier_context import BinPart, CalibrationPart, Figure, SignalPart
from debtwatch.sustainability.scores import MeanInterval


def plain(part: Any) -> Any:
    """Take numbers and flags out of numpy, which JSON does not know."""
    if isinstance(part, dict):
        return {name: plain(value) for name, value in part.items()}
    if isinstance(part, list):
        return [plain(value) for value in part]
    return part.item() if isinstance(part, np.generic) else part


def known(value: float) -> float | None:
    """Give a number, None where it is not finite.

    Examples
    --------
    >>> known(np.float64(0.5)), known(float("nan"))
    (0.5, None)
    """
    return float(value) if math.isfinite(value) else None


def verdict(gap: Difference) -> str:
    """Say whether a difference is one: the interval must not hold 0.

    Parameters
    ----------
    gap : Difference

    Returns
    -------
    str
        ``better``, ``unclear`` or ``worse`` for the model against the other, ``unknown`` without
        an interval; a Brier score is better when it is lower.

    Examples
    --------
    >>> verdict(Difference("trees", "distance", "brier", -0.01, -0.02, -0.001, 0.99))
    'better'
    >>> verdict(Difference("trees", "distance", "auc", 0.01, -0.02, 0.03, 0.7))
    'unclear'
    """
    if math.isnan(gap.lower) or math.isnan(gap.upper):
        return "unknown"
    low, high = (-gap.upper, -gap.lower) if gap.metric == "brier" else (gap.lower, gap.upper)
    return "better" if low > 0 else "worse" if high < 0 else "unclear"


def numbers(part: object, fields: Iterable[str]) -> dict[str, Any]:
    """Give some numbers of a part by name, None where not finite."""
    return {name: known(getattr(part, name)) for name in fields}


def figure_part(interval: MeanInterval) -> Figure:
    """Give a figure with its interval."""
    return Figure(known(interval.mean), known(interval.lower), known(interval.upper))


def signal_part(signal: Signal) -> SignalPart:
    """Give what signals at a threshold were worth."""
    whole = ("threshold", "hits", "false_alarms", "misses", "quiet")
    shares = ("tpr", "fpr", "nts", "tme", "precision", "lift", "ua", "ur")
    return SignalPart(**{name: getattr(signal, name) for name in whole}, **numbers(signal, shares))


def calibration_part(found: Calibration) -> CalibrationPart:
    """Give how probabilities stood to outcomes."""
    fields = ("intercept", "intercept_se", "slope", "slope_se", "slope_intercept", "reliability",
              "resolution", "uncertainty", "within_bins")  # fmt: skip
    bins = [BinPart(b.mean_p, b.mean_y, b.rows) for b in found.bins]
    return CalibrationPart(bins=bins, **numbers(found, fields))
