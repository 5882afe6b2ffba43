"""The engine: a mapping and a product's files become a tree, lazily; and a tree becomes files.

A format is a module of this package with two functions::

    def read(product: SafeProduct, group: Group) -> xr.Dataset
    def write(folder: SafeFolder, group: Group, data: xr.Dataset) -> None

``read`` returns the variables of the group that the product has, lazy where they are large,
CF-decoded, with the packing in ``encoding``; it appends what is not there to
``product.missing`` as ``<group path>/<variable>``. ``write`` is its inverse.
"""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import cached_property
from importlib import import_module
from pathlib import Path
from typing import Any, Protocol, cast

import xarray as xr
from odc.geo.geobox import GeoBox

from skerry.core.errors import InvalidInputError
from skerry.core.progress import Progress
from skerry.products.grids import grid_of
from skerry.products.safe.attributes import find, read_attributes, read_entry, write_attributes
from skerry.products.safe.documents import Document, DocumentBuilder
from skerry.products.safe.files import ProductFiles
from skerry.products.sensors.mapping import Group, Mapping
from skerry.products.stac_extensions import list_schemas
from skerry.storage.writing import make_aside

FORMATS = {
    "jp2": "skerry.products.safe.jp2",
    "netcdf": "skerry.products.safe.netcdf",
    "geotiff": "skerry.products.safe.geotiff",
    "grib": "skerry.products.safe.grib",
    "s1-annotation": "skerry.products.safe.sentinel_1",
    "s2-angles": "skerry.products.safe.sentinel_2_angles",
}
"""Format names in mapping files to modules."""
SUFFIXES = (".zip", ".SAFE", ".SEN3")
"""What product names have at their end on disk, outermost first."""

SIMULATOR = {"name": "Skerry, simulated", "roles": ["producer"]}
"""The provider of products that say that they were not measured."""


class Format(Protocol):
    """What a format's module offers."""

    def read(self, product: "SafeProduct", group: Group) -> xr.Dataset:
        """Read one group."""

    def write(self, folder: "SafeFolder", group: Group, data: xr.Dataset) -> None:
        """Write one group's files."""


@dataclass(frozen=True)
class SafeProduct:
    """A product being read.

    Attributes
    ----------
    files
        Its files.
    mapping
        Its type.
    missing
        Filled with what a complete product has and this one lacks.
    healed
        Filled with the wounds that reading healed, in words.
    """

    files: ProductFiles
    mapping: Mapping
    missing: list[str] = field(default_factory=list)
    healed: list[str] = field(default_factory=list)

    @property
    def name(self) -> str:
        """The product's name as its folder or archive has it, without suffixes."""
        name = self.files.prefix.rstrip("/") or self.files.path.name
        for suffix in SUFFIXES:
            name = name.removesuffix(suffix)
        return name

    @cached_property
    def documents(self) -> dict[str, Document]:
        """Role to metadata document, those of `Mapping.expected` if they are there.

        Raises
        ------
        InvalidInputError
            If one of `Mapping.documents` is missing, or any is broken.
        """
        found = {}
        for role, pattern in self.mapping.documents.items():
            name = self.files.find(pattern)
            if name is None:
                raise InvalidInputError(
                    f"{self.files.path} has no {pattern}.",
                    remedy=f"Give a complete {self.mapping.title} product, folder or zip archive.",
                )
            found[role] = Document(self.files, name)
        for role, pattern in self.mapping.expected.items():
            name = self.files.find(pattern)
            if name is not None and name.endswith((".xml", ".safe")):
                found[role] = Document(self.files, name)
        return found

    def entry(self, name: str, source: str = "") -> Any:
        """Return the value of an entry of `Mapping.entries`, or None where there is none."""
        return read_entry(self, self.mapping.entries[name], source)


