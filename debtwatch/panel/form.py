"""An empty form for fiscal data, with the headings that debtwatch reads."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import xlsxwriter

from debtwatch.errors import DataProblem
from debtwatch.language import N_
from debtwatch.panel.fields import FIELDS

_KEYS = ("地区编码", "地区", "级次", "期间", "公布日期", "数据状态")
_LEFT_OUT = {"implied_net_transfers"}


def write_form(path: Path) -> None:
    """Write an empty workbook: one sheet to fill in, one that explains each heading.

    Parameters
    ----------
    path : Path
        A new file.

    Raises
    ------
    DataProblem
        When the file exists or its folder does not.
    """
    if path.exists():
        raise DataProblem(N_("{path} exists already; name a new file for the form."), path=path)
    if not path.parent.is_dir():
        raise DataProblem(
            N_("The folder {folder} does not exist; make it first."), folder=path.parent
        )
    fields = [f for f in FIELDS if f.name not in _LEFT_OUT]
    with xlsxwriter.Workbook(str(path)) as workbook:
        workbook.set_properties({"created": dt.datetime(2026, 1, 1)})
        heading = workbook.add_format(
            {
                "bold": True,
                "text_wrap": True,
                "bg_color": "#e8eef4",
                "border": 1,
                "valign": "vcenter",
            }
        )
        sheet = workbook.add_worksheet("财政数据")
        sheet.write(0, 0, "单位：万元；季度收支填写年初至本季末累计数；未报留空，零填0")
        marks = {"money": "（累计，万元）", "people": "（人）", "rate": "（%）", "years": "（年）"}
        for column, key in enumerate(_KEYS):
            sheet.write(1, column, key, heading)
        for column, field in enumerate(fields, start=len(_KEYS)):
            mark = (
                "（万元）"
                if field.kind == "stock" and field.quantity == "money"
                else marks[field.quantity]
            )
            sheet.write(1, column, field.zh + mark, heading)
        sheet.set_row(1, 60)
        sheet.set_column(0, len(_KEYS) + len(fields), 13)
        sheet.freeze_panes(2, len(_KEYS))
        sheet.data_validation(
            2, 2, 5000, 2, {"validate": "list", "source": ["省级", "市级", "县级", "兵团"]}
        )
        sheet.data_validation(
            2, 5, 5000, 5, {"validate": "list", "source": ["预算", "快报", "决算", "审计"]}
        )
        _explain(workbook, heading)


def _explain(workbook: xlsxwriter.Workbook, heading: object) -> None:
    sheet = workbook.add_worksheet("说明")
    for column, text in enumerate(("项目说明", "英文", "规范名", "类型", "来源表")):
        sheet.write(0, column, text, heading)
    kinds = {"stock": "时点数", "flow": "时期数"}
    for row, field in enumerate(FIELDS, start=1):
        cells = (field.zh, field.en, field.name, kinds[field.kind], field.table)
        for column, text in enumerate(cells):
            sheet.write_string(row, column, text)
    sheet.set_column(0, 4, 32)
