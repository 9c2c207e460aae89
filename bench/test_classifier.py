"""Speed of the risk classifier: a back-test of 9,000 rows, and the scores of a nation of counties.

Run with ``make bench``. What is compared is CPU time: the back-test (fifteen features, five
origins, every model of the ladder, 300 draws of provinces) against one plain gradient boosting of
the same rows, measured in the same run, turn by turn; so the ratio hardly depends on the machine
or on what else runs on it. The seconds beside it do.
"""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy.signal import lfilter
from sklearn.ensemble import HistGradientBoostingClassifier
from threadpoolctl import threadpool_limits

from bench.test_simulation import by_cpu, in_a_process
from debtwatch.early_warning.experiment import Experiment, run_experiment
from debtwatch.early_warning.features import build_sample
from debtwatch.early_warning.sample import Sample
from debtwatch.early_warning.score import score
from debtwatch.early_warning.spec import Spec
from debtwatch.early_warning.splits import expanding_splits
from debtwatch.early_warning.table import read_observations
from debtwatch.early_warning.trained import Trained
from debtwatch.early_warning.training import train

#: Rows that the last origin learns from, features, origins and draws of the issue's limit.
ROWS, FEATURES, ORIGINS, DRAWS = 9_000, 15, 5, 300
COUNTIES = int(os.environ.get("BENCH_COUNTIES", "2850"))
TRAINING_SECONDS, SCORING_SECONDS = 60.0, 1.0
YEARS = range(2010, 2024)
LABEL = {"zh": "数", "en": "Figure"}
NAMES = tuple(f"x{k:02d}" for k in range(FEATURES - 3))


def panel(units: int, seed: int = 1) -> pd.DataFrame:
    """Governments whose ratio wanders about a mean that twelve figures know something of."""
    rng = np.random.default_rng(seed)
    years = len(YEARS)
    shape = (units, years, len(NAMES))
    wander = lfilter([1.0], [1.0, -0.8], rng.normal(size=shape), axis=1)
    x = rng.normal(size=(units, 1, len(NAMES))) + 0.6 * wander
    province = np.arange(units) % 30
    shared = rng.normal(size=(30, years))[province]
    drive = x[..., :6].sum(axis=-1) * 0.02 + 0.03 * shared
    noise = drive + rng.normal(scale=0.06, size=(units, years))
    ratio = 0.55 + lfilter([1.0], [1.0, -0.75], noise, axis=1)
    x[rng.random(shape) < 0.05] = np.nan
    frame = pd.DataFrame(x.reshape(-1, len(NAMES)), columns=NAMES)
    keys = {
        "unit": np.repeat([f"{k:05d}" for k in range(units)], years),
        "period": np.tile(np.array(YEARS), units),
        "group": np.repeat(province, years),
        "ratio": ratio.reshape(-1),
    }
    return pd.concat([pd.DataFrame(keys), frame], axis=1)


def specification() -> Spec:
    """Fifteen features, and three members so that each has its folds by province."""
    ratio = [
        {"id": "distance", "measure": "distance", "sign": "-"},
        {"id": "change", "measure": "change", "periods": 1, "sign": "+"},
        {"id": "peers", "measure": "peers", "sign": "0"},
    ]
    others = [
        {"id": name, "of": name, "sign": "+" if k < 6 else "0", "label": LABEL}
        for k, name in enumerate(NAMES)
    ]
    return Spec.model_validate(
        {
            "id": "bench",
            "title": LABEL,
            "country": "XX",
            "synthetic": True,
            "data": {"group": "group"},
            "target": {"kind": "entry", "horizon": 1, "ratio": "ratio", "line": 0.8},
            "members": ["logit", "trees", "projection"],
            "origins": {"most": ORIGINS},
            "feature": [*({"of": "ratio", "label": LABEL, **f} for f in ratio), *others],
        }
    )


def sample_of(folder: Path, units: int) -> Sample:
    path = folder / f"panel-{units}.csv"
    panel(units).to_csv(path, index=False)
    spec = specification()
    return build_sample(read_observations([path], spec), spec, books=[])


def last_training(sample: Sample) -> Sample:
    return sample.take(expanding_splits(sample, specification())[-1].train)


@pytest.fixture(scope="module")
def sample(tmp_path_factory) -> Sample:
    """Units enough for the last origin to learn from ROWS rows, a few in a hundred more."""
    folder = tmp_path_factory.mktemp("classifier")
    tried = 600
    share = len(last_training(sample_of(folder, tried))) / tried
    found = sample_of(folder, int(np.ceil(1.03 * ROWS / share)))
    learned = last_training(found)
    assert ROWS <= len(learned) <= 1.1 * ROWS
    assert found.x.shape[1] == FEATURES
    return found


