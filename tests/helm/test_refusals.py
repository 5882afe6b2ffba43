"""Values that contradict each other, or are missing, are refused with a sentence and a remedy."""

from typing import Any

import pytest
from tests.helm.rendering import DIGEST, Chart

pytestmark = pytest.mark.kubernetes

PEM = "-----BEGIN CERTIFICATE-----"
_HUB = "jupyterhub"
_LOOKS_INTO = "--providers.kubernetescrd.namespaces"
_ONE_NAME = {_HUB: {"hub": {"config": {"JupyterHub": {"subdomain_host": ""}}}}}

CASES: dict[str, tuple[str, dict[str, Any], tuple[str, str]]] = {
    "many people on one name": (
        "production", _ONE_NAME,
        ('people.many is true, but jupyterhub.hub.config.JupyterHub.subdomain_host is ""',
         "Set it to publicUrl, https://skerry.example.org"),
    ),
    "names for one person": (
        "production", {"people": {"many": False}},
        ("people.many is false", "Set people.many to true, or remove subdomain_host"),
    ),
    "many people below an address without a name": (
        "production",
        {"publicUrl": "https://192.0.2.7",
         _HUB: {"hub": {"config": {"JupyterHub": {"subdomain_host": "https://192.0.2.7"}}}}},
        ('"https://192.0.2.7" has no name', "Give the platform a name"),
    ),
    "a person with the platform's own name": (
        "production", {"people": {"userDomain": "example.org"}},
        ('people.userDomain is "example.org", above publicUrl', "that is not above the platform's"),
    ),
    "a provider among the hosts of people": (
        "production", {"signOn": {"settings": {"issuer": "https://SSO.skerry.example.org:8443/x"}}},
        (
            "signOn.settings.issuer is at sso.skerry.example.org, below skerry.example.org",
            "Give people another domain in people.userDomain",
        ),
    ),
    "a private key among certificates": (
        "trial", {"certificates": {"authorities": f"{PEM}\n-----BEGIN PRIVATE KEY-----"}},
        ("holds a private key", "Give certificates alone"),
    ),
    "many people without sign-on": (
        "production", {"signOn": {"settings": {"issuer": ""}}},
        ("signOn.settings names no issuer", "Name an OpenID Connect provider"),
    ),
    "no address": (
        "trial", {"publicUrl": ""}, ('publicUrl is ""', "Give the address under which"),
    ),
    "an address with a path": (
        "trial", {"publicUrl": "http://localhost:8000/hub"},
        ('publicUrl is "http://localhost:8000/hub"', "without a path"),
    ),
    "an address without TLS": (
        "trial", {"publicUrl": "http://skerry.example"},
        ('publicUrl is "http://skerry.example", without TLS', "Let it begin with https://"),
    ),
    "a certificate for an address without TLS": (
        "trial", {"ingress": {"kind": "ingress", "tlsSecret": "tls"}},
        ('ingress.tlsSecret is "tls"', "Let publicUrl begin with https://"),
    ),
    "a gateway that nobody names": (
        "production", {"ingress": {"kind": "gateway"}},
        ("ingress.gateways names none", "Name the Gateway"),
    ),
    "two databases": (
        "trial", {"database": {"secret": {"name": "mine"}}},
        ('database.secret.name is "mine"', "Leave database.secret.name empty"),
    ),
    "no database": (
        "production", {"database": {"secret": {"name": ""}}},
        ("no place for the records", "Set database.secret.name"),
    ),
    "two object stores": (
        "trial", {"objects": {"place": "s3://mine"}},
        ('objects.place is "s3://mine"', "Leave objects.place empty"),
    ),
    "no object store": (
        "production", {"objects": {"place": ""}},
        ("no place for the products", "Set objects.place"),
    ),
    "a folder for the objects": (
        "production", {"objects": {"place": "/srv/objects"}},
        ('objects.place is "/srv/objects"', "Name a bucket: s3://BUCKET/PREFIX"),
    ),
    "a bucket without a key": (
        "production", {"objects": {"secret": {"name": ""}}},
        ("objects.secret.name is empty", "Name a Secret with the two keys"),
    ),
    "a database without an image": (
        "trial", {"database": {"inCluster": {"image": ""}}},
        ("database.inCluster.image is empty", "PostgreSQL 15 or newer with PostGIS"),
    ),
    "runs in an image that may change": (
        "production", {"images": {"analysis": {"digest": ""}}},
        ('images.analysis.digest is ""', "Give the image's digest"),
    ),
    "another hub than the platform's": (
        "production", {"images": {"hub": {"digest": DIGEST}}},
        ("but images.hub is", f'skerry/skerry-hub, tag: "0.1.0@{DIGEST}"}}'),
    ),
    "more replicas than the most": (
        "production", {"maps": {"replicas": 20}},
        ("maps.autoscaling.most is 12, less than maps.replicas, 20", "Give at least as many"),
    ),
    "attempts beside the platform": (
        "production", {"attempts": {"namespace": "skerry"}},
        ("the namespace of the platform itself", "Name another namespace"),
    ),
    "the gateway's proxy in another namespace": (
        "production",
        {"dask-gateway": {"traefik": {"additionalArguments": [f"{_LOOKS_INTO}=x"]}}},
        ('lacks "--providers.kubernetescrd.namespaces=skerry"', "Write it there"),
    ),
    "a privileged container": (
        "production", {_HUB: {"singleuser": {"cloudMetadata": {"blockWithIptables": True}}}},
        ("privileged container in each person's pod", "Set it to false"),
    ),
    "another name of the hub": (
        "production", {_HUB: {"fullnameOverride": "jhub"}},
        ("fullnameOverride", "Remove both"),
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_it_is_refused_with_its_remedy(chart: Chart, name: str) -> None:
    values, changes, sentences = CASES[name]
    said = " ".join(chart.refuse(values, **changes).split())
    assert "Skerry:" in said
    for sentence in sentences:
        assert sentence in said


def test_a_misspelt_key_is_refused(chart: Chart) -> None:
    assert "replica" in chart.refuse("production", api={"replica": 3})


def test_a_value_of_another_kind_is_refused(chart: Chart) -> None:
    assert "authorities" in chart.refuse("trial", certificates={"authorities": "our-ca"})
    assert "replicas" in chart.refuse("production", api={"replicas": "two"})
