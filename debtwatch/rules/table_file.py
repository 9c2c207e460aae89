"""Tables as files for :mod:`debtwatch.rules.table`: csv, workbooks and parquet, in and out.

The rows of a file stay in an in-memory database, so that only the columns a rulebook reads become
numbers and every other cell is written back as it came.
"""

from __future__ import annotations

import csv
import datetime as dt
import glob
import gzip
import io
import os
import re
import zlib
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from debtwatch.errors import DataProblem
from debtwatch.language import N_
from debtwatch.rules.rulebook import Rulebook
from debtwatch.rules.table import PERIOD_COLUMNS, Assessed, assess_rows, fields_of, versions_named

if TYPE_CHECKING:
    import duckdb

DELIMITED = (".csv", ".tsv", ".txt")
SUFFIXES = (".csv", ".xlsx", ".parquet")


def assess_file(
    table: Path,
    out: Path,
    books: Sequence[Rulebook],
    asked: str,
    *,
    period: str | None = None,
    as_of: dt.date | None = None,
) -> Assessed:
    """Read a table, apply a rulebook, write the result; see :func:`assess_table`.

    Parameters
    ----------
    table, out : Path
        Files; the suffix of ``out`` decides its form.
    books, asked, period, as_of
        As in :func:`assess_table`.

    Returns
    -------
    Assessed
        Its ``table`` holds only the columns that were read and the added ones.
    """
    check_out(out)
    kinds = fields_of(versions_named(books, asked).books)
    loaded = load_table(table, kinds, [] if period is None else [period])
    with loaded.connection:
        # Every name of the file counts: an added column takes none of them.
        frame = loaded.frame
        result = assess_rows(frame, books, asked, period=period, as_of=as_of, taken=loaded.header)
        write_table(loaded, result.added, out)
    return result


@dataclass(frozen=True)
class Loaded:
    """A table read from a file.

    Attributes
    ----------
    header : tuple of str
        Column names as the file has them.
    frame : DataFrame
        The columns asked for, ready for :func:`assess_table`.
    rows : int
    connection : duckdb.DuckDBPyConnection
        Holds every cell, unchanged, in table ``original`` with columns ``c0``, ``c1``, ...
    cells : list of list or None
        Cells of a workbook, where one column may mix numbers and text.
    untyped : bool
        Whether the file knows only text, numbers included.
    """

    header: tuple[str, ...]
    frame: pd.DataFrame
    rows: int
    connection: duckdb.DuckDBPyConnection
    cells: list[list[Any]] | None = None
    untyped: bool = False


def load_table(path: Path, kinds: Mapping[str, str], extra: Sequence[str] = ()) -> Loaded:
    """Read a csv, workbook or parquet file.

    Parameters
    ----------
    path : Path
        A csv file may be packed (``.csv.gz``).
    kinds : mapping from column name to kind
        Columns to take into the frame, as :func:`fields_of` gives them.
    extra : sequence of str
        Further columns, such as that of periods.

    Raises
    ------
    DataProblem
        When the file cannot be read.
    """
    import duckdb  # noqa: PLC0415 - a reader is loaded when one is needed

    connection = duckdb.connect(":memory:")
    header = None
    suffix = _suffix(path)
    if path.is_file() and path.stat().st_size:
        with suppress(duckdb.Error, UnicodeDecodeError, csv.Error, OSError, EOFError, zlib.error):
            if suffix in DELIMITED:
                header = _open_delimited(connection, path)
            elif suffix == ".parquet":
                header = _open_parquet(connection, path)
    cells = None
    if header is None:  # another encoding, ragged rows, a workbook, or a fault to be named
        header, cells = _open_cells(path, kinds)
        _store_cells(connection, header, cells)
    rows = int(connection.execute("SELECT count(*) FROM original").fetchall()[0][0])
    wanted = _wanted(header, kinds, extra)
    values = {k: _column(connection, k, kind) for k, kind in wanted.items()}
    frame = pd.DataFrame(values, index=pd.RangeIndex(rows))
    frame.columns = pd.Index([header[k] for k in wanted], dtype=object)
    untyped = suffix in DELIMITED
    return Loaded(tuple(header), frame, rows, connection, None if untyped else cells, untyped)


def _suffix(path: Path) -> str:
    """Suffix that tells the form: of a packed file that within."""
    suffix = path.suffix.lower()
    return Path(path.stem).suffix.lower() if suffix == ".gz" else suffix


