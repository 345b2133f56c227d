"""From an architecture to a network of PyTorch: building, counting, training, exporting, measuring."""

from diffusionnag.networks._history import HISTORY_FILE, EpochResult
from diffusionnag.networks.architecture_training import kept_accuracy, train_architecture
from diffusionnag.networks.augmentation import Augmentation
from diffusionnag.networks.building import build_network, check_resolution, check_width
from diffusionnag.networks.comparison import Group, read_group, train_groups
from diffusionnag.networks.comparison_result import (
    COMPARISON_FILE,
    Comparison,
    accuracy_intervals,
    comparison_rows,
    read_comparison,
    welch_p_value,
    write_comparison,
)
from diffusionnag.networks.counting import count_network
from diffusionnag.networks.exporting import check_export_path, export_network
from diffusionnag.networks.image_task import ImageTask, load_task
from diffusionnag.networks.latency import Latency, LatencySettings, measure_latencies, peak_memory
from diffusionnag.networks.profiling import ProfileSettings, latency_name, profile_space
from diffusionnag.networks.trained_network import TrainedNetwork
from diffusionnag.networks.training_loop import Progress, TrainingSettings, train_network

__all__ = [
    "COMPARISON_FILE",
    "HISTORY_FILE",
    "Augmentation",
    "Comparison",
    "EpochResult",
    "Group",
    "ImageTask",
    "Latency",
    "LatencySettings",
    "ProfileSettings",
    "Progress",
    "TrainedNetwork",
    "TrainingSettings",
    "accuracy_intervals",
    "build_network",
    "check_export_path",
    "check_resolution",
    "check_width",
    "comparison_rows",
    "count_network",
    "export_network",
    "kept_accuracy",
    "latency_name",
    "load_task",
    "measure_latencies",
    "peak_memory",
    "profile_space",
    "read_comparison",
    "read_group",
    "train_architecture",
    "train_groups",
    "train_network",
    "welch_p_value",
    "write_comparison",
]
