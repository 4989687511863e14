"""Settings of the server: where they come from, what is refused."""

from __future__ import annotations

import pytest

from aver.errors import SettingError
from aver.server.settings import ServerSettings, load_settings

KEY = "0123456789abcdef"


def test_the_command_line_beats_the_environment_beats_the_file(tmp_path):
    file = tmp_path / "server.toml"
    file.write_text('port = 1\nworkers = 2\nallow_origins = ["https://a"]\nthreads = 3\n')
    environment = {
        "AVER_SERVER_PORT": "11",
        "AVER_SERVER_WORKERS": "12",
        "AVER_SERVER_RETENTION_HOURS": "none",
        "AVER_SERVER_ALLOW_ORIGINS": "https://b, https://c",
        "AVER_MODELS": "/elsewhere",
    }
    settings = load_settings(file, environment, port=21, workers=None)
    assert (settings.port, settings.workers, settings.threads) == (21, 12, 3)
    assert settings.retention_hours is None
    assert settings.allow_origins == ("https://b", "https://c")


def test_a_typo_names_the_nearest_setting():
    with pytest.raises(SettingError) as caught:
        load_settings(None, {"AVER_SERVER_RETENTION_HOUR": "1"})
    assert str(caught.value) == (
        "retention_hour: there is no such setting of the server. Did you mean retention_hours?"
    )


@pytest.mark.parametrize(
    ("chosen", "subject"),
    [
        ({"workers": -1}, "workers"),
        ({"port": 65536}, "port"),
        ({"max_pixels": "many"}, "max_pixels"),
        ({"detector": "best"}, "detector"),
        ({"retention_hours": 0}, "retention_hours"),
        ({"api_key": "short"}, "server"),
        ({"lease_seconds": 0.1}, "server"),
    ],
)
def test_values_out_of_range_are_refused(chosen, subject):
    with pytest.raises(SettingError) as caught:
        load_settings(None, {}, **chosen)
    assert caught.value.subject == subject


def test_files_that_are_none(tmp_path):
    for name, content in (("a.toml", b"port = ["), ("b.toml", b"\xff\xfe")):
        (tmp_path / name).write_bytes(content)
        with pytest.raises(SettingError, match="is not TOML"):
            load_settings(tmp_path / name)
    with pytest.raises(SettingError, match="cannot be read"):
        load_settings(tmp_path / "none.toml")


@pytest.mark.parametrize("host", ["127.0.0.1", "127.8.8.8", "::1", "[::1]", "localhost"])
def test_loopback_needs_no_key(host):
    assert load_settings(None, {}, host=host).is_loopback


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.5", "example.org", ""])
def test_elsewhere_needs_a_key_or_a_word(host):
    with pytest.raises(SettingError, match="api_key"):
        load_settings(None, {}, host=host)
    assert load_settings(None, {}, host=host, allow_open=True).host == host
    assert not load_settings(None, {}, host=host, api_key=KEY).is_loopback


def test_the_key_is_not_shown_and_not_handed_to_workers():
    settings = load_settings(None, {"AVER_SERVER_API_KEY": KEY}, host="0.0.0.0")
    assert settings.api_key.get_secret_value() == KEY
    assert KEY not in repr(settings)
    told = settings.for_workers()
    assert KEY not in told
    again = ServerSettings.model_validate_json(told)
    assert again.api_key is None
    assert again.max_pixels == settings.max_pixels
    assert again.store_url == settings.store_url
