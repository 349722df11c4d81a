import sys
import unittest

from support import RunnerTest  # puts the runner on the path

import unseen


def caller():
    return sys._getframe(1).f_code.co_name


@unittest.skipUnless(unseen.KNOWN, "another Python than the image's")
class Unseen(unittest.TestCase):
    def test_the_instructions_are_this_pythons(self):
        import opcode

        self.assertEqual((opcode.opmap["RESUME"], opcode.opmap["NOP"]), (unseen.RESUME, unseen.NOP))

    def test_a_function_works_as_before_but_has_no_frame(self):
        def function(x, y=2):
            try:
                return caller(), x + y + z
            except NameError:
                raise ValueError from None

        z = 4
        hidden = unseen.unseen(function)
        self.assertEqual(function(1), ("function", 7))
        self.assertEqual(hidden(1), ("test_a_function_works_as_before_but_has_no_frame", 7))
        del z
        try:
            hidden(1)
        except ValueError as error:
            self.assertIsNone(error.__traceback__.tb_next)
        else:
            self.fail("no error")


class Frames(RunnerTest):
    @unittest.skipUnless(unseen.KNOWN, "another Python than the image's")
    def test_code_sees_no_frame_of_the_runners(self):
        found = self.result_of("import inspect\nnames = [frame.function for frame in inspect.stack()]")["names"]
        self.assertEqual(found[0], "<module>")
        # What is left is the way in of the work tree, which the image does not have.
        self.assertFalse({"_execute", "run", "run_child", "main"} & set(found), found)
