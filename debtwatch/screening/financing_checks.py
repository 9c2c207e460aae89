"""Checks of a proposal's financing and of its own money: F1 to F11, E1 and E2 of rules C2.

Lines of law and of practice come from the rulebooks in force, ours from the settings. An answer
that is not given is never taken for a good one; a finding that does not depend on it stands.
"""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Callable, Iterable
from dataclasses import replace
from functools import cache
from statistics import median

import numpy as np

from debtwatch.language import N_
from debtwatch.rules.assess import assess, band_codes
from debtwatch.rules.expression import evaluate, exceeds, parse
from debtwatch.rules.rulebook import Band, Bilingual, Rulebook
from debtwatch.screening.case import Case
from debtwatch.screening.check import (
    OURS,
    SEVERITIES,
    Check,
    Severity,
    cited,
    joined,
    severity_without_data,
)
from debtwatch.screening.labels import label_of
from debtwatch.screening.ppp import largest_share
from debtwatch.screening.project import GRANTS, Project, Tranche
from debtwatch.screening.sentence import (
    Detail,
    Money,
    Name,
    Number,
    Sentence,
    Share,
    Word,
    Words,
)
from debtwatch.screening.settings import required_documents

Details = dict[str, Detail]

CAPITAL, BOND, PPP = "cn-project-capital", "cn-special-bond-project", "cn-ppp-cap"
GUARDRAILS, DECISION = "cn-county-2022-guardrails", "dw-project-decision"
#: Day of the new mechanism of partnerships, where the rulebook does not say it.
NEW_MECHANISM = dt.date(2023, 11, 3)
#: Others of the sector that a comparison of unit costs needs.
FEWEST_OTHERS = 5
#: Share of expenditure that is next to nothing and still more than the tolerance of comparisons.
SLIVER = 1e-7

NO_HIDDEN_DEBT = Bilingual(
    zh="国发〔2014〕43号；《政府投资条例》（国务院令第712号）第五条、第二十二条",
    en="State Council document (2014) No. 43; Government Investment Regulations (Decree No. 712), "
    "arts. 5 and 22",
)
BUDGET_GROWTH = Bilingual(
    zh="《政府投资条例》（国务院令第712号）第十二条",
    en="Government Investment Regulations (Decree No. 712), art. 12",
)
DOCUMENTS_NEEDED = Bilingual(
    zh="《政府投资条例》（国务院令第712号）第九条；材料清单为本工具口径",
    en="Government Investment Regulations (Decree No. 712), art. 9; the list is this tool's",
)
SOCIAL_RATE = Bilingual(
    zh="《建设项目经济评价方法与参数》（第三版，2006年）社会折现率；判断线为本工具口径",
    en="Social discount rate of the national parameters, third edition of 2006; the line is ours",
)


def hidden_debt(case: Case) -> Check:
    """F1: financing that would be hidden debt.

    Hard when any feature is found. A loan of a financing vehicle must say whether it is guaranteed,
    and a partnership who pays.
    """
    project = case.project
    hits, by_partnership = _hidden_features(project, _new_mechanism(case))
    book, ppp = (case.rulebooks.get(f) for f in (GUARDRAILS, PPP))
    source = cited(book, 0, 1) if book else NO_HIDDEN_DEBT
    reference = _reference(book)
    if by_partnership and ppp:
        mechanism = cited(ppp, 2)
        only = len(hits) == 1
        source = mechanism if only else joined(source, mechanism)
        reference = ppp.reference if only else reference
    one = Check(
        "F1", "passed", "I", Sentence(N_("Nothing in the financing looks like hidden debt.")),
        source, 0.0, 0.0, ">", "flag", rulebook=reference,
    )  # fmt: skip
    if hits:
        sentence = Sentence(
            N_("The financing includes {features}, which looks like new hidden debt; the advice is "
               "to refuse it."),
            {"features": Words(tuple(Word(h) for h in hits))},
        )  # fmt: skip
        return replace(one, status="failed", severity="H", sentence=sentence, value=1.0)
    lacking = _hidden_unknown(project)
    return _without_data(one, lacking) if lacking else one


