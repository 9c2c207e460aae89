"""Scores of distributions, calibration, intervals of a mean."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.integrate import quad
from scipy.stats import chisquare, kstest, norm

from debtwatch.sustainability.scores import (
    brier,
    cluster_interval,
    coverage,
    crps_normal,
    crps_sample,
    energy_score,
    inflation_for_coverage,
    interval_score,
    pit,
    pit_chi2,
)

SEEDS = st.integers(0, 10_000)
GRID = norm.ppf((np.arange(20_000) + 0.5) / 20_000)


def close(a, b, **options):
    np.testing.assert_allclose(a, b, **{"rtol": 1e-9, "atol": 1e-12, **options})


def pairs(paths):
    """Mean distance between two paths, themselves included."""
    apart = paths[:, :, None] - paths[:, None, :]
    return np.sqrt((apart**2).sum(axis=0)).mean()


# ---- continuous ranked probability score


@pytest.mark.parametrize(
    ("outcome", "score"), [(0.0, 0.2336949773), (1.0, 0.6024413576), (-2.0, 1.4527918217)]
)
def test_crps_of_the_normal_law(outcome, score):
    close(crps_normal(0.0, 1.0, outcome), score, rtol=0, atol=1e-9)
    close(crps_normal(5.0, 3.0, 5 + 3 * outcome), 3 * score, rtol=0, atol=1e-9)
    close(crps_sample(GRID, outcome), score, rtol=0, atol=1e-4)


def test_mean_crps_of_the_true_law():
    found = quad(lambda y: float(crps_normal(0.0, 1.0, y)) * norm.pdf(y), -9, 9)[0]
    close(found, 1 / np.sqrt(np.pi), rtol=0, atol=1e-9)
    close(found, 0.5641895835, rtol=0, atol=1e-9)
    close(crps_normal([0.0, 1.0], 0.0, 3.0), [3.0, 2.0])
    assert np.isnan(crps_normal(0.0, 1.0, np.nan))


def test_crps_of_a_sample_is_its_definition():
    rng = np.random.default_rng(1)
    paths, outcome = rng.normal(size=(4, 3, 25)), rng.normal(size=(4, 3))
    found = crps_sample(paths, outcome)
    apart = np.abs(paths[..., :, None] - paths[..., None, :]).sum(axis=(-2, -1))
    miss = np.abs(paths - outcome[..., None]).mean(axis=-1)
    close(found, miss - apart / 25**2 / 2)
    close(crps_sample(paths, outcome, fair=True), miss - apart / 25 / 24 / 2)
    assert (found >= 0).all()
    close(crps_sample(np.array([2.0]), 5.0, fair=True), 3.0)


def test_the_fair_score_does_not_depend_on_the_number_of_paths():
    rng = np.random.default_rng(2)
    outcome = rng.normal(size=20_000)
    few = rng.normal(size=(20_000, 4))
    close(crps_sample(few, outcome, fair=True).mean(), 0.5642, rtol=0.02)
    assert crps_sample(few, outcome).mean() > 0.68


@given(SEEDS, st.sampled_from([1e-3, 5.0, 1e6]), st.sampled_from([0.0, 1e6]))
def test_crps_follows_scale_order_and_shift(seed, factor, shift):
    rng = np.random.default_rng(seed)
    paths, outcome = rng.normal(size=(3, 12)), rng.normal(size=3)
    moved = rng.permuted(paths, axis=1) * factor + shift
    found = crps_sample(moved, outcome * factor + shift)
    close(found, crps_sample(paths, outcome) * factor, rtol=1e-5, atol=1e-8 * factor)


def test_a_missing_outcome_or_path_gives_a_missing_score():
    paths = np.zeros((3, 5))
    paths[1, 2] = np.nan
    outcome = np.array([0.0, 0.0, np.nan])
    for found in (
        crps_sample(paths, outcome),
        pit(paths, outcome, np.random.default_rng(0)),
        energy_score(paths[:, None], outcome[:, None]),
    ):
        assert np.isnan(found).tolist() == [False, True, True]


# ---- energy and interval scores


def test_energy_score_in_one_dimension_is_the_crps():
    rng = np.random.default_rng(3)
    for count in (1, 2, 3, 40, 41):
        paths, outcome = rng.normal(size=(6, count)), rng.normal(size=6)
        found = energy_score(paths[:, None], outcome[:, None])
        close(found, crps_sample(paths, outcome), atol=1e-12)


def test_energy_score_is_its_definition():
    rng = np.random.default_rng(4)
    for count in (9, 10):
        paths, outcome = rng.normal(size=(3, count)), rng.normal(size=3)
        miss = np.sqrt(((paths - outcome[:, None]) ** 2).sum(axis=0)).mean()
        close(energy_score(paths, outcome), miss - pairs(paths) / 2)
        close(energy_score(paths, outcome, shifts=99), energy_score(paths, outcome))


def test_a_few_shifts_estimate_all_pairs():
    rng = np.random.default_rng(5)
    paths, outcome = rng.normal(size=(200, 2, 101)), rng.normal(size=(200, 2))
    whole, some = energy_score(paths, outcome), energy_score(paths, outcome, shifts=5)
    assert (whole != some).any()
    close(some, whole, rtol=0, atol=0.15)
    assert abs((some - whole).mean()) < 0.01


def test_interval_score():
    z = norm.ppf(0.9)

    def at(y):
        return float(interval_score(np.array(-z), np.array(z), np.array(y), 0.8))

    found = sum(
        quad(lambda y: at(y) * norm.pdf(y), a, b)[0] for a, b in ((-9, -z), (-z, z), (z, 9))
    )
    close(found, 3.5099666387, rtol=0, atol=1e-8)
    lower, upper = np.zeros(4), np.ones(4)
    outcome = np.array([0.5, 1.5, -0.2, np.nan])
    close(interval_score(lower, upper, outcome, 0.9), [1.0, 11.0, 5.0, np.nan])


# ---- probabilities and coverage


def test_brier_and_coverage_leave_out_the_unknown():
    close(brier([0.9, 0.2, 0.5], [1.0, 0.0, np.nan]), 0.025)
    assert brier([0.5, 0.5], [1, 0]) == 0.25
    assert np.isnan(brier([np.nan], [1.0]))
    close(coverage([0, 0, 0, np.nan], [1, 1, 1, 1], [1.0, 0.0, 2.0, 0.5]), 2 / 3)
    assert np.isnan(coverage([np.nan], [1.0], [0.5]))
    assert np.isnan(coverage([], [], []))


# ---- probability integral transform


def test_transforms_are_uniform_even_with_few_paths_and_ties():
    rng = np.random.default_rng(6)
    few = pit(rng.normal(size=(20_000, 4)), rng.normal(size=20_000), rng)
    assert kstest(few, "uniform").pvalue > 0.01
    tied = pit(rng.poisson(1.0, (20_000, 9)) * 1.0, rng.poisson(1.0, 20_000) * 1.0, rng)
    assert kstest(tied, "uniform").pvalue > 0.01
    narrow = pit(0.5 * rng.normal(size=(20_000, 50)), rng.normal(size=20_000), rng)
    assert kstest(narrow, "uniform").pvalue < 1e-6
    same = [pit(np.zeros((5, 3)), np.zeros(5), np.random.default_rng(1)) for _ in range(2)]
    assert (same[0] == same[1]).all()


@given(SEEDS)
def test_transforms_lie_between_the_neighbours(seed):
    rng = np.random.default_rng(seed)
    paths, outcome = rng.integers(0, 5, (6, 8)) * 1.0, rng.integers(0, 5, 6) * 1.0
    found = pit(paths, outcome, rng)
    below = (paths < outcome[:, None]).sum(axis=1)
    up_to = (paths <= outcome[:, None]).sum(axis=1)
    assert (found >= below / 9).all()
    assert (found <= (up_to + 1) / 9).all()


def test_chi_squared_of_transforms():
    rng = np.random.default_rng(7)
    u = rng.random(500)
    counts = np.histogram(u, 10, (0, 1))[0]
    found, expected = pit_chi2(u), chisquare(counts)
    close((found.statistic, found.p_value), (expected.statistic, expected.pvalue))
    assert found.design_effect == 1
    close(pit_chi2(np.append(u, np.nan)).statistic, found.statistic)
    assert pit_chi2(u**2).p_value < 1e-6
    assert pit_chi2(np.array([0.0, 1.0]), 2).statistic == 0
    assert np.isnan(pit_chi2(np.array([np.nan])).p_value)
    assert np.isnan(pit_chi2(u, cluster=np.zeros(500, dtype=np.int64)).p_value)
    assert np.isnan(pit_chi2(np.full(500, np.nan), cluster=np.arange(500)).p_value)


def test_clusters_keep_the_test_from_crying_wolf():
    rng = np.random.default_rng(8)
    cluster = np.repeat(np.arange(30), 20)
    plain, clustered = [], []
    for _ in range(300):
        shared = np.repeat(rng.normal(size=30), 20)
        u = norm.cdf(np.sqrt(0.3) * shared + np.sqrt(0.7) * rng.normal(size=600))
        plain.append(pit_chi2(u).p_value)
        clustered.append(pit_chi2(u, cluster=cluster).p_value)
    assert (np.array(plain) < 0.05).mean() > 0.3
    assert (np.array(clustered) < 0.05).mean() < 0.12
    assert pit_chi2(rng.random(600) ** 3, cluster=cluster).p_value < 1e-4
    # Two clusters of ten, each in one bin: shares one half, spread 2 (5^2 + 5^2), alone 20 / 4.
    blocks = pit_chi2(np.repeat([0.2, 0.7], 10), 2, np.repeat([3, 1], 10))
    close((blocks.design_effect, blocks.statistic), (20.0, 0.0))
    # Clusters more even than chance do not make the test stricter.
    even = pit_chi2(np.tile([0.2, 0.7], 10), 2, np.repeat(np.arange(10), 2))
    assert (even.design_effect, even.p_value) == (1.0, 1.0)
    alone = pit_chi2(u, cluster=np.arange(600))
    assert alone.design_effect < 1.1


# ---- intervals of a mean


def test_cluster_intervals_hold_the_true_mean():
    rng = np.random.default_rng(9)
    cluster = np.repeat(np.arange(40), 10)
    hits, naive = [], []
    for seed in range(300):
        values = np.repeat(rng.normal(size=40), 10) + rng.normal(size=400)
        found = cluster_interval(values, cluster, seed=seed)
        hits.append(found.lower <= 0 <= found.upper)
        single = cluster_interval(values, np.arange(400), seed=seed)
        naive.append(single.lower <= 0 <= single.upper)
    assert 0.82 < np.mean(hits) < 0.95
    assert np.mean(naive) < 0.6


def test_cluster_intervals_repeat_and_leave_out_the_missing():
    rng = np.random.default_rng(10)
    values, cluster = rng.normal(size=60), rng.integers(0, 8, 60) * 7 - 3
    one = cluster_interval(values, cluster, seed=4)
    assert one == cluster_interval(values, cluster, seed=4)
    assert one == cluster_interval(values, cluster, seed=np.random.default_rng(4))
    assert one != cluster_interval(values, cluster, seed=5)
    close(one.mean, values.mean())
    assert one.lower < one.mean < one.upper
    wide = cluster_interval(values, cluster, level=0.99, draws=2000)
    assert wide.upper - wide.lower > one.upper - one.lower
    more, named = np.append(values, np.nan), np.append(cluster, 1000)
    assert cluster_interval(more, named, seed=4) == one
    # Clusters of nine and of one figure: half of the draws hold both, with the mean of all ten.
    unequal = cluster_interval(np.arange(10) // 9 * 1.0, np.arange(10) // 9, level=0.2)
    assert (unequal.lower, unequal.upper) == (0.1, 0.1)
    lone = cluster_interval(values, np.zeros(60, dtype=np.int64))
    close(lone.mean, values.mean())
    assert np.isnan(lone.lower)
    assert np.isnan(cluster_interval(np.array([np.nan]), np.array([0])).mean)


# ---- repair of coverage


@given(SEEDS, st.sampled_from([0.5, 0.8, 0.9]))
def test_inflated_intervals_cover_what_they_say(seed, level):
    rng = np.random.default_rng(seed)
    centre = rng.normal(size=200)
    lower, upper = centre - rng.uniform(0.1, 1, 200), centre + rng.uniform(0.1, 2, 200)
    outcome = centre + rng.normal(size=200) * 2
    outcome[:5] = np.nan
    k = inflation_for_coverage(centre, lower, upper, outcome, level)
    assert k >= 1

    def share(factor):
        return coverage(
            centre - factor * (centre - lower), centre + factor * (upper - centre), outcome
        )

    assert share(k * (1 + 1e-9)) >= level
    if k > 1:
        assert share(k * (1 - 1e-9)) < level
    scaled = inflation_for_coverage(
        *(1e6 * part for part in (centre, lower, upper, outcome)), level
    )
    close(scaled, k)


def test_inflation_of_normal_intervals():
    z = norm.ppf(0.9)
    rng = np.random.default_rng(11)
    zero = np.zeros(100_000)
    outcome = 1.5 * rng.normal(size=100_000)
    close(inflation_for_coverage(zero, zero - z, zero + z, outcome, 0.8), 1.5, rtol=0.02)
    assert inflation_for_coverage(zero, zero - 9, zero + 9, outcome, 0.8) == 1.0
    nothing = np.full(2, np.nan)
    assert np.isnan(inflation_for_coverage(nothing, nothing, nothing, nothing, 0.8))
    flat = np.zeros(4)
    assert inflation_for_coverage(flat, flat, flat, np.array([0, 0, 0, 1.0]), 0.75) == 1.0
    assert inflation_for_coverage(flat, flat, flat, np.array([0, 0, 1, 1.0]), 0.75) == np.inf
