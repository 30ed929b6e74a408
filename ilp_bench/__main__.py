"""``python -m ilp_bench`` is ``ilp-bench``; ``accelerate launch -m ilp_bench evaluate ...`` starts it many times."""

from ilp_bench.cli.main import main

if __name__ == "__main__":
    main()
