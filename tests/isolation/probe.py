"""Tries, from inside a container, whatever could lead out of it or hinder others, and prints one line for each: `could NAME`, or
`refused NAME` with the reason. Run as the code of an execution; allowed.txt says what may be possible, and why. For x86_64.

Each attempt has a process of its own. One that fails otherwise than by an error of the system is `broken`: it has shown nothing.
"""

import ctypes
import errno
import fcntl
import glob
import mmap
import os
import resource
import select
import signal
import socket
import stat
import struct
import sys
import time

libc = ctypes.CDLL(None, use_errno=True)
libc.syscall.restype = ctypes.c_long
PATIENCE = 2  # seconds of one attempt

# By number, as of Linux 6.18: the calls 0 to 336, and those from 424.
FIRST = """
    read write open close stat fstat lstat poll lseek mmap mprotect munmap brk rt_sigaction rt_sigprocmask rt_sigreturn
    ioctl pread64 pwrite64 readv writev access pipe select sched_yield mremap msync mincore madvise shmget shmat shmctl
    dup dup2 pause nanosleep getitimer alarm setitimer getpid sendfile socket connect accept sendto recvfrom sendmsg
    recvmsg shutdown bind listen getsockname getpeername socketpair setsockopt getsockopt clone fork vfork execve exit
    wait4 kill uname semget semop semctl shmdt msgget msgsnd msgrcv msgctl fcntl flock fsync fdatasync truncate ftruncate
    getdents getcwd chdir fchdir rename mkdir rmdir creat link unlink symlink readlink chmod fchmod chown fchown lchown
    umask gettimeofday getrlimit getrusage sysinfo times ptrace getuid syslog getgid setuid setgid geteuid getegid
    setpgid getppid getpgrp setsid setreuid setregid getgroups setgroups setresuid getresuid setresgid getresgid getpgid
    setfsuid setfsgid getsid capget capset rt_sigpending rt_sigtimedwait rt_sigqueueinfo rt_sigsuspend sigaltstack utime
    mknod uselib personality ustat statfs fstatfs sysfs getpriority setpriority sched_setparam sched_getparam
    sched_setscheduler sched_getscheduler sched_get_priority_max sched_get_priority_min sched_rr_get_interval mlock
    munlock mlockall munlockall vhangup modify_ldt pivot_root _sysctl prctl arch_prctl adjtimex setrlimit chroot sync
    acct settimeofday mount umount2 swapon swapoff reboot sethostname setdomainname iopl ioperm create_module init_module
    delete_module get_kernel_syms query_module quotactl nfsservctl getpmsg putpmsg afs_syscall tuxcall security gettid
    readahead setxattr lsetxattr fsetxattr getxattr lgetxattr fgetxattr listxattr llistxattr flistxattr removexattr
    lremovexattr fremovexattr tkill time futex sched_setaffinity sched_getaffinity set_thread_area io_setup io_destroy
    io_getevents io_submit io_cancel get_thread_area lookup_dcookie epoll_create epoll_ctl_old epoll_wait_old
    remap_file_pages getdents64 set_tid_address restart_syscall semtimedop fadvise64 timer_create timer_settime
    timer_gettime timer_getoverrun timer_delete clock_settime clock_gettime clock_getres clock_nanosleep exit_group
    epoll_wait epoll_ctl tgkill utimes vserver mbind set_mempolicy get_mempolicy mq_open mq_unlink mq_timedsend
    mq_timedreceive mq_notify mq_getsetattr kexec_load waitid add_key request_key keyctl ioprio_set ioprio_get
    inotify_init inotify_add_watch inotify_rm_watch migrate_pages openat mkdirat mknodat fchownat futimesat newfstatat
    unlinkat renameat linkat symlinkat readlinkat fchmodat faccessat pselect6 ppoll unshare set_robust_list
    get_robust_list splice tee sync_file_range vmsplice move_pages utimensat epoll_pwait signalfd timerfd_create eventfd
    fallocate timerfd_settime timerfd_gettime accept4 signalfd4 eventfd2 epoll_create1 dup3 pipe2 inotify_init1 preadv
    pwritev rt_tgsigqueueinfo perf_event_open recvmmsg fanotify_init fanotify_mark prlimit64 name_to_handle_at
    open_by_handle_at clock_adjtime syncfs sendmmsg setns getcpu process_vm_readv process_vm_writev kcmp finit_module
    sched_setattr sched_getattr renameat2 seccomp getrandom memfd_create kexec_file_load bpf execveat userfaultfd
    membarrier mlock2 copy_file_range preadv2 pwritev2 pkey_mprotect pkey_alloc pkey_free statx io_pgetevents rseq uretprobe uprobe
""".split()
LATER = """
    pidfd_send_signal io_uring_setup io_uring_enter io_uring_register open_tree move_mount fsopen fsconfig fsmount fspick
    pidfd_open clone3 close_range openat2 pidfd_getfd faccessat2 process_madvise epoll_pwait2 mount_setattr quotactl_fd
    landlock_create_ruleset landlock_add_rule landlock_restrict_self memfd_secret process_mrelease futex_waitv
    set_mempolicy_home_node cachestat fchmodat2 map_shadow_stack futex_wake futex_wait futex_requeue statmount listmount
    lsm_get_self_attr lsm_set_self_attr lsm_list_modules mseal setxattrat getxattrat listxattrat removexattrat
    open_tree_attr file_getattr file_setattr
""".split()
NUMBERS = {name: number for number, name in [*enumerate(FIRST), *enumerate(LATER, 424)]}
# Beyond what is named here, so that a new call of a newer kernel shows.
LAST = 550


