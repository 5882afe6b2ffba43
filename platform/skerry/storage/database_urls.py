"""The address of a database server: read from a setting, shown without its password."""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from types import MappingProxyType

from sqlalchemy import URL, make_url
from sqlalchemy.exc import ArgumentError

from skerry.core.errors import InvalidInputError
from skerry.core.settings import DATABASE_VARIABLE

_DEFAULTS = {
    "application_name": "skerry",
    "client_encoding": "utf8",  # whatever the server, the role or PGCLIENTENCODING say
    "connect_timeout": "5",
    # a server that vanished without a word is noticed after 10 s by who asks it something, and
    # after a minute by who only waits for its answer
    "tcp_user_timeout": "10000",
    "keepalives_idle": "30",
    "keepalives_interval": "10",
    "keepalives_count": "3",
}
_SECRETS = ("password", "sslpassword")
"""What libpq takes behind the ``?`` and nobody may see."""


def parse_database_url(text: str, setting: str = DATABASE_VARIABLE) -> str:
    """Return the SQLAlchemy URL of a PostgreSQL database.

    Parameters
    ----------
    text
        ``postgresql://user:password@host:port/name``; what libpq knows may stand behind a ``?``.
    setting
        Where the address was given, for the message.

    Raises
    ------
    InvalidInputError
        If it is no such address. The message never holds the password.
    """
    try:
        url = make_url(text)
        kind = url.get_backend_name()
    except (ArgumentError, ValueError):  # the message may quote a part of the password
        raise _refuse(setting, "cannot be read as an address") from None
    if kind not in ("postgresql", "postgres"):
        raise _refuse(setting, f"begins with {url.drivername[:40]!r}")
    if not url.database:
        raise _refuse(setting, "names no database")
    url = url.set(drivername="postgresql+psycopg")
    missing = {name: value for name, value in _DEFAULTS.items() if name not in url.query}
    return url.update_query_dict(missing).render_as_string(hide_password=False)


def describe_database(url: str) -> str:
    """Return a database's name for people: its file, or its address without password."""
    parsed = make_url(url)
    if parsed.get_backend_name() != "postgresql":
        return str(parsed.database)
    return _write(parsed)


def write_setting(url: str) -> str:
    """Return a server's address as a setting takes it: without passwords and Skerry's own words."""
    parsed = make_url(url)
    own = [name for name, value in _DEFAULTS.items() if parsed.query.get(name) == value]
    return _write(parsed, parsed.difference_update_query([*own, *_SECRETS]).query)


def has_password(address: str) -> bool:
    """Return whether an address, which need not be valid, holds a password."""
    with suppress(ArgumentError, ValueError):
        url = make_url(address)
        return url.password is not None or any(name in url.query for name in _SECRETS)
    return False


def _write(url: URL, query: Mapping[str, str | Sequence[str]] = MappingProxyType({})) -> str:
    plain = URL.create("postgresql", url.username, None, url.host, url.port, url.database, query)
    return plain.render_as_string()


def _refuse(setting: str, why: str) -> InvalidInputError:
    remedy = (
        "Write it as postgresql://USER:PASSWORD@HOST:PORT/NAME, with marks such as '@' in the "
        "password as %40; without the variable the database is a file of the data folder."
        if setting == DATABASE_VARIABLE
        else "Write it as postgresql://USER@HOST:PORT/NAME."
    )
    return InvalidInputError(f"The value of {setting} {why}.", remedy=remedy)
