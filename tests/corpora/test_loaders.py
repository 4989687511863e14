"""The publishers' layouts, in small: names, tables and options read as they are defined."""

from __future__ import annotations

import pandas as pd
import pytest

from aver.corpora import COLUMNS, corpus_names, get_corpus, load_corpus
from aver.corpora.crema_d_votes import read_votes
from aver.corpora.ravdess import published_stems
from aver.corpora.savee import published_takes
from aver.errors import CorpusError


def touch(root, *names):
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"")
    return root


# RAVDESS


def test_ravdess_lists_speech_or_song_of_one_modality_or_any(tmp_path):
    stems = ["01-01-03-01-02-01-07", "02-01-03-01-02-01-07", "03-02-03-01-02-02-07"]
    touch(tmp_path, *(f"Actor_07/{s}.mp4" for s in stems[:2]), f"Actor_07/{stems[2]}.wav")
    assert load_corpus("ravdess", tmp_path)["modality"].tolist() == ["audio-video", "video"]
    song = load_corpus("ravdess", tmp_path, channel="song").iloc[0]
    assert (song.channel, song.statement, song.repetition, song.sex) == ("song", "dogs", 2, "male")
    seen = load_corpus("ravdess", tmp_path, channel="any", modality="video")
    assert seen["file"].str.endswith("02-01-03-01-02-01-07.mp4").tolist() == [True]
    assert load_corpus("ravdess", tmp_path, channel="any")["recording"].nunique() == 2


def test_ravdess_has_the_published_number_of_files():
    # Livingstone & Russo 2018: 7,356 files; 60 trials an actor spoken, 44 sung, actor 18 sings not.
    speech, song = published_stems("audio", "speech"), published_stems("video", "song")
    assert (len(speech), len(song)) == (1440, 1012)
    assert len(set(speech)) == 1440
    assert 3 * (1440 + 1012) == 7356
    assert not any(stem.endswith("-18") for stem in song)


def test_ravdess_knows_which_files_are_missing(tmp_path):
    touch(tmp_path, *(f"{stem}.wav" for stem in published_stems("audio", "speech")[5:]))
    corpus, frame = get_corpus("ravdess"), load_corpus("ravdess", tmp_path)
    assert corpus.missing(tmp_path, frame) == published_stems("audio", "speech")[:5]
    short = [count for count in corpus.published(frame) if count.published != count.found]
    # Of actor 1: four of neutral and the first of calm.
    assert [(c.what.split(": ")[1], c.published, c.found) for c in short] == [
        ("files", 1440, 1435),
        ("label neutral", 96, 92),
        ("label calm", 192, 191),
        ("actor 01", 60, 55),
    ]


# CREMA-D

PEOPLE = '"ActorID","Age","Sex","Race","Ethnicity"\n1001,51,"Male","Caucasian","Not Hispanic"\n'
CLIPS = ("1001_IEO_ANG_HI", "1001_IEO_SAD_LO", "1001_TIE_NEU_XX")


@pytest.fixture
def crema_d(tmp_path):
    touch(tmp_path, *(f"VideoFlash/{clip}.flv" for clip in CLIPS))
    touch(tmp_path, *(f"AudioWAV/{clip}.wav" for clip in CLIPS))
    (tmp_path / "VideoDemographics.csv").write_text(PEOPLE)
    return tmp_path


def write_tabulated(root):
    (root / "processedResults").mkdir()
    lines = ['"","A","D","F","H","N","S","fileName","numResponses","agreement","emoVote"']
    answers = {
        100_001: (1, 6, 0, 0, 2, 1),
        300_001: (7, 2, 0, 0, 1, 0),
        100_002: (0, 0, 0, 0, 4, 4),
    }
    for number, counts in answers.items():
        clip = CLIPS[number % 1000 - 1]
        lines.append(f'"{number}",{",".join(map(str, counts))},"{clip}",{sum(counts)},0.5,"D"')
    (root / "processedResults" / "tabulatedVotes.csv").write_text("\n".join(lines) + "\n")
    return root


def test_crema_d_names_tell_level_statement_and_actor(crema_d):
    frame = load_corpus("crema_d", crema_d, suffix="wav")
    first = frame.iloc[0]
    assert (first.label, first.intensity, first.statement) == ("angry", "high", "IEO")
    assert (first.sex, first.age, first.race, first.group) == ("male", 51, "Caucasian", "male")
    assert frame["intensity"].tolist() == ["high", "low", "unspecified"]
    assert frame["modality"].unique().tolist() == ["audio"]
    assert load_corpus("crema_d", crema_d)["recording"].nunique() == 3


