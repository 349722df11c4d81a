"""Errors per hour from lines of a log, by a regular expression with named groups."""
import re
from collections import defaultdict

LOG = """\
2024-03-01 10:02:11 INFO  web: started
2024-03-01 10:15:43 ERROR db: connection lost
2024-03-01 10:15:44 ERROR db: connection lost
2024-03-01 11:00:00 WARN  web: slow request (812 ms)
2024-03-01 11:31:09 ERROR web: 500 for /orders/17
not a line of the log
"""
LINE = re.compile(r"(?P<day>\S+) (?P<hour>\d\d):\S+ (?P<level>\w+)\s+(?P<service>\w+): (?P<message>.+)")

errors_by_hour = defaultdict(list)
skipped = []
for line in LOG.splitlines():
    if (match := LINE.match(line)) is None:
        skipped.append(line)
    elif match["level"] == "ERROR":
        errors_by_hour[match["hour"]].append(f"{match['service']}: {match['message']}")

for hour, errors in sorted(errors_by_hour.items()):
    print(f"{hour}h {len(errors)}", *sorted(set(errors)), sep="\n   ")
del match, line
