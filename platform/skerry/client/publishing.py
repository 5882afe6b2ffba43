"""`skerry.publish`: a dataset becomes a catalogued product.

In a run the product is staged in the run's own folder, and the run publishes it when the whole
notebook has succeeded. In a person's session it goes to their sandbox collection at once.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime as Datetime  # noqa: N812 - the parameter is called datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from skerry.client.collections import ensure_collection
from skerry.client.descriptions import (
    PRODUCT_FOLDER,
    THUMBNAIL,
    describe_item,
    title_product,
)
from skerry.client.grants import grant_writing
from skerry.client.inputs import find_run_folder, list_inputs
from skerry.client.references import ItemReference, fetch_item, parse_reference
from skerry.client.registration import register_folder
from skerry.client.session import Session, connect
from skerry.core.errors import ConflictError, InvalidInputError
from skerry.core.ids import check_name
from skerry.core.time import format_time, parse_time
from skerry.models.grants import Purpose
from skerry.products.grids import describe_grid, north_up
from skerry.storage.run_folder import RunFolder

if TYPE_CHECKING:
    import pystac
    import xarray as xr

_MODIFIED = "Contains modified "
_INHERITED = ("platform", "constellation", "instruments", "grid:code")


@dataclass(frozen=True)
class Draft:
    """A product about to be published.

    Attributes
    ----------
    dataset
        Its variables.
    output
        The output's name.
    facts
        STAC properties that do not depend on the bytes.
    quicklook
        Variable name, figure or None.
    sources
        Its source items.
    url
        The platform's public address.
    """

    dataset: xr.Dataset
    output: str
    facts: Mapping[str, Any]
    quicklook: Any
    sources: list[ItemReference]
    url: str

    def write(self, folder: Path) -> dict[str, Any]:
        """Write product and quicklook into a folder; return the footprint."""
        import dask.config
        import dask.threaded

        from skerry.products.geozarr.writing import read_written, write_geozarr
        from skerry.products.pictures.footprints import footprint

        folder.mkdir(parents=True, exist_ok=True)
        write_geozarr(self.dataset, folder / PRODUCT_FOLDER)
        product = read_written(self.dataset, folder / PRODUCT_FOLDER)
        # What was just written is in this folder, wherever a cluster is; and to look for a cluster
        # Dask would import all of distributed first.
        with dask.config.set(scheduler=dask.threaded.get):
            self._draw(product.to_dataset(), folder / THUMBNAIL)
            return footprint(product)

    def describe(
        self,
        folder: Path,
        prefix: str,
        reference: ItemReference,
        geometry: Mapping[str, Any],
        more: Mapping[str, Any],
    ) -> dict[str, Any]:
        """Return the STAC item of the written folder."""
        return describe_item(
            folder,
            prefix,
            reference=reference,
            geometry=geometry,
            properties={
                **self.facts,
                **describe_grid(north_up(self.dataset)),  # as it is written
                **more,
                "skerry:output": self.output,
            },
            drawn_first=self._drawn_first,
            derived_from=self.sources,
            url=self.url,
        )

    def _draw(self, written: xr.Dataset, path: Path) -> None:
        from skerry.products.pictures.quicklook import caption_file, write_quicklook

        if hasattr(self.quicklook, "savefig"):
            metadata = {"Title": self.facts["title"]}
            self.quicklook.savefig(path, dpi=96, bbox_inches="tight", metadata=metadata)
            if self.facts["skerry:simulated"]:
                caption_file(path)
        else:
            write_quicklook(written, path, drawn_first=self._drawn_first)

    @property
    def _drawn_first(self) -> list[str]:
        """The variable of the quicklook, then all in the author's order; files keep none."""
        names = [self.quicklook] if isinstance(self.quicklook, str) else []
        return [*names, *map(str, self.dataset.data_vars)]


def publish(
    dataset: xr.Dataset | xr.DataArray,
    *,
    output: str,
    title: str | None = None,
    description: str | None = None,
    quicklook: str | Any = None,
    variables: Mapping[str, Mapping[str, Any]] | None = None,
    derived_from: Iterable[str | pystac.Item] | None = None,
    datetime: Datetime | str | None = None,
    session: Session | None = None,
) -> pystac.Item:
    """Publish gridded variables as one product.

    Parameters
    ----------
    dataset
        Variables with dims ``(y, x)``, coordinates of pixel centres and a CRS (``spatial_ref``).
        Dask arrays are computed where their cluster is.
    output
        The output's name: part of the item's id, unique within a run.
    title, description
        For people; ``Simulated:`` is put before the title when a source is simulated.
    quicklook
        The name of the variable to draw, or a matplotlib figure; the first variable when None.
    variables
        Variable name to attributes that maps and readers need: ``long_name``, ``units``,
        ``display_min``, ``display_max`` (the range that is coloured), ``colormap``.
    derived_from
        The source items. In a run, when None, all items that the run opened.
    datetime
        The data time; the newest source's when None.
    session
        The session to use; by default this process's own.

    Returns
    -------
    pystac.Item
        In a run the staged item (it appears in the catalogue when the run has succeeded), else
        the item in the collection ``sandbox-<user>``.

    Raises
    ------
    InvalidInputError
        If the dataset has no CRS, no valid pixel or no data time, or a name is not usable.
    ConflictError
        If this run has published that output already.
    """
    import pystac

    check_name(output, what="output name")
    names = [quicklook] if isinstance(quicklook, str) else []
    gridded = _read_dataset(dataset, [*(variables or {}), *names])
    session = session or connect()
    records = _fetch_sources(session, derived_from)
    facts = _gather_facts(records, output, datetime)
    simulated = facts["skerry:simulated"]
    facts["title"] = title_product(title or output, simulated=simulated)
    if description:
        facts["description"] = description
    draft = Draft(
        dataset=_prepare(gridded, variables or {}, facts),
        output=output,
        facts=facts,
        quicklook=quicklook,
        sources=[parse_reference(record) for record in records],
        url=session.url,
    )
    folder = find_run_folder(session)
    item = _publish_sandbox(draft, session) if folder is None else _stage(draft, folder)
    return pystac.Item.from_dict(item)


