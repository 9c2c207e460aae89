"""Many paths at once: quantiles, probabilities and totals, without keeping the paths.

Governments are taken province by province, paths in blocks. Shocks are the same for every
government, scenario and with/without pair (common random numbers); results do not depend on how
the work is divided over chunks and threads.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from debtwatch.rules.assess import Line
from debtwatch.rules.expression import TOLERANCE
from debtwatch.sustainability import kernel
from debtwatch.sustainability.draws import BLOCK, Draws, independent_pool, padded
from debtwatch.sustainability.histograms import QUANTILES, Bins, bins_around, histogram_quantiles
from debtwatch.sustainability.programs import Program

Array = NDArray[np.float64]
Precision = Literal["single", "double"]
#: Coefficients 1/3! to 1/8! of the exponential.
EXPONENTIAL = np.array([1 / math.factorial(k) for k in range(3, 9)])
#: Governments worked on at once: bounds the memory of the histograms.
CHUNK = 64


@dataclass(frozen=True)
class Books:
    """Money of some governments as the recursion needs it; rows and columns as in ``kernel``.

    Attributes
    ----------
    keys : ndarray of uint64, shape (units,)
        Hash of each government's code: its own shocks hang on it.
    province : ndarray of int, shape (units,)
    kind : ndarray of int, shape (units,)
        Which program follows a government: its definition of capacity.
    steps : ndarray of int, shape (quarters,)
        Number of the step whose shock a quarter starts, -1 where the levels stay.
    quarterly : ndarray, shape (units, kernel.QUARTERLY_ROWS, quarters)
    once : ndarray, shape (units, kernel.ONCE_COLUMNS)
    past : ndarray, shape (units, 2, 3, 3)
        Spending, interest and financing need of each ledger in the three quarters before.
    flows : tuple of str
        Fields of revenue and transfers.
    flow_driver : ndarray of int, shape (flows,)
        Driver of each: 0 own revenue, 1 transfers, 2 land, 3 none.
    flow_base : ndarray, shape (units, flows, 3 + quarters)
        Central path, three quarters before it first.
    tenor : ndarray of int, shape (units, tenors)
        Quarters to maturity of new bonds; ``tenor_share`` their weights.
    spread, drift_error : ndarray, shape (units, drivers)
        Standard deviation of the shock of a step, and of the error of the mean.
    counted : ndarray of bool, shape (units,), optional
        Which enter totals: all whose figures are whole, by default.
    """

    keys: NDArray[np.uint64]
    province: NDArray[np.intp]
    kind: NDArray[np.intp]
    steps: NDArray[np.int64]
    quarterly: Array
    once: Array
    past: Array
    flows: tuple[str, ...]
    flow_driver: NDArray[np.int64]
    flow_base: Array
    tenor: NDArray[np.int64]
    tenor_share: Array
    spread: Array
    drift_error: Array
    counted: NDArray[np.bool_] | None = None

    @property
    def quarters(self) -> int:
        """Quarters ahead."""
        return int(self.quarterly.shape[2])

    @property
    def fields(self) -> tuple[str, ...]:
        """Names of the slots that the ledgers and flows fill, in order."""
        return (*kernel.SLOTS, *self.flows)

    def held_as(self, money: np.dtype[Any]) -> Books:
        """Hold every amount in another precision."""
        changed = {
            name: getattr(self, name).astype(money)
            for name in ("quarterly", "once", "past", "flow_base", "tenor_share", "spread",
                         "drift_error")
        }  # fmt: skip
        return replace(self, **changed)

    def take(self, rows: NDArray[np.intp]) -> Books:
        """Books of some governments."""
        return Books(
            self.keys[rows], self.province[rows], self.kind[rows], self.steps,
            self.quarterly[rows], self.once[rows], self.past[rows], self.flows, self.flow_driver,
            self.flow_base[rows], self.tenor[rows], self.tenor_share[rows], self.spread[rows],
            self.drift_error[rows], None if self.counted is None else self.counted[rows],
        )  # fmt: skip


@dataclass(frozen=True)
class Watch:
    """What is followed on the paths.

    Attributes
    ----------
    programs : tuple of Program
        One for each kind of government; all show the same indicators.
    indicators : tuple of str
        Order of the results.
    lines : tuple of (str, Line)
        Thresholds, each with its indicator.
    quantiles_of : int
        The first so many indicators get quantiles.
    consecutive : {1, 2}
        Quarters in a row beyond a line that make a breach.
    checkpoints : tuple of int
        Quarters ahead (0 the first) at which breaching governments are counted path by path.
    summed : tuple of str
        Names added up over governments within each path.
    """

    programs: tuple[Program, ...]
    indicators: tuple[str, ...]
    lines: tuple[tuple[str, Line], ...]
    quantiles_of: int = 1
    consecutive: int = 1
    checkpoints: tuple[int, ...] = ()
    summed: tuple[str, ...] = ()

    @property
    def line_arrays(self) -> tuple[NDArray[np.int64], Array, NDArray[np.bool_]]:
        """Indicator, edge with its tolerance, and whether the edge itself is on the good side."""
        of = [self.indicators.index(name) for name, _ in self.lines]
        slack = [TOLERANCE * max(1.0, abs(line.value)) for _, line in self.lines]
        at = [
            line.value - s if line.inclusive else line.value + s
            for (_, line), s in zip(self.lines, slack, strict=True)
        ]
        opened = [not line.inclusive for _, line in self.lines]
        return np.array(of, dtype=np.int64), np.array(at), np.array(opened, dtype=np.bool_)


@dataclass(frozen=True)
class Simulation:
    """Summaries of the paths; the first axis is without (0) and with (1) planned projects.

    Attributes
    ----------
    quantiles : ndarray, shape (variants, units, indicators, quarters, 7)
        At :data:`QUANTILES`; NaN where no path has a value.
    tail_mean : ndarray, shape (variants, units, indicators, quarters)
        Mean of the worst 5 % of paths.
    mean, valid : ndarray, shape (variants, units, indicators, quarters)
        Mean, and share of paths with a value.
    beyond : ndarray, shape (variants, units, lines, quarters)
        Share of paths beyond a line in a quarter.
    ever : ndarray, shape (variants, units, lines, quarters)
        Share of paths that have breached a line by a quarter; never falls.
    breaching : ndarray of int, shape (variants, lines, checkpoints, paths)
        Governments in breach on each path.
    sums : dict from province to ndarray, shape (variants, summed, quarters, paths)
        Totals path by path.
    kept : ndarray, shape (units, names kept, quarters, paths)
        Whole paths, where they were asked for.
    traced : ndarray, shape (units, 2, trace, quarters, paths)
    """

    quantiles: Array
    tail_mean: Array
    mean: Array
    valid: Array
    beyond: Array
    ever: Array
    breaching: NDArray[np.int32]
    sums: Mapping[int, Array]
    paths: int
    kept: Array = field(default_factory=lambda: np.empty((0, 0, 0, 0)))
    traced: Array = field(default_factory=lambda: np.empty((0, 0, 0, 0, 0)))

    def first_breach(self, variant: int = 0) -> Array:
        """Share of paths whose first breach of a line falls in a quarter."""
        return np.diff(self.ever[variant], axis=-1, prepend=0.0)


def simulate(
    books: Books,
    draws: Draws,
    watch: Watch,
    *,
    extra: Array | None = None,
    has_extra: NDArray[np.int64] | None = None,
    still: bool = False,
    keep: Sequence[str] = (),
    trace: bool = False,
    independent: bool = False,
    precision: Precision = "single",
    workers: int = 2,
    chunk: int = CHUNK,
    progress: Callable[[int, int], None] | None = None,
) -> Simulation:
    """Simulate governments.

    Parameters
    ----------
    books : Books
    draws : Draws
    watch : Watch
    extra : ndarray, shape (units with projects, slots, quarters), optional
        Money that planned projects add to each field.
    has_extra : ndarray of int, shape (units,), optional
        Row of ``extra`` of each government, -1 for none.
    still : bool
        No shocks: every path is the central one.
    keep : sequence of str
        Names of fields, totals and indicators whose whole paths are returned; for few governments.
    trace : bool
        Return the flows of the ledgers as well.
    independent : bool
        Own shocks as independent normals for every government instead of windows of the pool.
    precision : {"single", "double"}
        Of the money on the paths; sums and counts are exact in either.
    workers, chunk : int
        How the work is divided; without influence on the results.
    progress : callable, optional
        Told governments done and governments in all.

    Returns
    -------
    Simulation

    Raises
    ------
    ValueError
        When the draws are too short for the books, or a bond matures in the quarter of its issue.
    """
    units = len(books.keys)
    _check_sizes(books, draws)
    planned = has_extra if has_extra is not None else np.full(units, -1, dtype=np.int64)
    added = extra if extra is not None else np.zeros((1, len(books.fields), books.quarters))
    variants = 1 if extra is None else 2
    run = _Run(
        books, draws, watch, added, planned, variants, still, tuple(keep), trace, independent,
        np.dtype(np.float32 if precision == "single" else np.float64), workers,
    )  # fmt: skip
    result = run.empty()
    done = 0
    for province in np.unique(books.province):
        common = draws.common(int(province)) if not still else _no_shocks(books, draws)
        for kind in np.unique(books.kind[books.province == province]):
            rows = np.flatnonzero((books.province == province) & (books.kind == kind))
            for first in range(0, len(rows), chunk):
                run.part(rows[first : first + chunk], int(province), int(kind), common, result)
                done += len(rows[first : first + chunk])
                if progress is not None:
                    progress(done, units)
    return run.finished(result)


def _check_sizes(books: Books, draws: Draws) -> None:
    """Compiled code does not look where an array ends."""
    if draws.yields.shape[1] < books.quarters or len(draws.dates) <= books.steps.max(initial=-1):
        raise ValueError("the draws end before the books")
    if books.tenor.size and books.tenor.min() < 1:
        raise ValueError("a bond matures a quarter after its issue at the earliest")


def _no_shocks(books: Books, draws: Draws) -> NDArray[np.float32]:
    steps = int(books.steps.max()) + 1
    shape = (padded(draws.paths) // BLOCK, steps, len(kernel.DRIVERS), BLOCK)
    return np.zeros(shape, dtype=np.float32)


@dataclass(frozen=True)
class _Counts:
    """Counts of some governments over some blocks of paths."""

    histogram: NDArray[Any]  # uint16 as long as that holds all paths
    valid: NDArray[np.int64]
    beyond: NDArray[np.int64]
    ever: NDArray[np.int64]
    totals: dict[int, Array]  # by block, so that they are added in one order


@dataclass(frozen=True)
class _Room:
    """Path arrays of a run, blocks first; those of whole paths have no room unless asked for."""

    breaching: NDArray[np.int32]
    sums: Array
    kept: Array
    traced: Array
    pools: tuple[NDArray[np.float32], ...] = ()


@dataclass(frozen=True)
class _Run:
    """One run: what stays the same from chunk to chunk."""

    books: Books
    draws: Draws
    watch: Watch
    extra: Array
    has_extra: NDArray[np.int64]
    variants: int
    still: bool
    keep: tuple[str, ...]
    trace: bool
    independent: bool
    money: np.dtype[Any]
    workers: int
    keep_of: int = 0  # variant whose whole paths are kept

    @property
    def blocks(self) -> int:
        """Blocks of paths."""
        return padded(self.draws.paths) // BLOCK

    def empty(self) -> dict[str, Any]:
        """Room for the results of all governments."""
        units, quarters, watch = len(self.books.keys), self.books.quarters, self.watch
        shape = (self.variants, units, len(watch.indicators), quarters)
        lines = (self.variants, units, len(watch.lines), quarters)
        own = (self.variants, units, watch.quantiles_of, quarters)
        counted = (self.variants, len(watch.lines), len(watch.checkpoints), BLOCK)
        return {
            "quantiles": np.full((*own, len(QUANTILES)), np.nan),
            "tail_mean": np.full(own, np.nan),
            "mean": np.full(shape, np.nan),
            "valid": np.zeros(shape),
            "beyond": np.zeros(lines),
            "ever": np.zeros(lines),
            "breaching": np.zeros((self.blocks, *counted), dtype=np.int32),
            "sums": {},
            "kept": {},
            "traced": {},
        }

    def part(
        self,
        rows: NDArray[np.intp],
        province: int,
        kind: int,
        common: NDArray[np.float32],
        result: dict[str, Any],
    ) -> None:
        """Simulate some governments of one province and kind."""
        books = self.books.take(rows).held_as(self.money)
        program = self.watch.programs[kind]
        bins = self._bins(books, program, rows, common)
        room = self._room(len(rows), program, result["breaching"], province, result["sums"])
        if self.independent:
            pools = (independent_pool(self.draws, int(key % 2**31)) for key in books.keys)
            room = replace(room, pools=tuple(pools))
        workers = min(self.workers, self.blocks)
        shares = [range(first, self.blocks, workers) for first in range(workers)]

        def work(blocks: range) -> _Counts:
            counts = self._counts(len(rows))
            for block in blocks:
                counts.totals[block] = self._block(
                    books, program, rows, common=common, bins=bins, block=block, counts=counts,
                    room=room,
                )  # fmt: skip
            return counts

        with ThreadPoolExecutor(workers) as pool:
            counts = list(pool.map(work, shares))
        self._reduce(rows, counts, bins, result)
        for n, row in enumerate(rows):
            if self.keep:
                result["kept"][int(row)] = room.kept[:, n]
            if self.trace:
                result["traced"][int(row)] = room.traced[:, n]

    def _room(
        self, units: int, program: Program, breaching: NDArray[np.int32], province: int,
        sums: dict[int, Array],
    ) -> _Room:  # fmt: skip
        quarters = self.books.quarters
        summed = (self.blocks, self.variants, len(self.watch.summed), quarters, BLOCK)
        kept = (self.blocks, units, len(self.keep), quarters, BLOCK)
        trace = len(kernel.TRACE) if self.trace else 0
        traced = (self.blocks, units if self.trace else 0, 2, trace, quarters, BLOCK)
        total = sums.setdefault(province, np.zeros(summed))
        return _Room(breaching, total, np.empty(kept), np.empty(traced))

    def _counts(self, units: int) -> _Counts:
        quarters, indicators = self.books.quarters, len(self.watch.indicators)
        lines = (self.variants, units, len(self.watch.lines), quarters)
        binned = (self.variants, units, self.watch.quantiles_of, quarters, kernel.BINS)
        return _Counts(
            np.zeros(binned, dtype=np.uint16 if self.draws.paths < 2**16 else np.int32),
            np.zeros((self.variants, units, indicators, quarters), dtype=np.int64),
            np.zeros(lines, dtype=np.int64),
            np.zeros(lines, dtype=np.int64),
            {},
        )

    def _block(
        self,
        books: Books,
        program: Program,
        rows: NDArray[np.intp],
        *,
        common: NDArray[np.float32],
        bins: Bins,
        block: int,
        counts: _Counts,
        room: _Room,
    ) -> Array:
        """Run one block of paths; returns the sums behind the means, shape as ``mean``."""
        draws, watch = self.draws, self.watch
        total = np.zeros((self.variants, len(rows), len(watch.indicators), books.quarters))
        whole, money = _whole(books), self.money
        of, at, opened = watch.line_arrays
        for n in range(len(rows)) if self.independent else (slice(None),):
            part = slice(n, n + 1) if isinstance(n, int) else n
            pool = draws.pool
            if isinstance(n, int):
                pool = room.pools[n][block]
            kernel.simulate_block(
                np.uint64(block), min(draws.paths - block * BLOCK, BLOCK), np.uint64(draws.seed),
                books.keys[part], books.steps, books.quarterly[part], books.once[part],
                books.past[part], books.flow_base[part], books.flow_driver, books.tenor[part],
                books.tenor_share[part], EXPONENTIAL.astype(money),
                draws.factors.dynamics.astype(money), books.spread[part],
                books.drift_error[part], draws.scale.astype(money), pool, self.independent,
                common[block], draws.yields[block] * np.float32(not self.still),
                self.still, program.operations,
                program.constants.astype(money), program.slots, self.extra.astype(money),
                self.has_extra[rows][part],
                np.array([program.shown[i] for i in watch.indicators], dtype=np.int64),
                bins.low[:, part].astype(money), bins.scale[:, part].astype(money), of,
                at.astype(money), opened,
                watch.consecutive,
                np.array(watch.checkpoints, dtype=np.int64),
                np.array([program.names[s] for s in watch.summed], dtype=np.int64), whole[part],
                counts.histogram[:, part], total[:, part], counts.valid[:, part],
                counts.beyond[:, part], counts.ever[:, part], room.breaching[block],
                room.sums[block],
                np.array([program.names[name] for name in self.keep], dtype=np.int64), self.keep_of,
                room.kept[block][part], room.traced[block][part],
            )  # fmt: skip
        return total

    def _bins(
        self, books: Books, program: Program, rows: NDArray[np.intp], common: NDArray[np.float32]
    ) -> Bins:
        """Bins of each histogram from the first block of paths."""
        shape = (self.variants, len(rows), self.watch.quantiles_of, books.quarters)
        bins = Bins(np.zeros(shape), np.ones(shape))
        if not self.watch.quantiles_of:
            return bins
        for variant in range(self.variants):
            if variant and not (self.has_extra[rows] >= 0).any():
                bins.low[1], bins.scale[1] = bins.low[0], bins.scale[0]
            else:
                own = self._pilot_bins(books, program, rows, common, variant)
                bins.low[variant], bins.scale[variant] = own.low, own.scale
        return bins

    def _pilot_bins(
        self, books: Books, program: Program, rows: NDArray[np.intp],
        common: NDArray[np.float32], variant: int,
    ) -> Bins:  # fmt: skip
        paths = min(self.draws.paths, BLOCK)
        few = replace(self.draws, paths=paths)
        watch = replace(self.watch, lines=(), checkpoints=(), summed=(), quantiles_of=0)
        pilot = replace(
            self, draws=few, watch=watch, variants=variant + 1, keep_of=variant,
            keep=self.watch.indicators[: self.watch.quantiles_of], trace=False, independent=False,
        )  # fmt: skip
        none = np.zeros((1, variant + 1, 0, 0, BLOCK), dtype=np.int32)
        room = pilot._room(len(rows), program, none, 0, {})
        empty = np.zeros((variant + 1, len(rows), 0, 1))
        pilot._block(books, program, rows, common=common, bins=Bins(empty, empty), block=0,
                     counts=pilot._counts(len(rows)), room=room)  # fmt: skip
        return bins_around(room.kept[0][..., :paths])

    def _reduce(
        self, rows: NDArray[np.intp], counts: Sequence[_Counts], bins: Bins, result: dict[str, Any]
    ) -> None:
        paths = self.draws.paths
        by_block = {block: total for one in counts for block, total in one.totals.items()}
        total = np.sum([by_block[block] for block in sorted(by_block)], axis=0)
        valid = sum(one.valid for one in counts)
        with np.errstate(invalid="ignore", divide="ignore"):
            result["mean"][:, rows] = total / valid
        result["valid"][:, rows] = valid / paths
        result["beyond"][:, rows] = sum(one.beyond for one in counts) / paths
        result["ever"][:, rows] = sum(one.ever for one in counts) / paths
        if self.watch.quantiles_of:
            histogram = np.array(sum(one.histogram.astype(np.int32) for one in counts))
            quantiles, tail = histogram_quantiles(histogram, bins.low, bins.scale)
            result["quantiles"][:, rows], result["tail_mean"][:, rows] = quantiles, tail

    def finished(self, result: dict[str, Any]) -> Simulation:
        """Put the blocks of paths behind each other."""
        paths, units = self.draws.paths, len(self.books.keys)
        named = dict(result)
        named["breaching"] = _paths_last(result["breaching"], paths)
        named["sums"] = {key: _paths_last(a, paths) for key, a in sorted(result["sums"].items())}
        for name in ("kept", "traced"):
            rows = [_paths_last(result[name][row], paths) for row in range(units) if result[name]]
            named[name] = np.array(rows)
        return Simulation(**named, paths=paths)


def _whole(books: Books) -> NDArray[np.bool_]:
    """Governments whose figures are whole enough to enter a total."""
    parts = (
        np.isfinite(books.quarterly), ~np.isnan(books.once), np.isfinite(books.past[:, :, :2]),
        np.isfinite(books.flow_base), np.isfinite(books.spread), np.isfinite(books.drift_error),
    )  # fmt: skip
    whole = [part.reshape(len(part), -1).all(axis=1) for part in parts]
    if books.counted is not None:
        whole.append(books.counted)
    return np.asarray(np.logical_and.reduce(whole))


def _paths_last(blocks: NDArray[Any], paths: int) -> NDArray[Any]:
    """Blocks of paths from the first axis to the end of the last."""
    moved = np.moveaxis(blocks, 0, -2)
    return moved.reshape(*moved.shape[:-2], len(blocks) * BLOCK)[..., :paths]
