"""From each predictor's number or level to the columns of the design, its gaps filled or drawn.

Numbers and positions of levels are one array, `values`, of shape (n_patients, n_terms). Imputation
sees them as `wide` columns: numbers as they are, a category as zeros and ones.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from models.draws import DrawChain, Variable
from models.imputation import Chain, fit_chain
from models.interactions import Interaction
from models.terms import Term

Floats = NDArray[np.float64]


def fill_gaps(values: Floats, terms: Sequence[Term], chain: Chain | None) -> Floats:
    """Fill gaps by chained equations, or with the median or the most frequent level without them.

    A category takes its likeliest level.

    Parameters
    ----------
    values : ndarray of shape (n_patients, n_terms)
        NaN where missing.
    terms : sequence of Term
    chain : Chain or None

    Returns
    -------
    ndarray of the same shape
    """
    gaps = np.isnan(values)
    if not gaps.any():
        return values
    if chain is None:
        return np.where(gaps, np.array([term.fill_number for term in terms]), values)
    filled = _narrow(chain.fill(level_columns(values, terms)[0]), terms)
    return np.where(gaps, filled, values)


def learn_chain(values: Floats, terms: Sequence[Term]) -> Chain:
    """Learn the chained equations among the terms."""
    wide, groups = level_columns(values, terms)
    return fit_chain(wide, groups=groups)


def level_columns(values: Floats, terms: Sequence[Term]) -> tuple[Floats, list[int]]:
    """Give numbers as they are and categories as zeros and ones, and each column's term."""
    blocks = [
        term.expand(values[:, j]) if term.kind == "category" else values[:, [j]]
        for j, term in enumerate(terms)
    ]
    return np.hstack(blocks), [j for j, block in enumerate(blocks) for _ in block.T]


def variables_of(terms: Sequence[Term]) -> list[Variable]:
    """Say which of the wide columns belong together."""
    found, start = [], 0
    for term in terms:
        width = max(len(term.levels) - 1, 1)
        columns = np.arange(start, start + width)
        found.append(Variable(columns=columns, is_category=term.kind == "category"))
        start += width
    return found


def drawn_designs(
    values: Floats, terms: Sequence[Term], interactions: Sequence[Interaction], chain: DrawChain
) -> Floats:
    """Draw patients' gaps; (n_draws, n_patients, n_design_columns)."""
    return expand_copies(chain.draw(level_columns(values, terms)[0]), terms, interactions)


def expand_copies(
    wide: Floats, terms: Sequence[Term], interactions: Sequence[Interaction]
) -> Floats:
    """Turn completed copies of wide columns, (M, n, ...), into their design matrices."""
    flat = expand_terms(_narrow(wide.reshape(-1, wide.shape[2]), terms), terms, interactions)
    return flat.reshape(*wide.shape[:2], -1)


def _narrow(wide: Floats, terms: Sequence[Term]) -> Floats:
    """Give each term's number or likeliest level from its wide columns."""
    columns, start = [], 0
    for term in terms:
        width = max(len(term.levels) - 1, 1)
        block, start = wide[:, start : start + width], start + width
        if term.kind == "category":  # what the others leave is the reference's
            share = np.column_stack([1 - block.sum(axis=1), block])
            columns.append(share.argmax(axis=1).astype(np.float64))
        else:
            columns.append(block[:, 0])
    return np.column_stack(columns)


def expand_terms(
    values: Floats, terms: Sequence[Term], interactions: Sequence[Interaction]
) -> Floats:
    """Compute the design columns term by term, then the products of those that interact."""
    blocks: list[Floats] = [np.empty((len(values), 0))]
    start = 0
    for j, term in enumerate(terms):
        if term.kind in ("spline", "category"):  # neighbouring linear terms go in one
            blocks += [values[:, start:j], term.expand(values[:, j])]
            start = j + 1
    matrix = np.hstack([*blocks, values[:, start:]])
    if not interactions:
        return matrix
    names = (name for term in terms for name in term.columns)
    columns = dict(zip(names, matrix.T, strict=True))
    return np.hstack([matrix, *(one.expand(columns) for one in interactions)])