def _hidden_features(project: Project, mechanism: dt.date) -> tuple[list[str], bool]:
    """Find what looks like hidden debt, and whether a partnership is part of it."""
    flags = project.flags
    found = {
        N_("pre-financing by the contractor"): flags.contractor_prefinancing,
        N_("a guaranteed buy-back"): flags.guaranteed_buyback,
        N_("a commitment letter of the government"): flags.commitment_letter,
        N_("an unlawful guarantee by the government"): any(
            t.guarantee == "illegal_government" for t in project.financing if t.amount > 0
        ),
    }
    paid = {t.payment for t in _partnerships(project)} if _is_new(project, mechanism) else set()
    partnership = {
        N_("a partnership paid by the government"): "government_pay" in paid,
        N_("a partnership whose construction gap the government fills"): "viability_gap" in paid,
    }
    hits = [text for text, hit in {**found, **partnership}.items() if hit]
    return hits, any(partnership.values())


def _hidden_unknown(project: Project) -> tuple[str, ...]:
    flags = project.flags
    lacking = [
        name
        for name in ("contractor_prefinancing", "guaranteed_buyback", "commitment_letter")
        if getattr(flags, name) is None
    ]
    lacking += ["guarantee" for t in project.financing
                if t.amount > 0 and t.source in {"policy_loan", "bank_loan"}
                and t.borrower != "spv" and not t.guarantee][:1]  # fmt: skip
    lacking += ["payment" for t in _partnerships(project) if not t.payment][:1]
    return tuple(lacking)


def _new_mechanism(case: Case) -> dt.date:
    book = case.rulebooks.get(PPP)
    return (book.effective_to if book else None) or NEW_MECHANISM


def _is_new(project: Project, mechanism: dt.date) -> bool:
    """Whether a partnership falls under the new mechanism; by its start when not approved."""
    if project.approved_on is not None:
        return project.approved_on >= mechanism
    return project.start_quarter >= 4 * mechanism.year + (mechanism.month - 1) // 3


def capital_floor(case: Case) -> Check:
    """F2: project capital against the minimum of the sector.

    A relaxation of the minimum is an exception that has to be claimed: where the proposal does not
    say that it was granted, the minimum itself applies.
    """
    project, book = case.project, case.rulebooks.get(CAPITAL)
    if book is None:
        return _no_rulebook("F2", CAPITAL)
    relaxed = project.flags.relaxed_capital
    inputs = {
        "capital": project.capital,
        "total_investment": project.total_investment,
        "relaxed_capital_allowed": bool(relaxed),
        "sector_min_capital": _sector_minimum(book, case.sector.capital) if case.sector else None,
    }
    result = assess(book, inputs)
    ratio, floor = (float(result.values[k]) for k in ("capital_ratio", "minimum"))
    details: Details = {
        "value": Share(ratio, 2), "floor": Share(floor, 2),
        "sector": Name(case.sector.label) if case.sector else "",
        "gap": Money(max(0.0, floor * project.total_investment - project.capital)),
    }  # fmt: skip
    one = Check(
        "F2", "passed", "I",
        Sentence(N_("Project capital is {value}, not lower than the minimum of {floor} for "
                    "{sector}."), details),
        cited(book), ratio, floor, "<", rulebook=book.reference,
    )  # fmt: skip
    band = _band(book, "capital_gap", float(result.values["capital_gap"]))
    if band is None:
        return _without_data(one, ("total_investment",) if math.isnan(ratio) else ("sector",))
    if band.band != "fail":
        return one
    message = N_("Project capital is {value}, below the minimum of {floor} for {sector}; {gap} are "
                 "lacking.")  # fmt: skip
    if relaxed is None:
        message = N_("Project capital is {value}, below the minimum of {floor} for {sector}; {gap} "
                     "are lacking. The proposal does not say that a lower minimum was "
                     "granted.")  # fmt: skip
    return replace(one, status="failed", severity="H", sentence=Sentence(message, details))


