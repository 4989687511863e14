"""Where network files lie on this machine, and how a missing one gets there.

Looked into in this order: the package's own weights, the folders of ``AVER_MODELS`` (one or
several, separated as in ``PATH``; they may be read-only), the user's cache folder. Only
:func:`fetch` touches the network, and only when somebody calls it.
"""

from __future__ import annotations

import errno
import hashlib
import os
import shutil
import sys
import tarfile
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from aver.errors import ModelError
from aver.pretrained.catalogue import CATALOGUE, Model, entry

PACKAGE = Path(__file__).resolve().parent
WEIGHTS = PACKAGE / "weights"
CARDS = PACKAGE / "cards"

_CHUNK = 1 << 16
_TIMEOUT_SECONDS = 30.0

Progress = Callable[[int, int], None]
"""Called with bytes so far and bytes in all."""


def user_folder() -> Path:
    """The user's own cache folder for networks, as the platform places caches. Not created."""
    home = Path.home()
    if sys.platform == "win32":
        base = Path(os.environ.get("LOCALAPPDATA") or home / "AppData" / "Local")
    elif sys.platform == "darwin":
        base = home / "Library" / "Caches"
    else:
        # The XDG base directory specification has relative values ignored.
        given = Path(os.environ.get("XDG_CACHE_HOME") or "")
        base = given if given.is_absolute() else home / ".cache"
    return base / "aver" / "models"


def folders() -> list[Path]:
    """Folders that are searched for networks that do not ship, first to last."""
    given = os.environ.get("AVER_MODELS", "")
    return [*(Path(part).expanduser() for part in given.split(os.pathsep) if part), user_folder()]


def candidates(model: Model) -> list[Path]:
    """Every place where *model*'s file would be found, first to last."""
    places = [folder / model.file for folder in folders()]
    return [WEIGHTS / model.file, *places] if model.shipped else places


def find(name: str) -> Path | None:
    """Path of the network's file, or None where it is not on this machine.

    A file of the wrong size (broken off, another version) does not count.

    Raises:
        ModelError: if no network has that name.
    """
    model = entry(name)
    for path in candidates(model):
        size = _size(path)
        if size is not None and (not model.size or size == model.size):
            return path
    return None


def path_of(name: str) -> Path:
    """Path of the network's file.

    Raises:
        ModelError: if no network has that name, or its file is not on this machine; the message
            says how to get it.
    """
    path = find(name)
    if path is not None:
        return path
    model = entry(name)
    wrong = next((p for p in candidates(model) if _size(p) is not None), None)
    problem = (
        f"{wrong} has {_size(wrong)} bytes where {model.size} are expected"
        if wrong is not None
        else "is not on this machine"
    )
    raise ModelError(name, problem, how_to_get(name))


def how_to_get(name: str) -> str:
    """One line on how to get the network, without a final full stop."""
    model = entry(name)
    if model.shipped:
        return "It ships with the package: install aver again"
    if model.weights_file:
        return f"Download {model.url}, then: aver models convert {name} {model.weights_file}"
    if not model.url:
        return f"Put {model.file} into a folder and set AVER_MODELS to it"
    return f"Get it with: aver models fetch {name}"


def list_models() -> list[Model]:
    """Every network of the catalogue: the shipped ones first."""
    return list(CATALOGUE.values())


def read_card(name: str) -> str:
    """The network's card, as Markdown: data, licence, protocol, scores, limits, forbidden uses.

    For a network that does not ship, the card is what the catalogue says of it; its maker's own
    page has the rest.

    Raises:
        ModelError: if no network has that name, or a shipped one has no card.
    """
    model = entry(name)
    if model.shipped:
        try:
            return (CARDS / f"{name}.md").read_text(encoding="utf-8")
        except OSError:
            raise ModelError(name, "has no card in this installation") from None
    source = model.url or "no address known"
    facts = f"- file: {model.file} ({model.size:,} bytes)\n- sha256: {model.sha256}\n"
    if model.weights_file:
        facts = (
            f"- file: {model.file}, made on this machine from {model.weights_file} "
            f"(aver models convert {name})\n"
            f"- sha256 of {model.weights_file}: {_stated(model.weights_sha256)}\n"
        )
    return (
        f"# {name}\n\n{model.what}.\n\nMade by {model.maker}. Licence: {model.licence}.\n"
        f"Not trained by this project, not shipped with it.\n\n{facts}- from: {source}\n"
    )


def _stated(sha256: str) -> str:
    if not sha256:
        return "not published"
    return sha256 if len(sha256) == 64 else f"begins with {sha256}"


def seen_subjects(name: str) -> frozenset[str]:
    """The people of known corpora that the network was trained on.

    Returns:
        ``corpus/subject`` each; ``corpus/*`` is everybody of a corpus. Empty where none of the
        corpora this project reads was used.

    Raises:
        ModelError: if no network has that name.
    """
    return entry(name).seen


