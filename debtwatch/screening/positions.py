"""Positions of the governments that have proposals: outlook, paths, stresses, province.

All draws come from one seed: a government's paths are the same whatever else is screened.
"""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

from debtwatch import resources
from debtwatch.panel.panel import Panel
from debtwatch.rules.assess import indicator_value, lines_of
from debtwatch.rules.capacity import CAPACITY, Basis, history_inputs
from debtwatch.rules.rulebook import Rulebook
from debtwatch.screening.case import Government
from debtwatch.screening.position import (
    TIERS,
    WIDE,
    Position,
    Province,
    Stress,
    headline_of,
    next_line,
    position_of,
)
from debtwatch.screening.settings import ScreeningSettings
from debtwatch.sustainability.accounts import Outlook
from debtwatch.sustainability.exposure import stress_basis
from debtwatch.sustainability.outlook import (
    central_indicators,
    figure,
    simulate_outlook,
    simulate_paths,
)
from debtwatch.sustainability.scenarios import load_scenarios
from debtwatch.sustainability.simulate import Books
from debtwatch.sustainability.stress import run_scenarios

Array = NDArray[np.float64]
Rows = NDArray[np.intp]
#: Governments whose whole paths are held at a time.
BATCH = 64
#: Stress scenarios of check B2 (rules B17).
SCENARIO_SET = "reference"


@cache
def _provinces() -> dict[str, str]:
    return tomllib.loads((resources.models() / "provinces.toml").read_text(encoding="utf-8"))


def province_name(code: str) -> str:
    """Name of the province in which a government lies; empty when its code tells none.

    Examples
    --------
    >>> province_name("530103"), province_name("E060")
    ('云南', '')
    """
    return _provinces().get(code[:2], "") if code[:2].isdigit() else ""


@dataclass(frozen=True)
class Ground:
    """What all positions of one screening share.

    Attributes
    ----------
    panel : Panel
    outlook : Outlook
        As many quarters as delays are judged on.
    basis : Basis
    rulebooks : mapping from family to Rulebook
    settings : ScreeningSettings
    seed : int
    quarter : int
        Ordinal of the quarter of the accounts.
    """

    panel: Panel
    outlook: Outlook
    basis: Basis
    rulebooks: Mapping[str, Rulebook]
    settings: ScreeningSettings
    seed: int
    quarter: int


