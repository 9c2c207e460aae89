"""Checks of financing and of a project's own money: just below, at and just above each line."""

from __future__ import annotations

import datetime as dt
import math
import re
from dataclasses import fields, replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from debtwatch.language import language
from debtwatch.panel.period import quarter
from debtwatch.rules.rulebook import Bilingual
from debtwatch.screening.case import Room
from debtwatch.screening.check import severity_without_data
from debtwatch.screening.financing_checks import (
    FINANCING_CHECKS,
    capital_floor,
    cost_growth,
    documents,
    economic_value,
    equity_like_share,
    hidden_debt,
    negative_list,
    partnership_share,
    self_balance,
    tenor,
    uncommitted_grants,
    unit_cost,
    yearly_coverage,
)
from debtwatch.screening.labels import DOCUMENT_NAMES, FIELD_NAMES
from debtwatch.screening.project import DOCUMENTS, Flags, Operation, Tranche
from tests.proposal_cases import (
    ANSWERED,
    WASTEWATER,
    c7_project,
    case,
    healthy_government,
    healthy_impact,
    healthy_project,
)

NEAR = 1e-7  # well beyond the tolerance of comparisons
SUNSET = quarter(2023, 4)


def verdict(check):
    return (check.status, check.severity)


def of(check, **changes):
    """Run a check on a healthy project with some of its fields changed."""
    return check(case(healthy_project(**changes)))


def flagged(**answers):
    return replace(ANSWERED, **answers)


def financed(*more, bond=True):
    own = healthy_project().financing
    return {"financing": (*(own if bond else own[1:]), *more)}


def with_finance(check, project=None, **values):
    one = case(project)
    return check(replace(one, finance=replace(one.finance, **values)))


PASSED, NA = ("passed", "I"), ("na", "C")
NOT_APPLICABLE = ("not_applicable", "I")


def test_a_healthy_proposal_passes_every_check():
    found = [check(case()) for check in FINANCING_CHECKS]
    assert [c.id for c in found] == [
        *(f"F{k}" for k in range(1, 12)), "E1", "E2",
    ]  # fmt: skip
    assert {c.status for c in found} == {"passed", "not_applicable"}
    assert {c.severity for c in found} == {"I"}
    assert not any(c.counts for c in found)


def test_the_worked_project_is_thin_and_needs_top_ups():
    found = {c.id: c for c in (check(case(c7_project())) for check in FINANCING_CHECKS)}
    assert verdict(found["F5"]) == verdict(found["F6"]) == ("failed", "C")
    assert round(found["F5"].value, 3) == 1.023
    assert found["F5"].threshold == 1.1
    assert round(found["F6"].value, 3) == 0.916
    assert found["F6"].quarter == quarter(2032, 4)  # year 6, the first with principal due
    said = found["F5"].sentence.say(language("en"))
    assert "1.023" in said
    assert "87.88" in said
    assert "not stated" in found["F6"].sentence.say(language("en"))
    assert {k for k, c in found.items() if c.status == "failed"} == {"F5", "F6", "E1"}


# -- F1 --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "name", ["contractor_prefinancing", "guaranteed_buyback", "commitment_letter"]
)
def test_each_hidden_feature_is_hard_and_unknown_is_no_pass(name):
    hit = of(hidden_debt, flags=flagged(**{name: True}))
    assert verdict(hit) == ("failed", "H")
    assert hit.value > hit.threshold
    unknown = of(hidden_debt, flags=flagged(**{name: None}))
    assert verdict(unknown) == NA
    assert unknown.missing == (name,)
    assert unknown.value is None


def test_a_known_feature_stands_when_others_are_not_stated():
    hit = of(hidden_debt, flags=Flags(contractor_prefinancing=True))
    assert verdict(hit) == ("failed", "H")


@pytest.mark.parametrize(
    ("guarantee", "expected"),
    [("illegal_government", ("failed", "H")), ("none", PASSED), ("", NA)],
)
def test_guarantees_of_a_financing_vehicle(guarantee, expected):
    loan = Tranche("bank_loan", 1e6, 5, 0, 0.04, borrower="lgfv", guarantee=guarantee)
    assert verdict(of(hidden_debt, **financed(loan))) == expected
    nothing = replace(loan, amount=0.0)
    assert verdict(of(hidden_debt, **financed(nothing))) == PASSED


