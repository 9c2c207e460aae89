"""A project's own money: the worked project, oracles of loans and coverage, stresses."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from debtwatch.screening.coverage import (
    STRESS_NOTES,
    capex_by_year,
    coverage,
    debt_capacity,
    finance_of,
    net_present_value,
    project_coverage,
    years_of,
)
from debtwatch.screening.debt_service import Service, debt_service, tranche_flows
from debtwatch.screening.ppp import (
    annual_commitment,
    expected_risk,
    largest_share,
    operating_subsidy,
)
from debtwatch.screening.project import Operation, Tranche
from debtwatch.screening.settings import screening_settings
from tests.proposal_cases import START, WAN, c7_project, healthy_project

OURS = screening_settings()


def finance(project, **options):
    return finance_of(project, OURS, **options)


def stress(project, key):
    return next(s for s in finance(project).stresses if s.key == key)


# -- loans -----------------------------------------------------------------------------------------


def test_loans_by_quarter():
    level = debt_service(100, 0.01, 40, repayment="annuity")
    assert level.total == pytest.approx([3.0455597977] * 40, abs=1e-8)
    assert level.interest.sum() == pytest.approx(21.82239191, abs=1e-8)
    equal = debt_service(100, 0.01, 40, repayment="equal_principal")
    assert [equal.total[0], equal.total[-1]] == pytest.approx([3.5, 2.525], abs=1e-8)
    assert equal.interest.sum() == pytest.approx(20.5, abs=1e-8)
    late = debt_service(100, 0.01, 40, grace=8, repayment="annuity")
    assert late.total[8:] == pytest.approx([3.6670885750] * 32, abs=1e-8)
    assert late.interest.sum() == pytest.approx(25.34683440, abs=1e-8)
    late = debt_service(100, 0.01, 40, grace=8, repayment="equal_principal")
    assert late.interest.sum() == pytest.approx(24.5, abs=1e-8)
    assert debt_service(100, 0.015, 20).total.sum() == pytest.approx(130, abs=1e-8)
    assert debt_service(100, 0.03, 7).total.sum() == pytest.approx(121, abs=1e-8)


def test_interest_of_the_construction_time_is_added():
    loan = Tranche("bank_loan", 100.0, 10, 0, 0.04, draw="quarterly", capitalised=True)
    one = healthy_project(build_quarters=4, total_investment=100.0, financing=(loan,))
    flows = tranche_flows(one, loan, 80)
    assert flows.balance[4] == pytest.approx(102.5251252500, abs=1e-8)
    assert flows.interest[:4].sum() == 0
    assert flows.principal.sum() == pytest.approx(102.5251252500, abs=1e-8)


def test_a_tenor_of_less_than_a_year_and_a_grace_as_long_as_the_tenor_still_repay():
    for loan in (
        Tranche("bank_loan", 100.0, 0.25, 0, 0.04),
        Tranche("bank_loan", 100.0, 2, 2, 0.04, "equal_principal"),
    ):
        one = healthy_project(total_investment=100.0, financing=(loan,))
        assert finance(one).total.principal.sum() == pytest.approx(100.0)


# -- coverage oracles ------------------------------------------------------------------------------


def test_bullet_debt_covered_by_eight_years():
    net = [0.0, 0.0] + [10.0] * 8
    assert coverage(net, debt_service(50, 0.032, 10), 0.032).coverage == pytest.approx(
        1.2121212121, abs=1e-9
    )


def test_level_cash_flow_and_debt_capacity():
    service = debt_service(60, 0.05, 10, repayment="annuity")
    one = coverage([10.0] * 10, service, 0.05)
    assert service.total[0] == pytest.approx(7.7702744979, abs=1e-9)
    assert [one.minimum_dscr, one.llcr] == pytest.approx([1.2869558215] * 2, abs=1e-9)
    capacity = debt_capacity(10, 0.05, 10, 1.2)
    assert capacity == pytest.approx(64.34779108, abs=1e-8)
    carried = coverage([10.0] * 10, debt_service(capacity, 0.05, 10, repayment="annuity"), 0.05)
    assert carried.minimum_dscr == pytest.approx(1.2)


# -- the worked project ----------------------------------------------------------------------------


def test_the_worked_project_to_the_printed_digits():
    one = finance(c7_project(), discount_rate=0.05)
    assert one.total.total.sum() / WAN == pytest.approx(106_932)
    assert one.net.sum() / WAN == pytest.approx(109_400)
    assert round(one.bond_coverage, 3) == round(one.total_coverage, 3) == 1.023
    assert one.minimum_dscr == pytest.approx(9_700 / 10_584)
    assert round(one.minimum_dscr, 3) == 0.916
    assert round(one.llcr, 3) == round(one.discounted_coverage, 3) == 1.016
    top_ups = one.top_ups[one.top_ups > 0] / WAN
    assert top_ups.round().tolist() == [2_184, 2_184, 2_184, 884, 666, 447, 229, 10]
    assert round(top_ups.sum()) == round(one.reserve / WAN) == 8_788
    assert one.years_below_one == 8
    assert round(one.fnpv / WAN) == -42_947
    opex, income = one.opex[:15].sum() / WAN, one.income[:15].sum() / WAN
    assert one.income_switch == pytest.approx((106_932 + opex) / income)
    assert one.cost_switch == pytest.approx((income - 106_932) / opex)
    assert one.weighted_rate == pytest.approx(0.026)
    assert np.isnan(one.dscr[15:]).all()


def test_the_report_shows_the_same_coverage():
    shown, one = project_coverage(c7_project()), finance(c7_project())
    assert shown is not None
    assert shown.coverage == one.total_coverage
    assert shown.minimum_dscr == one.minimum_dscr
    assert shown.llcr == pytest.approx(one.llcr)
    assert shown.top_ups.sum() == pytest.approx(one.top_ups.sum())
    assert project_coverage(healthy_project(financing=())) is None


@pytest.mark.parametrize("draw", ["yearly", "quarterly"])
def test_draws_by_and_by_do_not_flatter_the_loan_life_coverage(draw):
    at_once, later = (finance(c7_project(d)) for d in ("upfront", draw))
    # Debt drawn later costs less interest and is repaid later, but it is the same debt.
    assert later.total.principal.sum() == pytest.approx(at_once.total.principal.sum())
    assert later.llcr == pytest.approx(at_once.llcr, rel=0.1)
    assert later.bond_coverage >= at_once.bond_coverage


# -- parts of the finance --------------------------------------------------------------------------


def test_net_income_is_not_reduced_by_running_cost_again():
    gross = healthy_project()
    operation = gross.operation
    net_income = {y: a - operation.opex[y] for y, a in operation.user_fees.items()}
    stated = replace(gross, operation=replace(operation, user_fees=net_income, is_net=True))
    one, other = finance(gross), finance(stated)
    assert other.net == pytest.approx(one.net)
    assert other.opex == pytest.approx(one.opex)  # shown all the same
    assert other.bond_coverage == pytest.approx(one.bond_coverage)
    assert other.cost_switch == pytest.approx(one.cost_switch)


def test_bonds_and_all_debt_are_told_apart():
    project = healthy_project()
    loan = Tranche("bank_loan", 9_000 * WAN, 10, 2, 0.04, "annuity")
    both = replace(project, financing=(*project.financing, loan))
    one, more = finance(project), finance(both)
    assert more.bond_coverage == pytest.approx(one.bond_coverage)
    assert more.total_coverage < one.total_coverage
    assert more.weighted_rate == pytest.approx((36 * 0.026 + 9 * 0.04) / 45)
    only_loan = finance(replace(project, financing=(loan,)))
    assert np.isnan(only_loan.bond_coverage)
    assert np.isnan(only_loan.discounted_coverage)


def test_without_debt_there_is_no_coverage_but_a_value():
    none = finance(healthy_project(financing=(Tranche("fiscal_general", 1.0),)))
    assert np.isnan([none.bond_coverage, none.total_coverage, none.minimum_dscr, none.llcr]).all()
    assert np.isnan([none.income_switch, none.cost_switch, none.fnpv]).all()
    assert none.reserve == none.years_below_one == 0
    assert none.stresses == ()
    assert none.enpv == pytest.approx(finance(healthy_project()).enpv)


def test_value_runs_to_the_end_of_life_and_coverage_to_the_end_of_debt():
    project = healthy_project()
    one = finance(project)
    assert years_of(project) == one.years == 22
    # Drawn in eight quarters: the last repayment falls due in the seventeenth year.
    assert np.flatnonzero(one.total.total)[-1] == 16
    assert one.bond_coverage == pytest.approx(one.net[:17].sum() / one.bond.total.sum())
    flows = one.net - one.capex
    assert one.enpv == pytest.approx(net_present_value(flows.tolist(), 0.08))
    assert finance(project, long_benefit=True).enpv == pytest.approx(
        net_present_value(flows.tolist(), 0.06)
    )
    assert one.fnpv == pytest.approx(net_present_value(flows.tolist(), 0.026))


def test_a_reserve_is_used_up_year_by_year():
    short = finance(c7_project()).top_ups
    paid = finance(c7_project(), reserve=3_000 * WAN).top_ups
    assert (paid[:3] / WAN).round().tolist() == [0, 1_368, 2_184]
    assert paid.sum() == pytest.approx(short.sum() - 3_000 * WAN)
    assert finance(c7_project(), reserve=9_000 * WAN).reserve == 0


@pytest.mark.parametrize("profile", ["uniform", "s_curve", "front"])
@pytest.mark.parametrize("build", [1, 3, 8, 11])
def test_investment_sums_to_the_total(profile, build):
    one = healthy_project(profile=profile, build_quarters=build)
    spent = capex_by_year(one, years_of(one))
    assert spent.sum() == pytest.approx(one.total_investment, rel=1e-12)
    assert (spent >= 0).all()


def test_profiles_have_their_shape():
    uniform, curve, front = (
        capex_by_year(healthy_project(profile=p, build_quarters=12, total_investment=78.0), 3)
        for p in ("uniform", "s_curve", "front")
    )
    assert uniform == pytest.approx([26, 26, 26])
    assert curve / 78 == pytest.approx([7 / 27, 13 / 27, 7 / 27])
    assert front == pytest.approx([12 + 11 + 10 + 9, 8 + 7 + 6 + 5, 4 + 3 + 2 + 1])


def test_a_schedule_replaces_the_profile_and_rounding_in_it_is_spread():
    one = healthy_project(
        total_investment=100.0, schedule=((START, 30.0), (START + 5, 69.8)), profile="front"
    )
    assert capex_by_year(one, 3) == pytest.approx([100 * 30 / 99.8, 100 * 69.8 / 99.8, 0])


# -- stresses --------------------------------------------------------------------------------------


def test_every_stress_has_a_note_and_does_not_help():
    one = finance(c7_project())
    assert [s.key for s in one.stresses] == list(STRESS_NOTES)
    for each in one.stresses:
        assert each.note
        assert each.bond_coverage <= one.bond_coverage
        assert each.minimum_dscr <= one.minimum_dscr
        assert each.top_ups >= one.top_ups.sum() - 1e-6


def test_less_revenue():
    one = finance(c7_project())
    less = stress(c7_project(), "revenue")
    income, net = one.income[:15].sum(), one.net[:15].sum()
    assert less.bond_coverage == pytest.approx((net - 0.2 * income) / (106_932 * WAN))
    assert less.minimum_dscr == pytest.approx((0.8 * 11_500 - 1_800) / 10_584)


def test_only_income_from_land_falls():
    project = c7_project()
    linked = replace(project, operation=replace(project.operation, land_linked_share=0.4))
    one = finance(project)
    assert stress(project, "land_linked").bond_coverage == pytest.approx(one.bond_coverage)
    # Half of 40 % of income is a fifth of it, as when all income falls by 20 %.
    assert stress(linked, "land_linked").bond_coverage == pytest.approx(
        stress(project, "revenue").bond_coverage
    )


def test_higher_cost_raises_running_cost_and_debt_alike():
    one, dearer = finance(c7_project()), stress(c7_project(), "cost")
    net = one.net[:15].sum() - 0.1 * one.opex[:15].sum()
    assert dearer.bond_coverage == pytest.approx(net / (1.1 * 106_932 * WAN))


def test_a_year_late():
    late = stress(c7_project(), "delay")
    assert late.bond_coverage == pytest.approx((109_400 - 9_700) / 106_932)
    # Principal starts in year 6; one year late it is met by the 6,900 of the second year.
    assert late.minimum_dscr == pytest.approx(6_900 / 10_584)


def test_a_higher_rate():
    service = debt_service(84_000, 0.036, 15, grace=5, repayment="equal_principal")
    dearer = stress(c7_project(), "rate")
    assert dearer.bond_coverage == pytest.approx(109_400 / service.total.sum())
    assert dearer.minimum_dscr == pytest.approx(9_700 / service.total[5])


def test_stresses_can_be_left_out_and_nothing_else_changes():
    short, full = finance(c7_project(), stressed=False), finance(c7_project())
    assert short.stresses == ()
    assert short.bond_coverage == full.bond_coverage
    assert (short.top_ups == full.top_ups).all()


# -- properties ------------------------------------------------------------------------------------


TERMS = st.builds(
    Tranche,
    source=st.just("special_bond"),
    amount=st.just(5e8),
    tenor_years=st.integers(1, 30),
    grace_years=st.integers(0, 29),
    rate=st.floats(0, 0.12),
    repayment=st.sampled_from(["bullet", "equal_principal", "annuity"]),
    draw=st.sampled_from(["yearly", "quarterly", "upfront"]),
    capitalised=st.booleans(),
)


@given(TERMS, st.floats(1e-3, 1e3), st.integers(1, 16), st.integers(START, START + 3))
@settings(max_examples=120)
def test_ratios_do_not_depend_on_the_size(bond, scale, build, start):
    def sized(factor):
        sized_bond = replace(bond, amount=5e8 * factor)
        money = {y: 9e7 * factor for y in range(2027, 2060)}
        return finance(
            healthy_project(
                start_quarter=start, build_quarters=build, total_investment=8e8 * factor,
                financing=(sized_bond,), operation=Operation(user_fees=money),
            )
        )  # fmt: skip

    one, other = sized(1.0), sized(scale)
    for name in ("bond_coverage", "minimum_dscr", "llcr", "discounted_coverage", "income_switch"):
        assert getattr(other, name) == pytest.approx(getattr(one, name), rel=1e-6, nan_ok=True)
    assert other.enpv == pytest.approx(one.enpv * scale, rel=1e-6, abs=1)
    if not bond.capitalised:
        assert one.total.principal.sum() == pytest.approx(5e8, rel=1e-9)
    assert one.total.principal.sum() >= 5e8 * (1 - 1e-9)
    assert one.capex.sum() == pytest.approx(8e8, rel=1e-9)
    assert (one.top_ups >= 0).all()
    assert len(one.net) == len(one.top_ups) == len(one.total.opening) == one.years


@given(st.floats(0.2, 3.0))
@settings(max_examples=40)
def test_at_the_switching_values_coverage_is_one(factor):
    project = c7_project()
    operation = project.operation
    fees = {y: a * factor for y, a in operation.user_fees.items()}
    one = finance(replace(project, operation=replace(operation, user_fees=fees)))
    switched = {y: a * one.income_switch for y, a in fees.items()}
    at_line = finance(replace(project, operation=replace(operation, user_fees=switched)))
    assert at_line.total_coverage == pytest.approx(1.0)


def test_no_service_divides_by_nothing():
    free = Service(np.zeros(3), np.array([0.0, 0.0, 5.0]), np.full(3, 5.0))
    assert coverage([1.0, 1.0, 1.0], free, 0.0).minimum_dscr == pytest.approx(0.2)


# -- partnerships ----------------------------------------------------------------------------------


def test_the_worked_subsidy():
    paid = operating_subsidy(30_000, 800, profit=0.06, discount=0.05, years=10)
    assert paid[[0, 1, 9]] == pytest.approx([4_187.0, 4_353.95, 6_027.88], abs=0.01)
    assert paid.argmax() == 9  # the last year weighs most


def test_what_users_pay_lowers_the_subsidy_and_never_below_nothing():
    options = {"profit": 0.06, "discount": 0.05, "years": 10}
    full = operating_subsidy(30_000, 800, **options)
    assert operating_subsidy(30_000, 800, user_fees=1_000, **options) == pytest.approx(full - 1_000)
    assert operating_subsidy(30_000, 800, user_fees=1e6, **options).max() == 0
    assert operating_subsidy(30_000, [800] * 10, **options) == pytest.approx(full)


def test_the_four_parts_stand_in_their_years():
    one = annual_commitment(
        [100.0, 110.0], capital=[400.0, 600.0], government_share=0.1,
        risk=expected_risk([(0.1, 50.0), (0.2, 25.0)]), support=[20.0],
    )  # fmt: skip
    assert one.total == pytest.approx([40 + 20, 60, 100 + 10, 110 + 10])
    assert one.by_year(2027) == pytest.approx({2027: 60, 2028: 60, 2029: 110, 2030: 120})


def test_the_largest_year_counts():
    assert largest_share({2029: 30.0, 2030: 50.0}, 1_000.0, others=0.04) == (
        pytest.approx(0.09),
        2030,
    )
    assert largest_share({}, 1_000.0, others=0.04) == (0.04, None)