def positions_of(
    ground: Ground,
    governments: Mapping[int, Government],
    *,
    pipelines: Mapping[int, Mapping[str, float]] | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Iterator[tuple[int, Position]]:
    """Build the positions of some governments, a batch at a time.

    Parameters
    ----------
    ground : Ground
    governments : mapping from row of the panel to Government
    pipelines : mapping from row to mapping from ledger to yuan, optional
        Draws of projects approved already.
    progress : callable, optional
        Told governments simulated and governments in all.

    Yields
    ------
    (int, Position)
        Row and position, in order of the rows.
    """
    rows = np.array(sorted(governments), dtype=np.intp)
    inputs = history_inputs(ground.panel, ground.basis)
    provinces = _province_effects(ground, rows, inputs)
    for first in range(0, len(rows), BATCH):
        batch = rows[first : first + BATCH]
        paths = simulate_paths(
            ground.outlook, ground.basis, headline_of(ground.rulebooks[TIERS]),
            seed=ground.seed, paths=ground.settings.impact.paths, rows=batch,
        )  # fmt: skip
        stresses = _stresses(ground, batch)
        for k, row in enumerate(map(int, batch)):
            # The simulation computes in single precision: nothing is lost.
            own = {name: values[k].astype(np.float32) for name, values in paths.items()}
            yield row, position_of(
                ground.panel, ground.outlook, ground.basis, row,
                government=governments[row], rulebooks=_own_rulebooks(ground, row, inputs),
                seed=ground.seed, paths=own, pipeline=(pipelines or {}).get(row),
                stresses=stresses[k], province=provinces.get(row), inputs_now=inputs,
            )  # fmt: skip
        if progress is not None:
            progress(first + len(batch), len(rows))


def _own_rulebooks(ground: Ground, row: int, inputs: Mapping[str, Array]) -> dict[str, Rulebook]:
    """Rulebooks of one government: the wide calibre only where hidden debt was supplied."""
    books = dict(ground.rulebooks)
    column = ground.quarter - ground.panel.first_quarter
    supplied = [
        ground.panel.values[name][row, column]
        for name in ("hidden_debt_balance", "lgfv_interest_bearing_debt")
        if name in ground.panel.values
    ]
    if not any(np.isfinite(v) for v in supplied):
        books.pop(WIDE, None)
    return books


def _stresses(ground: Ground, rows: Rows) -> list[tuple[Stress, ...]]:
    """Money of the stress scenarios for some governments."""
    headline = headline_of(ground.rulebooks[TIERS])
    names = headline.parsed.names()
    followed = [headline, *(figure(name) for name in names)]

    def evaluate(stressed: Books) -> Mapping[str, Array]:
        return central_indicators(ground.outlook, ground.basis, followed, stressed, rows=rows)

    scenarios = [s for s in load_scenarios() if s.set == SCENARIO_SET]
    sizes = stress_basis(ground.panel, ground.outlook).take(rows)
    books = ground.outlook.books.take(rows)
    _, runs = run_scenarios(books, sizes, scenarios, evaluate, headline.id)
    found: list[tuple[Stress, ...]] = []
    for k in range(len(rows)):
        own = [
            Stress(run.scenario.label, {n: run.paths[f"figure_{n}"][k] for n in names})
            for run in runs
            if np.isfinite(run.paths[headline.id][k]).any()
        ]
        found.append(tuple(own))
    return found


# -- the province ----------------------------------------------------------------------------------


def _province_effects(
    ground: Ground, rows: Rows, inputs: Mapping[str, Array]
) -> dict[int, Province]:
    """Find the other governments of the same parent, for each of some governments."""
    parents = [str(p) for p in ground.panel.units["parent"]]
    together: dict[str, list[int]] = {}
    for row, parent in enumerate(parents):
        if parent:
            together.setdefault(parent, []).append(row)
    wanted = sorted({r for row in rows if parents[row] for r in together[parents[row]]})
    if not wanted:
        return {}
    chance = _breach_chances(ground, np.array(wanted, dtype=np.intp), inputs)
    counted = ground.outlook.books.counted
    shape = (len(parents), ground.outlook.quarters)
    debt, capacity = (
        np.broadcast_to(ground.outlook.inputs[name], shape) for name in ("debt_balance", CAPACITY)
    )
    effects = {}
    for row in map(int, rows):
        others = [r for r in together.get(parents[row], ()) if r != row]
        whole = [r for r in others if counted is None or counted[r]]
        if others:
            effects[row] = Province(
                debt[whole].sum(axis=0), capacity[whole].sum(axis=0),
                float(sum(chance.get(r, 0.0) for r in others)),
            )  # fmt: skip
    return effects


def _breach_chances(ground: Ground, rows: Rows, inputs: Mapping[str, Array]) -> dict[int, float]:
    """Probability of each government's breach of its next line within the horizon."""
    book = ground.rulebooks[TIERS]
    own = ground.settings.impact
    fan = simulate_outlook(
        ground.outlook, ground.basis, [book], seed=ground.seed, paths=own.paths, rows=rows,
        consecutive=own.consecutive,
    )  # fmt: skip
    headline = headline_of(book)
    column = ground.quarter - ground.panel.first_quarter
    shape = (len(ground.panel.units), ground.panel.quarters)
    figures = {n: np.broadcast_to(v, shape)[:, column] for n, v in inputs.items()}
    now = indicator_value(headline, figures)
    last = min(own.horizon, ground.outlook.quarters) - 1
    ever = {line: fan.ever(line)[:, last] for line in lines_of(book, headline)}
    chances = {}
    for k, row in enumerate(map(int, rows)):
        line = next_line(book, float(now[row]))
        if line is not None and np.isfinite(ever[line][k]):
            chances[row] = float(ever[line][k])
    return chances
