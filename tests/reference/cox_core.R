# Reference figures for models/cox.py, baseline.py, residuals.py and cox_curves.py.
# Run from the project's root:  Rscript tests/reference/cox_core.R > tests/reference/cox_core.json
# The patients are simulated below, with tied times, case weights, strata and clusters.
suppressPackageStartupMessages({ library(survival); library(jsonlite) })
set.seed(12)
n <- 90
d <- data.frame(age = round(rnorm(n, 55, 12)), mutant = rbinom(n, 1, .4))
latent <- rexp(n, .05 * exp(.03 * (d$age - 55) - .8 * d$mutant))
follow <- runif(n, 5, 60)
d$time <- ceiling(pmin(latent, follow))
d$event <- as.integer(latent <= follow)
d$weight <- round(runif(n, .2, 3), 1)
d$centre <- sample(c("A", "B", "C"), n, replace = TRUE)
d$cluster <- sample(20, n, replace = TRUE)
d$offset <- round(rnorm(n, 0, .3), 2)
new <- data.frame(age = c(40, 55, 75), mutant = c(1, 0, 0))
tight <- coxph.control(eps = 1e-12, toler.chol = 1e-13, iter.max = 100)
plain <- function(m) unname(as.matrix(m))
fits <- list()
add <- function(name, f, weighted) {
  loose <- residuals(f, type = "schoenfeld")
  fits[[name]] <<- list(
    coef = unname(coef(f)), var = plain(if (is.null(f$naive.var)) f$var else f$naive.var),
    robust = if (is.null(f$naive.var)) NULL else plain(f$var), loglik = f$loglik,
    martingale = unname(residuals(f, type = "martingale")),
    score = plain(residuals(f, type = "score")), dfbeta = plain(residuals(f, type = "dfbeta")),
    schoenfeld = plain(loose))
}
for (ties in c("efron", "breslow")) {
  add(paste0(ties, ".plain"), coxph(Surv(time, event) ~ age + mutant, d, ties = ties, control = tight))
  add(paste0(ties, ".weights"), coxph(Surv(time, event) ~ age + mutant, d, weights = weight,
                                      ties = ties, control = tight, robust = FALSE))
  add(paste0(ties, ".strata"), coxph(Surv(time, event) ~ age + mutant + strata(centre), d,
                                     ties = ties, control = tight))
  add(paste0(ties, ".robust"), coxph(Surv(time, event) ~ age + mutant, d, robust = TRUE,
                                     ties = ties, control = tight))
  add(paste0(ties, ".cluster"), coxph(Surv(time, event) ~ age + mutant, d, cluster = cluster,
                                      ties = ties, control = tight))
  add(paste0(ties, ".all"), coxph(Surv(time, event) ~ age + mutant + strata(centre) + offset(offset),
                                  d, weights = weight, cluster = cluster, ties = ties, control = tight))
}
curve <- function(f, kind) {
  s <- survfit(f, newdata = new, ctype = 1, stype = 2, conf.type = kind)
  q <- quantile(s, .5)
  list(time = s$time, surv = plain(s$surv), lower = plain(s$lower), upper = plain(s$upper),
       se = plain(s$std.err), median = unname(c(q$quantile)), median_lower = unname(c(q$lower)),
       median_upper = unname(c(q$upper)))
}
curves <- list()
base <- coxph(Surv(time, event) ~ age + mutant, d, control = tight)
breslow <- coxph(Surv(time, event) ~ age + mutant, d, ties = "breslow", control = tight)
weighted <- coxph(Surv(time, event) ~ age + mutant, d, weights = weight, control = tight, robust = FALSE)
for (kind in c("log", "log-log", "plain")) curves[[kind]] <- curve(base, kind)
curves$breslow <- curve(breslow, "log-log")
curves$weighted <- curve(weighted, "log-log")
curves$cluster <- curve(coxph(Surv(time, event) ~ age + mutant, d, cluster = cluster, control = tight),
                        "log-log")
strata <- coxph(Surv(time, event) ~ age + mutant + strata(centre), d, control = tight)
h <- basehaz(strata, centered = FALSE)
s <- survfit(strata, newdata = cbind(new, centre = c("A", "B", "C")), ctype = 1, stype = 2,
             conf.type = "log-log")
by_stratum <- lapply(1:3, function(i) {
  one <- s[i]
  list(time = one$time, surv = one$surv, lower = one$lower, upper = one$upper)
})
writeLines(toJSON(list(r = as.character(getRversion()),
                       survival = as.character(packageVersion("survival")), data = d, new = new,
                       fits = fits, curves = curves, by_stratum = by_stratum),
                  digits = NA, auto_unbox = TRUE, dataframe = "columns"))
