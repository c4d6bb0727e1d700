"""`python -m seqexp`: the console script, where it isn't on the PATH."""

from __future__ import annotations

import sys

from seqexp.commands.main import main

sys.exit(main())
