"""Turns what a person can put right into one line on stderr; everything else keeps its traceback."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager

EXIT_FAILURE = 2


class CommandError(Exception):
    """A command was asked for something that cannot be done; the text says what to do instead."""


@contextmanager
def readable_failures() -> Iterator[None]:
    """Run the body; an expected failure prints `platepay: <what to do>` and exits with code 2."""
    try:
        yield
    except SystemExit:
        raise
    except _expected() as error:
        sys.stderr.write(f"platepay: {error}\n")
        raise SystemExit(EXIT_FAILURE) from None
    except KeyboardInterrupt:
        raise SystemExit(130) from None
    except BrokenPipeError:
        # The reader of our output went away (`| head`): nothing is wrong, and nothing more can be said.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise SystemExit(0) from None


def _expected() -> tuple[type[Exception], ...]:
    """The errors a person can put right. Imported only once something has gone wrong: they cost a second."""
    from api.migrations import SchemaDiffers
    from api.settings import BadSettings
    from cameras.errors import CameraError
    from vision.errors import VisionError
    from wallet.errors import WalletError

    return (CommandError, CameraError, VisionError, WalletError, BadSettings, SchemaDiffers)
