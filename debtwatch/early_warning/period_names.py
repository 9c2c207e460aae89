"""Periods of the classifier: years or quarters as whole numbers, and how they are written."""

from __future__ import annotations

import datetime as dt

from debtwatch.early_warning.sample import Frequency
from debtwatch.errors import DataProblem
from debtwatch.language import N_
from debtwatch.panel.period import parse_period, quarter, quarter_end, quarter_text


def period_end(ordinal: int, frequency: Frequency) -> dt.date:
    """Give the last day of a period.

    Parameters
    ----------
    ordinal : int
        The year itself, or the quarter's ordinal of :mod:`debtwatch.panel.period`.
    frequency : {"year", "quarter"}

    Examples
    --------
    >>> period_end(2021, "year"), period_end(4 * 2021 + 2, "quarter")
    (datetime.date(2021, 12, 31), datetime.date(2021, 9, 30))
    """
    return dt.date(ordinal, 12, 31) if frequency == "year" else quarter_end(ordinal)


def period_text(ordinal: int, frequency: Frequency) -> str:
    """Write a period as a table does.

    Examples
    --------
    >>> period_text(2021, "year"), period_text(4 * 2021 + 2, "quarter")
    ('2021', '2021Q3')
    """
    return str(ordinal) if frequency == "year" else quarter_text(ordinal)


def last_quarter(ordinal: int, frequency: Frequency) -> int:
    """Quarter in which a period ends: of a year its fourth.

    Examples
    --------
    >>> last_quarter(2021, "year") == last_quarter(4 * 2021 + 3, "quarter")
    True
    """
    return quarter(ordinal, 4) if frequency == "year" else ordinal


def parse_origin(text: str, frequency: Frequency) -> int:
    """Read a period that a specification names.

    Parameters
    ----------
    text : str
    frequency : {"year", "quarter"}
        Of the table.

    Returns
    -------
    int
        Ordinal.

    Raises
    ------
    DataProblem
        When the text is no period, or one of the other frequency.

    Examples
    --------
    >>> parse_origin("2021", "year"), parse_origin("2021年三季度", "quarter") - 4 * 2021
    (2021, 2)
    """
    period = parse_period(text)
    if period is not None and (period.kind == "year") == (frequency == "year"):
        return period.quarter // 4 if frequency == "year" else period.quarter
    if frequency == "year":
        raise DataProblem(
            N_("“{text}” is not a year; the table is by years, so write one such as 2021."),
            text=text,
        )
    raise DataProblem(
        N_("“{text}” is not a quarter; the table is by quarters, so write one such as 2021Q4."),
        text=text,
    )
