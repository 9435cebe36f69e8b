# Sensitivity, specificity, PPV and NPV at thresholds; frozen in classification.json.
# The simulated patients of discrimination.json. Run beside it: Rscript classification.R
# timeROC::SeSpPPVNPV is not in Debian: its published formulas (Blanche et al. 2015, supplement) are
# written out here, patient by patient, with events at the horizon as cases and scores at the
# threshold as positive. riskRegression gives a second witness: the AUC of the marker "above the
# threshold" is (sensitivity + specificity) / 2, and its Brier score the weighted share misclassified.
suppressPackageStartupMessages({
  library(survival); library(riskRegression); library(prodlim); library(pROC); library(Hmisc); library(jsonlite)
})
d <- fromJSON("discrimination.json")
time <- d$data$time; status <- d$data$status; horizons <- d$data$horizons; risk <- t(d$data$risk_a)
n <- length(time); thresholds <- c(0.2, 0.5)

figures <- function(status, horizon, marker, threshold) {
  # Influence of patient i on minus log G before, or at, a time s: n * sum of dM_i(u) / Y(u)
  lost <- sort(unique(time[status == 0]))
  jump <- sapply(lost, function(u) {                   # patients in rows, times in columns
    at_risk <- sum(time >= u)
    n / at_risk * ((time == u & status == 0) - (time >= u) * sum(time == u & status == 0) / at_risk)
  })
  through <- function(s, at) rowSums(jump[, if (at) lost <= s else lost < s, drop = FALSE])
  G <- prodlim(Hist(time, status != 0) ~ 1, data = data.frame(time, status), reverse = TRUE)
  before <- predictSurvIndividual(G, lag = 1)          # in the order of time
  w <- numeric(n); w[order(time, -(status != 0))] <- 1 / before
  w[time > horizon] <- 1 / predict(G, times = horizon)
  w[time <= horizon & status == 0] <- 0
  case <- time <= horizon & status == 1; control <- !case & w > 0; above <- marker >= threshold
  of <- sapply(1:n, function(j) if (time[j] > horizon) through(horizon, TRUE) else through(time[j], FALSE))
  one <- function(a, b) {
    p <- sum(w[a & b]) / sum(w[b])
    r <- w * b * (a - p) / mean(w * b)
    iid <- r + as.vector(of %*% r) / n                 # of[i, j]: patient i through the weight of j
    c(estimate = p, se = sd(iid) / sqrt(n))
  }
  rbind(sensitivity = one(above, case), specificity = one(!above, control),
        ppv = one(case, above), npv = one(control, !above))
}
rows <- function(status) do.call(rbind, lapply(seq_along(horizons), function(h)
  do.call(rbind, lapply(thresholds, function(p) {
    f <- figures(status, horizons[h], risk[, h], p)
    data.frame(horizon = horizons[h], threshold = p, metric = rownames(f), f)
  }))))
scored <- function(formula, ...) do.call(rbind, lapply(thresholds, function(p) {
  s <- Score(list(above = (risk >= p) * 1), formula = formula, data = data.frame(time, status, event = 1 * (status == 1)),
             times = horizons, metrics = c("auc", "brier"), se.fit = FALSE, cens.model = "km", null.model = FALSE, ...)
  a <- as.data.frame(s$AUC$score); b <- as.data.frame(s$Brier$score)
  data.frame(threshold = p, horizon = a$times, auc = a$AUC, brier = b$Brier)
}))

y <- d$binary$y; p <- d$binary$p
curve <- roc(y, p, quiet = TRUE, direction = "<")
binary <- do.call(rbind, lapply(thresholds, function(k) {
  at <- coords(curve, k, ret = c("tp", "fp", "tn", "fn", "sensitivity", "specificity", "ppv", "npv"))
  of <- with(at, list(sensitivity = c(tp, tp + fn), specificity = c(tn, tn + fp), ppv = c(tp, tp + fp),
                      npv = c(tn, tn + fn), share_above = c(tp + fp, n)))
  do.call(rbind, lapply(names(of), function(m) {
    ends <- binconf(of[[m]][1], of[[m]][2], method = "wilson")
    data.frame(threshold = k, metric = m, estimate = if (m == "share_above") ends[1] else at[[m]],
               lower = ends[2], upper = ends[3])
  }))
}))

writeLines(toJSON(list(
  versions = lapply(c(R = "base", survival = "survival", riskRegression = "riskRegression",
    prodlim = "prodlim", pROC = "pROC", Hmisc = "Hmisc"), function(x) as.character(packageVersion(x))),
  thresholds = thresholds, survival = rows(ifelse(status == 1, 1, 0)), competing = rows(status),
  survival_score = scored(Surv(time, event) ~ 1), competing_score = scored(Hist(time, status) ~ 1, cause = 1),
  binary = binary
), digits = NA, auto_unbox = TRUE, na = "null", rownames = FALSE), "classification.json")
