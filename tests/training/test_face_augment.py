import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from aver.training.face_augment import FaceAugmentSettings, _compress, _cosines, augment

NONE = FaceAugmentSettings(
    rotation=0,
    shift=0,
    tightest=1,
    loosest=1,
    stretch=0,
    light=0,
    low_resolution=0,
    blur=0,
    compression=0,
    noise=0,
    hidden=0,
)


def _generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def _faces(count: int = 16) -> torch.Tensor:
    return torch.rand((count, 1, 48, 48), generator=_generator(99))


@settings(max_examples=10, deadline=None)
@given(st.sampled_from([32, 40, 44, 48]), st.integers(0, 1000))
def test_faces_stay_in_range_and_get_the_size(size: int, seed: int) -> None:
    changed = augment(_faces(), size, FaceAugmentSettings(), _generator(seed))
    assert changed.shape == (16, 1, size, size)
    assert changed.min() >= 0
    assert changed.max() <= 1


def test_the_generator_alone_decides() -> None:
    some = FaceAugmentSettings()
    first = augment(_faces(), 44, some, _generator(1))
    assert torch.equal(first, augment(_faces(), 44, some, _generator(1)))
    assert not torch.equal(first, augment(_faces(), 44, some, _generator(2)))


def test_without_any_change_a_face_is_itself_or_its_mirror_image() -> None:
    faces = _faces(64)
    changed = augment(faces, 48, NONE, _generator())
    same = (changed - faces).abs().amax(dim=(1, 2, 3)) < 1e-4
    mirrored = (changed - faces.flip(3)).abs().amax(dim=(1, 2, 3)) < 1e-4
    assert (same ^ mirrored).all()
    assert 16 < int(mirrored.sum()) < 48


def test_the_input_is_left_alone() -> None:
    faces = _faces()
    before = faces.clone()
    augment(faces, 48, FaceAugmentSettings(hidden=1, noise=1, light=1), _generator())
    assert torch.equal(faces, before)


def test_hidden_covers_at_most_its_part() -> None:
    some = NONE.model_copy(update={"hidden": 1.0, "largest_hidden": 0.25})
    faces = _faces(64)
    changed = augment(faces, 48, some, _generator())
    off = torch.minimum((changed - faces).abs(), (changed - faces.flip(3)).abs()) > 1e-4
    part = off.float().mean(dim=(1, 2, 3))
    assert part.max() < 0.3
    assert part.mean() > 0.02


def test_a_tight_crop_shows_a_part() -> None:
    ramp = torch.linspace(0, 1, 48)[None, None, :, None].expand(32, 1, 48, 48)
    tight = NONE.model_copy(update={"tightest": 0.5, "loosest": 0.5})
    seen = augment(ramp.contiguous(), 48, tight, _generator())
    span = seen.amax(dim=(1, 2, 3)) - seen.amin(dim=(1, 2, 3))
    assert span == pytest.approx(0.5, abs=0.03)


def test_the_cosine_transform_is_orthonormal() -> None:
    assert torch.allclose(_cosines() @ _cosines().T, torch.eye(8), atol=1e-6)


def test_compression_keeps_a_flat_face_and_roughens_a_fine_one() -> None:
    flat = torch.full((4, 1, 48, 48), 0.5)
    assert (_compress(flat, _generator()) - flat).abs().max() < 0.02
    loss = (_compress(_faces(), _generator()) - _faces()).abs()
    assert loss.mean() > 0.02


def test_strength_shrinks_towards_nothing() -> None:
    some = FaceAugmentSettings(rotation=10, tightest=0.8, loosest=1.2, gamma=4, blur=0.2)
    assert some.scaled(1.0) == some
    half = some.scaled(0.5)
    assert (half.rotation, half.blur, half.gamma) == (5, 0.1, 2)
    assert (half.tightest, half.loosest) == pytest.approx((0.9, 1.1))
    assert some.scaled(0.0) == NONE.model_copy(update={"gamma": 1.0})
