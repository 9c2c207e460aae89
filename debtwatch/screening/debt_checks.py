"""Checks of what a project does to its government's debt: limits, levels, breach, liquidity."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Literal

import numpy as np

from debtwatch.language import N_
from debtwatch.rules.assess import lines_of
from debtwatch.rules.expression import at_least, exceeds
from debtwatch.rules.rulebook import Rulebook
from debtwatch.screening.case import Case, InterestRatio, QuotaUse, TierChange
from debtwatch.screening.check import OURS, Check, Severity, Status, cited, severity_without_data
from debtwatch.screening.impact import ALREADY, ANYWAY, BROUGHT_FORWARD, CAUSED
from debtwatch.screening.labels import label_of
from debtwatch.screening.position import QUOTA, RESTRUCTURING, TIERS, WIDE
from debtwatch.screening.sentence import (
    Detail,
    Money,
    Name,
    Number,
    Quarter,
    Sentence,
    Share,
    Word,
    Words,
)

RED, ORANGE = 3, 2
_LEDGER = {"general": N_("general"), "special": N_("special")}
_SPENDING = {
    "general": N_("general budget expenditure"),
    "special": N_("government fund expenditure"),
}


def _na(check: str, book: Rulebook | None, *missing: str) -> Check:
    """Make a check that cannot run."""
    text = N_("These data are missing, and no judgement is made: {fields}.")
    names = Words(tuple(label_of(name) for name in missing))
    return Check(
        check,
        "na",
        severity_without_data(check),
        Sentence(text, {"fields": names}),
        cited(book),
        rulebook=book.reference if book is not None else "",
        ours=book is None,
        missing=missing,
    )


# -- Q1, R1, R2 ------------------------------------------------------------------------------------


def q1_quota(case: Case) -> Check:
    """Q1: balance, approved draws and the project's draws within the limit of each bond type."""
    book = case.rulebooks[QUOTA]
    used = [q for q in case.impact.quotas if q.drawn > 0]
    if not used:
        text = N_("The project draws no government bonds, so no limit is used.")
        return Check("Q1", "not_applicable", "I", Sentence(text), cited(book),
                     rulebook=book.reference)  # fmt: skip
    unknown = [q for q in used if math.isnan(q.balance) or math.isnan(q.limit)]
    known = [q for q in used if q not in unknown]
    worst = max(known, key=lambda q: _quota_total(q) - q.limit, default=None)
    over = worst is not None and bool(exceeds(np.asarray(_quota_total(worst)), worst.limit))
    if worst is None or (unknown and not over):
        names = [f"{q.ledger}_debt_{part}" for q in unknown for part in ("balance", "limit")]
        return _na("Q1", book, *names)
    text = (
        N_("{kind} debt with the planned borrowing is {total}, above the limit of {limit}; it may "
           "not be borrowed.")
        if over
        else N_("{kind} debt with the planned borrowing is {total}, within the limit of {limit}.")
    )  # fmt: skip
    details: dict[str, Detail] = {
        "kind": Word(_LEDGER_START[worst.ledger]),
        "total": Money(_quota_total(worst)),
        "limit": Money(worst.limit),
    }
    return Check(
        "Q1", "failed" if over else "passed", "H", Sentence(text, details), cited(book),
        value=_quota_total(worst), threshold=worst.limit, operator=">", unit="money",
        rulebook=book.reference,
    )  # fmt: skip


_LEDGER_START = {"general": N_("General"), "special": N_("Special")}


def _quota_total(use: QuotaUse) -> float:
    return use.balance + use.pipeline + use.drawn


