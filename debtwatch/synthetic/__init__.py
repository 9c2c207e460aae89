"""Fictional counties: fiscal histories and a project pipeline for demonstrations and tests.

Nothing here describes a real place. The figures obey the identities of the accounts, follow the
habits of county finance bureaus (万元, cumulative from January, headings in many spellings) and
carry a known amount of dirt, which the ``README.txt`` beside the files lists. A second set, plain
and quarterly, is a simulated process whose true risk is known: it measures classifiers.

Import from here alone; the modules inside are not an interface.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from debtwatch.errors import ModelProblem
from debtwatch.language import N_
from debtwatch.panel.period import FIRST_YEAR, LAST_YEAR, quarter, quarter_text
from debtwatch.synthetic.counties import FIELDS, CountySet, build
from debtwatch.synthetic.county_process import Process, oracle_probability, simulate_process
from debtwatch.synthetic.paths import YEARS
from debtwatch.synthetic.process_files import ProcessFiles, process_table, write_process
from debtwatch.synthetic.projects import PIPELINE_HEADINGS, propose, write_pipeline
from debtwatch.synthetic.tables import write_tables
from debtwatch.synthetic.whole_folder import check_new_folder, new_folder

__all__ = [
    "FIELDS",
    "PIPELINE_HEADINGS",
    "Process",
    "ProcessFiles",
    "SyntheticFiles",
    "oracle_probability",
    "process_table",
    "simulate_process",
    "write_counties",
    "write_process",
]

DEFAULT_LAST_QUARTER = quarter(2025, 4)
#: Six-digit codes that start with 9 leave room for 100 provinces of 999 counties.
MAX_COUNTIES = 99_900
MAX_PROJECTS = 1_000_000
MAX_WORKBOOKS_BY_DEFAULT = 60

_README = """\
合成数据（虚构县） / Synthetic data (fictional counties)
=========================================================

本目录中的省、县、代码、金额、人口和项目全部是程序虚构的，与任何真实地区无关，不得引用为事实。
Every province, county, code, amount, population and project here is invented by a program. They
describe no real place and must not be quoted as facts.

县 counties: {counties}
期间 periods: {first} - {last}
种子 seed: {seed}
表格 tables: {tables}
项目 projects: {projects}

金额单位为万元；流量自年初累计，存量为季末数；人口单位为人，每年年末更新一次。
Amounts in 万元 (10,000 yuan); flows cumulative from January, stocks at the quarter's end;
population in persons, counted once a year.

省 provinces (code, name, counties)
{provinces}

有意放入的瑕疵 / Faults put in on purpose
缺失行 missing rows: {missing}
迟报行 late rows: {late}
单位错误 unit slips: {slips}
重复行 duplicated rows: {duplicates}
（按年编制的工作簿每张表只写一个公布日期，取当年各季中最晚的一天。）
(A workbook with one sheet for each year gives one publication date for each sheet, the latest.)

单位错误明细 unit slips (code, quarter, field, factor)
{slip_list}

