# Frozen numbers for Cox regression, its ridge, its baseline and cox.zph.
# Rscript tests/reference/cox.R   (from the root; needs survival, jsonlite)
suppressMessages({library(survival); library(jsonlite)})
options(digits = 17)

set.seed(20260)
n <- 80
age <- round(rnorm(n, 55, 12))
volume <- round(exp(rnorm(n, 3, 0.8)), 1)
mutant <- rbinom(n, 1, 0.4)
grade <- sample(2:4, n, replace = TRUE)
lp <- 0.03 * (age - 55) + 0.4 * log(volume) - 0.9 * mutant + 0.4 * (grade == 4)
true <- rexp(n, 0.03 * exp(lp))
censored <- runif(n, 5, 40)
time <- ceiling(pmin(true, censored))   # whole months: many ties
event <- as.integer(true <= censored)
centre <- sample(c("a", "b", "c"), n, replace = TRUE)
offset <- round(rnorm(n, 0, 0.3), 2)
g3 <- as.integer(grade == 3); g4 <- as.integer(grade == 4)
d <- data.frame(time, event, age, volume, mutant, g3, g4, centre, offset)

tight <- coxph.control(eps = 1e-14, iter.max = 200, toler.chol = 1e-15)
fitted <- function(f, ...) {
  list(coef = unname(coef(f)), covariance = unname(vcov(f)), log_likelihood = f$loglik, ...)
}
plain <- coxph(Surv(time, event) ~ age + volume + mutant + g3 + g4, d, ties = "efron", control = tight)
at_mean <- as.data.frame(t(colMeans(d[, c("age", "volume", "mutant", "g3", "g4")])))
base <- survfit(plain, newdata = at_mean, ctype = 1, stype = 2)   # ctype 1: Breslow
curves <- survfit(plain, newdata = d, ctype = 1, stype = 2)
horizons <- c(6, 12, 24)
risk <- 1 - t(summary(curves, times = horizons)$surv)
median <- unname(quantile(curves, 0.5, conf.int = FALSE))
s <- summary(plain)

strata <- coxph(Surv(time, event) ~ age + mutant + strata(centre) + offset(offset), d, control = tight)
null <- coxph(Surv(time, event) ~ offset(offset), d)

penalised <- function(theta) {
  coxph(Surv(time, event) ~ ridge(age, volume, mutant, g3, g4, theta = theta), d,
        control = tight)
}
ridge <- penalised(7.5)
grid <- sum(event) * c(0, 10^seq(-3, 2, length.out = 21))
aic <- sapply(grid, function(theta) {
  f <- if (theta == 0) plain else penalised(theta)
  df <- if (theta == 0) 5 else sum(f$df)
  # ridge() reports the unpenalised log likelihood
  2 * diff(f$loglik) - 2 * df
})

grouped <- coxph(Surv(time, event) ~ age + volume + mutant + factor(grade), d, control = tight)
zph <- function(f) {
  sapply(c("km", "identity", "rank", "log"),
         function(tr) unname(cox.zph(f, transform = tr)$table[, 1:2]), simplify = FALSE)
}

out <- list(
  made_by = "tests/reference/cox.R",
  versions = list(R = R.version.string, survival = as.character(packageVersion("survival"))),
  data = d,
  plain = fitted(plain, table = unname(cbind(s$conf.int[, c(1, 3, 4)], s$coefficients[, 4:5])),
    linear_predictor = unname(predict(plain, type = "lp", reference = "zero")),   # at x = 0
    baseline_time = base$time[base$n.event > 0], baseline_hazard = base$cumhaz[base$n.event > 0],
    horizons = horizons, risk = risk, median = median),
  strata = fitted(strata),
  null_log_likelihood = null$loglik[1],
  ridge = fitted(ridge, theta = 7.5, sandwich = unname(ridge$var2), df = sum(ridge$df)),
  aic = list(ridge = grid, aic = aic),
  zph = zph(grouped)
)
write_json(out, "tests/reference/cox.json", digits = NA, auto_unbox = TRUE, na = "null",
           dataframe = "columns")
