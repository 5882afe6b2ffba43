"""An object store whose certificate a company's own authority has signed, as many have."""

import ssl
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from certipy import Certipy
from tests.fault_proxy import serve_faults
from tests.minio_server import S3Server
from tests.object_stores import opened_bucket

from skerry.core.errors import InvalidInputError, UnavailableError
from skerry.core.settings import keep_certificates
from skerry.storage.credentials import TokenService
from skerry.storage.object_places import parse_place
from skerry.storage.objects import Objects
from skerry.storage.s3 import connect

pytestmark = [pytest.mark.s3, pytest.mark.long]


@dataclass
class Place:
    """The store behind the certificate, and the file of its authority."""

    store: Objects
    authority: Path


@pytest.fixture(scope="module")
def issued(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, ssl.SSLContext]:
    """Return the file of an authority, and a server's context with its certificate."""
    folder = tmp_path_factory.mktemp("certificates")
    maker = Certipy(store_dir=str(folder))
    authority = maker.create_ca("authority")["files"]["cert"]
    files = maker.create_signed_pair("store", "authority", alt_names=["IP:127.0.0.1"])["files"]
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(files["cert"], files["key"])
    # bundles have remarks, also in other languages than English
    bundle = folder / "bundle.pem"
    bundle.write_text(f"# Főtanúsítvány\n{Path(authority).read_text()}", "utf-8")
    return bundle, context


@pytest.fixture
def place(
    s3: S3Server, issued: tuple[Path, ssl.SSLContext], monkeypatch: pytest.MonkeyPatch
) -> Iterator[Place]:
    authority, context = issued
    for name in ("SSL_CERT_FILE", "SSL_CERT_DIR", "AWS_CA_BUNDLE"):
        monkeypatch.delenv(name, raising=False)
    with opened_bucket(s3, monkeypatch) as address, serve_faults(s3.endpoint, context) as proxy:
        monkeypatch.setenv("AWS_ENDPOINT_URL", proxy.endpoint)
        yield Place(parse_place(address), authority)


def ask_for_credentials(store: Objects) -> None:
    service = TokenService.from_environment()
    assert service is not None
    assert service.issue(store.address, "runs/", "read").token


@pytest.mark.parametrize("variable", ["AWS_CA_BUNDLE", "SSL_CERT_FILE"])
def test_the_authority_is_trusted_when_it_is_named(
    place: Place, variable: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(variable, str(place.authority))
    place.store.write("runs/a", b"bytes")
    assert place.store.read("runs/a") == b"bytes"
    ask_for_credentials(place.store)


def test_a_certificate_that_is_not_trusted_is_named(place: Place) -> None:
    with pytest.raises(UnavailableError, match="certificate that this machine") as caught:
        place.store.check()
    assert "AWS_CA_BUNDLE" in caught.value.remedy
    with pytest.raises(UnavailableError, match="certificate that this machine") as caught:
        ask_for_credentials(place.store)
    assert "AWS_CA_BUNDLE" in caught.value.remedy


@pytest.mark.parametrize("content", [None, "", "no certificate"])
def test_a_file_without_certificates_is_refused(
    place: Place, content: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bundle = tmp_path / "bundle.pem"
    if content is not None:
        bundle.write_text(content)
    monkeypatch.setenv("AWS_CA_BUNDLE", str(bundle))
    connect.cache_clear()
    with pytest.raises(InvalidInputError, match="no certificate can be read"):
        place.store.check()


def test_notebooks_and_runs_are_told_the_file_from_wherever_they_work(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    given = {"AWS_CA_BUNDLE": "ca.pem", "SSL_CERT_DIR": "a:/b", "SSL_CERT_FILE": "", "HOME": "/h"}
    assert keep_certificates(given) == {
        "AWS_CA_BUNDLE": f"{tmp_path}/ca.pem", "SSL_CERT_DIR": f"{tmp_path}/a:/b",
    }  # fmt: skip
