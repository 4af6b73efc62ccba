"""Signals, told on a thread: no lock is taken in a handler, and no wait of the main thread holds one back."""

from __future__ import annotations

import contextlib
import signal
import socket
import threading
from collections.abc import Callable, Iterator, Sequence


@contextlib.contextmanager
def heed(numbers: Sequence[signal.Signals], tell: Callable[[str], None]) -> Iterator[None]:
    """Call ``tell`` with the name of each of these signals that arrives, on a thread of its own.

    A handler in Python runs on the main thread, between two of its steps: it hangs where it wants a lock that the main
    thread holds, and it runs late or never where the main thread has just begun to wait. The interpreter writes to
    the wakeup descriptor at once, on whatever thread the signal meets (Python's ``signal.set_wakeup_fd``).

    Must be entered on the main thread. Afterwards these signals are ignored, since the process is about to end.
    """
    reader, writer = socket.socketpair()
    writer.setblocking(False)

    def listen() -> None:
        while received := reader.recv(64):
            for number in received:
                if number in numbers:
                    tell(signal.Signals(number).name)

    earlier = signal.set_wakeup_fd(writer.fileno(), warn_on_full_buffer=False)
    for number in numbers:
        signal.signal(number, lambda _number, _frame: None)
    listener = threading.Thread(target=listen, name="signals", daemon=True)
    listener.start()
    try:
        yield
    finally:
        signal.set_wakeup_fd(earlier)
        writer.close()
        listener.join()
        reader.close()