class Refused(Exception):
    """For what is refused without an error number."""


def call(name, *arguments):
    """The bare system call."""
    return raw(NUMBERS[name], *arguments)


def raw(number, *arguments):
    words = [argument if isinstance(argument, (ctypes.Array, ctypes._Pointer)) else ctypes.c_long(argument) for argument in arguments]
    answer = libc.syscall(ctypes.c_long(number), *words)
    if answer == -1:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    return answer


def attempt(name, action, patience=PATIENCE):
    """Prints how an action ends in a process of its own."""
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        signal.signal(signal.SIGALRM, signal.SIG_DFL)
        signal.setitimer(signal.ITIMER_REAL, patience)
        try:
            action()
            said = "could"
        except OSError as error:
            said = "refused " + errno.errorcode.get(error.errno, str(error))
        except (Refused, ValueError, MemoryError) as error:
            # ValueError: what the standard library makes of EINVAL and EPERM in `resource`.
            said = f"refused {error}"
        except BaseException as error:
            said = f"broken {error!r}"
        os.write(write, said.encode())
        os._exit(0)
    os.close(write)
    with open(read, "rb") as pipe:
        said = pipe.read().decode()
    status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    if not said:
        # It did something to its process, or waits: that is what was asked of the kernel, unless the filter killed it.
        said = "refused SIGSYS" if status == -signal.SIGSYS else "could"
    kind, _, reason = said.partition(" ")
    print(kind, name, *[f"({reason})"] * bool(reason))


# ---- every system call there is, by number: which get to the kernel? ----------------------------------------------------

NOWHERE = -1
zeros = ctypes.create_string_buffer(4096)
address = ctypes.addressof(zeros)
# Where -1 all over would not tell: the filter looks at an argument, or the kernel itself would say ENOSYS.
ARGUMENTS = {
    "socket": (socket.AF_UNIX, NOWHERE), "socketpair": (socket.AF_UNIX, NOWHERE), "clone": (0x800,), "futex": (address, 1, 0),
    "prlimit64": (0, NOWHERE), "sched_setaffinity": (0, 0), "sched_setparam": (0, 0), "sched_setscheduler": (0, NOWHERE),
    "sched_setattr": (0, 0), "setpriority": (0, 0), "mmap": (0, NOWHERE, 0, 0), "rt_sigsuspend": (0, 0),
}

def sweep():
    for number in range(LAST):
        name = next((name for name, its in NUMBERS.items() if its == number), str(number))

        def reach(name=name, number=number):
            try:
                answer = raw(number, *(*ARGUMENTS.get(name, ()), *(NOWHERE,) * 6)[:6])
            except OSError as error:
                if error.errno in (errno.EPERM, errno.ENOSYS):
                    raise
            else:
                if answer == 0 and name == "fork":
                    os._exit(0)
        attempt(f"system call {name}", reach)


def other_tables():
    """The same kernel by its older doors."""
    attempt("x32 system call", lambda: raw(0x40000000 + NUMBERS["getpid"]))

    def int_80():
        # mov eax, 20 (getpid); int 0x80; ret
        code = mmap.mmap(-1, 4096, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC)
        code.write(b"\xb8\x14\x00\x00\x00\xcd\x80\xc3")
        answer = ctypes.CFUNCTYPE(ctypes.c_int)(ctypes.addressof(ctypes.c_char.from_buffer(code)))()
        if answer < 0:
            raise OSError(-answer, os.strerror(-answer))
    attempt("32-bit system call by int 0x80", int_80)


# ---- namespaces, mounts, roots -------------------------------------------------------------------------------------------

NAMESPACES = {"time": 0x80, "mount": 0x20000, "cgroup": 0x2000000, "uts": 0x4000000, "ipc": 0x8000000, "user": 0x10000000,
              "pid": 0x20000000, "net": 0x40000000}


