"""Who could be built up first: ranks, ranges, gates, weights, the answer on whole stores."""

from __future__ import annotations

import itertools
import json
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from debtwatch.errors import DataProblem, ModelProblem
from debtwatch.language import language
from debtwatch.panel.panel import build_panel
from debtwatch.panel.period import quarter
from debtwatch.panel.read import read_file
from debtwatch.panel.store import open_store
from debtwatch.reporting.rank_answer import rank_store, rank_text
from debtwatch.resources import models
from debtwatch.rules.capacity import choose_basis
from debtwatch.rules.rulebook import load_rulebooks
from debtwatch.screening.governments import GovernmentFacts
from debtwatch.screening.population import judge_population
from debtwatch.screening.rank import (
    in_order,
    percentile_ranks,
    rank_governments,
    ranking_model,
    score_ranges,
)
from debtwatch.sustainability.accounts import central_outlook
from tests.conftest import AS_OF, EXAMPLE

MODEL = ranking_model()
NAMES = [c.id for c in MODEL.criterion]
# Whole numbers keep scaling exact.
VALUES = st.lists(st.one_of(st.none(), st.integers(-1000, 1000)), min_size=5, max_size=12)


def array(values):
    return np.array([np.nan if v is None else v for v in values], dtype=np.float64)


# -- percentile ranks ------------------------------------------------------------------------------


def test_ranks_by_hand():
    ranks = percentile_ranks(array([10, 20, 20, 40, None, 50]))
    assert ranks.tolist()[:4] == [0.0, 0.375, 0.375, 0.75]
    assert np.isnan(ranks[4])
    assert ranks[5] == 1.0
    assert percentile_ranks(array([10, 20, 30, 40, 50]), lower_is_better=True)[0] == 1.0


def test_digits_of_rounding_make_no_difference():
    third = percentile_ranks(array([1 / 3, 0.1 / 0.3, 0.7 / 2.1, 5.0, 6.0]))
    assert len(set(third.tolist()[:3])) == 1


@pytest.mark.parametrize(("count", "ranked"), [(4, False), (5, True), (6, True)])
def test_too_few_values_give_no_rank(count, ranked):
    ranks = percentile_ranks(array([*range(count), None, None]))
    assert np.isfinite(ranks).sum() == (count if ranked else 0)


@given(VALUES, st.integers(1, 1000))
def test_the_size_of_the_unit_does_not_matter(values, scale):
    plain, scaled = percentile_ranks(array(values)), percentile_ranks(scale * array(values))
    np.testing.assert_array_equal(plain, scaled)


@given(VALUES, st.randoms(use_true_random=False))
def test_the_order_of_rows_does_not_matter(values, random):
    order = list(range(len(values)))
    random.shuffle(order)
    np.testing.assert_array_equal(
        percentile_ranks(array(values))[order], percentile_ranks(array(values)[order])
    )


# -- scores ----------------------------------------------------------------------------------------


RANKS = st.lists(
    st.tuples(*(st.one_of(st.none(), st.floats(0, 1)) for _ in range(3))), min_size=1, max_size=8
)
WEIGHTS = st.tuples(*(st.floats(0, 10) for _ in range(3)))


def scores(rows, weights):
    columns = {
        name: array(column) for name, column in zip("abc", zip(*rows, strict=True), strict=True)
    }
    return score_ranges(columns, dict(zip("abc", weights, strict=True)))


def test_a_missing_rank_widens_the_score_and_is_not_averaged_away():
    low, high = scores([(1.0, None, 0.5)], (2.0, 1.0, 1.0))
    assert (low[0], high[0]) == pytest.approx((0.625, 0.875))
    # Averaging the two that are known would have given 0.833.
    low, high = scores([(1.0, None, 0.5)], (2.0, 0.0, 1.0))
    assert low[0] == high[0]


@given(RANKS, WEIGHTS)
def test_scores_stay_between_nothing_and_all(rows, weights):
    assume(sum(weights) > 1e-3)
    low, high = scores(rows, weights)
    assert (low >= -1e-12).all()
    assert (low <= high + 1e-12).all()
    assert (high <= 1 + 1e-12).all()


@given(RANKS, WEIGHTS, st.floats(0.01, 100))
def test_only_the_proportion_of_weights_matters(rows, weights, factor):
    assume(sum(weights) > 1e-3)
    plain = scores(rows, weights)
    np.testing.assert_allclose(plain, scores(rows, [factor * w for w in weights]), atol=1e-9)


