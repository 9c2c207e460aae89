"""Whether a model still fits the times: shifted inputs, shifted event rates, errors that add up."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from debtwatch.early_warning.period_names import period_text
from debtwatch.early_warning.reliability import calibration_intercept
from debtwatch.early_warning.sample import Array, Frequency, Note, Words
from debtwatch.early_warning.stability import (
    AMBER,
    RED,
    Bins,
    Shift,
    psi,
    reference_bins,
    shift_of,
    shifts,
)
from debtwatch.language import N_

__all__ = [
    "Bins",
    "Cusum",
    "Drift",
    "InterceptUpdate",
    "Shift",
    "Vintage",
    "cusum",
    "drift_status",
    "intercept_by_vintage",
    "intercept_update",
    "psi",
    "reference_bins",
    "shift_of",
    "shifts",
]

Level = Literal["stable", "watch", "do not trust"]
#: The intercept is out when it is further than this from 0, at more than so many standard errors.
INTERCEPT, INTERCEPT_Z = 0.3, 2.0
CUSUM_Z = 3.0
#: From this share of features moved the model is no longer about today's governments.
MOVED_SHARE = 0.25


@dataclass(frozen=True)
class Vintage:
    """Calibration in the large at one origin.

    Attributes
    ----------
    period : int
        Origin, as an ordinal.
    rows, events : int
    mean_p, mean_y : float
    intercept, se, z : float
        a of ``logit P(y = 1) = a + logit p``, its standard error by province, and ``a / se``; NaN
        with one class only.
    """

    period: int
    rows: int
    events: int
    mean_p: float
    mean_y: float
    intercept: float
    se: float
    z: float


@dataclass(frozen=True)
class Cusum:
    """Outcomes less probabilities, added up from the first origin on.

    Attributes
    ----------
    period : tuple of int
        Origins, as ordinals.
    total : tuple of float
        Events more than said, up to and with each origin.
    z : tuple of float
        Total over its standard deviation.
    alarm : bool
        Whether ``|z|`` stands above 3 at the last origin.
    first_alarm : int or None
        First origin at which it did.
    """

    period: tuple[int, ...]
    total: tuple[float, ...]
    z: tuple[float, ...]
    alarm: bool
    first_alarm: int | None


@dataclass(frozen=True)
class InterceptUpdate:
    """A shift of the intercept that recent outcomes demand.

    Attributes
    ----------
    due : bool
    shift : float
        To be added to the log-odds; 0 unless due.
    period : int or None
        Origin of the last complete label window.
    note : Note
        Why, or why not: to be logged as a change of the model.
    """

    due: bool
    shift: float
    period: int | None
    note: Note


@dataclass(frozen=True)
class Drift:
    """What drift means for the use of the model.

    Attributes
    ----------
    level : {"stable", "watch", "do not trust"}
    reasons : tuple of Note
        The gravest first.
    """

    level: Level
    reasons: tuple[Note, ...]


def intercept_by_vintage(
    p: Array, y: Array, period: NDArray[np.int64], group: Words
) -> tuple[Vintage, ...]:
    """Measure calibration in the large at each origin.

    Parameters
    ----------
    p, y : ndarray, shape (rows,)
        Probabilities; 1 or 0.
    period : ndarray of int, shape (rows,)
    group : ndarray of str, shape (rows,)
        Province, within which errors may move together.

    Returns
    -------
    tuple of Vintage
        In order of period.

    Examples
    --------
    >>> one, = intercept_by_vintage(np.full(4, 0.5), np.array([1.0, 1.0, 1.0, 0.0]),
    ...     np.full(4, 2020), np.array(["A", "B", "C", "D"], object))
    >>> one.period, one.mean_y, round(one.intercept, 4), round(one.z, 4)
    (2020, 0.75, 1.0986, 0.824)
    """
    province = pd.factorize(np.asarray(group).astype(str))[0].astype(np.int64)
    found = []
    for t in np.unique(period):
        rows = period == t
        a, se = calibration_intercept(p[rows], y[rows], province[rows])
        found.append(
            Vintage(
                period=int(t), rows=int(rows.sum()), events=int(y[rows].sum()),
                mean_p=float(p[rows].mean()), mean_y=float(y[rows].mean()),
                intercept=a, se=se, z=a / se,
            )
        )  # fmt: skip
    return tuple(found)


def _out(vintage: Vintage) -> bool:
    """Whether the intercept of a vintage is out; one class only is left to the running sum."""
    return abs(vintage.intercept) > INTERCEPT and abs(vintage.z) > INTERCEPT_Z


def intercept_update(
    vintages: Sequence[Vintage], *, train_rate: float, frequency: Frequency = "year"
) -> InterceptUpdate:
    """Decide on a shift of the intercept from the last complete label window.

    Only when its intercept is further than 0.3 from 0, at more than two standard errors:
    ``shift = ln(odds of the window / odds in training)``. After a change of the rule the target is
    to be built anew instead.

    Parameters
    ----------
    vintages : sequence of Vintage
        Of predictions without a shift.
    train_rate : float
        Share of events among the training rows.
    frequency : {"year", "quarter"}
        To name the period.

    Returns
    -------
    InterceptUpdate

    Examples
    --------
    >>> last = Vintage(2021, 400, 120, 0.2, 0.3, 0.54, 0.12, 4.5)
    >>> update = intercept_update([last], train_rate=0.2)
    >>> update.due, round(update.shift, 4)
    (True, 0.539)
    """
    if not vintages:
        return InterceptUpdate(
            False, 0.0, None, Note(N_("No label window is complete yet; no update is due."), {})
        )
    last = max(vintages, key=lambda each: each.period)
    if np.isnan(last.intercept):
        text = N_(
            "At {period} {events} of {rows} had the event where {said} were said: without both "
            "outcomes no intercept can be estimated; see the running sum."
        )
        counts = {
            "events": last.events,
            "rows": last.rows,
            "said": f"{last.rows * last.mean_p:.1f}",
        }
        return InterceptUpdate(
            False,
            0.0,
            last.period,
            Note(text, {"period": period_text(last.period, frequency), **counts}),
        )
    values: dict[str, object] = {
        "period": period_text(last.period, frequency),
        "intercept": f"{last.intercept:+.2f}",
        "z": f"{last.z:+.1f}",
    }
    if not _out(last):
        text = N_(
            "At {period} the calibration intercept was {intercept} (z {z}); no update is due."
        )
        return InterceptUpdate(False, 0.0, last.period, Note(text, values))
    shift = float(np.log(last.mean_y / (1 - last.mean_y)) - np.log(train_rate / (1 - train_rate)))
    text = N_(
        "At {period} the calibration intercept was {intercept} (z {z}); for a model fitted before "
        "it the log-odds would have to be shifted by {shift}."
    )
    return InterceptUpdate(
        True, shift, last.period, Note(text, values | {"shift": f"{shift:+.2f}"})
    )


def cusum(p: Array, y: Array, period: NDArray[np.int64], group: Words) -> Cusum:
    """Add up outcomes less probabilities over the origins.

    ``z = sum(y - p) / sqrt(d sum p (1 - p))`` over all rows up to each origin. d is the design
    effect of provinces, at least 1: with residual sums S_g and rows n_g of G provinces,
    ``d = G / (G - 1) sum_g (S_g - n_g S / n)^2 / sum p (1 - p)``. Above 3 there is an alarm.

    Parameters
    ----------
    p, y : ndarray, shape (rows,)
    period : ndarray of int, shape (rows,)
    group : ndarray of str, shape (rows,)

    Returns
    -------
    Cusum

    Examples
    --------
    >>> one = cusum(np.full(4, 0.5), np.array([1.0, 1.0, 1.0, 0.0]),
    ...     np.array([1, 1, 2, 2]), np.array(["A", "B", "A", "B"], object))
    >>> one.total, [round(z, 4) for z in one.z], one.alarm
    ((1.0, 1.0), [1.4142, 1.0], False)
    """
    province = pd.factorize(np.asarray(group).astype(str))[0]
    origins = np.unique(period)
    totals, scores = [], []
    for t in origins:
        rows = period <= t
        residual, member = (y - p)[rows], np.unique(province[rows], return_inverse=True)[1]
        variance = float((p * (1 - p))[rows].sum())
        size, sums = np.bincount(member), np.bincount(member, weights=residual)
        away = sums - size * residual.mean()
        count = len(size)
        spread = float((away**2).sum()) * count / (count - 1) if count > 1 else 0.0
        deviation = np.sqrt(max(variance, spread))
        totals.append(float(residual.sum()))
        scores.append(totals[-1] / deviation if deviation > 0 else float("nan"))
    beyond = [int(t) for t, z in zip(origins, scores, strict=True) if abs(z) > CUSUM_Z]
    return Cusum(
        period=tuple(origins.tolist()),
        total=tuple(totals),
        z=tuple(float(z) for z in scores),
        alarm=bool(beyond) and beyond[-1] == origins[-1],
        first_alarm=beyond[0] if beyond else None,
    )


def drift_status(
    *,
    features: Sequence[Shift] = (),
    score: Shift | None = None,
    vintages: Sequence[Vintage] = (),
    errors: Cusum | None = None,
    frequency: Frequency = "year",
) -> Drift:
    """Say what drift means for the use of the model.

    Do not trust: the running sum of errors stands in alarm, the intercept of the last vintage is
    out, the probabilities have moved, or at least a quarter of the features have. Watch: an
    earlier vintage was out, or a feature or the probabilities are no longer stable.

    Parameters
    ----------
    features : sequence of Shift
    score : Shift, optional
        Of the probability.
    vintages : sequence of Vintage
        Where outcomes are known by now.
    errors : Cusum, optional
    frequency : {"year", "quarter"}
        To name periods.

    Returns
    -------
    Drift

    Examples
    --------
    >>> drift_status(features=[Shift("debt", 0.3, 0.05, "moved")] + [
    ...     Shift(f"x{i}", 0.01, 0.05, "stable") for i in range(9)]).level
    'watch'
    """
    grave = [
        *_error_reasons(errors, frequency),
        *_intercept_reasons(vintages, frequency, last=True),
    ]
    mild = _intercept_reasons(vintages, frequency, last=False)
    if score is not None and score.level != "stable":
        text = N_("The probabilities are distributed otherwise than in training (PSI {psi}).")
        (grave if score.level == "moved" else mild).append(Note(text, {"psi": f"{score.psi:.2f}"}))
    moved = [each for each in features if each.level == "moved"]
    if moved and len(moved) >= MOVED_SHARE * len(features):
        text = N_(
            "{count} of {all} features are distributed otherwise than in training, beyond chance "
            "and what single training periods showed (PSI from {least} on): {names}."
        )
        values = {"count": len(moved), "all": len(features), "least": RED, "names": _names(moved)}
        grave.append(Note(text, dict(values)))
    elif moved:
        text = N_(
            "Features that have moved since training, beyond chance and what single training "
            "periods showed (PSI from {least} on): {names}."
        )
        mild.append(Note(text, {"least": RED, "names": _names(moved)}))
    watched = [each for each in features if each.level == "watch"]
    if watched:
        text = N_("Features to watch (PSI from {least} on): {names}.")
        mild.append(Note(text, {"least": AMBER, "names": _names(watched)}))
    level: Level = "do not trust" if grave else "watch" if mild else "stable"
    return Drift(level, (*grave, *mild))


def _error_reasons(errors: Cusum | None, frequency: Frequency) -> list[Note]:
    if errors is None or not errors.alarm or errors.first_alarm is None:
        return []
    text = (
        N_("More events than the model said, added up to {period}: {total} (z {z}).")
        if errors.total[-1] > 0
        else N_("Fewer events than the model said, added up to {period}: {total} (z {z}).")
    )
    values = {
        "period": period_text(errors.period[-1], frequency),
        "total": f"{abs(errors.total[-1]):.0f}",
        "z": f"{errors.z[-1]:+.1f}",
    }
    return [Note(text, dict(values))]


def _intercept_reasons(
    vintages: Sequence[Vintage], frequency: Frequency, *, last: bool
) -> list[Note]:
    """Vintages that are out: the last one, or the ones before it."""
    ordered = sorted(vintages, key=lambda each: each.period)
    chosen = ordered[-1:] if last else ordered[:-1]
    return [
        Note(
            N_("The level of risk was said too low at {period} (intercept {intercept}, z {z}).")
            if each.intercept > 0
            else N_(
                "The level of risk was said too high at {period} (intercept {intercept}, z {z})."
            ),
            {
                "period": period_text(each.period, frequency),
                "intercept": f"{each.intercept:+.2f}",
                "z": f"{each.z:+.1f}",
            },
        )
        for each in reversed(chosen)
        if _out(each)
    ]


def _names(moved: Sequence[Shift]) -> str:
    """Names with their index, the farthest first."""
    ordered = sorted(moved, key=lambda each: -each.psi)
    return ", ".join(f"{each.name} {each.psi:.2f}" for each in ordered)