def namespaces():
    for name, flag in NAMESPACES.items():
        attempt(f"unshare {name}", lambda flag=flag: call("unshare", flag))
        attempt(f"unshare user and {name}", lambda flag=flag: call("unshare", flag | NAMESPACES["user"]))
        if name != "time":  # In clone that bit is part of the signal.
            attempt(f"clone into a new {name} namespace", lambda flag=flag: call("clone", flag | signal.SIGCHLD, 0, 0, 0, 0))

        def clone3(flag=flag):
            arguments = ctypes.create_string_buffer(struct.pack("QQQQQQQQ", flag, 0, 0, 0, signal.SIGCHLD, 0, 0, 0))
            call("clone3", arguments, 64)
        attempt(f"clone3 into a new {name} namespace", clone3)
    for kind in sorted(os.listdir("/proc/self/ns")):
        attempt(f"setns {kind} of itself", lambda kind=kind: call("setns", os.open(f"/proc/self/ns/{kind}", os.O_RDONLY), 0))
        attempt(f"setns {kind} of PID 1", lambda kind=kind: call("setns", os.open(f"/proc/1/ns/{kind}", os.O_RDONLY), 0))
    attempt("setns by a pidfd of PID 1", lambda: call("setns", call("pidfd_open", 1, 0), NAMESPACES["mount"]))
    for name in ("uid_map", "gid_map", "setgroups", "projid_map"):
        attempt(f"write /proc/self/{name}", lambda name=name: write(f"/proc/self/{name}", b"0 0 1\n"))


def text(value):
    return ctypes.create_string_buffer(os.fsencode(value))


def mounts():
    os.makedirs("/tmp/target", exist_ok=True)
    for kind, source, flags in [("tmpfs", "none", 0), ("proc", "proc", 0), ("sysfs", "sysfs", 0), ("cgroup", "cgroup", 0), ("cgroup2", "none", 0),
                                ("overlay", "overlay", 0), ("bpf", "bpf", 0), ("debugfs", "none", 0), ("fuse", "none", 0), ("mqueue", "none", 0),
                                ("ext4", "/dev/vda", 0), ("", "/", 0x1000), ("", "/proc", 0x1000 | 0x4000)]:
        attempt(f"mount {kind or 'bind'} {source}", lambda kind=kind, source=source, flags=flags: call(
            "mount", text(source), text("/tmp/target"), text(kind), flags, 0))
    for flags, what in [(0x20, "read-write root"), (0x1020, "read-write bind of root"), (1 << 18, "private root"), (1 << 20, "shared root")]:
        attempt(f"remount {what}", lambda flags=flags: call("mount", 0, text("/"), 0, flags, 0))
    attempt("remount /tmp with exec", lambda: call("mount", 0, text("/tmp"), 0, 0x20 | 6, 0))
    for path in ("/proc", "/sys", "/proc/sys", "/dev/shm", "/tmp"):
        attempt(f"umount {path}", lambda path=path: call("umount2", text(path), 2))
    attempt("fsopen tmpfs", lambda: call("fsopen", text("tmpfs"), 0))
    attempt("fspick /", lambda: call("fspick", -100, text("/"), 0))
    attempt("open_tree /", lambda: call("open_tree", -100, text("/"), 1))
    attempt("mount_setattr /", lambda: call("mount_setattr", -100, text("/"), 0, zeros, 32))
    attempt("move_mount /", lambda: call("move_mount", -100, text("/"), -100, text("/tmp/target"), 0))
    attempt("listmount", lambda: call("listmount", zeros, zeros, 10, 0))
    attempt("chroot /tmp", lambda: os.chroot("/tmp"))
    attempt("pivot_root", lambda: call("pivot_root", text("/tmp"), text("/tmp/target")))
    attempt("swapon", lambda: call("swapon", text("/dev/vda"), 0))
    attempt("swapoff", lambda: call("swapoff", text("/dev/vda")))
    attempt("quotactl", lambda: call("quotactl", 0x800007 << 8, text("/dev/vda"), 0, zeros))

    def handle():
        data = ctypes.create_string_buffer(struct.pack("II", 128, 0) + bytes(128))
        mount_id = ctypes.create_string_buffer(8)
        call("name_to_handle_at", -100, text("/etc/passwd"), data, mount_id, 0)
    attempt("name_to_handle_at /etc/passwd", handle)

    def open_by_handle():
        # The root of most file systems: inode 2.
        data = ctypes.create_string_buffer(struct.pack("IIQ", 8, 1, 2))
        call("open_by_handle_at", os.open("/etc/hostname", os.O_RDONLY), data, 0)
    attempt("open_by_handle_at", open_by_handle)


# ---- the kernel's side doors ---------------------------------------------------------------------------------------------

