"""ms-swift's own arguments read every stage, its loader the rows, in order, and its template the answers alone."""

from importlib.metadata import version
from pathlib import Path

from swift.arguments import SftArguments
from swift.cli.main import parse_yaml_args
from swift.dataset import load_dataset
from swift.model import get_processor
from swift.template import get_template
from swift.utils import parse_args

for file in sorted(Path().glob("stage-*.yaml")):
    argv = [str(file)]
    parse_yaml_args(argv)
    base = Path("stage-1.yaml").read_text().split("model: ")[1].split()[0]  # later ones are not trained yet
    argv[argv.index("--model") + 1] = base
    arguments, unknown = parse_args(SftArguments, [*argv, "--model_type", "llama"])
    assert not unknown, unknown
    assert not arguments.dataset_shuffle
    assert not arguments.train_dataloader_shuffle
    assert not arguments.packing
    rows, _ = load_dataset(arguments.dataset, shuffle=arguments.dataset_shuffle)
    assert len(rows) == len(Path(file.stem + ".jsonl").read_text().splitlines())
    template = get_template(get_processor(base, model_type="llama"), template_type=arguments.template)
    template.set_mode("train")
    encoded = template.encode(dict(rows[0]))
    answer = template.tokenizer.decode([label for label in encoded["labels"] if label != -100])
    whole = template.tokenizer.decode(encoded["input_ids"])
    assert 0 < len(answer) < len(whole)
print(
    f"ms-swift {version('ms-swift')}: its arguments take every stage; supervised of the first row: {answer!r} in "
    f"{whole!r}"
)
