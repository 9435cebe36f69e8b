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
writeLines(toJSON(list(r = as.character(getRversion()),
  survival = as.character(packageVersion("survival")), data = d,
  age = rows(Surv(time, event) ~ age, d), grade = rows(Surv(time, event) ~ grade, d),
  both = rows(Surv(time, event) ~ age + grade, d)), digits = NA, auto_unbox = TRUE,
  dataframe = "columns"))
