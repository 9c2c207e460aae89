"""What no proposal may say, whatever file it comes from: faults by key path, all at once.

These are errors of the proposal itself, found before any judgement of the project.
"""

from __future__ import annotations

import datetime as dt
import itertools
import math
import re
from collections.abc import Iterator, Mapping, Set
from dataclasses import dataclass, field

import numpy as np

from debtwatch.language import N_
from debtwatch.panel.period import quarter_text
from debtwatch.panel.problem import Problem
from debtwatch.rules.expression import exceeds
from debtwatch.screening.project import (
    LONGEST_TENOR,
    SUM_TOLERANCE,
    Override,
    Profile,
    Project,
    Tranche,
)

LONGEST_BUILD = 60
LONGEST_LIFE = 100.0
HIGHEST_RATE = 0.15
LONGEST_CODE = 80
_NO_WORDS: Mapping[str, str] = {}


@dataclass(frozen=True)
class Fault:
    """One fault of a proposal.

    Attributes
    ----------
    path : str
        Key path inside the proposal, such as ``financing[2].rate``; lists count from 0.
    message : str
        English text, marked for translation.
    values : mapping from placeholder to text
    """

    path: str
    message: str
    values: Mapping[str, str] = field(default_factory=dict)


def problem_of(
    fault: Fault, *, file: str, sheet: str, cell: str, code: str, unit: str = ""
) -> Problem:
    """Say a fault as a problem of a file."""
    details: dict[str, object] = {"code": code, "text": fault.message}
    if fault.values:
        details["values"] = dict(fault.values)
    return Problem("project-invalid", file, sheet, cell, unit, details=details)


def faults_of(
    project: Project,
    *,
    last_quarter: int,
    broken: Set[str] = frozenset(),
    unstated: Set[str] = frozenset(),
) -> list[Fault]:
    """Find every fault of a proposal.

    Parameters
    ----------
    project : Project
        Figures that are missing or could not be read are NaN.
    last_quarter : int
        Ordinal of the last quarter with accounts.
    broken : set of str
        Key paths of which a fault is known already: what depends on them is not judged.
    unstated : set of str
        Key paths that the proposal does not state, of those that hold a default.

    Returns
    -------
    list of Fault

    Examples
    --------
    >>> bond = Tranche("special_bond", 60.0, 10, 2, 0.02)
    >>> one = Project("A", "A", "u", 8104, 4, 20, 100.0, (bond,))
    >>> [fault.path for fault in faults_of(one, last_quarter=8103)]
    ['financing']
    """
    found = [
        *_identity(project),
        *_timing(project, last_quarter, unstated),
        *_cost(project),
        *_schedules(project, last_quarter),
        *_operation(project),
        *_rest(project),
    ]
    for position, tranche in enumerate(project.financing):
        found += _tranche(tranche, f"financing[{position}]")
    return [f for f in found if not _rests_on(f.path, broken)]


#: What a judgement rests on besides its own key.
_RESTS = {
    "financing": ("cost.total_investment",),
    "cost.schedule": ("cost.total_investment", "start_quarter", "priority.ongoing"),
    "priority.sunk": ("cost.total_investment", "priority.ongoing"),
    "income": ("start_quarter", "build_quarters"),
    "start_quarter": ("priority.ongoing",),
}
_AMOUNT = re.compile(r"financing\[\d+\](?:\.amount)?")
_TRANCHE = re.compile(r"financing\[\d+\]")


def _rests_on(path: str, broken: Set[str]) -> bool:
    """Whether a path, what it lies in, or what its judgement rests on is broken already."""
    if not broken:
        return False
    inside = itertools.accumulate(re.split(r"(?=[.\[])", path))  # each key on the way to it
    needs = {part for part in inside if part != "financing" or part == path}
    if tranche := _TRANCHE.match(path):
        needs.add(f"{tranche[0]}.source")
    if ".schedule" in path:
        needs.add("start_quarter")
    stem = next((s for s in _RESTS if path == s or path.startswith(s + ".")), "")
    needs.update(_RESTS.get(stem, ()))
    if not needs.isdisjoint(broken):
        return True
    if path == "financing":  # a sum needs every amount
        return any(_AMOUNT.fullmatch(b) for b in broken)
    return path.endswith(".schedule") and any(b.startswith(path) for b in broken)


def _identity(project: Project) -> Iterator[Fault]:
    missing = {
        "code": N_("the project has no code"),
        "county": N_("the code of the government is missing"),
    }
    for path, text in (("code", project.code), ("county", project.unit)):
        if not text:
            yield Fault(path, missing[path])
        elif not text.isprintable():
            yield Fault(path, N_("a code cannot hold control characters"))
        elif len(text) > LONGEST_CODE:
            yield Fault(
                path, N_("a code has at most {most} characters"), {"most": str(LONGEST_CODE)}
            )


