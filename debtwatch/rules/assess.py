"""Evaluate a rulebook: indicators, bands and outcome, on scalars, columns or paths alike."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from debtwatch.panel.period import parse_quarter
from debtwatch.rules.expression import (
    Array,
    Text,
    at_least,
    evaluate,
    exceeds,
    render,
    why_missing,
)
from debtwatch.rules.rulebook import (
    NA,
    NOT_IN_FORCE,
    UNKNOWN,
    Band,
    Case,
    Indicator,
    Rulebook,
)

Codes = NDArray[np.int32]
_NO_HIT = -2


@dataclass(frozen=True)
class Assessment:
    """Result of a rulebook on inputs of one shape.

    Attributes
    ----------
    rulebook : Rulebook
    values : dict from indicator to ndarray
        NaN where na.
    bands : dict from indicator to ndarray of int
        Position in the indicator's bands, -1 for na.
    outcome : ndarray of int
        Position in ``rulebook.outcome``; the position of ``unknown`` where it cannot be told.
    """

    rulebook: Rulebook
    values: dict[str, Array]
    bands: dict[str, Codes]
    outcome: Codes

    def outcome_ids(self) -> NDArray[np.object_]:
        """Outcome of each element as its id."""
        names = np.array([*(o.id for o in self.rulebook.outcome), UNKNOWN], dtype=object)
        return np.asarray(names[self.outcome], dtype=object)

    def severity(self) -> Codes:
        """Severity of each element's outcome; 9 for unknown."""
        table = np.array([*(o.severity for o in self.rulebook.outcome), 9], dtype=np.int32)
        return np.asarray(table[self.outcome])


def indicator_value(indicator: Indicator, inputs: Mapping[str, Any]) -> Array:
    """Value of an indicator; na where a field that must be positive (nonzero) is not.

    Parameters
    ----------
    indicator : Indicator
    inputs : mapping from field or earlier indicator to value
    """
    value = np.asarray(evaluate(indicator.parsed, inputs), dtype=np.float64)
    for name in indicator.positive:
        value = np.where(np.asarray(inputs.get(name, np.nan)) > 0, value, np.nan)
    for name in indicator.nonzero:
        value = np.where(np.asarray(inputs.get(name, np.nan)) != 0, value, np.nan)
    return np.where(np.isfinite(value), value, np.nan)


def band_codes(indicator: Indicator, value: Array) -> Codes:
    """Band of each value as its position, -1 for na; first hit wins."""
    codes = np.full(np.shape(value), -1, dtype=np.int32)
    missing = np.isnan(value)
    for position in reversed(range(len(indicator.bands))):
        codes = np.where(_inside(indicator.bands[position], value) & ~missing, position, codes)
    return codes


def _inside(band: Band, value: Array) -> NDArray[np.bool_]:
    inside = np.ones(np.shape(value), dtype=bool)
    if band.ge is not None:
        inside &= at_least(value, band.ge)
    if band.gt is not None:
        inside &= exceeds(value, band.gt)
    if band.le is not None:
        inside &= ~exceeds(value, band.le)
    if band.lt is not None:
        inside &= ~at_least(value, band.lt)
    if band.eq is not None:
        inside &= at_least(value, band.eq) & ~exceeds(value, band.eq)
    return inside


def assess(rulebook: Rulebook, inputs: Mapping[str, Any]) -> Assessment:
    """Evaluate a rulebook.

    Parameters
    ----------
    rulebook : Rulebook
    inputs : mapping from field to number, array, Text or Series
        A field that is not in it is missing. An indicator's id may be given as well: its value is
        then taken as it is.

    Returns
    -------
    Assessment
        A rule whose condition is na is passed over only if a later rule at least as severe hits;
        otherwise the outcome is unknown (worst known wins, missing is not good).

    Examples
    --------
    >>> from debtwatch.rules.rulebook import load_rulebooks
    >>> tiers = next(r for r in load_rulebooks() if r.id == "cn-debt-tiers")
    >>> result = assess(tiers, {"debt_balance": 6.0, "comprehensive_fiscal_capacity": 5.0})
    >>> str(result.outcome_ids())
    'yellow'
    """
    known: dict[str, Any] = dict(inputs)
    # An indicator whose fields nobody reports is na for every row, not one na for all.
    shape = np.broadcast_shapes(
        *(v.shape for v in inputs.values() if isinstance(v, np.ndarray) and v.dtype.kind == "f")
    )
    values: dict[str, Array] = {}
    bands: dict[str, Codes] = {}
    for indicator in rulebook.indicator:
        given = known.get(indicator.id)
        value = indicator_value(indicator, known) if given is None else np.asarray(given, float)
        value = np.broadcast_to(value, np.broadcast_shapes(shape, np.shape(value)))
        known[indicator.id] = values[indicator.id] = value
        bands[indicator.id] = band_codes(indicator, value)
    return Assessment(rulebook, values, bands, _outcome(rulebook, known, bands))


