"""Population: the loss test and its lines, projections, accounts, census files."""

from __future__ import annotations

import gzip
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from debtwatch.errors import DataProblem
from debtwatch.panel.census import Count, read_census
from debtwatch.panel.panel import build_panel
from debtwatch.panel.period import quarter
from debtwatch.panel.read import read_file
from debtwatch.panel.store import open_store
from debtwatch.screening.population import (
    Population,
    census_populations,
    judge_population,
    population_from_panel,
    population_of,
)
from tests.conftest import AS_OF, SHARED, needs_shared

CENSUS = SHARED / "data" / "cn-census"


def judged(growth=-0.005, net_out=0.1, years=10, **options):
    """A place with a yearly growth and a net outflow."""
    resident = 100_000.0
    return judge_population(
        resident, 2020, earlier=resident / (1 + growth) ** years, earlier_year=2020 - years,
        registered=None if net_out is None else resident / (1 - net_out), **options,
    )  # fmt: skip


# -- the test --------------------------------------------------------------------------------------


def test_growth_is_a_year_and_net_outflow_a_share():
    one = judged(-0.004, 0.15, years=8)
    assert one.growth == pytest.approx(-0.004)
    assert one.net_out == pytest.approx(0.15)
    assert (one.losing, one.severe) == (True, False)


@pytest.mark.parametrize(
    ("growth", "net_out", "losing"),
    [
        (-1e-6, 1e-6, True), (0.0, 0.1, False), (1e-6, 0.1, False), (-0.02, 0.0, False),
        (-0.02, -1e-6, False), (0.01, -0.1, False), (-0.02, None, None), (0.0, None, False),
    ],
)  # fmt: skip
def test_a_county_loses_people_when_both_signs_say_so(growth, net_out, losing):
    assert judged(growth, net_out).losing is losing


@pytest.mark.parametrize(
    ("growth", "net_out", "severe"),
    [
        (-0.0099999, 0.1, False), (-0.01, 0.1, True), (-0.0100001, 0.1, True),
        (-0.001, 0.1999999, False), (-0.001, 0.20, True), (-0.001, 0.2000001, True),
        (0.001, 0.5, False), (-0.02, None, None),
    ],
)  # fmt: skip
def test_severe_loss(growth, net_out, severe):
    assert judged(growth, net_out).severe is severe


def test_growth_alone_decides_where_nothing_else_is_to_be_had():
    one = judged(-0.001, None, basis="growth_only")
    assert (one.losing, one.severe, one.basis) == (True, False, "growth_only")
    assert judged(0.001, None, basis="growth_only").losing is False
    assert judged(-0.01, None, basis="growth_only").severe is True


def test_without_an_earlier_count_only_an_inflow_is_a_no():
    out = judge_population(90.0, 2020, registered=100.0)
    assert (out.growth, out.losing, out.severe) == (None, None, None)
    inflow = judge_population(110.0, 2020, registered=100.0)
    assert (inflow.losing, inflow.severe) == (False, False)
    assert judge_population(110.0, 2020).losing is None


def test_counts_out_of_order_give_no_growth():
    assert judge_population(90.0, 2010, earlier=100.0, earlier_year=2020).growth is None
    assert judge_population(90.0, 2010, earlier=100.0, earlier_year=2010).growth is None


# -- projection ------------------------------------------------------------------------------------


def test_projections():
    one = judged(0.01)
    assert one.projected(2020, "medium") == pytest.approx(100_000)
    assert one.projected(2030, "medium") == pytest.approx(100_000 * 1.01**10)
    assert one.projected(2030, "low") == pytest.approx(100_000 * 1.005**10)
    assert one.projected(2030, "low", low_gap=-0.02) == pytest.approx(100_000 * 0.99**10)
    assert one.projected(2015, "medium") == pytest.approx(100_000)
    assert Population(1e5, 2020).projected(2030, "medium") is None


