# Frozen slopes and levels of unseen margins: one slope within folds, then the level of all patients.
# Rscript tests/reference/recalibration.R   (from the root; needs survival, jsonlite)
suppressMessages({library(survival); library(jsonlite)})
options(digits = 17)

set.seed(20262)
n <- 90
fold <- rep(0:4, length.out = n)
margin <- round(rnorm(n, 0.3 * fold, 0.9), 3)       # folds differ in level, as margins do
true <- rexp(n, 0.04 * exp(0.6 * (margin - 0.3 * fold)))
censored <- runif(n, 5, 60)
time <- ceiling(pmin(true, censored))               # whole months: many ties
event <- as.integer(true <= censored)
class <- rbinom(n, 1, plogis(-0.5 + 0.8 * (margin - 0.3 * fold)))
d <- data.frame(fold, margin, time, event, class)

cox <- coxph(Surv(time, event) ~ margin + strata(fold), d, ties = "efron",
             control = coxph.control(eps = 1e-14, iter.max = 100, toler.chol = 1e-15))
d$eta <- unname(coef(cox)) * margin
# everyone's Breslow hazard at eta = 0: a Cox model with eta as offset and no other term
level <- coxph(Surv(time, event) ~ offset(eta), d, ties = "breslow")
base <- basehaz(level, centered = FALSE)
base <- base[base$time %in% time[event == 1], ]
# the offset's mean is taken off by basehaz whatever centered says: put it back
hazard <- base$hazard * exp(-mean(d$eta))

tight <- glm.control(epsilon = 1e-15, maxit = 100)
logistic <- glm(class ~ margin + factor(fold), binomial, d, control = tight)
slope <- unname(coef(logistic)["margin"])
intercept <- glm(class ~ 1 + offset(slope * margin), binomial, d, control = tight)

writeLines(toJSON(list(
  made_by = "tests/reference/recalibration.R",
  versions = list(R = R.version.string, survival = as.character(packageVersion("survival"))),
  data = as.list(d[c("fold", "margin", "time", "event", "class")]),
  cox_slope = unname(coef(cox)),
  baseline_time = base$time, baseline_hazard = hazard,
  logistic_slope = slope, logistic_intercept = unname(coef(intercept))
), auto_unbox = TRUE, digits = NA, pretty = TRUE), "tests/reference/recalibration.json")
