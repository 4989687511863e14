"""A network trained on all films, kept as one ONNX file for ``aver analyze --affect``."""

from __future__ import annotations

import json
import logging
import warnings
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from aver.models.streams import Normalised
from aver.report.files import write_files, writer_of
from aver.training.export import export_onnx
from aver.training.films_data import LEVELS, FilmSet, stream_extractor
from aver.training.films_network import train
from aver.training.films_recipe import FilmsRecipe
from aver.training.films_run import Candidate, Runner
from aver.training.films_sides import Sides, sequences, statistics, tenth_of
from aver.training.films_table import describe_data

FORMAT = 1
BOUND = 10.0


class Affect(nn.Module):
    """Networks of arousal and valence over the same streams, inputs and outputs in a row.

    Args:
        networks: by dimension.
        streams: names of the streams, in order.
    """

    def __init__(self, networks: dict[str, Normalised], streams: Sequence[str]):
        super().__init__()
        self.networks = nn.ModuleDict(networks)
        self.streams = tuple(streams)
        self.inputs = [x for name in streams for x in (name, f"{name}_mask")]
        self.outputs = [f"{dimension}_logits" for dimension in networks]

    def forward(self, *inputs: Tensor) -> tuple[Tensor, ...]:
        """(stream, mask) pairs in order to logits (batch, time, levels), one a dimension."""
        streams = dict(zip(self.streams, inputs[0::2], strict=True))
        masks = dict(zip(self.streams, inputs[1::2], strict=True))
        return tuple(network(streams, masks).logits for network in self.networks.values())


def keep_network(
    recipe: FilmsRecipe, targets: Sequence[FilmSet], out: Path, tell: Callable[[str], None] = print
) -> list[Path]:
    """Train the system ``keep`` on all films and write ONNX files with their cards.

    Targets that differ in dimension alone (intended arousal, intended valence) share a file. The
    learning rate and hidden size are those that most folds of the first validation chose; a tenth
    of each film, a contiguous stretch, says when to stop.
    """
    groups: dict[str, list[FilmSet]] = {}
    for data in targets:
        name = " ".join(data.target.name.replace(data.target.dimension, "").split())
        groups.setdefault(name, []).append(data)
    written = []
    for name, members in groups.items():
        once: dict[str, FilmSet] = {str(data.target.dimension): data for data in members}
        label = f"_{name.replace(' ', '_')}" if len(groups) > 1 else ""
        written.append(_write(recipe, once, out / f"{recipe.name}{label}_affect.onnx", out, tell))
    return written


def _write(
    recipe: FilmsRecipe,
    members: Mapping[str, FilmSet],
    path: Path,
    out: Path,
    tell: Callable[[str], None],
) -> Path:
    system = recipe.system(recipe.keep)
    streams = recipe.streams_of(system)
    networks: dict[str, Normalised] = {}
    chosen: dict[str, str] = {}
    for dimension, data in sorted(members.items()):
        candidate = _most_chosen(Runner(recipe, data, out / "runs"), recipe)
        chosen[dimension] = str(candidate)
        networks[dimension] = _trained(recipe, data, candidate)
    module = Affect(networks, streams)
    data = next(iter(members.values()))
    about: dict[str, Any] = {
        "format": FORMAT,
        "levels": list(LEVELS),
        "time": recipe.time,
        "segment_seconds": recipe.data.segment_seconds,
        "streams": {name: _stream(recipe, name) for name in streams},
        "recipe": recipe.name,
        "system": system.name,
        "chosen": chosen,
        "data": describe_data(recipe, data),
        "constructed": recipe.data.constructed,
        "protocol": "trained on all films; figures are those of the recipe's folds",
        "seen_subjects": [film.name for film in data.films],
        "data_sha256": {d: member.data_sha256 for d, member in members.items()},
    }
    # It tells of each package that it would know more operators with.
    logging.getLogger("torch.onnx._internal.exporter._registration").setLevel(logging.ERROR)
    with warnings.catch_warnings():
        # Of the exporter's own parts, about each other.
        warnings.simplefilter("ignore")
        export_onnx(
            module.eval(),
            _example(recipe, data, streams),
            path,
            inputs=module.inputs,
            outputs=module.outputs,
            metadata={"affect": json.dumps(about)},
        )
    card = path.with_suffix(".md")
    write_files([(card, writer_of(_card(about, path.name).encode()))])
    tell(f"Network for aver analyze --affect: {path}")
    return path


