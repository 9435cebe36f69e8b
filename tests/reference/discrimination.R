# Standard errors and paired tests of concordance, AUC and Brier score; frozen in discrimination.json.
# Simulated patients with tied times and scores. Run: Rscript discrimination.R
suppressPackageStartupMessages({
  library(survival); library(riskRegression); library(pROC); library(jsonlite); library(prodlim)
})
set.seed(7)
n <- 140
x <- rnorm(n); z <- rnorm(n)
death <- rexp(n, 0.05 * exp(0.8 * x + 0.4 * z)); other <- rexp(n, 0.02); lost <- runif(n, 2, 40)
time <- ceiling(pmin(death, other, lost))
status <- ifelse(pmin(death, other) <= lost, ifelse(death <= other, 1, 2), 0)
event <- as.integer(status == 1)
a <- round(x, 1); b <- round(0.5 * x + 0.5 * z, 1)
horizons <- c(6, 12, 20)
risk_a <- outer(exp(0.8 * a), horizons, function(e, t) round(1 - exp(-0.05 * t * e), 3))
risk_b <- outer(exp(0.6 * b), horizons, function(e, t) round(1 - exp(-0.05 * t * e), 3))
d <- data.frame(time, event, status, a, b)

one <- function(score, timewt, ymax) {
  f <- concordancefit(Surv(time, event), score, timewt = timewt, ymax = ymax, influence = 3)
  list(c = f$concordance, var = f$var, count = as.list(f$count), dfbeta = f$dfbeta)
}
concordances <- lapply(list(n = list("n", NULL), uno = list("n/G2", 19)), function(k) {
  p <- one(a, k[[1]], k[[2]]); q <- one(b, k[[1]], k[[2]])
  list(a = p, b = q, covariance = sum(p$dfbeta * q$dfbeta),
       se_difference = sqrt(sum((p$dfbeta - q$dfbeta)^2)))
})

scored <- function(formula, ...) {
  s <- Score(list(a = risk_a, b = risk_b), formula = formula, data = d, times = horizons,
             metrics = c("auc", "brier"), se.fit = TRUE, conservative = FALSE,
             cens.model = "km", null.model = TRUE, ...)
  list(auc = as.data.frame(s$AUC$score), auc_difference = as.data.frame(s$AUC$contrasts),
       brier = as.data.frame(s$Brier$score),
       brier_difference = as.data.frame(s$Brier$contrasts))
}
survival <- scored(Surv(time, event) ~ 1)
competing <- scored(Hist(time, status) ~ 1, cause = 1)

y <- as.integer(runif(n) < plogis(x + 0.5 * z))
p <- plogis(a); q <- plogis(b)
first <- roc(y, p, quiet = TRUE, direction = "<"); second <- roc(y, q, quiet = TRUE, direction = "<")
test <- roc.test(first, second, method = "delong", paired = TRUE)
s <- Score(list(a = p, b = q), formula = y ~ 1, data = data.frame(y), metrics = c("auc", "brier"),
           se.fit = TRUE, null.model = FALSE)
youden <- coords(first, "best", best.method = "youden", ret = c("threshold", "sensitivity", "specificity"))
binary <- list(
  y = y, p = p, q = q,
  auc = as.numeric(auc(first)), var = var(first), ci = as.numeric(ci.auc(first, method = "delong")),
  auc_second = as.numeric(auc(second)), covariance = cov(first, second),
  z = unname(test$statistic), p_value = test$p.value,
  difference_ci = as.numeric(test$conf.int),
  points = list(sensitivity = first$sensitivities, specificity = first$specificities,
                thresholds = first$thresholds),
  youden = as.list(youden),
  brier = as.data.frame(s$Brier$score), brier_difference = as.data.frame(s$Brier$contrasts)
)

writeLines(toJSON(list(
  versions = list(R = as.character(getRversion()), survival = as.character(packageVersion("survival")),
    riskRegression = as.character(packageVersion("riskRegression")), pROC = as.character(packageVersion("pROC"))),
  data = list(time = time, status = status, a = a, b = b, horizons = horizons,
              risk_a = t(risk_a), risk_b = t(risk_b)),
  concordance = concordances, survival = survival, competing = competing, binary = binary
), digits = NA, auto_unbox = TRUE), "discrimination.json")
