"""What ESA's EOPF Core Python Modules read and find; answers questions (see answer.py)."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
from eopf import EOContainer, EOProduct
from eopf.common.file_utils import AnyPath
from eopf.common.functions_utils import parse_flag_expr
from eopf.product.eo_container_validation import is_valid_container
from eopf.product.eo_product_validation import is_valid_product
from eopf.product.eo_validation import ValidationMode
from eopf.store.safe import EOSafeStore
from eopf.store.store_factory import EOStoreFactory
from eopf.store.zarr import EOZarrStore

Arrays = dict[str, np.ndarray]


def read_safe(path: str) -> Arrays:
    """Return every variable by path, every coordinate of it as ``path@name``."""
    return _read(EOSafeStore(path))


def read_zarr(path: str) -> Arrays:
    """Return the same of a Zarr, decoded."""
    return _read(EOZarrStore(path, mask_and_scale=True))


def _read(store: Any) -> Arrays:
    result = {}
    with _indexing_short_names_once():
        store.open()
        for path, variable in _list_variables(store.load()):
            result[path] = np.asarray(variable.data)
            for name, values in variable.data.coords.items():
                result[f"{path}@{name}"] = np.asarray(values)
        store.close()
    return result


def _list_variables(node: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    for name, child in node.items():
        place = f"{path}/{name}".strip("/")
        if hasattr(child, "items"):
            yield from _list_variables(child, place)
        else:
            yield place, child


def validate(path: str, mode: str) -> dict[str, Any]:
    """Do what ``eopf validate --mode MODE PATH`` does; return what it took it for and found."""
    place = AnyPath.cast(url=path)
    store = EOStoreFactory.get_product_store_by_file(place)(place.path)
    with _indexing_short_names_once():
        store.open()
        loaded: EOProduct | EOContainer = store.load()
        store.close()
        check = is_valid_product if isinstance(loaded, EOProduct) else is_valid_container
        _, anomalies = check(loaded, validation_mode=parse_flag_expr(mode, ValidationMode))
    return {
        "kind": type(loaded).__name__,
        "variables": sum(1 for _ in _list_variables(loaded)),
        "anomalies": [anomaly.description for anomaly in anomalies],
    }


@contextmanager
def _indexing_short_names_once() -> Iterator[None]:
    """Keep CPM from listing the short names of all variables whenever one is added or asked.

    For the 921 arrays of an SLSTR product that is a minute. Nothing here looks a variable up by
    its short name; a test compares with the command as it is.
    """
    index = EOProduct.update_short_names
    EOProduct.update_short_names = lambda _product: None
    try:
        yield
    finally:
        EOProduct.update_short_names = index
