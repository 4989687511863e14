"""Seven levels of valence, frame by frame (task ``valence_frames``): Table II of Fea-TF SCMA.

    aver frames FILMS --store DATA/frames -s resnet50 -s emobase2010_frames -s sound_semantics ...
    aver reproduce recipes/scma_table2.toml --data DATA --out OUT

It is the task ``films`` (:mod:`aver.training.films`) on frames: the same sides, sequences, search
and kept trainings, with features from the frame store and levels of every frame. Figures come into
``OUT/<recipe's name>.csv``, predictions into ``OUT/<name>/``, correct frames by sound event
(Figure 2) into ``OUT/<name>_events.csv`` and ``.png``. See ``docs/scma.md``.
"""

from __future__ import annotations

from pathlib import Path

from aver.errors import AverError
from aver.evaluation.results import Result, record
from aver.training.films import COMMAND, corpus_root, run_target
from aver.training.films_sides import leaks_of
from aver.training.films_table import PACKAGES
from aver.training.recipe import register_task
from aver.training.valence_frames_data import load_frame_films, measured_store, read_film_events
from aver.training.valence_frames_recipe import FramesRecipe
from aver.training.valence_frames_table import cell_rows, comparison_rows, event_rows


@register_task("valence_frames", FramesRecipe)
def run_valence_frames(recipe: FramesRecipe, data_root: Path, out: Path) -> None:
    """Run all systems, and write the table.

    Raises:
        CorpusError: if films, features or events cannot be used, or there is one film only.
        AverError: at the end, if some systems failed; the others' figures are there.
    """
    out.mkdir(parents=True, exist_ok=True)
    store = measured_store(recipe, data_root)
    root = corpus_root(recipe, data_root, out)
    data = load_frame_films(recipe, root, store, tell=_tell)
    # Before anything is trained, which takes longer.
    events = read_film_events(recipe, root, data_root, data.films) if recipe.figure_2 else {}
    command = COMMAND.format(name=recipe.name)
    cells, failed = run_target(recipe, data, out)
    rows: list[Result] = []
    for cell in cells:
        leak = leaks_of(data, cell.validation, recipe.validation_share, recipe.seeds[0])
        rows += cell_rows(recipe, data, cell, leak, command)
    rows += comparison_rows(recipe, data, cells, command)
    rows += event_rows(recipe, data, cells, events, out, command, _tell)
    if rows:
        record(out / f"{recipe.name}.csv", rows, packages=PACKAGES)
    if failed:
        raise AverError(
            f"{len(failed)} systems failed ({failed[0]})",
            "The others' figures are there; mend these and run again",
            subject=recipe.name,
        )


def _tell(line: str) -> None:
    print(line, flush=True)
