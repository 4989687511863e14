"""Classifiers of scikit-learn on pooled windows: the plain baselines of every table.

Each stream is averaged over the windows that a clip has (and, if asked, its standard deviation
set beside the mean), streams stand side by side, and every feature is brought to mean 0 and
spread 1 of the training rows. Where a clip lacks a stream, the training rows' mean stands in.
"""

from __future__ import annotations

import difflib
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from functools import partial
from typing import Annotated, Any, ClassVar, Literal, TypeVar

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, ValidationError

from aver.errors import SettingError
from aver.models.registry import explain
from aver.training.recipe import Settings

Floats = NDArray[np.float32]
Scores = NDArray[np.float64]


class EstimatorSettings(Settings):
    """What all estimators share.

    Attributes:
        spread: the standard deviation over the windows beside the mean.
        balanced: weigh classes by the inverse of their share of the training rows.
        stream_weights: factor on a stream's standardised features, 1 where none is given; with a
            penalty, a smaller factor holds that stream's weights down more.
    """

    spread: bool = False
    balanced: bool = False
    stream_weights: dict[str, Annotated[float, Field(gt=0)]] = Field(default_factory=dict)


class Estimator(ABC):
    """A classifier of feature rows.

    Args:
        settings: an instance of the class's ``Settings``.
    """

    Settings: ClassVar[type[EstimatorSettings]]

    def __init__(self, settings: Any):
        self.settings = settings
        self._model: Any = None
        self.factors: Floats | None = None
        """(features,) factors on standardised features, or None."""

    def fit(
        self, rows: Floats, labels: NDArray[np.intp], subjects: NDArray[Any], seed: int
    ) -> Estimator:
        """Train.

        Args:
            rows: (items, features), NaN where a stream is missing.
            labels: (items,) numbers of the classes.
            subjects: (items,) who is heard or seen.
            seed: of every random draw.
        """
        self._model = self._make(rows, labels, subjects, seed)
        return self

    def predict(self, rows: Floats, classes: int) -> Scores:
        """Probabilities (items, classes); classes without a training row get 0."""
        scores = np.zeros((len(rows), classes))
        if len(rows):
            scores[:, self._model.classes_] = self._model.predict_proba(rows)
        total: Scores = scores.sum(axis=1, keepdims=True)
        return np.asarray(scores / total)

    @abstractmethod
    def _make(
        self, rows: Floats, labels: NDArray[np.intp], subjects: NDArray[Any], seed: int
    ) -> Any:
        """A fitted model with ``classes_`` and ``predict_proba``."""

    def _standardised(self, model: Any) -> Any:
        """*model* behind means for what is missing, spread 1, and the streams' factors."""
        from sklearn.impute import SimpleImputer
        from sklearn.pipeline import make_pipeline
        from sklearn.preprocessing import FunctionTransformer, StandardScaler

        filled, scaled = SimpleImputer(keep_empty_features=True), StandardScaler()
        if self.factors is None:
            return make_pipeline(filled, scaled, model)
        weighed = FunctionTransformer(partial(_times, self.factors))
        return make_pipeline(filled, scaled, weighed, model)

    @property
    def _weights(self) -> str | None:
        return "balanced" if self.settings.balanced else None


AnyEstimator = TypeVar("AnyEstimator", bound=type[Estimator])

_ESTIMATORS: dict[str, type[Estimator]] = {}


def register_estimator(name: str) -> Callable[[AnyEstimator], AnyEstimator]:
    """Register the decorated class as the estimator *name*."""

    def keep(kind: AnyEstimator) -> AnyEstimator:
        _ESTIMATORS[name] = kind
        return kind

    return keep


def estimator_names() -> list[str]:
    """Names of all known estimators."""
    return sorted(_ESTIMATORS)