@dataclass(frozen=True)
class SafeFolder:
    """A product being written.

    Attributes
    ----------
    root
        The folder that is filled.
    mapping
        Its type.
    names
        What stands for the parts of file patterns that have stars: the pattern from the
        product's root up to such a part, or that part alone, to the part's name; both may hold
        ``{source}``.
    documents
        Role to document being built; formats may put into them.
    """

    root: Path
    mapping: Mapping
    names: dict[str, str]
    documents: dict[str, DocumentBuilder] = field(default_factory=dict)

    def place(self, pattern: str, source: str = "") -> Path:
        """Return the path of a file to write, its folder made.

        Raises
        ------
        InvalidInputError
            If a part with a star has no name.
        """
        parts: list[str] = []
        above: list[str] = []
        for part in pattern.split("/"):
            above.append(part)
            known = self.names.get("/".join(above), self.names.get(part, part))
            if "*" in known:
                raise InvalidInputError(
                    f"Nothing says what {part!r} of {pattern!r} is called.",
                    remedy="Name it in `names`.",
                )
            parts.append(known.replace("{source}", source))
        path = self.root.joinpath(*parts)
        path.parent.mkdir(parents=True, exist_ok=True)
        return path


def load_format(name: str) -> Format:
    """Return the module of a format."""
    module: Any = import_module(FORMATS[name])
    return module  # type: ignore[no-any-return]


def assemble(files: ProductFiles, mapping: Mapping) -> xr.DataTree:
    """Build the tree of everything that `mapping` names and `files` has.

    Returns
    -------
    xarray.DataTree
        Groups as the mapping names them, lazily read. Root attributes as the mapping names them,
        and in ``other_metadata``: ``mapping``, ``missing`` (what a complete product has and this
        one lacks), ``healed`` (wounds that reading healed) and ``simulated``.

    Raises
    ------
    InvalidInputError
        If a metadata document is missing or broken, or a file is damaged or of another size than
        the metadata say.
    """
    product = SafeProduct(files, mapping)
    attrs = read_attributes(product)
    product.missing.extend(
        f"{title} ({pattern})"
        for title, pattern in mapping.expected.items()
        if files.find(pattern) is None
    )
    product, of_members = _unfold_members(product)
    datasets: dict[str, xr.Dataset] = {}
    for group in product.mapping.groups:
        data = load_format(group.format).read(product, group)
        if data.variables:
            known = datasets.get(group.path)
            datasets[group.path] = data if known is None else _join(product, group, known, data)
    if not any("measurements" in path and data.data_vars for path, data in datasets.items()):
        raise InvalidInputError(
            f"{files.path} has metadata but not one measurement of a {mapping.title} product.",
            remedy="Give the whole product.",
        )
    name = str(find(attrs, "stac_discovery/id") or product.name)
    root = xr.Dataset(attrs=_complete(attrs, product, name, datasets))
    tree = xr.DataTree.from_dict({"/": root, **datasets}, name=name)
    simulated = root.attrs["other_metadata"]["simulated"]
    for member, own in of_members.items():
        _complete_item(own["stac_discovery"], None, simulated=simulated)
        tree[member].attrs.update(own)
    return tree


def _unfold_members(product: SafeProduct) -> tuple[SafeProduct, dict[str, dict[str, Any]]]:
    """Write out the groups of a product of several like members; read the members' attributes."""
    if product.mapping.members is None:
        return product, {}
    from skerry.products.safe.members import read_member_attributes, unfold

    module: Any = load_format(product.mapping.members.format)
    members = module.list_members(product)
    attributes = read_member_attributes(product, members)
    return replace(product, mapping=unfold(product.mapping, members)), attributes


def _join(product: SafeProduct, group: Group, known: xr.Dataset, data: xr.Dataset) -> xr.Dataset:
    """Join the parts of one group; never by comparing values, which would read them."""
    try:
        return known.merge(data, compat="override", join="exact", combine_attrs="override")
    except ValueError as error:
        raise InvalidInputError(
            f"The files of {group.path} in {product.files.path} are of different sizes: "
            f"{dict(known.sizes)} and, in {group.file}, {dict(data.sizes)}.",
            remedy="Fetch the product again from its provider.",
        ) from error


