"""The compiled simulation against plain numpy, and what must hold whatever the figures."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from debtwatch.rules.assess import Line, lines_of
from debtwatch.rules.expression import parse
from debtwatch.rules.rulebook import load_rulebooks
from debtwatch.sustainability import kernel
from debtwatch.sustainability.draws import BLOCK, Draws, Factors, draw, independent_pool
from debtwatch.sustainability.histograms import (
    QUANTILES,
    TAIL,
    bins_around,
    histogram_quantiles,
)
from debtwatch.sustainability.programs import compile_program
from debtwatch.sustainability.simulate import Books, Simulation, Watch, simulate
from tests.recursion_oracle import Paths, common_parts, own_parts, run_oracle

RULEBOOKS = {book.id: book for book in load_rulebooks()}
BOOKS_USED = (RULEBOOKS["cn-debt-tiers"], RULEBOOKS["cn-fiscal-restructuring"])
INDICATORS = [indicator for book in BOOKS_USED for indicator in book.indicator]
IDS = tuple(indicator.id for indicator in INDICATORS)
LINES = tuple((i.id, line) for b in BOOKS_USED for i in b.indicator for line in lines_of(b, i))
CAPACITY = "comprehensive_fiscal_capacity"
TOTALS = {
    "debt_balance": parse("general_debt_balance + special_debt_balance"),
    CAPACITY: parse("gpb_revenue + gpb_transfer_in - gpb_transfer_out + gfb_revenue"),
}
FLOWS = ("gpb_revenue", "gpb_transfer_in", "gpb_transfer_out", "gfb_revenue", "soe_revenue")
PROVINCES = 3


def factors(seed: int = 0, dates: int = 40, common: float = 0.5) -> Factors:
    """National and provincial shares of the variance ``common / 2`` each, the rest own."""
    rng = np.random.default_rng(seed)

    def rows(*shape: int) -> Any:
        made = rng.standard_normal((*shape, 5))
        made -= made.mean(axis=-2, keepdims=True)
        return made / made.std(axis=-2, keepdims=True)

    return Factors(
        dynamics=np.eye(5) * 0.3 + 0.04,
        national=rows(dates) * np.sqrt(common / 2),
        province=rows(PROVINCES, dates) * np.sqrt(common / 2),
        own=rows(1500) * np.sqrt(1 - common),
        freedom=30.0,
        mean_block=4.0,
    )


def random_books(
    seed: int, units: int = 6, quarters: int = 13, *, yearly: bool = False, money: float = 1.0
) -> Books:
    """Governments in every state: rich and broke, within and over their limits, short of cash."""
    rng = np.random.default_rng(seed)
    q = np.zeros((units, kernel.QUARTERLY_ROWS, quarters))
    once = np.zeros((units, kernel.ONCE_COLUMNS))
    shape = (units, quarters)
    q[:, kernel.CAPACITY_QUARTER] = 25.0
    q[:, kernel.FUND_TARGET] = rng.uniform(0, 3, (units, 1))
    for k in range(2):
        rows = q[:, k * kernel.LEDGER_ROWS :]
        rows[:, kernel.PLAN] = rng.uniform(-1.0, 1.5, shape)
        rows[:, kernel.RECOGNISED] = rng.choice([0.0, 0.0, 0.7], shape)
        rows[:, kernel.PRINCIPAL] = rng.uniform(0, 2, shape)
        rows[:, kernel.INTEREST] = rng.uniform(0.3, 0.6, shape)
        rows[:, kernel.INTEREST_PLAN] = rows[:, kernel.INTEREST] + rng.uniform(0, 0.1, shape)
        rows[:, kernel.RATE] = rng.uniform(0.01, 0.05, shape)
        rows[:, kernel.ROLL_DROP] = rng.choice([0.0, 0.0, 0.4], (units, 1))
        rows[:, kernel.SPENDING] = rng.uniform(16, 22, shape)
        rows[:, kernel.RIGID] = rng.uniform(12, 20, shape)
        rows[:, kernel.REVENUE_A] = rng.uniform(6, 12, shape)
        rows[:, kernel.REVENUE_B] = rng.uniform(6, 12, shape) * (1 - k)
        rows[:, kernel.GAP_A] = rng.choice([-1.0, 0.0, 0.0, 2.0], (units, 1))
        rows[:, kernel.GAP_B] = rng.choice([-0.5, 0.0, 0.0, 1.0], shape)
        once[:, kernel.ROOM[k]] = rng.choice([-1.0, 0.0, 1.0, 4.0, np.inf], units)
        once[:, kernel.DEBT[k]] = rng.uniform(40, 120, units)
        once[:, kernel.FOLLOW[k]] = rng.choice([0.0, 0.5, 1.0], units)
    once[:, kernel.STABILISATION] = rng.choice([0.0, 2.0, 6.0], units)
    once[:, kernel.CUT_SHARE] = rng.choice([0.0, 0.3, 0.5], units)
    tenors = 3
    share = rng.dirichlet(np.ones(tenors), units)
    books = Books(
        keys=rng.integers(0, 2**64, units, dtype=np.uint64),
        province=np.arange(units) % PROVINCES,
        kind=np.zeros(units, dtype=np.intp),
        steps=np.array([t // 4 if t % 4 == 0 else -1 for t in range(quarters)])
        if yearly else np.arange(quarters),
        quarterly=q,
        once=once,
        past=rng.uniform(2, 6, (units, 2, 3, 3)),
        flows=FLOWS,
        flow_driver=np.array([0, 1, 1, 2, 3]),
        flow_base=np.array([10, 8, 0.5, 7, 0.2])[:, None]
        * rng.uniform(0.9, 1.1, (units, len(FLOWS), quarters + 3)),
        tenor=np.column_stack([rng.integers(1, 4, units), rng.integers(4, 9, units),
                               np.full(units, 40)]),
        tenor_share=share,
        spread=np.array([0.03, 0.03, 0.15, 0.01, 0.03]) * rng.uniform(0.5, 1.5, (units, 1)),
        drift_error=np.tile([0.005, 0.005, 0.01, 0.002, 0.002], (units, 1)),
    )  # fmt: skip
    return in_units(books, money)


def in_units(books: Books, money: float) -> Books:
    """The same governments counted in another unit of money."""
    quarterly, once = books.quarterly * money, books.once * money
    for k in range(2):
        for row in (kernel.RATE, kernel.ROLL_DROP):
            at = k * kernel.LEDGER_ROWS + row
            quarterly[:, at] = books.quarterly[:, at]
        once[:, kernel.FOLLOW[k]] = books.once[:, kernel.FOLLOW[k]]
    once[:, kernel.CUT_SHARE] = books.once[:, kernel.CUT_SHARE]
    return replace(books, quarterly=quarterly, once=once, past=books.past * money,
                   flow_base=books.flow_base * money)  # fmt: skip


def with_rows(books: Books, row: int, change: Any, ledgers: tuple[int, ...] = (0, 1)) -> Books:
    """One row of the ledgers changed: ``change(old)``."""
    quarterly = books.quarterly.copy()
    for k in ledgers:
        at = k * kernel.LEDGER_ROWS + row
        quarterly[:, at] = change(quarterly[:, at])
    return replace(books, quarterly=quarterly)


def with_once(books: Books, column: int, value: float) -> Books:
    once = books.once.copy()
    once[:, column] = value
    return replace(books, once=once)


def calm(books: Books) -> Books:
    """The same governments without any chance."""
    return replace(books, spread=books.spread * 0, drift_error=books.drift_error * 0)


def watch_of(books: Books, **changes: Any) -> Watch:
    program = compile_program(INDICATORS, books.fields, TOTALS)
    usual: dict[str, Any] = {
        "programs": (program,), "indicators": IDS, "lines": LINES, "quantiles_of": 2,
        "checkpoints": (3, books.quarters - 1), "summed": ("debt_balance", CAPACITY),
    }  # fmt: skip
    return Watch(**{**usual, **changes})


def draws_of(books: Books, paths: int = 600, seed: int = 7, **options: Any) -> Draws:
    made = options.pop("factors", None) or factors()
    return draw(made, paths=paths, steps=int(books.steps.max()) + 1, quarters=books.quarters,
                seed=seed, **options)  # fmt: skip


def run(
    books: Books, draws: Draws | None = None, watch: Watch | None = None, **options: Any
) -> Simulation:
    options.setdefault("precision", "double")
    return simulate(books, draws or draws_of(books), watch or watch_of(books), **options)


def same(left: Simulation, right: Simulation, rows: Any = slice(None)) -> None:
    """Everything that is given by unit is the same to the last bit; ``rows`` of the left."""
    for name in ("quantiles", "tail_mean", "mean", "valid", "beyond", "ever"):
        a, b = getattr(left, name)[:, rows], getattr(right, name)
        np.testing.assert_array_equal(a, b, err_msg=name)


def traced(simulation: Simulation, unit: int, ledger: int) -> dict[str, Any]:
    return dict(zip(kernel.TRACE, simulation.traced[unit, ledger], strict=True))


def size_of(oracle: Paths) -> float:
    return max(float(np.abs(values).max()) for values in oracle.fields.values())


# -- against plain numpy ---------------------------------------------------------------------------

TOLERANCES = {"double": 1e-10, "single": 1e-5}


def compare(books: Books, draws: Draws, precision: Any, **options: Any) -> list[Paths]:
    """Kernel and oracle agree on every field and flow; returns the oracle's paths."""
    watch = watch_of(books, lines=(), checkpoints=(), quantiles_of=0)
    found = run(books, draws, watch, keep=books.fields, trace=True, precision=precision, **options)
    oracles = []
    for unit in range(len(books.keys)):
        oracle = run_oracle(books, unit, draws, **options)
        slack = TOLERANCES[precision] * size_of(oracle)
        for slot, name in enumerate(books.fields):
            np.testing.assert_allclose(
                found.kept[unit, slot], oracle.fields[name], rtol=0, atol=slack, err_msg=name
            )
        for ledger in range(2):
            for name, values in traced(found, unit, ledger).items():
                np.testing.assert_allclose(
                    values, oracle.ledgers[ledger].flow(name), rtol=0, atol=slack, err_msg=name
                )
        oracles.append(oracle)
    return oracles


