# Reference figures for models/many_cox.py: coxph on the drawn rows of resamples.
# Run from the project's root:  Rscript tests/reference/many_cox.R > tests/reference/many_cox.json
# The patients are simulated below, with tied times.
suppressPackageStartupMessages({ library(survival); library(jsonlite) })
set.seed(4)
n <- 60
d <- data.frame(age = round(rnorm(n, 55, 12)), mutant = rbinom(n, 1, .4), marker = round(rexp(n), 2))
latent <- rexp(n, .05 * exp(.03 * (d$age - 55) - .8 * d$mutant))
follow <- runif(n, 5, 60)
d$time <- ceiling(pmin(latent, follow))
d$event <- as.integer(latent <= follow)
draws <- lapply(1:6, function(b) sample(n, replace = TRUE))
tight <- coxph.control(eps = 1e-12, toler.chol = 1e-13, iter.max = 100)
loose <- coxph.control(eps = 1e-4, iter.max = 10)        # rms refits so
fit <- function(rows, ties, control) {
  f <- coxph(Surv(time, event) ~ age + mutant + marker, d[rows, ], ties = ties, control = control)
  list(coef = unname(coef(f)), loglik = f$loglik)
}
out <- list()
for (ties in c("efron", "breslow")) out[[ties]] <- lapply(draws, fit, ties, tight)
out$loose <- lapply(draws, fit, "efron", loose)
writeLines(toJSON(c(list(r = as.character(getRversion()),
                         survival = as.character(packageVersion("survival")), data = d,
                         draws = lapply(draws, function(rows) rows - 1)), out),
                  digits = NA, auto_unbox = TRUE, dataframe = "columns"))
