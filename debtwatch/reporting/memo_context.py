"""What a screening memo says, as values: the contract between the screening and the templates.

Templates show these fields and compute nothing. ``screening.json`` is the same tree, so that every
figure on a page stands in it under the same name. Amounts are yuan, ratios decimals, quarters text
such as 2025Q4. None is "no data". Sentences and names are held in both languages.
"""

from __future__ import annotations

from dataclasses import dataclass

from debtwatch.reporting.context import PathPoint, Source, says


@dataclass(frozen=True, slots=True)
class Said:
    """A name or sentence in both languages."""

    zh: str = says("in Chinese")
    en: str = says("in English")


@dataclass(frozen=True, slots=True)
class Level:
    """A level of a warning system, or a decision, with how bad it is."""

    id: str = says("its id")
    label: Said = says("in words")
    severity: int = says("0 good to 3 worst, 9 no data")


@dataclass(frozen=True, slots=True)
class SettingRow:
    """A cut-off that is ours and not an authority's."""

    key: str = says("section and name in models/screening.toml")
    value: str = says("its value as the file has it")


@dataclass(frozen=True, slots=True)
class BookRow:
    """A rulebook that decisions rest on."""

    reference: str = says("family@version")
    title: Said = says("its title")
    status: str = says("official, practice, reference or project_default")
    status_label: Said = says("the status in words")
    sources: list[Said] = says("law or practice it rests on")


@dataclass(frozen=True, slots=True)
class MemoMeta:
    """What the memo is about."""

    quarter: str = says("quarter of the accounts")
    as_of: str = says("nothing published after this day is used")
    language: str = says("zh or en: language of the pages")
    version: str = says("version of debtwatch")
    seed: int = says("seed of random draws")
    synthetic: bool = says("whether any source is synthetic")
    illustrative: bool = says("whether any project is invented for illustration")
    money_unit: str = says("unit amounts are shown in")
    thresholds: list[float] = says("thresholds that rounding must not reach", "decimal")
    horizon: int = says("quarters ahead within which a breach counts", "quarters")
    paths: int = says("simulated paths")
    consecutive: int = says("quarters in a row beyond a line that count as a breach")
    tolerance: float = says("probability of breach that headroom at tolerance leaves", "decimal")
    settings: list[SettingRow] = says("cut-offs that are ours")
    rulebooks: list[BookRow] = says("rulebooks used")
    sources: list[Source] = says("files of the store that contribute")
    pipelines: list[Source] = says("files of proposals")


@dataclass(frozen=True, slots=True)
class CheckRow:
    """One check of one proposal."""

    id: str = says("check")
    name: Said = says("its name")
    status: str = says("passed, failed, na or not_applicable")
    severity: str = says("H reject, D defer, C conditions, I information")
    sentence: Said = says("finding in words")
    value: float | None = says("value", "as unit says")
    threshold: float | None = says("threshold", "as unit says")
    operator: str = says("with which value, operator, threshold is the failure")
    unit: str = says("ratio, money, number, flag or times")
    quarter: str | None = says("quarter of the worst value")
    source: Said = says("clause of law, or that the cut-off is ours")
    rulebook: str = says("family@version of the rulebook in force, empty when on none")
    ours: bool = says("whether the cut-off is ours and not an authority's")
    missing: list[Said] = says("figures or answers that are lacking")
    without_grants: bool = says("whether it is the result without grants nobody committed")
    lifted: bool = says("whether an override lifted it")


@dataclass(frozen=True, slots=True)
class OverrideBox:
    """A person's decision to lift deferrals and conditions."""

    ground: Said = says("ground")
    name: str = says("who takes it")
    date: str = says("day")
    reason: str = says("reason given")
    lifted: list[str] = says("checks it lifted")
    before: Level | None = says("what the checks alone give")
    refused: Said | None = says("why it does not hold")


