"""The simulated county panel: true to its accounts, and an oracle that is one."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy.stats import norm
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import average_precision_score, roc_auc_score

from debtwatch.early_warning.spec import load_spec
from debtwatch.errors import ModelProblem
from debtwatch.panel.period import parse_period, quarter, quarter_end
from debtwatch.resources import models
from debtwatch.synthetic import write_process
from debtwatch.synthetic.county_process import (
    LINE,
    Parameters,
    _next_quarter,
    entry,
    entry_by_horizon,
    oracle_probability,
    simulate_process,
)
from debtwatch.synthetic.process_files import (
    COLUMNS,
    HORIZONS,
    WITHOUT_PARTS,
    oracle_table,
    process_table,
)

SHOCKS = [f.name for f in dataclasses.fields(Parameters) if f.name.endswith(("_shock", "_noise"))]
CALM = dataclasses.replace(Parameters(), bust_chance=0.0, **dict.fromkeys(SHOCKS, 0.0))
ORIGINS = range(8, 40, 4)


@pytest.fixture(scope="module")
def process():
    return simulate_process(600, 48, seed=3)


@pytest.fixture(scope="module")
def oracle(process):
    """Probabilities for horizons 1 to 8, shape (horizon, county, origin)."""
    at = [process.quarters[t] for t in ORIGINS]
    return np.stack([entry_by_horizon(process, q, 8, draws=200, seed=5) for q in at], axis=2)


@pytest.fixture(scope="module")
def table(process):
    return process_table(process)


def judged(process, oracle, horizon):
    """Truth, oracle and debt ratio of the rows whose outcome is known."""
    y = entry(process, horizon)[:, ORIGINS]
    known = ~np.isnan(y)
    return y[known], oracle[horizon - 1][known], process.debt_ratio[:, ORIGINS][known]


# -- the accounts --------------------------------------------------------------------------------


def test_debt_grows_by_what_revenue_does_not_pay(process):
    for before, after, money in zip(
        process.states, process.states[1:], process.flows[1:], strict=False
    ):
        expected = before.debt + money.spending + money.interest - money.revenue
        np.testing.assert_allclose(after.debt, np.maximum(expected, 0.0), rtol=1e-12)
        np.testing.assert_allclose(money.interest, process.traits.coupon / 4 * before.debt)


def test_the_ratio_is_over_the_revenue_of_four_quarters(process):
    revenue = sum(flow.revenue for flow in process.flows[-4:])
    np.testing.assert_allclose(process.debt_ratio[:, -1], process.states[-1].debt / revenue)


def test_the_published_table_obeys_the_identities(table):
    whole = table.dropna()
    parts = sum(whole[f"{name}_revenue_4q"] for name in ("own", "land", "transfer"))
    assert (parts - whole["revenue_4q"]).abs().max() <= 2
    by_unit = table.groupby("unit")
    four = by_unit["own_revenue"].transform(lambda own: own.rolling(4).sum())
    both = four.notna() & table["own_revenue_4q"].notna()
    assert both.sum() > len(table) / 2
    assert (four - table["own_revenue_4q"])[both].abs().max() <= 2
    before = by_unit["revenue_4q"].shift(4)
    assert (before - table["revenue_before"]).abs().max() == 0
    assert table["revenue_before"].notna().all()
    year_on = by_unit["debt"].diff(4)
    paid = table["spending_4q"] + table["interest_4q"] - table["revenue_4q"]
    least = by_unit["debt"].transform(lambda debt: debt.rolling(4).min())
    free = year_on.notna() & (least > 0)
    assert free.sum() > 0.85 * len(table)
    assert (year_on - paid)[free].abs().max() <= 3


def test_the_published_ratio_is_the_true_one(process, table):
    ratio = (table["debt"] / table["revenue_4q"]).to_numpy().reshape(process.debt_ratio.shape)
    np.testing.assert_allclose(ratio, process.debt_ratio, rtol=1e-3)
    assert ((ratio >= LINE) != (process.debt_ratio >= LINE)).mean() < 1e-4


def test_codes_and_provinces(process):
    assert len(set(process.codes)) == 600
    assert {len(code) for code in process.codes} == {5}
    assert [code[:2] for code in process.codes] == list(process.provinces)
    assert set(np.unique(process.provinces, return_counts=True)[1]) == {20}


def test_reports_appear_before_the_day_of_scoring(table):
    assert list(table.columns) == list(COLUMNS)
    ends = np.array([quarter_end(parse_period(p).quarter) for p in table["period"]])
    days = (pd.to_datetime(table["known_from"]) - pd.to_datetime(ends)).dt.days
    assert (days.min(), days.max()) == (25, 44)
    missing = table["own_revenue"].isna()
    assert missing.mean() == pytest.approx(WITHOUT_PARTS, abs=0.004)
    assert (missing == table["land_revenue_4q"].isna()).all()
    assert table[["revenue_4q", "debt", "spending_4q", "interest_4q"]].notna().all(axis=None)


def test_the_figures_look_like_county_finances(process):
    """The docstring's claims: spread of own revenue over a year, shares near the line."""
    own = np.stack([flow.own for flow in process.flows], axis=1)
    year = np.lib.stride_tricks.sliding_window_view(own, 4, axis=1).sum(axis=-1)
    growth = np.log(year[:, 4:] / year[:, :-4])
    assert 0.035 < growth.std() < 0.06
    assert 0.02 < growth.mean() < 0.06
    rates = [
        [np.nanmean(entry(simulate_process(1000, 48, seed=s), h)) for h in (4, 8)] for s in range(8)
    ]
    assert np.mean(rates, axis=0) == pytest.approx([0.04, 0.065], abs=0.012)


