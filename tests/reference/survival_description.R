# Reference figures for models/{survival_curves,log_rank,restricted_mean,follow_up}.py.
# Run from the project's root:
#   Rscript tests/reference/survival_description.R > tests/reference/survival_description.json
# The patients are simulated below, with tied times. The last part reads public data in
# ../shared/data and keeps summary figures only.
suppressPackageStartupMessages({library(survival); library(jsonlite)})

set.seed(77)
n <- 110
x <- round(rnorm(n), 1)
latent <- rexp(n, 0.04 * exp(0.6 * x))
follow <- runif(n, 5, 50)
time <- pmax(ceiling(pmin(latent, follow)), 1)            # whole months: tied times
event <- as.integer(latent <= follow)
untied <- pmin(latent, follow)
group <- cut(x + rnorm(n), c(-Inf, -0.6, 0.6, Inf), labels = c("a low", "b middle", "c high"))
centre <- sample(c("east", "north", "south"), n, replace = TRUE)
probs <- c(0.1, 0.25, 0.5, 0.75)
at <- c(6, 12, 24.5, 30)
tau <- c(12, 30)

curves <- function(type, level = 0.95) {
  fit <- survfit(Surv(time, event) ~ group, conf.type = type, conf.int = level)
  q <- quantile(fit, probs)
  s <- summary(fit, times = at)
  medians <- summary(fit)$table
  list(lower = fit$lower, upper = fit$upper,
       quantile = q$quantile, quantile_lower = q$lower, quantile_upper = q$upper,
       median = medians[, "median"], median_lower = medians[, paste0(level, "LCL")],
       median_upper = medians[, paste0(level, "UCL")],
       at = data.frame(n = s$n.risk, estimate = s$surv, lower = s$lower, upper = s$upper))
}
diff <- function(formula, rho = 0) {
  fit <- survdiff(formula, rho = rho)
  sums <- function(m) if (is.matrix(m)) rowSums(m) else m
  list(observed = sums(fit$obs), expected = sums(fit$exp), chi2 = fit$chisq)
}
trend <- function(formula, s) {
  # Tarone 1975, on survdiff's own sums
  fit <- survdiff(formula)
  sums <- function(m) if (is.matrix(m)) rowSums(m) else m
  u <- sum(s * (sums(fit$obs) - sums(fit$exp)))
  u^2 / as.numeric(t(s) %*% fit$var %*% s)
}
rmst <- function(formula, tau, ...) {
  m <- summary(survfit(formula, ...), rmean = tau)$table
  list(mean = m[, grep("^\\*?rmean", colnames(m))], se = m[, grep("se\\(rmean", colnames(m))])
}
reverse <- function(formula, type = "log") {
  m <- summary(survfit(formula, conf.type = type))$table
  if (is.matrix(m)) list(median = m[, "median"], lower = m[, "0.95LCL"], upper = m[, "0.95UCL"])
  else list(median = m[["median"]], lower = m[["0.95LCL"]], upper = m[["0.95UCL"]])
}
number <- as.integer(group) - 1

pbc <- read.csv("../shared/data/survival/pbc.csv")
pbc <- pbc[!is.na(pbc$trt), ]
pbc$years <- pbc$time / 365.25
pbc$dead <- as.integer(pbc$status == 2)
pbc$early <- pmin(pbc$stage, 3)

out <- list(
  versions = list(R = as.character(getRversion()),
                  survival = as.character(packageVersion("survival"))),
  data = list(time = time, event = event, group = as.character(group), centre = centre,
              untied = untied, probs = probs, at = at, tau = tau),
  log = curves("log"), loglog = curves("log-log"), plain = curves("plain"),
  wide = curves("log-log", 0.9),
  log_rank = diff(Surv(time, event) ~ group),
  log_rank_strata = diff(Surv(time, event) ~ group + strata(centre)),
  peto = diff(Surv(time, event) ~ group, rho = 1),
  peto_strata = diff(Surv(time, event) ~ group + strata(centre), rho = 0.5),
  trend = trend(Surv(time, event) ~ group, 0:2),
  trend_scores = trend(Surv(time, event) ~ group, c(1, 2, 10)),
  trend_strata = trend(Surv(time, event) ~ group + strata(centre), 0:2),
  score_test = coxph(Surv(untied, event) ~ number)$score,
  score_test_strata = coxph(Surv(untied, event) ~ number + strata(centre))$score,
  rmst = lapply(tau, function(t) rmst(Surv(time, event) ~ group, t)),
  follow_up = reverse(Surv(time, 1 - event) ~ group),
  follow_up_loglog = reverse(Surv(time, 1 - event) ~ 1, "log-log"),
  pbc = list(rmst = rmst(Surv(years, dead) ~ trt, 10, data = pbc),
             follow_up = reverse(Surv(pbc$years, 1 - pbc$dead) ~ 1),
             trend = trend(Surv(pbc$years, pbc$dead) ~ pbc$stage, 0:3),
             stratified = survdiff(Surv(years, dead) ~ trt + strata(stage), pbc)$chisq)
)
cat(toJSON(out, digits = I(15), auto_unbox = TRUE, na = "null", dataframe = "columns",
           pretty = 1), "\n")
