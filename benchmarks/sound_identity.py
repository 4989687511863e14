"""Which sounds are taken for one: RAVDESS takes, and copies of some through lossy codecs.

Run: python benchmarks/sound_identity.py DATA [--record]     (DATA holds the folder ``ravdess``)

Every forty-eighth clip is put through MP3 (64 kbit/s), AAC (32), Opus (24) and FLAC. All clips and
copies are then compared as ``aver corpus check`` does, below and above its threshold.
"""

from __future__ import annotations

import argparse
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import av

from aver.corpora import identity_alike as alike
from aver.corpora import load_corpus
from aver.corpora.identity import Content, read_content
from aver.evaluation.results import Result, hash_files, record

ROOT = Path(__file__).resolve().parents[1]
TABLE = ROOT / "results" / "sound_identity.csv"
EVERY = 48
CODECS = {
    ".mp3": ("libmp3lame", 44_100, 64_000),
    ".m4a": ("aac", 22_050, 32_000),
    ".opus": ("libopus", 48_000, 24_000),
    ".flac": ("flac", 16_000, 0),
}


def encode(source: Path, target: Path) -> Path:
    """Put a clip through the codec of the target's suffix."""
    codec, rate, bits = CODECS[target.suffix]
    with av.open(str(source)) as read, av.open(str(target), "w") as write:
        stream = write.add_stream(codec, rate=rate)
        stream.layout = "mono"
        if bits:
            stream.bit_rate = bits
        resampler = av.AudioResampler(stream.codec_context.format, "mono", rate)
        frames = [g for f in [*read.decode(audio=0), None] for g in resampler.resample(f)]
        for frame in [*frames, None]:
            write.mux(stream.encode(frame))
    return target


def compare_all(takes: list[str], contents: list[Content]) -> dict[str, float]:
    """Largest share of differing bits within a take, smallest between takes, and numbers."""
    prints = [content.fingerprint for content in contents]
    best: dict[tuple[int, int], float] = {}
    for one, other, offset in alike.find_candidates(prints):
        first, second = prints[one], prints[other]
        assert first is not None
        assert second is not None
        errors = alike.compare(first, second, offset)
        best[one, other] = min(best.get((one, other), 1.0), errors)
    within = {pair: e for pair, e in best.items() if takes[pair[0]] == takes[pair[1]]}
    between = {pair: e for pair, e in best.items() if takes[pair[0]] != takes[pair[1]]}
    copies = {take for take in takes if takes.count(take) > 2}
    size = len(CODECS) + 1
    return {
        "copies_found_share": sum(e <= alike.MOST_ERRORS for e in within.values())
        / (len(copies) * size * (size - 1) / 2 + 1),
        "largest_share_of_differing_bits_within_a_take": max(within.values()),
        "smallest_share_of_differing_bits_between_takes": min(between.values()),
        "wrong_pairs": float(sum(e <= alike.MOST_ERRORS for e in between.values())),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path)
    parser.add_argument("--record", action="store_true")
    arguments = parser.parse_args()
    root = arguments.data / "ravdess"
    frame = load_corpus("ravdess", root, modality="audio")
    files = [Path(file) for file in frame["file"]]
    takes = frame["recording"].tolist()
    with tempfile.TemporaryDirectory() as folder:
        for number in range(0, len(frame), EVERY):
            for suffix in CODECS:
                files.append(encode(files[number], Path(folder, f"{files[number].stem}{suffix}")))
                takes.append(takes[number])
        with ThreadPoolExecutor(2) as pool:
            contents = list(pool.map(lambda file: read_content(file, fingerprint=True), files))
    originals = [content.sound_hash for content in contents[: len(frame)]]
    figures = {"different_sounds_by_hash": float(len(set(originals)))}
    figures |= compare_all(takes, contents)
    for name, value in figures.items():
        print(f"{name}: {value:.4g}")
    if arguments.record:
        copied = len(range(0, len(frame), EVERY))
        facts = {
            "data": f"RAVDESS speech, {len(frame)} clips, {copied} of them in four more codecs",
            "protocol": "candidates share a word of 32 bits; bits compared where both are heard",
            "command": "python benchmarks/sound_identity.py DATA --record",
            "data_sha256": hash_files(files[: len(frame)], root.resolve()),
        }
        rows = [Result("ravdess", name, value, **facts) for name, value in figures.items()]
        record(TABLE, rows, packages=("av", "numpy", "soxr"))


if __name__ == "__main__":
    main()
