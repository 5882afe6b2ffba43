"""The hub's authenticator for people of an OpenID provider.

OAuthenticator leads through the flow with its code and PKCE; added here are the checks of the ID
token, names that cannot be taken over, and memberships that end.
"""

import asyncio
import time
from collections.abc import Mapping
from functools import cached_property
from typing import Any
from urllib.parse import urlsplit

from oauthenticator.generic import GenericOAuthenticator
from traitlets import Bool, Instance, Unicode

from skerry.core.errors import ForbiddenError, SkerryError
from skerry.core.oidc.provider import ProviderAwayError, ProviderDocument
from skerry.core.oidc.sign_on_settings import SignOnSettings
from skerry.core.scopes import PROJECTS_GROUP
from skerry.core.settings import DEFAULT_PROJECT
from skerry.hub.sign_on.exchange import Exchange
from skerry.hub.sign_on.handlers import (
    CallbackHandler,
    ProviderSignOffHandler,
    SignOnHandler,
    refuse,
)
from skerry.hub.sign_on.membership import (
    apply_groups,
    is_account_of_project,
    read_groups,
)
from skerry.hub.sign_on.names import AccountNames, Person, suggest_names
from skerry.hub.sign_on.servers import LivingServers
from skerry.hub.signing_off import end_visits


class NotAdmittedError(ForbiddenError):
    """The provider names no group of a person that has access to the platform."""


_RESERVED = frozenset({DEFAULT_PROJECT, PROJECTS_GROUP})
_Membership = bool | dict[str, Any]


