r"""Which biology a factor speaks of: gene sets over-represented among its top loadings.

Of the :math:`N` genes of a view, :math:`K` belong to the set and :math:`n` are the top genes of the
factor, positive and negative loadings apart. The chance of meeting at least :math:`k` of the set
among them by luck is hypergeometric,

.. math::

    p = \sum_{j \ge k} \binom{K}{j} \binom{N - K}{n - j} \Big/ \binom{N}{n},

which is Fisher's exact test, one-sided. The universe is the genes of the view, not the genome: a
panel of cancer genes would otherwise be "enriched" for cancer before anything is measured.

References
----------
Rivals I, Personnaz L, Taing L, Potier MC. Enrichment or depletion of a GO category within a class
of genes: which test? Bioinformatics 2007;23:401-407. doi:10.1093/bioinformatics/btl633
Subramanian A, et al. Gene set enrichment analysis. PNAS 2005;102:15545-15550 (the GMT format is
that of its database). doi:10.1073/pnas.0506580102
Benjamini Y, Hochberg Y. Controlling the false discovery rate. JRSS B 1995;57:289-300.
doi:10.1111/j.2517-6161.1995.tb02031.x
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import stats

from omics.errors import StudyError
from omics.messages import nearest, quoted

COLUMNS = [
    *("factor", "sign", "gene_set", "n_set", "n_top", "n_overlap", "expected", "odds_ratio"),
    *("p_value", "p_adjusted", "genes"),
]
SIGNS = {"positive": 1.0, "negative": -1.0}
SMALL = 0.05


@dataclass(frozen=True, eq=False, kw_only=True)
class GeneSets:
    """Gene sets of one file.

    Attributes
    ----------
    source : str
        Name of the file, without its folder.
    genes : dict of str to tuple of str
        Set to its genes, each once, as written.
    """

    source: str
    genes: dict[str, tuple[str, ...]]

    def __repr__(self) -> str:
        return f"GeneSets({self.source!r}, {len(self.genes)} sets)"


@dataclass(frozen=True, eq=False, kw_only=True)
class GeneSetResult:
    """Gene sets over-represented among the top genes of factors.

    Attributes
    ----------
    table : DataFrame, one row per factor, sign and gene set
        `factor`; `sign` (`positive` or `negative` loadings); `gene_set`; `n_set`, genes of the set
        in the view; `n_top`, top genes of that sign; `n_overlap`, genes of both; `expected`, by
        chance; `odds_ratio` (above 1: over-represented; infinite where all top genes are of the
        set); `p_value` (one-sided); `p_adjusted` (Benjamini-Hochberg over all rows); `genes`, those
        of both by size of loading, joined by blanks.
    view : str
    rule : str
        What makes a gene a top gene, in words.
    n_universe : int
        Genes of the view.
    n_genes, n_found : int
        Genes that the sets name, and those of them in the view.
    n_sets, n_tested : int
        Sets of the file, and those whose size in the view is in range.
    sizes : tuple of int
        Smallest and largest size that is tested.
    source : str
        Name of the file of gene sets.
    """

    table: pd.DataFrame
    view: str
    rule: str
    n_universe: int
    n_genes: int
    n_found: int
    n_sets: int
    n_tested: int
    sizes: tuple[int, int]
    source: str

    def __repr__(self) -> str:
        found = int((self.table["p_adjusted"] < SMALL).sum())
        return (
            f"GeneSetResult({self.view!r}, {self.n_tested} of {self.n_sets} sets tested, "
            f"{found} of {len(self.table)} rows with adjusted p < {SMALL:g})"
        )


def read_gmt(path: str | Path) -> GeneSets:
    """Read gene sets: a line per set, its name, a description and its genes, divided by tabs.

    Parameters
    ----------
    path : str or Path
        UTF-8. Empty lines are passed over, and a gene that a set names twice counts once. Symbols
        are kept as written, capital letters and all.

    Returns
    -------
    GeneSets

    Raises
    ------
    StudyError
        If the file cannot be read, is not text, or a line has no tabs, no name, no gene, or the
        name of an earlier set.
    """
    path = Path(path)
    sets: dict[str, tuple[str, ...]] = {}
    first_line: dict[str, int] = {}
    for number, line in _lines(path):
        where = f"gene sets {path.name}, line {number}"
        if "\t" not in line:
            raise StudyError(
                f"{where} must hold a name, a description and genes divided by tabs, but has no "
                f"tab: {line[:40]!r}. Give the file in the GMT format."
            )
        name, _, *rest = (cell.strip() for cell in line.split("\t"))
        genes = tuple(dict.fromkeys(gene for gene in rest if gene))
        if not name:
            raise StudyError(f"{where} has no name before its first tab. Name the set.")
        if not genes:
            raise StudyError(
                f"{where}: set {name!r} has no gene (the second cell is its description). Add its "
                "genes, or take the line out."
            )
        if name in sets:
            raise StudyError(
                f"{where}: set {name!r} stands on line {first_line[name]} already. Give each set "
                "a name of its own."
            )
        sets[name], first_line[name] = genes, number
    if not sets:
        raise StudyError(f"gene sets {path.name}: the file holds no set. Give a GMT file.")
    return GeneSets(source=path.name, genes=sets)


def _lines(path: Path) -> Iterator[tuple[int, str]]:
    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise StudyError(
            f"gene sets {path.name}: the file is not text in UTF-8 (byte {error.start}). Unpack "
            "it, or save it as UTF-8."
        ) from error
    except OSError as error:
        raise StudyError(
            f"gene sets {path} cannot be opened: {error.strerror}. Give the path of a .gmt file."
        ) from error
    for number, line in enumerate(text.splitlines(), start=1):
        if line.strip():
            yield number, line


def gene_set_enrichment(
    loadings: pd.DataFrame,
    gene_sets: GeneSets,
    *,
    view: str,
    n_top: int | None = None,
    least_loading: float | None = None,
    min_size: int = 5,
    max_size: int = 500,
    factors: Sequence[str] | None = None,
) -> GeneSetResult:
    """Test which gene sets are over-represented among the top genes of each factor.

    Parameters
    ----------
    loadings : DataFrame
        Columns `view`, `feature`, `factor`, `loading`, such as `FactorModel.loadings_`. The
        features of `view` are gene symbols, matched as written.
    gene_sets : GeneSets
    view : str
        View that holds genes; all of its genes are the universe.
    n_top : int, optional
        The top genes of a sign are its `n_top` largest loadings, or all if there are fewer; of
        equals the first.
    least_loading : float, optional
        Instead: those of a size of at least this. One of the two must be given.
    min_size, max_size : int
        Sets with fewer or more genes in the view are not tested.
    factors : sequence of str, optional
        Factors tested; left out: all.

    Returns
    -------
    GeneSetResult
        Factors without a loading of some sign have no row of that sign.

    Raises
    ------
    StudyError
        If the view is unknown, no gene of the sets is in it, no set is of a size to test, or every
        gene of the view would be a top gene.
    ValueError
        If not one of `n_top` and `least_loading` is given, or an option is out of range.

    Examples
    --------
    >>> genes = [f"G{i}" for i in range(8)]
    >>> loadings = pd.DataFrame({
    ...     "view": "rna", "feature": genes, "factor": "F1",
    ...     "loading": [3, 2.5, 2, 0.1, 0.2, 0.1, 0.3, 0.2],
    ... })
    >>> sets = GeneSets(source="made.gmt", genes={"CYCLE": ("G0", "G1", "G2")})
    >>> found = gene_set_enrichment(loadings, sets, view="rna", n_top=3, min_size=2)
    >>> found.table[["n_overlap", "p_value", "genes"]].round(4).values.tolist()  # 1 / choose(8, 3)
    [[3, 0.0179, 'G0 G1 G2']]
    """
    _check_options(n_top, least_loading, min_size, max_size)
    wide = _genes_of(loadings, view)
    universe = list(wide.index)
    found = _in_universe(gene_sets, universe, view)
    tested = sets_in_range(gene_sets, universe, view=view, min_size=min_size, max_size=max_size)
    rule = f"the {n_top} largest loadings of each sign"
    if least_loading is not None:
        rule = f"loadings of {least_loading:g} or more in size, each sign apart"
    rows = [
        row
        for factor in (wide if factors is None else factors)
        for sign in SIGNS
        for row in _rows(str(factor), sign, wide[factor], tested, n_top, least_loading)
    ]
    if len(table := pd.DataFrame(rows, columns=COLUMNS)):
        table["p_value"] = _chances(table, len(universe))
        table["p_adjusted"] = stats.false_discovery_control(table["p_value"].to_numpy())
    return GeneSetResult(
        table=table,
        view=view,
        rule=rule,
        n_universe=len(universe),
        n_genes=len({gene for genes in gene_sets.genes.values() for gene in genes}),
        n_found=len({gene for genes in found.values() for gene in genes}),
        n_sets=len(gene_sets.genes),
        n_tested=len(tested),
        sizes=(min_size, max_size),
        source=gene_sets.source,
    )


def sets_in_range(
    gene_sets: GeneSets, universe: Sequence[str], *, view: str, min_size: int, max_size: int
) -> dict[str, frozenset[str]]:
    """Return the sets of a size to test, each with its genes in the view.

    Parameters
    ----------
    gene_sets : GeneSets
    universe : sequence of str
        Genes of the view.
    view : str
        How messages name it.
    min_size, max_size : int

    Raises
    ------
    StudyError
        If no gene of the sets is in the view, or no set is of a size to test.
    """
    found = _in_universe(gene_sets, universe, view)
    tested = {name: genes for name, genes in found.items() if min_size <= len(genes) <= max_size}
    if not tested:
        largest = max(map(len, found.values()))
        raise StudyError(
            f"gene sets {gene_sets.source}: no set has {min_size} to {max_size} genes in view "
            f"{view!r} (the largest has {largest}). Change the sizes, or take another collection."
        )
    return tested


def _check_options(
    n_top: int | None, least_loading: float | None, min_size: int, max_size: int
) -> None:
    if (n_top is None) == (least_loading is None):
        raise ValueError(
            "either n_top or least_loading must be given, but "
            f"{'neither' if n_top is None else 'both'} came. State the rule for top genes."
        )
    if n_top is not None and n_top < 1:
        raise ValueError(f"n_top must be at least 1, but is {n_top}.")
    if least_loading is not None and not least_loading > 0:
        raise ValueError(f"least_loading must be above 0, but is {least_loading}.")
    if not 1 <= min_size <= max_size:
        raise ValueError(
            f"min_size and max_size must rise from 1, but {min_size} and {max_size} came."
        )


def _genes_of(loadings: pd.DataFrame, view: str) -> pd.DataFrame:
    """Spread the loadings of the genes out, (n_genes, n_factors), in the order of the model."""
    views = list(dict.fromkeys(loadings["view"]))
    if view not in views:
        raise StudyError(
            f"the view of gene sets must be one that MOFA learns from, but {view!r} is none of "
            f"{len(views)}. {nearest(view, views)}"
        )
    part = loadings[loadings["view"] == view]
    wide = part.pivot(index="feature", columns="factor", values="loading")
    return wide.loc[list(dict.fromkeys(part["feature"])), list(dict.fromkeys(part["factor"]))]


def _in_universe(
    gene_sets: GeneSets, universe: Sequence[str], view: str
) -> dict[str, frozenset[str]]:
    """Genes of each set that the view holds."""
    there = frozenset(universe)
    found = {name: there.intersection(genes) for name, genes in gene_sets.genes.items()}
    if not any(found.values()):
        named = dict.fromkeys(gene for genes in gene_sets.genes.values() for gene in genes)
        folded = {gene.casefold() for gene in universe} & {gene.casefold() for gene in named}
        cure = (
            "They differ in capital letters alone: write both the same way."
            if folded
            else "Name both by the same symbols, or state the view that holds genes."
        )
        raise StudyError(
            f"gene sets {gene_sets.source}: none of their {len(named)} genes is among the "
            f"{len(universe)} features of view {view!r}. The sets name {quoted(named, limit=3)}; "
            f"the view holds {quoted(universe, limit=3)}. {cure}"
        )
    return found


def _rows(
    factor: str,
    sign: str,
    loading: "pd.Series[float]",
    tested: Mapping[str, frozenset[str]],
    n_top: int | None,
    least_loading: float | None,
) -> Iterator[dict[str, object]]:
    """One row per set, for the top genes of one sign of one factor."""
    top = _top_genes(loading * SIGNS[sign], n_top, least_loading)
    n_universe = len(loading)
    if len(top) == n_universe:
        raise StudyError(
            f"the top genes must be some of the view's {n_universe}, but all are, by the rule, for "
            f"{factor} ({sign}): nothing can stand out. Take fewer, or a higher loading."
        )
    if not top:
        return
    for name, genes in tested.items():
        both = [gene for gene in top if gene in genes]
        n_set, k = len(genes), len(both)
        neither = n_universe - len(top) - n_set + k
        yield {
            "factor": factor,
            "sign": sign,
            "gene_set": name,
            "n_set": n_set,
            "n_top": len(top),
            "n_overlap": k,
            "expected": len(top) * n_set / n_universe,
            "odds_ratio": _odds_ratio(k * neither, (len(top) - k) * (n_set - k)),
            "genes": " ".join(both),
        }


def _chances(table: pd.DataFrame, n_universe: int) -> NDArray[np.float64]:
    """Give every row its p, summed once for the many rows of the same counts."""
    counts = table[["n_overlap", "n_set", "n_top"]].to_numpy(dtype=np.int64).T
    (overlap, n_set, n_top), place = np.unique(counts, axis=1, return_inverse=True)
    chances = np.minimum(stats.hypergeom.sf(overlap - 1, n_universe, n_set, n_top), 1.0)
    return np.asarray(chances[place.ravel()], dtype=np.float64)


def _odds_ratio(concordant: int, discordant: int) -> float:
    if discordant:
        return concordant / discordant
    return np.inf if concordant else np.nan


def _top_genes(
    signed: "pd.Series[float]", n_top: int | None, least_loading: float | None
) -> list[str]:
    """Genes above the rule among the loadings above 0, the largest first."""
    chosen = signed[(signed > 0) & (signed >= (least_loading or 0.0))]
    ranked = chosen.sort_values(ascending=False, kind="stable")
    return [str(gene) for gene in ranked.index[:n_top]]
