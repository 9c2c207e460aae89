"""The portfolio: brute force, every kind of row, ties, limits of time, the chance version."""

from __future__ import annotations

import itertools
from dataclasses import dataclass, replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from debtwatch.language import language
from debtwatch.screening import portfolio
from debtwatch.screening.portfolio import (
    Chosen,
    choose_portfolio,
    choose_with_chance,
    gap_sentence,
)
from debtwatch.screening.portfolio_rows import (
    Candidate,
    Limits,
    Option,
    calendar_years,
    candidates_of,
    full_option,
    headroom_sides,
    need_pool_of,
    need_rooms_of,
)
from debtwatch.screening.portfolio_score import (
    criteria,
    missing_service,
    missing_share,
    readiness,
    scores_of,
)
from debtwatch.screening.project import Need, Operation, Priority, Project, Tranche
from debtwatch.screening.settings import screening_settings

WAN = 1e4
FIRST = 4 * 2026
SETTINGS = screening_settings()
FREE = float("inf")
LEDGERS = ("general", "special")


def changed(**portfolio):
    return replace_model(SETTINGS, portfolio=replace_model(SETTINGS.portfolio, **portfolio))


def replace_model(model, **changes):
    return model.model_copy(update=changes)


def option(debt, later=0, scale=1.0, quarters=4, **flows):
    """Bonds drawn at once and not repaid; everything else nought unless given (万元)."""
    path = np.zeros(quarters)
    path[later:] = debt * scale * WAN
    years = calendar_years(FIRST, quarters)
    nothing = {
        "general_drawn": np.zeros(quarters), "special_drawn": path,
        "general_interest": np.zeros(quarters), "special_interest": path * 0.03,
        "capacity": np.zeros(quarters), "cash": np.zeros(years), "ppp": np.zeros(years),
        "topup": np.zeros(years),
    }  # fmt: skip
    given_ = {k: np.asarray(v, float) * scale * WAN for k, v in flows.items()}
    return Option(later, scale, debt=path, **(nothing | given_))


def candidate(code, value, debt, *, starts=1, scales=(1.0,), quarters=4, flows=None, **options):
    choices = tuple(
        option(debt, later, scale, quarters, **(flows or {}))
        for later in range(starts)
        for scale in scales
    )
    return Candidate(code, value, choices, start_quarter=FIRST, **options)


def limits(room=100.0, quarters=4, **changes):
    """Capacity and debt so that 2 F - D is the room in every quarter (万元); the rest is free."""
    years = calendar_years(FIRST, quarters)
    room = np.broadcast_to(np.asarray(room, float), (quarters,))
    plain = Limits(
        "c", FIRST, 2.0, np.full(quarters, 1_000 * WAN), (2_000 - room) * WAN, 0.0, FREE, FREE,
        np.full(quarters, FREE), np.full(quarters, FREE), np.full(years, FREE),
        np.full(years, FREE), np.full(years, FREE),
    )  # fmt: skip
    return replace(plain, **changes)


def codes(portfolio):
    return [c.code for c in portfolio.chosen]


# Brute force, written apart from the programme: plain loops over projects, quarters and rows.


@dataclass(frozen=True)
class Picked:
    one: Candidate
    option: Option

    @property
    def start(self):
        return self.one.start_quarter + self.option.quarters_later


def total(picks, name, k):
    return sum(float(getattr(p.option, name)[k]) for p in picks)


def over(used, room):
    return not np.isnan(room) and used > max(room, 0.0) + 1e-9 * max(abs(room), 1e6)


def crosses(picks, bounds, k):
    debt, capacity = total(picks, "debt", k), total(picks, "capacity", k)
    used = debt - bounds.tau * capacity
    room = bounds.tau * bounds.capacity[k] - bounds.debt[k]
    if room <= 0 or used <= 0:
        return used > 1e-3
    ratio = (bounds.debt[k] + debt) / (bounds.capacity[k] + capacity)
    whole = np.floor(room / WAN - 1e-6) * WAN
    return (
        ratio >= bounds.tau
        or used > whole + 1e-3
        or over(used, room - bounds.buffer * bounds.capacity[k])
    )


def takes_too_much(picks, bounds):
    quarters, years = range(bounds.quarters), range(bounds.years)
    rows = [(f"{x}_interest", getattr(bounds, f"{x}_interest_room"), quarters) for x in LEDGERS]
    rows += [("cash", bounds.cash, years), ("ppp", bounds.ppp_room, years),
             ("topup", bounds.sanbao_room, years)]  # fmt: skip
    return any(
        over(total(picks, name, k), room[k]) for name, room, span in rows for k in span
    ) or any(over(total(picks, f"{x}_drawn", -1), getattr(bounds, f"{x}_quota")) for x in LEDGERS)


def allowed(picks, bounds):
    inside = {p.one.code: p for p in picks}
    pools = {
        pool: sum(p.one.added_capacity * p.option.scale for p in picks if p.one.need_pool == pool)
        for pool in bounds.need_rooms
    }
    return not (
        any(crosses(picks, bounds, k) for k in range(bounds.quarters))
        or takes_too_much(picks, bounds)
        or any(added > bounds.need_rooms[pool] * (1 + 1e-9) for pool, added in pools.items())
        or any(other in inside for p in picks for other in p.one.excludes)
        or any(
            other not in inside or inside[other].start > p.start - p.one.lag
            for p in picks
            for other in p.one.requires
        )
    )


def brute_force(candidates, bounds):
    """Best score over all assignments; None where none is allowed."""
    best = None
    choices = [
        ([] if c.mandatory else [None]) + [Picked(c, o) for o in c.options] for c in candidates
    ]
    for assignment in itertools.product(*choices):
        picks = [p for p in assignment if p is not None]
        value = sum(
            p.one.value * p.option.scale * SETTINGS.portfolio.discount**p.option.quarters_later
            for p in picks
        )
        if (best is None or value > best + 1e-12) and allowed(picks, bounds):
            best = value
    return best


