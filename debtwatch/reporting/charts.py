"""Charts as declarations: an Altair specification, turned into static SVG without a browser.

The chart is declared and validated once for a language and compiled to Vega once; a page puts its
own data in. The SVG holds no script and names no network address. Its font is left to the page's
style.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

import altair as alt
import vl_convert as vlc

from debtwatch.language import N_, language
from debtwatch.panel.period import parse_quarter, quarter_end
from debtwatch.reporting.context import FanPoint, PathPoint, RuleSegment, SegmentLine

#: Colours of levels by severity; always beside a word, never alone.
SEVERITY_COLOURS = {0: "#3f8f5b", 1: "#d9a400", 2: "#d96a1d", 3: "#b3261e", 9: "#8a8f98"}
PAST, WITHOUT, WITH = "#111827", "#64748b", "#1d4ed8"
KINDS = ("history", "without", "with")


def ratio_chart(
    path: Sequence[PathPoint],
    segments: Sequence[RuleSegment],
    code: str,
    fan: Sequence[FanPoint] = (),
) -> str:
    """History, outlook and fan of the headline indicator over its threshold bands, as SVG.

    Parameters
    ----------
    path : sequence of PathPoint
    segments : sequence of RuleSegment
        Versions of the rulebook over the quarters shown. Bands and lines reach only as far as the
        version they belong to, so that a change of the rule is seen.
    code : str
        ``zh`` or ``en``.
    fan : sequence of FanPoint
        Quantiles of the quarters ahead; shown as the bands that hold 50 % and 90 % of paths.

    Returns
    -------
    str
        Empty without any point.
    """
    if not path:
        return ""
    lowest = [line.value for segment in segments for line in segment.lines[:1]]
    highest = [point.p95 for point in fan]
    top = round(max([p.value for p in path] + lowest + highest) * 1.12, 4)
    points = [{"day": _day(p.quarter), "kind": p.kind, "value": round(p.value, 6)} for p in path]
    spec = _with_data(
        _compiled(code),
        points=points,
        fan=_fan_rows(fan, path),
        bands=[band for segment in segments for band in _bands(segment, top)],
        lines=[
            {"value": line.value, "label": line.label, "first": _day(segment.first),
             "day": _day(segment.last)}
            for segment in segments for line in segment.lines if line.value < top
        ],
    )  # fmt: skip
    svg = str(vlc.vega_to_svg(spec))
    return svg[svg.index("<svg") :]


def _fan_rows(fan: Sequence[FanPoint], path: Sequence[PathPoint]) -> list[dict[str, Any]]:
    """Two bands a kind, opening from the last reported point."""
    now = next((p for p in reversed(path) if p.kind == "history"), None)
    rows: list[dict[str, Any]] = []
    for kind in ("without", "with"):
        own = [p for p in fan if p.kind == kind]
        for share, ends in (("90", ("p5", "p95")), ("50", ("p25", "p75"))):
            key = f"{kind} {share}"
            if own and now is not None:
                first = {"day": _day(now.quarter), "low": now.value, "high": now.value}
                rows.append({**first, "band": key, "kind": kind})
            rows += [
                {"day": _day(p.quarter), "low": round(getattr(p, ends[0]), 5),
                 "high": round(getattr(p, ends[1]), 5), "band": key, "kind": kind}
                for p in own
            ]  # fmt: skip
    return rows


def _day(quarter: str) -> str:
    return quarter_end(parse_quarter(quarter) or 0).isoformat()


def _bands(segment: RuleSegment, top: float) -> list[dict[str, object]]:
    edges = [0.0, *(line.value for line in segment.lines), float("inf")]
    severities = [0, *(line.severity for line in segment.lines)]
    first, last = _day(segment.first), _day(segment.last)
    return [
        {"low": low, "high": min(high, top), "severity": severity, "first": first, "last": last}
        for low, high, severity in zip(edges, edges[1:], severities, strict=False)
        if low < top
    ]


def _with_data(spec: dict[str, Any], **data: list[dict[str, Any]]) -> dict[str, Any]:
    """Fill the named data sets of the compiled chart; the template stays untouched."""
    sets = [{**d, "values": data[d["name"]]} if d["name"] in data else d for d in spec["data"]]
    return {**spec, "data": sets}


@cache
def _compiled(code: str) -> dict[str, Any]:
    spec = ratio_specification(code)
    compiled: dict[str, Any] = vlc.vegalite_to_vega(spec, vl_version=_vegalite())
    return compiled


def _vegalite() -> str:
    """Version of Vega-Lite that both the declaration and the renderer know."""
    version = alt.SCHEMA_VERSION.removeprefix("v").rsplit(".", 1)[0]
    known = [str(v) for v in vlc.get_vegalite_versions() if v.startswith(version.split(".")[0])]
    return version if version in known else known[-1]


def ratio_specification(code: str) -> dict[str, Any]:
    """Declare the ratio chart, with empty named data sets."""
    x = alt.X("day:T", axis=alt.Axis(format="%Y", title=None, grid=False, tickCount="year"))
    bands = (
        alt.Chart(alt.NamedData("bands"))
        .mark_rect(opacity=0.14)
        .encode(
            x=alt.X("first:T"),
            x2="last:T",
            y=alt.Y("low:Q", scale=alt.Scale(nice=False)),
            y2="high:Q",
            color=alt.Color(
                "severity:O",
                legend=None,
                scale=alt.Scale(domain=[0, 1, 2, 3], range=[SEVERITY_COLOURS[k] for k in range(4)]),
            ),
        )
    )
    rules = (
        alt.Chart(alt.NamedData("lines"))
        .mark_rule(strokeDash=[2, 2], color="#6b7280")
        .encode(x="first:T", x2="day:T", y="value:Q")
    )
    labels = (
        alt.Chart(alt.NamedData("lines"))
        .mark_text(align="right", baseline="bottom", dx=-3, dy=-3, fontSize=11, color="#374151")
        .encode(x="day:T", y="value:Q", text="label:N")
    )
    spread = (
        alt.Chart(alt.NamedData("fan"))
        .mark_area(opacity=0.16)
        .encode(
            x="day:T",
            y="low:Q",
            y2="high:Q",
            detail="band:N",
            color=alt.Color(
                "kind:N",
                legend=None,
                scale=alt.Scale(domain=["without", "with"], range=[WITHOUT, WITH]),
            ),
        )
    )
    chart = alt.layer(bands, spread, rules, _curves(code, x), labels).resolve_scale(
        color="independent"
    )
    chart = chart.properties(width=640, height=250).configure(font="sans-serif")
    spec: dict[str, Any] = chart.configure_view(stroke=None).to_dict()
    spec["datasets"] = {name: [] for name in ("bands", "fan", "lines", "points")}
    return spec


def _curves(code: str, x: alt.X) -> alt.Chart:
    text = language(code).text
    words = (
        text(N_("Reported")),
        text(N_("Outlook without planned projects")),
        text(N_("Outlook with planned projects")),
    )
    names = ",".join(f"'{kind}':'{word}'" for kind, word in zip(KINDS, words, strict=True))
    legend = alt.Legend(
        title=None,
        orient="bottom",
        labelExpr=f"{{{names}}}[datum.label]",
        symbolType="stroke",
        labelLimit=400,
    )
    points = alt.Chart(alt.NamedData("points")).mark_line(point=alt.OverlayMarkDef(size=18))
    curves: alt.Chart = points.encode(
        x=x,
        y=alt.Y("value:Q", axis=alt.Axis(format=".0%", title=None)),
        color=alt.Color(
            "kind:N",
            legend=legend,
            scale=alt.Scale(domain=list(KINDS), range=[PAST, WITHOUT, WITH]),
        ),
        strokeDash=alt.StrokeDash(
            "kind:N",
            legend=None,
            scale=alt.Scale(domain=list(KINDS), range=[[1, 0], [5, 3], [1, 0]]),
        ),
    )
    return curves


# -- calibration of the outlook --------------------------------------------------------------------

NOMINAL_COLOUR, BAND_COLOUR = "#b3261e", "#3f8f5b"


def coverage_chart(scores: Sequence[Mapping[str, Any]], code: str) -> str:
    """Share of outcomes that each band covered beside what it should, as SVG.

    Parameters
    ----------
    scores : sequence of mapping
        Scores of a back-test as its result holds them.
    code : {"zh", "en"}
    """
    rows = [
        {"name": name, "level": f"{band['level']:.0%}", "nominal": band["level"],
         "covered": band["covered"], "low": band["low"], "high": band["high"],
         "from": 0.72 if band["level"] == 0.8 else None,
         "to": 0.88 if band["level"] == 0.8 else None}
        for name, score in _named(scores, code) for band in score["bands"]
    ]  # fmt: skip
    x = alt.X("covered:Q", scale=alt.Scale(domain=[0, 1]), axis=alt.Axis(format=".0%", title=None))
    y = _rows_axis(rows)
    base = alt.Chart()
    layers = alt.layer(
        base.mark_rect(color=BAND_COLOUR, opacity=0.015).encode(
            x=alt.X("from:Q", scale=alt.Scale(domain=[0, 1])), x2="to:Q"
        ),
        base.mark_rule(color=NOMINAL_COLOUR, strokeDash=[3, 2]).encode(x="nominal:Q"),
        base.mark_rule(color=PAST, strokeWidth=1.5).encode(x=alt.X("low:Q"), x2="high:Q", y=y),
        base.mark_point(color=PAST, filled=True, size=34).encode(x=x, y=y),
        data=inline(rows),
    ).properties(width=215, height=alt.Step(19))
    title = alt.Header(title=None, labelFontWeight="bold", labelFontSize=12)
    return svg_of(layers.facet(column=alt.Column("level:N", header=title), spacing=14))


def pit_chart(scores: Sequence[Mapping[str, Any]], code: str) -> str:
    """Share of outcomes in each tenth of the forecasts, a small chart for each score, as SVG.

    Parameters
    ----------
    scores, code
        As for :func:`coverage_chart`.
    """
    ahead = language(code).text(N_("{horizon} q ahead"))
    order = list(dict.fromkeys(score["label"] for score in scores))
    steps = [ahead.format(horizon=h) for h in dict.fromkeys(score["horizon"] for score in scores)]
    rows = [
        {"label": score["label"], "ahead": ahead.format(horizon=score["horizon"]),
         "first": k / 10, "last": (k + 1) / 10, "share": share, "even": 0.1}
        for score in scores for k, share in enumerate(score["pit"])
    ]  # fmt: skip
    base = alt.Chart()
    quiet = alt.Axis(values=[0, 0.5, 1], title=None, grid=False, format=".1~f")
    bars = base.mark_bar(color=WITHOUT, opacity=0.75, stroke="#fff").encode(
        x=alt.X("first:Q", bin="binned", scale=alt.Scale(domain=[0, 1]), axis=quiet),
        x2="last:Q",
        y=alt.Y("share:Q", axis=alt.Axis(format=".0%", title=None, tickCount=3)),
    )
    even = base.mark_rule(color=NOMINAL_COLOUR, strokeDash=[3, 2]).encode(y="even:Q")
    small = alt.layer(bars, even, data=inline(rows)).properties(width=150, height=62)
    header = alt.Header(title=None, labelFontWeight="bold", labelFontSize=10, labelLimit=170)
    side = alt.Header(title=None, labelFontSize=11, labelAngle=0, labelAlign="left")
    return svg_of(small.facet(
        column=alt.Column("label:N", sort=order, header=header),
        row=alt.Row("ahead:N", sort=steps, header=side),
        spacing=10,
    ))  # fmt: skip


def crps_chart(scores: Sequence[Mapping[str, Any]], code: str) -> str:
    """Mean CRPS of the outlook and its rivals, as SVG; further left is better.

    Parameters
    ----------
    scores, code
        As for :func:`coverage_chart`.
    """
    text = language(code).text
    words = {
        "crps": text(N_("Outlook")),
        "crps_walk": text(N_("Random walk")),
        "crps_climate": text(N_("Climatology")),
    }
    rows = [
        {"name": name, "forecast": word, "crps": score[key]}
        for name, score in _named(scores, code)
        for key, word in words.items()
    ]
    domain = list(words.values())
    legend = alt.Legend(title=None, orient="bottom", labelLimit=300, symbolStrokeWidth=2)
    points = alt.Chart(inline(rows)).mark_point(size=55, strokeWidth=2)
    chart = points.encode(
        x=alt.X("crps:Q", axis=alt.Axis(title=None, format=".2~f"), scale=alt.Scale(zero=True)),
        y=_rows_axis(rows),
        color=alt.Color(
            "forecast:N",
            legend=legend,
            scale=alt.Scale(domain=domain, range=[WITH, SEVERITY_COLOURS[2], WITHOUT]),
        ),
        shape=alt.Shape(
            "forecast:N",
            legend=legend,
            scale=alt.Scale(domain=domain, range=["circle", "triangle-up", "square"]),
        ),
    )
    return svg_of(chart.properties(width=640, height=alt.Step(19)))


def _named(scores: Sequence[Mapping[str, Any]], code: str) -> list[tuple[str, Mapping[str, Any]]]:
    """Scores with the name of quantity and horizon."""
    form = language(code).text(N_("{label}, {horizon} q ahead"))
    return [(form.format(label=s["label"], horizon=s["horizon"]), s) for s in scores]


def _rows_axis(rows: Sequence[Mapping[str, Any]]) -> alt.Y:
    order = list(dict.fromkeys(row["name"] for row in rows))
    axis = alt.Axis(title=None, labelLimit=320, grid=True, gridColor="#eceff3", ticks=False)
    return alt.Y("name:N", sort=order, axis=axis)


def svg_of(chart: alt.TopLevelMixin) -> str:
    """Draw a declared chart without a browser."""
    spec = chart.configure(font="sans-serif").configure_view(stroke="#d5dae1").to_dict()
    svg = str(vlc.vegalite_to_svg(spec, vl_version=_vegalite()))
    return svg[svg.index("<svg") :]


def inline(rows: list[dict[str, Any]]) -> alt.InlineData:
    """Rows that a chart carries with it."""
    return alt.InlineData(values=rows)


# -- memo of a proposal ----------------------------------------------------------------------------

MEMO_WIDTH = 640


def impact_chart(
    path: Sequence[PathPoint],
    lines: Sequence[SegmentLine],
    code: str,
    *,
    breach_with: str | None = None,
    breach_without: str | None = None,
) -> str:
    """Central path of the headline indicator without and with a project, as SVG.

    Parameters
    ----------
    path : sequence of PathPoint
        Both curves begin at the quarter of the accounts.
    lines : sequence of SegmentLine
        Lines of the rulebook, lowest first.
    code : {"zh", "en"}
    breach_with, breach_without : str or None
        Quarters of the first breach, marked.

    Returns
    -------
    str
        Empty without any point.
    """
    if not path:
        return ""
    bottom, top = _reach([p.value for p in path], [line.value for line in lines])
    edges = [bottom, *(max(line.value, bottom) for line in lines), top]
    severities = [0, *(line.severity for line in lines)]
    quarters = sorted({p.quarter for p in path})
    spec = _with_data(
        _compiled_memo("impact"),
        points=[
            {"quarter": p.quarter, "kind": p.kind, "value": round(p.value, 6)}
            for p in path if p.kind in KINDS[1:]
        ],
        bands=[
            {"low": low, "high": min(high, top), "severity": severity}
            for low, high, severity in zip(edges, edges[1:], severities, strict=False)
            if low < min(high, top)
        ],
        lines=[
            {"value": line.value, "label": line.label} for line in lines
            if bottom < line.value < top
        ],
        **_marks(quarters, breach_with, breach_without, code),
    )  # fmt: skip
    svg = str(vlc.vega_to_svg(spec))
    return svg[svg.index("<svg") :]


def _reach(values: Sequence[float], lines: Sequence[float]) -> tuple[float, float]:
    """Choose the ends of the axis: all values, the line above the lowest, and some air."""
    low, high = min(values), max(values)
    ahead = [line for line in lines if line > low]
    high = max([high, *ahead[:1]])
    air = max(0.04, 0.15 * (high - low))
    return max(round(low - air, 3), 0.0), round(high + air, 3)


def _marks(
    quarters: Sequence[str], with_: str | None, without: str | None, code: str
) -> dict[str, list[dict[str, Any]]]:
    """Quarters of the first breach, with words that stay inside the chart."""
    text = language(code).text
    if with_ is not None and with_ == without:
        found: list[tuple[str | None, str]] = [
            (with_, text(N_("{quarter}: crossed with and without")))
        ]
    else:
        found = [
            (with_, text(N_("{quarter}: crossed with the project"))),
            (without, text(N_("{quarter}: crossed without"))),
        ]
    marks: dict[str, list[dict[str, Any]]] = {"marks": [], "left": [], "right": []}
    for k, (quarter, words) in enumerate(found):
        if quarter is not None and quarter in quarters:
            row = {"quarter": quarter, "text": words.format(quarter=quarter), "place": 10 + 15 * k}
            marks["marks"].append(row)
            late = quarters.index(quarter) > len(quarters) / 2
            marks["left" if late else "right"].append(row)
    return marks


def breach_chart(points: Sequence[tuple[str, float | None, float | None]]) -> str:
    """Probability of having breached by each quarter, without and with a project, as SVG.

    Parameters
    ----------
    points : sequence of (str, float or None, float or None)
        Quarter, share of paths without, share with.

    Returns
    -------
    str
        Empty without any point.
    """
    rows = [
        {"quarter": quarter, "kind": kind, "value": round(value, 6)}
        for quarter, without, with_ in points
        for kind, value in (("without", without), ("with", with_)) if value is not None
    ]  # fmt: skip
    if not rows:
        return ""
    spec = _with_data(_compiled_memo("breach"), points=rows)
    svg = str(vlc.vega_to_svg(spec))
    return svg[svg.index("<svg") :]


@cache
def _compiled_memo(name: str) -> dict[str, Any]:
    spec = impact_specification() if name == "impact" else breach_specification()
    compiled: dict[str, Any] = vlc.vegalite_to_vega(spec, vl_version=_vegalite())
    return compiled


def impact_specification() -> dict[str, Any]:
    """Declare the chart of a project's impact, with empty named data sets."""
    bands = (
        alt.Chart(alt.NamedData("bands"))
        .mark_rect(opacity=0.14)
        .encode(
            y=alt.Y("low:Q", scale=alt.Scale(nice=False, zero=False)),
            y2="high:Q",
            color=alt.Color(
                "severity:O",
                legend=None,
                scale=alt.Scale(domain=[0, 1, 2, 3], range=[SEVERITY_COLOURS[k] for k in range(4)]),
            ),
        )
    )
    rules = (
        alt.Chart(alt.NamedData("lines"))
        .mark_rule(strokeDash=[2, 2], color="#6b7280")
        .encode(y="value:Q")
    )
    labels = (
        alt.Chart(alt.NamedData("lines"))
        .mark_text(align="left", baseline="bottom", dx=4, dy=-2, fontSize=11, color="#374151")
        .encode(x=alt.value(0), y="value:Q", text="label:N")
    )
    breach = alt.Chart(alt.NamedData("marks")).mark_rule(color=NOMINAL_COLOUR, strokeWidth=1.5)
    layers = [bands, rules, breach.encode(x="quarter:O"), _memo_curves(250), labels]
    for name in ("left", "right"):
        words = alt.Chart(alt.NamedData(name)).mark_text(
            align="right" if name == "left" else "left",
            dx=-5 if name == "left" else 5,
            fontSize=12,
            fontWeight="bold",
            color=NOMINAL_COLOUR,
        )
        place = alt.Y("place:Q", scale=None, axis=None)
        layers.append(words.encode(x="quarter:O", y=place, text="text:N"))
    chart = alt.layer(*layers).resolve_scale(color="independent", strokeDash="independent")
    return _memo_specification(chart, ("bands", "lines", "points", "marks", "left", "right"))


