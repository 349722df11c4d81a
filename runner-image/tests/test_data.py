import json
import time

from support import DATA, DATA_CHUNK, DATA_OPENED, DATA_REQUEST, FINISHED, RUNNER, RunnerTest, frame

JSON, CSV = "application/json", "text/csv"
VALUES = {"b": (JSON, b'{"x": [1, null]}'), "a.csv": (CSV, b"n\n1\n2\n"), "c": (JSON, b"3"), "big": (CSV, bytes(range(256)) * 2000), "empty": (CSV, b"")}
# As on a machine so busy that the child is far ahead.
LATE_PARENT = f"""
import sys, time
sys.path.insert(0, {RUNNER!r})
import main, supervisor
supervise = supervisor.Supervision.supervise
supervisor.Supervision.supervise = lambda run: (time.sleep(0.5), supervise(run))[1]
main.main(sys.argv[2])
"""


def state_of(pid):
    """The letter that ps shows, or None of a process that is gone; of one that has been stopped and waits for a processor to know it,
    what it will be."""
    for _ in range(500):
        try:
            with open(f"/proc/{pid}/stat") as statistics:
                state = statistics.read().rpartition(")")[2].split()[0]
        except FileNotFoundError:
            return None
        if state != "R":
            break
        time.sleep(0.01)
    return state


