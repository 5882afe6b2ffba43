"""What viewers do with a project: ask for access, answer who asks, give and take roles, leave."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import date
from typing import Any

import panel as pn
from pydantic import ValidationError

from skerry.client import projects as client
from skerry.client.session import Session
from skerry.core.errors import InvalidInputError, SkerryError
from skerry.core.settings import DASHBOARDS_PREFIX
from skerry.core.time import parse_day
from skerry.dashboards.shell import show_error, show_html, style_widget
from skerry.dashboards.starting import FORM_MARGIN, style_button
from skerry.dashboards.templating import render
from skerry.dashboards.visit import Visit
from skerry.models.projects import AccessAnswer, AccessOrder, MemberOrder, Project, Role
from skerry.models.refusals import explain_validation

Order = Callable[[Session], object]

_NOBODY = {"Choose": ""}
_ROLES = {"Member: works there": Role.MEMBER, "Reader: sees it": Role.READER}
_ALL_ROLES = {**_ROLES, "Owner: decides, too": Role.OWNER}
_WIDTH = 220


class ProjectForms:
    """The forms of one project; each shows to those alone whom the api would not refuse.

    Requests go to the api with the viewer's own token, which decides.

    Parameters
    ----------
    visit
        The viewer, and their session with the platform.
    project
        The project's name.
    renew
        Shows the project as it is now, after a change.
    """

    def __init__(self, visit: Visit, project: str, renew: Callable[[], Awaitable[None]]) -> None:
        self._visit = visit
        self._project = project
        self._renew = renew
        self._said = show_html()
        self._make_fields()
        self._ask = _lay_form(
            "Ask for access",
            self._reason,
            self._wished,
            self._button("Ask for access", self._do_ask),
        )
        self._answer = _lay_form(
            "Answer who asks", self._who_asks, self._answer_day,
            self._button("Grant", self._do_grant),
            self._button("Refuse", self._do_refuse, danger=True),
        )  # fmt: skip
        self._give = _lay_form(
            "Give a role", self._person, self._role, self._day,
            self._button("Give the role", self._do_give),
        )  # fmt: skip
        self._take = _lay_form(
            "Take a role away", self._member, self._button("Take away", self._do_take, danger=True)
        )
        self._leave = _lay_form(
            "Leave this project", self._button("Leave", self._do_leave, danger=True)
        )
        self._forms = (self._ask, self._answer, self._give, self._take, self._leave)
        self.panel = pn.Column(self._said, *self._forms, sizing_mode="stretch_width", margin=0)

    def _make_fields(self) -> None:
        self._reason = _style(pn.widgets.TextInput(label="Why, for the owners", max_length=1000))
        self._wished = _style(pn.widgets.Select(label="To be", options=_ROLES))
        self._who_asks = _style(pn.widgets.Select(label="Whose request", options=_NOBODY))
        self._answer_day = _style(_name_day())
        self._person = _style(pn.widgets.TextInput(label="Person", placeholder="name of the login"))
        self._role = _style(pn.widgets.Select(label="Role", options=_ALL_ROLES))
        self._day = _style(_name_day())
        self._member = _style(pn.widgets.Select(label="Member", options=_NOBODY))

    def _button(self, label: str, click: Callable[[], Order], *, danger: bool = False) -> Any:
        async def order(_event: object) -> None:
            await self._order(click)

        button = style_button(label, danger=danger)
        button.on_click(order)
        return button

    def fill(self, project: Project) -> None:
        """Show what the viewer may do with the project as it is now."""
        decides = project.role is Role.OWNER
        waits = project.request is not None and project.request.status == "asked"
        self._ask.visible = (
            project.role in (None, Role.READER) and not project.is_over and not waits
        )
        self._answer.visible = decides and bool(project.requests)
        self._give.visible = self._take.visible = decides
        self._leave.visible = project.role is not None
        if self._answer.visible and not self._who_asks.options.keys() - _NOBODY:
            self._answer.collapsed = False  # somebody waits
        _offer(self._who_asks, [each.person for each in project.requests])
        _offer(self._member, [each.person for each in project.members])

    def hide(self) -> None:
        """Show no form: the project cannot be seen."""
        for form in self._forms:
            form.visible = False

    async def _order(self, click: Callable[[], Order]) -> None:
        try:
            await asyncio.to_thread(click(), self._visit.session)
        except ValidationError as error:  # an empty field that has to be filled
            self._said.object = show_error(explain_validation(error.errors()))
            return
        except SkerryError as error:
            self._said.object = show_error(error)
            return
        self._said.object = render("done.html")
        for field in (self._reason, self._person, self._day, self._answer_day):
            field.value = ""
        await self._renew()

    def _do_ask(self) -> Order:
        order = AccessOrder(role=self._wished.value, reason=self._reason.value)
        return lambda session: client.ask_access(session, self._project, order)

    def _do_grant(self) -> Order:
        return self._answer_with(AccessAnswer(grant=True, last_day=_read_day(self._answer_day)))

    def _do_refuse(self) -> Order:
        return self._answer_with(AccessAnswer(grant=False))

    def _answer_with(self, order: AccessAnswer) -> Order:
        person = _choose(self._who_asks)
        return lambda session: client.answer_request(session, self._project, person, order)

    def _do_give(self) -> Order:
        name = self._person.value.strip()
        person = name if name.startswith("person:") else f"person:{name}"
        order = MemberOrder(role=self._role.value, last_day=_read_day(self._day))
        return lambda session: client.give_role(session, self._project, person, order)

    def _do_take(self) -> Order:
        person = _choose(self._member)
        return lambda session: client.take_role(session, self._project, person)

    def _do_leave(self) -> Order:
        person = f"person:{self._visit.viewer.name}"
        return lambda session: client.take_role(session, self._project, person)


def _lay_form(title: str, *parts: Any) -> Any:
    """Return a card with a title that opens it; it is hidden until it is filled."""
    row = pn.FlexBox(*parts, gap="0 16px", margin=FORM_MARGIN, align_items="flex-end")
    return pn.Card(
        row, header=show_html(render("form_title.html", title=title)), collapsed=True,
        visible=False, sizing_mode="stretch_width", margin=(0, 0, 18, 0),
        stylesheets=[f"{DASHBOARDS_PREFIX}/assets/widget.css"],
    )  # fmt: skip


def _style(widget: Any) -> Any:
    return style_widget(widget, _WIDTH)


def _name_day() -> Any:
    return pn.widgets.TextInput(label="Last day, if it has an end", placeholder="2027-06-30")


def _read_day(field: Any) -> date | None:
    text = field.value.strip()
    return parse_day(text) if text else None


def _offer(field: Any, people: list[str]) -> None:
    """Offer people to choose from; a choice that is still there stays."""
    options = _NOBODY | {person.partition(":")[2]: person for person in people}
    if field.options != options:
        chosen = field.value
        field.options = options
        field.value = chosen if chosen in people else ""


def _choose(field: Any) -> str:
    person: str = field.value
    if not person:
        raise InvalidInputError("Nobody is chosen.", remedy=f"Choose under '{field.label}'.")
    return person
