"""Image data sets as users have them: of any size and colour mode, and partly broken."""

from __future__ import annotations

import io
import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from diffusionnag import DiffusionNAGError
from diffusionnag.images import merge_image_sets, read_images, read_pixels

RED, GREEN = (250, 10, 10), (10, 250, 10)


def encoded(
    colour: tuple[int, ...] | int = RED,
    mode: str = "RGB",
    size: tuple[int, int] = (40, 30),
    kind: str = "PNG",
) -> bytes:
    buffer = io.BytesIO()
    Image.new(mode, size, colour).save(buffer, kind)
    return buffer.getvalue()


def write(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)


def write_table(path: Path, columns: dict[str, list[object]], metadata: object = None) -> Path:
    table = pa.table(columns)
    if metadata is not None:
        table = table.replace_schema_metadata({"huggingface": json.dumps(metadata)})
    pq.write_table(table, path)
    return path


def test_classes_of_the_same_name_are_one_class_of_merged_sets(tmp_path: Path) -> None:
    for name in ("first/cat/1.png", "first/dog/1.png", "second/ape/1.png", "second/dog/1.png"):
        write(tmp_path / name, encoded(RED if "first" in name else GREEN))
    merged = merge_image_sets([read_images(tmp_path / part) for part in ("first", "second")])
    assert merged.classes == ("cat", "dog", "ape")
    assert merged.labels.tolist() == [0, 1, 2, 1]
    pixels = read_pixels(merged, 8, merged.of_class(1))
    assert pixels.values[:, :, 4, 4].tolist() == [list(RED), list(GREEN)]


def test_a_folder_of_classes(tmp_path: Path) -> None:
    for name in ("dog/b.png", "dog/deep/a.PNG", "cat/z.png", "cat/.hidden.png", "dog/notes.txt"):
        write(tmp_path / name, encoded(RED if "dog" in name else GREEN))
    (tmp_path / "empty").mkdir()
    images = read_images(tmp_path)
    assert images.classes == ("cat", "dog")
    assert images.labels.tolist() == [0, 1, 1]
    assert images.of_class(1).tolist() == [1, 2]
    pixels = read_pixels(images, 8)
    assert pixels.values.shape == (3, 3, 8, 8)
    assert pixels.values[0, :, 4, 4].tolist() == list(GREEN)
    assert pixels.values[2, :, 4, 4].tolist() == list(RED)


def test_copies_that_programs_keep_are_no_images(tmp_path: Path) -> None:
    for place in ("", ".ipynb_checkpoints/", "@eaDir/a.png/", "__MACOSX/", ".git/objects/"):
        write(tmp_path / "cat" / f"{place}a.png", encoded())
    write(tmp_path / "__MACOSX" / "cat" / "a.png", encoded())
    images = read_images(tmp_path)
    assert (images.classes, len(images)) == (("cat",), 1)


def test_linked_folders_are_followed_and_circles_end(tmp_path: Path) -> None:
    write(tmp_path / "elsewhere" / "deep" / "a.png", encoded())
    write(tmp_path / "images" / "cat" / "b.png", encoded())
    (tmp_path / "images" / "dog").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "images" / "cat" / "more").symlink_to(tmp_path / "elsewhere" / "deep")
    (tmp_path / "images" / "cat" / "circle").symlink_to(tmp_path / "images" / "cat")
    images = read_images(tmp_path / "images")
    assert images.classes == ("cat", "dog")
    assert images.labels.tolist() == [0, 0, 1]