def _sector_minimum(book: Rulebook, sector: str) -> float:
    return _looked_up(book.indicator_named("sector_min_capital").formula, sector)


@cache
def _looked_up(formula: str, sector: str) -> float:
    """Evaluate the table of sectors once for each: it is long, and projects are many."""
    return float(np.asarray(evaluate(parse(formula), {"sector": sector}), dtype=np.float64))


def equity_like_share(case: Case) -> Check:
    """F3: perpetuals and the like in project capital."""
    project, book = case.project, case.rulebooks.get(CAPITAL)
    if book is None:
        return _no_rulebook("F3", CAPITAL)
    likes = sum(t.equity_like for t in project.financing)
    if project.capital <= 0:
        return _not_applicable("F3", N_("The project has no capital to look into."), cited(book))
    share = likes / project.capital
    line = _edge(book, "equity_like_share", "gt")
    details: Details = {"value": Share(share, 2), "line": Share(line, 0)}
    one = Check(
        "F3", "passed", "I",
        Sentence(N_("Perpetuals and the like are {value} of project capital, within {line}."),
                 details),
        cited(book), share, line, ">", rulebook=book.reference,
    )  # fmt: skip
    if _named(book, "equity_like_share", share) != "fail":
        return one
    sentence = Sentence(
        N_("Perpetuals and the like are {value} of project capital, more than {line}; the excess "
           "should be replaced by genuine capital."), details,
    )  # fmt: skip
    return replace(one, status="failed", severity="D", sentence=sentence)


def negative_list(case: Case) -> Check:
    """F4: a special bond for a project without income or on the negative list."""
    project, book = case.project, case.rulebooks.get(BOND)
    if book is None:
        return _no_rulebook("F4", BOND)
    if not _special_bonds(project):
        return _not_applicable("F4", N_("No special bond is asked for."), cited(book, 2))
    flags, income = project.flags, project.operation.has_income
    by_sector = case.sector is not None and case.sector.negative_list
    found = {
        N_("no income at all"): project.nature == "public" and not income,
        N_("an office building"): flags.office_building,
        N_("an image project"): flags.image_project,
        N_("a kind of project on the negative list"): flags.negative_list or by_sector,
    }
    hits = [text for text, hit in found.items() if hit]
    one = Check(
        "F4", "passed", "I",
        Sentence(N_("The project has income and is not on the negative list of special bonds.")),
        cited(book, 0, 2), 0.0, 0.0, ">", "flag", rulebook=book.reference,
    )  # fmt: skip
    if hits:
        sentence = Sentence(
            N_("A special bond is not open to this project ({reasons}); it may be submitted again "
               "with general bonds or budget money."),
            {"reasons": Words(tuple(Word(h) for h in hits))},
        )  # fmt: skip
        return replace(one, status="failed", severity="H", sentence=sentence, value=1.0)
    unknown = {
        "nature": not project.nature and not income,
        "income": bool(project.nature) and not income,
        "office_building": flags.office_building is None,
        "image_project": flags.image_project is None,
        "negative_list": flags.negative_list is None and case.sector is None,
    }
    lacking = tuple(name for name, missing in unknown.items() if missing)
    return _without_data(one, lacking) if lacking else one


