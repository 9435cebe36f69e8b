# Reference figures of assumptions under Breslow's ties and the robust variance, for
# models/proportional_hazards.py, schoenfeld.py and influence.py.
# Run from the project's root:  Rscript tests/reference/cox_ties.R > tests/reference/cox_ties.json
# The patients are those of cox_core.json.
suppressPackageStartupMessages({ library(survival); library(jsonlite) })
d <- as.data.frame(fromJSON("tests/reference/cox_core.json")$data)
tight <- coxph.control(eps = 1e-12, toler.chol = 1e-13, iter.max = 100)
f <- Surv(time, event) ~ age + mutant
fits <- list(breslow = coxph(f, d, ties = "breslow", control = tight),
             robust = coxph(f, d, robust = TRUE, control = tight))
found <- lapply(fits, function(fit) {
  z <- cox.zph(fit, transform = "km", terms = FALSE)
  list(zph = unname(z$table), residuals = unname(z$y), time = unname(z$time),
       dfbeta = unname(residuals(fit, type = "dfbeta")))
})
writeLines(toJSON(c(list(r = as.character(getRversion()),
                         survival = as.character(packageVersion("survival"))), found),
                  digits = NA, auto_unbox = TRUE))
