"""What a report says, as values: the contract between the figures and the templates.

Templates show these fields and compute nothing. ``report.json`` is the same tree, so that every
figure on a page stands in it under the same name. Amounts are yuan, ratios decimals, quarters text
such as 2025Q4. None is "no data".
"""

from __future__ import annotations

import dataclasses
import typing
from dataclasses import dataclass
from typing import Any


def says(text: str, unit: str = "") -> Any:
    """Document a field of the report."""
    return dataclasses.field(metadata={"says": text, "unit": unit})


@dataclass(frozen=True)
class Source:
    """A file the report was made of."""

    file: str = says("name of the file")
    sha256: str = says("hash of its content")
    synthetic: bool = says("whether it declares its data synthetic")


@dataclass(frozen=True)
class RulebookUsed:
    """A rulebook the report used."""

    id: str = says("rulebook")
    reference: str = says("family@version")
    title: str = says("its title")
    status: str = says("official, practice, reference or project_default")
    status_label: str = says("the status in words")
    pinned: bool = says("whether the version was asked for by name")
    in_force: bool = says("whether the version applies to the quarter of the report")
    sources: list[str] = says("law or practice it rests on")
    note: str = says("what a reader must know about it")
    indicators: list[dict[str, str]] = says("label, formula and text of each indicator")


@dataclass(frozen=True)
class Assumption:
    """One driver of the outlook as estimated from the panel."""

    label: str = says("driver")
    is_growth: bool = says("whether it is a growth rate; else net borrowing over capacity")
    pooled: float = says("mean of the pool", "decimal a year")
    first_year: float = says("median central value of the first year ahead", "decimal a year")
    last_year: float = says("median central value of the last year ahead", "decimal a year")
    spread: float = says("median standard deviation of a year's shock", "decimal")
    national_share: float = says("share of the variance common to all governments", "decimal")
    carried: float = says("share of a deviation that lasts to the next step", "decimal")
    units: int = says("governments in the pool")


@dataclass(frozen=True)
class Simulated:
    """How the fans were drawn."""

    paths: int = says("paths")
    method: str = says("bootstrap, normal or student")
    step: str = says("year or quarter: how often shocks come")
    consecutive: int = says("quarters in a row beyond a line that count as a breach")
    inflation: float = says("factor by which a back-test asked to widen the bands")
    measured: str = says("what that factor was measured on")
    error: float = says("Monte Carlo error of a probability of one half, 95 %", "decimal")


@dataclass(frozen=True)
class Meta:
    """What the report is about."""

    quarter: str = says("quarter of the report")
    compare_quarter: str = says("quarter compared with")
    as_of: str = says("nothing published after this day is used")
    language: str = says("zh or en")
    version: str = says("version of debtwatch")
    seed: int = says("seed of random draws")
    synthetic: bool = says("whether any source is synthetic")
    illustrative: bool = says("whether any project is invented for illustration")
    annual_source: bool = says("whether the accounts are annual, so that quarters are estimated")
    horizon_end: str = says("last quarter of the outlook")
    money_unit: str = says("unit amounts are shown in")
    thresholds: list[float] = says("thresholds of the rulebooks used", "decimal")
    headline_label: str = says("name of the headline indicator")
    rulebooks: list[RulebookUsed] = says("rulebooks used")
    assumptions: list[Assumption] = says("growth assumed in the central outlook")
    simulated: Simulated = says("how the fans were drawn")
    new_bond_rate: float = says("median rate assumed for new bonds", "decimal a year")
    new_bond_tenor: float = says("median tenor assumed for new bonds", "years")
    refinanced_share: float = says("share of principal due that is refinanced", "decimal")
    defaults_source: str = says("source of the defaults")
    sources: list[Source] = says("files of the store that contribute")
    pipelines: list[Source] = says("files of planned projects")


@dataclass(frozen=True)
class LevelCount:
    """How many governments stand at a level."""

    level: str = says("level")
    label: str = says("level in words")
    severity: int = says("0 good to 3 worst, 9 no data")
    now: int = says("governments at the quarter of the report")
    before: int = says("governments at the quarter compared with")
    with_projects: int = says("governments whose worst quarter ahead is here, projects built")
    without_projects: int = says("governments whose worst quarter ahead is here, without projects")


