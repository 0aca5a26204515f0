# Weights -> scores of every test image, balanced accuracy and landmarks; maps, connections, limits and costs of some nets.


rule evaluate:
    input:
        weights=f"{graph.results}/training/{{run}}/seed{{seed}}/weights.safetensors",
        others=f"{graph.results}/training/{{run}}/seed{{seed}}/other_weights.safetensors",
        prepared=lambda wildcards: graph.prepared_files(
            graph.job(wildcards.run, wildcards.seed), ("test",)
        ),
    output:
        multiext(f"{graph.results}/evaluation/{{run}}/seed{{seed}}/", *EVALUATION_FILES),
    log:
        f"{graph.results}/logs/evaluation/{{run}}/seed{{seed}}.log",
    conda:
        "../envs/taskshare.yaml"
    resources:
        gpu=graph.gpus_per_job(),
    params:
        prepared=lambda wildcards, input: str(Path(input.prepared[0]).parent),
        out=lambda wildcards, output: str(Path(output[0]).parent),
    shell:
        "python -m taskshare evaluate --checkpoint {input.weights:q} --prepared {params.prepared:q}"
        " --out {params.out:q} > {log:q} 2>&1"


use rule evaluate as evaluate_landmarks with:
    output:
        multiext(
            f"{graph.results}/evaluation/{{run}}/seed{{seed}}/",
            *EVALUATION_FILES,
            LANDMARKS_FILE,
        ),
    wildcard_constraints:
        run=graph.landmark_runs(),


# Both write scores: a run that finds landmarks is one for the second.
ruleorder: evaluate_landmarks > evaluate


rule constant:
    input:
        lambda wildcards: [
            f"{graph.results}/data/{wildcards.dataset}/{wildcards.variant}/{split}.parquet"
            for split in ("train", "test")
        ],
    output:
        f"{graph.results}/evaluation/constant/{{dataset}}/{{variant}}/{METRICS}",
    log:
        f"{graph.results}/logs/evaluation/constant/{{dataset}}/{{variant}}.log",
    conda:
        "../envs/taskshare.yaml"
    params:
        prepared=lambda wildcards, input: str(Path(input[0]).parent),
        dataset=lambda wildcards: graph.dataset_json(wildcards.dataset),
        size=lambda wildcards: graph.params.variant(
            wildcards.dataset, wildcards.variant
        ).size,
    shell:
        "python -m taskshare constant --prepared {params.prepared:q} --dataset {params.dataset:q}"
        " --size {params.size} --out {output:q} > {log:q} 2>&1"


# What a kind of experiment measures of a net beside its scores.
rule measure:
    input:
        weights=lambda wildcards: graph.measured_weights(
            wildcards.kind, wildcards.run, wildcards.seed
        ),
        prepared=lambda wildcards: graph.measured_images(
            wildcards.kind, wildcards.run, wildcards.seed
        ),
    output:
        f"{graph.results}/evaluation/{{run}}/seed{{seed}}/{{kind}}.{{ending}}",
    log:
        f"{graph.results}/logs/evaluation/{{run}}/seed{{seed}}-{{kind}}-{{ending}}.log",
    wildcard_constraints:
        kind=graph.measured_kinds(alone=False),
    conda:
        "../envs/taskshare.yaml"
    resources:
        gpu=graph.gpus_per_job(),
    params:
        options=lambda wildcards: graph.measure_options(
            wildcards.kind, wildcards.run, wildcards.seed
        ),
    shell:
        "python -m taskshare measure {wildcards.kind} {params.options:q} --out {output:q} > {log:q} 2>&1"


# Kinds that measure times have the machine to themselves.
use rule measure as measure_alone with:
    wildcard_constraints:
        kind=graph.measured_kinds(alone=True),
    threads: lambda wildcards: workflow.cores


# Every result -> the one file that the report shows.
rule findings:
    input:
        results=graph.report_inputs(),
        params=f"{graph.results}/params.json",
        plan=local(str(project / "reports/plan.yaml")),
        reports=[
            local(str(path)) for path in sorted((project / "reports").rglob("*.yaml"))
        ],
        code=[
            local(str(path))
            for package in ("evaluation", "statistics")
            for path in sorted((project / "src/taskshare" / package).rglob("*.py"))
        ]
        + [local(str(project / "src/taskshare/networks/shapes.py"))],
    output:
        f"{graph.results}/findings.json",
    log:
        f"{graph.results}/logs/evaluation/findings.log",
    conda:
        "../envs/taskshare.yaml"
    params:
        results=lambda wildcards, input: str(Path(input.params).parent),
        reports=lambda wildcards, input: str(Path(input.plan).parent),
    shell:
        "python -m taskshare findings --params {input.params:q} --results {params.results:q}"
        " --reports {params.reports:q} --out {output:q} > {log:q} 2>&1"
