# Run in the root of the repository: Rscript tests/reference/hosmer_lemeshow.R
# Hosmer-Lemeshow and Greenwood-Nam-D'Agostino by their published formulas, on simulated patients.
# (ResourceSelection is not installed: hoslem.test cuts at unique deciles, right-closed, and adds up
# (observed - expected)^2 / expected over events and non-events. Demler's GND.calib adds up
# (KM risk - mean risk)^2 / Greenwood's variance and refers it to chi2 with groups - 1.)
suppressMessages({library(survival); library(jsonlite)})
set.seed(20)
n <- 400
x <- round(rnorm(n), 2)
y <- rbinom(n, 1, plogis(-0.5 + 1.1 * x))
p <- round(plogis(-0.3 + 0.9 * x), 3)          # someone else's model
fit <- fitted(glm(y ~ x, family = binomial))   # fitted here
hl <- function(y, p, g) {
  cut_p <- cut(p, unique(quantile(p, seq(0, 1, 1 / g))), include.lowest = TRUE)
  obs <- xtabs(cbind(1 - y, y) ~ cut_p); exp <- xtabs(cbind(1 - p, p) ~ cut_p)
  list(chi2 = sum((obs - exp)^2 / exp), observed = as.vector(obs[, 2]), expected = as.vector(exp[, 2]))
}
h <- 0.1 * exp(x)
death <- rexp(n, h); cens <- runif(n, 2, 14)
time <- ceiling(10 * pmin(death, cens)) / 10; status <- as.integer(death <= cens)
u <- 5; risk <- round(1 - exp(-1.1 * h * u), 4)
gnd <- function(time, status, p, u, g) {
  group <- cut(p, unique(quantile(p, seq(0, 1, 1 / g))), include.lowest = TRUE)
  parts <- lapply(levels(group), function(k) {
    i <- group == k
    s <- summary(survfit(Surv(time[i], status[i]) ~ 1, error = "greenwood"), times = u)
    c(1 - s$surv, s$std.err, mean(p[i]), sum(status[i] & time[i] <= u))
  })
  m <- do.call(rbind, parts)
  chi2 <- sum((m[, 1] - m[, 3])^2 / m[, 2]^2)
  list(chi2 = chi2, observed = m[, 1], std_error = m[, 2], predicted = m[, 3], events = m[, 4],
       p_demler = pchisq(chi2, nrow(m) - 1, lower.tail = FALSE))
}
ten <- hl(y, fit, 10)
out <- list(
  versions = list(R = R.version.string, survival = as.character(packageVersion("survival"))),
  y = y, p = p, fit = unname(fit), other = hl(y, p, 10), own = c(ten, p_value = pchisq(ten$chi2, 8, lower.tail = FALSE)),
  time = time, status = status, horizon = u, risk = risk, gnd = gnd(time, status, risk, u, 4)
)
write(toJSON(out, auto_unbox = TRUE, digits = 15), "tests/reference/hosmer_lemeshow.json")
