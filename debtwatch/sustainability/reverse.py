"""Reverse stress tests: how far things must go before a line is crossed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, cast

import numpy as np
from numpy.typing import ArrayLike, NDArray

from debtwatch.rules.expression import TOLERANCE
from debtwatch.sustainability import kernel
from debtwatch.sustainability.annual_stress import ReverseStress, most_likely_path
from debtwatch.sustainability.scenarios import Scenario, check_scale
from debtwatch.sustainability.simulate import Books
from debtwatch.sustainability.stress import (
    Evaluate,
    Missing,
    StressBasis,
    along_drivers,
    apply,
    given,
    lacking,
)

Array = NDArray[np.float64]
#: Accuracy of the scale of a reverse stress test, and the steps its bracket is searched in.
SCALE_TOLERANCE = 1e-4
BRACKET_STEPS = 8
#: Step of the central differences of the joint reverse stress, standard deviations.
STEP = 0.25
Outcome = Literal["found", "already beyond", "not reachable", "not monotone", "na"]


@dataclass(frozen=True)
class ScaleToLine:
    """How far each government is from a line along one direction.

    Attributes
    ----------
    scenario : Scenario
        The direction.
    scale : ndarray, shape (units,)
        Smallest scale at which the line is crossed, within 1e-4 and never below it; 0 where it is
        crossed already, NaN where there is none.
    size : ndarray, shape (units,)
        Scale times the size of the direction's first shock, as the report says it.
    quarter : ndarray of int, shape (units,)
        Quarter (0 the first ahead) in which the line is crossed at that scale, else -1.
    outcome : tuple of str
        ``found``, ``already beyond``, ``not reachable`` within the largest scale,
        ``not monotone`` or ``na``.
    missing : tuple of str or None
    """

    scenario: Scenario
    scale: Array
    size: Array
    quarter: NDArray[np.intp]
    outcome: tuple[Outcome, ...]
    missing: Missing


def reverse_stress(
    books: Books,
    basis: StressBasis,
    scenario: Scenario,
    evaluate: Evaluate,
    *,
    threshold: ArrayLike,
    inclusive: bool = True,
    horizon: int | None = None,
    largest: float | None = None,
    indicator: str = "debt_ratio",
) -> ScaleToLine:
    """Find the smallest scale of a scenario that carries an indicator over a line.

    ``s* = min {s >= 0: max over h <= H of ratio_h(s) >= line}`` (``>`` where the line itself is on
    the good side), with the tolerance of the formula language. The scale is bracketed in eight
    steps and bisected to 1e-4, all governments at once. The ratio must not fall as the scale
    grows; where it does on the points tried, the outcome says so instead of giving a scale.

    Parameters
    ----------
    books : Books
    basis : StressBasis
    scenario : Scenario
        The direction; a combined one as the sum of its shocks.
    evaluate : callable
    threshold : array_like, shape () or (units,)
        NaN where a government has no line to reach.
    inclusive : bool
        Whether the line itself is beyond.
    horizon : int, optional
        Quarters looked at; all by default.
    largest : float, optional
        Largest scale tried: by default 8, or what makes a cut of 100 %.
    indicator : str
        Higher is worse.

    Returns
    -------
    ScaleToLine

    Raises
    ------
    ModelProblem
        When the largest scale would cut more than there is.

    Notes
    -----
    Where the loss is so large that no ratio can be computed any more (capacity gone), the line
    counts as crossed.
    """
    top = scenario.largest_scale if largest is None else largest
    check_scale(scenario, top)
    units = len(books.keys)
    line = np.broadcast_to(np.asarray(threshold, dtype=np.float64), (units,))
    slack = TOLERANCE * np.maximum(1.0, np.abs(line))
    search = _Search(
        books, basis, scenario, evaluate, indicator, horizon or books.quarters,
        line - slack if inclusive else line + slack, inclusive,
    )  # fmt: skip
    missing = lacking(books, scenario, basis)
    start, _ = search.highest(np.zeros(units))
    usable = np.isfinite(start) & np.isfinite(line)
    low, high, monotone = search.bracket(start, usable, top)
    found = usable & (high > 0.0) & monotone
    scale, monotone = search.bisect(np.where(found, low, 0.0), np.where(found, high, 0.0), monotone)
    beyond = usable & search.beyond(start)
    found &= monotone
    scale = np.where(beyond, 0.0, np.where(found, scale, np.nan))
    _, quarter = search.highest(np.nan_to_num(scale))
    outcome = np.select(
        [~usable, beyond, ~monotone, found],
        ["na", "already beyond", "not monotone", "found"], "not reachable",
    )  # fmt: skip
    size = scale * (scenario.shocks[0].amount if scenario.shocks else np.nan)
    return ScaleToLine(
        scenario, scale, size, np.where(beyond | found, quarter, -1),
        tuple(cast(Outcome, str(word)) for word in outcome), missing,
    )  # fmt: skip


@dataclass(frozen=True)
class _Search:
    books: Books
    basis: StressBasis
    scenario: Scenario
    evaluate: Evaluate
    indicator: str
    horizon: int
    edge: Array
    inclusive: bool

    def beyond(self, value: Array) -> NDArray[np.bool_]:
        """Whether a ratio is on the bad side of the line."""
        return value >= self.edge if self.inclusive else value > self.edge

    def highest(self, scale: Array) -> tuple[Array, NDArray[np.intp]]:
        """Highest ratio up to the horizon, and the first quarter beyond the line."""
        stressed, missing = apply(self.books, self.scenario, self.basis, scale)
        ratio = np.asarray(self.evaluate(stressed)[self.indicator])[:, : self.horizon]
        # A ratio that the blow has taken away has left every line behind.
        known = ~given(missing)[:, None]
        gone = np.isnan(ratio) & known & (scale > 0.0)[:, None]
        filled = np.where(gone, np.inf, np.where(np.isnan(ratio), -np.inf, ratio))
        top = filled.max(axis=1)
        first = np.argmax(self.beyond(filled.T).T, axis=1)
        return np.where(np.isneginf(top), np.nan, top), first

    def bracket(
        self, start: Array, usable: NDArray[np.bool_], top: float
    ) -> tuple[Array, Array, NDArray[np.bool_]]:
        """Scales before and after the line (0 and 0 where there is none to find)."""
        low, high = np.zeros(len(start)), np.zeros(len(start))
        monotone = np.ones(len(start), dtype=bool)
        before = start
        for step in range(1, BRACKET_STEPS + 1):
            value, _ = self.highest(np.full(len(start), top * step / BRACKET_STEPS))
            # What lies behind the line is of no concern.
            monotone &= ~usable | (high > 0.0) | _not_lower(value, before)
            new = usable & (high == 0.0) & self.beyond(value) & ~self.beyond(start)
            low = np.where(new, top * (step - 1) / BRACKET_STEPS, low)
            high = np.where(new, top * step / BRACKET_STEPS, high)
            before = value
        return low, high, monotone

    def bisect(
        self, low: Array, high: Array, monotone: NDArray[np.bool_]
    ) -> tuple[Array, NDArray[np.bool_]]:
        """Halve the brackets until the scale is known; the upper end stays beyond the line."""
        floor, _ = self.highest(low)
        ceiling, _ = self.highest(high)
        while len(low) and float(np.max(high - low)) > SCALE_TOLERANCE:
            middle = 0.5 * (low + high)
            value, _ = self.highest(middle)
            active = high > low
            ordered = _not_lower(value, floor) & _not_lower(ceiling, value)
            monotone = monotone & (ordered | ~active)
            over = self.beyond(value)
            low, floor = np.where(over, low, middle), np.where(over, floor, value)
            high, ceiling = np.where(over, middle, high), np.where(over, value, ceiling)
        return high, monotone


def _not_lower(value: Array, before: Array) -> NDArray[np.bool_]:
    """Whether values have not fallen, but for rounding."""
    with np.errstate(invalid="ignore"):
        rounding = 1e-9 * np.maximum(1.0, np.abs(before))
        return (value >= before) | (np.abs(value - before) <= rounding)


def joint_reverse_stress(
    books: Books,
    evaluate: Evaluate,
    covariance: Array,
    *,
    threshold: ArrayLike,
    quarter: int,
    indicator: str = "debt_ratio",
) -> tuple[ReverseStress | None, ...]:
    """Find the most likely joint movement of the drivers that carries an indicator to a line.

    The ratio of one quarter is linearised, ``ratio = a + b'z``, b by central differences of a
    quarter of a standard deviation; then :func:`annual_stress.most_likely_path`.

    Parameters
    ----------
    books : Books
    evaluate : callable
    covariance : ndarray, shape (units, 5, 5)
        Of a year's movement of the drivers, in the units of :func:`along_drivers`.
    threshold : array_like, shape () or (units,)
    quarter : int
        Quarter looked at, 0 the first ahead.
    indicator : str

    Returns
    -------
    tuple of ReverseStress or None
        None where the ratio is not known or no driver moves it.

    Notes
    -----
    The closing rule has kinks (limit, reserve, cuts): far from the central path the straight line
    is a first look, and the probability no more than that.
    """
    units, drivers = len(books.keys), len(kernel.DRIVERS)
    deviation = np.sqrt(np.einsum("ukk->uk", covariance))
    level = np.asarray(evaluate(books)[indicator])[:, quarter]
    slope = np.zeros((units, drivers))
    for driver in range(drivers):
        step = np.zeros((units, drivers))
        step[:, driver] = STEP * np.nan_to_num(deviation[:, driver])
        up = np.asarray(evaluate(along_drivers(books, step))[indicator])[:, quarter]
        down = np.asarray(evaluate(along_drivers(books, -step))[indicator])[:, quarter]
        width = 2.0 * step[:, driver]
        slope[:, driver] = np.where(width > 0, (up - down) / np.where(width > 0, width, 1.0), 0.0)
    line = np.broadcast_to(np.asarray(threshold, dtype=np.float64), (units,))
    return tuple(
        _joint(covariance[u], slope[u], float(level[u]), float(line[u])) for u in range(units)
    )


def _joint(covariance: Array, slope: Array, level: float, line: float) -> ReverseStress | None:
    if not np.isfinite([level, line, *slope, *covariance.ravel()]).all():
        return None
    if slope @ covariance @ slope <= 0.0:
        return None
    return most_likely_path(covariance, slope, level, line)
