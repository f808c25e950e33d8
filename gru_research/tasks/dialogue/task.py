"""Says the bot's next words in a dialogue, from all that was said and found before."""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from gru_research.data import DataDirs
from gru_research.data.own_files import Dialogue
from gru_research.spec import Spec
from gru_research.types import Batch

from ..application import Application, without_metric
from ..base import Stored, Task
from . import metrics, trivial
from .answers import Decode, Encode, Generate
from .published import PUBLISHED
from .reading import CHAT, OOV, Sets, Source
from .streams import answers_of, encode, shortened, to_stream, with_fewer_facts
from .vocabulary import Vocabulary, learn_vocabulary

FORM = "dialogue"
USE = "chatbots and dialogue"
SPARE = 4
"""An answer may have this many words more than the longest one in training."""


def dialogue(
    dataset: str = "dialog_babi_5",
    train: str = "",
    validation: str = "",
    test: str = "",
    validation_share: float = 0.1,
    test_share: float = 0.1,
    seed: int = 0,
    longest: int = 400,
    facts: int = 0,
    masked_copies: int = 2,
    validation_dialogues: int = 0,
    bleu: bool = False,
    dirs: DataDirs = DataDirs(),
    learned: Mapping[str, Any] | None = None,
) -> Task:
    """Say what a bot says next, word by word, in a dialogue that is one stream of tokens.

    A stream holds what the user says, what the bot says, and facts of a knowledge base. The loss is of the bot's words.
    The metric "per_response" is the share of turns whose whole answer is right, word by word; "per_dialogue" is the
    share of dialogues whose answers are all right. An answer is decoded greedily after the true dialogue so far. It is
    thus right if each of its words is the most probable one after the true words before. "oov_per_response" and
    "oov_per_dialogue" are of dialogues with words for places and cuisines that training lacks.

    Words that training lacks get tokens of their own, 128 slots, and can be copied. Training dialogues are also read in
    `masked_copies`, in which slots take the place of rare words and of words that the bot only repeats.

    Args:
      dataset: "dialog_babi_1" to "dialog_babi_6", or "chatterbot", a toy of questions with answers.
      train: a text file of your own, in the format of `data.own_files.dialogues`, in place of `dataset`.
      validation, test: files like `train`; "" takes shares of `train`, drawn by `seed`, instead.
      longest: the most tokens of a training dialogue, which is cut after its last part that fits; 0: all.
      facts: the most facts that are read in a row; 0: all.
      validation_dialogues: the number of validation dialogues that are used, the first ones; 0: all.
      bleu: whether "bleu" compares decoded answers with the right ones, word by word. It takes sacrebleu, and time.
      learned: facts from an earlier run. Data are then read only when they are loaded.

    Trivial answers: the most frequent one, and the one that follows the same words of the user most often.
    """
    limits = {"longest": longest, "facts": facts, "masked_copies": masked_copies}
    for field, value in {**limits, "validation_dialogues": validation_dialogues}.items():
        if value < 0:
            raise ValueError(f"{field}={value!r} must be 0 or more")
    how = Reading(longest, facts, masked_copies, validation_dialogues, bleu)
    held: list[Sets] = []  # the sets for the first load, freed afterwards
    if not learned:
        source = Source.of(dataset, train, validation, test, validation_share, test_share, seed)
        sets = how.cut(source.read(dirs))
        held.append(sets)
        learned = {"source": dataclasses.asdict(source), **_learned(sets, how, source.dataset == CHAT)}
    source = Source.from_json(learned["source"])

    def read() -> dict[str, Any]:
        sets = held.pop() if held else how.cut(source.read(dirs))
        return how.arrays(sets, Vocabulary(**learned["vocabulary"]), learned["answer"])

    return _make(source, learned, read, bleu)


