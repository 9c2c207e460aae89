"""The form of proposed projects: its columns, and the words a proposal may use in either language.

The workbook reader, the empty form and the reader of single proposals all work from these tables.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache, lru_cache
from types import MappingProxyType

from debtwatch.panel.fields import normalise
from debtwatch.screening.sectors import sectors

#: Words of each choice: what is held, then what a proposal may write, the form's own word first.
WORDS: Mapping[str, Mapping[str, tuple[str, ...]]] = MappingProxyType({
    "county_type": {
        "near_big_city": ("大城市周边县城", "大城市周边", "near big city"),
        "specialised": ("专业功能县城", "专业功能", "specialized"),
        "agricultural": ("农产品主产区县城", "农产品主产区"),
        "ecological": ("重点生态功能区县城", "重点生态功能区"),
        "population_loss": ("人口流失县城", "人口流失", "population loss"),
    },
    "purpose": {
        "new": ("新建", "新建项目", "迁建"),
        "extension": ("扩建", "改扩建", "expansion"),
        "renovation": ("改造", "改建", "更新改造", "技术改造"),
        "equipment": ("设备购置", "购置"),
        "maintenance": ("维修", "维护", "修缮", "repair"),
    },
    "nature": {
        "public": ("公益性", "公益"),
        "quasi_public": ("准公益性", "准公益", "quasi-public", "quasi public"),
        "commercial": ("经营性", "经营"),
    },
    "repayment": {
        "bullet": ("到期一次还本", "一次还本"),
        "equal_principal": ("等额本金", "equal principal"),
        "annuity": ("等额本息",),
    },
    "draw": {
        "yearly": ("按年",), "quarterly": ("按季",), "upfront": ("一次性", "一次提款"),
    },
    "profile": {
        "uniform": ("均匀",), "s_curve": ("S形", "S型", "s-curve", "s curve"),
        "front": ("前期集中",),
    },
    "borrower": {
        "lgfv": ("融资平台公司", "融资平台", "平台公司", "城投公司"), "spv": ("项目公司",),
    },
    "guarantee": {
        "none": ("无", "无担保"),
        "illegal_government": ("政府违规担保", "违规担保", "政府担保"),
    },
    "payment": {
        "user_pay": ("使用者付费", "user pay"),
        "viability_gap": ("可行性缺口补助", "viability gap"),
        "government_pay": ("政府付费", "government pay"),
    },
    "ground": {
        "mandatory_safety": ("强制性安全修复", "强制性安全"),
        "ongoing": ("在建项目续建", "在建"),
        "upper_level_grant": ("上级全额补助",),
    },
    "marking": {
        "": ("真实", "real"),
        "illustrative": ("示例", "示例(虚构)", "虚构示例"),
        "synthetic": ("合成", "合成数据"),
    },
    "flag": {"true": ("是", "y", "yes", "1", "有", "√"), "false": ("否", "n", "no", "0", "无")},
    "document": {
        "true": ("是", "y", "yes", "1", "有", "√"), "false": ("否", "n", "no", "0", "无"),
        "n/a": ("不适用", "na"),
    },
})  # fmt: skip


@dataclass(frozen=True)
class Column:
    """One column of the form.

    Attributes
    ----------
    key : str
        Its canonical name, which is also accepted as a heading.
    zh, en : str
        Heading without its unit, and what it is in English.
    kind : str
        ``text``, ``code``, ``codes``, ``money``, ``number``, ``whole``, ``years``, ``rate``,
        ``share``, ``area``, ``people``, ``year``, ``quarter``, ``day``, ``flag``, ``document``,
        ``sector`` or ``choice``.
    unit : str
        Unit in the heading of the form.
    choice : str
        Key of :data:`WORDS` of a choice.
    path : str
        Key of a single proposal that holds the same thing.
    meaning : str
        What to fill in, for the person who does.
    required : bool
    others : tuple of str
        Other headings under which it is read.
    """

    key: str
    zh: str
    en: str
    kind: str = "text"
    unit: str = ""
    choice: str = ""
    path: str = ""
    meaning: str = ""
    required: bool = False
    others: tuple[str, ...] = ()

    @property
    def heading(self) -> str:
        """Heading of the form, with its unit."""
        return f"{self.zh}（{self.unit}）" if self.unit else self.zh

    @property
    def words(self) -> tuple[str, ...]:
        """Words that its drop-down offers; empty when it has none."""
        if self.kind == "sector":
            return tuple(s.label.zh for s in sectors().values())
        table = {"flag": "flag", "document": "document"}.get(self.kind, self.choice)
        return tuple(words[0] for words in WORDS[table].values()) if table else ()


_UNITS = {"money": "万元", "rate": "%", "share": "%", "years": "年", "area": "公顷", "people": "人"}


def _column(key: str, zh: str, en: str, kind: str = "text", **rest: object) -> Column:
    options: dict[str, object] = {"unit": _UNITS.get(kind, ""), **rest}
    if kind == "choice":
        options.setdefault("choice", key)
    return Column(key, zh, en, kind, **options)  # type: ignore[arg-type]


_BASICS = (
    _column("code", "项目代码", "project code", "code", path="code", required=True,
            others=("项目编码", "project"), meaning="投资项目在线审批监管平台代码，不得重复"),
    _column("name", "项目名称", "project name", path="name"),
    _column("unit", "地区编码", "government code", "code", path="county", required=True,
            others=("行政区划代码", "区划代码", "地区代码", "county"),
            meaning="与财政数据表中的地区编码一致"),
    _column("county_type", "县城类型", "county type", "choice", path="county_type"),
    _column("sector", "行业", "sector", "sector", path="sector", others=("所属行业",)),
    _column("purpose", "建设性质", "purpose", "choice", path="purpose"),
    _column("nature", "公益属性", "nature", "choice", path="nature"),
    _column("start", "开工季度", "start quarter", "quarter", path="start_quarter", required=True,
            others=("计划开工季度",), meaning="如2026Q3；须晚于最近一期财政数据，在建项目除外"),
    _column("build", "建设期", "build quarters", "whole", unit="季度", path="build_quarters",
            required=True, meaning="1至60的整数"),
    _column("life", "使用年限", "life years", "years", path="life_years",
            meaning="大于0、不超过100；留空按20年"),
    _column("approved", "批准日期", "approved on", "day", path="approved_on",
            meaning="已批准项目先于拟建项目计算"),
    _column("marking", "数据性质", "marking", "choice", path="illustrative",
            others=("性质说明",), meaning="非真实项目须注明示例或合成"),
    _column("note", "备注", "note"),
)  # fmt: skip
_COST = (
    _column("total", "总投资", "total investment", "money", path="cost.total_investment",
            required=True, meaning="各项资金来源合计应与之一致（允许误差0.5%）"),
    _column("feasibility", "可研估算投资", "feasibility estimate", "money",
            path="cost.feasibility_estimate", others=("可研估算", "投资估算")),
    _column("budget", "初步设计概算", "budget estimate", "money", path="cost.budget_estimate",
            others=("概算投资",)),
    _column("profile", "投资进度", "profile of spending", "choice", path="cost.profile",
            meaning="未填年度投资时按此分摊；留空为均匀"),
    _column("unit_cost_base", "建设规模", "physical size", "number", path="unit_cost_base",
            meaning="行业表所列计量单位，用于单位造价比较"),
)  # fmt: skip
_FUNDS = (
    _column("fiscal", "财政资金", "general budget funds", "money", path="financing",
            others=("本级财政资金", "一般公共预算资金", "fiscal funds", "fiscal_general"),
            meaning="一般公共预算安排"),
    _column("fiscal_fund", "政府性基金预算资金", "fund budget money", "money", path="financing",
            others=("政府性基金资金",)),
    _column("grant", "上级补助", "central grants", "money", path="financing",
            others=("上级补助资金", "中央预算内投资", "grants", "central_budget_investment"),
            meaning="中央预算内投资等"),
    _column("grant_committed", "上级补助是否落实", "central grants committed", "flag",
            meaning="以书面文件为准"),
    _column("provincial_grant", "省级补助", "provincial grants", "money", path="financing"),
    _column("provincial_committed", "省级补助是否落实", "provincial grants committed", "flag"),
    _column("equity", "企业自筹资本金", "enterprise equity", "money", path="financing",
            others=("enterprise_equity",)),
    _column("equity_like", "其中权益型债务工具", "equity that is debt by nature", "money",
            meaning="永续债等，不得超过企业自筹资本金"),
)  # fmt: skip
_BORROWING = (
    _column("special_bond", "专项债券", "special bonds", "money", path="financing"),
    _column("as_capital", "专项债券用作资本金", "special bonds used as capital", "money",
            meaning="不得超过专项债券金额"),
    _column("general_bond", "一般债券", "general bonds", "money", path="financing"),
    _column("policy_loan", "政策性贷款", "policy loans", "money", path="financing"),
    _column("loan", "银行贷款", "bank loans", "money", path="financing",
            others=("市场化融资", "bank_loan")),
    _column("tenor", "期限", "tenor", "years", others=("债券期限",),
            meaning="有债务时必填，1至30的整数年；以下各项未单列期限、利率的债务均用此值"),
    _column("rate", "年利率", "rate", "rate", others=("利率",), meaning="有债务时必填，如2.6"),
    _column("grace", "宽限期", "grace", "years", meaning="整数年，须短于期限；留空为0"),
    _column("repayment", "还本方式", "repayment", "choice", others=("偿还方式",),
            meaning="留空为到期一次还本"),
    _column("draw", "提款方式", "draw", "choice", meaning="留空为按年"),
    _column("capitalised", "建设期利息资本化", "interest of construction capitalised", "flag",
            meaning="留空为否"),
    *(
        _column(f"{key}_{part}", f"{zh}{name}", f"{en} {part}", kind,
                choice="repayment" if part == "repayment" else "")
        for key, zh, en in (("general", "一般债券", "general-bond"), ("loan", "贷款", "loan"))
        for part, name, kind in (("tenor", "期限", "years"), ("rate", "年利率", "rate"),
                                 ("grace", "宽限期", "years"), ("repayment", "还本方式", "choice"))
    ),
    _column("borrower", "贷款借款主体", "borrower of the loans", "choice"),
    _column("guarantee", "贷款担保", "guarantee of the loans", "choice"),
    _column("ppp", "社会资本方投入", "private money of a partnership", "money", path="financing",
            others=("PPP社会资本", "ppp_private")),
    _column("payment", "PPP回报机制", "payment of a partnership", "choice"),
    _column("ppp_commitment", "年PPP财政支出责任", "yearly PPP commitment", "money",
            path="ppp_commitments", meaning="自完工年起逐年"),
)  # fmt: skip
_OPERATION = (
    _column("income", "年经营收入", "user fees a year", "money", path="income",
            others=("user_fees",), meaning="自完工起每年相同；逐年不同的填“年度收支”表"),
    _column("fund_income", "年基金收入", "fund income a year", "money", path="income"),
    _column("opex", "年运营成本", "running cost a year", "money", path="opex"),
    _column("taxes", "年税费", "taxes a year", "money", path="taxes"),
    _column("land_linked", "土地相关收入占比", "share of income linked to land", "share",
            path="land_linked_share", others=("land_linked_share",)),
    _column("is_net", "收入是否为净收益", "income is net of cost", "flag", path="income_is_net",
            meaning="填“是”时收入不再扣减运营成本；留空为否"),
    _column("basis", "收入测算依据", "basis of income", path="income_basis",
            meaning="数量×单价及依据"),
)  # fmt: skip
_LAND = (
    _column("land_total", "用地总面积", "land total", "area", path="land.total_ha",
            others=("total_ha",)),
    _column("land_cultivated", "占用耕地", "cultivated land", "area", path="land.cultivated_ha",
            others=("cultivated_ha",)),
    _column("land_farmland", "占用永久基本农田", "permanent basic farmland", "area",
            path="land.permanent_basic_farmland_ha", others=("permanent_basic_farmland_ha",)),
    _column("ecological_red_line", "涉及生态保护红线", "inside ecological red line", "flag",
            path="land.ecological_red_line"),
    _column("inside_urban_boundary", "位于城镇开发边界内", "inside urban boundary", "flag",
            path="land.inside_urban_boundary"),
    _column("offset_document", "耕地占补平衡文件", "cultivated land offset document", "flag",
            path="land.offset_document"),
    _column("land_use_approval", "用地批准", "land use approval", "flag",
            path="land.land_use_approval"),
)  # fmt: skip
_DOCUMENTS = tuple(
    _column(key, zh, key.replace("_", " "), "document", path=f"documents.{key}")
    for key, zh in (
        ("project_proposal", "项目建议书"), ("feasibility_approved", "可研批复"),
        ("preliminary_design", "初步设计"), ("implementation_plan", "实施方案"),
        ("financial_report", "财务评估报告"), ("legal_opinion", "法律意见书"),
        ("performance_assessment", "事前绩效评估"), ("eia", "环评批复"),
        ("in_ndrc_store", "发改项目库入库"), ("in_mof_store", "财政项目库入库"),
        ("ppp_affordability", "PPP财政承受能力论证"),
    )
)  # fmt: skip
_NEED = (
    _column("need_unit", "能力单位", "unit of capacity", path="need.unit",
            meaning="如立方米/日、学位、床位"),
    _column("existing", "现有能力", "existing capacity", "number", path="need.existing"),
    _column("added", "新增能力", "added capacity", "number", path="need.added"),
    _column("standard", "人均标准", "standard per resident", "number",
            path="need.standard_per_capita", others=("standard_per_capita",)),
    _column("target_year", "目标年", "target year", "year", path="need.target_year"),
    _column("population_medium", "目标年常住人口", "residents, medium variant", "people",
            path="need.population_medium"),
    _column("population_low", "目标年常住人口低方案", "residents, low variant", "people",
            path="need.population_low"),
)  # fmt: skip
_FLAGS = tuple(
    _column(key, zh, en, "flag", path=f"flags.{key}")
    for key, zh, en in (
        ("contractor_prefinancing", "施工方垫资", "contractor pre-financing"),
        ("guaranteed_buyback", "承诺回购", "guaranteed buy-back"),
        ("commitment_letter", "政府承诺函", "commitment letter"),
        ("office_building", "楼堂馆所", "office building"),
        ("image_project", "形象工程", "image project"),
        ("county_to_city", "撤县建市设区", "county-to-city conversion"),
        ("rail_transit", "轨道交通", "rail transit"),
        ("negative_list", "列入专项债券负面清单", "on the special-bond negative list"),
        ("top_ups_budgeted", "财政补足已列预算", "top-ups budgeted"),
        ("relaxed_capital", "适用资本金下调", "relaxed capital floor"),
        ("national_exception", "国家重大项目例外", "national exception"),
        ("boundary_exempt", "开发边界外准入", "exempt from the boundary"),
    )
)
_PRIORITY = (
    _column("mandatory_safety", "强制性安全项目", "mandatory safety", "flag",
            path="priority.mandatory_safety"),
    _column("sanbao_related", "涉及三保", "part of the three guarantees", "flag",
            path="priority.sanbao_related"),
    _column("ongoing", "在建项目", "ongoing", "flag", path="priority.ongoing"),
    _column("sunk", "已完成投资", "spent so far", "money", path="priority.sunk",
            meaning="在建项目必填"),
    _column("residents_served", "受益人口", "residents served", "people",
            path="priority.residents_served"),
    _column("climate_food_water", "涉及气候粮食水安全", "climate, food or water", "flag",
            path="priority.climate_food_water"),
    _column("stageable", "可分期实施", "can be built in parts", "flag", path="priority.stageable"),
    _column("requires", "前置项目代码", "requires", "codes", path="priority.requires",
            meaning="多个代码用顿号或分号分开"),
    _column("excludes", "互斥项目代码", "excludes", "codes", path="priority.excludes",
            meaning="多个代码用顿号或分号分开"),
    _column("ground", "例外事由", "ground of the override", "choice", path="override.ground",
            meaning="作出例外决定的，以下三项均须填写"),
    _column("override_name", "例外决定人", "override by", path="override.name"),
    _column("override_date", "例外决定日期", "override date", "day", path="override.date"),
    _column("override_reason", "例外理由", "override reason", path="override.reason"),
)  # fmt: skip

#: Columns of the form, in its order.
COLUMNS: tuple[Column, ...] = (
    *_BASICS, *_COST, *_FUNDS, *_BORROWING, *_OPERATION, *_LAND, *_DOCUMENTS, *_NEED, *_FLAGS,
    *_PRIORITY,
)  # fmt: skip
#: Columns of the sheet of yearly money, which takes precedence over the flat columns.
YEARLY: tuple[Column, ...] = (
    _column("code", "项目代码", "project code", "code", required=True,
            others=("项目编码", "project"), meaning="与“项目”表一致"),
    _column("year", "年度", "year", "year", required=True, others=("年份",)),
    _column("user_fees", "经营收入", "user fees", "money", path="income",
            others=("年经营收入", "income")),
    _column("fund_income", "基金收入", "fund income", "money", path="income",
            others=("年基金收入",)),
    _column("opex", "运营成本", "running cost", "money", path="opex", others=("年运营成本",)),
    _column("taxes", "税费", "taxes", "money", path="taxes", others=("年税费",)),
    _column("ppp_commitment", "PPP财政支出责任", "PPP commitment", "money", path="ppp_commitments",
            others=("年PPP财政支出责任",)),
    _column("investment", "年度投资", "investment", "money", path="cost.schedule",
            others=("投资",)),
)  # fmt: skip
#: Sources of money by the column of their amount.
SOURCE_COLUMNS = {
    "fiscal": "fiscal_general", "fiscal_fund": "fiscal_fund",
    "grant": "central_budget_investment", "provincial_grant": "provincial_grant",
    "equity": "enterprise_equity", "general_bond": "general_bond", "special_bond": "special_bond",
    "policy_loan": "policy_loan", "loan": "bank_loan", "ppp": "ppp_private",
}  # fmt: skip
#: Headings that say nothing about a project.
IGNORED = frozenset({"序号", "编号", "no", "no.", "#"})


@cache
def columns_by_heading(columns: tuple[Column, ...]) -> Mapping[str, Column]:
    """Columns by every heading under which they are read, normalised."""
    found: dict[str, Column] = {}
    for column in columns:
        for heading in (column.key, column.zh, column.en, *column.others):
            found.setdefault(normalise(heading), column)
    return MappingProxyType(found)


@cache
def _held_by_word(table: str) -> Mapping[str, str]:
    return MappingProxyType(
        {
            normalise(word): held
            for held, words in WORDS[table].items()
            for word in (held, *words)
            if word
        }
    )


@lru_cache(maxsize=4096)
def word_of(table: str, text: str) -> str | None:
    """Find what a word of a choice stands for; None when it is not one of them.

    Examples
    --------
    >>> word_of("purpose", "改建"), word_of("purpose", "Renovation"), word_of("purpose", "其他")
    ('renovation', 'renovation', None)
    """
    return _held_by_word(table).get(normalise(text))


@cache
def choices_text(table: str) -> str:
    """List the words of a choice, for a message.

    Examples
    --------
    >>> choices_text("nature")
    '公益性 (public)、准公益性 (quasi_public)、经营性 (commercial)'
    """
    if table == "sector":
        return "、".join(s.label.zh for s in sectors().values())
    return "、".join(f"{words[0]} ({held})" if held else words[0]
                    for held, words in WORDS[table].items())  # fmt: skip