def random_case(seed, many, quarters=8):
    """Random projects and limits with every kind of row."""
    draw = np.random.default_rng(seed)
    years = calendar_years(FIRST, quarters)
    names = [f"P{k}" for k in range(many)]
    candidates = []
    for code in names:
        stageable = bool(draw.random() < 0.25)
        flows = {
            "general_drawn": np.full(quarters, draw.uniform(0, 20)),
            "general_interest": draw.uniform(0, 2, quarters),
            "capacity": np.where(np.arange(quarters) > 4, draw.uniform(0, 3), 0.0),
            "cash": draw.uniform(0, 15, years), "ppp": draw.uniform(0, 4, years),
            "topup": draw.uniform(0, 6, years),
        }  # fmt: skip
        others = [n for n in names if n != code]
        candidates.append(
            candidate(
                code, float(draw.uniform(0.1, 1.0)), draw.uniform(5, 60), starts=2,
                scales=(1.0, 0.5) if stageable else (1.0,), quarters=quarters, flows=flows,
                mandatory=bool(draw.random() < 0.12), stageable=stageable,
                requires=(str(draw.choice(others)),) if draw.random() < 0.15 else (),
                excludes=(str(draw.choice(others)),) if draw.random() < 0.15 else (),
                need_pool="water" if draw.random() < 0.4 else "",
                added_capacity=float(draw.uniform(1, 10)), lag=int(draw.integers(0, 2)),
            )
        )  # fmt: skip
    bounds = limits(
        draw.uniform(40, 160, quarters), quarters, buffer=float(draw.choice([0.0, 0.01])),
        general_quota=draw.uniform(20, 90) * WAN, special_quota=draw.uniform(60, 250) * WAN,
        general_interest_room=draw.uniform(2, 10, quarters) * WAN,
        special_interest_room=draw.uniform(2, 8, quarters) * WAN,
        ppp_room=draw.uniform(4, 20, years) * WAN, cash=draw.uniform(10, 60, years) * WAN,
        sanbao_room=draw.uniform(6, 25, years) * WAN, need_rooms={"water": draw.uniform(5, 20)},
    )  # fmt: skip
    if draw.random() < 0.2:
        bounds = replace(
            bounds, debt=bounds.debt + np.where(np.arange(quarters) == 3, 200 * WAN, 0)
        )
    return candidates, bounds


def compare(candidates, bounds):
    best = brute_force(candidates, bounds)
    found = choose_portfolio(candidates, bounds, SETTINGS)
    if best is None:
        assert found.infeasible
        assert found.reasons
        assert not found.chosen
        return found
    assert not found.infeasible
    assert found.value == pytest.approx(best, abs=1e-6)
    assert found.bound >= best - 1e-6
    assert found.gap == 0.0
    assert found.proven
    assert found.greedy_value <= found.value + 1e-9
    picks = by_chosen(candidates, found.chosen)
    assert allowed(picks, bounds)
    assert allowed(by_chosen(candidates, found.greedy), bounds)
    return found


def by_chosen(candidates, chosen):
    place = {c.code: c for c in candidates}
    return [
        Picked(place[x.code], o)
        for x in chosen
        for o in place[x.code].options
        if (o.quarters_later, o.scale) == (x.quarters_later, x.scale)
    ]


@pytest.mark.parametrize("seed", range(40))
def test_the_set_is_the_best_of_all_assignments(seed):
    candidates, bounds = random_case(seed, 3 + seed % 4)
    compare(candidates, bounds)


@pytest.mark.parametrize("seed", range(3))
def test_eight_projects_with_two_starts_equal_brute_force(seed):
    candidates, bounds = random_case(1_000 + seed, 8)
    whole = [
        replace(c, options=tuple(o for o in c.options if o.scale == 1), requires=())
        for c in candidates
    ]
    compare(whole, bounds)


@hypothesis_settings(max_examples=40)
@given(st.integers(0, 10**6), st.integers(1, 5))
def test_equals_brute_force_for_any_seed(seed, many):
    if many == 1:
        candidates, bounds = random_case(seed, 2)
        candidates = [replace(candidates[0], requires=(), excludes=())]
    else:
        candidates, bounds = random_case(seed, many)
    compare(candidates, bounds)


def test_random_cases_have_both_outcomes():
    empty = [brute_force(*random_case(seed, 3 + seed % 4)) is None for seed in range(40)]
    assert 2 <= sum(empty) <= 20


# Headroom.


@pytest.mark.parametrize(
    ("debt", "inside"),
    [(98.0, True), (99.0, True), (99.001, False), (100.0, False), (101.0, False)],
)
def test_an_inclusive_line_leaves_one_wan(debt, inside):
    found = choose_portfolio([candidate("A", 1.0, debt)], limits(100.0), SETTINGS)
    assert bool(found.chosen) is inside


@pytest.mark.parametrize(("debt", "inside"), [(99.99, True), (100.0, True), (100.01, False)])
def test_a_line_that_excludes_its_number_may_be_reached(debt, inside):
    bounds = limits(100.0, inclusive=False)
    assert bool(choose_portfolio([candidate("A", 1.0, debt)], bounds, SETTINGS).chosen) is inside


@pytest.mark.parametrize(("debt", "inside"), [(49.99, True), (50.0, True), (50.01, False)])
def test_the_buffer_may_be_used_up_to_its_edge(debt, inside):
    bounds = limits(100.0, buffer=0.05)  # 5 points of 1,000
    assert bool(choose_portfolio([candidate("A", 1.0, debt)], bounds, SETTINGS).chosen) is inside


@pytest.mark.parametrize("capacity", [1e8, 1e11, 5e13])
def test_a_set_at_the_edge_never_counts_as_crossing(capacity):
    debt = capacity * 1.8
    bounds = limits(0.0, capacity=np.full(4, capacity), debt=np.full(4, debt))
    edge = float(headroom_sides(bounds)[0])
    assert edge % WAN == 0
    from debtwatch.rules.expression import at_least

    assert not at_least(np.asarray((debt + edge) / capacity), 2.0)
    assert 2 * capacity - debt - edge <= max(2 * WAN, 2e-8 * capacity)


