"""Tasks: what goes in, what comes out, how it is judged. One family a file."""

from seqexp.tasks.adding import Adding
from seqexp.tasks.associative_recall import AssociativeRecall
from seqexp.tasks.audio_files import AudioFiles
from seqexp.tasks.copy_memory import CopyMemory
from seqexp.tasks.cycle_navigation import CycleNavigation
from seqexp.tasks.delayed_recall import DelayedRecall
from seqexp.tasks.digit_strings import DigitStrings
from seqexp.tasks.digits import SequentialDigits
from seqexp.tasks.dyck import Dyck
from seqexp.tasks.etth1 import ETTh1
from seqexp.tasks.jsb_chorales import JSBChorales
from seqexp.tasks.labelled_series import LabelledSeriesFiles
from seqexp.tasks.list_ops import ListOps
from seqexp.tasks.lorenz import Lorenz
from seqexp.tasks.mackey_glass import MackeyGlass
from seqexp.tasks.modular_arithmetic import ModularArithmetic
from seqexp.tasks.multi30k import Multi30k
from seqexp.tasks.n_back import NBack
from seqexp.tasks.order import OrderMatters
from seqexp.tasks.parity import Parity
from seqexp.tasks.selective_copy import SelectiveCopy
from seqexp.tasks.sequential_mnist import SequentialMNIST
from seqexp.tasks.series_classification import SeriesClassification
from seqexp.tasks.series_forecast import SeriesForecast
from seqexp.tasks.shakespeare_words import ShakespeareWords
from seqexp.tasks.spoken_digits import SpokenDigits
from seqexp.tasks.sst2 import SST2
from seqexp.tasks.temporal_order import TemporalOrder
from seqexp.tasks.text_files import TextFiles
from seqexp.tasks.tiny_shakespeare import TinyShakespeare
from seqexp.tasks.ud_ewt import EnglishTags

__all__ = [
    "Adding",
    "AssociativeRecall",
    "AudioFiles",
    "CopyMemory",
    "CycleNavigation",
    "DelayedRecall",
    "DigitStrings",
    "Dyck",
    "ETTh1",
    "EnglishTags",
    "JSBChorales",
    "LabelledSeriesFiles",
    "ListOps",
    "Lorenz",
    "MackeyGlass",
    "ModularArithmetic",
    "Multi30k",
    "NBack",
    "OrderMatters",
    "Parity",
    "SST2",
    "SelectiveCopy",
    "SequentialDigits",
    "SequentialMNIST",
    "SeriesClassification",
    "SeriesForecast",
    "ShakespeareWords",
    "SpokenDigits",
    "TemporalOrder",
    "TextFiles",
    "TinyShakespeare",
]
