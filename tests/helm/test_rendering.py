"""Helm accepts the chart, and makes of it what it should."""

from pathlib import Path

import pytest
import yaml
from tests.helm.reachability import End, Network
from tests.helm.rendering import ADDED, CHART, DIGEST, NAMESPACE, Chart, find, list_pods

from skerry.core.cluster_hub_settings import ClusterHubSettings
from skerry.core.oidc.trusted_issuers import TRUSTED_VARIABLE, TrustedIssuers
from skerry.core.profile_sizes import read_profile_sizes
from skerry.core.run_size import RunSize
from skerry.core.worker_settings import WorkerSettings
from skerry.production.executors import kubernetes
from skerry.production.executors.kubernetes.settings import JobSettings

pytestmark = pytest.mark.kubernetes

PEM = "-----BEGIN CERTIFICATE-----"


@pytest.mark.parametrize("values", sorted(ADDED))
def test_helm_finds_no_fault(fullest_chart: Chart, values: str) -> None:
    words = ("lint", "--strict", str(fullest_chart.folder), "--namespace", NAMESPACE)
    result = fullest_chart.call(*words, values=values)
    assert result.returncode == 0, result.stdout + result.stderr


def test_every_values_file_is_tried() -> None:
    assert {path.stem for path in CHART.glob("values/*.yaml")} == set(ADDED)


@pytest.mark.parametrize("values", sorted(ADDED))
def test_each_part_of_the_platform_is_there(fullest_chart: Chart, values: str) -> None:
    objects = fullest_chart.render(values)
    for part in ("api", "maps", "dashboards"):
        find(objects, "Deployment", f"skerry-{part}")
        find(objects, "Service", f"skerry-{part}")
        find(objects, "PodDisruptionBudget", f"skerry-{part}")
    worker = find(objects, "StatefulSet", "skerry-worker")
    assert worker["spec"]["serviceName"] == "skerry-worker"
    if fullest_chart.is_whole:
        for name in ("hub", "proxy", "api-dask-gateway", "controller-dask-gateway"):
            find(objects, "Deployment", name)


def test_no_two_objects_are_the_same(fullest_chart: Chart) -> None:
    for values in ADDED:
        objects = fullest_chart.render(values)
        names = [
            (content["kind"], content["metadata"].get("namespace"), content["metadata"]["name"])
            for content in objects
        ]
        assert len(names) == len(set(names))


def test_tables_are_brought_up_to_date_before_an_upgrade(chart: Chart) -> None:
    first = find(chart.render("production"), "Job", "skerry-migrations-1")
    assert "annotations" not in first["metadata"], "a new installation waits for no hook"
    again = find(chart.render("production", "--is-upgrade"), "Job", "skerry-migrations-1")
    assert again["metadata"]["annotations"]["helm.sh/hook"] == "pre-upgrade"
    container = again["spec"]["template"]["spec"]["containers"][0]
    assert container["args"] == ["python", "-m", "skerry.cli", "database", "upgrade"]
    waiting = first["spec"]["template"]["spec"]["containers"][0]
    assert waiting["args"] == [*container["args"], "--wait", "600"], "its database may be starting"


def test_each_person_gets_a_name_of_their_own(chart: Chart) -> None:
    hosts = ["skerry.example.org", "*.skerry.example.org"]
    ingress = find(chart.render("production"), "Ingress", "skerry")
    assert [rule["host"] for rule in ingress["spec"]["rules"]] == hosts
    assert ingress["spec"]["tls"] == [{"secretName": "skerry-tls", "hosts": hosts}]
    gateways = [{"name": "public", "namespace": "infra"}]
    objects = chart.render("production", ingress={"kind": "gateway", "gateways": gateways})
    route = find(objects, "HTTPRoute", "skerry")
    assert route["spec"]["hostnames"] == hosts
    assert route["spec"]["parentRefs"] == gateways
    assert not [content for content in objects if content["kind"] == "Ingress"]


def test_the_worker_may_do_what_its_executor_needs_and_no_more(chart: Chart) -> None:
    """Its rights are written once, beside the executor."""
    folder = Path(kubernetes.__file__).parent
    source = yaml.safe_load((folder / "role.yaml").read_text())
    objects = chart.render("production")
    role = find(objects, "Role", "skerry-worker")
    assert role["rules"] == source["rules"]
    assert role["metadata"]["namespace"] == "skerry-attempts"
    [binding] = [
        content
        for content in objects
        if content["kind"] == "RoleBinding" and content["roleRef"]["name"] == "skerry-worker"
    ]
    assert binding["metadata"]["namespace"] == "skerry-attempts"
    assert [subject["name"] for subject in binding["subjects"]] == ["skerry-worker"]


