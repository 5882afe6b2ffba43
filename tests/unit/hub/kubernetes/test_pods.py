"""The pods that the real KubeSpawner makes of the configuration, for each person and profile."""

import asyncio
from pathlib import Path
from typing import Any

import pytest
from kubernetes_asyncio.client import ApiClient
from tests.cluster_hub import make_hub, name_image
from tests.kubespawners import configure, make_spawner
from tests.pod_variables import ODD, expand_references
from traitlets.config import Config

from skerry.core.hub_profiles import count_bytes
from skerry.hub.kubernetes.budgets import RefusedStartError

PEOPLE = {
    "ann": ("lakes", "lake-keepers", "role:scientist"),
    "zoe": ("lakes",),
    "Bob@Example.org": ("glaciers", "/Lakes/north"),
    "eve": (),
}
OFFERED = {
    "ann": {"small", "large"},
    "zoe": {"small", "large"},
    "Bob@Example.org": {"small", "gpu"},
    "eve": {"small"},
}
CHOICES = [(name, profile) for name in PEOPLE for profile in sorted(OFFERED[name])]


@pytest.fixture(scope="module")
def config(tmp_path_factory: pytest.TempPathFactory) -> Config:
    before = Config()
    # what values of the z2jh chart may ask for, and what must not get into a pod
    before.KubeSpawner.init_containers = [
        {"name": "root", "image": "tools", "securityContext": {"privileged": True, "runAsUser": 0}}
    ]
    before.KubeSpawner.volumes = {"host": {"name": "host", "hostPath": {"path": "/"}}}
    before.KubeSpawner.volume_mounts = {"host": {"name": "host", "mountPath": "/host"}}
    before.KubeSpawner.service_account = None
    # what z2jh sets of itself, and what its values may add
    before.KubeSpawner.start_timeout = 300
    before.KubeSpawner.environment = {"ADDED": "1", "SKERRY_URL": "https://elsewhere.example"}
    before.JupyterHub.services = [{"name": "others", "api_token": "token-of-others"}]
    return configure(make_hub(), tmp_path_factory.mktemp("tokens"), before)


def make_pod(config: Config, name: str, groups: tuple[str, ...], **choice: Any) -> dict[str, Any]:
    """Return the pod of a person's choice, as JSON for the API server."""

    async def make() -> Any:
        with make_spawner(config, name, groups, choice) as spawner:
            await spawner.load_user_options()
            pod = await spawner.get_pod_manifest()
        async with ApiClient() as client:
            return client.sanitize_for_serialization(pod)

    pod: dict[str, Any] = asyncio.run(make())
    return pod


def test_a_server_knows_the_platform_whatever_the_other_chart_sets(config: Config) -> None:
    [container] = make_pod(config, "eve", (), profile="small")["spec"]["containers"]
    variables = {item["name"]: item.get("value") for item in container["env"]}
    assert variables["SKERRY_URL"] == "https://skerry.example"
    assert variables["SKERRY_INTERNAL_URL"] == "http://inside.skerry.svc"
    assert variables["ADDED"] == "1"
    assert container["args"] == ["python", "-m", "skerry.hub.kubernetes.user_server"]
    with make_spawner(config, "eve", ()) as spawner:
        assert spawner.start_timeout == 600


@pytest.mark.parametrize(("name", "profile"), CHOICES)
def test_every_pod_fulfils_the_restricted_standard(config: Config, name: str, profile: str) -> None:
    pod = make_pod(config, name, PEOPLE[name], profile=profile)["spec"]
    assert pod["automountServiceAccountToken"] is False
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert not {"hostNetwork", "hostPID", "hostIPC", "serviceAccountName"} & set(pod)
    assert pod["enableServiceLinks"] is False
    assert pod["priorityClassName"] == "skerry-interactive"
    assert "initContainers" not in pod
    [container] = pod["containers"]
    security = container["securityContext"]
    assert security["allowPrivilegeEscalation"] is False
    assert security["runAsNonRoot"] is True
    assert security["runAsUser"] == 1000
    assert security["privileged"] is False
    assert security["readOnlyRootFilesystem"] is True
    assert security["capabilities"] == {"drop": ["ALL"]}
    assert container["image"] == name_image("a")


