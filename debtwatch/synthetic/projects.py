"""The pipeline: proposed projects, their financing and income, and their workbook."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from pathlib import Path
from typing import Any

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
    "企业自筹资本金", "其中权益型债务工具", "PPP社会资本", "PPP回报机制", "年PPP财政支出责任",
    "县城类型", "可研估算投资", "初步设计概算", "上级补助是否落实", "贷款借款主体", "贷款担保",
    "土地相关收入占比（%）", "收入测算依据", "建设规模",
    "用地总面积（公顷）", "占用耕地（公顷）", "占用永久基本农田（公顷）", "涉及生态保护红线",
    "位于城镇开发边界内", "耕地占补平衡文件", "用地批准",
    "项目建议书", "可研批复", "初步设计", "实施方案", "财务评估报告", "法律意见书", "事前绩效评估",
    "环评批复", "发改项目库入库", "财政项目库入库", "PPP财政承受能力论证",
    "能力单位", "现有能力", "新增能力", "人均标准", "目标年", "目标年常住人口（人）",
    "目标年常住人口低方案（人）",
    "施工方垫资", "承诺回购", "政府承诺函", "楼堂馆所", "形象工程", "撤县建市设区", "轨道交通",
    "列入专项债券负面清单", "财政补足已列预算", "适用资本金下调", "国家重大项目例外",
    "开发边界外准入",
    "强制性安全项目", "受益人口（人）", "涉及气候粮食水安全", "可分期实施",
    "例外事由", "例外决定人", "例外决定日期", "例外理由",
)  # fmt: skip
_DOCUMENTS = PIPELINE_HEADINGS[PIPELINE_HEADINGS.index("项目建议书") :][:10]
_COUNTY_TYPES = (
    "大城市周边县城", "专业功能县城", "农产品主产区县城", "重点生态功能区县城", "人口流失县城",
)  # fmt: skip
#: Share of proposals that answer every question, and well.
_CAREFUL = 0.4


@dataclass(frozen=True)
class _Sector:
    """One kind of project: its name, character, useful life, share of all, income.

    Then its capacity: unit, what a resident needs, and what a unit costs in 万元; works without
    a standard have a size alone, or none.
    """

    name: str
    nature: str
    life: int
    share: float
    earns: float
    unit: str = ""
    standard: float = 0.0
    cost: float = 0.0


_SECTORS = (
    _Sector("污水处理", "准公益性", 25, 0.14, 0.7, "立方米/日", 0.16, 0.6),
    _Sector("供水", "准公益性", 30, 0.10, 0.8, "立方米/日", 0.2, 0.5),
    _Sector("学校", "公益性", 50, 0.14, 0.2, "学位", 0.13, 9.0),
    _Sector("医院", "公益性", 40, 0.08, 0.6, "床位", 0.006, 60.0),
    _Sector("道路", "公益性", 20, 0.16, 0.1, cost=5000.0),
    _Sector("产业园区", "经营性", 30, 0.12, 0.9),
    _Sector("保障性住房", "准公益性", 50, 0.08, 0.7, "套", 0.03, 30.0),
    _Sector("垃圾处理", "准公益性", 20, 0.06, 0.7, "吨/日", 0.0011, 55.0),
    _Sector("办公楼", "公益性", 50, 0.03, 0.0),
    _Sector("水利", "公益性", 40, 0.09, 0.3),
)

_REPAYMENTS = ("到期一次还本", "等额本金", "等额本息")


def propose(
    rng: Generator, places: Places, capacity: Floats, last: int, count: int
) -> pd.DataFrame:
    """Proposed projects, one per row, in the columns of :data:`PIPELINE_HEADINGS`.

    They start in one of the four quarters that follow `last`. What proposals answer beside money
    is mostly good, sometimes bad, sometimes not stated.
    """
    answers_rng = rng.spawn(1)[0]  # the figures of a seed do not move when a question is added
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
    types = answers_rng.integers(0, len(_COUNTY_TYPES), len(places.codes))[county]
    answers = {"县城类型": [_COUNTY_TYPES[k] for k in types], "收入测算依据": "合成：数量×单价"}
    proposed = pd.DataFrame(table).assign(**answers)
    _Answers.of(answers_rng, count).fill(proposed, sectors, last)
    return proposed.reindex(columns=list(PIPELINE_HEADINGS))


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


# -- what proposals answer -----------------------------------------------------------------------


def _only(where: NDArray[np.bool_], words: NDArray[Any]) -> list[str | None]:
    """Keep words where there is something to say."""
    return [word if said else None for said, word in zip(where, words, strict=True)]


@dataclass(frozen=True)
class _Answers:
    """Draws answers for proposals; careful proposals answer every question, and well."""

    rng: Generator
    careful: NDArray[np.bool_]

    @classmethod
    def of(cls, rng: Generator, count: int) -> _Answers:
        return cls(rng, rng.uniform(size=count) < _CAREFUL)

    def happens(self, share: float) -> NDArray[np.bool_]:
        """Draw which proposals have a flaw; careful ones have none."""
        return (self.rng.uniform(size=len(self.careful)) < share) & ~self.careful

    def answer(self, good: str, *, bad: float, blank: float) -> NDArray[np.object_]:
        """Draw yes, no or nothing; ``good`` is the answer without a flaw."""
        found = np.full(len(self.careful), good, dtype=object)
        found[self.happens(bad)] = "否" if good == "是" else "是"
        found[self.happens(blank)] = None
        return found

    def between(self, low: float, high: float) -> Floats:
        return self.rng.uniform(low, high, len(self.careful))

    def about(self, middle: float, spread: float) -> Floats:
        return middle * np.exp(spread * self.rng.normal(size=len(self.careful)))

    def fill(self, table: pd.DataFrame, sectors: list[_Sector], last: int) -> None:
        """Add all answers to a table of proposals."""
        self._money(table)
        self._partnership(table)
        self._capacity(table, sectors, last)
        self._land(table)
        self._papers(table)
        self._features(table, sectors)
        self._override(table, last)

    def _money(self, table: pd.DataFrame) -> None:
        """Costs and grants; enterprises bring part of the own money of commercial projects."""
        total, own = table["总投资"].to_numpy(), table["财政资金"].to_numpy()
        earning = (table["公益属性"] == "经营性").to_numpy()
        equity = rounded(own * np.where(earning, self.between(0.5, 1.0), 0.0))
        perpetual = rounded(equity * np.where(self.happens(0.4), self.between(0.1, 1.0), 0.0))
        table["财政资金"], table["企业自筹资本金"] = own - equity, equity
        table["其中权益型债务工具"] = perpetual
        grown = np.where(self.happens(0.1), self.between(1.1, 1.25), self.between(1.0, 1.08))
        approved = pd.Series(rounded(total / grown), dtype=object)
        table["可研估算投资"] = approved.mask(self.happens(0.05), None)
        table["初步设计概算"] = total
        fees = table["年经营收入"].to_numpy()
        table["年经营收入"] = rounded(
            fees * np.where(self.careful, self.between(1.4, 2.0), self.between(1.0, 1.6))
        )
        granted = (table["上级补助"] > 0).to_numpy()
        committed = self.answer("是", bad=0.25, blank=0.1)
        table["上级补助是否落实"] = _only(granted, committed)
        lends = (table["银行贷款"] > 0).to_numpy()
        vehicle, guaranteed = self.happens(0.4), self.happens(0.15)
        table["贷款借款主体"] = _only(lends, np.where(vehicle, "融资平台公司", "项目公司"))
        guarantee = np.where(guaranteed & vehicle, "政府违规担保", "无")
        table["贷款担保"] = _only(lends, guarantee)
        linked = np.where(self.happens(0.3), np.round(self.between(10, 60)), 0.0)
        table["土地相关收入占比（%）"] = linked

    def _partnership(self, table: pd.DataFrame) -> None:
        """Turn part of the own money of a few projects into that of a private partner."""
        own = table["财政资金"].to_numpy()
        partner = self.happens(0.12) & (own > 0)
        money = rounded(np.where(partner, own * self.between(0.2, 0.5), 0.0))
        kinds = np.array(["使用者付费", "可行性缺口补助", "政府付费"], dtype=object)
        chosen = kinds[self.rng.choice(3, len(own), p=[0.7, 0.2, 0.1])]
        pays = partner & (chosen != kinds[0])
        table["财政资金"], table["PPP社会资本"] = own - money, money
        table["PPP回报机制"] = _only(partner, chosen)
        table["年PPP财政支出责任"] = np.where(pays, rounded(money * 0.08), np.nan)
        proved = self.answer("是", bad=0.15, blank=0.1)
        table["PPP财政承受能力论证"] = np.where(partner, proved, "不适用")

    def _capacity(self, table: pd.DataFrame, sectors: list[_Sector], last: int) -> None:
        """Size, and the need of those served: most build about what is needed."""
        price, standard = (
            np.array([getattr(s, name) for s in sectors], dtype=np.float64).reshape(-1)
            for name in ("cost", "standard")
        )
        size = np.full(len(price), np.nan)
        np.divide(table["总投资"].to_numpy() / self.about(1.0, 0.25), price, out=size,
                  where=price > 0)  # fmt: skip
        size = np.maximum(np.round(size), 1.0)
        table["建设规模"] = np.where(self.happens(0.3), np.nan, size)
        told = (standard > 0) & ~self.happens(0.12)
        added = np.where(told, size, np.nan)
        existing = np.round(added * self.between(0.4, 2.0))
        over = np.where(self.happens(0.35), self.between(1.05, 1.5), self.between(0.75, 1.08))
        people = np.full(len(price), np.nan)
        np.divide(existing + added, over * standard, out=people, where=told)
        table["能力单位"] = [s.unit if t else None for s, t in zip(sectors, told, strict=True)]
        table["现有能力"], table["新增能力"] = existing, added
        table["人均标准"] = np.where(told, standard, np.nan)
        table["目标年"] = np.where(told, (last + 1) // 4 + 6, np.nan)
        table["目标年常住人口（人）"] = np.round(people)
        lower = np.where(self.happens(0.2), self.between(0.65, 0.85), self.between(0.92, 0.99))
        table["目标年常住人口低方案（人）"] = np.round(people * lower)
        table["受益人口（人）"] = np.round(people * self.between(0.3, 0.9))

    def _land(self, table: pd.DataFrame) -> None:
        area = np.round(table["总投资"].to_numpy() / 2500 * self.about(1.0, 0.4) + 0.2, 2)
        fields = np.round(area * np.where(self.between(0, 1) < 0.4, self.between(0, 0.4), 0), 2)
        protected = np.where(self.happens(0.05), np.minimum(area, self.between(0.1, 2.0)), 0.0)
        table["用地总面积（公顷）"], table["占用耕地（公顷）"] = area, fields
        table["占用永久基本农田（公顷）"] = np.round(protected, 2)
        table["涉及生态保护红线"] = self.answer("否", bad=0.04, blank=0.03)
        table["位于城镇开发边界内"] = self.answer("是", bad=0.08, blank=0.03)
        offset = self.answer("是", bad=0.1, blank=0.04)
        table["耕地占补平衡文件"] = _only(fields > 0, offset)
        table["用地批准"] = self.answer("是", bad=0.1, blank=0.03)

    def _papers(self, table: pd.DataFrame) -> None:
        for name in _DOCUMENTS:
            table[name] = self.answer("是", bad=0.02, blank=0.01)

    def _features(self, table: pd.DataFrame, sectors: list[_Sector]) -> None:
        flaws = {
            "施工方垫资": 0.03, "承诺回购": 0.02, "政府承诺函": 0.02, "形象工程": 0.02,
            "撤县建市设区": 0.04, "列入专项债券负面清单": 0.01, "轨道交通": 0.0,
            "国家重大项目例外": 0.0, "开发边界外准入": 0.1, "适用资本金下调": 0.05,
        }  # fmt: skip
        for name, share in flaws.items():
            table[name] = self.answer("否", bad=share, blank=0.02)
        table["楼堂馆所"] = ["是" if s.name == "办公楼" else "否" for s in sectors]
        table["财政补足已列预算"] = self.answer("是", bad=0.2, blank=0.1)
        water = {"供水", "水利", "污水处理"}
        table["涉及气候粮食水安全"] = ["是" if s.name in water else "否" for s in sectors]
        table["可分期实施"] = np.where(self.between(0, 1) < 0.7, "是", "否")

    def _override(self, table: pd.DataFrame, last: int) -> None:
        """Add safety repairs, most with a person's decision, and decisions on no good ground."""
        count = len(self.careful)
        repairs = self.between(0, 1) < 0.12
        table["强制性安全项目"] = np.where(repairs, "是", "否")
        ground = np.full(count, None, dtype=object)
        ground[self.happens(0.04)] = "上级全额补助"
        ground[repairs & (self.between(0, 1) < 0.7)] = "强制性安全修复"
        decided = ground != np.array(None)
        table["例外事由"] = ground
        for heading, text in (
            ("例外决定人", "审批人（虚构）"),
            ("例外决定日期", str(quarter_end(last) + dt.timedelta(days=75))),
            ("例外理由", "合成数据，无真实理由"),
        ):
            table[heading] = [text if yes else None for yes in decided]


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
