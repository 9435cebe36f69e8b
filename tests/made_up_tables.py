"""Made-up tables in the shape of the frozen results: no patient and no study stands behind them."""

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from omics.errors import Finding
from reports.figures.associations import draw_associations
from reports.figures.calibration import draw_calibration
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
from reports.figures.roc import draw_roc
from reports.figures.score_by_outcome import draw_score_by_outcome
from reports.figures.signature_deviance import draw_signature_deviance
from reports.figures.signature_path import draw_signature_path
from reports.figures.stability import draw_stability
from reports.figures.variance_explained import draw_variance_explained
from reports.figures.waterfall import draw_waterfall

HOSTILE = '<script>alert("x")</script><a href="http://evil.example/">=1+1</a>'
FEATURES = (
    "original_glrlm_ShortRunHighGrayLevelEmphasis",
    "original_shape_VoxelVolume",
    "wavelet-HHL_firstorder_Median",
    "IDH",
    "CDKN2A",
    "original_glcm_Idmn",
)


def nomogram_table() -> pd.DataFrame:
    rows: list[tuple[str, str, str, float, float, bool]] = []
    ages = range(10, 101, 10)
    rows += [("clinical:Age", "predictor", f"{a}", a, (a - 10) / 0.9, a > 90) for a in ages]
    rows += [("clinical:IDH", "predictor", "mutant", np.nan, 0.0, False)]
    rows += [("clinical:IDH", "predictor", "wildtype", np.nan, 51.0, False)]
    grades = (("2", 0.0), ("3", 5.0), ("4", 36.0))
    rows += [("clinical:Grade", "predictor", g, np.nan, p, False) for g, p in grades]
    resections = (("gross total", 0.0), ("subtotal", 4.0), ("biopsy only", 6.0), ("none", 24.0))
    rows += [("clinical:Resection", "predictor", r, np.nan, p, False) for r, p in resections]
    spline = zip(range(0, 12), (8, 2, 0, 3, 9, 14, 18, 21, 23.5, 25, 26, 26.5), strict=True)
    rows += [("factors:F1", "predictor", f"{v - 4}", v - 4, p, False) for v, p in spline]
    totals = np.arange(0, 241, 20)
    rows += [("Total points", "total", f"{t}", t, t, False) for t in totals]
    rows += [("Linear predictor", "linear_predictor", f"{t / 40}", t, t, False) for t in (0, 80)]
    risks = (0.01, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.99)
    for horizon, shift in ((12, 190), (24, 160), (60, 120)):
        at = [(r, shift + 22 * np.log(r / (1 - r))) for r in risks]
        name = f"Risk by {horizon} months"
        rows += [(name, "risk", f"{r:g}", r, p, False) for r, p in at if 0 <= p <= 240]
    medians = ((120, 40), (60, 90), (36, 120), (24, 146), (12, 180), (6, 214))
    rows += [
        ("Median survival (months)", "survival_median", f"{m}", m, p, False) for m, p in medians
    ]
    columns = ["axis", "kind", "label", "value", "points", "extrapolated"]
    return pd.DataFrame(rows, columns=columns).assign(linear_predictor=0.0)


def kaplan_meier_tables() -> tuple[pd.DataFrame, pd.DataFrame]:
    curves, counts = [], []
    for group, rate, n in (("Low", 0.012, 54), ("Intermediate", 0.025, 53), ("High", 0.06, 53)):
        time = np.arange(1.0, n + 1) * 60 / n
        survival = np.exp(-rate * time).round(3)
        width = 0.06 + 0.12 * time / 60
        curves.append(
            pd.DataFrame(
                {
                    "group": group,
                    "time": time,
                    "n_at_risk": np.arange(n, 0, -1),
                    "n_events": 1,
                    "n_censored": (np.arange(n) % 4 == 3).astype(int),
                    "survival": survival,
                    "lower": np.clip(survival - width, 0, 1),
                    "upper": np.clip(survival + width, 0, 1),
                }
            )
        )
        ticks = np.arange(0, 61, 12)
        left = [int((time >= tick).sum()) for tick in ticks]
        counts.append(pd.DataFrame({"group": group, "time": ticks, "n_at_risk": left}))
    return pd.concat(curves, ignore_index=True), pd.concat(counts, ignore_index=True)