@pytest.mark.parametrize("precision", ["double", "single"])
@pytest.mark.parametrize("yearly", [False, True])
def test_kernel_equals_plain_numpy(precision: Any, yearly: bool) -> None:
    happened = dict.fromkeys(
        ("fund_drawn", "fund_filled", "arrears_added", "arrears_repaid", "cut", "spared", "failed",
         "recognised"), 0,
    )  # fmt: skip
    clipped = 0
    for seed in range(4):
        books = random_books(seed, yearly=yearly)
        for oracle in compare(books, draws_of(books, paths=300, seed=seed), precision):
            for account in oracle.ledgers:
                for name in happened:
                    happened[name] += int((account.flow(name) > 0.01).sum())
                clipped += int((account.flow("issued") < 1e-9).sum())
    assert min(happened.values()) > 100, happened  # every branch of the closing was taken
    assert clipped > 10  # some quarters nothing is issued


@settings(max_examples=15)
@given(
    st.integers(10, 10_000), st.booleans(), st.integers(1, 3), st.integers(1, 9),
    st.sampled_from(["bootstrap", "normal", "student"]), st.floats(0.1, 2),
)  # fmt: skip
def test_kernel_equals_plain_numpy_on_drawn_books(  # noqa: PLR0917
    seed: int, yearly: bool, units: int, quarters: int, method: Any, wilder: float
) -> None:
    books = random_books(seed, units, quarters, yearly=yearly)
    books = replace(books, spread=books.spread * wilder)
    compare(books, draws_of(books, paths=40, seed=seed, method=method), "double")


def test_kernel_equals_plain_numpy_at_the_ends_of_a_step() -> None:
    """Changes beyond two are cut off, levels stop at their floor; the polynomial errs 1e-10."""
    books = random_books(3, 3)
    books = replace(books, spread=np.tile([0.6, 0.6, 0.9, 0.05, 0.05], (3, 1)))
    draws = draws_of(books, paths=300)
    level = run_oracle(books, 0, draws).level
    assert (level == level.min()).sum() > 30
    assert level.min() == pytest.approx(0.05)
    steps = level[1:, :3] / level[:-1, :3]
    assert (np.abs(steps - np.exp(2)) < 1e-9).any()
    watch = watch_of(books, lines=(), quantiles_of=0)
    found = run(books, draws, watch, keep=["gpb_revenue", "gfb_revenue"])
    for slot, name in enumerate(("gpb_revenue", "gfb_revenue")):
        wanted = run_oracle(books, 0, draws).fields[name]
        np.testing.assert_allclose(found.kept[0, slot], wanted, rtol=1e-8)


