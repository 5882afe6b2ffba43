"""Every check has a product that it alone finds fault with; a healthy one passes all of them."""

import hashlib
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xarray as xr
from tests.unit.validation.healthy import (
    LEFT,
    TOP,
    Described,
    describe_cpm,
    describe_eopf,
    describe_geozarr,
    describe_item,
)

from skerry.core.errors import InvalidInputError
from skerry.products import filter_product, open_product, write_product
from skerry.simulate import simulate_s2_l2a
from skerry.validation import Report, Result, validate_product
from skerry.validation.registry import list_checks
from skerry.validation.stores import read_tree
from skerry.validation.subject import Subject
from skerry.validation.validating import report_on

pytestmark = pytest.mark.slow

Break = Callable[[Path], Report]
BREAKS: dict[str, Break] = {}
B02 = "measurements/reflectance/r10m/b02"


def breaks(check: str) -> Callable[[Break], Break]:
    """Name the check that alone finds fault with what the function makes."""

    def register(make: Break) -> Break:
        assert check not in BREAKS
        BREAKS[check] = make
        return make

    return register


def eopf(check: str) -> Callable[[Callable[[Described], None]], None]:
    """Damage the description of an EOPF product, before it is written."""

    def register(damage: Callable[[Described], None]) -> None:
        def make(place: Path) -> Report:
            product = describe_eopf()
            damage(product)
            return validate_product(product.write(place / "product.zarr"))

        breaks(check)(make)

    return register


def geozarr(check: str) -> Callable[[Callable[[Described], None]], None]:
    def register(damage: Callable[[Described], None]) -> None:
        def make(place: Path) -> Report:
            product = describe_geozarr()
            damage(product)
            return validate_product(product.write(place / "product.zarr"))

        breaks(check)(make)

    return register


def cpm(check: str) -> Callable[[Callable[[Described], None]], None]:
    def register(damage: Callable[[Described], None]) -> None:
        def make(place: Path) -> Report:
            product = describe_cpm()
            damage(product)
            written = product.write(place / "product.zarr", zarr_format=2)
            return validate_product(written, "cpm-2.8")

        breaks(check)(make)

    return register


def item(product: Described) -> dict[str, Any]:
    result: dict[str, Any] = product.groups[""]["stac_discovery"]
    return result


# Structure


@eopf("structure.opens")
def _(product: Described) -> None:
    # Each group is right by itself; a tree needs the parent's x to be the child's.
    product.put("measurements/reflectance/x", np.arange(7.0), ("x",), units="m")


@eopf("structure.groups")
def _(product: Described) -> None:
    product.put("pictures/quicklook", np.zeros((2, 2)), ("rows", "columns"), units="1")


@eopf("structure.dimensions")
def _(product: Described) -> None:
    data, _dims, attrs = product.arrays["conditions/time"]
    product.arrays["conditions/time"] = (data, None, attrs)


@eopf("structure.sizes")
def _(product: Described) -> None:
    product.put("conditions/other", np.zeros(9), ("time",), units="1")


@breaks("structure.consolidated")
def _(place: Path) -> Report:
    import zarr

    written = describe_eopf().write(place / "product.zarr")
    zarr.open_group(written, mode="r+").create_array("conditions/late", shape=(), dtype="f4")
    return validate_product(written)


@eopf("structure.json")
def _(product: Described) -> None:
    product.attrs("conditions/time")["accuracy"] = float("nan")


# Completeness: on SAFE, whose reader says what it found


def make_safe(place: Path, *, deep: bool = False, **other: Any) -> Subject:
    """A SAFE folder of one file and its manifest, read into a healthy tree."""
    (place / "data.bin").write_bytes(b"12345678")
    digest = hashlib.md5(b"12345678", usedforsecurity=False).hexdigest()
    (place / "manifest.safe").write_text(
        '<x:xfdu xmlns:x="urn:ccsds:schema:xfdu:1"><dataObject><byteStream size="8">'
        '<fileLocation href="./data.bin"/>'
        f'<checksum checksumName="MD5">{digest}</checksum>'
        "</byteStream></dataObject></x:xfdu>"
    )
    data = xr.Dataset({"b02": (("rows", "columns"), np.zeros((3, 4)), {"units": "1"})})
    tree = xr.DataTree.from_dict({"/measurements": data})
    tree.attrs = {
        "stac_discovery": describe_item(),
        "other_metadata": {"missing": [], "healed": [], **other},
    }
    groups, arrays = read_tree(tree)
    return Subject("scene", "safe", groups, arrays, place, tree, deep=deep)