def _timing(project: Project, last_quarter: int, unstated: Set[str]) -> Iterator[Fault]:
    ongoing = project.priority.ongoing
    if project.start_quarter <= last_quarter and not ongoing:
        yield Fault("start_quarter", N_("the start lies before the end of the accounts"))
    if ongoing and "priority.sunk" in unstated:
        yield Fault("priority.sunk", N_("an ongoing project needs the money spent so far"))
    if not 1 <= project.build_quarters <= LONGEST_BUILD:
        yield Fault("build_quarters", N_("the construction time must be 1 to 60 whole quarters"))
    if not 0 < project.life_years <= LONGEST_LIFE:
        yield Fault("life_years", N_("the life must be above 0 and at most 100 years"))


def _cost(project: Project) -> Iterator[Fault]:
    total = project.total_investment
    if math.isnan(total):
        yield Fault("cost.total_investment", N_("the total investment is missing"))
        return
    if not total > 0:
        yield Fault("cost.total_investment", N_("the total investment must be above zero"))
        return
    paid = sum(t.amount for t in project.financing)
    if differs(paid, total):
        yield Fault(
            "financing",
            N_("the financing does not sum to the total investment: {sum} and {total} (万元)"),
            {"sum": _wan(paid), "total": _wan(total)},
        )
    spent = sum(amount for _quarter, amount in project.schedule)
    if project.schedule and differs(spent, total):
        yield Fault(
            "cost.schedule",
            N_("the schedule does not sum to the total investment: {sum} and {total} (万元)"),
            {"sum": _wan(spent), "total": _wan(total)},
        )
    if _above(project.priority.sunk, total):
        yield Fault("priority.sunk", N_("more is spent than the total investment"))


def differs(amount: float, total: float) -> bool:
    """Whether a sum is off its total by more than the tolerance; False where either is missing.

    Examples
    --------
    >>> differs(99.5, 100.0), differs(99.49, 100.0)
    (False, True)
    """
    if math.isnan(amount) or not total > 0:
        return False
    return _above(abs(amount / total - 1), SUM_TOLERANCE)


def _schedules(project: Project, last_quarter: int) -> Iterator[Fault]:
    named = [("cost.schedule", project.schedule)]
    named += [(f"financing[{i}].schedule", t.schedule) for i, t in enumerate(project.financing)]
    for path, schedule in named:
        for quarter, _amount in schedule:
            values = {"quarter": quarter_text(quarter)}
            if quarter < project.start_quarter:
                yield Fault(
                    f"{path}.{quarter_text(quarter)}",
                    N_("{quarter} of the schedule lies before the start"),
                    values,
                )
            elif quarter <= last_quarter and not project.priority.ongoing:
                yield Fault(
                    f"{path}.{quarter_text(quarter)}",
                    N_("{quarter} of the schedule lies before the end of the accounts"),
                    values,
                )


def _operation(project: Project) -> Iterator[Fault]:
    operation = project.operation
    for kind, yearly in (
        ("user_fees", operation.user_fees),
        ("fund_income", operation.fund_income),
    ):
        for year in sorted(yearly):
            if yearly[year] > 0 and 4 * year + 4 <= project.completion_quarter:
                yield Fault(
                    f"income.{year}.{kind}",
                    N_("income in {year}, but the project runs from {quarter} on"),
                    {"year": str(year), "quarter": quarter_text(project.completion_quarter)},
                )
    if _above(operation.land_linked_share, 1.0):
        yield Fault("land_linked_share", N_("a share cannot exceed the whole"))


def _rest(project: Project) -> Iterator[Fault]:
    land = project.land
    for path, part in (
        ("cultivated_ha", land.cultivated_ha),
        ("permanent_basic_farmland_ha", land.permanent_basic_farmland_ha),
    ):
        if part is not None and land.total_ha is not None and _above(part, land.total_ha):
            yield Fault(f"land.{path}", N_("this part of the land exceeds its total"))
    for path, codes in (
        ("requires", project.priority.requires),
        ("excludes", project.priority.excludes),
    ):
        if project.code in codes:
            yield Fault(f"priority.{path}", N_("a project cannot name itself here"))
    both = sorted(set(project.priority.requires) & set(project.priority.excludes))
    if both:
        yield Fault(
            "priority.excludes",
            N_("the project both requires and excludes {code}"),
            {"code": both[0]},
        )


def _tranche(tranche: Tranche, path: str) -> Iterator[Fault]:
    if tranche.is_debt and tranche.amount != 0:
        yield from _terms(tranche, path)
    if tranche.as_capital > 0 and tranche.source != "special_bond":
        yield Fault(f"{path}.as_capital", N_("only a special bond can be used as project capital"))
    elif _above(tranche.as_capital, tranche.amount):
        yield Fault(f"{path}.as_capital", N_("more is used as capital than is borrowed"))
    if tranche.equity_like > 0 and tranche.source != "enterprise_equity":
        yield Fault(
            f"{path}.equity_like", N_("only enterprise equity can hold instruments that are debt")
        )
    elif _above(tranche.equity_like, tranche.amount):
        yield Fault(f"{path}.equity_like", N_("this part of the equity exceeds the equity"))
    drawn = sum(amount for _quarter, amount in tranche.schedule)
    if tranche.schedule and differs(drawn, tranche.amount):
        yield Fault(
            f"{path}.schedule",
            N_("the schedule does not sum to the amount: {sum} and {total} (万元)"),
            {"sum": _wan(drawn), "total": _wan(tranche.amount)},
        )


