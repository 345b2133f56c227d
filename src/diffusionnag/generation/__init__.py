"""Generation: a trained denoiser sampled freely, under guidance, exactly, or along a front."""

from diffusionnag.diffusion.guided import Strength
from diffusionnag.generation.best import Best, find_best
from diffusionnag.generation.derivative_free import Evolved, sample_derivative_free
from diffusionnag.generation.dominance import choose, hypervolume, non_dominated
from diffusionnag.generation.evaluation import Evaluation, evaluate
from diffusionnag.generation.front import Front, FrontComparison, Objectives, find_front
from diffusionnag.generation.generator import Generator
from diffusionnag.generation.metrics import GenerationQuality, generation_quality
from diffusionnag.generation.request import Request, parse_request
from diffusionnag.generation.resampled import Resampled, sample_resampled
from diffusionnag.generation.result import GenerationResult
from diffusionnag.generation.run import METHODS, generate, transfer
from diffusionnag.generation.samples import Samples
from diffusionnag.generation.sampling import Sampling
from diffusionnag.generation.streamed import Stream, Streamed, stream_samples

__all__ = [
    "METHODS",
    "Best",
    "Evaluation",
    "Evolved",
    "Front",
    "FrontComparison",
    "GenerationQuality",
    "GenerationResult",
    "Generator",
    "Objectives",
    "Request",
    "Resampled",
    "Samples",
    "Sampling",
    "Stream",
    "Streamed",
    "Strength",
    "choose",
    "evaluate",
    "find_best",
    "find_front",
    "generate",
    "generation_quality",
    "hypervolume",
    "non_dominated",
    "parse_request",
    "sample_derivative_free",
    "sample_resampled",
    "stream_samples",
    "transfer",
]
