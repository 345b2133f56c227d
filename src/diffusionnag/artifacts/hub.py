"""Sharing models: what can be written into a folder can be put on the Hugging Face hub."""

from __future__ import annotations

from abc import ABC, abstractmethod
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any


class HubModel(ABC):
    """A model that is written into a folder, and so onto the hub."""

    @abstractmethod
    def save_pretrained(self, folder: str | Path) -> None:
        """Write the model into a folder; raises EnvironmentFailureError where that fails."""

    def push_to_hub(
        self, repo_id: str, *, private: bool | None = None, **upload_options: Any
    ) -> str:
        """Put the model into a repository of the hub, made where there is none; return its address.

        `upload_options` go to `huggingface_hub.HfApi.upload_folder`. Raises what the hub's client does.
        """
        # It takes half a second to import, which nobody who only generates should wait for.
        from huggingface_hub import HfApi

        hub = HfApi(token=upload_options.pop("token", None))
        repository = hub.create_repo(repo_id, private=private, exist_ok=True)
        with TemporaryDirectory() as folder:
            self.save_pretrained(folder)
            hub.upload_folder(repo_id=repository.repo_id, folder_path=folder, **upload_options)
        return str(repository)
