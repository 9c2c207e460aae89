"""Identities and sanity checks of reported figures.

Each check is a function from :class:`~debtwatch.panel.reported.Reported` to hits: a mask over
(government, quarter) for one field and basis, with the details of its message. Nothing is repaired;
a doubtful figure is left out of indicators until corrected or confirmed.
Identities: data dictionary, ``docs/data-dictionary.md``.
"""

from __future__ import annotations

import dataclasses
import warnings
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from debtwatch.panel.fields import field_named
from debtwatch.panel.problem import Problem, cell_name
from debtwatch.panel.quarterly import FloatArray, lagged
from debtwatch.panel.reported import Key, Reported
from debtwatch.panel.store import Known

Mask = NDArray[np.bool_]
#: A value so many times its neighbours is taken for a mix-up of units; wider for quantities that
#: can be near nothing in one year.
MAGNITUDE_STEADY, MAGNITUDE = 50.0, 300.0
#: Three annual figures this near to those of the year before were copied.
COPIED = 3e-4
#: Allowed distance of a value from neighbours that agree, by how steady the quantity is.
STEADY, MOVING = 2.0, 4.0
ONE_SIDED = 5.0
AGREE = 1.6
_STEADY = {
    "gpb_revenue", "gpb_expenditure", "gpb_transfer_in", "gpb_debt_interest", "gfb_debt_interest",
    "general_debt_limit", "special_debt_limit", "general_debt_balance", "special_debt_balance",
    "debt_balance", "gdp", "resident_population", "registered_population", "sanbao_expenditure",
}  # fmt: skip
_MOVING = {"gfb_revenue", "gfb_expenditure", "tax_revenue", "nontax_revenue"}
_NEVER_ZERO = (
    "gpb_revenue", "gpb_expenditure", "gdp", "general_debt_balance", "special_debt_balance",
    "debt_balance", "general_debt_limit", "special_debt_limit", "resident_population",
    "general_bonds_issued",
)  # fmt: skip
_ZERO_BESIDE_DEBT = {
    "gpb_debt_interest": "general_debt_balance",
    "gfb_debt_interest": "special_debt_balance",
    "gfb_debt_principal": "special_debt_balance",
}
_NEVER_REPEATED = ("gdp", "gpb_revenue", "gpb_expenditure", "gfb_revenue", "gfb_expenditure")
_LEDGERS = {
    "general": ("general_debt_balance", "general_bonds_issued", "gpb_debt_principal",
                ("new_general_bonds", "refinancing_general_bonds")),
    "special": ("special_debt_balance", "special_bonds_issued", "gfb_debt_principal",
                ("new_special_bonds", "refinancing_special_bonds")),
}  # fmt: skip
_SUMS = {
    "gpb_revenue": ("tax_revenue", "nontax_revenue"),
    "gpb_transfer_in": ("tax_rebate_in", "general_transfer_in", "special_transfer_in"),
    "debt_balance": ("general_debt_balance", "special_debt_balance"),
}


@dataclass(frozen=True)
class Hits:
    """Where a check struck: a mask for one field and basis, and what to say about each hit."""

    rule: str
    field: str
    basis: str
    mask: Mask
    details: Mapping[str, FloatArray | str] = dataclasses.field(default_factory=dict)


@dataclass(frozen=True)
class Checked:
    """Outcome of all checks.

    Attributes
    ----------
    problems : tuple of Problem
    excluded : mapping from (field, basis) to mask
        Doubtful figures to leave out.
    """

    problems: tuple[Problem, ...]
    excluded: Mapping[Key, Mask]


def check(known: Known, reported: Reported) -> Checked:
    """Run every check.

    Parameters
    ----------
    known : Known
        For the place of each figure and the confirmations.
    reported : Reported
        The same figures as arrays.
    """
    first, second = [], []
    with np.errstate(divide="ignore", invalid="ignore"), warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # medians of nothing are missing
        for run in _CHECKS:
            first += [hits for hits in run(reported) if hits.mask.any()]
        # Identities are tested on what is left, so that one slip is not reported twice.
        plausible = reported.without(_excluded(first, known, reported))
        for run in _IDENTITIES:
            second += [hits for hits in run(plausible) if hits.mask.any()]
    hits = first + second
    excluded = _excluded(hits, known, reported)
    return Checked(tuple(_problems(hits, known, reported)), excluded)


# -- plausibility of single figures --------------------------------------------------------------


