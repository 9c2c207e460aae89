"""Breach on simulated paths: closed forms, paired errors, headroom at a tolerance."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from debtwatch.screening.breach import (
    breached_by,
    compare,
    critical_scale,
    share_at,
    tolerated,
)


def test_headroom_oracle_o5():
    h = np.arange(1, 21)
    debt, revenue = 120 * 1.01**h, 100 * 1.012**h
    added_debt = np.maximum(0.0, 1 - 0.03 * (h - 1))
    added_revenue = np.where(h >= 9, 0.06, 0.0)
    room, taken = 1.40 * revenue - debt, added_debt - 1.40 * added_revenue
    scale = float(critical_scale(room, taken))
    assert scale == pytest.approx(20.48, abs=1e-8)

    def breaches(x):
        ratio = (debt + x * added_debt) / (revenue + x * added_revenue)
        return bool((ratio >= 1.40).any())

    low, high = 0.0, 100.0
    for _ in range(80):
        middle = (low + high) / 2
        low, high = (low, middle) if breaches(middle) else (middle, high)
    assert scale == pytest.approx(high, abs=1e-6)
    static = critical_scale(np.array([20.0]), np.array([1 - 1.4 * 0.05]))
    assert float(static) == pytest.approx(21.5053763441, abs=1e-9)


@pytest.mark.parametrize(("debt", "expected"), [(120.0, 0.0615967448), (130.0, 0.2293225521)])
def test_breach_oracle_o6(debt, expected):
    # ln R ~ N(ln 100, .10^2): equally likely quantiles stand for the draws.
    from scipy.stats import norm

    paths = 200_000
    revenue = 100 * np.exp(0.10 * norm.ppf((np.arange(paths) + 0.5) / paths))
    hits = breached_by((1.4 * revenue - debt)[None, :])
    assert hits.mean() == pytest.approx(expected, abs=1e-5)


def test_two_quarters_in_a_row_are_needed_where_asked():
    room = np.array([[1.0, -1.0], [-1.0, 1.0], [-1.0, -1.0], [1.0, 1.0]])
    assert breached_by(room)[-1].tolist() == [True, True]
    two = breached_by(room, consecutive=2)
    assert two[:, 0].tolist() == [False, False, True, True]
    assert two[:, 1].tolist() == [False] * 4


@pytest.mark.parametrize(("inclusive", "expected"), [(True, True), (False, False)])
def test_the_line_itself_is_beyond_only_where_the_rule_says_so(inclusive, expected):
    room = np.zeros((1, 1))
    assert bool(breached_by(room, inclusive=inclusive)[0, 0]) is expected
    assert bool(breached_by(room - 1e-9, inclusive=inclusive)[0, 0])
    assert not breached_by(room + 1e-9, inclusive=inclusive)[0, 0]


def test_missing_room_is_no_breach():
    assert not breached_by(np.array([[np.nan]])).any()


def test_standard_errors_of_paired_paths():
    # methods 4.4: a project that only worsens, d = .01 at p = .2
    paths = 10_000
    without = np.zeros((1, paths), dtype=bool)
    without[0, :2000] = True
    with_ = without.copy()
    with_[0, 2000:2100] = True
    shares = compare(without, with_)
    assert shares.with_ - shares.without == pytest.approx(0.01)
    assert shares.error_added == pytest.approx(np.sqrt(0.01 * 0.99 / paths), rel=1e-12)
    independent = np.sqrt(0.2 * 0.8 / paths + 0.21 * 0.79 / paths)
    assert shares.error_added < 0.2 * independent
    assert shares.error_with == pytest.approx(np.sqrt(0.21 * 0.79 / paths))


def test_the_printed_error_of_the_difference_is_its_spread_over_seeds():
    rng = np.random.default_rng(3)
    added, printed = [], []
    for _ in range(400):
        room = rng.normal(1.0, 1.0, (1, 2000))
        shares = compare(breached_by(room), breached_by(room, np.array([0.3])))
        added.append(shares.with_ - shares.without)
        printed.append(shares.error_added)
    assert np.std(added) == pytest.approx(np.mean(printed), rel=0.12)


@settings(max_examples=60)
@given(st.integers(0, 10_000), st.sampled_from([1, 2]), st.floats(0.0, 0.9))
def test_headroom_at_a_tolerance_is_a_supremum(seed, consecutive, tolerance):
    rng = np.random.default_rng(seed)
    room = rng.normal(1.0, 1.0, (6, 40))
    taken = rng.uniform(0.1, 1.0, 6)
    critical = critical_scale(room, taken, consecutive)
    at = tolerated(critical, tolerance)

    def probability(scale):
        return breached_by(room, scale * taken, consecutive=consecutive)[-1].mean()

    if np.isfinite(at) and at > 0:
        assert probability(at * (1 - 1e-6)) <= tolerance + 1e-12
        assert probability(at * (1 + 1e-9)) > tolerance
        assert share_at(critical, at) == probability(at * (1 + 1e-12))


@settings(max_examples=60)
@given(st.integers(0, 10_000), st.sampled_from([1, 2]))
def test_probability_at_every_scale_comes_from_the_critical_scales(seed, consecutive):
    rng = np.random.default_rng(seed)
    room, taken = rng.normal(2.0, 1.0, (8, 60)), rng.uniform(0.0, 1.0, 8)
    critical = critical_scale(room, taken, consecutive)
    for scale in (0.25, 0.5, 1.0, 2.0):
        direct = breached_by(room, scale * taken, consecutive=consecutive)[-1].mean()
        assert share_at(critical, scale) == pytest.approx(direct)


def test_a_project_that_makes_room_never_breaches():
    assert np.isinf(critical_scale(np.array([1.0, 2.0]), np.array([-0.5, 0.0])))
