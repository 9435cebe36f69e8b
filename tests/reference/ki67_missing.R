# Cox models of the hepatocellular cohort under three policies for missing Ki-67 and CD34.
# Rscript tests/reference/ki67_missing.R <hepatoCellular.csv> > tests/reference/ki67_missing.json
library(survival)
library(jsonlite)
d <- read.csv(commandArgs(trailingOnly = TRUE)[1])
s <- Surv(d$OS, d$Death)
fill <- function(x) ifelse(is.na(x), median(x, na.rm = TRUE), x)
gap <- as.numeric(is.na(d$Ki67))
coefs <- function(f) as.list(coef(f))
tight <- coxph.control(eps = 1e-12, toler.chol = 1e-14, iter.max = 50)
out <- list(
  versions = list(R = as.character(getRversion()), survival = as.character(packageVersion("survival"))),
  complete_case = coefs(coxph(s ~ Age + Tumorsize + Vascularinvasion + TNM + Ki67 + CD34, d,
    control = tight)),
  median = coefs(coxph(s ~ Age + Tumorsize + Vascularinvasion + TNM + fill(Ki67) + fill(CD34), d,
    control = tight)),
  indicator = coefs(coxph(s ~ Age + Tumorsize + Vascularinvasion + TNM + fill(Ki67) + gap +
    fill(CD34), d, control = tight))
)
cat(toJSON(out, auto_unbox = TRUE, digits = 12, pretty = TRUE), "\n")
