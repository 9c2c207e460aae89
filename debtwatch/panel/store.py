"""The store: append-only vintages in one DuckDB file, read as known on a day.

Nothing is ever changed or deleted. Importing adds the figures that differ from what is already
known; a correction is a further vintage. An import is one transaction: a process killed at any
moment leaves all of a file or none of it. :meth:`Store.known_on` answers what was known on a day.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb
import pandas as pd

from debtwatch.errors import DataProblem
from debtwatch.language import N_
from debtwatch.panel.problem import Problem
from debtwatch.panel.read import ReadResult

#: Schema of a store that holds a register of decisions. One without it may still be of schema 1.
SCHEMA_VERSION = 2
_WITHOUT_REGISTER = 1
_SCHEMA = """
create table about (schema_version integer);
create table imports (
    import_id integer primary key, sha256 varchar, file varchar, known_from date, status varchar,
    synthetic boolean, figures integer
);
create table units (
    import_id integer, unit varchar, name varchar, level varchar, parent varchar, scope varchar,
    known_from date
);
create table observations (
    import_id integer, unit varchar, field varchar, quarter integer, basis varchar, value double,
    status varchar, known_from date, known_from_estimated boolean, sheet varchar,
    "row" integer, "column" integer
);
create table bonds (
    import_id integer, unit varchar, bond varchar, ledger varchar, principal double,
    coupon double, frequency integer, maturity integer, repayment varchar, known_from date
);
create table confirmations (unit varchar, field varchar, quarter integer, known_from date);
"""
#: Tables of the register, with the type of each column; see :mod:`debtwatch.panel.register`.
REGISTER_TABLES = {
    "decisions": {
        "decision_id": "varchar", "recorded": "integer", "content_sha256": "varchar",
        "screened_on": "date", "quarter": "integer", "as_of": "date", "unit": "varchar",
        "code": "varchar", "name": "varchar", "outcome": "varchar", "before_override": "varchar",
        "valid_until": "integer", "earliest": "integer", "reasons": "varchar",
        "project_sha256": "varchar", "rulebooks": "varchar", "indicator": "varchar",
        "line": "double", "line_inclusive": "boolean", "ratio_now": "double",
        "ratio_with_worst": "double", "worst_quarter": "integer", "probability_with": "double",
        "probability_without": "double", "first_quarter": "integer", "path_without": "varchar",
        "path_with": "varchar", "debt_now": "double", "capacity_now": "double",
        "total_investment": "double", "public_debt": "double", "start_quarter": "integer",
        "build_quarters": "integer", "version": "varchar", "seed": "bigint",
        "synthetic": "boolean", "illustrative": "boolean",
    },
    "conditions": {
        "decision_id": "varchar", "number": "integer", "key": "varchar", "zh": "varchar",
        "en": "varchar", "checks": "varchar", "due": "integer",
    },
    "overrides": {
        "decision_id": "varchar", "ground": "varchar", "name": "varchar", "date": "date",
        "reason": "varchar", "lifted": "varchar",
    },
    "condition_events": {
        "recorded": "integer", "decision_id": "varchar", "number": "integer",
        "status": "varchar", "on": "date", "by": "varchar", "note": "varchar",
    },
}  # fmt: skip
_WORDS = ("unit", "field", "basis", "status", "sheet")
_DISTINCT = "select distinct {name} from observations order by 1"
# Figures of a file that are new or different. A different one is known from the later of its own
# day and the day of the correction; `replaces` marks those of the same day as the stored one.
_FRESH = """
create or replace temp table fresh as
select i.* exclude (own_day, day) replace (
           case when known.value is null then i.own_day else i.day end as known_from),
       known.value is not null and known.known_from = i.day as replaces
