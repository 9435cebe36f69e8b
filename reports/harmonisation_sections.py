"""What harmonisation did to the features: to whom, how, before and after. Computes no statistic."""

from collections.abc import Iterator, Mapping

import pandas as pd

from models.centre_differences import SIGNIFICANT
from models.centre_prediction import STAGES, CentrePrediction
from models.harmonisation import Harmonisation
from omics.harmonise import ComBat
from omics.messages import number_of, quoted
from reports.blocks import Block, Figure, FigureGrid, Section, Table, Text
from reports.figures.centre_components import draw_centre_components
from reports.figures.centre_prediction import draw_centre_prediction
from reports.style import shown_names
from reports.survival_section import cohort_name
from reports.tables import format_estimate, table_rows

METRICS = {"auc": "AUC", "balanced_accuracy": "Balanced accuracy"}


def harmonisation_section(found: Mapping[str, Harmonisation]) -> Section:
    """Show the harmonisation of a study, several tables in parts of their own."""
    if len(found) == 1:
        (only,) = found.values()
        return Section(
            id="harmonisation", title="Harmonisation", blocks=list(harmonisation_blocks(only))
        )
    parts = [
        Section(id=f"harmonisation-{number}", title=table, blocks=list(harmonisation_blocks(one)))
        for number, (table, one) in enumerate(found.items(), start=1)
    ]
    return Section(id="harmonisation", title="Harmonisation", blocks=[], sections=parts)


def harmonisation_blocks(found: Harmonisation) -> Iterator[Block]:
    """Say what was done and to whom, then show features and centre before and after."""
    yield Text(text=f"{_what_was_done(found.combat)} {_policy(found.combat)}")
    yield _whom(found)
    if found.held_out[["n_centre", "n_level"]].to_numpy().any():
        yield _held_out(found)
    yield FigureGrid(
        panels=[
            Figure(
                figure=draw_centre_components(found.components, stage=stage),
                title=stage.capitalize(),
            )
            for stage in STAGES
        ],
        title="Patients before and after harmonisation.",
        caption="Development patients in the plane in which their features vary most before "
        "harmonisation; after it in the same plane.",
    )
    if found.prediction is None:
        yield Text(
            text="How well the centre can be told from the features was not estimated: "
            f"{found.why_no_prediction}"
        )
    else:
        yield from centre_prediction_blocks(found.prediction)
    yield _differences(found)


def centre_prediction_blocks(found: CentrePrediction) -> Iterator[Block]:
    """Show how well the centre is told from the features."""
    left_out = (
        f" Left out for too few patients: {quoted(found.left_out)}." if found.left_out else ""
    )
    if found.n_refused:
        left_out += (
            f" {number_of(found.n_refused, 'patient')} whose level of a covariate nobody had in "
            "the training part of a fold are in no figure."
        )
    yield FigureGrid(
        panels=[
            Figure(figure=draw_centre_prediction(found.table, metric=metric), title=name)
            for metric, name in METRICS.items()
        ],
        title="How well the centre is told from the features.",
        caption=f"{_numbers(found)} Ridge logistic regression of {found.n_patients} patients at "
        f"{len(found.n_patients_of)} centres, who were not seen in the fit "
        f"({found.repeats} x {found.folds}-fold cross-validation, harmonisation refitted in every "
        f"fold); {100 * found.level:g}% bootstrap intervals; dashed: chance. Below it is as good "
        "as chance: held-out patients then carry in reverse what was taken for a mark in the "
        f"training patients.{left_out}",
    )


def _numbers(found: CentrePrediction) -> str:
    said = {
        (row["metric"], row["stage"]): format_estimate(
            row["estimate"], row["lower"], row["upper"], digits=2
        )
        for row in found.table.to_dict("records")
    }
    return " ".join(
        f"{name} {said[metric, 'before']} before, {said[metric, 'after']} after."
        for metric, name in METRICS.items()
    )