@pytest.mark.parametrize("payment", ["government_pay", "viability_gap"])
def test_partnerships_paid_by_the_government_end_with_the_new_mechanism(payment):
    partnership = financed(Tranche("ppp_private", 1e6, payment=payment))

    def at(start, approved=None):
        return of(hidden_debt, start_quarter=start, approved_on=approved, **partnership)

    assert verdict(at(SUNSET - 1)) == PASSED
    assert verdict(at(SUNSET)) == ("failed", "H")
    assert verdict(at(SUNSET + 1)) == ("failed", "H")
    # Approval decides where it is known.
    assert verdict(at(SUNSET + 8, dt.date(2023, 11, 2))) == PASSED
    assert verdict(at(SUNSET - 8, dt.date(2023, 11, 3))) == ("failed", "H")
    assert at(SUNSET).rulebook == "cn-ppp-cap@2015"
    assert "115" in at(SUNSET).source.zh


def test_a_concession_paid_by_users_is_no_hidden_debt():
    assert verdict(
        of(hidden_debt, **financed(Tranche("ppp_private", 1e6, payment="user_pay")))
    ) == (PASSED)
    unsaid = of(hidden_debt, **financed(Tranche("ppp_private", 1e6)))
    assert verdict(unsaid) == NA
    assert unsaid.missing == ("payment",)


def test_hidden_debt_needs_no_rulebook():
    one = replace(case(healthy_project(flags=flagged(commitment_letter=True))), rulebooks={})
    assert verdict(hidden_debt(one)) == ("failed", "H")


# -- F2, F3 ----------------------------------------------------------------------------------------


def capital_of(share, relaxed=False, **changes):
    total = 1e9
    own = Tranche("fiscal_general", total * share)
    bond = Tranche("special_bond", total * (1 - share), 15, 0, 0.026)
    return healthy_project(
        total_investment=total, financing=(own, bond), flags=flagged(relaxed_capital=relaxed),
        **changes,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("share", "relaxed", "expected"),
    [
        (0.20 - NEAR, False, ("failed", "H")),
        (0.20, False, PASSED),
        (0.20 + NEAR, False, PASSED),
        (0.15 - NEAR, True, ("failed", "H")),
        (0.15, True, PASSED),
        (0.17, None, ("failed", "H")),  # an exception has to be claimed
        (0.20, None, PASSED),
    ],
)
def test_minimum_capital(share, relaxed, expected):
    found = capital_floor(case(capital_of(share, relaxed)))
    assert verdict(found) == expected
    assert found.value == pytest.approx(share)
    assert found.threshold == pytest.approx(0.15 if relaxed else 0.20)
    assert found.rulebook == "cn-project-capital@2019"


def test_the_gap_is_named_and_a_relaxation_that_is_not_stated_too():
    said = capital_floor(case(capital_of(0.17, None))).sentence.say(language("en"))
    assert "CNY 30.00 million" in said
    assert "does not say" in said


def test_bonds_used_as_capital_count():
    project = capital_of(0.10)
    own, bond = project.financing
    used = replace(project, financing=(own, replace(bond, as_capital=1e8)))
    assert verdict(capital_floor(case(used))) == PASSED


def test_a_sector_that_is_not_known_gives_no_minimum():
    assert verdict(capital_floor(case(capital_of(0.5), sector=None))) == NA
    odd = replace(WASTEWATER, capital="no such sector")
    assert capital_floor(case(capital_of(0.5), sector=odd)).missing == ("sector",)
    nothing = case(healthy_project(total_investment=0.0), sector=WASTEWATER, finance=case().finance)
    assert verdict(capital_floor(nothing)) == NA


def test_a_steel_works_needs_twice_as_much():
    steel = replace(WASTEWATER, capital="steel")
    assert verdict(capital_floor(case(capital_of(0.4 - NEAR), sector=steel))) == ("failed", "H")
    assert verdict(capital_floor(case(capital_of(0.4), sector=steel))) == PASSED


@pytest.mark.parametrize(
    ("share", "expected"),
    [(0.5 - NEAR, PASSED), (0.5, PASSED), (0.5 + NEAR, ("failed", "D"))],
)
def test_perpetuals_in_capital(share, expected):
    equity = Tranche("enterprise_equity", 1e8, equity_like=1e8 * share)
    found = of(equity_like_share, financing=(equity,))
    assert verdict(found) == expected
    assert found.threshold == 0.5