@given(growth=st.floats(-0.9, 0.2), year=st.integers(2020, 2100))
def test_the_low_variant_is_never_higher_and_never_negative(growth, year):
    one = Population(1e5, 2020, growth=growth)
    assert 0 <= one.projected(year, "low") <= one.projected(year, "medium")


# -- from accounts ---------------------------------------------------------------------------------


@pytest.fixture
def panel_of(workbook, tmp_path):
    """Panel of one county from yearly figures: year -> (residents, registered)."""

    def make(years, unit="330122"):
        rows = [["单位：万元"], ["地区编码", "地区", "级次", "期间", "一般公共预算收入",
                                 "常住人口（人）", "户籍人口（人）"]]  # fmt: skip
        rows += [[unit, "甲县", "县级", str(y), 1000, *people] for y, people in years.items()]
        path = tmp_path / "people.duckdb"
        with open_store(path, create=True) as store:
            result = read_file(workbook(rows))
            assert not result.refused
            store.add(result, known_from=AS_OF)
            return build_panel(store.known_on(AS_OF))

    return make


def decade(first=2014, last=2024, start=120_000, change=-1_000, registered=130_000):
    return {y: (start + change * (y - first), registered) for y in range(first, last + 1)}


def test_population_of_accounts(panel_of):
    panel = panel_of(decade())
    one = population_from_panel(panel, 0, quarter(2025, 2))
    assert (one.resident, one.resident_year) == (110_000, 2024)
    assert (one.earlier, one.earlier_year) == (120_000, 2014)
    assert one.growth == pytest.approx((11 / 12) ** 0.1 - 1)
    assert (one.losing, one.severe, one.basis, one.source) == (True, False, "both", "accounts")


def test_what_is_later_than_the_quarter_is_not_looked_at(panel_of):
    one = population_from_panel(panel_of(decade()), 0, quarter(2023, 3))
    assert one.resident_year == 2022
    assert one.earlier_year == 2014


@pytest.mark.parametrize(
    ("first", "before"),
    [(2017, None), (2016, 2016), (2015, 2015), (2014, 2014), (2011, 2014)],
)
def test_the_earlier_count_is_the_one_nearest_to_ten_years(panel_of, first, before):
    one = population_from_panel(panel_of(decade(first=first)), 0, quarter(2024, 4))
    assert one.earlier_year == before
    assert (one.losing is None) == (before is None)


def test_a_count_eleven_years_back_is_as_good_as_one_nine_back(panel_of):
    years = {2013: (120_000, None), 2015: (119_000, None), 2024: (110_000, 130_000)}
    assert population_from_panel(panel_of(years), 0, quarter(2024, 4)).earlier_year == 2013


def test_registered_population_of_another_time_does_not_count(panel_of):
    old = {**decade(registered=None), 2020: (114_000, 130_000)}
    one = population_from_panel(panel_of(old), 0, quarter(2024, 4))
    assert (one.registered, one.losing) == (None, None)
    near = {**decade(registered=None), 2023: (111_000, 130_000)}
    one = population_from_panel(panel_of(near), 0, quarter(2024, 4))
    assert (one.registered, one.losing) == (130_000, True)


def test_no_residents_no_population(panel_of):
    panel = panel_of({2023: (None, 130_000)})
    assert population_from_panel(panel, 0, quarter(2024, 4)) is None
    assert population_of(panel, 0, quarter(2024, 4)) is None


def test_a_census_steps_in_where_accounts_allow_no_judgement(panel_of):
    census = {"330122": judged(-0.01, None, basis="growth_only")}
    short = panel_of(decade(first=2020))
    at = quarter(2024, 4)
    assert population_of(short, 0, at).losing is None
    assert population_of(short, 0, at, census=census) is census["330122"]
    assert population_of(short, 0, at, census={}).source == "accounts"
    # A census of a later year was not known then.
    later = {"330122": replace(census["330122"], resident_year=2030, source="later.csv")}
    assert population_of(short, 0, at, census=later).source == "accounts"


