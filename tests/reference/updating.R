# Reference figures for models/updated_model.py and models/closed_testing.py.
# Run from the project's root:  Rscript tests/reference/updating.R > tests/reference/updating.json
# The patients are simulated below. A Cox and a logistic model are fitted to the development
# patients and updated in others: baseline (intercept) beside the linear predictor as offset, slope,
# and all coefficients; with the likelihood ratios of closed testing.
suppressPackageStartupMessages({ library(survival); library(jsonlite) })
set.seed(23)
draw <- function(n, level, effect) {
  a <- rnorm(n); b <- rbinom(n, 1, .4); k <- rnorm(n)
  eta <- effect[1] * a + effect[2] * b + effect[3] * k
  event <- rexp(n, level * exp(eta)); follow <- runif(n, 2, 40)
  data.frame(a = round(a, 3), b = b, k = round(k, 3), time = ceiling(10 * pmin(event, follow)) / 10,
             event = as.integer(event <= follow), y = rbinom(n, 1, plogis(-.5 + eta)))
}
dev <- draw(160, .05, c(.8, .5, 0)); ext <- draw(110, .09, c(.5, .1, .3))
horizons <- c(6, 15)
control <- coxph.control(eps = 1e-12, toler.chol = 1e-13, iter.max = 50)
x <- as.matrix(ext[c("a", "b", "k")])

cox <- coxph(Surv(time, event) ~ a + b + k, dev, control = control)
centre <- sum(colMeans(dev[c("a", "b", "k")]) * coef(cox))  # coxph itself does not centre b
ext$lp <- drop(x %*% coef(cox)) - centre
risk <- function(column) {                                 # Breslow's baseline beside `column`
  fit <- coxph(Surv(time, event) ~ column, init = 1, control = coxph.control(iter.max = 0),
               ties = "breslow", data = ext)
  sapply(horizons, function(h) sapply(ext$lp[1:5] * column[1] / ext$lp[1], function(at)
    1 - summary(survfit(fit, newdata = data.frame(column = at)), times = h)$surv))
}
slope <- coxph(Surv(time, event) ~ lp, ext, control = control)
refit <- coxph(Surv(time, event) ~ a + b + k, ext, control = control)
null <- coxph(Surv(time, event) ~ offset(lp), ext)
base <- basehaz(coxph(Surv(time, event) ~ lp, init = 1, ties = "breslow", data = transform(dev,
  lp = drop(as.matrix(dev[c("a", "b", "k")]) %*% coef(cox)) - centre),
  control = coxph.control(iter.max = 0)), centered = FALSE)
last <- max(dev$time)
H <- sapply(seq_len(nrow(ext)), function(i) {
  passed <- base$time <= min(ext$time[i], last)
  if (any(passed)) max(base$hazard[passed]) else 0
}) * exp(ext$lp)
seen <- ext$event * (ext$time <= last)
keep <- H > 0
poisson <- glm(seen ~ 1, family = stats::poisson, offset = log(H), subset = keep)
level <- 2 * (sum(dpois(seen[keep], fitted(poisson), log = TRUE)) -
              sum(dpois(seen[keep], H[keep], log = TRUE)))
partial <- function(fit) as.numeric(logLik(fit))

logit <- glm(y ~ a + b + k, binomial, dev, control = glm.control(epsilon = 1e-14, maxit = 50))
ext$eta <- predict(logit, ext)
exact <- glm.control(epsilon = 1e-14, maxit = 50)
intercept <- glm(y ~ 1 + offset(eta), binomial, ext, control = exact)
both <- glm(y ~ eta, binomial, ext, control = exact)
all <- glm(y ~ a + b + k, binomial, ext, control = exact)
original <- sum(dbinom(ext$y, 1, plogis(ext$eta), log = TRUE))

columns <- c("a", "b", "k", "time", "event", "y")
writeLines(toJSON(list(
  r = as.character(getRversion()), survival = as.character(packageVersion("survival")),
  development = as.list(dev[columns]), external = as.list(ext[columns]), horizons = horizons,
  cox = list(lp = ext$lp, slope = coef(slope)[[1]], refit = coef(refit),
             baseline_risk = risk(ext$lp), recalibrated_risk = risk(ext$lp * coef(slope)[[1]]),
             log_likelihood = c(partial(null), partial(slope), partial(refit)),
             level = level),
  logistic = list(eta = ext$eta, baseline = coef(intercept)[[1]], recalibration = coef(both),
                  refit = coef(all),
                  log_likelihood = c(original, logLik(intercept), logLik(both), logLik(all)))),
  digits = NA, auto_unbox = TRUE))
