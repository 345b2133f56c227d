"""Property predictors: from measured architectures to differentiable estimates."""

from diffusionnag.artifacts.checkpoints import checkpoint_name
from diffusionnag.predictors.counted_property import CountedProperty
from diffusionnag.predictors.cross_validation import (
    MOST_CROSS_VALIDATED,
    HeldOut,
    held_out_parts,
    predict_held_out,
)
from diffusionnag.predictors.ensemble import MemberLinear
from diffusionnag.predictors.gaussian_process import (
    GaussianProcess,
    GaussianProcessConfig,
    fit_gaussian_process,
)
from diffusionnag.predictors.joint import JointPredictor
from diffusionnag.predictors.judged_fit import fit_judged, how_judged
from diffusionnag.predictors.kernel import covariance_of, fit_kernel, noisy_covariance, weights_of
from diffusionnag.predictors.known_besides import features_besides
from diffusionnag.predictors.model import Learner, Model, Surrogate
from diffusionnag.predictors.path_features import (
    ArchitectureFeatures,
    FeatureGroups,
    FeaturesAnd,
    OneHot,
    PathFeatures,
    PathsAndOrder,
    free_paths,
    through_operations,
)
from diffusionnag.predictors.process_on import ProcessOn
from diffusionnag.predictors.property_predictor import (
    KIND,
    MOST_FOR_GAUSSIAN_PROCESS,
    ModelKind,
    PropertyPredictor,
    predictor_under,
)
from diffusionnag.predictors.quality import kendall, prediction_quality, spearman
from diffusionnag.predictors.rank_gaussian import RankGaussian
from diffusionnag.predictors.under_node import PredictorUnderNode
from diffusionnag.predictors.weisfeiler_lehman import WeisfeilerLehman
from diffusionnag.tables.measurements import FEWEST_ARCHITECTURES

__all__ = [
    "FEWEST_ARCHITECTURES",
    "KIND",
    "MOST_CROSS_VALIDATED",
    "MOST_FOR_GAUSSIAN_PROCESS",
    "ArchitectureFeatures",
    "CountedProperty",
    "FeatureGroups",
    "FeaturesAnd",
    "GaussianProcess",
    "GaussianProcessConfig",
    "HeldOut",
    "JointPredictor",
    "Learner",
    "MemberLinear",
    "Model",
    "ModelKind",
    "OneHot",
    "PathFeatures",
    "PathsAndOrder",
    "PredictorUnderNode",
    "ProcessOn",
    "PropertyPredictor",
    "RankGaussian",
    "Surrogate",
    "WeisfeilerLehman",
    "checkpoint_name",
    "covariance_of",
    "features_besides",
    "fit_gaussian_process",
    "fit_judged",
    "fit_kernel",
    "free_paths",
    "held_out_parts",
    "how_judged",
    "kendall",
    "noisy_covariance",
    "predict_held_out",
    "prediction_quality",
    "predictor_under",
    "spearman",
    "through_operations",
    "weights_of",
]
