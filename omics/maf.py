"""Which genes of which sample are mutated: a MAF, one row per variant, becomes 0 and 1.

A gene is 1 where the sample has a variant of a class that counts, else 0 where the sample was
profiled. A MAF names mutated samples only: who else was sequenced, the study declares. Genes
beyond a sample's panel are not told apart from genes without a mutation.

References
----------
National Cancer Institute. GDC MAF Format v.1.0.0, https://docs.gdc.cancer.gov
Mayakonda A, et al. Maftools: efficient and comprehensive analysis of somatic variants in cancer.
Genome Research 2018;28:1747-1756. doi:10.1101/gr.239244.118
"""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from omics.errors import Finding, StudyError
from omics.messages import counted, nearest, quoted
from omics.reading import RawTable, check_file, open_text
from omics.samples import read_profiled
from omics.table_spec import TableSpec
from omics.values import written

SAMPLE, GENE, CLASS = "Tumor_Sample_Barcode", "Hugo_Symbol", "Variant_Classification"
STATUS = "Mutation_Status"
NO_VARIANT = ("wildtype", "loh", "none")  # statuses without a somatic or inherited variant
NO_GENE = ("", "Unknown", "NA", ".")


@dataclass(kw_only=True)
class _Variants:
    """What the rows of a MAF say."""

    samples: dict[str, None] = field(default_factory=dict)
    genes: dict[str, None] = field(default_factory=dict)
    mutated: set[tuple[str, str]] = field(default_factory=set)
    not_counted: Counter[str] = field(default_factory=Counter)
    statuses: Counter[str] = field(default_factory=Counter)
    n_rows: int = 0
    sequenced: list[str] | None = None


def read_maf(spec: TableSpec, *, reserve: Iterable[str], name: str, title: str) -> RawTable:
    """Read a MAF as one row per sample and one column per gene.

    Parameters
    ----------
    spec : TableSpec
        With layout `maf`; `columns` names the genes, by default all with a variant that counts.
    reserve : iterable of str
        Genes the study uses as outcome.
    name, title : str
        The table's name in the study, and how messages name it.

    Returns
    -------
    RawTable
        Cells 0 and 1.

    Raises
    ------
    StudyError
        If a column is not there, no variant counts, or a sample was not profiled.
    """
    check_file(spec.path, title=title)
    found = _read_variants(spec, title=title)
    if not found.mutated:
        raise StudyError(
            f"{title}: no row of {found.n_rows} counts as a mutation; not counted are: "
            f"{counted(found.not_counted.elements())}. State variant_classes."
        )
    samples = _covered(spec, found, title=title)
    genes = list(found.genes if spec.columns is None else dict.fromkeys([*spec.columns, *reserve]))
    cells = np.zeros((len(samples), len(genes)), dtype=object)
    row, column = ({key: place for place, key in enumerate(keys)} for keys in (samples, genes))
    for sample, gene in found.mutated:
        if gene in column:
            cells[row[sample], column[gene]] = 1
    return RawTable(
        cells=pd.DataFrame(cells, index=[f"sample {s!r}" for s in samples], columns=genes),
        ids=np.array(samples, dtype=object),
        id_name=spec.id or SAMPLE,
        findings=tuple(_findings(spec, found, genes, name=name)),
    )


def _read_variants(spec: TableSpec, *, title: str) -> _Variants:
    found = _Variants()
    places: dict[str, int] = {}
    sample_column = spec.id or SAMPLE
    with open_text(spec.path, title=title) as file:
        for number, line in enumerate(file, start=1):
            line = line.rstrip("\r\n")
            if not places and line.startswith("#"):
                if line.startswith("#sequenced_samples:"):
                    found.sequenced = line.partition(":")[2].split()
                continue
            cells = line.split("\t")
            if not any(cells):
                continue
            if not places:
                places = _columns(cells, sample_column, title=title)
                continue
            if len(cells) <= max(places.values()):
                raise StudyError(
                    f"{title}: row {number} has {len(cells)} cells, too few to hold "
                    f"{quoted(places)}. Correct the file."
                )
            values = {column: cells[place].strip() for column, place in places.items()}
            if not values[sample_column]:
                raise StudyError(f"{title}: row {number} names no sample in {sample_column!r}.")
            _count(values, written(values[sample_column]), spec, found)
    if not places:
        raise StudyError(f"{title}: the file is empty.")
    return found


