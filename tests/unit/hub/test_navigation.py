"""Every page of the platform leads to every dashboard, also those that the hub shows."""

import json
from pathlib import Path

import pytest

import skerry
from skerry.core.settings import DASHBOARDS_PREFIX
from skerry.dashboards.templating import NAVIGATION

HUB = Path(skerry.__file__).parent / "hub"


@pytest.mark.parametrize("name", ["page.html", "gateway.html", "home.html"])
@pytest.mark.parametrize(("path", "title"), NAVIGATION)
def test_pages_of_the_hub_lead_to_every_dashboard(name: str, path: str, title: str) -> None:
    page = (HUB / "templates" / name).read_text()
    assert f'<a href="{DASHBOARDS_PREFIX}/{path}">{title}</a>' in page


def test_the_menu_in_jupyterlab_leads_to_every_dashboard() -> None:
    settings = json.loads(
        (HUB / "lab" / "labconfig" / "default_setting_overrides.json").read_text()
    )
    [menu] = settings["@jupyterlab/mainmenu-extension:plugin"]["menus"]
    shown = [
        (each["args"]["url"], each["args"]["text"]) for each in menu["items"] if "args" in each
    ]
    for path, title in NAVIGATION:
        assert (f"{DASHBOARDS_PREFIX}/{path}", title) in shown
