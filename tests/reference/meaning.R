# What factors mean, for models/associations.py and omics/gene_sets.py: tests of one factor against
# columns of each type, and over-representation of gene sets.
# Run from the project's root:  Rscript tests/reference/meaning.R > tests/reference/meaning.json
# The patients are simulated below, with tied values and tied times.
suppressPackageStartupMessages({ library(survival); library(jsonlite) })
set.seed(41)
n <- 45
factor <- round(rnorm(n), 2)
number <- round(50 + 6 * factor + rnorm(n, sd = 8))
binary <- as.integer(factor + rnorm(n) < 0.2)
ordered <- c("low", "mid", "high")[1 + (factor + rnorm(n) > -0.5) + (factor + rnorm(n) > 0.8)]
nominal <- sample(c("a", "b", "c"), n, replace = TRUE)
time <- ceiling(rexp(n, 0.05 * exp(0.5 * factor)))
event <- as.integer(runif(n) < 0.7)
code <- match(ordered, c("low", "mid", "high"))
spearman <- cor.test(factor, number, method = "spearman", exact = FALSE)
# R's p of Spearman's rho without the exact table: t with n - 2 degrees of freedom
u <- wilcox.test(factor[binary == 1], factor[binary == 0], exact = FALSE, correct = TRUE)
kendall <- cor.test(factor, code, method = "kendall", exact = FALSE)
kruskal <- kruskal.test(factor, as.factor(nominal))
cox <- coxph(Surv(time, event) ~ factor)
harrell <- concordance(Surv(time, event) ~ factor, reverse = TRUE)$concordance
p <- c(number = spearman$p.value, binary = u$p.value, ordered = kendall$p.value,
       nominal = kruskal$p.value, OS = summary(cox)$sctest[["pvalue"]])
effect <- c(number = unname(spearman$estimate),
            binary = unname(2 * u$statistic / (sum(binary) * sum(1 - binary)) - 1),
            ordered = unname(kendall$estimate), nominal = unname(kruskal$statistic / (n - 1)),
            OS = 2 * harrell - 1)
tests <- lapply(names(p), function(k) list(effect = effect[[k]], p_value = p[[k]]))
names(tests) <- names(p)
tests$adjusted <- as.list(p.adjust(p, "BH"))
counts <- list(c(6, 9, 41, 12), c(3, 9, 41, 12), c(0, 5, 41, 12), c(20, 60, 2000, 50),
               c(12, 12, 100, 40))
sets <- lapply(counts, function(q) {
  k <- q[1]; K <- q[2]; N <- q[3]; top <- q[4]
  fisher <- fisher.test(matrix(c(k, K - k, top - k, N - K - top + k), 2), alternative = "greater")
  list(n_overlap = k, n_set = K, n_universe = N, n_top = top,
       phyper = phyper(k - 1, K, N - K, top, lower.tail = FALSE), fisher = fisher$p.value)
})
out <- list(
  versions = list(R = as.character(getRversion()), survival = as.character(packageVersion("survival"))),
  data = data.frame(factor, number, binary, ordered, nominal, time, event),
  associations = tests,
  gene_sets = sets
)
cat(toJSON(out, dataframe = "columns", auto_unbox = TRUE, digits = NA, pretty = FALSE), "\n")