def r1_restructuring(case: Case) -> Check:
    """R1: interest over expenditure above the numeric condition of the restructuring plan."""
    book = case.rulebooks[RESTRUCTURING]
    if case.government.level not in book.levels:
        text = N_("The condition addresses cities and counties only.")
        return Check("R1", "not_applicable", "I", Sentence(text), cited(book),
                     rulebook=book.reference)  # fmt: skip
    graded = [_interest_grade(case, ratio) for ratio in case.impact.interest]
    found = [g for g in graded if g is not None]
    order = {"H": 0, "D": 1, "I": 2}
    worst = min(found, key=lambda c: (order[c.severity], -(c.value or 0.0)), default=None)
    if worst is not None and worst.status == "passed" and case.impact.beyond_outlook:
        return _na("R1", book, "outlook_to_last_draw")
    if worst is None or (worst.status == "passed" and len(found) < len(graded)):
        lacking = [r.ledger for r, g in zip(case.impact.interest, graded, strict=True) if g is None]
        prefix = {"general": "gpb", "special": "gfb"}
        return _na("R1", book, *(f"{prefix[k]}_debt_interest" for k in lacking))
    return worst


def _interest_grade(case: Case, ratio: InterestRatio) -> Check | None:
    book = case.rulebooks[RESTRUCTURING]
    indicator = book.indicator_named(f"{ratio.ledger}_interest_ratio")
    line = lines_of(book, indicator)[-1]
    if np.isnan(ratio.with_).all():
        return None
    with_, without = line.breached(ratio.with_), line.breached(ratio.without)
    hit, caused = bool(with_.any()), bool((with_ & ~without).any())
    # The worst quarter of those that the project itself puts beyond the line, where there are any.
    asked = np.where(with_ & ~without, ratio.with_, -np.inf) if caused else ratio.with_
    worst = int(np.nanargmax(asked))
    stood = bool(line.breached(np.asarray(ratio.now)))  # above it already: D by the rules
    grave: Severity = "H" if ratio.ledger == "general" or (caused and not stood) else "D"
    sooner = caused and bool(without.any())
    texts = {
        "passed": N_("Interest on {kind} debt is at most {value} of {spending}, not above the "
                     "{line} of the restructuring condition."),
        "caused": N_("With the project, interest on {kind} debt reaches {value} of {spending} and "
                     "meets the numeric condition of {line}; starting a plan is a decision of the "
                     "authorities."),
        "sooner": N_("Interest on {kind} debt exceeds {line} of {spending} later even without the "
                     "project; the project brings this forward, to {value} in {quarter}; starting "
                     "a plan is a decision of the authorities."),
        "already": N_("Interest on {kind} debt is {value} of {spending}, above {line} even without "
                      "the project; starting a plan is a decision of the authorities."),
    }  # fmt: skip
    key = "passed" if not hit else "sooner" if sooner else "caused" if caused else "already"
    details: dict[str, Detail] = {
        "kind": Word(_LEDGER[ratio.ledger]),
        "spending": Word(_SPENDING[ratio.ledger]),
        "value": Share(float(ratio.with_[worst]), 2),
        "line": Share(line.value, 0),
        "quarter": Quarter(case.impact.first_quarter + worst),
    }
    return Check(
        "R1", "failed" if hit else "passed", grave if hit else "I",
        Sentence(texts[key], details), cited(book), value=float(ratio.with_[worst]),
        threshold=line.value, operator=">", quarter=case.impact.first_quarter + worst,
        rulebook=book.reference,
    )  # fmt: skip


def r2_plan_started(case: Case) -> Check:
    """R2: no new build where a restructuring plan has been started."""
    book = case.rulebooks[RESTRUCTURING]
    started, expands = case.government.in_restructuring, case.project.expands
    if started is None:
        text = N_("Nobody has stated whether a restructuring plan has been started.")
        return Check("R2", "na", "C", Sentence(text), cited(book), rulebook=book.reference,
                     missing=("in_restructuring",))  # fmt: skip
    if started and expands is None:
        return _na("R2", book, "purpose")
    hit = started and bool(expands)
    text = (
        N_("A restructuring plan has been started; new government investment is not possible.")
        if hit
        else N_("No restructuring plan bars the project.")
    )
    return Check("R2", "failed" if hit else "passed", "H", Sentence(text), cited(book),
                 value=float(hit), threshold=1.0, operator="==", unit="flag",
                 rulebook=book.reference)  # fmt: skip


