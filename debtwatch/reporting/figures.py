"""Figures as people read them: percent, money, quarters, in either language."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from babel.numbers import format_decimal

from debtwatch.language import LOCALES

MISSING = "—"
_UNITS = {
    ("zh", "large"): ("亿元", 1e8, 2),
    ("zh", "small"): ("万元", 1e4, 0),
    ("en", "large"): ("CNY bn", 1e9, 3),
    ("en", "small"): ("CNY million", 1e6, 2),
}


@dataclass(frozen=True)
class Figures:
    """How figures are written in one report.

    Attributes
    ----------
    language : str
        ``zh`` or ``en``.
    size : str
        ``large`` (亿元, CNY bn) or ``small`` (万元, CNY million).
    thresholds : tuple of float
        Ratios that rounding must not reach: 199.97 % is not shown as 200.0 %.
    """

    language: str
    size: str
    thresholds: tuple[float, ...] = ()

    @property
    def money_unit(self) -> str:
        """Unit in which amounts are shown."""
        return _UNITS[self.language, self.size][0]

    def decimal(self, value: float, digits: int) -> str:
        """Format a number with grouping."""
        if abs(value) >= 1e15:  # what no account holds is shown by its power of ten
            return f"{value:.3e}"
        pattern = "#,##0" + ("." + "0" * digits if digits else "")
        text = str(format_decimal(value, format=pattern, locale=LOCALES[self.language]))
        return text.replace("-", "−")  # a minus, not a hyphen

    def money(self, yuan: float | None) -> str:
        """Format an amount in the report's unit, without the unit."""
        if yuan is None or not math.isfinite(yuan):
            return MISSING
        _, scale, digits = _UNITS[self.language, self.size]
        return self.decimal(yuan / scale, digits)

    def headroom(self, yuan: float | None) -> str:
        """Format an amount rounded down, so that what is printed still fits.

        Examples
        --------
        >>> Figures("zh", "large").headroom(14_499_999_999.0)
        '144.99'
        """
        if yuan is None or not math.isfinite(yuan):
            return MISSING
        _, scale, digits = _UNITS[self.language, self.size]
        floored = math.floor(yuan / scale * 10**digits + 1e-9) / 10**digits
        return self.decimal(floored, digits)

    def percent(self, ratio: float | None, digits: int = 1) -> str:
        """Format a ratio in percent.

        Examples
        --------
        >>> Figures("zh", "large").percent(1.2345)
        '123.5%'
        >>> Figures("zh", "large", (2.0,)).percent(1.9997)
        '199.97%'
        """
        if ratio is None or not math.isfinite(ratio):
            return MISSING
        while digits < 6 and self._reaches(ratio, digits):
            digits += 1
        return f"{self.decimal(_half_up(ratio * 100, digits), digits)}%"

    def _reaches(self, ratio: float, digits: int) -> bool:
        """Whether rounding would move a ratio onto a threshold it is not at."""
        shown = _half_up(ratio * 100, digits)
        return any(
            abs(shown - 100 * line) < 1e-9 and abs(ratio - line) > 1e-9 for line in self.thresholds
        )

    def points(self, ratio: float | None, digits: int = 1) -> str:
        """Format a difference of ratios in percentage points, with its sign."""
        if ratio is None or not math.isfinite(ratio):
            return MISSING
        value = _half_up(ratio * 100, digits)
        sign = "+" if value > 0 else "−" if value < 0 else "±"
        return f"{sign}{self.decimal(abs(value), digits)}"

    def in_unit(self, value: float | None, unit: str) -> str:
        """Write a value of any rulebook: ratios in percent, the rest as plain numbers.

        Examples
        --------
        >>> figures = Figures("en", "large")
        >>> figures.in_unit(0.625, "ratio"), figures.in_unit(3, "years")
        ('62.5%', '3.00')
        """
        if value is None or not math.isfinite(value):
            return MISSING
        if unit == "ratio":
            return self.percent(value)
        return self.money(value) if unit == "money" else self.decimal(value, 2)

    def chance(self, share: float | None) -> str:
        """Write a probability in whole percent; what is not certain is not shown as 0 or 100 %.

        Examples
        --------
        >>> figures = Figures("en", "large")
        >>> figures.chance(0.6321), figures.chance(0.0004), figures.chance(0.0)
        ('63%', '<1%', '0%')
        """
        if share is None or not math.isfinite(share):
            return MISSING
        if 0 < share < 0.005:
            return "<1%"
        return ">99%" if 0.995 <= share < 1 else f"{_half_up(share * 100, 0):.0f}%"

    def times(self, value: float | None) -> str:
        """Format a multiple, such as a coverage ratio."""
        return MISSING if value is None or not math.isfinite(value) else self.decimal(value, 2)


def _half_up(value: float, digits: int) -> float:
    """Round half away from zero, as printed tables do; binary dust is taken off first."""
    scaled = float(np.round(value * 10**digits, 6))
    return math.copysign(math.floor(abs(scaled) + 0.5), scaled) / 10**digits if scaled else 0.0


def choose_size(typical_yuan: float) -> str:
    """Choose the unit that suits a set: 亿元 for issuers, 万元 for counties."""
    return "large" if typical_yuan >= 1e11 else "small"
