"""The state of the map page, read through the api and maps as the viewer."""

from dataclasses import dataclass, replace

from skerry.client.session import Session
from skerry.core.errors import InvalidInputError, NotFoundError, SkerryError
from skerry.dashboards.catalogue import Selection, read_picture, read_selection
from skerry.dashboards.products import Product, Variable, link_map, link_tiles
from skerry.models.layers import PointValues, TileJson

NO_SECOND = "None"


@dataclass(frozen=True)
class Wish:
    """The viewer's choice; with empty texts the page chooses.

    Attributes
    ----------
    collection, item, variable
        The item and variable to draw.
    limits
        Values at the ends of the colours; None means the product's own.
    second
        ``item/variable`` of the layer below, to compare with.
    exact
        Whether an item without the variable is an error, because the page's address named it.
    """

    collection: str = ""
    item: str = ""
    variable: str = ""
    limits: tuple[float, float] | None = None
    second: str = ""
    exact: bool = False


@dataclass(frozen=True)
class Layer:
    """One layer of tiles.

    Attributes
    ----------
    tiles
        The tiles' address without ``/{z}/{x}/{y}.png``.
    query
        Their query, with the question mark; empty for the product's own style.
    bbox
        Their extent: west, south, east, north in degrees.
    limits
        Values at the ends of the colours; None for classes.
    """

    tiles: str
    query: str
    bbox: tuple[float, float, float, float]
    title: str
    limits: tuple[float, float] | None

    @property
    def description(self) -> str:
        """Address of the layer's TileJSON."""
        return f"{self.tiles}/tilejson.json{self.query}"


@dataclass(frozen=True)
class View:
    """The state of the page.

    Attributes
    ----------
    selection, product
        The product and all that can be chosen.
    variable, layer
        The variable to draw; None where nothing can be drawn.
    legend
        The picture as a ``data:`` address; empty when maps has none.
    second
        The layer below.
    problem
        The reason why nothing is drawn.
    """

    selection: Selection
    product: Product
    variable: Variable | None = None
    layer: Layer | None = None
    legend: str = ""
    second: Layer | None = None
    problem: SkerryError | None = None

    @property
    def names(self) -> tuple[str, str, str]:
        """The names on the page: collection, item, variable."""
        return (
            self.product.collection,
            self.product.item,
            self.variable.name if self.variable else "",
        )

    @property
    def permalink(self) -> str:
        """The page's address that leads back to this view."""
        return link_map(*self.names)

    @property
    def title(self) -> str:
        """The window's title."""
        mark = "SIMULATED: " if self.product.simulated else ""
        variable = f"{self.variable.title}, " if self.variable else ""
        return f"{mark}{variable}{self.product.title} · Skerry"

    def list_seconds(self) -> dict[str, str]:
        """Return the choices for the layer below: other variables, and other items."""
        if self.variable is None:
            return {NO_SECOND: ""}
        item, variable = self.product.item, self.variable
        return {
            NO_SECOND: "",
            **{
                f"{other.title} of this item": f"{item}/{other.name}"
                for other in self.product.variables
                if other != variable
            },
            **{
                f"{variable.title} of {label}": f"{other}/{variable.name}"
                for label, other in self.selection.items.items()
                if other != item
            },
        }


def read_view(session: Session, wish: Wish) -> View | None:
    """Return the view for the viewer's choice; None when they may see no product.

    Raises
    ------
    SkerryError
        If the collection or item is missing, or the platform does not answer. An error of
        only the variable does not raise: the view holds it, with the other choices.
    """
    selection = read_selection(session, wish.collection, wish.item)
    product = selection.product
    if product is None:
        return None
    view = View(selection, product)
    try:
        variable = choose_variable(product, wish)
        layer = read_layer(session, product, variable, wish.limits)
        legend = read_picture(session, f"{layer.tiles}/legend.png{layer.query}")
        view = replace(view, variable=variable, layer=layer, legend=legend)
        if wish.second:
            item, _, name = wish.second.partition("/")
            other = Variable(name=name, title=name, units="")
            below = read_layer(session, replace(product, item=item), other, None)
            view = replace(view, second=below)
    except SkerryError as error:
        view = replace(view, problem=error)
    return view


def choose_variable(product: Product, wish: Wish) -> Variable:
    """Return the chosen variable, or the first if none is chosen.

    Raises
    ------
    NotFoundError
        If the product has nothing to draw, or lacks the variable that the address names.
    """
    if not product.variables:
        raise NotFoundError(
            f"The item {product.item!r} has nothing that can be drawn.",
            remedy="Choose another item; its files are still there.",
        )
    choice = product.find_variable(wish.variable)
    if choice is None and wish.exact and wish.variable:
        names = ", ".join(variable.name for variable in product.variables)
        raise NotFoundError(
            f"The item {product.item!r} has no variable {wish.variable[:80]!r}.",
            remedy=f"Choose one of these: {names}.",
        )
    return choice or product.variables[0]


def read_layer(
    session: Session, product: Product, variable: Variable, limits: tuple[float, float] | None
) -> Layer:
    """Ask maps for the description of a layer, to find its errors before drawing.

    Raises
    ------
    SkerryError
        If maps cannot draw it, or not with these limits.
    """
    if limits is not None and not limits[0] < limits[1]:
        raise InvalidInputError(
            f"From {limits[0]:g} to {limits[1]:g} is an empty range.",
            remedy="Give a lowest value that is below the highest.",
        )
    tiles = link_tiles(product.collection, product.item, variable.name)
    query = "" if limits is None else f"?min={limits[0]!r}&max={limits[1]!r}"
    described = session.fetch(TileJson, "GET", f"{tiles}/tilejson.json{query}")
    style = described.style
    return Layer(
        tiles=tiles,
        query=query,
        bbox=described.bounds,
        title=described.name,
        limits=None if style.classes else (style.min, style.max),
    )


def read_values(
    session: Session, layers: list[Layer], latitude: float, longitude: float
) -> list[tuple[str, PointValues]]:
    """Return the title of each layer, and its values at a place from maps."""
    params = {"lat": latitude, "lon": longitude}
    return [
        (layer.title, session.fetch(PointValues, "GET", f"{layer.tiles}/point.json", params=params))
        for layer in layers
    ]


def parse_place(text: str) -> tuple[float, float]:
    """Read latitude and longitude in degrees, with a comma or a space between them.

    Raises
    ------
    InvalidInputError
        If it is anything else, or no place on Earth.
    """
    try:
        latitude, longitude = (float(part) for part in text.replace(",", " ").split())
    except ValueError:
        latitude = longitude = 1000.0
    if not (abs(latitude) <= 90 and abs(longitude) <= 180):  # noqa: PLR2004 -- degrees
        raise InvalidInputError(
            f"{text[:40]!r} is not a place.",
            remedy="Write latitude and longitude in degrees, such as 54.35, 13.2.",
        )
    return latitude, longitude
