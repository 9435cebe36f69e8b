"""Settings files: what is read, what is refused and how, and when two of them are the same."""

import dataclasses
import json
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import settings as examples
from hypothesis import strategies as st

from omics.errors import StudyError
from omics.extraction_presets import PRESETS
from omics.extraction_settings import (
    read_settings,
    settings_difference,
    settings_from_text,
    settings_yaml,
)
from omics.ibsi_codes import CODES, DEPRECATED
from omics.setting_rules import FILTER_RULES, REGION_RULES, TEXTURE_RULES
from tests.forbidden import forbid

pytest.importorskip("yaml", reason="the extra 'extract' is not installed")

PYRADIOMICS_EXAMPLE = """
# as pyradiomics' own exampleMR_NoResampling.yaml
imageType:
  Original: {}
  LoG:
    sigma: [2.0, 3.0, 4.0, 5.0]
  Wavelet: {}
featureClass:
  shape:
  firstorder:
  glcm:
    - 'Autocorrelation'
    - 'JointAverage'
  glrlm:
setting:
  normalize: true
  normalizeScale: 100
  binWidth: 5
  voxelArrayShift: 300
  label: 1
  additionalInfo: true
  resampledPixelSpacing: null
"""


GLCM = """\
  glcm: [Autocorrelation, JointAverage, ClusterProminence, ClusterShade, ClusterTendency, Contrast,
    Correlation, DifferenceAverage, DifferenceEntropy, DifferenceVariance, JointEnergy,
    JointEntropy, Imc1, Imc2, Idm, Idmn, Id, Idn, InverseVariance, MaximumProbability, SumEntropy,
    SumSquares]
"""
CLASSES = f"""
featureClass:
  shape:
  firstorder:
{GLCM}
  glrlm:
  glszm:
  gldm:
"""
FILTERED = "{Original: {}, LoG: {sigma: [%s]}, Wavelet: {}}"
RESAMPLED = """
setting:
  normalize: true
  normalizeScale: 100
  interpolator: 'sitkBSpline'
  resampledPixelSpacing: [%s]
  binWidth: 5
  voxelArrayShift: 300
  label: 1
"""
# the examples/exampleSettings of pyradiomics 3 (BSD-3-Clause), comments and line breaks aside
EXAMPLES = {
    "Params": f"""
setting:
  binWidth: 25
  label: 1
  interpolator: 'sitkBSpline'
  resampledPixelSpacing:
  weightingNorm:
imageType:
  Original: {{}}
featureClass:
  shape:
  firstorder: []
{GLCM}
  glrlm:
  glszm:
  gldm:
""",
    "exampleCT": f"""
imageType: {FILTERED % "1.0, 2.0, 3.0, 4.0, 5.0"}
{CLASSES}
setting:
  interpolator: 'sitkBSpline'
  resampledPixelSpacing: [1, 1, 1]
  padDistance: 10
  binWidth: 25
  voxelArrayShift: 1000
  label: 1
""",
    "exampleMR_3mm": f"imageType: {FILTERED % '2., 3., 4., 5.'}{CLASSES}{RESAMPLED % '2, 2, 2'}",
    "exampleMR_5mm": f"imageType: {FILTERED % '3.0, 5.0'}{CLASSES}{RESAMPLED % '3, 3, 3'}",
    "exampleMR_NoResampling": f"""
imageType: {FILTERED % "1.0, 3.0, 5.0"}
{CLASSES}
setting:
  normalize: true
  normalizeScale: 100
  preCrop: true
  force2D: true
  force2Ddimension: 0
  binWidth: 5
  voxelArrayShift: 300
  label: 1
""",
    "MR_2D_extraction": f"""
imageType: {FILTERED % "2.0, 3.0, 4.0, 5.0"}
{CLASSES.replace("shape:", "shape2D:")}
  ngtdm:
{RESAMPLED % "2, 2, 0"}
  padDistance: 10
  preCrop: true
  force2D: true
  force2Ddimension: 0
""",
    "example_allShape": """
setting:
  label: 1
  interpolator: 'sitkBSpline'
  resampledPixelSpacing:
featureClass:
  shape: [VoxelVolume, MeshVolume, SurfaceArea, SurfaceVolumeRatio, Compactness1, Compactness2,
    Sphericity, SphericalDisproportion, Maximum3DDiameter, Maximum2DDiameterSlice,
    Maximum2DDiameterColumn, Maximum2DDiameterRow, MajorAxisLength, MinorAxisLength,
    LeastAxisLength, Elongation, Flatness]
""",
}
EXAMPLE_VOXEL = """
imageType: {Original: {}}
featureClass: {glcm: [JointEntropy]}
setting: {binWidth: 25, force2D: true, label: 1}
voxelSetting: {kernelRadius: 2, maskedKernel: true, initValue: nan, voxelBatch: 10000}
"""


