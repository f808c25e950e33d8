"""SCAN from its archive to arrays: the words of the text files, the meaning by the grammar; faults are one line."""

import shutil
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from gru_research.config import UserError
from gru_research.data import DataDirs, load, prepare, scan
from gru_research.data.scan import scan_dataset_builder
from tests.data.test_music import cut_in_half, flip_byte
from tests.faults import fault, seen

SIZES = {"scan_simple": (16_728, 4_182), "scan_length": (16_990, 3_920), "scan_jump": (14_670, 7_706)}
MEMBERS = {
    "scan_simple": "SCAN-master/simple_split/tasks_{}_simple.txt",
    "scan_length": "SCAN-master/length_split/tasks_{}_length.txt",
    "scan_jump": "SCAN-master/add_prim_split/tasks_{}_addprim_jump.txt",
}
VERBS = {"walk": ["I_WALK"], "look": ["I_LOOK"], "run": ["I_RUN"], "jump": ["I_JUMP"], "turn": []}
TURNS = {"left": "I_TURN_LEFT", "right": "I_TURN_RIGHT"}
TIMES = {"twice": 2, "thrice": 3}
Texts = dict[str, dict[str, list[tuple[str, str]]]]


def meaning(command: list[str]) -> list[str]:
    """The actions of a command, by the grammar in the supplement of the paper."""
    for joint in ("and", "after"):
        if joint in command:
            first, second = command[: command.index(joint)], command[command.index(joint) + 1 :]
            return meaning(first) + meaning(second) if joint == "and" else meaning(second) + meaning(first)
    if command[-1] in TIMES:
        return TIMES[command[-1]] * meaning(command[:-1])
    verb, *how = command
    if not how:
        return VERBS[verb]
    turn = [TURNS[how[-1]]]
    return {"opposite": 2 * turn + VERBS[verb], "around": 4 * (turn + VERBS[verb])}.get(how[0], turn + VERBS[verb])


def texts(arrays: dict[str, np.ndarray]) -> list[tuple[str, str]]:
    """Commands and actions as text, from the arrays of a split."""
    return [
        (" ".join(scan.COMMANDS[n] for n in command[:steps]), " ".join(scan.ACTIONS[n] for n in actions[:length]))
        for command, steps, actions, length in zip(
            arrays["command"], arrays["command_length"], arrays["actions"], arrays["actions_length"], strict=True
        )
    ]


@pytest.fixture(scope="module")
def stored(scan_data_dir: str) -> Texts:
    sets = {name: load(name, DataDirs(scan_data_dir)) for name in SIZES}
    return {name: {split: texts(arrays) for split, arrays in splits.items()} for name, splits in sets.items()}


@pytest.mark.parametrize("name", SIZES)
def test_the_arrays_are_the_lines_of_the_text_files(name: str, scan_data_dir: str, scan_manual_dir: str) -> None:
    sets = load(name, DataDirs(scan_data_dir))
    assert list(sets) == ["train", "test"]
    assert tuple(len(arrays["command"]) for arrays in sets.values()) == SIZES[name]
    with zipfile.ZipFile(f"{scan_manual_dir}/SCAN-master.zip") as archive:
        for split, arrays in sets.items():
            lines = archive.read(MEMBERS[name].format(split)).decode().splitlines()
            assert [f"IN: {command} OUT: {actions}" for command, actions in texts(arrays)] == lines
            for part, width in (("command", 9), ("actions", 48)):
                tokens, length = arrays[part], arrays[f"{part}_length"]
                assert (tokens.dtype, length.dtype) == (np.uint8, np.int32)
                assert tokens.shape == (len(lines), width)
                assert not tokens[np.arange(width) >= length[:, None]].any()


def test_the_actions_are_what_the_grammar_says(stored: Texts) -> None:
    pairs = {pair for splits in stored.values() for part in splits.values() for pair in part}
    assert len(pairs) == 20_910
    for command, actions in pairs:
        assert " ".join(meaning(command.split())) == actions


