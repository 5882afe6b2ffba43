import json
from pathlib import Path
from typing import Any

import pytest
from tests.cluster_hub import describe_hub, make_hub

from skerry.core.cluster_hub_settings import ClusterHubSettings, read_token
from skerry.core.errors import InvalidInputError

_SIGN_ON = {
    "issuer": "https://sso.people.skerry.example/realms/eo",
    "client_id": "skerry",
    "groups": [{"group": "/eo"}],
}


def test_settings_are_the_same_after_the_chart_has_written_them() -> None:
    settings = make_hub()
    written = settings.model_dump_json(by_alias=True)
    assert ClusterHubSettings.model_validate_json(written) == settings
    assert "publicUrl" in json.loads(written)


def test_the_schema_has_the_keys_of_values() -> None:
    schema = ClusterHubSettings.model_json_schema()
    assert set(describe_hub()) <= set(schema["properties"])
    assert schema["additionalProperties"] is False
    assert not any("secret" in key.lower() for key in schema["properties"])


def test_more_than_one_person_needs_a_domain_for_each() -> None:
    with pytest.raises(ValueError, match="userDomain is missing"):
        make_hub(userDomain=None)
    assert make_hub(userDomain=None, onlyPerson="ann").only_person == "ann"


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"publicUrl": "http://skerry.example"}, "not https"),
        ({"publicUrl": "https://skerry.example/"}, "publicUrl"),
        ({"publicUrl": "https://eo.people.example", "userDomain": "people.example"}, "above the"),
        ({"signOn": _SIGN_ON}, "'sso.people.skerry.example', below userDomain"),
        ({"colour": "blue"}, "colour"),
        ({"profiles": []}, "profiles"),
        (
            {"images": [{"name": "a", "title": "A", "image": "registry.example/skerry:latest"}]},
            "images.0.image",
        ),
        (
            {"profiles": [{"name": "a", "title": "A", "cpu": 1, "memory": "4GB"}]},
            "profiles.0.memory",
        ),
        (
            {"profiles": [{"name": "a", "title": "A", "cpu": 1, "memory": "4Gi"}] * 2},
            "'a' is there twice",
        ),
        (
            {"profiles": [
                {"name": "a", "title": "A", "cpu": 1, "memory": "4Gi", "images": ["old"]}
            ]},
            "names no image: 'old'",
        ),
        ({"shared": [{"name": "a", "claim": "a", "mount": "/usr/lib"}]}, "hides a folder"),
        ({"shared": [{"name": "a", "claim": "a", "mount": "/data/../etc"}]}, "absolute path"),
        ({"shared": [{"name": "a", "claim": "a", "mount": "/home/skerry"}]}, "there twice"),
        (
            {"shared": [{"name": "a", "claim": "a", "mount": "/data", "subPath": "../b"}]},
            "subPath",
        ),
        ({"idle": {"endAfterMinutes": 10, "warnMinutes": 10}}, "nobody is told in time"),
        (
            {"dask": {
                "dashboards": "traefik:80", "proxyAddress": "gateway://traefik:80",
                "memoryPerUser": "4Gi",
            }},
            "not enough for a scheduler",
        ),
    ],
)  # fmt: skip
def test_wrong_settings_are_refused_with_their_key(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, changes: dict[str, Any], words: str
) -> None:
    path = tmp_path / "hub.json"
    path.write_text(json.dumps(describe_hub(**changes)))
    monkeypatch.setenv("SKERRY_HUB_SETTINGS", str(path))
    with pytest.raises(InvalidInputError, match=words):
        ClusterHubSettings.from_environment()


def test_a_variable_may_hold_the_settings_themselves(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SKERRY_HUB_SETTINGS", json.dumps(describe_hub(), indent=1))
    assert ClusterHubSettings.from_environment() == make_hub()
    monkeypatch.setenv("SKERRY_HUB_SETTINGS", json.dumps(describe_hub(publicUrl="nowhere")))
    with pytest.raises(InvalidInputError, match="SKERRY_HUB_SETTINGS: publicUrl"):
        ClusterHubSettings.from_environment()


def test_tokens_are_files_called_after_their_services(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SKERRY_HUB_TOKENS", str(tmp_path))
    (tmp_path / "api").write_text("token-of-the-api\n")
    assert read_token("api") == "token-of-the-api"
    (tmp_path / "maps").write_text("")
    for name in ("maps", "worker"):
        with pytest.raises(InvalidInputError, match=f"'{name}' is missing"):
            read_token(name)