def self_balance(case: Case) -> Check:
    """F5: coverage of the special bond and of all debt; the worse grade decides.

    General bonds alone are repaid by the general budget, so that the test does not apply.
    """
    project, book, finance = case.project, case.rulebooks.get(BOND), case.finance
    if book is None:
        return _no_rulebook("F5", BOND)
    source = cited(book, 0)
    if not _repaid_by_income(project):
        return _not_applicable("F5", N_("No debt has to be repaid out of income."), source)
    values = {"bond_coverage": finance.bond_coverage} if _special_bonds(project) else {}
    values["total_coverage"] = finance.total_coverage
    bands = {k: _band(book, k, v) for k, v in values.items()}
    grades = {k: _grade(k, b.band) for k, b in bands.items() if b is not None}
    worst = min(grades, key=lambda k: SEVERITIES.index(grades[k]), default="total_coverage")
    band, value = bands[worst], values[worst]
    details = _coverage_details(case, values, bands)
    message = N_("Project revenue covers all debt {total} times ({judge_total}); top-ups are "
                 "needed in {years} years, {top_ups} in all.")  # fmt: skip
    if "bond_coverage" in values:
        message = N_("Project revenue covers the special bond {bond} times ({judge_bond}) and all "
                     "debt {total} times ({judge_total}); top-ups are needed in {years} years, "
                     "{top_ups} in all.")  # fmt: skip
    one = Check(
        "F5", "passed", grades.get(worst, "I"), Sentence(message, details), source,
        value, _coverage_line(book, worst, band), "<", "times", rulebook=book.reference,
    )  # fmt: skip
    hard = [k for k, b in bands.items() if b is not None and b.band == "fail"]
    lacking = _income_unknown(project)
    if None in bands.values() or "income" in lacking or (lacking and not hard):
        return _without_data(one, lacking or ("income",))
    return one if one.severity == "I" else replace(one, status="failed")


def _grade(indicator: str, band: str) -> Severity:
    if band == "fail":
        return "H" if indicator == "bond_coverage" else "D"
    return "C" if band == "thin" else "I"


def _coverage_line(book: Rulebook, indicator: str, band: Band | None) -> float | None:
    """Line that the value misses, or the highest one that it meets."""
    if band is None:
        return None
    return band.lt if band.lt is not None else band.ge


def _coverage_details(
    case: Case, values: dict[str, float], bands: dict[str, Band | None]
) -> Details:
    details: Details = {
        "years": Number(float((case.finance.top_ups > 0).sum())),
        "top_ups": Money(float(case.finance.top_ups.sum())),
    }
    for key, short in (("bond_coverage", "bond"), ("total_coverage", "total")):
        if key in values:
            band = bands[key]
            details[short] = Number(values[key], 3)
            details[f"judge_{short}"] = Name(band.label) if band and band.label else ""
    return details


def yearly_coverage(case: Case) -> Check:
    """F6: net revenue over service in the worst year with principal due.

    Shortfalls are for the fund budget: conditional when they are budgeted or nobody says, deferred
    when the proposal says that they are not.
    """
    project, book, finance = case.project, case.rulebooks.get(DECISION), case.finance
    if book is None:
        return _no_rulebook("F6", DECISION)
    if not _repaid_by_income(project):
        return _not_applicable("F6", N_("No debt has to be repaid out of income."), OURS)
    lowest = finance.minimum_dscr
    band = _band(book, "dscr", lowest)
    short = finance.top_ups > 0
    details: Details = {
        "value": Number(lowest, 3), "years": Number(float(short.sum())),
        "top_ups": Money(float(finance.top_ups.sum())),
        "largest": Money(float(finance.top_ups.max())),
    }  # fmt: skip
    message = N_("Net revenue pays the service in every year with principal due, {value} times at "
                 "the lowest.")  # fmt: skip
    if short.any():
        message = N_("Net revenue pays the service in every year with principal due, {value} "
                     "times at the lowest; the {years} other years need top-ups of "
                     "{top_ups}.")  # fmt: skip
    one = Check(
        "F6", "passed", "I", Sentence(message, details), OURS, lowest, _edge(book, "dscr", "lt"),
        "<", "times", _worst_year(case), book.reference, ours=True,
    )  # fmt: skip
    lacking = _income_unknown(project)
    fails = band is not None and band.band == "fail"
    if band is None or "income" in lacking or (lacking and not fails):
        return _without_data(one, lacking or ("income",))
    budgeted = project.flags.top_ups_budgeted
    if not fails and not (budgeted is False and short.any()):
        return one
    return replace(
        one, status="failed", severity="D" if budgeted is False else "C",
        sentence=Sentence(_SHORTFALL[budgeted], details),
    )  # fmt: skip