@pytest.mark.parametrize(("name", "profile"), CHOICES)
def test_every_pod_has_the_limits_of_its_profile(config: Config, name: str, profile: str) -> None:
    [asked] = [one for one in make_hub().profiles if one.name == profile]
    pod = make_pod(config, name, PEOPLE[name], profile=profile)["spec"]
    resources = pod["containers"][0]["resources"]
    assert int(resources["limits"]["memory"]) == count_bytes(asked.memory)
    assert int(resources["requests"]["memory"]) == count_bytes(asked.memory)
    assert float(resources["limits"]["cpu"]) == asked.cpu
    assert 0 < float(resources["requests"]["cpu"]) <= asked.cpu
    assert resources["limits"].get("nvidia.com/gpu") == ("1" if profile == "gpu" else None)
    assert pod.get("nodeSelector", {}) == asked.node_selector
    taints = [{"key": "nvidia.com/gpu", "operator": "Exists", "effect": "NoSchedule"}]
    assert pod.get("tolerations", []) == (taints if profile == "gpu" else [])


SHARED = {"elevation": "/data/elevation"}
MOUNTS = {
    "ann": {"/data/lakes": "rw", "/projects/lakes": "rw", "/projects/lake-keepers": "rw"},
    "zoe": {"/data/lakes": "ro", "/projects/lakes": "rw"},
    "Bob@Example.org": {"/projects/glaciers": "rw"},
    "eve": {},
}


@pytest.mark.parametrize("name", list(PEOPLE))
def test_volumes_are_the_person_s_own_and_those_of_their_groups(config: Config, name: str) -> None:
    pod = make_pod(config, name, PEOPLE[name])["spec"]
    mounts = {one["mountPath"]: one for one in pod["containers"][0]["volumeMounts"]}
    expected = {"/home/skerry": "rw", "/tmp": "rw", "/data/elevation": "ro", **MOUNTS[name]}
    found = {path: "ro" if one.get("readOnly") else "rw" for path, one in mounts.items()}
    folder = "/projects/lakes-north---"
    strange = [path for path in found if path.startswith(folder)]
    assert len(strange) == (1 if "/Lakes/north" in PEOPLE[name] else 0)
    assert {path: how for path, how in found.items() if path not in strange} == expected
    for path, one in mounts.items():
        if path.startswith("/projects/"):
            assert one["subPath"] == path.removeprefix("/projects/"), "not another's folder"
    claims = {
        one["persistentVolumeClaim"]["claimName"]
        for one in pod["volumes"] if "persistentVolumeClaim" in one
    }  # fmt: skip
    home = next(iter(one for one in claims if one.startswith("home-")))
    assert claims - {home} == (
        {"elevation"}
        | ({"models"} if "/data/lakes" in expected else set())
        | ({"projects"} if any(path.startswith("/projects") for path in found) else set())
    )
    assert {one["name"] for one in mounts.values()} == {one["name"] for one in pod["volumes"]}
    assert not any("hostPath" in one for one in pod["volumes"])


def test_no_two_people_share_a_home(config: Config) -> None:
    names = ["ann", "Ann", "ANN", "a.nn", "a-nn", "a_nn", "ann@a.org", "ann@b.org", "home", "ånn"]
    homes, labels = set(), set()
    for name in names:
        pod = make_pod(config, name, ())
        [home] = [one for one in pod["spec"]["volumes"] if one["name"] == "skerry-home"]
        homes.add(home["persistentVolumeClaim"]["claimName"])
        labels.add(pod["metadata"]["name"])
    assert len(homes) == len(labels) == len(names)


def test_names_of_projects_lead_nowhere(config: Config) -> None:
    groups = ("..", ".", "/", "../../etc", "a/../b", "A", "a", "{pvc_name}", "x" * 300, "projects")
    pod = make_pod(config, "eve", groups)["spec"]
    folders = [one["subPath"] for one in pod["containers"][0]["volumeMounts"] if "subPath" in one]
    assert len(set(folders)) == len(groups) - 1, "each has its own; the accounts' has none"
    for folder in folders:
        assert folder.strip("abcdefghijklmnopqrstuvwxyz0123456789-") == ""
        assert len(folder) <= 63


