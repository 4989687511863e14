"""Table 3 of the masking transformer: which families of descriptors the masks weigh most."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import torch

from aver.errors import AverError
from aver.evaluation.mask_analysis import (
    FamilyCounts,
    attended_families,
    draw_families,
    family_table,
)
from aver.evaluation.results import Result
from aver.report.files import write_files, writer_of
from aver.training.films_data import FilmSet
from aver.training.films_recipe import FilmsRecipe, FilmSystem, MaskAnalysis
from aver.training.films_run import Runner
from aver.training.films_table import describe_data, titled, try_to_draw

Tell = Callable[[str], None]


def mask_rows(
    recipe: FilmsRecipe, targets: Sequence[FilmSet], out: Path, command: str, tell: Tell = print
) -> list[Result]:
    """Count families over all folds, write the table and its picture, and give its rows.

    The networks are those of the folds, trained again from their seed with what validation chose;
    the segments are those of the film left out. A row of the table is a system and a target,
    counts added over folds (and seeds).
    """
    analysis = recipe.masks
    assert analysis is not None
    counts: dict[str, list[FamilyCounts]] = {}
    rows: list[Result] = []
    for data in targets:
        for system in recipe.systems:
            if not system.mask:
                continue
            name = f"{system.name}, {data.target.name}"
            try:
                counts[name] = _count(recipe, analysis, data, system, out / "runs")
            except AverError as error:
                tell(f"mask analysis of {name}: {error}")
                continue
            rows += _rows(recipe, analysis, data, system, counts[name], command)
    if counts:
        table = family_table(counts)
        path = out / f"{recipe.name}_masks.csv"
        write_files([(path, writer_of(table.to_csv().encode()))])
        tell(f"Mask analysis: {path}")
        title = titled(recipe, "all folds")
        picture = path.with_suffix(".png")
        draw = partial(draw_families, table, picture, title=title)
        try_to_draw(draw, "the mask analysis", tell)
    return rows


def _count(
    recipe: FilmsRecipe, analysis: MaskAnalysis, data: FilmSet, system: FilmSystem, home: Path
) -> list[FamilyCounts]:
    names = data.names[analysis.stream]
    if names is None:
        raise AverError(
            "has no feature names",
            "Name the stream of emobase2010 in masks.stream",
            subject=f"stream '{analysis.stream}'",
        )
    runner = Runner(recipe, data, home)
    validation = analysis.validation
    found = []
    for seed in recipe.seeds:
        for left_out in range(len(data.films)):
            sides = runner.sides(left_out, validation, seed)
            choice, _ = runner.fold(system, validation, sides, seed)
            network: Any = runner.network(system, validation, sides, seed, choice.candidate)
            *_, test = runner.rows(recipe.streams_of(system), validation, sides, seed)
            found.append(
                attended_families(
                    network,
                    {key: torch.from_numpy(values) for key, values in test.streams.items()},
                    {key: torch.from_numpy(mask) for key, mask in test.masks.items()},
                    names,
                    mask=system.mask or "effective",
                    values=analysis.values,
                    share=analysis.share,
                    trace=analysis.trace,
                )
            )
    return found


def _rows(
    recipe: FilmsRecipe,
    analysis: MaskAnalysis,
    data: FilmSet,
    system: FilmSystem,
    counts: Sequence[FamilyCounts],
    command: str,
) -> list[Result]:
    table = family_table({"row": list(counts)}).loc["row"]
    total = sum(int(part.top.sum()) for part in counts)
    protocol = (
        f"mask '{system.mask}', largest {100 * analysis.share:g} % of the hidden dimensions by "
        f"absolute {analysis.values}, traced by '{analysis.trace}' weights of the first layer, "
        f"added over {len(counts)} folds ({analysis.validation} validation): {total} in all"
    )
    shorts = [name for name in table.index if not str(name).endswith(" expected")]
    return [
        Result(
            experiment=f"{recipe.name}/{data.target.name}/masks/{system.name}",
            metric=f"hidden_dimensions_{short}",
            value=float(str(table[short])),
            data=describe_data(recipe, data),
            protocol=f"{protocol}; by lot {table[f'{short} expected']:.1f}",
            command=command,
            seed=" ".join(str(seed) for seed in recipe.seeds),
            data_sha256=data.data_sha256,
        )
        for short in map(str, shorts)
    ]
