# Changes of features between two timepoints, by base R's reshape() and merge().
# Run: Rscript tests/reference/delta.R > tests/reference/delta.json
suppressMessages(library(jsonlite))
set.seed(31)
n <- 12
long <- expand.grid(patient = sprintf("P%02d", 1:n), region = c("core", "edema"),
                    timepoint = c("pre", "post"), stringsAsFactors = FALSE)
long$day <- ifelse(long$timepoint == "pre", 3, 40 + as.integer(substr(long$patient, 2, 3)))
long$x <- round(rnorm(nrow(long), 0, 2), 3)
long$y <- round(rlnorm(nrow(long)), 3)
long <- long[sample(nrow(long)), ]
long <- long[!(long$patient == "P03" & long$timepoint == "post"), ]   # one timepoint only
long <- long[!(long$patient == "P05" & long$region == "edema"), ]     # one region only
wide <- reshape(long, idvar = c("patient", "region"), timevar = "timepoint", direction = "wide")
wide <- wide[order(wide$patient, wide$region), ]
change <- function(f) {
  a <- wide[[paste0(f, ".pre")]]; b <- wide[[paste0(f, ".post")]]
  data.frame(patient = wide$patient, region = wide$region, feature = f, absolute = b - a,
             relative = (b - a) / abs(a), per_day = (b - a) / (wide$day.post - wide$day.pre))
}
cat(toJSON(list(versions = list(R = as.character(getRversion())), long = long,
                changes = rbind(change("x"), change("y"))),
           dataframe = "columns", digits = NA, na = "null", auto_unbox = TRUE), "\n")
