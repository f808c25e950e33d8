"""Features of speech against their definitions, in float64."""

import numpy as np
import pytest

from gru_research.tasks.speech.features import (
    HOP,
    MELS,
    PRIOR,
    RATE,
    WINDOW,
    Front,
    Running,
    log_mels,
    normalised,
    running_normal,
    stacked,
    with_differences,
)


def mels_by_definition(samples: np.ndarray) -> np.ndarray:
    """Log-mel energies by sums over a discrete Fourier transform, filter by filter."""

    def mel(f: float) -> float:
        return 2595 * np.log10(1 + f / 700)

    points = [mel(60) + n * (mel(4000) - mel(60)) / 41 for n in range(42)]
    angles = np.outer(np.arange(257), np.arange(WINDOW)) * 2 * np.pi / 512
    window = 0.54 - 0.46 * np.cos(2 * np.pi * np.arange(WINDOW) / WINDOW)
    frames = []
    for start in range(0, len(samples) - WINDOW + 1, HOP):
        part = samples[start : start + WINDOW].astype(np.float64)
        part = (part - part.mean()) * window
        power = (np.cos(angles) @ part) ** 2 + (np.sin(angles) @ part) ** 2
        energies = []
        for n in range(MELS):
            low, center, high = points[n : n + 3]
            at = np.array([mel(k * RATE / 512) for k in range(257)])
            energies.append(
                (np.clip(np.minimum((at - low) / (center - low), (high - at) / (high - center)), 0, None) * power).sum()
            )
        frames.append(np.log(np.array(energies) + 1e-7))
    return np.array(frames)


def test_log_mels_are_those_of_the_definition() -> None:
    samples = np.random.default_rng(0).standard_normal(WINDOW + 3 * HOP + 7).astype(np.float32)
    found = log_mels(samples)
    assert (found.shape, found.dtype) == ((4, MELS), np.float32)
    np.testing.assert_allclose(found, mels_by_definition(samples), rtol=0, atol=2e-4)


@pytest.mark.parametrize(("count", "frames"), [(0, 0), (WINDOW - 1, 0), (WINDOW, 1), (WINDOW + HOP - 1, 1)])
def test_the_number_of_frames(count: int, frames: int) -> None:
    assert log_mels(np.ones(count, np.float32)).shape == (frames, MELS)


def test_differences_are_slopes() -> None:
    times = np.arange(9.0)
    found = with_differences(np.stack([3 * times, times**2], 1))
    assert found.shape == (9, 6)
    np.testing.assert_allclose(found[4], [12, 16, 3, 8, 0, 2], atol=1e-12)


def test_stacked_frames_lose_what_is_left() -> None:
    np.testing.assert_array_equal(stacked(np.arange(14).reshape(7, 2), 3), np.arange(12).reshape(2, 6))


def test_an_utterance_has_mean_0_and_deviation_1() -> None:
    found = normalised(np.random.default_rng(0).normal(5, 3, (50, 4)))
    np.testing.assert_allclose(found.mean(0), 0, atol=1e-12)
    np.testing.assert_allclose(found.std(0), 1, atol=1e-12)


def test_running_statistics_are_those_of_the_frames_so_far_after_the_prior() -> None:
    frames = np.random.default_rng(0).normal(5, 3, (40, 2))
    mean, std = [4.0, 6.0], [2.0, 1.0]
    rng = np.random.default_rng(1).standard_normal((PRIOR, 2))
    prior = normalised(rng) * std + mean  # frames with exactly this mean and deviation
    expected = [
        (frames[t] - (so_far := np.concatenate([prior, frames[: t + 1]])).mean(0)) / so_far.std(0) for t in range(40)
    ]
    np.testing.assert_allclose(running_normal(frames, mean, std), expected, rtol=1e-9)


def test_running_statistics_are_the_same_in_blocks() -> None:
    frames = np.random.default_rng(0).normal(5, 3, (40, 2))
    running = Running((4.0, 6.0), (2.0, 1.0))
    blocks = [running(frames[a:b]) for a, b in ((0, 1), (1, 1), (1, 17), (17, 40))]
    np.testing.assert_allclose(np.concatenate(blocks), running_normal(frames, (4.0, 6.0), (2.0, 1.0)), rtol=1e-12)


def test_a_louder_utterance_has_the_same_inputs() -> None:
    samples = np.random.default_rng(0).standard_normal(4000).astype(np.float32)
    front = Front(3)
    np.testing.assert_allclose(front.inputs(log_mels(4 * samples)), front.inputs(log_mels(samples)), atol=1e-4)
