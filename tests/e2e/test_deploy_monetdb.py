"""deploy/monetdb: what a DBA copies.

SPDX-License-Identifier: MPL-2.0
"""

import re
import shutil
import subprocess

import pytest

from server import BIN, ROOT

FOLDER = ROOT / "deploy/monetdb"
CONFIGURATIONS = sorted(path.name for path in FOLDER.glob("*.json"))
UNITS = sorted(path.name for path in FOLDER.glob("*.conf"))


@pytest.fixture
def installed(tmp_path, pki):
    """A folder with what the configurations name."""
    for source, name in ((pki.sales.chain, "db.pem"), (pki.sales.key, "db.key"),
                         (pki.clients.path, "clients.pem")):
        shutil.copy(source, tmp_path / name)
    return tmp_path


@pytest.mark.parametrize("name", CONFIGURATIONS)
def test_configurations(installed, name):
    """One that does not pass --check, or has no port of either kind."""
    shutil.copy(FOLDER / name, installed)
    done = subprocess.run([BIN, "--config", installed / name, "--check"],
                          capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout == f"{installed / name}: 2 ports, nothing wrong\n"
    text = (FOLDER / name).read_text()
    assert ('"/run/monetdb/' in text) == ("socket" in name)
    assert text.count('"required"') == 1


@pytest.mark.parametrize("name", UNITS)
def test_units(tmp_path, name):
    """A key that systemd does not know, and ignores; or a part of the unit
    that systemd does not read.
    """
    text = (ROOT / "deploy/systemd/mapitest.service").read_text()
    unit = tmp_path / "mapitest.service"
    unit.write_text(text.replace("/usr/local/bin/mapitest", str(BIN)))
    parts = tmp_path / "mapitest.service.d"
    parts.mkdir()

    def verify():
        return subprocess.run(
            ["systemd-analyze", "--no-pager", "verify", str(unit)],
            capture_output=True, text=True)

    shutil.copy(FOLDER / name, parts)
    done = verify()
    assert (done.returncode, done.stderr) == (0, "")
    (parts / name).write_text("[Service]\nNoSuchKey=yes\n")
    assert "NoSuchKey" in verify().stderr


def test_the_page_names_every_file():
    """A file that nobody finds, or one that is not there."""
    page = (FOLDER / "README.md").read_text()
    linked = set(re.findall(r"\]\(([^)/]+)\)", page))
    assert linked == {*CONFIGURATIONS, *UNITS}
