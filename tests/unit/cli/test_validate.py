import json
import os
import shutil
from pathlib import Path

import pytest
from tests.unit.validation.healthy import describe_eopf

from skerry.cli.main import run
from skerry.validation.registry import list_checks


def test_a_clean_product_exits_with_0(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    written = describe_eopf().write(tmp_path / "product.zarr")
    assert run(["validate", str(written)]) == 0
    output = capsys.readouterr().out
    assert all(check.name in output for check in list_checks())
    assert "none has findings" in output
    assert "runs only with --deep" in output


def test_findings_exit_with_1_and_say_what_to_do(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    product = describe_eopf()
    product.groups[""]["stac_discovery"]["properties"]["datetime"] = None
    written = product.write(tmp_path / "product.zarr")
    assert run(["validate", str(written)]) == 1
    output = capsys.readouterr().out
    assert "stac_discovery/properties: is None" in output
    assert "Remedy: Write the sensing time as 2026-05-01T10:30:00Z." in output


def test_json_names_every_check_with_its_outcome(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    product = describe_eopf()
    del product.attrs("measurements/reflectance/r10m/b02")["units"]
    written = product.write(tmp_path / "product.zarr")
    assert run(["validate", str(written), "--format", "json"]) == 1  # as it was called once
    before = capsys.readouterr().out
    assert run(["validate", str(written), "--json"]) == 1
    output = capsys.readouterr().out
    assert output == before
    report = json.loads(output)
    assert [item["check"] for item in report["checks"]] == [check.name for check in list_checks()]
    assert {item["result"] for item in report["checks"]} == {"passed", "finding", "not applicable"}
    result = [item for item in report["checks"] if item["result"] == "finding"]
    assert [item["check"] for item in result] == ["cf.units"]
    assert result[0]["findings"] == [
        {"where": "measurements/reflectance/r10m/b02", "what": "has no units"}
    ]
    assert result[0]["remedy"]
    assert report["checks_made"] == sum(item["examined"] > 0 for item in report["checks"])
    assert not report["clean"]


def test_what_cannot_be_checked_exits_with_2(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    import zarr

    (tmp_path / "notes.txt").write_text("no product")
    (tmp_path / "broken.nc").write_bytes(b"\x89HDF\r\n\x1a\n")
    zarr.create_group(tmp_path / "empty.zarr")
    (tmp_path / "bad.zarr").mkdir()
    (tmp_path / "bad.zarr" / "zarr.json").write_text("{")
    written = describe_eopf().write(tmp_path / "product.zarr")
    for words in (
        ["nowhere"], ["notes.txt"], ["broken.nc"], ["empty.zarr"], ["bad.zarr"],
        [written.name, "--profile", "2031"],
    ):  # fmt: skip
        assert run(["validate", str(tmp_path / words[0]), *words[1:]]) == 2, words
        output = capsys.readouterr()
        assert output.err.startswith("Error: "), words
        assert "Traceback" not in output.err


@pytest.mark.parametrize(
    ("wound", "check"),
    [
        ("reversed bbox", "stac.bbox"),
        ("null datetime", "stac.datetime"),
        ("text null datetime", "stac.datetime"),
        ("proj:epsg", "stac.projection"),
        ("old name", "stac.names"),
        ("no grid mapping", "geometry.system"),
    ],
)
def test_wounds_that_opening_heals_are_still_seen(wound: str, check: str, tmp_path: Path) -> None:
    from skerry.products import open_product
    from skerry.validation import validate_product

    product = describe_eopf()
    item = product.groups[""]["stac_discovery"]
    if wound == "reversed bbox":
        west, south, east, north = item["bbox"]
        item["bbox"] = [east, south, west, north]
    elif wound.endswith("datetime"):
        item["properties"]["datetime"] = "null" if wound.startswith("text") else None
    elif wound == "proj:epsg":
        del item["properties"]["proj:code"]
        item["properties"]["proj:epsg"] = 32633
    elif wound == "old name":
        item["properties"]["eo:bands"] = []
    else:
        for name in ("r10m", "r20m"):
            attrs = product.attrs(f"measurements/reflectance/{name}/b02")
            del attrs["grid_mapping"], attrs["proj:code"]
            del product.arrays[f"measurements/reflectance/{name}/spatial_ref"]
    written = product.write(tmp_path / "product.zarr")
    opened = open_product(written)
    assert [entry.check for entry in validate_product(written).failed] == [check]
    if wound.endswith(("bbox", "datetime")):
        healed = opened.attrs["stac_discovery"]
        assert healed["bbox"][0] < healed["bbox"][2]
        assert str(healed["properties"]["datetime"]).startswith("2026-05-01")


@pytest.mark.slow
def test_a_damaged_band_is_a_finding(
    safe: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    copy = tmp_path / safe.name
    shutil.copytree(safe, copy, copy_function=os.link)
    band = next(copy.glob("GRANULE/*/IMG_DATA/R10m/*_B04_10m.jp2"))
    content = band.read_bytes()
    band.unlink()
    band.write_bytes(content[: len(content) // 2])
    assert run(["validate", str(copy)]) == 1
    output = capsys.readouterr().out
    assert "lacks measurements/reflectance/r10m/b04" in output
    assert f"{band.name}: has {len(content) // 2} bytes" in output


@pytest.mark.parametrize(
    ("product", "said"), [("", "is empty"), ("http://host/a.zarr?key=very-secret", "http://host/a")]
)
def test_what_is_not_a_path_is_refused(
    product: str, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["validate", product]) == 2
    output = capsys.readouterr().err
    assert said in output
    assert "very-secret" not in output
