"""Points whose widths are solved for a budget, as a sweep has them."""

from __future__ import annotations

import copy
import json
import re
from dataclasses import replace
from functools import cache

from seqexp.sweeps.data import Data
from seqexp.sweeps.point import Point
from seqexp.sweeps.widths import match_widths
from tests.sweeps.tiny import TINY
from tests.test_configs import point

D, T, B = 2, 10, 4
ADDING = ["task=adding", f"task.length={T}", "task.valid_examples=8", f"trainer.batch_size={B}"]

TINY_MATCH = [setting for setting in TINY if not setting.startswith("model.features")] + [
    "trainer.steps=1",
    "study=a",
]

composed = cache(point)


def configured(*overrides: str, model: str = "lstm") -> Point:
    """As Hydra composes it, which takes long: once for what differs in numbers only."""
    numbers = [o for o in overrides if re.fullmatch(r"\w+\.\w+=[0-9.e-]+", o)]
    menu = [o for o in overrides if o not in numbers]
    one = composed(*ADDING, f"model={model}", *menu)
    config = copy.deepcopy(one.config)
    for key, value in (number.split("=") for number in numbers):
        group, name = key.split(".")
        assert name in config[group], key
        config[group][name] = json.loads(value)
    return replace(one, config=config)


def matched(*overrides: str, model: str = "lstm") -> Point:
    (solved,) = match_widths([configured(*overrides, model=model)], Data())
    return solved
