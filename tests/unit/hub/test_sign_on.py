"""Sign-on of people: settings that contradict themselves, names that nobody can take over."""

import threading
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from urllib.parse import urlsplit

import pytest
from traitlets.config import Config

from skerry.core.errors import ConflictError, ForbiddenError, InvalidInputError
from skerry.core.oidc.sign_on_settings import SECRET_VARIABLE, SignOnSettings
from skerry.core.scopes import PEOPLE_ROLES, ROLES, list_projects
from skerry.hub.roles import ROLE_PREFIX
from skerry.hub.sign_on import set_sign_on
from skerry.hub.sign_on.handlers import derive_nonce, name_cookie
from skerry.hub.sign_on.membership import read_groups
from skerry.hub.sign_on.names import AccountNames, Person, suggest_names

ISSUER = "https://login.example.org/realms/lab"
SETTINGS: dict[str, Any] = {
    "issuer": ISSUER,
    "client_id": "skerry",
    "groups": [
        {"group": "/eo", "roles": ["scientist"]},
        {"group": "/eo/lakes", "roles": ["reviewer", "operator"], "projects": ["lakes"]},
    ],
}
ENVIRONMENT = {SECRET_VARIABLE: "s3cret", "JUPYTERHUB_CRYPT_KEY": "00" * 32}


def make_settings(**changes: Any) -> SignOnSettings:
    return SignOnSettings.model_validate(SETTINGS | changes)


@pytest.fixture
def config(tmp_path: Path) -> Any:
    made = Config()
    made.JupyterHub.public_url = "https://eo.example.org/"
    made.JupyterHub.subdomain_host = "https://eo.example.org"
    made.JupyterHub.db_url = f"sqlite:///{tmp_path}/hub.sqlite"
    made.JupyterHub.load_roles = [{"name": f"{ROLE_PREFIX}{name}", "scopes": []} for name in ROLES]
    made.JupyterHub.load_groups = {"projects": {"users": ["project-main"]}}
    return made


class TestSettings:
    @pytest.mark.parametrize(
        ("change", "words"),
        [
            ({"issuer": "http://login.example.org"}, "issuer: must be an https address"),
            ({"issuer": "login.example.org"}, "issuer: must be an https address"),
            ({"groups": []}, "groups: Tuple should have at least 1 item"),
            ({"groups": [{"group": "a", "roles": ["run"]}]}, "groups.0.roles.0: "),
            ({"groups": [{"group": "a", "projects": ["projects"]}]}, "the platform itself uses"),
            ({"groups": [{"group": "a", "projects": ["project-main"]}]}, "the platform itself"),
            ({"groups": [{"group": "a", "projects": ["role:admin"]}]}, "no name of a project"),
            ({"groups": [{"group": "a", "project": ["lakes"]}]}, "groups.0.project: Extra"),
            ({"algorithms": ["none"]}, "algorithms.0: "),
            ({"algorithms": ["HS256"]}, "algorithms.0: "),
            ({"accounts": {"1": "Ann"}}, "accounts.1: is no name of an account"),
            ({"accounts": {"1": "projects"}}, "the platform itself uses"),
            ({"accounts": {"1": "ann", "2": "ann"}}, "the name 'ann' to two people"),
            ({"scopes": ["profile"]}, "lack 'openid'"),
            ({"client_secret": "s3cret"}, "client_secret: Extra"),
            ({"renew_after_s": 0}, "renew_after_s: "),
        ],
    )
    def test_what_is_wrong_is_named_with_its_place(
        self, tmp_path: Path, change: dict[str, Any], words: str
    ) -> None:
        import json

        path = tmp_path / "sign-on.json"
        path.write_text(json.dumps(SETTINGS | change))
        with pytest.raises(InvalidInputError) as refused:
            SignOnSettings.read(path)
        assert str(path) in str(refused.value)
        assert words in str(refused.value)
        assert "s3cret" not in str(refused.value)

    def test_a_file_that_is_not_there_or_no_json_is_named(self, tmp_path: Path) -> None:
        with pytest.raises(InvalidInputError, match="cannot be read"):
            SignOnSettings.read(tmp_path / "none.json")
        (tmp_path / "empty.json").write_text("")
        with pytest.raises(InvalidInputError, match="the whole: Invalid JSON"):
            SignOnSettings.read(tmp_path / "empty.json")

    def test_groups_give_roles_and_projects(self) -> None:
        settings = make_settings()
        assert settings.hub_groups(["/eo"]) == {"role:scientist"}
        both = settings.hub_groups(["/eo", "/eo/lakes", "/other"])
        assert both == {"role:scientist", "role:reviewer", "role:operator", "lakes"}
        assert settings.hub_groups(["eo", "/EO", "/eo/"]) == set(), "groups are compared exactly"
        assert list_projects(both | {"projects"}) == {"lakes"}


