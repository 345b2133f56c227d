"""The import of the official NATS-Bench archive: real files of it, and ones made up to fail."""

from __future__ import annotations

import bz2
import itertools
import math
import os
import pickle
import shutil
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import RunCli, assert_fails

from diffusionnag import get_search_space
from diffusionnag.errors import DiffusionNAGError, EnvironmentFailureError
from diffusionnag.tables import Table, read_table
from diffusionnag.tables.nats_bench import ARCHIVE, read_nats_bench
from diffusionnag.tables.table import write_table

OPERATIONS = ("none", "skip_connect", "nor_conv_1x1", "nor_conv_3x3", "avg_pool_3x3")
CELLS = [
    f"|{a}~0|+|{b}~0|{c}~1|+|{d}~0|{e}~1|{f}~2|"
    for a, b, c, d, e, f in itertools.product(OPERATIONS, repeat=6)
]
PARTS = ("x-valid", "x-test", "ori-test")
INDICES = (0, 11, 284)


@pytest.fixture
def sample(data_folder: Path) -> Path:
    """The meta file and three of the 15,625 others, as they are in the official archive."""
    return data_folder / "nats-bench-sample" / ARCHIVE


@pytest.fixture
def made_up(tmp_path: Path) -> Path:
    """An archive of the right form with the cells 0 and 7."""
    folder = tmp_path / "archive"
    folder.mkdir()
    write(folder / "meta.pickle.pbz2", {"meta_archs": CELLS})
    for index in (7, 0):
        write(folder / f"{index:06d}.pickle.pbz2", content(index))
    return folder


def write(path: Path, value: object) -> None:
    path.write_bytes(bz2.compress(pickle.dumps(value)))


def content(index: int, seeds: tuple[int, ...] = (777, 888)) -> dict[str, Any]:
    """What a file holds: accuracies of 10 % and, from the second seed, 20 %; after 12 epochs 5 % less."""
    results = {}
    for epochs in (12, 200):
        runs = {}
        for data_set in ("cifar10-valid", "cifar10", "cifar100", "ImageNet16-120"):
            for number, seed in enumerate(seeds, start=1):
                accuracy = 10.0 * number - (5.0 if epochs == 12 else 0.0)
                runs[data_set, seed] = {
                    "eval_acc1es": {f"{part}@{epochs - 1}": accuracy for part in PARTS},
                    "params": 0.5,
                    "flop": 20.0,
                    "latency": [0.01, 0.03],
                }
        data_sets = {data_set: list(seeds) for data_set, _ in runs}
        results[str(epochs)] = {
            "arch_str": CELLS[index],
            "all_results": runs,
            "dataset_seed": data_sets,
        }
    return results


# -- what it does ---------------------------------------------------------------------------------


def test_the_real_files_give_the_published_values(
    sample: Path, data_folder: Path, run_main: RunCli, tmp_path: Path
) -> None:
    result = run_main("import", "nats-bench", sample, "--out", "table.parquet")
    assert (result.returncode, result.stdout) == (0, "")
    assert result.stderr == "written to table.parquet: 3 of 15,625 architectures\n"
    assert [path.name for path in tmp_path.iterdir()] == ["table.parquet"]

    table = read_table(tmp_path / "table.parquet")
    known = read_table(data_folder / "nasbench201_accuracy.parquet")
    assert table.architectures == tuple(known.architectures[index] for index in INDICES)
    assert list(table.columns) == [*known.columns, "params_m", "flops_m", "latency_seconds"]
    for name, values in known.columns.items():
        # The known table has single precision.
        np.testing.assert_allclose(table.column(name), values[list(INDICES)], rtol=1e-7)


def test_the_parameters_are_those_of_the_search_space(sample: Path) -> None:
    table, space = read_nats_bench(sample), get_search_space("nasbench201")
    counted = [
        space.analytic_properties(space.parse(architecture))["params"]
        for architecture in table.architectures
    ]
    np.testing.assert_allclose(table.column("params_m"), counted, rtol=1e-12)


