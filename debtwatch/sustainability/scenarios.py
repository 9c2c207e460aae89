"""Stress scenarios as data, from ``models/scenarios`` and from files of the user's own.

A scenario is a list of shocks to named drivers. Sizes are sizes of the blow, never signed: a cut of
0.30 is 30 % less. Each shock has a course over the quarters ahead, between 0 and 1
(:func:`course`). What a shock does to the books stands in :mod:`debtwatch.sustainability.stress`.
"""

from __future__ import annotations

import string
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator
from pydantic_core import ErrorDetails

from debtwatch import resources
from debtwatch.errors import ModelProblem
from debtwatch.language import N_
from debtwatch.rules.rulebook import Bilingual

Array = NDArray[np.float64]
Driver = Literal[
    "own_revenue", "transfers", "land", "rate", "spending", "contingent", "roll_over",
    "primary_balance_held", "history",
]  # fmt: skip
ScenarioSet = Literal["methods", "reference", "direction", "own"]
#: Largest size of a shock: nothing falls by more than all of it, rates rise by 10 points at most.
LARGEST: Mapping[Driver, float] = {
    "own_revenue": 1.0, "transfers": 1.0, "land": 1.0, "rate": 0.10, "spending": 1.0,
    "contingent": 1.0, "roll_over": 1.0, "primary_balance_held": 1.0, "history": 8.0,
}  # fmt: skip
#: Largest size in standard deviations, and the largest scale of a reverse stress test.
LARGEST_DEVIATIONS = 8.0
_COURSE = {"quarters", "build_up", "recovery", "recovery_quarters"}
_OPTIONS: Mapping[Driver, set[str]] = {
    "own_revenue": {"size", "sd", "floor", *_COURSE},
    "transfers": {"size", *_COURSE},
    "land": {"size", *_COURSE},
    "rate": {"size", *_COURSE},
    "spending": {"size", "sd", "floor", *_COURSE},
    "contingent": {"size", "of"},
    "roll_over": {"size", *_COURSE},
    "primary_balance_held": set(),
    "history": set(),
}