def boosting(rows: Sample) -> float:
    """Seconds of CPU time for a plain gradient boosting of 200 rounds of 15 leaves."""
    start = time.process_time()
    with threadpool_limits(limits=1):
        HistGradientBoostingClassifier(
            max_iter=200, max_leaf_nodes=15, early_stopping=False, random_state=0
        ).fit(rows.x.to_numpy(), rows.y)
    return time.process_time() - start


def backtest(sample: Sample) -> Experiment:
    found = run_experiment(sample, specification(), seed=1, draws=DRAWS)
    assert len(found.origins) == ORIGINS
    assert found.draws == DRAWS
    return found


@by_cpu
def test_backtest_against_a_plain_boosting(benchmark, sample):
    rows = last_training(sample)
    units: list[float] = []
    walls: list[float] = []

    def job() -> None:
        start = time.perf_counter()
        backtest(sample)
        walls.append(time.perf_counter() - start)

    benchmark.pedantic(job, setup=lambda: units.append(boosting(rows)), rounds=2)
    cpu, unit = benchmark.stats.stats.min, min(units)
    benchmark.extra_info |= {
        "cpu": cpu, "boosting": unit, "ratio": cpu / unit, "seconds": min(walls),
        "rows": len(rows), "limit": TRAINING_SECONDS, "load": os.getloadavg()[0],
    }  # fmt: skip
    print(f"\nback-test: {len(rows):,} rows x {FEATURES} features, {ORIGINS} origins, {DRAWS} "
          f"draws: {min(walls):.1f} s, limit {TRAINING_SECONDS:.0f} s; CPU {cpu:.1f} s / "
          f"{unit:.2f} s for a plain boosting = {cpu / unit:.1f}; "
          f"load {os.getloadavg()[0]:.1f}")  # fmt: skip


def trained_of(sample: Sample) -> Trained:
    return train(sample, specification(), backtest(sample), sources={}, versions={}, seed=1)


@by_cpu
def test_scoring_a_nation(benchmark, sample, tmp_path):
    """Probabilities, reasons and lists of every county at one origin."""
    trained = trained_of(sample)
    counties = sample_of(tmp_path, COUNTIES)
    now = counties.take(counties.period == counties.period.max())
    assert len(now) == COUNTIES
    unit = min(boosting(last_training(sample)) for _ in range(2))
    walls: list[float] = []

    def job() -> Any:
        start = time.perf_counter()
        scores = score(trained, now)
        walls.append(time.perf_counter() - start)
        return scores

    benchmark.pedantic(job, rounds=5, warmup_rounds=1)
    cpu = benchmark.stats.stats.min
    benchmark.extra_info |= {"cpu": cpu, "ratio": cpu / unit, "seconds": min(walls),
                             "limit": SCORING_SECONDS, "load": os.getloadavg()[0]}  # fmt: skip
    print(f"\nscoring: {len(now):,} counties: {min(walls):.3f} s, limit {SCORING_SECONDS:.0f} s; "
          f"CPU {cpu:.3f} s / {unit:.2f} s for a plain boosting = {cpu / unit:.3f}")  # fmt: skip


JOB = """
import json, sys, time
from pathlib import Path
from bench.test_classifier import sample_of, trained_of
from bench.test_simulation import peak
if __name__ == "__main__":
    sample = sample_of(Path(sys.argv[1]), int(sys.argv[2]))
    before, start, cpu = peak(), time.perf_counter(), time.process_time()
    trained_of(sample)
    print(json.dumps({"before": before, "peak": peak(), "seconds": time.perf_counter() - start,
                      "cpu": time.process_time() - cpu}))
"""


def test_training_in_a_process_of_its_own(benchmark, sample, tmp_path):
    """Back-test and training on the threads that a user has; peak memory."""
    units = len(set(sample.unit.tolist()))
    runs: list[Any] = []
    benchmark.pedantic(lambda: runs.append(in_a_process(JOB, tmp_path, units)), rounds=1)
    one = runs[0]
    benchmark.extra_info |= one | {"load": os.getloadavg()[0]}
    print(f"\ntraining in a process of its own: {one['seconds']:.1f} s (CPU {one['cpu']:.1f} s), "
          f"limit {TRAINING_SECONDS:.0f} s; peak {one['peak'] / 2**30:.2f} GiB "
          f"({one['before'] / 2**30:.2f} with the sample read)")  # fmt: skip