def read(text: str):
    return settings_from_text(text, name="mine.yaml")


def test_a_parameter_file_of_pyradiomics_is_read_as_it_is() -> None:
    settings = read(PYRADIOMICS_EXAMPLE)
    assert list(settings.image_types) == ["Original", "LoG", "Wavelet"]
    assert settings.image_types["LoG"] == {"sigma": [2.0, 3.0, 4.0, 5.0]}
    assert settings.feature_classes["glcm"] == ["Autocorrelation", "JointAverage"]
    assert settings.feature_classes["shape"] == list(CODES["shape"])[:14]
    assert settings.setting["voxelArrayShift"] == 300
    assert "label" not in settings.setting


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # pykwalify, by which they validate
@pytest.mark.parametrize("name", EXAMPLES)
def test_examples_of_pyradiomics_are_read_as_pyradiomics_reads_them(
    name: str, tmp_path: Path
) -> None:
    pytest.importorskip("radiomics", reason="the extra 'extract' is not installed")
    from radiomics.featureextractor import RadiomicsFeatureExtractor

    (tmp_path / "theirs.yaml").write_text(EXAMPLES[name])
    theirs, ours = RadiomicsFeatureExtractor(str(tmp_path / "theirs.yaml")), read(EXAMPLES[name])
    assert set(ours.image_types) == set(theirs.enabledImagetypes)
    assert set(ours.feature_classes) == set(theirs.enabledFeatures)
    for family, features in theirs.enabledFeatures.items():
        assert not features or set(ours.feature_classes[family]) == set(features)
    elsewhere = {"label", "additionalInfo", "interpolator", "padDistance", "normalizeScale"}
    stated = {key: value for key, value in theirs.settings.items() if value is not None}
    for key in set(stated) - elsewhere:
        assert ours.setting[key] == stated[key]
    resampled = stated.get("resampledPixelSpacing") is not None
    assert ("interpolator" in ours.setting) == resampled
    assert ("padDistance" in ours.setting) == (resampled or stated["preCrop"])


def test_a_key_may_say_the_same_twice() -> None:
    # as shape does in an earlier Params.yaml
    twice = EXAMPLES["Params"].replace("  shape:", "  shape:\n  shape:")
    assert read(twice).digest == read(EXAMPLES["Params"]).digest


def test_what_is_switched_off_leaves_its_companions_behind() -> None:
    idle = "setting: {interpolator: sitkLinear, resampledPixelSpacing: , normalize: false,"
    assert read(f"{idle} normalizeScale: 100}}").digest == read("setting: {}").digest
    with pytest.raises(StudyError, match="interpolator does nothing without resampledPixelSp"):
        read("setting: {interpolator: sitkLinear}")


