"""Broken configurations, each with the whole message that a person gets."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pytest

from launch_agent.cli import main


@dataclass(frozen=True)
class Case:
    name: str
    config: bytes
    message: str


CASES = [
    Case(
        "tabs_and_placeholders_of_the_documentation",
        (
            b"queues:\n"
            b"\t- <queue name>\n"
            b"max_jobs: <n concurrent jobs>\n"
            b"environment:\n"
            b"\ttype: aws\n"
            b"\tregion: us-east-1\n"
            b"registry:\n"
            b"\ttype: ecr\n"
            b"\turi: <my-registry-uri>\n"
            b"builder:\n"
            b"\ttype: kaniko\n"
            b"\tbuild-context-store: <s3-bucket-uri>\n"
        ),
        (
            "launch-config.yaml:2:1: line 2 starts with a tab; YAML wants spaces (and so do: 5, 6, 8, 9, "
            "11, 12)\n"
            "    → replace each tab by two spaces\n"
            "launch-config.yaml:2:5: queues[0]: still the placeholder `<queue name>`\n"
            "    → put the name of a queue (1 to 64 characters); for example `gpu`\n"
            "launch-config.yaml:3:11: max_jobs: still the placeholder `<n concurrent jobs>`\n"
            "    → put a whole number, -1 for no limit; for example `max_jobs: 8`\n"
            "launch-config.yaml:9:8: registry.uri: still the placeholder `<my-registry-uri>`\n"
            "    → put an image's address without tag; for example `uri: "
            "123456789012.dkr.ecr.us-east-1.amazonaws.com/launch`\n"
            "launch-config.yaml:12:24: builder.build-context-store: still the placeholder `<s3-bucket-uri>`\n"
            "    → put a bucket's address: s3://…, gs://… or "
            "https://<account>.blob.core.windows.net/<container>; for example `build-context-store: "
            "s3://my-bucket/launch`\n"
            "launch-config.yaml:7:1: warning: registry: deprecated by W&B; still read\n"
            "    → write the address as `builder.destination`\n"
            "error: 5 problems; nothing was contacted\n"
        ),
    ),
    Case(
        "the_chart_s_default_text",
        (
            b"queues:\n"
            b"  - <queue name>\n"
            b"max_jobs: <n concurrent jobs>\n"
            b"environment:\n"
            b"  type: aws\n"
            b"  region: <aws-region>\n"
        ),
        (
            "launch-config.yaml:2:5: queues[0]: still the placeholder `<queue name>`\n"
            "    → put the name of a queue (1 to 64 characters); for example `gpu`\n"
            "launch-config.yaml:3:11: max_jobs: still the placeholder `<n concurrent jobs>`\n"
            "    → put a whole number, -1 for no limit; for example `max_jobs: 8`\n"
            "launch-config.yaml:6:11: environment.region: still the placeholder `<aws-region>`\n"
            "    → put the name of a region; for example `region: us-east-1`\n"
            "error: 3 problems; nothing was contacted\n"
        ),
    ),
    Case(
        "a_placeholder_of_choices",
        (
            b"queues: [gpu]\n"
            b"builder:\n"
            b"  type: <kaniko|docker>\n"
            b"  destination: <account-id>.ecr.<aws-region>.amazonaws.com/<repository-name>\n"
        ),
        (
            "launch-config.yaml:3:9: builder.type: still the placeholder `<kaniko|docker>`\n"
            "    → put a builder: `docker` or `kaniko` or `noop`; for example `type: noop`\n"
            "launch-config.yaml:4:16: builder.destination: still holds the placeholders `<account-id>`, "
            "`<aws-region>` and `<repository-name>`\n"
            "    → put an image's address without tag; for example `destination: "
            "123456789012.dkr.ecr.us-east-1.amazonaws.com/launch`\n"
            "error: 2 problems; nothing was contacted\n"
        ),
    ),
    Case(
        "choices_left_in",
        b"queues: [gpu]\nbuilder:\n  type: docker | kaniko | noop\n",
        (
            "launch-config.yaml:3:9: builder.type: found `docker | kaniko | noop`; allowed are `docker`, "
            "`kaniko`, `noop`\n"
            "    → keep one of them: `type: noop`\n"
            "error: 1 problem; nothing was contacted\n"
        ),
    ),
    Case(
        "a_misspelt_key",
        b"queues: [gpu]\nmax_job: 3\n",
        (
            "launch-config.yaml:2:1: max_job: is not a key of this file\n"
            "    → did you mean `max_jobs`?\n"
            "error: 1 problem; nothing was contacted\n"
        ),
    ),
    Case(
        "base_url_in_the_file",
        b"queues: [gpu]\nbase_url: https://api.wandb.ai\n",
        (
            "launch-config.yaml:2:1: base_url: is not a key of this file\n"
            "    → take it out and set WANDB_BASE_URL (in the chart: `baseUrl`); W&B's agent refuses it "
            "here, too\n"
            "error: 1 problem; nothing was contacted\n"
        ),
    ),
    Case(
        "an_api_key_in_the_file",
        b"queues: [gpu]\napi_key: 0123456789012345678901234567890123456789\n",
        (
            "launch-config.yaml:2:1: api_key: is not a key of this file\n"
            "    → take it out and set WANDB_API_KEY (in the chart: `agent.apiKey`); a key does not belong "
            "in a file\n"
            "error: 1 problem; nothing was contacted\n"
        ),
    ),
    Case(
        "a_whole_values_yaml",
        b"agent:\n  apiKey: ''\nlaunchConfig: |\n  queues: [gpu]\n",
        (
            "launch-config.yaml:1:1: agent: is not a key of this file\n"
            "    → this looks like the chart's values.yaml: pass that to Helm\n"
            "launch-config.yaml:3:1: launchConfig: is not a key of this file\n"
            "    → this looks like the chart's values.yaml: pass that to Helm, or keep the text under "
            "`launchConfig`\n"
            "error: 2 problems; nothing was contacted\n"
        ),
    ),
    Case(
        "a_key_twice",
        b"queues: [gpu]\nmax_jobs: 1\nqueues: [cpu]\n",
        (
            "launch-config.yaml:3:1: queues: repeats the key of line 1\n"
            "    → keep one of the two\n"
            "error: 1 problem; nothing was contacted\n"
        ),
    ),
    Case(
        "a_queue_twice",
        b"queues:\n  - gpu\n  - cpu\n  - gpu\n",
        (
            "launch-config.yaml:4:5: queues[2]: repeats queues[0] (`gpu`)\n"
            "    → delete one of the two\n"
            "error: 1 problem; nothing was contacted\n"
        ),
    ),
    Case(
        "a_queue_s_name_that_yaml_reads_as_true",
        b"queues:\n  - on\n",
        (
            "launch-config.yaml:2:5: queues[0]: found `on`, which YAML reads as true or false; allowed is "
            "the name of a queue (1 to 64 characters)\n"
            '    → put it in quotes: `"on"`\n'
            "error: 1 problem; nothing was contacted\n"
        ),
    ),
    Case(
        "a_queue_s_name_that_yaml_reads_as_a_number",
        b"queues:\n  - 007\n",
        (
            "launch-config.yaml:2:5: queues[0]: found `007`, which YAML reads as a number; allowed is the "
            "name of a queue (1 to 64 characters)\n"
            '    → put it in quotes: `"007"`\n'
            "error: 1 problem; nothing was contacted\n"
        ),
    ),
    Case(
        "queues_as_text",
        b"queues: gpu\n",
        (
            "launch-config.yaml:1:9: queues: found `gpu`; allowed is a list of queue names\n"
            "    → for example `queues: [gpu]`\n"
            "error: 1 problem; nothing was contacted\n"
        ),
    ),
    Case(
        "an_empty_queue_s_name",
        b"queues: ['']\n",
        (
            "launch-config.yaml:1:10: queues[0]: found an empty text; allowed is the name of a queue (1 to "
            "64 characters)\n"
            "    → for example `gpu`\n"
            "error: 1 problem; nothing was contacted\n"
        ),
    ),
    Case(
        "a_queue_s_name_that_is_too_long",
        b"queues: [" + b"long-" * 13 + b"]\n",
        (
            "launch-config.yaml:1:10: queues[0]: found a text of 65 characters; allowed is the name of a "
            "queue (1 to 64 characters)\n"
            "    → use its name as W&B shows it\n"
            "error: 1 problem; nothing was contacted\n"
        ),
    ),
    Case(
        "a_number_in_words",
        b"queues: [gpu]\nmax_jobs: many\n",
        (
            "launch-config.yaml:2:11: max_jobs: found `many`; allowed is a whole number, -1 for no limit\n"
            "    → for example `max_jobs: 8`\n"
            "error: 1 problem; nothing was contacted\n"
        ),
    ),
    Case(
        "a_negative_limit",
        b"queues: [gpu]\nmax_jobs: -2\nmax_schedulers: 1.5\n",
        (
            "launch-config.yaml:2:11: max_jobs: found `-2`; allowed is a whole number, -1 for no limit\n"
            "    → for example `max_jobs: 8`\n"
            "launch-config.yaml:3:17: max_schedulers: found `1.5`; allowed is a whole number, -1 for no "
            "limit\n"
            "    → for example `max_schedulers: 1`\n"
            "error: 2 problems; nothing was contacted\n"
        ),
    ),
    Case(
        "a_quoted_truth",
        b'queues: [gpu]\nsecure_mode: "true"\n',
        (
            "launch-config.yaml:2:14: secure_mode: found the text `true` in quotes; allowed is true or false\n"
            "    → take the quotes off; for example `secure_mode: true`\n"
            "error: 1 problem; nothing was contacted\n"
        ),
    ),
    Case(
        "a_cloud_that_is_none",
        b"queues: [gpu]\nenvironment:\n  type: amazon\n",
        (
            "launch-config.yaml:3:9: environment.type: found `amazon`; allowed are `aws`, `gcp`, `azure`\n"
            "    → for example `type: aws`\n"
            "error: 1 problem; nothing was contacted\n"
        ),
    ),
    Case(
        "a_cloud_with_a_slip",
        b"queues: [gpu]\nenvironment:\n  type: awss\n",
        (
            "launch-config.yaml:3:9: environment.type: found `awss`; allowed are `aws`, `gcp`, `azure`\n"
            "    → did you mean `aws`?\n"
            "error: 1 problem; nothing was contacted\n"
        ),
    ),
    Case(
        "a_region_without_its_cloud",
        b"queues: [gpu]\nenvironment:\n  region: us-east-1\n",
        (
            "launch-config.yaml:3:3: environment.region: needs the key `type` beside it\n"
            "    → add it: `type: aws`\n"
            "error: 1 problem; nothing was contacted\n"
        ),
    ),
    Case(
        "a_secret_without_its_key",
        b"queues: [gpu]\nbuilder:\n  type: kaniko\n  secret-name: registry\n",
        (
            "launch-config.yaml:4:3: builder.secret-name: needs the key `secret-key` beside it\n"
            "    → add it: `secret-key: credentials`\n"
            "error: 1 problem; nothing was contacted\n"
        ),
    ),
    Case(
        "a_destination_with_a_tag",
        (b"queues: [gpu]\nbuilder:\n  type: docker\n  destination: registry.example.com:5000/team/launch:latest\n"),
        (
            "launch-config.yaml:4:16: builder.destination: ends with the tag `:latest`\n"
            "    → leave it out: the agent adds its own tag\n"
            "error: 1 problem; nothing was contacted\n"
        ),
    ),
    Case(
        "a_google_address_without_an_image",
        b"queues: [gpu]\nbuilder:\n  type: docker\n  destination: us-docker.pkg.dev/my-project/launch\n",
        (
            "launch-config.yaml:4:16: builder.destination: a Google address needs project, repository and "
            "image\n"
            "    → write `<region>-docker.pkg.dev/<project>/<repository>/<image>`\n"
            "error: 1 problem; nothing was contacted\n"
        ),
    ),
    Case(
        "a_context_store_that_is_no_bucket",
        b"queues: [gpu]\nbuilder:\n  type: kaniko\n  build-context-store: /mnt/contexts\n",
        (
            "launch-config.yaml:4:24: builder.build-context-store: found `/mnt/contexts`; allowed is a "
            "bucket's address\n"
            "    → write `s3://<bucket>/<path>`, `gs://<bucket>/<path>` or "
            "`https://<account>.blob.core.windows.net/<container>`\n"
            "error: 1 problem; nothing was contacted\n"
        ),
    ),
    Case(
        "a_secret_as_a_macro",
        b"queues: [gpu]\nmacro_environment: [CLUSTER, WANDB_API_KEY]\n",
        (
            "launch-config.yaml:2:30: macro_environment[1]: `WANDB_API_KEY` is a secret: every submitter "
            "could read it as `${WANDB_API_KEY}`\n"
            "    → take it out; give jobs a Secret instead\n"
            "error: 1 problem; nothing was contacted\n"
        ),
    ),
    Case(
        "a_poll_without_a_pause",
        b"queues: [gpu]\npoll_interval: 0\nlaunch_concurrency: 1000\n",
        (
            "launch-config.yaml:2:16: poll_interval: found `0`; allowed is a number of seconds, from 0.1 to "
            "3600\n"
            "    → for example `poll_interval: 10`\n"
            "launch-config.yaml:3:21: launch_concurrency: found `1000`; allowed is a whole number from 1 to "
            "256\n"
            "    → for example `launch_concurrency: 8`\n"
            "error: 2 problems; nothing was contacted\n"
        ),
    ),
    Case(
        "an_empty_file",
        b"# nothing but a comment\n",
        (
            "launch-config.yaml: the file is empty\n"
            "    → write at least `queues: [<name of a queue>]`\n"
            "error: 1 problem; nothing was contacted\n"
        ),
    ),
    Case(
        "a_list_instead_of_keys",
        b"- gpu\n- cpu\n",
        (
            "launch-config.yaml:1:1: found a list instead of keys; allowed is a map\n"
            "    → write `queues: [<name of a queue>]`, each key on a line of its own\n"
            "error: 1 problem; nothing was contacted\n"
        ),
    ),
    Case(
        "a_text_instead_of_keys",
        b"gpu\n",
        (
            "launch-config.yaml:1:1: found `gpu` instead of keys; allowed is a map\n"
            "    → write `queues: [<name of a queue>]`, each key on a line of its own\n"
            "error: 1 problem; nothing was contacted\n"
        ),
    ),
    Case(
        "utf_16",
        b"\xff\xfeq\x00u\x00e\x00u\x00e\x00s\x00:\x00 \x00[\x00g\x00p\x00u\x00]\x00\n\x00",
        ("launch-config.yaml: is written in UTF-16\n    → save it as UTF-8\nerror: 1 problem; nothing was contacted\n"),
    ),
    Case(
        "a_nul_byte",
        b"queues: [gpu]\nmax_jobs: 1\x00\n",
        (
            "launch-config.yaml:2:12: holds a NUL byte: this is not a text file, or it is written in UTF-16\n"
            "    → save it as UTF-8\n"
            "error: 1 problem; nothing was contacted\n"
        ),
    ),
    Case(
        "latin_1",
        b"queues:\n  - gr\xf6\xdfe\n",
        (
            "launch-config.yaml:2:7: is not written in UTF-8 (byte 0xf6)\n"
            "    → save it as UTF-8\n"
            "error: 1 problem; nothing was contacted\n"
        ),
    ),
    Case(
        "a_control_character",
        b"queues:\n  - gpu\x1b[31m\n",
        (
            "launch-config.yaml:2:8: holds the control character U+001B, which YAML does not allow\n"
            "    → delete it\n"
            "error: 1 problem; nothing was contacted\n"
        ),
    ),
    Case(
        "two_documents",
        b"queues: [gpu]\n---\nqueues: [cpu]\n",
        (
            "launch-config.yaml:2:1: a second document starts here (`---`)\n"
            "    → keep one document\n"
            "error: 1 problem; nothing was contacted\n"
        ),
    ),
    Case(
        "a_wrong_indentation",
        b"queues:\n    - gpu\n  - cpu\n",
        (
            "launch-config.yaml:3:3: this line's indentation fits none of the lines above\n"
            "    → align it with its neighbours\n"
            "error: 1 problem; nothing was contacted\n"
        ),
    ),
    Case(
        "a_colon_too_many",
        b"queues: [gpu]\nentity: my: team\n",
        (
            "launch-config.yaml:2:11: a `:` where none may be\n"
            "    → look for a wrong indentation, or put the text in quotes\n"
            "error: 1 problem; nothing was contacted\n"
        ),
    ),
    Case(
        "a_bracket_left_open",
        b"queues: [gpu\nmax_jobs: 1\n",
        (
            "launch-config.yaml:2:9: the list (`[`) that begins in line 1 is not closed\n"
            "    → close it, or look for a missing comma before this place\n"
            "error: 1 problem; nothing was contacted\n"
        ),
    ),
    Case(
        "a_quote_left_open",
        b"queues: ['gpu]\nmax_jobs: 1\n",
        (
            "launch-config.yaml:3:1: the text in quotes that begins in line 1 is not closed\n"
            "    → close it, or look for a missing comma before this place\n"
            "error: 1 problem; nothing was contacted\n"
        ),
    ),
    Case(
        "a_python_tag",
        b"queues: !!python/object/apply:os.system ['true']\n",
        (
            "launch-config.yaml:1:9: queues: the tag `!!python/object/apply:os.system` is not accepted\n"
            "    → leave the tag out\n"
            "error: 1 problem; nothing was contacted\n"
        ),
    ),
    Case(
        "a_cycle",
        b"queues: [gpu]\nbuilder: &b\n  type: kaniko\n  kaniko-config: *b\n",
        (
            "launch-config.yaml:2:10: builder.kaniko-config: an alias that contains itself\n"
            "    → write the value out\n"
            "error: 1 problem; nothing was contacted\n"
        ),
    ),
    Case(
        "a_number_beyond_all_numbers",
        b"queues: [gpu]\nstopped_run_timeout: .inf\n",
        (
            "launch-config.yaml:2:22: stopped_run_timeout: `.inf` is not a finite number\n"
            "    → write a number\n"
            "error: 1 problem; nothing was contacted\n"
        ),
    ),
    Case(
        "a_key_that_is_no_text",
        b"queues: [gpu]\nyes: 1\n",
        (
            "launch-config.yaml:2:1: the key `yes` is true or false, not text\n"
            '    → put it in quotes: `"yes":`\n'
            "error: 1 problem; nothing was contacted\n"
        ),
    ),
    Case(
        "nothing_but_brackets",
        b"[" * 2000,
        (
            "launch-config.yaml:1:61: nested deeper than 60 levels\n"
            "    → make it flatter\n"
            "error: 1 problem; nothing was contacted\n"
        ),
    ),
    Case(
        "many_at_once",
        (
            b"entity:\n"
            b"queues:\n"
            b"  - <queue>\n"
            b"  - 5\n"
            b"max_jobs: some\n"
            b"builders: {}\n"
            b"builder:\n"
            b"  type: podman\n"
            b"  destination: 123456789012.ecr.us-east-1.amazonaws.com/launch\n"
            b"  platfrom: linux/amd64\n"
        ),
        (
            "launch-config.yaml:3:5: queues[0]: still the placeholder `<queue>`\n"
            "    → put the name of a queue (1 to 64 characters); for example `gpu`\n"
            "launch-config.yaml:4:5: queues[1]: found `5`, which YAML reads as a number; allowed is the "
            "name of a queue (1 to 64 characters)\n"
            '    → put it in quotes: `"5"`\n'
            "launch-config.yaml:5:11: max_jobs: found `some`; allowed is a whole number, -1 for no limit\n"
            "    → for example `max_jobs: 8`\n"
            "launch-config.yaml:6:1: builders: is not a key of this file\n"
            "    → did you mean `builder`?\n"
            "launch-config.yaml:8:9: builder.type: found `podman`; allowed are `docker`, `kaniko`, `noop`\n"
            "    → for example `type: noop`\n"
            "launch-config.yaml:9:16: warning: builder.destination: W&B's documentation writes "
            "`<account>.ecr.<region>…`, but the host is `<account>.dkr.ecr.<region>…`; read as "
            "`123456789012.dkr.ecr.us-east-1.amazonaws.com/launch`\n"
            "    → write `123456789012.dkr.ecr.us-east-1.amazonaws.com/launch`\n"
            "launch-config.yaml:10:3: warning: builder.platfrom: is not a key of builder; ignored\n"
            "    → did you mean `platform`?\n"
            "error: 5 problems; nothing was contacted\n"
        ),
    ),
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_a_broken_configuration_is_refused_in_words(
    case: Case, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("launch-config.yaml").write_bytes(case.config)
    code = main(["validate", "--config", "launch-config.yaml"], {}, tmp_path)
    captured = capsys.readouterr()
    assert captured.err == case.message
    assert (code, captured.out) == (2, "")


def test_the_table_holds_at_least_twenty_five_cases_with_names_of_their_own() -> None:
    assert len({case.name for case in CASES}) == len(CASES) >= 25