def _outcome(rulebook: Rulebook, known: dict[str, Any], bands: dict[str, Codes]) -> Codes:
    functions = _band_functions(rulebook, bands)
    positions = {outcome.id: k for k, outcome in enumerate(rulebook.outcome)}
    unknown = positions.get(UNKNOWN, len(rulebook.outcome))
    severity = {o.id: o.severity for o in rulebook.outcome}
    result: Any = np.int32(_NO_HIT)
    doubt: Any = np.float64(-1.0)  # severity of the worst rule whose condition is na
    for rule in rulebook.rule:
        truth = np.asarray(evaluate(rule.parsed, known, functions), dtype=np.float64)
        worth = severity.get(rule.outcome, 9)
        open_ = np.asarray(result) == _NO_HIT
        sure = open_ & (truth == 1)
        hit = np.where(np.asarray(doubt) > worth, unknown, positions.get(rule.outcome, unknown))
        result = np.where(sure, hit, result)
        doubt = np.where(open_ & np.isnan(truth), np.maximum(doubt, worth), doubt)
    shape = np.broadcast_shapes(np.shape(result), *(np.shape(b) for b in bands.values()))
    result = np.where(np.asarray(result) == _NO_HIT, unknown, result)
    return np.broadcast_to(np.asarray(result, dtype=np.int32), shape)


def _band_functions(
    rulebook: Rulebook, bands: dict[str, Codes]
) -> dict[str, Callable[..., Array | Text]]:
    """``cls('id')``, ``n('band')`` and ``n_of(['id'], 'band')`` of combination rules."""
    names = {i.id: (*(b.band for b in i.bands), NA) for i in rulebook.indicator}

    def cls(indicator: str) -> Text:
        codes = bands[indicator]
        return Text(np.where(codes < 0, len(names[indicator]) - 1, codes), names[indicator])

    def n_of(indicators: list[str], band: str) -> Array:
        counts: Any = np.float64(0.0)
        for indicator in indicators:
            wanted = [k for k, name in enumerate(names[indicator]) if name == band]
            codes = cls(indicator).codes
            counts = counts + np.isin(codes, wanted)
        return np.asarray(counts, dtype=np.float64)

    def n(band: str) -> Array:
        return n_of(list(names), band)

    return {"cls": cls, "n": n, "n_of": n_of}


# -- thresholds ----------------------------------------------------------------------------------


@dataclass(frozen=True)
class Line:
    """A threshold of an indicator: beyond it a worse band begins.

    Attributes
    ----------
    rulebook, indicator, band : str
    value : float
    inclusive : bool
        Whether the value itself already belongs to the worse band.
    severity : int
    """

    rulebook: str
    indicator: str
    band: str
    value: float
    inclusive: bool
    severity: int

    def breached(self, value: Array) -> NDArray[np.bool_]:
        """Whether values lie on the bad side; False where missing."""
        return at_least(value, self.value) if self.inclusive else exceeds(value, self.value)


def lines_of(rulebook: Rulebook, indicator: Indicator) -> tuple[Line, ...]:
    """Thresholds of an indicator whose higher values are worse, mildest first."""
    if indicator.direction != "higher_is_worse":
        return ()
    lines = []
    for band in indicator.bands:
        edge = band.ge if band.ge is not None else band.gt
        if edge is not None and band.severity:
            lines.append(
                Line(
                    rulebook=rulebook.id,
                    indicator=indicator.id,
                    band=band.band,
                    value=edge,
                    inclusive=band.ge is not None,
                    severity=band.severity,
                )
            )
    return tuple(sorted(lines, key=lambda line: line.value))


# -- worked examples -----------------------------------------------------------------------------


@dataclass(frozen=True)
class CaseResult:
    """What a worked example gave.

    Attributes
    ----------
    case : Case
    outcome : str
    faults : tuple of str
        Differences from what the case states; empty when it passes.
    tree : tuple of str
        Lines of the computation: formula, numbers put in, band.
    """

    case: Case
    outcome: str
    faults: tuple[str, ...]
    tree: tuple[str, ...]


def run_case(rulebook: Rulebook, case: Case) -> CaseResult:
    """Run one worked example of a rulebook."""
    quarter = parse_quarter(case.period) if case.period else None
    if quarter is not None and not rulebook.covers(quarter):
        expected = case.outcome == NOT_IN_FORCE
        uncovered = () if expected else (f"{case.period} is not covered",)
        return CaseResult(case, NOT_IN_FORCE, uncovered, ())
    result = assess(rulebook, case.inputs)
    outcome = str(result.outcome_ids())
    faults = [] if outcome == case.outcome else [f"outcome {outcome}, stated {case.outcome}"]
    for name, stated in case.values.items():
        got = float(result.values[name]) if name in result.values else float("nan")
        if not abs(got - stated) <= 1e-6 * max(1.0, abs(stated)):
            faults.append(f"{name} = {got:.9g}, stated {stated:.9g}")
    return CaseResult(case, outcome, tuple(faults), explain(rulebook, case.inputs, result))


def explain(
    rulebook: Rulebook, inputs: Mapping[str, Any], result: Assessment | None = None
) -> tuple[str, ...]:
    """Write the computation tree of scalar inputs, one line a step."""
    result = result or assess(rulebook, inputs)
    known = {**inputs, **result.values}
    lines = []
    for indicator in rulebook.indicator:
        value = float(result.values[indicator.id])
        code = int(result.bands[indicator.id])
        band = indicator.bands[code].band if code >= 0 else NA
        put_in = render(indicator.parsed.root, lambda name: _number_text(known.get(name)))
        lines.append(f"{indicator.id} = {indicator.formula}")
        lines.append(f"  = {put_in} = {value:.9g} -> {band}")
        if np.isnan(value):
            reasons = why_missing(indicator.parsed, known)
            lines += [f"  na: {reason} {what}" for reason, what in reasons]
    lines.append(f"outcome: {result.outcome_ids()}")
    return tuple(lines)


def _number_text(value: Any) -> str:
    if value is None:
        return "?"
    if isinstance(value, int | float | np.ndarray) and np.ndim(value) == 0:
        return f"{float(value):.9g}"
    return str(value)
