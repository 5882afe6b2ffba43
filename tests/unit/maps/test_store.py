"""Products that would take memory or files that are not theirs; each is refused, and why."""

import gzip
import json
import resource
from pathlib import Path

import numcodecs
import numpy as np
import pytest
import zarr
from tests.pyramids import open_pyramid
from zarr.codecs import BloscCodec, GzipCodec, ZstdCodec

from skerry.core.errors import ForbiddenError, InvalidInputError, UnavailableError
from skerry.maps.store import read_zstd_length
from skerry.storage.chunk_cache import ChunkCache

BOMB_BYTES = 3 * 2**30
CODECS = {"zstd": ZstdCodec(), "gzip": GzipCodec(), "blosc": BloscCodec()}


@pytest.fixture
def write_coded(tmp_path: Path):
    """Return a function that writes one level of 256 x 256 bytes with one codec, sharded or not."""

    def write(codec: str, *, shards: tuple[int, int] | None = None) -> Path:
        path = tmp_path / "product.zarr"
        root = zarr.open_group(path, mode="w")
        array = root.create_array(
            "0/v",
            shape=(256, 256),
            dtype="u1",
            chunks=(128, 128),
            shards=shards,
            compressors=CODECS[codec],
            fill_value=0,
        )
        array[...] = np.random.default_rng(1).integers(0, 255, (256, 256))
        layout = [{"asset": "0", "spatial:transform": [10, 0, 400_000, 0, -10, 5_100_000]}]
        root.attrs.update({"multiscales": {"layout": layout}, "proj:code": "EPSG:32633"})
        return path

    return write


def make_bomb(codec: str) -> bytes:
    """A small chunk that becomes gigabytes, written by the codec's own library where it can."""
    if codec == "gzip":
        block = gzip.compress(bytes(2**26))
        return block * (BOMB_BYTES // 2**26)
    if codec == "zstd":
        # the frame's header is all that a reader believes before it allocates
        return bytes.fromhex("28b52ffd e0") + BOMB_BYTES.to_bytes(8, "little") + bytes(40)
    frame = bytearray(numcodecs.Blosc("lz4").encode(bytes(2**16)))
    frame[4:8] = (2**31 - 17).to_bytes(4, "little")
    return bytes(frame)


def edit(path: Path, **changes: object) -> None:
    """Change the metadata of the array, as whoever wrote the product might have done."""
    document = json.loads((path / "0/v/zarr.json").read_text())
    document.update(changes)
    (path / "0/v/zarr.json").write_text(json.dumps(document))


@pytest.mark.parametrize("codec", CODECS)
@pytest.mark.parametrize("shards", [None, (256, 256)])
def test_what_the_codecs_write_is_read(write_coded, codec, shards):
    path = write_coded(codec, shards=shards)
    level = open_pyramid(path, "v", "1").levels[0]
    stored = zarr.open_array(path / "0/v", mode="r")[...]
    np.testing.assert_array_equal(level.read_chunk(1, 1), stored[128:, 128:])


@pytest.mark.parametrize("codec", CODECS)
def test_a_chunk_that_becomes_gigabytes_is_refused_before_it_does(write_coded, codec):
    path = write_coded(codec)
    (path / "0/v/c/1/0").write_bytes(make_bomb(codec))
    level = open_pyramid(path, "v", "1").levels[0]
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(InvalidInputError, match=r"bytes; at most .* chunk 1/0 of '0/v'"):
        level.read_chunk(1, 0)
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    assert grown < 400 * 1024, "KiB: the peak must not hold the gigabytes"


def test_a_bomb_inside_of_a_shard_is_refused(write_coded):
    path = write_coded("zstd", shards=(256, 256))
    shard = path / "0/v/c/0/0"
    content = shard.read_bytes()
    offset = int.from_bytes(content[-68:-60], "little")  # the index stands at the end
    bomb = make_bomb("zstd")
    shard.write_bytes(content[:offset] + bomb + content[offset + len(bomb) :])
    with pytest.raises(InvalidInputError, match="at most"):
        open_pyramid(path, "v", "1").levels[0].read_chunk(0, 0)


def test_a_frame_that_does_not_say_its_length_is_refused():
    with pytest.raises(InvalidInputError, match="does not give the size"):
        read_zstd_length(bytes.fromhex("28b52ffd 00 58 000000000000"))


@pytest.mark.parametrize("size", [0, 1, 255, 256, 300, 65_791, 65_792, 2**20])
def test_the_length_of_a_frame_is_read_as_the_library_writes_it(size):
    assert read_zstd_length(numcodecs.Zstd().encode(bytes(size))[:18]) == size


def test_a_damaged_chunk_is_named(write_coded):
    path = write_coded("zstd")
    chunk = path / "0/v/c/0/1"
    chunk.write_bytes(chunk.read_bytes()[:2000])
    with pytest.raises(UnavailableError, match=r"chunk 0/1 of '0/v'"):
        open_pyramid(path, "v", "1").levels[0].read_chunk(0, 1)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        (
            {
                "shape": [2**20, 2**20],
                "chunk_grid": {
                    "name": "regular",
                    "configuration": {"chunk_shape": [2**20, 2**20]},
                },
            },
            "1,099,511,627,776 bytes",
        ),
        (
            {
                "data_type": "complex128",
                "fill_value": [0.0, 0.0],
                "codecs": [{"name": "bytes", "configuration": {"endian": "little"}}],
            },
            "not numbers",
        ),
        (
            {"codecs": [{"name": "bytes"}, {"name": "numcodecs.lzma", "configuration": {}}]},
            "numcodecs.lzma|No implementation|not what",
        ),
    ],
)
def test_metadata_that_promise_too_much_are_refused_before_a_chunk_is_read(
    write_coded, changes, reason
):
    path = write_coded("zstd")
    edit(path, **changes)
    with pytest.raises(InvalidInputError, match=reason):
        open_pyramid(path, "v", "1")


