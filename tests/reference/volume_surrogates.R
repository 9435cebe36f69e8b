# Spearman's rank correlation of features with a volume, ties and gaps included, and its interval
# after Bonett and Wright (2000), written out in R.
# Rscript tests/reference/volume_surrogates.R   (from the root; needs jsonlite)
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
out <- list(
  made_by = "tests/reference/volume_surrogates.R",
  versions = list(R = R.version.string, jsonlite = as.character(packageVersion("jsonlite"))),
  volume = volume, features = features, found = lapply(features, one)
)
write_json(out, "tests/reference/volume_surrogates.json", digits = NA, auto_unbox = TRUE, na = "null")
