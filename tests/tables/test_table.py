import json
import pickle
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from pyarrow import csv, parquet

from diffusionnag import tables
from diffusionnag.artifacts.json_lines import ArchitectureRecord, write_records
from diffusionnag.errors import DiffusionNAGError
from diffusionnag.tables import Table, known_tables, measured_table, read_table
from diffusionnag.tables import analog as analog_module
from diffusionnag.tables.unpickling import restricted_unpickle

FORMATS = pytest.mark.parametrize("suffix", [".parquet", ".csv", ".jsonl"])
CELL = re.compile(r"\|\w+~0\|\+\|\w+~0\|\w+~1\|\+\|\w+~0\|\w+~1\|\w+~2\|")


@pytest.fixture
def table() -> Table:
    accuracy = np.array([1.0, 2.0, 4.0, np.nan, np.nan, 5.0])
    return Table("toy", tuple("abbcdd"), {"accuracy": accuracy, "latency_ms": np.arange(6)})


@pytest.fixture
def analog() -> Table:
    if analog_module.analog_nasbench_file() is None:
        pytest.skip("the package analog-nasbench is not installed")
    return tables.read_analog_nasbench()


def write(path: Path, *rows: dict[str, object]) -> Path:
    """Write rows as Parquet, CSV or JSON lines, whichever the suffix says."""
    if path.suffix == ".parquet":
        parquet.write_table(pa.Table.from_pylist(list(rows)), path)
    elif path.suffix == ".csv":
        csv.write_csv(pa.Table.from_pylist(list(rows)), path)
    else:
        path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def average_ranks(values: np.ndarray) -> np.ndarray:
    _, place, count = np.unique(values, return_inverse=True, return_counts=True)
    return (np.cumsum(count) - (count - 1) / 2)[place]


def test_lookup_averages_repeats_and_marks_the_unknown(table: Table) -> None:
    values = table.lookup("accuracy", ["c", "b", "unknown", "a", "d", "b"])
    np.testing.assert_array_equal(values, [np.nan, 3, np.nan, 1, 5, 3])
    assert table.lookup("accuracy", []).shape == (0,)


def test_an_unknown_column_names_the_nearest(table: Table) -> None:
    with pytest.raises(DiffusionNAGError, match=r"no column 'acuracy'; nearest: accuracy"):
        table.column("acuracy")
    with pytest.raises(DiffusionNAGError, match=r"it has accuracy, latency_ms"):
        table.lookup("zzz", ["a"])


def test_columns_are_read_only_and_of_one_length(table: Table) -> None:
    with pytest.raises(ValueError, match=r"read-only"):
        table.column("latency_ms")[0] = 7
    with pytest.raises(ValueError, match=r"one value an architecture"):
        Table("toy", ("a", "b"), {"x": np.zeros(3)})


@FORMATS
@pytest.mark.parametrize("key", ["arch", "architecture", "cell"])
def test_the_three_formats_read_the_same(tmp_path: Path, suffix: str, key: str) -> None:
    first = {key: "0012", "accuracy": 93.5, "params": 7, "note": "x"}
    second = {key: "0120", "accuracy": None, "params": 8, "note": "y"}
    path = write(tmp_path / f"mine{suffix}", first, second)
    table = read_table(path, "cell") if key == "cell" else read_table(str(path))
    assert (table.name, table.architectures) == ("mine", ("0012", "0120"))
    assert list(table.columns) == ["accuracy", "params"]
    np.testing.assert_array_equal(table.column("accuracy"), [93.5, np.nan])
    np.testing.assert_array_equal(table.column("params"), [7, 8])