def test_rounding_does_not_let_a_set_in():
    """Ten tenths of a row of 1 fit; a hair more, far below the solver's tolerance, does not."""
    bounds = limits(1_000.0, inclusive=False, special_quota=100.0 * WAN)
    ten = [candidate(f"P{k}", 1.0, 10.0) for k in range(10)]
    assert len(choose_portfolio(ten, bounds, SETTINGS).chosen) == 10
    hair = [candidate(f"P{k}", 1.0, 10.0 * (1 + 1e-8)) for k in range(10)]
    assert len(choose_portfolio(hair, bounds, SETTINGS).chosen) == 9


def test_income_of_the_fund_budget_makes_room():
    plain = candidate("A", 1.0, 110.0)
    earning = candidate("A", 1.0, 110.0, flows={"capacity": np.full(4, 6.0)})
    assert not choose_portfolio([plain], limits(100.0), SETTINGS).chosen
    assert choose_portfolio([earning], limits(100.0), SETTINGS).chosen


@given(st.integers(0, 500))
@hypothesis_settings(max_examples=25)
def test_more_headroom_never_lowers_the_score(seed):
    candidates, bounds = random_case(seed, 4)
    more = replace(bounds, debt=bounds.debt - 10 * WAN)
    less, greater = (choose_portfolio(candidates, b, SETTINGS) for b in (bounds, more))
    if not less.infeasible:
        assert greater.value >= less.value - 1e-9


def test_a_baseline_that_breaches_only_forbids_to_worsen():
    bounds = limits([100.0, -50.0, 100.0, 100.0])
    early, none = candidate("A", 1.0, 20.0), candidate("B", 0.1, 0.0)
    found = choose_portfolio([early, none], bounds, SETTINGS)
    assert found.baseline_breaches
    assert codes(found) == ["B"]
    assert found.no_room == ("headroom 2026Q2",)
    row = next(r for r in found.binding if r.quarter == FIRST + 1)
    assert (row.right_side, row.slack) == (0.0, 0.0)


def test_at_the_line_exactly_is_a_breach_and_inside_the_buffer_is_none():
    at = choose_portfolio([candidate("A", 1.0, 20.0)], limits(0.0), SETTINGS)
    assert at.baseline_breaches
    near = choose_portfolio([candidate("A", 1.0, 20.0)], limits(10.0, buffer=0.05), SETTINGS)
    assert not near.baseline_breaches
    assert not near.chosen


def test_a_late_quarter_binds_and_a_delay_avoids_it():
    bounds = limits([10.0, 100.0, 100.0, 100.0])
    found = choose_portfolio([candidate("A", 1.0, 50.0, starts=2)], bounds, SETTINGS)
    assert found.chosen == (Chosen("A", 1, 1.0),)
    assert found.value == pytest.approx(0.98)


def test_a_part_is_built_where_the_whole_does_not_fit():
    scales = SETTINGS.portfolio.scales
    found = choose_portfolio(
        [candidate("A", 1.0, 120.0, scales=scales, stageable=True)], limits(100.0), SETTINGS
    )
    assert found.chosen == (Chosen("A", 0, 0.75),)
    assert found.value == pytest.approx(0.75)


# Every other row.


@pytest.mark.parametrize(
    ("flows", "changes"),
    [
        ({"general_drawn": np.full(4, 10.0)}, {"general_quota": 10 * WAN}),
        ({"general_interest": np.full(4, 10.0)}, {"general_interest_room": np.full(4, 10 * WAN)}),
        ({"ppp": [10.0]}, {"ppp_room": np.array([10 * WAN])}),
        ({"cash": [10.0]}, {"cash": np.array([10 * WAN])}),
        ({"topup": [10.0]}, {"sanbao_room": np.array([10 * WAN])}),
        ({}, {"special_quota": 10 * WAN}),
        ({}, {"special_interest_room": np.full(4, 0.3 * WAN)}),
    ],
    ids=["general_quota", "general_interest", "ppp", "cash", "sanbao", "special_quota",
         "special_interest"],
)  # fmt: skip
def test_every_row_below_at_and_above(flows, changes, request):
    key = request.node.callspec.id
    for factor, inside in ((0.999, True), (1.0, True), (1.001, False)):
        scaled = {k: np.asarray(v) * factor for k, v in flows.items()}
        debt = 10.0 * factor
        one = candidate("A", 1.0, debt, flows=scaled)
        found = choose_portfolio([one], limits(1_000.0, **changes), SETTINGS)
        assert bool(found.chosen) is inside, (key, factor)
        if factor == 1.0:
            assert key in {r.key for r in found.binding}
    one = candidate("A", 1.0, 10.0, flows=flows)
    for unknown in (np.nan, None):
        name, room = next(iter(changes.items()))
        missing = np.full_like(room, np.nan) if isinstance(room, np.ndarray) else np.nan
        if unknown is None and name not in {"ppp_room", "cash", "sanbao_room"}:
            continue
        bounds = limits(1_000.0, **{name: missing if unknown is not None else None})
        found = choose_portfolio([one], bounds, SETTINGS)
        assert found.chosen
        assert {n.split()[0] for n in found.unknown_rows} == {key}


def test_a_row_that_nobody_needs_is_not_reported_as_unknown():
    found = choose_portfolio([candidate("A", 1.0, 10.0)], limits(100.0, cash=None), SETTINGS)
    assert found.unknown_rows == ()


def test_unknown_capacity_leaves_its_quarter_out():
    bounds = limits(100.0)
    for hole in (np.nan, 0.0, -5.0):
        capacity = bounds.capacity.copy()
        capacity[2] = hole
        found = choose_portfolio(
            [candidate("A", 1.0, 10.0)], replace(bounds, capacity=capacity), SETTINGS
        )
        assert found.unknown_rows == ("headroom 2026Q3",)


