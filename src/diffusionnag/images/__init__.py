"""Image data sets of the user's own: found, decoded one by one, brought to one size."""

from diffusionnag.images.dataset import (
    ImageSet,
    Pixels,
    join_image_sets,
    merge_image_sets,
    read_pixels,
)
from diffusionnag.images.python_dataset import images_of_dataset
from diffusionnag.images.sources import read_images

__all__ = [
    "ImageSet",
    "Pixels",
    "images_of_dataset",
    "join_image_sets",
    "merge_image_sets",
    "read_images",
    "read_pixels",
]
