"""The desk: the worked county in full, decisions, overrides, changes, metamorphic relations."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from debtwatch.language import language
from debtwatch.screening.checks import run_checks
from debtwatch.screening.decision import OUTCOMES
from debtwatch.screening.project import Override, Priority, Tranche
from debtwatch.screening.screen import screen_project
from debtwatch.screening.trials import hard_failures
from debtwatch.screening.variants import delayed, scaled, with_own_money
from tests.proposal_cases import START, WAN, c7_project, healthy_project
from tests.screening_desk import FIRST, desk, without_wide

EN, ZH = language("en"), language("zh")


@pytest.fixture(scope="module")
def worked():
    """The worked county with 100,000 paths and one-quarter breaches."""
    return without_wide(desk(100_000))


@pytest.fixture(scope="module")
def county():
    return without_wide(desk(4_000))


def by_id(checks):
    return {c.id: c for c in checks}


# -- the worked county of the rules (C7) -------------------------------------------------------


def test_worked_breach_attribution_and_headroom(worked):
    impact = worked.case(c7_project("quarterly")).impact
    tier = impact.tier
    assert (tier.now.id, tier.without.id, tier.with_.id) == ("yellow", "yellow", "orange")
    assert tier.effect == "caused"
    assert tier.breach_without is None
    assert tier.breach_with == FIRST + 8  # quarter 9
    shown = {1: (180.5, 182.59), 4: (181.9, 190.17), 8: (183.7, 199.86), 9: (184.1, 200.21),
             12: (185.4, 201.19)}  # fmt: skip
    for q, (before, after) in shown.items():
        assert round(tier.path_without[q - 1] * 100, 1) == before
        assert round(tier.path_with[q - 1] * 100, 2) == after
    room = next(r for r in impact.rooms if r.key == "tier")
    assert room.line == 2.0
    assert round(room.supremum / WAN) == 77_678
    assert room.printed == 77_677 * WAN
    assert room.quarter == FIRST + 11
    assert round(room.scale, 3) == 0.925
    assert impact.binding is room


def test_worked_headroom_to_twenty_quarters(worked):
    impact = worked.case(c7_project("quarterly"), horizon=20).impact
    room = next(r for r in impact.rooms if r.key == "tier")
    assert round(room.supremum / WAN) == 64_896
    assert round(room.scale, 3) == 0.773
    assert impact.tier.path_without[19] * 100 == pytest.approx(188.3, abs=0.05)
    assert round(impact.tier.path_with[19] * 100, 2) == 203.46
    assert round(room.supremum / 0.7 / WAN) == 92_708  # the investment it pays at 70 % debt


def test_worked_delay_does_not_cure(worked):
    late = worked.case(delayed(c7_project("quarterly"), 4)).impact.tier
    assert late.breach_with == FIRST + 11
    assert round(late.path_with[11] * 100, 2) == 201.19


@pytest.mark.parametrize(
    ("scale", "expected"),
    [(0.25, 0.071), (0.40, 0.139), (0.50, 0.204), (0.60, 0.284), (1.0, 0.676)],
)
def test_worked_probabilities(worked, scale, expected):
    found = worked.case(scaled(c7_project("quarterly"), scale), full=False).impact.probability
    assert found.without == pytest.approx(0.017, abs=0.006)
    assert found.with_ == pytest.approx(expected, abs=0.006)
    assert (found.horizon, found.consecutive) == (12, 1)


def test_worked_decision(worked):
    """Debt drawn by quarter, finance with the whole bond from year 1, as the rules print it."""
    case = worked.case(c7_project("quarterly"))
    upfront = worked.case(c7_project("upfront"))
    checks = run_checks(replace(case, finance=upfront.finance))
    found = by_id(checks)
    assert (found["T1"].status, found["T1"].severity) == ("failed", "D")
    assert (found["B1"].status, found["B1"].severity) == ("failed", "H")
    assert (found["F5"].status, found["F5"].severity) == ("failed", "C")
    assert (found["F6"].status, found["F6"].severity) == ("failed", "C")
    assert round(upfront.finance.bond_coverage, 3) == 1.023
    assert round(upfront.finance.minimum_dscr, 3) == 0.916
    assert worked.decide(checks, case.project).outcome == "reject"


def test_worked_remedy_is_a_first_phase_of_two_fifths(worked):
    result = screen_project(worked, c7_project("quarterly"))
    assert result.decision.outcome == "reject"
    stage = next(c for c in result.conditions if c.key == "stage")
    assert stage.sentence.details["part"].text("en") == "40%"
    assert "33,600万元" in stage.sentence.say(ZH)
    assert "195%" in stage.sentence.say(ZH)
    checks, decision = worked.try_out(scaled(c7_project("quarterly"), 0.4))
    assert by_id(checks)["T1"].passed
    assert by_id(checks)["B1"].severity == "C"
    assert decision.outcome == "conditional"
    assert any(c.key == "reserve" for c in result.conditions)


# -- what would have to change -----------------------------------------------------------------


def test_every_change_listed_removes_what_it_says_when_screened_again(county):
    project = c7_project("quarterly")
    result = screen_project(county, project)
    assert result.changes
    assert [c.cost for c in result.changes] == sorted(c.cost for c in result.changes)
    hard = hard_failures(result.checks)
    for change in result.changes:
        assert set(change.removes) <= set(hard)
        assert set(change.remaining) == set(hard) - set(change.removes)
    scale = next(c for c in result.changes if c.key == "scale")
    share = float(scale.sentence.details["scale"].ratio)
    assert not hard_failures(county.try_out(scaled(project, share))[0])
    assert hard_failures(county.try_out(scaled(project, share + 0.02))[0])


def test_a_site_on_protected_land_can_only_move(county):
    project = c7_project("quarterly")
    project = replace(project, land=replace(project.land, permanent_basic_farmland_ha=0.5))
    result = screen_project(county, scaled(project, 0.4))
    assert hard_failures(result.checks) == ("L1",)
    assert [c.key for c in result.changes] == ["land"]
    assert result.changes[0].outcome in {"conditional", "pass"}


# -- decision ----------------------------------------------------------------------------------


def override(ground, **changes):
    return replace(Override(ground, "李明", dt.date(2026, 11, 1), "险工险段"), **changes)


def deferred(county, **changes):
    """A proposal that lacks the approval of its land: deferred."""
    base = scaled(c7_project("quarterly"), 0.1)
    return replace(base, land=replace(base.land, land_use_approval=False), **changes)


def test_an_override_lifts_deferrals_and_is_shown(county):
    project = deferred(
        county, priority=Priority(mandatory_safety=True), override=override("mandatory_safety")
    )
    decision = screen_project(county, project).decision
    assert decision.before_override == "defer"
    assert decision.outcome == "pass"
    assert "L5" in decision.lifted
    assert decision.override.name == "李明"


@pytest.mark.parametrize(
    ("priority", "ground"),
    [
        (Priority(), "mandatory_safety"),
        (Priority(ongoing=True, sunk=0.0), "ongoing"),
        (Priority(), "upper_level_grant"),
    ],
)
def test_an_override_without_its_ground_is_refused_and_said(county, priority, ground):
    decision = screen_project(
        county, deferred(county, priority=priority, override=override(ground))
    ).decision
    assert decision.outcome == "defer"
    assert decision.override is None
    assert decision.refused_override is not None
    assert decision.refused_override.say(ZH) != decision.refused_override.say(EN)


@pytest.mark.parametrize(("sunk", "holds"), [(0.69, False), (0.70, False), (0.71, True)])
def test_an_ongoing_project_must_be_more_than_seven_tenths_done(county, sunk, holds):
    project = deferred(county)
    project = replace(
        project,
        priority=Priority(ongoing=True, sunk=sunk * project.total_investment),
        override=override("ongoing"),
    )
    assert (screen_project(county, project).decision.override is not None) is holds


@pytest.mark.parametrize("ground", ["mandatory_safety"])
def test_no_override_lifts_a_hard_failure(county, ground):
    project = deferred(county, priority=Priority(mandatory_safety=True), override=override(ground))
    project = replace(project, land=replace(project.land, ecological_red_line=True))
    decision = screen_project(county, project).decision
    assert decision.outcome == "reject"
    assert decision.reasons[0] == "L2"


@given(late=st.integers(0, 8))
@settings(max_examples=9, deadline=None)
def test_delaying_never_hides_an_override(late):
    one = without_wide(desk(500))
    project = delayed(
        deferred(one, priority=Priority(mandatory_safety=True),
                 override=override("mandatory_safety")), late,
    )  # fmt: skip
    decision = screen_project(one, project).decision
    assert decision.override is not None


# -- metamorphic -------------------------------------------------------------------------------


def test_a_project_of_nothing_changes_nothing(county):
    nothing = replace(
        scaled(c7_project("quarterly"), 0.0),
        financing=(Tranche("fiscal_general", 1.0),),
        total_investment=1.0,
    )
    impact = county.case(nothing).impact
    np.testing.assert_array_equal(impact.tier.path_with, impact.tier.path_without)
    assert impact.probability.with_ == impact.probability.without
    assert impact.tier.effect == "no_effect"


def test_two_halves_make_the_whole(county):
    from debtwatch.screening.debt_service import project_flows
    from debtwatch.screening.impact import sum_flows

    project = c7_project("quarterly")
    whole = project_flows(project, FIRST, 12)
    half = project_flows(scaled(project, 0.5), FIRST, 12)
    both = sum_flows([half, half])
    for ledger in ("general", "special"):
        np.testing.assert_allclose(both.debt[ledger], whole.debt[ledger], rtol=1e-12)
        np.testing.assert_allclose(both.interest[ledger], whole.interest[ledger], rtol=1e-12)


@given(st.floats(0.05, 1.5), st.floats(0.01, 0.5))
@settings(max_examples=25, deadline=None)
def test_more_debt_never_improves_a_decision(scale, more):
    """Spending, income and denominators stay; own money is replaced by bonds."""
    one = without_wide(desk(500))
    project = scaled(c7_project("quarterly"), scale)
    less = with_own_money(project, more * project.amount_of("special_bond"))
    rank = {name: k for k, name in enumerate(OUTCOMES)}
    decisions = [one.try_out(p)[1].outcome for p in (less, project)]
    assert rank[decisions[1]] >= rank[decisions[0]]


@given(st.floats(0.0, 3.0))
@settings(max_examples=25, deadline=None)
def test_more_debt_never_lowers_the_probability(scale):
    one = without_wide(desk(500))
    smaller = one.case(scaled(c7_project("quarterly"), scale), full=False).impact.probability
    larger = one.case(scaled(c7_project("quarterly"), scale + 0.1), full=False).impact.probability
    assert larger.with_ >= smaller.with_


def test_the_printed_headroom_passes_and_the_supremum_breaches(county):
    room = next(r for r in county.case(c7_project("quarterly")).impact.rooms if r.key == "tier")
    line = 2.0
    position = county.position.ahead(12)
    capacity = position.figures["gpb_revenue"][0]
    debt = position.figures["special_debt_balance"][0]
    assert not ((debt + room.printed) / capacity >= line).any()
    assert ((debt + room.supremum) / capacity >= line - 1e-12).any()


def test_the_scale_equals_bisection(county):
    project = c7_project("quarterly")
    room = next(r for r in county.case(project).impact.rooms if r.key == "tier")
    low, high = 0.0, 2.0
    for _ in range(40):
        middle = (low + high) / 2
        tier = county.case(scaled(project, middle), full=False).impact.tier
        low, high = (low, middle) if tier.breach_with is not None else (middle, high)
    assert room.scale == pytest.approx(high, abs=1e-6)


def test_no_headroom_is_said_when_the_outlook_itself_breaches():
    one = without_wide(desk(500, borrowing=40_000.0))
    result = screen_project(one, c7_project("quarterly"))
    tier = result.case.impact.tier
    assert tier.effect in {"anyway", "brought_forward"}
    room = next(r for r in result.case.impact.rooms if r.key == "tier")
    assert room.supremum < 0
    assert room.scale == 0
    texts = [c.sentence.say(EN) for c in result.conditions]
    assert any(text.startswith("There is no headroom") for text in texts)
    found = by_id(result.checks)["T1"].sentence.say(EN)
    assert found.startswith("Even without the project")


def test_uncommitted_grants_are_taken_out_and_the_worse_result_counts(county):
    project = c7_project("quarterly")
    own = sum(t.amount for t in project.financing if t.source.startswith("fiscal"))
    bond = next(t for t in project.financing if t.source == "special_bond")
    granted = replace(
        scaled(project, 1.0),
        financing=(
            replace(bond, amount=0.3 * project.total_investment),
            Tranche("fiscal_general", own),
            Tranche("central_budget_investment", 0.4 * project.total_investment, committed=False),
        ),
    )
    committed = replace(granted, financing=tuple(
        replace(t, committed=True) if t.source == "central_budget_investment" else t
        for t in granted.financing
    ))  # fmt: skip
    open_, sure = screen_project(county, granted), screen_project(county, committed)
    assert by_id(open_.checks)["B1"].without_grants
    assert OUTCOMES.index(open_.decision.outcome) > OUTCOMES.index(sure.decision.outcome)


def test_every_sentence_is_said_in_both_languages(county):
    for project in (c7_project("quarterly"), healthy_project(start_quarter=START)):
        result = screen_project(county, project)
        sentences = [c.sentence for c in result.checks]
        sentences += [c.sentence for c in (*result.conditions, *result.changes)]
        for one in sentences:
            assert one.say(EN)
            assert one.say(ZH)
            assert "nan" not in one.say(EN).lower().split()


# -- found by review -----------------------------------------------------------------------------


def test_a_start_behind_the_horizon_escapes_no_check(county):
    project = c7_project("quarterly")
    for late in (8, 12):
        result = screen_project(county, delayed(project, late))
        assert result.decision.outcome in {"defer", "reject"}
        assert by_id(result.checks)["T1"].status in {"failed", "na"}
        assert by_id(result.checks)["Q1"].status != "not_applicable"
    far = screen_project(county, delayed(project, 60))
    assert (by_id(far.checks)["T1"].status, by_id(far.checks)["T1"].severity) == ("na", "D")


def test_a_delay_is_judged_on_as_many_more_quarters(county):
    result = screen_project(county, c7_project("quarterly"))
    assert not [c for c in result.changes if c.key == "timing"]  # timing alone does not cure it
    assert any("delay alone" in s.say(EN) for s in result.remarks)


def test_the_limit_counts_every_draw_to_come(county):
    slow = replace(c7_project("quarterly"), build_quarters=40)
    use = next(q for q in county.case(slow).impact.quotas if q.ledger == "special")
    assert use.drawn == pytest.approx(84_000 * WAN)


def test_interest_of_general_bonds_is_charged_once(county):
    bond = Tranche("general_bond", 84_000 * WAN, 10, 0, 0.03, "bullet", "upfront")
    project = replace(
        healthy_project(start_quarter=FIRST), total_investment=84_000 * WAN, financing=(bond,),
        operation=type(healthy_project().operation)(),
    )  # fmt: skip
    none = replace(project, financing=(Tranche("fiscal_general", 84_000 * WAN),))
    paid = county.case(none).impact.sanbao_margin - county.case(project).impact.sanbao_margin
    assert paid == pytest.approx(2_520 * WAN)


def test_a_breach_that_comes_anyway_is_no_finding_about_the_project():
    one = without_wide(desk(4_000, borrowing=20_000.0))
    money = Tranche("central_budget_investment", 90_000 * WAN, committed=True)
    project = healthy_project(
        start_quarter=FIRST, financing=(money,), priority=Priority(mandatory_safety=True),
        override=override("upper_level_grant"),
    )  # fmt: skip
    found = by_id(run_checks(one.case(project)))["B1"]
    assert found.value >= 0.5
    assert found.severity == "D"
    assert screen_project(one, project).decision.override is not None


def test_no_override_lifts_a_lack_of_data_on_protected_land(county):
    from debtwatch.screening.project import Land

    project = deferred(
        county, priority=Priority(mandatory_safety=True), override=override("mandatory_safety")
    )
    decision = screen_project(county, replace(project, land=Land())).decision
    assert decision.outcome == "defer"
    assert set(decision.reasons) == {"L1", "L2"}


def test_an_override_of_the_future_is_refused(county):
    project = deferred(
        county, priority=Priority(mandatory_safety=True),
        override=override("mandatory_safety", date=dt.date(2030, 9, 1)),
    )  # fmt: skip
    decision = screen_project(county, project).decision
    assert decision.override is None
    assert "dated after" in decision.refused_override.say(EN)


def test_a_condition_on_the_scale_claims_only_what_it_clears(county):
    result = screen_project(county, c7_project("quarterly"))
    scale = next(c for c in result.conditions if c.key == "scale")
    assert scale.checks == ("T1",)  # at 92.4 % the probability still rejects


def test_capital_paid_by_bonds_stays_capital_when_money_is_moved():
    project = c7_project("quarterly")
    bond = replace(project.financing[0], as_capital=3_000 * WAN)
    moved = with_own_money(replace(project, financing=(bond, *project.financing[1:])), 10_000 * WAN)
    kept = next(t for t in moved.financing if t.source == "special_bond")
    assert kept.as_capital == 3_000 * WAN