def test_a_negative_limit_lets_nothing_in_and_is_named():
    one = candidate("A", 1.0, 10.0, flows={"general_drawn": np.full(4, 1.0)})
    found = choose_portfolio([one], limits(100.0, general_quota=-5 * WAN), SETTINGS)
    assert not found.chosen
    assert found.no_room == ("general_quota",)
    assert not found.infeasible


def test_two_projects_for_one_need():
    pool = {"need_pool": "wastewater m3_per_day"}
    two = [candidate("A", 1.0, 10.0, added_capacity=6.0, **pool),
           candidate("B", 0.9, 10.0, added_capacity=5.0, **pool)]  # fmt: skip
    for room, expected in ((10.9, ["A"]), (11.0, ["A", "B"]), (5.5, ["B"]), (4.9, [])):
        bounds = limits(100.0, need_rooms={"wastewater m3_per_day": room})
        assert codes(choose_portfolio(two, bounds, SETTINGS)) == expected
    found = choose_portfolio(two, limits(100.0), SETTINGS)
    assert found.unknown_rows == ("need wastewater m3_per_day",)


def test_projects_that_rule_each_other_out():
    two = [candidate("A", 1.0, 10.0, excludes=("B",)), candidate("B", 1.1, 10.0)]
    found = choose_portfolio(two, limits(100.0), SETTINGS)
    assert codes(found) == ["B"]
    assert found.left_out == ("A",)


@pytest.mark.parametrize(("lag", "later"), [(0, 0), (1, 1), (2, 2), (3, None)])
def test_precedence_with_a_lag(lag, later):
    two = [candidate("A", 0.1, 10.0, starts=3),
           candidate("B", 1.0, 10.0, starts=3, requires=("A",), lag=lag)]  # fmt: skip
    found = choose_portfolio(two, limits(100.0), SETTINGS)
    starts = {c.code: c.quarters_later for c in found.chosen}
    assert starts == ({"A": 0} if later is None else {"A": 0, "B": later})


def test_precedence_compares_the_quarters_of_start():
    first = candidate("A", 0.1, 10.0)
    second = replace(candidate("B", 1.0, 10.0, requires=("A",)), start_quarter=FIRST + 1)
    assert len(choose_portfolio([first, second], limits(100.0), SETTINGS).chosen) == 2
    same = replace(second, start_quarter=FIRST)
    assert codes(choose_portfolio([first, same], limits(100.0), SETTINGS)) == ["A"]


def test_what_requires_a_project_that_is_no_candidate_is_left_out_and_named():
    found = choose_portfolio([candidate("A", 1.0, 1.0, requires=("X",))], limits(), SETTINGS)
    assert not found.chosen
    assert found.barred == ("A",)


# Mandatory projects.


def test_a_mandatory_project_is_in_whatever_its_score():
    must = candidate("M", 0.01, 60.0, mandatory=True)
    found = choose_portfolio([must, candidate("A", 1.0, 60.0)], limits(100.0), SETTINGS)
    assert codes(found) == ["M"]
    assert codes(choose_portfolio([replace(must, value=0.0)], limits(100.0), SETTINGS)) == ["M"]


def test_mandatory_projects_beyond_a_row_name_it():
    two = [candidate(c, 1.0, 60.0, mandatory=True) for c in "MN"]
    found = choose_portfolio([*two, candidate("A", 1.0, 1.0)], limits([200, 200, 100, 200]),
                             SETTINGS)  # fmt: skip
    assert found.infeasible == ("headroom 2026Q3",)
    assert found.chosen == ()
    assert found.left_out == ("A", "M", "N")
    said = found.reasons[0].say(language("en"))
    assert "Debt headroom in 2026Q3" in said
    assert "CNY 0.21 million" in said  # 120 - 99
    assert "rows are named" in gap_sentence(found).say(language("en"))


def test_mandatory_projects_that_rule_each_other_out_are_named():
    two = [candidate("M", 1.0, 1.0, mandatory=True, excludes=("N",)),
           candidate("N", 1.0, 1.0, mandatory=True)]  # fmt: skip
    found = choose_portfolio(two, limits(100.0), SETTINGS)
    assert found.infeasible == ("excludes M N",)


def test_a_mandatory_project_without_options_is_named():
    found = choose_portfolio([Candidate("M", 1.0, (), mandatory=True)], limits(), SETTINGS)
    assert found.infeasible == ("M",)


def test_a_mandatory_project_brings_what_it_requires():
    two = [candidate("A", 0.0, 40.0), candidate("M", 1.0, 40.0, mandatory=True, requires=("A",),
           lag=0), candidate("B", 0.9, 40.0)]  # fmt: skip
    assert codes(choose_portfolio(two, limits(100.0), SETTINGS)) == ["A", "M"]


def test_the_weight_of_safety_does_not_blur_the_rest():
    """A thousand points must not widen the gap within which the other projects are chosen."""
    many = [candidate(f"P{k:02d}", 0.5 + 0.001 * k, 10.0 + k % 3) for k in range(12)]
    must = candidate("S", 1_000.0, 10.0, mandatory=True)
    with_, without = (choose_portfolio(c, b, SETTINGS) for c, b in (
        ([*many, must], limits(71.0)), (many, limits(61.0))))  # fmt: skip
    assert with_.value - 1_000.0 == pytest.approx(without.value, abs=1e-6)


# Ties, order, neighbours, greedy, duals.


def test_equal_scores_are_decided_by_lower_debt():
    two = [candidate("A", 1.0, 60.0), candidate("B", 1.0, 50.0)]
    assert codes(choose_portfolio(two, limits(100.0), SETTINGS)) == ["B"]
    staged = candidate("A", 0.0, 60.0, scales=(1.0, 0.5))
    assert choose_portfolio([staged], limits(100.0), SETTINGS).chosen == ()


