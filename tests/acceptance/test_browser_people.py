"""What several people see of each other on the pages, each with a browser of their own."""

import sqlite3
from collections.abc import Iterator
from contextlib import ExitStack, closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest
from playwright.sync_api import BrowserContext, Page, expect, sync_playwright
from tests.acceptance.browsing import SIZE, Watch, fill_login, keep, launch
from tests.conftest import find_chromium
from tests.integration.production.stage import approve_as_seen, make_notebook
from tests.integration.services.team_hub import SCIENTISTS, TeamHub
from tests.platform_process import RunningPlatform, start_platform, wait_until

pytestmark = [pytest.mark.browser, pytest.mark.long, pytest.mark.timeout(600)]

PAGES = "/services/dashboards"
PEOPLE = ("ann", "zoe", "bob", "eve")
"""The owner; a member of her project lakes; to whom something is given; a stranger."""
OWNERS = {"private": "person:ann", "lakes": "project:lakes", "open": "person:ann"}
"""Jobs, with collections and releases of the same names."""
SEES = {
    "ann": {"private", "lakes", "open"},
    "zoe": {"lakes", "open"},
    "bob": {"private", "lakes", "open"},  # private is given to see, lakes to change
    "eve": {"open"},
}
CHANGES = {"ann": {"private", "lakes", "open"}, "zoe": {"lakes"}, "bob": {"lakes"}, "eve": set()}
CHOOSES = {**CHANGES, "bob": set()}
SECRET = "words-that-ann-wrote"
AT_ONCE = 2
"""Of the three runs that wait for the gate, one stays queued: what is counted stays so."""
CELLS = (
    "from typing import Annotated\n",
    f'gate: str = ""\nfails: bool = False\nnote: str = "{SECRET}"\n',
    """\
import time
from pathlib import Path

print(note)
while gate and not Path(gate).exists():
    time.sleep(0.05)
assert not fails, note
""",
)
expect.set_options(timeout=30_000)


@dataclass
class Team:
    """A platform for several people: a browser of each, and their runs by job and outcome."""

    platform: RunningPlatform
    browsers: dict[str, BrowserContext]
    watches: dict[str, Watch] = field(default_factory=dict)
    runs: dict[tuple[str, str], str] = field(default_factory=dict)

    def open(self, name: str, path: str) -> Page:
        """Open a page in somebody's browser, and wait until it shows what it found."""
        page = self.browsers[name].new_page()
        self.watches[name].follow(page)
        page.goto(f"{PAGES}/{path}")
        expect(page.get_by_text("Loading…")).to_have_count(0)
        return page


@pytest.fixture(scope="module")
def team(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Team]:
    """Return a team with work of each kind of owner: a run of each outcome, and one under way."""
    executable = find_chromium()
    assert executable is not None
    folder = tmp_path_factory.mktemp("team")
    platform = start_platform(
        folder / "data", parts=["api", "worker", "dashboards", "maps", "hub"],
        program="tests.acceptance.team_program",
        extra_environment={"SKERRY_WORKER_RUNS": str(AT_ONCE)},
    )  # fmt: skip
    with ExitStack() as stack:
        stack.callback(platform.stop)
        browser = launch(stack.enter_context(sync_playwright()), executable)
        stack.callback(browser.close)
        team = Team(platform, {})
        for name in (*PEOPLE, *SCIENTISTS):
            context = browser.new_context(viewport=SIZE, base_url=platform.url)
            context.set_default_timeout(60_000)
            page = context.new_page()
            fill_login(page, platform, platform.password, user=name, onward="/hub/home")
            page.wait_for_url("**/hub/home")
            page.close()
            team.browsers[name] = context
            team.watches[name] = Watch(platform.url)
        fill(team, folder / "gate")
        yield team
        (folder / "gate").touch()


def fill(team: Team, gate: Path) -> None:
    """Make releases, jobs and runs as their owner, and give them."""
    hub = TeamHub(f"{team.platform.url}/hub/api")
    with api(team.platform, hub.mint("ann")) as ann:
        for name, owner in OWNERS.items():
            body = {"name": name, "notebook": make_notebook(CELLS), "owner": owner}
            proposed = ann.post("releases", json=body).raise_for_status().json()
            approval = approve_as_seen(proposed)
            ann.post(f"releases/{proposed['id']}/approve", json=approval).raise_for_status()
            order = {"name": name, "release": proposed["id"], "owner": owner}
            ann.post("jobs", json=order).raise_for_status()
            for outcome, values in (("succeeded", {}), ("failed", {"fails": True})):
                started = ann.post(f"jobs/{name}/runs", json={"parameters": values})
                team.runs[name, outcome] = started.raise_for_status().json()["id"]
            for status in ("succeeded", "failed"):
                wait_for(ann, team.runs[name, status], status)
        for name in OWNERS:
            started = ann.post(f"jobs/{name}/runs", json={"parameters": {"gate": str(gate)}})
            team.runs[name, "active"] = started.raise_for_status().json()["id"]
        wait_until(
            lambda: count_runs(team, "ann").get("running") == AT_ONCE, 120,
            "as many runs are under way as may be at once",
        )  # fmt: skip
        for name, verb in (("private", "see"), ("lakes", "change")):
            ann.put(f"jobs/{name}/shares/person:bob", json={"verb": verb}).raise_for_status()
    with api(team.platform, team.platform.token) as keeper:
        keeper.put("jobs/open/public", json={"public": True}).raise_for_status()


