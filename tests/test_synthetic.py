"""The generator of fictional counties: same bytes, readable, true to the accounts."""

from __future__ import annotations

import re
import zipfile
from collections import Counter
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
import pytest

from debtwatch.errors import ModelProblem
from debtwatch.panel.period import parse_period, quarter, quarter_end, quarter_text
from debtwatch.panel.read import ReadResult, read_file
from debtwatch.screening.pipeline import read_pipeline
from debtwatch.screening.project import DOCUMENTS
from debtwatch.synthetic import FIELDS, PIPELINE_HEADINGS, SyntheticFiles, write_counties

COUNTIES = 300
LAST = quarter(2025, 4)
LEDGERS = [("general", "gpb"), ("special", "gfb")]


class Many(NamedTuple):
    files: SyntheticFiles
    result: ReadResult
    table: pd.DataFrame  # index (unit, quarter), a column for each field, slips blanked


@pytest.fixture(scope="module")
def many(tmp_path_factory):
    files = write_counties(tmp_path_factory.mktemp("many") / "set", counties=COUNTIES, seed=11)
    result = read_file(files.tables[0])
    table = result.observations.pivot(index=["unit", "quarter"], columns="field", values="value")
    for code, period, field, _ in listed(files.readme, "unit slips (code"):
        table.loc[(code, parse_period(period).quarter), field] = np.nan
    return Many(files, result, table)


@pytest.fixture(scope="module")
def few(tmp_path_factory):
    """Ten workbooks: every layout twice."""
    files = write_counties(tmp_path_factory.mktemp("few") / "set", counties=10, seed=4)
    return files, [read_file(path) for path in files.tables]


@pytest.fixture(scope="module")
def projects(many):
    grid = pd.read_excel(many.files.pipeline, header=None, engine="calamine", dtype=object)
    assert grid.iloc[1, 0] == "单位：万元"
    assert tuple(grid.iloc[2]) == PIPELINE_HEADINGS
    return grid.iloc[3:].set_axis(list(PIPELINE_HEADINGS), axis=1)


def stated(readme: Path, name: str) -> int:
    """Count that the README states."""
    return int(re.search(rf"{name}: (\d+)", readme.read_text("utf-8"))[1])


def listed(readme: Path, heading: str) -> list[list[str]]:
    """Lines below a heading of the README."""
    after = readme.read_text("utf-8").split(heading)[1].split("\n", 1)[1]
    return [line.split() for line in after.split("\n\n")[0].splitlines() if line]


def quarters(table: pd.DataFrame) -> pd.DataFrame:
    """Discrete flows; missing when the quarter before is."""
    flows = table.unstack("unit").sort_index()
    flows = flows.reindex(range(flows.index.min(), flows.index.max() + 1))
    before = flows.shift()
    before[flows.index % 4 == 0] = 0.0
    return flows - before


