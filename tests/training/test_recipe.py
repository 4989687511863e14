"""Recipes: a typo is an error that names the nearest known word."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import pytest
from pydantic import Field, model_validator

from aver.errors import RecipeError
from aver.training.recipe import RecipeBase, Settings, load_recipe, register_task


class Inner(Settings):
    learning_rate: float = Field(0.1, gt=0)
    epochs: int = 3


class Row(Settings):
    name: str
    schedule: Literal["constant", "cosine"] = "cosine"
    training: Inner | None = None


class Outer(RecipeBase):
    training: Inner = Inner()
    rows: tuple[Row, ...] = ()
    named: dict[str, Row] = Field(default_factory=dict)
    either: list[Annotated[Inner | Row, "one of two"]] = Field(default_factory=list)


@register_task("test_task", Outer)
def run(recipe: Outer, data_root: Path, out: Path) -> None:
    (out / "ran").write_text(f"{recipe.name} {recipe.training.learning_rate}")


class Checked(RecipeBase):
    @model_validator(mode="after")
    def _together(self) -> Checked:
        raise ValueError("the two do not go together")


register_task("checked", Checked)(run)


def write(folder: Path, text: str) -> Path:
    path = folder / "recipe.toml"
    path.write_text(text, encoding="utf-8")
    return path


def test_reads_and_runs(tmp_path):
    text = 'task = "test_task"\nname = "x"\n[training]\nlearning_rate = 0.5\n'
    recipe, function = load_recipe(write(tmp_path, text))
    function(recipe, tmp_path, tmp_path)
    assert (tmp_path / "ran").read_text() == "x 0.5"
    assert recipe.training.epochs == 3


ROWS = 'task = "test_task"\nname = "x"\n[[rows]]\nname = "a"\n'


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('task = "test_tsk"\nname = "x"', "did you mean 'test_task'"),
        ('name = "x"', "names no task"),
        ("task = [", "is not TOML"),
        (
            'task = "test_task"\nname = "x"\n[training]\nlerning_rate = 1',
            "unknown key 'training.lerning_rate' (did you mean 'learning_rate'?)",
        ),
        ('task = "test_task"\nname = "x"\nsede = 1', "did you mean 'seed'"),
        (
            'task = "test_task"\nname = "x"\n[training]\nlearning_rate = -1.0',
            "'training.learning_rate': input should be greater than 0",
        ),
        ('task = "test_task"', "'name': field required"),
        (
            ROWS + '[[rows]]\nname = "b"\nshedule = "cosine"',
            "unknown key 'rows[2].shedule' (did you mean 'schedule'?)",
        ),
        (
            ROWS + "[rows.training]\nepoch = 3",
            "unknown key 'rows[1].training.epoch' (did you mean 'epochs'?)",
        ),
        (
            ROWS + "[named.voice]\nname = 'v'\nnames = 'w'",
            "unknown key 'named.voice.names' (did you mean 'name'?)",
        ),
        (ROWS + "[named.voice.training]\nepoks = 1", "(did you mean 'epochs'?)"),
        (ROWS + "[[either]]\nepoks = 1", "(did you mean 'epochs'?)"),
        (
            ROWS + "schedule = 'cosin'",
            "'rows[1].schedule': input should be 'constant' or 'cosine' (did you mean 'cosine'?)",
        ),
    ],
)
def test_says_what_is_wrong_in_one_line(tmp_path, text, expected):
    path = write(tmp_path, text)
    with pytest.raises(RecipeError) as caught:
        load_recipe(path)
    message = str(caught.value)
    assert expected in message
    assert str(path) in message
    assert "\n" not in message


def test_missing_file_and_binary_file(tmp_path):
    with pytest.raises(RecipeError, match="cannot be read"):
        load_recipe(tmp_path / "none.toml")
    (tmp_path / "b.toml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(RecipeError, match="UTF-8"):
        load_recipe(tmp_path / "b.toml")


def test_every_shipped_recipe_is_valid():
    pytest.importorskip("torch")
    recipes = sorted((Path(__file__).parents[2] / "recipes").glob("*.toml"))
    assert recipes
    for path in recipes:
        recipe, _ = load_recipe(path)
        assert recipe.description, path


def test_what_a_recipe_says_of_itself_is_told_plainly(tmp_path):
    with pytest.raises(RecipeError, match=r"recipe.toml: the two do not go together\.$"):
        load_recipe(write(tmp_path, 'task = "checked"\nname = "x"\n'))
