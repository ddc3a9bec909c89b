"""What torch exports and the catalogue has no row for, with the reason: name to reason, a table a
kind.

Covered and excluded together are what torch exports, which a test counts. Non-goal: arguments that
rows leave out; the test of signatures names those. Imports no torch.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

_CONTAINER = "holds layers: a spec's stages, lists and blocks say it"
_PARAMETERS = "holds parameters: a spec declares them by name"
_INFERRING = "every layer of a spec infers what its Lazy form does"

LAYERS: Mapping[str, str] = MappingProxyType(
    {
        "Module": "the base class of layers: a spec's models and blocks are its subclasses",
        "Container": "a deprecated base class, empty since torch 0.2",
        "Sequential": _CONTAINER,
        "ModuleList": _CONTAINER,
        "ModuleDict": _CONTAINER,
        "ParameterList": _PARAMETERS,
        "ParameterDict": _PARAMETERS,
        "CrossMapLRN2d": "its backward is not the derivative of its forward, and no compiler takes "
        "it: LocalResponseNorm is sound",
        "DataParallel": "how a run spreads over devices, not what a model is",
        "RNNBase": "the base class of RNN, GRU and LSTM; its mode is their name",
        "RNNCellBase": "the base class of RNNCell, GRUCell and LSTMCell; it computes nothing",
        **{
            f"Lazy{name}": _INFERRING
            for name in (
                "Linear",
                *(
                    f"{kind}{dims}d"
                    for kind in ("Conv", "ConvTranspose", "BatchNorm", "InstanceNorm")
                    for dims in (1, 2, 3)
                ),
            )
        },
    }
)

LOSSES: Mapping[str, str] = MappingProxyType(
    {
        "NLLLoss2d": "a deprecated name of NLLLoss, which takes images as well",
    }
)

OPTIMIZERS: Mapping[str, str] = MappingProxyType({})

_OF_A_FUNCTION = "takes a function of the epoch, and a spec is data: {}"

SCHEDULERS: Mapping[str, str] = MappingProxyType(
    {
        "LambdaLR": _OF_A_FUNCTION.format(
            "LinearLR, PolynomialLR, CosineAnnealingLR and SequentialLR say what it is used for"
        ),
        "MultiplicativeLR": _OF_A_FUNCTION.format("ExponentialLR and MultiStepLR are its uses"),
    }
)

_IN_PLACE = "changes its input, and a value never changes: {}"
_WITH_PLACES = "{} with return_indices=true"
_DEPRECATED = "deprecated: interpolate"

# Of torch.nn.functional; those of torch itself are in ``tensor_exclusions``.
FUNCTIONS: Mapping[str, str] = MappingProxyType(
    {
        **{
            f"{name}_": _IN_PLACE.format(name)
            for name in (
                "celu", "elu", "hardtanh", "leaky_relu", "relu", "rrelu", "selu", "threshold",
            )
        },
        **{
            f"{name}_with_indices": _WITH_PLACES.format(name)
            for name in (
                *(f"{kind}max_pool{dims}d" for kind in ("", "adaptive_") for dims in (1, 2, 3)),
                *(f"fractional_max_pool{dims}d" for dims in (2, 3)),
            )
        },
        **dict.fromkeys(("upsample", "upsample_bilinear", "upsample_nearest"), _DEPRECATED),
        "conv_tbc": "convolves time first, for one library's weights; conv1d and transpose say it",
        "multi_head_attention_forward": "the inside of MultiheadAttention, in 24 arguments; "
        "linear and scaled_dot_product_attention are its parts",
        "native_channel_shuffle": "the kernel behind channel_shuffle",
        "grouped_mm": "of groups whose sizes the values tell, for kernels of bfloat16 on CUDA",
        "scaled_mm": "of 8-bit floats with scales, for kernels on CUDA",
        "scaled_grouped_mm": "as scaled_mm, of groups",
    }
)  # fmt: skip

INITS: Mapping[str, str] = MappingProxyType({})


# torchmetrics' names, of all its domains, in groups that have one reason.
_METRICS = {
    "gives a curve, whose length the data say: its area is AUROC or AveragePrecision": (
        "ROC", "BinaryROC", "MulticlassROC", "MultilabelROC", "PrecisionRecallCurve",
        "BinaryPrecisionRecallCurve", "MulticlassPrecisionRecallCurve",
        "MultilabelPrecisionRecallCurve", "RetrievalPrecisionRecallCurve",
    ),
    "gives a point of a curve and the threshold that it is at, of a whole data set": (
        "PrecisionAtFixedRecall", "RecallAtFixedPrecision", "SensitivityAtSpecificity",
        "SpecificityAtSensitivity", "BinaryPrecisionAtFixedRecall", "BinaryRecallAtFixedPrecision",
        "BinarySensitivityAtSpecificity", "BinarySpecificityAtSensitivity",
        "MulticlassPrecisionAtFixedRecall", "MulticlassRecallAtFixedPrecision",
        "MulticlassSensitivityAtSpecificity", "MulticlassSpecificityAtSensitivity",
        "MultilabelPrecisionAtFixedRecall", "MultilabelRecallAtFixedPrecision",
        "MultilabelSensitivityAtSpecificity", "MultilabelSpecificityAtSensitivity",
        "RetrievalRecallAtFixedPrecision", "EER", "BinaryEER", "MulticlassEER", "MultilabelEER",
        "LogAUC", "BinaryLogAUC", "MulticlassLogAUC", "MultilabelLogAUC",
    ),
    "gives counts under one name: ConfusionMatrix has them, one for each": (
        "StatScores", "BinaryStatScores", "MulticlassStatScores", "MultilabelStatScores",
    ),
    "gives several numbers by the names of groups, which it is told": (
        "BinaryFairness", "BinaryGroupStatRates",
    ),
    "ranks the labels of each example; their number is the width of a ranking, not of a task": (
        "MultilabelCoverageError", "MultilabelRankingAveragePrecision", "MultilabelRankingLoss",
        "RetrievalAUROC",
    ),
    "scores a grouping of a whole data set, which no batch has": (
        "AdjustedMutualInfoScore", "AdjustedRandScore", "CalinskiHarabaszScore",
        "ClusterAccuracy", "CompletenessScore", "DaviesBouldinScore", "DunnIndex",
        "FowlkesMallowsIndex", "HomogeneityScore", "MutualInfoScore",
        "NormalizedMutualInfoScore", "RandScore", "VMeasureScore",
    ),
    "tells how far two columns of categories go together, over a whole data set": (
        "CramersV", "FleissKappa", "PearsonsContingencyCoefficient", "TheilsU", "TschuprowsT",
    ),
    "takes text, and a spec's values are tensors": (
        "BLEUScore", "CHRFScore", "CharErrorRate", "EditDistance", "ExtendedEditDistance",
        "MatchErrorRate", "ROUGEScore", "SQuAD", "SacreBLEUScore", "TranslationEditRate",
        "WordErrorRate", "WordInfoLost", "WordInfoPreserved",
    ),
    "asks a model that was trained elsewhere": (
        "BERTScore", "InfoLM", "CLIPScore", "CLIPImageQualityAssessment",
        "DeepImageStructureAndTextureSimilarity", "FrechetInceptionDistance", "InceptionScore",
        "KernelInceptionDistance", "LearnedPerceptualImagePatchSimilarity",
        "MemorizationInformedFrechetInceptionDistance", "PerceptualPathLength",
    ),
    "asks another package": (
        "DeepNoiseSuppressionMeanOpinionScore", "NonIntrusiveSpeechQualityAssessment",
        "PerceptualEvaluationSpeechQuality", "ShortTimeObjectiveIntelligibility",
        "SpeechReverberationModulationEnergyRatio", "MeanAveragePrecision",
        "VideoMultiMethodAssessmentFusion",
    ),
    "finds boxes, segments or an order before it scores them": (
        "CompleteIntersectionOverUnion", "DistanceIntersectionOverUnion",
        "GeneralizedIntersectionOverUnion", "IntersectionOverUnion", "PanopticQuality",
        "ModifiedPanopticQuality", "PermutationInvariantTraining", "HausdorffDistance",
        "ProcrustesDisparity", "LipVertexError",
    ),
    "counts masks of one-hot classes: MulticlassF1Score and MulticlassJaccardIndex of labels say "
    "it": ("DiceScore", "GeneralizedDiceScore", "MeanIoU"),
    "filters sound, or sums it over sources": (
        "ComplexScaleInvariantSignalNoiseRatio", "SignalDistortionRatio",
        "SourceAggregatedSignalDistortionRatio",
    ),
    "is of the bands of a satellite's image, or of several scales": (
        "ErrorRelativeGlobalDimensionlessSynthesis", "MultiScaleStructuralSimilarityIndexMeasure",
        "PeakSignalNoiseRatioWithBlockedEffect", "QualityWithNoReference",
        "RelativeAverageSpectralError", "RootMeanSquaredErrorUsingSlidingWindow",
        "SpatialCorrelationCoefficient", "SpatialDistortionIndex", "SpectralAngleMapper",
        "SpectralDistortionIndex", "UniversalImageQualityIndex", "VisualInformationFidelity",
    ),
    "compares a number with an ensemble of predictions": ("ContinuousRankedProbabilityScore",),
    "holds or wraps other metrics": (
        "Metric", "MetricCollection", "BinaryTargetTransformer", "BootStrapper",
        "ClasswiseWrapper", "FeatureShare", "LambdaInputTransformer", "MetricInputTransformer",
        "MetricTracker", "MinMaxMetric", "MultioutputWrapper", "MultitaskWrapper", "Running",
    ),
    "keeps a number over batches: `mean`, `max` and their like say it of one": (
        "CatMetric", "MaxMetric", "MeanMetric", "MinMetric", "RunningMean", "RunningSum",
        "SumMetric",
    ),
}  # fmt: skip

METRICS: Mapping[str, str] = MappingProxyType(
    {name: reason for reason, names in _METRICS.items() for name in names}
)
