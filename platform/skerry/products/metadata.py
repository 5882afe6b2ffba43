"""Open only a product's metadata: structure, types and attributes, without values."""

import json
from pathlib import Path
from typing import Any

import xarray as xr
import zarr
from zarr.core.buffer import Buffer, BufferPrototype, default_buffer_prototype
from zarr.storage import MemoryStore

from skerry.core.errors import InvalidInputError, NotFoundError

_DOCUMENTS = (".zgroup", ".zarray", ".zattrs", ".zmetadata", "zarr.json")


class MetadataStore(MemoryStore):
    """A store of metadata documents; reading values from it raises an error that says so."""

    async def get(
        self, key: str, prototype: BufferPrototype | None = None, byte_range: Any = None
    ) -> Buffer | None:
        """Return a document."""
        if key.rpartition("/")[2] not in _DOCUMENTS:
            raise NotFoundError(
                f"Only the metadata are here: the values of {key.rpartition('/')[0]} are not.",
                remedy="Open the product itself.",
            )
        return await super().get(key, prototype or default_buffer_prototype(), byte_range)


def open_metadata(path: Path | str) -> xr.DataTree:
    """Open the metadata of an EOPF product from a single JSON file.

    Parameters
    ----------
    path
        Consolidated Zarr 2 metadata, as one object of documents under ``metadata`` (bare or as
        member ``zarr_consolidated_format`` has it), or nested groups with ``members``.

    Returns
    -------
    xarray.DataTree
        A tree such as `open_product` returns, with coordinates but without indexes; computing a
        variable raises `NotFoundError`.

    Raises
    ------
    InvalidInputError
        If the file does not hold such metadata.
    """
    place = Path(path)
    try:
        content = json.loads(place.read_text("utf-8"))
    except FileNotFoundError:
        raise NotFoundError(f"There is no {place}.", remedy="Check the path.") from None
    except (ValueError, OSError) as error:
        raise _no_metadata(place, str(error)) from error
    documents = _list_documents(content)
    if not documents:
        raise _no_metadata(place, "it names neither groups nor arrays")
    prototype = default_buffer_prototype()
    store = MetadataStore(
        {
            key: prototype.buffer.from_bytes(json.dumps(item).encode())
            for key, item in documents.items()
        }
    )
    from skerry.products.zarr_opening import build_tree

    root = zarr.open_group(store, mode="r", zarr_format=2, use_consolidated=False)
    return build_tree(root, place.stem, place, values=False)


def _no_metadata(place: Path, why: str) -> InvalidInputError:
    return InvalidInputError(
        f"{place} holds no Zarr metadata: {why}.",
        remedy="Give consolidated metadata (.zmetadata) or a tree of groups with members.",
    )


def _list_documents(content: Any) -> dict[str, Any]:
    if not isinstance(content, dict):
        return {}
    if isinstance(content.get("metadata"), dict):
        documents = dict(content["metadata"])
    else:
        documents = {}
        _flatten(content, "", documents)
    for key in list(documents):
        # Some products leave out the documents of groups that hold only groups.
        folder = key.rpartition("/")[0].rpartition("/")[0]
        while key.endswith((".zarray", ".zgroup")) and folder:
            documents.setdefault(f"{folder}/.zgroup", {"zarr_format": 2})
            folder = folder.rpartition("/")[0]
    if documents:
        documents.setdefault(".zgroup", {"zarr_format": 2})
    return documents


def _flatten(node: dict[str, Any], path: str, documents: dict[str, Any]) -> None:
    prefix = f"{path}/" if path else ""
    if "shape" in node:
        documents[f"{prefix}.zarray"] = {k: item for k, item in node.items() if k != "attributes"}
        documents[f"{prefix}.zattrs"] = node.get("attributes", {})
    elif "members" in node:
        documents[f"{prefix}.zgroup"] = {"zarr_format": 2}
        documents[f"{prefix}.zattrs"] = node.get("attributes", {})
        for name, member in (node["members"] or {}).items():
            _flatten(member, f"{prefix}{name}", documents)
