"""Converts MNIST (LeCun, Bottou, Bengio and Haffner, 1998) from IDX files to array_record, in the files' order.

A TFDS example is a block of 1,000 images, because TFDS decodes about ten thousand examples a second: 70,000 single
images take 8 s to read (and 8 s to prepare), and 70 blocks take 0.3 s (and 1 s).
"""

import gzip
import math
import os
import struct
from collections.abc import Iterator
from typing import Any, ClassVar

import numpy as np
import tensorflow_datasets as tfds

BLOCK = 1000  # images in an example
_SPLITS = {
    "train": ("train-images-idx3-ubyte.gz", "train-labels-idx1-ubyte.gz", 60_000),
    "test": ("t10k-images-idx3-ubyte.gz", "t10k-labels-idx1-ubyte.gz", 10_000),
}
_UNSIGNED_BYTE = 0x08  # IDX's code of the element type, in the third byte of the magic number


class Builder(tfds.core.GeneratorBasedBuilder):
    """Blocks of `image` uint8 [N, 28, 28], 0 is the background, and `label` [N], the digit.

    Prepare it with `file_format="array_record"`; TFDS's default format needs TensorFlow.
    """

    # "mnist", which TFDS would take from the module's name, is the stock builder in TFDS's registry and in data_dir.
    name = "gru_research_mnist"
    VERSION = tfds.core.Version("1.0.0")
    RELEASE_NOTES: ClassVar[dict[str, str]] = {"1.0.0": "Blocks of 1,000 images in the order of the IDX files."}

    def _info(self) -> tfds.core.DatasetInfo:
        features = {
            "image": tfds.features.Tensor(shape=(None, 28, 28), dtype=np.uint8, encoding="bytes"),
            "label": tfds.features.Sequence(tfds.features.ClassLabel(num_classes=10)),
        }
        return self.dataset_info_from_configs(
            features=tfds.features.FeaturesDict(features),
            homepage="https://yann.lecun.com/exdb/mnist/",
            disable_shuffling=True,  # the validation set is the end of train
        )

    def _split_generators(self, dl_manager: tfds.download.DownloadManager) -> dict[str, Any]:
        assert self.url_infos, "checksums.tsv lies beside this file"
        paths = dl_manager.download({info.filename: url for url, info in self.url_infos.items()})
        return {
            split: self._generate_examples(paths[images], paths[labels], count)
            for split, (images, labels, count) in _SPLITS.items()
        }

    def _generate_examples(
        self, images: os.PathLike, labels: os.PathLike, count: int
    ) -> Iterator[tuple[int, dict[str, np.ndarray]]]:
        image, label = read_idx(images, axes=3), read_idx(labels, axes=1)
        if image.shape != (count, 28, 28) or label.shape != (count,):
            raise ValueError(f"{images} holds {image.shape} and {labels} {label.shape}; expected {count} of each")
        for start in range(0, count, BLOCK):
            block = slice(start, start + BLOCK)
            yield start, {"image": image[block], "label": label[block].astype(np.int64)}


def read_idx(path: os.PathLike | str, axes: int) -> np.ndarray:
    """Reads a gzipped IDX file of unsigned bytes; the header gives the lengths of its `axes` axes.

    Raises:
      ValueError: the magic number is wrong, or the number of bytes differs from the header.
    """
    with gzip.open(path) as file:
        content = file.read()
    header = struct.Struct(f">{1 + axes}I")
    if len(content) < header.size:
        raise ValueError(f"{path} has {len(content)} bytes and must have a header of {header.size}")
    magic, *shape = header.unpack_from(content)
    expected = _UNSIGNED_BYTE << 8 | axes
    if magic != expected:
        raise ValueError(f"{path} has the magic number {magic} and must have {expected}")
    if len(content) != header.size + math.prod(shape):
        raise ValueError(f"{path} has {len(content) - header.size} bytes of data; its header says {shape}")
    return np.frombuffer(content, np.uint8, offset=header.size).reshape(shape)
