"""The pipeline: proposed projects, their financing and income, and their workbook."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.random import Generator
from numpy.typing import NDArray

from debtwatch.panel.period import quarter_end, quarter_text
from debtwatch.synthetic.counties import Places
from debtwatch.synthetic.paths import Floats, Ints, rounded
from debtwatch.synthetic.tables import SYNTHETIC_TITLE, new_workbook

PIPELINE_HEADINGS = (
    "项目代码", "项目名称", "地区编码", "行业", "建设性质", "公益属性", "开工季度",
    "建设期（季度）", "使用年限（年）", "总投资", "财政资金", "上级补助", "一般债券", "专项债券",
    "银行贷款", "期限（年）", "年利率（%）", "宽限期（年）", "还本方式", "批准日期",
    "年经营收入", "年基金收入", "年运营成本", "数据性质",
)  # fmt: skip


@dataclass(frozen=True)
class _Sector:
    """One kind of project: its name, character, useful life, share of all, income."""

    name: str
    nature: str
    life: int
    share: float
    earns: float


_SECTORS = (
    _Sector("污水处理", "准公益性", 25, 0.14, 0.7),
    _Sector("供水", "准公益性", 30, 0.10, 0.8),
    _Sector("学校", "公益性", 50, 0.14, 0.2),
    _Sector("医院", "公益性", 40, 0.08, 0.6),
    _Sector("道路", "公益性", 20, 0.16, 0.1),
    _Sector("产业园区", "经营性", 30, 0.12, 0.9),
    _Sector("保障性住房", "准公益性", 50, 0.08, 0.7),
    _Sector("垃圾处理", "准公益性", 20, 0.06, 0.7),
    _Sector("办公楼", "公益性", 50, 0.03, 0.0),
    _Sector("水利", "公益性", 40, 0.09, 0.3),
)

_REPAYMENTS = ("到期一次还本", "等额本金", "等额本息")


def propose(
    rng: Generator, places: Places, capacity: Floats, last: int, count: int
) -> pd.DataFrame:
    """Proposed projects, one per row, in the columns of :data:`PIPELINE_HEADINGS`.

    They start in one of the four quarters that follow `last`.
    """
    county = rng.integers(0, len(places.codes), count)
    kind = rng.choice(len(_SECTORS), count, p=[sector.share for sector in _SECTORS])
    sectors = [_SECTORS[k] for k in kind]
    pairs = list(zip(county, kind, strict=True))
    year, codes = (last + 1) // 4, [places.codes[c] for c in county]
    share = np.clip(np.exp(np.log(0.03) + 1.2 * rng.normal(size=count)), 0.002, 0.6)
    total = np.maximum(rounded(share * capacity[county] / 10) * 10, 500)
    commercial = np.array([s.nature == "经营性" for s in sectors], dtype=bool)
    money = _financing(rng, total, commercial)
    tenor = rng.choice([10, 15, 20, 30], count, p=[0.2, 0.35, 0.3, 0.15])
    rate = np.round(rng.uniform(1.8, 2.6, count), 2)
    earns = np.array([s.earns for s in sectors], dtype=np.float64)
    income = _income(rng, money["专项债券"], tenor, rate, earns)
    table = {
        "项目代码": [f"{year}-{code}-{i:05d}" for i, code in enumerate(codes, start=1)],
        "项目名称": [f"{places.names[c]}{_SECTORS[k].name}项目（虚构）" for c, k in pairs],
        "地区编码": codes,
        "行业": [s.name for s in sectors],
        "建设性质": rng.choice(["新建", "扩建", "改造"], count, p=[0.6, 0.22, 0.18]),
        "公益属性": [s.nature for s in sectors],
        "开工季度": [quarter_text(last + int(q)) for q in rng.integers(1, 5, count)],
        "建设期（季度）": rng.integers(4, 17, count),
        "使用年限（年）": [s.life for s in sectors],
        "总投资": total,
        **money,
        "期限（年）": tenor,
        "年利率（%）": rate,
        "宽限期（年）": np.minimum(rng.integers(0, 6, count), tenor // 3),
        "还本方式": rng.choice(_REPAYMENTS, count, p=[0.5, 0.35, 0.15]),
        "批准日期": _approvals(rng, last, count),
        **income,
        "数据性质": ["合成"] * count,
    }
    return pd.DataFrame(table, columns=list(PIPELINE_HEADINGS))


def _financing(rng: Generator, total: Ints, commercial: NDArray[np.bool_]) -> dict[str, Ints]:
    """Divide totals among sources; the county's own funds take the rest."""
    count = len(total)
    special = rounded(total * rng.uniform(0.5, 0.8, count))
    rest = total - special
    loan = rounded(rest * np.where(commercial, rng.uniform(0.2, 0.6, count), 0.0))
    borrows = ~commercial & (rng.uniform(size=count) < 0.15)
    general = rounded(rest * np.where(borrows, rng.uniform(0.1, 0.4, count), 0.0))
    granted = ~commercial & (rng.uniform(size=count) < 0.5)
    grants = rounded(rest * np.where(granted, rng.uniform(0.1, 0.5, count), 0.0))
    return {
        "财政资金": rest - loan - general - grants,
        "上级补助": grants,
        "一般债券": general,
        "专项债券": special,
        "银行贷款": loan,
    }


def _income(
    rng: Generator, debt: Ints, tenor: Ints, rate: Floats, earns: Floats
) -> dict[str, Ints]:
    """Yearly income and cost: on average a little more than the debt service."""
    service = debt * (1 / tenor + rate / 100 * 0.6)
    net = service * np.exp(np.log(1.18) + 0.25 * rng.normal(size=len(debt)))
    fees = net * np.clip(earns + rng.normal(0, 0.1, len(debt)), 0, 1) * (earns > 0)
    cost = 0.2 * fees + 0.002 * debt
    return {
        "年经营收入": rounded(fees + cost * (earns > 0)),
        "年基金收入": rounded((net - fees) * (earns > 0)),
        "年运营成本": rounded(cost),
    }


def _approvals(rng: Generator, last: int, count: int) -> list[str | None]:
    days = rng.integers(0, 365, count)
    blank = rng.permutation(count) < count / 3
    end = quarter_end(last)
    return [
        None if empty else str(end - dt.timedelta(days=int(day)))
        for day, empty in zip(days, blank, strict=True)
    ]


def write_pipeline(path: Path, projects: pd.DataFrame) -> None:
    """Write the proposed projects into a workbook of one sheet."""
    book = new_workbook(path)
    sheet = book.add_worksheet("项目")
    sheet.write(0, 0, f"拟建项目清单　{SYNTHETIC_TITLE}")
    sheet.write(1, 0, "单位：万元")
    sheet.write_row(2, 0, PIPELINE_HEADINGS)
    for column, heading in enumerate(PIPELINE_HEADINGS):
        values = ["" if pd.isna(value) else value for value in projects[heading].tolist()]
        sheet.write_column(3, column, values)
    book.close()
