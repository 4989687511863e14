"""Which families a mask attends to: tracing and counting by hand, and a network that was taught."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from aver.errors import AverError, ModelError, SettingError
from aver.evaluation.mask_analysis import (
    FamilyCounts,
    attended_families,
    count_families,
    draw_families,
    family_table,
    trace_families,
)
from aver.features.emobase_families import ABBREVIATIONS, FAMILIES

# One shimmer, two loudness, three MFCC.
NAMES = (
    "shimmerLocal_sma_amean",
    "pcm_loudness_sma_amean",
    "pcm_loudness_sma_de_amean",
    "pcm_fftMag_mfcc_sma[0]_amean",
    "pcm_fftMag_mfcc_sma[1]_amean",
    "pcm_fftMag_mfcc_sma[2]_amean",
)
WEIGHTS = np.array(
    [
        # mean: 2.0, 0.5, 1.0; strongest: MFCC; sum: MFCC
        [2.0, 0.5, 0.5, -3.0, 0.0, 0.0],
        # mean: 0.1, 1.0, 0.9; strongest: loudness; sum: MFCC
        [0.1, 1.2, -0.8, 0.9, 0.9, 0.9],
        # mean: 0.0, 0.2, 1.0
        [0.0, 0.2, 0.2, 1.0, -1.0, 1.0],
        [-4.0, 0.0, 0.0, 1.0, 0.0, 0.0],
    ]
)


def test_tracing_by_hand():
    assert trace_families(WEIGHTS, NAMES) == ("shimmer", "loudness", "MFCC", "shimmer")
    assert trace_families(WEIGHTS, NAMES, "strongest") == ("MFCC", "loudness", "MFCC", "shimmer")
    assert trace_families(WEIGHTS, NAMES, "sum") == ("MFCC", "MFCC", "MFCC", "shimmer")


def test_counting_by_hand():
    counts = count_families(np.array([0.1, 0.4, 0.3, 0.2]), WEIGHTS, NAMES, share=0.5)
    assert counts.top[counts.top > 0].to_dict() == {"loudness": 1, "MFCC": 1}
    # Of all four, two are shimmer's: by lot, one of the two counted.
    assert counts.expected[["shimmer", "loudness", "MFCC", "F0"]].tolist() == [1.0, 0.5, 0.5, 0.0]
    assert tuple(counts.top.index) == FAMILIES


def test_a_quarter_of_64_is_16():
    rng = np.random.default_rng(0)
    counts = count_families(rng.uniform(size=64), rng.normal(size=(64, 6)), NAMES)
    assert counts.top.sum() == 16
    assert counts.expected.sum() == pytest.approx(16)


def test_bad_input_is_told():
    good = np.array([0.1, 0.4, 0.3, 0.2])
    with pytest.raises(ModelError, match="equally large in all hidden dimensions"):
        count_families(np.full(4, 0.3) + 1e-7 * good, WEIGHTS, NAMES)
    with pytest.raises(ModelError, match="equally large"):
        count_families(np.zeros(4), WEIGHTS, NAMES)
    with pytest.raises(ModelError, match="not finite"):
        count_families(np.array([np.nan, 1, 2, 3]), WEIGHTS, NAMES)
    with pytest.raises(SettingError, match="5 names for weights"):
        count_families(good, WEIGHTS, NAMES[:5])
    with pytest.raises(SettingError, match="share"):
        count_families(good, WEIGHTS, NAMES, share=0.0)
    with pytest.raises(SettingError, match="there is no 'median'"):
        count_families(good, WEIGHTS, NAMES, trace="median")
    with pytest.raises(AverError, match="is none of emobase2010's"):
        count_families(good, WEIGHTS, (*NAMES[:5], "zero_crossings"))


def counts_of(**top):
    found = pd.Series({family: top.get(short, 0) for family, short in ABBREVIATIONS.items()})
    return FamilyCounts(found, found * 0.5)


def test_table_adds_labels_and_names_columns_as_the_paper():
    table = family_table({"AAS": [counts_of(LD=5, SM=11), counts_of(SM=1)], "SA": counts_of(JT=2)})
    assert list(table.columns[:8]) == ["LD", "MFCC", "LMFB", "F0", "LSPF", "VFU", "SM", "JT"]
    assert table.loc["AAS", ["LD", "SM", "SM expected"]].tolist() == [5, 12, 6.0]
    assert table.loc["SA", "JT"] == 2
    with pytest.raises(SettingError, match="no counts"):
        family_table({"AAS": []})


@pytest.mark.filterwarnings("ignore:.*:DeprecationWarning")
def test_picture(tmp_path):
    pytest.importorskip("matplotlib")
    table = family_table({"AAS": counts_of(LD=5, SM=11), "SA": counts_of(JT=16)})
    draw_families(table, tmp_path / "families.svg", title="Experienced arousal")
    text = (tmp_path / "families.svg").read_text("utf-8")
    for word in ("AAS", "shimmer", "by lot 5.5", "Experienced arousal"):
        assert f"<!-- {word}" in text
    assert [file.name for file in tmp_path.iterdir()] == ["families.svg"]
    with pytest.raises(SettingError, match="is no picture"):
        draw_families(table, tmp_path / "families.txt")


def trained(variant="sa", **settings):
    torch = pytest.importorskip("torch")
    from aver.models.registry import make_model

    dimensions = {"emobase2010": 6}
    if variant in ("aas", "asmt"):
        dimensions["auditory_saliency"] = 3
    torch.manual_seed(0)
    network = make_model("asmt", {"variant": variant, "width": 8, "saliency_width": 4, **settings},
                         dimensions, dict.fromkeys(dimensions, 4), 3)  # fmt: skip
    streams = {n: torch.randn(300, 4, d) for n, d in dimensions.items()}
    return network, streams, {n: torch.ones(300, 4, dtype=torch.bool) for n in dimensions}


def test_the_mask_of_a_network_is_averaged_over_the_segments_there():
    torch = pytest.importorskip("torch")
    network, streams, masks = trained(softmax_over="descriptors")
    masks["emobase2010"][:, 3] = False
    streams["emobase2010"][:, 3] = float("nan")
    found = attended_families(network, streams, masks, NAMES, share=0.5)
    with torch.no_grad():
        mask = network.eval().front_end(streams, masks).masks["self"][:, :3]
    values = mask.abs().mean(dim=(0, 1)).numpy()
    by_hand = count_families(values, network.descriptors.weight.detach().numpy(), NAMES, share=0.5)
    assert found.top.equals(by_hand.top)


def test_a_planted_family_is_found():
    """Hidden dimensions 2 and 5 get all of the mask, and only shimmer feeds them."""
    torch = pytest.importorskip("torch")
    network, streams, masks = trained(softmax_over="descriptors")
    with torch.no_grad():
        weight = network.descriptors.weight
        weight[:, 0] = 0.0
        weight[[2, 5]] = 0.0
        weight[[2, 5], 0] = 1.0
        network.descriptors.bias[:] = 0.0
        network.descriptors.bias[[2, 5]] = 9.0
        network.self_pooling.weight[:] = 0.5
    found = attended_families(network, streams, masks, NAMES)
    assert found.top["shimmer"] == found.top.sum() == 2
    assert found.expected["shimmer"] == 0.5


def test_masks_that_tell_nothing_apart_are_told():
    network, streams, masks = trained("aas")
    with pytest.raises(ModelError, match="softmax_over"):
        attended_families(network, streams, masks, NAMES)
    assert attended_families(network, streams, masks, NAMES, values="masked").top.sum() == 2
    with pytest.raises(ModelError, match="has no mask 'self'"):
        attended_families(network, streams, masks, NAMES, mask="self")
    masks["emobase2010"][:] = False
    with pytest.raises(ModelError, match="no segment is there"):
        attended_families(network, streams, masks, NAMES)
