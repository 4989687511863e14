"""Export the face network, and measure the exported file itself."""

from __future__ import annotations

import json
from collections.abc import Callable
from copy import deepcopy
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from aver.evaluation.calibration import expected_calibration_error, fit_temperature
from aver.evaluation.metrics import accuracy
from aver.evaluation.results import record, write_report
from aver.features.face_embedding import FaceEmbedder
from aver.labels import FER2013
from aver.models.face_expression import FaceExpressionNet
from aver.training.export import export_onnx
from aver.training.export_outputs import add_face_outputs
from aver.training.face_conditions import CONDITIONS
from aver.training.face_data import Faces, FaceSplit
from aver.training.face_report import card_tables, describe_data, rows

Floats = NDArray[np.float32]


def fold_norms(net: FaceExpressionNet) -> FaceExpressionNet:
    """A copy of *net* with every batch norm worked into the convolution before it.

    Done before the weights are rounded: afterwards their grid would be lost.
    """
    folded: FaceExpressionNet = deepcopy(net).eval()
    folded.to(memory_format=torch.contiguous_format)  # type: ignore[call-overload]
    for part in folded.modules():
        if (
            isinstance(part, nn.Sequential)
            and len(part) == 2
            and isinstance(part[0], nn.Conv2d)
            and isinstance(part[1], nn.BatchNorm2d)
        ):
            part[0], part[1] = fuse_conv_bn_eval(part[0], part[1]), nn.Identity()
    return folded


def export_face(net: FaceExpressionNet, path: Path, metadata: dict[str, str]) -> nn.Module:
    """Write *net* to *path*; return the torch network with the rounded weights that are in it."""
    generator = torch.Generator().manual_seed(0)
    example = torch.rand((3, 1, 48, 48), generator=generator)
    return export_onnx(
        fold_norms(net),
        (example,),
        path,
        inputs=["faces"],
        outputs=["embedding", "logits"],
        metadata={"labels": json.dumps(list(FER2013)), **metadata},
        further=add_face_outputs,
    )


def _prepare(faces: Faces) -> tuple[Floats, NDArray[np.int64]]:
    return faces.images.numpy().astype(np.float32) / 255.0, faces.labels.numpy()


def twins(of: Faces, among: Faces, correlation: float = 0.98) -> NDArray[np.bool_]:
    """Which faces of *of* have a near copy in *among*: correlated so much at 12 x 12 pixels.

    Returns:
        (len(of),) True where there is one.
    """

    def small(faces: Faces) -> Floats:
        blocks = faces.images.numpy().astype(np.float32).reshape(len(faces), 12, 4, 12, 4)
        flat = blocks.mean(axis=(2, 4)).reshape(len(faces), -1)
        flat -= flat.mean(axis=1, keepdims=True)
        norm = np.linalg.norm(flat, axis=1, keepdims=True)
        return np.asarray(flat / np.maximum(norm, 1e-6), dtype=np.float32)

    return np.asarray((small(of) @ small(among).T).max(axis=1) > correlation)


def measure(path: Path, split: FaceSplit) -> dict[str, Any]:
    """Figures of the exported file: the test part is looked at here and nowhere else.

    Returns:
        Accuracy, unweighted average recall, recall and precision per class, confusion matrix
        (rows: labels), temperature (fitted on validation) and calibration error before and after
        it, accuracy under each condition, on test faces without a near copy in train, and with
        the mean over a face and its mirror image.
    """
    embedder = FaceEmbedder(path)

    def scores(faces: Floats) -> Floats:
        return embedder.run(faces)[1]

    held, held_labels = _prepare(split.validation)
    faces, labels = _prepare(split.test)
    held_logits, logits = scores(held), scores(faces)
    temperature = fit_temperature(held_logits, held_labels)
    confusion = np.zeros((len(FER2013), len(FER2013)), dtype=int)
    np.add.at(confusion, (labels, logits.argmax(axis=1)), 1)
    recall = np.diag(confusion) / np.maximum(confusion.sum(axis=1), 1)
    precision = np.diag(confusion) / np.maximum(confusion.sum(axis=0), 1)
    alone = ~twins(split.test, split.train)
    mirrored = scores(np.ascontiguousarray(faces[..., ::-1]))
    return {
        "bytes": path.stat().st_size,
        "train_faces": len(split.train),
        "validation_faces": len(held_labels),
        "test_faces": len(labels),
        "validation_accuracy": accuracy(held_labels, held_logits.argmax(axis=1)),
        "test_accuracy": accuracy(labels, logits.argmax(axis=1)),
        "test_unweighted_average_recall": float(recall.mean()),
        "test_recall": dict(zip(FER2013, recall.tolist(), strict=True)),
        "test_precision": dict(zip(FER2013, precision.tolist(), strict=True)),
        "test_confusion": confusion.tolist(),
        "test_faces_without_twin": int(alone.sum()),
        "test_accuracy_without_twin": accuracy(labels[alone], logits[alone].argmax(axis=1))
        if alone.any()
        else float("nan"),
        "test_accuracy_mirror_mean": accuracy(labels, (logits + mirrored).argmax(axis=1)),
        "temperature": temperature,
        "test_calibration_error": expected_calibration_error(logits, labels),
        "test_calibration_error_tempered": expected_calibration_error(logits / temperature, labels),
        "test_accuracy_under": {
            name: accuracy(labels, scores(_changed(change, faces)).argmax(axis=1))
            for name, change in CONDITIONS.items()
        },
    }


def _changed(change: Callable[[NDArray[np.uint8]], NDArray[np.uint8]], faces: Floats) -> Floats:
    pictures = np.round(faces[:, 0] * 255).astype(np.uint8)
    return np.stack([change(p) for p in pictures])[:, None].astype(np.float32) / 255.0


def export_and_measure(
    net: FaceExpressionNet, recipe: Any, split: FaceSplit, corpus: Path, out: Path
) -> None:
    """Write ``face_expression.onnx``, ``report.json``, ``results.csv`` and ``card.md`` into *out*.

    The file is written twice: the temperature, fitted on the file's own answers for the
    validation part, goes into its metadata.
    """
    path = out / f"{recipe.name}.onnx"
    about = {"name": recipe.name, "description": recipe.description, "seed": str(recipe.seed)}
    export_face(net, path, about)
    held, labels = _prepare(split.validation)
    temperature = fit_temperature(FaceEmbedder(path).run(held)[1], labels)
    export_face(net, path, {**about, "temperature": f"{temperature:.4f}"})
    report = {
        "recipe": recipe.model_dump(mode="json"),
        **describe_data(corpus, recipe.data.validation_part),
        **measure(path, split),
    }
    write_report(out / "report.json", report)
    record(out / "results.csv", rows(report), packages=("torch", "lightning", "onnxruntime"))
    (out / "card.md").write_text(card_tables(report), encoding="utf-8")
