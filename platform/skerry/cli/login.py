"""`skerry login`, `skerry logout`, `skerry whoami`: with which account commands work."""

import sys

import click

from skerry.cli.presenting import json_option, print_json, print_table, say


@click.command()
@click.argument("url", metavar="ADDRESS")
def login(url: str) -> None:
    """Log in at the platform at ADDRESS, for commands and notebooks on this machine.

    It asks for a token that a page of the platform makes, and keeps another token instead, in a
    file that only you can read. That token ends a week after its last use.

    \b
    Examples:
      skerry login https://eo.example.org
      skerry login https://eo.example.org < token.txt
    """  # noqa: D301
    from skerry.client.kept_logins import check_platform, exchange, find_kept, keep, revoke

    url = check_platform(url)
    token = _read_token(url)
    made = exchange(url, token)
    earlier = find_kept(url, alive=False)
    keep(made)
    if earlier is not None and earlier.token_id != made.token_id:
        revoke(earlier.model_copy(update={"token": made.token}))
    say(f"Logged in as {made.user} at {made.url}")
    if made.expires is None:
        say("This token cannot be renewed: log in again when it has ended.", err=True)


def _read_token(url: str) -> str:
    from skerry.core.errors import InvalidInputError

    if sys.stdin.isatty():
        say(f"Open {url}/hub/token in a browser, log in there, and request a new token.")
        token = str(click.prompt("Token", hide_input=True)).strip()
    else:
        token = sys.stdin.readline().strip()
    if not token or not token.isascii() or len(token.split()) != 1:
        raise InvalidInputError(
            "This is not a token.", remedy=f"Copy the token from {url}/hub/token, and nothing else."
        )
    return token


@click.command()
@click.argument("url", metavar="[ADDRESS]", required=False, default="")
def logout(url: str) -> None:
    """Revoke the token for a platform, the last one without ADDRESS, and forget it.

    \b
    Example:
      skerry logout https://eo.example.org
    """  # noqa: D301
    from skerry.client.kept_logins import find_kept, forget, revoke
    from skerry.core.errors import UnauthenticatedError

    url = url.rstrip("/")
    kept = find_kept(url, alive=False)
    if kept is None:
        raise UnauthenticatedError(
            f"There is no login{f' at {url}' if url else ''}.",
            remedy="'skerry whoami' says with which account commands work.",
        )
    is_revoked = revoke(kept)
    forget(kept.url)
    say(f"Logged out {kept.user} at {kept.url}")
    if not is_revoked:
        say(
            f"The platform does not answer, so the token is good until it ends: revoke it at "
            f"{kept.url}/hub/token.",
            err=True,
        )


@click.command()
@json_option
def whoami(*, as_json: bool) -> None:
    """Show with which account commands work here, and what it may do.

    \b
    Example:
      skerry whoami --json
    """  # noqa: D301
    from skerry.client.session import connect
    from skerry.models.platform import Holder

    session = connect()
    holder = session.fetch(Holder, "GET", "me")
    if as_json:
        print_json(holder.model_dump(mode="json") | {"url": session.url})
        return
    say(f"{holder.account} at {session.url}")
    rows = [
        ("Projects", ", ".join(holder.projects) or "-"),
        ("Roles", ", ".join(holder.roles) or "-"),
        ("Scopes", ", ".join(holder.scopes) or "-"),
    ]
    print_table(("WHAT", "NAMES"), rows)
