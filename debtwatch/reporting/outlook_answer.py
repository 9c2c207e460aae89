"""One government's outlook for the command line: the numbers of its page, as table or JSON."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from debtwatch.errors import DataProblem
from debtwatch.language import N_, Language, language
from debtwatch.panel.panel import Panel, build_panel
from debtwatch.panel.period import quarter_text
from debtwatch.panel.store import open_store
from debtwatch.reporting.figures import Figures, choose_size
from debtwatch.reporting.study import choose_rulebooks
from debtwatch.rules.assess import assess
from debtwatch.rules.capacity import CAPACITY, Basis, choose_basis, history_inputs
from debtwatch.rules.rulebook import Rulebook, load_rulebooks
from debtwatch.sustainability.accounts import LEDGERS, Outlook, central_outlook
from debtwatch.sustainability.draws import method_named
from debtwatch.sustainability.exposure import stress_basis
from debtwatch.sustainability.histograms import QUANTILES
from debtwatch.sustainability.outlook import Fan, central_indicators, simulate_outlook
from debtwatch.sustainability.scenarios import Scenario, load_scenarios
from debtwatch.sustainability.settings import outlook_settings
from debtwatch.sustainability.simulate import Books
from debtwatch.sustainability.stress import REASONS, run_scenarios


def outlook_answer(
    store: Path,
    unit: str,
    *,
    as_of: dt.date,
    quarter: int | None = None,
    quarters: int | None = None,
    paths: int | None = None,
    scenarios: Sequence[str] = (),
    scenario_files: Sequence[Path] = (),
    rulebooks: Sequence[str] = (),
    method: str = "auto",
    seed: int = 20260930,
    lang: str = "zh",
) -> dict[str, Any]:
    """Simulate one government's outlook.

    Parameters
    ----------
    store : Path
    unit : str
        Code of the government.
    as_of : date
    quarter : int, optional
        Ordinal of the origin; the government's latest quarter with a balance by default.
    quarters, paths : int, optional
        Horizon and number of paths; those of ``models/outlook.toml`` by default.
    scenarios : sequence of str
        Ids of stress scenarios to add, or ``all``.
    scenario_files : sequence of Path
        The user's own scenarios beside the shipped ones.
    rulebooks : sequence of str
        Rulebooks beyond the default ones, or versions to pin.
    method : {"auto", "bootstrap", "normal", "student"}
    seed : int
    lang : {"zh", "en"}

    Returns
    -------
    dict
        Ready for JSON; missing numbers are None.

    Raises
    ------
    DataProblem
        When the store does not know the government, or a scenario or method has no such name.
    """
    with open_store(store) as opened:
        panel = build_panel(opened.known_on(as_of))
    codes = [str(code) for code in panel.units.index]
    if unit not in codes:
        raise DataProblem(
            N_("The store knows no government “{unit}” on {as_of}."),
            unit=unit,
            as_of=as_of.isoformat(),
        )
    row = codes.index(unit)
    basis = choose_basis(panel)
    origin = quarter if quarter is not None else _latest(panel, basis, row)
    settings = outlook_settings()
    outlook = central_outlook(
        panel, basis, origin, quarters=quarters, inflation=settings.calibration.inflation
    )
    chosen = choose_rulebooks(load_rulebooks(), rulebooks, origin)
    books = [c.rulebook for c in chosen if c.rulebook.kind != "limit"]
    rows = np.array([row], dtype=np.intp)
    fan = simulate_outlook(
        outlook, basis, books, seed=seed, paths=paths, method=method_named(method), rows=rows,
        quantiles_of=sum(len(book.indicator) for book in books),
    )  # fmt: skip
    picked = _scenarios(scenarios, scenario_files)
    words = language(lang)
    return {
        "unit": unit,
        "name": str(panel.units["name"].iloc[row]),
        "origin": quarter_text(origin),
        "as_of": as_of.isoformat(),
        "quarters": [quarter_text(origin + 1 + k) for k in range(outlook.quarters)],
        "paths": fan.draws.paths,
        "seed": seed,
        "method": fan.draws.method,
        "step": outlook.drivers.step,
        "own_years": int(outlook.drivers.years[row]),
        "pool_decides": bool(outlook.drivers.years[row] < settings.estimation.fewest_years),
        "rulebooks": [book.reference for book in books],
        "capacity": words.pick(basis.variants[row].label.zh, basis.variants[row].label.en),
        "indicators": _indicators(outlook, basis, books, fan, row),
        "lines": _lines(fan),
        "money": _money(outlook, row),
        "scenarios": _stress(panel, outlook, basis, books[0], picked, row=row, words=words),
    }


def _latest(panel: Panel, basis: Basis, row: int) -> int:
    """Latest quarter whose debt ratio is known, else with a balance, else with any figure."""
    inputs = history_inputs(panel, basis)
    shape = (len(panel.units), panel.quarters)
    debt, capacity = (
        np.isfinite(np.broadcast_to(inputs[name], shape)[row])
        for name in ("debt_balance", CAPACITY)
    )
    figures = [np.isfinite(panel.value(name)[row]) for name in panel.values]
    for known in (debt & capacity, debt, np.logical_or.reduce(figures)):
        if known.any():
            return panel.first_quarter + int(np.flatnonzero(known)[-1])
    raise DataProblem(N_("Nothing is known of this government; nothing can be projected."))


def _scenarios(ids: Sequence[str], files: Sequence[Path]) -> list[Scenario]:
    known = [s for s in load_scenarios(files) if s.set != "direction"]
    if "all" in ids:
        return known
    own = [s for s in known if s.set == "own"]
    by_id = {s.id: s for s in known}
    unknown = [name for name in ids if name not in by_id]
    if unknown:
        raise DataProblem(
            N_("There is no scenario “{ids}”. Known: {known}."),
            ids=", ".join(unknown), known=", ".join(by_id),
        )  # fmt: skip
    return [*(by_id[name] for name in ids), *(s for s in own if s.id not in ids)]


def _indicators(
    outlook: Outlook, basis: Basis, books: Sequence[Rulebook], fan: Fan, row: int
) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for book in books:
        central = assess(book, {n: np.atleast_2d(v)[min(row, len(np.atleast_2d(v)) - 1)]
                                for n, v in outlook.inputs.items()})  # fmt: skip
        for indicator in book.indicator:
            if indicator.id not in fan.watch.indicators or indicator.id in found:
                continue
            k = fan.watch.indicators.index(indicator.id)
            simulation = fan.simulation
            found[indicator.id] = {
                "central": _plain(np.broadcast_to(central.values[indicator.id], outlook.quarters)),
                **{f"p{round(100 * q)}": _plain(simulation.quantiles[0, 0, k, :, n])
                   for n, q in enumerate(QUANTILES)},
                "mean": _plain(simulation.mean[0, 0, k]),
                "tail_mean": _plain(simulation.tail_mean[0, 0, k]),
                "valid": _plain(simulation.valid[0, 0, k]),
            }  # fmt: skip
    return found


def _lines(fan: Fan) -> list[dict[str, Any]]:
    first = fan.simulation.first_breach()
    return [
        {
            "indicator": name,
            "band": line.band,
            "line": line.value,
            "inclusive": line.inclusive,
            "severity": line.severity,
            "beyond": _plain(fan.beyond(line)[0]),
            "crossed_by": _plain(fan.ever(line)[0]),
            "first_crossed": _plain(first[0, k]),
        }
        for k, (name, line) in enumerate(fan.watch.lines)
    ]


def _money(outlook: Outlook, row: int) -> dict[str, Any]:
    """Central path in yuan: balances, borrowing, debt service, gross financing need."""
    money: dict[str, Any] = {}
    for name in LEDGERS:
        path = outlook.ledgers[name]
        money[f"{name}_debt_balance"] = _plain(path.debt[row])
        money[f"{name}_net_borrowing"] = _plain(path.net_borrowing[row])
        money[f"{name}_principal_due"] = _plain(path.principal[row])
        money[f"{name}_refinanced"] = _plain(path.refinanced[row])
        money[f"{name}_interest"] = _plain(path.interest[row])
        money[f"{name}_gross_financing_need"] = _plain(
            path.principal[row] + path.net_borrowing[row]
        )
    capacity = outlook.inputs.get(CAPACITY)
    if capacity is not None and np.ndim(capacity) == 2:
        money[CAPACITY] = _plain(capacity[row])
    return money


def _stress(
    panel: Panel, outlook: Outlook, basis: Basis, book: Rulebook, scenarios: Sequence[Scenario],
    *, row: int, words: Language,
) -> list[dict[str, Any]]:  # fmt: skip
    if not scenarios:
        return []
    rows = np.array([row], dtype=np.intp)
    headline = book.indicator_named(book.headline or book.indicator[0].id)

    def evaluate(stressed: Books) -> dict[str, Any]:
        return central_indicators(outlook, basis, [headline], stressed, rows=rows)

    sizes = stress_basis(panel, outlook).take(rows)
    books = outlook.books.take(rows)
    _central, runs = run_scenarios(books, sizes, scenarios, evaluate, headline.id)
    return [
        {
            "id": run.scenario.id,
            "label": words.pick(run.scenario.label.zh, run.scenario.label.en),
            "indicator": headline.id,
            "path": _plain(run.paths[headline.id][0]),
            "change": _plain(run.change[0]),
            "missing": "" if run.missing[0] is None else words.text(REASONS[run.missing[0]]),
        }
        for run in runs
    ]


def _plain(values: Any) -> list[float | None]:
    return [float(v) if np.isfinite(v) else None for v in np.asarray(values, dtype=np.float64)]


def outlook_text(answer: dict[str, Any], lang: str) -> str:
    """Write an answer as a table."""
    words = language(lang)
    figures = Figures(lang, choose_size(1e12))
    name, shown = next(iter(answer["indicators"].items()))
    lines = [
        f"{answer['name']} {answer['unit']} · {answer['origin']} · {answer['capacity']}",
        words.text(N_("{paths} paths, seed {seed}, shocks by {step}, method {method}")).format(
            **answer
        ),
        "",
        f"{name:<10}{'p5':>9}{'p25':>9}{'p50':>9}{'p75':>9}{'p95':>9}{words.text(N_('central')):>10}",
    ]
    for k, quarter in enumerate(answer["quarters"]):
        cells = "".join(
            f"{figures.percent(shown[p][k]):>9}" for p in ("p5", "p25", "p50", "p75", "p95")
        )
        lines.append(f"{quarter:<10}{cells}{figures.percent(shown['central'][k]):>10}")
    checkpoints = [k for k in (3, 7, 11) if k < len(answer["quarters"])]
    lines += [
        "",
        words.text(N_("Crossed by")) + " " + "  ".join(answer["quarters"][k] for k in checkpoints),
    ]
    for line in answer["lines"]:
        cells = "  ".join(f"{figures.chance(line['crossed_by'][k]):>6}" for k in checkpoints)
        sign = "≥" if line["inclusive"] else ">"
        lines.append(f"{line['indicator']} {sign} {figures.percent(line['line'], 0)}: {cells}")
    for scenario in answer["scenarios"]:
        last = scenario["missing"] or "  ".join(
            figures.percent(scenario["path"][k]) for k in checkpoints
        )
        lines.append(f"{scenario['id']} {scenario['label']}: {last}")
    return "\n".join(lines)
