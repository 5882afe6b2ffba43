"""Kubernetes' own API server takes the chart's objects, and holds accounts to their rights."""

import base64

import pytest
from tests.helm.cluster import Release
from tests.helm.rendering import ADDED, Chart
from tests.helm.test_properties import UPSTREAM
from tests.kubernetes.server import KubernetesServer

pytestmark = pytest.mark.kubernetes


@pytest.fixture(scope="module")
def releases(cluster: KubernetesServer, fullest_chart: Chart) -> dict[str, Release]:
    made = {}
    for values in sorted(ADDED, reverse=True):  # trial first: it makes the priority classes
        release = Release(cluster, fullest_chart, values, f"skerry-{values}")
        if values == "production":
            release.prepare_production()
        else:
            release.prepare()
        result = release.call("install")
        assert result.returncode == 0, result.stderr
        made[values] = release
    return made


@pytest.fixture
def release(releases: dict[str, Release]) -> Release:
    return releases["production"]


@pytest.mark.parametrize("values", sorted(ADDED))
def test_all_objects_are_taken_and_all_pods_are_restricted(
    releases: dict[str, Release], values: str
) -> None:
    """Kubernetes itself judges by its restricted pod security standard."""
    pods = releases[values].list_pods()
    assert len(pods) >= 5
    for pod in pods:
        answer = releases[values].try_pod(pod)
        if pod.name in UPSTREAM:
            assert answer.status_code == 403, pod.name
            assert "violates PodSecurity" in answer.text
        else:
            assert answer.status_code == 201, (pod.name, answer.text)


def test_secrets_are_made_once(releases: dict[str, Release]) -> None:
    release = releases["trial"]

    def read(name: str) -> dict[str, str]:
        return release.read(f"/api/v1 secrets/{name}")["data"]

    names = ("skerry-tokens", "skerry-database", "skerry-objects")
    before = {name: read(name) for name in names}
    assert len(base64.b64decode(before["skerry-tokens"]["api"])) >= 32
    assert len(set(before["skerry-tokens"].values())) == 9
    result = release.call("upgrade", "--no-hooks")
    assert result.returncode == 0, result.stderr
    assert {name: read(name) for name in names} == before


@pytest.mark.parametrize(
    ("secret", "key", "there"),
    [
        ("skerry-database-access", "url", ()),
        ("skerry-bucket-access", "secret-key", ("database", "half a bucket")),
        ("skerry-sign-on", "client-secret", ("database", "bucket")),
    ],
)
def test_a_missing_secret_is_named_with_its_key(
    cluster: KubernetesServer, fullest_chart: Chart, secret: str, key: str, there: tuple[str, ...]
) -> None:
    release = Release(cluster, fullest_chart, "production", f"without-{key}")
    release.prepare()
    if "database" in there:
        release.add_secret("skerry-database-access", url="postgresql://u:p@db/n")
    if "half a bucket" in there:
        release.add_secret("skerry-bucket-access", **{"access-key": "a"})
    if "bucket" in there:
        release.add_secret("skerry-bucket-access", **{"access-key": "a", "secret-key": "s"})
    result = release.call("install")
    assert result.returncode != 0
    assert f'the Secret "{secret}" in namespace "without-{key}" has no key "{key}"' in result.stderr
    assert f"create secret generic {secret} --from-file={key}=FILE" in result.stderr


ATTEMPTS = "skerry-production-attempts"

