"""What a bench recipe works on: clips, labels, the split, and each stream's windows in memory."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from aver.corpora.leaks import refuse_seen
from aver.corpora.sounds import kept_sounds
from aver.corpora.splits import Split, make_split
from aver.errors import CorpusError
from aver.features.extractor import Extractor, Features, make_extractor
from aver.training.bench_clips import item_names, read_manifest_of, with_classes
from aver.training.bench_files import files_of, hash_of
from aver.training.bench_recipe import BenchRecipe, StreamFeatures

if TYPE_CHECKING:
    import pandas as pd

Floats = NDArray[np.float32]
Mask = NDArray[np.bool_]
Rows = NDArray[np.intp]
Tell = Callable[[str], None]

_TRANSFORMS: dict[str, Callable[[Floats], Floats]] = {
    "none": lambda x: x,
    "log1p": lambda x: np.sign(x) * np.log1p(np.abs(x)),
    "sqrt": lambda x: np.sign(x) * np.sqrt(np.abs(x)),
}


@dataclass(frozen=True, eq=False)
class Stream:
    """One stream of all clips.

    Attributes:
        values: (rows, windows, dimensions), zeros where not present.
        present: (rows, windows).
        identity: what the numbers depend on: extractor, version, settings, weights.
    """

    values: Floats
    present: Mask
    identity: str = ""

    @property
    def dimensions(self) -> int:
        """Width of a window."""
        return int(self.values.shape[2])

    @property
    def windows(self) -> int:
        """Windows of the longest clip."""
        return int(self.values.shape[1])


@dataclass(frozen=True, eq=False)
class BenchRows:
    """The clips of a recipe.

    Attributes:
        manifest: the rows, in the order of everything else.
        classes: names of the classes, in their order.
        labels: (rows,) class numbers.
        items: (rows,) a name for each clip, each once.
        subjects: (rows,) ``corpus/subject``.
        streams: by name.
        split: the folds.
        data_sha256: hash over the files used.
        remarks: what a reader of the figures should know.
    """

    manifest: pd.DataFrame
    classes: tuple[str, ...]
    labels: NDArray[np.intp]
    items: NDArray[Any]
    subjects: NDArray[Any]
    streams: dict[str, Stream]
    split: Split
    data_sha256: str
    remarks: tuple[str, ...] = ()

    def there(self, streams: Sequence[str]) -> Mask:
        """(rows,) whether a clip has a window of any of *streams*."""
        each = [self.streams[name].present.any(axis=1) for name in streams]
        return np.asarray(np.any(each, axis=0))


def load_rows(
    recipe: BenchRecipe,
    data_root: Path,
    out: Path,
    store: Path,
    *,
    streams: Iterable[str] | None = None,
    jobs: int = 1,
    tell: Tell = print,
) -> BenchRows:
    """List, split, extract.

    Args:
        recipe: what is asked for.
        data_root: folder of the corpora.
        out: folder where the data's hash is kept.
        store: folder of the feature store.
        streams: streams that are needed; all if None.
        jobs: processes that extract.
        tell: called with lines for the user.

    Raises:
        CorpusError: if the corpus or the split cannot be used, or an extractor has seen a person
            who is tested.
        RecipeError: if the recipe does not fit the corpus.
    """
    manifest = read_manifest_of(recipe, data_root)
    manifest, classes = with_classes(recipe, manifest)
    needed = [name for name in recipe.features if streams is None or name in set(streams)]
    extractors = {name: extractor_of(recipe.features[name], data_root) for name in needed}
    # Before anything is extracted, which may take hours.
    split = split_of(recipe, manifest, extractors.values(), out)
    loaded = {
        name: load_stream(name, recipe.features[name], extractor, manifest, store, jobs, tell)
        for name, extractor in extractors.items()
    }
    has = np.any([s.present.any(axis=1) for s in loaded.values()], axis=0)
    remarks: list[str] = []
    if not has.all():
        lost = [Path(file).name for file in manifest["file"][~has]]
        remarks.append(f"{len(lost)} clips without any feature left out ({_some(lost)})")
        manifest = manifest[has].reset_index(drop=True)
        loaded = {n: Stream(s.values[has], s.present[has], s.identity) for n, s in loaded.items()}
        split = split_of(recipe, manifest, extractors.values(), out)
    files = {file for x in extractors.values() for file in files_of(x, manifest)}
    if recipe.data.manifest:
        files.add(data_root / recipe.data.manifest)
    number = {name: place for place, name in enumerate(classes)}
    return BenchRows(
        manifest,
        classes,
        np.array([number[label] for label in manifest["label"]], np.intp),
        item_names(manifest),
        manifest["subject"].to_numpy(dtype=object),
        loaded,
        split,
        hash_of(files, out),
        (*split.remarks, *remarks),
    )


def split_of(
    recipe: BenchRecipe, manifest: pd.DataFrame, extractors: Iterable[Extractor], out: Path
) -> Split:
    """The recipe's folds of *manifest*, checked for leaks, also those through extractors.

    Raises:
        CorpusError: if something stands on both sides without a reason, or an extractor was
            trained on a person who is tested.
    """
    chosen = recipe.split
    if "by_sound" not in chosen.model_fields_set:
        # A table is made once: sounds are compared unless the recipe says not to.
        chosen = chosen.model_copy(update={"by_sound": True})
    with kept_sounds(out / "sounds.json"):
        split = make_split(manifest, chosen)
    subjects = manifest["subject"].to_numpy(dtype=object)
    tested = np.unique(np.concatenate([fold.test for fold in split.folds]))
    for extractor in extractors:
        refuse_seen(extractor.name, extractor.seen_subjects, set(subjects[tested].tolist()))
    return split


def extractor_of(stream: StreamFeatures, data_root: Path) -> Extractor:
    """The stream's extractor; files named in its settings are looked for under *data_root*."""
    settings = {
        key: str(data_root / value)
        if isinstance(value, str) and value and (data_root / value).is_file()
        else value
        for key, value in stream.settings.items()
    }
    return make_extractor(stream.extractor, **settings)


