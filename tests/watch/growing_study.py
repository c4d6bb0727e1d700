"""A study of synthetic records that grows, and a browser's questions about it."""

from __future__ import annotations

import http.client
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from seqexp.runs.locks import LOCKS, Holder
from seqexp.watch import open_server
from seqexp.watch.server import Server

STARTED = "2026-11-01T12:00:00+00:00"
PNG = b"\x89PNG\r\n\x1a\n"


def write_run(study: Path, id: str, **changes: Any) -> Path:
    """The record of an LSTM that has begun; `changes` are entries of its run.json."""
    run: dict[str, Any] = {"format": 1, "id": id, "study": study.name, "name": f"lstm adding {id}"}
    run |= {"model": "lstm", "task": "adding", "seed": 0, "group": "g", "status": "running"}
    run |= {"config": {"trainer": {"steps": 100, "eval_every": 10}}}
    run |= {"score": {"name": "mse", "goal": "min", "step": None, "valid": None, "test": None}}
    folder = study / id
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "manifest.json").write_text(json.dumps({"started_at": STARTED}))
    # As the store does: a reader sees the old file or the new one.
    (folder / ".run.json.tmp").write_text(json.dumps(run | changes))
    (folder / ".run.json.tmp").replace(folder / "run.json")
    return folder


def add(folder: Path, *records: dict[str, Any], file: str = "metrics.jsonl") -> None:
    with open(folder / file, "a") as lines:
        lines.writelines(json.dumps(record) + "\n" for record in records)


def at(step: int, train: float | None, valid: float | None) -> dict[str, Any]:
    """A record of metrics."""
    return {"step": step, "examples": 4 * step, "train/mse": train, "valid/mse": valid}


def hold(study: Path, id: str) -> None:
    """This process trains a run, as its lock says."""
    lock = study / LOCKS / id
    lock.mkdir(parents=True)
    (lock / "token").write_text(json.dumps(Holder.this()._asdict()))


@contextmanager
def served(study: Path, port: int = 0) -> Iterator[Server]:
    """A server of a study, in a thread."""
    with open_server(study, port) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()


def get(server: Server, path: str, method: str = "GET", **headers: str) -> tuple[Any, bytes]:
    """The answer to a question, and its body. The path is sent as it is."""
    host, port = server.server_address[:2]
    connection = http.client.HTTPConnection(str(host), port, timeout=30)
    try:
        connection.request(method, path, headers=headers)
        answer = connection.getresponse()
        return answer, answer.read()
    finally:
        connection.close()


def ask(server: Server, path: str) -> Any:
    """The object that answers a question."""
    answer, body = get(server, path)
    assert answer.status == 200, body
    return json.loads(body, parse_constant=lambda name: 1 / 0)