@dataclass(frozen=True, slots=True)
class Verdict:
    """The recommendation of the desk."""

    decision: Level = says("pass, conditional, defer or reject")
    meaning: Said = says("what follows from it")
    validity: Said = says("how long it holds, or when to look again")
    valid_until: str | None = says("last quarter in which it holds")
    earliest: str | None = says("earliest start that respects every line")
    override: OverrideBox | None = says("a person's decision, taken or refused")


@dataclass(frozen=True, slots=True)
class CalibreRow:
    """The headline ratio on one calibre of debt, without and with the project."""

    calibre: Said = says("statutory debt, or with hidden debt")
    now: Level = says("level now")
    without: Level = says("worst level ahead without the project")
    with_project: Level = says("worst level ahead with it")
    value_now: float | None = says("ratio now", "decimal")
    worst_without: float | None = says("highest ratio ahead without the project", "decimal")
    worst_with: float | None = says("highest ratio ahead with it", "decimal")
    worst_quarter: str | None = says("quarter of the highest ratio with the project")
    line: float | None = says("first line above the present level", "decimal")
    inclusive: bool = says("whether the number itself already counts")
    breach_without: str | None = says("first quarter beyond it without the project")
    breach_with: str | None = says("first quarter beyond it with the project")
    quarters_sooner: int = says("quarters by which the project brings it forward")
    effect: str = says("caused, brought_forward, anyway, already, no_effect or no_data")
    sentence: Said = says("that effect in words")


@dataclass(frozen=True, slots=True)
class ChancePoint:
    """Share of paths that have breached by a quarter."""

    quarter: str = says("quarter")
    without: float | None = says("without the project", "decimal")
    with_project: float | None = says("with it", "decimal")


@dataclass(frozen=True, slots=True)
class Chance:
    """Probability of breach of the next line."""

    line: float = says("the line", "decimal")
    without: float | None = says("without the project", "decimal")
    with_project: float | None = says("with it", "decimal")
    added: float | None = says("what the project adds", "decimal")
    error_without: float | None = says("standard error", "decimal")
    error_with: float | None = says("standard error", "decimal")
    error_added: float | None = says("standard error of the paired difference", "decimal")
    by_quarter: list[ChancePoint] = says("by quarter")
    paths: int = says("simulated paths")
    horizon: int = says("quarters ahead", "quarters")
    consecutive: int = says("quarters in a row that make a breach")
    seed: int = says("seed")


@dataclass(frozen=True, slots=True)
class QuotaRow:
    """Use of a legal limit."""

    ledger: Said = says("type of debt")
    balance: float | None = says("balance", "yuan")
    drawn: float | None = says("draws of the project", "yuan")
    pipeline: float | None = says("draws of projects approved already", "yuan")
    limit: float | None = says("legal limit", "yuan")


@dataclass(frozen=True, slots=True)
class InterestRow:
    """Interest over expenditure of one ledger."""

    ledger: Said = says("type of debt")
    now: float | None = says("now", "decimal")
    without: float | None = says("highest value ahead without the project", "decimal")
    with_project: float | None = says("highest value ahead with it", "decimal")


@dataclass(frozen=True, slots=True)
class RoomRow:
    """Headroom under one line or limit."""

    key: str = says("kind of line or limit")
    label: Said = says("its name")
    line: float | None = says("the line or limit itself", "decimal or yuan")
    is_money: bool = says("whether the line is an amount")
    supremum: float | None = says("debt at which the line would be reached", "yuan")
    printed: float | None = says("largest whole 万元 that stays on the good side", "yuan")
    scale: float | None = says("largest scale of the project that fits", "share of the project")
    unlimited: bool = says("whether no scale of the project meets this line")
    quarter: str | None = says("quarter that binds")
    binding: bool = says("whether it is the line that leaves least")
    limits_project: bool = says("whether it is the line that allows the smallest scale")
    sentence: Said | None = says("that there is no headroom, or that it is not known")