@pytest.mark.parametrize("name", list(PEOPLE))
def test_only_offered_profiles_and_images_start(config: Config, name: str) -> None:
    for profile in {"small", "large", "gpu", "none"} - OFFERED[name]:
        with pytest.raises(RefusedStartError, match=f"no profile '{profile}' for you"):
            make_pod(config, name, PEOPLE[name], profile=profile)
    with pytest.raises(RefusedStartError, match="has no environment 'any'"):
        make_pod(config, name, PEOPLE[name], image="any")
    with pytest.raises(RefusedStartError, match="no option 'image--unlisted-choice'"):
        make_pod(config, name, PEOPLE[name], **{"image--unlisted-choice": "evil"})
    for choice in ({"profile": ["small"]}, {"image": {"name": "last"}}, {"profile": 1}):
        with pytest.raises(RefusedStartError, match="which is no name"):
            make_pod(config, name, PEOPLE[name], **choice)
    chosen = make_pod(config, name, PEOPLE[name], profile="small", image="last")["spec"]
    assert chosen["containers"][0]["image"] == name_image("b")


def test_an_image_that_a_profile_leaves_out_is_refused(config: Config) -> None:
    groups = PEOPLE["Bob@Example.org"]
    with pytest.raises(RefusedStartError, match="'gpu' has no environment 'last'"):
        make_pod(config, "bob", groups, profile="gpu", image="last")


def test_a_failed_choice_leaves_nothing_in_the_next(config: Config) -> None:
    async def choose_twice() -> Any:
        groups = PEOPLE["Bob@Example.org"]
        with make_spawner(config, "bob", groups, {"profile": "gpu"}) as spawner:
            await spawner.load_user_options()
            spawner.user_options = {"profile": "small"}
            await spawner.load_user_options()
            return await spawner.get_pod_manifest()

    pod = asyncio.run(choose_twice())
    assert pod.spec.tolerations in (None, [])
    assert "nvidia.com/gpu" not in pod.spec.containers[0].resources.limits


def test_who_has_no_profile_is_told_so(tmp_path: Path) -> None:
    only = [{"name": "gpu", "title": "GPU", "cpu": 1, "memory": "1Gi", "groups": ["glaciers"]}]
    config = configure(make_hub(profiles=only), tmp_path)
    with pytest.raises(RefusedStartError, match="None of your groups has a profile"):
        make_pod(config, "eve", ())


def test_variables_of_the_settings_reach_a_server_as_they_are(tmp_path: Path) -> None:
    config = configure(make_hub(environment={"TEXT": ODD}), tmp_path)
    pod = make_pod(config, "ann", PEOPLE["ann"])["spec"]
    values = {one["name"]: one.get("value") for one in pod["containers"][0]["env"]}
    assert expand_references(values["TEXT"], {"HOME": "/home/ann"}) == ODD


def test_the_environment_leads_to_the_platform_and_through_the_own_server(config: Config) -> None:
    pod = make_pod(config, "ann", PEOPLE["ann"])["spec"]
    values = {one["name"]: one.get("value") for one in pod["containers"][0]["env"]}
    assert values["SKERRY_URL"] == "https://skerry.example"
    assert values["SKERRY_INTERNAL_URL"] == "http://inside.skerry.svc"
    assert values["DASK_GATEWAY__ADDRESS"] == "http://inside.skerry.svc/services/dask-gateway"
    assert values["DASK_GATEWAY__PUBLIC_ADDRESS"] == (
        "https://ann.people.skerry.example/user/ann/skerry/dask"
    )
    assert values["SKERRY_DASK_DASHBOARDS"] == "traefik-dask-gateway:80"
    assert values["DASK_GATEWAY__CLUSTER__OPTIONS__IMAGE"] == "{JUPYTER_IMAGE_SPEC}"
    assert values["JUPYTER_IMAGE_SPEC"] == name_image("a")
    assert values["JUPYTERHUB_COOKIE_HOST_PREFIX_ENABLED"] == "1"
    assert values["JUPYTERHUB_HOST"] == "https://skerry.example"
    secrets = {name for name, value in values.items() if "token-of" in str(value)}
    assert secrets == set(), "no service's token"
