"""A real object store that speaks S3, for tests: MinIO in a folder of its own, on a free port.

With SKERRY_TEST_S3 (`http://KEY:SECRET@host:port`) tests use that server instead: each makes
buckets of its own there and removes them.
"""

import os
import secrets
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import httpx
import obstore
import pytest
from obstore.store import S3Store
from requests_aws4auth import AWS4Auth
from tests.platform_process import free_port, wait_until
from tests.tools.minio import locate_program

REGION = "us-east-1"
SERVER_VARIABLE = "SKERRY_TEST_S3"


def is_there() -> bool:
    """Return whether there is a server to test against."""
    return bool(os.environ.get(SERVER_VARIABLE)) or locate_program().exists()


@dataclass
class S3Server:
    """A running server.

    Attributes
    ----------
    endpoint
        Its address, such as ``http://127.0.0.1:9000``.
    key, secret
        The key of its owner, who may do all.
    """

    endpoint: str
    key: str
    secret: str = field(repr=False)
    _numbers: Iterator[int] = field(default_factory=count, repr=False)

    def variables(self, endpoint: str | None = None) -> dict[str, str]:
        """Return the variables with which a program reaches it, at another address if given."""
        return {
            "AWS_ENDPOINT_URL": endpoint or self.endpoint,
            "AWS_REGION": REGION,
            "AWS_ACCESS_KEY_ID": self.key,
            "AWS_SECRET_ACCESS_KEY": self.secret,
        }

    def ask(self, method: str, path: str) -> None:
        """Send one signed request about a bucket."""
        signature = AWS4Auth(self.key, self.secret, REGION, "s3")
        answer = httpx.request(method, f"{self.endpoint}/{path}", auth=signature, timeout=60)
        answer.raise_for_status()

    def open_bucket(self, bucket: str) -> Any:
        """Return a bucket as an obstore store, opened with the owner's key."""
        return S3Store(
            bucket, endpoint=self.endpoint, region=REGION, access_key_id=self.key,
            secret_access_key=self.secret, client_options={"allow_http": True},
        )  # fmt: skip

    def list_keys(self, bucket: str, prefix: str | None = None) -> list[str]:
        """Return the keys of a bucket, sorted."""
        found = obstore.list(self.open_bucket(bucket), prefix=prefix).collect()
        return sorted(item["path"] for item in found)

    @contextmanager
    def bucket(self) -> Iterator[str]:
        """Give the name of a new bucket, which goes with its objects after the block."""
        name = f"skerry-test-{os.getpid()}-{secrets.token_hex(3)}-{next(self._numbers)}"
        self.ask("PUT", name)
        try:
            yield name
        finally:
            if keys := self.list_keys(name):
                obstore.delete(self.open_bucket(name), keys)
            self.ask("DELETE", name)


@dataclass
class MinioServer(S3Server):
    """A server that these tests started: it can be stopped and started again."""

    _folder: Path = field(default=Path(), repr=False)
    _process: subprocess.Popen[bytes] | None = field(default=None, repr=False)

    def start(self) -> None:
        """Start the server and wait until it answers."""
        address = self.endpoint.removeprefix("http://")
        command = [
            "setpriv", "--pdeathsig", "KILL", str(locate_program()), "server", "--quiet",
            "--address", address, str(self._folder / "data"),
        ]  # fmt: skip
        environment = {
            "HOME": str(self._folder), "MINIO_ROOT_USER": self.key,
            "MINIO_ROOT_PASSWORD": self.secret, "MINIO_BROWSER": "off", "MINIO_UPDATE": "off",
        }  # fmt: skip
        log = self._folder / "log"
        with log.open("ab") as output:
            self._process = subprocess.Popen(
                command, env=environment, cwd=self._folder, stdout=output, stderr=output
            )

        def answers() -> bool:
            assert self._process is not None
            assert self._process.poll() is None, log.read_text()
            try:
                return httpx.get(f"{self.endpoint}/minio/health/ready").is_success
            except httpx.TransportError:
                return False

        wait_until(answers, 60, "MinIO answers", every_s=0.02)

    def stop(self, how: signal.Signals = signal.SIGTERM) -> None:
        """End the server."""
        assert self._process is not None
        self._process.send_signal(how)
        self._process.wait(60)


@contextmanager
def serve_s3() -> Iterator[S3Server]:
    """Give the server to test against; one that is started here ends, and its folder goes."""
    if address := os.environ.get(SERVER_VARIABLE):
        parts = urlsplit(address)
        endpoint = f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}"
        yield S3Server(endpoint, unquote(parts.username or ""), unquote(parts.password or ""))
        return
    with serve_minio() as server:
        yield server


@contextmanager
def serve_minio() -> Iterator[MinioServer]:
    """Start MinIO on a free port; end it and remove its folder after."""
    if not locate_program().exists():
        pytest.fail("MinIO is missing: 'make minio' builds it, with Go 1.24 or newer")
    folder = Path(tempfile.mkdtemp(prefix="skerry-minio-"))
    server = MinioServer(
        f"http://127.0.0.1:{free_port()}", "skerry-owner", secrets.token_hex(16), _folder=folder
    )
    try:
        server.start()
        yield server
        server.stop()
    finally:
        shutil.rmtree(folder, ignore_errors=True)
