"""A stream of sound in blocks gives what the whole sound gives at once."""

from pathlib import Path

import jax
import numpy as np
import pytest

from gru_research.cells import GRU, LSTM, Cell, VanillaRNN
from gru_research.decoding.ctc import greedy_path
from gru_research.models.sequence import sequence
from gru_research.tasks import Task
from gru_research.tasks.speech import speech
from gru_research.tasks.speech.answers import Encode
from gru_research.tasks.speech.streaming import Stream
from gru_research.tasks.speech.utterances import Units
from tests.tasks.speech.sounds import said, table


@pytest.fixture(scope="module")
def task(tmp_path_factory: pytest.TempPathFactory) -> Task:
    return speech(train=str(table(tmp_path_factory.mktemp("speech"), 20)), normalise="running", stack=3)


def units_of(task: Task) -> Units:
    return Units(tuple(task.learned["units"]), words=False)


@pytest.mark.parametrize("cell", [GRU(6), LSTM(6), VanillaRNN(6)], ids=lambda cell: type(cell).__name__)
@pytest.mark.parametrize("block", [1, 77, 1000, 100_000])
def test_blocks_give_what_the_whole_gives(cell: Cell, block: int, task: Task) -> None:
    assert isinstance(task.encode, Encode)
    model = sequence(task.spec, cell, layers=2)
    params = jax.tree.map(lambda a: 3 * a, model.init(jax.random.key(0), task.spec.example))
    samples = said("LOW HIGH TOP LOW").astype(np.float32)
    if block == 1:
        samples = samples[:2000]
    batch = {name: array[None] for name, array in task.encode(samples).items()}
    whole = model.apply(params, batch)
    stream = Stream(model, params, task.encode, units_of(task))
    parts = [stream.feed(samples[start : start + block]) for start in range(0, len(samples), block)]
    np.testing.assert_allclose(np.concatenate(parts), whole[0], rtol=2e-5, atol=2e-5)
    labels = greedy_path(whole, batch["lengths"])
    assert stream.transcript == units_of(task).text(np.asarray(labels.tokens[0, : int(labels.lengths[0])]).tolist())


def test_what_cannot_stream_is_refused(task: Task, tmp_path: Path) -> None:
    assert isinstance(task.encode, Encode)
    both = sequence(task.spec, GRU(4), bidirectional=True)
    with pytest.raises(ValueError, match=r"can't read a stream: it is bidirectional$"):
        Stream(both, both.init(jax.random.key(0), task.spec.example), task.encode, units_of(task))
    forward = sequence(task.spec, GRU(4))
    params = forward.init(jax.random.key(0), task.spec.example)
    other = speech(train=str(table(tmp_path, 20)))
    assert isinstance(other.encode, Encode)
    with pytest.raises(ValueError, match=r"a run with config.task.normalise='running'"):
        Stream(forward, params, other.encode, units_of(other))
