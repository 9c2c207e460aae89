"""Short panels: shrunk means and scales, pooled VAR, common factors, spread of fans."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import norm
from statsmodels.regression.mixed_linear_model import MixedLM
from statsmodels.tsa.api import VAR

from debtwatch.errors import ModelProblem
from debtwatch.sustainability.pooling import (
    ar1_spread,
    pooled_var,
    shrink_means,
    shrink_scales,
    split_common,
    winsorise,
)

SEEDS = st.integers(0, 10_000)


def ar1(rng, units, dates, phi, *, sigma=1.0, mu=0.0):
    path = np.empty((units, dates))
    path[:, 0] = rng.normal(0, sigma / np.sqrt(1 - phi**2), units)
    for t in range(1, dates):
        path[:, t] = phi * path[:, t - 1] + rng.normal(0, sigma, units)
    return mu + path


def exact_panel(tau2, sigma2=0.01, dates=12, units=8):
    """Figures whose moments are exactly those of the oracle."""
    shape = np.tile([1.0, -1.0], dates // 2)
    shape *= np.sqrt(sigma2 * (dates - 1) / dates)
    spread = np.linspace(-1, 1, units)
    spread *= np.sqrt((tau2 + sigma2 / dates) / spread.var(ddof=1))
    return spread[:, None] + shape


def random_panel(seed, units=20, dates=9, holes=0.3):
    rng = np.random.default_rng(seed)
    values = rng.normal(rng.normal(0, 1, (units, 1)), 1, (units, dates))
    values[rng.random(values.shape) < holes] = np.nan
    values[0] = np.nan
    values[1, 1:] = np.nan
    values[1, 0] = 2.0
    return values


def close(a, b, **options):
    np.testing.assert_allclose(a, b, **{"rtol": 1e-9, "atol": 1e-12, **options})


# ---- means


def test_shrinkage_of_the_published_case():
    found = shrink_means(exact_panel(0.0025), prior_df=np.inf)
    close(found.sigma2, 0.01)
    close(found.tau2, 0.0025)
    close(found.shrinkage, 0.75)
    close(found.variance, 0.25 * 0.0025 + 0.25**2 * (0.0025 + 0.01 / 12) / 8)
    close(found.mean, 0.75 * exact_panel(0.0025).mean(axis=1), atol=1e-12)


def test_no_spread_of_true_means_pools_exactly():
    values = exact_panel(-0.0002, units=6) + 3
    found = shrink_means(values)
    assert found.tau2 == 0
    assert (found.shrinkage == 0).all()
    close(found.mean, 3.0)


def test_shrunk_means_are_the_predictions_of_a_mixed_model():
    rng = np.random.default_rng(5)
    values = rng.normal(rng.normal(2, 0.5, (250, 1)), 1.0, (250, 12))
    values[rng.random(values.shape) < 0.2] = np.nan
    found = shrink_means(values, prior_df=np.inf)
    unit, date = np.nonzero(np.isfinite(values))
    frame = pd.DataFrame({"y": values[unit, date], "one": 1.0, "unit": unit})
    fit = MixedLM(frame["y"], frame[["one"]], groups=frame["unit"]).fit(reml=True)
    effects = np.array([fit.random_effects[k].iloc[0] for k in range(250)])
    expected = fit.params["one"] + effects
    assert np.corrcoef(found.mean, expected)[0, 1] > 0.99999
    # The moments and the likelihood estimate tau2 apart, so the levels agree less closely.
    close(found.mean, expected, rtol=0, atol=0.05)


def test_groups_have_pools_of_their_own():
    rng = np.random.default_rng(6)
    group = np.repeat([7, -2, 7, 5], [40, 40, 40, 1])
    level = np.where(group == 7, 10.0, -10.0)
    values = rng.normal(level[:, None], 1.0, (121, 8))
    values[120] = np.nan
    found = shrink_means(values, group)
    assert np.ptp(found.pool[group == 7]) == 0
    close(found.pool[0], 10.0, rtol=0, atol=0.3)
    close(found.pool[50], -10.0, rtol=0, atol=0.3)
    assert found.tau2 < 0.2
    overall = shrink_means(values)
    assert overall.tau2 > 50
    # A group nobody reports in has the mean of all groups.
    assert -10 < found.mean[120] < 10
    assert found.shrinkage[120] == 0


def test_each_group_takes_a_degree_of_freedom():
    values = np.concatenate([exact_panel(0.0025), exact_panel(0.0025) + 5, exact_panel(0.0025)])
    group = np.repeat([0, 1, 2], 8)
    found = shrink_means(values, group, prior_df=np.inf)
    close(found.tau2, 0.0025)
    close(found.pool, np.repeat([0.0, 5.0, 0.0], 8), atol=1e-12)
    close(found.variance, 0.25 * 0.0025 + 0.25**2 * (0.0025 + 0.01 / 12) / 8)


def test_posterior_variance_holds_the_truth():
    rng = np.random.default_rng(7)
    truth = rng.normal(1, 0.5, 3000)
    scale = rng.choice([0.5, 1.0, 2.0], 3000)
    values = rng.normal(truth[:, None], scale[:, None], (3000, 6))
    found = shrink_means(values)
    assert abs(found.tau2 - 0.25) < 0.05
    error = (found.mean - truth) / np.sqrt(found.variance)
    assert abs((np.abs(error) < norm.ppf(0.9)).mean() - 0.8) < 0.02
    assert ((found.mean - truth) ** 2).mean() < 0.7 * ((values.mean(axis=1) - truth) ** 2).mean()


def test_autocorrelated_figures_count_for_less():
    rng = np.random.default_rng(8)
    truth = rng.normal(0, 1.0, 3000)
    values = truth[:, None] + ar1(rng, 3000, 16, 0.6, sigma=0.8)
    found = shrink_means(values, autocorrelation=0.6, prior_df=np.inf)
    close(found.effective, 16 * 0.4 / 1.6)
    close(found.sigma2.mean(), 1.0, rtol=0.03)
    naive = shrink_means(values, prior_df=np.inf)
    assert naive.sigma2.mean() < 0.85
    assert naive.tau2 > 1.15
    assert abs(found.tau2 - 1.0) < 0.1
    close(shrink_means(values, autocorrelation=-0.5).mean, shrink_means(values).mean)
    assert (shrink_means(values[:, :3], autocorrelation=0.6).effective == 1).all()


def test_recent_dates_can_weigh_more():
    values = exact_panel(0.0025)
    weights = 0.5 ** (np.arange(12)[::-1] / 4)
    found = shrink_means(values, weights=weights, prior_df=np.inf)
    close(found.effective, weights.sum() ** 2 / (weights**2).sum())
    own = values @ weights / weights.sum()
    close(found.mean, found.shrinkage * own + (1 - found.shrinkage) * found.pool)
    close(shrink_means(values, weights=np.full(12, 3.0)).mean, shrink_means(values).mean)
    rng = np.random.default_rng(9)
    many = rng.normal(0, 2.0, (4000, 12))
    close(shrink_means(many, weights=weights, prior_df=np.inf).sigma2[0], 4.0, rtol=0.03)


def test_unit_variances_are_drawn_to_the_pool():
    rng = np.random.default_rng(10)
    values = rng.normal(0, np.repeat([1.0, 3.0], 100)[:, None], (200, 10))
    own = values.var(axis=1, ddof=1)
    found = shrink_means(values, prior_df=20)
    pool = shrink_means(values, prior_df=np.inf).sigma2[0]
    close(found.sigma2, (20 * pool + 10 * own) / 30)
    close(shrink_means(values, prior_df=0).sigma2, own)


def test_units_with_little_or_nothing():
    values = random_panel(1)
    found = shrink_means(values)
    assert (found.shrinkage[:2] == 0).all()
    close(found.mean[:2], found.pool[:2])
    assert found.mean[1] != 2.0
    assert found.variance[0] > found.tau2 > 0
    assert found.variance[0] > found.variance[2:].max()
    for empty in (np.full((3, 4), np.nan), np.array([[1.0, np.nan], [np.nan, np.nan]])):
        nothing = shrink_means(empty)
        assert np.isnan(nothing.mean).all()
        assert np.isnan(nothing.tau2)
    alone = shrink_means(np.array([[1.0, 3.0], [np.nan, np.nan]]))
    close(alone.mean, 2.0)
    assert shrink_means(np.zeros((0, 4))).mean.shape == (0,)


def test_constant_units_keep_their_means():
    found = shrink_means(np.repeat([[1.0], [2.0], [6.0]], 4, axis=1))
    close(found.mean, [1.0, 2.0, 6.0], rtol=1e-6)
    close(shrink_means(np.full((3, 4), 5.0)).mean, 5.0)


@given(SEEDS)
def test_means_do_not_depend_on_the_order_of_units(seed):
    values = random_panel(seed)
    group = np.random.default_rng(seed).integers(0, 3, 20)
    order = np.random.default_rng(seed + 1).permutation(20)
    close(shrink_means(values, group).mean[order], shrink_means(values[order], group[order]).mean)


@given(SEEDS, st.sampled_from([1e-4, 3.0, 1e8]), st.sampled_from([0.0, -7.0]))
def test_means_follow_scale_and_shift(seed, factor, shift):
    values = random_panel(seed)
    one, other = shrink_means(values), shrink_means(values * factor + shift)
    close(other.mean, one.mean * factor + shift, atol=1e-9 * factor, rtol=1e-6)
    close(other.shrinkage, one.shrinkage, atol=1e-6)
    close(other.variance, one.variance * factor**2, rtol=1e-6)


@given(SEEDS)
def test_an_absurd_figure_stays_in_its_unit(seed):
    values = random_panel(seed, holes=0.1)
    absurd = values.copy()
    absurd[5, 3] = 1e16
    absurd[6, 3] = np.inf
    one, other = shrink_means(values), shrink_means(absurd)
    assert np.isfinite(other.mean).all()
    rest = np.arange(20) != 5
    assert np.abs(other.mean[rest] - one.mean[rest]).max() < 1.0
    # The unit's own mean is so noisy that it counts for nothing.
    assert other.shrinkage[5] < 1e-6
    assert abs(other.mean[5] - other.pool[5]) < 1e-6 * 1e16


# ---- scales


def test_scales_are_drawn_to_the_pool():
    rng = np.random.default_rng(11)
    residuals = rng.normal(0, np.repeat([1.0, 2.0], 50)[:, None], (100, 16))
    residuals[:, 12:] = np.where(np.arange(100)[:, None] % 2, np.nan, residuals[:, 12:])
    found = shrink_scales(residuals, winsor_share=0.0)
    own, n = np.nanvar(residuals, axis=1, ddof=1), np.isfinite(residuals).sum(axis=1)
    pool = (own * (n - 1)).sum() / (n - 1).sum()
    close(found.scale**2, (20 * pool + n * own) / (20 + n))
    close(found.pool, np.sqrt(pool))
    close(shrink_scales(residuals, 0.0, 0.0).scale, np.sqrt(own))


def test_variables_have_scales_of_their_own():
    rng = np.random.default_rng(12)
    residuals = rng.normal(0, [1.0, 100.0], (300, 12, 2))
    found = shrink_scales(residuals)
    assert found.scale.shape == (300, 2)
    close(found.pool, [1.0, 100.0], rtol=0.05)
    assert found.pool[0] < shrink_scales(residuals, winsor_share=0.0).pool[0]
    close(found.scale[:, 0], shrink_scales(residuals[..., 0]).scale)


def test_little_or_nothing_gives_the_pool():
    found = shrink_scales(np.array([[1.0, 3.0, 1.0], [4.0, np.nan, np.nan], [np.nan] * 3]))
    close(found.scale[1:], found.pool)
    assert found.observations.tolist() == [3, 1, 0]
    assert np.isnan(shrink_scales(np.full((2, 3), np.nan)).scale).all()
    close(shrink_scales(np.array([[1.0, 3.0], [np.nan] * 2]), 0.0, 0.0).scale, np.sqrt(2))


@given(SEEDS, st.sampled_from([1e16, -1e16, np.inf]))
def test_an_absurd_residual_moves_the_pool_little(seed, absurd):
    residuals = random_panel(seed, holes=0.1)
    spoilt = residuals.copy()
    spoilt[5, 3] = absurd
    one, other = shrink_scales(residuals), shrink_scales(spoilt)
    assert np.isfinite(other.scale).all()
    rest = np.arange(20) != 5
    close(other.scale[rest], one.scale[rest], rtol=0.2)
    close(other.scale[5], one.scale[5], rtol=1.0)


@given(SEEDS)
def test_scales_follow_order_and_scale(seed):
    residuals = random_panel(seed)
    order = np.random.default_rng(seed).permutation(20)
    found = shrink_scales(residuals).scale
    close(shrink_scales(residuals[order] * -50).scale, found[order] * 50)


def test_winsorising_takes_figures_of_the_pool_as_limits():
    values = np.arange(1000.0).reshape(10, 100)
    kept = winsorise(values)
    assert (kept.min(), kept.max()) == (10.0, 989.0)
    assert (kept[1:9] == values[1:9]).all()
    few = np.array([[1.0, 2.0, 3.0, np.nan, 1e16]])
    close(winsorise(few)[0, [0, 1, 2, 4]], [1.0, 2.0, 3.0, 2.5 + 5 * 1.4826])
    normal = np.random.default_rng(0).normal(size=(9, 11))
    assert (winsorise(normal) == normal).all()
    close(winsorise(values, 0.0), values)
    assert np.isnan(winsorise(np.array([[np.inf, np.nan]]))).all()


# ---- pooled VAR


def test_one_unit_is_the_textbook_var():
    rng = np.random.default_rng(13)
    panel = np.zeros((1, 60, 3))
    matrix = np.array([[0.5, 0.2, 0.0], [0.0, 0.3, 0.1], [-0.2, 0.0, 0.4]])
    for t in range(1, 60):
        panel[0, t] = matrix @ panel[0, t - 1] + rng.normal(size=3) * [1, 100, 0.01]
    found, expected = pooled_var(panel), VAR(panel[0]).fit(1)
    close(found.uncorrected, expected.coefs[0], rtol=1e-9, atol=1e-9)
    close(pooled_var(panel, ridge=10.0).uncorrected, 0.0, rtol=0, atol=2000)
    assert np.abs(np.diag(pooled_var(panel, ridge=10.0).uncorrected)).max() < 0.1


@pytest.mark.parametrize(
    ("dates", "biased", "corrected"), [(8, 0.34, 0.67), (16, 0.49, 0.63), (40, 0.56, 0.61)]
)
def test_bias_of_short_panels_and_its_correction(dates, biased, corrected):
    panel = ar1(np.random.default_rng(14), 4000, dates, 0.6)
    panel += np.random.default_rng(15).normal(0, 3, (4000, 1))
    found = pooled_var(panel[..., None])
    assert found.correction == "jackknife"
    assert found.pairs == 4000 * (dates - 1)
    assert abs(found.uncorrected[0, 0] - biased) < 0.02
    assert abs(found.coefficients[0, 0] - corrected) < 0.02


def test_odd_panels_are_cut_both_ways():
    panel = ar1(np.random.default_rng(16), 3000, 11, 0.5)[..., None]
    found = pooled_var(panel)
    full = found.uncorrected[0, 0]
    parts = [panel[:, :5], panel[:, 5:], panel[:, :6], panel[:, 6:]]
    halves = np.mean([pooled_var(part).uncorrected[0, 0] for part in parts])
    close(found.coefficients[0, 0], 2 * full - halves)


def test_too_few_dates_take_the_formula():
    panel = ar1(np.random.default_rng(17), 4000, 6, 0.4)[..., None]
    found = pooled_var(panel)
    phi = found.coefficients[0, 0]
    assert found.correction == "nickell"
    close(found.uncorrected[0, 0], phi - (1 + phi) / 5)
    assert abs(phi - 0.4) < 0.05
    few = pooled_var(panel[:2])
    assert few.correction == "nickell"
    # Two units of ten dates: enough dates, too few rows in a half.
    assert pooled_var(np.random.default_rng(1).normal(size=(2, 10, 1))).correction == "nickell"


def test_gaps_are_never_bridged():
    rng = np.random.default_rng(18)
    panel = ar1(rng, 400, 20, 0.6)[..., None]
    gapped = panel.copy()
    gapped[:, 7] = np.nan
    found = pooled_var(gapped)
    assert found.pairs == 400 * 17
    missing = np.isnan(found.residuals[..., 0]).all(axis=0)
    assert np.flatnonzero(missing).tolist() == [0, 7, 8]
    two = np.concatenate([panel, gapped], axis=2)
    assert pooled_var(two).pairs == 400 * 17


def test_residuals_are_what_the_model_leaves():
    panel = ar1(np.random.default_rng(19), 50, 20, 0.6, sigma=2.0, mu=5.0)[..., None]
    found = pooled_var(panel)
    fitted = found.intercepts[:, None] + panel[:, :-1] @ found.coefficients.T
    close(found.residuals[:, 1:], panel[:, 1:] - fitted)
    close(np.nansum(found.residuals, axis=1), 0.0, atol=1e-9)
    assert abs(np.nanstd(found.residuals) - 2.0) < 0.2
    assert abs((found.intercepts / (1 - found.coefficients[0, 0])).mean() - 5) < 0.5


def test_an_explosive_matrix_is_scaled_down():
    rng = np.random.default_rng(20)
    panel = np.cumsum(rng.normal(size=(300, 20, 2)), axis=1)
    found = pooled_var(panel)
    assert found.scaled
    close(np.abs(np.linalg.eigvals(found.coefficients)).max(), 0.98)
    assert found.radius == 0.98
    close(pooled_var(panel, max_radius=0.5).coefficients, found.coefficients * 0.5 / 0.98)
    calm = pooled_var(rng.normal(size=(300, 20, 2)))
    assert not calm.scaled
    close(calm.radius, np.abs(np.linalg.eigvals(calm.coefficients)).max())


def test_a_panel_without_pairs_has_no_dynamics():
    for panel in (np.full((3, 8, 2), np.nan), np.ones((4, 1, 2)), np.ones((0, 8, 2))):
        found = pooled_var(panel)
        assert (found.coefficients == 0).all()
        assert (found.correction, found.pairs) == ("none", 0)
        assert np.isnan(found.residuals).all()
    single = np.full((2, 4, 1), np.nan)
    single[0, :2] = 1.0
    lone = pooled_var(single)
    assert (lone.correction, lone.pairs) == ("none", 0)
    assert np.isnan(lone.residuals).all()
    flat = pooled_var(np.ones((40, 12, 2)))
    assert np.isfinite(flat.coefficients).all()
    with pytest.raises(ModelProblem, match="2 dimensions"):
        pooled_var(np.ones((3, 4)))


@given(SEEDS)
def test_the_var_follows_order_and_units_of_measure(seed):
    rng = np.random.default_rng(seed)
    panel = rng.normal(size=(15, 10, 2)).cumsum(axis=1)
    panel[rng.random(panel.shape) < 0.1] = np.nan
    size = np.array([1e4, 1e-3])
    one = pooled_var(panel)
    other = pooled_var(panel[rng.permutation(15)] * size)
    close(other.coefficients, one.coefficients * size[:, None] / size, rtol=1e-6, atol=1e-9)
    panel[3, 4] = 1e16
    panel[4, 4, 0] = np.inf
    spoilt = pooled_var(panel)
    assert np.isfinite(spoilt.coefficients).all()
    assert spoilt.radius <= 0.98 + 1e-9
    there = np.isfinite(panel).all(axis=2)
    pairs = there[:, 1:] & there[:, :-1]
    several = pairs & (pairs.sum(axis=1) > 1)[:, None]
    assert (np.isfinite(spoilt.residuals[:, 1:]).all(axis=2) == several).all()


# ---- common factors


def shocks(rng, shares, *, units=400, groups=16, dates=60, holes=0.2):
    group = np.concatenate([np.arange(groups), rng.integers(0, groups // 2, units - groups)])
    nation, province, own = (np.sqrt(share) for share in shares)
    national, provincial = rng.normal(size=(1, dates)), rng.normal(size=(groups, dates))
    values = nation * national + province * provincial[group]
    values = values + own * rng.normal(size=(units, dates))
    values[rng.random(values.shape) < holes] = np.nan
    return values[..., None], group, nation * national[0], province * provincial


def test_shares_of_variance_are_found_without_bias():
    for shares in ((0.2, 0.3, 0.5), (0.05, 0.1, 0.85), (0.0, 0.0, 1.0)):
        found = []
        for seed in range(25):
            values, group, *_ = shocks(np.random.default_rng(seed), shares)
            split = split_common(values, group)
            found.append((split.national_share, split.province_share, split.own_share))
        close(np.mean(found, axis=0)[:, 0], shares, rtol=0, atol=0.02)


def test_factors_are_near_the_true_ones():
    values, group, national, provincial = shocks(
        np.random.default_rng(21), (0.2, 0.3, 0.5), units=2000
    )
    split = split_common(values, group)
    assert np.corrcoef(split.national[:, 0], national)[0, 1] > 0.9
    large = np.bincount(group) > 50
    near = np.corrcoef(split.province[large, :, 0].ravel(), provincial[large].ravel())[0, 1]
    assert near > 0.9
    # Signal shares: drawn in, so that errors are no larger than without.
    raw = np.nanmean(values[..., 0], axis=0)
    error = ((split.national[:, 0] - national) ** 2).mean()
    assert error <= ((raw - national) ** 2).mean()


def test_parts_add_up_and_lone_groups_have_no_factor():
    values, group, *_ = shocks(np.random.default_rng(22), (0.2, 0.3, 0.5), units=60)
    group[5] = 99
    values[:, 7] = np.nan
    values[group == 3, 9] = np.nan
    values[group == 3, 10] = np.nan
    split = split_common(values, group)
    close(split.national + split.province[split.member] + split.own, values)
    assert (split.labels[split.member] == group).all()
    lone = np.bincount(split.member) == 1
    assert lone.any()
    known = np.arange(60) != 7
    assert (split.province[lone][:, known] == 0).all()
    assert (np.abs(split.province[~lone][:, known]).max(axis=(1, 2)) > 0).all()
    assert np.isnan(split.national[7]).all()
    assert (split.province[split.labels == 3, 9:11] == 0).all()
    total = split.national_share + split.province_share + split.own_share
    close(total, 1.0)


def test_the_signal_share_of_balanced_groups():
    rng = np.random.default_rng(23)
    group = np.arange(40) % 8
    values = rng.normal(size=(40, 60)) + rng.normal(size=60) + rng.normal(size=(8, 60))[group]
    values = values[..., None]
    split = split_common(values, group)
    table = values[..., 0].reshape(5, 8, 60)
    means = table.mean(axis=0)
    own = table.var(axis=0, ddof=1).mean()
    province = means.var(axis=0, ddof=1).mean() - own / 5
    noise = province / 8 + own / 40
    spread = (means.mean(axis=0) ** 2).mean()
    close(split.national[:, 0], means.mean(axis=0) * (1 - noise / spread))
    signal = 1 - (own / 5) / (province + own / 5)
    assert 0.5 < signal < 1
    close(split.province[..., 0], signal * (means - split.national[:, 0]))


def test_one_group_and_groups_of_one():
    values, *_ = shocks(np.random.default_rng(24), (0.3, 0.0, 0.7), holes=0.0, units=50)
    for group in (np.zeros(50, dtype=np.int64), np.arange(50)):
        split = split_common(values, group)
        assert (split.province == 0).all()
        assert split.province_share == 0
        assert 0.15 < split.national_share[0] < 0.45
    alone = split_common(values[:1], np.zeros(1, dtype=np.int64))
    assert (alone.national == 0).all()
    close(alone.own, values[:1])
    nothing = split_common(np.full((3, 4, 1), np.nan), np.arange(3))
    assert np.isnan(nothing.national_share).all()
    assert np.isnan(nothing.own).all()


@given(SEEDS)
def test_factors_follow_order_and_scale_and_survive_absurd_figures(seed):
    rng = np.random.default_rng(seed)
    values, group, *_ = shocks(rng, (0.2, 0.3, 0.5), units=30, groups=6, dates=8)
    order = rng.permutation(30)
    one, other = split_common(values, group), split_common(values[order] * 1e3, group[order])
    close(other.national, one.national * 1e3, atol=1e-8)
    close(other.own, one.own[order] * 1e3, atol=1e-8)
    values[3, 2], values[4, 2] = 1e16, np.inf
    spoilt = split_common(values, group)
    assert np.isfinite(spoilt.national).all()
    assert (np.isfinite(spoilt.own) == np.isfinite(values)).all()


# ---- fans


def test_spread_of_an_autoregressive_path():
    level, cumulated = ar1_spread(0.05, 0.8, 20)
    steps = [0, 3, 7, 19]
    close(level[steps], [0.05, 0.07602210, 0.08215215, 0.08332779], rtol=0, atol=1e-8)
    close(cumulated[steps], [0.05, 0.21741610, 0.43802933, 0.93105368], rtol=0, atol=1e-8)
    close(ar1_spread(0.05, 0.8, 400)[0][-1], 0.05 / 0.6)
    close(ar1_spread(2.0, 1.0, 9)[0], 2 * np.sqrt(np.arange(1, 10)))
    close(ar1_spread(2.0, 0.0, 9)[1], 2 * np.sqrt(np.arange(1, 10)))


NOMINAL = norm.ppf(0.5 + np.array([0.5, 0.8, 0.9]) / 2)


def covered(miss, sd):
    return (np.abs(miss)[:, None] < NOMINAL * sd[:, None]).mean(axis=0)


def fans(dates, horizon=12, units=4000):
    """Coverage of fans: own estimates plugged in, pooled by formula, pooled by jackknife."""
    path = ar1(np.random.default_rng(25), units, dates + horizon, 0.8, sigma=0.03, mu=0.06)
    past, outcome = path[:, :dates], path[:, -1]
    x, y = past[:, :-1], past[:, 1:]
    x_mean, y_mean = x.mean(axis=1), y.mean(axis=1)
    x_dev, y_dev = x - x_mean[:, None], y - y_mean[:, None]

    def miss(slope):
        mean = (y_mean - slope * x_mean) / (1 - slope)
        return outcome - mean - slope**horizon * (past[:, -1] - mean)

    own = (x_dev * y_dev).sum(axis=1) / (x_dev**2).sum(axis=1)
    noise = np.sqrt(((y_dev - own[:, None] * x_dev) ** 2).sum(axis=1) / (dates - 3))
    plug_in = covered(miss(own), noise * np.sqrt((1 - own ** (2 * horizon)) / (1 - own**2)))
    fit = pooled_var(past[..., None])
    pooled = []
    fixed = fit.uncorrected[0, 0]
    for slope in (fixed + (1 + fixed) / (dates - 1), fit.coefficients[0, 0]):
        sigma = np.sqrt(((y_dev - slope * x_dev) ** 2).sum() / units / (dates - 2))
        level = ar1_spread(sigma, slope, horizon)[0][-1]
        of_mean = sigma / (1 - slope) / np.sqrt(dates) * (1 - slope**horizon)
        pooled.append(covered(miss(slope), np.full(units, np.hypot(level, of_mean))))
    return plug_in, *pooled


@pytest.mark.parametrize(
    ("dates", "plug_in", "pooled"),
    [(16, (0.32, 0.57, 0.67), (0.46, 0.75, 0.85)), (40, (0.41, 0.70, 0.81), (0.50, 0.80, 0.90))],
)
def test_plug_in_fans_are_too_narrow_and_pooled_ones_are_not(dates, plug_in, pooled):
    own, formula, jackknife = fans(dates)
    close(own, plug_in, rtol=0, atol=0.02)
    close(formula, pooled, rtol=0, atol=0.02)
    nominal = np.array([0.5, 0.8, 0.9])
    assert (jackknife > nominal - 0.02).all()
    assert (jackknife < nominal + 0.04).all()
