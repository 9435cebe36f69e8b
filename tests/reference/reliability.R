# Intraclass correlations by psych, from the analysis of variance (psych's default, lmer, pulls a
# variance at its edge to 0 and then differs).
# Run: Rscript tests/reference/reliability.R > tests/reference/reliability.json
suppressMessages({ library(psych); library(jsonlite) })
of <- function(x) {
  found <- ICC(x, missing = FALSE, lmer = FALSE)$results
  list(readings = unname(x), estimate = found$ICC, lower = found[["lower bound"]],
       upper = found[["upper bound"]])
}
set.seed(11)
drawn <- function(n, k, between, reader, noise)
  outer(rnorm(n, sd = between), rnorm(k, sd = reader), "+") + matrix(rnorm(n * k, sd = noise), n)
tables <- list(
  shrout_fleiss = matrix(c(9, 2, 5, 8, 6, 1, 3, 2, 8, 4, 6, 8, 7, 1, 2, 6, 10, 5, 6, 9, 6, 2, 4, 7),
                         6, byrow = TRUE),
  good = drawn(40, 2, 1, 0.1, 0.3),
  biased = drawn(25, 3, 1, 1, 0.3),
  noise = drawn(30, 2, 0, 0, 1),
  five = drawn(5, 2, 1, 0.2, 0.4),
  tied = round(drawn(20, 2, 1, 0, 0.5)),
  large_mean = 1e6 + drawn(15, 4, 1, 0.2, 0.4)
)
write_json(list(
  versions = list(R = R.version.string, psych = as.character(packageVersion("psych"))),
  forms = c("ICC(1)", "ICC(A,1)", "ICC(C,1)", "ICC(k)", "ICC(A,k)", "ICC(C,k)"),
  tables = lapply(tables, of)
), stdout(), digits = 15, auto_unbox = TRUE)
