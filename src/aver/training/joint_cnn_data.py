"""What the joint audio-image CNNs are trained on: coefficients and images in memory."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray

from aver.corpora import load_corpus
from aver.errors import CorpusError
from aver.features.extractor import Features, make_extractor
from aver.features.joined_frames import JoinedFrames, JoinedFramesSettings
from aver.features.store import FeatureStore
from aver.labels import RAVDESS
from aver.models.joint_cnn_settings import Network
from aver.training.bench_files import hash_of
from aver.training.fit_data import TensorBatches
from aver.training.joint_cnn_images import Images, Stills, load_stills
from aver.training.joint_cnn_pairs import Division, Pairs, divide
from aver.training.joint_cnn_recipe import JointCnnRecipe, Shares, SplitName

if TYPE_CHECKING:
    import pandas as pd

Floats = NDArray[np.float32]
Tell = Callable[[str], None]


@dataclass(frozen=True, eq=False)
class Recordings:
    """The recordings.

    Attributes:
        manifest: one row each, subjects as ``corpus/subject``.
        items: (recordings,) names, each once.
        average: (recordings, 1, coefficients), the mean over the clip.
        stretches: (recordings, time, coefficients), the means over its stretches, zeros after its
            end.
        present: (recordings, time) whether there is a stretch.
    """

    manifest: pd.DataFrame
    items: NDArray[Any]
    average: Floats
    stretches: Floats
    present: NDArray[np.bool_]

    @property
    def labels(self) -> NDArray[Any]:
        """(recordings,) emotions."""
        return self.manifest["label"].to_numpy(dtype=object)


@dataclass(eq=False)
class JointData:
    """All that a recipe works on.

    Attributes:
        recipe: the recipe.
        classes: emotions, in RAVDESS' order.
        recordings: of those classes.
        source: stills, of which each division takes its own, or the images of all clips.
        data_sha256: over the files of both.
        remarks: what a reader of the figures should know.
    """

    recipe: JointCnnRecipe
    classes: tuple[str, ...]
    recordings: Recordings
    source: Stills | Images
    data_sha256: str
    remarks: tuple[str, ...] = ()

    def divided(self, split: SplitName, shares: Shares, seed: int) -> Divided:
        """One division, its images chosen and everything paired."""
        images = self.source
        if isinstance(images, Stills):
            images = images.images(self.classes, split, shares, seed)
        division = divide(self.recordings.manifest, images, self.classes, split, shares, seed)
        return Divided(self, images, division)


@dataclass(eq=False)
class Divided:
    """One division, ready for training.

    Attributes:
        data: all recordings.
        images: those of this division.
        division: which pairs stand on which side.
    """

    data: JointData
    images: Images
    division: Division

    def labels(self, pairs: Pairs) -> NDArray[np.int64]:
        """(pairs,) class numbers."""
        place = {name: number for number, name in enumerate(self.data.classes)}
        return np.array([place[label] for label in self.images.labels[pairs.images]], np.int64)

    def items(self, pairs: Pairs) -> NDArray[Any]:
        """(pairs,) names, each once."""
        heard, seen = self.data.recordings.items[pairs.recordings], self.images.names[pairs.images]
        return np.array([f"{a}+{b}" for a, b in zip(heard, seen, strict=True)], object)

    def subjects(self, pairs: Pairs) -> NDArray[Any]:
        """(pairs,) who is heard."""
        named = self.data.recordings.manifest["subject"].to_numpy(dtype=object)
        return named[pairs.recordings]

    def rows(self, network: Network) -> dict[str, TensorBatches]:
        """What *network* reads, by side, standardised by the training rows if asked."""
        by_time = network.audio == "lstm" and self.data.recipe.model.lstm_reads == "time"
        audio = self.data.recordings.stretches if by_time else self.data.recordings.average
        present = self.data.recordings.present if by_time else np.ones((len(audio), 1), np.bool_)
        pixels = self.images.pixels
        if self.data.recipe.standardise:
            train = self.division.sides["train"]
            audio = standardised(audio, present, train.recordings)
            pixels = (
                (pixels - pixels[train.images].mean()) / _spread(pixels[train.images])
            ).astype(np.float32)
        found = {}
        for side, pairs in self.division.sides.items():
            streams, masks = {}, {}
            if network.audio:
                streams["audio"] = torch.from_numpy(audio[pairs.recordings])
                masks["audio"] = torch.from_numpy(present[pairs.recordings])
            if network.image:
                streams["image"] = torch.from_numpy(pixels[pairs.images])
            labels = torch.from_numpy(self.labels(pairs))
            found[side] = TensorBatches(streams, masks, labels)
        return found


def standardised(values: Floats, present: NDArray[np.bool_], train: NDArray[np.intp]) -> Floats:
    """Every coefficient brought to mean 0 and spread 1 of the training rows' stretches.

    Args:
        values: (recordings, time, coefficients).
        present: (recordings, time).
        train: rows to measure; a copied recording counts as often as it stands there.
    """
    seen = values[train][present[train]]
    out = (values - seen.mean(axis=0)) / np.maximum(seen.std(axis=0), 1e-6)
    out[~present] = 0.0
    return np.asarray(out, np.float32)


def _spread(values: Floats) -> float:
    return max(float(values.std()), 1e-6)


def load_data(recipe: JointCnnRecipe, data_root: Path, out: Path, tell: Tell) -> JointData:
    """List recordings and images, and measure what is not in the store OUT/features yet.

    Raises:
        CorpusError: if a corpus cannot be used, a modality is empty, or a class that is asked for
            has recordings but no images or the other way round.
    """
    manifest = _manifest(recipe.audio.corpus, recipe.audio.folder, recipe.audio.options, data_root)
    store = FeatureStore(out / "features", warn=tell)
    source = _source(recipe, data_root, store)
    shown = source.labels if isinstance(source, Stills) else set(source.labels.tolist())
    classes, remarks = _classes(recipe, set(manifest["label"]), shown)
    manifest = manifest[manifest["label"].isin(classes)].reset_index(drop=True)
    recordings = _measure(recipe, manifest, store, tell)
    files = {Path(file) for file in manifest["file"]}
    files |= set(source.files) if isinstance(source, Stills) else {Path(f) for f in source.faces}
    return JointData(recipe, classes, recordings, source, hash_of(files, out), remarks)


def _manifest(
    corpus: str, folder: str, options: Mapping[str, Any], data_root: Path
) -> pd.DataFrame:
    manifest = load_corpus(corpus, data_root / (folder or corpus), **options)
    named = manifest["subject"].astype(str)
    prefix = f"{corpus}/"
    return manifest.assign(
        subject=named.where(named.str.contains("/") | (named == ""), prefix + named),
        label=manifest["label"].astype(str),
    )


def _classes(
    recipe: JointCnnRecipe, heard: set[str], seen: set[str]
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The classes in order, and remarks on those left out."""
    for what, there in (("recordings", heard), ("images", seen)):
        if not there:
            raise CorpusError(what, "are none", f"Check the recipe's folder of the {what}")
    for name in recipe.classes:
        for what, there, other in (("recordings", heard, "images"), ("images", seen, "recordings")):
            if name not in there:
                calm = name == "calm" and what == "images"
                raise CorpusError(
                    f"class '{name}'",
                    f"has {other} but no {what}",
                    'Set images.calm = "neutral_faces", or leave it out of classes'
                    if calm
                    else "Leave it out of classes",
                )
    both = tuple(c for c in RAVDESS if c in (recipe.classes or heard & seen))
    remarks = []
    if not recipe.classes:
        for name in sorted(heard - seen):
            remarks.append(f"{name} is left out: it has recordings but no images")
        for name in sorted(seen - heard):
            remarks.append(f"{name} is left out: it has images but no recordings")
    if len(both) < 2:
        raise CorpusError(
            "classes",
            f"recordings ({', '.join(sorted(heard))}) and images ({', '.join(sorted(seen))}) "
            f"share {len(both)}",
            "Two or more are needed: check both corpora",
        )
    if "calm" in both and recipe.images.source == "stills":
        remarks.append("calm is shown by neutral faces, each kept from neutral")
    return both, tuple(remarks)


