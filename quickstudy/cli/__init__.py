"""The command line: results on stdout, messages on stderr, torch imported only by the commands that need it."""

from __future__ import annotations

from quickstudy.cli.app import main

__all__ = ["main"]
