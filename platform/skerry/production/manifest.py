"""A run's manifest: digests of everything that went in and came out."""

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


def write_manifest(
    order: AttemptOrder, outputs: list[dict[str, Any]], remark: str | None
) -> dict[str, Any]:
    """Write the manifest of a finished notebook into the attempt's folder and return it.

    Parameters
    ----------
    remark
        A note on how the notebook ended, such as that it ended itself early.
    """
    recorded = order.folder / "inputs.json"
    manifest = {
        "run": order.run,
        "epoch": order.epoch,
        **order.manifest,
        "parameters": order.parameters,
        "inputs": json.loads(recorded.read_text()) if recorded.is_file() else [],
        "outputs": [{"output": output["output"], "digest": output["digest"]} for output in outputs],
        "executed_notebook_digest": digest_file(order.folder / EXECUTED),
        "remark": remark,
        "written": format_time(utc_now()),
    }
    write_aside(order.folder / MANIFEST, json.dumps(manifest, indent=1, sort_keys=True))
    return manifest