@breaks("completeness.parts")
def _(place: Path) -> Report:
    return report_on(make_safe(place, missing=["measurements/reflectance/r10m/b03"]))


@breaks("completeness.healed")
def _(place: Path) -> Report:
    return report_on(make_safe(place, healed=["bbox: reversed"]))


@breaks("completeness.files")
def _(place: Path) -> Report:
    subject = make_safe(place)
    (place / "data.bin").write_bytes(b"1234")
    return report_on(subject)


@breaks("completeness.checksums")
def _(place: Path) -> Report:
    subject = make_safe(place, deep=True)
    (place / "data.bin").write_bytes(b"12345679")
    return report_on(subject)


@breaks("completeness.chunks")
def _(place: Path) -> Report:
    written = describe_eopf().write(place / "product.zarr")
    chunk = written / B02 / "c/0/0"
    chunk.write_bytes(chunk.read_bytes()[:-20])
    assert "completeness.chunks" not in {entry.check for entry in validate_product(written).failed}
    return validate_product(written, deep=True)


# Encodings


@eopf("encodings.packing")
def _(product: Described) -> None:
    product.put(
        "quality/packed", np.zeros(3, np.int16), ("rows3",), scale_factor="tenth", units="1"
    )


@eopf("encodings.fill-value")
def _(product: Described) -> None:
    product.put("quality/gaps", np.zeros(3, np.uint8), ("rows3",), _FillValue=999)


@eopf("encodings.fill-is-invalid")
def _(product: Described) -> None:
    product.attrs(B02)["valid_min"] = 0


@eopf("encodings.valid-range")
def _(product: Described) -> None:
    product.attrs(B02)["valid_max"] = 1e9


@eopf("encodings.agree")
def _(product: Described) -> None:
    product.attrs(B02)["_eopf_attrs"] = {"scale_factor": 0.001, "add_offset": -0.1}


@eopf("encodings.absent-chunks")
def _(product: Described) -> None:
    product.attrs(B02)["_FillValue"] = 65535  # the arrays are made with 0
    product.attrs(B02)["valid_max"] = 65534


# CF


@eopf("cf.names")
def _(product: Described) -> None:
    product.put("quality/2nd", np.zeros(3), ("rows3",), units="1")


@eopf("cf.units")
def _(product: Described) -> None:
    del product.attrs(B02)["units"]


@eopf("cf.latitude-longitude")
def _(product: Described) -> None:
    product.attrs("quality/latitude")["units"] = "degrees"


@eopf("cf.standard-name")
def _(product: Described) -> None:
    product.attrs(B02)["standard_name"] = "TOA Reflectance"


@eopf("cf.time-units")
def _(product: Described) -> None:
    product.attrs("conditions/time")["units"] = "fortnights since 2026-05-01"


@eopf("cf.flag-count")
def _(product: Described) -> None:
    product.attrs("quality/flags")["flag_meanings"] = "cloud ice snow"


@eopf("cf.flag-numbers")
def _(product: Described) -> None:
    product.attrs("quality/flags")["flag_masks"] = [1, 256]


@eopf("cf.grid-mapping")
def _(product: Described) -> None:
    product.attrs(B02)["grid_mapping"] = "crs"


@eopf("cf.coordinates")
def _(product: Described) -> None:
    product.attrs("quality/flags")["coordinates"] = "latitude longitude altitude"


