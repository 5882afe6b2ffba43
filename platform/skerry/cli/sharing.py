"""`skerry share`: give a collection to others, and take it back."""

import click


@click.command()
@click.argument("collection")
@click.argument("holder", metavar="[person:NAME|project:NAME]", required=False)
@click.option("--change", is_flag=True, help="They may register and delete items, too.")
@click.option("--remove", is_flag=True, help="Take it back.")
def share(collection: str, holder: str | None, change: bool, remove: bool) -> None:
    """Give a collection to a person or a project; without a name, list to whom it is given.

    \b
    Examples:
      skerry share water person:ann
      skerry share water project:lakes --change
      skerry share water person:ann --remove
    """  # noqa: D301
    from skerry.cli.presenting import print_table
    from skerry.client import connect
    from skerry.client.session import join_address
    from skerry.core.errors import InvalidInputError
    from skerry.core.ids import check_name
    from skerry.core.ownership import check_owner

    path = join_address("shares", check_name(collection, what="collection id"))
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
    own = join_address("shares", collection, check_owner(holder))
    if remove:
        session.request("DELETE", own)
        click.echo(f"{collection} is taken back from {holder}")
        return
    verb = "change" if change else "see"
    session.request("PUT", own, json={"verb": verb})
    click.echo(f"{holder} may {verb} {collection}")
