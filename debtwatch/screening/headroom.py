"""Headroom: how much more debt fits under each line and limit, and at which scale the project does.

Along a path the numerator and denominator of a ratio are linear in the scale x of a project, so
that the largest scale is a closed form (methods 4.5)::

    x = min over q of (tau F_q - D_q) / (a_q - tau b_q)

It is a supremum: a line whose value itself is beyond (``>=``) is crossed at it.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from debtwatch.rules.assess import Line, lines_of
from debtwatch.rules.rulebook import Bilingual, Indicator, Rulebook
from debtwatch.screening.breach import critical_scale, tolerated
from debtwatch.screening.case import Room
from debtwatch.screening.debt_service import LEDGERS, draws_of
from debtwatch.screening.impact import floor_headroom, headroom
from debtwatch.screening.pair import Pair
from debtwatch.screening.position import (
    PPP,
    RESTRUCTURING,
    TIERS,
    Position,
    headline_of,
    partnership_cap,
)
from debtwatch.screening.project import LEDGER_OF, Project
from debtwatch.screening.settings import ScreeningSettings

Array = NDArray[np.float64]
_QUOTA = {
    "general": Bilingual(zh="一般债务限额", en="General debt limit"),
    "special": Bilingual(zh="专项债务限额", en="Special debt limit"),
}
_INTEREST = {
    "general": Bilingual(zh="一般债务付息占比", en="General interest ratio"),
    "special": Bilingual(zh="专项债务付息占比", en="Special interest ratio"),
}
_PPP = Bilingual(zh="PPP年度支出上限", en="Yearly cap on partnerships")
_SANBAO = Bilingual(zh="“三保”保障", en="Three guarantees")


def critical_scales(
    position: Position, pair: Pair, line: Line, *, horizon: int, consecutive: int
) -> Array:
    """Smallest scale of the project at which each simulated path breaches a line."""
    headline = headline_of(position.rulebooks[TIERS])
    room = position.room_on_paths(line)[:horizon]
    return critical_scale(room, taken_room(headline, line, pair)[:horizon], consecutive)


def taken_room(indicator: Indicator, line: Line, pair: Pair) -> Array:
    """Find the room that the whole project takes in each quarter: ``a - tau b``."""
    return headroom(indicator, line, pair.without) - headroom(indicator, line, pair.with_)


def rooms_of(
    position: Position, project: Project, pair: Pair, settings: ScreeningSettings
) -> tuple[Room, ...]:
    """Headroom under every line and limit that applies.

    Parameters
    ----------
    position : Position
    project : Project
    pair : Pair
    settings : ScreeningSettings
    """
    rooms = [*_tier_rooms(position, pair)]
    rooms += [_quota_room(position, project, ledger) for ledger in LEDGERS]
    if position.government.level in position.rulebooks[RESTRUCTURING].levels:
        rooms += [_interest_room(position, project, pair, ledger) for ledger in LEDGERS]
    if project.amount_of("ppp_private") > 0:
        rooms.append(_ppp_room(position, project))
    rooms.append(_sanbao_room(position, project, pair))
    tolerance = _tolerance_room(position, pair, settings)
    return (*rooms, *([tolerance] if tolerance is not None else []))


def _tier_rooms(position: Position, pair: Pair) -> list[Room]:
    book = position.rulebooks[TIERS]
    headline = headline_of(book)
    now = np.asarray(position.value_now)
    if np.isnan(now):
        return []
    return [
        _least(
            "tier", _line_label(book, headline, line), line,
            room=headroom(headline, line, pair.without), taken=taken_room(headline, line, pair),
            position=position,
        )
        for line in lines_of(book, headline)
        if not line.breached(now)
    ]  # fmt: skip


def _line_label(book: Rulebook, headline: Indicator, line: Line) -> Bilingual:
    band = next(b for b in headline.bands if b.band == line.band)
    label = band.label or Bilingual(zh=line.band, en=line.band)
    value = f"{line.value * 100:g}%"
    return Bilingual(
        zh=f"{headline.label.zh}{value}（{label.zh}）",
        en=f"{headline.label.en} {value} ({label.en})",
    )


def _least(
    key: str, label: Bilingual, line: Line, *, room: Array, taken: Array, position: Position
) -> Room:
    """Room of the tightest quarter, and the scale that fits in every quarter."""
    if np.isnan(room).all():
        return Room(key, label, line.value, math.nan, None, math.nan, None)
    at = int(np.nanargmin(room))
    supremum = float(room[at])
    scale = float(critical_scale(room, taken)) if supremum > 0 else 0.0
    return Room(
        key,
        label,
        line.value,
        supremum,
        floor_headroom(supremum, inclusive=line.inclusive),
        scale,
        position.first_quarter + at,
    )


def still_drawn(position: Position, project: Project, ledger: str) -> float:
    """Bonds of a ledger that a project still draws, however late, yuan.

    Parameters
    ----------
    position : Position
    project : Project
    ledger : {"general", "special"}
    """
    total = 0.0
    for tranche in project.financing:
        if LEDGER_OF.get(tranche.source) != ledger:
            continue
        for after, amount in draws_of(project, tranche).items():
            if project.start_quarter + after >= position.first_quarter:
                total += amount
    return total


def _quota_room(position: Position, project: Project, ledger: str) -> Room:
    now: Mapping[str, float] = position.now
    limit = now.get(f"{ledger}_debt_limit", math.nan)
    room = limit - now.get(f"{ledger}_debt_balance", math.nan) - position.pipeline.get(ledger, 0.0)
    drawn = still_drawn(position, project, ledger)
    scale = math.inf if drawn <= 0 else max(room, 0.0) / drawn
    printed = None if math.isnan(room) else floor_headroom(room, inclusive=False)
    return Room(
        f"{ledger}_quota",
        _QUOTA[ledger],
        limit,
        room,
        printed,
        math.nan if math.isnan(room) else scale,
        None,
    )


def _interest_room(position: Position, project: Project, pair: Pair, ledger: str) -> Room:
    """Room for interest, as debt at the project's rate (the rate of new bonds without debt)."""
    book = position.rulebooks[RESTRUCTURING]
    indicator = book.indicator_named(f"{ledger}_interest_ratio")
    line = lines_of(book, indicator)[-1]
    rate = bond_rate(position, project)
    room = headroom(indicator, line, pair.without) / rate
    taken = taken_room(indicator, line, pair) / rate
    return _least(
        f"{ledger}_interest", _INTEREST[ledger], line, room=room, taken=taken, position=position
    )