class ProviderAuthenticator(GenericOAuthenticator):  # type: ignore[misc]
    """Lets people in whom the provider knows, as members of groups that the settings name."""

    login_handler = SignOnHandler
    callback_handler = CallbackHandler
    logout_handler = ProviderSignOffHandler

    sign_on = Instance(SignOnSettings, help="The settings.", config=True)
    one_person = Bool(True, help="Whether only the listed person may get in.", config=True)
    names_url = Unicode(help="The database of names, which is the hub's.", config=True)

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self._renewing: dict[str, asyncio.Future[_Membership]] = {}
        self._renewed_at: dict[str, float] = {}
        self._servers: LivingServers | None = None

    @cached_property
    def names(self) -> AccountNames:
        """The names of accounts."""
        return AccountNames(self.names_url)

    @cached_property
    def exchange(self) -> Exchange:
        """The provider's side of sign-on."""
        return Exchange(self.sign_on, self.client_secret)

    @property
    def after_logout(self) -> str:
        """Where the provider sends a browser after the end of its session."""
        parts = urlsplit(self.oauth_callback_url)
        return f"{parts.scheme}://{parts.netloc}{parts.path.removesuffix('oauth_callback')}login"

    def get_handlers(self, app: Any) -> list[Any]:
        """Return the addresses of sign-on; the hub asks for them once, when it starts."""
        if not self.one_person:
            self._servers = LivingServers(app)
            self._servers.follow(self._renew_if_due, self.sign_on.renew_after_s)
        handlers: list[Any] = super().get_handlers(app)
        return handlers

    async def prepare(self) -> ProviderDocument:
        """Find out where the provider's addresses are, for the redirect to it.

        Raises
        ------
        ProviderAwayError
            If it does not answer, or lacks an address.
        """
        document = await self.exchange.describe()
        self.authorize_url = document.authorization_endpoint
        return document

    async def authenticate(
        self, handler: Any, data: Any = None, **_options: Any
    ) -> dict[str, Any] | None:
        """Return the person who comes back from the provider; None for other ways of asking."""
        if not isinstance(handler, CallbackHandler):
            return None
        form = self.build_access_tokens_request_params(handler, data)
        try:
            tokens, subject = await self.exchange.trade(
                form["code"], form["code_verifier"], form["redirect_uri"], handler.nonce
            )
            facts = await self.exchange.read_userinfo(tokens["access_token"], subject)
            person = Person(self.sign_on.issuer, subject)
            groups = self._admit(person, facts)
            name = await self._name_account(handler, person, facts)
        except SkerryError as error:
            self.log.warning("A sign-on is refused: %s", error.what)
            refuse(error)
        return _describe(name, person, tokens, groups)

    async def check_allowed(self, username: str, auth_model: Any) -> bool:  # noqa: ARG002
        """Return True: `authenticate` has refused those who may not get in, with the reason."""
        return auth_model is not None

    async def refresh_user(
        self,
        user: Any,
        handler: Any = None,
        **_options: Any,
    ) -> _Membership:
        """Return whether somebody is a member still, with what has changed.

        The one person of one machine needs no membership for the commands there, whose token the
        machine makes: their account on the machine can do more than that.

        Requests that come at the same time share one question: a provider that takes each refresh
        token once would think that the second is a thief's.
        """
        if is_account_of_project(user):
            return True
        renewed = await self._share_renewal(user)
        if not renewed:
            return self.one_person and bool(getattr(handler, "_token_authenticated", False))
        return dict(renewed) if isinstance(renewed, dict) else renewed

    async def _share_renewal(self, user: Any) -> _Membership:
        task = self._renewing.get(user.name)
        if task is None:
            task = asyncio.ensure_future(self._renew(user))
            self._renewing[user.name] = task
            task.add_done_callback(lambda _: self._renewing.pop(user.name, None))
        return await asyncio.shield(task)

    async def _renew_if_due(self, user: Any) -> None:
        """Ask for the membership of a person for whom no request has asked lately."""
        asked = self._renewed_at.get(user.name)
        due = asked is None or time.monotonic() - asked >= self.sign_on.renew_after_s
        if due and not is_account_of_project(user):
            await self._share_renewal(user)

    async def _renew(self, user: Any) -> _Membership:
        self._renewed_at[user.name] = time.monotonic()
        state = await user.get_auth_state() or {}
        if not state and self.one_person:
            return False
        if state.get("issuer") != self.sign_on.issuer:
            return self._expel(user, "there was no sign-on with this provider")
        person = Person(state["issuer"], state["subject"])
        try:
            tokens, facts = await self.exchange.ask_again(state, person.subject)
            groups = self._admit(person, facts)
        except ProviderAwayError as error:
            if time.time() - state["renewed_at"] > self.sign_on.keep_while_away_s:
                return self._expel(user, error.what)
            self.log.warning("The membership of %s is not renewed: %s", user.name, error.what)
            return True
        except SkerryError as error:
            if isinstance(error, NotAdmittedError) and self._servers is not None:
                self._servers.end(user)
            return self._expel(user, error.what)
        model = _describe(user.name, person, tokens, groups)
        apply_groups(user, groups)
        # at once, before another request asks with the old refresh token
        await user.save_auth_state(model["auth_state"])
        return model

    def _expel(self, user: Any, why: str) -> bool:
        self.log.warning("The membership of %s has ended: %s", user.name, why)
        apply_groups(user, ())
        end_visits(user)
        return False

    def _admit(self, person: Person, facts: Mapping[str, Any]) -> frozenset[str]:
        """Return the hub groups of a person.

        Raises
        ------
        ForbiddenError
            If the person may not get in: `NotAdmittedError` if it is for their groups.
        """
        if self.one_person and person.subject not in self.sign_on.accounts:
            raise ForbiddenError(
                "This platform is for one person, and the provider says that you are another: "
                f"{person.subject!r}.",
                remedy="If it is yours, write this identifier into 'accounts' in the settings of "
                "the sign-on, and restart it.",
            )
        groups = read_groups(facts, self.sign_on.groups_claim)
        if groups is None:
            raise NotAdmittedError(
                f"The provider names no groups of this person: its userinfo has no claim "
                f"{self.sign_on.groups_claim!r}.",
                remedy="The administrator of the provider adds this person to a group, or the "
                "claim to the userinfo for this client.",
            )
        if not self.sign_on.find_rules(groups):
            raise NotAdmittedError(
                "None of this person's groups at the provider has access to this platform.",
                remedy="Ask the administrator of the platform which group you need.",
            )
        return self.sign_on.hub_groups(groups)

    async def _name_account(
        self, handler: CallbackHandler, person: Person, facts: Mapping[str, Any]
    ) -> str:
        listed = self.sign_on.accounts
        if person.subject in listed:
            return await asyncio.to_thread(self.names.bind, person, listed[person.subject])
        wish = str(facts.get(self.sign_on.name_claim) or "")
        kept = _RESERVED | {*listed.values()}
        taken = {
            name
            for name in suggest_names(wish, person.mark)
            if name in kept or handler.find_user(name) is not None
        }
        return await asyncio.to_thread(self.names.give, person, wish, taken)


def _describe(
    name: str, person: Person, tokens: Mapping[str, Any], groups: frozenset[str]
) -> dict[str, Any]:
    """Return an account as JupyterHub wants it described; it keeps the state encrypted."""
    return {
        "name": name,
        "groups": sorted(groups),
        "auth_state": {
            "issuer": person.issuer,
            "subject": person.subject,
            "renewed_at": time.time(),
            **{key: tokens.get(key) for key in ("access_token", "refresh_token")},
        },
    }
