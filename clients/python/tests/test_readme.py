# SPDX-License-Identifier: Apache-2.0
"""The README's test file does what the README says of it."""
import pathlib
import re

pytest_plugins = ["pytester"]

README = pathlib.Path(__file__).parents[3] / "README.md"


def test_the_readmes_test(pytester):
    [text] = re.findall(r"```python\n(# test_rst\.py\n.*?)```", README.read_text(), re.DOTALL)
    pytester.makepyfile(test_rst=text)
    result = pytester.runpytest_subprocess("-p", "tcproctor.pytest_plugin")
    result.assert_outcomes(passed=9)
