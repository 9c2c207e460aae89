"""The uncertain outlook: fans and probabilities of any rulebook's indicators.

``central outlook -> books -> shocks -> paths -> the rulebooks' own formulas -> quantiles``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from debtwatch.rules.assess import Line, lines_of
from debtwatch.rules.capacity import CAPACITY, Basis, Variant, capacity_book
from debtwatch.rules.expression import Formula, parse
from debtwatch.rules.rulebook import Band, Bilingual, Indicator, Rulebook
from debtwatch.sustainability import kernel
from debtwatch.sustainability.accounts import Outlook
from debtwatch.sustainability.draws import Draws, Method, draw
from debtwatch.sustainability.histograms import QUANTILES
from debtwatch.sustainability.programs import Program, compile_program, is_followable
from debtwatch.sustainability.settings import outlook_settings
from debtwatch.sustainability.simulate import Books, Simulation, Watch, simulate

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Fan:
    """Simulated outlook of every unit of a panel.

    Attributes
    ----------
    simulation : Simulation
    watch : Watch
        What was followed; indicators and lines in the order of the results.
    draws : Draws
    first_quarter : int
    """

    simulation: Simulation
    watch: Watch
    draws: Draws
    first_quarter: int

    def quantile(self, indicator: str, q: float, variant: int = 0) -> Array:
        """One quantile of an indicator, shape (units, quarters)."""
        place = self.watch.indicators.index(indicator)
        return np.asarray(self.simulation.quantiles[variant, :, place, :, QUANTILES.index(q)])

    def beyond(self, line: Line, variant: int = 0) -> Array:
        """Probability of standing beyond a line in each quarter, shape (units, quarters)."""
        return self._of_line(self.simulation.beyond[variant], line)

    def ever(self, line: Line, variant: int = 0) -> Array:
        """Probability of a breach of a line by each quarter, shape (units, quarters)."""
        return self._of_line(self.simulation.ever[variant], line)

    def _of_line(self, shares: Array, line: Line) -> Array:
        place = [known for _, known in self.watch.lines].index(line)
        indicator = self.watch.indicators.index(self.watch.lines[place][0])
        # Where hardly a path has a value there is no probability either.
        valid = self.simulation.valid[0, :, indicator].min(axis=1) > 0.5
        return np.where(valid[:, None], shares[:, place], np.nan)


def figure(name: str) -> Indicator:
    """Follow a field or total like an indicator, without bands."""
    label = Bilingual(zh=name, en=name)
    return Indicator(
        id=f"figure_{name}", label=label, formula=name, text=label, unit="money",
        bands=(Band(band="all", otherwise=True),),
    )  # fmt: skip


@dataclass(frozen=True)
class Followed:
    """Books with the program of each kind of unit.

    Attributes
    ----------
    books : Books
    programs : tuple of Program
    indicators : tuple of Indicator
        Those whose formulas can be followed along a path.
    """

    books: Books
    programs: tuple[Program, ...]
    indicators: tuple[Indicator, ...]


def follow(
    outlook: Outlook,
    basis: Basis,
    indicators: Sequence[Indicator],
    rows: NDArray[np.intp] | None = None,
) -> Followed:
    """Compile indicators for units of an outlook: one program for each kind of accounts."""
    kept = tuple(i for i in indicators if is_followable(i))
    kinds: dict[tuple[Variant, bool, frozenset[str], tuple[str, ...]], int] = {}
    numbers = []
    chosen = np.arange(len(basis.variants)) if rows is None else rows
    for row in map(int, chosen):
        variant = basis.variants[row]
        key = (
            variant,
            bool(outlook.drivers.single[row]),
            outlook.missing[row],
            basis.absent_of(row),
        )
        numbers.append(kinds.setdefault(key, len(kinds)))
    programs = tuple(
        _program(outlook, kept, variant, single=single, missing=missing, absent=absent)
        for variant, single, missing, absent in kinds
    )
    books = replace(outlook.books.take(chosen), kind=np.array(numbers, dtype=np.intp))
    return Followed(books, programs, kept)


def _program(
    outlook: Outlook, indicators: Sequence[Indicator], variant: Variant,
    *, single: bool, missing: frozenset[str], absent: Sequence[str],
) -> Program:  # fmt: skip
    """Program of one kind of accounts; a figure that it does not have is na."""
    totals: dict[str, Formula] = {
        "general_capacity": parse(variant.general_capacity),
        "fund_capacity": parse(variant.fund_capacity),
        CAPACITY: parse("general_capacity + fund_capacity"),
    }
    totals |= {total.name: parse(total.formula) for total in capacity_book().total}
    totals |= {name: parse("0") for name in absent}
    fields = [name if name not in missing and name not in absent else f"({name})"
              for name in outlook.books.fields]  # fmt: skip
    if single:
        fields[0] = "debt_balance"
        del totals["debt_balance"]
    needed = [name for name in ("debt_balance", CAPACITY) if name in totals or name in fields]
    return compile_program(indicators, fields, totals, needed)


def watch_of(
    followed: Followed,
    rulebooks: Sequence[Rulebook],
    *,
    quantiles_of: int = 1,
    consecutive: int | None = None,
    checkpoints: Sequence[int] = (),
    summed: Sequence[str] = (),
) -> Watch:
    """Follow every threshold of some rulebooks."""
    lines = [
        (indicator.id, line)
        for book in rulebooks
        for indicator in book.indicator
        for line in lines_of(book, indicator)
        if any(indicator is known for known in followed.indicators)
    ]
    return Watch(
        programs=followed.programs,
        indicators=tuple(i.id for i in followed.indicators),
        lines=tuple(lines),
        quantiles_of=min(quantiles_of, len(followed.indicators)),
        consecutive=consecutive or outlook_settings().consecutive,
        checkpoints=tuple(checkpoints),
        summed=tuple(summed),
    )


def simulate_outlook(
    outlook: Outlook,
    basis: Basis,
    rulebooks: Sequence[Rulebook],
    *,
    seed: int,
    paths: int | None = None,
    method: Method = "auto",
    quantiles_of: int = 1,
    consecutive: int | None = None,
    checkpoints: Sequence[int] = (),
    projects: Mapping[int, Mapping[str, Array]] | None = None,
    rows: NDArray[np.intp] | None = None,
    change: Callable[[Books], Books] | None = None,
    workers: int = 2,
    progress: Callable[[int, int], None] | None = None,
) -> Fan:
    """Simulate an outlook and evaluate rulebooks on every path.

    Parameters
    ----------
    outlook : Outlook
    basis : Basis
    rulebooks : sequence of Rulebook
        The first indicator of the first one gets quantiles, or the first ``quantiles_of``.
        Legal limits are judged on the balances of the origin and are not simulated.
    seed : int
    paths : int, optional
        Those of ``models/outlook.toml`` by default.
    method : {"auto", "bootstrap", "normal", "student"}
    projects : mapping from row to mapping from field to ndarray, shape (quarters,), optional
        Money that planned construction adds to fields; the second variant of the results.
    rows : ndarray of int, optional
        Units to simulate; all by default. Their shocks are the same either way.
    change : callable, optional
        Turns the books into those of a stress scenario.

    Returns
    -------
    Fan
    """
    settings = outlook_settings()
    indicators = list(dict.fromkeys(
        (i.id, k, n) for k, book in enumerate(rulebooks) for n, i in enumerate(book.indicator)
    ))  # fmt: skip
    unique = {name: rulebooks[k].indicator[n] for name, k, n in reversed(indicators)}
    ordered = [unique[name] for name in dict.fromkeys(name for name, _, _ in indicators)]
    followed = follow(outlook, basis, ordered, rows)
    books = followed.books if change is None else change(followed.books)
    watch = watch_of(
        followed, rulebooks, quantiles_of=quantiles_of, consecutive=consecutive,
        checkpoints=checkpoints, summed=_summed(followed),
    )  # fmt: skip
    draws = draw_for(outlook, seed=seed, paths=paths or settings.paths, method=method)
    extra, has_extra = _extra(outlook.books, projects, outlook.drivers.single)
    if rows is not None:
        has_extra = has_extra[rows]
    simulation = simulate(
        books, draws, watch, extra=extra, has_extra=has_extra, workers=workers, progress=progress
    )
    return Fan(simulation, watch, draws, outlook.first_quarter)


def simulate_paths(
    outlook: Outlook,
    basis: Basis,
    indicator: Indicator,
    *,
    seed: int,
    paths: int,
    rows: NDArray[np.intp],
    method: Method = "auto",
    workers: int = 2,
) -> dict[str, Array]:
    """Whole paths of the money that an indicator's formula names, for few units.

    The draws are those of :func:`simulate_outlook` with the same seed and number of paths, so that
    shares counted on these paths are its probabilities.

    Returns
    -------
    dict from name to ndarray, shape (rows, quarters, paths)
        Without projects. Empty when the formula cannot be followed along a path.
    """
    followed = follow(outlook, basis, [indicator], rows)
    if not followed.indicators:
        return {}
    known = [set(program.names) for program in followed.programs]
    names = [n for n in indicator.parsed.names() if all(n in own for own in known)]
    watch = watch_of(followed, (), quantiles_of=0)
    draws = draw_for(outlook, seed=seed, paths=paths, method=method)
    result = simulate(followed.books, draws, watch, keep=names, workers=workers)
    return {name: result.kept[:, k] for k, name in enumerate(names)}


def draw_for(outlook: Outlook, *, seed: int, paths: int, method: Method = "auto") -> Draws:
    """Draw the shocks of an outlook."""
    yields = outlook_settings().yields
    return draw(
        outlook.drivers.factors,
        paths=paths,
        steps=int(outlook.books.steps.max()) + 1,
        quarters=outlook.quarters,
        seed=seed,
        method=method,
        yield_spread=yields.spread,
        yield_persistence=yields.persistence,
    )


def _summed(followed: Followed) -> tuple[str, ...]:
    names = ("debt_balance", CAPACITY)
    return names if all(n in p.names for p in followed.programs for n in names) else ()


def _extra(
    books: Books,
    projects: Mapping[int, Mapping[str, Array]] | None,
    single: NDArray[np.bool_],
) -> tuple[Array | None, NDArray[np.int64]]:
    """Money of projects by slot; a balance that is not split stands in the general slot."""
    has = np.full(len(books.keys), -1, dtype=np.int64)
    if not projects:
        return None, has
    extra = np.zeros((len(projects), kernel.LEDGER_SLOTS + len(books.flows), books.quarters))
    for number, (row, added) in enumerate(projects.items()):
        has[row] = number
        for name, money in added.items():
            if name not in books.fields:
                continue
            slot = 0 if single[row] and name in kernel.SLOTS[:2] else books.fields.index(name)
            extra[number, slot] += money
    return extra, has


def central_indicators(
    outlook: Outlook, basis: Basis, indicators: Sequence[Indicator], books: Books | None = None,
    rows: NDArray[np.intp] | None = None,
) -> dict[str, Array]:  # fmt: skip
    """Deterministic path of indicators through the closing rules, shape (units, quarters) each.

    Parameters
    ----------
    books : Books, optional
        Those of a stress scenario; the plan's own by default.
    rows : ndarray of int, optional
        Units the books belong to, where they are not all.
    """
    followed = follow(outlook, basis, indicators, rows)
    used = followed.books if books is None else replace(books, kind=followed.books.kind)
    watch = watch_of(followed, (), quantiles_of=0)
    draws = draw_for(outlook, seed=0, paths=1)
    result = simulate(used, draws, watch, still=True, precision="double", workers=1)
    return {i.id: result.mean[0, :, k] for k, i in enumerate(followed.indicators)}
