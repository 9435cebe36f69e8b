# Reference figures for models/decision.py: competing risks, prevalence, harm, standard errors.
# Run from the project's root:  Rscript tests/reference/decision.R > tests/reference/decision.json
# The patients are simulated below, with tied times and tied risks. Net benefits are written out
# from survfit's curves, one per threshold, as dcurves does.
suppressPackageStartupMessages({ library(survival); library(jsonlite) })
set.seed(31)
n <- 120
x <- rnorm(n)
first <- rexp(n, .04 * exp(.8 * x)); other <- rexp(n, .02); follow <- runif(n, 3, 50)
time <- ceiling(pmin(first, other, follow))
cause <- ifelse(first <= pmin(other, follow), 1, ifelse(other <= follow, 2, 0))
risk <- round(1 - exp(-.4 * exp(.8 * x)), 2)
y <- rbinom(n, 1, plogis(-.5 + x)); p <- round(plogis(-.3 + 1.2 * x), 2)
horizon <- 12.5
thresholds <- c(0, .1, .25, .4, .6)
state <- factor(cause, 0:2)
at <- function(rows, which) {                       # estimate and standard error by the horizon
  if (which == "competing") {
    s <- summary(survfit(Surv(time[rows], state[rows]) ~ 1), times = horizon)
    c(s$pstate[1, 2], s$std.err[1, 2])
  } else {
    s <- summary(survfit(Surv(time[rows], cause[rows] == 1) ~ 1), times = horizon)
    c(1 - s$surv, s$std.err)
  }
}
benefit <- function(which, harm) t(sapply(thresholds, function(level) {
  rows <- risk >= level; q <- mean(rows); w <- level / (1 - level)
  f <- at(rows, which); all <- at(rep(TRUE, n), which)[1]
  nb <- q * (f[1] - (1 - f[1]) * w) - harm
  se <- sqrt(q * (1 - q) / n * (f[1] - (1 - f[1]) * w)^2 + (1 + w)^2 * q^2 * f[2]^2)
  tall <- all - (1 - all) * w
  c(nb, se, tall, (nb - tall) / w * 100, nb / all)
}))
apart <- function(prevalence, harm) t(sapply(thresholds, function(level) {
  w <- level / (1 - level); tpr <- mean(p[y == 1] >= level); fpr <- mean(p[y == 0] >= level)
  nb <- prevalence * tpr - (1 - prevalence) * fpr * w - harm
  c(nb, tpr, 1 - fpr, prevalence - (1 - prevalence) * w, nb / prevalence)
}))
writeLines(toJSON(list(
  r = as.character(getRversion()), survival = as.character(packageVersion("survival")),
  time = time, cause = cause, risk = risk, y = y, p = p, horizon = horizon,
  thresholds = thresholds, harm = .02, prevalence = .15,
  survival_curve = benefit("survival", .02), competing = benefit("competing", .02),
  apart = apart(.15, .02)), digits = NA, auto_unbox = TRUE, na = "string"))
