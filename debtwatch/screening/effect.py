"""What one project does to its government: levels, breach, probability, limits, headroom.

The project's money is added to the same accounts, the same stress scenarios and the same simulated
paths, and the same rulebook formulas are evaluated once without and once with it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from debtwatch.rules.assess import Line, assess, band_codes, indicator_value
from debtwatch.rules.capacity import CAPACITY
from debtwatch.rules.rulebook import UNKNOWN, Bilingual, Indicator, Rulebook
from debtwatch.screening.breach import breached_by, compare
from debtwatch.screening.case import (
    Impact,
    InterestRatio,
    Probability,
    QuotaUse,
    Tier,
    TierChange,
)
from debtwatch.screening.debt_service import LEDGERS, last_draw
from debtwatch.screening.headroom import rooms_of, still_drawn, taken_room
from debtwatch.screening.impact import (
    ALREADY,
    NO_DATA,
    first_breach,
    judge,
)
from debtwatch.screening.pair import Pair, pair_of
from debtwatch.screening.position import (
    RESTRUCTURING,
    TIERS,
    WIDE,
    Position,
    headline_of,
    next_line,
)
from debtwatch.screening.project import Project
from debtwatch.screening.settings import ScreeningSettings

Array = NDArray[np.float64]


def impact_of(
    position: Position,
    project: Project,
    settings: ScreeningSettings,
    *,
    top_ups: Sequence[float] = (),
    full: bool = True,
) -> Impact:
    """Compute the impact of a project.

    Parameters
    ----------
    position : Position
    project : Project
    settings : ScreeningSettings
    top_ups : sequence of float
        By project year, yuan.
    full : bool
        With headroom and the effect on the province; a trial of a changed proposal needs neither.
    """
    pair = pair_of(position, project, top_ups)
    levels = _levels(position, position.rulebooks[TIERS])
    tier = _tier_change(position, pair, levels)
    wide = position.rulebooks.get(WIDE)
    margin, when = _sanbao(position, pair)
    liquidity, from_ = _liquidity(position, project, pair)
    before, after, stressed_by = _stressed(position, pair, levels)
    return Impact(
        first_quarter=position.first_quarter,
        tier=tier,
        wide=_tier_change(position, pair, _levels(position, wide)) if wide is not None else None,
        probability=_probability(position, pair, tier.line, settings, full=full),
        quotas=tuple(_quota(position, project, ledger) for ledger in LEDGERS),
        interest=tuple(_interest(position, pair, ledger) for ledger in LEDGERS),
        stressed_without=before,
        stressed_with=after,
        stressed_by=stressed_by,
        liquidity=liquidity,
        liquidity_quarter=from_,
        beyond_outlook=last_draw(project) >= position.first_quarter + position.quarters,
        sanbao_margin=margin,
        sanbao_quarter=when,
        rooms=rooms_of(position, project, pair, settings) if full else (),
        **(_province(position, pair, tier, settings) if full else {}),
    )


# -- levels ----------------------------------------------------------------------------------------


def named_tier(book: Rulebook, outcome: str) -> Tier:
    """Find a level with its label and severity."""
    for known in book.outcome:
        if known.id == outcome:
            return Tier(known.id, known.label, known.severity)
    return Tier(UNKNOWN, Bilingual(zh="无数据", en="No data"), 9)


def levels_of(book: Rulebook) -> tuple[Tier, ...]:
    """List the level of every band of the headline indicator, which alone decides the level."""
    headline = headline_of(book)
    edges = [b.ge if b.ge is not None else b.gt for b in headline.bands]
    inside = [0.0 if edge is None else edge + 1e-6 for edge in edges]
    found = assess(book, {headline.id: np.array(inside)})
    return tuple(named_tier(book, str(name)) for name in found.outcome_ids())


@dataclass(frozen=True)
class _Levels:
    """Levels of one rulebook, worked out once for all the paths of a case."""

    book: Rulebook
    headline: Indicator
    of_band: tuple[Tier, ...]

    def worst(self, values: Array) -> Tier:
        """Worst level of a path; unknown when no quarter has a value."""
        if np.isnan(values).all():
            return named_tier(self.book, UNKNOWN)
        return self.of_band[int(band_codes(self.headline, np.asarray(np.nanmax(values))))]


def _levels(position: Position, book: Rulebook) -> _Levels:
    key = ("levels", book.reference)
    if key not in position.kept:
        position.kept[key] = _Levels(book, headline_of(book), levels_of(book))
    levels: _Levels = position.kept[key]
    return levels


def _tier_change(position: Position, pair: Pair, levels: _Levels) -> TierChange:
    book, headline = levels.book, levels.headline
    now = float(np.asarray(indicator_value(headline, position.now)))
    paths = [
        np.broadcast_to(indicator_value(headline, inputs), position.quarters)
        for inputs in (pair.without, pair.with_)
    ]
    line = next_line(book, now)
    first = position.first_quarter
    crossed: list[int | None] = [None, None]
    if line is not None:
        crossed = [first_breach(line, path, first) for path in paths]
    computable = not (np.isnan(now) or np.isnan(paths[1]).all())
    effect = NO_DATA if not computable else ALREADY
    if line is not None and computable:
        effect = judge(now, crossed[0], crossed[1], line, computable=computable)
    return TierChange(
        now=levels.worst(np.array([now])),
        without=levels.worst(paths[0]),
        with_=levels.worst(paths[1]),
        value_now=now,
        path_without=paths[0],
        path_with=paths[1],
        line=line,
        breach_without=crossed[0],
        breach_with=crossed[1],
        worst_quarter=first + int(np.nanargmax(paths[1])) if computable else None,
        effect=effect,
    )


def _stressed(
    position: Position, pair: Pair, levels: _Levels
) -> tuple[Tier | None, Tier | None, Bilingual | None]:
    """Worst level under any stress scenario, without and with the project."""
    headline = levels.headline
    if not position.stresses:
        return None, None, None
    before = {
        name: np.array([stress.inputs[name] for stress in position.stresses])
        for name in position.stresses[0].inputs
    }
    shape = (len(position.stresses), position.quarters)
    after = {name: values + pair.added(name) for name, values in before.items()}
    with_ = np.broadcast_to(indicator_value(headline, after), shape)
    if np.isnan(with_).all():
        return None, None, None
    row = int(np.nanargmax(with_)) // position.quarters
    without = np.broadcast_to(indicator_value(headline, before), shape)[row]
    label = position.stresses[row].label
    return levels.worst(without), levels.worst(with_[row]), label


# -- probability -----------------------------------------------------------------------------------


def _probability(
    position: Position, pair: Pair, line: Line | None, settings: ScreeningSettings,
    *, full: bool = True,
) -> Probability | None:  # fmt: skip
    if line is None or not position.paths:
        return None
    headline = headline_of(position.rulebooks[TIERS])
    horizon = position.quarters
    consecutive = settings.impact.consecutive
    room = position.room_on_paths(line)
    if np.isnan(room).mean() > 0.5:
        return None
    taken = taken_room(headline, line, pair)[:horizon]
    without = position.hits_without(line, consecutive)[:horizon]
    with_ = breached_by(
        room, taken, inclusive=line.inclusive, consecutive=consecutive, at_the_end=not full
    )
    shares = compare(without if full else without[-1:], with_)
    return Probability(
        line=line,
        without=shares.without,
        with_=shares.with_,
        error_without=shares.error_without,
        error_with=shares.error_with,
        error_added=shares.error_added,
        by_quarter_without=shares.by_quarter_without,
        by_quarter_with=shares.by_quarter_with,
        paths=room.shape[1],
        horizon=horizon,
        consecutive=consecutive,
        seed=position.seed,
    )


# -- limits ----------------------------------------------------------------------------------------


def _quota(position: Position, project: Project, ledger: str) -> QuotaUse:
    now = position.now
    return QuotaUse(
        ledger,
        balance=now.get(f"{ledger}_debt_balance", float("nan")),
        drawn=still_drawn(position, project, ledger),
        pipeline=position.pipeline.get(ledger, 0.0),
        limit=now.get(f"{ledger}_debt_limit", float("nan")),
    )


def _interest(position: Position, pair: Pair, ledger: str) -> InterestRatio:
    book = position.rulebooks[RESTRUCTURING]
    indicator = book.indicator_named(f"{ledger}_interest_ratio")
    shape = position.quarters
    return InterestRatio(
        ledger,
        now=float(np.asarray(indicator_value(indicator, position.now))),
        without=np.broadcast_to(indicator_value(indicator, pair.without), shape),
        with_=np.broadcast_to(indicator_value(indicator, pair.with_), shape),
    )


def _liquidity(position: Position, project: Project, pair: Pair) -> tuple[float, int | None]:
    """Financing need of four quarters with the project's draws over capacity: the worse of two.

    The next four quarters, and the four from the project's start.
    """
    drawn = np.sum([np.diff(pair.flows.drawn[k], prepend=0.0) for k in LEDGERS], axis=0)
    last = max(position.quarters - 4, 0)
    start = min(max(project.start_quarter - position.first_quarter, 0), last)
    found: list[tuple[float, int]] = []
    for first in sorted({0, start}):
        need = float((position.financing_need + drawn)[first : first + 4].sum())
        ahead = pair.without.get(CAPACITY, np.zeros(0))
        capacity = position.capacity_now if first == 0 else float(ahead[min(first + 3, last + 3)])
        if capacity > 0 and np.isfinite(need):
            found.append((need / capacity, position.first_quarter + first))
    return max(found, default=(float("nan"), None))


def _sanbao(position: Position, pair: Pair) -> tuple[float, int | None]:
    """Least capacity left after general debt service, top-ups and the three guarantees."""
    left = position.left_above_guarantees(pair.with_.get("general_capacity"))
    if left is None:
        return float("nan"), None
    left = left - pair.top_ups
    worst = int(np.nanargmin(left))
    return float(left[worst]), position.first_quarter + worst


def _province(
    position: Position, pair: Pair, tier: TierChange, settings: ScreeningSettings
) -> dict[str, float]:
    others = position.province
    if others is None or tier.worst_quarter is None:
        return {}
    at = tier.worst_quarter - position.first_quarter
    result = {}
    own = _probability(position, pair, tier.line, settings)
    if own is not None:
        result["province_before"] = others.expected + own.without
        result["province_after"] = others.expected + own.with_
    capacity = others.capacity[at] + pair.without[CAPACITY][at]
    if capacity > 0:
        before = (others.debt[at] + pair.without["debt_balance"][at]) / capacity
        with_capacity = others.capacity[at] + pair.with_[CAPACITY][at]
        after = (others.debt[at] + pair.with_["debt_balance"][at]) / with_capacity
        result |= {"province_ratio_before": float(before), "province_ratio_after": float(after)}
    return result
