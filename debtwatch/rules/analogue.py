"""How other systems would read these accounts: foreign rulebooks on mapped fields.

The mapping is data (``models/analogues.toml``), ours, and an annex: a foreign outcome never enters
a level. Where a mapped field is missing the outcome is unknown, as anywhere else.
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
from debtwatch.panel.defaults import defaults
from debtwatch.rules.assess import Assessment, assess
from debtwatch.rules.expression import Array, evaluate, parse
from debtwatch.rules.rulebook import Bilingual, Rulebook


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Definition(_Part):
    """A quantity of another system in terms of Chinese accounts."""

    name: str
    formula: str
    text: Bilingual
    otherwise: str | None = None
    otherwise_text: Bilingual | None = None


class Analogue(_Part):
    """A foreign rulebook and what stands for its fields."""

    rulebook: str
    fields: dict[str, str]
    words: dict[str, str] = {}


class AnalogueBook(_Part):
    """All definitions and mappings."""

    definition: tuple[Definition, ...]
    analogue: tuple[Analogue, ...]


@cache
def analogue_book() -> AnalogueBook:
    """Load the mappings.

    Raises
    ------
    RulebookProblem
        When the file is damaged.
    """
    path = resources.models() / "analogues.toml"
    try:
        return AnalogueBook.model_validate(tomllib.loads(path.read_text(encoding="utf-8")))
    except (OSError, tomllib.TOMLDecodeError, ValidationError) as error:
        raise RulebookProblem(
            N_("The analogues in {path} cannot be used: {reason}"), path=path, reason=error
        ) from error


@dataclass(frozen=True)
class Reading:
    """A foreign rulebook read on some units.

    Attributes
    ----------
    rulebook : Rulebook
    assessment : Assessment
        Arrays of shape (units,).
    missing : tuple of str
        Fields of the rulebook that nothing stands for.
    """

    rulebook: Rulebook
    assessment: Assessment
    missing: tuple[str, ...]


@dataclass(frozen=True)
class Readings:
    """All foreign readings and the remarks that go with them.

    Attributes
    ----------
    readings : tuple of Reading
    remarks : list of (definition, ndarray of bool)
        Which units use a definition's second form.
    """

    readings: tuple[Reading, ...]
    remarks: tuple[tuple[Definition, NDArray[np.bool_]], ...]


def read_by_others(inputs: Mapping[str, Array], rulebooks: Sequence[Rulebook]) -> Readings:
    """Read some units' accounts by every mapped foreign rulebook.

    Parameters
    ----------
    inputs : mapping from field to ndarray, shape (units,)
        Rule inputs at one quarter.
    rulebooks : sequence of Rulebook
        All that are known; the newest enabled version of a family is used.

    Returns
    -------
    Readings
    """
    refinanced = np.asarray(defaults().maturity.refinanced_share)
    known: dict[str, Array] = {**inputs, "refinanced_share": refinanced}
    remarks: list[tuple[Definition, NDArray[np.bool_]]] = []
    for definition in analogue_book().definition:
        value = np.asarray(evaluate(parse(definition.formula), known), dtype=np.float64)
        if definition.otherwise is not None:
            second = np.asarray(evaluate(parse(definition.otherwise), known), dtype=np.float64)
            used = np.isnan(value) & ~np.isnan(second)
            value = np.where(used, second, value)
            remarks.append((definition, np.asarray(used)))
        known[definition.name] = value
    readings = [
        _reading(analogue, book, known)
        for analogue in analogue_book().analogue
        if (book := _newest(analogue.rulebook, rulebooks)) is not None
    ]
    return Readings(tuple(readings), tuple(remarks))


def _newest(name: str, rulebooks: Sequence[Rulebook]) -> Rulebook | None:
    same = [r for r in rulebooks if name in {r.family, r.id} and r.enabled]
    return max(same, key=lambda r: r.effective_from, default=None)


def _reading(analogue: Analogue, book: Rulebook, known: Mapping[str, Array]) -> Reading:
    shape = np.shape(known["debt_balance"])
    fields: dict[str, object] = {
        name: np.broadcast_to(evaluate(parse(formula), known), shape)
        for name, formula in analogue.fields.items()
    }
    missing = tuple(
        use.name for use in book.field if use.name not in fields and use.name not in analogue.words
    )
    result = assess(book, {**fields, **analogue.words})
    # An indicator of constants has no row for each unit: give it one.
    spread = Assessment(
        book,
        {name: np.broadcast_to(value, shape) for name, value in result.values.items()},
        {name: np.broadcast_to(codes, shape) for name, codes in result.bands.items()},
        np.broadcast_to(result.outcome, shape),
    )
    return Reading(book, spread, missing)
