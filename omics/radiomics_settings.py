"""Were the radiomics features that a study joins extracted in the same way? Others are refused.

A feature computed with another bin width or voxel spacing is another feature under the same name.
Tables say how they were extracted in the columns they set aside: ours, and pyradiomics' own
(`diagnostics_Configuration_Settings`, `diagnostics_Versions_PyRadiomics`). Rows that kept the
digest of our settings alone (`diagnostics_Configuration_Hash`) are compared by it. Of rows that say
nothing, nothing is known. Versions that differ are told and not refused: between releases most
features are the same to the last digit.
"""

import ast
import json
from collections.abc import Collection, Mapping, Sequence
from typing import Any

import pandas as pd

from omics.errors import Finding, StudyError
from omics.extraction_settings import settings_difference, settings_digest
from omics.messages import quoted, some_of

SETTINGS = "diagnostics_Configuration_Settings"
HASH = "diagnostics_Configuration_Hash"
IMAGE_TYPES = "diagnostics_Configuration_EnabledImageTypes"  # pyradiomics keeps them apart
VERSIONS = "diagnostics_Versions"
PYRADIOMICS = "diagnostics_Versions_PyRadiomics"
OF_THE_REGION = ("label", "label_channel", "additionalInfo")  # change no feature
KEYS = ["where", "what", "cell", "types"]
CODES = ("radiomics_settings", "radiomics_versions")


def compare_settings(
    provenance: Mapping[str, pd.DataFrame],
    *,
    cohort: "pd.Series[str] | None" = None,
    may_differ: Collection[str] = (),
) -> list[Finding]:
    """Refuse features extracted with different settings, within and between tables.

    Parameters
    ----------
    provenance : mapping of table to DataFrame
        What each table says of how its features were made, one row per patient. After a spread its
        columns stand there once for every sequence and region (`T1c|core|diagnostics_...`).
    cohort : Series, optional
        The cohort of every patient, where there are several.
    may_differ : collection of str
        Tables that were declared to differ: told, not refused.

    Returns
    -------
    list of Finding
        One for each table that was declared to differ and does, and one for differing versions.

    Raises
    ------
    StudyError
        With the difference.

    Examples
    --------
    >>> texts = ['{"setting": {"binWidth": 25}}', '{"setting": {"binWidth": 5}}']
    >>> table = pd.DataFrame({SETTINGS: texts}, index=["P1", "P2"])
    >>> compare_settings({"radiomics": table})
    Traceback (most recent call last):
    omics.errors.StudyError: radiomics features must be extracted with the same settings to be
    joined, but 1 row of table 'radiomics' has others than 1 row of table 'radiomics' (binWidth: ...
    """
    found = [
        row for table, frame in provenance.items() for row in _stated(table, frame, cohort=cohort)
    ]
    settings = pd.DataFrame(found, columns=["table", "where", "what", "text", "rows"])
    versions = settings[settings["what"] == "versions"]
    settings = settings[settings["what"] == "settings"]
    _refuse_different(settings[~settings["table"].isin(may_differ)])
    return [*_declared(settings, may_differ), *_version_findings(versions)]


def stated_settings(provenance: Mapping[str, pd.DataFrame]) -> tuple[str, ...]:
    """List the settings that tables state, each once, as JSON.

    Parameters
    ----------
    provenance : mapping of table to DataFrame
        As `compare_settings` takes it.

    Examples
    --------
    >>> table = pd.DataFrame({SETTINGS: ['{"setting": {"binWidth": 5}}'] * 2})
    >>> stated_settings({"radiomics": table})
    ('{"setting": {"binWidth": 5}}',)
    """
    rows = [
        row for table, frame in provenance.items() for row in _stated(table, frame, cohort=None)
    ]
    return tuple(dict.fromkeys(text for _, _, what, text, _ in rows if what == "settings"))


def other_settings(provenance: pd.DataFrame, known: Sequence[str]) -> list[tuple[int, list[str]]]:
    """Count the rows that were extracted with none of the known settings.

    Parameters
    ----------
    provenance : DataFrame
        What new patients say of how their features were made, one row each.
    known : sequence of str
        From `stated_settings`.

    Returns
    -------
    list of (int, list of str)
        Rows, and in what their settings differ from the first known ones.

    Examples
    --------
    >>> new = pd.DataFrame({SETTINGS: ['{"setting": {"binWidth": 5}}'] * 2})
    >>> other_settings(new, ['{"setting": {"binWidth": 25}}'])
    [(2, ['binWidth: 5 here, 25 there'])]
    """
    return [
        (count, _differences(text, known[0]))
        for _, _, what, text, count in _stated("", provenance, cohort=None)
        if what == "settings" and all(_differences(text, one) for one in known)
    ]


def _stated(
    table: str, frame: pd.DataFrame, *, cohort: "pd.Series[str] | None"
) -> list[tuple[str, str, str, str, int]]:
    """List what the rows of a table state, each once for every cohort, with the number of rows."""
    where = pd.Series(f"table {table!r}", index=frame.index, dtype=object)
    if cohort is not None and cohort.nunique() > 1:
        where += " (" + cohort.reindex(frame.index) + ")"
    parts = []
    for name in frame.columns:
        prefix, what = _taken_apart(str(name))
        if what in (SETTINGS, HASH, VERSIONS, PYRADIOMICS):
            types = frame.get(f"{prefix}{IMAGE_TYPES}") if what == SETTINGS else None
            part = pd.DataFrame({"where": where, "what": what, "cell": frame[name], "types": types})
            said = part["cell"].map(_is_text).astype(bool)
            if what == HASH and f"{prefix}{SETTINGS}" in frame:
                said &= ~frame[f"{prefix}{SETTINGS}"].map(_is_text).astype(bool)
            parts.append(part[said])
    if not parts:
        return []
    counts = pd.concat(parts).groupby(KEYS, dropna=False, sort=False).size()
    summed: dict[tuple[str, str, str], int] = {}
    for (place, what, cell, types), count in zip(counts.index, counts, strict=True):
        kind = "settings" if what in (SETTINGS, HASH) else "versions"
        key = (place, kind, _canonical(what, cell, types))
        summed[key] = summed.get(key, 0) + count
    return [(table, *key, count) for key, count in summed.items()]


