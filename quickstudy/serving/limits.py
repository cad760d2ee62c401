"""Limits of the server, and its refusals."""

from __future__ import annotations

from dataclasses import dataclass

from quickstudy.errors import QuickstudyError


class Refused(QuickstudyError):
    """A request that is answered with a status other than 422.

    Attributes:
        status: Status of the response, 4xx.
    """

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


@dataclass(frozen=True)
class Limits:
    """Largest sizes, and times in seconds.

    Attributes:
        body: Bytes of a request.
        in_flight: Bytes of all requests that are not answered yet.
        files: Files or examples of a request.
        inputs: Inputs of a request for answers.
        pixels: Pixels of all pictures of a request.
        characters: Characters of all sentences of a request.
        parts_of: Characters of a sentence that is explained, each word of which is one more input.
        classes: Classes of a classifier.
        examples: Examples of a classifier.
        unpacked: Bytes of a classifier's files.
        steps: Inner steps of a learner that is opened from a .zip file.
        versions: Versions of a classifier that can be undone.
        in_memory: Classifiers in memory.
        connections: Open connections; of more, the one that waits longest without a request is closed.
        head: Seconds until a request's header is complete.
        transfer: Seconds until a body is received, or a part of a response is accepted.
        lock: Seconds to wait for another writer of a classifier.
    """

    body: int = 64 * 2**20
    in_flight: int = 512 * 2**20
    files: int = 1000
    inputs: int = 256
    pixels: int = 400_000_000
    characters: int = 400_000
    parts_of: int = 2000
    classes: int = 200
    examples: int = 2000
    unpacked: int = 256 * 2**20
    steps: int = 100
    versions: int = 20
    in_memory: int = 16
    connections: int = 800
    head: float = 20.0
    transfer: float = 60.0
    lock: float = 30.0