@given(
    st.lists(st.tuples(*(st.integers(-50, 50) for _ in range(3))), min_size=5, max_size=10),
    WEIGHTS, st.integers(0, 4), st.integers(0, 2), st.integers(1, 60),
)  # fmt: skip
def test_a_better_criterion_never_lowers_the_score(rows, weights, who, which, better):
    assume(sum(weights) > 1e-3)

    def score(table):
        ranks = {n: percentile_ranks(array(column))
                 for n, column in zip("abc", zip(*table, strict=True), strict=True)}  # fmt: skip
        return score_ranges(ranks, dict(zip("abc", weights, strict=True)))[0][who]

    improved = [list(row) for row in rows]
    improved[who][which] += better
    assert score(improved) >= score(rows) - 1e-12


# -- the file --------------------------------------------------------------------------------------


def file_of(tmp_path, text):
    path = tmp_path / "weights.toml"
    path.write_text(text, encoding="utf-8")
    return path


def weights_of(**changes):
    weights = {**MODEL.weights, **changes}
    return "[weights]\n" + "\n".join(f"{k} = {v}" for k, v in weights.items() if v is not None)


def test_the_shipped_weights():
    assert sum(MODEL.weights.values()) == pytest.approx(1.0)
    assert all(w > 0 for w in MODEL.weights.values())
    assert {c.group for c in MODEL.criterion} == set(MODEL.groups)
    for criterion in MODEL.criterion:
        assert "本工具口径" in criterion.source.zh
        assert "urs" in criterion.source.en


def test_own_weights_alone_take_the_shipped_criteria(tmp_path):
    own = ranking_model(file_of(tmp_path, weights_of(room_now=2.0)))
    assert own.criterion == MODEL.criterion
    assert own.weights["room_now"] == 2.0
    assert own.sha256 != MODEL.sha256
    assert own.path == "weights.toml"


SHIPPED = (models() / "ranking.toml").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (weights_of(room_now=-0.1), "room_now is not a number from 0"),
        (weights_of(room_now="nan"), "room_now is not a number from 0"),
        (weights_of(room_now="inf"), "room_now is not a number from 0"),
        (weights_of(room_now=None), "room_now has no weight"),
        (weights_of(beauty=1.0), "no criterion is named beauty"),
        (weights_of(**dict.fromkeys(NAMES, 0)), "no weight is above 0"),
        (SHIPPED.replace("gpb_revenue / residents", "gpb_revenue / beauty"), "beauty"),
        (SHIPPED.replace("gpb_revenue / residents", "gpb_revenue /"), "cannot be used"),
        (SHIPPED.replace('group = "carrying"', 'group = "beauty"', 1), "of group beauty"),
        (SHIPPED.replace('id = "room_ahead"', 'id = "room_now"'), "declared twice"),
        ("weights = [", "cannot be used"),
        ("", "cannot be used"),
    ],
)
def test_weights_that_cannot_be_used(tmp_path, text, says):
    with pytest.raises(ModelProblem, match=says):
        ranking_model(file_of(tmp_path, text))


def test_a_weights_file_that_is_not_there(tmp_path):
    with pytest.raises(ModelProblem):
        ranking_model(tmp_path / "none.toml")


# -- governments -----------------------------------------------------------------------------------


HEADINGS = [
    "地区编码", "地区", "级次", "期间", "一般公共预算收入", "税收收入", "上级补助收入",
    "上解上级支出", "一般公共预算支出", "政府性基金预算收入", "政府性基金预算支出",
    "地方政府一般债务付息支出",
    "地方政府专项债务付息支出", "一般债务限额", "专项债务限额", "一般债务余额", "专项债务余额",
    "地区生产总值", "国库存款余额", "常住人口（人）", "户籍人口（人）", "县城常住人口（人）",
]  # fmt: skip
YEARS = range(2014, 2026)
LAST = quarter(2025, 4)


def county(code, *, rate=0.02, debt=1.0, blank=(), **changes):
    """Rows of a county in 万元 whose figures grow by ``rate`` a year; ``debt`` times 350,000."""
    rows = []
    for year in YEARS:
        g = (1 + rate) ** (year - 2014)
        figures = {
            "一般公共预算收入": 100_000 * g, "税收收入": 70_000 * g, "上级补助收入": 160_000 * g,
            "上解上级支出": 4_000, "一般公共预算支出": 300_000 * g, "政府性基金预算收入": 60_000,
            "政府性基金预算支出": 90_000, "地方政府一般债务付息支出": 6_000,
            "地方政府专项债务付息支出": 7_000, "一般债务限额": 900_000, "专项债务限额": 900_000,
            "一般债务余额": 150_000 * debt, "专项债务余额": 200_000 * debt,
            "地区生产总值": 2_000_000 * g, "国库存款余额": 30_000,
            "常住人口（人）": round(400_000 * g**0.5), "户籍人口（人）": 450_000,
            "县城常住人口（人）": round(100_000 * g),
        } | changes  # fmt: skip
        rows.append([code, f"{code}县", "县级", str(year),
                     *(None if h in blank else figures[h] for h in HEADINGS[4:])])  # fmt: skip
    return rows


