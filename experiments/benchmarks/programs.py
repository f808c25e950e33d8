"""Makes the programs of a case that are timed: forward, and a training step.

    forward  all outputs, of every step
    train    mean square of all outputs, and its gradient with respect to the parameters, not the input
    last     the same for the last output only, without storing the others: ours only

All systems compute the same. Inputs are on the device beforehand; a run ends when its results are ready.
"""

import copy
import math
from collections.abc import Callable
from typing import Any, Protocol

import jax
import jax.numpy as jnp
import numpy as np

from experiments.benchmarks import matmul_rate
from experiments.benchmarks.cases import GATES, MACHINE, BenchmarkCase, is_ours
from experiments.benchmarks.layers import NotOfferedError, make_layer
from gru_research import native


class Program(Protocol):
    """What a worker runs. Modes are `cases.MODES`; the matrix products have their own."""

    about: dict[str, Any]
    """Facts to record: the number of parameters, the versions of libraries."""

    def compile(self, mode: str) -> int | None:
        """Compiles `mode`; returns its planned temporary memory in bytes, if known."""
        ...

    def check(self, mode: str) -> None:
        """Runs it once. Raises ValueError if results have a wrong shape or aren't finite."""
        ...

    def run(self, mode: str) -> None: ...

    def device_peak_bytes(self) -> int | None:
        """Returns the accelerator's peak memory use so far; None on a CPU."""
        ...

    def engine(self, mode: str) -> str | None:
        """Returns the engine of our layer in the compiled `mode`; None for other systems."""
        ...


def make_program(case: BenchmarkCase) -> Program:
    if case.system == MACHINE:
        return matmul_rate.MatmulProgram(case)
    return TorchProgram(case) if case.system == "torch" else JaxProgram(case)


class JaxProgram:
    """A layer in JAX, compiled ahead of time with parameters and inputs as arguments."""

    def __init__(self, case: BenchmarkCase):
        self._case = case
        if case.sets > 1 and not is_ours(case.system):
            raise NotOfferedError("vmap over parameter sets is measured for ours alone")
        self._layer = make_layer(case)
        count = sum(math.prod(leaf.shape) for leaf in jax.tree.leaves(self._layer.params))
        check_parameters(case, count)
        self.about = {"parameters": count}
        params = self._layer.params if case.sets == 1 else stack_parameter_sets(self._layer.params, case.sets)
        self._arguments = jax.block_until_ready(jax.device_put((params, make_inputs(case))))
        self._lowered: dict[str, Any] = {}
        self._compiled: dict[str, Any] = {}

    def compile(self, mode: str) -> int | None:
        function = self._function(mode)
        if self._case.sets > 1:
            function = jax.vmap(function, in_axes=(0, None))
        self._lowered[mode] = jax.jit(function).lower(*self._arguments)
        self._compiled[mode] = self._lowered[mode].compile()
        analysis = self._compiled[mode].memory_analysis()
        return None if analysis is None else int(analysis.temp_size_in_bytes)

    def check(self, mode: str) -> None:
        results = jax.device_get(self._compiled[mode](*self._arguments))
        if self._case.sets == 1:
            results = jax.tree.map(lambda a: a[None], results)
        for k in range(self._case.sets):
            one = jax.tree.map(lambda a, k=k: a[k], results)
            if mode == "forward":
                check_outputs(self._case, np.asarray(one, np.float32))
            else:
                check_gradients(one[0], jax.tree.leaves(one[1]))

    def run(self, mode: str) -> None:
        jax.block_until_ready(self._compiled[mode](*self._arguments))

    def device_peak_bytes(self) -> int | None:
        statistics = jax.local_devices()[0].memory_stats()
        return None if statistics is None else statistics["peak_bytes_in_use"]

    def engine(self, mode: str) -> str | None:
        if not is_ours(self._case.system):
            return None
        return native.describe() if native.engine_of(self._lowered.pop(mode)) == "native" else "XLA"

    def _function(self, mode: str) -> Callable[..., Any]:
        if mode == "forward":
            return self._layer.apply
        outputs = self._layer.last if mode == "last" else self._layer.apply
        if outputs is None:
            raise NotOfferedError("outputs of every step are always stored")
        return jax.value_and_grad(lambda params, xs: jnp.mean(jnp.square(outputs(params, xs).astype(jnp.float32))))


