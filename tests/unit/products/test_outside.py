"""No product makes a reader show what stands outside of it, however it points there."""

import io
import json
import os
import shutil
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py  # type: ignore[import-untyped]
import numpy as np
import pytest
import rasterio
from tests.unit.products.small_trees import EVERYTHING, assemble

from skerry.core.errors import InvalidInputError, SkerryError
from skerry.products import open_product
from skerry.products.writing import write_product
from skerry.storage.outside import check_inside

SECRET = b"BEHOLD-A-SECRET-"


@pytest.fixture
def secret(tmp_path: Path) -> Path:
    """Return a file outside of every product, large enough for any array of these tests."""
    path = tmp_path / "elsewhere" / "secrets.bin"
    path.parent.mkdir()
    path.write_bytes(SECRET * 4096)
    return path


def read_everything(path: Path) -> bytes:
    """Return what a reader gives of a product, values and attributes."""
    tree = open_product(path)
    seen = io.BytesIO()
    for node in tree.subtree:
        seen.write(repr(node.attrs).encode())
        for name, variable in node.variables.items():
            seen.write(f"{name} {variable.attrs}".encode())
            values = np.ascontiguousarray(variable.to_numpy())
            seen.write(values.tobytes())
            if values.dtype.kind == "f":  # a reader that unpacks shows it in other numbers
                seen.write(np.nan_to_num(values).astype("u1", casting="unsafe").tobytes())
    return seen.getvalue()


def assert_refused(path: Path) -> None:
    """Assert that a product is refused in words, without a byte of the secret."""
    with pytest.raises(SkerryError) as caught:
        read_everything(path)
    assert SECRET.decode() not in str(caught.value)
    assert caught.value.remedy


SENSORS = {"s2": "s2-l2a", "s1": "s1-iw-grd", "olci": "olci-err"}
FORMATS = {
    "eopf-zarr3": ("p.zarr", "eopf-zarr"),
    "eopf-zarr2": ("p.zarr", "eopf-zarr-v2"),
    "geozarr": ("p.zarr", "geozarr"),
    "netcdf": ("p.nc", "netcdf"),
    "cogs": ("p", "cog"),
}


class Products(dict[str, Path]):
    """A small product of every container, made when it is first asked for."""

    def __init__(self, simulate: Callable[..., Path], root: Path) -> None:
        self._simulate = simulate
        self._root = root

    def __missing__(self, name: str) -> Path:
        """Make the product of that name."""
        if name in SENSORS:
            path = self._simulate(SENSORS[name], size=66)
        else:
            file, form = FORMATS[name]
            path = self._root / name / file
            path.parent.mkdir()
            write_product(assemble(1, 64, 64, EVERYTHING), path, form=form)
        self[name] = path
        return path


@pytest.fixture(scope="module")
def products(simulated: Callable[..., Path], tmp_path_factory: pytest.TempPathFactory) -> Products:
    """Return small products; tests must not change them."""
    return Products(simulated, tmp_path_factory.mktemp("products"))


def make_slow(*values: str) -> Any:
    """Return parameters of a product that takes seconds to make."""
    return pytest.param(*values, marks=pytest.mark.slow)


LINKED = [
    make_slow("s2", "GRANULE/*/IMG_DATA/R20m/*B8A*.jp2"), make_slow("s2", "MTD_MSIL2A.xml"),
    make_slow("s2", "GRANULE"), make_slow("s1", "measurement/*vv*.tiff"),
    make_slow("s1", "annotation/*vv*.xml"), make_slow("s1", "measurement"),
    make_slow("olci", "Oa01_radiance.nc"), make_slow("olci", "xfdumanifest.xml"),
    make_slow("olci", "geo_coordinates.nc"),
    ("eopf-zarr3", "zarr.json"), ("eopf-zarr3", "measurements/r10m/*/c/0/0"),
    ("eopf-zarr3", "measurements/r10m"), ("eopf-zarr3", "measurements/r10m/x/c"),
    ("eopf-zarr2", ".zmetadata"), ("eopf-zarr2", "measurements/r10m/*/0.0"),
    ("eopf-zarr2", "measurements/r10m/x"), ("geozarr", "zarr.json"),
    ("geozarr", "measurements/r10m/0/*/c/0/0"), ("geozarr", "measurements"),
    ("cogs", "item.json"), ("cogs", "measurements/r10m/*.tif"), ("cogs", "measurements"),
]  # fmt: skip


@pytest.mark.parametrize(("product", "pattern"), LINKED)
@pytest.mark.parametrize("relative", [True, pytest.param(False, marks=pytest.mark.slow)])
def test_a_link_that_leads_out_is_refused(
    products: Products, tmp_path: Path, product: str, pattern: str, relative: bool
) -> None:
    """What is linked would be read without complaint if it stood in the product."""
    copy = Path(shutil.copytree(products[product], tmp_path / products[product].name))
    member = min(copy.glob(pattern))
    away = tmp_path / "elsewhere" / member.name
    away.parent.mkdir()
    member.rename(away)
    member.symlink_to(os.path.relpath(away, member.parent) if relative else away)
    assert_refused(copy)