def kernel():
    for command in range(40):
        attempt(f"bpf command {command}", lambda command=command: call("bpf", command, zeros, 64))
    for command in range(32):
        attempt(f"keyctl operation {command}", lambda command=command: call("keyctl", command, -3, 0, 0, 0))
    attempt("add_key", lambda: call("add_key", text("user"), text("a"), text("b"), 1, -3))
    attempt("request_key", lambda: call("request_key", text("user"), text("a"), 0, -3))
    for flags in (0, 1):
        attempt(f"userfaultfd flags {flags}", lambda flags=flags: call("userfaultfd", flags))
    attempt("/dev/userfaultfd", lambda: os.open("/dev/userfaultfd", os.O_RDWR))
    attempt("io_uring_setup", lambda: call("io_uring_setup", 1, zeros))
    attempt("io_setup", lambda: call("io_setup", 1, zeros))
    for kind in range(6):
        def perf(kind=kind):
            call("perf_event_open", ctypes.create_string_buffer(struct.pack("IIQ", kind, 112, 0) + bytes(96)), 0, -1, -1, 0)
        attempt(f"perf_event_open type {kind}", perf)
    attempt("init_module", lambda: call("init_module", zeros, 4096, text("")))
    attempt("finit_module", lambda: call("finit_module", os.open("/bin/sh", os.O_RDONLY), text(""), 0))
    attempt("delete_module", lambda: call("delete_module", text("loop"), 0))
    attempt("kexec_load", lambda: call("kexec_load", 0, 0, 0, 0))
    attempt("kexec_file_load", lambda: call("kexec_file_load", -1, -1, 0, 0, 0))
    # Restart and the like would be felt: turning Ctrl-Alt-Del on is not.
    attempt("reboot", lambda: call("reboot", 0xfee1dead, 0x28121969, 0, 0))
    for action in (2, 3, 10):
        attempt(f"syslog {action}", lambda action=action: call("syslog", action, zeros, 100))
    attempt("iopl", lambda: call("iopl", 3))
    attempt("ioperm", lambda: call("ioperm", 0x80, 1, 1))
    attempt("modify_ldt", lambda: call("modify_ldt", 0, zeros, 100))
    attempt("personality ADDR_NO_RANDOMIZE", lambda: call("personality", 0x0040000))
    attempt("personality READ_IMPLIES_EXEC", lambda: call("personality", 0x0400000))
    attempt("acct", lambda: call("acct", text("/tmp/acct")))
    attempt("lookup_dcookie", lambda: call("lookup_dcookie", 1, zeros, 100))
    attempt("vhangup", lambda: call("vhangup"))
    attempt("sethostname", lambda: call("sethostname", text("x"), 1))
    attempt("setdomainname", lambda: call("setdomainname", text("x"), 1))
    attempt("fanotify_init", lambda: call("fanotify_init", 0, 0))
    attempt("inotify on /etc", lambda: call("inotify_add_watch", call("inotify_init1", 0), text("/etc"), 2))
    attempt("landlock_create_ruleset", lambda: call("landlock_create_ruleset", zeros, 8, 0))
    attempt("memfd_secret", lambda: call("memfd_secret", 0))
    attempt("seccomp: a filter of its own", seccomp_filter)
    attempt("seccomp: a listener", lambda: seccomp_filter(8))
    attempt("prctl PR_SET_SECCOMP", lambda: prctl(22, 2, ctypes.addressof(allow_all()[0])))
    attempt("settimeofday", lambda: call("settimeofday", zeros, 0))
    attempt("clock_settime", lambda: call("clock_settime", 0, zeros))
    attempt("adjtimex to set", lambda: call("adjtimex", ctypes.create_string_buffer(struct.pack("I", 2) + bytes(204))))
    attempt("clock_adjtime to set", lambda: call("clock_adjtime", 0, ctypes.create_string_buffer(struct.pack("I", 2) + bytes(204))))


def allow_all():
    """A program for the kernel's filters, and what must outlive it."""
    allow = ctypes.create_string_buffer(struct.pack("HBBI", 6, 0, 0, 0x7fff0000))
    return ctypes.create_string_buffer(struct.pack("HxxxxxxQ", 1, ctypes.addressof(allow))), allow


def seccomp_filter(flags=0):
    program, _allow = allow_all()
    call("seccomp", 1, flags, program)


# ---- sockets -------------------------------------------------------------------------------------------------------------

KINDS = {"stream": 1, "dgram": 2, "raw": 3, "rdm": 4, "seqpacket": 5, "packet": 10}


