"""What would have to change: single changes of a proposal, each tried by screening it again."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

from debtwatch.language import N_
from debtwatch.screening.breach import share_at
from debtwatch.screening.case import Case
from debtwatch.screening.check import Check
from debtwatch.screening.coverage import finance_of
from debtwatch.screening.decision import Change
from debtwatch.screening.desk import Desk
from debtwatch.screening.financing_checks import self_balance
from debtwatch.screening.project import Project
from debtwatch.screening.sentence import Detail, Money, Number, Quarter, Sentence, Share
from debtwatch.screening.trials import OF_DEBT, Trials, hard_failures
from debtwatch.screening.variants import (
    delayed,
    off_protected_land,
    scaled,
    with_general_bonds,
    with_income,
    with_own_money,
    without_hidden_debt,
)

GRID = 100  # sizes are searched in whole percent
_Tried = tuple[str, Sentence, Project, float]


def changes_of(trials: Trials, checks: Sequence[Check]) -> tuple[Change, ...]:
    """List single changes that remove hard failures, cheapest first.

    Parameters
    ----------
    trials : Trials
    checks : sequence of Check
        Of the proposal.

    Returns
    -------
    tuple of Change
        Only changes that remove at least one hard failure when the changed proposal is screened.
        Empty without hard failures.
    """
    hard = hard_failures(checks)
    desk, case = trials.desk, trials.case
    found = []
    for key, sentence, project, cost in _candidates(trials, checks, hard):
        horizon = None
        if key == "timing":
            late = project.start_quarter - case.project.start_quarter
            horizon = desk.horizon_of(case.project) + late
        tried, decision = desk.try_out(project, horizon=horizon)
        left = hard_failures(tried)
        removed = tuple(id_ for id_ in hard if id_ not in left)
        if removed:
            found.append(Change(key, sentence, removed, cost, decision.outcome, left))
    return tuple(sorted(found, key=lambda c: (len(c.remaining), c.cost, c.key)))


def _candidates(trials: Trials, checks: Sequence[Check], hard: Sequence[str]) -> Iterator[_Tried]:
    desk, case = trials.desk, trials.case
    project = case.project
    if {"L1", "L2"} & set(hard):
        text = N_("Choose a site off permanent basic farmland and outside the ecological red line.")
        yield "land", Sentence(text), off_protected_land(project), 0.0
    if "F1" in hard:
        text = N_("Leave out prefinancing, buy-back, commitment letters, guarantees and government "
                  "payment; finance it openly.")  # fmt: skip
        yield "financing", Sentence(text), without_hidden_debt(project), 0.0
    if "F4" in hard:
        text = N_("Submit it with general bonds instead of special bonds.")
        yield "financing", Sentence(text), with_general_bonds(project), 0.0
        own = project.amount_of("special_bond")
        text = N_("Pay {amount} from the budget instead of special bonds.")
        details = {"amount": Money(own)}
        yield "mix", Sentence(text, details), with_own_money(project, own), own
    if "F2" in hard:
        yield from _more_capital(project, next(c for c in checks if c.id == "F2"))
    if "F5" in hard:
        yield from _more_income(case)
    if "P1" in hard:
        yield from _to_need(case)
    targets = tuple(id_ for id_ in hard if id_ in OF_DEBT)
    if targets and project.public_debt > 0:
        yield from _smaller(trials, targets)
        yield from _later(trials, targets)
    if "F5" in hard:
        yield from _less_debt(desk, case)


def _more_capital(project: Project, check: Check) -> Iterator[_Tried]:
    if check.value is None or check.threshold is None:
        return
    gap = (check.threshold - check.value) * project.total_investment
    text = N_("Raise project capital by {gap} in place of debt.")
    debts = {t.source for t in project.financing if t.is_debt}
    source = "special_bond" if "special_bond" in debts else next(iter(sorted(debts)), "")
    if source:
        more = with_own_money(project, gap * (1 + 1e-9), source)
        yield "capital", Sentence(text, {"gap": Money(gap)}), more, gap


def _more_income(case: Case) -> Iterator[_Tried]:
    """Income at which the special bond is covered once: what the hard line asks for."""
    factor = required_income(case, coverage=1.0)
    if factor is None or factor <= 1:
        return
    text = N_("Raise income to {factor} times what is stated (by tariffs or users), with evidence.")
    more = with_income(case.project, factor * (1 + 1e-9))
    total = float(case.finance.income.sum())
    yield "income", Sentence(text, {"factor": Number(factor, 2)}), more, (factor - 1) * total


def required_income(case: Case, *, coverage: float = 1.1) -> float | None:
    """Factor of income at which coverage is enough: ``(1.1 service + opex + tax) / income``.

    Parameters
    ----------
    case : Case
    coverage : float
        Coverage of the special bond that is asked for; of all debt without a special bond.
    """
    finance = case.finance
    service = finance.bond if finance.bond.total.sum() > 0 else finance.total
    years = int(service.total.nonzero()[0][-1]) + 1 if service.total.sum() > 0 else 0
    income = float(finance.income[:years].sum())
    if not income > 0:
        return None
    cost = float(finance.income[:years].sum() - finance.net[:years].sum())
    return (coverage * float(service.total.sum()) + cost) / income


def _to_need(case: Case) -> Iterator[_Tried]:
    """Scale at which capacity is no more than the ceiling over what residents need."""
    check_need, project = case.project.need, case.project
    ratio = _need_ratio(case)
    if ratio is None or not check_need.added:
        return
    existing, added = check_need.existing or 0.0, check_need.added
    needed = (existing + added) / ratio
    scale = (needed * case.settings.need.ceiling - existing) / added
    if not 0 < scale < 1:
        return
    scale = int(scale * GRID) / GRID
    text = N_("Build {scale} of the planned capacity, in line with the residents' need.")
    given_up = (1 - scale) * project.total_investment
    yield "scale", Sentence(text, {"scale": Share(scale, 0)}), scaled(project, scale), given_up


def _need_ratio(case: Case) -> float | None:
    from debtwatch.screening.land_checks import service_need_ratio  # noqa: PLC0415

    return service_need_ratio(case.project.need, case.government.population, case.settings)[0]


# -- less debt -------------------------------------------------------------------------------------


def _smaller(trials: Trials, targets: Sequence[str]) -> Iterator[_Tried]:
    project = trials.case.project
    guess = trials.guess()
    scale = _largest(lambda s: trials.clear(scaled(project, s), targets, share=s), guess)
    if scale:
        text = N_("Build {scale} of the project, with debt of {debt}.")
        details: dict[str, Detail] = {
            "scale": Share(scale, 0),
            "debt": Money(scale * project.public_debt, floor=True),
        }
        given_up = (1 - scale) * project.total_investment
        yield "scale", Sentence(text, details), scaled(project, scale), given_up
    kept = _largest(
        lambda s: trials.clear(_with_share_of_bonds(project, s), targets, share=s), scale or guess
    )
    if kept is not None:
        yield _own_money(project, kept)


def _own_money(project: Project, kept: float) -> _Tried:
    own = (1 - kept) * project.public_debt
    text = N_("Replace {amount} of bonds by grants or own capital.")
    less = _with_share_of_bonds(project, kept)
    return "mix", Sentence(text, {"amount": Money(own)}), less, own


def _less_debt(desk: Desk, case: Case) -> Iterator[_Tried]:
    """Share of the bonds that the project's own cash can carry."""
    project = case.project

    def carried(share: float) -> bool:
        less = _with_share_of_bonds(project, share)
        finance = finance_of(less, desk.settings, stressed=False)
        check = self_balance(replace(case, project=less, finance=finance))
        return not (check.counts and check.severity == "H")

    covered = case.finance.bond_coverage
    kept = _largest(carried, min(covered, 0.99) if covered > 0 else None)
    if kept is not None:
        yield _own_money(project, kept)


