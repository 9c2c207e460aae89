"""Open xlsx, csv and parquet files as plain grids of cells.

Only this file knows file formats. Every way in which a file can fail to open ends in a
:class:`~debtwatch.panel.problem.Problem` of severity ``refuse``.
"""

from __future__ import annotations

import csv
import gzip
import io
import posixpath
import re
import zipfile
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from xml.parsers import expat

from debtwatch.panel.problem import Problem

_OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
MAX_UNPACKED_BYTES = 2**30
MAX_CELLS = 20_000_000
EXCEL_SUFFIXES = {".xlsx", ".xlsm", ".xls", ".ods"}
DELIMITED_SUFFIXES = {".csv", ".txt", ".tsv"}


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
        A workbook, a csv file (UTF-8 with or without BOM, UTF-16 with BOM, GB18030; also packed
        as ``.csv.gz``) or a parquet file.

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
    packed = suffix == ".gz" and Path(path.stem).suffix.lower() in DELIMITED_SUFFIXES
    if packed or suffix in DELIMITED_SUFFIXES:
        return _packed(name, content) if packed else _delimited(name, content)
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


def _packed(name: str, content: bytes) -> Opened:
    try:
        with gzip.open(io.BytesIO(content)) as stream:
            unpacked = stream.read(MAX_UNPACKED_BYTES + 1)
    except (OSError, EOFError, zlib.error) as error:
        return Opened(content, problem=_unreadable(name, str(error)))
    if len(unpacked) > MAX_UNPACKED_BYTES:
        return Opened(content, problem=_unreadable(name, "it unpacks to over 1 GiB"))
    return _delimited(name, unpacked)


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


#: What keeps a cell from being a plain value.
FORMULA, ERROR, MERGED = "formula", "error", "merged"


def marks_of(content: bytes) -> dict[str, dict[tuple[int, int], str]]:
    """Find the cells of a workbook that hold a formula or an error instead of a value.

    A reader of values sees only what a spreadsheet program stored beside a formula: nothing, a
    zero or an old result. Files of the xlsx and ods kinds are searched; others give nothing.

    Parameters
    ----------
    content : bytes
        A file that :func:`open_sheets` has opened.

    Returns
    -------
    dict from sheet to dict from (row, column) to mark
        :data:`FORMULA` or :data:`ERROR`, and in ods files :data:`MERGED`; positions count from 0.

    Raises
    ------
    ValueError
        When a part of the workbook is not the plain XML that such files hold.

    Examples
    --------
    >>> marks_of(b"a,b")
    {}
    """
    if not content.startswith(b"PK"):
        return {}
    archive = zipfile.ZipFile(io.BytesIO(content))
    names = set(archive.namelist())
    if "xl/workbook.xml" in names:
        marks = {}
        for sheet, part in _sheet_parts(archive).items():
            if part in names:
                data = archive.read(part)
                # Most sheets hold plain values: they are told apart without a parser.
                marks[sheet] = _CellMarks().read(data) if _MARKED.search(data) else {}
        return marks
    if "content.xml" in names:
        return _OpenDocumentMarks().read(archive.read("content.xml"))
    return {}


MAX_ARRAY = 20_000
_MARKED = re.compile(rb"<(?:\w+:)?f[\s/>]|\bt\s*=\s*[\"']e[\"']|<!DOCTYPE|^(?:\xff\xfe|\xfe\xff)")
_REFERENCE = re.compile(r"([A-Z]{1,3})(\d{1,7})")


def _parse(data: bytes, start: Callable[[str, dict[str, str]], None]) -> None:
    """Run over the elements of a part; a declaration of entities or of a type is refused."""
    parser = expat.ParserCreate()

    def refuse(*_declaration: object) -> None:
        raise ValueError("it declares XML entities")

    parser.StartDoctypeDeclHandler = refuse
    parser.StartElementHandler = lambda name, values: start(name.rpartition(":")[2], values)
    try:
        parser.Parse(data, True)
    except expat.ExpatError as error:
        raise ValueError(str(error)) from error


