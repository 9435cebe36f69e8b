"""Settings to begin with, as files that can be saved and edited: `mri` and `ct`.

Why each value:

`mri` (tumours of the brain, any sequence)
    MR intensities have no unit. `normalize` centres each image and brings its standard deviation
    to 100, with values beyond 3 standard deviations set to 3, so that one `binWidth` serves all
    patients: 5, which gives the 30 to 130 bins that pyradiomics advises. `voxelArrayShift` 300
    makes every value positive before squares are summed (Energy). With brain masks in the
    manifest, `z_score: brain` and a `binWidth` of 0.05 are better, since air and skull then do not
    enter the mean; with uncorrected bias fields, `n4: true`. Voxels are resampled to 1 x 1 x 1 mm
    by B-splines (pyradiomics' own choice): textures and wavelets mean the same in every direction
    and patient only on one isotropic grid.
`ct`
    Hounsfield units are calibrated: no normalisation, `binWidth` 25 HU, 2 x 2 x 2 mm by linear
    interpolation, which does not overshoot at edges (the IBSI's configuration C).
    `voxelArrayShift` 1000 makes air zero.

Both have the original image, Laplacians of Gaussians of fine, medium and coarse width, and one
level of the coiflet-1 wavelet (eight images). `padDistance` is the rim in voxels that pyradiomics
keeps around the resampled region before it filters; its default of 5 cuts off the filters that
reach further. On pyradiomics' own brain2 with 1 mm voxels, half of the features of LoG with sigma
5 mm are then off by more than 13 %, with the presets' rim of four times the largest sigma by less
than 0.1 %.

References
----------
van Griethuysen JJM, et al. Computational radiomics system to decode the radiographic phenotype.
Cancer Research 2017;77:e104-e107. doi:10.1158/0008-5472.CAN-17-0339
Zwanenburg A, Vallieres M, et al. The Image Biomarker Standardization Initiative. Radiology
2020;295:328-338. doi:10.1148/radiol.2020191145
"""

from types import MappingProxyType

_MRI = """\
# MRI of the brain: z-scores, 1 mm voxels
preprocess:
  n4: false             # true: N4 bias field correction first
  z_score: none         # brain: inside the brain mask, with normalize: false, binWidth: 0.05
  resample_mask: false  # true: lay masks of another geometry on the image's grid
  rings: []             # [[0, 5]]: a ring of 0-5 mm around each region
imageType:
  Original: {}
  LoG: {sigma: [1.0, 3.0, 5.0]}  # mm
  Wavelet: {wavelet: coif1, level: 1, start_level: 0}
featureClass: {shape: [], firstorder: [], glcm: [], glrlm: [], glszm: [], gldm: [], ngtdm: []}
setting:
  normalize: true
  normalizeScale: 100
  removeOutliers: 3
  resampledPixelSpacing: [1, 1, 1]  # mm
  interpolator: sitkBSpline
  padDistance: 20  # voxels: four times the largest sigma
  binWidth: 5
  voxelArrayShift: 300
"""

_CT = """\
# CT: Hounsfield units, 2 mm voxels
preprocess:
  n4: false
  z_score: none
  resample_mask: false  # true: lay masks of another geometry on the image's grid
  rings: []             # [[0, 5]]: a ring of 0-5 mm around each region
imageType:
  Original: {}
  LoG: {sigma: [2.0, 4.0, 6.0]}  # mm
  Wavelet: {wavelet: coif1, level: 1, start_level: 0}
featureClass: {shape: [], firstorder: [], glcm: [], glrlm: [], glszm: [], gldm: [], ngtdm: []}
setting:
  resampledPixelSpacing: [2, 2, 2]  # mm
  interpolator: sitkLinear
  padDistance: 12  # voxels: four times the largest sigma
  binWidth: 25     # HU
  voxelArrayShift: 1000
"""

PRESETS = MappingProxyType({"mri": _MRI, "ct": _CT})
