"""The runner: PID 1 of a throwaway container, one execution long.

    python3 -I -B /opt/runner [--workspace DIR]

It speaks the frames of crates/protocol/PROTOCOL.md on its stdin and stdout:

    Ready -> (Preload -> Preloaded)* -> Execute, Archive*, ArchiveEnd
          -> fork -> (Stdout | Stderr)* -> [Result] Finished -> exit

The parent never runs user code and believes nothing the child says without checking it; the child (child.py) is where
user code lives. Exit status: 0 after Finished, 70 if the control plane broke the protocol, 0 without Finished if it went away.
"""

import sys

from channel import ControlPlaneGone, ControlChannel
from conversation import prepare, receive_execution
from frames import ProtocolError
from kernel import become_init
from supervisor import supervise

PROTOCOL_BROKEN = 70


def options(argv):
    """The directory user code starts in; the image uses the default, tests point elsewhere."""
    if not argv:
        return "/workspace"
    if len(argv) != 2 or argv[0] != "--workspace":
        sys.exit("usage: runner [--workspace DIR]")
    return argv[1]


def main():
    workspace = options(sys.argv[1:])
    become_init()
    channel = ControlChannel.take_over_stdio()
    try:
        prepare(channel)
        # What is imported from here on (preloads, user code) must not find our modules by accident.
        sys.path.pop(0)
        execution = receive_execution(channel)
        if execution is not None:
            supervise(channel, execution, workspace)
    except ControlPlaneGone:
        pass
    except ProtocolError as error:
        print(f"runner: {error}", file=sys.stderr)
        sys.exit(PROTOCOL_BROKEN)


main()
