"""Every code block of the documentation runs."""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
BLOCK = re.compile(r"^```(\w*)\n(.*?)^```", re.MULTILINE | re.DOTALL)
# Installing is what the CI script itself does with the README's own lines, before any test.
INSTALLING = (
    "pip ",
    "python3 -m venv",
    ". .venv",
    "git clone",
    "cd ",
    "pytest",
    "python -m pytest",
)


def blocks(*languages):
    for page in PAGES:
        for number, (language, code) in enumerate(BLOCK.findall(page.read_text("utf-8"))):
            if language in languages:
                yield pytest.param(code, id=f"{page.name}-{number}")


@pytest.fixture
def project(tmp_path):
    """A folder that looks like the project's root to a reader's commands."""
    for name in ("examples", "recipes"):
        shutil.copytree(ROOT / name, tmp_path / name)
    return tmp_path


@pytest.mark.parametrize("code", blocks("python"))
def test_python_block(code, project):
    if "aver.training" in code or "aver.models" in code:
        pytest.importorskip("torch")
    command = [sys.executable, "-W", "error::FutureWarning", "-c", code]
    done = subprocess.run(command, cwd=project, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("code", blocks("sh", "bash"))
def test_shell_block(code, project):
    for line in code.splitlines():
        if not line.strip() or line.startswith(("#", *INSTALLING)):
            continue
        words = shlex.split(line)
        assert words[0] == "aver", f"not run: {line}"
        command = [sys.executable, "-c", "from aver.cli.main import run; run()", *words[1:]]
        done = subprocess.run(command, cwd=project, capture_output=True, text=True, timeout=300)
        assert done.returncode == 0, done.stderr


def test_links_lead_somewhere():
    for page in PAGES:
        for target in re.findall(r"\]\(([^)#]+)", page.read_text("utf-8")):
            if not target.startswith(("http:", "https:")):
                assert (page.parent / target).exists(), f"{page.name}: {target}"
