"""The controls of one job: start a run, and pause or resume its clock."""

import asyncio
import json
from functools import partial
from typing import Any

import panel as pn

from skerry.client.production import fetch_job, fetch_release, pause_job, start_run
from skerry.core.errors import NotFoundError, SkerryError
from skerry.core.ownership import Verb
from skerry.core.scopes import Scope
from skerry.core.settings import DASHBOARDS_PREFIX
from skerry.dashboards.shell import show_error, show_html, style_widget
from skerry.dashboards.templating import render
from skerry.dashboards.visit import Visit
from skerry.models.jobs import ClockTrigger, Job
from skerry.models.runs import RunDetails, RunOrder

FORM_MARGIN = (6, 18, 6, 18)
"""Around the fields of a form in its card."""


class StartForm:
    """Fields and button of one job.

    The request goes to the api with the viewer's own token, over the page's websocket, which only
    pages of the platform's own origin can open.

    Parameters
    ----------
    visit
        The viewer, and their session with the platform.
    job
        The job's name.
    """

    def __init__(self, visit: Visit, job: str) -> None:
        self._visit = visit
        self._job = job
        self._fields: dict[str, Any] = {}
        self._properties: dict[str, Any] = {}
        self._said = show_html()
        self._said.margin = (0, 18)
        self._button = style_button("Start a run")
        self._button.on_click(self._start)
        self._clock = style_button("Pause the clock")
        self._clock.on_click(self._turn_clock)
        self._clock.visible = False
        self._paused = False
        self._row = pn.FlexBox(gap="0 16px", margin=FORM_MARGIN, align_items="flex-end")
        title = show_html(render("form_title.html", title=f"Start a run of {job}"))
        self.panel = pn.Card(
            self._row, self._said, header=title,
            collapsed=True, visible=False,
            sizing_mode="stretch_width", margin=(0, 0, 18, 0),
            stylesheets=[f"{DASHBOARDS_PREFIX}/assets/widget.css"],
        )  # fmt: skip

    async def fill(self) -> None:
        """Show the buttons to viewers who may start runs, and the fields to its owner."""
        if not self._visit.viewer.may(Scope.PRODUCTION_OPERATE):
            return
        try:
            job, self._properties = await asyncio.to_thread(self._read)
        except NotFoundError:
            return  # a removed job: its history stays, but nothing can be started
        except SkerryError as error:
            self._said.object = show_error(error)
            self.panel.visible = True
            return
        if not self._visit.may(Verb.CHANGE, job):
            return
        for name, described in self._properties.items():
            value = job.parameters.get(name, described.get("default"))
            text = "" if value is None else value if isinstance(value, str) else json.dumps(value)
            field = pn.widgets.TextInput(
                label=name, placeholder=text, description=described.get("description")
            )
            self._fields[name] = style_widget(field, 200)
        self.panel.visible = True
        self._row.objects = [*self._fields.values(), self._button, self._clock]
        self._show_clock(job)

    def _show_clock(self, job: Job) -> None:
        self._paused = job.paused
        self._clock.visible = isinstance(job.trigger, ClockTrigger)
        self._clock.label = "Resume the clock" if self._paused else "Pause the clock"

    async def _turn_clock(self, _event: object) -> None:
        turn = partial(pause_job, self._visit.session, self._job, paused=not self._paused)
        try:
            job = await asyncio.to_thread(turn)
        except SkerryError as error:
            self._said.object = show_error(error)
        else:
            self._said.object = ""
            self._show_clock(job)

    def _read(self) -> tuple[Job, dict[str, Any]]:
        """Return the job, and the parameters that the viewer may choose."""
        job = fetch_job(self._visit.session, self._job)
        if not self._visit.may(Verb.CHOOSE, job):
            return job, {}
        try:
            release = fetch_release(self._visit.session, job.release)
        except NotFoundError:  # it was taken back; the job goes on with it
            return job, {}
        return job, release.schema_["properties"]

    async def _start(self, _event: object) -> None:
        self._button.disabled = True
        try:
            run = await asyncio.to_thread(self._order)
        except SkerryError as error:
            self._said.object = show_error(error)
        else:
            self._said.object = render("started.html", run=run.id)
        finally:
            self._button.disabled = False

    def _order(self) -> RunDetails:
        filled = {name: field.value for name, field in self._fields.items() if field.value.strip()}
        parameters = {
            name: read_field(text, self._properties[name]) for name, text in filled.items()
        }
        return start_run(self._visit.session, self._job, RunOrder(parameters=parameters))


def read_field(text: str, described: dict[str, Any]) -> Any:
    """Return a field's text as a value: text where the schema says so, else as JSON.

    Text that is not JSON goes to the api unchanged, whose refusal names it.
    """
    if described.get("type") == "string":
        return text
    try:
        return json.loads(text)
    except ValueError:
        return text


def style_button(label: str, *, danger: bool = False) -> Any:
    """Return a button in the platform's style."""
    return style_widget(
        pn.widgets.Button(label=label, color="danger" if danger else "primary"), 150
    )
