"""HTML from templates, with every value escaped; and the page for errors."""

from http import HTTPStatus
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

from skerry.core.errors import SkerryError
from skerry.core.problems import MEDIA_TYPE, Problem, describe_problem
from skerry.core.settings import DASHBOARDS_PREFIX

TEMPLATES = Environment(
    loader=PackageLoader("skerry.dashboards"),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)
"""Every value is escaped: names, parameters and messages come from outside."""

RETRY_S = "5"
"""After how many seconds a browser may ask again when the platform cannot answer now."""

NAVIGATION = (
    ("", "Overview"),
    ("runs", "Runs"),
    ("map", "Map"),
    ("budgets", "Budgets"),
    ("projects", "Projects"),
)


def render(template: str, **values: object) -> str:
    """Return HTML of one template, every value escaped."""
    return TEMPLATES.get_template(template).render(values)


def answer_error(handler: Any, error: SkerryError) -> None:
    """Finish a request with an error: a page for browsers, a problem document for programs.

    Parameters
    ----------
    handler
        Tornado's request handler.
    error
        What is wrong; its status becomes the answer's.
    """
    handler.clear()
    handler.set_status(error.status)
    problem = describe_problem(error.status, error.title, error.what, error.remedy)
    kind, body = present_problem(problem, handler.request)
    handler.set_header("Content-Type", kind)
    if error.status == HTTPStatus.SERVICE_UNAVAILABLE:
        handler.set_header("Retry-After", RETRY_S)
    handler.finish(body)


def present_problem(problem: Problem, request: Any) -> tuple[str, str]:
    """Return media type and body of an error: a page if the request accepts pages.

    The page shows the name of the person who is logged in, if the hub was asked for it.
    """
    if "text/html" not in request.headers.get("Accept", ""):
        return MEDIA_TYPE, problem.model_dump_json()
    page = render(
        "plain.html", title=problem.title, what=problem.detail, remedy=problem.remedy,
        viewer=getattr(request, "viewer_name", ""), page=None, prefix=DASHBOARDS_PREFIX,
        navigation=NAVIGATION,
    )  # fmt: skip
    return "text/html; charset=utf-8", page
