"""Land, need, population, county type, key provinces: each line, each missing answer; sectors."""

from __future__ import annotations

import dataclasses
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from debtwatch.errors import ModelProblem
from debtwatch.language import language
from debtwatch.panel.period import quarter
from debtwatch.rules.assess import assess
from debtwatch.rules.rulebook import load_rulebooks
from debtwatch.screening.land_checks import (
    LAND_CHECKS,
    g1_change_of_status,
    g2_stance,
    k1_key_province,
    l1_basic_farmland,
    l2_red_line,
    l3_urban_boundary,
    l4_cultivated_land,
    l5_land_approval,
    loses_people,
    p1_losing_people,
    p2_over_provision,
    p3_low_variant,
    service_need_ratio,
    stance_of,
)
from debtwatch.screening.population import Population, judge_population
from debtwatch.screening.project import COUNTY_TYPES, PURPOSES, Land, Need
from debtwatch.screening.sectors import load_sectors, sector_named, sectors
from debtwatch.screening.settings import screening_settings
from debtwatch.synthetic.projects import _SECTORS
from tests.proposal_cases import case, healthy_government, healthy_project, rulebooks_at

LOSING = judge_population(90_000.0, 2025, earlier=100_000.0, earlier_year=2015, registered=110e3)
GROWING = judge_population(110_000.0, 2025, earlier=100_000.0, earlier_year=2015, registered=105e3)


def with_land(**changes):
    one = healthy_project()
    return case(replace(one, land=replace(one.land, **changes)))


def with_flags(**changes):
    one = healthy_project()
    return case(replace(one, flags=replace(one.flags, **changes)))


def needing(base, low=None, **changes):
    """A proposal whose supply is ``base`` times need, ``low`` times in the low variant."""
    people = 100_000.0
    low_people = people if low is None else people * base / low
    need = Need("beds", base * 600 - 60, 60.0, 0.006, 2032, people, low_people)
    return healthy_project(need=need, **changes)


def losing_case(base, **changes):
    government = healthy_government(county_type="", population=LOSING)
    return case(needing(base, county_type="", **changes), government=government)


def brief(check):
    return check.status, check.severity


# -- land ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("area", "expected"),
    [(0.0, ("passed", "I")), (1e-10, ("passed", "I")), (0.001, ("failed", "H")),
     (3.0, ("failed", "H")), (None, ("na", "D")), (float("nan"), ("na", "D"))],
)  # fmt: skip
def test_l1_any_basic_farmland_is_refused(area, expected):
    check = l1_basic_farmland(with_land(permanent_basic_farmland_ha=area))
    assert brief(check) == expected
    assert check.rulebook == "cn-county-2022-guardrails@2022"


@pytest.mark.parametrize(
    ("inside", "expected"),
    [(True, ("failed", "H")), (False, ("passed", "I")), (None, ("na", "D"))],
)
def test_l2_red_line(inside, expected):
    assert brief(l2_red_line(with_land(ecological_red_line=inside))) == expected


@pytest.mark.parametrize(
    ("inside", "expected"),
    [(True, ("passed", "I")), (False, ("failed", "D")), (None, ("na", "D"))],
)
def test_l3_boundary(inside, expected):
    assert brief(l3_urban_boundary(with_land(inside_urban_boundary=inside))) == expected


def test_l3_exempt_by_kind_or_by_proof():
    outside = healthy_project(land=Land(inside_urban_boundary=False))
    road = case(outside, sector=sectors()["road"])
    assert l3_urban_boundary(road).status == "not_applicable"
    proven = replace(outside, flags=replace(outside.flags, boundary_exempt=True))
    assert l3_urban_boundary(case(proven)).status == "not_applicable"
    unknown_kind = case(outside, sector=None)
    assert brief(l3_urban_boundary(unknown_kind)) == ("failed", "D")