def _negative(reported: Reported) -> Iterator[Hits]:
    for (name, basis), values in reported.values.items():
        if not field_named(name).signed:
            yield Hits("negative-value", name, basis, values < 0)


def _neighbours(values: FloatArray) -> FloatArray:
    """Stack the same quarter of up to four years before and after: (8, units, quarters)."""
    lags = (4, -4, 8, -8, 12, -12, 16, -16)
    return np.stack([lagged(values, lag) for lag in lags])


def _out_of_line(reported: Reported) -> Iterator[Hits]:
    """Find unit mix-ups and single spikes, against the same quarter of neighbouring years."""
    for (name, basis), values in reported.values.items():
        if field_named(name).quantity in {"rate", "years"}:
            continue
        around = _neighbours(np.where(values > 0, values, np.nan))
        middle = np.exp(np.nanmean(np.log(around), axis=0))
        several = (~np.isnan(around)).sum(axis=0) >= 3
        middle = np.where(several, np.nanmedian(around, axis=0), middle)
        factor = np.where(values > 0, values / middle, np.nan)
        bound = MAGNITUDE_STEADY if name in _STEADY else MAGNITUDE
        slip = (factor >= bound) | (factor <= 1 / bound)
        yield Hits("magnitude", name, basis, slip, {"factor": factor})
        if (limit := _allowed(name)) is not None:
            spike, times = _spike(values, around, limit)
            yield Hits("spike", name, basis, spike & ~slip, {"factor": times})


def _allowed(name: str) -> float | None:
    return STEADY if name in _STEADY else MOVING if name in _MOVING else None


def _spike(values: FloatArray, around: FloatArray, limit: float) -> tuple[Mask, FloatArray]:
    """Outside its neighbours, when those agree with each other."""
    before, after, before2, after2 = around[:4]
    # A year that is missing beside the value does not hide it: the next one stands in.
    before, after = (
        _first_known(before, around[2], around[4]),
        _first_known(after, around[3], around[5]),
    )
    two = _apart(values, before, after)
    last = np.where(np.isnan(after), _apart(values, before, before2), np.nan)
    first = np.where(np.isnan(before), _apart(values, after, after2), np.nan)
    one = np.fmax(last, first)
    inverse_one = np.fmin(last, first)
    edge = max(ONE_SIDED, limit)
    mask = (two >= limit) | (two <= 1 / limit) | (one >= edge) | (inverse_one <= 1 / edge)
    return mask, np.where(np.isnan(two), one, two)


def _first_known(*candidates: FloatArray) -> FloatArray:
    """First figure that is not missing, element by element."""
    known = candidates[0]
    for other in candidates[1:]:
        known = np.where(np.isnan(known), other, known)
    return known


def _apart(values: FloatArray, one: FloatArray, other: FloatArray) -> FloatArray:
    """Value over the mean of two neighbours; missing unless these agree."""
    agree = np.maximum(one, other) / np.minimum(one, other) <= AGREE
    ratio = np.where(values > 0, values, np.nan) / np.sqrt(one * other)
    return np.where(agree, ratio, np.nan)


def _zeros(reported: Reported) -> Iterator[Hits]:
    """Find a zero where the series is not zero, or where debt is outstanding."""
    for name in _NEVER_ZERO:
        for basis in ("year", "stock", "to_date"):
            values = reported.value(name, basis)
            yield Hits("zero-for-missing", name, basis, (values == 0) & _ever_positive(values))
    for name, balance in _ZERO_BESIDE_DEBT.items():
        values = reported.value(name, "year")
        owed = (reported.stock(balance) > 0) & _ever_positive(values)
        yield Hits("zero-for-missing", name, "year", (values == 0) & owed)


def _ever_positive(values: FloatArray) -> Mask:
    return np.broadcast_to((values > 0).any(axis=1, keepdims=True), values.shape)


def _revenue_above_expenditure(reported: Reported) -> Iterator[Hits]:
    revenue = reported.year_to_date("gpb_revenue")
    spending = reported.year_to_date("gpb_expenditure")
    usual = np.nanmedian(_neighbours(revenue)[:4], axis=0)
    mask = (revenue > spending) & ~(revenue <= 1.5 * usual)
    for basis in ("year", "to_date"):
        yield Hits(
            "revenue-above-expenditure",
            "gpb_revenue",
            basis,
            mask & ~np.isnan(reported.value("gpb_revenue", basis)),
        )


