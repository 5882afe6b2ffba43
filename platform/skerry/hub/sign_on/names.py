"""Names of accounts: made once for a person of a provider, and never given to another person.

A person is an issuer and a subject (``sub``), which a provider never gives to two people and never
changes. User names and e-mail addresses may change, and may then belong to somebody else: they only
suggest the name of a new account.
"""

import hashlib
import re
import unicodedata
from collections.abc import Collection, Iterator
from dataclasses import dataclass

from sqlalchemy import (
    Column,
    Connection,
    MetaData,
    StaticPool,
    String,
    Table,
    create_engine,
    select,
)
from sqlalchemy.exc import IntegrityError

from skerry.core.errors import ConflictError, ForbiddenError

_METADATA = MetaData()
_NAMES = Table(
    "skerry_account_names",
    _METADATA,
    Column("issuer", String(255), primary_key=True),
    Column("subject", String(255), primary_key=True),
    Column("name", String(63), nullable=False, unique=True),
)
_LONGEST_SUBJECT = 255
_LONGEST_WISH = 32
_TRIES = 5
_CORRECT = "The administrator corrects 'accounts' in the settings of the sign-on."


@dataclass(frozen=True)
class Person:
    """Somebody whom a provider knows.

    Attributes
    ----------
    issuer, subject
        Who they are, for ever.
    """

    issuer: str
    subject: str

    @property
    def mark(self) -> str:
        """Letters that tell this person from others of the same name."""
        text = f"{self.issuer}\n{self.subject}"
        return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()


class AccountNames:
    """The names of all people who have ever signed on, in the hub's database.

    A row stays when the hub forgets an account: what belonged to ``person:ann`` must not become
    another Ann's.

    Parameters
    ----------
    url
        The hub's database.
    """

    def __init__(self, url: str) -> None:
        in_memory = url in ("sqlite://", "sqlite:///:memory:")
        self._engine = create_engine(
            url,
            **({"poolclass": StaticPool, "connect_args": {"check_same_thread": False}}
               if in_memory else {}),
        )  # fmt: skip
        _METADATA.create_all(self._engine)

    def close(self) -> None:
        """Close the connections to the database."""
        self._engine.dispose()

    def find(self, person: Person) -> str | None:
        """Return the name of a person's account, None if they have none."""
        with self._engine.connect() as connection:
            return _find(connection, person)

    def bind(self, person: Person, name: str) -> str:
        """Give a person the account of a name that an administrator wrote into the settings.

        Raises
        ------
        ConflictError
            If the account is another person's, or the person has another account.
        """
        _check_subject(person)
        with self._engine.begin() as connection:
            present = _find(connection, person)
            if present is None and _is_given(connection, name):
                raise ConflictError(
                    f"The account {name!r} belongs to another person of the provider.",
                    remedy=_CORRECT,
                )
            if present not in (None, name):
                raise ConflictError(
                    f"This person has the account {present!r}, and the settings say {name!r}.",
                    remedy=_CORRECT,
                )
            if present is None:
                connection.execute(_NAMES.insert().values(_row(person, name)))
        return name

    def give(self, person: Person, wish: str, taken: Collection[str]) -> str:
        """Return the name of a person's account; make one if they have none.

        Parameters
        ----------
        person
            The person.
        wish
            What the provider calls them today.
        taken
            Names that may not be given, for another reason than that a person has them.
        """
        _check_subject(person)
        for _ in range(_TRIES):  # another person may take the same name meanwhile
            with self._engine.connect() as connection:
                if (name := _find(connection, person)) is not None:
                    return name
                free = [
                    name
                    for name in suggest_names(wish, person.mark)
                    if name not in taken and not _is_given(connection, name)
                ]
            if not free:
                break
            try:
                with self._engine.begin() as connection:
                    connection.execute(_NAMES.insert().values(_row(person, free[0])))
            except IntegrityError:
                continue
            return free[0]
        raise ConflictError("No name was free for a new account.", remedy="Sign on again.")


def suggest_names(wish: str, mark: str) -> Iterator[str]:
    """Yield names for a new account, the plainest first.

    The first is what the provider calls the person, in small ASCII letters, digits, ``.``, ``_``
    and ``-``; the others have a part of the person's own mark at the end.
    """
    plain = unicodedata.normalize("NFKD", wish).encode("ascii", "ignore").decode().lower()
    plain = re.sub(r"[^a-z0-9._-]+", "-", plain)[:_LONGEST_WISH].strip("._-")
    if not plain or not plain[0].isalpha():
        plain = "person"
    else:
        yield plain
    for length in (6, 12, 24):
        yield f"{plain}-{mark[:length]}"


def _check_subject(person: Person) -> None:
    """Refuse an identifier that no provider may give (OpenID Connect Core, section 2)."""
    subject = person.subject
    if not subject or len(subject) > _LONGEST_SUBJECT or not subject.isascii():
        raise ForbiddenError(
            "The provider gives this person no usable identifier (sub).",
            remedy="The administrator of the provider looks at the claim 'sub'.",
        )


def _find(connection: Connection, person: Person) -> str | None:
    query = select(_NAMES.c.name).where(
        _NAMES.c.issuer == person.issuer, _NAMES.c.subject == person.subject
    )
    return connection.execute(query).scalar()


def _is_given(connection: Connection, name: str) -> bool:
    query = select(_NAMES.c.name).where(_NAMES.c.name == name)
    return connection.execute(query).first() is not None


def _row(person: Person, name: str) -> dict[str, str]:
    return {"issuer": person.issuer, "subject": person.subject, "name": name}