def test_accounts_that_allow_a_judgement_come_first(panel_of):
    census = {"330122": judged(0.01, None, basis="growth_only")}
    panel = panel_of(decade())
    assert population_of(panel, 0, quarter(2024, 4), census=census).source == "accounts"


# -- census files ----------------------------------------------------------------------------------


def write(folder, name, text):
    path = folder / name
    data = text.encode("utf-8")
    path.write_bytes(gzip.compress(data) if name.endswith(".gz") else data)
    return path


def test_two_years_side_by_side(tmp_path):
    path = write(tmp_path, "towns.csv",
                 "city,city_code,popu_2020,popu_urban_2020,popu_2010\n甲,330100,90,50,100\n"
                 "乙,330200,,1,10\n丙,330300,12,1,10\n")  # fmt: skip
    census = read_census(path)
    assert census.counts["330100"] == (Count(2010, 100), Count(2020, 90))
    assert census.counts["330200"] == (Count(2010, 10),)
    assert not census.boundaries_adjusted
    people = census_populations(path)
    assert (people["330100"].losing, people["330300"].losing) == (True, False)
    assert people["330200"].losing is None
    assert people["330100"].basis == "growth_only"


def test_the_name_tells_that_boundaries_are_adjusted(tmp_path):
    path = write(tmp_path, "x_boundary_adjusted.csv", "code,pop_2010,pop_2020\n110101,2,1\n")
    one = census_populations(path)["110101"]
    assert one.boundaries_adjusted
    assert one.source == path.name


COUNTIES = "code,name,pop_total,pop_hukou\n,合计,999,\n330000,省,500,\n330100,市,400,\n"


def test_a_file_for_each_census(tmp_path):
    first = write(
        tmp_path, "county_2010.csv.gz", COUNTIES + "330122,  甲县,100,120\n330127,乙,50,\n"
    )
    second = write(tmp_path, "county_2020.csv.gz", COUNTIES + "330122,甲县,90,\n330188,丙,10,\n")
    write(tmp_path, "notes.csv", "a,b\n1,2\n")
    for asked in (first, second, tmp_path):
        census = read_census(asked)
        assert sorted(census.counts) == ["330122", "330127", "330188"]
        assert census.counts["330122"] == (Count(2010, 100, 120), Count(2020, 90))
        assert census.source == "county_2010.csv.gz, county_2020.csv.gz"
        assert len(census.sha256) == 2
    one = census_populations(tmp_path)["330122"]
    # People registered ten years ago do not say who is registered now.
    assert (one.registered, one.basis, one.losing) == (None, "growth_only", True)


def test_a_code_that_ends_with_an_old_census_is_not_judged(tmp_path):
    write(tmp_path, "county_2010.csv", COUNTIES + "330122,甲县,100,90\n")
    write(tmp_path, "county_2020.csv", COUNTIES + "330188,丙县,10,\n")
    one = census_populations(tmp_path)["330122"]
    assert (one.resident_year, one.registered, one.losing) == (2010, None, None)


def test_a_row_for_each_code_and_year(tmp_path, workbook):
    text = "地区编码,年份,常住人口(万人),户籍人口(万人)\n1,2015年,10,11\n1,2025,9.5,11\n2,2025,3,\n"
    people = census_populations(write(tmp_path, "people.csv", text))
    assert people["1"].resident == pytest.approx(95_000)
    assert people["1"].net_out == pytest.approx(1 - 9.5 / 11)
    assert (people["1"].basis, people["1"].losing) == ("both", True)
    assert people["2"].growth is None
    rows = [["code", "year", "resident", "registered"], [330122, 2010, 100, None],
            [330122, 2020, 90, 80]]  # fmt: skip
    sheet = census_populations(workbook(rows))
    assert (sheet["330122"].basis, sheet["330122"].losing) == ("both", False)


def test_old_counts_only(tmp_path):
    text = "code,year,resident\n1,2019,10\n1,2025,9\n"
    assert census_populations(write(tmp_path, "p.csv", text))["1"].growth is None


