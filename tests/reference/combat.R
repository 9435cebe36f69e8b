# Frozen numbers of ComBat: parametric or not, means alone, a reference, covariates, gaps.
# Rscript tests/reference/combat.R   (from the root; needs sva, jsonlite)
suppressPackageStartupMessages({library(sva); library(jsonlite)})

set.seed(20266)
n <- c(9, 12, 7); p <- 14
centre <- rep(c("A", "B", "C"), n)
age <- round(rnorm(sum(n), 60, 10)); sex <- sample(c("f", "m"), sum(n), TRUE)
grade <- sample(c("2", "3", "4"), sum(n), TRUE)
shift <- rbind(A = rnorm(p, 0.5), B = rnorm(p, -1), C = rnorm(p, 2, 0.5))
scale <- rbind(A = runif(p, 0.6, 1), B = runif(p, 1, 2), C = runif(p, 0.8, 1.5))
level <- rnorm(p, 50, 30); unit <- exp(rnorm(p, 0, 1.5))
truth <- sapply(seq_len(p), function(j)
  0.03 * (age - 60) * (j %% 3) + 0.6 * (sex == "m") * (j %% 2) + rnorm(sum(n)))
values <- signif(sapply(seq_len(p), function(j)
  level[j] + unit[j] * (truth[, j] * scale[centre, j] + shift[centre, j])), 8)
constant <- values; constant[centre == "B", 4] <- 3
gaps <- values; gaps[cbind(c(1, 5, 12, 20, 27, 3), c(1, 1, 1, 6, 9, 9))] <- NA
few <- values; few[which(centre == "B")[-1], 2] <- NA    # known in one patient of B
whole <- values; whole[centre == "B", 2] <- NA
women <- values; women[sex == "m", 2] <- NA
single <- centre; single[single == "C"] <- c("C", rep("B", n[3] - 1))

mod <- model.matrix(~ age + sex + grade)
quiet <- function(x) { invisible(capture.output(y <- suppressMessages(x))); unname(t(y)) }
refused <- function(...) tryCatch(run(...), error = function(e) conditionMessage(e))
run <- function(x = values, batch = centre, ...) quiet(ComBat(t(x), batch, ...))
many <- 60   # patients a centre, where sva's likelihoods still do not underflow
wide <- signif(rbind(matrix(rnorm(many * 5, 0, 1), many), matrix(rnorm(many * 5, 1, 2), many)), 8)

out <- list(
  made_by = "tests/reference/combat.R",
  versions = list(R = R.version.string, sva = as.character(packageVersion("sva"))),
  data = list(centre = centre, single = single, age = age, sex = sex, grade = grade,
    values = values, constant = constant, gaps = gaps, few = few,
    whole = whole, women = women, wide = wide),
  parametric = run(),
  nonparametric = run(par.prior = FALSE),
  mean_only = run(mean.only = TRUE),
  mean_only_nonparametric = run(mean.only = TRUE, par.prior = FALSE),
  reference = run(ref.batch = "B"),
  reference_nonparametric = run(ref.batch = "B", par.prior = FALSE),
  reference_mean_only = run(ref.batch = "C", mean.only = TRUE),
  covariates = run(mod = mod),
  covariates_nonparametric = run(mod = mod, par.prior = FALSE),
  covariates_reference = run(mod = mod, ref.batch = "A"),
  covariates_mean_only = run(mod = mod, mean.only = TRUE),
  constant = run(constant),
  single = run(batch = single),
  gaps = run(gaps),
  gaps_nonparametric = run(gaps, par.prior = FALSE),
  gaps_covariates = run(gaps, mod = mod),
  gaps_reference = run(gaps, ref.batch = "A"),
  gaps_mean_only = run(gaps, mean.only = TRUE),
  few_mean_only = run(few, mean.only = TRUE),
  few_mean_only_nonparametric = run(few, mean.only = TRUE, par.prior = FALSE),
  whole_centre_missing = refused(whole),
  level_missing = refused(women, mod = model.matrix(~ sex)),
  wide = run(wide, rep(c("A", "B"), each = many), par.prior = FALSE),
  confounded = refused(mod = model.matrix(~ I(centre == "A")))
)
write_json(out, "tests/reference/combat.json", digits = NA, auto_unbox = TRUE, na = "null")
