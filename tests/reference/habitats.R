# k-means of pooled voxels, each sequence scaled by its median and IQR / 1.349, by R's kmeans.
# Run: Rscript tests/reference/habitats.R > tests/reference/habitats.json
suppressMessages(library(jsonlite))
options(digits = 17)
set.seed(12)
patients <- 4; voxels <- 120   # of each patient, two sequences
centre <- rbind(c(-1, 20), c(0.5, 60), c(2, 25))
kind <- sample(1:3, patients * voxels, replace = TRUE, prob = c(.5, .3, .2))
x <- data.frame(patient = rep(1:patients, each = voxels),
                T1c = round(rnorm(length(kind), centre[kind, 1], .6), 3),
                ADC = round(rnorm(length(kind), centre[kind, 2], 9), 2))
v <- as.matrix(x[c("T1c", "ADC")])
med <- apply(v, 2, median)
scale <- apply(v, 2, IQR) / (2 * qnorm(.75))
z <- sweep(sweep(v, 2, med), 2, scale, "/")
fit <- function(k) {
  f <- kmeans(z, k, nstart = 200, iter.max = 1000, algorithm = "Hartigan-Wong")
  o <- order(f$centers[, 1])
  n <- nrow(z)
  list(k = k, centres = unname(f$centers[o, ]), within = f$tot.withinss, sizes = f$size[o],
       calinski_harabasz = (f$betweenss / (k - 1)) / (f$tot.withinss / (n - k)),
       share_within = f$tot.withinss / f$totss)
}
cat(toJSON(list(versions = list(R = as.character(getRversion())), voxels = x, median = unname(med),
                scale = unname(scale), fits = lapply(2:4, fit)),
           dataframe = "columns", digits = NA, auto_unbox = TRUE), "\n")
