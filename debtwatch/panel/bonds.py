"""Bond lists: one row per outstanding bond, for a maturity ladder that is not assumed."""

from __future__ import annotations

import datetime as dt
import math
from typing import Any

import pandas as pd

from debtwatch.panel.fields import normalise, scale_of
from debtwatch.panel.numbers import read_number
from debtwatch.panel.period import parse_day, quarter_of
from debtwatch.panel.problem import Problem, cell_name
from debtwatch.panel.sheets import Sheet

BOND_COLUMNS = (
    "unit", "bond", "ledger", "principal", "coupon", "frequency", "maturity", "repayment",
)  # fmt: skip
_HEADINGS = {
    "unit": {"地区编码", "行政区划代码", "区划代码", "地区代码", "unit"},
    "bond": {"债券名称", "债券简称", "债券代码", "bond"},
    "ledger": {"债券类型", "债券种类", "类型", "ledger"},
    "principal": {"本金", "债券余额", "余额", "本金余额", "发行额", "principal"},
    "coupon": {"票面利率", "利率", "coupon"},
    "frequency": {"付息频率", "每年付息次数", "frequency"},
    "maturity": {"到期日", "到期日期", "maturity"},
    "repayment": {"还本方式", "偿还方式", "repayment"},
}
_REQUIRED = {"unit", "ledger", "principal", "coupon", "maturity"}
_REPAYMENT = {"": "bullet", "到期一次还本": "bullet", "bullet": "bullet",
              "等额本金": "equal_principal", "分期还本": "equal_principal",
              "等额本息": "annuity", "annuity": "annuity",
              "equal_principal": "equal_principal",
              "equal_principal_coupon": "equal_principal_coupon"}  # fmt: skip
_FREQUENCY = {"": 1, "1": 1, "2": 2, "4": 4,
              "按年付息": 1, "每年付息": 1, "每年": 1, "年": 1, "一年一次": 1, "每年一次": 1,
              "按半年付息": 2, "半年付息": 2, "每半年": 2, "半年": 2, "半年一次": 2,
              "每半年一次": 2,
              "按季付息": 4, "按季度付息": 4, "每季度": 4, "季度": 4, "季": 4, "每季度一次": 4,
              }  # fmt: skip


def read_bonds(sheet: Sheet, file: str) -> tuple[pd.DataFrame | None, list[Problem]]:
    """Read a sheet that is a bond list; None when it is not one.

    Returns
    -------
    bonds : DataFrame or None
        Columns :data:`BOND_COLUMNS`: ``principal`` in yuan, ``coupon`` as a decimal a year,
        ``frequency`` 1, 2 or 4 coupons a year, ``maturity`` the ordinal of the quarter of
        repayment, ``repayment`` as :func:`debtwatch.sustainability.ladder.bond_flows` takes it.
    problems : list of Problem
        Rows that could not be read.
    """
    found = ((first, *_columns(row)) for first, row in enumerate(sheet.rows[:20], start=1))
    form = next((f for f in found if f[1].keys() >= _REQUIRED), None)
    if form is None:
        return None, []
    first, columns, scale = form
    problems: list[Problem] = []
    bonds: list[tuple[Any, ...]] = []
    for r, cells in enumerate(sheet.rows[first:], start=first):
        if all(cell is None for cell in cells):
            continue
        read = {k: cells[c] if c < len(cells) else None for k, c in columns.items()}
        bond = _bond(read, scale)
        if bond is None:
            details = {"text": " / ".join(str(cell) for cell in read.values())[:60]}
            where = cell_name(r, columns["principal"])
            problems.append(Problem("number-unreadable", file, sheet.name, where, details=details))
        else:
            bonds.append(bond)
    return pd.DataFrame(bonds, columns=list(BOND_COLUMNS)), problems


def _columns(row: list[Any]) -> tuple[dict[str, int], float]:
    found: dict[str, int] = {}
    scale = 1e4
    for position, cell in enumerate(row):
        if not isinstance(cell, str):
            continue
        plain = normalise(cell)
        bare = plain.split("(")[0].split("（")[0].strip()
        for key, names in _HEADINGS.items():
            if bare in names and key not in found:
                found[key] = position
                if key == "principal" and "(" in plain:
                    scale = scale_of(plain.split("(")[1].strip(") ")) or scale
    return found, scale


def _ledger(text: str) -> str:
    if "一般" in text or "general" in text:
        return "general"
    return "special" if "专项" in text or "special" in text else ""


def _frequency(cell: Any) -> int | None:
    """Coupons a year: 1, 2 or 4, yearly when blank; None when it is something else."""
    number = read_number(cell)
    if number is not None:
        return 1 if math.isnan(number) else _FREQUENCY.get(f"{number:g}")
    return _FREQUENCY.get(normalise(str(cell)))


def _bond(read: dict[str, Any], scale: float) -> tuple[Any, ...] | None:
    principal, coupon = read_number(read["principal"]), read_number(read["coupon"])
    maturity = parse_day(read["maturity"])
    ledger = _ledger(str(read["ledger"] or "").lower())
    repayment = _REPAYMENT.get(normalise(str(read.get("repayment") or "")))
    if not ledger or repayment is None or not isinstance(maturity, dt.date):
        return None
    if principal is None or coupon is None or not principal > 0 or not 0 <= coupon < 100:
        return None
    frequency = _frequency(read.get("frequency"))
    if frequency is None:
        return None
    return (
        str(read["unit"] or "").strip().removesuffix(".0"),
        str(read.get("bond") or ""),
        ledger,
        principal * scale,
        coupon / 100 if coupon >= 0.2 else coupon,  # 2.5 is percent, 0.025 already a decimal
        frequency,
        quarter_of(maturity),
        repayment,
    )