def wait_for(client: httpx.Client, run: str, status: str) -> None:
    wait_until(
        lambda: client.get(f"runs/{run}").json()["status"] == status, 120, f"{run} has {status}"
    )


def api(platform: RunningPlatform, token: str) -> httpx.Client:
    """Return a client of production."""
    return httpx.Client(
        base_url=f"{platform.url}/services/api/production/",
        headers={"Authorization": f"Bearer {token}"}, trust_env=False, timeout=60,
    )  # fmt: skip


def count_runs(team: Team, name: str) -> dict[str, int]:
    """Count what a person may see, in the database itself."""
    query = "SELECT job_name, status FROM runs"
    database = f"file:{team.platform.data}/state/skerry.sqlite?mode=ro"
    with closing(sqlite3.connect(database, uri=True)) as connection:
        rows = connection.execute(query).fetchall()
    members = SEES[name] - ({"open"} if name != "ann" else set())
    counts: dict[str, int] = {}
    for job, status in rows:
        if job in members or (job == "open" and status == "succeeded"):
            counts[status] = counts.get(status, 0) + 1
    return counts


@pytest.mark.parametrize("name", PEOPLE)
def test_lists_and_counts_hold_what_a_person_may_see_and_no_more(team: Team, name: str) -> None:
    counts = count_runs(team, name)
    page = team.open(name, "")
    expect(page.locator(".figure")).to_have_text(str(counts["succeeded"]))
    hidden = set(OWNERS) - SEES[name]
    for status in ("failed", "running", "queued"):
        chip = page.locator(f"a.chip.{status}")
        if status in counts:
            expect(chip).to_have_text(f"{counts[status]} {status}")
        else:
            expect(chip).to_have_count(0)
    assert not [job for job in hidden if job in page.locator("main").inner_text()]
    page.close()
    page = team.open(name, "runs")
    expect(page.locator("tr[data-run]")).to_have_count(sum(counts.values()))
    offered = page.get_by_label("Job").locator("option").all_text_contents()
    assert set(offered) == {"Any job", *SEES[name]}
    assert set(page.locator("tr[data-run] a.quiet").all_text_contents()) == SEES[name]
    keep(page, f"people-runs-{name}")
    page.close()
    team.watches[name].check()


@pytest.mark.parametrize("job", list(OWNERS))
@pytest.mark.parametrize("name", PEOPLE)
def test_buttons_of_a_run_show_to_those_who_may_use_them(team: Team, name: str, job: str) -> None:
    watch = team.watches[name]
    watch.allowed.append(r"status of 404.*/dashboards/run\?")
    for outcome, button in (("failed", "Retry"), ("active", "Cancel"), ("succeeded", "")):
        run = team.runs[job, outcome]
        page = team.open(name, f"run?id={run}")
        member = job in SEES[name] - ({"open"} if name != "ann" else set())
        if not (member or (job == "open" and outcome == "succeeded")):
            expect(page.get_by_role("alert")).to_contain_text(f"There is no run '{run}'")
            assert job not in page.locator("main").inner_text()
            assert page.title() == "Run · Skerry"
        else:
            expect(page.locator("h2 .chip")).to_be_visible()
            expect(page.get_by_role("heading", name="Attempts")).to_have_count(int(member))
            reads = job in CHANGES[name]
            expect(page.get_by_role("heading", name="End of the log")).to_have_count(int(reads))
            if outcome != "active":  # it may wait for its turn
                expect(page.get_by_role("link", name="Log", exact=True)).to_have_count(int(reads))
            if reads and outcome != "active":
                expect(page.locator("pre.log")).to_contain_text(SECRET)
            if not reads:
                expect(page.get_by_text("Logs and notebooks of this run are for")).to_be_visible()
        used = button if job in CHANGES[name] else ""
        for each in ("Cancel", "Retry"):
            shown = page.get_by_role("button", name=each, exact=True)
            expect(shown).to_have_count(int(each == used))
        keep(page, f"people-run-{job}-{outcome}-{name}")
        page.close()
    watch.check()


@pytest.mark.parametrize("job", list(OWNERS))
@pytest.mark.parametrize("name", PEOPLE)
def test_a_job_is_started_by_those_who_may_with_the_fields_that_they_may_choose(
    team: Team, name: str, job: str
) -> None:
    watch = team.watches[name]
    watch.allowed.append(r"status of 404.*/dashboards/runs\?job=")
    page = team.open(name, f"runs?job={job}")
    if job not in SEES[name]:
        expect(page.get_by_role("alert")).to_contain_text(f"no job '{job}'")
    title = page.get_by_text(f"Start a run of {job}")
    if job not in CHANGES[name]:
        expect(page.get_by_role("heading", name="Jobs")).to_be_visible()
        expect(title).to_be_hidden()
    else:
        title.click()
        expect(page.get_by_role("button", name="Start a run", exact=True)).to_be_visible()
        expect(page.get_by_label("note")).to_have_count(int(job in CHOOSES[name]))
    keep(page, f"people-start-{job}-{name}")
    page.close()
    watch.check()


