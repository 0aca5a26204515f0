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


rule response_maps:
    input:
        weights=f"{graph.results}/training/{{run}}/seed{{seed}}/weights.safetensors",
        prepared=lambda wildcards: graph.prepared_files(
            graph.job(wildcards.run, wildcards.seed), ("train",)
        ),
    output:
        multiext(
            f"{graph.results}/evaluation/{{run}}/seed{{seed}}/",
            RESPONSE_MAPS,
            COOCCURRENCE,
        ),
    log:
        f"{graph.results}/logs/evaluation/{{run}}/seed{{seed}}-response_maps.log",
    conda:
        "../envs/taskshare.yaml"
    resources:
        gpu=graph.gpus_per_job(),
    params:
        prepared=lambda wildcards, input: str(Path(input.prepared[0]).parent),
        out=lambda wildcards, output: str(Path(output[0]).parent),
        layer=lambda wildcards: graph.map_layer(wildcards.run),
    shell:
        "python -m taskshare response-maps --checkpoint {input.weights:q} --prepared {params.prepared:q}"
        " --layer {params.layer} --out {params.out:q} > {log:q} 2>&1"


rule connections:
    input:
        weights=f"{graph.results}/training/{{run}}/seed{{seed}}/weights.safetensors",
        prepared=lambda wildcards: graph.prepared_files(
            graph.job(wildcards.run, wildcards.seed), ("train",)
        ),
    output:
        f"{graph.results}/evaluation/{{run}}/seed{{seed}}/{CONNECTIONS}",
    log:
        f"{graph.results}/logs/evaluation/{{run}}/seed{{seed}}-connections.log",
    conda:
        "../envs/taskshare.yaml"
    resources:
        gpu=graph.gpus_per_job(),
    params:
        prepared=lambda wildcards, input: str(Path(input.prepared[0]).parent),
        out=lambda wildcards, output: str(Path(output[0]).parent),
    shell:
        "python -m taskshare connections --checkpoint {input.weights:q} --prepared {params.prepared:q}"
        " --out {params.out:q} > {log:q} 2>&1"


rule limits:
    input:
        weights=f"{graph.results}/training/{{run}}/seed{{seed}}/weights.safetensors",
        prepared=lambda wildcards: graph.prepared_files(
            graph.job(wildcards.run, wildcards.seed), ("train",)
        ),
    output:
        f"{graph.results}/evaluation/{{run}}/seed{{seed}}/{LIMITS}",
    log:
        f"{graph.results}/logs/evaluation/{{run}}/seed{{seed}}-limits.log",
    conda:
        "../envs/taskshare.yaml"
    resources:
        gpu=graph.gpus_per_job(),
    params:
        prepared=lambda wildcards, input: str(Path(input.prepared[0]).parent),
        out=lambda wildcards, output: str(Path(output[0]).parent),
    shell:
        "python -m taskshare limits --checkpoint {input.weights:q} --prepared {params.prepared:q}"
        " --out {params.out:q} > {log:q} 2>&1"


rule feature_maps:
    input:
        weights=f"{graph.results}/training/{{run}}/seed{{seed}}/weights.safetensors",
        prepared=lambda wildcards: graph.prepared_files(
            graph.job(wildcards.run, wildcards.seed), ("test",)
        ),
    output:
        f"{graph.results}/evaluation/{{run}}/seed{{seed}}/{FEATURE_MAPS}",
    log:
        f"{graph.results}/logs/evaluation/{{run}}/seed{{seed}}-feature_maps.log",
    conda:
        "../envs/taskshare.yaml"
    resources:
        gpu=graph.gpus_per_job(),
    params:
        prepared=lambda wildcards, input: str(Path(input.prepared[0]).parent),
        block=lambda wildcards: graph.map_block(wildcards.run),
    shell:
        "python -m taskshare feature-maps --checkpoint {input.weights:q} --prepared {params.prepared:q}"
        " --block {params.block} --out {output:q} > {log:q} 2>&1"


rule costs:
    output:
        f"{graph.results}/evaluation/costs/{{experiment}}.json",
    log:
        f"{graph.results}/logs/evaluation/costs/{{experiment}}.log",
    conda:
        "../envs/taskshare.yaml"
    # Alone on the machine, for it measures times.
    threads: lambda wildcards: workflow.cores
    resources:
        gpu=graph.gpus_per_job(),
    params:
        nets=lambda wildcards: graph.costs_json(wildcards.experiment),
    shell:
        "python -m taskshare costs --nets {params.nets:q} --out {output:q} > {log:q} 2>&1"
