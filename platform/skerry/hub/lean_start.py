"""Start a Jupyter program two seconds sooner: ``python -m skerry.hub.lean_start MODULE [ARGS]``.

For formats that Jupyter's schemas do not use, jsonschema imports `rfc3987_syntax` when it is
there (JupyterLab brings it), and that builds a grammar at import. Named as absent, it is not.
"""

import runpy
import sys


def start_module(module: str) -> None:
    """Run a module as the main program, with the command line that follows its name."""
    sys.modules.setdefault("rfc3987_syntax", None)  # type: ignore[arg-type]
    runpy.run_module(module, run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    del sys.argv[0]
    start_module(sys.argv[0])
