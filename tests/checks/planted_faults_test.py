"""tools/checks/planted_faults.py finds a planted fault in every kind of source, and nothing else."""

import pathlib
import subprocess
import sys
import tempfile
import unittest

CHECK = pathlib.Path(__file__).parents[2] / "tools" / "checks" / "planted_faults.py"
# Put together, so that the check of this tree does not find this file.
MARK = "RED"


class PlantedFaultsTest(unittest.TestCase):

    def check(self, name, text):
        """The status and the output for a tree with this one file."""
        return self.check_all({name: text})

    def check_all(self, files):
        """Likewise, with these files."""
        with tempfile.TemporaryDirectory() as folder:
            for name, text in files.items():
                path = pathlib.Path(folder) / name
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(text, encoding="utf-8")
            done = subprocess.run([sys.executable, CHECK, folder], capture_output=True, text=True, check=False)
            return done.returncode, done.stdout

    def test_names_the_line_of_a_planted_fault(self):
        status, output = self.check("server/sync/session.cc", f"int a;\n  return;  // {MARK}: never waits\n")
        self.assertEqual(status, 1)
        self.assertIn("server/sync/session.cc:2: a planted fault: return;", output)

    def test_looks_into_every_kind_of_source(self):
        for name, text in (("storage/store.h", f"//{MARK}"), ("tools/checks/rooms.py", f"x = 1  # {MARK}"),
                           ("tests/sync/CMakeLists.txt", f"# {MARK}"), ("protos/a.proto", f"int32 a = 1;  // {MARK}")):
            self.assertEqual(self.check(name, text)[0], 1, name)

    def test_words_that_only_begin_so_are_none(self):
        for text in (f"// {MARK}IS is another store", "// Red is a colour", f"kRed, // k{MARK}", f'"{MARK}"'):
            self.assertEqual(self.check("server/a.cc", text), (0, "no planted fault\n"), text)

    def test_a_bug_of_the_planted_build_has_a_place_a_name_and_an_option_that_is_off(self):
        tree = {
            "server/base/planted_bug.h": "enum class PlantedBug {\n  // It.\n  kIt,\n};\n",
            "server/sync/session.cc": "if (base::HasPlantedBug(base::PlantedBug::kIt)) return;\n",
            "tests/simulation/planted_bugs.cc": '{PlantedBug::kIt, "it", "it"},\n',
            "tools/cmake/caresync.cmake": 'option(CARESYNC_PLANTED_BUGS "Bugs" OFF)\n',
        }
        self.assertEqual(self.check_all(tree), (0, "no planted fault\n"))
        for name, wrong in (("server/sync/session.cc", "kIt has no place in the server"),
                            ("tests/simulation/planted_bugs.cc", "kIt has no name"),
                            ("tools/cmake/caresync.cmake", "CARESYNC_PLANTED_BUGS is not off by default")):
            status, output = self.check_all({**tree, name: "option(CARESYNC_PLANTED_BUGS ON)\n"})
            self.assertEqual(status, 1, name)
            self.assertIn(wrong, output)


if __name__ == "__main__":
    unittest.main()
