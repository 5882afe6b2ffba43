"""The map page: one variable of one product over the base map, with legend and facts."""

import asyncio
import json
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import panel as pn
from bokeh.models import CustomJS, TextInput

from skerry.core.errors import InvalidInputError, SkerryError
from skerry.core.scopes import Scope
from skerry.dashboards.catalogue import (
    Product,
    Selection,
    Variable,
    link_export,
    link_map,
    link_tiles,
    list_collections,
    parse_item_name,
    read_picture,
    read_selection,
)
from skerry.dashboards.leaflet import LocalWidget, make_layer, make_map, show_whole
from skerry.dashboards.shell import lay_page, show_error, show_html, style_widget
from skerry.dashboards.templating import render
from skerry.dashboards.visit import Visit

# In the browser: window title and address first, and a name for the slider's handle, to which
# Bokeh gives none. Then, because a tile is an <img> and cannot log in, ask for the layer's
# description: as the browser follows the redirects through the hub, it gets its session with the
# maps program.
_OPEN_LAYER = """
const view = JSON.parse(cb_obj.value);
document.title = view.title;
history.replaceState(null, "", view.permalink);
const find = (root) => root.querySelector(".noUi-handle")
  ?? [...root.querySelectorAll("*")].map((e) => e.shadowRoot && find(e.shadowRoot)).find(Boolean);
find(document)?.setAttribute("aria-label", "Opacity");
fetch(view.layer, {mode: "no-cors", credentials: "same-origin", headers: {Accept: "text/html"}})
  .then((response) => { answer.value = [view.turn, view.layer, response.status].join(" "); })
  .catch(() => { answer.value = [view.turn, view.layer, 0].join(" "); });
"""
_OK = "200"