def test_counties_of_a_province_share_their_luck(process):
    """Own growth of a county goes with the rest of its province more than with another one."""
    own = np.stack([np.log(flow.own) for flow in process.flows], axis=1)
    growth = (own[:, 8:] - own[:, :-8]).reshape(30, 20, -1)
    one, others = growth[:, 0], growth[:, 1:].mean(axis=1)
    within = [np.corrcoef(one[p], others[p])[0, 1] for p in range(30)]
    across = [np.corrcoef(one[p], others[(p + 11) % 30])[0, 1] for p in range(30)]
    assert np.mean(within) > np.mean(across) + 0.1


# -- the truth and the oracle --------------------------------------------------------------------


def test_entry_by_hand():
    process = simulate_process(2, 5, seed=1)
    ratios = np.array([[1.9, 1.95, 2.0, 1.8, 1.7], [1.0, 1.0, 1.0, 1.0, 2.5]])
    states = [
        dataclasses.replace(s, debt=r, recent=np.full((4, 2), 0.25))
        for s, r in zip(process.states[-5:], ratios.T, strict=True)
    ]
    process = dataclasses.replace(process, states=(*process.states[: process.early], *states))
    nan = np.nan
    np.testing.assert_array_equal(entry(process, 1), [[0, 1, nan, 0, nan], [0, 0, 0, 1, nan]])
    np.testing.assert_array_equal(entry(process, 2), [[1, 1, nan, nan, nan], [0, 0, 1, nan, nan]])
    np.testing.assert_array_equal(entry(process, 5), np.full((2, 5), nan))


def test_an_oracle_without_chance_is_certain_and_right(process):
    """Chance ends at an origin, so that the future is one: the oracle must foretell it."""
    calm = dataclasses.replace(process, parameters=CALM)
    for t in (6, 30):
        state = process.states[process.early + t]
        ratios = []
        for _ in range(8):
            state, _ = _next_quarter(CALM, process.traits, state, np.random.default_rng(0))
            ratios.append(state.debt_ratio)
        told = entry_by_horizon(calm, process.quarters[t], 8, draws=3, seed=1)
        below = process.debt_ratio[:, t] < LINE
        assert (np.isnan(told) == ~below).all()
        came = np.maximum.accumulate(np.array(ratios) >= LINE)[:, below]
        assert came[-1].sum() > came[0].sum() > 0
        np.testing.assert_array_equal(told[:, below], came)


def test_the_oracle_is_calibrated(process, oracle):
    """Entries over non-overlapping windows differ from the probabilities by chance alone."""
    for horizon, columns in ((4, slice(None)), (8, slice(None, None, 2))):
        y = entry(process, horizon)[:, ORIGINS][:, columns]
        gap = np.nansum(y - oracle[horizon - 1][:, columns], axis=0)
        assert abs(gap.sum()) < 3 * np.sqrt((gap**2).sum())
    y, p, _ = judged(process, oracle, 4)
    for low, high in ((0.0, 0.05), (0.05, 0.3), (0.3, 0.7), (0.7, 1.01)):
        inside = (p >= low) & (p < high)
        assert y[inside].mean() == pytest.approx(p[inside].mean(), abs=0.08)


