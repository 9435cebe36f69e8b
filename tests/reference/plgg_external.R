# Frozen external validation of the clinical Cox models of the pLGG study: Discovery -> Replicate.
# Rscript tests/reference/plgg_external.R   (from the root; needs ../shared/data, and survival, rms,
# Hmisc, riskRegression, pec, prodlim, jsonlite). Summary figures only: no patient's row leaves.
suppressMessages({
  library(survival); library(rms); library(Hmisc); library(prodlim); library(riskRegression); library(jsonlite)
})
options(digits = 17)

read <- function(name) read.csv(file.path("..", "shared", "data", "plgg", name), check.names = FALSE)
d <- merge(read("clinical_scaled.csv"), read("outcome_pfs.csv"), by = "SubjectID", suffixes = c("", ".y"))
stopifnot(identical(d$Cohort, d$Cohort.y), nrow(d) == 201)
d$time <- d[["Progression Free Survival"]]
d$event <- as.integer(d$Censorship == "True")        # True = event: the data's own README
baseline <- c("Sex", "Age at Diagnosis", "Tumor Location", "NF1", "Extent of Tumor Resection")
models <- list(baseline = baseline, all = c(baseline, "Chemotherapy", "Radiation"))
horizons <- c(12, 24, 60)
thresholds <- c(0.1, 0.2, 0.3, 0.4, 0.5)
dev <- d[d$Cohort == "Discovery", ]; new <- d[d$Cohort == "Replicate", ]
y <- Surv(new$time, new$event)

tight <- coxph.control(eps = 1e-12, iter.max = 100, toler.chol = 1e-14)
km_risk <- function(time, event, t) 1 - summary(survfit(Surv(time, event) ~ 1), times = t)$surv

net_benefit <- function(risk, t, p) {                 # NA where nobody treated is followed to t
  pos <- risk >= p
  if (!any(pos)) return(0)
  f <- if (max(new$time[pos]) < t && min(survfit(y[pos] ~ 1)$surv) > 0) NA else
    1 - summary(survfit(y[pos] ~ 1), times = t, extend = TRUE)$surv
  mean(pos) * (f - (1 - f) * p / (1 - p))
}

at_horizon <- function(risk, lp, t) {
  x <- log(-log(1 - risk))                            # no risk here comes near 0 or 1
  knots <- quantile(x, c(.1, .5, .9))
  s <- rcspline.eval(x, knots = knots, inclx = TRUE, norm = 2)
  smooth <- coxph(y ~ s, ties = "efron", control = tight)
  base <- basehaz(coxph(y ~ s, ties = "efron", control = tight), centered = TRUE)
  h <- max(base$hazard[base$time <= t])
  observed <- 1 - exp(-h * exp(drop(sweep(s, 2, colMeans(s)) %*% coef(smooth))))
  gap <- abs(observed - risk)
  pseudo <- drop(1 - jackknife(prodlim(Hist(time, event) ~ 1, data = new), times = t))
  level <- glm(pseudo ~ 1 + offset(x), family = quasi(link = "cloglog", variance = "constant"),
               start = 0, control = glm.control(epsilon = 1e-14, maxit = 200))
  n_events <- sum(new$event[new$time <= t])
  oe <- km_risk(new$time, new$event, t) / mean(risk)
  list(
    observed_risk = km_risk(new$time, new$event, t), expected_risk = mean(risk),
    observed_expected = oe, observed_expected_interval = oe * exp(c(-1, 1) * qnorm(.975) / sqrt(n_events)),
    n_events = n_events,
    c_index_uno = unname(concordance(y ~ lp, reverse = TRUE, timewt = "n/G2", ymax = t)$concordance),
    ici = mean(gap), e50 = unname(quantile(gap, .5)), e90 = unname(quantile(gap, .9)), emax = max(gap),
    calibration_intercept = unname(coef(level)),
    net_benefit = sapply(thresholds, function(p) net_benefit(risk, t, p)),
    treat_all = sapply(thresholds, function(p) net_benefit(rep(1, nrow(new)), t, p))
  )
}