ALLOWED = [
    ("skerry-worker", "create", "batch:jobs", ATTEMPTS),
    ("skerry-worker", "delete", "batch:jobs", ATTEMPTS),
    ("skerry-worker", "patch", "pods", ATTEMPTS),
    ("skerry-worker", "get", "pods/log", ATTEMPTS),
    ("skerry-worker", "create", "secrets", ATTEMPTS),
]
REFUSED = [
    ("skerry-worker", "get", "secrets", ATTEMPTS),
    ("skerry-worker", "list", "secrets", ATTEMPTS),
    ("skerry-worker", "create", "pods", ATTEMPTS),
    ("skerry-worker", "create", "pods/exec", ATTEMPTS),
    ("skerry-worker", "create", "batch:jobs", None),
    ("skerry-worker", "list", "pods", None),
    ("skerry-worker", "list", "pods", "*"),
    ("skerry-worker", "get", "secrets", None),
    ("skerry-worker", "create", "rbac.authorization.k8s.io:rolebindings", ATTEMPTS),
    ("skerry-restarts", "patch", "apps:deployments", None),  # but for two, by their names
    ("skerry-restarts", "get", "secrets", None),
    ("skerry-restarts", "create", "pods", None),
    *(
        (account, verb, what, namespace)
        for account in (
            "skerry-api", "skerry-maps", "skerry-dashboards", "skerry-migrations", "default",
            "skerry-status", "skerry-doctor", "skerry-backup",
            "attempts/skerry-attempt",
        )
        for verb, what in (("get", "secrets"), ("list", "pods"), ("create", "batch:jobs"))
        for namespace in (None, ATTEMPTS)
    ),
]  # fmt: skip
ALLOWED_TO_SUB_CHARTS = [
    ("hub", "create", "pods", None),
    ("hub", "delete", "pods", None),
    ("hub", "create", "persistentvolumeclaims", None),
    ("hub", "list", "events", None),
    ("api-dask-gateway", "create", "gateway.dask.org:daskclusters", None),
    ("api-dask-gateway", "create", "networking.k8s.io:networkpolicies", None),
    ("api-dask-gateway", "get", "secrets", None),
    ("api-dask-gateway", "list", "gateway.dask.org:daskclusters", "*"),
    ("controller-dask-gateway", "create", "pods", None),
    ("controller-dask-gateway", "list", "pods", "*"),
    ("traefik-dask-gateway", "list", "traefik.io:ingressroutes", None),
]
REFUSED_TO_SUB_CHARTS = [
    ("hub", "get", "secrets", None),
    ("hub", "list", "secrets", None),
    ("hub", "create", "pods", ATTEMPTS),
    ("hub", "create", "pods/exec", None),
    ("hub", "create", "rbac.authorization.k8s.io:roles", None),
    ("api-dask-gateway", "get", "secrets", ATTEMPTS),
    ("api-dask-gateway", "get", "secrets", "*"),
    ("api-dask-gateway", "create", "pods", None),
    ("api-dask-gateway", "delete", "networking.k8s.io:networkpolicies", None),
    ("controller-dask-gateway", "create", "pods", ATTEMPTS),
    ("controller-dask-gateway", "get", "secrets", None),
    ("controller-dask-gateway", "list", "secrets", "*"),
    ("traefik-dask-gateway", "list", "secrets", "*"),
    ("traefik-dask-gateway", "get", "secrets", ATTEMPTS),
    ("traefik-dask-gateway", "create", "pods", None),
]


@pytest.mark.parametrize(("account", "verb", "what", "namespace"), ALLOWED)
def test_an_account_may(
    release: Release, account: str, verb: str, what: str, namespace: str | None
) -> None:
    assert release.may(account, verb, what, namespace)


@pytest.mark.parametrize(("account", "verb", "what", "namespace"), REFUSED)
def test_an_account_may_not(
    release: Release, account: str, verb: str, what: str, namespace: str | None
) -> None:
    assert not release.may(account, verb, what, namespace)


def test_the_accounts_of_the_sub_charts_are_as_narrow(release: Release) -> None:
    if not release.chart.is_whole:  # the hub's account is the sub-chart's own
        release.server.create(
            f"/api/v1/namespaces/{release.namespace}/serviceaccounts", {"metadata": {"name": "hub"}}
        )
    for account, verb, what, namespace in ALLOWED_TO_SUB_CHARTS:
        assert release.may(account, verb, what, namespace), (account, verb, what, namespace)
    for account, verb, what, namespace in REFUSED_TO_SUB_CHARTS:
        assert not release.may(account, verb, what, namespace), (account, verb, what, namespace)
