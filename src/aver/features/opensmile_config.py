"""Running the user's own openSMILE configuration, as openSMILE's own program would."""

from __future__ import annotations

import tempfile
import wave
from functools import cached_property
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from aver.errors import SettingError
from aver.media import SAMPLE_RATE


class ConfigFile:
    """A configuration that reads a WAV file (``-I``) and writes an ARFF file (``-O``).

    Args:
        package: the package opensmile.
        path: the configuration, next to the files that it includes.
    """

    def __init__(self, package: Any, path: Path):
        self.package, self.path = package, path

    @cached_property
    def names(self) -> tuple[str, ...]:
        """Names of the functionals, found by running it on a second of noise."""
        noise = np.random.default_rng(0).normal(size=SAMPLE_RATE) * 0.1
        names, row = self._run(noise.astype(np.float32))
        if row is None:
            raise SettingError(
                "config", f"{self.path} wrote no functionals", "Name emobase2010.conf"
            )
        return names

    def measure(self, samples: NDArray[np.float32]) -> NDArray[np.float32] | None:
        """The functionals of (n,) mono sound at 16 kHz; None if it wrote none (too short)."""
        return self._run(samples)[1]

    def _run(
        self, samples: NDArray[np.float32]
    ) -> tuple[tuple[str, ...], NDArray[np.float32] | None]:
        api = import_module("opensmile.core.lib")
        with tempfile.TemporaryDirectory(prefix="aver-opensmile-") as folder:
            sound, out = Path(folder, "clip.wav"), Path(folder, "clip.arff")
            _write_wave(sound, samples)
            smile = api.OpenSMILE()
            try:
                options = {"inputfile": str(sound), "arffout": str(out), "instname": "clip"}
                smile.initialize(config_file=str(self.path), options=options, loglevel=1)
                smile.run()
            except Exception as error:
                # The binding raises its own exceptions, and plain ones for bad configurations.
                raise SettingError(
                    "config",
                    f"openSMILE refuses {self.path} ({str(error).splitlines()[0]})",
                    "It must take -I and -O as emobase2010.conf does, and lie next to the files "
                    "that it includes",
                ) from None
            finally:
                smile.free()
            return read_arff(out) if out.exists() else ((), None)


def read_arff(path: Path) -> tuple[tuple[str, ...], NDArray[np.float32] | None]:
    """Names and last row of the numbers in an ARFF file of openSMILE; None without a row."""
    names: list[tuple[str, str]] = []
    row = None
    lines = iter(path.read_text("utf-8", "replace").splitlines())
    for line in lines:
        if line.lower().startswith("@attribute"):
            _, name, kind = line.split(None, 2)
            names.append((name, kind))
        elif line.lower().startswith("@data"):
            break
    for line in lines:
        if line.strip():
            row = line.split(",")
    numeric = [at for at, (_, kind) in enumerate(names) if kind.strip().lower() == "numeric"]
    kept = tuple(names[at][0] for at in numeric)
    if row is None:
        return kept, None
    return kept, np.array([float(row[at]) for at in numeric], np.float32)


def _write_wave(path: Path, samples: NDArray[np.float32]) -> None:
    scaled = np.clip(samples * 32768.0, -32768, 32767).astype("<i2")
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(SAMPLE_RATE)
        file.writeframes(scaled.tobytes())
