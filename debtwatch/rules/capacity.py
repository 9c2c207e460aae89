"""Fiscal capacity and totals as rules use them, from ``models/capacity.toml``.

One definition serves history, outlook and screening: :func:`rule_inputs` adds the totals and the
chosen capacity to any set of four-quarter figures.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, ValidationError

from debtwatch import resources
from debtwatch.errors import RulebookProblem
from debtwatch.language import N_
from debtwatch.panel.panel import FLAGGED, Panel
from debtwatch.rules.expression import Array, Formula, evaluate, parse
from debtwatch.rules.rulebook import Bilingual

CAPACITY = "comprehensive_fiscal_capacity"


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Total(_Part):
    """A total computed where it is not reported."""

    name: str
    formula: str
    use: str


class VariantCase(_Part):
    """A worked example of a capacity definition."""

    id: str
    inputs: dict[str, float]
    general: float
    fund: float


class Variant(_Part):
    """One definition of fiscal capacity."""

    id: str
    label: Bilingual
    text: Bilingual
    source: Bilingual
    general_capacity: str
    fund_capacity: str
    if_absent_zero: tuple[str, ...] = ()
    estimated: bool = False
    case: tuple[VariantCase, ...] = ()

    def __hash__(self) -> int:
        return hash(self.id)

    def formulas(self) -> tuple[Formula, Formula]:
        """Formulas of general and fund capacity."""
        return parse(self.general_capacity), parse(self.fund_capacity)

    def fields(self) -> tuple[str, ...]:
        """Fields it needs, in order of appearance."""
        general, fund = self.formulas()
        return tuple(dict.fromkeys((*general.names(), *fund.names())))


class CapacityBook(_Part):
    """All totals and capacity variants."""

    total: tuple[Total, ...]
    variant: tuple[Variant, ...]


@cache
def capacity_book() -> CapacityBook:
    """Load the definitions.

    Raises
    ------
    RulebookProblem
        When the file is damaged.
    """
    path = resources.models() / "capacity.toml"
    try:
        return CapacityBook.model_validate(tomllib.loads(path.read_text(encoding="utf-8")))
    except (OSError, tomllib.TOMLDecodeError, ValidationError) as error:
        raise RulebookProblem(
            N_("The capacity definitions in {path} cannot be used: {reason}"),
            path=path,
            reason=error,
        ) from error


@dataclass(frozen=True)
class Basis:
    """Which capacity each unit uses and which of its lines do not exist.

    Attributes
    ----------
    variants : tuple of Variant
        Of each unit.
    absent : mapping from field to ndarray of bool, shape (units,)
        Lines that a unit's accounts do not have, counted as nothing.
    """

    variants: tuple[Variant, ...]
    absent: Mapping[str, NDArray[np.bool_]]

    def take(self, rows: NDArray[np.intp]) -> Basis:
        """Basis of some rows, in their order; a row may come more than once."""
        absent = {name: array[rows] for name, array in self.absent.items()}
        return Basis(tuple(self.variants[row] for row in rows), absent)

    def absent_of(self, row: int) -> tuple[str, ...]:
        """Lines counted as nothing for one unit."""
        used = self.variants[row].if_absent_zero
        return tuple(name for name in used if self.absent[name][row])


def choose_basis(panel: Panel, asked: str | None = None) -> Basis:
    """Choose each unit's capacity: all transfers where they are reported, else implied ones.

    Parameters
    ----------
    panel : Panel
    asked : str, optional
        A variant's id: used by every unit that reports transfers.

    Raises
    ------
    RulebookProblem
        When no variant has the id.
    """
    book = {variant.id: variant for variant in capacity_book().variant}
    if asked is not None and asked not in book:
        raise RulebookProblem(
            N_("There is no capacity variant “{asked}”. Known: {known}."),
            asked=asked,
            known=", ".join(book),
        )
    reports = ~np.all(np.isnan(_year(panel, "gpb_transfer_in")), axis=1)
    own = asked or "mof_gross"
    variants = tuple(book[own if reported else "implied_transfers"] for reported in reports)
    names = {name for variant in book.values() for name in variant.if_absent_zero}
    absent = {name: _never_reported(panel, name) for name in names}
    return Basis(variants, absent)


def capacity_by_variant(panel: Panel, basis: Basis, column: int) -> list[tuple[Variant, Array]]:
    """Fiscal capacity of every unit under each variant at a quarter.

    Returns
    -------
    list of (variant, ndarray of shape (units,))
        Missing where a line of the variant is not reported.
    """
    figures = {name: values[:, column] for name, values in panel.yearly.items()}
    return [
        (
            variant,
            rule_inputs(figures, Basis((variant,) * len(panel.units), basis.absent))[CAPACITY],
        )
        for variant in capacity_book().variant
    ]


def _year(panel: Panel, name: str) -> Array:
    """Four-quarter figures of a field: a line given only for whole years is reported too."""
    found = panel.yearly.get(name)
    return panel.value(name) if found is None else found


def _never_reported(panel: Panel, name: str) -> NDArray[np.bool_]:
    marks = panel.marks.get(name)
    never: NDArray[np.bool_] = np.all(np.isnan(_year(panel, name)), axis=1)
    return never if marks is None else never & ~np.any(marks & FLAGGED, axis=1)


def rule_inputs(figures: Mapping[str, Array], basis: Basis) -> dict[str, Array]:
    """Add totals and capacity to four-quarter figures.

    Parameters
    ----------
    figures : mapping from field to ndarray, shape (units, ...)
        Balances at a date and flows over four quarters.
    basis : Basis

    Returns
    -------
    dict
        The figures with ``debt_balance`` (as reported, else the sum of general and special),
        ``general_capacity``, ``fund_capacity`` and ``comprehensive_fiscal_capacity``.
    """
    result = dict(figures)
    for total in capacity_book().total:
        summed = np.asarray(evaluate(parse(total.formula), result), dtype=np.float64)
        given = result.get(total.name)
        result[total.name] = summed if given is None else np.where(np.isnan(given), summed, given)
    shape = np.shape(next(iter(figures.values()))) if figures else (len(basis.variants),)
    general, fund = np.full(shape, np.nan), np.full(shape, np.nan)
    for variant in dict.fromkeys(basis.variants):
        rows = np.array([chosen is variant for chosen in basis.variants])
        own = {
            name: _rows(result, name, rows, basis=basis, variant=variant, shape=shape)
            for name in variant.fields()
        }
        general_formula, fund_formula = variant.formulas()
        general[rows] = evaluate(general_formula, own)
        fund[rows] = evaluate(fund_formula, own)
    result["general_capacity"], result["fund_capacity"] = general, fund
    result[CAPACITY] = general + fund
    return result


def _rows(
    figures: Mapping[str, Array],
    name: str,
    rows: NDArray[np.bool_],
    *,
    basis: Basis,
    variant: Variant,
    shape: Sequence[int],
) -> Array:
    found = figures.get(name)
    values = np.full(shape, np.nan)[rows] if found is None else np.asarray(found)[rows]
    if name not in variant.if_absent_zero:
        return np.asarray(values, dtype=np.float64)
    absent = basis.absent[name][rows].reshape((-1,) + (1,) * (values.ndim - 1))
    return np.where(absent, 0.0, values)


def history_inputs(panel: Panel, basis: Basis) -> dict[str, Array]:
    """Rule inputs of every unit and quarter of a panel."""
    return rule_inputs(panel.yearly, basis)