@dataclass(frozen=True)
class Flag:
    """A government and the threshold that the outlook crosses."""

    unit: str = says("code of the government")
    name: str = says("its name")
    has_page: bool = says("whether it has a page of its own")
    level: str = says("level now")
    level_with: str = says("worst level ahead with planned construction")
    effect: str = says("caused, brought_forward, anyway")
    indicator: str = says("indicator that crosses")
    indicator_label: str = says("its name")
    line: float = says("threshold", "decimal")
    line_label: str = says("what begins at the threshold")
    quarter_without: str | None = says("first breach without projects")
    quarter_with: str | None = says("first breach with projects")
    quarters_sooner: int = says("quarters by which projects bring it forward")
    value_now: float | None = says("indicator now", "decimal")
    worst: float | None = says("indicator at its worst quarter ahead", "decimal")
    worst_quarter: str | None = says("that quarter")
    excess: float | None = says("worst less threshold", "decimal")
    tipped_by: str = says("code of the project that tips the sum over")
    tipped_by_name: str = says("its name")
    headroom_before: float | None = says(
        "debt that fits below the threshold before projects", "yuan"
    )
    headroom_after: float | None = says("debt that still fits after them", "yuan")


@dataclass(frozen=True)
class Missing:
    """A government that cannot be judged."""

    unit: str = says("code of the government")
    name: str = says("its name")
    has_page: bool = says("whether it has a page of its own")
    fields: list[str] = says("figures that are missing")
    doubtful: list[str] = says("figures that were reported but are doubtful")
    projects: int = says("projects planned there nevertheless")


@dataclass(frozen=True)
class Moved:
    """A government whose level changed."""

    unit: str = says("code of the government")
    name: str = says("its name")
    has_page: bool = says("whether it has a page of its own")
    before: str = says("level at the quarter compared with")
    now: str = says("level now")
    worse: bool = says("whether it became worse")
    value_before: float | None = says("headline indicator before", "decimal")
    value_now: float | None = says("headline indicator now", "decimal")


@dataclass(frozen=True)
class UnitRow:
    """A row of the table of all governments."""

    unit: str = says("code")
    name: str = says("name")
    tier: str = says("tier of government in words")
    has_page: bool = says("whether it has a page of its own")
    level: str = says("level now")
    level_before: str = says("level at the quarter compared with")
    level_with: str = says("worst level ahead with planned construction")
    value: float | None = says("headline indicator", "decimal")
    change: float | None = says("its change since the quarter compared with", "decimal")
    estimated: bool = says("whether an estimated figure is in it")
    peak_with: float | None = says(
        "headline indicator at its worst quarter ahead, projects built", "decimal"
    )
    general_interest: float | None = says("general interest ratio", "decimal")
    special_interest: float | None = says("special interest ratio", "decimal")
    limit_usage: float | None = says("higher of the two uses of legal limits", "decimal")
    risk: float | None = says("probability of a worse level at the horizon", "decimal")
    headroom: float | None = says("debt that still fits under the binding limit", "yuan")
    binding: str = says("limit that binds")
    attention: float | None = says("probability by the first classifier applied", "decimal")
    attention_signal: str = says("its signal: alert, watch, none, silent; empty without one")
    projects: int = says("projects planned")
    effect: str = says("worst effect of its projects")
    history: list[float | None] = says(
        "headline indicator of the last quarters with figures", "decimal"
    )


@dataclass(frozen=True)
class Tile:
    """A square of the tile grid."""

    unit: str = says("code")
    name: str = says("name")
    short: str = says("name in two characters")
    level: str = says("level now")
    row: int = says("row of the grid")
    column: int = says("column of the grid")
    has_page: bool = says("whether it has a page of its own")


@dataclass(frozen=True)
class ProblemRow:
    """A problem found in the data."""

    severity: str = says("refuse, flag or note")
    rule: str = says("check")
    unit: str = says("code of the government")
    name: str = says("its name")
    field: str = says("figure concerned, in words")
    quarter: str = says("quarter concerned")
    value: float | None = says("value as reported", "held unit")
    is_money: bool = says("whether the value is money")
    place: str = says("file, sheet and cell")
    what: str = says("what is wrong")
    mend: str = says("how to mend it")
    left_out: bool = says("whether the figure is left out of indicators")


