"""A slice and the outline of its regions, small enough for a page to hold hundreds of them.

The slice is a PNG of 32 grey levels, about 10 kB; the outlines are vectors on the borders of the
mask's pixels, so that the picture can be seen without them. Considered and rejected: JPEG, which
is half as large but smudges small lesions; outlines drawn into the picture, which hide what they
surround; an imaging library, for what zlib does in ten lines.

References
----------
Portable Network Graphics (PNG) Specification, third edition. https://www.w3.org/TR/png-3/
"""

import struct
import zlib
from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from omics.preview import Preview
from reports.blocks import Picture, Pictures

COLOURS = ("#e69f00", "#56b4e9", "#f0e442", "#cc79a7", "#00c896", "#ff7a3c", "#ffffff")
"""Of the outlines: those of Okabe and Ito, brightened where they would sink into grey."""

GREYS = 32
SHOWN_AT_ONCE = 12  # pictures; more wait until they are asked for


def overlays(previews: Mapping[int, Preview]) -> Pictures:
    """Show where the regions of each case were drawn.

    Parameters
    ----------
    previews : mapping of row of the manifest to Preview
        No more than the row says whose picture it is: a page holds no patient's name.

    Returns
    -------
    Pictures
    """
    names = dict.fromkeys(region for one in previews.values() for region in one.regions)
    colours = {name: COLOURS[place % len(COLOURS)] for place, name in enumerate(names)}
    return Pictures(
        pictures=[overlay(seen, row, colours) for row, seen in sorted(previews.items())],
        title="Image and regions of each case.",
        caption="The slice that holds most of the regions, by row of the manifest. Grey runs from "
        "the 1st to the 99th percentile of the slice, in 32 steps. Point at a picture to see it "
        "without the outlines.",
        legend=list(colours.items()),
        folded=len(previews) > SHOWN_AT_ONCE,
    )


def overlay(seen: Preview, row: int, colours: Mapping[str, str]) -> Picture:
    """Make the picture of one case.

    Parameters
    ----------
    seen : Preview
    row : int
        Of the manifest.
    colours : mapping of region to colour
    """
    height, width = seen.grey.shape
    pixels = np.bincount(seen.mask.ravel(), minlength=len(seen.regions) + 1)
    largest_first = np.argsort(-pixels[1:], kind="stable")  # the border of two is the smaller one's
    paths = [
        (outline(seen.mask == region + 1), colours[seen.regions[region]])
        for region in largest_first
    ]
    return Picture(
        png=png(seen.grey),
        width=width,
        height=height,
        label=f"Row {row}, slice {seen.slice}",
        outlines=[(path, colour) for path, colour in paths if path],
    )


def outline(inside: NDArray[np.bool_]) -> str:
    """Return the border of a region along the edges of its pixels, as a path of SVG.

    Parameters
    ----------
    inside : ndarray of bool, of shape (height, width)

    Returns
    -------
    str
        Empty where the region is.

    Examples
    --------
    >>> outline(np.array([[False, True, True]]))
    'M1 0h2M1 1h2M1 0v1M3 0v1'
    """
    framed = np.pad(inside.astype(np.int8), 1)
    across = np.diff(framed, axis=0)[:, 1:-1] != 0  # edges between rows, (height + 1, width)
    down = np.diff(framed, axis=1)[1:-1] != 0  # edges between columns, (height, width + 1)
    lines = [f"M{x} {y}h{n}" for y, x, n in _runs(across)]
    lines += [f"M{x} {y}v{n}" for x, y, n in _runs(down.T)]
    return "".join(lines)


def _runs(edges: NDArray[np.bool_]) -> list[tuple[int, int, int]]:
    """Join neighbouring edges of a line: the line, where they start, and how many they are."""
    steps = np.diff(np.pad(edges.astype(np.int8), ((0, 0), (1, 1))), axis=1)
    lines, starts = np.nonzero(steps == 1)
    ends = np.nonzero(steps == -1)[1]
    return list(zip(lines.tolist(), starts.tolist(), (ends - starts).tolist(), strict=True))


def png(grey: NDArray[np.uint8]) -> bytes:
    """Return a grey picture as a PNG file, in `GREYS` levels.

    Parameters
    ----------
    grey : ndarray of uint8, of shape (height, width)
    """
    height, width = grey.shape
    step = 256 // GREYS
    levels = (grey // step * (255 / (GREYS - 1))).round().astype(np.uint8)
    above = np.vstack([np.zeros((1, width), np.uint8), levels[:-1]])
    filters = np.full((height, 1), 2, np.uint8)  # 2: each row is stored less the one above
    rows = np.hstack([filters, levels - above])
    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    parts = ((b"IHDR", header), (b"IDAT", zlib.compress(rows.tobytes(), 9)), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(_chunk(name, data) for name, data in parts)


def _chunk(name: bytes, data: bytes) -> bytes:
    check = zlib.crc32(name + data)
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", check)
