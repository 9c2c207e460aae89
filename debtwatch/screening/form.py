"""An empty form for proposed projects: what :mod:`debtwatch.screening.pipeline` reads."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Any

import xlsxwriter

from debtwatch.errors import DataProblem
from debtwatch.language import N_
from debtwatch.screening.columns import COLUMNS, YEARLY, Column
from debtwatch.screening.sectors import sectors

LAST_ROW = 5000
TOP = 2
_MOST_LISTED = 255  # letters of a list that a validation holds by itself
_NUMBERS = {
    "money": ("decimal", 0, 1e12), "number": ("decimal", 0, 1e15), "area": ("decimal", 0, 1e9),
    "people": ("decimal", 0, 2e9), "rate": ("decimal", 0, 15), "share": ("decimal", 0, 100),
    "years": ("decimal", 0, 100), "whole": ("integer", 1, 60), "year": ("integer", 1978, 2100),
}  # fmt: skip
_FORMATS = {"money": "#,##0.00", "code": "@", "codes": "@", "quarter": "@", "day": "yyyy-mm-dd"}
_EXPLAINED = ("表", "列名", "英文", "规范名", "含义", "单位", "是否必填", "可填内容")


def write_form(path: Path) -> None:
    """Write an empty workbook: projects, their yearly money, and what each column means.

    Parameters
    ----------
    path : Path
        A new file.

    Raises
    ------
    DataProblem
        When the file exists or its folder does not.
    """
    if path.suffix.lower() != ".xlsx":
        raise DataProblem(
            N_("The form is a workbook: name a file ending in .xlsx, not {path}."), path=path
        )
    if path.exists():
        raise DataProblem(N_("{path} exists already; name a new file for the form."), path=path)
    if not path.parent.is_dir():
        raise DataProblem(
            N_("The folder {folder} does not exist; make it first."), folder=path.parent
        )
    with xlsxwriter.Workbook(str(path)) as workbook:
        workbook.set_properties({"created": dt.datetime(2026, 1, 1)})
        _table(workbook, "项目", "拟建项目清单：每行一个项目，深色列必填，未知留空", COLUMNS)
        _table(
            workbook, "年度收支", "逐年收支：每行一个项目的一年，填写后替代“项目”表的年均数", YEARLY
        )
        _explain(workbook)
        _lists(workbook)


def _table(
    workbook: xlsxwriter.Workbook, name: str, title: str, columns: tuple[Column, ...]
) -> None:
    """Add a sheet to fill in."""
    look = {"bold": True, "text_wrap": True, "border": 1, "valign": "vcenter"}
    plain = workbook.add_format({**look, "bg_color": "#e8eef4"})
    required = workbook.add_format({**look, "bg_color": "#b8cce4"})
    sheet = workbook.add_worksheet(name)
    sheet.write_string(0, 0, title)
    sheet.write_string(1, 0, "单位：万元")
    for position, column in enumerate(columns):
        sheet.write_string(TOP, position, column.heading, required if column.required else plain)
        number_format = _FORMATS.get(column.kind)
        cells = workbook.add_format({"num_format": number_format}) if number_format else None
        sheet.set_column(position, position, 16 if column.kind in {"code", "text"} else 12, cells)
        sheet.data_validation(TOP + 1, position, LAST_ROW, position, _validation(column))
    sheet.set_row(TOP, 48)
    sheet.freeze_panes(TOP + 1, 2)


def _validation(column: Column) -> dict[str, Any]:
    """Limit what the cells of a column take, and say what belongs there."""
    rule: dict[str, Any] = {"validate": "any"}
    if column.words:
        words = list(column.words)
        short = len(",".join(words)) <= _MOST_LISTED
        source: Any = words if short else f"=选项!$A$1:$A${len(words)}"
        rule = {"validate": "list", "source": source}
    elif column.kind in _NUMBERS:
        kind, least, most = _NUMBERS[column.kind]
        rule = {"validate": kind, "criteria": "between", "minimum": least, "maximum": most}
    elif column.kind == "day":
        rule = {"validate": "date", "criteria": ">=", "value": dt.date(2000, 1, 1)}
    rule |= {"input_title": column.zh[:32], "input_message": _help(column)[:_MOST_LISTED]}
    if rule["validate"] != "any":
        rule |= {
            "error_title": column.zh[:32],
            "error_message": f"此处须填：{_allowed(column)}"[:255],
        }
    return rule


def _help(column: Column) -> str:
    parts = ["必填" if column.required else "", column.meaning, _allowed(column)]
    return "；".join(part for part in parts if part)


def _allowed(column: Column) -> str:
    """Say what a cell takes."""
    if column.words:
        return "、".join(column.words)
    if column.kind in _NUMBERS:
        _kind, least, most = _NUMBERS[column.kind]
        return f"{least}至{most}" if most <= 2100 else "不小于0的数"
    return {"day": "日期，如2026-09-30", "quarter": "季度，如2026Q3"}.get(column.kind, "文字")


def _explain(workbook: xlsxwriter.Workbook) -> None:
    """Add a row about each column."""
    sheet = workbook.add_worksheet("说明")
    bold = workbook.add_format({"bold": True, "bg_color": "#e8eef4", "border": 1})
    for position, text in enumerate(_EXPLAINED):
        sheet.write_string(0, position, text, bold)
    tables = (("项目", COLUMNS), ("年度收支", YEARLY))
    rows = [(name, column) for name, columns in tables for column in columns]
    for r, (name, column) in enumerate(rows, start=1):
        required = "必填" if column.required else "选填"
        texts = (name, column.zh, column.en, column.key, column.meaning, column.unit, required,
                 _allowed(column))  # fmt: skip
        for position, text in enumerate(texts):
            sheet.write_string(r, position, text)
    sheet.set_column(0, 6, 20)
    sheet.set_column(4, 4, 60)
    sheet.set_column(7, 7, 80)


def _lists(workbook: xlsxwriter.Workbook) -> None:
    """Add the hidden sheet of the drop-down that is too long for a cell's own list."""
    sheet = workbook.add_worksheet("选项")
    for r, sector in enumerate(sectors().values()):
        sheet.write_string(r, 0, sector.label.zh)
    sheet.hide()