def _repeated_years(reported: Reported) -> Iterator[Hits]:
    """Annual flows equal to the year before: one to the last digit, or three nearly."""
    values = {name: reported.value(name, "year") for name in _NEVER_REPEATED}
    nearly = {name: np.abs(x / lagged(x, 4) - 1) <= COPIED for name, x in values.items()}
    copied = sum((mask.astype(int) for mask in nearly.values()), np.zeros((1, 1), dtype=int)) >= 3
    for name, x in values.items():
        exact = (x == lagged(x, 4)) & _precise(x)
        yield Hits("year-repeated", name, "year", exact | (nearly[name] & copied))


def _precise(values: FloatArray) -> Mask:
    """Whether figures have five digits or more: a round figure may well come back."""
    with np.errstate(divide="ignore", invalid="ignore"):
        scale = 10.0 ** (np.floor(np.log10(np.abs(values))) - 3)
        rounded = np.abs(values / scale - np.round(values / scale)) < 1e-6
    return np.asarray((values != 0) & ~rounded)


_CHECKS: tuple[Callable[[Reported], Iterator[Hits]], ...] = (
    _negative,
    _out_of_line,
    _zeros,
    _revenue_above_expenditure,
    _repeated_years,
)

# -- identities between figures ------------------------------------------------------------------


def _limits(reported: Reported) -> Iterator[Hits]:
    """Budget Law art. 35: the balance does not exceed the limit, so one of two figures is wrong."""
    for ledger in _LEDGERS:
        usage = reported.stock(f"{ledger}_debt_balance") / reported.stock(f"{ledger}_debt_limit")
        yield Hits(
            "limit-exceeded",
            f"{ledger}_debt_limit",
            "stock",
            (usage > 1 + 1e-9) & np.isfinite(usage),
            {"factor": usage},
        )


def _interest(reported: Reported) -> Iterator[Hits]:
    """Interest of the year over the average of opening and closing balance."""
    pairs = {
        "gpb_debt_interest": "general_debt_balance",
        "gfb_debt_interest": "special_debt_balance",
    }
    for name, balance_name in pairs.items():
        balance = reported.stock(balance_name)
        average = (balance + lagged(balance, 4)) / 2
        for basis in ("year", "to_date"):
            interest = reported.value(name, basis).copy()
            if basis == "to_date":
                interest[:, (reported.first_quarter + np.arange(reported.quarters)) % 4 != 3] = (
                    np.nan
                )
            rate = np.where(average > 0, interest / average, np.nan)
            wrong = (rate < 0.005) | (rate > 0.12)
            unusual = ((rate < 0.015) | (rate > 0.06)) & ~wrong
            yield Hits("interest-implausible", name, basis, wrong, {"rate": rate})
            yield Hits("interest-unusual", name, basis, unusual, {"rate": rate})


def _revenue_per_resident(reported: Reported) -> Iterator[Hits]:
    revenue = reported.year_to_date("gpb_revenue")
    amount = revenue / reported.stock("resident_population")
    mask = ((amount < 500) | (amount > 50_000)) & np.isfinite(amount)
    for basis in ("year", "to_date"):
        yield Hits(
            "revenue-per-resident",
            "gpb_revenue",
            basis,
            mask & ~np.isnan(reported.value("gpb_revenue", basis)),
            {"amount": amount},
        )


def _sums(reported: Reported) -> Iterator[Hits]:
    for total_name, parts in _SUMS.items():
        for basis in ("year", "to_date", "stock"):
            total = reported.value(total_name, basis)
            summed = sum((reported.value(p, basis) for p in parts), np.zeros_like(total))
            apart = np.abs(summed - total) > np.maximum(0.005 * np.abs(total), 2e6)
            names = ", ".join(parts)
            yield Hits(
                "parts-do-not-sum",
                total_name,
                basis,
                apart,
                {"parts": names, "sum": summed, "total": total},
            )


def _rolls(reported: Reported) -> Iterator[Hits]:
    """Test opening + issued - repaid = closing, over a year and within 2 % of the balance."""
    for balance_name, issued_name, repaid_name, kinds in _LEDGERS.values():
        balance = reported.stock(balance_name)
        issued = reported.year_to_date(issued_name)
        summed = sum((reported.year_to_date(k) for k in kinds), np.zeros_like(balance))
        issued = np.where(np.isnan(issued), summed, issued)
        closing = lagged(balance, 4) + issued - reported.year_to_date(repaid_name)
        gap = (closing - balance) / balance
        yield Hits(
            "balance-does-not-roll",
            balance_name,
            "stock",
            (np.abs(gap) > 0.02) & np.isfinite(gap),
            {"gap": gap},
        )


