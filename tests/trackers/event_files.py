"""A small reader of TensorBoard's event files, as TensorBoard itself reads them: in order, purged by restarts."""

import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tensorboardX.crc32c import crc32c
from tensorboardX.proto import event_pb2


def events(path: Path) -> Iterator[Any]:
    """The events of one file. Raises AssertionError where a checksum is wrong or the file is cut off."""
    data, at = path.read_bytes(), 0
    while at < len(data):
        header = data[at : at + 8]
        (size,) = struct.unpack("<Q", header)
        body = data[at + 12 : at + 12 + size]
        assert struct.unpack_from("<I", data, at + 8)[0] == _masked(header)
        assert struct.unpack_from("<I", data, at + 12 + size)[0] == _masked(body)
        yield event_pb2.Event.FromString(body)
        at += 16 + size


def _masked(data: bytes) -> int:
    crc = crc32c(data)
    return ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF


def shown(folder: Path) -> dict[str, list[tuple[int, float]]]:
    """The scalars (step, value) of one directory by tag, without what a later file purged."""
    points: dict[str, list[tuple[int, float]]] = {}
    for path in sorted(folder.glob("events.out.tfevents.*")):
        for event in events(path):
            if event.HasField("session_log") and event.session_log.status == event_pb2.SessionLog.START:
                points = {tag: [p for p in old if p[0] < event.step] for tag, old in points.items()}
            for value in event.summary.value:
                if value.HasField("simple_value"):
                    points.setdefault(value.tag, []).append((event.step, value.simple_value))
    return points


def texts(folder: Path) -> dict[str, str]:
    """The texts of one directory by tag."""
    found = [value for path in sorted(folder.glob("events.out*")) for e in events(path) for value in e.summary.value]
    return {v.tag: v.tensor.string_val[0].decode() for v in found if v.tensor.string_val}