def contents(folder: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


# -- files ------------------------------------------------------------------------------------


@pytest.mark.parametrize("workbooks", [True, False])
def test_the_same_seed_gives_the_same_bytes(tmp_path, workbooks):
    for name, seed in [("a", 3), ("b", 3), ("c", 4)]:
        write_counties(tmp_path / name, counties=6, seed=seed, workbooks=workbooks)
    first, second, other = (contents(tmp_path / name) for name in "abc")
    assert first == second
    assert all(first[name] != other[name] for name in first if name in other)
    assert len(first) == (8 if workbooks else 3)


def test_workbooks_do_not_carry_the_day_they_were_written(few):
    for path in (few[0].tables[0], few[0].pipeline):
        core = zipfile.ZipFile(path).read("docProps/core.xml").decode()
        assert set(re.findall(r"\d{4}-\d\d-\d\dT[\d:]+Z", core)) == {"2026-01-01T00:00:00Z"}


def test_small_sets_are_workbooks_and_large_ones_one_csv_file(few, many):
    assert [path.suffix for path in few[0].tables] == [".xlsx"] * 10
    assert [path.name for path in many.files.tables] == ["counties.csv"]
    assert many.files.tables[0].read_bytes().startswith(b"\xef\xbb\xbf")


def test_a_folder_with_something_in_it_is_refused(tmp_path):
    out = tmp_path / "set"
    out.mkdir()
    (out / "mine.txt").write_text("keep")
    with pytest.raises(ModelProblem, match="exists and is not empty"):
        write_counties(out, counties=2, seed=1)
    assert contents(tmp_path) == {"set/mine.txt": b"keep"}
    (out / "mine.txt").unlink()
    assert write_counties(out, counties=2, seed=1).readme.exists()


def test_a_file_in_the_way_is_refused(tmp_path):
    (tmp_path / "file").write_text("keep")
    for out in (tmp_path / "file", tmp_path / "file" / "set"):
        with pytest.raises(ModelProblem, match=r"Choose another|Name a folder"):
            write_counties(out, counties=1, seed=1)


def test_nothing_is_left_behind_by_a_failure(tmp_path, monkeypatch):
    def fail(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("debtwatch.synthetic.write_pipeline", fail)
    with pytest.raises(ModelProblem, match="No space left"):
        write_counties(tmp_path / "set", counties=2, seed=1)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "wrong",
    [
        {"counties": 0},
        {"counties": 100_001},
        {"projects": -1},
        {"seed": -1},
        {"last_quarter": quarter(1980, 1)},
        {"last_quarter": quarter(2100, 1)},
    ],
)
def test_numbers_out_of_range_are_refused(tmp_path, wrong):
    with pytest.raises(ModelProblem):
        write_counties(tmp_path / "set", **({"counties": 1, "seed": 1} | wrong))
    assert list(tmp_path.iterdir()) == []


def test_the_readme_says_in_both_languages_that_all_is_invented(few):
    text = few[0].readme.read_text("utf-8")
    assert "全部是程序虚构的" in text
    assert "is invented by a program" in text


# -- reading ----------------------------------------------------------------------------------


def test_every_workbook_is_read_in_full(few):
    files, results = few
    rules = Counter(problem.rule for result in results for problem in result.problems)
    assert rules == {"row-duplicated": 1}
    assert all(result.synthetic for result in results)
    assert all(set(result.observations["field"]) == set(FIELDS) for result in results)
    rows = 10 * 48 - stated(files.readme, "missing rows")
    assert sum(len(result.observations) for result in results) == rows * len(FIELDS)


def test_the_csv_file_is_read_in_full(many):
    readme = many.files.readme
    assert Counter(problem.rule for problem in many.result.problems) == {
        "row-duplicated": stated(readme, "duplicated rows")
    }
    assert many.result.synthetic
    rows = COUNTIES * 48 - stated(readme, "missing rows")
    assert len(many.result.observations) == rows * len(FIELDS)
    assert len(many.result.units) == COUNTIES


def test_workbooks_and_csv_hold_the_same_figures(few, tmp_path):
    files = write_counties(tmp_path / "set", counties=10, seed=4, workbooks=False)
    keys = ["unit", "field", "quarter", "basis", "value", "status"]
    both = [
        frame[keys].sort_values(keys).reset_index(drop=True)
        for frame in (
            read_file(files.tables[0]).observations,
            pd.concat([result.observations for result in few[1]]),
        )
    ]
    pd.testing.assert_frame_equal(*both, rtol=1e-12)


def test_every_layout_names_the_county_its_level_and_its_province(few):
    units = pd.concat([result.units for result in few[1]])
    assert units["unit"].tolist() == [path.stem for path in few[0].tables]
    assert units["name"].str.fullmatch(r"..[县市区]").all()
    assert set(units["level"]) == {"county"}
    assert (units["parent"] == units["unit"].str[:3] + "000").all()


def test_a_history_may_end_within_a_year(tmp_path):
    last = quarter(2026, 2)
    for workbooks in (True, False):
        out = tmp_path / str(workbooks)
        files = write_counties(out, counties=5, seed=2, last_quarter=last, workbooks=workbooks)
        frame = pd.concat([read_file(path).observations for path in files.tables])
        assert frame["quarter"].max() == last
        assert frame["quarter"].min() == quarter(2015, 1)
        assert set(frame.loc[frame["quarter"] < last - 3, "status"]) <= {"final", "preliminary"}
        assert set(frame.loc[frame["quarter"] == last, "status"]) == {"preliminary"}


# -- places -----------------------------------------------------------------------------------


def test_codes_and_names_are_unique_and_belong_to_no_real_place(many):
    units = many.result.units
    assert units["unit"].str.fullmatch(r"9\d{5}").all()
    assert units["parent"].str.fullmatch(r"9\d\d000").all()
    assert not set(units["unit"]) & set(units["parent"])
    assert units["name"].is_unique
    assert units["name"].str.fullmatch(r".{2,3}[县市区]").all()
    assert set(units["level"]) == {"county"}
    provinces = listed(many.files.readme, "provinces (code")
    assert [name.endswith("省（虚构）") for _, name, _ in provinces] == [True] * 3
    assert sum(int(size) for *_, size in provinces) == COUNTIES


def test_province_names_are_plausible_and_of_no_real_province(tmp_path):
    files = write_counties(tmp_path / "set", counties=1000, seed=1, projects=0, workbooks=False)
    provinces = listed(files.readme, "provinces (code")
    names = [name for _, name, _ in provinces]
    assert [int(size) for *_, size in provinces] == [100] * 10
    assert len(set(names)) == 10
    real = (
        "河北山西辽宁吉林江苏浙江安徽福建江西山东河南湖北湖南广东海南四川贵州云南陕西甘肃青海台湾"
    )
    for name in names:
        assert re.fullmatch("[云霜星霞鹤松虹雪麓砂][岭原海川泽陵湾岚洲屏]省（虚构）", name)
        assert name[:2] not in {real[i : i + 2] for i in range(0, len(real), 2)}


# -- accounts ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("total", "parts"),
    [
        ("gpb_revenue", ["tax_revenue", "nontax_revenue"]),
        ("gpb_transfer_in", ["tax_rebate_in", "general_transfer_in", "special_transfer_in"]),
        ("debt_balance", ["general_debt_balance", "special_debt_balance"]),
    ],
)
def test_parts_sum_to_their_total(many, total, parts):
    gap = (many.table[total] - many.table[parts].sum(axis=1, skipna=False)).dropna()
    assert len(gap) > 0.99 * len(many.table)
    assert gap.abs().max() < 1