@FORMATS
def test_a_file_that_is_no_table(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"bad{suffix}"
    with pytest.raises(DiffusionNAGError, match=r"no such file"):
        read_table(path)
    with pytest.raises(DiffusionNAGError, match=r"no architecture column 'arch'; it has name, x"):
        read_table(write(path, {"name": "a", "x": 1.0}))
    with pytest.raises(DiffusionNAGError, match=r"no numeric column"):
        read_table(write(path, {"arch": "a", "note": "b"}))
    with pytest.raises(DiffusionNAGError, match=r"one of \.parquet, \.csv, \.jsonl"):
        read_table(path.with_suffix(".xlsx"))
    for damage in (b"", b"\xff\xfe\x00{", b"arch,x,x\na,1,2\n"):
        path.write_bytes(damage)
        with pytest.raises(DiffusionNAGError, match=rf"\A[^\n]+{path.name}[:,] [^\n]+\Z"):
            read_table(path)


@FORMATS
def test_cells_that_are_no_number_are_told_and_left_out(tmp_path: Path, suffix: str) -> None:
    rows = [{"arch": "a", "acc": "1.5", "lat": "OOM"}, {"arch": None, "acc": "93%", "lat": "-"}]
    table = read_table(write(tmp_path / f"mine{suffix}", *rows, {"arch": "c", "acc": "NA"}))
    assert table.architectures == ("a", "", "c")
    np.testing.assert_array_equal(table.column("acc"), [1.5, np.nan, np.nan])
    assert table.unreadable["acc"] == {2: "93%"}
    with pytest.raises(DiffusionNAGError, match=r"'lat' of .* holds no number, but 'OOM' in row 1"):
        table.column("lat")


def test_numbers_and_texts_of_every_kind_of_column_are_read(tmp_path: Path) -> None:
    strings = pa.array(["0012", "0120"])
    columns = {
        "decimal": pa.array([1, 2]).cast(pa.decimal128(30, 2)),
        "half": pa.array(np.array([1, 2], dtype=np.float16)),
        "flag": pa.array([True, False]),
        "text": pa.array(["1e3", " 2 "], pa.large_string()),
        "category": pa.array(["1", None]).dictionary_encode(),
        "null": pa.array([None, None]),
        "time": pa.array([1, 2]).cast(pa.timestamp("s")),
        "scripts": pa.array(["१", "1_0"]),
    }
    for kind in (
        pa.string(),
        pa.large_string(),
        pa.string_view(),
        pa.dictionary(pa.int32(), pa.string()),
    ):
        path = tmp_path / "mine.parquet"
        parquet.write_table(pa.table({"arch": strings.cast(kind), **columns}), path)
        table = read_table(path)
        assert table.architectures == ("0012", "0120")
        assert {name: list(values) for name, values in table.columns.items()} == {
            "decimal": [1, 2],
            "half": [1, 2],
            "flag": [1, 0],
            "text": [1000, 2],
            "category": pytest.approx([1, np.nan], nan_ok=True),
        }
    parquet.write_table(pa.table({"arch": pa.array([12, 120]), "x": pa.array([1, 2])}), path)
    assert read_table(path).architectures == ("12", "120")


def test_what_commands_write_is_a_table(tmp_path: Path) -> None:
    records = [
        ArchitectureRecord("a", True, {"acc": 0.5, "params": 3}, {"acc": 0.1}, {"acc": 0.4}),
        ArchitectureRecord("b", True, {"acc": 0.75, "params": 4}, trial=1, allowed=True),
    ]
    write_records(tmp_path / "measured.jsonl", records)
    table = read_table(tmp_path / "measured.jsonl")
    assert table.architectures == ("a", "b")
    assert list(table.column("acc")) == [0.5, 0.75]
    np.testing.assert_array_equal(table.column("acc true"), [0.4, np.nan])


HOSTILE = {
    "null.jsonl": "null\n" * 3,
    "deep.jsonl": '{"arch": ' + '{"a": ' * 50_000 + "1" + "}" * 50_001,
    "deep_list.jsonl": '{"arch": "a", "x": ' + "[" * 100_000 + "]" * 100_000 + "}",
    "many_keys.jsonl": "{" + ", ".join(f'"k{i}": 1' for i in range(200_000)) + "}",
    "repeated_keys.jsonl": "{" + ", ".join('"x": 1' for _ in range(200_000)) + "}",
    "huge_number.jsonl": '{"arch": "a", "x": 1' + "0" * 5_000 + "}",
    "many_columns.csv": ",".join(f"k{i}" for i in range(200_000)) + "\n",
    "long_names.csv": ",".join("k" * 1_000 + str(i) for i in range(100)) + "\n",
    "long_cell.csv": f"arch,x\na,{'y' * 200_000}\n",
    "nul.csv": "arch,x\n\0,\0\n",
    "quote.csv": 'arch,x\n"a,1\n',
    "ragged.csv": "arch,x\na\n",
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_files_are_refused_in_one_short_line(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_text(HOSTILE[name])
    with pytest.raises(DiffusionNAGError) as refused:
        read_table(tmp_path / name).column("no such column")
    assert "\n" not in str(refused.value)
    assert len(str(refused.value).replace(str(tmp_path), "")) < 700


def test_parquet_that_is_truncated_or_has_no_text(tmp_path: Path) -> None:
    path = write(tmp_path / "table.parquet", {"arch": [12], "x": 1})
    with pytest.raises(DiffusionNAGError, match=r"'arch' holds no text in any row"):
        read_table(path)
    whole = path.read_bytes()
    for kept in (3, len(whole) // 2, len(whole) - 1):
        path.write_bytes(whole[:kept])
        with pytest.raises(DiffusionNAGError, match=r"is damaged or not a \.parquet file"):
            read_table(path)


def test_importing_the_layer_stays_light() -> None:
    code = "import sys, diffusionnag.tables; print('pyarrow' in sys.modules)"
    assert subprocess.check_output([sys.executable, "-c", code], text=True).strip() == "False"


def test_the_analog_table_is_the_whole_space(analog: Table) -> None:
    assert len(set(analog.architectures)) == len(analog.architectures) == 5**6
    assert all(map(CELL.fullmatch, analog.architectures))
    assert all(v.min() > 5 and v.max() < 95 for v in analog.columns.values())
    cifar10 = analog.column("cifar10")
    assert [cifar10.max(), cifar10.mean()] == pytest.approx([94.07, 86.77], abs=0.01)
    # The longer the hardware drifts, the lower the mean accuracy.
    for kind, drifting in (("analog_noise", "analog"), ("analog_aware", "analog_aware")):
        drifts = [f"{drifting}_drift_{after}" for after in ("1minute", "1hour", "1day", "1month")]
        means = [analog.column(name).mean() for name in (kind, *drifts)]
        assert means == sorted(means, reverse=True)


def test_the_analog_cells_are_the_official_ones(analog: Table, data_folder: Path) -> None:
    official = read_table(data_folder / "nasbench201_accuracy.parquet")
    assert set(analog.architectures) == set(official.architectures)
    cifar10 = official.column("cifar10_test_200ep")
    assert [cifar10.max(), cifar10.mean()] == pytest.approx([94.37, 87.06], abs=0.01)
    other = analog.lookup("cifar10", official.architectures)
    assert np.corrcoef(average_ranks(other), average_ranks(cifar10))[0, 1] > 0.99


def test_without_the_package_the_error_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "analognasbench", None)
    monkeypatch.delenv(tables.DATA_FOLDER_VARIABLE, raising=False)
    with pytest.raises(DiffusionNAGError, match=r"pip install 'diffusionnag\[bench\]'"):
        tables.read_analog_nasbench.__wrapped__()
    assert measured_table("nasbench201", "cifar10") is None


def test_a_malicious_package_is_neither_imported_nor_obeyed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data, trace = tmp_path / "analognasbench" / "data.anb", tmp_path / "trace"
    data.parent.mkdir()
    (data.parent / "__init__.py").write_text("raise SystemExit('imported')")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "analognasbench", raising=False)
    attack = f'cos\nsystem\n(Vecho > "{trace}"\ntR.'.encode()
    data.write_bytes(attack)
    with pytest.raises(DiffusionNAGError, match=r"asks for os\.system"):
        tables.read_analog_nasbench.__wrapped__()
    assert not trace.exists()
    pickle.loads(attack)
    assert trace.exists(), "the attack must work in the usual way, or this test proves nothing"
    for damaged in (b"", b"\x80\x04}", pickle.dumps([1]), pickle.dumps({(9,) * 6: 1})):
        data.write_bytes(damaged)
        with pytest.raises(DiffusionNAGError, match=r"is damaged"):
            tables.read_analog_nasbench.__wrapped__()


@pytest.mark.parametrize("name", [b"builtins\neval", b"known\nos.system", b"known.os\nsystem"])
def test_no_other_name_is_reachable(name: bytes) -> None:
    stand_ins = {("known", "os"): dict}
    assert restricted_unpickle(b"cknown\nos\n(tR.", stand_ins, "it", "leave it") == {}
    with pytest.raises(DiffusionNAGError, match=r"it asks for .* could do harm; leave it"):
        restricted_unpickle(b"c" + name + b"\n.", stand_ins, "it", "leave it")


def test_measured_table_is_the_one_with_the_column(
    analog: Table, data_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(tables.DATA_FOLDER_VARIABLE, str(data_folder))
    assert measured_table("nasbench201", "cifar10") is analog
    for space, column, name, rows in (
        ("nasbench201", "cifar10_test_200ep", "nasbench201_accuracy", 15_625),
        ("nasbench201", "latency:raspi4", "nasbench201_latency_ms", 15_625),
        ("mobilenetv3", "latency:v100_1", "mobilenetv3_ofa_latency_ms", 5_000),
        ("mnasnet", "imagenet_top1", "mnasnet_imagenet", 5_138),
    ):
        table = measured_table(space, column)
        assert table is not None
        assert (table.name, len(table.architectures)) == (name, rows)
        assert measured_table(space, "no such column") is None


def test_a_missing_table_is_none_and_a_damaged_one_raises(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(tables.DATA_FOLDER_VARIABLE, str(tmp_path))
    assert known_tables("no such space") == {}
    assert measured_table("mnasnet", "imagenet_top1") is None
    (tmp_path / "mnasnet_imagenet.parquet").write_bytes(b"PAR1")
    with pytest.raises(DiffusionNAGError, match=r"mnasnet_imagenet\.parquet: is damaged"):
        measured_table("mnasnet", "imagenet_top1")