@pytest.fixture
def store_of(workbook, tmp_path):
    """Store of some counties."""

    def make(*counties):
        path = tmp_path / f"rank{len(list(tmp_path.iterdir()))}.duckdb"
        result = read_file(workbook([["单位：万元"], HEADINGS, *itertools.chain(*counties)]))
        assert not result.refused
        with open_store(path, create=True) as store:
            store.add(result, known_from=AS_OF)
        return path

    return make


def panel_of(store):
    with open_store(store) as opened:
        return build_panel(opened.known_on(AS_OF))


def ranked_of(panel, at=LAST, **options):
    basis = choose_basis(panel)
    return rank_governments(
        panel, at, basis=basis, outlook=central_outlook(panel, basis, at),
        rulebooks=load_rulebooks(), **{"model": MODEL, **options},
    )  # fmt: skip


def six(**last):
    """Five counties of rising strength and one to vary."""
    return [*(county(f"90000{k}", rate=0.01 * k) for k in range(1, 6)),
            county("900009", **{"rate": 0.03, **last})]  # fmt: skip


def by_unit(ranked):
    return {r.unit: r for r in ranked}


def test_the_stronger_county_comes_first(store_of):
    ranked = ranked_of(panel_of(store_of(*six())))
    assert [r.unit for r in ranked] == ["900005", "900004", "900003", "900009", "900002", "900001"]
    assert [r.place for r in ranked] == [1, 2, 3, 4, 5, 6]
    assert all(r.low == pytest.approx(r.high) for r in ranked)
    assert ranked[-1].low < 0.2
    # Two counties alike share ranks and are told apart by code.
    assert ranked[2].low == pytest.approx(ranked[3].low, abs=1e-12)


def test_values_of_criteria_by_hand(store_of):
    store = store_of(*six())
    one = by_unit(ranked_of(panel_of(store)))["900003"]
    value = {s.criterion.id: s.value for s in one.standings}
    g = 1.03**11
    residents = round(400_000 * g**0.5)
    assert value["own_revenue_per_head"] == pytest.approx(1e9 * g / residents)
    assert value["self_sufficiency"] == pytest.approx(1 / 3)
    assert value["cash_cover"] == pytest.approx(30_000 / (300_000 * g / 12))
    assert value["population_growth"] == pytest.approx(1.03**0.5 - 1, abs=1e-6)
    assert value["seat_share_growth"] == pytest.approx(1.03**0.5 - 1, abs=1e-5)
    assert value["output_per_head"] == pytest.approx(2e10 * g / residents)
    assert value["output_growth"] == pytest.approx(0.03)
    assert value["tax_share"] == pytest.approx(0.7)
    ratio = 350_000 / (100_000 * g + 160_000 * g - 4_000 + 60_000)
    assert value["room_now"] == pytest.approx(2.0 - ratio)
    panel = panel_of(store)
    basis = choose_basis(panel)
    ahead = central_outlook(panel, basis, LAST).inputs
    path = (ahead["debt_balance"] / ahead["comprehensive_fiscal_capacity"])[2]
    assert value["room_ahead"] == pytest.approx(2.0 - path[:12].max())
    assert sum(s.low for s in one.standings) == pytest.approx(one.low)


def test_room_is_measured_to_the_line_where_building_stops(store_of):
    """Debt just above a lower line leaves less room, not more, than just below it."""
    capacity = 100_000 * 1.03**11 * 2.6 - 4_000 + 60_000
    room = {}
    for name, ratio in (("below", 1.19), ("above", 1.21)):
        debt = ratio * capacity / 350_000
        panel = panel_of(store_of(*six(debt=debt, **{"一般债务限额": 9e6, "专项债务限额": 9e6})))
        one = by_unit(ranked_of(panel))["900009"]
        room[name] = next(s.value for s in one.standings if s.criterion.id == "room_now")
    assert room["below"] - room["above"] == pytest.approx(0.02, abs=1e-6)


