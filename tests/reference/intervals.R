# Frozen intervals of a new patient's risk: Cox (plain, ridge) and logistic regression.
# Rscript tests/reference/intervals.R   (from the root; needs survival, jsonlite)
suppressMessages({library(survival); library(jsonlite)})
options(digits = 17)

set.seed(20261)
n <- 90
age <- round(rnorm(n, 55, 12))
size <- round(exp(rnorm(n, 1, 0.5)), 2)
mutant <- rbinom(n, 1, 0.4)
true <- rexp(n, 0.03 * exp(0.03 * (age - 55) + 0.3 * size - 0.9 * mutant))
censored <- runif(n, 5, 40)
time <- ceiling(pmin(true, censored))   # whole months: many ties
event <- as.integer(true <= censored)
d <- data.frame(time, event, age, size, mutant)
new <- data.frame(age = c(40, 55, 81), size = c(1.5, 3, 9), mutant = c(1, 0, 0))
horizons <- c(6, 12, 24)

tight <- coxph.control(eps = 1e-14, iter.max = 200, toler.chol = 1e-15)
of_cox <- function(fit) {
  curves <- survfit(fit, newdata = new, ctype = 1, stype = 2, conf.type = "log-log")
  at <- summary(curves, times = horizons)
  list(risk = 1 - t(at$surv), lower = 1 - t(at$upper), upper = 1 - t(at$lower))
}
cox <- coxph(Surv(time, event) ~ age + size + mutant, d, ties = "efron", control = tight)
ridge <- coxph(Surv(time, event) ~ ridge(age, size, mutant, theta = 7.5), d, control = tight)
logistic <- glm(event ~ age + size + mutant, binomial, d, control = list(epsilon = 1e-14, maxit = 100))
p <- predict(logistic, new, se.fit = TRUE)
z <- qnorm(0.975)
out <- list(
  made_by = "tests/reference/intervals.R",
  versions = list(R = R.version.string, survival = as.character(packageVersion("survival"))),
  data = d, new = new, horizons = horizons, theta = 7.5,
  cox = of_cox(cox), ridge = of_cox(ridge),
  logistic = list(risk = unname(plogis(p$fit)), lower = unname(plogis(p$fit - z * p$se.fit)),
                  upper = unname(plogis(p$fit + z * p$se.fit)))
)
write_json(out, "tests/reference/intervals.json", digits = NA, auto_unbox = TRUE,
           dataframe = "columns")
