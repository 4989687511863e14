"""The clips MATER is trained on: composed from stills and voices, or a user's true ones."""

from __future__ import annotations

import hashlib
import warnings
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import Field

from aver.corpora import load_corpus
from aver.errors import CorpusError
from aver.features.face_embedding import EMBEDDING, FaceEmbedder
from aver.inference.front import FrontEnd, embed_clip
from aver.inference.networks import locate
from aver.inference.settings import AnalysisSettings
from aver.labels import FER2013, FER2013_TO_RAVDESS, RAVDESS
from aver.models.voice_expression import EMBEDDING_SCALE
from aver.training import voice_data
from aver.training.face_augment import FaceAugmentSettings, augment
from aver.training.face_data import Faces, load_split
from aver.training.recipe import Settings
from aver.training.sequences import FaceBank, Sequences, embed_clips
from aver.training.voice_fit import ClipHead


class MaterData(Settings):
    """What MATER is trained on.

    Attributes:
        source: ``composed`` (real voices, faces composed from FER-2013 stills) or ``clips``
            (true audio-visual clips).
        corpora: the corpora's names, folders below the data folder; for ``clips`` those with
            picture, ``ravdess`` and ``crema_d``.
        stills: folder of FER-2013.
        stills_validation: part of its training stills that the face network did not see; must
            be what the face network's recipe says.
        views: altered views of each still.
        face_network: name or path of the face network.
        voice_network: name or path of the voice network.
        voice_views: views of each voice: one as recorded, the others disturbed as in the voice
            network's own training.
        voice_noise: corpus of backgrounds for the disturbed views.
        voice_head: ``voice.pt`` of the voice network's run, whose training head has heard every
            clip under many more disturbances: what it says is shown to the voice branch beside
            the label (soft targets, Hinton et al. 2015). Empty for labels alone.
        held_out_voice: file of the voice folds' held-out logits (``logits``, ``labels``,
            ``files``), for calibration on strangers' voices; empty for none.
        held_out_subjects: ``clips`` only: subjects kept out for calibration. They are strangers to
            the fusion alone: the shipped voice network has heard every RAVDESS actor, which
            flatters scores and temperatures unless it too is trained without them.
    """

    source: Literal["composed", "clips"] = "composed"
    corpora: tuple[str, ...] = ("ravdess", "nemo", "emogator")
    stills: str = "fer2013"
    stills_validation: float = Field(0.05, gt=0, lt=1)
    views: int = Field(8, ge=1)
    face_network: str = "face_expression"
    voice_network: str = "voice_expression"
    voice_views: int = Field(1, ge=1)
    voice_noise: str = ""
    voice_head: str = ""
    held_out_voice: str = ""
    held_out_subjects: tuple[str, ...] = ()


@dataclass(frozen=True)
class MaterClips:
    """Training and held-out clips.

    Attributes:
        train: training clips.
        bank: faces to compose from, None where clips have their own.
        held_out: clips for calibration, with both modalities; None for none.
        held_out_voice_logits: what fold networks that had not heard the speaker said of the
            held-out clips' voices, (clips, classes); None for none.
        faces_lack: classes that no face shows.
    """

    train: Sequences
    bank: FaceBank | None
    held_out: Sequences | None
    held_out_voice_logits: NDArray[np.float32] | None
    faces_lack: tuple[int, ...] = ()


def still_classes() -> NDArray[np.int64]:
    """The class whose stills stand for each RAVDESS class: its own, and *neutral* for *calm*."""
    return np.array([RAVDESS.index("neutral" if c == "calm" else c) for c in RAVDESS])


def load(data: MaterData, windows: int, root: Path, out: Path, seed: int) -> MaterClips:
    """Embed everything a recipe asks for.

    Raises:
        CorpusError: if a corpus is missing.
        ModelError: if a network is missing.
    """
    if data.source == "clips":
        return _load_clips(data, windows, root)
    return _load_composed(data, windows, root, out, seed)


def _load_composed(data: MaterData, windows: int, root: Path, out: Path, seed: int) -> MaterClips:
    embedder = FaceEmbedder(locate(data.face_network), threads=torch.get_num_threads())
    split = load_split(root / data.stills, data.stills_validation)
    bank = make_bank(embedder, split.train, data.views, seed)
    unseen = make_bank(embedder, split.validation, data.views, seed + 1)
    clips = _voices(data, windows, root, out)
    if data.voice_head:
        clips = replace(clips, opinion=_opinion(root / data.voice_head, clips))
    held_out, logits = None, None
    if data.held_out_voice:
        held_out, logits = _held_out(root / data.held_out_voice, unseen, windows, seed)
    lack = (RAVDESS.index("calm"),)
    return MaterClips(clips, bank, held_out, logits, lack)


