"""Checks of where and for whom a project is built: land, need, population, county type, province.

Law is read from the rulebooks of the 2022 Opinions on county towns and of the key provinces; what
no authority has put into numbers is marked as ours. A missing answer never passes.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from debtwatch.language import N_
from debtwatch.rules.assess import Assessment, assess
from debtwatch.rules.expression import exceeds
from debtwatch.rules.rulebook import UNKNOWN, Bilingual, Rulebook
from debtwatch.screening.case import Case
from debtwatch.screening.check import OURS, Check, Severity, cited, severity_without_data
from debtwatch.screening.labels import label_of
from debtwatch.screening.population import Population
from debtwatch.screening.project import Need
from debtwatch.screening.sentence import Detail, Name, Number, Sentence, Share, Word, Words
from debtwatch.screening.settings import ScreeningSettings

OPINIONS = "cn-county-2022-guardrails"
KEY_PROVINCES = "cn-key-provinces"
_GRADES: dict[int, Severity] = {3: "H", 2: "D", 1: "C", 0: "I"}
_OFFSET = Bilingual(
    zh="《中华人民共和国土地管理法》占用耕地补偿制度；2022年县城意见坚守耕地底线",
    en="Land Administration Law, compensation for cultivated land; the 2022 Opinions on county "
    "towns, cultivated land as a bottom line",
)
#: Answers of the rulebook's other questions, so that one question is judged at a time.
_ELSE: dict[str, Any] = {
    "county_type": "specialised",
    "takes_permanent_basic_farmland": False,
    "inside_ecological_red_line": False,
    "outside_urban_development_boundary": False,
    "converts_county_to_city_or_district": False,
    "is_expansion_project": False,
    "service_need_ratio": 1.0,
    "hidden_debt_financing": False,
    "contractor_prefinancing": False,
    "approvals_complete": True,
}


# -- shape of a result ---------------------------------------------------------------------------


def _result(
    check: str, status: Any, severity: Severity, sentence: Sentence, *, book: Rulebook | None,
    source: Bilingual | None = None, **more: Any,
) -> Check:  # fmt: skip
    reference = book.reference if book is not None else ""
    return Check(
        check, status, severity, sentence, source or cited(book), rulebook=reference, **more
    )


def _lacks(check: str, book: Rulebook | None, *missing: str, **more: Any) -> Check:
    text = N_("These data are missing, and no judgement is made: {fields}.")
    words = Words(tuple(label_of(name) for name in missing))
    return _result(
        check, "na", severity_without_data(check), Sentence(text, {"fields": words}), book=book,
        missing=missing, **more,
    )  # fmt: skip


def _aside(check: str, text: str, book: Rulebook | None, **details: Detail) -> Check:
    return _result(check, "not_applicable", "I", Sentence(text, details), book=book)


def _not_in_force(check: str, source: Bilingual) -> Check:
    text = N_("No version of the rulebook applies to this quarter's accounts.")
    return Check(check, "not_applicable", "I", Sentence(text), source)


def _opinions(case: Case) -> Rulebook | None:
    return case.rulebooks.get(OPINIONS)


def _known(value: float | None) -> float | None:
    return None if value is None or not math.isfinite(value) else float(value)


def _grade(assessed: Assessment, indicator: str) -> Severity:
    """Severity of the band an indicator falls into; ``I`` for a good one."""
    bands = assessed.rulebook.indicator_named(indicator).bands
    return _GRADES[bands[int(assessed.bands[indicator])].severity or 0]


def _flag_grade(book: Rulebook, field: str, indicator: str, value: bool) -> Severity:
    """Grade that a rulebook gives to one answer, all others being good."""
    return _grade(assess(book, {**_ELSE, field: value}), indicator)


# -- L: land -------------------------------------------------------------------------------------


def l1_basic_farmland(case: Case) -> Check:
    """L1: permanent basic farmland is not built on."""
    book, land = _opinions(case), case.project.land
    if book is None:
        return _not_in_force("L1", OURS)
    area, total = _known(land.permanent_basic_farmland_ha), _known(land.total_ha)
    if area is None and total == 0:
        return _aside("L1", N_("The project takes no land."), book)
    if area is None:
        return _lacks("L1", book, "land.permanent_basic_farmland_ha", unit="number")
    takes = bool(exceeds(np.asarray(area), 0.0))
    grade = _flag_grade(book, "takes_permanent_basic_farmland", "hard_flags", takes)
    text = (
        N_("The site takes {area} ha of permanent basic farmland; the project cannot pass.")
        if takes
        else N_("The site takes no permanent basic farmland.")
    )
    return _result(
        "L1", "failed" if takes else "passed", grade, Sentence(text, {"area": Number(area, 2)}),
        book=book, value=area, threshold=0.0, operator=">", unit="number",
    )  # fmt: skip


def l2_red_line(case: Case) -> Check:
    """L2: nothing is built inside the ecological red line."""
    book, inside = _opinions(case), case.project.land.ecological_red_line
    if book is None:
        return _not_in_force("L2", OURS)
    if inside is None:
        return _lacks("L2", book, "land.ecological_red_line", unit="flag")
    grade = _flag_grade(book, "inside_ecological_red_line", "hard_flags", inside)
    text = (
        N_("The site lies inside the ecological red line; the project cannot pass.")
        if inside
        else N_("The site lies outside the ecological red line.")
    )
    return _flagged("L2", inside, grade, text, book)


def _flagged(check: str, found: bool, grade: Severity, text: str, book: Rulebook) -> Check:
    return _result(
        check, "failed" if found else "passed", grade, Sentence(text), book=book,
        value=float(found), threshold=1.0, operator=">=", unit="flag",
    )  # fmt: skip


def l3_urban_boundary(case: Case) -> Check:
    """L3: a project lies inside the urban development boundary, or may lie outside."""
    book, inside = _opinions(case), case.project.land.inside_urban_boundary
    if book is None:
        return _not_in_force("L3", OURS)
    by_kind = case.sector is not None and case.sector.boundary_exempt
    if inside is not True and (by_kind or case.project.flags.boundary_exempt is True):
        text = (
            N_("Works of this kind ({sector}) may lie outside the urban development boundary.")
            if by_kind
            else N_("The proposal shows that it may lie outside the urban development boundary.")
        )
        label = Name(case.sector.label) if case.sector is not None else ""
        return _aside("L3", text, book, sector=label)
    if inside is None:
        return _lacks("L3", book, "land.inside_urban_boundary", unit="flag")
    grade = _flag_grade(book, "outside_urban_development_boundary", "soft_flags", not inside)
    text = (
        N_("The site lies inside the urban development boundary.")
        if inside
        else N_(
            "The site lies outside the urban development boundary; it waits for a change of the "
            "plan or for proof that it may lie there."
        )
    )
    return _flagged("L3", not inside, grade, text, book)


def l4_cultivated_land(case: Case) -> Check:
    """L4: cultivated land that is taken is replaced, by document."""
    book, land = _opinions(case), case.project.land
    area, total = _known(land.cultivated_ha), _known(land.total_ha)
    if area is None and total == 0:
        return _aside("L4", N_("The project takes no land."), book)
    if area is None:
        return _lacks("L4", book, "land.cultivated_ha", unit="number", source=_OFFSET)
    takes = bool(exceeds(np.asarray(area), 0.0))
    if takes and land.offset_document is None:
        return _lacks("L4", book, "land.offset_document", unit="number", source=_OFFSET)
    failed = takes and land.offset_document is False
    text = (
        N_("The site takes {area} ha of cultivated land without a document on replacing it.")
        if failed
        else N_("The site takes {area} ha of cultivated land; its replacement is documented.")
        if takes
        else N_("The site takes no cultivated land.")
    )
    return _result(
        "L4", "failed" if failed else "passed", "D" if failed else "I",
        Sentence(text, {"area": Number(area, 2)}), book=book, source=_OFFSET, value=area,
        threshold=0.0, operator=">", unit="number",
    )  # fmt: skip


def l5_land_approval(case: Case) -> Check:
    """L5: the use of the land is approved."""
    book, land = _opinions(case), case.project.land
    if book is None:
        return _not_in_force("L5", OURS)
    if _known(land.total_ha) == 0:
        return _aside("L5", N_("The project takes no land."), book)
    if land.land_use_approval is None:
        return _lacks("L5", book, "land.land_use_approval", unit="flag")
    missing = not land.land_use_approval
    grade = _flag_grade(book, "approvals_complete", "soft_flags", not missing)
    text = (
        N_("The use of the land is not approved yet.")
        if missing
        else N_("The use of the land is approved.")
    )
    return _flagged("L5", missing, grade, text, book)


# -- G: county towns -----------------------------------------------------------------------------


def county_type_of(case: Case) -> str:
    """Type of the county: as the proposal says, else as known of the government, else empty."""
    return case.project.county_type or case.government.county_type


def _is_county(case: Case, book: Rulebook) -> bool:
    return case.government.level in book.levels


def g1_change_of_status(case: Case) -> Check:
    """G1: a project does not serve to turn the county into a city or district."""
    book, converts = _opinions(case), case.project.flags.county_to_city
    if book is None:
        return _not_in_force("G1", OURS)
    if not _is_county(case, book):
        return _aside("G1", N_("The Opinions on county towns address counties only."), book)
    if converts is None:
        return _lacks("G1", book, "flags.county_to_city", unit="flag")
    grade = _flag_grade(book, "converts_county_to_city_or_district", "soft_flags", converts)
    text = (
        N_(
            "The project serves to turn the county into a city or district, which is strictly "
            "controlled; it waits for the decision on that."
        )
        if converts
        else N_("The project does not serve to change the county's status.")
    )
    return _flagged("G1", converts, grade, text, book)


_STANCES = {
    "near_big_city": N_(
        "County town near a big city: it may grow and take over industry and services where debt "
        "leaves room."
    ),
    "specialised": N_(
        "County town with a special function: expansion should follow the revenue of its industry."
    ),
    "agricultural": N_(
        "County town of a main farming area: upkeep and upgrading; farmland comes first."
    ),
    "ecological": N_(
        "County town of a key ecological area: public services only, no spread of built-up land."
    ),
    "population_loss": N_(
        "County town losing people: concentrate people and services and use what exists; no net "
        "expansion."
    ),
}


def stance_of(county_type: str) -> Sentence | None:
    """Say how a type of county is treated by default; None for an unknown type.

    The five types are those of the 2022 Opinions, the stance on each is ours.

    Examples
    --------
    >>> from debtwatch.language import language
    >>> stance_of("agricultural").say(language("en"))
    'County town of a main farming area: upkeep and upgrading; farmland comes first.'
    """
    text = _STANCES.get(county_type)
    return None if text is None else Sentence(text)


def g2_stance(case: Case) -> Check:
    """G2: what the type of county asks for; information."""
    book, stance = _opinions(case), stance_of(county_type_of(case))
    if book is not None and not _is_county(case, book):
        return _aside("G2", N_("The Opinions on county towns address counties only."), book)
    source = Bilingual(
        zh="2022年县城意见的五类县城；处理取向为本工具口径",
        en="Five types of the 2022 Opinions on county towns; the stance on each is ours",
    )
    if stance is None:
        lacks = N_("The type of county is not stated, so no stance is derived from it.")
        return _result("G2", "na", "I", Sentence(lacks), book=book, source=source, ours=True,
                       missing=("county_type",))  # fmt: skip
    return _result("G2", "passed", "I", stance, book=book, source=source, ours=True)


# -- P: population and need ----------------------------------------------------------------------


def service_need_ratio(
    need: Need, population: Population | None, settings: ScreeningSettings
) -> tuple[float | None, float | None]:
    """Capacity after the project over what residents need, by the medium and the low projection.

    Parameters
    ----------
    need : Need
        Its own projections replace ours.
    population : Population or None
    settings : ScreeningSettings

    Returns
    -------
    base, low : float or None
        None where capacity, standard or residents are missing.

    Examples
    --------
    >>> from debtwatch.screening.settings import screening_settings
    >>> need = Need("beds", 300.0, 60.0, 0.006, 2032, 50_000.0, 45_000.0)
    >>> base, low = service_need_ratio(need, None, screening_settings())
    >>> round(base, 3), round(low, 3)
    (1.2, 1.333)
    """
    medium = _residents(need, population, settings, low=False)
    low = _residents(need, population, settings, low=True)
    if medium is not None and low is not None:
        low = min(low, medium)
    return _over_need(need, medium), _over_need(need, low)


def _residents(
    need: Need, population: Population | None, settings: ScreeningSettings, *, low: bool
) -> float | None:
    given = _known(need.population_low if low else need.population_medium)
    if given is not None or population is None or need.target_year is None:
        return given
    gap = settings.need.low_growth_gap
    return population.projected(need.target_year, "low" if low else "medium", low_gap=gap)


def _over_need(need: Need, residents: float | None) -> float | None:
    existing, added = _known(need.existing), _known(need.added)
    standard = _known(need.standard_per_capita)
    if existing is None or added is None or not standard or not residents:
        return None
    needed = standard * residents
    return (existing + added) / needed if needed > 0 else None


def _ratios(case: Case) -> tuple[float | None, float | None]:
    return service_need_ratio(case.project.need, case.government.population, case.settings)


def loses_people(case: Case) -> bool | None:
    """Whether the county loses people, by its type or by the population test; None when unknown.

    One of the two saying so is enough. A type that says otherwise does not stand in for a test that
    cannot be made: nobody's word switches the check off.
    """
    population = case.government.population
    losing = None if population is None else population.losing
    types = {case.project.county_type, case.government.county_type} - {""}
    if losing or "population_loss" in types:
        return True
    return None if losing is None else False


def p1_losing_people(case: Case) -> Check:
    """P1: a county that loses people does not expand beyond what its residents need."""
    book = _opinions(case)
    if book is None:
        return _not_in_force("P1", OURS)
    loses, expands = loses_people(case), case.project.expands
    aside = _p1_aside(case, book)
    if aside is not None:
        return aside
    if loses is None or expands is None:
        lacking = (*(("county_type", "population") if loses is None else ()),
                   *(("purpose",) if expands is None else ()))  # fmt: skip
        return _lacks("P1", book, *lacking, unit="times")
    base, _ = _ratios(case)
    if base is None:
        return _lacks("P1", book, "need", unit="times", ours=True)
    asked = {"county_type": "population_loss", "is_expansion_project": True,
             "service_need_ratio": base}  # fmt: skip
    grade = _GRADES[min(3, int(assess(book, {**_ELSE, **asked}).severity()))]
    return _p1_found(case, book, base, grade)


def _p1_aside(case: Case, book: Rulebook) -> Check | None:
    if not _is_county(case, book):
        return _aside("P1", N_("The Opinions on county towns address counties only."), book)
    if loses_people(case) is False:
        return _aside("P1", N_("The county is not one that loses people."), book)
    if case.project.expands is False:
        return _aside("P1", N_("The project does not expand what exists."), book)
    return None


def _p1_found(case: Case, book: Rulebook, base: float, grade: Severity) -> Check:
    """Word the finding: every expansion in such a county is at least conditional."""
    beyond, ceiling = grade == "H", _edges(book)[0]
    details: dict[str, Detail] = {"ratio": Number(base, 2), "ceiling": Number(ceiling, 2)}
    people = case.government.population
    if people is not None and people.losing and people.growth is not None:
        span = people.resident_year - (people.earlier_year or people.resident_year)
        details |= {"years": Number(span), "growth": Share(people.growth, 2),
                    "note": _note(people)}  # fmt: skip
        text = (
            N_(
                "Residents changed by {growth} a year over {years} years{note}: the county loses "
                "people. Supply after the project is {ratio} times need, above {ceiling}; building "
                "without need is to be prevented."
            )
            if beyond
            else N_(
                "Residents changed by {growth} a year over {years} years{note}: the county loses "
                "people. Supply after the project is {ratio} times need, not above {ceiling}; "
                "expansion needs conditions."
            )
        )
    else:
        text = (
            N_(
                "The county is of the type that loses people. Supply after the project is {ratio} "
                "times need, above {ceiling}; building without need is to be prevented."
            )
            if beyond
            else N_(
                "The county is of the type that loses people. Supply after the project is {ratio} "
                "times need, not above {ceiling}; expansion needs conditions."
            )
        )
    source = Bilingual(
        zh=cited(book).zh + "；供给为需求1.10倍的界线为本工具口径",
        en=cited(book).en + "; the line of 1.10 times need is ours",
    )
    return _result(
        "P1", "failed", grade, Sentence(text, details), book=book, source=source, value=base,
        threshold=ceiling if beyond else None, operator=">" if beyond else "", unit="times",
        ours=True,
    )  # fmt: skip


def _note(people: Population) -> Word | str:
    """Reservations about the population test, put after the growth rate."""
    adjusted = people.boundaries_adjusted or people.source == "accounts"
    if people.basis == "growth_only":
        return Word(
            N_(" (judged on growth alone)")
            if adjusted
            else N_(" (judged on growth alone, boundaries not adjusted)")
        )
    return "" if adjusted else Word(N_(" (boundaries not adjusted)"))


def _edges(book: Rulebook) -> tuple[float, float]:
    """Supply over need above which it is conditional, and above which it is deferred."""
    edges = sorted(b.gt for b in book.indicator_named("need").bands if b.gt is not None)
    return edges[0], edges[-1]


def _adds_nothing(case: Case) -> bool:
    added = _known(case.project.need.added)
    return added == 0 or (added is None and case.project.expands is False)


def p2_over_provision(case: Case) -> Check:
    """P2: supply after the project is not far above what residents need."""
    book = _opinions(case)
    if book is None:
        return _not_in_force("P2", OURS)
    if _adds_nothing(case):
        return _aside("P2", N_("The project adds no capacity."), book)
    base, _ = _ratios(case)
    if base is None:
        return _lacks("P2", book, "need", unit="times", ours=True)
    grade = _grade(assess(book, {**_ELSE, "service_need_ratio": base}), "need")
    conditional, deferred = _edges(book)
    line = deferred if grade == "D" else conditional
    text = {
        "D": N_("Supply after the project is {ratio} times need, well above it (line {line})."),
        "C": N_("Supply after the project is {ratio} times need, above it (line {line})."),
    }.get(grade, N_("Supply after the project is {ratio} times need, not above {line}."))
    return _result(
        "P2", "passed" if grade == "I" else "failed", grade,
        Sentence(text, {"ratio": Number(base, 2), "line": Number(line, 2)}), book=book,
        source=_need_source(), value=base, threshold=line, operator=">", unit="times", ours=True,
    )  # fmt: skip


def _need_source() -> Bilingual:
    return Bilingual(
        zh="公共资源配置与常住人口规模相匹配（2022年县城意见）；1.10和1.30两条线为本工具口径",
        en="Public resources follow resident population (2022 Opinions on county towns); the lines "
        "of 1.10 and 1.30 are ours",
    )


def p3_low_variant(case: Case) -> Check:
    """P3: supply that fits the medium projection does not far exceed the low one."""
    book, need = _opinions(case), case.settings.need
    base, low = _ratios(case)
    if _adds_nothing(case):
        return _aside("P3", N_("The project adds no capacity."), book)
    if base is not None and bool(exceeds(np.asarray(base), need.ceiling)):
        text = N_("Supply exceeds need by the medium projection already; see P2.")
        return _aside("P3", text, book)
    if base is None or low is None:
        lacking = "need" if base is None else "population.low"
        return _lacks("P3", book, lacking, unit="times", ours=True)
    failed = bool(exceeds(np.asarray(low), need.excess))
    text = (
        N_("With residents by the low variant, supply is {ratio} times need (line {line}).")
        if failed
        else N_(
            "With residents by the low variant, supply is {ratio} times need, not above {line}."
        )
    )
    return _result(
        "P3", "failed" if failed else "passed", "C" if failed else "I",
        Sentence(text, {"ratio": Number(low, 2), "line": Number(need.excess, 2)}), book=book,
        source=_need_source(), value=low, threshold=need.excess, operator=">", unit="times",
        ours=True,
    )  # fmt: skip


# -- K: key provinces ----------------------------------------------------------------------------

#: Purposes that count as new build in the key provinces: extension and purchase too.
_NEW_BUILD = {"new", "extension", "equipment"}


def k1_key_province(case: Case) -> Check:
    """K1: what the key provinces may not build in principle."""
    book = case.rulebooks.get(KEY_PROVINCES)
    if book is None:
        return _not_in_force("K1", OURS)
    inputs = _key_inputs(case)
    assessed = assess(book, inputs)
    outcome = str(assessed.outcome_ids())
    if outcome == "not_applicable":
        return _aside("K1", N_("The province is not one of the key provinces."), book)
    if outcome == UNKNOWN:
        return _lacks("K1", book, _key_lacking(assessed, inputs), unit="flag")
    frozen = outcome == "prohibited_in_principle"
    text = {
        "prohibited_in_principle": N_(
            "{province} is a key province, which may not in principle newly build works of this "
            "kind: {sector}."
        ),
        "strictly_controlled": N_(
            "{province} is a key province: new government investment is strictly controlled there."
        ),
        "review_ongoing": N_(
            "{province} is a key province: projects under way there are sorted by progress and "
            "funding."
        ),
    }[outcome]
    details: dict[str, Detail] = {
        "province": case.government.province,
        "sector": Name(case.sector.label) if case.sector is not None else case.project.sector,
    }
    return _result(
        "K1", "failed", "H" if frozen else "I", Sentence(text, details), book=book,
        value=float(frozen), threshold=1.0, operator=">=", unit="flag",
    )  # fmt: skip


def _key_lacking(assessed: Assessment, inputs: Mapping[str, Any]) -> str:
    """Name the first answer that is lacking, in the order in which the rulebook asks."""
    if int(assessed.bands["is_key"]) < 0:
        return "province"
    if "new_build" not in inputs:
        return "purpose"
    return "sector" if "project_category" not in inputs else "flags.national_exception"


def _key_inputs(case: Case) -> dict[str, Any]:
    """Answers to the rulebook of the key provinces; what is not known is left out."""
    project = case.project
    inputs: dict[str, Any] = {}
    if case.government.province:
        inputs["province"] = case.government.province
    category = "" if case.sector is None else case.sector.category
    if project.flags.rail_transit and not category:
        category = "urban_rail"
    if category or case.sector is not None:
        inputs["project_category"] = category or "none"
    if project.priority.ongoing:
        inputs["new_build"] = False
    elif project.purpose:
        inputs["new_build"] = project.purpose in _NEW_BUILD
    if project.flags.national_exception is not None:
        inputs["national_exception"] = project.flags.national_exception
    return inputs


#: In the order of rules C2, the two checks of the Opinions without a number there after land.
LAND_CHECKS = (
    l1_basic_farmland,
    l2_red_line,
    l3_urban_boundary,
    l4_cultivated_land,
    l5_land_approval,
    g1_change_of_status,
    g2_stance,
    p1_losing_people,
    p2_over_provision,
    p3_low_variant,
    k1_key_province,
)