_SHORTFALL = {
    True: N_("In the worst year with principal due net revenue pays {value} of the service; "
             "{years} years need top-ups of {top_ups} in all, {largest} at most; they are "
             "budgeted."),
    False: N_("In the worst year with principal due net revenue pays {value} of the service; "
              "{years} years need top-ups of {top_ups} in all, {largest} at most; they are not "
              "budgeted."),
    None: N_("In the worst year with principal due net revenue pays {value} of the service; "
             "{years} years need top-ups of {top_ups} in all, {largest} at most; whether they are "
             "budgeted is not stated."),
}  # fmt: skip


def _worst_year(case: Case) -> int | None:
    """Last quarter of the project year with the lowest coverage among those with principal due."""
    due = case.finance.total.principal > 0
    if not due.any():
        return None
    year = int(np.argmin(np.where(due, case.finance.dscr, np.inf)))
    return case.project.start_quarter + 4 * year + 3


def tenor(case: Case) -> Check:
    """F7: a special bond that outlasts the project."""
    project, book = case.project, case.rulebooks.get(BOND)
    if book is None:
        return _no_rulebook("F7", BOND)
    bonds = _special_bonds(project)
    if not bonds:
        return _not_applicable("F7", N_("No special bond is asked for."), cited(book, 1))
    longest = max(t.tenor_years for t in bonds)
    details: Details = {"tenor": Number(longest, 1), "life": Number(project.life_years, 1)}
    one = Check(
        "F7", "passed", "I",
        Sentence(N_("The special bond runs {tenor} years, within the project's life of {life}."),
                 details),
        cited(book, 1), longest, project.life_years, ">", "number", rulebook=book.reference,
    )  # fmt: skip
    if _named(book, "tenor_gap", longest - project.life_years) != "fail":
        return one
    sentence = Sentence(
        N_("The special bond runs {tenor} years, longer than the project's life of {life}."),
        details,
    )
    return replace(one, status="failed", severity="D", sentence=sentence)


def documents(case: Case) -> Check:
    """F8: required documents by kind of financing; one that is not stated counts as missing."""
    project = case.project
    required = required_documents(project, case.settings)
    bond = case.rulebooks.get(BOND) if _special_bonds(project) else None
    lacking = [d for d in required if project.documents.get(d) is False]
    unsaid = [d for d in required if project.documents.get(d) is None]
    one = Check(
        "F8", "passed", "I", Sentence(N_("All required documents are there.")),
        joined(DOCUMENTS_NEEDED, cited(bond, 0)) if bond else DOCUMENTS_NEEDED,
        float(len(lacking) + len(unsaid)), 0.0, ">", "number",
        rulebook=_reference(bond), ours=True, missing=tuple(unsaid),
    )  # fmt: skip
    if not lacking and not unsaid:
        return one
    message = N_("Required documents are missing: {lacking}. Not stated: {unsaid}.")
    if not unsaid:
        message = N_("Required documents are missing: {lacking}.")
    elif not lacking:
        message = N_("For required documents the proposal does not state whether they exist: "
                     "{unsaid}; they count as missing.")  # fmt: skip
    details: Details = {"lacking": _labels(lacking), "unsaid": _labels(unsaid)}
    return replace(one, status="failed", severity="D", sentence=Sentence(message, details))


