import json
from dataclasses import FrozenInstanceError, fields

import pytest

from seqexp.analysis.axes import GROWING, NUMBERS, TABLED
from seqexp.costs import METHODS, CostLedger
from seqexp.types import SeqexpError

MEASURED = CostLedger(
    parameters=70_000,
    recurrent_parameters=60_000,
    embedding_parameters=0,
    carry_bytes=1040,
    inference_flops_per_token=1.5e5,
    step_seconds=0.25,
    tokens_per_second=1e4,
)


def test_json_round_trip():
    record = json.loads(json.dumps(MEASURED.to_json(), allow_nan=False))
    assert CostLedger.from_json(record) == MEASURED
    assert record["decode_seconds_per_token"] is None
    assert record["embedding_parameters"] == 0


def test_a_record_keeps_the_methods_that_it_was_written_with():
    record = MEASURED.to_json()
    record["methods"] = {**record["methods"], "carry_bytes": "Guessed."}
    assert CostLedger.from_json(record).methods["carry_bytes"] == "Guessed."
    assert METHODS["carry_bytes"] != "Guessed."


def test_every_figure_says_how_it_was_obtained():
    figures = {f.name for f in fields(CostLedger)} - {"methods", "reasons"}
    assert set(METHODS) == figures
    assert MEASURED.methods == METHODS


def test_summary_is_flat_and_leaves_out_what_was_not_measured():
    assert MEASURED.summary() == {
        "cost/parameters": 70_000,
        "cost/recurrent_parameters": 60_000,
        "cost/embedding_parameters": 0,
        "cost/carry_bytes": 1040,
        "cost/inference_flops_per_token": 1.5e5,
        "cost/step_seconds": 0.25,
        "cost/tokens_per_second": 1e4,
    }
    assert CostLedger().summary() == {}


def test_a_ledger_does_not_change():
    with pytest.raises(FrozenInstanceError):
        MEASURED.parameters = 1  # pyright: ignore[reportAttributeAccessIssue]
    MEASURED.to_json()["methods"]["parameters"] = "Changed."
    assert MEASURED.methods == METHODS


@pytest.mark.parametrize("odd", ["missing", "unknown"])
def test_other_figures_are_an_error_that_names_them(odd):
    record = MEASURED.to_json()
    if odd == "missing":
        del record["carry_bytes"]
    else:
        record["price"] = 3.0
    name = "carry_bytes" if odd == "missing" else "price"
    with pytest.raises(SeqexpError, match=f"missing or unknown are {name}"):
        CostLedger.from_json(record)


def test_a_ledger_of_an_older_version_names_what_it_lacks():
    record = MEASURED.to_json()
    for figure in ("prefill_seconds", "step_joules"):
        del record[figure]
    with pytest.raises(SeqexpError, match="are prefill_seconds, step_joules: .*measure again"):
        CostLedger.from_json(record)


def test_a_ledger_from_before_there_were_reasons_is_read():
    record = MEASURED.to_json()
    del record["reasons"]
    assert CostLedger.from_json(record) == MEASURED


def test_the_report_knows_every_number_of_the_ledger():
    numbers = {f.name for f in fields(CostLedger) if "Mapping" not in str(f.type)}
    assert set(NUMBERS) == numbers
    assert {axis.key for axis in (*TABLED, *GROWING)} <= numbers
