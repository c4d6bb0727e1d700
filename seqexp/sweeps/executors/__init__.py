"""Where groups train: in this process, or in jobs that an executor starts elsewhere."""

from seqexp.sweeps.executors.protocol import Executor as Executor
from seqexp.sweeps.executors.settings import executor_of as executor_of
from seqexp.sweeps.executors.settings import settings_of as settings_of
