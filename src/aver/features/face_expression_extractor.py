"""The shipped face network as an extractor: what the main face of a clip expresses."""

from __future__ import annotations

from collections.abc import Mapping

from aver.features.extractor import Clip, Extractor, Features, register_extractor
from aver.features.face_embedding import EMBEDDING, FaceEmbedder, window_embedding
from aver.features.faces_of_clip import FaceReader, FaceSettings
from aver.features.weights import file_hash, seen_by, weights_path


class FaceExpressionExtractorSettings(FaceSettings):
    """Settings of the extractor ``face_expression``; see also :class:`FaceSettings`.

    Attributes:
        network: name or path of the face network.
    """

    network: str = "face_expression"


@register_extractor("face_expression")
class FaceExpression(Extractor):
    """512-d embeddings, each the l2-normalised mean over a window's pictures (MATER, 2.1.1).

    Where several people are seen, the one seen longest counts; a window without that face is not
    present. See the network's card.
    """

    version = 1
    Settings = FaceExpressionExtractorSettings
    modality = "picture"
    ignored_settings = frozenset({"network", "detector"})

    def __init__(self, settings: FaceExpressionExtractorSettings | None = None):
        super().__init__(settings)
        self._faces = FaceReader(self.settings)
        self._embedder: FaceEmbedder | None = None

    @property
    def embedder(self) -> FaceEmbedder:
        """The network, loaded when first needed."""
        if self._embedder is None:
            self._embedder = FaceEmbedder(weights_path(self.settings.network))
        return self._embedder

    @property
    def shape(self) -> tuple[int, ...]:
        """(512,)."""
        return (EMBEDDING,)

    @property
    def seen_subjects(self) -> frozenset[str]:
        """Whom the network was trained on; see :func:`aver.features.weights.seen_by`."""
        return seen_by(self.settings.network, "face_expression", self.embedder.metadata)

    @property
    def depends_on(self) -> Mapping[str, str]:
        """Hash of the network, and which detector finds the faces."""
        return {
            "network": file_hash(weights_path(self.settings.network)),
            "detector": self._faces.detector.name,
        }

    def extract(self, clip: Clip) -> Features:
        """Values (windows, 512).

        Raises:
            MediaError: if the clip has no picture.
            ModelError: if the network or the detector is missing, or another one.
        """
        return self._faces.features(clip, self.embedder.embed, window_embedding, EMBEDDING)
