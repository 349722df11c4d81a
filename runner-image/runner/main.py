"""The runner: PID 1 of a throwaway container, one execution long.

It speaks the frames of crates/protocol/PROTOCOL.md on its stdin and stdout, as two processes:

    parent   waits for the start ........................... watches, limits, forwards output, answers, exits
    child    Ready -> [Rehearsed ->] (Preload -> Preloaded)* -> Execute, Archive*, ArchiveEnd -> start -> runs the code

The child holds the conversation until the code is there, so that what it has imported and warmed up by then is where the
code runs, with nothing copied; it gives up its ends before the code's first line. The parent imports no library, never runs
user code and believes nothing the child says from then on without checking it.

Exit status: 0 after Finished, 70 if the control plane broke the protocol, 71 if the child failed before it said Started, 0 without
Finished if the control plane went away.
"""

import os

from channel import ControlChannel
from kernel import become_init
from supervisor import Supervision


def main(workspace="/workspace"):
    become_init()
    run = Supervision.of(ControlChannel.take_over_stdio(), workspace)
    if run.fork() == 0:
        from child import run_child

        run_child(run, workspace)  # never returns
    # Not sys.exit: an interpreter that tidies up keeps the container alive for nothing.
    os._exit(run.supervise())