def write_netcdf(place: Path, **changes: Any) -> Report:
    data = xr.Dataset(
        {
            "flags": (
                ("rows",), np.zeros(3, np.uint8),
                {"flag_masks": np.array([1, 2], np.uint8), "flag_meanings": "cloud ice"},
            )
        },
        attrs={"Conventions": "CF-1.11"},
    )  # fmt: skip
    data.attrs |= changes.pop("attrs", {})
    data["flags"].attrs |= changes
    data.to_netcdf(place / "product.nc", engine="h5netcdf")
    return validate_product(place / "product.nc")


def test_the_netcdf_file_that_is_damaged_was_healthy(tmp_path: Path) -> None:
    assert write_netcdf(tmp_path).clean


@breaks("cf.flag-meanings-text")
def _(place: Path) -> Report:
    return write_netcdf(place, flag_meanings=["cloud", "ice"])


@breaks("cf.conventions")
def _(place: Path) -> Report:
    return write_netcdf(place, attrs={"Conventions": "COARDS"})


# Geometry


@eopf("geometry.spacing")
def _(product: Described) -> None:
    centres = product.arrays["measurements/reflectance/r10m/x"][0]
    centres[60] += 4.0


@eopf("geometry.system")
def _(product: Described) -> None:
    for name in ("r10m", "r20m"):
        attrs = product.attrs(f"measurements/reflectance/{name}/b02")
        del attrs["grid_mapping"], attrs["proj:code"]
        del product.arrays[f"measurements/reflectance/{name}/spatial_ref"]


@eopf("geometry.systems-agree")
def _(product: Described) -> None:
    product.attrs(B02)["proj:code"] = "EPSG:32632"


@eopf("geometry.transform")
def _(product: Described) -> None:
    product.attrs(B02)["proj:transform"][2] += 5.0  # the centre of the pixel, not its edge


@eopf("geometry.bounds")
def _(product: Described) -> None:
    product.attrs(B02)["proj:bbox"][0] += 5.0


@eopf("geometry.shape")
def _(product: Described) -> None:
    product.attrs(B02)["proj:shape"] = [120, 121]


@eopf("geometry.resolutions")
def _(product: Described) -> None:
    group = "measurements/reflectance/r20m"
    product.arrays[f"{group}/x"][0][:] += 100.0
    attrs = product.attrs(f"{group}/b02")
    attrs["proj:transform"][2] += 100.0
    attrs["proj:bbox"][0] += 100.0
    attrs["proj:bbox"][2] += 100.0


@eopf("geometry.degrees")
def _(product: Described) -> None:
    product.arrays["quality/latitude"][0][0, 0] = 95.0


@eopf("geometry.footprint")
def _(product: Described) -> None:
    result = item(product)
    result["bbox"] = [entry + 5.0 for entry in result["bbox"]]
    for point in result["geometry"]["coordinates"][0]:
        point[0] += 5.0
        point[1] += 5.0


# Overviews


@geozarr("multiscales.layout")
def _(product: Described) -> None:
    product.groups["scene"]["multiscales"]["layout"].append({"asset": "2", "derived_from": "1"})


@geozarr("multiscales.variables")
def _(product: Described) -> None:
    data, dims, attrs = product.arrays["scene/0/b02"]
    product.arrays["scene/0/b03"] = (data, dims, attrs)


@geozarr("multiscales.sizes")
def _(product: Described) -> None:
    product.groups["scene"]["multiscales"]["layout"][1]["transform"]["scale"] = [3.0, 3.0]


@geozarr("multiscales.corners")
def _(product: Described) -> None:
    product.arrays["scene/1/x"][0][:] += 5.0
    attrs = product.attrs("scene/1/b02")
    attrs["proj:transform"][2] += 5.0
    attrs["proj:bbox"][0] += 5.0
    attrs["proj:bbox"][2] += 5.0


@geozarr("multiscales.convention")
def _(product: Described) -> None:
    product.groups["scene"]["zarr_conventions"] = []


# STAC


@eopf("stac.item")
def _(product: Described) -> None:
    del item(product)["id"]