def load_stream(
    name: str,
    features: StreamFeatures,
    extractor: Extractor,
    manifest: pd.DataFrame,
    store: Path,
    jobs: int,
    tell: Tell,
) -> Stream:
    """The stream's features of all clips, from the store or extracted into it.

    Raises:
        CorpusError: if no clip has a value.
    """
    from aver.features.store import FeatureStore

    with progress_bar() as bar:
        task = bar.add_task(f"{name}: {extractor.name}", total=len(manifest))

        def progress(done: int, total: int) -> None:
            bar.update(task, completed=done, total=total)

        kept = FeatureStore(store, warn=tell)
        found = kept.load(manifest, extractor, jobs=jobs, progress=progress)
    failed = sum(one is None for one in found)
    if failed:
        tell(f"stream '{name}': {failed} of {len(found)} clips could not be measured")
    stream = stack(name, found, extractor.shape, tell)
    values = _TRANSFORMS[features.transform](stream.values)
    identity = {
        "extractor": extractor.name,
        "version": extractor.version,
        # Settings as the recipe has them: where a table lies does not matter, its hash does.
        "settings": {**extractor.settings.model_dump(mode="json"), **features.settings},
        "depends_on": dict(extractor.depends_on),
        "transform": features.transform,
    }
    return replace(
        stream, values=values, identity=json.dumps(identity, sort_keys=True, default=str)
    )


def progress_bar() -> Any:
    """A bar with the time left on standard error, where that is a terminal."""
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )

    console = Console(stderr=True)
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
        console=console,
        transient=True,
        disable=not console.is_terminal,
    )


def seen_by_extractors(
    recipe: BenchRecipe, streams: Iterable[str], data_root: Path
) -> frozenset[str]:
    """People whose labels any of the streams' extractors was trained on."""
    each = [extractor_of(recipe.features[name], data_root).seen_subjects for name in streams]
    return frozenset().union(*each)


def stack(
    name: str, found: Sequence[Features | None], shape: tuple[int, ...], tell: Tell = print
) -> Stream:
    """Features of several clips as one array; windows with values that are no numbers go missing.

    Raises:
        CorpusError: if no clip has a value, or clips differ in width.
    """
    width = int(np.prod(shape))
    windows = max((len(one) for one in found if one is not None), default=0)
    values = np.zeros((len(found), max(1, windows), width), np.float32)
    present = np.zeros(values.shape[:2], np.bool_)
    for row, one in enumerate(found):
        if one is None:
            continue
        flat = one.values.reshape(len(one), -1)
        if flat.shape[1] != width:
            raise CorpusError(
                f"stream '{name}'",
                f"clip {row} is {flat.shape[1]} wide, not {width}",
                "Extract again",
            )
        values[row, : len(one)], present[row, : len(one)] = flat, one.present
    broken = present & ~np.isfinite(values).all(axis=2)
    if broken.any():
        tell(
            f"stream '{name}': {int(broken.sum())} windows of {int(broken.any(axis=1).sum())} "
            "clips hold values that are no numbers; they count as missing"
        )
        present &= ~broken
    values[~present] = 0.0
    if not present.any():
        raise CorpusError(
            f"stream '{name}'",
            "no clip has a value",
            "Check that the extractor's files belong to these clips",
        )
    return Stream(values, present)


def _some(names: Sequence[str]) -> str:
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")
