import os

from support import RunnerTest


class Files(RunnerTest):
    def omitted(self, answer):
        return {entry["name"]: entry["reason"] for entry in answer.omitted}

    def test_files_of_the_request_are_there_and_come_back_only_if_changed(self):
        given = {"same": b"1", "changed": b"2", "longer": b"3", "gone": b"4", "rewritten": b"5", "d/e/f.txt": "ä".encode(), "link": b"6"}
        answer = self.run_code("import os\nseen = {n: open(n, 'rb').read().decode() for n in ['same', 'changed', 'd/e/f.txt']}\n"
                               "open('changed', 'w').write('x')\nopen('longer', 'a').write('x')\nos.remove('gone')\n"
                               "open('rewritten', 'w').write('5')\nopen('new', 'w').write('n')\nos.link('link', 'twin')", given=given)
        self.assertEqual(answer.result, {"seen": {"same": "1", "changed": "2", "d/e/f.txt": "ä"}})
        self.assertEqual(answer.files, {"changed": b"x", "longer": b"3x", "new": b"n", "twin": b"6"})
        self.assertEqual(answer.omitted, [])

    def test_a_change_that_keeps_size_and_times_is_seen(self):
        answer = self.run_code("import os\ns = os.stat('a')\nopen('a', 'r+').write('y')\nos.utime('a', ns=(s.st_atime_ns, s.st_mtime_ns))\ndel s",
                               given={"a": b"x"})
        self.assertEqual(answer.files, {"a": b"y"})

    def test_whole_paths_are_in_order(self):
        paths = ["a", "a.txt", "b/a", "b/b/c", "b0", "b!", "é", "b/b!"]
        answer = self.run_code(f"import os\nfor p in {paths}:\n  os.makedirs(os.path.dirname(p) or '.', exist_ok=True)\n  open(p, 'w').close()")
        self.assertEqual(list(answer.files), sorted(paths))

    def test_only_regular_files_come_back(self):
        answer = self.run_code("import os, socket\nopen('real', 'w').write('r')\nos.symlink('/etc/passwd', 'out')\nos.symlink('real', 'in')\n"
                               "os.symlink('/etc', 'folder')\nos.symlink('.', 'loop')\nos.mkfifo('pipe')\ns = socket.socket(socket.AF_UNIX)\n"
                               "s.bind('socket')\ndel s\nos.makedirs('d')\nos.mkfifo('d/pipe')")
        self.assertEqual(answer.files, {"real": b"r"})
        link = "a symbolic link"
        self.assertEqual(self.omitted(answer), {"out": link, "in": link, "folder": link, "loop": link, "pipe": "a named pipe",
                                                "socket": "a socket", "d/pipe": "a named pipe"})

    def test_limits_of_number_and_bytes_are_exact_and_name_what_they_cost(self):
        code = "for n in range(5): open(f'{n}', 'wb').write(b'x' * n * 100_000)"
        answer = self.run_code(code, limits={"max_output_files": 3, "files_limit": 300_000})
        self.assertEqual({path: len(content) for path, content in answer.files.items()}, {"0": 0, "1": 100_000, "2": 200_000})
        self.assertEqual(self.omitted(answer), {"3": "over the limit of 3 files", "4": "over the limit of 3 files"})
        answer = self.run_code(code, limits={"files_limit": 399_999})
        self.assertEqual(list(answer.files), ["0", "1", "2"])
        self.assertEqual(self.omitted(answer)["3"], "larger than what is left of the files limit of 399999 bytes")
        answer = self.run_code("open('a', 'w').write('x')", limits={"max_output_files": 0})
        self.assertEqual((answer.files, self.omitted(answer)), ({}, {"a": "over the limit of 0 files"}))

    def test_a_sparse_giant_is_named_and_not_read(self):
        answer = self.run_code("import os\nos.truncate(os.open('giant', os.O_CREAT | os.O_RDWR), 1 << 40)\nopen('small', 'w').write('s')")
        self.assertEqual(answer.files, {"small": b"s"})
        self.assertEqual(self.omitted(answer), {"giant": "larger than the files limit of 16 MiB"})

    def test_odd_names(self):
        answer = self.run_code("import os\nopen(b'\\xff', 'w').close()\nos.mkdir(b'\\xfe')\nopen(b'\\xfe/a', 'w').close()\n"
                               "open(' \\n\\\\\"', 'w').close()\nd = '/'.join(['x' * 200] * 6)\nos.makedirs(d)\nopen(d + '/a', 'w').close()\ndel d")
        self.assertEqual(answer.files, {' \n\\"': b""})
        omitted = self.omitted(answer)
        self.assertEqual((omitted["\ufffd"], omitted["\ufffd/"]), ("its name is not UTF-8", "its name is not UTF-8"))
        self.assertIn("its path is longer than 1024 bytes", omitted.values())

    def test_a_flood_of_files_is_bounded(self):
        answer = self.run_code("import os\nfor n in range(12_000): os.close(os.open(f'{n:05}', os.O_CREAT))", timeout=30)
        self.assertEqual((len(answer.files), len(answer.omitted)), (64, 101))
        self.assertEqual(answer.omitted[-1], {"name": "*", "reason": "the workspace holds over 10000 entries: others were not looked at"})
        answer = self.run_code("for n in range(200): open(f'{n:05}', 'w').close()")
        self.assertEqual(answer.omitted[-1], {"name": "*", "reason": "36 more files were left out"})

    def test_folders_deeper_than_any_path_are_named(self):
        answer = self.run_code("import os\nfor n in range(700): os.mkdir('d'); os.chdir('d')\nos.chdir('/')")
        self.assertEqual((answer.status, len(answer.omitted)), ("ok", 1))

    def test_files_come_after_an_error_and_after_late_handlers_but_not_of_a_run_that_was_ended(self):
        self.assertEqual(self.run_code("open('a', 'w').write('x')\n1/0").files, {"a": b"x"})
        self.assertEqual(self.run_code("open('a', 'w').write('x')\nimport sys\nsys.exit(3)").files, {"a": b"x"})
        self.assertEqual(self.run_code("import atexit\natexit.register(lambda: open('a', 'w').write('x'))\nf = open('b', 'w')\nf.write('y')").files,
                         {"a": b"x", "b": b"y"})
        for code in ("while True: pass", "import os; os._exit(1)", "import os; os.abort()"):
            self.assertEqual(self.run_code("open('a', 'w').write('x')\n" + code, timeout=0.5).files, {})

    def test_the_codes_own_file_is_no_output_unless_the_code_changes_it(self):
        code = ("import multiprocessing, os\nif __name__ == '__main__':\n"
                "  with multiprocessing.get_context('spawn').Pool(1) as pool: pool.map(abs, [1])\n  there = os.path.exists('main.py')\n  del pool")
        answer = self.run_code(code)
        self.assertEqual((answer.result, answer.files), ({"there": True}, {}))
        self.assertEqual(self.run_code("open('main.py', 'w').write('x = 1')").files, {"main.py": b"x = 1"})

    def test_a_process_that_goes_on_writing_changes_nothing_any_more(self):
        # It swaps the file for a link and back, as fast as it can, until it is stopped.
        answer = self.run_code("import os\nopen('a', 'w').write('a')\nos.symlink('/etc/passwd', 'b')\nif os.fork() == 0:\n  os.setsid()\n"
                               "  while True:\n    os.rename('a', 'c'); os.rename('b', 'a'); os.rename('a', 'b'); os.rename('c', 'a')\n"
                               "import time\ntime.sleep(.05)")
        self.assertEqual(answer.status, "ok")
        self.assertTrue(set(answer.files.values()) <= {b"a"}, answer.files)

    def test_files_that_the_workspace_cannot_hold_are_an_error_and_the_code_does_not_run(self):
        answer = self.run_code("print('ran')\nx = 1", given={"a": b"x", "a/b": b"y"})
        reason = "the request's files do not fit into the workspace: "
        self.assertEqual((answer.status, answer.exit_code, answer.stdout, answer.result), ("error", 1, b"", None))
        self.assertTrue(answer.error.startswith(reason), answer.error)
        self.assertEqual(answer.stderr.decode(), f"sandbox: {answer.error}\n")

    def test_an_unreadable_file_or_folder_is_named(self):
        if os.getuid() == 0:
            self.skipTest("root reads everything")
        answer = self.run_code("import os\nopen('a', 'w').write('x')\nos.chmod('a', 0)\nos.mkdir('d')\nopen('d/a', 'w').close()\nos.chmod('d', 0)\n"
                               "open('z', 'w').write('z')")
        os.chmod(f"{self.workspace}/d", 0o700)
        self.assertEqual((answer.files, self.omitted(answer)), ({"z": b"z"}, {"a": "may not be read", "d/": "may not be read"}))
