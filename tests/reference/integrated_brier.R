# Integrated Brier score of step curves: pec's crps; frozen in integrated_brier.json.
# The simulated patients of discrimination.json. Run beside it: Rscript integrated_brier.R
suppressPackageStartupMessages({ library(survival); library(prodlim); library(pec); library(jsonlite) })
d <- fromJSON("discrimination.json")
time <- d$data$time; event <- 1 * (d$data$status == 1); a <- d$data$a
steps <- c(1.5, 4, 6, 9.25, 13, 18, 23.5)              # some where patients leave, some between
risk <- round(outer(exp(0.8 * a), steps, function(e, t) 1 - exp(-0.05 * t * e)), 3)
horizons <- c(1, 6, 12.5, 20)
grid <- sort(unique(c(0, time[time < 25], steps, horizons)))
survival <- cbind(1, 1 - risk)[, 1 + findInterval(grid, steps)]   # wherever anything steps
scores <- pec(list(model = survival), formula = Surv(time, event) ~ 1, data = data.frame(time, event),
              times = grid, exact = FALSE, cens.model = "marginal", reference = FALSE,
              start = 0, maxtime = max(grid), verbose = FALSE)
writeLines(toJSON(list(
  versions = lapply(c(R = "base", survival = "survival", prodlim = "prodlim", pec = "pec"),
                    function(x) as.character(packageVersion(x))),
  steps = steps, risk = risk, horizons = horizons,
  ibs = unname(sapply(horizons, function(t) as.numeric(crps(scores, times = t))))
), digits = NA, auto_unbox = TRUE), "integrated_brier.json")
