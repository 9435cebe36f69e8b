"""Do two tables speak of the same patients? Ids are joined exactly; a rule is proposed, never used.

Where few ids of two tables agree as they are written, the usual reasons are tried: stray spaces,
upper and lower case, a sample's id longer than the patient's (`TCGA-02-0001-01A`), a suffix or
prefix (`P7_T1`, `P7.nii.gz`, `sub-P7`) and zero padding (`P-004`, `P-0004`).
"""

import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

import pandas as pd

from omics.errors import Finding, StudyError
from omics.messages import quoted

Key = Callable[[str], str | None]

N_AFFIXES = 3  # suffixes named in one proposed rule
N_TCGA = 12  # characters of a patient's barcode: TCGA-02-0001
MANY_IDS = 0.05  # share of the smaller table: more ids that a rule would match are serious
LEAST_SHARE_OF_KEYS = 0.5  # a rule that merges more ids than this is no rule


@dataclass(frozen=True, kw_only=True)
class IdRule:
    """A rule after which more ids of two tables would match.

    Attributes
    ----------
    description : str
        The rule in words, such as "case-folding".
    declaration : str
        What the study file would say.
    tables : {"left", "right", "both"}
        Where to declare it.
    n_exact, n_matched : int
        Patients that match as written, and after the rule.
    n_merged : int
        Ids that the rule would make equal to another id of their own table.
    """

    description: str
    declaration: str
    tables: str
    n_exact: int
    n_matched: int
    n_merged: int

    def cure(self, left: str, right: str) -> str:
        """Say what to declare, for tables named `left` and `right`.

        Examples
        --------
        >>> print(find_id_rule(["p1", "p2"], ["P1", "P2"]).cure("a", "b"))
        2 would match after case-folding: declare id_rules = ['casefold'] for tables 'a' and 'b',
        and for every other table.
        """
        name = {"left": left, "right": right}.get(self.tables)
        where = (
            f"table {name!r}"
            if name  # a rule that changes both sides would part them from the other tables
            else f"tables {left!r} and {right!r}, and for every other table"
        )
        text = f"{self.n_matched} would match after {self.description}: declare {self.declaration}"
        merged = f" ({self.n_merged} ids would merge: declare reduce too)" if self.n_merged else ""
        return f"{text} for {where}{merged}."


@dataclass(frozen=True, kw_only=True)
class _Candidate:
    description: str
    declaration: str
    tables: str
    left: Key
    right: Key


def find_id_rule(left: Iterable[str], right: Iterable[str]) -> IdRule | None:
    """Find the rule after which most ids match, if any rule beats the ids as written.

    Parameters
    ----------
    left, right : iterable of str
        The distinct ids of two tables.

    Returns
    -------
    IdRule or None

    Examples
    --------
    >>> rule = find_id_rule(["P1_T1", "P2_T1", "P3"], ["P1", "P2", "P3"])
    >>> rule.n_exact, rule.n_matched, rule.declaration
    (1, 3, "id_rules = [{ regex = '^(.+?)(?:_T1)?$' }]")
    """
    first, second = sorted(set(left)), sorted(set(right))
    n_exact = len(set(first) & set(second))
    best: IdRule | None = None
    for candidate in _candidates(first, second):
        rule = _apply(candidate, first, second, n_exact)
        if rule and rule.n_matched > (best.n_matched if best else n_exact):
            best = rule
    return best


def compare_ids(left: tuple[str, pd.Index], right: tuple[str, pd.Index]) -> Finding | None:
    """Compare the ids of two tables, each given as its name and its distinct ids.

    Returns
    -------
    Finding or None
        Where a rule would match more patients than the ids as written.

    Raises
    ------
    StudyError
        If no patient of one table is in the other.
    """
    (anchor, ids), (name, others) = left, right
    shared = len(ids.intersection(others))
    smaller = min(len(ids), len(others))
    rule = find_id_rule(ids, others) if shared < smaller else None
    if shared == 0:
        cure = (
            rule.cure(anchor, name)
            if rule
            else "No simple rule makes them match: check the id column of each table."
        )
        raise StudyError(
            f"tables {anchor!r} and {name!r} must share patients, but no id of one occurs in the "
            f"other ({anchor}: {quoted(ids[:3])}; {name}: {quoted(others[:3])}). {cure}"
        )
    if rule is None:
        return None
    return Finding(
        code="ids_match_by_rule",
        severity="serious" if rule.n_matched - shared >= MANY_IDS * smaller else "caution",
        where=name,
        message=(
            f"{shared} of {len(others)} patients of table {name!r} occur in table {anchor!r} "
            f"({len(ids)} patients) with the id as written; {rule.cure(anchor, name)} Without the "
            "rule these patients count as lost, or as having no such view."
        ),
    )


