"""The layouts of other libraries' recurrent weights, one table for each class.

A table maps the name of a library's array to its contents in terms of our parameters:

    "W_r W_z W_n"   concatenated along the axis of the units
    "W_i / U_i"     concatenated along the input axis for kernels, stacked as rows for biases
    "-W_z"          negated
    "b_f-1"         minus 1, which the library adds inside
    "+b_r"          a further summand: added on reading, 0 on writing

Our parameters that a table doesn't name have no counterpart in the library. They are 0 on reading and must be 0 on
writing. Names, shapes and equations are from the version named at each table.
"""

import dataclasses
import re
from collections.abc import Mapping

import numpy as np

from gru_research.cells import GRU, LSTM, VanillaRNN

TERM = re.compile(r"(?P<sign>[+-]?)(?P<name>[WUbc]_\w)(?P<shift>-1)?")


@dataclasses.dataclass(frozen=True)
class Term:
    """One of our parameters in a library's array. The array holds `scale * parameter - shift`."""

    name: str
    scale: int = 1
    shift: int = 0
    summand: bool = False

    @classmethod
    def parse(cls, text: str) -> "Term":
        found = TERM.fullmatch(text)
        assert found is not None, text
        sign = found["sign"]
        return cls(found["name"], -1 if sign == "-" else 1, 1 if found["shift"] else 0, sign == "+")

    def read(self, theirs: np.ndarray) -> np.ndarray:
        ours = theirs + theirs.dtype.type(self.shift) if self.shift else theirs
        return -ours if self.scale == -1 else ours

    def write(self, ours: np.ndarray) -> np.ndarray:
        if self.summand:
            return np.zeros_like(ours)
        theirs = -ours if self.scale == -1 else ours
        return theirs - theirs.dtype.type(self.shift) if self.shift else theirs


Block = tuple[tuple[Term, ...], ...]
"""The contents of an array: rows of terms."""


@dataclasses.dataclass(frozen=True)
class Layout:
    """The weight layout of one class of a library.

    Attributes:
      cell: our cell that computes the same function.
      arrays: the table, in the library's order of arrays.
      fields: the allowed values of our cell's fields that the library fixes.
      kernels: "in_out", or "out_in" if the library stores kernels transposed.
      tree: the mapping that the library loads: "flat", with names joined by `separator`; "nested", one dict per module;
        or "modules", one level of dicts whose names are joined by `separator`.
      biasless: whether the library's layer can be made without biases.
      module: the library's default prefix of the names.
      several: whether the library's module may have several layers and two directions. Names then end in `_l{layer}`,
        with `_reverse` for the backward direction.
    """

    cell: type
    arrays: Mapping[str, str]
    fields: Mapping[str, tuple[str, ...]] = dataclasses.field(default_factory=dict)
    kernels: str = "in_out"
    tree: str = "flat"
    separator: str = "."
    biasless: bool = False
    module: str = ""
    several: bool = False

    @property
    def blocks(self) -> dict[str, Block]:
        """The table, parsed."""
        return {
            name: tuple(tuple(Term.parse(term) for term in row.split()) for row in text.split("/"))
            for name, text in self.arrays.items()
        }


SIGMOID, TANH = {"gate": ("sigmoid",)}, {"activation": ("tanh",)}
AFTER, BEFORE = {"reset": ("after",)}, {"reset": ("before",)}

