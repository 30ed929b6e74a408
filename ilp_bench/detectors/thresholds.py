"""Thresholds that recipes and diagnosis share: the paper's where it has one (Xue et al. 2026, arXiv 2604.10079)."""

CONFIDENT = 0.5  # probability in [0, 1] of a wrong answer above which it is a prior belief (section 3.2)
KNOWN = 0.2  # probability in [0, 1] of the supervised answer from which on a base model knows it (pass@10 in 3.2)
BEST_OF_5 = 0.1  # BoN-5 accuracy below which knowledge is missing (section 3.2)
DIVERGED = 0.3  # Jensen-Shannon divergence, in nats, of base and tuned model above which they conflict (table 10)
STAGE_DROP = 0.05  # relative drop of a stage's learned rate above which it is being forgotten (section 4.4)
EXEMPLARS = 4  # few-shot exemplars shown to a base model
