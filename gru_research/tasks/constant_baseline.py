"""The exact accuracy of a constant answer where the true answer is the state of a finite automaton."""

from collections.abc import Iterable

import numpy as np


def best_constant(
    first: np.ndarray, following: np.ndarray, answers: np.ndarray, steps: Iterable[int]
) -> tuple[float, int]:
    """Returns the share of the most frequent answer, averaged over `steps` (counted from 1), and that answer.

    Args:
      first: `[N]`, the probability of each state of the automaton after the first step.
      following: `[N, A]`, the next state for each state and each of A equally likely inputs.
      answers: `[N]`, the class number of each state.
      steps: the steps with an answer, all equally frequent.
    """
    wanted = set(steps)
    states, inputs = following.shape
    probability, total = np.asarray(first, np.float64), np.zeros(states)
    for step in range(1, max(wanted) + 1):
        if step > 1:
            probability = np.bincount(following.ravel(), np.repeat(probability / inputs, inputs), states)
        if step in wanted:
            total += probability
    shares = np.bincount(answers, total / len(wanted))
    # Shares that differ only by rounding count as equal; the first one is returned.
    answer = int(np.argmax(np.round(shares, 12)))
    return float(shares[answer]), answer
