"""`aver serve`: the API, the page and the workers, in one command."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from aver.cli.extras import needs
from aver.errors import SettingError

if TYPE_CHECKING:
    from aver.server.settings import ServerSettings

_LEVELS = ("debug", "info", "warning", "error")


def serve(
    config: Annotated[
        Path | None,
        typer.Option("--config", "-c", help="TOML file of settings.", dir_okay=False),
    ] = None,
    data: Annotated[
        Path | None,
        typer.Option(help="Folder for recordings and results [aver-server].", file_okay=False),
    ] = None,
    host: Annotated[str | None, typer.Option(help="Address to listen on [127.0.0.1].")] = None,
    port: Annotated[int | None, typer.Option(help="Port to listen on [8000].")] = None,
    workers: Annotated[
        int | None, typer.Option(help="Recordings analysed at a time [1].", min=0)
    ] = None,
    api_key_file: Annotated[
        Path | None,
        typer.Option(
            help="File that holds the key that every request must carry "
            "(or set AVER_SERVER_API_KEY).",
            dir_okay=False,
        ),
    ] = None,
    allow_open: Annotated[
        bool,
        typer.Option(
            "--allow-open", help="Listen on other addresses than this machine's without a key."
        ),
    ] = False,
    host_name: Annotated[
        list[str] | None,
        typer.Option(help="Name that the server answers to; may be given several times."),
    ] = None,
    origin: Annotated[
        list[str] | None,
        typer.Option(
            help="Site whose pages may use the server (CORS), as https://example.org; may be given "
            "several times. None by default."
        ),
    ] = None,
    trust_proxy: Annotated[
        str,
        typer.Option(help="Address of a proxy whose X-Forwarded headers are to be believed."),
    ] = "",
    log_level: Annotated[
        str, typer.Option(help=f"What is logged, as JSON on stderr: {', '.join(_LEVELS)}.")
    ] = "info",
    openapi: Annotated[
        bool, typer.Option("--openapi", help="Print the API's OpenAPI document and end.")
    ] = False,
) -> None:
    """Serve the API and the page: upload recordings, watch progress, see their timelines.

    Listens on this machine alone unless told otherwise, and then wants a key. Every setting can
    also stand in a TOML file or in the environment (AVER_SERVER_MAX_UPLOAD_BYTES for
    max_upload_bytes). Ctrl-C stops it; analyses that were running go on at the next start.
    """
    if log_level not in _LEVELS:
        raise typer.BadParameter(f"known: {', '.join(_LEVELS)}", param_hint="--log-level")
    with needs("the server", "serve"):
        from aver.server.settings import load_settings

        settings = load_settings(
            config,
            os.environ,
            data=data,
            host=host,
            port=port,
            workers=workers,
            api_key=_key(api_key_file),
            allow_open=allow_open or None,
            host_names=tuple(host_name) if host_name else None,
            allow_origins=tuple(origin) if origin else None,
        )
        if openapi:
            _print_document()
        else:
            _run(settings, trust_proxy, log_level)


def _run(settings: ServerSettings, trusted_proxies: str, log_level: str) -> None:
    from aver.server import logs
    from aver.server.app import create_app
    from aver.server.listen import Server, address, open_socket
    from aver.server.store import Store
    from aver.server.supervisor import Supervisor

    listening = open_socket(settings.host, settings.port)
    with listening:
        logs.set_up(log_level)
        store = Store(settings.store_url, busy_timeout_seconds=settings.busy_timeout_seconds)
        try:
            supervisor = Supervisor(settings, store)
            application = create_app(settings, store=store)
            application.state.services.workers = supervisor.status
            server = Server(application, settings, trusted_proxies)
            supervisor.start()
            try:
                where = address(listening)
                typer.echo(f"aver serves at {where} (data in {settings.data}). Ctrl-C stops it.")
                server.run(sockets=[listening])
            finally:
                supervisor.stop()
        finally:
            store.close()
    typer.echo("aver: stopped. Analyses that were not done go on at the next start.")


def _print_document() -> None:
    from tempfile import TemporaryDirectory

    from aver.server.app import create_app
    from aver.server.settings import ServerSettings

    with TemporaryDirectory() as folder:
        document: dict[str, Any] = create_app(ServerSettings(data=Path(folder))).openapi()
    typer.echo(json.dumps(document, indent=1, ensure_ascii=False))


def _key(path: Path | None) -> str | None:
    if path is None:
        return None
    try:
        key = path.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise SettingError("api_key_file", f"{path} cannot be read ({error})") from None
    if not key:
        raise SettingError("api_key_file", f"{path} is empty", "Put the key into it")
    return key
