# Frozen numbers for the assumptions of a model: proportional hazards with strata, scaled Schoenfeld
# residuals and their curve, linearity, influence, variance inflation, minimum sample size.
# Rscript tests/reference/assumptions.R   (from the root; needs survival, rms, jsonlite)
suppressMessages({library(survival); library(rms); library(splines); library(jsonlite)})
options(digits = 17)

set.seed(20261)
n <- 120
age <- round(rnorm(n, 55, 12))
volume <- round(exp(rnorm(n, 3, 0.8)), 1)
mutant <- rbinom(n, 1, 0.4)
grade <- sample(2:4, n, replace = TRUE)
g3 <- as.integer(grade == 3); g4 <- as.integer(grade == 4)
lp <- 0.002 * (age - 55)^2 + 0.4 * log(volume) - 0.9 * mutant + 0.4 * g4
true <- rexp(n, 0.02 * exp(lp))
censored <- runif(n, 5, 60)
time <- ceiling(pmin(true, censored))   # whole months: many ties
event <- as.integer(true <= censored)
centre <- sample(c("a", "b", "c"), n, replace = TRUE)
ill <- rbinom(n, 1, plogis(lp - 1.8))
d <- data.frame(time, event, age, volume, mutant, g3, g4, grade = factor(grade), centre, ill)

tight <- coxph.control(eps = 1e-14, iter.max = 200, toler.chol = 1e-15)
cox <- coxph(Surv(time, event) ~ age + volume + mutant + grade, d, control = tight, x = TRUE)
logit <- glm(ill ~ age + volume + mutant + grade, binomial, d,
             control = glm.control(epsilon = 1e-15, maxit = 100))

# cox.zph: scaled residuals per term, and the curve of plot.cox.zph
nsmo <- 40
curve <- function(z, i) {
  pred <- seq(min(z$x), max(z$x), length.out = nsmo)
  lmat <- ns(c(pred, z$x), df = 4, intercept = TRUE)
  qmat <- qr(lmat[-(1:nsmo), ])
  bk <- backsolve(qmat$qr[1:4, 1:4], diag(4))
  seval <- ((lmat[1:nsmo, ] %*% (bk %*% t(bk))) * lmat[1:nsmo, ]) %*% rep(1, 4)
  list(at = pred, estimate = drop(lmat[1:nsmo, ] %*% qr.coef(qmat, z$y[, i])),
       standard_error = drop(sqrt(z$var[i, i] * seval)))
}
schoenfeld <- sapply(c("km", "identity", "rank", "log"), function(tr) {
  z <- cox.zph(cox, transform = tr)
  list(x = z$x, time = z$time, residuals = unname(z$y),
       curves = lapply(seq_len(ncol(z$y)), function(i) curve(z, i)))
}, simplify = FALSE)
plain <- unname(residuals(cox, type = "schoenfeld"))

# linearity: likelihood-ratio test of a spline against a line, the others as they are
lr_cox <- function(name, k) {
  f <- reformulate(c(setdiff(c("age", "volume", "mutant", "grade"), name),
                     sprintf("rcs(%s, %d)", name, k)), "Surv(time, event)")
  s <- coxph(f, d, control = tight)
  c(2 * (s$loglik[2] - cox$loglik[2]), length(coef(s)) - length(coef(cox)))
}
lr_logit <- function(name, k) {
  f <- reformulate(c(setdiff(c("age", "volume", "mutant", "grade"), name),
                     sprintf("rcs(%s, %d)", name, k)), "ill")
  s <- glm(f, binomial, d, control = glm.control(epsilon = 1e-15, maxit = 100))
  c(deviance(logit) - deviance(s), length(coef(s)) - length(coef(logit)))
}
both <- expand.grid(name = c("age", "volume"), knots = 3:5, stringsAsFactors = FALSE)
linearity <- list(
  table = both,
  cox = t(mapply(lr_cox, both$name, both$knots, USE.NAMES = FALSE)),
  logistic = t(mapply(lr_logit, both$name, both$knots, USE.NAMES = FALSE)))
# the curve of age, 4 knots, against its median, and the standard error of the difference
spline <- coxph(Surv(time, event) ~ rcs(age, 4) + volume + mutant + grade, d, control = tight)
at <- seq(quantile(age, 10 / 200), quantile(age, 1 - 10 / 200), length.out = 60)   # rms' range
knots <- rcspline.eval(age, nk = 4, knots.only = TRUE)
basis <- function(x) rcspline.eval(x, knots = knots, inclx = TRUE)
apart <- sweep(basis(at), 2, basis(c(median(age), median(age)))[1, ])
part <- 1:3
age_curve <- list(at = at, estimate = drop(apart %*% coef(spline)[part]),
                  standard_error = sqrt(diag(apart %*% vcov(spline)[part, part] %*% t(apart))))

# influence
lrm_fit <- lrm(ill ~ age + volume + mutant + g3 + g4, d, x = TRUE, y = TRUE, eps = 1e-13,
               maxit = 100, tol = 1e-14)
v <- vcov(logit); p <- fitted(logit); X <- model.matrix(logit)
one_step <- (X * ((ill - p) / (1 - hatvalues(logit)))) %*% v
influence <- list(
  cox = unname(residuals(cox, type = "dfbeta")),
  cox_scaled = unname(residuals(cox, type = "dfbetas")),
  logistic = unname(one_step), logistic_scaled = unname(sweep(one_step, 2, sqrt(diag(v)), "/")),
  logistic_rms = unname(resid(lrm_fit, "dfbetas")))
