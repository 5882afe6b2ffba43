"""Convert Sentinel-1 Level-1 annotation, lists of records in XML, to variables and back.

A group's options name the list (``records``, names in older products after ``|``), the dimension
along it (``dimension``) and, for records that are points of a grid, the places of row and column
(``grid``). A variable's source is the place of its value in a record: one path; several paths, a
column for each; or a vector of numbers separated by blanks. Sources that no document holds are
named ``computed/...``.

Source: Sentinel-1 Product Specification, S1-RS-MDA-52-7441, section 6 (annotation data sets).
"""

from typing import Any

import numpy as np
import numpy.typing as npt
import xarray as xr
from lxml import etree

from skerry.products.safe.documents import Document
from skerry.products.safe.product import SafeFolder, SafeProduct
from skerry.products.safe.sentinel_1_names import name_stem
from skerry.products.sensors.mapping import load_mapping
from skerry.products.sensors.records import Group, Kind, Variable

Values = npt.NDArray[Any]

COMPUTED = "computed/"
NO_PIXEL = -1
"""Fill value for integer vectors shorter than the longest in their list; floats get NaN."""


def list_members(product: SafeProduct) -> list[dict[str, str]]:
    """Return a member for each polarisation: its node's name, and its code in file names.

    The names are those of the EOPF form:
    ``S01SIWGRD_<start>_<whole seconds>_<unit><orbit cycle>_<id>_<data take>_<polarisation>``,
    from the manifest. The id is that of the product's name; if the name was changed it is the
    checksum of the manifest, from which the provider made the id.
    """
    manifest = product.documents["manifest"]
    with manifest.reading("the polarisations"):
        polarisations = sorted(set(manifest.texts("transmitterReceiverPolarisation")))
        if not polarisations or not set(polarisations) <= {"VV", "VH", "HH", "HV"}:
            raise ValueError(f"{polarisations}")
    stem = name_stem(product, manifest)
    return [_describe_member(f"{stem}_{polarisation}") for polarisation in polarisations]


def members_of_tree(tree: xr.DataTree) -> list[dict[str, str]]:
    """Return the members of a tree."""
    members = load_mapping("sentinel_1_iw_grd").members
    names = [] if members is None else members.find_in(map(str, tree.children))
    return [_describe_member(name) for name in names]


def _describe_member(name: str) -> dict[str, str]:
    return {"member": name, "code": name.rpartition("_")[2].lower()}


def read(product: SafeProduct, group: Group) -> xr.Dataset:
    """Read a group's variables from the records of one document; see `formats`."""
    document = _open(product, group.file)
    records = [] if document is None else _find_records(document, group)
    variables: dict[str, xr.Variable] = {}
    if document is not None and records:
        for name, variable in group.variables.items():
            kind = product.mapping.kind_of(group, variable)
            if not variable.source.startswith(COMPUTED):
                with document.reading(f"{group.options['records']}/{variable.source}"):
                    values = _gather(records, variable, kind, group)
                    if values is not None:
                        variables[name] = _enclose(values, kind)
        variables |= _compute(product, group, variables)
    if not group.optional:
        absent = [name for name in group.variables if name not in variables]
        data = [name for name in absent if variables or not group.variables[name].coordinate]
        product.missing.extend(f"{group.path}/{name}" for name in data)
    if document is None:
        return xr.Dataset()
    with document.reading(group.options["records"]):
        coordinates = {name for name in variables if group.variables[name].coordinate}
        return xr.Dataset(variables).set_coords(coordinates)


def _open(product: SafeProduct, pattern: str) -> Document | None:
    """Return the document that a pattern finds; it is parsed once per product."""
    name = product.files.find(pattern)
    if name is None:
        return None
    if name not in product.documents:
        product.documents[name] = Document(product.files, name)
    return product.documents[name]


def _find_records(document: Document, group: Group) -> list[Any]:
    lists = (document.all(path) for path in group.options["records"].split("|"))
    return next(filter(None, lists), [])