external <- function(columns) {
  X <- as.matrix(dev[, columns]); Z <- as.matrix(new[, columns])
  fit <- coxph(Surv(dev$time, dev$event) ~ X, ties = "efron", control = tight)
  lp_dev <- drop(sweep(X, 2, colMeans(X)) %*% coef(fit))
  lp <- drop(sweep(Z, 2, colMeans(X)) %*% coef(fit))
  # Breslow's baseline after Efron's ties, as nomomics has it: survfit with ctype = 1
  base <- survfit(fit, newdata = list(X = matrix(colMeans(X), 1, dimnames = list(NULL, columns))), ctype = 1, stype = 2)
  h <- sapply(horizons, function(t) max(base$cumhaz[base$time <= t]))
  risk <- sapply(h, function(v) 1 - exp(-v * exp(lp)))
  score <- Score(list(cox = risk), Hist(time, event) ~ 1, data = new[, c("time", "event")], times = horizons,
                 metrics = c("auc", "brier"), summary = "ipa", cens.model = "km", null.model = TRUE,
                 se.fit = FALSE, conf.int = FALSE)
  brier <- as.data.frame(score$Brier$score); brier <- brier[brier$model == "cox", ]
  auc <- as.data.frame(score$AUC$score); auc <- auc[auc$model == "cox", ]
  # pec as a second opinion of the Brier score
  p <- pec::pec(list(cox = 1 - risk), Hist(time, event) ~ 1,
                data = new[, c("time", "event")], times = horizons, exact = FALSE, start = horizons[1],
                cens.model = "marginal", verbose = FALSE)
  cut <- median(lp_dev)
  group <- as.integer(lp > cut)                       # at or below the cut: the lower group
  test <- survdiff(y ~ group)
  curve <- survfit(y ~ group)
  at <- summary(curve, times = c(0, horizons), extend = TRUE)
  medians <- summary(curve)$table
  list(
    coefficients = as.list(coef(fit) |> setNames(columns)),
    log_likelihood = fit$loglik,
    c_index = unname(rcorr.cens(-lp, y)["C Index"]),
    c_index_survival = unname(concordance(y ~ lp, reverse = TRUE)$concordance),
    calibration_slope = unname(coef(coxph(y ~ lp, ties = "efron", control = tight))),
    auc = auc$AUC, brier = brier$Brier, ipa = brier$IPA, brier_pec = p$AppErr$cox,
    horizons = setNames(lapply(seq_along(horizons), function(j) at_horizon(risk[, j], lp, horizons[j])), horizons),
    groups = list(
      cut_point = cut, n = as.vector(table(group)), events = unname(medians[, "events"]),
      median = unname(medians[, "median"]), median_lower = unname(medians[, "0.95LCL"]),
      at = c(0, horizons), n_at_risk = split(at$n.risk, at$strata) |> unname(),
      survival = split(at$surv, at$strata) |> unname(), lower = split(at$lower, at$strata) |> unname(),
      upper = split(at$upper, at$strata) |> unname(),
      chi2 = test$chisq, df = length(test$n) - 1, p_value = pchisq(test$chisq, 1, lower.tail = FALSE)
    )
  )
}

version <- function(p) as.character(packageVersion(p))
out <- list(
  versions = list(R = R.version.string, survival = version("survival"), rms = version("rms"), Hmisc = version("Hmisc"),
                  riskRegression = version("riskRegression"), pec = version("pec"), prodlim = version("prodlim")),
  call = "coxph(ties = 'efron'); survfit(ctype = 1); Score(cens.model = 'km'); pec(cens.model = 'marginal')",
  n_patients = c(nrow(dev), nrow(new)), n_events = c(sum(dev$event), sum(new$event)),
  horizons = horizons, thresholds = thresholds,
  models = lapply(models, external)
)
write(toJSON(out, auto_unbox = TRUE, digits = 15, na = "null", pretty = TRUE), "tests/reference/plgg_external.json")
