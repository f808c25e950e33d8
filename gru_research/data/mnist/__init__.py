"""MNIST as a TFDS builder that needs no TensorFlow; `checksums.tsv` holds the addresses, sizes and sha256 sums."""

from gru_research.data.mnist.mnist_dataset_builder import Builder

__all__ = ["Builder"]
