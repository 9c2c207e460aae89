"""Words of a memo: names of checks, decisions and sources of money, and its own sentences."""

from __future__ import annotations

import math
from collections.abc import Iterable

from debtwatch.language import N_
from debtwatch.panel.period import quarter_text
from debtwatch.reporting.memo_context import Level, Said
from debtwatch.rules.rulebook import Bilingual
from debtwatch.screening.case import Room, TierChange
from debtwatch.screening.decision import Screened
from debtwatch.screening.labels import label_of
from debtwatch.screening.project import Tranche
from debtwatch.screening.sentence import Detail, Money, Number, Quarter, Sentence, Share, Word
from debtwatch.screening.settings import StressSettings

CHECK_NAMES = {
    "L1": N_("Permanent basic farmland"),
    "L2": N_("Ecological red line"),
    "L3": N_("Urban development boundary"),
    "L4": N_("Offset of cultivated land"),
    "L5": N_("Land-use approval"),
    "G1": N_("Conversion to city or district"),
    "G2": N_("Type of county"),
    "P1": N_("Expansion where people leave"),
    "P2": N_("Supply above need"),
    "P3": N_("Need if population is low"),
    "F1": N_("Hidden-debt financing"),
    "F2": N_("Minimum project capital"),
    "F3": N_("Debt-like share of capital"),
    "F4": N_("Use of special bonds"),
    "F5": N_("Coverage of debt by income"),
    "F6": N_("Yearly coverage and top-ups"),
    "F7": N_("Tenor against life"),
    "F8": N_("Required documents"),
    "F9": N_("Growth of cost"),
    "F10": N_("Cost for each unit"),
    "F11": N_("Grants not committed"),
    "Q1": N_("Legal debt limit"),
    "R1": N_("Trigger of fiscal restructuring"),
    "R2": N_("Restructuring under way"),
    "T1": N_("Change of level"),
    "T2": N_("Present level"),
    "T3": N_("Change of level with hidden debt"),
    "B1": N_("Probability of breach"),
    "B2": N_("Level under stress"),
    "S1": N_("Three guarantees"),
    "S2": N_("Financing need of four quarters"),
    "K1": N_("Frozen kinds in key provinces"),
    "E1": N_("Economic value"),
    "E2": N_("Partnership commitments"),
}
OUTCOME_NAMES = {
    "pass": N_("Pass"),
    "conditional": N_("Pass with conditions"),
    "defer": N_("Defer"),
    "reject": N_("Reject"),
}
OUTCOME_MEANING = {
    "pass": N_("It may be put into the plan of the next quarter."),
    "conditional": N_("It may proceed only once the conditions listed are met in writing."),
    "defer": N_("Do not start; resubmit when the facts listed change."),
    "reject": N_("It should not be submitted in this form."),
}
OUTCOME_SEVERITY = {"pass": 0, "conditional": 1, "defer": 2, "reject": 3}
SOURCE_NAMES = {
    "fiscal_general": N_("Own money, general budget"),
    "fiscal_fund": N_("Own money, fund budget"),
    "central_budget_investment": N_("Central budget investment"),
    "provincial_grant": N_("Provincial grant"),
    "enterprise_equity": N_("Equity of enterprises"),
    "general_bond": N_("General bonds"),
    "special_bond": N_("Special bonds"),
    "policy_loan": N_("Loan of a policy bank"),
    "bank_loan": N_("Bank loan"),
    "ppp_private": N_("Private partner"),
}
PURPOSE_NAMES = {
    "new": N_("New building"),
    "extension": N_("Extension"),
    "renovation": N_("Renovation"),
    "equipment": N_("Equipment"),
    "maintenance": N_("Maintenance"),
}
NATURE_NAMES = {
    "public": N_("Public welfare"),
    "quasi_public": N_("Quasi-public"),
    "commercial": N_("Commercial"),
}
COUNTY_TYPE_NAMES = {
    "near_big_city": N_("County near a big city"),
    "specialised": N_("County with a specialised function"),
    "agricultural": N_("County of a main farming area"),
    "ecological": N_("County of a key ecological area"),
    "population_loss": N_("County that loses people"),
}
GROUND_NAMES = {
    "mandatory_safety": N_("mandatory safety repair"),
    "ongoing": N_("project near completion"),
    "upper_level_grant": N_("paid in full by the higher level"),
}
STATUS_NAMES = {
    "official": N_("official"),
    "practice": N_("published practice"),
    "reference": N_("reference"),
    "project_default": N_("set by this tool"),
}
LEDGER_NAMES = {"general": N_("General debt"), "special": N_("Special debt")}
_REPAYMENTS = {
    "bullet": N_("principal at the end"),
    "equal_principal": N_("principal in equal parts"),
    "annuity": N_("level payments"),
}
_DRAWS = {
    "yearly": N_("drawn once a year of construction"),
    "quarterly": N_("drawn every quarter of construction"),
    "upfront": N_("drawn at the start"),
}
_BORROWERS = {
    "lgfv": N_("borrowed by a financing vehicle"),
    "spv": N_("borrowed by the project company"),
}
_PAYMENTS = {
    "user_pay": N_("paid by users"),
    "viability_gap": N_("viability gap met by the budget"),
    "government_pay": N_("paid by the government"),
}


