"""One processor from the command line: what it writes, and what it says of bad input."""

import json
import os
import shutil
from pathlib import Path

import numpy as np
import pytest

from skerry.cli.main import run
from skerry.core.errors import InvalidInputError
from skerry.pipelines.processing import write_manifest
from skerry.processors import turbidity_dogliotti2015
from skerry.products import open_product
from skerry.validation import validate_product

pytestmark = pytest.mark.slow


@pytest.fixture
def copy(safe: Path, tmp_path: Path) -> Path:
    """Return a copy of the product whose files may be replaced."""
    target = tmp_path / safe.name
    shutil.copytree(safe, target, copy_function=os.link)
    return target


def test_the_product_says_what_it_is_and_where_it_came_from(
    safe: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "turbidity.zarr"
    words = ["-p", "pole_fraction=0.4", "--trace", str(tmp_path / "t.json")]
    assert run(["process", "turbidity", str(safe), "-o", str(out), *words]) == 0
    assert capsys.readouterr().out.strip() == str(out)

    product = open_product(out)
    bands = open_product(safe)["measurements/reflectance/r20m"]
    expected = turbidity_dogliotti2015(bands["b04"], bands["b8a"], pole_fraction=0.4)
    assert int(expected.count()) > 100
    np.testing.assert_allclose(product["measurements"]["turbidity"], expected, rtol=1e-6)

    item = product.attrs["stac_discovery"]
    (link,) = [element for element in item["links"] if element["rel"] == "derived_from"]
    assert (out.parent / link["href"]).resolve() == safe.resolve()
    assert item["properties"]["processing:software"]["turbidity"]
    assert "Dogliotti" in item["properties"]["processing:lineage"]
    assert item["properties"]["datetime"] == str(
        open_product(safe).attrs["stac_discovery"]["properties"]["datetime"]
    )
    assert product.attrs["title"].startswith("Simulated: ")
    (entry,) = [
        element
        for entries in product.attrs["processing_history"].values()
        for element in entries
        if element.get("processor") == "turbidity"
    ]
    assert entry["execution_parameters"] == {"pole_fraction": "0.4"}

    manifest = json.loads((tmp_path / "turbidity.zarr.manifest.json").read_text())
    assert manifest["steps"][0]["parameters"] == {"pole_fraction": 0.4}
    assert list(manifest["inputs"]) == [str(safe)]
    assert (tmp_path / "t.json").is_file()
    report = validate_product(out)
    assert report.clean, [element.findings for element in report.failed]


@pytest.mark.parametrize(
    ("form", "name"),
    [("geozarr", "o.zarr"), ("netcdf", "o.nc"), ("cog", "o"), ("eopf-zarr-v2", "o.zarr")],
)
def test_every_format_opens_again(form: str, name: str, safe: Path, tmp_path: Path) -> None:
    out = tmp_path / name
    assert run(["process", "ndci", str(safe), "-o", str(out), "--format", form]) == 0
    assert int(open_product(out)["measurements"]["ndci"].count()) > 100


def test_processors_are_listed_and_described(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["process", "--list", "--json"]) == 0
    assert {"turbidity", "ndci"} <= {item["name"] for item in json.loads(capsys.readouterr().out)}
    assert run(["process", "turbidity", "--describe"]) == 0
    output = capsys.readouterr().out
    assert "pole_fraction" in output
    assert "FNU" in output
    assert "doi:10.1016/j.rse.2014.09.020" in output


BAD = {
    "no such product": (["turbidity", "nowhere"], "nowhere"),
    "no such processor": (["turbidty", "SAFE"], "turbidty"),
    "no product": (["turbidity"], "got no product"),
    "unknown parameter": (["turbidity", "SAFE", "-p", "pole=1"], "pole"),
    "parameter out of its bounds": (
        ["turbidity", "SAFE", "-p", "pole_fraction=2"],
        "pole_fraction",
    ),
    "parameter NaN": (["turbidity", "SAFE", "-p", "pole_fraction=nan"], "pole_fraction"),
    "parameter no number": (["turbidity", "SAFE", "-p", "pole_fraction=high"], "pole_fraction"),
    "parameter without value": (["turbidity", "SAFE", "-p", "pole_fraction"], "gives no value"),
    "wrong sensor": (["olci-reflectance", "SAFE"], "S02MSIL2A"),
    "area off the scene": (["turbidity", "SAFE", "--aoi", "100,10,101,11"], "100"),
    "area of three numbers": (["turbidity", "SAFE", "--aoi", "1,2,3"], "1,2,3"),
    "unknown flag": (["turbidity", "SAFE", "--flags", "clowd"], "clowd"),
    "needless auxiliary data": (["turbidity", "SAFE", "--aux", "arc=HERE"], "auxiliary"),
    "suffix of another format": (["turbidity", "SAFE", "--format", "netcdf"], "ends in .zarr"),
    "no auxiliary folder": (["turbidity", "SAFE", "--aux", "arc=nowhere"], "nowhere"),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_input_is_named(
    case: str, safe: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words, named = BAD[case]
    (tmp_path / "file.txt").write_text("1")
    words = [{"SAFE": str(safe), "arc=HERE": f"arc={tmp_path}"}.get(word, word) for word in words]
    out = tmp_path / "out.zarr"
    assert run(["process", *words, "-o", str(out)]) == 2
    output = capsys.readouterr()
    assert named in output.err
    assert "Traceback" not in output.err
    assert len([line for line in output.err.splitlines() if line.startswith("Error")]) == 1
    assert not out.exists()
    assert not [path for path in tmp_path.iterdir() if path.name.startswith(".")]


def test_a_truncated_product(
    copy: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    band = next(copy.glob("GRANULE/*/IMG_DATA/R20m/*_B04_20m.jp2"))
    content = band.read_bytes()
    band.unlink()
    band.write_bytes(content[: len(content) // 2])
    assert run(["process", "turbidity", str(copy), "-o", str(tmp_path / "out.zarr")]) == 0
    output = capsys.readouterr().err  # the band of 60 m stands in, and the damage is named
    assert "lacks 1 parts: measurements/reflectance/r20m/b04" in output
    assert f"{band.name} in" in output


def test_a_missing_band(copy: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for band in copy.glob("GRANULE/*/IMG_DATA/R*/*_B04_*.jp2"):
        band.unlink()
    assert run(["process", "turbidity", str(copy), "-o", str(tmp_path / "out.zarr")]) == 2
    assert "b04" in capsys.readouterr().err


def test_all_cloud_gives_a_valid_product_without_values(safe: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.zarr"
    every = "no_data | water | vegetation | ~water"
    flags = every if run_has_flag(safe, "no_data") else "water | ~water"
    assert run(["process", "turbidity", str(safe), "-o", str(out), "--flags", flags]) == 0
    assert int(open_product(out)["measurements"]["turbidity"].count()) == 0
    assert validate_product(out).clean


def run_has_flag(safe: Path, name: str) -> bool:
    classes = open_product(safe)["conditions/mask/l2a_classification/r20m"]["scl"]
    return name in str(classes.attrs["flag_meanings"]).split()


def test_an_output_that_exists_is_kept(safe: Path, tmp_path: Path) -> None:
    (tmp_path / "out.zarr").write_text("mine")
    assert run(["process", "ndci", str(safe), "-o", str(tmp_path / "out.zarr")]) == 2
    assert (tmp_path / "out.zarr").read_text() == "mine"


def test_a_payload_stands_alone(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["process", "ndci", "--payload", str(tmp_path / "p.yaml")]) == 2
    assert "Give only --payload" in capsys.readouterr().err
    assert run(["process", "--payload", str(tmp_path / "p.yaml")]) == 2
    assert "no payload" in capsys.readouterr().err


def test_what_is_missing_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["process"]) == 2
    assert "NAME is missing" in capsys.readouterr().err
    assert run(["process", "ndci", "scene"]) == 2
    assert "-o OUT is missing" in capsys.readouterr().err
    assert run(["process", "--payload", str(tmp_path / "p.yaml"), "--format", "cog"]) == 2
    assert "Give only --payload" in capsys.readouterr().err


def test_nothing_is_written_into_the_input(copy: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = sorted(copy.rglob("*"))
    assert run(["process", "ndci", str(copy), "-o", str(copy / "out.zarr")]) == 2
    assert "is inside of" in capsys.readouterr().err
    words = ["ndci", str(copy), "-o", "out.zarr", "--trace", str(copy / "trace.json")]
    assert run(["process", *words]) == 2
    assert "trace.json is inside of" in capsys.readouterr().err
    assert sorted(copy.rglob("*")) == before


def test_an_empty_result_can_be_asked_for(
    safe: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out.nc"
    words = ["process", "turbidity", str(safe), "-o", str(out), "--aoi", "100,10,101,11"]
    assert run(words) == 2
    assert "allow an empty result" in capsys.readouterr().err
    assert run([*words, "--allow-empty"]) == 0
    assert open_product(out)["measurements"]["turbidity"].size == 0
    assert validate_product(out).clean


def test_a_manifest_that_cannot_be_written_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied", str(tmp_path))

    monkeypatch.setattr(Path, "mkdir", refuse)
    with pytest.raises(InvalidInputError, match=r"out\.zarr\.manifest\.json"):
        write_manifest(tmp_path / "out.zarr", {})
