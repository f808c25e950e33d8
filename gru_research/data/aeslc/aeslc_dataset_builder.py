"""Converts the Annotated Enron Subject Line Corpus, e-mails with their subjects, to array_record.

Zhang and Tetreault, ACL 2019 (arXiv 1906.03497). The licence is CC BY-NC-SA 4.0: not for commercial use. The e-mails
were written by real people: don't reprint them.

A split is one TFDS example, its e-mails as JSON Lines, so that it is read as one array.
"""

import json
import os
from collections.abc import Iterator, Mapping
from pathlib import PurePosixPath
from typing import Any, ClassVar, NamedTuple

import numpy as np
import tensorflow_datasets as tfds

from gru_research.data.archives import raw_archive, read_members
from gru_research.data.checksum import checksum

FILE = "AESLC-7afc087.tar.gz"
ADDRESS = "https://github.com/ryanzhumich/AESLC/archive/7afc087a1cc234d07121f0d4a2d87102ddceabc2.tar.gz"
_FOLDERS = {"train": "train", "validation": "dev", "test": "test"}
_SUMS = {
    "train": "d071ac944bf34b21af56d5b9ca91e7b251609114c95bbf5870d87f81a3b48310",
    "validation": "66d56a43ada93e72796a679d9a98b593eadceb6b0fc19d3f859a2018d1adc2f6",
    "test": "3a81270f3b7888892faa9ad831c6e93c9e208394138361400d5da9da19eb4c20",
}
"""The sha256 sums of the e-mails of each split, see `checksum`."""


class Mail(NamedTuple):
    """An e-mail.

    Attributes:
      body: the text, without the headers.
      subject: the writer's own subject.
      others: three subjects by annotators; none in training.
    """

    body: str
    subject: str
    others: tuple[str, ...]


class Builder(tfds.core.GeneratorBasedBuilder):
    """Blocks of `text` uint8 [N], UTF-8 bytes of JSON Lines: an e-mail a line, with its body as "document", its subject
    as "summary" and, in validation and test, the subjects of three annotators as "others".

    Prepare it with `file_format="array_record"`; TFDS's default format needs TensorFlow.
    """

    name = "gru_research_aeslc"
    VERSION = tfds.core.Version("1.0.0")
    RELEASE_NOTES: ClassVar[dict[str, str]] = {"1.0.0": "A block a split, in the order of the files' names."}
    ARCHIVES: ClassVar[Mapping[str, str]] = {FILE: ADDRESS}
    MANUAL_DOWNLOAD_INSTRUCTIONS = f"{FILE} from {ADDRESS}"

    def _info(self) -> tfds.core.DatasetInfo:
        features = {"text": tfds.features.Tensor(shape=(None,), dtype=np.uint8, encoding="zlib")}
        return self.dataset_info_from_configs(
            features=tfds.features.FeaturesDict(features),
            homepage="https://github.com/ryanzhumich/AESLC",
            disable_shuffling=True,
        )

    def _split_generators(self, dl_manager: tfds.download.DownloadManager) -> dict[str, Any]:
        found = read_mails(raw_archive(dl_manager, ADDRESS, FILE), check=True)
        return {split: self._generate_examples(mails) for split, mails in found.items()}

    def _generate_examples(self, mails: list[Mail]) -> Iterator[tuple[int, dict[str, np.ndarray]]]:
        lines = [
            json.dumps(
                {"document": mail.body, "summary": mail.subject} | ({"others": mail.others} if mail.others else {}),
                ensure_ascii=False,
            )
            for mail in mails
        ]
        yield 0, {"text": np.frombuffer("".join(f"{line}\n" for line in lines).encode(), np.uint8)}


def read_mails(path: os.PathLike | str, check: bool = False) -> dict[str, list[Mail]]:
    """Returns the e-mails of "train", "validation" and "test" from the archive, in the order of the files' names.

    Args:
      check: whether the e-mails must be those of the corpus, by their sums.

    Raises:
      ValueError: the file isn't a tar archive, is damaged or incomplete, or a member is no e-mail with its subject.
    """
    texts = read_members(path, _key)
    found = {}
    for split, folder in _FOLDERS.items():
        own = {name.partition("/")[2]: text for name, text in texts.items() if name.startswith(f"{folder}/")}
        if not own:
            raise ValueError(f"{os.fspath(path)} has no e-mails in {folder}/")
        if check and checksum(own) != _SUMS[split]:
            raise ValueError(f"{os.fspath(path)}: the {len(own)} e-mails in {folder}/ aren't those of the corpus")
        found[split] = [parse_mail(own[name], f"{os.fspath(path)}: {folder}/{name}") for name in sorted(own)]
    return found


def parse_mail(content: bytes, place: str) -> Mail:
    """Returns an e-mail from its file: the body, and after lines "@subject", "@ann0", "@ann1" and "@ann2" the subjects.

    Args:
      place: the file, for messages.

    Raises:
      ValueError: the file isn't UTF-8, or lacks a body or a subject.
    """
    try:
        body, mark, subjects = content.decode().partition("\n@subject\n")
    except UnicodeDecodeError as e:
        raise ValueError(f"{place}: isn't UTF-8") from e
    if not mark:
        raise ValueError(f"{place}: has no line '@subject'")
    parts = [subjects]
    for number in range(3):
        parts = [*parts[:-1], *parts[-1].split(f"\n@ann{number}\n", 1)]
    subject, *others = (part.strip() for part in parts)
    if not body.strip() or not subject:
        raise ValueError(f"{place}: has no {'subject' if body.strip() else 'body'}")
    return Mail(body.strip(), subject, tuple(others))


def _key(path: PurePosixPath) -> str:
    return f"{path.parent.name}/{path.name}" if path.suffix == ".subject" else ""
