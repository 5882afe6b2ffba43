"""The page around every dashboard: header, navigation, footer; and HTML from templates."""

from collections.abc import Mapping
from typing import Any

import panel as pn

from skerry.core.errors import SkerryError
from skerry.core.settings import DASHBOARDS_PREFIX
from skerry.dashboards.templating import NAVIGATION, TEMPLATES, render
from skerry.dashboards.viewer import Viewer


def show_html(html: str = "", **options: Any) -> pn.pane.HTML:
    """Return a pane for HTML that `render` made, in the platform's style."""
    return pn.pane.HTML(
        html,
        sanitize_html=False,
        sizing_mode="stretch_width",
        margin=0,
        stylesheets=[f"{DASHBOARDS_PREFIX}/assets/content.css"],
        **options,
    )


def style_widget(widget: Any, width: int | None = None) -> Any:
    """Return a Panel widget in the platform's style; as wide as its place if `width` is None."""
    widget.stylesheets = [f"{DASHBOARDS_PREFIX}/assets/widget.css"]
    widget.margin = (0, 0, 12, 0)
    if width is None:
        widget.sizing_mode = "stretch_width"
    widget.width = width
    return widget


def show_error(error: SkerryError) -> str:
    """Return HTML with an error and its remedy."""
    return render("problem.html", title=error.title, what=error.what, remedy=error.remedy)


def lay_page(*, page: str, title: str, viewer: Viewer, parts: Mapping[str, Any]) -> pn.Template:
    """Return the document of one page.

    Parameters
    ----------
    page
        The page's path below the dashboards' prefix, which the navigation marks.
    title
        The heading.
    viewer
        The person whose name is in the header.
    parts
        Panel objects by the name of their place: ``main``, and ``side`` where there is one.
    """
    template = pn.Template(template=TEMPLATES.get_template("page.html"))
    for name, part in parts.items():
        template.add_panel(name, part)
    for name, value in {
        "page": page,
        "heading": title,
        "navigation": NAVIGATION,
        "prefix": DASHBOARDS_PREFIX,
        "viewer": viewer.name,
        "places": list(parts),
        "columns": "split" if "side" in parts else "single",
    }.items():
        template.add_variable(name, value)
    return template