def test_kernel_equals_plain_numpy_without_shocks_and_with_independent_ones() -> None:
    books = random_books(5, 3)
    for options in ({"still": True}, {"independent": True}):
        for precision in ("double", "single"):
            compare(books, draws_of(books, paths=300), precision, **options)


def test_still_paths_are_one_path() -> None:
    """No shock of any kind is left: not of revenue, borrowing, estimates or yields."""
    books = random_books(5, 3)
    found = run(books, draws_of(books, paths=300), keep=books.fields, still=True)
    np.testing.assert_array_equal(found.kept, found.kept[..., :1] + 0 * found.kept)


# -- money -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(("precision", "slack"), [("double", 1e-12), ("single", 1e-5)])
def test_change_in_debt_is_uses_less_sources(precision: Any, slack: float) -> None:
    for seed in range(3):
        books = random_books(seed, 5)
        found = run(books, draws_of(books, paths=300), trace=True, precision=precision)
        for unit in range(5):
            for ledger in range(2):
                flow = traced(found, unit, ledger)
                uses = (flow["spending"] + flow["principal"] + flow["fund_filled"]
                        + flow["arrears_repaid"])  # fmt: skip
                sources = (
                    flow["revenue"] + flow["other_sources"] + flow["issued"] - flow["recognised"]
                    + flow["fund_drawn"] + flow["arrears_added"]
                )  # fmt: skip
                size = np.abs(flow["debt"]).max()
                np.testing.assert_allclose(uses, sources, rtol=0, atol=slack * size)
                start = books.once[unit, kernel.DEBT[ledger]]
                change = np.diff(flow["debt"], axis=0, prepend=start)
                made = flow["issued"] - flow["principal"]
                np.testing.assert_allclose(change, made, rtol=0, atol=slack * size)
                owed = np.diff(flow["arrears"], axis=0, prepend=0)
                net = flow["arrears_added"] - flow["arrears_repaid"]
                np.testing.assert_allclose(owed, net, rtol=0, atol=slack * size)
                for name in ("issued", "principal", "arrears", "arrears_added", "arrears_repaid",
                             "fund_drawn", "fund_filled", "cut"):  # fmt: skip
                    assert flow[name].min() >= -slack * size, name


def test_recognised_debt_moves_no_cash() -> None:
    """A swap adds to the debt and to what falls due, not to spending, arrears or the reserve."""
    books = with_rows(random_books(1, 4), kernel.RECOGNISED, np.zeros_like)
    books = with_rows(books, kernel.RATE, np.zeros_like)  # else it costs interest
    books = replace(books, tenor=np.full((4, 1), 40), tenor_share=np.ones((4, 1)))
    swapped = with_rows(books, kernel.RECOGNISED, lambda old: old + 1.25)
    draws = draws_of(books, paths=300, yield_spread=0.0)
    without, with_ = (run(b, draws, trace=True) for b in (books, swapped))
    for unit in range(4):
        for ledger in range(2):
            a, b = traced(without, unit, ledger), traced(with_, unit, ledger)
            more = 1.25 * np.arange(1, books.quarters + 1)[:, None]
            np.testing.assert_allclose(b["debt"], a["debt"] + more, rtol=1e-12)
            for name in (
                "spending",
                "arrears",
                "fund_drawn",
                "fund_filled",
                "cut",
                "net_borrowing",
            ):
                np.testing.assert_allclose(b[name], a[name], atol=1e-11, err_msg=name)


def test_no_more_fails_to_roll_over_than_is_rolled_over() -> None:
    """Who repays all that falls due needs no roll-over: none can fail, nothing is issued."""
    books = with_rows(random_books(2, 3), kernel.PLAN, lambda old: old * 0 - 50)
    books = with_rows(books, kernel.RECOGNISED, np.zeros_like)
    books = with_rows(books, kernel.ROLL_DROP, lambda old: old * 0 + 0.4)
    for row in (kernel.GAP_A, kernel.GAP_B):
        books = with_rows(books, row, np.zeros_like)
    books = with_rows(books, kernel.INTEREST_PLAN, lambda old: old + 50)  # a surplus whatever comes
    books = with_once(with_once(books, kernel.FOLLOW[0], 1.0), kernel.FOLLOW[1], 1.0)
    found = run(books, trace=True)
    for ledger in range(2):
        flow = traced(found, 0, ledger)
        assert np.abs(flow["issued"]).max() < 1e-10
        assert np.abs(flow["arrears_added"]).max() < 1e-10


def test_vintages_pay_coupons_for_their_life_and_fall_due_once() -> None:
    """By hand: 10 issued in the first quarter at 4 % for three quarters, nothing else."""
    books = calm(random_books(0, 1, 8))
    q = np.zeros_like(books.quarterly)
    q[:, kernel.SPENDING], q[:, kernel.REVENUE_A] = 20.0, 20.0
    q[:, kernel.PLAN, 0] = 10.0
    q[:, kernel.PLAN, 3] = -10.0
    q[:, kernel.SPENDING, 0], q[:, kernel.SPENDING, 3] = 30.0, 10.0
    q[:, kernel.RATE] = 0.04
    once = np.zeros_like(books.once)
    once[:, kernel.ROOM] = np.inf
    once[:, kernel.STABILISATION] = 5.0  # pays the coupons
    books = replace(
        books, quarterly=q, once=once, tenor=np.array([[3]]), tenor_share=np.ones((1, 1))
    )
    flow = traced(run(books, draws_of(books, paths=1, yield_spread=0.0), trace=True), 0, 0)
    first = {name: values[:, 0].tolist() for name, values in flow.items()}
    assert first["debt"] == pytest.approx([10, 10, 10, 0, 0, 0, 0, 0])
    assert first["principal"] == pytest.approx([0, 0, 0, 10, 0, 0, 0, 0])
    assert first["interest"] == pytest.approx([0, 0.1, 0.1, 0.1, 0, 0, 0, 0])
    assert first["fund_drawn"] == pytest.approx([0, 0.1, 0.1, 0.1, 0, 0, 0, 0])


# -- metamorphic -----------------------------------------------------------------------------------


def test_results_do_not_depend_on_how_the_work_is_divided() -> None:
    books = random_books(11, 9)
    draws, watch = draws_of(books, paths=1100), watch_of(books)  # five blocks, the last not full
    for precision in ("single", "double"):
        whole = run(books, draws, watch, workers=1, chunk=64, precision=precision, keep=IDS)
        for workers, chunk in ((2, 64), (1, 1), (2, 2), (7, 4)):
            other = run(books, draws, watch, workers=workers, chunk=chunk, precision=precision,
                        keep=IDS)  # fmt: skip
            same(whole, other)
            np.testing.assert_array_equal(whole.kept, other.kept)
            np.testing.assert_array_equal(whole.breaching, other.breaching)
            for province in whole.sums:
                np.testing.assert_array_equal(whole.sums[province], other.sums[province])


