"""Recipes: TOML files that say what to train, on what, and how; typed, so a typo is an error.

A task adds itself with one decorator::

    class MyRecipe(RecipeBase):
        data: DataSettings = DataSettings()

    @register_task("my_task", MyRecipe)
    def train_my_task(recipe: MyRecipe, data_root: Path, out: Path) -> None: ...
"""

from __future__ import annotations

import difflib
import re
import tomllib
from collections.abc import Callable, Iterator, Mapping
from importlib import import_module
from pathlib import Path
from types import UnionType
from typing import Annotated, Any, ClassVar, TypeVar, Union, get_args, get_origin

from pydantic import BaseModel, ConfigDict, ValidationError

from aver.errors import RecipeError


class Settings(BaseModel):
    """Base of every settings table: unknown keys are refused, values are fixed once read."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class RecipeBase(Settings):
    """What every recipe carries.

    Attributes:
        task: registered name of the task.
        name: name of the result (weights, tables).
        description: one or two sentences for the table and the card.
        seed: seed of every random draw.
        makes_table: whether the task leaves its figures in ``OUT/<name>.csv``.
    """

    makes_table: ClassVar[bool] = False

    task: str
    name: str
    description: str = ""
    seed: int = 0


TaskFunction = Callable[[Any, Path, Path], None]
AnyTask = TypeVar("AnyTask", bound=TaskFunction)

_TASKS: dict[str, tuple[type[RecipeBase], TaskFunction]] = {}

# Where tasks live: a name is imported only when a recipe asks for it, because tasks import torch.
_HOMES: dict[str, str] = {
    "face_expression": "aver.training.face_expression",
    "voice_expression": "aver.training.voice_expression",
    "voice_expression_folds": "aver.training.voice_folds",
    "voice_expression_corpora": "aver.training.voice_corpora",
    "mater": "aver.training.mater_run",
    "late_fusion": "aver.training.late_fusion",
    "population": "aver.training.population",
    "voice_calibration": "aver.training.voice_calibration",
    "bench": "aver.training.bench_run",
    "joint_cnn": "aver.training.joint_cnn",
    "films": "aver.training.films",
    "valence_frames": "aver.training.valence_frames",
    "sound_events": "aver.training.sound_events",
}


def register_task(name: str, schema: type[RecipeBase]) -> Callable[[AnyTask], AnyTask]:
    """Register the decorated function as the task *name*, with *schema* as its recipe's type."""

    def keep(function: AnyTask) -> AnyTask:
        _TASKS[name] = (schema, function)
        return function

    return keep


def task_names() -> list[str]:
    """Names of all known tasks."""
    return sorted({*_HOMES, *_TASKS})


def _nearest(word: str, known: list[str]) -> str:
    close = difflib.get_close_matches(word, known, n=1, cutoff=0.5)
    return f"did you mean '{close[0]}'?" if close else f"known: {', '.join(sorted(known))}"


def find_task(name: str, source: str | Path = "recipe") -> tuple[type[RecipeBase], TaskFunction]:
    """The recipe type and the function of the task *name*.

    Raises:
        RecipeError: if there is no such task.
    """
    if name not in _TASKS and name in _HOMES:
        import_module(_HOMES[name])
    if name not in _TASKS:
        raise RecipeError(source, f"there is no task '{name}'", _nearest(name, task_names()))
    return _TASKS[name]


def load_recipe(path: str | Path) -> tuple[RecipeBase, TaskFunction]:
    """Read and check a recipe file.

    Raises:
        RecipeError: if the file cannot be read, is not TOML, names an unknown task or key (the
            message names the nearest known one), or holds a value out of range.
    """
    path = Path(path)
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise RecipeError(path, f"cannot be read ({error.strerror})", "Check the path") from error
    except UnicodeDecodeError as error:
        raise RecipeError(path, "is not UTF-8 text", "Is it a recipe?") from error
    except tomllib.TOMLDecodeError as error:
        raise RecipeError(path, f"is not TOML ({error})", "Mend that line") from error
    if not isinstance(table.get("task"), str):
        raise RecipeError(path, "names no task", f"Add task = one of {', '.join(task_names())}")
    schema, function = find_task(table["task"], path)
    try:
        return schema.model_validate(table), function
    except ValidationError as error:
        raise RecipeError(path, "; ".join(_explain(error, schema)), "") from error


def _explain(error: ValidationError, schema: type[BaseModel]) -> Iterator[str]:
    """One sentence for each problem pydantic found; each problem once."""
    told = set()
    for item in error.errors():
        where = _where(item["loc"])
        if item["type"] == "extra_forbidden":
            known = list(_fields_at(schema, item["loc"][:-1]))
            sentence = f"unknown key '{where}' ({_nearest(str(item['loc'][-1]), known)})"
        else:
            # What our own checks say comes with pydantic's words before it.
            said = item["msg"].removeprefix("Value error, ")
            said = f"{said[:1].lower()}{said[1:]}"
            sentence = f"'{where}': {said}" if where else said
            if item["type"] == "literal_error" and isinstance(item["input"], str):
                known = re.findall(r"'([^']*)'", item.get("ctx", {}).get("expected", ""))
                if close := difflib.get_close_matches(item["input"], known, n=1, cutoff=0.5):
                    sentence += f" (did you mean '{close[0]}'?)"
        if sentence not in told:
            told.add(sentence)
            yield sentence


def _where(location: tuple[int | str, ...]) -> str:
    """``systems[1].training.epochs``; tables of a list are counted from 1, as one reads them."""
    text = ""
    for part in location:
        text += f"[{part + 1}]" if isinstance(part, int) else f".{part}" if text else part
    return text


def _fields_at(schema: type[BaseModel], location: tuple[int | str, ...]) -> Mapping[str, Any]:
    """Fields of the table at *location*: inside tables, lists and mappings of tables, unions."""
    current: list[Any] = [schema]
    for part in location:
        found: list[Any] = []
        for kind in current:
            for candidate in _unfolded(kind):
                fields = getattr(candidate, "model_fields", None)
                if fields is not None:
                    found += [fields[part].annotation] if part in fields else []
                elif get_origin(candidate) in (list, tuple, set, frozenset):
                    found += get_args(candidate)[:1]
                elif get_origin(candidate) in (dict, Mapping):
                    found += get_args(candidate)[1:]
        # What pydantic names between (the kind of a union) is no step further down.
        current = found or current
    there: dict[str, Any] = {}
    for kind in current:
        for candidate in _unfolded(kind):
            there.update(getattr(candidate, "model_fields", {}))
    return there


def _unfolded(kind: Any) -> list[Any]:
    """The members of a union, what an annotation is of, or *kind* alone."""
    if get_origin(kind) is Annotated:
        return _unfolded(get_args(kind)[0])
    if get_origin(kind) in (Union, UnionType):
        return [part for member in get_args(kind) for part in _unfolded(member)]
    return [kind]
