"""The page of projects: what it shows to whom, and which forms."""

from typing import Any

import pytest

from skerry.core.time import utc_now
from skerry.dashboards.project_forms import ProjectForms
from skerry.dashboards.projects import draw_project, draw_projects
from skerry.dashboards.viewer import Viewer
from skerry.dashboards.visit import Visit
from skerry.models.projects import AccessRequest, Member, Project, Role

EVIL = '"><script>alert(1)</script>'
NOW = utc_now().date()


def make_project(name: str = "lakes", **changes: Any) -> Project:
    facts = {"name": name, "title": "Lakes", "listed": True, "last_day": None, "role": None}
    return Project.model_validate(facts | changes)


def make_request(status: str = "asked", person: str = "person:bob") -> AccessRequest:
    facts = {"person": person, "role": "member", "reason": "I work on lakes", "status": status}
    return AccessRequest.model_validate(facts)


def make_forms() -> ProjectForms:
    async def renew() -> None:
        """Nothing has to be shown."""

    viewer = Viewer(name="bob", token="bob-token", scopes=frozenset())
    return ProjectForms(Visit(viewer, "http://127.0.0.1:9"), "lakes", renew)


def list_shown(project: Project) -> set[str]:
    forms = make_forms()
    forms.fill(project)
    named = {
        "ask": forms._ask, "answer": forms._answer, "give": forms._give, "take": forms._take,
        "leave": forms._leave,
    }  # fmt: skip
    return {name for name, form in named.items() if form.visible}


@pytest.mark.parametrize(
    ("changes", "shown"),
    [
        ({}, {"ask"}),
        ({"is_over": True}, set()),
        ({"request": make_request("asked")}, set()),
        ({"request": make_request("refused")}, {"ask"}),
        ({"role": Role.READER}, {"ask", "leave"}),
        ({"role": Role.MEMBER}, {"leave"}),
        ({"role": Role.MEMBER, "requests": [make_request()]}, {"leave"}),
        ({"role": Role.OWNER}, {"give", "take", "leave"}),
        ({"role": Role.OWNER, "requests": [make_request()]}, {"answer", "give", "take", "leave"}),
        # an operator sees who asks, and decides by commands
        ({"requests": [make_request()]}, {"ask"}),
    ],
)
def test_forms_show_to_those_who_may_use_them(changes: dict[str, Any], shown: set[str]) -> None:
    assert list_shown(make_project(**changes)) == shown


def test_whom_an_owner_has_chosen_stays_chosen_while_they_are_there() -> None:
    forms = make_forms()
    asking = [make_request(), make_request(person="person:eve")]
    forms.fill(make_project(role=Role.OWNER, requests=asking))
    assert forms._who_asks.value == "", "nobody is chosen by the page itself"
    assert not forms._answer.collapsed, "somebody waits"
    forms._who_asks.value = "person:eve"
    forms.fill(make_project(role=Role.OWNER, requests=asking[1:]))
    assert forms._who_asks.value == "person:eve"
    forms.fill(make_project(role=Role.OWNER, requests=asking[:1]))
    assert forms._who_asks.value == ""


def test_own_projects_stand_apart_from_others_and_from_groups_of_the_sign_on() -> None:
    own = make_project("ice", role=Role.MEMBER, notice="Your access ends tomorrow.")
    html = draw_projects([own, make_project(request=make_request())], ["ice", "team"])
    first, other = html.split("Other projects", 1)
    assert "ice" in first
    assert "Your access ends tomorrow." in first
    assert "chosen there: team" in first
    assert "asked" in other


def test_nothing_to_show_names_the_command() -> None:
    assert "skerry project create" in draw_projects([], [])


def test_one_project_shows_its_people_and_what_is_over() -> None:
    people = [
        Member(person="person:ann", role=Role.OWNER, last_day=None),
        Member(person="person:old", role=Role.READER, last_day=NOW.replace(year=2020, day=1)),
    ]
    html = draw_project(make_project(role=Role.OWNER, members=people, requests=[make_request()]))
    assert 'data-member="ann"' in html
    assert html.count("over</span>") == 1
    assert 'data-request="bob"' in html
    assert "I work on lakes" in html


def test_words_of_people_are_escaped() -> None:
    request = make_request().model_copy(update={"reason": EVIL, "person": f"person:{EVIL}"})
    project = make_project(
        title=EVIL, notice=EVIL, request=request, requests=[request],
        members=[Member(person=f"person:{EVIL}", role=Role.READER, last_day=None)],
    )  # fmt: skip
    assert "<script>" not in draw_project(project)
    assert "<script>" not in draw_projects([project], [EVIL])
