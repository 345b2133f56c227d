"""Images from PyTorch data sets and from functions of the user's own."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from diffusionnag.errors import DiffusionNAGError
from diffusionnag.images import images_of_dataset, join_image_sets, read_images, read_pixels


class Shades(torch.utils.data.Dataset):
    """Pairs of an image of one shade, in the given form, and the label 0, 2, 0, 2, ..."""

    def __init__(self, form: str) -> None:
        self.form = form

    def __len__(self) -> int:
        return 4

    def __getitem__(self, index: int) -> tuple[object, int]:
        if index >= len(self):
            raise IndexError
        values = np.full((6, 5, 3), 50 * index, dtype=np.uint8)
        forms = {
            "pillow": lambda: Image.fromarray(values),
            "array": lambda: values,
            "grey": lambda: values[:, :, 0],
            "tensor": lambda: torch.from_numpy(values).permute(2, 0, 1) / 255,
            "normalised": lambda: torch.from_numpy(values).permute(2, 0, 1) / 50 - 1,
            "words": lambda: "an image",
        }
        return forms[self.form](), index % 2 * 2


@pytest.mark.parametrize("form", ["pillow", "array", "grey", "tensor"])
def test_a_torch_data_set_is_read_whatever_its_images_are(form: str) -> None:
    images = images_of_dataset(Shades(form))
    assert images.classes == ("0", "2")
    pixels = read_pixels(images, 5)
    assert pixels.labels.tolist() == [0, 1, 0, 1]
    assert pixels.values[:, 0, 0, 0].tolist() == [0, 50, 100, 150]


@pytest.mark.parametrize("form", ["normalised", "words"])
def test_images_of_no_known_kind_are_refused(form: str) -> None:
    with pytest.raises(DiffusionNAGError, match="should be pillow's"):
        images_of_dataset(Shades(form))


class Failing(Shades):
    """Fails at one of its images as only data sets on a disk do."""

    def __init__(self, at: int, targets: list[int] | None) -> None:
        super().__init__("array")
        self.at, self.targets = at, targets

    def __getitem__(self, index: int) -> tuple[object, int]:
        if index == self.at:
            raise OSError("truncated")
        return super().__getitem__(index)


def test_a_data_set_that_fails_is_one_line() -> None:
    with pytest.raises(DiffusionNAGError, match=r"should have a length.*OSError: truncated"):
        images_of_dataset(Failing(2, None))
    with pytest.raises(DiffusionNAGError, match="image 0 cannot be read: OSError: truncated"):
        images_of_dataset(Failing(0, [0, 1, 0, 1]))
    images = images_of_dataset(Failing(2, [0, 1, 0, 1]))
    with pytest.raises(DiffusionNAGError, match="image 2 cannot be read: OSError: truncated"):
        read_pixels(images, 5)


def test_a_function_of_a_file_gives_the_data_set(tmp_path: Path) -> None:
    code = tmp_path / "data.py"
    code.write_text(
        "import numpy as np\n\n\n"
        "class Set:\n"
        "    targets = [1, 0, 1]\n"
        "    classes = ['ant', 'bee']\n\n"
        "    def __len__(self):\n"
        "        return 3\n\n"
        "    def __getitem__(self, index):\n"
        "        return np.zeros((4, 4, 3), np.uint8), None\n\n\n"
        "def broken():\n"
        "    raise OSError('no disk')\n\n\n"
        "def number():\n"
        "    return 3\n"
    )
    images = read_images(f"python:{code}:Set")
    assert images.classes == ("ant", "bee")
    assert images.labels.tolist() == [1, 0, 1]
    for name, message in {
        "broken": "OSError: no disk",
        "absent": "no function 'absent'",
        "number": "should have a length",
    }.items():
        with pytest.raises(DiffusionNAGError, match=message):
            read_images(f"python:{code}:{name}")


def test_joined_data_sets_keep_their_images_and_classes_apart() -> None:
    coloured, grey = images_of_dataset(Shades("array")), images_of_dataset(Shades("grey"))
    joined = join_image_sets([coloured, grey])
    assert joined.classes == ("0", "2", "0", "2")
    assert joined.labels.tolist() == [0, 1, 0, 1, 2, 3, 2, 3]
    assert [joined.encoded(row) for row in range(8)] == [
        part.encoded(row) for part in (coloured, grey) for row in range(4)
    ]