@dataclasses.dataclass(frozen=True)
class Reading:
    """How dialogues become examples; the attributes are the task's options."""

    longest: int
    facts: int
    masked_copies: int
    validation_dialogues: int
    bleu: bool

    def cut(self, sets: Sets) -> dict[str, list[Dialogue]]:
        """Returns the sets with fewer facts and validation dialogues, as the options say."""
        found = {
            split: [with_fewer_facts(one, self.facts) for one in dialogues] if self.facts else list(dialogues)
            for split, dialogues in sets.items()
        }
        count = self.validation_dialogues
        return found | {"validation": found["validation"][:count]} if count else found

    def train(self, dialogues: Sequence[Dialogue]) -> list[Dialogue]:
        """Returns the training dialogues, cut to the longest stream, without those of which no turn is left."""
        found = [shortened(one, self.longest) for one in dialogues] if self.longest else list(dialogues)
        kept = [one for one in found if trivial.turns(one)]
        if not kept:
            raise ValueError(f"longest={self.longest!r} leaves no turn of any training dialogue: choose a longer one")
        return kept

    def arrays(self, sets: Sets, vocabulary: Vocabulary, longest: int) -> dict[str, dict[str, np.ndarray]]:
        """Returns the three sets; the test set ends with the dialogues that have words training lacks.

        Args:
          longest: the most words of an answer that is decoded.
        """
        train = self.train(sets["train"])
        random = np.random.RandomState(0)
        copies = [encode(train, vocabulary), *(encode(train, vocabulary, random) for _ in range(self.masked_copies))]
        oov = list(sets.get(OOV, ()))
        found = {
            "train": {name: np.concatenate([one[name] for one in copies]) for name in copies[0]},
            "validation": encode(sets["validation"], vocabulary),
            "test": encode([*sets["test"], *oov], vocabulary),
        }
        for split, arrays in found.items():
            count = len(arrays["inputs"])
            if self.bleu and split != "train":
                arrays |= answers_of(arrays, longest)
            arrays["oov"] = np.arange(count) >= count - (len(oov) if split == "test" else 0)
        return found


def _learned(sets: Sets, how: Reading, generate_all: bool) -> dict[str, Any]:
    """Returns the facts learned from the data, as plain JSON."""
    train = how.train(sets["train"])
    vocabulary = learn_vocabulary(train, generate_all)
    streams = [to_stream(one) for one in train]
    words = max(len(turn.bot) for one in train for turn in trivial.turns(one))
    tested = [one for split in ("test", OOV) for one in sets.get(split, ())]
    found: dict[str, dict[str, float]] = {}
    for prefix, split in (("", "test"), ("oov_", OOV)):
        if split not in sets:
            continue
        right = trivial.right_answers(sets[split])
        for name, given in trivial.trivial_answers(sets["train"], sets[split]).items():
            found.setdefault(name, {}).update(
                {
                    f"{prefix}per_response": trivial.per_response(given, right),
                    f"{prefix}per_dialogue": trivial.per_dialogue(given, right),
                }
            )
    return {
        "vocabulary": dataclasses.asdict(vocabulary),
        "steps": max(len(stream.words) for stream in streams),
        "targets": max(len(stream.targets) for stream in streams),
        "answer": words + SPARE,
        "most_turns": max(len(trivial.turns(one)) for one in tested),
        "oov": OOV in sets,
        "trivial": found,
    }


def _prepare(batch: Batch) -> Batch:
    """Returns tokens as int32, with the names of lengths that a model reads."""
    tokens = {name: batch[name].astype(jnp.int32) for name in ("inputs", "positions", "targets", "turns")}
    tokens |= {name: batch[name].astype(jnp.int32) for name in ("starts", "responses") if name in batch}
    return {**tokens, "lengths": batch["length"], "target_lengths": batch["targets_length"], "oov": batch["oov"]}


def _make(source: Source, learned: Mapping[str, Any], read: Any, bleu: bool) -> Task:
    vocabulary = Vocabulary(**learned["vocabulary"])
    shapes = {name: (learned["targets"],) for name in ("positions", "targets")}
    shapes |= {"inputs": (learned["steps"],), "lengths": (), "target_lengths": ()}
    spec = {name: jax.ShapeDtypeStruct(shape, jnp.int32) for name, shape in shapes.items()}
    found = metrics.metrics_of(learned["oov"], learned["most_turns"], bleu)
    answers = learned["trivial"]
    padded = {"inputs": "length", **dict.fromkeys(("positions", "targets", "turns"), "targets_length")}
    return Task(
        name=f"{FORM}-{source.name}",
        data=Stored(read=read, prepare=_prepare, padded=padded),
        spec=Spec(spec, vocabulary.generated, None, vocabulary.size),
        loss=metrics.loss,
        metrics=found,
        metric="per_response",
        trivial={name: values["per_response"] for name, values in answers.items()},
        length=learned["steps"],
        scaling="It is the data's: longer dialogues have more turns and facts between a word and its use.",
        encode=Encode(vocabulary),
        decode=Decode(vocabulary.tokens),
        vocabularies={"inputs": vocabulary.tokens, "targets": vocabulary.tokens},
        learned=learned,
        files=source.paths,
        application=Application(
            form=FORM,
            use=USE,
            trivial_metrics=without_metric(answers, "per_response"),
            published=PUBLISHED.get(source.dataset, ()),
            breakdowns=metrics.breakdowns_of(found),
            generate=Generate(learned["answer"]),
            samples=True,
        ),
    )