def test_no_capital_no_share():
    assert verdict(of(equity_like_share, financing=())) == NOT_APPLICABLE


# -- F4 --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["office_building", "image_project", "negative_list"])
def test_the_negative_list(name):
    assert verdict(of(negative_list, flags=flagged(**{name: True}))) == ("failed", "H")
    with_general = {"financing": (Tranche("general_bond", 1e8, 10, 0, 0.02),)}
    assert verdict(of(negative_list, flags=flagged(**{name: True}), **with_general)) == (
        NOT_APPLICABLE
    )


def test_a_sector_on_the_negative_list():
    park = replace(WASTEWATER, negative_list=True)
    found = negative_list(case(sector=park))
    assert verdict(found) == ("failed", "H")
    assert "general bonds" in found.sentence.say(language("en"))
    assert found.rulebook == "cn-special-bond-project@2017"


@pytest.mark.parametrize(
    ("nature", "earns", "expected"),
    [
        ("public", False, ("failed", "H")),
        ("public", True, PASSED),
        ("quasi_public", False, NA),  # a project whose income nobody states has not shown any
        ("", False, NA),
        ("", True, PASSED),
    ],
)
def test_no_income_at_all(nature, earns, expected):
    operation = healthy_project().operation if earns else Operation()
    assert verdict(of(negative_list, nature=nature, operation=operation)) == expected


def test_answers_about_the_list_that_lack():
    assert of(negative_list, flags=flagged(office_building=None)).missing == ("office_building",)
    assert of(negative_list, flags=flagged(image_project=None)).missing == ("image_project",)
    # The sector answers for the kind of project.
    assert verdict(of(negative_list, flags=flagged(negative_list=None))) == PASSED
    unknown = negative_list(case(healthy_project(flags=flagged(negative_list=None)), sector=None))
    assert unknown.missing == ("negative_list",)


# -- F5 --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("bond", "total", "expected", "value", "line"),
    [
        (1.0 - NEAR, 2.0, ("failed", "H"), 1.0 - NEAR, 1.0),
        (1.0, 2.0, ("failed", "C"), 1.0, 1.1),
        (1.1 - NEAR, 2.0, ("failed", "C"), 1.1 - NEAR, 1.1),
        (1.1, 2.0, PASSED, 1.1, 1.1),
        (2.0, 1.0 - NEAR, ("failed", "D"), 1.0 - NEAR, 1.0),
        (2.0, 1.0, ("failed", "C"), 1.0, 1.2),
        (2.0, 1.2 - NEAR, ("failed", "C"), 1.2 - NEAR, 1.2),
        (2.0, 1.2, PASSED, 2.0, 1.1),
        (1.05, 0.9, ("failed", "D"), 0.9, 1.0),
        (0.95, 0.9, ("failed", "H"), 0.95, 1.0),
        (1.0 - 1e-12, 2.0, ("failed", "C"), 1.0, 1.1),  # rounding is not a shortfall
    ],
)
def test_self_balance_takes_the_worse_grade(bond, total, expected, value, line):
    found = with_finance(self_balance, bond_coverage=bond, total_coverage=total)
    assert verdict(found) == expected
    assert found.value == pytest.approx(value, abs=1e-9)
    assert found.threshold == line
    assert found.operator == "<"


def test_coverage_that_cannot_be_computed_defers():
    found = with_finance(self_balance, total_coverage=math.nan)
    assert verdict(found) == ("na", "D")


def test_income_that_is_not_stated_is_not_nothing():
    silent = of(self_balance, operation=Operation())
    assert verdict(silent) == ("na", "D")
    assert silent.missing == ("income",)
    # Nothing, stated, is nothing.
    stated = Operation(user_fees={2030: 0.0}, opex={2030: 1.0})
    assert verdict(of(self_balance, operation=stated)) == ("failed", "H")


def test_running_cost_that_is_not_stated_is_no_pass_but_a_failure_stands():
    fees = healthy_project().operation.user_fees
    silent = of(self_balance, operation=Operation(user_fees=fees))
    assert verdict(silent) == ("na", "D")
    assert silent.missing == ("opex",)
    assert verdict(of(self_balance, operation=Operation(user_fees=fees, is_net=True))) == PASSED
    little = {y: a / 10 for y, a in fees.items()}
    assert verdict(of(self_balance, operation=Operation(user_fees=little))) == ("failed", "H")
    assert verdict(of(yearly_coverage, operation=Operation(user_fees=fees))) == NA
    assert verdict(of(yearly_coverage, operation=Operation(user_fees=little)))[0] == "failed"