# PyTorch 2.13, torch/nn/modules/rnn.py: kernels (out, in); gates r, z, n and i, f, g, o. Every gate has two biases, of
# which only the sum matters except in the GRU's candidate. h = (1 - z) * n + z * h, as in our GRU.
TORCH_GRU = Layout(
    GRU,
    {
        "weight_ih": "W_r W_z W_n",
        "weight_hh": "U_r U_z U_n",
        "bias_ih": "b_r b_z b_n",
        "bias_hh": "+b_r +b_z c_n",
    },
    fields=AFTER | SIGMOID | TANH,
    kernels="out_in",
    biasless=True,
    several=True,
)
TORCH_LSTM = Layout(
    LSTM,
    {
        "weight_ih": "W_i W_f W_g W_o",
        "weight_hh": "U_i U_f U_g U_o",
        "bias_ih": "b_i b_f b_g b_o",
        "bias_hh": "+b_i +b_f +b_g +b_o",
    },
    fields=SIGMOID | TANH,
    kernels="out_in",
    biasless=True,
    several=True,
)
TORCH_RNN = Layout(
    VanillaRNN,
    {"weight_ih": "W_h", "weight_hh": "U_h", "bias_ih": "b_h", "bias_hh": "+b_h"},
    fields={"activation": ("tanh", "relu")},
    kernels="out_in",
    biasless=True,
    several=True,
)

# Keras 3.15, keras/src/layers/rnn: gates z, r, h and i, f, c, o. With reset_after, biases have two rows.
# `unit_forget_bias` affects only the initial values. Activations are arguments of the layer.
KERAS_GRU = Layout(
    GRU,
    {
        "kernel": "W_z W_r W_n",
        "recurrent_kernel": "U_z U_r U_n",
        "bias": "b_z b_r b_n / +b_z +b_r c_n",
    },
    fields=AFTER,
    separator="/",
    biasless=True,
)
KERAS_GRU_BEFORE = dataclasses.replace(KERAS_GRU, arrays={**KERAS_GRU.arrays, "bias": "b_z b_r b_n"}, fields=BEFORE)
KERAS_LSTM = Layout(
    LSTM,
    {
        "kernel": "W_i W_f W_g W_o",
        "recurrent_kernel": "U_i U_f U_g U_o",
        "bias": "b_i b_f b_g b_o",
    },
    separator="/",
    biasless=True,
)
KERAS_RNN = Layout(
    VanillaRNN, {"kernel": "W_h", "recurrent_kernel": "U_h", "bias": "b_h"}, separator="/", biasless=True
)

# Flax 0.12, flax/linen/recurrent.py: a Dense for each gate. The GRU's biases are on the input side, the LSTM's on the
# recurrent side. `OptimizedLSTMCell` has the tree of `LSTMCell`. Activations are arguments of the cell.
LINEN_GRU = Layout(
    GRU,
    {
        **{f"i{g}.{part}": f"{ours}_{g}" for g in "rzn" for part, ours in (("kernel", "W"), ("bias", "b"))},
        **{f"h{g}.kernel": f"U_{g}" for g in "rzn"},
        "hn.bias": "c_n",
    },
    fields=AFTER,
    tree="nested",
)
LINEN_LSTM = Layout(
    LSTM,
    {
        **{f"i{g}.kernel": f"W_{g}" for g in "ifgo"},
        **{f"h{g}.{part}": f"{ours}_{g}" for g in "ifgo" for part, ours in (("kernel", "U"), ("bias", "b"))},
    },
    tree="nested",
)
LINEN_SIMPLE = Layout(VanillaRNN, {"i.kernel": "W_h", "i.bias": "b_h", "h.kernel": "U_h"}, tree="nested")

# Flax 0.12, flax/nnx/nn/recurrent.py: fused kernels except in `LSTMCell`. The GRU has no hidden bias, unlike linen's.
NNX_GRU = Layout(
    GRU,
    {"dense_i.kernel": "W_r W_z W_n", "dense_i.bias": "b_r b_z b_n", "dense_h.kernel": "U_r U_z U_n"},
    fields=AFTER,
    tree="nested",
)
NNX_LSTM = dataclasses.replace(
    LINEN_LSTM, arrays={name.replace("if.", "if_."): held for name, held in LINEN_LSTM.arrays.items()}
)
NNX_OPTIMIZED_LSTM = Layout(
    LSTM,
    {
        "dense_i.kernel": "W_i W_f W_g W_o",
        "dense_h.kernel": "U_i U_f U_g U_o",
        "dense_h.bias": "b_i b_f b_g b_o",
    },
    tree="nested",
)
NNX_SIMPLE = Layout(
    VanillaRNN, {"dense_i.kernel": "W_h", "dense_i.bias": "b_h", "dense_h.kernel": "U_h"}, tree="nested"
)

