"""The worked county of the rules as a position of the desk, with its simulated capacity."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from debtwatch.rules.capacity import CAPACITY, Basis, capacity_book
from debtwatch.rules.rulebook import Bilingual
from debtwatch.screening.desk import Desk
from debtwatch.screening.position import Position, Province, Stress, rulebooks_at
from debtwatch.screening.settings import screening_settings
from tests.proposal_cases import BOOKS, START, WAN, healthy_government

FIRST = START  # the worked project starts in the first quarter ahead


def basis() -> Basis:
    gross = next(v for v in capacity_book().variant if v.id == "mof_gross")
    return Basis((gross,), {n: np.zeros(1, bool) for n in gross.if_absent_zero})


def figures(quarters=20, *, debt=900_000.0, borrowing=7_000.0, capacity=500_000.0, growth=0.005):
    """Capacity grows 0.5 % a quarter from 500,000; debt 900,000 and 7,000 more a quarter (万元)."""
    q = np.arange(1, quarters + 1)
    own = (capacity * (1 + growth) ** q * WAN)[None, :]
    zero = np.zeros((1, quarters))
    return {
        "gpb_revenue": own,
        "gpb_transfer_in": zero,
        "gpb_transfer_out": zero,
        "gfb_revenue": zero,
        "gfb_transfer_in": zero,
        "gfb_transfer_out": zero,
        "general_debt_balance": zero.copy(),
        "special_debt_balance": ((debt + borrowing * q) * WAN)[None, :],
        "gpb_expenditure": 1.2 * own,
        "gfb_expenditure": 0.5 * own,
        "gpb_debt_interest": zero.copy(),
        "gfb_debt_interest": 0.02 * own,
        "general_debt_limit": np.full((1, quarters), 200_000 * WAN),
        "special_debt_limit": np.full((1, quarters), 1_200_000 * WAN),
    }


def capacity_factor(paths: int, seed: int = 7, quarters: int = 20, sd: float = 0.01):
    """Mean-one factor ``exp(W)``, W cumulative normal with sd a quarter and mean -sd^2/2."""
    rng = np.random.Generator(np.random.SFC64(seed))
    steps = rng.normal(-(sd**2) / 2, sd, (quarters, paths))
    return np.exp(np.cumsum(steps, axis=0))


def position(paths: int = 20_000, quarters: int = 20, **county) -> Position:
    money = figures(quarters, **county)
    debt = money["special_debt_balance"][0]
    own = money["gpb_revenue"][0]
    now = {
        "debt_balance": 900_000 * WAN,
        "special_debt_balance": 900_000 * WAN,
        "general_debt_balance": 0.0,
        "special_debt_limit": 1_200_000 * WAN,
        "general_debt_limit": 200_000 * WAN,
        CAPACITY: 500_000 * WAN,
        "general_capacity": 500_000 * WAN,
        "gpb_debt_interest": 0.0,
        "gpb_expenditure": 600_000 * WAN,
        "gfb_debt_interest": 10_000 * WAN,
        "gfb_expenditure": 250_000 * WAN,
        "sanbao_expenditure": 200_000 * WAN,
    }
    return Position(
        government=healthy_government(quarter=FIRST - 1),
        first_quarter=FIRST,
        basis=basis(),
        rulebooks=rulebooks_at(BOOKS, FIRST),
        figures=money,
        balances_now={},
        now=now,
        new_rate=0.026,
        financing_need=np.full(quarters, 20_000 * WAN),
        general_service=np.zeros(quarters),
        paths={
            "debt_balance": np.repeat(debt[:, None], paths, axis=1),
            CAPACITY: own[:, None] * capacity_factor(paths, quarters=quarters),
        },
        seed=7,
        stresses=(
            Stress(
                Bilingual(zh="综合财力下降一成", en="Capacity down by a tenth"),
                {"debt_balance": debt, CAPACITY: 0.9 * own},
            ),
        ),
        province=Province(np.zeros(quarters), np.zeros(quarters), 3.0),
    )


def desk(paths: int = 20_000, *, consecutive: int = 1, **county) -> Desk:
    own = screening_settings()
    impact = own.impact.model_copy(update={"consecutive": consecutive})
    place = position(paths, **county)
    settings = own.model_copy(update={"impact": impact})
    return Desk(place, place.rulebooks, settings)


def without_wide(one: Desk) -> Desk:
    books = {k: v for k, v in one.rulebooks.items() if k != "cn-debt-tiers-wide"}
    return replace(one, rulebooks=books, position=replace(one.position, rulebooks=books))
