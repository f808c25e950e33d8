"""Results from the literature on the dialog bAbI tasks, as shares of right answers."""

from collections.abc import Mapping

from ..application import Published

_BORDES, _MEM2SEQ = "Bordes et al. 2017 (arXiv 1605.07683)", "Madotto et al. 2018 (arXiv 1804.08217)"
_CHOSEN = "chooses among candidates"
_OWN = "generates with a copy mechanism"
PUBLISHED: Mapping[str, tuple[Published, ...]] = {
    "dialog_babi_1": (Published("Mem2Seq", {"per_response": 1.0}, _OWN, _MEM2SEQ),),
    "dialog_babi_3": (Published("Mem2Seq", {"per_response": 0.947}, _OWN, _MEM2SEQ),),
    "dialog_babi_4": (Published("Mem2Seq", {"per_response": 1.0}, _OWN, _MEM2SEQ),),
    "dialog_babi_5": (
        Published("MemN2N", {"per_response": 0.961}, _CHOSEN, _BORDES),
        Published("Seq2Seq with attention", {"per_response": 0.988, "per_dialogue": 0.815}, "generates", _MEM2SEQ),
    ),
    "dialog_babi_6": (
        Published("MemN2N", {"per_response": 0.411}, _CHOSEN, _BORDES),
        Published("Mem2Seq", {"per_response": 0.45}, _OWN, _MEM2SEQ),
        Published("Seq2Seq with attention", {"per_response": 0.464}, "generates", _MEM2SEQ),
    ),
}
"""By data set."""
