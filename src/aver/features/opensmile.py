"""The functional sets of openSMILE: eGeMAPS, ComParE, IS10 and emobase2010.

The package ``opensmile`` is not part of aver's own installation: it comes under audEERING's
research licence, which forbids commercial use. ``pip install 'aver[opensmile]'`` accepts it.
"""

from __future__ import annotations

import hashlib
import warnings
from collections.abc import Mapping
from functools import cached_property
from importlib import import_module
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from aver.errors import MediaError, ModelError, SettingError
from aver.features import opensmile_config, opensmile_is10
from aver.features.extractor import Clip, Extractor, Features, register_extractor
from aver.features.windows import WindowSettings, cut, read_sound, window_features
from aver.media import SAMPLE_RATE


def load_package() -> Any:
    """The package opensmile.

    Raises:
        ModelError: if it is not installed, or does not run here; the way out is told.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return import_module("opensmile")
    except ImportError:
        raise ModelError(
            "opensmile",
            "the package is not installed",
            "It comes under audEERING's research licence (no commercial use); accept it with: "
            "pip install 'aver[opensmile]'",
        ) from None
    except OSError as error:
        raise ModelError("opensmile", f"the package does not run here ({error})") from None


class _Functionals(Extractor):
    """One row of functionals a clip, or a window, of 16 kHz mono sound.

    A window of which too little lies in the clip for any frame is not present.
    """

    Settings = WindowSettings
    modality = "sound"
    feature_set: ClassVar[str]

    @cached_property
    def _smile(self) -> Any:
        package = load_package()
        return package.Smile(
            getattr(package.FeatureSet, self.feature_set), package.FeatureLevel.Functionals
        )

    @property
    def names(self) -> tuple[str, ...]:
        """The set's own names."""
        return tuple(self._smile.feature_names)

    @property
    def shape(self) -> tuple[int, ...]:
        """``(functionals,)``."""
        return (len(self.names),)

    @property
    def depends_on(self) -> Mapping[str, str]:
        """The version of openSMILE."""
        return {"opensmile": str(load_package().__version__)}

    def extract(self, clip: Clip) -> Features:
        """Measure one clip.

        Raises:
            MediaError: also if it is too short for any frame of the set.
        """
        sound = read_sound(clip)
        rows = [self.measure(part) for part in cut(sound, self.settings, pad=False)]
        present = np.array([row is not None for row in rows])
        if not present.any():
            raise MediaError(
                clip.file, f"its sound lasts {sound.seconds:.3f} s, too short for '{self.name}'"
            )
        nothing = np.zeros(self.shape, np.float32)
        filled = [nothing if row is None else row for row in rows]
        return window_features(filled, sound, self.settings, present)

    def measure(self, samples: NDArray[np.float32]) -> NDArray[np.float32] | None:
        """The functionals of (n,) mono sound at 16 kHz; None if too short for a frame."""
        # openSMILE takes 16 bits; full scale itself would come out as its negative.
        samples = np.clip(samples, -1.0, 32767 / 32768)
        with warnings.catch_warnings(record=True) as told:
            warnings.simplefilter("always")
            row = self._smile.process_signal(samples, SAMPLE_RATE).to_numpy(np.float32)[0]
        if any("too short" in str(warning.message) for warning in told):
            return None
        return np.asarray(row)


@register_extractor("egemaps")
class Egemaps(_Functionals):
    """The 88 functionals of eGeMAPSv02 (Eyben et al. 2016), through openSMILE.

    openSMILE comes under audEERING's research licence: no commercial use.
    """

    version = 1
    feature_set = "eGeMAPSv02"


@register_extractor("compare_2016")
class Compare2016(_Functionals):
    """The 6,373 functionals of ComParE_2016 (Schuller et al. 2016), through openSMILE.

    openSMILE comes under audEERING's research licence: no commercial use.
    """

    version = 1
    feature_set = "ComParE_2016"


@register_extractor("is10")
class Is10(_Functionals):
    """The 1,582 functionals of the INTERSPEECH 2010 paralinguistic challenge, through openSMILE.

    As the package gives them: maxPos and minPos in frames. openSMILE comes under audEERING's
    research licence: no commercial use.
    """

    version = 1
    feature_set = "IS10"


class Emobase2010Settings(WindowSettings):
    """Windows, and where the set comes from.

    Attributes:
        config: path of the user's own copy of openSMILE's ``emobase2010.conf`` (in its folder,
            next to ``shared``), used as it is; empty makes the set out of IS10.
    """

    config: str = ""


@register_extractor("emobase2010")
class Emobase2010(Is10):
    """The 1,582 functionals of emobase2010, as openSMILE's own program names and scales them.

    The package carries no emobase2010, but its IS10 set holds the same descriptors in the same
    order: maxPos and minPos are made relative to the segment's length, onsets are counted. That
    agrees with openSMILE's emobase2010 to 1e-3, except for the 195 functionals of the pitch
    descriptors F0final, F0finEnv, jitterLocal, jitterDDP and shimmerLocal (:attr:`inexact`),
    where the two sets pick pitch in different ways. With ``config`` the user's own configuration
    runs, and all agree. openSMILE comes under audEERING's research licence: no commercial use.
    """

    version = 1
    Settings = Emobase2010Settings
    ignored_settings = frozenset({"config"})

    @cached_property
    def _config(self) -> opensmile_config.ConfigFile | None:
        if not self.settings.config:
            return None
        path = Path(self.settings.config).expanduser()
        if not path.is_file():
            raise SettingError("config", f"there is no file {path}", "Name an openSMILE .conf")
        return opensmile_config.ConfigFile(load_package(), path)

    @property
    def names(self) -> tuple[str, ...]:
        """emobase2010's names, in its order."""
        if self._config is not None:
            return self._config.names
        return opensmile_is10.emobase_names(super().names)

    @property
    def inexact(self) -> tuple[str, ...]:
        """Names of the functionals that differ from openSMILE's own emobase2010."""
        if self._config is not None:
            return ()
        return tuple(name for name in self.names if opensmile_is10.is_inexact(name))

    @property
    def depends_on(self) -> Mapping[str, str]:
        """The version of openSMILE, and the hash of the user's configuration."""
        known = dict(super().depends_on)
        if self._config is not None:
            known["config"] = hashlib.sha256(self._config.path.read_bytes()).hexdigest()
        return known

    def measure(self, samples: NDArray[np.float32]) -> NDArray[np.float32] | None:
        """The functionals of (n,) mono sound at 16 kHz; None if too short for a frame."""
        if self._config is not None:
            return self._config.measure(samples)
        row = super().measure(samples)
        return None if row is None else opensmile_is10.to_emobase(row, super().names)
