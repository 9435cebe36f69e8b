"""How much are copies of masks changed: the flags of `nomomics extract`, read and written out."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from omics.errors import StudyError
from omics.perturbation import PerturbationSettings
from omics.perturbing import AS_READERS, Perturbing

AMOUNTS = ("shift", "grow", "contour", "smoothness", "noise")


def asked_perturbing(n: int, given: Mapping[str, Any]) -> Perturbing | None:
    """Read what `--perturb` and the flags beside it ask for.

    Parameters
    ----------
    n : int
        Copies of each mask; 0 asks for none.
    given : mapping of str to value
        `seed` and the amounts of `PerturbationSettings`, None where the flag is not given.

    Returns
    -------
    Perturbing or None
        What no flag says is as in `omics.perturbing.AS_READERS`.

    Raises
    ------
    StudyError
        If amounts are given without copies, or cannot be.

    Examples
    --------
    >>> asked_perturbing(10, {"shift": 2.0, "seed": None}).settings.shift
    2.0
    """
    stated = {name: value for name, value in given.items() if value is not None}
    if not n:
        if stated:
            flags = ", ".join(f"--perturb-{name}" for name in stated)
            raise StudyError(
                f"--perturb must say how many changed copies are measured, but only {flags} came. "
                "Add --perturb 10, or take them out."
            )
        return None
    seed = stated.pop("seed", 0)
    try:
        return Perturbing(n=n, seed=seed, settings=replace(AS_READERS, **stated))
    except ValueError as error:
        raise StudyError(f"--perturb: {error}") from error


def perturbing_flags(perturbing: Perturbing) -> str:
    """Write the flags that ask for the same copies again.

    Examples
    --------
    >>> perturbing_flags(Perturbing(n=2, seed=5, settings=PerturbationSettings(shift=2)))
    '--perturb 2 --perturb-shift 2 --perturb-grow 0 0 --perturb-contour 0
     --perturb-smoothness 5 --perturb-noise 0 --perturb-seed 5'
    """
    settings = perturbing.settings
    values = {name: getattr(settings, name) for name in AMOUNTS}
    flags = [f"--perturb {perturbing.n}"]
    for name, value in (*values.items(), ("seed", perturbing.seed)):
        numbers = value if isinstance(value, tuple) else (value,)
        flags.append(" ".join([f"--perturb-{name}", *map(_number, numbers)]))
    return " ".join(flags)


def perturbing_words(perturbing: Perturbing) -> str:
    """Say how the copies were changed.

    Examples
    --------
    >>> perturbing_words(Perturbing(n=10))
    'masks shifted by 1 mm, grown by -1 to 1 mm, redrawn by 1 mm (standard deviation, alike over
     5 mm); seed 0'
    """
    settings: PerturbationSettings = perturbing.settings
    low, high = settings.grow
    said = {
        f"shifted by {settings.shift:g} mm": settings.shift,
        f"grown by {low:g} to {high:g} mm": low or high,
        f"redrawn by {settings.contour:g} mm (standard deviation, alike over "
        f"{settings.smoothness:g} mm)": settings.contour,
    }
    changes = [text for text, amount in said.items() if amount]
    masks = [f"masks {', '.join(changes)}"] if changes else []
    noise = [f"noise added of {settings.noise:g} times the image's own"] if settings.noise else []
    return f"{', '.join(masks + noise)}; seed {perturbing.seed}"


def _number(value: float) -> str:
    """Write a number as short as it reads back the same."""
    return f"{value:g}" if float(f"{value:g}") == value else repr(value)
