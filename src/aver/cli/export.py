"""`aver export`: a trained network as an ONNX file with its card."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from aver.cli.extras import needs_train


def export(
    run: Annotated[
        Path, typer.Argument(help="Folder that 'aver train' left, or its model.safetensors.")
    ],
    out: Annotated[Path, typer.Option("--out", help="ONNX file to write; its card goes beside.")],
    predictions: Annotated[
        Path | None,
        typer.Option(
            "--predictions", help="Predictions of this system, for the card; the run's own if none."
        ),
    ] = None,
    tolerance: Annotated[
        float,
        typer.Option("--tolerance", min=0.0, help="Greatest difference from torch in a logit."),
    ] = 1e-4,
    int8: Annotated[
        bool, typer.Option("--int8", help="Store weights with 8 bits: a quarter of the size.")
    ] = False,
) -> None:
    """Export a trained network to ONNX, checked against torch, with a card."""
    if out.suffix != ".onnx":
        raise typer.BadParameter(f"{str(out)!r} does not end in .onnx", param_hint="--out")
    with needs_train("exporting"):
        from aver.training.run_export import export_run
    done = export_run(run, out, predictions=predictions, tolerance=tolerance, int8=int8)
    typer.echo(f"{done.model}: differs from torch by {done.difference:.1e} on {done.clips} clips")
    typer.echo(f"{done.card}: its card")