# A truth value or a text is no number, also where it could be read as one.
_Number = Annotated[float, Field(strict=True, allow_inf_nan=False)]
_Quarters = Annotated[int, Field(strict=True, ge=1, le=40)]


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Shock(_Part):
    """A blow to one driver.

    Attributes
    ----------
    driver : str
        ``own_revenue``, ``transfers`` (received by the general budget) and ``land`` lose a share
        of their level; ``rate`` rises, decimal a year; ``spending`` (general budget) rises by a
        share; ``contingent``: a share of a stock becomes debt; ``roll_over``: a share of
        the principal due finds no refinancing; ``primary_balance_held`` and ``history`` set
        several drivers at once and have no size of their own.
    size : float
        Decimal share or rate. For drivers without a size the part of the way that is gone.
    sd : float or None
        Size in standard deviations instead. Own revenue then falls by log points.
    floor : float
        Least standard deviation, decimal a year.
    of : {"lgfv_debt", "capacity"}
        Stock a contingent shock is a share of; capacity that of a year.
    first : int
        First quarter, 1 the first ahead.
    quarters : int or None
        Length; None to the end of the outlook.
    build_up : {"at_once", "gradual"}
        Gradual: the same step more in each of its quarters.
    recovery : {"none", "linear", "at_once"} or None
        What follows; with ``recovery_quarters`` the length of a linear one.
    """

    driver: Driver
    size: _Number | None = None
    sd: _Number | None = None
    floor: _Number = 0.0
    of: Literal["lgfv_debt", "capacity"] | None = None
    first: _Quarters = 1
    quarters: _Quarters | None = None
    build_up: Literal["at_once", "gradual"] = "at_once"
    recovery: Literal["none", "linear", "at_once"] | None = None
    recovery_quarters: _Quarters | None = None

    @property
    def amount(self) -> float:
        """Size, or number of standard deviations."""
        if self.sd is not None:
            return self.sd
        return 1.0 if self.size is None else self.size

    @property
    def largest(self) -> float:
        """Largest amount that makes sense."""
        return LARGEST_DEVIATIONS if self.sd is not None else LARGEST[self.driver]

    def times(self, factor: float) -> Shock:
        """Return the same shock with another size, unchecked."""
        name = "sd" if self.sd is not None else "size"
        return self.model_copy(update={name: factor * self.amount})

    @model_validator(mode="after")
    def _sensible(self) -> Shock:
        faults = [*self._size_faults(), *self._course_faults()]
        if faults:
            raise ValueError("; ".join(faults))
        return self

    def _size_faults(self) -> list[str]:
        allowed = {"driver", "first", *_OPTIONS[self.driver]}
        faults = [
            f"{self.driver} has no option {name}"
            for name in sorted(self.model_fields_set - allowed)
        ]
        if "size" in _OPTIONS[self.driver] and (self.size is None) == (self.sd is None):
            ways = "size or sd" if "sd" in _OPTIONS[self.driver] else "size"
            faults.append(f"{self.driver} needs one of: {ways}")
        elif self.amount < 0:
            faults.append(f"{self.amount:g} is negative; sizes are sizes of the blow, not signed")
        elif self.amount > self.largest:
            what = "sd" if self.sd is not None else "size"
            faults.append(
                f"{what} {self.amount:g} of {self.driver} is beyond the largest that makes sense,"
                f" {self.largest:g}"
                + (" (a share: 0.3 is 30 %)" if what == "size" else " deviations")
            )
        if not 0 <= self.floor <= 1 or (self.floor and self.sd is None):
            faults.append("a floor goes with sd and lies between 0 and 1")
        if (self.driver == "contingent") != (self.of is not None):
            faults.append("of names the stock of a contingent shock: lgfv_debt or capacity")
        return faults

    def _course_faults(self) -> list[str]:
        faults = []
        if (self.quarters is None) != (self.recovery is None):
            faults.append("quarters and recovery (none, linear, at_once) go together")
        if (self.recovery == "linear") != (self.recovery_quarters is not None):
            faults.append("recovery_quarters goes with a linear recovery")
        if self.build_up == "gradual" and self.quarters is None:
            faults.append("a gradual shock needs its quarters")
        return faults


class _Use(_Part):
    """Another scenario as part of a combined one."""

    id: str
    factor: Annotated[float, Field(strict=True, gt=0, le=1)] = 0.5


class _Entry(_Part):
    """A scenario as it stands in a file."""

    id: str = Field(pattern=r"^[a-z][a-z0-9-]*$")
    label: Bilingual
    text: Bilingual
    source: Bilingual
    sentence: Bilingual | None = None
    unavailable: Bilingual | None = None
    shock: tuple[Shock, ...] = ()
    part: tuple[_Use, ...] = ()

    @model_validator(mode="after")
    def _whole(self) -> _Entry:
        faults = []
        if bool(self.shock or self.part) == (self.unavailable is not None):
            faults.append("give shocks or parts, or say in unavailable why there are none")
        held = [shock for shock in self.shock if shock.driver == "primary_balance_held"]
        if held and len(self.shock) + len(self.part) > 1:
            faults.append("primary_balance_held sets the balance and stands alone")
        texts = [self.label, self.text, self.source, self.sentence, self.unavailable]
        if any(text and not (text.zh.strip() and text.en.strip()) for text in texts):
            faults.append("a text is empty")
        fields = {field for text in [self.sentence] if text for field in _placeholders(text)}
        if fields - {"size"}:
            faults.append("a sentence may hold the placeholder {size} only")
        if faults:
            raise ValueError("; ".join(faults))
        return self


class _File(_Part):
    """A file of scenarios."""

    set: ScenarioSet = "own"
    scenario: tuple[_Entry, ...]

    @model_validator(mode="after")
    def _has_any(self) -> _File:
        if not self.scenario:
            raise ValueError("there is no scenario in it")
        return self


