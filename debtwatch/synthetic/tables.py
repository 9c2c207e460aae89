"""Fiscal tables: one csv file of all counties, or a workbook for each."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import xlsxwriter
from numpy.typing import NDArray

from debtwatch.panel.fields import field_named
from debtwatch.panel.period import quarter_text
from debtwatch.synthetic.counties import FIELDS, GROUPS, CountySet
from debtwatch.synthetic.styles import ACROSS, STYLES, Style

SYNTHETIC_TITLE = "合成数据（虚构县）"


def write_tables(folder: Path, synthetic: CountySet, workbooks: bool) -> list[Path]:
    """Write the tables into a folder; returns their paths."""
    if not workbooks:
        path = folder / "counties.csv"
        with path.open("w", encoding="utf-8-sig", newline="") as stream:
            for number, block in enumerate(_blocks(synthetic)):
                block.to_csv(stream, index=False, header=number == 0, lineterminator="\n")
        return [path]
    (folder / "counties").mkdir()
    paths = []
    for county, code in enumerate(synthetic.places.codes):
        path = folder / "counties" / f"{code}.xlsx"
        _write_workbook(path, synthetic, county)
        paths.append(path)
    return paths


def _blocks(synthetic: CountySet, size: int = 1000) -> Iterator[pd.DataFrame]:
    """Rows of the csv table, a thousand counties at a time."""
    n, quarters = synthetic.published.shape
    doubled = np.zeros((n, quarters), dtype=np.int64)
    for county, t in synthetic.dirt.duplicates:
        doubled[county, t] = 1
    times = np.where(synthetic.dirt.missing, 0, 1 + doubled)
    for start in range(0, n, size):
        stop = min(start + size, n)
        index = np.repeat(np.arange((stop - start) * quarters), times[start:stop].ravel())
        yield _block(synthetic, start + index // quarters, index % quarters)


def _block(synthetic: CountySet, county: NDArray[Any], t: NDArray[Any]) -> pd.DataFrame:
    places = synthetic.places
    province = places.province[county]
    periods = np.array([quarter_text(synthetic.first + q) for q in range(synthetic.quarters)])
    statuses = np.array([synthetic.status(q) for q in range(synthetic.quarters)])
    columns: dict[str, Any] = {
        "地区编码": np.array(places.codes)[county],
        "地区": np.array(places.names)[county],
        "级次": "县级",
        "上级编码": np.array(places.province_codes)[province],
        "期间": periods[t],
        "公布日期": np.datetime_as_string(synthetic.published[county, t]),
        "数据状态": statuses[t],
        "数据性质": "合成",
    }
    for name in FIELDS:
        columns[_csv_heading(name)] = _with_slips(synthetic, name, county, t)
    columns["备注"] = np.array(places.province_names)[province]
    return pd.DataFrame(columns)


def _csv_heading(name: str) -> str:
    field = field_named(name)
    if field.quantity == "people":
        return f"{field.zh}（人）"
    return f"{field.zh}（累计，万元）" if field.kind == "flow" else f"{field.zh}（万元）"


def _with_slips(
    synthetic: CountySet, name: str, county: NDArray[Any], t: NDArray[Any]
) -> NDArray[Any]:
    column: NDArray[Any] = synthetic.values[name][county, t]
    for (slip_county, slip_t, field), value in synthetic.cells.items():
        if field != name:
            continue
        hit = (county == slip_county) & (t == slip_t)
        if hit.any():
            column = column.astype(object)
            column[hit] = value
    return column


def new_workbook(path: Path) -> Any:
    """Open a workbook whose bytes do not depend on the day."""
    book = xlsxwriter.Workbook(str(path))
    book.set_properties({"title": SYNTHETIC_TITLE, "created": dt.datetime(2026, 1, 1)})
    return book


def _write_workbook(path: Path, synthetic: CountySet, county: int) -> None:
    style = STYLES[county % len(STYLES)]
    book = new_workbook(path)
    if county % len(STYLES) == ACROSS:
        _fill_across(book, synthetic, county, style)
    else:
        _fill_wide(book, synthetic, county, style)
    book.close()


def _fill_wide(book: Any, synthetic: CountySet, county: int, style: Style) -> None:
    """Write a row for each quarter."""
    sheet = book.add_worksheet("季报")
    places = synthetic.places
    province = places.province[county]
    name = f"{places.province_names[province]}{places.names[county]}"
    sheet.write(0, 0, f"{name} 财政收支与债务季报（累计数）　{SYNTHETIC_TITLE}")
    sheet.write(1, 0, "单位：万元")
    keys = ["地区编码", "地区", "级次", "上级编码", "期间", "公布日期", "数据状态", "数据性质"]
    top = _write_headings(book, sheet, keys, style)
    day_format = book.add_format({"num_format": "yyyy-mm-dd"})
    for row, t in enumerate(synthetic.rows(county), start=top):
        year, number = divmod(synthetic.first + t, 4)
        day = synthetic.published[county, t].astype(dt.date)
        texts = [
            places.codes[county],
            places.names[county],
            "县级",
            places.province_codes[province],
            style.period(year, number + 1),
            None,
            synthetic.status(t),
            "合成",
        ]
        sheet.write_row(row, 0, texts)
        if style.money_mark:
            sheet.write(row, 5, f"{day.year}年{day.month}月{day.day}日")
        else:
            sheet.write_datetime(row, 5, day, day_format)
        figures = [style.figure(synthetic.cell(county, t, name)) for name in FIELDS]
        sheet.write_row(row, len(keys), figures)


def _write_headings(book: Any, sheet: Any, keys: list[str], style: Style) -> int:
    """Write one or two rows of headings; returns the first row below them."""
    headings = [*keys, *(style.heading(name) for name in FIELDS)]
    if not style.groups:
        sheet.write_row(2, 0, headings)
        return 3
    middle = book.add_format({"align": "center", "valign": "vcenter"})
    for column, text in enumerate(keys):
        sheet.merge_range(2, column, 3, column, text, middle)
    left = len(keys)
    for group, names in GROUPS:
        sheet.merge_range(2, left, 2, left + len(names) - 1, group, middle)
        left += len(names)
    sheet.write_row(3, len(keys), headings[len(keys) :])
    return 4


def _fill_across(book: Any, synthetic: CountySet, county: int, style: Style) -> None:
    """Write a sheet for each year, a row for each item and a column for each period."""
    places = synthetic.places
    province = places.province[county]
    title = f"{places.province_names[province]}{places.names[county]}"
    years: dict[int, list[int]] = {}
    for t in synthetic.rows(county):
        years.setdefault((synthetic.first + t) // 4, []).append(t)
    for year, quarters in years.items():
        sheet = book.add_worksheet(f"{year}年")
        published = synthetic.published[county, quarters].max().astype(dt.date)
        remarks = (
            f"{title} {year}年财政收支与债务情况（累计数）　{SYNTHETIC_TITLE}",
            f"地区编码：{places.codes[county]}",
            f"地区：{places.names[county]}",
            "级次：县级",
            f"公布日期：{published}",
            f"数据状态：{synthetic.status(quarters[-1])}",
        )
        sheet.write_column(0, 0, remarks)
        periods = [style.period(*_year_and_number(synthetic.first + t)) for t in quarters]
        sheet.write_row(len(remarks), 0, ["项目", "计量单位", *periods, "上级编码", "数据性质"])
        for row, name in enumerate(FIELDS, start=len(remarks) + 1):
            field = field_named(name)
            unit = "人" if field.quantity == "people" else "万元"
            figures = [synthetic.cell(county, t, name) for t in quarters]
            parent = places.province_codes[province]
            sheet.write_row(row, 0, [field.zh, unit, *figures, parent, "合成"])


def _year_and_number(ordinal: int) -> tuple[int, int]:
    return ordinal // 4, ordinal % 4 + 1
