"""Downloads and prepares a data set, or prepares it from a folder with its raw files.

python -m experiments.prepare --dataset=mnist [--data_dir=DIR] [--manual_dir=DIR]
python -m experiments.prepare --dataset=chorales
python -m experiments.prepare --dataset=etth1            # also etth2
python -m experiments.prepare --dataset=music_jsb        # also music_nottingham, music_musedata, music_piano_midi
python -m experiments.prepare --dataset=scan_simple      # also scan_length, scan_jump
python -m experiments.prepare --dataset=tiny_shakespeare
python -m experiments.prepare --dataset=sst2             # also goemotions
"""

from absl import flags

from experiments.cli.launcher import launch
from gru_research import data

DATASET = flags.DEFINE_string("dataset", "mnist", f"one of {', '.join(data.BUILDERS)}.")
DATA_DIR = flags.DEFINE_string("data_dir", "", "where prepared data sets lie; default: TFDS's, ~/tensorflow_datasets.")
MANUAL_DIR = flags.DEFINE_string("manual_dir", "", "folder with the raw files; default: they are downloaded.")


def main() -> int:
    dirs = data.DataDirs(DATA_DIR.value, MANUAL_DIR.value)
    folder = data.prepare(DATASET.value, dirs)
    splits = data.load(DATASET.value, dirs)
    counts = ", ".join(f"{len(next(iter(arrays.values()))):,} {split}" for split, arrays in splits.items())
    print(f"{DATASET.value} is prepared in {folder}: {counts} examples")
    return 0


if __name__ == "__main__":
    launch(main)
