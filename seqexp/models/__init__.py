"""Models: from a task's inputs to the outputs that its TaskSpec asks for."""

from seqexp.models.bag_of_words import BagOfWords
from seqexp.models.encoder_decoder import EncoderDecoder
from seqexp.models.sequence_model import SequenceModel

__all__ = ["BagOfWords", "EncoderDecoder", "SequenceModel"]
