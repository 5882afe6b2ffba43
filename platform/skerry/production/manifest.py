"""A run's manifest: digests of everything that went in and came out. And its HTML page."""

import json
from pathlib import Path
from typing import Any

from skerry.core.digests import digest_file
from skerry.core.time import format_time, utc_now
from skerry.production.orders import AttemptOrder
from skerry.storage.writing import write_aside

EXECUTED = "executed.ipynb"
PAGE = "executed.html"
MANIFEST = "manifest.json"
LOG = "log.txt"


def read_outputs(folder: Path) -> list[dict[str, Any]]:
    """Return what the notebook staged with `skerry.publish`, sorted by output name."""
    return [json.loads(path.read_text()) for path in sorted((folder / "outputs").glob("*.json"))]


def write_manifest(order: AttemptOrder, outputs: list[dict[str, Any]]) -> dict[str, Any]:
    """Write the manifest of a finished notebook into the attempt's folder and return it."""
    recorded = order.folder / "inputs.json"
    manifest = {
        "run": order.run,
        "epoch": order.epoch,
        **order.manifest,
        "parameters": order.parameters,
        "inputs": json.loads(recorded.read_text()) if recorded.is_file() else [],
        "outputs": [{"output": output["output"], "digest": output["digest"]} for output in outputs],
        "executed_notebook_digest": digest_file(order.folder / EXECUTED),
        "written": format_time(utc_now()),
    }
    write_aside(order.folder / MANIFEST, json.dumps(manifest, indent=1, sort_keys=True))
    return manifest


def write_page(folder: Path) -> None:
    """Write the executed notebook as one HTML file that loads nothing from elsewhere."""
    from nbconvert import HTMLExporter

    exporter = HTMLExporter(  # type: ignore[no-untyped-call]
        template_name="lab",
        embed_images=True,
        mathjax_url="",
        require_js_url="",
        jquery_url="",
        widget_renderer_url="",
        mermaid_js_url="",
    )
    body, _ = exporter.from_filename(str(folder / EXECUTED))
    write_aside(folder / PAGE, body)