def _gather(records: list[Any], variable: Variable, kind: Kind, group: Group) -> Values | None:
    """Return a variable's numbers in its dimensions; None if the first record has none."""
    for places in variable.source.split("|"):
        columns = [[record.findtext(place) for record in records] for place in places.split()]
        if columns[0][0] is None:
            continue
        if len(columns) > 1:
            return np.stack([_parse(column, kind.dtype) for column in columns], axis=-1)
        if "grid" in group.options:
            return _unstack(_parse(columns[0], kind.dtype), records, kind, group.options["grid"])
        if kind.dims == (_record_dimension(group),):
            return _parse(columns[0], kind.dtype)
        vectors = _stack([_parse(text.split(), kind.dtype) for text in columns[0]])
        if len(kind.dims) == vectors.ndim:
            return vectors
        if (vectors != vectors[:1]).any():
            raise ValueError("its vectors are at different places")
        return np.asarray(vectors[0])
    return None


def _record_dimension(group: Group) -> str:
    return str(group.options.get("dimension", "azimuth_time"))


def _parse(texts: list[str], dtype: str) -> Values:
    if dtype == "bool":
        booleans = {"true": True, "false": False, "1": True, "0": False}
        return np.array([booleans[text.strip().lower()] for text in texts])
    if dtype.startswith("datetime64"):
        return _parse_moments([text.strip().removesuffix("Z") for text in texts], dtype)
    if dtype == "str":
        return np.array([text.strip() for text in texts])
    return np.array(texts, np.float64).astype(dtype)


def _parse_moments(texts: list[str], dtype: str) -> Values:
    """Return times; a leap second becomes the next second, as in POSIX and NumPy."""
    seconds = [text.partition(".")[0] for text in texts]
    leap = np.array([text.endswith("23:59:60") for text in seconds])
    if leap.any():
        texts = [text.replace("23:59:60", "23:59:59") for text in texts]
    return np.asarray(np.array(texts, dtype) + leap * np.timedelta64(1, "s"))


def _stack(rows: list[Values]) -> Values:
    """Return vectors as one array; short vectors are filled up."""
    longest = max(len(item) for item in rows)
    if all(len(item) == longest for item in rows):
        return np.stack(rows)
    out = np.full((len(rows), longest), np.nan if rows[0].dtype.kind == "f" else NO_PIXEL)
    for row, values in zip(out, rows, strict=True):
        row[: len(values)] = values
    return out.astype(rows[0].dtype)


def _unstack(values: Values, records: list[Any], kind: Kind, grid: dict[str, str]) -> Values:
    """Order the values of points by line, then pixel; refuse points that do not fill a grid.

    ``grid`` names the two places in a record, rows first, with the dimension for each.
    """
    row, column = (
        np.array([int(record.findtext(place)) for record in records]) for place in grid
    )  # fmt: skip
    rows, columns = np.unique(row), np.unique(column)
    if rows.size * columns.size != row.size:
        raise ValueError(f"{row.size} points instead of {rows.size} by {columns.size}")
    full = values[np.lexsort((column, row))].reshape(rows.size, columns.size)
    row_dimension, _ = grid.values()
    if len(kind.dims) == 1:
        return full[:, 0] if kind.dims[0] == row_dimension else full[0]
    return full


def _enclose(values: Values, kind: Kind) -> xr.Variable:
    encoding = {"dtype": np.dtype(kind.dtype)} if values.dtype.kind in "iuf" else {}
    return xr.Variable(kind.dims, values, dict(kind.attrs), encoding)


def _compute(
    product: SafeProduct, group: Group, variables: dict[str, xr.Variable]
) -> dict[str, xr.Variable]:
    """Return the variables that no document holds, computed from variables of the documents."""
    computed: dict[str, xr.Variable] = {}
    for name, variable in group.variables.items():
        if not variable.source.startswith(COMPUTED):
            continue
        kind = product.mapping.kind_of(group, variable)
        what = variable.source.removeprefix(COMPUTED)
        if what == "axis":
            computed[name] = xr.Variable(kind.dims, ["x", "y", "z"], dict(kind.attrs))
        elif what == "index":
            sizes = {key: size for item in variables.values() for key, size in item.sizes.items()}
            if kind.dims[0] in sizes:
                computed[name] = _enclose(np.arange(sizes[kind.dims[0]], dtype=kind.dtype), kind)
        else:
            image = _open(product, group.options.get("annotation", group.file))
            if image is not None:
                values = _place(image, what, variables | computed)
                computed[name] = _enclose(values.astype(kind.dtype), kind)
    return computed