def test_what_is_missing_makes_a_range(store_of):
    ranked = by_unit(ranked_of(panel_of(store_of(*six(blank=("地区生产总值",))))))
    one = ranked["900009"]
    assert [c.id for c in one.missing] == ["output_per_head", "output_growth"]
    assert one.high - one.low == pytest.approx(0.20)
    assert ranked["900003"].low == pytest.approx(ranked["900003"].high)


def test_a_criterion_that_too_few_report_is_missing_for_all(store_of):
    counties = [county(f"90000{k}", blank=("国库存款余额",) if k > 4 else ()) for k in range(1, 7)]
    ranked = ranked_of(panel_of(store_of(*counties)))
    assert all([c.id for c in r.missing] == ["cash_cover"] for r in ranked)
    with_value = by_unit(ranked)["900001"].standings[NAMES.index("cash_cover")]
    assert with_value.value is not None
    assert with_value.percentile is None


def test_four_governments_are_no_ranking(store_of):
    panel = panel_of(store_of(*six()[:4]))
    with pytest.raises(DataProblem, match=r"4 governments at “county level”; a ranking needs 5"):
        ranked_of(panel)
    with pytest.raises(DataProblem, match="0 governments at “city level”"):
        ranked_of(panel, level="city")
    with pytest.raises(DataProblem, match="no figures for 2030Q1"):
        ranked_of(panel, at=quarter(2030, 1))


@pytest.mark.parametrize(
    ("changes", "barred"),
    [
        ({}, ""),
        ({"debt": 1.9, "一般债务限额": 9e6, "专项债务限额": 9e6}, ""),
        ({"debt": 2.4, "一般债务限额": 9e6, "专项债务限额": 9e6}, "level Orange"),
        ({"debt": 3.8, "一般债务限额": 9e6, "专项债务限额": 9e6}, "level Red"),
        ({"一般债务限额": 150_000}, ""),
        ({"地方政府专项债务付息支出": 9_000}, ""),
        ({"地方政府专项债务付息支出": 9_001}, "numeric condition"),
    ],
)
def test_gates(store_of, changes, barred):
    one = by_unit(ranked_of(panel_of(store_of(*six(**changes)))))["900009"]
    said = " ".join(s.say(language("en")) for s in one.barred)
    assert barred in said
    assert bool(said) == bool(barred)
    assert (one.place is None) == bool(barred)
    assert not one.unclear


def test_debt_over_a_confirmed_limit_bars(store_of):
    panel = panel_of(store_of(*six()))
    limit = panel.yearly["general_debt_limit"].copy()
    limit[5] = 149_999 * 1e4
    over = replace(panel, yearly={**panel.yearly, "general_debt_limit": limit})
    one = by_unit(ranked_of(over))["900009"]
    assert one.place is None
    assert [s.say(language("en")) for s in one.barred] == ["Debt exceeds its legal limit."]


def test_a_doubtful_limit_keeps_from_ranking(store_of):
    """A balance above its limit is a doubt about the figures until someone confirms them."""
    one = by_unit(ranked_of(panel_of(store_of(*six(**{"一般债务限额": 149_999})))))["900009"]
    assert (one.place, bool(one.barred), len(one.unclear)) == (None, False, 1)


def test_a_started_plan_bars_whatever_the_accounts_say(store_of):
    panel = panel_of(store_of(*six()))
    started = {"900005": GovernmentFacts(in_restructuring=True)}
    ranked = ranked_of(panel, facts=started)
    assert ranked[-1].unit == "900005"
    assert ranked[-1].place is None
    assert [r.place for r in ranked[:-1]] == [1, 2, 3, 4, 5]
    # It still counts among those that the others are compared with.
    free = by_unit(ranked_of(panel))
    assert all(r.low == free[r.unit].low for r in ranked)
    unbound = MODEL.model_copy(
        update={"gates": MODEL.gates.model_copy(update={"restructuring": False})}
    )
    assert by_unit(ranked_of(panel, facts=started, model=unbound))["900005"].place == 1


def test_a_gate_that_cannot_be_told_keeps_from_ranking(store_of):
    ranked = ranked_of(panel_of(store_of(*six(blank=("专项债务限额",)))))
    one = by_unit(ranked)["900009"]
    assert one.place is None
    assert not one.barred
    assert len(one.unclear) == 1


def test_what_bars_is_said_before_what_cannot_be_told(store_of):
    changes = {"debt": 2.4, "一般债务限额": 9e6, "blank": ("专项债务限额",)}
    one = by_unit(ranked_of(panel_of(store_of(*six(**changes)))))["900009"]
    assert len(one.barred) == 1
    assert not one.unclear