def test_a_document_without_end_is_not_read(write_coded):
    path = write_coded("zstd")
    with (path / "zarr.json").open("r+b") as file:
        file.truncate(2**31)
    with pytest.raises(InvalidInputError, match="at most 16,777,216"):
        open_pyramid(path, "v", "1")


@pytest.mark.parametrize("place", ["zarr.json", "0", "0/zarr.json", "0/v", "0/v/zarr.json"])
def test_a_link_among_the_metadata_is_refused(write_coded, tmp_path, place):
    path = write_coded("zstd")
    (path / place).rename(tmp_path / "elsewhere")
    (path / place).symlink_to(tmp_path / "elsewhere")
    with pytest.raises(ForbiddenError, match="symbolic link"):
        open_pyramid(path, "v", "1")


@pytest.mark.parametrize("place", ["0/v/c", "0/v/c/1", "0/v/c/1/0"])
def test_a_link_among_the_chunks_is_refused(write_coded, tmp_path, place):
    path = write_coded("zstd")
    pyramid = open_pyramid(path, "v", "1")
    (path / place).rename(tmp_path / "elsewhere")
    (path / place).symlink_to(tmp_path / "elsewhere")
    with pytest.raises(ForbiddenError, match="symbolic link"):
        ChunkCache(2**20).get("key", lambda: pyramid.levels[0].read_chunk(1, 0))


def test_a_product_behind_a_link_of_the_store_is_refused(write_coded, tmp_path):
    path = write_coded("zstd")
    (tmp_path / "objects/other").mkdir(parents=True)
    (tmp_path / "objects/other/product.zarr").symlink_to(path)
    with pytest.raises(ForbiddenError, match="symbolic link"):
        open_pyramid(tmp_path / "objects/other/product.zarr", "v", "1", root=tmp_path / "objects")
