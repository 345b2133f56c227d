"""Language models of GPT-2 shapes: counted as the benchmark counts, causal, and exported at any length."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pyarrow.parquet as pq
import pytest
import torch
from conftest import RunCli, assert_fails

from diffusionnag import DiffusionNAGError, get_search_space
from diffusionnag.networks import (
    Cache,
    HasCache,
    build_network,
    continue_text,
    count_network,
    export_decoder,
    export_network,
    load_data,
    open_decoder,
    task_of,
    train_architecture,
    usual_settings,
)
from diffusionnag.spaces import GPT2Scale, GPT2Shapes, LanguageModelling
from diffusionnag.spaces.gpt2 import gpt2_cost
from diffusionnag.spaces.gpt2_networks import LanguageModel

TASK = LanguageModelling(vocabulary=40, context=12)
TINY = """
from diffusionnag.spaces import GPT2Scale, GPT2Shapes

class Tiny(GPT2Shapes, scale=GPT2Scale((16, 32), (1, 2), (1, 3))):
    name = "tiny"
"""


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
    with pytest.raises(DiffusionNAGError, match="takes no cache"):
        open_decoder(tmp_path / "network.onnx")


@pytest.fixture
def text(tmp_path: Path) -> Path:
    path = tmp_path / "alphabet.txt"
    path.write_text("abcdefgh " * 60)
    return path


@pytest.fixture
def tiny(tmp_path: Path) -> str:
    (tmp_path / "tiny.py").write_text(TINY)
    return "tiny.py:Tiny"


@torch.inference_mode()
def test_decoding_token_by_token_is_the_whole_text_at_once() -> None:
    network = build_network(SPACE, SHAPE, task=TASK).eval()
    assert isinstance(network, HasCache)
    tokens = torch.randint(1, TASK.vocabulary, (3, TASK.context))
    cache, decoded = network.empty_cache(3), []
    assert [keys.shape[1] for keys, _ in cache] == [2, 1], "the heads of each layer"
    for new in tokens.split((1, 4, 1, 6), dim=1):
        logits, cache = network.decode(new, cache)
        decoded.append(logits)
    torch.testing.assert_close(torch.cat(decoded, 1), network(tokens), rtol=0, atol=1e-5)


def test_a_trained_network_goes_on_with_a_text(text: Path, tmp_path: Path) -> None:
    data = load_data(text, SPACE, context=TASK.context)
    settings = usual_settings(data.task, epochs=8, batch_size=8, learning_rate=0.02)
    trained, _ = train_architecture(SPACE, SPACE.parse("16|bias|1-2"), data, settings, tmp_path)
    written = continue_text(trained, "xx abcdefgh abc", tokens=40, temperature=0)
    assert written == ("defgh abc" * 5)[:40], "also behind the context"

    class WithoutCache(torch.nn.Module):
        def __init__(self, network: torch.nn.Module) -> None:
            super().__init__()
            self.network = network

        def forward(self, tokens: torch.Tensor) -> torch.Tensor:
            assert tokens.shape[1] <= TASK.context
            return self.network(tokens)

    plain = replace(trained, network=WithoutCache(trained.network))
    drawn = [continue_text(trained, "a", temperature=3, seed=seed) for seed in (0, 0, 1)]
    assert continue_text(plain, "a", temperature=3, seed=0) == drawn[0] == drawn[1] != drawn[2]
    wrong: list[dict[str, Any]] = [{"tokens": 0}, {"temperature": -1}, {"seed": -1}]
    for prompt, options in [("", {}), *(("a", each) for each in wrong)]:
        with pytest.raises(DiffusionNAGError):
            continue_text(trained, prompt, **options)


def test_train_shows_what_the_network_writes(text: Path, tiny: str, run_main: RunCli) -> None:
    text.write_text("abc\x1b[31mé\n" * 80)
    command = ("train", tiny, "16|bias|1-2", "--data", text.name, "--context", 8)
    first, second = (
        run_main(*command, "--epochs", 1, "--seed", 3, "--out", out) for out in ("one", "two")
    )
    assert first.returncode == 0, first.stderr
    assert first.stdout == second.stdout
    _, _, written = first.stdout.partition("goes on, drawn with seed 3:\n")
    assert len(written) > 60
    assert "\x1b" not in first.stdout


@torch.inference_mode()
def test_a_file_with_a_cache_takes_new_tokens_and_past_ones(
    tiny: str, tmp_path: Path, run_main: RunCli
) -> None:
    shape, options = "32|bias|2-3,1-2", ("--context", TASK.context, "--cache", "--to")
    written = run_main("export", tiny, shape, *options, "small.onnx")
    assert written.returncode == 0, written.stderr
    space = get_search_space(str(tmp_path / tiny))
    task = task_of(space, context=TASK.context)
    network = build_network(space, space.parse(shape), task=task).eval()
    tokens = torch.randint(1, task.vocabulary, (2, TASK.context))
    expected = network(tokens).numpy()

    session = onnxruntime.InferenceSession(tmp_path / "small.onnx")
    names = [entry.name for entry in session.get_inputs()]
    assert names[:3] == ["tokens", "past_key_values.0.key", "past_key_values.0.value"]
    cache: list[Any] = [np.zeros((2, heads, 0, 64), np.float32) for heads in (2, 2, 1, 1)]
    for place, new in enumerate(tokens.split(1, dim=1)):
        logits, *cache = session.run(None, dict(zip(names, [new.numpy(), *cache], strict=True)))
        np.testing.assert_allclose(np.asarray(logits)[:, 0], expected[:, place], atol=1e-4)

    decoder = open_decoder(tmp_path / "small.onnx")
    first, remembered = decoder.decode(tokens[:, :5], decoder.empty_cache(2))
    rest, _ = decoder.decode(tokens[:, 5:], remembered)
    np.testing.assert_allclose(torch.cat((first, rest), 1).numpy(), expected, atol=1e-4)

    measured = run_main("measure", "small.onnx", "--context", 6, "--repeats", 2)
    assert measured.returncode == 0, measured.stderr
    assert "tokens/s, 6 of a text at once" in measured.stdout
    assert "tokens/s with the cache, at token 6" in measured.stdout


def test_what_keeps_no_cache_is_one_line(tiny: str, run_main: RunCli) -> None:
    result = run_main("export", tiny, "16|bias|1-2", "--cache", "--to", "small.pt2")
    assert_fails(result, 2, "cannot export a cache to small.pt2")
    cell = "|none~0|+|none~0|none~1|+|none~0|none~1|skip_connect~2|"
    result = run_main("export", "nasbench201", cell, "--cache", "--to", "cell.onnx")
    assert_fails(result, 2, "the network keeps no cache of keys and values")


@torch.inference_mode()
def test_a_cache_that_is_wrong_is_not_written(tmp_path: Path) -> None:
    class Forgetful(LanguageModel):
        def decode(self, tokens: torch.Tensor, cache: Cache) -> tuple[torch.Tensor, Cache]:
            return super().decode(tokens, tuple((0 * keys, values) for keys, values in cache))

    network = Forgetful(16, [(1, 2)], bias=True, vocabulary=TASK.vocabulary)
    with pytest.raises(DiffusionNAGError, match="differs from PyTorch"):
        export_decoder(network, TASK, tmp_path / "network.onnx")
    assert list(tmp_path.iterdir()) == []


def test_measure_tells_tokens_per_second(tiny: str, tmp_path: Path, run_main: RunCli) -> None:
    (tmp_path / "plain.py").write_text(
        "from torch import nn\n"
        "from diffusionnag.spaces import Declaration, LanguageModelling\n"
        "def build(operations, task):\n"
        "    width = int(operations['width'])\n"
        "    layers = nn.Embedding(task.vocabulary, width), nn.Linear(width, task.outputs)\n"
        "    return nn.Sequential(*layers)\n"
        "nodes = {'width': ['4', '8'], 'end': ['end']}\n"
        "space = Declaration('plain', nodes, network=build, task=LanguageModelling(40, 8))\n"
    )
    options = ("--context", 6, "--repeats", 3, "--batch", 2)
    expected = {
        ("plain.py:space", "4|end", "torch"): r"without a cache \(the network has none\)",
        (tiny, "16|bias|1-2", "torch"): "with the cache, at token 6",
        (tiny, "16|bias|1-2", "onnxruntime"): "with the cache, at token 6",
    }
    for (name, text, backend), words in expected.items():
        measured = run_main("measure", name, text, *options, "--backend", backend)
        assert measured.returncode == 0, measured.stderr
        latency = re.search(r"latency: ([\d.]+) ms", measured.stdout)
        prompt = re.search(r"prompt: ([\d.,]+) tokens/s, 6 of a text at once", measured.stdout)
        assert latency is not None
        assert prompt is not None
        # Two texts of six tokens.
        assert float(prompt[1].replace(",", "")) == pytest.approx(
            12e3 / float(latency[1]), rel=0.05
        )
        assert re.search(rf"generation: [\d.,]+ tokens/s {words}", measured.stdout)
