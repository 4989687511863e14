"""Experiments 1 to 3 of the joint audio-image CNNs (task ``joint_cnn``).

Goswami, Aggarwal and Yalamanchi, "Emotion Detection using Audio and Video Detection", section 5:

    aver reproduce recipes/joint_cnn_experiment1.toml --data DATA --out OUT

Each network is trained on each division with each seed; what is done lies in ``OUT/runs`` and is
not done again, whichever recipe asks for it. Figures come into ``OUT/<recipe's name>.csv``,
predictions of all seeds into ``OUT/<name>/``, curves into ``OUT/<name>_curves.png``.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from itertools import product
from pathlib import Path

from aver.errors import AverError
from aver.evaluation.predictions import Predictions, write_predictions
from aver.evaluation.results import Result, record
from aver.models.joint_cnn_settings import NETWORKS
from aver.training.bench_data import progress_bar
from aver.training.joint_cnn_cost import Cost
from aver.training.joint_cnn_data import JointData, load_data
from aver.training.joint_cnn_picture import draw_curves
from aver.training.joint_cnn_recipe import JointCnnRecipe
from aver.training.joint_cnn_run import Place, Report, Runner
from aver.training.joint_cnn_table import (
    PACKAGES,
    Cell,
    cell_rows,
    comparison_rows,
    curve_rows,
)
from aver.training.recipe import register_task

COMMAND = "aver reproduce recipes/{name}.toml --data DATA --out OUT"


@register_task("joint_cnn", JointCnnRecipe)
def train_joint_cnn(recipe: JointCnnRecipe, data_root: Path, out: Path) -> None:
    """Run all networks on all divisions, and write the table.

    Raises:
        CorpusError: if the corpora cannot be used or divided.
        AverError: at the end, if some runs failed; the others' figures are there.
    """
    out.mkdir(parents=True, exist_ok=True)
    data = load_data(recipe, data_root, out, _tell)
    for remark in data.remarks:
        _tell(remark)
    cells, failed = run_all(data, out / "runs")
    command = COMMAND.format(name=recipe.name)
    rows: list[Result] = []
    for cell in cells:
        rows += cell_rows(data, cell, command)
        name = f"{cell.network}-{cell.split}-{cell.shares}.parquet"
        write_predictions(cell.predictions, out / recipe.name / name)
    rows += comparison_rows(data, cells, command)
    rows += _draw(data, cells, out / f"{recipe.name}_curves.png", command)
    if rows:
        record(out / f"{recipe.name}.csv", rows, packages=PACKAGES)
    if failed:
        raise AverError(
            f"{len(failed)} runs failed ({failed[0]})",
            "The others' figures are there; mend these and run again",
            subject=recipe.name,
        )


def run_all(data: JointData, home: Path) -> tuple[list[Cell], list[str]]:
    """All networks on all divisions; networks of a division one after the other.

    Returns:
        The cells of which every seed is there, and a line for each run that failed.
    """
    recipe = data.recipe
    runner = Runner(data, home)
    found: dict[tuple[str, str, str], list[tuple[Predictions, Report]]] = {}
    failed: list[str] = []
    leaks: dict[tuple[str, str], str] = {}
    costs: dict[tuple[str, str, str], Cost] = {}
    places = [
        Place(network, split, shares, seed)
        for shares, split, seed in product(recipe.shares, recipe.splits, recipe.seeds)
        for network in recipe.networks
    ]
    with progress_bar() as bar:
        task = bar.add_task("", total=len(places))
        for place in places:
            bar.update(task, description=str(place))
            leaks[place.split, place.shares] = runner.divided(place).division.leaks
            try:
                done = runner.run(place)
            except AverError as error:
                failed.append(str(error))
                _tell(str(error))
            else:
                key = (place.network, place.split, place.shares)
                found.setdefault(key, []).append(done)
                if key not in costs:
                    costs[key] = runner.cost(place)
                _tell(f"{place}: test accuracy {100 * done[1].accuracy['test']:.1f} %")
            bar.advance(task)
    cells = [
        Cell(network, split, shares, leaks[split, shares], seeds, costs[network, split, shares])
        for (network, split, shares), seeds in found.items()
        if len(seeds) == len(recipe.seeds)
    ]
    return cells, failed


def _draw(data: JointData, cells: Sequence[Cell], path: Path, command: str) -> list[Result]:
    """The picture of experiment 3, and its figures."""
    name = data.recipe.curves
    rows: list[Result] = []
    panels = {}
    for cell in cells:
        if cell.network != name or cell.shares != "80-10-10":
            continue
        curves = {
            head: [report.curves[head] for _, report in cell.seeds]
            for head in ("pair", *NETWORKS[name].heads)
        }
        rows += curve_rows(data, cell, curves, command)
        title = f"split '{cell.split}': it leaks" if cell.leaks else "by subjects, nothing leaks"
        panels[title] = curves
    if panels:
        try:
            draw_curves(panels, path, chance=1.0 / len(data.classes))
        except AverError as error:
            warnings.warn(f"no picture of the curves: {error}", stacklevel=2)
        else:
            _tell(f"Curves: {path}")
    return rows


def _tell(line: str) -> None:
    print(line, flush=True)
