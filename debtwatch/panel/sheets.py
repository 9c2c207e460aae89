"""Open xlsx, csv and parquet files as plain grids of cells.

Only this file knows file formats. Every way in which a file can fail to open ends in a
:class:`~debtwatch.panel.problem.Problem` of severity ``refuse``.
"""

from __future__ import annotations

import csv
import io
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from debtwatch.panel.problem import Problem

_OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
MAX_UNPACKED_BYTES = 2**30
MAX_CELLS = 20_000_000
EXCEL_SUFFIXES = {".xlsx", ".xlsm", ".xls", ".ods"}


@dataclass(frozen=True)
class Sheet:
    """One grid of cells.

    Attributes
    ----------
    name : str
        Name of the sheet; empty for csv and parquet.
    rows : list of list
        Cells as numbers, text, dates or None; rows may differ in length.
    merged : tuple of ((int, int), (int, int))
        Merged ranges as (first row, first column), (last row, last column).
    """

    name: str
    rows: list[list[Any]]
    merged: tuple[tuple[tuple[int, int], tuple[int, int]], ...] = ()


@dataclass(frozen=True)
class Opened:
    """A file's grids, or the problem that kept it shut."""

    content: bytes
    sheets: tuple[Sheet, ...] = ()
    problem: Problem | None = None


def open_sheets(path: Path) -> Opened:
    """Open a file as grids of cells.

    Parameters
    ----------
    path : Path
        A workbook, a csv file (UTF-8 with or without BOM, UTF-16 with BOM, GB18030) or a parquet
        file.

    Returns
    -------
    Opened
        With ``problem`` set, and no sheets, when the file cannot be read.
    """
    name = path.name
    try:
        content = path.read_bytes()
    except OSError as error:
        return Opened(b"", problem=_unopened(path, error))
    if not content:
        return Opened(content, problem=Problem("file-empty", file=name))
    suffix = path.suffix.lower()
    if suffix in EXCEL_SUFFIXES:
        return _workbook(name, content, suffix)
    if suffix in {".csv", ".txt", ".tsv"}:
        return _delimited(name, content)
    if suffix == ".parquet":
        return _parquet(path, content)
    return Opened(content, problem=Problem("file-format", file=name, details={"suffix": suffix}))


def _unopened(path: Path, error: OSError) -> Problem:
    if isinstance(error, FileNotFoundError):
        return Problem("file-missing", file=str(path))
    return _unreadable(path.name, error.strerror or str(error))


def _unreadable(name: str, reason: str) -> Problem:
    one_line = " ".join(reason.split())[:200]
    return Problem("file-unreadable", file=name, details={"reason": one_line})


def _workbook(name: str, content: bytes, suffix: str) -> Opened:
    import python_calamine as calamine  # noqa: PLC0415 - a reader is loaded when one is needed

    if suffix != ".xls" and content.startswith(_OLE):
        return Opened(content, problem=Problem("file-protected", file=name))
    try:
        if suffix != ".xls":
            archive = zipfile.ZipFile(io.BytesIO(content))
            if sum(part.file_size for part in archive.infolist()) > MAX_UNPACKED_BYTES:
                return Opened(content, problem=_unreadable(name, "it unpacks to over 1 GiB"))
            # The checksum of every part is read: a cut or overwritten file is told apart here.
            damaged = archive.testzip()
            if damaged:
                return Opened(content, problem=_unreadable(name, f"damaged part {damaged}"))
        workbook = calamine.load_workbook(io.BytesIO(content))
        sheets = tuple(_sheet(workbook, sheet_name) for sheet_name in workbook.sheet_names)
    except calamine.PasswordError:
        return Opened(content, problem=Problem("file-protected", file=name))
    except Exception as error:  # the reader raises many kinds for damaged files
        return Opened(content, problem=_unreadable(name, str(error) or type(error).__name__))
    return Opened(content, sheets)


def _sheet(workbook: Any, sheet_name: str) -> Sheet:
    sheet = workbook.get_sheet_by_name(sheet_name)
    if sheet.total_height * sheet.total_width > MAX_CELLS:
        raise ValueError(f"sheet {sheet_name} spans more than {MAX_CELLS:,} cells")
    rows = [
        [None if cell == "" else cell for cell in row]
        for row in sheet.to_python(skip_empty_area=False)
    ]
    merged = sheet.merged_cell_ranges or ()
    return Sheet(sheet_name, rows, tuple((tuple(a), tuple(b)) for a, b in merged))


def _decode(content: bytes) -> str:
    if content.startswith((b"\xff\xfe", b"\xfe\xff")):
        return content.decode("utf-16")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError:
        return content.decode("gb18030")


def _delimited(name: str, content: bytes) -> Opened:
    try:
        text = _decode(content)
        if "\0" in text[:4096]:
            return Opened(content, problem=_unreadable(name, "it is not a text file"))
        top = "\n".join(text.split("\n", 20)[:20])  # a title line may hold no separator
        delimiter = max((",", "\t", ";"), key=top.count)
        rows = [
            [cell.strip() or None for cell in row]
            for row in csv.reader(io.StringIO(text), delimiter=delimiter)
        ]
    except (UnicodeDecodeError, csv.Error) as error:
        return Opened(content, problem=_unreadable(name, str(error)))
    return Opened(content, (Sheet("", rows),))


def _not_a_pattern(path: Path) -> str:
    """Path in which brackets and stars stand for themselves."""
    return "".join(f"[{c}]" if c in "[*?" else c for c in str(path))


def _parquet(path: Path, content: bytes) -> Opened:
    import duckdb  # noqa: PLC0415 - a reader is loaded when one is needed

    try:
        with duckdb.connect(":memory:") as connection:
            relation = connection.read_parquet(_not_a_pattern(path))
            header = list(relation.columns)
            rows = [header, *map(list, relation.fetchall())]
    except duckdb.Error as error:
        return Opened(content, problem=_unreadable(path.name, str(error)))
    return Opened(content, (Sheet("", rows),))