def test_one_quarter_ahead_agrees_with_a_formula():
    """With noise in transfers alone and a horizon of 1, entry has a closed form.

    ``ratio >= 2`` iff ``D + S + I - R >= 2 (R + R3)``, that is ``R <= (D + S + I - 2 R3) / 3``.
    """
    law = dataclasses.replace(CALM, transfer_noise=0.15)
    process = simulate_process(500, 12, seed=8, parameters=law)
    origin = process.quarters[5]
    p = oracle_probability(process, origin, 1, draws=4000, seed=2)
    now = process.state(origin)
    _, money = _next_quarter(CALM, process.traits, now, np.random.default_rng(0))
    needed = now.debt + money.spending + money.interest - 2 * now.recent[1:].sum(axis=0)
    room = needed / 3 - money.own - money.land
    with np.errstate(invalid="ignore", divide="ignore"):
        exact = norm.cdf(np.log(np.maximum(room, 0) / money.transfer) / 0.15)
    known = ~np.isnan(p)
    assert ((exact > 0.05) & (exact < 0.95) & known).sum() > 10
    error = np.abs(p - exact)[known] / np.sqrt(np.maximum(exact * (1 - exact), 1e-4) / 4000)[known]
    assert error.max() < 4.5


def test_a_longer_horizon_is_never_less_likely(oracle):
    below = oracle[:, ~np.isnan(oracle[0])]
    assert (np.diff(below, axis=0) >= 0).all()
    assert ((below >= 0) & (below <= 1)).all()


def test_the_oracle_does_not_see_the_future(process):
    """Other later quarters, same state: same probabilities."""
    origin = process.quarters[20]
    place = process.early + 20
    other = dataclasses.replace(process, states=process.states[: place + 1])
    for h in (1, 4):
        first = oracle_probability(process, origin, h, draws=20, seed=1)
        np.testing.assert_array_equal(first, oracle_probability(other, origin, h, draws=20, seed=1))


def test_the_oracle_is_hard_to_beat_and_a_leak_beats_it(process, oracle):
    """The harness itself: published figures rank below the oracle, a peep at the future above."""
    for horizon, best in ((4, 0.98), (8, 0.97)):
        y, p, ratio = judged(process, oracle, horizon)
        assert roc_auc_score(y, p) > best
        assert average_precision_score(y, p) > average_precision_score(y, ratio) + 0.1
        ahead = process.debt_ratio[:, [t + horizon for t in ORIGINS]]
        known = ~np.isnan(entry(process, horizon)[:, ORIGINS])
        assert roc_auc_score(y, ahead[known]) > roc_auc_score(y, p) + 0.005


def test_a_simple_honest_model_stays_below_the_oracle(process, oracle):
    """Logit on ratio and its change, trained on the first half: no AUC above oracle + .005."""
    ratio, y = process.debt_ratio, entry(process, 4)
    x = np.stack([ratio[:, 4:], ratio[:, 4:] - ratio[:, :-4]], axis=-1)
    train, test = slice(4, 20), [t for t in ORIGINS if t >= 24]
    known = ~np.isnan(y[:, train])
    model = LogisticRegression().fit(x[:, 0:16][known], y[:, train][known])
    told = ~np.isnan(y[:, test])
    p = model.predict_proba(x[:, [t - 4 for t in test]][told])[:, 1]
    best = oracle[3][:, [list(ORIGINS).index(t) for t in test]][told]
    assert roc_auc_score(y[:, test][told], p) < roc_auc_score(y[:, test][told], best) + 0.005


# -- chance and hostile input --------------------------------------------------------------------