def test_the_worker_can_read_where_attempts_run(
    chart: Chart, monkeypatch: pytest.MonkeyPatch
) -> None:
    earlier = f"registry.example/analysis@sha256:{'7' * 64}"
    images = [{"name": "last", "title": "Last", "image": earlier, "environment": "sha256:1"}]
    objects = chart.render(
        "production", servers={"images": images}, certificates={"authorities": PEM}
    )
    worker = find(objects, "StatefulSet", "skerry-worker")
    [container] = worker["spec"]["template"]["spec"]["containers"]
    for variable in container["env"]:
        if "value" in variable:
            monkeypatch.setenv(variable["name"], variable["value"])
    api = find(objects, "Deployment", "skerry-api")["spec"]["template"]["spec"]["containers"][0]
    told = [item for item in container["env"] if item["name"].startswith("SKERRY_JOBS_IMAGE")]
    assert len(told) == 2
    assert all(item in api["env"] for item in told), "it approves what a worker can carry out"
    jobs = JobSettings.from_environment()
    assert jobs.namespace == "skerry-attempts"
    assert jobs.image == f"registry.example.org/skerry/skerry-analysis@{DIGEST}"
    assert jobs.images == {"sha256:1": earlier}
    assert (jobs.pull, jobs.account) == ("IfNotPresent", "skerry-attempt")
    assert (jobs.priority, jobs.certificates) == ("skerry-production", "skerry-certificates")
    settings = WorkerSettings.from_environment()
    assert (settings.executor, settings.runs, settings.all_runs) == ("kubernetes", 50, None)
    assert settings.memory == 4_000_000_000


def test_replicas_are_chosen_by_load_where_the_values_say_so(chart: Chart) -> None:
    objects = chart.render("production")
    assert "replicas" not in find(objects, "Deployment", "skerry-maps")["spec"]
    scaler = find(objects, "HorizontalPodAutoscaler", "skerry-maps")
    assert (scaler["spec"]["minReplicas"], scaler["spec"]["maxReplicas"]) == (2, 12)
    assert find(chart.render("trial"), "Deployment", "skerry-maps")["spec"]["replicas"] == 1


def test_runs_go_before_people_and_after_the_platform(chart: Chart) -> None:
    classes = {
        content["metadata"]["name"]: content["value"]
        for content in chart.render("production")
        if content["kind"] == "PriorityClass"
    }
    order = ["skerry-platform", "skerry-production", "skerry-interactive"]
    assert sorted(classes, key=lambda name: -classes[name]) == order


@pytest.mark.parametrize(("values", "expected"), [("production", "off"), ("trial", "on")])
def test_people_of_a_team_do_not_approve_their_own_proposals(
    chart: Chart, values: str, expected: str
) -> None:
    api = find(chart.render(values), "Deployment", "skerry-api")
    [container] = api["spec"]["template"]["spec"]["containers"]
    variables = {one["name"]: one.get("value") for one in container["env"]}
    assert variables["SKERRY_SELF_APPROVAL"] == expected


def test_all_that_speak_to_the_provider_trust_the_authorities_of_the_values(chart: Chart) -> None:
    objects = chart.render("production", certificates={"authorities": PEM})
    hub = find(objects, "ConfigMap", "skerry-hub-settings")["data"]
    settings = ClusterHubSettings.model_validate_json(hub["hub.json"])
    folder, _, file = str(settings.authorities).rpartition("/")
    assert hub[file] == PEM
    hub_values = yaml.safe_load((CHART / "values.yaml").read_text())["jupyterhub"]["hub"]
    mounted = {one["name"]: one["mountPath"] for one in hub_values["extraVolumeMounts"]}
    assert mounted["skerry-settings"] == folder
    made = {
        (one["metadata"]["name"], one["metadata"]["namespace"]): one["data"]
        for one in objects
        if one["kind"] == "ConfigMap" and "certificates" in one["metadata"]["name"]
    }
    places = {("skerry-certificates", "skerry"), ("skerry-certificates", "skerry-attempts"),
              ("skerry-migrations-certificates", "skerry")}  # fmt: skip
    assert made == {place: {"ca.crt": PEM} for place in places}
    for part in ("api", "maps", "dashboards"):
        [container] = find(objects, "Deployment", f"skerry-{part}")["spec"]["template"]["spec"][
            "containers"
        ]
        variables = {one["name"]: one.get("value") for one in container["env"]}
        mounts = {one["mountPath"] for one in container["volumeMounts"]}
        assert variables["SSL_CERT_FILE"] == "/etc/skerry/certificates/ca.crt"
        assert "/etc/skerry/certificates" in mounts
    other = chart.render("production", certificates={"authorities": f"{PEM} other"})
    changed = find(other, "ConfigMap", "skerry-hub-settings")["data"]["hub.json"]
    assert changed != hub["hub.json"], "so a hub with other authorities starts anew"


