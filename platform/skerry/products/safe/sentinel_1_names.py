"""Names of Sentinel-1 products: in SAFE and in the EOPF form."""

import re
from calendar import timegm
from time import strptime

from skerry.products.safe.documents import Document
from skerry.products.safe.product import SafeProduct

_NAME = re.compile(
    r"S1(?P<unit>[A-D])_IW_GRD[FHM]_1S(?P<polarisation>SH|SV|DH|DV)_"
    r"(?P<start>\d{8}T\d{6})_(?P<stop>\d{8}T\d{6})_\d{6}_(?P<datatake>[0-9A-F]{6})_"
    r"(?P<id>[0-9A-F]{4})"
)


def name_stem(product: SafeProduct, manifest: Document) -> str:
    """Return the name of the nodes of a product's members, up to the polarisation."""
    match = _NAME.match(product.files.prefix or product.files.path.name)
    with manifest.reading("times, cycle or data take"):
        if match:
            start, stop, identifier = match["start"], match["stop"], match["id"]
        else:
            start, stop = (
                re.sub(r"[-:]", "", manifest.text(name))[:15] for name in ("startTime", "stopTime")
            )
            identifier = compute_product_id(product.files.read_document("manifest.safe"))
        seconds = _count_seconds(stop) - _count_seconds(start)
        unit = manifest.text("platform/number").upper()
        cycle = int(manifest.text("cycleNumber"))
        datatake = int(manifest.text("missionDataTakeID"))
    return f"S01SIWGRD_{start}_{seconds:04d}_{unit}{cycle:03d}_{identifier}_{datatake:06X}"


def _count_seconds(compact: str) -> int:
    """Return the POSIX seconds of a time such as ``20260501T165159``; 23:59:60 is a leap second."""
    return timegm(strptime(compact, "%Y%m%dT%H%M%S"))


def compute_product_id(manifest: bytes) -> str:
    """Return the four hexadecimal digits of a product's name: CRC-16 (CCITT) of the manifest."""
    from binascii import crc_hqx

    return f"{crc_hqx(manifest, 0xFFFF):04X}"