def make_estimator(name: str, settings: Mapping[str, Any]) -> Estimator:
    """Build the estimator *name*.

    Raises:
        SettingError: if there is none, or it has no such setting; the nearest known is named.
    """
    if name not in _ESTIMATORS:
        close = difflib.get_close_matches(name, estimator_names(), n=1)
        hint = f"Did you mean '{close[0]}'" if close else f"Known: {', '.join(estimator_names())}"
        raise SettingError(name, "is not a known estimator", hint)
    kind = _ESTIMATORS[name]
    try:
        return kind(kind.Settings.model_validate(dict(settings)))
    except ValidationError as error:
        raise SettingError(name, explain(error, list(kind.Settings.model_fields))) from None


def _times(factors: Floats, rows: Floats) -> Floats:
    return np.asarray(rows * factors)


def pool_windows(values: Floats, present: NDArray[np.bool_], spread: bool = False) -> Floats:
    """Mean over the windows there are, and the standard deviation beside it.

    Args:
        values: (items, windows, features), zeros where not present.
        present: (items, windows).
        spread: with the standard deviation.

    Returns:
        (items, features) or (items, 2 * features); NaN rows where an item has no window.
    """
    weight = present[:, :, None].astype(np.float32)
    count = weight.sum(axis=1)
    count[count == 0] = np.nan
    mean = (values * weight).sum(axis=1) / count
    if not spread:
        return np.asarray(mean, np.float32)
    variance = ((values - np.nan_to_num(mean)[:, None, :]) ** 2 * weight).sum(axis=1) / count
    return np.concatenate([mean, np.sqrt(variance)], axis=1, dtype=np.float32)


class LogisticRegressionSettings(EstimatorSettings):
    """Settings of ``logistic_regression``.

    Attributes:
        regularisation: scikit-learn's C, the inverse strength of the squared penalty.
    """

    regularisation: float = Field(1.0, gt=0)


@register_estimator("logistic_regression")
class LogisticRegressionEstimator(Estimator):
    """Multinomial logistic regression with a squared penalty."""

    Settings = LogisticRegressionSettings

    def _make(
        self, rows: Floats, labels: NDArray[np.intp], subjects: NDArray[Any], seed: int
    ) -> Any:
        from sklearn.linear_model import LogisticRegression

        model = LogisticRegression(
            C=self.settings.regularisation, max_iter=2000, class_weight=self._weights
        )
        return self._standardised(model).fit(rows, labels)


class DiscriminantSettings(EstimatorSettings):
    """Settings of ``discriminant_analysis``.

    Attributes:
        shrinkage: of the common covariance towards a sphere, 0 to 1; ``auto`` estimates it
            (Ledoit & Wolf 2004).
    """

    shrinkage: float | Literal["auto"] = "auto"


@register_estimator("discriminant_analysis")
class DiscriminantEstimator(Estimator):
    """Linear discriminant analysis with a shrunk covariance; ``balanced`` takes even priors."""

    Settings = DiscriminantSettings

    def _make(
        self, rows: Floats, labels: NDArray[np.intp], subjects: NDArray[Any], seed: int
    ) -> Any:
        from sklearn.discriminant_analysis import LinearDiscriminantAnalysis

        classes = len(np.unique(labels))
        priors = np.full(classes, 1.0 / classes) if self.settings.balanced else None
        model = LinearDiscriminantAnalysis(
            solver="lsqr", shrinkage=self.settings.shrinkage, priors=priors
        )
        return self._standardised(model).fit(rows, labels)


class SvmSettings(EstimatorSettings):
    """Settings of ``svm``.

    Attributes:
        kernel: ``rbf`` or ``linear``.
        regularisation: scikit-learn's C.
        gamma: width of the RBF kernel; ``scale`` is 1 / (features x variance).
        calibration_folds: parts of the training subjects that the calibration is fitted over.
    """

    kernel: Literal["rbf", "linear"] = "rbf"
    regularisation: float = Field(1.0, gt=0)
    gamma: float | Literal["scale", "auto"] = "scale"
    calibration_folds: int = Field(5, ge=2)


