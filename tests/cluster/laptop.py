"""A person's own machine, on which `skerry` is installed: it reaches the platform by its names."""

import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from tests.cluster.door import Door

_LIMIT_S = 600
# A name server is what a laptop has; here a file of names, which only this process sees.
_WITH_NAMES = 'mount --bind "$1" /etc/hosts && shift && exec "$@"'


@dataclass(frozen=True)
class Laptop:
    """The machine.

    Attributes
    ----------
    home
        The person's home folder there.
    door
        Where the platform's names lead.
    """

    home: Path
    door: Door

    def call(self, *words: str, said: str = "") -> str:
        """Call ``skerry``; return what it prints.

        Parameters
        ----------
        said
            What the person gives it on its standard input.
        """
        names = self.home / "hosts"
        known = "127.0.0.1 localhost\n"
        names.write_text(
            known + "".join(f"{self.door.address} {name}\n" for name in self.door.domains)
        )
        program = str(Path(sys.executable).with_name("skerry"))
        done = subprocess.run(
            ["unshare", "--mount", "sh", "-c", _WITH_NAMES, "sh", str(names), program, *words],
            input=said, capture_output=True, text=True, check=False, timeout=_LIMIT_S,
            env={"PATH": "/usr/bin:/bin", "HOME": str(self.home), "LANG": "C.UTF-8",
                 "SSL_CERT_FILE": str(self.door.authority)},
        )  # fmt: skip
        assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
        return done.stdout
