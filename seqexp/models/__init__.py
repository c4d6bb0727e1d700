"""Models: from a task's inputs to the outputs that its TaskSpec asks for."""

from seqexp.models.sequence_model import SequenceModel

__all__ = ["SequenceModel"]
