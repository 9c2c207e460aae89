"""The debt projection as a rival and a feature: its probability of the classifier's own event."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from debtwatch.early_warning.period_names import last_quarter
from debtwatch.early_warning.sample import Frequency
from debtwatch.early_warning.spec import Spec
from debtwatch.panel.panel import Panel
from debtwatch.rules.assess import Line, assess, lines_of
from debtwatch.rules.capacity import Basis
from debtwatch.rules.rulebook import Band, Rulebook, choose
from debtwatch.sustainability.accounts import central_outlook
from debtwatch.sustainability.outlook import simulate_outlook
from debtwatch.sustainability.settings import outlook_settings

NAME = "projection"


def quarters_ahead(horizon: int, frequency: Frequency) -> int:
    """Give a horizon in quarters.

    Examples
    --------
    >>> quarters_ahead(2, "year"), quarters_ahead(4, "quarter")
    (8, 4)
    """
    return 4 * horizon if frequency == "year" else horizon


def projected_line(
    spec: Spec, books: Sequence[Rulebook], end_quarter: int
) -> tuple[Rulebook, Line] | None:
    """Find the line that the target's event crosses, in a form the simulation can follow.

    Parameters
    ----------
    spec : Spec
    books : sequence of Rulebook
    end_quarter : int
        Last quarter of the window; its version of the rulebook counts.

    Returns
    -------
    (Rulebook, Line) or None
        A rulebook cut down to the one indicator with the one line; None where the target is no
        crossing of a line from below: a list of events, classes of several indicators, a ratio
        that is no rulebook's indicator.

    Examples
    --------
    >>> from debtwatch.rules.rulebook import load_rulebooks
    >>> spec = Spec.model_validate({
    ...     "id": "x", "title": {"zh": "例", "en": "x"}, "country": "CN",
    ...     "target": {"kind": "entry", "horizon": 4, "rulebook": "cn-debt-tiers",
    ...                "worse": ["orange", "red"]},
    ...     "feature": [{"id": "r", "of": "debt_ratio", "label": {"zh": "例", "en": "r"}}]})
    >>> book, line = projected_line(spec, load_rulebooks(), 4 * 2025 + 3)
    >>> line.indicator, line.value, line.inclusive
    ('debt_ratio', 2.0, True)
    """
    target = spec.target
    if target.rulebook is not None:
        book, _ = choose(tuple(books), target.rulebook, end_quarter)
        return None if book is None else _line_of_classes(book, set(target.worse))
    if target.ratio is None or target.line is None or target.operator not in {">=", ">"}:
        return None
    for book in books:
        if book.jurisdiction != spec.country or not book.covers(end_quarter):
            continue
        if any(i.id == target.ratio for i in book.indicator):
            return _cut(book, target.ratio, target.line, inclusive=target.operator == ">=")
    return None


def _line_of_classes(book: Rulebook, worse: set[str]) -> tuple[Rulebook, Line] | None:
    """Find where the worse classes begin, where they are all that lies beyond one line."""
    headline = book.headline or book.indicator[0].id
    indicator = book.indicator_named(headline)
    if book.kind == "limit":  # judged on the balances of the origin, not simulated
        return None
    # An outcome that asks for more than the headline indicator is no line of it.
    others = {i.id for i in book.indicator} - {headline}
    if any(others & _names_in(rule.when, others) for rule in book.rule):
        return None
    lines = lines_of(book, indicator)
    beyond = [_outcome_beyond(book, line) in worse for line in lines]
    if not any(beyond) or not all(beyond[beyond.index(True) :]):
        return None
    line = lines[beyond.index(True)]
    return _cut(book, headline, line.value, inclusive=line.inclusive)


def _names_in(text: str, names: set[str]) -> set[str]:
    return {name for name in names if name in text}


def _outcome_beyond(book: Rulebook, line: Line) -> str:
    value = line.value if line.inclusive else line.value + 1e-6 * max(1.0, abs(line.value))
    return str(assess(book, {line.indicator: value}).outcome_ids())


def _cut(book: Rulebook, name: str, line: float, *, inclusive: bool) -> tuple[Rulebook, Line]:
    """Cut a rulebook down to one indicator with one line."""
    edge: dict[str, Any] = {"ge": line} if inclusive else {"gt": line}
    below: dict[str, Any] = {"lt": line} if inclusive else {"le": line}
    bands = (Band(band="below", severity=0, **below), Band(band="beyond", severity=1, **edge))
    indicator = book.indicator_named(name).model_copy(
        update={"bands": bands, "direction": "higher_is_worse"}
    )
    needed = set(indicator.parsed.names())
    kept = tuple(i for i in book.indicator if i.id in needed)
    small = book.model_copy(update={"indicator": (*kept, indicator), "headline": name})
    return small, lines_of(small, indicator)[0]


def project(
    panel: Panel,
    basis: Basis,
    spec: Spec,
    books: Sequence[Rulebook],
    *,
    origin: int,
    frequency: Frequency,
    paths: int,
    seed: int,
) -> pd.Series[Any]:
    """Give the probability that each government's projection fulfils the target.

    ``P(any quarter of the window beyond the line)`` for an entry, ``P(beyond it in the last one)``
    for a status, on the simulated paths of the debt outlook from the origin.

    Parameters
    ----------
    panel : Panel
        As known at the origin.
    basis : Basis
    spec : Spec
    books : sequence of Rulebook
    origin : int
        Ordinal, in the frequency.
    frequency : {"year", "quarter"}
    paths, seed : int

    Returns
    -------
    Series
        Indexed by unit and origin; empty where the target is no line that can be followed, NaN for
        a government whose figures allow no outlook.
    """
    first = last_quarter(origin, frequency)
    ahead = quarters_ahead(spec.target.horizon, frequency)
    found = projected_line(spec, books, first + ahead)
    if found is None or panel.column(first) is None:
        return no_projection()
    book, line = found
    inflation = outlook_settings().calibration.inflation
    outlook = central_outlook(panel, basis, first, quarters=max(ahead, 4), inflation=inflation)
    fan = simulate_outlook(outlook, basis, [book], seed=seed, paths=paths, consecutive=1)
    if (line.indicator, line) not in fan.watch.lines:
        return no_projection()  # a formula that cannot be followed along a path
    shares = fan.beyond(line) if spec.target.kind == "status" else fan.ever(line)
    index = pd.MultiIndex.from_product(
        [panel.units.index.astype(str).astype(object), [origin]], names=["unit", "period"]
    )
    return pd.Series(np.asarray(shares[:, ahead - 1], dtype=np.float64), index=index, name=NAME)


def no_projection() -> pd.Series[Any]:
    """Give a projection that says nothing."""
    index = pd.MultiIndex.from_arrays(
        [np.array([], dtype=object), np.array([], dtype=np.int64)], names=["unit", "period"]
    )
    return pd.Series(np.array([], dtype=np.float64), index=index, name=NAME)
