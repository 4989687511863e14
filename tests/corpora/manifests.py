"""Small manifests made for tests of splits."""

from __future__ import annotations

import pandas as pd
from hypothesis import strategies as st

from aver.corpora import make_frame

LABELS = ("angry", "happy", "sad")


def make_manifest(subjects, *, takes=2, labels=LABELS, **columns) -> pd.DataFrame:
    """Each subject says each label *takes* times, each in a file of its own."""
    rows = []
    for place, subject in enumerate(subjects):
        for label in labels:
            for take in range(takes):
                name = f"{subject}-{label}-{take}"
                row = {
                    "file": f"/clips/{name}.wav",
                    "subject": subject,
                    "label": label,
                    "recording": name,
                }
                rows.append(row | {key: values[place] for key, values in columns.items()})
    frame = make_frame(rows)
    for column in columns:
        if column not in frame.columns:
            frame[column] = [row[column] for row in rows]
    return frame


@st.composite
def manifests(draw) -> pd.DataFrame:
    """Any manifest: a few people, takes shared between rows, segments of files, two sexes."""
    people = draw(st.integers(4, 9))
    rows = []
    for row in range(draw(st.integers(12, 40))):
        person = row % people
        file = draw(st.integers(0, 60))
        start = draw(st.sampled_from([None, 0.0, 1.0, 2.5]))
        rows.append(
            {
                "file": f"/clips/{person}-{file}.wav",
                "start": float("nan") if start is None else start,
                "end": float("nan") if start is None else start + 1.25,
                "subject": f"p{person}",
                "label": draw(st.sampled_from(LABELS)),
                "group": "female" if person % 2 else "male",
                "recording": draw(
                    st.sampled_from(["", f"take {person}", f"r{row}", f"r{row - 1}"])
                ),
            }
        )
    frame = make_frame(rows)
    # Every person says everything once, so that no fold lacks a class in training.
    return pd.concat(
        [frame, make_manifest([f"p{n}" for n in range(people)], takes=1)], ignore_index=True
    )


def shuffled(frame: pd.DataFrame, seed: int = 0) -> pd.DataFrame:
    """The same rows in another order."""
    return frame.sample(frac=1.0, random_state=seed).reset_index(drop=True)


def items(frame: pd.DataFrame, rows) -> list[tuple[str, ...]]:
    """What *rows* hold, in an order of its own."""
    columns = ["file", "start", "end", "subject", "label", "recording"]
    chosen = frame.iloc[rows][columns].itertuples(index=False, name=None)
    return sorted(tuple(map(repr, row)) for row in chosen)