worst <- order(-apply(abs(influence$cox_scaled), 1, max))[1:3]
influence$cox_refits <- t(sapply(worst, function(i)
  unname(coef(update(cox, data = d[-i, ])))))
influence$cox_worst <- worst
worst <- order(-apply(abs(influence$logistic_scaled[, -1]), 1, max))[1:3]
influence$logistic_refits <- t(sapply(worst, function(i)
  unname(coef(update(logit, data = d[-i, ])))))
influence$logistic_worst <- worst

# variance inflation: rms for single columns, the formula of Fox and Monette (car) for terms
columns <- coxph(Surv(time, event) ~ age + volume + mutant + g3 + g4, d, control = tight)
gvif <- function(v, groups) {
  R <- cov2cor(v)
  sapply(groups, function(j)
    det(R[j, j, drop = FALSE]) * det(R[-j, -j, drop = FALSE]) / det(R))
}
groups <- list(1, 2, 3, 4:5)
inflation <- list(
  rms_cox = unname(rms::vif(columns)), rms_logistic = unname(rms::vif(lrm_fit)),
  gvif_cox = gvif(vcov(cox), groups), gvif_logistic = gvif(v[-1, -1], groups))

# Riley's criteria, as published, and a million patients for the C statistic
n_of <- function(p, r2, s) ceiling(p / ((s - 1) * log(1 - r2 / s)))
riley_binary <- function(p, r2, prevalence) {
  top <- 1 - exp(2 * (prevalence * log(prevalence) + (1 - prevalence) * log(1 - prevalence)))
  c(n_of(p, r2, 0.9), n_of(p, r2, r2 / (r2 + 0.05 * top)),
    ceiling((1.96 / 0.05)^2 * prevalence * (1 - prevalence)))
}
riley_survival <- function(p, r2, rate, follow_up, t) {
  e <- rate * follow_up
  top <- 1 - exp(2 * (e * log(e) - e))
  risk <- function(r) 1 - exp(-r * t)
  apart <- function(n) {
    half <- 1.96 * sqrt(rate / (n * follow_up))
    max(risk(rate + half) - risk(rate), risk(rate) - risk(rate - half))
  }
  third <- 1
  while (apart(third) > 0.05) third <- third + 1
  c(n_of(p, r2, 0.9), n_of(p, r2, r2 / (r2 + 0.05 * top)), third)
}
r2_of_c <- function(cstat, prevalence, n = 4e6) {
  set.seed(1)
  y <- rep(0:1, round(n * c(1 - prevalence, prevalence)))
  x <- rnorm(length(y), y * sqrt(2) * qnorm(cstat))
  m <- glm.fit(cbind(1, x), y, family = binomial())
  1 - exp(-(m$null.deviance - m$deviance) / length(y))
}
sample_size <- list(
  binary = list(list(at = list(parameters = 24, r_squared = 0.288, prevalence = 0.174),
                     n = riley_binary(24, 0.288, 0.174)),
                list(at = list(parameters = 7, r_squared = 0.1, prevalence = 0.5),
                     n = riley_binary(7, 0.1, 0.5))),
  survival = list(list(at = list(parameters = 30, r_squared = 0.051, rate = 0.065,
                                 mean_follow_up = 2.07, horizon = 2),
                       n = riley_survival(30, 0.051, 0.065, 2.07, 2)),
                  list(at = list(parameters = 4, r_squared = 0.2, rate = 0.3,
                                 mean_follow_up = 1.5, horizon = 3),
                       n = riley_survival(4, 0.2, 0.3, 1.5, 3))),
  c_statistic = list(list(c = 0.89, prevalence = 0.174, r_squared = r2_of_c(0.89, 0.174)),
                     list(c = 0.65, prevalence = 0.4, r_squared = r2_of_c(0.65, 0.4))))

# cox.zph with strata, and with weights
strat <- coxph(Surv(time, event) ~ age + volume + mutant + strata(centre), d, control = tight)
weight <- rep(c(1, 2, 0.5), length.out = n)
weighted <- coxph(Surv(time, event) ~ age + volume + mutant, d, weights = weight, control = tight)
zph <- list(
  strata = list(coef = unname(coef(strat)), table = unname(cox.zph(strat, "km")$table[, 1:2]),
                residuals = unname(cox.zph(strat, "km")$y)),
  weighted = list(weight = weight, coef = unname(coef(weighted)),
                  table = unname(cox.zph(weighted, "km")$table[, 1:2])))

out <- list(
  made_by = "tests/reference/assumptions.R",
  versions = list(R = R.version.string, survival = as.character(packageVersion("survival")),
                  rms = as.character(packageVersion("rms"))),
  data = d[, c("time", "event", "age", "volume", "mutant", "g3", "g4", "centre", "ill")],
  coef = list(cox = unname(coef(cox)), logistic = unname(coef(logit))),
  schoenfeld = schoenfeld, schoenfeld_plain = plain, zph = zph, linearity = linearity,
  age_curve = age_curve, influence = influence, inflation = inflation, sample_size = sample_size)
write_json(out, "tests/reference/assumptions.json", digits = NA, auto_unbox = TRUE)
