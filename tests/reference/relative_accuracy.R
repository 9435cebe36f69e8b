# IPA with its standard error, by the delta method from riskRegression's covariances of Brier scores
# (keep = "vcov"); frozen in relative_accuracy.json. The simulated patients of discrimination.json.
# Run beside it: Rscript relative_accuracy.R
suppressPackageStartupMessages({ library(survival); library(riskRegression); library(prodlim); library(jsonlite) })
d <- fromJSON("discrimination.json")
time <- d$data$time; status <- d$data$status; event <- 1 * (status == 1); horizons <- d$data$horizons

delta <- function(score, covariance) {                 # score: null models first, then the model's
  m <- nrow(score) / 2
  t(sapply(1:m, function(j) {
    ratio <- score$Brier[m + j] / score$Brier[j]
    slope <- c(ratio, -1) / score$Brier[j]             # of 1 - BS / BS0 in BS0 and BS
    v <- covariance[c(j, m + j), c(j, m + j)]
    c(ipa = score$IPA[m + j], se = sqrt(drop(t(slope) %*% v %*% slope)))
  }))
}
scored <- function(risk, formula, ...) {
  s <- Score(list(a = risk), formula = formula, data = data.frame(time, event, status, y = d$binary$y),
             metrics = c("auc", "brier"), se.fit = TRUE, conservative = FALSE, cens.model = "km",
             null.model = TRUE, keep = "vcov", summary = "ipa", ...)
  delta(as.data.frame(s$Brier$score), s$Brier$vcov)
}
writeLines(toJSON(list(
  versions = lapply(c(R = "base", survival = "survival", riskRegression = "riskRegression"),
                    function(x) as.character(packageVersion(x))),
  survival = as.data.frame(scored(t(d$data$risk_a), Surv(time, event) ~ 1, times = horizons)),
  competing = as.data.frame(scored(t(d$data$risk_a), Hist(time, status) ~ 1, times = horizons, cause = 1)),
  binary = as.data.frame(scored(d$binary$p, y ~ 1))
), digits = NA, auto_unbox = TRUE), "relative_accuracy.json")
