"""Who reaches whom, by the policies that the chart makes."""

from typing import Any

import pytest
from tests.helm.reachability import End, Network
from tests.helm.rendering import Chart

from skerry.hub.kubernetes.cluster_network import CLUSTER_LABEL, describe_policy
from skerry.production.executors.kubernetes.manifest import LABELS

pytestmark = pytest.mark.kubernetes


def _skerry(part: str, port: int = 8000) -> End:
    labels = {"name": "skerry", "instance": "skerry", "component": part}
    ports = {"http": port}
    return End({f"app.kubernetes.io/{key}": value for key, value in labels.items()}, ports=ports)


def _other(project: str, part: str, http: int = 8081, **more: str) -> End:
    labels = {"name": project, "instance": "skerry", "component": part}
    marks = {f"app.kubernetes.io/{key}": value for key, value in labels.items()}
    marks |= {"app": project, "release": "skerry", "component": part}  # what z2jh chooses by
    return End(marks | more, ports={"http": http, "notebook-port": 8888})


def _dask(part: str, cluster: str) -> End:
    return _other("dask-gateway", f"dask-{part}", **{CLUSTER_LABEL: cluster})


def _describe_cluster(name: str) -> dict[str, Any]:
    """Return the object of a cluster, as far as its policy is made of it."""
    labels = {CLUSTER_LABEL: name}
    metadata = {"name": name, "uid": f"uid-of-{name}", "labels": labels}
    return {"apiVersion": "gateway.dask.org/v1", "kind": "DaskCluster", "metadata": metadata}


_SERVER_MARK = {"hub.jupyter.org/network-access-singleuser": "true"}
_HUB_MARK = {"hub.jupyter.org/network-access-hub": "true"}
PODS = {
    **{part: _skerry(part) for part in (
        "api", "maps", "dashboards", "worker", "migrations", "status", "doctor", "backup",
    )},
    "database": _skerry("database"), "objects": _skerry("objects"),
    "hub": _other("jupyterhub", "hub", **_SERVER_MARK),
    "proxy": _other("jupyterhub", "proxy", 8000, **_HUB_MARK, **_SERVER_MARK),
    "gateway": _other("dask-gateway", "gateway"),
    "controller": _other("dask-gateway", "controller"),
    "door": _other("dask-gateway", "traefik"),
    "ann": _other("jupyterhub", "singleuser-server", **_HUB_MARK),
    "bob": _other("jupyterhub", "singleuser-server", **_HUB_MARK),
    "scheduler": _dask("scheduler", "one"), "dask worker": _dask("worker", "one"),
    "scheduler 2": _dask("scheduler", "two"), "dask worker 2": _dask("worker", "two"),
    "attempt": End(LABELS, namespace="skerry-attempts"),
    "attempt 2": End(LABELS, namespace="skerry-attempts"),
    "dns": End({"k8s-app": "kube-dns"}, namespace="kube-system"),
    "prometheus": End({"app": "prometheus"}, namespace="monitoring"),
    "stranger": End({"app": "stranger"}, namespace="elsewhere"),
    "metadata": End(address="169.254.169.254"), "azure": End(address="168.63.129.16"),
    "private": End(address="10.3.4.5"),
    "internet": End(address="198.51.100.7"), "kubernetes": End(address="10.96.0.1"),
}  # fmt: skip

ALLOWED = [
    ("api", "database", 5432), ("maps", "database", 5432), ("worker", "database", 5432),
    ("migrations", "database", 5432), ("migrations", "objects", 9000),
    ("api", "objects", 9000), ("ann", "objects", 9000), ("dask worker", "objects", 9000),
    ("attempt", "objects", 9000), ("dashboards", "objects", 9000),
    ("api", "hub", 8081), ("dashboards", "hub", 8081), ("worker", "hub", 8081),
    ("gateway", "hub", 8081), ("proxy", "api", 8000), ("proxy", "maps", 8000),
    ("proxy", "dashboards", 8000), ("proxy", "gateway", 8000), ("hub", "api", 8000),
    ("ann", "door", 8000), ("attempt", "door", 8000), ("dashboards", "door", 8000),
    ("door", "api", 8000), ("door", "maps", 8000), ("door", "gateway", 8000),
    ("door", "scheduler", 8786), ("scheduler", "dask worker", 40000),
    ("dask worker", "scheduler", 8786), ("scheduler", "gateway", 8000),
    ("dask worker 2", "scheduler 2", 8786), ("door", "scheduler", 8787),
    ("worker", "kubernetes", 443), ("hub", "kubernetes", 443), ("controller", "kubernetes", 443),
    ("worker", "gateway", 8000), ("api", "gateway", 8000),
    ("ann", "internet", 443), ("attempt", "internet", 443), ("hub", "internet", 443),
    ("ann", "dns", 53), ("api", "dns", 53), ("attempt", "dns", 53),
    *((watcher, part, 8000) for watcher in ("status", "doctor")
      for part in ("api", "maps", "dashboards", "worker", "gateway")),
    ("status", "hub", 8081), ("doctor", "hub", 8081), ("doctor", "door", 8000),
    ("doctor", "database", 5432), ("doctor", "objects", 9000), ("proxy", "status", 8000),
    ("backup", "database", 5432), ("backup", "objects", 9000), ("status", "dns", 53),
]  # fmt: skip

