"""The records of a mapping file: a product type, its groups of variables and its documents."""

from collections.abc import Iterable
from fnmatch import fnmatchcase
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict


class Record(BaseModel):
    """A frozen record that knows its fields and no others."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Entry(Record):
    """A value in a metadata document, and how its text becomes the value (and back).

    Attributes
    ----------
    document
        Role of the document, a key of `Mapping.documents`.
    path
        Path of the element by local names, anywhere below the document's root, with predicates
        on attributes or children; ``/@name`` at the end takes an attribute.
    type
        How the text becomes a value: ``lower`` in lower case; ``time`` as RFC 3339 in UTC;
        ``microseconds`` a time as microseconds since 1970; ``numbers`` a list; ``polygon`` pairs
        of latitude and longitude as a GeoJSON polygon, ``bbox`` as its bounding box.
    many
        Whether the value is a list of all matching elements, instead of the first.
    value
        The value itself, instead of a place in a document.
    file, variable
        Instead of a document: glob pattern of a NetCDF file, and its variable of one number, or
        ``@name`` for a global attribute.
    template
        The text around the value in the document, such as ``{}.SAFE``.
    label
        The text around the document's text in the value, such as ``MGRS-{}``.
    pattern
        Regular expression with one group that finds the value in the text. Not written back.
    values
        Text to value, for texts that stand for something else.
    scale
        Factor for a number.
    reciprocal
        Whether the value is one divided by the number.
    times
        Name of another entry that the number is multiplied by.
    default
        The value where the document has none; without default the attribute is left out.
    required
        Whether a document without it is refused.
    since
        Processing baseline (`Mapping.entries` has ``baseline``) from which it is required.
    """

    document: str = ""
    path: str = ""
    type: Literal[
        "text",
        "lower",
        "integer",
        "number",
        "numbers",
        "boolean",
        "time",
        "microseconds",
        "polygon",
        "bbox",
    ] = "text"
    many: bool = False
    value: Any = None
    file: str = ""
    variable: str = ""
    template: str = "{}"
    label: str = "{}"
    pattern: str = ""
    values: dict[str, Any] = {}
    scale: float = 1.0
    reciprocal: bool = False
    times: str = ""
    default: Any = None
    required: bool = False
    since: str = ""


class Kind(Record):
    """What numbers mean.

    Attributes
    ----------
    dims
        Dimension names in order, rows and columns last.
    dtype
        Number type in the file.
    scale_factor, add_offset, fill_value
        Packing: physical = number * scale_factor + add_offset. A text names an entry of
        `Mapping.entries`, for packings that a metadata document holds.
    further_fills
        Other numbers that stand for no measurement (such as saturation).
    decoded
        Number type of the values; by default float32 for packed numbers of at most 16 bits,
        float64 for wider ones, and the file's type for numbers that are not packed.
    bands, pack_bits
        Bands in a raster file; band i holds 0 or 1 and becomes bit i - 1 of one number.
    attrs
        CF attributes: long_name, standard_name, units, valid_min and valid_max (packed, as CF
        says), flag_values or flag_masks with flag_meanings and flag_colors, and
        ``display_min``, ``display_max`` and ``colormap`` for maps. ``{source}`` is the
        variable's source.
    """

    dims: tuple[str, ...] = ()
    dtype: str = ""
    scale_factor: float | str | None = None
    add_offset: float | str | None = None
    fill_value: float | None = None
    further_fills: tuple[float, ...] = ()
    decoded: str | None = None
    bands: int = 1
    pack_bits: bool = False
    attrs: dict[str, Any] = {}


class Variable(Record):
    """Where a variable comes from.

    Attributes
    ----------
    source
        Its name in the file: a band, a NetCDF variable, the path of an XML element.
    file
        Glob pattern of its file below the product's root if not the group's.
    kind
        Its kind if not the group's.
    coordinate
        Whether it is a coordinate of the group.
    dims, dtype, scale_factor, add_offset, fill_value, attrs
        What differs from the kind; attributes are added to the kind's.
    """

    source: str
    file: str | None = None
    kind: str | None = None
    coordinate: bool = False
    dims: tuple[str, ...] | None = None
    dtype: str | None = None
    scale_factor: float | str | None = None
    add_offset: float | str | None = None
    fill_value: float | None = None
    attrs: dict[str, Any] = {}


class Group(Record):
    """A group of the tree, or a part of a group: groups of the same path are joined.

    Attributes
    ----------
    path
        Group path in the EOPF structure.
    format
        Name of the module that reads and writes its files.
    file
        Glob pattern below the product's root; ``{source}`` is the variable's source. Writing
        fills the stars with the names of the product that is written.
    kind
        Kind of its variables.
    variables
        Variable name to where it comes from; a text is a `Variable` with that source.
    optional
        Whether a complete product may lack it.
    options
        Further settings of the format, such as ``resolution_m``.
    """

    path: str
    format: str
    file: str
    kind: str
    variables: dict[str, Variable]
    optional: bool = False
    options: dict[str, Any] = {}


class MapRaster(Record):
    """Variables of a swath that maps draw, brought to one grid when a product is imported.

    Attributes
    ----------
    group
        Group path, or that of each member with ``{member}``.
    variables
        Name on the map to name in the group; ``{name}`` of a member is filled in.
    resolution_m
        Edge of a pixel on the map.
    average
        Lines and pixels of the swath whose mean is taken before it is brought to the grid.
    shown
        Name on the map to the values that are drawn darkest and brightest; where there are none,
        the 2nd and the 98th percentile of each product.
    """

    group: str
    variables: dict[str, str]
    resolution_m: float
    average: int = 1
    shown: dict[str, tuple[float, float]] = {}


class Catalogue(Record):
    """What the catalogue does with a product of the type.

    Attributes
    ----------
    left_out
        Groups that an import does not copy: large and rarely needed; the source still has them.
    bands
        Groups whose variables get a COG; all rasters where there is none.
    maps
        For swaths, what maps draw.
    first
        The variables of `maps` that maps and quicklooks draw first, in this order; where there is
        none, the order of `maps`.
    """

    left_out: tuple[str, ...] = ()
    bands: tuple[str, ...] = ()
    maps: tuple[MapRaster, ...] = ()
    first: tuple[str, ...] = ()

    @property
    def drawn_first(self) -> tuple[str, ...]:
        """The variables that are drawn first, in their order."""
        return self.first or tuple(name for item in self.maps for name in item.variables)


class Members(Record):
    """Members of a product with the same groups in each, such as its polarisations.

    Attributes
    ----------
    names
        Glob pattern of their names in the tree.
    format
        The format whose module lists them (see `members`). What it says of a member fills
        ``{name}`` in paths, file patterns and options of groups, and here.
    documents
        Role to glob pattern of a member's metadata documents.
    attributes
        As `Mapping.attributes`, of the member's node, besides those of the root.
    """

    names: str
    format: str
    documents: dict[str, str] = {}
    attributes: dict[str, Entry] = {}

    def find_in(self, nodes: Iterable[str]) -> list[str]:
        """Return the names below a tree's root that belong to members."""
        return [name for name in nodes if fnmatchcase(name, self.names)]