def test_a_tie_that_no_single_swap_settles():
    """One large project or two small ones, equal in score; both sets never fit together."""
    three = [candidate("A", 1.0, 60.0), candidate("B", 0.5, 20.0), candidate("C", 0.5, 20.0)]
    found = choose_portfolio(three, limits(79.0), SETTINGS)
    assert codes(found) == ["B", "C"]
    assert found.bound == found.value == 1.0


def test_a_set_that_the_solver_takes_for_fitting_is_checked_again(monkeypatch):
    """The first answer exceeds the row; it is forbidden and the programme solved again."""
    asked = []

    def careless(cost, **options):
        asked.append(len(options["constraints"]))
        done = solver(cost, **options)
        if len(asked) == 1:
            done.x = np.ones(len(cost))
        return done

    solver = portfolio.milp
    monkeypatch.setattr(portfolio, "milp", careless)
    two = [candidate("A", 1.0, 60.0), candidate("B", 0.9, 60.0)]
    assert codes(choose_portfolio(two, limits(100.0), SETTINGS)) == ["A"]
    assert asked[:2] == [2, 3]


@pytest.mark.parametrize("seed", range(5))
def test_the_order_of_candidates_and_the_run_do_not_matter(seed):
    candidates, bounds = random_case(seed, 6)
    once = choose_portfolio(candidates, bounds, SETTINGS)
    again = choose_portfolio(candidates[::-1], bounds, SETTINGS)
    assert repr(once) == repr(again)


def test_money_in_other_units_chooses_the_same():
    candidates, bounds = random_case(3, 6)
    once = choose_portfolio(candidates, bounds, SETTINGS)
    bigger = [replace(c, options=tuple(o.at(1e4) for o in c.options)) for c in candidates]
    bigger = [
        replace(c, options=tuple(replace(o, scale=p.scale) for o, p in zip(c.options, d.options,
                                                                           strict=True)))
        for c, d in zip(bigger, candidates, strict=True)
    ]  # fmt: skip
    names = ("capacity", "debt", "general_interest_room", "special_interest_room", "ppp_room",
             "cash", "sanbao_room", "general_quota", "special_quota")  # fmt: skip
    wide = replace(bounds, **{n: getattr(bounds, n) * 1e4 for n in names})
    again = choose_portfolio(bigger, replace(wide, inclusive=False), SETTINGS)
    exact = choose_portfolio(candidates, replace(bounds, inclusive=False), SETTINGS)
    assert again.chosen == exact.chosen
    assert once.value <= exact.value + 1e-9


def test_a_project_of_nothing_changes_nothing():
    candidates, bounds = random_case(1, 5)
    once = choose_portfolio(candidates, bounds, SETTINGS)
    nothing = candidate("Z", 0.0, 0.0, quarters=8)
    again = choose_portfolio([*candidates, nothing], bounds, SETTINGS)
    assert again.value == once.value


def test_the_neighbours_tell_what_a_swap_costs():
    three = [candidate("A", 1.0, 60.0), candidate("B", 0.8, 60.0), candidate("C", 0.7, 130.0)]
    found = choose_portfolio(three, limits(100.0), SETTINGS)
    assert found.swaps == (("A", "B", pytest.approx(-0.2)),)


def test_greedy_is_caught_by_the_classic_trap():
    """By score for each yuan A comes first, and then nothing else fits; B and C are better."""
    three = [candidate("A", 1.0, 50.5), candidate("B", 0.9, 49.5), candidate("C", 0.9, 49.5),
             candidate("D", 0.85, 49.5)]  # fmt: skip
    found = choose_portfolio(three, limits(100.0), SETTINGS)
    assert codes(found) == ["B", "C"]
    assert found.greedy_value <= found.value
    alone = limits(61.0)
    late = [candidate("A", 0.5, 10.0), candidate("B", 1.9, 60.0)]
    trap = choose_portfolio(late, alone, SETTINGS)
    assert codes(trap) == ["B"]


@pytest.mark.parametrize("seed", range(12))
def test_greedy_then_solver_then_bound(seed):
    candidates, bounds = random_case(seed, 8)
    found = choose_portfolio(candidates, bounds, SETTINGS)
    assert found.greedy_value <= found.value + 1e-9 <= found.bound + 2e-9


def test_the_dual_is_that_of_the_relaxation():
    """A fraction of B fills the row: one more 万元 is worth B's score over its debt."""
    two = [candidate("A", 1.0, 50.0, quarters=4), candidate("B", 0.6, 60.0)]
    bounds = limits([1_000.0, 1_000.0, 1_000.0, 101.0], inclusive=False)
    found = choose_portfolio(two, bounds, SETTINGS)
    row = found.binding[0]
    assert (row.key, row.quarter) == ("headroom", FIRST + 3)
    assert row.dual == pytest.approx(0.6 / 60.0)
    assert row.slack == pytest.approx(51.0 * WAN)
    assert row.value_at_1 == pytest.approx(1.0)
    assert row.value_at_5 == pytest.approx(1.0)
    assert row.label.en == "Debt headroom in 2026Q4"
    wide = choose_portfolio(two, replace(bounds, debt=bounds.debt - 5 * WAN), SETTINGS)
    assert wide.binding[0].value_at_1 == pytest.approx(1.0)
    assert wide.binding[0].value_at_5 == pytest.approx(1.6)  # 106 x 1.05 = 111.3 >= 110


def test_more_room_never_lowers_the_value():
    for seed in range(12):
        found = choose_portfolio(*random_case(seed, 6), SETTINGS)
        for row in found.binding:
            if row.value_at_1 is not None:
                assert found.value - 1e-12 <= row.value_at_1 <= row.value_at_5 + 1e-12


def test_no_candidates_is_an_empty_set():
    found = choose_portfolio([], limits(), SETTINGS)
    assert (found.chosen, found.value, found.gap, found.proven) == ((), 0.0, 0.0, True)
    assert gap_sentence(found).say(language("en")) == "Proven: no other set has a higher score."


