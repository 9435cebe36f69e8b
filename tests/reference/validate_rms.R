# Frozen indexes of rms::validate and curves of rms::calibrate, resample by resample.
# Rscript tests/reference/validate_rms.R   (from the root; needs survival, rms, jsonlite)
# The patients are those of validation.R (simulated); the refits are tight, rms as it is stands beside.
suppressMessages({library(survival); library(rms); library(jsonlite)})
options(digits = 17)
old <- fromJSON("tests/reference/validation.json")
d <- as.data.frame(old$data); d$grade <- factor(d$grade)
n <- nrow(d); B <- 40
rows <- t(old$rows) + 1
tight <- coxph.control(eps = 1e-14, iter.max = 100, toler.chol = 1e-15)
narrow <- glm.control(epsilon = 1e-15, maxit = 100)
S <- function(data) Surv(data$time, data$event)
X <- model.matrix(~ age + marker + grade, d)[, -1]

# The formulas of validate.cph and validate.lrm (rms 6.5.0), every refit to convergence.
cox_indexes <- function(lp, data, fit = NULL) {
  f <- coxph(S(data) ~ lp, ties = "efron", control = tight)
  frozen <- coxph(S(data) ~ lp, ties = "efron", init = 1, control = coxph.control(iter.max = 0))
  ll0 <- -2 * f$loglik[1]; lr <- 2 * (f$loglik[2] - f$loglik[1]); m <- nrow(data)
  slope <- if (is.null(fit)) unname(coef(f)) else 1
  D <- (lr - 1) / ll0
  U <- if (is.null(fit)) -2 * (frozen$loglik[2] - f$loglik[2]) / ll0 else -2 / ll0
  c(Dxy = 2 * (unname(concordance(S(data) ~ lp, reverse = TRUE)$concordance) - .5),
    R2 = (1 - exp(-lr / m)) / (1 - exp(-ll0 / m)), Slope = slope, D = D, U = U, Q = D - U,
    g = GiniMd(slope * lp))
}
glm_indexes <- function(lp, data, fit = NULL) {
  f <- glm(data$class ~ lp, family = binomial, control = narrow)
  m <- nrow(data); lr <- f$null.deviance - f$deviance
  intercept <- if (is.null(fit)) unname(coef(f)[1]) else 0
  slope <- if (is.null(fit)) unname(coef(f)[2]) else 1
  D <- (lr - 1) / m
  L01 <- -2 * sum(data$class * lp - log(1 + exp(lp)))
  U <- if (is.null(fit)) (L01 - f$deviance - 2) / m else -2 / m
  c(Dxy = unname(somers2(lp, data$class)["Dxy"]), R2 = (1 - exp(-lr / m)) / (1 - exp(-f$null.deviance / m)),
    Intercept = intercept, Slope = slope, D = D, U = U, Q = D - U, B = mean((data$class - plogis(lp))^2),
    g = GiniMd(slope * lp), gp = GiniMd(plogis(intercept + slope * lp)))
}
fit_cox <- function(i) coef(coxph(S(d[i, ]) ~ X[i, ], ties = "efron", control = tight))
fit_glm <- function(i) coef(glm(d$class[i] ~ X[i, ], family = binomial, control = narrow))
lp_cox <- function(b, i) drop(X[i, ] %*% b)
lp_glm <- function(b, i) drop(cbind(1, X[i, ]) %*% b)

loop <- function(fit, lp, indexes) {
  train <- test <- out <- list()
  for (b in 1:B) {
    i <- rows[, b]; beta <- fit(i); o <- setdiff(1:n, i)
    train[[b]] <- indexes(lp(beta, i), d[i, ], beta)
    test[[b]] <- indexes(lp(beta, 1:n), d)
    out[[b]] <- indexes(lp(beta, o), d[o, ])
  }
  bind <- function(l) as.data.frame(do.call(rbind, l))
  all <- fit(1:n)
  list(apparent = as.list(indexes(lp(all, 1:n), d, all)), train = bind(train), test = bind(test), out = bind(out))
}
exact <- list(cox = loop(fit_cox, lp_cox, cox_indexes), logistic = loop(fit_glm, lp_glm, glm_indexes))

# rms as it is, on the same draws
columns <- c("index.orig", "training", "test", "optimism", "index.corrected", "n")
as_list <- function(v) lapply(setNames(rownames(v), rownames(v)), function(i) as.list(unclass(v)[i, columns]))
dd <- datadist(d); options(datadist = "dd")
units(d$time) <- "Month"
u <- 24
cph_fit <- cph(Surv(time, event) ~ age + marker + grade, d, x = TRUE, y = TRUE, surv = TRUE, time.inc = u,
               eps = 1e-10, iter.max = 50)