def test_examples_that_ask_for_something_else_are_refused_in_words() -> None:
    with pytest.raises(StudyError, match="voxelSetting: it belongs to feature maps"):
        read(EXAMPLE_VOXEL)
    older = EXAMPLES["exampleCT"].replace("imageType", "inputImage")
    with pytest.raises(StudyError, match=r"must call its image types imageType.*Rename it"):
        read(older)
    misspelt = EXAMPLES["MR_2D_extraction"].replace("force2Dd", "force2DD")
    with pytest.raises(StudyError, match=r"'force2DDimension'. Did you mean 'force2Ddimension'"):
        read(misspelt)
    flat = EXAMPLES["MR_2D_extraction"].replace("force2D: true", "force2D: false")
    with pytest.raises(StudyError, match="shape2D needs force2D"):
        read(flat)
    with pytest.raises(StudyError, match=r"'MajorAxis' is not known. Did you mean 'MajorAxisLeng"):
        read(EXAMPLES["example_allShape"].replace("MajorAxisLength", "MajorAxis"))


def test_a_mask_is_resampled_in_one_word_or_both() -> None:
    both = "{preprocess: {resample_mask: %s}, setting: {correctMask: %s}}"
    assert read(both % ("true", "true")).steps.resample_mask
    assert not read(both % ("false", "false")).steps.resample_mask
    for pair in (("false", "true"), ("true", "false")):
        told = f"correctMask: {pair[1]} under setting and resample_mask: {pair[0]} under preproc"
        with pytest.raises(StudyError, match=rf"in one way .*{told}.*Delete one"):
            read(both % pair)


def test_defaults_are_those_of_pyradiomics() -> None:
    settings = read("setting: {}")
    assert settings.image_types == {"Original": {}}
    assert set(settings.feature_classes) == set(CODES) - {"shape2D"}
    assert sum(map(len, settings.feature_classes.values())) == 107
    assert settings.setting == {
        "minimumROIDimensions": 2,
        "normalize": False,
        "preCrop": False,
        "voxelArrayShift": 0,
        "distances": [1],
        "force2D": False,
        "force2Ddimension": 0,
        "symmetricalGLCM": True,
        "gldm_a": 0,
        "binWidth": 25.0,
    }


def test_defaults_equal_those_of_the_installed_pyradiomics() -> None:
    pytest.importorskip("radiomics", reason="the extra 'extract' is not installed")
    from radiomics.featureextractor import RadiomicsFeatureExtractor

    theirs = RadiomicsFeatureExtractor._getDefaultSettings()
    ours = read("setting: {resampledPixelSpacing: [1, 1, 1], normalize: true}").setting
    known = {key: value for key, value in theirs.items() if value is not None}
    same = set(known) - {"label", "additionalInfo", "normalize"}
    assert {key: ours[key] for key in same} == {key: known[key] for key in same}


def test_rules_know_every_key_of_the_installed_pyradiomics() -> None:
    radiomics = pytest.importorskip("radiomics", reason="the extra 'extract' is not installed")
    import yaml

    schema = yaml.safe_load(Path(radiomics.getParameterValidationFiles()[0]).read_text())
    theirs = set(schema["mapping"]["setting"]["mapping"])
    filters = {key for rules in FILTER_RULES.values() for key in rules}
    ours = {*REGION_RULES, *TEXTURE_RULES, *filters}
    elsewhere = {"geometryTolerance", "correctMask", "additionalInfo", "label", "label_channel"}
    of_lbp3d = {key for key in theirs if key.startswith("lbp3D")}
    assert theirs == ours | elsewhere | of_lbp3d
    assert set(FILTER_RULES) == set(radiomics.getImageTypes()) - {"LBP3D"}


def test_what_is_said_twice_or_by_default_has_one_digest() -> None:
    one = read("imageType: {Wavelet: {}, LoG: {sigma: [1]}}")
    same = """
    imageType: {LoG: {}, Wavelet: {wavelet: coif1, level: 1}}
    featureClass: {ngtdm: [], gldm: , glcm: , glrlm: , glszm: , shape: , firstorder: }
    setting: {sigma: [1.0], binWidth: 25.0, additionalInfo: false, minimumROISize: null}
    preprocess: {n4: false, z_score: none}
    """
    assert read(same).digest == one.digest
    assert len(one.digest) == 12
    assert dataclasses.replace(one, name="another").digest == one.digest


