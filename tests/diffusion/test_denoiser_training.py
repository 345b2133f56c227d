"""Training that is killed, interrupted, mistaken for another, or damaged."""

from __future__ import annotations

import signal
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from commands import Command
from conftest import RunCli, assert_fails, last_saved, wait_for

from diffusionnag import DiffusionNAGError, Generator, get_search_space
from diffusionnag.artifacts.training_state import STATE_FILE
from diffusionnag.diffusion.denoiser_training import Progress, TrainingRun, train
from diffusionnag.diffusion.recipes import get_recipe
from diffusionnag.generation.generator import Origin
from diffusionnag.generation.sampling import Sampling

SPACE = get_search_space("nasbench201")
BATCH = 32
# Keeps the state at every step instead of every 20 seconds, and takes small steps.
KEEN = f"""
from dataclasses import replace
import diffusionnag.diffusion.denoiser_training as training
import diffusionnag.diffusion.recipes as recipes
training.CHECKPOINT_SECONDS = 0.0
usual = recipes.get_recipe
recipes.get_recipe = lambda *wanted: replace(usual(*wanted), batch_size={BATCH})
"""


def arguments(folder: Path, steps: int, seed: int = 0) -> list[str]:
    options = {"--out": folder, "--steps": steps, "--seed": seed}
    return ["train-generator", "nasbench201", *(str(x) for pair in options.items() for x in pair)]


def small_run(seed: int = 0) -> TrainingRun:
    recipe = replace(get_recipe("fast", SPACE), batch_size=BATCH)
    return TrainingRun.start(SPACE, recipe, seed)


def unfinished(folder: Path, steps: int = 30) -> Path:
    """Leave the state of a training that was stopped after its 5th step; return its file."""

    def stop(progress: Progress) -> None:
        if progress.step == 5:
            raise KeyboardInterrupt

    run = small_run()
    with pytest.raises(KeyboardInterrupt):
        train(run, folder, steps=steps, report=stop)
    run.save_state(folder / STATE_FILE)
    return folder / STATE_FILE


def test_killed_again_and_again_it_ends_with_the_same_weights(tmp_path: Path) -> None:
    killed = tmp_path / "killed"
    for _ in range(2):
        process = Command(arguments(killed, 24), tmp_path, KEEN)
        before = last_saved(killed)
        wait_for(lambda before=before: last_saved(killed) > before, process)
        process.kill()
        process.communicate()
        assert process.returncode == -signal.SIGKILL
        assert {path.name for path in killed.iterdir()} == {STATE_FILE}
    steps: list[int] = []
    again = train(small_run(), killed, steps=24, report=lambda p: steps.append(p.step))
    assert 2 < steps[0] < 24
    assert steps[-1] == 24
    undisturbed = train(small_run(), tmp_path, steps=24)
    for name, weight in undisturbed.state_dict().items():
        assert torch.equal(weight, again.state_dict()[name])


@pytest.mark.slow
def test_interrupted_it_says_so_and_goes_on(tmp_path: Path) -> None:
    folder = tmp_path / "model"
    process = Command(arguments(folder, 24), tmp_path, KEEN)
    wait_for(lambda: last_saved(folder) > 0, process)
    process.send_signal(signal.SIGINT)
    assert_fails(process.result(), 1, "interrupt")
    assert {path.name for path in folder.iterdir()} == {STATE_FILE}
    done = Command(arguments(folder, 24), tmp_path, KEEN).result()
    assert done.returncode == 0, done.stderr
    assert "resuming from step" in done.stderr
    assert Generator.from_pretrained(folder).origin == Origin("fast", 24, 0)


def test_interrupted_before_anything_was_kept_it_keeps_what_it_has(tmp_path: Path) -> None:
    def stop(progress: Progress) -> None:
        if progress.step == 5:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train(small_run(), tmp_path, steps=30, report=stop)
    resumed: list[int] = []
    train(small_run(), tmp_path, steps=30, report=lambda progress: resumed.append(progress.step))
    assert resumed == list(range(6, 31))


def test_a_resumed_run_takes_the_remaining_steps_only(tmp_path: Path) -> None:
    unfinished(tmp_path)
    resumed: list[int] = []
    again = train(small_run(), tmp_path, steps=30, report=lambda p: resumed.append(p.step))
    assert resumed == list(range(6, 31))
    (tmp_path / "other").mkdir()
    once = train(small_run(), tmp_path / "other", steps=30)
    for name, weight in once.state_dict().items():
        assert torch.equal(again.state_dict()[name], weight), name


def test_seeds_make_different_generators(tmp_path: Path) -> None:
    weights = []
    for seed in (0, 1):
        (tmp_path / str(seed)).mkdir()
        weights.append(train(small_run(seed), tmp_path / str(seed), steps=3).state_dict())
    assert any(not torch.equal(weights[0][name], weights[1][name]) for name in weights[0])