@pytest.mark.parametrize(("kind", "ledger"), LEDGERS)
def test_balances_roll_forward(many, kind, ledger):
    flow = quarters(many.table)
    balance = many.table.unstack("unit")[f"{kind}_debt_balance"].reindex(flow.index)
    issued = flow[f"new_{kind}_bonds"] + flow[f"refinancing_{kind}_bonds"]
    gap = balance - balance.shift() - issued + flow[f"{ledger}_debt_principal"]
    assert gap.count().sum() > 0.9 * COUNTIES * 48
    assert gap.abs().max().max() < 1


@pytest.mark.parametrize(("kind", "ledger"), LEDGERS)
def test_balances_keep_their_limits_and_pay_usual_interest(many, kind, ledger):
    table = many.table
    assert (table[f"{kind}_debt_balance"] <= table[f"{kind}_debt_limit"]).mean() > 0.99
    over = table[f"{kind}_debt_balance"] / table[f"{kind}_debt_limit"]
    assert over.max() <= 1
    balance = table[f"{kind}_debt_balance"].unstack("unit")
    year_end = balance.index % 4 == 3
    average = balance.rolling(5).mean()[year_end]
    rate = table[f"{ledger}_debt_interest"].unstack("unit")[year_end] / average
    assert rate.min().min() > 0.025
    assert rate.max().max() < 0.04


def test_spending_follows_income(many):
    year = many.table[many.table.index.get_level_values("quarter") % 4 == 3]
    for ledger, kind in (("gpb", "general"), ("gfb", "special")):
        means = (
            year[f"{ledger}_revenue"] + year[f"{ledger}_transfer_in"]
            - year[f"{ledger}_transfer_out"] + year[f"new_{kind}_bonds"]
        )  # fmt: skip
        assert (year[f"{ledger}_expenditure"] / means).median() == pytest.approx(1, abs=0.06)
    assert (year["gfb_expenditure"] > year["gfb_debt_interest"])[year["gfb_revenue"].notna()].all()
    share = year["sanbao_expenditure"] / year["gpb_expenditure"]
    assert share.between(0.3, 0.85)[share.notna()].all()


