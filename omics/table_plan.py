"""Which columns of a table become features, and how each is read; unknown names are refused."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TypeVar

from omics.case import PLACE
from omics.errors import StudyError
from omics.long_tables import BAR
from omics.messages import nearest, quoted
from omics.moment import Moment
from omics.radiomics import is_provenance, total_name
from omics.radiomics_names import REGION_VOLUME
from omics.reading import RawTable
from omics.table_spec import Scalar, TableSpec, Transform, Unit

T = TypeVar("T")


@dataclass(frozen=True, eq=False, kw_only=True)
class TablePlan:
    """The columns of a table by what becomes of them, under their final names.

    Attributes
    ----------
    names : list of str
        Final names of all columns, in the order of the file.
    features, reserved, provenance : list of str
        Features; outcome, cohort and centre columns; what says how features were made.
    recode, categories, transform, unit : dict by column
    known : dict by feature
        When it is known, where that is stated; of what `reduce` adds as well.
    size : str or None
        The column that picks or weights the rows of a patient.
    total : list of str
        Features whose sum over the rows of a patient is added.
    """

    names: list[str]
    features: list[str]
    reserved: list[str]
    provenance: list[str]
    recode: dict[str, dict[Scalar, Scalar]]
    categories: dict[str, str | list[Scalar]]
    transform: dict[str, Transform]
    unit: dict[str, Unit]
    known: dict[str, Moment]
    size: str | None
    total: list[str]


def plan_table(raw: RawTable, spec: TableSpec, *, reserve: Iterable[str], title: str) -> TablePlan:
    """Decide what becomes of each column.

    Parameters
    ----------
    raw : RawTable
    spec : TableSpec
    reserve : iterable of str
        Columns the study uses as outcome, cohort or centre: never features.
    title : str
        How messages name the table.

    Returns
    -------
    TablePlan

    Raises
    ------
    StudyError
        If an option or the study names a column that is not there or not taken.
    """
    door = _Door(
        columns=[str(name) for name in raw.cells.columns],
        rename=spec.rename,
        id_name=raw.id_name,
        title=title,
    )
    names = door.renamed()
    aside = _aside(names, spec)
    reserved = door.resolve(list(dict.fromkeys(reserve)), option="the study")
    left_out = set(door.resolve([c for c in spec.drop if c not in raw.dropped], option="drop"))
    _refuse_lost(reserved, left_out, title=title)
    taken = None if spec.columns is None else door.resolve(spec.columns, option="columns")
    features = [
        name
        for name in names
        if name not in left_out
        and name not in reserved
        and (name in taken if taken is not None else name not in aside)
    ]
    sizes = [spec.reduce.size] if spec.reduce is not None and spec.reduce.size is not None else []
    wanted = dict.fromkeys(spec.reduce.total if spec.reduce is not None else [])
    totals = list(door.rekey(wanted, option="reduce", taken=features))
    known = door.rekey(spec.known_by_column, option="known", taken=[*features, "*"])
    plan = TablePlan(
        names=names,
        features=features,
        reserved=reserved,
        provenance=[
            name
            for name in names
            if name in aside and name not in {*features, *reserved, *left_out}
        ],
        recode=door.rekey(spec.recode, option="recode", taken=[*features, *reserved]),
        categories=door.rekey(spec.categories, option="categories", taken=[*features, *reserved]),
        transform=door.rekey(spec.transform, option="transform", taken=[*features, "*"]),
        unit=door.rekey(spec.unit, option="unit", taken=features),
        known={
            name: known[source if source in known else "*"]
            for name, source in [*((name, name) for name in features), *_added(spec, totals)]
            if source in known or "*" in known
        },
        size=next(iter(door.resolve(sizes, option="reduce")), None),
        total=totals,
    )
    if not plan.features and not plan.reserved:
        raise StudyError(
            f"{title}: the table has no column to take beside the ids. See columns and drop."
        )
    return plan


def _added(spec: TableSpec, totals: list[str]) -> list[tuple[str, str]]:
    """Return the columns that `reduce` adds, each with the one whose moment is its own."""
    if spec.reduce is None:
        return []
    added = [(total_name(name), name) for name in totals]
    return added if spec.reduce.count is None else [*added, (spec.reduce.count, "*")]


def _aside(names: list[str], spec: TableSpec) -> set[str]:
    """Return the columns of a radiomics table that are no features unless `columns` says so.

    A table that `nomomics extract` wrote says beside the features where each row is from (reader,
    centre, ...): known by its own column of the region's volume, since in another program's table
    such a name may be anything.
    """
    if spec.kind != "radiomics":
        return set()
    own = [name.rpartition(BAR)[2] for name in names]
    places = {*PLACE, "region"} if REGION_VOLUME in own else set()
    return {
        name for name, last in zip(names, own, strict=True) if last in places or is_provenance(name)
    }


def _refuse_lost(reserved: list[str], left_out: set[str], *, title: str) -> None:
    lost = [name for name in reserved if name in left_out]
    if lost:
        raise StudyError(
            f"{title}: drop must not name {lost[0]!r}, which the study uses as outcome, cohort or "
            "centre. Take it out of drop: such a column is never a feature."
        )


@dataclass(frozen=True, kw_only=True)
class _Door:
    """Looks names up, as the file has them or as `rename` makes them."""

    columns: list[str]
    rename: dict[str, str]
    id_name: str
    title: str

    def renamed(self) -> list[str]:
        """Return the final names of all columns."""
        for old in self.rename:
            if old not in self.columns:
                raise StudyError(self._unknown(old, option="rename", known=self.columns))
        names = [self.rename.get(name, name) for name in self.columns]
        repeated = sorted({name for name in names if names.count(name) > 1} if self.rename else ())
        if repeated:
            raise StudyError(
                f"{self.title}: rename must leave every column a name of its own, but "
                f"{quoted(repeated)} would stand over several."
            )
        return names

    def resolve(self, wanted: list[str], *, option: str) -> list[str]:
        """Return final names."""
        known = set(self.renamed())
        found = [self.rename.get(name, name) for name in wanted]
        for name, final in zip(wanted, found, strict=True):
            if final not in known:
                raise StudyError(self._unknown(name, option=option, known=self.renamed()))
        return found

    def rekey(self, entries: dict[str, T], *, option: str, taken: list[str]) -> dict[str, T]:
        """Return an option's entries under final names, all of columns that are taken."""
        special = [name for name in entries if name == "*" and "*" in taken]
        found = self.resolve([name for name in entries if name not in special], option=option)
        for name in found:
            if name not in taken:
                raise StudyError(
                    f"{self.title}: {option} names column {name!r}, which is no feature here: "
                    "columns or drop leaves it out, or the study uses it as outcome, cohort or "
                    f"centre. Take it out of {option}."
                )
        return {self.rename.get(name, name): entry for name, entry in entries.items()}

    def _unknown(self, name: str, *, option: str, known: list[str]) -> str:
        if name == self.id_name:
            return f"{self.title}: {option} names {name!r}, which is the id column. Take it out."
        return (
            f"{self.title}: {option} names column {name!r}, but the table has none of that name "
            f"among its {len(known)} columns. {nearest(name, known)}"
        )
