"""Screen one proposal: case, checks, decision, conditions, and what would have to change."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from debtwatch.language import N_
from debtwatch.screening.changes import changes_of
from debtwatch.screening.check import SEVERITIES, Check
from debtwatch.screening.checks import run_checks
from debtwatch.screening.conditions import conditions_of, remarks_of, waits_for_debt
from debtwatch.screening.decision import Change, Screened
from debtwatch.screening.desk import Desk
from debtwatch.screening.project import Project
from debtwatch.screening.sentence import Sentence, Words
from debtwatch.screening.trials import Trials, hard_failures
from debtwatch.screening.variants import without_open_grants


def screen_project(desk: Desk, project: Project) -> Screened:
    """Screen one proposal.

    Grants that nobody has committed are taken out in a second run, and of each check the worse
    result counts (F11).

    Parameters
    ----------
    desk : Desk
    project : Project

    Returns
    -------
    Screened
        Every change listed has been screened again.
    """
    case = desk.case(project)
    checks = run_checks(case)
    tried = case
    if any(c.id == "F11" and c.status == "failed" for c in checks):
        # Sizes and remedies are worked out for the proposal as it stands without those grants.
        tried = desk.case(without_open_grants(project))
        checks = worse_of(checks, run_checks(tried))
    decision = desk.decide(checks, project)
    trials = Trials(desk, tried)
    if decision.outcome == "defer" and waits_for_debt(checks):
        decision = replace(decision, earliest=trials.earliest_start)
    conditions = conditions_of(trials, checks, lifted=decision.lifted)
    changes = changes_of(trials, checks)
    dues = [c.due for c in conditions if c.due is not None]
    if decision.outcome == "conditional" and dues:  # looked at again at each date
        decision = replace(decision, valid_until=max(dues))
    remarks = remarks_of(trials, checks) if decision.outcome != "pass" else ()
    return Screened(
        case, checks, decision, conditions, changes, (*remarks, *stuck(checks, changes))
    )


def stuck(checks: Sequence[Check], changes: Sequence[Change]) -> tuple[Sentence, ...]:
    """Name the hard failures that no single change tried removes.

    Parameters
    ----------
    checks : sequence of Check
    changes : sequence of Change
    """
    removed = {id_ for change in changes for id_ in change.removes}
    left = tuple(id_ for id_ in hard_failures(checks) if id_ not in removed)
    text = N_("No single change that was tried removes {checks}.")
    return (Sentence(text, {"checks": Words(left)}),) if left else ()


def worse_of(first: Sequence[Check], second: Sequence[Check]) -> tuple[Check, ...]:
    """Take the worse result of each check; those of the second run are marked.

    Parameters
    ----------
    first, second : sequence of Check
        As proposed, and without uncommitted grants, in the same order.
    """
    return tuple(
        replace(b, without_grants=True) if _weight(b) > _weight(a) else a
        for a, b in zip(first, second, strict=True)
    )


def _weight(check: Check) -> int:
    return len(SEVERITIES) - SEVERITIES.index(check.severity) if check.counts else 0
