"""Figures say what their tables say: traces, labels and axes; no pixels."""

import json
import re
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go
import pytest

from reports.figures.associations import draw_associations
from reports.figures.calibration import draw_calibration
from reports.figures.calibration_points import draw_calibration_points
from reports.figures.comparison import draw_comparison
from reports.figures.cumulative_incidence import draw_cumulative_incidence
from reports.figures.decision_curve import draw_decision_curve
from reports.figures.factor_scatter import draw_factor_scatter
from reports.figures.flow import draw_flow
from reports.figures.forest import draw_forest
from reports.figures.importances import draw_importances
from reports.figures.information import draw_information
from reports.figures.kaplan_meier import draw_kaplan_meier
from reports.figures.loading_map import draw_loading_map
from reports.figures.loadings import draw_loadings
from reports.figures.n_factors import draw_n_factors
from reports.figures.nomogram import draw_nomogram
from reports.figures.stability import draw_stability
from reports.figures.variance_explained import draw_variance_explained
from reports.style import DARK, PALETTE, shorten
from tests.made_up_tables import (
    FEATURES,
    HOSTILE,
    all_figures,
    associations_table,
    calibration_table,
    coefficients_table,
    decision_tables,
    factor_scores,
    factor_values,
    flow_table,
    grouped_variance_table,
    groups_table,
    importances_table,
    incidence_tables,
    information_table,
    kaplan_meier_tables,
    loading_map_table,
    loadings_table,
    n_factors_table,
    nomogram_table,
    performance_table,
    stability_tables,
    variance_table,
)


def traces(figure: go.Figure, name: str) -> list[Any]:
    return [trace for trace in figure.data if trace.name == name]


def texts(figure: go.Figure) -> list[str]:
    return [note.text for note in figure.layout.annotations]


def luminance(colour: str) -> float:
    parts = np.array([int(colour[i : i + 2], 16) for i in (1, 3, 5)]) / 255
    linear = np.where(parts <= 0.03928, parts / 12.92, ((parts + 0.055) / 1.055) ** 2.4)
    return float(linear @ [0.2126, 0.7152, 0.0722])


def test_nomogram_places_points_and_totals_on_one_scale() -> None:
    figure = draw_nomogram(nomogram_table())
    np.testing.assert_allclose(traces(figure, "Age")[1].x, np.linspace(0, 100, 10))
    total = traces(figure, "Total points")[1]
    np.testing.assert_allclose(total.x, np.arange(0, 241, 20) * 100 / 240)
    risk = nomogram_table().query("axis == 'Risk by 24 months'")
    np.testing.assert_allclose(traces(figure, "Risk by 24 months")[1].x, risk["points"] * 100 / 240)
    levels = [trace.y[0] for trace in figure.data]
    assert levels == sorted(levels, reverse=True)
    assert traces(figure, "Points")[0].y[0] == max(levels)


def test_nomogram_shows_every_level_and_pales_what_lies_beyond_the_data() -> None:
    figure = draw_nomogram(nomogram_table())
    levels = {"gross total", "subtotal", "biopsy only", "none", "mutant", "wildtype"}
    assert levels <= set(texts(figure))
    narrow = {note["text"] for note in figure.layout.meta["narrow"]["annotations"]}
    assert levels | {"<b>Resection</b>"} <= narrow
    colours = traces(figure, "Age")[1].marker.line.color
    assert len(set(colours[:9])) == 1
    assert colours[9] != colours[8]


