"""Real pods under the crash suite: they run until they are told to end, as the simulated ones do."""

from __future__ import annotations

import subprocess

from tests.support.cluster import Cluster

IMAGE = "reg.local:5000/job-waits:crash"
"""tests/crash/jobs/waits.py, made by `make crash-pods`."""

TELL = "open('/tmp/exit-code', 'w').write('{code}')"


class RealPods(Cluster):
    """A cluster of size full: a kubelet runs the pods."""

    def end_pod(self, namespace: str, pod: str, exit_code: int) -> None:
        """Tell the program in the pod to end."""
        command = ["kubectl", "exec", "-n", namespace, pod, "--", "python3", "-c", TELL.format(code=exit_code)]
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
        assert done.returncode == 0, done.stderr

    def end_evicted(self, namespace: str, pod: str) -> None:
        """The kubelet does it."""
