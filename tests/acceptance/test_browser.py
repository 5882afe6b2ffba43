"""The platform through a real browser: login, JupyterLab, the notebook by hand, pages and map."""

import io
import json
import math
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
from PIL import Image
from playwright.sync_api import Browser, BrowserContext, Page, expect, sync_playwright
from tests.acceptance.browsing import SIZE, Watch, fill_login, keep, launch, sign_in
from tests.conftest import find_chromium
from tests.platform_process import RunningPlatform, wait_until

pytestmark = [pytest.mark.browser, pytest.mark.timeout(900)]

ROOT = Path(__file__).parents[2]
NOTEBOOK = Path("production/s2_water_quality.ipynb")
PAGES = "/services/dashboards"
SLOW_MS = 60_000
CELL_MS = 180_000
KEPT = {"cluster": "skerry.cluster(", "figure": "plt.show()", "published": "skerry.publish("}
expect.set_options(timeout=30_000)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Run the installed Chromium while this module lasts."""
    executable = find_chromium()
    assert executable is not None
    with sync_playwright() as playwright:
        chromium = launch(playwright, executable)
        yield chromium
        chromium.close()


@pytest.fixture(scope="module")
def context(browser: Browser, platform: RunningPlatform) -> Iterator[BrowserContext]:
    """Return a browser in which the owner is logged in."""
    context = browser.new_context(viewport=SIZE, base_url=platform.url, accept_downloads=True)
    context.set_default_timeout(SLOW_MS)
    sign_in(context, platform)
    yield context
    context.close()


@pytest.fixture
def watch(platform: RunningPlatform) -> Iterator[Watch]:
    """Watch the test's pages; their errors fail it at its end."""
    watch = Watch(platform.url)
    yield watch
    watch.check()


@pytest.fixture
def page(context: BrowserContext, watch: Watch) -> Iterator[Page]:
    """Return a new page of the owner's browser."""
    page = context.new_page()
    watch.follow(page)
    yield page
    page.close()


def test_a_wrong_password_is_refused(
    browser: Browser, platform: RunningPlatform, watch: Watch
) -> None:
    with browser.new_context(viewport=SIZE) as context:
        page = context.new_page()
        watch.follow(page)
        # Chromium notes every answer of 4xx on its console, and 403 is the right answer here.
        watch.allowed.append(r"status of 403.*/hub/login")
        fill_login(page, platform, "not-the-password")
        expect(page.get_by_text("Invalid username or password")).to_be_visible()
        keep(page, "login-refused")
        page.goto(f"{platform.url}{PAGES}/runs")
        expect(page.get_by_role("button", name="Sign in")).to_be_visible()


@pytest.mark.long
def test_pages_lead_through_login_and_back(
    browser: Browser, platform: RunningPlatform, watch: Watch
) -> None:
    with browser.new_context(viewport=SIZE) as context:
        page = context.new_page()
        watch.follow(page)
        page.goto(f"{platform.url}{PAGES}/runs")
        keep(page, "login")
        page.get_by_label("Username").fill(platform.user)
        page.get_by_label("Password").fill(platform.password)
        page.get_by_role("button", name="Sign in").click()
        expect(page.get_by_role("heading", name="Run history")).to_be_visible()
        assert page.url == f"{platform.url}{PAGES}/runs"
        token = platform.token
        assert token not in page.content()
        assert "service-dashboards" not in page.evaluate("document.cookie")


def test_jupyterlab_opens(page: Page) -> None:
    page.goto("/hub/spawn")
    expect(page.locator(".jp-Launcher")).to_be_visible(timeout=SLOW_MS)
    expect(page.get_by_role("listitem", name=re.compile("^Name: production"))).to_be_visible()
    keep(page, "jupyterlab")


