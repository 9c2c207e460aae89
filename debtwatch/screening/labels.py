"""Names of what a proposal or the accounts may lack, for sentences."""

from __future__ import annotations

from debtwatch.language import N_
from debtwatch.panel.fields import field_named, is_field
from debtwatch.rules.rulebook import Bilingual
from debtwatch.screening.sentence import Name, Word

DOCUMENT_NAMES = {
    "project_proposal": N_("project proposal"),
    "feasibility_approved": N_("approval of the feasibility study"),
    "preliminary_design": N_("preliminary design"),
    "implementation_plan": N_("implementation plan"),
    "financial_report": N_("financial assessment report"),
    "legal_opinion": N_("legal opinion"),
    "performance_assessment": N_("performance assessment"),
    "eia": N_("environmental impact assessment"),
    "in_ndrc_store": N_("entry in the development and reform project store"),
    "in_mof_store": N_("entry in the finance ministry's debt project store"),
    "ppp_affordability": N_("affordability report of the partnership"),
}
#: What a check may lack, in words; names of documents stand above.
FIELD_NAMES = {
    "outlook_to_last_draw": N_("an outlook that reaches the last draw of the project"),
    "unit_cost_base": N_("physical size of the project"),
    "land.permanent_basic_farmland_ha": N_("area of permanent basic farmland"),
    "land.ecological_red_line": N_("whether it lies inside the ecological red line"),
    "land.inside_urban_boundary": N_("whether it lies inside the urban development boundary"),
    "land.cultivated_ha": N_("area of cultivated land"),
    "land.offset_document": N_("document on replacing the cultivated land"),
    "land.land_use_approval": N_("land use approval"),
    "flags.county_to_city": N_("whether the county is to become a city or district"),
    "flags.national_exception": N_("whether the State Council has made an exception"),
    "county_type": N_("type of county"),
    "purpose": N_("whether it is new, an extension or upkeep"),
    "need": N_("capacity, standard and projected residents"),
    "population": N_("resident and registered population"),
    "population.low": N_("residents in the low variant"),
    "province": N_("province"),
    "in_restructuring": N_("whether a restructuring plan has been started"),
    "simulated_paths": N_("simulated paths"),
    "stress_scenarios": N_("stress scenarios"),
    "comprehensive_fiscal_capacity": N_("comprehensive fiscal capacity"),
    "contractor_prefinancing": N_("pre-financing by the contractor"),
    "guaranteed_buyback": N_("guaranteed buy-back"),
    "commitment_letter": N_("commitment letter of the government"),
    "guarantee": N_("guarantee of the loan"),
    "payment": N_("way of payment of the partnership"),
    "sector": N_("sector"),
    "total_investment": N_("total investment"),
    "nature": N_("nature of the project"),
    "office_building": N_("whether it is an office building"),
    "image_project": N_("whether it is an image project"),
    "negative_list": N_("whether it is on the negative list"),
    "income": N_("income"),
    "opex": N_("running cost"),
    "feasibility_estimate": N_("investment approved in the feasibility study"),
    "unit_costs": N_("unit costs of other projects of the sector"),
    "ppp_share": N_("commitments of existing partnerships"),
    "ppp_commitments": N_("commitments of this partnership"),
    "gpb_expenditure": N_("general budget expenditure"),
}


def label_of(name: str) -> Name | Word | str:
    """Label of a field of the accounts, of a document or of an answer; the name itself else.

    Examples
    --------
    >>> label_of("sector").text("en")
    'sector'
    """
    if name in FIELD_NAMES:
        return Word(FIELD_NAMES[name])
    if name in DOCUMENT_NAMES:
        return Word(DOCUMENT_NAMES[name])
    if is_field(name):
        field = field_named(name)
        return Name(Bilingual(zh=field.zh, en=field.en))
    return name
