"""Cut what a page says of the future: fan, probabilities, stress, maturities, what would help."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from debtwatch.language import N_, Language
from debtwatch.panel.period import quarter_text
from debtwatch.reporting.context import (
    ExpectedBreaches,
    FanPoint,
    LevelProbability,
    Part,
    Stability,
    StressRow,
    Total,
    WallQuarter,
)
from debtwatch.reporting.figures import Figures
from debtwatch.reporting.study import CHECKPOINTS, Study
from debtwatch.rules.assess import Line, lines_of
from debtwatch.rules.capacity import CAPACITY
from debtwatch.rules.rulebook import Bilingual
from debtwatch.sustainability.accounts import INTEREST, LEDGERS
from debtwatch.sustainability.annual_limits import debt_stabilising_balance, required_balance
from debtwatch.sustainability.decompose import decompose_ratio
from debtwatch.sustainability.exposure import stress_basis
from debtwatch.sustainability.histograms import QUANTILES
from debtwatch.sustainability.outlook import central_indicators
from debtwatch.sustainability.reverse import ScaleToLine, reverse_stress
from debtwatch.sustainability.scenarios import Scenario, load_scenarios
from debtwatch.sustainability.simulate import Books
from debtwatch.sustainability.stress import (
    REASONS,
    StressRun,
    run_scenarios,
)

Array = NDArray[np.float64]
#: Reverse directions printed, worst exposures first.
DIRECTIONS = ("r-land", "r-own-revenue", "r-transfers", "r-rate")
NEAR_ZERO = 5e-6


class OutlookParts:
    """Future-looking parts of the pages of one study.

    Parameters
    ----------
    study : Study
    language : Language
    figures : Figures
    names : mapping from part of a decomposition to its name
    """

    def __init__(
        self, study: Study, language: Language, figures: Figures, names: Mapping[str, str]
    ) -> None:
        self.study, self.language, self.figures, self.names = study, language, figures, names
        self.quarters = [
            quarter_text(study.outlook.first_quarter + k) for k in range(study.outlook.quarters)
        ]
        self.checkpoints = [k for k in CHECKPOINTS if k < study.outlook.quarters]
        self._basis = stress_basis(study.panel, study.outlook)
        self._balances = self._basis.primary_balance.sum(axis=1)
        self._runs: tuple[StressRun, ...] = ()
        self._central: Array = np.empty((0, 0))
        self._reverse: list[ScaleToLine] = []
        self._position: dict[int, int] = {}

    def prepare(self, rows: Sequence[int]) -> None:
        """Run the stress scenarios for the units that get a page."""
        study = self.study
        if not rows:
            return
        index = np.asarray(rows, dtype=np.intp)
        self._position = {int(row): k for k, row in enumerate(rows)}
        headline = study.headline
        books = study.outlook.books.take(index)
        basis = self._basis.take(index)

        def evaluate(stressed: Books) -> Mapping[str, Array]:
            return central_indicators(study.outlook, study.basis, [headline], stressed, rows=index)

        scenarios = load_scenarios()
        shown = [s for s in scenarios if s.set != "direction"]
        central, self._runs = run_scenarios(books, basis, shown, evaluate, headline.id)
        self._central = central[headline.id]
        targets = np.array([self._next_line(row) for row in rows])
        self._reverse = [
            reverse_stress(
                books, basis, scenario, evaluate, threshold=targets, indicator=headline.id
            )
            for name in DIRECTIONS
            for scenario in scenarios
            if scenario.id == name
        ]

    # -- fan and probabilities --------------------------------------------------------------------

    def fan(self, row: int) -> list[FanPoint]:
        """Quantiles of the headline indicator, without and with projects."""
        simulation = self.study.fan.simulation
        place = self.study.fan.watch.indicators.index(self.study.headline.id)
        kinds = ["without"]
        if len(simulation.quantiles) > 1 and self.study.impacts[row].projects:
            kinds.append("with")
        points = []
        for variant, kind in enumerate(kinds):
            values = simulation.quantiles[variant, row, place]
            if not np.isfinite(values).all():
                return []
            tail = simulation.tail_mean[variant, row, place]
            for k, quarter in enumerate(self.quarters):
                named = {
                    f"p{round(100 * q)}": float(v)
                    for q, v in zip(QUANTILES, values[k], strict=True)
                }
                points.append(FanPoint(quarter, kind, **named, tail=float(tail[k])))
        return points

    def probabilities(self, row: int) -> list[LevelProbability]:
        """Probabilities of every threshold that addresses the unit."""
        study, rows = self.study, []
        level = str(study.panel.units["level"].iloc[row])
        for _, line in study.fan.watch.lines:
            book = next(c.rulebook for c in study.rulebooks if c.rulebook.id == line.rulebook)
            if level and level not in book.levels:
                continue
            at, by = (self._shares(row, line, k) for k in (0, 1))
            if at[0] is None:
                continue
            has_with = len(study.fan.simulation.ever) > 1 and bool(study.impacts[row].projects)
            at_with, by_with = (self._shares(row, line, k, 1) if has_with else [] for k in (0, 1))
            rows.append(
                LevelProbability(
                    label=self._line_label(line), line=line.value, inclusive=line.inclusive,
                    severity=line.severity, at=at, by=by, at_with=at_with, by_with=by_with,
                )
            )  # fmt: skip
        return rows

    def _shares(self, row: int, line: Line, kind: int, variant: int = 0) -> list[float | None]:
        fan = self.study.fan
        shares = fan.ever(line, variant) if kind else fan.beyond(line, variant)
        return [_number(shares[row, k]) for k in self.checkpoints]

    def risk(self, row: int) -> float | None:
        """Probability of a worse level than now at the last checkpoint, projects built."""
        fan, study = self.study.fan, self.study
        now = float(study.value(study.headline.id, study.column)[row])
        lines = [line for line in lines_of(study.headline_book, study.headline)
                 if not line.breached(np.asarray(now))]  # fmt: skip
        if not np.isfinite(now) or not lines:
            return None
        variant = len(fan.simulation.ever) - 1
        return _number(fan.beyond(lines[0], variant)[row, self.checkpoints[-1]])

    def expected(self) -> list[ExpectedBreaches]:
        """Count the expected breaches of the headline's lines, with the band of the paths."""
        study, rows = self.study, []
        now = study.value(study.headline.id, study.column)
        breaching = study.fan.simulation.breaching
        for n, (_, line) in enumerate(study.fan.watch.lines):
            if line.rulebook != study.headline_book.id or line.indicator != study.headline.id:
                continue
            for c, k in enumerate(self.checkpoints):
                counts = breaching[0, n, c]
                low, high = np.quantile(counts, (0.05, 0.95), method="inverted_cdf")
                more = breaching[1, n, c].mean() if len(breaching) > 1 else None
                rows.append(
                    ExpectedBreaches(
                        label=self._line_label(line), line=line.value, severity=line.severity,
                        quarter=self.quarters[k], now=int(line.breached(now).sum()),
                        expected=float(counts.mean()), low=int(low), high=int(high),
                        expected_with=None if more is None else float(more),
                    )
                )  # fmt: skip
        return rows

    def totals(self) -> list[Total]:
        """Debt over capacity of every province and of all, summed inside each path."""
        study, sums = self.study, self.study.fan.simulation.sums
        if not sums or not next(iter(sums.values())).shape[1]:
            return []
        drivers, counted = study.outlook.drivers, study.outlook.books.counted
        everyone = np.ones(len(study.panel.units), bool) if counted is None else counted
        names = study.panel.units["name"]
        whole: Array = np.sum(list(sums.values()), axis=0)
        everybody = self.language.text(N_("All governments"))
        groups: list[tuple[str, NDArray[np.bool_], Array]] = [(everybody, everyone, whole)]
        if len(sums) > 1:
            groups += [
                (str(names.get(code, code)) if code else self.language.text(N_("Others")),
                 everyone & (drivers.province == k), sums[k])
                for k, code in enumerate(drivers.provinces) if k in sums
            ]  # fmt: skip
        return [total for group in groups for total in self._total(*group)]

    def _total(self, name: str, members: NDArray[np.bool_], sums: Array) -> list[Total]:
        inputs, column = self.study.inputs, self.study.column
        debt, capacity = (
            float(inputs[n][members, column].sum()) for n in ("debt_balance", CAPACITY)
        )
        if not members.any() or not capacity > 0:
            return []
        ratio = sums[-1, 0] / sums[-1, 1]  # with projects, where there are any
        return [
            Total(name, int(members.sum()), debt / capacity, self.quarters[k],
                  *(float(q) for q in np.quantile(ratio[k], (0.05, 0.5, 0.95))))
            for k in self.checkpoints
        ]  # fmt: skip

    # -- stress ------------------------------------------------------------------------------------

    def stress(self, row: int) -> list[StressRow]:
        """Every scenario's effect on the headline indicator."""
        k = self._position.get(row)
        if k is None or not np.isfinite(self._central[k]).all():
            return []
        return [self._stress_row(run, k) for run in self._runs]

    def _stress_row(self, run: StressRun, k: int) -> StressRow:
        scenario, path = run.scenario, run.paths[self.study.headline.id][k]
        blank = StressRow(
            id=scenario.id, label=self._pick(scenario.label), text=self._pick(scenario.text),
            reference=scenario.set == "reference", worst=None, worst_quarter="", change=None,
            crossed="", severity=9, quarter="", missing="",
        )  # fmt: skip
        if not np.isfinite(path).all():
            reason = run.missing[k] or "unavailable"
            words = scenario.unavailable if run.missing[k] == "unavailable" else None
            said = self._pick(words) if words else self.language.text(REASONS[reason])
            return replace(blank, missing=said)
        worst = int(path.argmax())
        lines = lines_of(self.study.headline_book, self.study.headline)
        crossed = [line for line in lines if line.breached(path).any()]
        gravest = crossed[-1] if crossed else None
        first = int(np.flatnonzero(gravest.breached(path))[0]) if gravest else 0
        return replace(
            blank,
            worst=float(path[worst]),
            worst_quarter=self.quarters[worst],
            change=float(path[worst] - self._central[k].max()),
            crossed=self._band_label(gravest) if gravest else "",
            severity=gravest.severity if gravest else 0,
            quarter=self.quarters[first] if gravest else "",
        )

    def reverse(self, row: int) -> list[str]:
        """How far each driver must worsen before the next line is crossed, in words."""
        k, target = self._position.get(row), self._next_line(row)
        if k is None or not np.isfinite(target) or not np.isfinite(self._central[k]).all():
            return []
        line = next(x for x in lines_of(self.study.headline_book, self.study.headline)
                    if x.value == target)  # fmt: skip
        label = self._band_label(line)
        if line.breached(self._central[k]).any():
            first = int(np.flatnonzero(line.breached(self._central[k]))[0])
            text = N_("The central path itself crosses {line} in {quarter}, without any stress.")
            return [self.language.text(text).format(line=label, quarter=self.quarters[first])]
        return [self._reverse_sentence(found, k, label) for found in self._reverse
                if found.outcome[k] in {"found", "not reachable"}]  # fmt: skip

    def _reverse_sentence(self, found: ScaleToLine, k: int, label: str) -> str:
        scenario: Scenario = found.scenario
        if found.outcome[k] == "not reachable":
            text = N_("{direction}: even at the largest size tried, {line} is not reached.")
            return self.language.text(text).format(direction=self._pick(scenario.label), line=label)
        driver = scenario.shocks[0].driver
        size = self.figures.percent(float(found.size[k]), 2 if driver == "rate" else 1)
        said = self._pick(scenario.sentence) if scenario.sentence else scenario.id
        text = N_("{what} to enter {line} ({quarter}).")
        return self.language.text(text).format(
            what=said.format(size=size), line=label, quarter=self.quarters[int(found.quarter[k])]
        )

    def _next_line(self, row: int) -> float:
        """Mildest line of the headline that is not crossed now; NaN when none is left."""
        study = self.study
        now = float(study.value(study.headline.id, study.column)[row])
        if not np.isfinite(now):
            return float("nan")
        lines = lines_of(study.headline_book, study.headline)
        ahead = [line.value for line in lines if not line.breached(np.asarray(now))]
        return ahead[0] if ahead else float("nan")

    # -- maturities, change, stability -------------------------------------------------------------

    def wall(self, row: int) -> list[WallQuarter]:
        """Principal falling due by quarter."""
        ledgers = self.study.outlook.ledgers
        due = {name: ledgers[name].principal[row] for name in LEDGERS}
        if not all(np.isfinite(path).all() for path in due.values()):
            return []
        column = self.study.column
        debt = float(self.study.inputs["debt_balance"][row, column])
        return [
            WallQuarter(
                quarter=quarter, general=float(due["general"][k]), special=float(due["special"][k]),
                share=_number((due["general"][k] + due["special"][k]) / debt) if debt > 0 else None,
            )
            for k, quarter in enumerate(self.quarters)
        ]  # fmt: skip

    def parts_ahead(self, row: int) -> tuple[list[Part], float | None]:
        """Contributions to the change of the ratio from now to the horizon, exact."""
        before = {n: v[row : row + 1, self.study.column] for n, v in self.study.inputs.items()}
        ahead = self.study.outlook.inputs
        after = {n: v[row : row + 1, -1] for n, v in ahead.items() if np.ndim(v) == 2}
        needed = ("general_debt_balance", "special_debt_balance", "gpb_revenue", "general_capacity",
                  "fund_capacity")  # fmt: skip
        if any(n not in x or not np.isfinite(x[n]).all() for x in (before, after) for n in needed):
            return [], None
        swapped = self.study.outlook.ledgers["special"].recognised[row].sum()
        split = decompose_ratio(
            _debts(before), _debts(after), _capacities(before), _capacities(after),
            np.array([swapped]) if swapped else None,
        )  # fmt: skip
        if not np.isfinite(split.change[0]):
            return [], None
        parts = [
            Part(self.names[key], float(value[0]))
            for key, value in split.parts().items()
            if abs(float(value[0])) > NEAR_ZERO
        ]
        return parts, float(split.change[0])

    def stability(self, row: int) -> Stability | None:
        """Balance that keeps the ratio, and the one that ends below the next line."""
        study, column = self.study, self.study.column
        debt = float(study.inputs["debt_balance"][row, column])
        capacity = float(study.inputs[CAPACITY][row, column])
        ahead = study.outlook.inputs
        interest = sum(float(study.outlook.ledgers[x].interest[row, :4].sum()) for x in INTEREST)
        growth = (
            float(np.atleast_2d(ahead[CAPACITY])[row, 3] / capacity - 1) if capacity > 0 else np.nan
        )
        balance = float(self._balances[row]) / capacity if capacity > 0 else np.nan
        if not debt > 0 or not np.isfinite([debt, capacity, interest, growth, balance]).all():
            return None
        rate, ratio = interest / debt, debt / capacity
        lines = lines_of(study.headline_book, study.headline)
        crossed = [line for line in lines if line.breached(np.asarray(ratio))]
        path = study.ahead[study.headline_book.id].values[study.headline.id][row]
        later = [line for line in lines if line not in crossed and line.breached(path).any()]
        target = crossed[-1] if crossed else later[0] if later else None
        required = None
        if target is not None:
            years = study.outlook.quarters // 4
            required = float(required_balance(ratio, target.value, rate, growth, years))
        return Stability(
            interest_rate=rate,
            growth=growth,
            balance=balance,
            stabilising=float(debt_stabilising_balance(ratio, rate, growth)),
            target=target.value if target else None,
            target_label=self._band_label(target) if target else "",
            required=required,
            gap=None if required is None else (required - balance) * capacity,
        )

    # -- words -------------------------------------------------------------------------------------

    def _pick(self, text: Bilingual) -> str:
        return self.language.pick(text.zh, text.en)

    def _band_label(self, line: Line) -> str:
        indicator = self.study.history[line.rulebook].rulebook.indicator_named(line.indicator)
        label = next((b.label for b in indicator.bands if b.band == line.band), None)
        words = self._pick(label) if label else line.band
        return f"{words} {'≥' if line.inclusive else '>'} {self.figures.percent(line.value, 0)}"

    def _line_label(self, line: Line) -> str:
        indicator = self.study.history[line.rulebook].rulebook.indicator_named(line.indicator)
        return f"{self._pick(indicator.label)} · {self._band_label(line)}"


def _debts(figures: Mapping[str, Array]) -> dict[str, Array]:
    return {name: figures[f"{name}_debt_balance"] for name in LEDGERS}


def _capacities(figures: Mapping[str, Array]) -> dict[str, Array]:
    own = figures["gpb_revenue"]
    return {
        "own": own,
        "transfers": figures["general_capacity"] - own,
        "fund_all": figures["fund_capacity"],
    }


def _number(value: float | np.floating) -> float | None:
    return float(value) if np.isfinite(value) else None
