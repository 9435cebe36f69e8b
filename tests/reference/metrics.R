# Reference figures for models/{discrimination,accuracy,calibration,calibration_curves,decision,
# censoring,survival_curves,lowess}.py.
# Run from the project's root:  Rscript tests/reference/metrics.R > tests/reference/metrics.json
# The patients of the first part are simulated below, with tied times and tied predictions. The
# second part reads public data in ../shared/data and keeps summary figures only.
suppressPackageStartupMessages({
  library(survival); library(prodlim); library(riskRegression); library(Hmisc); library(jsonlite)
})

set.seed(20)
n <- 90
x <- round(rnorm(n), 1)                                   # tied predictions
latent <- rexp(n, 0.03 * exp(0.7 * x))
follow <- runif(n, 5, 60)
time <- pmax(ceiling(pmin(latent, follow)), 1)            # whole months: tied times
event <- as.integer(latent <= follow)
group <- sample(c("low", "mid", "high"), n, replace = TRUE)
fold <- rep(1:3, length.out = n)
lp <- 0.9 * x
horizons <- c(12, 24, 40)
risk <- sapply(horizons, function(h) round(1 - exp(-0.02 * h * exp(lp)), 4))
y <- rbinom(n, 1, plogis(-0.4 + 0.8 * x))
p <- round(plogis(-0.2 + 1.1 * x), 4)
tau <- 30.5                                               # no event falls on it
thresholds <- c(0, 0.05, 0.1, 0.25, 0.4, 0.6, 0.8, 0.9)
tight <- coxph.control(eps = 1e-12, toler.chol = 1e-13, iter.max = 100)
cloglog <- function(q) log(-log(1 - q))

risk_at <- function(fit, t) 1 - summary(fit, times = t, extend = FALSE)$surv
calibration <- function(time, event, risk, horizon, grid) {
  # Austin, Harrell, van Klaveren 2020: coxph on a 3-knot spline of cloglog, read at the horizon
  z <- cloglog(risk)
  knots <- quantile(z, c(.1, .5, .9))
  basis <- rcspline.eval(z, knots = knots, inclx = TRUE)
  d <- data.frame(time, event, a = basis[, 1], b = basis[, 2])
  fit <- coxph(Surv(time, event) ~ a + b, d, ties = "efron", control = tight)
  at <- function(q) {
    s <- rcspline.eval(cloglog(q), knots = knots, inclx = TRUE)
    sf <- survfit(fit, newdata = data.frame(a = s[, 1], b = s[, 2]))
    as.numeric(1 - summary(sf, times = horizon)$surv)
  }
  gap <- abs(at(risk) - risk)
  list(ici = mean(gap), e50 = median(gap), e90 = quantile(gap, .9, names = FALSE),
       emax = max(gap), observed = at(grid))
}
pseudo_intercept <- function(time, event, risk, horizon) {
  d <- data.frame(time, event)
  fit <- prodlim(Hist(time, event) ~ 1, data = d)
  theta <- 1 - as.numeric(jackknife(fit, times = horizon))
  off <- cloglog(risk)
  # independence estimating equation with constant variance
  equation <- function(a) { h <- exp(a + off); sum(h * exp(-h) * (theta - 1 + exp(-h))) }
  uniroot(equation, c(-1, 1), tol = 1e-13)$root
}
slope <- function(time, event, lp, strata = NULL) {
  if (is.null(strata)) coxph(Surv(time, event) ~ lp, control = tight)$coef[["lp"]]
  else coxph(Surv(time, event) ~ lp + strata(strata), control = tight)$coef[["lp"]]
}
net_benefit <- function(risk, time, event, horizon, p) {
  pos <- risk >= p
  if (!any(pos)) return(0)
  s <- survfit(Surv(time[pos], event[pos]) ~ 1)
  if (max(time[pos]) < horizon) return(NA)
  f <- 1 - summary(s, times = horizon)$surv
  mean(pos) * (f - (1 - f) * p / (1 - p))
}
score <- function(time, event, risk, horizon, metrics = c("AUC", "Brier")) {
  d <- data.frame(time, event)
  s <- Score(list(model = as.matrix(risk)), Hist(time, event) ~ 1, data = d, times = horizon,
             cens.model = "km", conf.int = FALSE, metrics = metrics, summary = "ipa",
             null.model = TRUE)
  list(auc = s$AUC$score[model == "model", AUC], brier = s$Brier$score[model == "model", Brier],
       ipa = s$Brier$score[model == "model", IPA])
}
curve_table <- function(fit) {
  s <- survfit0(fit)
  labels <- if (is.null(s$strata)) rep("all", length(s$time)) else
    rep(sub(".*=", "", names(s$strata)), s$strata)
  list(group = labels, time = s$time, n_at_risk = s$n.risk, n_events = s$n.event,
       n_censored = s$n.censor, survival = s$surv, lower = s$lower, upper = s$upper)
}
medians <- function(fit) {
  q <- quantile(fit, 0.5)
  list(group = if (is.null(fit$strata)) "all" else sub(".*=", "", names(fit$strata)),
       median = as.numeric(q$quantile), lower = as.numeric(q$lower), upper = as.numeric(q$upper))
}