@dataclass(frozen=True)
class ProblemCount:
    """How often a check struck."""

    severity: str = says("refuse, flag or note")
    rule: str = says("check")
    what: str = says("what it finds")
    now: int = says("in the four quarters of the report")
    earlier: int = says("in earlier or later quarters")


@dataclass(frozen=True)
class InputRow:
    """A figure that went into an indicator."""

    field: str = says("canonical name")
    label: str = says("name")
    value: float | None = says("value: balance, or sum of four quarters", "yuan")
    basis: str = says("stock, year or four_quarters")
    status: str = says("budget, preliminary, final or audited, in words")
    known_from: str = says("day from which it was known")
    known_from_estimated: bool = says("whether that day is an estimate")
    estimated: bool = says("whether the figure is estimated")
    implied: bool = says("whether it is implied by the budget identity")
    absent: bool = says("whether the line does not exist in these accounts and counts as nothing")
    places: list[str] = says("file, sheet and cell of the reported figures")


@dataclass(frozen=True)
class Threshold:
    """One threshold of an indicator for one government."""

    label: str = says("what begins there")
    line: float = says("threshold", "decimal")
    inclusive: bool = says("whether the number itself already counts")
    distance: float | None = says("threshold less value: how far it is", "decimal")
    effect: str = says("effect of planned construction")
    quarter_without: str | None = says("first breach without projects")
    quarter_with: str | None = says("first breach with projects")
    headroom_before: float | None = says("debt that fits before projects", "yuan")
    headroom_after: float | None = says("debt that fits after projects", "yuan")


@dataclass(frozen=True)
class IndicatorCard:
    """An indicator of one government with everything needed to check it."""

    id: str = says("indicator")
    label: str = says("name")
    value: float | None = says("value", "decimal")
    before: float | None = says("value at the quarter compared with", "decimal")
    band: str = says("band in words")
    severity: int = says("severity of the band, 9 no data")
    text: str = says("formula in words")
    formula: str = says("formula of the rulebook")
    put_in: str = says("formula with the numbers put in")
    rulebook: str = says("rulebook and version")
    sources: list[str] = says("law or practice")
    addressed: bool = says("whether the rule addresses this level of government")
    edge: str = says("edges of the band that decided")
    why_missing: list[str] = says("why it cannot be computed")
    inputs: list[InputRow] = says("figures that went into it")
    thresholds: list[Threshold] = says("its thresholds")


@dataclass(frozen=True)
class SegmentLine:
    """A threshold of one version of a rulebook."""

    value: float = says("threshold", "decimal")
    label: str = says("what begins there")
    severity: int = says("severity of what begins there")


@dataclass(frozen=True)
class RuleSegment:
    """The quarters to which one version of the headline rulebook applies."""

    reference: str = says("family@version")
    first: str = says("first quarter, within the history shown")
    last: str = says("last quarter, within the outlook shown")
    lines: list[SegmentLine] = says("thresholds of that version")


@dataclass(frozen=True)
class CapacityRow:
    """The headline ratio under one definition of fiscal capacity."""

    label: str = says("name of the definition")
    text: str = says("the definition in words")
    used: bool = says("whether the report uses it for this government")
    capacity: float | None = says("capacity over four quarters", "yuan")
    ratio: float | None = says("debt balance over this capacity", "decimal")


@dataclass(frozen=True)
class AnalogueIndicator:
    """An indicator of another system on these accounts."""

    label: str = says("name")
    value: float | None = says("value", "as the system has it")
    unit: str = says("ratio, percent, money, points, number or years")
    band: str = says("band in words")


@dataclass(frozen=True)
class AnalogueRow:
    """How another system would read these accounts: an analogue, never a level."""

    title: str = says("the system")
    reference: str = says("family@version")
    outcome: str = says("outcome in words")
    severity: int = says("severity of the outcome, 9 unknown")
    indicators: list[AnalogueIndicator] = says("indicators that can be computed")
    missing: list[str] = says("fields of the system that nothing here stands for")


@dataclass(frozen=True)
class Part:
    """A contribution to the change of the headline indicator."""

    label: str = says("source of the change")
    value: float = says("contribution", "decimal")


@dataclass(frozen=True)
class ServiceYear:
    """Debt service of four quarters ahead."""

    label: str = says("first and last quarter")
    interest: float = says("interest", "yuan")
    refinanced: float = says("principal repaid by refinancing bonds", "yuan")
    fiscal: float = says("principal repaid from fiscal funds", "yuan")
    share: float | None = says("interest and fiscal principal over capacity", "decimal")


