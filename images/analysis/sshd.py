#!/opt/skerry/bin/python -I
"""An SSH server on loopback, which JupyterLab's server starts and reaches: ``skerry-sshd PORT``.

No port of the container is open for it: a connection comes through the hub's proxy and the person's
own server, which asks for the hub's token, and then needs a key of ``~/.ssh/authorized_keys``.
Sessions get the variables of the person's server, so that `skerry` and Dask work in them.
"""

import os
import subprocess
import sys
import tempfile
from pathlib import Path

_GIVEN = ("CPU_", "DASK_", "GDAL_", "JUPYTERHUB_", "JUPYTER_CONFIG", "MEM_", "SKERRY_", "SSL_CERT_")
_ALSO_GIVEN = frozenset({
    "AWS_CA_BUNDLE", "LANG", "MPLCONFIGDIR", "PATH", "PYTHONDONTWRITEBYTECODE", "PYTHONSTARTUP",
    "TZ",
})  # fmt: skip


def main(port: str) -> None:
    """Become the SSH server."""
    folder = Path.home() / ".ssh"
    folder.mkdir(mode=0o700, exist_ok=True)
    key = folder / "skerry_host_ed25519"
    if not key.exists():
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(key)], check=True)
    key.chmod(0o600)  # Kubernetes opens what is on a volume to its group, which sshd refuses
    # variables hold the person's token: not in a command line, not in the home folder
    place = Path(tempfile.mkdtemp(prefix="skerry-sshd.")) / "sshd_config"
    place.touch(mode=0o600)
    place.write_text(write_settings(key, int(port)))
    os.execv("/usr/sbin/sshd", ["/usr/sbin/sshd", "-D", "-e", "-f", str(place)])  # noqa: S606


def write_settings(key: Path, port: int) -> str:
    """Return the text of ``sshd_config``."""
    variables = " ".join(
        f'"{name}={value}"'
        for name, value in sorted(os.environ.items())
        if (name in _ALSO_GIVEN or name.startswith(_GIVEN)) and not set(value) & set('"\\\n')
    )
    return f"""\
ListenAddress 127.0.0.1:{port}
HostKey {key}
PidFile none
UsePAM no
AuthenticationMethods publickey
PasswordAuthentication no
KbdInteractiveAuthentication no
PermitRootLogin no
AuthorizedKeysFile {key.parent}/authorized_keys
StrictModes no
GatewayPorts no
X11Forwarding no
PrintLastLog no
PrintMotd no
Subsystem sftp internal-sftp
SetEnv {variables}
"""


if __name__ == "__main__":
    main(sys.argv[1])