@dataclass(frozen=True, slots=True)
class ChartLine:
    """A line of the headline rulebook."""

    value: float = says("the line", "decimal")
    label: Said = says("what begins there")
    severity: int = says("severity of what begins there")
    inclusive: bool = says("whether the number itself already counts")


@dataclass(frozen=True, slots=True)
class Consequence:
    """What the project does to its government."""

    calibres: list[CalibreRow] = says("headline ratio on each calibre")
    chance: Chance | None = says("probability of breach")
    path: list[PathPoint] = says("headline ratio now and on the central path")
    lines: list[ChartLine] = says("lines of the headline rulebook in force")
    breach_with: str | None = says("first breach with the project, marked in the chart")
    breach_without: str | None = says("first breach without it")
    quotas: list[QuotaRow] = says("legal limits")
    interest: list[InterestRow] = says("interest ratios")
    stressed_without: Level | None = says("worst level under stress without the project")
    stressed_with: Level | None = says("worst level under stress with it")
    stressed_by: Said | None = says("scenario of that level")
    liquidity: float | None = says("financing need of four quarters over capacity", "decimal")
    liquidity_quarter: str | None = says("first of those quarters")
    sanbao_margin: float | None = says(
        "smallest yearly capacity left after service and the three guarantees", "yuan"
    )
    sanbao_quarter: str | None = says("quarter of that margin")
    province_before: float | None = says("expected governments of the province beyond their line")
    province_after: float | None = says("the same with the project")
    province_ratio_before: float | None = says("debt ratio of the province together", "decimal")
    province_ratio_after: float | None = says("the same with the project", "decimal")
    rooms: list[RoomRow] = says("headroom by line")


@dataclass(frozen=True, slots=True)
class MoneyRow:
    """One source of a project's money."""

    source: Said = says("source")
    amount: float = says("amount", "yuan")
    share: float | None = says("share of total investment", "decimal")
    terms: Said | None = says("terms of a debt, or standing of a grant")
    is_debt: bool = says("whether it has to be repaid")


@dataclass(frozen=True, slots=True)
class YearRow:
    """A project year: four quarters from the start of construction."""

    year: int = says("number of the project year")
    first: str = says("its first quarter")
    income: float | None = says("income", "yuan")
    opex: float | None = says("running cost", "yuan")
    taxes: float | None = says("taxes", "yuan")
    net: float | None = says("net revenue", "yuan")
    interest: float | None = says("interest on all project debt", "yuan")
    principal: float | None = says("principal of all project debt", "yuan")
    service: float | None = says("interest and principal", "yuan")
    dscr: float | None = says("net revenue over service", "times")
    top_up: float | None = says("top-up by the budget", "yuan")


@dataclass(frozen=True, slots=True)
class StressRow:
    """Coverage under one stress."""

    key: str = says("stress")
    label: Said = says("in words, with its size")
    bond_coverage: float | None = says("coverage of the special bond", "times")
    total_coverage: float | None = says("coverage of all project debt", "times")
    minimum_dscr: float | None = says("smallest yearly coverage", "times")
    top_ups: float | None = says("top-ups in all", "yuan")


@dataclass(frozen=True, slots=True)
class OwnMoney:
    """How a project is paid for and pays its debt."""

    total_investment: float = says("total investment", "yuan")
    capital: float = says("project capital", "yuan")
    capital_share: float | None = says("project capital over total investment", "decimal")
    money: list[MoneyRow] = says("sources of money")
    financed: float = says("sum of the sources", "yuan")
    income_known: bool = says("whether income and running cost are stated; if not, no coverage")
    bond_coverage: float | None = says("coverage of the special bond", "times")
    total_coverage: float | None = says("coverage of all project debt", "times")
    minimum_dscr: float | None = says("smallest yearly coverage", "times")
    average_dscr: float | None = says("average yearly coverage", "times")
    years_below_one: int | None = says("years in which net revenue falls short of service")
    llcr: float | None = says("present value of net revenue over debt", "times")
    discounted_coverage: float | None = says("coverage of the bond, discounted", "times")
    fnpv: float | None = says("financial net present value", "yuan")
    enpv: float | None = says("economic net present value at the social rate", "yuan")
    weighted_rate: float | None = says("weighted rate of the project's debt", "decimal a year")
    social_rate: float | None = says("social discount rate", "decimal a year")
    income_switch: float | None = says("factor of income at which total coverage is 1", "times")
    cost_switch: float | None = says("factor of running cost at which it is 1", "times")
    top_ups: float | None = says("top-ups in all", "yuan")
    top_up_years: int | None = says("years with a top-up")
    reserve: float | None = says("sinking fund needed before the first principal", "yuan")
    years: list[YearRow] = says("project years")
    years_shown: int = says("project years up to the last with debt service")
    stresses: list[StressRow] = says("coverage under stress")