def cost_growth(case: Case) -> Check:
    """F9: investment in the preliminary design against the approved feasibility study.

    Total investment stands in where the budget of the preliminary design is not stated.
    """
    project, line = case.project, case.settings.cost.growth
    budget = project.budget_estimate
    estimate = project.total_investment if budget is None else budget
    approved = project.feasibility_estimate
    one = Check("F9", "passed", "I", Sentence(""), BUDGET_GROWTH, None, line, ">")
    if approved is None or not approved > 0:
        return _without_data(one, ("feasibility_estimate",))
    ratio = estimate / approved
    more = Money(estimate - approved)
    details: Details = {"value": Share(ratio, 2), "line": Share(line, 0), "more": more}
    if not _above(ratio, line):
        message = N_("The present estimate is {value} of the one approved, within {line}.")
        return replace(one, value=ratio, sentence=Sentence(message, details))
    message = N_("The present estimate is {value} of the one approved, more than {line} ({more} "
                 "more); the feasibility study should be submitted again.")  # fmt: skip
    return replace(one, value=ratio, status="failed", severity="D",
                   sentence=Sentence(message, details))  # fmt: skip


def unit_cost(case: Case) -> Check:
    """F10: cost per unit against the median of other projects of the sector."""
    project, times = case.project, case.settings.cost.outlier
    base = project.unit_cost_base
    if base is None and case.sector is not None and case.sector.size_unit:
        one = Check("F10", "passed", "I", Sentence(""), OURS, operator=">", ours=True)
        return _without_data(one, ("unit_cost_base",))
    if base is None:
        return _not_applicable("F10", N_("The proposal states no size to compare its cost by."),
                               OURS)  # fmt: skip
    others = [c for c in case.unit_costs if math.isfinite(c) and c > 0]
    one = Check("F10", "passed", "I", Sentence(""), OURS, operator=">", unit="money", ours=True)
    if len(others) < FEWEST_OTHERS or not base > 0:
        return _without_data(one, ("unit_costs",))
    cost, middle = project.total_investment / base, median(others)
    one = replace(one, value=cost, threshold=times * middle)
    details: Details = {"ratio": Number(cost / middle, 2), "count": Number(float(len(others))),
               "line": Number(times, 2)}  # fmt: skip
    if not _above(cost / middle, times):
        message = N_("Cost per unit is {ratio} times the median of {count} other projects of the "
                     "sector, within {line}.")  # fmt: skip
        return replace(one, sentence=Sentence(message, details))
    message = N_("Cost per unit is {ratio} times the median of {count} other projects of the "
                 "sector, more than {line}; the design should be reviewed.")  # fmt: skip
    return replace(one, status="failed", severity="C", sentence=Sentence(message, details))


def uncommitted_grants(case: Case) -> Check:
    """F11: grants of higher levels that nobody has committed in writing."""
    grants = [t for t in case.project.financing if t.source in GRANTS and t.amount > 0]
    if not grants:
        return _not_applicable("F11", N_("No grant of a higher level is counted on."), OURS)
    open_ = [t for t in grants if t.committed is not True]
    amount = sum(t.amount for t in open_)
    one = Check(
        "F11", "passed", "I", Sentence(N_("All grants of higher levels are committed in writing.")),
        OURS, amount, 0.0, ">", "money", ours=True,
        missing=("committed",) if any(t.committed is None for t in open_) else (),
    )  # fmt: skip
    if not open_:
        return one
    sentence = Sentence(
        N_("Grants of {amount} are not committed in writing; the proposal is screened with and "
           "without them, and the worse of both results is used."), {"amount": Money(amount)},
    )  # fmt: skip
    return replace(one, status="failed", severity="C", sentence=sentence)