def _sheet_parts(archive: zipfile.ZipFile) -> dict[str, str]:
    """Part of the archive that holds each sheet of an xlsx file."""
    targets: dict[str, str] = {}
    ids: dict[str, str] = {}

    def relation(name: str, values: dict[str, str]) -> None:
        if name == "Relationship":
            target = values.get("Target", "")
            inside = target.lstrip("/") if target.startswith("/") else f"xl/{target}"
            targets[values.get("Id", "")] = posixpath.normpath(inside)

    def sheet(name: str, values: dict[str, str]) -> None:
        if name == "sheet":
            key = next((v for k, v in values.items() if k.endswith(":id")), "")
            ids[values.get("name", "")] = key

    _parse(archive.read("xl/_rels/workbook.xml.rels"), relation)
    _parse(archive.read("xl/workbook.xml"), sheet)
    return {name: targets[key] for name, key in ids.items() if key in targets}


class _CellMarks:
    """Formulas and errors of one sheet of an xlsx file."""

    def __init__(self) -> None:
        self.row, self.column = -1, -1
        self.marks: dict[tuple[int, int], str] = {}

    def read(self, data: bytes) -> dict[tuple[int, int], str]:
        _parse(data, self.start)
        return self.marks

    def start(self, name: str, values: dict[str, str]) -> None:
        if name == "row":
            number = values.get("r", "")
            self.row = int(number) - 1 if number.isdigit() else self.row + 1
            self.column = -1
        elif name == "c":
            found = _REFERENCE.fullmatch(values.get("r", ""))
            self.column = _column_number(found[1]) if found else self.column + 1
            if found:
                self.row = int(found[2]) - 1
            if values.get("t") == "e":
                self.marks[self.row, self.column] = ERROR
        elif name == "f":
            self.marks[self.row, self.column] = FORMULA
            if values.get("t") == "array":  # one formula fills several cells
                self.fill(values.get("ref", ""))

    def fill(self, area: str) -> None:
        corners = [_REFERENCE.fullmatch(corner) for corner in area.split(":")]
        if len(corners) == 2 and corners[0] and corners[1]:
            (left, top), (right, bottom) = corners[0].groups(), corners[1].groups()
            rows = range(int(top) - 1, min(int(bottom), int(top) + MAX_ARRAY))
            columns = range(_column_number(left), _column_number(right) + 1)
            self.marks |= {(r, c): FORMULA for r in rows for c in columns}


class _OpenDocumentMarks:
    """Formulas and merged cells of an ods file."""

    def __init__(self) -> None:
        self.row, self.next_row, self.next_column = 0, 0, 0
        self.marks: dict[str, dict[tuple[int, int], str]] = {}
        self.own: dict[tuple[int, int], str] = {}

    def read(self, data: bytes) -> dict[str, dict[tuple[int, int], str]]:
        _parse(data, self.start)
        return self.marks

    def start(self, name: str, values: dict[str, str]) -> None:
        plain = {k.rpartition(":")[2]: v for k, v in values.items()}
        if name == "table":
            self.own = self.marks.setdefault(plain.get("name", ""), {})
            self.next_row = 0
        elif name == "table-row":
            self.row, self.next_column = self.next_row, 0
            self.next_row += _count(plain.get("number-rows-repeated"))
        elif name in {"table-cell", "covered-table-cell"}:
            spans = {plain.get(f"number-{x}-spanned", "1") for x in ("rows", "columns")}
            mark = FORMULA if "formula" in plain else MERGED if spans != {"1"} else ""
            if mark:
                self.own[self.row, self.next_column] = mark
            self.next_column += _count(plain.get("number-columns-repeated"))


def _count(text: str | None) -> int:
    return int(text) if text and text.isdigit() else 1


def _column_number(letters: str) -> int:
    number = 0
    for letter in letters:
        number = number * 26 + ord(letter) - 64
    return number - 1