def test_the_values_are_those_of_the_reference(sample: Path) -> None:
    nats_bench = pytest.importorskip("nats_bench")
    table = read_nats_bench(sample)
    api = nats_bench.create(str(sample), "tss", fast_mode=True, verbose=False)
    names = {"cifar10": "cifar10", "cifar100": "cifar100", "imagenet16": "ImageNet16-120"}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # its pickles name a part of numpy that has moved
        for row, index in enumerate(INDICES):
            assert table.architectures[row] == api.arch(index)
            for (ours, theirs), epochs in itertools.product(names.items(), ("12", "200")):
                info = api.get_more_info(index, theirs, hp=epochs, is_random=False)
                assert table.column(f"{ours}_test_{epochs}ep")[row] == info["test-accuracy"]
                if epochs == "12":
                    held_out = "cifar10-valid" if theirs == "cifar10" else theirs
                    info = api.get_more_info(index, held_out, hp=epochs, is_random=False)
                    assert table.column(f"{ours}_valid_12ep")[row] == info["valid-accuracy"]
            costs = api.get_cost_info(index, "cifar10", hp="200")
            for ours, theirs in (
                ("params_m", "params"),
                ("flops_m", "flops"),
                ("latency_seconds", "latency"),
            ):
                assert table.column(ours)[row] == costs[theirs]


def test_rows_are_in_the_order_of_the_index_and_means_over_seeds(made_up: Path) -> None:
    reports: list[tuple[int, int]] = []
    table = read_nats_bench(made_up, lambda done, total: reports.append((done, total)))
    assert table.architectures == (CELLS[0], CELLS[7])
    assert reports == [(0, 2), (1, 2), (2, 2)]
    for name, values in table.columns.items():
        costs = {"params_m": 0.5, "flops_m": 20.0, "latency_seconds": 0.02}
        expected = costs.get(name, 15.0 if name.endswith("200ep") else 10.0)
        np.testing.assert_allclose(values, expected)


def test_sizes_and_latencies_that_are_unknown_or_disagree(made_up: Path) -> None:
    first, second = content(0), content(7, (1, 2))
    first["200"]["all_results"]["cifar10", 777] |= {"params": 9.0, "latency": None}
    second["200"]["all_results"]["cifar10", 1] |= {"params": 9.0, "latency": [-1.0]}
    second["200"]["all_results"]["cifar10", 2] |= {"latency": None}
    write(made_up / "000000.pickle.pbz2", first)
    write(made_up / "000007.pickle.pbz2", second)
    table = read_nats_bench(made_up)
    # The reference trusts seed 888 where seeds disagree.
    np.testing.assert_array_equal(table.column("params_m"), [0.5, math.nan])
    np.testing.assert_allclose(table.column("latency_seconds"), [0.02, math.nan])
    np.testing.assert_array_equal(table.column("flops_m"), [20, 20])


def test_a_written_table_reads_the_same(tmp_path: Path) -> None:
    table = Table("mine", ("b", "a"), {"x": np.array([1.5, np.nan]), "y": np.array([2, 3])})
    write_table(table, tmp_path / "mine.parquet")
    again = read_table(tmp_path / "mine.parquet")
    assert (again.name, again.architectures) == ("mine", ("b", "a"))
    assert list(again.columns) == ["x", "y"]
    for name, values in table.columns.items():
        np.testing.assert_array_equal(again.column(name), values)


# -- how it fails ---------------------------------------------------------------------------------


class Attack:
    """Unpickled in the usual way it runs a shell command."""

    def __init__(self, trace: Path) -> None:
        self.trace = trace

    def __reduce__(self) -> tuple[Any, tuple[str]]:
        return os.system, (f'echo > "{self.trace}"',)


@pytest.mark.parametrize("name", ["meta", "000000"])
def test_a_malicious_file_is_refused(
    made_up: Path, name: str, run_main: RunCli, tmp_path: Path
) -> None:
    file, trace = made_up / f"{name}.pickle.pbz2", tmp_path / "trace"
    write(file, {"meta_archs": CELLS, "12": Attack(trace)})
    result = run_main("import", "nats-bench", made_up, "--out", "table.parquet")
    assert_fails(result, 2, f"{file} asks for {os.system.__module__}.system, which it does not")
    assert not trace.exists()
    assert not (tmp_path / "table.parquet").exists()
    pickle.loads(bz2.decompress(file.read_bytes()))
    assert trace.exists(), "the attack must work in the usual way, or this test proves nothing"


