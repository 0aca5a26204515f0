# Weights -> scores of every test image and balanced accuracy.


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
