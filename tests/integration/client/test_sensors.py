"""Every product type on a platform: imported, found, opened and drawn on a map."""

import io
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import skerry
from skerry.client.session import Session
from skerry.pipelines import import_product
from skerry.products import open_product
from skerry.simulate import simulate_s2_l1c, simulate_s2_l2a
from skerry.simulate.olci.product import simulate_olci
from skerry.simulate.sentinel_1.product import simulate_s1_iw_grd
from skerry.simulate.slstr.product import simulate_slstr_rbt

pytestmark = pytest.mark.long

Simulate = Callable[[Path], Path]

TYPES: dict[str, tuple[Simulate, str]] = {
    "sentinel-1-iw-grd": (
        lambda folder: simulate_s1_iw_grd(folder, size=256), "vv",
    ),
    "sentinel-2-l1c": (lambda folder: simulate_s2_l1c(folder, size=120), "b02"),
    "sentinel-2-l2a": (lambda folder: simulate_s2_l2a(folder, size=120, seed=9), "b02"),
    "sentinel-3-olci-err": (
        lambda folder: simulate_olci(folder, kind="err", size=66), "oa08_radiance",
    ),
    "sentinel-3-olci-efr": (lambda folder: simulate_olci(folder, size=66), "oa08_radiance"),
    "sentinel-3-slstr-rbt": (lambda folder: simulate_slstr_rbt(folder, size=120), "s3_radiance"),
}  # fmt: skip


def locate_pixel(longitude: float, latitude: float, zoom: int) -> tuple[float, float]:
    """Return how many pixels of web mercator tiles a place lies from the north-west corner."""
    north = math.asinh(math.tan(math.radians(latitude)))
    size = 256 * 2**zoom
    return (longitude + 180) / 360 * size, (1 - north / math.pi) / 2 * size


@pytest.mark.parametrize("kind", TYPES)
def test_what_was_imported_is_found_opened_and_drawn(
    session: Session, tmp_path: Path, kind: str
) -> None:
    simulate, variable = TYPES[kind]
    source = simulate(tmp_path / "scenes")
    imported = import_product(source, session=session)
    properties = imported.item["properties"]
    collection = f"{kind}-simulated"

    west, south, east, north = imported.item["bbox"]
    middle = ((west + east) / 2, (south + north) / 2)
    body: dict[str, Any] = {
        "bbox": [middle[0] - 0.01, middle[1] - 0.01, middle[0] + 0.01, middle[1] + 0.01],
        "datetime": f"{properties['datetime']}/..",
        "collections": [collection],
    }
    items = {item.id: item for item in skerry.search(session=session, **body)}
    result = items[imported.reference.item]  # beside what other tests imported
    opened = skerry.open(str(imported.reference), session=session)
    same = open_product(source)
    path = next(node.path for node in same.subtree if node.data_vars and "measure" in node.path)
    name = next(iter(same[path].data_vars))
    np.testing.assert_array_equal(opened[path][name], same[path][name])

    assert next(iter(properties["skerry:variables"])) == variable
    layer = f"/services/maps/tiles/{collection}/{result.id}/{variable}"
    described = session.request("GET", f"{layer}/tilejson.json")
    style = described["skerry:style"]
    assert style["min"] < style["max"]
    zoom = described["maxzoom"]
    (column, x), (row, y) = (divmod(int(item), 256) for item in locate_pixel(*middle, zoom))
    tile = session.send("GET", f"{layer}/{zoom}/{column}/{row}.png").content
    pixel = Image.open(io.BytesIO(tile)).convert("RGBA").getpixel((x, y))
    assert isinstance(pixel, tuple)
    assert pixel[3] == 255
    legend = session.send("GET", f"{layer}/legend.png").content
    assert legend.startswith(b"\x89PNG")
