# Reference figures for models/{competing_risks,gray,cause_specific}.py.
# Run from the project's root:
#   Rscript tests/reference/competing_risks.R > tests/reference/competing_risks.json
# The patients are simulated below, with tied times. The last part reads public data in
# ../shared/data and keeps summary figures only.
suppressPackageStartupMessages({
  library(survival); library(prodlim); library(cmprsk); library(jsonlite)
})

set.seed(31)
n <- 120
x <- round(rnorm(n), 1)
z <- rbinom(n, 1, 0.4)
first <- rexp(n, 0.03 * exp(0.6 * x))
second <- rexp(n, 0.02 * exp(0.5 * z))
follow <- runif(n, 5, 60)
time <- pmax(ceiling(pmin(first, second, follow)), 1)    # whole months: tied times
cause <- ifelse(follow < pmin(first, second), 0, ifelse(first < second, 1, 2))
group <- sample(c("high", "low", "mid"), n, replace = TRUE)
centre <- sample(c("north", "south"), n, replace = TRUE)
at <- c(6, 12, 24, 36.5)

curves <- function(type) {
  fit <- survfit(Surv(time, factor(cause, 0:2)) ~ group, conf.type = type)
  data.frame(group = rep(c("high", "low", "mid"), fit$strata), time = fit$time,
             n = fit$n.risk[, 1], survival = fit$pstate[, 1],
             first = fit$pstate[, 2], second = fit$pstate[, 3],
             se_first = fit$std.err[, 2], se_second = fit$std.err[, 3],
             lower = fit$lower[, 2], upper = fit$upper[, 2])
}
gray <- cuminc(time, cause, group)
points <- function(fit) timepoints(fit, at)$est
test <- function(...) {
  m <- cuminc(time, cause, ...)$Tests
  list(chi2 = m[, "stat"], p = m[, "pv"], df = m[, "df"])
}
untied <- pmin(first, second, follow)
pl <- prodlim(Hist(time, cause) ~ 1)

pbc <- read.csv("../shared/data/survival/pbc.csv")       # status 1 transplant, 2 death
pbc <- pbc[!is.na(pbc$trt), ]
pbc$cause <- c(0, 2, 1)[pbc$status + 1]                  # death is of interest
years <- survfit(Surv(time / 365.25, factor(cause, 0:2)) ~ trt, pbc)
read <- summary(years, times = c(5, 10))
pbc_gray <- cuminc(pbc$time / 365.25, pbc$cause, pbc$trt)$Tests

out <- list(
  versions = list(R = as.character(getRversion()),
                  survival = as.character(packageVersion("survival")),
                  prodlim = as.character(packageVersion("prodlim")),
                  cmprsk = as.character(packageVersion("cmprsk"))),
  data = list(time = time, cause = cause, group = group, centre = centre, untied = untied, x = x, z = z,
              at = at),
  log = curves("log"), loglog = curves("log-log"), plain = curves("plain"),
  cuminc = points(cuminc(time, cause)), cuminc_grouped = points(gray[1:6]),
  gray = test(group), gray_strata = test(group, centre), gray_rho = test(group, rho = 1),
  gray_two = test(centre), gray_both = test(group, centre, rho = 0.5),
  gray_untied = cuminc(untied, cause, group)$Tests[, "stat"],
  prodlim = list(time = pl$time, first = pl$cuminc[["1"]], se = pl$se.cuminc[["1"]]),
  pbc = list(death = read$pstate[, 2], transplant = read$pstate[, 3],
             se = read$std.err[, 2], lower = read$lower[, 2], upper = read$upper[, 2],
             gray = pbc_gray[, "stat"])
)
cat(toJSON(out, digits = I(15), auto_unbox = TRUE, na = "null", dataframe = "columns", pretty = 1), "\n")