def _wanted(
    header: Sequence[str], kinds: Mapping[str, str], extra: Sequence[str]
) -> dict[int, str]:
    """Positions of the columns to read, each with its kind."""
    also = {name.strip().casefold() for name in (*extra, *PERIOD_COLUMNS)}
    wanted = {}
    for position, raw in enumerate(header):
        name = raw.strip()
        stem, _, number = name.rpartition("_")
        if name in kinds:
            wanted[position] = kinds[name]
        elif kinds.get(stem) == "series" and number.isdigit():
            wanted[position] = "number"
        elif name.casefold() in also:
            wanted[position] = "text"
    return wanted


def _open_delimited(connection: duckdb.DuckDBPyConnection, path: Path) -> list[str] | None:
    """Read a clean UTF-8 file at the database's speed; None when it is not one."""
    opened = gzip.open if path.suffix.lower() == ".gz" else open
    with opened(path, "rt", encoding="utf-8-sig", newline="") as stream:
        first = stream.readline()
        delimiter = max((",", "\t", ";"), key=first.count)
        stream.seek(0)
        header = next(csv.reader(stream, delimiter=delimiter), [])
    # The database loses rows without a word when a name holds a line break of another kind.
    if not header or any(sign in name for name in header for sign in "\0\r\n"):
        return None
    names = ", ".join(f"'c{k}': 'VARCHAR'" for k in range(len(header)))
    connection.execute(
        "CREATE TABLE original AS SELECT * FROM read_csv(?, auto_detect=false, header=true, "  # noqa: S608 - names are c0, c1, ...
        f"delim='{delimiter}', quote='\"', escape='\"', columns={{{names}}})",
        [glob.escape(str(path))],
    )
    return header


def _open_parquet(connection: duckdb.DuckDBPyConnection, path: Path) -> list[str]:
    source = f"read_parquet({_quoted(glob.escape(str(path)))})"
    described = connection.execute(f"DESCRIBE SELECT * FROM {source}").fetchall()  # noqa: S608
    header = [str(row[0]) for row in described]
    names = ", ".join(f"c{k}" for k in range(len(header)))
    connection.execute(f"CREATE TABLE original AS SELECT * FROM {source} AS t({names})")  # noqa: S608
    return header


def _open_cells(path: Path, kinds: Mapping[str, str]) -> tuple[list[str], list[list[Any]]]:
    """Header and rows of the first sheet that has a known column, else of the first sheet."""
    from debtwatch.panel.sheets import open_sheets  # noqa: PLC0415

    opened = open_sheets(path)
    if opened.problem is not None:
        problem = opened.problem
        raise DataProblem("{file}: {what} {mend}", file=path, what=problem.what, mend=problem.mend)
    tables = []
    for sheet in opened.sheets:
        rows = [k for k, row in enumerate(sheet.rows) if any(cell is not None for cell in row)]
        if rows:
            tables.append(sheet.rows[rows[0] : rows[-1] + 1])
    if not tables:
        raise DataProblem(N_("{path} is empty: its first row must name the columns."), path=path)
    known = [t for t in tables if any(str(cell).strip() in kinds for cell in t[0])]
    table = (known or tables)[0]
    width = max(k + 1 for k, cell in enumerate(table[0]) if cell is not None)
    for number, row in enumerate(table[1:], start=2):
        if any(cell is not None for cell in row[width:]):
            raise DataProblem(
                N_("{path}: row {row} has more cells than the first row has names."),
                path=path,
                row=number,
            )
    cells = [[*row[:width], *[None] * (width - len(row))] for row in table]
    return ["" if cell is None else str(cell) for cell in cells[0]], cells[1:]


def _store_cells(
    connection: duckdb.DuckDBPyConnection, header: Sequence[str], cells: list[list[Any]]
) -> None:
    columns = [_typed([row[k] for row in cells]) for k in range(len(header))]
    frame = pd.concat(columns, axis=1, keys=[f"c{k}" for k in range(len(header))])
    connection.register("given", frame)
    connection.execute("CREATE TABLE original AS SELECT * FROM given")
    connection.unregister("given")


def _typed(cells: list[Any]) -> pd.Series[Any]:
    """Cells of one column: numbers where all are, else the text of each."""
    kinds = {type(cell) for cell in cells if cell is not None}
    if kinds and kinds <= {int, float}:
        numbers = pd.Series(cells, dtype="float64")
        whole = numbers.dropna()
        if ((whole % 1 == 0) & (whole.abs() < 2**53)).all():
            return numbers.astype("Int64")
        return numbers
    if kinds in ({dt.datetime}, {dt.date}):
        return pd.Series(pd.to_datetime(pd.Series(cells, dtype=object)))
    return pd.Series([None if cell is None else _cell_text(cell) for cell in cells], dtype="str")


def _cell_text(cell: Any) -> str:
    if isinstance(cell, bool):
        return str(cell).lower()
    if isinstance(cell, float) and cell.is_integer() and abs(cell) < 2**53:
        return str(int(cell))
    return str(cell)