@pytest.mark.parametrize(
    "changed",
    [
        "setting: {binWidth: 5}",
        "setting: {force2D: true}",
        "imageType: {Square: {}}",
        "imageType: {Original: {binWidth: 24}}",
        "featureClass: {glcm: []}",
        "preprocess: {n4: true}",
        "preprocess: {rings: [[0, 5]]}",
    ],
)
def test_whatever_changes_the_table_changes_the_digest(changed: str) -> None:
    assert read(changed).digest != read("setting: {}").digest


def test_differences_are_named() -> None:
    one = read("imageType: {Original: {}, LoG: {sigma: [1, 2.5]}}").text
    other = read(
        "{imageType: {Original: {}}, featureClass: {glcm: [MCC]},"
        "setting: {binWidth: 5, force2D: true}, preprocess: {n4: true, rings: [[0, 5]]}}"
    ).text
    found = settings_difference(one, other)
    assert "binWidth: 25 here, 5 there" in found
    assert "force2D: false here, true there" in found
    assert "LoG: computed here, none there" in found
    assert "LoG.sigma: [1, 2.5] here, none there" in found
    assert "glcm Idm: computed here, none there" in found
    assert any(phrase.startswith("n4: false here, (convergence 0.001, ") for phrase in found)
    assert "rings: [] here, [[0, 5]] there" in found
    assert not any("MCC" in phrase for phrase in found)
    assert settings_difference(one, one) == []


@pytest.mark.parametrize("preset", PRESETS)
def test_presets_can_be_saved_edited_and_read(preset: str, tmp_path: Path) -> None:
    settings = read_settings(preset)
    assert settings.name == preset
    path = tmp_path / "saved.yaml"
    path.write_text(settings_yaml(settings))
    assert read_settings(path).digest == settings.digest
    path.write_text(PRESETS[preset])
    assert read_settings(path).digest == settings.digest
    path.write_text(path.read_text().replace("binWidth: 5", "binWidth: 10"))
    assert repr(read_settings(path)).startswith("ExtractionSettings(saved.yaml, Original, LoG, ")
    # the rim holds the widest Laplacian
    widest = max(settings.image_types["LoG"]["sigma"])
    voxel = settings.setting["resampledPixelSpacing"][0]
    assert settings.setting["padDistance"] * voxel == 4 * widest


def test_the_steps_before_are_read() -> None:
    steps = read(
        "preprocess: {n4: true, z_score: brain, resample_mask: true, rings: [[0, 5], [5, 10]]}"
    ).steps
    assert (steps.n4, steps.z_score, steps.resample_mask) == (True, "brain", True)
    assert steps.rings == ((0.0, 5.0), (5.0, 10.0))
    assert read("setting: {correctMask: true}").steps.resample_mask


def test_a_blank_step_stands_for_its_default() -> None:
    blank = read("preprocess: {n4: , z_score: , resample_mask: , rings: }")
    assert blank.digest == read("setting: {}").digest


def test_named_features_and_deprecated_ones() -> None:
    named = read("featureClass: {shape: [Sphericity, Compactness1], glcm: [Idm, Idm]}")
    assert named.feature_classes == {"shape": ["Sphericity", "Compactness1"], "glcm": ["Idm"]}
    everything = read("setting: {force2D: true}\nfeatureClass: {shape: , shape2D: , firstorder: }")
    for name, old in DEPRECATED.items():
        assert not set(old) & set(everything.feature_classes[name])


