"""Plain tables of the classifier: forms of files, keys, cells, joins, and hostile input."""

from __future__ import annotations

import gzip
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from debtwatch.early_warning.column_values import read_figures, read_periods
from debtwatch.early_warning.sample import Observations
from debtwatch.early_warning.spec import Spec
from debtwatch.early_warning.table import column_kinds, read_observations
from debtwatch.early_warning.targets import label
from debtwatch.errors import DataProblem
from debtwatch.panel import sheets
from debtwatch.panel.period import quarter
from debtwatch.panel.sheets import open_sheets
from debtwatch.provenance import sha256_of_file
from tests.conftest import SHARED, needs_shared

WORDS = {"zh": "例", "en": "example"}
NAN = float("nan")
Write = Callable[..., Path]


def spec_of(
    *features: str | dict[str, Any], target: dict[str, Any] | None = None, **more: Any
) -> Spec:
    """Specification with features of columns ``r`` or those named."""
    listed = [{"of": f} if isinstance(f, str) else f for f in features or ("r",)]
    target = target or {"kind": "entry", "horizon": 1, "ratio": "r", "line": 1.0}
    return Spec.model_validate(
        {"id": "x", "title": WORDS, "country": "XX", "target": target,
         "feature": [{"id": f"f{k}", "label": WORDS, **f} for k, f in enumerate(listed)], **more}
    )  # fmt: skip


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Write lines of a csv file."""

    def lines(*rows: str, name: str = "a.csv", encoding: str = "utf-8") -> Path:
        path = tmp_path / name
        path.write_bytes("".join(f"{row}\n" for row in rows).encode(encoding))
        return path

    return lines


def said(observations: Observations) -> list[str]:
    return [note.template.format(**note.values) for note in observations.notes]


def cells(observations: Observations, *columns: str) -> list[list[Any]]:
    return observations.frame[list(columns)].to_numpy(dtype=object).tolist()


# -- forms of files -------------------------------------------------------------------------------

GRID = pd.DataFrame({"unit": ["007", "007", "12"], "period": ["2020", "2021", "2021"],
                     "word": ["A", None, "n.d."], "r": [0.5, NAN, 1e16]})  # fmt: skip
FORMS = ("csv", "csv.gz", "xlsx", "parquet", "GB18030", "UTF-16")


def write_parquet(frame: pd.DataFrame, path: Path) -> None:
    connection = duckdb.connect(":memory:")
    with connection:
        connection.register("given", frame)
        connection.execute(f"COPY given TO '{path}' (FORMAT parquet)")


@pytest.mark.parametrize("form", FORMS)
def test_every_form_of_file_reads_alike(form: str, tmp_path: Path) -> None:
    path = tmp_path / f"a.{form if form.islower() else 'csv'}"
    if form == "xlsx":
        GRID.to_excel(path, index=False, engine="xlsxwriter")
    elif form == "parquet":
        write_parquet(GRID, path)
    else:
        encoding = "utf-8" if form.islower() else form
        GRID.rename(columns={"r": "负债率"}).to_csv(path, index=False, encoding=encoding)
    name = "r" if form in {"xlsx", "parquet"} else "负债率"
    target = {"kind": "entry", "horizon": 1, "ratio": name, "line": 1.0}
    spec = spec_of(name, {"of": "word", "measure": "is", "value": "A"}, target=target)
    observations = read_observations([path], spec)
    assert cells(observations, "unit", "group", "period", "word") == [
        ["007", "007", 2020, "A"], ["007", "007", 2021, None], ["12", "12", 2021, None]
    ]  # fmt: skip
    np.testing.assert_array_equal(observations.frame[name], [0.5, NAN, 1e16])
    assert observations.frame[name].dtype == np.float64
    assert observations.sources == {path.name: sha256_of_file(path)}
    assert observations.frequency == "year"


@pytest.mark.parametrize("damage", ["cut", "not packed", "inside"])
def test_a_damaged_packed_file_is_named(damage: str, tmp_path: Path) -> None:
    path = tmp_path / "a.csv.gz"
    rows = "".join(f"u{k},2020,{k}.5\n" for k in range(20_000))
    packed = gzip.compress(f"unit,period,r\n{rows}".encode())
    if damage == "inside":
        middle = len(packed) // 2
        packed = packed[:middle] + b"\0" * 40 + packed[middle + 40 :]
    path.write_bytes(packed[: len(packed) // 2] if damage == "cut" else packed)
    if damage == "not packed":
        path.write_text("unit,period,r\na,2020,0.5\n")
    with pytest.raises(DataProblem, match=r"a\.csv\.gz"):
        read_observations([path], spec_of())


def test_a_packed_file_in_another_encoding(tmp_path: Path) -> None:
    path = tmp_path / "a.csv.gz"
    path.write_bytes(gzip.compress("unit,period,r\n甲,2020,1\n甲,2021,2\n".encode("gb18030")))
    assert read_observations([path], spec_of()).frame["unit"].tolist() == ["甲", "甲"]


def test_a_packed_file_may_not_swell(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a.csv.gz"
    path.write_bytes(gzip.compress(b"0" * 5000))
    assert open_sheets(path).problem is None
    monkeypatch.setattr(sheets, "MAX_UNPACKED_BYTES", 4999)
    problem = open_sheets(path).problem
    assert problem is not None
    assert "unpacks" in str(problem.details["reason"])


def test_files_that_are_no_tables(write: Write, tmp_path: Path) -> None:
    for path in (tmp_path / "none.csv", tmp_path, write(name="empty.csv"),
                 write("unit,period,r", "a,2020,1", name="a.doc")):  # fmt: skip
        with pytest.raises(DataProblem):
            read_observations([path], spec_of())


# -- keys -----------------------------------------------------------------------------------------


def test_rows_are_sorted_and_known_after_the_lag(write: Write) -> None:
    path = write("unit,period,r", "b,2021Q3,1", "a,2021Q4,2", "a,2021Q3,3")
    observations = read_observations([path], spec_of(data={"lag_days": 45}))
    assert observations.frequency == "quarter"
    assert cells(observations, "unit", "period", "r") == [
        ["a", quarter(2021, 3), 3.0], ["a", quarter(2021, 4), 2.0], ["b", quarter(2021, 3), 1.0]
    ]  # fmt: skip
    days = observations.frame["known_from"].dt.strftime("%Y-%m-%d").tolist()
    assert days == ["2021-11-14", "2022-02-14", "2021-11-14"]
    assert observations.frame["known_from"].dtype == "datetime64[s]"


@pytest.mark.parametrize(
    ("texts", "expected"),
    [
        (["2021", "2022年", "2020.0", "FY2019"], [2021, 2022, 2020, 2019]),
        ([2021, 2020.0, None], [2021, 2020, -1]),
        (["2021Q3", "2021年二季度", "Q1 2021"], [quarter(2021, k) for k in (3, 2, 1)]),
        ([pd.Timestamp("2021-09-30"), "2021-12-31"], [quarter(2021, 3), quarter(2021, 4)]),
    ],
)
def test_ways_to_write_a_period(texts: Sequence[Any], expected: list[int]) -> None:
    column = pd.Series(texts, dtype=object)
    assert read_periods(column, name="p", file="a")[0].tolist() == expected


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        (["a,2021,1", "a,2021Q4,1"], "mixes years such as “2021” with quarters such as “2021Q4”"),
        (["a,2021,1", "a,later,1"], "“later” in row 2 is not a period"),
        (["a,2021,1", "b,2021,2"], "holds 1 period; with a horizon of 1 .* 2 periods .* 3 to be"),
        ([], "holds no row with a government and a period"),
        (["a,2021,1", "a,2020,1", "a,2021,2"], "1 combinations of unit, period .* such as a 2021"),
    ],
)  # fmt: skip
def test_keys_that_cannot_be_used(rows: list[str], message: str, write: Write) -> None:
    with pytest.raises(DataProblem, match=message):
        read_observations([write("unit,period,r", *rows)], spec_of())


def test_duplicates_are_counted_and_three_are_named(write: Write) -> None:
    rows = [f"{unit},2021,{k}" for unit in "abcde" for k in range(3)]
    with pytest.raises(DataProblem, match=r"5 combinations .* such as a 2021; b 2021; c 2021\. "):
        read_observations([write("unit,period,r", *rows, "a,2020,1")], spec_of())


def test_vintages_make_keys_unique(write: Write) -> None:
    rows = ["unit,period,day,r", "a,2020,2021-05-01,1", "a,2020,2021年9月1日,2", "a,2021,,3"]
    spec = spec_of(data={"known_from": "day", "lag_days": 100})
    observations = read_observations([write(*rows)], spec)
    assert observations.frame["known_from"].dt.strftime("%Y-%m-%d").tolist() == [
        "2021-05-01", "2021-09-01", "2022-04-10"
    ]  # fmt: skip
    assert said(observations) == [
        "a.csv: 1 rows have no day in column day; they count as known 100 days after the end of "
        "their period."
    ]
    with pytest.raises(DataProblem, match="such as a 2020 2021-05-01"):
        read_observations([write(*rows, "a,2020,2021-05-01,7")], spec)
    with pytest.raises(DataProblem, match="“spring” in row 4 is not a day"):
        read_observations([write(*rows, "a,2019,spring,7")], spec)


def test_rows_without_a_key_are_left_out_and_counted(write: Write) -> None:
    path = write("unit,period,r", "a,2020,1", "a,2021,1", ",2021,9", "total,,9", ",,")
    observations = read_observations([path], spec_of())
    assert len(observations.frame) == 2
    assert said(observations) == [
        "a.csv: 3 rows without a government or a period are left out."
    ]  # fmt: skip


def test_the_group_falls_back_to_the_government(write: Write) -> None:
    path = write("unit,period,uf,r", "a,2020,X,1", "a,2021,,1", "b,2020,,1")
    observations = read_observations([path], spec_of(data={"group": "uf"}))
    assert observations.frame["group"].tolist() == ["X", "X", "b"]


def test_missing_columns_are_named_with_what_looks_like_them(write: Write) -> None:
    path = write("unit,period,debt_ratio,Revenue", "a,2020,1,2", "a,2021,1,2")
    target = {"kind": "entry", "horizon": 1, "ratio": "debt_rate", "line": 1.0}
    with pytest.raises(DataProblem, match=r"revenue \(≈ Revenue\), debt_rate \(≈ debt_ratio\)"):
        read_observations([path], spec_of("revenue", target=target))
    with pytest.raises(DataProblem, match=r"no column code, which"):
        read_observations([path], spec_of(data={"unit": "code"}))
    twice = write("unit,period,r,r", "a,2020,1,2", "a,2021,1,2")
    with pytest.raises(DataProblem, match="two columns “r”"):
        read_observations([twice], spec_of())


def test_names_of_keys_are_not_free_for_figures(write: Write) -> None:
    path = write("code,year,group,r", "a,2020,3,1", "a,2021,4,2")
    spec = spec_of("group", data={"unit": "code", "period": "year"})
    with pytest.raises(DataProblem, match="Columns named group are the keys"):
        read_observations([path], spec)


# -- cells ----------------------------------------------------------------------------------------


def test_cells_that_are_no_figures_are_counted(write: Write) -> None:
    path = write("unit,period,r", "a,2020,12 km", "a,2021,inf", "b,2020,-Infinity", "b,2021,n.d.",
                 'c,2020,"1,200"', "c,2021,N/A", "d,2020,1e400", "d,2021,0,")  # fmt: skip
    path = write(*path.read_text().replace("0,\n", "0\n").splitlines(), "e,2020,12 km")
    observations = read_observations([path], spec_of())
    np.testing.assert_array_equal(
        observations.frame["r"], [NAN, NAN, NAN, NAN, 1200, NAN, NAN, 0, NAN]
    )
    notes = said(observations)
    assert notes[0].startswith("Column r: 2 infinite figures count as missing")
    assert notes[1].startswith("Column r: 3 cells are not numbers")
    assert "“12 km”" in notes[1]


def test_infinities_of_a_typed_file(tmp_path: Path) -> None:
    frame = pd.DataFrame({"unit": ["a", "a"], "period": [2020, 2021], "r": [np.inf, 0.5]})
    write_parquet(frame, tmp_path / "a.parquet")
    observations = read_observations([tmp_path / "a.parquet"], spec_of())
    np.testing.assert_array_equal(observations.frame["r"], [NAN, 0.5])
    assert said(observations) == ["Column r: 1 infinite figures count as missing."]


def test_sentinels_are_kept_and_said(write: Write) -> None:
    rows = [f"u{k},{year},{0.5 + k / 100}" for k in range(5) for year in (2020, 2021)]
    path = write("unit,period,r", *rows, "z,2020,1e16", "z,2021,-2e16")
    observations = read_observations([path], spec_of())
    assert observations.frame["r"].max() == 1e16
    (note,) = said(observations)
    assert note.startswith("Column r: 2 figures are 1e9 or larger, the usual one is 0.525;")
    money = write("unit,period,r", "a,2020,2e9", "a,2021,3e9")
    assert not read_observations([money], spec_of()).notes


def test_a_column_without_any_figure_is_said(write: Write) -> None:
    path = write("unit,period,r,s", "a,2020,1,", "a,2021,1,n.d.")
    observations = read_observations([path], spec_of("r", "s"))
    assert said(observations) == ["Column s holds no figure: its features are left out."]
    assert observations.frame["s"].dtype == np.float64


def test_true_and_false_are_figures_only_among_themselves() -> None:
    flags = read_figures(pd.Series(["True", "no", None, "是"]), ())
    np.testing.assert_array_equal(flags.values, [1, 0, NAN, 1])
    assert flags.unreadable == 0
    mixed = read_figures(pd.Series(["12", "no"]), ())
    np.testing.assert_array_equal(mixed.values, [12, NAN])
    assert mixed.unreadable == 1


def test_what_only_may_be_missing_is_words_or_figures(write: Write) -> None:
    path = write("unit,period,r,grade,cash", "a,2020,1,n.d.,3", "a,2021,1,A,n.d.", "b,2021,1,C,4")
    spec = spec_of({"of": "grade", "measure": "missing"}, {"of": "cash", "measure": "missing"})
    assert column_kinds(spec)["grade"] == "either"
    observations = read_observations([path], spec)
    assert observations.frame["grade"].tolist() == [None, "A", "C"]
    assert observations.frame["cash"].dtype == np.float64
    assert not observations.notes


def test_a_column_is_words_or_figures(write: Write) -> None:
    spec = spec_of({"of": "r", "measure": "is", "value": "1"})
    with pytest.raises(DataProblem, match="uses r for words and for figures"):
        read_observations([write("unit,period,r", "a,2020,1", "a,2021,1")], spec)


@settings(max_examples=40)
@given(st.lists(st.one_of(st.floats(allow_nan=True), st.text(max_size=6), st.none()), min_size=1))
def test_any_cells_become_finite_figures_or_missing(values: list[Any]) -> None:
    read = read_figures(pd.Series(values, dtype=object), {"n.d."})
    assert not np.isinf(read.values).any()
    for value, figure in zip(values, read.values, strict=True):
        if isinstance(value, float) and abs(value) < 1e30:
            assert figure == value
    assert read.infinite == sum(
        abs(v) >= 1e30 if isinstance(v, float) else str(v).strip().casefold().lstrip("+-") in
        {"inf", "infinity", "∞"} for v in values
    )  # fmt: skip


# -- derived columns ------------------------------------------------------------------------------


def test_derived_columns_are_formulas_over_the_table(write: Write) -> None:
    path = write("unit,period,debt,revenue,grade", "a,2020,6,5,A", "a,2021,6,0,C", "b,2020,1,,n.d.")
    target = {"kind": "entry", "horizon": 1, "ratio": "ratio", "line": 1.0}
    columns = {"ratio": "debt / revenue", "bad": "1 if grade in ['C', 'D'] else 0"}
    spec = spec_of("ratio", "bad", target=target, columns=columns)
    assert column_kinds(spec) == {"debt": "number", "revenue": "number", "grade": "text"}
    frame = read_observations([path], spec).frame
    np.testing.assert_array_equal(frame["ratio"], [1.2, NAN, NAN])
    np.testing.assert_array_equal(frame["bad"], [0, 1, NAN])


def test_a_derived_column_that_is_only_words(write: Write) -> None:
    path = write("unit,period,r,grade", "a,2020,6,A", "a,2021,6,n.d.")
    target = {"kind": "entry", "horizon": 1, "class": "grade", "worse": ["C"]}
    spec = spec_of("r", {"of": "same", "measure": "is", "value": "A"}, target=target,
                   columns={"same": "grade"})  # fmt: skip
    assert read_observations([path], spec).frame["same"].tolist() == ["A", None]


# -- several tables -------------------------------------------------------------------------------


def test_further_tables_are_joined_and_the_first_wins(write: Write) -> None:
    first = write("unit,period,r", "a,2020,1", "a,2021,2", "b,2020,3")
    second = write("unit,period,s,r", "b,2020,30,9", "a,2020,10,9", "z,2020,99,9", name="b.csv")
    observations = read_observations([first, second], spec_of("r", "s"))
    np.testing.assert_array_equal(observations.frame["s"], [10, NAN, 30])
    np.testing.assert_array_equal(observations.frame["r"], [1, 2, 3])
    assert list(observations.sources) == ["a.csv", "b.csv"]


def test_words_that_a_further_table_does_not_give_are_none(write: Write) -> None:
    first = write("unit,period,r", "a,2020,1", "a,2021,2")
    second = write("unit,period,word", "a,2020,A", name="b.csv")
    spec = spec_of("r", {"of": "word", "measure": "is", "value": "A"})
    assert read_observations([first, second], spec).frame["word"].tolist() == ["A", None]


def test_days_of_two_tables_are_interleaved(write: Write) -> None:
    first = write("unit,period,day,r", "a,2020,2021-03-01,1", "a,2020,2021-09-01,",
                  "a,2021,2022-03-01,3")  # fmt: skip
    second = write("unit,period,day,s", "a,2020,2021-06-01,10", "a,2020,2021-09-01,20",
                   "a,2019,2020-06-01,5", name="b.csv")  # fmt: skip
    frame = read_observations([first, second], spec_of("r", "s", data={"known_from": "day"})).frame
    assert frame["known_from"].dt.strftime("%Y-%m").tolist() == [
        "2021-03", "2021-06", "2021-09", "2022-03"
    ]  # fmt: skip
    # The figure of March stands until it is withdrawn in September.
    np.testing.assert_array_equal(frame["r"], [1, 1, NAN, 3])
    np.testing.assert_array_equal(frame["s"], [NAN, 10, 20, NAN])


@settings(max_examples=30)
@given(
    days=st.lists(st.lists(st.integers(1, 9), max_size=4, unique=True), min_size=2, max_size=2),
    ask=st.integers(0, 10),
)
def test_a_join_shows_what_each_table_showed_on_a_day(
    days: list[list[int]], ask: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    paths = []
    for name, listed in zip("rs", [[5, *days[0]], days[1] or [3]], strict=True):
        path = tmp_path_factory.mktemp("join") / f"{name}.csv"
        rows = [f"a,2020,2021-01-0{d},{d}" for d in dict.fromkeys(listed)]
        path.write_text("\n".join([f"unit,period,day,{name}", *rows, "a,2021,2023-01-01,0"]))
        paths.append(path)
    spec = spec_of("r", "s", data={"known_from": "day"})
    frame = read_observations(paths, spec).frame
    seen = frame[(frame["period"] == 2020) & (frame["known_from"].dt.day <= ask)].tail(1)
    for name, listed in zip("rs", [[5, *days[0]], days[1] or [3]], strict=True):
        shown = [d for d in listed if d <= ask]
        value = seen[name].tolist()
        assert [v for v in value if not np.isnan(v)] == ([float(max(shown))] if shown else [])


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        (["a,2020,1", "a,2020,2"], r"b\.csv: 1 combinations .* such as a 2020"),
        (["x,2020,1"], r"No government and period of b\.csv is in a\.csv"),
        (["a,2020Q1,1"], r"Of b\.csv and a\.csv one is by years"),
    ],
)
def test_tables_that_cannot_be_joined(rows: list[str], message: str, write: Write) -> None:
    first = write("unit,period,r", "a,2020,1", "a,2021,2")
    with pytest.raises(DataProblem, match=message):
        read_observations([first, write("unit,period,s", *rows, name="b.csv")], spec_of("r", "s"))


def test_vintages_belong_into_the_first_table(write: Write) -> None:
    first = write("unit,period,r", "a,2020,1", "a,2021,2")
    rows = ["unit,period,day,s", "a,2020,2021-05-01,1", "a,2020,2021-06-01,2"]
    second = write(*rows, name="b.csv")
    spec = spec_of("r", "s", data={"known_from": "day", "lag_days": 120})
    with pytest.raises(DataProblem, match=r"give b\.csv first"):
        read_observations([first, second], spec)
    calendar = write(*rows[:2], name="b.csv")
    days = read_observations([first, calendar], spec).frame["known_from"]
    assert days.dt.strftime("%Y-%m-%d").tolist() == ["2021-05-01", "2022-04-30"]


def test_a_list_of_events_reaches_beyond_the_figures(write: Write) -> None:
    first = write("unit,period,r", *(f"{u},{y},1" for u in "ab" for y in (2018, 2019, 2020)))
    events = write("unit,period,default", "a,2021,1", "a,2021,1", "b,2019,1", "z,2019,1",
                   name="events.csv")  # fmt: skip
    target = {"kind": "event", "horizon": 1, "event": "default"}
    spec = spec_of("r", target=target)
    observations = read_observations([first, events], spec)
    frame = observations.frame
    assert len(frame) == 7
    assert frame.loc[frame["period"] == 2021, "known_from"].dt.year.tolist() == [2200]
    assert [text.split(":")[1][:7] for text in said(observations)] == [" 1 rows", " 1 rows"]
    rows = pd.DataFrame({"unit": list("aaabbb"), "period": [2018, 2019, 2020] * 2,
                         "known_period": [2018, 2019, 2020] * 2,
                         "vintage": [0, 1, 2, 4, 5, 6]})  # fmt: skip
    labels = label(observations, spec, (), rows=rows)
    np.testing.assert_array_equal(labels.y, [0, 0, 1, 1, NAN, 0])


# -- real tables ----------------------------------------------------------------------------------


@needs_shared
def test_municipalities_of_brazil_and_japan() -> None:
    folder = SHARED / "data" / "br-capag"
    target = {"kind": "entry", "horizon": 1, "ratio": "ind2_dcor_rcor", "line": 0.95}
    spec = spec_of("ind2_dcor_rcor", "share", {"of": "nota3", "measure": "missing"},
                   target=target, columns={"share": "rev_capital / rev_total"},
                   data={"unit": "ibge_code", "period": "year", "group": "uf"})  # fmt: skip
    observations = read_observations(
        [folder / "capag_municipalities_2020_2022.csv.gz",
         folder / "revenue_expenditure_2020_2022.csv.gz"], spec
    )  # fmt: skip
    assert observations.frame["group"].nunique() == 26
    assert observations.frame["share"].notna().mean() > 0.9
    # Rows that one of the two tables lacks, and 2e16 in the ratio.
    assert [note.values["count"] for note in observations.notes] == [20, 155, 2]
    target = {"kind": "entry", "horizon": 1, "ratio": "real_debt_service_ratio", "line": 13.0}
    burden = "0 if future_burden_not_calculated else future_burden_ratio"
    data = {"unit": "code", "period": "fiscal_year", "group": "prefecture"}
    spec = spec_of("burden", target=target, columns={"burden": burden}, data=data)
    table = SHARED / "data" / "jp-indices" / "municipal_indices_fy2011_2021.csv.gz"
    frame = read_observations([table], spec).frame
    assert frame["unit"].str.len().eq(6).all()
    assert frame["unit"].str.startswith("0").any()
    assert frame["burden"].notna().all()
    assert (frame["burden"] == 0).sum() > 7000


# -- what careless users do -----------------------------------------------------------------------


def test_scoring_needs_one_period_only(write: Write) -> None:
    path = write("unit,period,r", "a,2021,1", "b,2021,2")
    with pytest.raises(DataProblem, match="holds 1 period"):
        read_observations([path], spec_of())
    assert len(read_observations([path], spec_of(), learning=False).frame) == 2


def test_a_derived_number_can_be_a_class(write: Write) -> None:
    target = {"kind": "status", "horizon": 1, "class": "grade", "worse": ["2"]}
    spec = spec_of("r", target=target, columns={"grade": "2 if r > 1 else 1"})
    observations = read_observations([write("unit,period,r", "a,2020,1", "a,2021,3")], spec)
    assert observations.frame["grade"].tolist() == ["1", "2"]


def test_a_formula_that_fails_names_its_column(write: Write) -> None:
    spec = spec_of("twice", columns={"twice": "double(r)"})
    with pytest.raises(DataProblem, match=r"columns\.twice .*no function double"):
        read_observations([write("unit,period,r", "a,2020,1", "a,2021,3")], spec)


def test_percentages_are_no_probabilities(write: Write) -> None:
    spec = spec_of("r", {"of": "p", "measure": "projection"})
    rows = ("unit,period,r,p", "a,2020,1,0.4", "a,2021,3,40")
    with pytest.raises(DataProblem, match=r"Column p is read as a probability, but 1 .* first 40"):
        read_observations([write(*rows)], spec)


def test_codes_that_half_match_are_counted(write: Write) -> None:
    spine = write("unit,period,r", *(f"{u},{y},1" for u in ("01", "10") for y in (2020, 2021)))
    other = write("unit,period,q", "1,2020,5", "1,2021,5", "10,2020,5", name="b.csv")
    observations = read_observations([spine, other], spec_of("r", "q"))
    assert said(observations) == [
        "b.csv: 3 of 4 rows of a.csv have no row in it; its columns are missing there.",
        "b.csv: 2 of 3 rows have no row in a.csv and are not used.",
    ]


def test_days_before_the_period_is_over_are_counted(write: Write) -> None:
    rows = ("unit,period,day,r", "a,2020,2021-04-30,1", "a,2021,2021-12-30,1")
    observations = read_observations([write(*rows)], spec_of(data={"known_from": "day"}))
    assert [note.values["count"] for note in observations.notes] == [1]
    assert "before the end of their period" in said(observations)[0]
