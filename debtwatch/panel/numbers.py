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
#: No account of any government comes near this; beyond it sums would overflow.
LARGEST = 1e30
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
        return float(cell) if abs(cell) < LARGEST else None
    return _read_text(str(cell))


def _read_text(cell: str) -> float | None:
    """Read a number written as text."""
    if any(unicodedata.category(character) == "No" for character in cell):
        return None  # a footnote mark such as ① would become a digit of the number
    text = unicodedata.normalize("NFKC", cell).strip().lower().replace(" ", "")
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
    if abs(value) >= LARGEST:
        return None
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
        number: float | None
        if type(cell) is str and cell.isascii() and cell.replace(".", "", 1).isdigit():
            # The plain case first: most cells of a large file are plain digits.
            number = float(cell)
            number = number if number < LARGEST else None
        else:
            number = read_number(cell)
        if number is None:
            bad.append(position)
        else:
            values[position] = number
    return values, bad