@dataclass(frozen=True)
class ProjectCard:
    """A planned project and what it does."""

    code: str = says("code")
    name: str = says("name")
    sector: str = says("sector")
    start: str = says("first quarter of construction")
    build_quarters: int = says("construction time", "quarters")
    total: float = says("total investment", "yuan")
    debt: float = says("government bonds in it", "yuan")
    approved: str = says("day of approval, empty when not approved")
    marking: str = says("empty, illustrative or synthetic")
    effect: str = says("effect of the project alone")
    line_label: str = says("threshold of that effect")
    quarter: str | None = says("first breach with the project alone")
    quarters_sooner: int = says("quarters by which it brings a breach forward")
    first_in: float | None = says(
        "highest rise of the headline indicator, project first", "decimal"
    )
    last_in: float | None = says("highest rise, project last", "decimal")
    tips: bool = says("whether it is the one that tips the sum over")
    coverage: float | None = says("net revenue over debt service, undiscounted", "times")
    minimum_dscr: float | None = says("smallest yearly cover in years with principal", "times")
    top_ups: float | None = says("top-ups from the fund budget over the debt's life", "yuan")
    top_up_years: int | None = says("years with a top-up")


@dataclass(frozen=True)
class PathPoint:
    """One quarter of the headline indicator."""

    quarter: str = says("quarter")
    kind: str = says("history, without or with")
    value: float = says("headline indicator", "decimal")


@dataclass(frozen=True)
class FanPoint:
    """Quantiles of the headline indicator in one quarter ahead."""

    quarter: str = says("quarter")
    kind: str = says("without or with planned projects")
    p5: float = says("5 % of paths lie below", "decimal")
    p10: float = says("10 %", "decimal")
    p25: float = says("25 %", "decimal")
    p50: float = says("median", "decimal")
    p75: float = says("75 %", "decimal")
    p90: float = says("90 %", "decimal")
    p95: float = says("95 %", "decimal")
    tail: float = says("mean of the worst 5 % of paths", "decimal")


@dataclass(frozen=True)
class LevelProbability:
    """Probability of standing beyond a threshold, and of having crossed it."""

    label: str = says("indicator and what begins at the threshold")
    line: float = says("threshold", "decimal")
    inclusive: bool = says("whether the number itself already counts")
    severity: int = says("severity of what begins there")
    at: list[float | None] = says(
        "probability at each quarter printed, without projects", "decimal"
    )
    by: list[float | None] = says("probability of a breach by then, without projects", "decimal")
    at_with: list[float | None] = says("probability at each quarter, with projects", "decimal")
    by_with: list[float | None] = says("probability of a breach by then, with projects", "decimal")


@dataclass(frozen=True)
class StressRow:
    """What a stress scenario does to the headline indicator."""

    id: str = says("scenario")
    label: str = says("its name")
    text: str = says("what is assumed")
    reference: bool = says("whether it belongs to the reference set beside the catalogue")
    worst: float | None = says("highest value over the quarters ahead", "decimal")
    worst_quarter: str = says("quarter of that value")
    change: float | None = says("highest value less that of the central path", "decimal")
    crossed: str = says("gravest threshold reached")
    severity: int = says("severity of what begins there, 9 no data")
    quarter: str = says("first quarter beyond it")
    missing: str = says("why the scenario cannot be applied")


@dataclass(frozen=True)
class WallQuarter:
    """Principal that falls due in a quarter."""

    quarter: str = says("quarter")
    general: float = says("general debt falling due", "yuan")
    special: float = says("special debt falling due", "yuan")
    share: float | None = says("share of the debt of today", "decimal")


@dataclass(frozen=True)
class Stability:
    """What would keep the ratio where it is, and what would bring it back."""

    interest_rate: float = says("interest over debt in the year ahead", "decimal a year")
    growth: float = says("growth of capacity in the year ahead", "decimal a year")
    balance: float = says("primary balance of the last year over capacity", "decimal")
    stabilising: float = says("primary balance that keeps the ratio", "decimal")
    target: float | None = says("threshold to get or stay below", "decimal")
    target_label: str = says("that threshold in words")
    required: float | None = says("primary balance that ends below it at the horizon", "decimal")
    gap: float | None = says("required less last balance, a year", "yuan")