def _what_was_done(combat: ComBat) -> str:
    prior = "parametric" if combat.parametric else "non-parametric"
    what = "shifts alone" if combat.mean_only_ else "shift and scale"
    kept = (
        f", preserving the effect of {quoted(shown_names(combat.covariates).values())}"
        if len(combat.covariates)
        else ""
    )
    towards = "" if combat.reference is None else f"; {combat.reference!r} is the reference"
    return (
        f"ComBat ({prior} empirical Bayes, {what}) took the mark of "
        f"{number_of(len(combat.n_patients_), 'centre')} out of "
        f"{number_of(len(combat.features_), 'feature')} of {quoted(combat.tables)}{kept}{towards}. "
        "It was learned anew in every resample, never saw the outcome, and new patients of these "
        "centres pass through the frozen transform one by one. Coefficients, nomograms and ranges "
        "of these features are of harmonised values."
    )


def _policy(combat: ComBat) -> str:
    said = {
        "refuse": "Patients of any other centre are refused: they get no prediction.",
        "pass_through": "Values of patients of any other centre are left as they are.",
        "estimate": f"Shift and scale of any other centre are estimated from its patients "
        f"together, if there are {combat.least_patients} or more; that is transductive, and with "
        "fewer they are refused.",
    }
    return said[combat.new_centre]


def _whom(found: Harmonisation) -> Table:
    rows = found.centres.assign(
        cohort=[cohort_name(str(name)) for name in found.centres["cohort"]],
        centre=[name or "(unknown)" for name in found.centres["centre"]],
    )
    return Table(
        table=table_rows(rows),
        title="Centres, and what was done with their patients.",
        caption="Patients with values in the tables that are harmonised.",
    )


def _held_out(found: Harmonisation) -> Table:
    rows = [
        (
            str(model),
            *(
                f"{part[column].max()} ({(part[column] > 0).sum()} of {len(part)})"
                for column in ("n_centre", "n_level")
            ),
        )
        for model, part in found.held_out.groupby("model", sort=False)
    ]
    return Table(
        table=pd.DataFrame(rows, columns=["Model", "New centre", "New level of a covariate"]),
        title="Patients whom harmonisation refused in cross-validation.",
        caption="Most in one repeat (repeats with any). They have no prediction there: everybody "
        "of their centre, or of their level of a covariate, was held out with them. Every repeat: "
        "tables/harmonisation_refused.csv.",
    )


def _differences(found: Harmonisation) -> Table:
    rows = pd.DataFrame(
        [
            (
                row["stage"].capitalize(),
                str(row["n_features"]),
                str(row["level"]),
                str(row["spread"]),
            )
            for row in found.differing.to_dict("records")
        ],
        columns=["", "Features", "Differ in level", "Differ in spread"],
    )
    return Table(
        table=rows,
        title="Features that differ between centres.",
        caption=f"Kruskal-Wallis test of level, Brown-Forsythe test of spread, P below "
        f"{SIGNIFICANT:g} after Benjamini and Hochberg. After: in the patients the transform was "
        "fitted to, so that few should. Every feature: tables/harmonisation.csv.",
    )


def harmonisation_tables(found: Mapping[str, Harmonisation]) -> dict[str, pd.DataFrame]:
    """Give what stands in the folder tables, by name of the file; `table` says which is meant."""
    told = {table: one.prediction for table, one in found.items()}
    parts = {
        "harmonisation": [one.differences for one in found.values()],
        "harmonisation_centres": [one.centres.assign(table=table) for table, one in found.items()],
        "harmonisation_refused": [one.held_out for one in [*found.values()][:1]],
        "centre_prediction": [one.table.assign(table=t) for t, one in told.items() if one],
    }
    return {name: pd.concat(some, ignore_index=True) for name, some in parts.items() if some}


def harmonisation_text(found: Mapping[str, Harmonisation]) -> str:
    """Say what was done, as a methods section does; "" if nothing was."""
    return " ".join(["Harmonisation.", *map(_text, found.values())]) if found else ""


def _text(found: Harmonisation) -> str:
    parts = [_what_was_done(found.combat), _policy(found.combat)]
    if found.combat.unadjusted_:
        parts.append(
            f"{number_of(len(found.combat.unadjusted_), 'feature')} with one value only, or too "
            "few, at a centre stayed as they were."
        )
    if found.prediction is not None:
        parts.append(
            "How well the centre could be told from the features was estimated by ridge "
            "multinomial logistic regression in cross-validation with harmonisation refitted in "
            f"every fold. {_numbers(found.prediction)}"
        )
    return " ".join(parts)
