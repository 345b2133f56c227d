"""From an architecture to a network of PyTorch: building, counting, training, exporting, measuring."""

from __future__ import annotations

from typing import TYPE_CHECKING

from diffusionnag._lazy_names import lazy_names

if TYPE_CHECKING:
    from diffusionnag.networks._history import HISTORY_FILE, EpochResult
    from diffusionnag.networks.architecture_training import kept_metrics, train_architecture
    from diffusionnag.networks.augmentation import Augmentation
    from diffusionnag.networks.builder_check import BuilderCheck, check_builder
    from diffusionnag.networks.building import build_network, require_networks, task_of
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
    from diffusionnag.networks.counting import (
        buildable,
        can_be_built,
        count_network,
        count_properties,
        count_property,
        counted_names,
        flop_counter,
    )
    from diffusionnag.networks.decoder_file import ExportedDecoder, export_decoder, open_decoder
    from diffusionnag.networks.exported_file import (
        BACKEND_OF,
        ExportedFile,
        open_exported,
        require_backend,
    )
    from diffusionnag.networks.exporting import check_export_path, export_network
    from diffusionnag.networks.generation_latency import (
        measure_file_generation,
        measure_generation,
        measure_generations,
    )
    from diffusionnag.networks.latency import (
        Latency,
        LatencySettings,
        measure_file,
        measure_latencies,
    )
    from diffusionnag.networks.metric_words import metric_title, metric_unit, metrics_text
    from diffusionnag.networks.profile_plan import write_plan
    from diffusionnag.networks.profiling import ProfileSettings, latency_name, profile_space
    from diffusionnag.networks.regularisation import Regularised
    from diffusionnag.networks.tasks import ImageData, OwnFit, TaskData, load_data, metric_of
    from diffusionnag.networks.text_decoding import (
        Cache,
        HasCache,
        continue_held_out,
        continue_text,
    )
    from diffusionnag.networks.trained_network import TrainedNetwork
    from diffusionnag.networks.training_loop import (
        Progress,
        TrainingSettings,
        train_network,
        usual_settings,
    )

__all__ = [
    "BACKEND_OF",
    "COMPARISON_FILE",
    "HISTORY_FILE",
    "Augmentation",
    "BuilderCheck",
    "Cache",
    "Comparison",
    "EpochResult",
    "ExportedDecoder",
    "ExportedFile",
    "Group",
    "HasCache",
    "ImageData",
    "Latency",
    "LatencySettings",
    "OwnFit",
    "ProfileSettings",
    "Progress",
    "Regularised",
    "TaskData",
    "TrainedNetwork",
    "TrainingSettings",
    "accuracy_intervals",
    "build_network",
    "buildable",
    "can_be_built",
    "check_builder",
    "check_export_path",
    "comparison_rows",
    "continue_held_out",
    "continue_text",
    "count_network",
    "count_properties",
    "count_property",
    "counted_names",
    "export_decoder",
    "export_network",
    "flop_counter",
    "kept_metrics",
    "latency_name",
    "load_data",
    "measure_file",
    "measure_file_generation",
    "measure_generation",
    "measure_generations",
    "measure_latencies",
    "metric_of",
    "metric_title",
    "metric_unit",
    "metrics_text",
    "open_decoder",
    "open_exported",
    "profile_space",
    "read_comparison",
    "read_group",
    "require_backend",
    "require_networks",
    "task_of",
    "train_architecture",
    "train_groups",
    "train_network",
    "usual_settings",
    "welch_p_value",
    "write_comparison",
    "write_plan",
]

_HOMES = {
    "_history": (
        "HISTORY_FILE",
        "EpochResult",
    ),
    "architecture_training": (
        "kept_metrics",
        "train_architecture",
    ),
    "augmentation": ("Augmentation",),
    "builder_check": (
        "BuilderCheck",
        "check_builder",
    ),
    "building": (
        "build_network",
        "require_networks",
        "task_of",
    ),
    "comparison": (
        "Group",
        "read_group",
        "train_groups",
    ),
    "comparison_result": (
        "COMPARISON_FILE",
        "Comparison",
        "accuracy_intervals",
        "comparison_rows",
        "read_comparison",
        "welch_p_value",
        "write_comparison",
    ),
    "counting": (
        "buildable",
        "can_be_built",
        "count_network",
        "count_properties",
        "count_property",
        "counted_names",
        "flop_counter",
    ),
    "decoder_file": (
        "ExportedDecoder",
        "export_decoder",
        "open_decoder",
    ),
    "exported_file": (
        "BACKEND_OF",
        "ExportedFile",
        "open_exported",
        "require_backend",
    ),
    "exporting": (
        "check_export_path",
        "export_network",
    ),
    "generation_latency": (
        "measure_file_generation",
        "measure_generation",
        "measure_generations",
    ),
    "latency": (
        "Latency",
        "LatencySettings",
        "measure_file",
        "measure_latencies",
    ),
    "metric_words": (
        "metric_title",
        "metric_unit",
        "metrics_text",
    ),
    "profile_plan": ("write_plan",),
    "profiling": (
        "ProfileSettings",
        "latency_name",
        "profile_space",
    ),
    "regularisation": ("Regularised",),
    "tasks": (
        "ImageData",
        "OwnFit",
        "TaskData",
        "load_data",
        "metric_of",
    ),
    "text_decoding": (
        "Cache",
        "HasCache",
        "continue_held_out",
        "continue_text",
    ),
    "trained_network": ("TrainedNetwork",),
    "training_loop": (
        "Progress",
        "TrainingSettings",
        "train_network",
        "usual_settings",
    ),
}
__getattr__ = lazy_names(__name__, _HOMES)
