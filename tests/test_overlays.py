"""Small pictures of the regions: a real PNG, outlines on the right pixels, no name of a patient."""

import re
import struct
import zlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray

from reports.blocks import Page, Pictures, Section
from reports.html import render
from reports.overlays import COLOURS, GREYS, SHOWN_AT_ONCE, outline, overlay, overlays, png
from tests.made_extraction import made_preview
from tests.made_up_tables import HOSTILE


def decoded(file: bytes) -> NDArray[np.uint8]:
    """Read a grey PNG of 8 bits whose rows are stored less the ones above, by the specification."""
    assert file.startswith(b"\x89PNG\r\n\x1a\n")
    chunks, place = {}, 8
    while place < len(file):
        (length,) = struct.unpack(">I", file[place : place + 4])
        body = file[place + 4 : place + 8 + length]
        (check,) = struct.unpack(">I", file[place + 8 + length : place + 12 + length])
        assert check == zlib.crc32(body)
        chunks[body[:4]] = body[4:]
        place += 12 + length
    width, height, *kind = struct.unpack(">IIBBBBB", chunks[b"IHDR"])
    assert kind == [8, 0, 0, 0, 0]
    rows = np.frombuffer(zlib.decompress(chunks[b"IDAT"]), np.uint8).reshape(height, width + 1)
    assert (rows[:, 0] == 2).all()
    return np.cumsum(rows[:, 1:], axis=0, dtype=np.uint64).astype(np.uint8)


def filled(path: str, shape: tuple[int, int]) -> NDArray[np.bool_]:
    """Fill a path of edges: a pixel is inside where an odd number of edges lies to its left."""
    crossings = np.zeros((shape[0], shape[1] + 1), dtype=int)
    for x, y, length in re.findall(r"M(\d+) (\d+)v(\d+)", path):
        crossings[int(y) : int(y) + int(length), int(x)] += 1
    return crossings.cumsum(axis=1)[:, :-1] % 2 == 1


# the picture -------------------------------------------------------------------------------------


@given(arrays(np.uint8, st.tuples(st.integers(1, 9), st.integers(1, 9))))
def test_the_png_holds_the_picture_to_half_a_grey_step(grey: NDArray[np.uint8]) -> None:
    seen = decoded(png(grey)).astype(float)
    assert np.abs(seen - grey).max() <= 256 / GREYS
    order = np.argsort(grey, axis=None)
    assert (np.diff(seen.ravel()[order]) >= 0).all()  # nothing darker turns brighter


def test_black_stays_black_and_white_white() -> None:
    assert decoded(png(np.array([[0, 255]], np.uint8))).tolist() == [[0, 255]]


def test_pillow_reads_it() -> None:
    image = pytest.importorskip("PIL.Image", reason="pillow is not installed")
    import io

    grey = made_preview(1).grey
    file = png(grey)
    with image.open(io.BytesIO(file)) as picture:
        np.testing.assert_array_equal(np.asarray(picture), decoded(file))
    assert len(file) < 12_000


# outlines ----------------------------------------------------------------------------------------


def test_one_pixel_has_four_edges() -> None:
    inside = np.zeros((3, 4), bool)
    inside[1, 2] = True
    assert outline(inside) == "M2 1h1M2 2h1M2 1v1M3 1v1"
    assert outline(np.zeros((2, 2), bool)) == ""


@given(arrays(np.bool_, st.tuples(st.integers(1, 8), st.integers(1, 8))))
def test_the_outline_encloses_its_pixels_and_no_other(inside: NDArray[np.bool_]) -> None:
    np.testing.assert_array_equal(filled(outline(inside), inside.shape), inside)
    turned = "".join(
        f"M{y} {x}v{n}" for x, y, n in re.findall(r"M(\d+) (\d+)h(\d+)", outline(inside))
    )
    np.testing.assert_array_equal(filled(turned, inside.T.shape), inside.T)


def test_the_smaller_region_is_drawn_last() -> None:
    # core lies inside edema: their common border must have the colour of core
    seen = made_preview(3, regions=("core", "edema"))
    colours = {"core": "#111111", "edema": "#222222"}
    assert [colour for _, colour in overlay(seen, 3, colours).outlines] == ["#222222", "#111111"]
    core = {colour: path for path, colour in overlay(seen, 3, colours).outlines}["#111111"]
    np.testing.assert_array_equal(filled(core, seen.mask.shape), seen.mask == 1)


# many of them ------------------------------------------------------------------------------------


def test_a_region_has_one_colour_in_every_picture() -> None:
    previews = {
        4: made_preview(4, regions=("edema",)),
        2: made_preview(2, regions=("core", "edema")),
    }
    found = overlays(previews)
    assert [picture.label for picture in found.pictures] == ["Row 2, slice 62", "Row 4, slice 64"]
    colours = dict(found.legend)
    assert set(colours) == {"core", "edema"}
    (only,) = found.pictures[1].outlines
    assert only[1] == colours["edema"] != colours["core"]
    assert set(colours.values()) <= set(COLOURS)


def test_many_pictures_are_folded_away() -> None:
    one = made_preview(1)
    assert not overlays(dict.fromkeys(range(SHOWN_AT_ONCE), one)).folded
    assert overlays(dict.fromkeys(range(SHOWN_AT_ONCE + 1), one)).folded


def page_with(pictures: Pictures) -> str:
    return render(Page(title="P", sections=[Section(id="o", title="O", blocks=[pictures])]))


def test_the_page_shows_them_lazily_from_itself() -> None:
    found = overlays({row: made_preview(row) for row in range(1, 15)})
    page = page_with(found).partition("<main>")[2].partition("</main>")[0]
    images = re.findall(r"<img [^>]*>", page)
    assert len(images) == 14
    for image in images:
        assert 'src="data:image/png;base64,' in image
        assert 'loading="lazy"' in image
        assert 'width="144" height="176"' in image
    assert re.search(r"<details>\s*<summary>14 pictures</summary>", page)
    assert "Figure 1." in page
    assert 'alt="Image and regions of each case: Row 7, slice 67"' in page
    assert page.count("<path d=") == 28
    assert "http" not in page


def test_a_hostile_region_stays_text() -> None:
    page = page_with(overlays({1: made_preview(1, regions=(HOSTILE,))}))
    assert HOSTILE not in page
    assert "<details open>" in page
