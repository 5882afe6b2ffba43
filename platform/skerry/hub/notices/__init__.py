"""Notices in JupyterLab before a limit of the server bites: memory, disk, no use.

A server extension of Jupyter, which says what is short, and an extension of JupyterLab, which
shows it. The first also sees to it that a kernel at work counts as use. `JUPYTER_FOLDER` holds what
makes Jupyter find both.
"""

from pathlib import Path
from typing import Any

JUPYTER_FOLDER = Path(__file__).parent / "jupyter"


def find_extensions(config_path: str, data_path: str) -> dict[str, str]:
    """Return the variables by which Jupyter finds these extensions.

    Parameters
    ----------
    config_path, data_path
        `JUPYTER_CONFIG_PATH` and `JUPYTER_PATH` as they are; empty if they are not set.
    """
    config, data = str(JUPYTER_FOLDER / "config"), str(JUPYTER_FOLDER / "data")
    return {
        "JUPYTER_CONFIG_PATH": ":".join(filter(None, [config_path, config])),
        "JUPYTER_PATH": ":".join(filter(None, [data_path, data])),
    }


def _jupyter_server_extension_points() -> list[dict[str, str]]:
    return [{"module": "skerry.hub.notices"}]


def _load_jupyter_server_extension(server: Any) -> None:
    from skerry.hub.notices.activity import follow_kernels
    from skerry.hub.notices.handler import add_handler

    add_handler(server.web_app)
    follow_kernels(server)
