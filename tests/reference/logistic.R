# Frozen numbers for logistic regression and its ridge.
# Rscript tests/reference/logistic.R   (from the root; needs rms, jsonlite)
suppressMessages({library(rms); library(jsonlite)})
options(digits = 17)

set.seed(20261)
n <- 70
age <- round(rnorm(n, 55, 12))
volume <- round(exp(rnorm(n, 3, 0.8)), 1)
mutant <- rbinom(n, 1, 0.4)
event <- rbinom(n, 1, plogis(-0.6 + 0.04 * (age - 55) + 0.02 * volume - 0.8 * mutant))
offset <- round(rnorm(n, 0, 0.5), 2)
d <- data.frame(event, age, volume, mutant, offset)

tight <- glm.control(epsilon = 1e-15, maxit = 100)
plain <- glm(event ~ age + volume + mutant, binomial, d, control = tight)
shifted <- glm(event ~ age + offset(offset), binomial, d, control = tight)
shifted_null <- glm(event ~ 1 + offset(offset), binomial, d, control = tight)
s <- summary(plain)

penalised <- function(lambda) {
  lrm(event ~ age + volume + mutant, d, penalty = lambda, x = TRUE, y = TRUE,
      eps = 1e-10, maxit = 200, tol = 1e-14)
}
ridge <- penalised(4)
unit <- n * mean(event) * (1 - mean(event))
grid <- unit * c(0, 10^seq(-3, 2, length.out = 21))
fits <- lapply(grid, penalised)
df <- sapply(fits, function(f) unname(f$stats["d.f."]))
aic <- sapply(fits, function(f) unname(f$stats["Model L.R."])) - 2 * df   # as pentrace defines it

out <- list(
  made_by = "tests/reference/logistic.R",
  versions = list(R = R.version.string, rms = as.character(packageVersion("rms"))),
  data = d,
  plain = list(coef = unname(coef(plain)), covariance = unname(vcov(plain)),
    log_likelihood = c(-plain$null.deviance, -plain$deviance) / 2,
    z = unname(s$coefficients[, 3]), p_value = unname(s$coefficients[, 4]),
    risk = unname(fitted(plain))),
  offset = list(coef = unname(coef(shifted)), covariance = unname(vcov(shifted)),
    log_likelihood = c(-shifted_null$deviance, -shifted$deviance) / 2),
  ridge = list(lambda = 4, coef = unname(coef(ridge)), covariance = unname(vcov(ridge)),
    likelihood_ratio = unname(ridge$stats["Model L.R."]),   # `deviance` would count the penalty
    df = unname(ridge$stats["d.f."])),
  aic = list(ridge = grid, aic = aic, df = df)
)
write_json(out, "tests/reference/logistic.json", digits = NA, auto_unbox = TRUE, na = "null",
           dataframe = "columns")