def breach_specification() -> dict[str, Any]:
    """Declare the chart of the probability of breach, with an empty named data set."""
    return _memo_specification(_memo_curves(110, from_zero=True), ("points",))


def _memo_specification(chart: alt.LayerChart | alt.Chart, names: Sequence[str]) -> dict[str, Any]:
    spec: dict[str, Any] = chart.configure(font="sans-serif").configure_view(stroke=None).to_dict()
    spec["datasets"] = {name: [] for name in names}
    return spec


def _memo_curves(height: int, *, from_zero: bool = False) -> alt.Chart:
    """Curves by quarter, told apart by dashes too; the key stands beside the chart, in the page.

    A key drawn in the chart doubles the time a chart takes.
    """
    kinds = KINDS[1:]
    line = alt.Chart(alt.NamedData("points")).mark_line(point=alt.OverlayMarkDef(size=20))
    scale = alt.Scale(domainMin=0) if from_zero else alt.Scale(nice=False, zero=False)
    quarters = alt.Axis(title=None, labelAngle=0, labelAlign="center", labelOverlap="parity")
    curves: alt.Chart = line.properties(width=MEMO_WIDTH, height=height).encode(
        x=alt.X("quarter:O", axis=quarters),
        y=alt.Y("value:Q", scale=scale, axis=alt.Axis(format=".0%", title=None, tickCount=5)),
        color=alt.Color(
            "kind:N",
            legend=None,
            scale=alt.Scale(domain=list(kinds), range=[WITHOUT, WITH]),
        ),
        strokeDash=alt.StrokeDash(
            "kind:N",
            legend=None,
            scale=alt.Scale(domain=list(kinds), range=[[5, 3], [1, 0]]),
        ),
    )
    return curves
