"""Checks of debt: each just below, at and just above its line, without data, and not applicable."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from debtwatch.screening import debt_checks as checks
from debtwatch.screening.case import InterestRatio, Probability, QuotaUse
from tests.proposal_cases import (
    QUARTERS,
    WAN,
    YELLOW,
    case,
    healthy_government,
    healthy_impact,
    healthy_project,
    tier,
    tier_change,
)


def graded(check):
    return check.status, check.severity


def with_impact(**changes):
    return case(impact=healthy_impact(**changes))


@pytest.mark.parametrize(
    ("drawn", "expected"),
    [(99_999.99, "passed"), (100_000, "passed"), (100_000.01, "failed")],
)
def test_q1_the_limit_itself_may_be_used(drawn, expected):
    use = QuotaUse("special", 300_000 * WAN, drawn * WAN, 0.0, 400_000 * WAN)
    check = checks.q1_quota(with_impact(quotas=(use,)))
    assert (check.status, check.severity) == (expected, "H")


def test_q1_counts_what_is_approved_already():
    use = QuotaUse("special", 300_000 * WAN, 60_000 * WAN, 50_000 * WAN, 400_000 * WAN)
    assert checks.q1_quota(with_impact(quotas=(use,))).status == "failed"


def test_q1_without_a_limit_defers_and_without_bonds_does_not_apply():
    unknown = QuotaUse("special", 300_000 * WAN, 1.0, 0.0, float("nan"))
    check = checks.q1_quota(with_impact(quotas=(unknown,)))
    assert graded(check) == ("na", "D")
    assert "special_debt_limit" in check.missing
    none = QuotaUse("special", 300_000 * WAN, 0.0, 0.0, float("nan"))
    assert checks.q1_quota(with_impact(quotas=(none,))).status == "not_applicable"


def test_q1_an_excess_of_one_type_decides_where_the_other_is_unknown():
    uses = (
        QuotaUse("general", 1.0, 1.0, 0.0, float("nan")),
        QuotaUse("special", 400_000 * WAN, 1.0 * WAN, 0.0, 400_000 * WAN),
    )
    assert graded(checks.q1_quota(with_impact(quotas=uses))) == ("failed", "H")


def interest(ledger, now, without, with_):
    flat = np.full(QUARTERS, without)
    return InterestRatio(ledger, now, flat, np.full(QUARTERS, with_))


@pytest.mark.parametrize(
    ("ledger", "now", "without", "with_", "expected"),
    [
        ("general", 0.02, 0.05, 0.0999, ("passed", "I")),
        ("general", 0.02, 0.05, 0.10, ("passed", "I")),  # exactly a tenth does not trigger
        ("general", 0.02, 0.05, 0.1001, ("failed", "H")),
        ("general", 0.02, 0.11, 0.12, ("failed", "H")),  # the general limb is always grave
        ("special", 0.02, 0.05, 0.10, ("passed", "I")),
        ("special", 0.02, 0.05, 0.1001, ("failed", "H")),  # crossed only because of the project
        ("special", 0.02, 0.1001, 0.11, ("failed", "D")),  # crossed anyway
        ("special", 0.11, 0.05, 0.1001, ("failed", "D")),  # above already
    ],
)
def test_r1_interest(ledger, now, without, with_, expected):
    other = "special" if ledger == "general" else "general"
    ratios = (interest(ledger, now, without, with_), interest(other, 0.01, 0.01, 0.01))
    assert graded(checks.r1_restructuring(with_impact(interest=ratios))) == expected


def test_r1_without_interest_defers_and_provinces_are_not_addressed():
    ratios = (interest("general", np.nan, np.nan, np.nan), interest("special", 0.0, 0.01, 0.01))
    check = checks.r1_restructuring(with_impact(interest=ratios))
    assert graded(check) == ("na", "D")
    assert check.missing == ("gpb_debt_interest",)
    province = case(government=healthy_government(level="province"))
    assert checks.r1_restructuring(province).status == "not_applicable"


@pytest.mark.parametrize(
    ("started", "purpose", "expected"),
    [
        (True, "new", ("failed", "H")),
        (True, "extension", ("failed", "H")),
        (True, "maintenance", ("passed", "H")),
        (False, "new", ("passed", "H")),
        (None, "new", ("na", "C")),
        (True, "", ("na", "C")),
    ],
)
def test_r2_plan_started(started, purpose, expected):
    one = case(
        healthy_project(purpose=purpose), government=healthy_government(in_restructuring=started)
    )
    assert graded(checks.r2_plan_started(one)) == expected


@pytest.mark.parametrize(
    ("without", "with_", "t1", "t3"),
    [
        ("green", "green", ("passed", "I"), ("passed", "I")),
        ("green", "yellow", ("failed", "D"), ("failed", "C")),
        ("green", "orange", ("failed", "H"), ("failed", "C")),
        ("yellow", "orange", ("failed", "D"), ("failed", "C")),
        ("orange", "red", ("failed", "H"), ("failed", "D")),
        ("red", "red", ("passed", "I"), ("passed", "I")),
    ],
)
def test_t1_and_t3_by_levels_crossed(without, with_, t1, t3):
    change = tier_change(without=tier(without), with_=tier(with_))
    one = with_impact(tier=change, wide=change)
    assert graded(checks.t1_tier_change(one)) == t1
    assert graded(checks.t3_wide_tier_change(one)) == t3


def test_t1_and_t3_without_data():
    unknown = tier_change(
        now=replace(tier("green"), severity=9), without=replace(tier("green"), severity=9),
        with_=replace(tier("green"), severity=9), worst_quarter=None, effect="no_data",
        path_with=np.full(QUARTERS, np.nan),
    )  # fmt: skip
    one = with_impact(tier=unknown, wide=None)
    assert graded(checks.t1_tier_change(one)) == ("na", "D")
    assert graded(checks.t2_tier_now(one)) == ("na", "C")
    assert graded(checks.t3_wide_tier_change(one)) == ("na", "C")


@pytest.mark.parametrize(
    ("level", "expected"),
    [("green", ("passed", "I")), ("yellow", ("passed", "I")), ("orange", ("failed", "C")),
     ("red", ("failed", "D"))],
)  # fmt: skip
def test_t2_level_now(level, expected):
    one = with_impact(tier=tier_change(now=tier(level)))
    assert graded(checks.t2_tier_now(one)) == expected


def chance(with_, without=0.0, *, error=0.0):
    path = np.full(12, with_)
    return Probability(
        YELLOW, without, with_, error, error, error, path, path, 10_000, 12, 2, 1,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("with_", "without", "expected"),
    [
        (0.0999, 0.0999, ("passed", "I")),
        (0.10, 0.10, ("failed", "C")),
        (0.2499, 0.2499, ("failed", "C")),
        (0.25, 0.25, ("failed", "D")),
        (0.4999, 0.4999, ("failed", "D")),
        (0.50, 0.50, ("failed", "D")),  # it comes anyway: no finding about the project
        (0.50, 0.49, ("failed", "H")),
        (0.0499, 0.0, ("passed", "I")),
        (0.05, 0.0, ("failed", "C")),  # what the project adds counts as well
        (0.1499, 0.0, ("failed", "C")),
        (0.15, 0.0, ("failed", "D")),
        (0.2999, 0.0, ("failed", "D")),
        (0.30, 0.0, ("failed", "H")),
    ],
)
def test_b1_probability_and_addition(with_, without, expected):
    one = with_impact(probability=chance(with_, without))
    assert graded(checks.b1_probability(one)) == expected


def test_b1_an_interval_that_touches_a_line_takes_the_worse_class_and_says_so():
    check = checks.b1_probability(with_impact(probability=chance(0.245, 0.245, error=0.004)))
    assert graded(check) == ("failed", "D")
    assert "touches a cut-off" in check.sentence.message
    assert graded(
        checks.b1_probability(with_impact(probability=chance(0.24, 0.24, error=0.004)))
    ) == ("failed", "C")


def test_b1_without_paths_and_without_a_line():
    assert graded(checks.b1_probability(with_impact(probability=None))) == ("na", "C")
    top = tier_change(line=None, now=tier("red"))
    one = with_impact(probability=None, tier=top)
    assert checks.b1_probability(one).status == "not_applicable"


@pytest.mark.parametrize(
    ("after", "expected"), [("orange", ("passed", "I")), ("red", ("failed", "C"))]
)
def test_b2_stress_into_red(after, expected):
    one = with_impact(stressed_without=tier("yellow"), stressed_with=tier(after))
    assert graded(checks.b2_stress(one)) == expected
    assert graded(checks.b2_stress(with_impact(stressed_with=None))) == ("na", "C")


@pytest.mark.parametrize(
    ("margin", "expected"), [(0.01, "passed"), (0.0, "passed"), (-0.01, "failed")]
)
def test_s1_guarantees(margin, expected):
    check = checks.s1_guarantees(with_impact(sanbao_margin=margin))
    assert (check.status, check.severity) == (expected, "H")
    unknown = checks.s1_guarantees(with_impact(sanbao_margin=float("nan")))
    assert graded(unknown) == ("na", "C")


@pytest.mark.parametrize(
    ("need", "expected"),
    [
        (0.2499, ("passed", "I")), (0.25, ("passed", "I")), (0.2501, ("failed", "C")),
        (0.3999, ("failed", "C")), (0.40, ("failed", "C")), (0.4001, ("failed", "D")),
    ],
)  # fmt: skip
def test_s2_liquidity(need, expected):
    assert graded(checks.s2_liquidity(with_impact(liquidity=need))) == expected
    unknown = checks.s2_liquidity(with_impact(liquidity=float("nan")))
    assert graded(unknown) == ("na", "C")


def test_every_debt_check_passes_on_the_healthy_case():
    for check in checks.DEBT_CHECKS:
        assert check(case()).status in {"passed"}, check
