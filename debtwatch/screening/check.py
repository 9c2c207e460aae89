"""What a check of a proposal gives: passed or not, how grave, and why."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from debtwatch.rules.rulebook import Bilingual, Rulebook
from debtwatch.screening.sentence import Sentence

#: H: reject. D: defer. C: conditions. I: information.
Severity = Literal["H", "D", "C", "I"]
Status = Literal["passed", "failed", "na", "not_applicable"]
#: Checks that defer a proposal when they cannot run; the others make it conditional (rules C4).
DEFER_WITHOUT_DATA = ("L1", "L2", "L3", "L4", "L5", "Q1", "R1", "T1", "F5")
SEVERITIES: tuple[Severity, ...] = ("H", "D", "C", "I")


@dataclass(frozen=True)
class Check:
    """One check of one proposal.

    Attributes
    ----------
    id : str
        Such as ``T1``; rules C2.
    status : {"passed", "failed", "na", "not_applicable"}
        ``na``: it cannot run for lack of data; never counted as passed.
    severity : {"H", "D", "C", "I"}
        Of the failure, or of the lack of data; ``I`` where nothing is to be done.
    sentence : Sentence
    source : Bilingual
        Clause of law, or that the cut-off is ours.
    value, threshold : float or None
        In the unit of the check: ratios as decimals, money in yuan, flags 0 or 1.
    operator : str
        With which ``value operator threshold`` is the failure, such as ``>`` or ``<``.
    unit : {"ratio", "money", "number", "flag", "times"}
    quarter : int or None
        Ordinal of the quarter of the worst value.
    rulebook : str
        ``family@version`` of the rulebook in force, empty when the check rests on none.
    ours : bool
        Whether the cut-off is ours and not an authority's.
    missing : tuple of str
        Names of the figures or answers that are lacking.
    without_grants : bool
        Whether this result is that of the run without uncommitted grants.
    """

    id: str
    status: Status
    severity: Severity
    sentence: Sentence
    source: Bilingual
    value: float | None = None
    threshold: float | None = None
    operator: str = ""
    unit: str = "ratio"
    quarter: int | None = None
    rulebook: str = ""
    ours: bool = False
    missing: tuple[str, ...] = ()
    without_grants: bool = False

    @property
    def passed(self) -> bool:
        """Whether it ran and found nothing."""
        return self.status == "passed"

    @property
    def counts(self) -> bool:
        """Whether it weighs on the decision: it failed or could not run."""
        return self.status in {"failed", "na"} and self.severity != "I"


#: Source of a check whose cut-off is ours.
OURS = Bilingual(
    zh="本工具口径（models/screening.toml）", en="Our own cut-off (models/screening.toml)"
)


def cited(book: Rulebook | None, *positions: int) -> Bilingual:
    """Clauses behind a rulebook, joined: by their place in it, or all; ours without a rulebook.

    Parameters
    ----------
    book : Rulebook or None
    positions : int
    """
    if book is None:
        return OURS
    clauses = book.legal_source
    return joined(*([clauses[k] for k in positions if k < len(clauses)] or clauses))


def joined(*sources: Bilingual) -> Bilingual:
    """Join sources to one text."""
    return Bilingual(zh="；".join(s.zh for s in sources), en="; ".join(s.en for s in sources))


def severity_without_data(check: str) -> Severity:
    """Weight of a check that cannot run.

    Examples
    --------
    >>> severity_without_data("T1"), severity_without_data("P2")
    ('D', 'C')
    """
    return "D" if check in DEFER_WITHOUT_DATA else "C"
