"""Once-for-All's weights: networks taken out of them compute what its authors' networks do."""

from __future__ import annotations

from pathlib import Path

import pytest
import safetensors.torch
import torch
from conftest import RunCli, assert_fails
from torch import Tensor
from torch.nn import functional as F

from diffusionnag import get_search_space
from diffusionnag.supernets import TrainedSupernet, import_ofa_weights, inherited

SPACE = get_search_space("mobilenetv3")
CLASSES = 3
STAGES = (  # channels, stride, gate, hard-swish
    (24, 2, False, False),
    (40, 2, True, False),
    (80, 2, False, True),
    (112, 1, True, True),
    (160, 2, True, True),
)
NETWORKS = (
    "|".join(["7-6,7-6,7-6,7-6"] * 5),
    "|".join(["3-3,3-3,none,none"] * 5),
    "5-4,3-6,none,none|7-3,5-6,3-4,none|3-3,7-4,5-4,5-6|7-6,5-3,none,none|3-4,3-6,7-3,none",
)


def rounded(channels: float) -> int:
    """Round to a multiple of eight, losing at most a tenth."""
    near = max(8, int(channels + 4) // 8 * 8)
    return near + 8 if near < 0.9 * channels else near


def ofa_state() -> dict[str, Tensor]:
    """Random tensors by the names and of the shapes of `ofa_mbv3_d234_e346_k357_w1.0`."""
    rng = torch.Generator().manual_seed(0)
    state: dict[str, Tensor] = {}

    def weight(name: str, *shape: int) -> None:
        fan = torch.Size(shape[1:]).numel()
        state[name] = torch.randn(shape, generator=rng) * (2 / fan) ** 0.5

    def norm(name: str, channels: int) -> None:
        state[f"{name}.weight"] = 1 + 0.1 * torch.randn(channels, generator=rng)
        state[f"{name}.bias"] = 0.1 * torch.randn(channels, generator=rng)
        state[f"{name}.running_mean"] = 0.1 * torch.randn(channels, generator=rng)
        state[f"{name}.running_var"] = 1 + torch.rand(channels, generator=rng)
        state[f"{name}.num_batches_tracked"] = torch.tensor(7)

    weight("first_conv.conv.weight", 16, 3, 3, 3)
    norm("first_conv.bn", 16)
    weight("blocks.0.mobile_inverted_conv.depth_conv.conv.weight", 16, 1, 3, 3)
    norm("blocks.0.mobile_inverted_conv.depth_conv.bn", 16)
    weight("blocks.0.mobile_inverted_conv.point_linear.conv.weight", 16, 16, 1, 1)
    norm("blocks.0.mobile_inverted_conv.point_linear.bn", 16)
    inputs, number = 16, 1
    for channels, _, gated, _ in STAGES:
        for _ in range(4):
            block, hidden = f"blocks.{number}.mobile_inverted_conv", rounded(6 * inputs)
            weight(f"{block}.inverted_bottleneck.conv.conv.weight", hidden, inputs, 1, 1)
            norm(f"{block}.inverted_bottleneck.bn.bn", hidden)
            weight(f"{block}.depth_conv.conv.conv.weight", hidden, 1, 7, 7)
            for large, small in ((7, 5), (5, 3)):
                noise = 0.1 * torch.randn((small**2, small**2), generator=rng)
                matrix = torch.eye(small**2) + noise
                state[f"{block}.depth_conv.conv.{large}to{small}_matrix"] = matrix
            norm(f"{block}.depth_conv.bn.bn", hidden)
            if gated:
                gate, squeezed = f"{block}.depth_conv.se.fc", rounded(hidden // 4)
                weight(f"{gate}.reduce.weight", squeezed, hidden, 1, 1)
                state[f"{gate}.reduce.bias"] = 0.1 * torch.randn(squeezed, generator=rng)
                weight(f"{gate}.expand.weight", hidden, squeezed, 1, 1)
                state[f"{gate}.expand.bias"] = 0.1 * torch.randn(hidden, generator=rng)
            weight(f"{block}.point_linear.conv.conv.weight", channels, hidden, 1, 1)
            norm(f"{block}.point_linear.bn.bn", channels)
            inputs, number = channels, number + 1
    weight("final_expand_layer.conv.weight", 960, 160, 1, 1)
    norm("final_expand_layer.bn", 960)
    weight("feature_mix_layer.conv.weight", 1280, 960, 1, 1)
    weight("classifier.linear.weight", CLASSES, 1280)
    state["classifier.linear.bias"] = torch.randn(CLASSES, generator=rng)
    return state


def reference(state: dict[str, Tensor], text: str, x: Tensor) -> Tensor:
    """Return what Once-for-All's network computes, written down from its paper, layer by layer."""

    def norm(x: Tensor, name: str) -> Tensor:
        mean, var, scale, shift = (
            state[f"{name}.{part}"][: x.shape[1], None, None]
            for part in ("running_mean", "running_var", "weight", "bias")
        )
        return (x - mean) / (var + 1e-5).sqrt() * scale + shift

    def swish(x: Tensor) -> Tensor:
        return x * (x + 3).clamp(0, 6) / 6

    def kernel(name: str, hidden: int, size: int) -> Tensor:
        weights = state[f"{name}.conv.weight"][:hidden]
        for large in (7, 5):
            if size < large:
                middle = weights[:, 0, 1:-1, 1:-1].reshape(hidden, -1)
                made = middle @ state[f"{name}.{large}to{large - 2}_matrix"].T
                weights = made.reshape(hidden, 1, large - 2, large - 2)
        return weights

    x = F.conv2d(x, state["first_conv.conv.weight"], stride=2, padding=1)
    x = swish(norm(x, "first_conv.bn"))
    first = "blocks.0.mobile_inverted_conv"
    y = F.conv2d(x, state[f"{first}.depth_conv.conv.weight"], padding=1, groups=16)
    y = norm(y, f"{first}.depth_conv.bn").relu()
    y = F.conv2d(y, state[f"{first}.point_linear.conv.weight"])
    x = x + norm(y, f"{first}.point_linear.bn")
    for stage, slots in enumerate(text.split("|")):
        _, stride, gated, hard = STAGES[stage]
        act = swish if hard else torch.relu
        for layer, choice in enumerate(slots.replace("none", "").strip(",").split(",")):
            size, expansion = map(int, choice.split("-"))
            block = f"blocks.{1 + 4 * stage + layer}.mobile_inverted_conv"
            hidden = rounded(expansion * x.shape[1])
            y = F.conv2d(x, state[f"{block}.inverted_bottleneck.conv.conv.weight"][:hidden])
            y = act(norm(y, f"{block}.inverted_bottleneck.bn.bn"))
            y = F.conv2d(
                y,
                kernel(f"{block}.depth_conv.conv", hidden, size),
                stride=1 if layer else stride,
                padding=size // 2,
                groups=hidden,
            )
            y = act(norm(y, f"{block}.depth_conv.bn.bn"))
            if gated:
                gate, squeezed = f"{block}.depth_conv.se.fc", rounded(hidden // 4)
                z = y.mean((2, 3)) @ state[f"{gate}.reduce.weight"][:squeezed, :hidden, 0, 0].T
                z = (z + state[f"{gate}.reduce.bias"][:squeezed]).relu()
                z = z @ state[f"{gate}.expand.weight"][:hidden, :squeezed, 0, 0].T
                z = z + state[f"{gate}.expand.bias"][:hidden]
                y = y * ((z + 3).clamp(0, 6) / 6)[:, :, None, None]
            y = F.conv2d(y, state[f"{block}.point_linear.conv.conv.weight"][:, :hidden])
            y = norm(y, f"{block}.point_linear.bn.bn")
            x = x + y if layer else y
    x = F.conv2d(x, state["final_expand_layer.conv.weight"])
    x = swish(norm(x, "final_expand_layer.bn")).mean((2, 3))
    x = swish(x @ state["feature_mix_layer.conv.weight"][:, :, 0, 0].T)
    return x @ state["classifier.linear.weight"].T + state["classifier.linear.bias"]


@pytest.fixture(scope="module")
def state() -> dict[str, Tensor]:
    return ofa_state()


@pytest.fixture(scope="module")
def imported(state: dict[str, Tensor], tmp_path_factory: pytest.TempPathFactory) -> TrainedSupernet:
    path = tmp_path_factory.mktemp("ofa") / "ofa_mbv3_d234_e346_k357_w1.0"
    torch.save({"state_dict": state}, path)
    return import_ofa_weights(path)


@pytest.mark.parametrize("text", NETWORKS, ids=["largest", "smallest", "mixed"])
def test_a_network_computes_what_the_reference_does(
    text: str, state: dict[str, Tensor], imported: TrainedSupernet
) -> None:
    x = torch.randn((2, 3, 64, 64), generator=torch.Generator().manual_seed(1))
    network = imported.inherit(SPACE.parse(text)).network
    with torch.no_grad():
        expected = reference(state, text, x)
        torch.testing.assert_close(network(x), expected, rtol=1e-5, atol=1e-5)


def test_the_command_writes_a_folder_of_shared_weights(
    state: dict[str, Tensor], imported: TrainedSupernet, tmp_path: Path, run_main: RunCli
) -> None:
    # Later files of its authors have other names.
    renamed = {
        name.replace(".mobile_inverted_conv.", ".conv.").replace(".bn.bn.", ".bn."): each
        for name, each in state.items()
        if "num_batches_tracked" not in name
    }
    safetensors.torch.save_file(renamed, tmp_path / "ofa.safetensors")
    result = run_main("import", "ofa-weights", "ofa.safetensors", "--out", "shared")
    assert result.returncode == 0, result.stderr
    loaded = TrainedSupernet.load(tmp_path / "shared").supernet.state_dict()
    for name, tensor in imported.supernet.state_dict().items():
        assert name.endswith("num_batches_tracked") or torch.equal(loaded[name], tensor)
    # What names no data keeps the statistics that it came with.
    smallest = SPACE.parse(NETWORKS[1])
    network = inherited(tmp_path / "shared", SPACE, smallest, calibrated=True).network
    x = torch.randn((1, 3, 32, 32), generator=torch.Generator().manual_seed(1))
    torch.testing.assert_close(network(x), imported.inherit(smallest).network(x))


def test_other_files_are_refused_in_one_line(
    state: dict[str, Tensor], tmp_path: Path, run_main: RunCli
) -> None:
    def refused(name: str, message: str) -> None:
        assert_fails(run_main("import", "ofa-weights", name, "--out", "shared"), 2, message)

    refused("missing", "no file")
    torch.save({"weight": torch.ones(2)}, tmp_path / "other")
    refused("other", "no weights of Once-for-All")
    (tmp_path / "damaged").write_bytes(b"nothing")
    refused("damaged", "damaged")
    torch.save(Path, tmp_path / "code")
    refused("code", "more than weights")
    torch.save({n: each for n, each in state.items() if "7to5" not in n}, tmp_path / "few")
    refused("few", "lacks")
