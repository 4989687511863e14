"""Arousal and valence that pseudo-films give to acted classes: constructed, rated by nobody.

Where a class stands follows the order of Russell's circumplex (1980): anger, fear and joy are
roused, calm and sadness are not. The numbers are set by hand. Strong intensity moves arousal away
from the middle, as actors were asked to.
"""

from __future__ import annotations

# class -> (valence, arousal), both from -1 to 1
LEVELS: dict[str, dict[str, tuple[float, float]]] = {
    "ravdess": {
        "neutral": (0.0, -0.5),
        "calm": (0.4, -0.8),
        "happy": (0.8, 0.5),
        "sad": (-0.7, -0.5),
        "angry": (-0.7, 0.7),
        "fearful": (-0.7, 0.6),
        "disgust": (-0.6, 0.1),
        "surprised": (0.3, 0.5),
    },
    "nemo": {
        "neutral": (0.0, -0.6),
        "happy": (0.8, 0.6),
        "sad": (-0.7, -0.6),
        "angry": (-0.7, 0.8),
        "fearful": (-0.7, 0.7),
        "surprised": (0.3, 0.6),
    },
    "emogator": {
        "adoration": (0.8, 0.1),
        "amusement": (0.8, 0.5),
        "anger": (-0.7, 0.8),
        "awe": (0.5, 0.2),
        "confusion": (-0.2, 0.0),
        "contempt": (-0.5, 0.0),
        "contentment": (0.6, -0.6),
        "desire": (0.5, 0.2),
        "disappointment": (-0.5, -0.4),
        "disgust": (-0.6, 0.2),
        "distress": (-0.7, 0.7),
        "ecstasy": (0.9, 0.8),
        "elation": (0.9, 0.8),
        "embarrassment": (-0.3, 0.0),
        "fear": (-0.7, 0.8),
        "guilt": (-0.5, -0.2),
        "interest": (0.3, 0.0),
        "neutral": (0.0, -0.6),
        "pain": (-0.8, 0.6),
        "pride": (0.6, 0.2),
        "realization": (0.2, 0.1),
        "relief": (0.5, -0.5),
        "romantic_love": (0.7, 0.0),
        "sadness": (-0.7, -0.5),
        "serenity": (0.5, -0.8),
        "shame": (-0.5, -0.2),
        "surprise_negative": (-0.4, 0.7),
        "surprise_positive": (0.6, 0.7),
        "sympathy": (0.1, -0.3),
        "triumph": (0.8, 0.8),
    },
}

STRONG = 0.25
"""How far strong intensity moves arousal away from the middle."""

MOODS: dict[str, tuple[float, float]] = {
    "low": (-1.0, -1.0 / 3.0),
    "mid": (-1.0 / 3.0, 1.0 / 3.0),
    "high": (1.0 / 3.0, 1.0),
}
"""Three equal steps of arousal: what a scene can be about."""


def levels_of(corpus: str, label: str, intensity: str) -> tuple[float, float] | None:
    """Valence and arousal of an acted class; None if it has none here."""
    found = LEVELS.get(corpus, {}).get(label)
    if found is None:
        return None
    valence, arousal = found
    if intensity == "strong" and arousal:
        arousal += STRONG if arousal > 0 else -STRONG
    return valence, max(-1.0, min(1.0, arousal))


def mood_of(arousal: float) -> str:
    """The step of :data:`MOODS` that *arousal* lies in."""
    return next(name for name, (_, high) in MOODS.items() if arousal < high or name == "high")
