"""List the files of a product behind an address, once."""

from concurrent.futures import ThreadPoolExecutor

from lxml import etree

from skerry.core.errors import InvalidInputError, NotFoundError
from skerry.products.safe.files import MAX_DOCUMENT_BYTES, ProductFiles
from skerry.storage.remote import MAX_LISTED, RemotePath

MANIFESTS = ("manifest.safe", "xfdumanifest.xml")
"""XFDU manifests, which name every file of a product (CCSDS 661.0-B-1, section 6)."""
ASKED_AT_ONCE = 16


def list_remote(place: RemotePath) -> ProductFiles:
    """List a product's folder behind an address.

    The files are everything below an S3 prefix, or what the product's manifest names, because HTTP
    has no listing.

    Raises
    ------
    NotFoundError
        If nothing is there.
    InvalidInputError
        If its manifest cannot be read.
    """
    documents: dict[str, bytes] = {}
    sizes = place.list_sizes() if place.lists else _list_manifest(place, documents)
    if not sizes:
        raise NotFoundError(f"There is no {place}.", remedy="Check the address.")
    return ProductFiles(place, "", sizes, archived=False, documents=documents)


def _list_manifest(place: RemotePath, documents: dict[str, bytes]) -> dict[str, int]:
    """Return the files that the manifest names and that are there; remember its text."""
    for name in MANIFESTS:
        try:
            text = (place / name).read_bytes(MAX_DOCUMENT_BYTES)
        except NotFoundError:
            continue
        names = _parse_manifest(text, f"{place}/{name}")
        documents[name] = text
        return {**_ask_sizes(place, names), name: len(text)}
    return {}


def _ask_sizes(place: RemotePath, names: list[str]) -> dict[str, int]:
    """Ask for each file's size, several at a time; drop files that are absent.

    Manifests name files that partial products lack, and not all of them give sizes.
    """
    with ThreadPoolExecutor(ASKED_AT_ONCE) as pool:
        sizes = pool.map(lambda name: (place / name).find_size(), names)
        answers = dict(zip(names, sizes, strict=True))
    return {name: size for name, size in answers.items() if size is not None}


def _parse_manifest(text: bytes, label: str) -> list[str]:
    parser = etree.XMLParser(
        resolve_entities=False, no_network=True, huge_tree=False, load_dtd=False
    )
    try:
        root = etree.fromstring(text, parser)
    except etree.XMLSyntaxError as error:
        raise InvalidInputError(
            f"{label} is not well-formed XML ({error}).",
            remedy="Fetch the product again from its provider.",
        ) from error
    locations = root.iterfind(".//{*}byteStream/{*}fileLocation[@href]")
    names = sorted({_check_name(location.get("href"), label) for location in locations})
    if len(names) > MAX_LISTED:
        raise InvalidInputError(
            f"{label} names {len(names)} files.", remedy="Give one product's folder."
        )
    return names


def _check_name(href: str, label: str) -> str:
    name = href.removeprefix("./").replace("\\", "/")
    if name.startswith("/") or ".." in name.split("/") or "://" in name:
        raise InvalidInputError(
            f"{label} names {href!r}, which is outside of the product.",
            remedy="Fetch the product again from its provider.",
        )
    return name