def _terms(tranche: Tranche, path: str) -> Iterator[Fault]:
    tenor, grace, rate = tranche.tenor_years, tranche.grace_years, tranche.rate
    if not (1 <= tenor <= LONGEST_TENOR and tenor == int(tenor)):
        yield Fault(f"{path}.tenor_years", N_("debt needs a tenor of 1 to 30 whole years"))
        tenor = math.nan
    if math.isnan(rate):
        yield Fault(f"{path}.rate", N_("debt needs a rate"))
    elif rate < 0 or _above(rate, HIGHEST_RATE):
        yield Fault(f"{path}.rate", N_("the rate must be between 0 and 15 (% a year)"))
    if math.isnan(grace):
        return
    if grace != int(grace):
        yield Fault(f"{path}.grace_years", N_("the grace period must be whole years"))
    if grace >= tenor:
        yield Fault(f"{path}.grace_years", N_("the grace period must be shorter than the tenor"))


def override_of(
    ground: str, name: str, date: dt.date | None, reason: str
) -> tuple[Override | None, list[Fault]]:
    """Make an override of its parts; none of them means that there is none.

    Returns
    -------
    override : Override or None
    faults : list of Fault
        The parts that are missing when others are given.

    Examples
    --------
    >>> override_of("ongoing", "", None, "nearly built")[1][0].path
    'override.name'
    """
    if not (ground or name or date or reason):
        return None, []
    parts = {"ground": ground, "name": name, "date": date, "reason": reason}
    faults = [
        Fault(f"override.{key}", N_("an override needs its ground, name, date and reason"))
        for key, part in parts.items()
        if not part
    ]
    if faults or date is None:
        return None, faults
    return Override(ground, name, date, reason), []


def spread_years(
    by_year: Mapping[int, float], *, start: int, build: int, profile: Profile
) -> tuple[tuple[int, float], ...]:
    """Spread yearly spending over the quarters of construction in each year.

    Parameters
    ----------
    by_year : mapping from calendar year to yuan
    start, build : int
        First quarter of construction and their number.
    profile : {"uniform", "s_curve", "front"}
        Shape of spending over the whole construction; within a year its part of it.

    Returns
    -------
    tuple of (int, float)
        A year after construction keeps its money in its four quarters.

    Examples
    --------
    >>> spread_years({2026: 10.0, 2027: 40.0}, start=4 * 2026 + 2, build=6, profile="uniform")
    ((8106, 5.0), (8107, 5.0), (8108, 10.0), (8109, 10.0), (8110, 10.0), (8111, 10.0))
    """
    weights = dict(zip(range(start, start + build), profile_weights(build, profile), strict=True))
    spread: list[tuple[int, float]] = []
    for year, amount in sorted(by_year.items()):
        quarters = range(4 * year, 4 * year + 4)
        own = {q: weights[q] for q in quarters if q in weights}
        if not own:  # before the start it is a fault, told once; after the end a retention
            own = dict.fromkeys(quarters[-1:] if quarters[-1] < start else quarters, 1.0)
        whole = sum(own.values())
        spread += [(q, amount * weight / whole) for q, weight in own.items()]
    return tuple(spread)


def profile_weights(build: int, profile: Profile) -> list[float]:
    """Weight of each quarter of construction, summing to 1.

    Examples
    --------
    >>> profile_weights(2, "front")
    [0.6666666666666666, 0.3333333333333333]
    """
    if profile == "s_curve":
        done = [3 * (k / build) ** 2 - 2 * (k / build) ** 3 for k in range(build + 1)]
        return [after - before for before, after in itertools.pairwise(done)]
    if profile == "front":
        return [2 * (build - k) / (build * (build + 1)) for k in range(build)]
    return [1 / build] * build


def nearest_path(path: str, known: Set[str]) -> str:
    """Find the key that a person wrote: the path itself, its year, or what it lies in.

    Examples
    --------
    >>> nearest_path("cost.schedule.2026Q4", {"cost.schedule.2026"})
    'cost.schedule.2026'
    """
    while path and path not in known:
        shorter = re.sub(r"Q[1-4]$", "", path)
        path = shorter if shorter != path else re.sub(r"(\.[^.]*|\[\d+\]|[^.\[]+)$", "", path)
    return path


def printable(text: str, most: int = 40) -> str:
    """Shorten a person's text for a message."""
    plain = "".join(c if c.isprintable() else "·" for c in text)
    return plain if len(plain) <= most else plain[: most - 1] + "…"


def _above(left: float, right: float) -> bool:
    return bool(exceeds(np.asarray(left), right))


def _wan(yuan: float) -> str:
    return f"{yuan / 1e4:,.2f}".removesuffix(".00")
