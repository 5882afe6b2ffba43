"""A PostgreSQL server with PostGIS for tests: in a folder of its own, on a free loopback port."""

import os
import pwd
import secrets
import shutil
import signal
import socket
import subprocess
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path

import pytest
from sqlalchemy import make_url
from tests.platform_process import wait_until

from skerry.core.settings import DATABASE_VARIABLE
from skerry.storage.layout import DataFolder

TEMPLATE = "skerry_template"
_PLACES = ("/usr/lib/postgresql/*/bin", "/usr/pgsql-*/bin", "/usr/local/pgsql/bin")
_FAST = {
    "fsync": "off", "full_page_writes": "off", "synchronous_commit": "off", "autovacuum": "off",
    "jit": "off", "shared_buffers": "32MB", "wal_level": "minimal", "max_wal_senders": "0",
}  # fmt: skip


def find_programs() -> Path | None:
    """Return the folder of PostgreSQL's programs whose extensions have PostGIS, if there is one."""
    named = shutil.which("initdb")
    folders = [Path(named).resolve().parent] if named else []
    for place in _PLACES:
        result = Path("/").glob(place.removeprefix("/"))
        folders += sorted(result, key=lambda folder: folder.parent.name.zfill(4), reverse=True)
    for folder in folders:
        asking = [str(folder / "pg_config"), "--sharedir"]
        if not (folder / "initdb").exists() or not Path(asking[0]).exists():
            continue
        share = subprocess.run(asking, check=True, capture_output=True, text=True).stdout.strip()
        if Path(share, "extension", "postgis.control").exists():
            return folder
    return None


@dataclass
class PostgresqlServer:
    """A running server.

    Attributes
    ----------
    port
        Its port on 127.0.0.1.
    password
        The password of its user ``skerry``, who may do all.
    """

    port: int
    password: str = field(repr=False)
    _command: list[str] = field(repr=False)
    _folder: Path = field(repr=False)
    _numbers: Iterator[int] = field(default_factory=count, repr=False)
    _process: subprocess.Popen[bytes] | None = field(default=None, repr=False)

    @property
    def pid(self) -> int:
        """Process id of the server, which starts one for each session."""
        assert self._process is not None
        return self._process.pid

    def start(self) -> None:
        """Start the server and wait until it answers."""
        log = self._folder / "log"
        with log.open("wb") as output:
            self._process = subprocess.Popen(
                self._command, cwd=self._folder, stdout=output, stderr=output
            )

        def answers() -> bool:
            assert self._process is not None
            assert self._process.poll() is None, log.read_text()
            return "ready to accept connections" in log.read_text()

        wait_until(answers, 60, "PostgreSQL answers", every_s=0.02)

    def stop(self, *, crash: bool = False) -> None:
        """End the server and the sessions that are open; after a crash it recovers at its start."""
        assert self._process is not None
        self._process.send_signal(signal.SIGQUIT if crash else signal.SIGINT)
        self._process.wait(60)

    def url(self, database: str, user: str = "skerry", password: str | None = None) -> str:
        """Return a database's address, as a person writes it."""
        word = self.password if password is None else password
        return f"postgresql://{user}:{word}@127.0.0.1:{self.port}/{database}"

    def execute(self, statement: str, database: str = "postgres") -> None:
        """Carry out one statement outside of a transaction."""
        import psycopg

        with psycopg.connect(self.url(database), autocommit=True) as connection:
            connection.execute(statement.encode())

    @contextmanager
    def database(self, template: str = TEMPLATE) -> Iterator[str]:
        """Give the address of a new database, which goes after the block."""
        name = f"test_{next(self._numbers)}"
        self.execute(f"CREATE DATABASE {name} TEMPLATE {template}")
        yield self.url(name)
        self.execute(f"DROP DATABASE {name} WITH (FORCE)")


def take_password(url: str) -> tuple[str, dict[str, str]]:
    """Return an address as a command may show it, and the variable with its password."""
    address = make_url(url)
    shown = address._replace(password=None).render_as_string()
    return shown, {"PGPASSWORD": str(address.password)}


@contextmanager
def serve_postgresql(
    settings: Mapping[str, str] | None = None, prefix: Sequence[str] = ()
) -> Iterator[PostgresqlServer]:
    """Start a server with an empty database as template; stop it and remove its folder after.

    Parameters
    ----------
    settings
        The server's settings besides those that make tests fast.
    prefix
        Words before the server's command, which start it somewhere else.
    """
    programs = find_programs()
    if programs is None:
        pytest.fail(
            "PostgreSQL 15 or newer with PostGIS is missing: "
            "apt-get install postgresql postgresql-postgis"
        )
    folder = Path(tempfile.mkdtemp(prefix="skerry-postgresql-"))
    password = secrets.token_hex(8)
    (folder / "password").write_text(password)
    drop = ["setpriv", "--pdeathsig", "QUIT"]
    if os.geteuid() == 0:  # the programs refuse root
        user = find_user()
        for path in (folder, folder / "password"):
            os.chown(path, user.pw_uid, user.pw_gid)
        drop += [f"--reuid={user.pw_uid}", f"--regid={user.pw_gid}", "--clear-groups"]
    try:
        subprocess.run(
            [
                *drop, str(programs / "initdb"), "--pgdata", str(folder / "data"), "--no-sync",
                "--username=skerry", "--encoding=UTF8", "--no-instructions",
                # an order of text that is not that of its bytes, as many servers have
                "--locale=C.UTF-8", "--locale-provider=icu", "--icu-locale=en-US",
                "--auth-local=scram-sha-256", "--auth-host=scram-sha-256",
                f"--pwfile={folder / 'password'}",
            ],
            check=True, capture_output=True, cwd=folder,
        )  # fmt: skip
        command = [*prefix, *drop, str(programs / "postgres")]
        with _run_server(command, folder, {**_FAST, **(settings or {})}) as server:
            _fill_template(server)
            yield server
    finally:
        shutil.rmtree(folder)


def find_user() -> pwd.struct_passwd:
    """Return the user who runs the server where tests run as root."""
    try:
        return pwd.getpwnam("postgres")
    except KeyError:
        return pwd.getpwnam("nobody")


@contextmanager
def _run_server(
    command: list[str], folder: Path, settings: Mapping[str, str]
) -> Iterator[PostgresqlServer]:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = int(probe.getsockname()[1])
    options = [word for name, value in settings.items() for word in ("-c", f"{name}={value}")]
    place = ["-D", str(folder / "data"), "-h", "127.0.0.1", "-p", str(port), "-k", str(folder)]
    password = (folder / "password").read_text()
    server = PostgresqlServer(port, password, [*command, *place, *options], folder)
    server.start()
    try:
        yield server
    finally:
        server.stop()


def _fill_template(server: PostgresqlServer) -> None:
    from skerry.storage.migrate import upgrade

    server.execute(f"CREATE DATABASE {TEMPLATE} TEMPLATE template0")
    with pytest.MonkeyPatch.context() as patch, tempfile.TemporaryDirectory() as folder:
        patch.setenv(DATABASE_VARIABLE, server.url(TEMPLATE))
        upgrade(DataFolder(Path(folder)))
