"""The decision on a proposal, its conditions, and what would have to change."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from debtwatch.language import N_
from debtwatch.panel.period import quarter_of
from debtwatch.screening.case import Case
from debtwatch.screening.check import SEVERITIES, Check
from debtwatch.screening.project import GRANTS, Override, Project
from debtwatch.screening.sentence import Sentence, Share

Outcome = Literal["pass", "conditional", "defer", "reject"]
OUTCOMES: tuple[Outcome, ...] = ("pass", "conditional", "defer", "reject")


@dataclass(frozen=True)
class Decision:
    """A recommendation of the desk; no official rating.

    Attributes
    ----------
    outcome : {"pass", "conditional", "defer", "reject"}
    before_override : same
        What the checks alone give.
    reasons : tuple of str
        Ids of the checks that decide, gravest first.
    override : Override or None
        The person's decision, where it was valid and lifted something.
    lifted : tuple of str
        Ids of the checks that it lifted.
    refused_override : Sentence or None
        Why an override that was asked for does not hold.
    valid_until : int or None
        Ordinal of the last quarter in which the decision holds.
    earliest : int or None
        Ordinal of the earliest start that respects every line, for a deferral.
    """

    outcome: Outcome
    before_override: Outcome
    reasons: tuple[str, ...] = ()
    override: Override | None = None
    lifted: tuple[str, ...] = ()
    refused_override: Sentence | None = None
    valid_until: int | None = None
    earliest: int | None = None


@dataclass(frozen=True)
class Condition:
    """Something that must be met in writing.

    Attributes
    ----------
    key : str
        ``scale``, ``stage``, ``timing``, ``mix``, ``capital``, ``income``, ``reserve``, ``tenor``,
        ``documents``, ``land``, ``monitor``, ``offset`` or ``grant``.
    sentence : Sentence
    checks : tuple of str
        Ids of the checks it answers.
    due : int or None
        Ordinal of the quarter by whose end it must be met.
    """

    key: str
    sentence: Sentence
    checks: tuple[str, ...]
    due: int | None = None


@dataclass(frozen=True)
class Change:
    """A single change of the proposal, tried by screening the changed proposal again.

    Attributes
    ----------
    key : str
        As of :class:`Condition`.
    sentence : Sentence
    removes : tuple of str
        Ids of the hard failures it removes.
    cost : float
        Yuan: investment given up, own money needed, or the price of a delay.
    outcome : str
        Decision on the changed proposal.
    remaining : tuple of str
        Ids of hard failures that remain.
    """

    key: str
    sentence: Sentence
    removes: tuple[str, ...]
    cost: float
    outcome: Outcome
    remaining: tuple[str, ...] = ()


@dataclass(frozen=True)
class Screened:
    """Everything that a memo says about one proposal.

    Attributes
    ----------
    case : Case
    checks : tuple of Check
        In the order of rules C2.
    decision : Decision
    conditions : tuple of Condition
    changes : tuple of Change
        Cheapest single changes first; empty without hard failures.
    remarks : tuple of Sentence
        Findings that nobody can meet, such as that no later start helps.
    """

    case: Case
    checks: tuple[Check, ...]
    decision: Decision
    conditions: tuple[Condition, ...] = ()
    changes: tuple[Change, ...] = ()
    remarks: tuple[Sentence, ...] = ()


#: Checks whose lack of data no override lifts; their failures are hard and never lifted.
NEVER_LIFTED = ("L1", "L2", "F1", "Q1")
_OUTCOME_OF: dict[str, Outcome] = {"H": "reject", "D": "defer", "C": "conditional"}


def decide(
    checks: Sequence[Check],
    project: Project,
    *,
    near_completion: float,
    pass_quarters: int,
    quarter: int,
) -> Decision:
    """Decide by the gravest check: any H rejects, any D defers, any C makes conditions.

    An override lifts deferrals and conditions when its ground holds for the project. It lifts no
    hard failure: rules C4 name five that it never lifts and allow D and C only. Of protected
    land, hidden debt and limits it does not lift a lack of data either.

    Parameters
    ----------
    checks : sequence of Check
    project : Project
    near_completion : float
        Sunk share above which an ongoing project may be finished.
    pass_quarters : int
        Quarters for which a pass holds.
    quarter : int
        Ordinal of the quarter of the decision.
    """
    counting = sorted((c for c in checks if c.counts), key=lambda c: SEVERITIES.index(c.severity))
    before = _outcome(counting)
    override, refused = project.override, None
    if override is not None:
        refused = refusal(project, override, near_completion, decided=quarter)
    lifted: list[Check] = []
    if override is not None and refused is None:
        lifted = [
            c
            for c in counting
            if c.severity in {"D", "C"} and not (c.status == "na" and c.id in NEVER_LIFTED)
        ]
    remaining = [c for c in counting if c not in lifted]
    outcome = _outcome(remaining)
    return Decision(
        outcome=outcome,
        before_override=before,
        reasons=tuple(c.id for c in remaining),
        override=override if lifted else None,
        lifted=tuple(c.id for c in lifted),
        refused_override=refused,
        valid_until=quarter + pass_quarters if outcome in {"pass", "conditional"} else None,
    )


def _outcome(counting: Sequence[Check]) -> Outcome:
    return _OUTCOME_OF[counting[0].severity] if counting else "pass"


def refusal(
    project: Project, override: Override, near_completion: float, *, decided: int
) -> Sentence | None:
    """Say why an override does not hold; None when it does.

    Parameters
    ----------
    project : Project
    override : Override
    near_completion : float
        Sunk share above which an ongoing project may be finished.
    decided : int
        Ordinal of the quarter of the decision.
    """
    if quarter_of(override.date) > decided:
        return Sentence(N_("The override does not hold: it is dated after this decision."))
    if not (override.name.strip() and override.reason.strip()):
        return Sentence(N_("The override does not hold: it needs a name and a reason."))
    if override.ground == "mandatory_safety" and not project.priority.mandatory_safety:
        text = N_("The override does not hold: the project is not marked as a mandatory safety "
                  "repair.")  # fmt: skip
        return Sentence(text)
    if override.ground == "ongoing":
        sunk = project.priority.sunk / project.total_investment
        if not project.priority.ongoing or not sunk > near_completion:
            text = N_("The override does not hold: {sunk} of the investment has been spent; it "
                      "must be more than {needed} of an ongoing project.")  # fmt: skip
            return Sentence(text, {"sunk": Share(sunk), "needed": Share(near_completion, 0)})
    if override.ground == "upper_level_grant":
        share = project.amount_of(*GRANTS) / project.total_investment
        if not share >= 1 - 1e-9:
            text = N_("The override does not hold: upper-level grants pay {share} of the "
                      "investment, not all of it.")  # fmt: skip
            return Sentence(text, {"share": Share(share)})
    return None
