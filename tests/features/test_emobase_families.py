"""The eight families of emobase2010's functionals."""

from __future__ import annotations

from collections import Counter

import pytest

from aver.errors import AverError
from aver.features.emobase_families import ABBREVIATIONS, FAMILIES, families_of, family_of


def test_every_functional_of_the_set_has_a_family(shared):
    """The counts by hand: e.g. 15 MFCC and their deltas, 21 functionals each, are 630."""
    with (shared / "oracles" / "emobase2010.csv").open() as file:
        names = file.readline().rstrip("\n").split(",")[1:]
    assert len(names) == 1582
    assert Counter(families_of(names)) == {
        "loudness": 2 * 21,
        "MFCC": 2 * 15 * 21,
        "log mel band": 2 * 8 * 21,
        "F0": 2 * 21 + 2 * 19 + 2,
        "line spectral frequencies": 2 * 8 * 21,
        "final voicing": 2 * 21,
        "shimmer": 2 * 19,
        "jitter": 2 * 2 * 19,
    }


def test_names_of_both_sets():
    assert family_of("mfcc_sma[3]_amean") == family_of("pcm_fftMag_mfcc_sma_de[3]_amean") == "MFCC"
    assert family_of("F0final__Turn_onsetRate") == family_of("F0finEnv_sma_amean") == "F0"
    assert ABBREVIATIONS["final voicing"] == "VFU"
    assert tuple(ABBREVIATIONS) == FAMILIES


def test_other_names_are_told():
    with pytest.raises(AverError, match="spectralFlux_sma: is none of emobase2010's functionals"):
        family_of("spectralFlux_sma")