@register_estimator("svm")
class SvmEstimator(Estimator):
    """Support vector machine with calibrated probabilities.

    Probabilities are Platt's (2000): a sigmoid a class over decisions on training subjects that
    the machine had not seen, in ``calibration_folds`` parts of whole subjects. The machine itself
    is then trained on all training rows.
    """

    Settings = SvmSettings

    def _make(
        self, rows: Floats, labels: NDArray[np.intp], subjects: NDArray[Any], seed: int
    ) -> Any:
        from sklearn.calibration import CalibratedClassifierCV
        from sklearn.svm import SVC

        s = self.settings
        machine = SVC(
            C=s.regularisation, kernel=s.kernel, gamma=s.gamma, class_weight=self._weights
        )
        parts = subject_parts(labels, subjects, s.calibration_folds, seed)
        calibrated = CalibratedClassifierCV(
            self._standardised(machine), method="sigmoid", cv=parts, ensemble=False
        )
        return calibrated.fit(rows, labels)


def subject_parts(
    labels: NDArray[np.intp], subjects: NDArray[Any], parts: int, seed: int
) -> list[tuple[NDArray[np.intp], NDArray[np.intp]]]:
    """Train and held-out rows in *parts* of whole subjects, classes spread as evenly as can be.

    Raises:
        SettingError: if there are fewer than two subjects, or a part's training rows lack a class.
    """
    from sklearn.model_selection import StratifiedGroupKFold

    people = len(np.unique(subjects))
    parts = min(parts, people)
    if parts < 2:
        raise SettingError("subjects", "are fewer than two", "Parts of whole people need more")
    splitter = StratifiedGroupKFold(parts, shuffle=True, random_state=seed)
    found = list(splitter.split(np.zeros(len(labels)), labels, subjects))
    for train, _ in found:
        if len(np.unique(labels[train])) < len(np.unique(labels)):
            raise SettingError(
                "inner folds",
                "leave a part of the training subjects without one of the classes",
                "Use fewer parts, or leave out classes that one person alone shows",
            )
    return found


class GradientBoostingSettings(EstimatorSettings):
    """Settings of ``gradient_boosting``.

    Attributes:
        learning_rate: shrinkage of each tree.
        iterations: number of boosting rounds.
        leaves: most leaves of a tree.
        least_rows: fewest training rows of a leaf.
        penalty: squared penalty on the leaves.
        features_share: share of the features each split may choose from.
    """

    learning_rate: float = Field(0.1, gt=0)
    iterations: int = Field(100, ge=1)
    leaves: int = Field(15, ge=2)
    least_rows: int = Field(10, ge=1)
    penalty: float = Field(0.0, ge=0)
    features_share: float = Field(1.0, gt=0, le=1)


@register_estimator("gradient_boosting")
class GradientBoostingEstimator(Estimator):
    """Histogram gradient boosting; missing streams stay missing, no early stopping."""

    Settings = GradientBoostingSettings

    def _make(
        self, rows: Floats, labels: NDArray[np.intp], subjects: NDArray[Any], seed: int
    ) -> Any:
        from sklearn.ensemble import HistGradientBoostingClassifier

        s = self.settings
        model = HistGradientBoostingClassifier(
            learning_rate=s.learning_rate,
            max_iter=s.iterations,
            max_leaf_nodes=s.leaves,
            min_samples_leaf=s.least_rows,
            l2_regularization=s.penalty,
            max_features=s.features_share,
            early_stopping=False,
            class_weight=self._weights,
            random_state=seed,
        )
        return model.fit(rows, labels)


@register_estimator("majority")
class MajorityEstimator(Estimator):
    """Says how frequent each class is among the training rows, whatever is seen."""

    Settings = EstimatorSettings

    def _make(
        self, rows: Floats, labels: NDArray[np.intp], subjects: NDArray[Any], seed: int
    ) -> Any:
        from sklearn.dummy import DummyClassifier

        return DummyClassifier(strategy="prior").fit(rows, labels)