@pytest.mark.parametrize("width", ["wide", "narrow"])
def test_nomogram_labels_do_not_overlap(width: str) -> None:
    figure = draw_nomogram(nomogram_table())
    notes = (
        [note.to_plotly_json() for note in figure.layout.annotations]
        if width == "wide"
        else figure.layout.meta["narrow"]["annotations"]
    )
    pixels = 540 if width == "wide" else 290
    lanes: dict[tuple[float, float], list[tuple[float, float]]] = {}
    for note in notes:
        if note.get("xref") == "paper":
            continue
        size = len(re.sub(r"<.*?>", "", note["text"])) * 6.4
        x = note["x"] * pixels / 100 + note.get("xshift", 0)
        left = {"center": x - size / 2, "left": x, "right": x - size}[note["xanchor"]]
        lanes.setdefault((note["y"], note["yshift"]), []).append((left, left + size))
    assert len(lanes) >= 11
    for spans in lanes.values():
        spans.sort()
        assert all(one[1] < other[0] for one, other in pairwise(spans))
        assert spans[0][0] >= -14
        assert spans[-1][1] <= pixels + 14


def test_nomogram_shortens_long_decimals_but_no_others() -> None:
    table = nomogram_table()
    values = {"-0.4621557": -0.4621557, "0.3333333": 1 / 3, "1.0250001": 1.0250001}
    rows = pd.DataFrame(
        {
            "axis": "clinical:Location",
            "kind": "predictor",
            "label": list(values),
            "value": list(values.values()),
            "points": [0.0, 40.0, 90.0],
            "extrapolated": False,
        }
    )
    whole = pd.DataFrame({**rows, "axis": "clinical:Dose", "label": ["0.025", "0.05", "0.075"]})
    shown = texts(draw_nomogram(pd.concat([rows, whole, table])))
    assert {"−0.46", "0.33", "1.03", "0.025", "0.05", "0.075"} <= set(shown)


def test_nomogram_says_what_grey_ticks_are() -> None:
    table = nomogram_table()
    words = "beyond the range of the development patients"
    (note,) = [text for text in texts(draw_nomogram(table)) if words in text]
    assert "<i>100</i>" in texts(draw_nomogram(table))
    assert note not in texts(draw_nomogram(table.assign(extrapolated=False)))


def interacting_table() -> pd.DataFrame:
    grade = "pathology:Grade after central review"
    rows = [
        (f"clinical:Age (clinical:Sex={sex} & {grade}={level})", f"clinical:Sex={sex} & "
         f"{grade}={level}", f"{age}", age, (age - 20) * slope, age > 70)
        for sex, slope in (("female", 0.4), ("male", 1.0))
        for level in "234"
        for age in (20, 50, 70, 80)
    ]  # fmt: skip
    columns = ["axis", "where", "label", "value", "points", "extrapolated"]
    shared = pd.DataFrame(rows, columns=columns).assign(kind="predictor", predictor="clinical:Age")
    return pd.concat([shared, nomogram_table().assign(where="", predictor="")])


def test_axes_of_an_interaction_say_whom_they_are_for() -> None:
    figure = draw_nomogram(interacting_table())
    title = "Age (Sex=male, Grade after central review=4)"
    line, ticks, dotted = traces(figure, title)
    assert list(ticks.x) == [0, 30, 50, 60]
    assert list(line.x) == [0, 30, None, 30, 50, None]
    assert (list(dotted.x), dotted.line.dash) == ([50, 60, None], "dot")
    # long names give way, so that no two axes read the same
    left = [text for text in texts(figure) if text.startswith("<b>Age</b><br>")]
    narrow = [note["text"] for note in figure.layout.meta["narrow"]["annotations"]]
    above = [text for text in narrow if text.startswith("<b>Age</b> (")]
    for names in (left, above):
        assert len(set(names)) == len(names) == 6
    assert "<b>Age</b><br>Sex=male<br>Grade afte…ral review=4" in left


def test_names_carry_their_view_where_two_features_share_one() -> None:
    table = coefficients_table().assign(
        term=["clinical:Ki-67", "pathology:Ki-67", "clinical:Grade=4", "factors:F1"]
    )
    expected = ["Ki-67 (clinical)", "Ki-67 (pathology)", "Grade=4", "F1"]
    assert list(draw_forest(table).layout.yaxis.ticktext) == expected


def test_nomogram_without_total_axis_is_refused() -> None:
    with pytest.raises(ValueError, match="must hold a total axis"):
        draw_nomogram(nomogram_table().query("kind != 'total'"))