all <- survfit(Surv(time, event) ~ 1)
grouped <- survfit(Surv(time, event) ~ group)
test <- survdiff(Surv(time, event) ~ group)
censoring <- prodlim(Hist(time, event) ~ 1, data = data.frame(time, event), reverse = TRUE)
ticks <- c(5, 12, 13, 24, 30.5, 40)
flat <- survfit(Surv(c(1, 2, 3, 4), c(1, 1, 1, 0)) ~ 1)    # lies on one half from 2 to 3
few <- lowess(c(.1, .1, .1, .1, .1, .1, .4, .4, .9), c(0, 0, 1, 0, 0, 1, 0, 1, 1), iter = 0)
i <- 1:700                                                # distinct values, made alike in Python
many_x <- (i * 0.6180339887498949) %% 1
many <- lowess(many_x, as.numeric(many_x > (i * 0.7548776662466927) %% 1), iter = 0)
grid <- c(0.2, 0.35, 0.5, 0.65, 0.8)
smooth <- lowess(p, y, iter = 0)
on_p <- approx(smooth$x, smooth$y, p, ties = "ordered")$y
gap <- abs(on_p - p)

simulated <- list(
  data = list(time = time, event = event, lp = lp, risk = t(risk), group = group, fold = fold,
              y = y, p = p, horizons = horizons, tau = tau, thresholds = thresholds, grid = grid,
              ticks = ticks),
  c_index = concordance(Surv(time, event) ~ lp, reverse = TRUE)$concordance,
  c_index_uno = concordance(Surv(time, event) ~ lp, reverse = TRUE, timewt = "n/G2",
                            ymax = tau)$concordance,
  at = lapply(seq_along(horizons), function(j) c(
    score(time, event, risk[, j], horizons[j]),
    list(observed_expected = risk_at(all, horizons[j]) / mean(risk[, j]),
         intercept = pseudo_intercept(time, event, risk[, j], horizons[j]),
         calibration = calibration(time, event, risk[, j], horizons[j], grid),
         net_benefit = sapply(thresholds, function(q)
           net_benefit(risk[, j], time, event, horizons[j], q))))),
  slope = slope(time, event, lp),
  slope_stratified = slope(time, event, lp, fold),
  binary = list(
    auc = suppressMessages(as.numeric(pROC::auc(y, p, direction = "<"))),
    slope = glm(y ~ qlogis(p), family = binomial, epsilon = 1e-14)$coef[[2]],
    slope_stratified = glm(y ~ qlogis(p) + factor(fold), family = binomial,
                           epsilon = 1e-14)$coef[[2]],
    intercept = glm(y ~ 1, offset = qlogis(p), family = binomial, epsilon = 1e-14)$coef[[1]],
    brier = mean((y - p)^2), ipa = 1 - mean((y - p)^2) / (mean(y) * (1 - mean(y))),
    observed = approx(smooth$x, smooth$y, grid, ties = "ordered")$y,
    ici = mean(gap), e50 = median(gap), e90 = quantile(gap, .9, names = FALSE), emax = max(gap)),
  lowess_tied = approx(few$x, few$y, c(.1, .4, .9), ties = "ordered")$y,
  lowess_many = many$y[c(1, 2, 100, 350, 600, 695:700)],
  censoring = list(
    at = predict(censoring, times = ticks),
    before = predict(censoring, times = ticks - 1e-6)),   # whole months: just before
  curve = curve_table(all), curve_grouped = curve_table(grouped),
  medians = medians(all), medians_grouped = medians(grouped), median_flat = medians(flat),
  log_rank = list(group = sub(".*=", "", names(test$n)), observed = test$obs,
                  expected = test$exp, chi2 = test$chisq,
                  p = pchisq(test$chisq, 2, lower.tail = FALSE)))

