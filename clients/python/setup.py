# SPDX-License-Identifier: Apache-2.0
"""Builds the package; what is made from the protos is made here and never committed."""
import atexit
import re
import shutil
import sys
import tempfile
from pathlib import Path

from setuptools import setup
from setuptools.command.build_py import build_py

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
sys.path.insert(0, str(HERE))
sys.dont_write_bytecode = True

# What setuptools makes on the way to a wheel: not in the tree, where what an earlier build left would get into the
# next wheel.
SCRATCH = tempfile.mkdtemp(prefix="tcproctor-wheel-")
atexit.register(shutil.rmtree, SCRATCH, ignore_errors=True)


class BuildPy(build_py):
    """build_py, and the generated modules beside the written ones."""

    def run(self):
        import generate  # not needed to read the metadata

        super().run()
        generate.generate(ROOT / "proto", HERE / "src", Path(self.build_lib))


def version():
    text = (ROOT / "CMakeLists.txt").read_text()
    return re.search(r"project\(tcproctor VERSION (\S+)", text).group(1)


setup(
    version=version(),
    package_dir={"": "src"},
    packages=["tcproctor", "tcproctor.aio", "tcproctor.sync"],
    package_data={"tcproctor": ["py.typed"]},
    cmdclass={"build_py": BuildPy},
    options={"build": {"build_base": SCRATCH}, "egg_info": {"egg_base": SCRATCH}},
)
