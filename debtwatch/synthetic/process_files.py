"""The simulated county panel as files: a plain table, the true probabilities and the SPECs."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from debtwatch.errors import ModelProblem
from debtwatch.language import N_
from debtwatch.panel.period import quarter_end, quarter_text
from debtwatch.resources import models
from debtwatch.synthetic.county_process import (
    LINE,
    Floats,
    Process,
    entry,
    entry_by_horizon,
    simulate_process,
)
from debtwatch.synthetic.whole_folder import check_new_folder, new_folder

HORIZONS = (4, 8)
#: Oracle probabilities are given from the quarter on at which every feature is known.
FIRST_ORIGIN = 8
FEWEST_QUARTERS = 20
#: Share of reports that give total revenue without its parts.
WITHOUT_PARTS = 0.03
_EARLIEST, _LATEST = 25, 44

#: What each column of the table says.
COLUMNS: dict[str, tuple[str, str]] = {
    "unit": ("县代码", "code of the county"),
    "province": ("省代码", "code of the province"),
    "period": ("季度", "quarter"),
    "known_from": ("公布日期", "day of publication"),
    "own_revenue": ("本季自有收入", "own revenue of the quarter"),
    "land_revenue": ("本季土地出让收入", "land revenue of the quarter"),
    "transfer_revenue": ("本季转移支付收入", "transfers of the quarter"),
    "own_revenue_4q": ("最近四个季度自有收入", "own revenue of the last four quarters"),
    "land_revenue_4q": ("最近四个季度土地出让收入", "land revenue of the last four quarters"),
    "transfer_revenue_4q": ("最近四个季度转移支付收入", "transfers of the last four quarters"),
    "revenue_4q": ("最近四个季度综合财力", "all revenue of the last four quarters"),
    "revenue_before": (
        "此前四个季度综合财力",
        "all revenue of the four quarters before those",
    ),
    "spending_4q": (
        "最近四个季度支出（不含付息）",
        "spending of the last four quarters, interest apart",
    ),
    "interest_4q": ("最近四个季度债务付息", "interest of the last four quarters"),
    "debt": ("季末债务余额", "debt at the quarter's end"),
}

_README = """\
合成数据（虚构县，真实风险已知） / Synthetic data (fictional counties of known risk)
=====================================================================================

全部数字由程序模拟产生，不对应任何真实地区，不得引用为事实。用途：检验风险分类模型离“已知答案”还有多远。
Every figure is simulated and describes no real place; it must not be quoted as a fact. The set
measures how far a classifier stays behind the true probability.

县 counties: {counties}
省 provinces: {provinces}
期间 periods: {first} - {last}
种子 seed: {seed}
每县模拟路径数 draws for each oracle probability: {draws}

counties.csv  每县每季一行，金额单位万元 / one row for each county and quarter, amounts in 万元
{columns}
只报收入合计、未报分项的报告（约百分之三）
reports with total revenue without its parts (about 3 in 100): {without_parts}

oracle.csv  由真实过程和真实状态算出的概率 / probabilities from the true process and state
unit, period  县代码、起点季度 / county and quarter of origin
{oracle_columns}
只列债务率低于 {line} 的县 / only counties whose debt ratio is below {line}

债务率 = debt / revenue_4q；达到 {line} 即进入更差的类别。
Debt ratio = debt / revenue_4q; at {line} and above a county is in the worse class.

起点之后四个季度内进入的比例 share that enters within 4 quarters: {base_4}
起点之后八个季度内进入的比例 share that enters within 8 quarters: {base_8}

