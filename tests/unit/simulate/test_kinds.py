"""All simulations by name, in both forms."""

from collections.abc import Callable
from pathlib import Path

import h5netcdf
import pytest
import rasterio
import xarray as xr

from skerry.cli.simulate import KINDS
from skerry.core.errors import ConflictError, InvalidInputError
from skerry.products import open_product
from skerry.simulate import SIMULATIONS, simulate_product

pytestmark = pytest.mark.slow


def test_the_command_offers_every_kind() -> None:
    assert set(KINDS) == set(SIMULATIONS)


def test_both_forms_hold_the_same(tmp_path: Path) -> None:
    text: list[float] = []
    trees = {}
    for form in ("safe", "eopf-zarr"):
        product = simulate_product(
            "s2-l1c", tmp_path / form, day="2026-05-01", size=60, form=form,
            progress=lambda done, _: text.append(done),
        )  # fmt: skip
        assert product.name.removesuffix(product.suffix).endswith("_SIM")
        assert (product.parent / f"{product.stem}.truth.nc").is_file()
        assert sorted(item.name for item in product.parent.iterdir()) == sorted(
            [product.name, f"{product.stem}.truth.nc"]
        )
        trees[form] = open_product(product)
    for path in ("measurements/reflectance/r10m", "conditions/mask/detector_footprint/r60m"):
        for name, item in trees["safe"][path].data_vars.items():
            xr.testing.assert_equal(item.compute(), trees["eopf-zarr"][path][name].compute())
    assert trees["eopf-zarr"].attrs["other_metadata"]["simulated"] is True
    assert 0 <= min(text) < max(text) == 1


@pytest.mark.parametrize(
    "kind",
    [
        pytest.param(kind, marks=[pytest.mark.long] if kind == "slstr-rbt" else [])
        for kind in sorted(SIMULATIONS)
    ],
)
def test_every_kind_says_that_it_is_simulated(simulated: Callable[..., Path], kind: str) -> None:
    """In its name, title and item, and in the truth beside it."""
    product = simulated(kind, size=66)
    tree = open_product(product)
    assert str(tree.attrs["title"]).startswith("SIMULATED")
    assert tree.attrs["other_metadata"]["simulated"] is True
    item = tree.attrs["stac_discovery"]
    assert item["id"].endswith("_SIM") or "SIMULATED" in item["id"]
    assert [entry["name"] for entry in item["properties"]["providers"]][-1:] == [
        "Skerry, simulated"
    ]
    with xr.open_dataset(product.with_name(f"{product.stem}.truth.nc")) as truth:
        assert truth.attrs["title"] == f"SIMULATED truth of {product.stem}"
        assert truth.attrs["simulated"] == "true"
    for path in product.rglob("*.nc"):
        with h5netcdf.File(path) as data:
            text = str(dict(data.attrs.items()))
            assert "SIMULATED" in text or "simulation" in text, path.name
    for path in product.rglob("*.tiff"):
        with rasterio.open(path) as image:
            assert "SIMULATED" in image.tags()["TIFFTAG_IMAGEDESCRIPTION"]
    manifest = next(iter([*product.glob("xfdumanifest.xml"), *product.glob("MTD_MSI*.xml"),
                          *product.glob("manifest.safe")]))  # fmt: skip
    assert "simulated" in manifest.read_text("utf-8").lower()


@pytest.mark.parametrize(
    "kind", ["olci-efr", pytest.param("slstr-rbt", marks=pytest.mark.long), "s1-iw-grd"]
)
def test_the_zarr_says_so_too(tmp_path: Path, kind: str) -> None:
    product = simulate_product(kind, tmp_path, day="2026-05-01", size=66, form="eopf-zarr")
    tree = open_product(product)
    assert str(tree.attrs["title"]).startswith("SIMULATED")
    assert tree.attrs["other_metadata"]["simulated"] is True
    assert tree.attrs["stac_discovery"]["id"].endswith("_SIM")


def test_a_zarr_is_not_overwritten(tmp_path: Path) -> None:
    for _ in range(2):
        try:
            simulate_product("s2-l1c", tmp_path, day="2026-05-01", size=60, form="eopf-zarr")
        except ConflictError:
            break
    else:
        pytest.fail("the second one was written over the first")
    assert len(list(tmp_path.iterdir())) == 2


@pytest.mark.parametrize(("kind", "form"), [("s2-l3", "safe"), ("s2-l1c", "shapefile")])
def test_kinds_and_forms_that_there_are_not(tmp_path: Path, kind: str, form: str) -> None:
    with pytest.raises(InvalidInputError, match="no simulation"):
        simulate_product(kind, tmp_path, day="2026-05-01", form=form)
