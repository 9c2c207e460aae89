"""Sentences of a memo: one message, its figures, and their form in either language."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

from babel.numbers import format_decimal

from debtwatch.language import LOCALES, Language, language
from debtwatch.panel.period import quarter_text
from debtwatch.rules.rulebook import Bilingual

MISSING = "—"


@dataclass(frozen=True)
class Money:
    """An amount in yuan, written in 万元 or millions of yuan with its unit.

    Attributes
    ----------
    yuan : float
    floor : bool
        Whether it is rounded down: for amounts that must still fit.
    """

    yuan: float
    floor: bool = False

    def text(self, code: str) -> str:
        """Write it in a language."""
        if not math.isfinite(self.yuan):
            return MISSING
        wan = self.yuan / 1e4
        whole = math.floor(wan + 1e-9) if self.floor else math.floor(abs(wan) + 0.5)
        if not self.floor and wan < 0:
            whole = -whole
        if code == "zh":
            return f"{_number(whole, 0, code)}万元"
        return f"CNY {_number(whole / 100, 2, code)} million"


@dataclass(frozen=True)
class Share:
    """A ratio written in percent.

    Attributes
    ----------
    ratio : float
    digits : int
    """

    ratio: float
    digits: int = 1

    def text(self, code: str) -> str:
        """Write it in a language."""
        if not math.isfinite(self.ratio):
            return MISSING
        return f"{_number(self.ratio * 100, self.digits, code)}%"


@dataclass(frozen=True)
class Number:
    """A plain number: a coverage, a count, hectares.

    Attributes
    ----------
    value : float
    digits : int
    """

    value: float
    digits: int = 0

    def text(self, code: str) -> str:
        """Write it in a language."""
        return MISSING if not math.isfinite(self.value) else _number(self.value, self.digits, code)


@dataclass(frozen=True)
class Quarter:
    """A quarter by its ordinal; a dash for none."""

    ordinal: int | None

    def text(self, code: str) -> str:
        """Write it; the form is the same in every language."""
        return MISSING if self.ordinal is None else quarter_text(self.ordinal)


@dataclass(frozen=True)
class Name:
    """A name that data carry in both languages."""

    both: Bilingual

    def text(self, code: str) -> str:
        """Choose the language."""
        return self.both.zh if code == "zh" else self.both.en


@dataclass(frozen=True)
class Word:
    """One of our own words or clauses, translated like any message."""

    message: str

    def text(self, code: str) -> str:
        """Translate it."""
        return language(code).text(self.message)


@dataclass(frozen=True)
class Words:
    """Several words joined by commas."""

    parts: tuple[Word | Name | str, ...]

    def text(self, code: str) -> str:
        """Translate and join them."""
        texts = [p if isinstance(p, str) else p.text(code) for p in self.parts]
        return ("、" if code == "zh" else ", ").join(texts)


Detail = Money | Share | Number | Quarter | Name | Word | Words | str


@dataclass(frozen=True)
class Sentence:
    """A message with its figures.

    Attributes
    ----------
    message : str
        English text, marked for translation, with named placeholders.
    details : mapping from placeholder to figure

    Examples
    --------
    >>> one = Sentence("The gap is {gap}.", {"gap": Money(25_000_000.0)})
    >>> one.say(language("en"))
    'The gap is CNY 25.00 million.'
    """

    message: str
    details: Mapping[str, Detail] = field(default_factory=dict)

    def say(self, words: Language) -> str:
        """Say it in a language."""
        put_in = {
            name: value if isinstance(value, str) else value.text(words.code)
            for name, value in self.details.items()
        }
        return words.text(self.message).format(**put_in)

    def both(self) -> dict[str, str]:
        """Say it in both languages, for JSON."""
        return {code: self.say(language(code)) for code in LOCALES}


def _number(value: float, digits: int, code: str) -> str:
    pattern = "#,##0" + ("." + "0" * digits if digits else "")
    scaled = round(abs(value) * 10**digits, 6)
    half_up = math.copysign(math.floor(scaled + 0.5) / 10**digits, value) if scaled else 0.0
    text = str(format_decimal(half_up, format=pattern, locale=LOCALES[code]))
    return text.replace("-", "−")
