import cv2
import numpy as np
import pytest
from faces import scenes

from aver import pretrained
from aver.errors import ModelError, SettingError
from aver.faces import Placement, cut, from_embed, make_describer
from aver.faces.describe import _SFACE_DOWN, _SFACE_SIDE, Describer, _framed, describe
from aver.faces.identity import People

ASTRONAUT, ACTOR = Placement(224, 120, 120), Placement(214, 136, 137)
# Five points of 112 x 112 to which SFace's faces are aligned (OpenCV, ArcFace).
ARCFACE = [[38.29, 51.70], [73.53, 51.50], [56.03, 71.74], [41.55, 92.37], [70.73, 92.20]]
FER = [[0.325, 0.390], [0.673, 0.388], [0.505, 0.576], [0.357, 0.740], [0.650, 0.734]]


def plain(name="test", same=0.9, stranger=0.5):
    return Describer(name, lambda image, _: image[0, 0].astype(np.float32), same, stranger)


def unit(*values):
    vector = np.array(values, np.float32)
    return vector / np.linalg.norm(vector)


def test_own_descriptor_knows_the_same_person_in_other_light_place_and_size():
    portrait = scenes.astronaut()
    here = describe(portrait.image, ASTRONAUT)
    assert np.linalg.norm(here) == pytest.approx(1, abs=1e-5)
    dimmer = (portrait.image * 0.85).astype(np.uint8)
    assert here @ describe(dimmer, ASTRONAUT) > 0.85
    smaller = cv2.resize(portrait.image, (384, 384), interpolation=cv2.INTER_AREA)
    assert here @ describe(smaller, ASTRONAUT.scaled(0.75)) > 0.85


def test_own_descriptor_tells_two_people_apart(shared):
    own = make_describer("own")
    astronaut = own.describe(scenes.astronaut().image, ASTRONAUT)
    views = [own.describe(scenes.actor(shared, k).image, ACTOR) for k in (0, 8, 16)]
    assert all(view @ astronaut < own.stranger for view in views)
    assert all(view @ views[0] > own.same_person for view in views)


def test_a_flat_picture_has_a_descriptor():
    flat = np.full((50, 50, 3), 90, np.uint8)
    assert np.isfinite(describe(flat, Placement(25, 25, 30))).all()


def test_ids_count_up_and_a_known_person_keeps_theirs():
    people = People(plain())
    assert people.recognise(unit(1, 0, 0), []) == 1
    assert people.recognise(unit(0, 1, 0), [1]) == 2
    assert people.recognise(unit(1, 0.1, 0), [1, 2]) == 1
    assert people.ids == [1, 2]
    # Somebody who is in the picture already cannot come in again.
    assert people.recognise(unit(1, 0, 0), [2]) == 3


def test_the_most_alike_of_several_is_taken():
    people = People(plain(same=0.5))
    people.recognise(unit(1, 0, 0), [])
    people.recognise(unit(0, 0, 1), [1])
    assert people.recognise(unit(0.7, 0, 1), [1, 2]) == 2


def test_memory_of_a_person_stays_constant():
    people = People(plain())
    people.recognise(unit(1, 0, 0), [])
    rng = np.random.default_rng(0)
    for _ in range(200):
        people.remember(1, unit(1, *rng.normal(0, 0.2, 2)))
    assert len(people._views[1]) == 6
    assert people.likeness(1, unit(1, 0, 0)) > 0.9


def test_half_way_views_are_not_kept():
    people = People(plain(same=0.9, stranger=0.5))
    people.recognise(unit(1, 0, 0), [])
    people.confirm(1, unit(1, 1, 0))  # 0.71: neither surely the same nor a stranger
    assert len(people._views[1]) == 1
    assert not people.is_same(1, unit(1, 1, 0))
    assert not people.is_stranger(1, unit(1, 1, 0))
    assert people.is_stranger(1, unit(0, 1, 0))


def test_an_embed_function_sees_the_crop():
    picture = scenes.astronaut().image
    seen = []

    def embed(crops):
        seen.append(crops)
        return np.array([[3.0, 4.0]])

    assert from_embed(embed).describe(picture, ASTRONAUT) == pytest.approx([0.6, 0.8])
    assert np.array_equal(seen[0][0], cut(picture, ASTRONAUT))


def test_auto_needs_no_network(monkeypatch, tmp_path):
    monkeypatch.setenv("AVER_MODELS", str(tmp_path))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert make_describer().name == "own"
    for name in ("sface", "dlib_resnet"):
        with pytest.raises(ModelError, match=f"aver models fetch {name}"):
            make_describer(name)


def test_unknown_describer():
    with pytest.raises(SettingError, match="'face_id' is no describer"):
        make_describer("face_id")


@pytest.mark.parametrize("name", ["sface", "dlib_resnet"])
def test_a_damaged_network_is_one_clear_line(monkeypatch, tmp_path, name):
    file = tmp_path / "damaged"
    file.write_bytes(b"no network" * 100)
    monkeypatch.setattr(pretrained, "path_of", lambda _: file)
    with pytest.raises(ModelError, match="cannot be read"):
        make_describer(name)


def test_faces_are_framed_for_sface_as_opencv_aligns_them():
    placement = Placement(300, 200, 100, 0.3)
    turn = np.array([[np.cos(0.3), -np.sin(0.3)], [np.sin(0.3), np.cos(0.3)]])
    points = (np.array(FER) - 0.5) * 100 @ turn.T + (300, 200)
    framed = _framed(placement, _SFACE_SIDE, _SFACE_DOWN).matrix(112)
    inside = np.c_[points, np.ones(5)] @ framed.T
    assert np.linalg.norm(inside - ARCFACE, axis=1).mean() < 4


def test_sface_is_fed_through_opencv(monkeypatch, tmp_path):
    """A stand-in network of SFace's shape: mean colour of each quarter, so the order counts."""
    onnx = pytest.importorskip("onnx")
    from onnx import TensorProto, helper

    nodes = [
        helper.make_node(
            "AveragePool", ["data"], ["pooled"], kernel_shape=[56, 56], strides=[56, 56]
        ),
        helper.make_node("Flatten", ["pooled"], ["fc1"]),
    ]
    graph = helper.make_graph(
        nodes,
        "stand_in",
        [helper.make_tensor_value_info("data", TensorProto.FLOAT, [1, 3, 112, 112])],
        [helper.make_tensor_value_info("fc1", TensorProto.FLOAT, [1, 12])],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    file = tmp_path / "sface.onnx"
    onnx.save(model, file)
    monkeypatch.setattr(pretrained, "path_of", lambda _: file)
    red = np.zeros((200, 200, 3), np.uint8)
    red[..., 0] = 200
    vector = make_describer("sface").describe(red, Placement(100, 100, 80))
    # Red comes first, as the network's own training had it.
    assert vector == pytest.approx([0.5] * 4 + [0.0] * 8, abs=1e-4)