def test_linear_predictor_axis_is_drawn_on_request() -> None:
    assert not traces(draw_nomogram(nomogram_table()), "Linear predictor")
    assert traces(draw_nomogram(nomogram_table(), linear_predictor=True), "Linear predictor")


def test_kaplan_meier_curves_start_at_one_and_are_steps() -> None:
    curves, at_risk = kaplan_meier_tables()
    figure = draw_kaplan_meier(curves, at_risk, unit="months", p_value=0.0002)
    low = traces(figure, "Low")[-1]
    assert (low.x[0], low.y[0], low.line.shape) == (0.0, 1.0, "hv")
    np.testing.assert_allclose(low.y[1:], curves.query("group == 'Low'")["survival"])
    assert "Log-rank p &lt; 0.001" in texts(figure)
    censored = curves.query("group == 'Low' and n_censored > 0")["time"].tolist()
    assert list(traces(figure, "Low, censored")[0].x) == censored


def test_numbers_at_risk_stand_under_the_ticks_of_the_same_axis() -> None:
    curves, at_risk = kaplan_meier_tables()
    figure = draw_kaplan_meier(curves, at_risk, unit="months")
    ticks = list(figure.layout.xaxis.tickvals)
    for position, group in enumerate(("Low", "Intermediate", "High")):
        row = traces(figure, f"{group}, at risk")[0]
        assert list(row.x) == ticks
        assert (row.xaxis or "x", row.yaxis) == ("x", "y2")
        assert set(row.y) == {figure.layout.yaxis2.tickvals[position]}
        counts = at_risk[at_risk["group"] == group]["n_at_risk"]
        assert list(row.text) == counts.astype(str).tolist()
        assert group in figure.layout.yaxis2.ticktext[position]
    assert figure.layout.yaxis2.domain[1] < figure.layout.yaxis.domain[0]


def test_band_ends_where_the_interval_does() -> None:
    curves, at_risk = kaplan_meier_tables()
    curves.loc[curves["time"] > 50, ["lower", "upper"]] = np.nan
    figure = draw_kaplan_meier(curves, at_risk, unit="months")
    assert max(traces(figure, "Low")[0].x) <= 50
    assert max(traces(figure, "Low")[-1].x) == 60


def test_incidences_of_causes_and_groups_are_steps_with_bands_and_counts() -> None:
    table, at_risk = incidence_tables()
    figure = draw_cumulative_incidence(
        table, at_risk, unit="months", causes={1: "relapse"}, p_value=0.0302, horizons=[24]
    )
    for cause, said, dash in ((1, "relapse", "solid"), (2, "Cause 2", "dash")):
        lower, upper, curve = traces(figure, f"High: {said}")
        rows = table[(table["cause"] == cause) & (table["group"] == "High")]
        assert (curve.line.shape, curve.line.dash) == ("hv", dash)
        assert list(curve.y) == rows["incidence"].tolist()
        assert (list(lower.y), list(upper.y)) == (rows["lower"].tolist(), rows["upper"].tolist())
        assert upper.fill == "tonexty"
    high = [traces(figure, f"High: {said}")[-1].line.color for said in ("relapse", "Cause 2")]
    assert high[0] == high[1] != traces(figure, "Low: relapse")[-1].line.color
    row = traces(figure, "High, at risk")[0]
    assert list(row.x) == list(figure.layout.xaxis.tickvals)
    assert list(row.text) == at_risk.query("group == 'High'")["n_at_risk"].astype(str).tolist()
    assert "Gray's p = 0.03" in texts(figure)
    assert [shape.x0 for shape in figure.layout.shapes] == [24]
    assert figure.layout.yaxis.range[1] == pytest.approx(1.08 * table["upper"].max())


