"""Makes a Python in which the system offers no way to cut a process off."""

import aver.server.isolation

aver.server.isolation.isolate = lambda readable=None, writable=(): []
