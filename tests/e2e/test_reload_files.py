"""Reload: certificate files that change by themselves

SPDX-License-Identifier: MPL-2.0
"""

import contextlib
import shutil

import pytest

from reloads import echoes, make_certificate
from server import wait_for


def put(site, source, way, name):
    """Replace first.pem or first.key by another file's content."""
    path, content = site.folder / name, (site.folder / source).read_bytes()
    if way == "in place":
        path.write_bytes(content)
    elif way == "rename":
        new = site.folder / "temporary"
        new.write_bytes(content)
        new.chmod(0o600)
        new.rename(path)


@pytest.fixture
def watching(idle_site, preload):
    """watching(condition): wait, with looks at the files more often."""
    def wait(condition):
        def look():
            preload.wind(1)
            return condition()
        wait_for(look, what="a look at the files")

    idle_site.environment = preload.clock_env
    return wait


@pytest.mark.parametrize("way", ["in place", "rename"])
def test_files_change(idle_site, watching, way):
    """A certificate that the operator has replaced, and nobody notices."""
    site = idle_site.start()
    new = make_certificate(site.folder, "new")
    with site.open("one") as stream:
        before = site.reloads()
        put(site, "new.key", way, "first.key")
        put(site, "new.pem", way, "first.pem")
        # If the look comes in between, there is one refusal, and no more.
        watching(lambda: site.outcome()["done"] == 1)
        assert site.presented("one") == new
        assert site.reloads() <= before + 2
        assert echoes(stream)
    site.server.wait_line("certificate files have changed")


def link(path, target):
    """Point path at target, by rename, as certbot and Kubernetes do."""
    new = path.with_name("temporary")
    new.symlink_to(target)
    new.rename(path)


@pytest.mark.parametrize("style", ["certbot", "kubernetes"])
def test_links_change(idle_site, watching, style):
    """Files that are the same by name, behind a link that is not."""
    site = idle_site
    new = make_certificate(site.folder, "new")
    folders = [site.folder / name for name in ("v1", "v2")]
    for folder, source in zip(folders, ("first", "new")):
        folder.mkdir()
        for kind in ("pem", "key"):
            shutil.move(site.folder / f"{source}.{kind}",
                        folder / f"first.{kind}")
    data = site.folder / "..data"
    if style == "kubernetes":
        data.symlink_to("v1")
    for kind in ("pem", "key"):
        (site.folder / f"first.{kind}").symlink_to(
            f"..data/first.{kind}" if style == "kubernetes"
            else f"v1/first.{kind}")
    site.start()
    assert site.presented() == site.first
    if style == "kubernetes":
        link(data, "v2")
    else:
        for kind in ("pem", "key"):
            link(site.folder / f"first.{kind}", f"v2/first.{kind}")
    watching(lambda: site.outcome()["done"] == 1)
    assert site.presented() == new


def test_chain_first_key_later(idle_site, watching):
    """A pair that is refused again and again, or for good, because its halves
    came one after the other."""
    site = idle_site.start()
    new = make_certificate(site.folder, "new")
    with undisturbed_but(site):
        put(site, "new.pem", "rename", "first.pem")
        watching(lambda: site.outcome()["failed"] == 1)
        assert site.presented() == site.first
        put(site, "new.key", "rename", "first.key")
        watching(lambda: site.outcome()["done"] == 1)
    assert site.presented() == new
    assert site.outcome()["failed"] == 1
    site.told("not reloaded", 1)


@contextlib.contextmanager
def undisturbed_but(site):
    with site.open("one") as stream:
        yield
        assert echoes(stream)


def test_files_change_beside_a_half_edited_configuration(idle_site, watching):
    """An operator's unfinished edit put in force, or in the way, because a
    certificate was renewed."""
    site = idle_site.start()
    site.ports["unfinished"] = site.port()
    site.save()
    new = make_certificate(site.folder, "new")
    put(site, "new.key", "rename", "first.key")
    put(site, "new.pem", "rename", "first.pem")
    watching(lambda: site.outcome()["done"] == 1)
    assert site.presented() == new
    assert "unfinished" not in site.status()["ports"]
    site.save(site.text()[:-10])
    newer = make_certificate(site.folder, "newer")
    put(site, "newer.key", "rename", "first.key")
    put(site, "newer.pem", "rename", "first.pem")
    watching(lambda: site.outcome()["done"] == 2)
    assert site.presented() == newer
    del site.ports["unfinished"]
    site.save()
    site.succeed()


def test_files_change_before_a_reload_that_fails(idle_site, watching):
    """A renewed certificate that is never shown, because the hangup that came
    with it found a broken configuration."""
    site = idle_site.start()
    new = make_certificate(site.folder, "new")
    good = site.text()
    with undisturbed_but(site):
        put(site, "new.key", "rename", "first.key")
        put(site, "new.pem", "rename", "first.pem")
        site.save(good[:-10])
        site.hangup()
        wait_for(lambda: site.outcome()["failed"] == 1, what="a refusal")
        watching(lambda: site.presented() == new)
    assert site.outcome()["failed"] == 1