def _measure(
    recipe: JointCnnRecipe, manifest: pd.DataFrame, store: FeatureStore, tell: Tell
) -> Recordings:
    whole = store.load(manifest, make_extractor("mfcc", **recipe.audio.mfcc))
    window = recipe.audio.stretch_seconds
    stretched = store.load(
        manifest, make_extractor("mfcc", **recipe.audio.mfcc, window_seconds=window)
    )
    kept = [
        n
        for n, (a, b) in enumerate(zip(whole, stretched, strict=True))
        if a is not None and b is not None
    ]
    if not kept:
        raise CorpusError("recordings", "none of them could be measured", "Check the files")
    if len(kept) < len(manifest):
        tell(f"{len(manifest) - len(kept)} of {len(manifest)} recordings could not be measured")
    manifest = manifest.iloc[kept].reset_index(drop=True)
    stretches, present = _stack([stretched[n] for n in kept])
    average = np.stack([_values(whole[n]) for n in kept])
    names = [Path(file).stem for file in manifest["file"]]
    if len(set(names)) < len(names):
        names = [f"{name}#{n}" for n, name in enumerate(names)]
    return Recordings(manifest, np.array(names, object), average, stretches, present)


def _values(features: Features | None) -> Floats:
    assert features is not None
    return features.values


