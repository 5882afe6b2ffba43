"""Finds layers that can be drawn, one for each variable of an item that the asker may see."""

import threading
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy import Engine

from skerry.catalog.items import StoredItem, find_item, item_version
from skerry.core.errors import NotFoundError
from skerry.maps.colour import Style
from skerry.maps.levels import Pyramid
from skerry.maps.opening import open_pyramid
from skerry.products.coding.true_colour import TRUE_COLOUR, find_bands, list_drawn
from skerry.services.access import check_kept, find_viewer, refuse_item
from skerry.services.identity import Identity
from skerry.storage.objects import Objects, check_key

_KEPT_LAYERS = 512
_PRODUCT = "product"
_SIMULATED = " (SIMULATED)"


@dataclass(frozen=True, eq=False)
class Layer:
    """One variable of one version of an item.

    Attributes
    ----------
    version
        The item's content version; another version is another layer.
    objects, key
        The object store, and the GeoZarr in it.
    path
        ``<multiscale group path>/<name>`` in it.
    label, units
        A title for people.
    style
        The drawing style, unless the request gives another.
    title
        Item and variable, and whether it is simulated.
    attribution
        The providers to name on the map.
    simulated
        Whether its content is simulated.
    bands
        Red, green and blue when this is a composite of variables; its path is then that of red.
    """

    version: str
    objects: Objects
    key: str
    path: str
    label: str
    units: str
    style: Style
    title: str
    attribution: str
    simulated: bool
    bands: tuple["Layer", ...] = ()

    @property
    def parts(self) -> tuple["Layer", ...]:
        """The layers whose numbers are drawn: three of a composite, else this one."""
        return self.bands or (self,)

    def open(self) -> Pyramid:
        """Open the levels; they stay open while requests ask for this version."""
        return open_pyramid(self.objects, self.key, self.path, self.version)


class LayerBook:
    """Finds layers. Each call checks access and content version; the rest is cached by version.

    Parameters
    ----------
    engine
        The database, read only.
    objects
        The object store that holds the products.
    """

    def __init__(self, engine: Engine, objects: Objects) -> None:
        self._engine = engine
        self._objects = objects
        self._layers: OrderedDict[tuple[str, str], Layer] = OrderedDict()
        self._lock = threading.Lock()

    def find(self, identity: Identity | None, collection: str, item: str, variable: str) -> Layer:
        """Return the current layer, if the asker may see it.

        Raises
        ------
        UnauthenticatedError, ForbiddenError, NotFoundError
            If the item is missing or not for the asker, or has no such variable.
        WithdrawnError
            If it was withdrawn.
        """
        with self._engine.connect() as connection:
            viewer = find_viewer(connection, identity)
            version = item_version(connection, collection, item, viewer=viewer)
            layer = self._recall((version, variable)) if version else None
            if layer is not None:
                return layer
            record = find_item(connection, collection, item, viewer=viewer) if version else None
            if record is None:
                raise refuse_item(connection, identity, collection, item)
        check_kept(record)
        layer = _read_layer(record, variable, self._objects)
        self._keep((layer.version, variable), layer)
        return layer

    def _recall(self, key: tuple[str, str]) -> Layer | None:
        with self._lock:
            layer = self._layers.get(key)
            if layer is not None:
                self._layers.move_to_end(key)
            return layer

    def _keep(self, key: tuple[str, str], layer: Layer) -> None:
        with self._lock:
            self._layers[key] = layer
            while len(self._layers) > _KEPT_LAYERS:
                self._layers.popitem(last=False)


def _read_layer(stored: StoredItem, name: str, objects: Objects) -> Layer:
    properties: Mapping[str, Any] = stored.document["properties"]
    variables: Mapping[str, Any] = properties.get("skerry:variables") or {}
    if name == TRUE_COLOUR and (bands := find_bands(variables)):
        return _compose([_read_layer(stored, band, objects) for band in bands], bands)
    variable = variables.get(name)
    product = stored.document["assets"].get((variable or {}).get("asset", _PRODUCT))
    if variable is None or product is None:
        names = ", ".join(list_drawn(sorted(variables))) if product else ""
        raise NotFoundError(
            f"The item {stored.id!r} has no variable {name!r} to draw.",
            remedy=f"It has: {names}." if names else "It has none; draw another item.",
        )
    label = str(variable.get("long_name") or name)
    simulated = bool(properties.get("skerry:simulated"))
    title = f"{properties.get('title') or stored.id}: {label}"
    return Layer(
        version=stored.content_version,
        objects=objects,
        key=check_key(product["href"].removesuffix("/")),
        path=check_key(str(variable.get("path") or name)),
        label=label,
        units=str(variable.get("units") or ""),
        style=Style.from_variable(variable),
        title=title + (_SIMULATED if simulated and _SIMULATED.strip() not in title else ""),
        attribution=_name_sources(properties, simulated=simulated),
        simulated=simulated,
    )


def _name_sources(properties: Mapping[str, Any], *, simulated: bool) -> str:
    names = [str(provider.get("name", "")) for provider in properties.get("providers") or ()]
    if simulated:
        names.insert(0, "SIMULATED data")
    return ", ".join(name for name in names if name)


def _compose(bands: Sequence[Layer], names: Sequence[str]) -> Layer:
    """Return true colour; bands of reflectance share one range, so that grey stays grey.

    ESA's True Colour Image does the same: its three bands go through one scale (Sentinel-2
    Products Specification Document, TCI_FILE), as in Sentinel Hub's ``2.5 * [B04, B03, B02]``.
    """
    label = f"True colour ({', '.join(names)})"
    if all(band.units in ("", "1") for band in bands):  # reflectance, not radiance
        low = min(band.style.minimum for band in bands)
        high = max(band.style.maximum for band in bands)
        style = Style("gray", low, high)
        bands = [replace(band, style=style) for band in bands]
    first = bands[0]
    title = first.title.replace(first.label, label)
    return replace(first, label=label, title=title, bands=tuple(bands))
