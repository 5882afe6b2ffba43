"""What `skerry doctor` says of the way in which grants open a bucket."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from rich.console import Console
from tests.fault_proxy import FaultProxy, serve_faults, without_tokens
from tests.minio_server import S3Server
from tests.object_stores import opened_bucket

from skerry.cli.doctor.findings import Finding
from skerry.cli.doctor.state import look_at_objects
from skerry.cli.up import _warn_of_grants
from skerry.core.errors import InvalidInputError
from skerry.core.settings import GRANTS_VARIABLE, OBJECTS_VARIABLE
from skerry.storage.layout import DataFolder
from skerry.storage.migrate import upgrade
from skerry.storage.platform_mark import claim_store
from skerry.storage.s3 import connect

pytestmark = pytest.mark.s3


@pytest.fixture
def proxy(s3: S3Server, monkeypatch: pytest.MonkeyPatch) -> Iterator[FaultProxy]:
    with opened_bucket(s3, monkeypatch) as address, serve_faults(s3.endpoint) as proxy:
        monkeypatch.setenv("AWS_ENDPOINT_URL", proxy.endpoint)
        monkeypatch.setenv(OBJECTS_VARIABLE, address)
        monkeypatch.delenv(GRANTS_VARIABLE, raising=False)
        connect.cache_clear()
        yield proxy


@pytest.fixture
def folder(tmp_path: Path, proxy: FaultProxy) -> DataFolder:
    folder = DataFolder(tmp_path / "data")
    folder.create()
    upgrade(folder)
    claim_store(folder)
    return folder


def find_grants(folder: DataFolder) -> Finding:
    findings = {finding.check: finding for finding in look_at_objects(folder)}
    assert findings["objects"].state == "well"
    return findings["grants"]


def test_the_token_service_is_tried_where_grants_are_credentials(
    folder: DataFolder, proxy: FaultProxy
) -> None:
    assert find_grants(folder).state == "well"
    proxy.plan = without_tokens()
    finding = find_grants(folder)
    assert finding.state == "broken"
    assert "token service" in finding.detail
    assert "SKERRY_GRANTS=addresses" in finding.remedy
    with (console := Console(width=500)).capture() as said:
        _warn_of_grants(console)
    assert said.get().strip() == f"{finding.detail} {finding.remedy}"


def test_it_is_not_asked_where_the_api_signs(
    folder: DataFolder, proxy: FaultProxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    proxy.plan = without_tokens()
    monkeypatch.setenv(GRANTS_VARIABLE, "addresses")
    assert find_grants(folder).state == "well"
    assert proxy.done == []


def test_another_way_is_refused_with_the_choice(
    folder: DataFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(GRANTS_VARIABLE, "adresses")
    with pytest.raises(InvalidInputError, match="SKERRY_GRANTS is 'adresses'") as caught:
        find_grants(folder)
    assert "'credentials'" in caught.value.remedy
    assert "'addresses'" in caught.value.remedy