def economic_value(case: Case) -> Check:
    """E1: present value at the social rate of a project that is to earn its keep.

    Only money counts as benefit, so that a negative value asks for the unpaid benefits to be shown.
    """
    project, value = case.project, case.finance.enpv
    if project.nature == "public":
        return _not_applicable(
            "E1", N_("A purely public project is not judged by its own income."), SOCIAL_RATE
        )
    long = case.sector is not None and case.sector.long_benefit
    rates = case.settings.value
    rate = rates.long_benefit_rate if long else rates.social_rate
    details: Details = {"value": Money(value), "rate": Share(rate, 0)}
    one = Check(
        "E1", "passed", "I",
        Sentence(N_("Net present value at the social rate of {rate} is {value}."), details),
        SOCIAL_RATE, value, 0.0, "<", "money", ours=True,
    )  # fmt: skip
    doubtful = [n for n in _income_unknown(project) if n == "income" or not value < 0]
    lacking = (*(() if project.nature else ("nature",)), *doubtful)
    if lacking or math.isnan(value):
        return _without_data(one, lacking or ("income",))
    if not _above(0.0, value):
        return one
    message = N_("Net present value at the social rate of {rate} is negative, {value}; benefits "
                 "that nobody pays for should be shown.")  # fmt: skip
    return replace(one, status="failed", severity="C", sentence=Sentence(message, details))


def partnership_share(case: Case) -> Check:
    """E2: commitments of all partnerships over general budget expenditure.

    The largest years are added, so that the share is on the high side. A partnership that users
    pay and that states no commitment has none; any other must state its own. What is known may
    already be over the cap; it then stands.
    """
    book, partnerships = case.rulebooks.get(PPP), _partnerships(case.project)
    if book is None:
        return _no_rulebook("E2", PPP)
    if not partnerships:
        return _not_applicable("E2", N_("No partnership is part of the financing."), cited(book))
    share, year, lacking = _known_share(case)
    pays = {t.payment for t in partnerships}
    known = {"government_pay_project": "government_pay" in pays} if "" not in pays else {}
    outcome = str(assess(book, {"ppp_commitment_max_share": share, **known}).outcome_ids())
    line = _edge(book, "ppp_share", "gt")
    by_government = outcome == "no_new_government_pay"
    threshold = _edge(book, "ppp_share", "gt", band="limit5") if by_government else line
    details: Details = {"value": Share(share, 2), "line": Share(threshold, 0)}
    one = Check(
        "E2", "passed", "I",
        Sentence(N_("All partnerships together take {value} of general budget expenditure in their "
                    "largest year, within {line}."), details),
        cited(book, 0, 1), share, threshold, ">",
        quarter=None if year is None else 4 * year + 3, rulebook=book.reference,
    )  # fmt: skip
    if outcome not in {"no_new_ppp", "no_new_government_pay"} and (lacking or not known):
        return _without_data(one, lacking or ("payment",))
    if outcome not in _PARTNERSHIP:
        return one
    severity, message = _PARTNERSHIP[outcome]
    if outcome == "risk_notice":
        notice = _edge(book, "ppp_share", "gt", band="alert7")
        details["line"], one = Share(notice, 0), replace(one, threshold=notice)
    return replace(one, status="failed", severity=severity, sentence=Sentence(message, details))


_PARTNERSHIP: dict[str, tuple[Severity, str]] = {
    "no_new_ppp": (
        "H", N_("All partnerships together take {value} of general budget expenditure in their "
                "largest year, over the cap of {line}; no new one is allowed.")),
    "no_new_government_pay": (
        "D", N_("All partnerships together take {value} of general budget expenditure in their "
                "largest year, over {line}; no new one may be paid by the government.")),
    "risk_notice": (
        "I", N_("All partnerships together take {value} of general budget expenditure in their "
                "largest year, over {line}, where a risk notice is given.")),
}  # fmt: skip


def _known_share(case: Case) -> tuple[float, int | None, tuple[str, ...]]:
    """Share as far as it is known, year of this project's largest commitment, what lacks."""
    others, own = case.government.ppp_share, case.project.ppp_commitments
    if not own:
        paid_by_users = {t.payment for t in _partnerships(case.project)} == {"user_pay"}
        lacking = (*(() if others is not None else ("ppp_share",)),
                   *(() if paid_by_users else ("ppp_commitments",)))  # fmt: skip
        return others or 0.0, None, lacking
    if others is None:
        return 0.0, None, ("ppp_share",)
    cap = _edge(case.rulebooks[PPP], "ppp_share", "gt")
    if abs(others - cap) < SLIVER:
        # Whatever expenditure is, a commitment on top of a cap that is used up goes over it.
        return cap + SLIVER, None, ()
    expenditure = _expenditure(case, others)
    if expenditure is None:
        return others, None, ("gpb_expenditure",)
    return *largest_share(own, expenditure, others=others), ()


