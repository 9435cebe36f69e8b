# Frozen optimism bootstrap of a Cox and a logistic model, resample by resample, and rms::validate.
# Rscript tests/reference/validation.R   (from the root; needs survival, Hmisc, rms, jsonlite)
suppressMessages({library(survival); library(rms); library(jsonlite)})
options(digits = 17)

set.seed(20263)
n <- 150; B <- 40
d <- data.frame(
  age = round(rnorm(n, 55, 11)),
  marker = round(rnorm(n), 3),
  grade = factor(sample(2:4, n, replace = TRUE, prob = c(.4, .35, .25)))
)
eta <- 0.03 * (d$age - 55) + 0.5 * d$marker + 0.4 * (d$grade == 4)
true <- rexp(n, 0.03 * exp(eta))
censored <- runif(n, 10, 70)
d$time <- ceiling(pmin(true, censored))              # whole months: many ties
d$event <- as.integer(true <= censored)
d$class <- rbinom(n, 1, plogis(-0.3 + eta))

# rms draws each resample with sample(n, replace = TRUE) and nothing else at random
set.seed(7)
rows <- replicate(B, sample(n, replace = TRUE))      # (n, B)

tight <- coxph.control(eps = 1e-14, iter.max = 100, toler.chol = 1e-15)
fit_cox <- function(data) coxph(Surv(time, event) ~ age + marker + grade, data, ties = "efron", control = tight)
linear <- function(fit, data) drop(model.matrix(~ age + marker + grade, data)[, -1] %*% coef(fit))
cox_indexes <- function(lp, data) c(
  c_index = unname(concordance(Surv(time, event) ~ lp, data, reverse = TRUE)$concordance),
  slope = unname(coef(coxph(Surv(time, event) ~ lp, data, ties = "efron", control = tight)))
)
narrow <- glm.control(epsilon = 1e-15, maxit = 100)
fit_glm <- function(data) glm(class ~ age + marker + grade, binomial, data, control = narrow)
glm_linear <- function(fit, data) drop(model.matrix(~ age + marker + grade, data) %*% coef(fit))
glm_indexes <- function(lp, data) c(
  auc = unname(rcorr.cens(lp, data$class)["C Index"]),
  brier = mean((data$class - plogis(lp))^2),
  slope = unname(coef(glm(class ~ lp, binomial, data, control = narrow))[2]),
  intercept = unname(coef(glm(class ~ 1 + offset(lp), binomial, data, control = narrow)))
)

optimism <- function(fit, linear, indexes) {
  train <- test <- list()
  for (b in 1:B) {
    resample <- d[rows[, b], ]
    f <- fit(resample)
    train[[b]] <- indexes(linear(f, resample), resample)
    test[[b]] <- indexes(linear(f, d), d)
  }
  train <- do.call(rbind, train); test <- do.call(rbind, test)
  apparent <- indexes(linear(fit(d), d), d)
  list(apparent = as.list(apparent), train = as.data.frame(train), test = as.data.frame(test),
       corrected = as.list(apparent - colMeans(train - test)))
}
by_hand <- list(cox = optimism(fit_cox, linear, cox_indexes),
                logistic = optimism(fit_glm, glm_linear, glm_indexes))

# rms as it is: its refits stop at a relative change of 1e-4 (Cox)
set.seed(7)
v <- rms::validate(cph(Surv(time, event) ~ age + marker + grade, d, x = TRUE, y = TRUE,
                  eps = 1e-10, iter.max = 50), B = B)
set.seed(7)
w <- rms::validate(lrm(class ~ age + marker + grade, d, x = TRUE, y = TRUE), B = B)
columns <- c("index.orig", "training", "test", "index.corrected", "n")
as_rms <- function(v) lapply(setNames(rownames(v), rownames(v)), function(i) as.list(v[i, columns]))

out <- list(
  versions = list(R = R.version.string, survival = as.character(packageVersion("survival")),
                  rms = as.character(packageVersion("rms")), Hmisc = as.character(packageVersion("Hmisc"))),
  data = list(age = d$age, marker = d$marker, grade = as.character(d$grade), time = d$time,
              event = d$event, class = d$class),
  rows = t(rows) - 1,                                # (B, n), from 0
  by_hand = by_hand,
  rms = list(cox = as_rms(unclass(v)), logistic = as_rms(unclass(w)))
)
write(toJSON(out, auto_unbox = TRUE, digits = 15, dataframe = "columns"), "tests/reference/validation.json")
