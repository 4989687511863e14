"""Train, measure and export the sound event detector (task ``sound_events``).

    aver reproduce recipes/sound_events.toml --data DATA --out OUT

Soundscapes are made in ``OUT/soundscapes`` where they are not there yet. For every spectrogram of
the recipe a network is trained on the part ``train``; the part ``validation`` chooses the epoch,
and for every name its threshold, median filter, and least length of events and gaps; the part
``test`` is measured once. What was done is not done again. Figures come into ``OUT/<name>.csv``,
the network that ships into ``OUT/sound_events.onnx``.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import torch

from aver.corpora.soundscapes import check_soundscapes, make_soundscapes, read_record
from aver.evaluation.results import hash_files, record
from aver.features.sound_events import Decoding, DetectorSettings, LogMelSettings
from aver.models.sed_crnn import SedCrnn
from aver.report.files import write_files
from aver.training.bench_data import progress_bar
from aver.training.fit import fit
from aver.training.fit_progress import show_progress
from aver.training.recipe import register_task
from aver.training.sound_event_data import Scapes, band_statistics, batches_of, load_part
from aver.training.sound_event_decode import Judge, choose_decoding, score
from aver.training.sound_event_export import export_detector
from aver.training.sound_event_loss import SoundEventLoss
from aver.training.sound_event_recipe import SoundEventsRecipe, Spectrogram
from aver.training.sound_event_table import (
    COMMAND,
    PACKAGES,
    RULES_SAID,
    detect_all,
    rows_of,
    told,
)

SCAPES, CACHE = "soundscapes", "cache"


@dataclass(frozen=True)
class Trained:
    """A detector and how its scores are read.

    Attributes:
        network: with the weights of the best epoch.
        log_mel: the spectrogram, with the mean and deviation of the training frames.
        decoding: by name.
    """

    network: SedCrnn
    log_mel: LogMelSettings
    decoding: dict[str, Decoding]


@register_task("sound_events", SoundEventsRecipe)
def train_sound_events(recipe: SoundEventsRecipe, data_root: Path, out: Path) -> None:
    """Train every spectrogram's network, write the table, export the one that ships.

    Raises:
        CorpusError: if the corpora or soundscapes cannot be used.
        AverError: if the extra ``sed`` is missing.
    """
    out.mkdir(parents=True, exist_ok=True)
    root = scapes_root(recipe, data_root, out)
    facts: dict[str, str | int] = {
        "protocol": RULES_SAID,
        "command": COMMAND.format(name=recipe.name),
        "seed": recipe.seed,
        "data_sha256": hash_files(root.glob("*.tsv"), root),
    }
    for spectrogram in recipe.spectrograms:
        trained = train_one(recipe, spectrogram, root, out)
        shipped = spectrogram.name == recipe.ship
        network = trained.network
        if shipped:
            about = describe(recipe, trained, root)
            # With the rounded weights of the file: its figures are those of what ships.
            network = export_detector(network, about, out / "sound_events.onnx").network
            _tell(f"wrote {out / 'sound_events.onnx'}")
        test = _load(root, "test", trained.log_mel, out)
        judge = Judge(test, recipe.names, trained.log_mel)
        scores = score(network, test, trained.log_mel, recipe.names)
        detected = detect_all(judge, scores, trained.decoding)
        experiment = recipe.name if shipped else f"{recipe.name}_{spectrogram.name}"
        facts["data"] = (
            f"{len(test.files)} test soundscapes of {test.seconds.mean():.0f} s; "
            f"{1000 * trained.log_mel.window:.0f} ms frames every {1000 * trained.log_mel.hop:.0f}"
        )
        groups = by_ratio(root) if shipped and recipe.to_make is not None else None
        rows = rows_of(experiment, judge, detected, facts, groups=groups)
        record(out / f"{recipe.name}.csv", rows, packages=PACKAGES)
        for line in told(experiment, rows):
            _tell(line)


def scapes_root(recipe: SoundEventsRecipe, data_root: Path, out: Path) -> Path:
    """Folder of the soundscapes, made where they are not there yet."""
    if recipe.to_make is None:
        return data_root / recipe.folder
    with progress_bar() as bar:
        task = bar.add_task("soundscapes", total=None)
        root = make_soundscapes(
            recipe.to_make,
            data_root,
            out / SCAPES,
            lambda done, every: bar.update(task, completed=done, total=every),
        )
    check_soundscapes(root)
    return root


def by_ratio(root: Path) -> dict[str, set[str]]:
    """File names of the test soundscapes by their signal-to-noise ratio."""
    found: dict[str, set[str]] = {}
    for scape in sorted(read_record(root)["scapes"]["test"], key=lambda one: one["ratio"]):
        found.setdefault(f"{scape['ratio']:g} dB", set()).add(scape["filename"])
    return found


def train_one(
    recipe: SoundEventsRecipe, spectrogram: Spectrogram, root: Path, out: Path
) -> Trained:
    """Train one spectrogram's network and choose its decoding; or take what was done before."""
    train = _load(root, "train", spectrogram.log_mel, out)
    mean, std = band_statistics(train.frames)
    log_mel = spectrogram.log_mel.model_copy(update={"mean": mean, "std": std})
    validation = _load(root, "validation", log_mel, out)
    network = new_network(recipe, spectrogram)
    step = spectrogram.time_step
    rows = [batches_of(part, recipe.names, log_mel, step) for part in (train, validation)]
    loss = SoundEventLoss(
        torch.tensor(mean),
        torch.tensor(std),
        float(torch.tensor(log_mel.floor).log()),
        time_step=step,
        clip_weight=recipe.clip_weight,
        disturb=recipe.disturb,
    )
    training = recipe.training
    if spectrogram.epochs:
        training = training.model_copy(update={"epochs": spectrogram.epochs})
    folder = out / "runs" / spectrogram.name
    stages = [(folder, training, loss)]
    if recipe.refine is not None and spectrogram.name == recipe.ship:
        folder = out / "runs" / f"{spectrogram.name}_refined"
        further = replace(loss, disturb=recipe.refine.disturb)
        stages.append((folder, recipe.refine.training, further))
    for place, settings, wanted in stages:
        with show_progress(place.name) as progress:
            result = fit(
                network, wanted, rows[0], rows[1], settings, recipe.seed, place, progress=progress
            )
        _tell(f"{place.name}: epoch {result.best_epoch} of {result.epochs_run}")
    decoding = _decoding(recipe, network, validation, log_mel, folder / "decoding.json")
    return Trained(network, log_mel, decoding)


