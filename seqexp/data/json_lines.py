"""Examples of text in JSON lines of a user's own."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from seqexp.data.text_examples import Columns, TextExample, some, text_example, token_example
from seqexp.data.text_files import fail, read_lines
from seqexp.data.text_units import whitespace_tokens
from seqexp.types import SeqexpError, first_line


def read_json_lines(path: str | Path, columns: Columns) -> tuple[TextExample, ...]:
    """A JSON object a line, whose keys are the columns; blank lines are skipped.

    The text is a string, or an array of tokens. A label is a string or an integer; where there is
    one a token, an array of them, or a string that white space splits. See https://jsonlines.org.

        {"text": "a fine film", "label": "good"}
        {"text": ["the", "cat"], "label": ["DET", "NOUN"]}

    Raises:
        SeqexpError: a line is no JSON object, has a key twice, lacks one that is asked for, or has
            a value of another kind there; a text or label is empty; the number of labels is wrong;
            there is no example, or the file is no UTF-8 text. Names the line.
    """
    if isinstance(columns.text, int) or isinstance(columns.label, int):
        raise SeqexpError("JSON lines have keys, not numbered columns: give their names")
    examples = []
    for line, written in read_lines(path):
        if written.strip():
            record = _record(path, line, written)
            examples.append(_example(record, columns, f"{path}, line {line}"))
    return some(path, examples)


def _record(path: str | Path, line: int, written: str) -> dict[str, Any]:
    def once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        found = dict(pairs)
        if len(found) < len(pairs):
            fail(path, line, "a key stands twice in an object; remove one")
        return found

    try:
        found = json.loads(written, object_pairs_hook=once)
    # Besides wrong JSON, integers of thousands of digits and thousands of brackets.
    except (ValueError, RecursionError) as error:
        fail(path, line, f"no valid JSON ({first_line(error)}); each line is an object of its own")
    if not isinstance(found, dict):
        fail(path, line, "valid JSON, but no object; each line is an object of its own")
    return found


def _example(record: dict[str, Any], columns: Columns, place: str) -> TextExample:
    for key in (columns.text, columns.label):
        if key is not None and key not in record:
            raise SeqexpError(f"{place}: no key {key!r}, but {', '.join(map(repr, record))}")
    text = record[str(columns.text)]
    tokens = None
    if isinstance(text, list):
        tokens = tuple(_string(each, "token", place) for each in text)
    label = None if columns.label is None else record[str(columns.label)]
    if columns.label_per_token:
        each = label if isinstance(label, list) else _string(label, "label", place)
        each = whitespace_tokens(each) if isinstance(each, str) else each
        labels = tuple(_label(one, place) for one in each)
        return token_example(
            _string(text, "text", place) if tokens is None else tokens, labels, place
        )
    label = None if columns.label is None else _label(label, place)
    if tokens is not None:
        return token_example(tokens, label, place)
    return text_example(_string(text, "text", place), label, place)


def _label(value: Any, place: str) -> str:
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    return _string(value, "label", place)


def _string(value: Any, what: str, place: str) -> str:
    """Raises SeqexpError unless it is a string that a UTF-8 text file could hold."""
    if not isinstance(value, str):
        raise SeqexpError(f"{place}: the {what} is {json.dumps(value)[:40]}, but must be a string")
    # Escapes of JSON can write NUL, and one half of a surrogate pair.
    if "\0" in value or any("\ud800" <= character <= "\udfff" for character in value):
        raise SeqexpError(f"{place}: the {what} has a NUL or a lone surrogate; remove it")
    return value