@pytest.mark.parametrize("values", sorted(ADDED))
def test_the_hub_can_read_its_settings(chart: Chart, values: str) -> None:
    objects = chart.render(values)
    written = find(objects, "ConfigMap", "skerry-hub-settings")["data"]["hub.json"]
    settings = ClusterHubSettings.model_validate_json(written)
    many = values == "production"
    assert settings.only_person == (None if many else "owner")
    assert settings.user_domain == ("skerry.example.org" if many else None)
    assert settings.inside_url == "http://traefik-dask-gateway.skerry.svc"
    tokens = set(find(objects, "Secret", "skerry-tokens")["data"])
    assert tokens - {"password"} == {service.name for service in settings.services}
    assert ("password" in tokens) is not many
    assert settings.profiles[0].name == "small"


def test_the_documented_values_are_enough_for_a_trial(chart: Chart) -> None:
    page = (CHART.parents[1] / "platform" / "kubernetes.md").read_text()
    written = page.split("```yaml\n")[1].split("```")[0].replace("sha256:...", DIGEST)
    objects = chart.render("trial", **yaml.safe_load(written))
    api = find(objects, "Deployment", "skerry-api")
    [container] = api["spec"]["template"]["spec"]["containers"]
    assert container["image"] == "registry.example.org/skerry/skerry-services:0.1.0"


def test_api_and_maps_know_whose_tokens_machine_clients_may_bring(chart: Chart) -> None:
    client = {"name": "archive", "when": {"azp": "archive"}, "roles": ["scientist"]}
    issuer = {"issuer": "https://sso.example.org", "audience": "skerry", "clients": [client]}
    store = {"addresses": ["10.9.0.0/16"]}
    objects = chart.render("production", signOn={"trustedIssuers": [issuer]}, objects=store)
    written = find(objects, "ConfigMap", "skerry-trusted-issuers")["data"]["issuers.json"]
    assert TrustedIssuers.model_validate_json(written).names == {"archive"}
    network = Network(objects)
    for part, told in (("api", True), ("maps", True), ("dashboards", False)):
        pod = next(one for one in list_pods(objects) if one.name == f"Deployment/skerry-{part}")
        [container] = pod.containers
        names = {one["name"]: one.get("value", "") for one in container["env"]}
        places = {one["mountPath"] for one in container["volumeMounts"]}
        assert (TRUSTED_VARIABLE in names) is told
        assert ("/etc/skerry/issuers" in places) is told
        provider = End(address="198.51.100.7")
        assert network.allows(End(pod.labels), provider, 443) is told, part


def test_where_budgets_count_the_hub_has_a_token_to_ask_with(chart: Chart) -> None:
    for enabled in (False, True):
        objects = chart.render("trial", servers={"budgets": {"enabled": enabled}})
        written = find(objects, "ConfigMap", "skerry-hub-settings")["data"]["hub.json"]
        settings = ClusterHubSettings.model_validate_json(written)
        names = {service.name for service in settings.services}
        assert ("spawner" in names, settings.budgets.enabled) == (enabled, enabled)
        assert ("spawner" in find(objects, "Secret", "skerry-tokens")["data"]) is enabled


def test_the_api_knows_what_runs_and_seats_of_courses_take(
    chart: Chart, monkeypatch: pytest.MonkeyPatch
) -> None:
    api = find(chart.render("trial"), "Deployment", "skerry-api")
    [container] = api["spec"]["template"]["spec"]["containers"]
    for variable in container["env"]:
        if variable["name"] in ("SKERRY_PROFILES", "SKERRY_JOBS_CPU", "SKERRY_RUN_MEMORY_MB"):
            monkeypatch.setenv(variable["name"], variable["value"])
    assert read_profile_sizes()["small"][0] > 0
    assert RunSize.from_environment().memory > 0
