"""What the crowd answered to each CREMA-D clip (Cao et al. 2014, sections 4 and 5).

2,443 people named the emotion of clips they heard (voice), saw (face), or both (multimodal), about
ten a clip. The publishers' tables are read in this order, the first that is there:

* ``processedResults/tabulatedVotes.csv``: answers counted. The name of a row is 100,000 times the
  kind of clip (1 voice, 2 face, 3 both) plus the clip's number.
* ``finishedResponses.csv``: one row an answer, counted here as the publishers' script
  ``processFinishedResponses.R`` does: without those whose first click came later than 10 s
  (``finishedEmoResponses.csv``), where that table is there.
* ``processedResults/summaryTable.csv``: the most frequent answers only.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from aver.errors import CorpusError
from aver.labels import CREMA_D

if TYPE_CHECKING:
    import pandas as pd

KINDS: dict[int, str] = {1: "voice", 2: "face", 3: "multimodal"}
LETTERS: dict[str, str] = {label[0].upper(): label for label in CREMA_D}
"""A, D, F, H, N, S."""

VOTE_COLUMNS: tuple[str, ...] = (
    *(f"vote_{kind}" for kind in KINDS.values()),
    *(f"agreement_{kind}" for kind in KINDS.values()),
    *(f"votes_{kind}_{label}" for kind in KINDS.values() for label in CREMA_D),
)
"""``vote_voice``: the most frequent answer, several joined by ``:``. ``agreement_voice``: its share
of the answers, 0 to 1. ``votes_voice_angry``: number of answers. NaN or empty where unknown."""

_LATE_MILLISECONDS = 10_000
_ADVICE = "Take the publishers' file, or remove it"

Votes = dict[str, dict[str, object]]


def read_votes(root: Path) -> Votes:
    """The crowd's answers by clip (file stem), as :data:`VOTE_COLUMNS`; empty if no table is there.

    Raises:
        CorpusError: if a table is not the publishers'.
    """
    readers: list[tuple[str, Callable[[Path], Votes]]] = [
        ("processedResults/tabulatedVotes.csv", _read_tabulated),
        ("tabulatedVotes.csv", _read_tabulated),
        ("finishedResponses.csv", _read_answers),
        ("processedResults/summaryTable.csv", _read_summary),
        ("summaryTable.csv", _read_summary),
    ]
    for name, reader in readers:
        for table in (root / name, root.resolve().parent / name):
            if table.is_file():
                return _read(table, reader)
    return {}


def winner(answers: Mapping[str, object], kind: str) -> str:
    """The one most frequent answer; empty if there are several or none."""
    vote = str(answers.get(f"vote_{kind}", ""))
    return "" if ":" in vote else vote


def _read(table: Path, reader: Callable[[Path], Votes]) -> Votes:
    try:
        return reader(table)
    except (KeyError, ValueError, OSError) as error:
        # pandas' parser errors are ValueErrors; a Git LFS pointer has no such columns either.
        problem = f"is not CREMA-D's table of answers ({error})"
        raise CorpusError(table, problem, _ADVICE) from error


def _columns(table: Path, names: list[str]) -> pd.DataFrame:
    import pandas as pd

    # "NA" is no answer's name, and N must stay a letter.
    return pd.read_csv(table, usecols=names, keep_default_na=False)


def _read_tabulated(table: Path) -> Votes:
    import pandas as pd

    whole = pd.read_csv(table, keep_default_na=False)
    votes: Votes = {}
    numbers = whole.iloc[:, 0].astype(int)
    for number, row in zip(numbers, whole.to_dict("records"), strict=True):
        kind = KINDS[int(number) // 100_000]
        counts = {label: int(row[letter]) for letter, label in LETTERS.items()}
        votes.setdefault(str(row["fileName"]), {}).update(_tell(kind, counts))
    return votes


def _read_answers(table: Path) -> Votes:
    answers = _columns(table, ["clipName", "queryType", "respEmo", "sessionNums", "questNum"])
    late = table.with_name("finishedEmoResponses.csv")
    if late.is_file():
        answers = answers[~_asked(answers).isin(_late(late))]
    labels = answers["respEmo"].astype(str).str[:1].str.upper().map(LETTERS)
    tally: dict[tuple[str, int], dict[str, int]] = {}
    for clip, kind, label in zip(answers["clipName"], answers["queryType"], labels, strict=True):
        if isinstance(label, str):
            counts = tally.setdefault((Path(str(clip)).stem, int(kind)), dict.fromkeys(CREMA_D, 0))
            counts[label] += 1
    votes: Votes = {}
    for (clip, kind), counts in tally.items():
        votes.setdefault(clip, {}).update(_tell(KINDS[kind], counts))
    return votes


def _asked(answers: pd.DataFrame) -> Any:
    """The publishers' number of a question: session, kind of clip, place among them."""
    numbers = answers[["sessionNums", "queryType", "questNum"]].astype(int)
    return numbers["sessionNums"] * 1000 + numbers["queryType"] * 100 + numbers["questNum"]


def _late(table: Path) -> set[int]:
    import pandas as pd

    first = _columns(table, ["sessionNums", "queryType", "questNum", "ttr"])
    slow = pd.to_numeric(first["ttr"], errors="coerce") > _LATE_MILLISECONDS
    return set(_asked(first[slow]))


def _read_summary(table: Path) -> Votes:
    import pandas as pd

    whole = pd.read_csv(table, keep_default_na=False)
    # The published file writes FileName, its description fileName.
    name = "FileName" if "FileName" in whole.columns else "fileName"
    kinds = {"VoiceVote": "voice", "FaceVote": "face", "MultiModalVote": "multimodal"}
    return {
        str(row[name]): {
            f"vote_{kind}": ":".join(LETTERS[letter] for letter in str(row[column]).split(":"))
            for column, kind in kinds.items()
            if row[column]
        }
        for row in whole.to_dict("records")
    }


def _tell(kind: str, counts: Mapping[str, int]) -> dict[str, object]:
    total, most = sum(counts.values()), max(counts.values())
    best = [label for label, number in counts.items() if number == most and total]
    return {
        f"vote_{kind}": ":".join(best),
        f"agreement_{kind}": most / total if total else float("nan"),
        **{f"votes_{kind}_{label}": number for label, number in counts.items()},
    }