def sockets():
    families = {number: name.removeprefix("AF_") for name, number in vars(socket).items() if name.startswith("AF_")}
    for family in range(64):
        for kind, number in KINDS.items():
            # By a bare call: the standard library would hide what it does not know.
            attempt(f"socket {families.get(family, family)} {kind}", lambda family=family, number=number: call("socket", family, number, 0))
        if family != socket.AF_UNIX:
            attempt(f"socketpair {families.get(family, family)}", lambda family=family: call("socketpair", family, 1, 0, zeros))
    program, _allow = allow_all()
    for option, name in [(26, "SO_ATTACH_FILTER"), (51, "SO_ATTACH_REUSEPORT_CBPF"), (1 << 32 | 26, "SO_ATTACH_FILTER in another way")]:
        unix = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        attempt(f"setsockopt {name}", lambda option=option, unix=unix: call("setsockopt", unix.fileno(), 1, option, program, 16))
    for option, name in [(50, "SO_ATTACH_BPF"), (52, "SO_ATTACH_REUSEPORT_EBPF")]:
        attempt(f"setsockopt {name}", lambda option=option: call("setsockopt", socket.socket(socket.AF_UNIX).fileno(), 1, option, zeros, 4))
    attempt("look up a name", lambda: socket.getaddrinfo("example.com", 80))
    for host in ("169.254.169.254", "127.0.0.1", "172.17.0.1", "fd00:ec2::254"):
        attempt(f"connect to {host}", lambda host=host: socket.create_connection((host, 80), timeout=1))
    for path in ("/var/run/docker.sock", "/run/docker.sock", "/run/containerd/containerd.sock", "/run/systemd/private", "/run/dbus/system_bus_socket"):
        attempt(f"connect to {path}", lambda path=path: socket.socket(socket.AF_UNIX).connect(path))
    with open("/proc/net/unix") as lines:
        for name in sorted({line.split()[-1] for line in lines if "@" in line}):
            attempt(f"connect to {name}", lambda name=name: socket.socket(socket.AF_UNIX, socket.SOCK_STREAM).connect("\0" + name[1:]))
    attempt("bring lo up by ioctl", lambda: fcntl.ioctl(socket.socket(socket.AF_UNIX), 0x8914, struct.pack("16sH14x", b"lo", 1)))


# ---- identity, other processes, priorities -------------------------------------------------------------------------------

def processes():
    for number in (0, 1, 65534):
        attempt(f"setuid {number}", lambda number=number: os.setuid(number))
        attempt(f"setgid {number}", lambda number=number: os.setgid(number))
    attempt("setresuid 0", lambda: os.setresuid(0, 0, 0))
    attempt("setgroups 0", lambda: os.setgroups([0]))
    attempt("setfsuid 0", lambda: call("setfsuid", 0))
    attempt("capset", lambda: call("capset", ctypes.create_string_buffer(struct.pack("II", 0x20080522, 0)),
                                   ctypes.create_string_buffer(struct.pack("IIIIII", 1, 1, 0, 0, 0, 0))))
    for option, name in [(24, "PR_CAPBSET_DROP"), (28, "PR_SET_SECUREBITS"), (57, "PR_SET_IO_FLUSHER")]:
        attempt(f"prctl {name}", lambda option=option: prctl(option, 1))
    attempt("prctl PR_CAP_AMBIENT_RAISE", lambda: prctl(47, 2, 21))
    attempt("prctl PR_SET_MM", lambda: prctl(35, 1, address))
    attempt("prctl PR_SET_NO_NEW_PRIVS off", lambda: prctl(38, 0))
    attempt("ptrace: trace me", lambda: call("ptrace", 0, 0, 0, 0))
    sibling = os.fork()
    if sibling == 0:
        time.sleep(1000)
    for pid, who in [(1, "PID 1"), (os.getppid(), "its parent"), (sibling, "its child")]:
        attempt(f"ptrace attach to {who}", lambda pid=pid: call("ptrace", 16, pid, 0, 0))
        attempt(f"ptrace seize {who}", lambda pid=pid: call("ptrace", 0x4206, pid, 0, 0))
        vector = ctypes.create_string_buffer(struct.pack("QQ", address, 8))
        attempt(f"process_vm_readv {who}", lambda pid=pid: call("process_vm_readv", pid, vector, 1, vector, 1, 0))
        attempt(f"process_vm_writev {who}", lambda pid=pid: call("process_vm_writev", pid, vector, 1, vector, 1, 0))
        attempt(f"process_madvise {who}", lambda pid=pid: call("process_madvise", call("pidfd_open", pid, 0), vector, 1, 20, 0))
        attempt(f"pidfd_open {who}", lambda pid=pid: call("pidfd_open", pid, 0))
        attempt(f"pidfd_getfd {who}", lambda pid=pid: call("pidfd_getfd", call("pidfd_open", pid, 0), 1, 0))
        attempt(f"kcmp with {who}", lambda pid=pid: call("kcmp", pid, os.getpid(), 1, 0, 0))
        attempt(f"prlimit of {who}", lambda pid=pid: resource.prlimit(pid, resource.RLIMIT_NOFILE))
        attempt(f"setpriority of {who}", lambda pid=pid: os.setpriority(os.PRIO_PROCESS, pid, 10))
        attempt(f"sched_setaffinity of {who}", lambda pid=pid: os.sched_setaffinity(pid, {0}))
        attempt(f"sched_setscheduler of {who}", lambda pid=pid: os.sched_setscheduler(pid, os.SCHED_IDLE, os.sched_param(0)))
        attempt(f"ioprio_set of {who}", lambda pid=pid: call("ioprio_set", 1, pid, 3 << 13))
        attempt(f"migrate_pages of {who}", lambda pid=pid: call("migrate_pages", pid, 8, zeros, zeros))
        attempt(f"move_pages of {who}", lambda pid=pid: call("move_pages", pid, 0, 0, 0, 0, 0))
        attempt(f"signal 0 to {who}", lambda pid=pid: os.kill(pid, 0))
    os.kill(sibling, signal.SIGKILL)
    os.waitpid(sibling, 0)
    for user in (0, os.getuid()):
        attempt(f"setpriority of all of {'its user' if user else 'whoever asks'}'s", lambda user=user: os.setpriority(os.PRIO_USER, user, 1))
    attempt("nice -1", lambda: os.nice(-1))
    attempt("nice 1", lambda: os.nice(1))
    for policy in ("FIFO", "RR", "BATCH", "IDLE"):
        level = 1 if policy in ("FIFO", "RR") else 0
        attempt(f"SCHED_{policy}", lambda policy=policy, level=level: os.sched_setscheduler(
            0, getattr(os, f"SCHED_{policy}"), os.sched_param(level)))
    attempt("SCHED_DEADLINE", lambda: call("sched_setattr", 0, ctypes.create_string_buffer(
        struct.pack("IIQiIQQQ", 48, 6, 0, 0, 0, 10**7, 10**8, 10**8)), 0))
    attempt("ioprio_set real time", lambda: call("ioprio_set", 1, 0, 1 << 13))
    for name in sorted(name for name in dir(resource) if name.startswith("RLIMIT_")):
        attempt(f"raise {name}", lambda name=name: raise_limit(getattr(resource, name)))
    attempt("lower RLIMIT_NOFILE", lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64)))


