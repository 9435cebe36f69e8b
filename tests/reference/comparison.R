# Frozen likelihood-ratio tests of nested models, differences in new patients, rank correlations.
# Rscript tests/reference/comparison.R   (from the root; needs survival, lmtest, pROC, jsonlite)
suppressMessages({library(survival); library(lmtest); library(pROC); library(jsonlite)})
options(digits = 17)

set.seed(20263)
n <- 360
age <- round(rnorm(n, 55, 12))
grade <- sample(2:4, n, replace = TRUE)
volume <- round(exp(rnorm(n, 3, 0.7)), 1)
marker <- round(rnorm(n), 3)
lp <- 0.03 * (age - 55) + 0.5 * (grade == 4) + 0.6 * marker
true <- rexp(n, 0.03 * exp(lp))
censored <- runif(n, 5, 60)
time <- ceiling(pmin(true, censored))               # whole months: many ties
event <- as.integer(true <= censored)
class <- rbinom(n, 1, plogis(-0.3 + lp))
new <- rep(c(0, 1), c(240, 120))
d <- data.frame(age, g3 = as.integer(grade == 3), g4 = as.integer(grade == 4), grade, volume, marker,
                time, event, class, new)
old <- d[d$new == 0, ]; out <- d[d$new == 1, ]

tight <- coxph.control(eps = 1e-14, iter.max = 200, toler.chol = 1e-15)
small <- coxph(Surv(time, event) ~ age + g3 + g4, old, ties = "efron", control = tight)
large <- coxph(Surv(time, event) ~ age + g3 + g4 + marker, old, ties = "efron", control = tight)
cox <- anova(small, large)
strict <- glm.control(epsilon = 1e-15, maxit = 100)
small_glm <- glm(class ~ age, binomial, old, control = strict)
large_glm <- glm(class ~ age + g3 + g4 + marker, binomial, old, control = strict)
logistic <- anova(small_glm, large_glm, test = "LRT")
again <- lrtest(small_glm, large_glm)
stopifnot(all.equal(again$Chisq[2], logistic$Deviance[2]))

# paired differences in the new patients: larger model less smaller
p <- predict(small_glm, out, type = "response"); q <- predict(large_glm, out, type = "response")
test <- roc.test(roc(out$class, q, quiet = TRUE, direction = "<"),
                 roc(out$class, p, quiet = TRUE, direction = "<"), method = "delong", paired = TRUE)
c_of <- function(f) concordance(Surv(time, event) ~ lp, data.frame(out, lp = predict(f, out)),
                                reverse = TRUE)$concordance

result <- list(
  made_by = "tests/reference/comparison.R",
  versions = list(R = R.version.string, survival = as.character(packageVersion("survival")),
                  lmtest = as.character(packageVersion("lmtest")),
                  pROC = as.character(packageVersion("pROC"))),
  data = d,
  cox = list(chi2 = cox$Chisq[2], df = cox$Df[2], p_value = cox[["Pr(>|Chi|)"]][2]),
  logistic = list(chi2 = logistic$Deviance[2], df = logistic$Df[2],
                  p_value = logistic[["Pr(>Chi)"]][2]),
  new = list(c_index = c_of(large) - c_of(small),
             auc = unname(test$estimate[1] - test$estimate[2]),
             auc_delong = as.numeric(test$conf.int),
             brier = mean((q - out$class)^2) - mean((p - out$class)^2)),
  spearman = cor(out$volume, q, method = "spearman")
)
writeLines(toJSON(result, auto_unbox = TRUE, digits = NA, dataframe = "columns", pretty = TRUE),
           "tests/reference/comparison.json")