def test_a_government_does_not_depend_on_the_others() -> None:
    books = random_books(12, 9)
    draws, watch = draws_of(books, paths=500), watch_of(books)
    whole = run(books, draws, watch, precision="single")
    order = np.random.default_rng(0).permutation(9)
    mixed = run(books.take(order), draws, watch, precision="single")
    same(whole, mixed, order)
    np.testing.assert_array_equal(whole.breaching, mixed.breaching)
    for province, sums in whole.sums.items():
        np.testing.assert_allclose(mixed.sums[province], sums, rtol=1e-13)
    for rows in ([4], [8, 1]):
        some = np.array(rows)
        same(whole, run(books.take(some), draws, watch, precision="single"), some)


def test_shocks_hang_on_the_key_and_the_seed() -> None:
    books = random_books(12, 4)
    watch = watch_of(books)
    first = run(books, draws_of(books, seed=7), watch)
    same(first, run(books, draws_of(books, seed=7), watch))
    other = run(books, draws_of(books, seed=8), watch)
    assert (first.mean[:, :, 0] != other.mean[:, :, 0]).all()
    twins = books.take(np.array([0, 0]))
    apart = replace(twins, keys=np.array([twins.keys[0], twins.keys[0] + np.uint64(1)]))
    alike, unlike = run(twins, watch=watch), run(apart, watch=watch)
    same(alike, run(twins, watch=watch))
    np.testing.assert_array_equal(alike.mean[0, 0], alike.mean[0, 1])
    assert (unlike.mean[0, 0, 0] != unlike.mean[0, 1, 0]).all()


def test_projects_are_compared_on_the_same_paths() -> None:
    books = random_books(4, 5)
    draws, watch = draws_of(books, paths=700), watch_of(books)
    has = np.array([-1, 0, -1, 1, -1])
    nothing = run(books, draws, watch, extra=np.zeros((2, len(books.fields), books.quarters)),
                  has_extra=has)  # fmt: skip
    plain = run(books, draws, watch)
    for name in ("quantiles", "tail_mean", "mean", "valid", "beyond", "ever", "breaching"):
        without, with_ = getattr(nothing, name)
        np.testing.assert_array_equal(without, with_, err_msg=name)
        np.testing.assert_array_equal(without, getattr(plain, name)[0], err_msg=name)
    rng = np.random.default_rng(0)
    whole = rng.uniform(1, 4, (2, len(books.fields), books.quarters))
    one = run(books, draws, watch, extra=whole, has_extra=has)
    two = run(books, draws, watch, extra=whole / 2 + whole / 2, has_extra=has)
    half = run(books, draws, watch, extra=whole / 2, has_extra=has)
    same(one, two)
    alone = has < 0
    np.testing.assert_array_equal(one.mean[0], plain.mean[0])  # "without" knows of no project
    np.testing.assert_array_equal(one.quantiles[1, alone], one.quantiles[0, alone])
    assert (one.mean[1, ~alone, 0] != one.mean[0, ~alone, 0]).all()
    for sums, halves in zip(one.sums.values(), half.sums.values(), strict=True):
        np.testing.assert_allclose(sums[1] - sums[0], 2 * (halves[1] - halves[0]), atol=1e-9)
    per_project = whole[:, :2].sum(axis=1)  # debt of both ledgers
    for row, province in ((1, 1), (3, 0)):
        added = one.sums[province][1, 0] - one.sums[province][0, 0]
        wanted = np.broadcast_to(per_project[has[row]][:, None], added.shape)
        np.testing.assert_allclose(added, wanted, atol=1e-9)


def test_quantiles_with_projects_have_bins_of_their_own() -> None:
    """A project ten times the debt is read as exactly as none, on random and on still paths."""
    books = random_books(4, 2)
    extra = np.zeros((1, len(books.fields), books.quarters))
    extra[0, 0] = 1500.0
    draws, watch = draws_of(books), watch_of(books)
    options: dict[str, Any] = {"extra": extra, "has_extra": np.array([0, -1])}
    for still in (False, True):
        found = run(books, draws, watch, still=still, keep=("debt_balance", CAPACITY), **options)
        ratio = (found.kept[0, 0] + 1500) / found.kept[0, 1]
        wanted = np.moveaxis(np.quantile(ratio, QUANTILES, axis=-1), 0, -1)
        sd = np.maximum(ratio.std(axis=-1), 1e-6 * ratio.mean(axis=-1))
        assert (np.abs(found.quantiles[1, 0, 0] - wanted) <= 0.05 * sd[:, None]).all()


def test_without_chance_every_path_is_the_still_one() -> None:
    books = calm(random_books(6, 4))
    draws, watch = draws_of(books, paths=600, yield_spread=0.0), watch_of(books)
    for precision, slack in (("double", 5e-9), ("single", 1e-6)):
        moved = run(books, draws, watch, keep=IDS, precision=precision)
        still = run(books, draws, watch, keep=IDS, precision=precision, still=True)
        np.testing.assert_array_equal(moved.kept, still.kept)
        one = still.kept[:, : watch.quantiles_of, :, :1]
        np.testing.assert_array_equal(moved.kept[:, : watch.quantiles_of], one + np.zeros(600))
        np.testing.assert_allclose(moved.quantiles[0], one + np.zeros(7), rtol=slack, atol=slack)
        np.testing.assert_allclose(moved.tail_mean[0], one[..., 0], rtol=slack, atol=slack)
        np.testing.assert_allclose(moved.mean[0], still.kept[..., 0], rtol=slack)
        assert set(np.unique(moved.beyond)) <= {0.0, 1.0}


def test_ratios_do_not_depend_on_the_unit_of_money() -> None:
    draws = draws_of(random_books(7, 5))
    for precision, slack in (("double", 1e-12), ("single", 2e-5)):
        small, large = (run(random_books(7, 5, money=money), draws, keep=IDS, precision=precision)
                        for money in (1.0, 1000.0))  # fmt: skip
        np.testing.assert_allclose(large.kept, small.kept, rtol=slack)
        exact = run(random_books(7, 5, money=1024.0), draws, keep=IDS, precision=precision)
        np.testing.assert_array_equal(exact.kept, small.kept)
        same(exact, small)