def test_a_link_within_a_product_and_one_to_it_are_read(products: Products, tmp_path: Path) -> None:
    copy = Path(shutil.copytree(products["cogs"], tmp_path / "p"))
    member = min(copy.glob("measurements/r10m/*.tif"))
    member.rename(copy / "kept.tif")
    member.symlink_to("../../kept.tif")
    (tmp_path / "named").symlink_to(copy)
    assert read_everything(tmp_path / "named")


def test_the_only_file_of_a_folder_may_not_stand_elsewhere(
    products: Products, tmp_path: Path
) -> None:
    (tmp_path / "p").mkdir()
    (tmp_path / "p" / "a.nc").symlink_to(products["netcdf"])
    assert_refused(tmp_path / "p")


Pointing = Callable[[h5py.File, str, Path], None]


def _store_elsewhere(file: h5py.File, name: str, secret: Path) -> None:
    old = file[name]
    shape, dtype, attrs = old.shape, old.dtype, dict(old.attrs)
    del file[name]
    size = int(np.prod(shape)) * dtype.itemsize
    new = file.create_dataset(name, shape, dtype, external=[(str(secret), 0, size)])
    _put_back(new, attrs)


def _link_elsewhere(file: h5py.File, name: str, secret: Path) -> None:
    _move_out(file, name, secret)
    file[name] = h5py.ExternalLink(str(secret.with_suffix(".h5")), "/d")


def _link_group_elsewhere(file: h5py.File, name: str, secret: Path) -> None:
    _move_out(file, name, secret)
    file["elsewhere"] = h5py.ExternalLink(str(secret.with_suffix(".h5")), "/")
    file[name] = h5py.SoftLink("/elsewhere/d")


def _map_elsewhere(file: h5py.File, name: str, secret: Path) -> None:
    shape, dtype, attrs = _move_out(file, name, secret)
    layout = h5py.VirtualLayout(shape, dtype)
    layout[:] = h5py.VirtualSource(secret.with_suffix(".h5"), "d", shape)
    _put_back(file.create_virtual_dataset(name, layout), attrs)


