"""How this machine reaches packages, given to a build for single steps and kept in no layer."""

import os
import shlex
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

_PREFIXES = ("PIP_", "UV_", "NPM_CONFIG_")
_PROXIES = ("http_proxy", "https_proxy", "no_proxy")
_NO_USE = frozenset(
    {"PIP_CERT", "PIP_CONFIG_FILE", "PIP_FIND_LINKS", "UV_CONFIG_FILE", "UV_CACHE_DIR"}
)
"""They name files of this machine."""
_HOME = Path.home()
_FILES: Mapping[str, tuple[str, tuple[Path, ...]]] = {
    "pip.conf": ("PIP_CONFIG_FILE", (_HOME / ".config/pip/pip.conf", Path("/etc/pip.conf"))),
    "uv.toml": ("UV_CONFIG_FILE", (_HOME / ".config/uv/uv.toml", Path("/etc/uv/uv.toml"))),
    "npmrc": ("NPM_CONFIG_USERCONFIG", (_HOME / ".npmrc",)),
    "ca.pem": ("SSL_CERT_FILE", ()),
    "apt.conf": ("APT_CONFIG", ()),
}
"""Name of the secret: the variable that names its file, and where it is without that variable."""


@contextmanager
def collect_settings() -> Iterator[dict[str, Path]]:
    """Give the files to mount, by the names that the Dockerfiles use."""
    with TemporaryDirectory(prefix="skerry-images.") as folder:
        found = {name: path for name in _FILES if (path := _find(name))}
        variables = Path(folder) / "variables.sh"
        variables.write_text("".join(write_variables(os.environ)))
        for name, path in found.items():
            if name.endswith((".conf", "npmrc")):
                # what it says about certificates holds here, not in the image
                found[name] = Path(folder) / name
                found[name].write_text(_leave_out_certificates(path.read_text()))
        yield {**found, "variables.sh": variables}


def write_variables(environment: Mapping[str, str]) -> Iterator[str]:
    """Yield lines for a shell, of the variables that say where packages are."""
    for name, value in sorted(environment.items()):
        named = name.startswith(_PREFIXES) or name.lower() in _PROXIES
        if named and name not in _NO_USE:
            yield f"export {name}={shlex.quote(value)}\n"


def _find(name: str) -> Path | None:
    variable, usual = _FILES[name]
    places = [Path(os.environ[variable])] if os.environ.get(variable) else usual
    return next((place for place in places if place.is_file()), None)


def _leave_out_certificates(text: str) -> str:
    return "".join(
        f"{line}\n"
        for line in text.splitlines()
        if line.partition("=")[0].strip() not in {"cert", "cafile", "nodedir", "prefix", "cache"}
    )
