"""The page of runs over a real api."""

import asyncio

import pytest
from tests.served_api import ServedApi

from skerry.core.scopes import ADMIN
from skerry.dashboards.runs import RunsPage
from skerry.dashboards.viewer import Viewer
from skerry.dashboards.visit import Visit


@pytest.mark.parametrize(("choice", "problem"), [
    ({"status": "odd"}, "odd"),
    ({"job": "nowhere"}, "nowhere"),
    ({}, ""),
])  # fmt: skip
def test_a_wrong_filter_leaves_the_filters_to_go_on_with(
    api: ServedApi, choice: dict[str, str], problem: str
):
    visit = Visit(Viewer("alice", "alice-token", frozenset(map(str, ADMIN))), api.url)
    page = RunsPage(visit, **choice)
    asyncio.run(page._renew())
    visit.close()
    assert ("problem" in page._runs_pane.object) == bool(problem)
    assert problem in page._runs_pane.object
    assert '<option value="failed">failed (0)</option>' in page._filters.object
    assert page._jobs_pane.object
