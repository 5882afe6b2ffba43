"""Images of the programs of others that the chart needs, made of what is on this machine.

They are PostgreSQL with PostGIS (of Debian), MinIO (built for tests from pinned sums) and Traefik
in the version that Dask Gateway's chart is written for. An operator names images of their makers;
these serve tests without a registry. Nothing of them goes into Skerry.
"""

import json
import shutil
import subprocess
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.cluster.network import run
from tests.postgresql_server import find_programs
from tests.tools.minio import locate_program

ROOT = Path(__file__).parents[2]
PAUSE = "localhost/skerry-test-pause:1"
POSTGRESQL = "localhost/skerry-test-postgresql:1"
MINIO = "localhost/skerry-test-minio:1"
TRAEFIK = "localhost/skerry-test-traefik:3.3.5"

POSTGRESQL_USER = 999
_BUSYBOX = {"/bin/busybox": "/bin/busybox"}
_START_POSTGRESQL = """\
set -eu
if [ ! -s "$PGDATA/PG_VERSION" ]; then
    printf %s "$POSTGRES_PASSWORD" >/tmp/password
    PROGRAMS/initdb --pgdata="$PGDATA" --username="$POSTGRES_USER" --pwfile=/tmp/password \\
        --encoding=UTF8 --locale=C.UTF-8 --auth-local=trust --auth-host=scram-sha-256
    rm /tmp/password
    echo "host all all all scram-sha-256" >>"$PGDATA/pg_hba.conf"
    echo "CREATE DATABASE $POSTGRES_DB" | PROGRAMS/postgres --single -D "$PGDATA" postgres
fi
exec PROGRAMS/postgres -D "$PGDATA" -c listen_addresses='*' -c unix_socket_directories=/tmp
"""
_PSQL = """\
#!/bin/sh
export PGHOST=/tmp
exec PROGRAMS/psql "$@"
"""


def build_pause(archive: Path) -> None:
    """Make the image that holds the name spaces of pods: one program that does nothing."""
    with _image(PAUSE, archive, _BUSYBOX, ["/bin/busybox", "sleep", "2000000000"]):
        pass


def build_traefik(archive: Path) -> None:
    """Fetch Traefik by its pinned digest, and make an image of it."""
    with TemporaryDirectory(prefix="skerry-traefik-") as folder:
        uv = run("bash", str(ROOT / "platform" / "find_uv.sh")).strip()
        lock = Path(__file__).with_name("traefik.lock")
        run(uv, "pip", "install", "--quiet", "--no-deps", "--require-hashes", "--target", folder,
            "--requirement", str(lock))  # fmt: skip
        program = f"{folder}/bin/traefik"
        files = {**_BUSYBOX, program: "/bin/traefik", **_name_libraries([program])}
        with _image(TRAEFIK, archive, files, ["/bin/traefik"]):
            pass


def build_minio(archive: Path) -> None:
    """Make an image of MinIO as it was built for tests."""
    program = str(locate_program())
    files = {**_BUSYBOX, program: "/bin/minio", **_name_libraries([program])}
    with _image(MINIO, archive, files, ["/bin/minio"]) as root:
        for name in ("sh", "rm"):  # whoever operates it empties a bucket so
            (root / "bin" / name).symlink_to("busybox")


def build_postgresql(archive: Path) -> None:
    """Make an image of Debian's PostgreSQL with PostGIS.

    Raises
    ------
    RuntimeError
        If it is not installed.
    """
    programs = find_programs()
    if programs is None:
        raise RuntimeError(
            "PostgreSQL with PostGIS is missing: apt-get install postgresql postgresql-postgis"
        )
    version = programs.parent.name
    folders = [
        programs.parent, Path("/usr/share/postgresql", version), Path("/usr/share/proj"),
        Path("/usr/share/zoneinfo"), Path("/usr/lib/locale/C.utf8"),
    ]  # fmt: skip
    with_libraries = [*programs.iterdir(), *(programs.parent / "lib").glob("*.so")]
    files = {
        **_BUSYBOX,
        **{str(folder): str(folder) for folder in folders},
        **_name_libraries(str(path) for path in with_libraries),
    }
    entry = ["/bin/busybox", "sh", "/start.sh"]
    # by SIGINT it ends at once; by SIGTERM when all others have gone
    with _image(POSTGRESQL, archive, files, entry, "SIGINT") as root:
        (root / "start.sh").write_text(_START_POSTGRESQL.replace("PROGRAMS", str(programs)))
        (root / "bin" / "sh").symlink_to("busybox")  # initdb starts programs by a shell
        # as in images of its makers: psql inside needs neither a path nor a password
        (root / "bin" / "psql").write_text(_PSQL.replace("PROGRAMS", str(programs)))
        (root / "bin" / "psql").chmod(0o755)
        (root / "etc").mkdir(exist_ok=True)
        line = f"postgres:x:{POSTGRESQL_USER}:{POSTGRESQL_USER}::/tmp:/bin/sh\n"
        (root / "etc" / "passwd").write_text(line)


def _name_libraries(programs: Iterable[str]) -> dict[str, str]:
    """Return the libraries that programs load, each at the path where it is looked for."""
    found: dict[str, str] = {}
    for program in programs:
        asked = subprocess.run(["ldd", program], capture_output=True, text=True, check=False)
        for word in asked.stdout.split():
            if word.startswith("/"):
                found[str(Path(word).resolve())] = word.rstrip(":")
    return found


def _copy(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    if source.is_dir():
        shutil.copytree(source, target)  # what links lead to, too
    else:
        shutil.copy2(source, target)


@contextmanager
def _image(
    name: str, archive: Path, files: Mapping[str, str], entry: list[str], stop: str = "SIGTERM"
) -> Iterator[Path]:
    """Give the root folder of a new image; write the image to an archive after the block.

    Parameters
    ----------
    files
        What of this machine it holds: paths here, and the paths there.
    entry
        Its command.
    stop
        The signal that asks it to end.
    """
    container = run("buildah", "from", "scratch").strip()
    try:
        root = Path(run("buildah", "mount", container).strip())
        for source, target in files.items():
            _copy(Path(source), root / target.lstrip("/"))
        (root / "tmp").mkdir(exist_ok=True)
        (root / "tmp").chmod(0o1777)
        yield root
        told = ("--env", "PATH=/bin", "--stop-signal", stop, "--entrypoint", json.dumps(entry))
        run("buildah", "config", *told, container)
        run("buildah", "commit", "--quiet", container, f"docker-archive:{archive}:{name}")
    finally:
        run("buildah", "rm", container)
