"""The page of an attempt: its executed notebook as one HTML file, with a head that names it."""

import html
from functools import cache
from typing import TYPE_CHECKING, Any

from skerry.core.time import format_time, utc_now
from skerry.models.runs import AttemptOrder
from skerry.storage.run_folder import RunFile, RunFolder

if TYPE_CHECKING:
    from nbconvert import HTMLExporter


def write_notebook(
    folder: RunFolder, order: AttemptOrder, notebook: dict[str, Any], status: str
) -> None:
    """Write the executed notebook, and its page, which loads nothing from other addresses.

    Parameters
    ----------
    folder
        The attempt's own folder.
    order
        The attempt.
    notebook
        nbformat JSON with the outputs of the cells that were executed.
    status
        How the notebook ended, as a sentence.
    """
    import nbformat

    text: str = nbformat.writes(notebook)  # type: ignore[no-untyped-call]
    folder.write(RunFile.EXECUTED, text)
    title = f"{order.facts.job}, attempt {order.epoch} of the run {order.run}"
    headed = {**notebook, "cells": [_head(order, status), *notebook["cells"]]}
    body, _ = load_exporter().from_notebook_node(
        nbformat.from_dict(headed),  # type: ignore[no-untyped-call]
        resources={"metadata": {"name": title}},
    )
    folder.write(RunFile.PAGE, body)


@cache
def load_exporter() -> "HTMLExporter":
    """Return what makes pages; its library takes a second to import."""
    from nbconvert import HTMLExporter

    return HTMLExporter(  # type: ignore[no-untyped-call]
        template_name="lab",
        embed_images=True,
        mathjax_url="",
        require_js_url="",
        jquery_url="",
        widget_renderer_url="",
        mermaid_js_url="",
    )


@cache
def prepare_pages() -> None:
    """Make a page that nobody sees: the first takes half a second longer than those after it."""
    import nbformat

    outputs = [
        {"output_type": "stream", "name": "stdout", "text": "1\n"},
        {"output_type": "error", "ename": "E", "evalue": "e", "traceback": ["\x1b[31mE\x1b[0m: e"]},
    ]
    code = {"id": "code", "source": "print(1)", "outputs": outputs, "execution_count": 1}
    cells = [
        {"cell_type": "markdown", "id": "text", "source": "# <b>1</b>", "metadata": {}},
        {"cell_type": "code", "metadata": {}, **code},
    ]
    notebook = {"nbformat": 4, "nbformat_minor": 5, "metadata": {}, "cells": cells}
    load_exporter().from_notebook_node(
        nbformat.from_dict(notebook)  # type: ignore[no-untyped-call]
    )


def _head(order: AttemptOrder, status: str) -> dict[str, Any]:
    rows = {
        "Status": status,
        "Job": order.facts.job,
        "Run": order.run,
        "Attempt": order.epoch,
        "Occurrence": order.facts.occurrence,
        "Data day": order.facts.data_day,
        "Release": f"{order.facts.release_name} {order.facts.release}",
        "Written": format_time(utc_now()),
    }
    table = "".join(
        f"<tr><th style='text-align:left'>{name}</th>"
        f"<td style='text-align:left'>{html.escape(str(value))}</td></tr>"
        for name, value in rows.items()
    )
    return {
        "cell_type": "markdown",
        "id": "about-this-attempt",
        "metadata": {},
        "source": f"<table>{table}</table>",
    }