def test_production_notebook_runs_cell_by_cell(page: Page, platform: RunningPlatform) -> None:
    cells = json.loads((ROOT / "notebooks" / NOTEBOOK).read_text())["cells"]
    page.goto(f"/user/{platform.user}/lab/tree/{NOTEBOOK}")
    expect(page.locator(".jp-Notebook .jp-Cell").first).to_be_visible(timeout=SLOW_MS)
    expect(page.locator("#jp-main-statusbar").get_by_text("| Idle")).to_be_visible()
    page.locator(".jp-Notebook .jp-Cell").first.click()
    page.keyboard.press("Escape")
    for cell in cells:
        run_cell(page, cell)
        source = "".join(cell["source"])
        if "skerry.cluster(" in source:
            assert list_clusters(platform), "the notebook computes on a cluster of the gateway"
        for name, call in KEPT.items():
            if call in source:
                output = page.locator(".jp-Notebook .jp-Cell.jp-mod-active .jp-OutputArea-child")
                output.last.scroll_into_view_if_needed()
                keep(page, f"notebook-{name}")
        page.keyboard.press("ArrowDown")
    item = find_newest(platform, f"sandbox-{platform.user}")
    assert set(item["properties"]["skerry:variables"]) == {"turbidity", "ndci"}
    wait_until(lambda: not list_clusters(platform), 60, "the notebook's cluster is gone")


def run_cell(page: Page, cell: dict[str, Any]) -> None:
    """Run the active cell in place and wait for its end; its output holds no error."""
    active = page.locator(".jp-Notebook .jp-Cell.jp-mod-active")
    expect(active).to_have_count(1)
    page.keyboard.press("Control+Enter")
    if cell["cell_type"] != "code":
        return
    prompt = active.locator(".jp-InputArea-prompt").first
    expect(prompt).to_have_text(re.compile(r"\[\d+\]:"), timeout=CELL_MS)
    error = active.locator('[data-mime-type="application/vnd.jupyter.error"]')
    assert error.count() == 0, error.first.inner_text()


def list_clusters(platform: RunningPlatform) -> dict[str, Any]:
    """Return the owner's clusters at the gateway."""
    with platform.http() as client:
        answer = client.get(
            "/services/dask-gateway/api/v1/clusters/",
            headers={"Authorization": f"jupyterhub {platform.token}"},
        )
    clusters: dict[str, Any] = answer.raise_for_status().json()
    return clusters


def find_newest(platform: RunningPlatform, collection: str) -> dict[str, Any]:
    """Return a collection's newest item."""
    with platform.http(platform.token) as client:
        answer = client.get("/services/api/stac/search", params={"collections": collection})
    items = answer.raise_for_status().json()["features"]
    newest: dict[str, Any] = max(items, key=lambda item: str(item["properties"]["created"]))
    return newest


def test_runs_page_shows_the_demo(page: Page, demo_item: dict[str, Any]) -> None:
    page.goto(f"{PAGES}/runs")
    row = page.get_by_role("row").filter(has_text="demo-water-quality").filter(has_text="succeeded")
    expect(row.first).to_be_visible()
    keep(page, "runs")
    product = row.first.get_by_role("link", name="water-quality", exact=True)
    assert (product.get_attribute("href") or "").endswith(f"/{demo_item['id']}")
    row.first.get_by_role("link").first.click()
    expect(page.get_by_role("heading", name="Attempts")).to_be_visible()
    expect(page.get_by_text("approved by its own proposer")).to_be_visible()
    keep(page, "run")
    for name in ("Notebook", "Log", "Manifest"):
        with page.context.expect_page() as opened:
            page.get_by_role("link", name=name, exact=True).click()
        opened.value.wait_for_load_state()
        assert "/services/api/production/runs/" in opened.value.url
        assert len(opened.value.content()) > 300
        if name == "Notebook":
            keep(opened.value, "executed-notebook")
        opened.value.close()
    page.goto(f"{PAGES}/runs")
    page.get_by_label("Status").select_option("failed")
    expect(page).to_have_url(re.compile("status=failed"))
    expect(page.get_by_text("No run matches")).to_be_visible()
    expect(page.locator("table .chip.succeeded")).to_have_count(0)


@pytest.mark.long
def test_jupyterlab_leads_to_the_dashboards(page: Page, platform: RunningPlatform) -> None:
    page.goto(f"/user/{platform.user}/lab")
    page.locator(".lm-MenuBar-item").filter(has_text="Skerry").click(timeout=SLOW_MS)
    with page.context.expect_page() as opened:
        page.locator(".lm-Menu-item").filter(has_text="Runs").click()
    expect(opened.value.get_by_role("heading", name="Run history")).to_be_visible()
    opened.value.close()


