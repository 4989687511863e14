"""WavLM, wav2vec 2.0 and HuBERT as extractors, through the package ``transformers``.

Weights are the user's: a folder as ``save_pretrained`` writes it, or a name on the Hugging Face
hub that was fetched before. Nothing is downloaded unless ``allow_download`` says so, and only
safetensors are read, never pickles (``aver models convert safetensors`` rewrites those).
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from typing import Any, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from aver.errors import ModelError, SettingError
from aver.features.clip_windows import read_clip_sound, window_times
from aver.features.extractor import Clip, Extractor, Features, register_extractor
from aver.features.layers import PIECE_SECONDS, Floats, LayerSettings, pool_pieces
from aver.features.weights import file_hash
from aver.media import SAMPLE_RATE

PIECE_SAMPLES = PIECE_SECONDS * SAMPLE_RATE
"""Longest sound taken at once: attention costs the square of it."""

# One vector needs 25 ms; shorter clips are continued with silence.
_LEAST_SAMPLES = SAMPLE_RATE // 10

_FILES = ["config.json", "preprocessor_config.json", "*.safetensors", "*.safetensors.index.json"]


class SpeechEncoderSettings(LayerSettings):
    """Settings of ``wavlm``, ``wav2vec2`` and ``hubert``; see also :class:`LayerSettings`.

    Attributes:
        model: a folder with ``config.json`` and safetensors, or a name on the Hugging Face hub.
        revision: of the hub's files; empty for its main one.
        normalise: bring each clip to mean 0 and variance 1 first: ``yes``, ``no``, or ``auto``,
            as the model's own ``preprocessor_config.json`` has it (``yes`` without one).
        allow_download: fetch the files from the hub where they are not on this machine.
    """

    model: str = ""
    revision: str = ""
    normalise: Literal["auto", "yes", "no"] = "auto"
    allow_download: bool = False


class _TransformersEncoder(Extractor):
    """What the three have in common."""

    version = 1
    Settings = SpeechEncoderSettings
    modality = "sound"
    ignored_settings = frozenset({"model", "revision", "allow_download"})
    hub_name: ClassVar[str]
    """What ``model`` is when it is left empty."""

    def __init__(self, settings: SpeechEncoderSettings | None = None):
        super().__init__(settings)
        self._folder: Path | None = None
        self._network: Any = None
        self._normalise = True

    @property
    def folder(self) -> Path:
        """Where the model's files are.

        Raises:
            ModelError: if they are not on this machine, or not of this kind.
        """
        if self._folder is None:
            self._folder = _find(self.settings, self.hub_name)
        return self._folder

    @property
    def config(self) -> dict[str, Any]:
        """The model's ``config.json``."""
        found = _read_json(self.folder / "config.json")
        if found.get("model_type") != self.name:
            raise ModelError(
                self.folder,
                f"holds a model of the type {found.get('model_type')!r}, not {self.name!r}",
                "Use the extractor of that name, or another folder",
            )
        return found

    @property
    def shape(self) -> tuple[int, ...]:
        """(features,)."""
        return (self.settings.width(int(self.config["hidden_size"])),)

    @property
    def depends_on(self) -> Mapping[str, str]:
        """Hashes of the weights, their configuration, and the preprocessing."""
        files = sorted(self.folder.glob("*.safetensors"))
        files += [self.folder / "config.json", self.folder / "preprocessor_config.json"]
        return {file.name: file_hash(file) for file in files if file.is_file()}

    def extract(self, clip: Clip) -> Features:
        """Values (windows, features); sound beyond 30 s is taken in pieces of 30 s.

        Raises:
            MediaError: if the clip has no sound.
            ModelError: if the model is missing or has no such layer, or transformers is.
        """
        samples, seconds = read_clip_sound(clip)
        if self._network is None:
            self._load()
        if self._normalise:
            samples = (samples - samples.mean()) / np.sqrt(samples.var() + np.float32(1e-7))
        pieces = (
            self._hidden(samples[at : at + PIECE_SAMPLES])
            for at in range(0, len(samples), PIECE_SAMPLES)
        )
        s = self.settings
        times = window_times(seconds, s.window_seconds, s.windows)
        steps_a_second = SAMPLE_RATE / math.prod(self.config["conv_stride"])
        values = pool_pieces(pieces, times, steps_a_second, s)
        return Features(values, times, np.ones(len(times), np.bool_))

    def _hidden(self, samples: NDArray[np.float32]) -> Floats:
        """(layers, steps, width) of one piece; steps come every 20 ms."""
        torch = import_module("torch")
        if len(samples) < _LEAST_SAMPLES:
            samples = np.pad(samples, (0, _LEAST_SAMPLES - len(samples)))
        with torch.inference_mode():
            said = self._network(torch.from_numpy(samples)[None], output_hidden_states=True)
        depth = len(said.hidden_states) - 1
        chosen = []
        for layer in self.settings.layers:
            if layer != "last" and layer > depth:
                raise ModelError(
                    self.folder, f"has no layer {layer}", f"Layers are 0 to {depth}, and last"
                )
            values = said.last_hidden_state if layer == "last" else said.hidden_states[layer]
            chosen.append(values[0].float().numpy())
        return np.stack(chosen)

    def _load(self) -> None:
        transformers = _import("transformers", self.name)
        _import("torch", self.name)
        transformers.utils.logging.set_verbosity_error()
        self._normalise = self._wants_normalised(self.config)
        if not any(self.folder.glob("*.safetensors")):
            raise ModelError(
                self.folder,
                "holds no safetensors, and pickled weights are not read",
                "Rewrite them: aver models convert safetensors "
                + str(self.folder / "pytorch_model.bin"),
            )
        try:
            network = transformers.AutoModel.from_pretrained(
                self.folder, local_files_only=True, use_safetensors=True, trust_remote_code=False
            )
        except Exception as error:  # of many kinds, by what is wrong with the files
            reason = next(iter(str(error).splitlines()), type(error).__name__)
            raise ModelError(
                self.folder, f"cannot be loaded ({reason})", "Fetch it again"
            ) from error
        self._network = network.eval()

    def _wants_normalised(self, config: dict[str, Any]) -> bool:
        file = self.folder / "preprocessor_config.json"
        stated = _read_json(file) if file.is_file() else {}
        rate = stated.get("sampling_rate", SAMPLE_RATE)
        if rate != SAMPLE_RATE:
            raise ModelError(self.folder, f"takes sound of {rate} Hz", "Use a model for 16000 Hz")
        if self.settings.normalise == "auto":
            return bool(stated.get("do_normalize", True))
        return bool(self.settings.normalise == "yes")