def _column(connection: duckdb.DuckDBPyConnection, position: int, kind: str) -> Any:
    """One column of ``original``; text that spells plain numbers comes as numbers."""
    name = f"c{position}"
    if _types(connection)[name] == "VARCHAR" and kind in {"number", "flag"}:
        return _spelled(connection, name)
    return connection.execute(f"SELECT {name} FROM original").df()[name]  # noqa: S608


def _spelled(connection: duckdb.DuckDBPyConnection, name: str) -> Any:
    number = f"TRY_CAST({name} AS DOUBLE)"
    values = connection.execute(f"SELECT {number} AS v FROM original").fetchnumpy()["v"]  # noqa: S608
    values = np.ma.filled(np.ma.asarray(values, dtype=np.float64), np.nan)
    rest = connection.execute(
        f"SELECT rowid, {name} FROM original WHERE {name} IS NOT NULL AND "  # noqa: S608
        f"({number} IS NULL OR NOT isfinite({number}) OR contains({name}, '_'))"
    ).fetchall()
    if not rest:
        return values
    cells = values.astype(object)
    cells[np.array([row for row, _ in rest])] = np.array([cell for _, cell in rest], dtype=object)
    return cells


# -- writing files --------------------------------------------------------------------------------

#: What a spreadsheet takes for a formula (full-width signs too), and what is a number all the same.
_TRIGGERS = "=+-@\t\r\n＝＋－＠"
_HARMLESS = r"[+-]?(\d+|\d{1,3}(,\d{3})+)?(\.\d*)?([eE][+-]?\d{1,3})? ?%?|-{1,2}"
_EXACT = r"-?(0|[1-9]\d{0,14})|-?(0|[1-9]\d{0,8})\.\d{1,6}"
_SHEET_ROWS, _CELL_LENGTH = 1_048_575, 32_767


def neutral(text: str) -> str:
    """Text that a spreadsheet cannot take for a formula; numbers stay as they are.

    Examples
    --------
    >>> neutral("=1+1"), neutral("-1,234.5"), neutral("@x"), neutral("county")
    ("'=1+1", '-1,234.5', "'@x", 'county')
    """
    risky = text[:1] and text[0] in _TRIGGERS and not re.fullmatch(_HARMLESS, text, re.ASCII)
    return f"'{text}" if risky else text


def check_out(path: Path) -> None:
    """Refuse an output file that cannot be written, before any work is done.

    Raises
    ------
    DataProblem
        For another suffix, a folder that is not there, or a folder in the file's place.
    """
    if path.suffix.lower() not in SUFFIXES:
        raise DataProblem(
            N_("{path}: the suffix of the output decides its form; give {suffixes}."),
            path=path,
            suffixes=", ".join(SUFFIXES),
        )
    if not path.parent.is_dir():
        raise DataProblem(
            N_("There is no folder {folder}; make it or write elsewhere."), folder=path.parent
        )
    if path.is_dir():
        raise DataProblem(N_("{path} is a folder; name a file."), path=path)


def write_table(loaded: Loaded, added: pd.DataFrame, path: Path) -> None:
    """Write the rows of a file with further columns, whole or not at all.

    Parameters
    ----------
    loaded : Loaded
    added : DataFrame
        As many rows as the file.
    path : Path
        Its suffix says the form: csv (UTF-8 with byte order mark), xlsx or parquet.
    """
    check_out(path)
    header = [*loaded.header, *map(str, added.columns)]
    renamed = added.set_axis([f"a{k}" for k in range(added.shape[1])], axis=1)
    writer = {".csv": _write_csv, ".xlsx": _write_xlsx, ".parquet": _write_parquet}
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        writer[path.suffix.lower()](loaded, renamed, header, part)
        os.replace(part, path)
    finally:
        part.unlink(missing_ok=True)


def _write_csv(loaded: Loaded, added: pd.DataFrame, header: list[str], part: Path) -> None:
    line = io.StringIO()
    csv.writer(line, lineterminator="\r\n").writerow([neutral(name) for name in header])
    top = "\ufeff" + line.getvalue().removesuffix("\r\n") + "\n"  # so a \r in a name is quoted
    if not loaded.rows:
        part.write_text(top, encoding="utf-8", newline="")
        return
    for name in added.select_dtypes("category"):
        words = [neutral(str(word)) for word in added[name].cat.categories]
        added[name] = added[name].cat.rename_categories(words)
    names = [_csv_cell(name, kind) for name, kind in _types(loaded.connection).items()]
    _copy(
        loaded,
        added,
        [*names, *(f"added.{name}" for name in added)],
        part,
        f"FORMAT csv, HEADER false, PREFIX {_quoted(top)}, SUFFIX '\n'",
    )