def _fetch_sources(
    session: Session, derived_from: Iterable[str | pystac.Item] | None
) -> list[dict[str, Any]]:
    if derived_from is None:
        references = [item.reference for item in list_inputs(session)]
    else:
        references = [parse_reference(item) for item in derived_from]
    return [fetch_item(session, reference) for reference in references]


def _gather_facts(
    sources: list[dict[str, Any]], output: str, datetime: Datetime | str | None
) -> dict[str, Any]:
    """Return the properties of the new item: its own, and those from its sources."""
    properties = [source["properties"] for source in sources]
    if datetime is None:
        ends = [item.get("datetime") or item.get("end_datetime") for item in properties]
        times = [end for end in ends if end]
        if not times:
            raise InvalidInputError(
                f"Output {output!r} has no data time.",
                remedy="Name its sources (derived_from=) or its time (datetime=).",
            )
        datetime = max(parse_time(moment) for moment in times)
    elif isinstance(datetime, str):
        datetime = parse_time(datetime)
    facts: dict[str, Any] = {
        "datetime": format_time(datetime),
        "skerry:simulated": any(item.get("skerry:simulated") for item in properties),
    }
    for name in _INHERITED:
        values = [item[name] for item in properties if name in item]
        if values and all(value == values[0] for value in values):
            facts[name] = values[0]
    providers = [provider for item in properties for provider in item.get("providers") or []]
    if providers:
        credited = {_credit(str(item.get("name", ""))): item for item in providers}
        facts["providers"] = [{**item, "name": name} for name, item in credited.items()]
    return facts


def _credit(name: str) -> str:
    """Return a provider of source data as a provider of the derived product."""
    return name if name.startswith(_MODIFIED) else _MODIFIED + name


def _read_dataset(dataset: xr.Dataset | xr.DataArray, names: Iterable[str]) -> xr.Dataset:
    """Return a dataset; refuse it if it lacks one of the named variables."""
    import xarray as xr

    if isinstance(dataset, xr.DataArray):
        dataset = dataset.to_dataset(name=dataset.name or "data")
    unknown = sorted(set(names) - set(map(str, dataset.data_vars)))
    if unknown:
        raise InvalidInputError(
            f"The dataset has no variable {', '.join(map(repr, unknown))}.",
            remedy=f"Its variables are {', '.join(map(str, dataset.data_vars))}.",
        )
    return dataset


def _prepare(
    dataset: xr.Dataset,
    variables: Mapping[str, Mapping[str, Any]],
    facts: Mapping[str, Any],
) -> xr.Dataset:
    """Return the dataset for writing: north up, with attributes and a title of its own."""
    from skerry.products.grids import north_up

    prepared = north_up(dataset).copy()
    for name, attributes in variables.items():
        prepared[name].attrs.update(attributes)
    prepared.attrs = {
        "title": facts["title"],
        "simulated": facts["skerry:simulated"],
        "stac_discovery": {"type": "Feature", "properties": dict(facts)},
        "other_metadata": {
            "missing": [],
            "simulated": facts["skerry:simulated"],
            "title": facts["title"],
        },
    }
    return prepared


def _stage(draft: Draft, run_folder: RunFolder) -> dict[str, Any]:
    """Write the product below the run's folder, and last the record that says it is complete."""
    if run_folder.has_output(draft.output):
        raise ConflictError(
            f"This run has published the output {draft.output!r} already.",
            remedy="Give each output of a notebook another name.",
        )
    # An unfinished call may have left a product there.
    with run_folder.replace_product(draft.output) as folder:
        geometry = draft.write(folder)
        # The platform gives the item its collection and its id when it publishes the run.
        item = draft.describe(
            folder,
            run_folder.name_product(draft.output),
            ItemReference("run", draft.output),
            geometry,
            {"skerry:run": run_folder.run},
        )
    digest = item["properties"]["skerry:digest"]
    record = {"output": draft.output, "item": item, "digest": digest}
    run_folder.record_output(draft.output, record)
    return item


def _publish_sandbox(draft: Draft, session: Session) -> dict[str, Any]:
    """Write under a write grant and register in the person's own collection.

    The same output of the same data time takes the place of the earlier one.
    """
    collection = f"sandbox-{session.user}"
    ensure_collection(session, collection, title=f"Sandbox of {session.user}")
    moment = parse_time(draft.facts["datetime"])
    reference = ItemReference(collection, f"{draft.output}-{moment:%Y%m%dT%H%M%SZ}")
    with register_folder(session, grant_writing(session, Purpose.SANDBOX)) as registration:
        grant = registration.grant
        with grant.objects.filling(grant.prefix) as folder:
            geometry = draft.write(folder)
            item = draft.describe(folder, grant.prefix, reference, geometry, {})
        return registration.register(item, replace=True)