def said(message: str) -> Said:
    """Say one of our own messages in both languages."""
    return said_sentence(Sentence(message))


def said_sentence(sentence: Sentence) -> Said:
    """Say a sentence in both languages."""
    return Said(**sentence.both())


def said_name(name: Bilingual) -> Said:
    """Take over a name that data carry in both languages."""
    return Said(zh=name.zh, en=name.en)


def said_word(names: dict[str, str], key: str) -> Said:
    """Name a key in both languages; a key nobody named stands for itself."""
    return said(names[key]) if key in names else Said(zh=key, en=key)


def said_missing(name: str) -> Said:
    """Name a figure or answer that a check lacks.

    Examples
    --------
    >>> said_missing("gpb_revenue").en, said_missing("land.cultivated_ha").en
    ('General public budget revenue', 'area of cultivated land')
    """
    label = label_of(name)
    if isinstance(label, str):
        return Said(zh=label, en=label)
    return Said(zh=label.text("zh"), en=label.text("en"))


def outcome_level(outcome: str) -> Level:
    """Put a decision in words."""
    return Level(outcome, said(OUTCOME_NAMES[outcome]), OUTCOME_SEVERITY[outcome])


def attribution(change: TierChange, name: str, last_quarter: int) -> Said:
    """Say whether the breach is the project's doing.

    Parameters
    ----------
    change : TierChange
    name : str
        Government.
    last_quarter : int
        Ordinal of the end of the central path.
    """
    if change.effect == "no_data":
        return said(N_("Not judged: figures are missing."))
    if change.line is None:
        return said(N_("It stands in the worst level already: no line is left above it."))
    details: dict[str, Detail] = {
        "name": name,
        "line": _line(change.line.value),
        "q0": Quarter(change.breach_without),
        "q1": Quarter(change.breach_with),
        "k": Number(change.quarters_sooner),
        "end": Quarter(last_quarter),
    }
    return said_sentence(Sentence(_ATTRIBUTION[change.effect], details))


_ATTRIBUTION = {
    "caused": N_(
        "Without the project the ratio of {name} stays clear of the {line} warning line through "
        "{end}; with it the line is crossed in {q1}. The project causes the breach."
    ),
    "brought_forward": N_(
        "Without the project too the ratio of {name} crosses {line}, in {q0}; the project brings "
        "this forward by {k} quarter(s), to {q1}."
    ),
    "anyway": N_(
        "The ratio of {name} crosses {line} in {q0} whether or not the project is built; the "
        "breach is not the project's."
    ),
    "already": N_("The ratio of {name} is beyond {line} already."),
    "no_effect": N_("With the project too the ratio of {name} stays clear of {line} to {end}."),
}


def _line(value: float) -> Share:
    whole = abs(value * 100 - round(value * 100)) < 1e-9
    return Share(value, 0 if whole else 1)


def room_sentence(room: Room, change: TierChange) -> Said | None:
    """Say that nothing is left under a line, or that it is not known; None when some is left."""
    if math.isnan(room.supremum):
        return said(N_("not known: figures are missing"))
    if room.printed is not None and room.printed > 0:
        return None
    if room.supremum >= 0:
        return said(N_("no headroom is left"))
    of_tier = change.line is not None and room.key == "tier" and room.line == change.line.value
    if of_tier and change.breach_without is not None:
        text = N_("no headroom; crossed in {quarter} without the project")
        return said_sentence(Sentence(text, {"quarter": Quarter(change.breach_without)}))
    return said(N_("no headroom; exceeded without the project"))


