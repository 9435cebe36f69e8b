# Reference figures for models/parametric.py.
# Run from the project's root:  Rscript tests/reference/parametric.R > tests/reference/parametric.json
# The patients are simulated below.
suppressPackageStartupMessages({ library(survival); library(jsonlite) })
set.seed(8)
n <- 80
d <- data.frame(age = round(rnorm(n, 55, 12)), mutant = rbinom(n, 1, .4))
latent <- exp(4 - .02 * d$age + .6 * d$mutant + .5 * log(rexp(n)))
follow <- runif(n, 5, 60)
d$time <- round(pmax(pmin(latent, follow), .1), 1)
d$event <- as.integer(latent <= follow)
new <- data.frame(age = c(30, 55, 80), mutant = c(1, 0, 0))
laws <- list()
for (law in c("weibull", "lognormal", "loglogistic")) {
  fit <- survreg(Surv(time, event) ~ age + mutant, d, dist = law,
                 control = survreg.control(rel.tolerance = 1e-12, maxiter = 100))
  p <- seq(.001, .999, .001)
  at <- c(12, 24)
  risk <- sapply(at, function(t)
    psurvreg(t, mean = predict(fit, new, type = "lp"), scale = fit$scale, distribution = law))
  laws[[law]] <- list(coef = unname(coef(fit)), se = unname(sqrt(diag(vcov(fit)))[1:3]),
                      scale = fit$scale, loglik = fit$loglik, risk = risk,
                      median = unname(predict(fit, new, type = "quantile", p = .5)))
}
writeLines(toJSON(list(r = as.character(getRversion()),
                       survival = as.character(packageVersion("survival")),
                       data = d, new = new, laws = laws), digits = NA, auto_unbox = TRUE,
                  dataframe = "columns"))
