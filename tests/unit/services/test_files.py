"""Files: for whom the item is for, by range, never beyond the item's own bytes."""

from typing import Any

import httpx
import pytest
from tests.served_api import ServedApi
from tests.stac_documents import make_collection, make_item, write_bytes

PNG = b"\x89PNG\r\n\x1a\n" + bytes(range(256))


@pytest.fixture
def item(api: ServedApi, alice: httpx.Client) -> dict[str, Any]:
    """Return a registered item of a collection that is not public."""
    alice.put("stac/collections/lakes", json=make_collection())
    grant = alice.post("grants", json={"mode": "write", "purpose": "import"}).json()
    document = make_item(prefix=grant["prefix"])
    write_bytes(api.data.objects, document)
    answer = alice.post("stac/collections/lakes/items", json=document)
    assert answer.status_code == 201
    return document


def test_a_file_comes_whole_and_by_range(alice: httpx.Client, item: dict[str, Any]) -> None:
    path = f"files/{item['assets']['thumbnail']['href']}"
    full = alice.get(path)
    assert full.content == PNG
    assert full.headers["content-type"] == "image/png"
    assert full.headers["accept-ranges"] == "bytes"
    part = alice.get(path, headers={"Range": "bytes=8-17"})
    assert part.status_code == 206
    assert part.content == PNG[8:18]
    assert part.headers["content-range"] == f"bytes 8-17/{len(PNG)}"
    last = alice.get(path, headers={"Range": "bytes=-4"})
    assert last.content == PNG[-4:]
    beyond = alice.get(path, headers={"Range": "bytes=9999-"})
    assert beyond.status_code == 416
    head = alice.head(path)
    assert int(head.headers["content-length"]) == len(PNG)
    assert head.content == b""


def test_files_are_sandboxed_and_not_sniffed(alice: httpx.Client, item: dict[str, Any]) -> None:
    headers = alice.get(f"files/{item['assets']['thumbnail']['href']}").headers
    assert headers["content-security-policy"] == "sandbox"
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["cache-control"] == "no-store"


def test_a_file_is_for_whom_its_item_is_for(
    alice: httpx.Client, anonymous: httpx.Client, reader: httpx.Client, item: dict[str, Any]
) -> None:
    path = f"files/{item['assets']['product']['href']}/zarr.json"
    assert reader.get(path).status_code == 200
    assert anonymous.get(path).status_code == 401
    assert anonymous.get("files/imports/none/x").status_code == 401
    alice.put("stac/collections/lakes", json=make_collection(public=True))
    assert anonymous.get(path).status_code == 200
    alice.put("stac/collections/lakes", json=make_collection(public=False))
    assert anonymous.get(path).status_code == 401


@pytest.mark.parametrize(
    "attempt",
    [
        "../../state/skerry.sqlite",
        "%2e%2e/%2e%2e/state/skerry.sqlite",
        "..%2f..%2fstate%2fskerry.sqlite",
        "product.zarr/../../../../state/skerry.sqlite",
        "product.zarr/%2e%2e/quicklook.png",
        "%2fetc%2fpasswd",
        "product.zarr//zarr.json",
        "x%00y",
        "link",
        "neighbour",
        "product.zarr",
        "",
    ],
)
def test_nothing_else_is_sent(
    api: ServedApi, alice: httpx.Client, item: dict[str, Any], attempt: str
) -> None:
    prefix = item["properties"]["skerry:prefix"]
    folder = api.data.objects / prefix
    (folder / "link").symlink_to(api.data.database)
    other = api.data.objects / "imports" / "other"
    other.mkdir()
    (other / "bytes").write_text("another item's")
    (folder / "neighbour").symlink_to(other / "bytes")
    # httpx would tidy the dots away; the raw path must reach the server
    url = httpx.URL(f"{api.prefix}/files/").copy_with(
        raw_path=f"/services/api/files/{prefix}{attempt}".encode()
    )
    answer = alice.send(httpx.Request("GET", url, headers=dict(alice.headers)))
    assert answer.status_code in (403, 404, 422), answer.text
    assert answer.headers["content-type"] == "application/problem+json"


def test_bytes_that_belong_to_no_item_are_not_sent(api: ServedApi, alice: httpx.Client) -> None:
    grant = alice.post("grants", json={"mode": "write", "purpose": "import"}).json()
    (api.data.objects / grant["prefix"] / "file").write_text("x")
    assert alice.get(f"files/{grant['prefix']}file").status_code == 404
