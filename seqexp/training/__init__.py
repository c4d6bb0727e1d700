"""Training: members of a group, side by side on a mesh, as one compiled program."""

from seqexp.training.experiment import Experiment
from seqexp.training.false_alarm import silence_false_alarm
from seqexp.training.hyper import Hyper
from seqexp.training.loop import Interval, train
from seqexp.training.optimizer import Optimizer
from seqexp.training.program import GroupState, Program

# Here, for whoever trains comes by: a command, a notebook, a process of its own.
silence_false_alarm()

__all__ = ["Experiment", "GroupState", "Hyper", "Interval", "Optimizer", "Program", "train"]