@eopf("stac.bbox")
def _(product: Described) -> None:
    west, south, east, north = item(product)["bbox"]
    item(product)["bbox"] = [east, south, west, north]


@eopf("stac.bbox-geometry")
def _(product: Described) -> None:
    box = item(product)["bbox"]
    box[0] += 0.002


@eopf("stac.geometry")
def _(product: Described) -> None:
    item(product)["geometry"]["coordinates"][0].pop()


@eopf("stac.datetime")
def _(product: Described) -> None:
    item(product)["properties"]["datetime"] = "null"


@eopf("stac.period")
def _(product: Described) -> None:
    item(product)["properties"]["end_datetime"] = "2026-05-01T10:28:00Z"


@eopf("stac.projection")
def _(product: Described) -> None:
    properties = item(product)["properties"]
    del properties["proj:code"]
    properties["proj:epsg"] = 32633


@eopf("stac.names")
def _(product: Described) -> None:
    item(product)["properties"]["instrument"] = "msi"


@eopf("stac.extensions")
def _(product: Described) -> None:
    item(product)["properties"]["sat:relative_orbit"] = 22


@eopf("stac.cloud-cover")
def _(product: Described) -> None:
    item(product)["properties"]["eo:cloud_cover"] = 112.5


@eopf("stac.product-type")
def _(product: Described) -> None:
    item(product)["properties"]["product:type"] = "S2MSI2A"


# Profiles


@cpm("profile.type")
def _(product: Described) -> None:
    item(product)["properties"]["product:type"] = "S06XXXYYY"
    # Without a model nothing allows old names.
    for key in ("instrument", "provider", "eo:bands", "proj:epsg"):
        item(product)["properties"].pop(key, None)


@cpm("profile.category")
def _(product: Described) -> None:
    product.groups[""]["other_metadata"]["eopf_category"] = "image"


@cpm("profile.attributes")
def _(product: Described) -> None:
    other = product.groups[""]["other_metadata"]
    del other[next(key for key in other if key != "eopf_category")]


@cpm("profile.variables")
def _(product: Described) -> None:
    del product.arrays[next(path for path in product.arrays if path.endswith("/r10m/b03"))]


@cpm("profile.no-others")
def _(product: Described) -> None:
    product.put("quality/mine", np.zeros((2, 2), np.uint8), ("one", "two"))


@cpm("profile.dimensions")
def _(product: Described) -> None:
    path = "measurements/reflectance/r10m/b03"
    data, _dims, attrs = product.arrays[path]
    product.arrays[path] = (data, ("rows", "columns"), attrs)


def shear(product: Described) -> None:
    product.attrs(B02)["proj:transform"][1] = 1.5


def move_geotransform(product: Described) -> None:
    mapping = product.attrs("measurements/reflectance/r10m/spatial_ref")
    mapping["GeoTransform"] = f"{LEFT + 40} 10 0 {TOP} 0 -10"


def garble_geotransform(product: Described) -> None:
    product.attrs("measurements/reflectance/r10m/spatial_ref")["GeoTransform"] = "left top"


def repeat_mask(product: Described) -> None:
    product.attrs("quality/flags")["flag_masks"] = [1, 1]


def leave_mask(product: Described) -> None:
    product.attrs("quality/flags")["flag_values"] = [1, 8]


def repeat_field(product: Described) -> None:
    product.attrs("quality/flags").update(flag_masks=[3, 3], flag_values=[1, 1])


def lose_meanings(product: Described) -> None:
    del product.attrs("quality/flags")["flag_meanings"]


def scale_floats(product: Described) -> None:
    product.put("quality/scaled", np.ones(3), ("rows3",), scale_factor=0.1, units="1")


def lose_bbox(product: Described) -> None:
    del item(product)["bbox"]


def age_item(product: Described) -> None:
    item(product)["stac_version"] = "0.9.0"


def use_extension_in_asset(product: Described) -> None:
    item(product)["assets"] = {"b02": {"href": "b02", "sat:relative_orbit": 22}}