def prctl(option, *arguments):
    call("prctl", option, *arguments, *[0] * (4 - len(arguments)))


def raise_limit(limit):
    soft, hard = resource.getrlimit(limit)
    if hard == resource.RLIM_INFINITY:
        raise Refused("is the highest already")
    resource.setrlimit(limit, (soft, hard + 1))


# ---- memory and what is shared -------------------------------------------------------------------------------------------

def memory():
    attempt("mlock 60 KiB", lambda: call("mlock", map_anonymous(60 << 10), 60 << 10))
    attempt("mlock 1 MiB", lambda: call("mlock", map_anonymous(1 << 20), 1 << 20))
    attempt("mlockall", lambda: call("mlockall", 2))
    attempt("map locked memory of 1 MiB", lambda: map_anonymous(1 << 20, flags=0x2000))
    # Pages of their own pool, which no memory limit counts. ENOMEM would say that the pool is empty, and not that it is shut.
    attempt("map huge pages", lambda: enomem_is_no_refusal(lambda: map_anonymous(2 << 20, flags=0x40000)))
    attempt("memory that can be executed", lambda: map_anonymous(4096, protection=7))
    attempt("map page 0", lambda: call("mmap", 0, 4096, 3, 0x32, -1, 0))
    attempt("memfd_create", lambda: os.memfd_create("a"))
    attempt("memfd_create of huge pages", lambda: os.memfd_create("a", os.MFD_HUGETLB))
    attempt("shmget", lambda: call("shmget", 0, 4096, 0o1600))
    attempt("shmget of huge pages", lambda: call("shmget", 0, 2 << 20, 0o5600))
    attempt("semget", lambda: call("semget", 0, 1, 0o1600))
    attempt("msgget", lambda: call("msgget", 0, 0o1600))
    attempt("mq_open", lambda: call("mq_open", text("a"), os.O_CREAT | os.O_RDWR, 0o600, 0))
    attempt("a message queue in /dev/mqueue", lambda: os.open("/dev/mqueue/a", os.O_CREAT | os.O_RDWR, 0o600))
    attempt("a file in /dev/shm", lambda: os.open("/dev/shm/a", os.O_CREAT | os.O_RDWR, 0o600))
    attempt("timer_create", lambda: call("timer_create", 1, 0, zeros))
    attempt("timerfd_create for an alarm that wakes the machine", lambda: call("timerfd_create", 8, 0))
    attempt("timerfd_create", lambda: call("timerfd_create", 1, 0))
    attempt("setitimer", lambda: signal.setitimer(signal.ITIMER_REAL, 1))
    attempt("get the memory policy", lambda: call("get_mempolicy", 0, 0, 0, 0, 0))
    attempt("set the memory policy", lambda: call("set_mempolicy", 0, 0, 0))
    attempt("mbind", lambda: call("mbind", map_anonymous(4096), 4096, 0, 0, 0, 0))


