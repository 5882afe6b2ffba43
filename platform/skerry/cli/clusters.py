"""`skerry cluster`: list the live Dask clusters, or end a cluster."""

import click

from skerry.cli.presenting import json_option, print_json, print_table, say
from skerry.client.session import connect, join_address
from skerry.core.time import format_time
from skerry.models.clusters import ClusterList

_GB = 1e9


@click.group("cluster", invoke_without_command=True)
@json_option
@click.pass_context
def cluster_group(ctx: click.Context, *, as_json: bool) -> None:
    """List the live Dask clusters, or stop a cluster.

    \b
    Example:
      skerry cluster list
      skerry cluster stop 3f2a
    """  # noqa: D301
    if ctx.invoked_subcommand is None:
        _show_clusters(as_json=as_json)


@cluster_group.command("list")
@json_option
def list_clusters(*, as_json: bool) -> None:
    """List the live Dask clusters.

    Example: skerry cluster list
    """
    _show_clusters(as_json=as_json)


def _show_clusters(*, as_json: bool) -> None:
    clusters = connect().fetch(ClusterList, "GET", "clusters").clusters
    if as_json:
        print_json(clusters)
        return
    head = ("NAME", "OWNER", "JOB", "RUN", "SINCE", "WORKERS", "MEMORY", "STATUS")
    print_table(
        head,
        [
            (
                item.name, item.owner, item.job or "", item.run or "", format_time(item.since),
                str(item.workers), f"{item.memory / _GB:.1f} GB", item.status,
            )
            for item in clusters
        ],
    )  # fmt: skip


@cluster_group.command("stop")
@click.argument("name")
def stop(name: str) -> None:
    """End the cluster NAME and all its computations.

    Example: skerry cluster stop 3f2a
    """
    connect().request("DELETE", join_address("clusters", name))
    say(f"The cluster {name} is ending.")