def test_nothing_binds_where_all_fits():
    found = choose_portfolio([candidate("A", 1.0, 1.0)], limits(100.0), SETTINGS)
    assert found.binding == ()
    assert found.value == found.bound == 1.0


@pytest.mark.parametrize(
    "broken",
    [
        [candidate("A", 1.0, 1.0), candidate("A", 1.0, 1.0)],
        [candidate("A", float("nan"), 1.0)],
        [candidate("A", 1.0, 1.0, quarters=5)],
        [candidate("A", 1.0, float("nan"))],
    ],
    ids=["twice", "no value", "other length", "missing flow"],
)
def test_what_cannot_be_judged_is_refused(broken):
    with pytest.raises(ValueError, match="A"):
        choose_portfolio(broken, limits(), SETTINGS)


def test_limits_of_another_length_are_refused():
    with pytest.raises(ValueError, match="figures wanted"):
        choose_portfolio([candidate("A", 1.0, 1.0)], limits(cash=np.ones(3)), SETTINGS)
    short = limits(general_interest_room=np.ones(3))
    with pytest.raises(ValueError, match="figures wanted"):
        choose_portfolio([candidate("A", 1.0, 1.0)], short, SETTINGS)


# A limit of time.


def many_projects(projects=200, starts=4, quarters=20, seed=1):
    draw = np.random.default_rng(seed)
    candidates = [
        candidate(
            f"P{k:03d}", float(draw.uniform(0.05, 1.0)), draw.uniform(2, 40), starts=starts,
            quarters=quarters, flows={
                "general_drawn": np.full(quarters, draw.uniform(0, 10)),
                "cash": draw.uniform(0, 3, 5), "topup": draw.uniform(0, 2, 5),
            },
        )
        for k in range(projects)
    ]  # fmt: skip
    room = np.linspace(900, 1_400, quarters) + draw.uniform(-40, 40, quarters)
    bounds = limits(room, quarters, general_quota=350 * WAN, cash=np.full(5, 120 * WAN),
                    sanbao_room=np.full(5, 90 * WAN))  # fmt: skip
    return candidates, bounds


def test_two_hundred_projects_are_solved_or_the_gap_is_said():
    candidates, bounds = many_projects()
    found = choose_portfolio(candidates, bounds, changed(time_limit=3.0))
    assert allowed(by_chosen(candidates, found.chosen), bounds)
    assert found.greedy_value <= found.value <= found.bound
    assert found.gap == pytest.approx((found.bound - found.value) / found.bound)
    assert found.proven == (found.gap <= SETTINGS.portfolio.gap + 1e-9)
    assert ("limit of time" in gap_sentence(found).message) == (not found.proven)


def test_without_time_the_greedy_set_stands_and_the_gap_is_said():
    candidates, bounds = many_projects(projects=80)
    found = choose_portfolio(candidates, bounds, changed(time_limit=1e-6, gap=0.0))
    assert found.value >= found.greedy_value > 0
    assert allowed(by_chosen(candidates, found.chosen), bounds)
    assert not found.proven
    assert 0 < found.gap < 0.2
    assert "limit of time" in gap_sentence(found).say(language("en"))


def test_the_weight_of_safety_does_not_hide_the_gap():
    candidates, bounds = many_projects(projects=80)
    must = candidate("S", 1_000.0, 1.0, quarters=20, mandatory=True)
    found = choose_portfolio([*candidates, must], bounds, changed(time_limit=1e-6, gap=0.0))
    missed = found.bound - found.value
    assert missed > 0
    assert found.gap == pytest.approx(missed / (found.bound - 1_000.0))


@pytest.mark.parametrize(
    ("gap", "proven", "said"),
    [(0.0, True, "no other set"), (0.00051, True, "within 0.06%"), (0.02, False, "within 2.00%"),
     (0.0201, False, "within 2.01%")],
)  # fmt: skip
def test_the_gap_in_words_is_rounded_up(gap, proven, said):
    found = replace(choose_portfolio([], limits(), SETTINGS), gap=gap, proven=proven)
    assert said in gap_sentence(found).say(language("en"))


# The chance version.


def county_paths(seed=5, paths=4_000, quarters=12, sd=0.01, room=120.0):
    draw = np.random.default_rng(seed)
    walk = np.exp(np.cumsum(draw.normal(0, sd, (paths, quarters)), axis=1))
    capacity = 1_000 * WAN * walk
    debt = np.full((paths, quarters), (2_000 - room) * WAN)
    return {"capacity": capacity, "debt": debt}


def any_quarter(paths, tau=2.0):
    def breach(debt, capacity):
        ratio = (paths["debt"] + debt) / (paths["capacity"] + capacity)
        return float((ratio >= tau).any(axis=1).mean())

    return breach


def chance_candidates(many=8, quarters=12):
    return [candidate(f"P{k}", 0.3 + 0.05 * k, 6.0 + 2 * k, starts=2, quarters=quarters)
            for k in range(many)]  # fmt: skip


def test_the_chance_version_holds_when_counted_again():
    paths, candidates = county_paths(room=150.0), chance_candidates()
    bounds = limits(150.0, 12)
    found = choose_with_chance(candidates, bounds, SETTINGS, paths=paths, breach=any_quarter(paths))
    picks = by_chosen(candidates, found.chosen)
    debt = sum(p.option.debt for p in picks)
    crossed = 0
    for k in range(len(paths["debt"])):
        crossed += any(
            (paths["debt"][k, q] + debt[q]) / paths["capacity"][k, q] >= 2.0 for q in range(12)
        )
    again = crossed / len(paths["debt"])
    assert found.probability == pytest.approx(again)
    assert again <= found.tolerance == SETTINGS.portfolio.tolerance
    assert found.probability_before < again
    assert found.chosen
    assert not found.infeasible
    assert 2 <= found.rounds <= 8  # the quantile of each quarter alone is not enough


