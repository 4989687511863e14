"""Just enough Markdown for model cards: headings, lists, tables, paragraphs, emphasis, code.

Everything is escaped first; raw HTML in a card shows as text, and links as words, since the
report makes no reference to the network.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from html import escape

_HEADING = re.compile(r"(#{1,6})\s+(.*?)\s*#*$")
_BULLET = re.compile(r"\s*[-*+]\s+(.*)")
_NUMBER = re.compile(r"\s*\d+[.)]\s+(.*)")
_RULE = re.compile(r"\s*\|?\s*:?-+:?\s*(\|\s*:?-+:?\s*)*\|?\s*$")


def sections(markdown: str) -> list[tuple[str, str]]:
    """Split a card at its headings: pairs of heading and the text below, in order.

    Text before the first heading has an empty heading. Front matter between ``---`` is left out.
    """
    lines = markdown.replace("\r\n", "\n").split("\n")
    if lines and lines[0].strip() == "---" and "---" in (line.strip() for line in lines[1:]):
        end = next(i for i, line in enumerate(lines) if i and line.strip() == "---")
        lines = lines[end + 1 :]
    found: list[tuple[str, list[str]]] = [("", [])]
    fenced = False
    for line in lines:
        fenced ^= line.startswith("```")
        heading = None if fenced else _HEADING.match(line)
        if heading:
            found.append((heading[2], []))
        else:
            found[-1][1].append(line)
    return [(h, "\n".join(body).strip()) for h, body in found if h or "\n".join(body).strip()]


def to_html(markdown: str, heading_level: int = 3) -> str:
    """A card as HTML, all its headings at *heading_level*."""
    parts = []
    for heading, body in sections(markdown):
        if heading:
            parts.append(f"<h{heading_level}>{inline(heading)}</h{heading_level}>")
        parts.extend(_blocks(body.split("\n")))
    return "\n".join(parts)


def _blocks(lines: list[str]) -> Iterator[str]:
    at = 0
    while at < len(lines):
        line = lines[at]
        if not line.strip():
            at += 1
        elif line.startswith("```"):
            end = next(
                (i for i in range(at + 1, len(lines)) if lines[i].startswith("```")), len(lines)
            )
            yield f"<pre>{escape(chr(10).join(lines[at + 1 : end]))}</pre>"
            at = end + 1
        elif "|" in line and at + 1 < len(lines) and _RULE.match(lines[at + 1]):
            end = _end(lines, at + 2, lambda text: "|" in text)
            yield _table(line, lines[at + 2 : end])
            at = end
        elif pattern := next((p for p in (_BULLET, _NUMBER) if p.match(line)), None):
            end = _end(lines, at, lambda text: bool(text.strip()))
            yield _list(lines[at:end], pattern)
            at = end
        else:
            end = _end(lines, at + 1, lambda text: bool(text.strip()) and not _BULLET.match(text))
            yield f"<p>{inline(' '.join(lines[at:end]))}</p>"
            at = end


def _end(lines: list[str], at: int, belongs: Callable[[str], bool]) -> int:
    while at < len(lines) and belongs(lines[at]):
        at += 1
    return at


def _list(lines: list[str], pattern: re.Pattern[str]) -> str:
    items: list[str] = []
    for line in lines:
        match = pattern.match(line)
        if match:
            items.append(match[1])
        else:  # a longer item's next line
            items[-1] += " " + line.strip()
    tag = "ul" if pattern is _BULLET else "ol"
    return f"<{tag}>" + "".join(f"<li>{inline(item)}</li>" for item in items) + f"</{tag}>"


def _table(head: str, rows: list[str]) -> str:
    def cells(row: str) -> list[str]:
        return [inline(cell.strip()) for cell in row.strip().strip("|").split("|")]

    header = "".join(f'<th scope="col">{cell}</th>' for cell in cells(head))
    body = "".join(
        "<tr>" + "".join(f"<td>{cell}</td>" for cell in cells(row)) + "</tr>" for row in rows
    )
    table = f"<table><thead><tr>{header}</tr></thead><tbody>{body}</tbody></table>"
    return f'<div class="scroll">{table}</div>'


def inline(text: str) -> str:
    """One line of Markdown as escaped HTML: code, strong and emphasised words."""
    pieces = re.split(r"(`[^`]*`)", text)
    return "".join(
        f"<code>{escape(piece[1:-1])}</code>"
        if piece.startswith("`") and piece.endswith("`") and len(piece) > 1
        else _emphasis(piece)
        for piece in pieces
    )


def _emphasis(text: str) -> str:
    # A link's address stays readable as text; nothing in the report leads to the network.
    text = re.sub(r"!?\[([^\]]*)\]\(([^)\s]*)[^)]*\)", r"\1 (\2)", text)
    safe = escape(text)
    safe = re.sub(r"\*\*(\S(?:.*?\S)?)\*\*", r"<strong>\1</strong>", safe)
    return re.sub(r"(?<![\w*])\*(\S(?:[^*]*?\S)?)\*(?![\w*])", r"<em>\1</em>", safe)
