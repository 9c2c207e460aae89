"""Numbers as people type them into tables: separators, full width, signs, marks for blank."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

#: Marks that stand for "not reported". A blank is never a zero.
BLANKS = frozenset(
    {"", "-", "--", "—", "——", "–", "/", "\\", "…", "...", "……", "n/a", "na", "nan", "null", "none",
     "暂无", "未公布", "不适用", "未报", "*", "×"}
)  # fmt: skip
_NUMBER = re.compile(r"^[+-]?(?:\d{1,3}(?:,\d{3})+|\d+)?(?:\.\d*)?(?:e[+-]?\d{1,3})?$")


def read_number(cell: Any) -> float | None:
    """Read the number of a cell: NaN for a blank, None when it is not a number.

    Examples
    --------
    >>> read_number("１，２３４.5"), read_number("(12)"), read_number("12 km")
    (1234.5, -12.0, None)
    >>> read_number("—")
    nan
    """
    if cell is None:
        return float("nan")
    if isinstance(cell, bool):
        return None
    if isinstance(cell, int | float):
        return float(cell) if abs(cell) < 1e300 else None
    text = unicodedata.normalize("NFKC", str(cell)).strip().lower().replace(" ", "")
    text = text.replace("−", "-").replace("，", ",")
    if text in BLANKS:
        return float("nan")
    percent = text.endswith("%")
    text = text.removesuffix("%").removeprefix("¥")
    if text.startswith("(") and text.endswith(")"):
        text = "-" + text[1:-1]
    if not _NUMBER.match(text) or not any(character.isdigit() for character in text):
        return None
    value = float(text.replace(",", ""))
    return value / 100 if percent else value


def read_numbers(cells: Sequence[Any]) -> tuple[NDArray[np.float64], list[int]]:
    """Numbers of a column and the positions that are not numbers.

    Returns
    -------
    values : ndarray of float, shape (len(cells),)
        NaN for blanks and for cells that are not numbers.
    bad : list of int
        Positions of cells that are not numbers.
    """
    values = np.full(len(cells), np.nan)
    bad: list[int] = []
    for position, cell in enumerate(cells):
        if cell is None:
            continue
        if type(cell) is float:
            values[position] = cell if abs(cell) < 1e300 else np.nan
            continue
        if type(cell) is str:
            try:  # the plain case first: most cells of a large file are plain digits
                number: float | None = float(cell) if cell[-1:].isdigit() else read_number(cell)
            except ValueError:
                number = read_number(cell)
        else:
            number = read_number(cell)
        if number is None:
            bad.append(position)
        else:
            values[position] = number
    return values, bad
