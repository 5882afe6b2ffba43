"""Metadata documents of a simulated Sentinel-2 product, beyond the product's attributes."""

import re
from importlib import resources

from skerry.processors.masks import SceneClass
from skerry.products.safe.attribute_texts import format_instant
from skerry.products.safe.product import SafeFolder
from skerry.products.sensors.records import Mapping
from skerry.simulate.sentinel_2.bands import BANDS, RESOLUTIONS_M
from skerry.simulate.sentinel_2.names import (
    ABSOLUTE_ORBIT,
    BASELINE,
    LEFT_M,
    RELATIVE_ORBIT,
    TOP_M,
    Names,
)
from skerry.simulate.sentinel_2.picture import OFFSET, Picture

Texts = dict[str, dict[str, str]]
ROLES = {
    "product": "product", "tile": "tile", "datastrip metadata": "datastrip", "manifest": "manifest",
}  # fmt: skip
SHARES = {
    "NODATA_PIXEL_PERCENTAGE": None,
    "SATURATED_DEFECTIVE_PIXEL_PERCENTAGE": (SceneClass.SATURATED_OR_DEFECTIVE,),
    "DARK_FEATURES_PERCENTAGE": (SceneClass.DARK_AREA,),
    "CLOUD_SHADOW_PERCENTAGE": (SceneClass.CLOUD_SHADOW,),
    "VEGETATION_PERCENTAGE": (SceneClass.VEGETATION,),
    "NOT_VEGETATED_PERCENTAGE": (SceneClass.NOT_VEGETATED,),
    "WATER_PERCENTAGE": (SceneClass.WATER,),
    "UNCLASSIFIED_PERCENTAGE": (SceneClass.UNCLASSIFIED,),
    "MEDIUM_PROBA_CLOUDS_PERCENTAGE": (SceneClass.CLOUD_MEDIUM_PROBABILITY,),
    "HIGH_PROBA_CLOUDS_PERCENTAGE": (SceneClass.CLOUD_HIGH_PROBABILITY,),
    "THIN_CIRRUS_PERCENTAGE": (SceneClass.THIN_CIRRUS,),
}
_CHARACTERISTICS = "General_Info/Product_Image_Characteristics"
_CONTENT = "Quality_Indicators_Info/Image_Content_QI"


def load_skeletons(level: str) -> dict[str, bytes]:
    """Return role to document, with the content that all products of a level share."""
    folder = resources.files("skerry.simulate.sentinel_2").joinpath("templates")
    return {
        role: folder.joinpath(f"{name}_{level.lower()}.xml").read_bytes()
        for role, name in ROLES.items()
    }


def write_texts(picture: Picture, names: Names, mapping: Mapping) -> Texts:
    """Return role to path to text."""
    return {
        "product": _describe_product(picture, names, _list_images(names, mapping)),
        "tile": _describe_tile(picture, names),
        "datastrip metadata": _describe_datastrip(names),
        "manifest": _describe_manifest(picture, names),
    }


def _list_images(names: Names, mapping: Mapping) -> list[str]:
    """Return the images' places, without ``.jp2``, each once."""
    stars = names.stars()
    images = []
    for group in mapping.groups:
        if group.format != "jp2" or "IMG_DATA" not in group.file:
            continue
        folder, _, file = group.file.rpartition("/")
        for variable in group.variables.values():
            image = stars[file].replace("{source}", variable.source).removesuffix(".jp2")
            images.append(f"{folder.replace('GRANULE/*', f'GRANULE/{names.granule}')}/{image}")
    return images


def _describe_product(picture: Picture, names: Names, images: list[str]) -> dict[str, str]:
    info = "General_Info/Product_Info"
    granule = f"{info}/Product_Organisation/Granule_List/Granule"
    texts = {
        f"{info}/PRODUCT_STOP_TIME": format_instant(names.moment),
        f"{info}/Datatake/DATATAKE_SENSING_START": format_instant(names.moment),
        f"{granule}/@granuleIdentifier": names.identify("TL"),
        f"{granule}/@imageFormat": "JPEG2000",
        **{f"{granule}/IMAGE_FILE[{number}]": item for number, item in enumerate(images, 1)},
        f"{_CHARACTERISTICS}/REFERENCE_BAND": "1",
        "Quality_Indicators_Info/Cloud_Coverage_Assessment": f"{picture.share(8, 9, 10):.6f}",
        **_share_texts(picture),
    }
    for band in BANDS.values():
        spectral = f"Spectral_Information_List/Spectral_Information[@bandId='{band.number}']"
        texts |= {
            f"{_offset_path(names.level)}[@band_id='{band.number}']": str(-OFFSET),
            f"{_CHARACTERISTICS}/{spectral}/@physicalBand": band.physical,
            f"{_CHARACTERISTICS}/{spectral}/RESOLUTION": str(band.resolution_m),
        }
    return texts


