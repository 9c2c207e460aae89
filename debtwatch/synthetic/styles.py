"""How bureaus lay out their workbooks: headings, spellings of periods, units."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from debtwatch.panel.fields import field_named


@dataclass(frozen=True)
class Style:
    """How one bureau lays out its workbook.

    Attributes
    ----------
    headings : dict
        Headings that differ from the standard name.
    money_mark : str
        Unit written behind headings of money, empty when it stands above the table.
    period : callable
        Text of a period from its year and quarter.
    as_text : bool
        Figures as text with thousands separators.
    groups : bool
        A merged row of groups above the headings.
    """

    headings: dict[str, str]
    money_mark: str
    period: Callable[[int, int], str]
    as_text: bool = False
    groups: bool = False

    def heading(self, name: str) -> str:
        """Heading of a field."""
        field = field_named(name)
        mark = "（人）" if field.quantity == "people" else self.money_mark
        return self.headings.get(name, field.zh) + mark

    def figure(self, value: float) -> float | str:
        """Figure as a cell holds it."""
        return f"{value:,}" if self.as_text else value


_NUMBERED = {
    "gpb_revenue": "一、一般公共预算收入", "tax_revenue": "其中：税收收入",
    "nontax_revenue": "其中：非税收入", "gpb_transfer_in": "二、上级补助收入",
    "tax_rebate_in": "1.返还性收入", "general_transfer_in": "2.一般性转移支付收入",
    "special_transfer_in": "3.专项转移支付收入", "gpb_transfer_out": "三、上解上级支出",
    "gpb_expenditure": "四、一般公共预算支出", "sanbao_expenditure": "三保支出",
    "gpb_debt_principal": "一般债务还本支出", "gpb_debt_interest": "一般债务付息支出",
    "gfb_revenue": "五、政府性基金收入", "land_revenue": "其中：土地出让收入",
    "gfb_expenditure": "六、政府性基金支出", "gfb_debt_principal": "专项债务还本支出",
    "gfb_debt_interest": "专项债务付息支出", "debt_balance": "七、政府债务余额",
    "gdp": "八、地区生产总值",
}  # fmt: skip

_GROUPED = {
    "gpb_revenue": "收入", "gpb_expenditure": "支出", "gfb_revenue": "收入",
    "gfb_expenditure": "支出", "gfb_transfer_in": "上级补助收入", "gfb_transfer_out": "上解支出",
    "gpb_transfer_out": "上解上级支出",
}  # fmt: skip

_FULL_WIDTH = {
    "gpb_revenue": "１．地方一般公共预算收入", "tax_revenue": "　税收", "nontax_revenue": "　非税",
    "gpb_expenditure": "２．地方一般公共预算支出", "gfb_revenue": "３．基金预算收入",
    "land_revenue": "　国有土地出让收入", "gfb_expenditure": "４．基金预算支出",
    "general_debt_balance": "地方政府一般债务余额", "special_debt_balance": "地方政府专项债务余额",
    "debt_balance": "地方政府债务余额", "gdp": "ＧＤＰ", "new_general_bonds": "新增一般债",
    "new_special_bonds": "新增专项债",
}  # fmt: skip


def _span(year: int, number: int) -> str:
    """Months from January, as in 2025年1-9月."""
    return f"{year}年1-{3 * number}月"


def _ordinal(year: int, number: int) -> str:
    """Quarter in Chinese numerals, as in 2025年三季度."""
    return f"{year}年{'一二三四'[number - 1]}季度"


def _wide_digits(year: int, number: int) -> str:
    """Quarter in full-width digits, as in ２０２５年第３季度."""
    return f"{year}年第{number}季度".translate({ord("0") + d: ord("０") + d for d in range(10)})


STYLES = (
    Style({}, "", lambda year, number: f"{year}Q{number}"),
    Style(_NUMBERED, "（万元）", _span),
    Style(_GROUPED, "", _ordinal, groups=True),
    Style(_FULL_WIDTH, "（万元）", _wide_digits, as_text=True),
    Style({}, "", _span),
)
#: Position of the style with a row for each item.
ACROSS = 4
