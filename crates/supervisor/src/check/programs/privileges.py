import os

with open("/proc/self/status") as file:
    status = dict(line.split(":", 1) for line in file)
assert os.getuid() != 0 and os.getgid() != 0, "the code runs as root"
for name in "CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb":
    assert int(status[name], 16) == 0, f"the code has capabilities: {name} is {status[name].strip()}"
assert status["NoNewPrivs"].strip() == "1", "the code may gain privileges"
assert status["Seccomp"].strip() == "2", "no seccomp profile applies"
print(f"uid {os.getuid()}, no capability, no new privileges, seccomp")