def shrink_footprint(product: Described) -> None:
    result = item(product)
    west, south = result["bbox"][0] + 0.005, result["bbox"][1] + 0.005
    east, north = west + 1e-5, south + 1e-5
    result["bbox"] = [west, south, east, north]
    ring = [[west, south], [east, south], [east, north], [west, north], [west, south]]
    result["geometry"] = {"type": "Polygon", "coordinates": [ring]}


MORE: list[tuple[str, Callable[[Described], None]]] = [
    ("geometry.transform", shear),
    ("geometry.transform", move_geotransform),
    ("geometry.transform", garble_geotransform),
    ("geometry.footprint", shrink_footprint),
    ("cf.flag-numbers", repeat_mask),
    ("cf.flag-numbers", leave_mask),
    ("cf.flag-numbers", repeat_field),
    ("cf.flag-count", lose_meanings),
    ("encodings.packing", scale_floats),
    ("stac.item", lose_bbox),
    ("stac.item", age_item),
    ("stac.extensions", use_extension_in_asset),
]
"""More defects that one check alone finds."""


@pytest.mark.parametrize(("name", "damage"), MORE)
def test_other_defects_that_a_check_finds(
    name: str, damage: Callable[[Described], None], tmp_path: Path
) -> None:
    product = describe_eopf()
    damage(product)
    report = validate_product(product.write(tmp_path / "product.zarr"))
    assert [entry.check for entry in report.failed] == [name], [
        entry.findings for entry in report.failed
    ]


@pytest.mark.parametrize(
    ("check", "where", "change"),
    [
        ("geometry.transform", None, {"spatial:transform": [10.0, 0, 0, 0, -10.0, 0]}),
        ("geometry.bounds", None, {"spatial:bbox": [0, 0, 1, 1]}),
        ("geometry.shape", None, {"spatial:shape": [7, 7]}),
        ("geometry.transform", 1, {"spatial:transform": [1.0, 0, 0, 0, -1.0, 0]}),
        ("geometry.shape", 1, {"spatial:shape": [3, 3]}),
    ],
)
def test_what_is_said_above_levels_is_held_against_them(
    check: str, where: int | None, change: dict[str, Any], tmp_path: Path
) -> None:
    product = describe_geozarr()
    scene = product.groups["scene"]
    (scene if where is None else scene["multiscales"]["layout"][where]).update(change)
    report = validate_product(product.write(tmp_path / "product.zarr"))
    assert [entry.check for entry in report.failed] == [check], [
        entry.findings for entry in report.failed
    ]


@pytest.mark.parametrize("zarr_format", [2, 3])
def test_stale_consolidated_metadata_are_found(zarr_format: int, tmp_path: Path) -> None:
    """Readers see these first: a scale that only they have is what users get."""
    written = describe_eopf().write(tmp_path / "product.zarr", zarr_format=zarr_format)
    file = written / (".zmetadata" if zarr_format == 2 else "zarr.json")
    document = json.loads(file.read_text())
    if zarr_format == 2:
        document["metadata"][f"{B02}/.zattrs"]["scale_factor"] = 0.001
    else:
        nodes = document["consolidated_metadata"]["metadata"]
        nodes[B02]["attributes"]["scale_factor"] = 0.001
    file.write_text(json.dumps(document))
    report = validate_product(written)
    assert [entry.check for entry in report.failed] == ["structure.consolidated"]
    assert B02 in report.failed[0].findings[0].what


def move_swath(west: float) -> Report:
    """A swath around 13.5 E, 54 N, whose item has its bbox from `west` on."""
    ring = [[west, 53.95], [west + 0.2, 53.95], [west + 0.2, 54.1], [west, 54.1], [west, 53.95]]
    result = describe_item() | {
        "bbox": [west, 53.95, west + 0.2, 54.1],
        "geometry": {"type": "Polygon", "coordinates": [ring]},
    }
    rows, columns = np.mgrid[0:4, 0:5]
    places = {
        "latitude": (("rows", "columns"), 54.1 - 0.05 * rows, {"units": "degrees_north"}),
        "longitude": (("rows", "columns"), 13.4 + 0.05 * columns, {"units": "degrees_east"}),
    }
    radiance = xr.Dataset(
        {"oa01": (("rows", "columns"), np.ones((4, 5)), {"units": "1"})}, coords=places
    )
    tree = xr.DataTree.from_dict({"/measurements": radiance})
    tree.attrs = {"stac_discovery": result}
    return validate_product(tree)


