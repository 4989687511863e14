"""A server without its answers: a supervisor with its workers, until it is asked to stop.

Run by the tests that kill it: ``python supervise.py`` with the settings on standard input.
"""

from __future__ import annotations

import signal
import sys
import threading

from aver.server.logs import set_up
from aver.server.settings import ServerSettings
from aver.server.store import Store
from aver.server.supervisor import Supervisor

if __name__ == "__main__":
    set_up()
    settings = ServerSettings.model_validate_json(sys.stdin.readline())
    supervisor = Supervisor(settings, Store(settings.store_url))
    supervisor.start()
    stop = threading.Event()
    signal.signal(signal.SIGTERM, lambda number, frame: stop.set())
    # Only now: who reads this may end the process at once.
    print("started", flush=True)
    stop.wait()
    supervisor.stop()
