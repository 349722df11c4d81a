import subprocess
import sys
import unittest
from os.path import exists

SCRIPT = """
import sys
sys.path.insert(0, "/opt/runner")
import boot
path = boot.install(boot.LIBRARIES_BUNDLE)
boot.install(boot.RUNNER_BUNDLE)
sys.path[1:] = path
import supervisor, child, json.decoder, pandas
print(*(type(module.__loader__).__name__ for module in (supervisor, child, json.decoder, pandas)))
"""


@unittest.skipUnless(exists("/opt/runner.bundle"), "outside the image")
class BundleTest(unittest.TestCase):
    def test_the_runner_and_the_libraries_of_the_finished_image_are_imported_from_their_bundles(self):
        # From their sources they would be compiled anew in every container.
        done = subprocess.run([sys.executable, "-I", "-B", "-S", "-c", SCRIPT], capture_output=True, text=True)
        self.assertEqual(done.stdout.split(), ["BundledLoader"] * 4, done.stderr)
