"""Which clips a bench recipe is about, what they are called, and their classes."""

from __future__ import annotations

import difflib
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from aver.corpora import get_corpus, load_corpus
from aver.errors import RecipeError
from aver.features.extractor import extractor_class
from aver.training.bench_recipe import BenchRecipe

if TYPE_CHECKING:
    import pandas as pd


def read_manifest_of(recipe: BenchRecipe, data_root: Path) -> pd.DataFrame:
    """The recipe's clips, subjects as ``corpus/subject``, filtered by ``data.where``."""
    data = recipe.data
    if data.manifest:
        from aver.corpora.manifest import read_manifest

        read = {extractor_class(f.extractor).modality for f in recipe.features.values()}
        missing: Literal["refuse", "keep"] = "keep" if read == {"table"} else "refuse"
        manifest = read_manifest(data_root / data.manifest, missing=missing)
    else:
        root = data_root / (data.folder or data.corpus)
        manifest = load_corpus(data.corpus, root, **data.options)
    corpus = data.corpus or manifest.attrs.get("corpus", "")
    manifest = manifest.reset_index(drop=True)
    for column, wanted in data.where.items():
        if column not in manifest.columns:
            close = difflib.get_close_matches(column, list(manifest.columns), n=1)
            hint = f"Did you mean '{close[0]}'" if close else ""
            raise RecipeError(recipe.name, f"data.where: there is no column '{column}'", hint)
        kept = manifest[column].astype(str).isin([wanted] if isinstance(wanted, str) else wanted)
        if not kept.any():
            known = ", ".join(sorted(set(manifest[column].astype(str)))[:8])
            raise RecipeError(
                recipe.name, f"data.where leaves no clip: '{column}' has {known}", "Change it"
            )
        manifest = manifest[kept].reset_index(drop=True)
    if corpus:
        named = manifest["subject"].astype(str)
        prefix = f"{corpus}/"
        manifest["subject"] = named.where(named.str.contains("/") | (named == ""), prefix + named)
    return manifest


def with_classes(
    recipe: BenchRecipe, manifest: pd.DataFrame
) -> tuple[pd.DataFrame, tuple[str, ...]]:
    """The rows whose label is one of the classes, and the classes in order."""
    manifest = manifest.assign(label=manifest["label"].astype(str))
    occur = set(manifest["label"]) - {"", "nan"}
    wanted = recipe.data.classes
    absent = sorted(set(wanted) - occur)
    if absent:
        close = difflib.get_close_matches(absent[0], sorted(occur), n=1)
        hint = f"Did you mean '{close[0]}'" if close else f"There are: {', '.join(sorted(occur))}"
        raise RecipeError(recipe.name, f"no clip is labelled '{absent[0]}'", hint)
    if not wanted:
        corpus = recipe.data.corpus
        order = get_corpus(corpus).labels if corpus else ()
        rest = sorted(occur - set(order), key=lambda c: (not c.isdigit(), len(c) * c.isdigit(), c))
        wanted = (*(c for c in order if c in occur), *rest)
    if len(wanted) < 2:
        raise RecipeError(recipe.name, "the clips have fewer than two classes", "Check the labels")
    return manifest[manifest["label"].isin(wanted)].reset_index(drop=True), tuple(wanted)


def item_names(manifest: pd.DataFrame) -> NDArray[Any]:
    """A name for each row, each once: the file's stem where that does, else the recording."""
    stems = [Path(file).stem for file in manifest["file"]]
    starts = [f"{s}@{start:g}" for s, start in zip(stems, manifest["start"], strict=True)]
    numbered = [f"{stem}#{row}" for row, stem in enumerate(stems)]
    recordings = manifest["recording"].astype(str).tolist()
    for names in (stems, recordings, starts):
        if len(set(names)) == len(names) and "" not in names:
            return np.array(names, dtype=object)
    return np.array(numbered, dtype=object)
