from __future__ import annotations

import io
import json
import sys

import numpy as np
import pytest

from tinyllm import atomic, train
from tinyllm.errors import CheckpointError, ConfigError, DataError
from tinyllm.train import Run, TrainConfig, checkpoint, manifest, metrics

PEAK = 1e11


def bytes_of(run):
    return {name: array.tobytes() for name, array in run.model.state_dict().items()}


def one_line(caught) -> str:
    message = str(caught.value)
    assert "\n" not in message
    return message


def test_a_run_folder_holds_what_it_says(tmp_path, tiny):
    run = Run.create(tmp_path / "deep" / "run", tiny)
    run.train(peak_flops=PEAK)
    names = {path.name for path in run.folder.iterdir()} - {".lock"}
    files = {"manifest.json", "config.json", "tokenizer.json", "tokens.npy"}
    assert names == files | {"checkpoint.npz", "best.npz", "metrics.jsonl"}
    assert TrainConfig.from_dict(json.loads((run.folder / "config.json").read_text())) == run.config
    written = json.loads((run.folder / "manifest.json").read_text())
    assert written["seed"] == tiny.seed and written["config"] == run.config.to_dict()
    assert written["data"]["sha256"] == train.corpus.load(tiny.data).sha256
    assert written["data"]["tokens_sha256"] == manifest.sha256_of_file(run.folder / "tokens.npy")
    assert {name: written[name] for name in manifest.facts()} == manifest.facts()


def test_the_metrics_are_what_the_callbacks_were_told(tmp_path, tiny, log):
    run = Run.create(tmp_path / "run", tiny)
    run.train([log], peak_flops=PEAK)
    rows = metrics.read(run.metrics_path)
    assert [vars(info) for _, _, info in log.of("step")] == [
        {name: value for name, value in row.items() if name != "kind"} for row in rows if row["kind"] == "step"
    ]
    assert log.of("eval") == [
        (row["step"], row["train_loss"], row["val_loss"]) for row in rows if row["kind"] == "eval"
    ]
    assert log.of("sample") == [(row["step"], row["text"]) for row in rows if row["kind"] == "sample"]


def test_the_path_of_the_text_is_kept_absolute(tmp_path, tiny, text_file, monkeypatch):
    monkeypatch.chdir(tmp_path)
    run = Run.create("run", tiny.but(data=text_file.name))
    assert run.config.data == str(text_file.resolve())


def test_what_was_left_out_of_a_folder_is_counted(tmp_path, tiny, text_file):
    (tmp_path / "picture.png").write_bytes(b"\0")
    run = Run.create(tmp_path / "run", tiny.but(data=str(tmp_path)))
    assert (run.manifest["data"]["files"], run.manifest["data"]["skipped"]) == (1, 1)


def test_a_folder_that_holds_a_run_is_not_overwritten(tmp_path, tiny):
    run = Run.create(tmp_path / "run", tiny)
    run.train(until=1, peak_flops=PEAK)
    before = run.checkpoint_path.read_bytes()
    with pytest.raises(ConfigError, match="holds a run already"):
        Run.create(tmp_path / "run", tiny)
    assert run.checkpoint_path.read_bytes() == before
    (tmp_path / "file").write_text("x")
    with pytest.raises(ConfigError, match="is a file"):
        Run.create(tmp_path / "file", tiny)


@pytest.mark.parametrize(
    ("content", "changes", "says"),
    [
        ("abcabcabc", {}, "9 tokens"),
        ("a" * 500, {}, "one symbol"),
        ("a" * 500, {"tokenizer": "bytes"}, "one symbol"),
        ("", {}, "empty"),
        ("red green " * 50, {"model": {"n_head": 3, "n_embd": 16}}, "divide"),
        ("red green " * 50, {"model": {"n_heads": 3}}, "n_head"),
        ("red green " * 50, {"model": "gpt3"}, "gpt2"),
        ("red green " * 50, {"sample_prompt": "blue?"}, "'b'"),
    ],
)
def test_bad_input_is_refused_before_a_folder_is_made(tmp_path, tiny, text_file, content, changes, says):
    text_file.write_text(content)
    with pytest.raises((DataError, ConfigError)) as caught:
        Run.create(tmp_path / "run", tiny.but(**changes))
    assert says in one_line(caught)
    assert not (tmp_path / "run").exists()


def test_a_folder_that_cannot_be_made_is_one_clear_line(tmp_path, tiny):
    (tmp_path / "file").write_text("x")
    with pytest.raises(CheckpointError) as caught:
        Run.create(tmp_path / "file" / "run", tiny)
    assert "cannot write" in one_line(caught)


