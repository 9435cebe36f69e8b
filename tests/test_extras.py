"""Without the extra for images everything else works, and whoever needs it is told the cure."""

import re
import subprocess
import sys

import pytest

from omics.errors import StudyError
from omics.extras import needed


def test_an_absent_package_is_named_with_its_cure(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "SimpleITK", None)
    with pytest.raises(StudyError, match=re.escape('pip install "nomomics[extract]"')):
        needed("SimpleITK")


def test_what_an_installed_package_lacks_is_not_blamed_on_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "csv", None)  # what it imports itself
    monkeypatch.delitem(sys.modules, "omics.reading", raising=False)
    with pytest.raises(ModuleNotFoundError, match="csv"):
        needed("omics.reading")


def test_the_modules_of_images_load_without_it() -> None:
    modules = "case manifest images masks dicom_masks dicom_headers contours image_steps"
    absent = "SimpleITK radiomics pydicom highdicom skimage"
    code = (
        f"import sys; sys.modules.update(dict.fromkeys({absent.split()}))\n"
        f"from importlib import import_module\n"
        f"[import_module('omics.' + name) for name in {modules.split()}]"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)
