"""For all tests."""

import signal

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    # A shell ignores Ctrl-C for what it starts in the background, and every program started from there inherits that:
    # tests of Ctrl-C, and W&B's SDK, which stops a script by it, would wait for ever.
    signal.signal(signal.SIGINT, signal.default_int_handler)