def _place(image: Document, what: str, variables: dict[str, xr.Variable]) -> Values:
    """Return the image's lines or pixels, the time of each line or the range of each pixel."""
    information = "imageAnnotation/imageInformation"
    if what == "lines":
        return np.arange(int(image.number(f"{information}/numberOfLines")))
    if what == "pixels":
        return np.arange(int(image.number(f"{information}/numberOfSamples")))
    if what == "ground_range":
        spacing = image.number(f"{information}/rangePixelSpacing")
        pixel = variables["pixel"].to_numpy()
        return np.where(pixel == NO_PIXEL, np.nan, pixel * spacing)
    first, last = (
        _parse([image.text(f"{information}/product{which}LineUtcTime")], "datetime64[ns]")[0]
        for which in ("First", "Last")
    )
    gaps = max(int(image.number(f"{information}/numberOfLines")) - 1, 1)
    elapsed = np.rint(variables["line"].to_numpy() * ((last - first).astype(np.int64) / gaps))
    return np.asarray(first + elapsed.astype("timedelta64[ns]"))


def write(folder: SafeFolder, group: Group, data: xr.Dataset) -> None:
    """Append a group's records to its document; make the document if needed. See `formats`."""
    written = {
        name: item
        for name, item in group.variables.items()
        if name in data.variables and not item.source.startswith(COMPUTED)
    }
    if not written:
        return
    path = folder.place(group.file)
    if path.is_file():
        root = etree.parse(path, etree.XMLParser(remove_blank_text=True)).getroot()
    else:
        root = etree.Element(group.options["root"])
    *parents, tag = group.options["records"].partition("|")[0].split("/")
    columns = {
        item.source.partition("|")[0]: _format(
            data, name, folder.mapping.kind_of(group, item), group
        )
        for name, item in written.items()
    }
    _append_records(_reach(root, parents), tag, columns)
    path.write_bytes(
        etree.tostring(root, pretty_print=True, xml_declaration=True, encoding="UTF-8")
    )


def _format(data: xr.Dataset, name: str, kind: Kind, group: Group) -> list[str]:
    """Return the text of each record."""
    values = data[name].to_numpy()
    count = data.sizes[_record_dimension(group)]
    if grid := group.options.get("grid"):
        row_dimension, column_dimension = grid.values()
        shape = (data.sizes[row_dimension], data.sizes[column_dimension])
        if len(kind.dims) == 1:
            values = values[:, None] if kind.dims[0] == row_dimension else values[None]
        values = np.broadcast_to(values, shape).ravel()
    elif kind.dims[0] != _record_dimension(group):
        values = np.broadcast_to(values, (count, *values.shape))
    if values.ndim == 1:
        return [_format_number(value) for value in values]
    empty = np.isnan(values) if values.dtype.kind == "f" else values == NO_PIXEL
    return [
        " ".join(_format_number(item) for item in row[~gaps])
        for row, gaps in zip(values, empty, strict=True)
    ]


def _format_number(value: Any) -> str:
    if isinstance(value, np.bool_):
        return "true" if value else "false"
    if isinstance(value, np.datetime64):
        return str(value.astype("datetime64[us]"))
    if isinstance(value, np.floating):
        return np.format_float_scientific(value, unique=True, exp_digits=2, trim="0")
    return str(value)


def _reach(root: Any, steps: list[str]) -> Any:
    for step in steps:
        inner = root.find(step)
        root = etree.SubElement(root, step) if inner is None else inner
    return root


def _append_records(parent: Any, tag: str, columns: dict[str, list[str]]) -> None:
    """Append an element for each record; lists and vectors get a count attribute."""
    count = len(next(iter(columns.values())))
    for number in range(count):
        record = etree.SubElement(parent, tag)
        for source, texts in columns.items():
            places = source.split()
            parts = texts[number].split() if len(places) > 1 else [texts[number]]
            for place, text in zip(places, parts, strict=True):
                element = _reach(record, place.split("/"))
                element.text = text
                if " " in text:
                    element.set("count", str(len(text.split())))
    parent.set("count", str(len(parent)))
