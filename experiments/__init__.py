"""The paper's tables and figures, and the library's own figures, as commands."""

from __future__ import annotations

import importlib
import importlib.util
from collections.abc import Callable

from diffusionnag.errors import DiffusionNAGError
from experiments.result_table import ResultTable, write_result

__all__ = ["EXPERIMENTS", "Experiment", "get_experiment", "write_result"]

Experiment = Callable[[Callable[[str], None]], ResultTable]
"""Takes a function that shows progress; returns its table."""

EXPERIMENTS = {
    "validity": "generation.validity:validity",
    "distribution": "generation.distribution:distribution",
    "guided-quality": "guidance.guided_quality:guided_quality",
    "table3": "guidance.table3:table3",
    "table3-recipes": "guidance.table3_recipes:table3_recipes",
    "robustness": "guidance.robustness:robustness",
    "table4": "generation.table4:table4",
    "solver-steps": "generation.solver_steps:solver_steps",
    "paper-recipe": "generation.paper_recipe:paper_recipe_ablation",
    "best": "guidance.best:best",
    "best-true": "guidance.best_true:best_true",
    "best-variants": "guidance.best_variants:best_variants",
    "fronts": "guidance.fronts:fronts",
    "chosen-resolution": "guidance.chosen_resolution:chosen_resolution",
    "mobilenetv3-fronts": "guidance.mobilenetv3_fronts:mobilenetv3_fronts",
    "imagenet": "guidance.imagenet:imagenet",
    "language-models": "guidance.language_models:language_models",
    "language-model-fronts": "guidance.language_models:language_model_fronts",
    "device-fronts": "guidance.device_fronts:device_fronts",
    "limits": "guidance.limits:limits",
    "plugplay": "guidance.plug_and_play:plug_and_play",
    "shipped-predictors": "shipped_models.shipped_predictors:shipped_predictors",
    "shipped-proxies": "shipped_models.shipped_proxies:shipped_proxies",
    "published-proxies": "shipped_models.published_proxies:published",
    "features": "predictors.features:features",
    "few-labels": "predictors.few_labels:few_labels",
    "ranking-budget": "predictors.ranking_budget:ranking_budget",
    "wiring": "generation.generated_wiring:wiring",
    "declared-spaces": "generation.declared_spaces:declared_spaces",
    "graph-guided": "graphs.graph_guided:graph_guided",
    "graph-search": "graphs.graph_search:graph_search",
    "graph-transfer": "graphs.graph_transfer:graph_transfer",
    "graph-transfer-search": "graphs.graph_transfer_search:graph_transfer_search",
    "image-encoder": "shipped_models.image_encoder:image_encoder",
    "surrogate": "predictors.mnasnet_surrogate:surrogate",
    "task-transfer": "transfer.task_transfer:task_transfer",
    "table2-search": "search.table2_search:table2_search",
    "dataset-transfer": "transfer.dataset_transfer:dataset_transfer",
    "table1": "transfer.table1:table1",
    "table2-transfer": "transfer.table2_transfer:table2_transfer",
    "figure3": "search.search_curves:figure3",
    "figure4": "search.search_curves:figure4",
    "mobilenetv3-search": "search.mobilenetv3_search:mobilenetv3_search",
    "start-from": "search.start_from:start_from",
    "start-from-imagenet": "search.start_from:start_from_imagenet",
    "language-model-search": "search.language_model_search:language_model_search",
    "language-model-trade-off": "search.language_model_trade_off:language_model_trade_off",
    "real-training-search": "search.real_training:real_training_search",
    "multi-fidelity": "search.multi_fidelity:multi_fidelity",
    "noisy-search": "search.noisy_search:noisy_search",
    "suite": "search.suite:suite",
    "suite-added": "search.suite:suite_added",
    "suite-noisy": "search.suite:suite_noisy",
    "suite-choosing": "search.suite:suite_choosing",
    "batches": "search.batches:batches",
    "outlook": "search.outlook:outlook",
    "transfer-training": "transfer.transfer_training:transfer_training",
    "latency-here": "guidance.latency_here:latency_here",
    "latency-here-transformer": "guidance.latency_here_transformer:latency_here_transformer",
    "dataset-aware": "transfer.dataset_aware:dataset_aware",
    "interaction": "transfer.interaction:interaction",
    "several-images": "transfer.several_images:several_images",
    "one-shot": "supernets.one_shot:one_shot",
    "darts-collapse": "supernets.darts_collapse:darts_collapse",
    "supernet-ranking": "supernets.supernet_ranking:supernet_ranking",
}
"""Module and function of each, loaded when it is asked for."""

PACKAGES = {
    "scipy": "scipy",
    "networkx": "networkx",
    "sklearn": "scikit-learn",
    "optuna": "optuna",
    "botorch": "botorch",
}
"""What experiments import, and the package that brings it."""


def get_experiment(name: str) -> Experiment:
    """Return an experiment by name; raises DiffusionNAGError for an unknown one."""
    if name not in EXPERIMENTS:
        raise DiffusionNAGError(f"no experiment {name!r}; known: {', '.join(EXPERIMENTS)}")
    for module, package in PACKAGES.items():
        if importlib.util.find_spec(module) is None:
            raise DiffusionNAGError(
                f"experiments need {package}: pip install 'diffusionnag[experiments]'"
            )
    module, _, function = EXPERIMENTS[name].partition(":")
    return getattr(importlib.import_module(f"{__name__}.{module}"), function)