# -- T1, T2, T3 ------------------------------------------------------------------------------------


def t1_tier_change(case: Case) -> Check:
    """T1: worst level within the horizon with the project against without."""
    return _tier_check("T1", case, case.impact.tier, TIERS)


def t3_wide_tier_change(case: Case) -> Check:
    """T3: the same with hidden debt counted."""
    if case.impact.wide is None:
        text = N_("No hidden or vehicle debt was supplied, so the wide calibre cannot be judged.")
        return Check("T3", "na", "C", Sentence(text), OURS, missing=("hidden_debt_balance",))
    return _tier_check("T3", case, case.impact.wide, WIDE)


def _tier_check(check: Literal["T1", "T3"], case: Case, change: TierChange, family: str) -> Check:
    book = case.rulebooks[family]
    if change.worst_quarter is None or 9 in {change.without.severity, change.with_.severity}:
        return _na(check, book, "debt_balance", "comprehensive_fiscal_capacity")
    steps = change.with_.severity - change.without.severity
    if steps < 1 and case.impact.beyond_outlook:
        return _na(check, book, "outlook_to_last_draw")
    into_red = steps > 0 and change.with_.severity >= RED
    grave: Severity = "H" if steps >= 2 or into_red else "D"
    if check == "T3":
        grave = "D" if into_red else "C"
    status: Status = "failed" if steps >= 1 else "passed"
    return Check(
        check, status, grave if steps >= 1 else "I", _tier_sentence(case, change, steps),
        cited(book), value=float(np.nanmax(change.path_with)),
        threshold=_line_entered(book, change), operator=">=", quarter=change.worst_quarter,
        rulebook=book.reference,
    )  # fmt: skip


def _line_entered(book: Rulebook, change: TierChange) -> float | None:
    """Line of the level reached with the project, or the next one above when none is entered."""
    headline = book.indicator_named(book.headline or book.indicator[0].id)
    lines = lines_of(book, headline)
    worst = float(np.nanmax(change.path_with))
    if change.with_.severity > change.without.severity:
        crossed = [x for x in lines if x.breached(np.asarray(worst))]
        return crossed[-1].value if crossed else None
    ahead = [x for x in lines if not x.breached(np.asarray(worst))]
    return ahead[0].value if ahead else None


def _tier_sentence(case: Case, change: TierChange, steps: int) -> Sentence:
    """Say what happens, and whether it happens anyway: three different findings."""
    details: dict[str, Detail] = {
        "government": case.government.name,
        "now": Share(change.value_now),
        "worst": Share(float(np.nanmax(change.path_with)), 2),
        "before": Name(change.without.label),
        "after": Name(change.with_.label),
        "line": Share(change.line.value, 0) if change.line is not None else "",
        "without": Quarter(change.breach_without),
        "with_": Quarter(change.breach_with),
        "sooner": Number(change.quarters_sooner),
    }
    if change.effect in {ANYWAY, BROUGHT_FORWARD} and steps >= 1:
        text = N_("Even without the project, the debt ratio of {government} crosses {line} in "
                  "{without}; with it, it rises to {worst} and the level turns from {before} to "
                  "{after}.")  # fmt: skip
    elif change.effect == ANYWAY:
        text = N_("Even without the project, the debt ratio of {government} crosses {line} in "
                  "{without}; with it, it rises to {worst}.")  # fmt: skip
    elif change.effect == BROUGHT_FORWARD:
        text = N_("Even without the project, the debt ratio of {government} crosses {line} in "
                  "{without}; the project brings this forward by {sooner} quarters, to "
                  "{with_}.")  # fmt: skip
    elif change.effect == CAUSED and steps >= 1:
        text = N_("If built as proposed, the debt ratio of {government} rises from {now} to "
                  "{worst} and crosses the line of {line} in {with_}; the level turns from "
                  "{before} to {after}.")  # fmt: skip
    elif change.effect == ALREADY and steps < 1:
        text = N_("The debt ratio of {government} stands beyond its last line already; with the "
                  "project it rises to {worst}.")  # fmt: skip
    elif steps >= 1:
        text = N_("If built as proposed, the debt ratio of {government} rises from {now} to "
                  "{worst}; the level turns from {before} to {after}.")  # fmt: skip
    else:
        text = N_("With the project, the debt ratio of {government} goes from {now} to at most "
                  "{worst}; the level stays {after}.")  # fmt: skip
    return Sentence(text, details)


