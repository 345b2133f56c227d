"""Language models of GPT-2 shapes: counted as the benchmark counts, causal, and exported at any length."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnxruntime
import pyarrow.parquet as pq
import torch

from diffusionnag import get_search_space
from diffusionnag.networks import build_network, count_network, export_network
from diffusionnag.spaces import GPT2Scale, GPT2Shapes, LanguageModelling
from diffusionnag.spaces.gpt2 import gpt2_cost

TASK = LanguageModelling(vocabulary=40, context=12)


class Tiny(GPT2Shapes, scale=GPT2Scale((16, 32), (1, 2), (1, 3))):
    """Shapes that are built and exported in no time."""

    name = "tiny"


SPACE = Tiny()
SHAPE = SPACE.parse("32|bias|2-3,1-2")


def test_networks_have_the_parameters_of_the_table(data_folder: Path) -> None:
    table = pq.read_table(data_folder / "hwgpt_s.parquet", columns=["arch", "params"])
    space = get_search_space("gpt2")
    for row in np.random.default_rng(0).permutation(len(table))[:12].tolist():
        shape = space.parse(table["arch"][row].as_py())
        with torch.device("meta"):
            network = space.build_network(shape, space.networks.task)
        parameters = sum(weight.numel() for weight in network.parameters())
        assert parameters == table["params"][row].as_py()


def test_the_module_does_what_is_counted_and_the_products_between_tokens() -> None:
    counted = count_network(build_network(SPACE, SHAPE, task=TASK), TASK)
    formula = gpt2_cost(SPACE.shape(SHAPE), vocabulary=TASK.vocabulary, context=TASK.context)
    assert counted.parameters == formula.parameters
    between_tokens = 2 * 3 * 64 * TASK.context**2  # of three heads: queries by keys, by values
    assert counted.macs == formula.macs + between_tokens


@torch.inference_mode()
def test_no_token_sees_those_behind_it_and_places_matter() -> None:
    network = build_network(SPACE, SHAPE, task=TASK).eval()
    tokens = torch.randint(1, TASK.vocabulary, (2, TASK.context))
    changed = tokens.clone()
    changed[:, 8:] = 1 + changed[:, 8:] % (TASK.vocabulary - 1)
    before, after = network(tokens), network(changed)
    assert before.shape == (2, TASK.context, TASK.vocabulary)
    torch.testing.assert_close(after[:, :8], before[:, :8])
    assert not torch.allclose(after[:, 8:], before[:, 8:])
    swapped = tokens[:, [1, 0, *range(2, TASK.context)]]
    swapped[:, 0], swapped[:, 1] = 5, 6
    tokens[:, 0], tokens[:, 1] = 6, 5
    assert not torch.allclose(network(swapped)[:, -1], network(tokens)[:, -1], atol=1e-6)


@torch.inference_mode()
def test_an_exported_network_takes_texts_of_any_length(tmp_path: Path) -> None:
    network = build_network(SPACE, SHAPE, task=TASK).eval()
    export_network(network, TASK, tmp_path / "network.onnx")
    session = onnxruntime.InferenceSession(tmp_path / "network.onnx")
    for length in (3, 7, TASK.context):
        tokens = torch.randint(1, TASK.vocabulary, (2, length))
        (logits,) = session.run(["logits"], {"tokens": tokens.numpy()})
        np.testing.assert_allclose(np.asarray(logits), network(tokens).numpy(), atol=1e-4)
