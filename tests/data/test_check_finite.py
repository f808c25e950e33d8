"""Floats of stored data that aren't finite are named by array and example."""

from typing import Any

import numpy as np
import pytest
import tensorflow_datasets as tfds

from gru_research.config import UserError
from gru_research.data import BUILDERS, DataDirs, check_finite, load


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("shape", [(9,), (9, 4), (9, 2, 3)])
def test_what_is_not_finite_is_found_in_any_shape(
    value: float, shape: tuple[int, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(check_finite, "_AT_ONCE", 7)  # a few rows at a time
    numbers = np.zeros(shape, np.float32)
    check_finite.check_finite({"x": numbers, "n": np.full(9, 2**31 - 1), "none": numbers[:0]}, "x")
    numbers.reshape(9, -1)[5, -1] = value
    numbers[7] = value
    with pytest.raises(UserError, match=f"^here: x of example 5 holds {value}, and must be finite"):
        check_finite.check_finite({"x": numbers}, "here")
    with pytest.raises(UserError, match=f"^here: x of example 50 holds {value}"):
        check_finite.check_finite({"x": numbers}, "here", range(0, 90, 10))


class Blocks(tfds.core.GeneratorBasedBuilder, skip_registration=True):
    """Blocks of 4 numbers, as our own builders make them; the second of "test" holds NaN."""

    name = "blocks"
    VERSION = tfds.core.Version("1.0.0")

    def _info(self) -> tfds.core.DatasetInfo:
        features = tfds.features.FeaturesDict({"x": tfds.features.Tensor(shape=(None,), dtype=np.float32)})
        return tfds.core.DatasetInfo(builder=self, features=features, disable_shuffling=True)

    def _split_generators(self, dl_manager: Any) -> dict[str, Any]:
        return {"train": self._generate_examples(1.0), "test": self._generate_examples(np.nan)}

    def _generate_examples(self, last: float) -> Any:
        yield 0, {"x": np.ones(4, np.float32)}
        yield 1, {"x": np.array([1, 1, last, 1], np.float32)}


def test_a_data_set_of_ours_is_checked_as_it_is_loaded(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(BUILDERS, "blocks", Blocks)  # pyright: ignore
    Blocks(data_dir=str(tmp_path)).download_and_prepare(file_format="array_record")
    with pytest.raises(UserError, match=r"^the data set in .*/blocks/1.0.0, split 'test': x of example 6 holds nan"):
        load("blocks", DataDirs(str(tmp_path)))
    assert len(load("blocks", DataDirs(str(tmp_path)), 6)["test"]["x"]) == 6
