# Weights -> scores of every test image and balanced accuracy; contrast maps, connections and limits of some nets.


rule evaluate:
    input:
        weights=f"{graph.results}/training/{{run}}/seed{{seed}}/weights.safetensors",
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
        prepared=lambda wildcards: graph.prepared(
            graph.job(wildcards.run, wildcards.seed)
        ),
        out=lambda wildcards, output: str(Path(output[0]).parent),
    shell:
        "python -m taskshare evaluate --checkpoint {input.weights:q} --prepared {params.prepared:q}"
        " --out {params.out:q} > {log:q} 2>&1"


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
        prepared=lambda wildcards: graph.prepared(
            graph.job(wildcards.run, wildcards.seed)
        ),
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
        prepared=lambda wildcards: graph.prepared(
            graph.job(wildcards.run, wildcards.seed)
        ),
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
        prepared=lambda wildcards: graph.prepared(
            graph.job(wildcards.run, wildcards.seed)
        ),
        out=lambda wildcards, output: str(Path(output[0]).parent),
    shell:
        "python -m taskshare limits --checkpoint {input.weights:q} --prepared {params.prepared:q}"
        " --out {params.out:q} > {log:q} 2>&1"
