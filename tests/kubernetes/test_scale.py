"""Many attempts at once on nodes that only pretend; `tests.kubernetes.scale` gives figures."""

from collections import Counter
from pathlib import Path

import pytest
from tests.kubernetes.scale import carry_out
from tests.kubernetes.server import KubernetesServer

from skerry.production.executors.protocol import AttemptState, Phase

pytestmark = pytest.mark.kubernetes


def test_many_attempts_end_and_none_is_asked_about_again_and_again(
    control_plane: KubernetesServer, busy_namespace: str, tmp_path: Path
) -> None:
    count = 50
    figures = carry_out(control_plane, busy_namespace, tmp_path, count, work_s=5)
    assert figures.states == Counter({AttemptState(Phase.SUCCEEDED, "", "all done"): count})
    assert figures.requests["GET pods"] < 2 * count, "only the end of each is asked about"
    once_each = {"POST jobs": count, "POST secrets": count}
    assert {name: figures.requests[name] for name in once_each} == once_each
