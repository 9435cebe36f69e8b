# Frozen coefficients and cross-validated deviances of penalised regression.
# Rscript tests/reference/signature.R   (from the root; needs glmnet, survival, jsonlite)
suppressMessages({library(glmnet); library(survival); library(jsonlite)})
options(digits = 17)

set.seed(20261)
n <- 120; p <- 40
shared <- matrix(rnorm(n * 4), n)
x <- round(shared %*% matrix(rnorm(4 * p), 4) + matrix(rnorm(n * p), n), 3)
x[, 1:10] <- x[, 1:10] * 100          # features of another unit
x[, 11] <- x[, 11] + 1000
colnames(x) <- paste0("mri:f", seq_len(p) - 1)
lp <- 0.006 * x[, 1] - 0.5 * x[, 20] + 0.5 * shared[, 1]
time <- ceiling(pmin(rexp(n, 0.05 * exp(lp)), censored <- runif(n, 5, 60)))   # many ties
event <- as.integer(rexp(n) < 1.2)    # a part is censored, whatever the time
positive <- rbinom(n, 1, plogis(lp))
foldid <- sample(rep_len(1:6, n))
outcomes <- list(survival = Surv(time, event), binary = positive)
families <- list(survival = "cox", binary = "binomial")

fits <- list()
for (kind in names(outcomes)) for (alpha in c(1, 0.5)) for (rows in c(n, 35)) {
  keep <- seq_len(rows)
  y <- outcomes[[kind]]
  y <- if (kind == "survival") y[keep, ] else y[keep]
  first <- glmnet(x[keep, ], y, family = families[[kind]], alpha = alpha, nlambda = 50, thresh = 1e-14,
                  maxit = 1e7)
  lambda <- first$lambda[seq_len(min(length(first$lambda), 30))]
  f <- glmnet(x[keep, ], y, family = families[[kind]], alpha = alpha, lambda = lambda, thresh = 1e-14,
              maxit = 1e7)
  at <- c(3, 8, 15, 22)
  one <- list(kind = kind, mix = alpha, rows = rows, lambda = lambda, at = at,
    intercept = if (kind == "binary") unname(f$a0)[at] else NULL,
    coef = unname(t(as.matrix(f$beta)))[at, ])
  if (rows == n) {
    cv <- cv.glmnet(x, y, family = families[[kind]], alpha = alpha, lambda = lambda, foldid = foldid,
                    thresh = 1e-14, maxit = 1e7)
    one <- c(one, list(cvm = cv$cvm, cvsd = cv$cvsd, lambda_min = cv$lambda.min,
                       lambda_1se = cv$lambda.1se, nzero = unname(cv$nzero)))
  }
  fits[[length(fits) + 1]] <- one
}

out <- list(
  made_by = "tests/reference/signature.R",
  versions = list(R = R.version.string, glmnet = as.character(packageVersion("glmnet")),
                  survival = as.character(packageVersion("survival"))),
  x = x, time = time, event = event, positive = positive, foldid = foldid, fits = fits
)
write_json(out, "tests/reference/signature.json", digits = NA, auto_unbox = TRUE, na = "null")