def is_intact(name: str) -> bool:
    """Whether the file that :func:`path_of` finds has the pinned SHA-256 (shipped: is there).

    Raises:
        ModelError: if the network is unknown, not here, or its file cannot be read.
    """
    model, path = entry(name), path_of(name)
    if not model.sha256:
        return True
    try:
        return _sha256(path) == model.sha256
    except OSError as error:
        raise ModelError(name, f"{path} cannot be read ({error.strerror})") from error


def fetch(
    name: str,
    *,
    folder: Path | None = None,
    progress: Progress | None = None,
    timeout_seconds: float = _TIMEOUT_SECONDS,
) -> Path:
    """Download a network from its maker's address, check its SHA-256, and keep it.

    The file is written beside its final name and renamed when its hash is right, so that a
    broken download never looks like a network. A right file that is already there is kept.

    Args:
        name: the catalogue's name.
        folder: where to put it; the user's cache folder if None.
        progress: called with bytes so far and bytes in all.
        timeout_seconds: longest silence of the other side.

    Raises:
        ModelError: unknown name, nothing to download, no network, wrong hash, no space, or a
            folder that cannot be written.
    """
    model = entry(name)
    if model.shipped:
        return path_of(name)
    target = (user_folder() if folder is None else folder) / model.file
    if _size(target) == model.size and _sha256(target) == model.sha256:
        return target
    if model.weights_file:
        raise ModelError(name, "is made on this machine from its makers' weights", how_to_get(name))
    if not model.url:
        raise ModelError(name, "its maker gives no address to fetch it from", how_to_get(name))
    with _written_into(name, target.parent):
        target.parent.mkdir(parents=True, exist_ok=True)
        free = shutil.disk_usage(target.parent).free
        needed = model.download_size + (model.size if model.member else 0)
        if free < needed:
            raise ModelError(
                name,
                f"needs {needed:,} bytes, {target.parent} has {free:,} free",
                "Free some space or choose another folder with --to",
            )
        with _temporary(target) as part:
            _download(model, part, progress, timeout_seconds)
            if model.member:
                _check(model, part, model.archive_sha256)
                with _temporary(target) as unpacked:
                    _unpack(model, part, unpacked)
                    _check(model, unpacked, model.sha256)
                    unpacked.replace(target)
            else:
                _check(model, part, model.sha256)
                part.replace(target)
    return target


@contextmanager
def _temporary(target: Path) -> Iterator[Path]:
    part = target.with_name(f".{target.name}.{uuid.uuid4().hex[:8]}.part")
    try:
        yield part
    finally:
        part.unlink(missing_ok=True)


@contextmanager
def _written_into(name: str, folder: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        full = error.errno in {errno.ENOSPC, errno.EDQUOT}
        raise ModelError(
            name,
            f"{folder} {'is full' if full else 'cannot be written'} ({error.strerror or error})",
            "Free some space or choose another folder with --to"
            if full
            else "Choose a folder you may write to with --to",
        ) from error


def _download(model: Model, part: Path, progress: Progress | None, timeout: float) -> None:
    from http.client import HTTPException
    from urllib.error import HTTPError, URLError
    from urllib.request import Request, urlopen

    expected = model.download_size
    again = f"Check the connection and run again: aver models fetch {model.name}"
    request = Request(model.url, headers={"User-Agent": "aver"})
    with part.open("wb") as stream:
        done = 0
        while True:
            # Reading and writing fail with the same kinds of error and need different advice.
            try:
                if done == 0:
                    response: IO[bytes] = urlopen(request, timeout=timeout)
                chunk = response.read(_CHUNK)
            except HTTPError as error:
                raise ModelError(
                    model.name, f"{model.url} answers {error.code} {error.reason}", again
                ) from error
            except (URLError, HTTPException, OSError) as error:
                reason = getattr(error, "reason", None) or error
                raise ModelError(
                    model.name, f"{model.url} cannot be read ({reason})", again
                ) from error
            if not chunk:
                break
            stream.write(chunk)
            done += len(chunk)
            if progress is not None:
                progress(done, expected)
            if done > expected:
                break
    response.close()
    if done < expected:
        raise ModelError(
            model.name, f"the download broke off after {done:,} of {expected:,} bytes", again
        )


def _unpack(model: Model, archive: Path, target: Path) -> None:
    try:
        with tarfile.open(archive, "r:gz") as tar:
            member = tar.extractfile(model.member)
            if member is None:
                raise KeyError(model.member)
            with target.open("wb") as stream:
                shutil.copyfileobj(member, stream)
    except (tarfile.TarError, KeyError, EOFError) as error:
        raise ModelError(model.name, f"the archive does not hold it ({error})") from error


def _check(model: Model, path: Path, expected: str) -> None:
    found = _sha256(path)
    if found != expected:
        raise ModelError(
            model.name,
            f"what came from {model.url} has SHA-256 {found}, not the pinned {expected}; "
            "it was thrown away",
            "Do not use that file; look for a newer version of aver",
        )


def _sha256(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _size(path: Path) -> int | None:
    try:
        return path.stat().st_size if path.is_file() else None
    except OSError:
        return None
