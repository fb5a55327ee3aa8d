"""Keras configurations (v2 HDF5 attributes, v3 ``config.json``): classes and functions by name.

Loading imports what ``module`` and ``class_name`` say; Lambda layers hold marshalled bytecode.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from auditor.findings import Severity

if TYPE_CHECKING:
    from auditor.artifacts.formats import Draft

# Classes that Keras itself defines: layers, models, optimizers, losses, metrics, initializers, …
BUILTIN = frozenset(
    ["Activation", "ActivityRegularization", "Add", "AdditiveAttention", "AlphaDropout", "Attention", "AutoContrast", "Average", "AveragePooling1D", "AveragePooling2D", "AveragePooling3D", "AvgPool1D", "AvgPool2D", "AvgPool3D", "BatchNormalization", "BatchNormalizationV1", "BatchNormalizationV2", "SyncBatchNormalization", "Bidirectional", "CategoryEncoding", "CenterCrop", "Concatenate", "Conv1D", "Conv1DTranspose", "Conv2D", "Conv2DTranspose", "Conv3D", "Conv3DTranspose", "ConvLSTM1D", "ConvLSTM2D", "ConvLSTM3D", "Convolution1D", "Convolution2D", "Convolution3D", "Cropping1D", "Cropping2D", "Cropping3D", "CuDNNGRU", "CuDNNLSTM", "Dense", "DepthwiseConv1D", "DepthwiseConv2D", "Discretization", "Dot", "Dropout", "ELU", "EinsumDense", "Embedding", "Equalization", "Flatten", "GRU", "GRUCell", "GRUV1", "GRUV2", "GaussianDropout", "GaussianNoise", "GlobalAveragePooling1D", "GlobalAveragePooling2D", "GlobalAveragePooling3D", "GlobalAvgPool1D", "GlobalAvgPool2D", "GlobalMaxPooling1D", "GlobalMaxPooling2D", "GlobalMaxPooling3D", "GlobalMaxPool1D", "GlobalMaxPool2D", "GroupNormalization", "GroupQueryAttention", "HashedCrossing", "Hashing", "Identity", "InputLayer", "InputSpec", "IntegerLookup", "LSTM", "LSTMCell", "LSTMV1", "LSTMV2", "LayerNormalization", "LeakyReLU", "LocallyConnected1D", "LocallyConnected2D", "Masking", "MaxNumBoundingBoxes", "MaxPool1D", "MaxPool2D", "MaxPool3D", "MaxPooling1D", "MaxPooling2D", "MaxPooling3D", "Maximum", "MelSpectrogram", "Minimum", "MixUp", "MultiHeadAttention", "Multiply", "Normalization", "PReLU", "Permute", "Pipeline", "RMSNormalization", "RNN", "RandAugment", "RandomBrightness", "RandomColorDegeneration", "RandomColorJitter", "RandomContrast", "RandomCrop", "RandomErasing", "RandomFlip", "RandomFourierFeatures", "RandomGaussianBlur", "RandomGrayscale", "RandomHeight", "RandomHue", "RandomInvert", "RandomPerspective", "RandomPosterization", "RandomRotation", "RandomSaturation", "RandomSharpness", "RandomShear", "RandomTranslation", "RandomWidth", "RandomZoom", "ReLU", "RepeatVector", "Rescaling", "Reshape", "Resizing", "STFTSpectrogram", "SeparableConv1D", "SeparableConv2D", "SeparableConvolution1D", "SeparableConvolution2D", "SimpleRNN", "SimpleRNNCell", "Softmax", "Solarization", "SpatialDropout1D", "SpatialDropout2D", "SpatialDropout3D", "SpectralNormalization", "StackedRNNCells", "StringLookup", "Subtract", "TextVectorization", "ThresholdedReLU", "TimeDistributed", "UnitNormalization", "UpSampling1D", "UpSampling2D", "UpSampling3D", "Wrapper", "ZeroPadding1D", "ZeroPadding2D", "ZeroPadding3D", "CutMix", "AugMix", "Functional", "Model", "Sequential", "NoneType", "DTypePolicy", "DTypePolicyMap", "FloatDTypePolicy", "QuantizedDTypePolicy", "Policy", "LossScaleOptimizer", "Adadelta", "Adafactor", "Adagrad", "Adam", "AdamW", "Adamax", "Ftrl", "Lamb", "Lion", "Muon", "Nadam", "RMSprop", "SGD", "CosineDecay", "CosineDecayRestarts", "ExponentialDecay", "InverseTimeDecay", "PiecewiseConstantDecay", "PolynomialDecay", "BinaryCrossentropy", "BinaryFocalCrossentropy", "CTC", "CategoricalCrossentropy", "CategoricalFocalCrossentropy", "CategoricalHinge", "Circle", "CosineSimilarity", "Dice", "Hinge", "Huber", "KLDivergence", "LogCosh", "MeanAbsoluteError", "MeanAbsolutePercentageError", "MeanSquaredError", "MeanSquaredLogarithmicError", "Poisson", "SparseCategoricalCrossentropy", "SquaredHinge", "Tversky", "LossFunctionWrapper", "AUC", "Accuracy", "BinaryAccuracy", "BinaryIoU", "CategoricalAccuracy", "CompileMetrics", "ConcordanceCorrelation", "F1Score", "FBetaScore", "FalseNegatives", "FalsePositives", "IoU", "LogCoshError", "Mean", "MeanIoU", "MeanMetricWrapper", "MeanRelativeError", "MeanTensor", "OneHotIoU", "OneHotMeanIoU", "PearsonCorrelation", "Precision", "PrecisionAtRecall", "R2Score", "Recall", "RecallAtPrecision", "RootMeanSquaredError", "SensitivityAtSpecificity", "SparseCategoricalAccuracy", "SparseTopKCategoricalAccuracy", "SpecificityAtSensitivity", "Sum", "TopKCategoricalAccuracy", "TrueNegatives", "TruePositives", "Constant", "GlorotNormal", "GlorotUniform", "HeNormal", "HeUniform", "LecunNormal", "LecunUniform", "Ones", "Orthogonal", "OrthogonalInitializer", "RandomNormal", "RandomUniform", "TruncatedNormal", "VarianceScaling", "Zeros", "STFT", "L1", "L1L2", "L2", "OrthogonalRegularizer", "MaxNorm", "MinMaxNorm", "NonNeg", "UnitNorm", "GELU", "Swish", "Ellipsis", "TensorShape", "KerasTensor", "__tuple__", "__numpy__", "__tensor__", "__bool__", "__ellipsis__", "slice", "Variable", "SeedGenerator", "bool", "float", "int", "NotEqual", "TFOpLambda", "SlicingOpLambda", "ClassMethod", "__keras_tensor__", "CompileLoss", "TypeSpec", "__typespec__"]
)  # fmt: skip
# Modules of Keras whose functions and classes are mathematics.
_MODULES = (
    "keras.layers", "keras.src.layers", "keras.activations", "keras.src.activations", "keras.losses",
    "keras.src.losses", "keras.metrics", "keras.src.metrics", "keras.initializers", "keras.src.initializers",
    "keras.regularizers", "keras.src.regularizers", "keras.constraints", "keras.src.constraints",
    "keras.optimizers", "keras.src.optimizers", "keras.dtype_policies", "keras.src.dtype_policies",
    "keras.random", "keras.src.random", "keras.src.models", "keras.models", "keras.src.engine", "keras.engine",
    "keras.src.trainers", "keras.src.ops", "keras.ops", "keras.mixed_precision", "keras.src.mixed_precision",
    # Where the optimizers of a backend lie.
    "keras.src.backend.torch.optimizers.", "keras.src.backend.jax.optimizer",
    "keras.src.backend.tensorflow.optimizer", "keras.api", "keras.saving.legacy", "keras.quantizers", "tf_keras.", "tensorflow.keras.",
)  # fmt: skip
_FINE = frozenset({"", "keras", "builtins", "keras_hub", "keras_nlp", "keras_cv", "tensorflow"})
_MAX_NODES = 300_000


def judge_config(draft: Draft, config: Any) -> None:
    """Issues of a parsed configuration; every dictionary in it is looked at."""
    # A SavedModel: what has no registered class is revived from the functions stored beside it.
    revived = isinstance(config, dict) and config.get("must_restore_from_config") is False
    pending: list[tuple[Any, bool]] = [(config, False)]
    nodes = 0
    while pending:
        value, _ = pending.pop()
        nodes += 1
        if nodes > _MAX_NODES:
            draft.issue(
                "ART003", "has a configuration that is too large", "unreadable", Severity.HIGH
            )
            return
        if isinstance(value, dict):
            _judge_node(draft, value, revived)
            pending += [(v, False) for v in value.values() if isinstance(v, (dict, list))]
        elif isinstance(value, list):
            pending += [(v, False) for v in value if isinstance(v, (dict, list))]


def _judge_node(draft: Draft, node: dict[str, Any], revived: bool) -> None:
    for key in _NAMING:
        if node.get(key):
            _judge_named(draft, key, node[key])
    name = node.get("class_name")
    module = node.get("module")
    config = node.get("config")
    if not isinstance(name, str):
        return
    if name in ("Lambda", "__lambda__"):
        bytecode = name == "__lambda__" or _has_bytecode(config)
        draft.issue(
            "ART007",
            "holds a Lambda layer" + (" with Python bytecode" if bytecode else ""),
            "dangerous" if bytecode else "suspicious",
            Severity.CRITICAL if bytecode else Severity.HIGH,
            what="loading or calling the model runs the function",
            callable=name,
        )
        return
    if name == "function" or (name == "class" and isinstance(config, str)):
        _judge_function(draft, str(config), str(module or ""))
        return
    vocabulary = config.get("vocabulary") if isinstance(config, dict) else None
    if isinstance(vocabulary, str):
        draft.issue(
            "ART007",
            f"reads its vocabulary from {vocabulary[:200]!r}",
            "suspicious",
            Severity.HIGH,
            what="loading reads that file or address into the model (CVE-2025-12058)",
        )
    if name in ("TFOpLambda", "SlicingOpLambda"):
        function = config.get("function") if isinstance(config, dict) else None
        text = str(function)
        if text.startswith(("io.", "raw_ops.", "py_function", "numpy_function", "load_")):
            draft.issue(
                "ART008",
                f"calls the TensorFlow function {text[:100]}",
                "dangerous",
                Severity.CRITICAL,
            )
        return
    if isinstance(module, str) and module not in _FINE and not module.startswith(_MODULES):
        from auditor.artifacts.pickle.names import lookup

        danger = lookup(module, name).standing == "dangerous"
        draft.issue(
            "ART007",
            f"loads the class {module}.{name}"[:300],
            "dangerous" if danger else "suspicious",
            Severity.CRITICAL if danger else Severity.HIGH,
            what=f"loading imports {module} and calls {name}"[:300],
            callable=f"{module}.{name}"[:300],
        )
        return
    registered = node.get("registered_name")
    base = name.rpartition(">")[2]
    if revived:
        return
    if base not in BUILTIN or (isinstance(registered, str) and ">" in registered):
        draft.issue(
            "ART007",
            f"needs the custom object {name[:200]!r}",
            "suspicious",
            Severity.HIGH,
            what="loading uses whatever code the program registers under that name",
            callable=name[:200],
        )


def _judge_function(draft: Draft, name: str, module: str) -> None:
    if module == "builtins" or not module:
        # Keras resolves these among its own activations, losses and metrics.
        if name.replace("_", "").isalnum() and name not in _BUILTIN_DANGER:
            return
    elif module.startswith(_MODULES):
        return
    draft.issue(
        "ART007",
        f"loads the function {module}.{name}"[:300],
        "dangerous",
        Severity.CRITICAL,
        what=f"loading imports {module} and hands its {name} to the model"[:300],
        callable=f"{module}.{name}"[:300],
    )


# Functions of Keras that a configuration may name: activations, losses, metrics, initializers.
FUNCTIONS = frozenset(
    ["celu", "elu", "exponential", "gelu", "glu", "hard_shrink", "hard_sigmoid", "hard_silu", "hard_swish", "hard_tanh", "leaky_relu", "linear", "log_sigmoid", "log_softmax", "mish", "relu", "relu6", "selu", "sigmoid", "silu", "soft_shrink", "softmax", "softplus", "softsign", "sparse_plus", "sparse_sigmoid", "sparsemax", "squareplus", "swish", "tanh", "tanh_shrink", "threshold", "binary_crossentropy", "binary_focal_crossentropy", "categorical_crossentropy", "categorical_focal_crossentropy", "categorical_hinge", "circle", "cosine", "cosine_proximity", "cosine_similarity", "ctc", "dice", "hinge", "huber", "huber_loss", "kl_divergence", "kld", "kullback_leibler_divergence", "log_cosh", "logcosh", "mae", "mape", "mean_absolute_error", "mean_absolute_percentage_error", "mean_squared_error", "mean_squared_logarithmic_error", "mse", "msle", "poisson", "sparse_categorical_crossentropy", "squared_hinge", "tversky", "bce", "acc", "accuracy", "auc", "binary_accuracy", "categorical_accuracy", "crossentropy", "ce", "precision", "recall", "sparse_categorical_accuracy", "sparse_top_k_categorical_accuracy", "top_k_categorical_accuracy", "f1_score", "fbeta_score", "root_mean_squared_error", "mean_iou", "r2_score", "loss", "binary_iou", "MAE", "MSE", "MAPE", "MSLE", "KLD", "glorot_normal", "glorot_uniform", "he_normal", "he_uniform", "lecun_normal", "lecun_uniform", "ones", "orthogonal", "zeros", "random_normal", "random_uniform", "truncated_normal", "variance_scaling", "identity", "constant", "l1", "l2", "l1_l2", "max_norm", "non_neg", "unit_norm", "min_max_norm", "auto", "ave", "concat", "mul", "sum"]
)  # fmt: skip
_NAMING = ("loss", "metrics", "weighted_metrics", "activation", "recurrent_activation")


def _judge_named(draft: Draft, key: str, value: Any) -> None:
    """Strings under keys that Keras resolves to its own or to custom functions."""
    pending = [value]
    for _ in range(2000):
        if not pending:
            return
        value = pending.pop()
        if isinstance(value, list):
            pending += value
        elif isinstance(value, dict) and "class_name" not in value:
            pending += list(value.values())
        elif isinstance(value, str) and value not in FUNCTIONS and value not in BUILTIN:
            draft.issue(
                "ART007",
                f"needs the custom {key} function {value[:200]!r}",
                "suspicious",
                Severity.HIGH,
                what="loading uses whatever code the program registers under that name",
                callable=value[:200],
            )
            return


_BUILTIN_DANGER = frozenset(
    {"eval", "exec", "open", "compile", "getattr", "setattr", "__import__", "input"}
)


def _has_bytecode(config: Any) -> bool:
    if not isinstance(config, dict):
        return False
    function = config.get("function")
    return isinstance(function, (list, dict)) or config.get("function_type") == "lambda"
