"""Trials of one proposal: changed in scale, money or start, and the checks of debt run again."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from debtwatch.screening.breach import tolerated
from debtwatch.screening.case import Case
from debtwatch.screening.check import Check
from debtwatch.screening.debt_checks import RED
from debtwatch.screening.desk import Desk
from debtwatch.screening.headroom import critical_scales
from debtwatch.screening.pair import pair_of
from debtwatch.screening.project import Project
from debtwatch.screening.variants import delayed

Array = NDArray[np.float64]
#: Hard failures that less debt can remove.
OF_DEBT = ("Q1", "R1", "T1", "B1", "S1")


def hard_failures(checks: Sequence[Check]) -> tuple[str, ...]:
    """Ids of the checks that reject a proposal."""
    return tuple(c.id for c in checks if c.counts and c.severity == "H")


@dataclass(frozen=True)
class Trials:
    """A proposal and what has been tried on it; nothing is tried twice.

    Attributes
    ----------
    desk : Desk
    case : Case
        Of the unchanged proposal.
    """

    desk: Desk
    case: Case
    _late: dict[int, tuple[Check, ...]] = field(default_factory=dict, compare=False, repr=False)

    @property
    def longest_delay(self) -> int:
        """Quarters of delay that the outlook is long enough to judge."""
        return max(self.desk.position.quarters - self.desk.horizon_of(self.case.project), 0)

    def checks(self, project: Project, *, share: float = 1.0) -> tuple[Check, ...]:
        """Run the checks of debt on a changed proposal.

        Parameters
        ----------
        project : Project
        share : float
            Of the top-ups that it still needs.
        """
        return self.desk.debt_checks(project, self.case, share=share)

    def clear(self, project: Project, targets: Sequence[str], *, share: float = 1.0) -> bool:
        """Whether none of some checks is a hard failure for a changed proposal."""
        return not set(hard_failures(self.checks(project, share=share))) & set(targets)

    def late(self, quarters: int) -> tuple[Check, ...]:
        """Run the checks of debt on a later start, judged on as many more quarters."""
        if quarters not in self._late:
            self._late[quarters] = self.desk.debt_checks(
                delayed(self.case.project, quarters), self.case,
                horizon=self.desk.horizon_of(self.case.project) + quarters,
            )  # fmt: skip
        return self._late[quarters]

    @cached_property
    def earliest_start(self) -> int | None:
        """Earliest start at which no check of debt fails gravely; None within the outlook."""
        if self.stands_without:
            return None
        for late in range(self.longest_delay + 1):
            checks = self.late(late)
            if not any(c.status == "failed" and c.severity in {"H", "D"} for c in checks):
                return self.case.project.start_quarter + late
        return None

    @cached_property
    def stands_without(self) -> bool:
        """Whether a grave failure of debt stands without any project, so that no start helps.

        The probability of having breached never falls with the horizon.
        """
        impact, lines = self.case.impact, self.desk.settings.probability
        chance = impact.probability
        return (
            impact.tier.now.severity == RED
            or (chance is not None and chance.without >= lines.defer)
            or self.desk.position.financing_need[:4].sum()
            > self.desk.settings.liquidity.defer * self.desk.position.capacity_now
        )

    @cached_property
    def critical_scales(self) -> Array | None:
        """Smallest scale at which each path breaches; None where there is no probability."""
        found = self.case.impact.probability
        if found is None:
            return None
        position = self.desk.position.ahead(found.horizon)
        pair = pair_of(position, self.case.project, tuple(self.case.finance.top_ups))
        return critical_scales(
            position, pair, found.line, horizon=found.horizon, consecutive=found.consecutive
        )

    def guess(self) -> float | None:
        """Scale near which the hard failures of debt disappear, from closed forms."""
        scales = [r.scale for r in self.case.impact.rooms if r.key != "tolerance"][1:]
        found, critical = self.case.impact.probability, self.critical_scales
        lines = self.desk.settings.probability
        if found is not None and critical is not None:
            for share in (lines.reject, found.without + lines.added_reject):
                scales.append(tolerated(critical, min(share, 0.999)))
        known = [s for s in scales if np.isfinite(s)]
        return min(known, default=None)
