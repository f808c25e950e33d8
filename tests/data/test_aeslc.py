"""AESLC from its archive to JSON Lines. The e-mails are real people's: none of their text is in the tests."""

import io
import json
import tarfile
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from gru_research.config import UserError
from gru_research.data import DataDirs, load, prepare
from gru_research.data.aeslc import Mail, aeslc_dataset_builder, read_mails
from tests.data.test_music import cut_in_half, flip_byte
from tests.faults import fault, seen

FILE = aeslc_dataset_builder.FILE
MAIL = b"Dear all,\nlunch is at noon.\n\n@subject\nLunch\n\n@ann0\na lunch\n\n@ann1\nnoon\n\n@ann2\nfood"


def archive_of(path: Path, files: Mapping[str, bytes]) -> Path:
    """An archive with files by their paths below the first folder."""
    with tarfile.open(path, "w:gz") as archive:
        for name, content in files.items():
            info = tarfile.TarInfo(f"AESLC-any/enron_subject_line/{name}")
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return path


def test_the_lines_are_the_mails_of_the_archive(aeslc_data_dir: str) -> None:
    sets = load("aeslc", DataDirs(aeslc_data_dir))
    counts = {"train": 14_436, "validation": 1_960, "test": 1_906}
    for split, arrays in sets.items():
        rows = [json.loads(line) for line in arrays["text"].tobytes().decode().splitlines()]
        assert len(rows) == counts[split]
        assert all(row["document"].strip() and row["summary"].strip() for row in rows)
        assert {len(row.get("others", [])) for row in rows} == ({0} if split == "train" else {3})


@pytest.mark.parametrize("damage", [flip_byte, cut_in_half])
def test_a_damaged_archive_is_named_and_leaves_nothing(
    damage: Callable[[Path], None], aeslc_manual_dir: str, tmp_path: Path
) -> None:
    raw, data_dir = tmp_path / "raw", tmp_path / "data"
    raw.mkdir()
    (raw / FILE).write_bytes(Path(aeslc_manual_dir, FILE).read_bytes())
    damage(raw / FILE)
    with pytest.raises(UserError) as caught:
        load("aeslc", DataDirs(str(data_dir), str(raw)))
    assert "\n" not in str(caught.value) and FILE in str(caught.value)
    assert list(data_dir.iterdir()) == []


def test_a_missing_archive_is_asked_for(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=rf"lacks {FILE}: aeslc needs {FILE}$"):
        prepare("aeslc", DataDirs(str(tmp_path / "data"), str(tmp_path)))


@fault("data", "an archive with other e-mails than the corpus")
def test_other_mails_are_refused(tmp_path: Path) -> None:
    archive_of(tmp_path / FILE, {f"{folder}/a_1.subject": MAIL for folder in ("train", "dev", "test")})
    with pytest.raises(UserError, match=r"the 1 e-mails in train/ aren't those of the corpus") as caught:
        load("aeslc", DataDirs(str(tmp_path / "data"), str(tmp_path)))
    seen(caught)
    assert list((tmp_path / "data").iterdir()) == []


def test_a_mail_is_its_body_and_its_subjects(tmp_path: Path) -> None:
    path = archive_of(
        tmp_path / "x.tar.gz",
        {"dev/b_1.subject": MAIL, "dev/a_1.subject": b"Hi\n@subject\nGreeting", "train/a.subject": MAIL,
         "test/a.subject": MAIL, "test/notes.txt": b"not a mail"},
    )  # fmt: skip
    mails = read_mails(path)["validation"]
    assert mails[0] == Mail("Hi", "Greeting", ())
    assert mails[1] == Mail("Dear all,\nlunch is at noon.", "Lunch", ("a lunch", "noon", "food"))


@pytest.mark.parametrize(
    ("content", "says"),
    [
        pytest.param(b"Hi\n", "has no line '@subject'", marks=fault("data", "an e-mail without a subject")),
        (b"Hi\n@subject\n \n", "has no subject"),
        (b" \n@subject\nHi", "has no body"),
        (b"\xff\n@subject\nHi", "isn't UTF-8"),
    ],
)
def test_faults_of_a_mail_are_one_line(content: bytes, says: str, tmp_path: Path) -> None:
    path = archive_of(tmp_path / "x.tar.gz", {"train/a_1.subject": content})
    with pytest.raises(ValueError, match=rf"x.tar.gz: train/a_1.subject: {says}$") as caught:
        read_mails(path)
    seen(caught)


@fault("data", "an archive of e-mails that isn't one", "an archive without e-mails")
def test_faults_of_an_archive_are_one_line(tmp_path: Path) -> None:
    (tmp_path / "x.tar.gz").write_bytes(b"no archive")
    with pytest.raises(ValueError, match=r"x.tar.gz can't be read \(ReadError: ") as caught:
        read_mails(tmp_path / "x.tar.gz")
    seen(caught)
    with pytest.raises(ValueError, match=r"y.tar.gz has no e-mails in train/$") as caught:
        read_mails(archive_of(tmp_path / "y.tar.gz", {"dev/a.subject": MAIL}))
    seen(caught)
