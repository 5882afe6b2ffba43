from pathlib import Path

import httpx
import pytest

from skerry.client.grants import Grant, grant_reading, grant_writing
from skerry.client.login import Login
from skerry.client.references import ItemReference
from skerry.client.session import Session
from skerry.core.errors import ForbiddenError, NotFoundError, UnavailableError
from skerry.core.time import utc_now
from skerry.models.grants import Purpose
from skerry.storage.object_folder import ObjectFolder


def make_session(root: str) -> Session:
    answer = {
        "id": "g",
        "mode": "write",
        "prefix": "imports/g/",
        "root": root,
        "expires": "2026-05-01T00:00:00Z",
    }
    transport = httpx.MockTransport(lambda _: httpx.Response(201, json=answer))
    return Session(Login(url="http://127.0.0.1:1", token="t"), transport=transport)


def test_a_write_grant_is_a_new_folder_below_the_root(tmp_path: Path) -> None:
    root = tmp_path / "my objects"
    root.mkdir()
    with make_session(root.as_uri() + "/") as session:
        grant = grant_writing(session, Purpose.IMPORT)
    with grant.objects.filling(grant.prefix) as folder:
        assert folder == root / "imports" / "g"
        assert folder.is_dir()


@pytest.mark.parametrize("root", ["file:///nowhere/objects/", "https://example.com/objects/"])
def test_a_root_that_is_not_on_this_machine_says_so(root: str) -> None:
    with (
        make_session(root) as session,
        pytest.raises(UnavailableError, match="not a folder on this machine") as caught,
    ):
        grant_reading(session, ItemReference("s2", "scene"))
    assert "notebook server" in caught.value.remedy


def test_only_keys_below_the_prefix_are_located(tmp_path: Path) -> None:
    (tmp_path / "imports" / "g").mkdir(parents=True)
    (tmp_path / "imports" / "g2").mkdir(parents=True)
    grant = Grant(id="g", prefix="imports/g/", objects=ObjectFolder(tmp_path), expires=utc_now())
    assert grant.locate("imports/g") == tmp_path / "imports" / "g"
    for key in ("imports/g2", "imports/g/../g2", "other"):
        with pytest.raises(ForbiddenError):
            grant.locate(key)
    with pytest.raises(NotFoundError, match="gone"):
        grant.locate("imports/g/product.zarr")