def test_incidence_of_one_cause_or_one_group_is_told_by_colour_and_dash() -> None:
    table, at_risk = incidence_tables()
    one = draw_cumulative_incidence(
        table[table["cause"] == 2], at_risk, unit=None, causes={2: "death"}, top=0.5
    )
    lines = [traces(one, group)[-1].line for group in ("Low", "Intermediate", "High")]
    assert len({line.color for line in lines}) == len({line.dash for line in lines}) == 3
    assert one.layout.yaxis.title.text == "Cumulative incidence, death"
    assert one.layout.xaxis.title.text == "Time"
    assert one.layout.yaxis.range[1] == pytest.approx(0.54)
    low = at_risk["group"] == "Low"
    alone = draw_cumulative_incidence(table[table["group"] == "Low"], at_risk[low], unit="days")
    lines = [traces(alone, f"Cause {cause}")[-1].line for cause in (1, 2)]
    assert len({line.color for line in lines}) == len({line.dash for line in lines}) == 2
    assert alone.layout.showlegend is True


def test_calibration_headline_is_thick_and_apparent_is_thin() -> None:
    table = calibration_table()
    figure = draw_calibration(
        table,
        label="Out of fold",
        apparent=table,
        predictions=[0.1, 0.11, 0.5],
        horizon=24,
        unit="days",
    )
    headline, apparent = traces(figure, "Out of fold")[0], traces(figure, "Apparent")[0]
    assert headline.line.width > 2 * apparent.line.width
    np.testing.assert_allclose(headline.y, table["observed"])
    ideal = traces(figure, "Ideal")[0]
    assert list(ideal.x) == list(ideal.y) == [0, figure.layout.xaxis.range[1]]
    spikes = traces(figure, "Patients")[0]
    assert (sum(spikes.y), max(spikes.y)) == (3, 2)
    assert figure.layout.xaxis.title.text == "Predicted risk by 24 days"
    np.testing.assert_allclose(traces(figure, "Interval")[1].y, table["upper"])


def test_calibration_points_stand_on_a_copy_of_the_curve_and_within_its_axes() -> None:
    curve = draw_calibration(calibration_table(), label="Out of fold")
    before, top = len(curve.data), curve.layout.xaxis.range[1]
    points = pd.DataFrame(
        {
            "lowest": [0, 0.2, 0.5],
            "highest": [0.2, 0.5, 1],
            "predicted": [0.1, 0.3, 0.6],
            "observed": [0.15, np.nan, 0.7],
            "lower": [0.05, np.nan, 0.4],
            "upper": [0.3, np.nan, 0.96],
            "n_patients": [10.4, 1, 12],
            "n_events": [2, 0, 8],
        }
    )
    figure = draw_calibration_points(points, curve=curve)
    assert (len(curve.data), curve.layout.xaxis.range[1]) == (before, top)  # not changed
    (groups,) = traces(figure, "Groups")
    assert (list(groups.x), list(groups.y)) == ([0.1, 0.6], [0.15, 0.7])
    np.testing.assert_allclose(groups.error_y.array, [0.15, 0.26])
    np.testing.assert_allclose(groups.error_y.arrayminus, [0.1, 0.3])
    assert figure.layout.xaxis.range[1] == figure.layout.yaxis.range[1] == 1.0
    assert list(traces(figure, "Ideal")[0].x) == [0, 1.0]
    alone = draw_calibration_points(points, horizon=24, unit="months")
    assert {trace.name for trace in alone.data} == {"Ideal", "Groups"}
    assert alone.layout.xaxis.title.text == "Predicted risk by 24 months"
    assert not traces(draw_calibration_points(points.assign(observed=np.nan)), "Groups")
    with pytest.raises(ValueError, match="n_events"):
        draw_calibration_points(points.drop(columns="n_events"))