def test_crema_d_table_of_actors_is_found_from_a_folder_of_clips(crema_d):
    assert load_corpus("crema_d", crema_d / "AudioWAV")["age"].tolist() == [51, 51, 51]


def test_crema_d_the_crowd_may_disagree_with_what_was_intended(crema_d):
    frame = load_corpus("crema_d", write_tabulated(crema_d), labels="crowd")
    told = frame.set_index("modality")[["recording", "label", "source_label"]]
    # Heard alone, 6 of 10 said disgust; seen and heard, 7 of 10 said anger. Four against four is
    # no answer, and the third clip has none.
    assert told.loc["audio"].tolist() == [CLIPS[0], "disgust", "ANG"]
    assert told.loc["audio-video"].tolist() == [CLIPS[0], "angry", "ANG"]
    assert frame.attrs["notes"] == ["4 clips without one most frequent answer"]
    heard = load_corpus("crema_d", crema_d, labels="crowd", votes="voice", suffix="flv")
    assert heard["label"].tolist() == ["disgust"]


def test_crema_d_votes_stand_beside_the_intended_label(crema_d):
    frame = load_corpus("crema_d", write_tabulated(crema_d), suffix="flv")
    assert frame["label"].tolist() == ["angry", "sad", "neutral"]
    assert frame["votes_voice_disgust"].tolist()[:2] == [6, 0]
    assert frame["agreement_multimodal"][0] == pytest.approx(0.7)
    assert frame["vote_voice"].tolist() == ["disgust", "neutral:sad", ""]


def test_crema_d_answers_are_counted_as_the_publishers_count_them(crema_d):
    head = "localid,pos,ans,ttr,queryType,numTries,clipNum,questNum,subType,clipName,sessionNums,"
    head += "respEmo,respLevel,dispEmo,dispVal,dispLevel\n"
    rows = [(1, 1, "A"), (2, 1, "A"), (3, 1, "N"), (4, 1, "N"), (5, 1, "N"), (1, 2, "S")]
    lines = [
        f"p{s},1,{e}_50,900,{kind},0,1,7,4,{CLIPS[0]},{s},{e},50,A,HI,80" for s, kind, e in rows
    ]
    (crema_d / "finishedResponses.csv").write_text(head + "\n".join(lines) + "\n")
    votes = read_votes(crema_d)[CLIPS[0]]
    assert (votes["vote_voice"], votes["vote_face"]) == ("neutral", "sad")
    # Two who said neutral clicked later than 10 s after the clip: left out.
    first = "localid,sessionNums,queryType,questNum,pos,ttr,numTries,clipNum,clipName\n"
    late = [f"p{s},{s},1,7,1,{ttr},0,1,x" for s, ttr in ((3, 10_001), (4, 12_000), (5, 10_000))]
    (crema_d / "finishedEmoResponses.csv").write_text(first + "\n".join(late) + "\n")
    votes = read_votes(crema_d)[CLIPS[0]]
    assert (votes["vote_voice"], votes["votes_voice_neutral"]) == ("angry", 1)


def test_crema_d_summary_tells_winners_only(crema_d):
    (crema_d / "summaryTable.csv").write_text(
        '"","FileName","VoiceVote","VoiceLevel","FaceVote","FaceLevel","MultiModalVote",'
        f'"MultiModalLevel"\n"1","{CLIPS[0]}","N","69.1","A:D","9:2","H","64.78"\n'
    )
    frame = load_corpus("crema_d", crema_d, labels="crowd")
    assert dict(zip(frame["modality"], frame["label"], strict=True)) == {
        "audio": "neutral",
        "audio-video": "happy",
    }


def test_crema_d_says_when_tables_are_missing_or_damaged(crema_d):
    with pytest.raises(CorpusError, match="no answers of the crowd"):
        load_corpus("crema_d", crema_d, labels="crowd")
    pointer = "version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 4\n"
    (crema_d / "finishedResponses.csv").write_text(pointer)
    with pytest.raises(CorpusError, match=r"finishedResponses\.csv: is not CREMA-D's"):
        load_corpus("crema_d", crema_d)
    (crema_d / "finishedResponses.csv").unlink()
    (crema_d / "VideoDemographics.csv").write_text("a,b\n1,2\n")
    with pytest.raises(CorpusError, match="table of actors"):
        load_corpus("crema_d", crema_d)


def test_crema_d_the_file_with_one_x_and_a_wrong_emotion(tmp_path):
    touch(tmp_path, "1040_ITH_SAD_X.wav")
    assert load_corpus("crema_d", tmp_path)["recording"].tolist() == ["1040_ITH_SAD_XX"]
    touch(tmp_path, "1040_ITH_SAT_XX.wav")
    with pytest.raises(CorpusError, match=r"the emotion 'SAT'.*Did you mean 'SAD'"):
        load_corpus("crema_d", tmp_path)


