"""Pages of a small platform in a real browser: buttons, and what happens when a part dies."""

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect, sync_playwright
from tests.acceptance.browsing import SIZE, keep, launch, sign_in
from tests.conftest import find_chromium
from tests.integration.production.stage import approve_as_seen, make_notebook
from tests.platform_process import RunningPlatform, start_platform, wait_until

from skerry.core.scopes import Scope
from skerry.simulate import simulate_s2_l2a

pytestmark = [pytest.mark.browser, pytest.mark.long, pytest.mark.timeout(600)]

PAGES = "/services/dashboards"
SLOW_MS = 60_000
FAILING = ("", "minute: int = 0\n", "raise ValueError('no luck')\n")


@pytest.fixture(scope="module")
def platform(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningPlatform]:
    """Return a platform whose job fails, with a history of a few hundred runs."""
    parts = ["api", "worker", "dashboards", "maps", "hub"]
    platform = start_platform(tmp_path_factory.mktemp("pages") / "data", parts=parts)
    try:
        with api(platform) as client:
            body = {"name": "luck", "notebook": make_notebook(FAILING)}
            proposed = client.post("releases", json=body).raise_for_status().json()
            release = proposed["id"]
            approval = approve_as_seen(proposed)
            client.post(f"releases/{release}/approve", json=approval).raise_for_status()
            for name in ("luck", "other"):
                order = {"name": name, "release": release, "policy": {"retries": 0}}
                client.post("jobs", json=order).raise_for_status()
            for _ in range(60):
                run = client.post("jobs/other/runs", json={}).raise_for_status().json()["id"]
                client.post(f"runs/{run}/cancel")
        yield platform
    finally:
        platform.stop()


def api(platform: RunningPlatform) -> httpx.Client:
    """Return a client of production as the owner."""
    return httpx.Client(
        base_url=f"{platform.url}/services/api/production/",
        headers={"Authorization": f"Bearer {platform.token}"},
        trust_env=False,
        timeout=60,
    )


@pytest.fixture(scope="module")
def page(platform: RunningPlatform) -> Iterator[Page]:
    """Return a page of a browser in which the owner is logged in."""
    executable = find_chromium()
    assert executable is not None
    with sync_playwright() as playwright:
        browser = launch(playwright, executable)
        context = browser.new_context(viewport=SIZE, base_url=platform.url)
        context.set_default_timeout(SLOW_MS)
        sign_in(context, platform)
        yield context.new_page()
        browser.close()


def test_a_run_is_started_retried_and_its_end_seen(page: Page, platform: RunningPlatform) -> None:
    page.goto(f"{PAGES}/runs?job=luck")
    page.get_by_text("Start a run of luck").click()
    page.get_by_label("minute").fill("7")
    page.get_by_role("button", name="Start a run", exact=True).click()
    page.locator(".started a").click()
    expect(page.get_by_text("no luck").first).to_be_visible(timeout=SLOW_MS)
    expect(page.locator("dd").filter(has_text="7").first).to_be_visible()
    keep(page, "run-failed")
    run = page.url.rpartition("=")[2]
    retry = page.get_by_role("button", name="Retry")
    retry.click()
    expect(page.get_by_role("row").filter(has_text="2").first).to_be_visible(timeout=SLOW_MS)
    with api(platform) as client:
        wait_until(
            lambda: len(client.get(f"runs/{run}").json()["attempts"]) == 2, 60, "it was tried again"
        )
        assert client.get(f"runs/{run}").json()["parameters"] == {"minute": 7}


def test_figures_are_those_of_all_runs_and_the_history_has_pages(page: Page) -> None:
    page.goto(f"{PAGES}/")
    expect(page.get_by_role("link", name="cancelled").first).to_have_text("60 cancelled")
    page.goto(f"{PAGES}/runs?job=other")
    expect(page.locator("tr[data-run]")).to_have_count(25)
    first = page.locator("tr[data-run]").first.get_attribute("data-run")
    for rows in (25, 10):
        page.get_by_role("link", name="Older runs").click()
        expect(page.locator("tr[data-run]")).to_have_count(rows)
    expect(page.get_by_role("link", name="Older runs")).to_have_count(0)
    page.get_by_role("link", name="Newest runs").click()
    expect(page.locator("tr[data-run]").first).to_have_attribute("data-run", str(first))


def test_every_page_can_be_used_without_seeing_it_and_has_an_honest_status(page: Page) -> None:
    for path, status, part in (
        (f"{PAGES}/", 200, "Newest products"),
        (f"{PAGES}/runs?job=luck", 200, "Start a run of luck"),
        (f"{PAGES}/runs?job=nothing", 404, "no job 'nothing'"),
        (f"{PAGES}/runs?status=nothing", 422, "Invalid input"),
        (f"{PAGES}/run?id=nothing", 404, "no run 'nothing'"),
        (f"{PAGES}/run", 404, "names no run"),
        (f"{PAGES}/map", 200, "Opacity"),
        (f"{PAGES}/map?item=nothing/here", 404, "no collection 'nothing'"),
        (f"{PAGES}/nowhere", 404, "There is no page"),
        ("/hub/home", 200, "what has run"),
        ("/hub/token", 200, "Request new API token"),
        ("/hub/nowhere", 404, "There is no such page"),
    ):
        answer = page.goto(path)
        assert answer is not None
        assert answer.status == status, path
        expect(page.get_by_text(part).first).to_be_visible(timeout=SLOW_MS)
        expect(page.get_by_role("link", name="Log in")).to_have_count(0)
        violations = Axe().run(page).response["violations"]
        assert [(each["id"], each["nodes"]) for each in violations] == [], path


