# Univariable and multivariable Cox regressions, as a paper's table shows them.
# Run: Rscript tests/reference/regression_tables.R > tests/reference/regression_tables.json
suppressPackageStartupMessages({ library(survival); library(jsonlite) })
set.seed(12)
n <- 120
d <- data.frame(age = round(rnorm(n, 55, 10)), grade = sample(c("2", "3", "4"), n, TRUE))
d$time <- round(rexp(n, exp(.03 * (d$age - 55) + .4 * (d$grade == "4"))) * 20 + .1, 2)
d$event <- rbinom(n, 1, .7)
d$age[c(3, 17, 40)] <- NA
rows <- function(f, data) {
  fit <- coxph(f, data, control = coxph.control(eps = 1e-12, toler.chol = 1e-14, iter.max = 50))
  s <- summary(fit)
  g <- grep("grade", names(coef(fit)))
  w <- if (length(g)) drop(coef(fit)[g] %*% solve(vcov(fit)[g, g]) %*% coef(fit)[g]) else NA
  list(estimate = unname(s$conf.int[, 1]), lower = unname(s$conf.int[, 3]),
       upper = unname(s$conf.int[, 4]), p_value = unname(s$coefficients[, 5]), n = fit$n,
       events = fit$nevent, whole = pchisq(w, 2, lower.tail = FALSE))
}
# The same of the event as a class, by glm; Wald intervals and p values. whole: both levels of grade.
odds <- function(f, data) {
  fit <- glm(f, binomial, data, control = glm.control(epsilon = 1e-14, maxit = 50))
  s <- coef(summary(fit))[-1, , drop = FALSE]
  g <- grep("grade", names(coef(fit)))
  w <- if (length(g)) drop(coef(fit)[g] %*% solve(vcov(fit)[g, g]) %*% coef(fit)[g]) else NA
  ci <- confint.default(fit)[-1, , drop = FALSE]
  list(estimate = unname(exp(s[, 1])), lower = unname(exp(ci[, 1])), upper = unname(exp(ci[, 2])),
       p_value = unname(s[, 4]), n = nobs(fit), events = sum(fit$y),
       whole = pchisq(w, 2, lower.tail = FALSE))
}
d$class <- rbinom(n, 1, plogis(.05 * (ifelse(is.na(d$age), 55, d$age) - 55) + .6 * (d$grade == "4")))
writeLines(toJSON(list(r = as.character(getRversion()),
  survival = as.character(packageVersion("survival")), data = d,
  age = rows(Surv(time, event) ~ age, d), grade = rows(Surv(time, event) ~ grade, d),
  both = rows(Surv(time, event) ~ age + grade, d),
  logistic = list(age = odds(class ~ age, d), grade = odds(class ~ grade, d),
                  both = odds(class ~ age + grade, d))), digits = NA, auto_unbox = TRUE,
  dataframe = "columns"))