@pytest.mark.parametrize(
    ("area", "document", "expected"),
    [(0.0, None, "passed"), (0.0, False, "passed"), (0.01, True, "passed"),
     (0.01, False, "failed"), (0.01, None, "na"), (None, True, "na"), (None, None, "na")],
)  # fmt: skip
def test_l4_cultivated_land_needs_its_document(area, document, expected):
    check = l4_cultivated_land(with_land(cultivated_ha=area, offset_document=document))
    assert check.status == expected
    assert check.severity == ("I" if expected == "passed" else "D")


@pytest.mark.parametrize(
    ("approval", "expected"),
    [(True, ("passed", "I")), (False, ("failed", "D")), (None, ("na", "D"))],
)
def test_l5_approval(approval, expected):
    assert brief(l5_land_approval(with_land(land_use_approval=approval))) == expected


def test_a_project_without_land_needs_no_approval_and_takes_no_fields():
    none = case(healthy_project(land=Land(total_ha=0.0)))
    for check in (l1_basic_farmland, l4_cultivated_land, l5_land_approval):
        assert check(none).status == "not_applicable"
    # A building that stands inside the red line is inside it, land or no land.
    assert l2_red_line(none).status == "na"
    contradicting = case(healthy_project(land=Land(0.0, permanent_basic_farmland_ha=2.0)))
    assert l1_basic_farmland(contradicting).status == "failed"


# -- county towns ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("converts", "expected"),
    [(True, ("failed", "D")), (False, ("passed", "I")), (None, ("na", "C"))],
)
def test_g1_change_of_status(converts, expected):
    assert brief(g1_change_of_status(with_flags(county_to_city=converts))) == expected


@pytest.mark.parametrize("check", [g1_change_of_status, g2_stance, p1_losing_people])
def test_the_opinions_address_counties_only(check):
    of_province = case(government=healthy_government(level="province", population=LOSING))
    assert check(of_province).status == "not_applicable"


@pytest.mark.parametrize("kind", COUNTY_TYPES)
def test_g2_every_type_has_a_stance(kind):
    check = g2_stance(case(healthy_project(county_type=kind)))
    assert check.sentence == stance_of(kind)
    assert not check.counts


def test_g2_without_a_type_says_so_and_weighs_nothing():
    check = g2_stance(
        case(healthy_project(county_type=""), government=healthy_government(county_type=""))
    )
    assert check.status == "na"
    assert not check.counts
    assert stance_of("mining") is None


# -- P1 --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("ratio", "severity"),
    [(0.5, "C"), (1.0999995, "C"), (1.10, "C"), (1.1000005, "H"), (1.3, "H"), (1.5, "H")],
)
def test_p1_line(ratio, severity):
    check = p1_losing_people(losing_case(ratio))
    assert brief(check) == ("failed", severity)
    assert check.value == pytest.approx(ratio)


@pytest.mark.parametrize("purpose", PURPOSES)
def test_p1_only_for_expansion(purpose):
    check = p1_losing_people(losing_case(1.5, purpose=purpose))
    assert check.status == ("failed" if purpose in {"new", "extension"} else "not_applicable")


@pytest.mark.parametrize(
    ("proposal", "government", "people", "expected"),
    [
        ("population_loss", "", None, True),
        ("", "population_loss", GROWING, True),
        ("specialised", "", LOSING, True),
        ("specialised", "", None, None),  # a type is no test of population
        ("specialised", "population_loss", None, True),
        ("", "", GROWING, False),
        ("", "", LOSING, True),
        ("", "", None, None),
        ("", "", Population(1e5, 2025), None),
    ],
)
def test_either_type_or_test_can_tell_a_losing_county(proposal, government, people, expected):
    one = case(
        healthy_project(county_type=proposal),
        government=healthy_government(county_type=government, population=people),
    )
    assert loses_people(one) is expected


def test_p1_without_type_and_population_is_not_judged():
    one = case(
        needing(1.0, county_type=""),
        government=healthy_government(county_type="", population=None),
    )
    check = p1_losing_people(one)
    assert brief(check) == ("na", "C")
    assert check.missing == ("county_type", "population")