def test_fund_expenditure_contains_interest(many):
    """Income is spent in full with interest; without it a few per cent would be left over."""
    flow = quarters(many.table)
    works = flow["gfb_expenditure"] - flow["gfb_debt_interest"]
    assert works.min().min() > 0
    year = many.table[many.table.index.get_level_values("quarter") % 4 == 3]
    means = (
        year["gfb_revenue"] + year["gfb_transfer_in"] - year["gfb_transfer_out"]
        + year["new_special_bonds"] + year["refinancing_special_bonds"]
        - year["gfb_debt_principal"]
    )  # fmt: skip
    assert (year["gfb_debt_interest"] / means).median() > 0.02
    assert (year["gfb_expenditure"] / means).median() == pytest.approx(1, abs=0.005)


def test_no_flow_is_negative_in_any_quarter(many):
    flows = [name for name in FIELDS if not name.endswith(("_limit", "_balance", "_population"))]
    flow = quarters(many.table)[flows]
    assert flow.min().min() > 0


def test_quarters_have_the_seasons_of_the_accounts(many):
    flow = quarters(many.table)
    year = flow.index // 4

    def season(name):
        shares = flow[name] / flow[name].groupby(year).transform(lambda x: x.sum(min_count=4))
        return shares.groupby(flow.index % 4).mean().mean(axis=1).to_numpy()

    assert season("gpb_revenue") == pytest.approx([0.27, 0.29, 0.23, 0.21], abs=0.01)
    assert season("gpb_expenditure").argmax() == 3
    assert season("land_revenue").argmax() == 3


# -- calibration ------------------------------------------------------------------------------


def annual(many: Many, name: str) -> pd.DataFrame:
    """Figure at each year's end, a column for each county."""
    values = many.table[name].unstack("unit")
    return values[values.index % 4 == 3]


def capacity(many: Many) -> pd.DataFrame:
    parts = {
        name: annual(many, name)
        for ledger in ("gpb", "gfb")
        for name in (f"{ledger}_revenue", f"{ledger}_transfer_in", f"{ledger}_transfer_out")
    }
    return sum(-frame if name.endswith("_out") else frame for name, frame in parts.items())


def test_debt_ratios_fill_the_tiers_as_intended(many):
    ratio = (annual(many, "debt_balance") / capacity(many)).loc[LAST].dropna()
    assert len(ratio) > 0.95 * COUNTIES
    green, yellow, orange, red = np.histogram(ratio, [0, 1.2, 2, 3, np.inf])[0] / len(ratio)
    assert 0.45 <= green <= 0.60
    assert 0.28 <= yellow <= 0.40
    assert 0.05 <= orange <= 0.15
    assert 0.01 <= red <= 0.04


def test_most_counties_lose_people(many):
    people = annual(many, "resident_population").ffill()
    fewer = people.loc[LAST] < people.loc[LAST - 40]
    away = people.loc[LAST] < annual(many, "registered_population").ffill().loc[LAST]
    assert 0.55 <= (fewer & away).mean() <= 0.70


def test_land_revenue_falls_after_its_peak(many):
    land = annual(many, "land_revenue")
    peak = land.loc[[quarter(2020, 4), quarter(2021, 4)]].mean()
    left = (land.loc[LAST] / peak).dropna()
    assert left.between(0.4, 0.8).mean() > 0.9
    assert left.between(0.3, 0.95).all()
    assert (land.loc[quarter(2015, 4)] < peak).mean() > 0.95


def test_sizes_spread_and_small_counties_live_on_transfers(many):
    own = annual(many, "gpb_revenue").loc[LAST].dropna()
    assert own.between(0.3e9, 12e9).all()
    assert own.max() / own.min() > 10
    dependence = annual(many, "gpb_transfer_in").loc[LAST] / own
    assert np.log(dependence).corr(np.log(own)) < -0.6
    each = annual(many, "gpb_revenue") / annual(many, "resident_population")
    assert each.min().min() > 500
    assert each.max().max() < 50_000


# -- dirt -------------------------------------------------------------------------------------


def test_faults_are_as_many_as_the_readme_says(many):
    readme = many.files.readme
    rows = many.result.observations.drop_duplicates(["unit", "quarter"])
    assert stated(readme, "missing rows") == round(0.015 * COUNTIES * 48)
    assert COUNTIES * 48 - len(rows) == stated(readme, "missing rows")
    ends = pd.to_datetime([quarter_end(int(q)) for q in rows["quarter"]])
    days = (pd.to_datetime(rows["known_from"]).to_numpy() - ends).days
    late = days > 119
    assert late.sum() == stated(readme, "late rows") == round(0.03 * COUNTIES * 48)
    final = rows["quarter"].to_numpy() % 4 == 3
    assert set(days[~late & ~final]) == set(range(20, 46))
    assert set(days[~late & final]) <= set(range(30, 75))