def test_the_vocabularies_are_the_words_that_occur(stored: Texts) -> None:
    for splits in stored.values():
        for pairs in splits.values():
            assert tuple(sorted({word for command, _ in pairs for word in command.split()})) == scan.COMMANDS
            assert tuple(sorted({word for _, actions in pairs for word in actions.split()})) == scan.ACTIONS
    assert (len(scan.COMMANDS), len(scan.ACTIONS)) == (13, 6)


def test_the_splits_are_those_of_the_paper(stored: Texts) -> None:
    lengths = {
        name: {split: (lambda n: (min(n), max(n)))([len(a.split()) for _, a in pairs]) for split, pairs in sets.items()}
        for name, sets in stored.items()
    }
    assert lengths == {
        "scan_simple": {"train": (1, 48), "test": (1, 48)},
        "scan_length": {"train": (1, 22), "test": (24, 48)},
        "scan_jump": {"train": (1, 48), "test": (2, 48)},
    }
    words = [len(command.split()) for splits in stored.values() for pairs in splits.values() for command, _ in pairs]
    assert (min(words), max(words)) == (1, 9)
    train, test = ([command for command, _ in stored["scan_jump"][split]] for split in ("train", "test"))
    assert [command for command in train if "jump" in command.split()] == ["jump"] * 1_467
    assert all("jump" in command.split() for command in test)
    for splits in stored.values():
        assert not set(splits["train"]) & set(splits["test"])


def test_max_examples_counts_commands(scan_data_dir: str) -> None:
    few = load("scan_length", DataDirs(scan_data_dir), 3)["test"]
    everything = load("scan_length", DataDirs(scan_data_dir))["test"]
    assert {len(array) for array in few.values()} == {3}
    np.testing.assert_array_equal(few["actions"], everything["actions"][:3])


@pytest.mark.parametrize("damage", [flip_byte, cut_in_half])
def test_a_damaged_archive_is_named_and_leaves_nothing(
    damage: Callable[[Path], None], scan_manual_dir: str, tmp_path: Path
) -> None:
    raw, data_dir = tmp_path / "raw", tmp_path / "data"
    raw.mkdir()
    shutil.copyfile(f"{scan_manual_dir}/SCAN-master.zip", raw / "SCAN-master.zip")
    damage(raw / "SCAN-master.zip")
    with pytest.raises(UserError) as caught:
        load("scan_simple", DataDirs(str(data_dir), str(raw)))
    assert str(caught.value) == (
        f"SCAN-master.zip in manual_dir={str(raw)!r} has a wrong checksum: get that file again"
    )
    assert list(data_dir.iterdir()) == []


def test_a_missing_archive_is_asked_for(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"lacks SCAN-master.zip: scan_jump needs SCAN-master.zip$"):
        prepare("scan_jump", DataDirs(str(tmp_path / "data"), str(tmp_path)))


GOOD = "IN: walk twice OUT: I_WALK I_WALK\nIN: jump left after look OUT: I_LOOK I_TURN_LEFT I_JUMP\n"


