"""What the page for operators says is so."""

from __future__ import annotations

import re
from pathlib import Path

from aver.server.settings import ServerSettings

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "server_operation.md").read_text("utf-8")


def test_every_setting_is_explained_and_no_other():
    table = PAGE.split("## Settings")[1].split("## Limits")[0]
    rows = [line.split("|")[1] for line in table.splitlines() if line.startswith("| `")]
    told = [name for row in rows for name in re.findall(r"`(\w+)`", row)]
    assert sorted(told) == sorted(ServerSettings.model_fields)
    explained = re.findall(r"^        (\w+): ", ServerSettings.__doc__, re.MULTILINE)
    assert sorted(explained) == sorted(ServerSettings.model_fields)


def test_the_unit_and_the_image_set_settings_that_exist():
    for file in ("aver.service", "Dockerfile"):
        text = (ROOT / "deploy" / file).read_text("utf-8")
        names = re.findall(r"AVER_SERVER_([A-Z_]+)", text)
        assert names
        assert {name.lower() for name in names} <= set(ServerSettings.model_fields)
