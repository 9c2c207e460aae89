"""Quarters as whole numbers, and the many ways a fiscal table writes a period.

A quarter is the integer ``4 * year + (quarter - 1)``, so that differences count quarters and
arrays index by subtraction. Text form: ``2025Q3``.
"""

from __future__ import annotations

import datetime as dt
import re
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

FIRST_YEAR, LAST_YEAR = 1978, 2100
_CHINESE_QUARTER = {"一": 1, "二": 2, "三": 3, "四": 4, "1": 1, "2": 2, "3": 3, "4": 4}


def quarter(year: int, number: int) -> int:
    """Ordinal of a quarter.

    Examples
    --------
    >>> quarter(2025, 3) - quarter(2024, 4)
    3
    """
    return 4 * year + number - 1


def quarter_text(ordinal: int) -> str:
    """Text of a quarter.

    Examples
    --------
    >>> quarter_text(quarter(2025, 3))
    '2025Q3'
    """
    return f"{ordinal // 4}Q{ordinal % 4 + 1}"


def quarter_of(day: dt.date) -> int:
    """Quarter in which a day lies."""
    return quarter(day.year, (day.month - 1) // 3 + 1)


def quarter_end(ordinal: int) -> dt.date:
    """Last day of a quarter.

    Examples
    --------
    >>> quarter_end(quarter(2024, 1))
    datetime.date(2024, 3, 31)
    """
    year, number = ordinal // 4, ordinal % 4 + 1
    first_after = dt.date(year + number // 4, number % 4 * 3 + 1, 1)
    return first_after - dt.timedelta(days=1)


@dataclass(frozen=True)
class Period:
    """A period as a table writes it.

    Attributes
    ----------
    quarter : int
        Ordinal of the quarter in which the period ends.
    kind : str
        ``year`` (a whole year), ``quarter`` (a quarter or a date in it), ``to_date`` (written as
        running from January, such as 1-9月).
    """

    quarter: int
    kind: str


_SPAN = re.compile(r"^(\d{4})年?[-./]?(?:0?1)月?[-~至到—–](\d{1,2})月?(?:份)?(?:累计)?$")
_QUARTER = re.compile(r"^(\d{4})[年\-./ ]*第?(?:[qQ]([1-4])|([一二三四1-4])季度?末?)$")
_QUARTER_FIRST = re.compile(r"^[qQ]([1-4])[\-/ ]*(\d{4})$")
_MONTH = re.compile(r"^(\d{4})[年\-./](\d{1,2})月?(?:末|底|份)?$")
_DAY = re.compile(r"^(\d{4})[年\-./](\d{1,2})[月\-./](\d{1,2})日?(?:[ t]00:00(?::00)?)?$")
_YEAR = re.compile(r"^(?:fy)?(\d{4})(?:\.0)?(?:年度?|年末|年底|年决算|年度决算)?$")
_WORDS = {"上半年": 2, "前三季度": 3, "前三季": 3, "全年": 4, "前两季度": 2, "前二季度": 2}
_WORDED = re.compile(rf"^(\d{{4}})年?({'|'.join(_WORDS)})$")
_DIGITS = re.compile(r"^(\d{4})(\d{2})\d{2}$")


def parse_period(value: object) -> Period | None:
    """Read a period from a cell; None when it is not one.

    Parameters
    ----------
    value : object
        Text, number or date of a cell.

    Returns
    -------
    Period or None

    Examples
    --------
    >>> parse_period("2025年三季度")
    Period(quarter=8102, kind='quarter')
    >>> parse_period("2025年1-9月").kind
    'to_date'
    >>> parse_period(2024)
    Period(quarter=8099, kind='year')
    >>> parse_period("sewage") is None
    True
    """
    if isinstance(value, dt.datetime | dt.date):
        return _dated(value.year, value.month)
    if isinstance(value, bool) or value is None:
        return None
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return _parse_text(str(value))


@lru_cache(maxsize=4096)
def _parse_text(raw: str) -> Period | None:
    text = unicodedata.normalize("NFKC", raw).strip().lower().replace(" ", "")
    if not text or len(text) > 30:
        return None
    for pattern, read in _FORMS:
        if match := pattern.match(text):
            return read(match)
    return None


def _span(match: re.Match[str]) -> Period | None:
    period = _month(match)
    return Period(period.quarter, "to_date") if period else None


def _quarter(match: re.Match[str]) -> Period | None:
    number = int(match[2]) if match[2] else _CHINESE_QUARTER[match[3]]
    return _checked(int(match[1]), number, "quarter")


def _month(match: re.Match[str]) -> Period | None:
    return _dated(int(match[1]), int(match[2]))


#: How a period is written, and how each form is read; the first that matches decides.
_FORMS: tuple[tuple[re.Pattern[str], Callable[[re.Match[str]], Period | None]], ...] = (
    (_SPAN, _span),
    (_QUARTER, _quarter),
    (_QUARTER_FIRST, lambda match: _checked(int(match[2]), int(match[1]), "quarter")),
    (_MONTH, _month),
    (_DAY, _month),
    (_YEAR, lambda match: _checked(int(match[1]), 4, "year")),
    (_WORDED, lambda match: _checked(int(match[1]), _WORDS[match[2]], "to_date")),
    (_DIGITS, _month),
)


def _dated(year: int, month: int) -> Period | None:
    """Period of a month; only months that end a quarter name one."""
    if month not in {3, 6, 9, 12}:
        return None
    return _checked(year, month // 3, "quarter")


def _checked(year: int, number: int, kind: str) -> Period | None:
    if not FIRST_YEAR <= year <= LAST_YEAR:
        return None
    return Period(quarter(year, number), kind)


def parse_quarter(text: str) -> int | None:
    """Ordinal of a quarter given by a user, such as 2025Q4; None when it is not one."""
    period = parse_period(text)
    return period.quarter if period and period.kind == "quarter" else None


def parse_day(value: object) -> dt.date | None:
    """Read a calendar day from a cell or an option; None when it is not one.

    Examples
    --------
    >>> parse_day("2026-09-30")
    datetime.date(2026, 9, 30)
    >>> parse_day("2026年9月30日")
    datetime.date(2026, 9, 30)
    """
    if isinstance(value, dt.datetime):
        return value.date()
    if isinstance(value, dt.date):
        return value
    if value is None:
        return None
    return _parse_day_text(str(value))


@lru_cache(maxsize=8192)
def _parse_day_text(raw: str) -> dt.date | None:
    text = unicodedata.normalize("NFKC", raw).strip().lower()
    if re.fullmatch(r"\d{8}", text):
        text = f"{text[:4]}-{text[4:6]}-{text[6:]}"
    match = _DAY.match(text)
    if not match:
        return None
    try:
        return dt.date(int(match[1]), int(match[2]), int(match[3]))
    except ValueError:
        return None
