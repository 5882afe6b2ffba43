"""Lets Deployments start anew with changed settings: ``python -m ... DIGEST DEPLOYMENT...``.

The chart runs it after an upgrade. Hub and gateway stand in sub-charts, whose pods do not change
when the settings do. The digest of the settings becomes an annotation of their pods; a Deployment
whose pods have it already stays as it is.
"""

import asyncio
import os
import sys

from kubernetes_asyncio import config
from kubernetes_asyncio.client import ApiClient, AppsV1Api

ANNOTATION = "skerry/hub-settings"


async def restart(namespace: str, deployments: list[str], digest: str) -> None:
    """Write the digest of the settings to the pods of Deployments.

    Parameters
    ----------
    namespace
        Where they are.
    deployments
        Their names.
    digest
        Of the settings that they read when they start.
    """
    pods = {"metadata": {"annotations": {ANNOTATION: digest}}}
    async with ApiClient() as client:
        apps = AppsV1Api(client)
        for name in deployments:
            await apps.patch_namespaced_deployment(name, namespace, {"spec": {"template": pods}})
            print(f"{name} has the settings {digest}.")  # noqa: T201  (the log of its pod)


def main(digest: str, *deployments: str) -> None:
    """Restart Deployments of the pod's own namespace."""
    config.load_incluster_config()  # type: ignore[no-untyped-call]
    asyncio.run(restart(os.environ["POD_NAMESPACE"], list(deployments), digest))


if __name__ == "__main__":
    main(*sys.argv[1:])