def _move_out(file: h5py.File, name: str, secret: Path) -> tuple[Any, Any, dict[str, Any]]:
    old = file[name]
    facts = old.shape, old.dtype, dict(old.attrs)
    with h5py.File(secret.with_suffix(".h5"), "w") as other:
        content = (SECRET * (old.nbytes // len(SECRET) + 1))[: old.nbytes]
        other["d"] = np.frombuffer(content, old.dtype).reshape(old.shape)
    del file[name]
    return facts


def _put_back(dataset: Any, attrs: dict[str, Any]) -> None:
    for name, value in attrs.items():
        if name not in ("DIMENSION_LIST", "REFERENCE_LIST"):
            dataset.attrs[name] = value


POINTING = [_store_elsewhere, _link_elsewhere, _link_group_elsewhere, _map_elsewhere]


@pytest.mark.parametrize("point", POINTING)
@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize(
    ("product", "file", "name"),
    [make_slow("olci", "Oa01_radiance.nc", "Oa01_radiance"), ("netcdf", "", "measurements/r10m/x"),
     ("netcdf", "", "measurements/r10m/{first}")],
)  # fmt: skip
def test_hdf5_that_keeps_its_content_elsewhere_is_refused(
    products: Products, tmp_path: Path, secret: Path,
    product: str, file: str, name: str, point: Pointing, packed: bool,
) -> None:  # fmt: skip
    target = tmp_path / products[product].name
    if file:
        shutil.copytree(products[product], target)
    else:
        shutil.copy(products[product], target)
    with h5py.File(target / file if file else target, "a") as stored:
        if "{first}" in name:
            group = stored["measurements/r10m"]
            planes = [key for key, item in group.items() if getattr(item, "ndim", 0) == 2]
            name = name.format(first=planes[0])
        point(stored, name, secret)
    assert_refused(_pack(target) if packed else target)


def _pack(product: Path) -> Path:
    """Return an archive of a product: HDF5 then reads through Python, and still points out."""
    archive = product.with_name("packed.zip")
    paths = sorted(product.rglob("*")) if product.is_dir() else [product]
    with zipfile.ZipFile(archive, "w") as target:
        for path in paths:
            if path.is_file():
                target.write(path, path.relative_to(product.parent).as_posix())
    return archive


@pytest.mark.slow
@pytest.mark.parametrize(
    ("product", "pattern"),
    [("s2", "GRANULE/*/IMG_DATA/R20m/*B8A*.jp2"), ("s1", "measurement/*vv*.tiff"),
     ("cogs", "measurements/r10m/*.tif")],
)  # fmt: skip
@pytest.mark.parametrize("packed", [False, True])
def test_a_virtual_raster_in_a_raster_s_place_is_not_read(
    products: Products, tmp_path: Path, secret: Path,
    product: str, pattern: str, packed: bool,
) -> None:  # fmt: skip
    copy = Path(shutil.copytree(products[product], tmp_path / products[product].name))
    member = min(copy.glob(pattern))
    with rasterio.open(member) as real:
        width, height, dtype = real.width, real.height, real.dtypes[0]
    item = np.dtype(dtype).itemsize
    kind = {"uint8": "Byte", "uint16": "UInt16", "int16": "Int16", "float32": "Float32"}.get(
        dtype, "Byte"
    )
    member.write_text(
        f'<VRTDataset rasterXSize="{width}" rasterYSize="{height}">'
        f'<VRTRasterBand dataType="{kind}" band="1" subClass="VRTRawRasterBand">'
        f'<SourceFilename relativetoVRT="0">{secret}</SourceFilename>'
        f"<PixelOffset>{item}</PixelOffset><LineOffset>0</LineOffset>"
        "</VRTRasterBand></VRTDataset>"
    )
    place = _pack(copy) if packed else copy
    if product == "s1":  # a file that is not an image counts as missing, the other one is read
        assert len(open_product(place).attrs["other_metadata"]["missing"]) == 1
        assert SECRET not in read_everything(place)
    else:
        assert_refused(place)


@pytest.mark.slow
def test_files_beside_a_raster_are_not_read(products: Products, tmp_path: Path) -> None:
    """GDAL alone would take statistics, masks and overviews from them, of whatever they name."""
    copy = Path(shutil.copytree(products["cogs"], tmp_path / "p"))
    before = read_everything(copy)
    for member in copy.glob("measurements/r10m/*.tif"):
        with rasterio.open(member) as real:
            profile = {
                "width": real.width,
                "height": real.height,
                "count": 1,
                "dtype": "uint8",
                "transform": real.transform,
            }
        for suffix in (".ovr", ".msk"):
            beside = member.with_name(member.name + suffix)
            with rasterio.open(beside, "w", driver="GTiff", **profile) as sink:
                sink.write(np.zeros((1, profile["height"], profile["width"]), np.uint8))
        member.with_name(f"{member.name}.aux.xml").write_text(
            f'<PAMDataset><Metadata domain="OVERVIEWS"><MDI key="OVERVIEW_FILE">'
            f"{member}.ovr</MDI></Metadata><GeoTransform>0,1,0,0,0,1</GeoTransform></PAMDataset>"
        )
    assert read_everything(copy) == before


@pytest.mark.parametrize("key", ["../../elsewhere", "a/../../../elsewhere", "/elsewhere"])
def test_keys_of_a_store_do_not_climb(products: Products, tmp_path: Path, key: str) -> None:
    copy = Path(shutil.copytree(products["eopf-zarr3"], tmp_path / "deep" / "p.zarr"))
    away = tmp_path / "elsewhere"
    shutil.copytree(copy / "measurements/r10m/x", away)
    document = json.loads((copy / "zarr.json").read_text())
    nodes = document["consolidated_metadata"]["metadata"]
    nodes[f"measurements/{key}"] = json.loads((away / "zarr.json").read_text())
    (copy / "zarr.json").write_text(json.dumps(document))
    try:
        tree = open_product(copy)
    except SkerryError:
        return
    paths = [f"{node.path}/{name}" for node in tree.subtree for name in node.variables]
    assert not [path for path in paths if "elsewhere" in path]


@pytest.mark.parametrize("name", ["refs.json", "p.zarr", "p"])
def test_references_to_chunks_elsewhere_are_not_a_product(
    tmp_path: Path, secret: Path, name: str
) -> None:
    references = {
        "version": 1,
        "refs": {
            ".zgroup": '{"zarr_format": 2}',
            "a/.zarray": json.dumps(
                {"zarr_format": 2, "shape": [64], "chunks": [64], "dtype": "|u1", "order": "C",
                 "compressor": None, "filters": None, "fill_value": 0}
            ),
            "a/0": [str(secret), 0, 64],
        },
    }  # fmt: skip
    path = tmp_path / name
    if name == "p":
        path.mkdir()
        path = path / "zarr.json"
    path.write_text(json.dumps(references))
    assert_refused(path.parent if name == "p" else path)


@pytest.mark.parametrize("name", ["../x", "a/../../x", "..", "/etc", "a/../..", "link/x", "link"])
def test_paths_that_lead_out(tmp_path: Path, name: str) -> None:
    root = tmp_path / "root"
    (root / "a").mkdir(parents=True)
    (root / "link").symlink_to(tmp_path)
    with pytest.raises(InvalidInputError, match="leads out"):
        check_inside(root, root / name)


@pytest.mark.parametrize("name", ["a", "a/b", "a/new/file", "..a", "a/..b"])
def test_paths_that_stay(tmp_path: Path, name: str) -> None:
    (tmp_path / "root" / "a").mkdir(parents=True)
    (tmp_path / "named").symlink_to(tmp_path / "root")
    for root in (tmp_path / "root", tmp_path / "named"):
        assert check_inside(root, root / name) == root / name