def test_unit_slips_stand_where_the_readme_says(many):
    slips = listed(many.files.readme, "unit slips (code")
    assert len(slips) == stated(many.files.readme, "unit slips") == 2
    values = many.result.observations.set_index(["unit", "field", "quarter"])["value"]
    values = values.sort_index()
    for code, period, field, factor in slips:
        at = parse_period(period).quarter
        series = values.loc[code, field].drop(at)
        usual = series[abs(series.index - at) <= 8].median()
        assert 0.05 < values[code, field, at] / float(factor) / usual < 20


def test_a_duplicated_row_stands_twice(many):
    text = pd.read_csv(many.files.tables[0], dtype=str)
    twice = text[text.duplicated(["地区编码", "期间"])]
    assert twice[["地区编码", "期间"]].to_numpy().tolist() == listed(
        many.files.readme, "duplicated rows (code"
    )
    assert text.duplicated().sum() == len(twice) == 1
    assert set(text["数据性质"]) == {"合成"}


# -- projects ---------------------------------------------------------------------------------


def test_projects_are_financed_in_full(projects):
    sources = ["财政资金", "上级补助", "一般债券", "专项债券", "银行贷款", "企业自筹资本金",
               "PPP社会资本"]  # fmt: skip
    money = projects[["总投资", *sources]].astype(float)
    assert len(projects) == round(0.7 * COUNTIES)
    assert (money[sources].sum(axis=1) == money["总投资"]).all()
    assert (money >= 0).all().all()
    assert (money["专项债券"] / money["总投资"]).between(0.49, 0.81).all()


def test_project_columns_hold_the_agreed_words(projects, many):
    assert projects["项目代码"].is_unique
    assert set(projects["地区编码"].astype(str)) <= set(many.result.units["unit"])
    assert set(projects["建设性质"]) == {"新建", "扩建", "改造"}
    assert set(projects["公益属性"]) == {"公益性", "准公益性", "经营性"}
    assert set(projects["还本方式"]) == {"到期一次还本", "等额本金", "等额本息"}
    assert set(projects["期限（年）"]) == {10, 15, 20, 30}
    assert projects["年利率（%）"].between(1.8, 2.6).all()
    assert (projects["宽限期（年）"] < projects["期限（年）"]).all()
    assert set(projects["开工季度"]) == {quarter_text(LAST + q) for q in range(1, 5)}
    assert set(projects["数据性质"]) == {"合成"}
    assert projects["批准日期"].isna().mean() == pytest.approx(1 / 3, abs=0.01)


def test_questions_do_not_move_the_debt_of_a_seed(projects):
    """Answers come from a generator of their own: the bonds are those of earlier versions."""
    bonds = projects[["专项债券", "一般债券", "期限（年）"]].astype(int)
    assert bonds.sum().tolist() == [4_017_981, 65_947, 3_795]


#: Answers of which some proposals give the good one, some the bad one, and some none.
ANSWERED = {
    "涉及生态保护红线": "否", "位于城镇开发边界内": "是", "用地批准": "是", "施工方垫资": "否",
    "承诺回购": "否", "政府承诺函": "否", "形象工程": "否", "撤县建市设区": "否",
    "财政补足已列预算": "是",
}  # fmt: skip


@pytest.mark.parametrize("heading", ANSWERED)
def test_answers_are_mostly_good_sometimes_bad_sometimes_blank(projects, heading):
    good = ANSWERED[heading]
    share = projects[heading].value_counts(dropna=False, normalize=True)
    assert set(share.index.dropna()) == {"是", "否"}
    assert share[good] > 0.75
    assert share[{"是": "否", "否": "是"}[good]] > 0
    assert projects[heading].isna().any()


