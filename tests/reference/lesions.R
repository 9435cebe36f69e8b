# Means over lesions weighted by volume, by R's weighted.mean(), missing values aside.
# Run: Rscript tests/reference/lesions.R > tests/reference/lesions.json
suppressMessages(library(jsonlite))
set.seed(8)
n <- 30
rows <- data.frame(patient = sample(sprintf("P%d", 1:9), n, replace = TRUE),
                   volume = round(rlnorm(n), 3), x = round(rnorm(n), 3), y = round(rexp(n), 3))
rows$y[c(3, 11, 20)] <- NA
means <- do.call(rbind, lapply(split(rows, rows$patient), function(d) data.frame(
  patient = d$patient[1], x = weighted.mean(d$x, d$volume),
  y = weighted.mean(d$y, d$volume, na.rm = TRUE))))
row.names(means) <- NULL
means$y[is.nan(means$y)] <- NA
cat(toJSON(list(versions = list(R = as.character(getRversion())), rows = rows, means = means),
           dataframe = "columns", digits = NA, na = "null", auto_unbox = TRUE), "\n")
