# Spearman's rank correlation of features with a volume, ties and gaps included, and its interval
# after Bonett and Wright (2000), written out in R.
# Rscript tests/reference/volume_surrogates.R   (from the root; needs jsonlite and ../shared/data, of
# which summary figures alone are written)
suppressMessages(library(jsonlite))
options(digits = 17)

set.seed(20266)
n <- 47
volume <- round(exp(rnorm(n, 3, 0.8)), 1)                # some volumes come twice
features <- list(
  original_firstorder_Energy = round(volume^1.4 * exp(rnorm(n, 0, 0.1)), 2),
  original_glcm_Contrast = round(rnorm(n), 3),
  original_glrlm_RunEntropy = round(-log(volume) + rnorm(n, 0, 0.7), 1),   # many ties
  original_ngtdm_Busyness = round(0.4 * log(volume) + rnorm(n, 0, 0.5), 3)
)
volume[c(3, 20)] <- NA
features$original_glcm_Contrast[5:12] <- NA
features$original_ngtdm_Busyness[c(3, 40)] <- NA

one <- function(x) {
  both <- complete.cases(x, volume)
  r <- cor(x[both], volume[both], method = "spearman")
  m <- sum(both)
  limits <- function(level) tanh(atanh(r) + c(-1, 1) * qnorm((1 + level) / 2) * sqrt((1 + r^2 / 2) / (m - 3)))
  list(correlation = r, n = m, at_95 = limits(0.95), at_80 = limits(0.8))
}
# UCSF-PDGM: how many features of real tumours go with volume
d <- read.csv(file.path("..", "shared", "data", "ucsf_pdgm", "radiomic_features_T1gad_bias.csv"),
              check.names = FALSE)
measured <- grep("^original_", names(d), value = TRUE)
measured <- setdiff(measured, c("original_shape_MeshVolume", "original_shape_VoxelVolume"))
rho <- cor(d[measured], d[["original_shape_MeshVolume"]], method = "spearman",
           use = "pairwise.complete.obs")[, 1]
class <- sub("^original_([^_]+)_.*$", "\\1", measured)
ucsf <- list(n = nrow(d), n_features = length(measured), n_surrogates = sum(abs(rho) >= 0.7),
             by_class = as.list(tapply(abs(rho) >= 0.7, class, sum)),
             median = as.list(tapply(abs(rho), class, median)))

out <- list(
  made_by = "tests/reference/volume_surrogates.R",
  versions = list(R = R.version.string, jsonlite = as.character(packageVersion("jsonlite"))),
  volume = volume, features = features, found = lapply(features, one), ucsf = ucsf
)
write_json(out, "tests/reference/volume_surrogates.json", digits = NA, auto_unbox = TRUE, na = "null")