WRONG = [
    ("setting: {binWidht: 25}", "setting must hold known keys, but has 'binWidht'. Did you mean"),
    ("settings: {}", "known sections, but has 'settings'. Did you mean 'setting'"),
    ("imageType: {Wavlet: {}}", "imageType Wavlet is not known. Did you mean 'Wavelet'"),
    ("imageType: {LoG: {sigma: [1], binwidth: 5}}", "imageType LoG must hold .* 'binwidth'"),
    ("featureClass: {glmc: []}", "known classes, but has 'glmc'. Did you mean .*'glcm'"),
    ("featureClass: {glcm: [JointEntrophy]}", "'JointEntrophy' is not known. Did you mean 'Joint"),
    ("preprocess: {zscore: brain}", "preprocess must .* 'zscore'. Did you mean 'z_score'"),
    ("setting: {binWidth: wide}", "binWidth must be a number above 0, but is 'wide'"),
    ("setting: {binWidth: 0}", "binWidth must be a number above 0, but is 0"),
    ("setting: {binWidth: true}", "binWidth must be a number above 0, but is True"),
    ("setting: {binWidth: .inf}", "binWidth must be a number above 0, but is inf"),
    ("setting: {binCount: 2.5}", "binCount must be a whole number of 1 or more, but is 2.5"),
    ("setting: {minimumROIDimensions: 4}", "a whole number from 1 to 3, but is 4"),
    ("setting: {normalize: 'yes'}", "normalize must be true or false, but is 'yes'"),
    ("setting: {resampledPixelSpacing: [1, 1]}", "a list of 3, each a number of mm.*is \\[1, 1\\]"),
    ("setting: {resampledPixelSpacing: 1}", "must be a list of 3, each"),
    ("setting: {resegmentRange: [1, 2, 3]}", "must be a list of 1 or 2, each a finite number"),
    ("setting: {distances: []}", "distances must be a list of 1 or more"),
    ("setting: {weightingNorm: euclid}", "one of euclidean, manhattan"),
    ("imageType: {Wavelet: {wavelet: coif99}}", "a discrete wavelet of PyWavelets.*'coif99'"),
    ("setting: {binWidth: 5, binCount: 32}", "binWidth or binCount, but states both"),
    (
        "{imageType: {LoG: {sigma: [1], binWidth: 5}}, setting: {binCount: 32}}",
        "imageType LoG must state binWidth or binCount, but both hold there",
    ),
    ("imageType: {LBP3D: {}}", "LBP3D cannot be computed.*Delete it"),
    ("imageType: {LoG: {}}", "LoG must state sigma"),
    ("imageType: {LoG: {sigma: [1, 1.0]}}", "each sigma once, but has \\[1.0, 1.0\\]"),
    ("imageType: {Original: 3}", "must hold keys and values, or {}, but is 3"),
    ("setting: {sigma: [1.0]}", "sigma belongs to the image type LoG, which is not asked for"),
    ("setting: {padDistance: 3}", "padDistance does nothing without resampledPixelSpacing or pre"),
    ("setting: {normalizeScale: 100}", "normalizeScale does nothing without normalize"),
    ("setting: {label: 2}", "manifest's column 'label'"),
    ("setting: {geometryTolerance: 0.001}", "resample_mask: true under preprocess"),
    ("setting: {correctMask: 2}", "correctMask must be true or false, but is 2"),
    ("voxelSetting: {kernelRadius: 1}", "must not hold voxelSetting"),
    ("featureClass: {shape2D: []}", "shape2D needs force2D"),
    ("featureClass: {glcm: [Dissimilarity]}", "no longer computed.*equals DifferenceAverage"),
    ("featureClass: {glcm: Idm}", "must be a list of features"),
    ("{preprocess: {z_score: brain}, setting: {normalize: true}}", "must normalise once"),
    ("preprocess: {z_score: head}", "z_score must be one of none, brain, image, but is 'head'"),
    ("preprocess: {n4: 1}", "n4 must be true or false, but is 1"),
    ("preprocess: {rings: [5]}", "rings must be pairs of mm"),
    ("preprocess: {rings: [[5, 5]]}", "rings must go outwards"),
    ("preprocess: {rings: [[0, .inf]]}", "to a finite distance"),
    ("featureClass: {firstorder: [[Mean]]}", r"names of features, but has \['Mean'\]"),
    ("featureClass: {firstorder: [{Mean: 1}]}", "names of features, but has"),
    ("setting: [1]", "setting must hold keys and values, but is \\[1\\]"),
    ("just words", "must hold some of imageType, featureClass, setting, preprocess"),
    ("setting: {a", r"must be YAML, but is not: expected ',' or '}', .* \(line 1, column 12\)\.$"),
    ("setting:\n\tbinWidth: 5", r"'\\t' .* \(line 2, column 1\)\. YAML indents by blanks\.$"),
    ("? [a]\n: b", r"must be YAML, but is not: found unhashable key \(line 1, column 3\)\.$"),
    ("a: \x00", "must be YAML, but is not: unacceptable character"),
    ("setting: {binWidth: 5}\nsetting: {binCount: 5}", "each key once, but has 'setting' .*line 2"),
    ("imageType: {LoG: {sigma: [1], sigma: [2]}}", "but has 'sigma' again in line 1"),
]