def _taken_apart(name: str) -> tuple[str, str]:
    """Part a column's own name from the sequence and region before it."""
    place = name.find("diagnostics_")
    return name[:place], name[place:]


def states_settings(name: str) -> bool:
    """Tell whether a column says with which settings or version features were extracted.

    Examples
    --------
    >>> states_settings("T1c|diagnostics_Configuration_Settings"), states_settings("Age")
    (True, False)
    """
    return _taken_apart(name)[1] in (SETTINGS, HASH, IMAGE_TYPES, VERSIONS, PYRADIOMICS)


def _is_text(cell: object) -> bool:
    return isinstance(cell, str) and bool(cell.strip())


def _canonical(what: str, cell: str, types: object) -> str:
    """Write what a row states as JSON, whichever program wrote it."""
    if what == PYRADIOMICS:
        return json.dumps({"pyradiomics": cell.removeprefix("v")})
    if what == HASH:
        return json.dumps({"digest": cell.strip()})
    stated = _read(cell)
    if what == SETTINGS and "setting" not in stated:  # pyradiomics' own
        kept = {name: value for name, value in stated.items() if name not in OF_THE_REGION}
        stated = {"setting": kept}
        filters = _read(types) if isinstance(types, str) else {}
        if filters and all(isinstance(own, dict) for own in filters.values()):
            stated["imageType"] = filters
    return json.dumps(stated, sort_keys=True, default=str)


def _read(cell: str) -> dict[str, Any]:
    """Read JSON, or what Python wrote of a dictionary; other text stays whole."""
    found: Any = None
    for parse in (json.loads, ast.literal_eval):
        try:
            found = parse(cell)
        except (ValueError, SyntaxError):
            continue
        break
    return found if isinstance(found, dict) else {"text": cell}


def _differences(one: str, other: str) -> list[str]:
    """Name the settings that differ, of those that both programs state."""
    here, there = json.loads(one), json.loads(other)
    if "digest" in here or "digest" in there:
        return _digests_differ(_digest(one), _digest(other))
    if set(here) == set(there):
        return settings_difference(one, other)
    parts = {part: (here[part], there[part]) for part in here if part in there}
    setting, their = parts["setting"]
    both = setting.keys() & their.keys()
    parts["setting"] = ({k: setting[k] for k in both}, {k: their[k] for k in both})
    return settings_difference(
        *(json.dumps({part: pair[side] for part, pair in parts.items()}) for side in (0, 1))
    )


def _digest(text: str) -> str | None:
    """Return the digest of our settings, None of pyradiomics' own."""
    stated = json.loads(text)
    if "digest" in stated:
        return str(stated["digest"])
    return settings_digest(text) if "preprocess" in stated else None


def _digests_differ(here: str | None, there: str | None) -> list[str]:
    if here is None or there is None or here == there:
        return []
    return [f"digest: {here} here, {there} there; what differs is not stated"]


def _refuse_different(settings: pd.DataFrame) -> None:
    if settings.empty:
        return
    first = settings.iloc[0]
    for _, other in settings.iterrows():
        difference = _differences(other["text"], first["text"])
        if difference:
            raise StudyError(
                "radiomics features must be extracted with the same settings to be joined, but "
                f"{_rows(other)} {'has' if other['rows'] == 1 else 'have'} others than "
                f"{_rows(first)} ({some_of(difference, limit=8)}). Extract them again with the "
                f"same settings, or state different_settings = true in [tables.{other['table']}]."
            )


def _rows(one: "pd.Series[Any]") -> str:
    return f"{one['rows']} row{'' if one['rows'] == 1 else 's'} of {one['where']}"


def _declared(settings: pd.DataFrame, may_differ: Collection[str]) -> list[Finding]:
    """Tell of every table that was declared to differ whether it does, and how."""
    findings = []
    for table in settings.loc[settings["table"].isin(may_differ), "table"].unique():
        first = settings[settings["table"] == table].iloc[0]
        for _, other in settings.iterrows():
            difference = _differences(first["text"], other["text"])
            if difference:
                findings.append(_declared_finding(first, other, difference))
                break
    return findings


def _declared_finding(
    first: "pd.Series[Any]", other: "pd.Series[Any]", difference: list[str]
) -> Finding:
    return Finding(
        code="radiomics_settings",
        severity="caution",
        where=str(first["table"]),
        message=f"The radiomics features of table {first['table']!r} were extracted with "
        f"different settings, as declared: {_rows(first)} against {_rows(other)} "
        f"({some_of(difference, limit=8)}). Features of one name need not be comparable.",
    )


def _version_findings(versions: pd.DataFrame) -> list[Finding]:
    """Tell which programs extracted in several versions."""
    known: dict[str, set[str]] = {}
    for text in versions["text"].unique():
        for program, version in json.loads(text).items():
            known.setdefault(str(program), set()).add(str(version))
    several = [f"{name} {quoted(sorted(found))}" for name, found in known.items() if len(found) > 1]
    if not several:
        return []
    return [
        Finding(
            code="radiomics_versions",
            severity="note",
            where=", ".join(sorted(set(versions["table"]))),
            message="The radiomics features of the study were extracted with several versions of "
            f"{some_of(several)}.",
        )
    ]
