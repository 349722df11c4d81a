import os
import socket

interfaces = os.listdir("/sys/class/net")
assert interfaces == ["lo"], f"there are the interfaces {interfaces}"
for host, port in [("1.1.1.1", 443), ("169.254.169.254", 80), ("example.com", 80)]:
    try:
        socket.create_connection((host, port), timeout=1)
    except OSError:
        continue
    raise AssertionError(f"{host} can be reached")
print("no interface but lo, no address, no name")
