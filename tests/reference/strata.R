# Reference figures for a stratified Cox model in a pipeline: risks, ranking, slope, tables.
# Run from the project's root:  Rscript tests/reference/strata.R > tests/reference/strata.json
# The patients are simulated below, with tied times; hazards of the centres cross.
suppressPackageStartupMessages({
  library(survival); library(rms); library(riskRegression); library(jsonlite)
})
set.seed(31)
n <- 200
d <- data.frame(age = round(rnorm(n, 55, 12)), mutant = rbinom(n, 1, .4),
                centre = sample(c("A", "B", "C"), n, replace = TRUE))
shape <- c(A = .7, B = 1, C = 1.8)[d$centre]
scale <- c(A = 30, B = 18, C = 22)[d$centre]
latent <- scale * (rexp(n) / exp(.03 * (d$age - 55) - .7 * d$mutant))^(1 / shape)
follow <- runif(n, 6, 60)
d$time <- ceiling(pmin(latent, follow))
d$event <- as.integer(latent <= follow)
horizons <- c(12, 24)
tight <- coxph.control(eps = 1e-12, toler.chol = 1e-13, iter.max = 100)
full <- Surv(time, event) ~ age + mutant + strata(centre)
fit <- coxph(full, d, control = tight, x = TRUE)
curves <- summary(survfit(fit, newdata = d, stype = 2, ctype = 1, conf.type = "log-log"),
                  times = horizons, extend = TRUE)
at <- function(what) 1 - t(matrix(curves[[what]], nrow = length(horizons)))
risk <- at("surv")
ranked <- function(score, data) concordance(Surv(time, event) ~ score, data, reverse = TRUE)$concordance
auc <- function(object) Score(list(m = object), Surv(time, event) ~ 1, d, times = horizons,
                              metrics = "auc", conf.int = FALSE, null.model = FALSE)$AUC$score$AUC
breslow <- coxph(full, d, ties = "breslow", control = tight, x = TRUE, y = TRUE)

half <- d[seq(1, n, 2), ]; other <- d[seq(2, n, 2), ]
trained <- coxph(full, half, control = tight)
other$lp <- as.matrix(other[c("age", "mutant")]) %*% coef(trained)
again <- coxph(Surv(time, event) ~ lp + strata(centre), other, control = tight)
frozen <- coxph(Surv(time, event) ~ lp + strata(centre), other, init = 1,
                control = coxph.control(iter.max = 0))
slope <- coef(again)
# what rms::validate computes in patients of a test (body of rms:::validate.cph)
ll0 <- -2 * again$loglik[1]
lr <- -2 * again$loglik[1] + 2 * again$loglik[2]
there <- c(r_squared = (1 - exp(-lr / nrow(other))) / (1 - exp(-ll0 / nrow(other))),
           slope = unname(slope), d = (lr - 1) / ll0,
           u = -2 * (frozen$loglik[2] - again$loglik[2]) / ll0, g = GiniMd(slope * other$lp))
ranges <- datadist(d); options(datadist = "ranges")
of_rms <- cph(Surv(time, event) ~ age + mutant + strat(centre), d, x = TRUE, y = TRUE, surv = TRUE,
              time.inc = 24)
validated <- rms::validate(of_rms, B = 2, u = 24, dxy = TRUE)[, "index.orig"]

alone <- lapply(c("age", "mutant"), function(name) {
  f <- coxph(reformulate(c(name, "strata(centre)"), "Surv(time, event)"), d, control = tight)
  list(coef = unname(coef(f)), error = sqrt(f$var[1, 1]))
})
bent <- coxph(Surv(time, event) ~ rcspline.eval(age, nk = 4, inclx = TRUE) + mutant + strata(centre),
              d, control = tight)
small <- coxph(Surv(time, event) ~ age + strata(centre), d, control = tight)
zph <- cox.zph(fit, terms = FALSE)$table
sandwich <- coxph(full, d, robust = TRUE, control = tight)
alone_robust <- coxph(Surv(time, event) ~ age + strata(centre), d, robust = TRUE, control = tight)
weighted_risk <- 1 - t(matrix(summary(survfit(breslow, newdata = d, stype = 2, ctype = 1),
                                      times = horizons, extend = TRUE)$surv, nrow = 2))
out <- list(
  versions = as.list(sapply(c("survival", "Hmisc", "rms", "riskRegression"),
                    function(p) as.character(packageVersion(p)))),
  R = R.version.string, horizons = horizons, data = as.list(d),
  coef = unname(coef(fit)), error = unname(sqrt(diag(fit$var))), loglik = fit$loglik,
  risk = risk, lower = at("upper"), upper = at("lower"),
  c_of_risk = ranked(risk[, 2], d), c_within = concordance(fit)$concordance,
  auc_of_risk = auc(risk), auc_of_fit = auc(breslow), risk_breslow = weighted_risk,
  slope = unname(slope), there = as.list(there), validated = as.list(validated[1:7]), alone = alone,
  bend = 2 * (bent$loglik[2] - fit$loglik[2]), added = 2 * (fit$loglik[2] - small$loglik[2]),
  zph = unname(zph[, 1]), robust_error = unname(sqrt(diag(sandwich$var))),
  robust_alone = sqrt(alone_robust$var[1, 1]))
cat(toJSON(out, digits = 12, auto_unbox = TRUE))