def incidence_tables() -> tuple[pd.DataFrame, pd.DataFrame]:
    curves, at_risk = kaplan_meier_tables()
    died = 1 - curves["survival"]
    parts = [
        curves.assign(cause=cause, incidence=share * died).assign(
            lower=lambda t: 0.8 * t["incidence"], upper=lambda t: 1.2 * t["incidence"]
        )
        for cause, share in ((1, 0.6), (2, 0.3))
    ]
    return pd.concat(parts, ignore_index=True), at_risk


def calibration_table() -> pd.DataFrame:
    predicted = np.linspace(0.05, 0.72, 30)
    observed = predicted + 0.05 * np.sin(5 * predicted)
    spread = 0.04 + 0.1 * predicted
    return pd.DataFrame(
        {
            "predicted": predicted,
            "observed": observed,
            "lower": observed - spread,
            "upper": observed + spread,
        }
    )


def decision_tables() -> dict[str, pd.DataFrame]:
    threshold = np.arange(0.05, 0.61, 0.01)
    odds = threshold / (1 - threshold)
    tables = {}
    for name, gain in (("Clinical", 0.03), ("Clinical + factors", 0.06)):
        benefit = np.maximum(0.3 - 0.7 * odds, 0) * 0.8 + gain * (1 - threshold)
        tables[name] = pd.DataFrame(
            {
                "threshold": threshold,
                "net_benefit": benefit,
                "lower": benefit - 0.04,
                "upper": benefit + 0.04,
                "treat_all": 0.3 - 0.7 * odds,
                "treat_none": 0.0,
            }
        )
    return tables


def variance_table() -> pd.DataFrame:
    rows = []
    for i, view in enumerate(("radiomics", "expression", "mutations", "noise")):
        shares = [0.24 / (1 + abs(i - k)) ** 2 * (view != "noise") for k in range(10)]
        rows += [(view, f"F{k + 1}", share) for k, share in enumerate(shares)]
        rows.append((view, "all", sum(shares)))
    return pd.DataFrame(rows, columns=["view", "factor", "r2"])


def loadings_table() -> pd.DataFrame:
    views = ("radiomics", "radiomics", "radiomics", "mutations", "mutations", "radiomics")
    loadings = (-0.9, 0.8, 0.7, -0.65, 0.2, 0.01)
    return pd.DataFrame({"view": views, "feature": FEATURES, "factor": "F1", "loading": loadings})


def grouped_variance_table() -> pd.DataFrame:
    table = variance_table()
    halved = table.assign(r2=table["r2"] / 2)
    return pd.concat([table.assign(group="North"), halved.assign(group="South")])


def loading_map_table() -> pd.DataFrame:
    rows = [
        ("radiomics", FEATURES[0], "F1", -0.9, -1.0),
        ("radiomics", FEATURES[0], "F2", 0.0, 0.0),
        ("radiomics", FEATURES[1], "F1", 0.2, 2 / 9),
        ("radiomics", FEATURES[1], "F2", 0.45, 0.5),
        ("mutations", "IDH", "F1", 2.0, 1.0),
        ("mutations", "IDH", "F2", -1.0, -0.5),
    ]
    return pd.DataFrame(rows, columns=["view", "feature", "factor", "loading", "scaled"])


def factor_scores() -> pd.DataFrame:
    values = np.random.default_rng(2).normal(size=(20, 2)).round(3)
    index = [f"PATIENT-{i}" for i in range(20)]
    return pd.DataFrame(values, columns=["factors:F1", "factors:F2"], index=index)


def factor_values(*, numbers: bool) -> pd.Series:
    """Say what colours `factor_scores`: three patients lack it."""
    index = factor_scores().index
    if numbers:
        return pd.Series([*[np.nan] * 3, *range(40, 57)], index=index, dtype=float)
    levels = [*[None] * 3, *["mutant"] * 7, *["wildtype"] * 10]
    return pd.Series(pd.Categorical(levels, ["wildtype", "mutant", "nobody"]), index=index)


def associations_table() -> pd.DataFrame:
    columns = ("Age at Diagnosis", "Sex", "Extent of Tumor Resection", "KPS")
    rows = [
        (f"factors:F{k + 1}", f"clinical:{name}", "Spearman", np.cos(k + 2 * i), 0.03 * k)
        for i, name in enumerate(columns)
        for k in range(10)
    ]
    return pd.DataFrame(rows, columns=["factor", "column", "test", "effect", "p_adjusted"])