def test_the_restructuring_condition_addresses_cities_and_counties_only(store_of):
    panel = panel_of(store_of(*six(**{"地方政府专项债务付息支出": 9_001})))
    provinces = replace(panel, units=panel.units.assign(level="province"))
    assert by_unit(ranked_of(panel))["900009"].barred
    assert not by_unit(ranked_of(provinces, level="province"))["900009"].barred


def test_the_low_end_of_the_score_gives_the_place(store_of):
    one, other = ranked_of(panel_of(store_of(*six())))[:2]
    sure, wide = replace(one, low=0.5, high=0.5), replace(other, low=0.4, high=0.9)
    assert [r.unit for r in in_order([wide, sure])] == [sure.unit, wide.unit]


def test_a_census_gives_the_trend_where_accounts_do_not(store_of):
    people = ("常住人口（人）", "户籍人口（人）", "县城常住人口（人）")
    panel = panel_of(store_of(*six(blank=people)))
    assert "population_growth" in [c.id for c in by_unit(ranked_of(panel))["900009"].missing]
    census = {"900009": judge_population(5e5, 2020, earlier=4e5, earlier_year=2010)}
    one = by_unit(ranked_of(panel, census=census))["900009"]
    assert one.standings[NAMES.index("population_growth")].value == pytest.approx(1.25**0.1 - 1)


def test_the_order_of_rows_changes_nothing(store_of):
    first = ranked_of(panel_of(store_of(*six())))
    assert in_order(first[::-1]) == first
    assert in_order([replace(r, place=None) for r in first]) == first


# -- the answer ------------------------------------------------------------------------------------


def test_answer_and_table(store_of):
    debt = {"debt": 2.4, "一般债务限额": 9e6, "专项债务限额": 9e6}
    store = store_of(*six(), county("900010", blank=("国库存款余额",)), county("900011", **debt))
    answer = rank_store(store, as_of=AS_OF, lang="en")
    json.dumps(answer, allow_nan=False)
    assert answer["quarter"] == "2025Q4"
    assert answer["count"] == 8
    assert [r["place"] for r in answer["ranked"]] == list(range(1, 8))
    assert [r["unit"] for r in answer["not_now"]] == ["900011"]
    for row in answer["ranked"]:
        for end in ("low", "high"):
            total = sum(c["contribution"][end] for c in row["criteria"])
            assert total == pytest.approx(row["score"][end])
    text = rank_text(answer, "en")
    assert "8 governments, county level · 2025Q4 · as known on 2026-09-30" in text
    assert "missing: Cash cover (months)" in text
    assert "900011 900011县  By its debt ratio it falls in level Orange." in text
    assert "Ours; formula as in cn-county-resilience" in text
    chinese = rank_text(rank_store(store, as_of=AS_OF, lang="zh"), "zh")
    assert "人均一般公共预算收入" in chinese
    assert "{" not in chinese


def test_the_answer_names_what_too_few_report(store_of):
    store = store_of(*(county(f"90000{k}", blank=("国库存款余额",)) for k in range(1, 6)))
    text = rank_text(rank_store(store, as_of=AS_OF, lang="en"), "en")
    assert "Too few report this, which widens every score: Cash cover (months)." in text
    assert "missing:" not in text


def test_weights_and_facts_come_from_files(store_of, tmp_path):
    store = store_of(*six())
    facts = tmp_path / "facts.csv"
    facts.write_text("地区编码,是否财政重整\n900005,是\n", encoding="utf-8")
    weights = file_of(tmp_path, weights_of(**dict.fromkeys(NAMES, 0) | {"cash_cover": 1}))
    answer = rank_store(store, as_of=AS_OF, weights=weights, governments=facts, lang="en")
    assert [r["unit"] for r in answer["not_now"]] == ["900005"]
    assert answer["weights_file"] == "weights.toml"
    # By cash cover alone the county with the smallest expenditure is first.
    assert answer["ranked"][0]["unit"] == "900001"


def test_provinces_of_the_example(tmp_path):
    store = tmp_path / "issuers.duckdb"
    with open_store(store, create=True) as opened:
        opened.add(read_file(EXAMPLE / "issuers.xlsx"), known_from=AS_OF)
    answer = rank_store(store, as_of=AS_OF, level="province", lang="zh")
    assert answer["count"] == 31
    assert len(answer["ranked"]) + len(answer["not_now"]) + len(answer["unclear"]) == 31
    # Nobody reports residents there: every score is a range, and none is made up.
    assert all(r["score"]["high"] - r["score"]["low"] > 0.4 for r in answer["ranked"])
    with pytest.raises(DataProblem, match="county"):
        rank_store(store, as_of=AS_OF, lang="zh")
