# Run in the root of the repository: Rscript tests/reference/reclassification.R
# NRI and IDI: binary by Hmisc::improveProb (category-free NRI, IDI) and by counting (category NRI);
# survival by the published formulas (Pencina 2011: Kaplan-Meier within those moved up and down; IDI
# weighted by the inverse probability of censoring, Uno 2013), on simulated patients.
suppressMessages({library(Hmisc); library(survival); library(jsonlite)})
set.seed(8)
n <- 250
x <- rnorm(n); z <- rnorm(n)
y <- rbinom(n, 1, plogis(-0.6 + x + 0.6 * z))
old <- round(plogis(-0.6 + x), 2); new <- round(plogis(-0.6 + x + 0.5 * z), 2)   # rounded: ties
cuts <- c(0.2, 0.5)
step <- function(p) findInterval(p, cuts)     # risk >= cut is above it
up <- step(new) > step(old); down <- step(new) < step(old)
binary <- list(
  events = mean(up[y == 1]) - mean(down[y == 1]),
  nonevents = mean(down[y == 0]) - mean(up[y == 0])
)
hmisc <- unclass(improveProb(old, new, y))[c("nri", "nri.ev", "nri.ne", "idi", "improveSens", "improveSpec")]
h <- 0.12 * exp(0.8 * x + 0.5 * z)
death <- rexp(n, h); cens <- runif(n, 1, 12)
time <- ceiling(4 * pmin(death, cens)) / 4; status <- as.integer(death <= cens)  # tied times
u <- 4
old_u <- round(1 - exp(-0.12 * exp(0.8 * x) * u), 3); new_u <- round(1 - exp(-h * u), 3)
km <- function(i) summary(survfit(Surv(time[i], status[i]) ~ 1), times = u)$surv
pencina <- function(up, down) {
  s <- km(rep(TRUE, n)); su <- km(up); sd <- km(down)
  list(events = (sum(up) * (1 - su) - sum(down) * (1 - sd)) / (n * (1 - s)),
       nonevents = (sum(down) * sd - sum(up) * su) / (n * s))
}
# censoring curve with events first at ties (prodlim), left limit for events, at u for the rest
g <- prodlim::prodlim(prodlim::Hist(time, status) ~ 1, reverse = TRUE)
g_before <- sapply(time, function(t) predict(g, times = t - 1e-6))  # times are quarters
g_u <- predict(g, times = u)
w1 <- ifelse(time <= u & status == 1, 1 / g_before, 0); w0 <- ifelse(time > u, 1 / g_u, 0)
d <- new_u - old_u
out <- list(
  versions = list(R = R.version.string, Hmisc = as.character(packageVersion("Hmisc")),
                  survival = as.character(packageVersion("survival")), prodlim = as.character(packageVersion("prodlim"))),
  y = y, old = old, new = new, cuts = cuts, category = binary, improve_prob = hmisc,
  time = time, status = status, horizon = u, old_u = old_u, new_u = new_u,
  category_u = pencina(step(new_u) > step(old_u), step(new_u) < step(old_u)),
  free_u = pencina(new_u > old_u, new_u < old_u),
  idi_u = list(events = sum(w1 * d) / sum(w1), nonevents = -sum(w0 * d) / sum(w0))
)
write(toJSON(out, auto_unbox = TRUE, digits = 15), "tests/reference/reclassification.json")