def _most_chosen(runner: Runner, recipe: FilmsRecipe) -> Candidate:
    cell = runner.cell(recipe.system(recipe.keep), recipe.validations[0])
    return Counter(choice.candidate for choice in cell.chosen).most_common(1)[0][0]


def _trained(recipe: FilmsRecipe, data: FilmSet, candidate: Candidate) -> Normalised:
    system, seed = recipe.system(recipe.keep), recipe.seeds[0]
    learn, held = [], []
    for number, film in enumerate(data.films):
        start, end = tenth_of(film, recipe.validation_share, seed)
        held.append((number, start, end))
        learn += [(number, a, b) for a, b in ((0, start), (end, len(film))) if b > a]
    sides = Sides("all films", tuple(learn), tuple(held), tuple(held))
    scale = {n: statistics(data.films, sides.train, n) for n in recipe.streams_of(system)}
    labels = Runner(recipe, data, Path()).labels(sides)
    stride = min(recipe.train_stride, recipe.time)
    rows = sequences(data.films, labels, sides.train, scale, recipe.time, stride, BOUND)
    judged = sequences(data.films, labels, sides.validation, scale, recipe.time, recipe.time, BOUND)
    fitted = train(recipe, system, rows, judged, judged, candidate.rate, candidate.width, seed)
    assert fitted.network is not None
    return Normalised(
        fitted.network,
        {name: torch.from_numpy(mean) for name, (mean, _) in scale.items()},
        {name: torch.from_numpy(spread) for name, (_, spread) in scale.items()},
        bound=BOUND,
        transform={name: recipe.features[name].transform for name in scale},
    ).eval()


def _stream(recipe: FilmsRecipe, name: str) -> dict[str, Any]:
    feature = recipe.features[name]
    extractor = stream_extractor(recipe, name)
    kept = extractor.settings.model_dump(mode="json", exclude=set(extractor.ignored_settings))
    return {"extractor": feature.extractor, "version": extractor.version, "settings": kept}


def _example(recipe: FilmsRecipe, data: FilmSet, streams: Sequence[str]) -> tuple[Tensor, ...]:
    """Sequences of the first film as they come, one of them with a segment missing."""
    film = data.films[0]
    count = max(2, min(4, len(film) // recipe.time))
    parts: list[Tensor] = []
    for name in streams:
        values = np.resize(film.streams[name], (count * recipe.time, film.streams[name].shape[1]))
        mask = np.ones(count * recipe.time, np.bool_)
        mask[recipe.time - 1] = False
        parts += [
            torch.from_numpy(values.reshape(count, recipe.time, -1).copy()),
            torch.from_numpy(mask.reshape(count, recipe.time)),
        ]
    return tuple(parts)


def _card(about: dict[str, Any], name: str) -> str:
    lines = [
        f"# {name}",
        "",
        f"Levels (low, mid, high) of {' and '.join(about['chosen'])} of every "
        f"{about['segment_seconds']:g} seconds of sound, for `aver analyze --affect {name}`.",
        "",
        f"- Trained on: {about['data']}",
        f"- Protocol: {about['protocol']}; recipe `{about['recipe']}`, system `{about['system']}`",
        *(f"- {d}: learning rate and hidden size {told}" for d, told in about["chosen"].items()),
        *(
            f"- Reads `{stream}`: extractor `{facts['extractor']}`"
            for stream, facts in about["streams"].items()
        ),
    ]
    if about["constructed"]:
        lines += ["", f"**The labels are constructed**: {about['constructed']}."]
    lines += [
        "",
        "It describes recordings, not what anybody feels. Not to be used on people, and not "
        "outside the kind of recording it was trained on.",
        "",
    ]
    return "\n".join(lines)
