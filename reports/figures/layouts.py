"""Axes that several figures share."""

from collections.abc import Sequence
from typing import Any

from reports.style import feature_name, plain


def threshold_axis(
    span: Sequence[float], *, horizon: float | None, unit: str | None
) -> dict[str, Any]:
    """Lay out the axis of threshold probabilities, over `span`."""
    by = "" if horizon is None else f", event by {horizon:g} {plain(unit or '')}".rstrip()
    return {
        "title": {"text": f"Threshold probability{by}"},
        "tickformat": ".0%",
        "range": list(span),
        "nticks": 8,
    }


def factor_axis(factors: Sequence[str]) -> dict[str, Any]:
    """Lay out the axis of a map's factors, one after the other."""
    return {
        "tickvals": list(range(len(factors))),
        "ticktext": [plain(feature_name(factor)) for factor in factors],
        "title": {"text": "Factor"},
        "showline": False,
        "ticks": "",
    }
