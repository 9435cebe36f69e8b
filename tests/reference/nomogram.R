# Reference numbers for tests/test_nomogram.py, tests/test_design.py and tests/test_ticks.py.
# Run in this folder: Rscript nomogram.R
# Simulated patients; Cox and logistic models fitted to convergence (rms' defaults stop at 1e-4).
suppressMessages({
  library(rms)
  library(jsonlite)
})
options(digits = 17)

# ---- simulated patients ------------------------------------------------------------------------
set.seed(20)
n <- 240
d <- data.frame(
  Age = round(rnorm(n, 55, 14), 1),
  KPS = sample(c(50, 60, 70, 80, 90, 100), n, TRUE, c(1, 2, 3, 4, 4, 2)),
  Volume = round(exp(rnorm(n, 3, 0.8)), 2),
  Grade = factor(sample(c("2", "3", "4"), n, TRUE, c(2, 2, 3)))
)
effect <- with(d, 0.03 * (Age - 55) - 0.025 * (KPS - 80) + 0.9 * pmin(log(Volume) - 3, 1) +
  c(0, 0.3, 0.9)[Grade])
latent <- rexp(n) / (0.025 * exp(effect))
censored <- runif(n, 6, 90)
d$time <- round(pmin(latent, censored), 5)
d$event <- latent <= censored
d$relapse <- runif(n) < plogis(effect - 0.4)
stopifnot(!anyDuplicated(d$time))

patients_range <- datadist(d)
options(datadist = "patients_range")

# ---- models ------------------------------------------------------------------------------------
cox <- cph(Surv(time, event) ~ Age + KPS + rcs(Volume, 4) + Grade, d,
  surv = TRUE, x = TRUE, y = TRUE, eps = 1e-9, tol = 1e-12, iter.max = 50)
logistic <- lrm(relapse ~ Age + KPS + rcs(Volume, 4) + Grade, d, x = TRUE, y = TRUE,
  eps = 1e-14, maxit = 50)
alone <- cph(Surv(time, event) ~ rcs(Age, c(35, 55, 70)), d, surv = TRUE, x = TRUE, y = TRUE,
  eps = 1e-9, tol = 1e-12, iter.max = 50)

# ---- nomograms ---------------------------------------------------------------------------------
risk_ticks <- c(.01, .05, .1, .2, .3, .4, .5, .6, .7, .8, .9, .95, .99)
survival <- Survival(cox)
quantile_of <- Quantile(cox)
risk12 <- function(lp) 1 - survival(12, lp)
risk36 <- function(lp) 1 - survival(36, lp)
med <- function(lp) quantile_of(.5, lp)

lp_at <- pretty(range(cox$linear.predictors), 10)
median_ticks <- pretty(range(med(seq(min(lp_at), max(lp_at), length = 1000)), na.rm = TRUE), 10)

axes <- function(nom) {
  info <- attr(nom, "info")
  list(
    points_per_unit = info$sc,
    intercept = unname(info$Intercept),
    axes = lapply(unclass(nom), function(axis) {
      value <- if (!is.null(axis$x.real)) axis$x.real else axis[[1]]
      # total, lp and function axes keep their place in x; predictors in points
      points <- if (!is.null(axis$points)) axis$points else axis$x
      list(value = I(value), points = I(as.numeric(points)),
        effect = if (is.null(axis$Xbeta)) NULL else I(as.numeric(axis$Xbeta)))
    })
  )
}
nom_cox <- nomogram(cox, fun = list(risk12, risk36, med), fun.at = list(risk_ticks, risk_ticks,
  median_ticks), funlabel = c("risk12", "risk36", "median"))
nom_logistic <- nomogram(logistic, fun = plogis, fun.at = risk_ticks, funlabel = "risk")
nom_default <- nomogram(logistic, fun = plogis, funlabel = "risk")  # rms' own pretty ticks
nom_alone <- nomogram(alone, fun = function(lp) 1 - Survival(alone)(24, lp), fun.at = risk_ticks,
  funlabel = "risk24")
fitted_model <- function(fit) list(
  names = I(names(coef(fit))), coefficients = I(unname(coef(fit))),
  linear_predictor_range = range(fit$linear.predictors),
  knots = lapply(Filter(length, fit$Design$parms), as.vector)
)

# ---- knots and spline columns ------------------------------------------------------------------
set.seed(3)
vectors <- list(
  many = round(rnorm(150, 50, 12), 2), few = round(rexp(40, 0.1), 2),
  ties = sample(1:30, 120, TRUE),
  heavy_first = c(rep(0, 30), round(rexp(170, 0.05), 2)),
  heavy_last = c(round(100 - rexp(150, 0.2), 2), rep(100, 20)),
  heavy_both = c(rep(0, 15), round(runif(110, 1, 99), 2), rep(100, 12)),
  heavy_small = c(rep(0, 10), round(rexp(50, 0.05), 2))
)
knots <- list()
for (name in names(vectors)) for (nk in 3:7) {
  found <- suppressWarnings(rcspline.eval(vectors[[name]], nk = nk, knots.only = TRUE))
  knots[[length(knots) + 1]] <- list(vector = name, n_knots = nk, knots = I(as.numeric(found)))
}
points <- c(-3, 0, 1, 2.5, 4, 7, 9, 20)
spline_columns <- lapply(list(c(0, 1, 9), c(1, 3, 6, 8), c(0, 1, 2, 5, 6, 7, 9)), function(k) list(
  knots = k, columns = unname(split(
    m <- unclass(rcspline.eval(points, knots = k, inclx = TRUE)), row(m)))
))

# ---- pretty ------------------------------------------------------------------------------------
ranges <- list(c(17, 94), c(0, 251.3), c(-3.2, 2.9), c(0, 0.013), c(5, 5), c(0, 0), c(-1, 0),
  c(1e5, 3.3e6), c(-0.07, -0.01), c(0.999, 1.001), c(-12, -12), c(0, 1))
ticks <- list()
for (r in ranges) for (k in c(1, 3, 5, 10, 20)) {
  ticks[[length(ticks) + 1]] <- list(lowest = r[1], highest = r[2], n = k, ticks = I(pretty(r, k)))
}

versions <- list(R = R.version.string)
for (p in c("rms", "Hmisc", "survival")) versions[[p]] <- as.character(packageVersion(p))
write(toJSON(list(
  versions = versions, patients = as.list(d),
  cox = c(fitted_model(cox), axes(nom_cox)),
  logistic = c(fitted_model(logistic), axes(nom_logistic)),
  logistic_default = axes(nom_default),
  alone = c(fitted_model(alone), axes(nom_alone)),
  vectors = vectors, knots = knots,
  spline = list(points = points, expansions = spline_columns), pretty = ticks
), digits = NA, auto_unbox = TRUE, null = "null", pretty = 0), "nomogram.json")
