"""Conditions and remedies, computed from the case (rules C5)."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import numpy as np

from debtwatch.language import N_
from debtwatch.screening.case import Case, Room
from debtwatch.screening.changes import first_phase, required_income
from debtwatch.screening.check import Check
from debtwatch.screening.coverage import finance_of
from debtwatch.screening.decision import Condition
from debtwatch.screening.impact import floor_headroom
from debtwatch.screening.labels import label_of
from debtwatch.screening.project import LONGEST_TENOR
from debtwatch.screening.sentence import (
    Detail,
    Money,
    Number,
    Quarter,
    Sentence,
    Share,
    Words,
)
from debtwatch.screening.settings import required_documents
from debtwatch.screening.trials import Trials
from debtwatch.screening.variants import scaled, with_tenor

#: Checks that a later start may answer.
LATER_MAY_HELP = ("T1", "B1", "Q1", "R1", "S1", "S2")
_Found = dict[str, Check]
_Maker = Callable[[Trials, _Found], Iterator[Condition]]


def conditions_of(
    trials: Trials, checks: Sequence[Check], *, lifted: Sequence[str] = ()
) -> tuple[Condition, ...]:
    """Compute the conditions and remedies that answer the checks which weigh on a decision.

    Parameters
    ----------
    trials : Trials
    checks : sequence of Check
    lifted : sequence of str
        Ids of checks that an override lifts: nothing is asked for them but a reserve and reports.
    """
    weighing = {c.id: c for c in checks if c.counts}
    failed = {id_: c for id_, c in weighing.items() if c.status == "failed"}
    lacking = {id_: c for id_, c in weighing.items() if c.status == "na"}
    made = [condition for maker in _MAKERS for condition in maker(trials, failed)]
    stays = {"monitor", "reserve"}
    found = (*made, *_data(trials, {k: c for k, c in lacking.items() if k not in lifted}))
    return tuple(c for c in found if c.key in stays or not set(c.checks) <= set(lifted))


def _answers(found: _Found, *ids: str) -> tuple[str, ...]:
    return tuple(id_ for id_ in ids if id_ in found)


def _before_start(trials: Trials) -> int:
    """Quarter before the start, but no earlier than the decision."""
    decided = trials.desk.decided
    due = trials.case.project.start_quarter - 1
    return due if decided is None else max(due, decided)


def next_room(case: Case) -> Room | None:
    """Headroom under the first tier line above the present level."""
    return next((r for r in case.impact.rooms if r.key == "tier"), None)


# -- debt ------------------------------------------------------------------------------------------


def _scale(trials: Trials, found: _Found) -> Iterator[Condition]:
    case = trials.case
    answers = _answers(found, "T1", "B1", "T3")
    room, debt = next_room(case), case.project.public_debt
    if not answers or room is None or room.line is None or debt <= 0 or np.isnan(room.scale):
        return
    last = Quarter(case.impact.first_quarter + len(case.impact.tier.path_with) - 1)
    details: dict[str, Detail] = {"line": Share(room.line, 0), "last": last}
    if room.supremum <= 0:
        text = N_("There is no headroom: even without the project the debt ratio crosses {line} in "
                  "the outlook to {last}. No new debt fits.")  # fmt: skip
        yield Condition("scale", Sentence(text, details), answers, _before_start(trials))
    elif room.scale < 1:
        text = N_("Reduce the debt-financed scope to {scale} ({debt}), so that the debt ratio "
                  "stays below {line} to {last}.")  # fmt: skip
        share = np.floor(room.scale * 1000) / 1000
        left = {c.id for c in trials.checks(scaled(case.project, share), share=share)
                if c.counts and c.severity in {"H", "D"}}  # fmt: skip
        answered = tuple(id_ for id_ in answers if id_ not in left)
        if not answered:
            return
        fits = floor_headroom(room.scale * debt, inclusive=True)
        details |= {"scale": Share(share), "debt": Money(fits)}
        yield Condition("scale", Sentence(text, details), answered, _before_start(trials))
        text = N_("Or replace {amount} of bonds by grants or own capital, or raise as much from "
                  "idle assets.")  # fmt: skip
        more: dict[str, Detail] = {"amount": Money(debt - fits)}
        yield Condition("mix", Sentence(text, more), answered)  # an alternative: no date of its own


def _stage(trials: Trials, found: _Found) -> Iterator[Condition]:
    desk, case = trials.desk, trials.case
    grave = [
        c for id_, c in found.items() if id_ in {"T1", "B1", "T3"} and c.severity in {"H", "D"}
    ]
    room = next_room(case)
    project = case.project
    if not grave or room is None or room.line is None or project.public_debt <= 0:
        return
    if not project.priority.stageable:
        return
    part = first_phase(trials)
    if part is None:
        return
    remedy = desk.settings.remedy
    text = N_("Build in phases: phase 1 of {part} now ({investment}, debt {debt}); phase 2 only "
              "after the debt ratio has stood at or below {below} for {quarters} quarters and "
              "phase 1 is used to at least {use} of its design.")  # fmt: skip
    details: dict[str, Detail] = {
        "part": Share(part, 0),
        "investment": Money(part * case.project.total_investment),
        "debt": Money(part * case.project.public_debt, floor=True),
        "below": Share(room.line - remedy.buffer, 0),
        "quarters": Number(remedy.stage_quarters),
        "use": Share(remedy.stage_use, 0),
    }
    answers = _answers(found, "T1", "B1", "T3", "P2")
    yield Condition("stage", Sentence(text, details), answers, _before_start(trials))


def _timing(trials: Trials, found: _Found) -> Iterator[Condition]:
    case = trials.case
    answers = _answers(found, *LATER_MAY_HELP)
    if not any(found[id_].severity in {"H", "D"} for id_ in answers):
        return
    start = trials.earliest_start
    if start is not None and start > case.project.start_quarter:
        text = (
            N_("Or start not before {quarter}, the first start that respects every line.")
            if set(answers) & {"T1", "B1"}
            else N_("Start not before {quarter}, the first start that respects every line.")
        )
        yield Condition("timing", Sentence(text, {"quarter": Quarter(start)}), answers, start - 1)


def waits_for_debt(checks: Sequence[Check]) -> bool:
    """Whether a grave failure is one that a later start may answer.

    Parameters
    ----------
    checks : sequence of Check
    """
    grave = [c for c in checks if c.status == "failed" and c.severity in {"H", "D"}]
    return any(c.id in LATER_MAY_HELP for c in grave)


def remarks_of(trials: Trials, checks: Sequence[Check]) -> tuple[Sentence, ...]:
    """Say what has been tried in vain.

    Parameters
    ----------
    trials : Trials
    checks : sequence of Check
    """
    tried = trials.longest_delay > 0 and trials.earliest_start is None
    if not (waits_for_debt(checks) and tried):
        return ()
    text = N_("A delay alone does not help: no start within {quarters} quarters respects every "
              "line.")  # fmt: skip
    return (Sentence(text, {"quarters": Number(trials.longest_delay)}),)


def _monitor(trials: Trials, found: _Found) -> Iterator[Condition]:
    desk, case = trials.desk, trials.case
    answers = _answers(found, "T1", "T2", "T3", "B1", "B2", "R1", "S2")
    room, remedy = next_room(case), desk.settings.remedy
    if not answers:
        return
    details: dict[str, Detail] = {
        "interest": Share(remedy.interest_covenant, 0), "use": Share(remedy.asset_use, 0),
    }  # fmt: skip
    if room is None or room.line is None:
        text = N_("Report every quarter: interest ratios at or below {interest}; use of the asset "
                  "at least {use} after two years.")  # fmt: skip
    else:
        text = N_("Report every quarter: interest ratios at or below {interest}, debt ratio at or "
                  "below {ratio}; use of the asset at least {use} after two years.")  # fmt: skip
        # No lower than the project's own path, so that the outlook itself keeps the covenant.
        path = float(np.ceil(np.nanmax(case.impact.tier.path_with) * 100) / 100)
        ahead = path if path < room.line else 0.0
        details["ratio"] = Share(max(room.line - remedy.buffer, ahead), 0)
    yield Condition("monitor", Sentence(text, details), answers, _before_start(trials) + 1)


# -- the project's own money -----------------------------------------------------------------------


def _capital(trials: Trials, found: _Found) -> Iterator[Condition]:
    case = trials.case
    check = found.get("F2")
    if check is None or check.value is None or check.threshold is None:
        return
    gap = (check.threshold - check.value) * case.project.total_investment
    text = N_("Raise project capital by {gap} to reach {floor} of the investment.")
    details: dict[str, Detail] = {"gap": Money(gap), "floor": Share(check.threshold)}
    yield Condition("capital", Sentence(text, details), ("F2",), _before_start(trials))


def _income(trials: Trials, found: _Found) -> Iterator[Condition]:
    case = trials.case
    if "F5" not in found:
        return
    factor = required_income(case)
    if factor is None:
        text = N_("No income is stated; the debt needs a source of repayment in writing.")
        yield Condition("income", Sentence(text), ("F5",), _before_start(trials))
    elif factor > 1:
        text = N_("Raise tariffs or cut cost until coverage is 1.1 times: income of {factor} times "
                  "what is stated.")  # fmt: skip
        details: dict[str, Detail] = {"factor": Number(factor, 2)}
        yield Condition("income", Sentence(text, details), ("F5",), _before_start(trials))


def _reserve(trials: Trials, found: _Found) -> Iterator[Condition]:
    case = trials.case
    reserve = case.finance.reserve
    if "F6" not in found or not reserve > 0:
        return
    repaid = np.flatnonzero(case.finance.total.principal > 0)
    first = int(repaid[0]) if len(repaid) else 0
    due = case.project.start_quarter + 4 * first
    text = N_("Set up a repayment reserve of {reserve}, funded by {quarter}, before the first "
              "principal; the top-ups of {total} in {years} years are paid out of it.")  # fmt: skip
    details: dict[str, Detail] = {
        "reserve": Money(reserve), "quarter": Quarter(due),
        "total": Money(float(case.finance.top_ups.sum())),
        "years": Number(int((case.finance.top_ups > 0).sum())),
    }  # fmt: skip
    yield Condition("reserve", Sentence(text, details), ("F6",), due)


def _tenor(trials: Trials, found: _Found) -> Iterator[Condition]:
    desk, case = trials.desk, trials.case
    project = case.project
    tenors = [t.tenor_years for t in project.financing if t.source == "special_bond"]
    if not tenors:
        return
    if "F7" in found:
        text = N_(
            "Shorten the tenor of the bond to at most {years} years, the life of the project."
        )
        years = {"years": Number(np.floor(project.life_years))}
        yield Condition("tenor", Sentence(text, years), ("F7",), _before_start(trials))
        return
    longest = float(np.floor(min(project.life_years, LONGEST_TENOR)))
    if "F6" not in found or longest <= max(tenors):
        return
    longer = finance_of(with_tenor(project, longest), desk.settings, stressed=False)
    if longer.minimum_dscr <= case.finance.minimum_dscr:
        return
    text = N_("Or extend the tenor to {years} years: the smallest yearly coverage rises to {dscr}, "
              "interest in total by {more}.")  # fmt: skip
    more = float(longer.total.interest.sum() - case.finance.total.interest.sum())
    details: dict[str, Detail] = {
        "years": Number(longest), "dscr": Number(longer.minimum_dscr, 2), "more": Money(more),
    }  # fmt: skip
    yield Condition("tenor", Sentence(text, details), ("F6",))  # an alternative


# -- papers and land -------------------------------------------------------------------------------

_PAPERS = {
    "L3": N_("Prove that the site may lie outside the urban development boundary, or have the plan "
             "changed."),
    "L4": N_("Bring the document on offsetting the cultivated land that is taken."),
    "L5": N_("Bring the approval of land use."),
    "F1": N_("Finance the project openly; nothing may add to hidden debt."),
    "F3": N_("Replace equity-like debt until it is at most half of project capital."),
    "F9": N_("Have the feasibility study approved again: the budget has grown too far."),
    "F10": N_("Explain the unit cost against comparable projects."),
    "F11": N_("Bring the written commitment of the upper-level grants."),
    "P1": N_("Limit the project to what residents need; no net expansion."),
    "P2": N_("Bring capacity in line with the residents' need."),
    "P3": N_("Show how the plant is used if population falls to the low variant."),
    "G1": N_("Drop the conversion of the county into a city or district as a purpose."),
    "E1": N_("Show benefits that outweigh the cost, or cut the cost."),
    "B2": N_("Show how the debt is served under the stress that leads to red."),
    "T2": N_("Name the exception under which the project may go ahead at the present level."),
    "S2": N_("Settle the refinancing of the next four quarters in writing."),
}  # fmt: skip


def _papers(trials: Trials, found: _Found) -> Iterator[Condition]:
    for id_, text in _PAPERS.items():
        if id_ in found:
            key = "land" if id_[0] == "L" else "grant" if id_ == "F11" else "proof"
            yield Condition(key, Sentence(text), (id_,), _before_start(trials))


def _documents(trials: Trials, found: _Found) -> Iterator[Condition]:
    desk, case = trials.desk, trials.case
    check = found.get("F8")
    if check is None:
        return
    text = N_("Bring the documents that are missing: {documents}.")
    asked, stated = required_documents(case.project, desk.settings), case.project.documents
    names = tuple(label_of(name) for name in asked if stated.get(name) is not True)
    details: dict[str, Detail] = {"documents": Words(names)}
    yield Condition("documents", Sentence(text, details), ("F8",), _before_start(trials))


def _data(trials: Trials, lacking: _Found) -> Iterator[Condition]:
    """One condition for all that nobody has stated."""
    if not lacking:
        return
    names = tuple(dict.fromkeys(n for c in lacking.values() for n in c.missing))
    text = N_("Supply what is not stated or not reported, so that {checks} can be judged: {names}.")
    details: dict[str, Detail] = {
        "checks": Words(tuple(lacking)),
        "names": Words(tuple(label_of(n) for n in names)),
    }
    yield Condition("data", Sentence(text, details), tuple(lacking), _before_start(trials))


_MAKERS: tuple[_Maker, ...] = (
    _scale, _stage, _timing, _capital, _income, _reserve, _tenor, _documents, _papers, _monitor,
)  # fmt: skip