def test_general_bonds_alone_are_not_for_the_project_to_repay():
    general = {"financing": (Tranche("general_bond", 1e8, 10, 0, 0.02),)}
    for check in (self_balance, yearly_coverage):
        assert verdict(of(check, **general)) == NOT_APPLICABLE
        assert verdict(of(check, **financed(bond=False))) == NOT_APPLICABLE


def test_a_loan_alone_is_judged_by_all_debt_only():
    loan = financed(Tranche("bank_loan", 8e8, 10, 0, 0.04), bond=False)
    found = of(self_balance, **loan)
    assert found.threshold in {1.0, 1.2}
    assert "special bond" not in found.sentence.say(language("en"))


# -- F6 --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("lowest", "budgeted", "expected"),
    [
        (1.0 - NEAR, True, ("failed", "C")),
        (1.0 - NEAR, None, ("failed", "C")),
        (1.0 - NEAR, False, ("failed", "D")),
        (1.0, True, PASSED),
        (1.0 - 1e-12, True, PASSED),
        (1.0, False, ("failed", "D")),  # other years need top-ups that are not budgeted
        (1.0 + NEAR, None, PASSED),
        (math.nan, True, NA),
    ],
)
def test_yearly_coverage(lowest, budgeted, expected):
    project = healthy_project(flags=flagged(top_ups_budgeted=budgeted))
    found = with_finance(yearly_coverage, project, minimum_dscr=lowest)
    assert verdict(found) == expected
    if expected[0] == "failed":
        words = {True: "they are budgeted", False: "not budgeted", None: "not stated"}
        assert words[budgeted] in found.sentence.say(language("en"))
        assert found.ours


# -- F7, F8 ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("years", "expected"),
    [(20 - NEAR, PASSED), (20.0, PASSED), (20 + 1e-6, ("failed", "D")), (25.0, ("failed", "D"))],
)
def test_tenor_against_life(years, expected):
    own = healthy_project().financing[1]
    bonds = (
        Tranche("special_bond", 1e8, 10, 0, 0.02),
        Tranche("special_bond", 1e8, years, 0, 0.02),
    )
    found = of(tenor, financing=(own, *bonds))
    assert verdict(found) == expected
    assert found.value == years


def test_only_special_bonds_must_fit_the_life():
    loan = Tranche("bank_loan", 1e8, 25, 0, 0.04)
    assert verdict(of(tenor, **financed(loan, bond=False))) == NOT_APPLICABLE


@pytest.mark.parametrize("name", DOCUMENTS)
def test_each_document(name):
    needed = name != "ppp_affordability"  # no partnership is asked for
    for answer, words in ((False, "missing"), (None, "does not state")):
        found = of(documents, documents={**dict.fromkeys(DOCUMENTS, True), name: answer})
        assert verdict(found) == (("failed", "D") if needed else PASSED)
        if needed:
            assert words in found.sentence.say(language("en"))
            assert found.value == 1
            assert found.missing == ((name,) if answer is None else ())
    absent = {d: True for d in DOCUMENTS if d != name}
    assert of(documents, documents=absent).status == ("failed" if needed else "passed")


def test_documents_follow_the_financing():
    basic = ("project_proposal", "feasibility_approved", "preliminary_design", "eia")
    papers = dict.fromkeys(basic, True)
    assert verdict(of(documents, documents=papers, **financed(bond=False))) == PASSED
    assert of(documents, documents=papers).value == 6
    partnership = financed(Tranche("ppp_private", 1.0, payment="user_pay"), bond=False)
    assert of(documents, documents=papers, **partnership).missing == ("ppp_affordability",)


def test_missing_and_unstated_documents_are_told_apart():
    said = of(documents, documents={"eia": False, "project_proposal": True}).sentence
    text = said.say(language("en"))
    assert text.index("environmental") < text.index("Not stated") < text.index("preliminary")


# -- F9, F10, F11 ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("ratio", "expected"),
    [(1.1 - NEAR, PASSED), (1.1, PASSED), (1.1 + NEAR, ("failed", "D"))],
)
def test_cost_growth(ratio, expected):
    found = of(cost_growth, feasibility_estimate=1e8, budget_estimate=1e8 * ratio)
    assert verdict(found) == expected
    assert found.value == pytest.approx(ratio)