@dataclass(frozen=True)
class Scenario:
    """A stress scenario with its parts put in.

    Attributes
    ----------
    id : str
    set : {"methods", "reference", "direction", "own"}
        The tool's catalogue, the reference tests beside it, the directions of reverse stress, or
        the user's own.
    label, text, source : Bilingual
    shocks : tuple of Shock
        All shocks, those of the parts at their factors.
    parts : tuple of Scenario
        Parts at full size; the combined stress is at least as bad as each.
    sentence : Bilingual or None
        How a reverse stress test words its answer; ``{size}`` stands for the size.
    unavailable : Bilingual or None
        Why nobody's figures allow this scenario.
    """

    id: str
    set: ScenarioSet
    label: Bilingual
    text: Bilingual
    source: Bilingual
    shocks: tuple[Shock, ...]
    parts: tuple[Scenario, ...] = ()
    sentence: Bilingual | None = None
    unavailable: Bilingual | None = None

    @property
    def only_worse(self) -> bool:
        """Whether debt over capacity cannot fall below its central path, by construction.

        A held primary balance may be better than the central one, and in the worst year of the
        past some drivers may have done well. Principal that finds no refinancing turns from bonds
        into arrears; a surplus repays arrears before it refills the reserve, so that gross debt
        can end lower, by the reserve that is lacking.
        """
        drivers = {shock.driver for shock in self.shocks}
        return bool(drivers) and not drivers & {"primary_balance_held", "history", "roll_over"}

    @property
    def largest_scale(self) -> float:
        """Largest factor before a shock loses its sense, 8 at most."""
        ratios = [shock.largest / shock.amount for shock in self.shocks if shock.amount > 0]
        return min([LARGEST_DEVIATIONS, *ratios])


def scaled(scenario: Scenario, factor: float) -> Scenario:
    """Return the scenario with every size multiplied, its parts' as well.

    Parameters
    ----------
    scenario : Scenario
    factor : float
        0 or more; 0 is the central path.

    Raises
    ------
    ModelProblem
        When a size would lose its sense.

    Examples
    --------
    >>> land = next(s for s in load_scenarios() if s.id == "s2-land-30")
    >>> scaled(land, 0.5).shocks[0].size
    0.15
    """
    check_scale(scenario, factor)
    shocks = tuple(shock.times(factor) for shock in scenario.shocks)
    parts = tuple(scaled(part, factor) for part in scenario.parts)
    return replace(scenario, shocks=shocks, parts=parts)


def check_scale(scenario: Scenario, factor: float) -> None:
    """Refuse a factor below 0 or one that cuts more than there is.

    Raises
    ------
    ModelProblem
    """
    largest = scenario.largest_scale
    if not 0 <= factor <= largest * (1 + 1e-12):
        raise ModelProblem(
            N_("Scenario {id} cannot be scaled by {factor}; choose 0 to {largest}."),
            id=scenario.id,
            factor=f"{factor:g}",
            largest=f"{largest:g}",
        )


def course(shock: Shock, quarters: int) -> Array:
    """Course of a shock over the quarters ahead, 0 before it and 1 at full size.

    With k the quarter of the shock (1 its first), n its length and m that of the recovery::

        k <= n    k / n if gradual, else 1
        k >  n    1 (none), max(0, 1 - (k - n) / m) (linear), 0 (at once)

    Parameters
    ----------
    shock : Shock
    quarters : int

    Returns
    -------
    ndarray, shape (quarters,)

    Examples
    --------
    >>> land = Shock(driver="land", size=0.3, first=2, quarters=2, recovery="linear",
    ...              recovery_quarters=2)
    >>> course(land, 6)
    array([0. , 1. , 1. , 0.5, 0. , 0. ])
    """
    k = np.arange(1, quarters + 1) - (shock.first - 1.0)
    length = np.inf if shock.quarters is None else float(shock.quarters)
    before = k / length if shock.build_up == "gradual" else np.ones(quarters)
    after = {
        "linear": np.maximum(0.0, 1.0 - (k - length) / (shock.recovery_quarters or 1)),
        "at_once": np.zeros(quarters),
    }.get(shock.recovery or "none", np.ones(quarters))
    return np.where(k < 1, 0.0, np.where(k <= length, before, after))


