"""Real spawners and the real gateway's backend ask a served api for room in budgets."""

import asyncio
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from jupyterhub.spawner import SpawnException
from jupyterhub.utils import format_exception
from tests.cluster_hub import describe_hub, make_hub
from tests.kubespawners import configure, make_spawner
from tests.served_api import People, ServedApi, serve_people
from tests.unit.services.test_owners_of_work import ask
from traitlets.config import Config

from skerry.core.cluster_hub_settings import ClusterHubSettings
from skerry.core.scopes import OPERATOR, Scope
from skerry.core.time import utc_now
from skerry.models.projects import Role
from skerry.projects.store import make_project, set_member
from skerry.storage.database import database_url, open_database

DEAD = "http://127.0.0.1:9"


@pytest.fixture
def people(api: ServedApi) -> Iterator[People]:
    with serve_people(api, {"olga": OPERATOR}) as people:
        api.book.tokens["token-of-spawner"] = (
            "spawner",
            frozenset({Scope.BUDGETS_RESERVE, Scope.PROJECTS_LOOK_UP}),
        )
        api.book.services = {"token-of-spawner"}
        yield people


def describe(url: str, **changes: Any) -> ClusterHubSettings:
    services = [{"name": "api", "url": url}, {"name": "worker"}, {"name": "spawner"}]
    services += [one for one in describe_hub()["services"] if one["name"] not in ("api", "worker")]
    return make_hub(services=services, budgets={"enabled": True, **changes})


def load(config: Config, name: str, profile: str, groups: tuple[str, ...] = ()) -> Any:
    """Let a spawner do what it does before it makes a pod; return it."""

    async def run() -> Any:
        with make_spawner(config, name, groups, {"profile": profile}) as spawner:
            await spawner.load_user_options()
            return spawner

    return asyncio.run(run())


def test_without_the_setting_nobody_is_asked(tmp_path: Path) -> None:
    config = configure(make_hub(), tmp_path)
    assert load(config, "ann", "small").reservation == ""
    assert "post_stop_hook" not in config.PersonSpawner


def test_a_server_reserves_the_limits_of_its_profile_and_gives_back_at_its_end(
    api: ServedApi, people: People, tmp_path: Path
) -> None:
    config = configure(describe(api.url, holdHours=3), tmp_path)
    path = "budgets/person:ann"
    ask(people["olga"], "PUT", path, 200, json={"core_hours": 100, "memory_hours": 1000})

    async def live() -> tuple[Any, Any]:
        with make_spawner(config, "ann", ("lakes",), {"profile": "large"}) as spawner:
            await spawner.load_user_options()
            assert spawner.get_state()["reservation"] == spawner.reservation != ""
            [held] = ask(people["olga"], "GET", "budgets", 200)["accounts"]
            await spawner.run_post_stop_hook()
            assert spawner.reservation == ""
        [ended] = ask(people["olga"], "GET", "budgets", 200)["accounts"]
        return held["reserved"], ended["reserved"]

    held, ended = asyncio.run(live())
    assert held == {"core_hours": 24, "memory_hours": 192}
    assert ended == {"core_hours": 0, "memory_hours": 0}


def test_a_server_beyond_the_budget_is_refused_in_the_api_s_words(
    api: ServedApi, people: People, tmp_path: Path
) -> None:
    config = configure(describe(api.url), tmp_path)
    ask(people["olga"], "PUT", "budgets/project:lakes", 200, json={"core_hours": 3})
    load(config, "zoe", "small")  # in no project
    with pytest.raises(SpawnException) as refused:
        load(config, "ann", "large", ("lakes",))
    assert refused.value.status_code == 409
    assert "The budget of project:lakes for" in refused.value.message
    assert "8 are needed for this server" in refused.value.message
    shown, _ = format_exception(refused.value, only_jupyterhub=True)  # as the hub's page does
    assert shown == refused.value.message


def test_if_the_api_is_away_nothing_starts(tmp_path: Path) -> None:
    with pytest.raises(SpawnException, match="does not answer") as refused:
        load(configure(describe(DEAD), tmp_path), "ann", "small")
    assert refused.value.status_code == 503


def test_if_the_api_is_away_an_end_is_told_by_the_worker_and_not_refused(
    api: ServedApi, people: People, tmp_path: Path
) -> None:
    config = configure(describe(api.url), tmp_path)
    ask(people["olga"], "PUT", "budgets/person:ann", 200, json={"core_hours": 100})
    spawner = load(config, "ann", "small")
    spawner.desk._url = DEAD
    asyncio.run(spawner.run_post_stop_hook())
    assert spawner.reservation == ""


def test_budgets_without_an_api_are_refused() -> None:
    with pytest.raises(ValueError, match="services names no api"):
        make_hub(services=[{"name": "spawner"}], budgets={"enabled": True})


def test_a_server_has_the_folders_of_the_platform_s_projects(
    api: ServedApi, people: People, tmp_path: Path
) -> None:
    today = utc_now().date()
    engine = open_database(database_url(api.data.database))
    with engine.begin() as connection:
        for name, role in (("ice", Role.MEMBER), ("sea", Role.READER), ("old", Role.MEMBER)):
            facts = {"title": name, "owner": "person:olga", "listed": True}
            last_day = today - timedelta(days=1) if name == "old" else None
            make_project(connection, name, last_day=last_day, **facts)
            set_member(connection, name, "person:ann", role, None)
    engine.dispose()
    spawner = load(configure(describe(api.url), tmp_path), "ann", "small", ("lakes",))
    folders = {
        mount["mountPath"]: mount.get("readOnly", False)
        for mount in spawner.volume_mounts
        if mount["mountPath"].startswith("/projects/")
    }
    assert folders == {"/projects/lakes": False, "/projects/ice": False, "/projects/sea": True}
