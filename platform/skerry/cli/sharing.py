"""`skerry share`: give a collection, a release or a job to others, and take it back."""

import click

from skerry.cli.presenting import say

_PATHS = {
    "collection": "shares/{}",
    "release": "production/releases/{}/shares",
    "job": "production/jobs/{}/shares",
}
"""What is given, to the api's path with the name of the thing."""


@click.command()
@click.argument("name")
@click.argument("holder", metavar="[person:NAME|project:NAME]", required=False)
@click.option(
    "--kind", type=click.Choice(list(_PATHS)), default="collection", show_default=True,
    help="What NAME is.",
)  # fmt: skip
@click.option("--change", is_flag=True, help="They may change it, too, but not give or delete it.")
@click.option("--remove", is_flag=True, help="Take it back.")
def share(name: str, holder: str | None, kind: str, *, change: bool, remove: bool) -> None:
    """Give NAME to a person or a project; without them, list to whom it is given.

    Whom a collection is given to change registers and deletes its items; a release: decides about
    it; a job: starts and ends its runs, and reads their logs.

    \b
    Examples:
      skerry share water person:ann
      skerry share water project:lakes --change
      skerry share water person:ann --remove
      skerry share daily person:ann --kind job
    """  # noqa: D301
    from skerry.cli.presenting import print_table
    from skerry.client.session import connect, join_address
    from skerry.core.errors import InvalidInputError
    from skerry.core.ids import check_name
    from skerry.core.ownership import check_owner

    path = _PATHS[kind].format(check_name(name, what=f"{kind} name"))
    if ((change or remove) and holder is None) or (change and remove):
        raise InvalidInputError(
            "--change and --remove need a person or a project, and exclude each other.",
            remedy="Write for example: skerry share water person:ann --change.",
        )
    session = connect()
    if holder is None:
        shares = session.request("GET", path)["shares"]
        print_table(("HOLDER", "MAY"), [(item["holder"], item["verb"]) for item in shares])
        return
    holder = check_owner(holder)
    own = f"{path}/{join_address(holder)}"
    if remove:
        session.request("DELETE", own)
        say(f"{name} is taken back from {holder}")
        return
    verb = "change" if change else "see"
    remark = session.request("PUT", own, json={"verb": verb})["remark"]
    say(f"{holder} may {verb} {name}")
    if remark:
        say(remark, err=True)