# SAVEE, EMO-DB


def test_savee_in_both_layouts_is_the_same_take(tmp_path):
    flat = touch(tmp_path / "flat", "DC_a01.wav", "JK_sa15.wav", "KL_su02.wav", "JE_n30.wav")
    tree = touch(tmp_path / "tree", "AudioData/DC/a01.wav", "AudioData/JK/sa15.wav")
    touch(tree, "AudioVisualClip/DC/a1.avi", "AudioData/Info.txt")
    frame = load_corpus("savee", flat)
    assert frame["label"].tolist() == ["angry", "neutral", "sad", "surprised"]
    assert frame["subject"].tolist() == ["DC", "JE", "JK", "KL"]
    frame = load_corpus("savee", tree)
    assert sorted(frame["recording"]) == ["DC_a01", "DC_a01", "JK_sa15"]
    assert load_corpus("savee", tree, modality="audio-video")["recording"].tolist() == ["DC_a01"]
    assert len(published_takes()) == 480


def test_savee_a_foreign_sound_is_named(tmp_path):
    touch(tmp_path, "DC/a01.wav", "XY/a01.wav")
    with pytest.raises(CorpusError, match=r"XY/a01\.wav: is not named as SAVEE"):
        load_corpus("savee", tmp_path)


def test_emo_db_reads_the_publishers_own_example(tmp_path):
    # "03a01Fa.wav": speaker 03, text a01, Freude, version a (Burkhardt et al. 2005).
    row = load_corpus("emo_db", touch(tmp_path, "wav/03a01Fa.wav")).iloc[0]
    assert (row.subject, row.label, row.statement, row.repetition) == ("03", "happy", "a01", "a")
    assert (row.sex, row.age, row.source_label) == ("male", 31, "F")


@pytest.mark.parametrize(
    ("name", "words"),
    [("03a01Xa", "emotion 'X'"), ("04a01Fa", "speaker '04'"), ("03a03Fa", "sentence 'a03'")],
)
def test_emo_db_names_outside_the_scheme_are_refused(tmp_path, name, words):
    with pytest.raises(CorpusError, match=words):
        load_corpus("emo_db", touch(tmp_path, f"{name}.wav"))


# ESC-50, ESC-10


@pytest.fixture
def esc50(tmp_path):
    head = "filename,fold,target,category,esc10,src_file,take\n"
    rows = ["1-100032-A-0.wav,1,0,dog,True,100032,A", "2-77-B-21.wav,2,21,sneezing,True,77,B"]
    rows += ["3-8-A-49.wav,3,49,hand_saw,False,8,A", "4-9-A-1.wav,4,1,rooster,True,9,A"]
    touch(tmp_path, *(f"audio/{row.split(',')[0]}" for row in rows[:3]))
    (tmp_path / "meta").mkdir()
    (tmp_path / "meta" / "esc50.csv").write_text(head + "\n".join(rows) + "\n")
    return tmp_path


def test_esc50_reads_its_table(esc50):
    frame = load_corpus("esc50", esc50)
    assert frame["label"].tolist() == ["dog", "sneezing", "hand_saw"]
    assert frame["category"].tolist() == ["animals", "human", "exterior"]
    assert frame["fold"].tolist() == ["1", "2", "3"]
    assert get_corpus("esc50").missing(esc50, frame) == ["4-9-A-1.wav"]
    assert len(get_corpus("esc50").labels) == 50


def test_esc10_is_part_of_esc50_under_its_own_names(esc50):
    frame = load_corpus("esc10", esc50)
    assert frame["label"].tolist() == ["dog bark", "person sneeze"]
    assert get_corpus("esc10").missing(esc50, frame) == ["4-9-A-1.wav"]


def test_parts_of_one_recording_stay_together(tmp_path):
    touch(tmp_path, "002 - Rain/1-17367-A.ogg", "002 - Rain/1-17367-B.ogg", "002 - Rain/2-5-A.ogg")
    frame = load_corpus("esc10", tmp_path)
    assert frame["recording"].tolist() == ["17367", "17367", "5"]
    assert frame["group"].tolist() == ["1", "1", "2"]


# Enjoyment


