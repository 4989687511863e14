"""Opening an ONNX file, the same way for every network."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from aver.errors import ModelError


def open_session(path: str | Path, threads: int = 1) -> Any:
    """An ONNX Runtime session on the CPU, without the memory arena that only ever grows.

    Args:
        path: the ``.onnx`` file.
        threads: threads of one run.

    Raises:
        ModelError: if the file is missing or damaged.
    """
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.enable_cpu_mem_arena = False
    options.log_severity_level = 3
    try:
        return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    except Exception as error:  # its exception classes are not importable by name
        reason = str(error).splitlines()[0]
        raise ModelError(
            path, f"cannot be loaded ({reason})", "Fetch or export it again"
        ) from error


def require_outputs(session: Any, path: str | Path, names: Iterable[str]) -> None:
    """Check that a network can show what it looked at: that it has the outputs *names*.

    Raises:
        ModelError: if it lacks some; the message says which, and how to export it again.
    """
    given = {entry.name for entry in session.get_outputs()}
    missing = [name for name in names if name not in given]
    if missing:
        raise ModelError(
            path,
            f"cannot show what it looked at: it has no output {', '.join(missing)}",
            "Export it again by its recipe with this version of aver, or use the shipped one",
        )