@pytest.mark.parametrize(("text", "message"), WRONG)
def test_mistakes_are_named_with_the_cure(text: str, message: str) -> None:
    with pytest.raises(StudyError, match=rf"(?s)mine\.yaml.*{message}"):
        read(text)


def test_a_file_that_is_not_there_or_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(
        StudyError, match=r"a preset \(mri, ct\) or a YAML file.*Did you mean 'mri'"
    ):
        read_settings("mri2")
    path = tmp_path / "wrong.yaml"
    path.write_bytes(b"\xff\xfe\x00\x01")
    with pytest.raises(StudyError, match=r"wrong\.yaml' is no UTF-8 text\. Save it again"):
        read_settings(path)
    with pytest.raises(StudyError, match=r"a YAML file, but .* is a folder\. Name a file in it"):
        read_settings(tmp_path)
    with pytest.raises(StudyError, match="there is no file"):
        read_settings(path / "inside.yaml")


def test_a_file_that_may_not_be_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text("setting: {binWidth: 5}")
    forbid(monkeypatch, path)
    with pytest.raises(StudyError, match=r"mine\.yaml may not be read: the right to read it"):
        read_settings(path)


def test_nothing_in_a_file_is_run() -> None:
    with pytest.raises(StudyError, match="must be YAML"):
        read("setting: !!python/object/apply:os.system ['true']")


def test_what_is_missing_is_said_before_anything_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(
        StudyError, match=r'without scikit-image.*pip install "nomomics\[extract\]"'
    ):
        read("imageType: {LBP2D: {}}")
    monkeypatch.undo()
    monkeypatch.setitem(sys.modules, "yaml", None)
    with pytest.raises(StudyError, match=r'the package yaml.*pip install "nomomics\[extract\]"'):
        read("setting: {}")


@examples(max_examples=25, deadline=None)
@given(
    width=st.floats(0.1, 100),
    sigmas=st.lists(st.integers(1, 9), min_size=1, max_size=3, unique=True),
    shift=st.integers(-500, 500),
    n4=st.booleans(),
    rings=st.lists(st.tuples(st.integers(0, 4), st.integers(5, 9)), max_size=2),
)
def test_every_setting_survives_being_written(
    width: float, sigmas: list[int], shift: int, n4: bool, rings: list[tuple[int, int]]
) -> None:
    text = json.dumps(
        {
            "imageType": {"LoG": {"sigma": sigmas}},
            "setting": {"binWidth": width, "voxelArrayShift": shift},
            "preprocess": {"n4": n4, "rings": rings},
        }
    )
    settings = read(text)
    assert read(settings_yaml(settings)).text == settings.text
    # the order of keys means nothing
    backwards = json.dumps(dict(reversed(json.loads(text).items())))
    assert read(backwards).digest == settings.digest