def new_network(recipe: SoundEventsRecipe, spectrogram: Spectrogram) -> SedCrnn:
    """A network for a spectrogram, its weights drawn from the recipe's seed."""
    settings = recipe.model.model_copy(
        update={
            "bands": spectrogram.log_mel.bands,
            "classes": len(recipe.labels),
            "time_step": spectrogram.time_step,
        }
    )
    torch.manual_seed(recipe.seed)
    # Convolutions of this layout are twice as fast on a processor.
    return SedCrnn(settings).to(memory_format=torch.channels_last)  # type: ignore[call-overload, no-any-return]


def describe(recipe: SoundEventsRecipe, trained: Trained, root: Path) -> DetectorSettings:
    """What the exported file says of itself.

    Who was heard in training or in validation counts as seen.
    """
    seen: set[str] = set()
    if recipe.to_make is not None:
        sources = read_record(root)["sources"]
        seen = {*sources["train"], *sources["validation"]}
    return DetectorSettings(
        labels=recipe.labels,
        verbal=recipe.names.verbal,
        non_verbal=recipe.names.non_verbal,
        log_mel=trained.log_mel,
        decoding=trained.decoding,
        seen_subjects=tuple(sorted(seen)),
        description=recipe.description,
    )


def _decoding(
    recipe: SoundEventsRecipe,
    network: SedCrnn,
    validation: Scapes,
    log_mel: LogMelSettings,
    kept: Path,
) -> dict[str, Decoding]:
    if kept.is_file():
        found = json.loads(kept.read_text(encoding="utf-8"))
        return {name: Decoding.model_validate(one) for name, one in found.items()}
    judge = Judge(validation, recipe.names, log_mel)
    scores = score(network, validation, log_mel, recipe.names)
    chosen = {}
    for name in recipe.names.all:
        chosen[name] = choose_decoding(judge, name, scores[name])
        figures = judge.figures(name, scores[name], chosen[name])
        _tell(f"{name}: {chosen[name]}, validation F1 {figures.f1:.3f}")
    text = json.dumps({name: one.model_dump() for name, one in chosen.items()}, indent=2)
    write_files([(kept, lambda stream: _write(stream.write, text))])
    return chosen


def _write(write: Callable[[bytes], object], text: str) -> None:
    write(text.encode())


def _load(root: Path, part: str, settings: LogMelSettings, out: Path) -> Scapes:
    with progress_bar() as bar:
        task = bar.add_task(f"log-mel of {part}", total=None)
        return load_part(
            root,
            part,
            settings,
            out / CACHE,
            lambda done, every: bar.update(task, completed=done, total=every),
        )


def _tell(line: str) -> None:
    print(line, flush=True)
