"""The registry of processors: ours and those of other packages, by name.

A processor is a plain function under a declaration::

    @processor(
        name="ndci",
        version="1.0.0",
        inputs=[VariableInput("red", "1", "Reflectance near 665 nm", sources={...}), ...],
        outputs=[Output("ndci", "1", "Normalized difference chlorophyll index")],
        citation="Mishra and Mishra 2012, doi:10.1016/j.rse.2011.10.016",
    )
    def ndci(red, red_edge, *, minimum_reflectance: Annotated[float, Field(ge=0, le=1)] = 0.0): ...

Called as a function it takes what its signature says. ``get_processor("ndci").apply(tree)`` takes
the inputs from a product. A package offers its own under the entry point `skerry.processors`::

    [project.entry-points."skerry.processors"]
    my_index = "my_package.my_module:my_index"
"""

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import wraps
from importlib.metadata import EntryPoint, entry_points
from types import MappingProxyType
from typing import Any

import xarray as xr
from pydantic import BaseModel

from skerry.core.errors import InvalidInputError, NotFoundError
from skerry.processors.declarations import Input, Output
from skerry.processors.parameters import (
    check_parameters,
    describe_parameters,
    parse_parameters,
    read_parameters,
)
from skerry.processors.selection import name_type, select_inputs

GROUP = "skerry.processors"
"""Entry-point group in which packages name their processors."""

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Processor:
    """A function and what it declares.

    Attributes
    ----------
    name, version
        What a payload, a manifest and a product's history call it.
    function
        The function as it was decorated.
    inputs, outputs
        What goes in and comes out.
    citation
        The source: paper or specification, with equation.
    summary
        First line of the function's docstring.
    remarks
        Product type to what results from such a product say of themselves (``comment``).
    """

    name: str
    version: str
    function: Callable[..., Any]
    inputs: tuple[Input, ...]
    outputs: tuple[Output, ...]
    citation: str
    summary: str
    model: type[BaseModel] = field(repr=False)
    remarks: Mapping[str, str] = field(default_factory=dict)

    @property
    def schema(self) -> dict[str, Any]:
        """JSON Schema of the parameters."""
        return describe_parameters(self.model)

    def check(self, parameters: Mapping[str, Any]) -> dict[str, Any]:
        """Return all parameters, defaults included; raises `InvalidInputError`."""
        return check_parameters(self.model, parameters)

    def parse(self, texts: Mapping[str, str]) -> dict[str, Any]:
        """Return all parameters from texts of a command line; raises `InvalidInputError`."""
        return parse_parameters(self.model, texts)

    def apply(
        self,
        *products: xr.DataTree,
        auxiliary: Mapping[str, Mapping[str, bytes]] | None = None,
        **parameters: Any,
    ) -> xr.Dataset | xr.DataTree:
        """Run the function on what it needs of the products.

        Parameters
        ----------
        products
            One product, or several where the declaration says so.
        auxiliary
            Name of each declared auxiliary input to its files.
        parameters
            Parameters that differ from their defaults.

        Returns
        -------
        xarray.Dataset or xarray.DataTree
            As lazy as the products; a tree if the outputs are on several grids. Variables keep
            the grid mapping of their inputs; the declaration's remark on the product's type is
            added to their comments.

        Raises
        ------
        InvalidInputError
            If a product lacks an input or is of a type that the processor does not know, or a
            parameter is not acceptable.
        """
        checked = self.check(parameters)
        selected = select_inputs(products, self.inputs, auxiliary or {}, processor=self.name)
        result = self.function(**selected, **checked)
        if isinstance(result, xr.DataTree):
            return result
        data = result.to_dataset(promote_attrs=False) if _is_array(result) else result
        remark = self.remarks.get(name_type(products[0]))
        for variable in data.data_vars.values():
            if remark:
                variable.attrs["comment"] = f"{variable.attrs.get('comment', '')} {remark}".strip()
            if "spatial_ref" in data.coords and {"y", "x"} <= set(variable.dims):
                variable.encoding.setdefault("grid_mapping", "spatial_ref")
        return data  # type: ignore[no-any-return]


