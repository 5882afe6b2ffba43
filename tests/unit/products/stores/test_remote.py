"""Products behind addresses: real requests to loopback servers, counted."""

import gc
import json
import pickle
import shutil
import traceback
import zipfile
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

from skerry.cli.main import run
from skerry.core.errors import (
    ForbiddenError,
    InvalidInputError,
    NotFoundError,
    SkerryError,
    UnavailableError,
)
from skerry.products import open_product
from skerry.products.stores import zarr_stores
from skerry.products.writing import write_product
from skerry.storage import web
from skerry.storage.s3 import connect

pytestmark = pytest.mark.slow

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
        connect.cache_clear()
        yield server
    connect.cache_clear()


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


@pytest.fixture(scope="module")
def packed(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with an archive of every product: alone in it, and in a folder there."""
    place = tmp_path_factory.mktemp("packed")
    for name in FORMS.values():
        for below, method in (("", zipfile.ZIP_DEFLATED), (f"{name}/", zipfile.ZIP_STORED)):
            archive = place / f"{'below' if below else 'root'}-{name}.zip"
            with zipfile.ZipFile(archive, "w", method) as target:
                if (folder / name).is_file():
                    target.write(folder / name, below + name)
                for path in (folder / name).rglob("*"):
                    if path.is_file():
                        target.write(path, below + path.relative_to(folder / name).as_posix())
    return place


@pytest.mark.parametrize("where", ["here", "http"])
@pytest.mark.parametrize("inside", ["root", "below"])
@pytest.mark.parametrize("name", [item for item in FORMS.values() if item != "p.nc"])
def test_every_format_reads_from_an_archive(
    name: str, inside: str, where: str, folder: Path, packed: Path
) -> None:
    archive = packed / f"{inside}-{name}.zip"
    with serve_folder(packed) as server:
        result = open_product(archive if where == "here" else locate(server, archive.name))
        same(result, open_product(folder / name))
        same(pickle.loads(pickle.dumps(result)), result)  # noqa: S301 -- our own bytes
        assert sum(server.sent.values()) <= 3 * archive.stat().st_size


@pytest.mark.parametrize("where", ["here", "http"])
def test_a_netcdf_reads_from_an_archive(where: str, folder: Path, packed: Path) -> None:
    with serve_folder(packed) as server:
        place = packed / "root-p.nc.zip" if where == "here" else locate(server, "root-p.nc.zip")
        result = open_product(place)
        same(result, open_product(folder / "p.nc"))
        same(pickle.loads(pickle.dumps(result)), result)  # noqa: S301 -- our own bytes


@pytest.mark.parametrize("name", FORMS.values())
def test_a_folder_that_holds_one_product(name: str, folder: Path, tmp_path: Path) -> None:
    (tmp_path / "of.truth.nc").touch()
    (tmp_path / "notes.txt").touch()
    copy = shutil.copytree if (folder / name).is_dir() else shutil.copy
    copy(folder / name, tmp_path / name)
    same(open_product(tmp_path), open_product(folder / name))


def test_a_prefix_that_holds_several_products(s3: ObjectServer) -> None:
    with pytest.raises(InvalidInputError, match=r"holds 5 products: cogs, geo\.zarr, p\.nc"):
        open_product(s3.url)


def test_several_products_are_refused_by_name(folder: Path, tmp_path: Path) -> None:
    archive = tmp_path / "two.zip"
    with zipfile.ZipFile(archive, "w") as target:
        for name in ("a.nc", "b.nc"):
            target.write(folder / "p.nc", name)
    with serve_folder(tmp_path) as server:
        for place in (folder, archive, locate(server, "two.zip")):
            with pytest.raises(InvalidInputError, match=r"(a|cogs).*(b|p)\.nc") as caught:
                open_product(place)
            assert caught.value.remedy == "Give the path of one of these products."


@pytest.mark.parametrize("fault", ["page", "index"])
@pytest.mark.parametrize("name", ["v2.zarr", "v3.zarr", "cogs"])
def test_a_server_that_answers_for_a_folder_with_a_page(
    fault: str, name: str, folder: Path, tmp_path: Path
) -> None:
    (tmp_path / "product").symlink_to(folder / name)
    with serve_folder(tmp_path) as server:
        server.faults = {"/(product)?$": fault}
        result = open_product(locate(server, "product"))
        same(result, open_product(folder / name))
        with pytest.raises(InvalidInputError, match="127"):
            open_product(f"{server.url}/")


def test_a_page_instead_of_a_product(http: ObjectServer, capfd: pytest.CaptureFixture[str]) -> None:
    """As servers answer those who are not logged in; nothing else is printed."""
    http.faults = {".": "page"}
    for name in ("a.zarr", "a.nc", "a.SAFE", "a.zip", "a"):
        with pytest.raises(InvalidInputError, match=r"/a.* (page|whole files)"):
            open_product(f"{http.url}/{name}?signature=very-secret")
    gc.collect()
    assert run(["convert", f"{http.url}/a.zarr", "out.nc", "--format", "netcdf"]) == 2
    assert [line for line in capfd.readouterr().err.splitlines() if "retrieved" in line] == []


def test_a_zarr_without_consolidated_metadata(
    folder: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    shutil.copytree(folder / "v3.zarr", tmp_path / "v3.zarr")
    document = tmp_path / "v3.zarr" / "zarr.json"
    text = json.loads(document.read_text())
    del text["consolidated_metadata"]
    document.write_text(json.dumps(text))
    shutil.copytree(folder / "v2.zarr", tmp_path / "v2.zarr")
    (tmp_path / "v2.zarr" / ".zmetadata").unlink()
    with serve_folder(tmp_path) as server:
        for name in ("v2.zarr", "v3.zarr"):
            with pytest.raises(InvalidInputError, match="no consolidated metadata") as caught:
                open_product(f"{server.url}/{name}?signature={SECRET_KEY}")
            assert SECRET_KEY not in "".join(traceback.format_exception(caught.value))
            assert open_product(tmp_path / name)
    gc.collect()
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize(
    "name", ["absent.zarr", "absent.nc", "absent.SAFE", "absent.zip", "absent"]
)
def test_what_is_not_there_is_named_alike(name: str, http: ObjectServer) -> None:
    with pytest.raises(NotFoundError, match=rf"^There is no {http.url}/{name}\. Check"):
        open_product(locate(http, name))


def test_coordinates_are_read_at_once(http: ObjectServer) -> None:
    http.faults = {r"/(c/)?0$": "slow"}
    open_product(locate(http, "v3.zarr"))
    assert http.at_once >= 4


@pytest.mark.parametrize("name", ["v2.zarr", "v3.zarr", "geo.zarr"])
def test_opening_a_zarr_asks_for_no_more_than_it_needs(
    name: str, folder: Path, http: ObjectServer
) -> None:
    """Metadata once and consolidated, no chunk of a variable, each coordinate's chunk once."""
    tree = open_product(locate(http, name))
    requests = Counter(path.removeprefix(f"/{name}/") for path in http.paths())
    assert max(requests.values()) == 1, requests
    documents = {item for item in requests if item.rpartition("/")[2] in zarr_stores.METADATA_NAMES}
    result = [document for document in documents if (folder / name / document).is_file()]
    assert set(result) <= {"zarr.json", ".zmetadata", ".zgroup", ".zattrs"}, documents
    chunks = set(requests) - documents
    coordinates = {
        f"{node.path}/{axis}".strip("/")
        for node in tree.subtree
        for axis in node.coords
        if node.coords[axis].dims == (axis,)
    }
    assert chunks
    for chunk in chunks:
        array = chunk.partition("/c/")[0] if "/c/" in chunk else chunk.rpartition("/")[0]
        parts = [part for part in array.split("/") if not part.isdecimal()]
        assert "/".join(parts) in coordinates, chunk


def test_one_window_costs_the_chunks_under_it(folder: Path, http: ObjectServer) -> None:
    band = open_product(locate(http, "v3.zarr"))["measurements/r10m/p2"]
    http.forget()
    band.data.compute()
    stored: Any = zarr.open_array(folder / "v3.zarr", path="measurements/r10m/p2", mode="r")
    assert len(http.seen) == stored.nchunks == 9


def test_a_netcdf_opens_with_few_requests(http: ObjectServer) -> None:
    open_product(locate(http, "p.nc"))
    assert all(item.range for item in http.seen)
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
    monkeypatch.setattr(web, "ANSWER_WITHIN_S", 0.2)
    monkeypatch.setattr(web, "RETRY_FOR_S", 0.3)
    http.faults = {".": fault}
    with pytest.raises(UnavailableError, match=what):
        open_product(locate(http, "v3.zarr"))


def test_a_server_without_ranges_is_named(http: ObjectServer) -> None:
    http.faults = {"p.nc": "whole"}
    with pytest.raises(InvalidInputError, match="in parts"):
        open_product(locate(http, "p.nc"))


@pytest.mark.parametrize("fault", [403, "cut"])
def test_a_chunk_that_does_not_come_is_named(
    fault: int | str, http: ObjectServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(web, "RETRY_FOR_S", 0.3)
    band = open_product(locate(http, "v3.zarr"))["measurements/r10m/p2"]
    http.faults = {"p2/c/": fault}
    with pytest.raises(SkerryError, match="p2"):
        band.compute()


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
    connect.cache_clear()
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
    [
        "file:///etc/passwd",
        "ftp://example.org/a",
        "http:///a",
        "http://host:99999/a.zarr",
        "http://me:very-secret@host/a.zarr",
    ],
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


@pytest.mark.parametrize(
    "address",
    [
        "http://127.0.0.1:{port}/v3.zarr",
        "http://[::1]:{port}/p.nc",
        "http://10.0.0.1/SCENE.SAFE",
        "http://169.254.169.254/latest",
    ],
)
def test_an_address_that_is_neither_public_nor_allowed_is_not_connected_to(
    address: str, served: ObjectServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SKERRY_ALLOWED_ORIGINS", "http://127.0.0.1:1, https://mirror.example")
    served.forget()
    port = served.url.rpartition(":")[2]
    with pytest.raises(InvalidInputError, match="not public") as refused:
        open_product(address.format(port=port))
    assert "SKERRY_ALLOWED_ORIGINS" in refused.value.remedy
    assert served.seen == []


def test_plain_http_is_for_named_origins_alone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("SKERRY_ALLOWED_ORIGINS", "https://8.8.8.8")
    with pytest.raises(InvalidInputError, match="not encrypted") as refused:
        open_product("http://8.8.8.8/SCENE.SAFE")
    assert "https://" in refused.value.remedy


def test_an_allowed_origin_is_connected_to(
    served: ObjectServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SKERRY_ALLOWED_ORIGINS", f"https://mirror.example,{served.url}")
    assert open_product(f"{served.url}/v3.zarr").children