@pytest.mark.long
def test_every_page_has_the_platform_s_look_and_leads_to_the_others(
    page: Page, watch: Watch, platform: RunningPlatform
) -> None:
    # Chromium notes every answer of 4xx on its console, and they are right here.
    watch.allowed.append(r"status of 40[14]")
    for path, text in (
        ("/hub/home", "what has run"),
        ("/hub/token", "Request new API token"),
        ("/hub/nowhere", "Not found (404)"),
        (f"{PAGES}/nowhere", "There is no page"),
        ("/services/dask-gateway/", "skerry.cluster()"),
        (f"{PAGES}/", "Newest products"),
    ):
        for width in (1360, 390):
            page.set_viewport_size({"width": width, "height": 800})
            page.goto(path)
            expect(page.get_by_text(text).first).to_be_visible()
            expect(page.locator("header.top .brand")).to_have_text(re.compile("Skerry"))
            expect(page.locator(f'header.top a[href="{PAGES}/runs"]')).to_be_visible()
            assert page.evaluate("document.documentElement.scrollWidth") <= width, path
        keep(page, f"small-{path.strip('/').replace('/', '-')}")
        assert "Skerry" in page.title()
    page.set_viewport_size(SIZE)
    with platform.http() as stranger:
        answer = stranger.get("/hub/login").text
        assert str(platform.data / "password") in answer
        assert platform.password not in answer


@pytest.mark.long
def test_the_catalogue_shows_a_logged_in_person_what_is_theirs(page: Page) -> None:
    page.goto("/services/api/stac/collections")
    expect(page.locator("body")).to_contain_text("demo-water-quality")


def test_overview_shows_products(page: Page) -> None:
    page.goto(f"{PAGES}/")
    expect(page.get_by_role("heading", name="Newest products")).to_be_visible()
    expect(page.get_by_text("SIMULATED", exact=True).first).to_be_visible()
    pictures = page.locator(".gallery img")
    assert pictures.first.evaluate("image => image.naturalWidth") > 50
    keep(page, "overview")
    page.keyboard.press("Tab")
    expect(page.get_by_text("Skip to the content")).to_be_focused()
    assert page.evaluate("document.documentElement.lang") == "en"


def test_map_draws_the_product(page: Page, demo_item: dict[str, Any]) -> None:
    address = open_map(page, demo_item)
    for name, text in (("Collection", "demo-water-quality"), ("Variable", "urbidity")):
        assert text in page.get_by_label(name).locator("option:checked").inner_text()
    expect(page.get_by_text("SIMULATED", exact=True).first).to_be_visible()
    assert page.title().startswith("SIMULATED: Turbidity")
    legend = page.locator(".legend img")
    assert "in FNU" in (legend.get_attribute("alt") or "")
    assert legend.evaluate("image => image.naturalWidth") > 100
    keep(page, "map")
    drawn = photograph(page, opacity="End")
    keep(page, "map-opaque")
    bare = photograph(page, opacity="Home")
    keep(page, "map-transparent")
    differs = np.abs(drawn.astype(int) - bare).max(axis=2) > 24
    inside = mark_product(demo_item["bbox"], differs.shape)
    assert differs[inside].mean() > 0.2, "the layer is seen over the base map"
    assert not differs[~inside].any(), "and nowhere else"
    assert len(np.unique(drawn[inside & differs], axis=0)) > 20, "and it has a gradient"
    page.get_by_label("Variable").select_option(index=1)
    page.wait_for_url(re.compile("variable=ndci"))
    assert page.url != address


def open_map(page: Page, item: dict[str, Any]) -> str:
    """Open the map of an item by its permanent address and wait until all tiles are there."""
    address = f"{PAGES}/map?item={item['collection']}/{item['id']}&variable=turbidity"
    page.goto(address)
    expect(page.locator(".leaflet-layer")).to_have_count(2)
    wait_for_tiles(page)
    assert page.url.endswith(address)
    return page.url


def wait_for_tiles(page: Page) -> None:
    """Wait until every tile is loaded and has faded in, and the map stands still."""
    expect(page.locator(".leaflet-layer .leaflet-tile-loaded").first).to_be_visible()
    expect(page.locator(".leaflet-tile:not(.leaflet-tile-loaded)")).to_have_count(0)
    expect(page.locator(".leaflet-zoom-anim")).to_have_count(0)
    still = "tiles => tiles.every(tile => getComputedStyle(tile).opacity === '1')"
    wait_until(
        lambda: bool(page.locator(".leaflet-tile").evaluate_all(still)), 30, "tiles faded in"
    )