@dataclass(frozen=True)
class ExpectedBreaches:
    """Governments that stand to cross a threshold, counted path by path."""

    label: str = says("what begins at the threshold")
    line: float = says("threshold", "decimal")
    severity: int = says("severity of what begins there")
    quarter: str = says("by which quarter")
    now: int = says("governments beyond it now")
    expected: float = says("expected number that breach it by then", "governments")
    low: int = says("5 % of paths have fewer", "governments")
    high: int = says("95 % of paths have no more", "governments")
    expected_with: float | None = says("expected number with planned projects", "governments")


@dataclass(frozen=True)
class Total:
    """Debt over capacity of a group of governments together, summed inside each path."""

    name: str = says("province, or all governments")
    units: int = says("governments in the total")
    now: float | None = says("ratio of the totals now", "decimal")
    quarter: str = says("quarter ahead")
    p5: float = says("5 % of paths lie below", "decimal")
    p50: float = says("median", "decimal")
    p95: float = says("95 %", "decimal")


@dataclass(frozen=True)
class UnitPage:
    """Everything about one government."""

    unit: str = says("code")
    name: str = says("name")
    tier: str = says("tier of government in words")
    level: str = says("level now")
    level_before: str = says("level at the quarter compared with")
    level_with: str = says("worst level ahead with planned construction")
    capacity_label: str = says("definition of fiscal capacity used")
    capacity_text: str = says("that definition in words")
    capacity_source: str = says("where the definition comes from")
    capacity_estimated: bool = says("whether capacity is an estimate")
    absent: list[str] = says("lines that do not exist in these accounts and count as nothing")
    sentences: list[str] = says("findings in words")
    binding: str = says("limit that binds")
    headroom: float | None = says("debt that still fits under it", "yuan")
    indicators: list[IndicatorCard] = says("indicators")
    path: list[PathPoint] = says("headline indicator: history and outlook")
    fan: list[FanPoint] = says("fan of the headline indicator")
    probabilities: list[LevelProbability] = says("probability of each level")
    horizons: list[str] = says("quarters for which probabilities are printed")
    own_years: int = says("years of own record behind the outlook")
    pool_decides: bool = says("whether the record is so short that the pool decides")
    stress: list[StressRow] = says("stress scenarios")
    reverse: list[str] = says("how far things must go before a threshold is reached, in words")
    wall: list[WallQuarter] = says("principal falling due in the next twelve quarters")
    parts_ahead: list[Part] = says("contributions to the change over the outlook")
    parts_ahead_total: float | None = says("that change", "decimal")
    stability: Stability | None = says("what would keep the ratio or bring it back")
    segments: list[RuleSegment] = says("versions of the rulebook over the quarters shown")
    capacities: list[CapacityRow] = says("the ratio under each definition of capacity")
    analogues: list[AnalogueRow] = says("how other systems would read these accounts")
    analogue_notes: list[str] = says("what stands for their quantities")
    parts: list[Part] = says("contributions to the last change")
    parts_total: float | None = says("the change itself", "decimal")
    service: list[ServiceYear] = says("debt service ahead")
    ladder_synthetic: bool = says("whether the maturity ladder is assumed")
    own_terms: bool = says("whether rate and tenor of new bonds are the unit's own")
    new_rate: float | None = says("rate of new bonds", "decimal a year")
    new_tenor: float | None = says("tenor of new bonds", "years")
    projects: list[ProjectCard] = says("planned projects in order of counting")
    attention: list[AttentionRow] = says("what the classifiers applied say of it")
    problems: list[ProblemRow] = says("problems found in its data, recent first")
    problems_left: int = says("further problems not listed here")


@dataclass(frozen=True)
class RegisterDecision:
    """A recommendation of the desk that the register holds."""

    unit: str = says("code of the government")
    government: str = says("its name")
    has_page: bool = says("whether it has a page of its own")
    code: str = says("code of the project")
    name: str = says("name of the project")
    outcome: str = says("pass, conditional, defer or reject")
    outcome_label: str = says("the same in words")
    screened_on: str = says("day of the decision")
    quarter: str = says("quarter of the accounts it rested on")
    valid_until: str | None = says("last quarter in which it holds")
    earliest: str | None = says("earliest start of a deferred project")
    invented: str = says("synthetic or illustrative; empty for real accounts and projects")


