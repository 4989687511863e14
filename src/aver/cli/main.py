"""The command `aver`: wires the commands together and turns errors into one line each."""

from __future__ import annotations

import os
import sys
from typing import Annotated

import typer

from aver._version import __version__
from aver.cli import (
    analyze,
    compare,
    corpus,
    evaluate,
    events,
    explain,
    export,
    extract,
    frames,
    live,
    models,
    reproduce,
    saliency,
    serve,
    split,
    train,
)
from aver.errors import AverError, one_line

app = typer.Typer(
    name="aver",
    help="Audio-visual emotion recognition on your own machine.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _show_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"aver {__version__}")
        raise typer.Exit


@app.callback()
def main(
    version: Annotated[
        bool,
        typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version."),
    ] = False,
) -> None:
    """Audio-visual emotion recognition on your own machine.

    Scores say which emotion a face or a voice *expresses*, with their uncertainty; they do not say
    what somebody feels. Not for hiring, policing, classrooms or medical decisions.
    """


app.command("analyze")(analyze.analyze)
app.command("explain")(explain.explain)
app.command("live")(live.live)
app.command("serve")(serve.serve)
app.command("extract")(extract.extract)
app.command("frames")(frames.frames)
app.command("saliency")(saliency.saliency)
app.command("split")(split.split)
app.command("train")(train.train)
app.command("reproduce")(reproduce.reproduce)
app.command("evaluate")(evaluate.evaluate)
app.command("export")(export.export)
app.command("compare")(compare.compare)
app.add_typer(corpus.app, name="corpus")
app.add_typer(events.app, name="events")
app.add_typer(models.app, name="models")


def run() -> None:
    """Entry point: exit code 0 all done, 1 some inputs failed, 2 wrong usage."""
    try:
        app()
    except AverError as error:
        typer.echo(f"aver: {error}", err=True)
        sys.exit(1)
    except KeyboardInterrupt:
        typer.echo("aver: stopped. Finished results were kept.", err=True)
        sys.exit(130)
    except BrokenPipeError:
        # The reader of our output went away (`aver ... | head`): nothing to tell anybody.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)
    except Exception as error:
        if os.environ.get("AVER_DEBUG"):
            raise
        report = "Please report it, with what AVER_DEBUG=1 prints"
        name = type(error).__name__
        typer.echo(f"aver: unexpected {name} ({one_line(error)}). {report}.", err=True)
        sys.exit(1)