def test_what_is_taken_back_is_gone_from_an_open_page(team: Team) -> None:
    hub = TeamHub(f"{team.platform.url}/hub/api")
    page = team.open("bob", "runs")
    rows = page.locator("tr[data-run]").filter(has_text="private")
    expect(rows).to_have_count(3)
    with api(team.platform, hub.mint("ann")) as ann:
        ann.delete("jobs/private/shares/person:bob").raise_for_status()
        expect(rows).to_have_count(0)
        ann.put("jobs/private/shares/person:bob", json={"verb": "see"}).raise_for_status()
        expect(rows).to_have_count(3)
    page.close()


def test_a_project_is_asked_for_granted_and_left_on_its_page(team: Team) -> None:
    owner, stranger = SCIENTISTS
    for name in SCIENTISTS:
        team.watches[name].allowed.append(r"status of 404.*/dashboards/projects\?name=")
    make_project(team, "ice", owner, listed=True)
    make_project(team, "hidden", owner, listed=False)
    hidden = team.open(stranger, "projects?name=hidden")
    expect(hidden.get_by_role("alert")).to_contain_text("There is no project 'hidden'")
    page = team.open(stranger, "projects")
    expect(page.locator("tr[data-project]")).to_have_count(1)
    page.get_by_role("link", name="ice", exact=True).click()
    expect(page.get_by_role("heading", name="Members")).to_have_count(0)
    expect(page.get_by_role("button", name="Give a role")).to_have_count(0)
    page.get_by_role("heading", name="Ask for access").click()
    ask = page.get_by_role("button", name="Ask for access", exact=True).last
    ask.click()
    expect(page.get_by_role("alert")).to_contain_text("reason")
    page.get_by_label("Why, for the owners").fill("I map the ice edge.")
    ask.click()
    expect(page.get_by_text("asked: to be member, I map the ice edge.")).to_be_visible()
    keep(page, "project-asked")

    decide = team.open(owner, "projects?name=ice")
    expect(decide.locator(f"tr[data-request={stranger}]")).to_contain_text("I map the ice edge.")
    decide.get_by_label("Whose request").select_option(stranger)
    decide.get_by_label("Last day").first.fill("2020-01-01")
    decide.get_by_role("button", name="Grant").click()
    expect(decide.get_by_role("alert")).to_contain_text("The last day 2020-01-01 is over")
    decide.get_by_label("Last day").first.fill("2096-06-30")
    decide.get_by_role("button", name="Grant").click()
    expect(decide.locator(f"tr[data-member={stranger}]")).to_contain_text("2096-06-30")
    keep(decide, "project-owner")

    page.reload()
    expect(page.get_by_text("member: works here")).to_be_visible()
    expect(page.get_by_role("button", name="Give a role")).to_have_count(0)
    page.get_by_role("heading", name="Leave this project").click()
    page.get_by_role("button", name="Leave", exact=True).click()
    expect(page.get_by_text("not in this project")).to_be_visible()
    for each in (hidden, page, decide):
        each.close()
    for name in SCIENTISTS:
        team.watches[name].check()


def test_an_operator_sees_all_projects_and_decides_about_none_on_their_pages(team: Team) -> None:
    make_project(team, "fjord", SCIENTISTS[0], listed=False)
    page = team.open("eve", "projects?name=fjord")
    expect(page.locator(f"tr[data-member={SCIENTISTS[0]}]")).to_be_visible()
    for title in ("Answer who asks", "Give a role", "Take a role away", "Leave this project"):
        expect(page.get_by_role("button", name=title)).to_have_count(0)
    page.close()
    team.watches["eve"].check()


def make_project(team: Team, name: str, owner: str, *, listed: bool) -> None:
    order = {"name": name, "title": "Ice", "owner": f"person:{owner}", "listed": listed}
    address = f"{team.platform.url}/services/api/projects"
    login = {"Authorization": f"Bearer {team.platform.token}"}
    httpx.post(address, json=order, headers=login, trust_env=False).raise_for_status()


@pytest.mark.parametrize(
    "path", ["", "runs", "runs?job=private", "run?id={run}", "map", "projects"]
)
def test_without_a_login_there_is_only_the_login(team: Team, path: str) -> None:
    address = f"{team.platform.url}{PAGES}/{path.format(run=team.runs['private', 'failed'])}"
    with httpx.Client(trust_env=False, follow_redirects=True, timeout=30) as nobody:
        answer: Any = nobody.get(address, headers={"Accept": "text/html"})
    assert "/hub/login" in str(answer.url)
    assert "Sign in" in answer.text
    assert SECRET not in answer.text
