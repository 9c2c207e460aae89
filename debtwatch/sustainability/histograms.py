"""Quantiles and tails of simulated values from histograms: values are counted, not kept."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from debtwatch.sustainability import kernel

Array = NDArray[np.float64]
QUANTILES = (0.05, 0.10, 0.25, 0.50, 0.75, 0.90, 0.95)
TAIL = 0.05


@dataclass(frozen=True)
class Bins:
    """Value ``v`` falls into bin ``(v - low) * scale``; variants first, as the histograms."""

    low: Array
    scale: Array


def bins_around(values: Array) -> Bins:
    """Bins around the middle 80 % of values, 1.6 of its widths to either side.

    5.4 standard deviations of a normal law. Further up where the upper half is the wider one, and
    wherever the middle 96 % reach much further than the middle 80 %, as when most paths share one
    value.

    Parameters
    ----------
    values : ndarray, shape (units, indicators, quarters, paths)
    """
    present = np.isfinite(values)
    inner = np.sort(np.where(present, values, np.inf), axis=-1)
    last = np.maximum(present.sum(axis=-1) - 1, 0)
    usable = present.any(axis=-1)
    bottom, lower, middle, upper, top = (
        np.where(
            usable, np.take_along_axis(inner, (last * q).astype(int)[..., None], -1)[..., 0], 0.0
        )
        for q in (0.02, 0.1, 0.5, 0.9, 0.98)
    )
    width = np.maximum(upper - lower, (top - bottom) / 6)
    width = np.maximum(width, 1e-9 * np.maximum(np.abs(middle), 1.0))
    low = np.minimum(lower - 1.6 * width, bottom - width)
    skew = np.clip((upper - middle) / np.maximum(middle - lower, width / 16), 1.0, 4.0)
    high = np.maximum(upper + 1.6 * width * skew, top + width)
    return Bins(low, kernel.BINS / (high - low))


def histogram_quantiles(
    histogram: NDArray[np.int32], low: Array, scale: Array
) -> tuple[Array, Array]:
    """Quantiles and the mean of the upper tail from histograms, linear inside a bin.

    Parameters
    ----------
    histogram : ndarray of int, shape (variants, units, indicators, quarters, bins)
    low, scale : ndarray, shape (variants, units, indicators, quarters)
        Value ``v`` fell into bin ``(v - low) * scale``; what lay outside is in the first or last.

    Returns
    -------
    quantiles : ndarray, shape (variants, units, indicators, quarters, 7)
        At :data:`QUANTILES`; NaN for an empty histogram.
    tail_mean : ndarray, shape (variants, units, indicators, quarters)
        Mean of the worst 5 %.

    Examples
    --------
    >>> flat = np.full((1, 1, 1, 1, 100), 10, dtype=np.int32)
    >>> low = np.zeros((1, 1, 1, 1))
    >>> quantiles, tail = histogram_quantiles(flat, low, low + 100.0)
    >>> np.allclose(quantiles.ravel(), QUANTILES), round(float(tail.item()), 9)
    (True, 0.975)
    """
    found = np.full((*histogram.shape[:-1], len(QUANTILES)), np.nan)
    tail = np.full(histogram.shape[:-1], np.nan)
    for variant in range(len(histogram)):
        kernel.read_histograms(
            histogram[variant].reshape(-1, histogram.shape[-1]), low[variant].ravel(),
            scale[variant].ravel(),
            np.array(QUANTILES), 1 - TAIL, found[variant].reshape(-1, len(QUANTILES)),
            tail[variant].reshape(-1),
        )  # fmt: skip
    return found, tail
