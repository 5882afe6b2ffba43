"""Simulated items for the search: scenes of 1 to 2 degrees over three years, by a seed.

No two have the same time, so that the order of results is one and the same for everybody.
"""

import json
import random
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import batched
from pathlib import Path
from typing import Any

from sqlalchemy import Engine, insert, text
from tests.stac_documents import make_collection

from skerry.catalog.collections import put_collection
from skerry.catalog.deletions import delete_item
from skerry.catalog.documents import check_item
from skerry.catalog.registration import insert_item
from skerry.catalog.spacetime import HOUR_US
from skerry.catalog.tables import items, items_index
from skerry.core.digests import digest_bytes
from skerry.core.time import count_microseconds, format_time
from skerry.models.versions import VersionStatus
from skerry.storage.object_folder import ObjectFolder

COLLECTION, BESIDE = "bench", "beside"
BEGIN = datetime(2023, 1, 1, tzinfo=UTC)
DAYS = 1096
SEED = 9
_BATCH = 5000
_CHECKED = 200
_REGISTERED = 200
_ASSETS = ("B02", "B03", "B04", "B08", "product", "thumbnail")


def simulate_items(count: int) -> Iterator[dict[str, Any]]:
    """Yield items in the order of their registration; times come in a random order."""
    chance = random.Random(SEED)
    order = list(range(count))
    chance.shuffle(order)
    step = timedelta(days=DAYS) / count
    for number, place in enumerate(order):
        west, south = chance.uniform(-180, 178), chance.uniform(-80, 78)
        size = chance.uniform(1, 2)
        yield _make_item(number, BEGIN + place * step, (west, south, west + size, south + size))


def _make_item(
    number: int, moment: datetime, bbox: tuple[float, float, float, float]
) -> dict[str, Any]:
    west, south, east, north = (round(side, 6) for side in bbox)
    prefix = f"imports/{number:08d}/"
    ring = [[west, south], [east, south], [east, north], [west, north], [west, south]]
    return {
        "type": "Feature",
        "stac_version": "1.1.0",
        "stac_extensions": [],
        "id": f"scene-{number:08d}",
        "collection": COLLECTION,
        "geometry": {"type": "Polygon", "coordinates": [ring]},
        "bbox": [west, south, east, north],
        "properties": {
            "datetime": format_time(moment),
            "platform": "sentinel-2a",
            "instruments": ["msi"],
            "gsd": 10,
            "eo:cloud_cover": number % 101,
            "skerry:digest": digest_bytes(str(number).encode()),
            "skerry:prefix": prefix,
            "skerry:simulated": True,
        },
        "assets": {
            name: {"href": f"{prefix}{name}.tif", "type": "image/tiff", "roles": ["data"]}
            for name in _ASSETS
        },
        "links": [],
    }


def write_items(count: int, path: Path) -> None:
    """Write the items as lines of JSON, as pgstac's loader takes them."""
    with path.open("w") as lines:
        for item in simulate_items(count):
            lines.write(json.dumps(item) + "\n")


def fill_catalogue(engine: Engine, path: Path) -> None:
    """Write items straight into the catalogue's tables, as a restored backup does.

    The first items pass the catalogue's own check: all have the same form.
    """
    with engine.begin() as connection:
        put_collection(connection, make_collection(COLLECTION), COLLECTION, owner="bench")
    with path.open() as lines:
        for number, batch in enumerate(batched(map(json.loads, lines), _BATCH)):
            _insert_batch(engine, number * _BATCH, batch)
    with engine.begin() as connection:
        if engine.dialect.name == "postgresql":  # the rows came with their numbers
            newest = "SELECT setval(pg_get_serial_sequence('items', 'key'), max(key)) FROM items"
            connection.execute(text(newest))
        connection.execute(text("ANALYZE"))


def register_items(engine: Engine, objects: ObjectFolder) -> float:
    """Register items one after another, and remove them; return how many a second there were."""
    chance = random.Random(SEED)
    began = datetime(2030, 1, 1, tzinfo=UTC)
    documents = []
    for number in range(_REGISTERED):
        west, south = chance.uniform(-180, 178), chance.uniform(-80, 78)
        bbox = (west, south, west + 1, south + 1)
        document = _make_item(10**9 + number, began + timedelta(minutes=number), bbox)
        document["collection"] = BESIDE
        for asset in document["assets"].values():
            objects.write(asset["href"], b"simulated")
        documents.append(document)
    with engine.begin() as connection:
        put_collection(connection, make_collection(BESIDE), BESIDE, owner="bench")
    started = time.perf_counter()
    for document in documents:
        with engine.begin() as connection:
            insert_item(
                connection, document, collection=BESIDE, status=VersionStatus.PUBLISHED,
                owner="bench", objects=objects,
            )  # fmt: skip
    seconds = time.perf_counter() - started
    with engine.begin() as connection:  # no search is to find them
        for document in documents:
            delete_item(connection, BESIDE, document["id"], owner="bench")
    return _REGISTERED / seconds


def _insert_batch(engine: Engine, first: int, batch: tuple[dict[str, Any], ...]) -> None:
    rows, places = [], []
    for key, item in enumerate(batch, start=first + 1):
        document = check_item(item, COLLECTION).document if key <= _CHECKED else item
        moment = count_microseconds(datetime.fromisoformat(item["properties"]["datetime"]))
        rows.append({
            "key": key, "collection": COLLECTION, "id": item["id"], "version": 1,
            "status": "published", "digest": item["properties"]["skerry:digest"],
            "prefix": item["properties"]["skerry:prefix"], "begins": moment, "ends": moment,
            "owner": "bench", "document": document, "created": moment, "updated": moment,
        })  # fmt: skip
        west, south, east, north = item["bbox"]
        places.append({
            "id": 2 * key, "item": key, "west": west, "south": south, "east": east, "north": north,
            "first_hour": moment / HOUR_US, "last_hour": moment / HOUR_US,
        })  # fmt: skip
    with engine.begin() as connection:
        connection.execute(insert(items), rows)
        connection.execute(insert(items_index), places)
