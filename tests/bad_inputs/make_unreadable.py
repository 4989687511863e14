"""Files that are no recordings, and files that name other files."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
from bad_inputs.recordings import (
    tone,
    write,
)
from bad_inputs.registry import maker

# ---- not a recording at all


@maker(refused=True)
def missing_file(folder: Path) -> Path:
    return folder / "not there.mp4"


@maker(refused=True)
def a_folder(folder: Path) -> Path:
    path = folder / "folder.mp4"
    path.mkdir()
    return path


@maker(refused=True)
def empty_file(folder: Path) -> Path:
    path = folder / "empty.mp4"
    path.touch()
    return path


@maker(refused=True)
def text_named_mp4(folder: Path) -> Path:
    path = folder / "notes.mp4"
    path.write_text("These are the minutes of the meeting.\n" * 50, encoding="utf-8")
    return path


@maker(refused=True)
def text_file(folder: Path) -> Path:
    path = folder / "notes.txt"
    path.write_text("A text is not shown as a picture of itself.\n" * 50, encoding="utf-8")
    return path


@maker(refused=True)
def noise_named_mp4(folder: Path) -> Path:
    path = folder / "noise.mp4"
    path.write_bytes(np.random.default_rng(0).bytes(20_000))
    return path


def named_pipe(folder: Path) -> Path:
    path = folder / "pipe.mp4"
    os.mkfifo(path)
    return path


if hasattr(os, "mkfifo"):
    maker(refused=True)(named_pipe)


@maker(refused=True)
def subtitles_only(folder: Path) -> Path:
    path = folder / "subtitles.srt"
    path.write_text("1\n00:00:00,000 --> 00:00:02,000\nHello.\n\n" * 3, encoding="utf-8")
    return path


def unreadable_file(folder: Path) -> Path:
    path = write(folder / "locked.wav", picture=None, sound=tone(), audio_codec="pcm_s16le")
    path.chmod(0)
    return path


if hasattr(os, "geteuid") and os.geteuid() != 0:  # root may read everything
    maker(refused=True)(unreadable_file)


# ---- files that name other files


@maker(refused=True)
def hls_playlist(folder: Path) -> Path:
    write(folder / "part.ts", sound=tone(), seconds=1)
    path = folder / "playlist.m3u8"
    path.write_text(
        "#EXTM3U\n#EXT-X-VERSION:3\n#EXT-X-TARGETDURATION:1\n#EXTINF:1.0,\npart.ts\n#EXT-X-ENDLIST\n"
    )
    return path


@maker(refused=True)
def concat_list(folder: Path) -> Path:
    other = write(folder / "other.mp4", sound=tone(), seconds=1)
    path = folder / "list.ffconcat"
    path.write_text(f"ffconcat version 1.0\nfile {other.name}\n")
    return path


@maker(refused=True)
def dash_manifest(folder: Path) -> Path:
    write(folder / "part.mp4", sound=tone(), seconds=1)
    path = folder / "manifest.mpd"
    path.write_text(
        '<?xml version="1.0"?>\n<MPD xmlns="urn:mpeg:dash:schema:mpd:2011" type="static" '
        'mediaPresentationDuration="PT1S" profiles="urn:mpeg:dash:profile:isoff-main:2011">'
        '<Period><AdaptationSet mimeType="video/mp4"><Representation id="1" bandwidth="1000">'
        "<BaseURL>part.mp4</BaseURL></Representation></AdaptationSet></Period></MPD>\n"
    )
    return path


@maker(refused=True)
def session_description(folder: Path) -> Path:
    path = folder / "stream.sdp"
    path.write_text(
        "v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nc=IN IP4 127.0.0.1\nt=0 0\nm=video 5004 RTP/AVP 96\n"
        "a=rtpmap:96 H264/90000\n"
    )
    return path