READER = ("access:services!service=dashboards", str(Scope.CATALOG_READ))


@pytest.fixture
def reader(page: Page, platform: RunningPlatform) -> Iterator[Page]:
    """Return a page of a browser whose login may read the catalogue and nothing more."""
    person = platform.log_in(platform.user, platform.password)
    person.headers["Accept"] = "text/html"
    person.follow_redirects = False
    answer = person.get(f"{PAGES}/map")
    while answer.is_redirect:
        asked = httpx.URL(answer.headers["location"])
        if asked.path == "/hub/api/oauth2/authorize":
            asked = asked.copy_set_param("scope", " ".join(READER))
        answer = person.get(asked)
    assert answer.status_code == 200, answer.text
    browser = page.context.browser
    assert browser is not None
    context = browser.new_context(viewport=SIZE, base_url=platform.url)
    context.set_default_timeout(SLOW_MS)
    host = httpx.URL(platform.url).host
    context.add_cookies(
        [
            {"name": cookie.name, "value": cookie.value or "", "domain": host, "path": cookie.path}
            for cookie in person.cookies.jar
        ]
    )
    yield context.new_page()
    context.close()


def test_the_page_of_a_withdrawn_product_says_what_became_of_it(
    page: Page, reader: Page, platform: RunningPlatform, tmp_path: Path
) -> None:
    scene = simulate_s2_l2a(tmp_path, size=120, seed=7)
    platform.run("import", str(scene), "--collection", "scenes")
    item = f"scenes/{scene.stem}"
    address = f"{PAGES}/map?item={item}"
    layers = ".leaflet-tile-pane > .leaflet-layer"

    def look(who: Page, status: int, *texts: str) -> None:
        answer = who.goto(address)
        assert answer is not None
        assert answer.status == status
        for text in texts:
            shown = who.get_by_text(text).filter(visible=True).first
            expect(shown).to_be_visible(timeout=SLOW_MS)

    for who in (page, reader):
        look(who, 200, "Opacity", "True colour")
        expect(who.locator(layers)).to_have_count(2, timeout=SLOW_MS)
    withdraw = ("item", "withdraw", item, "--reason", "The calibration is wrong.")
    platform.run(*withdraw)
    # who had the page open chooses another variable
    reader.get_by_label("Variable").select_option(index=1)
    gone = f"Version 1 of '{scene.stem}' in 'scenes' was withdrawn: The calibration is wrong."
    for open_page in (True, False):
        if not open_page:
            look(reader, 410)
        problem = reader.get_by_role("alert")
        expect(problem).to_contain_text(gone, timeout=SLOW_MS)
        expect(problem).to_contain_text("Use another product")
        expect(reader.locator(layers)).to_have_count(1)
        keep(reader, f"withdrawn-reader-{open_page}")
    look(page, 200, "withdrawn", "The calibration is wrong.")
    expect(page.locator(layers)).to_have_count(2, timeout=SLOW_MS)
    keep(page, "withdrawn-operator")
    platform.run(*withdraw, "--delete-bytes", "--yes")
    look(page, 200, "withdrawn", "Files deleted")
    problem = page.get_by_role("alert")
    expect(problem).to_contain_text(f"{gone} Its bytes were deleted at 20")
    expect(page.locator(layers)).to_have_count(1)
    keep(page, "withdrawn-deleted")
    look(reader, 410, gone)


def test_number_fields_have_named_buttons_and_take_keys(page: Page) -> None:
    page.goto(f"{PAGES}/map")
    for label in ("Lowest value", "Highest value"):
        for button in ("higher", "lower"):
            named = page.get_by_role("button", name=f"{label}: {button}")
            expect(named).to_have_attribute("tabindex", "-1", timeout=SLOW_MS)
    expect(page.get_by_role("slider", name="Opacity")).to_be_visible()


@pytest.mark.parametrize("path", ["/runs?job=other&status=cancelled", "/", "/run?id=x", "/map"])
def test_a_page_whose_program_died_says_so_and_heals(
    page: Page, platform: RunningPlatform, path: str
) -> None:
    page.goto(PAGES + path)
    expect(page.get_by_text("Loading…")).to_have_count(0)
    page.evaluate("window.before = true")
    os.kill(platform.part_pids()["dashboards"], signal.SIGKILL)
    expect(page.get_by_text("The connection to the platform is lost")).to_be_visible()
    page.wait_for_function("window.before === undefined", timeout=SLOW_MS)  # loaded again
    expect(page.get_by_text("The connection to the platform is lost")).to_be_hidden()
    expect(page.get_by_text("Loading…")).to_have_count(0)
    assert page.url == f"{platform.url}{PAGES}{path}"
    if path.startswith("/runs"):
        expect(page.get_by_label("Status")).to_have_value("cancelled")
        expect(page.locator("tr[data-run]")).to_have_count(25)
