"""Whose files are they? The patients that the paths of a manifest name, held against its rows.

A path names a patient where an id of the manifest stands in it as a whole word: between signs that
are no letters or digits, or, if it has both, between letters and digits (`pat01` in `pat01T1.nii`).
The folders that all paths share are left aside. A row is suspect if

- its image and mask name different patients,
- its files name another patient and not its own, as when a column was sorted alone; unless most
  rows name nobody, and most of the others not their own patient: these number something else,
- some of its files name its own patient and the mask (or image) none, while in all other rows, or
  nine of ten, the masks name theirs: it is the mask of somebody who is not in the manifest.

Of ids with fewer than three characters, since `1` stands in many paths and means nothing, only
folders that are called so (`P1`, `sub-1`) are looked at, and only whether those of image and mask
differ.
"""

import os
import re
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import TypeAlias

from omics.case import Case
from omics.messages import quoted

_SHORTEST_ID = 3
_FEWEST_OTHERS = 2  # rows that make a habit
_WORD = re.compile(r"[^\W\d_]+|\d+")
_Named: TypeAlias = dict[str, set[str]]  # ids by the column of the file


def suspect_rows(cases: Sequence[Case], places: Sequence[str]) -> list[str]:
    """Name the rows whose files seem to belong to another patient.

    Parameters
    ----------
    cases : sequence of Case
    places : sequence of str
        Where each stands, such as `row 2`.

    Returns
    -------
    list of str
        One phrase a row.

    Examples
    --------
    >>> def case(patient, mask):
    ...     return Case(patient=patient, image=Path(f"/d/{patient}_T1.nii"), mask=Path(mask), row=1)
    >>> cases = [case("P-1", "/d/P-2_seg.nii"), case("P-2", "/d/P-1_seg.nii")]
    >>> suspect_rows(cases, ["row 2", "row 3"])[0]
    "row 2: mask of 'P-1' names 'P-2'"
    """
    shared = os.path.commonpath([path.parent for case in cases for path in case.files.values()])
    ids = {_own(case): case.patient for case in cases if len(case.patient) >= _SHORTEST_ID}
    find = _finder(ids)
    named = [
        {name: find(str(path).removeprefix(shared).casefold()) for name, path in case.files.items()}
        for case in cases
    ]
    long = [(_own(case), row) for case, row in zip(cases, named, strict=True) if _own(case) in ids]
    meant, nameless = _ids_are_meant(long), _without_own_names(long)
    short = {_own(case): case.patient for case in cases if _own(case) not in ids}
    wrong = []
    for case, row, place in zip(cases, named, places, strict=True):
        told = _another(case, row, ids) if meant and _own(case) in ids else None
        told = told or _two_patients(row, ids) or _nobody(case, row, nameless)
        told = told or _two_folders(case, short, shared)
        wrong += [f"{place}: {told}"] if told else []
    return wrong


def _own(case: Case) -> str:
    return case.patient.casefold()


def _ids_are_meant(rows: Sequence[tuple[str, _Named]]) -> bool:
    """Tell whether what looks like ids in paths are ids, and no numbers of scans."""
    own = sum(any(patient in found for found in row.values()) for patient, row in rows)
    some = sum(any(row.values()) for _, row in rows)
    return 2 * own >= some or 2 * some >= len(rows)


def _another(case: Case, row: _Named, ids: dict[str, str]) -> str | None:
    for name, found in row.items():
        if found and _own(case) not in found:
            return f"{name} of {case.patient!r} names {_listed(found, ids)}"
    return None


def _two_patients(row: _Named, ids: dict[str, str]) -> str | None:
    naming = [(name, found) for name, found in row.items() if found]
    for name, found in naming[1:]:
        if found.isdisjoint(naming[0][1]):
            first = f"{naming[0][0]} names {_listed(naming[0][1], ids)}"
            return f"{first}, {name} names {_listed(found, ids)}"
    return None


def _without_own_names(rows: Sequence[tuple[str, _Named]]) -> dict[str, str]:
    """Return the columns in which nearly all files name their own patient, with how many do."""
    habits = {}
    for column in dict.fromkeys(name for _, row in rows for name in row):
        own = [patient in row[column] for patient, row in rows if column in row]
        lacking = len(own) - sum(own)
        if sum(own) >= _FEWEST_OTHERS and lacking <= max(1, len(own) // 10):
            habits[column] = f"{sum(own)} of {len(own)}"
    return habits


def _nobody(case: Case, row: _Named, habits: dict[str, str]) -> str | None:
    if not any(_own(case) in found for found in row.values()):
        return None
    for name, many in habits.items():
        if name in row and not row[name]:
            return f"{name} of {case.patient!r} does not name the patient, as {many} do"
    return None


def _listed(found: Iterable[str], ids: dict[str, str]) -> str:
    return quoted(sorted(ids[one] for one in found), limit=1)


def _two_folders(case: Case, short: dict[str, str], shared: str) -> str | None:
    """Tell whether image and mask lie in the folders of two patients with short ids."""

    def owners(path: Path) -> set[str]:
        folders = Path(str(path).removeprefix(shared)).parent.parts
        return {name for one in folders if (name := one.casefold().removeprefix("sub-")) in short}

    of_image, of_mask = owners(case.image), owners(case.mask)
    if not of_image or not of_mask or not of_image.isdisjoint(of_mask):
        return None
    one, other = (quoted(sorted(short[name] for name in of)) for of in (of_image, of_mask))
    return f"image lies in a folder of {one}, mask in one of {other}"


def _finder(ids: Iterable[str]) -> Callable[[str], set[str]]:
    """Return a function that finds the ids standing in a text as whole words, the longest first."""
    known = frozenset(ids)
    longest = max((len(_WORD.findall(one)) for one in known), default=0)

    def stands(text: str, start: int, end: int) -> bool:
        part = text[start:end]
        if part not in known:
            return False
        around = text[max(start - 1, 0) : start] + text[end : end + 1]
        both = any(map(str.isdigit, part)) and any(map(str.isalpha, part))
        return both or not any(map(str.isalnum, around))

    def find(text: str) -> set[str]:
        words = [match.span() for match in _WORD.finditer(text)]
        found, at = set(), 0
        while at < len(words):
            for last in range(min(at + longest, len(words)) - 1, at - 1, -1):
                if stands(text, words[at][0], words[last][1]):
                    found.add(text[words[at][0] : words[last][1]])
                    at = last
                    break
            at += 1
        return found

    return find