def test_a_class_of_unknown_endings_is_told(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    for name in ("cat/a.jfif", "dog/a.JPE", "owl/a.raw3"):
        write(tmp_path / name, encoded(kind="JPEG"))
    assert read_images(tmp_path).classes == ("cat", "dog")
    assert "owl is no class: it holds no images that are known by their ending, but a.raw3" in (
        caplog.text
    )


def grey(values: object, kind: str = "TIFF") -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(np.array(values)).save(buffer, kind)
    return buffer.getvalue()


def test_grey_values_are_scaled_by_what_the_format_says(tmp_path: Path) -> None:
    ramp = np.array([[0.0, 0.2], [0.2, 1.0]])
    write(tmp_path / "a" / "0.tif", grey(ramp.astype(np.float32)))
    write(tmp_path / "a" / "1.tif", grey((65535 * ramp).astype(np.uint16)))
    write(tmp_path / "a" / "2.png", grey((65535 * ramp).astype(np.uint16), "PNG"))
    write(tmp_path / "a" / "3.png", grey(np.full((2, 2), 200, np.uint16), "PNG"))
    *same, dark = read_pixels(read_images(tmp_path), 2).values[:, 0].tolist()
    assert same == [[[0, 51], [51, 255]]] * 3
    assert dark == [[1, 1], [1, 1]]


@pytest.mark.parametrize(
    "values",
    [
        np.array([[0.0, np.nan]], np.float32),
        np.array([[0.0, 255.0]], np.float32),
        np.array([[-1.0, 1.0]], np.float32),
        np.array([[0, 70_000]], np.int32),
    ],
)
def test_grey_values_of_unknown_scale_are_refused(tmp_path: Path, values: np.ndarray) -> None:
    write(tmp_path / "a" / "0.tif", grey(values))
    with pytest.raises(DiffusionNAGError, match=r"image 1 of .* no known scale; save it with"):
        read_pixels(read_images(tmp_path), 2)


@pytest.mark.parametrize(
    "labels",
    [
        pa.array(["cat", "dog", "cat"]).dictionary_encode(),
        pa.array(["cat", "dog", "cat"], pa.string_view()),
        pa.array([False, True, False]),
        pa.array([0.0, 1.0, 0.0]),
        pa.array([0, 1, 0]).cast(pa.decimal128(30, 1)),
    ],
    ids=str,
)
@pytest.mark.parametrize("kind", [pa.binary(), pa.large_binary(), pa.binary_view()], ids=str)
def test_parquet_of_every_kind_of_label_and_image(
    tmp_path: Path, labels: pa.Array, kind: pa.DataType
) -> None:
    table = pa.table(
        {"image": pa.array([encoded(), encoded(GREEN)] * 2, kind)[:3], "label": labels}
    )
    pq.write_table(table, tmp_path / "images.parquet")
    images = read_images(tmp_path / "images.parquet")
    assert images.labels.tolist() == [0, 1, 0]
    names = {"bool": ("False", "True"), "dictionary": ("cat", "dog"), "string": ("cat", "dog")}
    assert images.classes == names.get(str(labels.type).split("<")[0].split("_")[0], ("0", "1"))
    assert read_pixels(images, 4).values[1, :, 2, 2].tolist() == list(GREEN)


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (encoded(100, "L"), (100, 100, 100)),
        (encoded(256 * 100, "I;16"), (100, 100, 100)),
        (encoded(1, "1"), (255, 255, 255)),
        (encoded((250, 10, 10, 0), "RGBA"), (255, 255, 255)),
        (encoded((0, 255, 255, 0), "CMYK", kind="JPEG"), (255, 0, 0)),
        (encoded(RED, kind="GIF"), RED),
        (encoded(RED, size=(1, 1)), RED),
        (encoded(RED, size=(900, 7)), RED),
        (encoded(RED, size=(3000, 2000), kind="JPEG"), RED),
    ],
)
def test_any_kind_of_image_becomes_rgb_of_one_size(
    tmp_path: Path, content: bytes, expected: tuple[int, ...]
) -> None:
    write(tmp_path / "class" / "image.png", content)
    pixels = read_pixels(read_images(tmp_path), 16)
    assert pixels.values.shape == (1, 3, 16, 16)
    assert np.abs(pixels.values[0, :, 8, 8].astype(int) - expected).max() <= 6


def test_a_camera_that_was_held_sideways_is_turned(tmp_path: Path) -> None:
    image = Image.new("RGB", (20, 20), RED)
    image.paste(GREEN, (0, 0, 20, 10))
    exif = Image.Exif()
    exif[0x0112] = 3
    (tmp_path / "class").mkdir()
    image.save(tmp_path / "class" / "image.png", exif=exif)
    pixels = read_pixels(read_images(tmp_path), 20)
    assert pixels.values[0, :, 2, 2].tolist() == list(RED)
    assert pixels.values[0, :, 17, 2].tolist() == list(GREEN)