def _negative_quarters(reported: Reported) -> Iterator[Hits]:
    number = (reported.first_quarter + np.arange(reported.quarters)) % 4
    for (name, basis), values in reported.values.items():
        if basis == "to_date" and not field_named(name).signed:
            before = lagged(values, 1)
            falls = (values < before * (1 - 1e-9)) & (number != 0)
            yield Hits("quarter-negative", name, basis, falls)


def _jumps(reported: Reported) -> Iterator[Hits]:
    """Find changes by half or double within a year, for quantities that rarely move so."""
    for (name, basis), values in reported.values.items():
        if name in _STEADY | {"gfb_revenue", "gfb_expenditure"} and basis in {"year", "stock"}:
            growth = values / lagged(values, 4)
            mask = ((growth >= 2) | (growth <= 0.5)) & np.isfinite(growth) & (growth > 0)
            yield Hits("jump", name, basis, mask, {"change": growth - 1})


_IDENTITIES: tuple[Callable[[Reported], Iterator[Hits]], ...] = (
    _limits,
    _interest,
    _revenue_per_resident,
    _sums,
    _rolls,
    _negative_quarters,
    _jumps,
)

# -- from masks to problems ----------------------------------------------------------------------


def _excluded(hits: list[Hits], known: Known, reported: Reported) -> dict[Key, Mask]:
    excluded: dict[Key, Mask] = {}
    for hit in hits:
        if Problem(hit.rule).excludes:
            key = (hit.field, hit.basis)
            before = excluded.get(key)
            excluded[key] = hit.mask.copy() if before is None else before | hit.mask
    rows = {unit: row for row, unit in enumerate(reported.units)}
    for unit, name, quarter in known.confirmed:
        column = quarter - reported.first_quarter
        for (field_name, _), mask in excluded.items():
            if field_name == name and unit in rows and 0 <= column < reported.quarters:
                mask[rows[unit], column] = False
    return excluded


def _problems(hits: list[Hits], known: Known, reported: Reported) -> Iterator[Problem]:
    places = _Places(known, hits, reported)
    for hit in hits:
        for row, column in zip(*np.nonzero(hit.mask), strict=True):
            unit, quarter = reported.units[row], reported.first_quarter + int(column)
            if (unit, hit.field, quarter) in known.confirmed and Problem(hit.rule).excludes:
                continue
            file, sheet, cell = places.of(unit, hit.field, quarter, hit.basis)
            details = {
                name: given if isinstance(given, str) else _shown(name, given[row, column])
                for name, given in hit.details.items()
            }
            values = reported.values.get((hit.field, hit.basis))
            value = float(values[row, column]) if values is not None else None
            yield Problem(
                rule=hit.rule,
                file=file,
                sheet=sheet,
                cell=cell,
                unit=unit,
                field=hit.field,
                quarter=quarter,
                value=value,
                details=details,
            )


def _shown(name: str, value: float) -> str:
    if name in {"rate", "gap", "change"}:
        return f"{value:+.1%}" if name != "rate" else f"{value:.2%}"
    if name == "factor":
        return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"
    return f"{value:,.0f}"


class _Places:
    """Where the figures that were hit stand in their files."""

    def __init__(self, known: Known, hits: list[Hits], reported: Reported) -> None:
        wanted: defaultdict[str, set[tuple[str, int]]] = defaultdict(set)
        for hit in hits:
            for row, column in zip(*np.nonzero(hit.mask), strict=True):
                quarter = reported.first_quarter + int(column)
                wanted[hit.field].add((reported.units[row], quarter))
        frame = known.observations
        frame = frame[frame["field"].isin(list(wanted))]
        units = {unit for pairs in wanted.values() for unit, _ in pairs}
        frame = frame[frame["unit"].isin(units)]
        files = known.imports["file"].to_dict()
        rows: Iterable[Any] = frame.itertuples(index=False)
        self._places = {
            (o.unit, o.field, o.quarter, o.basis): (
                str(files.get(o.import_id, "")),
                str(o.sheet),
                cell_name(o.row, o.column),
            )
            for o in rows
            if (o.unit, o.quarter) in wanted[o.field]
        }

    def of(self, unit: str, name: str, quarter: int, basis: str) -> tuple[str, str, str]:
        """File, sheet and cell of a figure; empty when it is not one cell."""
        return self._places.get((unit, name, quarter, basis), ("", "", ""))