def test_decision_curve_shows_models_and_both_references() -> None:
    tables = decision_tables()
    figure = draw_decision_curve(tables, horizon=24, unit="months")
    for name, table in tables.items():
        np.testing.assert_allclose(traces(figure, name)[0].y, table["net_benefit"])
        assert not traces(figure, f"{name}, interval")  # several bands would hide each other
    np.testing.assert_allclose(traces(figure, "Treat all")[0].y, tables["Clinical"]["treat_all"])
    single = draw_decision_curve({"Clinical": tables["Clinical"]})
    lower, upper = traces(single, "Clinical, interval")
    np.testing.assert_allclose(lower.y, tables["Clinical"]["lower"])
    np.testing.assert_allclose(upper.y, tables["Clinical"]["upper"])
    assert set(traces(figure, "Treat none")[0].y) == {0.0}
    assert len({traces(figure, name)[0].line.dash for name in tables}) == 2
    low, high = figure.layout.yaxis.range
    assert low < 0 < tables["Clinical + factors"]["net_benefit"].max() < high


def test_variance_explained_has_numbers_and_totals() -> None:
    figure = draw_variance_explained(variance_table())
    cells, totals = figure.data
    assert cells.z[0][0] == pytest.approx(24.0)
    share = variance_table().query("view == 'radiomics' and factor == 'all'")["r2"].item()
    assert totals.z[0][0] == pytest.approx(100 * share)
    assert list(figure.layout.yaxis.ticktext) == ["radiomics", "expression", "mutations", "noise"]
    assert texts(figure)[0] == "24"
    assert f"{100 * share:.0f}" in texts(figure)


def test_variance_explained_by_group_has_a_panel_for_each() -> None:
    figure = draw_variance_explained(grouped_variance_table())
    north, all_north, south, all_south = figure.data
    np.testing.assert_allclose(south.z, np.array(north.z) / 2)
    np.testing.assert_allclose(all_south.z, np.array(all_north.z) / 2)
    assert min(south.y) > max(north.y) + 1  # below, with room for the name
    assert list(figure.layout.yaxis.ticktext[:4]) == list(figure.layout.yaxis.ticktext[4:])
    assert list(figure.layout.yaxis.tickvals) == [*north.y, *south.y]
    names = {note.text: note.y for note in figure.layout.annotations if "<b>" in note.text}
    assert list(names) == ["<b>North</b>", "<b>South</b>"]
    assert max(north.y) < names["<b>South</b>"] < min(south.y)
    cell = next(note for note in figure.layout.annotations if note.text == "12")
    assert cell.y == south.y[0]
    one = grouped_variance_table().query("group == 'North'")
    assert draw_variance_explained(one) == draw_variance_explained(variance_table())


def test_the_loading_map_stands_view_below_view_in_scaled_colours() -> None:
    figure = draw_loading_map(loading_map_table())
    radiomics, mutations = figure.data
    assert (radiomics.name, mutations.name) == ("radiomics", "mutations")
    np.testing.assert_allclose(radiomics.z, [[-1.0, 0.0], [2 / 9, 0.5]])
    assert (radiomics.zmin, radiomics.zmax) == (-1, 1)
    assert mutations.hovertext[0][1] == "IDH, F2: -1.000"  # as it is, not scaled
    assert list(figure.layout.yaxis.tickvals) == [*radiomics.y, *mutations.y]
    assert figure.layout.yaxis.ticktext[2] == "IDH"
    heights = {note.text: note.y for note in figure.layout.annotations}
    assert max(radiomics.y) < heights["<b>mutations</b>"] < min(mutations.y)
    bottom, top = figure.layout.yaxis.range
    assert top < heights["<b>radiomics</b>"] < min(radiomics.y) < max(mutations.y) < bottom


def scatter(*, numbers: bool) -> go.Figure:
    return draw_factor_scatter(
        factor_scores(),
        x="factors:F1",
        y="factors:F2",
        values=factor_values(numbers=numbers),
        name="Age" if numbers else "IDH",
    )