@pytest.mark.parametrize("row", [kernel.GAP_A, kernel.GAP_B, kernel.INTEREST, kernel.RATE])
@pytest.mark.parametrize("lasting", [False, True])
def test_more_to_pay_never_lowers_what_is_owed(row: int, lasting: bool) -> None:
    """Shown where spending cannot be cut: cuts may be worth more than the gap that forces them.

    Debt by itself may fall where new bonds fall due soon: more is due that is not issued again, and
    less is put aside instead.
    """
    books = with_once(random_books(8, 6), kernel.CUT_SHARE, 0.0)
    if lasting:
        books = replace(books, tenor=books.tenor * 0 + 40)
    ledgers = (0,) if row == kernel.GAP_B else (0, 1)
    more = with_rows(books, row, lambda old: old + (0.01 if row == kernel.RATE else 0.3), ledgers)
    draws = draws_of(books, paths=300)
    owed = ("general_debt_balance", "special_debt_balance")
    before, after = (run(b, draws, trace=True, keep=owed) for b in (books, more))
    for unit in range(6):
        for ledger in range(2):
            net = []
            for found in (before, after):
                flow = traced(found, unit, ledger)
                reserve = np.cumsum(flow["fund_filled"] - flow["fund_drawn"], axis=0)
                net.append(found.kept[unit, ledger] - reserve)
            assert (net[1] - net[0]).min() > -1e-9
            if ledger in ledgers:
                assert (net[1] - net[0])[-1].min() > 0.01
            if lasting:
                assert (after.kept[unit, ledger] - before.kept[unit, ledger]).min() > -1e-9


def test_a_higher_yield_costs_more() -> None:
    books = random_books(8, 4)
    draws = draws_of(books, paths=300)
    dearer = replace(draws, yields=draws.yields + np.float32(0.01))
    before, after = (run(books, d, keep=["gpb_debt_interest"]) for d in (draws, dearer))
    change = after.kept - before.kept
    assert change.min() > -1e-9
    assert change[:, :, -1].min() > 0


# -- what is counted -------------------------------------------------------------------------------


@pytest.mark.parametrize("consecutive", [1, 2])
@pytest.mark.parametrize("precision", ["single", "double"])
def test_counts_are_those_of_the_kept_paths(consecutive: int, precision: Any) -> None:
    books = random_books(9, 5)
    books = replace(books, spread=books.spread * 3)  # many paths cross and come back
    draws = draws_of(books, paths=700)
    watch = watch_of(books, consecutive=consecutive, checkpoints=(0, 4, books.quarters - 1))
    found = run(books, draws, watch, keep=(*IDS, *watch.summed), precision=precision)
    kind = np.float32 if precision == "single" else np.float64
    crossed = 0
    breaching = np.zeros((len(LINES), 3, 700), dtype=int)
    for n, (name, line) in enumerate(LINES):
        value = found.kept[:, IDS.index(name)].astype(kind)
        beyond = line.breached(value)
        hit = beyond.copy()
        if consecutive == 2:
            hit[:, 1:] &= beyond[:, :-1]
            hit[:, 0] = False
        ever = np.maximum.accumulate(hit, axis=1)
        np.testing.assert_allclose(found.beyond[0, :, n], beyond.mean(axis=-1), atol=1e-12)
        np.testing.assert_allclose(found.ever[0, :, n], ever.mean(axis=-1), atol=1e-12)
        breaching[n] = ever.sum(axis=0)[list(watch.checkpoints)]
        crossed += int((ever & ~beyond).sum())
    assert crossed > 1000
    np.testing.assert_array_equal(found.breaching[0], breaching)
    assert (np.diff(found.ever, axis=-1) >= 0).all()
    assert found.first_breach().sum(axis=-1) == pytest.approx(found.ever[0, ..., -1])
    value = found.kept[:, : len(IDS)]
    np.testing.assert_allclose(found.valid[0], np.isfinite(value).mean(axis=-1), atol=1e-12)
    np.testing.assert_allclose(found.mean[0], np.nanmean(value, axis=-1), rtol=1e-10)
    for province in range(PROVINCES):
        own = found.kept[books.province == province, len(IDS) :].sum(axis=0)
        np.testing.assert_allclose(found.sums[province][0], own, rtol=1e-12)


def test_an_edge_belongs_to_the_side_its_band_says() -> None:
    """Exactly 1.2 and 2.0 on every path: inclusive lines are breached, exclusive ones are not."""
    books = calm(random_books(0, 1, 5))
    q = np.zeros_like(books.quarterly)
    once = np.zeros_like(books.once)
    base = np.zeros_like(books.flow_base)
    base[:, 0] = 25.0
    lines = tuple(
        ("debt_ratio", Line("b", "debt_ratio", "x", value, inclusive, 1))
        for value in (1.2, 2.0) for inclusive in (True, False)
    )  # fmt: skip
    for precision in ("single", "double"):
        for debt, wanted in ((120.0, [1, 0, 0, 0]), (200.0, [1, 1, 1, 0]), (119.999, [0] * 4)):
            once[:, kernel.DEBT[0]] = debt
            one = replace(books, quarterly=q, once=once.copy(), flow_base=base)
            program = compile_program(BOOKS_USED[0].indicator, one.fields, TOTALS)
            name = BOOKS_USED[0].indicator[0].id
            watch = Watch((program,), (name,), tuple((name, line) for _, line in lines),
                          checkpoints=(4,))  # fmt: skip
            found = run(one, draws_of(one, paths=3), watch, precision=precision)
            assert found.beyond[0, 0, :, -1].tolist() == wanted
            assert found.ever[0, 0, :, -1].tolist() == wanted
            assert found.breaching[0, :, 0].tolist() == [[hit] * 3 for hit in wanted]


def _skewed(rng: np.random.Generator, n: int) -> dict[str, Any]:
    return {
        "normal": rng.standard_normal(n),
        "lognormal": np.exp(0.8 * rng.standard_normal(n)),
        "left": -np.exp(0.8 * rng.standard_normal(n)),
        "student": rng.standard_t(4, n),
        "ratio": 3 / (1 + 0.25 * np.clip(rng.standard_normal(n), -3, 3)),
        "two humps": rng.standard_normal(n) + 8 * (rng.random(n) < 0.3),
        "even": rng.random(n),
    }