def _csv_cell(name: str, kind: str) -> str:
    """Cell of the original table, text that reads as a formula made harmless."""
    if kind in {"DOUBLE", "FLOAT", "BIGINT", "INTEGER", "BOOLEAN"}:
        return name
    text = name if kind == "VARCHAR" else f"CAST({name} AS VARCHAR)"
    codes = ", ".join(str(ord(sign)) for sign in _TRIGGERS)
    return (
        f"CASE WHEN unicode({text}) IN ({codes}) AND NOT regexp_full_match({text}, "
        f"{_quoted(_HARMLESS)}) THEN '''' || {text} ELSE {text} END"
    )


def _write_parquet(loaded: Loaded, added: pd.DataFrame, header: list[str], part: Path) -> None:
    folded = [name.casefold() for name in header]
    if twice := sorted({n for n, f in zip(header, folded, strict=True) if folded.count(f) > 1}):
        raise DataProblem(
            N_("A parquet file needs distinct column names; these are not: {names}."),
            names=", ".join(twice),
        )
    names = [*_typed_names(loaded), *(f"added.{name}" for name in added)]
    columns = [f"{n} AS {_identifier(h)}" for n, h in zip(names, header, strict=True)]
    _copy(loaded, added, columns, part, "FORMAT parquet")


def _write_xlsx(loaded: Loaded, added: pd.DataFrame, header: list[str], part: Path) -> None:
    import xlsxwriter  # noqa: PLC0415 - a writer is loaded when one is needed

    if loaded.rows > _SHEET_ROWS:
        raise DataProblem(
            N_("{rows} rows do not fit into a worksheet; write csv or parquet."), rows=loaded.rows
        )
    rows = loaded.cells
    if rows is None:
        names = ", ".join(_typed_names(loaded))
        query = f"SELECT {names} FROM original"  # noqa: S608 - names are c0, c1, ...
        rows = [list(row) for row in loaded.connection.execute(query).fetchall()]
    further = added.astype(object).where(added.notna(), None).to_numpy().tolist()
    options = {"constant_memory": True, "strings_to_formulas": False, "strings_to_urls": False,
               "strings_to_numbers": False, "default_date_format": "yyyy-mm-dd"}  # fmt: skip
    with xlsxwriter.Workbook(str(part), options) as book:
        sheet = book.add_worksheet("assessed")
        for r, row in enumerate([header, *(a + b for a, b in zip(rows, further, strict=True))]):
            for c, cell in enumerate(row):
                _write_cell(sheet, r, c, cell)


def _write_cell(sheet: Any, row: int, column: int, cell: Any) -> None:
    if cell is None or cell == "" or (isinstance(cell, float) and np.isnan(cell)):
        return
    if isinstance(cell, bool):
        sheet.write_boolean(row, column, cell)
    elif isinstance(cell, int | float) and abs(cell) < 1e300:
        sheet.write_number(row, column, cell)
    elif isinstance(cell, dt.date | dt.time):
        sheet.write_datetime(row, column, cell)
    elif sheet.write_string(row, column, str(cell)):
        raise DataProblem(
            N_("The cell in row {row}, column {column} does not fit into a worksheet; write csv "
               "or parquet."),
            row=row + 1,
            column=column + 1,
        )  # fmt: skip


def _types(connection: duckdb.DuckDBPyConnection) -> dict[str, str]:
    """Columns of the table ``original`` and their types."""
    described = connection.execute("DESCRIBE original").fetchall()
    return {str(row[0]): str(row[1]) for row in described}


def _typed_names(loaded: Loaded) -> list[str]:
    """Columns for typed files: text becomes numbers where every cell spells one exactly."""
    names = []
    for name, kind in _types(loaded.connection).items():
        exact = False
        if kind == "VARCHAR" and loaded.untyped:
            test = f"bool_and(regexp_full_match({name}, {_quoted(_EXACT)}))"
            query = f"SELECT {test} FROM original"  # noqa: S608 - names are c0, c1, ...
            exact = bool(loaded.connection.execute(query).fetchall()[0][0])
        names.append(f"CAST({name} AS DOUBLE)" if exact else name)
    return names


def _copy(
    loaded: Loaded, added: pd.DataFrame, columns: Sequence[str], part: Path, options: str
) -> None:
    loaded.connection.register("added", added)
    loaded.connection.execute(
        f"COPY (SELECT {', '.join(columns)} FROM original POSITIONAL JOIN added) "  # noqa: S608
        f"TO {_quoted(str(part))} ({options})"
    )
    loaded.connection.unregister("added")


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def _identifier(text: str) -> str:
    return '"' + text.replace('"', '""') + '"'
