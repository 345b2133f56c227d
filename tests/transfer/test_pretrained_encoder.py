"""Image encoders of the package transformers: tiny ones, drawn at random and kept in a folder."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from conftest import RunCli, assert_fails
from test_transfer import draw_images

from diffusionnag.errors import DiffusionNAGError
from diffusionnag.spaces import get_search_space
from diffusionnag.transfer.image_encoder import load_image_encoder
from diffusionnag.transfer.predictor import DatasetAwarePredictor
from diffusionnag.transfer.triplets import write_triplets

transformers = pytest.importorskip("transformers")


def save_vision_model(folder: Path, seed: int) -> Path:
    torch.manual_seed(seed)
    config = transformers.ViTConfig(
        hidden_size=16,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=16,
        image_size=16,
        patch_size=8,
    )
    transformers.ViTModel(config, add_pooling_layer=False).save_pretrained(folder)
    return folder


def test_codes_are_those_of_the_model_and_its_own_preprocessing(tmp_path: Path) -> None:
    folder = save_vision_model(tmp_path / "vit", 0)
    pixels = torch.rand(3, 3, 16, 16)
    encoder = load_image_encoder(str(folder))
    assert (encoder.size, encoder.dimensions) == (16, 16)
    first = encoder(pixels)
    assert first.shape == (3, 16)
    written = (
        '{"image_mean": [0, 0, 0], "image_std": [1, 1, 1], "size": {"height": 16, "width": 16}}'
    )
    (folder / "preprocessor_config.json").write_text(written)
    model = transformers.ViTModel.from_pretrained(folder, add_pooling_layer=False).eval()
    described = load_image_encoder(str(folder))
    assert described.name == encoder.name
    with torch.no_grad():
        expected = model(pixel_values=pixels).last_hidden_state.mean(1)
    assert torch.allclose(described(pixels), expected, atol=1e-6)
    assert not torch.allclose(first, expected, atol=1e-3)


def test_a_convolutional_model_gives_one_code_an_image(tmp_path: Path) -> None:
    config = transformers.ResNetConfig(
        embedding_size=8, hidden_sizes=[8, 12], depths=[1, 1], layer_type="basic"
    )
    transformers.ResNetModel(config).save_pretrained(tmp_path / "resnet")
    encoder = load_image_encoder(str(tmp_path / "resnet"))
    assert encoder.size == 224
    assert encoder(torch.rand(2, 3, 64, 64)).shape == (2, 12)


@pytest.mark.usefixtures("short_meta_training")
def test_a_predictor_keeps_to_its_image_encoder(
    run_main: RunCli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    draw_images(tmp_path / "images")
    encoder = save_vision_model(tmp_path / "encoder", 0)
    save_vision_model(tmp_path / "other", 1)
    space = get_search_space("nasbench201")
    accuracies = np.random.default_rng(0).uniform(40, 60, 60).tolist()
    write_triplets(tmp_path / "t.parquet", space, space.sample(60, 0), accuracies, ["ants", "bees"])
    command = ("meta-train", "nasbench201", "--triplets", "t.parquet", "--images", "images")
    options = ("--held-out", 0, "--encoder", "encoder", "--out", "predictor")
    learnt = run_main(*command, *options)
    assert learnt.returncode == 0, learnt.stderr

    transfer = ("transfer", "nasbench201", "--data", "images", "--predictor", "predictor", "-n", 8)
    done = run_main(*transfer)
    assert done.returncode == 0, done.stderr
    assert_fails(run_main(*transfer, "--encoder", "other"), 2, "another image encoder than other")
    assert_fails(run_main(*transfer, "--encoder", "small"), 2, "another image encoder than small")
    encoder.rename(tmp_path / "moved")
    assert_fails(run_main(*transfer), 2, "no image encoder 'encoder'")
    moved = run_main(*transfer, "--encoder", "moved")
    assert moved.stdout == done.stdout
    predictor = DatasetAwarePredictor.from_pretrained(
        tmp_path / "predictor", image_encoder=str(tmp_path / "moved")
    )
    assert predictor.image_encoder.source == str(tmp_path / "moved")


def test_what_is_no_vision_model_is_refused(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(DiffusionNAGError, match="holds no model"):
        load_image_encoder(str(tmp_path / "empty"))
    with pytest.raises(DiffusionNAGError, match="no image encoder"):
        load_image_encoder("no such thing")
    words = transformers.BertConfig(
        hidden_size=8, num_hidden_layers=1, num_attention_heads=1, intermediate_size=8, vocab_size=9
    )
    transformers.BertModel(words).save_pretrained(tmp_path / "words")
    with pytest.raises(DiffusionNAGError, match="no model of images"):
        load_image_encoder(str(tmp_path / "words"))
    folder = save_vision_model(tmp_path / "cut", 0)
    (folder / "model.safetensors").write_bytes(b"cut")
    with pytest.raises(DiffusionNAGError, match="no model that can be read"):
        load_image_encoder(str(folder))
