# Rubin's rules written out in R, as mice::pool.scalar and mice::D1 have them (mice is not used).
# Run: Rscript tests/reference/rubin.R > tests/reference/rubin.json
suppressMessages(library(jsonlite))
set.seed(7)
M <- 8; n <- 60
x <- rnorm(n); z <- rnorm(n); y <- rbinom(n, 1, plogis(0.4 + x - 0.5 * z))
fits <- lapply(seq_len(M), function(m) {
  filled <- x; filled[1:20] <- 0.4 * y[1:20] + rnorm(20)
  glm(y ~ filled + z, family = binomial, control = list(epsilon = 1e-12))
})
Q <- t(sapply(fits, coef)); U <- lapply(fits, vcov)
qbar <- colMeans(Q); ubar <- Reduce(`+`, U) / M; b <- cov(Q)
total <- ubar + (1 + 1 / M) * b
lambda <- diag((1 + 1 / M) * b) / diag(total); r <- diag((1 + 1 / M) * b) / diag(ubar)
dfcom <- n - 3
dfold <- (M - 1) / lambda^2
dfobs <- (dfcom + 1) / (dfcom + 3) * dfcom * (1 - lambda)
df <- dfold * dfobs / (dfold + dfobs)
se <- sqrt(diag(total))
k <- 2; at <- 2:3
rbar <- (1 + 1 / M) * sum(diag(b[at, at] %*% solve(ubar[at, at]))) / k
d1 <- as.numeric(t(qbar[at]) %*% solve(ubar[at, at]) %*% qbar[at]) / (k * (1 + rbar))
tt <- k * (M - 1)
nu <- 4 + (tt - 4) * (1 + (1 - 2 / tt) / rbar)^2
write_json(list(
  versions = list(R = R.version.string), estimates = Q,
  covariances = lapply(U, unname), complete_df = dfcom, estimate = qbar, standard_error = se,
  lower = qbar - qt(.975, df) * se, upper = qbar + qt(.975, df) * se, df = df,
  p_value = 2 * pt(abs(qbar / se), df, lower.tail = FALSE),
  fmi = (r + 2 / (df + 3)) / (r + 1), d1 = d1, residual_df = nu,
  d1_p_value = pf(d1, k, nu, lower.tail = FALSE)
), stdout(), digits = 15, auto_unbox = TRUE)
