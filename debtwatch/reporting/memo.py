"""Build the memo: what the screening found, put into its context. No figure is made here."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from debtwatch.language import N_, Language, language
from debtwatch.panel.period import quarter_text
from debtwatch.panel.problem import Problem
from debtwatch.reporting.context import PathPoint, Source
from debtwatch.reporting.figures import Figures
from debtwatch.reporting.memo_context import (
    Binding,
    BookRow,
    CalibreRow,
    Chance,
    ChancePoint,
    ChangeRow,
    ChartLine,
    CheckRow,
    ChosenRow,
    ConditionRow,
    Consequence,
    DecisionCount,
    Gap,
    IndexRow,
    InterestRow,
    Legal,
    Level,
    MemoContext,
    MemoMeta,
    MemoPage,
    MoneyRow,
    OverrideBox,
    OwnMoney,
    PortfolioPart,
    QuotaRow,
    RejectedRow,
    RoomRow,
    Said,
    SettingRow,
    StressRow,
    Swap,
    Verdict,
    YearRow,
)
from debtwatch.reporting.memo_words import (
    CHECK_NAMES,
    COUNTY_TYPE_NAMES,
    GROUND_NAMES,
    LEDGER_NAMES,
    NATURE_NAMES,
    OUTCOME_MEANING,
    PURPOSE_NAMES,
    SOURCE_NAMES,
    STATUS_NAMES,
    attribution,
    outcome_level,
    quarter_or_none,
    room_sentence,
    said,
    said_missing,
    said_name,
    said_sentence,
    said_word,
    stress_label,
    terms_of,
    validity,
)
from debtwatch.rules.assess import lines_of
from debtwatch.rules.rulebook import Rulebook
from debtwatch.screening.case import Case, Impact, Probability, Room, Tier, TierChange
from debtwatch.screening.check import SEVERITIES, Check
from debtwatch.screening.coverage import Finance
from debtwatch.screening.decision import OUTCOMES, Screened
from debtwatch.screening.portfolio import Chosen, Portfolio, gap_sentence
from debtwatch.screening.project import Project
from debtwatch.screening.settings import ScreeningSettings

#: The official system whose lines the chart shows.
HEADLINE = "cn-debt-tiers"
_MONEY_ROOMS = ("general_quota", "special_quota", "sanbao")
_MONEY_ROWS = (
    "headroom", "general_quota", "special_quota", "general_interest", "special_interest", "ppp",
    "cash", "sanbao",
)  # fmt: skip


@dataclass(frozen=True)
class About:
    """What a memo rests on, beside the proposals.

    Attributes
    ----------
    quarter : int
        Ordinal of the quarter of the accounts.
    as_of : date
    version : str
    seed : int
    settings : ScreeningSettings
    synthetic : bool
        Whether the accounts are synthetic.
    sources, pipelines : sequence of Source
        Files of the store, and files of proposals.
    rulebooks : sequence of Rulebook
        Those that decisions rest on, beside the ones that checks name.
    problems : sequence of Problem
        Rows that cannot be screened.
    portfolios : mapping from unit to Portfolio
    names : mapping from unit to str
        Names of governments without a proposal that was screened.
    projects : sequence of Project
        Candidates of portfolios that were not screened, for their names.
    """

    quarter: int
    as_of: dt.date
    version: str
    seed: int
    settings: ScreeningSettings
    synthetic: bool = False
    sources: Sequence[Source] = ()
    pipelines: Sequence[Source] = ()
    rulebooks: Sequence[Rulebook] = ()
    problems: Sequence[Problem] = ()
    portfolios: Mapping[str, Portfolio] = field(default_factory=dict)
    names: Mapping[str, str] = field(default_factory=dict)
    projects: Sequence[Project] = ()


def build_memo(
    screened: Sequence[Screened],
    words: Language,
    about: About,
    *,
    pages: Mapping[str, MemoPage] | None = None,
) -> MemoContext:
    """Build the memo of some proposals.

    Parameters
    ----------
    screened : sequence of Screened
    words : Language
        Language of the pages; every sentence of the memo is held in both.
    about : About
    pages : mapping from code to MemoPage, optional
        Pages that are built already, see :func:`page_of`.

    Returns
    -------
    MemoContext
        Pages and rows from rejected to passed, then by government and code.
    """
    ordered = sorted(screened, key=_rank)
    built = pages or {}
    written = [built.get(o.case.project.code) or page_of(o) for o in ordered]
    return MemoContext(
        meta=_meta(ordered, words, about),
        counts=_counts(ordered),
        rows=[_index_row(one, page) for one, page in zip(ordered, written, strict=True)],
        portfolios=_portfolios(ordered, about),
        problems=[_rejected(p) for p in about.problems],
        pages=written,
    )


def _rank(one: Screened) -> tuple[int, str, str]:
    project = one.case.project
    return (-OUTCOMES.index(one.decision.outcome), project.unit, project.code)


def _number(value: float | np.floating | None) -> float | None:
    return None if value is None or not np.isfinite(value) else float(value)


def _highest(values: Iterable[float]) -> float | None:
    known = [float(v) for v in values if np.isfinite(v)]
    return max(known, default=None)


# -- what the memo is about ------------------------------------------------------------------------


def _meta(screened: Sequence[Screened], words: Language, about: About) -> MemoMeta:
    settings = about.settings
    return MemoMeta(
        quarter=quarter_text(about.quarter),
        as_of=about.as_of.isoformat(),
        language=words.code,
        version=about.version,
        seed=about.seed,
        synthetic=about.synthetic,
        illustrative=any(one.case.project.illustrative for one in screened),
        money_unit=Figures(words.code, "small").money_unit,
        thresholds=_thresholds(screened),
        horizon=settings.impact.horizon,
        paths=settings.impact.paths,
        consecutive=settings.impact.consecutive,
        tolerance=settings.impact.tolerance,
        settings=_setting_rows(settings.model_dump()),
        rulebooks=[_book_row(book) for book in _books(screened, about)],
        sources=list(about.sources),
        pipelines=list(about.pipelines),
    )


def _thresholds(screened: Sequence[Screened]) -> list[float]:
    """Lines beside which ratios are printed: those of the levels and of the checks."""
    levels = [line.value for one in screened for line in _headline_lines(one.case)]
    checks = [c.threshold for one in screened for c in one.checks if c.unit == "ratio"]
    return sorted({float(v) for v in (*levels, *checks) if _number(v) is not None and v})


def _setting_rows(tree: Mapping[str, object], prefix: str = "") -> list[SettingRow]:
    rows: list[SettingRow] = []
    for name, value in tree.items():
        if isinstance(value, Mapping):
            rows += _setting_rows(value, f"{prefix}{name}.")
        else:
            text = ", ".join(map(str, value)) if isinstance(value, tuple) else str(value)
            rows.append(SettingRow(f"{prefix}{name}", text))
    return rows


def _books(screened: Sequence[Screened], about: About) -> list[Rulebook]:
    """Rulebooks that checks name, and those that the caller adds; by reference."""
    named = {c.rulebook for one in screened for c in one.checks}
    known = {b.reference: b for one in screened for b in one.case.rulebooks.values()}
    books = {r: b for r, b in known.items() if r in named}
    books |= {b.reference: b for b in about.rulebooks}
    return [books[reference] for reference in sorted(books)]


def _book_row(book: Rulebook) -> BookRow:
    return BookRow(
        reference=book.reference,
        title=said_name(book.title),
        status=book.status,
        status_label=said_word(STATUS_NAMES, book.status),
        sources=[said_name(s) for s in book.legal_source or ()],
    )


def _counts(screened: Sequence[Screened]) -> list[DecisionCount]:
    counts = []
    for outcome in reversed(OUTCOMES):
        own = [one.case.project for one in screened if one.decision.outcome == outcome]
        total = float(sum(p.total_investment for p in own))
        counts.append(DecisionCount(outcome_level(outcome), len(own), total))
    return counts


def _index_row(one: Screened, page: MemoPage) -> IndexRow:
    first = _main_reason(one, page)
    calibre, chance = page.consequence.calibres[0], page.consequence.chance
    return IndexRow(
        code=page.code,
        name=page.name,
        unit=page.unit,
        government=page.government,
        marking=page.marking,
        decision=page.verdict.decision,
        overridden=one.decision.override is not None,
        reason_id=first.id if first else "",
        reason=first.sentence if first else None,
        reason_lifted=first is not None and first.lifted,
        investment=page.finance.total_investment,
        debt=page.public_debt,
        ratio_now=calibre.value_now,
        ratio_worst=calibre.worst_with,
        without=chance.without if chance else None,
        with_project=chance.with_project if chance else None,
        breach=calibre.breach_with,
    )


def _main_reason(one: Screened, page: MemoPage) -> CheckRow | None:
    by_id = {row.id: row for row in page.checks}
    named = [by_id[i] for i in (*one.decision.reasons, *page.reasons) if i in by_id]
    return next(iter(named), None)


def _rejected(problem: Problem) -> RejectedRow:
    zh, en = language("zh").text, language("en").text
    return RejectedRow(
        code=str(problem.details.get("code", "")),
        unit=problem.unit,
        place=" · ".join(x for x in (problem.file, problem.sheet, problem.cell) if x),
        what=Said(zh=problem.what(zh), en=problem.what(en)),
        mend=Said(zh=problem.mend(zh), en=problem.mend(en)),
    )


# -- one proposal ----------------------------------------------------------------------------------


def page_of(one: Screened) -> MemoPage:
    """Build the page of one proposal.

    Parameters
    ----------
    one : Screened
    """
    case = one.case
    project, government = case.project, case.government
    lifted = set(one.decision.lifted)
    checks = [_check_row(c, c.id in lifted) for c in one.checks]
    return MemoPage(
        code=project.code,
        name=project.name,
        unit=project.unit,
        government=government.name or project.unit,
        level=government.level,
        province=government.province,
        sector=_sector(case),
        county_type=_named(COUNTY_TYPE_NAMES, government.county_type or project.county_type),
        purpose=_named(PURPOSE_NAMES, project.purpose),
        nature=_named(NATURE_NAMES, project.nature),
        marking=project.illustrative,
        place=project.place,
        start=quarter_text(project.start_quarter),
        completion=quarter_text(project.completion_quarter),
        build_quarters=project.build_quarters,
        life_years=float(project.life_years),
        public_debt=float(project.public_debt),
        verdict=_verdict(one),
        reasons=_by_gravity(one.checks),
        consequence=_consequence(case),
        finance=_own_money(case, one.checks),
        remarks=[said_sentence(s) for s in one.remarks],
        conditions=[
            ConditionRow(
                k, c.key, said_sentence(c.sentence), list(c.checks), quarter_or_none(c.due)
            )
            for k, c in enumerate(one.conditions, start=1)
        ],
        changes=[
            ChangeRow(
                c.key, said_sentence(c.sentence), list(c.removes), list(c.remaining),
                _number(c.cost), outcome_level(c.outcome),
            )
            for c in one.changes
        ],
        checks=checks,
        gaps=_gaps(one.checks),
        legal=_legal(checks),
    )  # fmt: skip


def _by_gravity(checks: Sequence[Check]) -> list[str]:
    """Failures from gravest to lightest, then what cannot be judged."""
    weighing = [check for check in checks if check.counts]
    weighing.sort(key=lambda c: (c.status == "na", SEVERITIES.index(c.severity)))
    return [check.id for check in weighing]


def _sector(case: Case) -> Said | None:
    if case.sector is not None:
        return said_name(case.sector.label)
    given = case.project.sector
    return Said(zh=given, en=given) if given else None


def _named(names: dict[str, str], key: str) -> Said | None:
    return said_word(names, key) if key else None


def _check_row(check: Check, lifted: bool) -> CheckRow:
    return CheckRow(
        id=check.id,
        name=said_word(CHECK_NAMES, check.id),
        status=check.status,
        severity=check.severity,
        sentence=said_sentence(check.sentence),
        value=_number(check.value),
        threshold=_number(check.threshold),
        operator=check.operator,
        unit=check.unit,
        quarter=quarter_or_none(check.quarter),
        source=said_name(check.source),
        rulebook=check.rulebook,
        ours=check.ours,
        missing=[said_missing(name) for name in check.missing],
        without_grants=check.without_grants,
        lifted=lifted,
    )


def _gaps(checks: Sequence[Check]) -> list[Gap]:
    """List what is lacking, each once, with the checks that wait for it."""
    waiting: dict[str, list[str]] = {}
    for check in checks:
        for name in check.missing:
            waiting.setdefault(name, []).append(check.id)
    return [Gap(said_missing(name), ids) for name, ids in waiting.items()]


def _legal(rows: Sequence[CheckRow]) -> list[Legal]:
    """Clauses of the checks that applied, each once."""
    resting: dict[tuple[Said, str], list[str]] = {}
    for row in rows:
        if row.status != "not_applicable" and (row.source.zh or row.source.en):
            resting.setdefault((row.source, row.rulebook), []).append(row.id)
    return [Legal(source, book, ids) for (source, book), ids in resting.items()]


def _verdict(one: Screened) -> Verdict:
    decision = one.decision
    return Verdict(
        decision=outcome_level(decision.outcome),
        meaning=said(OUTCOME_MEANING[decision.outcome]),
        validity=validity(one),
        valid_until=quarter_or_none(decision.valid_until),
        earliest=quarter_or_none(decision.earliest),
        override=_override(one),
    )


def _override(one: Screened) -> OverrideBox | None:
    decision = one.decision
    asked = decision.override or one.case.project.override
    if asked is None:
        return None
    refused = None
    if decision.override is None:
        nothing = said(N_("There was nothing that it could lift."))
        refused = said_sentence(decision.refused_override) if decision.refused_override else nothing
    return OverrideBox(
        ground=said_word(GROUND_NAMES, asked.ground),
        name=asked.name,
        date=asked.date.isoformat(),
        reason=asked.reason,
        lifted=list(decision.lifted),
        before=outcome_level(decision.before_override) if refused is None else None,
        refused=refused,
    )


# -- what it does to its government ----------------------------------------------------------------


def _consequence(case: Case) -> Consequence:
    impact = case.impact
    calibres = [_calibre(N_("Statutory debt"), impact.tier, case)]
    if impact.wide is not None:
        calibres.append(_calibre(N_("With hidden debt"), impact.wide, case))
    return Consequence(
        calibres=calibres,
        chance=_chance(impact.probability, impact.first_quarter) if impact.probability else None,
        path=_path(impact, case.government.quarter),
        lines=_headline_lines(case),
        breach_with=quarter_or_none(impact.tier.breach_with),
        breach_without=quarter_or_none(impact.tier.breach_without),
        quotas=[
            QuotaRow(
                said_word(LEDGER_NAMES, q.ledger), _number(q.balance), _number(q.drawn),
                _number(q.pipeline), _number(q.limit),
            )
            for q in impact.quotas
        ],
        interest=[
            InterestRow(
                said_word(LEDGER_NAMES, r.ledger), _number(r.now), _highest(r.without),
                _highest(r.with_),
            )
            for r in impact.interest
        ],
        stressed_without=_level(impact.stressed_without),
        stressed_with=_level(impact.stressed_with),
        stressed_by=said_name(impact.stressed_by) if impact.stressed_by else None,
        liquidity=_number(impact.liquidity),
        liquidity_quarter=quarter_or_none(impact.liquidity_quarter),
        sanbao_margin=_number(impact.sanbao_margin),
        sanbao_quarter=quarter_or_none(impact.sanbao_quarter),
        province_before=_number(impact.province_before),
        province_after=_number(impact.province_after),
        province_ratio_before=_number(impact.province_ratio_before),
        province_ratio_after=_number(impact.province_ratio_after),
        rooms=[_room(room, impact) for room in impact.rooms],
    )  # fmt: skip


def _level(tier: Tier | None) -> Level | None:
    return None if tier is None else Level(tier.id, said_name(tier.label), tier.severity)


def _calibre(name: str, change: TierChange, case: Case) -> CalibreRow:
    now, without, with_ = change.now, change.without, change.with_
    last = case.impact.first_quarter + len(change.path_with) - 1
    return CalibreRow(
        calibre=said(name),
        now=Level(now.id, said_name(now.label), now.severity),
        without=Level(without.id, said_name(without.label), without.severity),
        with_project=Level(with_.id, said_name(with_.label), with_.severity),
        value_now=_number(change.value_now),
        worst_without=_highest(change.path_without),
        worst_with=_highest(change.path_with),
        worst_quarter=quarter_or_none(change.worst_quarter),
        line=change.line.value if change.line else None,
        inclusive=change.line.inclusive if change.line else True,
        breach_without=quarter_or_none(change.breach_without),
        breach_with=quarter_or_none(change.breach_with),
        quarters_sooner=change.quarters_sooner,
        effect=change.effect,
        sentence=attribution(change, case.government.name, last),
    )


def _chance(found: Probability, first_quarter: int) -> Chance:
    return Chance(
        line=found.line.value,
        without=_number(found.without),
        with_project=_number(found.with_),
        added=_number(found.added),
        error_without=_number(found.error_without),
        error_with=_number(found.error_with),
        error_added=_number(found.error_added),
        by_quarter=[
            ChancePoint(quarter_text(first_quarter + k), _number(without), _number(with_))
            for k, (without, with_) in enumerate(
                zip(found.by_quarter_without, found.by_quarter_with, strict=True)
            )
        ],
        paths=found.paths,
        horizon=found.horizon,
        consecutive=found.consecutive,
        seed=found.seed,
    )


def _path(impact: Impact, now: int) -> list[PathPoint]:
    """Ratio now and on both central paths; a quarter without a value leaves its point out."""
    tier = impact.tier
    points = [(now, "history", tier.value_now)]
    for kind, values in (("without", tier.path_without), ("with", tier.path_with)):
        points.append((now, kind, tier.value_now))
        points += [(impact.first_quarter + k, kind, v) for k, v in enumerate(values)]
    return [PathPoint(quarter_text(q), kind, float(v)) for q, kind, v in points if np.isfinite(v)]


def _headline_lines(case: Case) -> list[ChartLine]:
    book = case.rulebooks.get(HEADLINE)
    if book is None:
        return []
    indicator = book.indicator_named(book.headline or book.indicator[0].id)
    labels = {band.band: band.label for band in indicator.bands}
    return [
        ChartLine(
            line.value,
            said_name(label) if (label := labels[line.band]) else Said(line.band, line.band),
            line.severity,
            line.inclusive,
        )
        for line in lines_of(book, indicator)
    ]


def _room(room: Room, impact: Impact) -> RoomRow:
    sentence = room_sentence(room, impact.tier)
    binding = impact.binding
    return RoomRow(
        key=room.key,
        label=said_name(room.label),
        line=_number(room.line),
        is_money=room.key in _MONEY_ROOMS,
        supremum=_number(room.supremum),
        printed=_number(room.printed),
        scale=_number(room.scale),
        unlimited=bool(np.isposinf(room.scale)),
        quarter=quarter_or_none(room.quarter),
        binding=binding is not None and room is binding,
        limits_project=_limits(impact) is room,
        sentence=sentence,
    )


def _limits(impact: Impact) -> Room | None:
    """Find the line that allows the smallest scale of the project; the one at tolerance is ours."""
    finite = [r for r in impact.rooms if r.key != "tolerance" and np.isfinite(r.scale)]
    return min(finite, key=lambda r: r.scale, default=None)


# -- its own money ---------------------------------------------------------------------------------


def _own_money(case: Case, checks: Sequence[Check]) -> OwnMoney:
    project, finance = case.project, case.finance
    total, capital = float(project.total_investment), float(project.capital)
    value = case.settings.value
    long_benefit = case.sector is not None and case.sector.long_benefit
    # Income that nobody stated is not an income of nothing.
    known = not any(c.status == "na" and {"income", "opex"} & set(c.missing) for c in checks)

    def figure(number: float) -> float | None:
        return _number(number) if known else None

    return OwnMoney(
        total_investment=total,
        capital=capital,
        capital_share=_share(capital, total),
        money=[
            MoneyRow(said_word(SOURCE_NAMES, t.source), float(t.amount), _share(t.amount, total),
                     terms_of(t), t.is_debt)
            for t in project.financing if t.amount
        ],
        financed=float(sum(t.amount for t in project.financing)),
        income_known=known,
        bond_coverage=figure(finance.bond_coverage),
        total_coverage=figure(finance.total_coverage),
        minimum_dscr=figure(finance.minimum_dscr),
        average_dscr=figure(finance.average_dscr),
        years_below_one=int(finance.years_below_one) if known else None,
        llcr=figure(finance.llcr),
        discounted_coverage=figure(finance.discounted_coverage),
        fnpv=figure(finance.fnpv),
        enpv=figure(finance.enpv),
        weighted_rate=_number(finance.weighted_rate),
        social_rate=value.long_benefit_rate if long_benefit else value.social_rate,
        income_switch=figure(finance.income_switch),
        cost_switch=figure(finance.cost_switch),
        top_ups=figure(float(finance.top_ups.sum())),
        top_up_years=int((finance.top_ups > 0).sum()) if known else None,
        reserve=figure(finance.reserve),
        years=_years(finance, project.start_quarter, known),
        years_shown=_years_shown(finance),
        stresses=[
            StressRow(s.key, stress_label(s.key, case.settings.stress), _number(s.bond_coverage),
                      _number(s.total_coverage), _number(s.minimum_dscr), _number(s.top_ups))
            for s in finance.stresses if known
        ],
    )  # fmt: skip


def _share(part: float, whole: float) -> float | None:
    return float(part / whole) if whole > 0 else None


def _years(finance: Finance, start: int, known: bool) -> list[YearRow]:
    def at(values: np.ndarray, year: int, stated: bool = True) -> float | None:
        return _number(values[year]) if stated and year < len(values) else None

    return [
        YearRow(
            year=k + 1,
            first=quarter_text(start + 4 * k),
            income=at(finance.income, k, known),
            opex=at(finance.opex, k, known),
            taxes=at(finance.taxes, k, known),
            net=at(finance.net, k, known),
            interest=at(finance.total.interest, k),
            principal=at(finance.total.principal, k),
            service=at(finance.total.total, k),
            dscr=at(finance.dscr, k, known),
            top_up=at(finance.top_ups, k, known),
        )
        for k in range(finance.years)
    ]


def _years_shown(finance: Finance) -> int:
    """Years up to the last with debt service; without debt, up to the last with any money."""
    owed = np.flatnonzero(finance.total.total > 0)
    moved = np.flatnonzero((finance.income != 0) | (finance.opex != 0) | (finance.net != 0))
    last = owed if len(owed) else moved
    return int(last[-1]) + 1 if len(last) else 0


# -- portfolios ------------------------------------------------------------------------------------


def _portfolios(screened: Sequence[Screened], about: About) -> list[PortfolioPart]:
    projects = {p.code: p for p in about.projects}
    projects |= {one.case.project.code: one.case.project for one in screened}
    names = dict(about.names)
    names |= {one.case.government.unit: one.case.government.name for one in screened}
    return [
        _portfolio(about.portfolios[unit], names.get(unit) or unit, projects)
        for unit in sorted(about.portfolios)
    ]


def _portfolio(found: Portfolio, name: str, projects: Mapping[str, Project]) -> PortfolioPart:
    return PortfolioPart(
        unit=found.unit,
        government=name,
        chosen=[_chosen(c, projects) for c in found.chosen],
        greedy=[_chosen(c, projects) for c in found.greedy],
        left_out=[_chosen(Chosen(code, 0, 1.0), projects) for code in found.left_out],
        value=_number(found.value),
        greedy_value=_number(found.greedy_value),
        bound=_number(found.bound),
        gap=_number(found.gap),
        proven=found.proven,
        gap_sentence=said_sentence(gap_sentence(found)),
        infeasible=[said_sentence(s) for s in found.reasons]
        or [Said(zh=row, en=row) for row in found.infeasible],
        binding=[
            Binding(
                key=row.key,
                label=said_name(row.label),
                quarter=quarter_or_none(row.quarter),
                is_money=row.key in _MONEY_ROWS,
                right_side=_number(row.right_side),
                slack=_number(row.slack),
                dual=_number(row.dual),
                value_at_1=_number(row.value_at_1),
                value_at_5=_number(row.value_at_5),
            )
            for row in found.binding
        ],
        unknown_rows=list(found.unknown_rows),
        no_room=list(found.no_room),
        barred=list(found.barred),
        probability=_number(found.probability),
        probability_before=_number(found.probability_before),
        quarters=found.quarters,
        tolerance=_number(found.tolerance),
        rounds=found.rounds,
        baseline_breaches=found.baseline_breaches,
        swaps=[Swap(out, into, _number(change)) for out, into, change in found.swaps],
    )


def _chosen(chosen: Chosen, projects: Mapping[str, Project]) -> ChosenRow:
    project = projects.get(chosen.code)
    start = project.start_quarter + chosen.quarters_later if project else None
    return ChosenRow(
        code=chosen.code,
        name=project.name if project else "",
        start=quarter_or_none(start),
        quarters_later=chosen.quarters_later,
        scale=float(chosen.scale),
    )