def archive_of(path: Path, train: str = GOOD, test: str = GOOD) -> Path:
    """An archive with the text files of the simple split."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for split, text in {"train": train, "test": test}.items():
            archive.writestr(MEMBERS["scan_simple"].format(split), text)
    return path


def prepare_from(archive: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> DataDirs:
    """Where the simple split is to be prepared from an archive, whatever its checksum."""
    download = "tensorflow_datasets.core.download.download_manager.DownloadManager.download"
    monkeypatch.setattr(download, lambda self, url: archive)
    return DataDirs(str(tmp_path / "data"), str(archive.parent))


def test_a_small_archive_becomes_padded_numbers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    raw = archive_of(tmp_path / "SCAN-master.zip", test="IN: turn right OUT: I_TURN_RIGHT\n")
    sets = load("scan_simple", prepare_from(raw, tmp_path, monkeypatch))
    after, jump, left, look, twice, walk = (
        scan.COMMANDS.index(word) for word in ("after", "jump", "left", "look", "twice", "walk")
    )
    assert sets["train"]["command"].tolist() == [[walk, twice, *[0] * 7], [jump, left, after, look, *[0] * 5]]
    assert sets["train"]["command_length"].tolist() == [2, 4]
    assert sets["train"]["actions"][:, :4].tolist() == [[5, 5, 0, 0], [1, 3, 0, 0]]  # I_JUMP is 0 too
    assert sets["train"]["actions_length"].tolist() == [2, 3]
    assert texts(sets["test"]) == [("turn right", "I_TURN_RIGHT")]


@pytest.mark.parametrize(
    ("train", "says"),
    [
        pytest.param(
            "IN: walk twice\n",
            "line 1 of .*: 'IN: walk twice' must be 'IN: COMMAND OUT: ACTIONS'",
            marks=fault("data", "a line of SCAN without actions"),
        ),
        (f"{GOOD}walk OUT: I_WALK\n", "line 3 of .*: 'walk OUT: I_WALK' must be 'IN: COMMAND OUT: ACTIONS'"),
        pytest.param(
            f"{GOOD}IN: wlak OUT: I_WALK\n",
            r"line 3 of .*: word='wlak' is unknown; did you mean 'walk'\?; choose from after, and, around, jump",
            marks=fault("data", "a line of SCAN with an unknown word"),
        ),
        ("IN: walk OUT: walk\n", "line 1 of .*: word='walk' is unknown.*; choose from I_JUMP, I_LOOK, I_RUN"),
        pytest.param(
            f"IN: walk OUT:{' I_WALK' * 49}\n",
            "line 1 of .* has 49 words and must have 1 to 48",
            marks=fault("data", "a line of SCAN with too many actions"),
        ),
        ("IN: OUT: I_WALK\n", "line 1 of .* must be"),
        ("", "tasks_train_simple.txt holds no commands"),
        ("IN: wälk OUT: I_WALK\n", r"tasks_train_simple.txt can't be read \(UnicodeDecodeError: "),
    ],
)
def test_read_pairs_names_what_is_wrong(tmp_path: Path, train: str, says: str) -> None:
    path = archive_of(tmp_path / "SCAN-master.zip", train)
    with pytest.raises(ValueError, match=says) as caught:
        scan_dataset_builder.read_pairs(path, MEMBERS["scan_simple"].format("train"))
    assert "\n" not in str(caught.value) and str(path) in str(caught.value)
    seen(caught)


@fault("data", "a file that isn't an archive", "an archive without its text file", "an archive with damaged content")
def test_archives_that_are_none(tmp_path: Path) -> None:
    path = tmp_path / "SCAN-master.zip"
    member = MEMBERS["scan_simple"].format("train")
    path.write_bytes(b"no archive")
    with pytest.raises(ValueError, match=r"SCAN-master.zip: .*simple.txt can't be read \(BadZipFile: ") as caught:
        scan_dataset_builder.read_pairs(path, member)
    seen(caught)
    archive_of(path)
    with pytest.raises(ValueError, match=r"SCAN-master.zip has no file SCAN-master/length_split/") as caught:
        scan_dataset_builder.read_pairs(path, MEMBERS["scan_length"].format("train"))
    seen(caught)
    content = bytearray(path.read_bytes())
    content[80:100] = bytes(20)  # behind the first member's header and name
    path.write_bytes(content)
    with pytest.raises(ValueError, match=r"SCAN-master.zip: .*simple.txt can't be read \(") as caught:
        scan_dataset_builder.read_pairs(path, member)
    seen(caught)


def test_a_fault_behind_a_right_checksum_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    raw = archive_of(tmp_path / "SCAN-master.zip", test="")
    with pytest.raises(UserError, match=r"scan_simple can't be prepared in .*holds no commands") as caught:
        load("scan_simple", prepare_from(raw, tmp_path, monkeypatch))
    assert "\n" not in str(caught.value)
    assert list((tmp_path / "data").iterdir()) == []


def test_tfds_sees_the_builders_under_names_of_their_own() -> None:
    names = {builder.name for builder in (scan.Simple, scan.Length, scan.Jump)}
    assert names == {f"gru_research_{name}" for name in SIZES}  # "scan" is the stock builder's
