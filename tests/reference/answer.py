"""Answer the tests' questions to CPM and satpy, one after the other, in one process.

Importing either takes seconds. Each line of standard input asks one question: JSON with `module`
(beside this one), `function`, `arguments` and `arrays`, a file for an answer that is a dictionary
of arrays. Each line of standard output answers it: JSON with `value`, or with `error`.

Run with the reference environment's Python.
"""

import json
import os
import sys
import traceback
import warnings
from importlib import import_module
from typing import Any

import numpy as np
import rasterio  # noqa: F401 -- before netCDF4, beside which it crashes when imported later


def answer(question: dict[str, Any]) -> dict[str, Any]:
    """Call what is asked for."""
    try:
        ask = getattr(import_module(question["module"]), question["function"])
        value = ask(**question["arguments"])
        if isinstance(value, dict) and all(isinstance(item, np.ndarray) for item in value.values()):
            np.savez(question["arrays"], **value)
            value = None
    except Exception:  # noqa: BLE001 -- whatever it is, the test that asked shall show it
        return {"error": traceback.format_exc()}
    return {"value": value}


def main() -> None:
    # What libraries print must not come between the answers.
    replies = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    warnings.simplefilter("ignore")
    for line in sys.stdin:
        replies.write(json.dumps(answer(json.loads(line))) + "\n")
        replies.flush()


if __name__ == "__main__":
    main()