# Haiku 0.0.17, haiku/_src/recurrent.py: the GRU has h = (1 - z) * h + z * n, so its z is 1 minus our z, and
# sigmoid(-a) = 1 - sigmoid(a). The LSTM multiplies [x, h] by one kernel with gates i, g, f, o, and adds 1 to f.
HAIKU_GRU = Layout(
    GRU,
    {"w_i": "-W_z W_r W_n", "w_h": "-U_z U_r U_n", "b": "-b_z b_r b_n"},
    fields=BEFORE | SIGMOID | TANH,
    tree="modules",
    separator="/",
    module="gru",
)
HAIKU_LSTM = Layout(
    LSTM,
    {"linear/w": "W_i W_g W_f W_o / U_i U_g U_f U_o", "linear/b": "b_i b_g b_f-1 b_o"},
    fields=SIGMOID | TANH,
    tree="modules",
    separator="/",
    module="lstm",
)
HAIKU_RNN = Layout(
    VanillaRNN,
    {"linear/w": "W_h", "linear/b": "b_h", "linear_1/w": "U_h", "linear_1/b": "+b_h"},
    fields={"activation": ("relu",)},
    tree="modules",
    separator="/",
    module="vanilla_rnn",
)
HAIKU_RNN_ONE_BIAS = dataclasses.replace(
    HAIKU_RNN, arrays={name: held for name, held in HAIKU_RNN.arrays.items() if name != "linear_1/b"}
)

# Equinox 0.13, equinox/nn/_rnn.py: kernels (out, in); gates r, z, n ("inp" is z) and i, f, g, o.
EQUINOX_GRU = Layout(
    GRU,
    {"weight_ih": "W_r W_z W_n", "weight_hh": "U_r U_z U_n", "bias": "b_r b_z b_n", "bias_n": "c_n"},
    fields=AFTER | SIGMOID | TANH,
    kernels="out_in",
    biasless=True,
)
EQUINOX_LSTM = Layout(
    LSTM,
    {"weight_ih": "W_i W_f W_g W_o", "weight_hh": "U_i U_f U_g U_o", "bias": "b_i b_f b_g b_o"},
    fields=SIGMOID | TANH,
    kernels="out_in",
    biasless=True,
)

LAYOUTS: dict[str, Layout] = {
    "torch.GRU": TORCH_GRU,
    "torch.GRUCell": dataclasses.replace(TORCH_GRU, several=False),
    "torch.LSTM": TORCH_LSTM,
    "torch.LSTMCell": dataclasses.replace(TORCH_LSTM, several=False),
    "torch.RNN": TORCH_RNN,
    "torch.RNNCell": dataclasses.replace(TORCH_RNN, several=False),
    "keras.GRU": KERAS_GRU,
    "keras.GRU(reset_after=False)": KERAS_GRU_BEFORE,
    "keras.LSTM": KERAS_LSTM,
    "keras.SimpleRNN": KERAS_RNN,
    "linen.GRUCell": LINEN_GRU,
    "linen.LSTMCell": LINEN_LSTM,
    "linen.OptimizedLSTMCell": LINEN_LSTM,
    "linen.SimpleCell": LINEN_SIMPLE,
    "nnx.GRUCell": NNX_GRU,
    "nnx.LSTMCell": NNX_LSTM,
    "nnx.OptimizedLSTMCell": NNX_OPTIMIZED_LSTM,
    "nnx.SimpleCell": NNX_SIMPLE,
    "haiku.GRU": HAIKU_GRU,
    "haiku.LSTM": HAIKU_LSTM,
    "haiku.VanillaRNN": HAIKU_RNN,
    "haiku.VanillaRNN(double_bias=False)": HAIKU_RNN_ONE_BIAS,
    "equinox.GRUCell": EQUINOX_GRU,
    "equinox.LSTMCell": EQUINOX_LSTM,
}
"""The classes that `from_library` and `to_library` support. A new one needs a table and a line here."""
