# Reference numbers for tests/test_interactions.py and tests/test_nomogram_interactions.py.
# Run in this folder: Rscript nomogram_interactions.R
# Simulated patients; models with interactions fitted to convergence (rms' defaults stop at 1e-4),
# their design matrices for some patients, and their nomograms, axis by axis.
suppressMessages({
  library(rms)
  library(jsonlite)
})
options(digits = 17)

# ---- simulated patients ------------------------------------------------------------------------
set.seed(41)
n <- 300
d <- data.frame(
  Age = round(rnorm(n, 55, 14), 1),
  Volume = round(exp(rnorm(n, 3, 0.7)), 2),
  Nodes = sample(0:3, n, TRUE),
  Sex = factor(sample(c("female", "male"), n, TRUE), levels = c("female", "male")),
  Grade = factor(sample(c("2", "3", "4"), n, TRUE, c(2, 2, 3)))
)
male <- d$Sex == "male"
effect <- with(d, 0.03 * (Age - 55) * ifelse(male, 1.4, 0.3) + 0.4 * male + 0.1 * Nodes +
  c(0, 0.3, 0.9)[Grade] + 0.5 * male * (Grade == "4") + 0.3 * (log(Volume) - 3) -
  0.0004 * (Age - 55) * (Volume - 20))
latent <- rexp(n) / (0.025 * exp(effect))
censored <- runif(n, 6, 90)
d$time <- round(pmin(latent, censored), 5)
d$event <- latent <= censored
d$relapse <- runif(n) < plogis(effect - 0.4)
stopifnot(!anyDuplicated(d$time))
d$Centre <- factor(sample(c("east", "north", "west"), n, TRUE))

patients_range <- datadist(d)
options(datadist = "patients_range")

# ---- models ------------------------------------------------------------------------------------
cox <- function(formula) cph(formula, d, surv = TRUE, x = TRUE, y = TRUE,
  eps = 1e-11, tol = 1e-14, iter.max = 60)
logistic <- function(formula) lrm(formula, d, x = TRUE, y = TRUE, eps = 1e-14, maxit = 60)
fits <- list(
  number_category = cox(Surv(time, event) ~ Age * Sex + Volume),
  spline_category = cox(Surv(time, event) ~ rcs(Age, c(35, 55, 75)) * Sex + Grade),
  category_category = cox(Surv(time, event) ~ Sex * Grade + Age),
  number_number = cox(Surv(time, event) ~ Age * Volume + Sex),
  spline_spline = logistic(relapse ~ rcs(Age, c(35, 55, 75)) * rcs(Volume, c(8, 20, 45))),
  few_values = logistic(relapse ~ Age * Nodes + Grade),
  chain = logistic(relapse ~ Age * Sex + Sex * Grade + Volume)
)
interact <- list(
  number_number = list(Volume = c(10, 20, 40)), spline_spline = list(Volume = c(10, 20, 40))
)

# ---- nomograms ---------------------------------------------------------------------------------
risk_ticks <- c(.01, .05, .1, .2, .3, .4, .5, .6, .7, .8, .9, .95, .99)
chosen <- list(Age = c(20, 40, 60, 90))  # settings of a nomogram with ticks of one's own

axis_of <- function(axis) {
  value <- if (!is.null(axis$x.real)) axis$x.real else axis[[1]]
  points <- if (!is.null(axis$points)) axis$points else axis$x
  list(value = I(value), points = I(as.numeric(points)),
    effect = if (is.null(axis$Xbeta)) NULL else I(as.numeric(axis$Xbeta)))
}
axes <- function(nom) {
  info <- attr(nom, "info")
  list(points_per_unit = info$sc, intercept = unname(info$Intercept),
    axes = lapply(unclass(nom), axis_of))
}
nomogram_of <- function(name, ...) {
  fit <- fits[[name]]
  risk <- if (inherits(fit, "cph")) function(lp) 1 - Survival(fit)(24, lp) else plogis
  arguments <- list(fit, fun = risk, fun.at = risk_ticks, funlabel = "risk", ...)
  if (!is.null(interact[[name]])) arguments$interact <- interact[[name]]
  do.call(nomogram, arguments)
}
shown <- 1:12
described <- lapply(names(fits), function(name) {
  fit <- fits[[name]]
  c(
    list(
      names = I(names(coef(fit))), coefficients = I(unname(coef(fit))),
      design = list(columns = I(colnames(fit$x)), rows = unname(unclass(fit$x))[shown, ]),
      linear_predictor_range = range(fit$linear.predictors)
    ),
    axes(nomogram_of(name))
  )
})
names(described) <- names(fits)
own_ticks <- axes(nomogram(fits$number_category, Age = chosen$Age, fun = function(lp)
  1 - Survival(fits$number_category)(24, lp), fun.at = c(.15, .25, .5), funlabel = "risk",
  lp.at = seq(-2, 2, 0.5)))

# ---- strata: functions of their own ------------------------------------------------------------
stratified <- cox(Surv(time, event) ~ Age * Sex + Volume + strat(Centre))
survival_of <- Survival(stratified)
quantile_of <- Quantile(stratified)
centres <- levels(d$Centre)
risks <- lapply(seq_along(centres), function(k) {
  force(k)
  function(lp) 1 - survival_of(24, lp, stratum = k)
})
medians <- lapply(seq_along(centres), function(k) {
  force(k)
  function(lp) quantile_of(.5, lp, stratum = k)
})
strata <- c(
  list(names = I(names(coef(stratified))), coefficients = I(unname(coef(stratified))),
    linear_predictor_range = range(stratified$linear.predictors), centres = I(centres)),
  axes(nomogram(stratified, fun = c(risks, medians),
    fun.at = c(rep(list(risk_ticks), 3), rep(list(c(5, 10, 20, 40)), 3)),
    funlabel = c(paste("risk", centres), paste("median", centres))))
)

# ---- the interaction as a term of the test of proportional hazards -----------------------------
zph <- cox.zph(coxph(Surv(time, event) ~ Age + Sex + Volume + Age:Sex, d), transform = "km")

versions <- list(R = R.version.string)
for (p in c("rms", "Hmisc", "survival")) versions[[p]] <- as.character(packageVersion(p))
write(toJSON(list(
  versions = versions, patients = as.list(d), models = described, own_ticks = own_ticks,
  strata = strata,
  zph = list(term = I(rownames(zph$table)), chi2 = I(unname(zph$table[, "chisq"])),
    p_value = I(unname(zph$table[, "p"])))
), digits = NA, auto_unbox = TRUE, null = "null", pretty = 0), "nomogram_interactions.json")
