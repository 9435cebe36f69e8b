# Cox regression on intervals by survival::coxph, simulated patients.
# Rscript tests/reference/time_varying.R   (writes time_varying.json beside it)
suppressPackageStartupMessages({library(survival); library(jsonlite)})
set.seed(11)
n <- 120
age <- round(rnorm(n), 3)
begun <- ceiling(rexp(n, 1 / 6))
time <- pmax(1, ceiling(rexp(n, 0.08 * exp(0.5 * age))))  # whole months: many ties
status <- as.integer(runif(n) < 0.75)
rows <- do.call(rbind, lapply(seq_len(n), function(i) {
  if (begun[i] < time[i])
    data.frame(id = i, start = c(0, begun[i]), stop = c(begun[i], time[i]),
               event = c(0, status[i]), treated = c(0, 1), age = age[i])
  else
    data.frame(id = i, start = 0, stop = time[i], event = status[i], treated = 0, age = age[i])
}))
fit <- coxph(Surv(start, stop, event) ~ age + treated, rows,
             control = coxph.control(eps = 1e-11, toler.chol = 1e-12, iter.max = 50))
out <- list(
  r = as.character(getRversion()), survival = as.character(packageVersion("survival")),
  data = as.list(rows), coef = unname(coef(fit)), covariance = unname(vcov(fit)),
  log_likelihood = fit$loglik[2]
)
folder <- dirname(sub("--file=", "", grep("--file=", commandArgs(), value = TRUE)))
writeLines(toJSON(out, digits = NA, auto_unbox = TRUE), file.path(folder, "time_varying.json"))
