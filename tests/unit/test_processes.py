"""A process that starts while a signal comes is known to the one that stops it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys

from titans.processes import signals_held


def test_a_signal_waits_until_the_new_process_is_known() -> None:
    # A shell's background job, as which the tests may run, ignores it.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    process = None
    try:
        with signals_held((signal.SIGINT,)):
            os.kill(os.getpid(), signal.SIGINT)
            process = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    except KeyboardInterrupt:
        assert process is not None
        assert signal.getsignal(signal.SIGINT) == signal.default_int_handler
    else:
        raise AssertionError("the signal is lost")
    finally:
        signal.signal(signal.SIGINT, before)
        if process is not None:
            process.kill()
            process.wait(timeout=30)


def test_a_signal_that_is_ignored_stays_ignored() -> None:
    before = signal.signal(signal.SIGTERM, signal.SIG_IGN)
    try:
        with signals_held((signal.SIGTERM,)):
            os.kill(os.getpid(), signal.SIGTERM)
    finally:
        signal.signal(signal.SIGTERM, before)