class TorchProgram:
    """PyTorch's layers, eager, with default settings; forward in inference mode."""

    def __init__(self, case: BenchmarkCase):
        import torch

        self._torch, self._case = torch, case
        self._device = "cuda" if case.platform == "gpu" else "cpu"
        if self._device == "cuda" and not torch.cuda.is_available():
            raise NotOfferedError("this build of torch finds no GPU")
        if self._device == "cpu" and case.dtype != "float32":
            raise NotOfferedError("autocast leaves recurrent layers in float32 on a CPU")
        kind = {"gru": torch.nn.GRU, "lstm": torch.nn.LSTM, "rnn": torch.nn.RNN}[case.cell]
        layer = kind(case.shape.input_size, case.shape.hidden_size, batch_first=True).to(self._device)
        self._layers = {"train": layer, "forward": copy.deepcopy(layer).eval()}
        self._params = list(layer.parameters())
        count = sum(p.numel() for p in self._params)
        check_parameters(case, count)
        self.about = {"parameters": count, "threads": torch.get_num_threads()}
        self._xs = torch.from_numpy(make_inputs(case)).to(self._device)

    def compile(self, mode: str) -> None:
        if mode not in self._layers:
            raise NotOfferedError("outputs of every step are always stored")

    def check(self, mode: str) -> None:
        if mode == "forward":
            check_outputs(self._case, self._forward().float().cpu().numpy())
        else:
            loss, gradients = self._train()
            check_gradients(loss.item(), [g.float().cpu().numpy() for g in gradients])

    def run(self, mode: str) -> None:
        # Results are kept until the device is done, as in JAX.
        results = self._forward() if mode == "forward" else self._train()
        if self._device == "cuda":
            self._torch.cuda.synchronize()
        del results

    def device_peak_bytes(self) -> int | None:
        return self._torch.cuda.max_memory_allocated() if self._device == "cuda" else None

    def engine(self, mode: str) -> None:
        del mode

    def _forward(self) -> Any:
        with self._torch.inference_mode():
            return self._outputs("forward")

    def _train(self) -> tuple[Any, Any]:
        loss = self._outputs("train").float().square().mean()
        return loss, self._torch.autograd.grad(loss, self._params)

    def _outputs(self, mode: str) -> Any:
        with self._torch.autocast(self._device, self._torch.bfloat16, enabled=self._case.dtype == "bfloat16"):
            return self._layers[mode](self._xs)[0]


def stack_parameter_sets(params: Any, sets: int) -> Any:
    """Stacks parameter sets `[sets, ...]`; the k-th is `params` times 1 + k / 10."""
    return jax.tree.map(lambda a: jnp.stack([a * (1 + k / 10) for k in range(sets)]), params)


def make_inputs(case: BenchmarkCase) -> np.ndarray:
    """Returns standard normal float32 inputs, the same for every system."""
    shape = case.shape
    return np.random.default_rng(0).standard_normal((shape.batch, shape.time, shape.input_size), np.float32)


def check_parameters(case: BenchmarkCase, count: int) -> None:
    """Raises ValueError unless `count` is the standard layer's, with one or two biases per gate."""
    hidden = case.shape.hidden_size
    kernels = GATES[case.cell] * hidden * (case.shape.input_size + hidden)
    biases = GATES[case.cell] * hidden
    if not kernels + biases <= count <= kernels + 2 * biases:
        raise ValueError(f"{count} parameters; the layer has {kernels + biases} to {kernels + 2 * biases}")


def check_outputs(case: BenchmarkCase, ys: np.ndarray) -> None:
    """Raises ValueError unless there is a finite output for every step, and the first and the last differ."""
    expected = (case.shape.batch, case.shape.time, case.shape.hidden_size)
    if ys.shape != expected:
        raise ValueError(f"outputs of the shape {ys.shape}; they must have {expected}")
    if not np.isfinite(ys).all():
        raise ValueError("outputs that aren't finite")
    if case.shape.time > 1 and (ys[:, 0] == ys[:, -1]).all():
        raise ValueError("outputs that are the same at the first and the last step")


def check_gradients(loss: Any, gradients: list[Any]) -> None:
    """Raises ValueError unless the loss is positive and every gradient finite and somewhere not 0."""
    if not (np.isfinite(loss) and loss > 0):
        raise ValueError(f"a loss of {loss}")
    if not all(np.isfinite(g).all() for g in gradients) or not any(np.any(g) for g in gradients):
        raise ValueError("gradients that aren't finite, or all 0")
