# Frozen numbers of the tests of level and spread between centres.
# Rscript tests/reference/centre_differences.R   (from the root; needs jsonlite)
suppressPackageStartupMessages(library(jsonlite))

set.seed(20267)
centre <- rep(c("A", "B", "C"), c(9, 12, 7))
values <- signif(cbind(rnorm(28), rnorm(28) + (centre == "B"), rnorm(28) * (1 + 2 * (centre == "C")),
                       round(rnorm(28)), rnorm(28)), 6)
values[c(1, 2, 15), 5] <- NA
level <- apply(values, 2, function(x) kruskal.test(x, factor(centre))$p.value)
spread <- apply(values, 2, function(x) {
  d <- abs(x - ave(x, centre, FUN = function(v) median(v, na.rm = TRUE)))
  anova(lm(d ~ factor(centre)))[["Pr(>F)"]][1]
})
out <- list(
  made_by = "tests/reference/centre_differences.R",
  versions = list(R = R.version.string),
  data = list(centre = centre, values = values),
  level_p = level, spread_p = spread,
  level_q = p.adjust(level, "BH"), spread_q = p.adjust(spread, "BH")
)
write_json(out, "tests/reference/centre_differences.json", digits = NA, auto_unbox = TRUE, na = "null")