def test_corrupt_images_are_skipped_and_counted(tmp_path: Path) -> None:
    sound = encoded(size=(64, 64), kind="JPEG")
    write(tmp_path / "a" / "1.jpg", sound)
    write(tmp_path / "a" / "2.jpg", sound[: len(sound) // 2])
    write(tmp_path / "a" / "3.jpg", b"")
    write(tmp_path / "b" / "4.jpg", b"no image at all")
    write(tmp_path / "b" / "5.jpg", sound)
    (tmp_path / "b" / "6.jpg").symlink_to("nowhere")
    reports: list[tuple[int, int]] = []
    pixels = read_pixels(
        read_images(tmp_path), 16, report=lambda done, total: reports.append((done, total))
    )
    assert pixels.skipped == 4
    assert pixels.labels.tolist() == [0, 1]
    assert len(pixels.values) == 2
    assert reports == [(done, 6) for done in range(1, 7)]


@given(st.binary(max_size=200), st.integers(0, 199))
def test_damage_of_any_kind_never_raises(noise: bytes, place: int) -> None:
    from diffusionnag.images.decoding import decode_square

    content = encoded()
    damaged = content[:place] + noise + content[place + len(noise) :]
    decoded = decode_square(damaged, 8)
    assert decoded is None or decoded.shape == (8, 8, 3)


def test_only_corrupt_images_is_one_line(tmp_path: Path) -> None:
    write(tmp_path / "a" / "1.jpg", b"broken")
    with pytest.raises(DiffusionNAGError, match="none of the 1 images"):
        read_pixels(read_images(tmp_path), 16)


def test_parquet_of_bytes_of_structures_and_of_names(tmp_path: Path) -> None:
    red, green = encoded(RED), encoded(GREEN)
    plain = write_table(tmp_path / "plain.parquet", {"jpeg": [red, green], "label": [7, 3]})
    assert read_images(plain).classes == ("3", "7")
    assert read_images(plain).labels.tolist() == [1, 0]

    features = {"info": {"features": {"label": {"names": ["cat", "dog"]}}}}
    structures: list[object] = [{"bytes": red, "path": None}, {"bytes": green, "path": None}]
    hub = write_table(
        tmp_path / "hub.parquet", {"image": structures, "label": [1, 0]}, metadata=features
    )
    images = read_images(hub)
    assert images.classes == ("cat", "dog")
    assert read_pixels(images, 4).values[0, :, 2, 2].tolist() == list(RED)

    named = write_table(
        tmp_path / "named.parquet", {"png": [red, None, green], "class": ["b", "a", "a"]}
    )
    images = read_images(named)
    assert images.classes == ("a", "b")
    pixels = read_pixels(images, 4)
    assert (pixels.skipped, pixels.labels.tolist()) == (1, [1, 0])


def test_cifar10(data_folder: Path) -> None:
    images = read_images(data_folder / "cifar10_test.parquet")
    assert len(images) == 10_000
    assert images.classes[0] == "airplane"
    assert np.bincount(images.labels).tolist() == [1_000] * 10
    pixels = read_pixels(images, 32, indices=[5, 9_999])
    assert pixels.values.shape == (2, 3, 32, 32)
    assert pixels.labels.tolist() == images.labels[[5, 9_999]].tolist()
    assert pixels.values.std() > 20


def test_what_is_no_data_set_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(DiffusionNAGError, match=r"no .*missing"):
        read_images(tmp_path / "missing")
    write(tmp_path / "file.zip", b"PK")
    with pytest.raises(DiffusionNAGError, match=r"no \.parquet file"):
        read_images(tmp_path / "file.zip")
    write(tmp_path / "broken.parquet", b"PAR1 and no more")
    with pytest.raises(DiffusionNAGError, match="no readable Parquet"):
        read_images(tmp_path / "broken.parquet")
    cases: dict[str, dict[str, list[object]]] = {
        "no column of encoded images": {"label": [1]},
        "no column of labels: .* it has jpeg, kind": {"jpeg": [b""], "kind": [1]},
        "row without a label": {"jpeg": [b""] * 2, "label": [1, None]},
    }
    for message, columns in cases.items():
        path = write_table(tmp_path / "wrong.parquet", columns)
        with pytest.raises(DiffusionNAGError, match=message):
            read_images(path)
    (tmp_path / "empty").mkdir()
    with pytest.raises(DiffusionNAGError, match="holds no images"):
        read_images(tmp_path / "empty")
    write(tmp_path / "flat" / "a.png", encoded())
    with pytest.raises(DiffusionNAGError, match="in no class"):
        read_images(tmp_path / "flat")
    write(tmp_path / "splits" / "train" / "cat" / "a.png", encoded())
    write(tmp_path / "splits" / "val" / "cat" / "a.png", encoded())
    with pytest.raises(DiffusionNAGError, match=r"name one of them: .*splits/train"):
        read_images(tmp_path / "splits")
