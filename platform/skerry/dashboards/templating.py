"""HTML from templates, with every value escaped; and the page for errors."""

from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

from skerry.core.errors import SkerryError
from skerry.core.settings import DASHBOARDS_PREFIX

TEMPLATES = Environment(
    loader=PackageLoader("skerry.dashboards"),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)
"""Every value is escaped: names, parameters and messages come from outside."""

NAVIGATION = (("", "Overview"), ("runs", "Runs"), ("map", "Map"))


def render(template: str, **values: object) -> str:
    """Return HTML of one template, every value escaped."""
    return TEMPLATES.get_template(template).render(values)


def answer_error(handler: Any, error: SkerryError) -> None:
    """Finish a request with an error: a page for browsers, two lines for programs.

    Parameters
    ----------
    handler
        Tornado's request handler.
    error
        What is wrong; its status becomes the answer's.
    """
    handler.clear()
    handler.set_status(error.status)
    if "text/html" not in handler.request.headers.get("Accept", ""):
        handler.set_header("Content-Type", "text/plain; charset=utf-8")
        handler.finish(f"{error.what}\n{error.remedy}\n")
        return
    handler.set_header("Content-Type", "text/html; charset=utf-8")
    handler.finish(
        render(
            "plain.html", title=error.title, what=error.what, remedy=error.remedy, viewer="",
            page=None, prefix=DASHBOARDS_PREFIX, navigation=NAVIGATION,
        )
    )  # fmt: skip