def test_the_seed_decides_alone():
    one, two, other = (simulate_process(30, 10, seed=s) for s in (1, 1, 2))
    np.testing.assert_array_equal(one.debt_ratio, two.debt_ratio)
    assert not np.array_equal(one.debt_ratio, other.debt_ratio)
    pd.testing.assert_frame_equal(process_table(one), process_table(two))
    at = one.quarters[3]
    alone = oracle_table(one, origins=[at], draws=20, seed=1)
    among = oracle_table(one, origins=one.quarters, draws=20, seed=1)
    among = among[among["period"] == "2014Q4"].reset_index(drop=True)
    pd.testing.assert_frame_equal(alone, among)


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda: simulate_process(0, 10, seed=1), "0 counties"),
        (lambda: simulate_process(10, 0, seed=1), "0 quarters"),
        (lambda: simulate_process(10, 10, seed=-1), "seed -1"),
        (lambda: simulate_process(30_000, 10, seed=1), "29970"),
        (lambda: _ask(quarter(2013, 4), 4), "2014Q1 to 2016Q2"),
        (lambda: _ask(quarter(2014, 4), 0), "horizon of 0"),
        (lambda: oracle_probability(_small(), quarter(2014, 4), 4, draws=0, seed=1), "0 draws"),
    ],
)
def test_impossible_requests_say_what_is_possible(call, said):
    with pytest.raises(ModelProblem, match=said):
        call()


def _small():
    return simulate_process(5, 10, seed=1)


def _ask(origin, horizon):
    return oracle_probability(_small(), origin, horizon, draws=2, seed=1)


def test_one_county_and_one_quarter():
    process = simulate_process(1, 1, seed=1)
    assert len(process_table(process)) == 1
    assert oracle_probability(process, process.quarters[0], 40, draws=3, seed=1).shape == (1,)


# -- files ---------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    return write_process(
        tmp_path_factory.mktemp("process") / "set", counties=60, quarters=24, seed=2, draws=20
    )


def test_the_set_is_written_and_read_again(files):
    process = simulate_process(60, 24, seed=2)
    text = {"unit": str, "province": str}
    table = pd.read_csv(files.table, dtype=text)
    pd.testing.assert_frame_equal(table, process_table(process), check_dtype=False)
    oracle = pd.read_csv(files.oracle, dtype=text)
    expected = oracle_table(process, draws=20, seed=2)
    pd.testing.assert_frame_equal(oracle, expected, check_dtype=False)
    assert oracle["period"].iloc[0] == "2016Q1"
    assert (
        oracle.loc[oracle["period"] == "2019Q4", ["entered_4", "entered_8"]].isna().all(axis=None)
    )


def test_the_readme_is_bilingual_and_says_what_it_is(files):
    text = files.readme.read_text("utf-8")
    assert "合成数据" in text
    assert "no real place" in text
    for name in (*COLUMNS, *(f.name for f in dataclasses.fields(Parameters)), "oracle_8"):
        assert name in text
    missing = pd.read_csv(files.table)["own_revenue"].isna().sum()
    assert f"(about 3 in 100): {missing}" in text


def test_the_same_arguments_give_the_same_bytes(files, tmp_path):
    again = write_process(tmp_path / "again", counties=60, quarters=24, seed=2, draws=20)
    for path in files.table.parent.iterdir():
        assert path.read_bytes() == (again.table.parent / path.name).read_bytes()


def test_a_folder_with_something_in_it_is_left_alone(tmp_path):
    (tmp_path / "mine.txt").write_text("mine")
    with pytest.raises(ModelProblem, match="not empty"):
        write_process(tmp_path, counties=5, quarters=20, draws=1)
    assert [p.name for p in tmp_path.iterdir()] == ["mine.txt"]
    with pytest.raises(ModelProblem, match="too few"):
        write_process(tmp_path / "new", counties=5, quarters=19, draws=1)
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize("horizon", HORIZONS)
def test_the_specifications_fit_the_table(files, horizon):
    path = next(p for p in files.specs if f"h{horizon}" in p.name)
    assert path.read_bytes() == _shipped(horizon).read_bytes()
    spec = load_spec(path)
    assert spec.synthetic
    assert spec.country == "XX"
    assert (spec.target.horizon, spec.target.line, spec.target.operator) == (horizon, LINE, ">=")
    assert 12 <= len(spec.feature) <= 24
    data = spec.data
    assert {*spec.columns_read(), data.unit, data.period, data.group, data.known_from} <= set(
        COLUMNS
    )
    assert {f.sign for f in spec.feature} == {"+", "-", "0"}


def test_the_two_specifications_differ_in_the_horizon_alone():
    four, eight = (load_spec(_shipped(h)) for h in HORIZONS)
    assert four.feature == eight.feature
    assert four.columns == eight.columns
    assert four.origins == eight.origins


def _shipped(horizon: int) -> Path:
    return models() / "early_warning" / "specs" / f"county-process-h{horizon}.toml"
