import pytest
from typer.testing import CliRunner

from aver.cli.models import app
from aver.errors import ModelError
from aver.pretrained import CATALOGUE

run = CliRunner().invoke


@pytest.fixture(autouse=True)
def wide(monkeypatch):
    monkeypatch.setenv("COLUMNS", "300")


def test_list_names_every_network_and_how_to_get_it(user_cache):
    result = run(app, ["list"])
    assert result.exit_code == 0
    for name in CATALOGUE:
        assert name in result.output
    assert "aver models fetch yunet" in result.output


def test_list_cuts_no_file_name_in_a_narrow_terminal(user_cache, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    assert "…" not in run(app, ["list"]).output


def test_list_says_where_a_file_is(user_cache, offered):
    run(app, ["fetch", "yunet"])
    assert "yunet_n_640_640.onnx" in run(app, ["list"]).output


def test_show(user_cache, offered):
    result = run(app, ["show", "yunet"])
    assert result.exit_code == 0
    assert "Shiqi Yu" in result.output
    assert "not here" in result.output
    run(app, ["fetch", "yunet"])
    assert "SHA-256 as pinned" in run(app, ["show", "yunet"]).output


def test_show_tells_a_damaged_file(user_cache, offered):
    user_cache.mkdir(parents=True)
    (user_cache / "yunet_n_640_640.onnx").write_bytes(bytes(len(offered.body)))
    result = run(app, ["show", "yunet"])
    assert isinstance(result.exception, ModelError)
    assert "has not the pinned SHA-256" in str(result.exception)


def test_fetch_into_a_folder(user_cache, offered, tmp_path):
    result = run(app, ["fetch", "yunet", "--to", str(tmp_path / "mine")])
    assert result.exit_code == 0
    assert (tmp_path / "mine" / "yunet_n_640_640.onnx").read_bytes() == offered.body
    assert str(tmp_path / "mine") in result.output.replace("\n", "")


def test_a_failed_fetch_is_one_clear_error(user_cache, offered):
    offered.status = 500
    result = run(app, ["fetch", "yunet"])
    assert isinstance(result.exception, ModelError)
    assert result.exit_code == 1
    assert result.output == ""  # no bar is left beside the one line of the error


@pytest.mark.parametrize("command", [["show", "nobody"], ["fetch", "yunet", "nobody"]])
def test_an_unknown_name_is_wrong_usage(user_cache, command):
    result = run(app, command)
    assert result.exit_code == 2
    assert "nobody" in result.output
