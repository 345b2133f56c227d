"""The diffusion core: forward processes, the score network, solvers, guidance, training."""

from diffusionnag.diffusion._restart import restart_undecided
from diffusionnag.diffusion.denoiser import Denoiser, Parameterisation
from diffusionnag.diffusion.denoiser_training import Progress, TrainingRun, train
from diffusionnag.diffusion.evolution import Fitness, FitnessFunction, evolve
from diffusionnag.diffusion.guided import Strength, constant, guided
from diffusionnag.diffusion.inpainting import inpainting
from diffusionnag.diffusion.losses import denoising_loss, score_matching_loss
from diffusionnag.diffusion.particles import Particles, walk_particles
from diffusionnag.diffusion.recipes import RECIPES, Recipe, get_recipe
from diffusionnag.diffusion.score_network import PAPER_NETWORK, ScoreNetwork, ScoreNetworkConfig
from diffusionnag.diffusion.sde import SDE, VESDE, VPSDE, SubVPSDE, sde_from_config
from diffusionnag.diffusion.solvers import SOLVERS, Denoise, Solver, get_solver, time_grid
from diffusionnag.diffusion.training_set import TrainingSet

__all__ = [
    "PAPER_NETWORK",
    "RECIPES",
    "SDE",
    "SOLVERS",
    "VESDE",
    "VPSDE",
    "Denoise",
    "Denoiser",
    "Fitness",
    "FitnessFunction",
    "Parameterisation",
    "Particles",
    "Progress",
    "Recipe",
    "ScoreNetwork",
    "ScoreNetworkConfig",
    "Solver",
    "Strength",
    "SubVPSDE",
    "TrainingRun",
    "TrainingSet",
    "constant",
    "denoising_loss",
    "evolve",
    "get_recipe",
    "get_solver",
    "guided",
    "inpainting",
    "restart_undecided",
    "score_matching_loss",
    "sde_from_config",
    "time_grid",
    "train",
    "walk_particles",
]