# ---- rotterdam -> gbsg: a Cox model validated in another cohort ------------------------------
folder <- "../shared/data"
real <- NULL
if (dir.exists(folder)) {
  r <- read.csv(file.path(folder, "survival/rotterdam.csv"))
  late <- r$recur == 0 & r$death == 1 & r$rtime < r$dtime
  r$t <- ifelse(late, r$dtime, r$rtime) / 365.25
  r$e <- ifelse(r$t > 5, 0, pmax(r$recur, r$death)); r$t <- pmin(r$t, 5)
  g <- read.csv(file.path(folder, "survival/gbsg.csv"))
  g$t <- g$rfstime / 365.25; g$e <- ifelse(g$t > 5, 0, g$status); g$t <- pmin(g$t, 5)
  prepare <- function(d, size) {
    s <- rcspline.eval(pmin(d$nodes, 19), knots = c(0, 1, 9), inclx = TRUE)
    data.frame(t = d$t, e = d$e, s2 = size == 2, s3 = size == 3, n1 = s[, 1], n2 = s[, 2],
               g3 = d$grade == 3) * 1
  }
  dev <- prepare(r, as.integer(factor(r$size, c("<=20", "20-50", ">50"))))
  val <- prepare(g, as.integer(cut(g$size, c(0, 20, 50, Inf))))
  fit <- coxph(Surv(t, e) ~ s2 + s3 + n1 + n2 + g3, dev, control = tight)
  eta <- predict(fit, val, type = "lp"); u <- 4.99
  base <- basehaz(fit, centered = TRUE)                   # Efron's
  f <- 1 - exp(-max(base$hazard[base$time <= u]) * exp(eta))
  levels <- seq(0.1, 0.8, by = 0.1)
  gbsg <- c(
    list(coefficients = as.numeric(coef(fit)), horizon = u,
         baseline = max(base$hazard[base$time <= u]), mean_lp = sum(coef(fit) * fit$means),
         c_index_development = concordance(fit)$concordance,
         c_index = concordance(Surv(val$t, val$e) ~ eta, reverse = TRUE)$concordance,
         c_index_uno = concordance(Surv(val$t, val$e) ~ eta, reverse = TRUE, timewt = "n/G2",
                                   ymax = u)$concordance),
    score(val$t, val$e, f, u),
    list(observed_expected = risk_at(survfit(Surv(t, e) ~ 1, val), u) / mean(f),
         slope = slope(val$t, val$e, eta),
         intercept = pseudo_intercept(val$t, val$e, f, u)),
    calibration(val$t, val$e, f, u, c(0.3, 0.5, 0.7)),
    list(thresholds = c(0.23, levels),
         net_benefit = sapply(c(0.23, levels), function(q) net_benefit(f, val$t, val$e, u, q))))

  m <- read.csv(file.path(folder, "ucsf_pdgm/UCSF-PDGM-metadata_v2.csv"), check.names = FALSE)
  m <- m[!is.na(m$OS), ]
  idh <- ifelse(m$IDH == "wildtype", "wildtype", "mutant")
  os <- Surv(m$OS, m[["1-dead 0-alive"]])
  d <- survdiff(os ~ idh)
  ucsf <- list(n = nrow(m), n_events = sum(m[["1-dead 0-alive"]]),
               medians = medians(survfit(os ~ idh)), chi2 = d$chisq, expected = d$exp)
  real <- list(gbsg = gbsg, ucsf = ucsf)
}

versions <- sapply(c("survival", "prodlim", "riskRegression", "Hmisc", "pROC"),
                   function(q) as.character(packageVersion(q)))
cat(toJSON(list(made_by = "Rscript tests/reference/metrics.R",
                versions = c(list(R = R.version.string), as.list(versions)),
                simulated = simulated, real = real),
           digits = NA, auto_unbox = TRUE, na = "null", null = "null", pretty = 1), "\n")