@pytest.fixture
def enjoyment(tmp_path):
    turns = ["P1_T1"] * 3 + ["P1_T2"] * 2 + ["P3_T1"] * 4
    pd.DataFrame({"turn": turns, "AU12": 0.5}).to_parquet(tmp_path / "frames.parquet")
    for name in ("egemaps.csv", "prosody.csv"):
        (tmp_path / name).write_text("filename,x\nP1_T1,1\nP1_T2,1\nP3_T1,1\n")
    (tmp_path / "labels.csv").write_text(
        "Coder,Participant,Overal,Turn 1,Turn 2\n"
        "Annot1,1,3,2,5\nAnnot2,1,3,4,5\nAnnot3,1,3,3,1\n"
        "Annot1,3,3,1,\nAnnot2,3,3,2,\nAnnot3,3,3,1,\n"
    )
    return tmp_path


def test_enjoyment_is_the_median_of_three(enjoyment):
    frame = load_corpus("enjoyment", enjoyment)
    assert frame["recording"].tolist() == ["P1_T1", "P1_T2", "P3_T1"]
    assert frame["label"].tolist() == ["3", "5", "1"]
    assert frame["frames"].tolist() == [3, 2, 4]
    assert frame["rating_annot2"].tolist() == [4, 5, 2]
    assert frame["subject"].tolist() == ["P1", "P1", "P3"]


def test_enjoyment_a_turn_without_a_rating_is_named(enjoyment):
    frames = pd.DataFrame({"turn": ["P1_T1", "P9_T1"]})
    frames.to_parquet(enjoyment / "frames.parquet")
    with pytest.raises(CorpusError, match="turn 'P9_T1' has no rating"):
        load_corpus("enjoyment", enjoyment)


def test_enjoyment_as_published(shared):
    frame = load_corpus("enjoyment", shared / "data" / "enjoyment")
    assert (len(frame), frame["subject"].nunique(), frame["frames"].sum()) == (590, 25, 117_025)
    assert frame["label"].value_counts().to_dict() == {
        "3": 296,
        "4": 184,
        "2": 87,
        "5": 12,
        "1": 11,
    }
    corpus = get_corpus("enjoyment")
    assert corpus.missing(shared / "data" / "enjoyment", frame) == []
    assert all(count.published == count.found for count in corpus.published(frame))


def test_the_three_clips_of_crema_d(shared):
    frame = load_corpus("crema_d", shared / "data" / "crema_d_sample")
    assert frame["label"].tolist() == ["angry", "happy", "neutral"]
    assert frame["statement"].unique().tolist() == ["DFA"]


# All


@pytest.mark.parametrize("name", sorted(set(corpus_names()) - {"folder"}))
def test_every_corpus_says_what_it_is_and_refuses_an_empty_folder(name, tmp_path):
    corpus = get_corpus(name)
    assert corpus.title
    assert corpus.labels
    assert corpus.published is not None
    with pytest.raises(CorpusError) as caught:
        load_corpus(name, tmp_path)
    assert str(tmp_path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_options_are_refused_with_the_nearest(tmp_path):
    with pytest.raises(CorpusError, match=r"no option 'chanel'\. Did you mean 'channel'\?"):
        load_corpus("ravdess", tmp_path, chanel="song")
    with pytest.raises(CorpusError, match=r"option 'channel' cannot be 'sung'.*'song'"):
        load_corpus("ravdess", tmp_path, channel="sung")
    with pytest.raises(CorpusError, match=r"no option 'channel'\. It has none"):
        load_corpus("nemo", tmp_path, channel="song")


def test_git_lfs_pointers_in_place_of_media_are_told(tmp_path):
    touch(tmp_path, "1001_DFA_ANG_XX.flv", "1001_DFA_HAP_XX.flv")
    pointer = "version https://git-lfs.github.com/spec/v1\noid sha256:1f\nsize 265922\n"
    (tmp_path / "1001_DFA_HAP_XX.flv").write_text(pointer)
    with pytest.raises(CorpusError, match=r"1 of 2 files are Git LFS pointers.*git lfs pull"):
        load_corpus("crema_d", tmp_path)


def test_a_root_that_is_none_is_told(tmp_path):
    with pytest.raises(CorpusError, match="no such folder"):
        load_corpus("ravdess", tmp_path / "nowhere")
    touch(tmp_path, "a.zip")
    with pytest.raises(CorpusError, match="is not a folder"):
        load_corpus("ravdess", tmp_path / "a.zip")


def test_archives_that_were_not_unpacked_are_told(tmp_path):
    touch(tmp_path, "Audio_Speech_Actors_01-24.zip")
    with pytest.raises(CorpusError, match=r"no RAVDESS speech\. Unpack Audio_Speech_Actors_01-24"):
        load_corpus("ravdess", tmp_path)


def test_every_table_begins_with_the_same_columns(esc50, enjoyment, tmp_path):
    for name in ("esc50", "esc10", "enjoyment"):
        assert tuple(load_corpus(name, tmp_path).columns[: len(COLUMNS)]) == COLUMNS
