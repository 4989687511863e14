"""The card of an exported network: what it is, what it was trained on, what it must not do."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable
from typing import Any

import numpy as np

from aver.evaluation.metrics import accuracy
from aver.evaluation.predictions import Predictions
from aver.evaluation.tables import figures

UNKNOWN = "not recorded"

# Of the corpora the bench reads; the weights follow the strictest.
DATA_LICENCES = {
    "ravdess": "CC BY-NC-SA 4.0",
    "crema_d": "Open Database License 1.0",
    "nemo": "CC BY-NC-SA 4.0",
    "emogator": "Apache-2.0",
    "fer2013": "research use",
    "esc10": "CC BY 3.0",
    "enjoyment": "CC BY 4.0",
}

FORBIDDEN = """\
- **Hiring, promotion, dismissal, or watching people at work.**
- **Policing, border control, courts, lie detection, or any judgement of guilt or danger.**
- **Classrooms, exams, or rating pupils and students.**
- **Medical or psychological decisions:** it is no medical device and knows no diagnosis.
- Insurance, credit, advertising aimed at a person's mood, or watching people without their consent.

In the European Union, inferring emotions of people **at work and in education is prohibited**
(Regulation (EU) 2024/1689, the AI Act, Article 5(1)(f); exceptions for medical or safety reasons
only). Other emotion recognition is a high-risk use (Annex III, point 1(c)), and people exposed to
it must be told (Article 50(3)).
"""


def card(
    about: dict[str, Any],
    file: str,
    predictions: Predictions | None,
    *,
    difference: float,
    clips: int,
    int8: bool,
) -> str:
    """The card, Markdown.

    Args:
        about: what is kept with the weights (:func:`aver.training.bench_keep.describe`).
        file: name of the ONNX file.
        predictions: of the same system on people it had not seen, or None.
        difference: greatest absolute difference between the file's logits and torch's.
        clips: random clips on which that was measured.
        int8: whether the weights are stored with 8 bits.
    """
    parts = [
        f"# {about.get('system') or file}\n",
        _what(about, file, difference, clips, int8),
        _data(about),
        _scores(about, predictions),
        _limits(about),
        f"## What it must not be used for\n\n{FORBIDDEN}",
    ]
    return "\n".join(parts)


def _what(about: dict[str, Any], file: str, difference: float, clips: int, int8: bool) -> str:
    inputs = ", ".join(
        f"`{name}` (batch, {about['windows'][name]}, {width}) with `{name}_mask` "
        f"(batch, {about['windows'][name]})"
        for name, width in about["dimensions"].items()
    )
    extractors = "; ".join(
        f"`{name}`: {_extractor(settings)}" for name, settings in about["extractors"].items()
    )
    person = {n: mode for n, mode in (about.get("person") or {}).items() if mode != "none"}
    calibrated = (
        "; ".join(f"`{name}`: {mode.replace('_', ' ')}" for name, mode in person.items())
        + ", over a person's own clips, before the file"
    )
    rows = {
        "file": f"`{file}`, weights {'with 8 bits' if int8 else 'as float32'}, arithmetic float32",
        "model": f"`{about['model']}`, {_settings(about['settings'])}",
        "input": f"{inputs}; masks are True where the window is there, shorter clips are padded",
        "features": extractors,
        "normalisation": "inside the file: features go in as the extractors give them",
        "per-person calibration": calibrated if person else "none",
        "output": f"`logits` (batch, {len(about['labels'])}): {', '.join(about['labels'])}",
        "agreement": f"logits differ from torch by at most {difference:.1e} on {clips} random "
        "clips of all lengths, with windows missing",
        "recipe": f"`{about.get('recipe') or UNKNOWN}`",
    }
    table = "\n".join(f"| {name} | {text} |" for name, text in rows.items())
    intro = (
        "It scores which emotion a clip **expresses** to people who rate such clips. It does not "
        "say what somebody feels."
    )
    return f"{intro}\n\n## What it is\n\n| | |\n| --- | --- |\n{table}\n"


def _settings(settings: dict[str, Any]) -> str:
    return f"settings `{json.dumps(settings)}`" if settings else "its settings as they come"


def _extractor(settings: dict[str, Any]) -> str:
    rest = ", ".join(f"{k} {v}" for k, v in settings.items() if k != "name")
    return f"{settings.get('name', UNKNOWN)}{f' ({rest})' if rest else ''}"


def _data(about: dict[str, Any]) -> str:
    seen = list(about.get("seen_subjects") or [])
    corpora = sorted({subject.split("/")[0] for subject in seen if "/" in subject})
    stated = about.get("licence") or "; ".join(
        f"{name}: {DATA_LICENCES.get(name, 'ask its publishers')}" for name in corpora
    )
    leak = str(about.get("leak") or "")
    lines = [
        "## What it was trained on\n",
        f"{about.get('data') or UNKNOWN}. SHA-256 of the data: "
        f"`{about.get('data_sha256') or UNKNOWN}`.\n",
        f"Licence of the data: {stated or UNKNOWN}. The weights follow it: what it forbids "
        "(commercial use, say), they may not be used for.\n",
        f"Protocol: {about.get('protocol') or UNKNOWN}.\n",
    ]
    if leak:
        lines.append(f"**This split leaks, knowingly:** {leak}. Its figures are too good.\n")
    for side, told in (("validation", "Chose the epoch"), ("test", "Tested on")):
        if people := about.get(f"{side}_subjects"):
            lines.append(f"{told}: {_names(people)}.\n")
    lines.append(f"Subjects seen in training: {_names(seen) or UNKNOWN}.\n")
    return "\n".join(lines)


def _names(subjects: Iterable[str]) -> str:
    return ", ".join(f"`{subject}`" for subject in subjects)


def _scores(about: dict[str, Any], predictions: Predictions | None) -> str:
    title = "## What was measured\n"
    if predictions is None:
        return (
            f"{title}\nNothing on this very network: no predictions of people it had not seen were "
            "at hand. What the same recipe reaches on strangers is in its table "
            "(`aver reproduce`).\n"
        )
    rows = []
    for figure in figures(predictions):
        interval = "–"
        if not math.isnan(figure.low):
            interval = f"{figure.low:.3f} to {figure.high:.3f}"
        rows.append(f"| {figure.metric.replace('_', ' ')} | {figure.value:.3f} | {interval} |")
    people = sorted(set(predictions.subject.tolist()))
    decided = predictions.decided()
    each = [
        accuracy(predictions.label[predictions.subject == p], decided[predictions.subject == p])
        for p in people
    ]
    own = set(people).isdisjoint(about.get("seen_subjects") or [])
    whose = (
        "This network had seen none of them."
        if own
        else "They were scored by the networks of the recipe's folds, each of which had not seen "
        "them; this one has."
    )
    folds = "" if len(predictions.folds) == 1 else f", {len(predictions.folds)} folds"
    return (
        f"{title}\n{len(predictions)} clips, people: {len(people)}{folds}. {whose} Intervals "
        "are 95 %, by bootstrap over people.\n\n"
        "| | value | 95 % interval |\n| --- | --- | --- |\n" + "\n".join(rows) + "\n\n"
        f"Accuracy by person: lowest {min(each):.3f}, median {np.median(each):.3f}, highest "
        f"{max(each):.3f}.\n"
    )


def _limits(about: dict[str, Any]) -> str:
    return (
        "## Limits\n\n"
        f"- It knows {len(about['labels'])} names of expressions and gives one of them to "
        "anything, also to what is none of them.\n"
        "- It was trained on the recordings above: few people, few languages and cultures. What "
        "it does with other people, microphones, cameras and manners of speaking, nothing here "
        "says; expect less.\n"
        "- Its scores are not calibrated unless the table above says how well.\n"
        "- People who express little, or differently than those above (by age, culture, illness, "
        "autism, or habit), may be misjudged more often; it was not measured.\n"
    )