@pytest.mark.parametrize("name", sorted(_skewed(np.random.default_rng(0), 1)))
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_histograms_read_as_numpy_does(name: str, dtype: Any) -> None:
    """Quantiles within 0.01 sd; the mean of the tail as well, unless it reaches beyond the bins."""
    value = _skewed(np.random.default_rng(5), 40 * BLOCK)[name].astype(dtype)
    quantiles, tail = _read(value)
    wanted = np.quantile(value.astype(float), QUANTILES)
    assert np.abs(quantiles - wanted).max() < 0.01 * value.std()
    worst = np.sort(value.astype(float))[-round(TAIL * len(value)) :].mean()
    assert (
        abs(tail - worst)
        < (0.1 if name in {"lognormal", "student", "ratio"} else 0.01) * value.std()
    )


def _read(value: Any) -> tuple[Any, float]:
    bins = bins_around(value[None, None, None, :BLOCK].astype(float))
    low, scale = bins.low, bins.scale
    histogram = np.zeros((1, 1, 1, 1, kernel.BINS), dtype=np.uint16)
    for first in range(0, len(value), BLOCK):
        part = np.ascontiguousarray(value[first : first + BLOCK])
        kernel._bin(part, len(part), np.empty(BLOCK, dtype=np.int32), histogram[0, 0, 0, 0],
                    value.dtype.type(low.item()), value.dtype.type(scale.item()))  # fmt: skip
    assert histogram.sum() == np.isfinite(value).sum()
    quantiles, tail = histogram_quantiles(histogram, low[None], scale[None])
    return quantiles.ravel(), tail.item()


def test_histograms_of_values_that_most_paths_share() -> None:
    """Nothing on nine paths in ten: arrears as they are. The top quantile is not lost."""
    rng = np.random.default_rng(3)
    value = np.where(rng.random(40 * BLOCK) < 0.08, 5 + rng.random(40 * BLOCK), 0.0)
    quantiles, tail = _read(value)
    wanted = np.quantile(value, QUANTILES)
    assert np.abs(quantiles - wanted).max() < 0.02
    assert tail == pytest.approx(np.sort(value)[-round(TAIL * len(value)) :].mean(), abs=0.02)


def test_the_tail_takes_the_upper_part_of_its_first_bin() -> None:
    """Ten even bins over 0 to 1: the worst 5 % are the upper half of the last."""
    even = np.full((1, 1, 1, 1, 10), 20, dtype=np.int32)
    quantiles, tail = histogram_quantiles(even, np.zeros((1, 1, 1, 1)), np.full((1, 1, 1, 1), 10.0))
    assert quantiles.ravel() == pytest.approx(np.array(QUANTILES))
    assert tail.item() == pytest.approx(0.975)


def test_histograms_leave_out_what_is_missing() -> None:
    rng = np.random.default_rng(3)
    value = np.where(rng.random(4 * BLOCK) < 0.3, np.nan, rng.standard_normal(4 * BLOCK))
    quantiles, tail = _read(value)
    assert np.abs(quantiles - np.nanquantile(value, QUANTILES)).max() < 0.02
    assert np.isnan(_read(np.full(BLOCK, np.nan))[0]).all()
    quantiles, tail = _read(np.array([3.0, np.nan]))
    assert quantiles == pytest.approx(np.full(7, 3.0))
    assert tail == pytest.approx(3.0)


def test_quantiles_of_a_run_are_those_of_its_paths() -> None:
    books = random_books(13, 4)
    books = replace(books, spread=books.spread * 2)
    watch = watch_of(books, lines=(), quantiles_of=3)
    for precision in ("single", "double"):
        for method in ("bootstrap", "student"):
            draws = draws_of(books, paths=10_000, method=method)
            found = run(books, draws, watch, keep=IDS[:3], precision=precision)
            sd = np.nanstd(found.kept, axis=-1)
            ranked = np.moveaxis(np.nanquantile(found.kept, QUANTILES, axis=-1), 0, -1)
            off = np.abs(found.quantiles[0] - ranked) / sd[..., None]
            assert off.max() < 0.015
            worst = np.sort(found.kept, axis=-1)[..., -round(TAIL * 10_000) :].mean(axis=-1)
            assert (np.abs(found.tail_mean[0] - worst) / sd).max() < 0.03


@pytest.mark.parametrize("workers", [1, 2])
def test_more_paths_than_a_small_counter_holds(workers: int) -> None:
    """All of 65,536 paths in one bin: a counter of 16 bits would stand at nothing again."""
    books = calm(random_books(0, 1, 2))
    draws = draws_of(books, paths=2**16, yield_spread=0.0)
    found = run(books, draws, precision="single", workers=workers)
    still = run(books, draws_of(books, paths=1), still=True, keep=IDS[:1])
    np.testing.assert_allclose(found.quantiles[0, 0, 0], still.kept[0, 0] + np.zeros(7), rtol=1e-5)


# -- chance ----------------------------------------------------------------------------------------


def _standard_shocks(books: Books, draws: Draws) -> Any:
    """First step's standardised shocks of every government, from the revenue of its paths."""
    books = replace(books, drift_error=books.drift_error * 0)
    watch = watch_of(books, lines=(), quantiles_of=0)
    found = run(books, draws, watch, keep=["gpb_revenue", "gfb_revenue"])
    z = []
    for unit, slot, driver, flow in ((u, s, d, f) for u in range(len(books.keys))
                                     for s, d, f in ((0, 0, 0), (1, 2, 3))):  # fmt: skip
        base = books.flow_base[unit, flow]
        level = (found.kept[unit, slot, 0] - base[:3].sum()) / base[3]
        scale = np.full(draws.paths, books.spread[unit, driver])
        z.append(np.log(level) / scale)
    return np.array(z).reshape(len(books.keys), 2, -1)


@pytest.mark.parametrize("method", ["bootstrap", "normal", "student"])
def test_governments_move_together_as_far_as_their_factors_say(method: Any) -> None:
    """Half of the variance is own, the rest the nation's and the province's, as in the factors."""
    paths = 10_240
    books = random_books(14, 9, 2)
    fac = replace(factors(), freedom=1e9)
    draws = draws_of(books, paths=paths, method=method, factors=fac)
    z = _standard_shocks(books, draws)
    province = books.province
    for n, driver in enumerate((0, 2)):
        made = np.cov(z[:, n])
        parts = fac.province[..., driver]
        common = 0.25 + 0.25 * np.eye(PROVINCES)
        if method == "bootstrap":  # a date's factors come together, correlated as they are
            common = np.cov(fac.national[:, driver] + parts, bias=True)
            assert not np.allclose(common, 0.25 + 0.25 * np.eye(PROVINCES), atol=0.02)
        wanted = common[np.ix_(province, province)] + 0.5 * np.eye(9)
        np.testing.assert_allclose(made, wanted, atol=0.05)
    across = np.array([np.corrcoef(z[a])[0, 1] for a in range(9)])
    assert np.abs(across).max() < 0.3  # revenue and land of the same government: as sampled