def test_the_loss_falls_and_validity_is_reported(tmp_path: Path) -> None:
    seen: list[Progress] = []
    train(small_run(), tmp_path, steps=60, report=seen.append)
    assert [progress.step for progress in seen] == list(range(1, 61))
    assert {progress.steps for progress in seen} == {60}
    assert sum(p.loss for p in seen[-5:]) < 0.8 * sum(p.loss for p in seen[:5])
    assert 0 <= seen[-1].validity <= 100


@pytest.mark.parametrize("changed", ["seed", "steps"])
def test_an_unfinished_training_of_other_settings_is_not_continued(
    tmp_path: Path, run_main: RunCli, changed: str
) -> None:
    state = unfinished(tmp_path).read_bytes()
    settings = {"steps": 30} | {changed: 31}
    assert_fails(run_main(*arguments(tmp_path, **settings)), 2, "unfinished training")
    assert (tmp_path / STATE_FILE).read_bytes() == state


def test_an_unfinished_training_of_another_space_is_not_continued(
    tmp_path: Path, run_main: RunCli
) -> None:
    unfinished(tmp_path)
    result = run_main("train-generator", "mnasnet", "--out", tmp_path, "--steps", 30)
    assert_fails(result, 2, "unfinished training")


def test_a_damaged_state_is_one_line(tmp_path: Path, run_main: RunCli) -> None:
    state = unfinished(tmp_path)
    state.write_bytes(state.read_bytes()[:-1])
    assert_fails(run_main(*arguments(tmp_path, 30)), 2, STATE_FILE)


def test_any_damage_to_a_state_is_noticed(tmp_path: Path) -> None:
    state = unfinished(tmp_path)
    intact = state.read_bytes()
    header = 8 + int.from_bytes(intact[:8], "little")
    flips = [*range(0, header, 97), header, (header + len(intact)) // 2, len(intact) - 1]
    damaged = [intact[:at] + bytes([intact[at] ^ 1]) + intact[at + 1 :] for at in flips]
    run = small_run()
    for content in (b"", intact[:4], intact[: len(intact) // 2], *damaged):
        state.write_bytes(content)
        with pytest.raises(DiffusionNAGError):
            train(run, tmp_path, steps=30)


def test_a_finished_generator_is_not_trained_over(tmp_path: Path, run_main: RunCli) -> None:
    recipe = get_recipe("fast", SPACE)
    denoiser = train(small_run(), tmp_path, steps=2)
    Generator(SPACE, denoiser, recipe.solver, Origin("fast", 2, 0)).save_pretrained(tmp_path)
    weights = (tmp_path / "model.safetensors").read_bytes()
    assert_fails(run_main(*arguments(tmp_path, 2)), 2, "holds a trained generator")
    assert (tmp_path / "model.safetensors").read_bytes() == weights


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--steps", "0"), "above 0"),
        (("--minutes", "-1"), "above 0"),
        (("--minutes", "nan"), "--minutes"),
        (("--minutes", "inf"), "--minutes"),
        (("--steps", "3", "--minutes", "1"), "not both"),
        (("--steps", "3", "--recipe", "slow"), "known: fast, paper"),
        (("--steps", "3", "--device", "tpu"), "no device 'tpu'"),
        (("--steps", "3", "--seed", "-1"), "seed"),
        (("--steps", "3", "--seed", "99999999999999999999"), "seed"),
    ],
)
def test_wrong_settings_are_one_line(
    run_main: RunCli, tmp_path: Path, options: tuple[str, ...], message: str
) -> None:
    result = run_main("train-generator", "nasbench201", "--out", "model", *options)
    assert_fails(result, 2, message)
    assert not (tmp_path / "model" / "model.safetensors").exists()


def test_a_folder_that_cannot_be_written_is_noticed_before_training(
    run_main: RunCli, tmp_path: Path
) -> None:
    (tmp_path / "file").touch()
    assert_fails(run_main(*arguments(tmp_path / "file" / "model", 10**9)), 1, "cannot write")


@pytest.mark.parametrize("recipe", ["fast", "paper"])
def test_a_generator_that_is_not_usable_does_not_advertise_itself(
    tmp_path: Path, run_main: RunCli, recipe: str
) -> None:
    result = run_main(*arguments(tmp_path / "model", 2), "--recipe", recipe)
    assert result.returncode == 0, result.stderr
    assert "too short a training" in result.stdout or "not usable yet" in result.stdout
    assert "nan" not in result.stdout
    assert "use it with" not in result.stderr
    assert "saved in" in result.stderr


def test_the_published_recipe_trains_saves_and_samples(tmp_path: Path) -> None:
    recipe = get_recipe("paper", SPACE)
    denoiser = train(TrainingRun.start(SPACE, recipe, 0), tmp_path, steps=1)
    generator = Generator(SPACE, denoiser, recipe.solver, Origin("paper", 1, 0))
    generator.save_pretrained(tmp_path)
    loaded = Generator.from_pretrained(tmp_path)
    assert loaded.solver == "predictor_corrector"
    assert sum(p.numel() for p in loaded.denoiser.parameters()) == pytest.approx(3.99e6, rel=2e-3)
    assert loaded.draw(3, sampling=Sampling(steps=4, seed=5)) == generator.draw(
        3, sampling=Sampling(steps=4, seed=5)
    )
