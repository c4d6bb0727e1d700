"""Tasks: what goes in, what comes out, how it is judged. One family a file."""

from seqexp.tasks.adding import Adding
from seqexp.tasks.copy_memory import CopyMemory
from seqexp.tasks.digits import SequentialDigits
from seqexp.tasks.jsb_chorales import JSBChorales
from seqexp.tasks.sequential_mnist import SequentialMNIST
from seqexp.tasks.series_classification import SeriesClassification
from seqexp.tasks.spoken_digits import SpokenDigits
from seqexp.tasks.tiny_shakespeare import TinyShakespeare

__all__ = [
    "Adding",
    "CopyMemory",
    "JSBChorales",
    "SequentialDigits",
    "SequentialMNIST",
    "SeriesClassification",
    "SpokenDigits",
    "TinyShakespeare",
]