@dataclass(frozen=True, slots=True)
class ConditionRow:
    """A condition to be met in writing."""

    number: int = says("its number")
    key: str = says("kind")
    sentence: Said = says("in words")
    checks: list[str] = says("checks it answers")
    due: str | None = says("quarter by whose end it must be met")


@dataclass(frozen=True, slots=True)
class ChangeRow:
    """A change of the proposal, screened again."""

    key: str = says("kind")
    sentence: Said = says("in words")
    removes: list[str] = says("hard failures it removes")
    remaining: list[str] = says("hard failures that remain")
    cost: float | None = says("what it costs", "yuan")
    outcome: Level = says("decision on the changed proposal")


@dataclass(frozen=True, slots=True)
class Gap:
    """A figure or answer that is lacking."""

    name: Said = says("what is lacking")
    checks: list[str] = says("checks that cannot run without it")


@dataclass(frozen=True, slots=True)
class Legal:
    """A clause that findings rest on."""

    source: Said = says("clause, or that the cut-off is ours")
    rulebook: str = says("family@version, empty when on none")
    checks: list[str] = says("checks that rest on it")


@dataclass(frozen=True, slots=True)
class MemoPage:
    """Everything about one proposal."""

    code: str = says("code")
    name: str = says("name")
    unit: str = says("code of the government")
    government: str = says("name of the government")
    level: str = says("level of the government")
    province: str = says("its province")
    sector: Said | None = says("sector")
    county_type: Said | None = says("type of county")
    purpose: Said | None = says("purpose")
    nature: Said | None = says("public, quasi-public or commercial")
    marking: str = says("empty, illustrative or synthetic")
    place: str = says("where it stands in its file")
    start: str = says("first quarter of construction")
    completion: str = says("first quarter of operation")
    build_quarters: int = says("construction time", "quarters")
    life_years: float = says("life", "years")
    public_debt: float = says("bonds of the government in it", "yuan")
    verdict: Verdict = says("recommendation")
    reasons: list[str] = says("ids of the checks that weigh on it, gravest first")
    consequence: Consequence = says("what it does to its government")
    finance: OwnMoney = says("its own money")
    conditions: list[ConditionRow] = says("conditions")
    remarks: list[Said] = says("what has been tried in vain")
    changes: list[ChangeRow] = says("what would have to change, cheapest first")
    checks: list[CheckRow] = says("all checks, in the order of the list")
    gaps: list[Gap] = says("data that are lacking")
    legal: list[Legal] = says("clauses the findings rest on")


@dataclass(frozen=True, slots=True)
class IndexRow:
    """A proposal in the table of all."""

    code: str = says("code")
    name: str = says("name")
    unit: str = says("code of the government")
    government: str = says("name of the government")
    marking: str = says("empty, illustrative or synthetic")
    decision: Level = says("recommendation")
    overridden: bool = says("whether a person's decision changed it")
    reason_id: str = says("check of the main reason")
    reason: Said | None = says("main reason")
    reason_lifted: bool = says("whether an override lifted that reason")
    investment: float = says("total investment", "yuan")
    debt: float = says("bonds of the government in it", "yuan")
    ratio_now: float | None = says("debt ratio now", "decimal")
    ratio_worst: float | None = says("highest debt ratio ahead with the project", "decimal")
    without: float | None = says("probability of breach without the project", "decimal")
    with_project: float | None = says("probability of breach with it", "decimal")
    breach: str | None = says("first breach with the project, central path")