def _voices(data: MaterData, windows: int, root: Path, out: Path) -> Sequences:
    """Embedded voices; kept in *out*, so that a stopped run need not listen again."""
    network = locate(data.voice_network)
    key = f"{data.corpora} {windows} {data.voice_views} {data.voice_noise}".encode()
    digest = hashlib.sha256(network.read_bytes() + key).hexdigest()[:16]
    kept = out / f"voices-{digest}.npz"
    if kept.is_file():
        with np.load(kept) as stored:
            return Sequences(**{name: stored[name] for name in stored.files})
    clips = voice_data.embed_corpora(
        root,
        data.corpora,
        network,
        windows,
        views=data.voice_views,
        noise=data.voice_noise,
        cache=out / "cache",
    )
    beside = out / f".{kept.name}"
    np.savez(
        beside,
        voice=clips.voice,
        voice_mask=clips.voice_mask,
        labels=clips.labels,
        subjects=clips.subjects,
    )
    beside.replace(kept)
    return clips


def _opinion(file: Path, clips: Sequences) -> NDArray[np.float32]:
    """Probabilities (clips, classes) by the voice network's training head."""
    if not file.is_file():
        raise CorpusError(file, "is missing", "Run the voice network's recipe first")
    state = torch.load(file, weights_only=True)["head"]
    teacher = state["imitate.weight"].shape[0] if "imitate.weight" in state else 0
    head = ClipHead(EMBEDDING, len(RAVDESS), teacher)
    head.load_state_dict(state)
    head.eval()
    parts = []
    with torch.no_grad():
        for at in range(0, len(clips), 512):
            some = slice(at, at + 512)
            voice = torch.from_numpy(clips.voice[some]) * EMBEDDING_SCALE
            logits, _ = head(voice, torch.from_numpy(clips.voice_mask[some]))
            parts.append(logits.softmax(dim=1).numpy())
    return np.concatenate(parts)


def make_bank(embedder: FaceEmbedder, faces: Faces, views: int, seed: int) -> FaceBank:
    """Embed *views* altered views of each still, as a tracker's crops of it might look."""
    generator = torch.Generator().manual_seed(seed)
    mild = FaceAugmentSettings(hidden=0.05, noise=0.1, compression=0.2, rotation=5.0)
    parts = []
    for at in range(0, len(faces), 256):
        images = faces.images[at : at + 256].float() / 255.0
        seen = [
            embedder.run(_mirrored(augment(images, 48, mild, generator), generator).numpy())[0]
            for _ in range(views)
        ]
        parts.append(np.stack(seen, axis=1).astype(np.float16))
    names = [RAVDESS.index(FER2013_TO_RAVDESS[label]) for label in FER2013]
    return FaceBank(np.concatenate(parts), np.array(names)[faces.labels.numpy()])


def _mirrored(images: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
    flip = torch.rand(len(images), generator=generator) < 0.5
    return torch.where(flip[:, None, None, None], images.flip(-1), images)


def _held_out(
    file: Path, unseen: FaceBank, windows: int, seed: int
) -> tuple[Sequences, NDArray[np.float32]]:
    if not file.is_file():
        raise CorpusError(file, "is missing", "Run the voice folds' recipe first")
    with np.load(file) as stored:
        logits = stored["logits"].astype(np.float32)
        labels = stored["labels"].astype(np.int64)
        actors = [f"ravdess/{Path(str(name)).stem[-2:]}" for name in stored["files"]]
    random = np.random.default_rng(seed + 2)
    face = unseen.compose(still_classes()[labels], windows, random, relaxed_label=0)
    mask = np.ones(face.shape[:2], bool)
    # The voices themselves are not needed again: their logits stand for them.
    silence = np.zeros((len(labels), windows, EMBEDDING), np.float32)
    clips = Sequences(silence, ~mask, labels, np.array(actors), face, mask)
    return clips, logits


def _load_clips(data: MaterData, windows: int, root: Path) -> MaterClips:
    front = FrontEnd(
        AnalysisSettings(face_network=data.face_network, voice_network=data.voice_network)
    )
    files: list[Path] = []
    labels: list[int] = []
    subjects: list[str] = []
    for name in data.corpora:
        frame = load_corpus(name, root / name)
        pictures = frame[~frame["file"].str.lower().str.endswith((".wav", ".mp3", ".flac"))]
        # RAVDESS 02-... is the picture alone of 01-...: one take counts once.
        pictures = pictures.drop_duplicates("recording")
        files += [Path(f) for f in pictures["file"]]
        labels += [RAVDESS.index(label) for label in pictures["label"]]
        subjects += [f"{name}/{subject}" for subject in pictures["subject"]]
    clips = embed_clips(
        files,
        labels,
        subjects,
        windows,
        lambda path: embed_clip(front, path, windows),
        lambda text: warnings.warn(text, stacklevel=2),
    )
    if not data.held_out_subjects:
        return MaterClips(clips, None, None, None)
    held = np.isin(clips.subjects, data.held_out_subjects)
    if not held.any() or held.all():
        raise CorpusError("held_out_subjects", "leaves no clip to train on or none held out")
    return MaterClips(clips.take(~held), None, clips.take(held), None)
