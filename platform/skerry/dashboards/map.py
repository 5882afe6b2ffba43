"""The map page: one variable of one product over the base map, with legend and facts."""

import asyncio
from base64 import b64encode
from typing import Any

import panel as pn
from bokeh.models import CustomJS, TextInput

from skerry.core.errors import InvalidInputError, SkerryError
from skerry.core.scopes import Scope
from skerry.dashboards import catalogue
from skerry.dashboards.catalogue import Product, Variable
from skerry.dashboards.leaflet import LocalWidget, make_layer, make_map, show_whole
from skerry.dashboards.shell import lay_page, render, show_error, show_html
from skerry.dashboards.visit import Visit

# A tile is an <img>, which cannot log in. This asks for the layer's description first: as the
# browser follows the redirects through the hub, it gets its session with the maps program.
_OPEN_LAYER = """
const address = cb_obj.value;
if (address) {
  fetch(address, {mode: "no-cors", credentials: "same-origin", headers: {Accept: "text/html"}})
    .then((response) => { answer.value = address + " " + response.status; })
    .catch(() => { answer.value = address + " 0"; });
}
"""
_OK = "200"


class MapPage:
    """What one viewer sees of the products.

    Parameters
    ----------
    visit
        Who looks, and their session with the platform.
    item, variable
        What the page's address names: ``collection/item`` and a variable; either may be empty.
    """

    def __init__(self, visit: Visit, *, item: str = "", variable: str = "") -> None:
        self._visit = visit
        self._wanted = (item, variable)
        self._product: Product | None = None
        self._layer: Any = None
        self._filling = False
        self._leaflet = make_map()
        self._title = show_html(render("loading.html"))
        self._legend = show_html()
        self._facts = show_html()
        self._collection = pn.widgets.Select(name="Collection", sizing_mode="stretch_width")
        self._item = pn.widgets.Select(name="Item", sizing_mode="stretch_width")
        self._variable = pn.widgets.Select(name="Variable", sizing_mode="stretch_width")
        self._opacity = pn.widgets.FloatSlider(
            name="Opacity", start=0, end=1, step=0.05, value=0.9, sizing_mode="stretch_width"
        )
        self._asked = TextInput(visible=False, name="layer-asked")
        self._answered = TextInput(visible=False, name="layer-answered")

    def show(self) -> pn.Template:
        """Lay the page and fill it once it is open."""
        self._collection.param.watch(self._choose_collection, "value")
        self._item.param.watch(self._choose_item, "value")
        self._variable.param.watch(self._choose_variable, "value")
        self._opacity.param.watch(self._fade, "value")
        self._asked.js_on_change(
            "value", CustomJS(args={"answer": self._answered}, code=_OPEN_LAYER)
        )
        self._answered.on_change("value", self._add_layer)
        pn.state.onload(self._begin)
        side = pn.Column(
            self._collection, self._item, self._variable, self._opacity, self._legend, self._facts,
            pn.pane.Bokeh(self._asked, visible=False), pn.pane.Bokeh(self._answered, visible=False),
            sizing_mode="stretch_width", margin=0,
        )  # fmt: skip
        main = pn.Column(
            self._title,
            LocalWidget(self._leaflet, sizing_mode="stretch_width", margin=0),
            sizing_mode="stretch_width",
            margin=0,
        )
        parts = {"side": side, "main": main}
        return lay_page(page="map", title="Map", viewer=self._visit.viewer, parts=parts)

    async def _begin(self) -> None:
        """Offer the collections and show what the address names, else the newest product."""
        item, variable = self._wanted
        try:
            self._visit.require(Scope.CATALOG_READ)
            collections = await asyncio.to_thread(catalogue.list_collections, self._visit.session)
            if item:
                collection, name = catalogue.parse_item_name(item)
            else:
                newest = await asyncio.to_thread(catalogue.read_latest, self._visit.session)
                if not newest:
                    self._title.object = render("empty.html")
                    return
                collection, name = newest[0].collection, newest[0].item
            self._fill(self._collection, collections, collection)
            await self._offer_items(collection, name)
            await self._show_product(collection, name, variable)
        except SkerryError as error:
            self._report(error)

    async def _choose_collection(self, _event: object) -> None:
        if self._filling or not self._collection.value:
            return
        try:
            await self._offer_items(self._collection.value, "")
            if self._item.value:
                await self._show_product(self._collection.value, self._item.value, "")
        except SkerryError as error:
            self._report(error)

    async def _choose_item(self, _event: object) -> None:
        if self._filling or not self._item.value:
            return
        try:
            wanted = self._variable.value or ""
            await self._show_product(self._collection.value, self._item.value, wanted)
        except SkerryError as error:
            self._report(error)

    async def _choose_variable(self, _event: object) -> None:
        if self._filling or self._product is None or not self._variable.value:
            return
        await self._show_variable(self._product, self._variable.value)

    async def _offer_items(self, collection: str, chosen: str) -> None:
        items = await asyncio.to_thread(catalogue.list_items, self._visit.session, collection)
        if chosen and chosen not in items.values():
            items[chosen] = chosen
        self._fill(self._item, items, chosen)

    async def _show_product(self, collection: str, item: str, variable: str) -> None:
        product = await asyncio.to_thread(
            catalogue.read_product, self._visit.session, collection, item
        )
        chosen = product.find_variable(variable)
        if chosen is None:
            raise InvalidInputError(
                f"The item {product.item!r} has nothing that can be drawn.",
                remedy="Choose another item.",
            )
        self._product = product
        self._fill(self._variable, {v.title: v.name for v in product.variables}, chosen.name)
        show_whole(self._leaflet, product.bbox)
        await self._show_variable(product, chosen.name)

    async def _show_variable(self, product: Product, name: str) -> None:
        variable = product.find_variable(name)
        if variable is None:
            return
        address = {"item": f"{product.collection}/{product.item}", "variable": variable.name}
        if pn.state.location is not None:
            pn.state.location.update_query(**address)
        self._title.object = render("map_title.html", product=product, variable=variable)
        self._facts.object = render(
            "facts.html",
            product=product,
            permalink=catalogue.link_map(product.collection, product.item, variable.name),
            export=catalogue.link_export(product.collection, product.item, variable.name),
        )
        tiles = catalogue.link_tiles(product.collection, product.item, variable.name)
        self._remove_layer()
        self._asked.value = f"{tiles}/tilejson.json"
        await self._draw_legend(tiles, variable)

    async def _draw_legend(self, tiles: str, variable: Variable) -> None:
        try:
            picture = await asyncio.to_thread(
                self._visit.session.send, "GET", f"{tiles}/legend.png", headers={"Accept": "*/*"}
            )
        except SkerryError as error:
            self._legend.object = show_error(error)
            return
        source = f"data:image/png;base64,{b64encode(picture.content).decode()}"
        self._legend.object = render("legend.html", source=source, variable=variable)

    def _add_layer(self, _attribute: str, _old: str, answer: str) -> None:
        """Draw the layer once the browser has its session with maps."""
        address, _, status = answer.rpartition(" ")
        if address != self._asked.value or self._product is None:
            return
        if status != _OK:
            self._title.object += render("no_layer.html", status=status)
            return
        self._remove_layer()
        self._layer = make_layer(
            address.removesuffix("/tilejson.json"),
            self._product.bbox,
            name=self._variable.value,
            opacity=self._opacity.value,
        )
        self._leaflet.add(self._layer)

    def _remove_layer(self) -> None:
        if self._layer is not None:
            self._leaflet.remove(self._layer)
            self._layer = None

    def _fade(self, event: Any) -> None:
        if self._layer is not None:
            self._layer.opacity = event.new

    def _fill(self, chooser: pn.widgets.Select, options: dict[str, str], chosen: str) -> None:
        """Set a chooser's options and value without it telling of a choice."""
        self._filling = True
        try:
            values = list(options.values())
            value = chosen if chosen in values else (values[0] if values else None)
            chooser.param.update(options=options, value=value)
        finally:
            self._filling = False

    def _report(self, error: SkerryError) -> None:
        self._remove_layer()
        self._legend.object = self._facts.object = ""
        self._title.object = show_error(error)
