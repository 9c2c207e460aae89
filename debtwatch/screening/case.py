"""One proposal in its government: everything that the checks look at, as values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from debtwatch.rules.assess import Line
from debtwatch.rules.rulebook import Bilingual, Rulebook
from debtwatch.screening.coverage import Finance
from debtwatch.screening.population import Population
from debtwatch.screening.project import Project
from debtwatch.screening.sectors import Sector
from debtwatch.screening.settings import ScreeningSettings

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Government:
    """What is known about a government beyond its accounts; None where nobody says.

    Attributes
    ----------
    unit, name, level, province : str
    quarter : int
        Ordinal of the quarter of the accounts.
    county_type : str
        One of :data:`debtwatch.screening.project.COUNTY_TYPES`, empty when not stated.
    in_restructuring : bool or None
        Whether a restructuring plan has been started.
    ppp_share : float or None
        Largest yearly commitment of all partnerships over general budget expenditure.
    population : Population or None
    """

    unit: str
    name: str
    level: str
    quarter: int
    province: str = ""
    county_type: str = ""
    in_restructuring: bool | None = None
    ppp_share: float | None = None
    population: Population | None = None


@dataclass(frozen=True)
class Tier:
    """A level of a warning system: its id, label and severity (0 best, 9 unknown)."""

    id: str
    label: Bilingual
    severity: int


@dataclass(frozen=True)
class TierChange:
    """Worst level ahead without and with the project, on one calibre of debt.

    Attributes
    ----------
    now, without, with_ : Tier
    value_now : float
        Indicator at the quarter of the accounts.
    path_without, path_with : ndarray, shape (quarters,)
    line : Line or None
        First line above the present tier; None in the worst tier.
    breach_without, breach_with : int or None
        Ordinal of the first quarter beyond that line on the central path.
    worst_quarter : int or None
        Ordinal of the highest value with the project.
    effect : str
        ``caused``, ``brought_forward``, ``anyway``, ``already``, ``no_effect`` or ``no_data``.
    """

    now: Tier
    without: Tier
    with_: Tier
    value_now: float
    path_without: Array
    path_with: Array
    line: Line | None
    breach_without: int | None
    breach_with: int | None
    worst_quarter: int | None
    effect: str

    @property
    def quarters_sooner(self) -> int:
        """Quarters by which the project brings the breach forward."""
        if self.breach_without is None or self.breach_with is None:
            return 0
        return self.breach_without - self.breach_with


@dataclass(frozen=True)
class Probability:
    """Probability of breach of a line within the horizon, with common random numbers.

    Attributes
    ----------
    line : Line
    without, with_ : float
        Share of paths.
    error_without, error_with, error_added : float
        Standard errors; that of the difference is of the paired paths.
    by_quarter_without, by_quarter_with : ndarray, shape (quarters,)
        Share of paths that have breached by each quarter.
    paths, horizon, consecutive, seed : int
    """

    line: Line
    without: float
    with_: float
    error_without: float
    error_with: float
    error_added: float
    by_quarter_without: Array
    by_quarter_with: Array
    paths: int
    horizon: int
    consecutive: int
    seed: int

    @property
    def added(self) -> float:
        """What the project adds."""
        return self.with_ - self.without


@dataclass(frozen=True)
class Room:
    """Headroom under one line or limit.

    Attributes
    ----------
    key : str
        ``tier`` (with its line), ``general_quota``, ``special_quota``, ``general_interest``,
        ``special_interest``, ``ppp``, ``sanbao`` or ``tolerance``.
    label : Bilingual
    line : float or None
        The line or limit itself.
    supremum : float
        Debt in yuan at which the line would be reached; negative when it is crossed without the
        project. NaN where it cannot be computed.
    printed : float or None
        Largest whole 万元 that stays on the good side.
    scale : float
        Largest scale of the project that fits; infinite when the project does not bind.
    quarter : int or None
        Ordinal of the quarter that binds.
    """

    key: str
    label: Bilingual
    line: float | None
    supremum: float
    printed: float | None
    scale: float
    quarter: int | None


@dataclass(frozen=True)
class QuotaUse:
    """Balance and draws of one type of debt against its limit."""

    ledger: str
    balance: float
    drawn: float
    pipeline: float
    limit: float


@dataclass(frozen=True)
class InterestRatio:
    """Interest over expenditure of one ledger, without and with the project."""

    ledger: str
    now: float
    without: Array
    with_: Array


@dataclass(frozen=True)
class Impact:
    """What a project does to its government.

    Attributes
    ----------
    first_quarter : int
        Ordinal of the first quarter ahead.
    tier : TierChange
        Statutory calibre.
    wide : TierChange or None
        Calibre with hidden debt; None where nobody supplied it.
    probability : Probability or None
        None where there is no simulation or no line above.
    quotas : tuple of QuotaUse
    interest : tuple of InterestRatio
    stressed_without, stressed_with : Tier or None
        Worst level under the stress scenarios.
    stressed_by : Bilingual or None
        Scenario of the worst level with the project.
    liquidity : float
        Gross financing need of four quarters, with the project, over capacity: the next four or
        those from its start, whichever is worse.
    liquidity_quarter : int or None
        First of those quarters.
    beyond_outlook : bool
        Whether the project still draws bonds after the last quarter that is judged.
    sanbao_margin : float
        Smallest yearly capacity left after debt service, top-ups and the three guarantees; NaN
        where it cannot be computed.
    sanbao_quarter : int or None
    rooms : tuple of Room
        Every line and limit; the smallest binds.
    province_before, province_after : float
        Probability-weighted number of governments of the province beyond their line.
    province_ratio_before, province_ratio_after : float
        Debt ratio of the province's governments together at the project's worst quarter.
    """

    first_quarter: int
    tier: TierChange
    wide: TierChange | None = None
    probability: Probability | None = None
    quotas: tuple[QuotaUse, ...] = ()
    interest: tuple[InterestRatio, ...] = ()
    stressed_without: Tier | None = None
    stressed_with: Tier | None = None
    stressed_by: Bilingual | None = None
    liquidity: float = float("nan")
    sanbao_margin: float = float("nan")
    sanbao_quarter: int | None = None
    rooms: tuple[Room, ...] = ()
    province_before: float = float("nan")
    province_after: float = float("nan")
    province_ratio_before: float = float("nan")
    province_ratio_after: float = float("nan")
    liquidity_quarter: int | None = None
    beyond_outlook: bool = False

    @property
    def binding(self) -> Room | None:
        """The line or limit that leaves least among those the project touches, else among all."""
        known = [r for r in self.rooms if r.key != "tolerance" and not np.isnan(r.supremum)]
        touched = [r for r in known if np.isfinite(r.scale)]
        if touched:  # by scale: amounts of debt and yearly commitments do not compare
            return min(touched, key=lambda r: (r.scale, r.supremum))
        return min(known, key=lambda r: r.supremum, default=None)


@dataclass(frozen=True)
class Case:
    """One proposal in its government.

    Attributes
    ----------
    project : Project
    government : Government
    sector : Sector or None
        None when the proposal's sector is not in ``models/sectors.toml``.
    finance : Finance
    impact : Impact
    rulebooks : mapping from family to Rulebook
        The version in force for each.
    settings : ScreeningSettings
    unit_costs : tuple of float
        Cost per unit of the other projects of the sector, yuan.
    """

    project: Project
    government: Government
    sector: Sector | None
    finance: Finance
    impact: Impact
    rulebooks: Mapping[str, Rulebook]
    settings: ScreeningSettings
    unit_costs: tuple[float, ...] = field(default=())