def coefficients_table() -> pd.DataFrame:
    return pd.DataFrame(
        {
            "term": ["clinical:Age", "clinical:IDH=mutant", "clinical:Grade=4", "factors:F1"],
            "coefficient": np.log([1.03, 0.22, 2.96, 1.4]),
            "hazard_ratio": [1.03, 0.22, 2.96, 1.4],
            "lower": [1.02, 0.14, 1.6, 0.01],
            "upper": [1.05, 0.35, 5.4, 99.0],
            "p_value": [1e-9, 1e-8, 0.0007, 0.8],
        }
    )


def performance_table() -> pd.DataFrame:
    rows = []
    estimates = {"Clinical": 0.72, "Clinical + factors": 0.76, "XGBoost": 0.74}
    for model, value in estimates.items():
        for validation, cohort, shift in (
            ("apparent", "development", 0.05),
            ("cross_validated", "development", 0.0),
            ("external", "Replicate", -0.01),
        ):
            estimate = value + shift
            bounds = (estimate - 0.06, estimate + 0.05)
            rows.append((model, cohort, validation, "c_index", np.nan, estimate, *bounds))
            rows.append((model, cohort, validation, "auc", 24.0, estimate + 0.01, *bounds))
    columns = ["model", "cohort", "validation", "metric", "horizon", "estimate", "lower", "upper"]
    return pd.DataFrame(rows, columns=columns).assign(
        level=0.95, n_patients=160, n_events=47, method="made up"
    )


def flow_table() -> pd.DataFrame:
    rows = [
        ("radiomics", "radiomics", 210, 201, 160, 41, 0, "41 not in a declared cohort"),
        (
            "expression",
            "expression",
            150,
            150,
            118,
            32,
            42,
            "30 not in a declared cohort, 2 no follow-up",
        ),
        ("clinical", "clinical", 160, 160, 160, 0, 0, ""),
        ("cohort", "", 201, 160, 160, 41, 0, ""),
    ]
    columns = ["table", "kind", "rows", "patients", "matched", "lost", "absent", "reasons"]
    return pd.DataFrame(rows, columns=columns)


def groups_table() -> pd.DataFrame:
    return pd.DataFrame(
        {"cohort": ["development", "Replicate"], "n_patients": [119, 41], "n_events": [47, 14]}
    )


def importances_table() -> pd.DataFrame:
    share = np.array([0.3, 0.25, 0.2, 0.12, 0.08, 0.05])
    return pd.DataFrame(
        {"term": [f"radiomics:{f}" for f in FEATURES], "gain": share, "share": share}
    )


def roc_table() -> pd.DataFrame:
    specificity = np.linspace(1, 0, 21)
    return pd.DataFrame({"specificity": specificity, "sensitivity": (1 - specificity) ** 0.4})


PENALTIES = {"One standard error (taken)": 0.2, "Least deviance": 0.1}


def signature_path_table() -> pd.DataFrame:
    return pd.DataFrame(
        {
            "lambda": np.repeat([0.4, 0.2, 0.1], 2),
            "feature": ["mri:a", f"mri:{HOSTILE}"] * 3,
            "standardised": [0.0, 0.0, 0.3, 0.0, 0.5, -0.1],
        }
    )


def signature_deviance_table() -> pd.DataFrame:
    return pd.DataFrame(
        {
            "lambda": [0.4, 0.2, 0.1],
            "mean": [1.3, 1.1, 1.0],
            "standard_error": [0.1, 0.1, 0.15],
            "n_selected": [0, 1, 2],
        }
    )


def waterfall_table() -> pd.DataFrame:
    return pd.DataFrame(
        {"rank": [1, 2, 3], "deviation": [-1.0, 0.0, 2.0], "event": [False, True, True]}
    )


def score_by_outcome_table() -> pd.DataFrame:
    row = {"minimum": 0.0, "q1": 1.0, "median": 2.0, "q3": 3.0, "maximum": 9.0, "n_patients": 7}
    return pd.DataFrame(
        [{"horizon": h, "event": e, **row} for h in (12.0, 24.0) for e in (False, True)]
    )


def stability_tables() -> tuple[pd.DataFrame, pd.DataFrame]:
    """Three factors in ten bootstraps and four starts; the third does not come back."""
    rng = np.random.default_rng(8)
    rows = [
        (kind, refit + 1, factor, float(np.clip(sign * rng.normal(centre, 0.05), -1, 1)))
        for kind, n in (("bootstrap", 10), ("start", 4))
        for refit in range(n)
        for factor, centre, sign in (("F1", 0.97, 1), ("F2", 0.86, -1), ("F3", 0.45, 1))
    ]
    refits = pd.DataFrame(rows, columns=["kind", "refit", "factor", "r"])
    size = refits.assign(r=refits["r"].abs()).groupby(["factor", "kind"], sort=False)["r"]
    table = size.quantile([0.25, 0.5, 0.75]).unstack()
    table.columns = ["lower_quartile", "median", "upper_quartile"]
    return table.assign(refits=size.count()).reset_index(), refits