def _columns(header: list[str], sample: str, *, title: str) -> dict[str, int]:
    """Find the columns; all that are lacking are named, with the nearest ones."""
    header = [cell.strip() for cell in header]
    wanted = (sample, GENE, CLASS)
    lacking = [column for column in wanted if column not in header]
    if lacking:
        near = " ".join(f"For {column!r}: {nearest(column, header)}" for column in lacking)
        raise StudyError(
            f"{title}: a MAF must have the columns {quoted(wanted)} (sample, gene, class of "
            f"variant), but lacks {quoted(lacking)} among {len(header)} columns. {near} Name the "
            "column of samples: id; rename others in the file."
        )
    there = [*wanted, STATUS] if STATUS in header else [*wanted]
    return {column: header.index(column) for column in there}


def _count(values: dict[str, str], sample: str, spec: TableSpec, found: _Variants) -> None:
    found.n_rows += 1
    found.samples[sample] = None
    gene, variant = values[GENE], values[CLASS]
    status = values.get(STATUS, "")
    counts = variant in spec.variant_classes or variant in spec.extra_variants.get(gene, ())
    if gene in NO_GENE:
        found.not_counted["no gene"] += 1
    elif not counts:
        found.not_counted[variant or "no class"] += 1
    elif status.casefold() in NO_VARIANT:
        found.not_counted[f"{STATUS} {status}"] += 1
    else:
        found.genes[gene] = None
        found.mutated.add((sample, gene))
        if status and status.casefold() != "somatic":
            found.statuses[status] += 1


def _covered(spec: TableSpec, found: _Variants, *, title: str) -> list[str]:
    """List the samples: those of the MAF, and those declared as profiled without a row in it."""
    profiled = read_profiled(spec, found.sequenced, title=title)
    if profiled is None:
        return list(found.samples)

    def key(sample: str) -> str | None:
        return sample if spec.sample_map is not None else spec.id_rules.apply(sample)

    ours = {key(sample) for sample in found.samples}
    listed = {key(sample) for sample in profiled}
    strange = [sample for sample in found.samples if key(sample) not in listed]
    if strange:
        raise StudyError(
            f"{title}: profiled must list every sample of the MAF, but {len(strange)} of "
            f"{len(found.samples)} are not in it ({quoted(strange, limit=3)}; it lists "
            f"{quoted(profiled, limit=3)}). Complete the list, or make ids comparable: id_rules."
        )
    return [*found.samples, *(sample for sample in profiled if key(sample) not in ours)]


def _findings(
    spec: TableSpec, found: _Variants, genes: list[str], *, name: str
) -> Iterable[Finding]:
    if spec.profiled is None:
        yield Finding(
            code="maf_profiled",
            severity="caution",
            where=name,
            message=f"Table {name!r} covers the {len(found.samples)} samples with a variant in the "
            "MAF; patients without any are unknown, not free of mutations, since the study does "
            "not declare who was profiled.",
        )
    if found.not_counted:
        yield Finding(
            code="maf_not_counted",
            severity="note",
            where=name,
            message=f"{found.not_counted.total()} of {found.n_rows} variants of table {name!r} do "
            f"not count as mutated: {counted(found.not_counted.elements(), limit=20)}.",
        )
    if found.statuses:
        yield Finding(
            code="maf_status",
            severity="caution",
            where=name,
            message=f"Variants of table {name!r} that are not declared somatic count as mutated: "
            f"{counted(found.statuses.elements())}.",
        )
    absent = [gene for gene in genes if gene not in found.genes]
    if absent:
        yield Finding(
            code="maf_gene_absent",
            severity="caution",
            where=name,
            message=f"No patient of table {name!r} has a mutation of {quoted(absent)}: is the name "
            "right, and was the gene sequenced?",
        )
