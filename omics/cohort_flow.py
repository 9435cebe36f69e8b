"""Who came, who stayed, who was lost and why: the first figure of every clinical report."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import pandas as pd

from omics.errors import Finding
from omics.messages import quoted
from omics.tables import View

FLOW_COLUMNS = ["table", "kind", "rows", "patients", "matched", "lost", "absent", "reasons"]
LOST_COLUMNS = ["table", "patient", "reason"]


def _empty_flow() -> pd.DataFrame:
    return pd.DataFrame(columns=FLOW_COLUMNS)


def _empty_lost() -> pd.DataFrame:
    return pd.DataFrame(columns=LOST_COLUMNS)


@dataclass(frozen=True, eq=False, kw_only=True)
class Flow:
    """The flow of patients from the tables into the cohort.

    Attributes
    ----------
    table : DataFrame, one row per input table and a last row "cohort"
        `table`, `kind`; `rows` that came; distinct `patients` among them; patients `matched` (they
        are in the cohort) and `lost` (they are not): matched + lost = patients; `absent`, patients
        of the cohort without a row in this table; `reasons`, why patients were lost and why rows
        are more than patients. Holds no patient id. The last row counts the patients of all tables.
    lost : DataFrame, one row per table and patient lost
        `table`, `patient`, `reason`. Holds ids: for `DIR/private/` only.
    """

    table: pd.DataFrame = field(default_factory=_empty_flow)
    lost: pd.DataFrame = field(default_factory=_empty_lost)

    def __repr__(self) -> str:
        if self.table.empty:
            return "Flow(no tables)"
        cohort = self.table.iloc[-1]
        return (
            f"Flow({len(self.table) - 1} tables, {cohort['patients']} patients: "
            f"{cohort['matched']} in the cohort, {cohort['lost']} lost)"
        )

    def followed_by(self, name: str, other: "Flow") -> "Flow":
        """Return this flow with another cohort's tables behind it, named `table (name)`."""
        theirs = other.table.iloc[:-1]
        theirs = theirs.assign(table=[f"{table} ({name})" for table in theirs["table"]])
        last, their_last = self.table.iloc[-1:].copy(), other.table.iloc[-1]
        for column in ("rows", "patients", "matched", "lost", "absent"):
            last[column] = last[column] + their_last[column]
        reasons = [text for text in (last["reasons"].item(), their_last["reasons"]) if text]
        last["reasons"] = "; ".join(reasons)
        lost = other.lost.assign(table=[f"{table} ({name})" for table in other.lost["table"]])
        return Flow(
            table=pd.concat([self.table.iloc[:-1], theirs, last], ignore_index=True),
            lost=pd.concat([self.lost, lost], ignore_index=True),
        )


def patients_of(view: View) -> pd.Index:
    """Return the ids of the patients with a row in the view's table."""
    if view.reserved.shape[1] == 0:
        return view.table.index
    return view.table.index.union(view.reserved.index, sort=False)


def reading_findings(views: Sequence[View]) -> tuple[Finding, ...]:
    """Gather what reading each table showed, and the codes that were read as unknown."""
    found: list[Finding] = []
    for view in views:
        found += view.findings
        unknown = view.notes.unknown
        if len(unknown):
            found.append(
                Finding(
                    code="codes_unknown",
                    severity="note",
                    where=view.name,
                    message=(
                        f"Values of {view.name} that count as missing, as the study declares "
                        f"their code as unknown: {int(unknown['count'].sum())}, in "
                        f"{quoted(unknown['column'], limit=3)}."
                    ),
                )
            )
    return tuple(found)


def count_flow(views: Sequence[View], reason: pd.Series) -> Flow:
    """Count, for every table, who is in the cohort and who was lost.

    Parameters
    ----------
    views : sequence of View
    reason : Series, one value per patient of any table, indexed by patient
        Why a patient is not in the cohort; empty for those who are.

    Returns
    -------
    Flow
    """
    n_cohort = int((reason == "").sum())
    rows: list[dict[str, object]] = []
    lost: list[pd.DataFrame] = []
    for view in views:
        here = reason.loc[patients_of(view)]
        gone = here[here != ""]
        matched = len(here) - len(gone)
        rows.append(
            {
                "table": view.name,
                "kind": view.kind,
                "rows": view.notes.n_rows,
                "patients": len(here),
                "matched": matched,
                "lost": len(gone),
                "absent": n_cohort - matched,
                "reasons": "; ".join([*_row_notes(view), *_counts(gone)]),
            }
        )
        lost.append(_lost_patients(view.name, gone))
    gone = reason[reason != ""]
    rows.append(
        {
            "table": "cohort",
            "kind": "",
            "rows": len(reason),
            "patients": len(reason),
            "matched": n_cohort,
            "lost": len(gone),
            "absent": 0,
            "reasons": "; ".join(_counts(gone)),
        }
    )
    return Flow(
        table=pd.DataFrame(rows, columns=FLOW_COLUMNS),
        lost=pd.concat([*lost, _lost_patients("cohort", gone)], ignore_index=True),
    )


def count_reasons(reason: pd.Series) -> str:
    """Write why patients were lost, commonest reason first: "3 time unknown; 1 event unknown"."""
    return "; ".join(_counts(reason[reason != ""]))


def _counts(gone: pd.Series) -> list[str]:
    return [f"{count} {text}" for text, count in gone.value_counts().items()]


def _row_notes(view: View) -> list[str]:
    notes = view.notes
    return [
        f"{count} row{'' if count == 1 else 's'} {text}"
        for count, text in (
            (notes.n_without_id, "without id"),
            (notes.n_merged, "merged with another of the same patient"),
        )
        if count
    ]


def _lost_patients(table: str, gone: pd.Series) -> pd.DataFrame:
    return pd.DataFrame(
        {"table": table, "patient": gone.index.astype(str), "reason": gone.to_numpy()},
        columns=LOST_COLUMNS,
    )
