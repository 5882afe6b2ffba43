"""Products behind addresses: real requests to loopback servers, counted."""

import shutil
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import xarray as xr
import zarr
from tests.object_servers import (
    ACCESS_KEY,
    SECRET_KEY,
    ObjectServer,
    locate,
    serve_bucket,
    serve_folder,
)
from tests.unit.products.small_trees import EVERYTHING, assemble

from skerry.core.errors import (
    ForbiddenError,
    InvalidInputError,
    NotFoundError,
    SkerryError,
    UnavailableError,
)
from skerry.products import open_product, zarr_stores
from skerry.products.writing import write_product
from skerry.storage import remote

FORMS = {
    "eopf-zarr-v2": "v2.zarr",
    "eopf-zarr": "v3.zarr",
    "geozarr": "geo.zarr",
    "netcdf": "p.nc",
    "cog": "cogs",
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with one product in every format."""
    place = tmp_path_factory.mktemp("served")
    tree = assemble(5, 40, 40, EVERYTHING | {"packings": [2], "plain": ["f4"]})
    for form, name in FORMS.items():
        write_product(tree, place / name, form=form)
    return place


@pytest.fixture(scope="module")
def served(folder: Path) -> Iterator[ObjectServer]:
    with serve_folder(folder) as server:
        yield server


@pytest.fixture
def http(served: ObjectServer) -> Iterator[ObjectServer]:
    """Return the server, its counts and faults cleared."""
    served.forget()
    yield served
    served.faults.clear()


@pytest.fixture
def s3(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[ObjectServer]:
    with serve_bucket(folder) as server:
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", ACCESS_KEY)
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", SECRET_KEY)
        monkeypatch.setenv("AWS_ENDPOINT_URL", server.endpoint)
        monkeypatch.setenv("AWS_REGION", "eu-test-1")
        remote._connect.cache_clear()
        yield server
    remote._connect.cache_clear()


def same(found: xr.DataTree, wanted: xr.DataTree) -> None:
    assert set(found.groups) == set(wanted.groups)
    for node in wanted.subtree:
        xr.testing.assert_identical(
            found[node.path].to_dataset(inherit=False).compute(),
            node.to_dataset(inherit=False).compute(),
        )


@pytest.mark.parametrize("name", FORMS.values())
@pytest.mark.parametrize("server", ["http", "s3"])
def test_every_format_reads_as_on_disk(
    server: str, name: str, folder: Path, request: pytest.FixtureRequest
) -> None:
    served: ObjectServer = request.getfixturevalue(server)
    same(open_product(locate(served, name)), open_product(folder / name))


@pytest.mark.parametrize("name", ["v2.zarr", "v3.zarr", "geo.zarr"])
def test_opening_a_zarr_asks_for_no_more_than_it_needs(
    name: str, folder: Path, http: ObjectServer
) -> None:
    """Metadata once and consolidated, no chunk of a variable, each coordinate's chunk once."""
    tree = open_product(locate(http, name))
    asked = Counter(path.removeprefix(f"/{name}/") for path in http.paths())
    assert max(asked.values()) == 1, asked
    documents = {one for one in asked if one.rpartition("/")[2] in zarr_stores.METADATA_NAMES}
    found = [one for one in documents if (folder / name / one).is_file()]
    assert set(found) <= {"zarr.json", ".zmetadata", ".zgroup", ".zattrs"}, documents
    chunks = set(asked) - documents
    coordinates = {
        f"{node.path}/{axis}".strip("/")
        for node in tree.subtree
        for axis in node.coords
        if node.coords[axis].dims == (axis,)
    }
    assert chunks
    for chunk in chunks:
        array = chunk.partition("/c/")[0] if "/c/" in chunk else chunk.rpartition("/")[0]
        parts = [one for one in array.split("/") if not one.isdecimal()]
        assert "/".join(parts) in coordinates, chunk


def test_one_window_costs_the_chunks_under_it(folder: Path, http: ObjectServer) -> None:
    band = open_product(locate(http, "v3.zarr"))["measurements/r10m/p2"]
    http.forget()
    band.data.compute()
    stored: Any = zarr.open_array(folder / "v3.zarr", path="measurements/r10m/p2", mode="r")
    assert len(http.seen) == stored.nchunks == 9


def test_a_netcdf_opens_with_few_requests(http: ObjectServer) -> None:
    open_product(locate(http, "p.nc"))
    assert all(one.range for one in http.seen)
    assert len(http.seen) <= 8


@pytest.mark.parametrize("name", FORMS.values())
@pytest.mark.parametrize(
    ("fault", "error"),
    [(404, NotFoundError), (403, ForbiddenError), (401, ForbiddenError)],
)
def test_refusals_are_named(
    fault: int, error: type[SkerryError], name: str, http: ObjectServer
) -> None:
    http.faults = {".": fault}
    with pytest.raises(error if fault != 404 else (NotFoundError, InvalidInputError), match=name):
        open_product(locate(http, name))


@pytest.mark.parametrize(("fault", "what"), [(500, "answers 500"), ("stall", "answer")])
def test_a_server_that_fails_is_named(
    fault: int | str, what: str, http: ObjectServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(remote, "_ANSWER_WITHIN_S", 0.2)
    monkeypatch.setattr(remote, "_RETRY_FOR_S", 0.3)
    remote._connect.cache_clear()
    http.faults = {".": fault}
    with pytest.raises(UnavailableError, match=what):
        open_product(locate(http, "v3.zarr"))
    remote._connect.cache_clear()


def test_a_server_without_ranges_is_named(http: ObjectServer) -> None:
    http.faults = {"p.nc": "whole"}
    with pytest.raises(InvalidInputError, match="in parts"):
        open_product(locate(http, "p.nc"))


@pytest.mark.parametrize("fault", [403, "cut"])
def test_a_chunk_that_does_not_come_is_named(
    fault: int | str, http: ObjectServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(remote, "_RETRY_FOR_S", 0.3)
    remote._connect.cache_clear()
    band = open_product(locate(http, "v3.zarr"))["measurements/r10m/p2"]
    http.faults = {"p2/c/": fault}
    with pytest.raises(SkerryError, match="p2"):
        band.compute()
    remote._connect.cache_clear()


def test_large_metadata_is_refused_before_it_is_read(
    folder: Path, http: ObjectServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    size = (folder / "v3.zarr" / "zarr.json").stat().st_size
    monkeypatch.setattr(zarr_stores, "MAX_METADATA_BYTES", size - 1)
    for place in (locate(http, "v3.zarr"), folder / "v3.zarr"):
        with pytest.raises(InvalidInputError, match=f"{size} bytes"):
            open_product(place)


def test_a_two_gigabyte_attribute_is_refused(tmp_path: Path) -> None:
    store = tmp_path / "huge.zarr"
    store.mkdir()
    with (store / "zarr.json").open("wb") as stream:
        stream.truncate(2 * 2**30)  # sparse: no disk is used
    with serve_folder(tmp_path) as server:
        for place in (store, locate(server, "huge.zarr")):
            with pytest.raises(InvalidInputError, match="2147483648 bytes"):
                open_product(place)


def test_keys_never_show(s3: ObjectServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIANOTTHISONE")
    remote._connect.cache_clear()
    for name in FORMS.values():
        with pytest.raises(SkerryError) as caught:
            open_product(locate(s3, name))
        assert SECRET_KEY not in repr(caught.getrepr(style="long"))
        assert "AKIANOTTHISONE" not in str(caught.value)


def test_the_query_of_an_address_never_shows(http: ObjectServer) -> None:
    with pytest.raises(NotFoundError) as caught:
        open_product(f"{http.url}/absent.nc?signature=very-secret")
    assert "very-secret" not in str(caught.value)
    assert open_product(f"{http.url}/p.nc?signature=very-secret").name == "p"


@pytest.mark.parametrize(
    "address",
    ["file:///etc/passwd", "ftp://example.org/a", "http:///a", "http://me:very-secret@host/a.zarr"],
)
def test_other_addresses_are_refused(address: str) -> None:
    with pytest.raises(InvalidInputError) as caught:
        open_product(address)
    assert "very-secret" not in str(caught.value)


def test_a_file_of_another_kind_behind_its_suffix(tmp_path: Path, folder: Path) -> None:
    (tmp_path / "text.nc").write_text("no NetCDF")
    (tmp_path / "text.zip").write_text("no archive")
    shutil.copy(folder / "p.nc", tmp_path / "netcdf.zip")
    with serve_folder(tmp_path) as server:
        for place in (str(tmp_path), server.url):
            for name in ("text.nc", "text.zip"):
                with pytest.raises(InvalidInputError, match=name):
                    open_product(f"{place}/{name}")
            assert "measurements" in open_product(f"{place}/netcdf.zip").children
