"""Read one proposal from a TOML file: its shape, its words and numbers, then what it says.

Keys stand under ``[project]`` or at the top level. Money is in 万元 unless ``unit`` names another
unit of money; rates and shares are decimals.
"""

from __future__ import annotations

import copy
import datetime as dt
import math
import re
import tomllib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, ValidationError
from pydantic_core import PydanticCustomError

from debtwatch.errors import DataProblem
from debtwatch.language import N_
from debtwatch.panel.fields import money_scale
from debtwatch.panel.numbers import LARGEST
from debtwatch.panel.period import parse_day, parse_period
from debtwatch.provenance import sha256_of_bytes
from debtwatch.screening.columns import choices_text, word_of
from debtwatch.screening.pipeline import Pipeline
from debtwatch.screening.project import (
    DEBT,
    SOURCES,
    Flags,
    Land,
    Need,
    Operation,
    Priority,
    Project,
    Tranche,
)
from debtwatch.screening.proposal_checks import (
    Fault,
    faults_of,
    nearest_path,
    override_of,
    printable,
    problem_of,
    spread_years,
)
from debtwatch.screening.sectors import sector_named

LARGEST_FILE = 2**20
DEEPEST = 12
_MESSAGES = {
    "extra_forbidden": N_("this key is not known; possible here: {words}"),
    "number": N_("this value is not a number"),
    "whole": N_("this value is not a whole number"),
    "negative": N_("a negative amount is not possible here"),
    "share": N_("this must be a decimal between 0 and 1"),
    "rate": N_("a rate is a decimal here: 0.026 for 2.6 per cent a year"),
    "word": N_("“{word}” is not one of the choices: {words}"),
    "flag": N_("this must be true or false"),
    "text": N_("this must be text in quotation marks"),
    "day": N_("this is not a date such as 2026-09-30"),
    "quarter": N_("the start is not a quarter such as 2026Q3"),
    "money_unit": N_("the unit of money must be 万元, 亿元 or 元"),
    "codes": N_("this must be a list of project codes"),
    "model_type": N_("this must be a table of keys"),
    "model_attributes_type": N_("this must be a table of keys"),
    "dict_type": N_("this must be a table of keys"),
    "list_type": N_("this must be a list"),
}
_OTHERWISE = N_("this value cannot be used here")
_MISSING = N_("this key is missing")


