"""The workflows of runs as the reconciler uses them: none of it waits for a database that is away.

The workflow engine itself waits without a word until its database is back; a round of the worker
has to say that it waits, and to go on with what needs no database.
"""

import time
from collections.abc import Callable, Collection

from dbos import DBOSClient, EnqueueOptions, WorkflowStatus

from skerry.production.workflow import APPLICATION, QUEUE, STEPS_VERSION, WORKFLOW, workflow_id

_LOOK_S = 2.0
_LEFT_S = 5.0
"""A workflow is left when it has had no thread for so long: a thread that begins or ends shortly
holds its workflow without carrying it."""


class Workflows:
    """The workflows of all runs, for one worker.

    Parameters
    ----------
    client
        See `skerry.production.workflow.open_client`.
    worker
        This worker's own name.
    list_carried
        Returns the identifiers of workflows that threads of this process carry out.
    clock
        Seconds of a clock that never goes back.
    """

    def __init__(
        self,
        client: DBOSClient,
        worker: str,
        list_carried: Callable[[], Collection[str]],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._client = client
        self._worker = worker
        self._list_carried = list_carried
        self._clock = clock
        self._looked = -_LOOK_S
        self._alone_since: dict[str, float] = {}

    def find(self, names: Collection[str]) -> dict[str, WorkflowStatus]:
        """Return the workflows of these identifiers that there are."""
        workflows = self._client.list_workflows(
            workflow_ids=list(names), load_input=False, load_output=False
        )
        return {workflow.workflow_id: workflow for workflow in workflows}

    def enqueue(self, run_id: str, generation: int) -> None:
        """Hand a run over; a workflow that there is already stays as it is."""
        options: EnqueueOptions = {
            "workflow_name": WORKFLOW, "queue_name": QUEUE, "app_version": STEPS_VERSION,
            "application_name": APPLICATION, "workflow_id": workflow_id(run_id, generation),
        }  # fmt: skip
        self._client.enqueue(options, run_id, generation)

    def cancel(self, name: str) -> None:
        """End a workflow without a result."""
        self._client.cancel_workflow(name)

    def take_over(self, worker: str) -> int:
        """Give the workflows that a worker was carrying out to whoever has room; return how many.

        A thread that still carries out such a workflow cannot record anything any more.
        """
        return self._resume(self._list_pending(worker))

    def take_back_left(self) -> list[str]:
        """Give this worker's own workflows that no thread carries to whoever has room.

        A database that refuses to record what a thread did, because its disk is full for
        instance, leaves the workflow without a thread.
        """
        now = self._clock()
        if now - self._looked < _LOOK_S:
            return []
        self._looked = now
        alone = set(self._list_pending(self._worker)) - set(self._list_carried())
        self._alone_since = {name: self._alone_since.get(name, now) for name in alone}
        left = [name for name, since in self._alone_since.items() if now - since >= _LEFT_S]
        self._resume(left)
        for name in left:
            del self._alone_since[name]
        return left

    def _list_pending(self, worker: str) -> list[str]:
        workflows = self._client.list_workflows(
            status="PENDING", executor_id=worker, load_input=False, load_output=False
        )
        return [workflow.workflow_id for workflow in workflows]

    def _resume(self, names: list[str]) -> int:
        if names:
            self._client.resume_workflows(names, queue_name=QUEUE)
        return len(names)