class Mapping(Record):
    """One product type.

    Attributes
    ----------
    name
        Name of the file.
    product_type
        EOPF name, such as ``S02MSIL2A``.
    title
        Name for people.
    marks
        Glob patterns, below the product's root, of files that must all be there for a product to
        be of this type.
    names
        Glob pattern of product names of this type; where several types have the same marks it
        decides.
    documents
        Role to glob pattern of the metadata documents that must be there.
    expected
        Name to glob pattern of further files that a complete product has.
    entries
        Named values in the documents, for packings and formats.
    attributes
        Path below the tree's root attributes, such as ``stac_discovery/properties/platform``, to
        its place.
    kinds, groups
        What the numbers mean and where they are.
    members
        For products of several members with the same groups.
    catalogue
        What an import copies, and what maps draw.
    """

    name: str
    product_type: str
    title: str
    marks: tuple[str, ...]
    names: str
    documents: dict[str, str]
    expected: dict[str, str] = {}
    entries: dict[str, Entry] = {}
    attributes: dict[str, Entry] = {}
    kinds: dict[str, Kind]
    groups: tuple[Group, ...]
    members: Members | None = None
    catalogue: Catalogue = Catalogue()

    @property
    def collection(self) -> str:
        """The collection of products of this type, such as ``sentinel-2-l2a``."""
        return self.name.replace("_", "-")

    def kind_of(self, group: Group, variable: Variable) -> Kind:
        """Return a variable's kind with what the variable changes in it."""
        kind = self.kinds[variable.kind or group.kind]
        changed = {
            key: value
            for key in ("dims", "dtype", "scale_factor", "add_offset", "fill_value")
            if (value := getattr(variable, key)) is not None
        }
        attrs = {
            key: item.replace("{source}", variable.source) if isinstance(item, str) else item
            for key, item in (kind.attrs | variable.attrs).items()
        }
        return kind.model_copy(update=changed | {"attrs": attrs})