def _number(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise PydanticCustomError("number", "not a number")
    if not abs(value) < LARGEST:  # infinite and NaN as well
        raise PydanticCustomError("number", "not a number")
    if value < 0:
        raise PydanticCustomError("negative", "negative")
    return float(value)


def _rate(value: Any) -> float:
    number = _number(value)
    if number > 1:
        raise PydanticCustomError("rate", "not a decimal")
    return number


def _whole(value: Any) -> int:
    number = _number(value)
    if number != int(number):
        raise PydanticCustomError("whole", "not whole")
    return int(number)


def _share(value: Any) -> float:
    number = _number(value)
    if number > 1:
        raise PydanticCustomError("share", "not a share")
    return number


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise PydanticCustomError("text", "not text")
    return "".join(c if c.isprintable() else " " for c in value).strip()


def _code(value: Any) -> str:
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    if not isinstance(value, str):
        raise PydanticCustomError("text", "not text")
    return value.strip()


def _flag(value: Any) -> bool | None:
    held = str(value).lower() if isinstance(value, bool) else value
    word = word_of("document", held) if isinstance(held, str) else None
    if word is None or (word == "n/a"):
        raise PydanticCustomError("flag", "not a flag")
    return word == "true"


def _document(value: Any) -> str:
    held = str(value).lower() if isinstance(value, bool) else value
    word = word_of("document", held) if isinstance(held, str) else None
    if word is None:
        raise _no_word(value, choices_text("document"))
    return word


def _day(value: Any) -> dt.date:
    day = parse_day(value)
    if day is None:
        raise PydanticCustomError("day", "not a date")
    return day


def _start(value: Any) -> int:
    period = parse_period(value) if isinstance(value, str) else None
    if period is None or period.kind != "quarter":
        raise PydanticCustomError("quarter", "not a quarter")
    return period.quarter


def _money_unit(value: Any) -> float:
    scale = money_scale(value) if isinstance(value, str) else None
    if scale is None:
        raise PydanticCustomError("money_unit", "not a unit of money")
    return scale


def _codes(value: Any) -> tuple[str, ...]:
    if not isinstance(value, list) or not all(isinstance(v, str) for v in value):
        raise PydanticCustomError("codes", "not codes")
    return tuple(dict.fromkeys(v.strip() for v in value if v.strip()))


def _source(value: Any) -> str:
    if value not in SOURCES:
        raise _no_word(value, ", ".join(SOURCES))
    return str(value)


def _sector(value: Any) -> str:
    text = _text(value)
    found = sector_named(text) if text else None
    if text and found is None:
        raise _no_word(value, choices_text("sector"))
    return found.id if found else ""


def _choice(table: str) -> Callable[[Any], str]:
    def read(value: Any) -> str:
        if value == "":
            return ""
        held = word_of(table, value) if isinstance(value, str) else None
        if held is None:
            raise _no_word(value, choices_text(table))
        return held

    return read


def _no_word(value: Any, words: str) -> PydanticCustomError:
    return PydanticCustomError(
        "word", "not a word", {"word": printable(str(value)), "words": words}
    )


Number = Annotated[float, BeforeValidator(_number)]
Whole = Annotated[int, BeforeValidator(_whole)]
Rate = Annotated[float, BeforeValidator(_rate)]
Share = Annotated[float, BeforeValidator(_share)]
Text = Annotated[str, BeforeValidator(_text)]
Code = Annotated[str, BeforeValidator(_code)]
Flag = Annotated[bool, BeforeValidator(_flag)]
Document = Annotated[str, BeforeValidator(_document)]
Day = Annotated[dt.date, BeforeValidator(_day)]
Codes = Annotated[tuple[str, ...], BeforeValidator(_codes)]
Source = Annotated[str, BeforeValidator(_source)]
SectorName = Annotated[str, BeforeValidator(_sector)]
Start = Annotated[int, BeforeValidator(_start)]
MoneyUnit = Annotated[float, BeforeValidator(_money_unit)]
CountyType = Annotated[str, BeforeValidator(_choice("county_type"))]
Purpose = Annotated[str, BeforeValidator(_choice("purpose"))]
Nature = Annotated[str, BeforeValidator(_choice("nature"))]
Profile = Annotated[str, BeforeValidator(_choice("profile"))]
Repayment = Annotated[str, BeforeValidator(_choice("repayment"))]
Draw = Annotated[str, BeforeValidator(_choice("draw"))]
Borrower = Annotated[str, BeforeValidator(_choice("borrower"))]
Guarantee = Annotated[str, BeforeValidator(_choice("guarantee"))]
Payment = Annotated[str, BeforeValidator(_choice("payment"))]
Ground = Annotated[str, BeforeValidator(_choice("ground"))]
Marking = Annotated[str, BeforeValidator(_choice("marking"))]


class _Table(BaseModel):
    """A table of the file. Every key may be absent: what has to be there is checked later."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    def stated(self, *leave_out: str) -> dict[str, Any]:
        """Return the keys that the file states."""
        return {
            name: value
            for name in type(self).model_fields
            if name not in leave_out and (value := getattr(self, name)) is not None
        }


class _Cost(_Table):
    total_investment: Number | None = None
    feasibility_estimate: Number | None = None
    budget_estimate: Number | None = None
    contingency_share: Share | None = None
    schedule: dict[str, Number] | None = None
    profile: Profile | None = None


class _Money(_Table):
    source: Source | None = None
    amount: Number | None = None
    schedule: dict[str, Number] | None = None
    tenor_years: Number | None = None
    rate: Rate | None = None
    grace_years: Number | None = None
    repayment: Repayment | None = None
    draw: Draw | None = None
    as_capital: Number | None = None
    equity_like: Number | None = None
    capitalised: Flag | None = None
    committed: Flag | None = None
    borrower: Borrower | None = None
    guarantee: Guarantee | None = None
    payment: Payment | None = None


class _Income(_Table):
    user_fees: Number | None = None
    fund_income: Number | None = None
    basis: Text | None = None


class _Land(_Table):
    total_ha: Number | None = None
    cultivated_ha: Number | None = None
    permanent_basic_farmland_ha: Number | None = None
    ecological_red_line: Flag | None = None
    inside_urban_boundary: Flag | None = None
    offset_document: Flag | None = None
    land_use_approval: Flag | None = None


class _Documents(_Table):
    project_proposal: Document | None = None
    feasibility_approved: Document | None = None
    preliminary_design: Document | None = None
    implementation_plan: Document | None = None
    financial_report: Document | None = None
    legal_opinion: Document | None = None
    performance_assessment: Document | None = None
    eia: Document | None = None
    in_ndrc_store: Document | None = None
    in_mof_store: Document | None = None
    ppp_affordability: Document | None = None


class _Need(_Table):
    unit: Text | None = None
    existing: Number | None = None
    added: Number | None = None
    standard_per_capita: Number | None = None
    target_year: Whole | None = None
    population_medium: Number | None = None
    population_low: Number | None = None


class _Flags(_Table):
    contractor_prefinancing: Flag | None = None
    guaranteed_buyback: Flag | None = None
    commitment_letter: Flag | None = None
    office_building: Flag | None = None
    image_project: Flag | None = None
    county_to_city: Flag | None = None
    rail_transit: Flag | None = None
    negative_list: Flag | None = None
    top_ups_budgeted: Flag | None = None
    relaxed_capital: Flag | None = None
    national_exception: Flag | None = None
    boundary_exempt: Flag | None = None


class _Priority(_Table):
    mandatory_safety: Flag | None = None
    sanbao_related: Flag | None = None
    ongoing: Flag | None = None
    sunk: Number | None = None
    residents_served: Number | None = None
    climate_food_water: Flag | None = None
    stageable: Flag | None = None
    requires: Codes | None = None
    excludes: Codes | None = None


class _Override(_Table):
    ground: Ground | None = None
    name: Text | None = None
    date: Day | None = None
    reason: Text | None = None


class _Proposal(_Table):
    code: Code | None = None
    name: Text | None = None
    county: Code | None = None
    county_type: CountyType | None = None
    unit: MoneyUnit | None = None
    sector: SectorName | None = None
    purpose: Purpose | None = None
    nature: Nature | None = None
    start_quarter: Start | None = None
    build_quarters: Whole | None = None
    life_years: Number | None = None
    cost: _Cost = _Cost()
    financing: list[_Money] = []
    income: dict[str, _Income] = {}
    income_is_net: Flag | None = None
    income_basis: Text | None = None
    land_linked_share: Share | None = None
    opex: dict[str, Number] = {}
    taxes: dict[str, Number] = {}
    land: _Land = _Land()
    documents: _Documents = _Documents()
    need: _Need = _Need()
    flags: _Flags = _Flags()
    priority: _Priority = _Priority()
    override: _Override = _Override()
    ppp_commitments: dict[str, Number] = {}
    unit_cost_base: Number | None = None
    approved_on: Day | None = None
    illustrative: Marking | None = None
    note: Text | None = None


_TABLES: Mapping[str, type[_Table]] = {
    "": _Proposal, "cost": _Cost, "financing": _Money, "income": _Income, "land": _Land,
    "documents": _Documents, "need": _Need, "flags": _Flags, "priority": _Priority,
    "override": _Override,
}  # fmt: skip


def read_proposal(path: Path, *, last_quarter: int) -> Pipeline:
    """Read a file of one proposal.

    Parameters
    ----------
    path : Path
        TOML in UTF-8.
    last_quarter : int
        Ordinal of the last quarter with accounts: a project cannot start before its end.

    Returns
    -------
    Pipeline
        With the project, or with every fault of the proposal at its key path.

    Raises
    ------
    DataProblem
        When the file cannot be read or is not TOML; its line is named.
    """
    content = _content(path)
    data = _toml(path, content)
    inside = isinstance(data.get("project"), dict)
    shape, faults = _shape(data["project"] if inside else data)
    if inside:
        others = [key for key in data if key != "project"]
        faults += [Fault(f"\0{key}", _MESSAGES["extra_forbidden"], {"words": "project"})
                   for key in others]  # fmt: skip
    builder = _Builder(shape, {f.path for f in faults}, last_quarter, path.name)
    project = builder.project()
    given = set(_paths(data["project"] if inside else data))
    problems = []
    for fault in _once([*faults, *builder.faults]):
        shown = nearest_path(fault.path, given) if re.search(r"Q[1-4]$", fault.path) else fault.path
        shown = shown[1:] if shown.startswith("\0") else f"project.{shown}" if inside else shown
        problems.append(
            problem_of(
                fault, file=path.name, sheet="", cell=printable(shown, 80),
                code=printable(builder.code, 80) or path.name, unit=builder.county,
            )
        )  # fmt: skip
    projects = () if problems else (project,)
    cells = {one.code: ("", "project.code" if inside else "code") for one in projects}
    return Pipeline(path, sha256_of_bytes(content), projects, tuple(problems), cells)


def _content(path: Path) -> bytes:
    try:
        content = path.read_bytes()
    except OSError as error:
        raise DataProblem(
            N_("The proposal {path} cannot be read: {reason}"),
            path=path, reason=error.strerror or str(error),
        ) from error  # fmt: skip
    if not content.strip():
        raise DataProblem(N_("The proposal {path} is empty."), path=path)
    if len(content) > LARGEST_FILE:
        raise DataProblem(
            N_("The proposal {path} is larger than any proposal: over {most} bytes."),
            path=path, most=LARGEST_FILE,
        )  # fmt: skip
    return content


def _toml(path: Path, content: bytes) -> dict[str, Any]:
    """Read the tables of a file."""
    try:
        data = tomllib.loads(content.decode("utf-8-sig"))
        if not _is_shallow(data):
            raise RecursionError
        return data
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise DataProblem(
            N_("The proposal {path} is not UTF-8 text (line {line}); save it as UTF-8."),
            path=path, line=line,
        ) from error  # fmt: skip
    except (ValueError, RecursionError) as error:
        reason = "it nests too deeply" if isinstance(error, RecursionError) else str(error)
        found = re.search(r"\(at line (\d+), column \d+\)", reason)
        line = int(found[1]) if found else content.count(b"\n") + 1
        raise DataProblem(
            N_("The proposal {path} is not TOML (line {line}): {reason}"),
            path=path, line=line, reason=printable(reason, 200),
        ) from error  # fmt: skip


def _is_shallow(data: dict[str, Any]) -> bool:
    """Whether tables lie in tables no deeper than any proposal needs."""
    level: list[Any] = [data]
    for _depth in range(DEEPEST):
        inside = [x.values() if isinstance(x, dict) else x for x in level]
        level = [v for items in inside for v in items if isinstance(v, dict | list)]
        if not level:
            return True
    return False


def _shape(data: dict[str, Any]) -> tuple[_Proposal, list[Fault]]:
    """Fit the tables to their shape; what does not fit is left out and reported."""
    rest, faults = copy.deepcopy(data), list[Fault]()
    while True:
        try:
            return _Proposal.model_validate(rest), faults
        except ValidationError as error:
            for one in error.errors(include_url=False, include_input=False):
                faults.append(_shape_fault(one["type"], one["loc"], one.get("ctx", {})))
                _leave_out(rest, one["loc"])


def _shape_fault(kind: str, loc: tuple[int | str, ...], context: Mapping[str, Any]) -> Fault:
    values = {name: str(context[name]) for name in ("word", "words") if name in context}
    if kind == "extra_forbidden":
        table = _TABLES[str(loc[0]) if len(loc) > 1 else ""]
        values = {"words": ", ".join(table.model_fields)}
    return Fault(_path(loc), _MESSAGES.get(kind, _OTHERWISE), values)


def _path(loc: tuple[int | str, ...]) -> str:
    text = "".join(f"[{key}]" if isinstance(key, int) else f".{key}" for key in loc)
    return text.removeprefix(".")


def _leave_out(data: Any, loc: tuple[int | str, ...]) -> None:
    """Take out one key; an item of a list becomes an empty table, so that others keep places."""
    *way, last = loc
    for key in way:
        data = data[key]
    if isinstance(last, int):
        data[last] = {}
    else:
        data.pop(last, None)


def _paths(data: Any, before: str = "") -> Iterator[str]:
    items = data.items() if isinstance(data, dict) else enumerate(data)
    for key, value in items:
        path = f"{before}[{key}]" if isinstance(key, int) else f"{before}.{key}"
        yield path.removeprefix(".")
        if isinstance(value, dict | list):
            yield from _paths(value, path)


def _once(faults: list[Fault]) -> list[Fault]:
    kept: list[Fault] = []
    for fault in faults:
        if fault not in kept:
            kept.append(fault)
    return kept


class _Builder:
    """Makes a project of a shape; collects its faults."""

    def __init__(self, shape: _Proposal, broken: set[str], last_quarter: int, file: str) -> None:
        self.shape, self.broken, self.file = shape, broken, file
        self.last_quarter = last_quarter
        self.scale = 1e4 if shape.unit is None else shape.unit
        self.code, self.county = shape.code or "", shape.county or ""
        self.faults: list[Fault] = []

    def fault(self, path: str, message: str, **values: str) -> None:
        self.faults.append(Fault(path, message, values))
        self.broken.add(path)

    def missing(self, path: str) -> None:
        if path not in self.broken:
            self.fault(path, _MISSING)

    def project(self) -> Project:
        shape, scale = self.shape, self.scale
        start, build, life = self.timing()
        profile: Any = shape.cost.profile or "uniform"
        documents = shape.documents.stated()
        one = Project(
            code=self.code,
            name=shape.name or self.code,
            unit=self.county,
            start_quarter=start,
            build_quarters=build,
            life_years=life,
            total_investment=_money(shape.cost.total_investment, scale, math.nan),
            financing=self.financing(start, build, profile),
            county_type=shape.county_type or "",
            sector=shape.sector or "",
            purpose=shape.purpose or "",
            nature=shape.nature or "",
            feasibility_estimate=_scaled(shape.cost.feasibility_estimate, scale),
            budget_estimate=_scaled(shape.cost.budget_estimate, scale),
            schedule=self.schedule("cost.schedule", shape.cost.schedule, (start, build, profile)),
            profile=profile,
            operation=self.operation(),
            land=Land(**shape.land.stated()),
            need=Need(**shape.need.stated()),
            flags=Flags(**shape.flags.stated()),
            priority=self.priority(),
            documents={
                k: {"true": True, "false": False}.get(word) for k, word in documents.items()
            },
            ppp_commitments=self.by_year("ppp_commitments", shape.ppp_commitments),
            unit_cost_base=shape.unit_cost_base,
            override=self.override(),
            approved_on=shape.approved_on,
            illustrative=shape.illustrative or "",
            place=self.file,
        )
        unstated = {"priority.sunk"} if shape.priority.sunk is None else set[str]()
        self.faults += faults_of(
            one, last_quarter=self.last_quarter, broken=self.broken, unstated=unstated
        )
        # A source of nothing, as forms list it, is no source.
        return replace(one, financing=tuple(t for t in one.financing if t.amount != 0))

    def timing(self) -> tuple[int, int, float]:
        """Start, construction time and life; values that fit stand in for what is missing."""
        shape = self.shape
        for key in ("start_quarter", "build_quarters", "life_years"):
            if getattr(shape, key) is None:
                self.missing(key)
        build = 1 if shape.build_quarters is None else shape.build_quarters
        if not 1 <= build <= 60:
            self.fault("build_quarters", N_("the construction time must be 1 to 60 whole quarters"))
            build = 1
        start = self.last_quarter + 1 if shape.start_quarter is None else shape.start_quarter
        return start, build, 1.0 if shape.life_years is None else shape.life_years

    def schedule(
        self, path: str, given: Mapping[str, float] | None, when: tuple[int, int, Any]
    ) -> tuple[tuple[int, float], ...]:
        """Read a schedule by quarter, or by year spread over the construction."""
        found: dict[str, dict[int, float]] = {"quarter": {}, "year": {}}
        for key, amount in (given or {}).items():
            period = parse_period(key)
            if period is None or period.kind not in found:
                self.fault(
                    f"{path}.{key}", N_("this is neither a quarter such as 2026Q3 nor a year")
                )
                continue
            own = found[period.kind]
            place = period.quarter // 4 if period.kind == "year" else period.quarter
            if place in own:
                self.fault(f"{path}.{key}", N_("this period is given twice"))
            own[place] = amount * self.scale
        if found["quarter"] and found["year"]:
            self.fault(path, N_("the schedule mixes years and quarters"))
            return ()
        start, build, profile = when
        by_year = spread_years(found["year"], start=start, build=build, profile=profile)
        return by_year or tuple(sorted(found["quarter"].items()))

    def by_year(self, path: str, given: Mapping[str, float]) -> dict[int, float]:
        """Read money by year."""
        found: dict[int, float] = {}
        for key, amount in given.items():
            year = self.year(f"{path}.{key}", key, found)
            if year is not None:
                found[year] = amount * self.scale
        return dict(sorted(found.items()))

    def year(self, path: str, key: str, known: Mapping[int, object]) -> int | None:
        period = parse_period(key)
        if period is None or period.kind != "year":
            self.fault(path, N_("this is not a year"))
            return None
        if period.quarter // 4 in known:
            self.fault(path, N_("this year is given twice"))
        return period.quarter // 4

    def operation(self) -> Operation:
        shape = self.shape
        income: dict[int, _Income] = {}
        for key, one in shape.income.items():
            year = self.year(f"income.{key}", key, income)
            if year is not None:
                income[year] = one
        years = sorted(income)
        fees = {y: income[y].user_fees for y in years}
        fund = {y: income[y].fund_income for y in years}
        bases = [shape.income_basis, *(income[y].basis for y in years)]
        return Operation(
            user_fees={y: v * self.scale for y, v in fees.items() if v is not None},
            fund_income={y: v * self.scale for y, v in fund.items() if v is not None},
            opex=self.by_year("opex", shape.opex),
            taxes=self.by_year("taxes", shape.taxes),
            land_linked_share=shape.land_linked_share or 0.0,
            is_net=shape.income_is_net or False,
            basis="; ".join(dict.fromkeys(b for b in bases if b)),
        )

    def financing(self, start: int, build: int, profile: Any) -> tuple[Tranche, ...]:
        tranches = []
        for position, one in enumerate(self.shape.financing):
            path = f"financing[{position}]"
            for key in ("source", "amount"):
                if getattr(one, key) is None and path not in self.broken:
                    self.missing(f"{path}.{key}")
            amount = _money(one.amount, self.scale, math.nan)
            stated = one.stated("source", "amount", "schedule", "as_capital", "equity_like")
            unknown = math.nan if one.source in DEBT else 0.0
            terms = {"tenor_years": unknown, "rate": unknown} | stated
            tranche = Tranche(
                source=one.source or "",
                amount=amount,
                schedule=self.schedule(f"{path}.schedule", one.schedule, (start, build, profile)),
                as_capital=_money(one.as_capital, self.scale, 0.0),
                equity_like=_money(one.equity_like, self.scale, 0.0),
                **terms,
            )
            tranches.append(tranche)
        return tuple(tranches)

    def priority(self) -> Priority:
        stated = self.shape.priority.stated("sunk")
        return Priority(sunk=_money(self.shape.priority.sunk, self.scale, 0.0), **stated)

    def override(self) -> Any:
        shape = self.shape.override
        override, faults = override_of(
            shape.ground or "", shape.name or "", shape.date, shape.reason or ""
        )
        for fault in faults:
            if fault.path not in self.broken:
                self.fault(fault.path, fault.message)
        return override


def _money(amount: float | None, scale: float, otherwise: float) -> float:
    return otherwise if amount is None else amount * scale


def _scaled(amount: float | None, scale: float) -> float | None:
    return None if amount is None else amount * scale