@dataclass(frozen=True)
class RegisterMove:
    """A figure behind a pass, then and now."""

    name: str = says("ratio, debt or capacity")
    label: str = says("the same in words")
    then: float | None = says("at the decision", "decimal, or yuan")
    now: float | None = says("latest", "decimal, or yuan")
    change: float | None = says("relative change", "decimal")
    too_far: bool | None = says("whether it moved further than a pass allows")


@dataclass(frozen=True)
class RegisterPass:
    """A pass whose figures moved too far, or cannot be compared."""

    decision: RegisterDecision = says("the pass")
    lapsed: bool = says("whether it lapsed; else it cannot be told")
    quarter: str | None = says("latest quarter with figures since the decision")
    moves: list[RegisterMove] = says("figures then and now")


@dataclass(frozen=True)
class RegisterCondition:
    """A condition that is due, overdue or broken."""

    decision: RegisterDecision = says("the decision that set it")
    number: int = says("number of the condition")
    text: str = says("the condition in words")
    due: str | None = says("quarter by whose end it must be met")
    state: str = says("due, overdue or broken")
    state_label: str = says("the same in words")
    recorded_on: str | None = says("day of what was recorded last")
    recorded_by: str = says("who recorded it")
    note: str = says("what was noted")


@dataclass(frozen=True)
class RegisterOverride:
    """A person's decision that lifts checks, in force."""

    decision: RegisterDecision = says("the decision after it")
    before: str = says("outcome of the checks alone")
    before_label: str = says("the same in words")
    ground: str = says("mandatory_safety, ongoing or upper_level_grant")
    ground_label: str = says("the same in words")
    by: str = says("who took it")
    date: str = says("when")
    reason: str = says("why")
    lifted: list[str] = says("ids of the checks it lifted")


@dataclass(frozen=True)
class RegisterForecast:
    """The outlook behind a decision beside what happened."""

    decision: RegisterDecision = says("the decision")
    quarter: str = says("quarter compared")
    without: float | None = says("central outlook without the project", "decimal")
    with_project: float | None = says("central outlook with it", "decimal")
    actual: float | None = says("what the accounts say; none where they are missing", "decimal")
    miss_without: float | None = says("actual less outlook without the project", "decimal")
    miss_with: float | None = says("actual less outlook with it", "decimal")
    line: float | None = says("line that was watched", "decimal")
    crossed: bool | None = says("whether the accounts reached it since; none if not known")
    crossed_in: str | None = says("first quarter in which they did")
    expected_without: str | None = says("first quarter in which the outlook without it did")
    expected_with: str | None = says("first quarter in which the outlook with it did")


@dataclass(frozen=True)
class RegisterSection:
    """The register of screening decisions as known on the day of the report."""

    decisions: int = says("decisions recorded")
    in_force: int = says("decisions that hold at the quarter of the report")
    superseded: int = says("decisions that a later one replaced")
    expired: list[RegisterDecision] = says("decisions whose validity is over")
    passes: list[RegisterPass] = says("passes that lapsed or cannot be checked")
    conditions: list[RegisterCondition] = says("conditions overdue, broken or due")
    returning: list[RegisterDecision] = says("deferrals whose earliest quarter has come")
    overrides: list[RegisterOverride] = says("overrides in force")
    forecasts: list[RegisterForecast] = says("outlook of earlier decisions beside what happened")


@dataclass(frozen=True)
class AttentionRow:
    """What a classifier says of a government: attention beside its level, never instead of it."""

    unit: str = says("code of the government")
    name: str = says("its name")
    has_page: bool = says("whether it has a page of its own")
    model: str = says("id of the classifier")
    title: str = says("what the classifier warns of")
    caution: str = says("warning to be read before the probability; empty without one")
    level: str = says("level by the rule, which stands above this")
    probability: float | None = says("probability of the event; none where the model is silent")
    low: float | None = says("lower of the probabilities of the models behind it", "decimal")
    high: float | None = says("higher of them", "decimal")
    signal: str = says("alert, watch, none or silent")
    signal_label: str = says("the same in words")
    listed: bool = says("whether it is on the list of those to look at first")
    rank: int | None = says("rank by probability, 1 the highest")
    ranked: int = says("governments that have a rank")
    until: str = says("last period that the model looks ahead to")
    verdict: str = says("what a conformal check says of the probability, indicative")
    reasons: list[str] = says("what raises the probability most, in words")
    brief: list[str] = says("the same in fewer words")
    older_figures: str = says("period of its latest figures, where that is an earlier one")
    silent: str = says("why the model gives no probability")


