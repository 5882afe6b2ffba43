"""Real spawners of real people of JupyterHub, in memory, with Skerry's configuration."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from unittest.mock import patch

from jupyterhub import orm
from jupyterhub.app import JupyterHub
from jupyterhub.objects import Hub
from jupyterhub.user import User
from traitlets.config import Config

from skerry.core.cluster_hub_settings import TOKENS_VARIABLE, ClusterHubSettings
from skerry.hub.kubernetes.configuration import configure_hub
from skerry.hub.kubernetes.spawner import PersonSpawner


def configure(settings: ClusterHubSettings, tokens: Path, before: Config | None = None) -> Config:
    """Return the configuration after that of z2jh, of which `before` is a part."""
    for service in settings.services:
        (tokens / service.name).write_text(f"token-of-{service.name}")
    (tokens / "password").write_text("a long password of the one person")
    config = before if before is not None else Config()
    config.JupyterHub.setdefault("authenticator_class", "shared-password")
    with patch.dict("os.environ", {TOKENS_VARIABLE: str(tokens)}):
        configure_hub(config, settings)
    return config


@contextmanager
def make_spawner(
    config: Config, name: str, groups: Sequence[str], choice: dict[str, Any] | None = None
) -> Iterator[PersonSpawner]:
    """Give the spawner of a person with these groups, who has chosen a profile and an image."""
    config = config.copy()
    config.KubeSpawner.namespace = "skerry"
    app = JupyterHub(config=config)
    database = orm.new_session_factory("sqlite://")()
    try:
        person = orm.User(name=name)
        database.add(person)
        for group in groups:
            database.add(orm.Group(name=group, users=[person]))
        database.commit()
        user = User(
            person,
            {
                "spawner_class": PersonSpawner,
                "config": config,
                "hub": Hub(ip="127.0.0.1", base_url="/hub/", public_host=app.public_url[:-1]),
                "base_url": "/",
                "subdomain_host": app.subdomain_host,
                "subdomain_hook": app.subdomain_hook,
                "domain": app.domain,
                "cookie_host_prefix_enabled": app.cookie_host_prefix_enabled,
                "authenticator": app.authenticator_class(),
            },
            database,
        )
        # there is no Kubernetes to talk to
        with patch("kubespawner.spawner.load_config"), patch("kubespawner.spawner.shared_client"):
            spawner: PersonSpawner = user.spawner
        spawner.user_options = choice or {}
        yield spawner
    finally:
        engine = database.get_bind()
        database.close()
        engine.dispose()