_PEOPLE = ("ann", "scheduler", "dask worker", "attempt")
_CLOSED_TO_PEOPLE = [
    *((person, "database", 5432) for person in _PEOPLE),
    *((person, "metadata", port) for person in _PEOPLE for port in (80, 443)),
    *((person, "azure", port) for person in _PEOPLE for port in (80, 443, 32526)),
    *((person, "private", port) for person in _PEOPLE for port in (22, 443, 5432)),
    *((person, "kubernetes", 443) for person in _PEOPLE),
    *(
        (person, part, 8000)
        for person in _PEOPLE
        for part in ("api", "maps", "worker", "dashboards")
    ),
]
REFUSED = [
    *((source, target, port)
      for source in ("scheduler", "dask worker") for target in ("scheduler 2", "dask worker 2")
      for port in (8786, 8787, 40000)),
    ("ann", "bob", 8888), ("ann", "scheduler", 8787), ("attempt", "dask worker", 8787),
    ("api", "dask worker", 8787), ("ann", "bob", 22), ("ann", "dask worker", 40000),
    ("attempt", "attempt 2", 8888), ("attempt", "ann", 8888), ("ann", "attempt", 8888),
    ("attempt", "gateway", 8000), ("attempt", "hub", 8081),
    *_CLOSED_TO_PEOPLE,
    *((part, "metadata", 80) for part in PODS if PODS[part].address is None
      and PODS[part].namespace in ("skerry", "skerry-attempts")),
    ("status", "database", 5432), ("status", "objects", 9000), ("status", "door", 8000),
    ("status", "internet", 443), ("doctor", "internet", 443), ("doctor", "kubernetes", 443),
    ("backup", "hub", 8081), ("backup", "api", 8000), ("backup", "internet", 443),
    ("ann", "status", 8000), ("attempt", "status", 8000), ("ann", "doctor", 8000),
    ("stranger", "status", 8000), ("stranger", "worker", 8000), ("api", "status", 8000),
    ("stranger", "api", 8000), ("stranger", "database", 5432), ("stranger", "hub", 8081),
    ("stranger", "door", 8000), ("stranger", "attempt", 8888),
    ("dashboards", "database", 5432), ("proxy", "database", 5432), ("door", "database", 5432),
    ("proxy", "worker", 8000), ("api", "worker", 8000), ("maps", "internet", 443),
    ("api", "ann", 8888), ("database", "internet", 443), ("objects", "internet", 443),
]  # fmt: skip


@pytest.fixture(scope="module")
def network(fullest_chart: Chart) -> Network:
    policies = [describe_policy(_describe_cluster(name)) for name in ("one", "two")]
    objects = fullest_chart.render("trial", monitoring={"namespace": "monitoring"})
    return Network([*objects, *policies])


@pytest.mark.parametrize(("source", "target", "port"), ALLOWED)
def test_it_is_open(network: Network, source: str, target: str, port: int) -> None:
    assert network.allows(PODS[source], PODS[target], port)


@pytest.mark.parametrize(("source", "target", "port"), REFUSED)
def test_it_is_closed(network: Network, source: str, target: str, port: int) -> None:
    assert not network.allows(PODS[source], PODS[target], port)


def test_the_hub_reaches_servers_and_they_reach_it(fullest_chart: Chart, network: Network) -> None:
    """These policies are the sub-chart's own."""
    for source, target, port in (
        ("hub", "ann", 8888), ("proxy", "ann", 8888), ("ann", "hub", 8081), ("bob", "hub", 8081),
        ("status", "proxy", 8000), ("doctor", "proxy", 8000),
    ):  # fmt: skip
        allowed = network.allows(PODS[source], PODS[target], port)
        assert allowed is fullest_chart.is_whole, (source, target)


