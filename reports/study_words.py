"""What is wrong in a study file, in its author's words: section, key, what came, the cure."""

import re
from collections.abc import Iterable, Mapping
from types import UnionType
from typing import Annotated, Any, Union, get_args, get_origin

from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo

from omics.messages import nearest

NAMED_SECTIONS = ("tables", "external")  # [tables.clinical]: the name belongs to the section
LISTED_SECTIONS = ("models", "signatures")  # [[models]]: one after the other
_PLAIN = (
    ("Input should be ", "must be "),
    ("a valid tuple", "a list [ ]"),
    ("a valid list", "a list [ ]"),
    ("a valid dictionary or instance of TableSpec", "a section, such as [tables.clinical]"),
    ("a valid dictionary or instance of ModelSpec", "a section [[models]]"),
    ("a valid dictionary or instance of SignatureSpec", "a section [[signatures]]"),
    (
        "a valid dictionary or instance of TableOneSpec",
        "a list [ ] of columns, or { columns = [...], by = ... }",
    ),
    ("a valid dictionary or object to extract fields from", "a section of keys and values"),
    ("a valid dictionary", "of the form { key = value }"),
    ("a valid integer, unable to parse string as an integer", "a whole number"),
    ("a valid integer, got a number with a fractional part", "a whole number"),
    ("a valid integer", "a whole number"),
    ("a valid number, unable to parse string as a number", "a number"),
    ("a valid number", "a number"),
    ("a valid string", "a text in quotes"),
    ("a valid boolean, unable to interpret input", "true or false"),
    ("a valid boolean", "true or false"),
)

Place = tuple[Any, ...]


def mistakes(error: ValidationError, content: Mapping[str, Any], study: type[BaseModel]) -> str:
    """List every mistake of a study file, one line each.

    Parameters
    ----------
    error : ValidationError
    content : mapping
        What the file says.
    study : type
        The model of a whole study file: its fields are the keys that are known.

    Returns
    -------
    str
    """
    lines: dict[tuple[Place, str], list[tuple[str, str]]] = {}
    for problem in error.errors():
        place, key = _place(problem, content)
        words = _in_words(problem, key, _fields_at(place, content, study))
        lines.setdefault((place, key), []).append(words)
    return "\n".join(
        f"  - {_section(place, content)}{_joined(texts)}" for (place, _), texts in lines.items()
    )


def _joined(texts: list[tuple[str, str]]) -> str:
    """Join what the several forms that a value may take each ask of it."""
    came = max((after for _, after in texts), key=len)
    first, *others = dict.fromkeys(text for text, _ in texts)
    if all(text.startswith("must be") for text in others):
        first = " or ".join([first, *(text.removeprefix("must be ") for text in others)])
    return first + came


def _place(problem: Any, content: Mapping[str, Any]) -> tuple[Place, str]:
    """Return where the file holds the mistake, and the key that is absent or unknown there."""
    location = list(problem["loc"])
    key = str(location.pop()) if problem["type"] in ("extra_forbidden", "missing") else ""
    place: list[Any] = []
    value: Any = content
    for part in location:  # parts that the file does not hold are names of pydantic's own
        keys = value if isinstance(value, dict) else ()
        if part in (range(len(value)) if isinstance(value, list) else keys):
            value = value[part]
            place.append(part)
    return tuple(place), key


def _section(place: Place, content: Mapping[str, Any]) -> str:
    """Name the section as the file writes it, and the key in it."""
    if not place:
        return ""
    first, *rest = place
    if first in LISTED_SECTIONS and rest:
        part = content[first][rest[0]]
        name = part.get("name") if isinstance(part, dict) else None
        title, rest = f"[[{first}]] {name or rest[0] + 1}", rest[1:]
    elif first in NAMED_SECTIONS and rest:
        title, rest = f"[{first}.{rest[0]}]", rest[1:]
    elif isinstance(content[first], dict | list):
        title = f"[{first}]"
    else:
        return f"{first}: "
    return " ".join([title, *(str(part) for part in rest if not isinstance(part, int))]) + ": "


def _in_words(problem: Any, key: str, known: Mapping[str, FieldInfo]) -> tuple[str, str]:
    """Say what is wrong, and what came instead."""
    kind, text = problem["type"], str(problem["msg"]).removeprefix("Value error, ")
    if kind == "extra_forbidden":
        return f"unknown key {key!r}. {nearest(key, known)}", ""
    if kind == "missing":
        return "a second value is missing" if key.isdigit() else _missing(key, known), ""
    if kind.startswith("union_tag"):
        return "kind must be 'survival' or 'binary'", ""
    if kind == "too_short":
        return "must be a list or section with at least one entry", ""
    if len(problem["loc"]) == 1 and problem["loc"][0] in LISTED_SECTIONS:
        name = problem["loc"][0]
        return f"must be a list of sections: write [[{name}]], with two brackets", ""
    for theirs, ours in _PLAIN:
        text = text.replace(theirs, ours)
    given = problem.get("input")
    if isinstance(given, dict | list) or given is None or "but" in text:
        return text, ""
    near = nearest(str(given), re.findall(r"'([^']+)'", text)) if kind == "literal_error" else ""
    return text, f", but {given!r} came{f'. {near}' if near.startswith('Did') else ''}"


def _missing(key: str, known: Mapping[str, FieldInfo]) -> str:
    """Name a key that must be stated, and say what it states."""
    meaning = known[key].description if key in known else None
    return f"{key!r} is missing" + (f": {meaning}" if meaning else "")


def _fields_at(
    place: Place, content: Mapping[str, Any], study: type[BaseModel]
) -> dict[str, FieldInfo]:
    """List what the section at `place` understands."""
    annotation: Any = study
    for part in place:
        annotation = _below(annotation, part)
    sections = [model for model in _models_in(annotation) if _is_meant(model, place, content)]
    return dict(sections[0].model_fields) if sections else {}


def _below(annotation: Any, part: Any) -> Any:
    """Return the type of what stands under the key or position `part`."""
    for model in _models_in(annotation):
        if str(part) in model.model_fields:
            return model.model_fields[str(part)].annotation
    for kind in _alternatives(annotation):
        if get_origin(kind) in (dict, list):
            return get_args(kind)[-1]
    return None


def _alternatives(annotation: Any) -> Iterable[Any]:
    """Take `X | None` and annotations apart."""
    if get_origin(annotation) is Annotated:
        yield from _alternatives(get_args(annotation)[0])
    elif get_origin(annotation) in (Union, UnionType):
        for inner in get_args(annotation):
            yield from _alternatives(inner)
    else:
        yield annotation


def _models_in(annotation: Any) -> list[type[BaseModel]]:
    kinds = _alternatives(annotation)
    return [kind for kind in kinds if isinstance(kind, type) and issubclass(kind, BaseModel)]


def _is_meant(model: type[BaseModel], place: Place, content: Mapping[str, Any]) -> bool:
    """Tell whether `model` is the kind of outcome that the section declares."""
    declared = content["outcome"] if place == ("outcome",) else None
    return not isinstance(declared, dict) or bool(
        model.model_fields["kind"].default == declared.get("kind")
    )
