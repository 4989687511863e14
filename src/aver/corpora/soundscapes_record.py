"""What is written beside soundscapes: settings, sources, and what is heard in each."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Final

from aver.corpora.soundscapes_cast import check_disjoint
from aver.errors import CorpusError

RECORD: Final = "soundscapes.json"
_ADVICE: Final = "Make soundscapes with: aver events soundscapes DATA OUT"


def read_record(root: Path) -> dict[str, Any]:
    """What ``soundscapes.json`` says.

    Raises:
        CorpusError: if it is not there, or damaged.
    """
    path = Path(root) / RECORD
    try:
        found = dict(json.loads(path.read_text(encoding="utf-8")))
        missing = [name for name in ("identity", "sources", "scapes") if name not in found]
    except (OSError, ValueError, TypeError) as error:
        raise CorpusError(path, f"cannot be read ({error})", _ADVICE) from error
    if missing:
        raise CorpusError(path, f"says nothing of {', '.join(missing)}", _ADVICE)
    return found


def check_soundscapes(root: Path) -> None:
    """Refuse soundscapes of which two parts share a speaker or a source, or files are missing.

    Raises:
        CorpusError: naming the parts and what they share, or the first file that is not there.
    """
    record = read_record(root)
    check_disjoint(record["sources"], root)
    for split, scapes in record["scapes"].items():
        for scape in scapes:
            file = root / split / scape["filename"]
            if not file.is_file():
                raise CorpusError(file, "is not there", "Make the soundscapes anew")
