"""Models go to the hub as the folders that they are saved into."""

import json
from pathlib import Path
from typing import Any, ClassVar

import huggingface_hub
import pytest

from diffusionnag import Generator, PropertyPredictor
from diffusionnag.artifacts.hub import HubModel
from diffusionnag.transfer import DatasetAwarePredictor


def contents(folder: Path) -> dict[str, bytes]:
    """Return every file below a folder, by its place there."""
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


class Hub:
    """Stands in for the client of the hub: keeps what is asked of it, and what is uploaded."""

    asked: ClassVar[dict[str, Any]] = {}
    uploaded: ClassVar[dict[str, bytes]] = {}

    def __init__(self, token: str | None = None) -> None:
        Hub.asked["token"] = token

    def create_repo(self, repo_id: str, **options: Any) -> huggingface_hub.RepoUrl:
        Hub.asked.update(options)
        return huggingface_hub.RepoUrl(f"https://huggingface.co/{repo_id}")

    def upload_folder(self, *, repo_id: str, folder_path: str, **options: Any) -> None:
        Hub.asked.update(repo_id=repo_id, **options)
        Hub.uploaded.update(contents(Path(folder_path)))


@pytest.mark.parametrize(
    "load",
    [
        lambda: Generator.from_pretrained("nasbench201"),
        lambda: PropertyPredictor.from_pretrained("nasbench201-cifar10"),
        lambda: DatasetAwarePredictor.from_pretrained("nasbench201"),
    ],
    ids=["generator", "predictor", "dataset_aware_predictor"],
)
def test_what_is_uploaded_is_the_saved_model(
    load: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Hub, "asked", {})
    monkeypatch.setattr(Hub, "uploaded", {})
    monkeypatch.setattr(huggingface_hub, "HfApi", Hub)
    model: HubModel = load()
    address = model.push_to_hub("somebody/model", private=True, token="t", commit_message="first")
    assert address == "https://huggingface.co/somebody/model"
    assert Hub.asked == {
        "token": "t",
        "private": True,
        "exist_ok": True,
        "repo_id": "somebody/model",
        "commit_message": "first",
    }
    model.save_pretrained(tmp_path)
    assert Hub.uploaded == contents(tmp_path)
    config = json.loads(Hub.uploaded["config.json"])
    assert config["search_space"] == "nasbench201"
