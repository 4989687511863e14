"""Class activation maps: which places of a face or a sound spoke for an emotion, and which against.

**Face.** The network ends in the average of its last feature maps and one linear layer, so its
class activation map is exact (Zhou et al. 2016, *Learning deep features for discriminative
localization*, section 2, equation 2): with feature maps ``f_k`` and weights ``w_ck``, the map of
class *c* is ``M_c(x, y) = sum_k w_ck f_k(x, y)``, and its mean is the class's logit less its bias.

**Voice.** Here mean *and* maximum over time are pooled for each band and channel, a linear layer
makes the embedding, its length is brought to 1, and a second linear layer makes the logits. For one
window the length is a number, and the rest is linear in what is pooled, so a map is exact in the
same way: a place's share is its part of the mean, and the whole of the maximum where it is the
maximum (as maps of max-pooled networks have it, Oquab et al. 2015). The sum of the map is the
logit less what the biases give.

Both are of the network's *own* classifier, on the features that the fusion network reads. They
tell where in the input the evidence lay for this network; not why, and nothing about the person.

Whether a map tells the truth can be tried: :func:`hide` covers the quarter that it marks highest,
and the quarter that it marks lowest, and the network is asked again.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from aver.features.face_embedding import FaceEmbedder, preprocess
from aver.features.voice_embedding import VoiceEmbedder
from aver.inference.networks import Floats, softmax
from aver.labels import FER2013_TO_RAVDESS


@dataclass(frozen=True)
class Map:
    """A class activation map of one input.

    Attributes:
        label: the class, by the network's own name.
        values: (height, width) of a face, (time, bands) of a sound; positive speaks for the class,
            negative against it.
        logit: what the network gives the class.
        score: softmax of that, in [0, 1]; not calibrated.
        hidden_highest: the score once the quarter of the input with the highest values is covered.
        hidden_lowest: the score once the quarter with the lowest values is covered.
    """

    label: str
    values: Floats
    logit: float
    score: float
    hidden_highest: float
    hidden_lowest: float


def label_for(emotion: str, labels: tuple[str, ...]) -> str | None:
    """What a network with *labels* calls *emotion*; None where it knows nothing of the kind.

    FER-2013 has other words for some emotions, and no *calm*: a face alone does not tell it from
    *neutral*, whose map stands in.
    """
    if emotion in labels:
        return emotion
    others = [old for old, new in FER2013_TO_RAVDESS.items() if new == emotion]
    if emotion == "calm":
        others.append("neutral")
    return next((word for word in others if word in labels), None)


def face_maps(maps: Floats, class_weights: Floats) -> Floats:
    """Class activation maps of faces.

    Args:
        maps: (n, channels, height, width), the last feature maps before they are averaged.
        class_weights: (classes, channels).

    Returns:
        (n, classes, height, width); the mean over a map is the logit less the bias.
    """
    return np.asarray(np.einsum("ck,nkhw->nchw", class_weights, maps), np.float32)


def voice_maps(maps: Floats, class_weights: Floats, length: Floats) -> Floats:
    """Class activation maps of windows of sound.

    Args:
        maps: (n, channels, time, bands), the last feature maps before they are pooled over time.
        class_weights: (classes, 2 * channels * bands), first of the mean, then of the maximum.
        length: (n, 1) of the embeddings before they were brought to length 1.

    Returns:
        (n, classes, time, bands); the sum over a map is the logit less what the biases give.
    """
    _, channels, time, bands = maps.shape
    of_mean, of_maximum = class_weights.reshape(-1, 2, channels, bands).swapaxes(0, 1)
    highest = maps == maps.max(axis=2, keepdims=True)
    # Where several moments share the maximum, they share its weight.
    shares = highest / highest.sum(axis=2, keepdims=True)
    found = np.einsum("ckb,nktb->nctb", of_mean, maps) / time
    found += np.einsum("ckb,nktb->nctb", of_maximum, maps * shares)
    return np.asarray(found / length[:, :, None, None], np.float32)


def enlarge(values: Floats, height: int, width: int) -> Floats:
    """A map at the size of its input (height, width); between the cells' middles a straight line.

    The mean stays what it is where height and width are multiples of the map's.
    """
    import cv2

    return np.asarray(cv2.resize(values, (width, height), interpolation=cv2.INTER_LINEAR))


def hide(picture: Floats, values: Floats, *, highest: bool) -> Floats:
    """The input with the quarter that the map marks highest (or lowest) covered by its mean.

    Args:
        picture: (height, width), the input of the network.
        values: (rows, columns), its map.
        highest: cover the highest quarter, else the lowest.
    """
    large = enlarge(values, *picture.shape)
    quarter = max(1, large.size // 4)
    order = np.argsort(large, axis=None, kind="stable")
    covered = picture.copy()
    covered.flat[order[-quarter:] if highest else order[:quarter]] = picture.mean()
    return covered


def look_at_faces(
    network: FaceEmbedder, crops: NDArray[np.uint8], emotion: str
) -> list[Map] | None:
    """Maps of faces for *emotion*.

    Args:
        network: the face network.
        crops: (n, 96, 96, 3) RGB faces, at least one.
        emotion: a label of the fusion network.

    Returns:
        A map each, values (6, 6); None where the network knows no such emotion.

    Raises:
        ModelError: if the network's file gives no maps.
    """
    label = label_for(emotion, network.labels)
    if label is None:
        return None
    faces = preprocess(crops)
    logits, maps, weights = network.look(faces)
    chosen = network.labels.index(label)
    values = face_maps(maps, weights)[:, chosen]
    covered = [
        np.stack([hide(f[0], v, highest=h)[None] for f, v in zip(faces, values, strict=True)])
        for h in (True, False)
    ]
    hidden = [softmax(network.run(some)[1])[:, chosen] for some in covered]
    return _joined(label, values, logits, chosen, hidden)


def look_at_sound(
    network: VoiceEmbedder, log_mel: Floats, emotion: str, labels: tuple[str, ...]
) -> list[Map] | None:
    """Maps of windows of sound for *emotion*.

    Args:
        network: the voice network.
        log_mel: (n, 48, 64) as the network takes it, at least one window.
        emotion: a label of the fusion network.
        labels: the voice network's own.

    Returns:
        A map each, values (3, 4); None where the network knows no such emotion.

    Raises:
        ModelError: if the network's file gives no maps.
    """
    label = label_for(emotion, labels)
    if label is None:
        return None
    chosen = labels.index(label)
    logits, maps, length, weights = network.look(log_mel)
    values = voice_maps(maps, weights, length)[:, chosen]
    hidden = []
    for highest in (True, False):
        covered = [hide(w, v, highest=highest) for w, v in zip(log_mel, values, strict=True)]
        hidden.append(softmax(network.look(np.stack(covered))[0])[:, chosen])
    return _joined(label, values, logits, chosen, hidden)


def _joined(
    label: str, values: Floats, logits: Floats, chosen: int, hidden: list[Floats]
) -> list[Map]:
    scores = softmax(logits)[:, chosen]
    return [
        Map(label, v, float(logit[chosen]), float(s), float(high), float(low))
        for v, logit, s, high, low in zip(values, logits, scores, *hidden, strict=True)
    ]
