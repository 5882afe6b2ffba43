"""`skerry convert`, from the words on the command line to the exit code."""

import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xarray as xr
from tests.object_servers import locate, serve_folder
from tests.unit.products.small_trees import EVERYTHING, assemble

from skerry.cli.main import run
from skerry.cli.outputs import FORMATS, PROFILES
from skerry.products import open_product, writing

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def product(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("product") / "small.zarr"
    tree = assemble(3, 40, 40, EVERYTHING | {"packings": [2], "plain": []})
    writing.write_product(tree, path, form="geozarr")
    return path


def test_the_names_are_those_of_the_library() -> None:
    assert tuple(writing.FORMATS) == FORMATS
    assert PROFILES == writing.PROFILES


@pytest.mark.parametrize("form", FORMATS)
def test_every_format(
    form: str, product: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    assert run(["convert", str(product), str(out), "--format", form]) == 0
    output = capsys.readouterr()
    assert output.out.strip() == str(out)
    assert ("left out, cog cannot hold: conditions/" in output.err) == (form == "cog")
    band = "measurements/r10m/p2"
    xr.testing.assert_equal(
        open_product(out)[band].compute(), open_product(product)[band].compute()
    )


def test_options(product: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "out.zarr"
    words = ["--format", "eopf-zarr", "--chunks", "16", "--shards", "32", "--codec", "zstd:7"]
    assert run(["convert", str(product), str(out), *words, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["path"] == str(out)
    result = open_product(out)["measurements/r10m"].variables["p2"].encoding
    assert (result["chunks"], result["shards"]) == ((16, 16), (32, 32))
    assert result["compressors"][0].to_dict()["configuration"]["level"] == 7


@pytest.mark.parametrize("form", ["geozarr", "eopf-zarr-v2", "netcdf"])
def test_the_user_says_the_type_of_a_product_that_does_not(
    form: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source, out = tmp_path / "source", tmp_path / "out.zarr"
    tree = assemble(3, 40, 40, EVERYTHING | {"packings": [2], "plain": []})
    tree.attrs = {}
    writing.write_product(tree, source, form=form)
    assert run(["convert", str(source), str(out), "--type", "S02MSIL2A"]) == 0
    assert "missing in" in capsys.readouterr().err, "now it is known what should be there"
    opened = open_product(out)
    assert opened.attrs["stac_discovery"]["properties"]["product:type"] == "S02MSIL2A"
    assert "measurements/reflectance/r10m/b02" in opened.attrs["other_metadata"]["missing"]
    assert run(["validate", str(source), "--type", "S02MSIL2A", "--json"]) == 1
    report = json.loads(capsys.readouterr().out)
    assert report["product_type"] == "S02MSIL2A"
    failed = {item["check"] for item in report["checks"] if item["result"] == "finding"}
    assert "completeness.parts" in failed
    assert run(["convert", str(out), str(tmp_path / "again.nc"), "--type", "S02MSIL1C"]) == 2
    assert "is of type S02MSIL2A, not S02MSIL1C" in capsys.readouterr().err


def test_from_an_address(product: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.nc"
    with serve_folder(product.parent) as server:
        address = locate(server, "small.zarr")
        assert run(["convert", address, str(out), "--format", "netcdf"]) == 0
    assert np.isfinite(open_product(out)["measurements/r10m/p2"].to_numpy()).any()


@pytest.mark.parametrize(
    ("name", "form"), [("o.zarr", "eopf-zarr"), ("o.NC", "netcdf"), ("o.cogs", "cog")]
)
def test_the_suffix_says_the_format(
    name: str, form: str, product: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["convert", str(product), str(tmp_path / name), "--json"]) == 0
    output = capsys.readouterr()
    assert json.loads(output.out)["format"] == form
    # a stage that takes seconds is told again, with per cent
    stages = dict.fromkeys(line.partition(",")[0] for line in output.err.splitlines())
    assert list(stages)[:3] == [f"{name}: Opening", f"{name}: Writing", f"{name}: Done"]


@pytest.mark.long
def test_long_lists_are_shortened(safe: Path, tmp_path: Path, capsys: Any) -> None:
    assert run(["convert", str(safe), str(tmp_path / "few.cogs")]) == 0
    few = [line for line in capsys.readouterr().err.splitlines() if "left out" in line]
    assert run(["convert", str(safe), str(tmp_path / "all.cogs"), "-v"]) == 0
    every = [line for line in capsys.readouterr().err.splitlines() if "left out" in line]
    assert len(few) == 1
    assert f"and {len(every) - 3} more (-v names all)" in few[0]


@pytest.mark.parametrize(
    ("words", "what"),
    [
        (["{product}", "{there}", "--format", "netcdf"], "exists already"),
        (["{product}", "{folder}/no/out", "--format", "netcdf"], "does not exist"),
        (["{product}", "{product}/out", "--format", "netcdf"], "inside of"),
        (["{folder}/absent", "{folder}/out", "--format", "netcdf"], "There is no"),
        (["{product}", "{folder}/out", "--format", "netcdf", "--codec", "rar"], "names no codec"),
        (["{product}", "{folder}/out", "--format", "cog", "--shards", "64"], "no shards"),
        (["{product}", "{folder}/out", "--format", "geozarr", "--profile", "2025"], "no profiles"),
        (["{product}", "{folder}/out", "--format", "tiff"], "tiff"),
        (["{product}", "{folder}/out"], "Give --format"),
        (["{product}", "{folder}/out.nc", "--format", "cog"], "ends in .nc, and cog is another"),
        (["{product}", "{folder}/out.SAFE"], "does not name a format"),
        (["file:///etc/passwd", "{folder}/out", "--format", "netcdf"], "not an address"),
    ],
)
def test_bad_input_ends_with_2_and_a_line(
    words: list[str], what: str, product: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    there = tmp_path / "there"
    there.write_text("mine")
    filled = [word.format(product=product, there=there, folder=tmp_path) for word in words]
    assert run(["convert", *filled]) == 2
    output = capsys.readouterr().err
    assert what in output
    assert "Traceback" not in output
    assert [path.name for path in tmp_path.iterdir()] == ["there"]
    assert there.read_text() == "mine"


def test_nothing_is_left_when_it_is_interrupted(
    product: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stop(*_: Any, **__: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("skerry.products.filling.loop._Crew._collect", stop)
    for form in ("geozarr", "netcdf", "cog"):
        assert run(["convert", str(product), str(tmp_path / "out"), "--format", form]) == 130
        assert os.listdir(tmp_path) == []  # noqa: PTH208


def test_an_empty_path_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["convert", "", str(tmp_path / "out.nc"), "--format", "netcdf"]) == 2
    assert "is empty" in capsys.readouterr().err