lrm_fit <- lrm(class ~ age + marker + grade, d, x = TRUE, y = TRUE, eps = 1e-12, maxit = 50)
rms_out <- list()
for (method in c("boot", ".632")) {
  set.seed(7); rms_out$cox[[method]] <- as_list(rms::validate(cph_fit, method = method, B = B))
  set.seed(7); rms_out$logistic[[method]] <- as_list(rms::validate(lrm_fit, method = method, B = B))
}
# .632 draws its resamples all at once, in the same order
set.seed(11); folds <- sample(n, replace = FALSE)
set.seed(11); rms_out$cox$crossvalidation <- as_list(rms::validate(cph_fit, method = "crossvalidation", B = 10))
set.seed(11); rms_out$logistic$crossvalidation <- as_list(rms::validate(lrm_fit, method = "crossvalidation", B = 10))

# Calibration: KM groups with rms's own cut points; lowess at rms's own grid.
invisible(capture.output({
set.seed(7); km <- rms::calibrate(cph_fit, cmethod = "KM", u = u, m = 50, B = B)
set.seed(7); hare <- rms::calibrate(cph_fit, cmethod = "hare", u = u, B = B)
set.seed(7); binary <- rms::calibrate(lrm_fit, B = B)
}))
surv <- as.vector(attr(km, "predicted"))
cuts <- unique(quantile(c(0, 1, surv), seq(0, 1, length = max(1, floor(n / 50)) + 1)))
table_of <- function(m) as.data.frame(unclass(m)[, , drop = FALSE])

# The same with every refit to convergence (survfit of a tight coxph: Efron's baseline).
survival_at <- function(i, j) {
  f <- coxph(Surv(time, event) ~ age + marker + grade, d[i, ], ties = "efron", control = tight)
  s <- summary(survfit(f, newdata = d[j, ], se.fit = FALSE), times = u, extend = TRUE)$surv
  as.vector(s)
}
group_gap <- function(p, data) { g <- groupkm(p, S(data), u = u, cuts = cuts); g[, "KM"] - g[, "x"] }
apparent <- survival_at(1:n, 1:n)
gaps <- list(apparent = group_gap(apparent, d), train = list(), test = list())
lim <- sort(apparent)[c(5, n - 4)]
grid <- seq(lim[1], lim[2], length.out = 20)
curve <- function(p, data) {                # Cox on a spline of the complementary log-log risk
  at <- function(s) log(-log(pmin(pmax(s, 1e-4), 1 - 1e-4)))
  k <- quantile(at(p), c(.1, .5, .9))
  basis <- function(s) rcspline.eval(at(s), knots = k, inclx = TRUE)
  x <- basis(p)
  f <- coxph(S(data) ~ x, ties = "efron", control = tight)
  base <- summary(survfit(f, newdata = list(x = matrix(colMeans(x), 1)), se.fit = FALSE), times = u, extend = TRUE)$surv
  base ^ exp(drop(sweep(basis(grid), 2, colMeans(x)) %*% coef(f)))
}
smooth <- list(apparent = curve(apparent, d), train = list(), test = list())
low <- function(p, y, at) approx(lowess(p, y, iter = 0), xout = at, ties = function(x) x[1])$y
p_all <- plogis(lp_glm(fit_glm(1:n), 1:n)); s_p <- sort(p_all)
predy <- seq(s_p[5], s_p[n - 4], length = 50)
lows <- list(apparent = low(p_all, d$class, predy), train = list(), test = list())
for (b in 1:B) {
  i <- rows[, b]; p <- survival_at(i, 1:n); beta <- fit_glm(i); q <- plogis(lp_glm(beta, 1:n))
  gaps$train[[b]] <- group_gap(p[i], d[i, ]); gaps$test[[b]] <- group_gap(p, d)
  smooth$train[[b]] <- curve(p[i], d[i, ]); smooth$test[[b]] <- curve(p, d)
  lows$train[[b]] <- low(q[i], d$class[i], predy); lows$test[[b]] <- low(q, d$class, predy)
}
bind <- function(g) { g$train <- do.call(rbind, g$train); g$test <- do.call(rbind, g$test); g }

# Hosmer and Lemeshow's statistic as ResourceSelection::hoslem.test computes it.
hoslem <- function(y, p, g) {
  q <- quantile(p, seq(0, 1, 1 / g)); cut_p <- cut(p, unique(q), include.lowest = TRUE)
  obs <- xtabs(cbind(1 - y, y) ~ cut_p); exp <- xtabs(cbind(1 - p, p) ~ cut_p)
  c(chi2 = sum((obs - exp)^2 / exp), groups = length(unique(q)) - 1)
}
out <- list(
  versions = list(R = R.version.string, survival = as.character(packageVersion("survival")),
                  rms = as.character(packageVersion("rms"))),
  exact = exact, rms = rms_out, folds = folds - 1, horizon = u,
  groups = c(list(cuts = cuts, predicted = surv, exact_survival = apparent, rms = table_of(km)), bind(gaps)),
  smooth = c(list(grid = grid), bind(smooth)),
  hare = table_of(hare),
  lowess = c(list(grid = predy, rms = table_of(binary)), bind(lows)),
  hosmer_lemeshow = as.list(hoslem(d$class, p_all, 10)), risk = p_all
)
write(toJSON(out, auto_unbox = TRUE, digits = 15, dataframe = "columns", na = "null"), "tests/reference/validate_rms.json")