@pytest.mark.parametrize("name", ["meta", "000000", "000011"])
def test_a_truncated_file_is_named(
    sample: Path, name: str, run_main: RunCli, tmp_path: Path
) -> None:
    folder = tmp_path / "copy"
    folder.mkdir()
    for path in sample.iterdir():
        shutil.copyfile(path, folder / path.name)
    file = folder / f"{name}.pickle.pbz2"
    whole = file.read_bytes()
    for part in (b"", whole[: len(whole) // 2], whole[:-1]):
        file.write_bytes(part)
        result = run_main("import", "nats-bench", folder, "--out", "table.parquet")
        assert_fails(result, 2, f"{file} is damaged, or of an unknown version (it is cut off")
    file.write_bytes(whole[: len(whole) // 2] + b"x" + whole[len(whole) // 2 + 1 :])
    assert_fails(run_main("import", "nats-bench", folder, "--out", "table.parquet"), 2, file.name)
    assert {path.name for path in tmp_path.iterdir()} == {"copy"}


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (None, "'NoneType' object has no attribute"),
        ({"12": {}}, "no 'arch_str'"),
        (content(7), "it is about "),
        ({"12": content(0)["12"]}, "no '200'"),
        (content(0) | {"200": content(0, ())["200"] | {"dataset_seed": {}}}, "no 'cifar10'"),
        (content(0, tuple(range(11))), "accuracies "),
    ],
)
def test_a_file_of_another_form_is_named(made_up: Path, value: object, reason: str) -> None:
    write(made_up / "000000.pickle.pbz2", value)
    with pytest.raises(DiffusionNAGError) as caught:
        read_nats_bench(made_up)
    assert f"{made_up / '000000.pickle.pbz2'} is damaged, or of an unknown" in str(caught.value)
    assert reason in str(caught.value)
    assert caught.value.exit_code == 2


def test_numbers_of_other_kinds_are_refused(made_up: Path) -> None:
    first = content(0)
    first["200"]["all_results"]["cifar10", 777]["params"] = np.array(1, "datetime64[s]")[()]
    # The archive is older than numpy's present name for the function.
    data = pickle.dumps(first, protocol=3).replace(b"numpy._core.", b"numpy.core.")
    (made_up / "000000.pickle.pbz2").write_bytes(bz2.compress(data))
    with pytest.raises(DiffusionNAGError, match=r"000000\.pickle\.pbz2 .*a number of type <M8"):
        read_nats_bench(made_up)


def test_a_file_that_unpacks_without_end_is_refused(made_up: Path) -> None:
    (made_up / "000000.pickle.pbz2").write_bytes(bz2.compress(bytes(65 * 2**20)))
    with pytest.raises(DiffusionNAGError, match=r"000000\.pickle\.pbz2 .* far too large"):
        read_nats_bench(made_up)


def test_what_is_no_archive_says_what_is_expected(
    made_up: Path, run_main: RunCli, tmp_path: Path
) -> None:
    empty, tar, single = tmp_path / "empty", tmp_path / f"{ARCHIVE}.tar", tmp_path / "all.pbz2"
    empty.mkdir()
    tar.touch()
    single.touch()
    for path, message in (
        (empty, "holds no meta.pickle.pbz2; the extracted folder NATS-tss-v1_0-3ffb9-simple"),
        (tmp_path / "absent", "no such folder; the extracted folder"),
        (tar, f"extract it first: tar -xf {tar}"),
        (single, "is a file, but the extracted folder"),
    ):
        assert_fails(run_main("import", "nats-bench", path, "--out", "t.parquet"), 2, message)
    write(empty / "meta.pickle.pbz2", {"meta_archs": CELLS})
    with pytest.raises(DiffusionNAGError, match=r"holds no file such as 000000\.pickle\.pbz2"):
        read_nats_bench(empty)
    write(made_up / "meta.pickle.pbz2", {"meta_archs": ["8:8:8:8:8"] * 32_768})
    with pytest.raises(DiffusionNAGError, match=r"not that of the size search space"):
        read_nats_bench(made_up)
    write(made_up / "meta.pickle.pbz2", {"meta_archs": CELLS})
    write(made_up / "015625.pickle.pbz2", content(0))
    with pytest.raises(DiffusionNAGError, match=r"015625\.pickle\.pbz2 .*has 15625 cells"):
        read_nats_bench(made_up)


def test_a_file_that_cannot_be_read(made_up: Path) -> None:
    (made_up / "000000.pickle.pbz2").unlink()
    (made_up / "000000.pickle.pbz2").mkdir()
    with pytest.raises(EnvironmentFailureError, match=r"000000\.pickle\.pbz2: cannot be read"):
        read_nats_bench(made_up)


def test_a_table_that_cannot_be_written_is_found_out_before_the_work(
    run_main: RunCli, tmp_path: Path
) -> None:
    command = ("import", "nats-bench", "no such archive", "--out")
    for out in ("/proc/table.parquet", "absent/table.parquet"):
        assert_fails(run_main(*command, out), 1, f"cannot write {out}")
    assert_fails(run_main(*command, "table.csv"), 2, "table.csv: a table is written as a .parquet")
    assert_fails(run_main("import"), 2, "Missing command")
    assert list(tmp_path.iterdir()) == []
