import errno
from pathlib import Path

import pytest

from diffusionnag._files import write_atomically
from diffusionnag.errors import EnvironmentFailureError


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_the_file_appears_whole_and_alone(tmp_path: Path) -> None:
    path = tmp_path / "table.csv"
    with write_atomically(path) as temporary:
        assert temporary.parent == tmp_path
        assert temporary.suffix == ".csv"
        temporary.write_text("a,b\n")
        assert not path.exists()
    assert path.read_text() == "a,b\n"
    assert names(tmp_path) == ["table.csv"]


def test_it_has_the_permissions_of_any_new_file(tmp_path: Path) -> None:
    usual, path = tmp_path / "usual", tmp_path / "written"
    usual.touch()
    with write_atomically(path):
        pass
    assert path.stat().st_mode == usual.stat().st_mode


@pytest.mark.parametrize("failure", [ValueError, KeyboardInterrupt, SystemExit])
def test_a_failure_leaves_the_old_file_and_no_other(
    tmp_path: Path, failure: type[BaseException]
) -> None:
    path = tmp_path / "results.json"
    path.write_text("old")

    def write_half() -> None:
        with write_atomically(path) as temporary:
            temporary.write_text("half of the n")
            raise failure

    with pytest.raises(failure):
        write_half()
    assert path.read_text() == "old"
    assert names(tmp_path) == ["results.json"]


def test_a_missing_folder_is_named(tmp_path: Path) -> None:
    path = tmp_path / "missing" / "cell.svg"
    with pytest.raises(EnvironmentFailureError) as caught, write_atomically(path):
        pytest.fail("the block must not run")
    assert str(caught.value) == f"cannot write {path}: no folder {path.parent}"
    assert caught.value.exit_code == 1


def test_a_folder_that_is_a_file_is_reported(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(EnvironmentFailureError), write_atomically(tmp_path / "file" / "cell.svg"):
        pytest.fail("the block must not run")


def test_a_folder_is_not_replaced(tmp_path: Path) -> None:
    with pytest.raises(EnvironmentFailureError, match="is a folder"), write_atomically(tmp_path):
        pytest.fail("the block must not run")


def test_a_folder_that_takes_no_files_is_reported() -> None:
    path = Path("/proc/diffusionnag.json")
    if not path.parent.is_dir():
        pytest.skip("needs a file system that nobody can write")
    with pytest.raises(EnvironmentFailureError, match=f"cannot write {path}: "):  # noqa: SIM117
        with write_atomically(path):
            pytest.fail("the block must not run")


def test_a_full_disk_is_reported_in_one_line(tmp_path: Path) -> None:
    path = tmp_path / "model.safetensors"
    with pytest.raises(EnvironmentFailureError) as caught, write_atomically(path):
        raise OSError(errno.ENOSPC, "No space left on device")
    assert str(caught.value) == f"cannot write {path}: No space left on device"
    assert names(tmp_path) == []


def test_trouble_with_another_file_is_not_blamed_on_this_one(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError), write_atomically(tmp_path / "copy") as temporary:
        temporary.write_bytes((tmp_path / "original").read_bytes())
    assert names(tmp_path) == []


def test_a_link_is_followed(tmp_path: Path) -> None:
    real, link = tmp_path / "real.txt", tmp_path / "link.txt"
    link.symlink_to(real)
    with write_atomically(link) as temporary:
        temporary.write_text("text")
    assert link.is_symlink()
    assert real.read_text() == "text"


def test_a_device_is_written_and_stays_a_device() -> None:
    null = Path("/dev/null")
    if not null.is_char_device():
        pytest.skip("no /dev/null here")
    with write_atomically(null) as temporary:
        temporary.write_text("text")
    assert null.is_char_device()


def test_a_long_name_is_no_obstacle(tmp_path: Path) -> None:
    path = tmp_path / ("n" * 250 + ".svg")
    with write_atomically(path) as temporary:
        temporary.write_text("text")
    assert names(tmp_path) == [path.name]