def test_p1_missing_purpose_or_need():
    purpose = p1_losing_people(losing_case(1.5, purpose=""))
    assert (*brief(purpose), purpose.missing) == ("na", "C", ("purpose",))
    no_need = losing_case(1.5)
    no_need = replace(no_need, project=replace(no_need.project, need=Need()))
    need = p1_losing_people(no_need)
    assert (*brief(need), need.missing) == ("na", "C", ("need",))


def test_p1_not_for_a_growing_county():
    assert p1_losing_people(case(needing(2.0))).status == "not_applicable"


def test_p1_says_how_the_loss_was_judged():
    english = language("en")
    both = p1_losing_people(losing_case(1.2)).sentence.say(english)
    assert both.startswith("Residents changed by −1.05% a year over 10 years: the county loses")
    census = replace(LOSING, source="county_2020.csv.gz", basis="growth_only")
    government = healthy_government(county_type="", population=census)
    one = case(needing(1.2, county_type=""), government=government)
    said = p1_losing_people(one).sentence.say(english)
    assert "(judged on growth alone, boundaries not adjusted)" in said
    adjusted = replace(census, boundaries_adjusted=True)
    one = replace(one, government=replace(government, population=adjusted))
    assert "(judged on growth alone):" in p1_losing_people(one).sentence.say(english)
    typed = case(needing(1.2, county_type="population_loss"))
    assert "of the type" in p1_losing_people(typed).sentence.say(english)


# -- P2, P3 ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("ratio", "expected", "line"),
    [
        (1.0999995, ("passed", "I"), 1.1), (1.10, ("passed", "I"), 1.1),
        (1.1000005, ("failed", "C"), 1.1), (1.2999995, ("failed", "C"), 1.1),
        (1.30, ("failed", "C"), 1.1), (1.3000005, ("failed", "D"), 1.3),
    ],
)  # fmt: skip
def test_p2_lines(ratio, expected, line):
    check = p2_over_provision(case(needing(ratio)))
    assert brief(check) == expected
    assert check.threshold == line


@pytest.mark.parametrize(
    ("base", "low", "expected"),
    [
        (1.0, 1.2999995, ("passed", "I")), (1.0, 1.30, ("passed", "I")),
        (1.0, 1.3000005, ("failed", "C")), (1.10, 1.4, ("failed", "C")),
        (1.1000005, 1.4, ("not_applicable", "I")), (1.4, 1.8, ("not_applicable", "I")),
    ],
)  # fmt: skip
def test_p3_lines(base, low, expected):
    assert brief(p3_low_variant(case(needing(base, low)))) == expected


def test_need_that_cannot_be_computed_is_no_pass():
    one = case(healthy_project(need=Need()))
    assert brief(p2_over_provision(one)) == ("na", "C")
    assert brief(p3_low_variant(one)) == ("na", "C")
    need = replace(healthy_project().need, population_low=None, target_year=None)
    check = p3_low_variant(case(healthy_project(need=need)))
    assert (*brief(check), check.missing) == ("na", "C", ("population.low",))


def test_a_project_that_adds_nothing_cannot_over_provide():
    upkeep = case(healthy_project(purpose="maintenance", need=Need()))
    no_capacity = case(needing(2.0, purpose="renovation"))
    no_capacity = replace(
        no_capacity,
        project=replace(no_capacity.project, need=replace(no_capacity.project.need, added=0.0)),
    )
    for one in (upkeep, no_capacity):
        assert p2_over_provision(one).status == "not_applicable"
        assert p3_low_variant(one).status == "not_applicable"
    # Upkeep that does add capacity is judged.
    assert p2_over_provision(case(needing(2.0, purpose="renovation"))).severity == "D"


