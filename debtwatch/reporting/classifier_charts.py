"""Charts of a classifier's back-test and model card, as static SVG."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import altair as alt

from debtwatch.language import N_, language
from debtwatch.reporting.charts import NOMINAL_COLOUR, PAST, WITH, WITHOUT, inline, svg_of

#: Of a two-sided interval of 90 %.
Z_90 = 1.6448536269514722
COLOURS = (WITH, "#d96a1d", WITHOUT)
SHAPES = ("circle", "triangle-up", "square")
VERDICTS = {"better": "#2f7d4b", "unclear": WITHOUT, "worse": NOMINAL_COLOUR}
#: Models whose reliability is drawn beside that of the model in use.
COMPARED = ("distance", "projection")


def reliability_chart(context: dict[str, Any], code: str) -> str:
    """Share of events against mean probability, in ten bins, for up to three models.

    Parameters
    ----------
    context : dict
        Of :func:`debtwatch.reporting.classifier_page.classifier_context`.
    code : {"zh", "en"}

    Returns
    -------
    str
        SVG; empty without any bin.
    """
    text = language(code).text
    models = [m for m in context["models"] if m["used"]]
    models += [m for m in context["models"] if m["id"] in COMPARED and not m["used"]]
    rows = [
        {"model": m["label"], "p": b["mean_p"], "y": b["mean_y"], "rows": b["rows"]}
        for m in models for b in m["calibration"]["bins"]
    ]  # fmt: skip
    if not rows:
        return ""
    top = min(1.0, 1.06 * max(max(r["p"], r["y"]) for r in rows) + 0.002)
    form = ".0%" if top > 0.2 else ".1%"
    names = [m["label"] for m in models]
    legend = alt.Legend(title=None, orient="bottom", labelLimit=300)
    x = alt.X(
        "p:Q", scale=alt.Scale(domain=[0, top], nice=False),
        axis=alt.Axis(title=text(N_("Mean probability")), format=form),
    )  # fmt: skip
    y = alt.Y(
        "y:Q", scale=alt.Scale(domain=[0, top], nice=False),
        axis=alt.Axis(title=text(N_("Share of events")), format=form),
    )  # fmt: skip
    colour = alt.Color(
        "model:N", sort=names, legend=legend,
        scale=alt.Scale(domain=names, range=list(COLOURS[: len(names)])),
    )  # fmt: skip
    shape = alt.Shape(
        "model:N", sort=names, legend=legend,
        scale=alt.Scale(domain=names, range=list(SHAPES[: len(names)])),
    )  # fmt: skip
    base = alt.Chart(inline(rows))
    even = alt.Chart(inline([{"p": 0, "y": 0}, {"p": top, "y": top}]))
    chart = alt.layer(
        even.mark_line(color=NOMINAL_COLOUR, strokeDash=[3, 2]).encode(x=x, y=y),
        base.mark_line(strokeWidth=1.4).encode(x=x, y=y, color=colour),
        base.mark_point(size=50, filled=True).encode(x=x, y=y, color=colour, shape=shape),
    )
    return svg_of(chart.properties(width=360, height=360))


def lead_chart(context: dict[str, Any], code: str) -> str:
    """Draw the number of events by how many periods before them the signals began.

    Parameters
    ----------
    context, code
        As for :func:`reliability_chart`.

    Returns
    -------
    str
        SVG; empty without any event.
    """
    text = language(code).text
    counts = {int(lead): int(events) for lead, events in context["lead"]["counts"]}
    if not counts:
        return ""
    rows = [
        {"lead": lead, "events": counts.get(lead, 0), "none": lead == 0}
        for lead in range(max(counts) + 1)
    ]
    title = text(
        N_("Years from the first signal to the event (0: no signal)")
        if context["frequency"] == "year"
        else N_("Quarters from the first signal to the event (0: no signal)")
    )
    base = alt.Chart(inline(rows))
    x = alt.X("lead:O", axis=alt.Axis(title=title, labelAngle=0, titleLimit=600))
    y = alt.Y("events:Q", axis=alt.Axis(title=text(N_("Events")), tickMinStep=1))
    bars = base.mark_bar().encode(
        x=x,
        y=y,
        color=alt.Color(
            "none:N",
            legend=None,
            scale=alt.Scale(domain=[True, False], range=[NOMINAL_COLOUR, WITH]),
        ),
    )
    labels = base.mark_text(dy=-6, fontSize=11).encode(x=x, y=y, text="events:Q")
    width = max(260, min(640, 46 * len(rows)))
    return svg_of(alt.layer(bars, labels).properties(width=width, height=200))


def difference_chart(context: dict[str, Any], code: str) -> str:
    """Differences of the model in use from every other, with their intervals.

    Parameters
    ----------
    context, code
        As for :func:`reliability_chart`.

    Returns
    -------
    str
        SVG; empty without any difference.
    """
    text = language(code).text
    panels = {
        "auc": text(N_("AUC: better to the right")),
        "pr_auc": text(N_("PR-AUC: better to the right")),
        "brier": text(N_("Brier score: better to the left")),
    }
    rows = [
        {"name": d["label"], "panel": panels[d["metric"]],
         "verdict": d["verdict"] if d["verdict"] in VERDICTS else "unclear",
         **{key: d[key] for key in ("value", "lower", "upper")}}
        for d in context["differences"] if d["value"] is not None
    ]  # fmt: skip
    if not rows:
        return ""
    verdicts = {
        "better": text(N_("better")),
        "unclear": text(N_("no clear difference")),
        "worse": text(N_("worse")),
    }
    names = ",".join(f"'{key}':'{word}'" for key, word in verdicts.items())
    order = list(dict.fromkeys(r["name"] for r in rows))
    axis = alt.Axis(title=None, labelLimit=240, grid=True, gridColor="#eceff3", ticks=False)
    y = alt.Y("name:N", sort=order, axis=axis)
    colour = alt.Color(
        "verdict:N",
        legend=alt.Legend(title=None, orient="bottom", labelExpr=f"{{{names}}}[datum.label]"),
        scale=alt.Scale(domain=list(VERDICTS), range=list(VERDICTS.values())),
    )
    quiet = alt.Axis(title=None, tickCount=4, format="+.4~f")
    base = alt.Chart()
    small = alt.layer(
        base.mark_rule(color=PAST, strokeDash=[3, 2]).encode(x=alt.datum(0)),
        base.mark_rule(strokeWidth=2).encode(
            x=alt.X("lower:Q", axis=quiet), x2="upper:Q", y=y, color=colour
        ),
        base.mark_point(filled=True, size=44).encode(
            x=alt.X("value:Q", axis=quiet), y=y, color=colour
        ),
        data=inline(rows),
    ).properties(width=190, height=alt.Step(20))
    header = alt.Header(title=None, labelFontWeight="bold", labelFontSize=11.5)
    column = alt.Column("panel:N", sort=list(panels.values()), header=header)
    return svg_of(small.facet(column=column, spacing=14).resolve_scale(x="independent"))


def intercept_chart(context: dict[str, Any], code: str) -> str:
    """Calibration intercept at each origin, with its interval.

    Parameters
    ----------
    context, code
        As for :func:`reliability_chart`.

    Returns
    -------
    str
        SVG; empty where no origin has an intercept.
    """
    text = language(code).text
    rows = [
        {"period": v["period"], "value": v["intercept"],
         "lower": v["intercept"] - Z_90 * (v["se"] or 0),
         "upper": v["intercept"] + Z_90 * (v["se"] or 0)}
        for v in context["drift"]["vintages"] if v["intercept"] is not None
    ]  # fmt: skip
    if not rows:
        return ""
    order = [r["period"] for r in rows]
    title = text(N_("Above 0: risk was said too low"))
    x = alt.X("period:O", sort=order, axis=alt.Axis(title=None, labelAngle=0, labelOverlap=True))
    axis = alt.Axis(title=title, format="+.2~f", titleLimit=300)
    base = alt.Chart(inline(rows))
    chart = alt.layer(
        alt.Chart(inline([{"from": -0.25, "to": 0.25}]))
        .mark_rect(color="#3f8f5b", opacity=0.14)
        .encode(y=alt.Y("from:Q", axis=axis), y2="to:Q"),
        base.mark_rule(color=PAST, strokeDash=[3, 2]).encode(y=alt.datum(0)),
        base.mark_rule(color=WITH, strokeWidth=1.6).encode(
            x=x, y=alt.Y("lower:Q", axis=axis), y2="upper:Q"
        ),
        base.mark_point(color=WITH, filled=True, size=46).encode(
            x=x, y=alt.Y("value:Q", axis=axis)
        ),
    )
    width = max(240, min(640, 52 * len(rows)))
    return svg_of(chart.properties(width=width, height=200))


#: Charts of the pages, by the name that templates use.
CHARTS = {
    "reliability": reliability_chart,
    "lead": lead_chart,
    "differences": difference_chart,
    "intercept": intercept_chart,
}


def classifier_charts(
    context: dict[str, Any], code: str, names: Sequence[str] = tuple(CHARTS)
) -> dict[str, str]:
    """Draw charts of a page, by name.

    Parameters
    ----------
    context, code
        As for :func:`reliability_chart`.
    names : sequence of str
        Of :data:`CHARTS`.
    """
    return {name: CHARTS[name](context, code) for name in names}
