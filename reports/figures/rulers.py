"""Where the labels of a nomogram's rulers stand, and how they are written: none over another."""

import re
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

LANE = 14  # pixels between two lines of labels
EDGE = 12  # pixels a label may reach beyond the scale
CHARACTER = 6.4  # pixels of an average character of size TINY
_LONG = re.compile(r"-?\d*\.\d{3,}")


@dataclass(frozen=True, kw_only=True)
class Ruler:
    """One axis: its ticks at `x` (0-100) in the order of their values, and what they say.

    `detail` tells axes of one name apart: the values (`Sex=male`) of the predictors that interact,
    or a stratum.
    """

    name: str
    detail: tuple[str, ...]
    kind: str
    numbers: bool
    pale: list[bool]
    x: NDArray[np.float64]
    text: list[str]
    hover: list[str]


def short_labels(ticks: pd.DataFrame) -> list[str]:
    """Return the labels of an axis, long decimals of its numbers cut to what tells ticks apart.

    Examples
    --------
    >>> ticks = pd.DataFrame({"label": ["0", "0.3333333", "1"], "value": [0, 0.3333333, 1]})
    >>> short_labels(ticks)
    ['0', '0.33', '1']
    """
    labels = [str(label) for label in ticks["label"]]
    values = np.unique(ticks["value"].to_numpy(dtype=np.float64))
    if len(values) < 2 or np.isnan(values).any():
        return labels
    step = float(np.diff(values).min())
    decimals = min(max(int(np.ceil(-np.log10(step))) + 1, 0), 7)

    def cut(number: re.Match[str]) -> str:
        text = number.group()
        shorter = f"{float(text):.{decimals}f}"
        return shorter if len(text.strip("-0.")) > 4 and len(shorter) < len(text) else text

    return [_LONG.sub(cut, label) for label in labels]


def label_lanes(ruler: Ruler, width: int) -> list[int]:
    """Give each label a lane: -1, -2, ... below the ruler, 1, 2, ... above it, 0 not shown.

    Categories are all shown, on as many lanes as they need, first below, then above. Of numbers
    crowded labels go (the ends stay); where a spline turns, the way back is labelled above.
    """
    spans = _label_spans(ruler, width)
    if ruler.numbers:
        return _number_lanes(ruler, spans, gap=500 / width)
    lanes = [0] * len(ruler.x)
    taken: dict[int, list[tuple[float, float]]] = {}
    for position in np.argsort(ruler.x, kind="stable"):
        if not ruler.text[position]:
            continue
        lane = next(
            lane
            for depth in range(1, len(lanes) + 1)
            for lane in (-depth, depth)
            if _is_free(spans[position], taken.get(lane, []), 800 / width)
        )
        lanes[position] = lane
        taken.setdefault(lane, []).append(spans[position])
    return lanes


def _number_lanes(ruler: Ruler, spans: list[tuple[float, float]], *, gap: float) -> list[int]:
    step = np.diff(ruler.x, prepend=ruler.x[0])
    turns = (step > 0).any() and (step < 0).any()
    main = np.sign(ruler.x[-1] - ruler.x[0]) or 1.0
    sides = np.where(turns & (step * main < 0), 1, -1)
    for order in _orders(ruler):
        lanes, n_crowded = _placed(ruler, spans, order, sides, gap)
        if n_crowded <= 2:  # only the neighbours of the ends gave way
            return lanes
    return lanes


def _placed(
    ruler: Ruler,
    spans: list[tuple[float, float]],
    order: list[int],
    sides: NDArray[np.int_],
    gap: float,
) -> tuple[list[int], int]:
    """Give lanes to labels in this order; return how many found no room too."""
    lanes = [0] * len(ruler.x)
    taken: dict[int, list[tuple[float, float]]] = {}
    n_crowded = 0
    for position in order:
        side = int(sides[position])
        if not ruler.text[position]:
            continue
        if _is_free(spans[position], taken.get(side, []), gap):
            lanes[position] = side
            taken.setdefault(side, []).append(spans[position])
        else:
            n_crowded += 1
    return lanes, n_crowded


def _orders(ruler: Ruler) -> list[list[int]]:
    """Return orders in which labels are placed, the best first; the last one takes what fits.

    On an even ruler every tick, every second or every fifth is named, counted from zero; on any
    other the ends come first, then every fourth, every second, and the rest.
    """
    n = len(ruler.x)
    greedy = [0, n - 1, *range(0, n, 4), *range(0, n, 2), *range(n)]
    orders = [greedy]
    step = np.diff(ruler.x)
    if n > 2 and np.allclose(step, step[0]):
        anchor = ruler.text.index("0") if "0" in ruler.text else 0
        even = [[0, n - 1, *range(anchor % stride, n, stride)] for stride in (1, 2, 5)]
        orders = [*even, greedy]
    return [list(dict.fromkeys(order)) for order in orders]


def _is_free(span: tuple[float, float], taken: list[tuple[float, float]], gap: float) -> bool:
    return all(span[0] > high + gap or span[1] < low - gap for low, high in taken)


def lane_depth(wide: list[int], narrow: list[int], side: int) -> int:
    """Return how many lanes are used on one side (1 above, -1 below) at either width."""
    return max(0, *(side * lane for lane in wide + narrow))


def anchor_of(x: float, text: str, width: int) -> dict[str, Any]:
    """Keep a label at an end of the scale from reaching beyond the figure."""
    half = len(text) * CHARACTER / 2
    if half - x * width / 100 > EDGE:
        return {"xanchor": "left", "xshift": -EDGE}
    if half - (100 - x) * width / 100 > EDGE:
        return {"xanchor": "right", "xshift": EDGE}
    return {"xanchor": "center"}


def _label_spans(ruler: Ruler, width: int) -> list[tuple[float, float]]:
    """Return where each label begins and ends, on the scale of 0 to 100."""
    spans = []
    for x, text in zip(ruler.x, ruler.text, strict=True):
        size = max(len(text), 1) * CHARACTER * 100 / width
        start = {
            "left": x - EDGE * 100 / width,
            "center": x - size / 2,
            "right": x + EDGE * 100 / width - size,
        }[anchor_of(float(x), text, width)["xanchor"]]
        spans.append((float(start), float(start + size)))
    return spans
