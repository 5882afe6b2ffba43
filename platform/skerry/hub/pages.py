"""The hub's pages in the platform's look: templates that replace JupyterHub's, with values."""

from importlib.resources import files
from pathlib import Path
from typing import Any

from skerry.core.disk import find_full_disk
from skerry.core.hub_settings import HubSettings

_LOOK = Path(str(files("skerry.core.look")))
_TEMPLATES = Path(__file__).parent / "templates"


def set_pages(config: Any, settings: HubSettings) -> None:
    """Put our templates before JupyterHub's, with the account and the place of its password.

    A hub that asks other servers would fail offline, so no announcement is fetched.
    """
    set_look(config)
    config.JupyterHub.template_vars = {
        "announcement": "",
        "owner": settings.owner,
        "password_file": "" if settings.sign_on else str(settings.password_file),
        "disk_trouble": lambda _user: _describe_full_disk(settings.database.parent),
    }


def set_look(config: Any) -> None:
    """Give the hub's pages the look that the dashboards have."""
    config.JupyterHub.logo_file = str(_LOOK / "icon.svg")
    config.JupyterHub.template_paths = [str(_TEMPLATES), str(_LOOK)]


def _describe_full_disk(folder: Path) -> str:
    """Return the message for a full disk, else an empty text: the hub then knows no token."""
    full = find_full_disk(folder)
    return str(full) if full is not None else ""