@pytest.mark.parametrize(
    ("name", "text", "says"),
    [
        ("a.csv", "x,y\n1,2\n", "no population table"),
        ("a.csv", "code,households_2010\n1,2\n", "no population table"),
        ("a.csv", "code,pop_2010,pop_2020\n", "no population table"),
        ("a.csv", "code,population\n1,2\n", "one year only"),
        ("county_2020.csv", "code,pop_total\n330122,2\n", "one year only"),
        ("a.csv", "code,pop_2020\n1,2\n", "one year only"),
        ("a.csv", "code,pop_2010,pop_2020\n1,2,3\n1,2,3\n", "twice for one year: 1"),
        ("a.csv", "code,pop_2010,pop_2020\n1,2,many\n", "C2: “many”"),
        ("a.csv", "code,pop_2010,pop_2020\n1,-2,3\n", "B2: “-2”"),
        ("a.csv", "code,pop_2010,pop_2020\n1,0,3\n", "B2: “0”"),
        ("a.csv", "code,pop_2010,pop_2020\n1,9e9,3\n", "B2: “9e9”"),
        ("a.csv", "code,year,resident\n1,soon,3\n", "B2: “soon”"),
        ("a.csv", "", "empty"),
    ],
)
def test_anything_else_is_refused_with_a_reason(tmp_path, name, text, says):
    with pytest.raises(DataProblem, match=says):
        read_census(write(tmp_path, name, text))


def test_files_that_cannot_be_opened(tmp_path):
    with pytest.raises(DataProblem, match="cannot be read"):
        read_census(tmp_path / "none.csv")
    with pytest.raises(DataProblem, match="cannot be read"):
        read_census(tmp_path / "none.csv.gz")
    for content in (b"plain", gzip.compress(b"code,pop_2010,pop_2020\n1,2,3\n")[:-9]):
        (tmp_path / "bad.csv.gz").write_bytes(content)
        with pytest.raises(DataProblem, match="cannot be read"):
            read_census(tmp_path / "bad.csv.gz")
    with pytest.raises(DataProblem, match="one year only"):
        read_census(tmp_path)


def test_a_folder_with_two_tables_needs_a_choice(tmp_path):
    for name in ("county_2010.csv", "county_2020.csv", "town_2010.csv", "town_2020.csv"):
        write(tmp_path, name, "code,pop_total\n330122,2\n")
    with pytest.raises(DataProblem, match="several population tables"):
        read_census(tmp_path)
    assert len(read_census(tmp_path / "town_2020.csv").counts["330122"]) == 2


def test_a_file_of_unreasonable_size_is_refused(tmp_path, monkeypatch):
    path = write(tmp_path, "a.csv.gz", "code,pop_2010,pop_2020\n" + "1,2,3\n" * 1000)
    monkeypatch.setattr("debtwatch.panel.census.MAX_BYTES", 5000)
    with pytest.raises(DataProblem, match="too large"):
        read_census(path)


@needs_shared
@pytest.mark.parametrize("name", ["county_2010.csv.gz", "county_2020.csv.gz", ""])
def test_the_county_censuses(name):
    people = census_populations(CENSUS / name)
    both = [p for p in people.values() if p.growth is not None]
    assert len(people) == 3278
    assert len(both) == 2522
    assert sum(p.losing is True for p in both) == 1438
    assert sum(p.resident < 0.8 * p.earlier for p in both) == 258
    assert not any(p.boundaries_adjusted for p in people.values())
    assert {p.basis for p in people.values()} <= {"growth_only", "both"}
    assert all(p.resident_year - p.earlier_year == 10 for p in both)


@needs_shared
def test_the_prefecture_census():
    people = census_populations(CENSUS / "city_2010_2020_boundary_adjusted.csv")
    assert len(people) == 359  # of 369 rows, ten without any count
    assert sum(p.losing is True for p in people.values()) == 156
    assert all(p.boundaries_adjusted for p in people.values())
    assert np.isclose(sum(p.resident for p in people.values()), 1.414e9, rtol=2e-3)