@dataclass(frozen=True)
class AttentionModel:
    """A classifier given to the report, applied or refused."""

    id: str = says("id of its specification")
    title: str = says("what it warns of")
    note: str = says("what a reader must know about it")
    sha256: str = says("hash of its model.json")
    refused: str = says("why it is not applied; empty where it is")
    synthetic: bool = says("whether it learned from invented data")
    untrusted: bool = says("whether drift says not to trust it")
    warnings: list[str] = says("drift and other warnings, the gravest first")
    horizon: str = says("how far it looks ahead")
    until: str = says("last period that it looks ahead to")
    known_on: str = says("day whose knowledge it uses")
    learned: str = says("what it learned from, in words")
    rules: list[str] = says("versions of the rule that judged its outcomes")
    watch: float = says("probability from which it signals", "decimal")
    alert: float = says("probability of the stronger signal", "decimal")
    capacity: float = says("share of governments on the list to look at first", "decimal")
    base_rate: float = says("share of events in what it learned from", "decimal")
    alerts: int = says("governments with the stronger signal")
    watches: int = says("governments with the weaker signal")
    quiet: int = says("governments without a signal")
    silences: int = says("governments that it says nothing of")
    silence_reasons: list[str] = says("why it says nothing of them, with their numbers")
    rows: list[AttentionRow] = says("governments, the highest probability first, then the silent")


@dataclass(frozen=True)
class AttentionSection:
    """What classifiers add to levels and outlook, or what one would need."""

    models: list[AttentionModel] = says("classifiers given to the report")
    needs: list[str] = says("where none is applied: what one would need, in words")
    governments: int = says("governments in the store")
    provinces: int = says("provinces among them; a government without one counts for itself")
    periods: int = says("quarters, or years, with levels up to the quarter of the report")
    followed: int = says("times a government below the class could be followed over the horizon")
    events: int = says("of these, times it entered the class")
    entries: int = says("entries of the class in all, each counted once")


@dataclass(frozen=True)
class ReportContext:
    """A whole report."""

    meta: Meta = says("what the report is about")
    counts: list[LevelCount] = says("governments by level")
    flagged: list[Flag] = says("thresholds crossed because of planned construction")
    quota: list[Flag] = says("legal limits that planned construction would exceed")
    anyway: list[Flag] = says("thresholds crossed without any project")
    expected: list[ExpectedBreaches] = says("expected number of breaches with its band")
    totals: list[Total] = says("totals of provinces and of all governments")
    missing: list[Missing] = says("governments that cannot be judged")
    moved: list[Moved] = says("governments whose level changed")
    pipeline_counts: dict[str, int] = says("projects by effect")
    units: list[UnitRow] = says("all governments")
    tiles: list[Tile] = says("tile grid")
    problem_counts: list[ProblemCount] = says("data problems by check")
    problems: list[ProblemRow] = says("doubtful figures of the quarters reported")
    pages: list[UnitPage] = says("governments with a page of their own")
    register: RegisterSection = says("register of screening decisions")
    attention: AttentionSection = says("what classifiers add to levels and outlook")


def documented_keys(cls: type, prefix: str = "") -> list[tuple[str, str, str, str]]:
    """Key, type, unit and meaning of every field of the report, for its documentation.

    Examples
    --------
    >>> documented_keys(Part)
    [('label', 'str', '', 'source of the change'), ('value', 'float', 'decimal', 'contribution')]
    """
    hints = typing.get_type_hints(cls)
    rows = []
    for item in dataclasses.fields(cls):
        key = f"{prefix}{item.name}"
        hint = hints[item.name]
        inner = typing.get_args(hint)[0] if typing.get_origin(hint) is list else hint
        is_list = inner is not hint
        kind = str(item.type) if isinstance(item.type, str) else str(hint)
        rows.append((key, kind, item.metadata["unit"], item.metadata["says"]))
        if dataclasses.is_dataclass(inner) and isinstance(inner, type):
            rows += documented_keys(inner, f"{key}[]." if is_list else f"{key}.")
    return rows
