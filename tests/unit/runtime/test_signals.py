"""Signals: told at once, whatever the main thread does and whichever thread they meet."""

from __future__ import annotations

import subprocess
import sys
import textwrap

import pytest

SECONDS = 30.0

OPENING = """
    import os, signal, threading
    from launch_agent.runtime import signals

    told = threading.Event()
    names = []

    def tell(name):
        names.append(name)
        told.set()
"""


def _run(body: str) -> subprocess.CompletedProcess[str]:
    script = textwrap.dedent(OPENING) + textwrap.dedent(body)
    return subprocess.run(
        [sys.executable, "-W", "error", "-c", script], capture_output=True, text=True, timeout=SECONDS, check=False
    )


CASES = {
    "the main thread waits, and the signal meets another thread": """
        with signals.heed((signal.SIGTERM,), tell):
            other = threading.Thread(target=told.wait)
            other.start()
            threading.Timer(0.2, lambda: signal.pthread_kill(other.ident, signal.SIGTERM)).start()
            told.wait()
        print(*names)
    """,
    "the main thread holds a lock that is wanted": """
        lock = threading.Lock()

        def tell_locked(name):
            with lock:
                tell(name)

        with signals.heed((signal.SIGTERM,), tell_locked):
            with lock:
                os.kill(os.getpid(), signal.SIGTERM)
            told.wait()
        print(*names)
    """,
    "the signal comes to the process": """
        with signals.heed((signal.SIGTERM, signal.SIGINT), tell):
            os.kill(os.getpid(), signal.SIGTERM)
            told.wait()
        print(*names)
    """,
}


@pytest.mark.parametrize("body", CASES.values(), ids=list(CASES))
def test_a_signal_is_told(body: str) -> None:
    done = _run(body)
    assert (done.returncode, done.stdout, done.stderr) == (0, "SIGTERM\n", "")


def test_every_signal_is_told_by_its_name_and_others_are_not() -> None:
    done = _run("""
        both = threading.Semaphore(0)

        def count(name):
            names.append(name)
            both.release()

        signal.signal(signal.SIGUSR1, lambda *_: None)
        with signals.heed((signal.SIGTERM, signal.SIGINT), count):
            for number in (signal.SIGUSR1, signal.SIGTERM, signal.SIGINT):
                os.kill(os.getpid(), number)
            both.acquire()
            both.acquire()
        print(*sorted(names))
    """)
    assert (done.returncode, done.stdout, done.stderr) == (0, "SIGINT SIGTERM\n", "")


def test_a_signal_after_the_end_is_ignored() -> None:
    done = _run("""
        with signals.heed((signal.SIGTERM,), tell):
            pass
        os.kill(os.getpid(), signal.SIGTERM)
        print("left", *names)
    """)
    assert (done.returncode, done.stdout, done.stderr) == (0, "left\n", "")