def test_a_private_provider_is_reached_where_it_is_named(chart: Chart) -> None:
    without = Network(chart.render("production"))
    network = Network(chart.render("production", signOn={"addresses": ["10.3.4.0/24"]}))
    assert not without.allows(PODS["hub"], PODS["private"], 8443)
    assert network.allows(PODS["hub"], PODS["private"], 8443)
    assert not network.allows(PODS["ann"], PODS["private"], 8443)


def test_the_status_page_is_reached_past_the_proxy_by_the_ingress_alone(chart: Chart) -> None:
    ingress = End({"app": "controller"}, namespace="ingress-nginx")
    network = Network(chart.render("production"))
    assert network.allows(ingress, PODS["status"], 8000)
    assert not network.allows(PODS["stranger"], PODS["status"], 8000)
    assert not network.allows(ingress, PODS["api"], 8000), "everything else goes through the proxy"
    anybody = Network(chart.render("production", ingress={"controllerNamespace": ""}))
    assert anybody.allows(PODS["stranger"], PODS["status"], 8000)


def test_the_doctor_asks_the_provider_where_there_is_one(chart: Chart) -> None:
    network = Network(chart.render("production"))
    assert network.allows(PODS["doctor"], PODS["internet"], 443)
    assert not network.allows(PODS["status"], PODS["internet"], 443)


def test_name_servers_may_be_elsewhere(chart: Chart, network: Network) -> None:
    cache = End(address="169.254.20.10")
    assert not network.allows(PODS["api"], cache, 53)
    other = Network(chart.render("trial", network={"dnsAddresses": ["169.254.20.10/32"]}))
    for pod in ("api", "worker", "hub", *_PEOPLE):
        assert other.allows(PODS[pod], cache, 53), pod
        assert not other.allows(PODS[pod], cache, 80), pod


def test_prometheus_reads_where_its_namespace_is_named(chart: Chart, network: Network) -> None:
    without = Network(chart.render("trial"))
    for part in ("api", "maps", "dashboards", "worker"):
        assert network.allows(PODS["prometheus"], PODS[part], 8000), part
        assert not without.allows(PODS["prometheus"], PODS[part], 8000), part


def test_people_stay_here_where_the_internet_is_closed(chart: Chart) -> None:
    network = Network(chart.render("trial", network={"internet": False}))
    for person in _PEOPLE:
        assert not network.allows(PODS[person], PODS["internet"], 443)
        assert network.allows(PODS[person], PODS["door"], 8000) or person != "ann"


def test_a_private_bucket_is_reached_where_it_is_named(chart: Chart) -> None:
    usual = Network(chart.render("production"))
    network = Network(chart.render("production", objects={"addresses": ["10.3.4.0/24"]}))
    metadata = PODS["metadata"]
    for pod in ("api", "dashboards", *_PEOPLE):
        assert not usual.allows(PODS[pod], PODS["private"], 443), pod
        assert usual.allows(PODS[pod], PODS["internet"], 443), pod
        assert network.allows(PODS[pod], PODS["private"], 443), pod
        assert not network.allows(PODS[pod], PODS["private"], 22), pod
        for each in (usual, network):
            assert not each.allows(PODS[pod], metadata, 443), pod


def test_a_public_database_is_closed_to_people(chart: Chart) -> None:
    addresses = {"database": {"addresses": ["198.51.100.7/32"]}}
    database, other = PODS["internet"], End(address="198.51.100.8")
    network = Network(
        chart.render("production", network={"closed": ["198.51.100.7/32"]}, **addresses)
    )
    for person in _PEOPLE:
        assert not network.allows(PODS[person], database, 5432)
        assert network.allows(PODS[person], other, 443)
    assert network.allows(PODS["api"], database, 5432)
    assert not network.allows(PODS["api"], other, 5432)


def test_the_gateway_asks_the_api_where_budgets_count(fullest_chart: Chart) -> None:
    counting = Network(fullest_chart.render("trial", servers={"budgets": {"enabled": True}}))
    without = Network(fullest_chart.render("trial"))
    assert counting.allows(PODS["gateway"], PODS["api"], 8000)
    assert not without.allows(PODS["gateway"], PODS["api"], 8000)
    assert not counting.allows(PODS["gateway"], PODS["dashboards"], 8000)
    for network in (counting, without):
        assert network.allows(PODS["hub"], PODS["api"], 8000)