def t2_tier_now(case: Case) -> Check:
    """T2: the government is red or orange already."""
    book = case.rulebooks[TIERS]
    now = case.impact.tier.now
    if now.severity == 9:
        return _na("T2", book, "debt_balance", "comprehensive_fiscal_capacity")
    hit = now.severity >= ORANGE
    text = (
        N_("{government} stands at {level} now; but for safety repairs, ongoing projects and full "
           "grants, new government investment should wait.")
        if now.severity >= RED
        else N_("{government} stands at {level} now; new government investment needs conditions.")
        if hit
        else N_("{government} stands at {level} now.")
    )  # fmt: skip
    details: dict[str, Detail] = {"government": case.government.name, "level": Name(now.label)}
    return Check(
        "T2", "failed" if hit else "passed",
        "D" if now.severity >= RED else "C" if hit else "I", Sentence(text, details),
        cited(book), value=case.impact.tier.value_now, threshold=_line_of(book, ORANGE),
        operator=">=", quarter=case.government.quarter, rulebook=book.reference,
    )  # fmt: skip


def _line_of(book: Rulebook, severity: int) -> float | None:
    headline = book.indicator_named(book.headline or book.indicator[0].id)
    return next((x.value for x in lines_of(book, headline) if x.severity == severity), None)


# -- B1, B2 ----------------------------------------------------------------------------------------


def b1_probability(case: Case) -> Check:
    """B1: probability of breach, and what the project adds to it; a straddled line counts."""
    found = case.impact.probability
    tier = case.impact.tier
    if found is None:
        if tier.line is None and tier.worst_quarter is not None:
            text = N_("There is no line above the present level, so no breach can be simulated.")
            return Check("B1", "not_applicable", "I", Sentence(text), OURS, ours=True)
        return _na("B1", None, "simulated_paths")
    lines = case.settings.probability
    own = (lines.conditional, lines.defer, lines.reject)
    extra = (lines.added_conditional, lines.added_defer, lines.added_reject)
    grades = [
        _grade(found.with_, 1.96 * found.error_with, own),
        _grade(found.added, 1.96 * found.error_added, extra),
    ]
    by_added = grades[1][0] > grades[0][0]
    level, straddled = max(grades, key=lambda g: g[0])
    # A breach that comes anyway is no finding about the project (rules C3.6): it waits, no more.
    anyway = level == 3 and found.added <= 1.96 * found.error_added
    level = 2 if anyway else level
    severity: Severity = ("I", "C", "D", "H")[level]
    text = (
        N_("On {paths} simulated paths (seed {seed}), the probability of crossing {line} within "
           "{horizon} quarters is {with_} ± {error}, and as high without the project "
           "({without}): not a finding about the project, but new building should wait.")
        if anyway
        else N_("On {paths} simulated paths (seed {seed}), the probability of crossing {line} "
                "within {horizon} quarters is {with_} ± {error} ({without} without the "
                "project). The interval touches a cut-off, so the worse class is taken.")
        if straddled
        else N_("On {paths} simulated paths (seed {seed}), the probability of crossing {line} "
                "within {horizon} quarters is {with_} ± {error} ({without} without the project).")
    )  # fmt: skip
    details: dict[str, Detail] = {
        "paths": Number(found.paths), "seed": str(found.seed), "line": Share(found.line.value, 0),
        "horizon": Number(found.horizon), "with_": Share(found.with_),
        "error": Share(1.96 * found.error_with), "without": Share(found.without),
    }  # fmt: skip
    if not level and case.impact.beyond_outlook:
        return _na("B1", None, "outlook_to_last_draw")
    edges = extra if by_added else own
    return Check(
        "B1", "failed" if level else "passed", severity, Sentence(text, details), OURS,
        value=found.added if by_added else found.with_,
        threshold=edges[max(level - 1, 0)], operator=">=",
        quarter=case.impact.first_quarter + found.horizon - 1, ours=True,
    )  # fmt: skip


