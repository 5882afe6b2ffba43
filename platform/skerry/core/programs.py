"""How a part of the platform starts: what it refuses is a line for people, never a stack trace."""

import errno
import socket
import sys
from collections.abc import Callable
from contextlib import closing

from skerry.core.errors import InvalidInputError, SkerryError
from skerry.core.hidden_variables import hide_variables
from skerry.core.settings import HOST_VARIABLE, LOOPBACK, PART_SECRETS, platform_secrets


def run_program(work: Callable[[], None]) -> int:
    """Do the work of a program; return its exit code: 0 done, 2 bad input, 1 another failure.

    Parameters
    ----------
    work
        Reads the settings, checks them and works until a signal ends the program.
    """
    hide_variables(PART_SECRETS | platform_secrets())
    try:
        work()
    except SkerryError as error:
        sys.stderr.write(f"ERROR skerry: {error}\n")
        return error.exit_code
    return 0


def listen(port: int, *, host: str = LOOPBACK, shared: bool = False) -> socket.socket:
    """Return a socket that listens on a port, of the loopback interface by default.

    Parameters
    ----------
    port
        The port; 0 for a free one.
    host
        The address of an interface.
    shared
        Whether other processes of this user may listen on it too: the kernel gives each
        connection to one of them.

    Raises
    ------
    InvalidInputError
        If the port is taken, or this machine has no such address.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with closing(socket.socket(family, socket.SOCK_STREAM)) as listening:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if shared:
            listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        try:
            listening.bind((host, port))
        except OSError as error:
            if error.errno == errno.EADDRNOTAVAIL:
                raise InvalidInputError(
                    f"This machine has no address {host}.",
                    remedy=f"Give {HOST_VARIABLE} an address of one of its interfaces.",
                ) from None
            if error.errno not in (errno.EADDRINUSE, errno.EACCES):
                raise
            raise InvalidInputError(
                f"Port {port} cannot be used ({error.strerror}).", remedy="Name a free port."
            ) from None
        listening.listen(2048)
        return socket.socket(fileno=listening.detach())
