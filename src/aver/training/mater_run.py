"""The task ``mater``: train, calibrate on held-out clips, export, report."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as functional
from numpy.typing import NDArray

from aver.evaluation.calibration import expected_calibration_error, fit_temperature
from aver.evaluation.intervals import bootstrap_over_subjects
from aver.evaluation.results import Result, record, write_report
from aver.labels import RAVDESS
from aver.models.mater import Mater
from aver.training import mater_data
from aver.training.export import export_onnx
from aver.training.export_outputs import add_attention_outputs
from aver.training.mater import MaterRecipe, fit, predict
from aver.training.mater_data import MaterClips
from aver.training.recipe import register_task

OUTPUTS = ("fused", "face", "voice")


@register_task("mater", MaterRecipe)
def train_mater(recipe: MaterRecipe, data_root: Path, out: Path) -> None:
    """Train; leaves ``mater.onnx``, ``report.json`` and, with held-out clips, ``mater.csv``.

    Raises:
        CorpusError: if a corpus is missing.
        ModelError: if a network is missing.
    """
    data = mater_data.load(recipe.data, recipe.model.windows, data_root, out, recipe.seed)
    network = fit(recipe, data.train, data.bank, out)
    report: dict[str, Any] = {"clips": len(data.train)}
    temperatures = dict.fromkeys(OUTPUTS, 1.0)
    if data.held_out is not None:
        for name, found in judge(network, data).items():
            report[name] = found
            temperatures[name] = found["temperature"]
        record(
            out / "mater.csv",
            rows_of(report, recipe),
            packages=("torch", "lightning", "onnxruntime", "numpy"),
        )
    metadata = {"labels": json.dumps(RAVDESS), "version": recipe.name}
    metadata |= {f"temperature_{k}": f"{v:.4f}" for k, v in temperatures.items()}
    if "fused" in report:
        error = report["fused"]["expected_calibration_error"]
        metadata["expected_calibration_error"] = f"{error:.4f}"
    export(network, recipe, out / "mater.onnx", metadata)
    write_report(out / "report.json", report)


def judge(network: Mater, data: MaterClips) -> dict[str, dict[str, Any]]:
    """What the outputs are worth on the held-out clips: scores, temperature, calibration."""
    assert data.held_out is not None
    logits = predict(network, data.held_out)
    if data.held_out_voice_logits is not None:
        # The voice network behind the shipped file has heard every actor. What it would say of
        # strangers comes from the fold networks instead.
        logits["voice"] = data.held_out_voice_logits
        logits["fused"] = (logits["face"] + logits["voice"]) / 2
    truth, subjects = data.held_out.labels, data.held_out.subjects
    found = {}
    for name, values in logits.items():
        rows = np.ones(len(truth), bool)
        if name == "face" and data.faces_lack:
            rows = ~np.isin(truth, data.faces_lack)
        found[name] = _worth(values[rows], truth[rows], subjects[rows])
    return found


def _worth(
    logits: NDArray[np.float32], truth: NDArray[np.int64], subjects: NDArray[np.str_]
) -> dict[str, Any]:
    temperature = fit_temperature(logits, truth)
    right = logits.argmax(1) == truth
    low, high = bootstrap_over_subjects(right.astype(float), subjects)
    groups: dict[str, float] = {}
    if all(s.startswith("ravdess/") for s in subjects.tolist()):
        women = np.array([int(s[-2:]) % 2 == 0 for s in subjects])  # even actors, as published
        groups = {"female": float(right[women].mean()), "male": float(right[~women].mean())}
    recall = {
        label: float(right[truth == i].mean())
        for i, label in enumerate(RAVDESS)
        if (truth == i).any()
    }
    return {
        "clips": len(truth),
        "accuracy": float(right.mean()),
        "accuracy_low": low,
        "accuracy_high": high,
        "unweighted_average_recall": float(np.mean(list(recall.values()))),
        "temperature": temperature,
        "expected_calibration_error_before": expected_calibration_error(logits, truth),
        "expected_calibration_error": expected_calibration_error(logits / temperature, truth),
        "recall": recall,
        "accuracy_by_sex": groups,
    }


def rows_of(report: dict[str, Any], recipe: MaterRecipe) -> list[Result]:
    """The report as rows of a result table."""
    if recipe.data.source == "composed":
        data = "RAVDESS voices with FER-2013 stills of the same class (composed clips)"
        protocol = "voices by fold networks that had not heard the actor; stills not trained on"
    else:
        data = f"true clips of {', '.join(recipe.data.corpora)}"
        protocol = f"held-out subjects {', '.join(recipe.data.held_out_subjects)}"
    rows = []
    for name in OUTPUTS:
        found = report[name]
        without = " without calm" if name == "face" and recipe.data.source == "composed" else ""
        for metric in (
            "accuracy",
            "unweighted_average_recall",
            "expected_calibration_error_before",
            "expected_calibration_error",
            "temperature",
        ):
            low: float | str = ""
            high: float | str = ""
            if metric == "accuracy":
                low, high = round(found["accuracy_low"], 4), round(found["accuracy_high"], 4)
            rows.append(
                Result(
                    f"mater/{name}",
                    metric,
                    round(found[metric], 4),
                    low=low,
                    high=high,
                    data=data + without,
                    protocol=protocol,
                    command=f"aver train recipes/{recipe.name}.toml --data DATA --out OUT",
                    seed=recipe.seed,
                )
            )
    return rows


def export(network: Mater, recipe: MaterRecipe, path: Path, metadata: dict[str, str]) -> None:
    """Write the network with its labels and temperatures."""
    width, windows = recipe.model.dimensions, recipe.model.windows
    random = torch.Generator().manual_seed(0)
    mask = torch.ones(2, windows, dtype=torch.bool)
    mask[1, 2:] = False
    face, voice = (
        functional.normalize(torch.randn(2, windows, width, generator=random), dim=-1)
        for _ in range(2)
    )
    export_onnx(
        network,
        (face, mask, voice, mask.flip(0)),
        path,
        inputs=["face", "face_mask", "voice", "voice_mask"],
        outputs=["fused", "face_logits", "voice_logits"],
        metadata=metadata,
        further=add_attention_outputs,
    )