def test_factors_are_coloured_by_levels_and_the_missing_are_grey_and_counted() -> None:
    figure = scatter(numbers=False)
    assert [trace.name for trace in figure.data] == ["Missing (3)", "wildtype (10)", "mutant (7)"]
    missing, wildtype, mutant = figure.data
    assert missing.marker.color == "#98a4ae"
    assert (wildtype.marker.color, mutant.marker.color) == PALETTE[:2]
    scores = factor_scores()
    assert list(missing.x) == scores["factors:F1"].iloc[:3].tolist()
    assert list(mutant.y) == scores["factors:F2"].iloc[3:10].tolist()
    assert (figure.layout.xaxis.title.text, figure.layout.yaxis.title.text) == ("F1", "F2")
    assert figure.layout.legend.title.text == "IDH:"


def test_factors_are_coloured_by_numbers_on_a_named_scale() -> None:
    missing, known = scatter(numbers=True).data
    assert missing.name == "Missing (3)"
    assert list(known.marker.color) == list(range(40, 57))
    assert known.marker.colorbar.title.text == "Age"
    assert list(known.x) == factor_scores()["factors:F1"].iloc[3:].tolist()


def test_levels_beyond_the_palette_get_another_symbol() -> None:
    scores = factor_scores()
    centres = pd.Series(pd.Categorical([f"centre {i % 9}" for i in range(20)]), scores.index)
    figure = draw_factor_scatter(scores, x="factors:F1", y="factors:F2", values=centres, name="C")
    marks = [(trace.marker.color, trace.marker.symbol) for trace in figure.data]
    assert len(set(marks)) == 9
    assert (marks[7], marks[0]) == ((PALETTE[0], "diamond"), (PALETTE[0], "circle"))


@pytest.mark.parametrize("numbers", [True, False])
def test_no_point_bears_a_patient(numbers: bool) -> None:
    assert "PATIENT" not in scatter(numbers=numbers).to_json()


def test_a_scatter_of_other_patients_is_refused() -> None:
    with pytest.raises(ValueError, match="values must be of the 20 patients of scores"):
        draw_factor_scatter(
            factor_scores(),
            x="factors:F1",
            y="factors:F2",
            values=factor_values(numbers=True).iloc[::-1],
            name="Age",
        )


def test_loadings_are_the_largest_by_size_coloured_by_view() -> None:
    views = ["radiomics", "expression", "mutations"]
    figure = draw_loadings(loadings_table(), factor="F1", n_features=4, views=views)
    radiomics, mutations = figure.data
    assert (radiomics.marker.color, mutations.marker.color) == (PALETTE[0], PALETTE[2])
    assert list(radiomics.x) == [-0.9, 0.8, 0.7]
    assert list(mutations.hovertext) == ["IDH"]
    assert figure.layout.yaxis.ticktext[1] == FEATURES[1]
    short = figure.layout.meta["narrow"]["yaxis.ticktext"][0]
    assert len(short) == 32
    assert short.startswith("original_g")
    with pytest.raises(ValueError, match=r"factor must be one of \['F1'\], but is 'F9'"):
        draw_loadings(loadings_table(), factor="F9")


def test_associations_are_starred_by_the_adjusted_p() -> None:
    figure = draw_associations(associations_table())
    assert figure.data[0].z[0][0] == pytest.approx(1.0)
    assert texts(figure)[:3] == ["<b>1.00*</b>", "<b>.54*</b>", "−.42"]
    assert list(figure.layout.xaxis.ticktext)[:2] == ["F1", "F2"]
    expected = "Age at Diagnosis, F2<br>Spearman 0.54, adjusted p 0.03"
    assert figure.data[0].hovertext[0][1] == expected


def test_importances_are_sorted() -> None:
    figure = draw_importances(importances_table().iloc[::-1], n_features=3)
    assert list(figure.data[0].x) == [0.3, 0.25, 0.2]
    assert list(figure.data[0].y) == [0, 1, 2]
    assert figure.layout.xaxis.title.text == "Share of gain"


