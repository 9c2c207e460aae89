"""The debt of the counties, from its end backwards, and the spending that it pays for."""

from __future__ import annotations

import numpy as np
from numpy.random import Generator
from scipy.special import ndtri
from scipy.stats import rankdata

from debtwatch.synthetic.paths import (
    EVEN_SEASON,
    FUND_SPENDING_SEASON,
    ISSUE_SEASON,
    REPAYMENT_SEASON,
    SPENDING_SEASON,
    YEARS,
    Floats,
    Ints,
    by_quarter,
    rounded,
    split,
)

# Debt ratios of the last year are lognormal: about half the counties stay below 120 %.
_RATIO_MEDIAN, _RATIO_SIGMA = 1.17, 0.46


def debt_ratio(rng: Generator, size: Floats, land: Floats, fall: Floats, growth: Floats) -> Floats:
    """Debt ratio at the end: higher where land mattered, fell most, and people leave."""
    weight = 0.25 * np.log(land) / 0.4 + 0.25 * (fall - 0.4) / 0.1 - 0.2 * growth / 0.009
    weight += -0.1 * np.log(size / 115_000) / 0.85 + rng.normal(0, 0.85, len(size))
    standing = (rankdata(weight) - 0.5) / len(size)
    ratio: Floats = _RATIO_MEDIAN * np.exp(_RATIO_SIGMA * ndtri(standing))
    return ratio


def simulate_debt(
    rng: Generator, ratio: Floats, capacity: Floats, national: dict[str, Floats]
) -> dict[str, Ints]:
    """Both ledgers of debt; where the ratio is high, recent growth is held back."""
    n = len(ratio)
    special_share = np.clip(rng.normal(0.58, 0.07, n), 0.35, 0.78)
    held_back = np.clip((3.2 - ratio) / 2.0, 0.15, 1.1)
    restraint = 1 - (1 - held_back)[:, None] * national["land_fall"]
    interest = national["interest"] / 100 + rng.normal(0, 0.0008, (n, 1))
    interest = np.clip(interest, 0.0262, 0.0388)
    out: dict[str, Ints] = {}
    for kind, ledger, share in (
        ("general", "gpb", 1 - special_share),
        ("special", "gfb", special_share),
    ):
        pace = np.exp(rng.normal(0, 0.2, (n, 1)) + rng.normal(0, 0.2, (n, YEARS)))
        pace *= np.sqrt(ratio / _RATIO_MEDIAN)[:, None]
        growth = national[f"{kind}_growth"] * pace * restraint
        end = ratio * capacity * share
        flows = _ledger(rng, end, growth, national[f"{kind}_due"], interest)
        out[f"{kind}_debt_limit"], out[f"{kind}_debt_balance"] = flows[0], flows[1]
        out[f"new_{kind}_bonds"], out[f"refinancing_{kind}_bonds"] = flows[2], flows[3]
        out[f"{ledger}_debt_principal"], out[f"{ledger}_debt_interest"] = flows[4], flows[5]
    out["debt_balance"] = out["general_debt_balance"] + out["special_debt_balance"]
    return out


def _ledger(
    rng: Generator, end: Floats, growth: Floats, due: Floats, rate: Floats
) -> tuple[Ints, Ints, Ints, Ints, Ints, Ints]:
    """Limit, balance, new and refinancing bonds, principal and interest by quarter."""
    n = len(end)
    level = np.concatenate([np.zeros((n, 1)), growth.cumsum(axis=1)], axis=1)
    ends = end[:, None] * np.exp(level - level[:, -1:])
    repaid = ends[:, :-1] * due * np.exp(rng.normal(0, 0.1, growth.shape))
    principal = split(rng, repaid, REPAYMENT_SEASON, 0.2)
    refinanced = rounded(principal * rng.uniform(0.8, 0.95, (n, 1)))
    unfunded = (principal - refinanced).reshape(n, -1, 4).sum(axis=2)
    new = split(rng, np.diff(ends, axis=1) + unfunded, ISSUE_SEASON, 0.25)
    opening = rounded(ends[:, :1])
    balance = opening + (new + refinanced - principal).cumsum(axis=1)
    before = np.concatenate([opening, balance[:, :-1]], axis=1)
    interest = rounded(by_quarter(rate) / 4 * (before + balance) / 2)
    highest = balance.reshape(n, -1, 4).max(axis=2) * (1 + rng.uniform(0.01, 0.08, (n, 1)))
    limit = np.ceil(np.maximum.accumulate(highest, axis=1)).astype(np.int64)
    return np.repeat(limit, 4, axis=1), balance, new, refinanced, principal, interest


def simulate_spending(rng: Generator, flows: dict[str, Ints]) -> dict[str, Ints]:
    """Spend what comes in: revenue, transfers and new bonds, less remittances and repayments."""
    general, fund = (
        flows[f"{ledger}_revenue"]
        + flows[f"{ledger}_transfer_in"]
        - flows[f"{ledger}_transfer_out"]
        + flows[f"new_{kind}_bonds"]
        + flows[f"refinancing_{kind}_bonds"]
        - flows[f"{ledger}_debt_principal"]
        for ledger, kind in (("gpb", "general"), ("gfb", "special"))
    )
    n = len(general)
    yearly = general.reshape(n, -1, 4).sum(axis=2) * np.exp(rng.normal(0, 0.015, (n, YEARS)))
    share = np.clip(rng.normal(0.58, 0.08, (n, 1)), 0.38, 0.8)
    interest = flows["gfb_debt_interest"]
    interest_yearly = interest.reshape(n, -1, 4).sum(axis=2)
    works = fund.reshape(n, -1, 4).sum(axis=2) * np.exp(rng.normal(0, 0.02, (n, YEARS)))
    works = np.maximum(works - interest_yearly, 0.1 * works.clip(0) + 0.1 * interest_yearly)
    return {
        "gpb_expenditure": split(rng, yearly, SPENDING_SEASON),
        "sanbao_expenditure": split(rng, yearly * share, EVEN_SEASON, 0.02),
        "gfb_expenditure": interest + split(rng, works, FUND_SPENDING_SEASON, 0.1),
    }