def photograph(page: Page, *, opacity: str) -> np.ndarray:
    """Set the slider by its keyboard (Home: 0, End: 1) and return the map's pixels."""
    page.get_by_role("slider", name="Opacity").focus()
    page.keyboard.press(opacity)
    shown = "1" if opacity == "End" else "0"
    expect(page.locator(".leaflet-layer").last).to_have_css("opacity", shown)
    wait_for_tiles(page)
    picture = page.locator(".leaflet-container").screenshot()
    return np.asarray(Image.open(io.BytesIO(picture)).convert("RGB"))


def mark_product(bbox: list[float], shape: tuple[int, ...]) -> np.ndarray:
    """Return where on a map that shows it whole a product lies, by the Web Mercator formulas."""
    west, south, east, north = bbox
    height, width = shape[:2]
    scale = 256 * 2 ** fit(bbox, width, height)
    middle = (scale * (west + east) / 2 / 360, scale * mercator((south + north) / 2))
    left = width / 2 + scale * west / 360 - middle[0]
    right = width / 2 + scale * east / 360 - middle[0]
    top = height / 2 + scale * mercator(north) - middle[1]
    bottom = height / 2 + scale * mercator(south) - middle[1]
    mask = np.zeros((height, width), bool)
    margin = 2
    mask[int(top) - margin : int(bottom) + margin, int(left) - margin : int(right) + margin] = True
    return mask


def mercator(latitude: float) -> float:
    """Return the share of the world's height, from the top, at a latitude."""
    return (1 - math.asinh(math.tan(math.radians(latitude))) / math.pi) / 2


def fit(bbox: list[float], width: int, height: int) -> int:
    """Return the last zoom level at which a map of that size shows a box whole."""
    west, south, east, north = bbox
    for zoom in range(18, 0, -1):
        scale = 256 * 2**zoom
        across, down = scale * (east - west) / 360, scale * (mercator(south) - mercator(north))
        if across <= width and down <= height:
            return zoom
    return 1


@pytest.mark.long
def test_download_is_a_cog_of_the_product(
    page: Page, demo_item: dict[str, Any], tmp_path: Path
) -> None:
    open_map(page, demo_item)
    with page.expect_download() as download:
        page.get_by_role("link", name="Download COG").click()
    path = tmp_path / download.value.suggested_filename
    download.value.save_as(path)
    assert path.name == f"{demo_item['id']}_turbidity.tif"
    with rasterio.open(path) as source:
        values = source.read(1, masked=True)
        assert source.tags(ns="IMAGE_STRUCTURE")["LAYOUT"] == "COG"
        assert source.crs.to_string() == demo_item["properties"]["proj:code"]
    assert values.count() > 1000


@pytest.mark.long
def test_pages_fit_a_small_screen(
    context: BrowserContext, watch: Watch, demo_item: dict[str, Any]
) -> None:
    page = context.new_page()
    watch.follow(page)
    page.set_viewport_size({"width": 390, "height": 844})
    for name in ("", "runs", "map"):
        page.goto(f"{PAGES}/{name}")
        expect(page.locator(".card").first).to_be_visible()
        if name == "map":
            expect(page.locator(".leaflet-layer")).to_have_count(2)
            wait_for_tiles(page)
        keep(page, f"small-{name or 'overview'}")
        width = page.evaluate("document.documentElement.scrollWidth")
        assert width <= 390, f"{name or 'overview'} scrolls sideways"
    page.close()


@pytest.mark.long
def test_an_address_that_names_nothing_says_so(page: Page, watch: Watch) -> None:
    watch.allowed.append(r"status of (404|422).*/dashboards/map\?item=nothing")
    page.goto(f"{PAGES}/map?item=nothing/<b>here</b>")
    expect(page.get_by_role("alert")).to_contain_text("not a valid item id")
    page.goto(f"{PAGES}/map?item=nothing/here")
    expect(page.get_by_role("alert")).to_contain_text("nothing")
    page.get_by_label("Collection").select_option("Products of demo-water-quality")
    expect(page.locator(".leaflet-layer")).to_have_count(2)
    page.goto(f"{PAGES}/map?item=nothing/here")
    expect(page.get_by_role("alert")).to_contain_text("nothing")
    keep(page, "map-of-nothing")