def _apply(candidate: _Candidate, left: list[str], right: list[str], n_exact: int) -> IdRule | None:
    keys = {candidate.left(value) for value in left}
    others = {candidate.right(value) for value in right}
    if None in keys | others:  # reading a table refuses an id that its regex does not match
        return None
    kept = min(len(keys) / max(len(left), 1), len(others) / max(len(right), 1))
    if kept < LEAST_SHARE_OF_KEYS:
        return None
    return IdRule(
        description=candidate.description,
        declaration=candidate.declaration,
        tables=candidate.tables,
        n_exact=n_exact,
        n_matched=len(keys & others),
        n_merged=len(left) - len(keys) + len(right) - len(others),
    )


def _both(description: str, declaration: str, key: Key) -> _Candidate:
    return _Candidate(
        description=description,
        declaration=f"id_rules = [{declaration}]",
        tables="both",
        left=key,
        right=key,
    )


def _candidates(left: list[str], right: list[str]) -> Iterator[_Candidate]:
    yield _both("stripping spaces", "'strip'", str.strip)
    yield _both("case-folding", "'casefold'", str.casefold)
    yield _both(
        "stripping spaces and case-folding",
        "'strip', 'casefold'",
        lambda value: value.strip().casefold(),
    )
    yield _first(N_TCGA)
    for pattern, description in _affixes(left, right):
        yield _one_side(pattern, description, "left")
    for pattern, description in _affixes(right, left):
        yield _one_side(pattern, description, "right")
    yield _unpadded(left + right)
    for n_characters in sorted(_common_length(left) | _common_length(right)):
        yield _first(n_characters)


def _common_length(ids: list[str]) -> set[int]:
    lengths = {len(value) for value in ids}
    return lengths if len(lengths) == 1 else set()


def _first(n_characters: int) -> _Candidate:
    return _both(
        f"taking the first {n_characters} characters",
        f"{{ first = {n_characters} }}",
        lambda value: value[:n_characters],
    )


def _unpadded(ids: list[str]) -> _Candidate:
    prefixes = {re.sub(r"\d+$", "", value) for value in ids}
    start = f"^{_escape(prefixes.pop())}" if len(prefixes) == 1 else ""
    pattern = rf"{start}0*(\d+)$"
    return _both(
        "dropping the zeros that pad the number",
        f"{{ regex = '{pattern}' }}",
        _key(pattern),
    )


def _one_side(pattern: str, description: str, side: str) -> _Candidate:
    return _Candidate(
        description=description,
        declaration=f"id_rules = [{{ regex = '{pattern}' }}]",
        tables=side,
        left=_key(pattern) if side == "left" else str,
        right=_key(pattern) if side == "right" else str,
    )


def _key(pattern: str) -> Key:
    """Return the rule that reading a table with `regex = pattern` would apply."""
    compiled = re.compile(pattern)

    def group(value: str) -> str | None:
        found = compiled.search(value)
        return found.group(1) if found else None

    return group


def _affixes(ids: list[str], others: list[str]) -> Iterator[tuple[str, str]]:
    """Yield patterns (and their description) of what `ids` carry beyond ids among `others`."""
    known = set(others)
    unmatched = [value for value in ids if value not in known]
    suffixes = Counter(tail for value in unmatched for tail in _tails(value, known))
    prefixes = Counter(head for value in unmatched for head in _heads(value, known))
    if suffixes:
        common = [suffix for suffix, _ in suffixes.most_common(N_AFFIXES)]
        yield f"^(.+?)(?:{_alternatives(common)})?$", f"dropping the suffix {_listed(common)}"
    if len(suffixes) > N_AFFIXES:
        separator = suffixes.most_common(1)[0][0][0]
        yield f"^([^{separator}]+)", f"dropping what follows the first {separator!r}"
    if prefixes:
        common = [prefix for prefix, _ in prefixes.most_common(N_AFFIXES)]
        yield f"^(?:{_alternatives(common)})?(.+)$", f"dropping the prefix {_listed(common)}"


def _tails(value: str, known: set[str]) -> Iterator[str]:
    """Yield what follows the longest known id at the start of `value`, up to a separator."""
    starts = [found.start() for found in re.finditer(r"[^A-Za-z0-9]", value)]
    for start in reversed(starts):
        if value[:start] in known:
            yield value[start:]
            return


def _heads(value: str, known: set[str]) -> Iterator[str]:
    """Yield what precedes the longest known id at the end of `value`."""
    for found in re.finditer(r"(?<=[^A-Za-z0-9])|(?<=[A-Za-z])(?=\d)", value):
        if value[found.start() :] in known:
            yield value[: found.start()]
            return


def _alternatives(affixes: list[str]) -> str:
    return "|".join(_escape(affix) for affix in affixes)


def _escape(text: str) -> str:
    """Escape `text` for a regular expression, leaving the hyphen legible."""
    return re.escape(text).replace(r"\-", "-")


def _listed(affixes: list[str]) -> str:
    return " or ".join(repr(affix) for affix in affixes)