过程参数 parameters of the process
{parameters}
"""


@dataclass(frozen=True)
class ProcessFiles:
    """Files of a simulated panel.

    Attributes
    ----------
    table : Path
        Plain table, one row for each county and quarter.
    oracle : Path
        True probabilities.
    specs : tuple of Path
        Specifications of a classifier, one for each horizon.
    readme : Path
        What the set is, with the parameters of the process.
    """

    table: Path
    oracle: Path
    specs: tuple[Path, ...]
    readme: Path


def process_table(process: Process) -> pd.DataFrame:
    """Table of what the counties publish: the columns :data:`COLUMNS`.

    Amounts are whole 万元. Each report appears 25 to 44 days after its quarter. In about 3 % of
    them, by chance, the parts of revenue are missing.

    Parameters
    ----------
    process : Process

    Returns
    -------
    DataFrame, shape (counties * quarters, 15)
        Sorted by unit and period.

    Examples
    --------
    >>> table = process_table(simulate_process(3, 2, seed=5))
    >>> table[["unit", "period", "known_from"]].head(2)
        unit  period known_from
    0  01001  2014Q1 2014-05-05
    1  01001  2014Q2 2014-08-09
    """
    quarters, n = process.quarters, len(process.codes)
    rng = np.random.default_rng([process.seed, len(quarters), n])
    amounts = {
        name: np.stack([getattr(flow, name) for flow in process.flows], axis=1)
        for name in ("own", "land", "transfer", "revenue", "spending", "interest")
    }
    shown = {name: a[:, process.early :] for name, a in amounts.items()}
    fours = {name: _last_four(a) for name, a in amounts.items()}
    year = {name: a[:, process.early - 3 :] for name, a in fours.items()}
    ends = np.array([quarter_end(q) for q in quarters], dtype="datetime64[D]")
    days = rng.integers(_EARLIEST, _LATEST + 1, (n, len(quarters))).astype("timedelta64[D]")
    published = np.datetime_as_string((ends + days).astype("datetime64[D]").ravel()).astype(object)
    columns: dict[str, Floats] = {
        "own_revenue": shown["own"],
        "land_revenue": shown["land"],
        "transfer_revenue": shown["transfer"],
        "own_revenue_4q": year["own"],
        "land_revenue_4q": year["land"],
        "transfer_revenue_4q": year["transfer"],
        "revenue_4q": year["revenue"],
        "revenue_before": fours["revenue"][:, process.early - 7 : -4],
        "spending_4q": year["spending"],
        "interest_4q": year["interest"],
        "debt": np.stack([state.debt for state in process.states[process.early :]], axis=1),
    }
    table = pd.DataFrame(
        {
            "unit": np.repeat(np.array(process.codes, dtype=object), len(quarters)),
            "province": np.repeat(np.array(process.provinces, dtype=object), len(quarters)),
            "period": np.tile(np.array([quarter_text(q) for q in quarters], dtype=object), n),
            "known_from": published,
            **{name: np.rint(a).ravel() for name, a in columns.items()},
        }
    )
    parts = [
        f"{name}_revenue{tail}" for name in ("own", "land", "transfer") for tail in ("", "_4q")
    ]
    table.loc[rng.uniform(size=len(table)) < WITHOUT_PARTS, parts] = np.nan
    return table


def oracle_table(
    process: Process,
    *,
    origins: Sequence[int] | None = None,
    horizons: Sequence[int] = HORIZONS,
    draws: int = 200,
    seed: int,
) -> pd.DataFrame:
    """Table of true probabilities of entry, for counties below the line.

    Parameters
    ----------
    process : Process
    origins : sequence of int, optional
        Ordinals of quarters; when not given, every one from the ninth of the history on.
    horizons : sequence of int
        Quarters.
    draws, seed : int
        As for :func:`oracle_probability`.

    Returns
    -------
    DataFrame
        Columns unit, period and, for each horizon h, ``oracle_h`` (probability) and ``entered_h``
        (1, 0, or missing where the history ends before the window does).
    """
    asked = process.quarters[FIRST_ORIGIN:] if origins is None else origins
    happened = {h: entry(process, h) for h in horizons}
    blocks = []
    for origin in asked:
        p = entry_by_horizon(process, origin, max(horizons), draws=draws, seed=seed)
        below = ~np.isnan(p[0])
        block: dict[str, object] = {
            "unit": np.array(process.codes, dtype=object)[below],
            "period": quarter_text(origin),
        }
        for h in horizons:
            block[f"oracle_{h}"] = p[h - 1, below]
            block[f"entered_{h}"] = happened[h][below, origin - process.quarters[0]]
        blocks.append(pd.DataFrame(block))
    return pd.concat(blocks, ignore_index=True)


def write_process(
    out: Path,
    *,
    counties: int = 1000,
    quarters: int = 48,
    seed: int = 7,
    draws: int = 200,
) -> ProcessFiles:
    """Simulate a panel and write its table, true probabilities, SPECs and a README.

    The same arguments give the same bytes. The folder appears whole or not at all.

    Parameters
    ----------
    out : Path
        Folder to create; it may exist when it is empty.
    counties, quarters, seed, draws : int
        As for :func:`simulate_process` and :func:`oracle_probability`; at least 20 quarters.

    Returns
    -------
    ProcessFiles

    Raises
    ------
    ModelProblem
        When `out` is not empty or cannot be written, or a number is out of range.
    """
    check_new_folder(out)
    if quarters < FEWEST_QUARTERS:
        raise ModelProblem(
            N_("{value} quarters are too few for a panel to learn from. Ask for {low} or more."),
            value=quarters,
            low=FEWEST_QUARTERS,
        )
    process = simulate_process(counties, quarters, seed=seed)
    oracle = oracle_table(process, draws=draws, seed=seed)
    table = process_table(process)
    specs = [models() / "early_warning" / "specs" / f"county-process-h{h}.toml" for h in HORIZONS]
    with new_folder(out) as folder:
        for name, frame in (("counties.csv", table), ("oracle.csv", oracle)):
            frame.to_csv(folder / name, index=False, lineterminator="\n", float_format="%.12g")
        for spec in specs:
            shutil.copyfile(spec, folder / spec.name)
        text = _readme(process, table, draws)
        (folder / "README.txt").write_text(text, encoding="utf-8", newline="\n")
    return ProcessFiles(
        table=out / "counties.csv",
        oracle=out / "oracle.csv",
        specs=tuple(out / spec.name for spec in specs),
        readme=out / "README.txt",
    )


def _last_four(quarterly: Floats) -> Floats:
    """Sum four quarters along the second axis, from the fourth quarter on."""
    windows = np.lib.stride_tricks.sliding_window_view(quarterly, 4, axis=1)
    return np.asarray(windows.sum(axis=-1))


def _readme(process: Process, table: pd.DataFrame, draws: int) -> str:
    width = max(map(len, COLUMNS))
    oracle = {
        f"oracle_{h}": (f"{h} 个季度内进入的概率", f"probability of entry within {h} quarters")
        for h in HORIZONS
    }
    oracle |= {
        f"entered_{h}": (f"{h} 个季度内是否进入", f"whether it entered within {h} quarters")
        for h in HORIZONS
    }
    return _README.format(
        counties=len(process.codes),
        provinces=len(set(process.provinces)),
        first=quarter_text(process.quarters[0]),
        last=quarter_text(process.quarters[-1]),
        seed=process.seed,
        draws=draws,
        columns=_lines(COLUMNS, width),
        oracle_columns=_lines(oracle, width),
        without_parts=int(table["own_revenue"].isna().sum()),
        line=f"{LINE:.2f}",
        base_4=_share(entry(process, 4)),
        base_8=_share(entry(process, 8)),
        parameters="\n".join(f"{k} = {v:g}" for k, v in vars(process.parameters).items()),
    )


def _lines(said: dict[str, tuple[str, str]], width: int) -> str:
    return "\n".join(f"{name:<{width}}  {zh} / {en}" for name, (zh, en) in said.items())


def _share(happened: Floats) -> str:
    """Share of entries among counties with a known outcome."""
    known = happened[~np.isnan(happened)]
    return f"{known.mean():.3f}" if len(known) else "–"
