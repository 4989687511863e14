"""Fixed names of files; nothing that a client says is ever one."""

RECORDING = "recording"
TIMELINE = "timeline.json"

IN = "in"
"""In the folder of an analysing process: holds the recording, which it may only read."""
OUT = "out"
"""In the folder of an analysing process: where it writes its result."""

WORKER_LOCK = ".lock"
"""In the folder of a worker: locked as long as it lives."""