重复行明细 duplicated rows (code, quarter)
{duplicate_list}
"""


@dataclass(frozen=True)
class SyntheticFiles:
    """The files of one synthetic set.

    Attributes
    ----------
    tables : tuple of Path
        Fiscal tables: one workbook for each county, or one csv file of all.
    pipeline : Path
        Workbook of proposed projects.
    readme : Path
        What the set is and which faults were put into it.
    """

    tables: tuple[Path, ...]
    pipeline: Path
    readme: Path


def write_counties(
    out: Path,
    *,
    counties: int,
    seed: int,
    last_quarter: int | None = None,
    projects: int | None = None,
    workbooks: bool | None = None,
) -> SyntheticFiles:
    """Write a set of fictional counties and a pipeline of proposed projects.

    The same arguments give the same bytes. The folder appears whole or not at all.

    Parameters
    ----------
    out : Path
        Folder to create; it may exist when it is empty.
    counties : int
        Number of counties, 1 to 99,900.
    seed : int
        Seed of all chance.
    last_quarter : int, optional
        Ordinal of the last quarter, 2025Q4 when not given. The history starts with the first
        quarter of the year eleven years before.
    projects : int, optional
        Number of projects; seven for every ten counties when not given.
    workbooks : bool, optional
        One workbook for each county instead of one csv file; when not given, up to 60 counties.

    Returns
    -------
    SyntheticFiles

    Raises
    ------
    ModelProblem
        When `out` is not empty or a number is out of range.
    """
    last = DEFAULT_LAST_QUARTER if last_quarter is None else last_quarter
    wanted = max(1, round(0.7 * counties)) if projects is None else projects
    in_workbooks = counties <= MAX_WORKBOOKS_BY_DEFAULT if workbooks is None else workbooks
    _check_numbers(counties, seed, last, wanted)
    check_new_folder(out)
    economy, faults, proposals = map(np.random.default_rng, np.random.SeedSequence(seed).spawn(3))
    synthetic, capacity = build(economy, faults, counties, last)
    pipeline = propose(proposals, synthetic.places, capacity, last, wanted)
    readme = _readme(synthetic, len(pipeline), seed, in_workbooks)
    with new_folder(out) as folder:
        written = write_tables(folder, synthetic, in_workbooks)
        write_pipeline(folder / "pipeline.xlsx", pipeline)
        (folder / "README.txt").write_text(readme, encoding="utf-8", newline="\n")
        tables = tuple(out / path.relative_to(folder) for path in written)
    return SyntheticFiles(tables, out / "pipeline.xlsx", out / "README.txt")


def _check_numbers(counties: int, seed: int, last: int, projects: int) -> None:
    if not 1 <= counties <= MAX_COUNTIES:
        raise ModelProblem(
            N_("{value} counties cannot be made. Ask for 1 to {high}."),
            value=counties,
            high=MAX_COUNTIES,
        )
    if not 0 <= projects <= MAX_PROJECTS:
        raise ModelProblem(
            N_("{value} projects cannot be made. Ask for 0 to {high}."),
            value=projects,
            high=MAX_PROJECTS,
        )
    if seed < 0:
        raise ModelProblem(N_("The seed {value} is negative. Give 0 or more."), value=seed)
    low, high = quarter(FIRST_YEAR + YEARS, 1), quarter(LAST_YEAR - 2, 4)
    if not low <= last <= high:
        raise ModelProblem(
            N_("A history cannot end with {value}. Choose a quarter from {low} to {high}."),
            value=quarter_text(last),
            low=quarter_text(low),
            high=quarter_text(high),
        )


def _readme(synthetic: CountySet, projects: int, seed: int, workbooks: bool) -> str:
    places, dirt = synthetic.places, synthetic.dirt
    sizes = np.bincount(places.province)
    provinces = zip(places.province_codes, places.province_names, sizes, strict=True)

    def row(county: int, t: int) -> str:
        return f"{places.codes[county]} {quarter_text(synthetic.first + t)}"

    slips = (f"{row(s.county, s.quarter)} {s.field} {s.factor:g}" for s in dirt.slips)
    doubles = (row(*place) for place in dirt.duplicates)
    return _README.format(
        counties=len(places.codes),
        first=quarter_text(synthetic.first),
        last=quarter_text(synthetic.first + synthetic.quarters - 1),
        seed=seed,
        tables="counties/*.xlsx" if workbooks else "counties.csv",
        projects=projects,
        provinces="\n".join(f"{code} {name} {size}" for code, name, size in provinces),
        missing=int(dirt.missing.sum()),
        late=int(dirt.late.sum()),
        slips=len(dirt.slips),
        duplicates=len(dirt.duplicates),
        slip_list="\n".join(slips),
        duplicate_list="\n".join(doubles),
    )