def _offset_path(level: str) -> str:
    if level == "L1C":
        return f"{_CHARACTERISTICS}/Radiometric_Offset_List/RADIO_ADD_OFFSET"
    return f"{_CHARACTERISTICS}/BOA_ADD_OFFSET_VALUES_LIST/BOA_ADD_OFFSET"


def _share_texts(picture: Picture) -> dict[str, str]:
    empty = float(100 * (picture.classes[20] == 0).mean())
    return {
        f"{_CONTENT}/{name}": f"{empty if classes is None else picture.share(*classes):.6f}"
        for name, classes in SHARES.items()
    } | {f"{_CONTENT}/CLOUDY_PIXEL_PERCENTAGE": f"{picture.share(8, 9, 10):.6f}"}


def _describe_tile(picture: Picture, names: Names) -> dict[str, str]:
    texts = {
        "General_Info/DATASTRIP_ID": names.identify("DS"),
        **_share_texts(picture),
    }
    place = "Geometric_Info/Tile_Geocoding"
    for resolution in RESOLUTIONS_M:
        size = f"{place}/Size[@resolution='{resolution}']"
        corner = f"{place}/Geoposition[@resolution='{resolution}']"
        edge = str(picture.side_m // resolution)
        texts |= {f"{size}/NROWS": edge, f"{size}/NCOLS": edge}
        texts |= {f"{corner}/ULX": str(LEFT_M), f"{corner}/ULY": str(TOP_M)}
        texts |= {f"{corner}/XDIM": str(resolution), f"{corner}/YDIM": str(-resolution)}
    masks = f"GRANULE/{names.granule}/QI_DATA"
    for band in BANDS.values():
        for kind in ("MSK_DETFOO", "MSK_QUALIT"):
            entry = f"MASK_FILENAME[@bandId='{band.number}'][@type='{kind}']"
            path = f"Quality_Indicators_Info/Pixel_Level_QI/{entry}"
            texts[path] = f"{masks}/{kind}_{band.name}.jp2"
    return texts


def _describe_datastrip(names: Names) -> dict[str, str]:
    return {
        "General_Info/Datatake_Info/DATATAKE_SENSING_START": format_instant(names.moment),
        "General_Info/Processing_Info/PROCESSING_BASELINE": BASELINE,
    }


def _describe_manifest(picture: Picture, names: Names) -> dict[str, str]:
    def section(name: str) -> str:
        return f"metadataSection/metadataObject[@ID='{name}']/metadataWrap/xmlData"

    orbit = f"{section('measurementOrbitReference')}/orbitReference"
    corners = [(0.0, 0.0), (1.0, 0.0), (1.0, 1.0), (0.0, 1.0), (0.0, 0.0)]
    places = [picture.locate(*corner) for corner in corners]
    frame = f"{section('measurementFrameSet')}/frameSet/footPrint/coordinates"
    return {
        f"{section('acquisitionPeriod')}/acquisitionPeriod/startTime": format_instant(names.moment),
        f"{orbit}/orbitNumber": f"{ABSOLUTE_ORBIT:06d}",
        f"{orbit}/relativeOrbitNumber": f"{RELATIVE_ORBIT:03d}",
        frame: " ".join(f"{latitude:.9f} {longitude:.9f}" for longitude, latitude in places),
    }


def list_files(folder: SafeFolder) -> None:
    """Name every file of the product in its manifest, with size, as real manifests do."""
    manifest = folder.documents["manifest"]
    place = folder.place(folder.mapping.expected["manifest"])
    for path in sorted(item for item in folder.root.rglob("*") if item.is_file() and item != place):
        href = path.relative_to(folder.root).as_posix()
        identifier = re.sub(r"\W", "_", href)
        stream = f"dataObjectSection/dataObject[@ID='{identifier}']/byteStream"
        kind = "text/xml" if href.endswith(".xml") else "application/octet-stream"
        manifest.put(f"{stream}/@mimeType", kind)
        manifest.put(f"{stream}/@size", str(path.stat().st_size))
        manifest.put(f"{stream}/fileLocation/@locatorType", "URL")
        manifest.put(f"{stream}/fileLocation/@href", f"./{href}")
    place.write_bytes(manifest.to_bytes())