def bond_rate(position: Position, project: Project) -> float:
    """Average rate of the project's debt, weighted by amount; that of new bonds without debt."""
    debts = [t for t in project.financing if t.is_debt and t.amount > 0 and t.rate > 0]
    total = sum(t.amount for t in debts)
    return sum(t.amount * t.rate for t in debts) / total if total else position.new_rate


def _ppp_room(position: Position, project: Project) -> Room:
    """Find the commitments a year that still fit under the cap."""
    cap = partnership_cap(position.rulebooks[PPP])
    room = position.partnership_share_left * position.now.get("gpb_expenditure", math.nan)
    own = max(project.ppp_commitments.values(), default=0.0)
    scale = math.inf if own <= 0 else max(room, 0.0) / own
    printed = None if math.isnan(room) else floor_headroom(room, inclusive=False)
    return Room("ppp", _PPP, cap, room, printed, math.nan if math.isnan(room) else scale, None)


def _sanbao_room(position: Position, project: Project, pair: Pair) -> Room:
    """Debt whose yearly service is the capacity left after service and the three guarantees."""
    left = position.left_above_guarantees(pair.without.get("general_capacity"))
    if left is None:
        return Room("sanbao", _SANBAO, None, math.nan, None, math.nan, None)
    at = int(np.nanargmin(left))
    rate = bond_rate(position, project)
    years = max((round(t.tenor_years) for t in project.financing if t.is_debt), default=10)
    annuity = rate / -math.expm1(-years * math.log1p(rate)) if rate > 0 else 1 / years
    supremum = float(left[at]) / annuity
    scale = float(critical_scale(left, pair.top_ups)) if supremum > 0 else 0.0
    return Room(
        "sanbao",
        _SANBAO,
        position.now["sanbao_expenditure"],
        supremum,
        floor_headroom(supremum, inclusive=False),
        scale,
        position.first_quarter + at,
    )


def _tolerance_room(position: Position, pair: Pair, settings: ScreeningSettings) -> Room | None:
    """Debt and scale that leave the probability of breach at the tolerance."""
    book = position.rulebooks[TIERS]
    headline = headline_of(book)
    line = position.next_line
    if line is None or not position.paths:
        return None
    own = settings.impact
    horizon = position.quarters
    room = position.room_on_paths(line)[:horizon]
    money = np.maximum(room[1:], room[:-1]) if own.consecutive == 2 and horizon > 1 else room
    supremum = tolerated(np.where(np.isnan(money), np.inf, money).min(axis=0), own.tolerance)
    scales = critical_scale(room, taken_room(headline, line, pair)[:horizon], own.consecutive)
    label = _line_label(book, headline, line)
    share = f"{own.tolerance * 100:g}%"
    return Room(
        "tolerance",
        Bilingual(
            zh=f"{label.zh}，越线概率不超过{share}",
            en=f"{label.en}, probability of breach up to {share}",
        ),
        own.tolerance,
        supremum if math.isfinite(supremum) else math.nan,
        floor_headroom(supremum, inclusive=True) if math.isfinite(supremum) else None,
        tolerated(scales, own.tolerance),
        None,
    )
