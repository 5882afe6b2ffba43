"""STAC documents for tests, small and valid."""

from pathlib import Path
from typing import Any
from weakref import WeakKeyDictionary

from sqlalchemy import Connection, Engine

from skerry.catalog.items import StoredItem
from skerry.catalog.registration import insert_item
from skerry.core.digests import digest_bytes
from skerry.storage.layout import DataFolder
from skerry.storage.object_folder import ObjectFolder

OBJECTS: WeakKeyDictionary[Engine, ObjectFolder] = WeakKeyDictionary()
"""The objects that belong to a database, where they do not stand beside its file."""


def make_collection(identifier: str = "lakes", *, public: bool = False) -> dict[str, Any]:
    """Return a STAC collection of the whole world."""
    return {
        "type": "Collection",
        "stac_version": "1.1.0",
        "id": identifier,
        "description": f"Collection {identifier}",
        "license": "CC-BY-4.0",
        "extent": {
            "spatial": {"bbox": [[-180, -90, 180, 90]]},
            "temporal": {"interval": [["2015-06-23T00:00:00Z", None]]},
        },
        "links": [],
        "skerry:public": public,
    }


def make_item(
    identifier: str = "scene",
    *,
    bbox: tuple[float, float, float, float] = (13.0, 54.0, 14.0, 55.0),
    datetime: str = "2026-05-01T10:30:00Z",
    prefix: str | None = None,
    content: str | None = None,
    **properties: Any,
) -> dict[str, Any]:
    """Return a STAC item as the catalogue takes it: keys for hrefs, a digest and a prefix.

    Parameters
    ----------
    identifier
        The item's id.
    bbox
        Its footprint, a box.
    datetime
        When the data were taken.
    prefix
        Where its bytes are; a place of its own when left out.
    content
        What the digest is made of; the id when left out.
    properties
        More properties.
    """
    west, south, east, north = bbox
    prefix = prefix or f"imports/{identifier}/"
    return {
        "type": "Feature",
        "stac_version": "1.1.0",
        "stac_extensions": [],
        "id": identifier,
        "geometry": {
            "type": "Polygon",
            "coordinates": [
                [[west, south], [east, south], [east, north], [west, north], [west, south]]
            ],
        },
        "bbox": list(bbox),
        "properties": {
            "datetime": datetime,
            "skerry:digest": digest_bytes((content or identifier).encode()),
            "skerry:prefix": prefix,
            "skerry:variables": {"b04": {"path": "/b04", "long_name": "Red"}},
            **properties,
        },
        "links": [],
        "assets": {
            "product": {
                "href": f"{prefix}product.zarr",
                "type": "application/vnd.zarr; version=3; profile=multiscales",
                "roles": ["data"],
            },
            "thumbnail": {
                "href": f"{prefix}quicklook.png",
                "type": "image/png",
                "roles": ["thumbnail"],
            },
        },
    }


def write_bytes(objects: Path, item: dict[str, Any]) -> None:
    """Write something small at the keys of an item's assets."""
    prefix = objects / item["properties"]["skerry:prefix"]
    (prefix / "product.zarr").mkdir(parents=True, exist_ok=True)
    (prefix / "product.zarr" / "zarr.json").write_text('{"zarr_format": 3}')
    (prefix / "quicklook.png").write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(range(256)))


def insert_written(connection: Connection, item: dict[str, Any], **given: Any) -> StoredItem:
    """Write something small at the assets that have no bytes yet, then record the item."""
    objects = _find_objects(connection.engine)
    for asset in item["assets"].values():
        path = objects.root / asset["href"]
        if not path.exists():
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(b"something small")
    return insert_item(connection, item, objects=objects, **given)


def _find_objects(engine: Engine) -> ObjectFolder:
    """Return the objects beside a database's file, or those that a test has named."""
    if engine in OBJECTS:
        return OBJECTS[engine]
    assert engine.dialect.name == "sqlite"
    return ObjectFolder(DataFolder(Path(str(engine.url.database)).parent.parent).objects)
