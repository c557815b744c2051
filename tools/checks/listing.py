"""The tests of the project by name, as its documents name them: `Suite.Test` of GoogleTest, the heading of a section of a dialogue, a
function of a Python test, a test that only CMake knows."""
import re

# The head of a test in a source file: GoogleTest, a dialogue's section, a function of a Python test.
HEAD = r"(?:TEST(?:_F|_P)?\(\s*(\w+),\s*(\w+)\)|## (.+)|def (\w+))"
CTEST = re.compile(r"add_test\(NAME (\S+)")


def name_of(suite, name, title, function):
    """Of the groups of HEAD."""
    return f"{suite}.{name}" if suite else (title.strip() or function)


def test_files(root):
    for pattern in ("tests/**/*.cc", "tests/**/*.dialogue", "tests/**/*.py"):
        yield from sorted(root.glob(pattern))


def google_tests(root):
    """{Suite.Test}"""
    return {name_of(*head) for file in root.glob("tests/**/*.cc") for head in re.findall(HEAD, file.read_text()) if head[0]}


def dialogue_sections(root):
    """{file.dialogue: heading}"""
    return {f"{file.name}: {title.strip()}" for file in root.glob("tests/spec/*.dialogue")
            for title in re.findall(r"^## (.+)$", file.read_text(), re.M)}


def ctest_names(root):
    """{name}; where CMake puts a name together, each word of its file is tried in the variable's place."""
    names = set()
    for file in root.glob("tests/**/CMakeLists.txt"):
        text = file.read_text()
        for name in CTEST.findall(text):
            variable = re.search(r"\$\{\w+\}", name)
            names |= {name.replace(variable[0], word) for word in re.findall(r"\w+", text)} if variable else {name}
    return names


def every_test(root):
    return google_tests(root) | dialogue_sections(root) | ctest_names(root)
