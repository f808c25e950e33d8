"""Converts the English ChatterBot corpus, questions with answers for a chat, to array_record.

It is a toy: 2,306 pairs, many of them verbatim duplicates, without a split, so no benchmark. The repository states the
licence BSD-3.

The split is one TFDS example, a text, so that it is read as one array.
"""

import itertools
import os
import re
from collections.abc import Iterator, Mapping
from typing import Any, ClassVar

import numpy as np
import tensorflow_datasets as tfds

LONGEST = 40
"""The most words of a question or an answer. Longer ones, mostly programs, are left out."""
_TOKEN = re.compile(r"\w+(?:['\u2019.-]\w+)*|[^\w\s]")


class Builder(tfds.core.GeneratorBasedBuilder, skip_registration=True):
    """A block of `text` uint8 [N], the bytes of dialogues of one turn in UTF-8 (`own_files.dialogues` has the format).
    Statements that follow each other are a question and its answer, in lower case, with blanks around punctuation.

    Prepare it with `file_format="array_record"`; TFDS's default format needs TensorFlow.
    """

    name = "gru_research_chatterbot"
    VERSION = tfds.core.Version("1.0.0")
    RELEASE_NOTES: ClassVar[dict[str, str]] = {"1.0.0": "One split, in the order of the files' names."}

    def _info(self) -> tfds.core.DatasetInfo:
        features = {"text": tfds.features.Tensor(shape=(None,), dtype=np.uint8, encoding="zlib")}
        return self.dataset_info_from_configs(
            features=tfds.features.FeaturesDict(features),
            homepage="https://github.com/gunthercox/chatterbot-corpus",
            disable_shuffling=True,
        )

    def _split_generators(self, dl_manager: tfds.download.DownloadManager) -> dict[str, Any]:
        assert self.url_infos, "checksums.tsv lies beside this file"
        files = {str(info.filename): dl_manager.download(url) for url, info in self.url_infos.items()}
        return {"train": self._generate_examples(files)}

    def _generate_examples(self, files: Mapping[str, os.PathLike]) -> Iterator[tuple[int, dict[str, np.ndarray]]]:
        pairs = [pair for file in sorted(files) for pair in read_pairs(files[file])]
        short = [pair for pair in pairs if all(len(side.split()) <= LONGEST for side in pair)]
        text = "".join(f"1 {question}\t{answer}\n" for question, answer in short)
        yield 0, {"text": np.frombuffer(text.encode(), np.uint8)}


def read_pairs(path: os.PathLike | str) -> list[tuple[str, str]]:
    """Returns the pairs of a file: each statement of a conversation with the one that follows it, as words divided by
    blanks.

    Raises:
      ValueError: the file isn't YAML, or has no conversations.
    """
    import yaml  # imported here because only preparation needs it

    try:
        with open(path, encoding="utf-8") as file:
            content = yaml.safe_load(file)
    except (yaml.YAMLError, UnicodeDecodeError) as e:
        raise ValueError(f"{os.fspath(path)} can't be read as YAML ({' '.join(str(e).split())[:100]})") from e
    conversations = content.get("conversations") if isinstance(content, dict) else None
    if not conversations or not isinstance(conversations, list):
        raise ValueError(f"{os.fspath(path)} has no conversations")
    found = []
    for n, conversation in enumerate(conversations):
        if isinstance(conversation, str):  # a slip in the corpus: a question and its answer in one text
            continue
        if not isinstance(conversation, list) or not all(isinstance(said, str) for said in conversation):
            raise ValueError(f"{os.fspath(path)}: conversation {n} must be a list of texts")
        texts = [" ".join(_TOKEN.findall(said.lower())) for said in conversation]
        found += [(a, b) for a, b in itertools.pairwise(texts) if a and b]
    return found
