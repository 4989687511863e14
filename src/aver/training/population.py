"""Where the training population's embeddings lie (task ``population``).

Per-person calibration maps a person's embeddings onto these statistics. They are taken over what
MATER was trained on, from training data alone: windows composed from FER-2013's training stills
(classes alike in number), and the voices of its corpora as recorded (every corpus counting the
same, as in the voice network's own ``centre``). FER-2013 names nobody, so the spread of faces holds
what stands between persons as well; that of voices is within speakers.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from pydantic import Field

from aver.features.face_embedding import FaceEmbedder
from aver.features.person_calibration import Statistics, population_of, statistics_of
from aver.features.population import FILE, entry, probe_face, probe_voice, write_population
from aver.features.voice_embedding import VoiceEmbedder
from aver.inference.networks import locate
from aver.labels import RAVDESS
from aver.training import voice_data
from aver.training.face_data import Faces, load_split
from aver.training.mater_data import make_bank, still_classes
from aver.training.recipe import RecipeBase, register_task
from aver.training.sequences import Sequences


class PopulationRecipe(RecipeBase):
    """What the statistics are taken over.

    Attributes:
        corpora: of voices, folders below the data folder.
        stills: folder of FER-2013.
        stills_validation: part of its training stills that no network was trained on.
        most_stills: stills looked at, drawn at random.
        faces_a_class: composed windows for each RAVDESS class.
        windows: windows of each voice clip, from its start.
        face_network: name or path.
        voice_network: name or path.
    """

    corpora: tuple[str, ...] = ("ravdess", "nemo", "emogator")
    stills: str = "fer2013"
    stills_validation: float = Field(0.05, gt=0, lt=1)
    most_stills: int = Field(8000, ge=100)
    faces_a_class: int = Field(2000, ge=10)
    windows: int = Field(8, ge=1)
    face_network: str = "face_expression"
    voice_network: str = "voice_expression"


@register_task("population", PopulationRecipe)
def make_population(recipe: PopulationRecipe, data_root: Path, out: Path) -> None:
    """Write ``out/population.json``.

    Raises:
        CorpusError: if a corpus is missing.
        ModelError: if a network is missing.
    """
    face, voice = locate(recipe.face_network), locate(recipe.voice_network)
    voices = voice_data.embed_corpora(
        data_root, recipe.corpora, voice, recipe.windows, cache=out / "cache"
    )
    heard = voice_population(voices)
    print(f"voice: {heard.windows:,} windows", flush=True)
    seen = face_population(recipe, data_root, face)
    print(f"face: {seen.windows:,} windows", flush=True)
    faces = "windows composed from the training stills of FER-2013"
    write_population(
        out / FILE,
        {
            "face": entry(face, seen, probe_face(FaceEmbedder(face)), faces),
            "voice": entry(
                voice,
                heard,
                probe_voice(VoiceEmbedder(voice)),
                f"clips of {', '.join(recipe.corpora)}, as recorded",
            ),
        },
    )
    print(f"wrote {out / FILE}", flush=True)


def voice_population(voices: Sequences) -> Statistics:
    """Statistics of voices, every corpus counting the same."""
    corpus = np.array([name.partition("/")[0] for name in voices.subjects.tolist()])
    parts = []
    for name in np.unique(corpus):
        rows = np.flatnonzero(corpus == name)
        parts.append(
            population_of(
                voices.voice[rows], voices.voice_mask[rows], voices.subjects[rows].tolist()
            )
        )
    return Statistics(
        np.mean([part.mean for part in parts], axis=0),
        np.sqrt(np.mean([part.spread**2 for part in parts], axis=0)),
        sum(part.windows for part in parts),
    )


def face_population(recipe: PopulationRecipe, data_root: Path, network: Path) -> Statistics:
    """Statistics of faces, composed as MATER's training clips are."""
    stills = load_split(data_root / recipe.stills, recipe.stills_validation).train
    random = np.random.default_rng(recipe.seed)
    chosen = torch.from_numpy(random.permutation(len(stills))[: recipe.most_stills])
    embedder = FaceEmbedder(network, threads=torch.get_num_threads())
    some = Faces(stills.images[chosen], stills.labels[chosen])
    bank = make_bank(embedder, some, 2, recipe.seed)
    labels = np.repeat(np.arange(len(RAVDESS)), recipe.faces_a_class)
    return statistics_of(bank.compose(still_classes()[labels], 1, random))