class TestSetter:
    def test_memberships_are_asked_for_again_and_nobody_is_let_in_otherwise(
        self, config: Any
    ) -> None:
        set_sign_on(config, make_settings(renew_after_s=60), ENVIRONMENT)
        assert config.Authenticator.enable_auth_state
        assert config.Authenticator.auth_refresh_age == 60
        assert config.Authenticator.auth_refresh_strict, "tokens too"
        assert not config.Authenticator.allow_all
        assert not config.Authenticator.allow_existing_users
        assert not config.Authenticator.allowed_users
        assert not config.Authenticator.admin_users
        sign_on = config.ProviderAuthenticator
        assert sign_on.oauth_callback_url == "https://eo.example.org/hub/oauth_callback"
        assert sign_on.client_secret == "s3cret"
        assert not sign_on.one_person
        assert config.JupyterHub.cookie_host_prefix_enabled, "of no use to other subdomains"

    def test_roles_belong_to_groups_that_are_no_projects(self, config: Any) -> None:
        set_sign_on(config, make_settings(), ENVIRONMENT)
        roles = {role["name"]: role.get("groups") for role in config.JupyterHub.load_roles}
        assert roles == {
            **{f"{ROLE_PREFIX}{name}": [f"role:{name}"] for name in PEOPLE_ROLES},
            f"{ROLE_PREFIX}run": None,
        }
        assert config.JupyterHub.load_groups == {
            "lakes": {}, "projects": {"users": ["project-main"]},
        }  # fmt: skip

    def test_the_address_after_sign_on_follows_the_hub_s(self, config: Any) -> None:
        config.JupyterHub.base_url = "/eo/"
        set_sign_on(config, make_settings(), ENVIRONMENT)
        callback = config.ProviderAuthenticator.oauth_callback_url
        assert callback == "https://eo.example.org/eo/hub/oauth_callback"

    def test_without_a_key_for_kept_tokens_nothing_starts(self, config: Any) -> None:
        with pytest.raises(InvalidInputError, match="JUPYTERHUB_CRYPT_KEY"):
            set_sign_on(config, make_settings(), {SECRET_VARIABLE: "s3cret"})
        config.CryptKeeper.keys = [b"0" * 32]
        set_sign_on(config, make_settings(), {SECRET_VARIABLE: "s3cret"})

    def test_the_secret_comes_from_a_variable_or_a_file(self, config: Any, tmp_path: Path) -> None:
        key = {"JUPYTERHUB_CRYPT_KEY": "00" * 32}
        with pytest.raises(InvalidInputError, match="SKERRY_SIGN_ON_SECRET"):
            set_sign_on(config, make_settings(), key)
        named = key | {f"{SECRET_VARIABLE}_FILE": str(tmp_path / "secret")}
        with pytest.raises(InvalidInputError, match="cannot be read"):
            set_sign_on(config, make_settings(), named)
        (tmp_path / "secret").write_text("from-a-file\n")
        set_sign_on(config, make_settings(), named)
        assert config.ProviderAuthenticator.client_secret == "from-a-file"

    def test_one_origin_holds_one_person(self, config: Any) -> None:
        del config.JupyterHub["subdomain_host"]
        for accounts in ({}, {"sub-1": "ann", "sub-2": "bob"}):
            with pytest.raises(InvalidInputError, match="subdomain_host"):
                set_sign_on(config, make_settings(accounts=accounts), ENVIRONMENT)
        set_sign_on(config, make_settings(accounts={"sub-1": "ann"}), ENVIRONMENT)
        assert config.ProviderAuthenticator.one_person
        assert "cookie_host_prefix_enabled" not in config.JupyterHub

    def test_without_an_own_address_nothing_starts(self, config: Any) -> None:
        del config.JupyterHub["subdomain_host"]
        del config.JupyterHub["public_url"]
        with pytest.raises(InvalidInputError, match="public_url"):
            set_sign_on(config, make_settings(accounts={"sub-1": "ann"}), ENVIRONMENT)