def test_need_from_projected_residents():
    need = Need("beds", 500.0, 100.0, 0.006, 2035)
    base, low = service_need_ratio(need, LOSING, screening_settings())
    medium = 90_000 * 0.9  # as many lost in the next ten years as in the last, in proportion
    assert base == pytest.approx(600 / (0.006 * medium))
    assert low == pytest.approx(600 / (0.006 * 90_000 * (0.9**0.1 - 0.005) ** 10))
    own = replace(need, population_medium=100_000.0, population_low=80_000.0)
    assert service_need_ratio(own, LOSING, screening_settings()) == pytest.approx((1.0, 1.25))


@pytest.mark.parametrize("gone", ["existing", "added", "standard_per_capita", "target_year"])
def test_need_misses_what_it_misses(gone):
    need = replace(Need("beds", 500.0, 100.0, 0.006, 2035), **{gone: None})
    assert service_need_ratio(need, LOSING, screening_settings()) == (None, None)


def test_need_without_growth_is_unknown():
    need = Need("beds", 500.0, 100.0, 0.006, 2035)
    assert service_need_ratio(need, Population(1e5, 2025), screening_settings()) == (None, None)
    assert service_need_ratio(need, None, screening_settings()) == (None, None)


@given(
    existing=st.floats(0, 1e6), added=st.floats(0, 1e6), people=st.floats(1e3, 1e7),
    low=st.floats(1e3, 1e7),
)  # fmt: skip
def test_the_low_variant_never_needs_more(existing, added, people, low):
    need = Need("beds", existing, added, 0.006, 2035, people, low)
    base, variant = service_need_ratio(need, None, screening_settings())
    assert variant >= base


# -- K1 --------------------------------------------------------------------------------------------


def in_province(province, *, sector="urban_rail", **changes):
    one = healthy_project(sector=sector, **changes)
    government = healthy_government(province=province)
    return case(one, government=government, sector=sectors().get(sector))


@pytest.mark.parametrize(
    "sector",
    ["local_expressway", "airport_expansion", "general_aviation_airport", "navigation_canal",
     "urban_rail", "suburban_rail"],
)  # fmt: skip
def test_k1_frozen_kinds(sector):
    assert brief(k1_key_province(in_province("云南", sector=sector))) == ("failed", "H")
    assert k1_key_province(in_province("浙江", sector=sector)).status == "not_applicable"


@pytest.mark.parametrize("sector", ["railway", "airport", "school", "highway"])
def test_k1_other_kinds_are_information_there(sector):
    check = k1_key_province(in_province("云南省", sector=sector))
    assert brief(check) == ("failed", "I")
    assert not check.counts


def test_k1_a_flag_of_rail_transit_counts_as_rail():
    one = in_province("云南", sector="urban_renewal")
    flags = replace(one.project.flags, rail_transit=True)
    assert k1_key_province(one).severity == "I"
    assert k1_key_province(replace(one, project=replace(one.project, flags=flags))).severity == "H"


def test_k1_exception_and_ongoing():
    flags = replace(healthy_project().flags, national_exception=True)
    assert k1_key_province(in_province("云南", flags=flags)).severity == "I"
    going = replace(healthy_project().priority, ongoing=True)
    assert k1_key_province(in_province("云南", priority=going)).severity == "I"
    assert k1_key_province(in_province("云南", purpose="maintenance")).severity == "I"
    assert k1_key_province(in_province("云南", purpose="equipment")).severity == "H"


@pytest.mark.parametrize(
    ("one", "missing"),
    [
        (in_province(""), "province"),
        (in_province("贵洲"), "province"),
        (in_province("云南", purpose=""), "purpose"),
        (in_province("云南", sector="moon base"), "sector"),
        (
            in_province(
                "云南", flags=replace(healthy_project().flags, national_exception=None)
            ),
            "flags.national_exception",
        ),
    ],
)  # fmt: skip
def test_k1_what_is_not_known_is_not_judged(one, missing):
    check = k1_key_province(one)
    assert (*brief(check), check.missing) == ("na", "C", (missing,))