@dataclass(frozen=True)
class View:
    """Everything that the page shows at one time.

    Attributes
    ----------
    selection
        The product and what else could be chosen.
    variable
        What is drawn of it.
    legend
        The picture as a ``data:`` address; empty when maps has none.
    """

    selection: Selection
    product: Product
    variable: Variable
    legend: str

    @property
    def names(self) -> tuple[str, str, str]:
        """What is shown: collection, item, variable."""
        return self.product.collection, self.product.item, self.variable.name

    @property
    def tiles(self) -> str:
        """The tiles' address."""
        return link_tiles(*self.names)

    @property
    def permalink(self) -> str:
        """The page's address that leads back to this view."""
        return link_map(*self.names)

    @property
    def title(self) -> str:
        """The window's title."""
        mark = "SIMULATED: " if self.product.simulated else ""
        return f"{mark}{self.variable.title}, {self.product.title} · Skerry"


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
        self._document = pn.state.curdoc
        self._view: View | None = None
        self._layer: Any = None
        self._open_layer = ""
        self._map_ready = False
        self._filling = False
        self._turn = 0
        self._leaflet = make_map()
        self._title = show_html(render("loading.html"))
        self._legend = show_html()
        self._facts = show_html()
        self._collection = style_widget(pn.widgets.Select(label="Collection"))
        self._item = style_widget(pn.widgets.Select(label="Item"))
        self._variable = style_widget(pn.widgets.Select(label="Variable"))
        self._opacity = style_widget(
            pn.widgets.FloatSlider(label="Opacity", start=0, end=1, step=0.05, value=0.9)
        )
        self._opening = TextInput(visible=False)
        self._opened = TextInput(visible=False)

    def show(self) -> pn.Template:
        """Lay the page and fill it once it is open."""
        for chooser in (self._collection, self._item, self._variable):
            chooser.param.watch(self._choose, "value")
        self._opacity.param.watch(self._fade, "value")
        code = CustomJS(args={"answer": self._opened}, code=_OPEN_LAYER)
        self._opening.js_on_change("value", code)
        self._opened.on_change("value", self._read_answer)
        self._leaflet.observe(self._begin_drawing, names="bounds")
        pn.state.onload(self._begin)
        side = pn.Column(
            self._collection, self._item, self._variable, self._opacity, self._legend, self._facts,
            pn.pane.Bokeh(self._opening, visible=False), pn.pane.Bokeh(self._opened, visible=False),
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
        """Show what the page's address names, else the newest product."""
        item, variable = self._wanted
        try:
            collection, name = parse_item_name(item) if item else ("", "")
        except SkerryError as error:
            await self._fail(error)
            return
        await self._go(collection, name, variable)

    def _choose(self, event: Any) -> None:
        """Follow a choice of the viewer; a new collection begins with its newest item.

        Not a coroutine, so that what `_fill` sets is seen to be its own: Panel would run one
        later, and on another thread than the one that fills.
        """
        if self._filling or not event.new:
            return
        collection, variable = self._collection.value, self._variable.value or ""
        item = "" if event.obj is self._collection else self._item.value or ""

        async def go() -> None:
            await self._go(collection, item, variable)

        pn.state.execute(go)

    async def _go(self, collection: str, item: str, variable: str) -> None:
        """Read what a view needs and show it, unless the viewer has gone on meanwhile."""
        self._turn += 1
        turn = self._turn
        try:
            self._visit.require(Scope.CATALOG_READ)
            view = await asyncio.to_thread(self._read, collection, item, variable)
        except SkerryError as error:
            await self._fail(error)
            return
        if turn == self._turn:
            # Under the document's lock all of it reaches the browser at once and in order.
            self._document.add_next_tick_callback(lambda: self._show(view))

    def _read(self, collection: str, item: str, variable: str) -> View | None:
        session = self._visit.session
        selection = read_selection(session, collection, item)
        product = selection.product
        if product is None:
            return None
        chosen = product.find_variable(variable)
        if chosen is None:
            raise InvalidInputError(
                f"The item {product.item!r} has nothing that can be drawn.",
                remedy="Choose another item.",
            )
        tiles = link_tiles(product.collection, product.item, chosen.name)
        return View(selection, product, chosen, read_picture(session, f"{tiles}/legend.png"))

    def _show(self, view: View | None) -> None:
        self._remove_layer()
        self._open_layer = ""
        moved = self._view is None or view is None or self._view.product != view.product
        self._view = view
        if view is None:
            self._title.object = render("empty.html")
            self._legend.object = self._facts.object = ""
            return
        product, variable = view.product, view.variable
        variables = {variable.title: variable.name for variable in product.variables}
        self._fill(self._collection, view.selection.collections, product.collection)
        self._fill(self._item, view.selection.items, product.item)
        self._fill(self._variable, variables, variable.name)
        self._title.object = render("map_title.html", product=product, variable=variable)
        self._legend.object = render("legend.html", source=view.legend, variable=variable)
        self._facts.object = render(
            "facts.html",
            product=product,
            permalink=view.permalink,
            export=link_export(*view.names),
        )
        if moved and self._map_ready:
            show_whole(self._leaflet, product.bbox)
        self._opening.value = json.dumps(
            {
                "turn": self._turn,  # the same view twice is opened twice
                "title": view.title,
                "permalink": view.permalink,
                "layer": _describe_layer(view),
            }
        )

    def _begin_drawing(self, _change: object) -> None:
        """Show the view on the map that has just appeared; what is told earlier gets lost."""
        if self._map_ready:
            return
        self._map_ready = True
        if self._view is not None:
            show_whole(self._leaflet, self._view.product.bbox)
        self._add_layer()

    def _read_answer(self, _attribute: str, _old: str, answer: str) -> None:
        """Draw the layer, as the browser has its session with maps now."""
        _turn, address, status = answer.split(" ")
        if self._view is None or address != _describe_layer(self._view):
            return
        if status != _OK:
            self._title.object += render("no_layer.html", status=status)
            return
        self._open_layer = address
        self._add_layer()

    def _add_layer(self) -> None:
        """Draw the view's layer if the browser has both: the map, and its session with maps."""
        if not self._map_ready or self._view is None:
            return
        if self._open_layer != _describe_layer(self._view):
            return
        self._remove_layer()
        self._layer = make_layer(
            self._view.tiles,
            self._view.product.bbox,
            name=self._view.variable.title,
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

    def _fill(self, chooser: Any, options: dict[str, str], chosen: str) -> None:
        """Set a chooser's options and value without it telling of a choice."""
        if chooser.options == options and chooser.value == chosen:
            return
        self._filling = True
        try:
            # in this order: new options make it forget the value
            chooser.options = options
            chooser.value = chosen
        finally:
            self._filling = False

    async def _fail(self, error: SkerryError) -> None:
        """Say what is wrong, and offer the collections if there is nothing to choose from yet."""
        collections: dict[str, str] = {}
        if self._view is None:
            with suppress(SkerryError):
                collections = await asyncio.to_thread(list_collections, self._visit.session)
        self._document.add_next_tick_callback(lambda: self._report(error, collections))

    def _report(self, error: SkerryError, collections: dict[str, str]) -> None:
        if collections:
            self._fill(self._collection, {"Choose one": "", **collections}, "")
        self._view = None
        self._open_layer = ""
        self._remove_layer()
        self._legend.object = self._facts.object = ""
        self._title.object = show_error(error)


def _describe_layer(view: View) -> str:
    return f"{view.tiles}/tilejson.json"
