"""One provider and one hub for the tests of a module."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from tests.integration.sign_on.hub import GROUPS, SignOnHub, choose_address, serve_sign_on_hub
from tests.integration.sign_on.provider import (
    CLIENT,
    PEOPLE,
    ProviderServer,
    serve_provider,
)


@dataclass
class Stage:
    """A provider and the hub that trusts it."""

    provider: ProviderServer
    hub: SignOnHub
    settings: dict[str, Any]


@pytest.fixture(scope="module")
def running_stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    url = choose_address()
    with serve_provider(
        f"{url}/hub/oauth_callback", f"{url}/hub/login", access_token_s=2
    ) as provider:
        settings = {
            "issuer": provider.url, "client_id": CLIENT, "groups": GROUPS,
            "title": "Example Institute", "renew_after_s": 1,
        }  # fmt: skip
        folder = tmp_path_factory.mktemp("sign-on")
        with serve_sign_on_hub(folder, url, settings, provider.secret) as hub:
            yield Stage(provider, hub, settings)


@pytest.fixture
def stage(running_stage: Stage) -> Stage:
    """Return the stage, whose provider knows what it knew at first."""
    running_stage.provider.set_away(away=False)
    running_stage.provider.set_people(PEOPLE)
    running_stage.provider.rotate_keys("first")
    return running_stage