class TestNames:
    @pytest.fixture
    def names(self, tmp_path: Path) -> Any:
        made = AccountNames(f"sqlite:///{tmp_path}/hub.sqlite")
        yield made
        made.close()

    def test_a_name_is_kept_whatever_the_person_is_called_later(self, names: AccountNames) -> None:
        ann = Person(ISSUER, "sub-ann")
        assert names.give(ann, "ann", ()) == "ann"
        for renamed in ("ann.married", "bob", "", "ANN"):
            assert names.give(ann, renamed, ()) == "ann"
        assert names.find(ann) == "ann"

    def test_nobody_takes_over_a_name(self, names: AccountNames) -> None:
        """Not by a changed user name, nor at another provider, nor with the mark of the name."""
        ann = Person(ISSUER, "sub-ann")
        assert names.give(ann, "ann", ()) == "ann"
        attacker = Person(ISSUER, "sub-attacker")
        given = names.give(attacker, "ann", ())
        assert given == f"ann-{attacker.mark[:6]}"
        elsewhere = Person("https://evil.example.org", "sub-ann")
        assert names.give(elsewhere, "ann", ()) not in ("ann", given)
        guess = Person(ISSUER, "sub-guess")
        assert names.give(guess, given, ()) not in ("ann", given)
        for wish in ("Ann", "ANN", "ánn", "  ann ", "ann.", "-ann", "ann@", "ａｎｎ"):  # noqa: RUF001
            assert names.give(Person(ISSUER, f"sub {wish!r}".encode().hex()), wish, ()) != "ann"

    def test_a_name_stays_taken_when_the_hub_forgets_the_account(self, tmp_path: Path) -> None:
        url = f"sqlite:///{tmp_path}/hub.sqlite"
        names = AccountNames(url)
        assert names.give(Person(ISSUER, "first"), "ann", ()) == "ann"
        names.close()
        again = AccountNames(url)
        assert again.give(Person(ISSUER, "second"), "ann", ()) != "ann"
        assert again.give(Person(ISSUER, "first"), "ann", {"ann"}) == "ann"
        again.close()

    def test_accounts_made_otherwise_are_not_given(self, names: AccountNames) -> None:
        person = Person(ISSUER, "sub")
        assert names.give(person, "project-main", {"project-main"}) != "project-main"
        other = Person(ISSUER, "other")
        with pytest.raises(ConflictError, match="No name"):
            names.give(other, "eve", set(suggest_names("eve", other.mark)))

    def test_a_listed_account_is_its_person_s_alone(self, names: AccountNames) -> None:
        assert names.bind(Person(ISSUER, "ann"), "ann") == "ann"
        assert names.bind(Person(ISSUER, "ann"), "ann") == "ann"
        with pytest.raises(ConflictError, match="belongs to another"):
            names.bind(Person(ISSUER, "bob"), "ann")
        with pytest.raises(ConflictError, match="has the account 'ann'"):
            names.bind(Person(ISSUER, "ann"), "anna")
        assert names.find(Person(ISSUER, "bob")) is None

    def test_two_who_come_at_once_get_two_names(self, names: AccountNames) -> None:
        given: list[str] = []
        barrier = threading.Barrier(8)

        def sign_on(number: int) -> None:
            barrier.wait()
            given.append(names.give(Person(ISSUER, f"sub-{number}"), "ann", ()))

        threads = [threading.Thread(target=sign_on, args=(number,)) for number in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(set(given)) == 8
        assert "ann" in given

    @pytest.mark.parametrize("subject", ["", "x" * 256, "ünïcode"])
    def test_an_identifier_that_no_provider_may_give_is_refused(
        self, names: AccountNames, subject: str
    ) -> None:
        with pytest.raises(ForbiddenError, match="sub"):
            names.give(Person(ISSUER, subject), "ann", ())
        with pytest.raises(ForbiddenError, match="sub"):
            names.bind(Person(ISSUER, subject), "ann")

    @pytest.mark.parametrize(
        ("wish", "name"),
        [
            ("Ann", "ann"), ("ann@example.org", "ann-example.org"), ("Änn Müller", "ann-muller"),
            ("../../etc", "etc"), ("a/b", "a-b"), ("ann:x", "ann-x"), ("ann\n", "ann"),
        ],
    )  # fmt: skip
    def test_names_are_safe_in_paths_and_addresses(self, wish: str, name: str) -> None:
        assert next(suggest_names(wish, "f" * 32)) == name

    @pytest.mark.parametrize("wish", ["", "42", "Анна", "...", "-", "安"])
    def test_who_has_no_usable_name_gets_a_plain_one(self, wish: str) -> None:
        assert next(suggest_names(wish, "f" * 32)) == "person-ffffff"


@pytest.mark.parametrize(
    ("claims", "path", "groups"),
    [
        ({"groups": ["a", "b"]}, "groups", {"a", "b"}),
        ({"groups": "a"}, "groups", {"a"}),
        ({"groups": []}, "groups", set()),
        ({}, "groups", None),
        ({"groups": {"a": 1}}, "groups", None),
        ({"groups": ["a", 7, None]}, "groups", {"a"}),
        ({"realm_access": {"roles": ["a"]}}, "realm_access.roles", {"a"}),
        ({"https://example.org/groups": ["a"]}, "https://example.org/groups", {"a"}),
        ({"realm_access": "roles"}, "realm_access.roles", None),
    ],
)
def test_groups_are_read_from_where_the_settings_say(
    claims: dict[str, Any], path: str, groups: set[str] | None
) -> None:
    assert read_groups(claims, path) == groups


def test_the_last_of_very_many_groups_counts_as_the_first() -> None:
    many = [f"/experiments/{number}" for number in range(30_000)]
    assert read_groups({"groups": [*many, "/eo"]}, "groups") == {*many, "/eo"}


@pytest.mark.parametrize(
    ("public_url", "begin"),
    [("https://eo.example.org", "__Host-skerry"), ("http://127.0.0.1:8000", "skerry")],
)
def test_over_https_no_other_subdomain_can_set_the_state(public_url: str, begin: str) -> None:
    handler = SimpleNamespace(settings={"public_url": urlsplit(public_url)})
    assert name_cookie(handler, "0" * 32).startswith(f"{begin}-sign-on-")


def test_the_nonce_is_another_for_each_sign_on() -> None:
    assert derive_nonce("0" * 32) == derive_nonce("0" * 32)
    assert derive_nonce("0" * 32) != derive_nonce("1" * 32)