def _grade(value: float, half_width: float, edges: tuple[float, float, float]) -> tuple[int, bool]:
    """Class of a share, 0 to 3, and whether its interval made it worse."""
    plain = sum(bool(at_least(np.asarray(value), edge)) for edge in edges)
    upper = sum(bool(at_least(np.asarray(value + half_width), edge)) for edge in edges)
    return upper, upper > plain


def b2_stress(case: Case) -> Check:
    """B2: a stress scenario takes the government into red."""
    after, before = case.impact.stressed_with, case.impact.stressed_without
    if after is None or before is None or after.severity == 9:
        return _na("B2", None, "stress_scenarios")
    hit = after.severity >= RED
    text = (
        N_("Under the stress “{scenario}”, the level reaches {after} even without the project.")
        if hit and before.severity >= RED
        else N_("Under the stress “{scenario}”, the level with the project reaches {after}.")
    )
    label = case.impact.stressed_by
    details: dict[str, Detail] = {
        "scenario": Name(label) if label is not None else "",
        "after": Name(after.label),
    }
    return Check("B2", "failed" if hit else "passed", "C" if hit else "I", Sentence(text, details),
                 OURS, value=float(after.severity), threshold=float(RED), operator=">=",
                 unit="number", ours=True)  # fmt: skip


# -- S1, S2 ----------------------------------------------------------------------------------------


def s1_guarantees(case: Case) -> Check:
    """S1: capacity after debt service and top-ups covers the three guarantees in every year."""
    margin = case.impact.sanbao_margin
    if math.isnan(margin):
        return _na("S1", None, "sanbao_expenditure")
    hit = margin < -1e-6
    if not hit and case.impact.beyond_outlook:
        return _na("S1", None, "outlook_to_last_draw")
    text = (
        N_("After debt service and top-ups, {gap} is lacking for the three guarantees (basic "
           "livelihood, wages, running costs).")
        if hit
        else N_("After debt service and top-ups, {gap} is left above the three guarantees (basic "
                "livelihood, wages, running costs).")
    )  # fmt: skip
    return Check(
        "S1", "failed" if hit else "passed", "H", Sentence(text, {"gap": Money(abs(margin))}), OURS,
        value=margin, threshold=0.0, operator="<", unit="money",
        quarter=case.impact.sanbao_quarter, ours=True,
    )  # fmt: skip


def s2_liquidity(case: Case) -> Check:
    """S2: gross financing need of the next four quarters over capacity."""
    value, lines = case.impact.liquidity, case.settings.liquidity
    if math.isnan(value):
        return _na("S2", None, "comprehensive_fiscal_capacity")
    shown = np.asarray(value)
    defer = bool(exceeds(shown, lines.defer))
    conditional = bool(exceeds(shown, lines.conditional))
    severity: Severity = "D" if defer else "C" if conditional else "I"
    text = N_("The gross financing need of the four quarters from {quarter}, with the project, is "
              "{value} of fiscal capacity.")  # fmt: skip
    since = case.impact.liquidity_quarter or case.impact.first_quarter
    return Check(
        "S2", "failed" if conditional else "passed", severity,
        Sentence(text, {"value": Share(value), "quarter": Quarter(since)}), OURS, value=value,
        threshold=lines.defer if defer else lines.conditional, operator=">", ours=True,
    )  # fmt: skip


DEBT_CHECKS: tuple[Callable[[Case], Check], ...] = (
    q1_quota,
    r1_restructuring,
    r2_plan_started,
    t1_tier_change,
    t2_tier_now,
    t3_wide_tier_change,
    b1_probability,
    b2_stress,
    s1_guarantees,
    s2_liquidity,
)