def map_anonymous(size, flags=0, protection=3):
    return call("mmap", 0, size, protection, 0x22 | flags, -1, 0)


def enomem_is_no_refusal(action):
    try:
        action()
    except OSError as error:
        if error.errno != errno.ENOMEM:
            raise


# ---- files, devices, what the kernel shows -------------------------------------------------------------------------------

PROGRAM = "/bin/true"


def files():
    for folder in ("/tmp", "/workspace", "/dev/shm"):
        path = f"{folder}/program"
        with open(PROGRAM, "rb") as program, open(path, "wb") as copy:
            copy.write(program.read())
        os.chmod(path, 0o755)
        attempt(f"execute a program in {folder}", lambda path=path: os.execv(path, ["a"]))
        attempt(f"execute a program in {folder} by the loader", lambda path=path: run("/lib64/ld-linux-x86-64.so.2", path))
        attempt(f"map a file in {folder} to execute it", lambda path=path: mmap.mmap(
            os.open(path, os.O_RDONLY), 4096, flags=mmap.MAP_PRIVATE, prot=mmap.PROT_READ | mmap.PROT_EXEC))
        attempt(f"a set-user-ID bit in {folder}", lambda path=path: os.chmod(path, 0o4755))
        attempt(f"a device in {folder}", lambda folder=folder: os.mknod(f"{folder}/null", 0o600 | stat.S_IFCHR, os.makedev(1, 3)))
        attempt(f"a FIFO in {folder}", lambda folder=folder: os.mkfifo(f"{folder}/fifo"))
        attempt(f"a user.* attribute in {folder}", lambda path=path: os.setxattr(path, "user.a", b"1"))
        attempt(f"a security.* attribute in {folder}", lambda path=path: os.setxattr(path, "security.capability", bytes(20)))
        attempt(f"give a file in {folder} to root", lambda path=path: os.chown(path, 0, 0))
        attempt(f"a hard link to a file of the image in {folder}", lambda folder=folder: os.link("/etc/passwd", f"{folder}/link"))
    attempt("execute by execveat", lambda: call("execveat", os.open(PROGRAM, os.O_RDONLY), text(""), 0, 0, 0x1000))
    attempt("execute a memfd", lambda: os.execv(f"/proc/self/fd/{os.memfd_create('a')}", ["a"]))
    attempt("execute a program of the image", lambda: run(PROGRAM))
    for folder in ("/", "/etc", "/usr/bin", "/opt", "/opt/runner", "/var/tmp", "/run", "/home", "/root", "/dev", "/proc", "/sys", "/sys/fs/cgroup"):
        attempt(f"write a file in {folder}", lambda folder=folder: os.open(f"{folder}/file", os.O_CREAT | os.O_WRONLY, 0o600))
    attempt("freeze a file system", lambda: fcntl.ioctl(os.open("/tmp", os.O_RDONLY), 0xC0045877, 0))
    attempt("an immutable file", lambda: fcntl.ioctl(os.open("/tmp/program", os.O_RDONLY), 0x40086602, struct.pack("L", 0x10)))
    attempt("a signal of one's choice from a descriptor", lambda: fcntl.fcntl(0, 10, 18))
    attempt("a signal from a folder", lambda: fcntl.fcntl(os.open("/tmp", os.O_RDONLY), 1026, 1))
    attempt("push a character into a terminal", lambda: fcntl.ioctl(0, 0x5412, b"x"))
    attempt("a terminal of its own", lambda: os.openpty())


def run(*command):
    """Executes it, which ends the attempt: what it was answered is seen from outside."""
    child = os.fork()
    if child == 0:
        try:
            os.execv(command[0], command)
        finally:
            os._exit(99)
    if status := os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]):
        raise Refused(f"status {status}")


def devices():
    # All there are, and by name those that lead somewhere.
    known = {"mem", "kmem", "port", "kmsg", "kvm", "fuse", "net/tun", "loop-control", "loop0", "vda", "sda", "nvme0", "uinput", "mapper/control",
             "vhost-net", "vhost-vsock", "vsock", "btrfs-control", "rtc0", "watchdog", "cuse", "snapshot", "console", "tty0", "cpu/0/msr",
             "hugepages", "dri/card0", "nvidiactl"}
    found = {os.path.relpath(os.path.join(folder, name), "/dev") for folder, _, names in os.walk("/dev") for name in names
             if not folder.startswith(("/dev/shm", "/dev/mqueue"))}
    for name in sorted(known | found):
        attempt(f"open /dev/{name} to write", lambda name=name: os.open(f"/dev/{name}", os.O_RDWR | os.O_NONBLOCK))