def test_common_parts_follow_the_dynamics() -> None:
    books = random_books(14, 3, 12)
    draws = draws_of(books, paths=20_000)
    common, fac = common_parts(draws, 1), draws.factors
    innovations = fac.national + fac.province[1]
    np.testing.assert_allclose(common[0], innovations[draws.dates[0, :20_000]].T, atol=1e-5)
    for step in range(1, 12):
        moved = fac.dynamics @ common[step - 1] + innovations[draws.dates[step, :20_000]].T
        np.testing.assert_allclose(common[step], moved, atol=1e-5)
    runs = np.diff(draws.dates, axis=0) % len(fac.national) == 1
    assert runs.mean() == pytest.approx(1 - 1 / fac.mean_block + 1 / fac.mean_block / 40, abs=0.005)


def test_own_parts_of_different_governments_are_independent() -> None:
    """Windows of one pool: of 780 pairs none moves together more than chance lets it."""
    paths, units = 10_240, 40
    books = random_books(15, units, 3)
    draws = draws_of(books, paths=paths)
    own = np.array([own_parts(draws, int(key))[:, 0] for key in books.keys])  # unit, step, path
    pairs = np.triu_indices(units, 1)
    for step in range(3):
        correlations = np.corrcoef(own[:, step])[pairs]
        assert np.abs(correlations).max() < 4.5 / np.sqrt(paths)
        assert correlations.std() == pytest.approx(1 / np.sqrt(paths), rel=0.15)
    alone = [np.corrcoef(own[u])[np.triu_indices(3, 1)] for u in range(units)]
    assert np.abs(alone).max() < 4.5 / np.sqrt(paths)  # and a step does not repeat the one before


def test_independent_shocks_give_the_same_distributions() -> None:
    books = random_books(16, 3, 8)
    draws, watch = draws_of(books, paths=8192, method="normal"), watch_of(books, quantiles_of=1)
    windows, independent = (run(books, draws, watch, independent=x, keep=IDS[:1])
                            for x in (False, True))  # fmt: skip
    sd = windows.kept[:, 0].std(axis=-1)
    assert (windows.kept != independent.kept).mean() > 0.9
    assert (np.abs(windows.mean - independent.mean)[0, :, 0] / sd).max() < 5 * np.sqrt(2 / 8192)
    spread = independent.kept[:, 0].std(axis=-1) / sd
    assert np.abs(spread - 1).max() < 0.06
    off = np.abs(windows.quantiles - independent.quantiles)[0, :, 0] / sd[..., None]
    assert off.max() < 0.12
    pool = independent_pool(draws, 5)
    wanted = np.cov(draws.factors.own, rowvar=False)
    for rows in (pool.transpose(1, 0, 2).reshape(5, -1), draws.pool[:, :8192]):
        np.testing.assert_allclose(np.cov(rows), wanted, atol=0.03)


def test_methods_keep_the_variance_and_student_has_the_fatter_tails() -> None:
    fac = factors(2)
    kurtosis = {}
    for method in ("bootstrap", "normal", "student"):
        draws = draw(fac, paths=20_000, steps=2, quarters=2, seed=3, method=method)  # type: ignore[arg-type]
        common = draws.common(0).transpose(1, 2, 0, 3)[0].reshape(5, -1)
        both = fac.national, fac.province[0]
        target = sum(part.T @ part / len(part) for part in both)
        if method == "bootstrap":  # the same date for both
            target = np.cov(both[0] + both[1], rowvar=False, bias=True)
        np.testing.assert_allclose(np.cov(common), target, atol=0.03)
        own = draws.pool[:, :8192].astype(float)
        np.testing.assert_allclose(np.cov(own), fac.own.T @ fac.own / 1500, atol=0.06)
        z = (own - own.mean(axis=1, keepdims=True)) / own.std(axis=1, keepdims=True)
        kurtosis[method] = (z**4).mean()
    assert kurtosis["normal"] == pytest.approx(3, abs=0.15)
    assert kurtosis["bootstrap"] == pytest.approx(3, abs=0.3)  # its pool is normal
    assert kurtosis["student"] > 4.5


def test_the_error_of_the_pool_s_mean_is_the_same_for_all_on_a_path() -> None:
    drift = np.array([0.1, 0.0, 0.2, 0.05, 0.0])
    books = random_books(0, 3, 6)
    without = draws_of(books, paths=5000)
    with_ = draws_of(books, paths=5000, factors=replace(factors(), drift=drift))
    np.testing.assert_array_equal(with_.pool, without.pool)
    error = [common_parts(with_, p) - common_parts(without, p) for p in range(PROVINCES)]
    np.testing.assert_allclose(error[1], error[0], atol=1e-5)
    first = error[0][0]
    assert first.std(axis=1) == pytest.approx(drift, abs=0.01)
    for step in range(1, 6):
        np.testing.assert_allclose(error[0][step], first, atol=1e-5)


def test_few_dates_are_no_basis_for_resampling() -> None:
    books = random_books(0, 2)
    assert draws_of(books, factors=factors(dates=23)).method == "normal"
    assert draws_of(books, factors=factors(dates=24)).method == "bootstrap"


def test_estimates_and_yields_are_as_uncertain_as_asked() -> None:
    fac = replace(factors(), freedom=12.0)
    draws = draw(fac, paths=20_000, steps=30, quarters=30, seed=3)
    variance = draws.scale[0, :8192] ** 2
    assert (1 / variance).mean() == pytest.approx(1.0, abs=0.02)
    assert variance.mean() == pytest.approx(12 / 10, abs=0.05)  # of an inverse chi-squared
    assert draws.scale[1:, :8192].std(axis=1) == pytest.approx(np.ones(5), abs=0.05)
    yields = draws.yields.transpose(1, 0, 2).reshape(30, -1)
    wanted = 0.0015 * np.sqrt((1 - 0.95 ** (2 * np.arange(1, 31))) / (1 - 0.95**2))
    np.testing.assert_allclose(yields.std(axis=1), wanted, rtol=0.03)
    np.testing.assert_array_equal(draws.pool[:, 8192:], draws.pool[:, :BLOCK])
    np.testing.assert_array_equal(draws.scale[:, 8192:], draws.scale[:, :BLOCK])