def _stack(each: list[Features | None]) -> tuple[Floats, NDArray[np.bool_]]:
    """(clips, time, coefficients) and (clips, time), clips filled up to the longest."""
    arrays = [_values(features) for features in each]
    time = max(map(len, arrays))
    values = np.zeros((len(arrays), time, arrays[0].shape[1]), np.float32)
    present = np.zeros((len(arrays), time), np.bool_)
    for row, array in enumerate(arrays):
        values[row, : len(array)], present[row, : len(array)] = array, True
    return values, present


def _source(recipe: JointCnnRecipe, data_root: Path, store: FeatureStore) -> Stills | Images:
    data = recipe.images
    if data.source == "stills":
        return load_stills(data, data_root)
    manifest = _manifest(data.corpus, data.folder, data.options, data_root)
    settings = JoinedFramesSettings(
        side=data.side,
        step_seconds=data.step_seconds,
        gap_seconds=data.gap_seconds,
        detector=data.detector,
    )
    return clip_images(manifest, store.load(manifest, JoinedFrames(settings)))


def clip_images(manifest: pd.DataFrame, joined: list[Features | None]) -> Images:
    """The joined images of all clips in which a face was seen.

    Args:
        manifest: one row a clip.
        joined: of each clip, by :class:`~aver.features.joined_frames.JoinedFrames`.

    Raises:
        CorpusError: if no face was seen in any clip.
    """
    rows = [
        (clip, number)
        for clip, features in enumerate(joined)
        if features is not None
        for number in np.flatnonzero(features.present).tolist()
    ]
    if not rows:
        raise CorpusError(
            "images", "no face was seen half a second apart in any clip", "Check the videos"
        )
    clips = [clip for clip, _ in rows]

    def column(name: str) -> NDArray[Any]:
        return manifest[name].astype(str).to_numpy(dtype=object)[clips]

    files = column("file")
    names = [f"{Path(file).stem}@{n}" for file, (_, n) in zip(files, rows, strict=True)]
    pixels = np.stack([_values(joined[clip])[number] for clip, number in rows])
    nowhere = np.full(len(rows), "", dtype=object)
    return Images(
        np.array(names, object), files, column("subject"), column("label"), pixels, nowhere
    )
