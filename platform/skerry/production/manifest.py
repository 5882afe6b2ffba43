"""A run's manifest: digests of everything that went in and came out."""

import json
import os
from typing import Any

from skerry.core.digests import digest_bytes
from skerry.core.time import format_time, utc_now
from skerry.models.runs import AttemptOrder
from skerry.storage.run_folder import RunFile, RunFolder


def write_manifest(
    folder: RunFolder,
    order: AttemptOrder,
    outputs: list[dict[str, Any]],
    remark: str | None,
) -> dict[str, Any]:
    """Write the manifest of a finished notebook into the attempt's folder and return it.

    Parameters
    ----------
    remark
        A note on how the notebook ended, such as that it ended itself early.
    """
    manifest = {
        "run": order.run,
        "epoch": order.epoch,
        **order.facts.model_dump(mode="json"),
        "isolation": os.environ.get("SKERRY_ISOLATION", "none"),
        "parameters": order.parameters,
        "inputs": folder.read_json(RunFile.INPUTS) or [],
        "outputs": [{"output": output["output"], "digest": output["digest"]} for output in outputs],
        "executed_notebook_digest": digest_bytes(folder.read(RunFile.EXECUTED) or b""),
        "remark": remark,
        "written": format_time(utc_now()),
    }
    folder.write(RunFile.MANIFEST, json.dumps(manifest, indent=1, sort_keys=True))
    return manifest
