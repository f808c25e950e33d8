"""The sum of the files in an archive. The archive's own sum says less, as its host may compress it anew."""

import hashlib
from collections.abc import Mapping


def checksum(files: Mapping[str, bytes]) -> str:
    """Returns the sha256 sum of files by name, of their names and contents in the order of the names."""
    found = hashlib.sha256()
    for name in sorted(files):
        found.update(name.encode() + b"\0" + hashlib.sha256(files[name]).digest())
    return found.hexdigest()
