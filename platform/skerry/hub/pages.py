"""The hub's own pages in the platform's look: templates over JupyterHub's, and what they say."""

from importlib.resources import files
from pathlib import Path
from typing import Any

from skerry.core.disk import find_full_disk
from skerry.core.hub_settings import HubSettings

_LOOK = Path(str(files("skerry.core.look")))
_TEMPLATES = Path(__file__).parent / "templates"


def set_pages(config: Any, settings: HubSettings) -> None:
    """Put our templates before JupyterHub's, and tell them who logs in and where the password is.

    A hub that phones home or asks a content network would fail offline: no announcement is
    fetched.
    """
    config.JupyterHub.logo_file = str(_LOOK / "icon.svg")
    config.JupyterHub.template_paths = [str(_TEMPLATES), str(_LOOK)]
    config.JupyterHub.template_vars = {
        "announcement": "",
        "owner": settings.owner,
        "password_file": str(settings.password_file),
        "disk_trouble": lambda _user: _describe_full_disk(settings.database.parent),
    }


def _describe_full_disk(folder: Path) -> str:
    """Return what a full disk is called, empty where it is not: the hub then forgets everybody."""
    full = find_full_disk(folder)
    return str(full) if full is not None else ""