_DECLARED: dict[Callable[..., Any], Processor] = {}


def processor[**P, R](
    *,
    name: str,
    version: str,
    inputs: Sequence[Input],
    outputs: Sequence[Output],
    citation: str,
    remarks: Mapping[str, str] = MappingProxyType({}),
) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Declare a function as a processor; it stays a function, with its parameters checked.

    The arguments are the attributes of `Processor`.

    Raises
    ------
    TypeError
        If the signature does not fit the declaration.
    """

    def declare(function: Callable[P, R]) -> Callable[P, R]:
        names = [item.name for item in inputs]
        model = read_parameters(function, names, name=name)

        @wraps(function)
        def checked(*args: P.args, **kwargs: P.kwargs) -> R:
            parameters = {key: item for key, item in kwargs.items() if key not in names}
            kwargs.update(check_parameters(model, parameters))
            return function(*args, **kwargs)

        summary = (function.__doc__ or "").strip().partition("\n")[0].replace("`", "")
        _DECLARED[checked] = Processor(
            name,
            version,
            checked,
            tuple(inputs),
            tuple(outputs),
            citation,
            summary,
            model,
            remarks,
        )
        return checked

    return declare


def describe_processor(function: Callable[..., Any]) -> Processor:
    """Return the declaration of a decorated function.

    Raises
    ------
    InvalidInputError
        If it was not decorated.
    """
    if function not in _DECLARED:
        raise InvalidInputError(
            f"{function!r:.100} is not a processor.",
            remedy="Decorate it with skerry.processors.registry.processor.",
        )
    return _DECLARED[function]


def list_processors() -> list[Processor]:
    """Return the processors of all installed packages, by name; broken ones are logged."""
    processors, broken = read_entry_points()
    for name, reason in broken.items():
        log.warning("The processor %s cannot be used: %s", name, reason)
    return [processors[name] for name in sorted(processors)]


def get_processor(name: str) -> Processor:
    """Return one processor.

    Raises
    ------
    NotFoundError
        If no installed package offers it.
    InvalidInputError
        If the package that offers it is broken. The message says how.
    """
    processors, broken = read_entry_points()
    if name in processors:
        return processors[name]
    if name in broken:
        raise InvalidInputError(
            f"The processor {name!r} cannot be used: {broken[name]}",
            remedy="Mend or remove the package that offers it.",
        )
    raise NotFoundError(
        f"There is no processor {name!r}.", remedy=f"There are: {', '.join(sorted(processors))}."
    )


def read_entry_points() -> tuple[dict[str, Processor], dict[str, str]]:
    """Return the processors by name, and why others cannot be used.

    A name that two packages offer is the one of Skerry, else of the first; the other is broken.
    """
    processors: dict[str, Processor] = {}
    broken: dict[str, str] = {}
    # Ours first: a plugin cannot replace a processor that others rely on.
    for point in sorted(entry_points(group=GROUP), key=lambda item: not _is_ours(item)):
        try:
            loaded = describe_processor(point.load())
        # A plugin's import may raise anything; it must not take the others with it.
        except Exception as error:  # noqa: BLE001
            broken[point.name] = f"{point.value}: {type(error).__name__}: {error}"
            continue
        if loaded.name != point.name:
            broken[point.name] = f"{point.value} calls itself {loaded.name!r}."
        elif point.name in processors:
            broken[f"{point.name} ({point.value})"] = "Another package offers this name."
        else:
            processors[point.name] = loaded
    return processors, broken


def _is_ours(point: EntryPoint) -> bool:
    return point.value.startswith("skerry.")


def _is_array(value: object) -> bool:
    return isinstance(value, xr.DataArray)