def test_forest_is_logarithmic_and_cuts_what_reaches_too_far() -> None:
    figure = draw_forest(coefficients_table())
    assert figure.layout.xaxis.type == "log"
    points = traces(figure, "Hazard ratio")[0]
    assert list(points.x) == [1.03, 0.22, 2.96, 1.4]
    assert points.error_x.array[0] == pytest.approx(0.02)
    symbols = {trace.marker.symbol for trace in traces(figure, "goes on")}
    assert symbols == {"triangle-left", "triangle-right"}
    assert "1.40 (0.01–99.00)" in texts(figure)  # the text is not cut


def test_forest_refuses_intervals_of_the_coefficient() -> None:
    table = coefficients_table()
    table = table.assign(lower=table["coefficient"] - 0.1, upper=table["coefficient"] + 0.1)
    with pytest.raises(ValueError, match=r"4 of 4 do not \(first: clinical:Age\)"):
        draw_forest(table)


def test_forest_leaves_out_a_term_without_a_ratio() -> None:
    table = coefficients_table()
    table.loc[0, ["hazard_ratio", "lower", "upper"]] = np.nan
    assert list(draw_forest(table).layout.yaxis.ticktext) == ["IDH=mutant", "Grade=4", "F1"]


def test_comparison_tells_validations_and_cohorts_apart() -> None:
    performance = performance_table()
    figure = draw_comparison(performance, metric="auc", horizon=24.0, unit="months")
    names = ["Apparent", "Cross-validated", "External (Replicate)"]
    assert [trace.name for trace in figure.data] == names
    assert len({trace.marker.symbol for trace in figure.data}) == 3
    np.testing.assert_allclose(figure.data[1].x, [0.73, 0.77, 0.75])
    assert figure.layout.xaxis.title.text == "AUC at 24 months"
    with pytest.raises(ValueError, match="'auc' at horizon None"):
        draw_comparison(performance, metric="auc")


def test_flow_shows_every_count() -> None:
    shown = " ".join(texts(draw_flow(flow_table(), groups=groups_table())))
    for words in ("210 rows", "201 patients", "41 not used", "160 patients", "47 events"):
        assert words in shown
    assert "30 not in a declared cohort,<br>2 no follow-up" in shown
    assert shown.count("not used") == 2


def test_stability_shows_every_refit_the_quartiles_and_the_limit() -> None:
    table, refits = stability_tables()
    figure = draw_stability(table, refits, limit=0.8)
    (median,) = traces(figure, "Bootstrap of patients")
    rows = table.query("kind == 'bootstrap'")
    assert list(median.x) == rows["median"].tolist()
    assert "F2, Bootstrap of patients<br>median 0.8" in median.hovertext[1]
    pale = [trace for trace in figure.data if trace.marker.opacity == 0.3]
    assert [len(trace.x) for trace in pale] == [30, 12]
    assert min(pale[0].x) > 0  # |r|: a turned factor is the same factor
    lines = [trace for trace in figure.data if trace.mode == "lines"]
    assert list(lines[0].x[:2]) == rows[["lower_quartile", "upper_quartile"]].iloc[0].tolist()
    assert [shape.x0 for shape in figure.layout.shapes] == [0.8]
    only = draw_stability(table.query("factor == 'F1'"), refits, limit=0.8)
    assert list(only.layout.yaxis.ticktext) == ["F1"]


def test_number_of_factors_shows_views_the_mean_and_both_choices() -> None:
    figure = draw_n_factors(n_factors_table(), chosen=2, declared=4)
    assert [trace.name for trace in figure.data] == ["mri", "rna", "All views"]
    (whole,) = traces(figure, "All views")
    assert list(whole.y) == [1, 0.8, 0.62, 0.61]
    assert list(whole.error_y.array) == [0, 0.02, 0.02, 0.02]
    assert [shape.x0 for shape in figure.layout.shapes] == [2, 4, 0]
    assert figure.layout.shapes[-1].y0 == 1
    alone = draw_n_factors(n_factors_table(), chosen=2)
    assert [shape.x0 for shape in alone.layout.shapes] == [2, 0]