def test_cost_growth_without_a_budget_or_an_estimate():
    over = of(cost_growth, feasibility_estimate=8e8, budget_estimate=None)
    assert verdict(over) == ("failed", "D")  # total investment stands in
    assert verdict(of(cost_growth, feasibility_estimate=None)) == NA
    assert verdict(of(cost_growth, feasibility_estimate=0.0)) == NA


@pytest.mark.parametrize(
    ("cost", "expected"),
    [(63_000 - 0.01, PASSED), (63_000, PASSED), (63_000 + 0.01, ("failed", "C"))],
)
def test_unit_cost(cost, expected):
    found = of(unit_cost, total_investment=cost * 20_000)
    assert verdict(found) == expected
    assert found.value == pytest.approx(cost)
    assert found.threshold == pytest.approx(63_000)


def test_unit_cost_needs_five_others():
    four = replace(case(), unit_costs=(1.0, 2.0, 3.0, 4.0, math.nan))
    assert verdict(unit_cost(four)) == NA
    assert verdict(of(unit_cost, unit_cost_base=None)) == NOT_APPLICABLE
    assert verdict(of(unit_cost, unit_cost_base=0.0)) == NA


@pytest.mark.parametrize(
    ("committed", "expected"), [(True, PASSED), (False, ("failed", "C")), (None, ("failed", "C"))]
)
@pytest.mark.parametrize("source", ["central_budget_investment", "provincial_grant"])
def test_grants(source, committed, expected):
    found = of(uncommitted_grants, **financed(Tranche(source, 5e7, committed=committed)))
    assert verdict(found) == expected
    assert found.value == (0.0 if committed else 5e7)
    assert found.missing == (("committed",) if committed is None else ())
    nothing = of(uncommitted_grants, **financed(Tranche(source, 0.0, committed=committed)))
    assert verdict(nothing) == NOT_APPLICABLE


# -- E1, E2 ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "expected"), [(-1.0, ("failed", "C")), (0.0, PASSED), (1.0, PASSED), (math.nan, NA)]
)
@pytest.mark.parametrize("nature", ["quasi_public", "commercial"])
def test_economic_value(nature, value, expected):
    found = with_finance(economic_value, healthy_project(nature=nature), enpv=value)
    assert verdict(found) == expected


def test_economic_value_where_it_does_not_apply_or_cannot_be_told():
    assert verdict(of(economic_value, nature="public")) == NOT_APPLICABLE
    assert of(economic_value, nature="").missing == ("nature",)
    assert of(economic_value, operation=Operation()).missing == ("income",)
    fees = healthy_project().operation.user_fees
    assert of(economic_value, operation=Operation(user_fees=fees)).missing == ("opex",)


def share_of(share, payment="user_pay", own=0.0, expenditure=None):
    partnership = Tranche("ppp_private", 1e8, payment=payment)
    project = healthy_project(
        financing=(partnership,), ppp_commitments={2030: own / 2, 2031: own} if own else {}
    )
    government = healthy_government(ppp_share=share)
    left = math.nan if None in {share, expenditure} else (0.10 - share) * expenditure
    room = Room("ppp", Bilingual(zh="", en=""), 0.10, left, None, math.nan, None)
    impact = healthy_impact(rooms=(room,))
    return partnership_share(case(project, government=government, impact=impact))


@pytest.mark.parametrize(
    ("share", "payment", "expected", "line"),
    [
        (0.05, "government_pay", NA, None),  # its own commitment is not stated
        (0.05 + NEAR, "government_pay", ("failed", "D"), 0.05),
        (0.07, "user_pay", PASSED, 0.10),
        (0.07 + NEAR, "user_pay", ("failed", "I"), 0.07),
        (0.10 - NEAR, "user_pay", ("failed", "I"), 0.07),
        (0.10, "user_pay", ("failed", "I"), 0.07),
        (0.10 + NEAR, "user_pay", ("failed", "H"), 0.10),
        (0.10 + NEAR, "", ("failed", "H"), 0.10),
        (0.04, "", NA, None),
        (None, "user_pay", NA, None),
    ],
)
def test_the_cap_on_partnerships(share, payment, expected, line):
    found = share_of(share, payment)
    assert verdict(found) == expected
    if line is not None:
        assert found.threshold == line
    assert found.counts is (expected[1] != "I")


