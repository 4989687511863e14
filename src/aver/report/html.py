"""The HTML report."""

from __future__ import annotations

from html import escape
from typing import BinaryIO

from aver.report.runs import file_name, printable
from aver.report.words import describe
from aver.timeline import Timeline


def write_html(timeline: Timeline, out: BinaryIO) -> None:
    """Write a self-contained page."""
    body = "".join(f"<p>{escape(sentence)}</p>" for sentence in describe(timeline))
    name = escape(printable(file_name(timeline)))
    out.write(f"<!doctype html><meta charset=utf-8><title>{name}</title>{body}".encode())