def _complete(
    attrs: dict[str, Any], product: SafeProduct, name: str, datasets: dict[str, xr.Dataset]
) -> dict[str, Any]:
    """Add to the attributes what no document says."""
    other = attrs.setdefault("other_metadata", {})
    simulated = bool(other.get("simulated", product.name.endswith("_SIM")))
    other |= {
        "mapping": product.mapping.name,
        "missing": product.missing,
        "healed": product.healed,
        "simulated": simulated,
    }
    if "stac_discovery" in attrs:
        grids = (grid_of(data) for data in datasets.values())
        grid = next((item for item in grids if item is not None), None)
        attrs["stac_discovery"].setdefault("id", name)
        _complete_item(attrs["stac_discovery"], grid, simulated=simulated)
    title = f"{product.mapping.title} {name}"
    return {"title": f"SIMULATED {title}" if simulated else title, **attrs}


def _complete_item(item: dict[str, Any], grid: GeoBox | None, *, simulated: bool) -> None:
    properties = item.setdefault("properties", {})
    if grid is not None:
        properties["proj:bbox"] = [float(element) for element in grid.boundingbox.bbox]
    if simulated:
        properties["providers"] = [SIMULATOR]
    item.setdefault("stac_extensions", list_schemas(properties))
    item.setdefault("links", [])
    item.setdefault("assets", {})


def write_safe(
    tree: xr.DataTree,
    root: Path,
    mapping: Mapping,
    names: dict[str, str],
    *,
    skeletons: dict[str, bytes] | None = None,
    texts: dict[str, dict[str, str]] | None = None,
    finish: Callable[[SafeFolder], None] | None = None,
    progress: Progress | None = None,
) -> Path:
    """Write a tree as a SAFE product: the mapping backwards.

    Written aside and renamed, so that the folder is there whole or not at all.

    Parameters
    ----------
    tree
        As `assemble` gives it; its variables' encoding holds their packing. Variables that the
        tree lacks are not written.
    root
        The product's folder, which must not exist.
    mapping
        The product's type.
    names
        What stands for the stars of file patterns, see `SafeFolder`.
    skeletons
        Role to metadata document with what is the same in all products; the attributes of the
        tree's root are put in at the mapping's paths.
    texts
        Role to path to text: what the documents say besides. Put in last.
    finish
        Called with the filled folder before it is renamed.
    progress
        Called with the fraction done and the group being written.

    Raises
    ------
    ConflictError
        If `root` exists, or another writer makes it meanwhile.
    """
    builders = {role: DocumentBuilder(item) for role, item in (skeletons or {}).items()}
    with make_aside(root, parents=True) as aside:
        folder = SafeFolder(aside, mapping, names, builders)
        aside.mkdir()
        _fill(folder, tree, texts or {}, progress)
        if finish is not None:
            finish(folder)
    return root


def _fill(
    folder: SafeFolder,
    tree: xr.DataTree,
    texts: dict[str, dict[str, str]],
    progress: Progress | None,
) -> None:
    mapping = folder.mapping
    if mapping.members is not None:
        from skerry.products.safe.members import unfold

        module: Any = load_format(mapping.members.format)
        mapping = unfold(mapping, module.members_of_tree(tree))
        folder = replace(folder, mapping=mapping)
    known = set(tree.groups)
    for number, group in enumerate(mapping.groups):
        if f"/{group.path}" in known:
            data = cast("xr.DataTree", tree[group.path]).to_dataset(inherit=False)
            present = [name for name in group.variables if name in data.variables]
            if present:
                load_format(group.format).write(folder, group, _select(data, present))
        if progress is not None:
            progress((number + 1) / len(mapping.groups), group.path)
    write_attributes(dict(tree.attrs), mapping.attributes, folder.documents)
    for role, entries in texts.items():
        for path, text in entries.items():
            folder.documents[role].put(path, text)
    patterns = mapping.documents | mapping.expected
    for role, document in folder.documents.items():
        folder.place(patterns[role]).write_bytes(document.to_bytes())


def _select(data: xr.Dataset, names: list[str]) -> xr.Dataset:
    """Return these variables, with the coordinates that go with them."""
    chosen = [name for name in names if name in data.data_vars]
    coords = [name for name in names if name in data.coords]
    return data[chosen].assign_coords({name: data.coords[name] for name in coords})