# -- all -------------------------------------------------------------------------------------------


def test_a_good_proposal_passes_everything():
    assert {c.status for c in (check(case()) for check in LAND_CHECKS)} <= {
        "passed", "not_applicable",
    }  # fmt: skip


def test_nothing_stated_passes_nothing():
    empty = healthy_project(
        land=Land(), need=Need(), county_type="", purpose="",
        flags=dataclasses.replace(healthy_project().flags, **dict.fromkeys(
            (f.name for f in dataclasses.fields(healthy_project().flags)), None)),
    )  # fmt: skip
    government = healthy_government(county_type="", population=None, province="")
    checks = [check(case(empty, government=government)) for check in LAND_CHECKS]
    assert {c.status for c in checks} == {"na"}
    assert [c.severity for c in checks] == list("DDDDDCICCCC")


def test_ids_are_in_order_and_every_sentence_can_be_said():
    ids = [check(case()).id for check in LAND_CHECKS]
    assert ids == ["L1", "L2", "L3", "L4", "L5", "G1", "G2", "P1", "P2", "P3", "K1"]
    cases = [case(), losing_case(1.2), losing_case(1.0), in_province("云南"), in_province(""),
             case(healthy_project(land=Land(), need=Need()))]  # fmt: skip
    for one in cases:
        for check in LAND_CHECKS:
            for said in check(one).sentence.both().values():
                assert said
                assert "{" not in said


def test_before_the_rulebooks_nothing_is_judged_by_them():
    early = case(rulebooks=rulebooks_at(quarter(2021, 4)))
    statuses = {check(early).id: check(early).status for check in LAND_CHECKS}
    assert {statuses[k] for k in ("L1", "L2", "L3", "L5", "G1", "P1", "P2", "K1")} == {
        "not_applicable"
    }


# -- sectors ---------------------------------------------------------------------------------------


def test_every_sector_is_known_to_the_capital_rulebook():
    book = next(b for b in load_rulebooks() if b.id == "cn-project-capital")
    for sector in sectors().values():
        floor = assess(book, {"sector": sector.capital}).values["sector_min_capital"]
        assert float(floor) >= 0.2, sector.id


def test_categories_are_words_of_the_key_province_rulebook():
    frozen = {s.category for s in sectors().values()} - {""}
    book = next(b for b in load_rulebooks() if b.id == "cn-key-provinces-2023")
    formula = book.indicator_named("is_frozen").formula
    assert len(frozen) == 6
    assert all(f"'{word}'" in formula for word in frozen)


@pytest.mark.parametrize("own", [s.name for s in _SECTORS])
def test_sectors_of_the_synthetic_pipeline_are_known(own):
    assert sector_named(own) is not None


def test_names_of_sectors():
    assert sector_named("ＳＣＨＯＯＬ ").id == "school"
    assert sector_named("urban_rail") is sector_named("Urban-Rail")
    assert sector_named("楼堂馆所").negative_list
    assert not sector_named("保障房").negative_list
    assert sector_named("") is None
    for sector in sectors().values():
        for name in (sector.id, sector.label.zh, sector.label.en, *sector.aliases):
            assert sector_named(name) is sector


GOOD = '[a]\nlabel = { zh = "甲", en = "A" }\ncapital = "other"\nincome = true\n'


@pytest.mark.parametrize(
    "text",
    [
        "not toml = = ",
        GOOD.replace("income = true\n", ""),
        GOOD.replace("true", '"yes"'),
        GOOD + "colour = 1\n",
        GOOD + GOOD.replace("[a]", "[b]"),
    ],
)
def test_a_damaged_table_is_refused(tmp_path, text):
    path = tmp_path / "sectors.toml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(ModelProblem, match="cannot be used"):
        load_sectors(path)


def test_a_table_that_is_not_there(tmp_path):
    with pytest.raises(ModelProblem):
        load_sectors(tmp_path / "none.toml")