def _expenditure(case: Case, others: float) -> float | None:
    """General budget expenditure behind the room under the cap: ``room / (cap - others)``."""
    room = next((r for r in case.impact.rooms if r.key == "ppp"), None)
    if room is None or room.line is None or not math.isfinite(room.supremum):
        return None
    gap = room.line - others
    return room.supremum / gap if room.supremum * gap > 0 else None


FINANCING_CHECKS: tuple[Callable[[Case], Check], ...] = (
    hidden_debt, capital_floor, equity_like_share, negative_list, self_balance, yearly_coverage,
    tenor, documents, cost_growth, unit_cost, uncommitted_grants, economic_value,
    partnership_share,
)  # fmt: skip


# -- parts of checks -------------------------------------------------------------------------------


def _special_bonds(project: Project) -> tuple[Tranche, ...]:
    return tuple(t for t in project.financing if t.source == "special_bond" and t.amount > 0)


def _partnerships(project: Project) -> tuple[Tranche, ...]:
    return tuple(t for t in project.financing if t.source == "ppp_private" and t.amount > 0)


def _repaid_by_income(project: Project) -> bool:
    """Whether any debt is not a general bond."""
    return any(t.is_debt and t.source != "general_bond" and t.amount > 0 for t in project.financing)


def _income_unknown(project: Project) -> tuple[str, ...]:
    """Which parts of net revenue the proposal does not state.

    A purely public project may leave income out because it has none. Running cost can only lower
    net revenue, so that a shortfall without it stands.
    """
    operation = project.operation
    stated = bool(operation.user_fees or operation.fund_income)
    lacking = [] if stated or project.nature == "public" else ["income"]
    lacking += ["opex"] if stated and not operation.opex and not operation.is_net else []
    return tuple(lacking)


def _above(value: float, line: float) -> bool:
    return bool(exceeds(np.asarray(value, dtype=np.float64), line))


def _band(book: Rulebook, indicator: str, value: float) -> Band | None:
    one = book.indicator_named(indicator)
    code = int(band_codes(one, np.asarray(value, dtype=np.float64)))
    return one.bands[code] if code >= 0 else None


def _named(book: Rulebook, indicator: str, value: float) -> str:
    band = _band(book, indicator, value)
    return "" if band is None else band.band


def _edge(book: Rulebook, indicator: str, side: str, *, band: str | None = None) -> float:
    """Edge of the worst band of an indicator, or of a band by its name."""
    bands = book.indicator_named(indicator).bands
    one = next(b for b in bands if band is None or b.band == band)
    return float(getattr(one, side))


def _reference(book: Rulebook | None) -> str:
    return "" if book is None else book.reference


def _labels(names: Iterable[str]) -> Words:
    return Words(tuple(label_of(name) for name in names))


def _without_data(check: Check, lacking: tuple[str, ...]) -> Check:
    """Say that a check cannot run; never a pass."""
    sentence = Sentence(
        N_("These data are missing, and no judgement is made: {fields}."),
        {"fields": _labels(lacking)},
    )
    return replace(
        check, status="na", severity=severity_without_data(check.id), sentence=sentence,
        value=None, quarter=None, missing=lacking,
    )  # fmt: skip


def _no_rulebook(check: str, family: str) -> Check:
    sentence = Sentence(
        N_("No version of the rulebook {family} is in force for these accounts; no judgement is "
           "made."), {"family": family},
    )  # fmt: skip
    return Check(check, "na", severity_without_data(check), sentence, OURS, missing=(family,))


def _not_applicable(check: str, message: str, source: Bilingual) -> Check:
    return Check(check, "not_applicable", "I", Sentence(message), source)
