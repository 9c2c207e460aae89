"""The desk: everything that stays the same while proposals of one government are tried."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from debtwatch.rules.rulebook import Rulebook
from debtwatch.screening.case import Case
from debtwatch.screening.check import Check
from debtwatch.screening.checks import run_checks
from debtwatch.screening.coverage import finance_of
from debtwatch.screening.debt_checks import DEBT_CHECKS
from debtwatch.screening.debt_service import last_draw
from debtwatch.screening.decision import Decision, decide
from debtwatch.screening.effect import impact_of
from debtwatch.screening.position import Position
from debtwatch.screening.project import Project
from debtwatch.screening.sectors import sector_named
from debtwatch.screening.settings import ScreeningSettings


@dataclass(frozen=True)
class Desk:
    """One government, the rules and the cut-offs.

    Attributes
    ----------
    position : Position
        With at least the quarters of the horizon; delays are judged on as many more as it has.
    rulebooks : mapping from family to Rulebook
    settings : ScreeningSettings
    unit_costs : mapping from sector to tuple of (str, float)
        Code and cost per unit of the known projects of each sector.
    decided : int or None
        Ordinal of the quarter in which it is decided, from which a pass holds; that of the
        accounts by default.
    """

    position: Position
    rulebooks: Mapping[str, Rulebook]
    settings: ScreeningSettings
    unit_costs: Mapping[str, Sequence[tuple[str, float]]] = field(default_factory=dict)
    decided: int | None = None

    def horizon_of(self, project: Project) -> int:
        """Quarters ahead that are judged: those of the settings, or to a year past the last draw.

        So that no start is late enough to escape; as far as the outlook reaches.
        """
        drawn = last_draw(project) + 4 - self.position.first_quarter
        asked = max(self.settings.impact.horizon, drawn) if project.public_debt > 0 else 0
        return min(max(self.settings.impact.horizon, asked), self.position.quarters)

    def case(self, project: Project, *, horizon: int | None = None, full: bool = True) -> Case:
        """Put a proposal into its government.

        Parameters
        ----------
        project : Project
        horizon : int, optional
            Quarters ahead that count; :meth:`horizon_of` the project by default.
        full : bool
            With stresses of the project's cash, headroom and the effect on the province.
        """
        settings, sector = self.settings, sector_named(project.sector)
        long_benefit = sector is not None and sector.long_benefit
        finance = finance_of(project, settings, long_benefit=long_benefit, stressed=full)
        quarters = horizon or settings.impact.horizon
        impact = impact_of(
            self.position.ahead(quarters), project, settings,
            top_ups=tuple(finance.top_ups), full=full,
        )  # fmt: skip
        others = self.unit_costs.get(sector.id if sector is not None else project.sector, ())
        return Case(
            project=project,
            government=self.position.government,
            sector=sector,
            finance=finance,
            impact=impact,
            rulebooks=self.rulebooks,
            settings=settings,
            unit_costs=tuple(cost for code, cost in others if code != project.code),
        )

    def debt_checks(
        self, project: Project, base: Case, *, share: float = 1.0, horizon: int | None = None
    ) -> tuple[Check, ...]:
        """Run the checks of debt on a changed proposal; its own money is that of the base.

        Parameters
        ----------
        project : Project
        base : Case
            Of the unchanged proposal.
        share : float
            Of the base's top-ups that the changed proposal needs.
        horizon : int, optional
            Quarters ahead that count; :meth:`horizon_of` the project by default.
        """
        quarters = horizon or self.horizon_of(project)
        impact = impact_of(
            self.position.ahead(quarters), project, self.settings,
            top_ups=tuple(share * base.finance.top_ups), full=False,
        )  # fmt: skip
        case = replace(base, project=project, impact=impact)
        return tuple(check(case) for check in DEBT_CHECKS)

    def try_out(
        self, project: Project, *, horizon: int | None = None
    ) -> tuple[tuple[Check, ...], Decision]:
        """Screen a changed proposal: checks and decision alone."""
        checks = run_checks(self.case(project, horizon=horizon, full=False))
        return checks, self.decide(checks, project)

    def decide(self, checks: Sequence[Check], project: Project) -> Decision:
        """Decide on a proposal by its checks."""
        return decide(
            checks,
            project,
            near_completion=self.settings.override.near_completion,
            pass_quarters=self.settings.validity.pass_quarters,
            quarter=self.position.government.quarter if self.decided is None else self.decided,
        )
