"""What the first bytes of a file tell that FFmpeg does not: mostly why it cannot be read."""

from __future__ import annotations

HEAD_BYTES = 4096
_JPEG = b"\xff\xd8\xff"


def why_unreadable(head: bytes) -> tuple[str, str]:
    """Name the problem with a file that FFmpeg cannot open or decode, and the way out.

    Args:
        head: the first ``HEAD_BYTES`` of the file.
    """
    if head[4:8] in (b"ftyp", b"mdat", b"wide", b"free", b"skip"):
        return (
            "the index of this MP4 or MOV file is missing or damaged, so it cannot be read",
            "Copy it again from where it was recorded; it may have been cut off",
        )
    if head.startswith((b"#EXTM3U", b"ffconcat")) or b"<MPD" in head:
        return "this is a playlist that names other files", "Name those files themselves"
    if head.startswith(b"version https://git-lfs.github.com/spec/"):
        return (
            "this is a Git LFS pointer, not the recording itself",
            "Run 'git lfs pull' in the repository it came with",
        )
    if is_animated_webp(head):
        return "animated WebP cannot be decoded", "Convert it to GIF or MP4"
    if is_text(head):
        return "this is a text file, not a recording", "Name a video, sound or picture file"
    return (
        "this is not a recording that can be read: damaged, or of an unknown kind",
        "Check that it plays in a media player",
    )


def is_animated_webp(head: bytes) -> bool:
    """Whether the animation flag of a WebP file is set."""
    is_extended = head[:4] == b"RIFF" and head[8:16] == b"WEBPVP8X" and len(head) > 20
    return is_extended and bool(head[20] & 0x02)


def is_text(head: bytes) -> bool:
    """Whether these bytes are readable text (UTF-8)."""
    if b"\0" in head:
        return False
    try:
        head.decode("utf-8")
    except UnicodeDecodeError as error:
        # A character may be cut in two by the end of the head.
        return len(head) == HEAD_BYTES and error.start > len(head) - 4
    return True


def format_hint(head: bytes) -> str | None:
    """FFmpeg's name of the format of a file that it does not recognise when it is cut off."""
    return "jpeg_pipe" if head.startswith(_JPEG) else None


def stated_bytes(head: bytes) -> int | None:
    """Size that the header of a RIFF file (WAV, AVI) states; None where it states none."""
    if head[:4] != b"RIFF":
        return None
    size = int.from_bytes(head[4:8], "little")
    return None if size in (0, 0xFFFFFFFF) else size + 8