@dataclass(frozen=True, slots=True)
class DecisionCount:
    """How many proposals a decision has."""

    decision: Level = says("decision")
    count: int = says("proposals")
    investment: float = says("their total investment", "yuan")


@dataclass(frozen=True, slots=True)
class ChosenRow:
    """A project of a set."""

    code: str = says("code")
    name: str = says("name")
    start: str | None = says("start")
    quarters_later: int = says("quarters later than proposed", "quarters")
    scale: float = says("scale", "share of the project")


@dataclass(frozen=True, slots=True)
class Binding:
    """A row that limits the set."""

    key: str = says("kind of row")
    label: Said = says("its name")
    quarter: str | None = says("quarter")
    is_money: bool = says("whether right side and slack are amounts")
    right_side: float | None = says("right side", "yuan for money")
    slack: float | None = says("what the set leaves of it", "yuan for money")
    dual: float | None = says("value of one more 万元 by the linear relaxation", "score")
    value_at_1: float | None = says("value of the best set with 1 % more", "score")
    value_at_5: float | None = says("value of the best set with 5 % more", "score")


@dataclass(frozen=True, slots=True)
class Swap:
    """A neighbour of the set: one project out, another in."""

    out: str = says("code out")
    into: str = says("code in")
    change: float | None = says("change of value", "score")


@dataclass(frozen=True, slots=True)
class PortfolioPart:
    """The set of projects of one government that fits."""

    unit: str = says("code of the government")
    government: str = says("its name")
    chosen: list[ChosenRow] = says("the set")
    greedy: list[ChosenRow] = says("the set that a simple ranking would give")
    left_out: list[ChosenRow] = says("candidates not in the set")
    value: float | None = says("score of the set", "score")
    greedy_value: float | None = says("score of the simple set", "score")
    bound: float | None = says("best bound", "score")
    gap: float | None = says("remaining gap", "decimal")
    proven: bool = says("whether the set is proven best")
    gap_sentence: Said = says("the gap in words")
    infeasible: list[Said] = says("why no set keeps every row")
    binding: list[Binding] = says("rows that bind")
    unknown_rows: list[str] = says("rows left out because their limit is not known")
    no_room: list[str] = says("rows crossed without any project, which may only not be worsened")
    barred: list[str] = says("codes left out because a project they require is no candidate")
    probability: float | None = says("probability of breach with the set", "decimal")
    probability_before: float | None = says("probability without any project", "decimal")
    tolerance: float | None = says("probability the set keeps to", "decimal")
    quarters: int = says("quarters ahead that rows and probabilities cover")
    rounds: int = says("how often the rows were tightened")
    baseline_breaches: bool = says("whether the line is crossed without any project")
    swaps: list[Swap] = says("neighbours of the set")


@dataclass(frozen=True, slots=True)
class RejectedRow:
    """A row of a file of proposals that cannot be screened."""

    code: str = says("code of the proposal, if it has one")
    unit: str = says("code of the government")
    place: str = says("file, sheet and cell")
    what: Said = says("what is wrong")
    mend: Said = says("how to mend it")


@dataclass(frozen=True, slots=True)
class MemoContext:
    """A whole memo."""

    meta: MemoMeta = says("what the memo is about")
    counts: list[DecisionCount] = says("proposals by decision, worst first")
    rows: list[IndexRow] = says("all proposals: reject, defer, conditional, pass")
    portfolios: list[PortfolioPart] = says("the set that fits, by government")
    problems: list[RejectedRow] = says("rows that cannot be screened")
    pages: list[MemoPage] = says("one page for each proposal")