def test_what_proposals_say_fits_together(projects):
    number = projects[
        ["用地总面积（公顷）", "占用耕地（公顷）", "占用永久基本农田（公顷）"]
    ].astype(float)
    assert (number.iloc[:, 1:].le(number.iloc[:, 0], axis=0)).all().all()
    assert (number.iloc[:, 2] > 0).mean() == pytest.approx(0.03, abs=0.03)
    lends = projects["银行贷款"].astype(float) > 0
    assert (projects["贷款担保"].notna() == lends).all()
    vehicles = projects["贷款借款主体"] == "融资平台公司"
    assert (
        projects.loc[projects["贷款担保"] == "政府违规担保"].index.isin(vehicles[vehicles].index)
    ).all()
    partner = projects["PPP社会资本"].astype(float) > 0
    assert 0.02 < partner.mean() < 0.15
    assert (projects["PPP回报机制"].notna() == partner).all()
    assert (projects.loc[~partner, "PPP财政承受能力论证"] == "不适用").all()
    parts = projects[["例外事由", "例外决定人", "例外决定日期", "例外理由"]].notna()
    assert set(parts.sum(axis=1)) == {0, 4}
    assert projects["例外决定人"].dropna().str.contains("虚构").all()
    types = projects.groupby("地区编码")["县城类型"].nunique()
    assert (types == 1).all()


def test_supply_is_usually_about_what_residents_need(projects):
    need = (
        projects[["现有能力", "新增能力", "人均标准", "目标年常住人口（人）"]]
        .astype(float)
        .dropna()
    )
    ratio = (need.iloc[:, 0] + need.iloc[:, 1]) / (need.iloc[:, 2] * need.iloc[:, 3])
    assert len(need) > 60
    assert 0.6 < (ratio <= 1.1).mean() < 0.95
    assert (ratio > 1.3).any()
    low = projects["目标年常住人口低方案（人）"].astype(float)
    assert (low.dropna() <= projects["目标年常住人口（人）"].astype(float).dropna()).all()


def test_every_proposal_can_be_read(many):
    """No question is asked under a heading the reader does not know, or answered in other words."""
    pipeline = read_pipeline(many.files.pipeline, last_quarter=LAST)
    assert pipeline.problems == ()
    assert len(pipeline.projects) == round(0.7 * COUNTIES)
    assert {p.illustrative for p in pipeline.projects} == {"synthetic"}
    stated = [p for p in pipeline.projects if all(p.documents.get(d) for d in DOCUMENTS[:-1])]
    assert len(stated) > 0.6 * len(pipeline.projects)


def test_a_set_without_projects_has_the_headings_alone(tmp_path):
    files = write_counties(tmp_path / "set", counties=1, seed=1, projects=0)
    grid = pd.read_excel(files.pipeline, header=None, engine="calamine")
    assert tuple(grid.iloc[-1]) == PIPELINE_HEADINGS


def test_projects_are_small_beside_capacity_with_a_few_large_ones(projects, many):
    size = projects["总投资"].to_numpy(float) * 1e4
    means = capacity(many).loc[LAST].reindex(projects["地区编码"].astype(str)).to_numpy(float)
    share = (size / means)[~np.isnan(means)]
    assert np.median(share) == pytest.approx(0.03, abs=0.01)
    assert 0.005 < (share > 0.2).mean() < 0.1


def test_projects_meet_every_outcome(projects, many):
    """With two years' growth carried on, projects cause, hasten, and do not touch a breach."""
    debt, means = annual(many, "debt_balance"), capacity(many)
    codes = projects["地区编码"].astype(str)
    ahead = np.arange(1, 13)[:, None] / 8
    now, before = debt.loc[LAST, codes].to_numpy(), debt.loc[LAST - 8, codes].to_numpy()
    path = now + (now - before) * ahead
    last = means.loc[LAST, codes].to_numpy()
    money = last * (last / means.loc[LAST - 8, codes].to_numpy()) ** ahead
    bonds = projects[["一般债券", "专项债券"]].sum(axis=1).to_numpy(float) * 1e4
    line = np.select([now / last < 1.2, now / last < 2.0], [1.2, 2.0], 3.0)
    drawn = np.minimum(ahead, 1)
    without, with_it = path / money >= line, (path + bonds * drawn) / money >= line
    known = ~np.isnan(path).any(axis=0)
    first = [np.where(x.any(axis=0), x.argmax(axis=0), 99)[known] for x in (without, with_it)]
    assert ((first[0] == 99) & (first[1] == 99)).sum() > 20
    assert ((first[0] == 99) & (first[1] < 99)).sum() >= 3
    assert (first[1] < first[0])[first[0] < 99].sum() >= 3
    assert ((first[0] == first[1]) & (first[0] < 99)).sum() >= 5
