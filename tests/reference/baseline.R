# Reference figures for models/balance.py and models/group_tests.py.
# Run from the project's root:
#   Rscript tests/reference/baseline.R > tests/reference/baseline.json
# The patients are simulated below. Standardised differences are the published formulas (Yang and
# Dalton 2012), written with the first level left out and MASS::ginv, as package tableone has them.
suppressPackageStartupMessages({library(MASS); library(jsonlite)})

set.seed(41)
n <- 150
group <- sample(c("a", "b", "c"), n, replace = TRUE, prob = c(.5, .3, .2))
age <- round(rnorm(n, 55 + 3 * (group == "b")), 6) + rnorm(n, 0, 8)
ki67 <- round(rexp(n, .05))                                  # whole numbers: ties
sex <- sample(c("f", "m"), n, replace = TRUE)
grade <- sample(c("2", "3", "4"), n, replace = TRUE, prob = c(.2, .5, .3))
site <- sample(c("brain", "cord", "eye", "skull"), n, replace = TRUE, prob = c(.8, .1, .07, .03))
rare <- ifelse(runif(n) < .04, "yes", "no")
age[c(4, 90)] <- NA
grade[c(7, 8, 100)] <- NA
patients <- data.frame(group, age, ki67, sex, grade, site, rare)

number <- function(x, y) {
  x <- x[!is.na(x)]; y <- y[!is.na(y)]
  abs(mean(x) - mean(y)) / sqrt((var(x) + var(y)) / 2)
}
category <- function(x, y, levels) {
  p <- prop.table(table(factor(x, levels)))[-1]
  q <- prop.table(table(factor(y, levels)))[-1]
  s <- function(p) { m <- -outer(p, p); diag(m) <- p * (1 - p); m }
  d <- as.vector(p - q)
  sqrt(drop(t(d) %*% ginv((s(as.vector(p)) + s(as.vector(q))) / 2) %*% d))
}
pairs <- list(c("a", "b"), c("a", "c"), c("b", "c"))
differences <- function(name) {
  x <- patients[[name]]
  sapply(pairs, function(pair) {
    one <- x[group == pair[1]]; other <- x[group == pair[2]]
    if (is.numeric(x)) number(one, other)
    else category(one, other, sort(unique(na.omit(x))))
  })
}
names <- c("age", "ki67", "sex", "grade", "site", "rare")

p <- function(test) unname(test$p.value)
statistic <- function(test) unname(test$statistic)
both <- function(test) list(statistic = statistic(test), p_value = p(test))
two <- patients[group != "c", ]
few <- patients[group != "c", ][1:60, ]                        # no ties in age: exact
tests <- list(
  two = list(
    age = both(wilcox.test(age ~ group, two)), ki67 = both(wilcox.test(ki67 ~ group, two, exact = FALSE)),
    exact = both(wilcox.test(age ~ group, few)),
    welch = both(t.test(age ~ group, two)),
    sex = both(chisq.test(table(two$sex, two$group), correct = FALSE)),
    grade = both(chisq.test(table(two$grade, two$group))),
    site = p(fisher.test(table(two$site, two$group))),
    rare = p(fisher.test(table(two$rare, two$group)))),
  three = list(
    age = both(kruskal.test(age ~ group, patients)), ki67 = both(kruskal.test(ki67 ~ group, patients)),
    welch = both(oneway.test(age ~ group, patients)),
    sex = both(chisq.test(table(sex, group))),
    grade = both(chisq.test(table(grade, group))),
    site = p(fisher.test(table(site, group), workspace = 2e7)),
    rare = p(fisher.test(table(rare, group)))))

# too many tables for us to lay out; R simulates too
large <- rbind(c(30, 25), c(40, 60), c(35, 30), c(45, 40), c(50, 45), c(2, 1), c(1, 3), c(0, 2))
set.seed(1)
simulated <- p(chisq.test(large, simulate.p.value = TRUE, B = 1e6))

cat(toJSON(list(
  versions = list(R = paste(R.version$major, R.version$minor, sep = "."),
                  MASS = as.character(packageVersion("MASS"))),
  patients = patients, pairs = pairs,
  differences = setNames(lapply(names, differences), names),
  tests = tests, large = large, simulated = simulated
), digits = NA, auto_unbox = TRUE, na = "null"))
