# Reference figures for models/optimism.py: rms::validate, as it is and with converged refits.
# Run from the project's root:  Rscript tests/reference/optimism.R > tests/reference/optimism.json
# The patients are simulated below, with tied times.
suppressPackageStartupMessages({ library(rms); library(jsonlite) })
set.seed(6)
n <- 150
d <- data.frame(a = round(rnorm(n), 2), b = rbinom(n, 1, .4), c = round(rnorm(n), 2),
                e = round(rnorm(n), 2))
latent <- rexp(n, .05 * exp(.6 * d$a - .8 * d$b))
follow <- runif(n, 5, 60)
d$time <- ceiling(pmin(latent, follow)); d$event <- as.integer(latent <= follow)
B <- 25
fit <- cph(Surv(time, event) ~ a + b + c + e, d, x = TRUE, y = TRUE)
set.seed(9); v <- rms::validate(fit, B = B)
set.seed(9); draws <- lapply(1:B, function(i) sample.int(n, replace = TRUE))
tight <- coxph.control(eps = 1e-12, toler.chol = 1e-13, iter.max = 100)
index <- function(f, x, S, train) {                    # written out from validate.cph
  n <- length(x); ll0 <- -2 * f$loglik[1]
  dxy <- 2 * (survival::concordance(S ~ x, reverse = TRUE)$concordance - .5)
  if (train) { lr <- 2 * (f$loglik[2] - f$loglik[1]); slope <- 1; U <- -2 / ll0 } else {
    r <- coxph(S ~ x, control = tight); ll0 <- -2 * r$loglik[1]; slope <- unname(coef(r))
    lr <- 2 * (r$loglik[2] - r$loglik[1])
    frozen <- coxph(S ~ x, init = 1, control = coxph.control(iter.max = 0))
    U <- -2 * (frozen$loglik[2] - r$loglik[2]) / ll0
  }
  D <- (lr - 1) / ll0
  c(Dxy = dxy, R2 = (1 - exp(-lr / n)) / (1 - exp(-ll0 / n)), Slope = slope, D = D, U = U,
    Q = D - U, g = GiniMd(slope * x))
}
S <- Surv(d$time, d$event); X <- as.matrix(d[, c("a", "b", "c", "e")])
whole <- coxph(S ~ X, control = tight)
rows <- lapply(draws, function(r) {
  f <- coxph(S[r] ~ X[r, ], control = tight)
  lp <- drop(X %*% coef(f))
  rbind(index(f, lp[r], S[r], TRUE), index(f, lp, S, FALSE))
})
writeLines(toJSON(list(
  r = as.character(getRversion()), rms = as.character(packageVersion("rms")),
  survival = as.character(packageVersion("survival")), data = d,
  draws = lapply(draws, function(r) r - 1), names = rownames(v),
  validate = unname(unclass(v)[, 1:5]), apparent = unname(index(whole, drop(X %*% coef(whole)), S, TRUE)),
  train = t(sapply(rows, function(m) unname(m[1, ]))), test = t(sapply(rows, function(m) unname(m[2, ])))),
  digits = NA, auto_unbox = TRUE, dataframe = "columns"))