def test_the_first_round_would_not_have_held():
    paths, candidates = county_paths(room=150.0), chance_candidates()
    room = np.quantile(2 * paths["capacity"] - paths["debt"], 0.1, axis=0, method="lower")
    loose = choose_portfolio(candidates, limits(150.0, 12), SETTINGS, chance_room=room)
    debt = sum(p.option.debt for p in by_chosen(candidates, loose.chosen))
    assert any_quarter(paths)(debt, 0.0) > 0.1


def test_one_quarter_needs_one_round():
    paths = county_paths(quarters=1)
    candidates = [
        replace(c, options=(c.options[0],)) for c in chance_candidates(quarters=1, many=8)
    ]
    found = choose_with_chance(
        candidates, limits(120.0, 1), SETTINGS, paths=paths, breach=any_quarter(paths)
    )
    assert found.rounds == 1
    assert found.probability <= 0.1


def test_a_county_beyond_its_tolerance_without_projects_says_so():
    paths, candidates = county_paths(room=5.0), chance_candidates()
    found = choose_with_chance(candidates, limits(5.0, 12), SETTINGS, paths=paths,
                               breach=any_quarter(paths))  # fmt: skip
    assert found.chosen == ()
    assert found.probability == found.probability_before > 0.1
    assert found.infeasible == ("tolerance",)
    assert "Without any project" in found.reasons[0].message


def test_mandatory_projects_beyond_the_tolerance_say_so():
    paths = county_paths(room=150.0)
    must = candidate("M", 1.0, 140.0, quarters=12, mandatory=True)
    found = choose_with_chance([must, *chance_candidates()], limits(150.0, 12), SETTINGS,
                               paths=paths, breach=any_quarter(paths))  # fmt: skip
    assert found.probability is not None
    assert found.infeasible
    assert found.reasons
    assert found.probability > 0.1 or not found.chosen


def test_feedback_that_the_rows_do_not_know_is_tightened_until_it_holds():
    paths, candidates = county_paths(room=150.0), chance_candidates()

    def strict(debt, capacity):
        return any_quarter(paths)(2.5 * debt, capacity)

    found = choose_with_chance(candidates, limits(150.0, 12), SETTINGS, paths=paths, breach=strict)
    assert not found.infeasible
    assert found.probability <= 0.1
    assert found.rounds <= 8


def test_few_paths_and_strong_feedback_leave_a_share_of_the_smallest_room():
    paths = county_paths(paths=10, room=150.0)
    found = choose_with_chance(
        chance_candidates(), limits(150.0, 12), SETTINGS, paths=paths,
        breach=lambda debt, capacity: 0.0 if debt[-1] < 15 * WAN else 1.0,
    )  # fmt: skip
    assert sum(p.option.debt[-1] for p in by_chosen(chance_candidates(), found.chosen)) > 0
    assert found.probability == 0.0


def test_a_probability_that_is_not_known_never_holds():
    paths = county_paths(room=150.0)
    found = choose_with_chance(chance_candidates(), limits(150.0, 12), SETTINGS, paths=paths,
                               breach=lambda debt, capacity: float("nan"))  # fmt: skip
    assert "tolerance" in found.infeasible


def test_a_missing_path_leaves_its_quarter_out():
    paths = county_paths(room=150.0)
    paths["capacity"][0, 4] = np.nan
    found = choose_with_chance(chance_candidates(), limits(150.0, 12), SETTINGS, paths=paths,
                               breach=lambda debt, capacity: 0.0)  # fmt: skip
    assert found.unknown_rows == ("headroom 2027Q1",)


# Options of projects.


def proposal(code="A", **changes):
    bond = Tranche("special_bond", 84_000 * WAN, 15, 5, 0.026, "equal_principal", "quarterly")
    own = Tranche("fiscal_general", 36_000 * WAN, draw="quarterly")
    income = Operation(user_fees={2028: 4_000 * WAN, 2029: 4_000 * WAN}, opex={2028: 1_000 * WAN})
    plain = Project(code, code, "c", FIRST, 8, 20, 120_000 * WAN, (bond, own), operation=income)
    return replace(plain, **changes)


def test_the_options_of_the_worked_project():
    (one,) = candidates_of([proposal()], first_quarter=FIRST, quarters=20, settings=SETTINGS,
                           values={"A": 0.5})  # fmt: skip
    assert [(o.quarters_later, o.scale) for o in one.options] == [(k, 1.0) for k in range(4)]
    first, late = one.options[0], one.options[3]
    np.testing.assert_allclose(first.debt[:9] / WAN, [10_500 * k for k in range(1, 9)] + [84_000])
    np.testing.assert_allclose(late.debt[3:], first.debt[:-3])
    np.testing.assert_allclose(first.cash / WAN, [18_000, 18_000, 0, 0, 0])
    np.testing.assert_allclose(late.cash / WAN, [4_500, 18_000, 13_500, 0, 0])
    assert first.special_drawn[-1] == 84_000 * WAN
    assert not first.general_drawn.any()
    # 2028: income 4,000 less 1,000 exceeds the interest of 2,184; 2030 has no income any more.
    np.testing.assert_allclose(first.topup[[2, 3, 4]] / WAN, [0, 0, 2_184], atol=1e-6)
    assert first.topup[0] > 0


def test_a_stageable_project_has_every_scale_and_flows_are_linear():
    staged = proposal(priority=Priority(stageable=True))
    (one,) = candidates_of([staged], first_quarter=FIRST, quarters=12, settings=SETTINGS,
                           values={"A": 0.5})  # fmt: skip
    assert {o.scale for o in one.options} == {1.0, 0.75, 0.5, 0.25}
    from debtwatch.screening.variants import scaled

    quarter = next(o for o in one.options if (o.quarters_later, o.scale) == (2, 0.25))
    again = full_option(scaled(staged, 0.25), 2, first_quarter=FIRST, quarters=12)
    for name in ("debt", "special_interest", "cash", "topup", "capacity"):
        np.testing.assert_allclose(getattr(quarter, name), getattr(again, name), atol=1e-6)