@register_extractor("wavlm")
class WavLM(_TransformersEncoder):
    """Hidden layers of WavLM (Chen et al. 2022), trained without any labels."""

    hub_name = "microsoft/wavlm-base-plus"


@register_extractor("wav2vec2")
class Wav2Vec2(_TransformersEncoder):
    """Hidden layers of wav2vec 2.0 (Baevski et al. 2020), trained without any labels."""

    hub_name = "facebook/wav2vec2-base"


@register_extractor("hubert")
class Hubert(_TransformersEncoder):
    """Hidden layers of HuBERT (Hsu et al. 2021), trained without any labels."""

    hub_name = "facebook/hubert-base-ls960"


def _import(package: str, extractor: str) -> Any:
    try:
        return import_module(package)
    except ImportError as error:
        raise SettingError(
            extractor, f"needs the package '{package}' ({error})", "Install aver[speech]"
        ) from None


def _find(settings: SpeechEncoderSettings, hub_name: str) -> Path:
    name = settings.model or hub_name
    folder = Path(name).expanduser()
    if folder.is_dir():
        if not (folder / "config.json").is_file():
            raise ModelError(folder, "holds no config.json", "Name a folder of save_pretrained")
        return folder
    if name.startswith((".", "/", "~")) or name.count("/") > 1:
        raise ModelError(name, "is no folder", "Name a folder of save_pretrained, or a hub name")
    hub = _import("huggingface_hub", name)
    try:
        return Path(
            hub.snapshot_download(
                name,
                revision=settings.revision or None,
                allow_patterns=_FILES,
                local_files_only=not settings.allow_download,
            )
        )
    except Exception as error:  # the hub's own errors, and those of the connection
        if not settings.allow_download:
            raise ModelError(
                name,
                "is not on this machine, and nothing is downloaded unasked",
                "Name a folder that holds it, or set allow_download = true",
            ) from None
        reason = next(iter(str(error).splitlines()), type(error).__name__)
        raise ModelError(name, f"cannot be fetched ({reason})", "Check name and connection") from (
            error
        )


def _read_json(file: Path) -> dict[str, Any]:
    try:
        found = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ModelError(file, f"cannot be read ({error})", "Fetch the model again") from None
    if not isinstance(found, dict):
        raise ModelError(file, "is not a JSON object", "Fetch the model again")
    return found