@pytest.mark.parametrize(
    ("own", "payment", "expected"),
    [
        (30.0 - 1e-4, "government_pay", PASSED),
        (30.0, "government_pay", PASSED),
        (30.0 + 1e-4, "government_pay", ("failed", "D")),
        (80.0, "user_pay", ("failed", "I")),
        (80.0 + 1e-4, "user_pay", ("failed", "H")),
    ],
)
def test_the_project_adds_its_largest_year(own, payment, expected):
    found = share_of(0.02, payment, own, expenditure=1_000.0)
    assert verdict(found) == expected
    assert found.value == pytest.approx(0.02 + own / 1_000)
    assert found.quarter == quarter(2031, 4)


def test_a_share_that_is_not_known_is_not_small():
    assert share_of(0.02, own=30.0).missing == ("gpb_expenditure",)
    assert share_of(None, own=30.0, expenditure=1_000.0).missing == ("ppp_share",)
    assert verdict(share_of(0.11, own=30.0)) == ("failed", "H")  # whatever it adds
    assert share_of(0.11, own=30.0, expenditure=1_000.0).value == pytest.approx(0.14)
    assert verdict(partnership_share(case())) == NOT_APPLICABLE


def test_a_cap_that_is_used_up_leaves_nothing():
    assert verdict(share_of(0.10, own=1.0, expenditure=1_000.0)) == ("failed", "H")


# -- all -------------------------------------------------------------------------------------------


def test_without_a_rulebook_in_force_nothing_passes_that_rests_on_one():
    bare = replace(case(c7_project()), rulebooks={})
    found = {c.id: c for c in (check(bare) for check in FINANCING_CHECKS)}
    for name in ("F2", "F3", "F4", "F5", "F6", "F7", "E2"):
        assert found[name].status == "na"
        assert found[name].severity == severity_without_data(name)


def hostile_projects():
    answers = st.none() | st.booleans()
    flags = st.builds(Flags, **{f.name: answers for f in fields(Flags)})
    money = st.sampled_from([0.0, 1.0, 5e7, 1e9])
    tranches = st.builds(
        Tranche,
        source=st.sampled_from(
            ["fiscal_general", "provincial_grant", "enterprise_equity", "general_bond",
             "special_bond", "bank_loan", "ppp_private"]
        ),
        amount=money, tenor_years=st.sampled_from([1.0, 10.0, 30.0]),
        rate=st.sampled_from([0.0, 0.03]), committed=answers,
        equity_like=st.sampled_from([0.0, 5e7]), borrower=st.sampled_from(["", "lgfv", "spv"]),
        guarantee=st.sampled_from(["", "none", "illegal_government"]),
        payment=st.sampled_from(["", "user_pay", "viability_gap", "government_pay"]),
    )  # fmt: skip
    yearly = st.dictionaries(st.integers(2029, 2040), money, max_size=4)
    return st.builds(
        healthy_project,
        flags=flags, financing=st.lists(tranches, max_size=4).map(tuple),
        nature=st.sampled_from(["", "public", "quasi_public", "commercial"]),
        operation=st.builds(Operation, user_fees=yearly, opex=yearly, is_net=st.booleans()),
        documents=st.dictionaries(st.sampled_from(DOCUMENTS), answers),
        feasibility_estimate=st.none() | money, budget_estimate=st.none() | money,
        unit_cost_base=st.none() | money, ppp_commitments=yearly,
    )  # fmt: skip


@given(hostile_projects(), st.booleans(), st.none() | st.floats(0, 0.2))
def test_every_check_answers_whatever_is_stated(project, known_sector, ppp_share):
    one = case(
        project, sector=WASTEWATER if known_sector else None,
        government=healthy_government(ppp_share=ppp_share),
    )  # fmt: skip
    for check in FINANCING_CHECKS:
        found = check(one)
        assert found.status in {"passed", "failed", "na", "not_applicable"}
        if found.status == "na":
            assert found.severity == severity_without_data(found.id)
            assert found.missing
            assert found.value is None
        elif found.status == "passed":
            assert found.severity == "I"
            assert found.id == "F8" or not found.missing
        for code in ("en", "zh"):
            text = found.sentence.say(language(code))
            assert text
            assert not re.search(r"\b(nan|inf|None)\b", text)
            assert "{" not in text


def test_names_exist_for_whatever_may_lack():
    assert set(DOCUMENT_NAMES) == set(DOCUMENTS)
    assert not set(FIELD_NAMES) & set(DOCUMENT_NAMES)
