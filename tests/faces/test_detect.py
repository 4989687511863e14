import math

import numpy as np
import pytest
from faces import scenes
from hypothesis import given
from hypothesis import strategies as st

from aver import pretrained
from aver.errors import ModelError, SettingError
from aver.faces import DlibDetector, YuNetDetector, make_detector, place
from aver.faces.detect import _margin, _probability
from aver.faces.match import overlap


@pytest.fixture
def no_models(monkeypatch, tmp_path):
    monkeypatch.setenv("AVER_MODELS", str(tmp_path))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    return tmp_path


def test_finds_the_astronauts_face_and_nothing_else(detector):
    portrait = scenes.astronaut()
    found = detector.detect(portrait.image)
    assert len(found) == 1
    assert overlap(found[0].box, portrait.box) > 0.6
    assert 0.5 < found[0].score <= 1.0


def test_yunet_gives_five_points_in_their_order(yunet_detector):
    found = yunet_detector.detect(scenes.astronaut().image)[0]
    left_eye, right_eye, nose, left_mouth, right_mouth = found.landmarks
    x, y, width, height = found.box
    assert all(x < px < x + width and y < py < y + height for px, py in found.landmarks)
    assert left_eye[0] < nose[0] < right_eye[0]
    assert left_mouth[0] < right_mouth[0]
    assert max(left_eye[1], right_eye[1]) < nose[1] < min(left_mouth[1], right_mouth[1])


def test_dlib_gives_no_points(dlib_detector):
    assert dlib_detector.detect(scenes.astronaut().image)[0].landmarks is None


def test_both_detectors_draw_the_same_box(dlib_detector, yunet_detector, shared):
    pictures = [scenes.actor(shared, k).image for k in (0, 7, 15)] + [scenes.astronaut().image]
    for picture in pictures:
        a, b = dlib_detector.detect(picture)[0], yunet_detector.detect(picture)[0]
        assert overlap(a.box, b.box) > 0.6
        assert 0.8 < place(a).side / place(b).side < 1.25


@pytest.mark.parametrize("shape", [(1, 1), (3, 4000), (4000, 3), (16, 16), (30, 500)])
def test_tiny_and_odd_pictures_hold_no_face(detector, shape):
    noise = np.random.default_rng(0).integers(0, 256, (*shape, 3), dtype=np.uint8)
    assert detector.detect(noise) == []


def test_no_face_is_an_empty_list(detector):
    assert detector.detect(scenes.empty()) == []
    assert detector.detect(np.zeros((240, 320, 3), np.uint8)) == []


def test_a_view_into_a_larger_array_is_read_as_it_looks(detector):
    picture = scenes.astronaut().image
    wide = np.zeros((512, 1024, 3), np.uint8)
    wide[:, 300:812] = picture
    assert overlap(detector.detect(wide[:, 300:812])[0].box, scenes.astronaut().box) > 0.6


def test_a_higher_threshold_finds_less(detector):
    picture = scenes.astronaut().image
    assert detector.detect(picture, threshold=0.999999) == []
    assert len(detector.detect(picture)) == 1


def test_scores_of_dlib():
    assert _probability(0.0) == 0.5
    assert _probability(math.log(3) / 2) == pytest.approx(0.75)


@given(st.floats(0.01, 0.99))
def test_threshold_and_score_of_dlib_are_inverse(score):
    assert _probability(_margin(score)) == pytest.approx(score)


def test_auto_falls_back_to_dlib_and_says_how_to_get_the_better_one(no_models):
    detector = make_detector("auto")
    assert isinstance(detector, DlibDetector)
    assert "aver models fetch yunet" in detector.advice
    assert "\n" not in detector.advice


def test_auto_takes_yunet_where_it_is(monkeypatch, yunet_file):
    monkeypatch.setenv("AVER_MODELS", str(yunet_file.parent))
    detector = make_detector()
    assert isinstance(detector, YuNetDetector)
    assert detector.advice == ""


def test_yunet_by_name_where_it_is_not(no_models):
    with pytest.raises(ModelError, match="aver models fetch yunet"):
        make_detector("yunet")


def test_a_damaged_yunet_is_one_clear_line(no_models):
    file = no_models / "yunet_n_640_640.onnx"
    file.write_bytes(bytes(pretrained.CATALOGUE["yunet"].size))
    with pytest.raises(ModelError, match="cannot be read as YuNet") as error:
        make_detector("yunet")
    assert str(file) in str(error.value)


def test_unknown_detector():
    with pytest.raises(SettingError, match="'haar' is no face detector"):
        make_detector("haar")