def test_an_ongoing_project_goes_on_and_its_past_is_not_counted_again():
    ongoing = proposal(start_quarter=FIRST - 4, priority=Priority(ongoing=True, stageable=True))
    (one,) = candidates_of([ongoing], first_quarter=FIRST, quarters=12, settings=SETTINGS,
                           values={"A": 0.5})  # fmt: skip
    assert one.mandatory
    assert [(o.quarters_later, o.scale) for o in one.options] == [(0, 1.0)]
    assert one.options[0].debt[3] == pytest.approx(42_000 * WAN)
    assert one.options[0].cash.sum() == pytest.approx(18_000 * WAN)
    whole = full_option(proposal(start_quarter=FIRST), 0, first_quarter=FIRST, quarters=12)
    assert one.options[0].topup.sum() < whole.topup.sum()


def test_commitments_move_along_with_the_start():
    ppp = proposal(ppp_commitments={2026: 100.0, 2027: 100.0})
    late = full_option(ppp, 2, first_quarter=FIRST, quarters=12)
    np.testing.assert_allclose(late.ppp, [50.0, 100.0, 50.0])


def test_what_stands_already_need_not_be_chosen():
    later = proposal(priority=Priority(requires=("X", "Y")))
    (one,) = candidates_of([later], first_quarter=FIRST, quarters=4, settings=SETTINGS,
                           values={"A": 0.5}, done=("X",))  # fmt: skip
    assert one.requires == ("Y",)


def test_needs_are_pooled_by_sector_and_unit():
    need = Need("m3_per_day", 20_000.0, 30_000.0, 0.16)
    one, two = proposal("A", sector="wastewater", need=need), proposal("B", sector="wastewater",
                                                                       need=need)  # fmt: skip
    assert need_pool_of(one) == need_pool_of(two) == "wastewater m3_per_day"
    assert need_pool_of(proposal()) == ""
    gap = missing_service(need, 250_000.0)
    rooms = need_rooms_of([one, two], {"A": gap, "B": 30_000.0}, SETTINGS)
    assert rooms == {"wastewater m3_per_day": pytest.approx(22_000.0)}
    assert need_rooms_of([one], {"A": None}, SETTINGS) == {}


# Scores.


@dataclass(frozen=True)
class Worth:
    enpv: float


def test_scores_are_weighted_and_measured_against_the_best():
    documents = dict.fromkeys((*SETTINGS.documents.all, *SETTINGS.documents.special_bond), True)
    best = proposal("A", documents=documents, priority=Priority(
        residents_served=240_000, climate_food_water=True))  # fmt: skip
    half = proposal("B", documents=documents | {"eia": False}, priority=Priority(
        residents_served=120_000, mandatory_safety=True))  # fmt: skip
    finances = {"A": Worth(84_000 * WAN), "B": Worth(21_000 * WAN)}
    scores = scores_of([best, half], finances, need_gaps={"A": 1.0, "B": 0.4}, settings=SETTINGS)
    assert scores["A"].value == pytest.approx(1.0)
    assert scores["A"].missing == ()
    assert scores["B"].parts == {
        "need_gap": pytest.approx(0.4), "economic_value": pytest.approx(0.25),
        "residents": pytest.approx(0.5), "readiness": pytest.approx(0.9),
        "climate_food_water": 0.0,
    }  # fmt: skip
    assert scores["B"].value == pytest.approx(
        1_000 + 0.35 * 0.4 + 0.25 * 0.25 + 0.2 * 0.5 + 0.1 * 0.9
    )


def test_what_is_not_known_counts_nothing_and_is_named():
    scores = scores_of([proposal()], {"A": Worth(float("nan"))}, need_gaps={}, settings=SETTINGS)
    assert scores["A"].value == 0.0
    assert scores["A"].missing == ("need_gap", "economic_value", "residents", "readiness")


def test_a_loss_counts_nothing_and_a_gain_without_debt_counts_whole():
    free = proposal("B", financing=(Tranche("fiscal_general", 120_000 * WAN),))
    finances = {"A": Worth(-5.0), "B": Worth(5.0)}
    scores = scores_of([proposal(), free], finances, need_gaps={}, settings=SETTINGS)
    assert scores["A"].parts["economic_value"] == 0.0
    assert scores["B"].parts["economic_value"] == 1.0
    assert "economic_value" not in scores["A"].missing


def test_readiness_counts_what_is_not_stated_as_absent_and_needs_a_word():
    assert readiness(proposal(), SETTINGS) is None
    assert readiness(proposal(documents={"eia": True}), SETTINGS) == pytest.approx(0.1)
    assert readiness(proposal(documents={"eia": False}), SETTINGS) == 0.0


def test_need_that_is_met_has_no_gap_and_need_not_known_none():
    met = Need("m3_per_day", 50_000.0, 1.0, 0.16)
    assert missing_share(met, 250_000.0) == 0.0
    assert missing_share(met, None) is None
    assert missing_share(replace(met, existing=None), 250_000.0) is None
    assert criteria(proposal(), None, need_gap=None, settings=SETTINGS)["need_gap"] is None


def test_from_projects_to_a_set():
    projects = [
        proposal("A", priority=Priority(stageable=True, residents_served=50_000)),
        proposal("B", priority=Priority(residents_served=80_000)),
    ]
    scores = scores_of(projects, {}, need_gaps={}, settings=SETTINGS)
    candidates = candidates_of(
        projects, first_quarter=FIRST, quarters=12, settings=SETTINGS,
        values={code: s.value for code, s in scores.items()},
    )  # fmt: skip
    found = choose_portfolio(candidates, limits(130_000.0, 12, capacity=np.full(12, 5e9),
                             debt=np.full(12, 1e10 - 130_000 * WAN)), SETTINGS)  # fmt: skip
    assert {c.code for c in found.chosen} == {"A", "B"}
    assert next(c for c in found.chosen if c.code == "A").scale == 0.5