def test_the_bbox_of_a_swath_is_held_against_its_places() -> None:
    assert move_swath(13.4).clean
    report = move_swath(23.4)
    assert [entry.check for entry in report.failed] == ["geometry.footprint"]


def test_a_container_is_known_by_what_is_in_it(tmp_path: Path) -> None:
    """Not by its name, nor by what its product was before it was converted."""
    safe = simulate_s2_l2a(tmp_path, size=60, day="2026-05-01")
    tree = filter_product(open_product(safe), groups=["measurements"], resolution=20)
    for form, name, container in (("netcdf", "product", "netcdf"), ("cog", "set", "cog")):
        write_product(tree, tmp_path / name, form=form)
        report = validate_product(tmp_path / name)
        assert report.container == container
        assert [entry.check for entry in report.failed] in ([], ["completeness.parts"])


@pytest.mark.parametrize("name", [check.name for check in list_checks()])
def test_a_broken_product_makes_exactly_this_check_fail(name: str, tmp_path: Path) -> None:
    assert name in BREAKS, f"{name} has no broken product: write one above"
    report = BREAKS[name](tmp_path)
    assert [entry.check for entry in report.failed] == [name], [
        entry.findings for entry in report.failed
    ]
    assert all(finding.what for finding in report.failed[0].findings)


def test_no_broken_product_is_left_over() -> None:
    assert set(BREAKS) == {check.name for check in list_checks()}


@pytest.mark.parametrize("zarr_format", [2, 3])
@pytest.mark.parametrize("describe", [describe_eopf, describe_geozarr])
def test_the_products_that_are_damaged_were_healthy(
    describe: Callable[[], Described], zarr_format: int, tmp_path: Path
) -> None:
    written = describe().write(tmp_path / "product.zarr", zarr_format=zarr_format)
    report = validate_product(written, deep=True)
    assert report.clean, [entry.findings for entry in report.failed]
    assert report.container == f"zarr-v{zarr_format}"


@pytest.mark.parametrize("since", ["2026-05-01T10:29:00Z", "2026-05-01 10:29:00.5+00:00"])
def test_times_may_count_from_a_time_with_a_zone(since: str, tmp_path: Path) -> None:
    product = describe_eopf()
    product.attrs("conditions/time")["units"] = f"seconds since {since}"
    report = validate_product(product.write(tmp_path / "product.zarr"))
    assert report.clean, [entry.findings for entry in report.failed]


@pytest.mark.parametrize(("zarr_format", "name"), [(2, ".zmetadata"), (3, "zarr.json")])
def test_metadata_of_two_gigabytes_are_not_read(
    zarr_format: int, name: str, tmp_path: Path
) -> None:
    written = describe_eopf().write(tmp_path / "product.zarr", zarr_format=zarr_format)
    with (written / name).open("ab") as stream:
        stream.truncate(2 * 2**30)  # a hole: it takes no room on disk
    with pytest.raises(InvalidInputError, match=f"{name} has 2147483648 bytes"):
        validate_product(written)


def test_the_product_of_the_profile_was_healthy(tmp_path: Path) -> None:
    written = describe_cpm().write(tmp_path / "product.zarr", zarr_format=2)
    report = validate_product(written, "cpm-2.8")
    assert report.clean, [entry.findings for entry in report.failed]
    result = {outcome.check for outcome in report.outcomes if outcome.result is Result.PASSED}
    assert {check.name for check in list_checks() if check.name.startswith("profile.")} <= result


def test_the_safe_was_healthy(tmp_path: Path) -> None:
    subject = make_safe(tmp_path)
    assert report_on(subject).clean
    assert report_on(replace(subject, deep=True)).clean
