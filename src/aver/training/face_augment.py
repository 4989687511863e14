"""What real recordings do to faces, done to a whole batch at once.

Order as in the world: the picture is taken (light, low resolution, blur, compression, noise), then
found and cropped (mirrored, turned, moved, tight or loose), then partly hidden.
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from pydantic import Field
from torch import Tensor

from aver.training.recipe import Settings


class FaceAugmentSettings(Settings):
    """How much of what; a share is the part of the faces in a batch that it happens to.

    Attributes:
        rotation: standard deviation of the turn, degrees.
        shift: greatest shift, as a part of the face's side.
        tightest: smallest side of the crop, as a part of the image's side (< 1 cuts the face's
            border off).
        loosest: largest side of the crop (> 1 repeats the image's border).
        stretch: greatest change of the ratio of the sides.
        gamma: greatest gamma (and 1 over it the least).
        light: share of faces with changed brightness, contrast and a light from one side.
        low_resolution: share shrunk to 14 to 32 pixels and enlarged again.
        blur: share blurred, sigma 0.4 to 1.4 pixels.
        compression: share with 8 x 8 DCT blocks rounded as JPEG does.
        noise: share with Gaussian noise up to 0.05.
        hidden: share with a rectangle hidden.
        largest_hidden: greatest hidden part of the face's area.
    """

    rotation: float = Field(default=8.0, ge=0)
    shift: float = Field(default=0.08, ge=0)
    tightest: float = Field(default=0.72, gt=0)
    loosest: float = Field(default=1.15, gt=0)
    stretch: float = Field(default=0.1, ge=0)
    gamma: float = Field(default=1.6, ge=1)
    light: float = Field(default=0.4, ge=0, le=1)
    low_resolution: float = Field(default=0.1, ge=0, le=1)
    blur: float = Field(default=0.1, ge=0, le=1)
    compression: float = Field(default=0.15, ge=0, le=1)
    noise: float = Field(default=0.15, ge=0, le=1)
    hidden: float = Field(default=0.35, ge=0, le=1)
    largest_hidden: float = Field(default=0.25, gt=0, lt=1)

    def scaled(self, strength: float) -> FaceAugmentSettings:
        """These settings at *strength*: 1 leaves them, 0 leaves nothing but mirroring.

        Shares, angles and ways shrink in proportion, ratios (crops, gamma) towards 1.
        """
        proportional = ("rotation", "shift", "stretch", "light", "low_resolution", "blur")
        changed = {
            k: getattr(self, k) * strength
            for k in (*proportional, "compression", "noise", "hidden")
        }
        changed["tightest"] = 1 + (self.tightest - 1) * strength
        changed["loosest"] = 1 + (self.loosest - 1) * strength
        changed["gamma"] = self.gamma**strength
        return self.model_copy(update=changed)


def augment(
    faces: Tensor, size: int, settings: FaceAugmentSettings, generator: torch.Generator
) -> Tensor:
    """Change a batch of faces at random.

    Args:
        faces: (batch, 1, height, width) grey in [0, 1], sides multiples of 8.
        size: side of the faces returned.
        settings: how much of what.
        generator: source of all randomness; the same state gives the same faces.

    Returns:
        (batch, 1, size, size) grey in [0, 1].
    """
    faces = _light(faces, settings, generator)
    for share, change in (
        (settings.low_resolution, _low_resolution),
        (settings.blur, _blur),
        (settings.compression, _compress),
        (settings.noise, _noise),
    ):
        chosen = (torch.rand(len(faces), generator=generator) < share).nonzero()[:, 0]
        if len(chosen):
            faces = faces.index_copy(0, chosen, change(faces[chosen], generator))
    faces = _crop(faces, size, settings, generator)
    return _hide(faces.clamp(0.0, 1.0), settings, generator)


def _between(low: float, high: float, shape: tuple[int, ...], generator: torch.Generator) -> Tensor:
    return low + (high - low) * torch.rand(shape, generator=generator)


def _light(faces: Tensor, settings: FaceAugmentSettings, generator: torch.Generator) -> Tensor:
    count, _, height, width = faces.shape
    one = (count, 1, 1, 1)
    spread = math.log(settings.gamma)
    changed = faces.clamp(min=1e-3) ** _between(-spread, spread, one, generator).exp()
    rows = torch.linspace(-1, 1, height)[None, None, :, None]
    columns = torch.linspace(-1, 1, width)[None, None, None, :]
    angle = _between(-math.pi, math.pi, one, generator)
    ramp = rows * angle.sin() + columns * angle.cos()
    side = 1 + _between(0, 0.4, one, generator) * ramp
    contrast = _between(0.6, 1.4, one, generator)
    brightness = _between(-0.12, 0.12, one, generator)
    changed = ((changed * side - 0.5) * contrast + 0.5 + brightness).clamp(0.0, 1.0)
    return torch.where(torch.rand(one, generator=generator) < settings.light, changed, faces)


def _low_resolution(faces: Tensor, generator: torch.Generator) -> Tensor:
    side = int(torch.randint(14, 33, (1,), generator=generator))
    small = F.interpolate(faces, size=(side, side), mode="area")
    return F.interpolate(small, size=faces.shape[2:], mode="bilinear", align_corners=False)


def _blur(faces: Tensor, generator: torch.Generator) -> Tensor:
    sigma = float(_between(0.4, 1.4, (1,), generator))
    reach = math.ceil(2.5 * sigma)
    kernel = torch.exp(-0.5 * (torch.arange(-reach, reach + 1) / sigma) ** 2)
    kernel = (kernel / kernel.sum())[None, None, :, None]
    padded = F.pad(faces, (reach, reach, reach, reach), mode="replicate")
    return F.conv2d(F.conv2d(padded, kernel), kernel.transpose(2, 3))


def _cosines() -> Tensor:
    k, n = torch.meshgrid(torch.arange(8.0), torch.arange(8.0), indexing="ij")
    table = torch.cos(math.pi * (2 * n + 1) * k / 16) * 0.5
    table[0] /= math.sqrt(2)
    return table


def _compress(faces: Tensor, generator: torch.Generator) -> Tensor:
    """Round the DCT coefficients of 8 x 8 blocks, the higher the coarser, as JPEG does."""
    count, _, height, width = faces.shape
    dct = _cosines()
    frequency = torch.arange(8.0)[:, None] + torch.arange(8.0)[None, :]
    step = _between(0.02, 0.12, (count, 1, 1, 1, 1), generator) * (1 + frequency)
    blocks = faces.reshape(count, height // 8, 8, width // 8, 8).transpose(2, 3)
    rounded = torch.round(dct @ blocks @ dct.T / step) * step
    return (dct.T @ rounded @ dct).transpose(2, 3).reshape(faces.shape)


def _noise(faces: Tensor, generator: torch.Generator) -> Tensor:
    strength = _between(0, 0.05, (len(faces), 1, 1, 1), generator)
    return faces + strength * torch.randn(faces.shape, generator=generator)


def _crop(
    faces: Tensor, size: int, settings: FaceAugmentSettings, generator: torch.Generator
) -> Tensor:
    """Mirror, turn, move, stretch and scale in one resampling."""
    one = (len(faces),)
    angle = torch.randn(one, generator=generator).clamp(-2.5, 2.5) * math.radians(settings.rotation)
    side = _between(math.log(settings.tightest), math.log(settings.loosest), one, generator).exp()
    stretch = _between(-settings.stretch, settings.stretch, one, generator).exp()
    mirror = torch.where(torch.rand(one, generator=generator) < 0.5, -1.0, 1.0)
    # A tight crop may look anywhere in the image, a loose one keeps near its middle.
    room = (1 - side).clamp(min=0) + settings.shift * 2
    across, along = (_between(-1, 1, one, generator) * room for _ in range(2))
    sine, cosine = angle.sin() * side, angle.cos() * side
    theta = torch.stack(
        [
            torch.stack([cosine * mirror * stretch, -sine / stretch, across], dim=1),
            torch.stack([sine * mirror * stretch, cosine / stretch, along], dim=1),
        ],
        dim=1,
    )
    grid = F.affine_grid(theta, [len(faces), 1, size, size], align_corners=False)
    return F.grid_sample(faces, grid, mode="bilinear", padding_mode="border", align_corners=False)


def _hide(faces: Tensor, settings: FaceAugmentSettings, generator: torch.Generator) -> Tensor:
    count, _, height, width = faces.shape
    one = (count, 1, 1, 1)
    area = _between(0.02, settings.largest_hidden, one, generator)
    ratio = _between(-0.9, 0.9, one, generator).exp()
    tall, wide = (area * ratio).sqrt() * height, (area / ratio).sqrt() * width
    top, left = (torch.rand(one, generator=generator) for _ in range(2))
    rows = torch.arange(height)[None, None, :, None] - top * height + tall / 2
    columns = torch.arange(width)[None, None, None, :] - left * width + wide / 2
    inside = (rows >= 0) & (rows < tall) & (columns >= 0) & (columns < wide)
    inside &= torch.rand(one, generator=generator) < settings.hidden
    grain = 0.25 * torch.rand(one, generator=generator)
    cover = torch.rand(one, generator=generator) + grain * torch.randn(
        faces.shape, generator=generator
    )
    return torch.where(inside, cover.clamp(0.0, 1.0), faces)