def _with_share_of_bonds(project: Project, share: float) -> Project:
    """Keep a share of every government bond; the budget pays the rest."""
    changed = project
    for source in ("special_bond", "general_bond"):
        amount = project.amount_of(source)
        if amount > 0:
            changed = with_own_money(changed, (1 - share) * amount, source)
    return changed


def _largest(holds: Callable[[float], bool], guess: float | None = None) -> float | None:
    """Largest share, in whole percent below one, for which something holds.

    It must hold for every smaller share too. A good guess saves most of the bisection.
    """
    if not holds(0.0):
        return None
    low, high = 0, GRID
    if guess is not None and 0 < guess < 1:
        near, step = int(guess * GRID), 1
        if holds(near / GRID):
            while near + step < GRID and holds((near + step) / GRID):
                near, step = near + step, 2 * step
            low, high = near, min(near + step, GRID)
        else:
            while near - step > 0 and not holds((near - step) / GRID):
                near, step = near - step, 2 * step
            low, high = max(near - step, 0), near
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if holds(middle / GRID) else (low, middle)
    return low / GRID


def _later(trials: Trials, targets: Sequence[str]) -> Iterator[_Tried]:
    """Shortest delay that clears the failures, judged on as many more quarters as the delay."""
    project, chance = trials.case.project, trials.case.impact.probability
    rejects = trials.desk.settings.probability.reject
    if set(targets) == {"B1"} and chance is not None and chance.without >= rejects:
        return  # the probability of having breached never falls with the horizon
    for late in range(1, trials.longest_delay + 1):
        if set(hard_failures(trials.late(late))) & set(targets):
            continue
        moved = delayed(project, late)
        text = N_("Start in {quarter}, {late} quarters later.")
        when: dict[str, Detail] = {"quarter": Quarter(moved.start_quarter), "late": Number(late)}
        cost = late * trials.desk.settings.remedy.delay_cost * project.total_investment
        yield "timing", Sentence(text, when), moved, cost
        return


def first_phase(trials: Trials) -> float | None:
    """Largest part of a project, in steps of 5 %, that is neither rejected nor deferred for debt.

    The probability at every scale comes from the critical scales of the same paths; the part found
    is then screened as a proposal of its own.

    Parameters
    ----------
    trials : Trials
    """
    found, scales = trials.case.impact.probability, trials.critical_scales
    lines = trials.desk.settings.probability
    for step in range(19, 0, -1):
        part = step / 20
        if scales is not None and found is not None:
            share = share_at(scales, part)
            if share >= lines.defer or share - found.without >= lines.added_defer:
                continue
        checks = trials.checks(scaled(trials.case.project, part), share=part)
        graver = [c for c in checks if c.counts and c.severity in {"H", "D"}]
        if not any(c.severity == "H" or c.id in {"T1", "B1", "T3"} for c in graver):
            return part
    return None