# Read and write of them, or of one that stands for all in the folder.
SHUT = ("/proc/kcore /proc/keys /proc/locks /proc/kpagecount /proc/kpageflags /proc/kmsg /proc/sched_debug /proc/timer_list /proc/timer_stats "
        "/proc/latency_stats /proc/sysrq-trigger /proc/acpi /proc/asound /proc/scsi /proc/bus /proc/irq /proc/fs /proc/mtrr /proc/interrupts "
        "/proc/vmallocinfo /proc/slabinfo /proc/pagetypeinfo /proc/iomem /proc/config.gz /sys/firmware /sys/kernel/debug /sys/kernel/tracing "
        "/sys/kernel/security /sys/fs/bpf /sys/kernel/uevent_helper /sys/devices/system/cpu /sys/devices/virtual/powercap "
        "/sys/power/state").split()


def shown():
    for path in SHUT:
        attempt(f"see {path}", lambda path=path: see(path))
    attempt("see addresses of the kernel", kernel_addresses)
    for path in sorted(glob.glob("/proc/1/*")):
        attempt(f"see {path}", lambda path=path: see(path))
    for top in ("/proc/sys", "/sys", "/proc/1", "/proc/self", "/sys/fs/cgroup"):
        # Thousands of files: not to have come to the end on a busy machine is no success.
        attempt(f"write anything in {top}", lambda top=top: writable(top), patience=60)
    for path in ("/proc/self/oom_score_adj", "/proc/self/oom_adj"):
        attempt(f"a lower {path}", lambda path=path: write(path, b"-17"))
    attempt("a cgroup of its own", lambda: [os.mkdir(f"{folder}/new") for folder in ("/sys/fs/cgroup", *glob.glob("/sys/fs/cgroup/*/"))[:1]])
    attempt("another cgroup", lambda: write((glob.glob("/sys/fs/cgroup/*/cgroup.procs") + ["/sys/fs/cgroup/cgroup.procs"])[0], b"0"))
    attempt("a release agent", lambda: write((glob.glob("/sys/fs/cgroup/*/release_agent") + ["/sys/fs/cgroup/release_agent"])[0], b"/bin/sh"))
    attempt("more memory", lambda: write((glob.glob("/sys/fs/cgroup/memory/memory.limit_in_bytes") + ["/sys/fs/cgroup/memory.max"])[0], b"1000000000000"))
    for name in sorted(set(os.environ)):
        print("could", f"see the variable {name}")
    attempt("a descriptor beyond 0, 1 and 2", inherited)
    attempt("another process than PID 1 and its own", others)


def see(path):
    if os.path.islink(path):
        os.readlink(path)
        return
    if os.path.isdir(path):
        if not os.listdir(path):
            raise Refused("empty")
        return
    with open(path, "rb", buffering=0) as file:
        if not select.select([file], [], [], 1)[0] or not file.read(100):
            raise Refused("empty")


def kernel_addresses():
    with open("/proc/kallsyms") as lines:
        if not any(int(line.split()[0], 16) for line in lines):
            raise Refused("all are 0")


# What a process may write about itself alone: its name, its shares in memory, what it dumps, its own timers' slack.
ABOUT_ITSELF = {"attr", "autogroup", "clear_refs", "comm", "coredump_filter", "fd", "fdinfo", "gid_map", "loginuid", "map_files", "mem", "net", "ns",
                "oom_adj", "oom_score_adj", "projid_map", "reclaim", "sched", "seccomp_cache", "setgroups", "task", "timens_offsets", "timerslack_ns",
                "uid_map", "root", "cwd"}


def writable(top):
    found = []
    for folder, folders, names in os.walk(top, onerror=lambda error: None):
        if folder == "/proc/self":
            folders[:] = [name for name in folders if name not in ABOUT_ITSELF]
            names = [name for name in names if name not in ABOUT_ITSELF]
        for name in names:
            path = os.path.join(folder, name)
            try:
                with open(os.open(path, os.O_WRONLY | os.O_NONBLOCK | os.O_NOFOLLOW), "wb", buffering=0) as file:
                    # Elsewhere to open it is enough, and to write would change something.
                    if top == "/proc/1":
                        file.write(b"0")
            except OSError:
                continue
            found.append(path)
    if not found:
        raise Refused("nothing")
    sys.stderr.write(f"{found}\n")


def write(path, content):
    with open(path, "wb", buffering=0) as file:
        file.write(content)


def is_open(descriptor):
    try:
        os.fstat(descriptor)
    except OSError:
        return False
    return True


# Before an attempt opens its own.
INHERITED = [descriptor for descriptor in range(3, 4096) if is_open(descriptor)]


def inherited():
    if not INHERITED:
        raise Refused("none is there")


def others():
    if not [pid for pid in os.listdir("/proc") if pid.isdecimal() and int(pid) not in (1, os.getpid(), os.getppid())]:
        raise Refused("none is there")


sweep()
other_tables()
namespaces()
mounts()
kernel()
sockets()
processes()
memory()
files()
devices()
shown()