# -- figures that are missing, zero or huge --------------------------------------------------------


def _spoilt(books: Books, where: str, value: float) -> Books:
    name, _, row = where.partition(" ")
    changed = getattr(books, name).copy()
    if row:
        changed[0, np.ravel(getattr(kernel, row))[0]] = value
    else:
        changed[0] = value
    return replace(books, **{name: changed})


SPOILT = [
    *(f"quarterly {row}" for row in (
        "PLAN", "PRINCIPAL", "INTEREST", "INTEREST_PLAN", "RATE", "ROLL_DROP", "SPENDING", "RIGID",
        "GAP_A", "GAP_B", "REVENUE_A", "REVENUE_B", "RECOGNISED", "CAPACITY_QUARTER", "FUND_TARGET",
    )),
    *(f"once {name}" for name in ("DEBT", "ROOM", "FOLLOW", "STABILISATION", "CUT_SHARE")),
    "flow_base", "spread", "drift_error", "once",
]  # fmt: skip


@pytest.mark.parametrize("where", SPOILT)
@pytest.mark.parametrize("precision", ["single", "double"])
def test_missing_figures_of_one_government_touch_no_other(where: str, precision: Any) -> None:
    books = random_books(17, 6)
    draws, watch = draws_of(books, paths=300), watch_of(books)
    whole = run(books, draws, watch, keep=books.fields, precision=precision)
    spoilt = _spoilt(books, where, np.nan)
    found = run(spoilt, draws, watch, keep=books.fields, precision=precision)
    for name in ("quantiles", "tail_mean", "mean", "valid", "beyond", "ever"):
        a, b = getattr(whole, name)[:, 1:], getattr(found, name)[:, 1:]
        np.testing.assert_array_equal(a, b, err_msg=name)
    np.testing.assert_array_equal(whole.kept[1:], found.kept[1:])
    others = run(books.take(np.arange(1, 6)), draws, watch, precision=precision)
    for province, sums in others.sums.items():
        np.testing.assert_array_equal(found.sums[province], sums)
    # A figure that hangs on what is missing is missing: it is not nothing, nor a floor.
    if where != "flow_base":
        name = "gpb_revenue" if where in {"spread", "drift_error"} else "general_debt_balance"
        last = found.kept[0, books.fields.index(name), -1]
        if where != "quarterly SPENDING":
            assert np.isnan(last).all(), name
        else:
            assert np.isnan(found.kept[0, books.fields.index("gpb_expenditure"), -1]).all()
    if where == "flow_base":
        assert (found.valid[0, 0, 0] == 0).all()
        assert np.isnan(found.quantiles[0, 0, 0]).all()
        assert np.isnan(found.mean[0, 0, 0]).all()


def test_no_capacity_is_a_missing_value() -> None:
    books = random_books(18, 3)
    base = books.flow_base.copy()
    base[0, 2] = 30.0  # transfers out that swing around all revenue
    base[1] = 0.0
    base[1, 2] = 1.0
    books = replace(books, flow_base=base, spread=books.spread * 5)
    watch = watch_of(books)
    found = run(books, watch=watch, keep=(IDS[0], CAPACITY))
    some = found.valid[0, 0, 0]
    assert ((some > 0.02) & (some < 0.98)).any()
    np.testing.assert_array_equal(np.isfinite(found.kept[:, 0]), found.kept[:, 1] > 0)
    np.testing.assert_allclose(some, (found.kept[0, 1] > 0).mean(axis=-1), atol=1e-12)
    assert (found.valid[0, 1, 0] == 0).all()
    assert np.isnan(found.quantiles[0, 1, 0]).all()
    assert (found.beyond[0, 1, : sum(name == IDS[0] for name, _ in LINES)] == 0).all()
    assert (found.valid[0, 2, 0] > 0.9).all()


@pytest.mark.parametrize("precision", ["single", "double"])
def test_huge_and_tiny_amounts(precision: Any) -> None:
    draws = draws_of(random_books(19, 3))
    usual = run(random_books(19, 3), draws, keep=IDS, precision=precision)
    for money in (1e16, 1e-6):
        books = random_books(19, 3, money=money)
        found = run(books, draws, keep=IDS, precision=precision)
        np.testing.assert_allclose(found.kept, usual.kept, rtol=5e-5)
    books = random_books(19, 3)
    books = replace(books, quarterly=books.quarterly * 0, flow_base=books.flow_base * 0)
    nothing = run(books, draws, precision=precision)
    assert (nothing.valid[0, :, 0] == 0).all()


def test_draws_that_end_before_the_books_are_refused() -> None:
    books = random_books(0, 2, 8)
    short = draw(factors(), paths=20, steps=7, quarters=8, seed=1)
    early = draw(factors(), paths=20, steps=8, quarters=7, seed=1)
    for draws in (short, early):
        with pytest.raises(ValueError, match="end before"):
            run(books, draws)
    with pytest.raises(ValueError, match="matures"):
        run(replace(books, tenor=books.tenor * 0))


def test_kinds_of_government_have_programs_of_their_own() -> None:
    """Capacity defined in two ways: each government by its own, in the same totals."""
    books = replace(random_books(20, 4), kind=np.array([0, 1, 1, 0]))
    narrow = {**TOTALS, CAPACITY: parse("gpb_revenue + gfb_revenue")}
    programs = tuple(compile_program(INDICATORS, books.fields, t) for t in (TOTALS, narrow))
    watch = watch_of(books, programs=programs)
    draws = draws_of(books, paths=300)
    found = run(books, draws, watch, keep=("debt_balance", CAPACITY, "gpb_revenue", IDS[0]))
    for kind in range(2):
        alone = replace(books, kind=np.zeros(4, dtype=np.intp))
        plain = run(alone, draws, replace(watch, programs=(programs[kind],)))
        same(found, run(books.take(np.flatnonzero(books.kind == kind)), draws, watch),
             books.kind == kind)  # fmt: skip
        np.testing.assert_array_equal(found.mean[:, books.kind == kind],
                                      plain.mean[:, books.kind == kind])  # fmt: skip
    total = found.sums[0][0, 1]
    np.testing.assert_allclose(total, found.kept[books.province == 0, 1].sum(axis=0), rtol=1e-12)


def test_progress_is_told() -> None:
    told: list[tuple[int, int]] = []
    run(random_books(0, 5, 2), chunk=1, progress=lambda done, of: told.append((done, of)))
    assert told == [(k, 5) for k in range(1, 6)]