class DataTest(RunnerTest):
    def conversation_about(self, code, **options):
        conversation = self.ready(**options)
        conversation.uploaded = VALUES
        conversation.execute(code)
        return conversation

    def result(self, code, uploaded=VALUES, **options):
        return self.result_of(code, uploaded=uploaded, **options)

    def error(self, code, uploaded=VALUES):
        answer = self.run_code(code, uploaded=uploaded)
        self.assertEqual(answer.status, "error")
        return answer.error

    def test_json_is_a_value_and_anything_else_a_file_that_does_not_come_back(self):
        answer = self.run_code("value, text, name = data['b'], data['a.csv'].read_text(), data['a.csv'].name\n"
                               "size = len(data['big'].read_bytes())\nopen('out', 'w').write(data['a.csv'].read_text())",
                               uploaded=VALUES)
        self.assertEqual(answer.result, {"value": {"x": [1, None]}, "text": "n\n1\n2\n", "name": "a.csv", "size": 512_000},
                         answer.stderr)
        self.assertEqual(answer.files, {"out": b"n\n1\n2\n"})

    def test_code_that_asks_before_anybody_listens_waits(self):
        answer = self.conversation_about("value = data['c']", program=["-c", LATE_PARENT]).collect()
        self.assertEqual((answer.status, answer.result), ("ok", {"value": 3}), answer.stderr)

    def test_what_there_is_can_be_asked_without_fetching_it(self):
        self.assertEqual(self.result("all, n, there, missing = list(data), len(data), 'b' in data, ['x' in data, 1 in data, 'k' * 300 in data]\n"
                                     "nothing = data.get('x', 7)"),
                         {"all": ["a.csv", "b", "big", "c", "empty"], "n": 5, "there": True, "missing": [False] * 3, "nothing": 7})

    def test_a_missing_key_is_a_key_error_that_names_it(self):
        self.assertEqual(self.error("data['sales']"), "KeyError: 'sales'")
        self.assertEqual(self.error("data.path('sales')"), "KeyError: 'sales'")

    def test_any_value_has_a_path_and_it_stays_the_same_after_chdir(self):
        self.assertEqual(self.result("import os; os.makedirs('d'); os.chdir('d')\np = data.path('b')\n"
                                     "same = p is data.path('b') and p.is_absolute()\ntext = p.read_text()\ndel p"),
                         {"same": True, "text": '{"x": [1, null]}'})

    def test_a_value_is_fetched_once_and_changes_of_it_stay(self):
        self.assertEqual(self.result("data['b']['x'].append(5)\ny = data['b']"), {"y": {"x": [1, None, 5]}})

    def test_threads_and_forked_processes_have_it_too(self):
        code = ("import multiprocessing, threading, os\n"
                "def read(key): return len(data[key].read_bytes()) if key == 'big' else data[key]\n"
                "if __name__ == '__main__':\n"
                "    seen = []\n"
                "    ts = [threading.Thread(target=lambda: seen.append(read('big'))) for _ in range(8)]\n"
                "    [t.start() for t in ts]; [t.join() for t in ts]; del ts\n"
                "    with multiprocessing.get_context('fork').Pool(4) as pool: forked = pool.map(read, ['c', 'big', 'c', 'b'])\n"
                "    del pool")
        self.assertEqual(self.result(code), {"seen": [512_000] * 8, "forked": [3, 512_000, 3, {"x": [1, None]}]})

    def test_what_a_process_has_fetched_stays_when_another_fetches_a_newer_one(self):
        conversation = self.conversation_about(
            "import os\nread, write = os.pipe()\n"
            "if os.fork() == 0: os.read(read, 1); print(data['a.csv'].read_text(), end='', flush=True); os._exit(0)\n"
            "first = data['a.csv'].read_text(); os.write(write, b'x'); os.wait()\n"
            "then = data['a.csv'].read_text(); files = os.listdir('.uploaded'); del read, write")
        answer_to = conversation.answer_to

        def answer_once(request):
            answer = answer_to(request)
            conversation.uploaded = {"a.csv": (CSV, b"newer\n")}
            return answer

        conversation.answer_to = answer_once
        answer = conversation.collect()
        self.assertEqual(answer.result, {"first": "n\n1\n2\n", "then": "n\n1\n2\n", "files": ["a.csv"]}, answer.stderr)
        self.assertEqual(answer.stdout, b"n\n1\n2\n")

    def test_a_signal_handler_that_interrupts_a_fetch_is_told_so_instead_of_waiting_for_it(self):
        code = ("import os, signal\nreal, told = os.statvfs, []\n"
                "def handler(*_):\n"
                "    for use in (lambda: data['c'], lambda: 'c' in data, lambda: list(data)):\n"
                "        try: use()\n"
                "        except RuntimeError as error: told.append('signal handler' in str(error))\n"
                "signal.signal(signal.SIGUSR2, handler)\n"
                "os.statvfs = lambda path: (signal.raise_signal(signal.SIGUSR2), real(path))[1]\n"
                "size = len(data['big'].read_bytes()); then = data['c']; del real, handler")
        self.assertEqual(self.result(code), {"told": [True] * 3, "size": 512_000, "then": 3})

    def test_a_default_timeout_of_sockets_is_not_for_the_desk(self):
        code = ("import socket, time, os\nsocket.setdefaulttimeout(0.05)\nreal = os.statvfs\n"
                "os.statvfs = lambda path: (time.sleep(0.5), real(path))[1]\n"
                "if os.fork() == 0: data['big']; os._exit(0)\n"
                "time.sleep(0.1); x = data['c']; os.wait(); del real")
        self.assertEqual(self.result(code), {"x": 3})

    def test_an_interrupted_fetch_leaves_nothing(self):
        code = ("import os\nreal, os.link = os.link, lambda *paths: 1 / 0\n"
                "try: data['big']\nexcept ZeroDivisionError: files = os.listdir('.uploaded')\n"
                "os.link = real; size = data['big'].stat().st_size; del real")
        self.assertEqual(self.result(code), {"files": [], "size": 512_000})

    def test_a_process_forked_while_a_thread_fetches_does_not_wait_for_it(self):
        code = ("import threading, os\n"
                "real, os.statvfs = os.statvfs, lambda path: (event.set(), done.wait(), real(path))[2]\n"
                "event, done = threading.Event(), threading.Event()\n"
                "thread = threading.Thread(target=lambda: data['big'], daemon=True); thread.start(); event.wait()\n"
                "read, write = os.pipe()\n"
                "if os.fork() == 0: os.write(write, b'%d' % data['c']); os._exit(0)\n"
                "done.set(); thread.join(); seen = os.read(read, 9).decode()\n"
                "del thread, event, done, read, write")
        self.assertEqual(self.result(code), {"seen": "3"})

    def test_the_traceback_of_a_missing_key_ends_in_the_code(self):
        answer = self.run_code("def f(): return data['x']\nf()", uploaded=VALUES)
        self.assertNotIn(b"/runner/", answer.stderr)
        self.assertTrue(answer.stderr.rstrip().endswith(b"KeyError: 'x'"), answer.stderr)

    def test_data_is_no_result_unless_the_code_makes_it_one_and_an_input_of_that_name_comes_first(self):
        self.assertEqual(self.result("pass"), {})
        self.assertEqual(self.result("data = 5"), {"data": 5})
        self.assertEqual(self.result("y = data", input={"data": [1]}), {"y": [1]})
        self.assertIn("uploaded data", self.result("y = data")["y"])

    def test_what_does_not_fit_is_an_error_that_says_so_and_leaves_nothing(self):
        error = self.error("import os\nreal = os.statvfs\n"
                           "os.statvfs = lambda path: os.statvfs_result([4096, 4096, 10, 10, 10, 9, 9, 9, 0, 255])\n"
                           "try: data['big']\nfinally: print(os.listdir('.uploaded'))")
        self.assertEqual(error, "OSError: [Errno 28] the uploaded value 'big' of 512000 bytes does not fit into what is left of the workspace")

    def test_a_value_that_the_service_cannot_read_is_an_error_and_not_a_missing_key(self):
        self.assertIn("cannot be read", self.error("data['x']", uploaded={"x": (CSV, None)}))

    def test_a_process_that_speaks_nonsense_at_the_desk_hinders_nobody(self):
        code = ("import os, socket\n"
                "address = b'\\0code-sandbox-data-%d' % os.getppid()\n"
                "for nonsense in (b'', b'\\0', b'\\xff' * 5000, b'\\0\\0\\0\\2{}', b'\\0\\0\\0\\1{', b'\\0\\0\\0\\x0d{\"op\":\"drop\"}',\n"
                "                 b'\\0\\0\\0\\x0d{\"op\":\"read\"}{\"op\":\"read\"}', b'\\0\\0\\0\\0', b'\\0\\0\\0\\x0d{\"op\":\"read\"}'):\n"
                "    with socket.socket(socket.AF_UNIX) as s:\n"
                "        s.connect(address); s.sendall(nonsense)\n"
                "x = data['c']\ndel nonsense, address, s")
        self.assertEqual(self.result(code), {"x": 3})

    def test_an_answer_that_nobody_asked_for_breaks_the_protocol(self):
        for kind in DATA, DATA_CHUNK, DATA_OPENED:
            conversation = self.ready()
            conversation.execute("import time; time.sleep(30)")
            conversation.send(frame(kind, {"is": "missing"}))
            self.assertEqual(conversation.exit_code(), 70)

    def test_a_value_that_comes_whole_with_the_answer_is_asked_for_once(self):
        conversation = self.conversation_about("x = data['b'], data['a.csv'].read_text(), data['empty'].read_bytes()")
        self.assertEqual(conversation.collect().status, "ok")
        self.assertEqual(conversation.asked, ["open"] * 3)

    def test_a_value_that_ends_before_its_size_is_unreadable_and_leaves_nothing(self):
        for code in "data['big']", "data['b']":
            conversation = self.conversation_about(f"import os\ntry: {code}\nfinally: print(os.path.exists('.uploaded') and os.listdir('.uploaded'))")
            conversation.next_piece = iter([b"half", b""]).__next__
            answer = conversation.collect()
            self.assertEqual(answer.status, "error")
            self.assertIn(answer.stdout, (b"[]\n", b"False\n"))
            self.assertIn("cannot be read", answer.error)

    def test_the_answer_waits_for_no_death_because_a_file_was_fetched(self):
        for code, state in (("data['a.csv']", "T"), ("data['a.csv']; open('out', 'w').close()", None), ("open('.uploaded', 'w').close()", None)):
            conversation = self.conversation_about(f"import os; pid = os.getpid()\n{code}")
            seen = []
            conversation.at_finished = lambda answer: seen.append(state_of(answer.result["pid"]))
            self.assertEqual(conversation.collect().status, "ok")
            self.assertEqual(seen, [state], code)

    def test_one_request_is_asked_at_a_time_and_the_run_can_be_ended_while_it_waits(self):
        conversation = self.ready()
        conversation.execute("print('a', flush=True)\ndata['x']", timeout=0.5)
        requests = []
        while (received := conversation.receive())[0] != FINISHED:
            if received[0] == DATA_REQUEST:
                requests.append(json.loads(received[1]))
        self.assertEqual(requests, [{"op": "open", "key": "x"}])
        self.assertEqual(json.loads(received[1])["status"], "timeout")