from (
    select *, cast(known_from as date) as own_day,
           greatest(cast(known_from as date), cast(? as date)) as day
    from incoming
) i left join lateral (
    select arg_max(o.value, (o.known_from, o.import_id)) as value,
           arg_max(o.status, (o.known_from, o.import_id)) as status,
           max(o.known_from) as known_from
    from observations o
    where o.unit = i.unit and o.field = i.field and o.basis = i.basis and o.quarter = i.quarter
      and o.known_from <= i.day
) known on true
where known.value is null or known.value <> i.value or known.status <> i.status
"""


@dataclass(frozen=True)
class Imported:
    """What an import did.

    Attributes
    ----------
    file : str
    figures : int
        Figures read from the file.
    added : int
        Figures that were new or different and were added as a vintage.
    superseded : int
        Of these, figures that replace one of the same publication date.
    known_already : bool
        The same file was imported before, so that nothing was done.
    """

    file: str
    figures: int
    added: int
    superseded: int
    known_already: bool


@dataclass(frozen=True)
class Known:
    """What a store knew on a day.

    Attributes
    ----------
    as_of : date
    observations : DataFrame
        Latest vintage of each (unit, field, basis, quarter); columns ``unit``, ``field``,
        ``quarter``, ``basis``, ``value``, ``status``, ``known_from``, ``known_from_estimated``,
        ``import_id``, ``sheet``, ``row``, ``column``.
    units : DataFrame
        Index ``unit``; columns ``name``, ``level``, ``parent``, ``scope``.
    bonds : DataFrame
        Latest bond list of each unit.
    imports : DataFrame
        Imports that contribute; index ``import_id``; columns ``sha256``, ``file``, ``synthetic``.
    confirmed : frozenset of (unit, field, quarter)
        Doubtful figures that someone confirmed.
    """

    as_of: dt.date
    observations: pd.DataFrame
    units: pd.DataFrame
    bonds: pd.DataFrame
    imports: pd.DataFrame
    confirmed: frozenset[tuple[str, str, int]] = frozenset()

    @property
    def synthetic(self) -> bool:
        """Whether any contributing file declares its data synthetic."""
        return bool(self.imports["synthetic"].any())


class Store:
    """One DuckDB file of vintages. Open it with :func:`open_store`."""

    def __init__(self, connection: duckdb.DuckDBPyConnection, path: Path) -> None:
        self._connection = connection
        self.path = path

    def add(
        self,
        result: ReadResult,
        *,
        known_from: dt.date,
        status: str = "",
        corrected_on: dt.date | None = None,
    ) -> Imported:
        """Add a file's figures as a vintage, in one transaction.

        Parameters
        ----------
        result : ReadResult
            A file that was not refused.
        known_from : date
            Publication date of figures whose row does not say.
        status : str
            Status of figures whose row does not say.
        corrected_on : date, optional
            Day from which figures that differ from stored ones are known, where it is later than
            the day in their row: a correction must not rewrite what was known before.
        """
        if self._has(result, known_from, status):
            return Imported(result.path.name, len(result.observations), 0, 0, known_already=True)
        connection = self._connection
        connection.begin()
        try:
            import_id = self._next_import()
            frame = self._prepared(result.observations, import_id, known_from, status)
            added, superseded = self._add_observations(frame, corrected_on)
            self._add_units(result.units, import_id, known_from)
            self._add_bonds(result.bonds, import_id, known_from)
            self._rows(
                "insert into imports values (?, ?, ?, ?, ?, ?, ?)",
                [
                    import_id,
                    result.sha256,
                    result.path.name,
                    known_from,
                    status,
                    result.synthetic,
                    len(frame),
                ],
            )
            connection.commit()
        except BaseException:
            connection.rollback()
            raise
        return Imported(result.path.name, len(frame), added, superseded, known_already=False)

    def confirm(self, unit: str, field: str, quarter: int, *, known_from: dt.date) -> bool:
        """Confirm a doubtful figure; False when the store holds no such figure."""
        found = self._rows(
            "select 1 from observations where unit = ? and field = ? and quarter = ? limit 1",
            [unit, field, quarter],
        )
        if found:
            self._rows(
                "insert into confirmations values (?, ?, ?, ?)", [unit, field, quarter, known_from]
            )
        return bool(found)

    def known_on(self, day: dt.date) -> Known:
        """Everything that was known on a day: the latest vintage of each figure.

        Parameters
        ----------
        day : date

        Returns
        -------
        Known
            Sees nothing published after the day.
        """
        observations = self._observations_on(day)
        return Known(
            as_of=day,
            observations=observations,
            units=self._units_on(day),
            bonds=self._bonds_on(day),
            imports=self._imports_of(observations),
            confirmed=self._confirmed_on(day),
        )

    def first_known(self) -> pd.DataFrame:
        """Day on which a government's first figures of each quarter were known, budgets apart.

        Returns
        -------
        DataFrame
            Columns ``unit``, ``quarter`` and ``day``, in order of unit and quarter.
        """
        return self._connection.execute(
            """
            select unit, quarter, min(known_from) as day from observations
            where status <> 'budget' group by unit, quarter order by unit, quarter
            """
        ).df()

    def close(self) -> None:
        """Close the file."""
        self._connection.close()

    # -- the register's tables ---------------------------------------------------------------

    @property
    def has_register(self) -> bool:
        """Whether the tables of the register are there."""
        tables = {row[0] for row in self._rows("show tables")}
        return set(REGISTER_TABLES) <= tables

    @contextlib.contextmanager
    def recording(self) -> Iterator[None]:
        """Write to the register in one transaction; an older store gains the tables in it."""
        self._connection.begin()
        try:
            if not self.has_register:
                _create_register(self._connection)
            yield
            self._connection.commit()
        except BaseException:
            self._connection.rollback()
            raise

    def append_rows(self, table: str, rows: list[dict[str, Any]]) -> None:
        """Append rows to a table of the register.

        Parameters
        ----------
        table : str
            One of :data:`REGISTER_TABLES`.
        rows : list of dict
            A value for every column; None where there is none.
        """
        columns = REGISTER_TABLES[table]
        values = ", ".join(f"unnest(?::{kind}[])" for kind in columns.values())
        self._rows(
            f"insert into {table} select {values}",
            [[row[name] for row in rows] for name in columns],
        )

    def read_rows(self, table: str) -> list[dict[str, Any]]:
        """Read a table of the register in the order of recording; nothing where there is none.

        Parameters
        ----------
        table : str
            One of :data:`REGISTER_TABLES`.
        """
        if not self.has_register:
            return []
        columns = REGISTER_TABLES[table]
        names = ", ".join(f'"{name}"' for name in columns)
        order = "recorded" if "recorded" in columns else "all"
        found = self._rows(f"select {names} from {table} order by {order}")  # noqa: S608
        return [dict(zip(columns, row, strict=True)) for row in found]

    # -- parts ------------------------------------------------------------------------------

    def _rows(self, sql: str, values: list[Any] | None = None) -> list[tuple[Any, ...]]:
        return self._connection.execute(sql, values or []).fetchall()

    def _has(self, result: ReadResult, known_from: dt.date, status: str) -> bool:
        """Whether this file is in the store with the same dates and status."""
        dated = result.observations.get("known_from")
        own_dates = dated is not None and len(dated) > 0 and bool(dated.notna().all())
        rows = self._rows(
            "select known_from, status from imports where sha256 = ? and figures = ?",
            [result.sha256, len(result.observations)],
        )
        return any(s == status and (own_dates or day == known_from) for day, s in rows)

    def _next_import(self) -> int:
        return int(self._rows("select coalesce(max(import_id), 0) from imports")[0][0]) + 1

    @staticmethod
    def _prepared(
        observations: pd.DataFrame, import_id: int, known_from: dt.date, status: str
    ) -> pd.DataFrame:
        frame = observations.copy()
        frame.insert(0, "import_id", import_id)
        day = pd.Timestamp(known_from)
        frame["known_from"] = pd.to_datetime(frame["known_from"]).fillna(day)
        frame["known_from_estimated"] = frame["known_from_estimated"].astype(bool)
        frame["status"] = frame["status"].where(frame["status"] != "", status)
        return frame

    def _add_observations(
        self, frame: pd.DataFrame, corrected_on: dt.date | None
    ) -> tuple[int, int]:
        """Append the figures that are new, or differ from what is known on their day."""
        if frame.empty:
            return 0, 0
        connection = self._connection
        connection.register("incoming", frame)
        try:
            self._rows(_FRESH, [corrected_on or dt.date.min])
            self._rows("insert into observations select * exclude (replaces) from fresh")
            counted = "select count(*), count(*) filter (where replaces) from fresh"
            added, superseded = self._rows(counted)[0]
            self._rows("drop table fresh")
        finally:
            connection.unregister("incoming")
        return int(added), int(superseded)

    def _observations_on(self, day: dt.date) -> pd.DataFrame:
        """Latest vintages, words as categories: millions of rows carry few distinct words."""
        words = {
            name: [str(row[0]) for row in self._rows(_DISTINCT.format(name=name))]
            for name in _WORDS
        }
        joins = " ".join(
            f"join (select {n} as w, row_number() over (order by {n}) - 1 as {n}_code "  # noqa: S608
            f"from (select distinct {n} from observations)) {n}_words on {n} = {n}_words.w"
            for n in _WORDS
        )
        codes = ", ".join(f"cast({n}_code as integer) as {n}" for n in _WORDS)
        frame = self._connection.execute(
            f"""
            select {codes}, quarter, value, known_from, known_from_estimated, import_id,
                   "row", "column"
            from (
                select *, row_number() over (
                    partition by unit, field, basis, quarter
                    order by known_from desc, import_id desc
                ) as age
                from observations where known_from <= ?
            ) {joins} where age = 1
            order by unit_code, field_code, quarter, basis_code
            """,  # noqa: S608
            [day],
        ).df()
        for name in _WORDS:
            frame[name] = pd.Categorical.from_codes(frame[name], categories=pd.Index(words[name]))
        return frame

    def _add_units(self, units: pd.DataFrame, import_id: int, known_from: dt.date) -> None:
        rows = [
            [import_id, u.unit, u.name, u.level, u.parent, u.scope, known_from]
            for u in units.itertuples(index=False)
        ]
        if rows:
            frame = pd.DataFrame(
                rows,
                columns=["import_id", "unit", "name", "level", "parent", "scope", "known_from"],
            )
            self._append("units", frame)

    def _add_bonds(self, bonds: pd.DataFrame, import_id: int, known_from: dt.date) -> None:
        if len(bonds):
            frame = bonds.copy()
            frame.insert(0, "import_id", import_id)
            frame["known_from"] = pd.Timestamp(known_from)
            self._append("bonds", frame)

    def _append(self, table: str, frame: pd.DataFrame) -> None:
        self._connection.register("incoming", frame)
        try:
            self._rows(f"insert into {table} select * from incoming")  # noqa: S608
        finally:
            self._connection.unregister("incoming")

    def _units_on(self, day: dt.date) -> pd.DataFrame:
        """Name and level of each unit that has figures known on the day."""
        frame = self._connection.execute(
            """
            select unit, arg_max(name, import_id) as name,
                   coalesce(arg_max(level, import_id) filter (where level <> ''), '') as level,
                   coalesce(arg_max(parent, import_id) filter (where parent <> ''), '') as parent,
                   coalesce(arg_max(scope, import_id) filter (where scope <> ''), '') as scope
            from units where import_id in (
                select distinct import_id from observations where known_from <= ?
            ) group by unit order by unit
            """,
            [day],
        ).df()
        return frame.set_index("unit")

    def _bonds_on(self, day: dt.date) -> pd.DataFrame:
        return self._connection.execute(
            """
            select unit, bond, ledger, principal, coupon, frequency, maturity, repayment
            from bonds b where known_from <= ? and import_id = (
                select max(import_id) from bonds
                where unit = b.unit and known_from <= ?
            ) order by unit, ledger, maturity, bond
            """,
            [day, day],
        ).df()

    def _imports_of(self, observations: pd.DataFrame) -> pd.DataFrame:
        frame = self._connection.execute(
            "select import_id, sha256, file, synthetic from imports order by import_id"
        ).df()
        frame = frame.set_index("import_id")
        return frame[frame.index.isin(observations["import_id"].unique())]

    def _confirmed_on(self, day: dt.date) -> frozenset[tuple[str, str, int]]:
        rows = self._rows(
            "select unit, field, quarter from confirmations where known_from <= ?", [day]
        )
        return frozenset((str(u), str(f), int(q)) for u, f, q in rows)


@contextlib.contextmanager
def open_store(path: Path, *, create: bool = False) -> Iterator[Store]:
    """Open a store for the length of a ``with`` block.

    Parameters
    ----------
    path : Path
    create : bool
        Make a new store when there is no file; also the mode in which figures can be added.

    Raises
    ------
    DataProblem
        When the file is missing, is not a store, or is open in another process.
    """
    new = not path.exists()
    if new and not create:
        raise DataProblem(
            N_(
                "There is no store at {path}. Make one with `debtwatch import FILE --store {path}`."
            ),
            path=path,
        )
    if not path.parent.is_dir():
        raise DataProblem(
            N_("The folder {folder} does not exist; make it first."), folder=path.parent
        )
    connection = _connect(path, read_only=not create)
    try:
        connection.execute("set enable_progress_bar = false").fetchall()
        _ensure_schema(connection, path)
        yield Store(connection, path)
    except (duckdb.IOException, duckdb.InternalException, duckdb.SerializationException) as error:
        raise _not_a_store(path) from error  # a file cut short opens, and fails where it is read
    finally:
        connection.close()


def refuse_unwritable(path: Path) -> None:
    """Refuse a store that this user cannot write to.

    Raises
    ------
    DataProblem
    """
    if path.exists() and not os.access(path, os.W_OK):
        raise DataProblem(
            N_(
                "The store {path} cannot be written: permission is denied. Get write access, or "
                "screen with --no-record."
            ),
            path=path,
        )


def _connect(path: Path, *, read_only: bool) -> duckdb.DuckDBPyConnection:
    if not read_only:
        refuse_unwritable(path)
    try:
        return duckdb.connect(
            str(path),
            read_only=read_only,
            config={
                "autoinstall_known_extensions": "false",
                "autoload_known_extensions": "false",
                "threads": 2,
            },
        )
    except duckdb.Error as error:
        if "lock" in str(error).lower():
            raise DataProblem(
                N_("The store {path} is open in another process; wait until it has finished."),
                path=path,
            ) from error
        raise _not_a_store(path) from error


def _not_a_store(path: Path) -> DataProblem:
    return DataProblem(
        N_(
            "{path} is not a debtwatch store, or it is damaged. Give another path, or import the "
            "files into a new store."
        ),
        path=path,
    )


def _ensure_schema(connection: duckdb.DuckDBPyConnection, path: Path) -> None:
    tables = {row[0] for row in connection.execute("show tables").fetchall()}
    if not tables:
        try:
            connection.begin()
            connection.execute(_SCHEMA).fetchall()
            _create_register(connection)
            connection.commit()
        except duckdb.Error as error:
            raise _not_a_store(path) from error
        return
    if "about" not in tables or "observations" not in tables:
        raise _not_a_store(path)
    found = connection.execute("select max(schema_version) from about").fetchall()[0][0]
    if found not in {_WITHOUT_REGISTER, SCHEMA_VERSION}:
        raise DataProblem(
            N_(
                "The store {path} was written by another version of debtwatch (schema {found}, "
                "expected {expected}). Import the files into a new store."
            ),
            path=path,
            found=found,
            expected=SCHEMA_VERSION,
        )


def _create_register(connection: duckdb.DuckDBPyConnection) -> None:
    """Make the tables and note the schema, which an older program then refuses."""
    for table, columns in REGISTER_TABLES.items():
        listed = ", ".join(f'"{name}" {kind}' for name, kind in columns.items())
        connection.execute(f"create table {table} ({listed})").fetchall()
    connection.execute("insert into about values (?)", [SCHEMA_VERSION]).fetchall()


def superseded_problem(imported: Imported) -> Problem | None:
    """Note that figures of the same publication date were replaced."""
    if not imported.superseded:
        return None
    return Problem("superseded", imported.file, details={"count": imported.superseded})
