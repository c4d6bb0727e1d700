"""What there is to choose from, for people."""

from __future__ import annotations

from pathlib import Path

from seqexp.commands.configs import config_folder

USAGE = """\
usage: seqexp {command} [OPTION ...] [KEY=VALUE ...]

  seqexp run model=gru task=digits model.features=32
  seqexp sweep model=rnn,lstm task=digits seed=0,1 optimizer.learning_rate=1e-3,3e-3

A choice of the menu is NAME=CHOICE, null for none; a value in it is NAME.KEY=VALUE. sweep tries all
combinations of values written A,B or range(0,3) or glob(*).
model=stack and model=encoder_decoder are made of the layers that model.layers=[lstm,gru] names.

  --config-dir FOLDER    your own files, in folders as below; they come before ours. The classes
                         that they name are found where seqexp is called, and beside FOLDER
  --cfg job              print the composed config; --info defaults: the files it is made of
  --help                 this

The menu (--cfg job shows the values in it):

"""


def menu_text(command: str) -> str:
    """How a command is called, and the groups and choices of the menu."""
    lines = [f"  {group:13} {', '.join(names)}" for group, names in _menu(config_folder()).items()]
    return USAGE.format(command=command) + "\n".join(lines) + "\n"


def _menu(folder: Path) -> dict[str, list[str]]:
    """The choices of each group; files that only others are made of start with `_`."""
    return {
        group.name: sorted(path.stem for path in group.glob("[!_]*.yaml"))
        for group in sorted(folder.iterdir())
        if group.is_dir() and not group.name.startswith(("_", "."))
    }
