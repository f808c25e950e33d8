"""The dialog bAbI tasks from their archive: the files' own texts; faults are one line."""

import io
import re
import shutil
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest

from gru_research.config import UserError
from gru_research.data import DataDirs, dialog_babi, load, prepare
from gru_research.data.dialog_babi import dialog_babi_dataset_builder
from gru_research.data.own_files import Turn, parse_dialogues
from tests.data.test_music import cut_in_half, flip_byte
from tests.faults import fault, seen

FILES = {"train": "trn", "validation": "dev", "test": "tst", "test_oov": "tst-OOV"}
STEMS = ("task1-API-calls", "task2-API-refine", "task3-options", "task4-phone-address", "task5-full-dialogs",
         "task6-dstc2")  # fmt: skip
TURNS = {  # of train, validation and test
    1: (6_024, 6_015, 5_936), 2: (9_498, 9_513, 9_464), 3: (9_855, 9_978, 10_018), 4: (3_507, 3_529, 3_498),
    5: (18_340, 18_457, 18_398), 6: (14_404, 4_159, 11_237),
}  # fmt: skip


def member(task: int, split: str) -> str:
    return f"dialog-bAbI-tasks/dialog-babi-{STEMS[task - 1]}-{FILES[split]}.txt"


@pytest.mark.parametrize("task", TURNS)
def test_the_splits_are_the_texts_of_the_files(
    task: int, dialog_babi_data_dir: str, dialog_babi_manual_dir: str
) -> None:
    sets = load(f"dialog_babi_{task}", DataDirs(dialog_babi_data_dir))
    assert list(sets) == [*FILES, "knowledge"] if task < 6 else [*FILES][:3]
    with tarfile.open(f"{dialog_babi_manual_dir}/dialog-babi-tasks.tgz") as archive:
        for split, arrays in sets.items():
            if split == "knowledge":
                continue
            file = archive.extractfile(member(task, split))
            assert file is not None
            content = file.read()
            assert arrays["text"].tobytes() == content
            # An independent parse: a dialogue begins where a line's number is 1, a turn has a tab.
            lines = [line for line in content.decode().split("\n") if line.strip()]
            dialogues = parse_dialogues(content.decode(), split)
            assert len(dialogues) == sum(re.match(r"1 ", line) is not None for line in lines)
            found = [part for dialogue in dialogues for part in dialogue]
            assert [isinstance(part, Turn) for part in found] == ["\t" in line for line in lines]
            for part, line in zip(found, lines, strict=True):
                words = (*part.user, *part.bot) if isinstance(part, Turn) else part.words
                assert list(words) == line.split()[1:]


def test_the_numbers_of_turns_are_those_of_the_literature(dialog_babi_data_dir: str) -> None:
    for task, turns in TURNS.items():
        sets = load(f"dialog_babi_{task}", DataDirs(dialog_babi_data_dir))
        for split, count in zip(FILES, turns, strict=False):
            assert sets[split]["text"].tobytes().count(b"\t") == count


def test_the_knowledge_is_a_fact_a_line(dialog_babi_data_dir: str) -> None:
    text = load("dialog_babi_1", DataDirs(dialog_babi_data_dir))["knowledge"]["text"].tobytes().decode()
    lines = text.splitlines()
    assert lines[0] == "1 resto_seoul_cheap_korean_1stars R_cuisine\tkorean"
    assert all(re.fullmatch(r"1 \S+ R_\w+\t\S+", line) for line in lines)


@pytest.mark.parametrize("damage", [flip_byte, cut_in_half])
def test_a_damaged_archive_is_named_and_leaves_nothing(
    damage: Callable[[Path], None], dialog_babi_manual_dir: str, tmp_path: Path
) -> None:
    raw, data_dir = tmp_path / "raw", tmp_path / "data"
    raw.mkdir()
    shutil.copyfile(f"{dialog_babi_manual_dir}/dialog-babi-tasks.tgz", raw / "dialog-babi-tasks.tgz")
    damage(raw / "dialog-babi-tasks.tgz")
    with pytest.raises(UserError) as caught:
        load("dialog_babi_1", DataDirs(str(data_dir), str(raw)))
    assert str(caught.value) == (
        f"dialog-babi-tasks.tgz in manual_dir={str(raw)!r} has a wrong checksum: get that file again"
    )
    assert list(data_dir.iterdir()) == []


def test_a_missing_archive_is_asked_for(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"lacks dialog-babi-tasks.tgz: dialog_babi_6 needs dialog-babi-tasks.tgz$"):
        prepare("dialog_babi_6", DataDirs(str(tmp_path / "data"), str(tmp_path)))


def archive_of(path: Path, **texts: str) -> Path:
    """An archive with texts of task 1 by split."""
    with tarfile.open(path, "w:gz") as archive:
        for split, text in texts.items():
            info = tarfile.TarInfo(member(1, split))
            info.size = len(text.encode())
            archive.addfile(info, io.BytesIO(text.encode()))
    return path


@fault("data", "an archive of dialogues that isn't one", "an archive without its dialogues",
       "a line of an archive's dialogues that is no turn")  # fmt: skip
def test_faults_of_an_archive_are_one_line(tmp_path: Path) -> None:
    path, name = tmp_path / "dialog-babi-tasks.tgz", "dialog-babi-task1-API-calls-{}.txt"
    path.write_bytes(b"no archive")
    with pytest.raises(ValueError, match=r"tasks.tgz: .*-trn.txt can't be read \(ReadError: ") as caught:
        dialog_babi_dataset_builder.read_member(path, name.format("trn"))
    seen(caught)
    archive_of(path, train="1 hi\thello\n2 hi hello\t\n")
    with pytest.raises(ValueError, match=r"tasks.tgz has no file dialog-babi-task1-API-calls-dev.txt$") as caught:
        dialog_babi_dataset_builder.read_member(path, name.format("dev"))
    seen(caught)
    text = dialog_babi_dataset_builder.read_member(path, name.format("trn"))
    with pytest.raises(ValueError, match=r"^trn:2: the bot's answer is empty$") as caught:
        dialog_babi_dataset_builder.check_dialogues(text, "trn")
    seen(caught)


def test_a_fault_behind_a_right_checksum_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    raw = archive_of(tmp_path / "dialog-babi-tasks.tgz", train="1 hi\thello\n", validation="hi\n", test="", test_oov="")
    download = "tensorflow_datasets.core.download.download_manager.DownloadManager.download"
    monkeypatch.setattr(download, lambda self, url: raw)
    with pytest.raises(UserError, match=r"dialog_babi_1 can't be prepared in .*-dev.txt:1: 'hi' must be") as caught:
        load("dialog_babi_1", DataDirs(str(tmp_path / "data"), str(tmp_path)))
    assert "\n" not in str(caught.value)
    assert list((tmp_path / "data").iterdir()) == []


def test_tfds_sees_the_builders_under_names_of_their_own() -> None:
    names = {getattr(dialog_babi, name).name for name in dialog_babi.__all__}
    assert names == {f"gru_research_dialog_babi_{task}" for task in TURNS}
