"""Drawing shocks: blocks of dates, rows of residuals, rows of a covariance."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import kurtosis, t

from debtwatch.errors import ModelProblem
from debtwatch.sustainability.bootstrap import (
    bootstrap_rows,
    gaussian_rows,
    shrunk_covariance,
    stationary_dates,
    student_rows,
)

COVARIANCE = np.array([[1.0, 0.6, 0.0], [0.6, 2.0, -0.5], [0.0, -0.5, 0.25]])


def close(a, b, **options):
    np.testing.assert_allclose(a, b, **{"rtol": 1e-9, "atol": 1e-12, **options})


# ---- dates


@pytest.mark.parametrize("p", [0.1, 0.25, 1.0])
def test_variance_of_the_mean_follows_the_lemma(p):
    n = 80
    rng = np.random.default_rng(3)
    series = np.zeros(n)
    for k in range(1, n):
        series[k] = 0.7 * series[k - 1] + rng.normal()
    away = series - series.mean()
    lag = np.arange(1, n)
    covariances = np.array([(away[: n - k] * away[k:]).sum() / n for k in range(n)])
    weight = (1 - lag / n) * (1 - p) ** lag + lag / n * (1 - p) ** (n - lag)
    expected = covariances[0] + 2 * (weight * covariances[1:]).sum()
    paths = stationary_dates(n, n, 20_000, 1 / p, np.random.default_rng(4))
    found = n * series[paths].mean(axis=0).var()
    close(found, expected, rtol=0.04)
    if p < 1:
        assert expected > 1.5 * covariances[0]


def test_blocks_are_runs_of_dates_of_the_length_asked():
    paths = stationary_dates(50, 40, 4000, 4.0, np.random.default_rng(5))
    assert paths.shape == (40, 4000)
    follows = (np.diff(paths, axis=0) % 50) == 1
    # A fresh date is the next one by chance once in 50.
    assert abs(follows.mean() - (0.75 + 0.25 / 50)) < 0.005
    for step in (0, 39):
        counts = np.bincount(paths[step], minlength=50)
        assert np.abs(counts / 4000 - 1 / 50).max() < 0.012
    # The circle closes: the last date is followed by the first as often as any by its next.
    after_last = paths[1:][paths[:-1] == 49]
    assert abs((after_last == 0).mean() - 0.755) < 0.03


@given(st.integers(1, 12), st.integers(0, 9), st.integers(0, 5), st.floats(1, 50))
def test_dates_stay_in_range_and_repeat_with_the_seed(dates, steps, paths, block):
    one, two = (
        stationary_dates(dates, steps, paths, block, np.random.default_rng(7)) for _ in range(2)
    )
    assert one.shape == (steps, paths)
    assert (one == two).all()
    assert ((one >= 0) & (one < dates)).all()


def test_blocks_of_one_never_continue_and_endless_ones_always_do():
    whole = stationary_dates(10, 30, 50, 1e12, np.random.default_rng(8))
    assert (np.diff(whole, axis=0) % 10 == 1).all()
    single = stationary_dates(1000, 30, 50, 1.0, np.random.default_rng(8))
    assert (np.diff(single, axis=0) == 1).mean() < 0.01


@pytest.mark.parametrize(("dates", "block"), [(0, 4.0), (5, 0.5), (5, float("nan"))])
def test_impossible_blocks_are_refused(dates, block):
    with pytest.raises(ModelProblem, match="at least one date"):
        stationary_dates(dates, 3, 2, block, np.random.default_rng(0))


# ---- covariances


def test_covariances_are_drawn_to_the_pool():
    own = np.stack([COVARIANCE * 4, COVARIANCE, np.full((3, 3), np.nan)])
    found = shrunk_covariance(own, COVARIANCE, np.array([60, 20, 20]))
    close(found[0], (20 * COVARIANCE + 60 * own[0]) / 80)
    close(found[1], COVARIANCE)
    close(found[2], COVARIANCE)
    close(shrunk_covariance(own[:1], COVARIANCE, 0)[0], COVARIANCE)
    close(shrunk_covariance(own[:1], COVARIANCE, 10, nu=0.0), own[:1])
    half = own[0].copy()
    half[0, 1] = np.nan
    close(shrunk_covariance(half, COVARIANCE, 10), COVARIANCE)


# ---- rows


@pytest.mark.parametrize("draw", ["gaussian", "student"])
def test_rows_have_the_covariance(draw):
    rng = np.random.default_rng(9)
    if draw == "gaussian":
        rows = gaussian_rows(COVARIANCE, 200_000, rng)
        assert np.abs(kurtosis(rows)).max() < 0.1
    else:
        rows = student_rows(COVARIANCE, 200_000, 7.0, rng)
        assert kurtosis(rows).min() > 1.0
    close(np.cov(rows.T), COVARIANCE, rtol=0, atol=0.03)
    close(rows.mean(axis=0), 0.0, atol=0.02)


def test_student_rows_have_its_tails_together():
    rows = student_rows(np.eye(2), 200_000, 5.0, np.random.default_rng(10))
    scaled = rows * np.sqrt(5 / 3)
    for q in (0.9, 0.99):
        close((scaled[:, 0] > t.ppf(q, 5)).mean(), 1 - q, rtol=0.06)
    far = np.abs(rows) > 3
    assert (far[:, 0] & far[:, 1]).mean() > 5 * far[:, 0].mean() * far[:, 1].mean()
    for df in (2.0, float("nan")):
        with pytest.raises(ModelProblem, match="more than 2"):
            student_rows(np.eye(2), 3, df, np.random.default_rng(0))


def test_singular_and_slightly_negative_covariances_can_be_drawn():
    line = np.outer([1.0, -2.0, 0.0], [1.0, -2.0, 0.0])
    rows = gaussian_rows(line, 50, np.random.default_rng(11))
    close(rows[:, 1], -2 * rows[:, 0])
    close(rows[:, 2], 0.0)
    assert rows[:, 0].std() > 0.5
    close(gaussian_rows(line - 1e-15 * np.eye(3), 50, np.random.default_rng(11)), rows, atol=1e-9)
    assert (gaussian_rows(np.zeros((2, 2)), 5, np.random.default_rng(0)) == 0).all()
    assert gaussian_rows(COVARIANCE, 0, np.random.default_rng(0)).shape == (0, 3)


def test_many_units_are_drawn_at_once():
    many = np.stack([COVARIANCE, 100 * COVARIANCE])
    rows = gaussian_rows(many, 20_000, np.random.default_rng(12))
    assert rows.shape == (2, 20_000, 3)
    for k in range(2):
        close(np.cov(rows[k].T) / (1, 100)[k], COVARIANCE, rtol=0, atol=0.06)
    assert abs(np.corrcoef(rows[0, :, 0], rows[1, :, 0])[0, 1]) < 0.03
    assert student_rows(many, 5, 5.0, np.random.default_rng(0)).shape == (2, 5, 3)


@given(st.integers(0, 1000), st.sampled_from([1e-6, 2.0, 1e8]))
def test_rows_follow_the_scale(seed, factor):
    one = gaussian_rows(COVARIANCE, 4, np.random.default_rng(seed))
    other = gaussian_rows(COVARIANCE * factor**2, 4, np.random.default_rng(seed))
    close(np.abs(other), np.abs(one) * factor, rtol=1e-6, atol=1e-9 * factor)


def test_whole_rows_are_drawn_and_centred():
    rng = np.random.default_rng(13)
    pool = rng.normal(5, 1, (40, 2))
    pool[3, 1], pool[4, 0] = np.nan, np.inf
    rows = bootstrap_rows(pool, 5000, rng)
    kept = pool[np.isfinite(pool).all(axis=1)]
    centred = kept - kept.mean(axis=0)
    distance = np.abs(rows[:, None] - centred).sum(axis=2)
    assert distance.min(axis=1).max() < 1e-12
    assert len(np.unique(distance.argmin(axis=1))) == 38
    close(rows.mean(axis=0), 0.0, atol=0.06)
    close(np.cov(rows.T), np.cov(kept.T, ddof=0), rtol=0, atol=0.06)
    close(bootstrap_rows(np.array([[2.0]]), 3, rng), 0.0)
    with pytest.raises(ModelProblem, match="no complete row"):
        bootstrap_rows(np.array([[np.nan, 1.0]]), 3, rng)
