"""Label sets of the field, and the maps between them.

The spellings are the ones the corpora's own publishers use in their documentation. Order matters:
it is the order of a network's outputs.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

RAVDESS: tuple[str, ...] = (
    "neutral",
    "calm",
    "happy",
    "sad",
    "angry",
    "fearful",
    "disgust",
    "surprised",
)
"""Eight classes of RAVDESS speech, in the order of the file-name field 01 to 08
(Livingstone & Russo 2018)."""

CREMA_D: tuple[str, ...] = ("angry", "disgust", "fearful", "happy", "neutral", "sad")
"""Six classes of CREMA-D (Cao et al. 2014): ANG, DIS, FEA, HAP, NEU, SAD."""

FER2013: tuple[str, ...] = ("angry", "disgust", "fear", "happy", "sad", "surprise", "neutral")
"""Seven classes of FER-2013, in the order of its CSV's ``emotion`` column 0 to 6."""

NEMO: tuple[str, ...] = ("angry", "fearful", "happy", "neutral", "sad", "surprised")
"""Six classes of nEMO (Christop 2024), in this project's spelling of the same words."""

EMOGATOR: tuple[str, ...] = (
    "adoration",
    "amusement",
    "anger",
    "awe",
    "confusion",
    "contempt",
    "contentment",
    "desire",
    "disappointment",
    "disgust",
    "distress",
    "ecstasy",
    "elation",
    "embarrassment",
    "fear",
    "guilt",
    "interest",
    "neutral",
    "pain",
    "pride",
    "realization",
    "relief",
    "romantic_love",
    "sadness",
    "serenity",
    "shame",
    "surprise_negative",
    "surprise_positive",
    "sympathy",
    "triumph",
)
"""Thirty categories of EmoGator (Buhl 2023), in the order of its file-name field 01 to 30."""

SAVEE: tuple[str, ...] = (
    "angry",
    "disgust",
    "fearful",
    "happy",
    "neutral",
    "sad",
    "surprised",
)
"""Seven classes of SAVEE (Haq & Jackson 2009), in this project's spelling of the same words."""

EMO_DB: tuple[str, ...] = ("angry", "bored", "disgust", "fearful", "happy", "neutral", "sad")
"""Seven classes of EMO-DB (Burkhardt et al. 2005), in this project's spelling."""

ENJOYMENT: tuple[str, ...] = ("1", "2", "3", "4", "5")
"""Ratings of enjoyment, ordered (Pereira et al. 2024): 1 none, 5 very much."""

COGNIMUSE_3: tuple[str, ...] = ("low", "mid", "high")
"""Three equal steps of arousal or valence over [-1, 1] (Wu, Li & Lee, Table 1)."""

COGNIMUSE_7: tuple[str, ...] = ("1", "2", "3", "4", "5", "6", "7")
"""Seven equal steps of arousal or valence over [-1, 1], from the lowest."""

SETS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "ravdess": RAVDESS,
        "crema_d": CREMA_D,
        "fer2013": FER2013,
        "nemo": NEMO,
        "emogator": EMOGATOR,
        "savee": SAVEE,
        "emo_db": EMO_DB,
        "enjoyment": ENJOYMENT,
    }
)

FER2013_TO_RAVDESS: Mapping[str, str] = MappingProxyType(
    {
        "angry": "angry",
        "disgust": "disgust",
        "fear": "fearful",
        "happy": "happy",
        "sad": "sad",
        "surprise": "surprised",
        "neutral": "neutral",
    }
)
"""FER-2013 has no *calm*: nothing maps onto it, and a face alone cannot tell it from *neutral*."""

EMOGATOR_TO_RAVDESS: Mapping[str, str] = MappingProxyType(
    {
        "neutral": "neutral",
        "serenity": "calm",
        "contentment": "calm",
        "amusement": "happy",
        "ecstasy": "happy",
        "elation": "happy",
        "sadness": "sad",
        "anger": "angry",
        "fear": "fearful",
        "disgust": "disgust",
        "surprise_negative": "surprised",
        "surprise_positive": "surprised",
    }
)
"""The EmoGator categories that name an emotion of RAVDESS; the other eighteen map onto none."""
