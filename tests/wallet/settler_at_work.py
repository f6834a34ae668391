"""Run by test_fee_kill.py as a process of its own: settles fees in processes that kill themselves on request.

Each line it gets, "key statement moment", is one attempt in a fresh process: it seals, then settles under
that key at that moment, and ends by SIGKILL before the statement (or commit) of that number; "-": never.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterator
from datetime import datetime
from itertools import count

from sqlalchemy import event

from wallet.service import Wallet, open_wallet

SEAL_KEY = b"the key of this service"


def _end_before(wallet: Wallet, statement: int) -> None:
    numbers: Iterator[int] = count()

    def next_one(*_: object) -> None:
        if next(numbers) == statement:
            os.kill(os.getpid(), signal.SIGKILL)

    event.listen(wallet.engine, "before_cursor_execute", next_one)
    event.listen(wallet.engine, "commit", next_one)


def settle(database_url: str, key: str, statement: str, moment: str) -> None:
    """Seals and settles once; where it is not killed, says what came of it once that is committed."""
    wallet = open_wallet(database_url)
    if statement != "-":
        _end_before(wallet, int(statement))
    wallet.proving.seal(SEAL_KEY, everything=True)
    done = wallet.fees.settle(key=key, actor="wang", now=datetime.fromisoformat(moment))
    print(f"settled {done.settlements} {done.fee_fen}", flush=True)  # type: ignore[union-attr]


def main(database_url: str) -> None:
    """The processes are forked before anything is open: none of them has what another one held."""
    for line in sys.stdin:
        child = os.fork()
        if child == 0:
            settle(database_url, *line.split())
            os._exit(0)
        _, status = os.waitpid(child, 0)
        if os.WIFSIGNALED(status):
            print(f"killed {os.WTERMSIG(status)}", flush=True)
        elif status:
            print(f"failed {status}", flush=True)


if __name__ == "__main__":
    main(sys.argv[1])