def load_scenarios(extra: Sequence[Path] = (), folder: Path | None = None) -> tuple[Scenario, ...]:
    """Load the scenarios that ship with debtwatch, then those of the user's own files.

    Parameters
    ----------
    extra : sequence of Path
        Files of the user; their parts may name shipped scenarios.
    folder : Path, optional
        ``models/scenarios`` by default.

    Raises
    ------
    ModelProblem
        With all faults of all files at once.

    Examples
    --------
    >>> [s.id for s in load_scenarios() if s.set == "methods"][:3]
    ['s1-growth', 's2-land-30', 's2-land-50']
    """
    shipped = sorted((folder or resources.models() / "scenarios").glob("*.toml"))
    faults: list[str] = []
    entries: dict[str, tuple[ScenarioSet, _Entry]] = {}
    for path in (*shipped, *extra):
        content = _read(path, faults)
        if content is None:
            continue
        if path not in shipped and content.set != "own":
            faults.append(f'{path}: leave out set, or write set = "own"')
        for entry in content.scenario:
            if entry.id in entries:
                faults.append(f"{path}: scenario {entry.id}: the id is taken, choose another")
            else:
                entries[entry.id] = content.set, entry
    if not faults:
        faults += _part_faults({name: entry for name, (_, entry) in entries.items()})
    if faults:
        raise ModelProblem(
            N_("The scenarios cannot be used. Mend these faults: {faults}"),
            faults="; ".join(faults),
        )
    return tuple(_put_together(name, entries) for name in entries)


def _read(path: Path, faults: list[str]) -> _File | None:
    """Read one file, or add its faults to the list."""
    data: dict[str, Any] = {}
    try:
        data = tomllib.loads(path.read_text(encoding="utf-8-sig"))
        return _File.model_validate(data)
    except OSError as error:
        faults.append(f"{path}: {error.strerror}")
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, RecursionError) as error:
        faults.append(f"{path}: {error}")
    except ValidationError as error:
        faults += [f"{path}: {_fault(fault, data)}" for fault in error.errors()]
    return None


def _fault(fault: ErrorDetails, data: Mapping[str, Any]) -> str:
    """Say where a fault is and what it is."""
    said = fault["msg"].removeprefix("Value error, ")
    found = f", not {fault['input']}" if fault["type"] == "literal_error" else ""
    return f"{_place(fault['loc'], data)}: {said}{found}"


def _place(place: tuple[int | str, ...], data: Mapping[str, Any]) -> str:
    """Name the place of a fault as the file shows it: scenario by id, shocks counted from 1."""
    words: list[str] = []
    for step in place:
        if not isinstance(step, int):
            words.append(step)
        elif words == ["scenario"]:
            table = data["scenario"][step]
            name = table.get("id") if isinstance(table, dict) else None
            words[-1] = f"scenario {name or step + 1}"
        else:
            words[-1] += f" {step + 1}"
    return ", ".join(words) or "file"


def _part_faults(entries: Mapping[str, _Entry]) -> list[str]:
    faults = []
    for entry in entries.values():
        for use in entry.part:
            other = entries.get(use.id)
            if other is None:
                faults.append(f"scenario {entry.id}: there is no scenario {use.id}")
            elif other.part or other.unavailable:
                faults.append(f"scenario {entry.id}: {use.id} has no shocks of its own to take")
            elif any(shock.driver == "primary_balance_held" for shock in other.shock):
                faults.append(f"scenario {entry.id}: {use.id} stands alone and is no part")
    return faults


def _put_together(name: str, entries: Mapping[str, tuple[ScenarioSet, _Entry]]) -> Scenario:
    kind, entry = entries[name]
    taken = [shock.times(use.factor) for use in entry.part for shock in entries[use.id][1].shock]
    return Scenario(
        id=entry.id, set=kind, label=entry.label, text=entry.text, source=entry.source,
        shocks=(*taken, *entry.shock),
        parts=tuple(_put_together(use.id, entries) for use in entry.part),
        sentence=entry.sentence, unavailable=entry.unavailable,
    )  # fmt: skip


def _placeholders(text: Bilingual) -> set[str]:
    """Names in braces of a text; a stray brace counts as one."""
    try:
        parts = [*string.Formatter().parse(text.zh), *string.Formatter().parse(text.en)]
    except ValueError:
        return {"{"}
    return {name for _, name, _, _ in parts if name is not None}