def test_information_shows_each_cohort_with_its_extremes() -> None:
    figure = draw_information(information_table(), limit=0.2)
    (external,) = traces(figure, "Centre C")
    assert list(external.x) == pytest.approx([0.45, 0.45])
    thin = [trace for trace in figure.data if trace.mode == "lines" and trace.line.width < 2]
    assert [list(trace.x[:2]) for trace in thin] == [[0.4, 0.9], [0.05, 0.55]]
    assert [shape.x0 for shape in figure.layout.shapes] == [0.2]


def test_missing_columns_and_empty_tables_are_named() -> None:
    with pytest.raises(ValueError, match=r"lacks \['observed'\]"):
        draw_calibration(pd.DataFrame({"predicted": [0.1]}), label="External")
    with pytest.raises(ValueError, match="at least one row"):
        draw_importances(importances_table().iloc[:0])


@pytest.mark.parametrize("name", list(all_figures()))
def test_every_figure_is_deterministic_plain_json_with_known_colours(name: str) -> None:
    text = all_figures()[name].to_json()
    assert text == all_figures()[name].to_json()
    assert "bdata" not in text  # numbers stay readable in the page
    shown = set(re.findall(r"#[0-9a-f]{6}", text.lower()))
    assert shown <= set(DARK), "a colour without a partner would stay light on a dark screen"
    layout = json.loads(text)["layout"]
    assert layout["autosize"] is True
    assert "width" not in layout


def hostile_groups() -> go.Figure:
    curves, at_risk = kaplan_meier_tables()
    return draw_kaplan_meier(
        curves.assign(group=HOSTILE), at_risk.assign(group=HOSTILE), unit="months"
    )


@pytest.mark.parametrize(
    "draw",
    [
        lambda: draw_loadings(loadings_table().assign(feature=HOSTILE), factor="F1"),
        lambda: draw_forest(coefficients_table().assign(term=HOSTILE)),
        lambda: draw_importances(importances_table().assign(term=HOSTILE)),
        lambda: draw_nomogram(
            nomogram_table().replace({"clinical:IDH": HOSTILE, "mutant": HOSTILE})
        ),
        lambda: draw_flow(flow_table().assign(reasons=HOSTILE)),
        lambda: draw_associations(associations_table().replace({"clinical:Sex": HOSTILE})),
        lambda: draw_loading_map(loading_map_table().replace({"IDH": HOSTILE})),
        lambda: draw_variance_explained(grouped_variance_table().replace({"North": HOSTILE})),
        lambda: draw_factor_scatter(
            factor_scores(),
            x="factors:F1",
            y="factors:F2",
            values=factor_values(numbers=False).cat.rename_categories({"mutant": HOSTILE}),
            name=HOSTILE,
        ),
        hostile_groups,
        lambda: draw_cumulative_incidence(
            *(table.replace({"Low": HOSTILE}) for table in incidence_tables()),
            unit="months",
            causes={1: HOSTILE},
        ),
        lambda: draw_n_factors(n_factors_table().replace({"mri": HOSTILE}), chosen=1),
        lambda: draw_information(information_table().replace({"Centre C": HOSTILE})),
    ],
    ids=[
        *("loadings", "forest", "importances", "nomogram", "flow", "associations"),
        *(
            "loading map",
            "variance by group",
            "scatter",
            "groups",
            "incidence",
            "n_factors",
            "information",
        ),
    ],
)
def test_hostile_names_are_only_text(draw: Callable[[], go.Figure]) -> None:
    text = draw().to_json()
    assert not re.search(r"<(script|a)\b", text)
    assert "&lt;" in text


def test_dark_colours_are_readable_on_dark_paper() -> None:
    paper = luminance(DARK["#ffffff"])
    for light in PALETTE:
        assert (luminance(DARK[light]) + 0.05) / (paper + 0.05) > 4.5


def test_shortened_names_keep_both_ends() -> None:
    assert shorten("abcdefghij", 5) == "ab…ij"
    assert shorten("short", 5) == "short"
