"""The data dictionary: every quantity debtwatch knows, by one name.

A field has a canonical name, the standard line of the Chinese accounts, an English name, a
quantity (money, people, rate, years), a kind (stock at a date or flow over a period) and the table
it comes from. Headings of files are matched to fields here and nowhere else.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from functools import cache


@dataclass(frozen=True)
class Field:
    """One quantity of the data dictionary.

    Attributes
    ----------
    name : str
        Canonical name, used in formulas, files and JSON.
    zh, en : str
        Name in Chinese accounts and in English.
    quantity : str
        ``money`` (held in yuan), ``people``, ``rate`` (held as a decimal) or ``years``.
    kind : str
        ``stock`` (at the quarter's end) or ``flow`` (over the period).
    table : str
        Where it is published.
    synonyms : tuple of str
        Other headings met in files.
    signed : bool
        Whether a negative value can be right.
    """

    name: str
    zh: str
    en: str
    quantity: str
    kind: str
    table: str
    synonyms: tuple[str, ...] = ()
    signed: bool = False


_GENERAL = "决算01表 一般公共预算收支决算总表"
_GENERAL_SPENDING = "一般公共预算支出决算表"
_TRANSFER = "转移支付表"
_FUND = "政府性基金收支决算表"
_CAPITAL = "国有资本经营决算表"
_DEBT = "政府债务限额和余额情况表"
_BOND = "债券发行还本付息表"
_YEARBOOK = "统计年鉴"
_NOT_PUBLIC = "用户提供（不公开）"


def _flow(name: str, zh: str, en: str, table: str, *synonyms: str, signed: bool = False) -> Field:
    return Field(
        name=name,
        zh=zh,
        en=en,
        quantity="money",
        kind="flow",
        table=table,
        synonyms=synonyms,
        signed=signed,
    )


def _stock(name: str, zh: str, en: str, table: str, *synonyms: str) -> Field:
    return Field(
        name=name, zh=zh, en=en, quantity="money", kind="stock", table=table, synonyms=synonyms
    )


def _people(name: str, zh: str, en: str, table: str, *synonyms: str) -> Field:
    return Field(
        name=name, zh=zh, en=en, quantity="people", kind="stock", table=table, synonyms=synonyms
    )


FIELDS: tuple[Field, ...] = (
    _flow("gpb_revenue", "一般公共预算收入", "General public budget revenue", _GENERAL,
          "一般公共预算收入(本年收入合计)", "本年收入合计", "一般预算收入", "地方一般公共预算收入",
          "公共财政预算收入", "budget_rev", "general budget revenue"),
    _flow("implied_net_transfers", "推算净转移收入", "Net transfers implied by the budget identity",
          "由预算恒等式推算：支出－自有收入－一般债务净增额"),
    _flow("tax_revenue", "税收收入", "Tax revenue", _GENERAL, "税收", "其中:税收收入"),
    _flow("nontax_revenue", "非税收入", "Non-tax revenue", _GENERAL, "非税", "其中:非税收入"),
    _flow("gpb_transfer_in", "上级补助收入", "Transfers from higher levels, general budget",
          _GENERAL, "一般公共预算上级补助收入", "转移性收入:上级补助收入", "上级转移支付收入",
          "上级补助"),
    _flow("tax_rebate_in", "返还性收入", "Tax rebates received", _TRANSFER, "税收返还收入"),
    _flow("general_transfer_in", "一般性转移支付收入", "General transfers received", _TRANSFER,
          "一般性转移支付"),
    _flow("special_transfer_in", "专项转移支付收入", "Earmarked transfers received", _TRANSFER,
          "专项转移支付"),
    _flow("gpb_transfer_out", "上解上级支出", "Remittances to higher levels, general budget",
          _GENERAL, "上解支出", "一般公共预算上解上级支出"),
    _flow("gpb_debt_onlend_in", "地方政府一般债务转贷收入", "General debt on-lent by the province",
          _GENERAL, "债务转贷收入", "债务(转贷)收入", "一般债务(转贷)收入",
          "债务(转贷)收入:地方政府一般债务(转贷)收入"),
    _flow("gpb_carryover_in", "上年结余收入", "Carry-over from last year", _GENERAL, "上年结余"),
    _flow("stabilisation_fund_in", "动用预算稳定调节基金", "Drawn from the stabilisation fund",
          _GENERAL, "调入预算稳定调节基金"),
    _flow("transferred_in", "调入资金", "Funds moved in from other budgets", _GENERAL),
    _flow("gpb_expenditure", "一般公共预算支出", "General public budget expenditure", _GENERAL,
          "一般公共预算支出(本年支出合计)", "本年支出合计", "一般预算支出", "公共财政预算支出",
          "地方一般公共预算支出", "budget_exp", "general budget expenditure"),
    _flow("gpb_debt_principal", "地方政府一般债务还本支出", "General debt principal repaid",
          _BOND, "一般债务还本支出", "一般债券还本", "一般债还本", "一般债务还本", "repay_general"),
    _flow("gpb_debt_interest", "地方政府一般债务付息支出", "General debt interest paid",
          _GENERAL_SPENDING, "一般债务付息支出", "一般债券付息", "一般债付息", "一般债务付息",
          "interest_general"),
    _flow("issue_cost", "债务发行费用支出", "Debt issue costs", _GENERAL_SPENDING, "发行费用"),
    _flow("gfb_revenue", "政府性基金预算收入", "Government fund revenue", _FUND, "政府性基金收入",
          "基金收入", "基金预算收入", "fund_rev"),
    _flow("land_revenue", "国有土地使用权出让收入", "Land-use right sales", _FUND, "土地出让收入",
          "土地使用权出让收入", "国有土地出让收入", "其中:土地出让收入"),
    _flow("gfb_transfer_in", "政府性基金上级补助收入", "Transfers from higher levels, funds", _FUND,
          "政府性基金补助收入", "基金上级补助收入"),
    _flow("gfb_transfer_out", "政府性基金上解支出", "Remittances to higher levels, funds", _FUND,
          "基金上解支出", "政府性基金上解上级支出"),
    _flow("gfb_expenditure", "政府性基金预算支出", "Government fund expenditure", _FUND,
          "政府性基金支出", "基金支出", "基金预算支出", "fund_exp"),
    _flow("gfb_debt_principal", "地方政府专项债务还本支出", "Special debt principal repaid", _BOND,
          "专项债务还本支出", "专项债券还本", "专项债还本", "专项债务还本", "repay_special"),
    _flow("gfb_debt_interest", "地方政府专项债务付息支出", "Special debt interest paid", _FUND,
          "专项债务付息支出", "专项债券付息", "专项债付息", "专项债务付息", "interest_special"),
    _flow("soe_revenue", "国有资本经营预算收入", "State capital budget revenue", _CAPITAL,
          "国资预算收入"),
    _flow("soe_expenditure", "国有资本经营预算支出", "State capital budget expenditure", _CAPITAL,
          "国资预算支出"),
    _stock("general_debt_limit", "一般债务限额", "General debt limit", _DEBT,
           "地方政府一般债务限额", "一般债限额", "limit_general"),
    _stock("special_debt_limit", "专项债务限额", "Special debt limit", _DEBT,
           "地方政府专项债务限额", "专项债限额", "limit_special"),
    _stock("general_debt_balance", "一般债务余额", "General debt balance", _DEBT,
           "地方政府一般债务余额", "一般债余额", "一般债券余额", "bal_general"),
    _stock("special_debt_balance", "专项债务余额", "Special debt balance", _DEBT,
           "地方政府专项债务余额", "专项债余额", "专项债券余额", "bal_special"),
    _stock("debt_balance", "债务余额", "Debt balance", _DEBT, "政府债务余额", "地方政府债务余额",
           "债务余额合计", "法定债务余额", "bal_total"),
    _flow("new_debt_quota", "新增债务限额", "New debt quota of the year", _DEBT, "新增限额",
          "当年新增债务限额", "quota_total", signed=True),
    _flow("new_general_bonds", "新增一般债券", "New general bonds", _BOND, "新增一般债券发行额",
          "新增一般债", "new_general"),
    _flow("new_special_bonds", "新增专项债券", "New special bonds", _BOND, "新增专项债券发行额",
          "新增专项债", "new_special"),
    _flow("refinancing_general_bonds", "再融资一般债券", "Refinancing general bonds", _BOND,
          "refi_general"),
    _flow("refinancing_special_bonds", "再融资专项债券", "Refinancing special bonds", _BOND,
          "refi_special"),
    _flow("refinancing_bonds", "再融资债券", "Refinancing bonds", _BOND, "再融资债券发行额"),
    _flow("swap_bonds", "置换债券", "Swap bonds (hidden debt replaced)", _BOND, "化债债券",
          "置换隐性债务专项债券", "用于置换存量隐性债务的再融资专项债券"),
    _flow("general_bonds_issued", "一般债券发行额", "General bonds issued, all purposes", _BOND,
          "一般债发行额", "issue_general"),
    _flow("special_bonds_issued", "专项债券发行额", "Special bonds issued, all purposes", _BOND,
          "专项债发行额", "issue_special"),
    Field("issue_rate", "债券平均发行利率", "Average rate of bonds issued", "rate", "flow", _BOND,
          synonyms=("平均发行利率", "平均利率", "avg_rate_pct")),
    Field("issue_tenor", "债券平均发行期限", "Average tenor of bonds issued", "years", "flow",
          _BOND, synonyms=("平均发行期限", "平均期限", "avg_tenor_yr")),
    _flow("debt_service_next_year", "下一年度还本付息额", "Debt service of the next year", _BOND,
          "未来一年还本付息"),
    _stock("hidden_debt_balance", "隐性债务余额", "Hidden debt balance", _NOT_PUBLIC, "隐性债务"),
    _stock("lgfv_interest_bearing_debt", "融资平台有息债务", "LGFV interest-bearing debt",
           _NOT_PUBLIC, "城投有息债务", "融资平台公司有息债务"),
    _flow("gdp", "地区生产总值", "Gross regional product", _YEARBOOK, "生产总值", "gdp"),
    _people("resident_population", "常住人口", "Resident population", _YEARBOOK,
            "年末常住人口", "population"),
    _people("registered_population", "户籍人口", "Registered population", _YEARBOOK,
            "年末户籍人口"),
    _people("county_seat_population", "县城常住人口", "Resident population of the county seat",
            _YEARBOOK),
    _people("fiscal_dependents", "财政供养人员", "Staff paid by the budget", _NOT_PUBLIC,
            "财政供养人口"),
    _flow("sanbao_expenditure", "“三保”支出", "Spending on the three guarantees", "预算报告",
          "三保支出"),
    _stock("stabilisation_fund_balance", "预算稳定调节基金余额", "Stabilisation fund balance",
           _GENERAL, "稳定调节基金余额"),
    _stock("treasury_cash", "国库存款余额", "Treasury cash", _NOT_PUBLIC, "库款余额", "库款"),
    _stock("overdue_debt", "逾期债务", "Overdue debt", _NOT_PUBLIC, "逾期债务余额"),
)  # fmt: skip

#: Columns that say what a row is about, by canonical name.
KEY_HEADINGS: dict[str, tuple[str, ...]] = {
    "unit": ("地区编码", "行政区划代码", "区划代码", "地区代码", "编码", "代码", "单位编码", "code",
             "unit", "unit code"),
    "name": ("地区", "地区名称", "单位名称", "编制单位", "名称", "区县", "县区", "县（市、区）",
             "region", "name", "county"),
    "level": ("级次", "行政级次", "级别", "level"),
    "parent": ("上级", "上级编码", "上级区划代码", "parent"),
    "basis": ("口径", "核算口径", "账户口径"),
    "period": ("期间", "季度", "年度", "年份", "会计期间", "报告期", "日期", "截止日期", "period",
               "quarter", "year", "date"),
    "known_from": ("公布日期", "发布日期", "公开日期", "known_from", "published",
                   "publication date"),
    "known_from_basis": ("公布日期依据", "公布日期说明", "known_from_basis"),
    "status": ("数据状态", "状态", "status"),
    "item": ("项目", "指标", "科目", "预算科目", "item", "field", "indicator"),
    "value": ("金额", "数值", "数额", "value", "amount"),
    "unit_of_measure": ("计量单位", "单位", "unit of measure", "units"),
    "nature": ("数据性质", "nature"),
    "note": ("备注", "说明", "note", "notes"),
}  # fmt: skip

LEVELS = {
    "province": ("省级", "省", "自治区", "直辖市", "province"),
    "city": ("市级", "地市", "地级市", "计划单列市", "市", "city"),
    "county": ("县级", "县", "区县", "区", "county"),
    "corps": ("兵团", "corps"),
}
STATUSES = {
    "budget": ("预算", "预算数", "budget"),
    "preliminary": ("快报", "执行数", "快报数", "初步", "preliminary"),
    "final": ("决算", "决算数", "final"),
    "audited": ("审计", "审定", "审计数", "audited"),
}
STATUS_NAMES = {
    "budget": ("预算数", "Budget"),
    "preliminary": ("快报数", "Preliminary"),
    "final": ("决算数", "Final accounts"),
    "audited": ("审计数", "Audited"),
}

_MONEY_SCALES = {
    "元": 1.0, "人民币元": 1.0, "yuan": 1.0, "cny": 1.0, "rmb": 1.0,
    "千元": 1e3, "万元": 1e4, "10000yuan": 1e4, "10,000yuan": 1e4, "百万元": 1e6,
    "million": 1e6, "millionyuan": 1e6, "cnymillion": 1e6, "亿元": 1e8, "100millionyuan": 1e8,
    "cny100million": 1e8, "billionyuan": 1e9, "cnybillion": 1e9, "cnybn": 1e9,
}  # fmt: skip
_OTHER_SCALES = {
    "人": ("people", 1.0), "万人": ("people", 1e4), "people": ("people", 1.0),
    "persons": ("people", 1.0), "%": ("rate", 0.01), "年": ("years", 1.0), "years": ("years", 1.0),
}  # fmt: skip
_LEADING_NUMBER = re.compile(
    r"^(?:[一二三四五六七八九十]+[、.．]|\([一二三四五六七八九十\d]+\)|\d+[、.．](?!\d)|[a-z]\.)+"
)
_BRACKETS = re.compile(r"[（(\[【]([^（()\[\]【】）]*)[)）\]】]")
_TO_DATE = ("累计", "年初至今", "年累计", "ytd", "year to date", "cumulative")
_DISCRETE = ("当季", "本季", "单季", "当期", "本期发生", "季度发生", "discrete", "in the quarter")


def normalise(text: str) -> str:
    """Reduce a heading to what identifies it: width, case, spaces, numbering, punctuation.

    Examples
    --------
    >>> normalise(" 一、一般公共预算收入：")
    '一般公共预算收入'
    >>> normalise("ＧＤＰ")
    'gdp'
    """
    plain = unicodedata.normalize("NFKC", text).strip().lower()
    plain = re.sub(r"\s+", " " if plain.isascii() else "", plain)
    plain = _LEADING_NUMBER.sub("", plain)
    return plain.strip(":;,、.。*＊ ").replace("“", "").replace("”", "").replace('"', "")


@dataclass(frozen=True)
class Heading:
    """What a heading says.

    Attributes
    ----------
    field : Field or None
        Field it names.
    key : str or None
        Key column it names, such as ``period``.
    scale : float or None
        Factor to the held unit when the heading carries a unit.
    to_date : bool or None
        True for year-to-date, False for the quarter alone, None when it does not say.
    """

    field: Field | None = None
    key: str | None = None
    scale: float | None = None
    to_date: bool | None = None


@cache
def field_named(name: str) -> Field:
    """Field of a canonical name.

    Raises
    ------
    KeyError
        For an unknown name.
    """
    return _by_name()[name]


@cache
def _by_name() -> dict[str, Field]:
    return {field.name: field for field in FIELDS}


def is_field(name: str) -> bool:
    """Whether a name is in the data dictionary."""
    return name in _by_name()


@cache
def _by_heading() -> dict[str, Field]:
    known: dict[str, Field] = {}
    for field in FIELDS:
        for heading in (field.name, field.zh, field.en, *field.synonyms):
            known.setdefault(_without_brackets(normalise(heading)), field)
            known.setdefault(normalise(heading), field)
    return known


@cache
def _key_by_heading() -> dict[str, str]:
    return {normalise(h): key for key, names in KEY_HEADINGS.items() for h in (key, *names)}


def known_headings() -> list[str]:
    """Every heading debtwatch can read, for suggestions."""
    return [*_by_heading(), *_key_by_heading()]


def _without_brackets(text: str) -> str:
    return _BRACKETS.sub("", text).strip(":：- ")


def money_scale(text: str) -> float | None:
    """Yuan per unit of a money unit's name, None when it is not one.

    Examples
    --------
    >>> money_scale("亿元"), money_scale("万 元"), money_scale("acres")
    (100000000.0, 10000.0, None)
    """
    plain = re.sub(r"\s+", "", unicodedata.normalize("NFKC", text).lower())
    return _MONEY_SCALES.get(plain)


def scale_of(text: str) -> float | None:
    """Factor from a unit of measure (money, people, percent, years) to the held unit."""
    plain = re.sub(r"\s+", "", unicodedata.normalize("NFKC", text).lower())
    if plain in _OTHER_SCALES:
        return _OTHER_SCALES[plain][1]
    return _MONEY_SCALES.get(plain)


@cache
def read_heading(text: str) -> Heading:
    """Read a heading: the field or key it names, its unit, whether it is year-to-date.

    Examples
    --------
    >>> heading = read_heading("一、一般公共预算收入（累计，万元）")
    >>> heading.field.name, heading.scale, heading.to_date
    ('gpb_revenue', 10000.0, True)
    >>> read_heading("地区编码").key
    'unit'
    """
    plain = normalise(text)
    scale, to_date = _marks(plain)
    for candidate in (plain, _without_brackets(plain), _without_marks(plain)):
        if key := _key_by_heading().get(candidate):
            return Heading(key=key, scale=scale, to_date=to_date)
        if field := _by_heading().get(candidate):
            return Heading(field=field, scale=scale, to_date=to_date)
    return Heading(scale=scale, to_date=to_date)


def _marks(plain: str) -> tuple[float | None, bool | None]:
    """Read the unit and year-to-date mark that a heading carries in brackets or words."""
    scale = None
    for content in _BRACKETS.findall(plain):
        for part in re.split(r"[,，;；、/ ]+", content):
            scale = scale_of(part.removeprefix("单位:")) or scale
    if any(mark in plain for mark in _TO_DATE):
        return scale, True
    if any(mark in plain for mark in _DISCRETE):
        return scale, False
    return scale, None


def _without_marks(plain: str) -> str:
    bare = _without_brackets(plain)
    for mark in (*_TO_DATE, *_DISCRETE):
        bare = bare.replace(mark, "")
    return bare.strip("-_ :：数")


def read_code(value: str, table: dict[str, tuple[str, ...]]) -> str | None:
    """Canonical word for a level or a status, None when it is not in the table.

    Examples
    --------
    >>> read_code("决算数", STATUSES)
    'final'
    """
    plain = normalise(value)
    for code, names in table.items():
        if plain == code or plain in names:
            return code
    return None
