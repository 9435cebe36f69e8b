# Limits of agreement with exact intervals (Carkeet 2015: noncentral t), by R's own quantiles.
# Run: Rscript tests/reference/bland_altman.R > tests/reference/bland_altman.json
suppressMessages(library(jsonlite))
set.seed(3)
of <- function(n, bias, sd, coverage, level) {
  first <- rnorm(n, 100, 15); second <- first + rnorm(n, bias, sd)
  d <- second - first; m <- mean(d); s <- sd(d); z <- qnorm((1 + coverage) / 2)
  tails <- c((1 - level) / 2, (1 + level) / 2)
  above <- suppressWarnings(qt(tails, n - 1, ncp = z * sqrt(n))) / sqrt(n)
  mean_ends <- qt(tails, n - 1) / sqrt(n)
  list(first = first, second = second, coverage = coverage, level = level,
       estimate = c(m, m - z * s, m + z * s),
       lower = c(m + s * mean_ends[1], m - s * above[2], m + s * above[1]),
       upper = c(m + s * mean_ends[2], m - s * above[1], m + s * above[2]),
       standard_deviation = s)
}
write_json(list(
  versions = list(R = R.version.string),
  tables = list(of(40, 1, 3, .95, .95), of(8, -2, 5, .95, .95), of(5, 0, 1, .9, .9))
), stdout(), digits = 15, auto_unbox = TRUE)