def test_opening_what_is_no_run(tmp_path, tiny):
    for folder in (tmp_path, tmp_path / "missing"):
        with pytest.raises(CheckpointError) as caught:
            Run.open(folder)
        assert "is no run folder" in one_line(caught)


@pytest.mark.parametrize("name", ["config.json", "tokenizer.json", "tokens.npy", "manifest.json"])
@pytest.mark.parametrize("damage", ["missing", "cut", "foreign"])
def test_a_damaged_run_folder_is_one_clear_line(tmp_path, tiny, name, damage):
    run = Run.create(tmp_path / "run", tiny)
    path = run.folder / name
    if damage == "missing":
        path.unlink()
    else:
        path.write_bytes(path.read_bytes()[: path.stat().st_size // 2] if damage == "cut" else b"[1, 2]")
    with pytest.raises((CheckpointError, DataError, ConfigError)) as caught:
        Run.open(tmp_path / "run")
    one_line(caught)


def test_a_config_with_a_misspelled_key_names_the_nearest(tmp_path, tiny):
    run = Run.create(tmp_path / "run", tiny)
    config = json.loads((run.folder / "config.json").read_text())
    (run.folder / "config.json").write_text(json.dumps({**config, "stepz": 3}))
    with pytest.raises(ConfigError, match="Try: steps"):
        Run.open(tmp_path / "run")


def test_a_checkpoint_of_another_model_names_the_difference(tmp_path, tiny):
    run = Run.create(tmp_path / "run", tiny)
    run.train(until=1, peak_flops=PEAK)
    other = Run.create(tmp_path / "other", tiny.but(model={**tiny.model, "n_layer": 3}))
    other.checkpoint_path.write_bytes(run.checkpoint_path.read_bytes())
    with pytest.raises(CheckpointError) as caught:
        Run.open(tmp_path / "other")
    assert "n_layer is 2 there and 3 here" in one_line(caught)


def test_a_checkpoint_of_another_optimizer_or_of_weights_alone_is_refused(tmp_path, tiny):
    run = Run.create(tmp_path / "run", tiny)
    run.train(peak_flops=PEAK)
    other = Run.create(tmp_path / "other", tiny.but(optimizer="lion"))
    other.checkpoint_path.write_bytes(run.checkpoint_path.read_bytes())
    with pytest.raises(CheckpointError, match="AdamW"):
        Run.open(tmp_path / "other")
    run.checkpoint_path.write_bytes(run.best_path.read_bytes())
    with pytest.raises(CheckpointError, match="weights only"):
        Run.open(tmp_path / "run")


def test_a_truncated_checkpoint_is_one_clear_line(tmp_path, tiny):
    run = Run.create(tmp_path / "run", tiny)
    run.train(until=1, peak_flops=PEAK)
    run.checkpoint_path.write_bytes(run.checkpoint_path.read_bytes()[:-100])
    for opened in (Run.open, train.load):
        with pytest.raises(CheckpointError) as caught:
            opened(tmp_path / "run")
        assert "damaged or cut short" in one_line(caught)


def test_loading_gives_the_best_or_the_latest_weights(tmp_path, tiny):
    run = Run.create(tmp_path / "run", tiny.but(warmup=0, lr=0.3))
    run.train(peak_flops=PEAK)
    latest, words, again = train.load(tmp_path / "run", which="latest")
    assert not latest.training and words == run.tokenizer and again.state.step == 12
    assert {n: a.tobytes() for n, a in latest.state_dict().items()} == bytes_of(run)
    best, _, _ = train.load(tmp_path / "run")
    assert {n: a.tobytes() for n, a in best.state_dict().items()} == {
        n: a.tobytes() for n, a in checkpoint.load(run.best_path).part("model").items()
    }
    with pytest.raises(ConfigError, match="'best' or 'latest'"):
        train.load(tmp_path / "run", which="last")


def test_loading_a_run_that_was_never_trained(tmp_path, tiny):
    Run.create(tmp_path / "run", tiny)
    with pytest.raises(CheckpointError, match="no checkpoint yet"):
        train.load(tmp_path / "run")


def test_a_full_disk_while_training_keeps_the_checkpoint_before(tmp_path, tiny, monkeypatch):
    run = Run.create(tmp_path / "run", tiny)
    run.train(until=3, peak_flops=PEAK)
    before = run.checkpoint_path.read_bytes()

    def full(handle):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(atomic.os, "fsync", full)
    with pytest.raises(CheckpointError) as caught:
        run.train(peak_flops=PEAK)
    message = one_line(caught)
    assert "no space left" in message and "saved before is intact" in message and "free some space" in message
    monkeypatch.undo()
    assert run.checkpoint_path.read_bytes() == before
    assert Run.open(tmp_path / "run").train(peak_flops=PEAK).stopped == "steps"


def test_a_folder_that_turned_read_only_is_found_out_before_the_first_step(tmp_path, tiny, monkeypatch, log):
    run = Run.create(tmp_path / "run", tiny)

    def denied(*_, **__):
        raise PermissionError(13, "Permission denied")

    for module in ("train.lock", "train.metrics", "atomic"):
        monkeypatch.setattr(f"tinyllm.{module}.open", denied, raising=False)
        with pytest.raises(CheckpointError, match=r"permission denied.*Try: choose a folder you may write to"):
            run.train([log], peak_flops=PEAK)
        monkeypatch.undo()
    assert not log.of("step")


def test_what_a_run_began_with_cannot_change_but_its_length_can(tmp_path, tiny):
    Run.create(tmp_path / "run", tiny).train(peak_flops=PEAK)
    for change in ({"seed": 9}, {"block_size": 5}, {"model": "modern"}):
        with pytest.raises(ConfigError, match="cannot change"):
            Run.open(tmp_path / "run", **change)
    with pytest.raises(ConfigError, match="Try: steps"):
        Run.open(tmp_path / "run", stpes=20)
    longer = Run.open(tmp_path / "run", steps=20)
    assert longer.train(peak_flops=PEAK).steps == 20
    assert longer.manifest["config"]["steps"] == 12
    assert [(part["step"], part["config"]["steps"]) for part in longer.manifest["resumed"]] == [(12, 20)]
    assert Run.open(tmp_path / "run").config.steps == 20
    assert Run.open(tmp_path / "run").manifest == longer.manifest


def test_a_run_resumed_as_it_began_leaves_its_manifest_alone(tmp_path, tiny):
    run = Run.create(tmp_path / "run", tiny)
    before = (run.folder / "manifest.json").read_bytes()
    run.train(until=2, peak_flops=PEAK)
    Run.open(tmp_path / "run").train(peak_flops=PEAK)
    assert (run.folder / "manifest.json").read_bytes() == before


def test_a_run_resumed_on_another_machine_says_so(tmp_path, tiny, monkeypatch):
    run = Run.create(tmp_path / "run", tiny)
    run.train(until=2, peak_flops=PEAK)
    assert manifest.differences(run.manifest) == []
    threads = manifest.facts()["threads"]
    for until, count in ((4, threads + 1), (6, threads + 1), (8, threads)):
        monkeypatch.setenv("TINYLLM_THREADS", str(count))
        run = Run.open(tmp_path / "run")
        run.train(until=until, peak_flops=PEAK)
    parts = [(part["step"], part["differences"]) for part in run.manifest["resumed"]]
    assert parts == [(2, [f"threads: {threads} then, {threads + 1} now"]), (4 + 2, [])]
    assert [line.split()[-1] for line in manifest.differences(run.manifest)] == ["2", "6"]


def test_a_manifest_gives_the_same_run_to_the_last_bit(tmp_path, tiny):
    run = Run.create(tmp_path / "run", tiny)
    run.train(peak_flops=PEAK)
    (run.folder / "tokens.npy").rename(tmp_path / "tokens.npy")  # only the manifest is left: the text is read again
    for source in (run.folder / "manifest.json", run.folder):
        again = Run.from_manifest(source, tmp_path / f"again{source.name}")
        assert again.manifest == run.manifest and manifest.differences(run.manifest) == []
        again.train(peak_flops=PEAK)
        assert bytes_of(again) == bytes_of(run)
        assert losses(again) == losses(run)


def losses(run):
    return [
        {name: value for name, value in row.items() if name not in ("seconds", "tokens_per_second", "mfu")}
        for row in metrics.read(run.metrics_path)
    ]


def test_another_seed_is_another_run(tmp_path, tiny):
    one, two = (Run.create(tmp_path / str(seed), tiny.but(seed=seed)) for seed in (0, 1))
    assert bytes_of(one) != bytes_of(two)
    assert (one.state.stream.next()[0] != two.state.stream.next()[0]).any()


def test_a_manifest_whose_text_has_changed_is_refused(tmp_path, tiny, text_file):
    run = Run.create(tmp_path / "run", tiny)
    text_file.write_text(text_file.read_text() + "!")
    again = Run.from_manifest(run.folder, tmp_path / "beside")  # its ids are still there
    assert (np.array(again.train_tokens) == run.train_tokens).all()
    (run.folder / "tokens.npy").unlink()
    with pytest.raises(DataError) as caught:
        Run.from_manifest(run.folder, tmp_path / "again")
    assert "no longer the text" in one_line(caught) and not (tmp_path / "again").exists()


# tokenizers


def test_a_run_on_learned_tokens_is_resumed_from_its_folder_alone(tmp_path, tiny, text_file):
    tiny = tiny.but(tokenizer="bpe:280")
    straight = Run.create(tmp_path / "straight", tiny)
    straight.train(peak_flops=PEAK)
    run = Run.create(tmp_path / "run", tiny)
    run.train(until=5, peak_flops=PEAK)
    text_file.unlink()
    again = Run.open(tmp_path / "run")
    assert again.tokenizer == run.tokenizer and again.model.config.vocab_size == again.tokenizer.n_vocab <= 280
    again.train(peak_flops=PEAK)
    assert bytes_of(again) == bytes_of(straight) and losses(again) == losses(straight)
    model, words, _ = train.load(tmp_path / "run")
    assert words == run.tokenizer and not model.training


def test_the_tokenizer_is_recorded_and_another_one_in_its_place_refused(tmp_path, tiny):
    run = Run.create(tmp_path / "run", tiny.but(tokenizer="bpe:280"))
    other = Run.create(tmp_path / "other", tiny.but(tokenizer="bpe:270"))
    path = run.folder / "tokenizer.json"
    told = run.manifest["tokenizer"]
    assert told == {"n_vocab": run.tokenizer.n_vocab, "sha256": manifest.fingerprint(json.loads(path.read_text()))}
    path.write_text(json.dumps(json.loads(path.read_text())))  # laid out otherwise, it is still the same
    Run.open(tmp_path / "run")
    path.write_bytes((other.folder / "tokenizer.json").read_bytes())
    for opened in (Run.open, train.load, lambda folder: Run.from_manifest(folder, tmp_path / "new")):
        with pytest.raises(CheckpointError) as caught:
            opened(tmp_path / "run")
        assert "is not the tokenizer of this run" in one_line(caught)
    with pytest.raises(ConfigError, match="cannot change"):
        Run.open(tmp_path / "other", tokenizer="bytes")


def test_a_run_from_before_tokenizers_were_recorded_opens(tmp_path, tiny):
    run = Run.create(tmp_path / "run", tiny)
    about = json.loads((run.folder / "manifest.json").read_text())
    del about["tokenizer"], about["data"]["cut"]
    (run.folder / "manifest.json").write_text(json.dumps(about))
    again = Run.open(tmp_path / "run")
    assert len(again.train_tokens) == len(run.train_tokens)


def test_a_manifest_learns_the_same_tokens_again_or_refuses_others(tmp_path, tiny, monkeypatch):
    run = Run.create(tmp_path / "run", tiny.but(tokenizer="bpe:280"))
    for name in ("tokens.npy", "tokenizer.json"):
        (run.folder / name).unlink()
    again = Run.from_manifest(run.folder, tmp_path / "again")
    assert again.manifest == run.manifest
    monkeypatch.setattr(train.tokenizers, "make", lambda *_: again.tokenizer.__class__.from_dict(other))
    other = {**again.tokenizer.to_dict(), "name": "another"}
    with pytest.raises(DataError) as caught:
        Run.from_manifest(run.folder, tmp_path / "more")
    assert "no longer the tokenizer of this run" in one_line(caught) and not (tmp_path / "more").exists()


def test_the_path_of_a_vocabulary_is_kept_absolute(tmp_path, tiny, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Run.create("one", tiny.but(tokenizer="bpe:280"))
    run = Run.create("two", tiny.but(tokenizer="one/tokenizer.json"))
    assert run.config.tokenizer == str((tmp_path / "one" / "tokenizer.json").resolve())
    assert (np.array(run.train_tokens) == Run.open("one").train_tokens).all()


def test_a_text_too_short_for_its_long_tokens_is_refused(tmp_path, tiny, text_file):
    text_file.write_text("red green blue " * 12)
    with pytest.raises(DataError) as caught:
        Run.create(tmp_path / "run", tiny.but(tokenizer="bpe:300"))
    assert "to validate on has" in one_line(caught) and not (tmp_path / "run").exists()


def test_a_run_from_standard_input_is_had_again_from_its_ids(tmp_path, tiny, monkeypatch):
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"red green blue seven\n" * 30)))
    run = Run.create(tmp_path / "run", tiny.but(data="-"))
    again = Run.from_manifest(run.folder, tmp_path / "again")
    assert again.manifest["data"] == run.manifest["data"]
    (run.folder / "tokens.npy").unlink()
    with pytest.raises(DataError, match="standard input"):
        Run.from_manifest(run.folder, tmp_path / "more")
