"""The eight families of emobase2010's 1,582 functionals.

They are the low-level descriptors of the INTERSPEECH 2010 paralinguistic challenge, with the two
jitters, and pitch and its envelope, as one family each. Names are those of openSMILE's emobase2010
or of its IS10 set.
"""

from __future__ import annotations

from collections.abc import Iterable

from aver.errors import AverError

# What the names of a family's descriptors begin with.
_PREFIXES = {
    "loudness": ("pcm_loudness_",),
    "MFCC": ("pcm_fftMag_mfcc_", "mfcc_"),
    "log mel band": ("logMelFreqBand_",),
    "F0": ("F0final_", "F0finEnv_"),
    "line spectral frequencies": ("lspFreq_",),
    "final voicing": ("voicingFinalUnclipped_",),
    "shimmer": ("shimmerLocal_",),
    "jitter": ("jitterLocal_", "jitterDDP_"),
}

FAMILIES = tuple(_PREFIXES)
"""Names of the families, in the order of the columns of Wu, Li & Lee's Table 3."""

ABBREVIATIONS = dict(
    zip(FAMILIES, ("LD", "MFCC", "LMFB", "F0", "LSPF", "VFU", "SM", "JT"), strict=True)
)
"""Their column headings in that table."""


def family_of(name: str) -> str:
    """The family of the functional *name*.

    Raises:
        AverError: if it is none of emobase2010's.
    """
    for family, prefixes in _PREFIXES.items():
        if name.startswith(prefixes):
            return family
    raise AverError(
        "is none of emobase2010's functionals",
        "Give names such as pcm_loudness_sma_amean, from the extractor 'emobase2010'",
        subject=name,
    )


def families_of(names: Iterable[str]) -> tuple[str, ...]:
    """The family of each of *names*.

    Raises:
        AverError: for the first that is none of emobase2010's.
    """
    return tuple(family_of(name) for name in names)
