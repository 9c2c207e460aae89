"""The sector table: what the rules and checks need to know about a kind of project."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import MappingProxyType

from pydantic import BaseModel, ConfigDict, StrictBool, TypeAdapter, ValidationError

from debtwatch import resources
from debtwatch.errors import ModelProblem
from debtwatch.language import N_
from debtwatch.panel.fields import normalise
from debtwatch.rules.rulebook import Bilingual


@dataclass(frozen=True)
class Sector:
    """One kind of project.

    Attributes
    ----------
    id : str
    label : Bilingual
    aliases : tuple of str
        Other names under which a proposal may give it.
    capital : str
        Its name in the rulebook of minimum capital.
    category : str
        Its name in the rulebook of key provinces; empty when it is none of the frozen kinds.
    income_possible : bool
        Whether such a project can earn enough to carry a special bond.
    negative_list : bool
        Whether the list of (2024) No. 52 bars it from special bonds.
    boundary_exempt : bool
        Whether it may lie outside the urban development boundary (linear and field works).
    long_benefit : bool
        Whether the lower social discount rate applies.
    size_unit : Bilingual or None
        Physical size by which unit costs are compared.
    """

    id: str
    label: Bilingual
    aliases: tuple[str, ...]
    capital: str
    category: str
    income_possible: bool
    negative_list: bool
    boundary_exempt: bool
    long_benefit: bool
    size_unit: Bilingual | None = None


class _Entry(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    label: Bilingual
    names: tuple[str, ...] = ()
    capital: str
    category: str = ""
    income: StrictBool
    negative_list: StrictBool = False
    exempt: StrictBool = False
    long_benefit: StrictBool = False
    size: Bilingual | None = None


def load_sectors(path: Path) -> Mapping[str, Sector]:
    """Load a sector table.

    Raises
    ------
    ModelProblem
        When the file is damaged, or one name stands for two sectors.
    """
    try:
        data = tomllib.loads(path.read_text(encoding="utf-8"))
        entries = TypeAdapter(dict[str, _Entry]).validate_python(data)
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError, ValidationError) as error:
        raise ModelProblem(
            N_("The sectors in {path} cannot be used: {reason}"), path=path, reason=error
        ) from error
    table = {key: _sector(key, entry) for key, entry in entries.items()}
    owner: dict[str, str] = {}
    for sector in table.values():
        for name in _names(sector):
            if owner.setdefault(name, sector.id) != sector.id:
                raise ModelProblem(
                    N_("The sectors in {path} cannot be used: {reason}"),
                    path=path, reason=f"“{name}” names {owner[name]} and {sector.id}",
                )  # fmt: skip
    return MappingProxyType(table)


def _sector(key: str, entry: _Entry) -> Sector:
    return Sector(
        id=key,
        label=entry.label,
        aliases=entry.names,
        capital=entry.capital,
        category=entry.category,
        income_possible=entry.income,
        negative_list=entry.negative_list,
        boundary_exempt=entry.exempt,
        long_benefit=entry.long_benefit,
        size_unit=entry.size,
    )


def _names(sector: Sector) -> set[str]:
    return {_plain(n) for n in (sector.id, sector.label.zh, sector.label.en, *sector.aliases)}


def _plain(text: str) -> str:
    return normalise(text).replace("_", " ").replace("-", " ")


@cache
def sectors() -> Mapping[str, Sector]:
    """Load the shipped sector table, by id.

    Raises
    ------
    ModelProblem
        When the file is damaged.

    Examples
    --------
    >>> sectors()["urban_rail"].category
    'urban_rail'
    """
    return load_sectors(resources.models() / "sectors.toml")


@cache
def _by_name() -> Mapping[str, Sector]:
    return {name: sector for sector in sectors().values() for name in _names(sector)}


def sector_named(text: str) -> Sector | None:
    """Find a sector by id, label in either language or another name; None when unknown.

    Width, case, spaces and underscores do not count.

    Examples
    --------
    >>> sector_named(" 污水处理 ").id, sector_named("Water-Supply").id, sector_named("moon base")
    ('wastewater', 'water_supply', None)
    """
    return _by_name().get(_plain(text))