def terms_of(tranche: Tranche) -> Said | None:
    """Put the terms of a debt, or the standing of a grant, in words; None where none are to say."""
    parts = [said_sentence(s) for s in _terms(tranche)]
    if not parts:
        return None
    return Said(zh="；".join(p.zh for p in parts), en="; ".join(p.en for p in parts))


def _terms(tranche: Tranche) -> Iterable[Sentence]:
    if tranche.is_debt:
        yield Sentence(
            N_("{years} years at {rate}, {repayment}"),
            {
                "years": _years(tranche.tenor_years),
                "rate": Share(tranche.rate, 2),
                "repayment": Word(_REPAYMENTS[tranche.repayment]),
            },
        )
        if tranche.grace_years:
            grace = {"years": _years(tranche.grace_years)}
            yield Sentence(N_("first {years} years without principal"), grace)
        scheduled = N_("drawn by the schedule given")
        yield Sentence(scheduled if tranche.schedule else _DRAWS[tranche.draw])
        if tranche.capitalised:
            yield Sentence(N_("interest of construction time is added to the debt"))
    if tranche.borrower in _BORROWERS:
        yield Sentence(_BORROWERS[tranche.borrower])
    if tranche.guarantee == "illegal_government":
        yield Sentence(N_("guaranteed by the government"))
    if tranche.as_capital > 0:
        yield Sentence(
            N_("of it {amount} as project capital"), {"amount": Money(tranche.as_capital)}
        )
    if tranche.equity_like > 0:
        yield Sentence(
            N_("of it {amount} is debt by nature"), {"amount": Money(tranche.equity_like)}
        )
    if tranche.source in {"central_budget_investment", "provincial_grant"}:
        yield Sentence(_COMMITTED[tranche.committed])
    if tranche.payment in _PAYMENTS:
        yield Sentence(_PAYMENTS[tranche.payment])


_COMMITTED = {
    True: N_("committed in writing"),
    False: N_("not committed"),
    None: N_("not stated whether it is committed"),
}


def _years(years: float) -> Number:
    return Number(years, 0 if float(years).is_integer() else 1)


def stress_label(key: str, sizes: StressSettings) -> Said:
    """Put a stress and its size in words."""
    sentences = {
        "revenue": Sentence(N_("income {size} lower"), {"size": Share(-sizes.revenue, 0)}),
        "land_linked": Sentence(
            N_("land-linked income {size} lower"), {"size": Share(-sizes.land_linked, 0)}
        ),
        "cost": Sentence(N_("cost {size} higher"), {"size": Share(sizes.cost, 0)}),
        "delay": Sentence(N_("{n} quarters late"), {"n": Number(sizes.delay_quarters)}),
        "rate": Sentence(
            N_("interest rates {n} basis points higher"), {"n": Number(sizes.rate * 1e4)}
        ),
    }
    return said_sentence(sentences[key]) if key in sentences else Said(zh=key, en=key)


def validity(one: Screened) -> Said:
    """Say how long a decision holds, or when to look again."""
    decision, settings = one.decision, one.case.settings
    if decision.outcome == "pass" and decision.valid_until is not None:
        details: dict[str, Detail] = {
            "quarter": Quarter(decision.valid_until),
            "moved": Share(settings.validity.moved, 0),
        }
        text = N_("Holds through {quarter}, or until an input moves by more than {moved}.")
        return said_sentence(Sentence(text, details))
    dues = [c.due for c in one.conditions if c.due is not None]
    if decision.outcome == "conditional" and dues:
        text = N_("Check again by {quarter}, when the first condition falls due.")
        return said_sentence(Sentence(text, {"quarter": Quarter(min(dues))}))
    if decision.outcome == "defer" and decision.earliest is not None:
        text = N_("Screen again in {quarter}, the earliest start that respects every line.")
        return said_sentence(Sentence(text, {"quarter": Quarter(decision.earliest)}))
    return said(_LATER[decision.outcome])


_LATER = {
    "pass": N_("Holds until an input changes."),
    "conditional": N_("Check again when the conditions are met."),
    "defer": N_("Screen again when the facts listed change."),
    "reject": N_("A changed proposal needs a new code."),
}


def quarter_or_none(ordinal: int | None) -> str | None:
    """Text of a quarter, None for none."""
    return None if ordinal is None else quarter_text(ordinal)
