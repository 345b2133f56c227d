"""Images from data sets of the Hugging Face hub."""

from __future__ import annotations

import io
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from diffusionnag.errors import DiffusionNAGError, EnvironmentFailureError
from diffusionnag.images import read_images, read_pixels


def png(shade: int) -> bytes:
    file = io.BytesIO()
    Image.new("RGB", (6, 6), (shade, shade, shade)).save(file, "PNG")
    return file.getvalue()


@pytest.fixture
def hub_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A data set as the hub keeps one: a Parquet file for each split."""
    pytest.importorskip("datasets")
    monkeypatch.setattr("datasets.config.HF_DATASETS_CACHE", tmp_path / "cache")
    folder = tmp_path / "fruit"
    folder.mkdir()
    for split, shades in {"train": (10, 20, 30, 40), "test": (50, 60)}.items():
        images = [{"bytes": png(shade), "path": None} for shade in shades]
        labels = [shade // 10 % 2 for shade in shades]
        table = pa.table({"image": images, "label": labels})
        described = (
            '{"info": {"features": {"image": {"_type": "Image"}, "label": '
            '{"names": ["apple", "pear"], "_type": "ClassLabel"}}}}'
        )
        table = table.replace_schema_metadata({"huggingface": described})
        pq.write_table(table, folder / f"{split}-00000-of-00001.parquet")
    return folder


def test_a_data_set_of_the_hub_is_read_by_split(hub_folder: Path) -> None:
    training = read_images(f"hf:{hub_folder}")
    assert training.classes == ("apple", "pear")
    assert training.labels.tolist() == [1, 0, 1, 0]
    tested = read_images(f"hf:{hub_folder}:test")
    assert [int(image[0, 0, 0]) for image in read_pixels(tested, 6).values] == [50, 60]
    with pytest.raises(DiffusionNAGError, match="no split 'other'; it has train, test"):
        read_images(f"hf:{hub_folder}:other")


def test_a_folder_of_files_is_read_by_the_package_datasets_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("datasets")
    monkeypatch.setattr("datasets.config.HF_DATASETS_CACHE", tmp_path / "cache")
    for name, shade in {"ants": 10, "bees": 90}.items():
        (tmp_path / "images" / name).mkdir(parents=True)
        (tmp_path / "images" / name / "one.png").write_bytes(png(shade))
    images = read_images(f"hf:{tmp_path / 'images'}")
    assert images.classes == ("ants", "bees")
    shades = {
        images.classes[label]: int(values[0, 0, 0])
        for label, values in zip(images.labels, read_pixels(images, 6).values, strict=True)
    }
    assert shades == {"ants": 10, "bees": 90}


def test_a_data_set_that_is_nowhere_is_told(tmp_path: Path) -> None:
    pytest.importorskip("datasets")
    with pytest.raises(EnvironmentFailureError, match="no images from hf:"):
        read_images(f"hf:{tmp_path / 'absent'}")