def n_factors_table() -> pd.DataFrame:
    error = {"all": [1, 0.8, 0.62, 0.61], "mri": [1, 0.7, 0.6, 0.6], "rna": [1, 0.9, 0.64, 0.62]}
    return pd.DataFrame(
        [
            {"n_factors": k, "view": view, "error": e, "standard_error": 0.02 * (k > 0)}
            for view, errors in error.items()
            for k, e in zip((0, 1, 2, 4), errors, strict=True)
        ]
    )


def information_table() -> pd.DataFrame:
    return pd.DataFrame(
        [
            (cohort, factor, n, low, low + 0.3, low + 0.4, low + 0.45, low + 0.5)
            for cohort, n, low in (("development", 160, 0.4), ("Centre C", 80, 0.05))
            for factor in ("F1", "F2")
        ],
        columns=[
            *("cohort", "factor", "n_patients", "lowest", "lower_quartile", "median"),
            *("upper_quartile", "highest"),
        ],
    )


def findings() -> tuple[Finding, ...]:
    return (
        Finding(
            code="constant",
            severity="note",
            where="radiomics",
            message="3 columns have one value in every patient and were left out.",
        ),
        Finding(
            code="few_events",
            severity="serious",
            where="Clinical + factors",
            message="47 events for 14 parameters (3.4 per parameter): expect overfitting.",
        ),
        Finding(
            code="proportional_hazards",
            severity="caution",
            where=f"Grade {HOSTILE}",
            message="The hazard ratio changes with time (p = 0.004).",
        ),
    )


def all_figures() -> dict[str, go.Figure]:
    curves, at_risk = kaplan_meier_tables()
    table = calibration_table()
    predictions = np.clip(np.random.default_rng(1).beta(2, 5, 160), 0.02, 0.72)
    return {
        "Patient flow": draw_flow(flow_table(), groups=groups_table()),
        "Nomogram": draw_nomogram(nomogram_table()),
        "Survival by risk group": draw_kaplan_meier(
            curves, at_risk, unit="months", p_value=0.0002, horizons=[24]
        ),
        "Cumulative incidence": draw_cumulative_incidence(
            *incidence_tables(), unit="months", causes={1: "relapse", 2: "death"}, p_value=0.02
        ),
        "Calibration": draw_calibration(
            table,
            label="Out of fold",
            apparent=table.assign(observed=table["predicted"] ** 0.9),
            predictions=predictions,
            horizon=24,
            unit="months",
        ),
        "Decision curve": draw_decision_curve(decision_tables(), horizon=24, unit="months"),
        "Variance explained": draw_variance_explained(variance_table()),
        "Variance explained by group": draw_variance_explained(grouped_variance_table()),
        "Loadings": draw_loadings(loadings_table(), factor="F1"),
        "Loading map": draw_loading_map(loading_map_table()),
        "Factors and age": draw_factor_scatter(
            factor_scores(),
            x="factors:F1",
            y="factors:F2",
            values=factor_values(numbers=True),
            name="Age",
        ),
        "Factors and IDH": draw_factor_scatter(
            factor_scores(),
            x="factors:F1",
            y="factors:F2",
            values=factor_values(numbers=False),
            name="IDH",
        ),
        "Associations": draw_associations(associations_table()),
        "Stability of factors": draw_stability(*stability_tables(), limit=0.8),
        "Number of factors": draw_n_factors(n_factors_table(), chosen=2, declared=4),
        "Information": draw_information(information_table(), limit=0.2),
        "Importances": draw_importances(importances_table()),
        "Hazard ratios": draw_forest(coefficients_table()),
        "Comparison": draw_comparison(performance_table(), metric="c_index"),
        "Receiver operating characteristic": draw_roc({"Clinical": roc_table()}),
        "Signature path": draw_signature_path(signature_path_table(), penalties=PENALTIES),
        "Signature deviance": draw_signature_deviance(
            signature_deviance_table(), penalties=PENALTIES
        ),
        "Waterfall": draw_waterfall(
            waterfall_table(), title="Radscore", labels=("Censored", "Event observed")
        ),
        "Score by outcome": draw_score_by_outcome(
            score_by_outcome_table(),
            title="Radscore",
            labels=("Event-free", "Event"),
            unit="months",
        ),
    }
