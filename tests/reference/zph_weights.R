# Reference figures for models/proportional_hazards.py with case weights.
# Run from the project's root:  Rscript tests/reference/zph_weights.R > tests/reference/zph_weights.json
# The patients, their weights and strata are those of cox_core.json.
suppressPackageStartupMessages({ library(survival); library(jsonlite) })
d <- as.data.frame(fromJSON("tests/reference/cox_core.json")$data)
tight <- coxph.control(eps = 1e-12, toler.chol = 1e-13, iter.max = 100)
found <- list()
for (ties in c("efron", "breslow")) for (strata in c(FALSE, TRUE)) {
  f <- if (strata) Surv(time, event) ~ age + mutant + strata(centre) else Surv(time, event) ~ age + mutant
  fit <- coxph(f, d, weights = weight, ties = ties, control = tight, robust = FALSE)
  for (transform in c("km", "identity", "rank", "log"))
    found[[paste(ties, if (strata) "strata" else "plain", transform, sep = ".")]] <-
      unname(cox.zph(fit, transform = transform, terms = FALSE)$table[, 1])
}
cat(toJSON(c(list(R = R.version.string, survival = as.character(packageVersion("survival"))), found),
           digits = NA, auto_unbox = TRUE))
